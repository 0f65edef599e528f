/* SPDX-License-Identifier: Apache-2.0 */
/* What a bridge does without its controllers.  Standalone: after three probe intervals without any it becomes a learning
 * switch, until one is back, who finds the tables empty.  Secure: it goes on with the rules it has.  Losing and finding
 * a controller again within that time changes nothing. */
#include <event2/event.h>

#include "ofproto/agent/agent_priv.h"

enum { PROBES = 3, DEFAULT_PROBE_MS = 5000 };

static void
reset(struct agent_bridge *br, bool empty)
{
	ofp_of_reset(br->agent->ofp, br->id, empty);
	async_set_events(br);
}

static bool
any_connected(const struct agent_bridge *br)
{
	BRIDGE_EACH_UP (c, br)
		if (conn_is_primary(c))
			return true;
	return false;
}

static void
on_timer(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct agent_bridge *br = arg;

	if (any_connected(br))
		return;
	log_warn("%s: no controller for some time: failing open, the bridge is a learning switch now", br->conf.name);
	br->failed_open = true;
	reset(br, false);
}

/* Watches the time without controllers, where that matters. */
static void
watch(struct agent_bridge *br)
{
	uint64_t ms = PROBES * (uint64_t)(br->conf.probe_ms ? br->conf.probe_ms : DEFAULT_PROBE_MS);
	const struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	if (!br->fail_timer)
		br->fail_timer = evtimer_new(br->agent->base, on_timer, br);
	if (!bridge_n_primaries(br) || br->conf.fail_mode != OF_FAIL_STANDALONE || br->failed_open || any_connected(br))
		event_del(br->fail_timer);
	else if (!event_pending(br->fail_timer, EV_TIMEOUT, NULL))
		event_add(br->fail_timer, &tv);
}

void
fail_configured(struct agent_bridge *br, bool had_controllers, enum of_fail_mode old_mode)
{
	bool has = bridge_n_primaries(br), secure = br->conf.fail_mode == OF_FAIL_SECURE;

	if (has != had_controllers || (!has && br->conf.fail_mode != old_mode)) {
		br->failed_open = false;
		reset(br, has || secure);
	} else if (br->failed_open && secure) {
		br->failed_open = false;
		reset(br, true);
	}
	watch(br);
}

void
fail_connected(struct agent_bridge *br)
{
	if (br->failed_open) {
		log_info("%s: a controller is back: no learning switch any more", br->conf.name);
		br->failed_open = false;
		reset(br, true);
	}
	watch(br);
}

void
fail_lost(struct agent_bridge *br)
{
	watch(br);
}

void
fail_fini(struct agent_bridge *br)
{
	if (br->fail_timer)
		event_free(br->fail_timer);
	br->fail_timer = NULL;
}
