# SPDX-License-Identifier: Apache-2.0
"""What the interoperability tests stand on: a switch with hosts on it, and the peers that talk OpenFlow to it.

      weft-NAME-h1         weft-NAME-sw: the switch, its controllers on 127.0.0.1
    +------------+      +----------------------------------------------------------+
    | eth0       | veth | p1                                                       |
    | 10.0.0.1   +------+       br0 ---- RUNDIR/br0.mgmt: ovs-ofctl, raw clients    |
    +------------+      |        |                                                 |
      weft-NAME-h2      |        +------ tcp: / ssl: controllers                    |
      ...        +------+ p2 ...                                                   |
                        +----------------------------------------------------------+

Host N is 10.0.0.N with the address 02:00:00:00:00:0N, behind OpenFlow port N.

The switch is Weft.  WEFT_INTEROP_SWITCH=ovs puts Open vSwitch (userspace datapath) in its place: a test that was seen to
pass against both tells a fault of Weft from one of the test.  CI runs Weft only."""
import contextlib
import ctypes
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import time

import of

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from lab import BUILD, Lab, LabError, TOP, wait_for  # noqa: E402, F401  pylint: disable=wrong-import-position

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"             # The distribution's: it knows the distribution's os_ken.
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def inside(ns):
    """Sockets made in here belong to that network namespace."""
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    other = os.open(f"/run/netns/{ns}", os.O_RDONLY)
    try:
        if libc.setns(other, CLONE_NEWNET):
            raise LabError(f"setns({ns}): {os.strerror(ctypes.get_errno())}")
        yield
    finally:
        libc.setns(own, CLONE_NEWNET)
        os.close(own)
        os.close(other)


def have(program):
    return shutil.which(program) is not None


# --- frames ------------------------------------------------------------------------------------

def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def ip4(text):
    return socket.inet_aton(text)


def checksum(data):
    data += b"\0" * (len(data) % 2)
    s = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return s ^ 0xffff


def eth(dst, src, ethertype, payload=b"", vlan=None):
    tag = b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
    return (mac(dst) + mac(src) + tag + struct.pack("!H", ethertype) + payload).ljust(60, b"\0")


def ipv4(src, dst, proto, payload, ttl=64, tos=0):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, tos, 20 + len(payload), 1, 0x4000, ttl, proto, 0, ip4(src), ip4(dst))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def udp(src, dst, sport, dport, payload=b""):
    length = 8 + len(payload)
    pseudo = ip4(src) + ip4(dst) + struct.pack("!HHHHHH", 17, length, sport, dport, length, 0) + payload
    return ipv4(src, dst, 17, struct.pack("!HHHH", sport, dport, length, checksum(pseudo) or 0xffff) + payload)


def udp_frame(a, b, sport=1000, dport=2000, payload=b"", **kw):
    """A datagram from host a to host b."""
    return eth(b.mac, a.mac, 0x0800, udp(a.ip, b.ip, sport, dport, payload), **kw)


def arp_frame(op, sha, spa, tha, tpa, dst=None):
    return eth(dst or "ff:ff:ff:ff:ff:ff", sha, 0x0806,
               struct.pack("!HHBBH", 1, 0x0800, 6, 4, op) + mac(sha) + ip4(spa) + mac(tha) + ip4(tpa))


def lldp_frame(src, dst="01:80:c2:00:00:0e", chassis=b"weft"):
    tlv = lambda t, data: struct.pack("!H", t << 9 | len(data)) + data  # noqa: E731
    return eth(dst, src, 0x88cc, tlv(1, b"\7" + chassis) + tlv(2, b"\7" + b"1") + tlv(3, struct.pack("!H", 120)) + tlv(0, b""))


class Host:
    """A namespace with one interface.  send() and recv() handle whole frames.  stack: its kernel answers, too; else it
    has no IP address and says nothing by itself."""

    def __init__(self, lab, name, n, sw_ns, stack):
        self.lab, self.n, self.port = lab, n, n
        self.mac, self.ip = f"02:00:00:00:00:{n:02x}", f"10.0.0.{n}"
        self.ns = lab.netns(f"{name}-h{n}")
        lab.veth(self.ns, "eth0", sw_ns, f"p{n}")
        lab.ip(self.ns, f"link set eth0 address {self.mac}")
        if stack:
            lab.ip(self.ns, f"addr add {self.ip}/24 dev eth0")
        lab.run("sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1", ns=self.ns)
        lab.run(f"sysctl -qw net.ipv6.conf.p{n}.disable_ipv6=1", ns=sw_ns)
        with inside(self.ns):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self.sock.bind(("eth0", 0))

    def send(self, frame):
        self.sock.send(frame)

    def drain(self):
        self.sock.setblocking(False)
        try:
            while self.sock.recv(65536):
                pass
        except BlockingIOError:
            pass

    def recv(self, match=lambda f: True, timeout=2.0):
        """The next frame that came in and that match() likes (or starts with, when it is bytes); None after a while."""
        end = time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            if left <= 0:
                return None
            self.sock.settimeout(left)
            try:
                frame, info = self.sock.recvfrom(65536)
            except (TimeoutError, socket.timeout, BlockingIOError):
                return None
            if info[2] == socket.PACKET_OUTGOING:
                continue
            if match(frame) if callable(match) else frame[:len(match)] == match:
                return frame

    def count(self, match, quiet=0.3):
        """How many such frames come until none has come for a while."""
        n = 0
        while self.recv(match, quiet) is not None:
            n += 1
        return n

    def ping(self, other, count=3, interval=0.2, wait=2):
        """Number of answers."""
        p = self.lab.run(f"ping -n -c {count} -i {interval} -W {wait} {other.ip}", ns=self.ns, check=False)
        m = re.search(r"(\d+) received", p.stdout)
        return int(m.group(1)) if m else 0

    def reaches(self, other, patience=3):
        """Whether an answer comes; asks again until then."""
        return self.lab.run(f"ping -n -c 1 -i 0.2 -w {patience} {other.ip}", ns=self.ns, check=False).returncode == 0

    def forget(self):
        """Empties the kernel's neighbour table."""
        self.lab.run("ip neigh flush all", ns=self.ns, check=False)


ALL_PROTOCOLS = "OpenFlow10,OpenFlow11,OpenFlow12,OpenFlow13,OpenFlow14,OpenFlow15"


# --- switches ----------------------------------------------------------------------------------

class Switch:
    """What a test asks of a switch.  bridge br0, hosts[0] behind port 1, and so on."""
    kind = ""
    bridge = "br0"
    probe_ms = 1000                     # The shortest inactivity probe.

    def __init__(self, lab, name, n_hosts, stack):
        self.lab, self.name = lab, name
        self.ns = lab.netns(f"{name}-sw")
        self.hosts = [Host(lab, name, i + 1, self.ns, stack) for i in range(n_hosts)]
        self.boot()

    @property
    def mgmt(self):
        return os.path.join(self.run_dir, self.bridge + ".mgmt")

    def ofctl(self, args, version=None, check=True, timeout=20, stdin=None):
        """ovs-ofctl COMMAND...; the word BR in 'args' stands for the bridge.  version: "OpenFlow13"."""
        argv = ["ovs-ofctl", "--timeout", str(timeout)]
        if version:
            argv += ["-O", version]
        words = args if isinstance(args, (list, tuple)) else args.split()
        argv += [f"unix:{self.mgmt}" if w == "BR" else w for w in words]
        env = dict(os.environ, OVS_RUNDIR=self.run_dir)
        p = subprocess.run(argv, text=True, capture_output=True, timeout=timeout + 5, input=stdin or "", env=env)
        if check and p.returncode:
            raise LabError(f"{' '.join(argv)}: exit {p.returncode}: {(p.stderr or p.stdout).strip()[-800:]}")
        return p

    def flows(self, version=None, what=""):
        """The rules as "match actions" lines, statistics and cookies left out, sorted by ovs-ofctl."""
        out = self.ofctl(["--no-stats", "--no-names", "--sort=priority", "dump-flows", "BR", *([what] if what else [])],
                         version).stdout
        return [re.sub(r"^ *(cookie=0x0, )?", "", line) for line in out.splitlines() if "actions=" in line]

    def reset(self):
        """No controllers, no rules, no groups, no meters, ports as they were."""
        self.set_controllers([])
        self.ofctl("del-flows BR", "OpenFlow13")
        self.ofctl("del-groups BR", "OpenFlow13")
        self.ofctl("del-meters BR", "OpenFlow13")
        for h in self.hosts:
            h.drain()


class OvsSwitch(Switch):
    kind = "ovs"
    probe_ms = 5000

    def boot(self):
        lab = self.lab
        self.run_dir = os.path.join(lab.state, "ovs")
        os.makedirs(self.run_dir)
        self.db = f"unix:{self.run_dir}/db.sock"
        self.env = dict(os.environ, OVS_RUNDIR=self.run_dir, OVS_LOGDIR=lab.logs, OVS_DBDIR=self.run_dir)
        conf = f"{self.run_dir}/conf.db"
        lab.run(["ovsdb-tool", "create", conf, "/usr/share/openvswitch/vswitch.ovsschema"], env=self.env)
        lab.spawn("ovsdb-server", ["ovsdb-server", conf, f"--remote=p{self.db}", f"--unixctl={self.run_dir}/db.ctl"],
                  ns=self.ns, env=self.env)
        wait_for("ovsdb-server", lambda: os.path.exists(self.db[5:]), 5)
        self.vsctl("--no-wait init")
        lab.spawn("ovs-vswitchd", ["ovs-vswitchd", self.db, f"--unixctl={self.run_dir}/vs.ctl"], ns=self.ns, env=self.env)
        self.vsctl("add-br br0 -- set Bridge br0 datapath_type=netdev fail_mode=secure other_config:disable-in-band=true "
                   "other-config:hwaddr=02:00:00:00:00:fe "
                   f"protocols={ALL_PROTOCOLS}")
        for h in self.hosts:
            self.vsctl(f"add-port br0 p{h.n} -- set Interface p{h.n} ofport_request={h.n}")

        # Its cache is revalidated some time after a barrier reply; without this no test of rules could pass.
        of.Conn.after_barrier = staticmethod(lambda _c: self.appctl("revalidator/wait"))

    def appctl(self, args):
        return self.lab.run(f"ovs-appctl --target={self.run_dir}/vs.ctl {args}", check=False)

    def vsctl(self, args, check=True):
        return self.lab.run(f"ovs-vsctl --timeout=10 --db={self.db} {args}", ns=self.ns, check=check, env=self.env)

    def set_controllers(self, targets, fail="secure", probe_ms=5000, backoff_ms=1000, protocols=None):
        protocols = protocols or ALL_PROTOCOLS
        self.vsctl(f"set-fail-mode br0 {fail} -- set Bridge br0 protocols={protocols} -- " +
                   (f"set-controller br0 {' '.join(targets)}" if targets else "del-controller br0"))
        for c in self.vsctl("--bare --columns=_uuid list Controller").stdout.split():
            self.vsctl(f"set Controller {c} inactivity_probe={probe_ms} max_backoff={backoff_ms}")

    def set_tls(self, key, cert, ca):
        self.vsctl(f"set-ssl {key} {cert} {ca}")

    def connected(self):
        return "true" in self.vsctl("--bare --columns=is_connected list Controller").stdout


class WeftSwitch(Switch):
    kind = "weft"

    def boot(self):
        self.d = self.lab.weftd(self.name, ns=self.ns)
        self.run_dir = self.d.run_dir
        self.d.ctl(f"bridge add br0 fail-mode=secure protocols={ALL_PROTOCOLS}")
        for h in self.hosts:
            self.d.ctl(f"port add br0 p{h.n} type=netdev")
        wait_for("the bridge's socket", lambda: os.path.exists(self.mgmt), 10)
        wait_for("ports up", lambda: "state: LINK_DOWN" not in self.ofctl("show BR").stdout.replace("     ", " "), 10)

    def set_controllers(self, targets, fail="secure", probe_ms=5000, backoff_ms=1000, protocols=None):
        self.d.ctl(["bridge", "set", "br0", f"fail-mode={fail}", f"inactivity-probe={probe_ms}", f"max-backoff={backoff_ms}",
                    f"protocols={protocols or ALL_PROTOCOLS}", "controllers=" + ",".join(targets)])

    def set_tls(self, key, cert, ca):
        self.d.ctl(["bridge", "set", "br0", f"private-key={key}", f"certificate={cert}", f"ca-cert={ca}"])

    def connected(self):
        return any(c["connected"] and c["configured"] for b in self.d.ctl_json("controller show")["bridges"]
                   for c in b["connections"])


def switch(lab, name, n_hosts=2, stack=True):
    kind = os.environ.get("WEFT_INTEROP_SWITCH", "weft")
    return {"weft": WeftSwitch, "ovs": OvsSwitch}[kind](lab, name, n_hosts, stack)


class Cases:
    """Runs the functions of a test one after the other: each is a test of its own, and its docstring says which.

    A function that raises (an assert, a LabError) has failed; the others run all the same."""

    def __init__(self, lab, sw):
        self.lab, self.sw = lab, sw

    def run(self, cases, *args):
        chosen = sys.argv[1:]
        for case in cases:
            if chosen and not any(c in case.__name__ for c in chosen):
                continue
            what = (case.__doc__ or case.__name__.replace("_", " ")).strip().split("\n")[0].rstrip(".")
            began = time.monotonic()
            try:
                skip = case(self.sw, *args)
            except NotImplementedError:
                raise
            except (AssertionError, LabError, OSError, EOFError, subprocess.TimeoutExpired, struct.error, ValueError,
                    KeyError, IndexError, TypeError, AttributeError) as e:
                tb = e.__traceback__
                while tb.tb_next and not tb.tb_frame.f_code.co_name == case.__name__:
                    tb = tb.tb_next
                self.lab.ok(False, what, f"{case.__name__}, line {tb.tb_lineno}: {type(e).__name__}: {e}")
            else:
                if isinstance(skip, str):
                    self.lab.skip(what, skip)
                else:
                    self.lab.ok(True, what)
            took = time.monotonic() - began
            if took > 3:
                self.lab.diag(f"{case.__name__}: {took:.1f} s")
