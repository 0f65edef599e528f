# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests and the demo are made of: namespaces, wires, switches, guests, and a cleanup that
does not depend on how the run ends.

Everything a lab makes is first written to a journal in its state folder (/run/weft-NAME).  Cleaning up is
replaying that journal backwards: at the normal end, on a signal, and at the next start when the last run was
killed outright.  Processes are ended by number, and only while they are still the process that was started.

A test prints TAP (lab.ok, lab.skip) and leaves its logs in build/lab/NAME."""
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time

TOP = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
BUILD = os.environ.get("WEFT_BUILD", os.path.join(TOP, "build"))
GUEST_DIR = os.environ.get("WEFT_GUEST", os.path.join(TOP, "build", "guest"))


class LabError(Exception):
    """A step failed; the message says which one and what was seen."""


class Answers(int):
    """How many answers came; what the program that asked has printed is in 'out'."""

    def __new__(cls, n, out):
        self = super().__new__(cls, n)
        self.out = out
        return self


def start_time(pid):
    """Start time of a process in ticks, by which a recycled process number is told from the real one."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return None if fields[0] == "Z" else fields[19]
    except OSError:
        return None


def wait_for(what, predicate, timeout=10.0, step=0.05):
    """Polls until the predicate gives something true, and returns that."""
    end = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            raise LabError(f"{what}: not within {timeout:g} s")
        time.sleep(step)


def stop_pids(entries, grace=5.0):
    """Ends processes given as (pid, start time): TERM, a while, KILL."""
    alive = [(p, s) for p, s in entries if start_time(p) == s]
    for sig, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 2.0)):
        for pid, _ in alive:
            try:
                os.kill(pid, sig)
            except ProcessLookupError:
                pass
        end = time.monotonic() + patience
        while alive and time.monotonic() < end:
            for pid, _ in alive:
                try:
                    os.waitpid(pid, os.WNOHANG)
                except ChildProcessError:
                    pass
            alive = [(p, s) for p, s in alive if start_time(p) == s]
            time.sleep(0.02)


def clean(state):
    """Undoes what the journal of a state folder lists.  Quiet when there is nothing."""
    journal = os.path.join(state, "journal")
    entries = []
    if os.path.exists(journal):
        with open(journal) as f:
            entries = [line.split() for line in f if line.strip()]
    stop_pids([(int(e[1]), e[2]) for e in reversed(entries) if e[0] == "pid"])
    for e in reversed(entries):
        if e[0] == "netns":
            subprocess.run(["ip", "netns", "del", e[1]], capture_output=True)
        elif e[0] == "link":
            subprocess.run(["ip", "link", "del", e[1]], capture_output=True)
    shutil.rmtree(state, ignore_errors=True)
    return bool(entries)


class Proc:
    """A background process with a log."""

    def __init__(self, popen, name, log):
        self.popen, self.name, self.log = popen, name, log
        self.pid = popen.pid
        self.started = start_time(popen.pid)

    def alive(self):
        return self.popen.poll() is None

    def kill(self, sig=signal.SIGKILL, timeout=10):
        if self.alive():
            self.popen.send_signal(sig)
        return self.popen.wait(timeout)

    def stop(self, grace=5.0):
        if self.alive():
            self.popen.terminate()
            try:
                return self.popen.wait(grace)
            except subprocess.TimeoutExpired:
                self.popen.kill()
        return self.popen.wait()

    def tail(self, n=15):
        with open(self.log, errors="replace") as f:
            return "".join(f.readlines()[-n:])

    def cpu_seconds(self):
        with open(f"/proc/{self.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Lab:
    def __init__(self, name, quiet=False):
        self.name, self.quiet = name, quiet
        self.state = f"/run/weft-{name}"
        self.logs = os.path.join(BUILD, "lab", name)
        self.n_ok = self.n_failed = self.n_skipped = 0
        self.keep = False
        self.processes = []

    # --- life ----------------------------------------------------------------------------------

    def __enter__(self):
        if os.geteuid() != 0:
            print("1..0 # SKIP needs root")
            sys.exit(0)
        for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(s, lambda n, _: sys.exit(128 + n))
        clean(self.state)
        os.makedirs(self.state)
        shutil.rmtree(self.logs, ignore_errors=True)
        os.makedirs(self.logs)
        return self

    def __exit__(self, kind, value, _tb):
        # A second signal must not interrupt the cleanup of the first.
        for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(s, signal.SIG_IGN)
        # First of all: what follows prints, and a reader who is gone must not keep it from happening.
        if not self.keep or kind is not None:
            clean(self.state)
        if kind is not None and not issubclass(kind, (SystemExit, KeyboardInterrupt)) and not self.quiet:
            self.ok(False, "runs to its end", value)
            for p in self.processes:
                if "weftd" in p.name:
                    self.diag(f"end of {p.log}:\n{p.tail()}")
        if not self.quiet:
            n = self.n_ok + self.n_failed + self.n_skipped
            print(f"1..{n}", flush=True)
            if self.n_failed:
                self.diag(f"logs are in {self.logs}")
            if kind is None or not issubclass(kind, (SystemExit, KeyboardInterrupt)):
                sys.stdout.flush()
                os._exit(1 if self.n_failed else 0)
        return False

    def journal(self, *words):
        with open(os.path.join(self.state, "journal"), "a") as f:
            f.write(" ".join(str(w) for w in words) + "\n")

    # --- reporting -----------------------------------------------------------------------------

    def diag(self, text):
        for line in str(text).rstrip("\n").split("\n"):
            print(f"# {line}", flush=True)

    def ok(self, good, what, why=None):
        if good:
            self.n_ok += 1
        else:
            self.n_failed += 1
        n = self.n_ok + self.n_failed + self.n_skipped
        print(f"{'ok' if good else 'not ok'} {n} - {self.name}: {what}", flush=True)
        if not good and why is not None:
            self.diag(why)
        return bool(good)

    def skip(self, what, reason):
        self.n_skipped += 1
        n = self.n_ok + self.n_failed + self.n_skipped
        print(f"ok {n} - {self.name}: {what} # SKIP {reason}", flush=True)

    # --- commands and processes ----------------------------------------------------------------

    def run(self, cmd, ns=None, check=True, timeout=60, **kw):
        """Runs a command to its end and gives the CompletedProcess, output as text."""
        argv = shlex.split(cmd) if isinstance(cmd, str) else list(cmd)
        if ns:
            argv = ["ip", "netns", "exec", ns] + argv
        try:
            p = subprocess.run(argv, text=True, capture_output=True, timeout=timeout, stdin=subprocess.DEVNULL, **kw)
        except subprocess.TimeoutExpired as e:
            raise LabError(f"{shlex.join(argv)}: not finished after {timeout} s") from e
        if check and p.returncode:
            raise LabError(f"{shlex.join(argv)}: exit {p.returncode}: {(p.stderr or p.stdout).strip()[-600:]}")
        return p

    def spawn(self, name, argv, ns=None, stdin=subprocess.DEVNULL, env=None):
        argv = list(argv)
        if ns:
            argv = ["ip", "netns", "exec", ns] + argv
        log = os.path.join(self.logs, name + ".log")
        with open(log, "ab") as out:
            out.write(f"$ {shlex.join(argv)}\n".encode())
            out.flush()
            popen = subprocess.Popen(argv, stdout=out, stderr=subprocess.STDOUT, stdin=stdin,
                                     start_new_session=True, env=env)
        p = Proc(popen, name, log)
        self.journal("pid", p.pid, p.started, name)
        self.processes.append(p)
        return p

    # --- networks ------------------------------------------------------------------------------

    def netns(self, name):
        name = f"weft-{name}"
        # One that a run without a journal left behind would make every later run fail.
        subprocess.run(["ip", "netns", "del", name], capture_output=True)
        self.journal("netns", name)
        self.run(["ip", "netns", "add", name])
        self.run("ip link set lo up", ns=name)
        # Router solicitations and DAD would only blur what the tests count.
        for key in ("all", "default"):
            self.run(["sysctl", "-qw", f"net.ipv6.conf.{key}.accept_dad=0",
                      f"net.ipv6.conf.{key}.router_solicitations=0"], ns=name)
        return name

    def veth(self, ns_a, a, ns_b, b, mtu=1500, offloads=False):
        """A wire between two namespaces.  Segmentation offloads off, so that frames are what a wire carries."""
        tmp = [f"wt{os.getpid() % 100000}{c}" for c in "ab"]
        self.run(["ip", "link", "add", tmp[0], "type", "veth", "peer", "name", tmp[1]])
        for t, ns, dev in ((tmp[0], ns_a, a), (tmp[1], ns_b, b)):
            self.run(["ip", "link", "set", t, "netns", ns, "name", dev])
            self.run(["ip", "link", "set", dev, "mtu", str(mtu), "up"], ns=ns)
            if not offloads:
                self.run(["ethtool", "-K", dev, "tso", "off", "gso", "off", "gro", "off", "tx", "off"],
                         ns=ns, check=False)

    def ip(self, ns, args, check=True):
        return self.run("ip " + args, ns=ns, check=check)

    def addrs(self, ns, dev, *addrs):
        """Each with its length; several may stand in one word."""
        for addr in " ".join(addrs).split():
            self.ip(ns, f"addr add {addr} dev {dev}")

    def lan(self, lan, hosts, mtu=1600, opts=""):
        """A bridge in the namespace 'lan', a wire from it to each host.  hosts: (namespace, its addresses on 'wire')."""
        self.ip(lan, f"link add lan0 type bridge {opts}")
        self.ip(lan, f"link set lan0 mtu {mtu} up")
        for n, (ns, addrs) in enumerate(hosts):
            self.veth(ns, "wire", lan, f"p{n}", mtu=mtu)
            self.ip(lan, f"link set p{n} master lan0")
            self.addrs(ns, "wire", addrs)

    def ping(self, ns, dst, count=3, size=56, opts="", every=0.2, wait=2, within=None):
        """Asks from a namespace; the number of answers.  wait: seconds for each of them; within: for all of them, and
        then it goes on asking until so many have come."""
        limit = f"-w {within}" if within else f"-W {wait}"
        p = self.run(f"ping -n -c {count} -i {every} {limit} -s {size} {opts} {dst}", ns=ns, check=False)
        m = re.search(r"(\d+) received", p.stdout)
        return Answers(m.group(1) if m else 0, p.stdout + p.stderr)

    # --- switches and guests -------------------------------------------------------------------

    def weftd(self, name, ns=None, cpu=None, extra=()):
        return Weftd(self, name, ns, cpu, extra)

    def guests_run(self):
        """Whether a guest can be started on this machine; skips what the program is for when not."""
        why = guest_ready()
        if why:
            self.skip("guests in QEMU", why)
        return not why

    def guest(self, name, sock, **kw):
        return Guest(self, name, sock, **kw)

    def booted(self, guests, timeout=90):
        """Waits for all of them, and says how long they took."""
        guests = list(guests)
        for g in guests:
            g.wait(timeout)
        self.diag(f"{len(guests)} guests booted in {max(g.boot_s for g in guests):.1f} s")
        return guests

    def vguest(self, name, sock, *options, server=True, **kw):
        return VGuest(self, name, sock, options, server, **kw)


def cpus():
    return sorted(os.sched_getaffinity(0))


class Weftd:
    """One switch with its own folders.  ctl() runs weftctl against it."""

    def __init__(self, lab, name, ns=None, cpu=None, extra=()):
        self.lab, self.name, self.ns = lab, name, ns
        self.run_dir = os.path.join(lab.state, name)
        self.config_dir = os.path.join(lab.state, name + ".conf")
        for d in (self.run_dir, self.config_dir):
            os.makedirs(d, exist_ok=True)
        self.cpu = cpus()[0] if cpu is None else cpu
        self.extra = list(extra)
        self.start_s = 0.0
        self.proc = None
        self.start()

    @staticmethod
    def program(name):
        path = os.path.join(BUILD, "ctl", name)
        return path if os.path.exists(path) else name

    def start(self):
        t = time.monotonic()
        self.proc = self.lab.spawn(f"weftd-{self.name}", [
            self.program("weftd"), "--config-dir", self.config_dir, "--run-dir", self.run_dir,
            "--lcores", str(self.cpu), *self.extra], ns=self.ns)

        def ready():
            if not self.proc.alive():
                raise LabError(f"weftd {self.name} ended with status {self.proc.popen.returncode}:\n{self.proc.tail()}")
            return self.ctl("version", check=False).returncode == 0

        wait_for(f"weftd {self.name} answering weftctl", ready, 15)
        self.start_s = time.monotonic() - t

    def ctl(self, args, check=True, timeout=20):
        argv = shlex.split(args) if isinstance(args, str) else list(args)
        return self.lab.run([self.program("weftctl"), "--run-dir", self.run_dir, *argv], ns=self.ns, check=check,
                            timeout=timeout)

    def ctl_json(self, args):
        return json.loads(self.ctl(args + " --json").stdout)

    def sock(self, port):
        """Where the socket of a vhost-user port lies."""
        return os.path.join(self.run_dir, "vhost", f"{port}.sock")

    def stop(self):
        return self.proc.stop()

    def drops(self, reason):
        """Packets dropped for a reason, all ports together."""
        return sum(d["packets"] for d in self.ctl_json("stats")["drops"] if d["reason"] == reason)

    def upcalls(self):
        return self.ctl_json("stats")["cache"]["upcalls"]

    def mbufs_in_use(self):
        return self.ctl_json("stats")["memory"]["mbufs_in_use"]

    def lost_no_buffer(self, before):
        """Tells whether as many are in use as before, once those who had some have gone."""
        try:
            wait_for("buffers", lambda: self.mbufs_in_use() <= before + 32, 5)
        except LabError:
            pass
        now = self.mbufs_in_use()
        self.lab.ok(now <= before + 32, "no packet buffer is lost", f"{before} in use before, {now} after")

    def rss_mb(self):
        with open(f"/proc/{self.proc.pid}/status") as f:
            return sum(int(line.split()[1]) for line in f if line.startswith("RssAnon:")) / 1024


def kvm_works():
    """The verdict of scripts/lib.sh, asked once."""
    verdict = os.environ.get("WEFT_KVM")
    if verdict is None:
        p = subprocess.run(["bash", "-c", f". {shlex.quote(TOP)}/scripts/lib.sh; kvm_works"], capture_output=True)
        verdict = os.environ["WEFT_KVM"] = "0" if p.returncode else "1"
    return verdict == "1"


def tsc_khz():
    """Speed of this machine's time stamp counter, measured once; an emulated guest reads the same one."""
    khz = os.environ.get("WEFT_TSC_KHZ")
    if khz is None:
        p = subprocess.run([os.path.join(BUILD, "tests", "e2e", "traffic"), "tsc"], capture_output=True, text=True)
        khz = os.environ["WEFT_TSC_KHZ"] = str(json.loads(p.stdout)["khz"]) if p.returncode == 0 else ""
    return khz


class Guest:
    """A Linux guest in QEMU with one virtio-net device over vhost-user.

    sock: the vhost-user socket.  QEMU listens on it by default (the switch is the client), or connects
    (server=False).  sock None: a guest without a network device.
    mem: MiB.  queues: pairs that the device has; the guest begins with one.  device: further properties of it.
    incoming: it waits to be migrated here, as QEMU writes addresses; it is not to run at once when it has come.
    reboot: it may."""

    def __init__(self, lab, name, sock, ip="", mac=None, vlan=None, mtu=None, mem=192, server=True, device="", queues=1,
                 incoming=None, reboot=False, cpus=1):
        self.lab, self.name, self.ip, self.vlan = lab, name, ip, vlan
        self.qmp_path = os.path.join(lab.state, f"guest-{name}.qmp")
        self.qmp_file = None
        self.events = []
        self.agent_path = os.path.join(lab.state, f"guest-{name}.agent")
        self.agent = None
        self.buffer = b""
        self.n = 0
        self.boot_s = None
        cmdline = ("console=ttyS0 quiet panic=-1 rdinit=/init tsc=reliable no_timer_check mitigations=off "
                   f"random.trust_cpu=on weft.name={name} weft.ip={ip}")
        # On a busy machine an emulated guest measures nonsense, and its clock runs three times too fast.
        if not kvm_works() and tsc_khz():
            cmdline += f" tsc_early_khz={tsc_khz()}"
        if vlan:
            cmdline += f" weft.vlan={vlan}"
        if mtu:
            cmdline += f" weft.mtu={mtu}"
        argv = ["qemu-system-x86_64", "-name", name, "-M", "pc,memory-backend=mem", "-m", f"{round(mem * 1024)}K",
                "-object", f"memory-backend-memfd,id=mem,size={round(mem * 1024)}K,share=on",
                "-nodefaults", "-no-user-config", "-display", "none", "-nic", "none", "-smp", str(cpus),
                "-qmp", f"unix:{self.qmp_path},server=on,wait=off",
                "-kernel", os.path.join(GUEST_DIR, "vmlinuz"), "-initrd", os.path.join(GUEST_DIR, "initrd"),
                "-append", cmdline,
                "-serial", "file:" + os.path.join(lab.logs, f"guest-{name}.console"),
                "-chardev", f"socket,id=agent,path={self.agent_path},server=on,wait=off", "-serial", "chardev:agent"]
        if incoming:
            argv += ["-incoming", incoming, "-S"]
        if not reboot:
            argv += ["-no-reboot"]
        if kvm_works():
            argv += ["-accel", "kvm", "-cpu", "host"]
        else:
            # QEMU 7.2 without KVM crashes when a vhost-user device uses MSI-X; vectors=0 is the plain interrupt.
            argv += ["-accel", "tcg,thread=single"]
            device = ",".join(filter(None, ["vectors=0", device]))
        if sock:
            mode = "server=on,wait=off" if server else "reconnect=1"
            if queues > 1:
                device = ",".join(filter(None, ["mq=on", f"vectors={2 * queues + 2}" if kvm_works() else "", device]))
            argv += ["-chardev", f"socket,id=net,path={sock},{mode}",
                     "-netdev", f"vhost-user,id=net0,chardev=net,vhostforce=on,queues={queues}",
                     "-device", f"virtio-net-pci,netdev=net0,romfile=,mac={mac or mac_of(name)}" +
                     ("," + device if device else "")]
        self.started = time.monotonic()
        self.proc = lab.spawn(f"qemu-{name}", argv)
        self.connect()

    def connect(self):
        def attempt():
            if not self.proc.alive():
                raise LabError(f"guest {self.name}: QEMU ended:\n{self.proc.tail()}")
            return agent_connect(self.agent_path)
        self.agent = wait_for(f"agent socket of guest {self.name}", attempt, 10)

    def wait(self, timeout=90):
        """Until it has booted; how long that took is in boot_s."""
        try:
            line = self._read_until(re.compile(rb"@READY ([0-9.]+)\r?\n"), timeout)
        except LabError as e:
            raise LabError(f"guest {self.name} did not boot: {e}; see "
                           f"{self.lab.logs}/guest-{self.name}.console") from e
        self.boot_s = time.monotonic() - self.started
        return float(line.group(1))

    def _read_until(self, pattern, timeout):
        end = time.monotonic() + timeout
        while True:
            m = pattern.search(self.buffer)
            if m:
                self.before = self.buffer[:m.start()]
                self.buffer = self.buffer[m.end():]
                return m
            self.agent.settimeout(max(0.01, end - time.monotonic()))
            try:
                data = self.agent.recv(65536)
            except (TimeoutError, socket.timeout) as e:
                raise LabError(f"no answer in {timeout:g} s, only {self.buffer[-200:]!r}") from e
            if not data:
                raise LabError("the guest is gone" + (f", QEMU status {self.proc.popen.wait(5)}" if self.proc else ""))
            self.buffer += data

    def sh(self, cmd, timeout=30):
        """Runs a shell command in the guest: (exit status, output)."""
        rc, out = agent_run(self, cmd, timeout)
        return rc, out

    def qmp(self, command, timeout=20, **arguments):
        """Asks QEMU itself; gives its answer.  Events that come meanwhile are kept in self.events."""
        if not self.qmp_file:
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(timeout)
            s.connect(self.qmp_path)
            self.qmp_file = s.makefile("rw")
            self.qmp_file.readline()
            self.qmp("qmp_capabilities")
        self.qmp_file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.qmp_file.flush()
        while True:
            line = self.qmp_file.readline()
            if not line:
                raise LabError(f"QEMU of guest {self.name} is gone")
            answer = json.loads(line)
            if "event" in answer:
                self.events.append(answer)
            elif "error" in answer:
                raise LabError(f"guest {self.name}: {command}: {answer['error'].get('desc')}")
            else:
                return answer["return"]

    def memory(self):
        """Its memory, as a file of this process's."""
        fds = f"/proc/{self.proc.pid}/fd"
        fd = next(fd for fd in os.listdir(fds) if "memory-backend-memfd" in os.readlink(f"{fds}/{fd}"))
        return open(f"{fds}/{fd}", "rb")

    def spawn(self, cmd, out):
        """Starts a command in the guest; what it prints goes to a file there."""
        self.sh(f"{cmd} >{out} 2>&1 & echo $! >{out}.pid")

    def result(self, out, timeout=30):
        """The JSON that a spawned command printed at its end."""
        end = time.monotonic() + timeout
        while True:
            _, text = self.sh(f"cat {out}")
            if "}" in text:
                return json.loads(text[text.index("{"):text.rindex("}") + 1])
            if time.monotonic() > end:
                raise LabError(f"guest {self.name}: nothing in {out} after {timeout} s: {text}")
            time.sleep(0.2)

    def ping(self, dst, count=3, size=56, wait=1, opts=""):
        """Number of answers, and the average round trip in ms (None without any)."""
        rc, out = self.sh(f"ping -n -c {count} -i 0.2 -W {wait} -s {size} {opts} {dst}", count * (wait + 1) + 20)
        got = len(re.findall(r"bytes from .* seq=", out))
        avg = re.search(r"min/avg/max = [0-9.]+/([0-9.]+)/", out)
        return got, float(avg.group(1)) if avg else None


def agent_connect(path):
    s = socket.socket(socket.AF_UNIX)
    try:
        s.connect(path)
        return s
    except OSError:
        s.close()
        return None


def agent_run(guest, cmd, timeout):
    guest.n += 1
    tag = f"{os.getpid() % 10000}.{guest.n}"
    guest.agent.settimeout(timeout)
    guest.agent.sendall(f"{tag} {cmd}\n".encode())
    try:
        m = guest._read_until(re.compile(rb"\r?\n?@END " + tag.encode().replace(b".", rb"\.") + rb" (\d+)\r?\n"), timeout)
    except LabError as e:
        raise LabError(f"guest {guest.name}: {cmd}: {e}") from e
    return int(m.group(1)), guest.before.decode(errors="replace").replace("\r", "").strip("\n")


class GuestShell(Guest):
    """A guest that another process started; only its agent line is used."""

    def __init__(self, name, path):     # pylint: disable=super-init-not-called
        self.name, self.n, self.buffer, self.proc = name, 0, b"", None
        self.agent = agent_connect(path)
        if not self.agent:
            raise LabError(f"no guest answers at {path}")


class VGuest:
    """tests/e2e/vguest on one vhost-user socket.  server: it listens, the switch is the client.  device: further
    properties of the virtio device."""

    def __init__(self, lab, name, sock, options, server, device=""):
        self.lab, self.name, self.sock, self.options, self.server = lab, name, sock, options, server
        self.device = device
        self.mac = mac_of(name)
        self.starts = 0
        self.proc = None
        self.start()

    def start(self):
        if self.server and os.path.exists(self.sock):
            os.unlink(self.sock)        # A listener that was killed leaves its socket behind.
        self.starts += 1
        self.out = os.path.join(self.lab.logs, f"vguest-{self.name}.{self.starts}.log")
        self.proc = self.lab.spawn(f"vguest-{self.name}.{self.starts}", [
            os.path.join(BUILD, "tests", "e2e", "vguest"), "--no-huge", "-m", "64", "--no-pci", "--no-telemetry",
            "--no-shconf", "--lcores", f"0@{','.join(map(str, cpus()))}", "--log-level", "lib.eal:4",
            f"--vdev=net_virtio_user0,path={self.sock},mac={self.mac},queues=1,queue_size=256"
            + (",server=1" if self.server else "") + ("," + self.device if self.device else ""), "--", "--mac", self.mac, *self.options])

    def _lines(self):
        with open(self.out, errors="replace") as f:
            lines = [line for line in f if line.startswith("{") and line.endswith("}\n")]
        return [json.loads(line) for line in lines]

    def ready(self, timeout=15):
        def up():
            if not self.proc.alive():
                raise LabError(f"vguest {self.name} ended:\n{self.proc.tail()}")
            return self._lines()
        wait_for(f"vguest {self.name} on {self.sock}", up, timeout)
        return self

    def now(self):
        """Its newest line of counters; zeros before the first."""
        lines = [line for line in self._lines() if "t" in line]
        return lines[-1] if lines else {"t": 0, "rx": [0], "tx": [0], "marked": 0, "gaps": 0, "returned": 0}

    def grows(self, key, by=1, timeout=8.0):
        """Waits until a counter has grown; how much it did, 0 when it stood still."""
        def value():
            v = self.now()[key]
            return v[0] if isinstance(v, list) else v
        first = value()
        try:
            wait_for(key, lambda: value() - first >= by, timeout)
        except LabError:
            return 0
        return value() - first

    def kill(self):
        self.proc.kill()


def mac_of(name):
    """A stable local address made from a name."""
    h = 0
    for c in name.encode():
        h = (h * 31 + c) & 0xffffff
    return "02:57:00:%02x:%02x:%02x" % (h >> 16, h >> 8 & 255, h & 255)


def guest_ready():
    """None, or why no guest can be started on this machine."""
    if not shutil.which("qemu-system-x86_64"):
        return "qemu-system-x86_64 is not installed"
    p = subprocess.run([os.path.join(TOP, "scripts", "guest-image"), GUEST_DIR], text=True, capture_output=True)
    return (p.stderr or p.stdout).strip().replace("\n", " ") if p.returncode else None
