#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Linux guests with all kinds of virtio-net devices: the switch is killed under them, they reload their drivers, change
their queues, reboot.

     packed   plain    large     queues           server          namespace weft-lifehost
       |        |        |         |                |            +-----------------------+
       +--------+--------+- br0 ---+-------(weftd listens)-------+ lan0 (internal port)  |
                          (weftd)                                | 10.0.0.9              |
                                                                 +-----------------------+"""
import re
import time

from lab import BUILD, Lab, LabError, cpus, wait_for

TRAFFIC = f"{BUILD}/tests/e2e/traffic"
GUESTS = {
    # Name: the last byte of its address, and its device.
    "packed": (1, {"device": "packed=on"}),
    "plain": (2, {"device": "mrg_rxbuf=off,event_idx=off", "reboot": True}),
    "large": (3, {"device": "indirect_desc=off,rx_queue_size=1024,tx_queue_size=1024"}),
    "queues": (4, {"queues": 4, "device": "rx_queue_size=512"}),
    "server": (5, {"server": False, "device": "mrg_rxbuf=off,indirect_desc=off"}),
}
RESTARTED = (("packed", "plain"), ("plain", "large"), ("large", "queues"), ("queues", "server"))
PAIRS = (("packed", "plain"), ("plain", "large"), ("large", "queues"), ("queues", "server"), ("server", "packed"))


def addr(name):
    return f"10.0.0.{GUESTS[name][0]}"


def port(hv, name):
    return next(p for b in hv.ctl_json("show")["bridges"] for p in b["ports"] if p["name"] == name)


def copies(lab, g):
    """Each guest sends to the next, and each byte is checked there."""
    for a, b in PAIRS:
        g[b].spawn("traffic sink 9000", "/tmp/sink")
        time.sleep(0.1)
        g[a].spawn(f"traffic source {addr(b)} 9000 2000000", "/tmp/source")
    for a, b in PAIRS:
        try:
            r = g[b].result("/tmp/sink", 60)
        except LabError as e:
            r = {"bytes": 0, "wrong": 0, "why": str(e)}
        lab.ok(r["bytes"] == 2000000 and not r["wrong"], f"2 MB pass from '{a}' to '{b}' unchanged", r)


def survives_switch(lab, hv, g):
    """One numbered datagram in 10 ms from each guest to the next, while weftd is killed and started."""
    for name in g:
        g[name].spawn("traffic echo 7000", "/tmp/echo")
    for a, b in RESTARTED:
        g[a].spawn(f"traffic probe {addr(b)} 7000 20 6", "/tmp/probe")
    time.sleep(2)
    began = time.monotonic()
    hv.proc.kill()
    hv.start()
    down = time.monotonic() - began
    lab.diag(f"weftd was away for {down:.2f} s")
    for a, b in RESTARTED:
        r = g[a].result("/tmp/probe", 30)
        # QEMU in the client's role tries again once a second.
        limit = 1.0 if "server" not in (a, b) else 2.1
        gap = r["longest_gap_ms"] / 1e3 - down
        # The last answer is what tells that it came back at all.
        lab.ok(r["last_s"] > 5 and r["back"] > 100 and gap < limit,
               f"'{a}' to '{b}': frames pass again within {limit:g} s of weftd's start, nobody touched the guests", r)
        lab.diag(f"{gap:.2f} s after weftd answered its tool: {r}")


def reloads_driver(lab, g):
    for name in ("packed", "plain", "queues"):
        dev = g[name].sh("basename $(readlink -f /sys/class/net/eth0/device)")[1].strip()
        drv = "/sys/bus/virtio/drivers/virtio_net"
        for _ in range(2):
            g[name].sh(f"echo {dev} >{drv}/unbind; echo {dev} >{drv}/bind; ip link set eth0 up; "
                       f"ip addr add {addr(name)}/24 dev eth0")
        got, _ = g[name].ping("10.0.0.9", 5, wait=2)
        lab.ok(got >= 4, f"'{name}' reloads its driver", f"{got} of 5")


def changes_queues(lab, hv, g):
    """Datagrams run all the while; between changes, flows that the guest's ports spread over its queues."""
    _, out = g["queues"].sh("ethtool -l eth0")
    most = [int(n) for n in re.findall(r"Combined:\s*(\d+)", out)]
    if not most or most[0] < 4:
        lab.skip("the guest changes its queues at run time", "it is offered one pair")
        return
    g["queues"].spawn("traffic echo 7001", "/tmp/echo1")
    g["large"].spawn(f"traffic probe {addr('queues')} 7001 20 60", "/tmp/through")
    for n in (4, 1, 3, 2):
        rc, out = g["queues"].sh(f"ethtool -L eth0 combined {n}")
        back = 0
        for _ in range(4):
            _, probe = g["packed"].sh(f"traffic probe {addr('queues')} 7001 5 0.1")
            m = re.search(r'"back": (\d+)', probe)
            back += int(m.group(1)) > 5 if m else 0
        lab.ok(rc == 0 and back == 4, f"the guest changes to {n} pairs of queues at run time",
               f"{back} of 4 flows, {rc} {out} {port(hv, 'queues')['detail']}")
    g["large"].sh("kill $(cat /tmp/through.pid)")
    r = g["large"].result("/tmp/through")
    # What was under way in a ring when it went is lost: one frame for each change, the guest itself loses those too.
    lab.ok(r["sent"] > 20 and r["sent"] - r["back"] <= 8, "traffic ran through each of these changes", r)
    lab.diag(f"{r['sent'] - r['back']} of {r['sent']} datagrams lost, longest gap {r['longest_gap_ms']} ms")


def reboots(lab, g):
    g["plain"].agent.sendall(b"x reboot -f\n")
    g["plain"].wait(120)
    got, _ = g["plain"].ping("10.0.0.9", 5, wait=2)
    lab.ok(got >= 4, "a guest that rebooted is back", f"{got} of 5")


def main():
    with Lab("guest-lifecycle") as lab:
        if not lab.guests_run():
            return
        host = lab.netns("lifehost")
        hv = lab.weftd("sw", ns=host, cpu=",".join(map(str, cpus()[:2])))
        hv.ctl("bridge add br0")
        hv.ctl("port add br0 lan0 type=internal")

        def host_leg():
            wait_for("internal port", lambda: lab.run("ip link show lan0", ns=host, check=False).returncode == 0, 10)
            lab.ip(host, "addr add 10.0.0.9/24 dev lan0", check=False)
            lab.ip(host, "link set lan0 up")
        host_leg()
        g = {}
        for name, (_, kw) in GUESTS.items():
            hv.ctl(f"port add br0 {name} type=vhost-user" + ("" if kw.get("server", True) else " mode=server"))
            g[name] = lab.guest(name, hv.sock(name), ip=addr(name) + "/24", **kw)
        lab.booted(g.values(), 150)
        for name in GUESTS:
            got, _ = g[name].ping("10.0.0.9", 4, wait=2)
            lab.ok(got >= 3, f"'{name}' reaches the host's leg", f"{got} of 4")
            lab.diag(f"{name}: {port(hv, name)['detail']}")
        copies(lab, g)
        survives_switch(lab, hv, g)
        host_leg()
        reloads_driver(lab, g)
        copies(lab, g)
        changes_queues(lab, hv, g)
        reboots(lab, g)
        _, out = g["large"].sh("cat /proc/uptime")
        lab.ok(re.search(r"^\d+\.\d+ ", out, re.M), "the others never restarted", out)
        lab.ok(hv.stop() == 0, "SIGTERM ends weftd with status 0")


if __name__ == "__main__":
    main()
