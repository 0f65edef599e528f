/* SPDX-License-Identifier: Apache-2.0 */
/* The difference of two canonical documents, row by row, for people and for `weftctl diff`. */
#include "ctl/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct diff {
	json_t *rows;
	const char *note;               /* Added to each row while set. */
};

static void
row(struct diff *d, const char *path, const json_t *old, const json_t *new)
{
	json_t *r = json_object();

	json_object_set_new(r, "op", json_string(!old ? "add" : !new ? "del" : "set"));
	json_object_set_new(r, "path", json_string(path));
	if (old)
		json_object_set_new(r, "old", json_deep_copy(old));
	if (new)
		json_object_set_new(r, "new", json_deep_copy(new));
	if (d->note)
		json_object_set_new(r, "note", json_string(d->note));
	json_array_append_new(d->rows, r);
}

/* Paths are made of names that the check has bounded. */
enum { PATH_MAX_LEN = 160 };

static void
join(char path[PATH_MAX_LEN], const char *head, const char *tail)
{
	if (snprintf(path, PATH_MAX_LEN, "%s.%s", head, tail) >= PATH_MAX_LEN)
		abort();
}

/* The elements of one list that another lacks, each in a row of its own. */
static void
list_rows(struct diff *d, const char *path, const json_t *list, const json_t *other, bool added)
{
	json_t *seen = json_object();
	const json_t *v;
	size_t i;

	json_array_foreach(other, i, v)
		json_object_set_new(seen, json_string_value(v), json_null());
	json_array_foreach(list, i, v)
		if (!json_object_get(seen, json_string_value(v)))
			row(d, path, added ? NULL : v, added ? v : NULL);
	json_decref(seen);
}

/* Each member on its own: options. */
static void
diff_options(struct diff *d, const char *head, const json_t *old, const json_t *new)
{
	char path[PATH_MAX_LEN];
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)old, key, v) {
		const json_t *n = json_object_get(new, key);

		join(path, head, key);
		if (!n || !json_equal(v, n))
			row(d, path, v, n);
	}
	json_object_foreach((json_t *)new, key, v) {
		join(path, head, key);
		if (!json_object_get(old, key))
			row(d, path, NULL, v);
	}
}

/* A port's type, or an option that only its type knows, means a new port in the old one's place. */
static bool
is_open_option(const char *key)
{
	return !opt_find(ofp_port_opts, key) && !opt_find(guard_opts, key) && !opt_find(rxq_opts, key) &&
	       strcmp(key, "static-macs");
}

static void
diff_port(struct diff *d, const char *path, const json_t *old, const json_t *new)
{
	const char *type = json_string_value(json_object_get(new, "type"));
	bool tunnel = type && tun_type_find(type) &&
		      json_equal(json_object_get(old, "type"), json_object_get(new, "type"));
	json_t *a[2] = { json_object(), json_object() }, *b[2] = { json_object(), json_object() };
	char macs[PATH_MAX_LEN];
	const char *key;
	json_t *v;

	join(macs, path, "static-macs");
	list_rows(d, macs, json_object_get(old, "static-macs"), json_object_get(new, "static-macs"), false);
	list_rows(d, macs, json_object_get(new, "static-macs"), json_object_get(old, "static-macs"), true);
	json_object_foreach((json_t *)old, key, v)
		json_object_set(a[is_open_option(key)], key, v);
	json_object_foreach((json_t *)new, key, v)
		json_object_set(b[is_open_option(key)], key, v);
	json_object_del(a[0], "static-macs");
	json_object_del(b[0], "static-macs");
	diff_options(d, path, a[0], b[0]);
	d->note = tunnel ? NULL : "the port is closed and opened again";
	diff_options(d, path, a[1], b[1]);
	d->note = NULL;
	for (unsigned i = 0; i < 2; i++) {
		json_decref(a[i]);
		json_decref(b[i]);
	}
}

static void
diff_ports(struct diff *d, const char *head, const json_t *old, const json_t *new)
{
	char path[PATH_MAX_LEN];
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)old, key, v) {
		const json_t *n = json_object_get(new, key);

		join(path, head, key);
		if (n)
			diff_port(d, path, v, n);
		else
			row(d, path, v, NULL);
	}
	json_object_foreach((json_t *)new, key, v) {
		join(path, head, key);
		if (!json_object_get(old, key))
			row(d, path, NULL, v);
	}
}

/* A bridge without its ports, which get rows of their own. */
static json_t *
bare(const json_t *bridge)
{
	json_t *b = json_copy((json_t *)bridge);

	json_object_del(b, "ports");
	return b;
}

static void
diff_bridge(struct diff *d, const char *name, const json_t *old, const json_t *new)
{
	json_t *a = old ? bare(old) : NULL, *b = new ? bare(new) : NULL;
	char path[PATH_MAX_LEN], ports[PATH_MAX_LEN];

	join(path, "bridges", name);
	join(ports, path, "ports");
	/* A bridge comes before its ports and goes after them. */
	if (!old)
		row(d, path, NULL, b);
	else if (new)
		diff_options(d, path, a, b);
	diff_ports(d, ports, json_object_get(old, "ports"), json_object_get(new, "ports"));
	if (!new)
		row(d, path, a, NULL);
	json_decref(a);
	json_decref(b);
}

json_t *
conf_diff(const json_t *old, const json_t *new)
{
	struct diff d = { .rows = json_array() };
	const json_t *a = json_object_get(old, "bridges"), *b = json_object_get(new, "bridges");
	const char *key;
	json_t *v;

	d.note = "takes effect at restart";
	diff_options(&d, "datapath", json_object_get(old, "datapath"), json_object_get(new, "datapath"));
	d.note = NULL;
	json_object_foreach((json_t *)a, key, v)
		diff_bridge(&d, key, v, json_object_get(b, key));
	json_object_foreach((json_t *)b, key, v)
		if (!json_object_get(a, key))
			diff_bridge(&d, key, NULL, v);
	return d.rows;
}
