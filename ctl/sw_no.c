/* SPDX-License-Identifier: Apache-2.0 */
/* Which number a port gets.  Controllers and scripts name ports by it, so a name gets the same number again after a
 * restart: numbers that were dealt out are kept in STATE_DIR/ports.json, an object of numbers by name. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "ctl/store.h"
#include "ctl/sw_priv.h"

#define FILE_NAME "ports.json"

static unsigned
kept(const struct sw *sw, const char *name)
{
	json_int_t no = json_integer_value(json_object_get(sw->kept_no, name));

	return no > 0 && no < DP_MAX_PORTS ? (unsigned)no : 0;
}

/* Those that ports of the document ask for, or had before. */
static void
mark_spoken_for(const struct sw *sw, const struct conf *c, const char *name, bool *asked, bool *had)
{
	for (unsigned i = 0; i < c->n_bridges; i++)
		for (unsigned j = 0; j < c->bridges[i].n_ports; j++) {
			const struct conf_port *p = &c->bridges[i].ports[j];

			if (strcmp(p->name, name)) {
				asked[p->ofp.of_port] = true;
				had[kept(sw, p->name)] = true;
			}
		}
}

static int
take_asked(const struct sw *sw, const struct conf_port *p, uint16_t *id, struct err *e)
{
	const struct sw_port *other = sw->port[p->ofp.of_port];

	if (other)
		return err_set(e, EEXIST, "of-port: number %u is port %s's: ask for another, or for none", p->ofp.of_port,
			       other->name);
	*id = p->ofp.of_port;
	return 0;
}

int
sw_no_pick(const struct sw *sw, const struct conf *c, const struct conf_port *p, uint16_t *id, struct err *e)
{
	bool asked[DP_MAX_PORTS] = { false }, had[DP_MAX_PORTS] = { false };
	unsigned before = kept(sw, p->name);
	uint16_t fallback = 0;

	if (p->ofp.of_port)
		return take_asked(sw, p, id, e);
	mark_spoken_for(sw, c, p->name, asked, had);
	if (before && !asked[before] && !sw->port[before]) {
		*id = (uint16_t)before;
		return 0;
	}
	for (uint16_t i = 1; i < DP_MAX_PORTS; i++) {
		if (sw->port[i] || asked[i])
			continue;
		if (!had[i]) {
			*id = i;
			return 0;
		}
		fallback = fallback ? fallback : i;
	}
	*id = fallback;
	return fallback ? 0 : err_set(e, ENOSPC, "all %d port numbers are taken", DP_MAX_PORTS - 1);
}

int
sw_no_pick_implicit(const struct sw *sw, uint16_t *id, struct err *e)
{
	for (*id = DP_MAX_PORTS - 1; *id && sw->port[*id]; --*id)
		;
	return *id ? 0 : err_set(e, ENOSPC, "all %d port numbers are taken", DP_MAX_PORTS - 1);
}

int
sw_no_check(const struct sw *sw, const struct conf *c, struct err *e)
{
	const struct conf_port *by_no[DP_MAX_PORTS] = { NULL };

	for (unsigned i = 0; i < c->n_bridges; i++)
		for (unsigned j = 0; j < c->bridges[i].n_ports; j++) {
			const struct conf_port *p = &c->bridges[i].ports[j], *other = by_no[p->ofp.of_port];
			const struct sw_port *open = sw ? sw_find_port(sw, p->name) : NULL;
			int rc = 0;

			if (!p->ofp.of_port)
				continue;
			if (other)
				rc = err_set(e, EEXIST, "of-port: number %u is asked for by port %s too", p->ofp.of_port,
					     other->name);
			else if (open && open->id != p->ofp.of_port)
				rc = err_set(e, EBUSY, "of-port: the port has number %u as long as it exists: delete it "
					     "first, then add it with number %u", open->id, p->ofp.of_port);
			if (rc)
				return err_prefix(e, "bridges.%s.ports.%s", c->bridges[i].name, p->name);
			by_no[p->ofp.of_port] = p;
		}
	return 0;
}

/* --- Kept ---------------------------------------------------------------------------------------- */

void
sw_no_load(struct sw *sw, const char *state_dir)
{
	struct err e = { 0 };
	char *path;
	int rc;

	if (!state_dir || asprintf(&path, "%s/" FILE_NAME, state_dir) < 0)
		return;
	sw->no_path = path;
	rc = store_read_file(path, &sw->kept_no, &e);
	if (!rc && !json_is_object(sw->kept_no))
		rc = err_set(&e, EINVAL, "%s: is no object of numbers by port name", path);
	if (!rc)
		return;
	if (rc != -ENOENT)
		log_warn("%s: OpenFlow port numbers are dealt out anew", e.msg);
	json_decref(sw->kept_no);
	sw->kept_no = NULL;
}

static int
write_file(const char *path, const json_t *doc)
{
	char tmp[4096];

	if (snprintf(tmp, sizeof tmp, "%s.tmp", path) >= (int)sizeof tmp)
		return -ENAMETOOLONG;
	/* The directory may be missing: it is ours, and its parent is not. */
	*strrchr(tmp, '/') = '\0';
	if (mkdir(tmp, 0755) && errno != EEXIST)
		return -errno;
	tmp[strlen(tmp)] = '/';
	if (json_dump_file(doc, tmp, JSON_INDENT(1) | JSON_SORT_KEYS) || rename(tmp, path))
		return errno ? -errno : -EIO;
	return 0;
}

void
sw_no_save(struct sw *sw)
{
	json_t *now;
	int rc;

	if (!sw->no_path)
		return;
	now = json_object();
	for (unsigned i = 1; i < DP_MAX_PORTS; i++)
		if (sw->port[i] && !sw->port[i]->implicit)
			json_object_set_new(now, sw->port[i]->name, json_integer(i));
	if (sw->kept_no && json_equal(now, sw->kept_no)) {
		json_decref(now);
		return;
	}
	rc = write_file(sw->no_path, now);
	if (rc)
		log_warn("%s: cannot be written: %s; OpenFlow port numbers may be others after a restart", sw->no_path,
			 strerror(-rc));
	json_decref(sw->kept_no);
	sw->kept_no = now;
}

void
sw_no_forget(struct sw *sw)
{
	free(sw->no_path);
	json_decref(sw->kept_no);
}
