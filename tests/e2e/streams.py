# SPDX-License-Identifier: Apache-2.0
"""Streams of TCP between two ends, each a guest or a namespace, by tests/e2e/traffic: whoever receives knows each byte that
has to come."""
import json
import os
import subprocess

from lab import BUILD, wait_for

TRAFFIC = os.path.join(BUILD, "tests", "e2e", "traffic")
MB = 1 << 20


class Host:
    """A namespace as the end of a transfer: what Guest has of spawn() and result()."""

    def __init__(self, lab, name, ns):
        self.lab, self.name, self.ns, self.procs = lab, name, ns, {}

    def spawn(self, cmd, out):
        path = os.path.join(self.lab.state, f"{self.name}-{os.path.basename(out)}")
        with open(path, "wb") as f:
            p = subprocess.Popen(["ip", "netns", "exec", self.ns, *cmd.replace("traffic", TRAFFIC, 1).split()], stdout=f,
                                 stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        self.lab.journal("pid", p.pid, "0", "traffic")
        self.procs[out] = p, path

    def stop(self, out):
        self.procs[out][0].terminate()

    def result(self, out, timeout=30):
        p, path = self.procs[out]
        p.wait(timeout)
        with open(path) as f:
            return json.loads(f.read())

    def listening(self, port, udp=False):
        return self.lab.run(f"ss -Hl{'u' if udp else 't'}n sport = :{port}", ns=self.ns).stdout

    def watchers(self):
        return len(self.lab.run("cat /proc/net/packet", ns=self.ns).stdout.splitlines())

    def snmp(self):
        return self.lab.run("cat /proc/net/snmp", ns=self.ns).stdout


def counter(at, name):
    kind, name = name.split(".")
    rows = [line.split() for line in at.snmp().splitlines() if line.startswith(kind + ":")]
    return int(dict(zip(*rows))[name])


def prepare(g):
    """What is received is to be seen as it came."""
    g.sh("ethtool -K eth0 gro off")
    g.stop = lambda out: g.sh(f"kill $(cat {out}.pid)")
    g.listening = lambda port, udp=False: g.sh(f"netstat -l{'u' if udp else 't'}n | grep ':{port} '")[0] == 0
    g.snmp = lambda: g.sh("cat /proc/net/snmp")[1]
    g.watchers = lambda: int(g.sh("wc -l </proc/net/packet")[1])


def watch(at, dev, out):
    """Begins to watch there."""
    before = at.watchers()
    at.spawn(f"traffic watch {dev}", out)
    wait_for("a watcher", lambda: at.watchers() > before, 10)


class Transfer:
    """One stream of TCP, watched where it arrives."""
    port = 7000

    def __init__(self, src, dst, addr, dev, n_bytes=6 * MB):
        Transfer.port += 1
        port = Transfer.port
        watch(dst, dev, f"/tmp/watch{port}")
        dst.spawn(f"traffic sink {port}", f"/tmp/sink{port}")
        wait_for("a listener", lambda: dst.listening(port), 10)
        src.spawn(f"traffic source {addr} {port} {n_bytes}", f"/tmp/source{port}")
        self.sink = dst.result(f"/tmp/sink{port}", 60)
        dst.stop(f"/tmp/watch{port}")
        self.seen = dst.result(f"/tmp/watch{port}")
        self.rate = self.sink["bytes"] * 8e-6 / max(self.sink["seconds"], 1e-3)
        self.whole = self.sink["bytes"] == n_bytes and not self.sink["wrong"]
        self.clean = self.whole and not (self.seen["bad_ip"] or self.seen["bad_l4"] or self.seen["bad_partial"])

    def __str__(self):
        return f"{self.sink} {self.seen}"


def stream(src, dst, addr, n_bytes=MB):
    """One transfer that nobody watches: what the receiver says, and whether every byte was right."""
    Transfer.port += 1
    port = Transfer.port
    dst.spawn(f"traffic sink {port}", f"/tmp/sink{port}")
    wait_for("a listener", lambda: dst.listening(port), 10)
    src.spawn(f"traffic source {addr} {port} {n_bytes}", f"/tmp/source{port}")
    sink = dst.result(f"/tmp/sink{port}", 60)
    return sink["bytes"] == n_bytes and not sink["wrong"], sink
