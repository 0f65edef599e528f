#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The flow cache under every pattern of traffic: Weft as a fraction of testpmd, on one machine in one run.

usage: sudo tests/bench/patterns.py [--rounds N] [--slices N] [--cases REGEX] [--json FILE]
       tests/bench/patterns.py --report FILE [--svg FILE]

testpmd `io` and Weft are resident, one is stopped while the other is measured with the same stream; a round's figure is
the median of its clean slices.  The host has phases in which the generator alone sends a third of what it does in
others, and which no probe tells apart: the ratio is that of the best rounds of both, beside the median of the rounds'
own.  Busy cycles per packet are the polling thread's own, after the warm-up.  With --json, rows are added to what the file has, so that the table can be measured in portions.

  steady    the patterns of the table
  new       new flows per second: every packet needs a megaflow of its own
  memory    resident bytes per cached flow
  attack    what a guest loses while its neighbour sends what the cache likes least

OVS takes no part: its fractions on these patterns are those of ../shared/bench/RESULTS.md."""
import argparse
import json
import os
import re
import statistics
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import measure, quiet, session       # noqa: E402
from openflow import Weft, rss_kb, write          # noqa: E402

ECMP = "in_port=1,ip,actions=multipath(symmetric_l4,0,hrw,1,0,NXM_NX_REG0[]),output:2"
PREFIX = "ip,in_port=1,nw_dst=20.0.0.0/8,actions=output:2"


def uniform(n, more=""):
    return [f"port=0,size=64,flows={n}" + (",dist=uniform" if n > 1 else "") + more]


# What is measured: name, rule set, stream, OVS's fraction, at least, goal.
STEADY = [
    ("one rule, 1 flow", "port", uniform(1), 0.72, 1.0, 1.4),
    ("one rule, 1,000 flows", "port", uniform(1000), 0.69, 1.0, 1.4),
    ("NORMAL, 1,000 MAC pairs", "normal", uniform(1000, ",learn=1,smacs=1000,dmacs=1000"), 0.53, 0.9, 1.3),
    ("prefix rule, 10,000 flows", "prefix", uniform(10000), 0.47, 0.9, 1.2),
    ("prefix rule, 100,000 flows", "prefix", uniform(100000), 0.44, 0.85, 1.1),
    ("prefix rule, 1,000,000 flows", "prefix", uniform(1000000), 0.40, 0.8, 1.0),
    ("5-tuples, 10,000 flows", "ecmp", uniform(10000), 0.31, 0.7, 1.0),
    ("5-tuples, 100,000 flows", "ecmp", uniform(100000), 0.19, 0.6, 0.9),
    ("5-tuples, 1,000,000 flows", "ecmp", uniform(1000000), 0.05, 0.5, 0.8),
    ("security groups, 1,000 flows", "secgroup", uniform(1000), 0.54, 0.8, 1.1),
    ("security groups, 10,000 flows", "secgroup", uniform(10000), 0.15, 0.7, 1.0),
    ("security groups, 100,000 flows", "secgroup", uniform(100000), 0.055, 0.5, 0.8),
    ("security groups, 1,000,000 flows", "secgroup", uniform(1000000), 0.002, 0.35, 0.6),
    ("ACL, 1,000 flows", "acl", uniform(1000), 0.53, 0.8, 1.1),
    ("ACL, 10,000 flows", "acl", uniform(10000), 0.25, 0.6, 0.9),
    ("ACL, 100,000 flows", "acl", uniform(100000), 0.0001, 0.4, 0.7),
    ("ACL, 1,000,000 flows", "acl", uniform(1000000), 0.0001, 0.3, 0.5),
]
# Name, rule set, flows, OVS's figure, at least, goal; per second.
NEW = [
    ("new flows, wide rules", "ecmp", 100000, 178000, 534000, 500000),
    ("new flows, 100,000 exact rules", "exact", 100000, 81000, 405000, 500000),
    ("new flows, ACL", "acl", 100000, 2800, 280000, 500000),
]
# What the neighbour sends, from its port 3 to port 4; the first is what it may do in peace.
ATTACKS = [
    ("neighbour sends one flow", "secgroup", "flows=1"),
    ("neighbour sends new flows", "secgroup", "flows=16000000"),
    ("neighbour forces masks", "acl", "flows=16000000"),
    ("neighbour changes its MACs", "normal", "flows=10000000,smacs=10000000"),
]


def rules(flows, kind):
    if kind == "port":
        return ["in_port=1,actions=output:2"]
    if kind == "normal":
        return ["actions=NORMAL"]
    if kind == "prefix":
        return [PREFIX]
    if kind == "ecmp":
        return [ECMP]
    if kind == "secgroup":
        return flows.secgroup(1000)
    if kind == "acl":
        return flows.acl20(10000)
    return flows.exact(100000)


def warmup(n, kind):
    """Seconds until each of 'n' flows drawn at random has come by, and more where each makes a megaflow."""
    return 0.5 if n <= 10000 else 2 if n <= 100000 else 4 if kind in ("prefix", "port") else 12


class Bench:
    def __init__(self, lib, work, args):
        import flows
        self.lib, self.work, self.args, self.flows = lib, work, args, flows
        self.testpmd = lib.Testpmd("io")
        self.testpmd.pause()
        self.weft = Weft(lib, **({"max-flows": args.max_flows} if args.max_flows else {}))
        self.weft.pause()
        self.kind = None

    def load(self, kind):
        if self.kind != kind:
            self.weft.resume()
            self.weft.of("del-flows")
            self.weft.of("--bundle add-flows", write(f"{self.work}/{kind}", rules(self.flows, kind)))
            self.weft.forget()
            self.kind = kind
            self.weft.pause()

    def steady(self, case):
        name, kind, stream, ovs, least, goal = case
        n = int(re.search(r"flows=(\d+)", stream[0]).group(1))
        rows = {"testpmd": [], "weft": []}
        self.load(kind)
        for r in range(self.args.rounds):
            rows["testpmd"].append(measure(self.lib, self.testpmd, stream, slices=self.args.slices))
            rows["weft"].append(measure(self.lib, self.weft, stream, slices=self.args.slices, warmup=warmup(n, kind)))
        ratio = max(w["mpps"] for w in rows["weft"]) / max(t["mpps"] for t in rows["testpmd"])
        paired = statistics.median(w["mpps"] / t["mpps"] for w, t in zip(rows["weft"], rows["testpmd"]))
        q = {k: quiet(self.lib, v) for k, v in rows.items()}
        weft = max(rows["weft"], key=lambda w: w["mpps"])
        return {"kind": "steady", "ovs": ovs, "least": least, "goal": goal, "ratio": ratio, "paired": paired,
                "quiet": q["weft"][0] / q["testpmd"][0] if q["weft"][0] and q["testpmd"][0] else None,
                "slices": [q["testpmd"][1], q["weft"][1]], "mpps": weft["mpps"], "testpmd": max(t["mpps"] for t in rows["testpmd"]),
                "cycles": min((w["cycles"] for w in rows["weft"] if w["cycles"]), default=None), "tiers": weft["tiers"], "full": [rows["testpmd"][-1]["full"], weft["full"]],
                "sent": [rows["testpmd"][-1]["sent"], weft["sent"]], "all": {k: [x["mpps"] for x in v] for k, v in rows.items()}}

    def new(self, case):
        name, kind, n, ovs, least, goal = case
        self.load(kind)
        got = []
        for r in range(self.args.rounds + 1):
            self.weft.resume()
            self.weft.forget()
            before = self.weft.upcalls()
            g = self.lib.gen(self.weft.socks, [f"port=0,size=64,flows={n},once=1"], self.weft.watch(), warmup=0.3, clean=1)
            row = g["rows"][0]
            got.append({"pps": row["rx_pps"], "rx": row["rx"], "upcalls": self.weft.upcalls() - before})
            self.weft.pause()
        return {"kind": "new", "ovs": ovs, "least": least, "goal": goal, "all": got,
                "rate": statistics.median(g["pps"] for g in got[1:])}

    def memory(self):
        n = 1000000
        self.load("ecmp")
        self.weft.resume()
        self.weft.forget()
        before = rss_kb(self.weft.p.pid)
        self.lib.gen(self.weft.socks, uniform(n), self.weft.watch(), warmup=8, clean=1)
        grown, there = (rss_kb(self.weft.p.pid) - before) * 1024, self.weft.base.pmd()["pmd"][0]["flows"]
        self.weft.pause()
        return {"kind": "memory", "ovs": 3400, "least": 400, "goal": 200, "flows": there, "bytes": grown / max(there, 1)}

    def close(self):
        for s in (self.testpmd, self.weft):
            s.resume()
            s.stop()


class Attacked:
    """A Weft with defaults and four ports: a victim sends from the first to the second, a neighbour from the third."""

    def __init__(self, lib, work, args):
        import flows
        self.lib, self.work, self.args, self.flows, self.base = lib, work, args, flows, None
        self.weft = Weft(lib, "a", ports=4, **{"upcall-rate": 50000, "max-flows": 131072})

    def rules(self, kind):
        """The same policy for both: flows of port 1 go to port 2, those of port 3 to port 4."""
        for r in rules(self.flows, kind):
            if kind == "normal":
                yield r
                continue
            yield "in_port=1," + r.replace("in_port=1,", "")
            yield "in_port=3," + r.replace("in_port=1,", "").replace("output:2", "output:4")

    def run(self, case):
        name, kind, stream = case
        self.weft.of("del-flows")
        self.weft.of("--bundle add-flows", write(f"{self.work}/{kind}4", self.rules(kind)))
        out = {"kind": "attack"}
        victim = "port=0,size=64,flows=1000,dist=uniform,learn=1" + (",smacs=100,dmacs=100" if kind == "normal" else "")
        for what, rate in (("steady", 1000000), ("flat_out", 0)):
            g = self.lib.gen(self.weft.socks, [f"{victim},rate={rate}", f"port=2,size=64,learn=3,{stream}"], self.weft.watch(),
                             warmup=1, duration=4, clean=8)
            row = g["rows"][-1]
            out[what] = {"victim": row["rx_pps_port"][1], "sent": row["tx_pps_stream"][0], "neighbour": row["rx_pps_port"][3],
                         "neighbour_sent": row["tx_pps_stream"][1]}
        return out

    def close(self):
        self.weft.stop()


def show(name, r):
    if r["kind"] == "steady":
        q = f"{r['quiet']:.2f}" if r["quiet"] else "-"
        t = r.get("tiers") or {}
        hits = " ".join(f"{k} {v:.3f}" for k, v in t.items())
        print(f"{name:<34} {r['ratio']:6.2f} (paired {r['paired']:.2f}, quiet {q}) at least {r['least']} goal {r['goal']}  OVS {r['ovs']:<6}  "
              f"{r['mpps']:6.2f} of {r['testpmd']:6.2f} Mpps  {r['cycles'] or 0:5.0f} cycles  "
              f"full {r['full'][0]:.2f} {r['full'][1]:.2f} sent {r['sent'][0]:.2f} {r['sent'][1]:.2f}  {hits}",
              flush=True)
    elif r["kind"] == "new":
        print(f"{name:<34} {r['rate']:>10,.0f}/s at least {r['least']:,} goal {r['goal']:,}  OVS {r['ovs']:,}  "
              f"{[(g['rx'], g['upcalls']) for g in r['all']]}", flush=True)
    elif r["kind"] == "memory":
        print(f"{name:<34} {r['bytes']:.0f} bytes, {r['flows']} flows, at least {r['least']} goal {r['goal']}  OVS {r['ovs']}",
              flush=True)
    else:
        print(f"{name:<34} " + "   ".join(
            f"{w}: victim {r[w]['victim'] / 1e6:.2f} of {r[w]['sent'] / 1e6:.2f} Mpps, neighbour {r[w]['neighbour'] / 1e6:.2f} "
            f"of {r[w]['neighbour_sent'] / 1e6:.2f}" for w in ("steady", "flat_out")), flush=True)


def run(lib, work, args, figures):
    def wanted(name):
        return re.search(args.cases, name)

    def done(name, r):
        figures[name] = dict(r, time=time.strftime("%Y-%m-%d %H:%M"))
        show(name, r)

    steady, new = [c for c in STEADY if wanted(c[0])], [c for c in NEW if wanted(c[0])]
    if steady or new or wanted("memory"):
        b = Bench(lib, work, args)
        try:
            for c in steady:
                done(c[0], b.steady(c))
            for c in new:
                done(c[0], b.new(c))
            if wanted("memory"):
                done("memory", b.memory())
        finally:
            b.close()
    attacks = [c for c in ATTACKS if wanted(c[0])]
    if attacks:
        b = Attacked(lib, work, args)
        try:
            for c in attacks:
                done(c[0], b.run(c))
        finally:
            b.close()


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--slices", type=int, default=6, help="clean slices of 0.25 s per measurement")
    ap.add_argument("--cases", default=".", help="regular expression on case names")
    ap.add_argument("--max-flows", type=int, help="cached flows of Weft (default: 2,000,000)")
    ap.add_argument("--json", help="add every figure to this file")
    ap.add_argument("--report", help="print the figures of such a file")
    args = ap.parse_args()
    figures = {}
    if args.report or (args.json and os.path.exists(args.json)):
        with open(args.report or args.json) as f:
            figures = json.load(f)
    if args.report:
        for name, r in figures.items():
            show(name, r)
        return
    try:
        with session(4096) as (lib, work):
            run(lib, work, args, figures)
    finally:
        if args.json:
            with open(args.json, "w") as f:
                json.dump(figures, f, indent=1)


if __name__ == "__main__":
    main()
