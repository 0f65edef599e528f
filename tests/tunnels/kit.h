/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of encapsulations share: ways out and in as the datapath goes them, and the frames of other
 * implementations in specs/vectors. */
#ifndef TESTS_TUNNELS_KIT_H
#define TESTS_TUNNELS_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#include <jansson.h>
#include <pcap/pcap.h>

#include "base/pkt.h"
#include "tests/tunnels/frame.h"
#include "tunnels/tun.h"

static const uint8_t kit_arp[] = {
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0x11, 0x22, 0x33, 0x44, 0x55, 0x08, 0x06, 0x00, 0x01,
	0x08, 0x00, 0x06, 0x04, 0x00, 0x01, 0x02, 0x11, 0x22, 0x33, 0x44, 0x55, 0x0a, 0x01, 0x01, 0x0a,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0a, 0x01, 0x01, 0x14,
};

/* Options as text, after the defaults: "key=5", "csum=on". */
static inline struct tun_conf
kit_conf(const struct tun_type *t, const char *const *opts)
{
	struct tun_conf c;
	struct err e = { 0 };

	memset(&c, 0, sizeof c);
	opt_defaults(t->opts, &c);
	c.remote.n = 1;
	ip_parse("192.0.2.1", &c.remote.ip[0]);
	for (; opts && *opts; opts++) {
		char name[40];
		const char *eq = strchr(*opts, '=');

		snprintf(name, sizeof name, "%.*s", (int)(eq - *opts), *opts);
		if (opt_set(t->opts, &c, name, eq + 1, &e))
			fail_msg("%s: %s", *opts, e.msg);
	}
	return c;
}
#define KIT_CONF(t, ...) kit_conf(t, (const char *const[]){ __VA_ARGS__ __VA_OPT__(, ) NULL })

/* What the option table or the type's own checks say of an option; NULL: nothing. */
static inline const char *
kit_refused(const struct tun_type *t, const struct tun_conf *from, const char *name, const char *value)
{
	static struct err e;
	struct tun_conf c = *from;

	memset(&e, 0, sizeof e);
	return opt_set(t->opts, &c, name, value, &e) || tun_conf_check(t, &c, &e) ? e.msg : NULL;
}

static inline struct tun_path
kit_path(bool v6)
{
	struct tun_path p;

	assert_int_equal(ip_parse(v6 ? "2001:db8:1::1" : "192.0.2.1", &p.local), 0);
	assert_int_equal(ip_parse(v6 ? "2001:db8:1::2" : "192.0.2.2", &p.remote), 0);
	mac_parse("02:aa:00:00:00:01", &p.src_mac);
	mac_parse("02:aa:00:00:00:02", &p.dst_mac);
	return p;
}

static inline struct tun_hdr
kit_hdr(const struct tun_type *t, const struct tun_conf *c, bool v6)
{
	struct tun_path p = kit_path(v6);
	struct tun_hdr h;
	struct err e = { 0 };

	if (tun_hdr_build(t, c, &p, &h, &e))
		fail_msg("no header: %s", e.msg);
	assert_int_equal(h.len, tun_overhead(t, c, v6));
	return h;
}

/* The frame with headers put in front; exactly as much headroom as they need. */
static inline struct rte_mbuf *
kit_push(const struct tun_type *t, const struct tun_hdr *h, const void *inner, uint32_t len)
{
	struct rte_mbuf *m = frame_room(inner, len, h->len);
	struct tun_batch b = { .n = 1, .pkt = { m }, .hdr = h };

	tun_push(t, &b);
	assert_int_equal(b.drop[0], 0);
	return m;
}

/* The type's own header taken off; the name of the reason, "keep" for none. */
static inline const char *
kit_pop(const struct tun_type *t, struct rte_mbuf *m, struct tun_meta *meta)
{
	struct tun_batch b = { .n = 1, .pkt = { m } };

	t->pop(&b);
	*meta = b.meta[0];
	return t->drops[b.drop[0]];
}

/* The whole way in, without the policy of a configuration.  Why it ended, "keep" for good. */
static inline const char *
kit_decap(const struct tun_type *t, struct rte_mbuf *m, struct tun_outer *o, struct tun_meta *meta)
{
	const char *why;

	if (!tun_outer_peek(m, o) || o->ip_proto != t->ip_proto || (t->udp_port && o->port != t->udp_port))
		return "no tunnel packet";
	if (tun_outer_check(m, o) != TUN_OUTER_OK)
		return "outer";
	assert_true(pkt_pull(m, o->len));
	why = kit_pop(t, m, meta);
	if (!strcmp(why, "keep") && !tun_ecn_decap(m, o->tos))
		return "ecn";
	return why;
}

/* What goes out comes in: frames of many sizes, the key, everything else of the frame. */
static inline void
kit_identity(const struct tun_type *t, const struct tun_conf *c, bool v6)
{
	struct tun_hdr h = kit_hdr(t, c, v6);
	struct tun_meta meta;
	struct tun_outer o;

	for (uint16_t len = sizeof kit_arp; len < 200; len++) {
		uint8_t inner[200] = { 0 };

		memcpy(inner, kit_arp, sizeof kit_arp);
		inner[len - 1] = (uint8_t)len;

		struct rte_mbuf *m = kit_push(t, &h, inner, len);

		assert_int_equal(m->pkt_len, h.len + len);
		assert_string_equal(kit_decap(t, m, &o, &meta), "keep");
		assert_int_equal(o.ttl, 64);
		assert_int_equal(meta.key, c->key);
		assert_int_equal(m->pkt_len, len);
		assert_memory_equal(rte_pktmbuf_mtod(m, void *), inner, len);
		frame_free(m);
	}
}

/* Each truncation of a good header is dropped, untouched. */
static inline void
kit_truncations(const struct tun_type *t, const void *hdr, uint16_t hdr_len, const char *reason)
{
	struct tun_meta meta;

	for (uint16_t len = 0; len < hdr_len; len++) {
		struct rte_mbuf *m = frame(hdr, len);

		assert_string_equal(kit_pop(t, m, &meta), reason);
		assert_int_equal(m->data_len, len);
		frame_free(m);
	}
}

/* --- Frames of other implementations ------------------------------------------------------- */

static inline uint8_t *
kit_unhex(const char *s, size_t *len)
{
	uint8_t *b = malloc(strlen(s) / 2 + 1);

	for (*len = 0; s[0] && s[1]; s += 2) {
		unsigned v;

		assert_int_equal(sscanf(s, "%2x", &v), 1);
		b[(*len)++] = (uint8_t)v;
	}
	return b;
}

struct kit_vector {
	unsigned n;                     /* 1-based, as in the index. */
	const json_t *about;
	const char *expect;
	const uint8_t *bytes;           /* The whole frame. */
	uint32_t len;
	bool v6;
	uint8_t *inner;                 /* NULL when the index has none. */
	size_t inner_len;
};

/* Calls 'check' for each frame of specs/vectors/NAME.pcap; skips the test without those. */
static inline void
kit_vectors(const char *name, unsigned at_least, void (*check)(const struct kit_vector *))
{
	const char *shared = getenv("WEFT_SHARED"), *hex;
	char file[512], msg[PCAP_ERRBUF_SIZE];
	struct kit_vector v = { 0 };
	struct pcap_pkthdr *ph;

	snprintf(file, sizeof file, "%s/specs/vectors/index.json", shared ? shared : ".");

	json_t *index = json_load_file(file, 0, NULL);
	const json_t *rows = json_object_get(index, name);

	if (!index) {
		print_message("SKIPPED: no %s (set WEFT_SHARED)\n", file);
		skip();
	}
	snprintf(file, sizeof file, "%s/specs/vectors/%s.pcap", shared, name);

	pcap_t *pcap = pcap_open_offline(file, msg);

	assert_non_null(pcap);
	while (pcap_next_ex(pcap, &ph, &v.bytes) == 1) {
		v.about = json_array_get(rows, v.n++);
		v.expect = json_string_value(json_object_get(v.about, "expect"));
		v.len = ph->caplen;
		v.v6 = load_be16(v.bytes + 12) == be16(0x86dd);
		hex = json_string_value(json_object_get(v.about, "inner"));
		v.inner = hex ? kit_unhex(hex, &v.inner_len) : NULL;
		print_message("  %s\n", json_string_value(json_object_get(v.about, "desc")));
		check(&v);
		free(v.inner);
	}
	assert_int_equal(v.n, json_array_size(rows));
	assert_true(v.n >= at_least);
	pcap_close(pcap);
	json_decref(index);
}

/* A field of the index as a number. */
static inline uint64_t
kit_field(const struct kit_vector *v, const char *field)
{
	const char *text = json_string_value(json_object_get(json_object_get(v->about, "fields"), field));

	return text ? strtoull(text, NULL, 0) : 0;
}

/* The frame taken apart: "keep" and the inner frame of the index, or the reason given. */
static inline struct tun_meta
kit_expect(const struct tun_type *t, const struct kit_vector *v, const char *reason)
{
	struct rte_mbuf *m = frame(v->bytes, v->len);
	struct tun_meta meta = { 0 };
	struct tun_outer o;

	assert_string_equal(kit_decap(t, m, &o, &meta), reason);
	if (!strcmp(reason, "keep")) {
		assert_int_equal(m->pkt_len, v->inner_len);
		assert_memory_equal(rte_pktmbuf_mtod(m, void *), v->inner, v->inner_len);
	}
	frame_free(m);
	return meta;
}

/* Encapsulates the inner frame, and compares with the frame of the index but for 'n_own' bytes at 'own_off' of the type's
 * own header and, of IPv4, id and checksum; of IPv6, the flow label; of UDP, the source port and a checksum over
 * it. */
static inline void
kit_expect_same(const struct tun_type *t, const struct tun_conf *c, const struct kit_vector *v, uint32_t own_off,
		uint32_t n_own)
{
	struct tun_hdr h = kit_hdr(t, c, v->v6);
	struct rte_mbuf *m = kit_push(t, &h, v->inner, v->inner_len);
	uint8_t *theirs = malloc(v->len), *ours = rte_pktmbuf_mtod(m, uint8_t *);

	memcpy(theirs, v->bytes, v->len);
	assert_int_equal(m->pkt_len, v->len);
	for (uint8_t *b = ours; b; b = b == ours ? theirs : NULL) {
		if (v->v6) {
			memset(b + 15, 0, 3);
		} else {
			memset(b + 18, 0, 2);
			memset(b + 24, 0, 2);
		}
		if (h.udp)
			memset(b + h.l4_off, 0, 2);
		/* It covers the source port. */
		if (h.csum)
			memset(b + h.l4_off + 6, 0, 2);
		memset(b + h.own_off + own_off, 0, n_own);
	}
	assert_memory_equal(ours, theirs, v->len);
	free(theirs);
	frame_free(m);
}

#endif
