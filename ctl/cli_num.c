/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as people read them. */
#include <inttypes.h>

#include "ctl/cli_out.h"

static struct num
scaled(double v, double step, const char *const *units)
{
	struct num n;

	while (v >= step * 0.9995 && units[1]) {
		v /= step;
		units++;
	}
	snprintf(n.s, sizeof n.s, v < 9.995 ? "%.2f %s" : v < 99.95 ? "%.1f %s" : "%.0f %s", v, *units);
	return n;
}

struct num
num_count(uint64_t v)
{
	static const char *const units[] = { "G", "T", "P", "E", NULL };
	struct num n;

	if (v >= 1000000000)
		return scaled(v / 1e9, 1000, units);
	if (v >= 1000000)
		snprintf(n.s, sizeof n.s, "%" PRIu64 ",%03" PRIu64 ",%03" PRIu64, v / 1000000, v / 1000 % 1000, v % 1000);
	else if (v >= 1000)
		snprintf(n.s, sizeof n.s, "%" PRIu64 ",%03" PRIu64, v / 1000, v % 1000);
	else
		snprintf(n.s, sizeof n.s, "%" PRIu64, v);
	return n;
}

struct num
num_bytes(uint64_t v)
{
	static const char *const units[] = { "kB", "MB", "GB", "TB", "PB", "EB", NULL };
	struct num n;

	if (v >= 1000)
		return scaled(v / 1e3, 1000, units);
	snprintf(n.s, sizeof n.s, "%" PRIu64 " B", v);
	return n;
}

struct num
num_bits(double per_s)
{
	static const char *const units[] = { "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s", NULL };
	struct num n;

	if (per_s >= 1000)
		return scaled(per_s / 1e3, 1000, units);
	snprintf(n.s, sizeof n.s, "%.0f bit/s", per_s);
	return n;
}

struct num
num_memory(uint64_t v)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", NULL };
	struct num n;

	if (v >= 1024)
		return scaled(v / 1024.0, 1024, units);
	snprintf(n.s, sizeof n.s, "%" PRIu64 " B", v);
	return n;
}

struct num
num_percent(double part, double whole)
{
	struct num n = { "-" };

	if (whole > 0)
		snprintf(n.s, sizeof n.s, "%.1f %%", 100 * part / whole);
	return n;
}

struct num
num_seconds(uint64_t s)
{
	struct num n;

	if (s < 60)
		snprintf(n.s, sizeof n.s, "%" PRIu64 " s", s);
	else if (s < 3600)
		snprintf(n.s, sizeof n.s, "%" PRIu64 " min", s / 60);
	else if (s < 86400)
		snprintf(n.s, sizeof n.s, "%" PRIu64 " h %" PRIu64 " min", s / 3600, s / 60 % 60);
	else
		snprintf(n.s, sizeof n.s, "%" PRIu64 " d %" PRIu64 " h", s / 86400, s / 3600 % 24);
	return n;
}

struct num
num_us(uint64_t us)
{
	struct num n;

	if (us >= 10000000)
		return num_seconds(us / 1000000);
	if (us >= 1000000)
		snprintf(n.s, sizeof n.s, "%.1f s", us / 1e6);
	else if (us >= 1000)
		snprintf(n.s, sizeof n.s, "%" PRIu64 " ms", us / 1000);
	else
		snprintf(n.s, sizeof n.s, "%" PRIu64 " us", us);
	return n;
}
