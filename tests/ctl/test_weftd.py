#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""weftd as its operator meets it: starting, refusing to start, two side by side, signals, restart.

usage: test_weftd.py WEFTD
Runs as root, in directories of its own; opens no network device."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

WEFTD = os.path.abspath(sys.argv[1])
failures = 0


class Daemon:
    """One weftd; it logs into a file, since a pipe that nobody empties would hold it up."""

    def __init__(self, top, *extra, name="w", env=None, config=None, run=None):
        self.config = config or os.path.join(top, name + ".etc")
        self.run = run or os.path.join(top, name + ".run")
        self.sock_path = os.path.join(top, name + ".notify")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.sock_path)
        self.notify.bind(self.sock_path)
        self.log = open(os.path.join(top, name + ".out"), "w+b")
        self.start = time.monotonic()
        self.proc = subprocess.Popen(
            [WEFTD, "--config-dir", self.config, "--run-dir", self.run, "--hugepages", "off", *extra],
            stdout=self.log, stderr=self.log, env={**os.environ, "NOTIFY_SOCKET": self.sock_path})

    def told(self, timeout=10):
        """The next word for the service manager."""
        self.notify.settimeout(timeout)
        return self.notify.recv(100).decode()

    def ready(self):
        assert self.told() == "READY=1"
        self.ready_ms = (time.monotonic() - self.start) * 1000
        return self

    @property
    def lines(self):
        with open(self.log.name, errors="replace") as f:
            return f.read().splitlines()

    def logged(self, text, timeout=10):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if any(text in line for line in self.lines):
                return True
            time.sleep(0.01)
        return False

    def stop(self, sig=signal.SIGTERM):
        self.proc.send_signal(sig)
        rc = self.proc.wait(10)
        self.close()
        return rc

    def fails(self):
        """Status and log of one that cannot start."""
        rc = self.proc.wait(10)
        self.close()
        return rc, "\n".join(self.lines)

    def close(self):
        self.notify.close()
        self.log.close()

    def ask(self, method, **params):
        """One request to its management interface."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(30)
            s.connect(self.run + "/weftd.sock")
            s.sendall((json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}) + "\n").encode())
            return json.loads(s.makefile().readline())

    def write(self, text, name="weft.json"):
        os.makedirs(self.config, exist_ok=True)
        with open(os.path.join(self.config, name), "w") as f:
            f.write(text)


def put(top, name, text, file="weft.json"):
    path = os.path.join(top, name + ".etc")
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, file), "w") as f:
        f.write(text)


def doc(**ports):
    return json.dumps({"version": 1, "bridges": {"br0": {"ports": ports}}})


PORT = {"type": "vhost-user", "mode": "server"}


def check(ok, what, log=""):
    global failures
    print(("ok   " if ok else "FAIL ") + what, flush=True)
    if not ok:
        failures += 1
        text = "\n".join(log) if isinstance(log, list) else str(log)
        print("     " + text[:3000].replace("\n", "\n     "), flush=True)


# --- Tests ---------------------------------------------------------------------------------------


def starts_without_a_configuration_and_ends_cleanly(top):
    d = Daemon(top).ready()
    print(f"     ready after {d.ready_ms:.0f} ms")
    check(os.path.exists(d.run + "/weftd.sock"), "the management socket is there")
    with open(d.run + "/weftd.pid") as f:
        check(int(f.read()) == d.proc.pid, "the lock names the process")
    d.proc.send_signal(signal.SIGTERM)
    check(d.told() == "STOPPING=1", "the service manager is told of the end")
    check(d.stop() == 0, "SIGTERM, twice: status 0", d.lines)
    check(not os.path.exists(d.run + "/weftd.pid") and not os.path.exists(d.run + "/weftd.sock"),
          "neither lock nor socket is left behind", os.listdir(d.run))


def sigint_ends_it_too(top):
    check(Daemon(top).ready().stop(signal.SIGINT) == 0, "SIGINT: status 0")


def second_on_the_same_run_directory_is_refused(top):
    a = Daemon(top, name="a").ready()
    rc, log = Daemon(top, name="b", run=a.run).fails()
    check(rc == 1 and f"another weftd (pid {a.proc.pid}) uses run directory {a.run}" in log,
          "a second weftd on the run directory is refused, by pid", log)
    rc, log = Daemon(top, name="c", config=a.config).fails()
    check(rc == 1 and f"config directory {a.config} is used by another weftd" in log,
          "a second weftd on the config directory is refused", log)
    check(a.stop() == 0, "the first one was not disturbed", a.lines)


def two_run_side_by_side(top):
    put(top, "a", doc(vm1=PORT))
    put(top, "b", doc(vm1=PORT))
    a, b = Daemon(top, name="a").ready(), Daemon(top, name="b").ready()
    for d in (a, b):
        check(os.path.exists(d.run + "/vhost/vm1.sock"), "each has its own guest socket")
    check(a.stop() == 0 and b.stop() == 0, "both end cleanly")


def killed_one_leaves_nothing_in_the_way(top):
    put(top, "a", doc(vm1=PORT))
    a = Daemon(top, name="a").ready()
    a.stop(signal.SIGKILL)
    check(os.path.exists(a.run + "/weftd.pid"), "a killed weftd leaves its files")
    b = Daemon(top, name="a").ready()
    check(b.stop() == 0, "the next one starts over them", b.lines)


def unusable_directories_are_named(top):
    rc, log = Daemon(top, run=top + "/no/such/dir").fails()
    check(rc == 1 and f"run directory {top}/no/such/dir is missing and cannot be created" in log, "run directory", log)
    rc, log = Daemon(top, config=top + "/no/such/dir").fails()
    check(rc == 1 and f"config directory {top}/no/such/dir is missing and cannot be created" in log,
          "config directory", log)
    with open(top + "/file", "w"):
        pass
    rc, log = Daemon(top, run=top + "/file").fails()
    check(rc == 1 and "is not a directory" in log, "a file in its place", log)
    rc, log = Daemon(top, run=top + "/" + "x" * 90).fails()
    check(rc == 1 and "too long for sockets" in log, "a path that no socket fits", log)


def wrong_cpus_are_named(top):
    rc, log = Daemon(top, "--lcores", "4095").fails()
    check(rc == 1 and "there is no CPU 4095 that this process may use" in log, "a CPU that is not there", log)
    rc, log = Daemon(top, "--lcores", "0-").fails()
    check(rc == 1 and "'0-' is no list of CPUs" in log, "half a range", log)


def missing_memory_is_told_in_figures(top):
    put(top, "w", json.dumps({"datapath": {"mbufs": 4194304, "max-flows": 1024}}))
    with open("/proc/meminfo") as f:
        available = next(int(line.split()[1]) for line in f if line.startswith("MemAvailable"))
    if available >> 20 > 16:
        # More memory than the largest document can ask for: hugepages are scarce instead.
        rc, log = Daemon(top, "--hugepages", "on").fails()
        check(rc == 1 and "not enough hugepages: packet buffers take" in log and "MB are missing" in log,
              "how many hugepages are missing", log)
    else:
        rc, log = Daemon(top).fails()
        check(rc == 1 and "not enough memory: packet buffers take" in log and "MB are missing" in log,
              "how much memory is missing", log)


def usage_errors_have_status_2(top):
    for args, text in (["--lcore", "1", "--config-dri", "x"], "--config-dri': did you mean '--config-dir'"), \
                      (["--hugepages=onn"], "did you mean 'on'"), (["--run-dir"], "needs a value"), \
                      (["surplus"], "unexpected word 'surplus'"), (["--log-level", "inof"], "did you mean 'info'"):
        p = subprocess.run([WEFTD, *args], capture_output=True, text=True)
        check(p.returncode == 2 and text in p.stderr, f"usage: {' '.join(args)}", p.stderr)
    p = subprocess.run([WEFTD, "--help"], capture_output=True, text=True)
    check(p.returncode == 0 and max(map(len, p.stdout.split("\n"))) <= 80, "--help fits 80 columns")
    p = subprocess.run([WEFTD, "--version"], capture_output=True, text=True)
    check(p.returncode == 0 and p.stdout.startswith("weftd "), "--version")


def broken_configuration_is_refused_and_the_last_good_one_taken(top):
    good = doc(vm1=PORT)
    put(top, "w", good, "weft.json.prev")
    put(top, "w", good[:-3])
    etc = top + "/w.etc"
    rc, log = Daemon(top).fails()
    check(rc == 1 and f"weft.json is unreadable: {etc}/weft.json:1:" in log, "line and column", log)
    check(f"the last good one is {etc}/weft.json.prev; start with --use-previous, or restore it with: "
          f"cp {etc}/weft.json.prev {etc}/weft.json" in log, "the last good one is offered", log)
    d = Daemon(top, "--use-previous").ready()
    check(os.path.exists(d.run + "/vhost/vm1.sock"), "--use-previous starts from it")
    check(d.stop() == 0, "and ends cleanly", d.lines)
    d = Daemon(top).ready()
    check(d.stop() == 0, "afterwards it starts as usual", d.lines)
    put(top, "w", doc(vm1={"type": "vhost-usr"}))
    rc, log = Daemon(top).fails()
    check(rc == 1 and "bridges.br0.ports.vm1: unknown type 'vhost-usr': did you mean 'vhost-user'?" in log,
          "a document that says nonsense", log)
    check("the last good one is" in log, "and there, too, the last good one is offered", log)
    put(top, "w", json.dumps({"datapath": {"isa": "x86-64-v9"}}))
    rc, log = Daemon(top).fails()
    check(rc == 1 and "isa: 'x86-64-v9' is unknown" in log and "the last good one is" in log,
          "so it is for an instruction set that does not exist", log)
    put(top, "w", doc(vm1={**PORT, "tagg": 1}), "weft.json.prev")
    rc, log = Daemon(top).fails()
    check(rc == 1 and "the last good one is" not in log, "a previous document that means nothing is not offered", log)


def check_config_judges_without_starting(top):
    put(top, "w", doc(vm1=PORT))
    args = [WEFTD, "--config-dir", top + "/w.etc", "--check-config"]
    p = subprocess.run(args, capture_output=True, text=True)
    check(p.returncode == 0 and "weft.json: good" in p.stdout, "--check-config: good", p.stderr)
    put(top, "w", doc(vm1={**PORT, "tagg": 1}))
    p = subprocess.run(args, capture_output=True, text=True)
    check(p.returncode == 1 and "did you mean 'tag'" in p.stderr, "--check-config: not good", p.stderr)
    check("last good one" not in p.stderr, "--check-config: offers nothing where there is nothing", p.stderr)
    put(top, "w", doc(vm1=PORT), "weft.json.prev")
    p = subprocess.run(args, capture_output=True, text=True)
    check("the last good one is" in p.stderr, "--check-config: offers the last good one", p.stderr)


def sighup_applies_the_file_and_ignores_a_broken_one(top):
    log_file = top + "/log"
    put(top, "w", doc(vm1=PORT))
    d = Daemon(top, "--log-file", log_file).ready()

    def logged(text):
        end = time.monotonic() + 10
        while time.monotonic() < end:
            with contextlib.suppress(FileNotFoundError), open(log_file) as f:
                if text in f.read():
                    return True
            time.sleep(0.01)
        return False

    d.write(doc(vm1=PORT, vm2=PORT))
    d.proc.send_signal(signal.SIGHUP)
    check(logged("SIGHUP: weft.json is in effect"), "SIGHUP applies the file")
    check(os.path.exists(d.run + "/vhost/vm2.sock"), "a port that is new in it is there")
    os.rename(log_file, log_file + ".1")
    d.write("{ broken")
    d.proc.send_signal(signal.SIGHUP)
    check(logged("SIGHUP: ignored"), "a broken file is told, in the log that was opened anew")
    check(os.path.exists(d.run + "/vhost/vm2.sock"), "and changes nothing")
    d.write(doc(vm1={**PORT, "tagg": 1}))
    d.proc.send_signal(signal.SIGHUP)
    check(logged("did you mean 'tag'"), "so is one that says nonsense")
    d.ask("port.del", port="vm1")
    with open(d.config + "/weft.json.unused") as f:
        check("tagg" in f.read(), "which is put aside by the next change, not lost")
    with contextlib.suppress(FileNotFoundError), open(d.config + "/weft.json.prev") as f:
        check("tagg" not in f.read(), "nor is it taken for a good one")
    check(d.stop() == 0, "SIGTERM: status 0")


def port_that_cannot_open_is_no_reason_not_to_start(top):
    put(top, "w", doc(vm1=PORT, x={"type": "dpdk", "devargs": "net_nonsense0"}))
    d = Daemon(top).ready()
    check(d.logged("port x: down:"), "the port is down with its reason", d.lines)
    check(os.path.exists(d.run + "/vhost/vm1.sock"), "the others work")
    check(d.stop() == 0, "SIGTERM: status 0")


def every_log_line_is_one_line(top):
    put(top, "w", doc(vm1=PORT))
    d = Daemon(top).ready()
    d.stop()
    bad = [line for line in d.lines if line[:2] != "20"]
    check(not bad, "each line starts with its time, DPDK's as well", bad)


def killed_at_any_instant_it_starts_from_what_it_answered(top):
    d = Daemon(top).ready()
    d.ask("bridge.add", bridge="br0")
    known = 0
    for i in range(8):
        # Changes from several sides; the kill falls somewhere into them.
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(d.run + "/weftd.sock")
            for n in range(20):
                s.sendall((json.dumps({"jsonrpc": "2.0", "id": n, "method": "bridge.set", "params": {
                    "bridge": "br0", "options": {"mac-age": 100 + i * 20 + n}}}) + "\n").encode())
            lines = s.makefile()
            for _ in range(3 + 2 * i):
                reply = json.loads(lines.readline())
                assert "result" in reply, reply
                known = 100 + i * 20 + reply["id"]
            d.proc.kill()
        d.stop(signal.SIGKILL)
        d = Daemon(top).ready()
        age = d.ask("show")["result"]["bridges"][0]["mac_age"]
        if not known <= age <= 100 + i * 20 + 19:
            check(False, f"round {i}: mac-age {age}, answered up to {known}")
            break
    else:
        check(True, "what was answered is there after kill -9, 8 times")
    check(d.stop() == 0, "SIGTERM: status 0")


def thousand_ports_are_one_change(top):
    d = Daemon(top).ready()
    ports = {f"vm{i}": PORT for i in range(1000)}
    t = time.monotonic()
    reply = d.ask("config.apply", document=json.loads(doc(**ports)))
    check("result" in reply, f"1000 ports applied in {time.monotonic() - t:.1f} s", reply)
    t = time.monotonic()
    ports["vm7"] = {**PORT, "tag": 7}
    reply = d.ask("config.apply", document=json.loads(doc(**ports)))
    check("result" in reply, f"one of them changed in {(time.monotonic() - t) * 1000:.0f} ms", reply)
    ports = {f"vm{i}": PORT for i in range(16400)}
    reply = d.ask("config.apply", document=json.loads(doc(**ports)))
    check("more than 16383 ports" in str(reply.get("error")), "more than fit are refused", reply)
    check(d.stop() == 0, "SIGTERM: status 0")


def idle_threads_sleep(top):
    """A thread that polls makes millions of turns a second; one that sleeps makes a few.  What that costs is for
    tests/bench/footprint.py to say."""
    put(top, "w", doc(vm1=PORT))
    d = Daemon(top).ready()

    def pmd():
        return d.ask("stats")["result"]["pmd"][0]

    # A thread that has just started polls for a while first: the first quiet second will do, of ten.
    for _ in range(10):
        before = pmd()
        time.sleep(1)
        after = pmd()
        turns, sleeps = (after[k] - before[k] for k in ("turns", "sleeps"))
        if sleeps > 0 and turns < 10000:
            break
    check(sleeps > 0 and turns < 10000, f"idle: {turns} turns and {sleeps} sleeps in a second", after)
    check(d.stop() == 0, "SIGTERM: status 0")


def main():
    if os.geteuid() != 0:
        print("skipped: needs root")
        return 77
    for name, test in list(globals().items()):
        if callable(test) and getattr(test, "__code__", None) and test.__code__.co_varnames[:1] == ("top",) and \
                test.__code__.co_argcount == 1:
            print(f"-- {name.replace('_', ' ')}", flush=True)
            with tempfile.TemporaryDirectory(prefix="weft-d-") as top:
                try:
                    test(top)
                except Exception as e:  # One broken test does not hide the others.
                    check(False, name, repr(e))
    print(f"{failures} failed")
    return 1 if failures else 0


sys.exit(main())
