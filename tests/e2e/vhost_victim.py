# SPDX-License-Identifier: Apache-2.0
"""A switch under attack by a guest, and what is measured of it.

   vguest n1 --- vhost-user ---+            (VLAN 10: numbered frames to n2 and back; none may be lost)
   vguest n2 --- vhost-user ---+
                               +-- br0
   vguest echo - vhost-user ---+            (returns what the attacker sends)
   the test ---- vhost-user ---+            (speaks the protocol by hand, see vhost_front.py)

Each attack is a connection of its own.  After each: weftd lives, the neighbours have lost nothing, the connection's
descriptors and memory are gone."""
import ctypes
import os
import re
import signal
import struct
import sys
import time

import vhost_front as vf
from vhost_front import BUF, FROM_GUEST, HDR, TO_GUEST, WRITE
from lab import Lab, LabError, mac_of, wait_for

EVIL, OTHER = "02:57:00:00:0e:e1", "02:57:00:00:0e:e2"


class Target:
    """The switch as the attacker's victim sees it."""

    def __init__(self, lab):
        self.lab, self.seq = lab, 1000
        self.hv = lab.weftd("sw")
        self.hv.ctl("bridge add br0")
        for p in ("n1", "n2"):
            self.hv.ctl(f"port add br0 {p} type=vhost-user tag=10")
        self.hv.ctl("port add br0 echo type=vhost-user")
        self.hv.ctl("port add br0 evil type=vhost-user mode=server queues=2")
        self.n2 = lab.vguest("n2", self.hv.sock("n2"), "--reflect").ready()
        self.n1 = lab.vguest("n1", self.hv.sock("n1"), "--send", "300", "--dst", mac_of("n2")).ready()
        self.echo = lab.vguest("echo", self.hv.sock("echo"), "--reflect").ready()
        self.gaps = 0
        for p in ("n1", "n2", "echo"):
            wait_for(f"port {p}", lambda n=p: self.state(n)["up"], 10)

    def dial(self):
        def attempt():
            try:
                return vf.Front(self.hv.sock("evil"))
            except OSError:
                return None
        return wait_for("the vhost-user socket", attempt, 5)

    def drops(self, reason):
        return self.hv.ctl_json("stats --port evil")["ports"][0].get("drops", {}).get(reason, 0)

    def state(self, name="evil"):
        return next(p for b in self.hv.ctl_json("show")["bridges"] for p in b["ports"] if p["name"] == name)

    def down(self, pattern):
        """None when the port goes down with such a reason, or what it says instead."""
        try:
            wait_for("down", lambda: not self.state()["up"] and re.search(pattern, self.state()["reason"]), 4)
        except LabError:
            return f"'{pattern}' is not in: {self.state()}"
        return None

    def passes(self, f, what="the frame behind it does not pass"):
        """Sends frames until one is back; None, or the complaint."""
        end = time.monotonic() + 4
        while time.monotonic() < end:
            self.seq += 1
            i = 128 + self.seq % 100
            f.write(f.buf(1, i), bytes(HDR) + vf.marked_frame(EVIL, mac_of("echo"), self.seq))
            f.chain(FROM_GUEST, [(f.buf(1, i), HDR + 64, 0)])
            f.kick(FROM_GUEST)
            again = time.monotonic() + 1
            while time.monotonic() < again:
                if came_back(f, self.seq):
                    return None
                time.sleep(0.001)
        return f"{what}: {self.state()}"

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.hv.proc.pid}/fd"))

    def foreign_mappings(self):
        with open(f"/proc/{self.hv.proc.pid}/maps") as m:
            return sum("memfd:front" in line for line in m)

    def rest(self, fds):
        """What is wrong after a connection's end, or None."""
        if not self.hv.proc.alive():
            raise LabError(f"weftd ended with status {self.hv.proc.popen.returncode}:\n{self.hv.proc.tail()}")
        try:
            wait_for("descriptors", lambda: self.descriptors() <= fds and not self.foreign_mappings(), 4)
        except LabError:
            return f"{self.descriptors()} descriptors, {fds} before; {self.foreign_mappings()} mappings left"
        lost, self.gaps = self.n2.now()["gaps"] - self.gaps, self.n2.now()["gaps"]
        return f"the neighbours lost frames: {lost} gaps" if lost else None


def send(t, f, n=4, marked=4):
    """Frames, of which every so many-th comes back."""
    for i in range(n):
        frame = vf.marked_frame(EVIL, mac_of("echo"), t.seq) if i % marked == 0 else bytes(12) + b"\x88\xb5" + bytes(50)
        f.write(f.buf(1, i), bytes(HDR) + frame)
        f.chain(FROM_GUEST, [(f.buf(1, i), HDR + 64, 0)])
    f.kick(FROM_GUEST)


def came_back(f, seq):
    want = vf.MARK + struct.pack("<I", seq)
    for i in range(128):
        at = f.buf(0, i) + HDR + 42
        if f.mem[at:at + 8] == want and f.mem[at + 16]:
            return True
    return False


def refill(f, n=100):
    for i in range(n):
        f.chain(TO_GUEST, [(f.buf(0, i), BUF, WRITE)])
    f.kick(TO_GUEST)


class Child:
    """A process that shares the guest's memory with this one, and ends with it or after some seconds."""

    def __init__(self, work):
        self.pid = os.fork()
        if self.pid:
            return
        try:
            ctypes.CDLL(None).prctl(1, 9)       # PR_SET_PDEATHSIG
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.alarm(20)
            work()
        finally:
            os._exit(0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)
        return False


def started(then, pattern=None, features=0, protocol=0):
    """An honest start, a frame there and back, and then..."""
    def story(t, f):
        f.start(features, protocol)
        refill(f)
        why = t.passes(f, "no frame passes before")
        why = why or then(t, f)
        if pattern is None:
            return why
        return why or t.down(pattern)
    return story


def run(t, name, story):
    fds = t.descriptors()
    f = t.dial()
    began = time.monotonic()
    try:
        why = story(t, f)
    except (OSError, struct.error) as e:
        why = f"the switch hung up: {e!r}, {t.state()}"
    except ValueError as e:
        why = repr(e)
    finally:
        f.close()
    why = t.rest(fds) or why
    t.lab.ok(not why, name, why)
    if time.monotonic() - began > 1:
        t.lab.diag(f"took {time.monotonic() - began:.1f} s")


def attack(lab_name, attacks):
    """Runs all of them, given as (name, story), or those whose name has the program's argument in it."""
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    with Lab(lab_name) as lab:
        t = Target(lab)
        t.hv.ctl("port add br0 evil2 type=vhost-user mode=server")
        lab.ok(t.n1.grows("returned", 50), "neighbours' traffic flows before")
        for port, mac in (("evil", EVIL), ("evil2", OTHER)):
            back = vf.honest(t.hv.sock(port), mac, mac_of("echo"))
            lab.ok(back == 8, f"an honest guest on {port}", f"{back} of 8 frames")
        wait_for("its end", lambda: not t.foreign_mappings(), 5)
        buffers, rss = t.hv.mbufs_in_use(), t.hv.rss_mb()
        for name, story in attacks:
            if word in name:
                run(t, name, story)
        for packed in (False, True):
            back = vf.honest(t.hv.sock("evil"), EVIL, mac_of("echo"), packed)
            lab.ok(back == 8, f"an honest guest afterwards{', packed' if packed else ''}", f"{back} of 8 frames")
        # All that n1 sent has come back: it is told to be silent, and what is on its way arrives.
        t.n1.proc.popen.send_signal(10)
        try:
            wait_for("the last frames", lambda: t.n1.now()["returned"] == t.n1.now()["tx"][0], 5)
        except LabError:
            pass
        now = t.n1.now()
        lab.ok(now["returned"] == now["tx"][0] > 100 and not t.n2.now()["gaps"], "the neighbours lost nothing",
               f"{now['tx'][0]} sent, {now['returned']} returned, {t.n2.now()['gaps']} gaps")
        lab.diag(f"{now['tx'][0]} frames; longest round trip {now['rtt_max_us'] / 1e3:.1f} ms")
        for g in (t.n1, t.n2, t.echo):
            g.kill()
        try:
            wait_for("buffers", lambda: t.hv.mbufs_in_use() <= buffers + 32, 5)
        except LabError:
            pass
        lab.ok(t.hv.mbufs_in_use() <= buffers + 32, "no packet buffer is lost",
               f"{buffers} in use before, {t.hv.mbufs_in_use()} after")
        # A sanitizer keeps what was freed for a while.
        limit = 256 if "ASAN_OPTIONS" in os.environ else 16
        lab.ok(t.hv.rss_mb() < rss + limit, "nor memory", f"{rss:.1f} MB before, {t.hv.rss_mb():.1f} after")
        lab.ok(t.hv.stop() == 0, "SIGTERM ends weftd with status 0")
