/* SPDX-License-Identifier: Apache-2.0 */
/* Makes up a bridge's address: the same after each start, another one on another machine. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "ofproto/ofp.h"

/* Mixes what a short file says into 'h'; unchanged when it cannot be read. */
static uint64_t
hash_file(const char *path, uint64_t h, bool *read_it)
{
	char buf[128];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof buf);

	if (fd >= 0)
		close(fd);
	*read_it = n > 0;
	return n > 0 ? hash_bytes(buf, (size_t)n, h) : h;
}

struct mac
ofp_hwaddr_make(const char *name)
{
	/* A constant: the answer must not change from one start to the next. */
	uint64_t h = hash_bytes(name, strlen(name), 0x7765667477656674ull);
	struct stat self, init;
	bool ok;

	h = hash_file("/etc/machine-id", h, &ok);
	if (!ok)
		h = hash_file("/proc/sys/kernel/random/boot_id", h, &ok);
	/* Several switches of one machine, each in a network namespace of its own, are different machines to
	 * the network.  In the machine's own namespace nothing is added: its number may change with a reboot.
	 * Where that one cannot be looked at (a container), ours is added all the same: two hosts with one
	 * address are worse than an address that a reboot changes. */
	if (!stat("/proc/self/ns/net", &self) && (stat("/proc/1/ns/net", &init) || self.st_ino != init.st_ino))
		h = hash_add(h, self.st_ino);
	h = hash_mix(h);
	return (struct mac){ { (uint8_t)((h & 0xfc) | 0x02), (uint8_t)(h >> 8), (uint8_t)(h >> 16),
			       (uint8_t)(h >> 24), (uint8_t)(h >> 32), (uint8_t)(h >> 40) } };
}
