#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a port that is down says about it, in each state that a guest can be in.

   this test --- vhost-user --- br0        (the guest's side by hand, as listener and as client)"""
import os
import re
import socket
import stat
import struct

import vhost_front as vf
from lab import Lab, LabError, wait_for


def port(hv, name):
    return next(p for b in hv.ctl_json("show")["bridges"] for p in b["ports"] if p["name"] == name)


def says(lab, hv, name, pattern, what):
    """The reason is in 'weftctl show' as a person reads it, too."""
    try:
        wait_for(what, lambda: not port(hv, name)["up"] and re.search(pattern, port(hv, name)["reason"]), 5)
        # Lines are cut at the width of a terminal.
        text = " ".join(hv.ctl("show").stdout.replace("│", " ").split())
        good = bool(re.search(pattern.rstrip("$"), text))
    except LabError:
        good = False
    lab.ok(good, f"{what}: '{pattern}'", port(hv, name))


def client(lab, hv):
    """The switch connects."""
    hv.ctl("port add br0 c type=vhost-user")
    path = hv.sock("c")
    says(lab, hv, "c", "no socket .*c.sock: start the guest", "nothing at the path of the socket")
    s = socket.socket(socket.AF_UNIX)
    s.bind(path)
    says(lab, hv, "c", "nobody answers on .*is the guest running", "a socket that nobody listens on")
    s.listen(1)
    s.settimeout(5)
    peer, _ = s.accept()
    says(lab, hv, "c", "no features negotiated", "a peer that says nothing")
    peer.close()
    s.close()
    says(lab, hv, "c", "nobody answers on", "a peer that has ended")
    os.unlink(path)
    says(lab, hv, "c", "no socket", "a socket that was removed")
    hv.ctl("port del c")


def server(lab, hv):
    hv.ctl("port add br0 s type=vhost-user mode=server queues=2")
    path = hv.sock("s")
    lab.ok(stat.S_ISSOCK(os.stat(path).st_mode), "the switch listens")
    says(lab, hv, "s", "waiting for the guest to connect to .*s.sock", "no peer")
    f = vf.Front(path)
    says(lab, hv, "s", "no features negotiated", "a peer that says nothing")
    f.features()
    f.settle()
    says(lab, hv, "s", "no guest memory shared.*share=on", "a guest whose memory is not shared")
    f.memory()
    f.settle()
    says(lab, hv, "s", "rings not enabled", "a guest without rings")
    f.ring(vf.TO_GUEST, enable=False)
    f.ring(vf.FROM_GUEST, enable=False)
    f.settle()
    says(lab, hv, "s", "rings not enabled", "rings that are set up and not enabled")
    f.enable(vf.FROM_GUEST, True)
    f.settle()
    says(lab, hv, "s", "rings not enabled", "one of the two")
    f.enable(vf.TO_GUEST, True)
    f.settle()
    lab.ok(wait_for("up", lambda: port(hv, "s")["up"], 5), "and with both it is up", port(hv, "s"))
    lab.ok(not port(hv, "s")["reason"], "a port that is up has no reason", port(hv, "s"))
    f.enable(vf.FROM_GUEST, False)
    f.settle()
    says(lab, hv, "s", "rings not enabled", "a ring that the guest disabled")
    f.enable(vf.FROM_GUEST, True)
    f.address(vf.FROM_GUEST, [vf.USER + vf.MEM] * 3)
    says(lab, hv, "s", "ring 1 .*not in the memory|waiting for the guest.*last time", "a ring that is not in the memory")
    f.close()
    says(lab, hv, "s", "waiting for the guest", "a guest that has ended")


def ended(lab, hv, what, pattern, story):
    """The switch hangs up, and goes on saying why."""
    f = vf.Front(hv.sock("s"))
    try:
        story(f)
        f.settle()
    except (OSError, struct.error):
        pass
    says(lab, hv, "s", f"waiting for the guest.*last time.*{pattern}", what)
    f.close()
    says(lab, hv, "s", f"waiting for the guest.*last time.*{pattern}", f"{what}, after its end")


def features_refused(f):
    f.ask(vf.GET_FEATURES)
    f.send(vf.SET_FEATURES, struct.pack("<Q", vf.VERSION_1 | 1 << 60))


def no_memory(f):
    f.features()
    fd = os.open("/", os.O_RDONLY)
    f.memory(fd=fd)
    os.close(fd)


def main():
    with Lab("vhost-reasons") as lab:
        hv = lab.weftd("sw")
        hv.ctl("bridge add br0")
        client(lab, hv)
        server(lab, hv)
        ended(lab, hv, "features that were not offered", "features were refused: 0x1000000000000000", features_refused)
        ended(lab, hv, "memory that cannot be shared", "memory cannot be shared: ", no_memory)
        ended(lab, hv, "a message that makes no sense", "SET_VRING_NUM made no sense",
              lambda f: (f.features(), f.send(vf.SET_VRING_NUM, struct.pack("<II", 0, 3))))
        # A guest that does it right is no longer told of the past.
        f = vf.Front(hv.sock("s"))
        f.start()
        lab.ok(wait_for("up", lambda: port(hv, "s")["up"], 5), "an honest guest afterwards", port(hv, "s"))
        f.close()
        says(lab, hv, "s", "waiting for the guest to connect to [^;]*$", "the past is forgotten")
        lab.ok(hv.stop() == 0, "SIGTERM ends weftd with status 0")


if __name__ == "__main__":
    main()
