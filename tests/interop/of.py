# SPDX-License-Identifier: Apache-2.0
"""A small OpenFlow endpoint in plain struct code, for tests that must control every byte and every order of events.

Written from the specifications and independent of Weft's own codec, so that a shared misreading cannot pass.  1.0, 1.3,
1.4 and 1.5 as far as the tests need them.  Port numbers are the 32-bit ones; 1.0 gets their lower half."""
import select
import socket
import ssl
import struct
import time
from collections import namedtuple

V10, V11, V12, V13, V14, V15 = range(1, 7)
NAMES = {V10: "OpenFlow10", V11: "OpenFlow11", V12: "OpenFlow12", V13: "OpenFlow13", V14: "OpenFlow14", V15: "OpenFlow15"}

IN_PORT, TABLE, NORMAL, FLOOD, ALL, CONTROLLER, LOCAL, ANY = (
    0xfffffff8, 0xfffffff9, 0xfffffffa, 0xfffffffb, 0xfffffffc, 0xfffffffd, 0xfffffffe, 0xffffffff)
NO_BUFFER = 0xffffffff
NX, ONF = 0x2320, 0x4f4e4600

COMMON = {"HELLO": 0, "ERROR": 1, "ECHO_REQUEST": 2, "ECHO_REPLY": 3, "EXPERIMENTER": 4, "FEATURES_REQUEST": 5,
          "FEATURES_REPLY": 6, "GET_CONFIG_REQUEST": 7, "GET_CONFIG_REPLY": 8, "SET_CONFIG": 9, "PACKET_IN": 10,
          "FLOW_REMOVED": 11, "PORT_STATUS": 12, "PACKET_OUT": 13, "FLOW_MOD": 14}
TYPES_10 = {**COMMON, "PORT_MOD": 15, "STATS_REQUEST": 16, "STATS_REPLY": 17, "BARRIER_REQUEST": 18, "BARRIER_REPLY": 19,
            "QUEUE_GET_CONFIG_REQUEST": 20, "QUEUE_GET_CONFIG_REPLY": 21}
TYPES_13 = {**COMMON, "GROUP_MOD": 15, "PORT_MOD": 16, "TABLE_MOD": 17, "STATS_REQUEST": 18, "STATS_REPLY": 19,
            "BARRIER_REQUEST": 20, "BARRIER_REPLY": 21, "QUEUE_GET_CONFIG_REQUEST": 22, "QUEUE_GET_CONFIG_REPLY": 23,
            "ROLE_REQUEST": 24, "ROLE_REPLY": 25, "GET_ASYNC_REQUEST": 26, "GET_ASYNC_REPLY": 27, "SET_ASYNC": 28,
            "METER_MOD": 29, "ROLE_STATUS": 30, "TABLE_STATUS": 31, "REQUESTFORWARD": 32, "BUNDLE_CONTROL": 33,
            "BUNDLE_ADD": 34, "CONTROLLER_STATUS": 35}


def typ(v, name):
    return (TYPES_10 if v == V10 else TYPES_13)[name]


class Msg(namedtuple("Msg", "version type xid body")):
    @property
    def name(self):
        for name, code in (TYPES_10 if self.version == V10 else TYPES_13).items():
            if code == self.type:
                return name
        return f"type {self.type}"

    @property
    def raw(self):
        return struct.pack("!BBHI", self.version, self.type, 8 + len(self.body), self.xid) + self.body


def msg(v, name, body=b"", xid=0):
    code = name if isinstance(name, int) else typ(v, name)
    return struct.pack("!BBHI", v, code, 8 + len(body), xid) + body


def hello(version, bitmap=None, xid=1):
    body = b""
    if bitmap is not None:
        body = struct.pack("!HHI", 1, 8, sum(1 << v for v in bitmap))
    return msg(version, "HELLO", body, xid)


def pad8(data):
    return data + b"\0" * (-len(data) % 8)


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


# --- matches -----------------------------------------------------------------------------------

OXM = {"in_port": (0, 4), "in_phy_port": (1, 4), "metadata": (2, 8), "eth_dst": (3, 6), "eth_src": (4, 6), "eth_type": (5, 2),
       "vlan_vid": (6, 2), "vlan_pcp": (7, 1), "ip_dscp": (8, 1), "ip_ecn": (9, 1), "ip_proto": (10, 1), "ipv4_src": (11, 4),
       "ipv4_dst": (12, 4), "tcp_src": (13, 2), "tcp_dst": (14, 2), "udp_src": (15, 2), "udp_dst": (16, 2), "arp_op": (21, 2),
       "arp_spa": (22, 4), "arp_tpa": (23, 4), "tunnel_id": (38, 8)}


def field_bytes(value, n):
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return mac(value) if ":" in value else socket.inet_aton(value)
    return value.to_bytes(n, "big")


def oxm(**fields):
    """TLVs alone.  A value, or a pair of value and mask."""
    out = b""
    for name, value in fields.items():
        code, n = OXM[name]
        if isinstance(value, tuple):
            out += struct.pack("!HBB", 0x8000, code << 1 | 1, 2 * n) + field_bytes(value[0], n) + field_bytes(value[1], n)
        else:
            out += struct.pack("!HBB", 0x8000, code << 1, n) + field_bytes(value, n)
    return out


def match(tlvs=b"", **fields):
    """ofp_match of 1.2 and later, padded."""
    tlvs += oxm(**fields)
    return pad8(struct.pack("!HH", 1, 4 + len(tlvs)) + tlvs)


WILD = {"in_port": 0, "dl_vlan": 1, "dl_src": 2, "dl_dst": 3, "dl_type": 4, "nw_proto": 5, "tp_src": 6, "tp_dst": 7,
        "dl_vlan_pcp": 20, "nw_tos": 21}


def match10(wildcards=None, **fields):
    """The 40-byte match.  Fields that are not named are wildcards, unless 'wildcards' says otherwise."""
    w = 0x3fffff
    for name in fields:
        if name in WILD:
            w &= ~(1 << WILD[name])
        elif name == "nw_src":
            w &= ~(63 << 8)
        elif name == "nw_dst":
            w &= ~(63 << 14)
    f = dict(fields)
    return struct.pack("!IH6s6sHBBHBB2s4s4sHH", w if wildcards is None else wildcards, f.get("in_port", 0) & 0xffff,
                       mac(f.get("dl_src", "00:00:00:00:00:00")), mac(f.get("dl_dst", "00:00:00:00:00:00")),
                       f.get("dl_vlan", 0), f.get("dl_vlan_pcp", 0), 0, f.get("dl_type", 0), f.get("nw_tos", 0),
                       f.get("nw_proto", 0), b"", socket.inet_aton(f.get("nw_src", "0.0.0.0")),
                       socket.inet_aton(f.get("nw_dst", "0.0.0.0")), f.get("tp_src", 0), f.get("tp_dst", 0))


# --- actions and instructions ------------------------------------------------------------------

def output(v, port, max_len=0xffff):
    if v == V10:
        return struct.pack("!HHHH", 0, 8, port & 0xffff, max_len)
    return struct.pack("!HHIH6x", 0, 16, port, max_len)


def set_field(**one):
    tlv = oxm(**one)
    return struct.pack("!HH", 25, (4 + len(tlv) + 7) // 8 * 8) + pad8(b"\0" * 4 + tlv)[4:]


def set_dl_dst10(addr):
    return struct.pack("!HH6s6x", 5, 16, mac(addr))


def group_action(group):
    return struct.pack("!HHI", 22, 8, group)


def nx_action(subtype, body):
    """One of Nicira's; 'body' follows the subtype."""
    data = struct.pack("!IH", NX, subtype) + body
    length = (4 + len(data) + 7) // 8 * 8
    return struct.pack("!HH", 0xffff, length) + data.ljust(length - 4, b"\0")


def resubmit_table(table, port=0xfff8):
    return nx_action(14, struct.pack("!HB3x", port, table))


def apply(*actions):
    return instruction(4, b"\0" * 4 + b"".join(actions))


def write(*actions):
    return instruction(3, b"\0" * 4 + b"".join(actions))


def goto(table):
    return instruction(1, struct.pack("!B3x", table))


def meter(meter_id):
    return instruction(6, struct.pack("!I", meter_id))


def instruction(code, body):
    return struct.pack("!HH", code, 4 + len(body)) + body


# --- messages ----------------------------------------------------------------------------------

ADD, MODIFY, MODIFY_STRICT, DELETE, DELETE_STRICT = range(5)


def flow_mod(v, m=None, acts=b"", command=ADD, table=0, priority=0x8000, cookie=0, cookie_mask=0, idle=0, hard=0, flags=0,
             buffer_id=NO_BUFFER, out_port=ANY, out_group=ANY, importance=0, xid=0):
    """acts: actions in 1.0, instructions later."""
    if v == V10:
        body = (m if m is not None else match10()) + struct.pack(
            "!QHHHHIHH", cookie, command, idle, hard, priority, buffer_id, out_port & 0xffff, flags) + acts
    else:
        body = struct.pack("!QQBBHHHIIIHH", cookie, cookie_mask, table, command, idle, hard, priority, buffer_id, out_port,
                           out_group, flags, importance) + (m if m is not None else match()) + acts
    return msg(v, "FLOW_MOD", body, xid)


def delete_all(v, xid=0, table=0xff):
    if v == V10:
        return flow_mod(v, command=DELETE, xid=xid)
    return flow_mod(v, command=DELETE, table=table, xid=xid)


def packet_out(v, data=b"", actions=b"", in_port=ANY, buffer_id=NO_BUFFER, xid=0):
    """in_port ANY: 1.0's OFPP_NONE, CONTROLLER in later versions."""
    if v == V10:
        body = struct.pack("!IHH", buffer_id, in_port & 0xffff, len(actions))
    elif v < V15:
        body = struct.pack("!IIH6x", buffer_id, CONTROLLER if in_port == ANY else in_port, len(actions))
    else:
        body = struct.pack("!IH2x", buffer_id, len(actions)) + match(in_port=CONTROLLER if in_port == ANY else in_port)
    return msg(v, "PACKET_OUT", body + actions + data, xid)


def set_config(v, flags=0, miss_send_len=0xffff, xid=0):
    return msg(v, "SET_CONFIG", struct.pack("!HH", flags, miss_send_len), xid)


def stats(v, code, body=b"", flags=0, xid=0):
    return msg(v, "STATS_REQUEST", struct.pack("!HH", code, flags) + (b"" if v == V10 else b"\0" * 4) + body, xid)


def experimenter(v, exp, code, body=b"", xid=0):
    return msg(v, "EXPERIMENTER", struct.pack("!II", exp, code) + body, xid)


NOCHANGE, EQUAL, MASTER, SLAVE = range(4)


def role(v, what, generation=0, xid=0):
    return msg(v, "ROLE_REQUEST", struct.pack("!I4xQ", what, generation), xid)


def group_mod(v, group, gtype=0, buckets=(), command=0, xid=0):
    """buckets: (actions, weight, watch_port) of 1.3 and 1.4."""
    body = struct.pack("!HBxI", command, gtype, group)
    for actions, weight, watch in buckets:
        body += struct.pack("!HHII4x", 16 + len(actions), weight, watch, ANY) + actions
    return msg(v, "GROUP_MOD", body, xid)


def port_mod(v, port, hw, config, mask, xid=0):
    if v == V10:
        return msg(v, "PORT_MOD", struct.pack("!H6sIII4x", port & 0xffff, mac(hw), config, mask, 0), xid)
    if v == V13:
        return msg(v, "PORT_MOD", struct.pack("!I4x6s2xIII4x", port, mac(hw), config, mask, 0), xid)
    return msg(v, "PORT_MOD", struct.pack("!I4x6s2xII", port, mac(hw), config, mask) + struct.pack("!HHI", 0, 8, 0), xid)


OPEN_REQUEST, OPEN_REPLY, CLOSE_REQUEST, CLOSE_REPLY, COMMIT_REQUEST, COMMIT_REPLY, DISCARD_REQUEST, DISCARD_REPLY = range(8)


def bundle_control(v, bundle, what, flags=3, xid=0):
    body = struct.pack("!IHH", bundle, what, flags)
    return msg(v, "BUNDLE_CONTROL", body, xid) if v >= V14 else experimenter(v, ONF, 2300, body, xid)


def bundle_add(v, bundle, inner, flags=3, xid=0):
    """The inner message has to have the same xid."""
    body = struct.pack("!IHH", bundle, 0, flags) + inner
    return msg(v, "BUNDLE_ADD", body, xid) if v >= V14 else experimenter(v, ONF, 2301, body, xid)


# --- reading -----------------------------------------------------------------------------------

PacketIn = namedtuple("PacketIn", "buffer_id total_len reason table cookie in_port data")
Error = namedtuple("Error", "type code data xid")
FlowRemoved = namedtuple("FlowRemoved", "cookie priority reason table idle hard packets bytes")
PortStatus = namedtuple("PortStatus", "reason port hw name config state")


def tlvs_of(data):
    """{(class, field): value} of a 1.2+ match, and the bytes after it."""
    kind, length = struct.unpack_from("!HH", data)
    assert kind == 1
    out, at = {}, 4
    while at < length:
        cls, field, n = struct.unpack_from("!HBB", data, at)
        out[cls, field >> 1] = data[at + 4:at + 4 + n]
        at += 4 + n
    assert at == length
    return out, data[(length + 7) // 8 * 8:]


def parse_packet_in(m):
    assert m.name == "PACKET_IN", m.name
    if m.version == V10:
        buffer_id, total, in_port, reason = struct.unpack_from("!IHHBx", m.body)
        return PacketIn(buffer_id, total, reason, 0, 0, in_port, m.body[10:])
    buffer_id, total, reason, table, cookie = struct.unpack_from("!IHBBQ", m.body)
    fields, rest = tlvs_of(m.body[16:])
    return PacketIn(buffer_id, total, reason, table, cookie, int.from_bytes(fields.get((0x8000, 0), b""), "big"), rest[2:])


def parse_error(m):
    assert m.name == "ERROR", m.name
    kind, code = struct.unpack_from("!HH", m.body)
    # An experimenter's error names its owner before it quotes.
    return Error(kind, code, m.body[8 if kind == 0xffff else 4:], m.xid)


def parse_flow_removed(m):
    assert m.name == "FLOW_REMOVED", m.name
    if m.version == V10:
        cookie, priority, reason, _sec, _nsec, idle, packets, n_bytes = struct.unpack_from("!QHBxIIH2xQQ", m.body, 40)
        return FlowRemoved(cookie, priority, reason, 0, idle, 0, packets, n_bytes)
    cookie, priority, reason, table, _sec, _nsec, idle, hard, packets, n_bytes = struct.unpack_from("!QHBBIIHHQQ", m.body)
    return FlowRemoved(cookie, priority, reason, table, idle, hard, packets, n_bytes)


def parse_port(v, data):
    """(number, address, name, config, state, bytes used)."""
    if v == V10:
        no, hw, name, config, state = struct.unpack_from("!H6s16sII", data)
        used = 48
    elif v < V14:
        no, hw, name, config, state = struct.unpack_from("!I4x6s2x16sII", data)
        used = 64
    else:
        no, used, hw, name, config, state = struct.unpack_from("!IH2x6s2x16sII", data)
    return no, hw.hex(":"), name, config, state, used


def parse_ports(v, data):
    out = {}
    while data:
        no, hw, name, config, state, used = parse_port(v, data)
        out[no] = PortStatus(None, no, hw, name, config, state)
        data = data[used:]
    return out


def parse_port_status(m):
    assert m.name == "PORT_STATUS", m.name
    no, hw, name, config, state, _used = parse_port(m.version, m.body[8:])
    return PortStatus(m.body[0], no, hw, name, config, state)


# --- connections -------------------------------------------------------------------------------

class Closed(EOFError):
    """The switch ended the connection."""


class Conn:
    """One connection.  What is not the answer that a call waits for stays in 'inbox', in order."""

    after_barrier = staticmethod(lambda _conn: None)

    def __init__(self, sock, version=V13):
        self.sock, self.version = sock, version
        self.buf, self.inbox = b"", []
        self.xid = 0x1000
        self.answer_echo = True
        self.peer_hello = None

    # What it takes to be spoken to.
    @classmethod
    def unix(cls, path, version=None, **kw):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(5)
        s.connect(path)
        return cls(s, **kw).start(version) if version else cls(s, **kw)

    def start(self, version, bitmap=True):
        """Shakes hands: the version is the only one offered."""
        self.send(hello(version, [version] if bitmap else None))
        got = self.recv(match=lambda m: m.name == "HELLO")
        self.peer_hello = got
        self.version = version
        return self

    def close(self):
        try:
            self.sock.close()
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def send(self, *parts):
        self.sock.settimeout(20)
        self.sock.sendall(b"".join(parts))

    def next_xid(self):
        self.xid += 1
        return self.xid

    def _fill(self, end):
        left = end - time.monotonic()
        if left <= 0:
            return False
        if isinstance(self.sock, ssl.SSLSocket) and self.sock.pending():
            pass
        elif not select.select([self.sock], [], [], left)[0]:
            return False
        self.sock.settimeout(max(left, 0.01))
        try:
            data = self.sock.recv(1 << 18)
        except (ConnectionResetError, BrokenPipeError, ssl.SSLError) as e:
            raise Closed(str(e)) from e
        except (TimeoutError, socket.timeout):
            return False
        if not data:
            raise Closed("end of file")
        self.buf += data
        return True

    def _next(self, end):
        while True:
            if len(self.buf) >= 8:
                v, t, n, xid = struct.unpack_from("!BBHI", self.buf)
                assert n >= 8, "a message of less than its header"
                if len(self.buf) >= n:
                    m = Msg(v, t, xid, self.buf[8:n])
                    self.buf = self.buf[n:]
                    if self.answer_echo and t == 2:
                        self.send(msg(v, "ECHO_REPLY", m.body, xid))
                        continue
                    return m
            if not self._fill(end):
                return None

    def recv(self, match=lambda m: True, timeout=5.0):
        """The first message that match() likes, or that bears that name; AssertionError when none comes."""
        m = self.poll(match, timeout)
        assert m is not None, f"no message in {timeout:g} s; others: {[x.name for x in self.inbox]}"
        return m

    def poll(self, match=lambda m: True, timeout=0.3):
        """Like recv(), but None when there is none."""
        if isinstance(match, str):
            name, match = match, lambda m: m.name == name
        for i, m in enumerate(self.inbox):
            if match(m):
                return self.inbox.pop(i)
        end = time.monotonic() + timeout
        while True:
            m = self._next(end)
            if m is None:
                return None
            if match(m):
                return m
            self.inbox.append(m)

    def closes(self, timeout=5.0):
        """Whether the switch ends the connection; messages before that go to the inbox."""
        try:
            while self.poll(lambda m: False, timeout) is None:
                return False
        except Closed:
            return True
        return False

    # Questions.
    def call(self, name, body=b"", timeout=5.0):
        """Sends one message, gives the first message with its xid."""
        xid = self.next_xid()
        self.send(msg(self.version, name, body, xid))
        return self.recv(lambda m: m.xid == xid, timeout)

    def barrier(self, timeout=5.0):
        m = self.call("BARRIER_REQUEST", timeout=timeout)
        assert m.name == "BARRIER_REPLY" and not m.body, f"{m.name} for a barrier: {m.body[:12].hex()}"
        return self

    def do(self, data, timeout=5.0):
        """Sends messages, then a barrier; AssertionError when one of them is refused."""
        self.send(data)
        self.barrier(timeout)
        bad = self.poll("ERROR", 0)
        assert bad is None, f"refused: {parse_error(bad)[:2]}"
        self.after_barrier(self)
        return self

    def refusal(self, data, timeout=5.0):
        """Sends a message with an xid of its own, then a barrier: (type, code) of the error it caused, or None."""
        xid = self.next_xid()
        data = data[:4] + struct.pack("!I", xid) + data[8:]
        self.send(data)
        self.barrier(timeout)
        bad = self.poll(lambda m: m.name == "ERROR" and m.xid == xid, 0)
        if bad is None:
            return None
        e = parse_error(bad)
        assert e.data == data[:max(64, len(e.data))], f"the error quotes {e.data.hex()} of {data.hex()}"
        assert len(e.data) >= min(64, len(data)), f"the error quotes {len(e.data)} bytes of {len(data)}"
        return e.type, e.code

    def stats(self, code, body=b"", timeout=10.0):
        """The body of a multipart reply, parts joined."""
        xid = self.next_xid()
        self.send(stats(self.version, code, body, xid=xid))
        skip = 4 if self.version == V10 else 8
        out = b""
        while True:
            m = self.recv(lambda m: m.xid == xid, timeout)
            assert m.name == "STATS_REPLY", f"{m.name} {m.body[:8].hex()}"
            kind, flags = struct.unpack_from("!HH", m.body)
            assert kind == code
            out += m.body[skip:]
            if not flags & 1:
                return out

    def features(self):
        m = self.call("FEATURES_REQUEST")
        assert m.name == "FEATURES_REPLY", m.name
        dpid, buffers, tables = struct.unpack_from("!QIB", m.body)
        return dpid, buffers, tables, m.body

    def ports(self):
        if self.version == V10:
            return parse_ports(V10, self.features()[3][24:])
        return parse_ports(self.version, self.stats(13))

    def role(self, what, generation=0):
        """(role, generation) or an Error."""
        m = self.call("ROLE_REQUEST", struct.pack("!I4xQ", what, generation))
        return parse_error(m) if m.name == "ERROR" else struct.unpack("!I4xQ", m.body)

    def packet_in(self, timeout=3.0, want=lambda p: True):
        return parse_packet_in(self.recv(lambda m: m.name == "PACKET_IN" and want(parse_packet_in(m)), timeout))

    def no_packet_in(self, timeout=0.3):
        m = self.poll("PACKET_IN", timeout)
        assert m is None, f"an unwanted packet-in: {parse_packet_in(m)}"


class Listener:
    """A controller's side of active connections, in the namespace it is made in."""

    def __init__(self, port=0, host="127.0.0.1", context=None):
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((host, port))
        self.sock.listen(64)
        self.port = self.sock.getsockname()[1]
        self.context = context

    def accept(self, timeout=10.0):
        self.sock.settimeout(timeout)
        s, _ = self.sock.accept()
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.settimeout(5)
        if self.context:
            s = self.context.wrap_socket(s, server_side=True)
        return Conn(s)

    def silent(self, seconds):
        """Whether nobody calls for a while."""
        return not select.select([self.sock], [], [], seconds)[0]

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
