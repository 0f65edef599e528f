/* SPDX-License-Identifier: Apache-2.0 */
/* Software segmentation: what is cut is put together again and compared; every length and checksum is verified
 * by plain code of the test's own. */
#include <errno.h>

#include "datapath/gso_priv.h"
#include "tests/datapath/portenv.h"

enum { GSO_UDP_L4 = 5 };

struct layout {
	bool vxlan, outer_v6, outer_csum, inner_tag;
	bool v6, udp, tagged;
};

static uint32_t
sum16(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	if (len & 1)
		sum += (uint32_t)p[len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static unsigned
get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static void
put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint8_t *
put_eth(uint8_t *p, unsigned type, bool tag)
{
	memcpy(p, "\x02\0\0\0\0\x01\x02\0\0\0\0\x02", 12);
	p += 12;
	if (tag) {
		put16(p, 0x8100);
		put16(p + 2, 77);
		p += 4;
	}
	put16(p, type);
	return p + 2;
}

/* Lengths are left wrong: they are the segmentation's to write. */
static uint8_t *
put_ip(uint8_t *p, bool v6, uint8_t proto)
{
	if (v6) {
		memset(p, 0, 40);
		p[0] = 0x60;
		p[6] = proto;
		p[7] = 64;
		p[8] = p[24] = 0xfd;
		p[23] = 1;
		p[39] = 2;
		return p + 40;
	}
	memcpy(p, "\x45\0\0\0\x12\xff\0\0\x40\0\0\0\x0a\0\0\x01\x0a\0\0\x02", 20);
	p[9] = proto;
	return p + 20;
}

static uint32_t
build(uint8_t *b, const struct layout *l, uint32_t payload, uint16_t mss, struct gso_frame *f)
{
	uint8_t *p = b;

	if (l->vxlan) {
		p = put_eth(p, l->outer_v6 ? 0x86dd : 0x0800, false);
		p = put_ip(p, l->outer_v6, 17);
		memcpy(p, "\xc0\0\x12\xb5\0\0\0\0\x08\0\0\0\0\0\x2a\0", 16);
		p[6] = l->outer_csum;
		p += 16;
	}
	p = put_eth(p, l->v6 ? 0x86dd : 0x0800, l->inner_tag);
	p = put_ip(p, l->v6, l->udp ? 17 : 6);
	*f = (struct gso_frame){ .bytes = b, .tagged = l->tagged, .tpid = 0x88a8, .tci = 0x6123 };
	f->v = (struct virtio_net_hdr){ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .gso_size = mss,
		.gso_type = l->udp ? GSO_UDP_L4 : l->v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4,
		.csum_start = (uint16_t)(p - b), .csum_offset = l->udp ? 6 : 16 };
	if (l->udp) {
		memcpy(p, "\x10\0\x20\0\0\0\xaa\xbb", 8);
		p += 8;
	} else {
		/* 32 bytes: options; CWR, PSH, FIN set; the number of the sequence about to wrap. */
		memset(p, 0x55, 32);
		memcpy(p, "\x10\0\x20\0\xff\xff\xff\x00\0\0\0\x01\x80\x99\x40\0\xaa\xbb\0\0", 20);
		p += 32;
	}
	uint32_t hdr = (uint32_t)(p - b);

	for (uint32_t i = 0; i < payload; i++)
		*p++ = (uint8_t)(i * 7 + i / 251);
	f->len = hdr + payload;
	return hdr;
}

/* Verifies one IP layer that ends at 'end'; returns its upper header. */
static const uint8_t *
check_ip(const uint8_t *p, const uint8_t *end, bool v6, unsigned i, uint32_t *pseudo)
{
	size_t len = (size_t)(end - p);

	if (v6) {
		assert_int_equal(get16(p + 4), len - 40);
		*pseudo = sum16(p + 8, 32, p[6]);
		return p + 40;
	}
	assert_int_equal(get16(p + 2), len);
	assert_int_equal(get16(p + 4), (0x12ffu + i) & 0xffff);
	assert_int_equal(sum16(p, 20, 0), 0xffff);
	*pseudo = sum16(p + 12, 8, p[9]);
	return p + 20;
}

static void
check_segment(const struct layout *l, const uint8_t *p, uint32_t len, unsigned i, unsigned n, uint32_t off,
	      const uint8_t *want, uint32_t want_len)
{
	const uint8_t *end = p + len;
	uint32_t pseudo;

	if (l->tagged) {
		assert_int_equal(get16(p + 12), 0x88a8);
		assert_int_equal(get16(p + 14), 0x6123);
		p += 4;
	}
	if (l->vxlan) {
		p = check_ip(p + 14, end, l->outer_v6, i, &pseudo);
		assert_int_equal(get16(p + 4), end - p);
		if (l->outer_csum)
			assert_int_equal(sum16(p, (size_t)(end - p), pseudo + (uint32_t)(end - p)), 0xffff);
		else
			assert_int_equal(get16(p + 6), 0);
		assert_int_equal(p[14], 0x2a);
		p += 16;
	}
	p = check_ip(p + 14 + (l->inner_tag ? 4 : 0), end, l->v6, i, &pseudo);
	assert_int_equal(sum16(p, (size_t)(end - p), pseudo + (uint32_t)(end - p)), 0xffff);
	if (l->udp) {
		assert_int_equal(get16(p + 4), end - p);
		p += 8;
	} else {
		uint32_t seq = (uint32_t)get16(p + 4) << 16 | get16(p + 6);

		assert_int_equal(seq, 0xffffff00u + off);
		assert_int_equal(p[13], (i ? 0x10 : 0x90) | (i + 1 == n ? 0x09 : 0));
		p += 32;
	}
	assert_int_equal(end - p, want_len);
	assert_memory_equal(p, want, want_len);
}

static void
cut_and_check(const struct layout *l, uint32_t payload, uint16_t mss)
{
	static uint8_t seg[66000];
	uint8_t *b = malloc(300 + payload);
	struct rte_mbuf *m[GSO_MAX_SEGS];
	struct gso_frame f;
	uint32_t hdr = build(b, l, payload, mss, &f);
	unsigned n = (payload + mss - 1) / mss;

	assert_int_equal(gso_split(&f, env_pool, m), n);
	for (unsigned i = 0; i < n; i++) {
		uint32_t off = i * mss;
		const uint8_t *p = rte_pktmbuf_read(m[i], 0, m[i]->pkt_len, seg);

		check_segment(l, p, m[i]->pkt_len, i, n, off, b + hdr + off, MIN_OF(mss, payload - off));
		rte_pktmbuf_free(m[i]);
	}
	free(b);
	env_no_mbuf_is_lost();
}

static void
every_kind_of_frame_is_cut_into_right_segments(void **state UNUSED)
{
	for (unsigned bits = 0; bits < 128; bits++) {
		struct layout l = { bits & 1, bits & 2, bits & 4, bits & 8, bits & 16, bits & 32, bits & 64 };

		cut_and_check(&l, 5000, 1448);
		cut_and_check(&l, 1449, 1448);
		cut_and_check(&l, 60000, 1399);
		cut_and_check(&l, 20001, 8900);
		cut_and_check(&l, 10, 1);
	}
}

/* The frame lies in a block of exactly its length: a sanitizer sees each byte read beyond. */
static void
truncated_and_odd_headers_are_refused(void **state UNUSED)
{
	struct layout l = { .vxlan = true };
	struct rte_mbuf *m[GSO_MAX_SEGS];
	uint8_t whole[400];
	struct gso_frame f;
	uint32_t hdr = build(whole, &l, 50, 20, &f);

	for (uint32_t len = 14; len <= hdr; len++) {
		uint8_t *b = malloc(len);

		memcpy(b, whole, len);
		f.bytes = b;
		f.len = len;
		assert_int_equal(gso_split(&f, env_pool, m), -EINVAL);
		free(b);
	}
	/* Any byte of the headers may lie. */
	for (uint32_t at = 0; at < hdr; at++)
		for (unsigned v = 0; v < 256; v += 15) {
			uint8_t *b = malloc(hdr + 50);
			int n;

			memcpy(b, whole, hdr + 50);
			b[at] = (uint8_t)v;
			f.bytes = b;
			f.len = hdr + 50;
			n = gso_split(&f, env_pool, m);
			if (n > 0)
				rte_pktmbuf_free_bulk(m, (unsigned)n);
			free(b);
		}
	f.bytes = whole;
	f.v.gso_size = 0;
	assert_int_equal(gso_split(&f, env_pool, m), -EINVAL);
	f.v.gso_size = 20;
	f.v.flags = 0;
	assert_int_equal(gso_split(&f, env_pool, m), -EINVAL);
	f.v.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	for (unsigned start = 0; start < 400; start++) {
		f.v.csum_start = (uint16_t)start;
		int n = gso_split(&f, env_pool, m);

		if (n > 0)
			rte_pktmbuf_free_bulk(m, (unsigned)n);
	}
	env_no_mbuf_is_lost();
}

static void
too_many_segments_are_refused(void **state UNUSED)
{
	static uint8_t b[70000];
	struct layout l = { 0 };
	struct rte_mbuf *m[GSO_MAX_SEGS];
	struct gso_frame f;

	build(b, &l, 65 * 100, 100, &f);
	assert_int_equal(gso_split(&f, env_pool, m), -EINVAL);
	env_no_mbuf_is_lost();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_frame_is_cut_into_right_segments),
		cmocka_unit_test(truncated_and_odd_headers_are_refused),
		cmocka_unit_test(too_many_segments_are_refused),
	};

	return cmocka_run_group_tests(tests, env_start, env_stop);
}
