/* SPDX-License-Identifier: Apache-2.0 */
/* Prints OpenFlow messages as they come. */
#include <string.h>
#include <time.h>

#include "ctl/cli.h"

/* Text of a peer: it may hold anything but what commands the terminal. */
static void
print_text(struct out *o, const char *s)
{
	for (; *s; s++) {
		bool c1 = (unsigned char)s[0] == 0xc2 && ((unsigned char)s[1] & 0xe0) == 0x80;

		fputc((*s != '\n' && (unsigned char)*s < 0x20) || *s == 0x7f || c1 ? '?' : *s, o->f);
		s += c1;
	}
	fputc('\n', o->f);
}

static void
print_message(struct out *o, const json_t *m)
{
	uint64_t lost = cli_num(m, "lost"), ms = cli_num(m, "time_ms");
	time_t s = (time_t)(ms / 1000);
	struct tm tm;

	if (lost)
		out_text(o, ST_WARN, "(%s message%s left out)\n", num_count(lost).s, lost == 1 ? "" : "s");
	localtime_r(&s, &tm);
	out_text(o, ST_DIM, "%02d:%02d:%02d.%03u ", tm.tm_hour, tm.tm_min, tm.tm_sec, (unsigned)(ms % 1000));
	out_text(o, ST_BOLD, "%s %s ", cli_str(m, "target"), json_is_true(json_object_get(m, "sent")) ? "->" : "<-");
	print_text(o, cli_str(m, "text"));
}

int
cli_run_ofmsg_tail(struct cli *c, const struct cli_cmd *cmd, json_t *params)
{
	json_t *result = cli_call(c, cmd->method, json_incref(params)), *m;
	bool last = false;

	if (!result)
		return CLI_REFUSED;
	json_decref(result);
	while (!last && (m = cli_next(c))) {
		if (c->json) {
			json_dumpf(m, c->out.f, JSON_COMPACT);
			fputc('\n', c->out.f);
		} else {
			print_message(&c->out, m);
		}
		fflush(c->out.f);
		last = json_is_true(json_object_get(m, "last"));
		json_decref(m);
	}
	return last ? CLI_OK : CLI_REFUSED;
}
