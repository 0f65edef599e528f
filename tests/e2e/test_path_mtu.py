#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A router on the way takes less than the link at home: what fits is learned from what the router says, and guests are told.

     weft-guest             weft-a (weftd)        weft-r (router)        weft-b (kernel)
   +------------+  veth  +------------------+    +---------------+    +----------------------------+
   | g0 10.0.0.1+--------+ gw0  br0  vx up0 +====+ ra         rb +====+ up0 172.17.0.2             |
   +------------+        | mtu 1500         |    | 1500     1400 |    |     2001:db8:2::2          |
                         |  172.16.0.1      |    +---------------+    |   vx4, vx6: VXLAN 42, 43   |
                         |  2001:db8:1::1   |                         |   10.0.0.2, 10.6.0.2       |
                         +------------------+                         +----------------------------+"""
import re

from lab import Lab, wait_for


def build(lab):
    guest, a, r, b = (lab.netns(n) for n in ("guest", "a", "r", "b"))
    lab.veth(a, "up0", r, "ra")
    lab.veth(b, "up0", r, "rb", mtu=1400)
    lab.addrs(a, "up0", "172.16.0.1/24 2001:db8:1::1/64")
    lab.addrs(r, "ra", "172.16.0.254/24 2001:db8:1::fe/64")
    lab.addrs(r, "rb", "172.17.0.254/24 2001:db8:2::fe/64")
    lab.addrs(b, "up0", "172.17.0.2/24 2001:db8:2::2/64")
    lab.run("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1", ns=r)
    for ns, net in ((a, 1), (b, 2)):
        lab.ip(ns, f"route add default via 172.1{5 + net}.0.254")
        lab.ip(ns, f"-6 route add default via 2001:db8:{net}::fe")
    lab.veth(guest, "g0", a, "gw0")
    lab.ip(guest, "addr add 10.0.0.1/24 dev g0")
    lab.ip(guest, "addr add 10.6.0.1/24 dev g0")
    lab.ip(b, "link add vx4 type vxlan id 42 dstport 4789 remote 172.16.0.1 local 172.17.0.2")
    lab.ip(b, "link add vx6 type vxlan id 43 dstport 4790 remote 2001:db8:1::1 local 2001:db8:2::2 udp6zerocsumrx")
    for dev, addr in (("vx4", "10.0.0.2/24"), ("vx6", "10.6.0.2/24")):
        lab.ip(b, f"addr add {addr} dev {dev}")
        lab.ip(b, f"link set {dev} mtu 1300 up")
    return guest, a, r, b


def remote(hv, port):
    ports = [p for br in hv.ctl_json("show")["bridges"] for p in br["ports"] if p["name"] == port]
    return ports[0]["tunnel"]["remotes"][0]


def shrinks(lab, hv, guest, port, dst, told):
    """The guest sends what fits at home; the router says what fits on the way."""
    lab.ok(lab.ping(guest, dst, within=15), f"{port}: small packets pass")
    lab.ok(remote(hv, port)["mtu"] == 1500, f"{port}: the link's MTU is what is known at first", remote(hv, port))
    # DF, and small enough for the tunnel as it seems.
    lab.ping(guest, dst, 2, size=1380, opts="-M do", wait=1)
    wait_for(f"{port}: the router to be heard", lambda: remote(hv, port)["mtu"] == 1400)
    lab.ok(True, f"{port}: what the router says is what fits")
    lab.run("ip route flush cache", ns=guest)
    p = lab.ping(guest, dst, 3, size=1380, opts="-M do", wait=1)
    m = re.search(r"mtu ?= ?(\d+)", p.out)
    lab.ok(p == 0 and m and int(m[1]) == told, f"{port}: guests are told, {told} bytes", p.out)
    lab.ok(lab.ping(guest, dst, 3, size=told - 28, opts="-M do", within=10), f"{port}: and what they are told passes")


def main():
    with Lab("pathmtu") as lab:
        guest, a, r, _ = build(lab)
        hv = lab.weftd("a", ns=a)
        hv.ctl("bridge add br0")
        hv.ctl("bridge add br6")
        hv.ctl("port add br0 gw0 type=netdev")
        hv.ctl("tunnel add br0 vx type=vxlan vni=42 remote=172.17.0.2")
        # The far end's MTU of 1300 is of its own frames: it takes longer ones.
        shrinks(lab, hv, guest, "vx", "10.0.0.2", 1350)
        hv.ctl("tunnel del vx")
        hv.ctl("tunnel add br0 vx6 type=vxlan vni=43 dst-port=4790 remote=2001:db8:2::2")
        shrinks(lab, hv, guest, "vx6", "10.6.0.2", 1330)
        lab.run("ip route add 2001:db8:2::2/128 via 2001:db8:1::fe mtu 1380", ns=a)
        wait_for("the route's own MTU to be taken up", lambda: remote(hv, "vx6")["mtu"] == 1380)
        lab.ok(True, "a route that says less goes before that")
        lab.ok(hv.stop() == 0, "SIGTERM ends weftd with status 0")


if __name__ == "__main__":
    main()
