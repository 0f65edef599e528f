/* SPDX-License-Identifier: Apache-2.0 */
/* A datapath of fifty lines for tests of the switch: holds the view, records marked tags, builds keys, and
 * writes action programs as short text:
 *   "2 3 {pop 4} push10 5"   output to 2 and 3 as is, to 4 without the tag, then to 5 with tag 10
 *   "{tun7/1 9} tun7/2 9"    encapsulated for destinations 1 and 2 of tunnel port 7, out of port 9 */
#ifndef TESTS_OFPROTO_SIM_H
#define TESTS_OFPROTO_SIM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "datapath/dp.h"
#include "ofproto/ofp.h"

struct sim {
	struct ofp *ofp;
	const void *view;
	void (*destroy)(void *);
	uint64_t epoch;                 /* Of the last commit that changed something. */
	uint64_t tag_epoch[DP_N_TAGS];
	unsigned n_views;
	struct xlate_out out;
	char text[65536];
};

static void
sim_set_view(void *arg, const void *view, void (*destroy)(void *))
{
	struct sim *s = arg;

	if (s->view)
		s->destroy((void *)(uintptr_t)s->view);
	s->view = view;
	s->destroy = destroy;
	s->n_views++;
}

static void
sim_tag_changed(void *arg, dp_tag tag)
{
	struct sim *s = arg;

	s->tag_epoch[tag] = s->epoch + 1;
}

static inline struct sim *
sim_create(void)
{
	struct sim *s = xcalloc(1, sizeof *s);

	s->ofp = ofp_create(&(struct ofp_sink){ .set_view = sim_set_view, .tag_changed = sim_tag_changed, .arg = s });
	return s;
}

static inline void
sim_destroy(struct sim *s)
{
	/* The view outlives the editor, as it does in the datapath. */
	ofp_destroy(s->ofp);
	if (s->view)
		s->destroy((void *)(uintptr_t)s->view);
	free(s);
}

static inline void
sim_commit(struct sim *s)
{
	ofp_commit(s->ofp);
	s->epoch++;
}

/* --- Configuration in one line --------------------------------------------------------------- */

static inline uint16_t
sim_bridge(struct sim *s, const char *name)
{
	struct ofp_bridge_conf c;
	uint16_t id;

	opt_defaults(ofp_bridge_opts, &c);
	assert_int_equal(ofp_bridge_add(s->ofp, name, &c, &id, NULL), 0);
	return id;
}

/* "vlan-mode=access tag=10": options in words.  'given': whether vlan-mode was among them. */
static inline struct ofp_port_conf
sim_port_conf(const char *opts)
{
	struct ofp_port_conf c;
	bool given = false;
	char buf[256], *save = NULL;
	struct err e = { 0 };

	opt_defaults(ofp_port_opts, &c);
	str_copy(buf, sizeof buf, opts);
	for (char *w = strtok_r(buf, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		char *eq = strchr(w, '=');

		*eq = '\0';
		given |= !strcmp(w, "vlan-mode");
		if (opt_set(ofp_port_opts, &c, w, eq + 1, &e))
			fail_msg("%s", e.msg);
	}
	if (ofp_port_check(&c, given, &e))
		fail_msg("%s", e.msg);
	return c;
}

static inline void
sim_port_kind(struct sim *s, uint16_t bridge, uint16_t port, enum ofp_port_kind kind, const char *opts)
{
	struct ofp_port_conf c = sim_port_conf(opts);
	struct err e = { 0 };

	if (ofp_port_add(s->ofp, bridge, port, kind, &c, &e))
		fail_msg("%s", e.msg);
	ofp_port_set_up(s->ofp, port, true);
}

static inline void
sim_port(struct sim *s, uint16_t bridge, uint16_t port, const char *opts)
{
	sim_port_kind(s, bridge, port, OFP_PORT_PLAIN, opts);
}

static inline void
sim_port_set(struct sim *s, uint16_t port, const char *opts)
{
	struct ofp_port_conf c = sim_port_conf(opts);

	assert_int_equal(ofp_port_set(s->ofp, port, &c, NULL), 0);
}

static inline void
sim_patch(struct sim *s, uint16_t a, uint16_t b)
{
	ofp_port_set_patch_peer(s->ofp, a, b);
	ofp_port_set_patch_peer(s->ofp, b, a);
}

/* --- Frames ---------------------------------------------------------------------------------- */

enum { BCAST = 0xffff, NO_TAG = -1 };

/* Station 'n' has 02:00:00:00:xx:xx. */
static inline struct mac
sim_mac(unsigned n)
{
	if (n == BCAST)
		return (struct mac){ { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };
	return (struct mac){ { 2, 0, 0, 0, (uint8_t)(n >> 8), (uint8_t)n } };
}

/* 'tci' NO_TAG: untagged. */
static inline struct flow_key
sim_key(uint16_t in_port, unsigned src, unsigned dst, int tci)
{
	struct flow_key k = { .in_port = in_port, .dl_src = sim_mac(src), .dl_dst = sim_mac(dst),
			      .dl_type = be16(0x800) };

	if (tci != NO_TAG) {
		k.vlan[0].tpid = be16(0x8100);
		k.vlan[0].tci = be16((uint16_t)tci);
	}
	return k;
}

static inline void
sim_xlate_to(struct sim *s, const struct flow_key *k, struct xlate_out *out)
{
	memset(out, 0, offsetof(struct xlate_out, refs));
	out->acts.n = 0;
	out->acts.overflow = false;
	ofp_xlate.translate(s->view, k, NULL, out);
}

static unsigned
sim_print(const struct act *a, unsigned n, char *buf, size_t len)
{
	size_t at = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < n; i++) {
		const char *sp = at ? " " : "";

		switch (a[i].op) {
		case ACT_OUTPUT: at += snprintf(buf + at, len - at, "%s%u", sp, a[i].port); break;
		case ACT_POP_VLAN: at += snprintf(buf + at, len - at, "%spop", sp); break;
		case ACT_SET_VLAN: at += snprintf(buf + at, len - at, "%sset%u", sp, a[i].arg); break;
		case ACT_PUSH_VLAN:
			assert_int_equal(a[i].arg >> 16, 0x8100);
			at += snprintf(buf + at, len - at, "%spush%u", sp, a[i].arg & 0xffff);
			break;
		case ACT_TUN_PUSH: at += snprintf(buf + at, len - at, "%stun%u/%u", sp, a[i].port, a[i].arg); break;
		case ACT_DROP: at += snprintf(buf + at, len - at, "%sdrop%u", sp, a[i].arg); break;
		case ACT_CLONE:
			assert_true(a[i].arg > 0 && i + 1 + a[i].arg < n);
			at += snprintf(buf + at, len - at, "%s{", sp);
			at += sim_print(&a[i + 1], a[i].arg, buf + at, len - at);
			at += snprintf(buf + at, len - at, "}");
			i += a[i].arg;
			break;
		case ACT_PUNT: at += snprintf(buf + at, len - at, "%spunt", sp); i += a[i].arg; break;
		default: {
			unsigned words = 1 + act_n_data(a[i].op, a[i].arg);

			/* Of OpenFlow: as traces show it. */
			assert_true(i + words <= n);
			at += snprintf(buf + at, len - at, "%s", sp);
			at += act_format(&a[i], words, NULL, NULL, buf + at, len - at);
			i += words - 1;
		}
		}
		assert_true(at < len);
	}
	return (unsigned)at;
}

/* Translates a frame; its program as text, or "" with s->out.drop set. */
static inline const char *
sim_xlate(struct sim *s, const struct flow_key *k)
{
	sim_xlate_to(s, k, &s->out);
	sim_print(s->out.acts.a, s->out.acts.n, s->text, sizeof s->text);
	assert_int_equal(!s->out.acts.n, s->out.drop != DROP_NONE);
	return s->text;
}

/* A frame comes in, and what it teaches is learned: as many times as that takes. */
static inline void
sim_learn(struct sim *s, const struct flow_key *k)
{
	for (unsigned i = 0; i < 10; i++) {
		sim_xlate(s, k);
		if (!s->out.learn.wanted)
			return;
		ofp_learn(s->ofp, &s->out.learn);
		sim_commit(s);
	}
	fail_msg("learning does not end");
}

/* Whether a cached flow with this answer would be translated anew. */
static inline bool
sim_is_marked(const struct sim *s, const struct xlate_out *out, uint64_t epoch)
{
	if (s->tag_epoch[dp_tag_make(TAG_ALL, 0)] > epoch)
		return true;
	for (unsigned i = 0; i < out->n_tags; i++)
		if (out->tags[i] == dp_tag_make(TAG_ALL, 0) || s->tag_epoch[out->tags[i]] > epoch)
			return true;
	return false;
}

#endif
