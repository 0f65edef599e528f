#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One tunnel port for many remotes: remote=flow, key=flow and local=flow against the kernel's VXLAN.

     weft-guest             weft-a (weftd)              weft-lan            weft-b, weft-c (kernel)
   +------------+  veth  +-------------------+        +----------+        +--------------------------------+
   | g0 10.0.0.1+--------+ gw0  br0  vx -wire+========+  bridge  +========+ wire 172.16.0.2  b0 10.0.0.2    |
   +------------+        |  remote=flow      |        |          +========+ wire 172.16.0.3  c0 10.0.0.3    |
                         +-------------------+        +----------+        |      vni 42 each, and vni 43    |
                           172.16.0.1, 172.16.0.11                        +--------------------------------+"""
import os
import shutil

from lab import Lab, wait_for


def build(lab):
    guest, a, lan, b, c = (lab.netns(n) for n in ("guest", "a", "lan", "b", "c"))
    lab.lan(lan, ((a, "172.16.0.1/24"), (b, "172.16.0.2/24"), (c, "172.16.0.3/24")))
    lab.ip(a, "addr add 172.16.0.11/24 dev wire")
    lab.veth(guest, "g0", a, "gw0")
    lab.ip(guest, "addr add 10.0.0.1/24 dev g0")
    lab.ip(guest, "link set g0 address 02:57:00:00:00:01")
    for ns, octet in ((b, 2), (c, 3)):
        lab.ip(ns, f"link add v42 address 02:57:00:00:42:0{octet} type vxlan id 42 dstport 4789 remote 172.16.0.1 local 172.16.0.{octet}")
        lab.ip(ns, f"addr add 10.0.0.{octet}/24 dev v42")
        lab.ip(ns, "link set v42 mtu 1500 up")
    lab.ip(b, "link add v43 address 02:57:00:00:43:02 type vxlan id 43 dstport 4789 remote 172.16.0.11 local 172.16.0.2")
    lab.ip(b, "addr add 10.3.0.2/24 dev v43")
    lab.ip(b, "link set v43 mtu 1500 up")
    lab.ip(guest, "addr add 10.3.0.1/24 dev g0")
    return guest, a, b, c


def tunnel(hv, port="vx"):
    return next(p for br in hv.ctl_json("show")["bridges"] for p in br["ports"] if p["name"] == port)


def learned(hv):
    return sorted(r["remote"] for r in tunnel(hv)["tunnel"]["remotes"] if r.get("learned"))


def mac_rows(hv):
    return [m for t in hv.ctl_json("mac show br0")["tables"] for m in t["macs"]]


def learning_switch(lab, hv, guest, b, c):
    hv.ctl("tunnel add br0 vx type=vxlan vni=42 remote=flow")
    lab.ok(tunnel(hv)["up"], "a tunnel without remotes is up when it can listen", tunnel(hv))
    lab.ok(lab.ping(b, "10.0.0.1") >= 2, "a remote that nobody configured reaches the guest")
    lab.ok(lab.ping(c, "10.0.0.1") >= 2, "and so does another one")
    lab.ok(learned(hv) == ["172.16.0.2", "172.16.0.3"], "both are learned", learned(hv))
    rows = {r["mac"]: r.get("remote") for r in mac_rows(hv)}
    lab.ok(rows.get("02:57:00:00:42:02") == "172.16.0.2" and rows.get("02:57:00:00:42:03") == "172.16.0.3",
           "addresses are learned with their remotes", rows)
    lab.run("ip neigh flush dev g0", ns=guest)
    lab.ok(lab.ping(guest, "10.0.0.2") == 3, "the guest's broadcasts find the first")
    lab.ok(lab.ping(guest, "10.0.0.3") == 3, "and the second")
    n = hv.upcalls()
    lab.ping(guest, "10.0.0.3", 10)
    lab.ok(hv.upcalls() - n < 8, "flows are cached")


def flood_list(lab, hv, guest):
    hv.ctl("tunnel del vx")
    hv.ctl("tunnel add br0 vx type=vxlan vni=42 remote=flow flood-list=172.16.0.2,172.16.0.3 local=172.16.0.1")
    lab.run("ip neigh flush dev g0", ns=guest)
    lab.ok(lab.ping(guest, "10.0.0.3", 4) >= 3, "with a flood list the guest speaks first")


def security(lab, hv, guest, b, c):
    hv.ctl("tunnel del vx")
    hv.ctl("tunnel add br0 vx type=vxlan vni=42 remote=flow allow=172.16.0.3")
    n = hv.drops("tun-unknown-remote")
    lab.ok(lab.ping(b, "10.0.0.1", 3, wait=1) == 0, "who is not allowed gets nowhere")
    lab.ok(hv.drops("tun-unknown-remote") > n, "and is counted as tun-unknown-remote")
    lab.ok(lab.ping(c, "10.0.0.1") >= 2, "who is allowed does")
    hv.ctl("tunnel set vx allow=172.16.0.0/24 max-remotes=1")
    n = hv.drops("tun-new-remote")
    lab.ping(b, "10.0.0.1", 2, wait=1)
    lab.ping(c, "10.0.0.1", 2, wait=1)
    wait_for("packets above max-remotes to be given up", lambda: hv.drops("tun-new-remote") > n, 10)
    lab.ok(len(learned(hv)) == 1, "no more remotes than max-remotes are learned", learned(hv))


def rules(lab, hv, guest, b, c, ofctl, who):
    """Everything by rule: which remote, which key, which of our addresses."""
    hv.ctl("tunnel del vx")
    hv.ctl("tunnel add br0 vx type=vxlan vni=flow remote=flow local=flow")
    vx, gw = tunnel(hv)["of_port"], tunnel(hv, "gw0")["of_port"]
    hv.ctl("flow del br0")
    to = {"10.0.0.2": "172.16.0.2", "10.0.0.3": "172.16.0.3"}
    for dst, vtep in to.items():
        for match in (f"ip,nw_dst={dst}", f"arp,arp_tpa={dst}"):
            ofctl(f"priority=10,in_port={gw},{match},actions=set_field:{vtep}->tun_dst,set_field:42->tun_id,output:{vx}")
            ofctl(f"priority=10,in_port={vx},tun_id=42,tun_src={vtep},tun_dst=172.16.0.1,actions=output:{gw}")
    for match in ("ip,nw_dst=10.3.0.2", "arp,arp_tpa=10.3.0.2"):
        ofctl(f"priority=10,in_port={gw},{match},actions=set_field:172.16.0.2->tun_dst,set_field:172.16.0.11->tun_src,"
              f"set_field:43->tun_id,output:{vx}")
    ofctl(f"priority=10,in_port={vx},tun_id=43,tun_dst=172.16.0.11,actions=output:{gw}")
    lab.run("ip neigh flush dev g0", ns=guest)
    for dst in (*to, "10.3.0.2"):
        lab.ok(lab.ping(guest, dst, 4) >= 3, f"rules of {who} lead to {dst}")
    text = hv.ctl(f"trace br0 in_port={gw},icmp,nw_dst=10.0.0.3").stdout
    lab.ok("tun_set(tun_id=0x2a)" in text and "tun_push" in text, "a trace shows what is set", text)
    text = hv.ctl(f"trace br0 in_port={vx},tun_id=42,tun_src=172.16.0.3,tun_dst=172.16.0.1,icmp,nw_dst=10.0.0.1").stdout
    lab.ok("tun_src=172.16.0.3" in text and "drop" not in text.split("datapath actions")[1], "and what came out of a tunnel", text)


def main():
    with Lab("tunflow") as lab:
        guest, a, b, c = build(lab)
        hv = lab.weftd("a", ns=a)
        hv.ctl("bridge add br0")
        hv.ctl("port add br0 gw0 type=netdev")
        learning_switch(lab, hv, guest, b, c)
        flood_list(lab, hv, guest)
        security(lab, hv, guest, b, c)
        rules(lab, hv, guest, b, c, lambda rule: hv.ctl(["flow", "add", "br0", rule]), "weftctl")
        if shutil.which("ovs-ofctl"):
            sock = os.path.join(hv.run_dir, "br0.mgmt")
            rules(lab, hv, guest, b, c, lambda rule: lab.run(["ovs-ofctl", "-O", "OpenFlow13", "add-flow", f"unix:{sock}", rule]),
                  "ovs-ofctl")
            text = lab.run(["ovs-ofctl", "-O", "OpenFlow13", "dump-flows", f"unix:{sock}"]).stdout
            lab.ok("set_field:172.16.0.2->tun_dst" in text and "tun_src=172.16.0.3" in text, "ovs-ofctl reads them back", text)
        else:
            lab.skip("rules by ovs-ofctl", "it is not installed")
        lab.ok(hv.stop() == 0, "SIGTERM ends weftd with status 0")


if __name__ == "__main__":
    main()
