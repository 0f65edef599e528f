/* SPDX-License-Identifier: Apache-2.0 */
/* A datapath with ports from memory and a translator whose answers a test writes down: for what OpenFlow asks of the
 * polling threads. */
#ifndef TESTS_DATAPATH_EXECENV_H
#define TESTS_DATAPATH_EXECENV_H

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/ctr.h"
#include "base/hash.h"
#include "tests/datapath/frames.h"
#include "tests/datapath/mem_port.h"
#include "tunnels/tlv.h"
#include "tunnels/tun.h"

enum { WAIT_MS = 10000, N_OBJECTS = 64 };

/* What the fake translator answers; the low byte of the destination address picks the answer. */
struct rules {
	struct act_list acts[4];
	uint64_t refs[256][3];
	uint8_t n_refs[256];
	uint8_t no_cache[256];
	bool no_source;                 /* Sources do not count. */
	uint64_t version;               /* Of the masks of ports. */
	uint16_t note_len;
};

/* Counted by credit(); atomics, for it runs on the polling threads. */
static struct {
	uint64_t packets, bytes, used_ms;
} counted[N_OBJECTS + 1];

static struct dp *dp;
static struct port *port[4];
static unsigned max_flows = 1024, n_lcores = 1;
static bool want_punts = true;
static void (*on_peer)(void *, const struct dp_tun_peer *);
static void (*on_tun_control)(void *arg, uint32_t tun_dst, const void *frame, uint32_t len);
static void (*on_refused)(void *, const struct dp_refusal *);
static const char *isa = "auto";

static struct {
	unsigned n;
	uint16_t in_port;
	uint8_t data[64];
	unsigned data_len;
	uint8_t frame[70000];
	uint32_t len, orig_len;
	unsigned of_port[8];
} punted;

static struct {
	unsigned n;
	unsigned len;
	uint8_t first, last;
} noted;

static uint32_t last_contig, last_len;
static uint8_t last_byte;
static uint8_t last_ext[TUN_EXT_LEN], last_opts[64];
static uint32_t last_opts_len;
static uint8_t last_tun_flags;          /* Likewise. */
static uint8_t last_flags;              /* Of the key; those that the port's mask keeps. */

static const struct tlv_table *known_options;      /* Of all ports. */

static inline void
fake_translate(const void *view, const struct flow_key *key, const struct xlate_pkt *pkt, struct xlate_out *out)
{
	const struct rules *r = view;
	uint8_t which = key->dl_dst.b[5];
	const struct act_list *l = &r->acts[which & 3];

	out->mask.in_port = 0xffff;
	memset(&out->mask.dl_dst, 0xff, sizeof out->mask.dl_dst);
	out->mask.flags = FLOW_F_NO_LEARN;
	out->mask.tun_flags = known_options ? 0xff : 0;
	if (known_options)
		memset(out->mask.tun_ext, 0xff, sizeof out->mask.tun_ext);
	if (which & 1)
		memset(&out->mask.dl_src, 0xff, sizeof out->mask.dl_src);
	xlate_tag(out, dp_tag_make(TAG_TABLE, which & 7));
	memcpy(out->acts.a, l->a, l->n * sizeof l->a[0]);
	out->acts.n = l->n;
	for (unsigned i = 0; i < r->n_refs[which]; i++)
		xlate_ref(out, r->refs[which][i]);
	out->no_cache = r->no_cache[which];
	if (r->note_len) {
		out->n_notes = 1;
		out->notes[0].len = r->note_len;
		memset(out->notes[0].data, 0x5a, r->note_len);
		out->notes[0].data[0] = which;
	}
	if (!out->acts.n)
		out->drop = DROP_OF_RULE;
	__atomic_store_n(&last_contig, pkt->contig, __ATOMIC_RELAXED);
	__atomic_store_n(&last_byte, pkt->data[pkt->contig - 1], __ATOMIC_RELAXED);
	memcpy(last_ext, key->tun_ext, sizeof last_ext);
	last_opts_len = pkt->opts_len;
	if (pkt->opts_len)
		memcpy(last_opts, pkt->opts, MIN_OF(pkt->opts_len, sizeof last_opts));
	__atomic_store_n(&last_tun_flags, key->tun_flags, __ATOMIC_RELAXED);
	__atomic_store_n(&last_flags, key->flags, __ATOMIC_RELAXED);
	__atomic_store_n(&last_len, pkt->len, __ATOMIC_RELEASE);
}

static inline void
fake_port_mask(const void *view, uint16_t p, struct flow_key *m)
{
	const struct rules *r = view;

	(void)p;
	memset(m, 0, sizeof *m);
	memset(&m->dl_dst, 0xff, sizeof m->dl_dst);
	m->flags = FLOW_F_NO_LEARN;
	if (known_options) {
		m->tun_flags = 0xff;
		m->tun_peer = UINT32_MAX;
		memset(m->tun_ext, 0xff, sizeof m->tun_ext);
	}
	if (!r->no_source)
		memset(&m->dl_src, 0xff, sizeof m->dl_src);
}

static inline uint64_t
fake_masks_version(const void *view)
{
	return ((const struct rules *)view)->version;
}

static inline void
fake_touch(const void *view UNUSED, uint64_t t UNUSED)
{
}

/* Makes credit() take so many microseconds, and counts how often it is called in one turn at most. */
static struct {
	uint32_t us;
	uint64_t turn, n, most;         /* Of the one polling thread; read when it is done. */
} paced;

static inline void
pace(void)
{
	struct dp_lcore_stats s;
	uint32_t us = __atomic_load_n(&paced.us, __ATOMIC_ACQUIRE);

	if (!us)
		return;
	dp_lcore_stats(dp, 0, &s);
	paced.n = s.turns == paced.turn ? paced.n + 1 : 1;
	paced.turn = s.turns;
	if (paced.n > paced.most)
		__atomic_store_n(&paced.most, paced.n, __ATOMIC_RELEASE);
	for (uint64_t end = clock_us() + us; clock_us() < end;)
		;
}

static inline void
fake_credit(const void *view, const uint64_t *refs, unsigned n, uint64_t packets, uint64_t bytes, uint64_t used_ms)
{
	(void)view;
	pace();
	for (unsigned i = 0; i < n; i++) {
		__atomic_fetch_add(&counted[refs[i]].packets, packets, __ATOMIC_RELAXED);
		__atomic_fetch_add(&counted[refs[i]].bytes, bytes, __ATOMIC_RELAXED);
		__atomic_store_n(&counted[refs[i]].used_ms, used_ms, __ATOMIC_RELAXED);
	}
}

static inline const struct tlv_table *
fake_port_opts(const void *view, uint16_t p)
{
	(void)view;
	(void)p;
	return __atomic_load_n(&known_options, __ATOMIC_ACQUIRE);
}

static const struct xlate_ops fake_xlate = {
	.port_opts = fake_port_opts, .translate = fake_translate, .port_mask = fake_port_mask, .touch = fake_touch, .credit = fake_credit,
	.masks_version = fake_masks_version,
};

static inline void
on_punt(void *arg, uint16_t in_port, const void *data, unsigned data_len, const void *frame, uint32_t len,
	uint32_t orig_len)
{
	(void)arg;
	punted.n++;
	punted.of_port[in_port]++;
	punted.in_port = in_port;
	punted.data_len = data_len;
	memcpy(punted.data, data, MIN_OF(data_len, sizeof punted.data));
	memcpy(punted.frame, frame, MIN_OF(len, sizeof punted.frame));
	punted.len = len;
	punted.orig_len = orig_len;
}

static inline void
on_note(void *arg, const void *data, unsigned len)
{
	(void)arg;
	noted.n++;
	noted.len = len;
	noted.first = ((const uint8_t *)data)[0];
	noted.last = ((const uint8_t *)data)[len - 1];
}

static inline int
setup(void **state)
{
	struct dp_conf conf = {
		.n_lcores = n_lcores, .cpu = { 0, 1 }, .run_dir = "/tmp", .n_mbufs = 4096, .max_flows = max_flows, .idle_us = 100, .isa = isa,
		.upcall_turn_us = 1000000,
		.xlate = &fake_xlate, .punt = want_punts ? on_punt : NULL, .note = on_note, .peer = on_peer, .tun_control = on_tun_control,
		.refused = on_refused,
	};
	struct err e = { 0 };

	(void)state;
	memset(counted, 0, sizeof counted);
	memset(&punted, 0, sizeof punted);
	memset(&noted, 0, sizeof noted);
	last_len = last_contig = 0;
	dp = dp_create(&conf, &e);
	if (!dp)
		fprintf(stderr, "%s\n", e.msg);
	assert_non_null(dp);
	for (unsigned i = 1; i <= 3; i++) {
		char name[8] = { 'm', (char)('0' + i), 0 };

		port[i] = dp_port_add(dp, &port_type_mem, name, 0, NULL, &e);
		assert_non_null(port[i]);
	}
	dp_commit(dp, NULL, NULL);
	return 0;
}

static inline int
teardown(void **state)
{
	(void)state;
	dp_destroy(dp);
	return 0;
}

static inline void
control_once(void)
{
	struct pollfd f = { .fd = dp_event_fd(dp), .events = POLLIN };

	poll(&f, 1, 1);
	dp_poll(dp);
}

static inline void
set_flag(void *arg)
{
	*(bool *)arg = true;
}

static inline void
control_until(const bool *flag)
{
	for (uint64_t end = clock_ms() + WAIT_MS; !*flag && clock_ms() < end;)
		control_once();
	assert_true(*flag);
}

static inline void
commit(void)
{
	bool done = false;

	dp_commit(dp, set_flag, &done);
	control_until(&done);
}

static inline void
fold(void)
{
	bool done = false;

	dp_fold(dp, set_flag, &done);
	control_until(&done);
}

static inline struct rules *
new_rules(void)
{
	return xcalloc(1, sizeof(struct rules));
}

static inline void
set_rules(struct rules *r)
{
	dp_set_xlate_view(dp, r, free);
	dp_tag_changed(dp, dp_tag_make(TAG_ALL, 0));
	commit();
}

static inline void
send(unsigned from, const struct fb *f)
{
	while (!mem_port_send(port[from], f->b, f->n))
		poll(NULL, 0, 1);
}

static inline void
assert_comes(unsigned to, const void *want, uint32_t len)
{
	static uint8_t got[70000];

	assert_int_equal(mem_port_recv(port[to], got, sizeof got, WAIT_MS), len);
	assert_memory_equal(got, want, len);
}

static inline void
wait_no_mbufs(void)
{
	struct dp_mem_stats ms;

	for (uint64_t end = clock_ms() + WAIT_MS; clock_ms() < end; control_once()) {
		dp_mem_stats(dp, &ms);
		if (!ms.mbufs_in_use)
			return;
	}
	assert_int_equal(ms.mbufs_in_use, 0);
}

static inline uint64_t
drops(unsigned p, enum dp_drop why)
{
	struct dp_port_stats s;

	dp_port_stats(dp, (uint16_t)p, &s);
	return s.drops[why];
}

static inline struct fb
udp_frame(uint8_t dst)
{
	struct fb f;

	fb_macs(&f, dst, 1);
	fb_ip(&f, 17, 0, 0);
	fb_udp(&f, 1000, 2000, 40);
	fb_ip_done(&f);
	return f;
}

static const uint8_t ones[16] = { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255 };

#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

#endif
