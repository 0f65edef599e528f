/* SPDX-License-Identifier: Apache-2.0 */
/* The entry of the management interface: any bytes as lines, to a small switch, on which some of the answers
 * come late.  Whatever comes in, each answer is one line of JSON, and nothing is left behind. */
#include <stdlib.h>
#include <string.h>

#include "ctl/rpc.h"
#include "tests/ctl/fake_sw.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
on_reply(void *arg, const char *line, size_t len)
{
	unsigned *n = arg;
	json_t *msg;

	++*n;
	if (!len)
		return;
	if (line[len - 1] != '\n' || memchr(line, '\n', len - 1))
		abort();
	msg = json_loadb(line, len, 0, NULL);
	if (!msg)
		abort();
	json_decref(msg);
}

static void
build_switch(struct sw *sw)
{
	json_t *doc = json_loads("{\"version\":1,\"bridges\":{\"br0\":{\"ports\":{"
				 "\"vm1\":{\"type\":\"vhost-user\",\"tag\":10},"
				 "\"vx0\":{\"type\":\"vxlan\",\"vni\":5000}}}}}", 0, NULL);
	struct rpc_peer *p;
	unsigned n = 0;
	char *text, line[1000];

	p = rpc_peer_create(sw, on_reply, &n);
	text = json_dumps(doc, JSON_COMPACT);
	snprintf(line, sizeof line, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"config.apply\",\"params\":[%s]}", text);
	rpc_handle(p, line, strlen(line));
	fake_sw_run(sw);
	rpc_peer_close(p);
	free(text);
	json_decref(doc);
	fake_sw_set_flows(sw, 20);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sw *sw = fake_sw_create();
	struct rpc_peer *p;
	unsigned n = 0;

	build_switch(sw);
	p = rpc_peer_create(sw, on_reply, &n);
	while (size) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t len = end ? (size_t)(end - data) : size;

		rpc_handle(p, (const char *)data, len);
		/* Every second line finds the answers before it still on their way. */
		if (len & 1)
			while (fake_sw_run(sw))
				;
		data += len + (end ? 1 : 0);
		size -= len + (end ? 1 : 0);
	}
	/* The client leaves before the rest is answered. */
	rpc_peer_close(p);
	while (fake_sw_run(sw))
		;
	fake_sw_destroy(sw);
	return 0;
}
