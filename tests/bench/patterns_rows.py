# SPDX-License-Identifier: Apache-2.0
"""The rows of the flow cache's table: what rules, what packets, what OVS 3.1 had on them, at least and goal.  Not a program."""
from collections import namedtuple

ECMP = "in_port=1,ip,actions=multipath(symmetric_l4,0,hrw,1,0,NXM_NX_REG0[]),output:2"
PREFIX = "ip,in_port=1,nw_dst=20.0.0.0/8,actions=output:2"

# OVS as packaged, with room for many flows, and with the cache for many flows instead of that for few: the tunings of
# ../shared/bench/RESULTS.md.  Without a limit here the one that OVS starts with, which moves with time.
OVS = {
    "default": ("", 10000),
    "bigfl": ("flow-limit=2000000 max-idle=60000", 2000000),
    "smc": ("flow-limit=2000000 max-idle=60000 emc-insert-inv-prob=0 smc-enable=true", 2000000),
}

# 'more' belongs to the stream; 'ovs' is the fraction of the baselines, 'tried' the tunings that are measured, in the order of
# how well they did there, and 'ovs_warm' the seconds that OVS needs before it has all flows (or will never have).
Steady = namedtuple("Steady", "name kind flows more ovs least goal tried ovs_warm")
STEADY = [
    Steady("one rule, 1 flow", "port", 1, "", 0.72, 1.0, 1.4, ("default",), 0.5),
    Steady("one rule, 1,000 flows", "port", 1000, "", 0.69, 1.0, 1.4, ("default",), 0.5),
    Steady("NORMAL, 1,000 MAC pairs", "normal", 1000, ",learn=1,smacs=1000,dmacs=1000", 0.53, 0.9, 1.3, ("default",), 1),
    Steady("prefix, 10,000 flows", "prefix", 10000, "", 0.47, 0.9, 1.2, ("default",), 1),
    Steady("prefix, 100,000 flows", "prefix", 100000, "", 0.44, 0.85, 1.1, ("default",), 1),
    Steady("prefix, 1,000,000 flows", "prefix", 1000000, "", 0.40, 0.8, 1.0, ("default",), 1),
    Steady("5-tuples, 10,000 flows", "ecmp", 10000, "", 0.31, 0.7, 1.0, ("default",), 1),
    Steady("5-tuples, 100,000 flows", "ecmp", 100000, "", 0.19, 0.6, 0.9, ("bigfl", "default"), 3),
    Steady("5-tuples, 1,000,000 flows", "ecmp", 1000000, "", 0.05, 0.5, 0.8, ("bigfl", "default"), 10),
    Steady("security groups, 1,000 flows", "secgroup", 1000, "", 0.54, 0.8, 1.1, ("default",), 2),
    Steady("security groups, 10,000 flows", "secgroup", 10000, "", 0.15, 0.7, 1.0, ("default",), 2),
    Steady("security groups, 100,000 flows", "secgroup", 100000, "", 0.055, 0.5, 0.8, ("smc", "default"), 14),
    Steady("security groups, 1,000,000 flows", "secgroup", 1000000, "", 0.002, 0.35, 0.6, ("smc", "default"), 3),
    Steady("ACL, 1,000 flows", "acl", 1000, "", 0.53, 0.8, 1.1, ("default",), 2),
    Steady("ACL, 10,000 flows", "acl", 10000, "", 0.25, 0.6, 0.9, ("smc", "default"), 6),
    Steady("ACL, 100,000 flows", "acl", 100000, "", 0.0001, 0.4, 0.7, ("smc", "default"), 2),
    Steady("ACL, 1,000,000 flows", "acl", 1000000, "", 0.0001, 0.3, 0.5, ("smc", "default"), 2),
]
# Per second.  OVS sees fewer flows of the ACL, at what it needs for each.
New = namedtuple("New", "name kind flows ovs_flows ovs least goal")
NEW = [
    New("new flows, wide rules", "ecmp", 400000, 100000, 178000, 3, 500000),
    New("new flows, 100,000 exact rules", "exact", 100000, 100000, 81000, 5, 500000),
    New("new flows, ACL", "acl", 400000, 10000, 2800, 100, 500000),
]
# What the neighbour sends from its port 3 to port 4, a million packets a second of it unless the row is about less.
Attack = namedtuple("Attack", "name kind stream")
PEACE = "flows=1"
ATTACKS = [
    Attack("storm of new flows", "secgroup", "flows=16000000"),
    Attack("tuple-space explosion", "acl", "flows=16000000"),
    Attack("10 million MACs", "normal", "flows=10000000,smacs=10000000"),
]
MEMORY = "memory"
LATENCY = "latency under churn"
CHURN_RULES, CHURN_FLOWS = 10000, 50000         # A second.


def names():
    return [r.name for r in STEADY + NEW] + [MEMORY] + [a.name for a in ATTACKS] + [LATENCY]


def stream(row):
    return [f"port=0,size=64,flows={row.flows}" + (",dist=uniform" if row.flows > 1 else "") + row.more]


def rules(flows, kind):
    """OpenFlow rules of one kind, from port 1 to port 2.  'flows' is the module of the harness."""
    if kind == "port":
        return ["in_port=1,actions=output:2"]
    if kind == "normal":
        return ["actions=NORMAL"]
    if kind == "prefix":
        return [PREFIX]
    if kind == "ecmp":
        return [ECMP]
    if kind == "secgroup":
        return flows.secgroup(1000)
    if kind == "acl":
        return flows.acl20(10000)
    return flows.exact(100000)


def rules4(flows, kind):
    """The same policy for two guests that send: port 1 to port 2, port 3 to port 4."""
    for r in rules(flows, kind):
        if kind == "normal":
            yield r
            continue
        yield "in_port=1," + r.replace("in_port=1,", "")
        yield "in_port=3," + r.replace("in_port=1,", "").replace("output:2", "output:4")


def warmup(row):
    """Seconds until Weft has met each flow of a steady row, drawn at random, at least once."""
    return 0.5 if row.flows <= 10000 else 1.5 if row.flows <= 100000 else 2 if row.kind in ("prefix", "port") else 7
