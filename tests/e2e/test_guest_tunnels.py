#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Weft's overlays against Linux's own GRE, Geneve and ERSPAN, over IPv4 and over IPv6: the far host is a guest's kernel.

     weft-far-guest         weft-far-a (weftd)                                    guest in QEMU, Linux 6.1
   +-----------+        +----------------------------------------+            +--------------------------+
   | g0        |  veth  | gw0 -- br0 -- t0                       |            |     tun0    10.0.0.2     |
   | 10.0.0.1  +--------+          (under0) -- brphy -- far      +== vhost ===+ eth0        fd00::2      |
   | fd00::1   |        |                                        |    1600    | 172.16.0.2, fd16::2      |
   +-----------+        +----------------------------------------+            +--------------------------+
                          172.16.0.1, fd16::1 on under0"""
import re

from lab import Answers, Lab, LabError, mac_of, wait_for
from streams import MB, Host, prepare, stream

# Weft's type and options, and Linux's (over IPv6 with "ip6" in front where it has a type of its own).
ROWS = [
    ("gre", "", "gretap"),
    ("gre", "key=7", "gretap key 7"),
    ("gre", "zero-key=true", "gretap key 0"),
    ("gre", "key=0xfffffffe csum=on", "gretap key 4294967294 csum"),
    ("gre", "key=9 csum=on seq=true", "gretap key 9 csum seq"),
    ("nvgre", "vsid=5001 flow-id=false", f"gretap key {5001 << 8}"),
    ("geneve", "vni=5001", "geneve id 5001"),
    ("geneve", "vni=0xffffff csum=on", "geneve id 16777215 udpcsum"),
    ("erspan", "session=100 index=7", "erspan key 100 seq erspan_ver 1 erspan 7"),
    ("erspan", "session=1023 version=III direction=egress hwid=4",
     "erspan key 1023 seq erspan_ver 2 erspan_dir egress erspan_hwid 4"),
]
# Over IPv6 Linux puts destination options in front of GRE unless told, and wants UDP checksums.
ROWS6 = [row for row in ROWS if row[1] not in ("", "zero-key=true", "vni=0xffffff csum=on")] + [
    ("gre", "key=7", "gretap key 7 encaplimit none"),
    ("geneve", "vni=5001 csum=off zero-csum6-rx=true", "geneve id 5001 udp6zerocsumtx udp6zerocsumrx"),
]


def ping(at, dst, size=56, count=3):
    """From a namespace or from the guest."""
    if isinstance(at, Host):
        return at.lab.ping(at.ns, dst, count, size, every=0.02, within=3)
    _, out = at.sh(f"ping -c {count} -i 0.02 -W 1 -s {size} {dst}")
    m = re.search(r"(\d+) packets received", out)
    return Answers(m.group(1) if m else 0, out)


def build(lab):
    guest, a = lab.netns("far-guest"), lab.netns("far-a")
    lab.veth(guest, "g0", a, "gw0")
    lab.addrs(guest, "g0", "10.0.0.1/24 fd00::1/64")
    hv = lab.weftd("a", ns=a)
    hv.ctl("bridge add brphy")
    hv.ctl("port add brphy under0 type=internal mtu=1600")
    hv.ctl("port add brphy far type=vhost-user mtu=1600")
    hv.ctl("bridge add br0")
    hv.ctl("port add br0 gw0 type=netdev")
    lab.addrs(a, "under0", "172.16.0.1/24 fd16::1/64")
    far = lab.guest("far", hv.sock("far"), ip="172.16.0.2/24,fd16::2/64", mtu=1600, device="host_mtu=1600")
    lab.booted([far])
    far.sh("for m in $(cat /modules/tunnels); do insmod /modules/$m; done")
    prepare(far)
    return Host(lab, "guest", guest), hv, far


def linux_tunnel(far, theirs, six):
    kind, *opts = theirs.split()
    ours, remote = ("fd16::2", "fd16::1") if six else ("172.16.0.2", "172.16.0.1")
    far.sh("/sbin/ip link del tun0")
    if kind == "geneve":
        ends = f"remote {remote}"
    else:
        ends = f"local {ours} remote {remote}"
        kind = "ip6" + kind if six else kind
    rc, out = far.sh(f"/sbin/ip link add tun0 type {kind} {ends} {' '.join(opts)}")
    if rc:
        raise LabError(f"in the guest: {kind} {opts}: {out}")
    far.sh("ip addr add 10.0.0.2/24 dev tun0; ip addr add fd00::2/64 dev tun0; ip link set tun0 mtu 1500; "
           f"ip link set tun0 address {mac_of('tun0')}; ip link set tun0 up")


def one(lab, guest, far, hv, row, six):
    kind, opts, theirs = row
    what = f"{kind} {opts}".strip() + f" and {theirs} over {'IPv6' if six else 'IPv4'}"
    linux_tunnel(far, theirs, six)
    hv.ctl(f"tunnel add br0 t0 type={kind} remote={'fd16::2' if six else '172.16.0.2'} {opts}")
    wait_for(f"{what}: the first answer", lambda: ping(guest, "10.0.0.2", count=1), 15)
    wait_for(f"{what}: the first answer to IPv6", lambda: ping(guest, "fd00::2", count=1), 15)
    got = [ping(at, dst, size, n) for at, dst, size, n in ((guest, "10.0.0.2", 0, 1), (guest, "10.0.0.2", 777, 1),
                                                           (guest, "10.0.0.2", 1472, 3), (guest, "fd00::2", 1452, 3),
                                                           (far, "10.0.0.1", 1472, 3))]
    lab.ok(all(got), f"{what}: pings of 0 to 1500 bytes, both ways, and IPv6 inside", "\n".join(n.out for n in got))
    for src, dst, addr in ((guest, far, "10.0.0.2"), (far, guest, "10.0.0.1")):
        good, why = stream(src, dst, addr, MB // 4)
        lab.ok(good, f"{what}: every byte of TCP {'to' if src is guest else 'from'} Linux", why)
    hv.ctl("tunnel del t0")


def main():
    with Lab("guest-tunnels") as lab:
        if not lab.guests_run():
            return
        guest, hv, far = build(lab)
        for six in (False, True):
            for row in ROWS6 if six else ROWS:
                one(lab, guest, far, hv, row, six)
        bad = {d["reason"]: d["packets"] for d in hv.ctl_json("stats")["drops"] if d["packets"]}
        lab.diag(bad)
        lab.ok(hv.stop() == 0, "SIGTERM ends weftd with status 0")


if __name__ == "__main__":
    main()
