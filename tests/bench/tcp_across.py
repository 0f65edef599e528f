#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""TCP between guests on two hosts, through a tunnel, Weft beside OVS-DPDK, each with its defaults, in one run.

usage: sudo tests/bench/tcp_across.py [--rounds N] [--seconds N] [--cases REGEX] [--json FILE]

    tcpload --vhost-- switch of host 1 ==wire== switch of host 2 --vhost-- tcpload

Each host's switch has a core of its own, and there are two cores here, one of which is the load's: so the two halves are
measured one after the other, the load being the wire (virtio, MTU 1600) and what is behind it.  The whole is as fast as
its slower half.  The load is tcpload: real headers, no stack, so that the switch is the limit.  Guests' frames are of 64 KiB
where the switch offers TSO (Weft; not OVS with its defaults).  STT frames cross a virtio wire uncut, VXLAN's are cut.

Switches are resident and stopped (SIGSTOP) while others are measured; a round goes through all, the median of a round's
quarters of a second is its figure, ratios are taken within a round.  Hugepages are reserved for the run and given back."""
import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time

from harness import BUILD, session
from tcp import load

MACS = ("02:00:00:aa:00:01", "02:00:00:aa:00:02")
ADDRS = ("172.16.0.1", "172.16.0.2")


def run(*argv):
    return subprocess.run(argv, check=True, text=True, capture_output=True).stdout


def make_weft(lib, kind):
    return Weft(lib, kind)


class Weft:
    def __init__(self, lib, kind):
        self.lib, self.ns = lib, f"weft-across-{kind}"
        self.d = os.path.join(lib.RUN, self.ns)
        self.socks = [os.path.join(self.d, "vm1"), os.path.join(self.d, "wire")]
        os.makedirs(os.path.join(self.d, "conf"))
        ports = [{"type": "vhost-user", "mode": "server", "socket": s, "mtu": 1600} for s in self.socks]
        doc = {"version": 1, "datapath": {"poll": "always"}, "bridges": {
            "br0": {"ports": {"vm1": ports[0], "t0": {"type": kind, "key" if kind == "stt" else "vni": 100, "remote": ADDRS[1]}}},
            "brphy": {"ports": {"wire": ports[1], "under0": {"type": "internal", "mtu": 1600, "mac": MACS[0]}}}}}
        with open(os.path.join(self.d, "conf", "weft.json"), "w") as f:
            json.dump(doc, f)
        run("ip", "netns", "add", self.ns)
        self.p = lib.spawn(["ip", "netns", "exec", self.ns, os.path.join(BUILD, "ctl", "weftd"), "--config-dir",
                            os.path.join(self.d, "conf"), "--run-dir", self.d, "--state-dir", self.d, "--lcores", str(lib.SW_CORE)],
                           lib.SW_CORE, os.path.join(self.d, "log"))
        try:
            self.wait(lambda: self.ip("link", "set", "under0", "up") and self.ip("addr", "add", ADDRS[0] + "/24", "dev", "under0"))
            self.ip("neigh", "replace", ADDRS[1], "lladdr", MACS[1], "dev", "under0", "nud", "permanent")
            self.wait(lambda: self.up("t0"))
        except Exception:
            self.stop()
            raise

    def ip(self, *args):
        return not subprocess.run(["ip", "-n", self.ns, *args], check=False, capture_output=True).returncode

    def up(self, name):
        out = run(os.path.join(BUILD, "ctl", "weftctl"), "--run-dir", self.d, "--json", "show")
        return any(p["up"] for b in json.loads(out)["bridges"] for p in b["ports"] if p["name"] == name)

    def wait(self, cond):
        end = time.monotonic() + 20
        while not cond():
            if self.p.poll() is not None or time.monotonic() > end:
                with open(os.path.join(self.d, "log")) as f:
                    raise RuntimeError("weftd: " + f.read())
            time.sleep(0.1)

    def pause(self):
        os.kill(self.p.pid, self.lib.signal.SIGSTOP)

    def resume(self):
        os.kill(self.p.pid, self.lib.signal.SIGCONT)

    def stop(self):
        self.lib.stop_pid(self.p)
        subprocess.run(["ip", "netns", "del", self.ns], check=False, capture_output=True)


def make_ovs(lib, kind):
    o = lib.OVS(tag="x")
    inner, outer = "swbint" + o.tag, "swbphy" + o.tag
    try:
        o.bridge(inner)
        o.bridge(outer, MACS[0])
        o.port(inner, "v1", 1)
        o.port(outer, "v2", 2)
        o.vs("set interface v1 mtu_request=1600 -- set interface v2 mtu_request=1600")
        o.vs(f"add-port {inner} t0 -- set interface t0 type={kind} ofport_request=10 options:remote_ip={ADDRS[1]} "
             f"options:local_ip={ADDRS[0]} options:key=100")
        run("ip", "-n", o.ns, "addr", "add", ADDRS[0] + "/24", "dev", outer)
        run("ip", "-n", o.ns, "link", "set", outer, "up")
        time.sleep(1)
        o.app(f"tnl/neigh/set {outer} {ADDRS[1]} {MACS[1]}")
        for br, a, b in ((inner, "1", "10"), (outer, "LOCAL", "2")):
            o.of(f"add-flow {br} in_port={a},actions=output:{b}")
            o.of(f"add-flow {br} in_port={b},actions=output:{a}")
    except Exception:
        o.stop()
        raise
    return o


class Turned:
    """A switch whose wire is where the sender is."""
    def __init__(self, sw):
        self.socks = sw.socks[::-1]


CASES = (("ovs vxlan", make_ovs, "vxlan", ()), ("weft vxlan", make_weft, "vxlan", ()), ("weft stt", make_weft, "stt", ()),
         ("weft vxlan, no TSO", make_weft, "vxlan", ("mss",)), ("weft stt, no TSO", make_weft, "stt", ("mss",)))


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


def measure(lib, args):
    switches, cases = {}, [c for c in CASES if re.search(args.cases, c[0])]
    rows = {c[0]: [] for c in cases}
    try:
        for _, make, kind, _ in cases:
            if (make, kind) not in switches:
                switches[make, kind] = make(lib, kind)
                switches[make, kind].pause()
        for r in range(args.rounds):
            for case, make, kind, mode in cases:
                rows[case].append(halves(lib, switches[make, kind], kind, mode, args.seconds))
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
    with session(4096) as (lib, _):
        rows = measure(lib, args)
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
