/* SPDX-License-Identifier: Apache-2.0 */
/* The MAC table: chained hashing over indices, with one writer and lock-free readers.
 *
 * How a reader can trust what it finds.  A row's generation changes when it is taken out and when it is
 * given out again.  A reader takes generation, key, value, generation, in that order: the same generation
 * on both sides means that key and value belong together.
 *
 * How a reader can trust that it found nothing.  It may stand on a row that was unlinked; that row keeps
 * its 'next', so the walk goes on in the right chain, until the row is given out again, to another chain
 * perhaps.  The writer counts such reuse before it touches the row; a reader that missed and sees that the
 * count has moved walks again.
 *
 * Row 0 stands for "none": zeroed memory is an empty table. */
#include "ofproto/fdb.h"

#include <stdlib.h>

#include "base/hash.h"
#include "datapath/dp.h"

#define LOAD(p) __atomic_load_n(&(p), __ATOMIC_ACQUIRE)
#define STORE(p, v) __atomic_store_n(&(p), (v), __ATOMIC_RELEASE)
#define LOAD_RELAXED(p) __atomic_load_n(&(p), __ATOMIC_RELAXED)
#define STORE_RELAXED(p, v) __atomic_store_n(&(p), (v), __ATOMIC_RELAXED)

#define KEY_VALID ((uint64_t)1 << 63)
#define GEN_MASK 0x7fffffffu

/* All but 'moves' is read by other threads while the control thread writes it. */
struct row {
	uint64_t key;                   /* KEY_VALID | VLAN << 48 | address; 0: free. */
	uint64_t val;                   /* Port, static, tunnel destination: see pack(). */
	uint32_t next;                  /* In its chain. */
	uint32_t used_ms;
	uint32_t gen;
	uint32_t moves;                 /* [ctl] In a free row: the next free one. */
};

_Static_assert(sizeof(struct row) == 32, "two rows a cache line");

struct fdb {
	struct row *row;                /* [const] 1..limit, aligned. */
	uint32_t *bucket;               /* [const] First row of each chain. */
	uint64_t mask;                  /* [const] Buckets - 1, a power of two. */
	uint64_t seed;                  /* [const] */
	uint32_t limit;                 /* [const] */
	uint32_t n;                     /* Written by ctl, read by all. */
	uint64_t n_reused;              /* Written by ctl, read by all. */
	uint64_t refused;               /* Added to by all; rare. */
	uint32_t n_port[DP_MAX_PORTS];  /* Learned rows; written by ctl, read by all. */
	uint32_t n_static, n_rows;      /* [ctl] */
	uint32_t free;                  /* [ctl] */
	uint32_t next_gen;              /* [ctl] */
	uint32_t refs;                  /* [ctl] */
	void *row_mem;                  /* [ctl] What 'row' was cut from. */
};

static uint64_t
make_key(uint16_t vid, struct mac mac)
{
	return KEY_VALID | (uint64_t)vid << 48 | mac_u64(mac);
}

static struct mac
key_mac(uint64_t key)
{
	return (struct mac){ { (uint8_t)(key >> 40), (uint8_t)(key >> 32), (uint8_t)(key >> 24),
			       (uint8_t)(key >> 16), (uint8_t)(key >> 8), (uint8_t)key } };
}

static uint16_t
key_vid(uint64_t key)
{
	return key >> 48 & 0xfff;
}

static uint64_t
pack(uint16_t port, uint32_t tun_dst, bool is_static)
{
	return (uint64_t)tun_dst << 32 | (uint64_t)is_static << 16 | port;
}

static bool
val_static(uint64_t val)
{
	return val >> 16 & 1;
}

static uint32_t *
bucket_of(const struct fdb *f, uint64_t key)
{
	return &f->bucket[hash_mix(key ^ f->seed) & f->mask];
}

/* --- Readers --------------------------------------------------------------------------------- */

/* One walk.  1: found, 0: not found, -1: the ground moved, walk again. */
static int
walk(const struct fdb *f, const uint32_t *bucket, uint64_t key, struct fdb_entry *e)
{
	uint64_t reused = LOAD(f->n_reused), val;

	for (uint32_t i = LOAD(*bucket); i; i = LOAD(f->row[i].next)) {
		const struct row *r = &f->row[i];
		uint32_t gen = LOAD(r->gen);

		if (LOAD(r->key) != key)
			continue;
		val = LOAD(r->val);
		if (LOAD(r->gen) != gen)
			return -1;
		*e = (struct fdb_entry){ .port = (uint16_t)val, .is_static = val_static(val),
					 .tun_dst = (uint32_t)(val >> 32), .row = i, .gen = gen };
		return 1;
	}
	return LOAD(f->n_reused) == reused ? 0 : -1;
}

bool
fdb_find(const struct fdb *f, uint16_t vid, struct mac mac, struct fdb_entry *e)
{
	uint64_t key = make_key(vid, mac);
	const uint32_t *bucket = bucket_of(f, key);
	int rc;

	/* Each turn more means that the control thread has got a change done: this ends. */
	do
		rc = walk(f, bucket, key, e);
	while (UNLIKELY(rc < 0));
	return rc;
}

bool
fdb_touch(struct fdb *f, uint32_t row, uint32_t gen, uint32_t now_ms, uint16_t *vid, struct mac *mac)
{
	struct row *r = &f->row[row];
	uint64_t key;

	if (UNLIKELY(!row || row > f->limit || LOAD(r->gen) != gen))
		return false;
	key = LOAD(r->key);
	if (UNLIKELY(!key || LOAD(r->gen) != gen))
		return false;
	/* Given out to another address just now, it gets a stamp that is as young as its own. */
	STORE_RELAXED(r->used_ms, now_ms);
	*vid = key_vid(key);
	*mac = key_mac(key);
	return true;
}

bool
fdb_is_full(const struct fdb *f)
{
	return LOAD_RELAXED(f->n) >= f->limit;
}

uint32_t
fdb_n_port(const struct fdb *f, uint16_t port)
{
	return port < DP_MAX_PORTS ? LOAD_RELAXED(f->n_port[port]) : 0;
}

void
fdb_refuse(struct fdb *f)
{
	__atomic_fetch_add(&f->refused, 1, __ATOMIC_RELAXED);
}

/* --- The writer ------------------------------------------------------------------------------ */

struct fdb *
fdb_create(uint32_t limit)
{
	struct fdb *f = xcalloc(1, sizeof *f);
	size_t n_buckets = 64;

	while (n_buckets < limit)
		n_buckets *= 2;
	f->limit = limit;
	f->mask = n_buckets - 1;
	f->seed = hash_random_seed();
	/* Handles of one table mean nothing in another. */
	f->next_gen = (uint32_t)hash_random_seed();
	f->refs = 1;
	/* calloc() and not an aligned allocation: it leaves pages untouched. */
	f->bucket = xcalloc(n_buckets, sizeof *f->bucket);
	f->row_mem = xcalloc((size_t)limit + 3, sizeof *f->row);
	f->row = (struct row *)(((uintptr_t)f->row_mem + CACHE_LINE - 1) & ~(uintptr_t)(CACHE_LINE - 1));
	return f;
}

struct fdb *
fdb_get(struct fdb *f)
{
	f->refs++;
	return f;
}

void
fdb_put(struct fdb *f)
{
	if (!f || --f->refs)
		return;
	free(f->row_mem);
	free(f->bucket);
	free(f);
}

static void
count(struct fdb *f, uint16_t port, bool is_static, int add)
{
	if (is_static)
		f->n_static += (uint32_t)add;
	else
		STORE_RELAXED(f->n_port[port], f->n_port[port] + (uint32_t)add);
}

uint32_t
fdb_add(struct fdb *f, const struct fdb_row_info *info)
{
	uint64_t key = make_key(info->vid, info->mac);
	uint32_t *bucket = bucket_of(f, key);
	uint32_t i = f->free;
	struct row *r;

	if (f->n >= f->limit)
		return 0;
	if (i) {
		f->free = f->row[i].moves;
		STORE(f->n_reused, f->n_reused + 1);
	} else {
		i = ++f->n_rows;
	}
	r = &f->row[i];
	STORE(r->gen, f->next_gen++ & GEN_MASK);
	STORE(r->val, pack(info->port, info->tun_dst, info->is_static));
	STORE_RELAXED(r->used_ms, info->used_ms);
	r->moves = info->moves;
	STORE(r->next, *bucket);
	STORE(r->key, key);
	STORE(*bucket, i);
	STORE_RELAXED(f->n, f->n + 1);
	count(f, info->port, info->is_static, 1);
	return i;
}

void
fdb_move(struct fdb *f, uint32_t row, uint16_t port, uint32_t tun_dst, bool is_static)
{
	struct row *r = &f->row[row];

	count(f, (uint16_t)r->val, val_static(r->val), -1);
	count(f, port, is_static, 1);
	if (pack(port, tun_dst, false) != pack((uint16_t)r->val, (uint32_t)(r->val >> 32), false))
		r->moves++;
	STORE(r->val, pack(port, tun_dst, is_static));
}

void
fdb_del(struct fdb *f, uint32_t row)
{
	struct row *r = &f->row[row];
	uint32_t *link = bucket_of(f, r->key);

	while (*link != row)
		link = &f->row[*link].next;
	STORE(*link, r->next);
	STORE(r->gen, f->next_gen++ & GEN_MASK);
	STORE(r->key, 0);
	count(f, (uint16_t)r->val, val_static(r->val), -1);
	STORE_RELAXED(f->n, f->n - 1);
	r->moves = f->free;
	f->free = row;
}

uint32_t
fdb_n_rows(const struct fdb *f)
{
	return f->n_rows;
}

bool
fdb_row(const struct fdb *f, uint32_t row, struct fdb_row_info *info)
{
	const struct row *r = &f->row[row];

	if (!r->key)
		return false;
	*info = (struct fdb_row_info){
		.vid = key_vid(r->key), .mac = key_mac(r->key), .port = (uint16_t)r->val,
		.is_static = val_static(r->val), .tun_dst = (uint32_t)(r->val >> 32),
		.used_ms = LOAD_RELAXED(r->used_ms), .moves = r->moves,
	};
	return true;
}

void
fdb_counts(const struct fdb *f, struct fdb_counts *c)
{
	*c = (struct fdb_counts){ .n = f->n, .n_static = f->n_static, .limit = f->limit,
				  .refused = LOAD_RELAXED(f->refused) };
}

uint64_t
fdb_bytes(const struct fdb *f)
{
	return sizeof *f + (f->mask + 1) * sizeof *f->bucket + (f->limit + 3ull) * sizeof *f->row;
}
