#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What peers rely on once connected: rules, packet buffers, barriers, ports, groups, bundles.  The numbers in the names are
rows of the table in README.md.

Three hosts on one bridge, one raw client at a time on the bridge's local socket (peers.py has the drawing)."""
import struct
import sys
import time

import of
from of import V10, V13, V14, V15
from peers import Cases, Lab, arp_frame, eth, lldp_frame, switch, udp_frame, wait_for

BOTH = (V10, V13)


def rule(v, port, acts=(), **kw):
    """A rule on an input port, in the terms of the version."""
    if v == V10:
        return of.flow_mod(v, of.match10(in_port=port), b"".join(acts), **kw)
    return of.flow_mod(v, of.match(in_port=port), of.apply(*acts) if acts else b"", **kw)


def client(sw, v):
    """A connection that gets packet-ins, over a bridge without rules."""
    c = of.Conn.unix(sw.mgmt, v)
    c.do(of.delete_all(v) + of.set_config(v, 0, 0xffff))
    for h in sw.hosts:
        h.drain()
    return c


# --- section 7 ---------------------------------------------------------------------------------

def match_normalisation_10(sw):
    """[7.1] 1.0: fields whose prerequisites are not matched are ignored, in rules and in deletion"""
    a, b, _ = sw.hosts
    with client(sw, V10) as c:
        # dl_type is a wildcard, the wildcard bits of nw_proto and tp_* are clear and their values 0: as POX has it.
        w = 0x3fffff & ~(1 << 0 | 1 << 5 | 1 << 6 | 1 << 7)
        c.do(of.flow_mod(V10, of.match10(w, in_port=1), of.output(V10, 2)))
        a.send(udp_frame(a, b, 7, 9))
        assert b.recv(udp_frame(a, b, 7, 9)[:12]), "a rule with nw_proto=0 below a wildcard type did not match UDP"
        stats = c.stats(1, of.match10() + struct.pack("!BxH", 0xff, 0xffff))
        seen = struct.unpack_from("!I", stats, 4)[0]
        # What is not compared is a wildcard in what the switch shows; nw_src/dst masks of 32 or more all mean the same.
        assert seen & 0xff == 0xfe, f"wildcards {seen:#x}"
        # POX's "delete all".
        c.do(of.flow_mod(V10, of.match10(0x10001f), command=of.DELETE))
        assert not c.stats(1, of.match10() + struct.pack("!BxH", 0xff, 0xffff)), "rules survive wildcards 0x10001f"


def exact_match_wins_10(sw):
    """[7.2] 1.0: a rule without wildcards has priority 65535 whatever it says"""
    a, b, _ = sw.hosts
    frame = udp_frame(a, b, 1000, 2000)
    with client(sw, V10) as c:
        m = of.match10(0, in_port=1, dl_src=a.mac, dl_dst=b.mac, dl_vlan=0xffff, dl_type=0x800, nw_proto=17, nw_src=a.ip,
                       nw_dst=b.ip, tp_src=1000, tp_dst=2000)
        c.do(of.flow_mod(V10, m, of.output(V10, 2), priority=1) + of.flow_mod(V10, acts=b"", priority=65000))
        a.send(frame)
        assert b.recv(frame), "a rule of higher priority won against the exact one"


def buffers(sw):
    """[7.3] packet buffers: FLOW_MOD and PACKET_OUT with nothing but a buffer_id"""
    if sw.kind == "ovs":
        return "Open vSwitch keeps no packets"
    a, b, _ = sw.hosts
    for v in BOTH:
        with client(sw, v) as c:
            c.do(of.set_config(v, 0, 128))
            ask_for_packets(c, v, 128)
            assert c.features()[1] >= 256, f"{c.features()[1]} buffers are offered"
            for i in range(3):
                frame = udp_frame(a, b, 1, 100 + i, bytes(300))
                a.send(frame)
                p = c.packet_in(want=lambda p: p.in_port == 1)
                assert p.buffer_id != of.NO_BUFFER, "the packet is not kept"
                assert p.data == frame and p.total_len == len(frame), "the packet-in lacks a part of the frame"
                c.do(of.packet_out(v, actions=of.output(v, 2), buffer_id=p.buffer_id, in_port=1))
                assert b.recv(frame), "PACKET_OUT of a buffer"
                # The second time it is empty.
                e = c.refusal(of.packet_out(v, actions=of.output(v, 2), buffer_id=p.buffer_id, in_port=1))
                assert e == (1, 7), f"a used buffer: {e}"
            a.send(frame)
            p = c.packet_in()
            c.do(rule(v, 1, [of.output(v, 2)], priority=9, buffer_id=p.buffer_id))
            assert b.recv(frame), "the buffered packet did not go through the new rule"
            c.do(of.flow_mod(v, m10(v, in_port=1), priority=9, command=of.DELETE_STRICT))
            a.send(frame)
            p = c.packet_in()
            c.do(of.packet_out(v, buffer_id=p.buffer_id, in_port=1))
            assert b.count(lambda f: f == frame) == 0, "a PACKET_OUT without actions sent the packet"
            e = c.refusal(of.packet_out(v, actions=of.output(v, 2), buffer_id=p.buffer_id ^ 0x40000000, in_port=1))
            assert e in ((1, 8), (1, 7)), f"a buffer that never was: {e}"
            e = c.refusal(rule(v, 1, [of.output(v, 2)], priority=9, buffer_id=0x7ffffff0))
            assert e in ((1, 8), (1, 7)), f"a rule with a buffer that never was: {e}"


def m10(v, **kw):
    """A match of the fields that bear one name in both versions."""
    return of.match10(**kw) if v == V10 else of.match(**kw)


def ask_for_packets(c, v, max_len=0xffff):
    """1.0 punts what misses; later versions need the rule for it."""
    if v > of.V12:
        c.do(of.flow_mod(v, priority=0, acts=of.apply(of.output(v, of.CONTROLLER, max_len))))


def buffer_age(sw):
    """[7.3] 256 packets are kept at once, for 5 seconds"""
    if sw.kind == "ovs":
        return "Open vSwitch keeps no packets"
    a, b, _ = sw.hosts
    with client(sw, V10) as c:
        c.do(of.set_config(V10, 0, 128))
        began = time.monotonic()
        kept = []
        for i in range(256):
            a.send(udp_frame(a, b, 1, 1000 + i))
            kept.append(c.packet_in().buffer_id)
        assert len(set(kept)) == 256 and of.NO_BUFFER not in kept, f"{len(set(kept))} different buffers"
        wait_for("five seconds", lambda: time.monotonic() - began > 4.8, 6)
        if time.monotonic() - began > 5.0:
            kept = kept[-100:]
        c.do(b"".join(of.packet_out(V10, actions=of.output(V10, 2), buffer_id=k, in_port=1) for k in kept))
        n = b.count(lambda f: f[:12] == udp_frame(a, b)[:12])
        assert n == len(kept), f"{n} of {len(kept)} came out"
    return None


def whole_frame(sw):
    """[7.4] without a buffer the whole frame is sent, whatever max_len and miss_send_len say"""
    a, b, _ = sw.hosts
    frame = udp_frame(a, b, payload=bytes(range(200)) * 3)
    for v in BOTH:
        with client(sw, v) as c:
            c.do(of.set_config(v, 0, 128))
            if v == V13:
                c.do(of.flow_mod(v, priority=0, acts=of.apply(of.output(v, of.CONTROLLER, 128))))
            a.send(frame)
            p = c.packet_in()
            assert p.total_len == len(frame), f"total_len {p.total_len}"
            assert p.data == frame or (p.buffer_id != of.NO_BUFFER and frame.startswith(p.data)), f"{len(p.data)} bytes"
            if v == V13:
                c.do(of.flow_mod(v, priority=0, acts=of.apply(of.output(v, of.CONTROLLER, 0xffff))))
                a.send(frame)
                p = c.packet_in()
                assert p.buffer_id == of.NO_BUFFER and p.data == frame, "OFPCML_NO_BUFFER"
            elif sw.kind == "weft":     # What POX is configured to: 128 bytes and a buffer; whole frames serve it as well.
                assert p.buffer_id != of.NO_BUFFER and p.data == frame


def packet_out_table(sw):
    """[7.5] FLOW_MOD, BARRIER, PACKET_OUT to TABLE in one write: the packet meets the new rule"""
    a, b, d = sw.hosts
    for v in BOTH:
        with client(sw, v) as c:
            for i in range(50):
                frame = udp_frame(a, b, 1, 3000 + i)
                port, to, other = ((2, b, d), (3, d, b))[i % 2]
                c.send(rule(v, 1, [of.output(v, port)], xid=9), of.msg(v, "BARRIER_REQUEST", b"", 10),
                       of.packet_out(v, frame, of.output(v, of.TABLE), in_port=1, xid=11))
                c.recv(lambda m: m.name == "BARRIER_REPLY" and m.xid == 10)
                assert to.recv(frame), f"round {i}: not where the new rule says"
            c.barrier()
            assert c.poll("ERROR", 0) is None
            assert other.recv(frame, 0.05) is None


def barrier_order(sw):
    """[7.6] 100 rounds: no packet that comes after the barrier reply follows the old rule"""
    a, b, d = sw.hosts
    frame = udp_frame(a, b, 5, 6)
    wrong = 0
    with client(sw, V13) as c:
        c.do(rule(V13, 1, [of.output(V13, 3)]))
        for i in range(100):
            a.send(frame)
            a.send(frame)
            assert (b if i % 2 else d).recv(frame), f"round {i}: the packet that fills the cache is lost"
            assert (b if i % 2 else d).recv(frame), f"round {i}: the packet that fills the cache is lost"
            c.do(rule(V13, 1, [of.output(V13, 2 + i % 2)]))
            a.send(frame)
            new, old = (d, b) if i % 2 else (b, d)
            if not new.recv(frame, 1):
                wrong += 1
                assert old.recv(frame, 1), f"round {i}: the packet is lost"
    if sw.kind == "ovs":
        return f"Open vSwitch: {wrong} of 100 packets met the old rule"
    assert not wrong, f"{wrong} of 100 packets met the old rule"
    return None


def barrier_under_traffic(sw):
    """[7.6] rules that go while packets stream: none leaves after the reply"""
    a, b, _ = sw.hosts
    if sw.kind == "ovs":
        return "Open vSwitch revalidates its cache after the reply"
    with client(sw, V13) as c:
        for _ in range(20):
            c.do(rule(V13, 1, [of.output(V13, 2)]))
            for i in range(40):
                a.send(udp_frame(a, b, 5, i))
            assert b.recv(udp_frame(a, b, 5, 39)[:38]), "the stream does not flow"
            c.do(of.delete_all(V13))
            # Frames that were under way may still come out; those sent now may not.
            last = udp_frame(a, b, 6, 6)
            a.send(last)
            assert b.recv(last, 0.05) is None, "a deleted rule forwards"
    return None


def one_xid_for_all(sw):
    """[7.7] xids need not differ: errors and barrier replies come all the same"""
    with client(sw, V10) as c:
        bad = of.flow_mod(V10, acts=of.output(V10, 0x7777 & 0xff00), xid=7)
        one = of.msg(V10, "BARRIER_REQUEST", b"", 7)
        c.send(rule(V10, 1, [of.output(V10, 2)], xid=7), one, bad[:8] + bad[8:], one, of.packet_out(V10, xid=7), one)
        got = [c.recv(lambda m: m.xid == 7) for _ in range(3)]
        names = [m.name for m in got if m.name == "BARRIER_REPLY"]
        while len(names) < 3:
            names.append(c.recv("BARRIER_REPLY").name)
        unknown = of.msg(V10, 77, b"", 7)
        c.send(unknown, one)
        e = of.parse_error(c.recv("ERROR"))
        assert (e.type, e.code, e.xid) == (1, 1, 7)
        assert c.recv("BARRIER_REPLY").xid == 7


def packet_out_in_ports(sw):
    """[7.8] PACKET_OUT in_port NONE, CONTROLLER and LOCAL: FLOOD and ALL exclude nothing"""
    a, b, d = sw.hosts
    for v in (V10, V13, V14, V15):
        with client(sw, v) as c:
            for in_port in (of.ANY, of.CONTROLLER, of.LOCAL):
                for out in (of.FLOOD, of.ALL):
                    frame = udp_frame(a, b, v, 77)
                    c.do(of.packet_out(v, frame, of.output(v, out), in_port=in_port))
                    for h in (a, b, d):
                        assert h.recv(frame), f"{of.NAMES[v]}, in_port {in_port:#x}: port {h.n} got nothing"
            # A real input port is left out.
            c.do(of.packet_out(v, frame, of.output(v, of.FLOOD), in_port=2))
            assert a.recv(frame) and d.recv(frame) and b.recv(frame, 0.1) is None, "FLOOD sent back"


NO_FLOOD, NO_FWD, PORT_DOWN, NO_PACKET_IN, NO_RECV = 0x10, 0x20, 1, 0x40, 4


def port_flags_10(sw):
    """[7.9] 1.0: NO_FLOOD, NO_FWD, NO_RECV, NO_PACKET_IN, PORT_DOWN"""
    a, b, d = sw.hosts
    frame = udp_frame(a, b, 4, 4)
    with client(sw, V10) as c:
        hw = c.ports()[2].hw
        other = of.Conn.unix(sw.mgmt, V10)
        other.do(of.set_config(V10, 0, 0xffff))
        flood, direct = of.packet_out(V10, frame, of.output(V10, of.FLOOD)), of.packet_out(V10, frame, of.output(V10, 2))

        def config(value):
            c.do(of.port_mod(V10, 2, hw, value, 0x7f))
            assert c.ports()[2].config == value, f"config {c.ports()[2].config:#x} after {value:#x}"

        try:
            config(NO_FLOOD)
            got = of.parse_port_status(other.recv("PORT_STATUS"))
            assert (got.reason, got.port, got.config & 0x7f) == (2, 2, NO_FLOOD), f"the others are told {got}"
            assert c.poll("PORT_STATUS", 0.1) is None, "below 1.5 the one who asked is not told"
            c.do(flood)
            assert d.recv(frame) and b.recv(frame, 0.1) is None, "NO_FLOOD"
            c.do(direct)
            assert b.recv(frame), "NO_FLOOD stops a plain output"
            config(NO_FWD)
            c.do(direct)
            assert b.recv(frame, 0.1) is None, "NO_FWD"
            config(NO_RECV)
            b.send(frame)
            c.no_packet_in()
            config(NO_PACKET_IN)
            b.send(frame)
            if sw.kind == "weft":       # Open vSwitch sends one more, from what it had cached.
                c.no_packet_in()
            c.do(rule(V10, 2, [of.output(V10, 1)]))
            b.send(frame)
            assert a.recv(frame), "NO_PACKET_IN stops forwarding"
            config(PORT_DOWN)
            c.do(direct)
            assert b.recv(frame, 0.1) is None, "PORT_DOWN"
            config(0)
            wait_for("port 2 back", lambda: c.ports()[2].state & 1 == 0, 5)
            c.do(direct)
            assert b.recv(frame), "the port does not come back"
        finally:
            c.do(of.port_mod(V10, 2, hw, 0, 0x7f))
            other.close()


def port_mod_errors(sw):
    """[7.9] PORT_MOD checks port and hw_addr, in each version"""
    for v in (V10, V13, V14):
        with client(sw, v) as c:
            e = c.refusal(of.port_mod(v, 2, "02:de:ad:be:ef:00", 0, 0))
            kind = 4 if v == V10 else 7
            assert e == (kind, 1), f"{of.NAMES[v]}: a wrong hw_addr: {e}"
            e = c.refusal(of.port_mod(v, 99, "02:de:ad:be:ef:00", 0, 0))
            assert e == (kind, 0), f"{of.NAMES[v]}: a port that is not there: {e}"


def port_flags_outlive_the_controller(sw):
    """[7.9] port flags persist when the controller goes"""
    with client(sw, V10) as c:
        hw = c.ports()[3].hw
        c.do(of.port_mod(V10, 3, hw, NO_FLOOD, NO_FLOOD))
    with client(sw, V10) as c:
        try:
            assert c.ports()[3].config & NO_FLOOD
        finally:
            c.do(of.port_mod(V10, 3, hw, 0, NO_FLOOD))


def features_any_time(sw):
    """[7.10] FEATURES_REQUEST is answered at any time, and says 254 tables [7.14]"""
    for v in (V10, V13, V14, V15):
        with client(sw, v) as c:
            first, second = c.features(), c.features()
            assert first[0] == second[0] != 0
            assert first[2] == 254, f"{first[2]} tables"


def lldp(sw):
    """[7.11] LLDP reaches the pipeline, and PACKET_OUT emits it"""
    a, b, _ = sw.hosts
    for dst in ("01:23:20:00:00:01", "01:80:c2:00:00:0e"):
        frame = lldp_frame(a.mac, dst)
        for v in BOTH:
            with client(sw, v) as c:
                ask_for_packets(c, v)
                a.send(frame)
                p = c.packet_in(want=lambda p, f=frame: p.data[:12] == f[:12])
                assert p.in_port == 1
                c.do(of.packet_out(v, frame, of.output(v, 2)))
                assert b.recv(frame), f"LLDP to {dst} did not leave"
        with client(sw, V13) as c:
            c.do(of.flow_mod(V13, of.match(eth_type=0x88cc), of.apply(of.output(V13, of.CONTROLLER)), priority=65535))
            a.send(frame)
            p = c.packet_in()
            assert p.reason == 1, "reason ACTION"


def flow_mod_flags(sw):
    """[7.12] SEND_FLOW_REM, CHECK_OVERLAP, RESET_COUNTS; an identical ADD replaces"""
    a, b, _ = sw.hosts
    frame = udp_frame(a, b)

    def packets(c, v):
        if v == V10:
            return struct.unpack_from("!Q", c.stats(1, of.match10() + struct.pack("!BxH", 0, 0xffff)), 72)[0]
        return struct.unpack_from("!Q", c.stats(1, struct.pack("!B3xII4xQQ", 0, of.ANY, of.ANY, 0, 0) + of.match()), 32)[0]

    for v in BOTH:
        with client(sw, v) as c:
            c.do(rule(v, 1, [of.output(v, 2)], cookie=1))
            a.send(frame)
            assert b.recv(frame)
            wait_for("a count", lambda: packets(c, v) == 1, 5)
            c.do(rule(v, 1, [of.output(v, 3)], cookie=2))
            n = packets(c, v)
            assert n == (0 if v == V10 else 1), f"{of.NAMES[v]}: {n} packets after an identical ADD"
            if v == V13:
                c.do(rule(v, 1, [of.output(v, 3)], cookie=2, flags=4))
                assert packets(c, v) == 0, "RESET_COUNTS"
            # An overlap: same priority, both may match one packet.
            over = of.match10(dl_type=0x800) if v == V10 else of.match(eth_type=0x800)
            e = c.refusal(of.flow_mod(v, over, flags=2))
            assert e == ((3, 1) if v == V10 else (5, 3)), f"CHECK_OVERLAP: {e}"
            c.do(of.flow_mod(v, over, flags=2, priority=77))
            # Removal is told, with its reason and counts.
            c.do(of.delete_all(v) + rule(v, 1, [of.output(v, 2)], cookie=5, flags=1, priority=9, idle=100))
            a.send(frame)
            assert b.recv(frame)
            wait_for("a count", lambda: packets(c, v) == 1, 5)
            c.do(of.delete_all(v))
            r = of.parse_flow_removed(c.recv("FLOW_REMOVED"))
            assert (r.cookie, r.reason, r.priority, r.idle, r.packets) == (5, 2, 9, 100, 1), str(r)
            assert r.bytes == len(frame), f"{r.bytes} bytes"
            # Without the flag nobody is told.
            c.do(rule(v, 1, [of.output(v, 2)]) + of.delete_all(v))
            assert c.poll("FLOW_REMOVED", 0.1) is None


def timeouts(sw):
    """[7.12] idle and hard timeouts, within 1 to 2 s"""
    a, b, _ = sw.hosts
    with client(sw, V13) as c:
        began = time.monotonic()
        c.do(rule(V13, 1, [of.output(V13, 2)], hard=2, flags=1, cookie=1)
             + rule(V13, 2, [of.output(V13, 1)], idle=1, flags=1, cookie=2)
             + rule(V13, 3, [of.output(V13, 1)], idle=1, flags=1, cookie=3, priority=3))
        gone = {}
        while time.monotonic() - began < 4.5 and len(gone) < 3:
            if 2 not in gone and time.monotonic() - began < 2:
                b.send(udp_frame(b, a))         # Keeps the second one alive.
            m = c.poll("FLOW_REMOVED", 0.2)
            if m:
                r = of.parse_flow_removed(m)
                gone[r.cookie] = (time.monotonic() - began, r.reason)
        assert set(gone) == {1, 2, 3}, f"gone: {gone}"
        assert gone[1][1] == 1 and 1.9 <= gone[1][0] <= 4.0, f"hard timeout of 2 s: {gone[1]}"
        assert gone[3][1] == 0 and 0.9 <= gone[3][0] <= 3.0, f"idle timeout of 1 s: {gone[3]}"
        assert gone[2][1] == 0 and gone[2][0] > gone[3][0], f"idle timeout of a busy rule: {gone}"


def cookies(sw):
    """[7.13] cookie and mask select what is deleted, modified and shown"""
    with client(sw, V13) as c:
        for table in (0, 5, 253):
            for cookie in (0x10, 0x11, 0x20):
                c.do(of.flow_mod(V13, of.match(in_port=cookie), of.apply(of.output(V13, 1)), cookie=cookie, table=table))

        def n(table=0xff, cookie=0, mask=0):
            body = struct.pack("!B3xII4xQQ", table, of.ANY, of.ANY, cookie, mask) + of.match()
            return struct.unpack_from("!QQI", c.stats(2, body))[2]

        assert (n(), n(5), n(0xff, 0x10, 0xf0), n(253, 0x20, 0xff)) == (9, 3, 6, 1)
        c.do(of.flow_mod(V13, command=of.DELETE, table=5, cookie=0x10, cookie_mask=0xf0))
        assert (n(), n(5)) == (7, 1)
        c.do(of.flow_mod(V13, acts=of.apply(of.output(V13, 3)), command=of.MODIFY, table=0, cookie=0x11,
                         cookie_mask=0xffffffffffffffff))
        shown = sw.flows("OpenFlow13", "table=0")
        assert sum("output:3" in line for line in shown) == 1, f"{shown}"
        c.do(of.flow_mod(V13, command=of.DELETE, table=0xff, cookie=0x20, cookie_mask=0xff))
        assert n() == 4, f"table ALL: {n()} are left"


def bundles(sw):
    """[7.15] bundles: pipelined, mixed, all or nothing; unknown ids are errors, not the end"""
    for v in (V13, V14, V15):
        close_error = (of.ONF and 0xffff, 0) if v == V13 else (17, 2)
        with client(sw, v) as c:
            # ODL opens with the CLOSE of an id that never was.
            for what in (of.CLOSE_REQUEST, of.DISCARD_REQUEST, of.COMMIT_REQUEST):
                e = c.refusal(of.bundle_control(v, 99, what))
                if v == V13:
                    assert e and e[0] == 0xffff, f"{what} of an unknown bundle: {e}"
                elif what == of.CLOSE_REQUEST and sw.kind == "weft":
                    assert e == close_error, f"CLOSE of an unknown bundle: {e}"
                else:
                    assert e and e[0] == 17, f"{what} of an unknown bundle: {e}"
            group = of.group_mod(v, 7, 0, [(of.output(v, 2), 0, of.ANY)], xid=3)
            if v == V15:
                bucket = struct.pack("!HHI", 8 + 16, 16, 1) + of.output(v, 2)
                group = of.msg(v, "GROUP_MOD", struct.pack("!HBxIH2xI", 0, 0, 7, len(bucket), 0xffffffff) + bucket, 3)
            good = of.flow_mod(v, of.match(in_port=1), of.apply(of.group_action(7)), xid=4)
            c.send(of.bundle_control(v, 1, of.OPEN_REQUEST, xid=2), of.bundle_add(v, 1, group, xid=3),
                   of.bundle_add(v, 1, good, xid=4), of.bundle_control(v, 1, of.COMMIT_REQUEST, xid=5))
            kinds = []
            for xid in (2, 5):
                m = c.recv(lambda m, x=xid: m.xid == x)
                kinds.append(struct.unpack_from("!IH", m.body, 8 if v == V13 else 0)[1] if m.name != "ERROR" else m.body[:8])
            assert kinds == [of.OPEN_REPLY, of.COMMIT_REPLY], f"{of.NAMES[v]}: {kinds}"
            assert any("group:7" in line for line in sw.flows("OpenFlow13")), "the bundle did nothing"
            # One bad message: nothing of it happens.
            bad = of.flow_mod(v, of.match(in_port=2), of.apply(of.group_action(4711)), xid=8)
            fine = of.flow_mod(v, of.match(in_port=3), of.apply(of.output(v, 1)), xid=7)
            c.send(of.bundle_control(v, 2, of.OPEN_REQUEST, xid=6), of.bundle_add(v, 2, fine, xid=7),
                   of.bundle_add(v, 2, bad, xid=8), of.bundle_control(v, 2, of.COMMIT_REQUEST, xid=9))
            errors = {}
            deadline = time.monotonic() + 3
            while 9 not in errors and time.monotonic() < deadline:
                m = c.poll("ERROR", 0.5)
                if m:
                    errors[m.xid] = of.parse_error(m)[:2]
            assert 9 in errors, f"no error for the commit: {errors}"
            assert not any("in_port=3" in line for line in sw.flows("OpenFlow13")), "half a bundle was applied"
            c.barrier()
        sw.ofctl("del-groups BR", "OpenFlow13")


def stats_echo(sw):
    """[7.16] flow statistics give back match, masks, instructions and cookie as installed"""
    tlvs = of.oxm(in_port=1, eth_dst=("02:00:00:00:00:00", "ff:00:00:00:00:00"), eth_type=0x800, vlan_vid=(0x1000, 0x1000),
                  ipv4_src=("10.1.0.0", "255.255.0.0"), ip_proto=6, tcp_dst=(0x1200, 0xff00))
    acts = of.apply(of.set_field(eth_src="02:11:22:33:44:55"), of.output(V13, 2), of.output(V13, of.CONTROLLER, 77))
    acts += of.write(of.output(V13, 3)) + of.instruction(2, struct.pack("!4xQQ", 5, 0xff)) + of.goto(9)
    with client(sw, V13) as c:
        c.do(of.flow_mod(V13, of.match(tlvs), acts, priority=4242, cookie=0x1122334455667788, idle=300, hard=400, flags=9))
        body = c.stats(1, struct.pack("!B3xII4xQQ", 0xff, of.ANY, of.ANY, 0, 0) + of.match())
        length, table, _sec, _nsec, priority, idle, hard, flags, cookie = struct.unpack_from("!HBxIIHHHH4xQ", body)
        assert length == len(body)
        assert (table, priority, idle, hard, flags, cookie) == (0, 4242, 300, 400, 9, 0x1122334455667788)
        got, rest = of.tlvs_of(body[48:])
        want, _ = of.tlvs_of(of.match(tlvs))
        assert got == want, f"{got}"

        def split(data):
            out = set()
            while data:
                n = struct.unpack_from("!HH", data)[1]
                out.add(data[:n])
                data = data[n:]
            return out
        assert split(rest) == split(acts), f"{rest.hex()} for {acts.hex()}"


def errors_quote(sw):
    """[7.17] errors carry 64 bytes of the request or more, and its xid"""
    with client(sw, V13) as c:
        e = c.refusal(of.flow_mod(V13, of.match(eth_type=0x800, ipv4_dst="1.2.3.4"), of.apply(of.output(V13, 0xffffff12))))
        assert e == (2, 4), f"output to a port that cannot be: {e}"
        e = c.refusal(of.flow_mod(V13, of.match(ipv4_dst="1.2.3.4")))
        assert e == (4, 9), f"no prerequisite: {e}"
        e = c.refusal(of.flow_mod(V13, acts=of.goto(0)))
        assert e == (3, 2), f"goto backwards: {e}"
        e = c.refusal(of.flow_mod(V13, acts=of.instruction(99, b"\0" * 4)))
        assert e == (3, 0), f"an unknown instruction: {e}"
        e = c.refusal(of.flow_mod(V13, acts=of.apply(of.group_action(999))))
        assert e == (2, 9), f"a group that is not there: {e}"
        e = c.refusal(of.flow_mod(V13, command=9))
        assert e == (5, 6), f"an unknown command: {e}"
        e = c.refusal(of.flow_mod(V13, table=0xff))
        assert e == (5, 2), f"ADD to table ALL: {e}"
        e = c.refusal(of.flow_mod(V13, of.match(of.oxm(in_port=1) * 2)))
        assert e == (4, 10), f"a field twice: {e}"


def unknown_things(sw):
    """[7.18] unknown types, experimenters and multiparts are errors, and the connection stays"""
    for v in (V10, V13, V14, V15):
        with client(sw, v) as c:
            assert c.refusal(of.msg(v, 99)) == (1, 1), "BAD_TYPE"
            assert c.refusal(of.experimenter(v, 0xabcdef, 1)) == (1, 3), "BAD_EXPERIMENTER"
            e = c.refusal(of.experimenter(v, of.NX, 0xfff0))
            assert e == ((1, 4) if sw.kind == "weft" or e == (1, 4) else e), f"an unknown subtype of Nicira's: {e}"
            assert c.refusal(of.stats(v, 0x7777)) == (1, 2), "BAD_STAT"
            e = c.refusal(of.stats(v, 0xffff, struct.pack("!II", 0xabcdef, 0)))
            assert e == (1, 3), f"an experimenter's multipart: {e}"
            c.barrier()


def flood_and_normal(sw):
    """[7.20] FLOOD and NORMAL exist, differ, and never send back; IN_PORT does"""
    a, b, d = sw.hosts
    for v in (V10, V13):
        with client(sw, v) as c:
            frame = udp_frame(a, b, 8, 8)
            everything = of.output(v, of.NORMAL) if v == V10 else of.apply(of.output(v, of.NORMAL))
            c.do(of.flow_mod(v, acts=everything))
            # The switch learns b, and unlearns nothing else.
            b.send(arp_frame(2, b.mac, b.ip, a.mac, a.ip, a.mac))
            a.recv(lambda f: f[12:14] == b"\x08\x06", 0.5)
            for h in sw.hosts:
                h.drain()
            wait_for("NORMAL learns", lambda: not (a.send(frame) or (b.recv(frame) and d.recv(frame, 0.1))), 5)
            flood = of.output(v, of.FLOOD) if v == V10 else of.apply(of.output(v, of.FLOOD))
            c.do(of.flow_mod(v, acts=flood))
            for h in sw.hosts:
                h.drain()
            a.send(frame)
            assert b.recv(frame) and d.recv(frame) and a.recv(frame, 0.1) is None, "FLOOD"
            back = of.output(v, 1) + of.output(v, of.IN_PORT)
            c.do(of.flow_mod(v, acts=back if v == V10 else of.apply(back)))
            a.send(frame)
            assert a.count(lambda f: f == frame, 0.2) == 1, "IN_PORT sends back once, output to the same port does not"


def stats_load(sw):
    """[7.19] polling eight kinds of statistics disturbs no packet"""
    a, b, _ = sw.hosts
    with client(sw, V13) as c:
        c.do(rule(V13, 1, [of.output(V13, 2)]) + b"".join(
            of.flow_mod(V13, of.match(eth_type=0x800, ipv4_dst=f"10.9.{i >> 8}.{i & 255}"), of.apply(of.output(V13, 2)),
                        table=1) for i in range(2000)))
        n = 0
        flow_body = struct.pack("!B3xII4xQQ", 0xff, of.ANY, of.ANY, 0, 0) + of.match()
        for i in range(5):
            for kind, body in ((1, flow_body), (2, flow_body), (3, b""), (4, struct.pack("!I4x", of.ANY)),
                               (5, struct.pack("!II", of.ANY, of.ANY)), (6, struct.pack("!I4x", 0xfffffffc)), (7, b""),
                               (9, struct.pack("!I4x", 0xffffffff)), (10, struct.pack("!I4x", 0xffffffff))):
                for k in range(5):
                    a.send(udp_frame(a, b, 50, k))
                    n += 1
                c.stats(kind, body)
        got = b.count(lambda f: f[:12] == udp_frame(a, b)[:12])
        assert got == n, f"{n - got} of {n} packets were lost"


def miss_per_version(sw):
    """[6] table miss: 1.0 sends the packet to the controller, 1.3 and later drop it"""
    a, b, _ = sw.hosts
    frame = udp_frame(a, b, 3, 3)
    with client(sw, V10) as c:
        a.send(frame)
        p = c.packet_in()
        assert p.reason == 0 and p.in_port == 1
    with client(sw, V13) as c:
        a.send(frame)
        c.no_packet_in()
        c.do(of.flow_mod(V13, priority=0, acts=of.apply(of.output(V13, of.CONTROLLER))))
        a.send(frame)
        p = c.packet_in()
        assert p.reason == 0, f"[8] the priority-0 rule reports NO_MATCH; reason {p.reason}"
        assert p.table == 0
        # In a later table, too.
        c.do(of.flow_mod(V13, acts=of.goto(7), priority=1)
             + of.flow_mod(V13, table=7, priority=0, cookie=0x77, acts=of.apply(of.output(V13, of.CONTROLLER))))
        a.send(frame)
        p = c.packet_in()
        assert (p.table, p.cookie, p.reason) == (7, 0x77, 0), f"{p}"


def miss_of_tables(sw):
    """[6] table miss: what TABLE_MOD of 1.1 and 1.2 says of it"""
    a, b, _ = sw.hosts
    frame = udp_frame(a, b, 3, 4)
    with client(sw, V10) as c:
        sw.ofctl(["add-flow", "BR", "table=9,actions=2"], "OpenFlow11")
        a.send(frame)
        assert c.packet_in().reason == 0

        def mod_table(what):
            sw.ofctl(f"mod-table BR {what}", "OpenFlow11")
            c.do(b"")
        mod_table("all continue")
        a.send(frame)
        assert b.recv(frame), "tables 0 to 8 do not go on"
        mod_table("5 drop")
        a.send(frame)
        assert not b.recv(frame, 0.3)
        c.no_packet_in()
        mod_table("all controller")
        a.send(frame)
        assert c.packet_in().reason == 0


def nicira_on_10(sw):
    """[8] 1.0 with Nicira's extensions as POX uses them: table ids, NXM, resubmit, packet-in format"""
    a, b, _ = sw.hosts
    frame = udp_frame(a, b, 9, 9)
    with client(sw, V10) as c:
        c.do(of.experimenter(V10, of.NX, 15, b"\1" + b"\0" * 7))        # FLOW_MOD_TABLE_ID
        c.do(of.experimenter(V10, of.NX, 16, struct.pack("!I", 1)))     # packet-in format NXM
        # Table 0: resubmit to table 1; table 1, by NXM: eth_dst of b to port 2.
        c.do(of.flow_mod(V10, acts=of.resubmit_table(1), command=0))
        nxm = struct.pack("!I6s", 0x00000206, of.mac(b.mac))
        nx_mod = struct.pack("!QHHHHIHHH6x", 0x55, 0x0100, 0, 0, 9, of.NO_BUFFER, 0xffff, 0, len(nxm))
        nx_mod += of.pad8(nxm) + of.output(V10, 2)
        c.do(of.experimenter(V10, of.NX, 13, nx_mod))
        a.send(frame)
        assert b.recv(frame), "the rule in table 1"
        c.do(of.flow_mod(V10, command=0x0103) + of.flow_mod(V10, acts=of.output(V10, of.CONTROLLER), command=0x0100, cookie=0x66))
        a.send(frame)
        m = c.recv("EXPERIMENTER")
        vendor, subtype = struct.unpack_from("!II", m.body)
        assert (vendor, subtype) == (of.NX, 17), "an NXT_PACKET_IN"
        _buffer, total, reason, table, cookie, match_len = struct.unpack_from("!IHBBQH", m.body, 8)
        assert (total, reason, table, cookie) == (len(frame), 1, 1, 0x66), f"{total} {reason} {table} {cookie:#x} {match_len}"


def groups_13(sw):
    """groups: ALL, SELECT, INDIRECT, FAST_FAILOVER forward; loops and missing ones are refused"""
    a, b, d = sw.hosts
    frame = udp_frame(a, b, 2, 2)
    out = lambda p: of.output(V13, p)  # noqa: E731
    with client(sw, V13) as c:
        c.send(of.group_mod(V13, of.ANY - 3, command=2))
        c.do(of.group_mod(V13, 1, 0, [(out(2), 0, of.ANY), (out(3), 0, of.ANY)])
             + of.group_mod(V13, 2, 1, [(out(2), 1, of.ANY), (out(3), 1, of.ANY)])
             + of.group_mod(V13, 3, 2, [(out(3), 0, of.ANY)])
             + of.group_mod(V13, 4, 3, [(out(2), 0, 99), (out(3), 0, 3)]))
        for group, want in ((1, {2, 3}), (2, None), (3, {3}), (4, {3})):
            c.do(rule(V13, 1, [of.group_action(group)]))
            a.send(frame)
            got = {h.n for h in (b, d) if h.recv(frame, 0.5)}
            assert got == want or (want is None and len(got) == 1), f"group {group}: ports {got}"
        assert c.refusal(of.group_mod(V13, 1, 0, [])) == (6, 0), "a group twice"
        assert c.refusal(of.group_mod(V13, 77, 0, [], command=1)) == (6, 8), "MODIFY of none"
        e = c.refusal(of.group_mod(V13, 8, 0, [(of.group_action(888), 0, of.ANY)]))
        assert e in ((2, 9), (6, 7)) or sw.kind == "ovs", f"a bucket with a group that is not there: {e}"
        c.do(of.group_mod(V13, 9, 0, [(out(2), 0, of.ANY)]) + of.group_mod(V13, 10, 0, [(of.group_action(9), 0, of.ANY)]))
        # A loop: refused (weft), or noticed when a packet meets it.
        e = c.refusal(of.group_mod(V13, 9, 0, [(of.group_action(10), 0, of.ANY)], command=1))
        assert e == (6, 7) or sw.kind == "ovs", f"a loop of groups: {e}"
        c.do(rule(V13, 1, [of.group_action(9)]))
        a.send(frame)
        c.barrier()
        # One that another group needs stays; deleting a group takes the rules that use it along.
        e = c.refusal(of.group_mod(V13, 9, command=2))
        assert e == (6, 9) or sw.kind == "ovs", f"a group that another one uses is deleted: {e}"
        c.do(of.group_mod(V13, 10, command=2) + of.group_mod(V13, 9, command=2))
        assert not sw.flows("OpenFlow13"), f"{sw.flows('OpenFlow13')}"
        c.do(of.group_mod(V13, 0xfffffffc, command=2))


def vlan_on_10(sw):
    """1.0's SET_VLAN_VID pushes a tag onto an untagged frame; set_field of 1.3 does not"""
    a, b, _ = sw.hosts
    frame = eth(b.mac, a.mac, 0x0800, b"E" + bytes(45))
    with client(sw, V10) as c:
        c.do(rule(V10, 1, [struct.pack("!HHH2x", 1, 8, 7), of.output(V10, 2)]))
        a.send(frame)
        # The kernel takes the tag off before a packet socket sees it, and passes it beside: match by length and address.
        assert b.recv(lambda f: f[:12] == frame[:12]), "nothing came"
    with client(sw, V13) as c:
        e = c.refusal(of.flow_mod(V13, of.match(in_port=1), of.apply(of.set_field(vlan_vid=0x1007), of.output(V13, 2))))
        assert e in ((2, 10), None), f"{e}"


CASES = (match_normalisation_10, exact_match_wins_10, buffers, buffer_age, whole_frame, packet_out_table, barrier_order,
         barrier_under_traffic, one_xid_for_all, packet_out_in_ports, port_flags_10, port_mod_errors,
         port_flags_outlive_the_controller, features_any_time, lldp, flow_mod_flags, timeouts, cookies, bundles, stats_echo,
         errors_quote, unknown_things, stats_load, flood_and_normal, miss_per_version, miss_of_tables, nicira_on_10, groups_13, vlan_on_10)


def main():
    with Lab("interop-rules") as lab:
        sw = switch(lab, "rules", 3, stack=False)
        Cases(lab, sw).run(CASES)


if __name__ == "__main__":
    sys.exit(main())
