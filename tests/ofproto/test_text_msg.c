/* SPDX-License-Identifier: Apache-2.0 */
/* Messages as text.  golden/messages.golden has messages that Open vSwitch and ovs-ofctl exchanged, in hexadecimal, and
 * what `ovs-ofctl ofp-print` says about each (for packets: without the line about the frame).  What is not in there is
 * built here. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "ofproto/text.h"
#include "tests/ofproto/golden.h"

/* --- As ovs-ofctl ------------------------------------------------------------------------------- */

static uint8_t *
unhex(const char *s, size_t len)
{
	uint8_t *b = malloc(len / 2);

	for (size_t i = 0; i < len / 2; i++) {
		unsigned v;

		assert_int_equal(sscanf(s + 2 * i, "%2x", &v), 1);
		b[i] = (uint8_t)v;
	}
	return b;
}

/* Newlines stand as "\n" in the file. */
static void
unescape(char *s)
{
	char *to = s;

	for (; *s; s++, to++) {
		*to = *s;
		if (s[0] == '\\' && s[1] == 'n') {
			*to = '\n';
			s++;
		}
	}
	*to = '\0';
}

static bool
is_packet(const struct of_msg *m)
{
	return m->kind == OFK_PACKET_IN || m->kind == OFK_PACKET_OUT;
}

static void
check_message(void *arg, const char *in, size_t len, char *want)
{
	static const struct of_decode_opts opts = { .table_ids = true };
	struct of_arena *arena = arg;
	struct of_text t = { 0 };
	struct of_error e = { 0 };
	struct of_msg m;
	uint8_t *data = unhex(in, len);

	unescape(want);
	of_arena_reset(arena);
	if (of_decode(data, (uint32_t)len / 2, &opts, arena, &m, &e))
		fail_msg("%s: %s: %s", want, of_error_name(e.id), e.why);
	of_print_msg(&t, &m, NULL);
	if (is_packet(&m))
		t.s[MIN_OF(t.len, strlen(want))] = '\0';
	assert_string_equal(of_text_str(&t), want);
	free(data);
	of_text_fini(&t);
}

static void
messages_print_as_ovs_ofctl_prints_them(void **state)
{
	struct of_arena *arena = of_arena_create();

	(void)state;
	golden_each("messages.golden", 200, check_message, arena);
	of_arena_destroy(arena);
}

/* --- By hand ------------------------------------------------------------------------------------ */

static void
check(const struct of_msg *m, const char *want)
{
	char small[8];
	char *buf;
	int n = of_msg_format(m, small, sizeof small);

	assert_int_equal(n, strlen(want));
	buf = malloc((size_t)n + 1);
	assert_int_equal(of_msg_format(m, buf, (size_t)n + 1), n);
	assert_string_equal(buf, want);
	assert_memory_equal(small, want, sizeof small - 1);
	free(buf);
}

static void
the_connection_tells_its_state(void **state)
{
	static const uint8_t offender[] = { 4, 14, 0, 80, 0, 0, 0, 9 };
	struct of_role_msg role = { .role = OFR_MASTER, .generation_id = 7, .reason = OFRSR_CONFIG };
	struct of_error_msg err = { .type = 2, .code = 4, .id = OFE_BAC_BAD_OUT_PORT,
				    .data = { offender, sizeof offender } };
	struct of_error_msg hello = { .type = 0, .data = { (const uint8_t *)"no\x01way", 6 } };
	struct of_async async = { .packet_in = { 3, 0 }, .port_status = { 7, 7 }, .table_status = { 0x18, 0 } };
	struct of_experimenter x = { .id = 0x1234, .type = 5, .data = { offender, 3 } };
	struct of_controller_status cs = { .short_id = 3, .role = OFR_SLAVE, .reason = 2, .uri = "tcp:1.2.3.4" };

	(void)state;
	check(&(struct of_msg){ OF13, OFK_ROLE_REQUEST, OFMF_STD, false, 1, &role },
	      "OFPT_ROLE_REQUEST (OF1.3) (xid=0x1): role=primary generation_id=7");
	check(&(struct of_msg){ OF10, OFK_ROLE_REPLY, OFMF_NX, false, 1, &role }, "NXT_ROLE_REPLY (xid=0x1): role=primary");
	check(&(struct of_msg){ OF14, OFK_ROLE_STATUS, OFMF_STD, false, 1, &role },
	      "OFPT_ROLE_STATUS (OF1.4) (xid=0x1): role=primary generation_id=7 reason=configuration_changed");
	check(&(struct of_msg){ OF13, OFK_ERROR, OFMF_STD, false, 9, &err },
	      "OFPT_ERROR (OF1.3) (xid=0x9): OFPBAC_BAD_OUT_PORT\nabout: version 4 type 14 length 80 xid 0x9");
	check(&(struct of_msg){ OF10, OFK_ERROR, OFMF_STD, false, 9, &hello },
	      "OFPT_ERROR (xid=0x9): type 0 code 0\nno\\x01way");
	check(&(struct of_msg){ OF13, OFK_SET_ASYNC, OFMF_STD, false, 1, &async },
	      "OFPT_SET_ASYNC (OF1.3) (xid=0x1):\n primary:\n       PACKET_IN: no_match action\n"
	      "     PORT_STATUS: add delete modify\n    FLOW_REMOVED: (off)\n     ROLE_STATUS: (off)\n"
	      "    TABLE_STATUS: vacancy_down vacancy_up\n  REQUESTFORWARD: (off)\n\n secondary:\n"
	      "       PACKET_IN: (off)\n     PORT_STATUS: add delete modify\n    FLOW_REMOVED: (off)\n"
	      "     ROLE_STATUS: (off)\n    TABLE_STATUS: (off)\n  REQUESTFORWARD: (off)");
	check(&(struct of_msg){ OF13, OFK_EXPERIMENTER, OFMF_STD, false, 1, &x },
	      "OFPT_EXPERIMENTER (OF1.3) (xid=0x1): experimenter=0x00001234 type=5 data_len=3");
	check(&(struct of_msg){ OF15, OFK_CONTROLLER_STATUS, OFMF_STD, false, 1, &cs },
	      "OFPT_CONTROLLER_STATUS (OF1.5) (xid=0x1):\n short_id=3 role=secondary reason=2 channel=up uri=tcp:1.2.3.4");
}

static void
requests_are_forwarded_whole(void **state)
{
	struct of_meter_mod mm = { .command = OFMC_DELETE, .meter_id = 5 };
	struct of_msg inner = { OF14, OFK_METER_MOD, OFMF_STD, false, 1, &mm };
	struct of_requestforward rf = { .inner = &inner, .reason = 1 };

	(void)state;
	check(&(struct of_msg){ OF14, OFK_REQUESTFORWARD, OFMF_STD, false, 1, &rf },
	      "OFPT_REQUESTFORWARD (OF1.4) (xid=0x1): reason=meter_mod DEL meter=5 bands=");
}

static void
parts_say_that_more_follow(void **state)
{
	static const struct of_port ports[] = {
		{ .port_no = 1, .hw_addr = { { 2, 0, 0, 0, 0, 1 } }, .name = "eth0", .config = OFPPC_PORT_DOWN | 1 << 9,
		  .state = OFPPS_LINK_DOWN, .curr = 1 << 5 | 1 << 13, .supported = 1 << 6, .curr_speed = 1000000,
		  .max_speed = 10000000 },
	};
	struct of_rows rows = { .n = 1, .row_size = sizeof ports[0], .rows = ports };

	(void)state;
	check(&(struct of_msg){ OF13, OFK_PORT_DESC_REPLY, OFMF_STD, true, 3, &rows },
	      "OFPST_PORT_DESC reply (OF1.3) (xid=0x3): flags=[more]\n 1(eth0): addr:02:00:00:00:00:01\n"
	      "     config:     PORT_DOWN 0x200\n     state:      LINK_DOWN\n     current:    1GB-FD AUTO_NEG\n"
	      "     supported:  10GB-FD\n     speed: 1000 Mbps now, 10000 Mbps max");
}

static void
tables_that_are_alike_are_one_line(void **state)
{
	struct of_table_features *f = calloc(254, sizeof *f);
	struct of_rows rows = { .n = 254, .row_size = sizeof *f, .rows = f };
	struct of_msg m = { OF13, OFK_TABLE_FEATURES_REPLY, OFMF_STD, false, 1, &rows };
	struct of_text t = { 0 };

	(void)state;
	for (unsigned i = 0; i < 254; i++) {
		f[i].table_id = (uint8_t)i;
		f[i].max_entries = i == 200 ? 5 : 1000;
		f[i].instructions = 0x7e;
		f[i].apply_actions = 1 << 0 | 1 << 25;
		f[i].match.bits[0] = 1ull << OFF_IN_PORT | 1ull << OFF_ETH_DST;
		for (unsigned n = i + 1; n < 254; n++)
			f[i].next_tables[n / 64] |= 1ull << n % 64;
	}
	of_print_msg(&t, &m, NULL);
	assert_non_null(strstr(of_text_str(&t), "\n  table 0:\n    max_entries=1000\n    instructions (other than table "
						"miss):\n      next tables: 1-253\n      instructions: goto_table "
						"write_metadata write_actions apply_actions clear_actions meter\n"));
	assert_non_null(strstr(of_text_str(&t), "Apply-Actions: output set_field\n"));
	assert_non_null(strstr(of_text_str(&t), "    matching: in_port eth_dst\n"));
	assert_non_null(strstr(of_text_str(&t), "\n  tables 1...199: ditto\n\n  table 200:\n    max_entries=5\n"));
	assert_non_null(strstr(of_text_str(&t), "\n  tables 202...253: ditto"));
	assert_true(t.len < 4000);
	of_text_fini(&t);
	free(f);
}

/* Nothing is assumed of a body but its type. */
static void
empty_bodies_print(void **state)
{
	void *body = calloc(1, 8192);
	struct of_text t = { 0 };

	(void)state;
	for (unsigned kind = 0; kind < OFK_N_KINDS; kind++) {
		for (uint8_t v = OF10; v <= OF15; v++) {
			struct of_msg m = { v, (uint8_t)kind, OFMF_STD, false, 1, body };

			of_text_clear(&t);
			of_print_msg(&t, &m, NULL);
			assert_memory_equal(of_text_str(&t), of_kind_name(kind), 3);
			m.body = NULL;
			of_print_msg(&t, &m, NULL);
		}
	}
	of_text_fini(&t);
	free(body);
}

/* --- Frames ------------------------------------------------------------------------------------- */

static void
frames_are_described_as_far_as_they_go(void **state)
{
	static const struct {
		const char *hex, *text;
	} cases[] = {
		{ "ffffffffffff000102030405080045000028000000004006000001020304050607080050005100000000000000005012"
		  "000000000000",
		  "tcp,dl_src=00:01:02:03:04:05,dl_dst=ff:ff:ff:ff:ff:ff,nw_src=1.2.3.4,nw_dst=5.6.7.8,nw_ttl=64,"
		  "tp_src=80,tp_dst=81,tcp_flags=syn|ack" },
		{ "ffffffffffff00010203040581006005080600010800060400010001020304050a0000010000000000000a000002",
		  "arp,dl_vlan=5,dl_vlan_pcp=3,dl_src=00:01:02:03:04:05,dl_dst=ff:ff:ff:ff:ff:ff,arp_spa=10.0.0.1,"
		  "arp_tpa=10.0.0.2,arp_op=1,arp_sha=00:01:02:03:04:05" },
		{ "33330000000100010203040586dd6000000000083aff"
		  "fe800000000000000000000000000001fe8000000000000000000000000000028000",
		  "icmp6,dl_src=00:01:02:03:04:05,dl_dst=33:33:00:00:00:01,ipv6_src=fe80::1,ipv6_dst=fe80::2,"
		  "nw_ttl=255,icmp_type=128,icmp_code=0" },
		{ "ffffffffffff00010203040588cc", "dl_src=00:01:02:03:04:05,dl_dst=ff:ff:ff:ff:ff:ff,dl_type=0x88cc" },
		{ "ffffffffffff0001020304050800450000280000", "ip,dl_src=00:01:02:03:04:05,dl_dst=ff:ff:ff:ff:ff:ff,"
		  "nw_src=0.0.0.0,nw_dst=0.0.0.0,nw_proto=0" },
		{ "ffffffffffff00010203040508", "(too short)" },
	};
	struct of_text t = { 0 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t *b = unhex(cases[i].hex, strlen(cases[i].hex));

		of_text_clear(&t);
		of_print_frame(&t, b, strlen(cases[i].hex) / 2);
		assert_string_equal(of_text_str(&t), cases[i].text);
		free(b);
		/* Any piece of it, in a block of that very size. */
		for (size_t n = 0; n <= strlen(cases[i].hex); n += 2) {
			b = unhex(cases[i].hex, n);
			of_text_clear(&t);
			of_print_frame(&t, b, n / 2);
			free(b);
		}
	}
	of_text_fini(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_print_as_ovs_ofctl_prints_them),
		cmocka_unit_test(the_connection_tells_its_state),
		cmocka_unit_test(requests_are_forwarded_whole),
		cmocka_unit_test(parts_say_that_more_follow),
		cmocka_unit_test(tables_that_are_alike_are_one_line),
		cmocka_unit_test(empty_bodies_print),
		cmocka_unit_test(frames_are_described_as_far_as_they_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
