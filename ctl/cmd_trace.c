/* SPDX-License-Identifier: Apache-2.0 */
/* What would happen to a packet, by the same translation that packets get; and whether the cache has an answer for it
 * already, which is looked for in every polling thread. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/cmd_rules.h"

enum { FRAME_MAX = 65535, CACHE_PAGE = 1024 };

struct trace {
	struct ctl_req *req;
	struct sw *sw;
	struct flow_key key;
	unsigned lcore;
	json_t *result;
	json_t *cached;                 /* Flows that the packet would meet, one a thread. */
};

/* --- The cache ------------------------------------------------------------------------------------------ */

static bool
meets(const struct flow_key *key, const struct dp_flow *f)
{
	const uint8_t *k = (const uint8_t *)key, *v = (const uint8_t *)&f->key, *m = (const uint8_t *)&f->mask;

	for (size_t i = 0; i < sizeof *key; i++)
		if ((k[i] ^ v[i]) & m[i])
			return false;
	return true;
}

static void
answer(struct trace *t)
{
	json_object_set_new(t->result, "cached", t->cached);
	ctl_reply(t->req, t->result);
	free(t);
}

static void on_flows(void *arg, const struct dp_flow *flows, unsigned n, uint32_t next);

/* Asks for more of the present thread's flows, or for the next thread's. */
static void
look(struct trace *t, uint32_t from)
{
	for (; t->lcore < dp_n_lcores(sw_dp(t->sw)); t->lcore++, from = 0)
		if (!dp_flow_dump(sw_dp(t->sw), t->lcore, from, CACHE_PAGE, on_flows, t))
			return;
	answer(t);
}

static void
on_flows(void *arg, const struct dp_flow *flows, unsigned n, uint32_t next)
{
	struct trace *t = arg;
	struct dp_lcore_stats st = { 0 };
	bool found = false;

	if (ctl_is_gone(t->req)) {
		answer(t);
		return;
	}
	for (unsigned i = 0; i < n && !found; i++) {
		found = meets(&t->key, &flows[i]);
		if (!found)
			continue;
		dp_lcore_stats(sw_dp(t->sw), t->lcore, &st);
		json_array_append_new(t->cached, ctl_cached_flow(t->sw, &flows[i], st.cpu));
	}
	if (found || !next)
		t->lcore++;
	look(t, found ? 0 : next);
}

/* --- trace ---------------------------------------------------------------------------------------------- */

/* Hexadecimal digits to bytes.  NULL: they are none; else the caller frees. */
static uint8_t *
bytes_of(const char *hex, uint32_t *len)
{
	size_t n = strlen(hex);
	uint8_t *b = xcalloc(1, n / 2 + 1);

	*len = (uint32_t)(n / 2);
	for (size_t i = 0; i < n; i++) {
		int d = hex_digit(hex[i]);

		if (d < 0 || n % 2) {
			free(b);
			return NULL;
		}
		b[i / 2] = (uint8_t)(b[i / 2] << 4 | d);
	}
	return b;
}

static bool
read_key(struct ctl_req *r, struct ctl_rules *b, struct oflow *flow)
{
	const char *text = ctl_str(r, "flow"), *port = ctl_str(r, "in-port");
	struct err e = { 0 };
	uint32_t port_no;

	text = text ? text : "";
	if (of_parse_key(text, strlen(text), &b->names, flow, &e)) {
		ctl_refuse(r, "params.flow", &e);
		return false;
	}
	if (!port)
		return true;
	if (!of_parse_port(port, strlen(port), &b->names, &port_no)) {
		ctl_refuse_fmt(r, "params.in-port", ENOENT, "in-port: bridge %s has no port '%.64s'", ctl_str(r, "bridge"), port);
		return false;
	}
	flow->in_port = be32(port_no);
	return true;
}

static void
run(struct ctl_req *r, struct ctl_rules *b, const struct oflow *flow, const uint8_t *frame, uint32_t len)
{
	struct trace *t = memset(xalloc_aligned(64, sizeof *t), 0, sizeof *t);
	struct xlate_out *out = xcalloc(1, sizeof *out);
	char *text = ofp_trace(sw_ofp(b->sw), b->bridge, flow, frame, len, &t->key, out);

	t->req = r;
	t->sw = b->sw;
	t->result = json_object();
	t->cached = json_array();
	ctl_set_str(t->result, "text", text);
	free(text);
	free(out);
	look(t, 0);
}

static void
trace(struct ctl_req *r)
{
	const char *hex = ctl_str(r, "packet");
	struct ctl_rules b;
	struct oflow flow;
	uint8_t *frame = NULL;
	uint32_t len = 0;

	if (!ctl_need_rules(r, &b) || !read_key(r, &b, &flow))
		return;
	if (hex) {
		frame = bytes_of(hex, &len);
		if (!frame || len < 14) {
			ctl_refuse_fmt(r, "params.packet", EINVAL, "packet: at least 14 bytes of two hexadecimal digits are needed");
			free(frame);
			return;
		}
	} else if (!ctl_param(r, "flow")) {
		ctl_refuse_fmt(r, "params", EINVAL, "either flow or packet is needed");
		return;
	}
	run(r, &b, &flow, frame, len);
	free(frame);
}

static const struct ctl_param trace_params[] = {
	CTL_BRIDGE_PARAM,
	{ .name = "flow", .kind = CTL_STR, .max = CTL_RULE_MAX,
	  .help = "the packet in the syntax of ovs-ofctl: in_port=1,tcp,nw_dst=10.0.0.1" },
	{ .name = "packet", .kind = CTL_STR, .max = 2 * FRAME_MAX, .help = "the packet itself, in hexadecimal digits" },
	{ .name = "in-port", .kind = CTL_STR, .help = "name or OpenFlow number of the port it comes in on" },
	{ 0 }
};

const struct ctl_method ctl_trace_methods[] = {
	{ "trace", trace_params, trace, "what the rules of a bridge would do to a packet, and which cached flows it would meet",
	  "{\"bridge\": \"br0\", \"flow\": \"in_port=1,ip,nw_dst=10.0.0.1\"}" },
	{ 0 }
};
