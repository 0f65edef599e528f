#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hostile clients at the management socket of a switch that is at work.

   vguest s1 --- vhost-user ---+-- br0 (weftd) ---+ management socket
   vguest s2 --- vhost-user ---+                  |
   (marked frames, there and back)       wrong lines, huge lines, 1000 clients, clients that never read,
                                         half requests, two tools changing the same thing"""
import json
import os
import random
import resource
import socket
import stat
import subprocess
import threading
import time

from lab import Lab, LabError, mac_of

BAD_LINES = [
    b"", b"{", b"}", b"[]", b"[[]]", b"null", b"true", b"17", b'"text"', b"{}", b"\x00\x01\x02", b"\xff\xfe{}",
    b'{"jsonrpc": "2.0"}', b'{"jsonrpc": "1.0", "method": "show", "id": 1}',
    b'{"jsonrpc": "2.0", "method": 7, "id": 1}', b'{"jsonrpc": "2.0", "method": "show", "params": 7, "id": 1}',
    b'{"jsonrpc": "2.0", "method": "show", "params": [], "id": {}}',
    b'{"jsonrpc": "2.0", "method": "no.such.method", "id": 1}',
    b'{"jsonrpc": "2.0", "method": "show", "id": 1e999}', b'{"jsonrpc": "2.0", "method": "\\ud800", "id": 1}',
    b"[" * 100000, b'{"a":' * 50000, b"[1," * 20000 + b"1" + b"]" * 20000,
    b'{"jsonrpc": "2.0", "method": "show", "id": "' + b"x" * 100000 + b'"}',
    b"[" + b",".join([b'{"jsonrpc": "2.0", "method": "version", "id": 1}'] * 5000) + b"]",
]


def management_socket(run_dir):
    for name in sorted(os.listdir(run_dir)):
        path = os.path.join(run_dir, name)
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            return path
    raise LabError(f"no management socket in {run_dir}")


def dial(path, timeout=3.0):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(timeout)
    s.connect(path)
    return s


def say_badly(path, line):
    """Sends a line; errors are what a server may do to such a client."""
    try:
        with dial(path) as s:
            s.sendall(line + b"\n")
            s.settimeout(0.2)
            return s.recv(65536)
    except OSError:
        return b""


def answers(hv, within=3.0):
    t = time.monotonic()
    try:
        good = hv.ctl("version", check=False, timeout=10).returncode == 0
    except LabError:
        return False
    return good and time.monotonic() - t < within


def mutations(rounds):
    """Requests with parameters of every wrong kind; none that would be a change if it were understood."""
    rnd = random.Random(4711)
    methods = ["show", "bridge.add", "bridge.del", "bridge.set", "port.add", "port.del", "port.set", "port.list",
               "tunnel.add", "mac.show", "mac.flush", "mac.add", "flow.dump", "stats", "apply", "diff", "export"]
    names = ["name", "bridge", "port", "options", "type", "document", "mac", "vlan", "generation"]
    values = [None, True, -1, 2**63 - 1, 1e300, "", "x" * 300, "../../etc/passwd", "\0", [], [[]], {"": {}},
              {"type": "vhost-user", "tag": -1}, {"version": 1, "bridges": {"": {}}}, {"bridges": []}]
    for _ in range(rounds):
        params = {rnd.choice(names): rnd.choice(values) for _ in range(rnd.randrange(4))}
        yield json.dumps({"jsonrpc": "2.0", "method": rnd.choice(methods), "params": params, "id": 1}).encode()


def crowd(path, n):
    clients = []
    for _ in range(n):
        try:
            s = socket.socket(socket.AF_UNIX)
            s.setblocking(False)
            s.connect(path)
            clients.append(s)
        except OSError:
            s.close()
            time.sleep(0.001)
    return clients


def compete(hv, lab):
    """Two tools add and delete the same port at once; each answer is a clear yes or no, and the end is consistent."""
    odd = []

    def one(n):
        for i in range(20):
            verb = "port add br0 fought type=vhost-user" if (i + n) % 2 else "port del fought"
            p = subprocess.run([hv.program("weftctl"), "--run-dir", hv.run_dir, *verb.split()], text=True,
                               capture_output=True, timeout=20, check=False)
            if p.returncode not in (0, 1) and not p.stderr.strip():
                odd.append(f"{verb}: status {p.returncode}")
            if p.returncode and not p.stderr.strip():
                odd.append(f"{verb}: refused without a word")

    threads = [threading.Thread(target=one, args=(n,)) for n in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    hv.ctl("port del fought", check=False)
    lab.ok(not odd, "two tools at the same port: each is told yes or why not", "\n".join(odd[:5]))
    lab.ok("fought" not in hv.ctl("export").stdout and "fought" not in hv.ctl("show").stdout,
           "and configuration and state agree afterwards")


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, max(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    with Lab("rpc") as lab:
        hv = lab.weftd("sw")
        hv.ctl("bridge add br0")
        for p in ("s1", "s2"):
            hv.ctl(f"port add br0 {p} type=vhost-user")
        s2 = lab.vguest("s2", hv.sock("s2"), "--reflect")
        s1 = lab.vguest("s1", hv.sock("s1"), "--send", "1000", "--dst", mac_of("s2"))
        s1.ready()
        s2.ready()
        lab.ok(s1.grows("returned", 200), "traffic flows before")
        path = management_socket(hv.run_dir)
        before, lost = hv.ctl("export").stdout, s1.now()
        rss = hv.rss_mb()

        for line in BAD_LINES:
            say_badly(path, line)
        lab.ok(hv.proc.alive() and answers(hv), f"{len(BAD_LINES)} kinds of wrong lines")

        say_badly(path, b'{"jsonrpc": "2.0", "method": "show", "params": {"x": "' + b"y" * (10 << 20) + b'"}, "id": 1}')
        lab.ok(hv.proc.alive() and answers(hv), "a line of 10 MB")

        s = dial(path)
        for line in mutations(2000):
            try:
                s.sendall(line + b"\n")
                s.recv(65536)
            except OSError:
                s.close()
                s = dial(path)
        s.close()
        lab.ok(hv.proc.alive() and answers(hv), "2000 requests with parameters of the wrong kinds")

        half = [dial(path) for _ in range(20)]
        for c in half:
            c.sendall(b'{"jsonrpc": "2.0", "me')
        lab.ok(answers(hv), "20 half requests hold up nobody")
        for c in half:
            c.close()

        deaf = dial(path)
        deaf.setblocking(False)
        sent = 0
        try:
            for _ in range(20000):
                sent += deaf.send(b'{"jsonrpc": "2.0", "method": "show", "id": 1}\n')
        except OSError:
            pass
        lab.ok(answers(hv), "a client that asks and never reads holds up nobody")
        deaf.close()

        clients = crowd(path, 1000)
        lab.ok(hv.proc.alive(), "1000 clients at once")
        for c in clients:
            c.close()
        time.sleep(0.5)
        lab.ok(answers(hv), "and the next one is served")

        lab.ok(hv.ctl("export").stdout == before, "the configuration is untouched by all that")
        compete(hv, lab)
        lab.ok(s1.grows("returned", 200), "traffic flows after")
        end = s1.now()
        sent, back = end["tx"][0] - lost["tx"][0], end["returned"] - lost["returned"]
        lab.ok(back >= sent * 0.99, "and flowed all the while", f"{sent} sent, {back} came back")
        lab.ok(hv.rss_mb() < rss + 64, "memory stays bounded", f"{rss:.0f} MB before, {hv.rss_mb():.0f} MB after")
        lab.ok(hv.stop() == 0, "SIGTERM ends weftd with status 0")


if __name__ == "__main__":
    main()
