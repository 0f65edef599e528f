/* SPDX-License-Identifier: Apache-2.0 */
/* Outer headers of packets that go out: per-packet bytes, entropy, and packets that cannot be sent. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/csum.h"
#include "tests/tunnels/frame.h"
#include "tunnels/tun.h"

static const struct tun_type *vxlan;

static struct tun_hdr
template(bool v6, const char *opt, const char *value)
{
	struct tun_path p = { .src_mac = { { 2, 0, 0, 0, 0, 1 } }, .dst_mac = { { 2, 0, 0, 0, 0, 2 } } };
	struct tun_conf c;
	struct tun_hdr h;
	struct err e;

	vxlan = tun_type_find("vxlan");
	opt_defaults(vxlan->opts, &c);
	if (opt)
		assert_int_equal(opt_set(vxlan->opts, &c, opt, value, &e), 0);
	ip_parse(v6 ? "2001:db8::1" : "172.16.0.1", &p.local);
	ip_parse(v6 ? "2001:db8::2" : "172.16.0.2", &p.remote);
	assert_int_equal(tun_hdr_build(vxlan, &c, &p, &h, &e), 0);
	return h;
}

/* An inner frame: 60 bytes, IPv4 or IPv6 with UDP, or ARP when 'ttl' is 0. */
struct inner_frame {
	uint8_t b[60 + 20];
	uint32_t len;
};

static struct inner_frame
inner(bool v6, uint8_t tos, uint8_t ttl, uint16_t sport)
{
	struct inner_frame f = { .len = 80 };
	uint8_t *ip = f.b + 14;

	memcpy(f.b, "\x02\x11\x22\x33\x44\x55\x02\x66\x77\x88\x99\xaa", 12);
	store_be16(f.b + 12, be16(!ttl ? 0x0806 : v6 ? 0x86dd : 0x0800));
	if (!ttl)
		return f;
	if (v6) {
		store_be16(ip, be16(0x6000 | tos << 4));
		store_be16(ip + 4, be16(26));
		ip[6] = 17;
		ip[7] = ttl;
		ip[8 + 15] = 1;
		ip[24 + 15] = 2;
		store_be16(ip + 40, be16(sport));
		store_be16(ip + 42, be16(53));
	} else {
		ip[0] = 0x45;
		ip[1] = tos;
		store_be16(ip + 2, be16(66));
		ip[8] = ttl;
		ip[9] = 17;
		memcpy(ip + 12, "\x0a\1\1\1\x0a\1\1\2", 8);
		store_be16(ip + 20, be16(sport));
		store_be16(ip + 22, be16(53));
	}
	return f;
}

/* Pushes one frame; the caller frees. */
static struct rte_mbuf *
push(const struct tun_hdr *h, const struct inner_frame *f)
{
	struct rte_mbuf *m = frame_room(f->b, f->len, h->len);
	struct tun_batch b = { .n = 1, .pkt = { m }, .hdr = h };

	tun_push(vxlan, &b);
	assert_int_equal(b.drop[0], 0);
	assert_memory_equal(rte_pktmbuf_mtod_offset(m, uint8_t *, h->len), f->b, f->len);
	return m;
}

static void
outer_fields(const struct rte_mbuf *m, bool v6, uint8_t *tos, uint8_t *ttl)
{
	const uint8_t *ip = rte_pktmbuf_mtod_offset(m, uint8_t *, 14);

	*tos = v6 ? host16(load_be16(ip)) >> 4 & 0xff : ip[1];
	*ttl = ip[v6 ? 7 : 8];
	if (!v6)
		assert_int_equal(csum_fold(csum_add(0, ip, 20)), 0xffff);
	else
		assert_int_equal(ip[0] >> 4, 6);
}

/* A flow's own settings make the same packet as a port's. */
static void
what_a_flow_sets_is_as_if_the_port_had_it(void **state)
{
	static const struct {
		const char *before, *was, *opt, *value;
		struct tun_set set;
	} rows[] = {
		{ NULL, NULL, "tos", "0xb8", { .bits = TUN_SET_TOS, .tos = 0xbb } },
		{ "tos", "inherit", "tos", "0x28", { .bits = TUN_SET_TOS, .tos = 0x28 } },
		{ NULL, NULL, "ttl", "7", { .bits = TUN_SET_TTL, .ttl = 7 } },
		{ "ttl", "inherit", "ttl", "9", { .bits = TUN_SET_TTL, .ttl = 9 } },
		{ "vni", "flow", "vni", "16777215", { .bits = TUN_SET_KEY, .key = 0xff00ffffff } },
		/* A TTL of 0 asks for nothing. */
		{ NULL, NULL, "ttl", "64", { .bits = TUN_SET_TTL } },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows) * 2; i++) {
		bool v6 = i & 1;
		struct tun_hdr want = template(v6, rows[i / 2].opt, rows[i / 2].value),
			       got = template(v6, rows[i / 2].before, rows[i / 2].was);
		struct inner_frame f = inner(false, 0x29, 33, 1000);
		struct rte_mbuf *a, *b;

		tun_hdr_set(vxlan, &got, &rows[i / 2].set);
		a = push(&want, &f);
		b = push(&got, &f);
		assert_int_equal(a->pkt_len, b->pkt_len);
		assert_memory_equal(rte_pktmbuf_mtod(a, uint8_t *), rte_pktmbuf_mtod(b, uint8_t *), a->pkt_len);
		frame_free(a);
		frame_free(b);
	}
}

static int
check(const char *opts)
{
	char buf[256], *save = NULL;
	struct tun_conf c;
	struct err e = { 0 };

	vxlan = tun_type_find("vxlan");
	opt_defaults(vxlan->opts, &c);
	c.key = 1;
	str_copy(buf, sizeof buf, opts);
	for (char *w = strtok_r(buf, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		char *eq = strchr(w, '=');

		*eq = '\0';
		if (opt_set(vxlan->opts, &c, w, eq + 1, &e))
			fail_msg("%s", e.msg);
	}
	return tun_conf_check(vxlan, &c, &e);
}

static void
what_is_set_per_flow_fits_together(void **state)
{
	static const struct {
		const char *opts;
		int rc;
	} rows[] = {
		{ "remote=flow", 0 }, { "remote=flow vni=flow local=flow", 0 }, { "remote=10.0.0.1 vni=flow", 0 },
		{ "remote=flow local=10.0.0.1 flood-list=10.0.0.2 allow=10.0.0.0/8", 0 }, { "remote=flow flood-list=::2", 0 },
		{ "remote=10.0.0.1 local=flow", -EINVAL }, { "remote=10.0.0.1 flood-list=10.0.0.2", -EINVAL },
		{ "remote=10.0.0.1 allow=10.0.0.0/8", -EINVAL }, { "remote=flow flood-list=224.0.0.1", -EINVAL },
		{ "remote=flow flood-list=239.0.0.1,10.0.0.2", 0 }, { "remote=ff05::1", 0 }, { "remote=ff01::1", -EINVAL },
		{ "remote=flow flood-list=255.255.255.255", -EINVAL },
		{ "remote=flow vni=flow vlan-map=1:5,2-9:16777208", 0 }, { "remote=10.0.0.1 vni=flow vlan-map=1:5", 0 },
		{ "remote=flow vlan-map=1:5", -EINVAL }, { "remote=flow vni=flow vlan-map=2-9:16777209", -EINVAL },
		{ "remote=10.0.0.1,10.0.0.2 vni=flow vlan-map=1:5 flood-only=10.0.0.2@5", 0 },
		{ "remote=10.0.0.1 vni=flow vlan-map=1:5 flood-only=10.0.0.2@5", -EINVAL },
		{ "remote=flow flood-list=10.0.0.2 vni=flow vlan-map=1:5 flood-only=10.0.0.2@5", 0 },
		{ "remote=flow vni=flow vlan-map=1:5 flood-only=10.0.0.2@5", -EINVAL },
		{ "remote=10.0.0.1 vni=flow flood-only=10.0.0.1@5", -EINVAL }, { "remote=flow vni=flow flood-heard=true", -EINVAL },
		{ "remote=flow vni=flow vlan-map=1:5 flood-heard=true", 0 },
		{ "remote=10.0.0.1 vni=flow vlan-map=1:5 flood-heard=true", -EINVAL },
		{ "remote=239.1.1.1 vni=flow vlan-map=1:5 flood-heard=true", -EINVAL },
		{ "remote=239.1.1.1 vni=flow vlan-map=1:5 flood-only=239.1.1.1@5", 0 },
		{ "remote=flow local=10.0.0.1 flood-list=::2", -EINVAL }, { "remote=flow local=10.0.0.1 flood-list=10.0.0.1", -EINVAL },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		if (check(rows[i].opts) != rows[i].rc)
			fail_msg("%s", rows[i].opts);
}

static void
only_prefixes_that_are_allowed_may_send(void **state)
{
	static const struct {
		const char *list, *ip;
		bool ok;
	} rows[] = {
		{ NULL, "1.2.3.4", true }, { "10.0.0.0/8", "10.255.1.2", true }, { "10.0.0.0/8", "11.0.0.1", false },
		{ "10.1.2.128/25", "10.1.2.129", true }, { "10.1.2.128/25", "10.1.2.127", false },
		{ "10.0.0.1,2001:db8::/33", "2001:db8:7fff::1", true }, { "2001:db8::/33", "2001:db8:8000::1", false },
		{ "0.0.0.0/0", "2001:db8::1", false }, { "::/0", "10.0.0.1", true }, { "10.0.0.1", "10.0.0.1", true },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tun_conf c = { .key = 0 };
		struct ipaddr ip;

		assert_int_equal(ip_parse(rows[i].ip, &ip), 0);
		if (rows[i].list)
			assert_int_equal(opt_set(tun_type_find("vxlan")->opts, &c, "allow", rows[i].list, NULL), 0);
		if (tun_conf_allows(&c, &ip) != rows[i].ok)
			fail_msg("%s", rows[i].ip);
	}
}

static void
tos_and_ttl_are_fixed_or_inherited_and_ecn_always_copied(void **state)
{
	static const struct {
		const char *opt, *value;
		uint8_t in_tos, in_ttl, tos, ttl;
	} rows[] = {
		{ NULL, NULL, 0xb8, 9, 0, 64 }, { NULL, NULL, 0xbb, 9, 3, 64 }, { NULL, NULL, 0x01, 9, 1, 64 },
		{ "tos", "0x28", 0xb9, 9, 0x29, 64 }, { "tos", "0xfc", 0xff, 9, 0xff, 64 },
		{ "tos", "inherit", 0xb9, 9, 0xb9, 64 },
		{ "ttl", "7", 0, 9, 0, 7 }, { "ttl", "255", 0, 9, 0, 255 },
		{ "ttl", "inherit", 0, 9, 0, 9 }, { "ttl", "inherit", 3, 255, 3, 255 },
		/* Not IP inside: nothing to inherit. */
		{ "tos", "inherit", 0, 0, 0, 64 }, { "ttl", "inherit", 0, 0, 0, 64 }, { "tos", "0x28", 0, 0, 0x28, 64 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows) * 4; i++) {
		bool v6 = i & 1, in_v6 = i & 2;
		unsigned r = i / 4;
		struct tun_hdr h = template(v6, rows[r].opt, rows[r].value);
		struct inner_frame f = inner(in_v6, rows[r].in_tos, rows[r].in_ttl, 1000);
		struct rte_mbuf *m = push(&h, &f);
		uint8_t tos, ttl;

		outer_fields(m, v6, &tos, &ttl);
		assert_int_equal(tos, rows[r].tos);
		assert_int_equal(ttl, rows[r].ttl);
		frame_free(m);
	}
}

static void
checksums_hold_for_every_length(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct tun_hdr h = template(v6, "csum", "on");

		for (uint32_t len = 14; len <= 1500; len += 13) {
			uint8_t *bytes = calloc(1, len);
			struct rte_mbuf *m;
			struct tun_batch b = { .n = 1, .hdr = &h };
			struct tun_outer o;

			for (uint32_t i = 0; i < len; i++)
				bytes[i] = i * 31 + len;
			b.pkt[0] = m = frame_room(bytes, len, h.len);
			tun_push(vxlan, &b);
			assert_int_equal(b.drop[0], 0);
			assert_int_equal(tun_outer_check(m, &o), TUN_OUTER_OK);
			assert_false(o.csum_zero);
			frame_free(m);
			free(bytes);
		}
	}
}

static void
checksum_is_off_over_ipv4_and_on_over_ipv6_unless_told(void **state)
{
	static const struct {
		bool v6;
		const char *csum;
		bool on;
	} rows[] = {
		{ false, "auto", false }, { false, "on", true }, { false, "off", false },
		{ true, "auto", true }, { true, "on", true }, { true, "off", false },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tun_hdr h = template(rows[i].v6, "csum", rows[i].csum);
		struct inner_frame f = inner(false, 0, 9, 1000);
		struct rte_mbuf *m = push(&h, &f);

		assert_int_equal(load_be16(rte_pktmbuf_mtod_offset(m, uint8_t *, h.l4_off + 6)) != 0, rows[i].on);
		frame_free(m);
	}
}

static void
segments_count_in_lengths_and_checksum(void **state)
{
	struct tun_hdr h = template(true, NULL, NULL);
	struct inner_frame f = inner(false, 0, 9, 1000);
	uint8_t tail[333];
	struct rte_mbuf *m = frame_room(f.b, 61, h.len);
	struct tun_batch b = { .n = 1, .pkt = { m }, .hdr = &h };
	struct tun_outer o;

	(void)state;
	memset(tail, 0xa7, sizeof tail);
	frame_chain(m, frame(tail, 333));
	frame_chain(m, frame(tail, 77));
	tun_push(vxlan, &b);
	assert_int_equal(b.drop[0], 0);
	assert_int_equal(tun_outer_check(m, &o), TUN_OUTER_OK);
	assert_int_equal(o.total_len, h.len + 61 + 333 + 77);
	frame_free(m);
}

static void
df_bit_follows_the_option_and_ids_differ_without_it(void **state)
{
	struct inner_frame f = inner(false, 0, 9, 1000);
	struct tun_hdr h = template(false, NULL, NULL);
	struct rte_mbuf *m = push(&h, &f);
	uint16_t ids[3];

	(void)state;
	assert_int_equal(load_be16(rte_pktmbuf_mtod_offset(m, uint8_t *, 20)), be16(0x4000));
	frame_free(m);
	h = template(false, "df", "false");
	for (unsigned i = 0; i < 3; i++) {
		uint8_t tos, ttl;

		m = push(&h, &f);
		assert_int_equal(load_be16(rte_pktmbuf_mtod_offset(m, uint8_t *, 20)), 0);
		ids[i] = load_be16(rte_pktmbuf_mtod_offset(m, uint8_t *, 18));
		outer_fields(m, false, &tos, &ttl);
		frame_free(m);
	}
	assert_true(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
}

static void
packet_without_headroom_is_dropped_untouched(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct tun_hdr h = template(v6, NULL, NULL);
		struct inner_frame f = inner(false, 0, 9, 1000);

		for (uint16_t room = 0; room <= h.len; room++) {
			struct rte_mbuf *m = frame_room(f.b, f.len, room);
			struct tun_batch b = { .n = 1, .pkt = { m }, .hdr = &h };

			tun_push(vxlan, &b);
			assert_int_equal(b.drop[0], room < h.len);
			if (room < h.len) {
				assert_int_equal(m->pkt_len, f.len);
				assert_memory_equal(rte_pktmbuf_mtod(m, void *), f.b, f.len);
			}
			frame_free(m);
		}
	}
}

static void
packet_over_65535_bytes_is_dropped_untouched(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct tun_hdr h = template(v6, NULL, NULL);
		/* What IP can say: its own header counts in version 4, not in version 6. */
		uint32_t most = 65535 - (h.len - 14) + (v6 ? 40 : 0);
		uint8_t *bytes = calloc(1, 65535);

		for (uint32_t len = most - 1; len <= most + 2 && len <= 65535; len++) {
			/* A segment holds less than 64 KiB with the headroom. */
			struct rte_mbuf *m = frame_room(bytes, 30000, h.len);
			struct tun_batch b = { .n = 1, .pkt = { m }, .hdr = &h };

			frame_chain(m, frame(bytes, len - 30000));
			tun_push(vxlan, &b);
			assert_int_equal(b.drop[0], len > most);
			assert_int_equal(m->pkt_len, len > most ? len : len + h.len);
			frame_free(m);
		}
		free(bytes);
	}
}

static void
bad_packets_do_not_harm_their_batch(void **state)
{
	struct tun_hdr h = template(true, NULL, NULL);
	struct inner_frame f = inner(true, 0, 9, 1000);
	struct tun_batch b = { .n = TUN_BATCH_MAX, .hdr = &h };

	(void)state;
	for (unsigned i = 0; i < b.n; i++)
		b.pkt[i] = frame_room(f.b, f.len, i % 4 ? h.len : 10);
	tun_push(vxlan, &b);
	for (unsigned i = 0; i < b.n; i++) {
		struct tun_outer o;

		assert_int_equal(b.drop[i], i % 4 ? 0 : 1);
		if (i % 4)
			assert_int_equal(tun_outer_check(b.pkt[i], &o), TUN_OUTER_OK);
		frame_free(b.pkt[i]);
	}
}

/* --- Entropy ------------------------------------------------------------------------------- */

static uint32_t
entropy(const struct inner_frame *f)
{
	struct rte_mbuf *m = frame(f->b, f->len);
	uint32_t h = tun_entropy(m);

	frame_free(m);
	return h;
}

static void
flow_keeps_its_port_and_flows_spread(void **state)
{
	struct tun_hdr h = template(false, NULL, NULL);
	unsigned seen[64] = { 0 };

	(void)state;
	for (int v6 = 0; v6 < 2; v6++)
		for (unsigned i = 0; i < 64 * 64; i++) {
			struct inner_frame f = inner(v6, i, 1 + i % 200, i);
			struct inner_frame other = inner(v6, i + 1, 2 + i % 200, i);
			struct rte_mbuf *m = push(&h, &f), *n;
			uint16_t port = host16(load_be16(rte_pktmbuf_mtod_offset(m, uint8_t *, 34)));

			/* Another packet of the flow: other payload, TOS, TTL. */
			other.b[70] = 0xee;
			n = push(&h, &other);
			assert_in_range(port, 49152, 65535);
			assert_int_equal(host16(load_be16(rte_pktmbuf_mtod_offset(n, uint8_t *, 34))), port);
			seen[(port - 49152) / 256]++;
			frame_free(m);
			frame_free(n);
		}
	/* 128 expected in each. */
	for (unsigned i = 0; i < 64; i++)
		assert_in_range(seen[i], 64, 220);
}

static void
each_field_of_the_flow_counts(void **state)
{
	/* MACs, Ethertype, addresses, protocol, ports. */
	static const uint8_t at4[] = { 0, 5, 6, 11, 26, 29, 30, 33, 23, 34, 35, 36, 37 };
	static const uint8_t at6[] = { 0, 5, 6, 11, 22, 37, 38, 53, 54, 55, 56, 57 };
	/* Length, id, TTL, checksum; payload. */
	static const uint8_t not4[] = { 15, 16, 17, 18, 19, 22, 24, 25, 38, 60 }, not6[] = { 15, 17, 18, 19, 21, 58, 70 };

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		const struct inner_frame f = inner(v6, 0, 9, 1000);
		uint32_t base = entropy(&f);

		for (unsigned i = 0; i < (v6 ? sizeof at6 : sizeof at4); i++) {
			struct inner_frame g = f;

			g.b[v6 ? at6[i] : at4[i]] ^= 0x15;
			assert_int_not_equal(entropy(&g), base);
		}
		for (unsigned i = 0; i < (v6 ? sizeof not6 : sizeof not4); i++) {
			struct inner_frame g = f;

			g.b[v6 ? not6[i] : not4[i]] ^= 0x05;
			assert_int_equal(entropy(&g), base);
		}
	}
}

static void
all_fragments_of_a_packet_share_their_port(void **state)
{
	struct inner_frame first = inner(false, 0, 9, 1000), later = inner(false, 0, 9, 2000);

	(void)state;
	store_be16(first.b + 20, be16(0x2000));
	store_be16(later.b + 20, be16(0x0010));
	assert_int_equal(entropy(&first), entropy(&later));
}

static void
entropy_of_cut_frames_reads_nothing_outside(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct inner_frame f = inner(v6, 0, 9, 1000), tagged = f;

		memcpy(tagged.b + 12, "\x81\x00\x00\x0a\x81\x00\x00\x0b", 8);
		memcpy(tagged.b + 20, f.b + 12, sizeof f.b - 20);
		for (uint32_t len = 0; len <= f.len; len++) {
			f.len = tagged.len = len;
			entropy(&f);
			entropy(&tagged);
		}
	}
}

static void
families_that_do_not_match_are_refused(void **state)
{
	struct tun_path p = { 0 };
	struct tun_conf c;
	struct tun_hdr h;
	struct err e;

	(void)state;
	vxlan = tun_type_find("vxlan");
	opt_defaults(vxlan->opts, &c);
	ip_parse("172.16.0.1", &p.local);
	ip_parse("2001:db8::1", &p.remote);
	assert_int_equal(tun_hdr_build(vxlan, &c, &p, &h, &e), -EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_flow_sets_is_as_if_the_port_had_it),
		cmocka_unit_test(what_is_set_per_flow_fits_together),
		cmocka_unit_test(only_prefixes_that_are_allowed_may_send),
		cmocka_unit_test(tos_and_ttl_are_fixed_or_inherited_and_ecn_always_copied),
		cmocka_unit_test(checksums_hold_for_every_length),
		cmocka_unit_test(checksum_is_off_over_ipv4_and_on_over_ipv6_unless_told),
		cmocka_unit_test(segments_count_in_lengths_and_checksum),
		cmocka_unit_test(df_bit_follows_the_option_and_ids_differ_without_it),
		cmocka_unit_test(packet_without_headroom_is_dropped_untouched),
		cmocka_unit_test(packet_over_65535_bytes_is_dropped_untouched),
		cmocka_unit_test(bad_packets_do_not_harm_their_batch),
		cmocka_unit_test(flow_keeps_its_port_and_flows_spread),
		cmocka_unit_test(each_field_of_the_flow_counts),
		cmocka_unit_test(all_fragments_of_a_packet_share_their_port),
		cmocka_unit_test(entropy_of_cut_frames_reads_nothing_outside),
		cmocka_unit_test(families_that_do_not_match_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
