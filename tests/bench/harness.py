# SPDX-License-Identifier: Apache-2.0
"""What the benches beside other switches share: the load generator and the adapters of ../shared/bench (or
$WEFT_SHARED/bench), weftd as one more switch, and the figure of one measurement.  Not a program."""
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
SHARED = os.environ.get("WEFT_SHARED", os.path.join(TOP, "..", "shared"))
SPLIT = "queue_size=1024,packed_vq=0,mrg_rxbuf=0,in_order=1"
BUILD = os.environ.get("WEFT_BUILD", os.path.join(TOP, "build"))
HUGE = "/proc/sys/vm/nr_hugepages"


# What the generator of the baselines lacks: frames of 64 bytes from a file (a stream's table=FILE), streams whose
# latency does not count (stamp=0), and tunnel packets from many hosts (osips=N).
FLOWGEN = (
    ("    int rewrite;   ", "    const uint8_t *tab; int nostamp; uint32_t osips;\n    int rewrite;   "),
    ("        if (K(\"port\")) s->port = atoi(v);\n", """        if (K("port")) s->port = atoi(v);
        else if (K("stamp")) s->nostamp = !atoi(v);
        else if (K("osips")) s->osips = strtoul(v, 0, 0);
        else if (K("table")) {
            int fd = open(v, O_RDONLY); off_t len = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
            if (len < 64) die("table");
            s->tab = mmap(0, len, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0); s->flows = len / 64; close(fd);
            if (s->tab == MAP_FAILED) die("table mmap");
        }
"""),
    ("    uint8_t *p = frame + s->in_off; struct ip4 *ip",
     "    if (s->tab) { memcpy(frame + s->in_off, s->tab + 64ul * i, 64); return; }\n"
     "    uint8_t *p = frame + s->in_off; struct ip4 *ip"),
    ("s->oipsum_base = ipbase(s->tmpl + 14, 1);", "s->oipsum_base = ipbase(s->tmpl + 14, s->osips < 2);"),
    ("        o->csum = fold(s->oipsum_base + o->len);\n",
     "        if (s->osips > 1) o->src = htonl(s->osip + i % s->osips);\n"
     "        o->csum = fold(s->oipsum_base + o->len + (s->osips > 1 ? (o->src & 0xffff) + (o->src >> 16) + (o->dst & 0xffff) + (o->dst >> 16) : 0));\n"),
    ("            if (latency) {\n                struct stamp *t", "            if (latency && !s->nostamp) {\n                struct stamp *t"),
)


def load_harness(work):
    """The harness writes beside itself, so it runs from a copy; that is kept with the build, so that it is compiled once."""
    if not os.path.isdir(os.path.join(SHARED, "bench")):
        sys.exit(f"no {SHARED}/bench: say in WEFT_SHARED where it is")
    bench = os.path.join(BUILD, "tests", "bench", "harness")
    os.makedirs(bench, exist_ok=True)
    for name in os.listdir(os.path.join(SHARED, "bench")):
        at = os.path.join(SHARED, "bench", name)
        if not os.path.isfile(at) or not name.endswith((".c", ".py", "Makefile")):
            continue
        with open(at) as f:
            text = f.read()
        for old, new in FLOWGEN if name == "flowgen.c" else ():
            if text.count(old) != 1:
                raise RuntimeError(f"flowgen.c is not the one that is known here: {old.strip()}")
            text = text.replace(old, new)
        to = os.path.join(bench, name)
        if not os.path.exists(to) or open(to).read() != text:
            with open(to, "w") as f:
                f.write(text)
    subprocess.run(["make", "-s", "-C", bench], check=True)
    os.environ.update(BENCH_RUN=os.path.join(work, "run"), BENCH_RESULTS=os.path.join(work, "results.jsonl"))
    sys.path.insert(0, bench)
    sys.dont_write_bytecode = True
    import lib
    generate = lib.gen

    def gen(*args, **kw):
        """Debian's virtio_user sometimes (one start in a hundred) trips over itself while it sets up its queues."""
        try:
            return generate(*args, **kw)
        except RuntimeError as e:
            print(f"again, since the generator did not start: {e}", file=sys.stderr)
            time.sleep(1)
            return generate(*args, **kw)

    lib.gen = gen
    return lib


def distance(lib):
    """Cycles that a word takes from the switch's CPU to the generator's and back, while neither does anything."""
    out = subprocess.run([os.path.join(BUILD, "tests", "bench", "distance"), str(lib.SW_CORE), str(lib.GEN_CORE)],
                         check=True, text=True, capture_output=True, timeout=10).stdout
    return int(out)


def make_weft(lib):
    class Weft:
        """weftd on the switch core: with vhost-user ports on one learning bridge, or with 'bridges' as the document has them,
        whose vhost-user ports are v1, v2, ... of 'ports'.  'netns': where it runs."""
        name = "weft"

        def __init__(self, tag="w", options=(), settings=None, ports=2, idle=0, bridges=None, netns=None):
            self.d = os.path.join(lib.RUN, "weft" + tag)
            shutil.rmtree(self.d, ignore_errors=True)
            os.makedirs(os.path.join(self.d, "conf"))
            os.makedirs(os.path.join(self.d, "run"))
            guests = [f"v{i + 1}" for i in range(ports)]
            names = guests + [f"idle{i}" for i in range(idle)]
            if not bridges:
                bridges = {"br0": {"ports": {v: {"type": "vhost-user"} for v in names}}}
            for b in bridges.values():
                for v, conf in b["ports"].items():
                    if conf["type"] == "vhost-user":
                        conf.update(mode="server", socket=os.path.join(self.d, v))
            with open(os.path.join(self.d, "conf", "weft.json"), "w") as f:
                json.dump({"version": 1, "datapath": {"poll": "always", **(settings or {})}, "bridges": bridges}, f)
            inside = ["ip", "netns", "exec", netns] if netns else []
            self.p = lib.spawn([*inside, os.path.join(BUILD, "ctl", "weftd"), "--config-dir", os.path.join(self.d, "conf"),
                                "--run-dir", os.path.join(self.d, "run"), "--state-dir", self.d,
                                "--lcores", str(lib.SW_CORE), *options], lib.SW_CORE, os.path.join(self.d, "log"))
            self.socks = [os.path.join(self.d, v) for v in guests]
            self.idlers = []
            for _ in range(100):
                if all(os.path.exists(os.path.join(self.d, v)) for v in names):
                    break
                if self.p.poll() is not None:
                    raise RuntimeError("weftd: " + open(os.path.join(self.d, "log")).read())
                time.sleep(0.1)
            if idle:
                self.connect_idlers(names[ports:])

        def connect_idlers(self, names):
            """Guests that have set up their rings and do nothing: stopped testpmds, of 32 ports at most each."""
            for at in range(0, len(names), 32):
                vdevs = [x for i, v in enumerate(names[at:at + 32])
                         for x in ("--vdev", f"net_virtio_user{i},path={os.path.join(self.d, v)},queues=1,queue_size=256")]
                self.idlers.append(lib.spawn(
                    ["dpdk-testpmd", "--lcores", f"0@{lib.GEN_CORE},1@{lib.GEN_CORE}", "--no-pci", "--file-prefix", f"idlers{at}",
                     "-m", "256", "--single-file-segments", *vdevs, "--", "-i", "--total-num-mbufs=20000", "--rxd=256", "--txd=256"],
                    lib.GEN_CORE, os.path.join(self.d, f"idlers{at}.log"), stdin=subprocess.PIPE))
            for _ in range(300):
                ports = [p for b in json.loads(self.ctl("show"))["bridges"] for p in b["ports"] if p["name"] in names]
                if len(ports) == len(names) and all(p["up"] for p in ports):
                    break
                if any(p.poll() is not None for p in self.idlers):
                    raise RuntimeError("idle guests: " + open(os.path.join(self.d, "idlers0.log")).read()[-2000:])
                time.sleep(0.2)
            else:
                raise RuntimeError("idle guests: not all ports are up: " + open(os.path.join(self.d, "idlers0.log")).read()[-2000:])
            for p in self.idlers:
                os.kill(p.pid, lib.signal.SIGSTOP)

        def ctl(self, *args):
            return subprocess.run([os.path.join(BUILD, "ctl", "weftctl"), "--run-dir", os.path.join(self.d, "run"), "--json", *args],
                                  check=True, text=True, capture_output=True).stdout

        def pids(self):
            return [self.p.pid]

        def pause(self):
            os.kill(self.p.pid, lib.signal.SIGSTOP)

        def resume(self):
            os.kill(self.p.pid, lib.signal.SIGCONT)

        def watch(self):
            return lib.watch_all(self.p.pid, lambda n: n.startswith("pmd"))

        def ask(self, method, **params):
            """A call without a process of its own: what asks while packets run must cost nothing."""
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(10)
                s.connect(os.path.join(self.d, "run", "weftd.sock"))
                s.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n")
                buf = b""
                while not buf.endswith(b"\n"):
                    part = s.recv(1 << 20)
                    if not part:
                        raise OSError("weftd has gone")
                    buf += part
            return json.loads(buf)["result"]

        def pmd(self):
            """Counters of the polling thread; None while weftd cannot be asked."""
            try:
                return self.ask("stats", what="pmd")
            except (OSError, KeyError, ValueError):
                return None

        def stop(self):
            for p in self.idlers:
                os.kill(p.pid, lib.signal.SIGKILL)
            lib.stop_pid(self.p)

    return Weft


@contextlib.contextmanager
def session(mb):
    """The harness, with hugepages for 'mb' MiB, for as long as the block lasts; then all as it was."""
    if os.geteuid():
        sys.exit("needs root (hugepages, network namespaces)")
    work = tempfile.mkdtemp(prefix="weft-bench-")
    with open(HUGE) as f:
        reserved = int(f.read())
    mounted = os.path.ismount("/dev/hugepages")
    lib = None
    try:
        lib = load_harness(work)
        lib.hugepages(reserved + mb // 2)
        yield lib, work
    finally:
        for p in lib._bg if lib else ():
            lib.stop_pid(p)
        with open(HUGE, "w") as f:
            f.write(str(reserved))
        if not mounted:
            subprocess.run(["umount", "/dev/hugepages"], check=False)
        shutil.rmtree(work, ignore_errors=True)


class Sampled:
    """The polling thread's counters, read every so often while a block runs."""
    EVERY = 0.5

    def __init__(self, sw):
        self.sw, self.seen, self.end = sw, [], threading.Event()
        self.t = threading.Thread(target=self.run)

    def run(self):
        while not self.end.wait(self.EVERY):
            st = self.sw.pmd()
            if st:
                self.seen.append((time.monotonic(), st["pmd"][0]))

    def __enter__(self):
        self.t.start()
        return self

    def __exit__(self, *_):
        self.end.set()
        self.t.join()

    def steady(self, last):
        """Busy cycles of a packet and which share of packets each tier answered, in the last seconds with traffic."""
        s = [x for i, x in enumerate(self.seen) if i and x[1]["packets"] > self.seen[i - 1][1]["packets"]]
        s = [x for x in s if x[0] >= s[-1][0] - last]
        if len(s) < 2:
            return None, None
        n = s[-1][1]["packets"] - s[0][1]["packets"]
        return ((s[-1][1]["busy_cycles"] - s[0][1]["busy_cycles"]) / n,
                {k: (s[-1][1][k] - s[0][1][k]) / n for k in ("hint_hits", "mega_hits", "upcalls")})


def measure(lib, sw, stream, rings=None, slices=8, warmup=0.5, slow=False):
    """One switch with one stream; it is stopped before and after.  'slow': below what it can do, to time packets."""
    lib.VQ = rings or SPLIT
    sw.resume()
    time.sleep(0.2)
    cycles = tiers = None
    with Sampled(sw) if hasattr(sw, "pmd") else contextlib.nullcontext() as counters:
        g = lib.gen(sw.socks, stream, sw.watch(), clean=slices, duration=slices, warmup=warmup, latency=slow)
    if counters:
        # What the first packets of a million flows take is another matter.
        cycles, tiers = counters.steady(max(slices / 4, 1.1))
    sw.pause()
    s = lib.summary(g["rows"], saturating=not slow)
    return {"lat": next((r["lat_us"] for r in g["rows"] if "lat_us" in r), None),
            "mpps": s["s_med"], "p90": s["s_p90"], "lost": (g["total"] or {}).get("lost"), "cycles": cycles, "tiers": tiers,
            "rows": g["rows"], "sent": s["tx_med"], "full": g["rows"][-1]["tx_full"] / max(g["rows"][-1]["loops"], 1)}


def quiet(lib, rounds):
    """The quiet-slice method: the median over all rounds of the slices in which both cores were ours and the host
    was quiet, with their number; None when there were fewer than five."""
    s = lib.summary([row for r in rounds for row in r["rows"]])
    return (s["q_med"], s["nquiet"]) if s.get("nquiet", 0) >= 5 and s.get("q_med") else (None, s.get("nquiet", 0))
