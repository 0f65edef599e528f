/* SPDX-License-Identifier: Apache-2.0 */
/* VXLAN on the wire: golden bytes, both ways, truncations, drop reasons, and frames captured from other
 * implementations (specs/vectors). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#include <jansson.h>
#include <pcap/pcap.h>

#include "tests/tunnels/frame.h"
#include "tunnels/tun.h"

static const uint8_t arp_request[] = {
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0x11, 0x22, 0x33, 0x44, 0x55, 0x08, 0x06, 0x00, 0x01,
	0x08, 0x00, 0x06, 0x04, 0x00, 0x01, 0x02, 0x11, 0x22, 0x33, 0x44, 0x55, 0x0a, 0x01, 0x01, 0x0a,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0a, 0x01, 0x01, 0x14,
};
static const uint8_t vni_42[] = { 0x08, 0, 0, 0, 0, 0, 42, 0 };

static struct tun_conf
conf(uint32_t vni)
{
	struct tun_conf c;

	opt_defaults(tun_type_find("vxlan")->opts, &c);
	c.key = vni;
	c.remote.n = 1;
	ip_parse("192.0.2.1", &c.remote.ip[0]);
	return c;
}

static struct tun_path
path(const char *local, const char *remote)
{
	struct tun_path p;

	assert_int_equal(ip_parse(local, &p.local), 0);
	assert_int_equal(ip_parse(remote, &p.remote), 0);
	mac_parse("02:aa:00:00:00:01", &p.src_mac);
	mac_parse("02:aa:00:00:00:02", &p.dst_mac);
	return p;
}

static uint8_t
pop_one(struct rte_mbuf *m, struct tun_meta *meta)
{
	struct tun_batch b = { .n = 1, .pkt = { m } };

	tun_type_find("vxlan")->pop(&b);
	*meta = b.meta[0];
	return b.drop[0];
}

static void
registry_finds_vxlan_by_name_only(void **state)
{
	(void)state;
	assert_non_null(tun_type_find("vxlan"));
	assert_string_equal(tun_type_find("vxlan")->name, "vxlan");
	assert_null(tun_type_find("vxlann"));
	assert_null(tun_type_find(""));
}

static void
overhead_is_fifty_and_seventy(void **state)
{
	struct tun_conf c = conf(1);

	(void)state;
	assert_int_equal(tun_overhead(tun_type_find("vxlan"), &c, false), 50);
	assert_int_equal(tun_overhead(tun_type_find("vxlan"), &c, true), 70);
}

static void
header_over_ipv4_has_the_golden_bytes(void **state)
{
	/* From the encapsulation reference, section 8, but for the UDP source port. */
	static const uint8_t golden[] = {
		0x02, 0xaa, 0x00, 0x00, 0x00, 0x02, 0x02, 0xaa, 0x00, 0x00, 0x00, 0x01, 0x08, 0x00,
		0x45, 0x00, 0x00, 0x60, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0xb6, 0x89, 0xc0, 0x00,
		0x02, 0x01, 0xc0, 0x00, 0x02, 0x02, 0xff, 0xff, 0x12, 0xb5, 0x00, 0x4c, 0x00, 0x00,
		0x08, 0x00, 0x00, 0x00, 0x00, 0x13, 0x89, 0x00,
	};
	const struct tun_type *t = tun_type_find("vxlan");
	struct tun_path p = path("192.0.2.1", "192.0.2.2");
	struct tun_conf c = conf(5001);
	uint8_t inner[60] = { 0 };
	struct tun_hdr h;
	uint16_t sport;

	(void)state;
	memcpy(inner, arp_request, sizeof arp_request);
	assert_int_equal(tun_hdr_build(t, &c, &p, &h, NULL), 0);

	struct rte_mbuf *m = frame_room(inner, sizeof inner, 50);
	struct tun_batch b = { .n = 1, .pkt = { m }, .hdr = &h };
	uint8_t *out;

	tun_push(t, &b);
	assert_int_equal(b.drop[0], 0);
	assert_int_equal(m->pkt_len, sizeof inner + 50);
	out = rte_pktmbuf_mtod(m, uint8_t *);
	sport = host16(load_be16(out + 34));
	assert_in_range(sport, 49152, 65535);
	/* The source port is a hash. */
	memset(out + 34, 0xff, 2);
	assert_memory_equal(out, golden, sizeof golden);
	assert_memory_equal(out + 50, inner, sizeof inner);
	frame_free(m);
}

static void
pop_after_push_is_identity_on(const char *local, const char *remote, int csum, uint32_t vni)
{
	const struct tun_type *t = tun_type_find("vxlan");
	struct tun_path p = path(local, remote);
	struct tun_conf c = conf(vni);
	struct tun_outer o;
	struct tun_meta meta;
	struct tun_hdr h;

	c.csum = csum;
	assert_int_equal(tun_hdr_build(t, &c, &p, &h, NULL), 0);
	for (uint16_t len = sizeof arp_request; len < 200; len++) {
		uint8_t inner[200] = { 0 };

		memcpy(inner, arp_request, sizeof arp_request);
		inner[len - 1] = len;

		struct rte_mbuf *m = frame_room(inner, len, h.len);
		struct tun_batch b = { .n = 1, .pkt = { m }, .hdr = &h };

		tun_push(t, &b);
		assert_int_equal(b.drop[0], 0);
		assert_true(tun_outer_peek(m, &o));
		assert_int_equal(o.port, 4789);
		assert_true(ip_equal(&o.dst, &p.remote));
		assert_int_equal(tun_outer_check(m, &o), TUN_OUTER_OK);
		assert_true(ip_equal(&o.src, &p.local));
		assert_int_equal(o.csum_zero, !h.csum);
		assert_int_equal(o.ttl, 64);
		m->data_off += o.len;
		m->data_len -= o.len;
		m->pkt_len -= o.len;
		assert_int_equal(pop_one(m, &meta), 0);
		assert_int_equal(meta.key, vni);
		assert_int_equal(m->pkt_len, len);
		assert_memory_equal(rte_pktmbuf_mtod(m, void *), inner, len);
		frame_free(m);
	}
}

static void
pop_after_push_is_identity_over_both_families(void **state)
{
	(void)state;
	for (int csum = TUN_CSUM_AUTO; csum <= TUN_CSUM_OFF; csum++) {
		pop_after_push_is_identity_on("192.0.2.2", "192.0.2.1", csum, 0);
		pop_after_push_is_identity_on("2001:db8:1::2", "2001:db8:1::1", csum, 0xffffff);
	}
}

static void
vni_of_25_bits_is_refused(void **state)
{
	struct tun_path p = path("192.0.2.2", "192.0.2.1");
	struct tun_conf c = conf(0x1000000);
	struct err e = { 0 };
	struct tun_hdr h;

	(void)state;
	assert_int_equal(tun_hdr_build(tun_type_find("vxlan"), &c, &p, &h, &e), -ERANGE);
	assert_non_null(strstr(e.msg, "16777215"));
	assert_int_equal(tun_conf_check(tun_type_find("vxlan"), &c, &e), -EINVAL);
	assert_int_equal(opt_set(tun_type_find("vxlan")->opts, &c, "vni", "16777216", &e), -ERANGE);
	assert_int_equal(opt_set(tun_type_find("vxlan")->opts, &c, "vni", "16777215", &e), 0);
}

static void
truncated_header_is_dropped(void **state)
{
	const char *const *drops = tun_type_find("vxlan")->drops;
	struct tun_meta meta;

	(void)state;
	for (uint16_t len = 0; len < sizeof vni_42; len++) {
		struct rte_mbuf *m = frame(vni_42, len);

		assert_string_equal(drops[pop_one(m, &meta)], "short");
		assert_int_equal(m->data_len, len);
		frame_free(m);
	}
}

static void
header_without_vni_flag_is_dropped(void **state)
{
	uint8_t hdr[sizeof vni_42];
	struct tun_meta meta;

	(void)state;
	memcpy(hdr, vni_42, sizeof hdr);
	hdr[0] = 0xf7;

	struct rte_mbuf *m = frame(hdr, sizeof hdr);

	assert_string_equal(tun_type_find("vxlan")->drops[pop_one(m, &meta)], "no-vni");
	frame_free(m);
}

static void
reserved_bits_are_ignored_on_receipt(void **state)
{
	static const uint8_t hdr[] = { 0xff, 0xff, 0xff, 0xff, 0, 0, 42, 0xff };
	struct rte_mbuf *m = frame(hdr, sizeof hdr);
	struct tun_meta meta;

	(void)state;
	assert_int_equal(pop_one(m, &meta), 0);
	assert_int_equal(meta.key, 42);
	assert_int_equal(m->data_len, 0);
	frame_free(m);
}

static void
group_policy_is_read_and_sent_where_asked_for(void **state)
{
	static const uint8_t hdr[] = { 0x88, 0x48, 0x01, 0x23, 0, 0, 42, 0 };
	const struct tun_type *t = tun_type_find("vxlan");
	struct tun_path p = path("192.0.2.1", "192.0.2.2");
	struct tun_set set = { .bits = TUN_SET_EXT, .ext = { 0x01, 0x23, 0xff }, .ext_bytes = 7 };
	struct rte_mbuf *m = frame(hdr, sizeof hdr);
	struct tun_conf c = conf(42);
	struct tun_meta meta;
	struct tun_hdr h;

	(void)state;
	assert_int_equal(pop_one(m, &meta), 0);
	assert_memory_equal(meta.ext, "\x01\x23\x48", 3);
	assert_int_equal(meta.flags, TUN_META_NO_LEARN);
	frame_free(m);

	/* Without 'gbp' nothing makes such bits: they cost the packet at a far end that has no group policy. */
	assert_int_equal(tun_hdr_build(t, &c, &p, &h, NULL), 0);
	tun_hdr_set(t, &h, &set);
	assert_memory_equal(h.b + h.own_off, vni_42, sizeof vni_42);
	c.gbp = true;
	c.gbp_id = 0x4567;
	assert_int_equal(tun_hdr_build(t, &c, &p, &h, NULL), 0);
	assert_memory_equal(h.b + h.own_off, "\x88\x00\x45\x67\x00\x00\x2a\x00", 8);
	tun_hdr_set(t, &h, &set);
	assert_memory_equal(h.b + h.own_off, hdr, sizeof hdr);
}

static void
batch_keeps_good_packets_between_bad_ones(void **state)
{
	struct tun_batch b = { .n = TUN_BATCH_MAX };

	(void)state;
	for (uint16_t i = 0; i < b.n; i++)
		b.pkt[i] = frame(vni_42, i % 3 ? sizeof vni_42 : 7);
	tun_type_find("vxlan")->pop(&b);
	for (uint16_t i = 0; i < b.n; i++) {
		assert_int_equal(b.drop[i], i % 3 ? 0 : 1);
		frame_free(b.pkt[i]);
	}
}

/* --- Frames of other implementations ------------------------------------------------------- */

static uint8_t *
unhex(const char *s, size_t *len)
{
	uint8_t *b = malloc(strlen(s) / 2 + 1);

	for (*len = 0; s[0] && s[1]; s += 2) {
		unsigned v;

		assert_int_equal(sscanf(s, "%2x", &v), 1);
		b[(*len)++] = v;
	}
	return b;
}

/* The whole way in, without the policy of a configuration. */
static bool
decapsulate(struct rte_mbuf *m, struct tun_outer *o, struct tun_meta *meta)
{
	if (!tun_outer_peek(m, o) || o->port != 4789 || tun_outer_check(m, o) != TUN_OUTER_OK)
		return false;
	m->data_off += o->len;
	m->data_len -= o->len;
	m->pkt_len -= o->len;
	return pop_one(m, meta) == 0 && tun_ecn_decap(m, o->tos);
}

static void
check_vector(const json_t *v, const uint8_t *bytes, uint32_t len)
{
	bool accept = strcmp(json_string_value(json_object_get(v, "expect")), "drop") != 0;
	const char *vni = json_string_value(json_object_get(json_object_get(v, "fields"), "vxlan.vni"));
	struct rte_mbuf *m = frame(bytes, len);
	struct tun_outer o;
	struct tun_meta meta;

	print_message("  %s\n", json_string_value(json_object_get(v, "desc")));
	assert_int_equal(decapsulate(m, &o, &meta), accept);
	if (accept) {
		size_t inner_len;
		uint8_t *inner = unhex(json_string_value(json_object_get(v, "inner")), &inner_len);

		assert_int_equal(meta.key, strtoul(vni, NULL, 10));
		assert_int_equal(m->pkt_len, inner_len);
		assert_memory_equal(rte_pktmbuf_mtod(m, void *), inner, inner_len);
		free(inner);
	}
	frame_free(m);
}

static void
vectors_of_other_implementations_are_read_right(void **state)
{
	const char *shared = getenv("WEFT_SHARED");
	char file[512], msg[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *ph;
	const uint8_t *bytes;
	size_t n = 0;

	(void)state;
	snprintf(file, sizeof file, "%s/specs/vectors/index.json", shared ? shared : ".");

	json_t *index = json_load_file(file, 0, NULL);

	if (!index) {
		print_message("SKIPPED: no %s (set WEFT_SHARED)\n", file);
		skip();
	}
	snprintf(file, sizeof file, "%s/specs/vectors/vxlan.pcap", shared);

	pcap_t *pcap = pcap_open_offline(file, msg);
	const json_t *vectors = json_object_get(index, "vxlan");

	assert_non_null(pcap);
	while (pcap_next_ex(pcap, &ph, &bytes) == 1)
		check_vector(json_array_get(vectors, n++), bytes, ph->caplen);
	assert_int_equal(n, json_array_size(vectors));
	assert_true(n >= 12);
	pcap_close(pcap);
	json_decref(index);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registry_finds_vxlan_by_name_only),
		cmocka_unit_test(overhead_is_fifty_and_seventy),
		cmocka_unit_test(header_over_ipv4_has_the_golden_bytes),
		cmocka_unit_test(pop_after_push_is_identity_over_both_families),
		cmocka_unit_test(vni_of_25_bits_is_refused),
		cmocka_unit_test(truncated_header_is_dropped),
		cmocka_unit_test(header_without_vni_flag_is_dropped),
		cmocka_unit_test(reserved_bits_are_ignored_on_receipt),
		cmocka_unit_test(group_policy_is_read_and_sent_where_asked_for),
		cmocka_unit_test(batch_keeps_good_packets_between_bad_ones),
		cmocka_unit_test(vectors_of_other_implementations_are_read_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
