#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tunnels: Weft and OVS-DPDK as fractions of testpmd, on one machine in one run.

usage: sudo tests/bench/tunnels.py --into FILE [--cases REGEX] [--rounds N] [--seconds S] [--budget SECONDS] [--ovs N]
       tests/bench/tunnels.py --report FILE [--commit ID,...] [--json FILE]
       tests/bench/tunnels.py --list | --prepare

A guest's port in one bridge, the uplink (a vhost-user port too) in another one with the address of the underlay on its internal
port; between them a tunnel, one at a time.  The rules are the same for both: guest to tunnel and back, host to uplink and back.

Every measurement is a line that is added to FILE, as in patterns.py: each use takes the cases that this build has the fewest
rounds of and begins nothing that would not end within its budget.  In a round testpmd `io` (with the inner frames as they are),
Weft and OVS are measured in turn, all but one stopped; how far the two CPUs are from each other is measured before and after.

  encap, decap   one direction; 64 bytes of inner frame unless said otherwise
  remotes        10,000 flows with a MAC address each, to or from one far end or 10,000 of them
  flood          tunnel packets of a known network at a fixed rate, and of an unknown one at all that the generator gives, on the
                 same uplink or on another one"""
import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from collections import namedtuple

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import patterns_report                                         # noqa: E402
from harness import distance, load_harness, make_weft, measure, session     # noqa: E402
from openflow import write                                     # noqa: E402
from patterns import commit, read, same_distance               # noqa: E402

# 'tunnel': type and options of Weft's, type and options of OVS's (None: it has no such); 'stream': what goes into the switch,
# 'plain': what testpmd gets; 'least', 'goal': fractions of testpmd.
Case = namedtuple("Case", "name way tunnel stream plain warmup least goal remotes", defaults=(0.5, None, None, 0))

KINDS = {
    "vxlan": ("vxlan vni=100", "vxlan key=100", "encap=vxlan"),
    "gre": ("gre key=100", "gre key=100", "encap=gre"),
    "geneve": ("geneve vni=100", "geneve key=100", "encap=geneve"),
    # A key with FlowID 0.
    "nvgre": ("nvgre vsid=5000", None, f"encap=gre,vni={5000 << 8}"),
    "stt": ("stt key=100", None, None),
}
MANY = 10000
GATEWAY, LOCAL = "172.16.0.2", "172.16.0.1"
MACS = {LOCAL: "02:00:00:aa:00:01", GATEWAY: "02:00:00:aa:00:02"}
UNKNOWN = 4242


def cases():
    out = []

    def add(kind, what, inner, warmup=0.5):
        goals = {"encap": (0.85, 1.1), "decap": (0.75, 1.0)}
        for way in ("encap", "decap"):
            encap = KINDS[kind][2]
            if way == "decap" and not encap:
                continue
            stream = f"port=0,{inner}" if way == "encap" else f"port=1,{encap},{inner}"
            out.append(Case(f"{kind} {way}, {what}", way, kind, stream, f"port=0,{inner}", warmup, *goals[way]))

    add("vxlan", "1 flow", "size=64")
    add("vxlan", "100,000 flows", "size=64,flows=100000,dist=uniform", 1.5)
    add("vxlan", "1400 B", "size=1400")
    for kind in ("gre", "geneve", "nvgre", "stt"):
        add(kind, "1 flow", "size=64")
    inner = f"size=64,flows={MANY}"
    for n in (1, MANY):
        from_many = f",osip=172.20.0.1,osips={n}"
        out.append(Case(f"vxlan encap, {n:,} remotes", "encap", "vxlan", f"port=0,{inner},dmacs={MANY}", f"port=0,{inner}", 5,
                        remotes=n))
        out.append(Case(f"vxlan decap, {n:,} remotes", "decap", "vxlan", f"port=1,encap=vxlan,{inner}{from_many}",
                        f"port=0,{inner}", 5, remotes=n))
    for rate in (1, 3):
        for where in ("another", "the same"):
            out.append(Case(f"flood on {where} uplink, {rate} Mpps", "flood", "vxlan",
                            f"port=1,size=64,encap=vxlan,rate={rate}000000", f"port={2 if where == 'another' else 1}", 0.5))
    return out


def far_end(i):
    """Address 'i' behind the gateway; the generator counts up from 172.20.0.1."""
    i += 1
    return f"172.20.{i >> 8}.{i & 255}"


def rules(case):
    if case.remotes and case.way == "encap":
        for i in range(MANY):
            mac = 0x020000100001 + i
            text = ":".join(f"{mac >> s & 255:02x}" for s in range(40, -8, -8))
            yield f"in_port=1,dl_dst={text},actions=set_field:{far_end(i % case.remotes)}->tun_dst,output:10"
    else:
        yield "in_port=1,actions=output:10"
    yield "in_port=10,actions=output:1"


class Switch:
    """What Weft and OVS have in common: a network namespace with the underlay's address, and rules."""

    def underlay(self, lib, ns, dev):
        def ip(args):
            lib.sh(f"ip -n {ns} {args}")

        ip(f"addr add {LOCAL}/24 dev {dev}")
        ip(f"link set {dev} up")
        ip(f"neigh replace {GATEWAY} lladdr {MACS[GATEWAY]} dev {dev} nud permanent")
        ip(f"route add 172.20.0.0/16 via {GATEWAY}")

    def load(self, case, work):
        if self.loaded == case.name:
            return
        self.resume()
        self.tunnel(case)
        self.ofctl("del-flows", self.inner)
        self.ofctl("--bundle add-flows", self.inner, write(f"{work}/rules", rules(case)))
        self.loaded = case.name
        self.pause()

    def ofctl(self, command, bridge, *args):
        subprocess.run(["ovs-ofctl", "-O", "OpenFlow14", *command.split(), self.at(bridge), *args], check=True, env=self.env,
                       text=True, capture_output=True)

    def phy_rules(self):
        for r in ("in_port=LOCAL,actions=output:2", "in_port=2,actions=LOCAL", "in_port=3,actions=LOCAL"):
            self.ofctl("add-flow", self.outer, r)


def weft(lib):
    class Weft(make_weft(lib), Switch):
        inner, outer = "br-int", "br-phy"

        def __init__(self):
            self.ns, self.env, self.loaded = f"weft-bench{os.getpid()}", dict(os.environ), None
            lib.sh(f"ip netns add {self.ns}")
            lib.sh(f"ip -n {self.ns} link set lo up")
            # The internal port with the bridge's own name is LOCAL.
            phy = {"br-phy": {"type": "internal", "mac": MACS[LOCAL], "mtu": 1600},
                   **{f"v{n}": {"type": "vhost-user", "mtu": 1600, "of-port": n} for n in (2, 3)}}
            super().__init__("tun", ports=3, netns=self.ns, bridges={
                "br-int": {"ports": {"v1": {"type": "vhost-user", "of-port": 1}}}, "br-phy": {"ports": phy}})
            self.underlay(lib, self.ns, "br-phy")
            self.ofctl("del-flows", self.outer)
            self.phy_rules()
            self.three, self.socks = self.socks, self.socks[:2]

        def at(self, bridge):
            return "unix:" + os.path.join(self.d, "run", bridge + ".mgmt")

        def tunnel(self, case):
            if self.loaded:
                self.ctl("tunnel", "del", "tun0")
            kind, *opts = KINDS[case.tunnel][0].split()
            self.ctl("tunnel", "add", "br-int", "tun0", f"type={kind}", "of-port=10", f"local={LOCAL}",
                     "remote=flow" if case.remotes else f"remote={GATEWAY}", *opts, *(["max-remotes=12000"] if case.remotes else []))

        def stop(self):
            super().stop()
            lib.sh(f"ip netns del {self.ns}")

    return Weft()


def ovs(lib):
    class Ovs(lib.OVS, Switch):
        def __init__(self):
            super().__init__(tag="t")
            self.inner, self.outer, self.loaded = "swbintt", "swbphyt", None
            self.bridge(self.inner)
            self.bridge(self.outer, MACS[LOCAL])
            self.port(self.inner, "v1", 1)
            for n in (2, 3):
                self.port(self.outer, f"v{n}", n)
                self.vs(f"set interface v{n} mtu_request=1600")
            self.underlay(lib, self.ns, self.outer)
            time.sleep(1)
            self.app(f"tnl/neigh/set {self.outer} {GATEWAY} {MACS[GATEWAY]}")
            self.phy_rules()
            self.three, self.socks = self.socks, self.socks[:2]

        def at(self, bridge):
            return bridge

        def tunnel(self, case):
            kind, *opts = KINDS[case.tunnel][1].split()
            self.vs(f"--if-exists del-port tun0 -- add-port {self.inner} tun0 -- set interface tun0 type={kind} ofport_request=10 "
                    f"options:local_ip={LOCAL} options:remote_ip={'flow' if case.remotes else GATEWAY} "
                    + " ".join("options:" + o for o in opts))
            self.app("revalidator/purge")

    return Ovs()


class Bench:
    def __init__(self, lib, work, args, past, add):
        self.lib, self.work, self.args, self.past, self.add, self.up = lib, work, args, past, add, {}

    def get(self, name):
        make = {"testpmd": lambda: self.lib.Testpmd("io"), "weft": lambda: weft(self.lib), "ovs": lambda: ovs(self.lib)}
        if name not in self.up:
            self.up[name] = make[name]()
            self.up[name].pause()
        return self.up[name]

    def close(self):
        for s in self.up.values():
            s.resume()
            s.stop()
        self.up = {}

    def ovs_wanted(self, case):
        return bool(KINDS[case.tunnel][1]) and sum(p["row"] == case.name and p["switch"] == "ovs" for p in self.past) < self.args.ovs

    def noted(self, case, switch, what):
        before = distance(self.lib)
        m = what()
        m["slices"] = [x for r in m.pop("rows", ()) for x in r["slices"]]
        m.update(row=case.name, kind="flood" if case.way == "flood" else "steady", switch=switch, setting="",
                 distance=[before, distance(self.lib)])
        self.add(m)
        return m

    def steady(self, case):
        def one(name, stream, warmup):
            return self.noted(case, name, lambda: measure(self.lib, self.get(name), [stream], slices=self.args.slices, warmup=warmup))

        self.get("weft").load(case, self.work)
        t = one("testpmd", case.plain, 0.3)
        for name in ("weft", "ovs"):
            if name == "ovs":
                if not self.ovs_wanted(case):
                    break
                self.get("ovs").load(case, self.work)
            if not same_distance(t, one(name, case.stream, case.warmup)):
                t = one("testpmd", case.plain, 0.3)

    def flood(self, case):
        """Packets of the known network that arrive, without and with the others."""
        rate = float(re.search(r"rate=(\d+)", case.stream).group(1))

        def one(sw, stream):
            sw.resume()
            streams = [case.stream] + ([stream] if stream else [])
            g = self.lib.gen(sw.three, streams, sw.watch(), warmup=1, duration=0.5, repeat=6, clean=0)
            sw.pause()
            of = [r for r in g["rows"] if r["clean"]] or g["rows"]
            return {"got": statistics.median(r["rx_pps_port"][0] for r in of), "sent": statistics.median(r["tx_pps_stream"][0] for r in of),
                    "flood": statistics.median(r["tx_pps_stream"][-1] for r in of) if stream else 0, "rate": rate, "clean": len(of)}

        for name in ("weft", "ovs"):
            if name == "weft" or self.ovs_wanted(case):
                sw = self.get(name)
                sw.load(case, self.work)
                for stream in (None, f"{case.plain},size=64,encap=vxlan,vni={UNKNOWN}"):
                    self.noted(case, name, lambda s=stream: one(sw, s))

    def run(self, case):
        (self.flood if case.way == "flood" else self.steady)(case)

    def seconds(self, case):
        """What a round will take, roughly."""
        n = 3 if self.ovs_wanted(case) else 2
        return n * (6 if case.way == "flood" else 3 + self.args.slices / 4) + (n - 1) * (case.warmup + (4 if case.remotes else 1))


def line(m):
    d = "-".join(str(x) for x in m["distance"])
    head = f"{m['row']:<32} {m['switch']:<8} {d:>10}"
    if m["kind"] == "steady":
        print(f"{head} {m['mpps']:7.3f} Mpps full {m['full']:.2f} {m['cycles'] or 0:5.0f} cycles", flush=True)
    else:
        print(f"{head} got {m['got'] / 1e6:.3f} sent {m['sent'] / 1e6:.3f} flood {m['flood'] / 1e6:.3f} Mpps", flush=True)


def run(args):
    past, begun, at = read(args.into), time.monotonic(), commit()

    def add(m):
        m.update(time=time.strftime("%Y-%m-%d %H:%M:%S"), use=int(use), commit=at)
        past.append(m)
        with open(args.into, "a") as f:
            f.write(json.dumps(m) + "\n")
        line(m)

    def rounds(name):
        return len({p["time"] for p in past if p["row"] == name and p["switch"] == "weft" and p["commit"] == at})

    use = time.time()
    with session(5120) as (lib, work):
        # As in patterns.py: which slices are quiet is told afterwards.
        lib.probe_best = lambda new=None: 0
        bench = Bench(lib, work, args, past, add)
        wanted = [c for c in cases() if re.search(args.cases, c.name)]
        try:
            for _ in range(args.rounds):
                done = {c.name: rounds(c.name) for c in wanted}
                for case in sorted(wanted, key=lambda c: (done[c.name], wanted.index(c))):
                    if time.monotonic() - begun + bench.seconds(case) + 4 < args.budget:
                        bench.run(case)
        finally:
            bench.close()


def lost(fig, case, switch):
    """Of the known network's packets: what is missing without and with the flood, and how much of that there was."""
    of = [m for m in fig.of(case.name, switch)]
    quiet, loud = ([m for m in of if bool(m["flood"]) == f] for f in (False, True))
    if not quiet or not loud:
        return None
    return (1 - statistics.median(m["got"] for m in quiet) / quiet[0]["rate"],
            1 - statistics.median(m["got"] for m in loud) / loud[0]["rate"], statistics.median(m["flood"] for m in loud))


def report(past, builds):
    fig, out = patterns_report.Figures(past, builds), {}

    def cell(v, form="{:.2f}"):
        return "-" if v is None else form.format(v)

    print("| case | CPUs | testpmd io | OVS | of testpmd | Weft | of testpmd | cycles | rounds | at least | goal |  |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for c in cases():
        if c.way == "flood":
            continue
        f = {s: fig.fractions(c.name, s) for s in ("weft", "ovs")}
        for where in ("close", "far"):
            w, o = ([x for x in f[s] if x["where"] == where] for s in ("weft", "ovs"))
            if not w and not o:
                continue

            def mid(rows, key):
                return patterns_report.middle(x[key] for x in rows)

            got = mid(w, "fraction")
            said = "" if got is None or c.least is None else "goal" if got >= c.goal else "met" if got >= c.least else "**missed**"
            print(f"| {c.name} | {where} | {cell(mid(w or o, 'testpmd'), '{:.1f}')} | {cell(mid(o, 'mpps'), '{:.2f}')} | "
                  f"{cell(mid(o, 'fraction'))} | {cell(mid(w, 'mpps'), '{:.2f}')} | {cell(got)} | {cell(mid(w, 'cycles'), '{:.0f}')} | "
                  f"{len(w)} | {cell(c.least)} | {cell(c.goal)} | {said} |")
            out[f"{c.name}, {where}"] = {"weft": w, "ovs": o}
    rows = [(c, {s: lost(fig, c, s) for s in ("weft", "ovs")}) for c in cases() if c.way == "flood"]
    if any(x for _, r in rows for x in r.values()):
        print("\n| missing of the known network, without / with packets of an unknown one (of those, Mpps) | OVS | Weft |\n| --- | --- | --- |")
        for c, r in rows:
            cells = " | ".join(f"{x[0]:.1%} / {x[1]:.1%} ({x[2] / 1e6:.1f})" if x else "-" for x in (r["ovs"], r["weft"]))
            print(f"| {c.name} | {cells} |")
            out[c.name] = r
    return out


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--into", help="add every measurement to this file")
    ap.add_argument("--cases", default=".", help="regular expression on the names of cases")
    ap.add_argument("--rounds", type=int, default=1, help="of each case, at most")
    ap.add_argument("--seconds", type=float, default=1, help="clean seconds per measurement, in slices of 0.25")
    ap.add_argument("--budget", type=float, default=3600, help="seconds until the last round has to be over")
    ap.add_argument("--ovs", type=int, default=1, help="rounds of OVS that the file shall have of each case; 0: none")
    ap.add_argument("--report", metavar="FILE", help="print the tables of such a file")
    ap.add_argument("--commit", help="with --report: Weft's figures of these builds (default: the latest of each case)")
    ap.add_argument("--json", metavar="FILE", help="with --report: write the figures to this file, too")
    ap.add_argument("--list", action="store_true", help="print the names of the cases")
    ap.add_argument("--prepare", action="store_true", help="build the generator, so that no measurement has to")
    args = ap.parse_args()
    args.slices = max(int(args.seconds * 4), 3)
    if args.list:
        print("\n".join(c.name for c in cases()))
    elif args.prepare:
        load_harness("/nonexistent")
    elif args.report:
        out = report(read(args.report), args.commit)
        if args.json:
            with open(args.json, "w") as f:
                json.dump(out, f, indent=1)
    elif args.into:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        run(args)
    else:
        ap.error("--into or --report")


if __name__ == "__main__":
    main()
