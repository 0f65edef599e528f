/* SPDX-License-Identifier: Apache-2.0 */
/* Bundles, in 1.4 and as the ONF's extension of 1.3. */
#include "ofproto/agent/agent_priv.h"
#include "tests/ofproto/agent/peer.h"

static const uint16_t both = OFBF_ATOMIC | OFBF_ORDERED;

static enum of_msg_form
form(const struct peer *p)
{
	return p->version >= OF14 ? OFMF_STD : OFMF_ONF;
}

static void
control(struct peer *p, enum of_bundle_type type, uint32_t id, uint16_t flags, uint32_t xid)
{
	const struct of_bundle_control q = { .bundle_id = id, .type = type, .flags = flags };

	peer_send_form(p, OFK_BUNDLE_CONTROL, form(p), xid, &q);
}

static void
expect_control(struct peer *p, enum of_bundle_type type, uint32_t id)
{
	const struct of_bundle_control *r = EXPECT(p, OFK_BUNDLE_CONTROL);

	assert_int_equal(r->type, type);
	assert_int_equal(r->bundle_id, id);
	assert_int_equal(p->msg.form, form(p));
}

static void
add(struct peer *p, uint32_t id, uint16_t flags, uint32_t xid, enum of_kind kind, const void *body)
{
	const struct of_msg inner = { .version = p->version, .kind = kind, .xid = xid, .body = body };
	struct of_buf b = { 0 };
	struct of_bundle_add q = { .bundle_id = id, .flags = flags, .inner = &inner };

	assert_int_equal(of_encode(&b, &inner), 0);
	q.raw = (struct of_data){ b.data, b.len };
	peer_send_form(p, OFK_BUNDLE_ADD, form(p), xid, &q);
	of_buf_fini(&b);
}

static struct of_flow_mod
flow_mod(uint16_t priority)
{
	return (struct of_flow_mod){ .command = OFFC_ADD, .priority = priority, .buffer_id = (uint32_t)OF_NO_BUFFER,
				     .out_port = (uint32_t)OFPP_ANY, .out_group = OFG_ANY };
}

static void
everything_in_one_write_is_committed_together(void **state)
{
	(void)state;
	configure();
	for (uint8_t v = OF13; v <= OF14; v++) {
		const struct of_flow_mod fm = flow_mod(1);
		const struct of_group_mod gm = { .command = OFGC_ADD, .type = OFGT_ALL, .group_id = 1 };
		struct peer *p = client(v);

		fake.n_flow_mods = fake.n_group_mods = fake.n_bundle_commits = 0;
		fake.hold_commits = true;
		control(p, OFB_OPEN_REQUEST, 7, both, 1);
		for (unsigned i = 0; i < 500; i++)
			add(p, 7, both, 100 + i, OFK_FLOW_MOD, &fm);
		add(p, 7, both, 99, OFK_GROUP_MOD, &gm);
		expect_control(p, OFB_OPEN_REPLY, 7);
		assert_int_equal(fake.n_flow_mods, 0);
		control(p, OFB_CLOSE_REQUEST, 7, both, 2);
		expect_control(p, OFB_CLOSE_REPLY, 7);
		control(p, OFB_COMMIT_REQUEST, 7, both, 3);
		UNTIL(fake.n_held);
		assert_int_equal(fake.n_flow_mods, 500);
		assert_int_equal(fake.n_group_mods, 1);
		assert_int_equal(fake.n_bundle_commits, 1);
		peer_read(p);
		assert_int_equal(p->len, 0);
		/* The answer means that no packet follows the old rules. */
		fake_release();
		expect_control(p, OFB_COMMIT_REPLY, 7);
		fake.hold_commits = false;
		EXPECT_NOTHING(p);
		peer_close(p);
	}
}

static void
one_failure_undoes_all(void **state)
{
	const struct of_flow_mod good = flow_mod(1), bad = flow_mod(666);
	struct peer *p;

	(void)state;
	configure();
	fake.fail_flow_mod = OFE_FMFC_TABLE_FULL;
	p = client(OF14);
	control(p, OFB_OPEN_REQUEST, 7, both, 1);
	expect_control(p, OFB_OPEN_REPLY, 7);
	add(p, 7, both, 10, OFK_FLOW_MOD, &good);
	add(p, 7, both, 11, OFK_FLOW_MOD, &bad);
	add(p, 7, both, 12, OFK_FLOW_MOD, &good);
	control(p, OFB_COMMIT_REQUEST, 7, both, 3);
	EXPECT_ERROR(p, OFE_FMFC_TABLE_FULL, 11);
	EXPECT_ERROR(p, OFE_BFC_MSG_FAILED, 3);
	assert_int_equal(fake.n_aborts, 1);
	assert_int_equal(fake.n_bundle_commits, 0);
	/* It is gone. */
	control(p, OFB_COMMIT_REQUEST, 7, both, 4);
	EXPECT_ERROR(p, OFE_BFC_BAD_ID, 4);
	peer_close(p);
}

static void
a_message_that_could_not_be_added_fails_the_commit(void **state)
{
	const struct of_flow_mod fm = flow_mod(1);
	struct peer *p;

	(void)state;
	configure();
	p = client(OF14);
	control(p, OFB_OPEN_REQUEST, 7, both, 1);
	expect_control(p, OFB_OPEN_REPLY, 7);
	add(p, 7, both, 10, OFK_FLOW_MOD, &fm);
	add(p, 7, both, 11, OFK_BARRIER_REQUEST, NULL);
	EXPECT_ERROR(p, OFE_BFC_MSG_UNSUP, 11);
	control(p, OFB_COMMIT_REQUEST, 7, both, 3);
	EXPECT_ERROR(p, OFE_BFC_MSG_FAILED, 3);
	assert_int_equal(fake.n_flow_mods, 0);
	peer_close(p);
}

static void
unknown_ids_are_errors_and_the_connection_stays(void **state)
{
	struct peer *p;

	(void)state;
	configure();
	p = client(OF13);
	/* As one controller begins. */
	control(p, OFB_CLOSE_REQUEST, 1, both, 2);
	EXPECT_ERROR(p, OFE_BFC_BAD_ID, 2);
	control(p, OFB_DISCARD_REQUEST, 1, both, 3);
	EXPECT_ERROR(p, OFE_BFC_BAD_ID, 3);
	control(p, OFB_COMMIT_REQUEST, 1, both, 4);
	EXPECT_ERROR(p, OFE_BFC_BAD_ID, 4);
	EXPECT_NOTHING(p);
	peer_close(p);
}

static void
the_life_of_a_bundle_is_checked(void **state)
{
	const struct of_flow_mod fm = flow_mod(1);
	struct peer *p;

	(void)state;
	configure();
	p = client(OF14);
	/* Opened twice: neither is left. */
	control(p, OFB_OPEN_REQUEST, 1, both, 1);
	expect_control(p, OFB_OPEN_REPLY, 1);
	control(p, OFB_OPEN_REQUEST, 1, both, 2);
	EXPECT_ERROR(p, OFE_BFC_BAD_ID, 2);
	control(p, OFB_CLOSE_REQUEST, 1, both, 3);
	EXPECT_ERROR(p, OFE_BFC_BAD_ID, 3);
	/* Closed twice. */
	control(p, OFB_OPEN_REQUEST, 1, both, 1);
	expect_control(p, OFB_OPEN_REPLY, 1);
	control(p, OFB_CLOSE_REQUEST, 1, both, 1);
	expect_control(p, OFB_CLOSE_REPLY, 1);
	control(p, OFB_CLOSE_REQUEST, 1, both, 4);
	EXPECT_ERROR(p, OFE_BFC_BUNDLE_CLOSED, 4);
	/* Added to when closed. */
	control(p, OFB_OPEN_REQUEST, 1, both, 1);
	expect_control(p, OFB_OPEN_REPLY, 1);
	control(p, OFB_CLOSE_REQUEST, 1, both, 1);
	expect_control(p, OFB_CLOSE_REPLY, 1);
	add(p, 1, both, 5, OFK_FLOW_MOD, &fm);
	EXPECT_ERROR(p, OFE_BFC_BUNDLE_CLOSED, 5);
	/* Other flags. */
	control(p, OFB_OPEN_REQUEST, 1, both, 1);
	expect_control(p, OFB_OPEN_REPLY, 1);
	add(p, 1, OFBF_ATOMIC, 6, OFK_FLOW_MOD, &fm);
	EXPECT_ERROR(p, OFE_BFC_BAD_FLAGS, 6);
	/* Discarded. */
	control(p, OFB_OPEN_REQUEST, 1, both, 1);
	expect_control(p, OFB_OPEN_REPLY, 1);
	add(p, 1, both, 7, OFK_FLOW_MOD, &fm);
	control(p, OFB_DISCARD_REQUEST, 1, both, 1);
	expect_control(p, OFB_DISCARD_REPLY, 1);
	/* Not opened, only added to. */
	add(p, 9, both, 8, OFK_FLOW_MOD, &fm);
	control(p, OFB_COMMIT_REQUEST, 9, both, 1);
	expect_control(p, OFB_COMMIT_REPLY, 9);
	assert_int_equal(fake.n_flow_mods, 1);
	peer_close(p);
}

static void
there_is_a_limit_and_what_is_left_goes_with_the_connection(void **state)
{
	const struct of_flow_mod fm = flow_mod(1);
	struct peer *p;

	(void)state;
	configure();
	p = client(OF14);
	for (unsigned i = 0; i < 64; i++) {
		control(p, OFB_OPEN_REQUEST, i, both, 1);
		expect_control(p, OFB_OPEN_REPLY, i);
		add(p, i, both, 2, OFK_FLOW_MOD, &fm);
	}
	control(p, OFB_OPEN_REQUEST, 64, both, 3);
	EXPECT_ERROR(p, OFE_BFC_OUT_OF_BUNDLES, 3);
	assert_true(t.agent->bundle_bytes > 64 * 48);
	peer_close(p);
	UNTIL(!info().i.connected);
	assert_int_equal(t.agent->bundle_bytes, 0);
	assert_int_equal(fake.n_flow_mods, 0);
}

static void
packets_and_ports_come_after_the_rules(void **state)
{
	static const uint8_t frame[60];
	struct of_packet_out po = { .buffer_id = (uint32_t)OF_NO_BUFFER, .in_port = (uint32_t)OFPP_CONTROLLER,
				    .frame = { frame, sizeof frame } };
	struct of_port_mod pm = { .port_no = 2, .hw_addr = { { 2, 0, 0, 0, 0, 2 } }, .config = OFPPC_NO_FWD,
				  .mask = OFPPC_NO_FWD };
	const struct of_flow_mod fm = flow_mod(1);
	struct peer *p;

	(void)state;
	configure();
	p = client(OF14);
	add(p, 1, both, 1, OFK_PACKET_OUT, &po);
	add(p, 1, both, 2, OFK_PORT_MOD, &pm);
	add(p, 1, both, 3, OFK_FLOW_MOD, &fm);
	control(p, OFB_COMMIT_REQUEST, 1, both, 4);
	expect_control(p, OFB_COMMIT_REPLY, 1);
	assert_int_equal(fake.n_packet_outs, 1);
	assert_int_equal(fake.packet_out.flow_mods_before, 1);
	assert_int_equal(fake.port_config[2], OFPPC_NO_FWD);
	/* A port that is not there undoes the rules too. */
	pm.port_no = 77;
	add(p, 1, both, 1, OFK_FLOW_MOD, &fm);
	add(p, 1, both, 2, OFK_PORT_MOD, &pm);
	control(p, OFB_COMMIT_REQUEST, 1, both, 4);
	EXPECT_ERROR(p, OFE_PMFC_BAD_PORT, 2);
	EXPECT_ERROR(p, OFE_BFC_MSG_FAILED, 4);
	assert_int_equal(fake.n_aborts, 1);
	peer_close(p);
}

static void
hang_up(void)
{
	conn_close(TAILQ_FIRST(&agent_bridge(t.agent, FAKE_BRIDGE)->conns), "does not read");
}

static void
the_connection_may_go_while_its_bundle_is_committed(void **state)
{
	const struct of_flow_mod fm = flow_mod(1);
	struct peer *p;

	(void)state;
	configure();
	fake.on_bundle_commit = hang_up;
	fake.hold_commits = true;
	p = client(OF14);
	add(p, 1, both, 1, OFK_FLOW_MOD, &fm);
	add(p, 2, both, 2, OFK_FLOW_MOD, &fm);
	control(p, OFB_COMMIT_REQUEST, 1, both, 3);
	peer_expect_eof(p);
	UNTIL(!info().i.connected);
	assert_int_equal(fake.n_bundle_commits, 1);
	assert_int_equal(t.agent->bundle_bytes, 0);
	/* Nothing is answered later to who is gone. */
	assert_int_equal(fake.n_held, 0);
	peer_close(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(everything_in_one_write_is_committed_together, setup, teardown),
		cmocka_unit_test_setup_teardown(one_failure_undoes_all, setup, teardown),
		cmocka_unit_test_setup_teardown(a_message_that_could_not_be_added_fails_the_commit, setup, teardown),
		cmocka_unit_test_setup_teardown(unknown_ids_are_errors_and_the_connection_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(the_life_of_a_bundle_is_checked, setup, teardown),
		cmocka_unit_test_setup_teardown(there_is_a_limit_and_what_is_left_goes_with_the_connection, setup, teardown),
		cmocka_unit_test_setup_teardown(packets_and_ports_come_after_the_rules, setup, teardown),
		cmocka_unit_test_setup_teardown(the_connection_may_go_while_its_bundle_is_committed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
