#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A guest moves between two switches while it sends and receives, and nobody who talks to it need know.

     guest peer 10.0.0.2                                     (a second QEMU)
        |                 namespace weft-mig-a      namespace weft-mig-b
        +--- vhost-user ---- br0 == vx0 ==== wire ==== vx0 == br0
        +--- vhost-user ----/ |                               | \\---- vhost-user ---+
     guest g1 10.0.0.1      lan0 10.0.0.9           10.0.0.8 lan0              guest g1
        |                                                                          |
        +------------------------------- migrate --------------------------------->+

What QEMU did not see the switch write arrives only if the switch logged it.  Three things would show a page that was
not: streams and datagrams that are compared byte by byte, of which some lie in the guest's memory, unread, through
all of the migration; rings that would go on from another place than they stopped at; a guest that hangs.

   usage: test_migration.py [all | CASE...]              by default some of them"""
import json
import os
import re
import sys
import time

from lab import BUILD, Lab, LabError, mac_of, wait_for

MAC = mac_of("g1")
TRAFFIC = os.path.join(BUILD, "tests", "e2e", "traffic")
ENDLESS = 1 << 50
# QEMU before 9.0 without KVM forgets what the guest's own CPU wrote ("physmem: Fix migration dirty bitmap coherency
# with TCG memory access") unless the memory is no multiple of 256 KiB: then it goes another way.
MEM = 160 + 8 / 1024

# Prints when and what broadcast frames of an address arrive.
LISTEN = """
import socket, sys, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind((sys.argv[1], 0))
mac = bytes.fromhex(sys.argv[2].replace(":", ""))
while True:
    f, who = s.recvfrom(2000)
    if f[6:12] != mac or f[:6] != b"\\xff" * 6 or who[2] == socket.PACKET_OUTGOING:
        continue
    kind = {b"\\x80\\x35": "rarp", b"\\x08\\x06": "arp"}.get(f[12:14], f[12:14].hex())
    if kind == "arp" and f[28:32] == f[38:42]:
        kind = "garp"
    print(time.time(), kind, flush=True)
"""

# name, what the device has, pairs of queues, how it tells its arrival
CASES = {
    "split": ("", 1, "garp"),
    "packed": ("packed=on,guest_announce=off", 2, "rarp"),
    "multiqueue": ("guest_announce=off,rx_queue_size=1024,tx_queue_size=512", 2, "rarp"),
    "plain": ("mrg_rxbuf=off,host_tso4=off,host_tso6=off,guest_tso4=off,guest_tso6=off,event_idx=off,"
              "indirect_desc=off", 1, "garp"),
    "packed-plain": ("packed=on,mrg_rxbuf=off,event_idx=off", 1, "garp"),
}
BY_DEFAULT = ("split", "packed")


class Host:
    """One switch in its namespace, its leg on the bridge, and an ear there."""

    def __init__(self, lab, letter, address):
        self.lab, self.letter, self.address = lab, letter, address
        self.ns = lab.netns(f"mig-{letter}")

    def start(self, wire, remote):
        self.lab.ip(self.ns, f"addr add {wire}/24 dev wire")
        self.sw = self.lab.weftd(self.letter, ns=self.ns)
        # The first guest port brings threads and descriptors that stay.
        for c in ("bridge add br0", "port add br0 g1 type=vhost-user", "port del g1", "port add br0 lan0 type=internal",
                  f"tunnel add br0 vx0 type=vxlan vni=5000 remote={remote}"):
            self.sw.ctl(c)
        self.lab.ip(self.ns, f"addr add {self.address}/24 dev lan0")
        self.lab.ip(self.ns, "link set lan0 up")
        self.ear = self.lab.spawn(f"ear-{self.letter}", ["python3", "-c", LISTEN, "lan0", MAC], ns=self.ns)

    def mac_port(self):
        """Where the guest's address is, by this switch."""
        return next((m["port"] for m in self.sw.ctl_json("mac show br0")["tables"][0]["macs"] if m["mac"] == MAC), None)

    def heard(self, since):
        with open(self.ear.log) as f:
            lines = [line.split() for line in f if re.match(r"^[0-9.]+ \w+$", line)]
        return [(float(t), kind) for t, kind in lines if float(t) >= since]

    def port(self):
        return next(p for b in self.sw.ctl_json("show")["bridges"] for p in b["ports"] if p["name"] == "g1")

    def traffic(self):
        """Bytes from the guest, and to it."""
        p = self.sw.ctl_json("stats --port g1")["ports"][0]
        return p["rx_bytes"], p["tx_bytes"]

    def holds(self):
        """What the switch has of guests: descriptors, and mappings of what is not a file of its own."""
        pid = self.sw.proc.pid
        with open(f"/proc/{pid}/maps") as f:
            maps = sum("memfd" in line or "vhost-log" in line for line in f)
        return len(os.listdir(f"/proc/{pid}/fd")), maps

    def run(self, name, *words):
        """The traffic program in this namespace; its output is in the process's log."""
        return self.lab.spawn(f"{name}-{time.monotonic_ns()}", [TRAFFIC, *map(str, words)], ns=self.ns)


def printed(proc, timeout=20):
    """The JSON that a process of the host printed at its end."""
    proc.popen.wait(timeout)
    return json.loads(proc.tail(1))


def pages_apart(one, other):
    """Addresses of pages in which two guests differ, neither of which runs."""
    with one.memory() as a, other.memory() as b:
        apart, at = [], 0
        while True:
            x, y = a.read(1 << 20), b.read(1 << 20)
            if not x or not y:
                return apart
            if x != y:
                apart += [at + i for i in range(0, len(x), 4096) if x[i:i + 4096] != y[i:i + 4096]]
            at += len(x)


class Case:
    def __init__(self, lab, hosts, name):
        self.lab, self.hosts, self.name = lab, hosts, name
        self.device, self.queues, self.announces = CASES[name]
        self.at = hosts[0]
        self.n = 0
        self.guest = self.qemu(self.at)
        self.guest.wait()
        if self.queues > 1:
            self.guest.sh(f"ethtool -L eth0 combined {self.queues}")

    def qemu(self, host, incoming=None):
        self.n += 1
        return self.lab.guest(f"{self.name}.{self.n}", host.sw.sock("g1"), ip="10.0.0.1/24", mac=MAC, mem=MEM,
                              device=self.device, queues=self.queues, cpus=self.queues, incoming=incoming)

    def ok(self, good, what, why=None):
        return self.lab.ok(good, f"{self.name}: {what}", why)

    def move(self, there, before, passes=4):
        """To another host.  before() is called when memory begins to be copied."""
        here, uri = self.at, f"unix:{self.lab.state}/migration"
        if os.path.exists(uri[5:]):
            os.unlink(uri[5:])
        old, new = self.guest, self.qemu(there, uri)
        old.qmp("migrate-set-parameters", **{"max-bandwidth": 40 << 20, "downtime-limit": 1})
        wait_for("QEMU to wait for its guest", lambda: os.path.exists(uri[5:]), 10)
        old.qmp("migrate", uri=uri)
        before()

        def state(what, wanted):
            def check():
                m = old.qmp("query-migrate")
                if m["status"] == "failed":
                    raise LabError(f"QEMU: migration failed: {m}\n{old.proc.tail()}{new.proc.tail()}")
                return m if wanted(m) else None
            return wait_for(f"migration {what}", check, 60)

        # So many times over what was written meanwhile, then to the end.
        state("to copy what was written", lambda m: m.get("ram", {}).get("dirty-sync-count", 0) >= passes)
        old.qmp("migrate-set-parameters", **{"max-bandwidth": 4 << 30, "downtime-limit": 500})
        info = state("to end", lambda m: m["status"] == "completed")
        diff = pages_apart(old, new)
        self.ok(not diff, f"to {there.letter}: all memory has come", diff)
        runs = time.time()
        new.qmp("cont")
        wait_for("the guest to run", lambda: new.qmp("query-status")["running"], 10)
        self.guest, self.at = new, there
        followed = []
        for h, want in ((here, "vx0"), (there, "g1")):
            try:
                wait_for("the address", lambda: h.mac_port() == want, 3)
            except LabError:
                pass
            followed.append(h.mac_port() == want)
        took = time.time() - runs
        self.lab.diag(f"{self.name} to {there.letter}: {info['total-time']} ms, downtime {info['downtime']} ms by "
                      f"QEMU, {info['ram']['dirty-sync-count']} passes; addresses follow in {took * 1000:.0f} ms")
        self.ok(all(followed), f"to {there.letter}: both MAC tables have followed",
                [(h.letter, h.sw.ctl("mac show").stdout) for h in (here, there)])
        down = here.port()
        self.ok(not down["up"] and down["reason"], "the port it left is down, with a reason", down)
        old.proc.stop()

    def give_up(self, there):
        """Begins to move, and stays."""
        uri = f"unix:{self.lab.state}/given-up"
        new = self.qemu(there, uri)
        # Not served (docs/howto/migration.md): QEMU has to know before the guest is in pieces.
        try:
            new.qmp("migrate-set-capabilities", capabilities=[{"capability": "postcopy-ram", "state": True}])
            refused = False
        except LabError:
            refused = True
        self.ok(refused, "post-copy is refused before it begins", new.proc.tail())
        self.guest.qmp("migrate-set-parameters", **{"max-bandwidth": 8 << 20})
        wait_for("QEMU to wait for its guest", lambda: os.path.exists(uri[5:]), 10)
        self.guest.qmp("migrate", uri=uri)
        wait_for("migration to begin",
                 lambda: self.guest.qmp("query-migrate").get("ram", {}).get("transferred", 0) > 1 << 20)
        self.guest.qmp("migrate_cancel")
        wait_for("migration to end", lambda: self.guest.qmp("query-migrate")["status"] == "cancelled")
        new.proc.stop()
        got, _ = self.guest.ping(self.hosts[0].address, 2, wait=3)
        self.ok(got and self.at.port()["up"], "a migration that is given up leaves it where it was", self.at.port())

    def busy(self):
        """Streams both ways with two partners, datagrams that lie unread, and one who watches the clock."""
        a, b = self.hosts
        g, peer = self.guest, self.peer
        g.spawn("traffic echo 7000", "/tmp/echo")
        g.spawn("traffic sink 7001", "/tmp/sink")
        g.spawn("traffic hold 7002 400 /tmp/go", "/tmp/hold")
        sink = a.run("sink", "sink", 7003)
        peer.spawn("traffic sink 7004", "/tmp/sink")
        g.spawn(f"traffic source {a.address} 7003 {ENDLESS}", "/tmp/source-a")
        g.spawn(f"traffic source 10.0.0.2 7004 {ENDLESS}", "/tmp/source-p")
        peer.spawn(f"traffic source 10.0.0.1 7001 {ENDLESS}", "/tmp/source")
        probe = []

        def before():
            probe.append(a.run("probe", "probe", "10.0.0.1", 7000, 5, 600))
            probe.append(b.run("blast", "blast", "10.0.0.1", 7002, 400, 1400, 2000))

        began = time.time()
        self.move(b, before)
        there = b.traffic()
        wait_for("streams to go on", lambda: all(n - was > 1 << 20 for n, was in zip(b.traffic(), there)), 20)
        probe[0].popen.terminate()
        gap = printed(probe[0])
        self.lab.diag(f"{self.name}: the network was away for {gap['longest_gap_ms']:.0f} ms, "
                      f"{gap['sent'] - gap['back']} of {gap['sent']} probes lost")
        self.ok(gap["back"] > 0 and gap["longest_gap_ms"] < 5000, "it answers again within five seconds", gap)
        self.ok(any(k == self.announces for _, k in a.heard(began)),
                f"its new place is told by {self.announces}", a.heard(began))
        g = self.guest
        for who, out in ((g, "/tmp/source-a"), (g, "/tmp/source-p"), (peer, "/tmp/source")):
            who.sh(f"kill $(cat {out}.pid)")
        for what, got in (("from a guest at its old host", g.result("/tmp/sink")),
                          ("to that guest", peer.result("/tmp/sink")),
                          ("to the old host", printed(sink))):
            self.ok(got["wrong"] == 0 and got["bytes"] > 1 << 20, f"a stream {what} goes on, every byte right", got)
        g.sh("touch /tmp/go")
        held = g.result("/tmp/hold")
        self.ok(held["datagrams"] >= 100 and held["wrong"] == 0, "what had arrived before is unharmed", held)
        g.sh("kill $(cat /tmp/echo.pid); rm /tmp/go")

    def silent(self):
        """Back, while the guest only hears: nothing but its announcement can tell where it is."""
        a, b = self.hosts
        self.guest.spawn("traffic hold 7005 500 /tmp/go", "/tmp/hold")
        self.guest.sh("ping -c 1 10.0.0.8; ping -c 1 10.0.0.9")

        def before():
            b.run("blast", "blast", "10.0.0.1", 7005, 500, 1400, 1000)

        began = time.time()
        self.move(a, before, 3)
        heard = b.heard(began)
        self.ok(any(k == self.announces for _, k in heard),
                f"a guest that says nothing else is told of by {self.announces}", heard)
        self.guest.sh("touch /tmp/go")
        held = self.guest.result("/tmp/hold")
        self.ok(held["datagrams"] >= 100 and held["wrong"] == 0, "and has its datagrams", held)

    def run(self, peer):
        self.peer = peer
        a, b = self.hosts
        self.busy()
        if self.name == "split":
            self.give_up(a)
        self.silent()
        self.guest.proc.stop()
        wait_for("the port to be down", lambda: not a.port()["up"], 5)


def main():
    names = list(CASES) if sys.argv[1:] == ["all"] else sys.argv[1:] or BY_DEFAULT
    with Lab("migration") as lab:
        if not lab.guests_run():
            return
        a, b = Host(lab, "a", "10.0.0.9"), Host(lab, "b", "10.0.0.8")
        lab.veth(a.ns, "wire", b.ns, "wire", mtu=1600)
        a.start("172.16.0.1", "172.16.0.2")
        b.start("172.16.0.2", "172.16.0.1")
        a.sw.ctl("port add br0 peer type=vhost-user")
        peer = lab.guest("peer", a.sw.sock("peer"), ip="10.0.0.2/24", mem=MEM)
        peer.wait()
        for h in (a, b):
            h.before = h.holds(), h.sw.mbufs_in_use()
            h.sw.ctl("port add br0 g1 type=vhost-user")
        for name in names:
            Case(lab, (a, b), name).run(peer)
        for h in (a, b):
            h.sw.ctl("port del g1")
            try:
                wait_for("all of it", lambda: h.holds() == h.before[0] and h.sw.mbufs_in_use() <= h.before[1] + 32, 5)
            except LabError:
                pass
            lab.ok(h.holds() == h.before[0] and h.sw.mbufs_in_use() <= h.before[1] + 32,
                   f"switch {h.letter} has given back memory, descriptors and buffers",
                   f"before {h.before}, after {h.holds()} {h.sw.mbufs_in_use()}")
            lab.ok(h.sw.stop() == 0, f"switch {h.letter} ends with status 0")


if __name__ == "__main__":
    main()
