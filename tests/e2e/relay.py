#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A bad wire: passes frames between two interfaces, and loses, doubles and delays some.  Kernels of test machines do not have
netem.  What it does is said on its standard input, a line of numbers in per mille each: LOSS DOUBLE DELAY.  What it did is
printed at each such line, and at the end.

   usage: relay.py IF IF"""
import json
import random
import select
import socket
import sys

SWAP = 5        # A delayed frame comes after so many others, or when nothing else has come for 20 ms.


def main():
    socks = []
    for dev in sys.argv[1:3]:
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        s.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)           # SO_RCVBUFFORCE
        s.bind((dev, 0))
        s.setblocking(False)
        socks.append(s)
    done = {"passed": 0, "lost": 0, "doubled": 0, "delayed": 0}
    rates, late = (0, 0, 0), ([], [])
    rng = random.Random(1)
    pending = b""
    print(json.dumps(done), flush=True)
    while True:
        ready, _, _ = select.select([*socks, sys.stdin], [], [], 0.02)
        for way, s in enumerate(socks):
            out = socks[1 - way]
            for _ in range(64 if s in ready else 0):
                try:
                    frame, where = s.recvfrom(65536)
                except BlockingIOError:
                    break
                if where[2] == socket.PACKET_OUTGOING:
                    continue
                for held in late[way]:
                    held[0] -= 1
                # ARP and the like are left alone: this is about tunnels.
                tunnel = len(frame) > 100
                if tunnel and rng.randrange(1000) < rates[0]:
                    done["lost"] += 1
                    continue
                if tunnel and rng.randrange(1000) < rates[2]:
                    done["delayed"] += 1
                    late[way].append([SWAP, frame])
                    continue
                done["passed"] += 1
                out.send(frame)
                if tunnel and rng.randrange(1000) < rates[1]:
                    done["doubled"] += 1
                    out.send(frame)
            while late[way] and (late[way][0][0] <= 0 or not ready):
                out.send(late[way].pop(0)[1])
        if sys.stdin in ready:
            data = sys.stdin.buffer.raw.read(1000)
            if not data:
                return
            pending += data
            while b"\n" in pending:
                line, pending = pending.split(b"\n", 1)
                rates = tuple(int(w) for w in line.split())
                print(json.dumps(done), flush=True)


if __name__ == "__main__":
    main()
