/* SPDX-License-Identifier: Apache-2.0 */
/* The switch: how a document becomes bridges and ports, what a refusal leaves behind, what survives a
 * change, and when "done" is said.  Bridges are real; ports, datapath and underlay are fakes. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/ctl/sw_fixture.h"

static void
refused(struct fixture *f, const char *text, const char *msg)
{
	char *before = json_dumps(sw_conf(f->sw), 0), *after;
	uint64_t generation = sw_generation(f->sw);
	unsigned done = n_done;
	struct err e = { 0 };

	assert_true(try_apply(f, text, &e) < 0);
	assert_string_equal(e.msg, msg);
	grace(f);
	grace(f);
	after = json_dumps(sw_conf(f->sw), 0);
	assert_string_equal(before, after);
	assert_int_equal(sw_generation(f->sw), generation);
	assert_int_equal(n_done, done);
	free(before);
	free(after);
}

static json_t *
stored(struct fixture *f)
{
	json_t *doc = NULL;

	f->store->ops->load(f->store, &doc, NULL);
	return doc;
}

/* A member of a port's state; borrowed from '*state'. */
static json_t *
port_state(struct fixture *f, const char *port, json_t **state)
{
	size_t i, j;
	json_t *b, *p;

	*state = sw_state(f->sw);
	json_array_foreach(json_object_get(*state, "bridges"), i, b)
		json_array_foreach(json_object_get(b, "ports"), j, p)
			if (!strcmp(json_string_value(json_object_get(p, "name")), port))
				return p;
	fail();
	return NULL;
}

static void
port_is(struct fixture *f, const char *port, bool up, const char *reason)
{
	json_t *state, *p = port_state(f, port, &state);

	assert_string_equal(json_string_value(json_object_get(p, "reason")), reason);
	assert_int_equal(json_is_true(json_object_get(p, "up")), up);
	json_decref(state);
}

static void
document_is_opened_stored_and_answered_when_effective(void **state)
{
	struct fixture *f = *state;
	unsigned done = n_done;
	json_t *doc;

	assert_int_equal(try_apply(f, DOC(VM1), NULL), 0);
	assert_non_null(fake_port("vm1"));
	assert_int_equal(sw_generation(f->sw), 2);
	assert_int_not_equal(sw_port_id(f->sw, "vm1"), 0);
	assert_true(sw_bridge_id(f->sw, "br0", NULL));
	/* Nobody has let go of the old state yet. */
	sw_poll(f->sw);
	assert_int_equal(n_done, done);
	grace(f);
	assert_int_equal(n_done, done + 1);
	assert_int_equal(last_rc, 0);
	doc = stored(f);
	assert_true(json_equal(doc, sw_conf(f->sw)));
	json_decref(doc);
	port_is(f, "vm1", true, "");
}

static void
same_document_again_changes_nothing_and_is_answered(void **state)
{
	struct fixture *f = *state;

	apply(f, DOC(VM1));
	apply(f, DOC("'vm1':{'mode':'client','type':'vhost-user'}"));
	assert_int_equal(sw_generation(f->sw), 2);
	assert_int_equal(fake_n_opened, 1);
}

static void
port_that_cannot_be_opened_refuses_the_whole_document(void **state)
{
	struct fixture *f = *state;
	json_t *doc;

	apply(f, DOC(VM1));
	refused(f, "{'bridges':{'br0':{'ports':{'a':{'type':'vhost-user'},'b':{'type':'vhost-user','fail':'x'}}},'br1':{}}}",
		"bridges.br0.ports.b: told to fail: x");
	assert_null(fake_port("a"));
	assert_non_null(fake_port("vm1"));
	assert_int_equal(sw_port_id(f->sw, "a"), 0);
	assert_false(sw_bridge_id(f->sw, "br1", NULL));
	doc = stored(f);
	assert_true(json_equal(doc, sw_conf(f->sw)));
	json_decref(doc);
}

static void
document_that_cannot_be_stored_is_refused_before_anything_changes(void **state)
{
	struct fixture *f = *state;
	char tmp[64], msg[160];

	apply(f, DOC(VM1));
	/* The place of the temporary file is taken by something that cannot be written: also for root. */
	snprintf(tmp, sizeof tmp, "%s/weft.json.tmp", f->dir);
	assert_int_equal(mkdir(tmp, 0700), 0);
	snprintf(msg, sizeof msg, "cannot write %s/weft.json.tmp: Is a directory", f->dir);
	refused(f, DOC("'vm2':{'type':'vhost-user'}"), msg);
	assert_null(fake_port("vm2"));
	assert_non_null(fake_port("vm1"));
	assert_int_equal(rmdir(tmp), 0);
}

static void
stale_generation_is_refused(void **state)
{
	struct fixture *f = *state;
	json_t *doc = doc_of(DOC(VM1));
	struct err e = { 0 };

	assert_int_equal(sw_apply(f->sw, doc, 1, NULL, NULL, &e), 0);
	assert_int_equal(sw_apply(f->sw, doc, 1, NULL, NULL, &e), -EAGAIN);
	assert_int_equal(sw_apply(f->sw, doc, 2, NULL, NULL, &e), 0);
	json_decref(doc);
}

static void
vlan_change_keeps_the_port_open_and_its_number(void **state)
{
	struct fixture *f = *state;
	uint16_t id;

	apply(f, DOC(VM1));
	id = sw_port_id(f->sw, "vm1");
	apply(f, DOC("'vm1':{'type':'vhost-user','tag':10}"));
	assert_int_equal(fake_n_opened, 1);
	assert_int_equal(sw_port_id(f->sw, "vm1"), id);
}

static void
open_time_option_opens_the_port_anew_under_its_number(void **state)
{
	struct fixture *f = *state;
	unsigned done;
	uint16_t id;

	apply(f, DOC(VM1 ",'vm2':{'type':'vhost-user'}"));
	id = sw_port_id(f->sw, "vm1");
	done = n_done;
	assert_int_equal(try_apply(f, DOC("'vm1':{'type':'vhost-user','queues':4},'vm2':{'type':'vhost-user'}"), NULL), 0);
	/* The old one is closed after a grace period; only then the new one can be there. */
	port_is(f, "vm1", false, "being opened again");
	assert_int_equal(fake_port("vm1")->queues, 1);
	grace(f);
	assert_int_equal(fake_port("vm1")->queues, 4);
	assert_int_equal(n_done, done);
	grace(f);
	assert_int_equal(n_done, done + 1);
	assert_int_equal(last_rc, 0);
	assert_int_equal(sw_port_id(f->sw, "vm1"), id);
	port_is(f, "vm1", true, "");
	assert_int_equal(fake_n_opened, 3);
}

static void
reopened_port_that_fails_is_down_with_the_reason_and_tried_again(void **state)
{
	struct fixture *f = *state;

	apply(f, DOC(VM1));
	apply(f, DOC("'vm1':{'type':'vhost-user','fail':'gone'}"));
	assert_int_equal(last_rc, -EIO);
	port_is(f, "vm1", false, "told to fail: gone");
	apply(f, DOC("'vm1':{'type':'vhost-user','fail':'no'}"));
	assert_int_equal(last_rc, 0);
	port_is(f, "vm1", true, "");
}

static void
port_that_fails_at_start_is_down_and_the_rest_works(void **state)
{
	struct fixture *f = *state;
	json_t *doc = doc_of(DOC(VM1 ",'vm2':{'type':'vhost-user','fail':'no device'}"));
	struct err e = { 0 };

	assert_int_equal(sw_load(f->sw, doc, true, &e), 0);
	json_decref(doc);
	grace(f);
	port_is(f, "vm1", true, "");
	port_is(f, "vm2", false, "told to fail: no device");
	/* Came from the store: not written back. */
	assert_null(stored(f));
	apply(f, DOC(VM1));
	assert_int_equal(sw_port_id(f->sw, "vm2"), 0);
}

static void
name_can_be_taken_again_at_once(void **state)
{
	struct fixture *f = *state;
	unsigned done = n_done;

	apply(f, DOC(VM1));
	/* Deleted and added before any polling thread has let go of the old port. */
	assert_int_equal(try_apply(f, DOC(""), NULL), 0);
	assert_int_equal(try_apply(f, DOC("'vm1':{'type':'vhost-user','queues':3}"), NULL), 0);
	for (unsigned i = 0; i < 4; i++)
		grace(f);
	assert_int_equal(n_done, done + 3);
	assert_int_equal(last_rc, 0);
	assert_int_equal(fake_port("vm1")->queues, 3);
	port_is(f, "vm1", true, "");
}

static void
port_moves_to_another_bridge_without_being_closed(void **state)
{
	struct fixture *f = *state;
	uint16_t a, b, id;

	apply(f, "{'bridges':{'br0':{'ports':{" VM1 "}},'br1':{}}}");
	id = sw_port_id(f->sw, "vm1");
	assert_true(sw_bridge_id(f->sw, "br0", &a));
	assert_int_equal(sw_port_bridge(f->sw, id), a);
	apply(f, "{'bridges':{'br1':{'ports':{" VM1 "}}}}");
	assert_true(sw_bridge_id(f->sw, "br1", &b));
	assert_int_equal(sw_port_bridge(f->sw, id), b);
	assert_int_equal(sw_port_id(f->sw, "vm1"), id);
	assert_int_equal(fake_n_opened, 1);
	assert_false(sw_bridge_id(f->sw, "br0", NULL));
}

static unsigned
n_macs(struct fixture *f, const char *bridge)
{
	struct ofp_mac_stats s;
	uint16_t id;

	assert_true(sw_bridge_id(f->sw, bridge, &id));
	ofp_mac_stats(sw_ofp(f->sw), id, &s);
	return s.n;
}

static void
learn(struct fixture *f, const char *port, uint8_t last)
{
	struct xlate_learn l = { .wanted = true, .port = sw_port_id(f->sw, port), .mac = { { 2, 0, 0, 0, 0, last } } };
	const struct dp_conf *c = fake_dp_conf(sw_dp(f->sw));

	l.bridge = sw_port_bridge(f->sw, l.port);
	c->learn(c->arg, &l);
}

static void
refused_tunnel_packets_are_listed_by_name(void **state)
{
	struct dp_refusal r = { .why = DROP_TUN_UNKNOWN_KEY, .n = 7, .key = 5002, .keyed = true, .type = tun_type_find("vxlan"),
				.src = ip_from_v4(be32(0xac100009)), .dst = ip_from_v4(be32(0xac100001)) };
	struct fixture *f = *state;
	const struct dp_conf *c = fake_dp_conf(sw_dp(f->sw));
	json_t *list, *row;

	apply(f, DOC(VM1));
	r.underlay = sw_port_id(f->sw, "vm1");
	c->refused(c->arg, &r);
	/* Some time ago, by a port that is gone. */
	r.port = r.underlay = 1234;
	r.keyed = false;
	r.type = NULL;
	c->refused(c->arg, &r);
	list = sw_refused(f->sw);
	assert_int_equal(json_array_size(list), 2);
	for (unsigned i = 0; i < 2; i++) {
		row = json_array_get(list, i);
		assert_string_equal(json_string_value(json_object_get(row, "reason")), "tun-unknown-key");
		assert_string_equal(json_string_value(json_object_get(row, "remote")), "172.16.0.9");
		assert_int_equal(json_integer_value(json_object_get(row, "packets")), 7);
		if (json_object_get(row, "port"))
			continue;
		assert_int_equal(json_integer_value(json_object_get(row, "key")), 5002);
		assert_string_equal(json_string_value(json_object_get(row, "underlay")), "vm1");
		assert_string_equal(json_string_value(json_object_get(row, "type")), "vxlan");
	}
	json_decref(list);
}

static void
learned_addresses_survive_changes_that_do_not_concern_them(void **state)
{
	struct fixture *f = *state;

	apply(f, DOC(VM1 ",'vm2':{'type':'vhost-user'}"));
	learn(f, "vm1", 1);
	learn(f, "vm2", 2);
	sw_poll(f->sw);
	assert_int_equal(n_macs(f, "br0"), 2);
	apply(f, "{'bridges':{'br0':{'mac-age':60,'ports':{" VM1 ",'vm2':{'type':'vhost-user'},'vm3':{'type':'vhost-user'}}},"
	      "'br1':{}}}");
	assert_int_equal(n_macs(f, "br0"), 2);
	apply(f, DOC(VM1));
	assert_int_equal(n_macs(f, "br0"), 1);
}

/* The port of a row, 0: there is none. */
struct wanted {
	uint16_t vid, port;
	uint8_t last;
	bool is_static;
};

static void
find_row(void *arg, const struct ofp_mac *m)
{
	struct wanted *w = arg;

	if (m->vid == w->vid && m->mac.b[5] == w->last) {
		w->port = m->port;
		w->is_static = m->is_static;
	}
}

static void
row_is(struct fixture *f, const char *bridge, uint16_t vid, uint8_t last, const char *port)
{
	struct wanted w = { .vid = vid, .last = last };
	uint16_t id;

	assert_true(sw_bridge_id(f->sw, bridge, &id));
	ofp_mac_each(sw_ofp(f->sw), id, find_row, &w);
	assert_int_equal(w.port, port ? sw_port_id(f->sw, port) : 0);
	assert_int_equal(w.is_static, port != NULL);
}

#define VM(name, macs) "'" name "':{'type':'vhost-user','static-macs':[" macs "]}"

static void
static_addresses_of_the_document_are_in_the_table(void **state)
{
	struct fixture *f = *state;

	apply(f, DOC(VM("vm1", "'02:00:00:00:00:01','7/02:00:00:00:00:01'") "," VM("vm2", "")));
	row_is(f, "br0", 0, 1, "vm1");
	row_is(f, "br0", 7, 1, "vm1");
	assert_int_equal(n_macs(f, "br0"), 2);
	/* One goes, one moves, one comes; one that was learned elsewhere becomes static. */
	learn(f, "vm1", 9);
	apply(f, DOC(VM("vm1", "") "," VM("vm2", "'7/02:00:00:00:00:01','02:00:00:00:00:09'")));
	row_is(f, "br0", 0, 1, NULL);
	row_is(f, "br0", 7, 1, "vm2");
	row_is(f, "br0", 0, 9, "vm2");
	assert_int_equal(n_macs(f, "br0"), 2);
	assert_int_equal(fake_n_opened, 2);
	refused(f, DOC("'vm2':{'type':'vhost-user','tag':7,'static-macs':['02:00:00:00:00:09']}"),
		"bridges.br0.ports.vm2: static-macs: 02:00:00:00:00:09: the port does not carry VLAN 0");
	row_is(f, "br0", 0, 9, "vm2");
	apply(f, DOC(VM("vm1", "")));
	assert_int_equal(n_macs(f, "br0"), 0);
}

static void
static_addresses_go_with_their_port(void **state)
{
	struct fixture *f = *state;

	apply(f, "{'bridges':{'br0':{'ports':{" VM("vm1", "'02:00:00:00:00:01'") "}},'br1':{}}}");
	apply(f, "{'bridges':{'br0':{},'br1':{'ports':{" VM("vm1", "'02:00:00:00:00:01'") "}}}}");
	assert_int_equal(n_macs(f, "br0"), 0);
	row_is(f, "br1", 0, 1, "vm1");
	/* Another type, and then another way to be opened: a new port, the same addresses. */
	apply(f, "{'bridges':{'br1':{'ports':{'vm1':{'type':'netdev','static-macs':['02:00:00:00:00:01']}}}}}");
	row_is(f, "br1", 0, 1, "vm1");
	apply(f, "{'bridges':{'br1':{'ports':{'vm1':{'type':'netdev','queues':2,'static-macs':['02:00:00:00:00:01']}}}}}");
	row_is(f, "br1", 0, 1, "vm1");
	assert_int_equal(n_macs(f, "br1"), 1);
}

static void
full_table_of_static_addresses_can_be_exchanged_and_cut(void **state)
{
	struct fixture *f = *state;

	apply(f, "{'bridges':{'br0':{'mac-limit':2,'ports':{" VM("vm1", "'02:00:00:00:00:01','02:00:00:00:00:02'") "}}}}");
	apply(f, "{'bridges':{'br0':{'mac-limit':2,'ports':{" VM("vm1", "'02:00:00:00:00:03','02:00:00:00:00:04'") "}}}}");
	row_is(f, "br0", 0, 3, "vm1");
	row_is(f, "br0", 0, 4, "vm1");
	apply(f, "{'bridges':{'br0':{'mac-limit':1,'ports':{" VM("vm1", "'02:00:00:00:00:05'") "}}}}");
	row_is(f, "br0", 0, 5, "vm1");
	apply(f, "{'bridges':{'br0':{'mac-limit':3,'ports':{"
	      VM("vm1", "'02:00:00:00:00:05','02:00:00:00:00:06','02:00:00:00:00:07'") "}}}}");
	assert_int_equal(n_macs(f, "br0"), 3);
}

static void
queues_go_where_the_operator_wants_them(void **state)
{
	struct fixture *f = *state;
	const unsigned *cpu;
	uint16_t id;
	unsigned n;

	apply(f, "{'bridges':{'br0':{'ports':{'vm1':{'type':'vhost-user','rx-cpus':'2,3'}}}}}");
	id = sw_port_id(f->sw, "vm1");
	cpu = fake_dp_pins(sw_dp(f->sw), id, &n);
	assert_int_equal(n, 2);
	assert_int_equal(cpu[0], 2);
	assert_int_equal(cpu[1], 3);
	apply(f, "{'bridges':{'br0':{'ports':{'vm1':{'type':'vhost-user'}}}}}");
	fake_dp_pins(sw_dp(f->sw), id, &n);
	assert_int_equal(n, 0);
}

static void
a_guard_follows_its_port_and_ends_with_it(void **state)
{
	struct fixture *f = *state;
	const struct guard_conf *g;

	apply(f, "{'bridges':{'br0':{'ports':{'vm1':{'type':'vhost-user','rx-rate':'1G','allowed-macs':'02:00:00:00:00:01'}}}}}");
	g = fake_dp_guard(sw_dp(f->sw), sw_port_id(f->sw, "vm1"));
	assert_int_equal(g->rx_bps, 1000000000);
	assert_int_equal(g->macs.n, 1);
	/* Opened anew, with another limit. */
	apply(f, "{'bridges':{'br0':{'ports':{'vm1':{'type':'vhost-user','mode':'server','tx-pps':500}}}}}");
	assert_int_equal(g->rx_bps, 0);
	assert_int_equal(g->tx_pps, 500);
	apply(f, "{'bridges':{'br0':{}}}");
	assert_true(guard_conf_empty(g));
	refused(f, "{'bridges':{'br0':{'ports':{'p0':{'type':'patch','peer':'p1','rx-rate':'1M'}}}}}",
		"bridges.br0.ports.p0: rates and allowed addresses are for ports that a guest or a wire is behind, not for "
		"type patch");
}

static void
difference_of_static_addresses_is_told_one_by_one(void **state)
{
	struct fixture *f = *state;
	json_t *doc = doc_of(DOC(VM("vm1", "'02:00:00:00:00:02','02:00:00:00:00:03'"))), *d, *want;

	apply(f, DOC(VM("vm1", "'02:00:00:00:00:01','02:00:00:00:00:02'")));
	d = sw_diff(f->sw, doc, NULL);
	want = doc_of("[{'op':'del','path':'bridges.br0.ports.vm1.static-macs','old':'02:00:00:00:00:01'},"
		      "{'op':'add','path':'bridges.br0.ports.vm1.static-macs','new':'02:00:00:00:00:03'}]");
	assert_true(json_equal(d, want));
	json_decref(d);
	json_decref(want);
	json_decref(doc);
}

static void
many_learned_addresses_make_one_commit(void **state)
{
	struct fixture *f = *state;
	unsigned before;

	apply(f, DOC(VM1));
	before = fake_dp_commits(sw_dp(f->sw));
	for (uint8_t i = 0; i < 100; i++)
		learn(f, "vm1", i);
	sw_poll(f->sw);
	assert_int_equal(fake_dp_commits(sw_dp(f->sw)), before + 1);
	sw_poll(f->sw);
	assert_int_equal(fake_dp_commits(sw_dp(f->sw)), before + 1);
	assert_int_equal(n_macs(f, "br0"), 100);
}

static void
link_that_goes_down_takes_its_addresses_along(void **state)
{
	struct fixture *f = *state;
	const struct dp_conf *c;

	apply(f, DOC(VM1));
	learn(f, "vm1", 1);
	sw_poll(f->sw);
	fake_port("vm1")->link = (struct port_link){ .reason = "the guest went away" };
	c = fake_dp_conf(sw_dp(f->sw));
	c->port_changed(c->arg, sw_port_id(f->sw, "vm1"));
	sw_poll(f->sw);
	port_is(f, "vm1", false, "the guest went away");
	assert_int_equal(n_macs(f, "br0"), 0);
	/* Nobody reports that it is back: the second's tick sees it. */
	fake_port("vm1")->link = (struct port_link){ .up = true };
	sw_tick(f->sw, 1000);
	port_is(f, "vm1", true, "");
}

static void
patch_ports_are_up_only_as_a_pair(void **state)
{
	struct fixture *f = *state;

	apply(f, "{'bridges':{'br0':{'ports':{'p0':{'type':'patch','peer':'p1'}}},'br1':{}}}");
	port_is(f, "p0", false, "peer p1 does not exist");
	apply(f, "{'bridges':{'br0':{'ports':{'p0':{'type':'patch','peer':'p1'}}},"
	      "'br1':{'ports':{'p1':{'type':'patch','peer':'p0'}}}}}");
	port_is(f, "p0", true, "");
	port_is(f, "p1", true, "");
	apply(f, "{'bridges':{'br0':{'ports':{'p0':{'type':'patch','peer':'p1'}}},"
	      "'br1':{'ports':{'p1':{'type':'patch','peer':'p2'}}}}}");
	port_is(f, "p0", false, "peer p1 leads to p2, not back here");
	port_is(f, "p1", false, "peer p2 does not exist");
	apply(f, "{'bridges':{'br0':{'ports':{'p0':{'type':'patch','peer':'p1'},'p1':{'type':'patch','peer':'p0'}}}}}");
	port_is(f, "p0", false, "peer p1 is on the same bridge");
	apply(f, "{'bridges':{'br0':{'ports':{'p0':{'type':'patch','peer':'p1'},'p1':{'type':'vhost-user'}}}}}");
	port_is(f, "p0", false, "peer p1 is no patch port but of type vhost-user");
}

static void
internal_port_gets_the_address_of_its_bridge(void **state)
{
	struct fixture *f = *state;
	struct mac want;
	uint16_t id;

	apply(f, DOC("'br0':{'type':'internal'}"));
	assert_true(sw_bridge_id(f->sw, "br0", &id));
	assert_true(mac_equal(fake_port("br0")->mac, ofp_bridge_hwaddr(sw_ofp(f->sw), id)));
	apply(f, "{'bridges':{'br0':{'hwaddr':'02:00:00:00:00:07','ports':{'br0':{'type':'internal'}}}}}");
	assert_int_equal(mac_parse("02:00:00:00:00:07", &want), 0);
	assert_true(mac_equal(fake_port("br0")->mac, want));
}

static void
internal_port_keeps_its_address_whatever_comes_beside_it(void **state)
{
	struct fixture *f = *state;
	struct mac first;

	apply(f, DOC("'lan0':{'type':'internal'}"));
	first = fake_port("lan0")->mac;
	assert_false(mac_is_zero(first));
	fake_n_opened = 0;
	apply(f, "{'bridges':{'br0':{'hwaddr':'02:00:00:00:00:07','ports':{'lan0':{'type':'internal'},"
	      "'br0':{'type':'internal'},'x':{'type':'internal','mac':'02:00:00:00:00:09'}}}}}");
	assert_int_equal(fake_n_opened, 2);
	assert_true(mac_equal(fake_port("lan0")->mac, first));
	assert_false(mac_equal(fake_port("br0")->mac, first));
	assert_int_equal(fake_port("x")->mac.b[5], 9);
}

#define VX(name, rest) "'" name "':{'type':'vxlan'," rest "}"

static void
tunnels_reach_the_underlay_and_change_in_place(void **state)
{
	struct fixture *f = *state;
	json_t *state_doc, *p;
	uint16_t id;

	apply(f, DOC(VX("vx0", "'vni':1,'remote':'10.0.0.1,10.0.0.2','tag':5")));
	id = sw_port_id(f->sw, "vx0");
	assert_int_equal(fake_underlay->n, 1);
	assert_int_equal(fake_underlay->t[0].port, id);
	assert_string_equal(fake_underlay->t[0].name, "vx0");
	assert_true(fake_underlay->t[0].drop_inner_vlan);
	apply(f, DOC(VX("vx0", "'vni':2,'remote':'10.0.0.1'")));
	assert_int_equal(fake_underlay->n, 1);
	assert_int_equal(fake_underlay->t[0].conf.key, 2);
	assert_false(fake_underlay->t[0].drop_inner_vlan);
	assert_int_equal(sw_port_id(f->sw, "vx0"), id);
	port_is(f, "vx0", false, "no route");
	p = port_state(f, "vx0", &state_doc);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(p, "tunnel"), "key")), 2);
	json_decref(state_doc);
	refused(f, DOC(VX("vx0", "'vni':2,'remote':'10.0.0.1'") "," VX("vx1", "'vni':2,'remote':'10.0.0.1'")),
		"bridges.br0.ports.vx1: vni 2 twice");
	apply(f, DOC(""));
	assert_int_equal(fake_underlay->n, 0);
}

static void
underlay_opens_a_port_of_its_own_and_a_configured_one_wins(void **state)
{
	struct fixture *f = *state;
	struct underlay_ops *o = &fake_underlay->ops;
	struct underlay_link link;
	struct err e = { 0 };
	json_t *s;
	uint16_t own;

	apply(f, DOC(VM1 ",'lan0':{'type':'internal'}"));
	o->find_link(o->arg, "eth1", &link);
	assert_int_equal(link.kind, UNDERLAY_LINK_NONE);
	assert_int_equal(o->open_link(o->arg, "eth1", &e), 0);
	o->find_link(o->arg, "eth1", &link);
	assert_int_equal(link.kind, UNDERLAY_LINK_DIRECT);
	own = link.port;
	s = sw_state(f->sw);
	assert_int_equal(json_array_size(json_object_get(s, "underlay")), 1);
	json_decref(s);
	assert_int_equal(sw_port_bridge(f->sw, own), 0);

	apply(f, DOC(VM1 ",'lan0':{'type':'internal'},'nic':{'type':'netdev','device':'eth1'}"));
	o->find_link(o->arg, "eth1", &link);
	assert_int_equal(link.port, sw_port_id(f->sw, "nic"));
	o->close_link(o->arg, "eth1");
	sw_poll(f->sw);
	grace(f);
	assert_null(fake_port("eth1"));

	o->find_link(o->arg, "lan0", &link);
	assert_int_equal(link.kind, UNDERLAY_LINK_BRIDGED);
	assert_int_equal(link.port, sw_port_id(f->sw, "lan0"));
	assert_int_equal(link.n_rx, 2);
}

/* How port "p" of the bridge stands to the host's leg: the tag there, and whether it comes without one, too; -1: it does
 * not matter to the leg. */
static int
tag_at(struct fixture *f, const char *leg, const char *p)
{
	struct underlay_ops *o = &fake_underlay->ops;
	struct underlay_link link;
	char doc[512];

	snprintf(doc, sizeof doc, "{'bridges':{'br0':{'ports':{'lan0':{'type':'internal'%s},'nic':{'type':'netdev','device':'eth1'%s}}}}}",
		 leg, p);
	apply(f, doc);
	o->find_link(o->arg, "lan0", &link);
	assert_int_equal(link.kind, UNDERLAY_LINK_BRIDGED);
	if (!link.n_rx)
		return -1;
	return link.rx_vid[0] + (link.rx_vid[0] && link.rx_bare[0] ? 10000 : 0);
}

static void
an_underlay_in_a_vlan_is_heard_with_its_tag(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(tag_at(f, "", ""), 0);
	assert_int_equal(tag_at(f, ",'tag':100", ""), 100);
	assert_int_equal(tag_at(f, ",'tag':100", ",'trunks':'50,100'"), 100);
	assert_int_equal(tag_at(f, ",'tag':100", ",'trunks':'50'"), -1);
	assert_int_equal(tag_at(f, ",'tag':100", ",'tag':100"), 0);
	assert_int_equal(tag_at(f, ",'tag':100", ",'tag':101"), -1);
	assert_int_equal(tag_at(f, ",'tag':100", ",'tag':100,'vlan-mode':'native-untagged'"), 10100);
	assert_int_equal(tag_at(f, ",'tag':100", ",'tag':5,'vlan-mode':'native-untagged'"), 100);
	/* What the leg sends without a tag has none on a trunk, and is in no VLAN of an access port. */
	assert_int_equal(tag_at(f, "", ",'tag':100"), -1);
	assert_int_equal(tag_at(f, "", ",'tag':100,'vlan-mode':'native-untagged'"), -1);
	assert_int_equal(tag_at(f, ",'tag':100,'vlan-mode':'native-untagged'", ""), 100);
}

static void
names_of_what_is_not_there_are_still_text(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(sw_port_name(f->sw, 7), "port 7");
	assert_string_equal(sw_port_name(f->sw, 60000), "port 60000");
	assert_string_equal(sw_bridge_name(f->sw, 3), "bridge 3");
	assert_int_equal(sw_port_id(f->sw, "x"), 0);
}

static void
random_documents_one_after_the_other_leave_what_the_last_one_says(void **state)
{
	static const char *const rest[] = { "", ",\"queues\":2", ",\"tag\":7", ",\"mode\":\"server\",\"tag\":9" };
	static const char *const types[] = { "vhost-user", "netdev", "internal" };
	struct fixture *f = *state;
	unsigned seed = 1;

	for (unsigned round = 0; round < 300; round++) {
		json_t *doc = json_object(), *bridges = json_object();
		struct err e = { 0 };

		for (unsigned b = 0; b < 3; b++) {
			char name[8];

			snprintf(name, sizeof name, "br%u", b);
			if (rand_r(&seed) % 4)
				json_object_set_new(bridges, name, json_pack("{s:{}}", "ports"));
		}
		for (unsigned p = 0; p < 6; p++) {
			char text[96], port[8], br[8];
			json_t *b;

			snprintf(br, sizeof br, "br%u", rand_r(&seed) % 3);
			snprintf(port, sizeof port, "p%u", p);
			snprintf(text, sizeof text, "{\"type\":\"%s\"%s}", types[rand_r(&seed) % 3], rest[rand_r(&seed) % 4]);
			b = json_object_get(bridges, br);
			if (b)
				json_object_set_new(json_object_get(b, "ports"), port, json_loads(text, 0, NULL));
		}
		json_object_set_new(doc, "bridges", bridges);
		assert_int_equal(sw_apply(f->sw, doc, 0, NULL, NULL, &e), 0);
		json_decref(doc);
		if (rand_r(&seed) % 2)
			grace(f);
		if (rand_r(&seed) % 8 == 0)
			sw_tick(f->sw, round * 1000);
	}
	for (unsigned i = 0; i < 3; i++)
		grace(f);

	json_t *s = sw_state(f->sw), *b, *p;
	unsigned open = 0, want = 0;
	size_t i, j;

	json_array_foreach(json_object_get(s, "bridges"), i, b)
		json_array_foreach(json_object_get(b, "ports"), j, p) {
			assert_true(json_is_true(json_object_get(p, "up")));
			assert_non_null(fake_port(json_string_value(json_object_get(p, "name"))));
			want++;
		}
	for (i = 0; i < FAKE_PORTS_MAX; i++)
		open += fake_ports[i].open;
	assert_int_equal(open, want);
	json_decref(s);
}

static void
destruction_in_the_middle_of_a_change_answers_it(void **state)
{
	struct fixture *f = *state;
	const struct dp_conf dc = { .n_lcores = 1 };
	unsigned done;

	apply(f, DOC(VM1));
	done = n_done;
	assert_int_equal(try_apply(f, DOC("'vm1':{'type':'vhost-user','queues':2}"), NULL), 0);
	sw_destroy(f->sw);
	assert_int_equal(n_done, done + 1);
	f->sw = sw_create(&dc, NULL, f->store, NULL, NULL);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(document_is_opened_stored_and_answered_when_effective),
		T(same_document_again_changes_nothing_and_is_answered),
		T(port_that_cannot_be_opened_refuses_the_whole_document),
		T(document_that_cannot_be_stored_is_refused_before_anything_changes),
		T(stale_generation_is_refused),
		T(vlan_change_keeps_the_port_open_and_its_number),
		T(open_time_option_opens_the_port_anew_under_its_number),
		T(reopened_port_that_fails_is_down_with_the_reason_and_tried_again),
		T(port_that_fails_at_start_is_down_and_the_rest_works),
		T(name_can_be_taken_again_at_once),
		T(port_moves_to_another_bridge_without_being_closed),
		T(refused_tunnel_packets_are_listed_by_name),
		T(learned_addresses_survive_changes_that_do_not_concern_them),
		T(static_addresses_of_the_document_are_in_the_table),
		T(static_addresses_go_with_their_port),
		T(full_table_of_static_addresses_can_be_exchanged_and_cut),
		T(queues_go_where_the_operator_wants_them),
		T(a_guard_follows_its_port_and_ends_with_it),
		T(difference_of_static_addresses_is_told_one_by_one),
		T(many_learned_addresses_make_one_commit),
		T(link_that_goes_down_takes_its_addresses_along),
		T(patch_ports_are_up_only_as_a_pair),
		T(internal_port_gets_the_address_of_its_bridge),
		T(internal_port_keeps_its_address_whatever_comes_beside_it),
		T(tunnels_reach_the_underlay_and_change_in_place),
		T(underlay_opens_a_port_of_its_own_and_a_configured_one_wins),
		T(an_underlay_in_a_vlan_is_heard_with_its_tag),
		T(names_of_what_is_not_there_are_still_text),
		T(random_documents_one_after_the_other_leave_what_the_last_one_says),
		T(destruction_in_the_middle_of_a_change_answers_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
