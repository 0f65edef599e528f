/* SPDX-License-Identifier: Apache-2.0 */
/* Options: text to value and back, refusals, untouched configurations. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/opt.h"

struct conf {
	bool flag;
	uint16_t port;
	uint32_t ttl, any;
	char name[8 + 1];
	int mode;
	struct mac mac;
	struct ipaddr ip;
	struct opt_ips ips;
	struct opt_vlans vlans;
	struct opt_strs urls, versions;
	uint64_t rate;
	struct opt_macs macs;
	struct opt_prefixes nets;
	uint32_t key;
	struct ipaddr far;
	struct opt_ips fars;
	struct opt_map map;
	struct opt_ip_keys keys;
};

static const char *const modes[] = { "trunk", "access", "native-tagged", NULL };
static const char *const versions[] = { "OpenFlow10", "OpenFlow13", NULL };
static const char *const inherit[] = { "inherit", NULL };
static const char *const flow[] = { "flow", NULL };

static const struct opt_desc opts[] = {
	{ "flag", OPT_BOOL, offsetof(struct conf, flag), 0, 0, NULL, "true", false, "a flag", "true" },
	{ "port", OPT_U16, offsetof(struct conf, port), 1, 65535, NULL, "4789", false, "a port", "1" },
	{ "ttl", OPT_U32, offsetof(struct conf, ttl), 1, 256, inherit, "64", false, "a ttl", "64" },
	{ "key", OPT_U32_WORD, offsetof(struct conf, key), 1, 100, flow, NULL, false, "a key", "7" },
	{ "far", OPT_IP, offsetof(struct conf, far), 0, 0, flow, NULL, false, "an address", "1.2.3.4" },
	{ "fars", OPT_IP_LIST, offsetof(struct conf, fars), 0, 0, flow, NULL, false, "addresses", "1.2.3.4" },
	{ "any", OPT_U32, offsetof(struct conf, any), 0, 0, NULL, NULL, false, "any number", "1" },
	{ "name", OPT_STR, offsetof(struct conf, name), 0, 8, NULL, NULL, true, "a name", "bob" },
	{ "mode", OPT_ENUM, offsetof(struct conf, mode), 0, 0, modes, "trunk", false, "a mode", "access" },
	{ "mac", OPT_MAC, offsetof(struct conf, mac), 0, 0, NULL, NULL, false, "a mac", "02:00:00:00:00:01" },
	{ "ip", OPT_IP, offsetof(struct conf, ip), 0, 0, NULL, NULL, false, "an address", "::1" },
	{ "ips", OPT_IP_LIST, offsetof(struct conf, ips), 0, 0, NULL, NULL, true, "addresses", "1.2.3.4" },
	{ "vlans", OPT_VLAN_SET, offsetof(struct conf, vlans), 0, 0, NULL, NULL, false, "vlans", "10" },
	{ "urls", OPT_STR_LIST, offsetof(struct conf, urls), 0, 20, NULL, NULL, false, "urls", "tcp:h" },
	{ "versions", OPT_STR_LIST, offsetof(struct conf, versions), 0, 16, versions, NULL, false, "versions", "OpenFlow13" },
	{ "rate", OPT_RATE, offsetof(struct conf, rate), 0, 0, NULL, NULL, false, "a rate", "1G" },
	{ "macs", OPT_MAC_LIST, offsetof(struct conf, macs), 0, 0, NULL, NULL, false, "macs", "02:00:00:00:00:01" },
	{ "nets", OPT_PREFIX_LIST, offsetof(struct conf, nets), 0, 0, NULL, NULL, false, "prefixes", "10.0.0.0/8" },
	{ "map", OPT_MAP, offsetof(struct conf, map), 0, 0, NULL, NULL, false, "a map", "10:5010" },
	{ "keys", OPT_IP_KEY_LIST, offsetof(struct conf, keys), 0, 0, NULL, NULL, false, "keys", "10.0.0.2@5010" },
	{ .name = NULL },
};

static struct conf conf;
static struct err err;

static int
begin(void **state)
{
	(void)state;
	memset(&conf, 0x55, sizeof conf);
	memset(&err, 0, sizeof err);
	opt_defaults(opts, &conf);
	return 0;
}

static int
set(const char *name, const char *value)
{
	return opt_set(opts, &conf, name, value, &err);
}

static const char *
get(const char *name)
{
	static char buf[4096];

	opt_get(opt_find(opts, name), &conf, buf, sizeof buf);
	return buf;
}

static void
defaults_are_written_and_everything_else_is_zero(void **state)
{
	char buf[64];

	(void)state;
	assert_true(conf.flag);
	assert_int_equal(conf.port, 4789);
	assert_int_equal(conf.any, 0);
	assert_string_equal(conf.name, "");
	assert_int_equal(conf.mode, 0);
	assert_true(ip_is_none(&conf.ip));
	assert_int_equal(conf.ips.n, 0);
	assert_true(opt_vlans_empty(&conf.vlans));
	for (const struct opt_desc *d = opts; d->name; d++)
		assert_false(opt_get(d, &conf, buf, sizeof buf));
}

static void
values_come_back_in_canonical_form(void **state)
{
	static const struct {
		const char *name, *in, *out;
	} rows[] = {
		{ "flag", "no", "false" }, { "flag", "0", "false" }, { "flag", "off", "false" },
		{ "port", "0x10", "16" }, { "port", "65535", "65535" }, { "port", "007", "7" },
		{ "ttl", "inherit", "inherit" }, { "ttl", "256", "inherit" }, { "ttl", "255", "255" },
		{ "key", "flow", "flow" }, { "key", "100", "100" }, { "far", "flow", "flow" }, { "far", "1.2.3.4", "1.2.3.4" },
		{ "fars", "flow", "flow" }, { "fars", "1.2.3.4,::1", "1.2.3.4,::1" },
		{ "any", "4294967295", "4294967295" }, { "any", "0xFFFFFFFF", "4294967295" },
		{ "name", "12345678", "12345678" }, { "mode", "native-tagged", "native-tagged" },
		{ "mac", "02:AA:00:00:00:01", "02:aa:00:00:00:01" },
		{ "ip", "2001:DB8::1", "2001:db8::1" }, { "ip", "10.0.0.1", "10.0.0.1" },
		{ "ips", "10.0.0.2,10.0.0.1,::2", "10.0.0.2,10.0.0.1,::2" },
		{ "vlans", "100-102,20,10,103", "10,20,100-103" }, { "vlans", "0,4094", "0,4094" },
		{ "vlans", "5-5", "5" },
		{ "rate", "1500", "1500" }, { "rate", "2.5G", "2500M" }, { "rate", "1000k", "1M" },
		{ "rate", "0.5K", "500" }, { "rate", "100T", "100T" }, { "rate", "1.000001M", "1000001" },
		{ "macs", "02:00:00:00:00:02,02:AA:00:00:00:01", "02:00:00:00:00:02,02:aa:00:00:00:01" },
		{ "nets", "10.0.0.5,10.0.0.0/8,2001:db8::/64,0.0.0.0/0", "10.0.0.5,10.0.0.0/8,2001:db8::/64,0.0.0.0/0" },
		{ "nets", "::/0", "::/0" }, { "nets", "10.0.0.5/32,::1/128", "10.0.0.5,::1" },
		{ "urls", "b:[::1],a:1", "b:[::1],a:1" }, { "urls", "12345678901234567890", "12345678901234567890" },
		{ "urls", "0,1,2,3,4,5,6,7,8,9,a,b,c,d,e,f", "0,1,2,3,4,5,6,7,8,9,a,b,c,d,e,f" },
		{ "versions", "OpenFlow13,OpenFlow10", "OpenFlow13,OpenFlow10" },
		{ "map", "10:5010,0:7,100-199:0x2774", "10:5010,0:7,100-199:10100" }, { "map", "4094-4094:4294967294", "4094:4294967294" },
		{ "keys", "10.0.0.2@5010,2001:DB8::1@1-0x10,10.0.0.2@7", "10.0.0.2@5010,2001:db8::1@1-16,10.0.0.2@7" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		char buf[128];

		assert_int_equal(set(rows[i].name, rows[i].in), 0);
		assert_true(opt_get(opt_find(opts, rows[i].name), &conf, buf, sizeof buf));
		assert_string_equal(buf, rows[i].out);
	}
}

static void
refused_value_leaves_the_configuration_untouched(void **state)
{
	static const struct {
		const char *name, *value;
		int rc;
	} rows[] = {
		{ "flag", "maybe", EINVAL }, { "flag", "", EINVAL }, { "flag", "TRUE", EINVAL },
		{ "port", "0", ERANGE }, { "port", "65536", ERANGE }, { "port", "-1", EINVAL }, { "port", " 1", EINVAL },
		{ "port", "1 ", EINVAL }, { "port", "+1", EINVAL }, { "port", "", EINVAL }, { "port", "0x", EINVAL },
		{ "port", "1e3", EINVAL }, { "port", "99999999999999999999999999", ERANGE },
		{ "any", "4294967296", ERANGE }, { "any", "18446744073709551617", ERANGE },
		{ "ttl", "0", ERANGE }, { "ttl", "257", ERANGE }, { "key", "101", ERANGE },
		{ "key", "4294967295", ERANGE }, { "key", "flows", EINVAL }, { "fars", "flow,1.2.3.4", EINVAL },
		{ "ips", "flow", EINVAL }, { "ip", "flow", EINVAL }, { "ttl", "inherits", EINVAL },
		{ "name", "123456789", ERANGE }, { "mode", "acess", EINVAL }, { "mode", "", EINVAL },
		{ "mac", "02:00", EINVAL }, { "ip", "1.2.3", EINVAL }, { "ip", "1.2.3.4,1.2.3.5", EINVAL },
		{ "ips", "", EINVAL }, { "ips", "1.2.3.4,", EINVAL }, { "ips", ",1.2.3.4", EINVAL },
		{ "ips", "1.2.3.4,1.2.3.4", EINVAL }, { "ips", "1.2.3.4,::ffff:1.2.3.4", EINVAL },
		{ "vlans", "", EINVAL }, { "vlans", "10,", EINVAL }, { "vlans", "10-", EINVAL }, { "vlans", "-10", EINVAL },
		{ "vlans", "20-10", ERANGE }, { "vlans", "4095", ERANGE }, { "vlans", "1-4095", ERANGE },
		{ "vlans", "1--2", EINVAL }, { "vlans", "1-2-3", EINVAL },
		{ "rate", "", EINVAL }, { "rate", "k", EINVAL }, { "rate", "1.k", EINVAL }, { "rate", ".5M", EINVAL },
		{ "rate", "1Mb", EINVAL }, { "rate", "-1", EINVAL }, { "rate", "1.5.5", EINVAL }, { "rate", "101T", ERANGE },
		{ "rate", "99999999999999999999", EINVAL }, { "rate", "999999999999999T", ERANGE },
		{ "macs", "", EINVAL }, { "macs", "02:00:00:00:00:01,", EINVAL }, { "macs", "ff:ff:ff:ff:ff:ff", EINVAL },
		{ "macs", "00:00:00:00:00:00", EINVAL }, { "macs", "02:00:00:00:00:01,02:00:00:00:00:01", EINVAL },
		{ "nets", "", EINVAL }, { "nets", "10.0.0.0/33", ERANGE }, { "nets", "10.0.0.1/8", EINVAL },
		{ "nets", "10.0.0.0/", ERANGE }, { "nets", "::1/129", ERANGE }, { "nets", "10.0.0.0/8,10.0.0.0/8", EINVAL },
		{ "nets", "/8", EINVAL }, { "nets", "10.0.0.0/8/8", ERANGE },
		{ "urls", "", EINVAL }, { "urls", "a,", EINVAL }, { "urls", ",a", EINVAL }, { "urls", "a,,b", EINVAL },
		{ "urls", "a,b,a", EINVAL }, { "urls", "123456789012345678901", ERANGE },
		{ "urls", "0,1,2,3,4,5,6,7,8,9,a,b,c,d,e,f,g", ERANGE }, { "versions", "OpenFlow1", EINVAL },
		{ "map", "", EINVAL }, { "map", "10", EINVAL }, { "map", "10:", EINVAL }, { "map", ":5", EINVAL }, { "map", "10:5,", EINVAL },
		{ "map", "1-2-3:5", EINVAL }, { "map", "4095:1", ERANGE }, { "map", "2-1:1", ERANGE }, { "map", "1:4294967295", ERANGE },
		{ "map", "1-2:4294967294", ERANGE }, { "map", "10:5,5-15:100", EINVAL }, { "map", "10:5,20-29:1", EINVAL },
		{ "map", "1:-1", EINVAL }, { "map", "1:2:3", EINVAL },
		{ "keys", "", EINVAL }, { "keys", "10.0.0.2", EINVAL }, { "keys", "10.0.0.2@", EINVAL }, { "keys", "@5", EINVAL },
		{ "keys", "10.0.0@5", EINVAL }, { "keys", "10.0.0.2@5-", EINVAL }, { "keys", "10.0.0.2@5-4", ERANGE },
		{ "keys", "10.0.0.2@4294967295", ERANGE }, { "keys", "10.0.0.2@1,", EINVAL },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct conf before = conf;

		memset(&err, 0, sizeof err);
		assert_int_equal(set(rows[i].name, rows[i].value), -rows[i].rc);
		assert_memory_equal(&conf, &before, sizeof conf);
		assert_int_equal(err.code, rows[i].rc);
		/* The message says which option is meant. */
		assert_int_equal(strncmp(err.msg, rows[i].name, strlen(rows[i].name)), 0);
	}
}

static void
maps_are_read_both_ways(void **state)
{
	struct ipaddr a, b, c;

	(void)state;
	assert_int_equal(set("map", "10:5010,100-199:10100,0:1"), 0);
	assert_int_equal(opt_map_key(&conf.map, 10), 5010);
	assert_int_equal(opt_map_key(&conf.map, 199), 10199);
	assert_int_equal(opt_map_key(&conf.map, 0), 1);
	assert_int_equal(opt_map_key(&conf.map, 200), -1);
	assert_int_equal(opt_map_key(&conf.map, 11), -1);
	assert_int_equal(opt_map_vid(&conf.map, 10100), 100);
	assert_int_equal(opt_map_vid(&conf.map, 10199), 199);
	assert_int_equal(opt_map_vid(&conf.map, 1), 0);
	assert_int_equal(opt_map_vid(&conf.map, 10200), -1);
	assert_int_equal(opt_map_vid(&conf.map, UINT64_C(0x100000001)), -1);
	assert_int_equal(opt_map_size(&conf.map), 102);

	assert_int_equal(ip_parse("10.0.0.2", &a) | ip_parse("10.0.0.3", &b) | ip_parse("10.0.0.4", &c), 0);
	assert_int_equal(set("keys", "10.0.0.2@5010,10.0.0.3@1-2,10.0.0.2@5020"), 0);
	assert_true(opt_ip_keys_allow(&conf.keys, &a, 5010) && opt_ip_keys_allow(&conf.keys, &a, 5020));
	assert_true(opt_ip_keys_allow(&conf.keys, &b, 2) && !opt_ip_keys_allow(&conf.keys, &b, 3));
	assert_false(opt_ip_keys_allow(&conf.keys, &a, 5011));
	/* Who is not in the list has them all. */
	assert_true(opt_ip_keys_allow(&conf.keys, &c, 5011));
}

static void
misspelt_names_get_the_nearest_one(void **state)
{
	(void)state;
	assert_int_equal(set("prot", "1"), -ENOENT);
	assert_string_equal(err.msg, "unknown option 'prot': did you mean 'port'?");
	assert_int_equal(set("zzzzzzzz", "1"), -ENOENT);
	assert_string_equal(err.msg, "unknown option 'zzzzzzzz'");
	assert_int_equal(set("mode", "acces"), -EINVAL);
	assert_non_null(strstr(err.msg, "did you mean 'access'?"));
	assert_int_equal(set("mode", "zzz"), -EINVAL);
	assert_non_null(strstr(err.msg, "trunk, access, native-tagged"));
}

static void
address_list_has_a_limit(void **state)
{
	char list[OPT_LIST_MAX * 20 + 40] = "";
	size_t n = 0;

	(void)state;
	for (unsigned i = 0; i < OPT_LIST_MAX; i++)
		n += snprintf(list + n, sizeof list - n, "%s10.0.0.%u", i ? "," : "", i);
	assert_int_equal(set("ips", list), 0);
	assert_int_equal(conf.ips.n, OPT_LIST_MAX);
	assert_string_equal(get("ips"), list);
	strcpy(list + n, ",10.0.1.0");
	assert_int_equal(set("ips", list), -ERANGE);
}

static void
short_buffers_are_not_overrun(void **state)
{
	char buf[12];

	(void)state;
	assert_int_equal(set("vlans", "1,3,5,7,9,11,13,15,17,19"), 0);
	memset(buf, 'x', sizeof buf);
	opt_get(opt_find(opts, "vlans"), &conf, buf, 10);
	assert_string_equal(buf, "1,3,5,7,9");
	assert_int_equal(buf[10], 'x');
}

static void
any_sets_an_address_back(void **state)
{
	(void)state;
	assert_int_equal(set("ip", "10.0.0.1"), 0);
	assert_int_equal(set("ip", "any"), 0);
	assert_true(ip_is_none(&conf.ip));
}

static void
missing_required_option_is_named(void **state)
{
	static const char *const some[] = { "name" }, *const all[] = { "ips", "name" };

	(void)state;
	assert_int_equal(opt_check_required(opts, some, 1, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "'ips'"));
	assert_int_equal(opt_check_required(opts, all, 2, &err), 0);
}

int
main(void)
{
#define OPT_TEST(f) cmocka_unit_test_setup(f, begin)
	const struct CMUnitTest tests[] = {
		OPT_TEST(defaults_are_written_and_everything_else_is_zero),
		OPT_TEST(values_come_back_in_canonical_form),
		OPT_TEST(refused_value_leaves_the_configuration_untouched),
		OPT_TEST(maps_are_read_both_ways),
		OPT_TEST(misspelt_names_get_the_nearest_one),
		OPT_TEST(address_list_has_a_limit),
		OPT_TEST(short_buffers_are_not_overrun),
		OPT_TEST(any_sets_an_address_back),
		OPT_TEST(missing_required_option_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
