/* SPDX-License-Identifier: Apache-2.0 */
/* OpenFlow messages in one version-independent form, host byte order.  wire/ decodes bytes into these and encodes
 * them; nobody else sees offsets.  What a version lacks is zero after decoding and left out (or refused) when
 * encoding.  Numbers of types, commands, reasons and flags are those of the newest version that has them; the codec
 * maps the older ones.  Port numbers are 32 bits in OpenFlow 1.1's numbering.  Pointers point into the arena of the
 * decoded message. */
#ifndef OFPROTO_OF_H
#define OFPROTO_OF_H

#include "ofproto/acts.h"

enum of_version { OF10 = 1, OF11 = 2, OF12 = 3, OF13 = 4, OF14 = 5, OF15 = 6 };
enum { OF_HEADER_LEN = 8, OF_NO_BUFFER = -1 };
#define OFG_ANY 0xffffffffu
#define OFG_ALL 0xfffffffcu
#define OFG_MAX 0xffffff00u
#define OFM_ALL 0xffffffffu
#define OFM_CONTROLLER 0xfffffffeu
#define OFM_SLOWPATH 0xfffffffdu
#define OFM_MAX 0xffff0000u
#define OFQ_ALL 0xffffffffu
#define OFTT_ALL 0xff

enum of_port_no {
	OFPP_MAX = (int)0xffffff00, OFPP_UNSET = (int)0xfffffff7, OFPP_IN_PORT = (int)0xfffffff8,
	OFPP_TABLE = (int)0xfffffff9, OFPP_NORMAL = (int)0xfffffffa, OFPP_FLOOD = (int)0xfffffffb,
	OFPP_ALL = (int)0xfffffffc, OFPP_CONTROLLER = (int)0xfffffffd, OFPP_LOCAL = (int)0xfffffffe,
	OFPP_ANY = (int)0xffffffff,     /* 1.0: OFPP_NONE. */
};

/* What a message is, whatever its version and whether it is standard, Nicira's or the ONF's extension. */
enum of_kind {
	OFK_HELLO, OFK_ERROR, OFK_ECHO_REQUEST, OFK_ECHO_REPLY, OFK_EXPERIMENTER,
	OFK_FEATURES_REQUEST, OFK_FEATURES_REPLY, OFK_GET_CONFIG_REQUEST, OFK_GET_CONFIG_REPLY, OFK_SET_CONFIG,
	OFK_PACKET_IN, OFK_FLOW_REMOVED, OFK_PORT_STATUS, OFK_PACKET_OUT, OFK_FLOW_MOD, OFK_GROUP_MOD, OFK_PORT_MOD,
	OFK_TABLE_MOD, OFK_METER_MOD, OFK_BARRIER_REQUEST, OFK_BARRIER_REPLY,
	OFK_QUEUE_GET_CONFIG_REQUEST, OFK_QUEUE_GET_CONFIG_REPLY,
	OFK_ROLE_REQUEST, OFK_ROLE_REPLY, OFK_GET_ASYNC_REQUEST, OFK_GET_ASYNC_REPLY, OFK_SET_ASYNC,
	OFK_ROLE_STATUS, OFK_TABLE_STATUS, OFK_REQUESTFORWARD, OFK_BUNDLE_CONTROL, OFK_BUNDLE_ADD, OFK_CONTROLLER_STATUS,
	/* Nicira's own. */
	OFK_NX_SET_FLOW_FORMAT, OFK_NX_FLOW_MOD_TABLE_ID, OFK_NX_SET_PACKET_IN_FORMAT, OFK_NX_FLOW_AGE,
	OFK_NX_SET_CONTROLLER_ID, OFK_NX_FLOW_MONITOR_CANCEL, OFK_NX_FLOW_MONITOR_PAUSED, OFK_NX_FLOW_MONITOR_RESUMED,
	OFK_NX_TLV_TABLE_MOD, OFK_NX_TLV_TABLE_REQUEST, OFK_NX_TLV_TABLE_REPLY, OFK_NX_RESUME, OFK_NX_CT_FLUSH_ZONE,
	OFK_NX_CT_FLUSH,
	/* Multiparts: request, reply. */
	OFK_DESC_REQUEST, OFK_DESC_REPLY, OFK_FLOW_REQUEST, OFK_FLOW_REPLY, OFK_AGGREGATE_REQUEST, OFK_AGGREGATE_REPLY,
	OFK_TABLE_REQUEST, OFK_TABLE_REPLY, OFK_PORT_REQUEST, OFK_PORT_REPLY, OFK_QUEUE_REQUEST, OFK_QUEUE_REPLY,
	OFK_GROUP_REQUEST, OFK_GROUP_REPLY, OFK_GROUP_DESC_REQUEST, OFK_GROUP_DESC_REPLY,
	OFK_GROUP_FEATURES_REQUEST, OFK_GROUP_FEATURES_REPLY, OFK_METER_REQUEST, OFK_METER_REPLY,
	OFK_METER_CONFIG_REQUEST, OFK_METER_CONFIG_REPLY, OFK_METER_FEATURES_REQUEST, OFK_METER_FEATURES_REPLY,
	OFK_TABLE_FEATURES_REQUEST, OFK_TABLE_FEATURES_REPLY, OFK_PORT_DESC_REQUEST, OFK_PORT_DESC_REPLY,
	OFK_TABLE_DESC_REQUEST, OFK_TABLE_DESC_REPLY, OFK_QUEUE_DESC_REQUEST, OFK_QUEUE_DESC_REPLY,
	OFK_FLOW_MONITOR_REQUEST, OFK_FLOW_MONITOR_REPLY, OFK_BUNDLE_FEATURES_REQUEST, OFK_BUNDLE_FEATURES_REPLY,
	OFK_CONTROLLER_STATUS_REQUEST, OFK_CONTROLLER_STATUS_REPLY,
	OFK_FLOW_LW_REQUEST, OFK_FLOW_LW_REPLY, /* 1.5's FLOW_STATS (17): without instructions. */
	OFK_N_KINDS
};

enum of_msg_form { OFMF_STD, OFMF_NX, OFMF_ONF };

/* --- Errors ------------------------------------------------------------------------------------- */

/* Every error once, by the newest name; the codec maps it to type and code of a version, or to the nearest one that
 * the version has.  X(symbol, type, code) with the numbers of OpenFlow 1.3+ (0xffff.. experimenter ones by the codec).
 * The whole list is made by the generator from wire/errors.txt: OFE_BAD_REQUEST_BAD_VERSION and so on. */
#include "ofproto/wire/error_ids.h"

struct of_error {
	uint16_t id;                    /* enum of_error_id; 0 (OFE_OK): none. */
	char why[120];                  /* For the log and for weftctl; may be empty. */
};

/* Sets it and returns -1. */
int of_error_set(struct of_error *, enum of_error_id, const char *fmt, ...) PRINTF_LIKE(3, 4);
const char *of_error_name(enum of_error_id);           /* "OFPBAC_BAD_OUT_PORT" */

/* --- Bodies ------------------------------------------------------------------------------------- */

struct of_data {
	const uint8_t *data;
	uint32_t len;
};

struct of_hello {
	uint32_t versions;              /* Bit v: wire version v is spoken.  Without a bitmap: all up to the header's. */
	bool has_bitmap;
};

struct of_error_msg {
	uint16_t type, code;            /* As on the wire. */
	uint32_t experimenter;
	enum of_error_id id;            /* OFE_OK: not one we know. */
	struct of_data data;
};

struct of_echo {
	struct of_data data;
};

struct of_experimenter {
	uint32_t id, type;
	bool multipart;
	struct of_data data;
};

enum of_port_config { OFPPC_PORT_DOWN = 1 << 0, OFPPC_NO_STP = 1 << 1, OFPPC_NO_RECV = 1 << 2, OFPPC_NO_RECV_STP = 1 << 3,
		      OFPPC_NO_FLOOD = 1 << 4, OFPPC_NO_FWD = 1 << 5, OFPPC_NO_PACKET_IN = 1 << 6 };
enum of_port_state { OFPPS_LINK_DOWN = 1 << 0, OFPPS_BLOCKED = 1 << 1, OFPPS_LIVE = 1 << 2 };

struct of_port {
	uint32_t port_no;
	struct mac hw_addr;
	char name[64];                  /* Cut to 15 bytes and a NUL on the wire. */
	uint32_t config, state;
	uint32_t curr, advertised, supported, peer;     /* OFPPF_* of 1.3. */
	uint32_t curr_speed, max_speed; /* kb/s. */
};

struct of_features {
	uint64_t datapath_id;
	uint32_t n_buffers;
	uint8_t n_tables, auxiliary_id;
	uint32_t capabilities;          /* OFPC_* of 1.3 (bit 3: GROUP_STATS or 1.0's STP). */
	uint32_t actions;               /* 1.0: bit per action type. */
	uint32_t n_ports;               /* 1.0 to 1.2. */
	const struct of_port *ports;
};

enum of_frag { OFPC_FRAG_NORMAL, OFPC_FRAG_DROP, OFPC_FRAG_REASM, OFPC_FRAG_NX_MATCH, OFPC_FRAG_MASK = 3,
	       OFPC_INVALID_TTL_TO_CONTROLLER = 1 << 2 };
struct of_config {
	uint16_t flags, miss_send_len;
};

/* Reasons of 1.4; older ones and Nicira's map into them. */
enum of_packet_in_reason { OFPR_NO_MATCH, OFPR_ACTION, OFPR_INVALID_TTL, OFPR_ACTION_SET, OFPR_GROUP, OFPR_PACKET_OUT };
struct of_packet_in {
	uint32_t buffer_id;             /* OF_NO_BUFFER: none. */
	uint16_t total_len;             /* Of the packet. */
	uint8_t reason, table_id;
	uint64_t cookie;
	struct oflow meta;              /* in_port, metadata, registers, tunnel: what is not zero is sent. */
	struct of_data frame;
	uint8_t format;                 /* 0 the version's own, 1 NXT_PACKET_IN, 2 NXT_PACKET_IN2. */
	struct of_data userdata, continuation;  /* Format 2. */
};

struct of_packet_out {
	uint32_t buffer_id, in_port;
	struct oflow meta;              /* 1.5: pipeline fields. */
	struct of_acts acts;
	struct of_data frame;
};

enum of_flow_mod_command { OFFC_ADD, OFFC_MODIFY, OFFC_MODIFY_STRICT, OFFC_DELETE, OFFC_DELETE_STRICT };
enum of_flow_mod_flags { OFFF_SEND_FLOW_REM = 1 << 0, OFFF_CHECK_OVERLAP = 1 << 1, OFFF_RESET_COUNTS = 1 << 2,
			 OFFF_NO_PKT_COUNTS = 1 << 3, OFFF_NO_BYT_COUNTS = 1 << 4, OFFF_EMERG = 1 << 5 /* 1.0 */ };

struct of_flow_mod {
	uint8_t version;                /* Semantics differ (counters on replacement, delete on miss...). */
	uint8_t command, table_id;      /* OFTT_ALL: 1.0 without table ids: ADD goes to table 0. */
	bool has_table_id;
	uint16_t priority, idle_timeout, hard_timeout, importance, flags;
	uint64_t cookie, cookie_mask;   /* ADD: mask 0.  1.0: mask 0, "cookie given". */
	bool cookie_given;              /* MODIFY: not all ones (then existing cookies stay). */
	uint32_t buffer_id, out_port, out_group;        /* OFPP_ANY, OFG_ANY: no filter. */
	struct omatch match;
	struct of_acts acts;
};

enum of_removed_reason { OFRR_IDLE_TIMEOUT, OFRR_HARD_TIMEOUT, OFRR_DELETE, OFRR_GROUP_DELETE, OFRR_METER_DELETE,
			 OFRR_EVICTION };
struct of_flow_removed {
	struct omatch match;
	uint64_t cookie, packets, bytes;
	uint32_t duration_s, duration_ns;
	uint16_t priority, idle_timeout, hard_timeout;
	uint8_t reason, table_id;
};

enum of_port_reason { OFPPR_ADD, OFPPR_DELETE, OFPPR_MODIFY };
struct of_port_status {
	uint8_t reason;
	struct of_port port;
};

struct of_port_mod {
	uint32_t port_no;
	struct mac hw_addr;
	uint32_t config, mask, advertise;
};

/* A set of fields, by enum of_field. */
struct of_field_set {
	uint64_t bits[(OFF_N_FIELDS + 63) / 64];
};

enum of_group_command { OFGC_ADD, OFGC_MODIFY, OFGC_DELETE, OFGC_INSERT_BUCKET = 3, OFGC_REMOVE_BUCKET = 5,
			OFGC_ADD_OR_MOD = 0x8000 };
enum of_group_type { OFGT_ALL, OFGT_SELECT, OFGT_INDIRECT, OFGT_FF };
struct of_bucket {
	uint32_t id;                    /* 1.5; else its place. */
	uint16_t weight;
	uint32_t watch_port, watch_group;
	struct of_acts acts;
};
struct of_group_mod {
	uint16_t command;
	uint8_t type;
	uint32_t group_id, command_bucket_id;
	uint32_t n_buckets;
	const struct of_bucket *buckets;
	char selection_method[16];      /* Netronome's property; "": none. */
	uint64_t selection_param;
	struct of_field_set selection_fields;
};

enum of_meter_command { OFMC_ADD, OFMC_MODIFY, OFMC_DELETE };
enum of_meter_flags { OFMF_KBPS = 1 << 0, OFMF_PKTPS = 1 << 1, OFMF_BURST = 1 << 2, OFMF_STATS = 1 << 3 };
enum of_band_type { OFMBT_DROP = 1, OFMBT_DSCP_REMARK = 2, OFMBT_EXPERIMENTER = 0xffff };
struct of_band {
	uint16_t type;
	uint32_t rate, burst;
	uint8_t prec_level;
};
struct of_meter_mod {
	uint16_t command, flags;
	uint32_t meter_id;
	uint32_t n_bands;
	const struct of_band *bands;
};

enum of_table_config { OFTC_MISS_CONTINUE = 1, OFTC_MISS_DROP = 2, OFTC_MISS_MASK = 3 /* 1.1, 1.2; 0: controller */,
		        OFTC_EVICTION = 1 << 2, OFTC_VACANCY_EVENTS = 1 << 3 };
struct of_table_mod {
	uint8_t table_id;
	uint32_t config;
	bool has_eviction, has_vacancy;
	uint32_t eviction_flags;
	uint8_t vacancy_down, vacancy_up, vacancy;
};

enum of_role { OFR_NOCHANGE, OFR_EQUAL, OFR_MASTER, OFR_SLAVE };
enum of_role_reason { OFRSR_MASTER_REQUEST, OFRSR_CONFIG, OFRSR_EXPERIMENTER };
struct of_role_msg {
	uint32_t role;
	uint16_t short_id;
	uint64_t generation_id;
	uint8_t reason;                 /* ROLE_STATUS. */
};

/* Bit r of [0] for master and equal, of [1] for slave. */
struct of_async {
	uint32_t packet_in[2], port_status[2], flow_removed[2], role_status[2], table_status[2], requestforward[2];
	bool has_packet_in[2], has_port_status[2], has_flow_removed[2], has_role_status[2], has_table_status[2],
		has_requestforward[2];
};

enum of_table_reason { OFTR_VACANCY_DOWN = 3, OFTR_VACANCY_UP = 4 };
struct of_table_desc {
	uint8_t table_id;
	uint32_t config, eviction_flags;
	uint8_t vacancy_down, vacancy_up, vacancy;
	uint8_t reason;                 /* TABLE_STATUS. */
};

enum of_bundle_type { OFB_OPEN_REQUEST, OFB_OPEN_REPLY, OFB_CLOSE_REQUEST, OFB_CLOSE_REPLY, OFB_COMMIT_REQUEST,
		      OFB_COMMIT_REPLY, OFB_DISCARD_REQUEST, OFB_DISCARD_REPLY };
enum of_bundle_flags { OFBF_ATOMIC = 1 << 0, OFBF_ORDERED = 1 << 1 };
struct of_bundle_control {
	uint32_t bundle_id;
	uint16_t type, flags;
};
struct of_msg;
struct of_bundle_add {
	uint32_t bundle_id;
	uint16_t flags;
	struct of_data raw;             /* The message inside, as it came: it outlives the arena only if copied. */
	const struct of_msg *inner;     /* Decoded; its own xid must equal the outer one's. */
};

struct of_requestforward {
	const struct of_msg *inner;     /* GROUP_MOD or METER_MOD. */
	uint16_t reason;
};

struct of_nx_value {                    /* SET_FLOW_FORMAT, FLOW_MOD_TABLE_ID, SET_PACKET_IN_FORMAT, SET_CONTROLLER_ID, ... */
	uint32_t value;
};

struct of_nx_resume {
	struct of_packet_in pin;
};

enum of_tlv_command { OFTLV_ADD, OFTLV_DELETE, OFTLV_CLEAR };
struct of_tlv_map {
	uint16_t option_class, index;
	uint8_t option_type, option_len;
};
struct of_tlv_table {                   /* NX_TLV_TABLE_MOD and _REPLY. */
	uint16_t command, max_fields;
	uint32_t max_option_space;
	uint32_t n_maps;
	const struct of_tlv_map *maps;
};

struct of_nx_ct_flush {
	uint8_t ip_proto;
	struct of_data tlvs;
};

/* --- Multiparts.  Requests are one struct; replies are rows ------------------------------------- */

struct of_desc {
	char mfr[256], hw[256], sw[256], serial[32], dp[256];
};

struct of_flow_request {                /* FLOW, AGGREGATE, FLOW_LW. */
	uint8_t table_id;
	uint32_t out_port, out_group;
	uint64_t cookie, cookie_mask;
	struct omatch match;
};

struct of_flow_row {
	uint8_t table_id;
	uint16_t priority, idle_timeout, hard_timeout, importance, flags;
	uint32_t duration_s, duration_ns;
	int32_t idle_age_s, hard_age_s; /* NXST_FLOW; -1: not known. */
	uint64_t cookie, packets, bytes;
	const struct omatch *match;
	struct of_acts acts;
};

struct of_aggregate {
	uint64_t packets, bytes;
	uint32_t flows;
};

struct of_table_row {
	uint8_t table_id;
	char name[32];
	uint32_t max_entries, active;
	uint64_t lookups, matches;
	uint32_t config;
};

struct of_id_request {                  /* PORT, QUEUE, GROUP, GROUP_DESC, METER, METER_CONFIG, PORT_DESC, ... */
	uint32_t id, id2;               /* QUEUE: port, queue. */
};

struct of_port_row {
	uint32_t port_no, duration_s, duration_ns;
	uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_dropped, tx_dropped, rx_errors, tx_errors, rx_frame_err,
		rx_over_err, rx_crc_err, collisions;    /* All ones: not counted. */
};

struct of_queue_row {
	uint32_t port_no, queue_id, duration_s, duration_ns;
	uint64_t tx_bytes, tx_packets, tx_errors;
};

struct of_counts {
	uint64_t packets, bytes;
};

struct of_group_row {
	uint32_t group_id, ref_count, duration_s, duration_ns;
	uint64_t packets, bytes;
	uint32_t n_buckets;
	const struct of_counts *buckets;
};

struct of_group_desc {
	uint32_t group_id;
	uint8_t type;
	uint32_t n_buckets;
	const struct of_bucket *buckets;
	char selection_method[16];
	uint64_t selection_param;
	struct of_field_set selection_fields;
};

struct of_group_features {
	uint32_t types, capabilities, max_groups[4], actions[4];        /* Actions: bit per OpenFlow 1.3 action type. */
};

struct of_meter_row {
	uint32_t meter_id, ref_count, duration_s, duration_ns;
	uint64_t packets, bytes;
	uint32_t n_bands;
	const struct of_counts *bands;
};

struct of_meter_config {
	uint16_t flags;
	uint32_t meter_id, n_bands;
	const struct of_band *bands;
};

struct of_meter_features {
	uint32_t max_meter, band_types, capabilities;
	uint8_t max_bands, max_color;
	uint32_t features;              /* 1.5. */
};

/* One table's features; sets of instructions and actions by the bit of their 1.3 type (1.5's COPY_FIELD and METER behind
 * those).  Encoding leaves out what the version cannot name. */
enum { OFTF_INGRESS = 1 << 0 };         /* 1.5's 'features'. */
struct of_table_features {
	uint8_t table_id, command;      /* 1.5: 0 replace, 1 modify, 2 enable, 3 disable. */
	char name[32];
	uint64_t metadata_match, metadata_write;
	uint32_t config, max_entries;   /* 1.5: 'config' is its capabilities. */
	uint32_t features;              /* 1.5. */
	uint32_t instructions, miss_instructions;
	uint64_t next_tables[4], miss_next_tables[4];
	uint32_t write_actions, apply_actions, miss_write_actions, miss_apply_actions;
	struct of_field_set match, wildcards, write_setfield, apply_setfield, miss_write_setfield, miss_apply_setfield;
	struct of_field_set write_copyfield, apply_copyfield, miss_write_copyfield, miss_apply_copyfield; /* 1.5. */
};
struct of_table_features_request {
	uint32_t n;                     /* 0: a question. */
	const struct of_table_features *tables;
};

enum of_monitor_flags { OFMONF_INITIAL = 1 << 0, OFMONF_ADD = 1 << 1, OFMONF_REMOVED = 1 << 2, OFMONF_MODIFY = 1 << 3,
			OFMONF_INSTRUCTIONS = 1 << 4, OFMONF_NO_ABBREV = 1 << 5, OFMONF_ONLY_OWN = 1 << 6 };
enum of_monitor_command { OFMONC_ADD, OFMONC_MODIFY, OFMONC_DELETE };
enum of_monitor_event { OFME_INITIAL, OFME_ADDED, OFME_REMOVED, OFME_MODIFIED, OFME_ABBREV, OFME_PAUSED, OFME_RESUMED };
struct of_monitor_request {
	uint32_t monitor_id, out_port, out_group;
	uint16_t flags;                 /* OFMONF_*, of 1.4; Nicira's map. */
	uint8_t table_id, command;
	struct omatch match;
};
struct of_monitor_requests {            /* Nicira's has several in one message. */
	uint32_t n;
	const struct of_monitor_request *r;
};
struct of_monitor_row {
	uint16_t event;
	uint8_t reason, table_id;
	uint16_t idle_timeout, hard_timeout, priority;
	uint64_t cookie;
	const struct omatch *match;
	struct of_acts acts;
	uint32_t xid;                   /* ABBREV. */
};

struct of_queue_desc {
	uint32_t port_no, queue_id;
	uint16_t min_rate, max_rate;    /* Tenths of a percent; OF_NO_RATE: none. */
};
enum { OF_NO_RATE = 0xffff };

struct of_queue_config {                /* QUEUE_GET_CONFIG_REPLY (1.0 to 1.3). */
	uint32_t port_no;
	uint32_t n_queues;
	const struct of_queue_desc *queues;
};

struct of_bundle_features {             /* 1.5; time properties are left out. */
	uint32_t flags;                 /* Request. */
	uint16_t capabilities;          /* Reply: OFBF_*. */
};

struct of_controller_status {           /* 1.5: CONTROLLER_STATUS and rows of its multipart. */
	uint16_t short_id;
	uint32_t role;
	uint8_t reason, channel_status; /* Status: 0 up, 1 down. */
	char uri[128];
};

/* --- Messages ------------------------------------------------------------------------------------ */

struct of_msg {
	uint8_t version;
	uint8_t kind;                   /* enum of_kind. */
	uint8_t form;                   /* enum of_msg_form: an extension said it; the answer says it likewise. */
	bool more;                      /* Multipart: another part follows. */
	uint32_t xid;
	const void *body;               /* The kind's struct; NULL: it has none.  Replies of rows: see of_rows. */
};

/* Body of a decoded multipart reply that consists of rows (and of anything with a plain array). */
struct of_rows {
	uint32_t n;
	uint32_t row_size;
	const void *rows;
};

/* Memory of one message: freed as a whole, no piece of it alone.  Keeps its blocks for the next message. */
struct of_arena;
struct of_arena *of_arena_create(void);
void of_arena_destroy(struct of_arena *);
void of_arena_reset(struct of_arena *);
void *of_arena_alloc(struct of_arena *, size_t);       /* Zeroed, 8-aligned. */

/* How lenient a receiver is where the specification leaves a choice; wire/ has the table. */
struct of_decode_opts {
	bool loose_match;               /* Nicira's LOOSE: unknown fields are ignored (statistics requests). */
	bool table_ids;                 /* 1.0: the command's upper byte is a table (NXT_FLOW_MOD_TABLE_ID). */
};

/* The length of the message that starts at 'data' (8 bytes are there), or 0: it cannot be one. */
uint32_t of_msg_len(const uint8_t data[OF_HEADER_LEN]);

/* Decodes one whole message of any version.  0; or -1 with the error to send back (BAD_LEN, BAD_TYPE, BAD_MULTIPART,
 * BAD_FIELD...); '*msg' has version and xid in any case.  Checks everything that the bytes alone can tell. */
int of_decode(const uint8_t *data, uint32_t len, const struct of_decode_opts *, struct of_arena *, struct of_msg *msg,
	      struct of_error *);

/* Where encoded messages go. */
struct of_buf {
	uint8_t *data;
	size_t len, cap;
};
void of_buf_fini(struct of_buf *);

/* Appends a message.  -ENOTSUP: the version (and form) has no such message.  Bodies of replies of rows: struct of_rows;
 * parts are made as needed. */
int of_encode(struct of_buf *, const struct of_msg *);
/* Appends an error about 'offender', with its xid and its first 64 bytes.  'offender' NULL, and HELLO_FAILED: 'why' is the
 * data. */
void of_encode_error(struct of_buf *, uint8_t version, const struct of_error *, const uint8_t *offender, uint32_t len);

/* Replies of many rows, made piece by piece: parts of at most 64 KB with the MORE flag on all but the last.  begin,
 * then rows, then end; a caller that pauses between rows hands on what is complete: everything before 'part'. */
struct of_mp {
	struct of_buf *buf;
	struct of_msg msg;
	size_t part;                    /* Where the part under way starts in buf. */
};
void of_mp_begin(struct of_mp *, struct of_buf *, const struct of_msg *);      /* kind, version, form, xid. */
int of_mp_row(struct of_mp *, const void *row);
/* Makes the part whole, and begins another. */
void of_mp_cut(struct of_mp *);
void of_mp_end(struct of_mp *);

/* Text of a message for people, in the manner of ovs-ofctl: "OFPT_FLOW_MOD (OF1.3) (xid=0x2): ADD table:0 ...".
 * Implemented over text.h.  Returns the length needed. */
int of_msg_format(const struct of_msg *, char *buf, size_t len);
const char *of_kind_name(enum of_kind);                 /* "OFPT_FLOW_MOD", "OFPST_PORT_DESC request" */

#endif
