/* SPDX-License-Identifier: Apache-2.0 */
/* Text forms of Ethernet and IP addresses. */
#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

int
mac_parse(const char *s, struct mac *out)
{
	struct mac m;

	for (unsigned i = 0; i < 6; i++, s += 3) {
		int hi = hex_digit(s[0]);
		int lo = hi < 0 ? -1 : hex_digit(s[1]);

		if (lo < 0 || s[2] != (i < 5 ? ':' : '\0'))
			return -EINVAL;
		m.b[i] = hi << 4 | lo;
	}
	*out = m;
	return 0;
}

const char *
mac_format(struct mac m, char buf[MAC_STR_LEN])
{
	snprintf(buf, MAC_STR_LEN, "%02x:%02x:%02x:%02x:%02x:%02x", m.b[0], m.b[1], m.b[2], m.b[3],
		 m.b[4], m.b[5]);
	return buf;
}

int
ip_parse(const char *s, struct ipaddr *out)
{
	struct in_addr v4;
	struct ipaddr a;

	if (inet_pton(AF_INET, s, &v4) == 1)
		*out = ip_from_v4(v4.s_addr);
	else if (inet_pton(AF_INET6, s, a.b) == 1)
		*out = a;
	else
		return -EINVAL;
	return 0;
}

const char *
ip_format(struct ipaddr a, char buf[IP_STR_LEN])
{
	if (ip_is_none(&a))
		str_copy(buf, IP_STR_LEN, "any");
	else if (ip_is_v4(&a))
		inet_ntop(AF_INET, a.b + 12, buf, IP_STR_LEN);
	else
		inet_ntop(AF_INET6, a.b, buf, IP_STR_LEN);
	return buf;
}

bool
ip_is_multicast(const struct ipaddr *a)
{
	return ip_is_v4(a) ? (a->b[12] & 0xf0) == 0xe0 : a->b[0] == 0xff;
}

struct mac
ip_group_mac(const struct ipaddr *a)
{
	if (ip_is_v4(a))
		return (struct mac){ { 0x01, 0x00, 0x5e, a->b[13] & 0x7f, a->b[14], a->b[15] } };
	return (struct mac){ { 0x33, 0x33, a->b[12], a->b[13], a->b[14], a->b[15] } };
}

bool
ip_is_unicast(const struct ipaddr *a)
{
	static const struct ipaddr loopback = { .b = { [15] = 1 } };

	if (ip_is_v4(a)) {
		uint8_t net = a->b[12];

		return net != 0 && net != 127 && (net & 0xf0) != 0xe0 && ip_v4(a) != 0xffffffff;
	}
	return !ip_is_none(a) && a->b[0] != 0xff && !ip_equal(a, &loopback);
}
