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


def throw(path, data):
    """Sends what the peer may refuse at any byte, and hangs up."""
    try:
        with dial(path) as s:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            while s.recv(65536):
                pass
    except OSError:
        pass


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
    methods = ["show", "version", "bridge.list", "bridge.add", "bridge.del", "bridge.set", "port.add", "port.del",
               "port.set", "port.list", "tunnel.add", "tunnel.set", "tunnel.del", "tunnel.list", "tunnel.refused", "vlan.set", "vlan.show",
               "mac.show", "mac.flush", "mac.add", "mac.del", "flow.dump", "flow.table.dump", "flow.add", "flow.mod",
               "flow.del", "group.dump", "group.add", "group.mod", "group.del", "meter.dump", "meter.add", "meter.mod",
               "meter.del", "controller.set", "controller.del", "controller.show", "ofmsg.tail", "trace", "stats",
               "config.apply", "config.diff", "config.export", "no.such.method"]
    names = ["name", "bridge", "port", "options", "type", "document", "mac", "vlan", "generation", "flows", "groups",
             "meters", "targets", "match", "flow", "packet", "in-port", "cursor", "limit", "count", "more", "table"]
    values = [None, True, -1, 2**63 - 1, 1e300, "", "x" * 300, "../../etc/passwd", "\0", [], [[]], {"": {}},
              {"type": "vhost-user", "tag": -1}, {"version": 1, "bridges": {"": {}}}, {"bridges": []}]
    for n in range(rounds):
        params = {rnd.choice(names): rnd.choice(values) for _ in range(rnd.randrange(4))}
        yield {"jsonrpc": "2.0", "method": rnd.choice(methods), "params": params, "id": n}


def not_answered(path, requests):
    """Asks one after the other; returns what got anything but one answer with its id: a result or an error."""
    bad = []
    with dial(path, 5.0) as s, s.makefile("rb") as lines:
        for q in requests:
            line = json.dumps(q)
            # Of what is no text for us, nothing is understood, the id neither.
            ident = None if "\\u0000" in line else q["id"]
            s.sendall(line.encode() + b"\n")
            try:
                answer = json.loads(lines.readline())
            except (OSError, ValueError) as e:
                return [*bad, f"{q}: {e!r}"]
            if answer.get("id") != ident or ("result" in answer) == ("error" in answer):
                bad.append(f"{q}: {answer}")
    return bad


def garbage(rounds):
    """What no OpenFlow client says: noise, headers with any length, noise after a HELLO."""
    rnd = random.Random(4711)
    hello = bytes([4, 0, 0, 8, 0, 0, 0, 1])
    for n in range(rounds):
        noise = rnd.randbytes(rnd.randrange(1, 2000))
        header = bytes([4, rnd.randrange(40)]) + rnd.randrange(65536).to_bytes(2, "big") + bytes(4)
        yield (noise, header + noise, hello + noise, hello + header + noise)[n % 4]


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
        path = os.path.join(hv.run_dir, "weftd.sock")
        before, lost = hv.ctl("export").stdout, s1.now()
        rss = hv.rss_mb()

        for line in BAD_LINES:
            say_badly(path, line)
        lab.ok(hv.proc.alive() and answers(hv), f"{len(BAD_LINES)} kinds of wrong lines")

        say_badly(path, b'{"jsonrpc": "2.0", "method": "show", "params": {"x": "' + b"y" * (10 << 20) + b'"}, "id": 1}')
        lab.ok(hv.proc.alive() and answers(hv), "a line of 10 MB")

        bad = not_answered(path, mutations(2000))
        lab.ok(not bad and hv.proc.alive() and answers(hv), "2000 requests with parameters of the wrong kinds",
               "\n".join(bad[:5]))

        mgmt = os.path.join(hv.run_dir, "br0.mgmt")
        for data in [*BAD_LINES, *garbage(200)]:
            throw(mgmt, data)
        lab.ok(hv.proc.alive() and answers(hv), "garbage at a bridge's OpenFlow socket")

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
