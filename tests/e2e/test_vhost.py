#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Guests that die and come back, while their neighbours' traffic goes on.

   vguest a1 --- vhost-user ---+            (a1, a2: marked frames to a2 and back; a1 is killed)
   vguest a2 --- vhost-user ---+-- br0
   vguest c1 --- vhost-user ---+            (c1, c2: the neighbours, whose traffic may not stop)
   vguest c2 --- vhost-user ---+            (c2 on a socket where weftd listens)

Prints, without judging: what an idle weftd costs, and how long a frame takes that meets a sleeping one."""
import os
import time

from lab import Lab, LabError, mac_of

ROUNDS = int(os.environ.get("WEFT_RECONNECTS", "15"))


def main():
    with Lab("vhost") as lab:
        hv = lab.weftd("sw")
        lab.diag(f"weftd answered after {hv.start_s:.2f} s, {hv.rss_mb():.0f} MB of its own memory")
        hv.ctl("bridge add br0")
        for p in ("a1", "a2", "c1"):
            hv.ctl(f"port add br0 {p} type=vhost-user")
        hv.ctl("port add br0 c2 type=vhost-user mode=server")

        a2 = lab.vguest("a2", hv.sock("a2"), "--reflect")
        a1 = lab.vguest("a1", hv.sock("a1"), "--send", "2", "--dst", mac_of("a2"))
        for g in (a1, a2):
            g.ready()
        time.sleep(1.0)
        lab.ok(a1.grows("returned", 2), "frames pass between two guests and back")
        cpu, t = hv.proc.cpu_seconds(), time.monotonic()
        time.sleep(3)
        used = (hv.proc.cpu_seconds() - cpu) / (time.monotonic() - t)
        now = a1.now()
        lab.diag(f"at 2 frames a second weftd uses {used * 100:.1f} % of a core; there and back through a sleeping "
                 f"weftd: mean {now['rtt_us']:.0f} us, best {now['rtt_min_us']:.0f} us")
        a1.kill()

        c2 = lab.vguest("c2", hv.sock("c2"), "--reflect", server=False)
        c1 = lab.vguest("c1", hv.sock("c1"), "--send", "500", "--dst", mac_of("c2"))
        for g in (c1, c2):
            g.ready()
        lab.ok(c1.grows("returned", 100), "a guest connects to a socket where weftd listens")

        # Mid-burst: killed while its rings are full.
        a1.options = ("--send", "100000", "--burst", "--dst", mac_of("a2"))
        back = neighbours = 0
        buffers = hv.mbufs_in_use()
        for i in range(ROUNDS):
            a1.start()
            try:
                a1.ready()
                back += a1.grows("returned", 100) > 0
            except LabError as e:
                lab.diag(f"round {i}: {e}")
            victim = a1 if i % 3 else a2
            victim.kill()
            if victim is a2:
                a1.kill()
                a2.start()
                a2.ready()
            neighbours += c1.grows("returned", 50, 5) > 0
        lab.ok(back == ROUNDS, f"{ROUNDS} times killed mid-burst, {ROUNDS} times back with traffic", f"{back} times back")
        lab.ok(neighbours == ROUNDS, "the neighbours' traffic goes on all the while", f"{neighbours} of {ROUNDS}")
        lab.ok(hv.proc.alive(), "weftd is still there")
        c1.kill()
        c2.kill()
        a2.kill()
        time.sleep(1)
        hv.lost_no_buffer(buffers)
        doc = hv.ctl("show").stdout
        lab.ok("a1" in doc and "br0" in doc, "weftctl shows the ports whose guests are gone", doc)

        a2.start()
        a1.options = ("--send", "1000", "--dst", mac_of("a2"))
        a1.start()
        a1.ready()
        a2.ready()
        hv.proc.kill()
        hv.start()
        lab.ok(a1.grows("returned", 50, 10) > 0, "traffic resumes after weftd was killed and started again")
        lab.ok(hv.stop() == 0, "SIGTERM ends weftd with status 0")


if __name__ == "__main__":
    main()
