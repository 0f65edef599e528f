/* SPDX-License-Identifier: Apache-2.0 */
/* The promise that flow caching stands on: whatever is changed, a cached answer that no marked tag reaches is
 * the answer that a fresh translation gives.  Random switches, random changes, random packets, and a cache
 * that forgets only what tags tell it to. */
#include "tests/ofproto/sim.h"

#include "base/clock.h"
#include "base/hash.h"

enum {
	STEPS = 400000,
	N_BRIDGES = 3,
	N_PORTS = 20,                   /* Numbers 1..N_PORTS. */
	N_STATIONS = 8,
	N_DSTS = 7,                     /* 1..N_DSTS - 1. */
	N_SLOTS = 4096, DEPTH = 4,
	MAX_ACTS = 256,
	MAX_PENDING = 32,
};

struct flow {
	bool live;
	uint64_t epoch;
	struct flow_key key, mask;
	enum dp_drop drop;
	uint16_t n_tags, n_acts;
	dp_tag tags[XLATE_MAX_TAGS];
	bool learn;
	uint64_t touch;
	struct act acts[MAX_ACTS];
};

static struct sim *s;
static uint64_t seed;
static uint16_t bridge[N_BRIDGES];
static struct flow (*cache)[DEPTH];
static unsigned n_pending;
static struct xlate_learn pending[MAX_PENDING];
static struct xlate_out fresh;
static unsigned n_compared, n_hits, n_stale, n_learned;
static unsigned step;

static uint32_t
rnd(uint32_t n)
{
	seed = hash_mix(seed + 0x9e3779b97f4a7c15ull);
	return (uint32_t)(seed >> 16) % n;
}

/* --- Packets ------------------------------------------------------------------------------------ */

static struct flow_key
random_key(void)
{
	static const int tci[] = { NO_TAG, NO_TAG, NO_TAG, 0, 10, 10, 20, 30, 4095 };
	unsigned dst = rnd(6) ? rnd(N_STATIONS) : BCAST;
	struct flow_key k = sim_key((uint16_t)(1 + rnd(N_PORTS)), rnd(N_STATIONS), dst, tci[rnd(ARRAY_SIZE(tci))]);

	if (k.vlan[0].tpid) {
		k.vlan[0].tci |= be16((uint16_t)(rnd(8) << 13));
		if (!rnd(10))
			k.vlan[0].tpid = be16(0x88a8);
		if (rnd(2)) {
			k.vlan[1].tpid = be16(0x8100);
			k.vlan[1].tci = be16((uint16_t)(10 * rnd(4)));
			if (!rnd(4))
				k.dl_type = be16(0x8100);
		}
	}
	if (!rnd(50))
		k.dl_dst = (struct mac){ { 0x01, 0x80, 0xc2, 0, 0, 1 } };
	if (!rnd(50))
		k.dl_src.b[0] |= 1;
	k.tun_peer = rnd(3) ? 0 : 1 + rnd(N_DSTS);
	if (k.in_port < 6 && rnd(3))
		k.in_port += 8;
	/* What the switch must not look at. */
	k.nw_src = rnd(UINT32_MAX);
	k.tp_dst = (be16_t)rnd(65536);
	return k;
}

static void
key_and(struct flow_key *k, const struct flow_key *mask)
{
	uint8_t *a = (uint8_t *)k;
	const uint8_t *b = (const uint8_t *)mask;

	for (unsigned i = 0; i < sizeof *k; i++)
		a[i] &= b[i];
}

static bool
flow_matches(const struct flow *f, const struct flow_key *k)
{
	struct flow_key m = *k;

	key_and(&m, &f->mask);
	return f->live && !memcmp(&m, &f->key, sizeof m);
}

/* Flows of one port and pair of addresses are in one slot; those that match on the port alone, in another. */
static unsigned
slot_of(const struct flow_key *k, bool wide)
{
	uint64_t h = k->in_port;

	if (!wide)
		h = hash_add(hash_add(h, mac_u64(k->dl_src)), mac_u64(k->dl_dst));
	return (unsigned)(hash_mix(h + wide) % N_SLOTS);
}

static void
fill(struct flow *f, const struct flow_key *k, const struct xlate_out *out)
{
	f->live = !out->no_cache && out->acts.n <= MAX_ACTS;
	if (!f->live)
		return;
	f->epoch = s->epoch;
	f->key = *k;
	f->mask = out->mask;
	key_and(&f->key, &f->mask);
	f->drop = out->drop;
	f->n_tags = out->n_tags;
	memcpy(f->tags, out->tags, sizeof f->tags);
	f->learn = out->learn.wanted;
	f->touch = out->touch;
	f->n_acts = out->acts.n;
	memcpy(f->acts, out->acts.a, out->acts.n * sizeof *f->acts);
}

/* As the datapath does it: what cannot be asked for now must be asked for again. */
static void
ask_to_learn(struct xlate_out *out)
{
	if (!out->learn.wanted)
		return;
	if (n_pending < MAX_PENDING)
		pending[n_pending++] = out->learn;
	else
		out->no_cache = true;
}

/* Late, in another order, some twice. */
static void
drain_learning(void)
{
	while (n_pending) {
		unsigned i = rnd(n_pending);

		ofp_learn(s->ofp, &pending[i]);
		n_learned++;
		if (!rnd(8))
			continue;
		pending[i] = pending[--n_pending];
	}
	sim_commit(s);
}

static bool
flow_is_marked(const struct flow *f)
{
	for (unsigned i = 0; i < f->n_tags; i++)
		if (f->tags[i] == dp_tag_make(TAG_ALL, 0) || s->tag_epoch[f->tags[i]] > f->epoch)
			return true;
	return false;
}

static void
assert_is_fresh(const struct flow *f, const struct flow_key *k)
{
	char was[4096], is[4096];

	n_compared++;
	if (f->drop == fresh.drop && f->n_acts == fresh.acts.n && f->learn == fresh.learn.wanted &&
	    f->touch == fresh.touch && !memcmp(f->acts, fresh.acts.a, f->n_acts * sizeof *f->acts))
		return;
	sim_print(f->acts, f->n_acts, was, sizeof was);
	sim_print(fresh.acts.a, fresh.acts.n, is, sizeof is);
	fail_msg("step %u, port %u, %u -> %u: cached '%s' drop %d learn %d, fresh '%s' drop %d learn %d", step,
		 k->in_port, k->dl_src.b[5], k->dl_dst.b[5], was, f->drop, f->learn, is, fresh.drop,
		 fresh.learn.wanted);
}

/* One packet through the cache.  'settled': nothing waits to be learned, so answers are final. */
static void
packet(const struct flow_key *k, bool settled)
{
	struct flow *found = NULL, *victim;
	struct flow_key reduced = *k, m = { 0 };

	for (unsigned wide = 0; wide < 2; wide++) {
		for (unsigned i = 0; i < DEPTH; i++) {
			struct flow *f = &cache[slot_of(k, wide)][i];

			if (!flow_matches(f, k))
				continue;
			n_hits++;
			if (flow_is_marked(f)) {
				n_stale++;
				sim_xlate_to(s, k, &s->out);
				ask_to_learn(&s->out);
				fill(f, k, &s->out);
				settled &= !n_pending;
			} else {
				f->epoch = s->epoch;
			}
			found = f;
		}
	}
	if (!found) {
		sim_xlate_to(s, k, &s->out);
		ask_to_learn(&s->out);
		victim = &cache[slot_of(k, mac_is_zero(s->out.mask.dl_dst))][rnd(DEPTH)];
		fill(victim, k, &s->out);
		return;
	}
	if (!settled || !found->live)
		return;
	/* The cache hands over no more of the key than port_mask() asks for. */
	ofp_xlate.port_mask(s->view, k->in_port, &m);
	key_and(&reduced, &m);
	sim_xlate_to(s, &reduced, &fresh);
	for (unsigned wide = 0; wide < 2; wide++)
		for (unsigned i = 0; i < DEPTH; i++)
			if (flow_matches(&cache[slot_of(k, wide)][i], k))
				assert_is_fresh(&cache[slot_of(k, wide)][i], k);
	if (found->touch && !rnd(4))
		ofp_xlate.touch(s->view, found->touch);
}

/* --- Changes ------------------------------------------------------------------------------------ */

static struct ofp_port_conf
random_conf(void)
{
	static const char *const vlans[] = {
		"", "", "", "tag=10", "tag=20", "trunks=10,20", "trunks=0,10", "vlan-mode=native-tagged tag=10",
		"vlan-mode=native-untagged tag=20", "vlan-mode=native-untagged tag=10 trunks=20",
	};
	struct ofp_port_conf c = sim_port_conf(vlans[rnd(ARRAY_SIZE(vlans))]);

	c.protected_port = !rnd(5);
	c.mac_limit = rnd(4) ? 0 : 1 + rnd(3);
	c.learning = rnd(8);
	c.flood = rnd(8);
	return c;
}

static void
random_dsts(uint16_t port)
{
	uint32_t dst[N_DSTS];
	uint16_t n = 0;

	for (uint32_t d = 1; d < N_DSTS; d++)
		if (rnd(2))
			dst[n++] = d;
	ofp_port_set_tun_dsts(s->ofp, port, dst, n);
}

static void
random_port(uint16_t port)
{
	/* Each number has a kind that it is most of the time: patches come in pairs, 2 and 3, 4 and 5. */
	static const enum ofp_port_kind usual[N_PORTS + 1] = {
		[2] = OFP_PORT_PATCH, [3] = OFP_PORT_PATCH, [4] = OFP_PORT_PATCH, [5] = OFP_PORT_PATCH,
		[6] = OFP_PORT_TUNNEL, [7] = OFP_PORT_TUNNEL, [8] = OFP_PORT_INTERNAL, [9] = OFP_PORT_INTERNAL,
	};
	struct ofp_port_conf c = random_conf();
	enum ofp_port_kind kind = rnd(5) ? usual[port] : rnd(4);
	unsigned b = port < 4 ? port - 2u : port < 6 ? port - 3u : rnd(N_BRIDGES);

	if (ofp_port_add(s->ofp, bridge[b % N_BRIDGES], port, kind, &c, NULL))
		return;
	ofp_port_set_up(s->ofp, port, true);
	if (kind == OFP_PORT_PATCH && rnd(4))
		ofp_port_set_patch_peer(s->ofp, port, port ^ 1);
	if (kind == OFP_PORT_TUNNEL)
		random_dsts(port);
}

static void
random_bridge_set(void)
{
	struct ofp_bridge_conf c;

	opt_defaults(ofp_bridge_opts, &c);
	c.mac_limit = rnd(3) ? 1000 : 3 + rnd(8);
	c.forward_reserved = rnd(2);
	ofp_bridge_set(s->ofp, bridge[rnd(N_BRIDGES)], &c, NULL);
}

static void
random_bridge_replace(void)
{
	unsigned i = rnd(N_BRIDGES);
	char name[8];

	snprintf(name, sizeof name, "b%u", i);
	ofp_bridge_del(s->ofp, bridge[i]);
	bridge[i] = sim_bridge(s, name);
}

static void
random_change(void)
{
	static const int vids[] = { 0, 10, 20, 30 };
	uint16_t port = (uint16_t)(1 + rnd(N_PORTS)), b = bridge[rnd(N_BRIDGES)];
	struct ofp_tun_path path = { .src = sim_mac(0x900) };
	struct ofp_port_conf c;

	switch (rnd(16)) {
	case 0:
	case 1:
	case 2:
		random_port(port);
		break;
	case 3:
		ofp_port_del(s->ofp, port);
		break;
	case 4:
		c = random_conf();
		ofp_port_set(s->ofp, port, &c, NULL);
		break;
	case 5:
		ofp_port_set_up(s->ofp, port, rnd(2));
		break;
	case 6:
		ofp_port_set_patch_peer(s->ofp, port, rnd(4) ? port ^ 1 : rnd(N_PORTS + 1));
		break;
	case 7:
		random_dsts(port);
		break;
	case 8:
	case 9:
		path.underlay_port = rnd(2) ? 40 : rnd(2) ? 8 + rnd(2) : rnd(N_PORTS);
		if (rnd(4))
			path.next_hop = sim_mac(rnd(N_STATIONS));
		ofp_set_tun_path(s->ofp, 1 + rnd(N_DSTS), &path);
		break;
	case 10:
		ofp_mac_add(s->ofp, b, (uint16_t)vids[rnd(4)], sim_mac(rnd(N_STATIONS)), port, NULL);
		break;
	case 11:
	case 12:
		ofp_mac_del(s->ofp, b, (uint16_t)vids[rnd(4)], sim_mac(rnd(N_STATIONS)), NULL);
		break;
	case 13:
		ofp_mac_flush(s->ofp, b, rnd(2) ? port : 0, rnd(2) ? vids[rnd(4)] : -1);
		break;
	case 14:
		ofp_tick(s->ofp, clock_ms() + (rnd(4) ? 0 : 400 * 1000));
		break;
	case 15:
		if (!rnd(10))
			random_bridge_replace();
		else if (!rnd(2))
			random_bridge_set();
		break;
	}
}

/* --- The test ----------------------------------------------------------------------------------- */

static void
run(uint64_t with_seed, unsigned steps)
{
	char name[8];

	seed = with_seed;
	s = sim_create();
	cache = xcalloc(N_SLOTS, sizeof *cache);
	n_pending = 0;
	for (unsigned i = 0; i < N_BRIDGES; i++) {
		snprintf(name, sizeof name, "b%u", i);
		bridge[i] = sim_bridge(s, name);
	}
	for (uint16_t p = 1; p <= N_PORTS; p++)
		random_port(p);
	sim_commit(s);
	for (step = 0; step < steps; step++) {
		struct flow_key k;
		bool settled = rnd(4);

		if (!rnd(30)) {
			for (unsigned n = 1 + rnd(3); n; n--)
				random_change();
			sim_commit(s);
		}
		k = random_key();
		if (settled)
			drain_learning();
		packet(&k, settled);
	}
	free(cache);
	sim_destroy(s);
}

static void
a_cached_answer_is_always_the_fresh_one(void **state)
{
	(void)state;
	n_compared = n_hits = n_stale = n_learned = 0;
	for (unsigned i = 0; i < 10; i++)
		run(i + 1, STEPS / 10);
	print_message("%u steps: %u hits, %u of them marked, %u compared, %u learned\n", STEPS, n_hits, n_stale,
		      n_compared, n_learned);
	/* The test has looked at something. */
	assert_true(n_compared > STEPS / 10);
	assert_true(n_stale > STEPS / 100 && n_stale < n_hits / 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cached_answer_is_always_the_fresh_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
