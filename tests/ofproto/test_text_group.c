/* SPDX-License-Identifier: Apache-2.0 */
/* Groups and meters as text: as ovs-ofctl prints them (golden/groups.golden), and what is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "ofproto/text.h"
#include "tests/ofproto/golden.h"

/* --- Groups ------------------------------------------------------------------------------------- */

static void
parse(struct of_arena *arena, const char *s, size_t len, struct of_group_mod *gm)
{
	struct err err = { 0 };

	if (of_parse_group_mod(s, len, OFGC_ADD, NULL, arena, gm, &err))
		fail_msg("%.*s: %s", (int)len, s, err.msg);
}

/* Prints the group as dump-groups does, parses and prints again. */
static void
read_back(struct of_arena *arena, const struct of_group_mod *gm)
{
	struct of_group_desc g = { .group_id = gm->group_id, .type = gm->type, .n_buckets = gm->n_buckets,
				   .buckets = gm->buckets, .selection_param = gm->selection_param,
				   .selection_fields = gm->selection_fields };
	struct of_text once = { 0 }, twice = { 0 };
	struct of_group_mod back;

	memcpy(g.selection_method, gm->selection_method, sizeof g.selection_method);
	of_print_group(&once, &g, OF15, NULL);
	parse(arena, of_text_str(&once), once.len, &back);
	of_print_group_mod(&twice, &back, OF15, NULL);
	assert_memory_equal(of_text_str(&twice), "ADD ", 4);
	assert_string_equal(of_text_str(&twice) + 4, of_text_str(&once));
	of_text_fini(&once);
	of_text_fini(&twice);
}

static void
check_group(void *arg, const char *in, size_t len, char *want)
{
	struct of_arena *arena = arg;
	struct of_text t = { 0 };
	struct of_group_mod gm;

	of_arena_reset(arena);
	parse(arena, in, len, &gm);
	of_print_group_mod(&t, &gm, strstr(want, "bucket_id:") ? OF15 : OF13, NULL);
	assert_string_equal(of_text_str(&t), want);
	read_back(arena, &gm);
	of_text_fini(&t);
}

static void
groups_print_as_ovs_ofctl_prints_them(void **state)
{
	struct of_arena *arena = of_arena_create();

	(void)state;
	golden_each("groups.golden", 10, check_group, arena);
	of_arena_destroy(arena);
}

static void
groups_have_commands(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "delete", "DEL group_id=4294967292,type=all" },
		{ "delete group_id=5", "DEL group_id=5,type=all" },
		{ "delete group_id=all", "DEL group_id=4294967292,type=all" },
		{ "modify group_id=5,type=all,bucket=actions=1", "MOD group_id=5,type=all,bucket=bucket_id:0,actions=output:1" },
		{ "add_or_mod group_id=5,type=all", "ADD_OR_MOD group_id=5,type=all" },
		{ "insert_bucket group_id=5,command_bucket_id=last,bucket=bucket_id:3,actions=1",
		  "INSERT_BUCKET command_bucket_id:last,group_id=5,bucket=bucket_id:3,actions=output:1" },
		{ "remove_bucket group_id=5,command_bucket_id=7", "REMOVE_BUCKET command_bucket_id:7,group_id=5" },
		{ "remove_bucket group_id=5,command_bucket_id=all", "REMOVE_BUCKET command_bucket_id:all,group_id=5" },
	};
	struct of_arena *arena = of_arena_create();
	struct of_text t = { 0 };
	struct of_group_mod gm;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		parse(arena, cases[i].in, strlen(cases[i].in), &gm);
		of_text_clear(&t);
		of_print_group_mod(&t, &gm, OF15, NULL);
		assert_string_equal(of_text_str(&t), cases[i].out);
	}
	of_text_fini(&t);
	of_arena_destroy(arena);
}

static const struct {
	const char *in, *msg;
} bad_groups[] = {
	{ "", "column 1: which group? group_id=... is missing" },
	{ "type=all", "column 1: which group? group_id=... is missing" },
	{ "group_id=1", "column 1: type=... is missing: all, select, indirect or ff" },
	{ "group_id=x,type=all", "column 10: group_id: 'x' is not a number" },
	{ "group_id=4294967041,type=all", "column 10: group_id: at most 4294967040" },
	{ "group_id=1,type=foo", "column 17: unknown type of group 'foo'" },
	{ "group_id=1,type=selcet", "column 17: unknown type of group 'selcet': did you mean 'select'?" },
	{ "group_id=1,type=all,bucket=", "column 28: a bucket has actions (actions=drop for none)" },
	{ "group_id=1,type=all,bucket=weight:1,actions=1", "column 28: weights are for groups of type select" },
	{ "group_id=1,type=select,bucket=wieght:1", "column 31: unknown action 'wieght'" },
	{ "group_id=1,type=select,bucket=weight:70000,actions=1", "column 38: weight: at most 65535" },
	{ "group_id=1,type=ff,bucket=actions=1",
	  "column 27: a bucket of a fast failover group has a watch_port or watch_group" },
	{ "group_id=1,type=ff,bucket=watch_port:eth0,actions=1", "column 38: watch_port: unknown port 'eth0'" },
	{ "group_id=1,type=ff,bucket=watch_port:normal,actions=1",
	  "column 38: watch_port: not a port that can be watched" },
	{ "group_id=1,type=ff,bucket=watch_group:4294967295,actions=1", "column 39: watch_group: at most 4294967040" },
	{ "group_id=1,type=all,bucket=actions=foo", "column 36: unknown action 'foo'" },
	{ "group_id=1,type=all,bucket=actions=goto_table:1",
	  "column 36: 'goto_table' is an instruction: it cannot stand here" },
	{ "group_id=1,type=all,bucket=bucket_id:4294967295,actions=1", "column 38: bucket_id: at most 4294967040" },
	{ "group_id=1,type=indirect,bucket=1,bucket=2", "column 1: an indirect group has one bucket" },
	{ "group_id=1,type=all,selection_method=hash", "column 1: selection_method is for groups of type select" },
	{ "group_id=1,type=select,selection_method=abcdefghijklmnop",
	  "column 41: selection_method: at most 15 bytes" },
	{ "group_id=1,type=select,fields=eth_dst",
	  "column 1: selection_method_param and fields need a selection_method" },
	{ "group_id=1,type=select,selection_method=hash,fields=foo", "column 53: unknown field 'foo'" },
	{ "group_id=1,type=select,selection_method=hash,fields(ip_src=255.255.255.0)",
	  "column 60: fields: ip_src is hashed as a whole" },
	{ "group_id=1,type=all,command_bucket_id=3", "column 21: 'command_bucket_id' does not go with this command" },
	{ "insert_bucket group_id=1,bucket=1", "column 14: command_bucket_id=... is missing" },
	{ "insert_bucket group_id=1,command_bucket_id=all,bucket=1",
	  "column 44: command_bucket_id: 'all' does not go with this command" },
	{ "remove_bucket group_id=1,command_bucket_id=4294967041",
	  "column 44: command_bucket_id: at most 4294967040, first, last or all" },
	{ "delete group_id=1,type=all", "column 19: 'type' does not go with this command" },
	{ "delete group_id=1,bucket=1", "column 19: buckets do not go with this command" },
};

static void
what_is_wrong_with_a_group_is_said(void **state)
{
	struct of_arena *arena = of_arena_create();
	struct of_group_mod gm;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad_groups); i++) {
		struct err err = { 0 };

		if (!of_parse_group_mod(bad_groups[i].in, strlen(bad_groups[i].in), OFGC_ADD, NULL, arena, &gm, &err))
			fail_msg("%s: accepted", bad_groups[i].in);
		assert_string_equal(err.msg, bad_groups[i].msg);
	}
	of_arena_destroy(arena);
}

static int
count_groups(void *arg, const struct of_group_mod *gm, struct err *err)
{
	unsigned *n = arg;

	(void)err;
	*n += gm->n_buckets;
	return 0;
}

static void
files_hold_a_group_in_each_line(void **state)
{
	static const char file[] = "# groups\ngroup_id=1,type=all,bucket=1,bucket=2\n\n"
				   "add group_id=2,type=indirect,bucket=3 # one\ndelete group_id=3";
	struct err err = { 0 };
	unsigned n = 0;

	(void)state;
	assert_int_equal(of_parse_group_file(file, strlen(file), OFGC_ADD, NULL, count_groups, &n, &err), 0);
	assert_int_equal(n, 3);
	assert_int_equal(of_parse_group_file("\ngroup_id=1,tpye=all\n", 21, OFGC_ADD, NULL, count_groups, &n, &err),
			 -EINVAL);
	assert_string_equal(err.msg, "line 2: column 12: unknown keyword 'tpye': did you mean 'type'?");
}

static void
group_rows_show_their_buckets(void **state)
{
	static const struct of_counts buckets[] = { { 1, 2 }, { UINT64_MAX, UINT64_MAX }, { 3, 4 } };
	struct of_group_row row = { .group_id = 7, .ref_count = 2, .duration_s = 5, .duration_ns = 500000000,
				    .packets = 10, .bytes = 20, .n_buckets = 3, .buckets = buckets };
	struct of_text t = { 0 };

	(void)state;
	of_print_group_row(&t, &row);
	assert_string_equal(of_text_str(&t), "group_id=7,duration=5.500s,ref_count=2,packet_count=10,byte_count=20,"
					     "bucket0:packet_count=1,byte_count=2,bucket2:packet_count=3,byte_count=4");
	of_text_fini(&t);
}

/* --- Meters ------------------------------------------------------------------------------------- */

static void
meters_print_and_read_back(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "meter=1,kbps,burst,band=type=drop,rate=100,burst_size=10",
		  "ADD meter=1 kbps burst bands=\ntype=drop rate=100 burst_size=10\n" },
		{ "meter=controller pktps stats bands=type=dscp_remark rate=5 prec_level=3 type=drop rate=9",
		  "ADD meter=controller pktps stats bands=\ntype=dscp_remark rate=5 prec_level=3\ntype=drop rate=9\n" },
		{ "meter=2,kbps,band=type=drop,rate=1,band=type=drop,rate=2",
		  "ADD meter=2 kbps bands=\ntype=drop rate=1\ntype=drop rate=2\n" },
	};
	struct of_arena *arena = of_arena_create();
	struct of_text t = { 0 };
	struct of_meter_mod mm;
	struct err err = { 0 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(of_parse_meter_mod(cases[i].in, strlen(cases[i].in), OFMC_ADD, arena, &mm, &err), 0);
		of_text_clear(&t);
		of_print_meter_mod(&t, &mm);
		assert_string_equal(of_text_str(&t), cases[i].out);
		if (of_parse_meter_mod(of_text_str(&t) + 4, t.len - 4, OFMC_MODIFY, arena, &mm, &err))
			fail_msg("%s: %s", of_text_str(&t), err.msg);
		of_text_clear(&t);
		of_print_meter_mod(&t, &mm);
		assert_string_equal(of_text_str(&t) + 4, cases[i].out + 4);
	}
	assert_int_equal(of_parse_meter_mod("meter=all", 9, OFMC_DELETE, arena, &mm, &err), 0);
	assert_int_equal(mm.meter_id, OFM_ALL);
	of_text_fini(&t);
	of_arena_destroy(arena);
}

static const struct {
	const char *in, *msg;
} bad_meters[] = {
	{ "", "column 1: which meter? meter=... is missing" },
	{ "kbps,band=type=drop,rate=1", "column 1: which meter? meter=... is missing" },
	{ "meter=0,kbps,band=type=drop,rate=1", "column 7: meter: 1 to 4294901760, or all, controller, slowpath" },
	{ "meter=x,kbps,band=type=drop,rate=1", "column 7: meter: 'x' is not a number" },
	{ "meter=4294901761,kbps,band=type=drop,rate=1",
	  "column 7: meter: 1 to 4294901760, or all, controller, slowpath" },
	{ "meter=1,band=type=drop,rate=1", "column 1: a meter counts either kbps or pktps" },
	{ "meter=1,kbsp,band=type=drop,rate=1", "column 9: unknown keyword 'kbsp': did you mean 'kbps'?" },
	{ "meter=1,kbps", "column 13: the bands are missing: bands=type=drop,rate=..." },
	{ "meter=1,kbps,band=", "column 19: a meter has 1 to 1024 bands, each starting with its type" },
	{ "meter=1,kbps,band=rate=1", "column 19: a meter has 1 to 1024 bands, each starting with its type" },
	{ "meter=1,kbps,band=type=dorp,rate=1", "column 24: unknown type of band 'dorp': did you mean 'drop'?" },
	{ "meter=1,kbps,band=type=drop", "column 19: a band has a rate" },
	{ "meter=1,kbps,band=type=drop,rate=0", "column 19: a band has a rate" },
	{ "meter=1,kbps,band=type=drop,rate=1,burst_size=3", "column 19: burst_size goes with the flag 'burst'" },
	{ "meter=1,kbps,burst,band=type=drop,rate=1",
	  "column 25: the bands of a meter with 'burst' have a burst_size" },
	{ "meter=1,kbps,band=type=dscp_remark,rate=1", "column 19: a band of type dscp_remark has a prec_level" },
	{ "meter=1,kbps,band=type=drop,rate=1,prec_level=1",
	  "column 19: prec_level is for bands of type dscp_remark" },
	{ "meter=1,kbps,band=type=drop,rat=1", "column 29: unknown keyword of a band 'rat': did you mean 'rate'?" },
};

static void
what_is_wrong_with_a_meter_is_said(void **state)
{
	struct of_arena *arena = of_arena_create();
	struct of_meter_mod mm;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad_meters); i++) {
		struct err err = { 0 };

		if (!of_parse_meter_mod(bad_meters[i].in, strlen(bad_meters[i].in), OFMC_ADD, arena, &mm, &err))
			fail_msg("%s: accepted", bad_meters[i].in);
		assert_string_equal(err.msg, bad_meters[i].msg);
	}
	of_arena_destroy(arena);
}

static void
meter_rows_show_their_bands(void **state)
{
	static const struct of_counts bands[] = { { 1, 2 }, { 3, 4 } };
	struct of_meter_row row = { .meter_id = 5, .ref_count = 2, .duration_s = 9, .packets = 10, .bytes = 20,
				    .n_bands = 2, .bands = bands };
	struct of_text t = { 0 };

	(void)state;
	of_print_meter_row(&t, &row);
	assert_string_equal(of_text_str(&t), "meter:5 flow_count:2 packet_in_count:10 byte_in_count:20 duration:9s bands:\n"
					     "0: packet_count:1 byte_count:2\n1: packet_count:3 byte_count:4\n");
	of_text_fini(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(groups_print_as_ovs_ofctl_prints_them),
		cmocka_unit_test(groups_have_commands),
		cmocka_unit_test(what_is_wrong_with_a_group_is_said),
		cmocka_unit_test(files_hold_a_group_in_each_line),
		cmocka_unit_test(group_rows_show_their_buckets),
		cmocka_unit_test(meters_print_and_read_back),
		cmocka_unit_test(what_is_wrong_with_a_meter_is_said),
		cmocka_unit_test(meter_rows_show_their_bands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
