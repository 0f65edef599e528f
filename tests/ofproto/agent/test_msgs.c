/* SPDX-License-Identifier: Apache-2.0 */
/* What the switch answers, in which order, and how much memory that takes. */
#include "ofproto/agent/agent_priv.h"
#include "tests/ofproto/agent/peer.h"

static struct of_flow_mod
flow_mod(uint16_t priority)
{
	return (struct of_flow_mod){ .command = OFFC_ADD, .priority = priority, .buffer_id = (uint32_t)OF_NO_BUFFER,
				     .out_port = (uint32_t)OFPP_ANY, .out_group = OFG_ANY };
}

static void
features_say_what_each_version_has(void **state)
{
	(void)state;
	configure();
	for (uint8_t v = OF10; v <= OF14; v++) {
		const struct of_features *f;
		struct peer *p = client(v);

		peer_send(p, OFK_FEATURES_REQUEST, 7, NULL);
		f = EXPECT(p, OFK_FEATURES_REPLY);
		assert_int_equal(p->msg.xid, 7);
		assert_int_equal(f->datapath_id, 0x020000000101);
		assert_int_equal(f->n_tables, 254);
		assert_true(f->n_buffers >= 256);
		assert_int_equal(f->auxiliary_id, 0);
		assert_int_equal(f->n_ports, v <= OF12 ? FAKE_PORTS : 0);
		if (v <= OF12) {
			assert_int_equal(f->ports[1].port_no, 2);
			assert_string_equal(f->ports[1].name, "p2");
		}
		if (v == OF10)
			assert_int_equal(f->actions, 0xfff);
		/* At any time again. */
		peer_send(p, OFK_FEATURES_REQUEST, 8, NULL);
		EXPECT(p, OFK_FEATURES_REPLY);
		peer_close(p);
	}
}

static void
config_is_kept_per_connection(void **state)
{
	struct of_config conf = { .flags = OFPC_FRAG_DROP | OFPC_INVALID_TTL_TO_CONTROLLER, .miss_send_len = 77 };
	const struct of_config *got;
	struct peer *p, *q;

	(void)state;
	configure();
	p = client(OF12);
	q = client(OF13);
	peer_send(p, OFK_SET_CONFIG, 1, &conf);
	peer_send(p, OFK_GET_CONFIG_REQUEST, 2, NULL);
	got = EXPECT(p, OFK_GET_CONFIG_REPLY);
	assert_int_equal(got->flags, OFPC_FRAG_DROP | OFPC_INVALID_TTL_TO_CONTROLLER);
	assert_int_equal(got->miss_send_len, 77);
	assert_int_equal(fake.of_flags, OFPC_FRAG_DROP | OFPC_INVALID_TTL_TO_CONTROLLER);
	peer_send(q, OFK_GET_CONFIG_REQUEST, 2, NULL);
	got = EXPECT(q, OFK_GET_CONFIG_REPLY);
	assert_int_equal(got->flags, OFPC_FRAG_DROP);
	assert_int_equal(got->miss_send_len, 0);
	/* Gone with who wanted it. */
	peer_close(p);
	UNTIL(fake.of_flags == OFPC_FRAG_DROP);
	peer_close(q);
}

static void
strings_are_the_configured_ones(void **state)
{
	const struct of_desc *d;
	struct peer *p;

	(void)state;
	configure();
	p = client(OF10);
	peer_send(p, OFK_DESC_REQUEST, 1, NULL);
	d = EXPECT(p, OFK_DESC_REPLY);
	/* Without this POX enables no extensions. */
	assert_true(strstr(d->hw, "Open vSwitch"));
	assert_string_equal(d->dp, "br0");
	t.conf.mfr_desc = "Nicira, Inc.";
	t.conf.hw_desc = "Open vSwitch";
	t.conf.sw_desc = "2.17.0";
	t.conf.serial_desc = "abc";
	t.conf.dp_desc = "rack 7";
	configure();
	peer_send(p, OFK_DESC_REQUEST, 2, NULL);
	d = EXPECT(p, OFK_DESC_REPLY);
	assert_string_equal(d->mfr, "Nicira, Inc.");
	assert_string_equal(d->hw, "Open vSwitch");
	assert_string_equal(d->sw, "2.17.0");
	assert_string_equal(d->serial, "abc");
	assert_string_equal(d->dp, "rack 7");
	peer_close(p);
}

static void
a_barrier_waits_for_the_datapath_and_keeps_order(void **state)
{
	const struct of_flow_mod fm = flow_mod(1);
	const struct of_echo echo = { .data = { (const uint8_t *)"e", 1 } };
	struct peer *p, *other;
	uint64_t end;

	(void)state;
	configure();
	fake.hold_commits = true;
	p = client(OF10);
	other = client(OF13);
	peer_send(p, OFK_FLOW_MOD, 1, &fm);
	peer_send(p, OFK_BARRIER_REQUEST, 2, NULL);
	peer_send(p, OFK_ECHO_REQUEST, 3, &echo);
	UNTIL(fake.n_commits == 1);
	for (end = clock_ms() + 30; clock_ms() < end;)
		turn();
	peer_read(p);
	assert_int_equal(p->len, 0);
	/* Only this connection waits. */
	EXPECT_NOTHING(other);
	fake_release();
	EXPECT(p, OFK_BARRIER_REPLY);
	assert_int_equal(p->msg.xid, 2);
	EXPECT(p, OFK_ECHO_REPLY);
	peer_close(p);
	peer_close(other);
}

static void
who_goes_while_a_barrier_waits_harms_nobody(void **state)
{
	struct peer *p;

	(void)state;
	configure();
	fake.hold_commits = fake.hold_folds = true;
	p = client(OF13);
	peer_send(p, OFK_BARRIER_REQUEST, 2, NULL);
	UNTIL(fake.n_commits == 1);
	peer_close(p);
	p = client(OF13);
	peer_send(p, OFK_TABLE_REQUEST, 2, NULL);
	UNTIL(fake.n_folds == 1);
	of_agent_bridge_del(t.agent, FAKE_BRIDGE);
	fake_release();
	peer_close(p);
}

static void
many_messages_with_one_xid_are_all_answered(void **state)
{
	struct of_flow_mod bad = flow_mod(666);
	struct peer *p;

	(void)state;
	configure();
	fake.fail_flow_mod = OFE_FMFC_TABLE_FULL;
	p = client(OF10);
	for (unsigned i = 0; i < 100; i++) {
		peer_send(p, OFK_FLOW_MOD, 42, &bad);
		peer_send(p, OFK_BARRIER_REQUEST, 42, NULL);
	}
	for (unsigned i = 0; i < 100; i++) {
		EXPECT_ERROR(p, OFE_FMFC_TABLE_FULL, 42);
		EXPECT(p, OFK_BARRIER_REPLY);
		assert_int_equal(p->msg.xid, 42);
	}
	peer_close(p);
}

static void
errors_quote_the_offender(void **state)
{
	struct of_flow_mod bad = flow_mod(666);
	const struct of_error_msg *e;
	struct peer *p;

	(void)state;
	configure();
	fake.fail_flow_mod = OFE_FMFC_OVERLAP;
	for (uint8_t v = OF10; v <= OF14; v++) {
		p = client(v);
		peer_send(p, OFK_FLOW_MOD, 0xabcd, &bad);
		e = EXPECT(p, OFK_ERROR);
		assert_int_equal(e->id, OFE_FMFC_OVERLAP);
		assert_true(e->data.len >= 56);
		assert_int_equal(e->data.data[0], v);
		assert_int_equal(e->data.data[6] << 8 | e->data.data[7], 0xabcd);
		assert_int_equal(p->msg.xid, 0xabcd);
		peer_close(p);
	}
}

static void
unknown_things_are_errors_and_the_connection_stays(void **state)
{
	static const struct {
		uint8_t bytes[24];
		enum of_error_id id;
	} rows[] = {
		{ { OF10, 99, 0, 8, 0, 0, 0, 9 }, OFE_BRC_BAD_TYPE },
		{ { OF13, 99, 0, 8, 0, 0, 0, 9 }, OFE_BRC_BAD_TYPE },
		{ { OF13, 4, 0, 16, 0, 0, 0, 9, 0, 0x12, 0x34, 0x56, 0, 0, 0, 1 }, OFE_BRC_BAD_EXPERIMENTER },
		{ { OF10, 4, 0, 16, 0, 0, 0, 9, 0, 0x12, 0x34, 0x56, 0, 0, 0, 1 }, OFE_BRC_BAD_EXPERIMENTER },
		{ { OF13, 4, 0, 16, 0, 0, 0, 9, 0, 0, 0x23, 0x20, 0, 0, 9, 9 }, OFE_BRC_BAD_EXP_TYPE },
		{ { OF10, 16, 0, 12, 0, 0, 0, 9, 0, 77, 0, 0 }, OFE_BRC_BAD_MULTIPART },
		{ { OF13, 18, 0, 16, 0, 0, 0, 9, 0, 77, 0, 0 }, OFE_BRC_BAD_MULTIPART },
		/* What only a switch says. */
		{ { OF13, 10, 0, 8, 0, 0, 0, 9 }, OFE_OK },
		{ { OF13, 21, 0, 8, 0, 0, 0, 9 }, OFE_BRC_BAD_TYPE },
	};

	(void)state;
	configure();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct peer *p = client(rows[i].bytes[0]);

		peer_put(p, rows[i].bytes, rows[i].bytes[3]);
		if (rows[i].id)
			EXPECT_ERROR(p, rows[i].id, 9);
		else
			EXPECT(p, OFK_ERROR);
		EXPECT_NOTHING(p);
		peer_close(p);
	}
}

static void
many_flows_are_sent_piece_by_piece(void **state)
{
	const struct of_flow_request q = { .table_id = OFTT_ALL, .out_port = (uint32_t)OFPP_ANY, .out_group = OFG_ANY };
	struct peer *p;
	uint32_t n = 0;
	size_t rss, most = 0;

	(void)state;
	configure();
	fake.many_rules = 50000;
	p = client(OF13);
	rss = rss_kb();
	peer_send(p, OFK_FLOW_REQUEST, 3, &q);
	do {
		const struct of_rows *rows = EXPECT(p, OFK_FLOW_REPLY);

		assert_int_equal(p->msg.xid, 3);
		n += rows->n;
		most = MAX_OF(most, info().i.tx_queue_bytes);
	} while (p->msg.more);
	assert_int_equal(n, 50000);
	assert_int_equal(fake.n_folds, 1);
	assert_true(most < 1 << 20);
	assert_true(grew_less(rss, 8192));
	EXPECT_NOTHING(p);
	peer_close(p);
}

static void
who_does_not_read_a_dump_holds_up_nobody(void **state)
{
	const struct of_flow_request q = { .table_id = OFTT_ALL, .out_port = (uint32_t)OFPP_ANY, .out_group = OFG_ANY };
	struct peer *p, *other;

	(void)state;
	configure();
	fake.many_rules = 1000000;
	other = client(OF13);
	p = client(OF13);
	peer_send(p, OFK_FLOW_REQUEST, 3, &q);
	UNTIL(info().i.tx_queue_bytes > OUT_STREAM / 2);
	EXPECT_NOTHING(other);
	assert_true(info().i.tx_queue_bytes < OUT_HIGH);
	peer_close(p);
	EXPECT_NOTHING(other);
	peer_close(other);
}

static void
aggregates_add_up(void **state)
{
	const struct of_flow_request q = { .table_id = OFTT_ALL, .out_port = (uint32_t)OFPP_ANY, .out_group = OFG_ANY };

	(void)state;
	configure();
	fake.many_rules = 1000;
	for (uint8_t v = OF10; v <= OF14; v++) {
		const struct of_aggregate *a;
		struct peer *p = client(v);

		peer_send(p, OFK_AGGREGATE_REQUEST, 3, &q);
		a = EXPECT(p, OFK_AGGREGATE_REPLY);
		assert_int_equal(a->flows, 1000);
		assert_int_equal(a->packets, 1000);
		assert_int_equal(a->bytes, 60000);
		peer_close(p);
	}
}

/* Sends the question, adds up the rows of all parts. */
static uint32_t
count_rows(struct peer *p, enum of_kind request, const void *body)
{
	uint32_t n = 0;

	peer_send(p, request, 5, body);
	do {
		const struct of_rows *rows = EXPECT(p, request + 1);

		assert_int_equal(p->msg.xid, 5);
		n += rows->n;
	} while (p->msg.more);
	return n;
}

static void
every_kind_of_statistics_is_answered(void **state)
{
	const struct of_id_request any_port = { .id = (uint32_t)OFPP_ANY, .id2 = OFQ_ALL };
	const struct of_id_request one_port = { .id = 2, .id2 = OFQ_ALL }, no_port = { .id = 99, .id2 = OFQ_ALL };
	const struct of_id_request all_groups = { .id = OFG_ALL }, all_meters = { .id = OFM_ALL }, meter9 = { .id = 9 };
	struct peer *p;

	(void)state;
	configure();
	fake.n_groups = 3000;
	fake.n_meters = 3;
	for (uint8_t v = OF10; v <= OF14; v++) {
		p = client(v);
		assert_int_equal(count_rows(p, OFK_TABLE_REQUEST, NULL), 254);
		assert_int_equal(count_rows(p, OFK_PORT_REQUEST, &any_port), FAKE_PORTS);
		assert_int_equal(count_rows(p, OFK_PORT_REQUEST, &one_port), 1);
		assert_int_equal(count_rows(p, OFK_PORT_REQUEST, &no_port), 0);
		assert_int_equal(count_rows(p, OFK_QUEUE_REQUEST, &any_port), 0);
		if (v == OF10 || v >= OF13)
			assert_int_equal(count_rows(p, OFK_PORT_DESC_REQUEST, &any_port), FAKE_PORTS);
		if (v >= OF11) {
			assert_int_equal(count_rows(p, OFK_GROUP_REQUEST, &all_groups), 3000);
			assert_int_equal(count_rows(p, OFK_GROUP_DESC_REQUEST, &all_groups), 3000);
		}
		if (v >= OF12) {
			peer_send(p, OFK_GROUP_FEATURES_REQUEST, 1, NULL);
			EXPECT(p, OFK_GROUP_FEATURES_REPLY);
		}
		if (v >= OF13) {
			assert_int_equal(count_rows(p, OFK_METER_REQUEST, &all_meters), 3);
			assert_int_equal(count_rows(p, OFK_METER_CONFIG_REQUEST, &all_meters), 3);
			peer_send(p, OFK_METER_REQUEST, 8, &meter9);
			EXPECT_ERROR(p, OFE_MMFC_UNKNOWN_METER, 8);
			peer_send(p, OFK_METER_FEATURES_REQUEST, 1, NULL);
			EXPECT(p, OFK_METER_FEATURES_REPLY);
		}
		if (v >= OF14) {
			assert_int_equal(count_rows(p, OFK_TABLE_DESC_REQUEST, &any_port), 254);
			assert_int_equal(count_rows(p, OFK_QUEUE_DESC_REQUEST, &any_port), 0);
		} else {
			peer_send(p, OFK_QUEUE_GET_CONFIG_REQUEST, 1, &one_port);
			EXPECT(p, OFK_QUEUE_GET_CONFIG_REPLY);
			peer_send(p, OFK_QUEUE_GET_CONFIG_REQUEST, 6, &no_port);
			EXPECT_ERROR(p, OFE_QOFC_BAD_PORT, 6);
		}
		EXPECT_NOTHING(p);
		peer_close(p);
	}
}

static void
table_features_of_254_tables_come_and_can_be_set(void **state)
{
	struct of_table_features f = { .table_id = 3, .name = "three", .max_entries = 5 };
	struct of_table_features_request set = { .n = 1, .tables = &f }, get = { 0 };
	struct peer *p;

	(void)state;
	configure();
	p = client(OF13);
	assert_int_equal(count_rows(p, OFK_TABLE_FEATURES_REQUEST, &get), 254);
	assert_int_equal(fake.n_features_set, 0);
	assert_int_equal(count_rows(p, OFK_TABLE_FEATURES_REQUEST, &set), 254);
	assert_int_equal(fake.n_features_set, 1);
	peer_close(p);
}

static void
questions_in_parts_are_joined_within_limits(void **state)
{
	struct of_table_features f = { .table_id = 3, .name = "three", .max_entries = 5 };
	struct of_table_features_request set = { .n = 1, .tables = &f };
	struct of_msg m = { .version = OF13, .kind = OFK_TABLE_FEATURES_REQUEST, .xid = 5, .body = &set, .more = true };
	struct of_buf part = { 0 }, last = { 0 };
	struct peer *p;
	size_t rss;

	(void)state;
	configure();
	p = client(OF13);
	of_encode(&part, &m);
	m.more = false;
	of_encode(&last, &m);
	for (unsigned i = 0; i < 9; i++)
		peer_put(p, part.data, part.len);
	EXPECT_NOTHING(p);
	peer_put(p, last.data, last.len);
	while (EXPECT(p, OFK_TABLE_FEATURES_REPLY), p->msg.more)
		;
	assert_int_equal(fake.n_features_set, 10);
	/* Without end: refused once, and nothing kept. */
	rss = rss_kb();
	for (unsigned i = 0; i < 1 << 15; i++)
		peer_put(p, part.data, part.len);
	EXPECT_ERROR(p, OFE_BRC_MULTIPART_BUFFER_OVERFLOW, 5);
	EXPECT_NOTHING(p);
	assert_true(grew_less(rss, 4096));
	peer_put(p, last.data, last.len);
	EXPECT_NOTHING(p);
	assert_int_equal(fake.n_features_set, 10);
	/* And then anew. */
	peer_put(p, part.data, part.len);
	peer_put(p, last.data, last.len);
	while (EXPECT(p, OFK_TABLE_FEATURES_REPLY), p->msg.more)
		;
	assert_int_equal(fake.n_features_set, 12);
	of_buf_fini(&part);
	of_buf_fini(&last);
	peer_close(p);
}

static void
ports_are_changed_by_who_knows_their_address(void **state)
{
	struct of_port_mod pm = { .port_no = 2, .hw_addr = { { 2, 0, 0, 0, 0, 2 } }, .config = OFPPC_NO_FLOOD,
				  .mask = OFPPC_NO_FLOOD };
	const struct of_port_status *ps;
	const struct of_rows *rows;
	struct of_config conf = { .miss_send_len = 1 };
	struct peer *p, *other;

	(void)state;
	configure();
	p = client(OF10);
	other = client(OF10);
	peer_send(p, OFK_SET_CONFIG, 1, &conf);
	peer_send(other, OFK_SET_CONFIG, 1, &conf);
	EXPECT_NOTHING(other);
	peer_send(p, OFK_PORT_MOD, 1, &pm);
	EXPECT_NOTHING(p);
	assert_int_equal(fake.port_config[2], OFPPC_NO_FLOOD);
	/* Others are told; who asked is not. */
	ps = EXPECT(other, OFK_PORT_STATUS);
	assert_int_equal(ps->reason, OFPPR_MODIFY);
	assert_int_equal(ps->port.config & OFPPC_NO_FLOOD, OFPPC_NO_FLOOD);
	peer_send(p, OFK_PORT_DESC_REQUEST, 1, &(struct of_id_request){ .id = (uint32_t)OFPP_ANY });
	rows = EXPECT(p, OFK_PORT_DESC_REPLY);
	assert_int_equal(((const struct of_port *)rows->rows)[1].config & OFPPC_NO_FLOOD, OFPPC_NO_FLOOD);
	assert_int_equal(fake.n_port_admin, 0);
	pm.config = pm.mask = OFPPC_PORT_DOWN;
	peer_send(p, OFK_PORT_MOD, 1, &pm);
	EXPECT_NOTHING(p);
	assert_int_equal(fake.n_port_admin, 1);
	assert_int_equal(fake.port_config[2], OFPPC_NO_FLOOD | OFPPC_PORT_DOWN);
	pm.hw_addr.b[5] = 3;
	peer_send(p, OFK_PORT_MOD, 2, &pm);
	EXPECT_ERROR(p, OFE_PMFC_BAD_HW_ADDR, 2);
	pm.port_no = 50;
	peer_send(p, OFK_PORT_MOD, 3, &pm);
	EXPECT_ERROR(p, OFE_PMFC_BAD_PORT, 3);
	peer_close(p);
	peer_close(other);
}

static void
changes_reach_the_pipeline(void **state)
{
	const struct of_flow_mod fm = flow_mod(5);
	const struct of_group_mod gm = { .command = OFGC_ADD, .type = OFGT_ALL, .group_id = 1 };
	const struct of_meter_mod mm = { .command = OFMC_ADD, .flags = OFMF_KBPS, .meter_id = 1 };
	const struct of_table_mod tm = { .table_id = 1 };
	struct peer *p;

	(void)state;
	configure();
	p = client(OF13);
	peer_send(p, OFK_FLOW_MOD, 1, &fm);
	peer_send(p, OFK_GROUP_MOD, 1, &gm);
	peer_send(p, OFK_METER_MOD, 1, &mm);
	peer_send(p, OFK_TABLE_MOD, 1, &tm);
	EXPECT_NOTHING(p);
	assert_int_equal(fake.n_flow_mods, 1);
	assert_int_equal(fake.n_group_mods, 1);
	assert_int_equal(fake.n_meter_mods, 1);
	assert_int_equal(fake.n_table_mods, 1);
	peer_close(p);
}

static void
a_packet_out_follows_the_changes_before_it(void **state)
{
	const struct of_flow_mod fm = flow_mod(5);
	static const uint8_t frame[60] = { 1 };
	struct of_act_buf b = { 0 };
	struct of_act_output *out = of_act_put(&b, OFA_OUTPUT, OFA_FORM_STD, sizeof *out);
	struct of_packet_out po = { .buffer_id = (uint32_t)OF_NO_BUFFER, .frame = { frame, sizeof frame } };
	static const uint32_t in_ports[] = { (uint32_t)OFPP_ANY, (uint32_t)OFPP_CONTROLLER, (uint32_t)OFPP_LOCAL, 1 };

	(void)state;
	configure();
	out->port = (uint32_t)OFPP_TABLE;
	po.acts = of_act_buf_acts(&b);
	for (uint8_t v = OF10; v <= OF14; v++) {
		struct peer *p = client(v);

		for (size_t i = 0; i < ARRAY_SIZE(in_ports); i++) {
			unsigned n = fake.n_flow_mods;

			po.in_port = in_ports[i];
			peer_send(p, OFK_FLOW_MOD, 1, &fm);
			peer_send(p, OFK_PACKET_OUT, 2, &po);
			EXPECT_NOTHING(p);
			assert_int_equal(fake.packet_out.in_port, in_ports[i]);
			assert_int_equal(fake.packet_out.len, 60);
			assert_int_equal(fake.packet_out.first_port, (uint32_t)OFPP_TABLE);
			assert_int_equal(fake.packet_out.flow_mods_before, n + 1);
		}
		po.buffer_id = 0x1234;
		peer_send(p, OFK_PACKET_OUT, 3, &po);
		EXPECT_ERROR(p, OFE_BRC_BUFFER_UNKNOWN, 3);
		po.buffer_id = (uint32_t)OF_NO_BUFFER;
		peer_close(p);
	}
	of_act_buf_fini(&b);
}

static void
ports_that_come_and_go_are_told(void **state)
{
	const struct of_port_status *ps;
	struct peer *p, *quiet;

	(void)state;
	configure_dialler();
	p = controller(OF13);
	quiet = client(OF13);
	of_agent_port_changed(t.agent, 2, OFPPR_ADD);
	of_agent_port_changed(t.agent, 3, OFPPR_DELETE);
	ps = EXPECT(p, OFK_PORT_STATUS);
	assert_int_equal(ps->reason, OFPPR_ADD);
	assert_int_equal(ps->port.port_no, 2);
	ps = EXPECT(p, OFK_PORT_STATUS);
	assert_int_equal(ps->reason, OFPPR_DELETE);
	assert_int_equal(ps->port.port_no, 3);
	/* Who connected to us gets nothing unasked. */
	EXPECT_NOTHING(quiet);
	peer_close(p);
	peer_close(quiet);
}

static unsigned n_taps, n_tap_sent;

static void
on_tap(void *arg, uint32_t id, const char *target, bool sent, uint64_t time_ms, const struct of_msg *m)
{
	(void)arg, (void)target, (void)m;
	assert_int_not_equal(id, 0);
	assert_true(time_ms > 1000000000000);
	n_taps++;
	n_tap_sent += sent;
}

static void
a_tap_sees_both_ways(void **state)
{
	struct of_tap *tap;
	struct peer *p;

	(void)state;
	configure();
	p = client(OF13);
	n_taps = n_tap_sent = 0;
	tap = of_tap_open(t.agent, FAKE_BRIDGE, 0, on_tap, NULL);
	peer_send(p, OFK_BARRIER_REQUEST, 1, NULL);
	EXPECT(p, OFK_BARRIER_REPLY);
	assert_int_equal(n_taps, 2);
	assert_int_equal(n_tap_sent, 1);
	of_tap_close(tap);
	EXPECT_NOTHING(p);
	assert_int_equal(n_taps, 2);
	tap = of_tap_open(t.agent, FAKE_BRIDGE, 99999, on_tap, NULL);
	EXPECT_NOTHING(p);
	assert_int_equal(n_taps, 2);
	of_tap_close(tap);
	peer_close(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(features_say_what_each_version_has, setup, teardown),
		cmocka_unit_test_setup_teardown(config_is_kept_per_connection, setup, teardown),
		cmocka_unit_test_setup_teardown(strings_are_the_configured_ones, setup, teardown),
		cmocka_unit_test_setup_teardown(a_barrier_waits_for_the_datapath_and_keeps_order, setup, teardown),
		cmocka_unit_test_setup_teardown(who_goes_while_a_barrier_waits_harms_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(many_messages_with_one_xid_are_all_answered, setup, teardown),
		cmocka_unit_test_setup_teardown(errors_quote_the_offender, setup, teardown),
		cmocka_unit_test_setup_teardown(unknown_things_are_errors_and_the_connection_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(many_flows_are_sent_piece_by_piece, setup, teardown),
		cmocka_unit_test_setup_teardown(who_does_not_read_a_dump_holds_up_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(aggregates_add_up, setup, teardown),
		cmocka_unit_test_setup_teardown(every_kind_of_statistics_is_answered, setup, teardown),
		cmocka_unit_test_setup_teardown(table_features_of_254_tables_come_and_can_be_set, setup, teardown),
		cmocka_unit_test_setup_teardown(questions_in_parts_are_joined_within_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(ports_are_changed_by_who_knows_their_address, setup, teardown),
		cmocka_unit_test_setup_teardown(changes_reach_the_pipeline, setup, teardown),
		cmocka_unit_test_setup_teardown(a_packet_out_follows_the_changes_before_it, setup, teardown),
		cmocka_unit_test_setup_teardown(ports_that_come_and_go_are_told, setup, teardown),
		cmocka_unit_test_setup_teardown(a_tap_sees_both_ways, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
