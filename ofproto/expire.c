/* SPDX-License-Identifier: Apache-2.0 */
/* Idle and hard timeouts.  A wheel of a quarter of a second a slot holds the counters of rules that have any; a slot's
 * are looked at when it comes by, and go where they are due again.  Use moves no one: a rule that was used is found out
 * when its old time comes.
 *
 * How long a rule has been idle is known to the caches of the polling threads.  Before one expires for that, they
 * are asked, all of the suspects at once. */
#include "ofproto/table_priv.h"

#include <stdlib.h>

enum { SLOT_SHIFT = 8, N_SLOTS = 4096, SUSPECTS = N_SLOTS + 1, CHECKING, ASK_EVERY_MS = 500 };

/* --- Lists of counters ----------------------------------------------------------------------------------- */

static uint32_t *
head_of(struct wheel *w, uint16_t timer_slot)
{
	return timer_slot == SUSPECTS ? &w->suspects : timer_slot == CHECKING ? &w->checking : &w->slot[timer_slot - 1];
}

static void
put(struct of_pipe *p, uint32_t stat, uint16_t timer_slot)
{
	uint32_t *head = head_of(&p->wheel, timer_slot);
	struct rule_stat *st = stat_at(p, stat);

	st->timer_slot = timer_slot;
	st->timer_prev = 0;
	st->timer_next = *head;
	if (*head)
		stat_at(p, *head)->timer_prev = stat;
	*head = stat;
}

void
timer_cancel(struct of_pipe *p, uint32_t stat)
{
	struct rule_stat *st = stat_at(p, stat);

	if (!st->timer_slot)
		return;
	if (st->timer_prev)
		stat_at(p, st->timer_prev)->timer_next = st->timer_next;
	else
		*head_of(&p->wheel, st->timer_slot) = st->timer_next;
	if (st->timer_next)
		stat_at(p, st->timer_next)->timer_prev = st->timer_prev;
	st->timer_slot = 0;
}

/* --- When ---------------------------------------------------------------------------------------------------- */

static uint64_t
hard_deadline(const struct of_pipe *p, const struct of_rule *r)
{
	uint64_t since = __atomic_load_n(&stat_at(p, r->stat)->modified_ms, __ATOMIC_RELAXED);

	return r->hard ? since + r->hard * 1000u : OF_NEVER;
}

static uint64_t
idle_deadline(const struct of_pipe *p, const struct of_rule *r)
{
	uint64_t since = __atomic_load_n(&stat_at(p, r->stat)->used_ms, __ATOMIC_RELAXED);

	return r->idle ? since + r->idle * 1000u : OF_NEVER;
}

uint64_t
rule_deadline(const struct of_pipe *p, const struct of_rule *r)
{
	uint64_t hard = hard_deadline(p, r), idle = idle_deadline(p, r);

	return MIN_OF(hard, idle);
}

static void
arm_at(struct of_pipe *p, uint32_t stat, uint64_t ms)
{
	struct wheel *w = &p->wheel;
	uint64_t slot = MAX_OF((ms >> SLOT_SHIFT) + 1, w->at + 1);

	/* Later than the wheel is round: it is looked at once in between. */
	slot = MIN_OF(slot, w->at + N_SLOTS - 1);
	put(p, stat, (uint16_t)(1 + slot % N_SLOTS));
}

void
timer_arm(struct of_pipe *p, const struct of_rule *r)
{
	if (!p->wheel.slot) {
		p->wheel.slot = xcalloc(N_SLOTS, sizeof *p->wheel.slot);
		p->wheel.at = pipe_now(p) >> SLOT_SHIFT;
	}
	timer_cancel(p, r->stat);
	arm_at(p, r->stat, rule_deadline(p, r));
}

/* --- Expiry ---------------------------------------------------------------------------------------------------- */

static void
expire(struct of_pipe *p, struct of_rule *r, uint8_t reason)
{
	txn_tell(p, NULL, OFME_REMOVED, r, reason);
	rule_remove(p, r, reason, NULL);
}

/* A rule whose time has come, or seemed to. */
static void
look_at(struct of_pipe *p, uint32_t stat, uint64_t now)
{
	struct of_rule *r = rule_at(p, stat_at(p, stat)->rule);

	timer_cancel(p, stat);
	if (hard_deadline(p, r) <= now)
		expire(p, r, OFRR_HARD_TIMEOUT);
	else if (idle_deadline(p, r) <= now)
		put(p, stat, SUSPECTS);
	else if (r->idle | r->hard)
		arm_at(p, stat, rule_deadline(p, r));
}

/* The caches have told what they know. */
static void
asked(void *arg)
{
	struct of_pipe *p = arg;
	struct wheel *w = &p->wheel;

	p->pending--;
	if (p->dead) {
		if (!p->pending)
			free(p);
		return;
	}
	w->asking = false;
	while (w->checking) {
		uint32_t stat = w->checking;
		struct of_rule *r = rule_at(p, stat_at(p, stat)->rule);

		timer_cancel(p, stat);
		if (hard_deadline(p, r) <= w->asked_ms)
			expire(p, r, OFRR_HARD_TIMEOUT);
		else if (idle_deadline(p, r) <= w->asked_ms)
			expire(p, r, OFRR_IDLE_TIMEOUT);
		else if (r->idle | r->hard)
			arm_at(p, stat, rule_deadline(p, r));
	}
	if (p->dirty)
		pipe_wake(p);
}

static void
ask(struct of_pipe *p, uint64_t now)
{
	struct wheel *w = &p->wheel;

	if (!w->suspects || w->asking || (p->sink.fold && now < w->asked_ms + ASK_EVERY_MS))
		return;
	while (w->suspects) {
		uint32_t stat = w->suspects;

		timer_cancel(p, stat);
		put(p, stat, CHECKING);
	}
	w->asking = true;
	w->asked_ms = now;
	p->pending++;
	if (p->sink.fold)
		p->sink.fold(p->sink.arg, asked, p);
	else
		asked(p);
}

static void
turn(struct of_pipe *p, uint64_t now)
{
	struct wheel *w = &p->wheel;
	uint64_t to = now >> SLOT_SHIFT;

	/* After a pause all slots are looked at, once. */
	if (to > w->at + N_SLOTS)
		w->at = to - N_SLOTS;
	while (w->at < to) {
		const uint32_t *head = &w->slot[++w->at % N_SLOTS];

		/* Nothing is put back into the slot that is being looked at. */
		while (*head)
			look_at(p, *head, now);
	}
}

void
of_pipe_tick(struct of_pipe *p, uint64_t now_ms)
{
	p->now_ms = MAX_OF(p->now_ms, now_ms);
	if (p->staged)
		return;
	if (p->wheel.slot) {
		turn(p, p->now_ms);
		ask(p, p->now_ms);
	}
	if (p->dirty)
		pipe_wake(p);
}

/* --- Shortening ------------------------------------------------------------------------------------------------- */

static bool
shorten(uint16_t *timeout, uint16_t most)
{
	if (!most || (*timeout && *timeout <= most))
		return false;
	__atomic_store_n(timeout, most, __ATOMIC_RELAXED);
	return true;
}

void
of_rule_shorten(struct of_pipe *p, uint64_t ref, uint16_t idle, uint16_t hard)
{
	uint32_t stat = pipe_ref_stat(p, ref);
	struct of_rule *r;
	bool changed;

	if (!stat || !stat_at(p, stat)->rule)
		return;
	r = rule_at(p, stat_at(p, stat)->rule);
	changed = shorten(&r->idle, idle);
	changed |= shorten(&r->hard, hard);
	if (changed)
		timer_arm(p, r);
}
