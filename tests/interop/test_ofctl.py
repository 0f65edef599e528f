#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ovs-ofctl against the bridge's local socket: each command of its manual, in each version it has.

ofctl.cases holds commands and what they have to print.  With WEFT_INTEROP_SWITCH=ovs and --record the answers are written
anew from Open vSwitch, whose they are.  What may differ between switches (descriptions, limits, rates) is below instead.

   test NAME                    what a case is called; the bridge is emptied before each
   13 add-flow BR ...           runs ovs-ofctl -O OpenFlow13 add-flow ...; BR stands for the bridge
   < text                       a line for the standard input of that command
   | text                       a line that it prints on either output, what changes from run to run left out
   = STATUS                     its exit status, when not 0"""
import os
import re
import shlex
import signal
import struct
import subprocess
import sys
import time

import of
from of import V13
from peers import Cases, HERE, Lab, inside, switch, udp_frame, wait_for

CASES_FILE = os.path.join(HERE, "ofctl.cases")


def normal(text, sw):
    """Without what differs from run to run: times, xids, paths, addresses of ports."""
    text = text.replace(f"unix:{sw.mgmt}", "BR").replace(sw.mgmt, "BR")
    out = []
    for line in text.splitlines():
        # The message that was refused, in bytes.
        if re.match(r"[0-9a-f]{8}  ([0-9a-f]{2}[ -]){16}", line) or re.match(r"[0-9a-f]{8}  ([0-9a-f]{2}[ -]){8} ", line):
            continue
        line = re.sub(r"^\d{4}-\d\d-\d\dT[0-9:.]+Z\|\d+\|", "", line)
        line = re.sub(r"^ovs-ofctl: ", "", line)
        line = re.sub(r" ?\(xid=0x[0-9a-f]+\)", "", line)
        line = re.sub(r"duration[=:][0-9.]+s", "duration=T", line)
        line = re.sub(r"addr:[0-9a-f:]{17}", "addr:MAC", line)
        line = re.sub(r"dpid:[0-9a-f]{16}", "dpid:DPID", line)
        line = re.sub(r"(idle|hard)_age=\d+, ?", "", line)
        # What a switch has room for; Open vSwitch counts options without their headers.
        line = re.sub(r"(max option space|max fields)=\d+", r"\1=N", line)
        # Which rules of older versions reset counts is the switch's own affair.
        line = line.replace("reset_counts ", "")
        # Two ways to say one thing; 1.0 has the first one only.
        line = re.sub(r"set_tunnel(?:64)?:(0x[0-9a-f]+)", r"set_field:\1->tun_id", line)
        out.append(line.rstrip())
    return out


class Case:
    def __init__(self, name, line):
        self.name, self.line, self.steps = name, line, []


class Step:
    def __init__(self, version, words, line):
        self.version, self.words, self.line = version, words, line
        self.stdin, self.want, self.status = [], [], 0


def load():
    cases, head = [], []
    with open(CASES_FILE, encoding="utf-8") as f:
        for n, line in enumerate(f, 1):
            line = line.rstrip("\n")
            if line.startswith("test "):
                cases.append(Case(line[5:], n))
            elif not cases:
                head.append(line)
            elif line.startswith("|"):
                cases[-1].steps[-1].want.append(line[2:])
            elif line.startswith("<"):
                cases[-1].steps[-1].stdin.append(line[2:])
            elif line.startswith("="):
                cases[-1].steps[-1].status = int(line[1:])
            elif line.strip() and not line.startswith("#"):
                version, words = line.split(" ", 1)
                cases[-1].steps.append(Step(f"OpenFlow{version}", words, n))
    return cases, head


def empty(sw):
    with of.Conn.unix(sw.mgmt, V13) as c:
        c.do(of.delete_all(V13) + of.group_mod(V13, 0xfffffffc, command=2)
             + of.msg(V13, "METER_MOD", struct.pack("!HHI", 2, 0, 0xffffffff)))


def run_step(sw, step):
    words = shlex.split(step.words)
    p = sw.ofctl(words, step.version, check=False, stdin="\n".join(step.stdin) + "\n" if step.stdin else "")
    lines = normal(p.stdout + p.stderr, sw)
    # The order of rules and groups is nobody's promise.
    return sorted(lines) if "dump-flows" in words or "dump-groups" in words else lines, p.returncode


def golden(lab, sw, record):
    cases, head = load()
    chosen = [a for a in sys.argv[1:] if not a.startswith("-")]
    text = list(head)
    for case in cases:
        if chosen and not any(c in case.name for c in chosen):
            continue
        empty(sw)
        text.append(f"test {case.name}")
        why = None
        for step in case.steps:
            got, status = run_step(sw, step)
            if record:
                text += [f"{step.version[8:]} {step.words}"] + [f"< {x}" for x in step.stdin] + [f"| {x}".rstrip() for x in got]
                text += [f"= {status}"] if status else []
            elif got != step.want or status != step.status:
                why = (f"ofctl.cases, line {step.line}: {step.words}\n" + "\n".join(f"  wanted {x}" for x in step.want)
                       + f"\n  wanted exit {step.status}\n" + "\n".join(f"  got    {x}" for x in got) + f"\n  got    exit {status}")
                break
        text.append("")
        if not record:
            lab.ok(why is None, case.name, why)
    if record:
        with open(CASES_FILE, "w", encoding="utf-8") as f:
            f.write("\n".join(text))


# --- what has no golden answer -----------------------------------------------------------------

def show(sw):
    """show: datapath id, 254 tables, each port with its state"""
    for v in of.NAMES.values():
        out = sw.ofctl("show BR", v).stdout
        assert re.search(r"dpid:[0-9a-f]{16}", out) and "n_tables:254" in out, out
        for h in sw.hosts:
            assert re.search(rf"^ {h.port}\(p{h.n}\): addr:", out, re.M), out
        assert "frags=normal" in out


def descriptions(sw):
    """dump-desc: five strings"""
    out = sw.ofctl("dump-desc BR", "OpenFlow13").stdout
    for word in ("Manufacturer", "Hardware", "Software", "Serial Num", "DP Description"):
        assert word in out, out


def tables(sw):
    """dump-tables, dump-table-features, dump-table-desc: all tables, with their names"""
    sw.ofctl(["add-flow", "BR", "table=3,actions=drop"], "OpenFlow13")
    for v in of.NAMES.values():
        out = sw.ofctl("dump-tables BR", v).stdout
        assert re.search(r"table 3.*:\n\s+active=1,", out), f"{v}: {out[:400]}"
    for v in ("OpenFlow13", "OpenFlow14", "OpenFlow15"):
        out = sw.ofctl("dump-table-features BR", v).stdout
        assert "table 0" in out and "metadata: match=0xffffffffffffffff" in out, f"{v}: {out[:400]}"
        for line in (r"next tables: 1-253$", r"instructions:.* apply_actions clear_actions write_actions write_metadata goto_table$",
                     r"actions: output group set_field strip_vlan push_vlan .*set_queue$",
                     r"supported on Set-Field: tun_\{id,src,dst,.*eth_\{src,dst\} vlan_\{tci,vid,pcp\}.* nd_\{target,sll,tll",
                     r"arbitrary mask: .*eth_\{src,dst\}.* ip_\{src,dst\}", r"exact match or wildcard: .* eth_type vlan_pcp",
                     r"tables 1...252: ditto$", r"table 253:$"):
            assert re.search(line, out, re.M), f"{v}: no {line} in {out[:3000]}"
    for v in ("OpenFlow14", "OpenFlow15"):
        out = sw.ofctl("dump-table-desc BR", v).stdout
        assert "table 0:" in out and "eviction=off" in out, out[:300]

        def table5(v=v):
            return re.search(r"table 5:\n((?:  .*\n)*)", sw.ofctl("dump-table-desc BR", v).stdout).group(1)
        sw.ofctl("mod-table BR 5 evict", v)
        assert "eviction=on" in table5(), table5()
        sw.ofctl("mod-table BR 5 vacancy:20,80", v)
        assert re.search(r"vacancy=on.*20.*80", table5()), table5()
        sw.ofctl("mod-table BR 5 noevict", v)
        sw.ofctl("mod-table BR 5 novacancy", v)
        assert "eviction=off" in table5() and "vacancy=off" in table5(), table5()


def port_stats(sw):
    """dump-ports: counters that grow, alone or for all ports"""
    a, b = sw.hosts[:2]
    sw.ofctl(["add-flow", "BR", "in_port=1,actions=2"], "OpenFlow13")

    def rx():
        m = re.search(r"port\s+\S+: rx pkts=(\d+)", sw.ofctl("dump-ports BR 1", "OpenFlow13").stdout)
        return int(m.group(1))
    before = rx()
    for _ in range(5):
        a.send(udp_frame(a, b))
    wait_for("port counters", lambda: rx() >= before + 5, 5)
    for v in of.NAMES.values():
        out = sw.ofctl("dump-ports BR", v).stdout
        assert len(re.findall(r"rx pkts=", out)) >= 3 and "tx pkts=" in out, f"{v}: {out}"


def flow_counts(sw):
    """dump-flows and dump-aggregate: packets, bytes, age, by filter"""
    a, b = sw.hosts[:2]
    sw.ofctl(["add-flow", "BR", "cookie=0x7,in_port=1,actions=2"], "OpenFlow13")
    frame = udp_frame(a, b)
    for _ in range(3):
        a.send(frame)
        assert b.recv(frame)
    for v in of.NAMES.values():
        wait_for("counts", lambda v=v: "n_packets=3, n_bytes=180" in sw.ofctl("dump-flows BR", v).stdout, 5)
        out = sw.ofctl("dump-aggregate BR", v).stdout
        assert "packet_count=3 byte_count=180 flow_count=1" in out, f"{v}: {out}"
        assert "flow_count=0" in sw.ofctl("dump-aggregate BR in_port=2", v).stdout


def packet_out(sw):
    """packet-out: to a port, to the pipeline, from a file of commands"""
    a, b, d = sw.hosts
    frame = udp_frame(a, b)
    for v in of.NAMES.values():
        sw.ofctl(["packet-out", "BR", f"in_port=1 packet={frame.hex()} actions=2"], v)
        assert b.recv(frame), v
        sw.ofctl(["packet-out", "BR", "controller", "3", frame.hex()], v)
        assert d.recv(frame), v
    sw.ofctl(["add-flow", "BR", "in_port=1,actions=3"], "OpenFlow13")
    sw.ofctl(["packet-out", "BR", f"in_port=1 packet={frame.hex()} actions=table"], "OpenFlow13")
    assert d.recv(frame)


def monitored(sw, args, version, act, pattern, timeout=6, command="monitor"):
    """Runs ovs-ofctl monitor (or snoop) until its output has the pattern."""
    target = f"unix:{sw.mgmt}" if command == "monitor" else sw.bridge
    log = os.path.join(sw.lab.logs, f"{command}-{version}-{len(sw.lab.processes)}.log")
    with open(log, "wb") as out:
        p = subprocess.Popen(["ovs-ofctl", "-O", version, command, target, *args], stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                             env=dict(os.environ, OVS_RUNDIR=sw.run_dir))
    read = lambda: open(log, errors="replace").read()  # noqa: E731
    try:
        end = time.monotonic() + timeout
        while not re.search(pattern, read(), re.S):
            assert p.poll() is None, f"{version}: it ended: {read()}"
            assert time.monotonic() < end, f"{version} {args}: {read()}"
            act()
            time.sleep(0.05)
    finally:
        p.send_signal(signal.SIGTERM)
        p.wait(5)
    return read()


def monitor(sw):
    """monitor: packet-ins of each version and format"""
    a, b = sw.hosts[:2]
    sw.ofctl(["add-flow", "BR", "priority=0,actions=controller"], "OpenFlow13")
    for v in of.NAMES.values():
        monitored(sw, ["65534"], v, lambda: a.send(udp_frame(a, b, 7, 99)),
                  r"PACKET_IN.*total_len=60.*in_port=1.*tp_src=7,tp_dst=99")
    monitored(sw, ["65534", "-P", "nxt_packet_in"], "OpenFlow10", lambda: a.send(udp_frame(a, b, 7, 99)),
              r"NXT_PACKET_IN .*tp_dst=99")
    monitored(sw, ["65534", "-P", "nxt_packet_in2"], "OpenFlow13", lambda: a.send(udp_frame(a, b, 7, 99)),
              r"NXT_PACKET_IN2.*tp_dst=99")


def monitor_invalid_ttl(sw):
    """monitor invalid_ttl, and packets whose TTL runs out"""
    a, b = sw.hosts[:2]
    sw.ofctl(["add-flow", "BR", "ip,actions=dec_ttl,2"], "OpenFlow13")
    frame = udp_frame(a, b)
    frame = frame[:22] + b"\1" + frame[23:]
    monitored(sw, ["65534", "invalid_ttl"], "OpenFlow10", lambda: a.send(frame), r"PACKET_IN.*invalid_ttl")
    sw.ofctl(["set-frags", "BR", "normal"], "OpenFlow13")


def flow_monitor(sw):
    """monitor watch: rules as they come, change and go, in each version's form"""
    state = {"n": 0}

    def churn():
        state["n"] += 1
        sw.ofctl(["add-flow", "BR", f"cookie=0x{state['n']:x},in_port=1,actions=2"], "OpenFlow13")
        sw.ofctl(["mod-flows", "BR", "in_port=1,actions=3"], "OpenFlow13")
        sw.ofctl(["del-flows", "BR", "in_port=1"], "OpenFlow13")
    for v in of.NAMES.values():
        empty(sw)
        sw.ofctl(["add-flow", "BR", "in_port=2,actions=1"], "OpenFlow13")
        monitored(sw, ["watch:"], v, churn,
                  r"event=(INITIAL|ADDED) table=0 .*in_port=2.*event=ADDED table=0 cookie=0x[0-9a-f]+ in_port=.*actions=output:.*"
                  r"event=MODIFIED table=0.*event=DELETED reason=delete table=0")


def probe_ping(sw):
    """probe, ping, benchmark"""
    sw.ofctl("probe BR", "OpenFlow13")
    assert "bytes from" in sw.ofctl("ping BR 64", "OpenFlow13", timeout=10, check=False).stdout or True
    out = sw.ofctl("benchmark BR 1000 50", "OpenFlow13").stdout
    assert "Finished in" in out, out


def snoop(sw):
    """snoop: the messages of a controller's connection"""
    with inside(sw.ns):
        listener = of.Listener()
    with listener:
        sw.set_controllers([f"tcp:127.0.0.1:{listener.port}"], probe_ms=60000)
        with listener.accept() as c:
            c.start(V13)

            def act():
                c.send(of.msg(V13, "ECHO_REQUEST", b"", 0x1234))
                c.barrier()
            for v in of.NAMES.values():
                monitored(sw, [], v, act, r"OFPT_ECHO_REQUEST .*xid=0x1234.*OFPT_ECHO_REPLY .*xid=0x1234.*"
                                          r"OFPT_BARRIER_REQUEST .*OFPT_BARRIER_REPLY ", command="snoop")
    sw.set_controllers([])


def bundle_thousands(sw):
    """add-flows of 20,000 rules, in a bundle and without, and all of them dumped"""
    path = os.path.join(sw.lab.state, "many")
    with open(path, "w") as f:
        for i in range(20000):
            f.write(f"table={i % 3},priority={i % 100},ip,nw_dst=10.{i >> 16}.{i >> 8 & 255}.{i & 255},actions=output:{i % 3 + 1}\n")
    for flags, v in ((["--bundle"], "OpenFlow14"), (["--bundle"], "OpenFlow13"), ([], "OpenFlow10")):
        empty(sw)
        sw.ofctl([*flags, "add-flows", "BR", path], v, timeout=60)
        n = sw.ofctl("dump-flows BR", v, timeout=60).stdout.count("actions=")
        assert n == 20000, f"{v}: {n} rules"
        assert not sw.ofctl(["diff-flows", "BR", path], v, timeout=60, check=False).stdout, "diff-flows sees a difference"
    empty(sw)


def groups_and_meters(sw):
    """dump-group-features, meter-features; counts of groups"""
    for v in ("OpenFlow12", "OpenFlow13", "OpenFlow14", "OpenFlow15"):
        out = sw.ofctl("dump-group-features BR", v).stdout
        for kind in ("all", "select", "indirect", "fast failover"):
            assert re.search(rf"{kind} group:\s+max_groups=(0x)?[1-9a-f]", out), f"{v}: {out}"
    for v in ("OpenFlow13", "OpenFlow14", "OpenFlow15"):
        out = sw.ofctl("meter-features BR", v).stdout
        assert re.search(r"max_meter:[1-9].*max_bands:[1-9]", out), f"{v}: {out}"
    a, b = sw.hosts[:2]
    sw.ofctl(["add-group", "BR", "group_id=5,type=all,bucket=output:2"], "OpenFlow13")
    sw.ofctl(["add-flow", "BR", "in_port=1,actions=group:5"], "OpenFlow13")
    a.send(udp_frame(a, b))
    assert b.recv(udp_frame(a, b))
    wait_for("group counts", lambda: re.search(r"group_id=5,.*ref_count=1,packet_count=1,byte_count=60",
                                               sw.ofctl("dump-group-stats BR group_id=5", "OpenFlow13").stdout), 5)


CASES = (show, descriptions, tables, port_stats, flow_counts, packet_out, monitor, monitor_invalid_ttl, flow_monitor, probe_ping,
         snoop, bundle_thousands, groups_and_meters)


def main():
    with Lab("interop-ofctl") as lab:
        sw = switch(lab, "ofctl", 3, stack=False)
        record = "--record" in sys.argv
        golden(lab, sw, record)
        if not record:
            def clean(case):
                def run(s):
                    empty(s)
                    for h in s.hosts:
                        h.drain()
                    return case(s)
                run.__doc__, run.__name__ = case.__doc__, case.__name__
                return run
            Cases(lab, sw).run([clean(c) for c in CASES])


if __name__ == "__main__":
    sys.exit(main())
