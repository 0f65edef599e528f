/* SPDX-License-Identifier: Apache-2.0 */
/* OpenFlow settings of a bridge in the document: who controls it, and what it says of itself. */
#include "ctl/conf.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In the order of enum of_fail_mode. */
static const char *const fail_modes[] = { "standalone", "secure", NULL };
/* In the order of enum of_version, from OF10 on. */
static const char *const protocol_names[] = {
	"OpenFlow10", "OpenFlow11", "OpenFlow12", "OpenFlow13", "OpenFlow14", "OpenFlow15", NULL
};

#define AT(field) offsetof(struct conf_of, field)
#define TEXT(name_, field, help_, example_) \
	{ .name = name_, .kind = OPT_STR, .offset = AT(field), .max = sizeof((struct conf_of *)0)->field - 1, \
	  .help = help_, .example = example_ }

const struct opt_desc conf_of_opts[] = {
	{ .name = "controllers", .kind = OPT_STR_LIST, .offset = AT(controllers), .max = OF_TARGET_MAX,
	  .help = "OpenFlow controllers to connect to (tcp:HOST[:PORT], ssl:HOST[:PORT]) or to wait for "
		  "(ptcp:[PORT][:ADDRESS], pssl:...); see weftctl controller", .example = "tcp:127.0.0.1:6653" },
	{ .name = "fail-mode", .kind = OPT_ENUM, .offset = AT(fail_mode), .names = fail_modes, .dflt = "standalone",
	  .help = "without a controller for three probe intervals: be a learning switch (standalone), or keep the flows "
		  "and do nothing more (secure)", .example = "secure" },
	{ .name = "protocols", .kind = OPT_STR_LIST, .offset = AT(protocols), .max = 10, .names = protocol_names,
	  .help = "OpenFlow versions to speak, of OpenFlow10 to OpenFlow15 (default: up to OpenFlow14)", .example = "OpenFlow10,OpenFlow13" },
	{ .name = "inactivity-probe", .kind = OPT_U32, .offset = AT(probe_ms), .max = 3600000, .dflt = "5000",
	  .help = "milliseconds of silence until a controller is asked whether it lives; 0: never", .example = "10000" },
	{ .name = "max-backoff", .kind = OPT_U32, .offset = AT(max_backoff_ms), .min = 1000, .max = 3600000, .dflt = "8000",
	  .help = "most milliseconds between two attempts to reach a controller", .example = "30000" },
	TEXT("datapath-id", datapath_id, "16 hexadecimal digits by which controllers know the bridge (default: made from "
	     "its hardware address)", "00000000000000a1"),
	TEXT("mfr-desc", mfr_desc, "manufacturer, as told to controllers", "Nicira, Inc."),
	TEXT("hw-desc", hw_desc, "hardware, as told to controllers", "Open vSwitch"),
	TEXT("sw-desc", sw_desc, "software, as told to controllers", "2.17.0"),
	TEXT("serial-desc", serial_desc, "serial number, as told to controllers", "42"),
	TEXT("dp-desc", dp_desc, "description of the bridge, as told to controllers", "rack 7"),
	TEXT("private-key", private_key, "file with the private key for ssl: and pssl: controllers",
	     "/etc/weft/sc-privkey.pem"),
	TEXT("certificate", certificate, "file with the certificate of the private key", "/etc/weft/sc-cert.pem"),
	TEXT("ca-cert", ca_cert, "file with the certificate that controllers' certificates are signed with",
	     "/etc/weft/cacert.pem"),
	TEXT("bootstrap-ca-cert", bootstrap_ca_cert, "like ca-cert, but when the file is not there, it is made of what the "
	     "first controller presents", "/etc/weft/learnt-cacert.pem"),
	{ 0 },
};

/* --- Checks -------------------------------------------------------------------------------------- */

static int
check_datapath_id(struct conf_of *c, struct err *e)
{
	char *s = c->datapath_id;
	size_t len = strlen(s);

	if (!len)
		return 0;
	if (len != 16 || strspn(s, "0123456789abcdefABCDEF") != len)
		return err_set(e, EINVAL, "datapath-id: '%s': 16 hexadecimal digits are needed", s);
	for (; *s; s++)
		*s = (char)tolower((unsigned char)*s);
	if (!strtoull(c->datapath_id, NULL, 16) || !strcmp(c->datapath_id, "ffffffffffffffff"))
		return err_set(e, EINVAL, "datapath-id: all zeroes and all ones mean none");
	return 0;
}

static int
check_file(const char *name, const char *path, struct err *e)
{
	if (*path && *path != '/')
		return err_set(e, EINVAL, "%s: '%.100s': a whole path is needed, from / on", name, path);
	return 0;
}

static int
check_files(const struct conf_of *c, struct err *e)
{
	if (check_file("private-key", c->private_key, e) || check_file("certificate", c->certificate, e) ||
	    check_file("ca-cert", c->ca_cert, e) || check_file("bootstrap-ca-cert", c->bootstrap_ca_cert, e))
		return -EINVAL;
	if (!*c->private_key != !*c->certificate)
		return err_set(e, EINVAL, "private-key and certificate belong together: %s is missing",
			       *c->private_key ? "certificate" : "private-key");
	if (*c->ca_cert && *c->bootstrap_ca_cert)
		return err_set(e, EINVAL, "ca-cert and bootstrap-ca-cert exclude each other");
	return 0;
}

/* TLS that checks nobody would be worse than none: it looks safe. */
static int
check_tls(const struct conf_of *c, const char *target, struct err *e)
{
	bool tls = !strncmp(target, "ssl:", 4) || !strncmp(target, "tls:", 4);
	bool ptls = !strncmp(target, "pssl:", 5) || !strncmp(target, "ptls:", 5);

	if ((tls || ptls) && !*c->ca_cert && !*c->bootstrap_ca_cert)
		return err_set(e, EINVAL, "controllers: %s: needs ca-cert (or bootstrap-ca-cert), to know who is there", target);
	if (ptls && !*c->private_key)
		return err_set(e, EINVAL, "controllers: %s: needs private-key and certificate", target);
	return 0;
}

int
conf_of_check(struct conf_of *c, struct err *e)
{
	int rc = check_datapath_id(c, e);

	if (!rc)
		rc = check_files(c, e);
	for (unsigned i = 0; i < c->controllers.n && !rc; i++) {
		rc = of_target_check(c->controllers.s[i], e);
		if (rc)
			return err_prefix(e, "controllers");
		rc = check_tls(c, c->controllers.s[i], e);
	}
	return rc;
}

uint64_t
conf_datapath_id(const struct conf_bridge *b)
{
	if (*b->of.datapath_id)
		return strtoull(b->of.datapath_id, NULL, 16);
	return mac_u64(mac_is_zero(b->ofp.hwaddr) ? ofp_hwaddr_make(b->name) : b->ofp.hwaddr);
}

/* Two bridges of one number would be one switch to a controller, which then programs now this, now that. */
int
conf_of_check_all(const struct conf *c, struct err *e)
{
	for (unsigned i = 0; i < c->n_bridges; i++)
		for (unsigned j = 0; j < i; j++)
			if (conf_datapath_id(&c->bridges[i]) == conf_datapath_id(&c->bridges[j]))
				return err_set(e, EEXIST, "bridges.%s: datapath-id: %016" PRIx64 " is that of bridge %s as well",
					       c->bridges[i].name, conf_datapath_id(&c->bridges[i]), c->bridges[j].name);
	return 0;
}

/* --- For the agent ------------------------------------------------------------------------------- */

static const char *
or_null(const char *s)
{
	return *s ? s : NULL;
}

static uint32_t
versions_of(const struct opt_strs *l)
{
	uint32_t bits = 0;

	for (unsigned i = 0; i < l->n; i++)
		for (unsigned v = 0; protocol_names[v]; v++)
			if (!strcmp(l->s[i], protocol_names[v]))
				bits |= 1u << (OF10 + v);
	return bits;
}

void
conf_of_agent(const struct conf_bridge *b, const char *run_dir, struct of_agent_conf *a)
{
	const struct conf_of *c = &b->of;

	*a = (struct of_agent_conf){
		.name = b->name, .run_dir = run_dir, .n_controllers = c->controllers.n,
		.fail_mode = (enum of_fail_mode)c->fail_mode, .versions = versions_of(&c->protocols),
		.probe_ms = c->probe_ms, .max_backoff_ms = c->max_backoff_ms, .datapath_id = conf_datapath_id(b),
		.mfr_desc = or_null(c->mfr_desc), .hw_desc = or_null(c->hw_desc), .sw_desc = or_null(c->sw_desc),
		.serial_desc = or_null(c->serial_desc), .dp_desc = or_null(c->dp_desc),
		.private_key = or_null(c->private_key), .certificate = or_null(c->certificate),
		.ca_cert = or_null(c->ca_cert), .bootstrap_ca_cert = or_null(c->bootstrap_ca_cert),
	};
	for (unsigned i = 0; i < c->controllers.n; i++)
		a->controllers[i] = c->controllers.s[i];
}

_Static_assert((int)OPT_STRS_MAX <= (int)OF_MAX_CONTROLLERS && (int)OPT_STR_LEN > (int)OF_TARGET_MAX, "all of them fit");
