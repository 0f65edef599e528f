/* SPDX-License-Identifier: Apache-2.0 */
/* Packets to controllers: who gets which, in what form, and the buffers they answer with. */
#include "ofproto/agent/agent_priv.h"
#include "tests/ofproto/agent/peer.h"

static const uint8_t frame[200] = { 0x01, 0x23, 0x20, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x88, 0xcc };

static struct of_punt
a_punt(void)
{
	return (struct of_punt){ .bridge = FAKE_BRIDGE, .reason = OFPR_ACTION, .max_len = 0xffff, .cookie = 0x77, .table = 4,
				 .meta = { .in_port = be32(2) } };
}

static void
punt(const struct of_punt *p)
{
	of_agent_punt(t.agent, 2, p, sizeof *p, frame, sizeof frame, sizeof frame);
}

static const struct of_packet_in *
expect_packet_in(struct peer *p)
{
	const struct of_packet_in *in = EXPECT(p, OFK_PACKET_IN);

	/* Always all of it. */
	assert_int_equal(in->frame.len, sizeof frame);
	assert_memory_equal(in->frame.data, frame, sizeof frame);
	assert_int_equal(in->total_len, sizeof frame);
	assert_int_equal(in->meta.in_port, be32(2));
	return in;
}

static void
every_version_gets_its_packet_in(void **state)
{
	(void)state;
	for (uint8_t v = OF10; v <= OF14; v++) {
		const struct of_packet_in *in;
		struct of_punt q = a_punt();
		struct peer *p;

		configure_dialler();
		p = controller(v);
		punt(&q);
		in = expect_packet_in(p);
		assert_int_equal(in->reason, OFPR_ACTION);
		assert_int_equal(in->buffer_id, (uint32_t)OF_NO_BUFFER);
		if (v >= OF11)
			assert_int_equal(in->table_id, 4);
		if (v >= OF13)
			assert_int_equal(in->cookie, 0x77);
		q.reason = OFPR_GROUP;
		punt(&q);
		in = expect_packet_in(p);
		assert_int_equal(in->reason, v >= OF14 ? OFPR_GROUP : OFPR_ACTION);
		peer_close(p);
		of_agent_bridge_del(t.agent, FAKE_BRIDGE);
	}
}

static void
misses_go_to_old_versions_only(void **state)
{
	(void)state;
	for (uint8_t v = OF10; v <= OF14; v++) {
		struct of_punt q = a_punt();
		struct peer *p;

		q.miss = true;
		q.reason = OFPR_NO_MATCH;
		configure_dialler();
		assert_false(fake.miss_punt);
		p = controller(v);
		assert_int_equal(fake.miss_punt, v < OF13);
		punt(&q);
		if (v < OF13) {
			assert_int_equal(expect_packet_in(p)->reason, OFPR_NO_MATCH);
		} else {
			EXPECT_NOTHING(p);
			/* The rule of priority 0 that matches everything says NO_MATCH too. */
			q.miss = false;
			punt(&q);
			assert_int_equal(expect_packet_in(p)->reason, OFPR_NO_MATCH);
		}
		peer_close(p);
		UNTIL(!fake.miss_punt);
		of_agent_bridge_del(t.agent, FAKE_BRIDGE);
	}
}

static void
nicira_formats_are_sent_when_asked(void **state)
{
	(void)state;
	for (uint8_t v = OF10; v <= OF14; v += 3) {
		for (uint32_t format = 0; format <= 2; format++) {
			const struct of_nx_value f = { .value = format };
			const struct of_punt q = a_punt();
			const struct of_packet_in *in;
			struct peer *p;

			configure_dialler();
			p = controller(v);
			peer_send_form(p, OFK_NX_SET_PACKET_IN_FORMAT, OFMF_NX, 1, &f);
			EXPECT_NOTHING(p);
			punt(&q);
			in = expect_packet_in(p);
			assert_int_equal(in->format, format);
			if (format) {
				assert_int_equal(in->cookie, 0x77);
				assert_int_equal(in->table_id, 4);
			}
			peer_send_form(p, OFK_NX_SET_PACKET_IN_FORMAT, OFMF_NX, 1, &(struct of_nx_value){ .value = 3 });
			EXPECT(p, OFK_ERROR);
			peer_close(p);
			of_agent_bridge_del(t.agent, FAKE_BRIDGE);
		}
	}
}

static void
controller_ids_choose(void **state)
{
	struct of_punt q = a_punt();
	struct peer *p, *other;
	const struct of_config conf = { .miss_send_len = 128 };

	(void)state;
	configure_dialler();
	p = controller(OF13);
	other = client(OF10);
	peer_send(other, OFK_SET_CONFIG, 1, &conf);
	peer_send_form(other, OFK_NX_SET_CONTROLLER_ID, OFMF_NX, 1, &(struct of_nx_value){ .value = 9 });
	EXPECT_NOTHING(other);
	q.controller_id = 9;
	punt(&q);
	expect_packet_in(other);
	q.controller_id = 0;
	punt(&q);
	expect_packet_in(p);
	EXPECT_NOTHING(other);
	EXPECT_NOTHING(p);
	peer_close(p);
	peer_close(other);
}

static void
userdata_travels_in_format_2(void **state)
{
	uint8_t buf[sizeof(struct of_punt) + 5] __attribute__((aligned(8)));
	struct of_punt q = a_punt();
	const struct of_packet_in *in;
	struct peer *p;

	(void)state;
	configure_dialler();
	p = controller(OF13);
	peer_send_form(p, OFK_NX_SET_PACKET_IN_FORMAT, OFMF_NX, 1, &(struct of_nx_value){ .value = 2 });
	EXPECT_NOTHING(p);
	q.userdata_len = 5;
	memcpy(buf, &q, sizeof q);
	memcpy(buf + sizeof q, "abcde", 5);
	of_agent_punt(t.agent, 2, buf, sizeof buf, frame, sizeof frame, sizeof frame);
	in = expect_packet_in(p);
	assert_int_equal(in->userdata.len, 5);
	assert_memory_equal(in->userdata.data, "abcde", 5);
	/* What does not fit together is dropped. */
	of_agent_punt(t.agent, 2, buf, sizeof q + 4, frame, sizeof frame, sizeof frame);
	of_agent_punt(t.agent, 2, buf, 3, frame, sizeof frame, sizeof frame);
	EXPECT_NOTHING(p);
	peer_close(p);
}

/* --- Buffers ------------------------------------------------------------------------------------ */

static void
a_buffer_is_used_once(void **state)
{
	struct of_act_buf b = { 0 };
	struct of_act_output *out = of_act_put(&b, OFA_OUTPUT, OFA_FORM_STD, sizeof *out);
	struct of_packet_out po = { .in_port = 2 };
	struct of_agent_bridge_info i;
	struct of_punt q = a_punt();
	struct peer *p;

	(void)state;
	q.miss = true;
	q.reason = OFPR_NO_MATCH;
	out->port = 1;
	configure_dialler();
	p = controller(OF10);
	punt(&q);
	po.buffer_id = expect_packet_in(p)->buffer_id;
	assert_int_not_equal(po.buffer_id, (uint32_t)OF_NO_BUFFER);
	of_agent_bridge_info(t.agent, FAKE_BRIDGE, &i);
	assert_int_equal(i.n_buffers_in_use, 1);
	po.acts = of_act_buf_acts(&b);
	peer_send(p, OFK_PACKET_OUT, 1, &po);
	EXPECT_NOTHING(p);
	assert_int_equal(fake.n_packet_outs, 1);
	assert_int_equal(fake.packet_out.len, sizeof frame);
	assert_int_equal(fake.packet_out.first_port, 1);
	peer_send(p, OFK_PACKET_OUT, 2, &po);
	EXPECT_ERROR(p, OFE_BRC_BUFFER_EMPTY, 2);
	po.buffer_id = 0x7fffffff;
	peer_send(p, OFK_PACKET_OUT, 3, &po);
	EXPECT_ERROR(p, OFE_BRC_BUFFER_UNKNOWN, 3);
	of_agent_bridge_info(t.agent, FAKE_BRIDGE, &i);
	assert_int_equal(i.n_buffers_in_use, 0);
	of_act_buf_fini(&b);
	peer_close(p);
}

static void
a_flow_mod_sends_the_buffered_packet_through_the_tables(void **state)
{
	struct of_flow_mod fm = { .command = OFFC_ADD, .out_port = (uint32_t)OFPP_ANY, .out_group = OFG_ANY };
	struct of_punt q = a_punt();
	struct peer *p;

	(void)state;
	q.miss = true;
	q.reason = OFPR_NO_MATCH;
	configure_dialler();
	p = controller(OF10);
	punt(&q);
	fm.buffer_id = expect_packet_in(p)->buffer_id;
	peer_send(p, OFK_FLOW_MOD, 1, &fm);
	EXPECT_NOTHING(p);
	assert_int_equal(fake.n_packet_outs, 1);
	assert_int_equal(fake.packet_out.first_port, (uint32_t)OFPP_TABLE);
	assert_int_equal(fake.packet_out.in_port, 2);
	assert_int_equal(fake.packet_out.flow_mods_before, 1);
	/* The rule is made in any case. */
	peer_send(p, OFK_FLOW_MOD, 2, &fm);
	EXPECT_ERROR(p, OFE_BRC_BUFFER_EMPTY, 2);
	assert_int_equal(fake.n_flow_mods, 2);
	/* Deleting does not care. */
	fm.command = OFFC_DELETE;
	peer_send(p, OFK_FLOW_MOD, 3, &fm);
	EXPECT_NOTHING(p);
	peer_close(p);
}

static void
an_empty_action_list_drops_the_buffered_packet(void **state)
{
	struct of_packet_out po = { .in_port = 2 };
	struct of_agent_bridge_info i;
	struct of_punt q = a_punt();
	struct peer *p;

	(void)state;
	q.miss = true;
	q.reason = OFPR_NO_MATCH;
	configure_dialler();
	p = controller(OF10);
	punt(&q);
	po.buffer_id = expect_packet_in(p)->buffer_id;
	peer_send(p, OFK_PACKET_OUT, 1, &po);
	EXPECT_NOTHING(p);
	of_agent_bridge_info(t.agent, FAKE_BRIDGE, &i);
	assert_int_equal(i.n_buffers_in_use, 0);
	peer_close(p);
}

static void
later_versions_are_buffered_when_they_ask_for_a_part(void **state)
{
	struct of_punt q = a_punt();
	struct peer *p;

	(void)state;
	configure_dialler();
	p = controller(OF13);
	punt(&q);
	assert_int_equal(expect_packet_in(p)->buffer_id, (uint32_t)OF_NO_BUFFER);
	q.max_len = 128;
	punt(&q);
	assert_int_not_equal(expect_packet_in(p)->buffer_id, (uint32_t)OF_NO_BUFFER);
	q.max_len = sizeof frame;
	punt(&q);
	assert_int_equal(expect_packet_in(p)->buffer_id, (uint32_t)OF_NO_BUFFER);
	peer_close(p);
}

static void
young_buffers_are_not_taken_away(void **state)
{
	struct of_packet_out po = { .in_port = 2 };
	uint32_t id[PKTBUFS + 10];
	struct of_punt q = a_punt();
	struct peer *p;

	(void)state;
	q.miss = true;
	q.reason = OFPR_NO_MATCH;
	configure_dialler();
	p = controller(OF10);
	for (unsigned i = 0; i < ARRAY_SIZE(id); i++) {
		punt(&q);
		id[i] = expect_packet_in(p)->buffer_id;
		if (i < PKTBUFS)
			assert_int_not_equal(id[i], (uint32_t)OF_NO_BUFFER);
		else
			assert_int_equal(id[i], (uint32_t)OF_NO_BUFFER);
	}
	for (unsigned i = 0; i < PKTBUFS; i++) {
		po.buffer_id = id[i];
		peer_send(p, OFK_PACKET_OUT, i, &po);
	}
	EXPECT_NOTHING(p);
	punt(&q);
	assert_int_not_equal(expect_packet_in(p)->buffer_id, (uint32_t)OF_NO_BUFFER);
	peer_close(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_version_gets_its_packet_in, setup, teardown),
		cmocka_unit_test_setup_teardown(misses_go_to_old_versions_only, setup, teardown),
		cmocka_unit_test_setup_teardown(nicira_formats_are_sent_when_asked, setup, teardown),
		cmocka_unit_test_setup_teardown(controller_ids_choose, setup, teardown),
		cmocka_unit_test_setup_teardown(userdata_travels_in_format_2, setup, teardown),
		cmocka_unit_test_setup_teardown(a_buffer_is_used_once, setup, teardown),
		cmocka_unit_test_setup_teardown(a_flow_mod_sends_the_buffered_packet_through_the_tables, setup, teardown),
		cmocka_unit_test_setup_teardown(an_empty_action_list_drops_the_buffered_packet, setup, teardown),
		cmocka_unit_test_setup_teardown(later_versions_are_buffered_when_they_ask_for_a_part, setup, teardown),
		cmocka_unit_test_setup_teardown(young_buffers_are_not_taken_away, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
