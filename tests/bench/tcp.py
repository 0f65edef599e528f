#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""TCP from guest to guest, Weft beside OVS-DPDK, each with its defaults, on one machine in one run.

usage: sudo tests/bench/tcp.py [--rounds N] [--seconds N] [--guests] [--json FILE]

The load is tcpload: real headers, no stack, so that the switch is the limit.  Where TSO is offered (Weft; not OVS with
its defaults) frames are of 64 KiB, else of one MSS; "weft, no TSO" is Weft with frames of one MSS.  --guests: two Linux
guests in QEMU with iperf3 instead; without KVM the guests are the limit.

Switch on core 0, load on core 1.  Resident all the time, stopped (SIGSTOP) while others are measured; a round goes through
them in turn, the median of a round's quarters of a second is its figure, ratios are taken within a round.  Hugepages are
reserved for the run and given back."""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time

from compare import ovs
from harness import BUILD, TOP, make_weft, session

sys.path.insert(0, os.path.join(TOP, "tests", "e2e"))
RINGS = "queue_size=1024,packed_vq=0,mrg_rxbuf=1,in_order=0"


def load(lib, sw, seconds, *mode):
    """One measurement: the slices after the first second."""
    argv = ["taskset", "-c", str(lib.GEN_CORE), os.path.join(BUILD, "tests", "bench", "tcpload"), "--lcores", f"0@{lib.GEN_CORE}",
            "--no-pci", "--file-prefix", "tcpload", "-m", "512", "--single-file-segments", "--log-level", "lib.eal:4"]
    for i, sock in enumerate(sw.socks):
        argv += ["--vdev", f"net_virtio_user{i},path={sock},queues=1,{RINGS}"]
    p = subprocess.run(argv + ["--", str(seconds + 1), *mode], text=True, capture_output=True, timeout=60)
    rows = [json.loads(line) for line in p.stdout.splitlines() if line.startswith("{")]
    if len(rows) < 8:
        raise RuntimeError(f"tcpload: status {p.returncode}: {p.stdout[-500:]}{p.stderr[-1500:]}")
    return {"gbps": statistics.median(r["gbps"] for r in rows[4:]), "tso": rows[-1]["tso"], "gaps": rows[-1]["gaps"],
            "slices": [r["gbps"] for r in rows[4:]]}


def guests(lib, sw, seconds):
    """iperf3 between two guests in QEMU; receiver's Gbit/s."""
    from lab import Lab
    with Lab("bench-tcp", quiet=True) as lab:
        ends = [lab.guest(f"t{i + 1}", sock, ip=f"10.9.0.{i + 1}/24", server=False) for i, sock in enumerate(sw.socks)]
        for g in ends:
            g.wait()
        ends[1].sh("iperf3 -s -D")
        ends[0].ping("10.9.0.2", 2, wait=2)
        rates = []
        for _ in range(3):
            _, out = ends[0].sh(f"iperf3 -c 10.9.0.2 -t {seconds} -f m", seconds + 30)
            m = re.search(r"([0-9.]+) Mbits/sec +receiver", out)
            rates.append(float(m.group(1)) / 1000 if m else 0.0)
        tso = ends[0].sh("ethtool -k eth0 | grep tcp-segmentation-offload")[1]
        for g in ends:
            g.proc.kill()
    return {"gbps": statistics.median(rates), "tso": " on" in tso, "gaps": None, "slices": rates}


def run(lib, args):
    switches = {}
    plan = [("ovs NORMAL", "ovs NORMAL", ()), ("weft", "weft", ())]
    if not args.guests:
        plan.append(("weft, no TSO", "weft", ("mss",)))
    rows = {case: [] for case, _, _ in plan}
    try:
        for name, make in (("ovs NORMAL", lambda: ovs(lib, "actions=NORMAL", "b")), ("weft", make_weft(lib))):
            switches[name] = make()
            switches[name].pause()
        for r in range(args.rounds):
            for case, name, mode in plan:
                switches[name].resume()
                time.sleep(1)
                rows[case].append((guests if args.guests else load)(lib, switches[name], args.seconds, *mode))
                time.sleep(1)           # Awake until it knows that the load is gone.
                switches[name].pause()
            print(f"  round {r + 1}/{args.rounds}  " + "  ".join(f"{c} {v[-1]['gbps']:.2f}" for c, v in rows.items()), flush=True)
    finally:
        for s in switches.values():
            s.resume()
            s.stop()
    return rows


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--seconds", type=int, default=4)
    ap.add_argument("--guests", action="store_true")
    ap.add_argument("--json")
    args = ap.parse_args()
    if os.geteuid():
        sys.exit("tcp.py: needs root (hugepages, network namespaces)")
    with session(3072) as (lib, _):
        rows = run(lib, args)
    print(f"\n{'switch':<14} {'TSO':<4} {'Gbit/s':>8} {'of OVS':>8} {'lost runs':>10}")
    for case, got in rows.items():
        ratio = statistics.median(g["gbps"] / o["gbps"] for g, o in zip(got, rows["ovs NORMAL"]))
        lost = "-" if args.guests else str(sum(g["gaps"] for g in got))
        print(f"{case:<14} {'on' if got[0]['tso'] else 'off':<4} {statistics.median(g['gbps'] for g in got):>8.2f} {ratio:>6.2f} x {lost:>10}")
    if args.json:
        with open(args.json, "w") as f:
            json.dump(rows, f, indent=1)


if __name__ == "__main__":
    main()
