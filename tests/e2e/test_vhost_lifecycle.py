#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Guests that stop, do not refill their rings, or die in the middle of a burst; a switch that dies under them.

   vguest n1 --- vhost-user ---+            (VLAN 10: numbered frames to n2 and back, none may be lost)
   vguest n2 --- vhost-user ---+-- br0
   vguest slow - vhost-user ---+            (stopped, or with rings that are never refilled)
   testpmd ----- vhost-user ---+            (sends as fast as it can, and is killed)"""
import grp
import os
import pwd
import signal
import stat
import time

import vhost_front as vf
from lab import Lab, LabError, cpus, mac_of, wait_for

BURNER = "02:57:00:00:bb:01"


def port(hv, name):
    return next(p for b in hv.ctl_json("show")["bridges"] for p in b["ports"] if p["name"] == name)


def counters(hv, name):
    return hv.ctl_json(f"stats --port {name}")["ports"][0]


def passes(hv, name, key, by=1, timeout=10):
    """Waits until a port's counter has grown."""
    first = counters(hv, name).get(key, 0)
    try:
        wait_for(key, lambda: counters(hv, name).get(key, 0) >= first + by, timeout)
    except LabError:
        return False
    return True


def testpmd(lab, n, sock, dst, options="", server=True):
    """Sends 64-byte frames to 'dst' as fast as one core does."""
    core = cpus()[-1]
    if server and os.path.exists(sock):
        os.unlink(sock)
    return lab.spawn(f"testpmd.{n}", [
        "dpdk-testpmd", "--no-huge", "-m", "128", "--no-pci", "--no-telemetry", "--no-shconf",
        "--lcores", f"0@{core},1@{core}", "--log-level", "lib.eal:4",
        f"--vdev=net_virtio_user0,path={sock},mac={BURNER},queues=1,queue_size=256{',server=1' if server else ''}{options}",
        "--", "--forward-mode=txonly", f"--eth-peer=0,{dst}", "--txpkts=64", "--nb-cores=1", "--total-num-mbufs=2048",
        "--auto-start", "--stats-period=1"])


def access(lab, hv):
    """A socket where weftd listens belongs to whom the settings say."""
    user, group = pwd.getpwnam("nobody"), grp.getgrnam("daemon")
    hv.ctl("port add br0 s1 type=vhost-user mode=server socket-owner=nobody socket-group=daemon socket-mode=0640")
    st = os.stat(hv.sock("s1"))
    lab.ok((st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)) == (user.pw_uid, group.gr_gid, 0o640),
           "a server's socket has the owner, group and mode that were set", oct(st.st_mode) + f" {st.st_uid}:{st.st_gid}")
    lab.ok("waiting for the guest" in port(hv, "s1")["reason"], "and the port says what it waits for", port(hv, "s1"))
    hv.ctl("port del s1")
    lab.ok(not os.path.exists(hv.sock("s1")), "the socket goes with the port")
    hv.ctl("port add br0 c1 type=vhost-user")
    lab.ok("no socket" in port(hv, "c1")["reason"], "a client says that there is no socket", port(hv, "c1"))
    hv.ctl("port del c1")


def stopped(lab, hv, n1, n2):
    """SIGSTOP: its ring fills, and stays full."""
    slow = lab.vguest("slow", hv.sock("slow"), "--reflect").ready()
    burner = lab.vguest("src", hv.sock("src"), "--send", "3000", "--dst", mac_of("slow")).ready()
    lab.ok(burner.grows("returned", 100), "frames pass to the guest that will stop")
    gaps, full = n2.now()["gaps"], counters(hv, "slow").get("drops", {}).get("tx-queue-full", 0)
    os.kill(slow.proc.pid, signal.SIGSTOP)
    before = n1.now()["returned"]
    try:
        wait_for("tx-queue-full", lambda: counters(hv, "slow").get("drops", {}).get("tx-queue-full", 0) > full + 500, 8)
        counted = True
    except LabError:
        counted = False
    lab.ok(counted, "what a stopped guest does not take is counted at its port", counters(hv, "slow"))
    n1.grows("returned", 500)
    lab.ok(n2.now()["gaps"] == gaps and n1.now()["returned"] > before + 400, "its neighbours lose nothing",
           f"{n2.now()['gaps'] - gaps} gaps, {n1.now()['returned'] - before} frames")
    os.kill(slow.proc.pid, signal.SIGCONT)
    lab.ok(burner.grows("returned", 100), "once it goes on, so does its traffic")
    burner.kill()
    slow.kill()


def unfilled(lab, hv, n1, n2):
    """Its rings are on, and there is never a buffer in them."""
    wait_for("the port's end of the stopped guest", lambda: not port(hv, "lazy")["up"], 5)
    src = lab.vguest("src", hv.sock("src"), "--send", "3000", "--dst", "02:57:00:00:1a:2e").ready()
    for packed in (False, True):
        f = vf.Front(hv.sock("lazy"))
        f.start(vf.PACKED if packed else 0)
        wait_for("the lazy guest's port", lambda: port(hv, "lazy")["up"], 5)
        # One frame makes its address known.
        f.write(f.buf(1, 0), bytes(vf.HDR) + vf.marked_frame("02:57:00:00:1a:2e", mac_of("src"), 0))
        f.chain(vf.FROM_GUEST, [(f.buf(1, 0), vf.HDR + 64, 0)])
        f.kick(vf.FROM_GUEST)
        gaps, full = n2.now()["gaps"], counters(hv, "lazy").get("drops", {}).get("tx-queue-full", 0)
        def fails():
            return counters(hv, "lazy").get("drops", {}).get("tx-queue-full", 0)
        try:
            wait_for("tx-queue-full", lambda: fails() > full + 500, 8)  # pylint: disable=cell-var-from-loop
        except LabError:
            pass
        moved, now = n1.grows("returned", 200), fails()
        lab.ok(now > full + 500 and moved and n2.now()["gaps"] == gaps,
               f"a guest that never refills its ring costs the others nothing{', packed' if packed else ''}",
               f"tx-queue-full {full} to {now}, {n2.now()['gaps'] - gaps} gaps, {moved} frames of the neighbours")
        f.close()
    src.kill()


def killed(lab, hv, n1, n2):
    """testpmd at full speed, killed and started again, in each role and ring format."""
    n = 0
    for server, options in ((True, ""), (True, ",packed_vq=1"), (False, ",mrg_rxbuf=0,in_order=0"), (False, ",packed_vq=1")):
        name = "pmd" if server else "pmd-s"
        back = 0
        gaps = n2.now()["gaps"]
        for _ in range(3):
            n += 1
            t = testpmd(lab, n, hv.sock(name), "02:57:00:00:bb:02", options, server)
            back += passes(hv, name, "rx_packets", 20000, 15)
            t.kill()
        try:
            wait_for("down", lambda: not port(hv, name)["up"], 5)     # pylint: disable=cell-var-from-loop
        except LabError:
            pass
        state = port(hv, name)
        lab.ok(back == 3 and not state["up"] and state["reason"],
               f"testpmd{options} ({'client' if server else 'server'} port) killed mid-burst, three times back", f"{back}, {state}")
        lab.ok(n1.grows("returned", 100) and n2.now()["gaps"] == gaps, "its neighbours lose nothing",
               f"{n2.now()['gaps'] - gaps} gaps")


def restarted(lab, hv):
    """weftd is killed and started under guests that listen; nobody tells them."""
    for name, device in (("split", ""), ("packed", "packed_vq=1"), ("plain", "in_order=0,mrg_rxbuf=0")):
        b = lab.vguest("rb", hv.sock("rb"), "--reflect", device=device).ready()
        a = lab.vguest("ra", hv.sock("ra"), "--send", "1000", "--dst", mac_of("rb"), device=device).ready()
        a.grows("returned", 50)
        hv.proc.kill()
        time.sleep(0.3)
        hv.start()
        began = time.monotonic()
        try:
            wait_for("frames at both", lambda: all(counters(hv, p).get("tx_packets", 0) > 20 for p in ("ra", "rb")), 5, 0.02)
            took = time.monotonic() - began
        except LabError:
            took = None
        lab.ok(took is not None and took < 1.0, f"killed weftd, {name} rings: traffic is back within a second of its start",
               f"{took} s")
        lab.diag(f"weftd answered after {hv.start_s:.2f} s, frames came back {took or -1:.2f} s later")
        lab.ok(a.grows("returned", 200), "and goes on")
        a.kill()
        b.kill()


def main():
    with Lab("vhost-lifecycle") as lab:
        hv = lab.weftd("sw")
        hv.ctl("bridge add br0")
        access(lab, hv)
        for p in ("n1", "n2"):
            hv.ctl(f"port add br0 {p} type=vhost-user tag=10")
        for p in ("slow", "src", "pmd", "ra", "rb"):
            hv.ctl(f"port add br0 {p} type=vhost-user")
        for p in ("lazy", "pmd-s"):
            hv.ctl(f"port add br0 {p} type=vhost-user mode=server")
        n2 = lab.vguest("n2", hv.sock("n2"), "--reflect").ready()
        n1 = lab.vguest("n1", hv.sock("n1"), "--send", "500", "--dst", mac_of("n2")).ready()
        n1.grows("returned", 100)
        buffers = hv.mbufs_in_use()
        stopped(lab, hv, n1, n2)
        unfilled(lab, hv, n1, n2)
        killed(lab, hv, n1, n2)
        n1.kill()
        n2.kill()
        hv.lost_no_buffer(buffers)
        restarted(lab, hv)
        lab.ok(hv.stop() == 0, "SIGTERM ends weftd with status 0")


if __name__ == "__main__":
    main()
