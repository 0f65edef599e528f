/* SPDX-License-Identifier: Apache-2.0 */
/* Methods on OpenFlow rules, without a socket: over a real pipeline in a switch without packets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/cmd.h"
#include "tests/ctl/rpc_fixture.h"

/* A call with ' for ". */
static void
callf(struct fixture *f, const char *method, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void
callf(struct fixture *f, const char *method, const char *fmt, ...)
{
	char params[3000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(params, sizeof params, fmt, ap);
	va_end(ap);
	for (char *s = params; *s; s++)
		if (*s == '\'')
			*s = '"';
	call(f, method, params);
}

static void
expect_error(struct fixture *f, const char *path, const char *part)
{
	json_t *e = json_object_get(f->last, "error");
	const char *msg = json_string_value(json_object_get(e, "message"));
	const char *got = json_string_value(json_object_get(json_object_get(e, "data"), "path"));

	if (!e)
		fail_msg("no error but: %s", json_dumps(f->last, 0));
	if (!strstr(msg, part))
		fail_msg("'%s' is not in: %s", part, msg);
	if (path)
		assert_string_equal(got, path);
}

static int
setup_bridge(void **state)
{
	struct fixture *f;

	setup(state);
	f = *state;
	callf(f, "bridge.add", "{'bridge':'br0'}");
	callf(f, "port.add", "{'bridge':'br0','port':'vm1','options':{'type':'vhost-user'}}");
	callf(f, "port.add", "{'bridge':'br0','port':'vm2','options':{'type':'vhost-user'}}");
	callf(f, "flow.del", "{'bridge':'br0'}");
	result_of(f);
	*state = f;
	return 0;
}

static json_t *
flows(struct fixture *f)
{
	return json_object_get(result_of(f), "flows");
}

static size_t
n_flows(struct fixture *f)
{
	callf(f, "flow.table.dump", "{'bridge':'br0'}");
	return json_array_size(flows(f));
}

static const char *
member(const json_t *row, const char *key)
{
	const char *s = json_string_value(json_object_get(row, key));

	return s ? s : "";
}

static void
rules_are_added_changed_and_removed_in_the_syntax_of_ovs_ofctl(void **state)
{
	struct fixture *f = *state;
	json_t *row;

	callf(f, "flow.add", "{'bridge':'br0','flows':['table=2,priority=10,in_port=vm1,tcp,tp_dst=80,cookie=0x5,"
	     "actions=output:vm2','ip,actions=drop']}");
	assert_int_equal(json_integer_value(flows(f)), 2);
	callf(f, "flow.table.dump", "{'bridge':'br0','table':2,'names':true}");
	assert_int_equal(json_array_size(flows(f)), 1);
	row = json_array_get(flows(f), 0);
	assert_int_equal(json_integer_value(json_object_get(row, "table")), 2);
	assert_int_equal(json_integer_value(json_object_get(row, "priority")), 10);
	assert_string_equal(member(row, "match"), "tcp,in_port=vm1,tp_dst=80");
	assert_string_equal(member(row, "actions"), "output:vm2");
	assert_string_equal(member(row, "cookie"), "0x5");
	callf(f, "flow.mod", "{'bridge':'br0','flows':'table=2,tcp,actions=output:1'}");
	callf(f, "flow.table.dump", "{'bridge':'br0','match':'tcp'}");
	assert_string_equal(member(json_array_get(flows(f), 0), "actions"), "output:1");
	callf(f, "flow.del", "{'bridge':'br0','flows':['table=2,tcp']}");
	assert_int_equal(n_flows(f), 1);
	callf(f, "flow.del", "{'bridge':'br0'}");
	assert_int_equal(n_flows(f), 0);
}

static void
strict_means_exactly_this_rule(void **state)
{
	struct fixture *f = *state;

	callf(f, "flow.add", "{'bridge':'br0','flows':['priority=1,ip,actions=drop','priority=2,tcp,actions=drop']}");
	callf(f, "flow.del", "{'bridge':'br0','strict':true,'flows':'priority=2,ip'}");
	assert_int_equal(n_flows(f), 2);
	callf(f, "flow.del", "{'bridge':'br0','strict':true,'flows':'priority=1,ip'}");
	assert_int_equal(n_flows(f), 1);
}

static void
a_mistake_is_told_with_its_place(void **state)
{
	struct fixture *f = *state;

	callf(f, "flow.add", "{'bridge':'br0','flows':['ip,actions=drop','ip,actions=outptu:1']}");
	expect_error(f, "flows[1]", "outptu");
	callf(f, "flow.add", "{'bridge':'br0','flows':['table=3,actions=goto_table:2']}");
	expect_error(f, "flows[0]", "OFPB");
	callf(f, "flow.add", "{'bridge':'br0','flows':['in_port=nobody,actions=drop']}");
	expect_error(f, "flows[0]", "nobody");
	callf(f, "flow.table.dump", "{'bridge':'br0','match':'foo=1'}");
	expect_error(f, "params.match", "foo");
	callf(f, "flow.table.dump", "{'bridge':'br1'}");
	expect_error(f, NULL, "did you mean 'br0'?");
	callf(f, "flow.table.dump", "{'bridge':'br0','cursor':'x'}");
	expect_error(f, "params.cursor", "cursor");
}

static void
lines_are_those_of_ovs_ofctl(void **state)
{
	struct fixture *f = *state;
	const char *line;

	callf(f, "flow.add", "{'bridge':'br0','flows':'priority=7,arp,actions=NORMAL'}");
	callf(f, "flow.table.dump", "{'bridge':'br0','lines':true}");
	line = json_string_value(json_array_get(flows(f), 0));
	assert_non_null(line);
	assert_non_null(strstr(line, "cookie=0x0, duration="));
	assert_non_null(strstr(line, ", table=0, n_packets=0, n_bytes=0, "));
	assert_non_null(strstr(line, "priority=7,arp actions=NORMAL"));
}

static void
a_long_dump_comes_in_pages_and_each_rule_once(void **state)
{
	struct fixture *f = *state;
	char cursor[64] = "", seen[100] = { 0 };
	unsigned pages = 0, n = 0;

	for (unsigned i = 0; i < 100; i++)
		callf(f, "flow.add", "{'bridge':'br0','flows':'table=%u,reg0=%u,actions=drop'}", i % 3, i);
	do {
		const json_t *row;
		size_t i;

		callf(f, "flow.table.dump", "{'bridge':'br0','limit':7%s}", cursor);
		json_array_foreach(flows(f), i, row) {
			unsigned reg = 0;

			sscanf(member(row, "match"), "reg0=%x", &reg);
			assert_true(reg < 100 && !seen[reg]);
			seen[reg] = 1;
			n++;
		}
		snprintf(cursor, sizeof cursor, ",'cursor':'%s'", member(result_of(f), "cursor"));
		pages++;
	} while (json_is_string(json_object_get(result_of(f), "cursor")));
	assert_int_equal(n, 100);
	assert_true(pages >= 15);
}

static void
rules_kept_back_are_carried_out_together(void **state)
{
	struct fixture *f = *state;

	callf(f, "flow.add", "{'bridge':'br0','more':true,'flows':['reg0=1,actions=drop','reg0=2,actions=drop']}");
	assert_int_equal(json_integer_value(json_object_get(result_of(f), "kept")), 2);
	assert_int_equal(n_flows(f), 0);
	callf(f, "flow.del", "{'bridge':'br0','flows':'ip'}");
	expect_error(f, NULL, "finish that first");
	callf(f, "flow.add", "{'bridge':'br0','flows':['reg0=3,actions=drop']}");
	assert_int_equal(json_integer_value(flows(f)), 3);
	assert_int_equal(n_flows(f), 3);
	/* The place counts from the first of them all, and nothing stays kept. */
	callf(f, "flow.add", "{'bridge':'br0','more':true,'flows':['reg0=5,actions=drop']}");
	callf(f, "flow.add", "{'bridge':'br0','flows':['reg0=6,actions=dorp']}");
	expect_error(f, "flows[1]", "dorp");
	callf(f, "flow.add", "{'bridge':'br0','flows':['reg0=7,actions=drop']}");
	assert_int_equal(json_integer_value(flows(f)), 1);
	/* Who leaves takes along what was kept. */
	callf(f, "flow.add", "{'bridge':'br0','more':true,'flows':['reg0=8,actions=drop']}");
}

static void
a_request_with_a_mistake_changes_nothing(void **state)
{
	struct fixture *f = *state;

	callf(f, "flow.add", "{'bridge':'br0','flows':['reg0=1,actions=drop','reg0=2,actions=group:9']}");
	expect_error(f, "flows[1]", "OFPBAC_BAD_OUT_GROUP");
	assert_int_equal(n_flows(f), 0);
	callf(f, "group.add", "{'bridge':'br0','groups':['group_id=1,type=all','group_id=1,type=all']}");
	expect_error(f, "groups[1]", "OFPGMFC_GROUP_EXISTS");
	callf(f, "group.dump", "{'bridge':'br0'}");
	assert_int_equal(json_array_size(json_object_get(result_of(f), "groups")), 0);
}

static void
groups_are_added_changed_shown_and_removed(void **state)
{
	struct fixture *f = *state;
	json_t *row;

	callf(f, "group.add", "{'bridge':'br0','groups':['group_id=7,type=select,bucket=output:vm1,bucket=output:vm2',"
	     "'group_id=3,type=indirect,bucket=output:2']}");
	assert_int_equal(json_integer_value(json_object_get(result_of(f), "groups")), 2);
	callf(f, "flow.add", "{'bridge':'br0','flows':'ip,actions=group:7'}");
	result_of(f);
	callf(f, "group.dump", "{'bridge':'br0','names':true}");
	assert_int_equal(json_array_size(json_object_get(result_of(f), "groups")), 2);
	row = json_array_get(json_object_get(result_of(f), "groups"), 1);
	assert_int_equal(json_integer_value(json_object_get(row, "group")), 7);
	assert_string_equal(member(row, "type"), "select");
	assert_non_null(strstr(member(row, "text"), "group_id=7,type=select,bucket="));
	assert_non_null(strstr(member(row, "text"), "output:vm2"));
	assert_int_equal(json_integer_value(json_object_get(row, "references")), 1);
	assert_int_equal(json_array_size(json_object_get(row, "buckets")), 2);
	callf(f, "group.dump", "{'bridge':'br0','group':3}");
	assert_int_equal(json_array_size(json_object_get(result_of(f), "groups")), 1);
	/* Cached flows say what they depend on. */
	fake_sw_set_flows(f->sw, 1);
	callf(f, "flow.dump", "{}");
	row = json_object_get(json_array_get(flows(f), 0), "depends");
	assert_string_equal(json_string_value(json_array_get(row, 5)), "group 7");
	callf(f, "group.mod", "{'bridge':'br0','groups':'group_id=3,type=all'}");
	callf(f, "group.dump", "{'bridge':'br0','group':3}");
	assert_string_equal(member(json_array_get(json_object_get(result_of(f), "groups"), 0), "type"), "all");
	callf(f, "group.del", "{'bridge':'br0','groups':'group_id=7'}");
	result_of(f);
	assert_int_equal(n_flows(f), 0);
	callf(f, "group.del", "{'bridge':'br0'}");
	callf(f, "group.dump", "{'bridge':'br0'}");
	assert_int_equal(json_array_size(json_object_get(result_of(f), "groups")), 0);
	callf(f, "group.add", "{'bridge':'br0','groups':'group_id=1,type=sleect'}");
	expect_error(f, "groups[0]", "sleect");
}

static void
many_groups_come_in_pages(void **state)
{
	struct fixture *f = *state;
	json_int_t next = 0;
	unsigned n = 0, pages = 0;

	for (unsigned i = 0; i < 1200; i++)
		callf(f, "group.add", "{'bridge':'br0','groups':'group_id=%u,type=all'}", i * 3);
	do {
		callf(f, "group.dump", "{'bridge':'br0','cursor':%lld}", (long long)next);
		n += json_array_size(json_object_get(result_of(f), "groups"));
		next = json_integer_value(json_object_get(result_of(f), "cursor"));
		pages++;
	} while (next);
	assert_int_equal(n, 1200);
	assert_int_equal(pages, 3);
}

static void
meters_are_added_changed_shown_and_removed(void **state)
{
	struct fixture *f = *state;
	json_t *row;

	callf(f, "meter.add", "{'bridge':'br0','meters':'meter=5,kbps,band=type=drop,rate=1000'}");
	result_of(f);
	callf(f, "meter.mod", "{'bridge':'br0','meters':'meter=5,pktps,band=type=drop,rate=7'}");
	callf(f, "meter.dump", "{'bridge':'br0'}");
	row = json_array_get(json_object_get(result_of(f), "meters"), 0);
	assert_int_equal(json_integer_value(json_object_get(row, "meter")), 5);
	assert_non_null(strstr(member(row, "text"), "meter=5 pktps bands=\ntype=drop rate=7"));
	assert_int_equal(json_array_size(json_object_get(row, "bands")), 1);
	callf(f, "meter.mod", "{'bridge':'br0','meters':'meter=6,pktps,band=type=drop,rate=7'}");
	expect_error(f, "meters[0]", "OFPMMFC_UNKNOWN_METER");
	callf(f, "meter.del", "{'bridge':'br0'}");
	callf(f, "meter.dump", "{'bridge':'br0'}");
	assert_int_equal(json_array_size(json_object_get(result_of(f), "meters")), 0);
}

static void
a_trace_says_what_happens_and_what_is_cached(void **state)
{
	struct fixture *f = *state;
	json_t *cached;

	fake_sw_set_flows(f->sw, 3000);
	callf(f, "trace", "{'bridge':'br0','flow':'in_port=vm1,tcp'}");
	assert_string_equal(member(result_of(f), "text"), "bridge 0 in_port 1 frame no 0\n");
	cached = json_object_get(result_of(f), "cached");
	assert_int_equal(json_array_size(cached), 2);
	assert_string_equal(member(json_array_get(cached, 0), "match"), "in_port=vm1");
	callf(f, "trace", "{'bridge':'br0','packet':'0102030405060708090a0b0c0d0e','in-port':'77'}");
	assert_string_equal(member(result_of(f), "text"), "bridge 0 in_port 77 frame yes 14\n");
	assert_int_equal(json_array_size(json_object_get(result_of(f), "cached")), 0);
	callf(f, "trace", "{'bridge':'br0','packet':'0102030405060708090a0b0c0d'}");
	expect_error(f, "params.packet", "14 bytes");
	callf(f, "trace", "{'bridge':'br0','packet':'0102030405060708090a0b0c0d0e0'}");
	expect_error(f, "params.packet", "hexadecimal");
	callf(f, "trace", "{'bridge':'br0'}");
	expect_error(f, "params", "either flow or packet");
	callf(f, "trace", "{'bridge':'br0','flow':'in_port=1','in-port':'vm9'}");
	expect_error(f, "params.in-port", "no port 'vm9'");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup_bridge, teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(rules_are_added_changed_and_removed_in_the_syntax_of_ovs_ofctl),
		TEST(strict_means_exactly_this_rule),
		TEST(a_mistake_is_told_with_its_place),
		TEST(lines_are_those_of_ovs_ofctl),
		TEST(a_long_dump_comes_in_pages_and_each_rule_once),
		TEST(rules_kept_back_are_carried_out_together),
		TEST(a_request_with_a_mistake_changes_nothing),
		TEST(groups_are_added_changed_shown_and_removed),
		TEST(many_groups_come_in_pages),
		TEST(meters_are_added_changed_shown_and_removed),
		TEST(a_trace_says_what_happens_and_what_is_cached),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
