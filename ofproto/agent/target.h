/* SPDX-License-Identifier: Apache-2.0 */
/* Where a controller is, or where to listen for one: the text of it taken apart. */
#ifndef OFPROTO_AGENT_TARGET_H
#define OFPROTO_AGENT_TARGET_H

#include <sys/socket.h>

#include "ofproto/agent.h"

enum { OF_PORT_DEFAULT = 6653 };

struct of_target {
	bool passive, tls;
	bool is_unix;                   /* 'host' is a path. */
	bool is_name;                   /* 'host' is a name to be looked up, not an address. */
	uint16_t port;
	char host[OF_TARGET_MAX + 1];
	struct sockaddr_storage sa;     /* Unless 'is_name'. */
	socklen_t sa_len;
};

/* -EINVAL with what to write instead. */
int of_target_parse(const char *text, struct of_target *, struct err *);
/* "tcp:127.0.0.1:40112" of whoever connected; "unix" for a local one. */
void of_peer_format(const struct sockaddr *, bool tls, char *buf, size_t len);

#endif
