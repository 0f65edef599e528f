/* SPDX-License-Identifier: Apache-2.0 */
/* Guards of ports: whose frames pass, and at what rate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "datapath/guard.h"

enum { HZ = 2000000000 };

#define GOOD "02:00:00:00:00:05"
#define GOOD_HEX "020000000005"
#define EVIL_HEX "020000000666"
#define BCAST "ffffffffffff"

static struct guard *g;

static void
guard(const char *macs, const char *ips)
{
	struct guard_conf c;
	struct err e;

	opt_defaults(guard_opts, &c);
	if (macs && opt_set(guard_opts, &c, "allowed-macs", macs, &e))
		fail_msg("%s", e.msg);
	if (ips && opt_set(guard_opts, &c, "allowed-ips", ips, &e))
		fail_msg("%s", e.msg);
	free(g);
	g = guard_create(&c, NULL, HZ, 1000);
}

static int
end(void **state)
{
	(void)state;
	free(g);
	g = NULL;
	return 0;
}

static unsigned
unhex(const char *s, uint8_t *out)
{
	unsigned n = 0;

	for (; *s; s++) {
		unsigned v;

		if (*s == ' ')
			continue;
		assert_int_equal(sscanf(s, "%2x", &v), 1);
		out[n++] = (uint8_t)v;
		s++;
	}
	return n;
}

/* What becomes of one frame, in the words of the counters. */
static const char *
fate(const char *hex)
{
	uint8_t b[512] = { 0 };
	unsigned n = unhex(hex, b);
	uint8_t *exact = memcpy(malloc(n), b, n);       /* Nothing behind it may be read. */
	struct guard_pkt p = { exact, MIN_OF(n, 128u), n };
	enum dp_drop why[1];
	uint32_t pass = guard_rx(g, 1000, &p, 1, why);

	free(exact);
	assert_int_equal(pass == 1, why[0] == DROP_NONE);
	return dp_drop_info[why[0]].name;
}

#define FATE(hex, want) assert_string_equal(fate(hex), want)

#define IP4(src, proto, l4) "45000020 00010000 40" proto "0000" src "0a000001" l4
#define UDP4(src) IP4(src, "11", "04d20035000c0000 00000000")
#define ARP(op, sha, spa) "0001080006040001" sha spa "000000000000" "0a000001"
#define IP6(next, len, src) "60000000" len next "ff" src "fe800000000000000000000000000001"
#define LL_OWN "fe80000000000000" "000000fffe000005"
#define V6_5 "20010db8000000000000000000000005"
#define V6_6 "20010db8000000000000000000000006"
#define UNSPEC "00000000000000000000000000000000"

static void
only_allowed_macs_pass(void **state)
{
	(void)state;
	guard(GOOD ",02:00:00:00:00:06", NULL);
	FATE(BCAST GOOD_HEX "0800" UDP4("0a000005"), "none");
	FATE(BCAST "020000000006" "0800" UDP4("0a000005"), "none");
	FATE(BCAST EVIL_HEX "0800" UDP4("0a000005"), "spoof-mac");
	FATE(BCAST GOOD_HEX "81000005" "0806" ARP("1", GOOD_HEX, "0a000009"), "none");
	FATE(BCAST GOOD_HEX "0806" ARP("1", EVIL_HEX, "0a000009"), "spoof-arp");
	/* The other allowed one, but not this frame's. */
	FATE(BCAST GOOD_HEX "0806" ARP("1", "020000000006", "0a000009"), "spoof-arp");
	FATE(BCAST GOOD_HEX "8035" "0001080006040003" GOOD_HEX "00000000" GOOD_HEX "00000000", "none");
	FATE(BCAST GOOD_HEX "88cc" "0000", "none");
	FATE(BCAST "0200", "rx-malformed");
}

static void
only_allowed_ipv4_addresses_pass(void **state)
{
	(void)state;
	guard(NULL, "10.0.0.5,10.9.0.0/16");
	FATE(BCAST GOOD_HEX "0800" UDP4("0a000005"), "none");
	FATE(BCAST GOOD_HEX "0800" UDP4("0a09ff01"), "none");
	FATE(BCAST GOOD_HEX "0800" UDP4("0a000006"), "spoof-ip");
	FATE(BCAST GOOD_HEX "81000005" "0800" UDP4("0a000006"), "spoof-ip");
	FATE(BCAST GOOD_HEX "88a80005" "81000006" "0800" UDP4("0a000006"), "spoof-ip");
	/* A third tag hides what follows. */
	FATE(BCAST GOOD_HEX "88a80005" "81000006" "81000007" "0800" UDP4("0a000005"), "spoof-ip");
	/* No whole header: nothing can be said for it. */
	FATE(BCAST GOOD_HEX "0800" "45000020 0001", "spoof-ip");
	/* DHCP from a host that has none, and nothing else from there. */
	FATE(BCAST GOOD_HEX "0800" IP4("00000000", "11", "00440043000c0000 00000000"), "none");
	FATE(BCAST GOOD_HEX "0800" UDP4("00000000"), "spoof-ip");
	FATE(BCAST GOOD_HEX "0806" ARP("1", GOOD_HEX, "0a000005"), "none");
	FATE(BCAST GOOD_HEX "0806" ARP("1", GOOD_HEX, "00000000"), "none");
	FATE(BCAST GOOD_HEX "0806" ARP("1", GOOD_HEX, "0a000001"), "spoof-arp");
	FATE(BCAST GOOD_HEX "86dd" IP6("3b", "0000", V6_5), "spoof-ip");
	FATE(BCAST GOOD_HEX "86dd" IP6("3b", "0000", LL_OWN), "spoof-ip");
}

static void
only_allowed_ipv6_addresses_pass(void **state)
{
	(void)state;
	guard(NULL, "2001:db8::5");
	FATE(BCAST GOOD_HEX "86dd" IP6("3b", "0000", V6_5), "none");
	FATE(BCAST GOOD_HEX "86dd" IP6("3b", "0000", V6_6), "spoof-ip");
	FATE(BCAST GOOD_HEX "86dd" IP6("3b", "0000", LL_OWN), "none");
	FATE(BCAST EVIL_HEX "86dd" IP6("3b", "0000", LL_OWN), "spoof-ip");
	/* :: is for who has none: solicitations and MLD. */
	FATE(BCAST GOOD_HEX "86dd" IP6("3b", "0000", UNSPEC), "spoof-ip");
	FATE(BCAST GOOD_HEX "86dd" IP6("3a", "0018", UNSPEC) "8700000000000000" V6_5, "none");
	FATE(BCAST GOOD_HEX "86dd" IP6("00", "0010", UNSPEC) "3a00050200000000" "8f00000000000000", "none");
	/* The form in which we keep IPv4 addresses. */
	FATE(BCAST GOOD_HEX "86dd" IP6("3b", "0000", "00000000000000000000ffff0a000005"), "spoof-ip");
	FATE(BCAST GOOD_HEX "0800" UDP4("0a000005"), "spoof-ip");
}

static void
neighbour_discovery_cannot_claim_what_is_not_allowed(void **state)
{
	(void)state;
	guard(GOOD, "2001:db8::5");
	FATE(BCAST GOOD_HEX "86dd" IP6("3a", "0020", V6_5) "8800000060000000" V6_5 "0201" GOOD_HEX, "none");
	FATE(BCAST GOOD_HEX "86dd" IP6("3a", "0020", V6_5) "8800000060000000" V6_6 "0201" GOOD_HEX, "spoof-arp");
	FATE(BCAST GOOD_HEX "86dd" IP6("3a", "0020", V6_5) "8800000060000000" V6_5 "0201" EVIL_HEX, "spoof-arp");
	/* Asking is for any address, in one's own name. */
	FATE(BCAST GOOD_HEX "86dd" IP6("3a", "0020", V6_5) "8700000000000000" V6_6 "0101" GOOD_HEX, "none");
	FATE(BCAST GOOD_HEX "86dd" IP6("3a", "0020", V6_5) "8700000000000000" V6_6 "0101" EVIL_HEX, "spoof-arp");
	/* Options that do not end, or are cut. */
	FATE(BCAST GOOD_HEX "86dd" IP6("3a", "0020", V6_5) "8800000060000000" V6_5 "0200" GOOD_HEX, "spoof-arp");
	FATE(BCAST GOOD_HEX "86dd" IP6("3a", "0010", V6_5) "8800000060000000" "20010db800000000", "spoof-ip");
	/* A router it is not. */
	FATE(BCAST GOOD_HEX "86dd" IP6("3a", "0010", LL_OWN) "8600000040000000 0000000000000000", "spoof-arp");
	FATE(BCAST GOOD_HEX "86dd" IP6("3a", "0028", LL_OWN) "8900000000000000" V6_5 V6_6, "spoof-arp");
	/* Behind an extension header, where a guard might not look. */
	FATE(BCAST GOOD_HEX "86dd" IP6("3c", "0028", V6_5) "3a00010400000000" "8800000060000000" V6_6 "0201" GOOD_HEX, "spoof-arp");
	/* Other ICMPv6 is as free as any packet. */
	FATE(BCAST GOOD_HEX "86dd" IP6("3a", "0008", V6_5) "8000000000010001", "none");
}

static uint32_t
burst(uint64_t tsc, uint32_t len, bool rx)
{
	uint8_t frame[64] = { 0 };
	struct guard_pkt p[GUARD_BATCH];
	enum dp_drop why[GUARD_BATCH];
	uint32_t lens[GUARD_BATCH];

	for (unsigned i = 0; i < GUARD_BATCH; i++) {
		p[i] = (struct guard_pkt){ frame, sizeof frame, len };
		lens[i] = len;
	}
	return (uint32_t)__builtin_popcount(rx ? guard_rx(g, tsc, p, GUARD_BATCH, why) : guard_tx(g, tsc, lens, GUARD_BATCH));
}

static void
rates_hold_in_both_directions(void **state)
{
	struct guard_conf c = { .rx_bps = 8000000, .tx_pps = 100000 };
	uint64_t rx = 0, tx = 0, second = HZ;

	(void)state;
	free(g);
	g = guard_create(&c, NULL, HZ, 0);
	assert_true(guard_limits_tx(g));
	/* Ten seconds of 320,000 packets each: 1,000,000 bytes a second are 1,000 of 1,000 bytes. */
	for (uint64_t i = 0; i < 100000; i++) {
		rx += burst(i * second / 10000, 1000, true);
		tx += burst(i * second / 10000, 1000, false);
	}
	assert_in_range(rx, 9900, 10300);
	assert_in_range(tx, 990000, 1020000);
}

static void
a_spoofed_frame_takes_nothing_from_the_rate(void **state)
{
	struct guard_conf c = { .rx_pps = 10 };
	struct err e;
	struct guard_pkt p[2];
	enum dp_drop why[2];
	uint8_t bad[64] = { [6] = 2, [11] = 9 }, good[64] = { [6] = 2, [11] = 5 };

	(void)state;
	assert_int_equal(opt_set(guard_opts, &c, "allowed-macs", GOOD, &e), 0);
	free(g);
	g = guard_create(&c, NULL, HZ, 0);
	for (unsigned i = 0; i < 1000; i++) {
		p[0] = (struct guard_pkt){ bad, 64, 64 };
		assert_int_equal(guard_rx(g, 0, p, 1, why), 0);
		assert_int_equal(why[0], DROP_SPOOF_MAC);
	}
	p[1] = (struct guard_pkt){ good, 64, 64 };
	assert_int_equal(guard_rx(g, 0, p, 2, why), 2);
	/* Two are the least burst there is. */
	assert_int_equal(guard_rx(g, 0, &p[1], 1, why), 1);
	assert_int_equal(guard_rx(g, 0, &p[1], 1, why), 0);
	assert_int_equal(why[0], DROP_RX_RATE);
}

static void
a_change_of_something_else_keeps_the_bucket(void **state)
{
	struct guard_conf c = { .rx_pps = 20 };
	struct guard *old;

	(void)state;
	free(g);
	g = guard_create(&c, NULL, HZ, 0);
	while (burst(0, 64, true))
		;
	old = g;
	c.tx_pps = 5;
	g = guard_create(&c, old, HZ, 0);
	assert_int_equal(burst(0, 64, true), 0);
	free(old);
	old = g;
	c.rx_pps = 40;
	g = guard_create(&c, old, HZ, 0);
	assert_int_not_equal(burst(0, 64, true), 0);
	free(old);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(only_allowed_macs_pass, end),
		cmocka_unit_test_teardown(only_allowed_ipv4_addresses_pass, end),
		cmocka_unit_test_teardown(only_allowed_ipv6_addresses_pass, end),
		cmocka_unit_test_teardown(neighbour_discovery_cannot_claim_what_is_not_allowed, end),
		cmocka_unit_test_teardown(rates_hold_in_both_directions, end),
		cmocka_unit_test_teardown(a_spoofed_frame_takes_nothing_from_the_rate, end),
		cmocka_unit_test_teardown(a_change_of_something_else_keeps_the_bucket, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
