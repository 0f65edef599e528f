/* SPDX-License-Identifier: Apache-2.0 */
/* VLAN modes against the table that the manual of OVS describes. */
#include "tests/ofproto/sim.h"

#include "ofproto/vlan.h"

static struct vlan_rules
rules(struct ofp_port_conf *c, const char *opts)
{
	*c = sim_port_conf(opts);
	return (struct vlan_rules){ (uint8_t)c->vlan_mode, c->tag,
				    opt_vlans_empty(&c->trunks) ? NULL : &c->trunks, .keys = NULL };
}

struct in_row {
	const char *opts;
	int tag;                        /* VLAN ID in the frame's tag; NO_TAG: none. */
	int vid;                        /* VLAN it is in; -1: dropped. */
};

static const struct in_row in_rows[] = {
	{ "", NO_TAG, 0 },
	{ "", 0, 0 },
	{ "", 10, 10 },
	{ "", 4094, 4094 },
	{ "", 4095, -1 },
	{ "trunks=10,20", 10, 10 },
	{ "trunks=10,20", 11, -1 },
	{ "trunks=10,20", NO_TAG, -1 },
	{ "trunks=10,20", 0, -1 },
	{ "trunks=0,20", NO_TAG, 0 },
	{ "trunks=0,20", 0, 0 },
	{ "tag=10", NO_TAG, 10 },
	{ "tag=10", 0, 10 },
	{ "tag=10", 10, -1 },
	{ "tag=10", 11, -1 },
	{ "tag=10", 4095, -1 },
	{ "vlan-mode=native-tagged tag=10", NO_TAG, 10 },
	{ "vlan-mode=native-tagged tag=10", 0, 10 },
	{ "vlan-mode=native-tagged tag=10", 10, 10 },
	{ "vlan-mode=native-tagged tag=10", 20, 20 },
	{ "vlan-mode=native-tagged tag=10", 4095, -1 },
	{ "vlan-mode=native-tagged tag=10 trunks=20", NO_TAG, 10 },
	{ "vlan-mode=native-tagged tag=10 trunks=20", 10, 10 },
	{ "vlan-mode=native-tagged tag=10 trunks=20", 20, 20 },
	{ "vlan-mode=native-tagged tag=10 trunks=20", 30, -1 },
	{ "vlan-mode=native-untagged tag=10", NO_TAG, 10 },
	{ "vlan-mode=native-untagged tag=10", 10, 10 },
	{ "vlan-mode=native-untagged tag=10", 20, 20 },
	{ "vlan-mode=native-untagged tag=10 trunks=20", 30, -1 },
};

static void
a_frame_is_in_the_vlan_its_port_says(void **state)
{
	struct ofp_port_conf c;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(in_rows); i++) {
		const struct in_row *r = &in_rows[i];
		struct vlan_rules v = rules(&c, r->opts);
		int vid = vlan_in(&v, r->tag != NO_TAG, r->tag == NO_TAG ? 0 : (uint16_t)r->tag);

		if (vid != r->vid)
			fail_msg("'%s', tag %d: VLAN %d, not %d", r->opts, r->tag, vid, r->vid);
	}
}

struct out_row {
	const char *opts;
	uint16_t vid;
	int tag;                        /* It leaves with; 0: none, -1: not at all. */
};

static const struct out_row out_rows[] = {
	{ "", 0, 0 },
	{ "", 10, 10 },
	{ "trunks=10", 10, 10 },
	{ "trunks=10", 11, -1 },
	{ "trunks=10", 0, -1 },
	{ "trunks=0", 0, 0 },
	{ "tag=10", 10, 0 },
	{ "tag=10", 11, -1 },
	{ "tag=10", 0, -1 },
	{ "vlan-mode=native-tagged tag=10", 10, 10 },
	{ "vlan-mode=native-tagged tag=10", 20, 20 },
	{ "vlan-mode=native-tagged tag=10", 0, -1 },
	{ "vlan-mode=native-tagged tag=10 trunks=20", 10, 10 },
	{ "vlan-mode=native-tagged tag=10 trunks=20", 30, -1 },
	{ "vlan-mode=native-untagged tag=10", 10, 0 },
	{ "vlan-mode=native-untagged tag=10", 20, 20 },
	{ "vlan-mode=native-untagged tag=10", 0, -1 },
	{ "vlan-mode=native-untagged tag=10 trunks=20", 10, 0 },
	{ "vlan-mode=native-untagged tag=10 trunks=20", 30, -1 },
};

static void
a_frame_leaves_with_the_tag_its_port_says(void **state)
{
	struct ofp_port_conf c;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(out_rows); i++) {
		const struct out_row *r = &out_rows[i];
		struct vlan_rules v = rules(&c, r->opts);

		if (vlan_out(&v, r->vid) != r->tag)
			fail_msg("'%s', VLAN %u: tag %d, not %d", r->opts, r->vid, vlan_out(&v, r->vid), r->tag);
	}
}

/* What leaves a port and comes back in by one with the same settings is in the VLAN it was in. */
static void
no_mode_leaks_between_vlans(void **state)
{
	struct ofp_port_conf c;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(out_rows); i++) {
		struct vlan_rules v = rules(&c, out_rows[i].opts);

		for (uint16_t vid = 0; vid < 4095; vid++) {
			int tag = vlan_out(&v, vid);

			assert_int_equal(tag >= 0, vlan_carries(&v, vid));
			if (tag >= 0 && v.mode != OFP_VLAN_ACCESS)
				assert_int_equal(vlan_in(&v, tag > 0, (uint16_t)tag), vid);
		}
	}
}

struct check_row {
	int mode;                       /* -1: not given. */
	uint16_t tag;
	bool trunks, ok;
	int result;
};

static void
settings_that_make_no_sense_are_refused(void **state)
{
	static const struct check_row rows[] = {
		{ -1, 0, false, true, OFP_VLAN_TRUNK },
		{ -1, 10, false, true, OFP_VLAN_ACCESS },
		{ -1, 0, true, true, OFP_VLAN_TRUNK },
		{ -1, 10, true, false, 0 },
		{ OFP_VLAN_TRUNK, 0, true, true, OFP_VLAN_TRUNK },
		{ OFP_VLAN_TRUNK, 10, false, false, 0 },
		{ OFP_VLAN_ACCESS, 10, false, true, OFP_VLAN_ACCESS },
		{ OFP_VLAN_ACCESS, 0, false, false, 0 },
		{ OFP_VLAN_ACCESS, 10, true, false, 0 },
		{ OFP_VLAN_NATIVE_TAGGED, 10, true, true, OFP_VLAN_NATIVE_TAGGED },
		{ OFP_VLAN_NATIVE_TAGGED, 0, true, false, 0 },
		{ OFP_VLAN_NATIVE_UNTAGGED, 10, false, true, OFP_VLAN_NATIVE_UNTAGGED },
		{ OFP_VLAN_NATIVE_UNTAGGED, 0, false, false, 0 },
		{ 77, 0, false, false, 0 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ofp_port_conf c = { .vlan_mode = MAX_OF(rows[i].mode, 0), .tag = rows[i].tag };
		struct err e = { 0 };

		if (rows[i].trunks)
			c.trunks.bits[0] = 4;
		if (!ofp_port_check(&c, rows[i].mode >= 0, &e) != rows[i].ok)
			fail_msg("row %u: %s", i, e.msg);
		assert_int_equal(!e.code, rows[i].ok);
		if (rows[i].ok)
			assert_int_equal(c.vlan_mode, rows[i].result);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_is_in_the_vlan_its_port_says),
		cmocka_unit_test(a_frame_leaves_with_the_tag_its_port_says),
		cmocka_unit_test(no_mode_leaks_between_vlans),
		cmocka_unit_test(settings_that_make_no_sense_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
