/* SPDX-License-Identifier: Apache-2.0 */
/* Which action lists are refused, and with which error. */
#include "tests/ofproto/ofsim.h"

static struct of_act_buf buf;

static bool
has_seven(void *arg, uint32_t id)
{
	(void)arg;
	return id == 7;
}

/* Checks what is in 'buf' as of a rule in table 3; empties it. */
static uint16_t
check_as(uint8_t version, const struct omatch *m)
{
	struct of_check c = {
		.version = version, .table = 3, .n_tables = 254, .match = m, .has_group = has_seven,
		.has_meter = has_seven, .max_port = 0xfeff,
	};
	struct of_error e = { 0 };
	int rc = of_acts_check(of_act_buf_acts(&buf), &c, &e);

	assert_int_equal(rc, e.id ? -1 : 0);
	buf.len = 0;
	return e.id;
}

static void
u32(enum of_act_kind kind, uint32_t value)
{
	((struct of_act_u32 *)of_act_put(&buf, kind, OFA_FORM_STD, sizeof(struct of_act_u32)))->value = value;
}

static void
output(uint32_t port)
{
	((struct of_act_output *)of_act_put(&buf, OFA_OUTPUT, OFA_FORM_STD, sizeof(struct of_act_output)))->port = port;
}

static void
set_field(enum of_field f)
{
	((struct of_act_set_field *)of_act_put(&buf, OFA_SET_FIELD, OFA_FORM_STD, sizeof(struct of_act_set_field)))->field =
		(uint8_t)f;
}

static void
ports_groups_meters_and_tables_are_there(void **state)
{
	struct omatch any = match_any();

	(void)state;
	output(1);
	output((uint32_t)OFPP_NORMAL);
	output((uint32_t)OFPP_IN_PORT);
	assert_int_equal(check_as(OF13, &any), OFE_OK);
	output(0);
	assert_int_equal(check_as(OF13, &any), OFE_BAC_BAD_OUT_PORT);
	output((uint32_t)OFPP_ANY);
	assert_int_equal(check_as(OF13, &any), OFE_BAC_BAD_OUT_PORT);
	u32(OFA_GROUP, 7);
	u32(OFA_METER, 7);
	u32(OFA_GOTO_TABLE, 4);
	assert_int_equal(check_as(OF13, &any), OFE_OK);
	u32(OFA_GROUP, 8);
	assert_int_equal(check_as(OF13, &any), OFE_BAC_BAD_OUT_GROUP);
	u32(OFA_METER, 8);
	assert_int_equal(check_as(OF13, &any), OFE_MMFC_INVALID_METER);
	u32(OFA_METER, 8);
	assert_int_equal(check_as(OF15, &any), OFE_BAC_BAD_METER);
	u32(OFA_GOTO_TABLE, 3);
	assert_int_equal(check_as(OF13, &any), OFE_BIC_BAD_TABLE_ID);
	u32(OFA_GOTO_TABLE, 254);
	assert_int_equal(check_as(OF13, &any), OFE_BIC_BAD_TABLE_ID);
}

static void
set_fields_need_what_they_set(void **state)
{
	struct omatch any = match_any(), ip = match_ip(), tcp = match_ip();

	(void)state;
	tcp.flow.nw_proto = 6;
	tcp.mask.nw_proto = 0xff;
	set_field(OFF_ETH_DST);
	assert_int_equal(check_as(OF13, &any), OFE_OK);
	set_field(OFF_NW_DST);
	assert_int_equal(check_as(OF13, &any), OFE_BAC_MATCH_INCONSISTENT);
	set_field(OFF_NW_DST);
	assert_int_equal(check_as(OF13, &ip), OFE_OK);
	set_field(OFF_TCP_DST);
	assert_int_equal(check_as(OF13, &ip), OFE_BAC_MATCH_INCONSISTENT);
	set_field(OFF_TCP_DST);
	assert_int_equal(check_as(OF13, &tcp), OFE_OK);
	set_field(OFF_IN_PHY_PORT);
	assert_int_equal(check_as(OF13, &any), OFE_BAC_BAD_SET_ARGUMENT);
	set_field(OFF_VLAN_VID);
	assert_int_equal(check_as(OF13, &any), OFE_BAC_MATCH_INCONSISTENT);
	/* What an action before brings about counts. */
	u32(OFA_PUSH_VLAN, 0x8100);
	set_field(OFF_VLAN_VID);
	assert_int_equal(check_as(OF13, &any), OFE_OK);
	u32(OFA_PUSH_MPLS, 0x8847);
	set_field(OFF_MPLS_LABEL);
	assert_int_equal(check_as(OF13, &ip), OFE_OK);
	u32(OFA_PUSH_MPLS, 0x8847);
	set_field(OFF_NW_DST);
	assert_int_equal(check_as(OF13, &ip), OFE_BAC_MATCH_INCONSISTENT);
	u32(OFA_PUSH_MPLS, 0x8847);
	u32(OFA_POP_MPLS, 0x0800);
	set_field(OFF_NW_DST);
	assert_int_equal(check_as(OF13, &ip), OFE_OK);
	u32(OFA_PUSH_VLAN, 0x0800);
	assert_int_equal(check_as(OF13, &ip), OFE_BAC_BAD_ARGUMENT);
}

static void
version_1_0_lets_actions_do_nothing(void **state)
{
	struct omatch any = match_any();

	(void)state;
	for (uint8_t v = OF10; v <= OF15; v++) {
		uint16_t want = v == OF10 ? OFE_OK : OFE_BAC_MATCH_INCONSISTENT;

		u32(OFA_SET_TP_SRC, 80);
		assert_int_equal(check_as(v, &any), want);
		of_act_put(&buf, OFA_POP_VLAN, OFA_FORM_STD, sizeof(struct of_act));
		assert_int_equal(check_as(v, &any), want);
		u32(OFA_DEC_NW_TTL, 0);
		assert_int_equal(check_as(v, &any), want);
	}
}

static void
nesting_is_bounded(void **state)
{
	struct omatch any = match_any();
	uint32_t at[16];

	(void)state;
	for (unsigned depth = OF_ACTS_NEST_MAX; depth <= OF_ACTS_NEST_MAX + 1u; depth++) {
		for (unsigned i = 0; i < depth; i++)
			at[i] = of_act_nest_begin(&buf, OFA_CLONE, OFA_FORM_NX);
		output(1);
		for (unsigned i = depth; i; i--)
			of_act_nest_end(&buf, at[i - 1]);
		assert_int_equal(check_as(OF13, &any), depth > OF_ACTS_NEST_MAX ? OFE_BAC_TOO_MANY : OFE_OK);
	}
	/* Errors inside count. */
	at[0] = of_act_nest_begin(&buf, OFA_WRITE_ACTIONS, OFA_FORM_STD);
	u32(OFA_GROUP, 8);
	of_act_nest_end(&buf, at[0]);
	assert_int_equal(check_as(OF13, &any), OFE_BAC_BAD_OUT_GROUP);
}

static void
action_sets_take_what_has_a_place_in_them(void **state)
{
	static const uint8_t bad[] = { OFA_OUTPUT_REG, OFA_OUTPUT_TRUNC, OFA_CONTROLLER, OFA_ENQUEUE, OFA_POP_QUEUE,
				       OFA_STACK_PUSH, OFA_STACK_POP, OFA_LEARN, OFA_MULTIPATH, OFA_BUNDLE, OFA_NOTE,
				       OFA_EXIT, OFA_FIN_TIMEOUT, OFA_CONJUNCTION, OFA_CLONE, OFA_GOTO_TABLE };
	struct omatch any = match_any();
	uint32_t at;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		at = of_act_nest_begin(&buf, OFA_WRITE_ACTIONS, OFA_FORM_STD);
		output(1);
		of_act_put(&buf, bad[i], OFA_FORM_NX, sizeof(struct of_act_learn));
		of_act_nest_end(&buf, at);
		assert_int_equal(check_as(OF13, &any), OFE_BAC_BAD_TYPE);
	}
	at = of_act_nest_begin(&buf, OFA_WRITE_ACTIONS, OFA_FORM_STD);
	u32(OFA_PUSH_VLAN, 0x8100);
	set_field(OFF_REG0);
	u32(OFA_SET_QUEUE, 1);
	u32(OFA_METER, 7);
	of_act_put(&buf, OFA_RESUBMIT, OFA_FORM_NX, sizeof(struct of_act_resubmit));
	u32(OFA_GROUP, 7);
	of_act_nest_end(&buf, at);
	assert_int_equal(check_as(OF15, &any), OFE_OK);
}

static void
subfields_fit_their_fields(void **state)
{
	struct omatch any = match_any();
	struct of_act_move *m;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		m = of_act_put(&buf, OFA_MOVE, OFA_FORM_NX, sizeof *m);
		m->src = (struct of_sub){ .field = OFF_ETH_SRC, .n_bits = 16, .ofs = i == 1 ? 33 : 32 };
		m->dst = (struct of_sub){ .field = i == 2 ? OFF_ETH_TYPE : OFF_REG0, .n_bits = i == 3 ? 8 : 16 };
		assert_int_equal(check_as(OF13, &any), i ? OFE_BAC_BAD_ARGUMENT : OFE_OK);
	}
}

static void
conjunctions_stand_alone(void **state)
{
	struct omatch any = match_any();

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct of_act_conj *c = of_act_put(&buf, OFA_CONJUNCTION, OFA_FORM_NX, sizeof *c);

		c->n_clauses = i == 1 ? 1 : 2;
		c->clause = i == 2 ? 2 : 0;
		of_act_put(&buf, OFA_NOTE, OFA_FORM_NX, sizeof(struct of_act_note));
		if (i == 3)
			output(1);
		assert_int_equal(check_as(OF13, &any), i ? OFE_BAC_BAD_ARGUMENT : OFE_OK);
	}
}

static int
fini(void **state)
{
	(void)state;
	of_act_buf_fini(&buf);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_groups_meters_and_tables_are_there),
		cmocka_unit_test(set_fields_need_what_they_set),
		cmocka_unit_test(version_1_0_lets_actions_do_nothing),
		cmocka_unit_test(nesting_is_bounded),
		cmocka_unit_test(action_sets_take_what_has_a_place_in_them),
		cmocka_unit_test(subfields_fit_their_fields),
		cmocka_unit_test(conjunctions_stand_alone),
	};

	return cmocka_run_group_tests_name("acts_check", tests, NULL, fini);
}
