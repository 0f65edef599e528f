#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Connections: version negotiation, keepalive, back-off, roles, asynchronous messages, and peers that misbehave.

Two hosts on one bridge; clients on its local socket, controllers on 127.0.0.1 of the switch's namespace (drawing in
peers.py)."""
import os
import random
import socket
import struct
import sys
import time

import of
from of import V10, V13, V14, V15
from peers import Cases, Lab, inside, switch, udp_frame, wait_for

ALL_VERSIONS = (V10, of.V11, of.V12, V13, V14, V15)


def raw(sw):
    """A connection to the local socket on which nothing was said."""
    s = socket.socket(socket.AF_UNIX)
    end = time.monotonic() + 5
    while True:
        try:
            s.connect(sw.mgmt)
            return of.Conn(s)
        except BlockingIOError:         # The backlog is full.
            assert time.monotonic() < end, "nobody accepts"
            time.sleep(0.005)


def listen(sw, port=0):
    with inside(sw.ns):
        return of.Listener(port)


def dialled(sw, lis, version=V13, **kw):
    """Has the switch call 'lis' and gives the connection, hands shaken."""
    sw.set_controllers([f"tcp:127.0.0.1:{lis.port}"], **kw)
    return lis.accept(15).start(version)


# --- section 6 ---------------------------------------------------------------------------------

def hello_matrix(sw):
    """[6.hello] each version alone, with and without a bitmap, is spoken"""
    for v in ALL_VERSIONS:
        for bitmap in (True, False):
            c = raw(sw).start(v, bitmap)
            assert c.peer_hello.version >= V14, f"our highest is {c.peer_hello.version}"
            m = c.call("FEATURES_REQUEST")
            assert (m.version, m.name) == (v, "FEATURES_REPLY"), f"{of.NAMES[v]}: {m.version} {m.name}"
            c.close()
    # A list: the highest both have.
    c = raw(sw)
    c.send(of.hello(V13, [V10, V13]))
    c.version = V13
    assert c.recv("HELLO") and c.call("FEATURES_REQUEST").version == V13
    c.close()
    # A higher one that nobody has yet, without a bitmap: ours.
    c = raw(sw)
    c.send(of.hello(9))
    c.version = c.recv("HELLO").version
    c.barrier()
    c.close()


def hello_comes_first(sw):
    """[6.hello] the switch's HELLO comes at once, unasked, and nothing else before negotiation"""
    with raw(sw) as c:
        m = c.recv(timeout=2)
        assert m.name == "HELLO"
        assert c.poll(timeout=0.5) is None, "something came before negotiation"


def hello_incompatible(sw):
    """[6.hello] no common version: ERROR HELLO_FAILED/INCOMPATIBLE, then the end"""
    with raw(sw) as c:
        c.recv("HELLO")
        c.send(of.hello(0x40, [30]))
        e = of.parse_error(c.recv("ERROR"))
        assert (e.type, e.code) == (0, 0), f"{e}"
        assert c.closes()


def hello_elements(sw):
    """[6.hello] unknown elements in a HELLO are skipped, also in a 1.0 one"""
    for v in (V10, V13):
        with raw(sw) as c:
            junk = struct.pack("!HH4s", 0x77, 8, b"junk") + struct.pack("!HHB3x", 0x78, 5, 1)
            c.send(of.msg(v, "HELLO", junk, 1))
            c.version = v
            c.recv("HELLO")
            c.barrier()


def second_hello(sw):
    """[6.hello] a second HELLO is ignored"""
    with raw(sw).start(V13) as c:
        c.send(of.hello(V13, [V13], xid=5))
        c.barrier()
        c.send(of.hello(V10, xid=6))
        c.poll(timeout=0.1)
        c.barrier()


def wrong_version(sw):
    """a message of another version after negotiation: an error, and no answer in kind"""
    with raw(sw).start(V13) as c:
        c.send(of.msg(V10, "FEATURES_REQUEST", b"", 77))
        try:
            m = c.recv(lambda m: m.xid == 77)
            assert m.name == "ERROR" and of.parse_error(m)[:2] == (1, 0), f"{m.name}"
        except of.Closed:
            assert sw.kind == "ovs"


def port_desc_on_10(sw):
    """[2] PORT_DESC is answered with a 1.0 header"""
    with raw(sw).start(V10) as c:
        ports = of.parse_ports(V10, c.stats(13))
        assert {1, 2} <= set(ports), f"{ports}"


def half_close(sw):
    """[6.eof] a half-close ends the connection"""
    with raw(sw).start(V13) as c:
        c.sock.shutdown(socket.SHUT_WR)
        assert c.closes(3), "the switch keeps a connection whose peer has shut down"
    with listen(sw) as lis:
        c = dialled(sw, lis)
        c.sock.shutdown(socket.SHUT_WR)
        assert c.closes(3), "the switch keeps a controller that has shut down"
        c.close()
        lis.accept(5).close()


def echo(sw):
    """[6.echo] same xid and payload, of any length, while requests stream"""
    with raw(sw).start(V13) as c:
        for n in (0, 1, 8, 1000, 65527):
            body = os.urandom(n)
            m = c.call("ECHO_REQUEST", body)
            assert m.name == "ECHO_REPLY" and m.body == body, f"{n} bytes"
        c.send(b"".join(of.flow_mod(V13, of.match(eth_type=0x800, ipv4_dst=f"10.8.{i >> 8}.{i & 255}"), table=3)
                        for i in range(5000)))
        m = c.call("ECHO_REQUEST", b"still there")
        assert m.body == b"still there"
        c.do(of.flow_mod(V13, command=of.DELETE, table=3))


def own_probes(sw):
    """[6.probe] a silent controller is probed, and dropped when it does not answer; one that answers stays"""
    with listen(sw) as lis:
        c = dialled(sw, lis, probe_ms=sw.probe_ms, backoff_ms=1000)
        patience = sw.probe_ms / 1000 * 2 + 1
        for _ in range(2):
            c.answer_echo = False
            m = c.recv("ECHO_REQUEST", patience)
            c.send(of.msg(c.version, "ECHO_REPLY", m.body, m.xid))
        c.recv("ECHO_REQUEST", patience)
        began = time.monotonic()
        assert c.closes(patience), "a dead controller is kept"
        assert time.monotonic() - began > sw.probe_ms / 2000
        c.close()
        # 0: no probes at all.
        sw.set_controllers([f"tcp:127.0.0.1:{lis.port}"], probe_ms=0)
        c = lis.accept(5).start(V13)
        c.answer_echo = False
        assert c.poll("ECHO_REQUEST", 2.5) is None, "probes although they are off"
        c.barrier()
        c.close()


def backoff(sw):
    """[6.backoff] 1, 2, 4 ... s between attempts, up to the cap, and 1 again after a success"""
    with listen(sw) as lis:
        port = lis.port
        c = dialled(sw, lis, backoff_ms=2000)
        times = []
        c.close()
        for _ in range(4):
            c = lis.accept(10)
            times.append(time.monotonic())
            c.close()
        gaps = [b - a for a, b in zip(times, times[1:])]
        if sw.kind == "weft":           # Open vSwitch goes beyond its cap when a connection came about.
            assert all(0.7 < g < 3.2 for g in gaps), f"gaps of {gaps}"
            assert gaps[-1] > 1.5, f"the last gaps are to be 2 s: {gaps}"
        lis.accept(10).start(V13).barrier().close()
    with listen(sw, port) as lis:
        c = lis.accept(10).start(V13)
        c.barrier()
        c.close()


def many_controllers(sw):
    """[6.controllers] all are dialled; each has its own version and gets its own packet-ins"""
    a, b = sw.hosts[:2]
    with listen(sw) as l1, listen(sw) as l2, listen(sw) as l3:
        sw.set_controllers([f"tcp:127.0.0.1:{x.port}" for x in (l1, l2, l3)])
        c1, c2, c3 = l1.accept().start(V10), l2.accept().start(V13), l3.accept().start(V14)
        c2.do(of.delete_all(V13) + of.flow_mod(V13, priority=0, acts=of.apply(of.output(V13, of.CONTROLLER))))
        frame = udp_frame(a, b)
        a.send(frame)
        for c in (c1, c2, c3):
            p = c.packet_in()
            assert p.data == frame and p.in_port == 1
        sw.set_controllers([f"tcp:127.0.0.1:{l2.port}"])
        assert c1.closes(3) and c3.closes(3), "a controller that was removed stays connected"
        c2.barrier()
        for c in (c1, c2, c3):
            c.close()


def protocols(sw):
    """[6.protocols] a limit of versions holds for controllers and for the local socket"""
    with listen(sw) as lis:
        sw.set_controllers([f"tcp:127.0.0.1:{lis.port}"], protocols="OpenFlow10,OpenFlow13")
        c = lis.accept()
        c.send(of.hello(V15, [V10, V13, V14, V15]))
        m = c.recv("HELLO")
        assert m.version == V13, f"HELLO of version {m.version}"
        # {1.0, 1.3} is not "all up to 1.3": it takes the bitmap to say so.
        assert struct.unpack_from("!HHI", m.body) == (1, 8, 1 << V10 | 1 << V13), m.body.hex()
        c.version = V13
        c.barrier()
        c.close()
        c = raw(sw)
        c.send(of.hello(V14, [V14]))
        assert of.parse_error(c.recv("ERROR"))[:2] == (0, 0), "the local socket speaks a version that is off"
        c.close()
    sw.set_controllers([])


def passive(sw):
    """[6.targets] ptcp: and punix: are listened on, several clients at once"""
    path = os.path.join(sw.run_dir, "weft-test.sock")
    with inside(sw.ns):
        probe = socket.socket()
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
    # Open vSwitch has punix: for the local socket only.
    sw.set_controllers([f"ptcp:{port}:127.0.0.1"] + ([f"punix:{path}"] if sw.kind == "weft" else []))

    def call():
        try:
            with inside(sw.ns):
                return socket.create_connection(("127.0.0.1", port), 1)
        except OSError:
            return None
    conns = [of.Conn(wait_for("ptcp:", call, 5)).start(V13)]
    conns.append(of.Conn(call()).start(V10))
    if sw.kind == "weft":
        conns.append(of.Conn.unix(path, V14))
    for c in conns:
        c.barrier()
        # No packet-ins before they are asked for.
        c.no_packet_in(0.05)
        c.close()
    sw.set_controllers([])
    wait_for("ptcp: closed", lambda: call() is None, 5)


def service_connections(sw):
    """[6.service] no asynchronous messages until SET_CONFIG or SET_ASYNC asks for them"""
    a, b = sw.hosts[:2]
    frame = udp_frame(a, b)
    with raw(sw).start(V13) as c:
        c.do(of.delete_all(V13) + of.flow_mod(V13, priority=0, acts=of.apply(of.output(V13, of.CONTROLLER)), flags=1))
        a.send(frame)
        c.no_packet_in()
        c.do(of.delete_all(V13))
        assert c.poll("FLOW_REMOVED", 0.2) is None
        c.do(of.flow_mod(V13, priority=0, acts=of.apply(of.output(V13, of.CONTROLLER)), flags=1))
        c.do(of.set_config(V13, 0, 128))
        a.send(frame)
        assert c.packet_in().data == frame
    with raw(sw).start(V13) as c:
        # Only FLOW_REMOVED of reason DELETE for equal and master.
        c.do(of.msg(V13, "SET_ASYNC", struct.pack("!6I", 0, 0, 0, 0, 4, 0)))
        c.do(of.delete_all(V13))
        assert c.recv("FLOW_REMOVED")


def identity(sw):
    """[6.identity] the datapath id is stable; names and descriptions are zero-filled after the NUL"""
    with raw(sw).start(V13) as c:
        dpid = c.features()[0]
        desc = c.stats(0)
        assert len(desc) == 1056
        at = 0
        for n in (256, 256, 256, 32, 256):
            text, _, rest = desc[at:at + n].partition(b"\0")
            assert not rest.strip(b"\0"), f"rubbish after {text}"
            at += n
        tables = c.stats(12) if sw.kind == "ovs" else c.stats(3)
        assert tables
        for p in c.ports().values():
            name, _, rest = p.name.partition(b"\0")
            assert name and not rest.strip(b"\0"), f"rubbish after {name}"
    with raw(sw).start(V10) as c:
        assert c.features()[0] == dpid
        body = c.stats(3)
        for at in range(0, len(body), 64):
            name, _, rest = body[at + 4:at + 36].partition(b"\0")
            assert not rest.strip(b"\0"), f"rubbish after table {name}"
        a = c.call("GET_CONFIG_REQUEST")
        assert a.name == "GET_CONFIG_REPLY" and struct.unpack("!HH", a.body) == (0, 0 if sw.kind == "x" else
                                                                                  struct.unpack("!HH", a.body)[1])


def identity_strings(sw):
    """[6.identity] the descriptions can be set, such as those by which POX and ONOS know Open vSwitch"""
    if sw.kind != "weft":
        return "Weft's own settings"
    sw.d.ctl(["bridge", "set", "br0", "mfr-desc=Nicira, Inc.", "hw-desc=Open vSwitch", "sw-desc=2.17.0", "serial-desc=s1",
              "dp-desc=rack 7", "datapath-id=00000000000000a1"])
    with raw(sw).start(V10) as c:
        desc = c.stats(0)
        got, at = [], 0
        for n in (256, 256, 256, 32, 256):
            got.append(desc[at:at + n].rstrip(b"\0").decode())
            at += n
        assert got == ["Nicira, Inc.", "Open vSwitch", "2.17.0", "s1", "rack 7"], f"{got}"
        assert c.features()[0] == 0xa1
    return None


def roles(sw):
    """[6.roles] NOCHANGE, MASTER, SLAVE, EQUAL; generation ids as signed distances"""
    with listen(sw) as l1, listen(sw) as l2:
        sw.set_controllers([f"tcp:127.0.0.1:{x.port}" for x in (l1, l2)])
        c1, c2 = l1.accept().start(V13), l2.accept().start(V14)
        assert c1.role(of.NOCHANGE)[0] == of.EQUAL
        generation = c1.role(of.NOCHANGE)[1]
        if sw.kind == "weft":
            assert generation == (1 << 64) - 1, f"before any was set: {generation:#x}"
        base = (generation + 1) & ((1 << 64) - 1)
        assert c1.role(of.MASTER, base) == (of.MASTER, base)
        assert c1.role(of.MASTER, base) == (of.MASTER, base), "an equal generation is not stale"
        # The second one takes over: the first is slave, and (1.4) would be told.
        assert c2.role(of.MASTER, base + 5)[0] == of.MASTER
        assert c1.role(of.NOCHANGE)[0] == of.SLAVE
        assert c1.role(of.MASTER, base + 6)[0] == of.MASTER
        m = c2.recv("ROLE_STATUS")
        what, reason, gen = struct.unpack_from("!IB3xQ", m.body)
        assert (what, reason, gen) == (of.SLAVE, 0, base + 6), f"ROLE_STATUS {what} {reason} {gen}"
        # Older generations are stale, by signed distance.
        e = c1.role(of.MASTER, base + 5)
        assert isinstance(e, of.Error) and (e.type, e.code) == (11, 0), f"{e}"
        e = c1.role(of.SLAVE, (base + 6 + (1 << 63) + 5) & ((1 << 64) - 1))
        assert isinstance(e, of.Error) and (e.type, e.code) == (11, 0), f"far ahead is behind: {e}"
        assert c1.role(of.EQUAL)[0] == of.EQUAL, "EQUAL needs no generation"
        e = c1.role(17)
        assert isinstance(e, of.Error) and (e.type, e.code) == (11, 2), f"an unknown role: {e}"
        # What a slave may not do.
        assert c2.role(of.SLAVE, base + 6)[0] == of.SLAVE
        hw = c2.ports()[1].hw
        for name, data in (("FLOW_MOD", of.flow_mod(V14)), ("GROUP_MOD", of.group_mod(V14, 1)),
                           ("PORT_MOD", of.port_mod(V14, 1, hw, 0, 0)), ("TABLE_MOD", of.msg(V14, "TABLE_MOD", b"\0" * 8)),
                           ("METER_MOD", of.msg(V14, "METER_MOD", struct.pack("!HHI", 0, 1, 1))),
                           ("PACKET_OUT", of.packet_out(V14, b"\0" * 60, of.output(V14, 1))),
                           ("BUNDLE", of.bundle_control(V14, 1, of.OPEN_REQUEST))):
            e = c2.refusal(data)
            assert e == (1, 10), f"{name} of a slave: {e}"
        c2.stats(0)
        # A slave hears of ports only.
        a, b = sw.hosts[:2]
        c1.do(of.delete_all(V13) + of.flow_mod(V13, priority=0, acts=of.apply(of.output(V13, of.CONTROLLER))))
        a.send(udp_frame(a, b))
        assert c1.packet_in()
        c2.no_packet_in()
        c1.do(of.port_mod(V13, 1, hw, 0x20, 0x20))
        assert of.parse_port_status(c2.recv("PORT_STATUS")).port == 1
        c1.do(of.port_mod(V13, 1, hw, 0, 0x20))
        for c in (c1, c2):
            c.close()
    sw.set_controllers([])


def nicira_roles(sw):
    """[5] NXT_ROLE_REQUEST on 1.0, as ONOS and POX send it"""
    with listen(sw) as lis:
        c = dialled(sw, lis, V10)
        for what in (1, 2, 0):          # Nicira's numbers: OTHER 0, MASTER 1, SLAVE 2.
            m = c.call("EXPERIMENTER", struct.pack("!III", of.NX, 10, what))
            assert m.name == "EXPERIMENTER" and struct.unpack_from("!III", m.body) == (of.NX, 11, what), m.body.hex()
        m = c.call("EXPERIMENTER", struct.pack("!III", of.NX, 10, 2))
        e = c.refusal(of.flow_mod(V10))
        assert e in ((1, 5), (1, 10)) or e and e[0] in (1, 0xb0c2, 0xffff), f"a slave's FLOW_MOD on 1.0: {e}"
        c.close()
    sw.set_controllers([])


def async_masks(sw):
    """[6.async] masks per connection: off, programmed, on again; they act at once"""
    a, b = sw.hosts[:2]
    with listen(sw) as lis:
        c = dialled(sw, lis)
        off = of.msg(V13, "SET_ASYNC", b"\0" * 24)
        m = c.call("GET_ASYNC_REQUEST")
        assert m.name == "GET_ASYNC_REPLY" and len(m.body) == 24
        c.do(off + of.delete_all(V13) + of.flow_mod(V13, priority=0, acts=of.apply(of.output(V13, of.CONTROLLER)), flags=1))
        assert c.call("GET_ASYNC_REQUEST").body == b"\0" * 24
        hw = c.ports()[1].hw
        a.send(udp_frame(a, b))
        c.no_packet_in()
        with raw(sw).start(V13) as other:
            other.do(of.port_mod(V13, 1, hw, 0x20, 0x20))
            assert c.poll("PORT_STATUS", 0.2) is None, "masked out"
            c.do(of.msg(V13, "SET_ASYNC", struct.pack("!6I", 7, 0, 7, 0, 15, 0)))
            a.send(udp_frame(a, b))
            assert c.packet_in()
            other.do(of.port_mod(V13, 1, hw, 0, 0x20))
            assert c.recv("PORT_STATUS")
        c.do(of.delete_all(V13))
        assert c.recv("FLOW_REMOVED")
        # Only some reasons: table-miss yes, action no.
        c.do(of.msg(V13, "SET_ASYNC", struct.pack("!6I", 1, 0, 0, 0, 0, 0))
             + of.flow_mod(V13, priority=5, acts=of.apply(of.output(V13, of.CONTROLLER))))
        a.send(udp_frame(a, b))
        c.no_packet_in()
        c.close()
    sw.set_controllers([])


def fail_secure(sw):
    """[6.fail] secure: rules stay and expire, nothing more happens"""
    a, b = sw.hosts[:2]
    frame = udp_frame(a, b)
    with listen(sw) as lis:
        c = dialled(sw, lis, fail="secure", probe_ms=1000)
        c.do(of.delete_all(V13) + of.flow_mod(V13, of.match(in_port=1), of.apply(of.output(V13, 2)), hard=3)
             + of.flow_mod(V13, of.match(in_port=2), of.apply(of.output(V13, 1))))
        a.send(frame)
        assert b.recv(frame)
        c.close()
    b.drain()
    wait_for("the rule's expiry", lambda: not any("in_port=1" in x for x in sw.flows("OpenFlow13")), 6)
    assert any("in_port=2" in x for x in sw.flows("OpenFlow13")), "a rule went with its controller"
    wait_for("quiet", lambda: not a.send(frame) and b.recv(frame, 0.2) is None, 5)
    sw.set_controllers([])


def fail_standalone(sw):
    """[6.fail] standalone: a learning switch three probe intervals after the controller went, and none when it is back"""
    a, b = sw.hosts[:2]
    frame = udp_frame(a, b, 6, 6)
    with listen(sw) as lis:
        port = lis.port
        c = dialled(sw, lis, fail="standalone", probe_ms=1000, backoff_ms=1000)
        c.do(of.delete_all(V13))
        a.send(frame)
        assert b.recv(frame, 0.3) is None, "standalone although the controller is there"
        c.close()
        lis.close()
        began = time.monotonic()
        wait_for("standalone", lambda: not a.send(frame) and b.recv(frame, 0.1), 12)
        took = time.monotonic() - began
        # Open vSwitch counts from the first of its own failed attempts.
        assert 1.5 < took < 10, f"after {took:.1f} s, not 3"
    with listen(sw, port) as lis:
        c = lis.accept(8).start(V13)
        c.do(of.delete_all(V13))
        wait_for("the controller's rules", lambda: not a.send(frame) and b.recv(frame, 0.1) is None, 5)
        c.close()
    sw.set_controllers([])
    b.drain()


# --- peers that misbehave ----------------------------------------------------------------------

def alive(sw):
    with raw(sw).start(V13) as c:
        c.barrier()


def truncations(sw):
    """a message cut at every byte, its length made to fit: an error, never the end of the switch"""
    whole = of.flow_mod(V13, of.match(in_port=1, eth_type=0x800, ipv4_dst=("10.0.0.0", "255.0.0.0")),
                        of.apply(of.set_field(eth_dst="02:00:00:00:00:01"), of.output(V13, 2)) + of.goto(3), xid=1)
    with raw(sw).start(V13) as c:
        for n in range(8, len(whole)):
            cut = whole[:2] + struct.pack("!H", n) + whole[4:n]
            e = c.refusal(cut)
            # Cut before an instruction it is a whole message.
            assert e is not None or n in (80, 120), f"{n} bytes of {len(whole)} were taken"
        c.do(of.delete_all(V13))
    for n in (0, 1, 7):
        with raw(sw).start(V13) as c:
            c.send(struct.pack("!BBHI", V13, 2, n, 1))
            assert c.closes(3), f"a length of {n} in a header"
    alive(sw)


def garbage(sw):
    """garbage before and after the handshake ends the connection, not the switch"""
    rnd = random.Random(7)
    for start in (False, True):
        for _ in range(40):
            with raw(sw) as c:
                if start:
                    c.start(V13)
                try:
                    c.send(rnd.randbytes(4096))
                    c.closes(0.01)
                except (OSError, of.Closed):
                    pass
    # Right headers, random insides.
    with raw(sw).start(V13) as c:
        for kind in list(range(0, 36)) * 8:
            if kind == 0:
                continue
            c.send(of.msg(V13, kind, rnd.randbytes(rnd.randrange(0, 25) * 8), 5))
        c.barrier(10)
    alive(sw)
    sw.ofctl("del-flows BR", "OpenFlow13")


def endless_multipart(sw):
    """2^20 parts of one request are refused, and memory stays what it was"""
    with raw(sw).start(V13) as c:
        part = of.stats(V13, 12, b"", flags=1, xid=3)
        errors = 0
        for _ in range(64):
            c.send(part * 16384)
            while c.poll("ERROR", 0):
                errors += 1
        c.barrier(20)
    alive(sw)


def never_reads(sw):
    """a controller that never reads: bounded memory, packet-ins are dropped, others are served"""
    a, b = sw.hosts[:2]
    with listen(sw) as lis:
        c = dialled(sw, lis, V13, probe_ms=0)
        c.do(of.delete_all(V13) + of.flow_mod(V13, priority=0, acts=of.apply(of.output(V13, of.CONTROLLER))))
        before = memory(sw)
        frame = udp_frame(a, b, payload=bytes(1400))
        for _ in range(40):
            for _ in range(500):
                a.send(frame)
            alive(sw)
        grown = memory(sw) - before
        assert grown < 40, f"grew by {grown:.0f} MB"
        c.barrier(20)           # It reads again: the reply was not dropped.
        c.close()
    sw.set_controllers([])
    sw.ofctl("del-flows BR", "OpenFlow13")


def never_reads_replies(sw):
    """a client that asks and never reads: bounded memory, and all replies in the end"""
    before = memory(sw)
    with raw(sw).start(V13) as c:
        c.sock.setblocking(False)
        ask = b"".join(of.stats(V13, 12, xid=i) for i in range(20))
        sent = 0
        try:
            while sent < 4 << 20:
                sent += c.sock.send(ask)
        except BlockingIOError:
            pass
        alive(sw)
        grown = memory(sw) - before
        assert grown < 80, f"grew by {grown:.0f} MB"
    alive(sw)


def memory(sw):
    pids = [p.pid for p in sw.lab.processes if p.name.startswith(("weftd", "ovs-vswitchd"))]
    with open(f"/proc/{pids[-1]}/status") as f:
        return sum(int(line.split()[1]) for line in f if line.startswith("RssAnon:")) / 1024


def thousand_reconnects(sw):
    """1000 connections, one after the other and 200 at once: no descriptor and no memory stays"""
    pids = [p.pid for p in sw.lab.processes if p.name.startswith(("weftd", "ovs-vswitchd"))]
    fds = lambda: len(os.listdir(f"/proc/{pids[-1]}/fd"))  # noqa: E731
    for _ in range(50):
        raw(sw).close()
    alive(sw)
    before, mem = fds(), memory(sw)
    for i in range(1000):
        c = raw(sw)
        if i % 3:
            c.send(of.hello(V13, [V13]))
        if i % 3 == 2:
            c.send(of.msg(V13, "FEATURES_REQUEST"), of.stats(V13, 0))
        c.close()
    alive(sw)
    some = [raw(sw) for _ in range(200 if sw.kind == "weft" else 50)]
    alive(sw)
    for c in some:
        c.close()
    alive(sw)
    wait_for("descriptors given back", lambda: fds() <= before + 2, 5)
    assert memory(sw) - mem < 20, f"grew by {memory(sw) - mem:.0f} MB"


def split_bytes(sw):
    """a message that comes byte by byte, and many in one segment"""
    with raw(sw).start(V13) as c:
        for byte in of.msg(V13, "ECHO_REQUEST", b"hello", 3):
            c.send(bytes([byte]))
        assert c.recv("ECHO_REPLY").body == b"hello"
        c.send(b"".join(of.msg(V13, "ECHO_REQUEST", struct.pack("!I", i), i) for i in range(1000)))
        assert [c.recv("ECHO_REPLY").xid for _ in range(1000)] == list(range(1000)), "answers out of order"


CASES = (hello_matrix, hello_comes_first, hello_incompatible, hello_elements, second_hello, wrong_version, port_desc_on_10,
         half_close, echo, own_probes, backoff, many_controllers, protocols, passive, service_connections, identity,
         identity_strings, roles,
         nicira_roles, async_masks, fail_secure, fail_standalone, truncations, garbage, endless_multipart, never_reads,
         never_reads_replies, thousand_reconnects, split_bytes)


def main():
    with Lab("interop-conn") as lab:
        sw = switch(lab, "conn", 2, stack=False)
        Cases(lab, sw).run(CASES)


if __name__ == "__main__":
    sys.exit(main())
