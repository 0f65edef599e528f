#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A real guest: Linux in QEMU with virtio-net, its host's leg on the bridge, and a switch that dies under it.

     guest g1 10.0.0.1, fd00::1                   namespace weft-host
        |                                      +-----------------------+
        +------- vhost-user ------- br0 -------+ lan0 (internal port)  |
                                  (weftd)      | 10.0.0.9, fd00::9     |
                                               +-----------------------+"""
import re
import time

from lab import Lab, LabError, wait_for

SOURCE = """
import socket, sys
s = socket.create_server(("10.0.0.9", 8000)).accept()[0]
s.sendall(open(sys.argv[1], "rb").read())
"""


def port_state(hv, name):
    return next(p for b in hv.ctl_json("show")["bridges"] for p in b["ports"] if p["name"] == name)


def main():
    with Lab("guest") as lab:
        if not lab.guests_run():
            return
        host = lab.netns("host")
        hv = lab.weftd("sw", ns=host)
        hv.ctl("bridge add br0")
        hv.ctl("port add br0 g1 type=vhost-user")
        hv.ctl("port add br0 lan0 type=internal")
        lab.addrs(host, "lan0", "10.0.0.9/24 fd00::9/64")
        lab.ip(host, "link set lan0 up")

        g1 = lab.guest("g1", hv.sock("g1"), ip="10.0.0.1/24,fd00::1/64")
        lab.booted([g1])
        g1.ping("10.0.0.9", 1, wait=5)
        got, ms = g1.ping("10.0.0.9", 5)
        lab.ok(got == 5, "the guest pings the host's internal port", f"{got} of 5")
        lab.diag(f"round trip {ms} ms")
        got, _ = g1.ping("10.0.0.9", 3, 1472)
        lab.ok(got == 3, "full-sized packets pass", f"{got} of 3")
        got = lab.ping(host, "fd00::1")
        lab.ok(got == 3, "the host pings the guest over IPv6", got.out)

        # A copy with a checksum: a wrong byte, or a checksum left to nobody, does not pass.
        lab.run(["bash", "-c", f"head -c 4000000 /dev/urandom >{lab.state}/blob"])
        want = lab.run(f"sha256sum {lab.state}/blob").stdout.split()[0]
        server = lab.spawn("source", ["python3", "-c", SOURCE, f"{lab.state}/blob"], ns=host)
        wait_for("the source", lambda: lab.run("ss -Hltn sport = :8000", ns=host).stdout, 10)
        _, out = g1.sh("nc -w 20 10.0.0.9 8000 | sha256sum", 60)
        lab.ok(want in out, "4 MB arrive unchanged over TCP", out)
        server.stop()

        link = hv.ctl("show").stdout
        lab.ok("g1" in link, "weftctl shows the guest's port", link)

        # The switch dies and comes back; the guest is the server of its socket and stays.
        hv.proc.kill()
        time.sleep(0.5)
        hv.start()
        wait_for("internal port", lambda: lab.run("ip link show lan0", ns=host, check=False).returncode == 0, 10)
        lab.ip(host, "addr add 10.0.0.9/24 dev lan0", check=False)
        lab.ip(host, "link set lan0 up")
        began = time.monotonic()
        for _ in range(10):
            got, _ = g1.ping("10.0.0.9", 1, wait=1)
            if got:
                break
        lab.ok(got == 1, "traffic resumes after weftd was killed and started again")
        lab.diag(f"first answer {time.monotonic() - began:.1f} s after weftd answered its tool")
        got, _ = g1.ping("10.0.0.9", 5)
        lab.ok(got == 5, "and stays up", f"{got} of 5")
        _, out = g1.sh("dmesg | grep -iE 'virtio|eth0' | tail -n 5; cat /proc/uptime")
        lab.ok(re.search(r"^\d+\.\d+ ", out, re.M), "the guest never restarted", out)
        g1.proc.kill()
        try:
            wait_for("port down", lambda: not port_state(hv, "g1")["up"], 10)
        except LabError:
            pass
        state = port_state(hv, "g1")
        lab.ok(not state["up"] and state["reason"], "the port goes down when its guest is gone, with a reason", state)
        status = hv.stop()
        lab.ok(status == 0, "SIGTERM ends weftd with status 0", f"status {status}")


if __name__ == "__main__":
    main()
