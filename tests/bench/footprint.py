#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What weftd costs when little happens: start, memory, idle CPU, and the first packet after idle.

usage: sudo tests/bench/footprint.py

One weftd with default settings on core 0 (plain memory, no hugepages), two vhost-user ports on a learning bridge, the
generator of ../shared/bench as both guests on core 1."""
import json
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from harness import BUILD, SHARED     # noqa: E402
from lab import Lab, mac_of, wait_for     # noqa: E402

IDLE_S, RATE, SAMPLE_S = 20, 20, 20


def start_to_first_packet(lab, hv):
    """Guests are up and sending before weftd starts: from its exec to the first frame on the other side."""
    hv.ctl("bridge add br0")
    for p in ("s1", "s2"):
        hv.ctl(f"port add br0 {p} type=vhost-user")
    hv.stop()
    sink = lab.vguest("s2", hv.sock("s2"))
    source = lab.vguest("s1", hv.sock("s1"), "--send", "1000", "--dst", mac_of("s2"))
    wait_for("both guests listen", lambda: all(os.path.exists(hv.sock(p)) for p in ("s1", "s2")), 15)
    t = time.monotonic()
    hv.start()
    wait_for("the first frame", lambda: sink.now()["rx"][0] > 0, 20, step=0.01)
    took = time.monotonic() - t
    for g in (source, sink):
        g.kill()
    for p in ("s1", "s2"):
        hv.ctl(f"port del {p}")
    return took


def memory(pid):
    with open(f"/proc/{pid}/status") as f:
        kb = {k: int(v.split()[0]) for k, v in (l.split(":", 1) for l in f) if k.startswith(("VmRSS", "Rss", "Hugetlb"))}
    return {k: v / 1024 for k, v in kb.items()}


def idle(hv):
    a, t = hv.proc.cpu_seconds(), time.monotonic()
    time.sleep(IDLE_S)
    return (hv.proc.cpu_seconds() - a) / (time.monotonic() - t)


def first_packet(socks):
    """20 packets a second: weftd sleeps before each of them."""
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as work:
        subprocess.run(["cp", "-r", os.path.join(SHARED, "bench"), work], check=True)
        subprocess.run(["chmod", "-R", "u+w", work], check=True)
        subprocess.run(["make", "-s", "-C", os.path.join(work, "bench")], check=True)
        vdevs = [f"--vdev=net_virtio_user{i},path={s},queues=1,queue_size=1024" for i, s in enumerate(socks)]
        p = subprocess.run(["taskset", "-c", "1", os.path.join(work, "bench", "flowgen"), "--lcores", "0@1", "--no-pci",
                            "--no-huge", "--no-shconf", "-m", "256", "--log-level", "lib.eal:4", *vdevs, "--",
                            "--stream", f"port=0,size=64,rate={RATE},learn=1", "--latency", "--warmup", "1",
                            "--duration", str(SAMPLE_S), "--min-run", "0"], text=True, capture_output=True, check=True)
    row = next(json.loads(l[7:]) for l in p.stdout.splitlines() if l.startswith("RESULT "))
    return row["lat_us"]


def main():
    if os.geteuid():
        sys.exit("footprint.py: needs root")
    with Lab("footprint", quiet=True) as lab:
        hv = lab.weftd("sw", cpu=0, extra=["--hugepages", "off"])
        rows = [("start to first forwarded packet", f"{start_to_first_packet(lab, hv):.2f} s", "< 3 s")]
        hv.ctl("port add br0 v1 type=vhost-user mode=server")
        hv.ctl("port add br0 v2 type=vhost-user mode=server")
        lat = first_packet([hv.sock("v1"), hv.sock("v2")])
        m = memory(hv.proc.pid)
        buffers = json.loads(hv.ctl("stats memory --json").stdout)["memory"]["mbuf_bytes"] / 1e6
        rows += [("first packet after idle, median", f"{lat['p50']:.0f} us", "< 200 us"),
                 ("first packet after idle, p99", f"{lat['p99']:.0f} us", ""),
                 ("packet buffers", f"{buffers:.0f} MB", "<= 128 MB"),
                 ("resident beside them", f"{m['VmRSS'] * 1.048576 - buffers:.0f} MB", "< 150 MB"),
                 ("idle, two ports", f"{idle(hv) * 100:.2f} % of a core", "< 3 %")]
    print()
    for name, value, want in rows:
        print(f"{name:<40} {value:>18}   {want}")


if __name__ == "__main__":
    main()
