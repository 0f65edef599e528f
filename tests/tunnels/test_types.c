/* SPDX-License-Identifier: Apache-2.0 */
/* What all tunnel types have in common, of each of them, over IPv4 and IPv6: DSCP, ECN (RFC 6040), TTL, "don't fragment", UDP
 * checksums (RFC 6935, 6936).  It is written once in push.c and outer.c; no type may spoil it. */
#include "tests/tunnels/kit.h"

#include "base/csum.h"

/* IPv4 or IPv6 with UDP inside, or ARP when 'ttl' is 0. */
struct inner {
	uint8_t b[64];
};

static struct inner
inner_of(bool v6, uint8_t tos, uint8_t ttl)
{
	static const uint8_t macs[12] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1 };
	struct inner f = { { 0 } };
	uint8_t *ip = f.b + 14;

	memcpy(f.b, macs, sizeof macs);
	store_be16(f.b + 12, be16(!ttl ? 0x0806 : v6 ? 0x86dd : 0x0800));
	if (!ttl)
		return f;
	if (v6) {
		store_be16(ip, be16((uint16_t)(0x6000 | tos << 4)));
		store_be16(ip + 4, be16(sizeof f.b - 14 - 40));
		ip[6] = 17;
		ip[7] = ttl;
		return f;
	}
	ip[0] = 0x45;
	ip[1] = tos;
	store_be16(ip + 2, be16(sizeof f.b - 14));
	ip[8] = ttl;
	ip[9] = 17;
	store_be16(ip + 10, (be16_t)~csum_fold(csum_add(0, ip, 20)));
	return f;
}

/* The type's settings, with an option more (NULL: none). */
static struct tun_conf
conf_of(const struct tun_type *t, const char *opt)
{
	char key[32];
	const char *const opts[] = { key, opt, NULL };

	snprintf(key, sizeof key, "%s=5000", t->key_name);
	if (t->key_max < 5000)
		snprintf(key, sizeof key, "%s=%u", t->key_name, t->key_max);
	return kit_conf(t, opts);
}

static uint8_t *
outer_ip(struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod_offset(m, uint8_t *, 14);
}

static uint8_t
outer_tos(struct rte_mbuf *m, bool v6)
{
	const uint8_t *ip = outer_ip(m);

	return v6 ? host16(load_be16(ip)) >> 4 & 0xff : ip[1];
}

static void
set_outer_tos(struct rte_mbuf *m, bool v6, uint8_t tos)
{
	uint8_t *ip = outer_ip(m);

	if (v6) {
		store_be16(ip, be16((host16(load_be16(ip)) & 0xf00f) | (uint16_t)(tos << 4)));
		return;
	}
	ip[1] = tos;
	store_be16(ip + 10, 0);
	store_be16(ip + 10, (be16_t)~csum_fold(csum_add(0, ip, 20)));
}

#define EACH_TYPE(t, v6) \
	for (unsigned n_ = 0; tun_types[n_ / 2]; n_++) \
		for (const struct tun_type *t = tun_types[n_ / 2]; t; t = NULL) \
			for (int v6 = (int)(n_ % 2), once_ = 1; once_; once_ = 0)

static void
all_have_the_options_that_all_have(void **state)
{
	static const char *const common[] = {
		"remote", "local", "flood-list", "allow", "max-remotes", "vlan-map", "flood-only", "flood-heard", "tos", "ttl", "df",
		"inner-vlan", "pmtud", "fragment", "reassemble", "mtu", "bfd",
	};
	static const char *const udp[] = { "dst-port", "csum", "zero-csum6-rx" };

	(void)state;
	for (unsigned i = 0; tun_types[i]; i++) {
		const struct tun_type *t = tun_types[i];

		for (unsigned k = 0; k < ARRAY_SIZE(common); k++)
			if (!opt_find(t->opts, common[k]))
				fail_msg("%s has no %s", t->name, common[k]);
		for (unsigned k = 0; t->ip_proto == 17 && k < ARRAY_SIZE(udp); k++)
			if (!opt_find(t->opts, udp[k]))
				fail_msg("%s has no %s", t->name, udp[k]);
		assert_non_null(opt_find(t->opts, t->key_name));
	}
}

static void
tos_and_ttl_are_fixed_or_inherited_and_ecn_copied(void **state)
{
	static const struct {
		const char *opt;
		uint8_t in_tos, in_ttl, tos, ttl;
	} rows[] = {
		{ NULL, 0xb9, 9, 0x01, 64 }, { "tos=0x28", 0xb9, 9, 0x29, 64 }, { "tos=0xfc", 0x03, 9, 0xff, 64 },
		{ "tos=inherit", 0xba, 9, 0xba, 64 }, { "tos=inherit", 0, 0, 0, 64 }, { "tos=0x28", 0, 0, 0x28, 64 },
		{ "ttl=7", 0, 9, 0, 7 }, { "ttl=255", 0, 9, 0, 255 }, { "ttl=inherit", 3, 9, 3, 9 }, { "ttl=inherit", 0, 0, 0, 64 },
	};

	(void)state;
	EACH_TYPE(t, v6) {
		for (unsigned i = 0; i < ARRAY_SIZE(rows) * 2; i++) {
			struct inner f = inner_of(i & 1, rows[i / 2].in_tos, rows[i / 2].in_ttl);
			struct tun_conf c = conf_of(t, rows[i / 2].opt);
			struct tun_hdr h = kit_hdr(t, &c, v6);
			struct rte_mbuf *m = kit_push(t, &h, f.b, sizeof f.b);

			if (outer_tos(m, v6) != rows[i / 2].tos || outer_ip(m)[v6 ? 7 : 8] != rows[i / 2].ttl)
				fail_msg("%s over IPv%d, %s: tos %#x, ttl %u", t->name, v6 ? 6 : 4, rows[i / 2].opt, outer_tos(m, v6),
					 outer_ip(m)[v6 ? 7 : 8]);
			if (!v6)
				assert_int_equal(csum_fold(csum_add(0, outer_ip(m), 20)), 0xffff);
			frame_free(m);
		}
	}
}

/* RFC 6040, figure 4: the inner mark that comes of both; -1: the frame goes. */
static void
congestion_marks_come_out_as_rfc_6040_says(void **state)
{
	enum { NOT, ECT1, ECT0, CE };
	static const int want[4][4] = {                 /* By the inner, then the outer one. */
		[NOT] = { [NOT] = NOT, [ECT0] = NOT, [ECT1] = NOT, [CE] = -1 },
		[ECT0] = { [NOT] = ECT0, [ECT0] = ECT0, [ECT1] = ECT1, [CE] = CE },
		[ECT1] = { [NOT] = ECT1, [ECT0] = ECT1, [ECT1] = ECT1, [CE] = CE },
		[CE] = { [NOT] = CE, [ECT0] = CE, [ECT1] = CE, [CE] = CE },
	};

	(void)state;
	EACH_TYPE(t, v6) {
		struct tun_conf c = conf_of(t, NULL);
		struct tun_hdr h = kit_hdr(t, &c, v6);

		for (unsigned i = 0; i < 32; i++) {
			bool in_v6 = i & 1;
			unsigned in = i >> 1 & 3, out = i >> 3;
			struct inner f = inner_of(in_v6, (uint8_t)(0xb8 | in), 9), w;
			struct rte_mbuf *m = kit_push(t, &h, f.b, sizeof f.b);
			struct tun_meta meta;
			struct tun_outer o;
			const char *why;

			assert_int_equal(outer_tos(m, v6) & 3, in);
			set_outer_tos(m, v6, (uint8_t)out);
			why = kit_decap(t, m, &o, &meta);
			assert_int_equal(o.tos, out);
			if (strcmp(why, want[in][out] >= 0 ? "keep" : "ecn"))
				fail_msg("%s over IPv%d: %u in %u: %s", t->name, v6 ? 6 : 4, in, out, why);
			if (want[in][out] >= 0) {
				/* The IPv4 checksum follows. */
				w = inner_of(in_v6, (uint8_t)(0xb8 | want[in][out]), 9);
				assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *), w.b, sizeof w.b);
			}
			frame_free(m);
		}
	}
}

static void
udp_checksums_are_as_asked_for_and_right(void **state)
{
	static const struct {
		const char *opt;
		bool v4, v6;            /* Whether there is one. */
	} rows[] = { { NULL, false, true }, { "csum=auto", false, true }, { "csum=on", true, true }, { "csum=off", false, false } };
	unsigned n_udp = 0;

	(void)state;
	EACH_TYPE(t, v6) {
		n_udp += t->ip_proto == 17;
		for (unsigned i = 0; t->ip_proto == 17 && i < ARRAY_SIZE(rows) * 2; i++) {
			struct inner f = inner_of(i & 1, 0, 9);
			struct tun_conf c = conf_of(t, rows[i / 2].opt);
			struct tun_hdr h = kit_hdr(t, &c, v6);
			struct rte_mbuf *m = kit_push(t, &h, f.b, sizeof f.b);
			struct tun_outer o;

			assert_true(tun_outer_peek(m, &o));
			assert_int_equal(tun_outer_check(m, &o), TUN_OUTER_OK);
			assert_int_equal(o.csum_zero, !(v6 ? rows[i / 2].v6 : rows[i / 2].v4));
			/* One bit of what is inside, and it is wrong. */
			rte_pktmbuf_mtod(m, uint8_t *)[h.len + 63] ^= 1;
			assert_int_equal(tun_outer_check(m, &o), o.csum_zero ? TUN_OUTER_OK : TUN_OUTER_CSUM);
			frame_free(m);
		}
	}
	assert_true(n_udp >= 6);
}

static void
outer_packets_forbid_fragments_unless_told(void **state)
{
	(void)state;
	for (unsigned i = 0; tun_types[i]; i++) {
		for (unsigned df = 0; df < 2; df++) {
			struct tun_conf c = conf_of(tun_types[i], df ? NULL : "df=false");
			struct tun_hdr h = kit_hdr(tun_types[i], &c, false);
			struct inner f = inner_of(false, 0, 9);
			struct rte_mbuf *m = kit_push(tun_types[i], &h, f.b, sizeof f.b);

			assert_int_equal(outer_ip(m)[6], df ? 0x40 : 0);
			frame_free(m);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_have_the_options_that_all_have),
		cmocka_unit_test(tos_and_ttl_are_fixed_or_inherited_and_ecn_copied),
		cmocka_unit_test(congestion_marks_come_out_as_rfc_6040_says),
		cmocka_unit_test(udp_checksums_are_as_asked_for_and_right),
		cmocka_unit_test(outer_packets_forbid_fragments_unless_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
