/* SPDX-License-Identifier: Apache-2.0 */
/* An encapsulation is a constant: facts, tables and three functions.  Outer Ethernet, IP, UDP,
 * checksums and source-port entropy live once, in push.c (out) and outer.c (in); a type reads and writes
 * its own header only.  The registry is the list 'tunnel_types' in tunnels/meson.build, one name a line. */
#ifndef TUNNELS_TUN_H
#define TUNNELS_TUN_H

#include "base/addr.h"
#include "base/err.h"
#include "base/opt.h"

struct rte_mbuf;

enum {
	TUN_BATCH_MAX = 32,
	TUN_HDR_MAX = 128,      /* Outer Ethernet + VLAN + IPv6 + UDP + own header. */
	TUN_EXT_LEN = 12,
	TUN_OPTS_MAX = 48,              /* Bytes of options that a flow may ask for. */
};

enum tun_caps {
	TUN_CAP_L2 = 1 << 0,    /* Carries Ethernet frames. */
	TUN_CAP_L3 = 1 << 1,    /* Carries bare IP packets. */
	TUN_CAP_KEY = 1 << 2,   /* Has an identifier (VNI, VSID, key). */
	TUN_CAP_UNTAGGED = 1 << 3,      /* The 802.1Q tag of a frame is taken off on the way out. */
	/* Frames up to 64 KB go as they are, long ones and those with unfinished checksums too; what is sent is cut to fit
	 * the underlay, and made whole at the far end. */
	TUN_CAP_WHOLE = 1 << 4,
	TUN_CAP_OPTIONS = 1 << 5,       /* Geneve's: see tlv.h. */
};

enum tun_inner_vlan {
	TUN_INNER_VLAN_AUTO,    /* Kept where the bridge port is a VLAN trunk, else dropped. */
	TUN_INNER_VLAN_KEEP,
	TUN_INNER_VLAN_DROP,    /* RFC 7348, section 6.1. */
};

#define TUN_KEY_FLOW UINT32_MAX         /* tun_conf.key: set and matched per flow. */
#define TUN_TOS_INHERIT 0x100u
#define TUN_TTL_INHERIT 0x100u

/* The configuration of one tunnel port.  Options that every type shares are in 'tun_common_opts'. */
struct tun_conf {
	struct opt_ips remote;          /* One, or several with head-end replication; 'word': set per flow, and learned. */
	struct ipaddr local;                /* None: the preferred source of the route; opt_ip_word: set per flow. */
	uint32_t key;                   /* VNI and the like, host order; TUN_KEY_FLOW. */
	uint16_t dst_port;              /* UDP, host order. */
	uint32_t tos;                   /* DSCP << 2, or TUN_TOS_INHERIT. */
	uint32_t ttl;                   /* 1..255, or TUN_TTL_INHERIT. */
	bool df;                        /* Outer IPv4 "don't fragment". */
	int csum;                       /* enum tun_csum: outer UDP (or GRE's own) checksum on send. */
	bool zero_csum6_rx;             /* Accept UDP checksum 0 over IPv6 (RFC 6935). */
	bool seq, zero_key;             /* GRE: send sequence numbers; send a key though it is 0. */
	bool flow_id;                   /* NVGRE: send entropy as FlowID. */
	bool gbp;                       /* VXLAN: send a group policy id, this one unless a rule says otherwise. */
	uint16_t gbp_id;
	int erspan_version;             /* 0: II, 1: III. */
	int erspan_egress;
	uint32_t erspan_index;
	uint16_t erspan_hwid;
	int inner_vlan;                 /* enum tun_inner_vlan. */
	bool pmtud;                     /* Answer too-big guest packets with ICMP... */
	bool fragment;                  /* ...or send them as fragments of the outer packet. */
	bool reassemble;                /* Put outer packets together that come in fragments. */
	uint16_t mtu;                   /* Underlay MTU override; 0: of the route. */
	bool bfd;                       /* Ask the far end whether it is there (RFC 5880). */
	uint16_t bfd_mult;              /* 1..255. */
	bool bfd_admin_down;            /* Held down by the operator. */
	uint32_t bfd_min_tx, bfd_min_rx;        /* Milliseconds. */
	/* With the remote set per flow: */
	struct opt_ips flood;           /* Who gets flooded frames; none: every remote that was heard of. */
	struct opt_prefixes allow;      /* Who may send here; none: anybody. */
	uint32_t max_remotes;           /* Learned ones. */
	/* With the key set per flow: */
	struct opt_map vlans;           /* Which VLAN of the bridge is which key, both ways; none: rules say. */
	struct opt_ip_keys flood_only;  /* Of addresses in it, the only keys whose floods they get... */
	bool flood_heard;               /* ...and of those that are not listed, what they were heard with. */
};

static inline bool
tun_remote_is_group(const struct tun_conf *c)
{
	return c->remote.n && ip_is_multicast(&c->remote.ip[0]);
}

/* Set per flow and learned: a group is only where floods go. */
static inline bool
tun_remote_is_flow(const struct tun_conf *c)
{
	return c->remote.word || tun_remote_is_group(c);
}

/* The addresses that are configured: fixed remotes, or who gets floods. */
static inline const struct opt_ips *
tun_listed(const struct tun_conf *c)
{
	return c->remote.word ? &c->flood : &c->remote;
}

static inline bool
tun_local_is_flow(const struct tun_conf *c)
{
	return ip_equal(&c->local, &opt_ip_word);
}

static inline bool
tun_key_is_flow(const struct tun_conf *c)
{
	return c->key == TUN_KEY_FLOW;
}

enum tun_csum { TUN_CSUM_AUTO, TUN_CSUM_ON, TUN_CSUM_OFF };     /* Auto: off on IPv4, on on IPv6. */

/* Outer headers of one destination, ready to be copied in front of a packet.  Offsets count from
 * the first byte; 'len' is the whole. */
struct tun_hdr {
	uint16_t len;
	uint16_t l3_off, l4_off, own_off;
	bool v6;
	bool udp;
	bool csum;                      /* Fill the outer UDP checksum per packet. */
	bool sums;                      /* Some checksum in these headers is over all bytes of the packet. */
	bool tos_inherit, ttl_inherit;
	bool sport;                     /* Write a source port, though it is not UDP's. */
	uint16_t mtu;                   /* Of the underlay; 0: not known. */
	uint16_t seg_len;               /* TUN_CAP_WHOLE: payload of a segment. */
	uint16_t flow_off;              /* Of a byte for the hash of the inner headers (NVGRE's FlowID); 0: none. */
	uint32_t ip4_sum;               /* Sum of the IPv4 header without length, TOS, and TTL when that is inherited. */
	uint8_t b[TUN_HDR_MAX];         /* Behind what says how to use it, since most headers are short. */
};

enum tun_meta_flags {
	TUN_META_OAM = 1 << 0,          /* A message for the endpoint (TUN_F_OAM), no frame of a tenant. */
	TUN_META_CSUM = 1 << 1,         /* There was a checksum, and it was right. */
	TUN_META_KEY = 1 << 2,          /* There was a key: GRE tells none from 0. */
	TUN_META_CRITICAL = 1 << 4,     /* There are options that must be known. */
	TUN_META_NO_LEARN = 1 << 3,     /* The inner source address must not be learned (GBP's D bit, ERSPAN). */
};

enum tun_offl {
	TUN_OFFL_PARTIAL = 1 << 0,      /* The L4 checksum is to be completed; */
	TUN_OFFL_IP4 = 1 << 1,          /* of IPv4, else IPv6; */
	TUN_OFFL_TCP = 1 << 2,          /* of TCP, else UDP. */
};

/* In tun_batch.drop: the packet is part of a larger one, and kept by the type. */
#define TUN_HELD 0xff

/* What decapsulation learned of a packet; becomes part of its flow key. */
struct tun_meta {
	struct ipaddr src, dst;             /* Outer. */
	uint64_t key;                   /* VNI and the like, host order. */
	uint8_t tos, ttl;               /* Outer. */
	uint8_t flags;                  /* enum tun_meta_flags. */
	/* TUN_CAP_WHOLE: what the frame's sender left to others, as the packet says: to be checked against the frame. */
	uint8_t offl;                   /* enum tun_offl; 0: nothing. */
	uint16_t offl_l4, offl_mss;     /* Where its L4 header is; the size of segments, 0: it is one. */
	uint8_t opts_len;               /* Geneve: bytes of options, in order, which stand in front of the packet still. */
	uint8_t ext[TUN_EXT_LEN];       /* Fields of the type, laid out by its 'fields' rows. */
};

enum tun_flags {
	TUN_F_OAM = 1 << 0,             /* As in NXM_NX_TUN_FLAGS. */
};

enum tun_set_bits {
	TUN_SET_REMOTE = 1 << 0, TUN_SET_KEY = 1 << 1, TUN_SET_TOS = 1 << 2, TUN_SET_TTL = 1 << 3, TUN_SET_FLAGS = 1 << 4,
	TUN_SET_EXT = 1 << 5, TUN_SET_OPTS = 1 << 6,
};

/* What rules say of the outer headers of one flow's packets, instead of what the port's settings say. */
struct tun_set {
	uint64_t key;                   /* Host order. */
	struct ipaddr remote, local;    /* Of a destination that has no number yet; 'local' may be none. */
	uint16_t bits;                  /* enum tun_set_bits: which of the others hold. */
	uint8_t tos, ttl;
	uint8_t flags;                  /* enum tun_flags. */
	uint8_t pad[3];
	uint8_t ext[TUN_EXT_LEN];       /* Fields of the type, laid out as in tun_meta... */
	uint16_t ext_bytes;             /* ...and bit i: byte i of them is set. */
	uint8_t opts_len;               /* Options, in order and padded; a program has as many words of them as there are. */
	uint8_t pad2;
	uint8_t opts[TUN_OPTS_MAX];
};
/* Bytes of it that say something. */
static inline unsigned
tun_set_len(const struct tun_set *s)
{
	return offsetof(struct tun_set, opts) + s->opts_len;
}
_Static_assert(offsetof(struct tun_set, opts) == 64, "eight words of a program, no holes");

/* Packets of one type in, one way or the other.  On pop, pkt[i] starts at the type's own header
 * (outer headers already stripped and recorded in meta[i]). */
struct tun_batch {
	uint16_t n;
	struct rte_mbuf *pkt[TUN_BATCH_MAX];
	struct tun_meta meta[TUN_BATCH_MAX];
	uint8_t drop[TUN_BATCH_MAX];    /* Index into the type's 'drops'; 0: keep; TUN_HELD. */
	const struct tun_hdr *hdr;      /* On push: the template in front of every pkt[]. */
};

struct tun_field {
	const char *name;
	uint8_t ext_off, len;
};

/* What is counted together: drop reasons of the switch are not as fine as those of each type. */
enum tun_drop_kind {
	TUN_DROP_HEADER,        /* Malformed, or of another version. */
	TUN_DROP_CSUM,          /* Its own checksum is wrong. */
	TUN_DROP_PAYLOAD,       /* In order, but what it carries is no Ethernet frame. */
	TUN_DROP_CONTROL,       /* For the endpoint, not for a tenant. */
	TUN_DROP_OPTION,        /* An option that we do not know and must. */
	TUN_DROP_KEY,           /* An identifier that nobody may use. */
	TUN_DROP_OVERLAP,       /* A piece of a frame that is there already, or for which there is no room. */
	TUN_DROP_TAGGED,        /* The frame inside has a tag, which the type forbids. */
	TUN_N_DROP_KINDS,
};

struct tun_type {
	const char *name;               /* Config keyword; prefix of its counters. */
	uint8_t ip_proto;               /* Outer IPPROTO_*. */
	uint16_t udp_port;              /* Default, host order, of UDP or of STT's TCP; 0 when there are no ports. */
	uint16_t hdr_max;               /* Bytes of its own header, options included. */
	const uint16_t *gre_protos;     /* Over GRE: protocol types that are its own, ends with 0. */
	uint32_t caps;                  /* TUN_CAP_*. */
	uint32_t key_max;               /* Largest identifier. */
	const char *key_name;           /* What users call it: "vni". */
	const struct opt_desc *opts;    /* All its options (over struct tun_conf): common ones included. */
	const struct tun_field *fields; /* Its match fields, ends with a NULL name; may be NULL. */
	const char *const *drops;       /* Its drop reasons, ends with NULL; index 0 means "keep". */
	const uint8_t *drop_kinds;      /* enum tun_drop_kind of each; NULL: all of the first kind. */

	/* Any thread.  Bytes of its own header as configured; NULL: always hdr_max. */
	uint16_t (*hdr_len)(const struct tun_conf *);
	/* [ctl] Appends its header to the outer ones in 'h'.  0 or -errno. */
	int (*build)(const struct tun_conf *, struct tun_hdr *h, struct err *);
	/* [lcore] Writes key, flags and ext as 's' has them into its header in 'h', a copy of what build() made (with
	 * key 0 where that is set per flow); may lengthen it.  NULL: nothing of the type can be set per flow. */
	void (*set)(struct tun_hdr *h, const struct tun_set *s);
	/* [lcore] Rewrites per-packet bytes of its header; NULL when build() wrote them all. */
	void (*patch)(struct tun_batch *);
	/* [lcore] Strips its header, fills meta[], sets drop[].  Frees nothing.  With 'reap' it may keep packets
	 * (TUN_HELD), and put a larger one in the place of the last of them. */
	void (*pop)(struct tun_batch *);
	/* [lcore] Gives up to 'max' packets that this thread kept in vain: too long, or too many.  'all': everything it
	 * keeps; asked so until nothing comes.  To be asked after pop(), and while it keeps anything. */
	unsigned (*reap)(bool all, struct rte_mbuf **out, unsigned max);
	/* [lcore] Whether this thread keeps anything. */
	bool (*holds)(void);
};

/* NULL-terminated, in the order of tunnels/meson.build (generated at build time). */
extern const struct tun_type *const tun_types[];
const struct tun_type *tun_type_find(const char *name);

/* Rows of struct tun_conf shared by all UDP tunnels, for use in a type's table. */
#define TUN_COMMON_OPTS \
	{ "remote", OPT_IP_LIST, offsetof(struct tun_conf, remote), 1, OPT_LIST_MAX, tun_flow_names, NULL, true, \
	  "address of the far end; several, comma-separated, get a copy each of flooded frames; 'flow': set by rules " \
	  "(tun_dst) and learned with the MAC addresses; a multicast group: joined, gets flooded frames, and far ends are learned", \
	  "172.16.0.2" }, \
	{ "local", OPT_IP, offsetof(struct tun_conf, local), 0, 0, tun_flow_names, NULL, false, \
	  "our address on the underlay (default: what the route to the remote prefers); 'flow': set by rules (tun_src)", \
	  "172.16.0.1" }, \
	{ "flood-list", OPT_IP_LIST, offsetof(struct tun_conf, flood), 1, OPT_LIST_MAX, NULL, NULL, false, \
	  "with remote=flow: who gets a copy of flooded frames, multicast groups among them (default: every remote that was " \
	  "heard of)", \
	  "172.16.0.2,172.16.0.3" }, \
	{ "allow", OPT_PREFIX_LIST, offsetof(struct tun_conf, allow), 0, 0, NULL, NULL, false, \
	  "with remote=flow: who may send here (default: anybody)", "172.16.0.0/16" }, \
	{ "vlan-map", OPT_MAP, offsetof(struct tun_conf, vlans), 0, 0, NULL, NULL, false, \
	  "with the identifier set per flow: which VLAN of the bridge (0: no tag) is which identifier, both ways; what is not in the " \
	  "map does not pass", "10:5010,100-199:10100" }, \
	{ "flood-only", OPT_IP_KEY_LIST, offsetof(struct tun_conf, flood_only), 0, 0, NULL, NULL, false, \
	  "with vlan-map: of the remotes or the flood-list, which ones get flooded frames of these identifiers alone", \
	  "172.16.0.2@5010,172.16.0.3@5010-5019" }, \
	{ "flood-heard", OPT_BOOL, offsetof(struct tun_conf, flood_heard), 0, 0, NULL, "false", false, \
	  "with vlan-map and remote=flow: besides those in the flood-list, only remotes behind which an address of that VLAN was " \
	  "learned get its flooded frames", "true" }, \
	{ "max-remotes", OPT_U32, offsetof(struct tun_conf, max_remotes), 1, 16000, NULL, "4096", false, \
	  "with remote=flow: so many remotes are remembered at a time", "4096" }, \
	{ "tos", OPT_U32, offsetof(struct tun_conf, tos), 0, TUN_TOS_INHERIT, tun_inherit_names, "0", false, \
	  "outer DSCP byte, low two bits 0; 'inherit' copies the guest's", "0xb8" }, \
	{ "ttl", OPT_U32, offsetof(struct tun_conf, ttl), 1, TUN_TTL_INHERIT, tun_inherit_names, "64", false, \
	  "outer TTL; 'inherit' copies the guest's", "64" }, \
	{ "df", OPT_BOOL, offsetof(struct tun_conf, df), 0, 0, NULL, "true", false, \
	  "set \"don't fragment\" on outer IPv4", "true" }, \
	{ "inner-vlan", OPT_ENUM, offsetof(struct tun_conf, inner_vlan), 0, 0, tun_inner_vlan_names, "auto", false, \
	  "802.1Q tags inside the tunnel: auto keeps them when the port is a VLAN trunk", "keep" }, \
	{ "pmtud", OPT_BOOL, offsetof(struct tun_conf, pmtud), 0, 0, NULL, "true", false, \
	  "answer guest packets that cannot fit with ICMP \"too big\"; they are counted either way", "true" }, \
	{ "fragment", OPT_BOOL, offsetof(struct tun_conf, fragment), 0, 0, NULL, "false", false, \
	  "send guest packets that cannot fit as fragments of the outer IP packet; the far end has to put them together", "true" }, \
	{ "reassemble", OPT_BOOL, offsetof(struct tun_conf, reassemble), 0, 0, NULL, "false", false, \
	  "take outer packets that come in fragments; costs memory that others can fill, within bounds", "true" }, \
	{ "mtu", OPT_U16, offsetof(struct tun_conf, mtu), 0, 65535, NULL, "0", false, \
	  "underlay MTU; 0 takes it from the route or link", "9000" }, \
	{ "bfd", OPT_BOOL, offsetof(struct tun_conf, bfd), 0, 0, NULL, "false", false, \
	  "ask each remote with BFD whether it is there, inside the tunnel as OVS does; a port none of whose remotes answers is " \
	  "not live for fast-failover groups", "true" }, \
	{ "bfd-min-tx", OPT_U32, offsetof(struct tun_conf, bfd_min_tx), 10, 60000, NULL, "1000", false, \
	  "least milliseconds between BFD packets that we send", "300" }, \
	{ "bfd-min-rx", OPT_U32, offsetof(struct tun_conf, bfd_min_rx), 10, 60000, NULL, "1000", false, \
	  "least milliseconds between BFD packets that we want", "300" }, \
	{ "bfd-mult", OPT_U16, offsetof(struct tun_conf, bfd_mult), 1, 255, NULL, "3", false, \
	  "so many BFD packets of ours in a row may be lost before the remote gives up", "3" }, \
	{ "bfd-admin-down", OPT_BOOL, offsetof(struct tun_conf, bfd_admin_down), 0, 0, NULL, "false", false, \
	  "hold BFD down and tell the remotes so: the port is not live, here and there, until it is let go", "true" }
/* And those of types over UDP, with their usual port as text. */
#define TUN_UDP_OPTS(port) \
	{ "dst-port", OPT_U16, offsetof(struct tun_conf, dst_port), 1, 65535, NULL, port, false, \
	  "UDP port of the tunnel, here and at the far end", port }, \
	{ "csum", OPT_ENUM, offsetof(struct tun_conf, csum), 0, 0, tun_csum_names, "auto", false, \
	  "outer UDP checksum on send: auto is off over IPv4 and on over IPv6", "on" }, \
	{ "zero-csum6-rx", OPT_BOOL, offsetof(struct tun_conf, zero_csum6_rx), 0, 0, NULL, "false", false, \
	  "accept packets without UDP checksum over IPv6 (RFC 6935)", "true" }
extern const char *const tun_inherit_names[];
extern const char *const tun_flow_names[];
extern const char *const tun_inner_vlan_names[];
extern const char *const tun_csum_names[];

/* Bounds of what a polling thread holds of packets that come in pieces (STT). */
struct tun_limits {
	uint32_t held_ms;               /* Since the first piece that came. */
	uint32_t held_bufs;             /* Packet buffers in all, */
	uint32_t held_bufs_source;      /* and for one sender (or a few, which share a slot of a hash table). */
};

enum {
	TUN_HELD_MS = 1000,             /* The defaults. */
	TUN_HELD_BUFS = 2048,
	TUN_HELD_BUFS_SOURCE = 768,
	TUN_HELD_BUFS_MIN = 256,        /* One frame in the shortest pieces, and some. */
	TUN_HELD_BUFS_MAX = 16384,
};

/* [ctl] Before polling threads start; without it, the defaults hold. */
void tun_limits_set(const struct tun_limits *);
const struct tun_limits *tun_limits(void);

/* --- push.c, outer.c: what all types share --------------------------------------------------- */

/* Where a destination is: resolved by the control plane. */
struct tun_path {
	struct ipaddr local, remote;
	struct mac src_mac, dst_mac;    /* Our interface, the next hop. */
	uint16_t mtu;                   /* 0: not known. */
};

/* Whether a tunnel with the remote set per flow takes packets from there. */
bool tun_conf_allows(const struct tun_conf *, const struct ipaddr *remote);

/* [ctl] What the option table cannot say: addresses are unicast and of one family, TOS has no ECN bits.
 * 0 or -EINVAL. */
int tun_conf_check(const struct tun_type *, const struct tun_conf *, struct err *);

/* [ctl] Writes outer Ethernet, IP and UDP, then calls the type's build().  0 or -errno. */
int tun_hdr_build(const struct tun_type *, const struct tun_conf *, const struct tun_path *, struct tun_hdr *, struct err *);

/* [lcore] Changes a template as rules ask: what tun_conf_check() left to flows, TOS and TTL. */
void tun_hdr_set(const struct tun_type *, struct tun_hdr *, const struct tun_set *);

/* Bytes in front of the inner frame: the MTU arithmetic of specs/encapsulations, section 2.1.
 * A guest frame of L bytes (from its Ethernet header) fits when L + overhead - 14 <= underlay MTU. */
uint16_t tun_overhead(const struct tun_type *, const struct tun_conf *, bool v6);

/* The longest guest frame that fits an underlay MTU, which leaves room for some. */
uint32_t tun_max_frame(const struct tun_type *, const struct tun_conf *, bool v6, uint32_t mtu);

/* [lcore] Copies b->hdr in front of each packet and patches lengths, IP checksum, TTL, DSCP, ECN
 * (RFC 6040, normal mode), source port (RFC 7348: 49152-65535, from the inner headers) and, when asked,
 * the UDP checksum.  A packet without headroom or over 65535 bytes gets drop[i] = 1, untouched.  Each
 * packet is owned alone by the caller.  One whose flags ask for a checksum or for segmentation (RTE_MBUF_F_TX_*) has its
 * lengths and outer checksum written when that is done: it may be longer, and ones stand for a checksum until then. */
void tun_push(const struct tun_type *, struct tun_batch *b);

/* [lcore] The last but 'n' of this thread's ids of outer IPv4 packets, of which the next 'n' are the caller's. */
uint16_t tun_ids_take(unsigned n);

/* Why an outer header was refused.  Index 0: it is fine. */
enum tun_outer_drop {
	TUN_OUTER_OK,
	TUN_OUTER_SHORT,        /* Truncated, or lengths that disagree. */
	TUN_OUTER_FRAGMENT,
	TUN_OUTER_CSUM,         /* IPv4 header or non-zero UDP checksum wrong. */
	TUN_OUTER_SOURCE,       /* Multicast, loopback or none as source. */
	TUN_OUTER_OPTIONS,      /* Extension headers that we do not skip. */
	TUN_N_OUTER_DROPS,
};

/* The outer headers of a packet that may be a tunnel's. */
struct tun_outer {
	struct mac eth_dst, eth_src;
	struct ipaddr src, dst;
	uint8_t ip_proto, tos, ttl;
	uint16_t port;          /* What tells tunnels apart, host order: UDP's or TCP's destination port, GRE's protocol. */
	bool csum_zero;         /* No UDP checksum: over IPv6 to be dropped unless the endpoint allows it. */
	bool v6;
	uint16_t len;           /* Up to the type's own header: UDP included. */
	uint32_t total_len;     /* Of the frame by its IP header; what follows is padding. */
};

/* [lcore] Quick look: whether 'm' is IPv4 or IPv6 with UDP or TCP to some port, or GRE of some protocol, which the
 * caller compares with its tunnels.  Fills only what that needs: src, dst, port, eth_dst, v6, ip_proto.  False: not a tunnel packet
 * (or one we cannot see the start of); it goes on as an ordinary frame.  Fragments (not the first) have no
 * port and are false as well; a first fragment is true. */
bool tun_outer_peek(const struct rte_mbuf *m, struct tun_outer *o);

/* [lcore] Everything else, for a packet that is addressed to us: validates lengths, checksums, source;
 * fills all of 'o'; trims link padding off the mbuf.  Returns enum tun_outer_drop.  Honours L4 checksum
 * flags of the mbuf (GOOD; NONE: never filled in, but the packet never left a host), then clears them.  The packet still starts
 * at its outer Ethernet header afterwards; the caller strips o->len bytes. */
int tun_outer_check(struct rte_mbuf *m, struct tun_outer *o);

/* [lcore] RFC 6040 decapsulation, figure 4: applies outer ECN to the inner IP header at the start of frame
 * 'm'.  False: the frame must be dropped (CE outside, Not-ECT inside). */
bool tun_ecn_decap(struct rte_mbuf *m, uint8_t outer_tos);

/* [lcore] Hash of the inner headers as the entropy rule wants it: MACs and Ethertype, then addresses and
 * protocol, then ports unless a fragment.  Same value for all packets of a flow. */
uint32_t tun_entropy(const struct rte_mbuf *m);

#endif
