#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One tunnel port for several VNIs, by a map of VLANs, and floods only where a VNI lives; the kernel's VXLAN at the far ends.

     weft-guest                weft-a (weftd)             weft-lan           weft-b, weft-c (kernel)
   +---------------+  veth  +---------------------+      +--------+      +---------------------------------+
   | g10 10.10.0.1 +--------+ gw10 tag=10         |      |        +======+ wire 172.16.0.2   n10 10.10.0.2 |
   |               |        |       br0  vx  wire +======+ bridge |      |   VNI 5010, 5020  n20 10.20.0.2 |
   | g20 10.20.0.1 +--------+ gw20 tag=20         |      |        +======+ wire 172.16.0.3   n10 10.10.0.3 |
   +---------------+        | 10:5010,20:5020     |      |        |      |   VNI 5010, 5020  n20 10.20.0.3 |
                            +---------------------+      +--------+      +---------------------------------+"""
import json

from lab import Lab, wait_for

NETS = ((10, 5010), (20, 5020))


def build(lab):
    guest, a, lan, b, c = (lab.netns(n) for n in ("guest", "a", "lan", "b", "c"))
    lab.lan(lan, ((a, "172.16.0.1/24"), (b, "172.16.0.2/24"), (c, "172.16.0.3/24")))
    for vlan, vni in NETS:
        lab.veth(guest, f"g{vlan}", a, f"gw{vlan}")
        lab.ip(guest, f"addr add 10.{vlan}.0.1/24 dev g{vlan}")
        for ns, octet in ((b, 2), (c, 3)):
            lab.ip(ns, f"link add n{vlan} type vxlan id {vni} dstport 4789 remote 172.16.0.1 local 172.16.0.{octet}")
            lab.ip(ns, f"addr add 10.{vlan}.0.{octet}/24 dev n{vlan}")
            lab.ip(ns, f"link set n{vlan} mtu 1500 up")
    return guest, a, b, c


def received(lab, ns, dev):
    return json.loads(lab.run(f"ip -s -j link show dev {dev}", ns=ns).stdout)[0]["stats64"]["rx"]["packets"]


def floods(lab, guest, far, vlan):
    """How many frames of a VLAN's flood each host gets."""
    before = [received(lab, ns, f"n{vlan}") for ns in far]
    lab.run(f"ip neigh flush dev g{vlan}", ns=guest)
    lab.ping(guest, f"10.{vlan}.0.99", 3, wait=1)
    return [received(lab, ns, f"n{vlan}") - was for ns, was in zip(far, before)]


def silence(lab, guest, b, c):
    """Hosts say nothing by themselves that would teach addresses or be counted as floods."""
    for ns in (guest, b, c):
        lab.run("sysctl -qw net.ipv6.conf.all.disable_ipv6=1", ns=ns)


def fixed_remotes(lab, hv, guest, b, c):
    hv.ctl("tunnel add br0 vx type=vxlan vni=flow vlan-map=10:5010,20:5020 remote=172.16.0.2,172.16.0.3 flood-only=172.16.0.3@5020")
    text = hv.ctl("show").stdout
    lab.ok("vni by VLAN (2)" in text, "show says where the identifier comes from", text)
    for vlan, _ in NETS:
        lab.ok(lab.ping(guest, f"10.{vlan}.0.2", within=10), f"VLAN {vlan} reaches the host that has it")
    lab.ok(lab.ping(guest, "10.20.0.3", within=10), "and the other one, in the VLAN that it is listed with")
    got = floods(lab, guest, (b, c), 10)
    lab.ok(got[0] > 0 and got[1] == 0, "floods of the other VLAN do not go there", got)
    got = floods(lab, guest, (b, c), 20)
    lab.ok(got[0] > 0 and got[1] > 0, "those of its VLAN do", got)
    # What is not flooded reaches it all the same.
    lab.ok(lab.ping(c, "10.10.0.1", within=10), "who speaks first is answered in any VLAN of the map")
    hv.ctl("tunnel del vx")


def unknown(lab, hv, b):
    lab.ip(b, "link add n30 type vxlan id 5030 dstport 4789 remote 172.16.0.1 local 172.16.0.2")
    lab.ip(b, "addr add 10.30.0.2/24 dev n30")
    lab.ip(b, "link set n30 up")
    n, upcalls = hv.drops("tun-unknown-key"), hv.upcalls()
    lab.ping(b, "10.30.0.1", 3, wait=1)
    wait_for("the VNI that is not in the map to be counted as tun-unknown-key", lambda: hv.drops("tun-unknown-key") > n)
    lab.ok(hv.upcalls() == upcalls, "a VNI that is not in the map costs no look at the slow path")
    lab.ip(b, "link del n30")


def heard(lab, hv, guest, b, c):
    hv.ctl("tunnel add br0 vx type=vxlan vni=flow vlan-map=10:5010,20:5020 remote=flow local=172.16.0.1 flood-heard=true")
    lab.ok(lab.ping(b, "10.10.0.1", within=10), "a host that nobody listed is learned in a VLAN")
    lab.ok(lab.ping(b, "10.20.0.1", within=10) and lab.ping(c, "10.20.0.1", within=10), "and in another, with a second host")
    got = floods(lab, guest, (b, c), 20)
    lab.ok(got[0] > 0 and got[1] > 0, "floods go to both that were heard in the VLAN", got)
    got = floods(lab, guest, (b, c), 10)
    lab.ok(got[0] > 0 and got[1] == 0, "and not to the one that was heard in another only", got)
    lab.ok(lab.ping(c, "10.10.0.1", within=10), "once it is heard there too...")
    got = floods(lab, guest, (b, c), 10)
    lab.ok(got[0] > 0 and got[1] > 0, "...it gets them", got)
    rows = {(m["vlan"], m.get("remote")) for t in hv.ctl_json("mac show br0")["tables"] for m in t["macs"] if m["port"] == "vx"}
    lab.ok(rows == {(v, f"172.16.0.{o}") for v in (10, 20) for o in (2, 3)}, "addresses are learned by VLAN and remote", rows)


def refusals(lab, hv):
    for options, why in (("vni=5010 vlan-map=10:5010", "needs vni=flow"), ("vni=flow vlan-map=10:16777216", "out of range"),
                         ("vni=flow vlan-map=10:5010 tag=10", "without tag"), ("vni=flow flood-heard=true", "vlan-map")):
        r = hv.ctl(f"tunnel add br0 bad type=vxlan remote=flow {options}", check=False)
        lab.ok(r.returncode != 0 and why in r.stderr, f"{options} is refused", r.stderr)


def main():
    with Lab("vlanmap") as lab:
        guest, a, b, c = build(lab)
        silence(lab, guest, b, c)
        hv = lab.weftd("a", ns=a)
        hv.ctl("bridge add br0")
        for vlan, _ in NETS:
            hv.ctl(f"port add br0 gw{vlan} type=netdev tag={vlan}")
        fixed_remotes(lab, hv, guest, b, c)
        heard(lab, hv, guest, b, c)
        unknown(lab, hv, b)
        refusals(lab, hv)
        lab.ok(hv.stop() == 0, "SIGTERM ends weftd with status 0")


if __name__ == "__main__":
    main()
