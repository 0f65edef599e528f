#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Weft beside OVS-DPDK and testpmd, on one machine in one run.

usage: sudo tests/bench/compare.py [--rounds N] [--slices N] [--cases REGEX] [--json FILE]

Uses the load generator and the harness of ../shared/bench (or $WEFT_SHARED/bench).  Every switch is resident with
all of its threads on core 0 and the generator on core 1; all but one are stopped (SIGSTOP) while that one is
measured, and the rounds go through them in turn, so that noise from the host meets all alike.  A round's figure is
the median of its clean 0.25 s slices (see RESULTS.md there); ratios are taken within a round, and the median of
the rounds is printed.  Hugepages are reserved for the run and given back."""
import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TOP = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
SHARED = os.environ.get("WEFT_SHARED", os.path.join(TOP, "..", "shared"))
SPLIT = "queue_size=1024,packed_vq=0,mrg_rxbuf=0,in_order=1"
BUILD = os.environ.get("WEFT_BUILD", os.path.join(TOP, "build"))
HUGE = "/proc/sys/vm/nr_hugepages"


def load_harness(work):
    """The harness writes beside itself, so it runs from a copy."""
    bench = os.path.join(work, "bench")
    shutil.copytree(os.path.join(SHARED, "bench"), bench, symlinks=True)
    for root, dirs, files in os.walk(bench):
        for name in dirs + files:
            os.chmod(os.path.join(root, name), 0o755)
    subprocess.run(["make", "-s", "-C", bench], check=True)
    os.environ.update(BENCH_RUN=os.path.join(work, "run"), BENCH_RESULTS=os.path.join(work, "results.jsonl"))
    sys.path.insert(0, bench)
    import lib
    return lib


def make_weft(lib):
    class Weft:
        """weftd with two vhost-user ports on one learning bridge, on the switch core."""
        name = "weft"

        def __init__(self, tag="w", options=(), settings=None, idle=0):
            self.d = os.path.join(lib.RUN, "weft" + tag)
            shutil.rmtree(self.d, ignore_errors=True)
            os.makedirs(os.path.join(self.d, "conf"))
            os.makedirs(os.path.join(self.d, "run"))
            names = ["v1", "v2"] + [f"idle{i}" for i in range(idle)]
            ports = {v: {"type": "vhost-user", "mode": "server", "socket": os.path.join(self.d, v)} for v in names}
            with open(os.path.join(self.d, "conf", "weft.json"), "w") as f:
                json.dump({"version": 1, "datapath": {"poll": "always", **(settings or {})}, "bridges": {"br0": {"ports": ports}}}, f)
            self.p = lib.spawn([os.path.join(BUILD, "ctl", "weftd"), "--config-dir", os.path.join(self.d, "conf"),
                                "--run-dir", os.path.join(self.d, "run"), "--state-dir", self.d,
                                "--lcores", str(lib.SW_CORE), *options], lib.SW_CORE, os.path.join(self.d, "log"))
            self.socks = [os.path.join(self.d, v) for v in ("v1", "v2")]
            self.idlers = []
            for _ in range(100):
                if all(os.path.exists(os.path.join(self.d, v)) for v in names):
                    break
                if self.p.poll() is not None:
                    raise RuntimeError("weftd: " + open(os.path.join(self.d, "log")).read())
                time.sleep(0.1)
            if idle:
                self.connect_idlers(names[2:])

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

        def pmd(self):
            """Counters of the polling thread; None while weftd cannot be asked."""
            try:
                return json.loads(self.ctl("stats", "pmd"))
            except (OSError, subprocess.CalledProcessError):
                return None

        def stop(self):
            for p in self.idlers:
                os.kill(p.pid, lib.signal.SIGKILL)
            lib.stop_pid(self.p)

    return Weft


def one_flow(size=64):
    return [f"port=0,size={size},learn=1"]


def many(n, size=64):
    return [f"port=0,size={size},learn=1,flows={n},dist=uniform"]


MACS = ["port=0,size=64,learn=1,flows=1000,smacs=1000,dmacs=1000"]
BOTH = ["port=0,size=64,learn=1", "port=1,size=64,learn=1"]
SLOW = ["port=0,size=64,learn=1,rate=100000"]
ALL = ("testpmd", "ovs rule", "ovs NORMAL", "weft")
PACKED = "queue_size=1024,packed_vq=1,mrg_rxbuf=0,in_order=1"
# name, stream, which switches take part, rings of the generator (None: split)
CASES = [
    ("64 B, 1 flow", one_flow(), ALL, None),
    ("64 B, packed rings", one_flow(), ALL, PACKED),
    ("64 B, 1000 flows", many(1000), ALL, None),
    ("64 B, 1000 MAC pairs", MACS, ("testpmd", "ovs NORMAL", "weft"), None),
    ("64 B, both directions", BOTH, ("testpmd", "ovs NORMAL", "weft"), None),
    ("1500 B, 1 flow", one_flow(1500), ALL, None),
    ("1500 B, packed rings", one_flow(1500), ALL, PACKED),
    ("IMIX, 1 flow", one_flow("imix"), ALL, None),
    ("64 idle ports", one_flow(), ("testpmd", "weft", "weft idle"), None),
    ("latency at 100 kpps", SLOW, ALL, None),
]


def ovs(lib, rule, tag):
    o = lib.OVS(tag=tag)
    o.bridge(o.br)
    o.port(o.br, "v1", 1)
    o.port(o.br, "v2", 2)
    o.of(f"add-flow {o.br} {rule}")
    return o


def busy_cycles(weft, before, after):
    try:
        a, b = before["pmd"][0], after["pmd"][0]
        return (b["busy_cycles"] - a["busy_cycles"]) / max(b["packets"] - a["packets"], 1)
    except (KeyError, IndexError, TypeError):
        return None


def measure(lib, sw, stream, rings, slices):
    slow = stream is SLOW
    lib.VQ = rings or SPLIT
    sw.resume()
    time.sleep(0.2)
    before = sw.pmd() if hasattr(sw, "pmd") else None
    g = lib.gen(sw.socks, stream, sw.watch(), clean=slices, duration=slices, warmup=0.5, latency=slow)
    cycles = busy_cycles(sw, before, sw.pmd()) if before is not None else None
    sw.pause()
    s = lib.summary(g["rows"], saturating=not slow)
    return {"lat": next((r["lat_us"] for r in g["rows"] if "lat_us" in r), None),
            "mpps": s["s_med"], "p90": s["s_p90"], "lost": (g["total"] or {}).get("lost"), "cycles": cycles, "rows": g["rows"]}


def quiet(lib, rounds):
    """The quiet-slice method: the median over all rounds of the slices in which both cores were ours and the host
    was quiet, with their number; None when there were fewer than five."""
    s = lib.summary([row for r in rounds for row in r["rows"]])
    return (s["q_med"], s["nquiet"]) if s.get("nquiet", 0) >= 5 and s.get("q_med") else (None, s.get("nquiet", 0))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--slices", type=int, default=8, help="clean slices of 0.25 s per measurement")
    ap.add_argument("--cases", default=".", help="regular expression on case names")
    ap.add_argument("--json", help="write every figure to this file")
    args = ap.parse_args()
    if os.geteuid():
        sys.exit("compare.py: needs root (hugepages, network namespaces)")
    work = tempfile.mkdtemp(prefix="weft-bench-")
    reserved = int(open(HUGE).read())
    mounted = os.path.ismount("/dev/hugepages")
    lib = load_harness(work)
    switches, out = {}, {}
    cases = [c for c in CASES if re.search(args.cases, c[0])]
    try:
        lib.hugepages(reserved + 2560)
        print("starting the switches ...", flush=True)
        for name, make in (("testpmd", lambda: lib.Testpmd("io")),
                           ("ovs rule", lambda: ovs(lib, "in_port=1,actions=output:2", "a")),
                           ("ovs NORMAL", lambda: ovs(lib, "actions=NORMAL", "b")),
                           ("weft", make_weft(lib)),
                           ("weft idle", lambda: make_weft(lib)(tag="i", idle=64))):
            if not any(name in c[2] for c in cases):
                continue
            switches[name] = make()
            switches[name].pause()
        for case, stream, who, rings in cases:
            rows = {n: [] for n in who}
            for r in range(args.rounds):
                for n in who:
                    rows[n].append(measure(lib, switches[n], stream, rings, args.slices))
                print(f"  {case}  round {r + 1}/{args.rounds}  " +
                      "  ".join(f"{n} {rows[n][-1]['mpps']:.2f}" for n in who), flush=True)
            out[case] = rows
    finally:
        for s in switches.values():
            s.resume()
            s.stop()
        for p in lib._bg:
            lib.stop_pid(p)
        with open(HUGE, "w") as f:
            f.write(str(reserved))
        if not mounted:
            subprocess.run(["umount", "/dev/hugepages"], check=False)
        shutil.rmtree(work, ignore_errors=True)
    if args.json:
        with open(args.json, "w") as f:
            json.dump(out, f, indent=1)
    report(lib, out)


def report(lib, out):
    print(f"\n{'case':<21} {'switch':<11} {'quiet':>6} {'slices':>6} {'of testpmd':>10} {'weft is':>8}   "
          f"{'median':>6} {'of testpmd':>10} {'weft is':>8} {'cycles':>7}")
    for case, rows in out.items():
        if case.startswith("latency"):
            continue
        q = {n: quiet(lib, rs) for n, rs in rows.items()}

        def ratio(a, b):
            return f"{q[a][0] / q[b][0]:.2f}" if q[a][0] and q[b][0] else "-"

        for n, rs in rows.items():
            med = statistics.median(r["mpps"] for r in rs)
            to_limit = statistics.median(r["mpps"] / t["mpps"] for r, t in zip(rs, rows["testpmd"]))
            weft = statistics.median(w["mpps"] / r["mpps"] for r, w in zip(rs, rows["weft"]))
            cyc = [r["cycles"] for r in rs if r["cycles"]]
            print(f"{case:<21} {n:<11} {f'{q[n][0]:.2f}' if q[n][0] else '-':>6} {q[n][1]:>6} {ratio(n, 'testpmd'):>10} "
                  f"{'' if n == 'weft' else ratio('weft', n) + ' x':>8}   {med:>6.2f} {to_limit:>10.2f} "
                  f"{'' if n == 'weft' else f'{weft:.2f} x':>8} {f'{statistics.median(cyc):.0f}' if cyc else '':>7}")
            case = ""
    for case, rows in out.items():
        for n, rs in rows.items():
            lat = [r["lat"] for r in rs if r["lat"]]
            if lat and case.startswith("latency"):
                cells = "  ".join(f"{k} {statistics.median(x[k] for x in lat):.2f}" for k in lat[0]
                                  if isinstance(lat[0][k], (int, float)))
                print(f"{case:<21} {n:<11} us: {cells}")
                case = ""


if __name__ == "__main__":
    main()
