/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that send frames and look at what became of them; see script.h. */
#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/packet/script_priv.h"

enum { IN_FLIGHT = 256, RECV_MAX = 9216 };

/* --- What left ----------------------------------------------------------------------------- */

/* "port vm2: ...: 0200..." in 'e'. */
static int
refuse(struct err *e, const struct world_port *p, const char *why, const uint8_t *b, uint32_t len)
{
	char hex[2 * 90 + 4];
	unsigned n = (unsigned)MIN_OF(len, 90u);

	for (unsigned i = 0; i < n; i++)
		snprintf(hex + 2 * i, 3, "%02x", b[i]);
	snprintf(hex + 2 * n, 4, "%s", len > n ? "..." : "");
	return err_set(e, EINVAL, "%s: %s: %s", p->name, why, hex);
}

int
script_quiet(struct script *s, struct err *e)
{
	uint8_t b[RECV_MAX];

	for (unsigned i = 1; i < WORLD_PORTS; i++) {
		struct world_port *p = &s->w->port[i];
		uint32_t len = p->name[0] ? world_recv(s->w, p, b, sizeof b) : 0;

		if (len)
			return refuse(e, p, "sent a frame that was not expected", b, len);
	}
	return 0;
}

int
script_ignore(struct script *s, struct err *e)
{
	uint8_t b[RECV_MAX];

	(void)e;
	for (unsigned i = 1; i < WORLD_PORTS; i++)
		while (s->w->port[i].name[0] && world_recv(s->w, &s->w->port[i], b, sizeof b))
			;
	return 0;
}

/* Words "xN" and "split=N" after the port. */
static int
read_count(struct script *s, unsigned *n, unsigned *split, struct err *e)
{
	char *v;

	*n = 1;
	*split = 0;
	for (unsigned i = 2; i < s->n_words; i++) {
		if (s->word[i][0] == 'x')
			*n = (unsigned)atoi(s->word[i] + 1);
		else if (script_option(s->word[i], &v) && !strcmp(s->word[i], "split"))
			*split = (unsigned)atoi(v);
		else
			return err_set(e, EINVAL, "not understood: %s", s->word[i]);
	}
	return 0;
}

int
script_expect(struct script *s, struct err *e)
{
	bool same = s->n_words > 2 && !strcmp(s->word[s->n_words - 1], "same");
	struct world_port *p;
	struct frame want;
	unsigned n, split;
	uint8_t b[RECV_MAX];
	int rc = script_port(s, 1, &p, e);

	if (!rc && same)
		s->n_words--;
	if (!rc)
		rc = read_count(s, &n, &split, e);
	if (!rc && same)
		want = s->last;
	else if (!rc)
		rc = s->frame ? frame_parse(s->frame, &want, e) : err_set(e, EINVAL, "a frame is missing");
	for (unsigned i = 0; !rc && i < n; i++) {
		uint32_t len = world_recv(s->w, p, b, sizeof b);
		struct err why;

		if (!len)
			return err_set(e, ENOENT, "%s: sent nothing (%u of %u)", p->name, i, n);
		if (!frame_matches(&want, b, len, &why))
			return refuse(e, p, why.msg, b, len);
	}
	return rc;
}

/* --- What goes in -------------------------------------------------------------------------- */

static int
read_pcap(struct script *s, const char *name, unsigned n, struct frame *f, struct err *e)
{
	char path[1024], msg[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *h;
	const uint8_t *b;
	pcap_t *p;
	int rc = 0;

	snprintf(path, sizeof path, "%s/%s", s->vectors ? s->vectors : "", name);
	p = s->vectors ? pcap_open_offline(path, msg) : NULL;
	if (!p) {
		s->skip = true;
		return err_set(e, ENOENT, "no capture file %s", name);
	}
	for (unsigned i = 0; i < n && rc >= 0; i++)
		rc = pcap_next_ex(p, &h, &b) == 1 ? 0 : err_set(e, ENOENT, "%s has no packet %u", name, n);
	if (!rc && h->caplen > FRAME_MAX)
		rc = err_set(e, EMSGSIZE, "%s: packet %u is too long", name, n);
	if (!rc) {
		memset(f, 0, sizeof *f);
		f->len = (uint16_t)h->caplen;
		memcpy(f->b, b, h->caplen);
	}
	pcap_close(p);
	return rc;
}

int
script_send(struct script *s, struct err *e)
{
	bool pcap = s->n_words == 5 && !strcmp(s->word[2], "pcap");
	unsigned n, split, number = pcap ? (unsigned)atoi(s->word[4]) : 0;
	struct world_port *p;
	int rc = script_quiet(s, e);

	if (!rc)
		rc = script_port(s, 1, &p, e);
	if (rc)
		return rc;
	if (pcap) {
		s->n_words = 2;
		rc = read_pcap(s, s->word[3], number, &s->last, e);
	} else {
		rc = s->frame ? frame_parse(s->frame, &s->last, e) : err_set(e, EINVAL, "a frame is missing");
	}
	if (!rc)
		rc = read_count(s, &n, &split, e);
	for (unsigned i = 0; !rc && i < n; i++)
		rc = world_send(s->w, p, s->last.b, s->last.len, (uint16_t)split, e);
	return rc ? rc : world_settle(s->w, e);
}

/* Sends one of many frames whose fate is not looked at. */
static int
send_some(struct script *s, struct world_port *p, const uint8_t *b, uint32_t len, unsigned nth, struct err *e)
{
	int rc = world_send(s->w, p, b, len, 0, e);

	if (!rc && nth % IN_FLIGHT == IN_FLIGHT - 1) {
		rc = world_settle(s->w, e);
		script_ignore(s, e);
	}
	return rc;
}

int
script_cuts(struct script *s, struct err *e)
{
	struct world_port *p;
	int rc = script_port(s, 1, &p, e);

	if (!rc)
		rc = s->frame ? frame_parse(s->frame, &s->last, e) : err_set(e, EINVAL, "a frame is missing");
	for (unsigned len = 0; !rc && len <= s->last.len; len++)
		rc = send_some(s, p, s->last.b, len, len, e);
	if (!rc)
		rc = world_settle(s->w, e);
	script_ignore(s, e);
	return rc;
}

/* xorshift: the same frames on every machine. */
static uint32_t
next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)(*state >> 32);
}

int
script_flips(struct script *s, struct err *e)
{
	uint64_t rnd = 0x9e3779b97f4a7c15, n = 1000;
	struct world_port *p;
	uint8_t b[FRAME_MAX];
	int rc = script_port(s, 1, &p, e);
	char *v;

	for (unsigned i = 2; i < s->n_words && !rc; i++) {
		if (!script_option(s->word[i], &v))
			rc = err_set(e, EINVAL, "not understood: %s", s->word[i]);
		else if (!strcmp(s->word[i], "n"))
			n = strtoull(v, NULL, 0);
		else
			rnd ^= strtoull(v, NULL, 0) << 20;
	}
	if (!rc)
		rc = s->frame ? frame_parse(s->frame, &s->last, e) : err_set(e, EINVAL, "a frame is missing");
	for (unsigned i = 0; !rc && i < n; i++) {
		uint32_t len = s->last.len;

		memcpy(b, s->last.b, len);
		for (unsigned k = next_random(&rnd) % 4; k < 4; k++)
			b[next_random(&rnd) % len] = (uint8_t)next_random(&rnd);
		if (next_random(&rnd) % 4 == 0)
			len = next_random(&rnd) % len;
		rc = send_some(s, p, b, len, i, e);
	}
	if (!rc)
		rc = world_settle(s->w, e);
	script_ignore(s, e);
	return rc;
}

/* --- Counters ------------------------------------------------------------------------------ */

/* The drops of a port that no line knows of yet, as "reason=n" words. */
static void
new_drops(struct script *s, const struct world_port *p, uint64_t n[DP_N_DROPS], char *text, size_t room)
{
	struct dp_port_stats ps;
	size_t len = 0;

	dp_port_stats(s->w->dp, p->id, &ps);
	*text = '\0';
	for (unsigned i = 0; i < DP_N_DROPS; i++) {
		n[i] = ps.drops[i] - p->acked[i];
		if (n[i] && len < room)
			len += (size_t)snprintf(text + len, room - len, "%s%s=%llu", len ? " " : "",
						dp_drop_info[i].name, (unsigned long long)n[i]);
	}
}

static int
drop_by_name(const char *name)
{
	for (unsigned i = 0; i < DP_N_DROPS; i++)
		if (!strcmp(dp_drop_info[i].name, name))
			return (int)i;
	return -1;
}

int
script_drops(struct script *s, struct err *e)
{
	bool any = s->n_words == 3 && !strcmp(s->word[2], "any");
	uint64_t have[DP_N_DROPS], want[DP_N_DROPS] = { 0 };
	struct world_port *p;
	char text[512];
	int rc = script_port(s, 1, &p, e);
	char *v;

	if (rc)
		return rc;
	for (unsigned i = 2; i < s->n_words && !any; i++) {
		int why = script_option(s->word[i], &v) ? drop_by_name(s->word[i]) : -1;

		if (why < 0)
			return err_set(e, EINVAL, "not a drop reason: %s", s->word[i]);
		want[why] = strtoull(v, NULL, 0);
	}
	new_drops(s, p, have, text, sizeof text);
	for (unsigned i = 0; i < DP_N_DROPS; i++)
		p->acked[i] += have[i];
	if (!any && memcmp(have, want, sizeof have))
		return err_set(e, EINVAL, "%s: its drops are: %.250s", p->name, *text ? text : "none");
	return 0;
}

int
script_stats(struct script *s, struct err *e)
{
	struct dp_lcore_stats now;
	int rc = 0;
	char *v;

	dp_lcore_stats(s->w->dp, 0, &now);
	for (unsigned i = 1; i < s->n_words && !rc; i++) {
		uint64_t have;

		if (!script_option(s->word[i], &v))
			return err_set(e, EINVAL, "not NAME=N: %s", s->word[i]);
		if (!strcmp(s->word[i], "upcalls"))
			have = now.upcalls - s->stats.upcalls;
		else if (!strcmp(s->word[i], "retranslated"))
			have = now.retranslated - s->stats.retranslated;
		else if (!strcmp(s->word[i], "resolve"))
			have = s->w->n_resolve;
		else
			return err_set(e, EINVAL, "no counter '%s'", s->word[i]);
		if (!strcmp(v, "some") ? !have : have != strtoull(v, NULL, 0))
			rc = err_set(e, EINVAL, "%s is %llu", s->word[i], (unsigned long long)have);
	}
	s->stats = now;
	s->w->n_resolve = 0;
	return rc;
}

int
script_end(struct script *s, struct err *e)
{
	uint64_t n[DP_N_DROPS];
	int rc = script_quiet(s, e);
	char text[512];

	for (unsigned i = 1; i < WORLD_PORTS && !rc; i++) {
		const struct world_port *p = &s->w->port[i];

		if (!p->name[0])
			continue;
		new_drops(s, p, n, text, sizeof text);
		if (*text)
			rc = err_set(e, EINVAL, "%s: drops that no line mentions: %.250s", p->name, text);
	}
	script_ignore(s, NULL);
	return rc;
}
