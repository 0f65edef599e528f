/* SPDX-License-Identifier: Apache-2.0 */
/* The one path by which the configuration changes.  In order, from what can fail to what cannot:
 *
 *   1. the whole document is checked, with no side effect;
 *   2. it is written to disk beside the present one (store prepare);
 *   3. ports that are new are opened, seen by nobody;
 *   4. the store makes it the document to start from (store commit);
 *   5. bridges, ports and tunnels are edited, and all of it published at once.
 *
 * A failure in 1 to 4 takes back what was done and leaves the switch as it was.  Step 5 cannot be refused;
 * a crash in it is harmless, since the next start finds the new document whole.  Storing comes before
 * publishing because the other order could leave a switch that forgets at its next start what it
 * answered "done" to. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "ctl/ports.h"
#include "ctl/store.h"
#include "ctl/sw_priv.h"

/* One change on its way. */
struct change {
	struct sw *sw;
	struct conf *old, *new;
	uint64_t seq;
	bool starting;                  /* A port that cannot be opened is no refusal. */
	unsigned n_fresh;
	struct sw_port *fresh[DP_MAX_PORTS];
};

/* What remains of a change until it is effective. */
struct ending {
	struct sw *sw;
	uint64_t seq;
	bool reopened;
	int rc;
	void (*done)(void *, int);
	void *arg;
};

/* --- 1: check ---------------------------------------------------------------------------------- */

static int
check_tunnels(const struct conf *c, struct err *e)
{
	struct underlay_tunnel *t[DP_MAX_PORTS] = { 0 };
	const struct conf_port *row[DP_MAX_PORTS];
	unsigned n = 0, culprit = 0;
	int rc;

	for (unsigned i = 0; i < c->n_bridges; i++) {
		for (unsigned j = 0; j < c->bridges[i].n_ports && n < DP_MAX_PORTS; j++) {
			const struct conf_port *p = &c->bridges[i].ports[j];

			if (!p->tun)
				continue;
			row[n] = p;
			t[n] = sw_underlay_tunnel(p, (uint16_t)(n + 1));
			n++;
		}
	}
	rc = underlay_check((const struct underlay_tunnel *const *)t, n, &culprit, e);
	if (rc && culprit < n)
		err_prefix(e, "bridges.%s.ports.%s", row[culprit]->bridge->name, row[culprit]->name);
	for (unsigned i = 0; i < n; i++)
		free(t[i]);
	return rc;
}

static struct conf *
checked(const struct sw *sw, const json_t *doc, struct err *e)
{
	struct err own = { 0 };
	struct conf *c;

	e = e ? e : &own;
	c = conf_create(doc, e);
	if (c && (sw_no_check(sw, c, e) || check_tunnels(c, e))) {
		conf_destroy(c);
		return NULL;
	}
	return c;
}

int
sw_check(const json_t *doc, struct err *e)
{
	struct err own = { 0 };
	struct conf *c;

	e = e ? e : &own;
	c = checked(NULL, doc, e);
	if (!c)
		return e->code ? -e->code : -EINVAL;
	conf_destroy(c);
	return 0;
}

json_t *
sw_diff(const struct sw *sw, const json_t *doc, struct err *e)
{
	struct conf *c = checked(sw, doc, e);
	json_t *d;

	if (!c)
		return NULL;
	d = conf_diff(sw->conf->doc, c->doc);
	conf_destroy(c);
	return d;
}

/* --- 3: open ----------------------------------------------------------------------------------- */

static int
open_fresh(struct change *ch, const struct conf_port *c, struct err *e)
{
	struct sw *sw = ch->sw;
	struct sw_port *p;
	uint16_t id;
	void *opts;
	int rc = sw_no_pick(sw, ch->new, c, &id, e);

	if (rc)
		return rc;
	p = sw_port_new(sw, c->name, id);
	ch->fresh[ch->n_fresh++] = p;
	p->tun = c->tun;
	p->type = c->tun ? &ctl_port_type_tunnel : c->type;
	p->kind = ctl_port_kind(p->type);
	if (sw_is_closing(sw, c->name)) {
		p->wait_seq = ch->seq;
		return 0;
	}
	opts = conf_port_open_opts(c);
	rc = sw_port_open(sw, p, opts, e);
	free(opts);
	if (rc && ch->starting) {
		str_copy(p->link.reason, sizeof p->link.reason, e->msg);
		rc = 0;
	}
	return rc;
}

static int
open_new_ports(struct change *ch, struct err *e)
{
	for (unsigned i = 0; i < ch->new->n_bridges; i++) {
		const struct conf_bridge *b = &ch->new->bridges[i];

		for (unsigned j = 0; j < b->n_ports; j++) {
			const struct conf_port *c = &b->ports[j];

			if (conf_port(ch->old, c->name))
				continue;
			if (open_fresh(ch, c, e))
				return err_prefix(e, "bridges.%s.ports.%s", b->name, c->name);
		}
	}
	return 0;
}

static void
close_new_ports(struct change *ch)
{
	if (!ch->n_fresh)
		return;
	for (unsigned i = 0; i < ch->n_fresh; i++) {
		sw_port_close(ch->sw, ch->fresh[i], ch->seq);
		sw_port_free(ch->sw, ch->fresh[i]);
	}
	ch->n_fresh = 0;
}

/* --- 5: edit ----------------------------------------------------------------------------------- */

/* The check and the open steps have asked everything that can be asked: a refusal here is our bug. */
static void
must(int rc, const char *what, const char *name, const struct err *e)
{
	if (rc)
		log_err("%s %s: refused after it was checked: %s", what, name, e->msg);
}

static void
leave_bridge(struct sw *sw, struct sw_port *p)
{
	sw_of_port_leaves(sw, p);
	ofp_port_del(sw->ofp, p->id);
	if (p->kind == OFP_PORT_TUNNEL)
		underlay_del(sw->ul, p->id);
	p->bridge = NULL;
	p->peer = 0;
	p->seen = false;
}

/* Not closed when both are tunnels: nothing is open behind those. */
static void
change_port(struct change *ch, struct sw_port *p, const struct conf_port *was, const struct conf_port *c)
{
	bool other_kind = was->type != c->type || was->tun != c->tun;

	/* Rows that go make room for others before bridges are edited, and before one moves to another port. */
	if (other_kind || strcmp(was->bridge->name, c->bridge->name))
		leave_bridge(ch->sw, p);
	else
		sw_macs_del(ch->sw, was, c, p);
	if (conf_port_must_reopen(was, c) && !(was->tun && c->tun)) {
		sw_port_close(ch->sw, p, ch->seq);
		p->wait_seq = ch->seq;
	}
	p->tun = c->tun;
	p->type = c->tun ? &ctl_port_type_tunnel : c->type;
	p->kind = ctl_port_kind(p->type);
}

/* Ports that go, move to another bridge or change their kind leave the bridge they are on. */
static void
remove_ports(struct change *ch)
{
	struct sw *sw = ch->sw;

	for (unsigned i = 1; i < DP_MAX_PORTS; i++) {
		struct sw_port *p = sw->port[i];
		const struct conf_port *was = p && !p->implicit ? conf_port(ch->old, p->name) : NULL;
		const struct conf_port *c = was ? conf_port(ch->new, p->name) : NULL;

		if (c) {
			change_port(ch, p, was, c);
		} else if (was) {
			leave_bridge(sw, p);
			sw_port_close(sw, p, ch->seq);
			sw_port_free(sw, p);
		}
	}
}

static void
edit_bridges(struct change *ch)
{
	struct sw *sw = ch->sw;
	struct err e = { 0 };

	for (struct sw_bridge **pb = &sw->bridges; *pb;) {
		struct sw_bridge *b = *pb;

		if (conf_bridge(ch->new, b->name)) {
			pb = &b->next;
			continue;
		}
		of_agent_bridge_del(sw->agent, b->id);
		ofp_bridge_del(sw->ofp, b->id);
		*pb = b->next;
		free(b);
	}
	for (unsigned i = 0; i < ch->new->n_bridges; i++) {
		const struct conf_bridge *c = &ch->new->bridges[i], *was = conf_bridge(ch->old, c->name);
		struct sw_bridge *b = sw_find_bridge(sw, c->name);

		if (b) {
			if (memcmp(&was->ofp, &c->ofp, sizeof c->ofp))
				must(ofp_bridge_set(sw->ofp, b->id, &c->ofp, &e), "bridge", b->name, &e);
			if (memcmp(&was->of, &c->of, sizeof c->of) || conf_datapath_id(was) != conf_datapath_id(c))
				must(sw_of_bridge(sw, b, c, &e), "bridge", b->name, &e);
			continue;
		}
		b = xcalloc(1, sizeof *b);
		str_copy(b->name, sizeof b->name, c->name);
		must(ofp_bridge_add(sw->ofp, b->name, &c->ofp, &b->id, &e), "bridge", b->name, &e);
		must(sw_of_bridge(sw, b, c, &e), "bridge", b->name, &e);
		b->next = sw->bridges;
		sw->bridges = b;
	}
}

static void
edit_tunnel(struct change *ch, struct sw_port *p, const struct conf_port *c)
{
	struct underlay_tunnel *t = sw_underlay_tunnel(c, p->id);
	uint32_t dst[OPT_LIST_MAX];
	struct ofp_tun_flow flow;
	struct err e = { 0 };

	must(underlay_set(ch->sw->ul, t, &e), "tunnel", p->name, &e);
	ofp_port_set_tun_dsts(ch->sw->ofp, p->id, dst, (uint16_t)underlay_dsts(ch->sw->ul, p->id, dst));
	sw_tun_flow(c, &flow);
	ofp_port_set_tun_flow(ch->sw->ofp, p->id, &flow);
	free(t);
}

static bool
port_changed(const struct conf_port *a, const struct conf_port *b)
{
	return !a || a->tun != b->tun || memcmp(&a->ofp, &b->ofp, sizeof a->ofp) ||
	       (a->tun && memcmp(a->opts, b->opts, a->opts_len));
}

/* Checked before, but for whether there is such a thread. */
static void
pin_queues(struct sw *sw, const struct conf_port *was, const struct conf_port *c, const struct sw_port *p)
{
	unsigned cpu[OPT_STRS_MAX];
	int n = rxq_conf_cpus(&c->rxq, cpu, NULL);

	if (!dp_port_pin(sw->dp, p->id, cpu, n > 0 ? (unsigned)n : 0) && (!was || memcmp(&was->rxq, &c->rxq, sizeof c->rxq)))
		log_warn("port %s: rx-cpus: some of these CPUs has no polling thread", p->name);
}

static void
edit_port(struct change *ch, const struct conf_port *c, struct sw_port *p)
{
	const struct conf_port *was = conf_port(ch->old, c->name);
	struct sw *sw = ch->sw;
	struct err e = { 0 };
	bool joins = !p->bridge;

	if (joins) {
		p->bridge = sw_find_bridge(sw, c->bridge->name);
		must(ofp_port_add(sw->ofp, p->bridge->id, p->id, p->kind, &c->ofp, &e), "port", p->name, &e);
		if (p->kind == OFP_PORT_INTERNAL && !strcmp(p->name, p->bridge->name))
			ofp_port_set_local(sw->ofp, p->id);
	} else if (port_changed(was, c)) {
		must(ofp_port_set(sw->ofp, p->id, &c->ofp, &e), "port", p->name, &e);
	}
	if (p->kind == OFP_PORT_TUNNEL && (joins || port_changed(was, c)))
		edit_tunnel(ch, p, c);
	sw->dirty |= dp_port_guard(sw->dp, p->id, &c->guard);
	pin_queues(sw, was, c, p);
	sw_macs_add(sw, joins ? NULL : was, c, p);
}

static void
edit_ports(struct change *ch)
{
	for (unsigned i = 0; i < ch->new->n_bridges; i++)
		for (unsigned j = 0; j < ch->new->bridges[i].n_ports; j++) {
			const struct conf_port *c = &ch->new->bridges[i].ports[j];

			edit_port(ch, c, sw_find_port(ch->sw, c->name));
		}
}

static void
edit(struct change *ch)
{
	struct sw *sw = ch->sw;

	remove_ports(ch);
	edit_bridges(ch);
	edit_ports(ch);
	sw->conf = ch->new;
	sw->generation++;
	sw_no_save(sw);
	sw_patch_peers(sw);
	for (unsigned i = 1; i < DP_MAX_PORTS; i++)
		if (sw->port[i])
			sw_port_refresh(sw, sw->port[i]);
	sw_of_new_ports(sw);
	sw_underlay_sync(sw);
}

/* --- The end: effective, and what waited for it ------------------------------------------------- */

static void
answer(void *arg)
{
	struct ending *end = arg;

	if (end->done)
		end->done(end->arg, end->rc);
	free(end);
}

static void
effective(void *arg)
{
	struct ending *end = arg;
	struct sw *sw = end->sw;

	if (sw->dying) {
		answer(end);
		return;
	}
	end->rc = sw_open_waiting(sw, end->seq);
	/* Only a port that was opened just now makes the answer wait for a second grace period. */
	if (sw->dirty)
		sw_commit(sw, answer, end);
	else
		answer(end);
}

static void
publish(struct sw *sw, uint64_t seq, void (*done)(void *, int), void *arg)
{
	struct ending *end = xcalloc(1, sizeof *end);

	end->sw = sw;
	end->seq = seq;
	end->done = done;
	end->arg = arg;
	sw_commit(sw, effective, end);
}

/* --- The whole --------------------------------------------------------------------------------- */

static int
store_prepare(struct sw *sw, const struct conf *c, bool store, struct err *e)
{
	return store && sw->store ? sw->store->ops->prepare(sw->store, c->doc, e) : 0;
}

static int
store_commit(struct sw *sw, bool store, struct err *e)
{
	return store && sw->store ? sw->store->ops->commit(sw->store, e) : 0;
}

static void
store_abort(struct sw *sw, bool store)
{
	if (store && sw->store)
		sw->store->ops->abort(sw->store);
}

static int
run(struct change *ch, bool store, struct err *e)
{
	struct sw *sw = ch->sw;
	int rc = store_prepare(sw, ch->new, store, e);

	if (!rc)
		rc = open_new_ports(ch, e);
	if (!rc)
		rc = store_commit(sw, store, e);
	if (rc) {
		store_abort(sw, store);
		close_new_ports(ch);
		/* Lets go of the ports that were opened for nothing. */
		publish(sw, ch->seq, NULL, NULL);
		return rc;
	}
	edit(ch);
	return 0;
}

static void
log_notes(const json_t *diff)
{
	size_t i;
	json_t *row;

	json_array_foreach(diff, i, row) {
		const char *path = json_string_value(json_object_get(row, "path"));

		if (!strncmp(path, "datapath.", strlen("datapath.")))
			log_info("config: %s: changed: takes effect at restart", path);
	}
}

static int
change(struct sw *sw, const json_t *doc, bool store, bool starting, void (*done)(void *, int), void *arg,
       struct err *e)
{
	struct change ch = { .sw = sw, .old = sw->conf, .starting = starting };
	json_t *diff;
	int rc;

	ch.new = checked(sw, doc, e);
	if (!ch.new)
		return e->code ? -e->code : -EINVAL;
	if (json_equal(ch.old->doc, ch.new->doc)) {
		conf_destroy(ch.new);
		publish(sw, sw->seq, done, arg);
		return 0;
	}
	ch.seq = ++sw->seq;
	rc = run(&ch, store, e);
	if (rc) {
		conf_destroy(ch.new);
		return rc;
	}
	diff = conf_diff(ch.old->doc, ch.new->doc);
	log_info("config: applied: %zu change%s, generation %llu", json_array_size(diff),
		 json_array_size(diff) == 1 ? "" : "s",
		 (unsigned long long)sw->generation);
	if (!starting)
		log_notes(diff);
	json_decref(diff);
	conf_destroy(ch.old);
	publish(sw, ch.seq, done, arg);
	return 0;
}

int
sw_apply(struct sw *sw, const json_t *doc, uint64_t expect, void (*done)(void *, int), void *arg, struct err *e)
{
	struct err own = { 0 };

	e = e ? e : &own;
	if (expect && expect != sw->generation)
		return err_set(e, EAGAIN, "someone else changed the configuration meanwhile (generation %llu, not %llu): "
			       "look at it again and repeat", (unsigned long long)sw->generation,
			       (unsigned long long)expect);
	return change(sw, doc, true, false, done, arg, e);
}

int
sw_load(struct sw *sw, const json_t *doc, bool starting, struct err *e)
{
	struct err own = { 0 };

	return change(sw, doc, false, starting, NULL, NULL, e ? e : &own);
}
