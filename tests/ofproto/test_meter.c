/* SPDX-License-Identifier: Apache-2.0 */
/* Meters: every command, every refusal, what the datapath gets of them. */
#include "tests/ofproto/ofsim.h"

static const struct of_band drop = { .type = OFMBT_DROP, .rate = 1000, .burst = 10 };

static bool
take_meter(void *arg, const struct of_meter_row *row, const struct of_meter_config *c)
{
	(void)c;
	*(struct of_meter_row *)arg = *row;
	return true;
}

static void
a_meter_reaches_the_datapath(void **state)
{
	static struct sim_sink sink;
	struct ofp_sink s = sim_sink(&sink);
	struct of_pipe *p = of_pipe_create(1, &s, ignore_mark, NULL);
	struct of_band b[2] = { drop, { .type = OFMBT_DSCP_REMARK, .rate = 500, .burst = 5, .prec_level = 2 } };
	struct of_meter_row row;
	uint32_t dp;

	(void)state;
	assert_int_equal(meter_mod(p, OFMC_ADD, OFMF_PKTPS | OFMF_BURST, 7, b, 2), OFE_OK);
	assert_true(of_meter_find(p, 7, &dp));
	assert_true(sink.has_meter[dp]);
	assert_true(sink.meter[dp].pktps);
	assert_int_equal(sink.meter[dp].n_bands, 2);
	assert_int_equal(sink.meter[dp].band[0].burst, 10);
	assert_true(sink.meter[dp].band[1].remark);
	assert_int_equal(sink.meter[dp].band[1].prec_level, 2);
	assert_int_equal(meter_mod(p, OFMC_MODIFY, OFMF_KBPS, 7, b, 1), OFE_OK);
	assert_false(sink.meter[dp].pktps);
	assert_int_equal(sink.meter[dp].n_bands, 1);
	assert_int_equal(sink.meter[dp].band[0].burst, 0);
	assert_true(of_meters_each(p, 7, take_meter, &row));
	assert_int_equal(row.packets, 100 + dp);
	assert_int_equal(meter_mod(p, OFMC_DELETE, 0, 7, NULL, 0), OFE_OK);
	assert_false(of_meters_each(p, 7, take_meter, &row));
	/* Packets of the version before still find it. */
	assert_true(of_meter_find(p, 7, &dp));
	of_pipe_publish(p, NULL);
	sim_settle(&sink);
	assert_false(of_meter_find(p, 7, &dp));
	assert_int_equal(sink.n_meters, 0);
	of_pipe_destroy(p);
}

static void
bad_meters_are_refused(void **state)
{
	struct of_pipe *p = pipe_new();
	struct of_band many[DP_METER_BANDS + 1] = { { 0 } }, bad = { .type = 7 };

	(void)state;
	assert_int_equal(meter_mod(p, OFMC_ADD, OFMF_KBPS, 0, &drop, 1), OFE_MMFC_INVALID_METER);
	assert_int_equal(meter_mod(p, OFMC_ADD, OFMF_KBPS, OFM_ALL, &drop, 1), OFE_MMFC_INVALID_METER);
	assert_int_equal(meter_mod(p, OFMC_ADD, OFMF_KBPS, OFM_MAX + 1, &drop, 1), OFE_MMFC_INVALID_METER);
	assert_int_equal(meter_mod(p, OFMC_ADD, OFMF_KBPS | OFMF_PKTPS, 1, &drop, 1), OFE_MMFC_BAD_FLAGS);
	assert_int_equal(meter_mod(p, OFMC_ADD, 1 << 4, 1, &drop, 1), OFE_MMFC_BAD_FLAGS);
	assert_int_equal(meter_mod(p, OFMC_ADD, OFMF_KBPS, 1, &bad, 1), OFE_MMFC_BAD_BAND);
	for (unsigned i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = drop;
	assert_int_equal(meter_mod(p, OFMC_ADD, OFMF_KBPS, 1, many, ARRAY_SIZE(many)), OFE_MMFC_OUT_OF_BANDS);
	assert_int_equal(meter_mod(p, OFMC_MODIFY, OFMF_KBPS, 1, &drop, 1), OFE_MMFC_UNKNOWN_METER);
	assert_int_equal(meter_mod(p, (enum of_meter_command)3, OFMF_KBPS, 1, &drop, 1), OFE_MMFC_BAD_COMMAND);
	assert_int_equal(meter_mod(p, OFMC_DELETE, 0, 1, NULL, 0), OFE_OK);
	assert_int_equal(meter_mod(p, OFMC_ADD, OFMF_KBPS, 1, &drop, 1), OFE_OK);
	assert_int_equal(meter_mod(p, OFMC_ADD, OFMF_KBPS, 1, &drop, 1), OFE_MMFC_METER_EXISTS);
	assert_int_equal(meter_mod(p, OFMC_ADD, OFMF_KBPS, OFM_CONTROLLER, &drop, 1), OFE_OK);
	assert_int_equal(meter_mod(p, OFMC_ADD, OFMF_KBPS, OFM_SLOWPATH, &drop, 1), OFE_OK);
	of_pipe_destroy(p);
}

static void
bridges_share_the_datapaths_meters(void **state)
{
	struct of_pipe *p = pipe_new(), *q = pipe_new();
	uint32_t a, b;

	(void)state;
	for (uint32_t i = 1; i < DP_MAX_METERS; i++)
		assert_int_equal(meter_mod(p, OFMC_ADD, OFMF_KBPS, i, &drop, 1), OFE_OK);
	assert_int_equal(meter_mod(q, OFMC_ADD, OFMF_KBPS, 1, &drop, 1), OFE_OK);
	assert_int_equal(meter_mod(q, OFMC_ADD, OFMF_KBPS, 2, &drop, 1), OFE_MMFC_OUT_OF_METERS);
	assert_true(of_meter_find(p, 1, &a));
	assert_true(of_meter_find(q, 1, &b));
	assert_int_not_equal(a, b);
	of_pipe_destroy(p);
	assert_int_equal(meter_mod(q, OFMC_ADD, OFMF_KBPS, 2, &drop, 1), OFE_OK);
	of_pipe_destroy(q);
}

static void
rules_go_with_their_meter(void **state)
{
	static struct sim_events ev;
	struct of_pipe *p = pipe_new();
	struct of_pipe_events tell = sim_events(&ev);
	struct omatch m = match_in_port(1);
	struct of_flow_mod fm = flow_mod(OFFC_ADD, 0, 5, &m, acts_group(OFA_METER, 3));
	struct of_meter_row row;

	(void)state;
	memset(&ev, 0, sizeof ev);
	of_pipe_set_events(p, &tell);
	fm.flags = OFFF_SEND_FLOW_REM;
	assert_int_equal(apply_as(p, OF13, &fm), OFE_MMFC_INVALID_METER);
	assert_int_equal(apply_as(p, OF15, &fm), OFE_BAC_BAD_METER);
	assert_int_equal(meter_mod(p, OFMC_ADD, OFMF_KBPS, 3, &drop, 1), OFE_OK);
	assert_int_equal(apply_as(p, OF13, &fm), OFE_OK);
	of_pipe_publish(p, NULL);
	assert_true(of_meters_each(p, 3, take_meter, &row));
	assert_int_equal(row.ref_count, 1);
	assert_int_equal(meter_mod(p, OFMC_DELETE, 0, OFM_ALL, NULL, 0), OFE_OK);
	assert_int_equal(n_rows(p, OFTT_ALL), 0);
	of_pipe_publish(p, NULL);
	assert_int_equal(ev.n_removed, 1);
	assert_int_equal(ev.removed[0].reason, OFRR_METER_DELETE);
	of_pipe_destroy(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_meter_reaches_the_datapath),
		cmocka_unit_test(bad_meters_are_refused),
		cmocka_unit_test(bridges_share_the_datapaths_meters),
		cmocka_unit_test(rules_go_with_their_meter),
	};

	return cmocka_run_group_tests_name("meter", tests, NULL, NULL);
}
