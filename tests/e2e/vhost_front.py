# SPDX-License-Identifier: Apache-2.0
"""The guest's side of a vhost-user socket by hand, message for message, so that a test can say what no honest QEMU
says.  Messages are those of QEMU's vhost-user specification; rings are those of virtio 1.2, split or packed.

Guest addresses are offsets into the memory file. """
import array
import mmap
import os
import socket
import struct
import time

GET_FEATURES, SET_FEATURES, SET_OWNER, SET_MEM_TABLE, SET_LOG_BASE, SET_LOG_FD = 1, 2, 3, 5, 6, 7
SET_VRING_NUM, SET_VRING_ADDR, SET_VRING_BASE, GET_VRING_BASE = 8, 9, 10, 11
SET_VRING_KICK, SET_VRING_CALL, GET_PROTOCOL_FEATURES, SET_PROTOCOL_FEATURES = 12, 13, 15, 16
SET_VRING_ENABLE = 18

VERSION_1, PROTOCOL_FEATURES, PACKED, INDIRECT, MERGE, LOG_ALL = 1 << 32, 1 << 30, 1 << 34, 1 << 28, 1 << 15, 1 << 26
OFFLOADS = 0x7f83                       # Checksums and segmentation, both ways: feature bits 0, 1, 7 to 14.
F_LOG_SHMFD, ADDR_LOG = 1 << 1, 1
NEXT, WRITE, TABLE = 1, 2, 4            # Flags of a descriptor; TABLE: indirect.
MEM, USER = 4 << 20, 0x7f0000000000     # Guest memory: its size, where it lies in "QEMU".
RING = 0x20000                          # Room of one ring in guest memory.
TABLES, BUFS, BUF = 0x80000, 0x100000, 2048     # Indirect tables; buffers of both rings, each ring 256 of them.
HDR = 12                                # The virtio header.
TO_GUEST, FROM_GUEST = 0, 1
MARK = struct.pack("<I", 0x57656674)    # See vguest.c.


class Front:
    """One connection.  Answers are read where the protocol has one; nothing is checked."""

    def __init__(self, path, timeout=2.0):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(timeout)
        self.s.connect(path)
        self.memfd = os.memfd_create("front")
        os.ftruncate(self.memfd, MEM)
        self.mem = mmap.mmap(self.memfd, MEM)
        self.kicks, self.calls = [os.eventfd(0, os.EFD_NONBLOCK) for _ in range(2)], \
            [os.eventfd(0, os.EFD_NONBLOCK) for _ in range(2)]
        self.packed = False
        self.avail = [0, 0]             # Chains offered; packed: descriptors.
        self.extra = []                 # Descriptors that a story opened.

    def close(self):
        self.s.close()
        self.mem.close()
        for fd in [self.memfd, *self.kicks, *self.calls, *self.extra]:
            os.close(fd)

    # --- messages ------------------------------------------------------------------------------

    def send(self, request, payload=b"", fds=(), size=None, flags=1):
        head = struct.pack("<III", request, flags, len(payload) if size is None else size)
        extra = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.s.sendmsg([head + payload], extra)

    def ask(self, request, payload=b"", fds=()):
        self.send(request, payload, fds)
        head = self.s.recv(12, socket.MSG_WAITALL)
        size = struct.unpack("<III", head)[2]
        return self.s.recv(size, socket.MSG_WAITALL)

    def features(self, wanted=0, protocol=0):
        """Takes what it wants of what is offered; gives the features that are on."""
        offered = struct.unpack("<Q", self.ask(GET_FEATURES))[0]
        self.send(SET_OWNER)
        if offered & PROTOCOL_FEATURES:
            self.ask(GET_PROTOCOL_FEATURES)
            self.send(SET_PROTOCOL_FEATURES, struct.pack("<Q", protocol))
        on = offered & (wanted | VERSION_1 | PROTOCOL_FEATURES)
        self.packed = bool(on & PACKED)
        self.send(SET_FEATURES, struct.pack("<Q", on))
        return on

    def memory(self, regions=((0, MEM, USER, 0),), fd=None):
        payload = struct.pack("<II", len(regions), 0) + b"".join(struct.pack("<QQQQ", *r) for r in regions)
        self.send(SET_MEM_TABLE, payload, [self.memfd if fd is None else fd] * min(len(regions), 8))

    def addresses(self, q):
        base = USER + q * RING
        return base, base + 0x8000, base + 0x10000      # Descriptors, used (device area), avail (driver area).

    def address(self, q, addr=None, flags=0, log=0):
        desc, used, avail = addr or self.addresses(q)
        self.send(SET_VRING_ADDR, struct.pack("<IIQQQQ", q, flags, desc, used, avail, log))

    def ring(self, q, num=256, base=None, addr=None, enable=True):
        if base is None:
            base = 0x80008000 if self.packed else 0     # Packed: both wrap counters 1.
        self.send(SET_VRING_NUM, struct.pack("<II", q, num))
        self.send(SET_VRING_BASE, struct.pack("<II", q, base))
        self.address(q, addr)
        self.send(SET_VRING_CALL, struct.pack("<Q", q), [self.calls[q]])
        self.send(SET_VRING_KICK, struct.pack("<Q", q), [self.kicks[q]])
        if enable:
            self.enable(q, True)

    def enable(self, q, on):
        self.send(SET_VRING_ENABLE, struct.pack("<II", q, on))

    def call(self, q, fd):
        self.send(SET_VRING_CALL, struct.pack("<Q", q), [fd])

    def kick_fd(self, q, fd):
        self.send(SET_VRING_KICK, struct.pack("<Q", q), [fd])

    def stop_ring(self, q):
        self.ask(GET_VRING_BASE, struct.pack("<II", q, 0))

    def log_base(self, size, fd):
        self.ask(SET_LOG_BASE, struct.pack("<QQ", size, 0), [fd])

    def settle(self):
        """Until the other side has read everything sent so far."""
        self.ask(GET_FEATURES)

    def start(self, wanted=0, protocol=0):
        """All that an honest guest says; rings of 256."""
        on = self.features(wanted, protocol)
        self.memory()
        self.ring(TO_GUEST)
        self.ring(FROM_GUEST)
        self.settle()
        return on

    # --- rings ---------------------------------------------------------------------------------

    def descriptor(self, q, i, addr, length, flags, nxt):
        struct.pack_into("<QIHH", self.mem, q * RING + 16 * i, addr & (1 << 64) - 1, length & 0xffffffff, flags, nxt)

    def offer(self, q, heads, idx):
        """Writes the available ring from slot 0 on, then its index, and kicks."""
        at = q * RING + 0x10000
        struct.pack_into(f"<{len(heads)}H", self.mem, at + 4, *heads)
        struct.pack_into("<H", self.mem, at + 2, idx & 0xffff)
        self.kick(q)

    def kick(self, q):
        os.eventfd_write(self.kicks[q], 1)

    def table(self, at, parts):
        """An indirect table of (address, length, flags[, next]) at a guest address."""
        for i, (addr, length, flags, *nxt) in enumerate(parts):
            last = (0, flags) if self.packed else (flags, nxt[0] if nxt else i + 1)
            struct.pack_into("<QIHH", self.mem, at + 16 * i, addr & (1 << 64) - 1, length & 0xffffffff, *last)

    def chain(self, q, parts):
        """Offers one chain of (address, length, flags[, next]) in either format.  Descriptors follow one another;
        the head is given last.  Without NEXT where it belongs: say so in flags."""
        at = self.avail[q]
        if not self.packed:
            first = at % 256
            for i, (addr, length, flags, *nxt) in enumerate(parts):
                self.descriptor(q, (first + i) % 256, addr, length, flags, nxt[0] if nxt else (first + i + 1) % 256)
            base = q * RING + 0x10000
            slot = struct.unpack_from("<H", self.mem, base + 2)[0]
            struct.pack_into("<H", self.mem, base + 4 + slot % 256 * 2, first)
            struct.pack_into("<H", self.mem, base + 2, slot + 1 & 0xffff)
        else:
            for i, (addr, length, flags, *ident) in reversed(list(enumerate(parts))):
                wrap = (at + i) // 256 % 2 == 0
                struct.pack_into("<QIHH", self.mem, q * RING + 16 * ((at + i) % 256), addr & (1 << 64) - 1,
                                 length & 0xffffffff, ident[0] if ident else at % 256,
                                 flags | (1 << 7 if wrap else 1 << 15))
        self.avail[q] = at + len(parts)

    def used(self, q, at):
        """Whether the switch has given back what began at descriptor 'at' (packed), or chain number 'at' (split)."""
        if not self.packed:
            return (struct.unpack_from("<H", self.mem, q * RING + 0x8000 + 2)[0] - at - 1) & 0xffff < 0x8000
        flags = struct.unpack_from("<H", self.mem, q * RING + 16 * (at % 256) + 14)[0]
        a, u = flags >> 7 & 1, flags >> 15 & 1
        return a == u == (at // 256 % 2 == 0)

    @staticmethod
    def buf(q, i):
        return BUFS + (q * 256 + i) * BUF

    def write(self, at, data):
        self.mem[at:at + len(data)] = data


def marked_frame(src, dst, seq, size=64):
    """As vguest makes and reflects them; 'src' and 'dst' are address texts."""
    mac = [bytes.fromhex(a.replace(":", "")) for a in (dst, src)]
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, size - 14, 0, 0, 64, 17, 0, b"\x0a\x63\0\1", b"\x0a\x63\0\2")
    udp = struct.pack(">HHHH", 9, 9, size - 34, 0)
    mark = MARK + struct.pack("<IQI", seq, 0, 0)
    return b"".join(mac) + b"\x08\x00" + ip + udp + mark.ljust(size - 42, b"\0")


def honest(path, src, dst, packed=False, frames=8, timeout=4.0):
    """A well-behaved guest for a moment: sends marked frames to a reflector.  How many came back.  Those that did not are
    sent again each second: a port takes part in floods only when all threads have heard that it is up."""
    f = Front(path)
    try:
        f.start(PACKED if packed else 0)
        for i in range(64):
            f.chain(TO_GUEST, [(f.buf(0, i), BUF, WRITE)])
        f.kick(TO_GUEST)
        end = time.monotonic() + timeout
        again, back = 0, set()
        while len(back) < frames and time.monotonic() < end:
            if time.monotonic() >= again:
                again = time.monotonic() + 1
                for i in sorted(set(range(frames)) - back):
                    f.write(f.buf(1, i), bytes(HDR) + marked_frame(src, dst, i))
                    f.chain(FROM_GUEST, [(f.buf(1, i), HDR + 64, 0)])
                f.kick(FROM_GUEST)
            for i in range(64):
                frame = f.mem[f.buf(0, i) + HDR:f.buf(0, i) + HDR + 64]
                if frame[42:46] == MARK and frame[58] and f.used(TO_GUEST, i):
                    back.add(struct.unpack("<I", frame[46:50])[0])
            time.sleep(0.002)
        return len(back)
    finally:
        f.close()
