# SPDX-License-Identifier: Apache-2.0
"""The demo itself; scripts/demo has installed and built everything and starts this.

      10.0.0.1   10.0.0.3                                 10.0.0.2   10.0.0.4
         a1         a2   guests (QEMU, virtio-net)           b1         b2
         |          |                                        |          |
       VLAN 10   trunk 20   vhost-user                     VLAN 10   trunk 20
         |          |                                        |          |
         +-- br0 ---+   weftd, namespace weft-hv1            +-- br0 ---+   weftd, namespace weft-hv2
              |                                                   |
             vx0 - - - - - - - - - VXLAN, VNI 5000 - - - - - - - vx0
              |                                                   |
          172.16.0.1 ============ veth pair "wire" ========== 172.16.0.2"""
import os
import re
import selectors
import shutil
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "e2e"))
from lab import GuestShell, Lab, LabError, Weftd, agent_run, clean, cpus, kvm_works, wait_for     # noqa: E402

NAME = "demo"
STATE = f"/run/weft-{NAME}"
TTY = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

DRAWING = """
     host hv1 (namespace weft-hv1)              host hv2 (namespace weft-hv2)
   +----------+      +----------+             +----------+      +----------+
   | guest a1 |      | guest a2 |             | guest b1 |      | guest b2 |
   | 10.0.0.1 |      | 10.0.0.3 |             | 10.0.0.2 |      | 10.0.0.4 |
   |          |      | eth0.20  |             |          |      | eth0.20  |
   +----+-----+      +----+-----+             +----+-----+      +----+-----+
        | vhost-user      | vhost-user             | vhost-user      |
     VLAN 10           trunk: 20                VLAN 10           trunk: 20
   +----+-----------------+-----+             +----+-----------------+-----+
   |    br0             weftd   |             |    br0             weftd   |
   |    vx0                     |             |    vx0                     |
   +----+-----------------------+             +----+-----------------------+
        |  172.16.0.1      VXLAN, VNI 5000         |  172.16.0.2
        +==========================================+
                     the wire (veth, MTU 1600)
"""


def paint(code, text):
    return f"\033[{code}m{text}\033[0m" if TTY else text


def say(text):
    print(paint("1", "==>") + " " + text, flush=True)


def relay(path, host, port):
    """Carries bytes between a unix socket and a TCP server: the hosts of the demo live in namespaces of their own, which
    reach nothing but each other, and the file system."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(8)
    sel = selectors.DefaultSelector()
    sel.register(listener, selectors.EVENT_READ, None)
    while True:
        for key, _ in sel.select():
            if key.data is None:
                near = listener.accept()[0]
                try:
                    far = socket.create_connection((host, port), 5)
                except OSError as e:
                    print(f"{host}:{port}: {e}", flush=True)
                    near.close()
                    continue
                far.settimeout(None)
                sel.register(near, selectors.EVENT_READ, (near, far))
                sel.register(far, selectors.EVENT_READ, (far, near))
                continue
            a, b = key.data
            try:
                data = a.recv(65536)
                if data:
                    b.sendall(data)
                    continue
            except OSError:
                pass
            for s in (a, b):
                sel.unregister(s)
                s.close()
            break       # The other one may be among those that are ready.


class Demo:
    def __init__(self, lab, short, controller):
        self.lab, self.short, self.controller = lab, short, controller
        self.results = []
        self.hosts, self.guests = {}, {}
        self.step = ""

    def begin(self, text):
        self.step = text
        say(text)

    def result(self, what, good, seen):
        self.results.append((what, good, seen))
        print(f"    {paint('32', 'ok  ') if good else paint('31', 'FAIL')}  {what}: {seen}", flush=True)

    # --- what is built -------------------------------------------------------------------------

    def network(self):
        self.begin("network: namespaces weft-hv1 and weft-hv2, joined by a veth wire")
        hv = [self.lab.netns("hv1"), self.lab.netns("hv2")]
        self.lab.veth(hv[0], "wire", hv[1], "wire", mtu=1600)
        for i, ns in enumerate(hv, 1):
            self.lab.ip(ns, f"addr add 172.16.0.{i}/24 dev wire")

    def switches(self):
        cpu = cpus()
        for i, host in enumerate(("hv1", "hv2")):
            self.begin(f"weftd on {host}: one polling thread on CPU {cpu[i % len(cpu)]}")
            self.hosts[host] = self.lab.weftd(host, ns=f"weft-{host}", cpu=cpu[i % len(cpu)])
        for host, letter, peer in (("hv1", "a", "172.16.0.2"), ("hv2", "b", "172.16.0.1")):
            self.begin(f"configuring {host}")
            for cmd in ("bridge add br0",
                        f"port add br0 {letter}1 type=vhost-user tag=10",
                        f"port add br0 {letter}2 type=vhost-user trunks=20",
                        f"tunnel add br0 vx0 type=vxlan vni=5000 remote={peer}"):
                print(f"    weftctl {cmd}", flush=True)
                self.hosts[host].ctl(cmd)

    def target(self):
        """Starts what is needed to reach the controller; returns what weftd connects to."""
        path = os.path.join(self.lab.state, "controller.sock")
        scheme, _, rest = self.controller.partition(":")
        if scheme == "unix":
            return self.controller
        if scheme == "tcp":
            host, _, port = rest.rpartition(":")
            self.begin(f"controller: {self.controller}, reached through {path}")
            self.lab.spawn("relay", [sys.executable, os.path.abspath(__file__), "--relay", path, host.strip("[]"), port])
        else:
            if not shutil.which(scheme):
                raise LabError(f"{scheme} is not installed: apt install openvswitch-testcontroller")
            self.begin(f"controller: {scheme}, a learning switch, at {path}")
            self.lab.spawn(scheme, [scheme, f"punix:{path}", f"--unixctl={self.lab.state}/controller.ctl"])
        wait_for("the controller's socket", lambda: os.path.exists(path))
        return f"unix:{path}"

    def control(self):
        if not self.controller:
            return
        target = self.target()
        for host in self.hosts:
            cmd = f"controller set br0 {target} --fail-mode secure"
            print(f"    {host}: weftctl {cmd}", flush=True)
            self.hosts[host].ctl(cmd)
        for host, weftd in self.hosts.items():
            self.step = f"{host}: connecting to the controller"

            def conn(weftd=weftd):
                rows = weftd.ctl_json("controller show br0")["bridges"][0]["connections"]
                return [c for c in rows if c["target"] == target][0]

            try:
                wait_for(f"{host}: connected to {self.controller}", lambda conn=conn: conn()["connected"], 20)
            except LabError as e:
                raise LabError(f"{e}: {conn().get('last_error', conn()['state'])}") from e
            print(f"    {host}: connected, {conn()['version']}", flush=True)

    def boot(self):
        how = "with KVM" if kvm_works() else "without KVM, which does not run guests here"
        self.begin(f"booting four guests: Linux in QEMU, {how}; virtio-net over vhost-user")
        for i, (name, host) in enumerate((("a1", "hv1"), ("b1", "hv2"), ("a2", "hv1"), ("b2", "hv2")), 1):
            self.guests[name] = self.lab.guest(name, self.hosts[host].sock(name), ip=f"10.0.0.{i}/24",
                                               vlan=20 if name.endswith("2") else None)
        for name, guest in self.guests.items():
            self.step = f"booting guest {name}"
            guest.wait(120)
            print(f"    {name}: up after {guest.boot_s:.1f} s", flush=True)

    # --- what is checked -----------------------------------------------------------------------

    def reach(self, a, b, what, size=56):
        self.step = f"ping {a} -> {b}"
        dst = self.guests[b].ip.split("/")[0]
        # The very first packet meets unresolved neighbours on both hosts; that is not what is measured.
        self.guests[a].ping(dst, 1, size, wait=5)
        n = 3 if self.short else 10
        got, ms = self.guests[a].ping(dst, n, size)
        self.result(f"{a} -> {b}  {what}", got == n, f"{got} of {n} answers" + (f", {ms:.2f} ms" if ms else ""))

    def isolated(self, a, b, what):
        self.step = f"ping {a} -> {b}, which must not work"
        got, _ = self.guests[a].ping(self.guests[b].ip.split("/")[0], 2, wait=1)
        self.result(f"{a} -x- {b}  {what}", got == 0, "no answer, as it must be" if got == 0 else
                    f"{got} answers: the VLANs leak")

    def copy(self, a, b):
        seconds = 2 if self.short else 5
        self.step = f"TCP {a} -> {b}"
        self.guests[b].sh("iperf3 -s -1 -D >/dev/null 2>&1; sleep 0.5")
        _, out = self.guests[a].sh(f"iperf3 -c {self.guests[b].ip.split('/')[0]} -t {seconds} -f m 2>&1", seconds + 30)
        m = re.search(r"([0-9.]+) MBytes +([0-9.]+) Mbits/sec +receiver", out)
        self.result(f"{a} -> {b}  TCP copy across the overlay", bool(m) and float(m.group(2)) > 1,
                    f"{m.group(1)} MB at {m.group(2)} Mbit/s" if m else out.strip().split("\n")[-1])

    def checks(self):
        self.begin("checking")
        self.reach("a1", "b1", "VLAN 10, across the wire")
        self.reach("a2", "b2", "VLAN 20, tagged by the guests")
        self.reach("a1", "b1", "full-sized packets (1500 bytes)", size=1472)
        if not self.controller:
            self.isolated("a1", "a2", "same host, other VLAN")
            self.isolated("a1", "b2", "other host, other VLAN")
        else:
            # Who may talk to whom is the controller's business then; that it was asked is ours.
            for host, weftd in self.hosts.items():
                n = len(weftd.ctl_json("flow table dump br0")["flows"])
                self.result(f"{host}: rules of the controller", n > 0, f"{n} rules")
        self.copy("a1", "b1")
        if not self.short:
            self.copy("a2", "b2")

    # --- what is shown -------------------------------------------------------------------------

    def report(self, kept):
        print(DRAWING)
        wide = max(len(r[0]) for r in self.results)
        print(f"  {'check'.ljust(wide)}  result\n  {'-' * wide}  {'-' * 40}")
        for what, good, seen in self.results:
            print(f"  {what.ljust(wide)}  {paint('32', 'ok') if good else paint('31', 'FAIL')}  {seen}")
        # Shown as it is, colours included when this is a terminal.
        tool = os.path.relpath(Weftd.program("weftctl")) if os.path.isabs(Weftd.program("weftctl")) else "weftctl"
        run = self.hosts["hv1"].run_dir
        print(f"\n$ {tool} --run-dir {run} show")
        print(self.hosts["hv1"].ctl("show").stdout.rstrip())
        if self.controller:
            print(f"\n$ {tool} --run-dir {run} controller show")
            print(self.hosts["hv1"].ctl("controller show").stdout.rstrip())
            print(f"\n$ {tool} --run-dir {run} flow table dump br0 | head -5")
            print("\n".join(self.hosts["hv1"].ctl("flow table dump br0").stdout.split("\n")[:5]))
        print(f"\n  Look around{' (with --keep it stays up)' if not kept else ''}:")
        for cmd in ("show", "mac show br0", "flow dump", "stats", "export", "--help"):
            print(f"    {tool} --run-dir {run} {cmd}")
        demo = os.path.relpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "demo"))
        print(f"    ip netns exec weft-hv1 tcpdump -ni wire udp port 4789\n"
              f"    sudo {demo} --exec a1 ping -c 3 10.0.0.2      (a command in a guest)")
        print("  The other host: the same with hv2." + (f"  To end it: sudo {demo} --stop" if kept else ""))


def run(keep, short, controller):
    lab = Lab(NAME, quiet=True)
    demo = Demo(lab, short, controller)
    try:
        with lab:
            demo.network()
            demo.switches()
            demo.control()
            demo.boot()
            demo.checks()
            demo.step = "report"
            demo.report(keep)
            lab.keep = keep
    except (LabError, OSError, ValueError) as e:
        print(f"\n{paint('31', 'failed')} at: {demo.step}\n{e}\nlogs: {lab.logs}", file=sys.stderr)
        return 1
    except SystemExit as e:
        print(f"\ninterrupted at: {demo.step}\nEverything was removed again; logs: {lab.logs}", file=sys.stderr)
        return e.code
    bad = [r for r in demo.results if not r[1]]
    print()
    if bad:
        print(f"{paint('31', 'failed')}: " + "; ".join(r[0] for r in bad) + f"\nlogs: {lab.logs}", file=sys.stderr)
        return 1
    print(f"All {len(demo.results)} checks passed." + (" Everything was removed again." if not keep else ""))
    return 0


def main():
    args = sys.argv[1:]
    if args[:1] == ["--stop"]:
        print("stopped" if clean(STATE) else "nothing was running")
        return 0
    if args[:1] == ["--exec"]:
        try:
            rc, out = agent_run(GuestShell(args[1], os.path.join(STATE, f"guest-{args[1]}.agent")), " ".join(args[2:]), 300)
        except LabError as e:
            print(f"{e}\nstart the demo first: sudo scripts/demo --keep", file=sys.stderr)
            return 1
        print(out)
        return rc
    if args[:1] == ["--relay"]:
        relay(args[1], args[2], int(args[3]))
        return 0
    return run("--keep" in args, "--short" in args, args[args.index("--controller") + 1] if "--controller" in args else "")


if __name__ == "__main__":
    sys.exit(main())
