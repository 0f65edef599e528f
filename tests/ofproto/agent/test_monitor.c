/* SPDX-License-Identifier: Apache-2.0 */
/* Flow monitors: what is there, what changes, and who does not keep up. */
#include "ofproto/agent/agent_priv.h"
#include "tests/ofproto/agent/peer.h"

enum { ALL = OFMONF_INITIAL | OFMONF_ADD | OFMONF_REMOVED | OFMONF_MODIFY | OFMONF_INSTRUCTIONS };

static enum of_msg_form
form(const struct peer *p)
{
	return p->version >= OF14 ? OFMF_STD : p->version == OF13 ? OFMF_ONF : OFMF_NX;
}

static void
watch(struct peer *p, uint32_t id, uint16_t flags, uint8_t table, uint32_t xid)
{
	const struct of_monitor_request r = { .monitor_id = id, .flags = flags, .table_id = table,
					      .out_port = (uint32_t)OFPP_ANY, .out_group = OFG_ANY };
	const struct of_monitor_requests q = { .n = 1, .r = &r };

	peer_send_form(p, OFK_FLOW_MONITOR_REQUEST, form(p), xid, &q);
}

static void
happens(enum of_monitor_event ev, uint8_t table, const void *owner, uint32_t xid)
{
	static const struct omatch any;
	const struct of_flow_row row = { .match = &any, .table_id = table, .priority = 7, .cookie = 9 };

	fake.ev.flow_changed(fake.ev.arg, FAKE_BRIDGE, ev, &row, 0, owner, xid);
}

/* The events of the next reply. */
static const struct of_monitor_row *
expect_rows(struct peer *p, unsigned n, uint32_t xid)
{
	const struct of_rows *rows = EXPECT(p, OFK_FLOW_MONITOR_REPLY);

	assert_int_equal(rows->n, n);
	assert_int_equal(p->msg.xid, xid);
	return rows->rows;
}

static void
what_is_there_comes_first_and_then_changes(void **state)
{
	static const uint8_t versions[] = { OF10, OF13, OF14 };

	(void)state;
	configure();
	fake.many_rules = 3;
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		const struct of_monitor_row *row;
		struct peer *p = client(versions[i]);

		watch(p, 1, ALL, OFTT_ALL, 55);
		row = expect_rows(p, 3, 55);
		assert_true(row->event == OFME_INITIAL || (row->event == OFME_ADDED && versions[i] < OF14));
		happens(OFME_ADDED, 0, NULL, 0);
		happens(OFME_MODIFIED, 5, NULL, 0);
		happens(OFME_REMOVED, 0, NULL, 0);
		row = expect_rows(p, 3, 0);
		assert_int_equal(row[0].event, OFME_ADDED);
		assert_int_equal(row[0].cookie, 9);
		assert_int_equal(row[0].priority, 7);
		assert_int_equal(row[1].event, OFME_MODIFIED);
		assert_int_equal(row[1].table_id, 5);
		assert_int_equal(row[2].event, OFME_REMOVED);
		peer_close(p);
		UNTIL(!info().i.connected);
	}
}

static void
only_what_was_asked_for_is_told(void **state)
{
	struct peer *p;

	(void)state;
	configure();
	p = client(OF14);
	watch(p, 1, OFMONF_ADD, 3, 5);
	expect_rows(p, 0, 5);
	happens(OFME_REMOVED, 3, NULL, 0);
	happens(OFME_ADDED, 2, NULL, 0);
	EXPECT_NOTHING(p);
	happens(OFME_ADDED, 3, NULL, 0);
	expect_rows(p, 1, 0);
	watch(p, 1, OFMONF_ADD, 3, 6);
	EXPECT_ERROR(p, OFE_MOFC_MONITOR_EXISTS, 6);
	watch(p, 2, OFMONF_ADD, 254, 7);
	EXPECT_ERROR(p, OFE_MOFC_BAD_TABLE_ID, 7);
	peer_close(p);
}

static void
own_changes_are_abbreviated_or_the_only_ones(void **state)
{
	const struct of_monitor_row *row;
	const struct conn *c;
	struct peer *p;

	(void)state;
	configure();
	p = client(OF14);
	watch(p, 1, OFMONF_ADD, OFTT_ALL, 5);
	expect_rows(p, 0, 5);
	c = TAILQ_FIRST(&agent_bridge(t.agent, FAKE_BRIDGE)->conns);
	for (unsigned i = 0; i < 5; i++)
		happens(OFME_ADDED, 0, c, 0x77);
	row = expect_rows(p, 1, 0);
	assert_int_equal(row->event, OFME_ABBREV);
	assert_int_equal(row->xid, 0x77);
	watch(p, 2, OFMONF_ADD | OFMONF_NO_ABBREV | OFMONF_ONLY_OWN, OFTT_ALL, 6);
	expect_rows(p, 0, 6);
	happens(OFME_ADDED, 0, c, 0x78);
	assert_int_equal(expect_rows(p, 1, 0)->event, OFME_ADDED);
	peer_close(p);
}

static void
requests_of_one_message_heed_those_before(void **state)
{
	const struct of_monitor_request r[] = {
		{ .monitor_id = 1, .command = OFMONC_DELETE, .out_port = (uint32_t)OFPP_ANY, .out_group = OFG_ANY },
		{ .monitor_id = 1, .command = OFMONC_MODIFY, .out_port = (uint32_t)OFPP_ANY, .out_group = OFG_ANY },
	};
	const struct of_monitor_requests q = { .n = 2, .r = r };
	struct peer *p;

	(void)state;
	configure();
	p = client(OF14);
	watch(p, 1, OFMONF_ADD, OFTT_ALL, 5);
	expect_rows(p, 0, 5);
	peer_send(p, OFK_FLOW_MONITOR_REQUEST, 6, &q);
	EXPECT_ERROR(p, OFE_MOFC_UNKNOWN_MONITOR, 6);
	EXPECT_NOTHING(p);
	peer_close(p);
}

static void
a_monitor_is_cancelled(void **state)
{
	struct peer *p;

	(void)state;
	configure();
	p = client(OF10);
	watch(p, 3, OFMONF_ADD, OFTT_ALL, 5);
	expect_rows(p, 0, 5);
	peer_send_form(p, OFK_NX_FLOW_MONITOR_CANCEL, OFMF_NX, 6, &(struct of_nx_value){ .value = 4 });
	EXPECT(p, OFK_ERROR);
	peer_send_form(p, OFK_NX_FLOW_MONITOR_CANCEL, OFMF_NX, 6, &(struct of_nx_value){ .value = 3 });
	EXPECT_NOTHING(p);
	happens(OFME_ADDED, 0, NULL, 0);
	EXPECT_NOTHING(p);
	peer_close(p);
}

static void
who_does_not_read_is_paused_and_sees_all_again(void **state)
{
	static const uint8_t versions[] = { OF10, OF14 };

	(void)state;
	configure();
	fake.many_rules = 3;
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		bool paused = false, resumed = false, again = false;
		struct peer *p = client(versions[i]);

		watch(p, 1, ALL, OFTT_ALL, 55);
		expect_rows(p, 3, 55);
		for (unsigned k = 0; k < 100000; k++) {
			happens(OFME_ADDED, 0, NULL, 0);
			if (!(k & 255))
				turn();
		}
		assert_true(info().i.tx_queue_bytes < OUT_PACKET_IN + 65536);
		while (!resumed) {
			const struct of_msg *m = peer_next(p);
			const struct of_rows *rows = m->body;

			if (m->kind == OFK_NX_FLOW_MONITOR_PAUSED) {
				paused = true;
			} else if (m->kind == OFK_NX_FLOW_MONITOR_RESUMED) {
				resumed = true;
			} else {
				const struct of_monitor_row *row = rows->rows;

				again |= paused && rows->n >= 3 && row->event == OFME_ADDED;
				for (uint32_t r = 0; r < rows->n; r++) {
					paused |= row[r].event == OFME_PAUSED;
					resumed |= row[r].event == OFME_RESUMED;
				}
			}
		}
		assert_true(paused);
		assert_true(again);
		happens(OFME_ADDED, 0, NULL, 0);
		assert_int_equal(expect_rows(p, 1, 0)->event, OFME_ADDED);
		peer_close(p);
		UNTIL(!info().i.connected);
	}
}

static void
all_is_shown_again_as_fast_as_it_is_read(void **state)
{
	struct peer *p;
	struct conn *c;
	uint32_t shown = 0;
	bool resumed = false;

	(void)state;
	configure();
	p = client(OF10);
	watch(p, 1, ALL, OFTT_ALL, 55);
	expect_rows(p, 0, 55);
	c = TAILQ_FIRST(&agent_bridge(t.agent, FAKE_BRIDGE)->conns);
	fake.many_rules = 50000;
	c->mon_paused = true;
	conn_kick(c);
	for (unsigned i = 0; i < 200; i++)
		turn();
	/* It is in the midst of it, and waits. */
	assert_non_null(c->stream);
	assert_true(c->stream->buf.len < 65536);
	assert_true(info().i.tx_queue_bytes < OUT_STREAM + 65536);
	while (!resumed) {
		const struct of_msg *m = peer_next(p);
		const struct of_rows *rows = m->body;

		resumed = m->kind == OFK_NX_FLOW_MONITOR_RESUMED;
		if (!resumed)
			shown += rows->n;
	}
	assert_int_equal(shown, 50000);
	peer_close(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_there_comes_first_and_then_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(only_what_was_asked_for_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(own_changes_are_abbreviated_or_the_only_ones, setup, teardown),
		cmocka_unit_test_setup_teardown(requests_of_one_message_heed_those_before, setup, teardown),
		cmocka_unit_test_setup_teardown(a_monitor_is_cancelled, setup, teardown),
		cmocka_unit_test_setup_teardown(who_does_not_read_is_paused_and_sees_all_again, setup, teardown),
		cmocka_unit_test_setup_teardown(all_is_shown_again_as_fast_as_it_is_read, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
