#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""weftctl and weftd together, as an operator uses them: what was set by hand outlives a restart.

usage: test_restart.py WEFTD WEFTCTL
Runs as root, in directories of its own; opens no network device."""

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile

WEFTD, WEFTCTL = map(os.path.abspath, sys.argv[1:3])
failures = 0


def check(ok, what, log=""):
    global failures
    print(("ok   " if ok else "FAIL ") + what, flush=True)
    if not ok:
        failures += 1
        print("     " + str(log)[:3000].replace("\n", "\n     "), flush=True)


@contextlib.contextmanager
def daemon(top):
    """A weftd that is ready, ended by SIGTERM."""
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    path = os.path.join(top, "notify")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    notify.bind(path)
    notify.settimeout(20)
    with open(top + "/log", "a") as log:
        proc = subprocess.Popen([WEFTD, "--config-dir", top + "/etc", "--run-dir", top + "/run", "--hugepages", "off"],
                                stderr=log, env={**os.environ, "NOTIFY_SOCKET": path})
    try:
        assert notify.recv(100) == b"READY=1"
        yield proc
    finally:
        proc.send_signal(signal.SIGTERM)
        proc.wait(20)
        notify.close()


def ctl(top, *words, **kw):
    return subprocess.run([WEFTCTL, "--run-dir", top + "/run", *words], capture_output=True, text=True,
                          timeout=30, **kw)


def rows(top):
    tables = json.loads(ctl(top, "mac", "show", "br0", "--json").stdout)["tables"]
    return [(m["vlan"], m["mac"], m["port"], m["static"]) for t in tables for m in t["macs"]]


def static_addresses_outlive_a_restart(top):
    with daemon(top):
        for words in (["bridge", "add", "br0"], ["port", "add", "br0", "vm1", "type=vhost-user"],
                      ["port", "add", "br0", "vm2", "type=vhost-user"],
                      ["mac", "add", "br0", "52:54:00:00:00:01", "vm1", "--vlan", "10"],
                      ["mac", "add", "br0", "52:54:00:00:00:02", "vm1"],
                      ["mac", "add", "br0", "52:54:00:00:00:03", "vm2"],
                      ["mac", "del", "br0", "52:54:00:00:00:02"]):
            p = ctl(top, *words)
            check(p.returncode == 0, " ".join(words), p.stderr)
        want = [(0, "52:54:00:00:00:03", "vm2", True), (10, "52:54:00:00:00:01", "vm1", True)]
        check(rows(top) == want, "mac show has them", rows(top))
        p = ctl(top, "mac", "add", "br0", "53:54:00:00:00:01", "vm1")
        check(p.returncode == 1 and "not the address of a station" in p.stderr, "a group address is refused", p.stderr)
        p = ctl(top, "vlan", "set", "vm2", "access", "7")
        check(p.returncode == 1 and "static-macs: 52:54:00:00:00:03: the port does not carry VLAN 0" in p.stderr,
              "a port cannot leave the VLAN of its static address", p.stderr)
        doc = json.loads(ctl(top, "export").stdout)
        check(doc["bridges"]["br0"]["ports"]["vm1"]["static-macs"] == ["10/52:54:00:00:00:01"], "export has them", doc)
    with daemon(top):
        check(rows(top) == want, "after a restart they are there again", rows(top))
        ctl(top, "port", "del", "vm2")
        check(rows(top) == want[1:], "they go with their port", rows(top))


class Controller:
    """Waits for switches on a unix socket and asks each for its datapath id."""

    def __init__(self, path):
        self.path = path
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(4)
        self.listener.settimeout(20)
        self.conns = []

    def message(self, conn, kind):
        """The next one of a kind; others are passed over."""
        while True:
            head = conn.recv(8, socket.MSG_WAITALL)
            _, got, length, _ = struct.unpack("!BBHI", head)
            body = conn.recv(length - 8, socket.MSG_WAITALL) if length > 8 else b""
            if got == kind:
                return body

    def greet(self):
        conn, _ = self.listener.accept()
        conn.settimeout(20)
        self.conns.append(conn)
        conn.sendall(struct.pack("!BBHI", 4, 0, 8, 1) + struct.pack("!BBHI", 4, 5, 8, 2))
        return struct.unpack("!Q", self.message(conn, 6)[:8])[0]

    def close(self):
        for c in self.conns + [self.listener]:
            c.close()
        os.unlink(self.path)


def state_of(top):
    rows = json.loads(ctl(top, "controller", "show", "--json").stdout)["bridges"]
    return {b["bridge"]: b for b in rows}


def controllers_and_datapath_ids_outlive_a_restart(top):
    c = Controller(top + "/c.sock")
    with daemon(top) as proc:
        for words in (["bridge", "add", "br0"], ["bridge", "add", "br1", "datapath-id=00000000000000b1"],
                      ["controller", "set", "br0", f"unix:{top}/c.sock", "--fail-mode", "secure"],
                      ["controller", "set", "br1", f"unix:{top}/c.sock"]):
            p = ctl(top, *words)
            check(p.returncode == 0, " ".join(words), p.stderr)
        ids = {c.greet(), c.greet()}
        rows = state_of(top)
        check(len(ids) == 2 and 0xb1 in ids, "each bridge connects, with an id of its own", ids)
        check({int(b["datapath_id"], 16) for b in rows.values()} == ids, "controller show says the same", rows)
        check(os.path.exists(top + "/run/br0.mgmt"), "there is a socket for local tools")
        ctl(top, "port", "add", "br0", "vm1", "type=vhost-user")
        check(state_of(top)["br0"]["datapath_id"] == rows["br0"]["datapath_id"], "a port more does not change it")
    check(proc.returncode == 0, "the end is clean", proc.returncode)
    check(not os.path.exists(top + "/run/br0.mgmt"), "and the socket is gone")
    with daemon(top):
        check({c.greet(), c.greet()} == ids, "after a restart they connect again, as the same")
        check(state_of(top)["br0"]["fail_mode"] == "secure", "the fail mode is kept")
        c.close()
        c = Controller(top + "/c.sock")
        check({c.greet(), c.greet()} == ids, "to a controller that was restarted as well")
        p = ctl(top, "controller", "del", "br0")
        check(p.returncode == 0, "controller del", p.stderr)
        conns = state_of(top)["br0"]["connections"]
        check(all(r["target"].startswith("punix:") for r in conns), "only the local socket is left", conns)
        ctl(top, "bridge", "del", "br0")
        check(not os.path.exists(top + "/run/br0.mgmt"), "it goes with its bridge")
    c.close()


def rules_can_be_written_by_hand(top):
    with daemon(top):
        for words in (["bridge", "add", "br0"], ["port", "add", "br0", "vm1", "type=vhost-user"],
                      ["port", "add", "br0", "vm2", "type=vhost-user"]):
            ctl(top, *words)
        lines = "".join(f"table={i % 4},priority={i},reg0={i},actions=drop\n" for i in range(5000))
        p = ctl(top, "flow", "add", "br0", "--file", "-", "--bundle", input=lines)
        check(p.returncode == 0, "a bundle of 5,000 rules", p.stderr)
        p = ctl(top, "flow", "table", "dump", "br0")
        check(len(p.stdout.splitlines()) == 5001, "all of them are there", len(p.stdout.splitlines()))
        p = ctl(top, "flow", "add", "br0", "--file", "-", "--bundle", input=lines.replace("table=0", "table=7") + "oops\n")
        check(p.returncode == 1 and "standard input:5001: " in p.stderr, "one with a mistake is refused", p.stderr)
        check(not ctl(top, "flow", "table", "dump", "br0", "7").stdout, "and leaves nothing behind")
        for words, out in ((["group", "add", "br0", "group_id=7,type=all,bucket=output:vm1,bucket=output:vm2"], ""),
                           (["meter", "add", "br0", "meter=3,pktps,band=type=drop,rate=100"], ""),
                           (["flow", "del", "br0"], ""),
                           (["flow", "add", "br0", "in_port=vm1,actions=meter:3,group:7"], ""),
                           (["flow", "table", "dump", "br0", "--names"], "in_port=vm1 actions=meter:3,group:7"),
                           (["group", "dump", "br0", "--names"], "group_id=7,type=all"),
                           (["meter", "dump", "br0", "3"], "meter=3 pktps"),
                           (["trace", "br0", "in_port=vm1"], "not cached"),
                           (["show"], "1 rule"), (["stats", "memory"], "rules 1, groups 1, meters 1"),
                           (["group", "del", "br0", "group_id=7"], ""),
                           (["flow", "table", "dump", "br0"], "")):
            p = ctl(top, *words)
            check(p.returncode == 0 and (out in p.stdout if out else not p.stdout), " ".join(words), p.stdout + p.stderr)


def limit_on_address_space_is_named(top):
    p = subprocess.run(["prlimit", f"--as={200 << 20}", WEFTD, "--config-dir", top + "/etc", "--run-dir", top + "/run",
                        "--hugepages", "off"], capture_output=True, text=True, timeout=30)
    check(p.returncode == 1 and "200 MB of address space only: lift that with 'ulimit -v unlimited'" in p.stderr,
          "too little address space", p.stderr)


def main():
    if os.geteuid() != 0:
        print("skipped: needs root")
        return 77
    for name, test in list(globals().items()):
        if callable(test) and getattr(test, "__code__", None) and test.__code__.co_varnames[:1] == ("top",) and \
                test.__code__.co_argcount == 1 and name not in ("daemon", "ctl", "rows", "state_of"):
            print(f"-- {name.replace('_', ' ')}", flush=True)
            with tempfile.TemporaryDirectory(prefix="weft-c-") as top:
                try:
                    test(top)
                except Exception as e:  # One broken test does not hide the others.
                    check(False, name, repr(e))
    print(f"{failures} failed")
    return 1 if failures else 0


sys.exit(main())
