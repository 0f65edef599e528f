#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""BFD inside tunnels, Open vSwitch as the far end.

     weft-bfd-guest         weft-bfd-a (weftd)                     weft-bfd-b (ovs-vswitchd, userspace)
   +-----------+        +-----------------------+               +-------------------------------------+
   | g0        |  veth  | gw0 -- br0 -- t0, t1  |     veth      |  wire -- br-phy     t0, t1 -- br-int |
   | 10.0.0.1  +--------+           (wire)      +===============+          172.16.0.2       10.0.0.2   |
   +-----------+        +-----------------------+               +-------------------------------------+
                          172.16.0.1                              t0: VXLAN with BFD   t1: GRE without"""
import os
import re

from lab import Lab, wait_for
from ovs import Ovs


def build(lab):
    guest, a, b = (lab.netns("bfd-" + n) for n in ("guest", "a", "b"))
    lab.veth(guest, "g0", a, "gw0")
    lab.veth(a, "wire", b, "wire", mtu=1600)
    # The wire belongs to OVS: the kernel must not answer ARP there.
    lab.run("sysctl -qw net.ipv4.conf.wire.arp_ignore=8 net.ipv6.conf.wire.disable_ipv6=1", ns=b)
    lab.ip(guest, "addr add 10.0.0.1/24 dev g0")
    lab.ip(a, "addr add 172.16.0.1/24 dev wire")
    ovs = Ovs(lab, b)
    for br, addr in (("br-phy", "172.16.0.2/24"), ("br-int", "10.0.0.2/24")):
        ovs.vsctl(f"add-br {br} -- set Bridge {br} datapath_type=netdev")
        lab.ip(b, f"addr add {addr} dev {br}")
        lab.ip(b, f"link set {br} up")
    ovs.vsctl("add-port br-phy wire")
    lab.ip(b, "link set br-int mtu 1400")
    for port, opts in (("t0", "type=vxlan options:key=42"), ("t1", "type=gre options:key=42")):
        ovs.vsctl(f"add-port br-int {port} -- set Interface {port} {opts} options:remote_ip=172.16.0.1 "
                  "options:local_ip=172.16.0.2")
    ovs.ofctl("del-flows br-int")
    # The answer comes by both: it is what is asked that matters.
    for flow in ("in_port=t0,actions=LOCAL", "in_port=t1,actions=LOCAL", "in_port=LOCAL,actions=t0,t1"):
        ovs.ofctl(f"add-flow br-int {flow}")
    return guest, a, b, ovs


class Bench:
    def __init__(self, lab, hv, ovs, guest):
        self.lab, self.hv, self.ovs, self.guest = lab, hv, ovs, guest
        self.mgmt = "unix:" + os.path.join(hv.run_dir, "br0.mgmt")

    def bfd(self):
        ports = next(b for b in self.hv.ctl_json("show")["bridges"] if b["name"] == "br0")["ports"]
        return next(p for p in ports if p["name"] == "t0")["tunnel"]["remotes"][0]["bfd"]

    def theirs(self):
        text = self.ovs.vsctl("get Interface t0 bfd_status")
        return dict(re.findall(r'(\w+)="?([^",}]*)', text))

    def both(self, state):
        return self.bfd()["state"] == state and self.theirs().get("state") == state

    def live(self):
        out = self.lab.run(["ovs-ofctl", "-O", "OpenFlow13", "dump-ports-desc", self.mgmt]).stdout
        return re.search(r"\(t0\):.*?state:\s+(\S+)", out, re.S).group(1) == "LIVE"

    def sent(self):
        """Packets that left by the two tunnels, without BFD's."""
        stats = {p["name"]: p["stats"]["tx_packets"] for b in self.hv.ctl_json("show")["bridges"] for p in b["ports"]}
        return stats["t0"] - self.bfd()["tx_packets"], stats["t1"]

    def ping(self):
        return bool(self.lab.ping(self.guest, "10.0.0.2", 1, wait=1))

    def takes(self, which):
        """Whether what the guest asks goes by that tunnel, and is answered."""
        before = self.sent()
        answered = self.ping()
        after = self.sent()
        return answered and after[which] > before[which] and after[not which] == before[not which]


def comes_up(lab, w):
    wait_for("both ends up", lambda: w.both("up"), 15)
    b, o = w.bfd(), w.theirs()
    lab.ok(b["remote_state"] == "up" and o.get("remote_state") == "up" and o.get("forwarding") == "true",
           "Weft and OVS bring a session up", f"{b}\n{o}")
    wait_for("the intervals of both", lambda: w.bfd()["tx_interval_ms"] == 200 and w.bfd()["detection_ms"] == 900, 10)
    lab.ok(not w.bfd()["bad"], "and have nothing to say against each other's packets", w.bfd())
    wait_for("the port is live", w.live, 10)
    lab.ok("BFD up" in w.hv.ctl("show").stdout, "show says so", w.hv.ctl("show").stdout)


def failover(lab, w):
    """t0 while somebody answers there, else t1."""
    for args in (["add-group", w.mgmt, "group_id=1,type=ff,bucket=watch_port:t0,output:t0,bucket=watch_port:t1,output:t1"],
                 ["del-flows", w.mgmt], ["add-flow", w.mgmt, "in_port=gw0,actions=group:1"],
                 ["add-flow", w.mgmt, "in_port=t0,actions=output:gw0"], ["add-flow", w.mgmt, "in_port=t1,actions=drop"]):
        lab.run(["ovs-ofctl", "-O", "OpenFlow13", *args])
    wait_for("answers", w.ping, 10)
    lab.ok(wait_for("t0 is taken", lambda: w.takes(0), 10), "a fast-failover group takes the tunnel that is live")
    w.ovs.vsctl("set Interface t0 bfd:enable=false")
    wait_for("down", lambda: w.bfd()["state"] == "down" and not w.live(), 10)
    lab.ok(True, "OVS falls silent: the session is down, the port not live")
    lab.ok("nothing was heard" in w.bfd()["diag"] and "BFD down" in w.hv.ctl("show").stdout, "and why is said", w.bfd())
    lab.ok(wait_for("t1 is taken", lambda: w.takes(1), 10), "the group takes the other tunnel")
    w.ovs.vsctl("set Interface t0 bfd:enable=true")
    wait_for("both ends up again", lambda: w.both("up") and w.live(), 15)
    lab.ok(wait_for("t0 is taken again", lambda: w.takes(0), 10), "and the first one when it answers again")


def other_times(lab, w):
    before = w.bfd()["changes"]
    w.hv.ctl("tunnel set t0 bfd-min-tx=100 bfd-min-rx=100 bfd-mult=5")
    wait_for("the poll sequence to end", lambda: w.bfd()["tx_interval_ms"] == 200 and w.bfd()["detection_ms"] == 300, 10)
    w.ovs.vsctl("set Interface t0 bfd:min_rx=100")
    wait_for("OVS to want more", lambda: w.bfd()["tx_interval_ms"] == 100, 10)
    lab.ok(w.both("up") and w.bfd()["changes"] == before, "other intervals are agreed upon without going down", w.bfd())


def held_down(lab, w):
    """The operator drains the tunnel: both ends know at once, not after the detection time."""
    w.hv.ctl("tunnel set t0 bfd-admin-down=true")
    wait_for("OVS to hear of it", lambda: w.theirs().get("remote_state") == "admin_down", 10)
    wait_for("the port is not live", lambda: not w.live(), 10)
    lab.ok(w.bfd()["state"] == "admin-down" and w.theirs().get("state") == "down" and w.theirs().get("forwarding") == "false",
           "a session that is held down is told to OVS, which uses the tunnel no more", f"{w.bfd()}\n{w.theirs()}")
    lab.ok("BFD admin-down" in w.hv.ctl("show").stdout, "show says so", w.hv.ctl("show").stdout)
    lab.ok(wait_for("t1 is taken", lambda: w.takes(1), 10), "nor does the group here")
    w.hv.ctl("tunnel set t0 bfd-admin-down=")
    wait_for("both ends up again", lambda: w.both("up") and w.live(), 15)
    lab.ok(wait_for("t0 is taken again", lambda: w.takes(0), 10), "let go, it comes up by itself")


def ends(lab, w):
    w.hv.ctl("tunnel set t0 bfd=false")
    wait_for("OVS to give up", lambda: w.theirs().get("state") == "down", 10)
    wait_for("the port is live", w.live, 10)
    lab.ok("expired" in w.theirs().get("diagnostic", "").lower(), "without BFD here, OVS hears nothing; the port is live again",
           w.theirs())


def main():
    with Lab("bfd") as lab:
        if not Ovs.is_there():
            lab.skip("BFD with OVS", "no ovs-vswitchd")
            return
        guest, a, b, ovs = build(lab)
        hv = lab.weftd("a", ns=a)
        hv.ctl("bridge add br0")
        hv.ctl("port add br0 gw0 type=netdev")
        hv.ctl("tunnel add br0 t1 type=gre key=42 remote=172.16.0.2")
        hv.ctl("tunnel add br0 t0 type=vxlan vni=42 remote=172.16.0.2 bfd=true bfd-min-tx=200 bfd-min-rx=300 bfd-mult=3")
        w = Bench(lab, hv, ovs, guest)
        lab.ok(not w.live(), "before anybody answers the port is not live")
        ovs.vsctl("set Interface t0 bfd:enable=true bfd:min_rx=200 bfd:min_tx=100")
        comes_up(lab, w)
        failover(lab, w)
        other_times(lab, w)
        held_down(lab, w)
        ends(lab, w)
        lab.ok(hv.stop() == 0, "SIGTERM ends weftd with status 0")


if __name__ == "__main__":
    main()
