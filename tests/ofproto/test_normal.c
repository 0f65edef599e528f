/* SPDX-License-Identifier: Apache-2.0 */
/* The learning switch, rule by rule: what a frame's program is, and that each change of the switch reaches
 * the flows that depend on it. */
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/ofproto/expect.h"

/* --- Admission ---------------------------------------------------------------------------------- */

static void
a_port_of_no_bridge_is_refused(void **state)
{
	struct flow_key k = sim_key(9, 1, 2, NO_TAG);

	(void)state;
	plain_ports(2);
	EXPECT_DROP(k, DROP_NO_BRIDGE);
	k.in_port = 1023;
	EXPECT_DROP(k, DROP_NO_BRIDGE);
	k.in_port = 65535;
	EXPECT_DROP(k, DROP_NO_BRIDGE);

	struct cached c;

	k.in_port = 9;
	c = cache(&k);
	sim_port(s, br, 9, "");
	EXPECT_MARKED(c);
	EXPECT(k, "1 2");
}

static void
group_and_zero_sources_are_refused(void **state)
{
	struct flow_key k = sim_key(1, BCAST, 2, NO_TAG);

	(void)state;
	plain_ports(2);
	EXPECT_DROP(k, DROP_SRC_MULTICAST);
	memset(&k.dl_src, 0, sizeof k.dl_src);
	EXPECT_DROP(k, DROP_SRC_MULTICAST);
	assert_false(s->out.learn.wanted);
}

static void
reserved_addresses_are_not_forwarded_unless_told(void **state)
{
	struct flow_key k = sim_key(1, 1, 2, NO_TAG);
	struct ofp_bridge_conf bc;
	struct cached c;

	(void)state;
	plain_ports(2);
	k.dl_dst = (struct mac){ { 0x01, 0x80, 0xc2, 0, 0, 0x0e } };
	EXPECT_DROP(k, DROP_RESERVED);
	assert_false(s->out.learn.wanted);
	c = cache(&k);
	k.dl_dst.b[5] = 0x10;
	EXPECT(k, "2");
	opt_defaults(ofp_bridge_opts, &bc);
	bc.forward_reserved = true;
	assert_int_equal(ofp_bridge_set(s->ofp, br, &bc, NULL), 0);
	EXPECT_MARKED(c);
	k.dl_dst.b[5] = 0;
	EXPECT(k, "2");
}

static void
tags_that_the_mode_forbids_are_refused(void **state)
{
	struct flow_key tagged = sim_key(1, 1, 2, 10), prio = sim_key(1, 1, 2, 5 << 13),
			stag = sim_key(1, 1, 2, 10);
	struct cached c;

	(void)state;
	sim_port(s, br, 1, "tag=10");
	sim_port(s, br, 2, "tag=10");
	sim_commit(s);
	EXPECT_DROP(tagged, DROP_VLAN);
	EXPECT(prio, "pop 2");
	/* An S-tag is payload. */
	stag.vlan[0].tpid = be16(0x88a8);
	EXPECT(stag, "2");
	c = cache(&tagged);
	sim_port_set(s, 1, "trunks=10,20");
	EXPECT_MARKED(c);
	EXPECT(tagged, "pop 2");
	tagged.vlan[0].tci = be16(30);
	EXPECT_DROP(tagged, DROP_VLAN);
}

/* --- Forwarding --------------------------------------------------------------------------------- */

static void
a_frame_never_goes_back_where_it_came_from(void **state)
{
	struct flow_key k = sim_key(1, 1, 2, NO_TAG);

	(void)state;
	plain_ports(2);
	meet(1, 2, NO_TAG);
	EXPECT_DROP(k, DROP_SAME_PORT);
}

static void
protected_ports_see_nothing_of_each_other(void **state)
{
	struct flow_key k = sim_key(1, 1, 2, NO_TAG), all = sim_key(1, 1, BCAST, NO_TAG);
	struct cached c, c_all;

	(void)state;
	plain_ports(3);
	meet(2, 2, NO_TAG);
	EXPECT(k, "2");
	c = cache(&k);
	c_all = cache(&all);
	sim_port_set(s, 1, "protected=true");
	sim_port_set(s, 2, "protected=true");
	EXPECT_MARKED(c);
	EXPECT_MARKED(c_all);
	EXPECT_DROP(k, DROP_PROTECTED);
	EXPECT(all, "3");
	sim_port_set(s, 3, "protected=true");
	sim_commit(s);
	EXPECT_DROP(all, DROP_NO_DEST);
}

static void
floods_reach_the_ports_that_want_them(void **state)
{
	struct flow_key k = sim_key(1, 1, BCAST, 10), multi = sim_key(1, 1, 2, 10);
	struct cached c;

	(void)state;
	plain_ports(5);
	multi.dl_dst = (struct mac){ { 0x33, 0x33, 0, 0, 0, 1 } };
	EXPECT(k, "2 3 4 5");
	EXPECT(multi, "2 3 4 5");
	c = cache(&k);
	sim_port_set(s, 3, "flood=false");
	EXPECT_MARKED(c);
	c = cache(&k);
	ofp_port_set_up(s->ofp, 4, false);
	EXPECT_MARKED(c);
	EXPECT(k, "2 5");
	c = cache(&k);
	sim_port_set(s, 5, "trunks=20");
	EXPECT_MARKED(c);
	EXPECT(k, "2");
	c = cache(&k);
	ofp_port_del(s->ofp, 2);
	EXPECT_MARKED(c);
	EXPECT_DROP(k, DROP_NO_DEST);
	c = cache(&k);
	ofp_port_set_up(s->ofp, 4, true);
	EXPECT_MARKED(c);
	EXPECT(k, "4");
}

static void
a_port_that_goes_down_is_forgotten_at_once(void **state)
{
	struct flow_key k = sim_key(1, 1, 2, NO_TAG), other = sim_key(1, 1, 3, NO_TAG);
	struct cached c, c_other;

	(void)state;
	plain_ports(4);
	meet(1, 1, NO_TAG);
	meet(2, 2, NO_TAG);
	meet(3, 3, NO_TAG);
	EXPECT(k, "2");
	EXPECT(other, "3");
	c = cache(&k);
	c_other = cache(&other);
	ofp_port_set_up(s->ofp, 2, false);
	EXPECT_MARKED(c);
	/* Unicast between other ports goes on undisturbed. */
	EXPECT_LEFT_ALONE(c_other);
	EXPECT(k, "3 4");
	assert_int_equal(ofp_port_n_macs(s->ofp, 2), 0);
}

static void
a_deleted_bridge_forwards_nothing(void **state)
{
	struct flow_key k = sim_key(1, 1, 2, NO_TAG);
	struct cached c;
	uint16_t again;

	(void)state;
	plain_ports(2);
	meet(1, 1, NO_TAG);
	c = cache(&k);
	ofp_bridge_del(s->ofp, br);
	EXPECT_MARKED(c);
	EXPECT_DROP(k, DROP_NO_BRIDGE);
	again = sim_bridge(s, "br0");
	assert_int_equal(again, br);
	plain_ports(2);
	EXPECT(k, "2");
	assert_true(s->out.learn.wanted);
}

/* --- Tags on the way out ------------------------------------------------------------------------- */

static void
tag_changes_are_made_once_for_all_who_need_them(void **state)
{
	struct flow_key tagged = sim_key(1, 1, BCAST, 10), untagged = sim_key(2, 2, BCAST, NO_TAG);

	(void)state;
	sim_port(s, br, 1, "");
	sim_port(s, br, 2, "tag=10");
	sim_port(s, br, 3, "tag=10");
	sim_port(s, br, 4, "trunks=10,20");
	sim_port(s, br, 5, "vlan-mode=native-tagged tag=10");
	sim_port(s, br, 6, "vlan-mode=native-untagged tag=10");
	sim_port(s, br, 7, "tag=20");
	sim_commit(s);
	EXPECT(tagged, "4 5 pop 2 3 6");
	EXPECT(untagged, "3 6 push10 1 4 5");
}

static void
priority_bits_do_not_split_flows(void **state)
{
	struct flow_key k = sim_key(1, 1, BCAST, 5 << 13 | 10), prio = sim_key(2, 1, BCAST, 5 << 13), want = { 0 };

	(void)state;
	sim_port(s, br, 1, "");
	sim_port(s, br, 2, "tag=10");
	sim_port(s, br, 3, "");
	sim_commit(s);
	EXPECT(k, "3 pop 2");
	want.in_port = 0xffff;
	memset(&want.dl_src, 0xff, 6);
	memset(&want.dl_dst, 0xff, 6);
	want.vlan[0].tpid = 0xffff;
	want.vlan[0].tci = be16(0xfff);
	assert_memory_equal(&s->out.mask, &want, sizeof want);
	/* The tag of a priority-tagged frame is used on, so its priority arrives. */
	EXPECT(prio, "set10 1 3");
	assert_memory_equal(&s->out.mask, &want, sizeof want);
}

/* --- The rest ----------------------------------------------------------------------------------- */

static void
wrong_settings_are_refused_with_a_reason(void **state)
{
	struct ofp_port_conf c = sim_port_conf(""), bad = c;
	struct ofp_bridge_conf bc;
	struct err e = { 0 };
	uint16_t id;

	(void)state;
	plain_ports(1);
	bad.vlan_mode = OFP_VLAN_ACCESS;
	assert_int_equal(ofp_port_add(s->ofp, br, 5, OFP_PORT_PLAIN, &bad, &e), -EINVAL);
	assert_int_equal(ofp_port_add(s->ofp, br, 1, OFP_PORT_PLAIN, &c, &e), -EEXIST);
	assert_int_equal(ofp_port_add(s->ofp, 99, 5, OFP_PORT_PLAIN, &c, &e), -ENOENT);
	assert_int_equal(ofp_port_add(s->ofp, br, 0, OFP_PORT_PLAIN, &c, &e), -ERANGE);
	assert_int_equal(ofp_port_add(s->ofp, br, DP_MAX_PORTS, OFP_PORT_PLAIN, &c, &e), -ERANGE);
	assert_int_equal(ofp_port_set(s->ofp, 5, &c, &e), -ENOENT);
	assert_int_equal(ofp_port_set(s->ofp, 1, &bad, &e), -EINVAL);
	opt_defaults(ofp_bridge_opts, &bc);
	assert_int_equal(ofp_bridge_add(s->ofp, "br0", &bc, &id, &e), -EEXIST);
	bc.hwaddr = sim_mac(BCAST);
	assert_int_equal(ofp_bridge_add(s->ofp, "br1", &bc, &id, &e), -EINVAL);
	assert_int_equal(ofp_bridge_set(s->ofp, br, &bc, &e), -EINVAL);
	opt_defaults(ofp_bridge_opts, &bc);
	assert_int_equal(ofp_bridge_set(s->ofp, 99, &bc, &e), -ENOENT);
	bc.mac_limit = 0;
	assert_int_equal(ofp_bridge_check(&bc, &e), -ERANGE);
}

static void
a_bridge_has_an_address_that_stays(void **state)
{
	struct ofp_bridge_conf bc;
	struct mac a = ofp_hwaddr_make("br0"), b = ofp_hwaddr_make("br1");

	(void)state;
	assert_true(mac_equal(a, ofp_bridge_hwaddr(s->ofp, br)));
	assert_true(mac_equal(a, ofp_hwaddr_make("br0")));
	assert_false(mac_equal(a, b));
	assert_int_equal(a.b[0] & 3, 2);
	opt_defaults(ofp_bridge_opts, &bc);
	bc.hwaddr = sim_mac(3);
	assert_int_equal(ofp_bridge_set(s->ofp, br, &bc, NULL), 0);
	assert_true(mac_equal(sim_mac(3), ofp_bridge_hwaddr(s->ofp, br)));
}

/* Two switches of one machine whose bridges have the same name, as in the demo. */
static void
another_network_namespace_is_another_machine(void **state)
{
	struct mac here = ofp_hwaddr_make("br0"), there;
	int fd[2], status;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(fd), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
			_exit(77);
		there = ofp_hwaddr_make("br0");
		_exit(write(fd[1], &there, sizeof there) != sizeof there);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(fd[1]);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		close(fd[0]);
		skip();
	}
	assert_int_equal(read(fd[0], &there, sizeof there), sizeof there);
	close(fd[0]);
	assert_false(mac_equal(here, there));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_port_of_no_bridge_is_refused),
		T(group_and_zero_sources_are_refused),
		T(reserved_addresses_are_not_forwarded_unless_told),
		T(tags_that_the_mode_forbids_are_refused),
		T(a_frame_never_goes_back_where_it_came_from),
		T(protected_ports_see_nothing_of_each_other),
		T(floods_reach_the_ports_that_want_them),
		T(a_port_that_goes_down_is_forgotten_at_once),
		T(a_deleted_bridge_forwards_nothing),
		T(tag_changes_are_made_once_for_all_who_need_them),
		T(priority_bits_do_not_split_flows),
		T(wrong_settings_are_refused_with_a_reason),
		T(a_bridge_has_an_address_that_stays),
		T(another_network_namespace_is_another_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
