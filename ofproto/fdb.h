/* SPDX-License-Identifier: Apache-2.0 */
/* The MAC table of one bridge: (VLAN, address) to (port, tunnel destination).
 *
 * One writer, the control thread; any number of lock-free readers.  Rows are 32 bytes in one array and
 * are named by index; chains of indices hang off an array of buckets.  Neither is ever moved, so a table
 * has a fixed limit: another limit is another table.  Pages of rows that were never used are never
 * touched, so a large limit costs nothing while the table is small.
 *
 * Views share a table by reference count; references are taken and dropped by the control thread. */
#ifndef OFPROTO_FDB_H
#define OFPROTO_FDB_H

#include "base/addr.h"
#include "base/util.h"

enum { FDB_LIMIT_MAX = 1 << 20 };

struct fdb;

/* What a reader learns of a row. */
struct fdb_entry {
	uint16_t port;
	bool is_static;
	uint32_t tun_dst;
	uint32_t row;                   /* 1..fdb_n_rows(). */
	uint32_t gen;                   /* Another number each time the row is given to another address; 31 bits. */
};

/* --- Any thread ------------------------------------------------------------------------------ */

bool fdb_find(const struct fdb *, uint16_t vid, struct mac, struct fdb_entry *);
/* Says that the row is in use, unless it is no more what it was when 'gen' was read.  'vid' and 'mac' get
 * what the row is about. */
bool fdb_touch(struct fdb *, uint32_t row, uint32_t gen, uint32_t now_ms, uint16_t *vid, struct mac *mac);
bool fdb_is_full(const struct fdb *);
uint32_t fdb_n_port(const struct fdb *, uint16_t port);         /* Learned rows of a port. */
/* Counts an address that found no room. */
void fdb_refuse(struct fdb *);

/* --- Control thread -------------------------------------------------------------------------- */

struct fdb *fdb_create(uint32_t limit);                         /* With one reference. */
struct fdb *fdb_get(struct fdb *);
void fdb_put(struct fdb *);                                     /* NULL is fine. */

/* A row as the control thread sees it. */
struct fdb_row_info {
	uint16_t vid;
	struct mac mac;
	uint16_t port;
	bool is_static;
	uint32_t tun_dst;
	uint32_t used_ms;               /* Low 32 bits of clock_ms() when last used. */
	uint32_t moves;
};

/* The address must not be there.  Returns the row, or 0 when the table is full. */
uint32_t fdb_add(struct fdb *, const struct fdb_row_info *);
/* Same address, another place. */
void fdb_move(struct fdb *, uint32_t row, uint16_t port, uint32_t tun_dst, bool is_static);
void fdb_del(struct fdb *, uint32_t row);

/* Rows lie in 1..fdb_n_rows(); false: this one is free. */
uint32_t fdb_n_rows(const struct fdb *);
bool fdb_row(const struct fdb *, uint32_t row, struct fdb_row_info *);

struct fdb_counts {
	uint32_t n, n_static, limit;
	uint64_t refused;
};
void fdb_counts(const struct fdb *, struct fdb_counts *);
uint64_t fdb_bytes(const struct fdb *);          /* Set aside, used or not. */

#endif
