#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Limits of vhost-user ports, met by a guest that does not keep to them: addresses that are not its own, in packets, in
ARP and in neighbour discovery; more bits and packets than it may send or get.  Both guests are by hand (vhost_front).

     f1 02:..:f1 10.0.0.1 fd00::1 --- vhost --- br0 (weftd) --- vhost --- f2 02:..:f2"""
import ipaddress
import struct
import time

import vhost_front as vf
from lab import Lab, LabError, wait_for

F1, F2 = "02:00:00:00:00:f1", "02:00:00:00:00:f2"
ALL = "ff:ff:ff:ff:ff:ff"


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def eth(dst, src, kind, payload):
    return mac(dst) + mac(src) + struct.pack(">H", kind) + payload


def ip4(src, payload, proto=17):
    return struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, proto, 0, ipaddress.ip_address(src).packed,
                       ipaddress.ip_address("10.0.0.2").packed) + payload


def udp(src, size=100, dst=F2, own=F1):
    return eth(dst, own, 0x0800, ip4(src, struct.pack(">HHHH", 9, 9, 8 + size, 0) + bytes(size)))


def arp(sha, spa):
    return eth(ALL, F1, 0x0806, struct.pack(">HHBBH", 1, 0x0800, 6, 4, 2) + mac(sha) + ipaddress.ip_address(spa).packed +
               mac(F2) + ipaddress.ip_address("10.0.0.2").packed)


def advert(src, target, lladdr):
    """A neighbour advertisement."""
    body = struct.pack(">BBHI", 136, 0, 0, 0x20000000) + ipaddress.ip_address(target).packed + b"\x02\x01" + mac(lladdr)
    return eth(ALL, F1, 0x86dd, struct.pack(">IHBB", 6 << 28, len(body), 58, 255) + ipaddress.ip_address(src).packed +
               ipaddress.ip_address("ff02::1").packed + body)


def tso(src, size):
    """A long TCP segment with its virtio header."""
    frame = eth(F2, F1, 0x0800, ip4(src, struct.pack(">HHIIBBHHH", 9, 9, 0, 0, 0x50, 0x10, 0, 0, 0) + bytes(size), 6))
    return struct.pack("<BBHHHHH", 1, 1, 54, 1448, 34, 16, 0) + frame


class End:
    """A guest by hand that knows how many frames came in."""

    def __init__(self, sw, name):
        self.f = vf.Front(sw.sock(name))
        self.f.start(vf.OFFLOADS | vf.MERGE)
        for i in range(256):
            self.f.chain(vf.TO_GUEST, [(self.f.buf(0, i), vf.BUF, vf.WRITE)])
        self.f.kick(vf.TO_GUEST)
        self.sent = self.at = self.got = 0

    def send(self, frames):
        """Each with a virtio header.  Until the switch has taken them all."""
        for frame in frames:
            room = (len(frame) + vf.BUF - 1) // vf.BUF
            if self.at + room > 256:
                self.at = 0
            self.f.write(self.f.buf(1, self.at), frame)
            self.f.chain(vf.FROM_GUEST, [(self.f.buf(1, self.at), len(frame), 0)])
            self.at += room
            self.sent += 1
        self.f.kick(vf.FROM_GUEST)
        wait_for("frames to be taken", lambda: self.f.used(vf.FROM_GUEST, self.sent - 1), 5, 0.002)

    def send_plain(self, frames):
        self.send([bytes(vf.HDR) + f for f in frames])

    def received(self):
        """Frames since the last time; the buffers are given back."""
        base, n, bufs = vf.TO_GUEST * vf.RING, 0, 0
        used = struct.unpack_from("<H", self.f.mem, base + 0x8002)[0]
        while (self.got + bufs) & 0xffff != used:
            ident = struct.unpack_from("<I", self.f.mem, base + 0x8004 + (self.got + bufs) % 256 * 8)[0]
            bufs += struct.unpack_from("<H", self.f.mem, self.f.buf(0, ident) + 10)[0]
            n += 1
        for i in range(bufs):
            self.f.chain(vf.TO_GUEST, [(self.f.buf(0, (self.got + i) % 256), vf.BUF, vf.WRITE)])
        self.got += bufs
        if bufs:
            self.f.kick(vf.TO_GUEST)
        return n


def port_drops(sw, port):
    return {d["reason"]: d["packets"] for d in sw.ctl_json(f"stats drops --port {port}")["drops"]}


def tried(sw, a, b, frames, reason, at="f1"):
    """Sends; how many came through, and how many the port says were dropped for that reason."""
    b.received()
    before = port_drops(sw, at).get(reason, 0)
    a.send(frames)

    def all_told():
        tried.through += b.received()
        tried.dropped = port_drops(sw, at).get(reason, 0) - before
        return tried.through + tried.dropped >= len(frames)

    tried.through = tried.dropped = 0
    try:
        wait_for("all frames to be somewhere", all_told, 3)
    except LabError:
        pass
    return tried.through, tried.dropped


def addresses(lab, sw, a, b):
    sw.ctl(f"port set f1 allowed-macs={F1} allowed-ips=10.0.0.1,fd00::1")
    plain = bytes(vf.HDR)
    for what, frame, reason in (
            ("its own packet", plain + udp("10.0.0.1"), None),
            ("its own TSO frame", tso("10.0.0.1", 30000), None),
            ("its own ARP", plain + arp(F1, "10.0.0.1"), None),
            ("its own advertisement", plain + advert("fd00::1", "fd00::1", F1), None),
            ("another's MAC address", plain + udp("10.0.0.1", own=F2), "spoof-mac"),
            ("another's IPv4 address", plain + udp("10.0.0.7"), "spoof-ip"),
            ("another's IPv4 address, TSO", tso("10.0.0.7", 30000), "spoof-ip"),
            ("another's IPv6 address", plain + advert("fd00::7", "fd00::1", F1), "spoof-ip"),
            ("ARP for another's address", plain + arp(F1, "10.0.0.7"), "spoof-arp"),
            ("ARP with another's MAC", plain + arp(F2, "10.0.0.1"), "spoof-arp"),
            ("advertisement of another's address", plain + advert("fd00::1", "fd00::7", F1), "spoof-arp"),
            ("advertisement with another's MAC", plain + advert("fd00::1", "fd00::1", F2), "spoof-arp")):
        through, dropped = tried(sw, a, b, [frame] * 3, reason or "spoof-ip")
        want = (0, 3) if reason else (3, 0)
        lab.ok((through, dropped) == want, f"{what}: {'dropped as ' + reason if reason else 'passes'}",
               f"{through} came, {dropped} counted of 3; {port_drops(sw, 'f1')}")
    sw.ctl("port set f1 allowed-macs= allowed-ips=")


def rates(lab, sw, a, b):
    long, short = tso("10.0.0.1", 50000), bytes(vf.HDR) + udp("10.0.0.1")
    # A bucket holds a tenth of a second: 125,000 bytes, which is two of 50,000 and one that it goes into debt for.
    for port, way in (("f1", "rx"), ("f2", "tx")):
        sw.ctl(f"port set {port} {way}-rate=10M")
        through, dropped = tried(sw, a, b, [long] * 8, f"{way}-rate", port)
        lab.ok(2 <= through <= 4 and through + dropped == 8, f"{way}-rate counts all bytes of long frames",
               f"{through} came, {dropped} counted of 8; {port_drops(sw, port)}")
        time.sleep(0.15)                # The bucket fills.
        through, dropped = tried(sw, a, b, [short] * 64, f"{way}-rate", port)
        lab.ok(through == 64, f"as many bytes in short ones pass {way}-rate", f"{through} came, {dropped} counted of 64")
        sw.ctl(f"port set {port} {way}-rate= {way}-pps=100")
        through, dropped = tried(sw, a, b, [short] * 64, f"{way}-rate", port)
        lab.ok(10 <= through <= 30 and through + dropped == 64, f"{way}-pps counts frames",
               f"{through} came, {dropped} counted of 64")
        sw.ctl(f"port set {port} {way}-pps=")
        through, dropped = tried(sw, a, b, [long] * 8, f"{way}-rate", port)
        lab.ok(through == 8, f"without {way} limits all pass", f"{through} came, {dropped} counted of 8")
        text = sw.ctl(f"stats drops --port {port}").stdout
        lab.ok(f"{way}-rate" in text, f"weftctl shows {way}-rate at the port", text)


def main():
    with Lab("guest-limits") as lab:
        sw = lab.weftd("sw", ns=lab.netns("limits"))
        sw.ctl("bridge add br0")
        for name in ("f1", "f2"):
            sw.ctl(f"port add br0 {name} type=vhost-user mode=server")
        a, b = End(sw, "f1"), End(sw, "f2")
        wait_for("both ports", lambda: all(p["up"] for br in sw.ctl_json("show")["bridges"] for p in br["ports"]
                                           if p["name"] in ("f1", "f2")), 5)
        # The switch learns where f2 is.
        b.send_plain([udp("10.0.0.2", dst=F1, own=F2)])
        wait_for("it to arrive", a.received, 5)
        addresses(lab, sw, a, b)
        rates(lab, sw, a, b)
        a.f.close()
        b.f.close()
        lab.ok(sw.proc.alive(), "weftd is there")


if __name__ == "__main__":
    main()
