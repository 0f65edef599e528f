/* SPDX-License-Identifier: Apache-2.0 */
/* Groups: every command, every refusal, what goes with them. */
#include "tests/ofproto/ofsim.h"

static uint16_t
add_group(struct of_pipe *p, uint32_t id, struct of_acts acts)
{
	struct of_bucket b = bucket(0, 0, acts);

	return group_mod(p, OF13, OFGC_ADD, OFGT_ALL, id, &b, 1);
}

static struct of_group_view
view(const struct of_pipe *p, uint32_t id)
{
	struct of_group_view v = { 0 };

	of_group_find(p, of_pipe_version(p), id, &v);
	return v;
}

static bool
take_group(void *arg, const struct of_group_row *row, const struct of_group_desc *d)
{
	(void)d;
	*(struct of_group_row *)arg = *row;
	return true;
}

static struct of_group_row
row_of(const struct of_pipe *p, uint32_t id)
{
	struct of_group_row row = { 0 };

	assert_true(of_groups_each(p, id, take_group, &row));
	return row;
}

static void
a_group_shows_with_its_version(void **state)
{
	struct of_pipe *p = pipe_new();
	struct of_bucket b[2] = { bucket(0, 3, acts_output(1)), bucket(1, 4, acts_output(2)) };
	struct of_group_view v;
	uint64_t before;

	(void)state;
	assert_int_equal(group_mod(p, OF13, OFGC_ADD, OFGT_SELECT, 7, b, 2), OFE_OK);
	before = of_pipe_version(p);
	assert_false(of_group_find(p, before, 7, &v));
	assert_true(of_pipe_publish(p, NULL));
	v = view(p, 7);
	assert_int_equal(v.type, OFGT_SELECT);
	assert_int_equal(v.n_buckets, 2);
	assert_int_equal(v.total_weight, 7);
	assert_int_equal(((const struct of_act_output *)v.buckets[1].acts.a)->port, 2);
	assert_int_equal(group_mod(p, OF13, OFGC_MODIFY, OFGT_SELECT, 7, b, 1), OFE_OK);
	assert_int_equal(view(p, 7).n_buckets, 2);
	of_pipe_publish(p, NULL);
	assert_int_equal(view(p, 7).n_buckets, 1);
	assert_int_equal(group_mod(p, OF13, OFGC_DELETE, OFGT_ALL, 7, NULL, 0), OFE_OK);
	of_pipe_publish(p, NULL);
	assert_false(of_group_find(p, of_pipe_version(p), 7, &v));
	of_pipe_destroy(p);
}

static void
bad_groups_are_refused(void **state)
{
	struct of_pipe *p = pipe_new();
	static struct of_bucket many[OF_MAX_BUCKETS + 1];
	struct of_bucket b = bucket(0, 0, acts_output(1)), w = bucket(0, 1, acts_output(1)), two[2];

	(void)state;
	assert_int_equal(add_group(p, OFG_ALL, acts_output(1)), OFE_GMFC_INVALID_GROUP);
	assert_int_equal(add_group(p, 1, acts_output(0xff00)), OFE_BAC_BAD_OUT_PORT);
	assert_int_equal(add_group(p, 1, acts_group(OFA_GROUP, 2)), OFE_BAC_BAD_OUT_GROUP);
	assert_int_equal(add_group(p, 1, acts_group(OFA_GROUP, 1)), OFE_GMFC_LOOP);
	assert_int_equal(group_mod(p, OF13, OFGC_ADD, (enum of_group_type)4, 1, &b, 1), OFE_GMFC_BAD_TYPE);
	assert_int_equal(group_mod(p, OF13, (enum of_group_command)9, OFGT_ALL, 1, &b, 1), OFE_GMFC_BAD_COMMAND);
	assert_int_equal(group_mod(p, OF13, OFGC_MODIFY, OFGT_ALL, 1, &b, 1), OFE_GMFC_UNKNOWN_GROUP);
	assert_int_equal(group_mod(p, OF13, OFGC_ADD, OFGT_INDIRECT, 1, &b, 0), OFE_GMFC_INVALID_GROUP);
	assert_int_equal(group_mod(p, OF13, OFGC_ADD, OFGT_ALL, 1, &w, 1), OFE_GMFC_INVALID_GROUP);
	assert_int_equal(group_mod(p, OF13, OFGC_ADD, OFGT_FF, 1, &b, 1), OFE_GMFC_INVALID_GROUP);
	b.watch_port = 1;
	assert_int_equal(group_mod(p, OF13, OFGC_ADD, OFGT_ALL, 1, &b, 1), OFE_GMFC_WATCH_UNSUPPORTED);
	assert_int_equal(group_mod(p, OF13, OFGC_ADD, OFGT_FF, 1, &b, 1), OFE_OK);
	assert_int_equal(group_mod(p, OF13, OFGC_ADD, OFGT_FF, 1, &b, 1), OFE_GMFC_GROUP_EXISTS);
	b.watch_group = 9;
	assert_int_equal(group_mod(p, OF13, OFGC_ADD, OFGT_FF, 2, &b, 1), OFE_GMFC_BAD_WATCH);
	for (unsigned i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = bucket(i, 0, acts_output(1));
	assert_int_equal(group_mod(p, OF13, OFGC_ADD, OFGT_ALL, 2, many, ARRAY_SIZE(many)), OFE_GMFC_OUT_OF_BUCKETS);
	assert_int_equal(group_mod(p, OF13, OFGC_ADD, OFGT_ALL, 2, many, OF_MAX_BUCKETS), OFE_OK);
	two[0] = two[1] = bucket(5, 0, acts_output(1));
	assert_int_equal(group_mod(p, OF15, OFGC_ADD, OFGT_ALL, 3, two, 2), OFE_GMFC_BUCKET_EXISTS);
	assert_int_equal(group_mod(p, OF13, OFGC_ADD, OFGT_ALL, 3, two, 2), OFE_OK);
	assert_int_equal(group_mod(p, OF13, OFGC_DELETE, OFGT_ALL, 99, NULL, 0), OFE_OK);
	assert_int_equal(group_mod(p, OF15, OFGC_ADD_OR_MOD, OFGT_ALL, 4, many, 1), OFE_OK);
	assert_int_equal(group_mod(p, OF15, OFGC_ADD_OR_MOD, OFGT_ALL, 4, many, 2), OFE_OK);
	assert_int_equal(row_of(p, 4).n_buckets, 2);
	of_pipe_destroy(p);
}

static void
chains_end(void **state)
{
	struct of_pipe *p = pipe_new();
	struct of_bucket back = bucket(0, 0, acts_group(OFA_GROUP, 3));

	(void)state;
	assert_int_equal(add_group(p, 1, acts_output(1)), OFE_OK);
	assert_int_equal(add_group(p, 2, acts_group(OFA_GROUP, 1)), OFE_OK);
	assert_int_equal(add_group(p, 3, acts_group(OFA_GROUP, 2)), OFE_OK);
	assert_int_equal(group_mod(p, OF13, OFGC_MODIFY, OFGT_ALL, 1, &back, 1), OFE_GMFC_LOOP);
	assert_int_equal(row_of(p, 1).ref_count, 1);
	assert_int_equal(group_mod(p, OF13, OFGC_DELETE, OFGT_ALL, 1, NULL, 0), OFE_GMFC_CHAINED_GROUP);
	assert_int_equal(group_mod(p, OF13, OFGC_DELETE, OFGT_ALL, 3, NULL, 0), OFE_OK);
	assert_int_equal(group_mod(p, OF13, OFGC_DELETE, OFGT_ALL, 2, NULL, 0), OFE_OK);
	assert_int_equal(group_mod(p, OF13, OFGC_DELETE, OFGT_ALL, 1, NULL, 0), OFE_OK);
	assert_int_equal(add_group(p, 1, acts_output(1)), OFE_OK);
	assert_int_equal(add_group(p, 2, acts_group(OFA_GROUP, 1)), OFE_OK);
	assert_int_equal(group_mod(p, OF13, OFGC_DELETE, OFGT_ALL, OFG_ALL, NULL, 0), OFE_OK);
	assert_false(of_groups_each(p, OFG_ALL, take_group, NULL));
	of_pipe_destroy(p);
}

static void
rules_go_with_their_group(void **state)
{
	static struct sim_events ev;
	struct of_pipe *p = pipe_new();
	struct of_pipe_events tell = sim_events(&ev);
	struct omatch a = match_in_port(1), b = match_in_port(2), c = match_in_port(3);
	struct of_flow_mod fm;

	(void)state;
	memset(&ev, 0, sizeof ev);
	of_pipe_set_events(p, &tell);
	assert_int_equal(add_group(p, 1, acts_output(1)), OFE_OK);
	assert_int_equal(add_group(p, 2, acts_output(1)), OFE_OK);
	fm = flow_mod(OFFC_ADD, 0, 5, &a, acts_group(OFA_GROUP, 1));
	fm.flags = OFFF_SEND_FLOW_REM;
	assert_int_equal(apply_as(p, OF13, &fm), OFE_OK);
	add_rule(p, 3, 5, &b, acts_group(OFA_GROUP, 1));
	add_rule(p, 0, 5, &c, acts_group(OFA_GROUP, 2));
	of_pipe_publish(p, NULL);
	assert_int_equal(row_of(p, 1).ref_count, 2);
	assert_int_equal(group_mod(p, OF13, OFGC_DELETE, OFGT_ALL, 1, NULL, 0), OFE_OK);
	assert_int_equal(n_rows(p, OFTT_ALL), 1);
	of_pipe_publish(p, NULL);
	assert_int_equal(ev.n_removed, 1);
	assert_int_equal(ev.removed[0].reason, OFRR_GROUP_DELETE);
	fm = flow_mod(OFFC_DELETE, OFTT_ALL, 0, &(struct omatch){ 0 }, (struct of_acts){ 0 });
	fm.out_group = 2;
	assert_int_equal(apply_as(p, OF13, &fm), OFE_OK);
	assert_int_equal(n_rows(p, OFTT_ALL), 0);
	assert_int_equal(row_of(p, 2).ref_count, 0);
	assert_int_equal(ev.n_forwarded, 3);
	of_pipe_destroy(p);
}

static void
buckets_come_and_go_one_by_one(void **state)
{
	struct of_pipe *p = pipe_new();
	struct of_bucket b[3] = { bucket(10, 1, acts_output(1)), bucket(20, 1, acts_output(2)),
				  bucket(30, 1, acts_output(3)) };
	struct of_who who = { .version = OF15 };
	struct of_group_mod m = { .command = OFGC_INSERT_BUCKET, .group_id = 1, .n_buckets = 1, .buckets = &b[2],
				  .command_bucket_id = 10 };
	struct of_error e = { 0 };
	struct of_group_view v;

	(void)state;
	assert_int_equal(group_mod(p, OF15, OFGC_ADD, OFGT_SELECT, 1, b, 2), OFE_OK);
	of_pipe_publish(p, NULL);
	v = view(p, 1);
	of_pipe_credit(p, of_ref_group(p, v.group), 5, 500, 1);
	of_pipe_credit(p, of_ref_bucket(p, v.group, 1), 5, 500, 1);
	assert_int_equal(of_group_mod(p, &who, &m, &e), 0);
	assert_int_equal(of_group_mod(p, &who, &m, &e), -1);
	assert_int_equal(e.id, OFE_GMFC_BUCKET_EXISTS);
	m.command_bucket_id = 11;
	assert_int_equal(of_group_mod(p, &who, &m, &e), -1);
	assert_int_equal(e.id, OFE_GMFC_UNKNOWN_BUCKET);
	of_pipe_publish(p, NULL);
	v = view(p, 1);
	assert_int_equal(v.n_buckets, 3);
	assert_int_equal(v.buckets[0].id, 10);
	assert_int_equal(v.buckets[1].id, 30);
	assert_int_equal(v.buckets[2].id, 20);
	assert_int_equal(row_of(p, 1).packets, 5);
	m = (struct of_group_mod){ .command = OFGC_REMOVE_BUCKET, .group_id = 1, .command_bucket_id = 0xfffffffd };
	assert_int_equal(of_group_mod(p, &who, &m, &e), 0);
	m.command_bucket_id = 10;
	assert_int_equal(of_group_mod(p, &who, &m, &e), -1);
	assert_int_equal(e.id, OFE_GMFC_UNKNOWN_BUCKET);
	m.command_bucket_id = 0xfffffffe;
	assert_int_equal(of_group_mod(p, &who, &m, &e), 0);
	of_pipe_publish(p, NULL);
	assert_int_equal(view(p, 1).n_buckets, 1);
	assert_int_equal(view(p, 1).buckets[0].id, 30);
	m.command_bucket_id = 0xffffffff;
	assert_int_equal(of_group_mod(p, &who, &m, &e), 0);
	of_pipe_publish(p, NULL);
	assert_int_equal(view(p, 1).n_buckets, 0);
	of_pipe_destroy(p);
}

static bool
take_counts(void *arg, const struct of_group_row *row, const struct of_group_desc *d)
{
	struct of_counts *c = arg;

	(void)d;
	c[0] = (struct of_counts){ row->packets, row->bytes };
	memcpy(c + 1, row->buckets, row->n_buckets * sizeof *c);
	return true;
}

static void
groups_and_buckets_are_counted(void **state)
{
	static struct sim_sink sink;
	struct ofp_sink s = sim_sink(&sink);
	struct of_pipe *p = of_pipe_create(1, &s, ignore_mark, NULL);
	struct of_bucket b[2] = { bucket(0, 0, acts_output(1)), bucket(1, 0, acts_output(2)) };
	struct of_counts c[3];
	uint64_t old;

	(void)state;
	assert_int_equal(group_mod(p, OF13, OFGC_ADD, OFGT_ALL, 1, b, 2), OFE_OK);
	of_pipe_publish(p, NULL);
	old = of_ref_group(p, view(p, 1).group);
	of_pipe_credit(p, old, 2, 200, 1);
	of_pipe_credit(p, of_ref_bucket(p, view(p, 1).group, 0), 1, 100, 1);
	of_pipe_credit(p, of_ref_bucket(p, view(p, 1).group, 1), 2, 200, 1);
	of_pipe_credit(p, of_ref_bucket(p, view(p, 1).group, 4000), 9, 900, 1);
	of_groups_each(p, 1, take_counts, c);
	assert_int_equal(c[0].packets, 2);
	assert_int_equal(c[1].bytes, 100);
	assert_int_equal(c[2].packets, 2);
	assert_int_equal(group_mod(p, OF13, OFGC_DELETE, OFGT_ALL, 1, NULL, 0), OFE_OK);
	of_pipe_publish(p, NULL);
	sim_settle(&sink);
	assert_int_equal(group_mod(p, OF13, OFGC_ADD, OFGT_ALL, 5, b, 2), OFE_OK);
	of_pipe_publish(p, NULL);
	of_pipe_credit(p, old, 2, 200, 1);
	of_groups_each(p, 5, take_counts, c);
	assert_int_equal(c[0].packets, 0);
	of_pipe_destroy(p);
	sim_settle(&sink);
}

/* A pipeline that goes while its groups wait for a grace period. */
static void
a_pipeline_may_go_at_any_time(void **state)
{
	static struct sim_sink sink;

	(void)state;
	for (unsigned stage = 0; stage < 5; stage++) {
		struct ofp_sink s = sim_sink(&sink);
		struct of_pipe *p = of_pipe_create(1, &s, ignore_mark, NULL);
		struct of_band band = { .type = OFMBT_DROP, .rate = 1 };
		struct omatch m = match_in_port(1);

		assert_int_equal(add_group(p, 1, acts_output(1)), OFE_OK);
		assert_int_equal(meter_mod(p, OFMC_ADD, OFMF_KBPS, 1, &band, 1), OFE_OK);
		add_rule(p, 0, 1, &m, acts_group(OFA_GROUP, 1));
		of_pipe_publish(p, NULL);
		of_pipe_flush(p, true);
		of_pipe_publish(p, NULL);
		for (unsigned i = 0; i < stage; i++)
			sim_grace(&sink);
		of_pipe_destroy(p);
		sim_settle(&sink);
		assert_int_equal(sink.n_meters, 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_group_shows_with_its_version),
		cmocka_unit_test(bad_groups_are_refused),
		cmocka_unit_test(chains_end),
		cmocka_unit_test(rules_go_with_their_group),
		cmocka_unit_test(buckets_come_and_go_one_by_one),
		cmocka_unit_test(groups_and_buckets_are_counted),
		cmocka_unit_test(a_pipeline_may_go_at_any_time),
	};

	return cmocka_run_group_tests_name("group", tests, NULL, NULL);
}
