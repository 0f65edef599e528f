#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Underlays that are on a bridge of the switch, in a VLAN of its trunk; and tunnels that never leave the host.

     weft-ub-ga             weft-ub-a (weftd)                 weft-ub-b (weftd)            weft-ub-gb
   +------------+ veth +---------------------+           +---------------------+ veth +------------+
   | g0 10.0.0.1+------+ gw0   br0   vx0     |           |     vx0   br0   gw0 +------+ g0 10.0.0.2|
   +------------+      | uplink  brphy  under0|  veth    | under0 brphy  uplink|      +------------+
                       |  trunk   tag=100 .1 -+==========+- .2 tag=100   trunk |
                       +---------------------+ VLAN 100  +---------------------+"""
import re

from lab import Lab, wait_for


def host(lab, ns, n, uplink=""):
    """A switch with its uplink on a bridge, and the host's own leg there in VLAN 100."""
    hv = lab.weftd("ab"[n - 1], ns=ns)
    hv.ctl("bridge add brphy")
    hv.ctl(f"port add brphy uplink type=netdev {uplink}")
    hv.ctl("port add brphy under0 type=internal tag=100 mtu=1600")
    for net in (f"172.16.0.{n}/24", f"fd16::{n}/64"):
        lab.ip(ns, f"addr add {net} dev under0")
    lab.ip(ns, "link set under0 up")
    hv.ctl("bridge add br0")
    hv.ctl("port add br0 gw0 type=netdev")
    return hv


def first(hv, port="vx0"):
    ports = next(b for b in hv.ctl_json("show")["bridges"] if b["name"] == "br0")["ports"]
    return next(p for p in ports if p["name"] == port)["tunnel"]["remotes"][0]


def ping(lab, ns, dst, count=1, size=56):
    p = lab.run(f"ping -n -c {count} -s {size} -i 0.05 -W 1 {dst}", ns=ns, check=False)
    m = re.search(r"(\d+) received", p.stdout)
    return int(m.group(1)) if m else 0


def seen(lab, ns, what, during):
    """What tcpdump says of three packets on the wire."""
    dump = lab.spawn("tcpdump", ["tcpdump", "-lnnei", "uplink", "-c", "3", *what.split()], ns=ns)
    wait_for("tcpdump", lambda: "listening on" in dump.tail(), 5)
    during()
    wait_for("three packets", lambda: not dump.alive(), 10)
    return dump.tail(20)


def tagged(lab, a, b, ga, ns_b):
    for kind, net, match in (("vxlan", "172.16.0.", "vlan 100 and udp port 4789"), ("geneve", "fd16::", "vlan 100 and ip6"),
                             ("gre", "172.16.0.", "vlan 100 and proto gre"), ("stt", "172.16.0.", "vlan 100 and tcp port 7471")):
        options = f"br0 vx0 type={kind} {'vni=7 ' if kind in ('vxlan', 'geneve') else ''}"
        a.ctl(f"tunnel add {options} remote={net}2")
        b.ctl(f"tunnel add {options} remote={net}1")
        wait_for("an answer", lambda: ping(lab, ga, "10.0.0.2"), 15)
        text = seen(lab, ns_b, match, lambda: ping(lab, ga, "10.0.0.2", 5))
        good = [ping(lab, ga, "10.0.0.2", 5, size) for size in (56, 1400)]
        lab.ok(good == [5, 5] and first(a)["via"] == "under0" and "vlan 100" in text,
               f"{kind} in VLAN 100 of a trunk: out with the tag, and in", f"{good} {first(a)} {text}")
        for hv in (a, b):
            hv.ctl("tunnel del vx0")


def other_vlan(lab, a, b, ga):
    """Tunnel packets of another VLAN are not the underlay's."""
    for hv, n in ((a, 2), (b, 1)):
        hv.ctl(f"tunnel add br0 vx0 type=vxlan vni=7 remote=172.16.0.{n}")
    wait_for("an answer", lambda: ping(lab, ga, "10.0.0.2"), 15)
    b.ctl("port set uplink trunks=200")
    wait_for("silence", lambda: not ping(lab, ga, "10.0.0.2"), 10)
    b.ctl("port set uplink trunks=100,200")
    wait_for("an answer", lambda: ping(lab, ga, "10.0.0.2"), 40)
    lab.ok(ping(lab, ga, "10.0.0.2", 5) == 5, "a trunk without the VLAN carries no tunnel; with it again, it does")
    for hv in (a, b):
        hv.ctl("tunnel del vx0")


def within_this_host(lab, hv, guest, a):
    """Two bridges, joined by two tunnel ports whose addresses are both the host's own."""
    lab.veth(guest, "g1", a, "gw1")
    other = lab.netns("ub-g2")
    lab.ip(guest, f"link set g1 netns {other}")
    lab.ip(other, "link set g1 up")
    lab.ip(other, "addr add 10.0.0.3/24 dev g1")
    lab.ip(a, "addr add 172.20.0.1/32 dev lo")
    lab.ip(a, "addr add 172.20.0.5/32 dev lo")
    lab.ip(a, "addr add fd20::5/128 dev lo")
    lab.ip(a, "addr add fd20::1/128 dev lo")
    hv.ctl("bridge add br1")
    hv.ctl("port add br1 gw1 type=netdev")
    for kind, near, far in (("vxlan", "172.20.0.1", "172.20.0.5"), ("gre", "172.20.0.1", "172.20.0.5"), ("geneve", "fd20::1", "fd20::5"),
                            ("stt", "172.20.0.1", "172.20.0.5")):
        hv.ctl(f"tunnel add br0 l0 type={kind} {'' if kind in ('gre', 'stt') else 'vni=7'} local={near} remote={far}")
        r = first(hv, "l0")
        alone = r["state"] == "no-route" and "give another tunnel port here that address" in r["reason"]
        bfd = " bfd=true bfd-min-tx=100 bfd-min-rx=100" if kind == "geneve" else ""
        hv.ctl(f"tunnel add br1 l1 type={kind} {'' if kind in ('gre', 'stt') else 'vni=7'} local={far} remote={near}{bfd}")
        if bfd:
            hv.ctl(f"tunnel set l0{bfd}")
        wait_for("an answer", lambda: ping(lab, guest, "10.0.0.3"), 10)
        good = [ping(lab, guest, "10.0.0.3", 5, size) for size in (56, 1400, 8000)]
        lab.ok(alone and good == [5, 5, 5], f"{kind}: two tunnel ports of one switch are each other's end", f"{r} {good}")
        if bfd:
            wait_for("BFD", lambda: first(hv, "l0")["bfd"]["state"] == "up", 10)
        hv.ctl("tunnel del l0")
        hv.ctl("tunnel del l1")


def main():
    with Lab("underlay-bridge") as lab:
        ga, ns_a, ns_b, gb = (lab.netns("ub-" + n) for n in ("ga", "a", "b", "gb"))
        lab.veth(ns_a, "uplink", ns_b, "uplink", mtu=1620)
        for g, ns, n in ((ga, ns_a, 1), (gb, ns_b, 2)):
            lab.veth(g, "g0", ns, "gw0")
            lab.ip(g, f"addr add 10.0.0.{n}/24 dev g0")
        a, b = host(lab, ns_a, 1), host(lab, ns_b, 2)
        tagged(lab, a, b, ga, ns_b)
        other_vlan(lab, a, b, ga)
        within_this_host(lab, a, ga, ns_a)
        lab.ok([hv.stop() for hv in (a, b)] == [0, 0], "SIGTERM ends both with status 0")


if __name__ == "__main__":
    main()
