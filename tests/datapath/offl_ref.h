/* SPDX-License-Identifier: Apache-2.0 */
/* Long frames and half-done checksums, built; and what must come of them, verified by plain code that shares nothing
 * with the code under test but the mbuf. */
#ifndef TESTS_DATAPATH_OFFL_REF_H
#define TESTS_DATAPATH_OFFL_REF_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stdint.h>

struct rte_mbuf;

enum { REF_MAX = 70000, REF_GSO_UDP_L4 = 5 };

enum ref_tunnel { REF_NO_TUNNEL, REF_VXLAN, REF_GENEVE, REF_GRE, REF_GRE_CSUM, REF_IPIP };

/* What to build. */
struct ref_conf {
	enum ref_tunnel tunnel;
	bool outer_v6, outer_csum;
	bool v6;
	uint8_t gso;                    /* VIRTIO_NET_HDR_GSO_*, without ECN; NONE: checksum only, of 'udp' or TCP. */
	bool udp;
	bool cwr;
	uint8_t tags;
	uint8_t ip_opts;                /* Words of IPv4 options, or IPv6 hop-by-hop headers of 8 bytes. */
	uint8_t tcp_opts;               /* Words. */
	uint32_t payload;
	uint16_t mss;
};

/* A frame and where its headers are; o_l4 0: no tunnel. */
struct ref_frame {
	uint8_t b[REF_MAX];
	uint32_t len;
	struct virtio_net_hdr v;
	uint32_t o_l3, o_l4, l3, l4, hdr_len;
	bool o_v6, v6;
	uint8_t proto;                  /* 6 or 17. */
	uint8_t o_proto;
	bool fragments;                 /* UDP is to be cut by IP. */
};

void ref_build(struct ref_frame *, const struct ref_conf *);

/* Whether the packets are right: all lengths and checksums, every header byte that may not change, TCP numbers and
 * flags, IP ids, and together the payload.  'mss' as given with the frame; UINT32_MAX: there is one packet and it is
 * whole.  'partial': L4 checksums hold the pseudo header's sum.  NULL: they are; else what is wrong. */
const char *ref_verify(const struct ref_frame *, struct rte_mbuf *const *, unsigned n, uint32_t mss, bool partial);

uint32_t ref_sum(const uint8_t *, uint32_t len, uint32_t sum);
unsigned ref_get16(const uint8_t *);
void ref_put16(uint8_t *, unsigned);

#endif
