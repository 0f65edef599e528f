/* SPDX-License-Identifier: Apache-2.0 */
/* BFD sessions of tunnels: one for each configured remote of a port with bfd=true.  What bfd.c decides is sent and
 * heard here, and what comes of it is told: a port is live while one of its remotes answers. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "ctl/bfd.h"
#include "ctl/underlay_priv.h"

enum {
	FIRST_PORT = 49152,
	/* Of many sessions that start together so many begin in a millisecond: a far end that starts as well gets no more at a
	 * time than it takes (datapath/tun_control.c). */
	STARTS_PER_MS = 8,
};

struct bfd_session {
	struct bfd fsm;
	struct remote *r;
	uint64_t due_ms;                /* As it stands in the heap, */
	unsigned at;                    /* there. */
	uint64_t rx, tx, bad[BFD_N_BAD];
	uint32_t changes;               /* To up, and from up. */
};

/* --- The heap: who is due next ------------------------------------------------------------- */

static void
heap_put(struct underlay *u, unsigned at, struct bfd_session *s)
{
	u->bfd[at] = s;
	s->at = at;
}

/* Finds the place of a session whose time has changed. */
static void
heap_fix(struct underlay *u, struct bfd_session *s)
{
	unsigned at = s->at, child;

	for (; at && u->bfd[(at - 1) / 2]->due_ms > s->due_ms; at = (at - 1) / 2)
		heap_put(u, at, u->bfd[(at - 1) / 2]);
	while ((child = 2 * at + 1) < u->n_bfd) {
		child += child + 1 < u->n_bfd && u->bfd[child + 1]->due_ms < u->bfd[child]->due_ms;
		if (u->bfd[child]->due_ms >= s->due_ms)
			break;
		heap_put(u, at, u->bfd[child]);
		at = child;
	}
	heap_put(u, at, s);
}

static void
heap_add(struct underlay *u, struct bfd_session *s)
{
	u->bfd = xrealloc(u->bfd, (u->n_bfd + 1) * sizeof *u->bfd);
	heap_put(u, u->n_bfd++, s);
	heap_fix(u, s);
}

static void
heap_del(struct underlay *u, struct bfd_session *s)
{
	struct bfd_session *last = u->bfd[--u->n_bfd];

	if (last == s)
		return;
	heap_put(u, s->at, last);
	heap_fix(u, last);
}

/* --- Ports --------------------------------------------------------------------------------- */

/* Tells when the first remote of a port answers, and when the last does not any more. */
static void
port_live(struct underlay *u, struct tunnel *t)
{
	bool dead = t->t.conf.bfd;

	for (unsigned i = 0; i < t->n && dead; i++)
		dead = !t->remote[i]->bfd || t->remote[i]->bfd->fsm.state != BFD_UP;
	if (dead == t->dead)
		return;
	t->dead = dead;
	if (u->ops.live)
		u->ops.live(u->ops.arg, t->t.port, !dead);
}

static void
tell(struct underlay *u, struct bfd_session *s, bool was_up)
{
	static struct log_rate rate = { .burst = 100, .per_ms = 60000 };
	bool up = s->fsm.state == BFD_UP;
	char ip[IP_STR_LEN];

	if (up == was_up)
		return;
	s->changes++;
	log_rate_msg(&rate, up ? LOG_LVL_INFO : LOG_LVL_WARN, "%s: remote %s: BFD %s%s%s", s->r->tun->name,
		     ip_format(s->r->ip, ip), up ? "up" : "down", up ? "" : ": ", up ? "" : bfd_diag_name(s->fsm.diag));
	port_live(u, underlay_find(u, s->r->tun->port));
}

/* --- Sessions ------------------------------------------------------------------------------ */

static struct bfd_conf
conf_of(const struct tun_conf *c)
{
	return (struct bfd_conf){ .min_tx_ms = c->bfd_min_tx, .min_rx_ms = c->bfd_min_rx, .mult = (uint8_t)c->bfd_mult,
				  .admin_down = c->bfd_admin_down };
}

static bool
same_conf(const struct bfd_conf *a, const struct bfd_conf *b)
{
	return a->min_tx_ms == b->min_tx_ms && a->min_rx_ms == b->min_rx_ms && a->mult == b->mult && a->admin_down == b->admin_down;
}

static void
send_packet(struct underlay *u, struct bfd_session *s, const uint8_t packet[BFD_PACKET_LEN])
{
	/* A far end within this host sees no MAC address of a link. */
	struct mac mac = s->r->via ? s->r->via->nl.mac : (struct mac){ { 0x02 } };
	uint8_t frame[BFD_FRAME_LEN];

	/* It would only wait. */
	if (s->r->state != TUN_DST_READY || !u->ops.send)
		return;
	bfd_frame_build(frame, mac, (uint16_t)(FIRST_PORT + s->r->dst % (65536 - FIRST_PORT)), packet);
	u->ops.send(u->ops.arg, s->r->dst, frame, sizeof frame);
	s->tx++;
}

static void
run(struct underlay *u, struct bfd_session *s, uint64_t now)
{
	bool was_up = s->fsm.state == BFD_UP;
	uint8_t packet[BFD_PACKET_LEN];

	while (bfd_poll(&s->fsm, now, (uint32_t)(u->random = hash_mix(u->random + 1)), packet))
		send_packet(u, s, packet);
	tell(u, s, was_up);
	s->due_ms = bfd_due(&s->fsm);
	heap_fix(u, s);
}

void
remote_bfd_sync(struct underlay *u, struct remote *r, uint64_t now)
{
	const struct bfd_conf want = conf_of(&r->tun->conf);
	struct bfd_session *s = r->bfd;

	if (!r->tun->conf.bfd || r->learned) {
		remote_bfd_end(u, r);
	} else if (!s) {
		u->random = u->random ? u->random : hash_random_seed();
		s = r->bfd = xcalloc(1, sizeof *s);
		s->r = r;
		/* Nobody else's, as its number is nobody else's; and not to be guessed. */
		u->random = hash_mix(u->random + 1);
		bfd_init(&s->fsm, &want, (uint32_t)(u->random >> 32) / TUN_MAX_DST * TUN_MAX_DST + r->dst,
			 now + u->n_bfd / STARTS_PER_MS);
		heap_add(u, s);
	} else if (!same_conf(&want, &s->fsm.conf)) {
		bool was_up = s->fsm.state == BFD_UP;

		bfd_set(&s->fsm, &want, now);
		tell(u, s, was_up);
		s->due_ms = bfd_due(&s->fsm);
		heap_fix(u, s);
	}
}

void
remote_bfd_end(struct underlay *u, struct remote *r)
{
	if (!r->bfd)
		return;
	heap_del(u, r->bfd);
	free(r->bfd);
	r->bfd = NULL;
}

void
bfd_sync_ports(struct underlay *u)
{
	for (struct tunnel *t = u->tunnels; t; t = t->next)
		port_live(u, t);
}

void
underlay_bfd_input(struct underlay *u, uint32_t dst, const void *frame, unsigned len, uint64_t now)
{
	struct remote *r = dst < TUN_MAX_DST ? u->by_dst[dst] : NULL;
	struct bfd_session *s = r ? r->bfd : NULL;
	const uint8_t *packet;
	enum bfd_bad bad;
	unsigned n;
	bool was_up;

	if (!s)
		return;
	was_up = s->fsm.state == BFD_UP;
	bad = bfd_frame_parse(frame, len, &packet, &n);
	if (!bad)
		bad = bfd_input(&s->fsm, packet, n, now);
	if (bad) {
		s->bad[bad]++;
		return;
	}
	s->rx++;
	tell(u, s, was_up);
	run(u, s, now);
}

uint64_t
underlay_bfd_due(const struct underlay *u)
{
	return u->n_bfd ? u->bfd[0]->due_ms : UINT64_MAX;
}

void
underlay_bfd_poll(struct underlay *u, uint64_t now)
{
	while (u->n_bfd && u->bfd[0]->due_ms <= now)
		run(u, u->bfd[0], now);
}

void
bfd_describe(const struct remote *r, struct underlay_bfd *out)
{
	const struct bfd_session *s = r->bfd;

	memset(out, 0, sizeof *out);
	if (!s)
		return;
	out->on = true;
	out->up = s->fsm.state == BFD_UP;
	out->state = bfd_state_names[s->fsm.state];
	out->remote_state = bfd_state_names[s->fsm.remote_state];
	out->diag = bfd_diag_name(s->fsm.diag);
	out->remote_diag = bfd_diag_name(s->fsm.remote_diag);
	out->tx_ms = bfd_tx_ms(&s->fsm);
	out->detect_ms = s->fsm.expires_ms ? bfd_detect_ms(&s->fsm) : 0;
	out->rx = s->rx;
	out->tx = s->tx;
	out->changes = s->changes;
	memcpy(out->bad, s->bad, sizeof out->bad);
}
