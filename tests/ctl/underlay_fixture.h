/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of the underlay begin with: a kernel of a few tables (fake_kernel.h), an owner that notes what it is told,
 * and a clock that the test turns.
 *
 *     eth1    up, MTU 1500, no port of ours before one is opened
 *     br-ex   up, MTU 9000, none either and none to be opened
 *     eth2    up, MTU 9000, a port of ours (ETH2_PORT)
 *
 * No link has an address, there is no route. */
#ifndef TESTS_CTL_UNDERLAY_FIXTURE_H
#define TESTS_CTL_UNDERLAY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/underlay.h"
#include "datapath/tunnel_priv.h"
#include "tests/ctl/fake_kernel.h"

enum {
	ETH1 = 3, BR_EX, ETH2,          /* Indices of links. */
	ETH1_PORT = 10, BR_EX_PORT = 20, ETH2_PORT = 30,
	VX0 = 100, VX1,                 /* Tunnel ports. */
	N_LIVE = 8,
};

extern struct underlay_owner {
	struct underlay_link eth1, br_ex, eth2; /* What find_link() answers. */
	int open_rc;                    /* 0: eth1 can be opened. */
	unsigned n_opened, n_closed, n_commits, n_views, n_paths;
	struct tun_view *view;          /* The newest. */
	struct ofp_tun_path path[TUN_MAX_DST];
	uint32_t used[TUN_MAX_DST];
	unsigned n_sent, n_live;
	uint32_t sent_to;
	uint8_t sent[BFD_FRAME_LEN];    /* The newest frame of BFD. */
	bool live[N_LIVE];              /* Of VX0 and those after it, as told. */
} owner;

extern struct underlay *u;
extern uint64_t now;                    /* ms */

/* Setup and teardown of each test. */
int underlay_begin(void **state);
int underlay_end(void **state);
#define UNDERLAY_TEST(f) cmocka_unit_test_setup_teardown(f, underlay_begin, underlay_end)

/* A VXLAN tunnel port with options as weftctl takes them ("remote=172.16.0.2 bfd=true"); vni=42 when they say nothing. */
struct underlay_tunnel tunnel(uint16_t port, const char *opts, ...) __attribute__((format(printf, 2, 3)));
/* Likewise, configured and looked at. */
void add(uint16_t port, const char *opts, ...) __attribute__((format(printf, 2, 3)));
/* The first remote of a port, as shown and as polling threads have it. */
struct underlay_remote show(uint16_t port);
const struct tun_dst *row(uint16_t port);
/* The owner's loop: polls whenever it was told to, for so long.  Fails when it is told to spin. */
void live(uint64_t ms);
void neigh_is(int ifindex, const char *ip, enum nl_neigh_state state, uint8_t last);
/* The kernel has an address on a link. */
void addr(const char *ip, int link);

#endif
