/* SPDX-License-Identifier: Apache-2.0 */
/* Checks a configuration document against the option tables.  The walk that checks also makes the
 * typed structures and, last, the canonical document out of them, so the three cannot disagree. */
#include "ctl/conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ports.h"
#include "datapath/dp.h"

static const char *const poll_names[] = { "adaptive", "always", NULL };

static const char *const auto_name[] = { "auto", NULL };

const struct opt_desc conf_dp_opts[] = {
	{ .name = "cache-memory", .kind = OPT_U32_WORD, .offset = offsetof(struct conf_dp, cache_memory), .min = 16, .max = 4096,
	  .names = auto_name, .dflt = "auto",
	  .help = "MiB that a polling thread's flow cache may take; auto: 64, or as much as max-flows needs", .example = "256" },
	{ .name = "max-flows", .kind = OPT_U32_WORD, .offset = offsetof(struct conf_dp, max_flows), .min = 1024, .max = 4 << 20,
	  .names = auto_name, .dflt = "auto",
	  .help = "cached flows per polling thread; auto: as many as cache-memory has room for", .example = "200000" },
	{ .name = "mbufs", .kind = OPT_U32, .offset = offsetof(struct conf_dp, mbufs), .min = 2048, .max = 4 << 20,
	  .dflt = "32768", .help = "packet buffers, about 2.3 KiB each", .example = "65536" },
	{ .name = "idle-us", .kind = OPT_U32, .offset = offsetof(struct conf_dp, idle_us), .min = 1, .max = 1000000,
	  .dflt = "200", .help = "microseconds without work until a polling thread sleeps", .example = "1000" },
	{ .name = "upcall-rate", .kind = OPT_U32, .offset = offsetof(struct conf_dp, upcall_rate),
	  .dflt = "50000", .help = "new flows per second that one port may cause; 0: no limit", .example = "10000" },
	{ .name = "tunnel-held-ms", .kind = OPT_U32, .offset = offsetof(struct conf_dp, held.held_ms), .min = 10, .max = 60000,
	  .dflt = "1000", .help = "STT: how long pieces of a frame wait for the others", .example = "200" },
	{ .name = "tunnel-held-buffers", .kind = OPT_U32, .offset = offsetof(struct conf_dp, held.held_bufs),
	  .min = TUN_HELD_BUFS_MIN, .max = TUN_HELD_BUFS_MAX, .dflt = "2048",
	  .help = "STT: packet buffers that a polling thread keeps waiting", .example = "8192" },
	{ .name = "tunnel-held-buffers-sender", .kind = OPT_U32, .offset = offsetof(struct conf_dp, held.held_bufs_source),
	  .min = TUN_HELD_BUFS_MIN, .max = TUN_HELD_BUFS_MAX, .dflt = "768", .help = "likewise, for one sender",
	  .example = "2048" },
	{ .name = "poll", .kind = OPT_ENUM, .offset = offsetof(struct conf_dp, poll), .names = poll_names,
	  .dflt = "adaptive", .help = "whether polling threads sleep while idle", .example = "always" },
	{ .name = "isa", .kind = OPT_STR, .offset = offsetof(struct conf_dp, isa), .max = 15, .dflt = "auto",
	  .help = "instruction set of the packet path", .example = "x86-64-v3" },
	{ 0 },
};

/* One option table and where its values go. */
struct target {
	const struct opt_desc *opts;
	void *conf;
};

/* --- Words ----------------------------------------------------------------------------------- */

enum { WORDS_MAX = 128 };

struct words {
	unsigned n;
	const char *w[WORDS_MAX + 1];
};

static void
words_add(struct words *l, const char *w)
{
	if (l->n < WORDS_MAX)
		l->w[l->n++] = w;
	l->w[l->n] = NULL;
}

static int
unknown(struct err *e, const char *what, const char *word, const struct words *known)
{
	const char *near = str_nearest(word, known->w);

	/* Bounded: the word may be anything. */
	if (near)
		return err_set(e, ENOENT, "unknown %s '%.64s': did you mean '%s'?", what, word, near);
	return err_set(e, ENOENT, "unknown %s '%.64s'", what, word);
}

static int
check_name(const char *what, const char *name, unsigned max, struct err *e)
{
	static const char ok[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
	size_t len = strlen(name);

	if (len >= 1 && len <= max && !name[strspn(name, ok)] && *name != '.' && *name != '-')
		return 0;
	return err_set(e, EINVAL, "'%.64s' is no %s name: 1 to %u characters of A-Z a-z 0-9 _ . - that do not "
		       "start with . or -", name, what, max);
}

/* --- Options ---------------------------------------------------------------------------------- */

static const struct opt_desc *
find_target(const struct target *t, unsigned n, const char *key, void **conf)
{
	for (unsigned i = 0; i < n; i++) {
		const struct opt_desc *d = opt_find(t[i].opts, key);

		*conf = t[i].conf;
		if (d)
			return d;
	}
	return NULL;
}

static bool
is_one_of(const char *const *words, const char *key)
{
	for (; *words; words++)
		if (!strcmp(*words, key))
			return true;
	return false;
}

static int
set_option(const struct target *t, unsigned n, const char *key, const json_t *value, const char *const *structural,
	   struct err *e)
{
	char text[CONF_TEXT_MAX];
	const struct opt_desc *d;
	void *conf;

	d = find_target(t, n, key, &conf);
	if (!d) {
		struct words w = { 0 };

		for (unsigned i = 0; i < n; i++)
			for (d = t[i].opts; d->name; d++)
				words_add(&w, d->name);
		for (; *structural; structural++)
			words_add(&w, *structural);
		return unknown(e, "option", key, &w);
	}
	if (conf_value_to_text(value, text, sizeof text))
		return err_set(e, EINVAL, "%s: a text, number, boolean or list of those is needed", key);
	return opt_set(d, conf, key, text, e);
}

/* Reads every member of 'obj' but the 'structural' ones into the targets, which have their defaults. */
static int
read_options(const json_t *obj, const struct target *t, unsigned n, const char *const *structural, struct err *e)
{
	const char *given[WORDS_MAX], *key;
	unsigned n_given = 0;
	json_t *v;
	int rc;

	json_object_foreach((json_t *)obj, key, v) {
		if (is_one_of(structural, key))
			continue;
		rc = set_option(t, n, key, v, structural, e);
		if (rc)
			return rc;
		if (n_given < WORDS_MAX)
			given[n_given++] = key;
	}
	for (unsigned i = 0; i < n; i++) {
		rc = opt_check_required(t[i].opts, given, n_given, e);
		if (rc)
			return rc;
	}
	return 0;
}

/* --- Ports ------------------------------------------------------------------------------------- */

static int
read_type(const json_t *obj, struct conf_port *p, struct err *e)
{
	const json_t *v = json_object_get(obj, "type");
	const char *name = json_string_value(v);
	char all[400] = "";
	struct words w = { 0 };

	for (unsigned i = 0; ctl_port_types[i]; i++)
		words_add(&w, ctl_port_types[i]->name);
	for (unsigned i = 0; tun_types[i]; i++)
		words_add(&w, tun_types[i]->name);
	for (unsigned i = 0, used = 0; w.w[i] && used < sizeof all; i++)
		used += snprintf(all + used, sizeof all - used, "%s%s", i ? ", " : "", w.w[i]);
	if (!name)
		return err_set(e, EINVAL, v ? "type: must be a text, one of %s" : "'type' is missing: one of %s", all);
	p->type = ctl_port_type_find(name);
	p->tun = p->type ? NULL : tun_type_find(name);
	if (p->type || p->tun)
		return 0;
	if (!str_nearest(name, w.w))
		return err_set(e, ENOENT, "unknown type '%.64s': one of %s", name, all);
	return unknown(e, "type", name, &w);
}

/* Who knows one overlay uses its word for the identifier with all. */
static int
check_key_name(const json_t *obj, const struct tun_type *t, struct err *e)
{
	static const char *const words[] = { "vni", "vsid", "key", "session", "id", "in_key", "tun_id", NULL };

	for (const char *const *w = words; *w; w++)
		if (json_object_get(obj, *w) && !opt_find(t->opts, *w))
			return err_set(e, ENOENT, "unknown option '%s': of a %s tunnel it is '%s'", *w, t->name, t->key_name);
	return 0;
}

static const struct opt_desc *
type_opts(const struct conf_port *p)
{
	static const struct opt_desc none[] = { { 0 } };
	const struct opt_desc *o = p->tun ? p->tun->opts : p->type->opts;

	return o ? o : none;
}

/* Where a map says which VLAN a frame is of, no tag does. */
static int
check_vlan_map(const struct conf_port *p, struct err *e)
{
	const struct tun_conf *t = p->tun ? p->opts : NULL;

	if (t && t->vlans.n && (p->ofp.vlan_mode != OFP_VLAN_TRUNK || !opt_vlans_empty(&p->ofp.trunks)))
		return err_set(e, EINVAL, "vlan-map says which VLANs the port carries: without tag, trunks and vlan-mode");
	return 0;
}

static int
read_port(const json_t *obj, struct conf_port *p, struct err *e)
{
	static const char *const structural[] = { "type", "static-macs", NULL };
	int rc;

	if (!json_is_object(obj))
		return err_set(e, EINVAL, "a port is an object: { \"type\": ... }");
	rc = read_type(obj, p, e);
	if (!rc && p->type && strlen(p->name) > ctl_port_name_max(p->type))
		rc = err_set(e, EINVAL, "the name is too long: a port of type %s becomes a kernel interface, with at "
			     "most %u characters", p->type->name, ctl_port_name_max(p->type));
	if (rc)
		return rc;

	p->opts_len = p->tun ? sizeof(struct tun_conf) : p->type->conf_size;
	p->opts = xcalloc(1, p->opts_len);

	const struct target t[] = { { ofp_port_opts, &p->ofp }, { guard_opts, &p->guard }, { rxq_opts, &p->rxq },
				    { type_opts(p), p->opts } };

	for (unsigned i = 0; i < ARRAY_SIZE(t); i++)
		opt_defaults(t[i].opts, t[i].conf);
	rc = p->tun ? check_key_name(obj, p->tun, e) : 0;
	if (!rc)
		rc = read_options(obj, t, ARRAY_SIZE(t), structural, e);
	if (!rc)
		rc = ofp_port_check(&p->ofp, json_object_get(obj, "vlan-mode") != NULL, e);
	if (!rc)
		rc = check_vlan_map(p, e);
	if (!rc && !guard_conf_empty(&p->guard) && (p->tun || p->type->caps & PORT_CAP_VIRTUAL))
		rc = err_set(e, EINVAL, "rates and allowed addresses are for ports that a guest or a wire is behind, not for "
			     "type %s", conf_port_type_name(p));
	if (!rc && p->rxq.cpus.n && (p->tun || p->type->caps & PORT_CAP_VIRTUAL))
		rc = err_set(e, EINVAL, "rx-cpus: a port of type %s has no receive queues", conf_port_type_name(p));
	if (!rc)
		rc = MIN_OF(rxq_conf_cpus(&p->rxq, (unsigned[OPT_STRS_MAX]){ 0 }, e), 0);
	if (!rc)
		rc = conf_macs_read(json_object_get(obj, "static-macs"), p, e);
	return rc;
}

const char *
conf_port_type_name(const struct conf_port *p)
{
	return p->tun ? p->tun->name : p->type->name;
}

/* The leg that bears the bridge's name bears its address too; others have one of their own.  Which one it is must not
 * depend on what else is on the bridge: another address means another interface, and the host loses what it had
 * set up there. */
static struct mac
leg_mac(const struct conf_port *p)
{
	const struct conf_bridge *b = p->bridge;
	char name[2 * CONF_NAME_MAX + 2];

	if (!strcmp(p->name, b->name))
		return mac_is_zero(b->ofp.hwaddr) ? ofp_hwaddr_make(b->name) : b->ofp.hwaddr;
	snprintf(name, sizeof name, "%s/%s", b->name, p->name);
	return ofp_hwaddr_make(name);
}

void *
conf_port_open_opts(const struct conf_port *p)
{
	const struct opt_desc *d;
	void *opts;

	if (p->tun)
		return NULL;
	opts = memcpy(xcalloc(1, p->opts_len), p->opts, p->opts_len);
	d = p->type->caps & PORT_CAP_HOST_LEG ? opt_find(type_opts(p), "mac") : NULL;
	if (d && d->kind == OPT_MAC) {
		struct mac *mac = (struct mac *)((char *)opts + d->offset);

		if (mac_is_zero(*mac))
			*mac = leg_mac(p);
	}
	return opts;
}

bool
conf_port_must_reopen(const struct conf_port *a, const struct conf_port *b)
{
	void *x, *y;
	bool differ;

	if (a->type != b->type || a->tun != b->tun)
		return true;
	/* The underlay takes new settings of a tunnel in place. */
	if (a->tun)
		return false;
	x = conf_port_open_opts(a);
	y = conf_port_open_opts(b);
	differ = memcmp(x, y, a->opts_len) != 0;
	free(x);
	free(y);
	return differ;
}

/* --- Bridges ----------------------------------------------------------------------------------- */

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The keys of an object in order; caller frees the array. */
static const char **
sorted_keys(const json_t *obj, unsigned *n)
{
	const char **keys = xcalloc(json_object_size(obj) + 1, sizeof *keys), *key;
	json_t *v;

	*n = 0;
	json_object_foreach((json_t *)obj, key, v)
		keys[(*n)++] = key;
	qsort(keys, *n, sizeof *keys, by_name);
	return keys;
}

static int
read_ports(const json_t *obj, struct conf_bridge *b, struct err *e)
{
	const char **keys;
	unsigned n;
	int rc = 0;

	if (!obj)
		return 0;
	if (!json_is_object(obj))
		return err_set(e, EINVAL, "bridges.%s.ports: must be an object of ports by name", b->name);
	keys = sorted_keys(obj, &n);
	b->ports = xcalloc(n, sizeof *b->ports);
	for (unsigned i = 0; i < n && !rc; i++) {
		struct conf_port *p = &b->ports[b->n_ports];

		rc = check_name("port", keys[i], CONF_NAME_MAX, e);
		if (rc) {
			err_prefix(e, "bridges.%s.ports", b->name);
			break;
		}
		b->n_ports++;
		p->bridge = b;
		str_copy(p->name, sizeof p->name, keys[i]);
		rc = read_port(json_object_get(obj, keys[i]), p, e);
		if (rc)
			err_prefix(e, "bridges.%s.ports.%s", b->name, p->name);
	}
	free(keys);
	return rc;
}

static int
read_bridge(const json_t *obj, struct conf_bridge *b, struct err *e)
{
	static const char *const structural[] = { "ports", NULL };
	const struct target t[] = { { ofp_bridge_opts, &b->ofp }, { conf_of_opts, &b->of } };
	int rc;

	if (!json_is_object(obj))
		return err_set(e, EINVAL, "bridges.%s: a bridge is an object: { \"ports\": { ... } }", b->name);
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++)
		opt_defaults(t[i].opts, t[i].conf);
	if (read_options(obj, t, ARRAY_SIZE(t), structural, e) || conf_of_check(&b->of, e))
		return err_prefix(e, "bridges.%s", b->name);
	rc = read_ports(json_object_get(obj, "ports"), b, e);
	return rc ? rc : conf_macs_check(b, e);
}

static int
read_bridges(const json_t *obj, struct conf *c, struct err *e)
{
	const char **keys;
	unsigned n;
	int rc = 0;

	if (!obj)
		return 0;
	if (!json_is_object(obj))
		return err_set(e, EINVAL, "bridges: must be an object of bridges by name");
	if (json_object_size(obj) > CONF_MAX_BRIDGES)
		return err_set(e, ERANGE, "bridges: more than %d", CONF_MAX_BRIDGES);
	keys = sorted_keys(obj, &n);
	c->bridges = xcalloc(n, sizeof *c->bridges);
	for (unsigned i = 0; i < n && !rc; i++) {
		struct conf_bridge *b = &c->bridges[c->n_bridges];

		rc = check_name("bridge", keys[i], CONF_NAME_MAX, e);
		if (rc) {
			err_prefix(e, "bridges");
			break;
		}
		c->n_bridges++;
		str_copy(b->name, sizeof b->name, keys[i]);
		rc = read_bridge(json_object_get(obj, keys[i]), b, e);
	}
	free(keys);
	return rc;
}

/* Commands name a port without its bridge. */
static int
check_unique(const struct conf *c, struct err *e)
{
	json_t *seen = json_object();
	unsigned n = 0;
	int rc = 0;

	for (unsigned i = 0; i < c->n_bridges && !rc; i++) {
		const struct conf_bridge *b = &c->bridges[i];

		for (unsigned j = 0; j < b->n_ports && !rc; j++) {
			const char *name = b->ports[j].name;
			const char *other = json_string_value(json_object_get(seen, name));

			if (other)
				rc = err_set(e, EEXIST, "bridges.%s.ports.%s: bridge %s has a port of this name",
					     b->name, name, other);
			else if (++n >= DP_MAX_PORTS)
				rc = err_set(e, ERANGE, "bridges: more than %d ports", DP_MAX_PORTS - 1);
			json_object_set_new(seen, name, json_string(b->name));
		}
	}
	json_decref(seen);
	return rc;
}

/* Notes which port has which interface of the kernel: of our own taps, or of all the others. */
static int
add_links(const struct conf *c, bool legs, json_t *seen, struct err *e)
{
	for (unsigned i = 0; i < c->n_bridges; i++) {
		const struct conf_bridge *b = &c->bridges[i];

		for (unsigned j = 0; j < b->n_ports; j++) {
			const struct conf_port *p = &b->ports[j], *other;
			const char *link = p->type ? ctl_port_kernel_link(p->type, p->name, p->opts) : NULL;
			const char *name;

			if (!link || legs != !!(p->type->caps & PORT_CAP_HOST_LEG))
				continue;
			name = json_string_value(json_object_get(seen, link));
			other = name ? conf_port(c, name) : NULL;
			if (other && other->type->caps & PORT_CAP_HOST_LEG)
				return err_set(e, EINVAL, "bridges.%s.ports.%s: %s is the interface of internal port %s of this "
					       "switch: frames would loop", b->name, p->name, link, other->name);
			if (other)
				return err_set(e, EEXIST, "bridges.%s.ports.%s: interface %s is used by port %s", b->name,
					       p->name, link, other->name);
			json_object_set_new(seen, link, json_string(p->name));
		}
	}
	return 0;
}

/* Two ports on one interface hand each other's frames back. */
static int
check_links(const struct conf *c, struct err *e)
{
	json_t *seen = json_object();
	int rc = add_links(c, true, seen, e);

	if (!rc)
		rc = add_links(c, false, seen, e);
	json_decref(seen);
	return rc;
}

/* --- The canonical document -------------------------------------------------------------------- */

static json_t *
sorted(json_t *obj)
{
	json_t *out = json_object();
	unsigned n;
	const char **keys = sorted_keys(obj, &n);

	for (unsigned i = 0; i < n; i++)
		json_object_set(out, keys[i], json_object_get(obj, keys[i]));
	free(keys);
	json_decref(obj);
	return out;
}

static void
write_options(json_t *obj, const struct opt_desc *d, const void *conf)
{
	for (; d->name; d++) {
		json_t *v = conf_value_of(d, conf);

		if (v)
			json_object_set_new(obj, d->name, v);
	}
}

/* 'vlan-mode' follows from 'tag' and 'trunks' where it can: it is written where it does not. */
static void
write_vlan_mode(json_t *obj, const struct ofp_port_conf *conf)
{
	const struct opt_desc *d = opt_find(ofp_port_opts, "vlan-mode");
	struct ofp_port_conf derived = *conf;

	json_object_del(obj, d->name);
	derived.vlan_mode = 0;
	if (ofp_port_check(&derived, false, NULL) || derived.vlan_mode != conf->vlan_mode)
		json_object_set_new(obj, d->name, json_string(d->names[conf->vlan_mode]));
}

static json_t *
port_doc(const struct conf_port *p)
{
	json_t *obj = json_object();

	json_object_set_new(obj, "type", json_string(conf_port_type_name(p)));
	write_options(obj, ofp_port_opts, &p->ofp);
	write_vlan_mode(obj, &p->ofp);
	write_options(obj, guard_opts, &p->guard);
	write_options(obj, rxq_opts, &p->rxq);
	write_options(obj, type_opts(p), p->opts);
	if (p->n_macs)
		json_object_set_new(obj, "static-macs", conf_macs_doc(p));
	return sorted(obj);
}

static json_t *
bridge_doc(const struct conf_bridge *b)
{
	json_t *obj = json_object(), *ports = json_object();

	write_options(obj, ofp_bridge_opts, &b->ofp);
	write_options(obj, conf_of_opts, &b->of);
	for (unsigned i = 0; i < b->n_ports; i++)
		json_object_set_new(ports, b->ports[i].name, port_doc(&b->ports[i]));
	json_object_set_new(obj, "ports", ports);
	return sorted(obj);
}

static json_t *
conf_doc(const struct conf *c)
{
	json_t *doc = json_object(), *bridges = json_object(), *dp = json_object();

	for (unsigned i = 0; i < c->n_bridges; i++)
		json_object_set_new(bridges, c->bridges[i].name, bridge_doc(&c->bridges[i]));
	json_object_set_new(doc, "bridges", bridges);
	write_options(dp, conf_dp_opts, &c->dp);
	if (json_object_size(dp))
		json_object_set(doc, "datapath", dp);
	json_decref(dp);
	json_object_set_new(doc, "version", json_integer(CONF_VERSION));
	return doc;
}

/* --- The whole --------------------------------------------------------------------------------- */

static int
check_top(const json_t *doc, struct err *e)
{
	static const struct words known = { 3, { "version", "bridges", "datapath" } };
	const json_t *version = json_object_get(doc, "version");
	const char *key;
	json_t *v;

	if (!json_is_object(doc))
		return err_set(e, EINVAL, "a document is an object: { \"version\": 1, ... }");
	json_object_foreach((json_t *)doc, key, v) {
		bool ok = false;

		for (unsigned i = 0; i < known.n; i++)
			ok |= !strcmp(key, known.w[i]);
		if (!ok)
			return unknown(e, "member", key, &known);
	}
	if (version && (!json_is_integer(version) || json_integer_value(version) != CONF_VERSION))
		return err_set(e, EINVAL, "version: this weftd knows documents of version %d only", CONF_VERSION);
	return 0;
}

/* Asked here, so that a document that was accepted is one to start with. */
static int
check_isa(const struct conf_dp *dp, struct err *e)
{
	const char *const *known = dp_isa_names();
	char all[100] = "auto";

	if (!strcmp(dp->isa, "auto") || is_one_of(known, dp->isa))
		return 0;
	for (size_t used = strlen(all); *known && used < sizeof all; known++)
		used += (size_t)snprintf(all + used, sizeof all - used, ", %s", *known);
	return err_set(e, EINVAL, "isa: '%s' is unknown or not for this CPU: one of %s", dp->isa, all);
}

static int
read_dp(const json_t *obj, struct conf_dp *dp, struct err *e)
{
	static const char *const structural[] = { NULL };
	const struct target t = { conf_dp_opts, dp };

	opt_defaults(t.opts, t.conf);
	if (!obj)
		return 0;
	if (!json_is_object(obj))
		return err_set(e, EINVAL, "datapath: must be an object of options");
	if (read_options(obj, &t, 1, structural, e) || check_isa(dp, e))
		return err_prefix(e, "datapath");
	return 0;
}

struct conf *
conf_create(const json_t *doc, struct err *e)
{
	struct conf *c = xcalloc(1, sizeof *c);
	struct err own = { 0 };
	int rc;

	/* err_prefix() builds on the message, also where the caller wants none. */
	if (!e)
		e = &own;
	rc = check_top(doc, e);
	if (!rc)
		rc = read_dp(json_object_get(doc, "datapath"), &c->dp, e);
	if (!rc)
		rc = read_bridges(json_object_get(doc, "bridges"), c, e);
	if (!rc)
		rc = check_unique(c, e);
	if (!rc)
		rc = check_links(c, e);
	if (!rc)
		rc = conf_of_check_all(c, e);
	if (rc) {
		conf_destroy(c);
		return NULL;
	}
	c->doc = conf_doc(c);
	return c;
}

void
conf_destroy(struct conf *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < c->n_bridges; i++) {
		for (unsigned j = 0; j < c->bridges[i].n_ports; j++) {
			free(c->bridges[i].ports[j].opts);
			free(c->bridges[i].ports[j].macs);
		}
		free(c->bridges[i].ports);
	}
	free(c->bridges);
	json_decref(c->doc);
	free(c);
}

static int
cmp_bridge(const void *name, const void *b)
{
	return strcmp(name, ((const struct conf_bridge *)b)->name);
}

static int
cmp_port(const void *name, const void *p)
{
	return strcmp(name, ((const struct conf_port *)p)->name);
}

const struct conf_bridge *
conf_bridge(const struct conf *c, const char *name)
{
	return c->n_bridges ? bsearch(name, c->bridges, c->n_bridges, sizeof *c->bridges, cmp_bridge) : NULL;
}

const struct conf_port *
conf_port(const struct conf *c, const char *name)
{
	const struct conf_port *p = NULL;

	for (unsigned i = 0; i < c->n_bridges && !p; i++) {
		const struct conf_bridge *b = &c->bridges[i];

		p = b->n_ports ? bsearch(name, b->ports, b->n_ports, sizeof *b->ports, cmp_port) : NULL;
	}
	return p;
}
