/* SPDX-License-Identifier: Apache-2.0 */
/* STT on the wire: both ways, pieces in every order, lost, doubled and contradicting, bounds of what is held, and frames of
 * specs/vectors. */
#include "tests/tunnels/kit.h"
#include "tunnels/stt_priv.h"

enum { ETH_IP_TCP = 14 + 20 + 20, OWN = 20 + 18 };

static const struct tun_type *
stt(void)
{
	return tun_type_find("stt");
}

static struct tun_batch
pop_batch(struct rte_mbuf **m, unsigned n)
{
	struct tun_batch b = { .n = (uint16_t)n };

	memcpy(b.pkt, m, n * sizeof *m);
	stt()->pop(&b);
	return b;
}

/* What the thread holds goes; how many frames it was. */
static unsigned
forget(void)
{
	struct rte_mbuf *m[8];
	unsigned total = 0, n;

	while ((n = stt()->reap(true, m, 8)) > 0)
		for (unsigned i = 0; i < n; i++, total++)
			frame_free(m[i]);
	assert_false(stt()->holds());
	return total;
}

/* --- Out ----------------------------------------------------------------------------------- */

static void
header_has_the_golden_bytes(void **state)
{
	struct tun_conf c = KIT_CONF(stt(), "key=5001");
	struct tun_hdr h = kit_hdr(stt(), &c, false);
	struct rte_mbuf *m = kit_push(stt(), &h, kit_arp, sizeof kit_arp);
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);

	(void)state;
	assert_int_equal(h.len, 72);
	assert_in_range(host16(load_be16(p + 34)), 49152, 65535);
	assert_memory_equal(p + 36, "\x1d\x2f\x00\x3c\x00\x00", 6);             /* 7471; 18 + 42 bytes, offset 0. */
	assert_memory_equal(p + 46, "\x50\x18\xff\xff", 4);
	assert_memory_equal(p + 52, "\0\0" "\0\0\0\0\0\0\0\0" "\0\0\0\0\0\0\x13\x89" "\0\0", 20);
	/* The port sums it as it sums any TCP packet. */
	assert_true(m->ol_flags & RTE_MBUF_F_TX_TCP_CKSUM);
	assert_false(m->ol_flags & RTE_MBUF_F_TX_TCP_SEG);
	assert_int_equal(m->l2_len + m->l3_len + m->l4_len, ETH_IP_TCP);
	frame_free(m);
}

static void
frame_ids_differ(void **state)
{
	struct tun_conf c = KIT_CONF(stt());
	struct tun_hdr h = kit_hdr(stt(), &c, true);
	uint32_t id[3];

	(void)state;
	assert_int_equal(h.len, 92);
	for (unsigned i = 0; i < 3; i++) {
		struct rte_mbuf *m = kit_push(stt(), &h, kit_arp, sizeof kit_arp);

		id[i] = load_be32(rte_pktmbuf_mtod_offset(m, uint8_t *, 54 + 8));
		frame_free(m);
	}
	assert_true(id[0] != id[1] && id[1] != id[2] && id[0] != id[2]);
}

static void
long_frames_are_left_to_the_port_to_cut(void **state)
{
	static uint8_t inner[60000];
	struct tun_conf c = KIT_CONF(stt());
	struct tun_path p = kit_path(false);
	struct tun_hdr h;
	struct rte_mbuf *m;

	(void)state;
	memcpy(inner, kit_arp, sizeof kit_arp);
	p.mtu = 1600;
	assert_int_equal(tun_hdr_build(stt(), &c, &p, &h, NULL), 0);
	m = kit_push(stt(), &h, inner, sizeof inner);
	assert_true(m->ol_flags & RTE_MBUF_F_TX_TCP_SEG);
	assert_int_equal(m->tso_segsz, 1560);
	assert_int_equal(host32(load_be32(rte_pktmbuf_mtod_offset(m, uint8_t *, 38))), (sizeof inner + 18) << 16);
	frame_free(m);
	assert_int_equal(tun_max_frame(stt(), &c, false, 1500), 65535 - 20 - OWN);
	assert_int_equal(tun_max_frame(tun_type_find("gre"), &c, false, 1500), 1500 + 14 - 38);
}

/* A TCP packet inside, as a guest leaves it. */
static struct rte_mbuf *
guest_tcp(uint16_t room, uint16_t mss, uint32_t len)
{
	uint8_t b[3000] = { [12] = 0x08, [14] = 0x45, [22] = 64, [23] = 6, [26] = 10, [29] = 1, [30] = 10, [33] = 2, [46] = 0x50 };
	struct rte_mbuf *m;

	store_be16(b + 16, be16((uint16_t)(len - 14)));
	m = frame_room(b, len, room);
	m->ol_flags = RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_IPV4 | (mss ? RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_IP_CKSUM : 0);
	m->l2_len = 14;
	m->l3_len = 20;
	m->l4_len = 20;
	m->tso_segsz = mss;
	return m;
}

static void
what_a_guest_left_to_others_is_said_in_the_header(void **state)
{
	struct tun_conf c = KIT_CONF(stt());
	struct tun_hdr h = kit_hdr(stt(), &c, false);

	(void)state;
	for (uint16_t mss = 0; mss <= 1400; mss += 1400) {
		struct rte_mbuf *m = guest_tcp(h.len, mss, mss ? 3000 : 100);
		struct tun_batch b = { .n = 1, .pkt = { m }, .hdr = &h };
		uint64_t sum = (uint64_t)be16(6) + be16(mss ? 3000 - 34 : 100 - 34);
		struct tun_meta meta = { 0 };
		uint8_t *p;

		tun_push(stt(), &b);
		p = rte_pktmbuf_mtod(m, uint8_t *);
		assert_int_equal(p[55], 0x0e);
		assert_int_equal(p[56], 34);
		assert_int_equal(host16(load_be16(p + 58)), mss);
		assert_int_equal(load_be16(p + h.len + 50), csum_fold(csum_add(sum, p + h.len + 26, 8)));
		/* And comes out so at the far end, which a virtual wire brings it to in one piece. */
		pkt_pull(m, h.own_off);
		b = pop_batch(&m, 1);
		meta = b.meta[0];
		assert_int_equal(b.drop[0], 0);
		assert_int_equal(meta.offl, TUN_OFFL_PARTIAL | TUN_OFFL_IP4 | TUN_OFFL_TCP);
		assert_int_equal(meta.offl_l4, 34);
		assert_int_equal(meta.offl_mss, mss);
		assert_int_equal(m->ol_flags, 0);
		frame_free(m);
	}
}

static void
key_of_a_flow_has_64_bits(void **state)
{
	struct tun_conf flow = KIT_CONF(stt(), "key=flow");
	struct tun_hdr h = kit_hdr(stt(), &flow, false);
	struct rte_mbuf *m;
	struct tun_batch b;

	(void)state;
	tun_hdr_set(stt(), &h, &(struct tun_set){ .bits = TUN_SET_KEY, .key = 0x1122334455667788 });
	m = kit_push(stt(), &h, kit_arp, sizeof kit_arp);
	pkt_pull(m, h.own_off);
	b = pop_batch(&m, 1);
	assert_int_equal(b.drop[0], 0);
	assert_true(b.meta[0].key == 0x1122334455667788);
	assert_memory_equal(rte_pktmbuf_mtod(m, void *), kit_arp, sizeof kit_arp);
	frame_free(m);
}

/* --- In ------------------------------------------------------------------------------------ */

/* One piece, from its TCP header on: of a frame whose byte i is i, but for the headers. */
static struct rte_mbuf *
piece(uint32_t id, uint16_t total, uint16_t off, uint16_t len)
{
	static const uint8_t head[18 + 14] = { [15] = 42, [18 + 12] = 0x12, [18 + 13] = 0x34 };
	uint8_t b[20 + 4000] = { 0xc3, 0x4f, 0x1d, 0x2f, [12] = 0x50, [13] = 0x18 };

	store_be32(b + 4, be32((uint32_t)total << 16 | off));
	store_be32(b + 8, be32(id));
	for (unsigned i = 0; i < len; i++)
		b[20 + i] = off + i < sizeof head ? head[off + i] : (uint8_t)((off + i) * 7);
	return frame(b, 20u + len);
}

static void
check_whole(struct rte_mbuf *m, uint16_t total)
{
	const uint8_t *got;
	uint8_t buf[4096];

	assert_int_equal(m->pkt_len, total - 18);
	got = rte_pktmbuf_read(m, 0, m->pkt_len, buf);
	for (unsigned i = 14; i < total - 18u; i++)
		assert_int_equal(got[i], (uint8_t)((i + 18) * 7));
}

static void
pieces_in_every_order_become_the_frame(void **state)
{
	static const uint8_t order[24][4] = {
		{ 0, 1, 2, 3 }, { 0, 1, 3, 2 }, { 0, 2, 1, 3 }, { 0, 2, 3, 1 }, { 0, 3, 1, 2 }, { 0, 3, 2, 1 },
		{ 1, 0, 2, 3 }, { 1, 0, 3, 2 }, { 1, 2, 0, 3 }, { 1, 2, 3, 0 }, { 1, 3, 0, 2 }, { 1, 3, 2, 0 },
		{ 2, 0, 1, 3 }, { 2, 0, 3, 1 }, { 2, 1, 0, 3 }, { 2, 1, 3, 0 }, { 2, 3, 0, 1 }, { 2, 3, 1, 0 },
		{ 3, 0, 1, 2 }, { 3, 0, 2, 1 }, { 3, 1, 0, 2 }, { 3, 1, 2, 0 }, { 3, 2, 0, 1 }, { 3, 2, 1, 0 },
	};
	/* Mixed sizes; the last is short. */
	static const uint16_t off[] = { 0, 600, 1112, 2500, 2501 };

	(void)state;
	for (unsigned i = 0; i < 24; i++)
		for (unsigned ce = 0; ce < 5; ce++)
			for (unsigned k = 0; k < 4; k++) {
				unsigned n = order[i][k];
				struct tun_batch b = { .n = 1, .pkt = { piece(i, 2501, off[n], (uint16_t)(off[n + 1] - off[n])) } };

				b.meta[0].tos = ce == n + 1 ? 3 : 0;
				stt()->pop(&b);
				if (k < 3) {
					assert_int_equal(b.drop[0], TUN_HELD);
					continue;
				}
				assert_int_equal(b.drop[0], 0);
				assert_int_equal(b.meta[0].key, 42);
				/* Congestion that one piece met is that of the frame. */
				assert_int_equal(b.meta[0].tos & 3, ce ? 3 : 0);
				check_whole(b.pkt[0], 2501);
				frame_free(b.pkt[0]);
			}
	assert_int_equal(forget(), 0);
}

static void
doubles_and_contradictions_are_dropped_and_not_counted(void **state)
{
	static const struct { uint16_t total, off, len; } bad[] = {
		{ 3000, 0, 1000 }, { 3000, 1, 999 }, { 3000, 999, 1000 }, { 3000, 500, 600 }, { 2999, 1000, 1000 },
		{ 3000, 0, 2999 }, { 3001, 2000, 1001 },
	};
	struct rte_mbuf *m = piece(9, 3000, 0, 1000);
	struct tun_batch b = pop_batch(&m, 1);

	(void)state;
	assert_int_equal(b.drop[0], TUN_HELD);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct rte_mbuf *dup = piece(9, bad[i].total, bad[i].off, bad[i].len);

		b = pop_batch(&dup, 1);
		assert_string_equal(stt()->drops[b.drop[0]], "overlap");
		assert_int_equal(stt()->drop_kinds[b.drop[0]], TUN_DROP_OVERLAP);
		assert_int_equal(dup->pkt_len, 20u + bad[i].len);
		frame_free(dup);
	}
	/* The same piece of another frame, and from another port, is no double. */
	m = piece(10, 3000, 0, 1000);
	assert_int_equal(pop_batch(&m, 1).drop[0], TUN_HELD);
	for (unsigned i = 1; i < 3; i++) {
		m = piece(9, 3000, (uint16_t)(i * 1000), 1000);
		b = pop_batch(&m, 1);
		assert_int_equal(b.drop[0], i == 1 ? TUN_HELD : 0);
	}
	check_whole(b.pkt[0], 3000);
	frame_free(b.pkt[0]);
	assert_int_equal(forget(), 1);
}

static void
lengths_that_lie_are_dropped(void **state)
{
	static const struct { uint16_t total, off, len; const char *why; } rows[] = {
		{ 100, 0, 0, "lengths" }, { 100, 1, 100, "lengths" }, { 99, 0, 100, "lengths" }, { 31, 0, 31, "lengths" },
		{ 65535, 65535, 1, "lengths" }, { 0, 0, 100, "lengths" }, { 3000, 0, 511, "runt" }, { 3000, 100, 1, "runt" },
	};
	struct tun_meta meta;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rte_mbuf *m = piece(1, rows[i].total, rows[i].off, rows[i].len);

		assert_string_equal(kit_pop(stt(), m, &meta), rows[i].why);
		assert_int_equal(m->pkt_len, 20u + rows[i].len);
		frame_free(m);
	}
	/* TCP options, or none of a header. */
	for (unsigned words = 0; words < 16; words++) {
		struct rte_mbuf *m = piece(1, 100, 0, 100);

		rte_pktmbuf_mtod(m, uint8_t *)[12] = (uint8_t)(words << 4);
		assert_string_equal(kit_pop(stt(), m, &meta), words == 5 ? "keep" : "header");
		frame_free(m);
	}
	for (uint16_t len = 0; len < 20; len++) {
		struct rte_mbuf *m = frame("01234567890123456789", len);

		assert_string_equal(kit_pop(stt(), m, &meta), "short");
		frame_free(m);
	}
	assert_false(stt()->holds());
}

static void
header_fields_that_lie_are_dropped(void **state)
{
	static const struct { uint8_t version, flags, l4; const char *why; } rows[] = {
		{ 0, 0, 0, "keep" }, { 1, 0, 0, "version" }, { 0, 0x01, 0, "keep" }, { 0, 0xf0, 99, "keep" },
		{ 0, 0x03, 34, "offload" }, { 0, 0x0e, 33, "offload" }, { 0, 0x0e, 34, "keep" }, { 0, 0x0a, 53, "offload" },
		{ 0, 0x0a, 54, "keep" }, { 0, 0x0e, 100 - 18 - 20, "keep" }, { 0, 0x0e, 100 - 18 - 19, "offload" },
		{ 0, 0x06, 100 - 18 - 8, "keep" }, { 0, 0x06, 100 - 18 - 7, "offload" }, { 0, 0x0e, 255, "offload" },
	};
	struct tun_meta meta;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rte_mbuf *m = piece(1, 100, 0, 100);
		uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);

		p[20] = rows[i].version;
		p[21] = rows[i].flags;
		p[22] = rows[i].l4;
		assert_string_equal(kit_pop(stt(), m, &meta), rows[i].why);
		frame_free(m);
	}
}

static void
tag_in_the_header_is_put_back(void **state)
{
	struct rte_mbuf *m = piece(1, 100, 0, 100);
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
	struct tun_meta meta;

	(void)state;
	p[21] = 0x0e;
	p[22] = 34;
	store_be16(p + 26, be16(0xb064));
	assert_string_equal(kit_pop(stt(), m, &meta), "keep");
	assert_int_equal(m->pkt_len, 100 - 18 + 4);
	assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *) + 12, "\x81\x00\xa0\x64\x12\x34", 6);
	assert_int_equal(meta.offl_l4, 38);
	frame_free(m);
}

/* --- Bounds -------------------------------------------------------------------------------- */

static struct stt_seg
seg_of(uint32_t source, uint32_t id, uint16_t off)
{
	return (struct stt_seg){ .src = ip_from_v4(source), .id = id, .total = 60000, .off = off, .len = 1000 };
}

static unsigned
reap_all(struct stt_table *t, uint64_t now)
{
	struct rte_mbuf *m[16];
	unsigned total = 0, n;

	while ((n = stt_table_reap(t, false, now, m, 16)) > 0)
		for (unsigned i = 0; i < n; i++, total++)
			frame_free(m[i]);
	return total;
}

static enum stt_verdict
add(struct stt_table *t, struct stt_seg s, uint64_t now)
{
	struct rte_mbuf *m = frame("x", 1);
	enum stt_verdict v = stt_table_add(t, &s, &m, now);

	if (v != STT_HELD)
		frame_free(m);
	return v;
}

static void
memory_is_bounded_and_the_oldest_goes_first(void **state)
{
	struct stt_table *t = stt_table_create(tun_limits());
	unsigned lost = 0, n = 0;

	(void)state;
	/* Many sources, each frame from another: their number is the bound. */
	for (; n < 1000; n++) {
		assert_int_equal(add(t, seg_of(n, n, 0), 0), STT_HELD);
		lost += reap_all(t, 0);
		assert_true(stt_table_bufs(t) <= STT_MAX_FRAMES);
	}
	assert_int_equal(lost, n - STT_MAX_FRAMES);
	/* The youngest is there still, the oldest is not: its second piece begins anew. */
	assert_int_equal(add(t, seg_of(n - 1, n - 1, 0), 0), STT_OVERLAP);
	assert_int_equal(add(t, seg_of(0, 0, 0), 0), STT_HELD);

	/* Many pieces of many frames: buffers are the bound. */
	for (unsigned i = 0; i < 200; i++)
		for (unsigned k = 0; k < 50; k++) {
			add(t, seg_of(5000 + i, i, (uint16_t)(k * 1000)), 0);
			reap_all(t, 0);
			assert_true(stt_table_bufs(t) <= TUN_HELD_BUFS);
		}
	assert_true(stt_table_bufs(t) > TUN_HELD_BUFS / 2);
	reap_all(t, TUN_HELD_MS);
	assert_int_equal(stt_table_bufs(t), 0);
	reap_all(t, UINT32_MAX);
	stt_table_destroy(t);
}

static void
one_source_takes_no_more_than_its_share(void **state)
{
	struct stt_table *t = stt_table_create(tun_limits());

	(void)state;
	assert_int_equal(add(t, seg_of(1, 77, 0), 0), STT_HELD);
	for (unsigned i = 0; i < 100; i++)
		for (unsigned k = 0; k < 50; k++) {
			add(t, seg_of(2, i, (uint16_t)(k * 1000)), 0);
			reap_all(t, 0);
			assert_true(stt_table_bufs(t) <= TUN_HELD_BUFS_SOURCE + 1);
		}
	/* Nobody else's frame was lost for it (unless they share a slot, which the seed decides: then it was the oldest). */
	assert_true(stt_table_bufs(t) > TUN_HELD_BUFS_SOURCE / 2);
	reap_all(t, UINT32_MAX);
	stt_table_destroy(t);
}

static void
limits_are_as_configured(void **state)
{
	static const struct tun_limits small = { .held_ms = 50, .held_bufs = 300, .held_bufs_source = 256 };
	struct stt_table *t = stt_table_create(&small);
	unsigned most[2] = { 0 };

	(void)state;
	for (unsigned source = 0; source < 2; source++)
		for (unsigned i = 0; i < 400; i++) {
			add(t, seg_of((uint8_t)(source + 1), i / 8, (uint16_t)(i % 8 * 1000)), 0);
			reap_all(t, 0);
			most[source] = RTE_MAX(most[source], stt_table_bufs(t));
		}
	assert_in_range(most[0], 240, 256);
	/* Both together, or the two share a slot. */
	assert_in_range(most[1], 240, 300);
	reap_all(t, 49);
	assert_true(stt_table_bufs(t) > 200);
	reap_all(t, 50);
	assert_int_equal(stt_table_bufs(t), 0);
	stt_table_destroy(t);
}

static void
what_takes_too_long_is_lost(void **state)
{
	struct stt_table *t = stt_table_create(tun_limits());

	(void)state;
	assert_int_equal(add(t, seg_of(1, 1, 0), 1000), STT_HELD);
	assert_int_equal(add(t, seg_of(1, 1, 1000), 1000 + TUN_HELD_MS - 1), STT_HELD);
	assert_int_equal(add(t, seg_of(1, 2, 0), 1000 + TUN_HELD_MS - 1), STT_HELD);
	assert_int_equal(reap_all(t, 1000 + TUN_HELD_MS - 1), 0);
	/* Later pieces give it no more time. */
	assert_int_equal(reap_all(t, 1000 + TUN_HELD_MS), 1);
	assert_int_equal(stt_table_bufs(t), 1);
	reap_all(t, UINT32_MAX);
	stt_table_destroy(t);
}

/* A sender of whole frames, 45 pieces each, and between any two of its pieces so many first ones of frames that never
 * become whole, each from another forged source: how many of its frames arrive. */
static unsigned
whole_in_flood(struct stt_table *t, unsigned frames, unsigned forged)
{
	unsigned whole = 0;

	for (unsigned i = 0; i < frames; i++)
		for (unsigned k = 0; k < 45; k++) {
			struct stt_seg s = { .src = ip_from_v4(1), .id = 1000 + i, .total = 45000, .off = (uint16_t)(k * 1000),
					     .len = 1000 };

			whole += add(t, s, 5000) == STT_WHOLE;
			for (unsigned n = 0; n < forged; n++) {
				add(t, seg_of(2 + (uint32_t)rand(), (uint32_t)rand(), 0), 5000);
				reap_all(t, 5000);
			}
			assert_true(stt_table_bufs(t) <= TUN_HELD_BUFS);
		}
	return whole;
}

static void
forged_sources_do_not_keep_others_from_being_heard(void **state)
{
	static const unsigned rates[] = { 1, 10, STT_MAX_FRAMES / 2 - 2 };
	struct stt_table *t;

	(void)state;
	srand(7);
	for (unsigned i = 0; i < ARRAY_SIZE(rates); i++) {
		t = stt_table_create(tun_limits());
		assert_int_equal(whole_in_flood(t, 20, rates[i]), 20);
		reap_all(t, UINT32_MAX);
		stt_table_destroy(t);
	}
	/* At any rate, once it is known. */
	t = stt_table_create(tun_limits());
	assert_int_equal(whole_in_flood(t, 1, 0), 1);
	assert_int_equal(whole_in_flood(t, 10, 1000), 10);
	reap_all(t, UINT32_MAX);
	stt_table_destroy(t);
}

/* Likewise frames of eight pieces each, that take buffers rather than places. */
static void
forged_frames_of_many_pieces_do_not_either(void **state)
{
	struct stt_table *t = stt_table_create(tun_limits());
	unsigned whole = 0;

	(void)state;
	assert_int_equal(whole_in_flood(t, 1, 0), 1);
	for (unsigned i = 0; i < 20 * 45; i++) {
		struct stt_seg s = { .src = ip_from_v4(1), .id = 7000 + i / 45, .total = 45000, .off = (uint16_t)(i % 45 * 1000),
				     .len = 1000 };

		whole += add(t, s, 5000) == STT_WHOLE;
		for (unsigned k = 0; k < 80; k++) {
			add(t, seg_of(2 + i * 10 + k / 8, i * 10 + k / 8, (uint16_t)(k % 8 * 1000)), 5000);
			reap_all(t, 5000);
		}
		assert_true(stt_table_bufs(t) <= TUN_HELD_BUFS);
	}
	assert_int_equal(whole, 20);
	reap_all(t, UINT32_MAX);
	assert_int_equal(stt_table_bufs(t), 0);
	stt_table_destroy(t);
}

/* Nor can those that make frames whole crowd out who is new. */
static void
known_senders_leave_room_for_new_ones(void **state)
{
	struct stt_table *t = stt_table_create(tun_limits());

	(void)state;
	for (unsigned n = 0; n < 1000; n++) {
		struct stt_seg s = { .src = ip_from_v4(10 + n), .id = n, .total = 2000, .len = 1000 };

		assert_int_equal(add(t, s, 5000), STT_HELD);
		s.off = 1000;
		assert_int_equal(add(t, s, 5000), STT_WHOLE);
	}
	for (unsigned n = 0; n < 1000; n++) {
		add(t, seg_of(10 + n, 5000 + n, 0), 5000);
		reap_all(t, 5000);
	}
	/* Two strangers, between whose pieces all of them begin frames again. */
	assert_int_equal(whole_in_flood(t, 1, 0), 1);
	assert_int_equal(add(t, (struct stt_seg){ .src = ip_from_v4(5), .id = 1, .total = 2000, .len = 1000 }, 5000), STT_HELD);
	for (unsigned n = 0; n < 30; n++) {
		add(t, seg_of(10 + n, 9000 + n, 0), 5000);
		reap_all(t, 5000);
	}
	assert_int_equal(add(t, (struct stt_seg){ .src = ip_from_v4(5), .id = 1, .total = 2000, .off = 1000, .len = 1000 }, 5000),
			 STT_WHOLE);
	reap_all(t, UINT32_MAX);
	stt_table_destroy(t);
}

/* --- Against a naive one ------------------------------------------------------------------- */

/* Random pieces of few frames, many of them wrong: what comes out is a frame that every byte was given for. */
static void
random_pieces_never_make_a_frame_with_holes(void **state)
{
	enum { FRAMES = 4, TOTAL = 3000 };
	static uint8_t have[FRAMES][TOTAL];
	unsigned whole = 0;

	(void)state;
	srand(7);
	for (unsigned i = 0; i < 40000; i++) {
		unsigned f = (unsigned)rand() % FRAMES, off = (unsigned)rand() % TOTAL, len = (unsigned)rand() % 1200 + 1;
		bool fits = off + len <= TOTAL, runt = off + len < TOTAL && len < STT_MIN_SEG, taken = false;
		struct rte_mbuf *m;
		struct tun_batch b;

		for (unsigned k = off; fits && k < off + len; k++)
			taken |= have[f][k];
		/* Wrong in any way; or else one of those that fit together. */
		if ((fits && !runt && !taken) || i % 2) {
			off = off / 512 * 512;
			len = MIN_OF(512u, TOTAL - off);
			fits = true;
			runt = taken = false;
			for (unsigned k = off; k < off + len; k++)
				taken |= have[f][k];
		}
		m = piece(100 + f, TOTAL, (uint16_t)off, (uint16_t)len);
		b = pop_batch(&m, 1);
		if (!fits || runt || taken) {
			assert_true(b.drop[0] && b.drop[0] != TUN_HELD);
			frame_free(m);
			continue;
		}
		memset(have[f] + off, 1, len);
		if (memchr(have[f], 0, TOTAL)) {
			assert_int_equal(b.drop[0], TUN_HELD);
			continue;
		}
		assert_int_equal(b.drop[0], 0);
		check_whole(b.pkt[0], TOTAL);
		frame_free(b.pkt[0]);
		memset(have[f], 0, TOTAL);
		whole++;
	}
	assert_true(whole > 5);
	forget();
}

/* --- Vectors ------------------------------------------------------------------------------- */

static void
check(const struct kit_vector *v)
{
	struct rte_mbuf *m = frame(v->bytes, v->len);
	struct tun_batch b = { .n = 1, .pkt = { m } };
	struct tun_outer o;
	uint8_t want;

	assert_true(tun_outer_peek(m, &o) && o.ip_proto == 6 && o.port == 7471);
	assert_int_equal(tun_outer_check(m, &o), TUN_OUTER_OK);
	pkt_pull(m, o.len);
	stt()->pop(&b);
	want = v->n == 5 || v->n == 6 ? TUN_HELD : v->n == 9 ? b.drop[0] : 0;
	assert_int_equal(b.drop[0], want);
	if (v->n == 9)
		assert_string_equal(stt()->drops[b.drop[0]], "version");
	if (b.drop[0] == TUN_HELD)
		return;
	if (v->n == 7) {
		assert_int_equal(b.pkt[0]->pkt_len, 4054);
		assert_int_equal(b.meta[0].offl_mss, 1460);
	} else if (v->n == 3) {
		/* The checksum is to be completed; the rest is as it will be. */
		assert_int_equal(b.meta[0].offl, TUN_OFFL_PARTIAL | TUN_OFFL_IP4 | TUN_OFFL_TCP);
		assert_memory_equal(rte_pktmbuf_mtod(m, void *), v->inner, 50);
		assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *) + 52, v->inner + 52, v->inner_len - 52);
	} else if (v->n != 9) {
		assert_int_equal(m->pkt_len, v->inner_len);
		assert_memory_equal(rte_pktmbuf_mtod(m, void *), v->inner, v->inner_len);
	}
	if (kit_field(v, "stt.context_id"))
		assert_true(b.meta[0].key == kit_field(v, "stt.context_id"));
	frame_free(b.pkt[0]);
}

static void
vectors_are_read(void **state)
{
	(void)state;
	kit_vectors("stt", 9, check);
	assert_int_equal(forget(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_has_the_golden_bytes),
		cmocka_unit_test(frame_ids_differ),
		cmocka_unit_test(long_frames_are_left_to_the_port_to_cut),
		cmocka_unit_test(what_a_guest_left_to_others_is_said_in_the_header),
		cmocka_unit_test(key_of_a_flow_has_64_bits),
		cmocka_unit_test(pieces_in_every_order_become_the_frame),
		cmocka_unit_test(doubles_and_contradictions_are_dropped_and_not_counted),
		cmocka_unit_test(lengths_that_lie_are_dropped),
		cmocka_unit_test(header_fields_that_lie_are_dropped),
		cmocka_unit_test(tag_in_the_header_is_put_back),
		cmocka_unit_test(memory_is_bounded_and_the_oldest_goes_first),
		cmocka_unit_test(one_source_takes_no_more_than_its_share),
		cmocka_unit_test(forged_sources_do_not_keep_others_from_being_heard),
		cmocka_unit_test(forged_frames_of_many_pieces_do_not_either),
		cmocka_unit_test(known_senders_leave_room_for_new_ones),
		cmocka_unit_test(limits_are_as_configured),
		cmocka_unit_test(what_takes_too_long_is_lost),
		cmocka_unit_test(random_pieces_never_make_a_frame_with_holes),
		cmocka_unit_test(vectors_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
