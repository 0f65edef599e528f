#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the golden messages anew: what the ovs-ofctl of this machine sends, and what it says about it.

Runs commands against a socket behind which nobody switches anything; writes to OUTPUT for each message a line of hex and
the lines of `ovs-ofctl ofp-print`, with a blank line behind.  Not part of the tests: they read what it made.

usage: make.py COMMANDS OUTPUT
"""
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading

SKIP = {0, 2, 3, 5}                     # HELLO, ECHO and FEATURES are the same each time.


class Switch(threading.Thread):
    """Answers whatever lets ovs-ofctl go on, and keeps what it was sent."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(path)
        self.sock.listen(8)
        self.got = []

    def run(self):
        while True:
            conn, _ = self.sock.accept()
            try:
                self.serve(conn)
            except (OSError, EOFError):
                pass
            conn.close()

    @staticmethod
    def take(conn, n):
        data = b""
        while len(data) < n:
            more = conn.recv(n - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def serve(self, conn):
        while True:
            head = self.take(conn, 8)
            version, kind, length, xid = struct.unpack("!BBHI", head)
            body = self.take(conn, length - 8)
            if kind not in SKIP:
                self.got.append(head + body)
            self.answer(conn, version, kind, xid, body)

    @staticmethod
    def answer(conn, version, kind, xid, body):
        def say(k, b=b""):
            conn.sendall(struct.pack("!BBHI", version, k, 8 + len(b), xid) + b)

        stats = 16 if version == 1 else 18
        if kind == 0:
            say(0)
        elif kind == 2:
            say(3, body)
        elif kind == 5:
            port = b""
            if version == 1:
                port = struct.pack("!H6s16s6I", 1, b"\2\0\0\0\0\1", b"p1", *[0] * 6)
            elif version < 4:
                port = struct.pack("!I4x6s2x16s8I", 1, b"\2\0\0\0\0\1", b"p1", *[0] * 8)
            say(6, struct.pack("!QIBB2xII", 1, 256, 254, 0, 0xc7, 0xfff) + port)
        elif kind == 7:
            say(8, struct.pack("!HH", 0, 0))
        elif kind == stats and body[:2] == b"\0\x0d":
            n = {1: "!H6s16s6I", 2: "!I4x6s2x16s8I", 3: "!I4x6s2x16s8I", 4: "!I4x6s2x16s8I"}
            if version in n:
                rest = [0] * (6 if version == 1 else 8)
                port = struct.pack(n[version], 1, b"\2\0\0\0\0\1", b"p1", *rest)
            else:
                port = struct.pack("!IH2x6s2x16sII", 1, 40, b"\2\0\0\0\0\1", b"p1", 0, 0)
            say(stats + 1, body[:(4 if version == 1 else 8)] + port)
        elif kind == stats and body[:2] == b"\0\x0c":
            props = b"".join(struct.pack("!HH4x", t, 4) for t in (0, 2, 4, 6, 8, 10, 12, 14))
            say(stats + 1, body[:8] + struct.pack("!HB5x32sQQII", 64 + len(props), 0, b"t", 0, 0, 0, 9) + props)
        elif kind == stats:
            head = 4 if version == 1 else 8
            say(stats + 1, body[:16] if body[:2] == b"\xff\xff" else body[:head])
        elif kind == (18 if version == 1 else 20):
            say(kind + 1)
        elif kind == 33 and version >= 5:
            say(33, body[:4] + struct.pack("!HH", struct.unpack("!H", body[4:6])[0] + 1, 0))
        elif kind == 4 and body[:8] == b"\x4f\x4e\x46\x00" + struct.pack("!I", 2300):
            say(4, body[:12] + struct.pack("!HH", struct.unpack("!H", body[12:14])[0] + 1, 0))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    directory = tempfile.mkdtemp()
    path = os.path.join(directory, "br0.mgmt")
    switch = Switch(path)
    switch.start()
    seen = set()
    with open(sys.argv[1], encoding="ascii") as commands, open(sys.argv[2], "w", encoding="ascii") as out:
        for line in commands:
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            version, command, *rest = line.split(" ", 2)
            args = [r for r in rest[0].split(" | ")] if rest else []
            for v in version.split(","):
                switch.got.clear()
                why = ovs_ofctl(v, command, path, args)
                if why and not switch.got:
                    print(f"{v} {line}: {why}", file=sys.stderr)
                for data in list(switch.got):
                    key = data[:4] + data[8:]
                    if key in seen:
                        continue
                    seen.add(key)
                    said = subprocess.run(["ovs-ofctl", "ofp-print", data.hex()], capture_output=True, text=True, check=True)
                    out.write(f"{data.hex()}\n{said.stdout.strip()}\n\n")


def ovs_ofctl(v, command, path, args):
    """Runs it for a second at most: some commands wait for more.  What it complained about."""
    proc = subprocess.Popen(["ovs-ofctl", "-O", "OpenFlow" + v, *command.split("+"), f"unix:{path}", *args],
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        return proc.communicate(timeout=1)[1].strip()
    except subprocess.TimeoutExpired:
        proc.kill()
        proc.communicate()
        return None


main()
