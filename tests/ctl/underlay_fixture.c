/* SPDX-License-Identifier: Apache-2.0 */
/* See underlay_fixture.h. */
#include "tests/ctl/underlay_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

struct underlay_owner owner;
struct underlay *u;
uint64_t now;

static void
find_link(void *arg, const char *name, struct underlay_link *out)
{
	struct underlay_owner *o = arg;

	if (!strcmp(name, "eth1"))
		*out = o->eth1;
	if (!strcmp(name, "br-ex"))
		*out = o->br_ex;
	if (!strcmp(name, "eth2"))
		*out = o->eth2;
}

static int
open_link(void *arg, const char *name, struct err *e)
{
	struct underlay_owner *o = arg;

	(void)name;
	o->n_opened++;
	if (o->open_rc)
		return err_set(e, -o->open_rc, "no permission to open %s", name);
	o->eth1 = (struct underlay_link){ .kind = UNDERLAY_LINK_DIRECT, .port = ETH1_PORT };
	return 0;
}

static void
close_link(void *arg, const char *name)
{
	struct underlay_owner *o = arg;

	assert_string_equal(name, "eth1");
	o->n_closed++;
	memset(&o->eth1, 0, sizeof o->eth1);
}

static void
set_view(void *arg, struct tun_view *v)
{
	struct underlay_owner *o = arg;

	tun_view_destroy(o->view);
	o->view = v;
	o->n_views++;
}

static void
set_path(void *arg, uint32_t dst, const struct ofp_tun_path *p)
{
	struct underlay_owner *o = arg;

	o->path[dst] = *p;
	o->n_paths++;
}

static void
commit(void *arg)
{
	((struct underlay_owner *)arg)->n_commits++;
}

static uint32_t
used(void *arg, uint32_t dst)
{
	return ((struct underlay_owner *)arg)->used[dst];
}

static void
used_reset(void *arg, uint32_t dst)
{
	((struct underlay_owner *)arg)->used[dst] = 0;
}

static void
send_frame(void *arg, uint32_t dst, const void *frame, unsigned len)
{
	struct underlay_owner *o = arg;

	assert_int_equal(len, sizeof o->sent);
	memcpy(o->sent, frame, len);
	o->sent_to = dst;
	o->n_sent++;
}

static void
tell_live(void *arg, uint16_t port, bool is_live)
{
	struct underlay_owner *o = arg;

	assert_in_range(port, VX0, VX0 + N_LIVE - 1);
	o->live[port - VX0] = is_live;
	o->n_live++;
}

int
underlay_begin(void **state)
{
	const struct underlay_ops ops = { .find_link = find_link, .open_link = open_link, .close_link = close_link,
					  .set_view = set_view, .set_path = set_path, .commit = commit, .used = used,
					  .used_reset = used_reset, .send = send_frame, .live = tell_live, .arg = &owner };
	struct err e;

	(void)state;
	log_to_file("/dev/null");
	memset(&owner, 0, sizeof owner);
	fake_reset();
	now = 1000000;
	fake_link(ETH1, "eth1", 1500);
	fake_link(BR_EX, "br-ex", 9000);
	fake_link(ETH2, "eth2", 9000);
	owner.eth2 = (struct underlay_link){ .kind = UNDERLAY_LINK_DIRECT, .port = ETH2_PORT };
	u = underlay_create(&ops, &e);
	return 0;
}

int
underlay_end(void **state)
{
	(void)state;
	underlay_destroy(u);
	tun_view_destroy(owner.view);
	assert_int_equal(fake.n_squats, 0);
	return 0;
}

static struct underlay_tunnel
vtunnel(uint16_t port, const char *opts, va_list ap)
{
	struct underlay_tunnel t = { .port = port, .name = "vx", .type = tun_type_find("vxlan") };
	char *buf = NULL, *save = NULL;
	struct err e = { 0 };

	opt_defaults(t.type->opts, &t.conf);
	t.conf.key = 42;
	assert_true(vasprintf(&buf, opts, ap) >= 0);
	for (char *w = strtok_r(buf, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		char *eq = strchr(w, '=');

		*eq = '\0';
		if (opt_set(t.type->opts, &t.conf, w, eq + 1, &e))
			fail_msg("%s", e.msg);
	}
	free(buf);
	return t;
}

struct underlay_tunnel
tunnel(uint16_t port, const char *opts, ...)
{
	struct underlay_tunnel t;
	va_list ap;

	va_start(ap, opts);
	t = vtunnel(port, opts, ap);
	va_end(ap);
	return t;
}

void
add(uint16_t port, const char *opts, ...)
{
	struct underlay_tunnel t;
	va_list ap;

	va_start(ap, opts);
	t = vtunnel(port, opts, ap);
	va_end(ap);
	assert_int_equal(underlay_set(u, &t, NULL), 0);
	underlay_update(u, now);
}

struct underlay_remote
show(uint16_t port)
{
	static struct underlay_remote r[OPT_LIST_MAX];

	assert_true(underlay_remotes(u, port, r) >= 1);
	return r[0];
}

const struct tun_dst *
row(uint16_t port)
{
	uint32_t dst[OPT_LIST_MAX];

	assert_true(underlay_dsts(u, port, dst) >= 1);
	assert_int_not_equal(dst[0], 0);
	return tun_view_dst(owner.view, dst[0]);
}

void
live(uint64_t ms)
{
	uint64_t until = now + ms;

	for (unsigned turns = 0; now < until; turns++) {
		unsigned wait = underlay_poll(u, now);

		assert_in_range(wait, 1, 60000);
		/* Nobody spins. */
		assert_true(turns < 200);
		now = MIN_OF(now + wait, until);
	}
	underlay_poll(u, now);
}

void
neigh_is(int ifindex, const char *ip, enum nl_neigh_state state, uint8_t last)
{
	struct fake_neigh *n = fake_neigh(ifindex, ip);

	n->n.state = state;
	n->n.mac = state == NL_NEIGH_VALID ? fake_mac(last) : (struct mac){ { 0 } };
	fake.events |= NL_EV_NEIGH;
}

void
addr(const char *ip, int link)
{
	fake.addr_link[fake.n_addrs] = link;
	fake.addr[fake.n_addrs++] = fake_ip(ip);
	fake.events |= NL_EV_ADDR;
}
