#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Looks for the traffic that hurts most behind a production-like pipeline (production.py).

usage: sudo tests/bench/hurt.py --into FILE [--only REGEX] [--beside] [--budget SECONDS] [--weft KEY=VALUE ...]
       tests/bench/hurt.py --report FILE
       tests/bench/hurt.py --list

Each pattern is a file of 64-byte frames, sent over and over as fast as the switch takes them: sweeps of one field or several,
strides, scans of ports, addresses that differ from those of rules in one bit at each length a rule has, kinds of packets
that no rule names.  What counts is what a packet costs the polling thread, and how many the switch takes; received are those
that policy lets through.  A pattern is measured with Weft, and with --beside with testpmd and OVS too, in turn.  Patterns that the
file has of this build already are not measured again."""
import argparse
import json
import os
import random
import re
import signal
import statistics
import struct
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import patterns                                                # noqa: E402
from harness import Sampled, distance, session                 # noqa: E402
from production import GATEWAY, N_GUESTS, N_STATIONS, NET, Pipeline, ROUTER, guest, mac        # noqa: E402

TCP, UDP = 6, 17


def raw(m):
    return bytes.fromhex(m.replace(":", ""))


GW, RT = raw(GATEWAY), raw(ROUTER)


def frame(src, dst, sport, dport, proto=TCP, tos=0, ttl=64, frag=0x4000, smac=GW, dmac=RT, vlan=None, flags=0x10):
    """An Ethernet frame of 64 bytes with IPv4."""
    tag = b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
    words = (0x4500 | tos, 50 - len(tag), 0, frag, ttl << 8 | proto, src >> 16, src & 0xffff, dst >> 16, dst & 0xffff)
    s = sum(words)
    s = (s & 0xffff) + (s >> 16)
    s = ~((s & 0xffff) + (s >> 16)) & 0xffff
    l4 = struct.pack("!HHIIBBHI", sport, dport, 1, 1, 0x50, flags, 0xffff, 0) if proto == TCP else \
        struct.pack("!HHHH", sport, dport, 30 - len(tag), 0)
    return (dmac + smac + tag + b"\x08\x00" + struct.pack("!10H", *words[:5], s, *words[5:]) + l4).ljust(64, b"\0")


def frame6(src, dst, sport, dport):
    return (RT + GW + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, 10, UDP, 64) + src.to_bytes(16, "big") + dst.to_bytes(16, "big") +
            struct.pack("!HHHH", sport, dport, 10, 0)).ljust(64, b"\0")


class Patterns:
    """Named generators of frames over one pipeline."""

    def __init__(self, free=False):
        self.p = Pipeline(free=free)
        self.sources = [(a, n) for a, n, _, _ in self.p.acl if n]
        self.ends = [(a, n) for _, _, a, n in self.p.acl if n] + self.p.routes
        self.protos = (TCP, UDP)
        self.all = {}
        for name in dir(self):
            if name.startswith("make_"):
                self.all[name[5:].replace("_", "-")] = getattr(self, name)

    def write(self, name, path):
        """The frames of one pattern; how many."""
        r = random.Random(name)
        kind, _, n = name.partition(":")
        with open(path, "wb") as f:
            frames = list(self.all[kind](r, int(n or 65536)))
            f.writelines(frames)
        return len(frames)

    def names(self):
        return [f"{k}:{n}" for k in self.all for n in ((65536,) if k in self.small else (65536, 1048576))]

    small = ("one", "usual", "source-ports", "ports-scan", "dscp", "ttl", "protocols", "tcp-flags", "fragments", "vlans", "stations", "spoofed")

    def near(self, r, known):
        """The address of a rule, another one in its prefix, or one that leaves it at some bit: what it takes to tell costs bits."""
        a, n = r.choice(known)
        bit = r.randrange(n + 1)
        return a ^ 1 << (31 - bit) if bit < n else a

    def edge(self, r):
        """A port at the border of a rule's block, or beside it."""
        lo, hi = r.choice(self.edges())
        return r.choice((lo, hi, max(lo - 1, 1), min(hi + 1, 65535)))

    def edges(self):
        if not hasattr(self, "_edges"):
            self._edges = sorted({(int(v, 16), int(v, 16) + 0xffff - int(m, 16)) for line in self.p.lines
                                  for v, m in re.findall(r"tp_(?:dst|src)=(0x[0-9a-f]+)/(0x[0-9a-f]+)", line)})
        return self._edges

    def make_one(self, r, n):
        yield frame(NET + 10, 0x14000001, 1025, 443)

    def make_usual(self, r, n):
        """What a host does on a working day: guests to each other's services and to the world; 10,000 connections."""
        for _ in range(10000):
            m, a = guest(r.randrange(N_GUESTS // 2))
            routed = r.random() < 0.7
            yield frame(a, 0x14000000 + r.randrange(1 << 20) if routed else NET + r.randrange(1 << 18), r.randrange(32768, 61000),
                        r.choice((53, 80, 443, 443, 443, 3306, 5432, 8080)), smac=raw(m), dmac=RT if routed else raw(mac(2, r.randrange(N_STATIONS))))

    def make_source_ports(self, r, n):
        return (frame(NET + 10, 0x14000001, i & 0xffff, 443) for i in range(n))

    def make_ports_scan(self, r, n):
        return (frame(NET + 10, 0x14000001, 40000, i & 0xffff) for i in range(n))

    def make_both_ports(self, r, n):
        return (frame(NET + 10, 0x14000001, r.randrange(65536), r.randrange(65536)) for _ in range(n))

    def make_hosts_scan(self, r, n):
        return (frame(NET + 10, 0x14000000 + i, 40000, 443) for i in range(n))

    def make_hosts_stride_256(self, r, n):
        return (frame(NET + 10, (0x14000000 + i * 256) & 0xffffffff, 40000, 443) for i in range(n))

    def make_hosts_stride_4097(self, r, n):
        return (frame(NET + 10, (0x14000000 + i * 4097) & 0xffffffff, 40000, 443) for i in range(n))

    def make_sources_sweep(self, r, n):
        return (frame(NET + i, 0x14000001, 40000, 443) for i in range(n))

    def make_sources_stride_4097(self, r, n):
        return (frame((NET + i * 4097) & 0xffffffff, 0x14000001, 40000, 443) for i in range(n))

    def make_random_hosts(self, r, n):
        return (frame(r.getrandbits(32), r.getrandbits(32), 40000, 443) for _ in range(n))

    def make_random_tuples(self, r, n):
        return (frame(r.getrandbits(32), r.getrandbits(32), r.randrange(65536), r.randrange(65536), r.choice(self.protos)) for _ in range(n))

    def make_splitting_sources(self, r, n):
        return (frame(self.near(r, self.sources), 0x14000001, 40000, 443) for _ in range(n))

    def make_splitting_ends(self, r, n):
        return (frame(NET + 10, self.near(r, self.ends), 40000, 443) for _ in range(n))

    def make_splitting_both(self, r, n):
        return (frame(self.near(r, self.sources), self.near(r, self.ends), 40000, 443, r.choice(self.protos)) for _ in range(n))

    def make_splitting_all(self, r, n):
        return (frame(self.near(r, self.sources), self.near(r, self.ends), self.edge(r), self.edge(r), r.choice(self.protos)) for _ in range(n))

    def make_splitting_dscp(self, r, n):
        return (frame(self.near(r, self.sources), self.near(r, self.ends), self.edge(r), self.edge(r), r.choice(self.protos),
                      tos=r.randrange(64) << 2) for _ in range(n))

    def make_splitting_stations(self, r, n):
        return (frame(self.near(r, self.sources), self.near(r, self.ends), self.edge(r), self.edge(r), r.choice(self.protos),
                      tos=r.randrange(64) << 2, dmac=raw(mac(2, r.randrange(4 * N_STATIONS)))) for _ in range(n))

    def make_stations(self, r, n):
        return (frame(NET + 10, NET + 26, 40000, 443, dmac=raw(mac(2, i % N_STATIONS))) for i in range(n))

    def make_unknown_stations(self, r, n):
        return (frame(NET + 10, NET + 26, 40000, 443, dmac=raw(mac(9, i))) for i in range(n))

    def make_spoofed(self, r, n):
        return (frame(r.getrandbits(32), 0x14000001, 40000, 443, smac=raw(mac(8, r.getrandbits(24)))) for _ in range(n))

    def make_dscp(self, r, n):
        return (frame(NET + 10, 0x14000001, 40000, 443, tos=i & 255) for i in range(n))

    def make_ttl(self, r, n):
        return (frame(NET + 10, 0x14000001, 40000, 443, ttl=2 + i % 254) for i in range(n))

    def make_protocols(self, r, n):
        return (frame(NET + 10, 0x14000001, 40000, 443, i & 255) for i in range(n))

    def make_tcp_flags(self, r, n):
        return (frame(NET + 10, 0x14000001, 40000, 443, flags=i & 255) for i in range(n))

    def make_fragments(self, r, n):
        return (frame(NET + 10, 0x14000001, 40000, 443, frag=0x2000 if i % 2 else 100 + i % 8000) for i in range(n))

    def make_vlans(self, r, n):
        return (frame(NET + 10, 0x14000001, 40000, 443, vlan=i & 0xfff) for i in range(n))

    def make_ipv6(self, r, n):
        return (frame6(r.getrandbits(128), r.getrandbits(128), r.randrange(65536), r.randrange(65536)) for _ in range(n))


def measured(b, name, switch, setting, sw, path, warmup, slices):
    sw.resume()
    before = sw.base.pmd()["pmd"][0] if switch == "weft" else None
    where = [distance(b.lib)]
    cycles = tiers = None
    if switch == "weft":
        with Sampled(sw) as counters:
            g = b.lib.gen(sw.socks, [f"port=0,table={path}"], sw.watch(), clean=0, duration=slices / 4, warmup=warmup)
        cycles, tiers = counters.steady(max(slices / 4, 1.1))
    else:
        g = b.lib.gen(sw.socks, [f"port=0,table={path}"], sw.watch(), clean=0, duration=slices / 4, warmup=warmup)
    st = sw.base.pmd()["pmd"][0] if before else {}
    sw.pause()
    where.append(distance(b.lib))
    rows = g["rows"][-1]["slices"]
    good = [s for s in rows if s[3]] or rows
    return {"row": name, "switch": switch, "setting": setting, "distance": where, "taken": statistics.median(s[1] for s in good),
            "received": statistics.median(s[0] for s in good), "cycles": cycles, "tiers": tiers, "masks": st.get("masks"),
            "flows": st.get("flows"), "evicted": st["evicted"] - before["evicted"] if before else None,
            "drops": st["upcall_drops"] - before["upcall_drops"] if before else None}


def show(m):
    t = m["tiers"] or {}
    print(f"{m['row']:<28} {m['switch']:<7} {m['setting']:<8} {m['distance'][0]:>4}-{m['distance'][1]:<4} taken {m['taken'] / 1e6:7.3f} received "
          f"{m['received'] / 1e6:7.3f} Mpps  {m['cycles'] or 0:7.0f} cycles  hints {t.get('hint_hits', 0):.3f} megaflows {t.get('mega_hits', 0):.3f} "
          f"upcalls {t.get('upcalls', 0):.3f}  masks {m['masks']} flows {m['flows']} evicted {m['evicted']} dropped {m['drops']}", flush=True)


def run(args):
    p, past, begun, at = Patterns(args.free), patterns.read(args.into), time.monotonic(), patterns.commit()
    have = {(m["row"], m["switch"], m["setting"]) for m in past if m["commit"] == at or m["switch"] != "weft"}
    label = ",".join(args.weft + ["free"] * args.free)
    names = [n for n in p.names() if re.search(args.only, n) and (args.beside or ("weft", label) not in {h[1:] for h in have if h[0] == n})]
    with tempfile.TemporaryDirectory(prefix="weft-hurt-", dir=args.frames) as frames, session(5120) as (lib, work):
        lib.probe_best = lambda new=None: 0
        # No limit of new flows: what is looked for is what packets cost, and a packet dropped by budget costs less.
        b = patterns.Switches(lib, work, args)
        rules, groups = p.p.write(work)
        kinds = [("weft", label)] + ([("testpmd", "io"), ("ovs", "smc")] if args.beside else [])
        try:
            for name, _ in dict(kinds).items():
                s = b.get(name)
                if name != "testpmd":
                    s.resume()
                    s.of("del-flows")
                    s.of("add-groups", groups)
                    s.of("--bundle add-flows", rules)
                    s.pause()
            for name in names:
                if time.monotonic() - begun + (12 + 2 * args.warmup if args.beside else 4 + args.warmup) > args.budget:
                    break
                path = os.path.join(frames, "frames")
                if args.cached and os.path.exists(f"{args.cached}/{name}"):
                    path = f"{args.cached}/{name}"
                else:
                    p.write(name, path)
                for switch, setting in kinds:
                    s = b.tune(setting) if switch == "ovs" else b.up[switch]
                    if switch == "weft":
                        s.resume()
                        s.forget()
                    m = measured(b, name, switch, setting, s, path, args.warmup if switch != "testpmd" else 0.3, args.slices)
                    m.update(commit=at, time=time.strftime("%Y-%m-%d %H:%M:%S"))
                    with open(args.into, "a") as f:
                        f.write(json.dumps(m) + "\n")
                    show(m)
        finally:
            b.close()


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--into", help="add every measurement to this file")
    ap.add_argument("--only", default=".", help="regular expression on the names of patterns")
    ap.add_argument("--beside", action="store_true", help="testpmd and OVS as well")
    ap.add_argument("--budget", type=float, default=3600, help="seconds until the last measurement has to be over")
    ap.add_argument("--slices", type=int, default=5, help="of 0.25 s")
    ap.add_argument("--warmup", type=float, default=1.2, help="seconds of traffic before what is measured")
    ap.add_argument("--weft", action="append", default=[], metavar="KEY=VALUE", help="setting of Weft's datapath")
    ap.add_argument("--free", action="store_true", help="the pipeline with a mask for every other rule")
    ap.add_argument("--frames", help="where the files of frames go for a while")
    ap.add_argument("--cached", metavar="DIRECTORY", help="take frames from here if it has them; see --make")
    ap.add_argument("--make", metavar="DIRECTORY", help="write the frames of all patterns there, so that no measurement has to wait")
    ap.add_argument("--report", metavar="FILE", help="print such a file, dearest packets first")
    ap.add_argument("--list", action="store_true", help="print the names of the patterns")
    args = ap.parse_args()
    if args.list:
        print("\n".join(Patterns().names()))
    elif args.make:
        p = Patterns(args.free)
        for name in p.names():
            if re.search(args.only, name):
                p.write(name, os.path.join(args.make, name))
    elif args.report:
        for m in sorted(patterns.read(args.report), key=lambda m: -(m["cycles"] or 0)):
            show(m)
    elif args.into:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        run(args)
    else:
        ap.error("--into, --report or --list")


if __name__ == "__main__":
    main()
