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
import re
import statistics

from harness import make_weft, measure, quiet, session


def one_flow(size=64):
    return [f"port=0,size={size},learn=1"]


def many(n, size=64):
    return [f"port=0,size={size},learn=1,flows={n},dist=uniform"]


MACS = ["port=0,size=64,learn=1,flows=1000,smacs=1000,dmacs=1000"]
BOTH = ["port=0,size=64,learn=1", "port=1,size=64,learn=0"]
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


def run(lib, args):
    switches, out = {}, {}
    cases = [c for c in CASES if re.search(args.cases, c[0])]
    try:
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
                    rows[n].append(measure(lib, switches[n], stream, rings, args.slices, slow=stream is SLOW))
                print(f"  {case}  round {r + 1}/{args.rounds}  " +
                      "  ".join(f"{n} {rows[n][-1]['mpps']:.2f}" for n in who), flush=True)
            out[case] = rows
    finally:
        for s in switches.values():
            s.resume()
            s.stop()
    return out


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--slices", type=int, default=8, help="clean slices of 0.25 s per measurement")
    ap.add_argument("--cases", default=".", help="regular expression on case names")
    ap.add_argument("--json", help="write every figure to this file")
    args = ap.parse_args()
    with session(5120) as (lib, _):
        out = run(lib, args)
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
