#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Weft's VXLAN against the Linux kernel's own, over IPv4 and over IPv6.

     weft-guest                weft-a (weftd)                     weft-b (kernel)
   +-----------+        +--------------------------+        +------------------------+
   | g0        |  veth  | gw0 (netdev)             |  veth  |        vxlan0 -- brk   |
   | 10.0.0.1  +--------+     br0 -- vx0 -- (wire) +========+ (wire)     10.0.0.2    |
   | fd00::1   |        |       vni 42, 4789       |  1600  |             fd00::2    |
   +-----------+        +--------------------------+        +------------------------+
                          172.16.0.1, fd16::1                 172.16.0.2, fd16::2
                                                              172.16.0.3: no tunnel knows it"""
import re
import sys
import time

from lab import Lab, LabError, wait_for

SEND = r"""
import socket, sys
source, dest, port, vni, n = sys.argv[1:6]
s = socket.socket(socket.AF_INET6 if ":" in dest else socket.AF_INET, socket.SOCK_DGRAM)
s.bind((source, 0))
head = bytes([8, 0, 0, 0]) + int(vni).to_bytes(3, "big") + b"\0"
for i in range(int(n)):
    frame = b"\xff" * 6 + bytes([2, 0xee, 0, 0, 0, i % 200]) + b"\x08\x00" + b"E" + bytes(59)
    s.sendto(head + frame, (dest, int(port)))
"""


def iperf(lab, server_ns, client_ns, dst, amount="20M"):
    server = lab.spawn(f"iperf-{server_ns}", ["iperf3", "-s", "-1"], ns=server_ns)
    wait_for("iperf3 listening", lambda: lab.run("ss -Hltn sport = :5201", ns=server_ns).stdout, 5)
    p = lab.run(f"iperf3 -c {dst} -n {amount} -f m --connect-timeout 3000", ns=client_ns, check=False, timeout=40)
    server.stop()
    m = re.search(r"([0-9.]+) Mbits/sec +receiver", p.stdout)
    return float(m.group(1)) if m else 0.0


def icmp_unreachables(lab, ns):
    rows = [line.split() for line in lab.run("cat /proc/net/snmp", ns=ns).stdout.splitlines() if line.startswith("Icmp:")]
    return int(dict(zip(*rows))["InDestUnreachs"])


def icmp6_unreachables(lab, ns):
    for line in lab.run("cat /proc/net/snmp6", ns=ns).stdout.splitlines():
        if line.startswith("Icmp6InDestUnreachs"):
            return int(line.split()[1])
    return 0


def build(lab):
    guest, a, b = lab.netns("guest"), lab.netns("a"), lab.netns("b")
    lab.veth(guest, "g0", a, "gw0")
    lab.veth(a, "wire", b, "wire", mtu=1600)
    for ns, dev, addrs in ((guest, "g0", "10.0.0.1/24 fd00::1/64"), (a, "wire", "172.16.0.1/24 fd16::1/64"),
                           (b, "wire", "172.16.0.2/24 172.16.0.3/24 fd16::2/64 fd16::3/64")):
        lab.addrs(ns, dev, addrs)
    lab.ip(b, "link add brk address 02:57:00:b0:00:01 type bridge")
    lab.addrs(b, "brk", "10.0.0.2/24 fd00::2/64")
    lab.ip(b, "link set brk mtu 1500 up")
    return guest, a, b


def kernel_tunnel(lab, b, six):
    lab.ip(b, "link del vxlan0", check=False)
    ends = "remote fd16::1 local fd16::2" if six else "remote 172.16.0.1 local 172.16.0.2"
    lab.ip(b, f"link add vxlan0 type vxlan id 42 dstport 4789 dev wire {ends}")
    lab.ip(b, "link set vxlan0 mtu 1500 master brk up")
    # Frames of this side's stack are to be ordinary ones.
    lab.run("ethtool -K vxlan0 tso off gso off gro off tx off", ns=b, check=False)
    lab.run("ethtool -K brk tso off gso off gro off tx off", ns=b, check=False)


def traffic(lab, guest, b, over):
    got = lab.ping(guest, "10.0.0.2", 5)
    lab.ok(got >= 4, f"{over}: guest pings the kernel's side", got.out)
    got = lab.ping(b, "10.0.0.1", 5)
    lab.ok(got == 5, f"{over}: the kernel's side pings the guest", got.out)
    got = lab.ping(guest, "fd00::2")
    lab.ok(got == 3, f"{over}: IPv6 inside", got.out)
    got = lab.ping(guest, "10.0.0.2", size=1472, opts="-M do")
    lab.ok(got == 3, f"{over}: packets of 1500 bytes pass where they fit", got.out)
    got = lab.ping(b, "10.0.0.1", size=1472, opts="-M do")
    lab.ok(got == 3, f"{over}: packets of 1500 bytes pass the other way", got.out)
    rate = iperf(lab, b, guest, "10.0.0.2")
    lab.ok(rate > 1, f"{over}: TCP guest to kernel")
    back = iperf(lab, guest, b, "10.0.0.1")
    lab.ok(back > 1, f"{over}: TCP kernel to guest")
    lab.diag(f"{over}: TCP {rate:.0f} and {back:.0f} Mbit/s")


def strangers(lab, hv, guest, b, six):
    """Unknown VNIs and remotes are counted by reason, and cost no upcall."""
    over = "IPv6" if six else "IPv4"
    local, known, unknown = ("fd16::1", "fd16::2", "fd16::3") if six else ("172.16.0.1", "172.16.0.2", "172.16.0.3")
    # What the test itself sends must be all there is.
    lab.ip(b, "link set vxlan0 down")
    time.sleep(0.3)
    for what, source, vni, reason in (("an unknown VNI", known, 4242, "tun-unknown-key"),
                                      ("an unconfigured remote", unknown, 42, "tun-unknown-remote")):
        drops, upcalls = hv.drops(reason), hv.upcalls()
        received = int(lab.run("cat /sys/class/net/g0/statistics/rx_packets", ns=guest).stdout)
        lab.run([sys.executable, "-c", SEND, source, local, "4789", str(vni), "100"], ns=b)
        try:
            wait_for("drops", lambda d=drops, r=reason: hv.drops(r) - d >= 100, 5)
        except LabError:
            pass
        lab.ok(hv.drops(reason) - drops == 100, f"{over}: {what} is counted as {reason}",
               f"counted {hv.drops(reason) - drops} of 100")
        rows = [r for r in hv.ctl_json("tunnel refused")["refused"] if r["reason"] == reason and r.get("remote") == source]
        lab.ok(len(rows) == 1 and rows[0]["key"] == vni and rows[0]["underlay"] == "wire" and 1 <= rows[0]["packets"] <= 100,
               f"{over}: weftctl says who sent {what}", hv.ctl("tunnel refused").stdout)
        now = int(lab.run("cat /sys/class/net/g0/statistics/rx_packets", ns=guest).stdout)
        # The sender has 100 source addresses: one that reached the slow path would be an upcall.
        lab.ok(hv.upcalls() - upcalls < 10, f"{over}: {what} causes no upcalls",
               f"{hv.upcalls() - upcalls} upcalls")
        lab.ok(now - received < 10, f"{over}: {what} reaches no guest")
    lab.ip(b, "link set vxlan0 up")


def too_big(lab, guest, a, b, over):
    """A wire of 1500 bytes does not carry 1500 bytes in a tunnel: the sender is told, and TCP finds its way."""
    for ns in (a, b):
        lab.ip(ns, "link set wire mtu 1500")
    time.sleep(0.5)
    # Room of the inner packet: 1500 less outer IP, UDP, VXLAN and the inner Ethernet header.
    room = 1500 - (40 if over == "IPv6" else 20) - 8 - 8 - 14
    got = lab.ping(guest, "10.0.0.2", 3, 1472, "-M do")
    told = re.search(r"mtu ?= ?(\d+)", got.out)
    lab.ok(got == 0 and told and int(told.group(1)) == room,
           f"{over}: a packet that cannot fit is answered with the MTU that fits, {room}", got.out)
    got = lab.ping(guest, "10.0.0.2", 3, room - 28, "-M do")
    lab.ok(got == 3, f"{over}: the largest packet that fits passes", got.out)
    lab.ip(guest, "-6 route flush cache", check=False)
    got = lab.ping(guest, "fd00::2", 3, 1452, "-M do")
    told = re.search(r"mtu ?[=:] ?(\d+)", got.out)
    lab.ok(got == 0 and told and int(told.group(1)) == room, f"{over}: IPv6 inside is answered with packet-too-big", got.out)
    lab.ok(iperf(lab, b, guest, "10.0.0.2", "5M") > 1, f"{over}: TCP adapts to the smaller room")
    for ns in (a, b):
        lab.ip(ns, "link set wire mtu 1600")
    lab.ip(guest, "route flush cache", check=False)


def main():
    with Lab("vxlan-kernel") as lab:
        guest, a, b = build(lab)
        hv = lab.weftd("a", ns=a)
        hv.ctl("bridge add br0")
        hv.ctl("port add br0 gw0 type=netdev")
        for over, remote in (("IPv4", "172.16.0.2"), ("IPv6", "fd16::2")):
            kernel_tunnel(lab, b, over == "IPv6")
            hv.ctl(f"tunnel add br0 vx0 type=vxlan vni=42 remote={remote}")
            answers = icmp_unreachables(lab, b) + icmp6_unreachables(lab, b)
            traffic(lab, guest, b, over)
            strangers(lab, hv, guest, b, over == "IPv6")
            lab.ok(icmp_unreachables(lab, b) + icmp6_unreachables(lab, b) == answers,
                   f"{over}: weftd's host does not answer tunnel packets with ICMP",
                   "the kernel beside weftd sent port-unreachable for packets that weftd took")
            too_big(lab, guest, a, b, over)
            hv.ctl("tunnel del vx0")
            got = lab.ping(guest, "10.0.0.2", 2)
            lab.ok(got == 0, f"{over}: nothing passes once the tunnel is removed")
        lab.ok(hv.stop() == 0, "SIGTERM ends weftd with status 0")


if __name__ == "__main__":
    main()
