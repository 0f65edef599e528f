/* SPDX-License-Identifier: Apache-2.0 */
/* Frames from text, for scenarios: layers joined by " / ", each a name, positional words, and NAME=VALUE
 * words.  Lengths, next-protocol fields and checksums come by themselves; whoever wants a wrong one says so.
 *
 *   eth B A / vlan 10 / ip 10.0.0.1 10.0.0.2 / udp 1000 53 / data 20
 *   eth B A / ip 10.0.0.1 10.0.0.2 ihl=4 / udp 1 2 / data 8 / cut 40
 *
 *   eth DST SRC [type=]            addresses in full, "bcast", or one letter: B is 02:00:00:00:00:0b,
 *                                  counted on after F (G is ...:10)
 *   vlan VID [pcp= dei= tpid=]     its TPID is written where the type of the layer before it stands
 *   len                            802.3: the length of what follows instead of a type
 *   ip SRC DST [tos= id= off= df= mf= ttl= proto= ver= ihl= tot= csum= opt=HEX]
 *   ip6 SRC DST [tc= label= hlim= nh= plen= ver=]
 *   hop|rt|dst [n=] [nh=], ah [n=] [nh=], frag [off= mf= nh=]    extension headers, 'n' as it goes on the wire
 *   udp SPORT DPORT [len= csum=]   tcp SPORT DPORT [flags= off= csum=]   sctp SPORT DPORT
 *   icmp TYPE CODE [rest= csum=]   icmp6 TYPE CODE [rest= csum=]
 *   arp OP SHA SPA THA TPA [htype= ptype= hlen= plen=]
 *   mpls LABEL [s= tc= ttl=]   vxlan VNI [flags=]
 *   data N (bytes 0, 1, 2, ...)   hex BYTES   zero N
 *   cut N (leave the first N bytes)   pad N (zeroes up to N bytes)
 *
 * In a frame that is expected, 'any' for a port, id, label or checksum means that it is not compared; a checksum over such bytes is
 * checked by computing it; so is that of an ICMP layer with csum=any. */
#ifndef TESTS_PACKET_FRAME_H
#define TESTS_PACKET_FRAME_H

#include "base/addr.h"
#include "base/err.h"

enum { FRAME_MAX = 2048, FRAME_SUMS = 4 };

/* A transport checksum: where it starts to cover, and the pseudo-header's addresses. */
struct frame_sum {
	uint16_t l4, l3, end;
	uint8_t proto;
	bool v6;
};

struct frame {
	uint16_t len;
	uint8_t n_sums;
	struct frame_sum sum[FRAME_SUMS];       /* To be computed instead of compared. */
	uint8_t b[FRAME_MAX];
	uint8_t any[FRAME_MAX];                 /* Bits that are not compared. */
};

/* 0 or -EINVAL. */
int frame_parse(const char *text, struct frame *, struct err *);

/* Whether the bytes are what the frame says; if not, 'e' tells the first difference. */
bool frame_matches(const struct frame *, const uint8_t *b, uint32_t len, struct err *e);

#endif
