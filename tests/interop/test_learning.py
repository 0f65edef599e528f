#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Learning switches that others wrote: ovs-testcontroller, and os-ken's applications in 1.0, 1.3 and 1.4.

Three hosts ping each other through whatever the controller on 127.0.0.1 of the switch's namespace decides (drawing in
peers.py)."""
import os
import shutil
import socket
import subprocess
import sys

from peers import Cases, HERE, Lab, PYTHON, inside, switch, wait_for


def listening(sw, port):
    def there():
        try:
            with inside(sw.ns):
                socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            return False
    return there


def all_ping(sw):
    """How many of the six pairs could not talk."""
    for h in sw.hosts:
        h.forget()
    lost = []
    for a in sw.hosts:
        for b in sw.hosts:
            if a is not b and not a.reaches(b):
                lost.append(f"{a.n}->{b.n}")
    return lost


def testcontroller(sw, version, port, *options):
    ctl = os.path.join(sw.run_dir, f"tc-{port}.ctl")
    proc = sw.lab.spawn(f"testcontroller-{version}-{port}", ["ovs-testcontroller", "-O", version, *options,
                                                          f"ptcp:{port}:127.0.0.1", f"--unixctl={ctl}"], ns=sw.ns,
                        env=dict(os.environ, OVS_RUNDIR=sw.run_dir))
    wait_for("ovs-testcontroller", listening(sw, port), 10)
    return proc


def with_testcontroller(sw, version, mark):
    proc = testcontroller(sw, version, 6653)
    sw.set_controllers(["tcp:127.0.0.1:6653"])
    wait_for("a connection", sw.connected, 10)
    lost = all_ping(sw)
    assert not lost, f"no answers: {lost}"
    flows = [x for x in sw.flows("OpenFlow13") if mark in x]
    assert len(flows) >= 6, f"rules: {flows}"
    # What the rules do is what the controller's flows do: more of it without the controller.
    proc.stop()
    assert sw.hosts[0].reaches(sw.hosts[1]), "in secure mode the rules stay"
    sw.reset()


def testcontroller_10(sw):
    """ovs-testcontroller in 1.0: hosts talk, exact rules with idle 60 s"""
    with_testcontroller(sw, "OpenFlow10", "idle_timeout=60")


def testcontroller_13(sw):
    """ovs-testcontroller in 1.3: its priority-0 rule reports NO_MATCH"""
    with_testcontroller(sw, "OpenFlow13", "idle_timeout=60")


def testcontroller_14(sw):
    """ovs-testcontroller in 1.4"""
    with_testcontroller(sw, "OpenFlow14", "idle_timeout=60")


def testcontroller_hub(sw):
    """ovs-testcontroller --hub and --noflow: FLOOD without rules"""
    for n, option in enumerate(("--hub", "--noflow")):
        proc = testcontroller(sw, "OpenFlow10", 6660 + n, option)
        sw.set_controllers([f"tcp:127.0.0.1:{6660 + n}"])
        wait_for("a connection", sw.connected, 10)
        lost = all_ping(sw)
        assert not lost, f"{option}: no answers: {lost}"
        proc.stop()
        sw.reset()


def failover(sw):
    """a controller dies and comes back: hosts talk again"""
    proc = testcontroller(sw, "OpenFlow13", 6653)
    sw.set_controllers(["tcp:127.0.0.1:6653"], backoff_ms=1000)
    wait_for("a connection", sw.connected, 10)
    assert not all_ping(sw)
    proc.kill()
    sw.ofctl("del-flows BR", "OpenFlow13")
    wait_for("a lost connection", lambda: not sw.connected(), 10)
    proc = testcontroller(sw, "OpenFlow13", 6653)
    wait_for("a new connection", sw.connected, 10)
    lost = all_ping(sw)
    assert not lost, f"no answers after the restart: {lost}"
    proc.stop()
    sw.reset()


def osken(sw, version, port, app=None):
    app = app or os.path.join(HERE, "apps", "learning.py")
    env = dict(os.environ, LEARNING_VERSION=version, PYTHONDONTWRITEBYTECODE="1", PYTHONWARNINGS="ignore")
    proc = sw.lab.spawn(f"osken-{version}-{port}", [PYTHON, shutil.which("osken-manager"), "--ofp-listen-host", "127.0.0.1",
                                             "--ofp-tcp-listen-port", str(port), "--verbose", app], ns=sw.ns, env=env)
    wait_for("osken-manager", lambda: proc.alive() and listening(sw, port)(), 20)
    return proc


def no_osken():
    if not shutil.which("osken-manager"):
        return "osken-manager is not installed"
    p = subprocess.run([PYTHON, "-c", "import os_ken.app"], capture_output=True, text=True)
    return p.stderr.strip().splitlines()[-1] if p.returncode else None


def with_osken(sw, version, port):
    if no_osken():
        return no_osken()
    proc = osken(sw, version, port)
    sw.set_controllers([f"tcp:127.0.0.1:{port}"])
    wait_for("a connection", sw.connected, 10)
    lost = all_ping(sw)
    assert not lost, f"no answers: {lost}"
    flows = [x for x in sw.flows("OpenFlow13") if "dl_dst=02:00:00:00:00" in x]
    assert len(flows) == 6, f"rules: {flows}"
    text = open(proc.log, errors="replace").read()
    assert "Traceback" not in text and "EVENT ofp_event->Learning%s EventOFPErrorMsg" % version not in text, proc.tail(30)
    proc.stop()
    sw.reset()
    return None


def osken_10(sw):
    """os-ken, a learning switch of 1.0"""
    return with_osken(sw, "10", 6671)


def osken_13(sw):
    """os-ken, a learning switch of 1.3"""
    return with_osken(sw, "13", 6672)


def osken_14(sw):
    """os-ken, a learning switch of 1.4"""
    return with_osken(sw, "14", 6673)


def osken_rest(sw):
    """os-ken's own ofctl REST-like queries: every statistics message decodes"""
    if no_osken():
        return no_osken()
    out = os.path.join(sw.run_dir, "decoded")
    env = dict(os.environ, ASK_OUT=out, PYTHONDONTWRITEBYTECODE="1", PYTHONWARNINGS="ignore")
    for n, version in enumerate(("10", "13", "14", "15")):
        if os.path.exists(out):
            os.unlink(out)
        port = 6680 + n
        env["ASK_VERSION"] = version
        proc = sw.lab.spawn(f"osken-ask-{version}", [PYTHON, shutil.which("osken-manager"), "--ofp-listen-host", "127.0.0.1",
                                              "--ofp-tcp-listen-port", str(port), os.path.join(HERE, "apps", "ask.py")],
                            ns=sw.ns, env=env)
        wait_for("osken-manager", lambda: proc.alive() and listening(sw, port)(), 20)
        sw.set_controllers([f"tcp:127.0.0.1:{port}"])
        wait_for(f"answers in {version}", lambda: os.path.exists(out), 10)
        text = open(out).read()
        assert text.startswith("all"), f"1.{version[1]}: {text}\n{proc.tail(20)}"
        proc.stop()
        sw.set_controllers([])
    sw.reset()
    return None


CASES = (testcontroller_10, testcontroller_13, testcontroller_14, testcontroller_hub, failover, osken_10, osken_13, osken_14, osken_rest)


def main():
    with Lab("interop-learning") as lab:
        sw = switch(lab, "learning", 3)
        Cases(lab, sw).run(CASES)


if __name__ == "__main__":
    sys.exit(main())
