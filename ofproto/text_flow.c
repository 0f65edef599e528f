/* SPDX-License-Identifier: Apache-2.0 */
/* Flow mods, requests and rows of flows as text; see text.h. */
#include "ofproto/text_priv.h"

#include <errno.h>

enum { DEFAULT_PRIORITY = 32768 };

/* What a command takes beside a match. */
enum {
	F_OUT = 1 << 0,
	F_ACTIONS = 1 << 1,             /* And timeouts and flags. */
	F_PRIORITY = 1 << 2,
	F_IMPORTANCE = 1 << 3,
	F_COOKIE = 1 << 4,              /* One may be given, not only asked for. */
};

static const unsigned takes[] = {
	[OFFC_ADD] = F_ACTIONS | F_PRIORITY | F_IMPORTANCE | F_COOKIE,
	[OFFC_MODIFY] = F_ACTIONS | F_PRIORITY | F_COOKIE,
	[OFFC_MODIFY_STRICT] = F_ACTIONS | F_PRIORITY | F_COOKIE,
	[OFFC_DELETE] = F_OUT,
	[OFFC_DELETE_STRICT] = F_OUT | F_PRIORITY,
};

/* --- Parsing ------------------------------------------------------------------------------------ */

static int
flow_cookie(struct tx *x, const struct tx_item *i, unsigned fields, struct of_flow_mod *fm)
{
	struct tx_str v, m;
	int rc;

	if (tx_split(i->value, '/', &v, &m)) {
		if (fm->command == OFFC_ADD && fields & F_COOKIE)
			return tx_bad(x, m.s, "cookie: no mask when a flow is added");
		rc = tx_u64(x, m, "cookie", UINT64_MAX, &fm->cookie_mask);
		return rc ? rc : tx_u64(x, v, "cookie", UINT64_MAX, &fm->cookie);
	}
	if (!(fields & F_COOKIE))
		return tx_bad(x, i->value.s, "cookie: to ask for one, say its mask as well, as in cookie=%.*s/-1",
			      (int)MIN_OF(v.n, 20u), v.s);
	fm->cookie_given = true;
	return tx_u64(x, v, "cookie", UINT64_MAX, &fm->cookie);
}

static int
group_id(struct tx *x, struct tx_str s, uint32_t *id)
{
	if (tx_is_nocase(s, "any")) {
		*id = OFG_ANY;
		return 0;
	}
	if (tx_is_nocase(s, "all")) {
		*id = OFG_ALL;
		return 0;
	}
	return tx_u32(x, s, "group", id);
}

static const struct {
	const char *name;
	uint16_t flag;
} flags[] = {
	{ "send_flow_rem", OFFF_SEND_FLOW_REM }, { "check_overlap", OFFF_CHECK_OVERLAP },
	{ "reset_counts", OFFF_RESET_COUNTS }, { "no_packet_counts", OFFF_NO_PKT_COUNTS },
	{ "no_byte_counts", OFFF_NO_BYT_COUNTS },
};

/* Words without a value: 1 when it was one. */
static int
flow_flag(const struct tx_item *i, unsigned fields, struct of_flow_mod *fm)
{
	if (i->sep)
		return 0;
	for (unsigned n = 0; n < ARRAY_SIZE(flags); n++)
		if (fields & F_ACTIONS && tx_is(i->key, flags[n].name)) {
			fm->flags |= flags[n].flag;
			return 1;
		}
	return tx_is(i->key, "allow_hidden_fields") || tx_is(i->key, "no_readonly_table");
}

static bool
is_statistic(struct tx_str key)
{
	static const char *const names[] = { "duration", "n_packets", "n_bytes", "idle_age", "hard_age" };

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (tx_is(key, names[i]))
			return true;
	return false;
}

/* 1: taken; 0: none of these. */
static int
flow_option(struct tx *x, const struct tx_item *i, unsigned fields, struct of_flow_mod *fm)
{
	struct {
		const char *name;
		unsigned need;
		uint16_t *value;
	} numbers[] = {
		{ "priority", F_PRIORITY, &fm->priority }, { "idle_timeout", F_ACTIONS, &fm->idle_timeout },
		{ "hard_timeout", F_ACTIONS, &fm->hard_timeout }, { "importance", F_IMPORTANCE, &fm->importance },
	};
	int rc;

	for (unsigned n = 0; n < ARRAY_SIZE(numbers); n++) {
		if (!tx_is(i->key, numbers[n].name))
			continue;
		if (!(fields & numbers[n].need))
			return tx_bad(x, i->key.s, "'%s' does not go with this command", numbers[n].name);
		rc = tx_u16(x, i->value, numbers[n].name, numbers[n].value);
		return rc ? rc : 1;
	}
	if (tx_is(i->key, "table")) {
		fm->has_table_id = true;
		rc = tx_table(x, i->value, &fm->table_id);
	} else if (tx_is(i->key, "cookie")) {
		rc = flow_cookie(x, i, fields, fm);
	} else if (tx_is(i->key, "out_port") || tx_is(i->key, "out_group")) {
		if (!(fields & F_OUT))
			return tx_bad(x, i->key.s, "'%.*s' does not go with this command", (int)i->key.n, i->key.s);
		rc = tx_is(i->key, "out_port") ? tx_port(x, i->value, "out_port", &fm->out_port) :
						 group_id(x, i->value, &fm->out_group);
	} else if (is_statistic(i->key)) {
		rc = 0;         /* What dump-flows shows may be fed back. */
	} else {
		return flow_flag(i, fields, fm);
	}
	return rc ? rc : 1;
}

static int
bad_keyword(const struct tx *x, struct tx_str key)
{
	static const char *const own[] = { "table", "priority", "cookie", "idle_timeout", "hard_timeout", "importance",
					   "out_port", "out_group", "send_flow_rem", "check_overlap", "reset_counts",
					   "no_packet_counts", "no_byte_counts", "actions", "ip", "ipv6", "icmp",
					   "icmp6", "tcp", "tcp6", "udp", "udp6", "sctp", "sctp6", "arp", "rarp",
					   "mpls", "mplsm" };
	const char *words[ARRAY_SIZE(own) + OFF_N_NAMES + 4];
	unsigned n = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(own); i++)
		words[n++] = own[i];
	for (unsigned i = 0; i < OFF_N_NAMES; i++)
		words[n++] = of_field_name[i].name;
	words[n++] = "tp_src";
	words[n++] = "tp_dst";
	words[n++] = "dl_vlan";
	words[n] = NULL;
	return tx_is_md(key) ? tx_bad_field(x, key) : tx_bad_word(x, key, "field", words);
}

static bool
is_actions(struct tx_str key)
{
	return tx_is(key, "actions") || tx_is(key, "action");
}

/* Goes once over all but the actions. */
static int
flow_pass(struct tx *x, struct tx_str s, unsigned fields, bool types, struct tx_match *mt, struct of_flow_mod *fm,
	  struct tx_str *actions)
{
	struct tx_str before = s;
	struct tx_item item;
	int rc;

	while ((rc = tx_next(x, &s, &item)) != 0) {
		if (rc < 0)
			return rc;
		if (is_actions(item.key) && item.sep == '=') {
			/* They go on to the end, commas included. */
			*actions = tx_str(item.value.s, (size_t)(before.s + before.n - item.value.s));
			return 0;
		}
		rc = tx_match_item(x, mt, &item, types);
		if (!rc && !types) {
			rc = flow_option(x, &item, fields, fm);
			if (!rc)
				return bad_keyword(x, item.key);
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int
parse_flow(struct tx *x, struct tx_str s, unsigned fields, struct of_act_buf *acts, struct of_flow_mod *fm)
{
	struct tx_match mt = { .exact = false };
	struct tx_str actions = { .s = NULL };
	int rc = flow_pass(x, s, fields, true, &mt, fm, &actions);

	if (!rc)
		rc = flow_pass(x, s, fields, false, &mt, fm, &actions);
	if (!rc)
		rc = tx_match_end(x, &mt);
	if (rc)
		return rc;
	fm->match = mt.m;
	if (actions.s && !(fields & F_ACTIONS))
		return tx_bad(x, actions.s, "actions do not go with this command");
	if (!(fields & F_ACTIONS))
		return 0;
	if (!actions.s)
		return tx_bad(x, s.s + s.n, "the actions are missing (actions=drop for none)");
	return tx_acts(x, actions, true, false, acts);
}

/* A command in front of a flow; the rest of it. */
static struct tx_str
take_command(struct tx_str s, enum of_flow_mod_command *command)
{
	static const struct {
		const char *name;
		uint8_t command;
	} commands[] = {
		{ "add", OFFC_ADD }, { "modify", OFFC_MODIFY }, { "modify_strict", OFFC_MODIFY_STRICT },
		{ "modify-strict", OFFC_MODIFY_STRICT }, { "delete", OFFC_DELETE },
		{ "delete_strict", OFFC_DELETE_STRICT }, { "delete-strict", OFFC_DELETE_STRICT },
	};
	struct tx_str rest = s, word;

	if (tx_word(&rest, ", \t\r\n", &word))
		for (unsigned i = 0; i < ARRAY_SIZE(commands); i++)
			if (tx_is(word, commands[i].name)) {
				*command = commands[i].command;
				return rest;
			}
	return s;
}

static int
parse_flow_mod(struct tx *x, struct tx_str s, enum of_flow_mod_command command, struct of_act_buf *acts,
	       struct of_flow_mod *fm)
{
	int rc;

	s = take_command(s, &command);
	*fm = (struct of_flow_mod){ .version = OF13, .command = command, .priority = DEFAULT_PRIORITY,
				    .table_id = OFTT_ALL, .buffer_id = (uint32_t)OF_NO_BUFFER,
				    .out_port = (uint32_t)OFPP_ANY, .out_group = OFG_ANY };
	acts->len = 0;
	rc = parse_flow(x, s, takes[command], acts, fm);
	if (rc)
		return rc;
	if (command == OFFC_ADD) {
		if (fm->has_table_id && fm->table_id == OFTT_ALL)
			return tx_bad(x, s.s, "a flow is added to one of the tables 0 to 254");
		if (!fm->has_table_id)
			fm->table_id = 0;
		fm->cookie_given = true;
	}
	fm->acts = of_act_buf_acts(acts);
	return 0;
}

int
of_parse_flow_mod(const char *s, size_t len, enum of_flow_mod_command command, const struct of_names *names,
		  struct of_act_buf *acts, struct of_flow_mod *fm, struct err *err)
{
	struct tx x = { .base = s, .names = names, .err = err };

	return parse_flow_mod(&x, tx_str(s, len), command, acts, fm);
}

int
of_parse_flow_file(const char *s, size_t len, enum of_flow_mod_command command, const struct of_names *names,
		   int (*each)(void *arg, const struct of_flow_mod *, struct err *), void *arg, struct err *err)
{
	struct tx_str rest = tx_str(s, len), line, comment;
	struct of_act_buf acts = { .data = NULL };
	struct of_flow_mod fm;
	unsigned n = 0;
	int rc = 0;

	while (!rc && rest.n) {
		struct tx x = { .names = names, .err = err };

		n++;
		tx_split(rest, '\n', &line, &rest);
		x.base = line.s;
		tx_split(line, '#', &line, &comment);
		if (!tx_trim(line).n)
			continue;
		rc = parse_flow_mod(&x, line, command, &acts, &fm);
		if (!rc)
			rc = each(arg, &fm, err);
		if (rc)
			err_prefix(err, "line %u", n);
	}
	of_act_buf_fini(&acts);
	return rc;
}

int
of_parse_flow_request(const char *s, size_t len, const struct of_names *names, struct of_flow_request *r,
		      struct err *err)
{
	struct tx x = { .base = s, .names = names, .err = err };
	struct of_flow_mod fm = { .table_id = OFTT_ALL, .out_port = (uint32_t)OFPP_ANY, .out_group = OFG_ANY };
	int rc = parse_flow(&x, tx_str(s, len), F_OUT, NULL, &fm);

	if (!rc)
		*r = (struct of_flow_request){ .table_id = fm.table_id, .out_port = fm.out_port,
					       .out_group = fm.out_group, .cookie = fm.cookie,
					       .cookie_mask = fm.cookie_mask, .match = fm.match };
	return rc;
}

/* --- Printing ----------------------------------------------------------------------------------- */

static void
put_flags(struct of_text *t, uint16_t f)
{
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++)
		if (f & flags[i].flag)
			of_text_printf(t, "%s ", flags[i].name);
}

static void
put_filters(struct of_text *t, const struct of_flow_mod *fm, const struct of_names *names)
{
	/* All ones: the cookies stay as they are. */
	if (!fm->cookie_mask && fm->cookie && fm->cookie != UINT64_MAX)
		of_text_printf(t, "cookie:0x%llx ", (unsigned long long)fm->cookie);
	if (fm->cookie_mask)
		of_text_printf(t, "cookie:0x%llx/0x%llx ", (unsigned long long)fm->cookie,
			       (unsigned long long)fm->cookie_mask);
	if (fm->idle_timeout)
		of_text_printf(t, "idle:%u ", fm->idle_timeout);
	if (fm->hard_timeout)
		of_text_printf(t, "hard:%u ", fm->hard_timeout);
	if (fm->importance)
		of_text_printf(t, "importance:%u ", fm->importance);
	if (fm->buffer_id != (uint32_t)OF_NO_BUFFER)
		of_text_printf(t, "buf:0x%x ", fm->buffer_id);
	if (fm->out_port != (uint32_t)OFPP_ANY) {
		of_text_puts(t, "out_port:");
		of_print_port(t, fm->out_port, names);
		of_text_puts(t, " ");
	}
	if (fm->out_group != OFG_ANY)
		of_text_printf(t, "out_group:%u ", fm->out_group);
}

void
of_print_flow_mod(struct of_text *t, const struct of_flow_mod *fm, const struct of_names *names)
{
	static const char *const commands[] = { "ADD", "MOD", "MOD_STRICT", "DEL", "DEL_STRICT" };
	/* 1.0 and 1.1 have no such flag, but always do it. */
	uint16_t hide = fm->version == OF10 || fm->version == OF11 ? OFFF_RESET_COUNTS : 0;
	size_t start;

	if (fm->command < ARRAY_SIZE(commands))
		of_text_puts(t, commands[fm->command]);
	else
		of_text_printf(t, "cmd:%u", fm->command);
	if (fm->table_id && (fm->has_table_id || fm->version != OF10))
		of_text_printf(t, " table:%u", fm->table_id);
	of_text_puts(t, " ");
	start = t->len;
	of_print_prio_match(t, fm->priority, &fm->match, names);
	if (t->len > start)
		of_text_puts(t, " ");
	put_filters(t, fm, names);
	put_flags(t, fm->flags & (uint16_t)~hide);
	of_text_puts(t, "actions=");
	of_print_acts(t, fm->acts, names);
}

void
of_print_flow_request(struct of_text *t, const struct of_flow_request *r, const struct of_names *names)
{
	if (r->table_id != OFTT_ALL)
		of_text_printf(t, " table=%u", r->table_id);
	if (r->out_port != (uint32_t)OFPP_ANY) {
		of_text_puts(t, " out_port=");
		of_print_port(t, r->out_port, names);
	}
	if (r->out_group != OFG_ANY)
		of_text_printf(t, " out_group=%u", r->out_group);
	if (r->cookie_mask)
		of_text_printf(t, " cookie=0x%llx/0x%llx", (unsigned long long)r->cookie,
			       (unsigned long long)r->cookie_mask);
	of_text_puts(t, " ");
	of_print_match(t, &r->match, names);
}

void
of_print_duration(struct of_text *t, uint32_t s, uint32_t ns)
{
	of_text_printf(t, "%u", s);
	if (ns && ns % 1000000 == 0) {
		of_text_printf(t, ".%03u", ns / 1000000);
	} else if (ns) {
		of_text_printf(t, ".%09u", ns);
		while (t->s[t->len - 1] == '0')
			of_text_chomp(t, '0');
	}
	of_text_puts(t, "s");
}

/* All ones: not counted. */
static void
put_count(struct of_text *t, const char *name, uint64_t n)
{
	if (n == UINT64_MAX)
		of_text_printf(t, "%s=?, ", name);
	else
		of_text_printf(t, "%s=%llu, ", name, (unsigned long long)n);
}

void
of_print_flow_row(struct of_text *t, const struct of_flow_row *r, unsigned show, const struct of_names *names)
{
	bool stats = show & OF_ROW_STATS;
	size_t start;

	if (stats || r->cookie)
		of_text_printf(t, "cookie=0x%llx, ", (unsigned long long)r->cookie);
	if (stats) {
		of_text_puts(t, "duration=");
		of_print_duration(t, r->duration_s, r->duration_ns);
		of_text_puts(t, ", ");
	}
	if (stats || r->table_id)
		of_text_printf(t, "table=%u, ", r->table_id);
	if (stats) {
		put_count(t, "n_packets", r->packets);
		put_count(t, "n_bytes", r->bytes);
	}
	if (r->idle_timeout)
		of_text_printf(t, "idle_timeout=%u, ", r->idle_timeout);
	if (r->hard_timeout)
		of_text_printf(t, "hard_timeout=%u, ", r->hard_timeout);
	put_flags(t, r->flags);
	if (r->importance)
		of_text_printf(t, "importance=%u, ", r->importance);
	if (stats && r->idle_age_s >= 0)
		of_text_printf(t, "idle_age=%d, ", r->idle_age_s);
	if (stats && r->hard_age_s >= 0 && (uint32_t)r->hard_age_s != r->duration_s)
		of_text_printf(t, "hard_age=%d, ", r->hard_age_s);
	start = t->len;
	of_print_prio_match(t, r->priority, r->match, names);
	if (t->len > start)
		of_text_puts(t, " ");
	of_text_puts(t, "actions=");
	of_print_acts(t, r->acts, names);
}
