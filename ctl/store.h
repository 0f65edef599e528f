/* SPDX-License-Identifier: Apache-2.0 */
/* Where the configuration document is kept.  A store is a small vtable, so that a networked one can
 * stand beside the file.  Control thread only. */
#ifndef CTL_STORE_H
#define CTL_STORE_H

#include <jansson.h>

#include "base/err.h"

struct store;

/* A change is stored in two steps, around the moment where the switch itself can still say no:
 * prepare() does everything that usually fails (no space, no permission), commit() makes it the document
 * to start from, abort() forgets it.  After a crash at any instant load() finds the old document or the
 * new one, whole. */
struct store_ops {
	const char *name;
	/* The stored document in '*doc' (caller owns it).  -ENOENT: there is none yet.  -EINVAL: it is there
	 * and cannot be read; the message starts with "file:line:column: ". */
	int (*load)(struct store *, json_t **doc, struct err *);
	/* What load() gave last was refused: it is not to be kept as the last good one. */
	void (*refused)(struct store *);
	/* The document before the present one, likewise. */
	int (*load_previous)(struct store *, json_t **doc, struct err *);
	/* Makes the previous document the present one.  A present one that cannot be read is kept aside. */
	int (*use_previous)(struct store *, struct err *);
	int (*prepare)(struct store *, const json_t *doc, struct err *);
	int (*commit)(struct store *, struct err *);
	void (*abort)(struct store *);
	void (*destroy)(struct store *);
	/* What an operator can do about a document that load() refused: one line in 'buf'.  False: nothing. */
	bool (*advice)(struct store *, char *buf, size_t len);
};

/* The head of every store. */
struct store {
	const struct store_ops *ops;
};

/* One JSON file, DIR/weft.json, with its predecessor in DIR/weft.json.prev.  Unless 'read_only', the
 * directory is created when missing and held under a lock while the store lives: two daemons must not
 * write the same file.  NULL with 'e' set on failure. */
struct store *store_file_open(const char *dir, bool read_only, struct err *e);

/* Any JSON file as a document, with the same messages as a store's.  Caller owns '*doc'. */
int store_read_file(const char *path, json_t **doc, struct err *);

/* prepare and commit in one go. */
int store_save(struct store *, const json_t *doc, struct err *);
void store_destroy(struct store *);

#endif
