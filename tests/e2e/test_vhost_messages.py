#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A hypervisor whose messages are wrong in every way: unknown, too short, too long, unfinished, about what is not
there, with descriptors that nobody asked for, and connections that come and go (vhost_victim.py has the drawing).
With a word as argument: only the attacks that have it in their names."""
import os
import socket
import struct

import vhost_front as vf
from vhost_front import PACKED, USER
from lab import mac_of
from vhost_victim import OTHER, attack


def refused(pattern, *messages, features=True):
    """Messages (request, payload, number of descriptors) after which the switch hangs up, and says why."""
    def story(t, f):
        if features:
            f.features()
            f.memory()
        for request, payload, n_fds in messages:
            fds = [os.eventfd(0) for _ in range(n_fds)]
            f.extra += fds
            f.send(request, payload, fds)
        f.s.settimeout(2)
        try:
            while f.s.recv(4096):
                pass
        except OSError as e:
            if isinstance(e, TimeoutError):
                return "it does not hang up"
        return t.down(pattern)
    return story


def tolerated(*messages, begin=vf.Front.start):
    """Messages that may be refused or not, after an honest beginning; what counts is what is left
    behind."""
    def story(_, f):
        begin(f)
        for request, payload, n_fds in messages:
            fds = [os.eventfd(0) for _ in range(n_fds)]
            f.send(request, payload, fds)
            for fd in fds:
                os.close(fd)
        try:
            f.settle()
        except (OSError, struct.error):
            pass
    return story


def sizes(request):
    """A message of each length that it should not have."""
    def story(t, _):
        for size in (0, 1, 4, 7, 9, 24, 39, 41, 200, 632, 633):
            g = t.dial()
            try:
                g.features()
                g.memory()
                g.send(request, bytes(size), [g.memfd])
                g.settle()
            except (OSError, struct.error):
                pass
            finally:
                g.close()
    return story


def unfinished(t, f):
    """The library's one thread waits for the rest of the message: not for long, others are served."""
    f.features()
    f.send(vf.SET_MEM_TABLE, size=40)
    back = vf.honest(t.hv.sock("evil2"), OTHER, mac_of("echo"))
    return None if back == 8 else f"{back} of 8 frames of a guest that came meanwhile"


def storm(t, f):
    """Connections that end at each stage of the handshake."""
    f.s.close()
    f.s = socket.socket(socket.AF_UNIX)
    stages = [lambda g: None, lambda g: g.send(vf.GET_FEATURES), lambda g: g.features(),
              lambda g: (g.features(), g.memory()),
              lambda g: (g.features(), g.memory(), g.ring(0), g.ring(1)), lambda g: g.start(PACKED)]
    for i in range(150):
        try:
            g = vf.Front(t.hv.sock("evil"))
        except OSError:
            continue
        try:
            stages[i % len(stages)](g)
        except (OSError, struct.error):
            pass
        finally:
            g.close()


def crowd(t, f):
    """Many at once on one socket; all but a few are refused."""
    f.features()
    others = []
    for _ in range(30):
        try:
            others.append(vf.Front(t.hv.sock("evil")))
        except OSError:
            pass
    for g in others:
        try:
            g.features()
        except (OSError, struct.error):
            pass
    for g in others:
        g.close()


def short(request, size, n_fds):
    """A header with descriptors, and no message behind it."""
    def story(_, f):
        f.features()
        fds = [os.eventfd(0) for _ in range(n_fds)]
        f.send(request, fds=fds, size=size)
        for fd in fds:
            os.close(fd)
    return story


def vring(request, index, n_fds=0):
    if request in (vf.SET_VRING_KICK, vf.SET_VRING_CALL):
        return (request, struct.pack("<Q", index), n_fds)
    if request == vf.SET_VRING_ADDR:
        return (request, struct.pack("<IIQQQQ", index, 0, USER, USER + 0x8000, USER + 0x10000, 0), 0)
    return (request, struct.pack("<II", index, 1), 0)


def not_offered(choose):
    def story(t, f):
        offered = struct.unpack("<Q", f.ask(vf.GET_FEATURES))[0]
        bit = choose([i for i in range(64) if not offered >> i & 1])
        return refused("were not offered", (vf.SET_FEATURES, struct.pack("<Q", vf.VERSION_1 | 1 << bit), 0),
                       features=False)(t, f)
    return story


def attacks():
    for what, choose in (("the first", min), ("the last", max), ("some", lambda bits: bits[len(bits) // 2])):
        yield f"{what} feature that was not offered", not_offered(choose)
    for index in (4, 16, 31):
        yield f"ring {index} of 4", tolerated(vring(vf.SET_VRING_NUM, index), vring(vf.SET_VRING_ADDR, index),
                                              vring(vf.SET_VRING_KICK, index, 1), vring(vf.SET_VRING_CALL, index, 1),
                                              vring(vf.SET_VRING_ENABLE, index))
    for index in (32, 255, 2**32 - 1):
        yield f"ring {index}", refused("SET_VRING_ENABLE made no sense", vring(vf.SET_VRING_ENABLE, index))
    yield "kick of ring 255", refused("SET_VRING_KICK made no sense", vring(vf.SET_VRING_KICK, 255, 1))
    for n in (0, 3, 65536, 2**31):
        yield f"a ring of {n} entries", refused("SET_VRING_NUM made no sense",
                                                (vf.SET_VRING_NUM, struct.pack("<II", 0, n), 0))
    for request in (vf.GET_FEATURES, vf.SET_FEATURES, vf.SET_MEM_TABLE, vf.SET_VRING_NUM, vf.SET_VRING_KICK,
                    vf.GET_VRING_BASE, vf.GET_PROTOCOL_FEATURES, 17, vf.SET_VRING_ENABLE, 19, 4, 39):
        for n in (1, 8, 12):
            yield f"message {request} with {n} descriptors", tolerated((request, struct.pack("<Q", 0), n))
        yield f"message {request} of wrong sizes", sizes(request)
    for request in (vf.SET_MEM_TABLE, vf.SET_VRING_KICK, vf.SET_LOG_BASE, 32):
        for size in (8, 632, 633, 2**32 - 1):
            yield f"message {request} of {size} bytes that do not come", short(request, size, 8)
    for request in (vf.SET_VRING_NUM, vf.SET_VRING_BASE, vf.GET_VRING_BASE, vf.SET_VRING_ENABLE, vf.SET_VRING_ADDR):
        yield f"message {request} of ring 2^32 - 1 with 8 descriptors", tolerated((*vring(request, 2**32 - 1)[:2], 8))
    for request in (0, *range(21, 48), 1000, 2**31, 2**32 - 1):
        yield f"message {request} in passing", tolerated((request, bytes(8), 8), begin=vf.Front.features)
    yield "a message that does not end", unfinished
    yield "a storm of connections", storm
    yield "a crowd of connections", crowd


if __name__ == "__main__":
    attack("vhost-messages", attacks())
