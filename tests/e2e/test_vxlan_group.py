#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""VXLAN that floods to an IP multicast group, with two Linux hosts as the other members, over IPv4 and over IPv6.

     weft-grp-guest          weft-grp-a (weftd)         weft-grp-lan             weft-grp-b (kernel)
   +------------+ veth +----------------------+      +-----------------+       +----------------------+
   | g0 10.0.0.1+------+ gw0  br0  vx0 -+     |      |     bridge      +=======+ wire  vxlan0 10.0.0.2|
   |            |      |                +wire +======+  IGMP snooping  |       +----------------------+
   +------------+      +----------------------+      |  and querier    |         weft-grp-c (kernel)
                         172.16.0.1, fd16::1         |                 |       +----------------------+
   Groups 239.1.1.1 and ff05::4242.  A frame to a    |                 +=======+ wire  vxlan0 10.0.0.3|
   group reaches only who has joined.                +-----------------+       +----------------------+"""
import re

from lab import Lab, wait_for

ROWS = (("IPv4", "239.1.1.1", "172.16.0.{}", "01:00:5e:01:01:01"), ("IPv6", "ff05::4242", "fd16::{}", "33:33:00:00:42:42"))


def build(lab):
    guest, a, lan, b, c = (lab.netns("grp-" + n) for n in ("guest", "a", "lan", "b", "c"))
    # It asks every 2 s: what is said before a port forwards is lost.
    lab.lan(lan, [(ns, f"172.16.0.{n}/24 fd16::{n}/64") for ns, n in ((a, 1), (b, 2), (c, 3))],
            opts="mcast_snooping 1 mcast_querier 1 mcast_query_response_interval 100 mcast_startup_query_interval 100 "
                 "mcast_query_interval 200")
    # A querier needs an address of its own.
    lab.addrs(lan, "lan0", "172.16.0.250/24")
    lab.veth(guest, "g0", a, "gw0")
    lab.ip(guest, "addr add 10.0.0.1/24 dev g0")
    return guest, a, lan, b, c


def member(lab, ns, octet, group, local):
    """A Linux host of the overlay."""
    lab.ip(ns, "link del vxlan0", check=False)
    lab.ip(ns, f"link add vxlan0 address 02:57:00:00:00:0{octet} type vxlan id 42 dstport 4789 group {group} local {local} dev wire ttl 4")
    lab.ip(ns, f"addr add 10.0.0.{octet}/24 dev vxlan0")
    lab.ip(ns, "link set vxlan0 mtu 1400 up")


def remotes(hv):
    ports = next(b for b in hv.ctl_json("show")["bridges"] if b["name"] == "br0")["ports"]
    return {r["remote"]: r for r in next(p for p in ports if p["name"] == "vx0")["tunnel"]["remotes"]}


def joined(lab, ns, group):
    return group in lab.run("ip maddr show dev wire", ns=ns).stdout


def snooped(lab, lan, group):
    """Ports of the bridge that have reported the group."""
    return set(re.findall(rf"port (p\d) grp {group}\b", lab.run("bridge mdb show", ns=lan).stdout))


def received(lab, ns):
    return int(lab.run("cat /sys/class/net/vxlan0/statistics/rx_packets", ns=ns).stdout)


def one(lab, hv, hosts, row):
    guest, a, lan, b, c = hosts
    what, group, local, mac = row
    for ns, octet in ((b, 2), (c, 3)):
        member(lab, ns, octet, group, local.format(octet))
    hv.ctl(f"tunnel add br0 vx0 type=vxlan vni=42 remote={group} local={local.format(1)}")
    lab.ok(joined(lab, a, group), f"{what}: the host has joined the group")
    wait_for("the bridge to have heard of all three", lambda: snooped(lab, lan, group) == {"p0", "p1", "p2"}, 20)
    wait_for("the first host", lambda: lab.ping(guest, "10.0.0.2", 1), 15)
    wait_for("the second host", lambda: lab.ping(guest, "10.0.0.3", 1), 15)
    lab.ok(True, f"{what}: both hosts answer")
    r = remotes(hv)
    lab.ok(r[group]["next_hop_mac"] == mac and r[group]["state"] == "ready", f"{what}: the group's frames go to {mac}", r)
    lab.ok(all(r.get(local.format(n), {}).get("learned") for n in (2, 3)) and len(r) == 3,
           f"{what}: the far ends are learned, each once", list(r))
    before = received(lab, c)
    n = lab.ping(guest, "10.0.0.2", 20, every=0.1)
    other = received(lab, c) - before
    lab.ok(n == 20 and other < 10, f"{what}: who is known gets the only copy", f"{n} answers, the other host saw {other}")
    # Asked by one that has to find the guest by the group first.
    mac = lab.run("cat /sys/class/net/g0/address", ns=guest).stdout.strip()
    lab.ip(c, "neigh flush dev vxlan0")
    lab.run(f"bridge fdb del {mac} dev vxlan0", ns=c, check=False)
    wait_for("c finds the guest", lambda: lab.ping(c, "10.0.0.1", 1), 15)
    lab.ok(True, f"{what}: a host finds the guest by the group")
    hv.ctl("tunnel del vx0")
    lab.ok(not joined(lab, a, group), f"{what}: without the tunnel the group is left")


def main():
    with Lab("group") as lab:
        hosts = build(lab)
        hv = lab.weftd("a", ns=hosts[1])
        hv.ctl("bridge add br0")
        hv.ctl("port add br0 gw0 type=netdev")
        for row in ROWS:
            one(lab, hv, hosts, row)
        lab.ok(hv.stop() == 0, "SIGTERM ends weftd with status 0")


if __name__ == "__main__":
    main()
