#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A pipeline as a tenant network would have it, and packets for it.

usage: tests/bench/production.py DIRECTORY [free]   writes DIRECTORY/production.of and DIRECTORY/groups.of, for ovs-ofctl

8 tables, 10,000 rules, from port 1 (a host's guests and what they route for) to port 2:

  0  port security      800 guests: MAC, address and port belong together; a gateway may send for others
  1  L2 policy          ether types, DHCP and router advertisements of guests, groups of MACs
  2  ingress ACL        3,600 rules: prefixes of both ends (12 to 32 bits), protocol, port ranges
  3  L2                 1,000 stations, by MAC; addresses that are learned; routers go on to 4, others to 5
  4  L3                 1,500 routes (8 to 32 bits): TTL, MACs of the next hop
  5  QoS                300 rules on DSCP and applications: marks
  6  egress ACL         2,600 rules, likewise, with the mark
  7  way out            ECMP groups for routed packets, one port for the others

Ranges of ports are split into masked rules, as ovs-ofctl and controllers do.  All of it is drawn from one seed.

Policies are written in habits: a few pairs of prefix lengths, services by name.  With 'free' each rule has lengths and
ranges of its own, which makes a mask for every other rule."""
import os
import random
import socket
import struct
import sys

N_GUESTS, N_STATIONS, N_ROUTES, N_ACL_IN, N_ACL_OUT, N_QOS = 800, 1000, 1500, 3600, 2600, 300
ROUTER = "02:00:00:00:fe:01"
GATEWAY = "02:00:00:00:fd:01"
NET = 0x0a000000        # Guests: 10.0.0.0/8; others anywhere.


def ip(a):
    return socket.inet_ntoa(struct.pack("!I", a & 0xffffffff))


def mac(kind, i):
    return f"02:{kind:02x}:00:{i >> 16 & 255:02x}:{i >> 8 & 255:02x}:{i & 255:02x}"


def guest(i):
    """MAC and address of a guest."""
    return mac(1, i), NET + (i // 200 << 16) + (i % 200 << 4) + 10


def port_range(lo, hi):
    """Value and mask of the blocks that make up lo..hi."""
    while lo <= hi:
        size = lo & -lo or 0x10000
        while lo + size - 1 > hi:
            size >>= 1
        yield lo, 0x10000 - size
        lo += size


# How long the prefixes of both ends are, and the ranges that services have.
PAIRS = ((32, 32), (24, 32), (16, 32), (0, 32), (32, 24), (24, 24), (16, 24), (0, 24), (32, 0), (24, 0), (16, 16), (0, 16),
         (20, 28), (28, 32), (22, 24), (12, 0))
SERVICES = (22, 53, 80, 123, 179, 443, 993, 1433, 3306, 3389, 5432, 6379, 8080, 8443, 9200, 11211)
RANGES = ((1024, 65535), (32768, 60999), (49152, 65535), (6000, 6063), (5900, 5999), (137, 139), (20, 21), (1, 1023), (8000, 8099),
          (30000, 32767))


class Pipeline:
    def __init__(self, seed=7, free=False):
        self.r = random.Random(seed)
        self.free = free
        self.acl, self.routes, self.apps = [], [], []
        self.lines, self.groups = [], []
        self.build()

    def rule(self, table, priority, match, actions):
        self.lines.append(f"table={table},priority={priority},{match}{',' if match else ''}actions={actions}")

    def prefix(self, n=None):
        """An address of the tenants' networks or of the world, with that length or one that is in use."""
        r = self.r
        if r.random() < 0.6:
            a = NET + r.randrange(1 << 18) + (r.randrange(4) << 20)
            n = r.choice((16, 20, 22, 24, 24, 26, 28, 32, 32)) if n is None else n
        else:
            a = r.choice((0x14000000, 0xac100000, 0xc0a80000, 0x64400000)) + r.randrange(1 << 22)
            n = r.choice((12, 14, 16, 18, 19, 20, 21, 22, 23, 24, 25, 27, 29, 30, 32)) if n is None else n
        return a >> (32 - n) << (32 - n), n

    def ports(self):
        r = self.r
        if self.free and r.random() < 0.25:
            lo = r.randrange(1, 60000)
            return lo, lo + r.randrange(2, 300)
        if r.random() < 0.6:
            p = r.choice((*SERVICES, r.randrange(1, 65535)))
            return p, p
        return r.choice(RANGES)

    def acl_rules(self, table, want, then):
        """Exactly 'want' rules; what ranges are split into counts, as it does in the switch."""
        made, seen = 0, set()
        while made < want:
            r = self.r
            pair = (None, None) if self.free else r.choice(PAIRS)
            (src, sn), (dst, dn) = (self.prefix(n) for n in pair)
            ends = [f"{field}={ip(a)}/{n}" for field, a, n in (("nw_src", src, sn), ("nw_dst", dst, dn)) if n]
            proto = r.choice(("tcp", "tcp", "udp", "udp", "icmp", "ip"))
            blocks = [""]
            if proto in ("tcp", "udp"):
                lo, hi = self.ports()
                field = "tp_dst" if r.random() < 0.8 else "tp_src"
                blocks = [f",{field}=0x{v:x}/0x{m:x}" for v, m in port_range(lo, hi)]
            priority = 40000 - r.randrange(30) * 1000 - made % 1000
            deny = r.random() < 0.15
            self.acl.append((src, sn, dst, dn))
            for b in blocks[:want - made]:
                match = f"{proto},{','.join(ends)}{b}"
                if (priority, match) not in seen:
                    seen.add((priority, match))
                    self.rule(table, priority, match, "drop" if deny else then)
                    made += 1

    def build(self):
        r = self.r
        # 0: who may send what
        for i in range(N_GUESTS // 2):
            m, a = guest(i)
            self.rule(0, 100, f"in_port=1,dl_src={m},ip,nw_src={ip(a)}", "goto_table:1")
            self.rule(0, 100, f"in_port=1,dl_src={m},arp,arp_spa={ip(a)}", "goto_table:1")
        self.rule(0, 90, f"in_port=1,dl_src={GATEWAY}", "goto_table:1")
        self.rule(0, 80, "in_port=2", "output:1")
        self.rule(0, 0, "", "drop")
        # 1: what kinds of frames
        self.rule(1, 300, "dl_src=01:00:00:00:00:00/01:00:00:00:00:00", "drop")
        self.rule(1, 200, "udp,tp_src=67", "drop")
        self.rule(1, 200, "icmp6,icmp_type=134", "drop")
        self.rule(1, 150, "arp", "goto_table:3")
        self.rule(1, 150, "ip", "goto_table:2")
        self.rule(1, 150, "ipv6", "goto_table:3")
        for i in range(20):
            self.rule(1, 250, f"dl_dst=01:80:c2:00:00:{i:02x}", "drop")
        self.rule(1, 0, "", "drop")
        # 2: what goes out of guests
        self.acl_rules(2, N_ACL_IN, "goto_table:3")
        self.rule(2, 1, "ip", "goto_table:3")
        # 3: where it goes on Ethernet
        for i in range(N_STATIONS):
            self.rule(3, 100, f"dl_dst={mac(2, i)}", "load:2->NXM_NX_REG0[],goto_table:5")
        self.rule(3, 110, f"dl_dst={ROUTER},ip", "goto_table:4")
        self.rule(3, 90, "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00", "load:2->NXM_NX_REG0[],goto_table:5")
        self.rule(3, 0, "", "load:2->NXM_NX_REG0[],goto_table:5")
        # 4: routes
        seen = set()
        while len(seen) < N_ROUTES:
            dst, n = self.prefix()
            if (dst, n) in seen:
                continue
            seen.add((dst, n))
            self.routes.append((dst, n))
            self.rule(4, 100 + n, f"ip,nw_dst={ip(dst)}/{n}",
                      f"dec_ttl,mod_dl_src:{ROUTER},mod_dl_dst:{mac(3, r.randrange(64))},load:1->NXM_NX_REG0[],goto_table:5")
        self.rule(4, 1, "ip", f"dec_ttl,mod_dl_src:{ROUTER},mod_dl_dst:{mac(3, 0)},load:1->NXM_NX_REG0[],goto_table:5")
        # 5: marks
        for dscp in range(1, 64):
            self.rule(5, 100, f"ip,ip_dscp={dscp}", f"load:{dscp // 8}->NXM_NX_REG1[],goto_table:6")
        made = 63
        while made < N_QOS:
            lo, hi = self.ports()
            proto = r.choice(("tcp", "udp"))
            for v, m in port_range(lo, min(hi, lo + 200)):
                if made < N_QOS and (proto, v, m) not in seen:
                    seen.add((proto, v, m))
                    self.rule(5, 50 + made % 40, f"{proto},tp_dst=0x{v:x}/0x{m:x}", f"load:{made % 8}->NXM_NX_REG1[],goto_table:6")
                    made += 1
        self.rule(5, 0, "", "goto_table:6")
        # 6: what goes to others
        self.acl_rules(6, N_ACL_OUT, "goto_table:7")
        self.rule(6, 1, "", "goto_table:7")
        # 7: the way out
        for g in range(8):
            self.groups.append(f"group_id={g + 1},type=select," + ",".join(
                f"bucket=weight:{1 + b},set_field:{mac(4, 8 * g + b)}->eth_src,output:2" for b in range(4)))
        for q in range(8):
            self.rule(7, 100, f"reg0=1,reg1={q}", f"group:{q + 1}")
            self.rule(7, 90, f"reg0=2,reg1={q}", "output:2")
        # Filled up with hosts' own routes to the round number that is promised.
        while len(self.lines) < 10000 - 1:
            dst, n = self.prefix()
            if (dst, n) not in seen:
                seen.add((dst, n))
                self.routes.append((dst, n))
                self.rule(4, 100 + n, f"ip,nw_dst={ip(dst)}/{n}", f"dec_ttl,mod_dl_src:{ROUTER},mod_dl_dst:{mac(3, r.randrange(64))},"
                          "load:1->NXM_NX_REG0[],goto_table:5")
        self.rule(7, 0, "", "output:2")

    def write(self, directory):
        """The two files; their paths."""
        paths = [os.path.join(directory, n) for n in ("production.of", "groups.of")]
        for path, lines in zip(paths, (self.lines, self.groups)):
            with open(path, "w") as f:
                f.writelines(line + "\n" for line in lines)
        return paths


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3) or sys.argv[1].startswith("-"):
        print(__doc__)
        sys.exit(len(sys.argv) == 1)
    p = Pipeline(free=len(sys.argv) == 3)
    p.write(sys.argv[1])
    print(f"{len(p.lines)} rules, {len(p.groups)} groups")
