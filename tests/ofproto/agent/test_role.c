/* SPDX-License-Identifier: Apache-2.0 */
/* Roles of several controllers, who is told of what, and what happens without any. */
#include "tests/ofproto/agent/peer.h"

static uint32_t
ask_role(struct peer *p, enum of_msg_form form, uint32_t role, uint64_t generation, uint64_t *got_generation)
{
	const struct of_role_msg q = { .role = role, .generation_id = generation }, *r;

	peer_send_form(p, OFK_ROLE_REQUEST, form, 4, &q);
	r = EXPECT(p, OFK_ROLE_REPLY);
	assert_int_equal(p->msg.form, form);
	assert_int_equal(p->msg.xid, 4);
	if (got_generation)
		*got_generation = r->generation_id;
	return r->role;
}

static const struct of_flow_mod fm = { .command = OFFC_ADD, .buffer_id = (uint32_t)OF_NO_BUFFER,
				       .out_port = (uint32_t)OFPP_ANY, .out_group = OFG_ANY };

static void
a_new_master_demotes_the_old_one(void **state)
{
	const struct of_role_msg *rs;
	struct peer *a, *b;
	uint64_t gen;

	(void)state;
	configure();
	for (uint8_t v = OF12; v <= OF14; v++) {
		/* Enough to be told things. */
		const struct of_config conf = { .miss_send_len = 1 };

		of_agent_bridge_del(t.agent, FAKE_BRIDGE);
		configure();
		a = client(v);
		b = client(v);
		peer_send(a, OFK_SET_CONFIG, 1, &conf);
		assert_int_equal(ask_role(a, OFMF_STD, OFR_NOCHANGE, 0, &gen), OFR_EQUAL);
		assert_true(gen == UINT64_MAX);
		assert_int_equal(ask_role(a, OFMF_STD, OFR_MASTER, 5, &gen), OFR_MASTER);
		assert_true(gen == 5);
		assert_int_equal(ask_role(b, OFMF_STD, OFR_MASTER, 6, NULL), OFR_MASTER);
		if (v >= OF14) {
			rs = EXPECT(a, OFK_ROLE_STATUS);
			assert_int_equal(rs->role, OFR_SLAVE);
			assert_int_equal(rs->reason, OFRSR_MASTER_REQUEST);
			assert_true(rs->generation_id == 6);
		}
		assert_int_equal(ask_role(a, OFMF_STD, OFR_NOCHANGE, 0, NULL), OFR_SLAVE);
		/* The slave may look, and change nothing. */
		peer_send(a, OFK_FLOW_MOD, 9, &fm);
		EXPECT_ERROR(a, OFE_BRC_IS_SLAVE, 9);
		peer_send(a, OFK_FEATURES_REQUEST, 1, NULL);
		EXPECT(a, OFK_FEATURES_REPLY);
		peer_send(b, OFK_FLOW_MOD, 9, &fm);
		EXPECT_NOTHING(b);
		peer_close(a);
		peer_close(b);
	}
}

static void
an_old_generation_is_stale(void **state)
{
	static const struct {
		uint64_t first, second;
		bool ok;
	} rows[] = {
		{ 0, 0, true }, { 5, 5, true }, { 5, 4, false }, { 5, 6, true }, { UINT64_MAX, 0, true },
		{ 0, UINT64_MAX, false }, { 0, INT64_MAX, true }, { UINT64_MAX - 1, 3, true }, { 3, UINT64_MAX - 1, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct peer *p;

		configure();
		p = client(OF13);
		ask_role(p, OFMF_STD, OFR_SLAVE, rows[i].first, NULL);
		if (rows[i].ok) {
			assert_int_equal(ask_role(p, OFMF_STD, OFR_MASTER, rows[i].second, NULL), OFR_MASTER);
		} else {
			peer_send(p, OFK_ROLE_REQUEST, 8,
				  &(struct of_role_msg){ .role = OFR_MASTER, .generation_id = rows[i].second });
			EXPECT_ERROR(p, OFE_RRFC_STALE, 8);
			/* To be equal needs none. */
			assert_int_equal(ask_role(p, OFMF_STD, OFR_EQUAL, 0, NULL), OFR_EQUAL);
		}
		peer_close(p);
		of_agent_bridge_del(t.agent, FAKE_BRIDGE);
	}
}

static void
nicira_roles_work_on_1_0(void **state)
{
	struct peer *a, *b;

	(void)state;
	configure();
	a = client(OF10);
	b = client(OF10);
	assert_int_equal(ask_role(a, OFMF_NX, OFR_MASTER, 0, NULL), OFR_MASTER);
	assert_int_equal(ask_role(b, OFMF_NX, OFR_MASTER, 0, NULL), OFR_MASTER);
	peer_send(a, OFK_FLOW_MOD, 9, &fm);
	EXPECT(a, OFK_ERROR);
	peer_send(b, OFK_FLOW_MOD, 9, &fm);
	EXPECT_NOTHING(b);
	peer_close(a);
	peer_close(b);
}

/* --- Asynchronous configuration ----------------------------------------------------------------- */

static void
removed(enum of_removed_reason reason)
{
	const struct of_flow_removed fr = { .reason = reason, .cookie = 3 };

	fake.ev.flow_removed(fake.ev.arg, FAKE_BRIDGE, &fr);
}

static void
masks_apply_to_later_events_at_once(void **state)
{
	struct of_async off = { 0 }, on = { 0 };
	const struct of_flow_removed *fr;
	struct peer *p;

	(void)state;
	configure_dialler();
	p = controller(OF13);
	memset(off.has_packet_in, 1, 2);
	memset(off.has_port_status, 1, 2);
	memset(off.has_flow_removed, 1, 2);
	on = off;
	on.flow_removed[0] = 1 << OFRR_DELETE;
	on.port_status[0] = 1 << OFPPR_MODIFY;
	removed(OFRR_IDLE_TIMEOUT);
	fr = EXPECT(p, OFK_FLOW_REMOVED);
	assert_int_equal(fr->reason, OFRR_IDLE_TIMEOUT);
	assert_int_equal(fr->cookie, 3);
	peer_send(p, OFK_SET_ASYNC, 1, &off);
	EXPECT_NOTHING(p);
	removed(OFRR_IDLE_TIMEOUT);
	of_agent_port_changed(t.agent, 1, OFPPR_MODIFY);
	EXPECT_NOTHING(p);
	peer_send(p, OFK_SET_ASYNC, 1, &on);
	EXPECT_NOTHING(p);
	removed(OFRR_IDLE_TIMEOUT);
	of_agent_port_changed(t.agent, 1, OFPPR_ADD);
	of_agent_port_changed(t.agent, 1, OFPPR_MODIFY);
	removed(OFRR_DELETE);
	EXPECT(p, OFK_PORT_STATUS);
	EXPECT(p, OFK_FLOW_REMOVED);
	EXPECT_NOTHING(p);
	peer_close(p);
}

static void
the_defaults_are_told(void **state)
{
	(void)state;
	configure();
	for (uint8_t v = OF13; v <= OF14; v++) {
		const struct of_async *a;
		struct peer *p = client(v);

		peer_send(p, OFK_GET_ASYNC_REQUEST, 1, NULL);
		a = EXPECT(p, OFK_GET_ASYNC_REPLY);
		assert_int_equal(a->packet_in[0] & 7, 1 << OFPR_NO_MATCH | 1 << OFPR_ACTION);
		assert_int_equal(a->packet_in[1], 0);
		assert_int_equal(a->port_status[0], 7);
		assert_int_equal(a->port_status[1], 7);
		assert_int_equal(a->flow_removed[0] & 15, 15);
		assert_int_equal(a->flow_removed[1], 0);
		peer_close(p);
	}
}

static void
a_slave_hears_of_ports_only(void **state)
{
	struct peer *p;

	(void)state;
	configure_dialler();
	p = controller(OF13);
	ask_role(p, OFMF_STD, OFR_SLAVE, 1, NULL);
	removed(OFRR_DELETE);
	of_agent_port_changed(t.agent, 1, OFPPR_MODIFY);
	EXPECT(p, OFK_PORT_STATUS);
	EXPECT_NOTHING(p);
	peer_close(p);
}

static void
clients_hear_nothing_until_they_ask(void **state)
{
	const struct of_config conf = { .miss_send_len = 128 };
	struct of_async on = { .has_flow_removed = { true }, .flow_removed = { 1 << OFRR_DELETE } };
	struct peer *a, *b;

	(void)state;
	configure();
	a = client(OF13);
	b = client(OF14);
	removed(OFRR_DELETE);
	EXPECT_NOTHING(a);
	EXPECT_NOTHING(b);
	peer_send(a, OFK_SET_CONFIG, 1, &conf);
	peer_send(b, OFK_SET_ASYNC, 1, &on);
	EXPECT_NOTHING(a);
	EXPECT_NOTHING(b);
	removed(OFRR_DELETE);
	EXPECT(a, OFK_FLOW_REMOVED);
	EXPECT(b, OFK_FLOW_REMOVED);
	peer_close(a);
	peer_close(b);
}

static void
reasons_are_those_of_the_version(void **state)
{
	const struct of_flow_removed *fr;
	struct peer *p;

	(void)state;
	for (uint8_t v = OF10; v <= OF14; v++) {
		configure_dialler();
		p = controller(v);
		removed(OFRR_EVICTION);
		fr = EXPECT(p, OFK_FLOW_REMOVED);
		assert_int_equal(fr->reason, v >= OF14 ? OFRR_EVICTION : OFRR_DELETE);
		removed(OFRR_GROUP_DELETE);
		fr = EXPECT(p, OFK_FLOW_REMOVED);
		assert_int_equal(fr->reason, v >= OF11 ? OFRR_GROUP_DELETE : OFRR_DELETE);
		peer_close(p);
		of_agent_bridge_del(t.agent, FAKE_BRIDGE);
	}
}

/* --- Without controllers ------------------------------------------------------------------------ */

static void
tables_are_emptied_when_controllers_come_and_go(void **state)
{
	struct peer *p;

	(void)state;
	t.conf.fail_mode = OF_FAIL_STANDALONE;
	configure();
	/* The bridge began as a learning switch. */
	assert_int_equal(fake.n_resets, 0);
	configure_dialler();
	assert_int_equal(fake.n_resets, 1);
	assert_true(fake.reset_empty);
	p = controller(OF13);
	configure();
	assert_int_equal(fake.n_resets, 1);
	peer_close(p);
	/* Coming back flushes nothing. */
	p = controller(OF13);
	assert_int_equal(fake.n_resets, 1);
	t.conf.n_controllers = 0;
	configure();
	assert_int_equal(fake.n_resets, 2);
	assert_false(fake.reset_empty);
	t.conf.fail_mode = OF_FAIL_SECURE;
	configure();
	assert_int_equal(fake.n_resets, 3);
	assert_true(fake.reset_empty);
	peer_close(p);
}

static bool
failed_open(void)
{
	struct of_agent_bridge_info i;

	assert_true(of_agent_bridge_info(t.agent, FAKE_BRIDGE, &i));
	return i.failed_open;
}

static void
standalone_fails_open_after_three_probes(void **state)
{
	uint64_t lost;
	struct peer *p;

	(void)state;
	t.conf.fail_mode = OF_FAIL_STANDALONE;
	t.conf.probe_ms = 50;
	t.conf.max_backoff_ms = 10;
	configure_dialler();
	p = controller(OF13);
	assert_int_equal(fake.n_resets, 1);
	peer_close(p);
	UNTIL(!info().i.connected);
	lost = clock_ms();
	UNTIL(failed_open());
	assert_true(clock_ms() - lost >= 140);
	assert_int_equal(fake.n_resets, 2);
	assert_false(fake.reset_empty);
	/* It finds the tables empty. */
	p = controller(OF13);
	UNTIL(!failed_open());
	assert_int_equal(fake.n_resets, 3);
	assert_true(fake.reset_empty);
	peer_close(p);
}

static void
secure_goes_on_with_its_rules(void **state)
{
	uint64_t end;

	(void)state;
	t.conf.fail_mode = OF_FAIL_SECURE;
	t.conf.probe_ms = 10;
	t.conf.max_backoff_ms = 10;
	configure_dialler();
	assert_int_equal(fake.n_resets, 1);
	for (end = clock_ms() + 100; clock_ms() < end;)
		turn();
	assert_false(failed_open());
	assert_int_equal(fake.n_resets, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_new_master_demotes_the_old_one, setup, teardown),
		cmocka_unit_test_setup_teardown(an_old_generation_is_stale, setup, teardown),
		cmocka_unit_test_setup_teardown(nicira_roles_work_on_1_0, setup, teardown),
		cmocka_unit_test_setup_teardown(masks_apply_to_later_events_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(the_defaults_are_told, setup, teardown),
		cmocka_unit_test_setup_teardown(a_slave_hears_of_ports_only, setup, teardown),
		cmocka_unit_test_setup_teardown(clients_hear_nothing_until_they_ask, setup, teardown),
		cmocka_unit_test_setup_teardown(reasons_are_those_of_the_version, setup, teardown),
		cmocka_unit_test_setup_teardown(tables_are_emptied_when_controllers_come_and_go, setup, teardown),
		cmocka_unit_test_setup_teardown(standalone_fails_open_after_three_probes, setup, teardown),
		cmocka_unit_test_setup_teardown(secure_goes_on_with_its_rules, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
