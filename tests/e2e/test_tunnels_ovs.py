#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Weft's overlays against Open vSwitch's userspace datapath, over IPv4 and over IPv6.

     weft-ovs-guest         weft-ovs-a (weftd)                  weft-ovs-b (ovs-vswitchd, datapath_type=netdev)
   +-----------+        +---------------------+               +-------------------------------------------+
   | g0        |  veth  | gw0 -- br0 -- t0    |     veth      |  wire -- br-phy          t0 -- br-int      |
   | 10.0.0.1  +--------+           (wire)    +===============+          172.16.0.2            10.0.0.2   |
   | fd00::1   |        |                     |     1600      |          fd16::2               fd00::2    |
   +-----------+        +---------------------+               +-------------------------------------------+
                          172.16.0.1, fd16::1

Neither switch knows what the other was made of: each reads what the other writes, in every form that both have."""
import re

from lab import Lab, LabError, wait_for
from ovs import Ovs
from streams import Host, stream

# Weft's type and options, OVS's, bytes in front of the inner IP header over IPv4, which is 20 less than over IPv6.
ROWS = [
    ("vxlan", "vni=5001", "vxlan key=5001", 50),
    ("vxlan", "vni=5001 csum=on", "vxlan key=5001 csum=true", 50),
    ("vxlan-gpe", "vni=5001", "vxlan key=5001 exts=gpe dst_port=4790", 50),
    ("geneve", "vni=5001", "geneve key=5001", 50),
    ("geneve", "vni=0xffffff csum=on", "geneve key=16777215 csum=true", 50),
    ("gre", "", "gre", 38),
    ("gre", "key=7", "gre key=7", 42),
    # OVS with 'csum' and 'seq' sums before it writes the number: all but its first packet are wrong (strangers() below).
    ("gre", "key=0xfffffffe csum=on seq=true", "gre key=4294967294 csum=true", 50),
    ("gre", "key=1 seq=true", "gre key=1 seq=true", 46),
    ("nvgre", "vsid=5001", "gre key=flow", 42),
    ("erspan", "session=100 index=7", "erspan key=100 erspan_ver=1 erspan_idx=7", 50),
    ("erspan", "session=1023 version=III direction=egress hwid=4",
     "erspan key=1023 erspan_ver=2 erspan_dir=1 erspan_hwid=4", 54),
]


class Peer(Ovs):
    def tunnel(self, opts, remote, local):
        kind, *opts = opts.split()
        self.vsctl(f"add-port br-int t0 -- set Interface t0 type={kind} options:remote_ip={remote} options:local_ip={local} "
                   + " ".join("options:" + o for o in opts))
        error = self.vsctl("--bare --columns=error list Interface t0").strip()
        if error:
            raise LabError(f"OVS: {kind} {opts}: {error}")
        self.ofctl("del-flows br-int")
        if "key=flow" in opts:
            # NVGRE as OVS has it: the VSID in the upper 24 bits, any FlowID in the lower 8.
            self.ofctl(f"add-flow br-int in_port=t0,tun_id={5001 << 8:#x}/0xffffff00,actions=LOCAL")
            self.ofctl(f"add-flow br-int in_port=LOCAL,actions=set_field:{5001 << 8 | 0x5c:#x}->tun_id,t0")
        else:
            self.ofctl("add-flow br-int actions=NORMAL")


def ping(at, dst, size=56, count=3, opts=""):
    return at.lab.ping(at.ns, dst, count, size, opts, every=0.02, within=3)


def build(lab):
    guest, a, b = (lab.netns("ovs-" + n) for n in ("guest", "a", "b"))
    lab.veth(guest, "g0", a, "gw0")
    lab.veth(a, "wire", b, "wire", mtu=1600)
    # The wire belongs to OVS: the kernel must not answer ARP there.
    lab.run("sysctl -qw net.ipv4.conf.wire.arp_ignore=8 net.ipv6.conf.wire.disable_ipv6=1", ns=b)
    for ns, dev, addrs in ((guest, "g0", "10.0.0.1/24 fd00::1/64"), (a, "wire", "172.16.0.1/24 fd16::1/64")):
        lab.addrs(ns, dev, addrs)
    ovs = Peer(lab, b)
    for br, addrs in (("br-phy", "172.16.0.2/24 fd16::2/64"), ("br-int", "10.0.0.2/24 fd00::2/64")):
        ovs.vsctl(f"add-br {br} -- set Bridge {br} datapath_type=netdev")
        lab.addrs(b, br, addrs)
        lab.ip(b, f"link set {br} up")
    ovs.vsctl("add-port br-phy wire")
    lab.ip(b, "link set br-int mtu 1500")
    return guest, a, b, ovs


def one(lab, hosts, hv, ovs, row, six):
    kind, opts, theirs, room = row
    guest, b = hosts
    ours, far = ("fd16::1", "fd16::2") if six else ("172.16.0.1", "172.16.0.2")
    what = f"{kind} {opts}".strip() + f" over {'IPv6' if six else 'IPv4'}"
    ovs.tunnel(theirs, ours, far)
    hv.ctl(f"tunnel add br0 t0 type={kind} remote={far} {opts}")
    wait_for(f"{what}: the first answer", lambda: ping(guest, "10.0.0.2", count=1), 15)
    wait_for(f"{what}: the first answer to IPv6", lambda: ping(guest, "fd00::2", count=1), 15)
    got = [(ping(at, dst, size, opts="-M do" if size == 1472 else ""))
           for at, dst in ((guest, "10.0.0.2"), (b, "10.0.0.1")) for size in (0, 777, 1472)]
    lab.ok(all(n == 3 for n in got), f"{what}: pings of 0, 777 and 1472 bytes, both ways", "\n".join(n.out for n in got))
    n = ping(guest, "fd00::2", 1452)
    lab.ok(n == 3, f"{what}: IPv6 inside", n.out)
    for src, dst, addr in ((guest, b, "10.0.0.2"), (b, guest, "10.0.0.1")):
        good, why = stream(src, dst, addr)
        lab.ok(good, f"{what}: every byte of TCP from the {'guest' if src is guest else 'OVS side'}", why)
    too_big(lab, hosts, hv, what, 1500 - room - (20 if six else 0))
    hv.ctl("tunnel del t0")
    ovs.vsctl("del-port br-int t0")


def too_big(lab, hosts, hv, what, room):
    """As if the underlay carried 1500 bytes: the guest is told what fits, and TCP adapts."""
    guest, b = hosts
    hv.ctl("tunnel set t0 mtu=1500")
    for _ in range(3):          # The first to hear of it is the cache of routes.
        n = ping(guest, "10.0.0.2", 1472, 2, "-M do")
        if n == 0 and re.search(rf"mtu ?= ?{room}\b", n.out):
            break
    else:
        lab.ok(False, f"{what}: what is too big is answered with {room}", n.out)
    n = ping(guest, "10.0.0.2", room - 28, 3, "-M do")
    lab.ok(n == 3, f"{what}: {room} bytes are what fits into 1500", n.out)
    good, why = stream(guest, b, "10.0.0.2", 100000)
    lab.ok(good, f"{what}: TCP adapts", why)
    lab.ip(guest.ns, "route flush cache")


def strangers(lab, hosts, hv, ovs):
    """What OVS sends with another identifier is counted, and reaches nobody."""
    guest, b = hosts
    for ours, theirs, reason in (("vxlan vni=5001", "vxlan key=5002", "tun-unknown-key"),
                                 ("geneve vni=5001", "geneve key=5002", "tun-unknown-key"),
                                 ("gre key=7", "gre key=8", "tun-unknown-key"),
                                 ("gre key=7", "gre", "tun-unknown-key"),
                                 ("gre key=7", "gre key=7 csum=true seq=true", "tun-outer-csum"),
                                 ("erspan session=100", "erspan key=101 erspan_ver=1 erspan_idx=1", "tun-unknown-key")):
        kind, opts = ours.split()
        ovs.tunnel(theirs, "172.16.0.1", "172.16.0.2")
        hv.ctl(f"tunnel add br0 t0 type={kind} remote=172.16.0.2 {opts}")
        wait_for("the remote to be up", lambda: hv.ctl_json("tunnel list")["tunnels"][0]["up"], 10)
        n = hv.drops(reason)

        def refused(before=n, why=reason):
            lab.ping(b.ns, "10.0.0.1", wait=1, every=0.02)
            return hv.drops(why) > before
        try:
            wait_for("a drop", refused, 10)
        except LabError:
            pass
        lab.ok(hv.drops(reason) > n, f"{theirs} does not get into {ours}: {reason}", hv.ctl("stats drops").stdout)
        hv.ctl("tunnel del t0")
        ovs.vsctl("del-port br-int t0")
    lab.ip(b.ns, "neigh flush dev br-int")
    lab.ip(guest.ns, "neigh flush dev g0")


def main():
    with Lab("tunnels-ovs") as lab:
        if not Ovs.is_there():
            lab.skip("tunnels to Open vSwitch", "openvswitch-switch is not installed")
            return
        guest, a, b, ovs = build(lab)
        hv = lab.weftd("a", ns=a)
        hv.ctl("bridge add br0")
        hv.ctl("port add br0 gw0 type=netdev")
        hosts = Host(lab, "guest", guest), Host(lab, "ovs", b)
        strangers(lab, hosts, hv, ovs)
        for six in (False, True):
            # Over IPv6 a UDP checksum is sent in any case.
            for row in [r for r in ROWS if not six or r[1] not in ("vni=5001 csum=on", "vni=0xffffff csum=on", "key=7")]:
                one(lab, hosts, hv, ovs, row, six)
        bad = {d["reason"]: d["packets"] for d in hv.ctl_json("stats")["drops"] if d["packets"]}
        lab.ok(not set(bad) & {"tun-header", "tun-outer-csum", "tun-outer-short", "tun-payload", "tun-inner-short"},
               "Weft found nothing malformed", bad)
        lab.ok(hv.stop() == 0, "SIGTERM ends weftd with status 0")


if __name__ == "__main__":
    main()
