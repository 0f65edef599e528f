#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""STT between two switches: guests leave their checksums and the cutting of 64 KB to others, and the frame crosses whole; then
over a wire that loses, doubles and reorders; then frames that never become whole.

    guest g1         weft-stt-a                 weft-stt-m              weft-stt-b             guest g2
   +--------+  vhost  +---------------+  veth  +-------------+  veth  +---------------+  vhost  +--------+
   |10.0.0.1+---------+ br0 (weftd a) +========+  relay.py   +========+ br0 (weftd b) +---------+10.0.0.2|
   +--------+         +---------------+  1500  +-------------+  1500  +---------------+         +--------+
                        172.16.0.1, fd16::1                             172.16.0.2, fd16::2"""
import json
import os
import subprocess
import sys

from lab import Lab, wait_for
from streams import MB, Transfer, prepare

HERE = os.path.dirname(os.path.abspath(__file__))
# Frames of 60,000 bytes of which eight pieces come and the rest never does.  argv: source destination MAC device number
PIECES = r"""
import socket, struct, sys, time
src, dst, mac, dev, n = sys.argv[1:6]
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind((dev, 0))
ip4 = socket.inet_aton
def csum(b):
    t = sum(struct.unpack(f"!{len(b) // 2}H", b))
    while t >> 16:
        t = (t & 0xffff) + (t >> 16)
    return t ^ 0xffff
eth = bytes.fromhex(mac.replace(":", "")) + bytes([2, 0, 0, 0, 0, 9]) + b"\x08\0"
pay = struct.pack("!BBBBHHQH", 0, 0, 0, 0, 0, 0, 5001, 0) + bytes(1400)
for i in range(int(n)):
    tcp = struct.pack("!HHIIHHHH", 50000, 7471, 60000 << 16 | i % 8 * len(pay), i // 8 + 1, 0x5018, 0xffff, 0, 0) + pay
    c = csum(ip4(src) + ip4(dst) + struct.pack("!HH", 6, len(tcp)) + tcp)
    tcp = tcp[:16] + struct.pack("!H", c) + tcp[18:]
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0x4000, 64, 6, 0, ip4(src), ip4(dst))
    s.send(eth + ip[:10] + struct.pack("!H", csum(ip)) + ip[12:] + tcp)
    if i % 64 == 63:
        time.sleep(0.004)
"""
# First pieces of such frames, each from another forged sender, for some seconds.  argv: destination MAC device seconds
FORGED = r"""
import os, random, socket, struct, sys, time
dst, mac, dev, seconds = sys.argv[1:5]
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind((dev, 0))
ip4 = socket.inet_aton
def add(b, t=0):
    return t + sum(struct.unpack(f"!{len(b) // 2}H", b))
def fold(t):
    while t >> 16:
        t = (t & 0xffff) + (t >> 16)
    return struct.pack("!H", t ^ 0xffff)
eth = bytes.fromhex(mac.replace(":", "")) + bytes([2, 0, 0, 0, 0, 9]) + b"\x08\0"
pay = struct.pack("!BBBBHHQH", 0, 0, 0, 0, 0, 0, 5001, 0) + bytes(600)
tcp = struct.pack("!HHIIHHHH", 50000, 7471, 60000 << 16, 1, 0x5018, 0xffff, 0, 0) + pay
ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0x4000, 64, 6, 0, bytes(4), ip4(dst))
of_tcp, of_ip = add(ip4(dst) + struct.pack("!HH", 6, len(tcp)) + tcp), add(ip)
end, n = time.monotonic() + float(seconds), 0
while time.monotonic() < end:
    for _ in range(64):
        src = b"\x0a" + random.randbytes(3)
        s.send(eth + ip[:10] + fold(add(src, of_ip)) + src + ip[16:] + tcp[:16] + fold(add(src, of_tcp)) + tcp[18:])
    n += 64
print(n)
"""


class Relay:
    def __init__(self, lab, ns):
        self.lab = lab
        self.path = os.path.join(lab.logs, "relay.log")
        with open(self.path, "wb") as out:
            self.popen = subprocess.Popen(["ip", "netns", "exec", ns, sys.executable, os.path.join(HERE, "relay.py"), "m0", "m1"],
                                          stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT)
        lab.journal("pid", self.popen.pid, "0", "relay")
        self.n = 0
        wait_for("the relay", lambda: self.lines(1), 10)

    def lines(self, n):
        with open(self.path) as f:
            lines = [x for x in f if x.endswith("\n")]
        return lines if len(lines) >= n else None

    def set(self, loss=0, double=0, delay=0):
        """In per mille; gives what was done up to now."""
        self.n += 1
        self.popen.stdin.write(f"{loss} {double} {delay}\n".encode())
        self.popen.stdin.flush()
        return json.loads(wait_for("the relay to obey", lambda: self.lines(self.n + 1), 10)[self.n])


def build(lab):
    a, m, b = (lab.netns("stt-" + n) for n in "amb")
    lab.veth(a, "wire", m, "m0")
    lab.veth(m, "m1", b, "wire")
    for dev in ("m0", "m1"):
        lab.run(f"sysctl -qw net.ipv6.conf.{dev}.disable_ipv6=1", ns=m)
    for ns, n in ((a, 1), (b, 2)):
        lab.addrs(ns, "wire", f"172.16.0.{n}/24 fd16::{n}/64")
    return a, m, b


def bad_wire(lab, g1, g2, sw, relay):
    """Frames of 45 pieces: of a hundredth of the pieces a third of the frames is lost; TCP gets through all the same."""
    what = "over a wire that loses, doubles and reorders"
    before = relay.set(4, 10, 20)
    t = Transfer(g1, g2, "10.0.0.2", "eth0", 3 * MB)
    lab.ok(t.whole and t.clean, f"{what}: every byte arrives, every checksum is right", t)
    did = relay.set()
    did = {k: did[k] - before[k] for k in did}
    lab.diag(f"{t.rate:.0f} Mbit/s; the wire: {did}")
    lab.ok(did["lost"] and did["doubled"] and did["delayed"], f"{what}: it did so", did)
    wait_for("pieces of lost frames to be given up", lambda: sw.drops("tun-incomplete"), 10)
    lab.ok(sw.drops("tun-overlap") > 0, f"{what}: doubles are counted as tun-overlap, never delivered", sw.ctl("stats drops").stdout)


def never_whole(lab, m, g1, g2, sw):
    """750 frames of 64 KB, eight pieces each: what is held for one source is bounded, and given back in a second."""
    base, lost = sw.mbufs_in_use(), sw.drops("tun-incomplete")
    mac = lab.run("cat /sys/class/net/wire/address", ns="weft-stt-b").stdout.strip()
    p = subprocess.Popen(["ip", "netns", "exec", m, sys.executable, "-c", PIECES, "172.16.0.1", "172.16.0.2", mac, "m1", "6000"])
    lab.journal("pid", p.pid, "0", "pieces")
    most = 0
    while p.poll() is None:
        most = max(most, sw.mbufs_in_use() - base)
    wait_for("buffers to be given back", lambda: sw.mbufs_in_use() - base < 64, 10)
    what = "frames that never become whole"
    lab.ok(300 < most < 1100, f"{what}: about a source's share of buffers is held, 768, and no more", most)
    wait_for(f"{what} to be counted as tun-incomplete", lambda: sw.drops("tun-incomplete") - lost > 300, 10)
    t = Transfer(g1, g2, "10.0.0.2", "eth0", MB)
    lab.ok(t.whole and t.clean, "and what comes then arrives", t)


def forged_senders(lab, m, g1, g2, sw):
    """The receiver takes frames from anybody: thousands who never complete one keep nobody from being heard."""
    what = "beside frames of forged senders that never become whole"
    sw.ctl("tunnel del t0")
    sw.ctl("tunnel add br0 t0 type=stt key=5001 remote=flow")
    wait_for("the guests to meet again", lambda: g1.ping("10.0.0.2", 1)[0], 15)
    lost, held = sw.drops("tun-incomplete"), sw.drops("tun-new-remote")
    mac = lab.run("cat /sys/class/net/wire/address", ns="weft-stt-b").stdout.strip()
    flood = lab.spawn("forged", [sys.executable, "-c", FORGED, "172.16.0.2", mac, "m1", "6"], ns=m)
    wait_for("the flood", lambda: sw.drops("tun-incomplete") - lost > 1000, 10)
    t = Transfer(g1, g2, "10.0.0.2", "eth0", MB)
    during = flood.alive()
    lab.ok(t.whole and t.clean and during, f"{what}: every byte arrives, every checksum is right", f"{t} {during}")
    lab.ok(t.seen["long"], f"{what}: long frames arrive whole", t)
    flood.popen.wait(20)
    lab.diag(f"{t.rate:.0f} Mbit/s, while {sw.drops('tun-incomplete') - lost} pieces of {flood.tail(1).strip()} were given up")
    lab.ok(sw.drops("tun-new-remote") == held, "of those no sender was learned", sw.ctl("tunnel list").stdout)
    rows = sw.ctl_json("tunnel list")["tunnels"][0]["tunnel"]["remotes"]
    lab.ok(len(rows) == 1, "only the true far end is", rows)


def main():
    with Lab("guest-stt") as lab:
        if not lab.guests_run():
            return
        a, m, b = build(lab)
        relay = Relay(lab, m)
        hv, sw = lab.weftd("a", ns=a), lab.weftd("b", ns=b)
        guests = []
        for d, n in ((hv, 1), (sw, 2)):
            d.ctl("bridge add br0")
            d.ctl(f"port add br0 g{n} type=vhost-user")
            guests.append(lab.guest(f"g{n}", d.sock(f"g{n}"), ip=f"10.0.0.{n}/24,fd00::{n}/64"))
        for g in lab.booted(guests):
            prepare(g)
        g1, g2 = guests
        for net, over in (("172.16.0.", "IPv4"), ("fd16::", "IPv6")):
            hv.ctl(f"tunnel add br0 t0 type=stt key=5001 remote={net}2")
            sw.ctl(f"tunnel add br0 t0 type=stt key=5001 remote={net}1")
            wait_for(f"the guests to meet over {over}", lambda: g1.ping("10.0.0.2", 1)[0], 15)
            for inner, addr in (("IPv4", "10.0.0.2"), ("IPv6", "fd00::2")):
                wait_for(f"{inner} over {over}", lambda to=addr: g1.ping(to, 1)[0], 15)
                t = Transfer(g1, g2, addr, "eth0", 3 * MB)
                lab.diag(f"{inner} in STT over {over}: {t.rate:.0f} Mbit/s")
                lab.ok(t.whole and t.clean, f"{inner} in STT over {over}: every byte arrives, every checksum is right", t)
                lab.ok(t.seen["longest"] > 4 * 1514 and t.seen["long"] and t.seen["partial"],
                       f"{inner} in STT over {over}: long frames arrive whole, with their partial checksums", t)
            if over == "IPv4":
                bad_wire(lab, g1, g2, sw, relay)
                never_whole(lab, m, g1, g2, sw)
                forged_senders(lab, m, g1, g2, sw)
            hv.ctl("tunnel del t0")
            sw.ctl("tunnel del t0")
        lab.diag(f"the wire, in all: {relay.set()}")
        for d, name in ((hv, "a"), (sw, "b")):
            bad = {r["reason"]: r["packets"] for r in d.ctl_json("stats")["drops"] if r["packets"]}
            lab.diag(f"drops of {name}: {bad}")
            lab.ok(not set(bad) & {"tun-header", "tun-outer-csum", "tun-outer-short", "rx-bad-offload"},
                   f"{name}: nothing was found malformed", bad)
            lab.ok(d.stop() == 0, f"{name}: SIGTERM ends weftd with status 0")


if __name__ == "__main__":
    main()
