/* SPDX-License-Identifier: Apache-2.0 */
/* Documents: what is refused and in which words, the canonical form, differences. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "ctl/conf.h"

/* JSON in the spelling of a test: ' for ". */
static json_t *
doc_of(const char *text)
{
	char *s = xstrdup(text);
	json_error_t je;
	json_t *doc;

	for (char *p = s; *p; p++)
		if (*p == '\'')
			*p = '"';
	doc = json_loads(s, JSON_REJECT_DUPLICATES, &je);
	if (!doc)
		print_message("%s: %s\n", s, je.text);
	assert_non_null(doc);
	free(s);
	return doc;
}

static struct conf *
accept(const char *text)
{
	json_t *doc = doc_of(text);
	struct err e = { 0 };
	struct conf *c = conf_create(doc, &e);

	if (!c)
		print_message("refused: %s\n", e.msg);
	assert_non_null(c);
	json_decref(doc);
	return c;
}

/* A sentence that ends with a list of types, with those of tunnels appended. */
static const char *
with_types(const char *head)
{
	static char text[400];

	str_copy(text, sizeof text, head);
	for (unsigned i = 0; tun_types[i]; i++) {
		strncat(text, ", ", sizeof text - strlen(text) - 1);
		strncat(text, tun_types[i]->name, sizeof text - strlen(text) - 1);
	}
	return text;
}

static void
refuse(const char *text, int code, const char *msg)
{
	json_t *doc = doc_of(text);
	struct err e = { 0 };

	assert_null(conf_create(doc, &e));
	assert_string_equal(e.msg, msg);
	assert_int_equal(e.code, code);
	json_decref(doc);
}

static void
canonical_is(const char *text, const char *want)
{
	struct conf *c = accept(text);
	json_t *w = doc_of(want);
	char *a = json_dumps(c->doc, 0), *b = json_dumps(w, 0);

	/* Text, not json_equal(): the order of keys counts as well. */
	assert_string_equal(a, b);
	free(a);
	free(b);
	json_decref(w);
	conf_destroy(c);
}

static void
empty_document_is_a_switch_without_bridges(void **state)
{
	struct conf *c = accept("{}");

	(void)state;
	assert_int_equal(c->n_bridges, 0);
	assert_int_equal(c->dp.mbufs, 32768);
	assert_string_equal(c->dp.isa, "auto");
	conf_destroy(c);
	canonical_is("{}", "{'bridges':{},'version':1}");
}

static void
document_becomes_typed_structures(void **state)
{
	struct conf *c = accept("{'version':1,'bridges':{'br0':{'mac-age':60,'ports':{"
				"'vx0':{'type':'vxlan','vni':5000,'remote':['172.16.0.2','172.16.0.3']},"
				"'vm1':{'type':'vhost-user','tag':10,'mode':'server'}}}}}");
	const struct conf_port *vm1 = conf_port(c, "vm1"), *vx0 = conf_port(c, "vx0");
	const struct tun_conf *tc = vx0->opts;

	(void)state;
	assert_int_equal(conf_bridge(c, "br0")->ofp.mac_age, 60);
	assert_int_equal(conf_bridge(c, "br0")->n_ports, 2);
	assert_null(conf_bridge(c, "br1"));
	assert_ptr_equal(vm1, &c->bridges[0].ports[0]);
	assert_string_equal(conf_port_type_name(vm1), "vhost-user");
	assert_int_equal(vm1->ofp.vlan_mode, OFP_VLAN_ACCESS);
	assert_int_equal(vm1->ofp.tag, 10);
	assert_true(vm1->ofp.learning);
	assert_string_equal(conf_port_type_name(vx0), "vxlan");
	assert_int_equal(tc->key, 5000);
	assert_int_equal(tc->remote.n, 2);
	assert_int_equal(tc->ttl, 64);
	assert_string_equal(vx0->bridge->name, "br0");
	conf_destroy(c);
}

static void
unknown_words_name_the_nearest(void **state)
{
	(void)state;
	refuse("{'bridgs':{}}", ENOENT, "unknown member 'bridgs': did you mean 'bridges'?");
	refuse("{'bridges':{'br0':{'mac-aeg':1}}}", ENOENT,
	       "bridges.br0: unknown option 'mac-aeg': did you mean 'mac-age'?");
	refuse("{'bridges':{'br0':{'prots':{}}}}", ENOENT, "bridges.br0: unknown option 'prots': did you mean 'ports'?");
	refuse("{'bridges':{'br0':{'ports':{'vm1':{'type':'vhost-user','tagg':1}}}}}", ENOENT,
	       "bridges.br0.ports.vm1: unknown option 'tagg': did you mean 'tag'?");
	refuse("{'bridges':{'br0':{'ports':{'vm1':{'type':'vhost-user','mode':'sever'}}}}}", EINVAL,
	       "bridges.br0.ports.vm1: mode: unknown value 'sever': did you mean 'server'?");
	refuse("{'bridges':{'br0':{'ports':{'vm1':{'type':'vxlna'}}}}}", ENOENT,
	       "bridges.br0.ports.vm1: unknown type 'vxlna': did you mean 'vxlan'?");
	refuse("{'datapath':{'mbuf':4096}}", ENOENT, "datapath: unknown option 'mbuf': did you mean 'mbufs'?");
	refuse("{'bridges':{'br0':{'ports':{'t':{'type':'gre','vni':5,'remote':'10.0.0.1'}}}}}", ENOENT,
	       "bridges.br0.ports.t: unknown option 'vni': of a gre tunnel it is 'key'");
	refuse("{'bridges':{'br0':{'ports':{'t':{'type':'geneve','key':5,'remote':'10.0.0.1'}}}}}", ENOENT,
	       "bridges.br0.ports.t: unknown option 'key': of a geneve tunnel it is 'vni'");
}

static void
unknown_type_far_from_all_is_answered_with_the_list(void **state)
{
	struct err e = { 0 };
	json_t *doc = json_loads("{\"bridges\":{\"br0\":{\"ports\":{\"t\":{\"type\":\"gretap\"}}}}}", 0, NULL);

	(void)state;
	assert_null(conf_create(doc, &e));
	assert_non_null(strstr(e.msg, "unknown type 'gretap': one of "));
	assert_non_null(strstr(e.msg, " gre, "));
	json_decref(doc);
}

#define STATIC(vm1, vm2, rest) \
	"{'bridges':{'br0':{'ports':{'vm1':{'type':'vhost-user','static-macs':" vm1 "},'vm2':{'type':'vhost-user'," \
	"'static-macs':" vm2 "}}" rest "}}}"

static void
static_addresses_are_checked(void **state)
{
	(void)state;
	refuse(STATIC("['02:00:00:00:00']", "[]", ""), EINVAL, "bridges.br0.ports.vm1: static-macs: '02:00:00:00:00' is no "
	       "address such as 52:54:00:00:00:01 or, in VLAN 10, 10/52:54:00:00:00:01");
	refuse(STATIC("['4095/02:00:00:00:00:01']", "[]", ""), EINVAL,
	       "bridges.br0.ports.vm1: static-macs: '4095/02:00:00:00:00:01': the VLAN must be 0 to 4094");
	refuse(STATIC("['/02:00:00:00:00:01']", "[]", ""), EINVAL,
	       "bridges.br0.ports.vm1: static-macs: '/02:00:00:00:00:01': the VLAN must be 0 to 4094");
	refuse(STATIC("['-1/02:00:00:00:00:01']", "[]", ""), EINVAL,
	       "bridges.br0.ports.vm1: static-macs: '-1/02:00:00:00:00:01': the VLAN must be 0 to 4094");
	refuse(STATIC("['03:00:00:00:00:01']", "[]", ""), EINVAL,
	       "bridges.br0.ports.vm1: static-macs: 03:00:00:00:00:01 is not the address of a station");
	refuse(STATIC("[7]", "[]", ""), EINVAL, "bridges.br0.ports.vm1: static-macs: an address is a text");
	refuse(STATIC("{}", "[]", ""), EINVAL, "bridges.br0.ports.vm1: static-macs: a list of addresses is needed");
	refuse(STATIC("['0/02:00:00:00:00:01','02:00:00:00:00:01']", "[]", ""), EEXIST,
	       "bridges.br0.ports.vm1: static-macs: 02:00:00:00:00:01 is there twice");
	refuse(STATIC("['5/02:00:00:00:00:0a']", "['5/02:00:00:00:00:0A']", ""), EEXIST,
	       "bridges.br0.ports.vm2: static-macs: 5/02:00:00:00:00:0a is a static address of port vm1");
	refuse(STATIC("['02:00:00:00:00:01']", "['02:00:00:00:00:02']", ",'mac-limit':1"), ENOSPC,
	       "bridges.br0: 2 static addresses are more than its mac-limit, 1");
	refuse("{'bridges':{'br0':{'ports':{'vm1':{'type':'vhost-user','tag':7,'static-macs':['02:00:00:00:00:01']}}}}}",
	       EINVAL, "bridges.br0.ports.vm1: static-macs: 02:00:00:00:00:01: the port does not carry VLAN 0");
	refuse("{'bridges':{'br0':{'ports':{'vm1':{'type':'vhost-user','static-mac':[]}}}}}", ENOENT,
	       "bridges.br0.ports.vm1: unknown option 'static-mac': did you mean 'static-macs'?");
}

static void
static_addresses_have_a_canonical_form(void **state)
{
	(void)state;
	canonical_is("{'bridges':{'br0':{'ports':{'vm1':{'type':'vhost-user','static-macs':"
		     "['10/02:00:00:00:00:0B','9/02:00:00:00:00:01','0/02:00:00:00:00:0c','10/02:00:00:00:00:0a']},"
		     "'vm2':{'type':'vhost-user','static-macs':'7/02:00:00:00:00:01,02:00:00:00:00:01'},"
		     "'vm3':{'type':'vhost-user','static-macs':[]}}}}}",
		     "{'bridges':{'br0':{'ports':{'vm1':{'static-macs':['02:00:00:00:00:0c','9/02:00:00:00:00:01',"
		     "'10/02:00:00:00:00:0a','10/02:00:00:00:00:0b'],'type':'vhost-user'},"
		     "'vm2':{'static-macs':['02:00:00:00:00:01','7/02:00:00:00:00:01'],'type':'vhost-user'},"
		     "'vm3':{'type':'vhost-user'}}}},'version':1}");
}

static void
missing_things_are_named(void **state)
{
	(void)state;
	refuse("{'bridges':{'br0':{'ports':{'vm1':{}}}}}", EINVAL,
	       with_types("bridges.br0.ports.vm1: 'type' is missing: one of vhost-user, internal, netdev, patch"));
	refuse("{'bridges':{'br0':{'ports':{'vx':{'type':'vxlan','remote':'1.2.3.4'}}}}}", EINVAL,
	       "bridges.br0.ports.vx: 'vni' is missing: virtual network identifier, the same on both ends, for example vni=5000");
	refuse("{'bridges':{'br0':{'ports':{'vm1':{'type':'vhost-user','vlan-mode':'access'}}}}}", EINVAL,
	       "bridges.br0.ports.vm1: vlan-mode=access needs tag, for example tag=10");
}

static void
wrong_values_and_kinds_are_refused(void **state)
{
	(void)state;
	refuse("{'version':2}", EINVAL, "version: this weftd knows documents of version 1 only");
	refuse("[]", EINVAL, "a document is an object: { \"version\": 1, ... }");
	refuse("{'bridges':[]}", EINVAL, "bridges: must be an object of bridges by name");
	refuse("{'bridges':{'br0':7}}", EINVAL, "bridges.br0: a bridge is an object: { \"ports\": { ... } }");
	refuse("{'bridges':{'br0':{'ports':{'vm1':null}}}}", EINVAL,
	       "bridges.br0.ports.vm1: a port is an object: { \"type\": ... }");
	refuse("{'bridges':{'br0':{'mac-age':1.5}}}", EINVAL,
	       "bridges.br0: mac-age: a text, number, boolean or list of those is needed");
	refuse("{'bridges':{'br0':{'mac-age':{}}}}", EINVAL,
	       "bridges.br0: mac-age: a text, number, boolean or list of those is needed");
	refuse("{'bridges':{'br0':{'mac-age':-1}}}", EINVAL, "bridges.br0: mac-age: '-1' is not a number");
	refuse("{'bridges':{'br0':{'mac-age':5}}}", ERANGE, "bridges.br0: mac-age: 5 is out of range: 15 to 3600");
	refuse("{'bridges':{'br0':{'ports':{'vm1':{'type':3}}}}}", EINVAL,
	       with_types("bridges.br0.ports.vm1: type: must be a text, one of vhost-user, internal, netdev, patch"));
}

static void
instruction_set_must_be_one_that_weftd_would_start_with(void **state)
{
	json_t *doc = doc_of("{'datapath':{'isa':'x86-64-v9'}}");
	struct err e = { 0 };

	(void)state;
	assert_null(conf_create(doc, &e));
	assert_int_equal(e.code, EINVAL);
	/* What follows depends on the CPU. */
	assert_non_null(strstr(e.msg, "datapath: isa: 'x86-64-v9' is unknown or not for this CPU: one of auto, x86-64-v"));
	json_decref(doc);
	conf_destroy(accept("{'datapath':{'isa':'auto'}}"));
	conf_destroy(accept("{'datapath':{'isa':'x86-64-v2'}}"));
}

static void
kernel_interface_belongs_to_one_port(void **state)
{
	(void)state;
	refuse("{'bridges':{'br0':{'ports':{'lan0':{'type':'internal'},'nic':{'type':'netdev','device':'lan0'}}}}}", EINVAL,
	       "bridges.br0.ports.nic: lan0 is the interface of internal port lan0 of this switch: frames would loop");
	/* In whatever order they stand, and on different bridges. */
	refuse("{'bridges':{'br0':{'ports':{'a':{'type':'netdev','device':'lan0'}}},"
	       "'br1':{'ports':{'lan0':{'type':'internal'}}}}}", EINVAL,
	       "bridges.br0.ports.a: lan0 is the interface of internal port lan0 of this switch: frames would loop");
	refuse("{'bridges':{'br0':{'ports':{'a':{'type':'netdev','device':'eth1'}}},"
	       "'br1':{'ports':{'b':{'type':'netdev','device':'eth1'}}}}}", EEXIST,
	       "bridges.br1.ports.b: interface eth1 is used by port a");
	/* Without 'device' the name is the device. */
	refuse("{'bridges':{'br0':{'ports':{'eth1':{'type':'netdev'},'nic':{'type':'netdev','device':'eth1'}}}}}", EEXIST,
	       "bridges.br0.ports.nic: interface eth1 is used by port eth1");
	conf_destroy(accept("{'bridges':{'br0':{'ports':{'lan0':{'type':'internal'},'eth1':{'type':'netdev'},"
			    "'nic':{'type':'netdev','device':'eth2'},'eth2':{'type':'vhost-user'}}}}}"));
}

static void
names_are_checked(void **state)
{
	(void)state;
	refuse("{'bridges':{'br 0':{}}}", EINVAL, "bridges: 'br 0' is no bridge name: 1 to 31 characters of "
	       "A-Z a-z 0-9 _ . - that do not start with . or -");
	refuse("{'bridges':{'':{}}}", EINVAL, "bridges: '' is no bridge name: 1 to 31 characters of "
	       "A-Z a-z 0-9 _ . - that do not start with . or -");
	refuse("{'bridges':{'br0':{'ports':{'../x':{'type':'internal'}}}}}", EINVAL, "bridges.br0.ports: '../x' is no "
	       "port name: 1 to 31 characters of A-Z a-z 0-9 _ . - that do not start with . or -");
	refuse("{'bridges':{'br0':{'ports':{'sixteen-letters-':{'type':'internal'}}}}}", EINVAL,
	       "bridges.br0.ports.sixteen-letters-: the name is too long: a port of type internal becomes a kernel "
	       "interface, with at most 15 characters");
	conf_destroy(accept("{'bridges':{'br0':{'ports':{'sixteen-letters-':{'type':'vhost-user'}}}}}"));
	refuse("{'bridges':{'br0':{'ports':{'a':{'type':'vhost-user'}}},'br1':{'ports':{'a':{'type':'vhost-user'}}}}}",
	       EEXIST, "bridges.br1.ports.a: bridge br0 has a port of this name");
}

static void
canonical_form_is_sorted_typed_and_without_defaults(void **state)
{
	(void)state;
	canonical_is("{'bridges':{'b':{'ports':{'z':{'type':'vhost-user','queues':'2','protected':'yes','learning':true},"
		     "'a':{'type':'vhost-user','mode':'client','tag':'0x0a'}},'mac-age':'300'}},"
		     "'datapath':{'mbufs':32768}}",
		     "{'bridges':{'b':{'ports':{'a':{'tag':10,'type':'vhost-user'},"
		     "'z':{'protected':true,'queues':2,'type':'vhost-user'}}}},'version':1}");
	canonical_is("{'bridges':{'b':{'ports':{'x':{'type':'vxlan','vni':'1','remote':'10.0.0.1,10.0.0.2','ttl':'256'},"
		     "'t':{'type':'vhost-user','trunks':'10,11,12,20'}}}}}",
		     "{'bridges':{'b':{'ports':{'t':{'trunks':['10-12',20],'type':'vhost-user'},"
		     "'x':{'remote':['10.0.0.1','10.0.0.2'],'ttl':'inherit','type':'vxlan','vni':1}}}},'version':1}");
}

static void
vlan_mode_is_written_only_where_it_does_not_follow(void **state)
{
	(void)state;
	canonical_is("{'bridges':{'b':{'ports':{'a':{'type':'vhost-user','vlan-mode':'access','tag':7},"
		     "'n':{'type':'vhost-user','vlan-mode':'native-untagged','tag':7}}}}}",
		     "{'bridges':{'b':{'ports':{'a':{'tag':7,'type':'vhost-user'},"
		     "'n':{'tag':7,'type':'vhost-user','vlan-mode':'native-untagged'}}}},'version':1}");
}

static void
canonical_form_of_a_canonical_document_is_itself(void **state)
{
	struct conf *a = accept("{'bridges':{'b':{'forward-reserved':1,'ports':{'x':{'type':'vxlan','vni':1,"
				"'remote':['fd00::1'],'tos':'0xb8','df':false},'t':{'type':'vhost-user','trunks':[1,'5-9']}}}},"
				"'datapath':{'poll':'always'}}");
	struct err e = { 0 };
	struct conf *b = conf_create(a->doc, &e);

	(void)state;
	assert_non_null(b);
	assert_true(json_equal(a->doc, b->doc));
	conf_destroy(a);
	conf_destroy(b);
}

static void
diff_is(const char *old, const char *new, const char *want)
{
	struct conf *a = accept(old), *b = accept(new);
	json_t *w = doc_of(want), *d = conf_diff(a->doc, b->doc);

	if (!json_equal(d, w)) {
		char *s = json_dumps(d, 0);

		print_message("%s\n", s);
		free(s);
	}
	assert_true(json_equal(d, w));
	json_decref(d);
	json_decref(w);
	conf_destroy(a);
	conf_destroy(b);
}

static void
difference_names_what_changes_and_what_it_costs(void **state)
{
	const char *base = "{'bridges':{'br0':{'ports':{'vm1':{'type':'vhost-user','tag':1}}}}}";

	(void)state;
	diff_is(base, "{'bridges':{'br0':{'ports':{'vm1':{'tag':'1','type':'vhost-user','mode':'client'}}}}}", "[]");
	diff_is(base, "{'bridges':{'br0':{'ports':{'vm1':{'type':'vhost-user','tag':2,'queues':2}}}}}",
		"[{'op':'set','path':'bridges.br0.ports.vm1.tag','old':1,'new':2},"
		"{'op':'add','path':'bridges.br0.ports.vm1.queues','new':2,'note':'the port is closed and opened again'}]");
	diff_is(base, "{'bridges':{'br0':{'mac-age':60}}}",
		"[{'op':'add','path':'bridges.br0.mac-age','new':60},"
		"{'op':'del','path':'bridges.br0.ports.vm1','old':{'tag':1,'type':'vhost-user'}}]");
	diff_is(base, "{'bridges':{'br1':{'mac-age':60,'ports':{'vm2':{'type':'vhost-user'}}}},'datapath':{'mbufs':4096}}",
		"[{'op':'add','path':'datapath.mbufs','new':4096,'note':'takes effect at restart'},"
		"{'op':'del','path':'bridges.br0.ports.vm1','old':{'tag':1,'type':'vhost-user'}},"
		"{'op':'del','path':'bridges.br0','old':{}},"
		"{'op':'add','path':'bridges.br1','new':{'mac-age':60}},"
		"{'op':'add','path':'bridges.br1.ports.vm2','new':{'type':'vhost-user'}}]");
}

static void
only_options_of_the_type_take_a_new_port(void **state)
{
	struct conf *a = accept("{'bridges':{'b':{'ports':{'p':{'type':'vhost-user'},"
				"'x':{'type':'vxlan','vni':1,'remote':'1.2.3.4'}}}}}");
	struct conf *b = accept("{'bridges':{'b':{'ports':{'p':{'type':'vhost-user','tag':5},"
				"'x':{'type':'vxlan','vni':2,'remote':'1.2.3.4'}}}}}");
	struct conf *c = accept("{'bridges':{'b':{'ports':{'p':{'type':'vhost-user','mode':'server'},"
				"'x':{'type':'vhost-user'}}}}}");

	(void)state;
	assert_false(conf_port_must_reopen(conf_port(a, "p"), conf_port(b, "p")));
	assert_false(conf_port_must_reopen(conf_port(a, "x"), conf_port(b, "x")));
	assert_true(conf_port_must_reopen(conf_port(a, "p"), conf_port(c, "p")));
	assert_true(conf_port_must_reopen(conf_port(a, "x"), conf_port(c, "x")));
	conf_destroy(a);
	conf_destroy(b);
	conf_destroy(c);
}

static void
refusal_without_anyone_to_tell_is_still_a_refusal(void **state)
{
	json_t *doc = doc_of("{'bridges':{'br0':{'ports':{'x':{'type':'nonsense'}}}}}");

	(void)state;
	assert_null(conf_create(doc, NULL));
	json_decref(doc);
}

static void
endless_values_are_refused(void **state)
{
	json_t *doc = doc_of("{'bridges':{'br0':{'ports':{'x':{'type':'vhost-user'}}}}}");
	json_t *x = json_object_get(json_object_get(json_object_get(json_object_get(
		json_object_get(doc, "bridges"), "br0"), "ports"), "x"), "type"), *list = json_array();
	json_t *port = json_object_get(json_object_get(json_object_get(json_object_get(doc, "bridges"), "br0"), "ports"), "x");
	char *big = xcalloc(1, 1 << 20);
	struct err e = { 0 };

	(void)state;
	assert_non_null(x);
	memset(big, 'a', (1 << 20) - 1);
	json_object_set_new(port, "path", json_string(big));
	assert_null(conf_create(doc, &e));
	for (unsigned i = 0; i < 100000; i++)
		json_array_append_new(list, json_integer(i));
	json_object_set_new(port, "path", list);
	assert_null(conf_create(doc, &e));
	json_object_set_new(port, big, json_integer(1));
	json_object_del(port, "path");
	assert_null(conf_create(doc, &e));
	free(big);
	json_decref(doc);
}

/* --- OpenFlow ---------------------------------------------------------------------------------- */

static void
openflow_settings_are_kept_without_their_defaults(void **state)
{
	(void)state;
	canonical_is("{'bridges':{'br0':{'controllers':'tcp:127.0.0.1:6653,ptcp:6634','fail-mode':'standalone',"
		     "'protocols':['OpenFlow13','OpenFlow10'],'inactivity-probe':'5000','max-backoff':2000,"
		     "'datapath-id':'00000000000000A1','hw-desc':'Open vSwitch','mfr-desc':'Nicira, Inc.'}}}",
		     "{'bridges':{'br0':{'controllers':['tcp:127.0.0.1:6653','ptcp:6634'],'datapath-id':'00000000000000a1',"
		     "'hw-desc':'Open vSwitch','max-backoff':2000,'mfr-desc':'Nicira, Inc.','ports':{},"
		     "'protocols':['OpenFlow13','OpenFlow10']}},'version':1}");
}

static void
openflow_settings_that_make_no_sense_are_refused(void **state)
{
	(void)state;
	refuse("{'bridges':{'br0':{'controllers':['udp:1.2.3.4']}}}", EINVAL,
	       "bridges.br0: controllers: 'udp:1.2.3.4' is no target such as tcp:127.0.0.1:6653");
	refuse("{'bridges':{'br0':{'fail-mode':'secured'}}}", EINVAL,
	       "bridges.br0: fail-mode: unknown value 'secured': did you mean 'secure'?");
	refuse("{'bridges':{'br0':{'protocols':['OpenFlow9']}}}", EINVAL,
	       "bridges.br0: protocols: unknown value 'OpenFlow9': did you mean 'OpenFlow10'?");
	refuse("{'bridges':{'br0':{'datapath-id':'a1'}}}", EINVAL,
	       "bridges.br0: datapath-id: 'a1': 16 hexadecimal digits are needed");
	refuse("{'bridges':{'br0':{'datapath-id':'0000000000000000'}}}", EINVAL,
	       "bridges.br0: datapath-id: all zeroes and all ones mean none");
	refuse("{'bridges':{'br0':{'private-key':'/k'}}}", EINVAL,
	       "bridges.br0: private-key and certificate belong together: certificate is missing");
	refuse("{'bridges':{'br0':{'ca-cert':'ca.pem'}}}", EINVAL,
	       "bridges.br0: ca-cert: 'ca.pem': a whole path is needed, from / on");
	refuse("{'bridges':{'br0':{'ca-cert':'/a','bootstrap-ca-cert':'/b'}}}", EINVAL,
	       "bridges.br0: ca-cert and bootstrap-ca-cert exclude each other");
	refuse("{'bridges':{'br0':{'controllers':['ssl:h']}}}", EINVAL,
	       "bridges.br0: controllers: ssl:h: needs ca-cert (or bootstrap-ca-cert), to know who is there");
	refuse("{'bridges':{'br0':{'controllers':['pssl:'],'ca-cert':'/a'}}}", EINVAL,
	       "bridges.br0: controllers: pssl:: needs private-key and certificate");
	refuse("{'bridges':{'a':{'datapath-id':'00000000000000a1'},'b':{'datapath-id':'00000000000000A1'}}}", EEXIST,
	       "bridges.b: datapath-id: 00000000000000a1 is that of bridge a as well");
	refuse("{'bridges':{'a':{'datapath-id':'0000020000000001'},'b':{'hwaddr':'02:00:00:00:00:01'}}}", EEXIST,
	       "bridges.b: datapath-id: 0000020000000001 is that of bridge a as well");
}

static void
the_agent_gets_what_the_document_says(void **state)
{
	struct conf *c = accept("{'bridges':{'br0':{'controllers':['tcp:h:1','ptcp:'],'protocols':['OpenFlow10','OpenFlow13'],"
				"'fail-mode':'secure','inactivity-probe':0,'hw-desc':'Open vSwitch',"
				"'hwaddr':'02:00:00:00:00:0a'},'br1':{}}}");
	struct of_agent_conf a;

	(void)state;
	conf_of_agent(&c->bridges[0], "/run/x", &a);
	assert_string_equal(a.name, "br0");
	assert_string_equal(a.run_dir, "/run/x");
	assert_int_equal(a.n_controllers, 2);
	assert_string_equal(a.controllers[0], "tcp:h:1");
	assert_string_equal(a.controllers[1], "ptcp:");
	assert_int_equal(a.versions, 1 << OF10 | 1 << OF13);
	assert_int_equal(a.fail_mode, OF_FAIL_SECURE);
	assert_int_equal(a.probe_ms, 0);
	assert_int_equal(a.max_backoff_ms, 8000);
	assert_int_equal(a.datapath_id, 0x02000000000a);
	assert_string_equal(a.hw_desc, "Open vSwitch");
	assert_null(a.mfr_desc);
	assert_null(a.ca_cert);
	conf_of_agent(&c->bridges[1], "/run/x", &a);
	assert_int_equal(a.versions, 0);
	assert_int_equal(a.n_controllers, 0);
	assert_int_equal(a.datapath_id, mac_u64(ofp_hwaddr_make("br1")));
	assert_int_equal(a.datapath_id, conf_datapath_id(conf_bridge(c, "br1")));
	conf_destroy(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_document_is_a_switch_without_bridges),
		cmocka_unit_test(document_becomes_typed_structures),
		cmocka_unit_test(unknown_words_name_the_nearest),
		cmocka_unit_test(unknown_type_far_from_all_is_answered_with_the_list),
		cmocka_unit_test(static_addresses_are_checked),
		cmocka_unit_test(static_addresses_have_a_canonical_form),
		cmocka_unit_test(missing_things_are_named),
		cmocka_unit_test(wrong_values_and_kinds_are_refused),
		cmocka_unit_test(instruction_set_must_be_one_that_weftd_would_start_with),
		cmocka_unit_test(kernel_interface_belongs_to_one_port),
		cmocka_unit_test(names_are_checked),
		cmocka_unit_test(canonical_form_is_sorted_typed_and_without_defaults),
		cmocka_unit_test(vlan_mode_is_written_only_where_it_does_not_follow),
		cmocka_unit_test(canonical_form_of_a_canonical_document_is_itself),
		cmocka_unit_test(difference_names_what_changes_and_what_it_costs),
		cmocka_unit_test(only_options_of_the_type_take_a_new_port),
		cmocka_unit_test(refusal_without_anyone_to_tell_is_still_a_refusal),
		cmocka_unit_test(endless_values_are_refused),
		cmocka_unit_test(openflow_settings_are_kept_without_their_defaults),
		cmocka_unit_test(openflow_settings_that_make_no_sense_are_refused),
		cmocka_unit_test(the_agent_gets_what_the_document_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
