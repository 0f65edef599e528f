/* SPDX-License-Identifier: Apache-2.0 */
/* Live OpenFlow messages for a client that watches: a stream of notifications "ofmsg". */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/cmd.h"
#include "ctl/sw.h"
#include "ofproto/agent.h"

enum { TEXT_MAX = 256 << 10 };

struct tail {
	struct ctl_stream *stream;
	struct of_tap *tap;
	uint64_t lost;                  /* Messages since the last one that was sent. */
	uint64_t left;                  /* To be sent yet; UINT64_MAX: no end. */
};

static void
on_gone(void *arg)
{
	struct tail *t = arg;

	of_tap_close(t->tap);
	free(t);
}

/* The message as text, cut where it is longer than anyone reads.  Caller frees. */
static char *
text_of(const struct of_msg *m)
{
	char small[1000];
	int len = of_msg_format(m, small, sizeof small);
	char *text;

	if (len < (int)sizeof small)
		return xstrdup(len > 0 ? small : "");
	len = MIN_OF(len, TEXT_MAX);
	text = xcalloc(1, (size_t)len + 1);
	of_msg_format(m, text, (size_t)len + 1);
	return text;
}

/* Sending is the last thing done here: it may end the stream. */
static void
on_message(void *arg, uint32_t conn, const char *target, bool sent, uint64_t time_ms, const struct of_msg *m)
{
	struct tail *t = arg;
	json_t *params;
	uint64_t lost = t->lost;
	bool last = t->left == 1;
	char *text;

	if (!t->left)
		return;
	params = json_object();
	text = text_of(m);
	ctl_set_num(params, "conn", conn);
	ctl_set_str(params, "target", target);
	json_object_set_new(params, "sent", json_boolean(sent));
	ctl_set_num(params, "time_ms", time_ms);
	ctl_set_str(params, "text", text);
	ctl_set_num(params, "lost", lost);
	if (last)
		json_object_set_new(params, "last", json_true());
	free(text);
	t->lost = 0;
	t->left -= t->left != UINT64_MAX;
	if (!ctl_stream_send(t->stream, "ofmsg", params)) {
		t->lost = lost + 1;
		t->left += t->left != UINT64_MAX;
	}
}

static void
ofmsg_tail(struct ctl_req *r)
{
	struct tail *t;
	uint16_t bridge;

	if (!ctl_need_bridge(r, ctl_str(r, "bridge"), &bridge))
		return;
	t = xcalloc(1, sizeof *t);
	t->left = ctl_num(r, "count", 0) ? ctl_num(r, "count", 0) : UINT64_MAX;
	t->stream = ctl_stream_open(r, on_gone, t);
	if (t->stream)
		t->tap = of_tap_open(sw_agent(ctl_sw(r)), bridge, (uint32_t)ctl_num(r, "conn", 0), on_message, t);
	if (t->tap) {
		ctl_reply(r, json_object());
		return;
	}
	if (t->stream)
		ctl_stream_close(t->stream);
	free(t);
	ctl_refuse_fmt(r, NULL, EBUSY, "the messages of bridge %s cannot be watched now", ctl_str(r, "bridge"));
}

static const struct ctl_param tail_params[] = {
	{ .name = "bridge", .kind = CTL_STR, .required = true, .help = "name of a bridge" },
	{ .name = "conn", .kind = CTL_U32, .help = "only this connection, as numbered by controller.show" },
	{ .name = "count", .kind = CTL_U32, .help = "end after so many" },
	{ 0 }
};

const struct ctl_method ctl_ofmsg_methods[] = {
	{ "ofmsg.tail", tail_params, ofmsg_tail, "sends the client each OpenFlow message as a notification \"ofmsg\", until "
	  "it hangs up", "{\"bridge\": \"br0\"}" },
	{ 0 }
};
