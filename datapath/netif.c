/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel interface by name: what port types ask and set, by ioctl.  Netlink would do as well; an
 * ioctl is one call, and any socket at hand will do for it. */
#include "datapath/netif_priv.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>

enum { WAS_GRO = 1, WAS_LRO = 2 };

static int
call(int fd, unsigned long req, const char *name, struct ifreq *r)
{
	if (!str_copy(r->ifr_name, sizeof r->ifr_name, name))
		return -ENODEV;
	return ioctl(fd, req, r) ? -errno : 0;
}

int
netif_get(int fd, const char *name, struct netif *out)
{
	struct ifreq r = { 0 };
	int rc;

	memset(out, 0, sizeof *out);
	rc = call(fd, SIOCGIFINDEX, name, &r);
	if (rc)
		return rc;
	out->ifindex = r.ifr_ifindex;
	rc = call(fd, SIOCGIFFLAGS, name, &r);
	if (rc)
		return rc;
	out->up = r.ifr_flags & IFF_UP;
	out->running = r.ifr_flags & IFF_RUNNING;
	rc = call(fd, SIOCGIFMTU, name, &r);
	if (rc)
		return rc;
	out->mtu = (uint32_t)r.ifr_mtu;
	rc = call(fd, SIOCGIFHWADDR, name, &r);
	if (rc)
		return rc;
	out->ethernet = r.ifr_hwaddr.sa_family == ARPHRD_ETHER || r.ifr_hwaddr.sa_family == ARPHRD_LOOPBACK;
	memcpy(out->mac.b, r.ifr_hwaddr.sa_data, sizeof out->mac.b);
	return 0;
}

static bool
counts_as_address(const struct sockaddr *a)
{
	if (!a)
		return false;
	if (a->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)a;

		return !IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr);
	}
	return a->sa_family == AF_INET;
}

bool
netif_has_addresses(const char *name)
{
	struct ifaddrs *all;
	bool found = false;

	if (getifaddrs(&all))
		return false;
	for (const struct ifaddrs *a = all; a && !found; a = a->ifa_next)
		found = !strcmp(a->ifa_name, name) && counts_as_address(a->ifa_addr);
	freeifaddrs(all);
	return found;
}

int
netif_set_up(int fd, const char *name, bool up)
{
	struct ifreq r = { 0 };
	int rc = call(fd, SIOCGIFFLAGS, name, &r);

	if (rc)
		return rc;
	r.ifr_flags = (short)(up ? r.ifr_flags | IFF_UP : r.ifr_flags & ~IFF_UP);
	return call(fd, SIOCSIFFLAGS, name, &r);
}

int
netif_set_mtu(int fd, const char *name, uint32_t mtu)
{
	struct ifreq r = { .ifr_mtu = (int)mtu };

	return call(fd, SIOCSIFMTU, name, &r);
}

int
netif_set_mac(int fd, const char *name, const struct mac *mac)
{
	struct ifreq r = { .ifr_hwaddr = { .sa_family = ARPHRD_ETHER } };

	memcpy(r.ifr_hwaddr.sa_data, mac->b, sizeof mac->b);
	return call(fd, SIOCSIFHWADDR, name, &r);
}

bool
netif_is_virtual(int fd, const char *name)
{
	struct ethtool_drvinfo drv = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq r = { .ifr_data = (void *)&drv };

	/* A tap calls its bus "tap". */
	return call(fd, SIOCETHTOOL, name, &r) || !drv.bus_info[0] || !strcmp(drv.driver, "tun");
}

unsigned
netif_n_queues(int fd, const char *name)
{
	struct ethtool_channels ch = { .cmd = ETHTOOL_GCHANNELS };
	struct ifreq r = { .ifr_data = (void *)&ch };

	if (call(fd, SIOCETHTOOL, name, &r))
		return 1;
	return MAX_OF(ch.rx_count + ch.combined_count, 1u);
}

static int
ethtool_value(int fd, const char *name, uint32_t cmd, uint32_t *value)
{
	struct ethtool_value v = { .cmd = cmd, .data = *value };
	struct ifreq r = { .ifr_data = (void *)&v };
	int rc = call(fd, SIOCETHTOOL, name, &r);

	*value = v.data;
	return rc;
}

unsigned
netif_coalesce_off(int fd, const char *name)
{
	unsigned was = 0;
	uint32_t v = 0;

	if (!ethtool_value(fd, name, ETHTOOL_GGRO, &v) && v) {
		v = 0;
		if (!ethtool_value(fd, name, ETHTOOL_SGRO, &v))
			was |= WAS_GRO;
	}
	v = 0;
	if (!ethtool_value(fd, name, ETHTOOL_GFLAGS, &v) && (v & ETH_FLAG_LRO)) {
		v &= ~(uint32_t)ETH_FLAG_LRO;
		if (!ethtool_value(fd, name, ETHTOOL_SFLAGS, &v))
			was |= WAS_LRO;
	}
	return was;
}

void
netif_coalesce_restore(int fd, const char *name, unsigned was_on)
{
	uint32_t v = 1;

	if (was_on & WAS_GRO)
		ethtool_value(fd, name, ETHTOOL_SGRO, &v);
	v = 0;
	if ((was_on & WAS_LRO) && !ethtool_value(fd, name, ETHTOOL_GFLAGS, &v)) {
		v |= ETH_FLAG_LRO;
		ethtool_value(fd, name, ETHTOOL_SFLAGS, &v);
	}
}
