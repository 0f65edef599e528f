#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checksums and long frames that Linux guests leave to others: untouched between guests, completed and cut where the
receiver cannot, also inside tunnels.  Every byte of each transfer is checked by who receives it, every checksum by a
packet socket beside it.

                         namespace hv                                         namespace b (kernel)
     g1 --- vhost ---+---------------+                                      +--------------------+
     g2 --- vhost ---+ br0 (weftd a) +--- vx0 (VXLAN 42) === wire0 (1600) ==+ vxlan0 -- brk      |
     g3 --- vhost ---+               |    172.16.0.1 / fd16::1              |   10.0.0.20        |
     f  --- vhost ---+   lan0        |                                      +--------------------+
                     |  10.0.0.9     |                                        namespace c
                     +---------------+--- vx1 (VXLAN 43) === wire1 (1600) ==+ br0 (weftd c) -- g4, offloads off
                                                                            +--------------------+

g1 and g2 are ordinary.  g3 has neither mergeable buffers nor indirect descriptors: room for 13 frames.  f is a guest by
hand that sends what Linux does not: UFO."""
import struct
import time

import vhost_front as vf
from lab import Lab, mac_of, wait_for
from streams import MB, Host, Transfer, counter, prepare, watch

BIG = "mrg_rxbuf=off,indirect_desc=off"


def stats(hv, port):
    return next(p for p in hv.ctl_json(f"stats ports --port {port}")["ports"] if p["name"] == port)


def uncut(lab, t, what):
    lab.diag(f"{what}: {t.rate:.0f} Mbit/s")
    lab.ok(t.whole and t.clean, f"{what}: every byte arrives, every checksum is right", t)
    lab.ok(t.seen["longest"] > 40000 and t.seen["long"] and t.seen["partial"],
           f"{what}: long frames arrive whole, with their partial checksums", t)


def cut(lab, t, what, longest=1514):
    lab.diag(f"{what}: {t.rate:.0f} Mbit/s")
    lab.ok(t.whole and t.clean, f"{what}: every byte arrives, every checksum is right", t)
    lab.ok(not t.seen["long"] and not t.seen["partial"] and t.seen["longest"] <= longest,
           f"{what}: nothing longer than {longest} bytes, no checksum left open", t)


def build(lab):
    hv, b, c = (lab.netns("offload-" + n) for n in ("hv", "b", "c"))
    for i, ns in ((0, b), (1, c)):
        lab.veth(hv, f"wire{i}", ns, f"wire{i}", mtu=1600)
        for host, at in ((1, hv), (2, ns)):
            lab.addrs(at, f"wire{i}", f"172.16.{i}.{host}/24 fd16:{i}::{host}/64")
    lab.ip(b, "link add brk address 02:57:00:b0:00:01 type bridge")
    lab.addrs(b, "brk", "10.0.0.20/24 fd00::20/64")
    lab.ip(b, "link set brk mtu 1500 up")
    return hv, b, c


def kernel_vxlan(lab, b, six):
    lab.ip(b, "link del vxlan0", check=False)
    ends = "remote fd16:0::1 local fd16:0::2" if six else "remote 172.16.0.1 local 172.16.0.2"
    lab.ip(b, f"link add vxlan0 type vxlan id 42 dstport 4789 dev wire0 {ends}")
    lab.ip(b, "link set vxlan0 mtu 1500 master brk up")
    lab.run("ethtool -K vxlan0 gro off", ns=b, check=False)


def between_guests(lab, a, g1, g2, g3):
    before = stats(a, "g1")
    for over, addr in (("IPv4", "10.0.0.2"), ("IPv6", "fd00::2")):
        t = Transfer(g1, g2, addr, "eth0", 24 * MB)
        uncut(lab, t, f"guest to guest, {over}")
    now = stats(a, "g1")
    mean = (now["rx_bytes"] - before["rx_bytes"]) / max(now["rx_packets"] - before["rx_packets"], 1)
    lab.ok(mean > 15000, "weftctl counts long frames from the guest", f"mean of {mean:.0f} bytes")
    uncut(lab, Transfer(g1, g3, "10.0.0.3", "eth0"), "to a guest with a small ring of big buffers")
    uncut(lab, Transfer(g3, g1, "10.0.0.1", "eth0"), "and back")


def vlans(lab, g1, g2, g4):
    for g, host in ((g1, 1), (g2, 2), (g4, 4)):
        g.sh(f"ip link add link eth0 name eth0.7 type vlan id 7; ip link set eth0.7 up; ip addr add 10.0.7.{host}/24 dev eth0.7")
    t = Transfer(g1, g2, "10.0.7.2", "eth0")
    uncut(lab, t, "with a VLAN tag")
    lab.ok(t.seen["tagged"] >= t.seen["long"] > 0, "the tag arrives with them", t)
    t = Transfer(g1, g4, "10.0.7.4", "eth0")
    cut(lab, t, "with a VLAN tag through two switches")
    lab.ok(t.seen["tagged"] >= t.sink["bytes"] // 1448, "each segment has the tag", t)


def to_the_host(lab, g1, host):
    for over, addr in (("IPv4", "10.0.0.9"), ("IPv6", "fd00::9")):
        cut(lab, Transfer(g1, host, addr, "lan0"), f"guest to internal port, {over}")
    t = Transfer(g1, host, "10.0.7.9", "lan7")
    cut(lab, t, "guest to internal port, its tag taken off")
    lab.ok(not t.seen["tagged"], "no segment has the tag", t)
    t = Transfer(host, g1, "10.0.0.1", "eth0")
    lab.ok(t.clean, "internal port to guest: every byte, every checksum", t)


def tunnels(lab, a, b, g1, far):
    for six in (False, True):
        kernel_vxlan(lab, b, six)
        a.ctl(f"tunnel add br0 vx0 type=vxlan vni=42 remote={'fd16:0::2' if six else '172.16.0.2'}")
        for over, addr in (("IPv4", "10.0.0.20"), ("IPv6", "fd00::20")):
            what = f"{over} in VXLAN over {'IPv6' if six else 'IPv4'} to the kernel"
            errors = counter(far, "Tcp.InCsumErrors")
            cut(lab, Transfer(g1, far, addr, "vxlan0"), what)
            errors = counter(far, "Tcp.InCsumErrors") - errors
            lab.ok(not errors, f"{what}: the kernel finds no wrong checksum", f"{errors}")
        t = Transfer(far, g1, "10.0.0.1", "eth0")
        lab.ok(t.clean, f"and back, over {'IPv6' if six else 'IPv4'}", t)
        a.ctl("tunnel del vx0")


def datagrams(lab, a, g1, g2, host):
    for dst, addr, name in ((g2, "10.0.0.2", "guest"), (host, "10.0.0.9", "internal port")):
        for size in (1400, 8000):
            dst.spawn(f"traffic hold 6000 20 {'/init' if dst is g2 else '/proc/self'}", f"/tmp/hold{size}")
            wait_for("a receiver", lambda d=dst: d.listening(6000, udp=True), 10)
            g1.sh(f"traffic blast {addr} 6000 20 {size} 3000")
            got = dst.result(f"/tmp/hold{size}")
            lab.ok(got["datagrams"] == 20 and not got["wrong"], f"UDP of {size} bytes to the {name}", got)


def word(i):
    """As traffic.c makes its streams."""
    mask = (1 << 64) - 1
    i = (i + 1) * 0x9e3779b97f4a7c15 & mask
    i = (i ^ i >> 30) * 0xbf58476d1ce4e5b9 & mask
    return i ^ i >> 27


def datagram(seq, size):
    data = b"".join(struct.pack("<Q", word(i)) for i in range(seq * size // 8, (seq + 1) * size // 8))
    return struct.pack("<Q", seq) + data[:size - 8]


def rfc1071(data):
    data += b"\0" * (len(data) % 2)
    s = sum(struct.unpack(f">{len(data) // 2}H", data))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return s


def ufo_frame(dst_mac, dst, seq, size):
    """A datagram of 'size' bytes in one frame that asks to be fragmented, with its virtio header."""
    mac = [bytes.fromhex(m.replace(":", "")) for m in (dst_mac, mac_of("f"))]
    src, dst = bytes([10, 0, 0, 50]), bytes(int(x) for x in dst.split("."))
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 28 + size, 77 + seq, 0, 64, 17, 0, src, dst)
    ip = ip[:10] + struct.pack(">H", 0xffff - rfc1071(ip)) + ip[12:]
    pseudo = rfc1071(src + dst + struct.pack(">HH", 17, 8 + size))
    udp = struct.pack(">HHHH", 999, 6001, 8 + size, pseudo)
    vnet = struct.pack("<BBHHHHH", 1, 3, 42, 1472, 34, 6, 0)
    return vnet + b"".join(mac) + b"\x08\x00" + ip + udp + datagram(seq, size)


def ufo(lab, a, g2, host):
    f = vf.Front(a.sock("f"))
    f.start(vf.OFFLOADS | vf.MERGE)
    wait_for("f is up", lambda: any(p["name"] == "f" and p["up"] for b in a.ctl_json("show")["bridges"] for p in b["ports"]), 5)
    lan_mac = lab.run("cat /sys/class/net/lan0/address", ns=host.ns).stdout.strip()
    size, at = 24000, 0
    for dst, addr, mac, dev in ((g2, "10.0.0.2", mac_of("g2"), "eth0"), (host, "10.0.0.9", lan_mac, "lan0")):
        if dst is host:         # Where the kernel's packet sockets have no word for UFO any more.
            watch(dst, dev, "/tmp/watchufo")
        pieces = counter(dst, "Ip.ReasmReqds")
        dst.spawn(f"traffic hold 6001 8 {'/init' if dst is g2 else '/proc/self'}", "/tmp/holdufo")
        wait_for("a receiver", lambda d=dst: d.listening(6001, udp=True), 10)
        for seq in range(8):
            frame = ufo_frame(mac, addr, seq, size)
            f.write(f.buf(1, seq * 13), frame)
            f.chain(vf.FROM_GUEST, [(f.buf(1, seq * 13), len(frame), 0)])
            f.kick(vf.FROM_GUEST)
            at += 1
            wait_for("the frame to be taken", lambda: f.used(vf.FROM_GUEST, at - 1), 5, 0.005)
        got = dst.result("/tmp/holdufo")
        pieces = counter(dst, "Ip.ReasmReqds") - pieces
        to = "guest" if dst is g2 else "internal port"
        lab.ok(got["datagrams"] == 8 and not got["wrong"], f"UFO to the {to}: every byte", got)
        if dst is g2:
            lab.ok(not pieces, "UFO to the guest: whole", pieces)
            continue
        dst.stop("/tmp/watchufo")
        seen = dst.result("/tmp/watchufo")
        lab.ok(not seen["bad_ip"] and not seen["bad_l4"] and seen["longest"] <= 1514 and pieces == 8 * 17,
               "UFO to the internal port: in fragments", f"{pieces} {seen}")
    f.close()


def port(hv, name):
    return next(p for b in hv.ctl_json("show")["bridges"] for p in b["ports"] if p["name"] == name)


def turned_off(lab, a, g1, g3):
    """Of a running guest the features are taken away; it has to be started again."""
    a.ctl("port set g3 csum=false")
    wait_for("g3 is refused", lambda: not port(a, "g3")["up"], 10)
    lab.ok(port(a, "g3")["reason"], "a guest that uses what is no longer offered is down, with a reason", port(a, "g3"))
    lab.diag(port(a, "g3")["reason"])
    g3.proc.kill()
    g3 = lab.guest("g3", a.sock("g3"), ip="10.0.0.3/24,fd00::3/64", device=BIG)
    g3.wait()
    prepare(g3)
    cut(lab, Transfer(g1, g3, "10.0.0.3", "eth0"), "to a guest without offloads")


def main():
    with Lab("guest-offload") as lab:
        if not lab.guests_run():
            return
        hv, b, c = build(lab)
        a, cc = lab.weftd("a", ns=hv), lab.weftd("c", ns=c)
        a.ctl("bridge add br0")
        cc.ctl("bridge add br0")
        for name in ("g1", "g2", "g3"):
            a.ctl(f"port add br0 {name} type=vhost-user")
        a.ctl("port add br0 f type=vhost-user mode=server")
        a.ctl("port add br0 lan0 type=internal")
        a.ctl("port add br0 lan7 type=internal tag=7")
        cc.ctl("port add br0 g4 type=vhost-user csum=false")
        a.ctl("tunnel add br0 vx1 type=vxlan vni=43 remote=172.16.1.2")
        cc.ctl("tunnel add br0 vx1 type=vxlan vni=43 remote=172.16.1.1")
        lab.addrs(hv, "lan0", "10.0.0.9/24 fd00::9/64")
        lab.addrs(hv, "lan7", "10.0.7.9/24")
        guests = [lab.guest(n, (cc if n == "g4" else a).sock(n), ip=f"10.0.0.{n[1]}/24,fd00::{n[1]}/64",
                            device=BIG if n == "g3" else "")
                  for n in ("g1", "g2", "g3", "g4")]
        for g in lab.booted(guests):
            prepare(g)
        g1, g2, g3, g4 = guests
        host, far = Host(lab, "host", hv), Host(lab, "far", b)

        began = time.monotonic()
        between_guests(lab, a, g1, g2, g3)
        vlans(lab, g1, g2, g4)
        to_the_host(lab, g1, host)
        datagrams(lab, a, g1, g2, host)
        ufo(lab, a, g2, host)
        for over, addr in (("IPv4", "10.0.0.4"), ("IPv6", "fd00::4")):
            cut(lab, Transfer(g1, g4, addr, "eth0"), f"through two switches to a guest without offloads, {over}")
        uncut_free = Transfer(g4, g1, "10.0.0.1", "eth0")
        lab.ok(uncut_free.clean, "and back", uncut_free)
        a.ctl("tunnel del vx1")
        tunnels(lab, a, b, g1, far)
        turned_off(lab, a, g1, g3)
        lab.diag(f"{time.monotonic() - began:.0f} s after the guests were up")

        for sw, name in ((a, "a"), (cc, "c")):
            bad = {d["reason"]: d["packets"] for d in sw.ctl_json("stats")["drops"] if d["packets"]}
            lab.diag(f"drops of {name}: {bad}")
            lab.ok(not set(bad) & {"rx-bad-offload", "rx-bad-chain", "tx-segment", "tx-too-big"}, f"{name}: nothing was found bad", bad)
            lab.ok(sw.proc.alive(), f"{name}: weftd is there")


if __name__ == "__main__":
    main()
