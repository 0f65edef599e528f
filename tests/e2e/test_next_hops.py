#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Next hops of tunnels: equal routes that share the flows, and neighbours that are slow, silent or forged.

     weft-hop-guest         weft-hop-a (weftd)                      weft-hop-b (kernel)
   +------------+ veth +--------------------------+           +-------------------------+
   | g0 10.0.0.1+------+ gw0  br0  vx0            |   veth    |                         |
   |            |      |        w1 172.16.1.1   --+===========+ w1 172.16.1.2           |
   |            |      |        w2 172.16.2.1   --+===========+ w2 172.16.2.2           |
   |            |      |        lo 172.20.0.1     |           | lo 172.20.0.2   vxlan0  |
   +------------+      +--------------------------+           |                10.0.0.2 |
                                                              +-------------------------+"""
import json
import re
import sys

from lab import Lab, wait_for

# Answers every datagram.
ECHO = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.0.0.2", 7))
print("ready", flush=True)
while True:
    data, who = s.recvfrom(2000)
    s.sendto(data, who)
"""
# Sends from 64 ports in turn until it is told to stop, and says how many were answered, and the longest gap between answers.
ASK = """
import json, select, socket, sys, time
socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(64)]
for n, s in enumerate(socks):
    s.bind(("10.0.0.1", 20000 + n))
    s.connect(("10.0.0.2", 7))
    s.setblocking(False)
end, sent, got, gap, last = time.monotonic() + float(sys.argv[1]), 0, 0, 0.0, [time.monotonic()] * 64
while time.monotonic() < end + 0.5:
    now = time.monotonic()
    if now < end:
        try:
            socks[sent % 64].send(b"x" * 100)
        except OSError:
            pass
        sent += 1
    for s in select.select(socks, [], [], 0.001)[0]:
        try:
            while s.recv(2000):
                n = socks.index(s)
                got, gap, last[n] = got + 1, max(gap, time.monotonic() - last[n]), time.monotonic()
        except OSError:
            pass
    if now > end and got == sent:
        break
print(json.dumps({"sent": sent, "got": got, "gap": gap}), flush=True)
"""


def build(lab):
    guest, a, b = (lab.netns("hop-" + n) for n in ("guest", "a", "b"))
    lab.veth(guest, "g0", a, "gw0")
    lab.ip(guest, "addr add 10.0.0.1/24 dev g0")
    for w in (1, 2):
        lab.veth(a, f"w{w}", b, f"w{w}", mtu=1600)
        for ns, n in ((a, 1), (b, 2)):
            lab.ip(ns, f"addr add 172.16.{w}.{n}/24 dev w{w}")
    for ns, n in ((a, 1), (b, 2)):
        lab.ip(ns, f"addr add 172.20.0.{n}/32 dev lo")
        lab.run("sysctl -qw net.ipv4.fib_multipath_hash_policy=1", ns=ns)
        routes(lab, ns, n, "replace")
    lab.ip(b, "link add vxlan0 address 02:57:00:b0:00:01 type vxlan id 42 dstport 4789 local 172.20.0.2 remote 172.20.0.1")
    lab.ip(b, "addr add 10.0.0.2/24 dev vxlan0")
    lab.ip(b, "link set vxlan0 mtu 1500 up")
    # What is asked for here is how packets go out, not what ARP does meanwhile.
    mac = re.search(r"link/ether (\S+)", lab.ip(guest, "link show g0").stdout).group(1)
    lab.ip(b, f"neigh replace 10.0.0.1 lladdr {mac} dev vxlan0")
    lab.ip(guest, "neigh replace 10.0.0.2 lladdr 02:57:00:b0:00:01 dev g0")
    return guest, a, b


def routes(lab, ns, n, verb, weight=1):
    lab.ip(ns, f"route {verb} 172.20.0.{3 - n}/32 src 172.20.0.{n} nexthop via 172.16.1.{3 - n} dev w1 weight {weight} "
               f"nexthop via 172.16.2.{3 - n} dev w2 weight 1")


def first(hv, port="vx0"):
    ports = next(b for b in hv.ctl_json("show")["bridges"] if b["name"] == "br0")["ports"]
    return next(p for p in ports if p["name"] == port)["tunnel"]["remotes"][0]


def ways(hv):
    return {h["via"]: h["state"] for h in first(hv).get("next_hops", [])}


def rx(lab, ns, dev):
    return int(lab.run(f"cat /sys/class/net/{dev}/statistics/rx_packets", ns=ns).stdout)


def ask(lab, guest, seconds):
    return json.loads(lab.run([sys.executable, "-c", ASK, str(seconds)], ns=guest, timeout=seconds + 20).stdout)


def answered(lab, guest):
    """Whether a round of all flows is answered; the first packets of a path may be lost."""
    wait_for("answers", lambda: ask(lab, guest, 0.1)["got"] > 0, 15)
    r = ask(lab, guest, 0.5)
    return r["got"] == r["sent"], r


def shares(lab, guest, b):
    before = [rx(lab, b, w) for w in ("w1", "w2")]
    good, r = answered(lab, guest)
    return good, [rx(lab, b, w) - n for w, n in zip(("w1", "w2"), before)], r


def equal_routes(lab, hv, guest, a, b):
    wait_for("both ways", lambda: list(ways(hv).values()) == ["ready"] * 2, 10)
    good, n, r = shares(lab, guest, b)
    lab.ok(good and min(n) > max(n) / 5, "two equal routes: both carry flows, nothing is lost", f"{n} {r}")
    text = hv.ctl("show").stdout
    lab.ok("via w1, next hop 172.16.1.2" in text and "via w2, next hop 172.16.2.2" in text, "show has both", text)
    routes(lab, a, 1, "replace", 7)
    wait_for("weights", lambda: first(hv)["next_hops"][0]["weight"] == 7, 5)
    good, n, r = shares(lab, guest, b)
    lab.ok(good and n[0] > 2 * n[1] > 0, "weights are kept", f"{n} {r}")
    routes(lab, a, 1, "replace")
    wait_for("weights", lambda: first(hv)["next_hops"][0]["weight"] == 1, 5)


def one_dies(lab, hv, guest, a, b):
    asking = lab.spawn("ask", [sys.executable, "-c", ASK, "4"], ns=guest)
    before = rx(lab, b, "w2")
    wait_for("traffic", lambda: rx(lab, b, "w2") > before + 20, 5)
    upcalls = hv.upcalls()
    lab.ip(a, "link set w1 down")
    wait_for("the other way alone", lambda: ways(hv) == {"w1": "no-route", "w2": "ready"}, 5)
    lab.ip(a, "link set w1 up")
    wait_for("both ways", lambda: ways(hv) == {"w1": "ready", "w2": "ready"}, 10)
    asking.popen.wait(20)
    r = json.loads(asking.tail(1))
    # The kernel's own side needs as long as it needs to see the wire come back.
    lab.ok(r["gap"] < 2, "one wire goes and comes back: no flow is silent for long", r)
    lab.ok(hv.upcalls() - upcalls < 8, "and no flow was made anew", hv.upcalls() - upcalls)
    good, n, r = shares(lab, guest, b)
    lab.ok(good and min(n) > max(n) / 5, "afterwards both carry flows again", f"{n} {r}")


def silent_gateway(lab, hv, guest, b):
    """Its wire stays up: only asking tells."""
    lab.run("sysctl -qw net.ipv4.conf.w1.arp_ignore=8", ns=b)
    wait_for("the silent one found out", lambda: ways(hv)["w1"] != "ready", 15)
    good, n, r = shares(lab, guest, b)
    lab.ok(good and n[0] < 20 < n[1], "a next hop that answers nobody loses its flows", f"{n} {r}")
    lab.run("sysctl -qw net.ipv4.conf.w1.arp_ignore=0", ns=b)
    wait_for("it is back", lambda: ways(hv)["w1"] == "ready", 40)
    lab.ok(answered(lab, guest)[0], "it answers again: it has them back")


def group(lab, hv, guest, a, b):
    """Next hop objects, which the kernel only names."""
    lab.run("sysctl -qw net.ipv4.nexthop_compat_mode=0", ns=a, check=False)
    for w in (1, 2):
        if lab.ip(a, f"nexthop add id {w} via 172.16.{w}.2 dev w{w}", check=False).returncode:
            lab.skip("groups of next hops", "this kernel has none")
            return
    lab.ip(a, "nexthop add id 9 group 1,3/2")
    lab.ip(a, "route replace 172.20.0.2/32 src 172.20.0.1 nhid 9")
    wait_for("weights of the group", lambda: [h["weight"] for h in first(hv).get("next_hops", [])] == [3, 1], 5)
    good, n, r = shares(lab, guest, b)
    lab.ok(good and n[0] > n[1] > 0, "a group of next hops shares by its weights", f"{n} {r}")
    routes(lab, a, 1, "replace")
    lab.ip(a, "nexthop del id 9")


def slow_neighbour(lab, hv, guest, a, b):
    """The first question is lost: the second is answered, and so are the packets that waited."""
    lab.run("sysctl -qw net.ipv4.conf.w1.arp_ignore=8", ns=b)
    lab.ip(a, "neigh flush dev w1")
    lab.ip(b, "link add vxlan1 type vxlan id 43 dstport 4789 local 172.16.1.2 remote 172.16.1.1")
    lab.ip(b, "link set vxlan1 up")
    dump = lab.spawn("arp", ["tcpdump", "-lni", "w1", "arp", "and", "arp[7]=1"], ns=b)
    wait_for("tcpdump", lambda: "listening on" in dump.tail(), 5)
    hv.ctl("tunnel add br0 vx1 type=vxlan vni=43 remote=172.16.1.2")
    wait_for("a question", lambda: "who-has 172.16.1.2" in dump.tail(50), 5)
    lab.run("sysctl -qw net.ipv4.conf.w1.arp_ignore=0", ns=b)
    state = first(hv, "vx1")["state"]
    wait_for("ready", lambda: first(hv, "vx1")["state"] == "ready", 3)
    lab.ok(state != "ready", "a neighbour whose first answer is lost is there with the second", state)
    dump.stop()


def forged(lab, hv, a, b):
    """Two hosts that claim one address: a bound on what it costs, and a sentence."""
    before = first(hv, "vx1")
    for n in range(12):
        mac = f"02:57:00:66:00:{n % 2:02x}"
        held = first(hv, "vx1").get("mac_held", 0)
        lab.ip(a, f"neigh replace 172.16.1.2 dev w1 nud reachable lladdr {mac}")

        def seen():
            r = first(hv, "vx1")
            return r["next_hop_mac"] == mac or r.get("mac_held", 0) > held

        wait_for("a change of address seen", seen, 5)
    r = first(hv, "vx1")
    lab.ok("keeps changing its MAC address" in r["reason"], "a neighbour that wanders is told", r)
    lab.ok(r["mac_changes"] - before.get("mac_changes", 0) <= 6 and r["mac_held"] > 0, "and what it costs is bounded", r)
    hv.ctl("tunnel del vx1")
    lab.ip(a, "neigh del 172.16.1.2 dev w1")


def main():
    with Lab("next-hops") as lab:
        guest, a, b = build(lab)
        hv = lab.weftd("a", ns=a)
        hv.ctl("bridge add br0")
        hv.ctl("port add br0 gw0 type=netdev")
        hv.ctl("tunnel add br0 vx0 type=vxlan vni=42 remote=172.20.0.2")
        echo = lab.spawn("echo", [sys.executable, "-c", ECHO], ns=b)
        wait_for("the far end", lambda: "ready" in echo.tail(), 5)
        equal_routes(lab, hv, guest, a, b)
        one_dies(lab, hv, guest, a, b)
        group(lab, hv, guest, a, b)
        silent_gateway(lab, hv, guest, b)
        slow_neighbour(lab, hv, guest, a, b)
        forged(lab, hv, a, b)
        lab.ok(hv.stop() == 0, "SIGTERM ends weftd with status 0")


if __name__ == "__main__":
    main()
