/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for the OpenFlow agent until there is one: takes settings and connects to nobody. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ofproto/agent.h"

struct of_agent {
	int none;
};

struct of_agent *
of_agent_create(struct event_base *base UNUSED, struct ofp *ofp UNUSED, const struct of_agent_ops *ops UNUSED)
{
	return xcalloc(1, sizeof(struct of_agent));
}

void
of_agent_destroy(struct of_agent *a)
{
	free(a);
}

int
of_target_check(const char *target, struct err *e)
{
	static const char *const schemes[] = { "tcp:", "ssl:", "tls:", "unix:", "ptcp:", "pssl:", "punix:" };

	for (unsigned i = 0; i < ARRAY_SIZE(schemes); i++)
		if (!strncmp(target, schemes[i], strlen(schemes[i])))
			return 0;
	return err_set(e, EINVAL, "'%.64s' is no target such as tcp:127.0.0.1:6653", target);
}

int
of_agent_bridge_set(struct of_agent *a UNUSED, uint16_t bridge UNUSED, const struct of_agent_conf *c UNUSED,
		    struct err *e UNUSED)
{
	return 0;
}

void
of_agent_bridge_del(struct of_agent *a UNUSED, uint16_t bridge UNUSED)
{
}

void
of_agent_punt(struct of_agent *a UNUSED, uint16_t in_port UNUSED, const void *data UNUSED, unsigned data_len UNUSED,
	      const void *frame UNUSED, uint32_t len UNUSED, uint32_t orig_len UNUSED)
{
}

void
of_agent_port_changed(struct of_agent *a UNUSED, uint16_t port UNUSED, enum of_port_reason why UNUSED)
{
}

void
of_agent_conns(const struct of_agent *a UNUSED, uint16_t bridge UNUSED,
	       void (*cb)(void *, const struct of_conn_info *) UNUSED, void *arg UNUSED)
{
}

bool
of_agent_bridge_info(const struct of_agent *a UNUSED, uint16_t bridge UNUSED, struct of_agent_bridge_info *i UNUSED)
{
	return false;
}

struct of_tap *
of_tap_open(struct of_agent *a UNUSED, uint16_t bridge UNUSED, uint32_t conn_id UNUSED,
	    void (*cb)(void *, uint32_t, const char *, bool, uint64_t, const struct of_msg *) UNUSED, void *arg UNUSED)
{
	return NULL;
}

void
of_tap_close(struct of_tap *t UNUSED)
{
}

int
of_msg_format(const struct of_msg *m UNUSED, char *buf UNUSED, size_t len UNUSED)
{
	return 0;
}
