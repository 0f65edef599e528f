#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""TCP between guests on two hosts, through a tunnel, Weft beside OVS-DPDK, each with its defaults, in one run.

usage: sudo tests/bench/tcp_across.py [--rounds N] [--seconds N] [--cases REGEX] [--json FILE]

    tcpload --vhost-- switch of host 1 ==wire== switch of host 2 --vhost-- tcpload

Each host's switch has a core of its own, and there are two cores here, one of which is the load's: so the two halves are
measured one after the other, the load being the wire (virtio, MTU 1600) and what is behind it.  The whole is as fast as
its slower half.  The load is tcpload: real headers, no stack, so that the switch is the limit.  Guests' frames are of 64 KiB
where the switch offers TSO (Weft; not OVS with its defaults).  STT frames cross a virtio wire uncut, VXLAN's are cut.

The switches and their rules are those of tunnels.py, resident and stopped (SIGSTOP) while others are measured; a round goes
through all, the median of a round's quarters of a second is its figure, ratios are taken within a round.  Hugepages are reserved
for the run and given back."""
import argparse
import json
import re
import statistics
import time

import tunnels
from harness import session
from tcp import load


class Turned:
    """A switch whose wire is where the sender is."""
    def __init__(self, sw):
        self.socks = sw.socks[::-1]


CASES = (("ovs vxlan", tunnels.ovs, "vxlan", ()), ("weft vxlan", tunnels.weft, "vxlan", ()), ("weft stt", tunnels.weft, "stt", ()),
         ("weft vxlan, no TSO", tunnels.weft, "vxlan", ("mss",)), ("weft stt, no TSO", tunnels.weft, "stt", ("mss",)))


def halves(lib, sw, kind, mode, seconds):
    """The whole's figure, and its halves."""
    sw.resume()
    time.sleep(1)
    out = load(lib, sw, seconds, kind, "wire1", *mode)
    back = load(lib, Turned(sw), seconds, kind, "wire0", *mode)
    time.sleep(1)           # Awake until it knows that the load is gone.
    sw.pause()
    return {"gbps": min(out["gbps"], back["gbps"]), "encap": out["gbps"], "decap": back["gbps"], "tso": out["tso"],
            "gaps": out["gaps"] + back["gaps"], "slices": [out["slices"], back["slices"]]}


def measure(lib, work, args):
    switches, cases = {}, [c for c in CASES if re.search(args.cases, c[0])]
    rows = {c[0]: [] for c in cases}
    try:
        for make in {c[1] for c in cases}:
            switches[make] = make(lib)
            switches[make].pause()
        for r in range(args.rounds):
            for case, make, kind, mode in cases:
                switches[make].load(tunnels.Case(kind, "encap", kind, None, None), work)
                rows[case].append(halves(lib, switches[make], kind, mode, args.seconds))
            print(f"  round {r + 1}/{args.rounds}  " + "  ".join(f"{c} {v[-1]['encap']:.2f}/{v[-1]['decap']:.2f}" for c, v in rows.items()),
                  flush=True)
    finally:
        for s in switches.values():
            s.resume()
            s.stop()
    return rows


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--seconds", type=int, default=3)
    ap.add_argument("--cases", default="")
    ap.add_argument("--json")
    args = ap.parse_args()
    with session(4096) as (lib, work):
        rows = measure(lib, work, args)
    base = rows.get("ovs vxlan")
    print(f"\n{'switches':<20} {'TSO':<4} {'encap':>8} {'decap':>8} {'Gbit/s':>8} {'of OVS':>8} {'lost runs':>10}")
    for case, got in rows.items():
        ratio = f"{statistics.median(g['gbps'] / o['gbps'] for g, o in zip(got, base)):.2f} x" if base else "-"
        mid = {k: statistics.median(g[k] for g in got) for k in ("encap", "decap", "gbps")}
        print(f"{case:<20} {'on' if got[0]['tso'] else 'off':<4} {mid['encap']:>8.2f} {mid['decap']:>8.2f} {mid['gbps']:>8.2f} {ratio:>8} "
              f"{sum(g['gaps'] for g in got):>10}")
    if args.json:
        with open(args.json, "w") as f:
            json.dump(rows, f, indent=1)


if __name__ == "__main__":
    main()
