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
                test.__code__.co_argcount == 1 and name not in ("daemon", "ctl", "rows"):
            print(f"-- {name.replace('_', ' ')}", flush=True)
            with tempfile.TemporaryDirectory(prefix="weft-c-") as top:
                try:
                    test(top)
                except Exception as e:  # One broken test does not hide the others.
                    check(False, name, repr(e))
    print(f"{failures} failed")
    return 1 if failures else 0


sys.exit(main())
