#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each overlay between two switches, over IPv4 and IPv6, and what tshark reads on the wire between them.

     weft-tun-ga          weft-tun-a (weftd)             weft-tun-b (weftd)          weft-tun-gb
   +----------+       +--------------------+         +--------------------+       +----------+
   | g0       | veth  | g -- br0 -- t0     |  veth   |     t0 -- br0 -- g |  veth | g0       |
   | 10.0.0.1 +-------+         (wire)     +=========+     (wire)         +-------+ 10.0.0.2 |
   +----------+       +--------------------+  1500   +--------------------+       +----------+
                        172.16.0.1, fd16::1           172.16.0.2, fd16::2"""
import os
import re
import shutil

from lab import Lab, wait_for

# What tshark has to read: of headers of fixed contents every field.
UDP = " && udp.srcport >= 49152"
REST = "vxlan.flag_d == 0 && vxlan.flag_a == 0 && vxlan.flags_reserved == 0 && vxlan.reserved8 == 0" + UDP
TYPES = [
    ("vxlan", "vni=5001", "vxlan.vni == 5001 && vxlan.flag_i == 1 && vxlan.flag_g == 0 && vxlan.gbp == 0 && " + REST),
    ("vxlan", "vni=0xffffff gbp=true gbp-id=42",
     "vxlan.vni == 0xffffff && vxlan.flag_i == 1 && vxlan.flag_g == 1 && vxlan.gbp == 42 && " + REST),
    ("vxlan-gpe", "vni=5001", "vxlan.vni == 5001 && vxlan.next_proto == 3 && vxlan.ver == 0 && vxlan.i_bit == 1 && "
                              "vxlan.p_bit == 1 && vxlan.o_bit == 0" + UDP),
    ("gre", "", "gre.proto == 0x6558 && gre.flags_and_version == 0"),
    ("gre", "key=7 csum=on seq=true", "gre.flags_and_version == 0xb000 && gre.key == 7 && gre.checksum.status == 1"),
    ("nvgre", "vsid=5001", f"gre.flags_and_version == 0x2000 && gre.proto == 0x6558 && gre.key >= {5001 << 8} && "
                           f"gre.key < {5002 << 8}"),
    ("geneve", "vni=5001", "geneve.vni == 5001 && geneve.proto_type == 0x6558 && geneve.version == 0 && "
                           "geneve.option.length == 0 && geneve.flags == 0 && geneve.reserved == 0" + UDP),
    ("erspan", "session=100 index=7", "gre.flags_and_version == 0x1000 && gre.proto == 0x88be && erspan.spanid == 100 && "
                                      "erspan.version == 1 && erspan.index == 7 && erspan.vlan == 0 && erspan.truncated == 0"),
    ("erspan", "session=1023 version=III direction=egress hwid=4",
     "gre.proto == 0x22eb && erspan.spanid == 1023 && erspan.version == 2 && erspan.direction == 1 && erspan.hw == 4 && "
     "erspan.o == 0"),
    ("stt", "key=5001", "stt.context_id == 5001 && stt.version == 0 && stt.seg_off == 0 && stt.flags == 0 && stt.l4offset == 0 && "
                        "stt.mss == 0 && stt.padding == 0 && stt.tcp.flags == 0x18 && stt.tcp.window == 65535 && "
                        "stt.dport == 7471"),
]


def build(lab):
    ga, a, b, gb = (lab.netns(n) for n in ("tun-ga", "tun-a", "tun-b", "tun-gb"))
    lab.veth(ga, "g0", a, "g")
    lab.veth(gb, "g0", b, "g")
    lab.veth(a, "wire", b, "wire")
    for ns, dev, addrs in ((ga, "g0", "10.0.0.1/24"), (gb, "g0", "10.0.0.2/24"), (a, "wire", "172.16.0.1/24 fd16::1/64"),
                           (b, "wire", "172.16.0.2/24 fd16::2/64")):
        lab.addrs(ns, dev, addrs)
    return ga, a, b, gb


def tcp(lab, ga, gb):
    server = lab.spawn("iperf", ["iperf3", "-s", "-1"], ns=gb)
    wait_for("iperf3 listening", lambda: lab.run("ss -Hltn sport = :5201", ns=gb).stdout, 5)
    p = lab.run("iperf3 -c 10.0.0.2 -n 3M -f m --connect-timeout 3000", ns=ga, check=False, timeout=30)
    server.stop()
    return re.search(r"([0-9.]+) Mbits/sec +receiver", p.stdout)


def count(lab, pcap, want):
    argv = ["tshark", "-r", pcap, "-o", "ip.try_heuristic_first:TRUE", "-o", "ipv6.try_heuristic_first:TRUE", "-Y", want]
    p = lab.run(argv, check=False, timeout=30)
    return len(p.stdout.splitlines())


def one(lab, ga, a, gb, hv, over, row):
    kind, opts, want = row
    what = f"{kind} {opts}".strip() + f" over {over}"
    net = "fd16::" if over == "IPv6" else "172.16.0."
    for h, far in ((hv[0], 2), (hv[1], 1)):
        h.ctl(f"tunnel add br0 t0 type={kind} remote={net}{far} {opts}")
    pcap = os.path.join(lab.logs, f"{kind}{TYPES.index(row)}-{over}.pcap")
    wait_for("the tunnel to carry something", lambda: lab.ping(ga, "10.0.0.2", 1), 10)
    dump = lab.spawn(f"dump-{os.path.basename(pcap)}", ["tcpdump", "--immediate-mode", "-Uni", "wire", "-s", "300", "-w", pcap],
                     ns=a)
    wait_for("tcpdump", lambda: "listening on" in dump.tail(), 5)
    got = lab.ping(ga, "10.0.0.2", every=0.02, within=3)
    lab.ok(got == 3, f"{what}: ping", f"{got} of 3")
    wait_for("the capture of six packets", lambda: os.path.getsize(pcap) > 6 * 150, 5)
    dump.stop()
    big = lab.ping(ga, "10.0.0.2", size=1380, every=0.02, within=3)
    lab.ok(big == 3, f"{what}: ping of 1380 bytes", f"{big} of 3")
    lab.ok(tcp(lab, ga, gb), f"{what}: TCP")
    if shutil.which("tshark"):
        good, bad = count(lab, pcap, f"icmp && {want}"), count(lab, pcap, "_ws.malformed")
        lab.ok(good >= 6 and not bad, f"{what}: tshark reads it so", f"{good} packets as wanted, {bad} malformed")
    else:
        lab.skip(f"{what}: tshark reads it so", "tshark is not installed")
    for h in hv:
        h.ctl("tunnel del t0")


def main():
    with Lab("tunnels") as lab:
        ga, a, b, gb = build(lab)
        hv = [lab.weftd(n, ns=ns) for n, ns in (("a", a), ("b", b))]
        for h in hv:
            h.ctl("bridge add br0")
            h.ctl("port add br0 g type=netdev")
        for over in ("IPv4", "IPv6"):
            for row in TYPES:
                one(lab, ga, a, gb, hv, over, row)
        for h in hv:
            lab.ok(h.stop() == 0, "SIGTERM ends weftd with status 0")


if __name__ == "__main__":
    main()
