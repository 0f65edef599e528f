/* SPDX-License-Identifier: Apache-2.0 */
/* The next hops of all remotes: one row for each, however many remotes it serves.
 *
 * The kernel asks on the wire, three times a second apart, and answers those who ask it: an address has one owner in a
 * host.  What is decided here is when it is to ask: how soon again, how many neighbours in a second, and whom it is to
 * ask whether he is still there.  It is also decided here which of its answers are believed, for anybody on the wire can
 * claim an address. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "ctl/underlay_priv.h"

static struct neigh **
bucket(struct underlay *u, int ifindex, const struct ipaddr *ip)
{
	uint64_t w[2];

	memcpy(w, ip, sizeof w);
	return &u->neigh[hash_add(hash_add(hash_add(0, (uint64_t)ifindex), w[0]), w[1]) % UNDERLAY_NEIGH_BUCKETS];
}

/* --- Asking ------------------------------------------------------------------------------------ */

/* One question of the second's share, unless no more than 'spare' are left. */
static bool
take_question(struct underlay *u, unsigned spare, uint64_t now)
{
	uint64_t step = 1000 / UNDERLAY_ASKS_PER_S, since = now - u->asks_ms;

	if (since >= step * UNDERLAY_ASKS_PER_S) {
		u->asks = UNDERLAY_ASKS_PER_S;
		u->asks_ms = now;
	} else if (since >= step) {
		u->asks = MIN_OF(u->asks + (unsigned)(since / step), (unsigned)UNDERLAY_ASKS_PER_S);
		u->asks_ms += since / step * step;
	}
	if (u->asks <= spare) {
		u->stats.put_off++;
		return false;
	}
	u->asks--;
	return true;
}

/* False: it is not its turn. */
static bool
ask(struct underlay *u, struct neigh *n, unsigned spare, uint64_t now)
{
	static struct log_rate rate = { .burst = 1, .per_ms = 60000 };
	int rc;

	if (!take_question(u, spare, now))
		return false;
	rc = nl_neigh_resolve(u->nl, n->ifindex, &n->ip);
	n->asked_ms = now;
	u->stats.asked++;
	if (rc)
		log_rate_msg(&rate, LOG_LVL_WARN, "underlay: cannot ask the kernel to resolve on interface %d: %s", n->ifindex,
			     strerror(-rc));
	return true;
}

void
neigh_ask(struct underlay *u, struct neigh *n, uint64_t now)
{
	if (n->state != TUN_DST_READY && now - n->asked_ms >= UNDERLAY_ASK_AGAIN_MS)
		ask(u, n, 0, now);
}

/* --- What the kernel says ------------------------------------------------------------------------ */

static void
give_up(struct neigh *n, uint64_t now)
{
	n->state = TUN_DST_FAILED;
	n->waits = false;
	n->backoff_ms = UNDERLAY_BACKOFF_MS;
	n->timer_ms = now + n->backoff_ms;
}

static void
start_resolving(struct underlay *u, struct neigh *n, uint64_t now)
{
	n->state = TUN_DST_RESOLVING;
	n->waits = !ask(u, n, 0, now);
	n->timer_ms = now + (n->waits ? UNDERLAY_TURN_MS : UNDERLAY_GIVE_UP_MS);
}

/* An address that wanders to and fro costs a new picture each time; it may a few times, then now and then. */
static bool
may_change(struct neigh *n, uint64_t now)
{
	uint64_t level = MAX_OF(n->change_ms, now);

	if (level - now > (UNDERLAY_CHANGES - 1) * UNDERLAY_CHANGE_MS)
		return false;
	n->change_ms = level + UNDERLAY_CHANGE_MS;
	return true;
}

static void
confirm(struct underlay *u, struct neigh *n, const struct nl_neigh *k, uint64_t now)
{
	n->timer_ms = now + (n->watchers ? UNDERLAY_WATCH_MS : UNDERLAY_CONFIRM_MS);
	/* The kernel would take a question for a wish that it be permanent no longer. */
	if (k->fixed)
		return;
	if (!n->watchers) {
		ask(u, n, UNDERLAY_ASKS_PER_S / 2, now);
	} else if (take_question(u, UNDERLAY_ASKS_PER_S / 2, now)) {
		/* There is another way, for which it is worth knowing soon. */
		nl_neigh_probe(u->nl, n->ifindex, &n->ip);
		u->stats.asked++;
	}
}

static void
is_there(struct underlay *u, struct neigh *n, const struct nl_neigh *k, uint64_t now)
{
	n->waits = false;
	if (!mac_equal(n->known, k->mac)) {
		if (!mac_is_zero(n->known) && !may_change(n, now)) {
			n->held++;
			n->unruly = true;
			u->stats.held++;
			n->timer_ms = n->change_ms - (UNDERLAY_CHANGES - 1) * UNDERLAY_CHANGE_MS;
			/* The kernel's word is not taken; nor is the neighbour gone. */
			if (n->state == TUN_DST_READY)
				return;
		} else {
			n->changes += !mac_is_zero(n->known);
			u->stats.changes += !mac_is_zero(n->known);
			n->known = k->mac;
		}
	} else if (n->unruly && n->change_ms <= now) {
		n->unruly = false;
	}
	n->mac = n->known;
	if (n->state != TUN_DST_READY) {
		n->state = TUN_DST_READY;
		n->timer_ms = now + (n->watchers ? UNDERLAY_WATCH_MS : UNDERLAY_CONFIRM_MS);
	} else if (now >= n->timer_ms) {
		confirm(u, n, k, now);
	}
}

static void
is_not_there(struct underlay *u, struct neigh *n, enum nl_neigh_state state, uint64_t now)
{
	n->mac = (struct mac){ { 0 } };
	if (n->state == TUN_DST_RESOLVING && n->waits && state != NL_NEIGH_FAILED) {
		if (now >= n->timer_ms)
			start_resolving(u, n, now);
	} else if (n->state == TUN_DST_RESOLVING) {
		if (state == NL_NEIGH_FAILED || now >= n->timer_ms)
			give_up(n, now);
	} else if (n->state == TUN_DST_FAILED) {
		/* Stays failed while asked for again: packets must not pile up behind a dead host. */
		if (now >= n->timer_ms && ask(u, n, UNDERLAY_ASKS_PER_S / 2, now)) {
			n->backoff_ms = MIN_OF(2 * n->backoff_ms, (uint32_t)UNDERLAY_RECHECK_MS);
			n->timer_ms = now + n->backoff_ms;
		} else if (now >= n->timer_ms) {
			n->timer_ms = now + UNDERLAY_TURN_MS;
		}
	} else {
		start_resolving(u, n, now);
	}
}

static void
look(struct underlay *u, struct neigh *n, uint64_t now)
{
	struct nl_neigh k;
	struct neigh was = *n;

	if (nl_neigh_get(u->nl, n->ifindex, &n->ip, &k))
		k.state = NL_NEIGH_NONE;
	if (k.state == NL_NEIGH_VALID && !mac_is_zero(k.mac) && !mac_is_multicast(k.mac))
		is_there(u, n, &k, now);
	else
		is_not_there(u, n, k.state, now);
	if (was.state != n->state || !mac_equal(was.mac, n->mac) || was.unruly != n->unruly)
		n->changed = u->neigh_changed = true;
}

/* --- Rows ---------------------------------------------------------------------------------------- */

struct neigh *
neigh_get(struct underlay *u, int ifindex, const struct ipaddr *ip, bool watched, uint64_t now)
{
	struct neigh **head = bucket(u, ifindex, ip), *n = *head;

	while (n && (n->ifindex != ifindex || !ip_equal(&n->ip, ip)))
		n = n->next;
	if (!n) {
		n = xcalloc(1, sizeof *n);
		n->ifindex = ifindex;
		n->ip = *ip;
		n->next = *head;
		*head = n;
		u->n_neighs++;
	}
	n->refs++;
	n->watchers += watched;
	/* Who asks for it takes its state from it. */
	if (n->state == TUN_DST_FREE)
		look(u, n, now);
	return n;
}

void
neigh_put(struct underlay *u, struct neigh *n, bool watched)
{
	struct neigh **p;

	if (!n)
		return;
	n->watchers -= watched;
	if (--n->refs)
		return;
	for (p = bucket(u, n->ifindex, &n->ip); *p != n; p = &(*p)->next)
		;
	*p = n->next;
	u->n_neighs--;
	free(n);
}

void
neigh_look_all(struct underlay *u, uint64_t now)
{
	for (unsigned i = 0; i < UNDERLAY_NEIGH_BUCKETS; i++)
		for (struct neigh *n = u->neigh[(u->neigh_at + i) % UNDERLAY_NEIGH_BUCKETS]; n; n = n->next)
			look(u, n, now);
}

/* Whether it only waits to be asked for, and is not to be yet: then the kernel knows nothing new. */
static bool
must_wait(struct underlay *u, struct neigh *n, uint64_t now)
{
	if (!n->waits && n->state != TUN_DST_FAILED)
		return false;
	if (u->asks > (n->waits ? 0 : UNDERLAY_ASKS_PER_S / 2) || now - u->asks_ms >= UNDERLAY_TURN_MS / 4)
		return false;
	n->timer_ms = now + UNDERLAY_TURN_MS;
	return true;
}

void
neigh_look_due(struct underlay *u, uint64_t now)
{
	unsigned at = u->neigh_at, next = at;

	for (unsigned i = 0; i < UNDERLAY_NEIGH_BUCKETS; i++) {
		unsigned b = (at + i) % UNDERLAY_NEIGH_BUCKETS;

		for (struct neigh *n = u->neigh[b]; n; n = n->next)
			if (n->timer_ms && now >= n->timer_ms && !must_wait(u, n, now))
				look(u, n, now);
		/* Whoever comes too late for this share of questions is first for the next. */
		if (u->asks)
			next = b;
	}
	u->neigh_at = next;
}

uint64_t
neigh_due(const struct underlay *u)
{
	uint64_t due = UINT64_MAX;

	for (unsigned i = 0; i < UNDERLAY_NEIGH_BUCKETS; i++)
		for (const struct neigh *n = u->neigh[i]; n; n = n->next)
			if (n->timer_ms)
				due = MIN_OF(due, n->timer_ms);
	return due;
}

void
neigh_told(struct underlay *u)
{
	u->neigh_changed = false;
	for (unsigned i = 0; i < UNDERLAY_NEIGH_BUCKETS; i++)
		for (struct neigh *n = u->neigh[i]; n; n = n->next)
			n->changed = false;
}
