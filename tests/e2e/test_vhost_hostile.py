#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A guest, or its QEMU, that lies: absurd ring sizes, rings outside its memory, rings full of garbage.

   vguest n1 --- vhost-user ---+
   vguest n2 --- vhost-user ---+-- br0     (n1, n2: neighbours, whose traffic may not stop)
   this test --- vhost-user ---+           (speaks the protocol by hand, see vhost_front.py)"""
import random
import struct
import time

import vhost_front as vf
from lab import Lab, LabError, mac_of, wait_for


def talk(path, story):
    """One connection.  That the switch hangs up on such a peer is fine."""
    def dial():
        try:
            return vf.Front(path)
        except OSError:
            return None
    front = wait_for("the vhost-user socket", dial, 10)
    try:
        story(front)
        front.settle()
        time.sleep(0.02)
    except (OSError, struct.error):
        pass
    finally:
        front.close()


def sized(num):
    def story(f):
        f.features()
        f.memory()
        f.ring(0, num)
        f.ring(1, num)
    return story


def placed(addr):
    def story(f):
        f.features()
        f.memory()
        f.ring(0, addr=addr)
        f.ring(1, addr=addr)
    return story


def regions(rows):
    def story(f):
        f.features()
        f.memory(rows)
        f.ring(0)
        f.ring(1)
    return story


def based(f):
    f.features()
    f.memory()
    f.ring(0, base=65535)
    f.ring(1, base=4711)


def unprepared(f):
    f.ring(0)
    f.ring(1)


def cut_short(f):
    f.features()
    f.s.sendall(struct.pack("<III", vf.SET_MEM_TABLE, 1, 4000) + b"\x01")


def oversized(f):
    f.send(vf.SET_FEATURES, b"\0" * 8, size=0xffffffff)


def noise(seed):
    def story(f):
        rnd = random.Random(seed)
        f.features()
        for _ in range(30):
            size = rnd.choice((0, 4, 8, 12, 40, 300))
            f.send(rnd.randrange(0, 45), rnd.randbytes(size))
    return story


HANDSHAKES = [
    *(("ring size %d" % n, sized(n)) for n in (0, 1, 3, 32768, 65535, 65536, 2**31, 2**32 - 1)),
    ("rings outside the memory", placed((vf.USER + vf.MEM, vf.USER + vf.MEM + 4096, vf.USER + vf.MEM + 8192))),
    ("rings at the very end of the memory", placed((vf.USER + vf.MEM - 16,) * 3)),
    ("rings at 0", placed((0, 0, 0))),
    ("rings at odd addresses", placed((vf.USER + 1, vf.USER + 3, vf.USER + 5))),
    ("rings at 2^64", placed((2**64 - 16,) * 3)),
    ("no memory at all", regions(())),
    ("overlapping regions", regions(((0, vf.MEM, vf.USER, 0),) * 2)),
    ("a region of 2^64 bytes", regions(((0, 2**64 - 4096, vf.USER, 4096),))),
    ("more regions than there are", regions(((0, 4096, vf.USER, 0),) * 200)),
    ("indices in the middle of nowhere", based), ("rings before memory", unprepared),
    ("a message cut short", cut_short), ("a message of 4 GB", oversized),
    *(("noise %d" % n, noise(n)) for n in range(20)),
]


def garbage(f, rounds):
    """Rings set up as they should be; what is in them is random."""
    rnd = random.Random(2)
    f.features()
    f.memory()
    f.ring(0)
    f.ring(1)
    f.settle()
    addresses = [0, 16, vf.RING * 4, vf.MEM - 1, vf.MEM - 64, vf.MEM, 2**32, 2**63, 2**64 - 8]
    lengths = [0, 1, 11, 12, 13, 26, 76, 1514, 4096, 65535, 70000, 2**31, 2**32 - 1]
    idx = [0, 0]
    for _ in range(rounds):
        q = rnd.randrange(2)
        for i in rnd.sample(range(256), 16):
            f.descriptor(q, i, rnd.choice(addresses), rnd.choice(lengths), rnd.choice((0, 1, 1, 1, 2, 3, 4, 5, 7, 0xffff)),
                         rnd.choice((i, rnd.randrange(256), 256, 65535)))
        idx[q] += rnd.choice((1, 1, 2, 32, 255, 256, 257, 30000))
        f.offer(q, [rnd.choice((rnd.randrange(256), rnd.randrange(256), 256, 65535)) for _ in range(256)], idx[q])
        time.sleep(0.0005)


def main():
    with Lab("vhost-hostile") as lab:
        hv = lab.weftd("sw")
        hv.ctl("bridge add br0")
        for p in ("n1", "n2"):
            hv.ctl(f"port add br0 {p} type=vhost-user")
        hv.ctl("port add br0 evil type=vhost-user mode=server")
        n2 = lab.vguest("n2", hv.sock("n2"), "--reflect")
        n1 = lab.vguest("n1", hv.sock("n1"), "--send", "500", "--dst", mac_of("n2"))
        n1.ready()
        n2.ready()
        lab.ok(n1.grows("returned", 100), "neighbours' traffic flows before")
        start = n1.now()
        buffers = hv.mbufs_in_use()

        for what, story in HANDSHAKES:
            try:
                talk(hv.sock("evil"), story)
            except LabError as e:
                lab.ok(False, f"{what}: {e}")
                break
            if not hv.proc.alive():
                lab.ok(False, f"weftd survives {what}", hv.proc.tail())
                hv.start()
        lab.ok(hv.proc.alive(), f"{len(HANDSHAKES)} wrong handshakes")
        talk(hv.sock("evil"), lambda f: garbage(f, 1500))
        lab.ok(hv.proc.alive(), "1500 rounds of garbage in the rings", hv.proc.tail() if not hv.proc.alive() else None)

        end = n1.now()
        sent, back = end["tx"][0] - start["tx"][0], end["returned"] - start["returned"]
        lab.ok(n1.grows("returned", 100) and back > sent * 0.95, "neighbours' traffic flowed all the while",
               f"{sent} sent, {back} came back")
        good = lab.vguest("good", hv.sock("evil"), "--send", "500", "--dst", mac_of("n2"), server=False)
        good.ready()
        lab.ok(good.grows("returned", 100), "an honest guest can use the same port afterwards")
        for g in (good, n1, n2):
            g.kill()
        hv.lost_no_buffer(buffers)
        lab.ok(hv.stop() == 0, "SIGTERM ends weftd with status 0")


if __name__ == "__main__":
    main()
