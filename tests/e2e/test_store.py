#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The configuration of a daemon that is killed while it writes, whose file is broken by hand, that is started twice.

   weftctl (changes mac-age, again and again) --> weftd --> config folder
                                                    ^
   kill -9 after a random time, start again: what was acknowledged is there"""
import glob
import json
import os
import random
import subprocess
import threading
import time

from lab import Lab, LabError

ROUNDS = int(os.environ.get("WEFT_KILLS", "20"))


class Writer(threading.Thread):
    """Sets mac-age to 100, 101, ...; knows what was acknowledged and what was only asked for."""

    def __init__(self, hv, first):
        super().__init__()
        self.hv, self.acked, self.asked = hv, first, first

    def run(self):
        while True:
            self.asked = self.acked + 1
            p = subprocess.run([self.hv.program("weftctl"), "--run-dir", self.hv.run_dir, "bridge", "set", "br0",
                                f"mac-age={self.asked}"], capture_output=True, check=False, timeout=20)
            if p.returncode:
                return
            self.acked = self.asked


def mac_age(hv):
    return int(json.loads(hv.ctl("export").stdout)["bridges"]["br0"]["mac-age"])


def refused(lab, what, argv, words):
    """A start that must fail, at once and in words."""
    p = subprocess.run(argv, text=True, capture_output=True, timeout=20, check=False)
    said = p.stderr + p.stdout
    lab.ok(p.returncode > 0 and all(any(w in said.lower() for w in word.split("|")) for word in words), what,
           f"status {p.returncode}: {said}")


def main():
    rnd = random.Random(99)
    with Lab("store") as lab:
        hv = lab.weftd("sw")
        hv.ctl("bridge add br0")
        hv.ctl("port add br0 g1 type=vhost-user tag=10")
        value, good, lost = 100, 0, []
        hv.ctl(f"bridge set br0 mac-age={value}")
        for _ in range(ROUNDS):
            writer = Writer(hv, value)
            writer.start()
            time.sleep(rnd.uniform(0.02, 0.25))
            hv.proc.kill()
            writer.join()
            try:
                hv.start()
                found = mac_age(hv)
            except (LabError, KeyError, ValueError) as e:
                lost.append(f"after {writer.acked}: {e}")
                break
            if found in (writer.acked, writer.asked):
                good += 1
            else:
                lost.append(f"acknowledged {writer.acked}, asked for {writer.asked}, found {found}")
            value = found
        lab.diag(f"{value - 100} changes written")
        lab.ok(good == ROUNDS, f"{ROUNDS} times killed while it writes: what was acknowledged is there", "\n".join(lost))
        lab.ok("g1" in hv.ctl("export").stdout, "and nothing else was lost")

        refused(lab, "a second weftd on the same run directory says so",
                [hv.program("weftd"), "--config-dir", hv.config_dir, "--run-dir", hv.run_dir, "--lcores", str(hv.cpu)],
                ["another|already|running|in use"])
        lab.ok(hv.ctl("version", check=False).returncode == 0, "and does the first one no harm")
        hv.ctl("bridge set br0 mac-age=77")
        hv.ctl("bridge set br0 mac-age=78")
        lab.ok(hv.stop() == 0, "SIGTERM ends weftd with status 0")

        files = sorted(glob.glob(os.path.join(hv.config_dir, "*.json")), key=os.path.getmtime)
        if not lab.ok(bool(files), "the configuration is a JSON file", os.listdir(hv.config_dir)):
            return
        conf = files[-1]
        whole = open(conf, encoding="utf-8").read()
        argv = [hv.program("weftd"), "--config-dir", hv.config_dir, "--run-dir", hv.run_dir, "--lcores", str(hv.cpu)]
        with open(conf, "w", encoding="utf-8") as f:
            f.write(whole[:len(whole) // 2])
        refused(lab, "a truncated file is refused, with file, line and reason", argv, [os.path.basename(conf), "line|:"])
        with open(conf, "w", encoding="utf-8") as f:
            f.write(whole.replace('"vhost-user"', '"vhost-usre"'))
        refused(lab, "a hand-broken file is refused, with the nearest valid spelling", argv, ["vhost-user"])
        with open(conf, "w", encoding="utf-8") as f:
            f.write(whole)
        hv.start()
        lab.ok(mac_age(hv) == 78, "and the mended one is taken")
        hv.stop()
        refused(lab, "a run directory that cannot be made is named", argv[:4] + ["/proc/nowhere/run", "--lcores", "0"],
                ["/proc/nowhere"])


if __name__ == "__main__":
    main()
