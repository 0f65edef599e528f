#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The OpenFlow side of Weft beside OVS-DPDK, on one machine in one run.

usage: sudo tests/bench/openflow.py [--rounds N] [--cases REGEX] [--json FILE]

  load      100,000 exact rules through `ovs-ofctl add-flows`, plain (which waits for a barrier after each) and in a
            bundle; and as one stream of messages.  The switch's control threads share the generator's core with the
            client, its polling thread has the other one; no traffic.  Then both as they come: control threads run
            where there is room, and Weft polls adaptively, so that there is room beside a thread that sleeps.
  setup     new flows per second: every packet needs a megaflow of its own.
  memory    resident bytes per rule.
  dump      dump-flows of a million rules while packets run: lost packets, growth of memory.
  churn     a stream at half load while 100,000 rules are loaded: loss, p99 latency.

Uses the load generator and the harness of ../shared/bench (or $WEFT_SHARED/bench), like compare.py.  OVS takes part in
load, setup and memory; rounds alternate between the two, and ratios are taken within a round."""
import argparse
import json
import os
import re
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import make_weft, session       # noqa: E402

N_RULES = 100000
ECMP = "multipath(symmetric_l4,0,hrw,1,0,NXM_NX_REG0[]),output:2"


def wide(flows):
    """4 tables of 1,000 rules, of which the last one hashes every 5-tuple: each packet has its own megaflow."""
    for t in range(3):
        for i in range(1000):
            match = (f"tp_src={1024 + i}", f"tp_dst={1 + i}", f"nw_src=10.{i // 4}.{i % 4 * 64}.0/18")[t]
            yield f"table={t},priority=10,udp,{match},actions=goto_table:{t + 1}"
        yield f"table={t},priority=1,actions=goto_table:{t + 1}"
    for i in range(999):
        yield f"table=3,priority=10,udp,nw_dst=20.{i // 4}.{i % 4 * 64}.0/18,actions={ECMP}"
    yield f"table=3,priority=1,actions={ECMP}"


def rss_kb(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


class Weft:
    """weftd with vhost-user ports, its rules through the bridge's local socket."""
    name = "weft"

    def __init__(self, lib, tag="w", ports=2, **settings):
        self.lib = lib
        self.base = make_weft(lib)(tag, settings={"max-flows": 2000000, "upcall-rate": 0, **settings}, ports=ports)
        self.pmd = self.base.pmd
        self.p, self.socks = self.base.p, self.base.socks
        self.br = "unix:" + os.path.join(self.base.d, "run", "br0.mgmt")
        self.env = dict(os.environ)
        self.of("del-flows")

    def of(self, cmd, *args, **kw):
        return subprocess.run(["ovs-ofctl", "-O", "OpenFlow14", *cmd.split(), self.br, *args], check=True, text=True,
                              capture_output=True, **kw).stdout

    def mains(self):
        return {t for t, nm in self.lib.threads(self.p.pid).items() if not nm.startswith("pmd")}

    def mgmt(self):
        return self.br[len("unix:"):]

    def watch(self):
        return self.base.watch()

    def upcalls(self):
        return sum(p["upcalls"] for p in self.base.ask("stats", what="pmd")["pmd"])

    def forget(self):
        self.base.ask("flow.flush")

    def counters(self):
        """Packets that were taken, sent and dropped, once they have stopped to grow."""
        last, end = None, time.monotonic() + 5
        while time.monotonic() < end:
            st = json.loads(self.base.ctl("stats"))
            ports = {p["name"]: p for p in st["ports"]}
            now = {"taken": ports["v1"]["rx_packets"], "sent": ports["v2"]["tx_packets"],
                   "dropped": sum(ports[v]["drops"].get(r, 0) for v in ("v1", "v2") for r in ports[v]["drops"])}
            if now == last:
                return now
            last = now
            time.sleep(0.3)
        raise RuntimeError("packets go on and on")

    def pids(self):
        return [self.p.pid]

    def pause(self):
        self.base.pause()

    def resume(self):
        self.base.resume()

    def stop(self):
        self.base.stop()


class Ovs:
    name = "ovs"

    def __init__(self, lib, tag="o", ports=2, other="other_config:flow-limit=2000000 other_config:max-idle=60000"):
        self.lib = lib
        self.base = lib.OVS(other, tag=tag)
        self.base.bridge(self.base.br)
        for n in range(1, ports + 1):
            self.base.port(self.base.br, f"v{n}", n)
        self.p, self.socks, self.br, self.env = self.base.p, self.base.socks, self.base.br, self.base.env

    def of(self, cmd, *args, **kw):
        return subprocess.run(["ovs-ofctl", "-O", "OpenFlow14", *cmd.split(), self.br, *args], check=True, text=True,
                              capture_output=True, env=self.env, **kw).stdout

    def mains(self):
        return {t for t, nm in self.lib.threads(self.p.pid).items() if not nm.startswith("pmd")}

    def mgmt(self):
        return os.path.join(self.base.d, self.br + ".mgmt")

    def watch(self):
        return self.base.watch()

    def upcalls(self):
        return self.base.stats().get("miss with success upcall", 0)

    def forget(self):
        self.base.app("revalidator/purge")
        self.base.app("upcall/set-flow-limit 2000000")
        time.sleep(1)

    def pause(self):
        self.base.pause()

    def resume(self):
        self.base.resume()

    def stop(self):
        self.base.stop()


def own_core(lib, sw):
    for t in sw.mains():
        os.sched_setaffinity(t, {lib.GEN_CORE})


def any_core(lib, sw):
    for t in sw.mains():
        os.sched_setaffinity(t, {lib.SW_CORE, lib.GEN_CORE})


def count(sw):
    return int(re.search(r"flow_count=(\d+)", sw.of("dump-aggregate")).group(1))


def load(lib, sw, path, bundle):
    """Rules per second of one add-flows."""
    sw.of("del-flows")
    t = time.monotonic()
    subprocess.run(["taskset", "-c", str(lib.GEN_CORE), "ovs-ofctl", "-O", "OpenFlow14", *(["--bundle"] if bundle else []),
                    "add-flows", sw.br, path], check=True, env=sw.env)
    took = time.monotonic() - t
    n = count(sw)
    if n != N_RULES:
        raise RuntimeError(f"{sw.name}: {n} rules of {N_RULES}")
    return n / took


ADD, DELETE_STRICT = 0, 4


def flow_mod(flows, i, command=ADD):
    """A FLOW_MOD of OpenFlow 1.4 for the rule of flow 'i' on its whole 5-tuple."""
    src, dst, sport, dport = flows.flow(i)
    oxm = (struct.pack("!IH", 0x80000a02, 0x0800) + struct.pack("!IB", 0x80001401, 17) +
           struct.pack("!II", 0x80001604, src) + struct.pack("!II", 0x80001804, dst) +
           struct.pack("!IH", 0x80001e02, sport) + struct.pack("!IH", 0x80002002, dport))
    match = struct.pack("!HH", 1, 4 + len(oxm)) + oxm
    match += bytes(-len(match) % 8)
    acts = struct.pack("!HHI", 4, 24, 0) + struct.pack("!HHIH6x", 0, 16, 2, 0)
    body = struct.pack("!QQBBHHHIIIHH", 0, 0, 0, command, 0, 0, 100, 0xffffffff, 0xffffffff, 0xffffffff, 0, 0) + match + acts
    return struct.pack("!BBHI", 5, 14, 8 + len(body), i + 10) + body


def messages(flows):
    """The same rules as FLOW_MODs, one after the other, and a barrier."""
    return b"".join(flow_mod(flows, i) for i in range(N_RULES)) + struct.pack("!BBHI", 5, 20, 8, 7)


def pipelined(lib, sw, data):
    """Rules per second from a controller that does not wait for each: all messages, then the barrier's reply."""
    sw.of("del-flows")
    s = socket.socket(socket.AF_UNIX)
    s.connect(sw.mgmt())
    s.sendall(struct.pack("!BBHI", 5, 0, 8, 1))
    os.sched_setaffinity(0, {lib.GEN_CORE})
    try:
        t = time.monotonic()
        sender = threading.Thread(target=s.sendall, args=(data,))
        sender.start()
        buf = b""
        while True:
            buf += s.recv(65536)
            while len(buf) >= 8 and len(buf) >= struct.unpack("!H", buf[2:4])[0]:
                kind, n = buf[1], struct.unpack("!H", buf[2:4])[0]
                if kind == 1:
                    raise RuntimeError(f"{sw.name}: error {buf[:n].hex()}")
                if kind == 21:
                    sender.join()
                    took = time.monotonic() - t
                    s.close()
                    if count(sw) != N_RULES:
                        raise RuntimeError(f"{sw.name}: {count(sw)} rules of {N_RULES}")
                    return N_RULES / took
                buf = buf[n:]
    finally:
        os.sched_setaffinity(0, range(os.cpu_count()))


def setup(lib, sw, n=100000):
    """New flows per second: each of n flows once, as fast as they are taken."""
    sw.forget()
    before = sw.upcalls()
    g = lib.gen(sw.socks, [f"port=0,size=64,flows={n},once=1"], sw.watch(), warmup=0.3, repeat=1, clean=1)
    r = g["rows"][0]
    return {"pps": r["rx_pps"], "rx": r["rx"], "ups": (sw.upcalls() - before) / r["sec"]}


def bytes_per_rule(lib, sw, path, n):
    sw.of("del-flows")
    before = rss_kb(sw.p.pid)
    sw.of("--bundle add-flows", path)
    return (rss_kb(sw.p.pid) - before) * 1024 / n


def under_load(lib, sw, rate, work):
    """Runs 'work' while a stream of 'rate' packets a second passes; what the generator saw, and what work returned."""
    out = {}

    def run():
        time.sleep(2)
        out["work"] = work()

    t = threading.Thread(target=run)
    t.start()
    g = lib.gen(sw.socks, [f"port=0,size=64,rate={rate}"], sw.watch(), warmup=0.5, duration=12, clean=48, latency=True)
    t.join()
    return g, out["work"]


def lost(g):
    return g["total"]["tx"] - g["total"]["rx"] if g["total"] else None


class Peak:
    """Highest resident size of a process while it is watched."""

    def __init__(self, lib, pid):
        self.start = self.top = rss_kb(pid)
        self.stop = threading.Event()
        self.t = threading.Thread(target=self.run, args=(lib, pid))
        self.t.start()

    def run(self, lib, pid):
        while not self.stop.wait(0.02):
            self.top = max(self.top, rss_kb(pid))

    def end(self):
        self.stop.set()
        self.t.join()
        return (self.top - self.start) / 1024


def write(path, lines):
    with open(path, "w") as f:
        f.writelines(line + "\n" for line in lines)
    return path


def row(what, weft, ovs, unit):
    w = statistics.median(weft)
    text = f"{what:<46} {w:>12,.0f} {unit:<9}"
    if ovs:
        text += f" OVS {statistics.median(ovs):>10,.0f}   {statistics.median(a / b for a, b in zip(weft, ovs)):.2f} x"
    print(text, flush=True)


def rounds(lib, args, switches, one):
    """Measures both in turn; the one that waits is stopped."""
    out = {s.name: [] for s in switches}
    for _ in range(args.rounds):
        for s in switches:
            s.resume()
            out[s.name].append(one(s))
            s.pause()
    for s in switches:
        s.resume()
    return out


def load_as_they_come(lib, args, switches, path, figures):
    """With a Weft of its own, which polls as it does by default."""
    ovs = switches[1]
    for s in switches:
        s.pause()
    weft = Weft(lib, "d", poll="adaptive")
    switches.append(weft)
    for s in (weft, ovs):
        any_core(lib, s)
    for bundle in (False, True):
        r = rounds(lib, args, (weft, ovs), lambda s: load(lib, s, path, bundle))
        row(f"load, defaults{', in a bundle' if bundle else ''}", r["weft"], r["ovs"], "rules/s")
        figures[f"load-defaults{'-bundle' if bundle else ''}"] = r
    switches.remove(weft)
    weft.stop()
    own_core(lib, ovs)
    for s in switches:
        s.resume()


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--cases", default=".", help="regular expression on load, setup, memory, dump, churn")
    ap.add_argument("--json", help="write every figure to this file")
    args = ap.parse_args()
    figures = {}
    with session(4608) as (lib, work):
        run(lib, work, args, figures)
    if args.json:
        with open(args.json, "w") as f:
            json.dump(figures, f, indent=1)


def run(lib, work, args, figures):
    import flows
    switches = []

    def wanted(name):
        return re.search(args.cases, name)

    try:
        switches = [Weft(lib), Ovs(lib)]
        weft, ovs = switches
        for s in switches:
            own_core(lib, s)
            s.pause()
        exact = write(f"{work}/exact", flows.exact(N_RULES))
        if wanted("load"):
            for bundle in (False, True):
                r = rounds(lib, args, switches, lambda s: load(lib, s, exact, bundle))
                row(f"load {N_RULES} rules{', in a bundle' if bundle else ''}", r["weft"], r["ovs"], "rules/s")
                figures[f"load{'-bundle' if bundle else ''}"] = r
            data = messages(flows)
            r = rounds(lib, args, switches, lambda s: pipelined(lib, s, data))
            row(f"load {N_RULES} rules, one stream of messages", r["weft"], r["ovs"], "rules/s")
            figures["load-stream"] = r
            load_as_they_come(lib, args, switches, exact, figures)
        if wanted("setup"):
            tables = write(f"{work}/wide", wide(flows))
            for name, path in (("4 tables of 1,000 rules", tables), ("100,000 exact rules", exact)):
                for s in switches:
                    s.resume()
                    s.of("del-flows")
                    s.of("--bundle add-flows", path)
                    s.pause()
                r = rounds(lib, args, switches, lambda s: setup(lib, s))
                row(f"new flows, {name}", [x["pps"] for x in r["weft"]], [x["pps"] for x in r["ovs"]], "flows/s")
                figures[f"setup {name}"] = r
        if wanted("memory"):
            million = write(f"{work}/million", flows.exact(1000000))
            weft.resume()
            ovs.resume()
            figures["memory"] = {"weft": [bytes_per_rule(lib, weft, million, 1000000)],
                                 "ovs": [bytes_per_rule(lib, ovs, exact, N_RULES)]}
            row("memory per rule (1,000,000; OVS 100,000)", figures["memory"]["weft"], figures["memory"]["ovs"], "bytes")
            ovs.pause()
        if wanted("dump"):
            weft.resume()
            if count(weft) < 1000000:
                weft.of("--bundle add-flows", write(f"{work}/million", flows.exact(1000000)))
            weft.of("add-flow", "priority=60000,in_port=1,actions=output:2")

            def dump():
                peak, t = Peak(lib, weft.p.pid), time.monotonic()
                with open(f"{work}/dump", "w") as f:
                    subprocess.run(["ovs-ofctl", "-O", "OpenFlow14", "dump-flows", weft.br], check=True, stdout=f)
                n = sum(1 for _ in open(f"{work}/dump"))
                return {"rules": n, "s": time.monotonic() - t, "mb": peak.end()}

            before = weft.counters()
            g, d = under_load(lib, weft, 1000000, dump)
            after = weft.counters()
            c = {k: after[k] - before[k] for k in after}
            figures["dump"] = dict(d, lost=lost(g), **c)
            print(f"dump of {d['rules']} rules in {d['s']:.1f} s at 1 Mpps: memory grew {d['mb']:.1f} MB; generator missed "
                  f"{lost(g)} packets: the switch left {g['total']['tx'] - c['taken']} in the ring, took {c['taken']}, sent "
                  f"{c['sent']}, dropped {c['dropped']}", flush=True)
        if wanted("churn"):
            weft.resume()
            weft.of("del-flows")
            weft.of("add-flow", "priority=60000,in_port=1,actions=output:2")
            quiet, _ = under_load(lib, weft, 2000000, lambda: time.sleep(4))

            def churn():
                t = time.monotonic()
                weft.of("add-flows", exact)
                return N_RULES / (time.monotonic() - t)

            busy, rate = under_load(lib, weft, 2000000, churn)
            figures["churn"] = {"quiet": quiet["rows"], "busy": busy["rows"], "rate": rate}
            for name, g in (("at rest", quiet), (f"while {rate:,.0f} rules/s are loaded", busy)):
                t = g["rows"][-1].get("lat_us", {})
                print(f"2 Mpps {name}: lost {lost(g)}, latency p50 {t.get('p50')} p99 {t.get('p99')} us", flush=True)
    finally:
        for s in switches:
            s.resume()
            s.stop()


if __name__ == "__main__":
    main()
