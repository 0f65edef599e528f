/* SPDX-License-Identifier: Apache-2.0 */
/* Counters as a method: of ports, of drop reasons, of the tiers of the flow cache, of polling threads, of
 * memory.  All are totals since the start, with a time, so that a client that asks twice has rates. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/cmd.h"
#include "ctl/sw.h"
#include "ofproto/table.h"

/* "why": n, for reasons that counted something. */
static json_t *
drops_of(const uint64_t drops[DP_N_DROPS])
{
	json_t *obj = json_object();

	for (unsigned i = DROP_NONE + 1; i < DP_N_DROPS; i++)
		if (drops[i])
			ctl_set_num(obj, dp_drop_info[i].name, drops[i]);
	return obj;
}

static json_t *
port_stats(const struct sw *sw, const struct port *p, const struct dp_port_stats *st)
{
	json_t *obj = json_object();
	uint64_t dropped = 0;

	for (unsigned i = DROP_NONE + 1; i < DP_N_DROPS; i++)
		dropped += st->drops[i];
	ctl_set_str(obj, "name", p->name);
	ctl_set_num(obj, "id", p->id);
	ctl_set_str(obj, "type", p->type->name);
	ctl_set_str(obj, "bridge", sw_bridge_name(sw, sw_port_bridge(sw, p->id)));
	ctl_set_num(obj, "rx_packets", st->rx_packets);
	ctl_set_num(obj, "rx_bytes", st->rx_bytes);
	ctl_set_num(obj, "tx_packets", st->tx_packets);
	ctl_set_num(obj, "tx_bytes", st->tx_bytes);
	ctl_set_num(obj, "dropped", dropped);
	json_object_set_new(obj, "drops", drops_of(st->drops));
	return obj;
}

struct selection {
	uint16_t port;                  /* 0: any. */
	bool by_bridge;
	uint16_t bridge;
};

/* Rows of the ports that were selected, and their drops summed up. */
static json_t *
ports(const struct sw *sw, const struct selection *sel, uint64_t sum[DP_N_DROPS])
{
	json_t *list = json_array();

	for (uint16_t id = 1; id < DP_MAX_PORTS; id++) {
		const struct port *p = dp_port(sw_dp(sw), id);
		struct dp_port_stats st;

		if (!p || (sel->port && sel->port != id) || (sel->by_bridge && sw_port_bridge(sw, id) != sel->bridge))
			continue;
		memset(&st, 0, sizeof st);
		dp_port_stats(sw_dp(sw), id, &st);
		for (unsigned i = 0; i < DP_N_DROPS; i++)
			sum[i] += st.drops[i];
		json_array_append_new(list, port_stats(sw, p, &st));
	}
	return list;
}

static json_t *
drops(const uint64_t sum[DP_N_DROPS])
{
	json_t *list = json_array();

	for (unsigned i = DROP_NONE + 1; i < DP_N_DROPS; i++) {
		json_t *obj;

		if (!sum[i])
			continue;
		obj = json_object();
		ctl_set_str(obj, "reason", dp_drop_info[i].name);
		ctl_set_num(obj, "packets", sum[i]);
		ctl_set_str(obj, "text", dp_drop_info[i].text);
		json_array_append_new(list, obj);
	}
	return list;
}

static json_t *
cache(const struct dp *dp)
{
	struct dp_lcore_stats sum = { 0 }, st;
	json_t *obj = json_object();

	for (unsigned i = 0; i < dp_n_lcores(dp); i++) {
		memset(&st, 0, sizeof st);
		dp_lcore_stats(dp, i, &st);
		sum.hint_hits += st.hint_hits;
		sum.mega_hits += st.mega_hits;
		sum.upcalls += st.upcalls;
		sum.upcall_drops += st.upcall_drops;
		sum.retranslated += st.retranslated;
		sum.evicted += st.evicted;
		sum.expired += st.expired;
		sum.n_flows += st.n_flows;
		sum.n_masks += st.n_masks;
		sum.max_flows += st.max_flows;
		sum.tun_waiting += st.tun_waiting;
	}
	ctl_set_num(obj, "hint_hits", sum.hint_hits);
	ctl_set_num(obj, "mega_hits", sum.mega_hits);
	ctl_set_num(obj, "upcalls", sum.upcalls);
	ctl_set_num(obj, "upcall_drops", sum.upcall_drops);
	ctl_set_num(obj, "flows", sum.n_flows);
	ctl_set_num(obj, "max_flows", sum.max_flows);
	ctl_set_num(obj, "masks", sum.n_masks);
	ctl_set_num(obj, "retranslated", sum.retranslated);
	ctl_set_num(obj, "evicted", sum.evicted);
	ctl_set_num(obj, "expired", sum.expired);
	ctl_set_num(obj, "tun_waiting", sum.tun_waiting);
	return obj;
}

/* How long turns with packets took. */
static void
set_turns(json_t *obj, const struct dp_lcore_stats *st)
{
	static const struct {
		const char *key;
		unsigned permille;
	} at[] = { { "turn_p50_ns", 500 }, { "turn_p99_ns", 990 }, { "turn_p999_ns", 999 } };
	double ns = st->tsc_hz ? 1e9 / (double)st->tsc_hz : 0;

	for (unsigned i = 0; i < ARRAY_SIZE(at); i++)
		ctl_set_num(obj, at[i].key, (uint64_t)((double)dp_turn_quantile(st, at[i].permille) * ns));
	ctl_set_num(obj, "turn_max_ns", (uint64_t)((double)st->turn_max * ns));
}

static json_t *
pmd(const struct dp *dp)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < dp_n_lcores(dp); i++) {
		struct dp_lcore_stats st = { 0 };
		json_t *obj = json_object();

		dp_lcore_stats(dp, i, &st);
		ctl_set_num(obj, "cpu", st.cpu);
		ctl_set_num(obj, "turns", st.turns);
		ctl_set_num(obj, "busy_turns", st.busy_turns);
		ctl_set_num(obj, "busy_cycles", st.busy_cycles);
		ctl_set_num(obj, "idle_cycles", st.idle_cycles);
		ctl_set_num(obj, "sleep_cycles", st.sleep_cycles);
		ctl_set_num(obj, "upcall_cycles", st.upcall_cycles);
		ctl_set_num(obj, "sleeps", st.sleeps);
		ctl_set_num(obj, "wakeups", st.wakeups);
		ctl_set_num(obj, "packets", st.packets);
		ctl_set_num(obj, "hint_hits", st.hint_hits);
		ctl_set_num(obj, "mega_hits", st.mega_hits);
		ctl_set_num(obj, "upcalls", st.upcalls);
		ctl_set_num(obj, "flows", st.n_flows);
		ctl_set_num(obj, "masks", st.n_masks);
		ctl_set_num(obj, "n_rxq", st.n_rxq);
		ctl_set_num(obj, "tsc_hz", st.tsc_hz);
		ctl_set_num(obj, "upcall_drops", st.upcall_drops);
		ctl_set_num(obj, "evicted", st.evicted);
		set_turns(obj, &st);
		json_array_append_new(list, obj);
	}
	return list;
}

/* What each receive queue costs its thread. */
static json_t *
queues(const struct dp *dp)
{
	enum { MAX = DP_MAX_PORTS * DP_MAX_RXQ };
	struct dp_rxq *q = xcalloc(MAX, sizeof *q);
	unsigned n = dp_rxqs(dp, q, MAX);
	json_t *list = json_array();

	for (unsigned i = 0; i < n; i++) {
		json_t *obj = json_object();

		ctl_set_str(obj, "port", dp_port(dp, q[i].port)->name);
		ctl_set_num(obj, "queue", q[i].q);
		ctl_set_num(obj, "cpu", q[i].cpu);
		json_object_set_new(obj, "pinned", json_boolean(q[i].pinned));
		json_object_set_new(obj, "moving", json_boolean(q[i].moving));
		ctl_set_num(obj, "moves", q[i].moves);
		ctl_set_num(obj, "load_permille", q[i].load);
		ctl_set_num(obj, "packets", q[i].packets);
		ctl_set_num(obj, "busy_cycles", q[i].busy_cycles);
		json_array_append_new(list, obj);
	}
	free(q);
	return list;
}

static uint64_t
resident_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long long size, resident;
	int n = 0;

	if (f) {
		n = fscanf(f, "%llu %llu", &size, &resident);
		fclose(f);
	}
	return n == 2 ? resident * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

/* What the rules and addresses of all bridges take. */
static void
set_rules(json_t *obj, const struct sw *sw)
{
	struct of_pipe_stats st, sum = { 0 };
	uint64_t mac_bytes = 0;
	json_t *bridge;
	const char *name;

	json_object_foreach(json_object_get(sw_conf(sw), "bridges"), name, bridge) {
		const struct of_pipe *pipe;
		uint16_t id;

		pipe = sw_bridge_id(sw, name, &id) ? ofp_pipe(sw_ofp(sw), id) : NULL;
		if (!pipe)
			continue;
		of_pipe_stats(pipe, &st);
		mac_bytes += ofp_mac_bytes(sw_ofp(sw), id);
		sum.n_rules += st.n_rules;
		sum.n_groups += st.n_groups;
		sum.n_meters += st.n_meters;
		sum.rule_bytes += st.rule_bytes;
	}
	ctl_set_num(obj, "rules", sum.n_rules);
	ctl_set_num(obj, "groups", sum.n_groups);
	ctl_set_num(obj, "meters", sum.n_meters);
	ctl_set_num(obj, "rule_bytes", sum.rule_bytes);
	ctl_set_num(obj, "mac_bytes", mac_bytes);
}

static json_t *
memory(const struct sw *sw)
{
	const struct dp *dp = sw_dp(sw);
	struct dp_mem_stats st = { 0 };
	json_t *obj = json_object();

	dp_mem_stats(dp, &st);
	ctl_set_num(obj, "mbufs", st.mbufs);
	ctl_set_num(obj, "mbufs_in_use", st.mbufs_in_use);
	ctl_set_num(obj, "mbuf_bytes", st.mbuf_bytes);
	ctl_set_num(obj, "flow_bytes", st.flow_bytes);
	ctl_set_num(obj, "hint_bytes", st.hint_bytes);
	ctl_set_num(obj, "port_bytes", st.port_bytes);
	ctl_set_num(obj, "queue_bytes", st.queue_bytes);
	ctl_set_num(obj, "table_bytes", st.table_bytes);
	set_rules(obj, sw);
	json_object_set_new(obj, "hugepages", json_boolean(st.hugepages));
	ctl_set_num(obj, "resident_bytes", resident_bytes());
	return obj;
}

static bool
wants(const char *what, const char *part)
{
	return !what || !strcmp(what, "all") || !strcmp(what, part);
}

static void
stats(struct ctl_req *r)
{
	const char *what = ctl_str(r, "what"), *bridge = ctl_str(r, "bridge"), *port = ctl_str(r, "port");
	uint64_t sum[DP_N_DROPS] = { 0 };
	struct sw *sw = ctl_sw(r);
	struct selection sel = { .by_bridge = bridge != NULL };
	json_t *result, *rows;

	if ((bridge && !ctl_need_bridge(r, bridge, &sel.bridge)) || (port && !ctl_need_port(r, port, &sel.port)))
		return;
	result = json_object();
	ctl_set_num(result, "time_us", clock_us());
	rows = ports(sw, &sel, sum);
	if (wants(what, "ports"))
		json_object_set(result, "ports", rows);
	json_decref(rows);
	if (wants(what, "drops"))
		json_object_set_new(result, "drops", drops(sum));
	if (wants(what, "cache"))
		json_object_set_new(result, "cache", cache(sw_dp(sw)));
	if (wants(what, "pmd")) {
		json_object_set_new(result, "pmd", pmd(sw_dp(sw)));
		json_object_set_new(result, "queues", queues(sw_dp(sw)));
	}
	if (wants(what, "memory"))
		json_object_set_new(result, "memory", memory(sw));
	ctl_reply(r, result);
}

static const char *const parts[] = { "all", "ports", "drops", "cache", "pmd", "memory", NULL };

static const struct ctl_param stats_params[] = {
	{ .name = "what", .kind = CTL_STR, .words = parts, .help = "all, ports, drops, cache, pmd or memory" },
	{ .name = "bridge", .kind = CTL_STR, .help = "ports and drops of this bridge only" },
	{ .name = "port", .kind = CTL_STR, .help = "ports and drops of this port only" },
	{ 0 }
};

const struct ctl_method ctl_stats_methods[] = {
	{ "stats", stats_params, stats, "counters since the start", "{\"what\": \"drops\"}" },
	{ 0 }
};
