/* SPDX-License-Identifier: Apache-2.0 */
/* OpenFlow as people write it: the syntax of ovs-ofctl, to and from the natives of of.h, acts.h and oflow.h.
 *
 * What is printed reads as `ovs-ofctl dump-flows` and its siblings print it, byte for byte, and parses back to what it
 * was made from.  What is parsed is what ovs-ofctl accepts, but for one thing: a field whose protocol is not matched
 * as well ("nw_src=10.0.0.1" without "ip") is an error here, where ovs-ofctl drops the field and installs a wider rule.
 *
 * Control threads only.  Text is (pointer, length), need not end in a NUL, and is hostile: it may come from a file or
 * a peer.  Parsers return 0 or a negative errno with a message that says at which column what is wrong. */
#ifndef OFPROTO_TEXT_H
#define OFPROTO_TEXT_H

#include "base/err.h"
#include "ofproto/of.h"

/* --- Output ------------------------------------------------------------------------------------- */

/* A growing string; start from {0}.  of_text_str() is always a C string. */
struct of_text {
	char *s;
	size_t len, cap;
};
void of_text_put(struct of_text *, const char *s, size_t len);
void of_text_puts(struct of_text *, const char *s);
void of_text_printf(struct of_text *, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Takes one trailing 'c' away, if it is there. */
void of_text_chomp(struct of_text *, char c);
const char *of_text_str(const struct of_text *);
void of_text_clear(struct of_text *);           /* Keeps the memory. */
void of_text_fini(struct of_text *);

/* Names of a bridge's ports; NULL, or members that are: numbers alone.  Reserved ports always have their names. */
struct of_names {
	const char *(*port_name)(void *arg, uint32_t port_no);          /* NULL: shown as a number. */
	bool (*port_no)(void *arg, const char *name, uint32_t *port_no);
	void *arg;
};

/* --- Matches and keys --------------------------------------------------------------------------- */

/* "tcp,in_port=1,nw_src=10.0.0.0/8"; nothing for a match of everything. */
void of_print_match(struct of_text *, const struct omatch *, const struct of_names *);
/* Likewise, with "priority=N" first unless it is the default one. */
void of_print_prio_match(struct of_text *, uint16_t priority, const struct omatch *, const struct of_names *);

/* A match alone: fields and protocol names. */
int of_parse_match(const char *s, size_t len, const struct of_names *, struct omatch *, struct err *);

/* A packet's key, as for ofproto/trace: no masks; what is not said is zero, a port that is not said is OFPP_ANY. */
int of_parse_key(const char *s, size_t len, const struct of_names *, struct oflow *, struct err *);
/* The key in the same syntax: what is not zero. */
void of_print_key(struct of_text *, const struct oflow *, const struct of_names *);

/* One field's value as set_field shows it ("10.0.0.1", "0x5/0xff"); 'mask' may be NULL. */
void of_print_value(struct of_text *, enum of_field, const uint8_t *value, const uint8_t *mask, const struct of_names *);
int of_parse_value(enum of_field, const char *s, size_t len, const struct of_names *, uint8_t value[OF_VALUE_MAX],
		   uint8_t mask[OF_VALUE_MAX], struct err *);
/* "NXM_NX_REG0[0..15]" */
void of_print_sub(struct of_text *, const struct of_sub *);
int of_parse_sub(const char *s, size_t len, struct of_sub *, struct err *);

void of_print_port(struct of_text *, uint32_t port_no, const struct of_names *);
bool of_parse_port(const char *s, size_t len, const struct of_names *, uint32_t *port_no);

/* --- Actions ------------------------------------------------------------------------------------ */

/* "output:1,goto_table:2"; "drop" for none. */
void of_print_acts(struct of_text *, struct of_acts, const struct of_names *);
/* Appends to the buffer.  Without 'instructions', those (goto_table, write_actions...) are refused, as in a
 * packet-out or a bucket.  On error the buffer is as it was. */
int of_parse_acts(const char *s, size_t len, const struct of_names *, bool instructions, struct of_act_buf *,
		  struct err *);

/* --- Flows -------------------------------------------------------------------------------------- */

/* "table=0,priority=10,ip,actions=drop" under a command; OFFC_DELETE and OFFC_DELETE_STRICT take no actions.  A first
 * word add, modify, modify_strict, delete or delete_strict overrides 'command'.  'fm->acts' points into 'acts', which is
 * emptied first.  Without "table": 0 for additions, all tables otherwise.  'fm->version' is 1.3. */
int of_parse_flow_mod(const char *s, size_t len, enum of_flow_mod_command command, const struct of_names *,
		      struct of_act_buf *acts, struct of_flow_mod *fm, struct err *);
/* A file of such lines, with comments from '#' on; 'each' is called for one after the other and stops it all by
 * returning non-zero, which is handed on.  Messages say the line. */
int of_parse_flow_file(const char *s, size_t len, enum of_flow_mod_command command, const struct of_names *,
		       int (*each)(void *arg, const struct of_flow_mod *, struct err *), void *arg, struct err *);
/* "ADD table:1 priority=10,ip actions=drop" */
void of_print_flow_mod(struct of_text *, const struct of_flow_mod *, const struct of_names *);

/* What to show or delete: "table=0,ip,cookie=1/-1,out_port=2". */
int of_parse_flow_request(const char *s, size_t len, const struct of_names *, struct of_flow_request *, struct err *);
void of_print_flow_request(struct of_text *, const struct of_flow_request *, const struct of_names *);

enum of_row_show {
	OF_ROW_STATS = 1 << 0,          /* Cookie even when 0, duration, counters, ages; else what rebuilds the rule. */
};
/* "cookie=0x0, duration=1.2s, table=0, n_packets=0, n_bytes=0, priority=10,ip actions=drop", no newline. */
void of_print_flow_row(struct of_text *, const struct of_flow_row *, unsigned show, const struct of_names *);
/* "1.234s" */
void of_print_duration(struct of_text *, uint32_t s, uint32_t ns);

/* --- Groups and meters -------------------------------------------------------------------------- */

/* Places that command_bucket_id names. */
#define OFG_BUCKET_FIRST 0xfffffffdu
#define OFG_BUCKET_LAST 0xfffffffeu
#define OFG_BUCKET_ALL 0xffffffffu

/* "group_id=1,type=select,bucket=weight:100,actions=output:1,bucket=..." under a command, or with one as first word
 * (add, modify, add_or_mod, delete, insert_bucket, remove_bucket).  Buckets and their actions are in the arena. */
int of_parse_group_mod(const char *s, size_t len, enum of_group_command, const struct of_names *, struct of_arena *,
		       struct of_group_mod *, struct err *);
/* A file of such lines; see of_parse_flow_file().  The arena is reset for each. */
int of_parse_group_file(const char *s, size_t len, enum of_group_command, const struct of_names *,
			int (*each)(void *arg, const struct of_group_mod *, struct err *), void *arg, struct err *);
/* "ADD group_id=1,type=all,..."; versions 1.0 and 1.5 show the ids of buckets. */
void of_print_group_mod(struct of_text *, const struct of_group_mod *, uint8_t version, const struct of_names *);
/* "group_id=1,type=all,bucket=..." */
void of_print_group(struct of_text *, const struct of_group_desc *, uint8_t version, const struct of_names *);
/* "group_id=1,duration=1.5s,ref_count=0,packet_count=0,byte_count=0,bucket0:packet_count=0,byte_count=0" */
void of_print_group_row(struct of_text *, const struct of_group_row *);

/* "meter=1 kbps burst bands=type=drop rate=100 burst_size=10" */
int of_parse_meter_mod(const char *s, size_t len, enum of_meter_command, struct of_arena *, struct of_meter_mod *,
		       struct err *);
/* "ADD meter=1 kbps bands=" and a line for each band. */
void of_print_meter_mod(struct of_text *, const struct of_meter_mod *);
void of_print_meter(struct of_text *, const struct of_meter_config *);
/* "meter:1 flow_count:0 packet_in_count:0 byte_in_count:0 duration:1s bands:" and a line for each band. */
void of_print_meter_row(struct of_text *, const struct of_meter_row *);
void of_print_meter_id(struct of_text *, uint32_t id, char separator);

/* --- Messages ----------------------------------------------------------------------------------- */

/* Any decoded message, as `ovs-ofctl ofp-print` shows it: "OFPT_FLOW_MOD (OF1.3) (xid=0x2): ADD table:1 ...", over
 * several lines where that has them, without a newline at the end.  of_msg_format() is this without names. */
void of_print_msg(struct of_text *, const struct of_msg *, const struct of_names *);
/* What can be told from the start of an Ethernet frame, in the words of a match. */
void of_print_frame(struct of_text *, const uint8_t *data, size_t len);

#endif
