/* SPDX-License-Identifier: Apache-2.0 */
/* Text forms and predicates of addresses. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/addr.h"

static struct ipaddr
ip(const char *s)
{
	struct ipaddr a;

	assert_int_equal(ip_parse(s, &a), 0);
	return a;
}

static void
mac_text_comes_back_as_it_was(void **state)
{
	char buf[MAC_STR_LEN];
	struct mac m;

	(void)state;
	assert_int_equal(mac_parse("02:Ab:00:ff:7F:01", &m), 0);
	assert_string_equal(mac_format(m, buf), "02:ab:00:ff:7f:01");
	assert_int_equal(mac_u64(m), 0x02ab00ff7f01);
}

static void
malformed_mac_is_refused_and_nothing_written(void **state)
{
	static const char *const bad[] = { "", "02", "02:", "02:00:00:00:00", "02:00:00:00:00:0", "02:00:00:00:00:001",
		"02:00:00:00:00:0g", "02-00-00-00-00-01", "02:00:00:00:00:01 ", " 02:00:00:00:00:01", "2:0:0:0:0:1" };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct mac m = { .b = { 1, 2, 3, 4, 5, 6 } }, before = m;

		assert_int_equal(mac_parse(bad[i], &m), -EINVAL);
		assert_true(mac_equal(m, before));
	}
}

static void
ipv4_is_kept_as_mapped_ipv6(void **state)
{
	struct ipaddr a = ip("172.16.0.2");
	char buf[IP_STR_LEN];

	(void)state;
	assert_true(ip_is_v4(&a));
	assert_int_equal(host32(ip_v4(&a)), 0xac100002);
	assert_string_equal(ip_format(a, buf), "172.16.0.2");
	a = ip("::ffff:172.16.0.2");
	assert_true(ip_is_v4(&a));
}

static void
ipv6_prints_in_short_form_and_none_as_any(void **state)
{
	struct ipaddr none = { 0 };
	char buf[IP_STR_LEN];

	(void)state;
	assert_string_equal(ip_format(ip("2001:DB8:0:0::1"), buf), "2001:db8::1");
	assert_string_equal(ip_format(none, buf), "any");
	assert_true(ip_is_none(&none));
	assert_false(ip_is_v4(&none));
}

static void
malformed_ip_is_refused(void **state)
{
	static const char *const bad[] = { "", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.4/24", "::g", "any", "1.2.3.4 ", "fe80::1%eth0" };
	struct ipaddr a;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(ip_parse(bad[i], &a), -EINVAL);
}

static void
only_unicast_can_be_an_endpoint(void **state)
{
	static const char *const good[] = { "10.0.0.1", "172.16.0.2", "223.255.255.255", "2001:db8::1", "fe80::1" };
	static const char *const bad[] = { "0.0.0.0", "127.0.0.1", "224.0.0.1", "239.1.1.1", "255.255.255.255",
					   "::", "::1", "ff02::1" };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(good); i++) {
		struct ipaddr a = ip(good[i]);

		assert_true(ip_is_unicast(&a));
	}
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct ipaddr a = ip(bad[i]);

		assert_false(ip_is_unicast(&a));
	}
}

static void
groups_have_addresses_of_their_own(void **state)
{
	static const struct {
		const char *ip;
		struct mac mac;
	} rows[] = {
		{ "224.0.0.1", { { 0x01, 0x00, 0x5e, 0x00, 0x00, 0x01 } } },
		{ "239.255.1.2", { { 0x01, 0x00, 0x5e, 0x7f, 0x01, 0x02 } } },
		{ "ff02::1:ff00:4142", { { 0x33, 0x33, 0xff, 0x00, 0x41, 0x42 } } },
	};
	struct ipaddr no[] = { ip("223.255.255.255"), ip("240.0.0.1"), ip("fe80::1"), ip("::") };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ipaddr a = ip(rows[i].ip);

		assert_true(ip_is_multicast(&a));
		assert_true(mac_equal(ip_group_mac(&a), rows[i].mac));
	}
	for (unsigned i = 0; i < ARRAY_SIZE(no); i++)
		assert_false(ip_is_multicast(&no[i]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mac_text_comes_back_as_it_was),
		cmocka_unit_test(malformed_mac_is_refused_and_nothing_written),
		cmocka_unit_test(ipv4_is_kept_as_mapped_ipv6),
		cmocka_unit_test(ipv6_prints_in_short_form_and_none_as_any),
		cmocka_unit_test(malformed_ip_is_refused),
		cmocka_unit_test(only_unicast_can_be_an_endpoint),
		cmocka_unit_test(groups_have_addresses_of_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
