#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The recipes of docs/howto/overlay-*.md, run as they are written.

     weft-recipe-1                              weft-recipe-2
   +---------------------------+              +---------------------------+
   | "Host 1": weftd, lan0     |     veth     | "Host 2": weftd, lan0     |
   |           eth1            +==============+           eth1            |
   +---------------------------+              +---------------------------+
        172.16.0.1                                 172.16.0.2

A line that begins with "Host 1" or "Host 2" and ends with a colon says where the block of commands below it belongs; with
"Controller," or "Meanwhile," it is a command that goes on while the next block runs.  A "Meanwhile" has to succeed."""
import glob
import os
import re

from lab import BUILD, TOP, Lab, LabError, wait_for

BLOCK = re.compile(r"^((?:Host|Controller|Meanwhile)\b[^\n]*):\n\n```\n(.*?)^```$", re.M | re.S)


def blocks(page):
    with open(page) as f:
        text = f.read()
    return [(m.group(1), m.group(2)) for m in BLOCK.finditer(text)]


def sh(lab, host, commands, timeout=60):
    env = dict(os.environ, PATH=f"{os.path.join(BUILD, 'ctl')}:{os.environ['PATH']}:/usr/sbin:/sbin",
               WEFT_RUN_DIR=host.run_dir)
    return lab.run(["bash", "-e", "-c", commands], ns=host.ns, check=False, timeout=timeout, env=env)


def background(lab, host, name, commands):
    return lab.spawn(name, ["bash", "-c", "exec " + commands.strip()], ns=host.ns)


def page(lab, hosts, path):
    name = os.path.basename(path)[:-3]
    waiting, running = None, []
    steps = blocks(path)
    lab.ok(len(steps) >= 3, f"{name}: has a recipe for two hosts", steps)
    for n, (where, commands) in enumerate(steps):
        host = hosts[1 if re.search(r"host 2", where, re.I) else 0]
        if where.startswith("Controller"):
            p = background(lab, host, f"{name}-{n}", commands)
            port = re.search(r"tcp:(\d+)", commands).group(1)
            wait_for("the controller to listen", lambda ns=host.ns, to=port: lab.run(f"ss -Hltn sport = :{to}", ns=ns).stdout, 20)
            running.append(p)
            continue
        if where.startswith("Meanwhile"):
            waiting = background(lab, host, f"{name}-{n}", commands)
            wait_for("tcpdump", lambda p=waiting: "listening on" in p.tail(), 10)
            continue
        # A switch that was just told of a remote or of its controller may take a moment until it forwards.
        if commands.startswith("ping"):
            target = re.search(r"(10\.0\.0\.\d+)", commands).group(1)
            if not waiting:
                try:
                    wait_for("an answer", lambda h=host, to=target: sh(lab, h, f"ping -c 1 -W 1 {to}").returncode == 0, 20)
                except LabError:
                    pass
        p = sh(lab, host, commands)
        lab.ok(p.returncode == 0, f"{name}: step {n + 1}, {where.lower()}", f"{commands}\n{p.stdout}{p.stderr}")
        if waiting:
            try:
                wait_for("what was watched for", lambda p=waiting: not p.alive(), 10)
            except LabError:
                pass
            lab.ok(not waiting.alive() and waiting.popen.returncode == 0, f"{name}: {steps[n - 1][0].lower()}", waiting.tail())
            waiting = None
    for p in running:
        p.stop()
    for h in hosts:
        h.ctl("bridge del br0")


def main():
    with Lab("recipes") as lab:
        ns = [lab.netns(f"recipe-{n}") for n in (1, 2)]
        lab.veth(ns[0], "eth1", ns[1], "eth1")
        for n in (0, 1):
            lab.ip(ns[n], f"addr add 172.16.0.{n + 1}/24 dev eth1")
        hosts = [lab.weftd(str(n + 1), ns=ns[n]) for n in (0, 1)]
        pages = sorted(glob.glob(os.path.join(TOP, "docs", "howto", "overlay-*.md")))
        lab.ok(len(pages) >= 6, "there is a page for each overlay", pages)
        for path in pages:
            page(lab, hosts, path)
        for h in hosts:
            lab.ok(h.stop() == 0, "SIGTERM ends weftd with status 0")


if __name__ == "__main__":
    main()
