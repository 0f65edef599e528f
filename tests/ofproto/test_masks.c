/* SPDX-License-Identifier: Apache-2.0 */
/* The number that tells the datapath whether to ask for the masks of ports again. */
#include "tests/ofproto/pipesim.h"

enum { N_PORTS = 12, N_EDITS = 3000 };

static unsigned seed = 1;

static uint32_t
rnd(uint32_t n)
{
	return (uint32_t)rand_r(&seed) % n;
}

static uint64_t
masks(struct flow_key *m)
{
	memset(m, 0, N_PORTS * sizeof *m);
	for (uint16_t i = 0; i < N_PORTS; i++)
		ofp_xlate.port_mask(s->view, i, &m[i]);
	return ofp_xlate.masks_version(s->view);
}

/* A port that is no port comes as one; else it changes, or goes. */
static void
edit_port(uint16_t port, const uint16_t *bridges)
{
	static const enum ofp_port_kind kinds[] = { OFP_PORT_PLAIN, OFP_PORT_TUNNEL, OFP_PORT_PATCH };
	struct ofp_port_conf conf = sim_port_conf("");

	if (!ofp_port_find(s->ofp, port))
		assert_int_equal(ofp_port_add(s->ofp, bridges[rnd(2)], port, kinds[rnd(3)], &conf, NULL), 0);
	else if (!rnd(3))
		ofp_port_del(s->ofp, port);
	else
		ofp_port_set_up(s->ofp, port, rnd(2));
}

static void
edit(const uint16_t *bridges)
{
	static const char *const rules[] = {
		"priority=0,actions=normal", "tcp,tp_dst=80,actions=2", "ip,nw_dst=10.0.0.0/8,actions=2",
		"table=3,arp,arp_op=1,actions=2", "reg0=1,actions=flood", "tun_src=10.0.0.1,actions=1",
	};
	uint16_t bridge = bridges[rnd(2)];

	switch (rnd(6)) {
	case 0:
		edit_port((uint16_t)(1 + rnd(N_PORTS - 1)), bridges);
		break;
	case 1:
		ofp_of_reset(s->ofp, bridge, rnd(2));
		break;
	case 2:
		ofp_of_set_config(s->ofp, bridge, (uint16_t)rnd(2));
		break;
	case 3:
		ofp_port_set_patch_peer(s->ofp, (uint16_t)(1 + rnd(N_PORTS - 1)), (uint16_t)(1 + rnd(N_PORTS - 1)));
		break;
	default:
		flow_on(bridge, rules[rnd(ARRAY_SIZE(rules))]);
		break;
	}
}

static void
masks_that_differ_have_another_version(void **state)
{
	const uint16_t bridges[] = { br, sim_bridge(s, "br1") };
	static struct flow_key was[N_PORTS], is[N_PORTS];
	unsigned n_same = 0, n_other = 0, n_views = s->n_views;
	uint64_t before, next;

	(void)state;
	sim_commit(s);
	before = masks(was);
	assert_int_not_equal(before, 0);
	for (unsigned i = 0; i < N_EDITS; i++) {
		edit(bridges);
		sim_commit(s);
		next = masks(is);
		assert_true(next >= before);
		if (next == before)
			assert_memory_equal(is, was, sizeof is);
		n_same += next == before && s->n_views != n_views;
		n_other += next != before;
		before = next;
		n_views = s->n_views;
		memcpy(was, is, sizeof is);
	}
	/* It would be of no use if it were always another. */
	assert_true(n_same > N_EDITS / 10);
	assert_true(n_other > N_EDITS / 10);
}

/* What happens all the time. */
static void
a_port_that_goes_down_asks_for_no_masks(void **state)
{
	uint64_t before;

	(void)state;
	flow("tcp,tp_dst=80,actions=2");
	sim_commit(s);
	before = ofp_xlate.masks_version(s->view);
	ofp_port_set_up(s->ofp, 3, false);
	flow("tcp,tp_dst=81,actions=2");
	sim_commit(s);
	assert_int_equal(ofp_xlate.masks_version(s->view), before);
	flow("tun_src=10.0.0.1,actions=2");
	sim_commit(s);
	assert_true(ofp_xlate.masks_version(s->view) > before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(masks_that_differ_have_another_version),
		T(a_port_that_goes_down_asks_for_no_masks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
