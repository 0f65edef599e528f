/* SPDX-License-Identifier: Apache-2.0 */
/* Options as data.  Whoever has options (a port type, a tunnel type, a bridge) lists them in one
 * table; parsing, range checks, printing, --help, shell completion and the reference pages come
 * from that table.  Values travel as text ("vni=5000", "remote=172.16.0.2,172.16.0.3"). */
#ifndef BASE_OPT_H
#define BASE_OPT_H

#include "base/addr.h"
#include "base/err.h"

enum opt_kind {
	OPT_BOOL,       /* bool: true|false (also on|off, yes|no, 1|0). */
	OPT_U16,        /* uint16_t in min..max (max 0: no limit); decimal or 0x.  names[0], if any, is a word for 'max'. */
	OPT_U32,        /* uint32_t, likewise. */
	OPT_U32_WORD,   /* uint32_t in min..max; names[0] is a word for UINT32_MAX. */
	OPT_STR,        /* char[max + 1], at most 'max' bytes. */
	OPT_ENUM,       /* int: index into 'names'. */
	OPT_MAC,        /* struct mac. */
	OPT_IP,         /* struct ipaddr; "any" is none.  names[0], if any, is a word for 'opt_ip_word'. */
	OPT_IP_LIST,    /* struct opt_ips, at most OPT_LIST_MAX, comma-separated, no doubles.  names[0], if any, is a word
			 * that may stand for a list: 'n' is 0 then and 'word' set. */
	OPT_VLAN_SET,   /* struct opt_vlans: "10,20,100-199", min..max (max 0: 4094). */
	OPT_RATE,       /* uint64_t, a number a second: "500k", "2.5G" (k, M, G, T: powers of 1000); at most 100T. */
	OPT_MAC_LIST,   /* struct opt_macs, comma-separated, no doubles; unicast. */
	OPT_PREFIX_LIST,        /* struct opt_prefixes: "10.0.0.5,10.1.0.0/16,2001:db8::/64"; no bits behind the length. */
	OPT_MAP,        /* struct opt_map: "10:5010,100-199:10100", which VLAN (0: no tag) is which number below 2^32 - 1; of a
			 * range the first one's.  No VLAN and no number stands there twice. */
	OPT_IP_KEY_LIST,        /* struct opt_ip_keys: "10.0.0.2@5010,10.0.0.2@5020-5029". */
	OPT_STR_LIST,   /* struct opt_strs, comma-separated, at most 'max' bytes each, no doubles; of 'names' if given. */
};

#define OPT_LIST_MAX 64

/* No address of anything. */
extern const struct ipaddr opt_ip_word;

struct opt_ips {
	uint16_t n;
	bool word;
	struct ipaddr ip[OPT_LIST_MAX];
};

struct opt_macs {
	uint16_t n;
	struct mac mac[OPT_LIST_MAX];
};

struct opt_prefixes {
	uint16_t n;
	struct opt_prefix {
		struct ipaddr ip;       /* Zero behind the prefix. */
		uint8_t len;            /* Of 'ip' as it is kept: 96 more for IPv4. */
	} p[OPT_LIST_MAX];
};

/* Whether one of them has the address. */
bool opt_prefixes_have(const struct opt_prefixes *, const struct ipaddr *);

enum { OPT_MAP_MAX = 128 };

struct opt_map {
	uint16_t n;
	struct opt_map_row {
		uint16_t vid, n;        /* VLANs vid, vid + 1...: so many... */
		uint32_t key;           /* ...are key, key + 1... */
	} r[OPT_MAP_MAX];
};

/* The number of a VLAN, and the VLAN of a number; -1: it is not in the map.  And how many VLANs are. */
int64_t opt_map_key(const struct opt_map *, uint16_t vid);
int opt_map_vid(const struct opt_map *, uint64_t key);
unsigned opt_map_size(const struct opt_map *);

struct opt_ip_keys {
	uint16_t n;
	struct opt_ip_key {
		struct ipaddr ip;
		uint32_t first, last;
	} r[OPT_LIST_MAX];
};

/* Whether an address has that number, or has none at all. */
bool opt_ip_keys_allow(const struct opt_ip_keys *, const struct ipaddr *, uint64_t key);

struct opt_vlans {
	uint64_t bits[4096 / 64];       /* Bit v: VLAN v is a member.  All zero: not set. */
};

static inline bool
opt_vlans_has(const struct opt_vlans *s, uint16_t vid)
{
	return s->bits[(vid >> 6) & 63] >> (vid & 63) & 1;
}

bool opt_vlans_empty(const struct opt_vlans *);

enum { OPT_STRS_MAX = 16, OPT_STR_LEN = 256 };

struct opt_strs {
	uint16_t n;
	char s[OPT_STRS_MAX][OPT_STR_LEN];
};

struct opt_desc {
	const char *name;               /* Lower case, '-' between words.  NULL ends a table. */
	enum opt_kind kind;
	uint16_t offset;                /* In the configuration structure of the owner. */
	uint32_t min, max;              /* Of numbers; 'max' bytes of strings. */
	const char *const *names;       /* OPT_ENUM, OPT_STR_LIST, ends with NULL; numbers: see above. */
	const char *dflt;               /* As text; NULL: stays zero and is not shown. */
	bool required;
	const char *help;               /* One line. */
	const char *example;            /* A value. */
};

/* Writes the defaults into 'conf'. */
void opt_defaults(const struct opt_desc *, void *conf);

/* Sets one option from text.  -ENOENT: no such option (message names the nearest); -EINVAL,
 * -ERANGE: the value.  'conf' is unchanged on error. */
int opt_set(const struct opt_desc *, void *conf, const char *name, const char *value, struct err *);

/* The canonical text of an option's present value.  Returns false when it equals the default. */
bool opt_get(const struct opt_desc *, const void *conf, char *buf, size_t len);

const struct opt_desc *opt_find(const struct opt_desc *, const char *name);

/* 0, or -EINVAL naming the first required option that is not among the 'n' names given. */
int opt_check_required(const struct opt_desc *, const char *const *given, unsigned n, struct err *);

#endif
