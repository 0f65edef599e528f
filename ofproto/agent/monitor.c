/* SPDX-License-Identifier: Apache-2.0 */
/* Flow monitors: whoever asks is told of every change of the flow tables, in order (OpenFlow 1.4, 7.3.5.17; Nicira's and
 * the ONF's extensions).  Who does not read fast enough is paused: additions and modifications are left out, and all
 * flows are shown again when it has caught up. */
#include <stdlib.h>
#include <string.h>

#include "ofproto/agent/agent_priv.h"

enum { MONITORS_MAX = 128, MON_BATCH = 16 << 10, ROWS_PER_PIECE = 128 };

struct monitor {
	TAILQ_ENTRY(monitor) link;
	struct of_monitor_request r;
	uint8_t form;
};

static struct monitor *
find(const struct conn *c, uint32_t id)
{
	struct monitor *mon;

	TAILQ_FOREACH (mon, &c->monitors, link)
		if (mon->r.monitor_id == id)
			return mon;
	return NULL;
}

static void
drop(struct conn *c, struct monitor *mon)
{
	TAILQ_REMOVE(&c->monitors, mon, link);
	free(mon);
}

void
monitors_drop(struct conn *c)
{
	while (!TAILQ_EMPTY(&c->monitors))
		drop(c, TAILQ_FIRST(&c->monitors));
	c->mon_open = c->mon_paused = false;
}

static uint8_t
form_of(const struct conn *c)
{
	const struct monitor *mon = TAILQ_FIRST(&c->monitors);

	return mon ? mon->form : OFMF_STD;
}

/* --- Updates ------------------------------------------------------------------------------------ */

void
monitors_flush(struct conn *c)
{
	if (!c->mon_open)
		return;
	c->mon_open = false;
	of_mp_end(&c->mon_mp);
	conn_write(c, c->mon_buf.data, c->mon_buf.len);
	c->mon_buf.len = 0;
	if (conn_out_len(c) > OUT_LIMIT)
		conn_close(c, "has not read %u MB of flow updates", OUT_LIMIT >> 20);
}

static void
put(struct conn *c, const struct of_monitor_row *row)
{
	/* Updates that nobody asked for just now have xid 0. */
	const struct of_msg m = { .version = c->version, .kind = OFK_FLOW_MONITOR_REPLY, .form = form_of(c) };

	if (!c->mon_open) {
		c->mon_buf.len = 0;
		of_mp_begin(&c->mon_mp, &c->mon_buf, &m);
		c->mon_open = true;
		conn_kick(c);
	}
	conn_row(c, &c->mon_mp, row);
	if (c->mon_buf.len > MON_BATCH)
		monitors_flush(c);
}

/* Paused or resumed: a message of its own in the extensions, a row in 1.4. */
static void
say(struct conn *c, bool paused)
{
	const struct of_monitor_row row = { .event = paused ? OFME_PAUSED : OFME_RESUMED };
	const struct of_msg m = { .version = c->version, .form = form_of(c),
				  .kind = paused ? OFK_NX_FLOW_MONITOR_PAUSED : OFK_NX_FLOW_MONITOR_RESUMED };

	if (m.form == OFMF_STD) {
		put(c, &row);
	} else {
		monitors_flush(c);
		conn_send(c, &m);
	}
}

static bool
concerns(const struct of_monitor_request *r, const struct of_flow_row *row)
{
	if (r->table_id != OFTT_ALL && r->table_id != row->table_id)
		return false;
	if (r->out_port != (uint32_t)OFPP_ANY && !of_acts_output_to(row->acts, r->out_port))
		return false;
	if (r->out_group != OFG_ANY && !of_acts_name(row->acts, OFA_GROUP, r->out_group))
		return false;
	return omatch_within(row->match, &r->match);
}

static uint16_t
flag_of(enum of_monitor_event ev)
{
	switch (ev) {
	case OFME_ADDED:
		return OFMONF_ADD;
	case OFME_REMOVED:
		return OFMONF_REMOVED;
	case OFME_MODIFIED:
		return OFMONF_MODIFY;
	default:
		return 0;
	}
}

static struct of_monitor_row
row_of(const struct of_flow_row *f, enum of_monitor_event ev, uint8_t reason, uint16_t flags)
{
	struct of_monitor_row row = { .event = ev, .reason = reason, .table_id = f->table_id, .priority = f->priority,
				      .idle_timeout = f->idle_timeout, .hard_timeout = f->hard_timeout,
				      .cookie = f->cookie, .match = f->match };

	if (flags & OFMONF_INSTRUCTIONS)
		row.acts = f->acts;
	return row;
}

static void
update(struct conn *c, enum of_monitor_event ev, const struct of_flow_row *f, uint8_t reason, bool own, uint32_t xid)
{
	const struct of_monitor_row abbrev = { .event = OFME_ABBREV, .xid = xid };
	const struct monitor *mon;
	struct of_monitor_row row;
	uint16_t flags = 0;

	/* ONLY_OWN is not heeded: ovs-ofctl sets it in 1.4 as well, where it means "my own, too". */
	TAILQ_FOREACH (mon, &c->monitors, link)
		if ((mon->r.flags & flag_of(ev)) && concerns(&mon->r, f))
			flags |= mon->r.flags;
	if (!flags)
		return;
	if (!c->mon_paused && conn_out_len(c) > OUT_PACKET_IN) {
		say(c, true);
		c->mon_paused = true;
	}
	if (c->mon_paused && ev != OFME_REMOVED)
		return;
	if (own && !(flags & OFMONF_NO_ABBREV) && !c->mon_paused) {
		if (!c->mon_abbrev || c->mon_abbrev_xid != xid)
			put(c, &abbrev);
		c->mon_abbrev = true;
		c->mon_abbrev_xid = xid;
		return;
	}
	row = row_of(f, ev, reason, flags);
	put(c, &row);
}

void
monitors_changed(void *agent, uint16_t bridge, enum of_monitor_event ev, const struct of_flow_row *f, uint8_t reason,
		 const void *owner, uint32_t xid)
{
	struct agent_bridge *br = agent_bridge(agent, bridge);

	if (!br)
		return;
	BRIDGE_EACH_UP (c, br)
		if (!TAILQ_EMPTY(&c->monitors))
			update(c, ev, f, reason, c == owner, xid);
}

/* --- All flows of some monitors ----------------------------------------------------------------- */

struct show {
	struct stream *s;
	uint16_t event;
	bool resuming;
	bool rows;                      /* Some are not handed on yet. */
	uint64_t cursor;
	unsigned n, next;
	uint32_t id[MONITORS_MAX];
	uint16_t flags;                 /* Of the monitor being shown. */
};

static bool
show_row(void *arg, const struct of_flow_row *f)
{
	struct show *sh = arg;
	struct of_monitor_row row = row_of(f, sh->event, 0, sh->flags);

	stream_row(sh->s, &row);
	sh->rows = true;
	return true;
}

/* Later changes of what was shown must not overtake it: what there is goes now.  Nobody asked for what is shown again, so
 * that it is no answer in parts, between which changes could not stand. */
static void
show_hand_on(struct conn *c, struct stream *s, struct show *sh)
{
	if (!sh->rows)
		return;
	sh->rows = false;
	if (!sh->resuming) {
		of_mp_cut(&s->mp);
		return;
	}
	of_mp_end(&s->mp);
	conn_write(c, s->buf.data, s->buf.len);
	s->buf.len = 0;
	of_mp_begin(&s->mp, &s->buf, &s->msg);
}

static bool
show_piece(struct conn *c, struct stream *s)
{
	const struct of_pipe *pipe = ofp_pipe(c->br->agent->ofp, c->br->id);
	struct show *sh = s->data;
	struct of_flow_request q;
	const struct monitor *mon;

	if (sh->next == sh->n)
		return false;
	mon = find(c, sh->id[sh->next]);
	if (mon) {
		q = (struct of_flow_request){ .table_id = mon->r.table_id, .out_port = mon->r.out_port,
					      .out_group = mon->r.out_group, .match = mon->r.match };
		sh->s = s;
		sh->flags = mon->r.flags;
		sh->cursor = of_flows_each(pipe, &q, sh->cursor, ROWS_PER_PIECE, show_row, sh);
	}
	if (!mon || !sh->cursor)
		sh->next++;
	if (sh->next == sh->n)
		return false;
	show_hand_on(c, s, sh);
	return true;
}

static void
resumed(struct conn *c, struct stream *s)
{
	of_mp_end(&s->mp);
	conn_write(c, s->buf.data, s->buf.len);
	say(c, false);
}

void
monitors_resume(struct conn *c)
{
	const struct of_msg m = { .version = c->version, .form = form_of(c) };
	const struct monitor *mon;
	struct show *sh;

	if (!c->mon_paused || c->stream || c->wait || conn_out_len(c) > OUT_STREAM / 2)
		return;
	c->mon_paused = false;
	if (TAILQ_EMPTY(&c->monitors))
		return;
	sh = xcalloc(1, sizeof *sh);
	sh->event = OFME_ADDED;
	sh->resuming = true;
	TAILQ_FOREACH (mon, &c->monitors, link)
		if (mon->r.flags & (OFMONF_ADD | OFMONF_MODIFY))
			sh->id[sh->n++] = mon->r.monitor_id;
	stream_create(c, &m, OFK_FLOW_MONITOR_REPLY, show_piece, sh)->end = resumed;
}

/* --- Requests ----------------------------------------------------------------------------------- */

static int
check(const struct conn *c, const struct of_monitor_request *r, unsigned n_more, struct of_error *e)
{
	unsigned n = 0;
	const struct monitor *mon;

	if (r->command > OFMONC_DELETE)
		return of_error_set(e, OFE_MOFC_BAD_COMMAND, "command %u", r->command);
	if (r->command != OFMONC_ADD && !find(c, r->monitor_id))
		return of_error_set(e, OFE_MOFC_UNKNOWN_MONITOR, "no monitor %u", r->monitor_id);
	if (r->command == OFMONC_ADD && find(c, r->monitor_id))
		return of_error_set(e, OFE_MOFC_MONITOR_EXISTS, "monitor %u is there", r->monitor_id);
	if (r->table_id >= OF_N_TABLES && r->table_id != OFTT_ALL)
		return of_error_set(e, OFE_MOFC_BAD_TABLE_ID, "no table %u", r->table_id);
	TAILQ_FOREACH (mon, &c->monitors, link)
		n++;
	if (n + n_more > MONITORS_MAX)
		return of_error_set(e, OFE_MOFC_INVALID_MONITOR, "at most %d monitors", MONITORS_MAX);
	return 0;
}

static void
apply(struct conn *c, const struct of_monitor_request *r, uint8_t form)
{
	struct monitor *mon = find(c, r->monitor_id);

	if (mon && r->command != OFMONC_MODIFY)
		drop(c, mon);
	if (r->command == OFMONC_DELETE)
		return;
	if (r->command == OFMONC_ADD) {
		mon = xcalloc(1, sizeof *mon);
		TAILQ_INSERT_TAIL(&c->monitors, mon, link);
	}
	mon->r = *r;
	mon->form = form;
}

int
h_flow_monitor(struct conn *c, const struct of_msg *m, struct of_error *e)
{
	const struct of_monitor_requests *q = m->body;
	struct show *sh;

	for (uint32_t i = 0; i < q->n; i++)
		if (check(c, &q->r[i], q->n, e))
			return -1;
	sh = xcalloc(1, sizeof *sh);
	sh->event = OFME_INITIAL;
	for (uint32_t i = 0; i < q->n; i++) {
		/* Once more: those before may have changed what there is. */
		if (check(c, &q->r[i], q->n - i, e)) {
			free(sh);
			return -1;
		}
		apply(c, &q->r[i], m->form);
		if (q->r[i].command != OFMONC_DELETE && (q->r[i].flags & OFMONF_INITIAL))
			sh->id[sh->n++] = q->r[i].monitor_id;
	}
	stream_create(c, m, OFK_FLOW_MONITOR_REPLY, show_piece, sh);
	return 0;
}

int
h_nx_monitor_cancel(struct conn *c, const struct of_msg *m, struct of_error *e)
{
	const struct of_nx_value *v = m->body;
	struct monitor *mon = find(c, v->value);

	if (!mon)
		return of_error_set(e, OFE_MOFC_UNKNOWN_MONITOR, "no monitor %u", v->value);
	drop(c, mon);
	return 0;
}
