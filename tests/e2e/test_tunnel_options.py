#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What rules put into Geneve's options and take from them, and packets that the underlay has to carry in pieces.

     weft-guest          weft-a (weftd)           weft-lan            weft-b (kernel)
   +------------+ veth +----------------+       +----------+        +--------------------------------+
   | g0 10.0.0.1+------+ gw0 br0  -wire +=======+  bridge  +========+ wire 172.16.0.2  v42 10.0.0.2  |
   +------------+      +----------------+       | mtu 1500 |        +--------------------------------+
                          172.16.0.1            |          +========+ wire 172.16.0.4, 10.0.0.4      |
                                                +----------+        +- weft-d (weftd) --- weft-far --+"""
import os
import shutil

from lab import Lab, wait_for


def answers(lab, ns, dst, size=56, opts=""):
    """Asks until it is answered: what is new has to be learned and resolved first."""
    try:
        wait_for("an answer", lambda: lab.ping(ns, dst, 1, size, opts) == 1, 15)
        return True
    except Exception:       # pylint: disable=broad-except
        return False


def build(lab):
    guest, a, lan, b, d, far = (lab.netns(n) for n in ("guest", "a", "lan", "b", "d", "far"))
    lab.lan(lan, [(ns, f"172.16.0.{n}/24 2001:db8::{n}/64") for ns, n in ((a, 1), (b, 2), (d, 4))], mtu=1500)
    lab.veth(guest, "g0", a, "gw0")
    lab.veth(far, "f0", d, "gw0")
    lab.ip(guest, "addr add 10.0.0.1/24 dev g0")
    lab.ip(far, "addr add 10.0.0.4/24 dev f0")
    lab.ip(b, "link add v42 type vxlan id 42 dstport 4789 remote 172.16.0.1 local 172.16.0.2")
    lab.ip(b, "addr add 10.0.0.2/24 dev v42")
    lab.ip(b, "link set v42 mtu 1500 up")
    return guest, a, d


def switch(lab, name, ns):
    hv = lab.weftd(name, ns=ns)
    hv.ctl("bridge add br0")
    hv.ctl("port add br0 gw0 type=netdev")
    return hv


def port_no(hv, name):
    return next(p["of_port"] for br in hv.ctl_json("show")["bridges"] for p in br["ports"] if p["name"] == name)


def fragments_of_the_kernel(lab, hv, guest):
    """Linux puts together what we cut, and cuts what we put together."""
    hv.ctl("tunnel add br0 vx type=vxlan vni=42 remote=172.16.0.2")
    lab.ok(answers(lab, guest, "10.0.0.2"), "small packets reach the kernel's VXLAN")
    lab.ok(lab.ping(guest, "10.0.0.2", 2, 1472, "-M do") == 0 and hv.drops("tun-too-big") > 0, "large ones are too big")
    hv.ctl("tunnel set vx fragment=true")
    lab.run("ip route flush cache", ns=guest)
    n = hv.drops("tun-outer-fragment")
    lab.ping(guest, "10.0.0.2", 2, 1472)
    lab.ok(hv.drops("tun-outer-fragment") > n, "the kernel gets them in pieces, and its pieces are not wanted yet")
    hv.ctl("tunnel set vx reassemble=true")
    lab.ok(answers(lab, guest, "10.0.0.2", 1472, "-M do"), "with reassemble=true large packets go both ways")
    n = hv.drops("tun-incomplete"), hv.drops("tun-overlap"), hv.drops("tun-too-big")
    lab.ok(lab.ping(guest, "10.0.0.2", 10, 1472, "-M do") == 10, "none of them is lost")
    lab.ok(n == (hv.drops("tun-incomplete"), hv.drops("tun-overlap"), hv.drops("tun-too-big")), "or dropped")
    hv.ctl("tunnel del vx")


def fragments_over_ipv6(lab, one, two, guest):
    for hv, remote in ((one, 4), (two, 1)):
        hv.ctl(f"tunnel add br0 vx type=geneve vni=6 remote=2001:db8::{remote} fragment=true reassemble=true")
    lab.ok(answers(lab, guest, "10.0.0.4", 1472, "-M do"), "large packets go over IPv6, in pieces")
    lab.ok(lab.ping(guest, "10.0.0.4", 10, 1472, "-M do") == 10, "none of them is lost")
    for hv in (one, two):
        hv.ctl("tunnel del vx")


def options(lab, one, two, guest):
    """Host a says in an option who may pass; host d looks at it."""
    def ofctl(hv, *words):
        sock = "unix:" + os.path.join(hv.run_dir, "br0.mgmt")
        return lab.run(["ovs-ofctl", "-O", "OpenFlow13", words[0], sock, *words[1:]]).stdout

    for hv, remote in ((one, 4), (two, 1)):
        hv.ctl(f"tunnel add br0 gn type=geneve vni=7 remote=172.16.0.{remote}")
        ofctl(hv, "add-tlv-map", "{class=0x102,type=0x80,len=4}->tun_metadata0,{class=0xffff,type=1,len=8}->tun_metadata1")
    gn, gw = port_no(one, "gn"), port_no(one, "gw0")
    far_gn, far_gw = port_no(two, "gn"), port_no(two, "gw0")
    lab.ok(answers(lab, guest, "10.0.0.4"), "without options the learning switches pass everything")
    ofctl(one, "add-flow", f"priority=10,in_port={gw},actions=set_field:0x1234->tun_metadata0,set_field:5->tun_metadata1,output:{gn}")
    ofctl(two, "add-flow", f"priority=10,in_port={far_gn},tun_metadata0=0x1234,tun_metadata1=0x5/0xf,actions=output:{far_gw}")
    ofctl(two, "add-flow", f"priority=9,in_port={far_gn},actions=drop")
    lab.ok(answers(lab, guest, "10.0.0.4"), "packets with the right option pass")
    n = two.upcalls()
    lab.ok(lab.ping(guest, "10.0.0.4", 10) == 10, "all of them")
    lab.ok(two.upcalls() - n < 8, "by cached flows", two.upcalls() - n)
    ofctl(one, "add-flow", f"priority=10,in_port={gw},actions=set_field:0x1235->tun_metadata0,set_field:5->tun_metadata1,output:{gn}")
    lab.ok(lab.ping(guest, "10.0.0.4", 3) == 0, "others do not")
    ofctl(two, "add-flow", f"priority=11,in_port={far_gn},tun_metadata0=0x1235,actions=output:{far_gw}")
    lab.ok(answers(lab, guest, "10.0.0.4"), "until a rule says so")
    # What must be known and is not.
    ofctl(two, "del-flows", f"in_port={far_gn}")
    ofctl(two, "del-tlv-map", "{class=0x102,type=0x80,len=4}->tun_metadata0")
    ofctl(two, "add-flow", f"priority=9,in_port={far_gn},actions=output:{far_gw}")
    n = two.drops("tun-option")
    lab.ok(lab.ping(guest, "10.0.0.4", 3) == 0 and two.drops("tun-option") > n, "a critical option that is not known drops the packet")
    ofctl(one, "add-flow", f"priority=10,in_port={gw},actions=set_field:5->tun_metadata1,output:{gn}")
    lab.ok(answers(lab, guest, "10.0.0.4"), "without it they pass")


def main():
    with Lab("tunopts") as lab:
        guest, a, d = build(lab)
        one, two = switch(lab, "a", a), switch(lab, "d", d)
        fragments_of_the_kernel(lab, one, guest)
        fragments_over_ipv6(lab, one, two, guest)
        if shutil.which("ovs-ofctl"):
            options(lab, one, two, guest)
        else:
            lab.skip("options of Geneve", "ovs-ofctl is not installed")
        for hv in (one, two):
            lab.ok(hv.stop() == 0, "SIGTERM ends weftd with status 0")


if __name__ == "__main__":
    main()
