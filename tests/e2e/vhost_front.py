# SPDX-License-Identifier: Apache-2.0
"""The guest's side of a vhost-user socket by hand, message for message, so that a test can say what no honest QEMU
says.  Messages are those of QEMU's vhost-user specification; rings are split ones of virtio 1.0."""
import array
import mmap
import os
import socket
import struct

GET_FEATURES, SET_FEATURES, SET_OWNER, SET_MEM_TABLE = 1, 2, 3, 5
SET_VRING_NUM, SET_VRING_ADDR, SET_VRING_BASE, GET_VRING_BASE = 8, 9, 10, 11
SET_VRING_KICK, SET_VRING_CALL, GET_PROTOCOL_FEATURES, SET_PROTOCOL_FEATURES = 12, 13, 15, 16
SET_VRING_ENABLE = 18

VERSION_1, PROTOCOL_FEATURES = 1 << 32, 1 << 30
MEM, USER = 4 << 20, 0x7f0000000000     # Guest memory: its size, where it lies in "QEMU".
RING = 0x20000                          # Room of one ring in guest memory.


class Front:
    """One connection.  Answers are read where the protocol has one; nothing is checked."""

    def __init__(self, path, timeout=2.0):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(timeout)
        self.s.connect(path)
        self.memfd = os.memfd_create("front")
        os.ftruncate(self.memfd, MEM)
        self.mem = mmap.mmap(self.memfd, MEM)
        self.kicks, self.calls = [os.eventfd(0) for _ in range(2)], [os.eventfd(0, os.EFD_NONBLOCK) for _ in range(2)]

    def close(self):
        self.s.close()
        self.mem.close()
        for fd in [self.memfd, *self.kicks, *self.calls]:
            os.close(fd)

    def send(self, request, payload=b"", fds=(), size=None, flags=1):
        head = struct.pack("<III", request, flags, len(payload) if size is None else size)
        extra = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.s.sendmsg([head + payload], extra)

    def ask(self, request, payload=b""):
        self.send(request, payload)
        head = self.s.recv(12, socket.MSG_WAITALL)
        size = struct.unpack("<III", head)[2]
        return self.s.recv(size, socket.MSG_WAITALL)

    def features(self):
        offered = struct.unpack("<Q", self.ask(GET_FEATURES))[0]
        self.send(SET_OWNER)
        if offered & PROTOCOL_FEATURES:
            self.ask(GET_PROTOCOL_FEATURES)
            self.send(SET_PROTOCOL_FEATURES, struct.pack("<Q", 0))
        self.send(SET_FEATURES, struct.pack("<Q", offered & (VERSION_1 | PROTOCOL_FEATURES)))

    def memory(self, regions=((0, MEM, USER, 0),)):
        payload = struct.pack("<II", len(regions), 0) + b"".join(struct.pack("<QQQQ", *r) for r in regions)
        self.send(SET_MEM_TABLE, payload, [self.memfd] * min(len(regions), 8))

    def addresses(self, q):
        base = USER + q * RING
        return base, base + 0x8000, base + 0x10000      # Descriptors, used, avail.

    def ring(self, q, num=256, base=0, addr=None, enable=True):
        desc, used, avail = addr or self.addresses(q)
        self.send(SET_VRING_NUM, struct.pack("<II", q, num))
        self.send(SET_VRING_BASE, struct.pack("<II", q, base))
        self.send(SET_VRING_ADDR, struct.pack("<IIQQQQ", q, 0, desc, used, avail, 0))
        self.send(SET_VRING_CALL, struct.pack("<Q", q), [self.calls[q]])
        self.send(SET_VRING_KICK, struct.pack("<Q", q), [self.kicks[q]])
        if enable:
            self.send(SET_VRING_ENABLE, struct.pack("<II", q, 1))

    def settle(self):
        """Until the other side has read everything sent so far."""
        self.ask(GET_FEATURES)

    def descriptor(self, q, i, addr, length, flags, nxt):
        struct.pack_into("<QIHH", self.mem, q * RING + 16 * i, addr & (1 << 64) - 1, length & 0xffffffff, flags, nxt)

    def offer(self, q, heads, idx):
        """Writes the available ring from slot 0 on, then its index, and kicks."""
        at = q * RING + 0x10000
        struct.pack_into(f"<{len(heads)}H", self.mem, at + 4, *heads)
        struct.pack_into("<H", self.mem, at + 2, idx & 0xffff)
        os.eventfd_write(self.kicks[q], 1)
