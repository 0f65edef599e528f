/* SPDX-License-Identifier: Apache-2.0 */
/* Connection targets: what is understood, and what people are told about the rest. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include <cmocka.h>

#include "ofproto/agent/target.h"

/* "address port" as parsed; a name or a path as it is. */
static const char *
shown(const struct of_target *t)
{
	static char buf[400];
	char ip[INET6_ADDRSTRLEN] = "";

	if (t->is_unix) {
		snprintf(buf, sizeof buf, "%s", ((const struct sockaddr_un *)&t->sa)->sun_path);
	} else if (t->is_name) {
		snprintf(buf, sizeof buf, "name %s %u", t->host, t->port);
	} else if (t->sa.ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)&t->sa;

		inet_ntop(AF_INET, &in->sin_addr, ip, sizeof ip);
		snprintf(buf, sizeof buf, "%s %u", ip, ntohs(in->sin_port));
	} else {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&t->sa;

		inet_ntop(AF_INET6, &in6->sin6_addr, ip, sizeof ip);
		snprintf(buf, sizeof buf, "%s %u", ip, ntohs(in6->sin6_port));
	}
	return buf;
}

static void
every_way_to_write_a_target_is_understood(void **state)
{
	static const struct {
		const char *text, *shown;
		bool passive, tls;
	} rows[] = {
		{ "tcp:10.0.0.1", "10.0.0.1 6653", false, false },
		{ "tcp:10.0.0.1:6633", "10.0.0.1 6633", false, false },
		{ "tcp:[::1]", "::1 6653", false, false },
		{ "tcp:[2001:db8::1]:1", "2001:db8::1 1", false, false },
		{ "tcp:controller.example:65535", "name controller.example 65535", false, false },
		{ "ssl:10.0.0.1", "10.0.0.1 6653", false, true },
		{ "tls:10.0.0.1:7", "10.0.0.1 7", false, true },
		{ "unix:/run/x.sock", "/run/x.sock", false, false },
		{ "ptcp:", "0.0.0.0 6653", true, false },
		{ "ptcp:6634", "0.0.0.0 6634", true, false },
		{ "ptcp:6634:127.0.0.1", "127.0.0.1 6634", true, false },
		{ "ptcp::127.0.0.1", "127.0.0.1 6653", true, false },
		{ "ptcp:6634:[::]", ":: 6634", true, false },
		{ "pssl:6640:[::1]", "::1 6640", true, true },
		{ "ptls:", "0.0.0.0 6653", true, true },
		{ "punix:/run/br0.mgmt", "/run/br0.mgmt", true, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct of_target t;
		struct err e = { 0 };

		if (of_target_parse(rows[i].text, &t, &e))
			fail_msg("%s: %s", rows[i].text, e.msg);
		assert_string_equal(shown(&t), rows[i].shown);
		assert_int_equal(t.passive, rows[i].passive);
		assert_int_equal(t.tls, rows[i].tls);
	}
}

static void
a_wrong_target_is_refused_with_what_to_write_instead(void **state)
{
	static const struct {
		const char *text, *hint;
	} rows[] = {
		{ "", "write tcp:" },
		{ "10.0.0.1", "write tcp:" },
		{ "10.0.0.1:6633", "did you mean 'tcp:10.0.0.1:6633'" },
		{ "[::1]:6633", "did you mean 'tcp:[::1]:6633'" },
		{ "tpc:10.0.0.1", "did you mean 'tcp'" },
		{ "ptpc:6633", "did you mean 'ptcp'" },
		{ "http:10.0.0.1", "unknown scheme 'http'" },
		{ "tcp:", "no address" },
		{ "tcp::6633", "no address" },
		{ "tcp:10.0.0.1:", "no port" },
		{ "tcp:10.0.0.1:0", "no port" },
		{ "tcp:10.0.0.1:65536", "no port" },
		{ "tcp:10.0.0.1:66x", "no port" },
		{ "tcp:10.0.0.256", "neither an IP address" },
		{ "tcp:2001:db8::1", "put an IPv6 address in brackets" },
		{ "tcp:[2001:db8::1", "bracket" },
		{ "tcp:[2001:db8::1]6633", "bracket" },
		{ "tcp:a b", "neither" },
		{ "ptcp:127.0.0.1", "no port" },
		{ "ptcp:6633:some.name", "no IP address to listen on" },
		{ "unix:", "no path" },
		{ "punix:/0123456789"
		  "01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
		  "at most" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e = { 0 };

		if (of_target_check(rows[i].text, &e) != -EINVAL)
			fail_msg("'%s' is taken", rows[i].text);
		if (!strstr(e.msg, rows[i].hint))
			fail_msg("'%s': \"%s\" does not say \"%s\"", rows[i].text, e.msg, rows[i].hint);
	}
}

static void
any_length_is_handled(void **state)
{
	static const char *const prefix[] = { "", "tcp:", "tcp:[", "ptcp:", "ptcp:1:", "ptcp:1:[", "unix:", "x" };
	char text[700];

	(void)state;
	for (size_t p = 0; p < ARRAY_SIZE(prefix); p++) {
		for (size_t n = 0; n < 600; n++) {
			struct err e;

			memset(text, '7', sizeof text);
			memcpy(text, prefix[p], strlen(prefix[p]));
			text[strlen(prefix[p]) + n] = '\0';
			of_target_check(text, &e);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_way_to_write_a_target_is_understood),
		cmocka_unit_test(a_wrong_target_is_refused_with_what_to_write_instead),
		cmocka_unit_test(any_length_is_handled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
