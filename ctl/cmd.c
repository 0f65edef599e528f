/* SPDX-License-Identifier: Apache-2.0 */
/* Finds methods, checks their parameters against the tables, and reads them for the handlers. */
#include "ctl/cmd.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/rpc_priv.h"
#include "ctl/sw.h"

static const struct ctl_method *const families[] = {
	ctl_show_methods, ctl_conf_methods, ctl_mac_methods, ctl_flow_methods, ctl_of_methods,
	ctl_rule_methods, ctl_group_methods, ctl_trace_methods, ctl_ofmsg_methods, ctl_stats_methods,
};

enum { NAMES_MAX = 127 };

const struct ctl_method *
ctl_method_at(unsigned i)
{
	for (unsigned f = 0; f < ARRAY_SIZE(families); f++)
		for (const struct ctl_method *m = families[f]; m->name; m++)
			if (!i--)
				return m;
	return NULL;
}

const struct ctl_method *
ctl_method_find(const char *name, const char **nearest)
{
	const char *names[NAMES_MAX + 1];
	const struct ctl_method *m;
	unsigned n;

	for (n = 0; (m = ctl_method_at(n)) && n < NAMES_MAX; n++) {
		if (!strcmp(m->name, name))
			return m;
		names[n] = m->name;
	}
	names[n] = NULL;
	*nearest = str_nearest(name, names);
	return NULL;
}

/* --- Checks -------------------------------------------------------------------------------------- */

static int
parse_num(const char *s, uint64_t *out)
{
	uint64_t v = 0;

	if (!*s || strlen(s) > 19)
		return -EINVAL;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -EINVAL;
		v = v * 10 + (*s - '0');
	}
	*out = v;
	return 0;
}

static int
num_of(const json_t *v, uint64_t *out)
{
	if (json_is_string(v))
		return parse_num(json_string_value(v), out);
	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return -EINVAL;
	*out = json_integer_value(v);
	return 0;
}

static int
bool_of(const json_t *v, bool *out)
{
	const char *s = json_string_value(v);

	*out = json_is_true(v) || (s && !strcmp(s, "true"));
	return *out || json_is_false(v) || (s && !strcmp(s, "false")) ? 0 : -EINVAL;
}

static int
check_str(const struct ctl_param *p, const json_t *v, struct err *e)
{
	const char *s = json_string_value(v), *near;
	unsigned max = p->max ? p->max : CTL_TEXT_MAX;

	if (!s)
		return err_set(e, EINVAL, "%s: a text is needed: %s", p->name, p->help);
	if (!*s)
		return err_set(e, EINVAL, "%s: is empty: %s", p->name, p->help);
	if (json_string_length(v) > max)
		return err_set(e, EINVAL, "%s: longer than %u bytes", p->name, max);
	if (!p->words)
		return 0;
	for (unsigned i = 0; p->words[i]; i++)
		if (!strcmp(p->words[i], s))
			return 0;
	near = str_nearest(s, p->words);
	if (near)
		return err_set(e, EINVAL, "%s: unknown value '%.64s': did you mean '%s'?", p->name, s, near);

	char all[160] = "";

	for (unsigned i = 0, n = 0; p->words[i] && n < sizeof all; i++)
		n += snprintf(all + n, sizeof all - n, "%s%s", i ? ", " : "", p->words[i]);
	return err_set(e, EINVAL, "%s: unknown value '%.64s': one of %s", p->name, s, all);
}

static int
check_texts(const struct ctl_param *p, const json_t *v, struct err *e)
{
	const json_t *one;
	size_t i;

	if (!json_is_array(v))
		return check_str(p, v, e);
	if (!json_array_size(v))
		return err_set(e, EINVAL, "%s: is empty: %s", p->name, p->help);
	json_array_foreach(v, i, one) {
		int rc = check_str(p, one, e);

		if (rc)
			return rc;
	}
	return 0;
}

static int
check_num(const struct ctl_param *p, const json_t *v, struct err *e)
{
	uint64_t n, max = p->max ? p->max : p->kind == CTL_U32 ? UINT32_MAX : INT64_MAX;

	if (num_of(v, &n))
		return err_set(e, EINVAL, "%s: a number is needed: %s", p->name, p->help);
	if (n > max)
		return err_set(e, ERANGE, "%s: at most %llu", p->name, (unsigned long long)max);
	return 0;
}

static int
check_options(const struct ctl_param *p, const json_t *v, struct err *e)
{
	const char *key;
	json_t *value;

	if (!json_is_object(v))
		return err_set(e, EINVAL, "%s: an object is needed: option names and values", p->name);
	json_object_foreach((json_t *)v, key, value)
		if (json_is_object(value) || json_is_real(value))
			return err_set(e, EINVAL, "%s: %.64s: a text, number, boolean or list is needed",
				       p->name, key);
	return 0;
}

static int
check_value(const struct ctl_param *p, const json_t *v, struct err *e)
{
	struct mac mac;
	bool b;

	switch (p->kind) {
	case CTL_STR:
		return check_str(p, v, e);
	case CTL_TEXTS:
		return check_texts(p, v, e);
	case CTL_U32:
	case CTL_U64:
		return check_num(p, v, e);
	case CTL_BOOL:
		if (bool_of(v, &b))
			return err_set(e, EINVAL, "%s: true or false is needed", p->name);
		return 0;
	case CTL_MAC:
		if (!json_is_string(v) || mac_parse(json_string_value(v), &mac))
			return err_set(e, EINVAL, "%s: an address such as 02:00:00:00:00:01 is needed", p->name);
		return 0;
	case CTL_OPTIONS:
		return check_options(p, v, e);
	case CTL_DOCUMENT:
		if (!json_is_object(v))
			return err_set(e, EINVAL, "%s: an object is needed: a whole configuration", p->name);
		return 0;
	}
	return -EINVAL;
}

static int
unknown_param(const struct ctl_param *table, const char *key, struct err *e)
{
	const char *names[NAMES_MAX + 1], *near;
	unsigned n = 0;

	for (const struct ctl_param *p = table; p->name && n < NAMES_MAX; p++)
		names[n++] = p->name;
	names[n] = NULL;
	near = str_nearest(key, names);
	if (near)
		return err_set(e, EINVAL, "unknown parameter '%.64s': did you mean '%s'?", key, near);
	return err_set(e, EINVAL, "unknown parameter '%.64s'", key);
}

int
ctl_params_check(const struct ctl_param *table, const json_t *params, const char **which, struct err *e)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)params, key, v) {
		const struct ctl_param *p = table;

		*which = key;
		while (p->name && strcmp(p->name, key))
			p++;
		if (!p->name)
			return unknown_param(table, key, e);

		int rc = check_value(p, v, e);

		if (rc)
			return rc;
	}
	for (const struct ctl_param *p = table; p->name; p++) {
		*which = p->name;
		if (p->required && !json_object_get(params, p->name))
			return err_set(e, EINVAL, "parameter '%s' is missing: %s", p->name, p->help);
	}
	return 0;
}

/* --- Getters --------------------------------------------------------------------------------------- */

struct sw *
ctl_sw(const struct ctl_req *r)
{
	return r->peer->sw;
}

uint64_t
ctl_start_ms(const struct ctl_req *r)
{
	return r->peer->start_ms;
}

bool
ctl_is_gone(const struct ctl_req *r)
{
	return !r->peer->reply;
}

const json_t *
ctl_param(const struct ctl_req *r, const char *name)
{
	return json_object_get(r->params, name);
}

const char *
ctl_str(const struct ctl_req *r, const char *name)
{
	return json_string_value(ctl_param(r, name));
}

const char *
ctl_text(const struct ctl_req *r, const char *name, size_t i)
{
	const json_t *v = ctl_param(r, name);

	if (json_is_array(v))
		return json_string_value(json_array_get(v, i));
	return i ? NULL : json_string_value(v);
}

uint64_t
ctl_num(const struct ctl_req *r, const char *name, uint64_t dflt)
{
	uint64_t n;

	return ctl_param(r, name) && !num_of(ctl_param(r, name), &n) ? n : dflt;
}

bool
ctl_bool(const struct ctl_req *r, const char *name)
{
	bool b;

	return !bool_of(ctl_param(r, name), &b) && b;
}

struct mac
ctl_mac(const struct ctl_req *r, const char *name)
{
	struct mac m = { 0 };
	const char *s = ctl_str(r, name);

	/* Checked before; all zero otherwise. */
	if (s)
		mac_parse(s, &m);
	return m;
}

/* --- Names ------------------------------------------------------------------------------------------ */

void
ctl_refuse_fmt(struct ctl_req *r, const char *path, int code, const char *fmt, ...)
{
	struct err e = { .code = code };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(e.msg, sizeof e.msg, fmt, ap);
	va_end(ap);
	ctl_refuse(r, path, &e);
}

/* The nearest of the keys of 'obj', or NULL. */
static const char *
nearest_key(const json_t *obj, const char *word)
{
	const char **names = xcalloc(json_object_size(obj) + 1, sizeof *names), *key, *near;
	unsigned n = 0;
	json_t *v;

	json_object_foreach((json_t *)obj, key, v)
		names[n++] = key;
	near = str_nearest(word, names);
	free(names);
	return near;
}

bool
ctl_need_bridge(struct ctl_req *r, const char *bridge, uint16_t *id)
{
	const json_t *bridges = json_object_get(sw_conf(ctl_sw(r)), "bridges");
	const char *near;

	if (sw_bridge_id(ctl_sw(r), bridge, id))
		return true;
	near = nearest_key(bridges, bridge);
	if (near)
		ctl_refuse_fmt(r, NULL, ENOENT, "no bridge '%.64s': did you mean '%s'?", bridge, near);
	else
		ctl_refuse_fmt(r, NULL, ENOENT, "no bridge '%.64s'%s", bridge,
			       json_object_size(bridges) ? "" : ": there are none yet, see bridge add");
	return false;
}

bool
ctl_need_port(struct ctl_req *r, const char *port, uint16_t *id)
{
	json_t *all = json_object(), *bridge;
	const char *key, *near;

	*id = sw_port_id(ctl_sw(r), port);
	if (*id) {
		json_decref(all);
		return true;
	}
	json_object_foreach(json_object_get(sw_conf(ctl_sw(r)), "bridges"), key, bridge)
		json_object_update(all, json_object_get(bridge, "ports"));
	near = nearest_key(all, port);
	if (near)
		ctl_refuse_fmt(r, NULL, ENOENT, "no port '%.64s': did you mean '%s'?", port, near);
	else
		ctl_refuse_fmt(r, NULL, ENOENT, "no port '%.64s'", port);
	json_decref(all);
	return false;
}

void
ctl_set_str(json_t *obj, const char *key, const char *value)
{
	json_t *v = json_string(value);

	/* A message may have cut a name from outside in the middle of a character. */
	if (!v) {
		char *ascii = xstrdup(value);

		for (char *s = ascii; *s; s++)
			if (*s & 0x80)
				*s = '?';
		v = json_string(ascii);
		free(ascii);
	}
	json_object_set_new(obj, key, v);
}

void
ctl_set_num(json_t *obj, const char *key, uint64_t value)
{
	json_object_set_new(obj, key, json_integer((json_int_t)value));
}
