#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A guest that attacks the switch in every way that its rings, its memory and its notification descriptors allow
(vhost_victim.py has the drawing).  Attacks on one chain let the frame behind it pass; others say why the port is down.
With a word as argument: only the attacks that have it in their names."""
import fcntl
import os
import random
import re
import socket
import struct
import time

import vhost_front as vf
from vhost_front import BUF, BUFS, FROM_GUEST, HDR, INDIRECT, MEM, NEXT, PACKED, TABLE, TABLES, TO_GUEST, USER, WRITE
from lab import mac_of
from vhost_victim import EVIL, Child, attack, refill, send, started

FAR = MEM + 4096                        # An address behind the guest's memory.


# --- Chains ------------------------------------------------------------------------------------------

# Name, descriptors (address, length, flags[, next]), and the indirect table at TABLES, if it has one.
B = BUFS + 256 * BUF
CHAINS = [
    ("an address behind the memory", [(FAR, 100, 0)], None),
    ("a buffer that begins inside and ends outside", [(MEM - 50, 100, 0)], None),
    ("an address of 2^64 - 8", [(2**64 - 8, 100, 0)], None),
    ("an address of 2^64 - 100, so that its end is 0", [(2**64 - 100, 100, 0)], None),
    ("length 0", [(B, 0, 0)], None),
    ("length 2^32 - 1", [(B, 2**32 - 1, 0)], None),
    ("a header and no frame", [(B, HDR, 0)], None),
    ("half a header", [(B, HDR // 2, 0)], None),
    ("a frame of 90000 bytes", [(B, 30000, NEXT)] * 2 + [(B, 30000, 0)], None),
    ("lengths whose sum is 2^32 + 100", [(B, 2**31, NEXT), (B, 2**31, NEXT), (B, 100, 0)], None),
    ("length 0 in the middle", [(B, HDR, NEXT), (B, 0, NEXT), (B, 64, 0)], None),
    ("its second buffer behind the memory", [(B, HDR, NEXT), (FAR, 64, 0)], None),
    ("a buffer to write into", [(B, 100, WRITE)], None),
    ("first to read, then to write", [(B, 50, NEXT), (B, 50, WRITE)], None),
    ("a table behind the memory", [(FAR, 32, TABLE)], None),
    ("a table that ends behind the memory", [(MEM - 16, 32, TABLE)], None),
    ("a table at 2^64 - 16", [(2**64 - 16, 16, TABLE)], None),
    ("a table of 0 bytes", [(TABLES, 0, TABLE)], [(B, 100, 0)]),
    ("a table of 17 bytes", [(TABLES, 17, TABLE)], [(B, 100, 0)]),
    ("a table of 2^32 - 16 bytes", [(TABLES, 2**32 - 16, TABLE)], [(B, 100, 0)]),
    ("a table in a table", [(TABLES, 16, TABLE)], [(TABLES, 16, TABLE)]),
    ("a table behind a buffer in a table", [(TABLES, 32, TABLE)], [(B, 100, NEXT), (TABLES, 16, TABLE)]),
    ("a table's entry behind the memory", [(TABLES, 16, TABLE)], [(FAR, 100, 0)]),
    ("a table's entry of 0 bytes", [(TABLES, 32, TABLE)], [(B, 100, NEXT), (B, 0, 0)]),
    ("a table's entry to write into", [(TABLES, 16, TABLE)], [(B, 100, WRITE)]),
    ("a table of 600 entries", [(TABLES, 9600, TABLE)], [(B, 1, NEXT)] * 599 + [(B, 1, 0)]),
]
SPLIT_CHAINS = [
    ("a descriptor that follows itself", [(B, 100, NEXT, 0)], None),
    ("two that follow one another", [(B, 1, NEXT, 1), (B, 1, NEXT, 0)], None),
    ("a next descriptor beyond the table", [(B, 100, NEXT, 256)], None),
    ("a next descriptor far beyond the table", [(B, 100, NEXT, 65535)], None),
    ("a table and something behind it", [(TABLES, 16, TABLE | NEXT), (B, 64, 0)], [(B, 100, 0)]),
    ("a table whose entry follows itself", [(TABLES, 32, TABLE)], [(B, 100, NEXT, 0)]),
    ("a table whose next entry is not in it", [(TABLES, 32, TABLE)], [(B, 100, NEXT, 2)]),
    ("a table whose next entry is far away", [(TABLES, 16, TABLE)], [(B, 100, NEXT, 65535)]),
]
NO_INDIRECT = [("a table, which was not negotiated", [(TABLES, 16, TABLE)], [(B, 100, 0)])]


def chain_from(parts, table, features):
    def story(t, f):
        f.start(features)
        refill(f)
        why = t.passes(f, "no frame passes before")
        bad = t.drops("rx-bad-chain")
        if table:
            f.table(TABLES, table)
        f.write(B, bytes(HDR) + vf.marked_frame(EVIL, mac_of("echo"), 1))
        # Loops name descriptors from 0 on.
        if not f.packed and any(len(p) > 3 for p in parts):
            f.avail[FROM_GUEST] = 256
        f.chain(FROM_GUEST, parts)
        f.avail[FROM_GUEST] += 10 if not f.packed else 0
        f.kick(FROM_GUEST)
        why = why or t.passes(f)
        now = t.drops("rx-bad-chain")
        return why or (None if now == bad + 1 else f"rx-bad-chain {bad} to {now}")
    return story


def chain_to(parts, table, features):
    """The same for what the guest is to receive: read instead of write, and the other way round."""
    def story(t, f):
        f.start(features)
        turned = [(a, n, fl ^ WRITE if not fl & TABLE else fl, *rest) for a, n, fl, *rest in parts]
        if table:
            f.table(TABLES, [(a, n, fl ^ WRITE if not fl & TABLE else fl, *rest) for a, n, fl, *rest in table])
        bad = t.drops("rx-bad-chain")
        f.chain(TO_GUEST, turned)
        f.avail[TO_GUEST] = max(f.avail[TO_GUEST], 10) if not f.packed else f.avail[TO_GUEST]
        refill(f)
        why = t.passes(f)
        now = t.drops("rx-bad-chain")
        return why or (None if now == bad + 1 else f"rx-bad-chain {bad} to {now}")
    return story


# Name, virtio header (flags, kind of segmentation, header length, segment size, start and offset of the checksum), and
# whether the frame is TCP.  The IPv4 header is at 14, the next one at 34, the frame 64 bytes long.
OFFLOADS = [
    ("a checksum that begins behind the frame", (1, 0, 0, 0, 64, 6), False),
    ("a checksum at 65535 + 65535", (1, 0, 0, 0, 65535, 65535), False),
    ("a checksum that lies behind the frame", (1, 0, 0, 0, 34, 29), False),
    ("a checksum in the Ethernet header", (1, 0, 0, 0, 0, 0), False),
    ("a checksum in the IP header", (1, 0, 0, 0, 14, 10), False),
    ("segments without a checksum", (0, 1, 54, 5, 0, 0), True),
    ("segments of a kind that is not known", (1, 77, 54, 5, 34, 16), True),
    ("segments of 0 bytes", (1, 1, 54, 0, 34, 16), True),
    ("TCP segments of UDP", (1, 1, 54, 5, 34, 6), False),
    ("UDP fragments of TCP", (1, 3, 54, 5, 34, 16), True),
    ("IPv6 segments of IPv4", (1, 4, 54, 5, 34, 16), True),
    ("segments, and the checksum elsewhere", (1, 1, 54, 5, 40, 16), True),
]


def offload(header, tcp, features):
    def story(t, f):
        if not f.start(features | vf.OFFLOADS) & 1:
            return "it offers no checksums"
        refill(f)
        why = t.passes(f, "no frame passes before")
        bad = t.drops("rx-bad-offload")
        frame = bytearray(vf.marked_frame(EVIL, mac_of("echo"), 1))
        if tcp:
            frame[23] = 6
            frame[46] = 0x50
        f.write(B, struct.pack("<BBHHHHH", *header, 0) + bytes(frame))
        f.chain(FROM_GUEST, [(B, HDR + 64, 0)])
        f.kick(FROM_GUEST)
        why = why or t.passes(f)
        now = t.drops("rx-bad-offload")
        return why or (None if now == bad + 1 else f"rx-bad-offload {bad} to {now}")
    return story


# What is no fault where the guest receives: buffers of any size, and tables as long as VQ_MAX_CHAIN.
NOT_TO = ("a header and no frame", "half a header", "a frame of 90000 bytes")


# --- Rings that make no sense -----------------------------------------------------------------------

def jump(by):
    def then(_, f):
        at = FROM_GUEST * vf.RING + 0x10002
        struct.pack_into("<H", f.mem, at, struct.unpack_from("<H", f.mem, at)[0] + by & 0xffff)
        f.kick(FROM_GUEST)
    return then


def head(_, f):
    at = FROM_GUEST * vf.RING + 0x10000
    idx = struct.unpack_from("<H", f.mem, at + 2)[0]
    struct.pack_into("<H", f.mem, at + 4 + idx % 256 * 2, 256)
    struct.pack_into("<H", f.mem, at + 2, idx + 1)
    f.kick(FROM_GUEST)


def endless(_, f):
    f.chain(FROM_GUEST, [(B, 1, NEXT)] * 256)
    f.kick(FROM_GUEST)


# --- Notification descriptors ------------------------------------------------------------------------

def full_eventfd(blocking=True):
    fd = os.eventfd(0, 0 if blocking else os.EFD_NONBLOCK)
    os.eventfd_write(fd, 2**64 - 2)
    return fd


def calls_full(late):
    """Each call to the guest would wait for ever; late: only since the switch looked at the descriptor."""
    def then(t, f):
        fd = os.eventfd(0, os.EFD_NONBLOCK)
        f.extra.append(fd)
        if not late:
            os.eventfd_write(fd, 2**64 - 2)
        f.call(TO_GUEST, fd)
        f.settle()
        if late:
            try:
                os.eventfd_read(fd)
            except BlockingIOError:
                pass
            os.eventfd_write(fd, 2**64 - 2)
        fcntl.fcntl(fd, fcntl.F_SETFL, 0)
        send(t, f)
    return then


def full_and_not_blocking(t, f):
    """A counter that is full says all there is to say."""
    f.extra.append(full_eventfd(False))
    f.call(TO_GUEST, f.extra[-1])
    return t.passes(f, "no frame passes with a full call counter")


def odd_fd(make, give):
    def then(_, f):
        fds = make()
        f.extra += fds
        give(f, fds[0])
        f.settle()
    return then


ODD_FDS = [
    ("a pipe", lambda: list(os.pipe())[::-1]), ("a socket", lambda: [s.detach() for s in socket.socketpair()]),
    ("/dev/null", lambda: [os.open("/dev/null", os.O_RDWR)]), ("a memory file", lambda: [os.memfd_create("front")]),
    ("a directory", lambda: [os.open("/", os.O_RDONLY)]),
]


def kick_storm(t, f):
    """A process that does nothing but kick, with nothing in the ring, and one with frames that make no sense."""
    def kicks():
        while True:
            f.kick(FROM_GUEST)
            f.kick(TO_GUEST)
    with Child(kicks):
        for _ in range(10):
            time.sleep(0.1)
            why = t.passes(f)
            if why:
                return why
    return None


# --- Memory ------------------------------------------------------------------------------------------

def scribble(seed, indirect):
    """Changes what the switch may have looked at already: descriptors, tables, virtio and Ethernet headers."""
    def then(t, f):
        bad = t.drops("rx-bad-chain")

        def work():
            rnd = random.Random(seed)
            addresses = [B, B, MEM - 8, FAR, 2**64 - 8, f.buf(0, 3), 0]
            while True:
                i = rnd.randrange(256)
                q = rnd.randrange(2)
                struct.pack_into("<Q", f.mem, q * vf.RING + 16 * i, rnd.choice(addresses))
                struct.pack_into("<I", f.mem, q * vf.RING + 16 * i + 8, rnd.choice((76, 1514, 11, 0, 70000, 2**32 - 1)))
                if not f.packed:
                    struct.pack_into("<HH", f.mem, q * vf.RING + 16 * i + 12,
                                     rnd.choice((0, 0, 1, 2, 4 if indirect else 3)), rnd.randrange(256))
                else:
                    at = q * vf.RING + 16 * i + 14
                    f.mem[at] = f.mem[at] & 0x80 | rnd.choice((0, 0, 2, 4, 1))
                struct.pack_into("<QIHH", f.mem, TABLES + 16 * rnd.randrange(8), rnd.choice(addresses), 76,
                                 rnd.choice((0, 1, 2, 4)), rnd.randrange(9))
                at = B + rnd.randrange(2000)
                f.mem[at:at + 4] = rnd.randbytes(4)

        with Child(work):
            end = time.monotonic() + 1.5
            i = 0
            while time.monotonic() < end:
                for _ in range(8):
                    i += 1
                    f.write(B, bytes(HDR) + vf.marked_frame(EVIL, mac_of("echo"), i))
                    f.chain(FROM_GUEST, [(TABLES, 64, TABLE) if indirect and i % 2 else (B, 76, 0)])
                    f.chain(TO_GUEST, [(f.buf(0, i % 128), BUF, WRITE)])
                f.kick(FROM_GUEST)
                if not t.state()["up"] and not re.search("ring", t.state()["reason"]):
                    return f"down: {t.state()}"
                time.sleep(0.001)
        return None if t.drops("rx-bad-chain") > bad else "nothing was found to be wrong"
    return then


def in_traffic(steps, back=True):
    """Frames fly while each step is said; then all is as it was, and frames pass."""
    def then(t, f):
        pause = 0.0
        for n in range(12):
            send(t, f, 12)
            time.sleep(pause)
            steps[n % len(steps)](f)
            pause = 0.002 * (n % 3)
        f.settle()
        if not back:
            return None
        f.memory()
        for q in range(2):
            f.address(q)
            f.enable(q, True)
        f.settle()
        end = time.monotonic() + 2
        while time.monotonic() < end and not t.state()["up"]:
            time.sleep(0.01)
        f.kick(FROM_GUEST)
        return t.passes(f, "no frame passes when all is as it was")
    return then


def move_memory(f):
    """The same file elsewhere."""
    f.memory(((0, MEM, USER, 0),))


def two_regions(f):
    f.memory(((0, MEM // 2, USER, 0), (MEM // 2, MEM // 2, USER + MEM // 2, MEM // 2)))


def other_file(f):
    fd = os.memfd_create("front")
    os.ftruncate(fd, MEM)
    f.memory(fd=fd)
    os.close(fd)


def shrink(f):
    """The region ends before its rings do."""
    f.memory(((0, 0x1000, USER, 0),))


def truncated(size):
    def then(_, f):
        os.ftruncate(f.memfd, size)
        # Without its rings we cannot either.
        if size == BUFS:
            f.chain(FROM_GUEST, [(f.buf(1, 0), 76, 0)])
        f.kick(FROM_GUEST)
    return then


def not_shared(make, pattern):
    """Memory that is not what the message says."""
    def story(t, f):
        f.features()
        fd = make()
        f.memory(fd=fd)
        os.close(fd)
        try:
            f.ring(0)
            f.ring(1)
            f.settle()
        except (OSError, struct.error):
            pass
        return t.down(pattern)
    return story


def memory_file(size):
    fd = os.memfd_create("front")
    os.ftruncate(fd, size)
    return fd


LOG_LEN = 4096


def log_story(when):
    """The log of dirty pages is cut before, or while, it is written."""
    def story(t, f):
        f.start(vf.LOG_ALL, vf.F_LOG_SHMFD)
        refill(f)
        log = os.memfd_create("front")
        f.extra.append(log)
        os.ftruncate(log, LOG_LEN if when != "before" else 0)
        try:
            f.log_base(LOG_LEN, log)
            f.settle()
        except (OSError, struct.error):
            return t.down("log|memory")
        if when == "never":
            why = t.passes(f, "no frame passes while it is migrated")
            return why or (None if any(os.pread(log, LOG_LEN, 0)) else "nothing is in the log")
        os.ftruncate(log, 0)
        send(t, f)
        return t.down("memory")
    return story


# --- All of them -------------------------------------------------------------------------------------

def attacks():
    for suffix, ring in (("", 0), (", packed", PACKED)):
        for name, parts, table in CHAINS + ([] if ring else SPLIT_CHAINS):
            yield f"{name}{suffix}", chain_from(parts, table, ring | INDIRECT)
            if name not in NOT_TO:
                yield f"to the guest: {name}{suffix}", chain_to(parts, table, ring | INDIRECT)
        for name, parts, table in NO_INDIRECT:
            yield f"{name}{suffix}", chain_from(parts, table, ring)
        for name, header, tcp in OFFLOADS:
            yield f"{name}{suffix}", offload(header, tcp, ring)
        yield f"a full call counter{suffix}", started(full_and_not_blocking, None, ring)
        yield f"calls that block{suffix}", started(calls_full(False), "ring 0.*blocks", ring)
        yield f"calls that block later{suffix}", started(calls_full(True), "ring 0.*blocks", ring)
        yield f"a storm of kicks{suffix}", started(kick_storm, None, ring)
        yield f"descriptors that change while they are used{suffix}", started(scribble(1, False), None, ring)
        yield f"tables that change while they are used{suffix}", started(scribble(2, True), None, ring | INDIRECT)
        yield f"memory set up anew in traffic{suffix}", started(in_traffic([move_memory, two_regions]), None, ring)
        yield f"memory that is another file in traffic{suffix}", started(in_traffic(
            [other_file, move_memory], False), None, ring)
        yield f"memory that shrinks in traffic{suffix}", started(in_traffic([shrink, move_memory]), None, ring)
        yield f"memory that shrank{suffix}", started(lambda t, f: shrink(f), "not in the memory", ring)
        yield f"rings enabled and disabled in traffic{suffix}", started(in_traffic(
            [lambda f: f.enable(1, False), lambda f: f.enable(0, False), lambda f: f.enable(1, True),
             lambda f: f.enable(0, True)]), None, ring)
        yield f"rings at other addresses in traffic{suffix}", started(in_traffic(
            [lambda f: f.address(1, f.addresses(3)), lambda f: f.address(1), lambda f: f.address(0, f.addresses(3)),
             lambda f: f.address(0)]), None, ring)
        for size in (0, 4096, 0x28000, BUFS):
            yield f"memory cut to {size} bytes in traffic{suffix}", started(truncated(size), "memory", ring)
        for what, addr in (("outside", [USER + FAR] * 3), ("at 0", [0, 0, 0]),
                           ("at odd addresses", [USER + 1, USER + 0x8001, USER + 0x10001])):
            yield f"a ring {what}{suffix}", started(lambda t, f, a=addr: f.address(1, a),
                                                    "not in the memory|not aligned|made no sense|not ready", ring)
        for when in ("never", "before", "in use"):
            yield f"a log cut {when}{suffix}", log_story(when)
    for by in (257, 30000, 32768, 65535):
        yield f"an available index {by} ahead", started(jump(by), "ring 1.*further than")
    yield "a head beyond the table", started(head, "ring 1.*beyond")
    yield "a chain as long as the ring, packed", started(endless, "ring 1.*longer than", PACKED)
    for what, make in ODD_FDS:
        yield f"calls to {what}", started(odd_fd(make, lambda f, fd: f.call(0, fd)), "no eventfd")
        yield f"kicks from {what}", started(odd_fd(make, lambda f, fd: f.kick_fd(1, fd)), "no eventfd")
    for size in (0, 4096, MEM - 4096):
        yield f"memory of {size} bytes that says it has more", not_shared(lambda n=size: memory_file(n), "memory")
    yield "memory that is a directory", not_shared(lambda: os.open("/", os.O_RDONLY), "memory")
    yield "memory that is an eventfd", not_shared(lambda: os.eventfd(0), "memory")
    yield "memory that may not be written", not_shared(lambda: os.open(__file__, os.O_RDONLY), "memory")


if __name__ == "__main__":
    attack("vhost-attack", attacks())
