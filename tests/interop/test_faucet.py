#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""FAUCET and Gauge, unmodified: FAUCET programs VLANs, an ACL with a meter, and routing; Gauge polls statistics beside it.

   h1, h2: VLAN office, 10.0.0.0/24        h3: VLAN guest, 10.0.1.0/24        FAUCET routes between them as .254

The programs come from PyPI into build/venv; without a way there the test is skipped and says so."""
import os
import subprocess
import sys

from peers import BUILD, Cases, Lab, LabError, switch, udp_frame, wait_for
from test_learning import listening

VENV = os.path.join(BUILD, "venv")
FAUCET = "faucet==1.10.11"

CONFIG = """
acls:
  limited:
  - rule: {{dl_type: 0x800, nw_proto: 17, udp_dst: 9999, actions: {{allow: 0}}}}
  - rule: {{dl_type: 0x800, nw_proto: 17, udp_dst: 8888, actions: {{meter: slow, allow: 1}}}}
  - rule: {{actions: {{allow: 1}}}}
meters:
  slow: {{meter_id: 1, entry: {{flags: [KBPS], bands: [{{type: DROP, rate: 10000}}]}}}}
vlans:
  office: {{vid: 100, faucet_mac: "0e:00:00:00:00:64", faucet_vips: ["10.0.0.254/24"]}}
  guest: {{vid: 200, faucet_mac: "0e:00:00:00:00:c8", faucet_vips: ["10.0.1.254/24"]}}
routers:
  between: {{vlans: [office, guest]}}
dps:
  sw1:
    dp_id: {dpid}
    hardware: "Open vSwitch"
    timeout: 3600
    interfaces:
      1: {{native_vlan: office, acl_in: limited}}
      2: {{native_vlan: office}}
      3: {{native_vlan: guest}}
"""

GAUGE = """
faucet_configs: ["{dir}/faucet.yaml"]
watchers:
  ports: {{dps: [sw1], type: port_stats, interval: 1, db: ports}}
  state: {{dps: [sw1], type: port_state, db: state}}
  flows: {{dps: [sw1], type: flow_table, interval: 2, db: flows}}
  meters: {{dps: [sw1], type: meter_stats, interval: 1, db: meters}}
dbs:
  ports: {{type: text, file: "{dir}/ports.txt"}}
  state: {{type: text, file: "{dir}/state.txt"}}
  flows: {{type: text, path: "{dir}/flows"}}
  meters: {{type: text, file: "{dir}/meters.txt"}}
"""


def install():
    """None, or why FAUCET is not to be had."""
    program = os.path.join(VENV, "bin", "osken-manager")
    done = os.path.join(VENV, "done")
    if os.path.exists(done) and os.path.exists(program):
        return None
    why = "no Python that can make a virtual environment"
    for python in (sys.executable, "/usr/bin/python3"):
        p = subprocess.run([python, "-m", "venv", "--clear", VENV], capture_output=True, text=True, timeout=120)
        if p.returncode == 0:
            break
        why = (p.stdout + p.stderr).strip().splitlines()[-1]
    else:
        return why
    # FAUCET's way of building itself needs a setuptools with pkg_resources.
    constraint = os.path.join(VENV, "constraint.txt")
    with open(constraint, "w", encoding="ascii") as f:
        f.write("setuptools<70\n")
    try:
        p = subprocess.run([os.path.join(VENV, "bin", "pip"), "install", "-q", "--retries", "1", "--timeout", "20", FAUCET],
                           capture_output=True, text=True, timeout=180, env=dict(os.environ, PIP_CONSTRAINT=constraint))
    except subprocess.TimeoutExpired:
        return "pip took too long"
    if p.returncode:
        return "pip could not install it: " + (p.stderr.strip().splitlines() or ["no reason given"])[-1][:200]
    with open(done, "w", encoding="ascii") as f:
        f.write(FAUCET + "\n")
    return None


def run_app(sw, name, port, app):
    d = sw.run_dir
    env = dict(os.environ, FAUCET_CONFIG=f"{d}/faucet.yaml", FAUCET_LOG=f"{sw.lab.logs}/faucet.txt",
               FAUCET_EXCEPTION_LOG=f"{sw.lab.logs}/faucet.exc", GAUGE_CONFIG=f"{d}/gauge.yaml",
               GAUGE_LOG=f"{sw.lab.logs}/gauge.txt", GAUGE_EXCEPTION_LOG=f"{sw.lab.logs}/gauge.exc",
               FAUCET_PROMETHEUS_ADDR="127.0.0.1", FAUCET_PROMETHEUS_PORT=str(port + 1000), FAUCET_EVENT_SOCK="0",
               GAUGE_PROMETHEUS_ADDR="127.0.0.1", PYTHONDONTWRITEBYTECODE="1", PYTHONWARNINGS="ignore")
    proc = sw.lab.spawn(name, [os.path.join(VENV, "bin", "osken-manager"), "--ofp-listen-host", "127.0.0.1",
                               "--ofp-tcp-listen-port", str(port), app], ns=sw.ns, env=env)

    def up():
        if not proc.alive():
            raise LabError(f"{name} ended:\n{proc.tail()}")
        return listening(sw, port)()
    wait_for(name, up, 30)
    return proc


def dpid(sw):
    out = sw.ofctl("show BR", "OpenFlow13").stdout
    return "0x" + out.split("dpid:")[1].split()[0]


def start(sw):
    os.makedirs(f"{sw.run_dir}/flows", exist_ok=True)
    with open(f"{sw.run_dir}/faucet.yaml", "w", encoding="ascii") as f:
        f.write(CONFIG.format(dpid=dpid(sw)))
    with open(f"{sw.run_dir}/gauge.yaml", "w", encoding="ascii") as f:
        f.write(GAUGE.format(dir=sw.run_dir))
    h3 = sw.hosts[2]
    sw.lab.ip(h3.ns, f"addr del {h3.ip}/24 dev eth0")
    h3.ip = "10.0.1.3"
    sw.lab.ip(h3.ns, f"addr add {h3.ip}/24 dev eth0")
    for h, gw in ((sw.hosts[0], "10.0.0.254"), (sw.hosts[1], "10.0.0.254"), (h3, "10.0.1.254")):
        sw.lab.ip(h.ns, f"route add default via {gw}")
    sw.faucet = run_app(sw, "faucet", 6663, "faucet.faucet")
    sw.gauge = run_app(sw, "gauge", 6664, "faucet.gauge")
    sw.set_controllers(["tcp:127.0.0.1:6663", "tcp:127.0.0.1:6664"])


def text(sw, name):
    path = os.path.join(sw.lab.logs, name)
    return open(path, errors="replace").read() if os.path.exists(path) else ""


def programs(sw):
    """FAUCET provisions the switch: tables, rules, the meter, no error"""
    start(sw)
    wait_for("FAUCET's word that the switch is up", lambda: "Configuring" in text(sw, "faucet.txt"), 15)
    wait_for("rules", lambda: len(sw.flows("OpenFlow13")) > 30, 15)
    assert "meter=1" in sw.ofctl("dump-meters BR", "OpenFlow13").stdout


def switches(sw):
    """hosts of one VLAN talk, and FAUCET learns them"""
    a, b, _ = sw.hosts
    assert a.reaches(b, 10) and b.reaches(a, 5)
    assert a.ping(b, 5) == 5
    wait_for("learnt addresses", lambda: sum(f"dl_dst={h.mac}" in x for x in sw.flows("OpenFlow13") for h in (a, b)) >= 2, 5)


def routes(sw):
    """FAUCET answers for its own addresses and routes between VLANs"""
    a, _, d = sw.hosts
    gateway = type("Gateway", (), {"ip": "10.0.0.254"})
    assert a.reaches(gateway, 10), "FAUCET does not answer"
    gateway.ip = "10.0.1.254"
    assert d.reaches(gateway, 10), "FAUCET does not answer"
    assert a.reaches(d, 15), "no route between the VLANs"
    assert a.ping(d, 5) >= 4


def filters(sw):
    """the ACL drops what it is to drop, the metered passes"""
    a, b, _ = sw.hosts
    for h in sw.hosts:
        h.drain()
    good, bad = udp_frame(a, b, 5, 8888), udp_frame(a, b, 5, 9999)
    a.send(bad)
    a.send(good)
    head = good[:38]
    assert b.recv(lambda f: f[:38] == head), "what the meter lets through"
    assert b.recv(lambda f: f[:38] == bad[:38], 0.2) is None, "what the ACL drops"


def gauge(sw):
    """Gauge polls ports, flows and meters beside FAUCET"""
    for what in ("ports.txt", "meters.txt"):
        path = f"{sw.run_dir}/{what}"
        wait_for(what, lambda p=path: os.path.exists(p) and os.path.getsize(p) > 0, 15)
    wait_for("port counters", lambda: "packets-in" in open(f"{sw.run_dir}/ports.txt").read(), 10)
    wait_for("flows", lambda: os.listdir(f"{sw.run_dir}/flows"), 10)


def port_down(sw):
    """a link that goes and comes back is seen, and hosts talk again"""
    a, b, _ = sw.hosts
    sw.lab.ip(b.ns, "link set eth0 down")
    wait_for("FAUCET seeing port 2 down", lambda: "Port 2" in text(sw, "faucet.txt") and "down" in text(sw, "faucet.txt"), 10)
    sw.lab.ip(b.ns, "link set eth0 up")
    sw.lab.ip(b.ns, "route add default via 10.0.0.254", check=False)
    assert a.reaches(b, 15)


def restart(sw):
    """FAUCET comes back to a switch that has its rules already"""
    a, b, d = sw.hosts
    sw.faucet.stop()
    sw.faucet = run_app(sw, "faucet2", 6663, "faucet.faucet")
    wait_for("the switch up again", lambda: text(sw, "faucet.txt").count("Cold start") >= 2, 15)
    for h in sw.hosts:
        h.forget()
    assert a.reaches(b, 10) and a.reaches(d, 15)


def no_errors(sw):
    """neither FAUCET nor Gauge logged an error or an exception"""
    for name in ("faucet.exc", "gauge.exc"):
        assert not text(sw, name).strip(), text(sw, name)[-600:]
    for name in ("faucet.txt", "gauge.txt"):
        bad = [x for x in text(sw, name).splitlines() if (" ERROR " in x or "OFPErrorMsg" in x or "OFError" in x)
               and not x.endswith("DP not up")]         # It says so of itself, when its timer meets a lost connection.
        assert not bad, "\n".join(bad[:5])


def main():
    why = install() if os.geteuid() == 0 else None
    with Lab("interop-faucet") as lab:
        if why:
            lab.skip("FAUCET and Gauge", why)
            return
        sw = switch(lab, "faucet", 3)
        Cases(lab, sw).run((programs, switches, routes, filters, gauge, port_down, restart, no_errors))


if __name__ == "__main__":
    sys.exit(main())
