#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tunnels and the network below them: several remotes, several tunnels, and what happens when the underlay changes.

     weft-guest              weft-a (weftd)               weft-lan           weft-b (kernel)
   +------------+ veth +----------------------+        +----------+        +---------------------+
   | g0 10.0.0.1+------+ gw0  br0  vx42 -+    |        |          +========+ wire  vxlan42 .0.2  |
   |            |      |                 +wire+========+  bridge  |        |       vxlan43 .1.2  |
   | g1 10.1.0.1+------+ gw1  br1  vx43 -+    |        |          |        +---------------------+
   +------------+      +----------------------+        |          |        +---------------------+
                         172.16.0.1                    |          +========+ wire  vxlan42 .0.3  |
   vx42: remotes b and c (head-end replication)        +----------+        +---------------------+
   vx43: remote b                                                            weft-c (kernel)"""
import time

from lab import Lab, LabError, wait_for


def resumes(lab, ns, dst, within=10):
    """Seconds until an answer comes; None when none does."""
    t = time.monotonic()
    while time.monotonic() - t < within:
        if lab.ping(ns, dst, 1, wait=1):
            return time.monotonic() - t
    return None


def build(lab):
    guest, a, lan, b, c = (lab.netns(n) for n in ("guest", "a", "lan", "b", "c"))
    lab.lan(lan, ((a, "172.16.0.1/24"), (b, "172.16.0.2/24"), (c, "172.16.0.3/24")))
    for n in (0, 1):
        lab.veth(guest, f"g{n}", a, f"gw{n}")
        lab.ip(guest, f"addr add 10.{n}.0.1/24 dev g{n}")
    for ns, octet, vni, addr in ((b, 2, 42, "10.0.0.2/24"), (b, 2, 43, "10.1.0.2/24"), (c, 3, 42, "10.0.0.3/24")):
        lab.ip(ns, f"link add vxlan{vni} type vxlan id {vni} dstport 4789 remote 172.16.0.1 local 172.16.0.{octet}")
        lab.ip(ns, f"addr add {addr} dev vxlan{vni}")
        lab.ip(ns, f"link set vxlan{vni} mtu 1500 up")
    return guest, a, b, c


def tunnel(hv, port):
    """What `show` says of a tunnel port's first remote."""
    return next(p for br in hv.ctl_json("show")["bridges"] for p in br["ports"] if p["name"] == port)["tunnel"]["remotes"][0]


def received(lab, ns, dev):
    return int(lab.run(f"cat /sys/class/net/{dev}/statistics/rx_packets", ns=ns).stdout)


def replication(lab, guest, c):
    lab.ok(lab.ping(guest, "10.0.0.2", 3, wait=2) >= 2, "the first remote answers")
    lab.ok(lab.ping(guest, "10.0.0.3", 3, wait=2) >= 2, "the second remote answers")
    lab.ok(lab.ping(guest, "10.1.0.2", 3, wait=2) >= 2, "a second tunnel on the same endpoint answers")
    time.sleep(0.5)
    before = received(lab, c, "vxlan42")
    lab.ping(guest, "10.0.0.2", 20, wait=1)
    # Some ARP or neighbour chatter may be flooded meanwhile; the 20 pings may not.
    seen = received(lab, c, "vxlan42") - before
    lab.ok(seen < 10, "a learned destination gets the only copy", f"the other remote saw {seen} frames")


def outer_fields(lab, hv, guest, b):
    for options, want in (("tos=0xb8 ttl=33", ("tos 0xb8", "ttl 33")), ("tos=0 ttl=64 df=false", ("tos 0x0", "flags [none]"))):
        hv.ctl(f"tunnel set vx43 {options}")
        dump = lab.spawn("tcpdump", ["tcpdump", "-vnni", "wire", "-c", "3", "src host 172.16.0.1 and udp port 4789"], ns=b)
        wait_for("tcpdump", lambda d=dump: "listening on" in d.tail(), 5)
        lab.ping(guest, "10.1.0.2", 4, wait=1)
        try:
            wait_for("captured packets", lambda d=dump: not d.alive(), 5)
        except LabError:
            dump.kill()
        text = dump.tail(40)
        lab.ok(all(w in text for w in want), f"outer header with {options}", text)


def changes(lab, hv, guest, a, b):
    lab.ip(b, "link set wire down")
    lab.ip(b, "link set wire address 02:57:00:b0:00:99")
    lab.ip(b, "link set wire up")
    # Its own traffic tells its neighbours.
    resumes(lab, b, "172.16.0.1")
    took = resumes(lab, guest, "10.1.0.2")
    lab.ok(took is not None, "the remote's MAC address changes: traffic follows")
    lab.diag(f"after {took or 0:.1f} s")

    lab.ip(a, "addr del 172.16.0.1/24 dev wire")
    try:
        wait_for("no route", lambda: tunnel(hv, "vx43")["state"] != "ready", 5)
    except LabError:
        pass
    state = tunnel(hv, "vx43")
    lab.ok("route" in str(state), "the route goes away: the tunnel says so", state)
    drops = hv.drops("tun-no-route")
    lab.ping(guest, "10.1.0.2", 3, wait=1)
    lab.ok(hv.drops("tun-no-route") > drops, "and packets are counted as tun-no-route")
    lab.ip(a, "addr add 172.16.0.1/24 dev wire")
    lab.ok(resumes(lab, guest, "10.1.0.2") is not None, "the route comes back: traffic too")

    lab.ip(a, "link set wire down")
    time.sleep(0.5)
    state = tunnel(hv, "vx43")
    lab.ok(state["state"] != "ready" and state.get("reason"), "the underlay's link goes down: the tunnel says why", state)
    lab.ip(a, "link set wire up")
    lab.ok(resumes(lab, guest, "10.1.0.2") is not None, "and comes back")


def silent(lab, hv, guest):
    """A remote that is not there: its packets wait, are counted, and nobody else suffers."""
    hv.ctl("tunnel del vx43")
    hv.ctl("tunnel add br1 vx43 type=vxlan vni=43 remote=172.16.0.9")
    lab.ping(guest, "10.1.0.2", 10, wait=1)
    time.sleep(2)
    lab.ping(guest, "10.1.0.2", 5, wait=1)
    n = hv.drops("tun-neigh-failed") + hv.drops("tun-neigh-wait")
    lab.ok(n > 0, "a remote that does not answer: packets are counted as tun-neigh-wait or -failed", f"{n}")
    state = tunnel(hv, "vx43")
    lab.ok(state["state"] != "ready" and state.get("reason"), "and the tunnel says why it is down", state)
    lab.ok(lab.ping(guest, "10.0.0.2", 5, wait=1) == 5, "the other tunnel is not concerned")
    lab.ok(hv.ctl_json("stats")["cache"]["tun_waiting"] <= 64, "few packets wait")


def main():
    with Lab("underlay") as lab:
        guest, a, b, c = build(lab)
        hv = lab.weftd("a", ns=a)
        for n, options in ((0, "vx42 type=vxlan vni=42 remote=172.16.0.2,172.16.0.3"), (1, "vx43 type=vxlan vni=43 remote=172.16.0.2")):
            hv.ctl(f"bridge add br{n}")
            hv.ctl(f"port add br{n} gw{n} type=netdev")
            hv.ctl(f"tunnel add br{n} {options}")
        replication(lab, guest, c)
        outer_fields(lab, hv, guest, b)
        changes(lab, hv, guest, a, b)
        silent(lab, hv, guest)
        lab.ok(hv.stop() == 0, "SIGTERM ends weftd with status 0")


if __name__ == "__main__":
    main()
