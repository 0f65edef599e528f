#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The flow cache under every pattern of traffic: Weft and OVS as fractions of testpmd, on one machine in one run.

usage: sudo tests/bench/patterns.py --into FILE [--rows REGEX] [--budget SECONDS] [--ovs N] [--weft KEY=VALUE ...]
       tests/bench/patterns.py --report FILE [--svg DIRECTORY] [--doc FILE] [--commit ID,...]
       tests/bench/patterns.py --list | --prepare

Every measurement is a line that is added to FILE, so the table can be measured in portions, on several days and with several
builds: each use takes the rows that this build has the fewest rounds of, and begins nothing that would not end within its
budget.  In a round testpmd `io`, Weft and OVS are resident with all of their threads on one CPU, the generator has the other
one, and all but one switch are stopped while that one is measured with the same stream.

How far the two CPUs are from each other is measured before and after each (see distance.c): a fraction is of two measurements
that met the same distance.  --report takes the quiet slices of both (see patterns_report.py).

  steady    the patterns of the table, one direction, 64 bytes
  new       new flows per second: every packet needs a megaflow of its own
  memory    resident bytes per cached flow
  attacks   what a guest loses while its neighbour sends what the cache likes least
  latency   of a steady flow while rules change and new flows arrive"""
import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import patterns_report                                         # noqa: E402
import patterns_rows as rows                                   # noqa: E402
from harness import BUILD, TOP, distance, load_harness, measure, session     # noqa: E402
from openflow import ADD, DELETE_STRICT, Ovs, Weft, flow_mod, rss_kb, write    # noqa: E402

SAME = 1.4      # Distances up to this factor apart are one.


def same_distance(a, b):
    both = [x for m in (a, b) for x in m["distance"]]
    return max(both) <= SAME * min(both)


def setting(text):
    key, value = text.split("=", 1)
    return key, int(value) if value.isdigit() else value


class Switches:
    """Those that are resident, each begun when it is first asked for and stopped while it is not measured."""

    def __init__(self, lib, work, args):
        import flows
        self.lib, self.work, self.args, self.flows = lib, work, args, flows
        self.up, self.ports, self.loaded, self.tuned = {}, 2, {}, None
        self.unlimited = {"upcall-rate": 0, "max-flows": 2000000, **dict(setting(kv) for kv in args.weft)}

    def get(self, name, ports=2, **settings):
        if ports != self.ports or settings != {} and name in self.up:
            self.close()
            self.ports = ports
        if name not in self.up:
            if name == "testpmd":
                s = self.lib.Testpmd("io", nports=ports)
            elif name == "weft":
                s = Weft(self.lib, f"w{ports}", ports=ports, **{**self.unlimited, **settings})
            else:
                s = Ovs(self.lib, f"o{ports}", ports, other="")
            s.pause()
            self.up[name] = s
        return self.up[name]

    def load(self, name, kind, ports=2, **settings):
        s = self.get(name, ports, **settings)
        if self.loaded.get(name) != kind:
            s.resume()
            s.of("del-flows")
            every = rows.rules4(self.flows, kind) if ports == 4 else rows.rules(self.flows, kind)
            s.of("--bundle add-flows", write(f"{self.work}/{kind}{ports}", every))
            self.loaded[name] = kind
            s.forget()
            s.pause()
        return s

    def tune(self, setting):
        """OVS with this tuning and nothing in its caches."""
        s, (other, limit) = self.up["ovs"], rows.OVS[setting]
        s.resume()
        if self.tuned != setting:
            s.base.vs("remove Open_vSwitch . other_config flow-limit "
                      "-- remove Open_vSwitch . other_config max-idle -- remove Open_vSwitch . other_config emc-insert-inv-prob "
                      "-- remove Open_vSwitch . other_config smc-enable")
            if other:
                s.base.vs("set Open_vSwitch . " + " ".join(f"other_config:{kv}" for kv in other.split()))
            self.tuned = setting
        s.base.app("revalidator/purge")
        s.base.app(f"upcall/set-flow-limit {limit}")
        s.pause()
        return s

    def close(self):
        for s in self.up.values():
            s.resume()
            s.stop()
        self.up, self.loaded, self.tuned = {}, {}, None


class Bench:
    def __init__(self, lib, work, args, past, add):
        self.lib, self.work, self.args, self.past, self.add = lib, work, args, past, add
        self.sw = Switches(lib, work, args)

    def ovs_wanted(self, name, setting):
        return sum(p["row"] == name and p["switch"] == "ovs" and p["setting"] == setting for p in self.past) < self.args.ovs

    def noted(self, row, kind, switch, setting, what):
        """Runs 'what' between two looks at the distance, and notes what it returns."""
        before = distance(self.lib)
        m = what()
        m["slices"] = [x for r in m.pop("rows", ()) for x in r["slices"]]
        m.update(row=row, kind=kind, switch=switch, setting=setting, distance=[before, distance(self.lib)])
        self.add(m)
        return m

    # --- Steady patterns

    def steady(self, row):
        def run(switch, setting, sw, warmup):
            return self.noted(row.name, "steady", switch, setting,
                              lambda: measure(self.lib, sw, rows.stream(row), slices=self.args.slices, warmup=warmup))

        tp, weft = self.sw.get("testpmd"), self.sw.load("weft", row.kind)
        for _ in range(self.args.wait * 2):
            if not self.args.near or distance(self.lib) <= self.args.near:
                break
            time.sleep(0.5)
        t = run("testpmd", "io", tp, 0.3)
        w = run("weft", "", weft, rows.warmup(row))
        if not same_distance(t, w):
            t = run("testpmd", "io", tp, 0.3)
        for setting in row.tried:
            if self.ovs_wanted(row.name, setting):
                self.sw.load("ovs", row.kind)
                o = run("ovs", setting, self.sw.tune(setting), row.ovs_warm)
                if not same_distance(t, o):
                    t = run("testpmd", "io", tp, 0.3)

    # --- New flows

    def new(self, row):
        def once(sw, n):
            sw.resume()
            before = sw.upcalls()
            g = self.lib.gen(sw.socks, [f"port=0,size=64,flows={n},once=1"], sw.watch(), warmup=0.3, clean=1)
            r = g["rows"][0]
            m = {"pps": r["rx_pps"], "rx": r["rx"], "flows": n, "upcalls": sw.upcalls() - before}
            sw.pause()
            return m

        weft = self.sw.load("weft", row.kind)
        for _ in range(2):
            weft.resume()
            weft.forget()
            self.noted(row.name, "new", "weft", "", lambda: once(weft, row.flows))
        if self.ovs_wanted(row.name, "bigfl"):
            self.sw.load("ovs", row.kind)
            for _ in range(2):
                ovs = self.sw.tune("bigfl")
                self.noted(row.name, "new", "ovs", "bigfl", lambda: once(ovs, row.ovs_flows))

    # --- Memory

    def memory(self):
        def grown(sw, n, there):
            sw.resume()
            self.lib.gen(sw.socks, ["port=0,size=64,flows=1,once=1"], sw.watch(), warmup=0.3, clean=1)
            before = rss_kb(sw.p.pid)
            self.lib.gen(sw.socks, [f"port=0,size=64,flows={n},once=1"], sw.watch(), warmup=0.3, clean=1)
            m = {"bytes": (rss_kb(sw.p.pid) - before) * 1024, "flows": there(sw)}
            m["each"] = m["bytes"] / max(m["flows"], 1)
            sw.pause()
            return m

        # Processes that have had no other flows yet: memory that is there is not touched again.
        self.sw.close()
        self.noted(rows.MEMORY, "memory", "weft", "", lambda: grown(self.sw.load("weft", "ecmp"), 1000000,
                                                                    lambda s: s.base.pmd()["pmd"][0]["flows"]))
        if self.ovs_wanted(rows.MEMORY, "bigfl"):
            self.sw.load("ovs", "ecmp")
            ovs = self.sw.tune("bigfl")
            self.noted(rows.MEMORY, "memory", "ovs", "bigfl", lambda: grown(ovs, 200000, lambda s: s.base.nflows()[0]))
        self.sw.close()

    # --- Attacks: four ports, defaults; a victim sends from the first to the second, its neighbour from the third

    def attack(self, row):
        def victim(sw, stream, rate, mine):
            """Packets a second that the victim sent and got, with a neighbour that sends 'stream' at 'rate'."""
            # Streams are told apart by the fifth byte of their MACs, which a flood of MACs would run over.
            macs = ",smacs=100,dmacs=100" if row.kind == "normal" else ""
            more = [f"port=2,size=64,learn=3,smac=02:01:00:00:00:01,dmac=02:02:00:00:00:01,{stream},rate={rate}"] if stream else []
            sw.resume()
            g = self.lib.gen(sw.socks, [f"port=0,size=64,flows=1000,dist=uniform,learn=1{macs}" + (f",rate={mine}" if mine else "")] +
                             more, sw.watch(), warmup=1, duration=0.5, repeat=8, clean=0)
            sw.pause()
            clean = [r for r in g["rows"] if r["clean"]]
            of = clean or g["rows"]
            return {"got": statistics.median(r["rx_pps_port"][1] for r in of), "sent": statistics.median(r["tx_pps_stream"][0] for r in of),
                    "neighbour": statistics.median(r["rx_pps_port"][3] for r in of), "clean": len(clean), "stream": stream, "rate": rate,
                    "mine": mine}

        def run(switch, setting, get):
            def one(**kw):
                return self.noted(row.name, "attack", switch, setting, lambda: victim(get(), **kw))

            for stream in (rows.PEACE, row.stream):
                one(stream=stream, rate=1000000, mine=0)
            for stream in (rows.PEACE, row.stream):
                one(stream=stream, rate=1000000, mine=1000000)

        defaults = {"max-flows": "auto", "upcall-rate": 50000}
        if "weft" in self.sw.up and self.sw.ports != 4:
            self.sw.close()
        weft = self.sw.up.get("weft") or self.sw.get("weft", 4, **defaults)
        self.sw.load("weft", row.kind, 4)
        run("weft", "", lambda: weft)
        if self.ovs_wanted(row.name, "default"):
            self.sw.load("ovs", row.kind, 4)
            run("ovs", "default", lambda: self.sw.tune("default"))

    # --- Latency

    def latency(self):
        flows = self.sw.flows
        churn = os.path.join(self.work, "churn")
        with open(churn, "wb") as f:
            for command in (ADD, DELETE_STRICT):
                f.writelines(flow_mod(flows, 2000000 + i, command) for i in range(1000))
        steady = "port=0,size=64,flows=1000,dist=uniform,rate=100000"
        new = f"port=2,size=64,flows=16000000,rate={rows.CHURN_FLOWS},stamp=0"

        def run(switch, setting, sw):
            def one(changing):
                sw.resume()
                pace = None
                if changing and switch != "testpmd":
                    pace = subprocess.Popen(["taskset", "-c", str(self.lib.GEN_CORE), os.path.join(BUILD, "tests", "bench", "ofpace"),
                                             sw.mgmt(), churn, str(rows.CHURN_RULES), "7"], text=True, stdout=subprocess.PIPE)
                streams = [steady, new] if changing else [steady]
                g = self.lib.gen(sw.socks, streams, sw.watch(), warmup=1, duration=4, clean=0, latency=True)
                sent = json.loads(pace.communicate()[0]) if pace else {}
                if sent.get("errors"):
                    raise RuntimeError(f"{switch}: {sent['errors']} errors to the changes of rules")
                sw.pause()
                r = g["rows"][-1]
                return {"changing": changing, "lat": r["lat_us"], "rules": sent.get("sent", 0) / 7, "new": r["tx_pps_stream"][-1],
                        "lost": 1 - r["rx_pps_port"][1] / r["tx_pps_stream"][0]}

            for changing in (False, True):
                self.noted(rows.LATENCY, "latency", switch, setting, lambda: one(changing))

        if self.sw.ports != 4 or self.sw.loaded.get("weft") != "ecmp":
            self.sw.close()
        run("testpmd", "io", self.sw.get("testpmd", 4))
        run("weft", "", self.sw.load("weft", "ecmp", 4))
        for setting in ("bigfl", "default"):
            if self.ovs_wanted(rows.LATENCY, setting):
                self.sw.load("ovs", "ecmp", 4)
                run("ovs", setting, self.sw.tune(setting))

    def run(self, name):
        for kind, table in ((self.steady, rows.STEADY), (self.new, rows.NEW), (self.attack, rows.ATTACKS)):
            for row in table:
                if row.name == name:
                    return kind(row)
        return self.memory() if name == rows.MEMORY else self.latency()

    def seconds(self, name):
        """What a round of a row will take, roughly."""
        for r in rows.STEADY:
            if r.name == name:
                each = 3 + self.args.slices / 4
                return 2 * each + rows.warmup(r) + sum(each + r.ovs_warm for s in r.tried if self.ovs_wanted(name, s))
        return 25 if any(r.name == name for r in rows.NEW) else 45


def commit():
    """The last change of the switch's own source that the build has, as far as that can be told."""
    code = ("--", "base", "tunnels", "datapath", "vhost", "ofproto", "ctl")

    def git(*args):
        return subprocess.run(["git", "-C", os.path.join(BUILD, ".."), *args, *code], text=True, capture_output=True, check=False).stdout.strip()

    return git("log", "-1", "--format=%h") + ("+" if git("status", "--porcelain", "-uno") else "")


def read(path):
    if not os.path.exists(path):
        return []
    with open(path) as f:
        return [json.loads(line) for line in f]


def run(args):
    past, begun, at = read(args.into), time.monotonic(), commit()

    def add(m):
        m.update(time=time.strftime("%Y-%m-%d %H:%M:%S"), use=int(use), commit=at)
        past.append(m)
        with open(args.into, "a") as f:
            f.write(json.dumps(m) + "\n")
        patterns_report.line(m)

    def rounds(name):
        return sum(p["row"] == name and p["switch"] == "weft" and p["commit"] == at for p in past)

    use = time.time()
    with session(5120) as (lib, work):
        # Which slices are quiet is told afterwards, from all of them: what is best here depends on where the CPUs are.
        lib.probe_best = lambda new=None: 0
        bench = Bench(lib, work, args, past, add)
        wanted = [n for n in rows.names() if re.search(args.rows, n)]
        try:
            for _ in range(args.rounds):
                done = {n: rounds(n) for n in wanted}
                for name in sorted(wanted, key=lambda n: (done[n], wanted.index(n))):
                    if time.monotonic() - begun + bench.seconds(name) + 3 < args.budget:
                        bench.run(name)
        finally:
            bench.sw.close()


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--into", help="add every measurement to this file")
    ap.add_argument("--rows", default=".", help="regular expression on the names of rows")
    ap.add_argument("--rounds", type=int, default=1, help="of each row, at most")
    ap.add_argument("--budget", type=float, default=3600, help="seconds until the last round has to be over")
    ap.add_argument("--slices", type=int, default=8, help="clean slices of 0.25 s per measurement")
    ap.add_argument("--ovs", type=int, default=1, help="rounds of OVS that the file shall have of each row; 0: none")
    ap.add_argument("--weft", action="append", default=[], metavar="KEY=VALUE", help="setting of Weft's datapath")
    ap.add_argument("--near", type=int, help="begin rounds of steady patterns when the CPUs are at most so many cycles apart")
    ap.add_argument("--wait", type=int, default=20, help="seconds to wait for that")
    ap.add_argument("--report", metavar="FILE", help="print the table of such a file")
    ap.add_argument("--svg", metavar="DIRECTORY", help="with --report: draw it, too")
    ap.add_argument("--doc", metavar="FILE", help="with --report: replace the tables in this document")
    ap.add_argument("--commit", help="with --report: Weft's figures of these builds (default: the latest of each row)")
    ap.add_argument("--list", action="store_true", help="print the names of the rows")
    ap.add_argument("--prepare", action="store_true", help="build the generator, so that no measurement has to")
    args = ap.parse_args()
    if args.list:
        print("\n".join(rows.names()))
    elif args.report:
        patterns_report.report(read(args.report), args.commit, args.svg, args.doc)
    elif args.prepare:
        load_harness("/nonexistent")
    elif args.into:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        run(args)
    else:
        ap.error("--into or --report")


if __name__ == "__main__":
    main()
