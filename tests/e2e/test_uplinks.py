#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Uplinks as hosts have them: VLAN devices, bonds, IPv4 over IPv6 next hops, equal routes, a large routing table.

     weft-up-guest          weft-up-a (weftd)                         weft-up-b (kernel)
   +------------+ veth +-----------------------+             +-------------------------------+
   | g0 10.0.0.1+------+ gw0  br0  vx0 -+      |    veth     |  wire, wire.100    vxlan0     |
   |            |      |     (wire, wire.100) -+=============+                    10.0.0.2   |
   |            |      |     (bond0: u1, u2)  -+====== 2 ====+  bond0: u1, u2                |
   +------------+      +-----------------------+             +-------------------------------+"""

from lab import Lab, wait_for

ROUTES = 100000


def build(lab):
    guest, a, b = (lab.netns("up-" + n) for n in ("guest", "a", "b"))
    lab.veth(guest, "g0", a, "gw0")
    lab.ip(guest, "addr add 10.0.0.1/24 dev g0")
    lab.veth(a, "wire", b, "wire", mtu=1600)
    for ns, n in ((a, 1), (b, 2)):
        lab.ip(ns, f"addr add 172.16.0.{n}/24 dev wire")
    return guest, a, b


def first(hv):
    ports = next(b for b in hv.ctl_json("show")["bridges"] if b["name"] == "br0")["ports"]
    return next(p for p in ports if p["name"] == "vx0")["tunnel"]["remotes"][0]


def rx(lab, ns, dev):
    return int(lab.run(f"cat /sys/class/net/{dev}/statistics/rx_packets", ns=ns).stdout)


def tunnel(lab, hv, b, ours, far):
    """The same tunnel over other addresses."""
    lab.ip(b, "link del vxlan0", check=False)
    lab.ip(b, f"link add vxlan0 address 02:57:00:b0:00:01 type vxlan id 42 dstport 4789 local {far} remote {ours}")
    lab.ip(b, "addr add 10.0.0.2/24 dev vxlan0")
    lab.ip(b, "link set vxlan0 mtu 1400 up")
    hv.ctl("tunnel del vx0", check=False)
    hv.ctl(f"tunnel add br0 vx0 type=vxlan vni=42 remote={far}")


def answers(lab, guest, what):
    wait_for(what, lambda: lab.ping(guest, "10.0.0.2", 1), 15)
    return lab.ping(guest, "10.0.0.2", 10) == 10


def vlan(lab, hv, guest, a, b):
    for ns, n in ((a, 1), (b, 2)):
        if lab.ip(ns, "link add link wire name wire.100 type vlan id 100", check=False).returncode:
            lab.skip("a VLAN device is an uplink", "this kernel has no VLAN devices")
            return
        lab.ip(ns, f"addr add 172.17.0.{n}/24 dev wire.100")
        lab.ip(ns, "link set wire.100 mtu 1500 up")
    tunnel(lab, hv, b, "172.17.0.1", "172.17.0.2")
    good = answers(lab, guest, "over a VLAN")
    before = rx(lab, b, "wire.100")
    good = good and lab.ping(guest, "10.0.0.2", 5) == 5 and rx(lab, b, "wire.100") - before >= 5
    lab.ok(good and first(hv)["via"] == "wire.100", "a VLAN device is an uplink, and its frames are tagged", first(hv))


def bond(lab, hv, guest, a, b):
    for n in (1, 2):
        lab.veth(a, f"u{n}", b, f"u{n}", mtu=1600)
    for ns, n in ((a, 1), (b, 2)):
        if lab.ip(ns, "link add bond0 type bond mode active-backup miimon 50", check=False).returncode:
            lab.skip("a bond is an uplink", "this kernel has no bonding")
            return
        for u in ("u1", "u2"):
            lab.ip(ns, f"link set {u} down")
            lab.ip(ns, f"link set {u} master bond0")
            lab.ip(ns, f"link set {u} up")
        lab.ip(ns, f"addr add 172.18.0.{n}/24 dev bond0")
        lab.ip(ns, "link set bond0 mtu 1600 up")
    tunnel(lab, hv, b, "172.18.0.1", "172.18.0.2")
    lab.ok(answers(lab, guest, "over a bond") and first(hv)["via"] == "bond0", "a bond is an uplink", first(hv))
    for ns in (a, b):
        lab.ip(ns, "link set u1 down")
    lab.ok(answers(lab, guest, "over the other leg"), "one of its legs goes: traffic takes the other")


def over_ipv6(lab, hv, guest, a, b):
    for ns, n in ((a, 1), (b, 2)):
        lab.ip(ns, f"addr add 172.19.0.{n}/32 dev lo")
        lab.ip(ns, f"addr add fe80::{n}/64 dev wire")
    lab.ip(a, "route add 172.19.0.2/32 via inet6 fe80::2 dev wire src 172.19.0.1")
    lab.ip(b, "route add 172.19.0.1/32 via inet6 fe80::1 dev wire src 172.19.0.2")
    tunnel(lab, hv, b, "172.19.0.1", "172.19.0.2")
    lab.ok(answers(lab, guest, "over IPv6 next hops") and first(hv)["next_hop"] == "fe80::2",
           "an IPv4 tunnel takes a link-local IPv6 next hop", first(hv))


def equal_routes(lab, hv, guest, a, b):
    """Two wires to the same host; the kernel chooses, and chooses anew when one goes."""
    lab.veth(a, "w2", b, "w2", mtu=1600)
    for ns, n in ((a, 1), (b, 2)):
        lab.ip(ns, f"addr add 172.21.0.{n}/24 dev w2")
        lab.ip(ns, f"addr add 172.20.0.{n}/32 dev lo")
        lab.ip(ns, f"route add 172.20.0.{3 - n}/32 src 172.20.0.{n} nexthop via 172.16.0.{3 - n} dev wire "
                   f"nexthop via 172.21.0.{3 - n} dev w2")
    tunnel(lab, hv, b, "172.20.0.1", "172.20.0.2")
    good = answers(lab, guest, "over one of two routes")
    used = first(hv)["via"]
    lab.ok(good and used in ("wire", "w2"), "of equal routes one is taken", first(hv))
    for ns in (a, b):
        lab.ip(ns, f"link set {used} down")
    lab.ok(answers(lab, guest, "over the other route") and first(hv)["via"] != used, "it goes: the other is taken", first(hv))
    for ns in (a, b):
        lab.ip(ns, f"link set {used} up")


def own_address(lab, hv):
    hv.ctl("tunnel del vx0")
    hv.ctl("tunnel add br0 vx0 type=vxlan vni=42 remote=172.16.0.1")
    r = first(hv)
    lab.ok(r["state"] == "no-route" and "address of this host itself" in r["reason"], "a remote that we are ourselves is told so", r)


def many_routes(lab, hv, guest, a, b):
    tunnel(lab, hv, b, "172.16.0.1", "172.16.0.2")
    answers(lab, guest, "before many routes")
    rss, cpu = hv.rss_mb(), hv.proc.cpu_seconds()
    path = f"{lab.state}/routes"
    for verb in ("add", "del"):
        with open(path, "w") as f:
            f.writelines(f"route {verb} 100.{n >> 16 & 63}.{n >> 8 & 255}.{n & 255}/32 via 172.16.0.2\n" for n in range(ROUTES))
        lab.run(f"ip -batch {path}", ns=a, timeout=60)
        lab.ok(lab.ping(guest, "10.0.0.2", 5) == 5 and first(hv)["state"] == "ready", f"{ROUTES} routes: {verb}, traffic goes on")
    more, spent = hv.rss_mb() - rss, hv.proc.cpu_seconds() - cpu
    lab.diag(f"{ROUTES} routes come and go: {more:.1f} MB more, {spent:.2f} s of CPU")
    lab.ok(more < 4 and spent < 0.4, "none of them is remembered, or read", f"{more:.1f} MB, {spent:.2f} s")


def main():
    with Lab("uplinks") as lab:
        guest, a, b = build(lab)
        hv = lab.weftd("a", ns=a)
        hv.ctl("bridge add br0")
        hv.ctl("port add br0 gw0 type=netdev")
        vlan(lab, hv, guest, a, b)
        bond(lab, hv, guest, a, b)
        over_ipv6(lab, hv, guest, a, b)
        equal_routes(lab, hv, guest, a, b)
        own_address(lab, hv)
        many_routes(lab, hv, guest, a, b)
        lab.ok(hv.stop() == 0, "SIGTERM ends weftd with status 0")


if __name__ == "__main__":
    main()
