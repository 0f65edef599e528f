# SPDX-License-Identifier: Apache-2.0
"""An Open vSwitch of its own in a namespace: the userspace datapath of the distribution, without DPDK."""
import os
import shutil

from lab import wait_for

VSWITCHD = "/usr/lib/openvswitch-switch/ovs-vswitchd"   # Without DPDK, whatever the alternatives say.


class Ovs:
    @staticmethod
    def is_there():
        return bool((os.path.exists(VSWITCHD) or shutil.which("ovs-vswitchd")) and shutil.which("ovsdb-server"))

    def __init__(self, lab, ns):
        self.lab, self.ns, self.dir = lab, ns, os.path.join(lab.state, "ovs")
        os.makedirs(self.dir)
        self.db = f"unix:{self.dir}/db.sock"
        self.env = dict(os.environ, OVS_RUNDIR=self.dir, OVS_LOGDIR=lab.logs, OVS_DBDIR=self.dir)
        conf = f"{self.dir}/conf.db"
        lab.run(["ovsdb-tool", "create", conf, "/usr/share/openvswitch/vswitch.ovsschema"], env=self.env)
        lab.spawn("ovsdb-server", ["ovsdb-server", conf, f"--remote=p{self.db}", f"--unixctl={self.dir}/db.ctl"], ns=ns,
                  env=self.env)
        wait_for("ovsdb-server", lambda: os.path.exists(self.db[5:]), 10)
        self.vsctl("--no-wait init")
        lab.spawn("ovs-vswitchd", [VSWITCHD if os.path.exists(VSWITCHD) else "ovs-vswitchd", "--disable-system", self.db,
                                   f"--unixctl={self.dir}/vs.ctl"], ns=ns, env=self.env)

    def vsctl(self, args):
        return self.lab.run(f"ovs-vsctl --timeout=10 --db={self.db} {args}", env=self.env).stdout

    def ofctl(self, args):
        return self.lab.run(["ovs-ofctl", *args.split()], env=self.env).stdout
