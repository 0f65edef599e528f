/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of weftctl. */
#include "ctl/cli.h"

#define END { .name = NULL }
#define BRIDGE { "BRIDGE", "bridge", CLI_BRIDGE, .help = "a bridge" }
#define BRIDGE_OPTIONAL { "BRIDGE", "bridge", CLI_BRIDGE, .optional = true, .help = "this bridge only" }
#define NEW_BRIDGE { "BRIDGE", "bridge", CLI_TEXT, .help = "its name" }
#define PORT { "PORT", "port", CLI_PORT, .help = "a port" }
#define NEW_PORT { "PORT", "port", CLI_TEXT, .help = "its name, unique in the whole switch" }
#define TUNNEL { "PORT", "port", CLI_TUNNEL, .help = "a tunnel" }
#define GENERATION \
	{ "--generation", "N", "generation", CLI_NUMBER, .help = "refuse unless the configuration still has generation N" }

static const char *const vlan_modes[] = {
	"access", "trunk", "native-tagged", "native-untagged", "none", NULL
};
static const char *const fail_modes[] = { "standalone", "secure", NULL };
static const char *const stats_parts[] = { "all", "ports", "drops", "cache", "pmd", "memory", NULL };
static const char *const shells[] = { "bash", NULL };

static const struct cli_arg no_args[] = { END };
static const struct cli_arg maybe_bridge[] = { BRIDGE_OPTIONAL, END };
static const struct cli_arg bridge_args[] = { BRIDGE, END };
static const struct cli_arg new_bridge_args[] = { NEW_BRIDGE, END };
static const struct cli_arg new_port_args[] = { BRIDGE, NEW_PORT, END };
static const struct cli_arg port_args[] = { PORT, END };
static const struct cli_arg tunnel_args[] = { TUNNEL, END };
static const struct cli_arg vlan_args[] = {
	PORT,
	{ "MODE", "mode", CLI_WORD, .words = vlan_modes, .help = "access, trunk, native-tagged, native-untagged or none" },
	{ "TAG", "tag", CLI_NUMBER, .optional = true, .help = "the port's own VLAN; with trunk: the VLANs that pass" },
	{ "TRUNKS", "trunks", CLI_TEXT, .optional = true, .help = "native modes: the VLANs that pass tagged, as 10,20-29" },
	END
};
static const struct cli_arg mac_add_args[] = {
	BRIDGE,
	{ "ADDRESS", "mac", CLI_TEXT, .help = "a MAC address" },
	{ "PORT", "port", CLI_PORT, .help = "the port it is behind" },
	END
};
static const struct cli_arg mac_del_args[] = {
	BRIDGE,
	{ "ADDRESS", "mac", CLI_TEXT, .help = "a MAC address" },
	END
};
static const struct cli_arg controller_set_args[] = {
	BRIDGE,
	{ "TARGET", "targets", CLI_TEXT, .many = true,
	  .help = "tcp:HOST[:PORT] or ssl:HOST[:PORT] (port 6653), or to wait for one: ptcp:[PORT][:ADDRESS], pssl:..." },
	END
};
static const struct cli_arg controller_del_args[] = {
	BRIDGE,
	{ "TARGET", "targets", CLI_TEXT, .optional = true, .many = true, .help = "these only (default: all)" },
	END
};
static const struct cli_arg table_dump_args[] = {
	BRIDGE,
	{ "TABLE", "table", CLI_TEXT, .optional = true, .help = "number of a table (default: all)" },
	{ "MATCH", "match", CLI_TEXT, .optional = true, .help = "only rules that this match covers" },
	END
};
static const struct cli_arg flow_args[] = {
	BRIDGE,
	{ "FLOW", "flows", CLI_TEXT, .optional = true, .many = true, .help = "a rule; or give --file" },
	END
};
static const struct cli_arg flow_del_args[] = {
	BRIDGE,
	{ "MATCH", "flows", CLI_TEXT, .optional = true, .many = true, .help = "which ones (default: all)" },
	END
};
static const struct cli_arg group_args[] = {
	BRIDGE,
	{ "GROUP", "groups", CLI_TEXT, .optional = true, .many = true, .help = "a group; or give --file" },
	END
};
static const struct cli_arg group_del_args[] = {
	BRIDGE,
	{ "GROUP", "groups", CLI_TEXT, .optional = true, .many = true, .help = "group_id=N (default: all)" },
	END
};
static const struct cli_arg group_dump_args[] = {
	BRIDGE,
	{ "GROUP", "group", CLI_NUMBER, .optional = true, .help = "number of a group (default: all)" },
	END
};
static const struct cli_arg meter_args[] = {
	BRIDGE,
	{ "METER", "meters", CLI_TEXT, .optional = true, .many = true, .help = "a meter; or give --file" },
	END
};
static const struct cli_arg meter_del_args[] = {
	BRIDGE,
	{ "METER", "meters", CLI_TEXT, .optional = true, .many = true, .help = "meter=N (default: all)" },
	END
};
static const struct cli_arg meter_dump_args[] = {
	BRIDGE,
	{ "METER", "meter", CLI_NUMBER, .optional = true, .help = "number of a meter (default: all)" },
	END
};
static const struct cli_arg trace_args[] = {
	BRIDGE,
	{ "FLOW", "flow", CLI_TEXT, .optional = true, .help = "the packet's fields in the syntax of ovs-ofctl" },
	END
};
static const struct cli_arg file_args[] = {
	{ "FILE", "file", CLI_FILE, .help = "a configuration as export prints it; - reads standard input" },
	END
};
static const struct cli_arg stats_args[] = {
	{ "WHAT", "what", CLI_WORD, .optional = true, .words = stats_parts,
	  .help = "ports, drops, cache, pmd, memory or all (default all)" },
	END
};
static const struct cli_arg shell_args[] = {
	{ "SHELL", "shell", CLI_WORD, .words = shells, .help = "bash" },
	END
};

static const struct cli_flag edit_flags[] = { GENERATION, END };
static const struct cli_flag port_flag[] = {
	{ "--port", "PORT", "port", CLI_PORT, .help = "only those behind this port" },
	{ "--vlan", "VLAN", "vlan", CLI_NUMBER, .help = "only those of this VLAN; 0 is untagged" },
	END
};
static const struct cli_flag vlan_flag[] = {
	{ "--vlan", "VLAN", "vlan", CLI_NUMBER, .help = "in this VLAN (default 0, untagged)" },
	END
};
static const struct cli_flag controller_flags[] = {
	{ "--fail-mode", "MODE", "fail-mode", CLI_WORD, .help = "what to do without one: standalone (be a learning switch) or secure",
	  .words = fail_modes },
	GENERATION, END
};
static const struct cli_flag flow_flags[] = {
	{ "--bridge", "BRIDGE", "bridge", CLI_BRIDGE, .help = "only flows that came in on this bridge" },
	{ "--port", "PORT", "port", CLI_PORT, .help = "only flows that came in on this port" },
	END
};
#define RULES_FILE \
	{ "--file", "FILE", "file", CLI_FILE, .help = "one rule a line, # begins a comment; - reads standard input" }, \
	{ "--bundle", NULL, "bundle", CLI_TEXT, .help = "the whole file at once, or with a mistake nothing of it" }

static const struct cli_flag names_flags[] = {
	{ "--names", NULL, "names", CLI_TEXT, .help = "ports by name, also when this is no terminal" },
	END
};
static const struct cli_flag file_flags[] = {
	{ "--file", "FILE", "file", CLI_FILE, .help = "one a line, # begins a comment; - reads standard input" },
	END
};
static const struct cli_flag change_flags[] = { RULES_FILE, END };
static const struct cli_flag strict_flags[] = {
	{ "--strict", NULL, "strict", CLI_TEXT, .help = "only rules with exactly this match and priority" },
	RULES_FILE, END
};
static const struct cli_flag trace_flags[] = {
	{ "--pcap", "FILE", "pcap", CLI_FILE, .help = "packets of a capture file" },
	{ "--in-port", "PORT", "in-port", CLI_PORT, .help = "the port they come in on: name or OpenFlow number" },
	END
};
static const struct cli_flag ofmsg_flags[] = {
	{ "--conn", "ID", "conn", CLI_NUMBER, .help = "only this connection: see controller show" },
	{ "--count", "N", "count", CLI_NUMBER, .help = "end after N messages" },
	END
};
static const struct cli_flag stats_flags[] = {
	{ "--bridge", "BRIDGE", "bridge", CLI_BRIDGE, .help = "ports and drops of this bridge only" },
	{ "--port", "PORT", "port", CLI_PORT, .help = "ports and drops of this port only" },
	{ "--watch", "[SECONDS]", "watch", CLI_NUMBER, .help = "again and again, with rates (default every 2 seconds)" },
	{ "--count", "N", "count", CLI_NUMBER, .help = "with --watch: end after N times" },
	END
};
static const struct cli_flag apply_flags[] = {
	{ "--dry-run", NULL, "dry-run", CLI_TEXT, .help = "print the difference only" },
	END
};

const struct cli_flag cli_global_flags[] = {
	{ "--socket", "PATH", NULL, CLI_FILE, .help = "the socket of weftd (default RUN_DIR/weftd.sock)" },
	{ "--run-dir", "DIR", NULL, CLI_FILE, .help = "weftd's run directory (default $WEFT_RUN_DIR or " CLI_DEFAULT_RUN_DIR ")" },
	{ "--timeout", "SECONDS", NULL, CLI_NUMBER, .help = "give up waiting for an answer (default 10)" },
	{ "--json", NULL, NULL, CLI_TEXT, .help = "print the answer as JSON" },
	{ "--help", NULL, NULL, CLI_TEXT, .help = "what a command does, with an example" },
	END
};

const struct cli_cmd cli_cmds[] = {
	{ "show", "show", maybe_bridge, NULL, .help = "show bridges, ports and tunnels, and why something is down",
	  .example = "weftctl show br0", .print = cli_print_show },

	{ "bridge add", "bridge.add", new_bridge_args, edit_flags, CLI_OPTS_BRIDGE, .help = "add a bridge",
	  .example = "weftctl bridge add br0 mac-age=600" },
	{ "bridge del", "bridge.del", bridge_args, edit_flags, .help = "remove a bridge with all its ports",
	  .example = "weftctl bridge del br0" },
	{ "bridge set", "bridge.set", bridge_args, edit_flags, CLI_OPTS_BRIDGE, true, .help = "change options of a bridge",
	  .text = "An option with an empty value goes back to its default.",
	  .example = "weftctl bridge set br0 mac-limit=4096" },
	{ "bridge list", "bridge.list", no_args, NULL, .help = "list bridges", .example = "weftctl bridge list",
	  .print = cli_print_bridges },

	{ "port add", "port.add", new_port_args, edit_flags, CLI_OPTS_PORT, .help = "add a port to a bridge",
	  .text = "The type decides which options there are beside those that all ports have.",
	  .example = "weftctl port add br0 vm1 type=vhost-user tag=10" },
	{ "port del", "port.del", port_args, edit_flags, .help = "remove a port", .example = "weftctl port del vm1" },
	{ "port set", "port.set", port_args, edit_flags, CLI_OPTS_PORT, true, .help = "change options of a port",
	  .text = "An option with an empty value goes back to its default.  Changing an option of the port's type "
		  "closes the port and opens it again.",
	  .example = "weftctl port set vm1 tag=20 protected=" },
	{ "port list", "port.list", maybe_bridge, NULL, .help = "list ports with their state",
	  .example = "weftctl port list br0", .print = cli_print_ports },

	{ "tunnel add", "tunnel.add", new_port_args, edit_flags, CLI_OPTS_TUNNEL, .help = "add a tunnel to a bridge",
	  .text = "A tunnel is a port: the options of all ports hold for it as well.  With several remotes, flooded "
		  "frames go to each of them.",
	  .example = "weftctl tunnel add br0 vx0 type=vxlan vni=5000 remote=172.16.0.2" },
	{ "tunnel del", "tunnel.del", tunnel_args, edit_flags, .help = "remove a tunnel",
	  .example = "weftctl tunnel del vx0" },
	{ "tunnel set", "tunnel.set", tunnel_args, edit_flags, CLI_OPTS_TUNNEL, true, .help = "change options of a tunnel",
	  .text = "An option with an empty value goes back to its default.",
	  .example = "weftctl tunnel set vx0 remote=172.16.0.2,172.16.0.3" },
	{ "tunnel list", "tunnel.list", maybe_bridge, NULL, .help = "list tunnels with the state of their remotes",
	  .example = "weftctl tunnel list", .print = cli_print_tunnels },
	{ "tunnel refused", "tunnel.refused", no_args, NULL, .help = "show who sends tunnel packets that are dropped",
	  .text = "Newest first: the reason, whose packets, with which key, where they came in, and about how many.  Counts of all "
		  "of them are with: stats drops.  When one host tries many keys, or many hosts one key, they share a row.",
	  .example = "weftctl tunnel refused", .print = cli_print_refused },

	{ "vlan set", "vlan.set", vlan_args, edit_flags, .help = "set how a port treats VLANs",
	  .text = "access: untagged frames, in VLAN TAG.  trunk: tagged frames, of the given VLANs or of all.  "
		  "native-untagged and native-tagged: a trunk whose untagged frames are in VLAN TAG.  none: as if "
		  "nothing had been set, a trunk of all VLANs.",
	  .example = "weftctl vlan set vm1 access 10", .run = cli_run_vlan_set },
	{ "vlan show", "vlan.show", maybe_bridge, NULL, .help = "show the VLAN settings of ports",
	  .example = "weftctl vlan show br0", .print = cli_print_vlans },

	{ "mac show", NULL, maybe_bridge, port_flag, .help = "show MAC tables", .example = "weftctl mac show br0 --vlan 10",
	  .run = cli_run_mac_show },
	{ "mac flush", "mac.flush", bridge_args, port_flag, .help = "forget learned addresses",
	  .text = "Static addresses stay.", .example = "weftctl mac flush br0 --port vm1", .print = cli_print_flushed },
	{ "mac add", "mac.add", mac_add_args, vlan_flag, .help = "add a static address",
	  .text = "It is never aged, moved or flushed, and goes when its port is deleted.  It is part of the configuration: the port's static-macs.",
	  .example = "weftctl mac add br0 52:54:00:00:00:01 vm1 --vlan 10" },
	{ "mac del", "mac.del", mac_del_args, vlan_flag, .help = "remove an address",
	  .example = "weftctl mac del br0 52:54:00:00:00:01 --vlan 10" },

	{ "controller set", "controller.set", controller_set_args, controller_flags,
	  .help = "set the OpenFlow controllers of a bridge",
	  .text = "They replace those that were there.  All are connected to at once.  Other settings, such as the files for "
		  "TLS, are options of the bridge: see bridge set.",
	  .example = "weftctl controller set br0 tcp:127.0.0.1:6653" },
	{ "controller del", "controller.del", controller_del_args, edit_flags,
	  .help = "remove OpenFlow controllers from a bridge", .example = "weftctl controller del br0" },
	{ "controller show", "controller.show", maybe_bridge, NULL,
	  .help = "show OpenFlow connections, and why one is down", .example = "weftctl controller show br0",
	  .print = cli_print_controllers },

	{ "flow table dump", "flow.table.dump", table_dump_args, names_flags, .help = "print OpenFlow rules",
	  .text = "As ovs-ofctl dump-flows prints them.  MATCH may also say out_port=PORT, out_group=GROUP or "
		  "cookie=VALUE/MASK.  On a terminal, ports are shown by name.",
	  .example = "weftctl flow table dump br0 0 ip,nw_dst=10.0.0.0/8", .run = cli_run_flow_table_dump },
	{ "flow add", "flow.add", flow_args, change_flags, .help = "add OpenFlow rules",
	  .text = "In the syntax of ovs-ofctl add-flow.  Rules of one command line are all added, or with a mistake in one of "
		  "them none.  Files are sent piece by piece, unless --bundle is given.",
	  .example = "weftctl flow add br0 priority=10,in_port=vm1,actions=output:vm2", .run = cli_run_rules_change },
	{ "flow mod", "flow.mod", flow_args, strict_flags, .help = "change the actions of OpenFlow rules",
	  .text = "In the syntax of ovs-ofctl mod-flows: of all rules that the match covers.",
	  .example = "weftctl flow mod br0 in_port=vm1,actions=drop", .run = cli_run_rules_change },
	{ "flow del", "flow.del", flow_del_args, strict_flags, .help = "remove OpenFlow rules",
	  .text = "In the syntax of ovs-ofctl del-flows: all rules that the match covers; without a match, all there are.",
	  .example = "weftctl flow del br0 table=0,in_port=vm1", .run = cli_run_rules_change },
	{ "flow dump", NULL, no_args, flow_flags, .help = "print the cached flows",
	  .text = "What the packet path remembers of its answers; flow table dump prints the rules behind them.  For each: what "
		  "it matches, what is done, its counters, and what it depends on: when one of those changes, the flow is worked "
		  "out anew at its next packet.",
	  .example = "weftctl flow dump --port vm1", .run = cli_run_flow_dump },
	{ "flow flush", "flow.flush", no_args, NULL, .help = "forget all cached flows",
	  .text = "Traffic brings them back.  Never needed after a change: flows follow changes by themselves.",
	  .example = "weftctl flow flush" },

	{ "group add", "group.add", group_args, file_flags, .help = "add OpenFlow groups",
	  .text = "In the syntax of ovs-ofctl add-group.",
	  .example = "weftctl group add br0 group_id=1,type=select,bucket=output:1,bucket=output:2",
	  .run = cli_run_rules_change },
	{ "group mod", "group.mod", group_args, file_flags, .help = "change OpenFlow groups",
	  .text = "In the syntax of ovs-ofctl mod-group.", .example = "weftctl group mod br0 group_id=1,type=all,bucket=output:vm1",
	  .run = cli_run_rules_change },
	{ "group del", "group.del", group_del_args, NULL, .help = "remove OpenFlow groups",
	  .text = "Rules that lead to them go with them.", .example = "weftctl group del br0 group_id=1",
	  .run = cli_run_rules_change },
	{ "group dump", "group.dump", group_dump_args, names_flags, .help = "print OpenFlow groups with their counters",
	  .example = "weftctl group dump br0", .run = cli_run_group_dump },

	{ "meter add", "meter.add", meter_args, file_flags, .help = "add OpenFlow meters",
	  .text = "In the syntax of ovs-ofctl add-meter.",
	  .example = "weftctl meter add br0 meter=1,kbps,band=type=drop,rate=1000", .run = cli_run_rules_change },
	{ "meter mod", "meter.mod", meter_args, file_flags, .help = "change OpenFlow meters",
	  .text = "In the syntax of ovs-ofctl mod-meter.", .example = "weftctl meter mod br0 meter=1,pktps,band=type=drop,rate=500",
	  .run = cli_run_rules_change },
	{ "meter del", "meter.del", meter_del_args, NULL, .help = "remove OpenFlow meters",
	  .text = "Rules that use them go with them.", .example = "weftctl meter del br0 meter=1",
	  .run = cli_run_rules_change },
	{ "meter dump", "meter.dump", meter_dump_args, NULL, .help = "print OpenFlow meters with their counters",
	  .example = "weftctl meter dump br0", .run = cli_run_group_dump },

	{ "trace", "trace", trace_args, trace_flags, .help = "print what the rules of a bridge would do to a packet",
	  .text = "Table by table: which rule matches and why those above it do not; then the final actions, which parts of the "
		  "packet were looked at, and whether the packet path has that answer cached.  Nothing is sent.  With --pcap, the "
		  "second word is the number of a packet in the file; without it, all are traced.",
	  .example = "weftctl trace br0 in_port=vm1,tcp,nw_dst=10.0.0.2,tp_dst=80", .run = cli_run_trace },
	{ "ofmsg tail", "ofmsg.tail", bridge_args, ofmsg_flags, .help = "print OpenFlow messages as they come and go",
	  .text = "Until interrupted.  One line for each message, or more: <- is one that was received, -> one that was sent.  "
		  "Watching slows nothing down: what comes faster than it can be printed is left out and counted.",
	  .example = "weftctl ofmsg tail br0 --count 10", .run = cli_run_ofmsg_tail },

	{ "stats", NULL, stats_args, stats_flags, .help = "print counters", .text = "Counters are totals since weftd started.",
	  .example = "weftctl stats ports --watch 1", .run = cli_run_stats },

	{ "apply", NULL, file_args, apply_flags, .help = "make the switch match a file",
	  .text = "Prints the difference first.  A file with a mistake is refused whole; so is one that was compared "
		  "with a configuration that somebody changed in between.",
	  .example = "weftctl apply site.json --dry-run", .run = cli_run_apply },
	{ "diff", NULL, file_args, NULL, .help = "print what apply would change", .example = "weftctl diff site.json",
	  .run = cli_run_diff },
	{ "export", NULL, no_args, NULL, .help = "print the present configuration", .example = "weftctl export > site.json",
	  .run = cli_run_export },

	{ "version", NULL, no_args, NULL, .help = "print the versions of weftctl and weftd", .example = "weftctl version",
	  .run = cli_run_version },
	{ "completion", NULL, shell_args, NULL, .help = "print a script that completes weftctl commands",
	  .example = "source <(weftctl completion bash)", .run = cli_run_completion },
	END
};
