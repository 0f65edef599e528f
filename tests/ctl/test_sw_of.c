/* SPDX-License-Identifier: Apache-2.0 */
/* OpenFlow in the switch: what the agent is told and gets, when rules are published, how they time out. */
#include "base/clock.h"
#include "ofproto/table.h"
#include "tests/ctl/fake_agent.h"
#include "tests/ctl/sw_fixture.h"

static uint16_t
bridge_id(struct fixture *f, const char *name)
{
	uint16_t id = 0;

	assert_true(sw_bridge_id(f->sw, name, &id));
	return id;
}

static void
agent_is_told_the_settings_of_each_bridge_when_they_change(void **state)
{
	struct fixture *f = *state;
	struct fake_agent_bridge *b;

	apply(f, "{'bridges':{'br0':{'controllers':['tcp:127.0.0.1:6653'],'fail-mode':'secure'},'br1':{}}}");
	b = &fake_agent->bridge[bridge_id(f, "br0")];
	assert_int_equal(b->n_sets, 1);
	assert_string_equal(b->name, "br0");
	assert_string_equal(b->controllers[0], "tcp:127.0.0.1:6653");
	assert_int_equal(b->conf.fail_mode, OF_FAIL_SECURE);
	assert_true(fake_agent->bridge[bridge_id(f, "br1")].set);
	/* What does not concern the agent does not bother it. */
	apply(f, "{'bridges':{'br0':{'controllers':['tcp:127.0.0.1:6653'],'fail-mode':'secure','mac-age':60}}}");
	assert_int_equal(b->n_sets, 1);
	apply(f, "{'bridges':{'br0':{'fail-mode':'secure','mac-age':60}}}");
	assert_int_equal(b->n_sets, 2);
	assert_int_equal(b->n_controllers, 0);
	/* The datapath id follows the address that it is made of. */
	apply(f, "{'bridges':{'br0':{'hwaddr':'02:00:00:00:00:0b'}}}");
	assert_int_equal(b->conf.datapath_id, 0x02000000000b);
	apply(f, "{}");
	for (unsigned i = 0; i < OFP_MAX_BRIDGES; i++)
		assert_false(fake_agent->bridge[i].set);
}

static void
agent_is_told_of_ports_that_come_change_and_go(void **state)
{
	struct fixture *f = *state;
	struct of_port port = { 0 };
	char want[100];
	uint16_t id;

	apply(f, DOC(VM1));
	id = sw_port_id(f->sw, "vm1");
	snprintf(want, sizeof want, "add %u;", id);
	assert_string_equal(fake_agent->log, want);
	assert_true(fake_agent->ops.port(fake_agent->ops.arg, id, &port));
	assert_string_equal(port.name, "vm1");
	assert_int_equal(port.state, OFPPS_LIVE);
	assert_false(mac_is_zero(port.hw_addr));

	fake_agent->log[0] = '\0';
	fake_port("vm1")->link = (struct port_link){ .reason = "unplugged" };
	sw_tick(f->sw, 1000);
	snprintf(want, sizeof want, "mod %u;", id);
	assert_string_equal(fake_agent->log, want);
	fake_agent->ops.port(fake_agent->ops.arg, id, &port);
	assert_int_equal(port.state, OFPPS_LINK_DOWN);

	fake_agent->log[0] = '\0';
	apply(f, DOC(""));
	snprintf(want, sizeof want, "del %u;", id);
	assert_string_equal(fake_agent->log, want);
	assert_false(fake_agent->ops.port(fake_agent->ops.arg, id, &port));
}

static void
what_is_not_counted_of_a_port_is_all_ones(void **state)
{
	struct fixture *f = *state;
	struct of_port_row row = { .port_no = 77 };
	uint16_t id;

	apply(f, DOC(VM1));
	id = sw_port_id(f->sw, "vm1");
	fake_agent->ops.port_stats(fake_agent->ops.arg, id, &row);
	assert_int_equal(row.port_no, 77);
	assert_int_equal(row.rx_packets, id);
	assert_int_equal(row.rx_dropped, 7);
	assert_int_equal(row.tx_dropped, 0);
	assert_int_equal(row.rx_errors, 0);
	assert_true(row.collisions == UINT64_MAX && row.rx_crc_err == UINT64_MAX && row.rx_over_err == UINT64_MAX);
	assert_true(row.duration_s < 100);
	fake_agent->ops.port_stats(fake_agent->ops.arg, 900, &row);
	assert_true(row.rx_packets == UINT64_MAX);
}

static void
count(void *arg)
{
	++*(unsigned *)arg;
}

static void
agent_is_answered_when_its_changes_are_effective(void **state)
{
	struct fixture *f = *state;
	unsigned n = 0;

	apply(f, DOC(VM1));
	fake_agent->ops.commit(fake_agent->ops.arg, count, &n);
	sw_poll(f->sw);
	assert_int_equal(n, 0);
	grace(f);
	assert_int_equal(n, 1);
	/* What is under way when all ends is answered too. */
	fake_agent->ops.commit(fake_agent->ops.arg, count, &n);
	sw_destroy(f->sw);
	assert_int_equal(n, 2);
	f->sw = sw_create(&(struct dp_conf){ .n_lcores = 1 }, NULL, f->store, NULL, NULL);
}

static void
internal_port_of_the_bridges_name_is_local(void **state)
{
	struct fixture *f = *state;

	apply(f, DOC("'br0':{'type':'internal'},'leg':{'type':'internal'},'vm1':{'type':'vhost-user'}"));
	assert_int_equal(ofp_port_no(sw_ofp(f->sw), sw_port_id(f->sw, "br0")), (uint32_t)OFPP_LOCAL);
	assert_int_equal(ofp_port_no(sw_ofp(f->sw), sw_port_id(f->sw, "leg")), sw_port_id(f->sw, "leg"));
	assert_int_equal(ofp_port_by_no(sw_ofp(f->sw), bridge_id(f, "br0"), (uint32_t)OFPP_LOCAL), sw_port_id(f->sw, "br0"));
}

static void
add_rule(struct fixture *f, uint16_t idle_timeout, uint32_t reg)
{
	const struct of_who who = { .version = OF13 };
	struct of_flow_mod fm = { .version = OF13, .command = OFFC_ADD, .idle_timeout = idle_timeout,
				  .out_port = (uint32_t)OFPP_ANY, .out_group = OFG_ANY, .buffer_id = (uint32_t)OF_NO_BUFFER };
	struct of_error oe = { 0 };

	fm.match.flow.reg[0] = be32(reg);
	fm.match.mask.reg[0] = UINT32_MAX;
	assert_int_equal(of_flow_mod(ofp_pipe(sw_ofp(f->sw), bridge_id(f, "br0")), &who, &fm, &oe), 0);
}

static uint64_t
n_rules(struct fixture *f)
{
	struct of_pipe_stats st;

	of_pipe_stats(ofp_pipe(sw_ofp(f->sw), bridge_id(f, "br0")), &st);
	return st.n_rules;
}

static void
rules_of_one_turn_are_published_once(void **state)
{
	struct fixture *f = *state;
	unsigned commits;

	apply(f, DOC(VM1));
	grace(f);
	commits = fake_dp_commits(sw_dp(f->sw));
	for (uint32_t i = 1; i <= 100; i++)
		add_rule(f, 0, i);
	assert_int_equal(fake_dp_commits(sw_dp(f->sw)), commits);
	sw_poll(f->sw);
	assert_int_equal(fake_dp_commits(sw_dp(f->sw)), commits + 1);
	sw_poll(f->sw);
	assert_int_equal(fake_dp_commits(sw_dp(f->sw)), commits + 1);
}

static void
rules_time_out_by_the_tick(void **state)
{
	struct fixture *f = *state;
	uint64_t before, now = clock_ms();

	apply(f, DOC(VM1));
	before = n_rules(f);
	add_rule(f, 1, 7);
	sw_poll(f->sw);
	assert_int_equal(n_rules(f), before + 1);
	for (unsigned i = 0; i < 40 && n_rules(f) > before; i++) {
		sw_tick_rules(f->sw, now += 100);
		grace(f);
	}
	assert_int_equal(n_rules(f), before);
}

static void
state_tells_what_openflow_is_up_to(void **state)
{
	struct fixture *f = *state;
	json_t *s, *of;

	apply(f, "{'bridges':{'br0':{'ports':{'vm1':{'type':'vhost-user'}}}}}");
	s = sw_state(f->sw);
	of = json_object_get(json_array_get(json_object_get(s, "bridges"), 0), "openflow");
	assert_true(json_is_true(json_object_get(of, "learning_switch")));
	assert_int_equal(json_integer_value(json_object_get(of, "rules")), 1);
	assert_int_equal(json_integer_value(json_object_get(of, "controllers")), 0);
	json_decref(s);
	add_rule(f, 0, 7);
	sw_poll(f->sw);
	apply(f, "{'bridges':{'br0':{'controllers':['tcp:h','tcp:i'],'ports':{'vm1':{'type':'vhost-user'}}}}}");
	s = sw_state(f->sw);
	of = json_object_get(json_array_get(json_object_get(s, "bridges"), 0), "openflow");
	assert_true(json_is_false(json_object_get(of, "learning_switch")));
	assert_int_equal(json_integer_value(json_object_get(of, "rules")), 2);
	assert_int_equal(json_integer_value(json_object_get(of, "controllers")), 2);
	assert_int_equal(json_integer_value(json_object_get(of, "connected")), 1);
	json_decref(s);
}

static void
packets_for_controllers_reach_the_agent(void **state)
{
	struct fixture *f = *state;
	const struct dp_conf *c = fake_dp_conf(sw_dp(f->sw));

	c->punt(c->arg, 1, "x", 1, "frame", 5, 5);
	assert_int_equal(fake_agent->n_punts, 1);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(agent_is_told_the_settings_of_each_bridge_when_they_change),
		T(agent_is_told_of_ports_that_come_change_and_go),
		T(what_is_not_counted_of_a_port_is_all_ones),
		T(agent_is_answered_when_its_changes_are_effective),
		T(internal_port_of_the_bridges_name_is_local),
		T(rules_of_one_turn_are_published_once),
		T(rules_time_out_by_the_tick),
		T(state_tells_what_openflow_is_up_to),
		T(packets_for_controllers_reach_the_agent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
