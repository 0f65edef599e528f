/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that configure the switch, and the table of all commands; see script.h. */
#include "tests/packet/script.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "datapath/ports.h"
#include "ofproto/table.h"
#include "ofproto/text.h"
#include "tests/datapath/mem_port.h"
#include "tests/packet/script_priv.h"

/* --- Words --------------------------------------------------------------------------------- */

bool
script_option(char *word, char **value)
{
	*value = strchr(word, '=');
	if (!*value)
		return false;
	*(*value)++ = '\0';
	return true;
}

int
script_port(struct script *s, unsigned i, struct world_port **p, struct err *e)
{
	*p = i < s->n_words ? world_port(s->w, s->word[i]) : NULL;
	return *p ? 0 : err_set(e, ENOENT, "no port '%s'", i < s->n_words ? s->word[i] : "");
}

static int
find_bridge(struct script *s, unsigned i, struct world_bridge **b, struct err *e)
{
	*b = i < s->n_words ? world_bridge(s->w, s->word[i]) : NULL;
	return *b ? 0 : err_set(e, ENOENT, "no bridge '%s'", i < s->n_words ? s->word[i] : "");
}

int
script_mac(const char *word, struct mac *m, struct err *e)
{
	if (word[0] >= 'A' && word[0] <= 'Z' && !word[1])
		*m = (struct mac){ { 2, 0, 0, 0, 0, (uint8_t)(10 + word[0] - 'A') } };
	else if (mac_parse(word, m))
		return err_set(e, EINVAL, "not a MAC address: %s", word);
	return 0;
}

/* --- Bridges and ports --------------------------------------------------------------------- */

static int
cmd_bridge(struct script *s, struct err *e)
{
	struct world *w = s->w;
	struct world_bridge *b = &w->bridge[w->n_bridges];
	int rc = 0;
	char *v;

	if (w->n_bridges == WORLD_BRIDGES)
		return err_set(e, ENOSPC, "at most %d bridges", WORLD_BRIDGES);
	opt_defaults(ofp_bridge_opts, &b->conf);
	for (unsigned i = 2; i < s->n_words && !rc; i++)
		rc = script_option(s->word[i], &v) ? opt_set(ofp_bridge_opts, &b->conf, s->word[i], v, e) : -EINVAL;
	if (!rc)
		rc = ofp_bridge_add(w->ofp, s->word[1], &b->conf, &b->id, e);
	if (rc)
		return rc;
	str_copy(b->name, sizeof b->name, s->word[1]);
	w->n_bridges++;
	return world_commit(w, e);
}

/* Options from word 'i' on: of the bridge port, and of 'own' (may be NULL). */
static int
port_options(struct script *s, unsigned i, struct ofp_port_conf *c, const struct opt_desc *own, void *own_conf,
	     struct err *e)
{
	bool mode_given = false;
	int rc = 0;
	char *v;

	for (; i < s->n_words && !rc; i++) {
		if (!script_option(s->word[i], &v))
			return err_set(e, EINVAL, "not OPTION=VALUE: %s", s->word[i]);
		mode_given |= !strcmp(s->word[i], "vlan-mode");
		if (own && opt_find(own, s->word[i]))
			rc = opt_set(own, own_conf, s->word[i], v, e);
		else
			rc = opt_set(ofp_port_opts, c, s->word[i], v, e);
	}
	return rc ? rc : ofp_port_check(c, mode_given || c->vlan_mode != OFP_VLAN_TRUNK, e);
}

static int
add_port(struct script *s, struct world_port *p, const struct port_type *type, const void *conf,
	 const char *bridge, enum ofp_port_kind kind, struct err *e)
{
	const struct world_bridge *b = world_bridge(s->w, bridge);
	int rc;

	p->port = dp_port_add(s->w->dp, type, p->name, p->id, conf, e);
	if (!p->port)
		return -e->code;
	if (!strcmp(bridge, "-"))
		return 0;
	if (!b)
		return err_set(e, ENOENT, "no bridge '%s'", bridge);
	rc = ofp_port_add(s->w->ofp, b->id, p->id, kind, &p->conf, e);
	if (rc)
		return rc;
	ofp_port_set_up(s->w->ofp, p->id, true);
	p->bridged = true;
	return 0;
}

static struct world_port *
new_port(struct script *s, const char *name, struct err *e)
{
	struct world_port *p = world_port_new(s->w, name);

	if (p)
		opt_defaults(ofp_port_opts, &p->conf);
	else
		err_set(e, EEXIST, "port '%s': the name is taken", name);
	return p;
}

static int
add_mem(struct script *s, const struct port_type *type, enum ofp_port_kind kind, struct err *e)
{
	struct world_port *p = new_port(s, s->word[1], e);
	struct mem_conf mem = { .mtu = 1500 };
	int rc = p ? port_options(s, 3, &p->conf, port_type_mem.opts, &mem, e) : -e->code;

	if (!rc)
		rc = add_port(s, p, type, &mem, s->word[2], kind, e);
	if (!rc)
		p->mem = true;
	return rc ? rc : world_commit(s->w, e);
}

static int
cmd_port(struct script *s, struct err *e)
{
	return add_mem(s, &port_type_mem, OFP_PORT_PLAIN, e);
}

static int
cmd_leg(struct script *s, struct err *e)
{
	static struct port_type leg;

	leg = port_type_mem;
	leg.caps |= PORT_CAP_HOST_LEG;
	return add_mem(s, &leg, OFP_PORT_INTERNAL, e);
}

static int
add_patch(struct script *s, const char *name, const char *bridge, const char *peer, struct world_port **p,
	  struct err *e)
{
	char conf[64] = "";
	int rc;

	*p = new_port(s, name, e);
	if (!*p)
		return -e->code;
	rc = opt_set(port_type_patch.opts, conf, "peer", peer, e);
	return rc ? rc : add_port(s, *p, &port_type_patch, conf, bridge, OFP_PORT_PATCH, e);
}

static int
cmd_patch(struct script *s, struct err *e)
{
	struct world_port *a, *b;
	int rc = add_patch(s, s->word[1], s->word[2], s->word[3], &a, e);

	if (!rc)
		rc = add_patch(s, s->word[3], s->word[4], s->word[1], &b, e);
	if (!rc)
		rc = port_options(s, 5, &a->conf, NULL, NULL, e);
	if (!rc)
		rc = ofp_port_set(s->w->ofp, a->id, &a->conf, e);
	if (rc)
		return rc;
	ofp_port_set_patch_peer(s->w->ofp, a->id, b->id);
	ofp_port_set_patch_peer(s->w->ofp, b->id, a->id);
	return world_commit(s->w, e);
}

static bool
port_by_name(void *arg, const char *name, uint32_t *port_no)
{
	const struct world_port *p = world_port(arg, name);

	if (p)
		*port_no = p->id;
	return p != NULL;
}

/* openflow BRIDGE none | RULE...: rules in the words of ovs-ofctl. */
static int
cmd_openflow(struct script *s, struct err *e)
{
	const struct of_names names = { .port_no = port_by_name, .arg = s->w };
	const struct world_bridge *b = world_bridge(s->w, s->word[1]);
	struct of_act_buf acts = { 0 };
	struct of_error oe = { 0 };
	struct of_flow_mod fm;
	int rc = 0;

	if (!b)
		return err_set(e, ENOENT, "no bridge '%s'", s->word[1]);
	for (unsigned i = 2; i < s->n_words && !rc; i++) {
		if (!strcmp(s->word[i], "none")) {
			ofp_of_reset(s->w->ofp, b->id, true);
			continue;
		}
		rc = of_parse_flow_mod(s->word[i], strlen(s->word[i]), OFFC_ADD, &names, &acts, &fm, e);
		if (!rc && of_flow_mod(ofp_pipe(s->w->ofp, b->id), &(struct of_who){ .version = OF13 }, &fm, &oe))
			rc = err_set(e, EINVAL, "%s: %s", s->word[i], oe.why);
	}
	of_act_buf_fini(&acts);
	return rc ? rc : world_commit(s->w, e);
}

static int
cmd_set(struct script *s, struct err *e)
{
	struct world_port *p;
	int rc = script_port(s, 1, &p, e);

	if (!rc)
		rc = port_options(s, 2, &p->conf, NULL, NULL, e);
	if (!rc)
		rc = ofp_port_set(s->w->ofp, p->id, &p->conf, e);
	return rc ? rc : world_commit(s->w, e);
}

static int
cmd_up_down(struct script *s, struct err *e)
{
	struct world_port *p;
	int rc = script_port(s, 1, &p, e);

	if (rc)
		return rc;
	ofp_port_set_up(s->w->ofp, p->id, !strcmp(s->word[0], "up"));
	return world_commit(s->w, e);
}

static int
cmd_del(struct script *s, struct err *e)
{
	struct world_port *p;
	int rc = script_port(s, 1, &p, e);

	if (!rc)
		rc = script_quiet(s, e);
	if (rc)
		return rc;
	if (p->bridged)
		ofp_port_del(s->w->ofp, p->id);
	dp_port_del(s->w->dp, p->port);
	p->port = NULL;
	p->name[0] = '\0';
	if (p->tun || p->underlay)
		rc = world_tunnels_changed(s->w, e);
	return rc ? rc : world_commit(s->w, e);
}

/* --- Tunnels ------------------------------------------------------------------------------- */

static int
nothing_open(struct port *p, const void *conf, struct err *e)
{
	(void)conf;
	(void)e;
	p->mtu = UINT16_MAX;
	return 0;
}

static void
nothing_close(struct port *p)
{
	(void)p;
}

static void
nothing_link(struct port *p, struct port_link *l)
{
	(void)p;
	*l = (struct port_link){ .up = true };
}

/* What stands for a tunnel among the ports. */
static const struct port_type port_type_tunnel = {
	.name = "tunnel",
	.caps = PORT_CAP_VIRTUAL,
	.open = nothing_open,
	.close = nothing_close,
	.link = nothing_link,
};

static int
parse_state(const char *word, enum tun_dst_state *state, struct err *e)
{
	static const char *const names[] = { "free", "no-route", "resolving", "ready", "failed" };

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		if (!strcmp(word, names[i])) {
			*state = (enum tun_dst_state)i;
			return 0;
		}
	}
	return err_set(e, EINVAL, "not a state of a tunnel: %s", word);
}

/* The words that are neither options of the type nor of the bridge port; they are taken out. */
static int
tunnel_words(struct script *s, struct world_tunnel *t, struct mac *src, char **next_hops, struct err *e)
{
	unsigned left = 4;
	int rc = 0;

	for (unsigned i = 4; i < s->n_words && !rc; i++) {
		const struct world_port *via;

		if (!strncmp(s->word[i], "via=", 4)) {
			via = world_port(s->w, s->word[i] + 4);
			if (!via)
				return err_set(e, ENOENT, "no port '%s'", s->word[i] + 4);
			t->via = via->id;
			t->mtu = via->port->mtu;
		} else if (!strncmp(s->word[i], "src=", 4)) {
			rc = script_mac(s->word[i] + 4, src, e);
		} else if (!strncmp(s->word[i], "next-hop=", 9)) {
			*next_hops = s->word[i] + 9;
		} else if (!strncmp(s->word[i], "state=", 6)) {
			rc = parse_state(s->word[i] + 6, &t->state, e);
		} else {
			s->word[left++] = s->word[i];
		}
	}
	s->n_words = left;
	if (!rc && (!t->via || !*next_hops))
		return err_set(e, EINVAL, "a tunnel needs via=, src= and next-hop=");
	return rc;
}

static int
tunnel_paths(struct script *s, struct world_tunnel *t, struct mac src, char *next_hops, struct err *e)
{
	char *save = NULL, *hop = strtok_r(next_hops, ",", &save);

	if (t->conf.remote.n > WORLD_REMOTES)
		return err_set(e, ENOSPC, "at most %d remotes", WORLD_REMOTES);
	for (unsigned i = 0; i < t->conf.remote.n; i++) {
		struct tun_path *p = &t->path[i];

		*p = (struct tun_path){ .local = t->conf.local, .remote = t->conf.remote.ip[i], .src_mac = src };
		if (hop && script_mac(hop, &p->dst_mac, e))
			return -EINVAL;
		if (!hop && i)
			p->dst_mac = t->path[i - 1].dst_mac;
		hop = strtok_r(NULL, ",", &save);
		t->dst[i] = ++s->w->n_dst;
	}
	return 0;
}

static int
cmd_tunnel(struct script *s, struct err *e)
{
	struct world_port *p = new_port(s, s->word[1], e);
	struct world_tunnel *t;
	struct mac src = { { 0 } };
	char *next_hops = NULL;
	int rc;

	if (!p)
		return -e->code;
	t = p->tun = xcalloc(1, sizeof *t);
	t->state = TUN_DST_READY;
	t->type = tun_type_find(s->word[3]);
	if (!t->type)
		return err_set(e, ENOENT, "no tunnel type '%s'", s->word[3]);
	opt_defaults(t->type->opts, &t->conf);
	rc = tunnel_words(s, t, &src, &next_hops, e);
	if (!rc)
		rc = port_options(s, 4, &p->conf, t->type->opts, &t->conf, e);
	if (!rc)
		rc = tun_conf_check(t->type, &t->conf, e);
	if (!rc)
		rc = tunnel_paths(s, t, src, next_hops, e);
	if (!rc)
		rc = add_port(s, p, &port_type_tunnel, NULL, s->word[2], OFP_PORT_TUNNEL, e);
	if (rc)
		return rc;
	if (t->conf.mtu)
		t->mtu = t->conf.mtu;
	ofp_port_set_tun_dsts(s->w->ofp, p->id, t->dst, t->conf.remote.n);
	ofp_port_set_tun_flow(s->w->ofp, p->id, &(struct ofp_tun_flow){
		.key = tun_key_is_flow(&t->conf), .type = t->type, .vlans = t->conf.vlans.n ? &t->conf.vlans : NULL,
		.flood_only = t->conf.flood_only.n ? &t->conf.flood_only : NULL,
	});
	rc = world_tunnels_changed(s->w, e);
	return rc ? rc : world_commit(s->w, e);
}

static int
cmd_state(struct script *s, struct err *e)
{
	struct world_port *p;
	int rc = script_port(s, 1, &p, e);

	if (!rc && !p->tun)
		rc = err_set(e, EINVAL, "%s is no tunnel", p->name);
	if (!rc)
		rc = parse_state(s->word[2], &p->tun->state, e);
	if (!rc)
		rc = world_tunnels_changed(s->w, e);
	if (!rc)
		rc = world_commit(s->w, e);
	/* What waited leaves now. */
	return rc ? rc : world_settle(s->w, e);
}

static int
cmd_underlay(struct script *s, struct err *e)
{
	struct world_port *p;
	int rc = script_port(s, 1, &p, e);
	char *v;

	for (unsigned i = 2; i < s->n_words && !rc; i++) {
		if (!script_option(s->word[i], &v) || strcmp(s->word[i], "mac"))
			return err_set(e, EINVAL, "not mac=MAC: %s", s->word[i]);
		rc = script_mac(v, &p->underlay_mac, e);
	}
	if (rc)
		return rc;
	p->underlay = true;
	rc = world_tunnels_changed(s->w, e);
	return rc ? rc : world_commit(s->w, e);
}

/* --- MAC table ----------------------------------------------------------------------------- */

static int
cmd_static(struct script *s, struct err *e)
{
	struct world_bridge *b;
	struct world_port *p;
	struct mac m;
	int rc = find_bridge(s, 1, &b, e);

	if (!rc)
		rc = script_mac(s->word[2], &m, e);
	if (!rc)
		rc = script_port(s, 4, &p, e);
	if (!rc)
		rc = ofp_mac_add(s->w->ofp, b->id, (uint16_t)atoi(s->word[3]), m, p->id, e);
	return rc ? rc : world_commit(s->w, e);
}

static int
cmd_flush(struct script *s, struct err *e)
{
	struct world_bridge *b;
	struct world_port *p = NULL;
	int rc = find_bridge(s, 1, &b, e);

	if (!rc && s->n_words > 2)
		rc = script_port(s, 2, &p, e);
	if (rc)
		return rc;
	ofp_mac_flush(s->w->ofp, b->id, p ? p->id : 0, -1);
	return world_commit(s->w, e);
}

static int
cmd_age(struct script *s, struct err *e)
{
	ofp_tick(s->w->ofp, clock_ms() + strtoull(s->word[1], NULL, 0) * 1000);
	return world_commit(s->w, e);
}

struct mac_text {
	struct world *w;
	char text[4096];
	size_t len;
};

static void
add_mac_text(void *arg, const struct ofp_mac *m)
{
	struct mac_text *t = arg;
	char mac[MAC_STR_LEN], vid[8] = "";
	uint8_t letter = (uint8_t)(m->mac.b[5] - 10);

	mac_format(m->mac, mac);
	if (mac_u64(m->mac) >> 8 == 0x0200000000 && letter < 26)
		snprintf(mac, sizeof mac, "%c", 'A' + letter);
	if (m->vid)
		snprintf(vid, sizeof vid, "/%u", m->vid);
	if (t->len < sizeof t->text - 80)
		t->len += (size_t)snprintf(t->text + t->len, 80, "%s%s%s@%s%s", t->len ? " " : "", mac, vid,
					   m->port < WORLD_PORTS ? t->w->port[m->port].name : "?", m->is_static ? "!" : "");
}

static int
cmd_macs(struct script *s, struct err *e)
{
	struct mac_text t = { .w = s->w };
	struct world_bridge *b;
	char want[4096] = "";
	int rc = find_bridge(s, 1, &b, e);
	size_t len = 0;

	if (rc)
		return rc;
	ofp_mac_each(s->w->ofp, b->id, add_mac_text, &t);
	for (unsigned i = 2; i < s->n_words && len < sizeof want; i++)
		len += (size_t)snprintf(want + len, sizeof want - len, "%s%s", i > 2 ? " " : "", s->word[i]);
	return strcmp(want, t.text) ? err_set(e, EINVAL, "the table is: %.250s", t.text) : 0;
}

/* --- Commands ------------------------------------------------------------------------------ */

static const struct command {
	const char *name;
	unsigned min_words, max_words;
	bool frame;
	int (*run)(struct script *, struct err *);
} commands[] = {
	{ "bridge", 2, SCRIPT_WORDS, false, cmd_bridge },
	{ "port", 3, SCRIPT_WORDS, false, cmd_port },
	{ "leg", 3, SCRIPT_WORDS, false, cmd_leg },
	{ "openflow", 3, SCRIPT_WORDS, false, cmd_openflow },
	{ "patch", 5, SCRIPT_WORDS, false, cmd_patch },
	{ "set", 3, SCRIPT_WORDS, false, cmd_set },
	{ "up", 2, 2, false, cmd_up_down },
	{ "down", 2, 2, false, cmd_up_down },
	{ "del", 2, 2, false, cmd_del },
	{ "underlay", 2, 3, false, cmd_underlay },
	{ "tunnel", 5, SCRIPT_WORDS, false, cmd_tunnel },
	{ "state", 3, 3, false, cmd_state },
	{ "static", 5, 5, false, cmd_static },
	{ "flush", 2, 3, false, cmd_flush },
	{ "age", 2, 2, false, cmd_age },
	{ "macs", 2, SCRIPT_WORDS, false, cmd_macs },
	{ "send", 2, 5, true, script_send },
	{ "expect", 2, 5, true, script_expect },
	{ "ignore", 1, 1, false, script_ignore },
	{ "cuts", 2, 2, true, script_cuts },
	{ "flips", 2, 4, true, script_flips },
	{ "drops", 2, SCRIPT_WORDS, false, script_drops },
	{ "stats", 1, SCRIPT_WORDS, false, script_stats },
};

int
script_run(struct script *s, char *line, struct err *e)
{
	char *colon = strstr(line, " : "), *save = NULL;

	s->frame = colon ? colon + 3 : NULL;
	if (colon)
		*colon = '\0';
	s->n_words = 0;
	for (char *w = strtok_r(line, " \t", &save); w; w = strtok_r(NULL, " \t", &save)) {
		if (s->n_words == SCRIPT_WORDS)
			return err_set(e, E2BIG, "more than %d words", SCRIPT_WORDS);
		s->word[s->n_words++] = w;
	}
	if (!s->n_words)
		return err_set(e, EINVAL, "no command");
	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
		const struct command *c = &commands[i];

		if (strcmp(c->name, s->word[0]))
			continue;
		if (s->n_words < c->min_words || s->n_words > c->max_words || (s->frame && !c->frame))
			return err_set(e, EINVAL, "%s: see script.h for its words", c->name);
		return c->run(s, e);
	}
	return err_set(e, EINVAL, "no command '%s'", s->word[0]);
}
