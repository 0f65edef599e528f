/* SPDX-License-Identifier: Apache-2.0 */
/* Traces: of a packet as words describe it, or of those of a capture file. */
#include <dlfcn.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/cli.h"

/* --- Printing ---------------------------------------------------------------------------------------------- */

static void
print_lines(struct out *o, const char *s)
{
	for (; *s; s++)
		fputc((*s != '\n' && *s != '\t' && (unsigned char)*s < 0x20) || *s == 0x7f ? '?' : *s, o->f);
}

void
cli_print_trace(struct out *o, const json_t *result)
{
	const json_t *cached = json_object_get(result, "cached");
	const char *text = cli_str(result, "text");
	size_t i, len = strlen(text);
	json_t *f;

	print_lines(o, text);
	if (len && text[len - 1] != '\n')
		fputc('\n', o->f);
	if (!json_array_size(cached)) {
		out_text(o, ST_PLAIN, "not cached: the first such packet will be worked out\n");
		return;
	}
	out_text(o, ST_PLAIN, "cached:\n");
	json_array_foreach(cached, i, f)
		cli_print_flow(o, f);
}

/* --- Capture files ----------------------------------------------------------------------------------------- */

/* libpcap, loaded when it is needed: it brings along a dozen libraries, and weftctl has to start at once. */
struct pcap_lib {
	void *so;
	pcap_t *(*open_offline)(const char *, char *);
	int (*next_ex)(pcap_t *, struct pcap_pkthdr **, const unsigned char **);
	int (*datalink)(pcap_t *);
	char *(*geterr)(pcap_t *);
	void (*close)(pcap_t *);
};

static bool
load(struct pcap_lib *l)
{
	l->so = dlopen("libpcap.so.0.8", RTLD_NOW);
	if (!l->so)
		l->so = dlopen("libpcap.so.1", RTLD_NOW);
	if (!l->so) {
		fprintf(stderr, "weftctl: --pcap needs libpcap: install libpcap0.8\n");
		return false;
	}
	*(void **)&l->open_offline = dlsym(l->so, "pcap_open_offline");
	*(void **)&l->next_ex = dlsym(l->so, "pcap_next_ex");
	*(void **)&l->datalink = dlsym(l->so, "pcap_datalink");
	*(void **)&l->geterr = dlsym(l->so, "pcap_geterr");
	*(void **)&l->close = dlsym(l->so, "pcap_close");
	return l->open_offline && l->next_ex && l->datalink && l->geterr && l->close;
}

/* Traces one packet; 'title' NULL: the only one. */
static bool
trace(struct cli *c, const struct cli_cmd *cmd, const json_t *params, const char *hex, const char *title)
{
	json_t *args = json_copy((json_t *)params), *result;

	if (hex)
		json_object_set_new(args, "packet", json_string(hex));
	result = cli_call(c, cmd->method, args);
	if (result && c->json) {
		json_dumpf(result, c->out.f, JSON_COMPACT);
		fputc('\n', c->out.f);
	} else if (result) {
		if (title)
			out_text(&c->out, ST_BOLD, "%s\n", title);
		cli_print_trace(&c->out, result);
	}
	json_decref(result);
	return result != NULL;
}

static char *
hex_of(const unsigned char *p, unsigned len)
{
	static const char digits[] = "0123456789abcdef";
	char *s = xcalloc(2, (size_t)len + 1);

	for (unsigned i = 0; i < len; i++) {
		s[2 * i] = digits[p[i] >> 4];
		s[2 * i + 1] = digits[p[i] & 15];
	}
	return s;
}

/* 'only' 0: all packets. */
static bool
trace_file(struct cli *c, const struct cli_cmd *cmd, const json_t *params, const struct pcap_lib *l, pcap_t *p,
	   unsigned long only)
{
	struct pcap_pkthdr *h;
	const unsigned char *data;
	unsigned long n = 0;
	bool ok = true;
	int rc = 0;

	while (ok && (rc = l->next_ex(p, &h, &data)) > 0) {
		char title[100], *hex;

		n++;
		if (only && n != only)
			continue;
		snprintf(title, sizeof title, "packet %lu, %u bytes%s", n, h->len, h->caplen < h->len ? ", cut in the file" : "");
		hex = hex_of(data, MIN_OF(h->caplen, 65535u));
		ok = trace(c, cmd, params, hex, title);
		free(hex);
		if (only)
			return ok;
	}
	if (rc == -1)
		fprintf(stderr, "weftctl %s: packet %lu: %s\n", cmd->name, n + 1, l->geterr(p));
	else if (ok && (only || !n))
		fprintf(stderr, "weftctl %s: the file has %lu packet%s\n", cmd->name, n, n == 1 ? "" : "s");
	return ok && rc != -1 && n >= only && n;
}

static int
trace_pcap(struct cli *c, const struct cli_cmd *cmd, const json_t *params, const char *file, unsigned long only)
{
	char why[PCAP_ERRBUF_SIZE] = "";
	struct pcap_lib l = { 0 };
	pcap_t *p;
	bool ok = false;

	if (!load(&l))
		return CLI_REFUSED;
	p = l.open_offline(file, why);
	if (!p) {
		fprintf(stderr, "weftctl %s: %s\n", cmd->name, why);
		return CLI_REFUSED;
	}
	if (l.datalink(p) == DLT_EN10MB)
		ok = trace_file(c, cmd, params, &l, p, only);
	else
		fprintf(stderr, "weftctl %s: %s: no capture of Ethernet frames\n", cmd->name, file);
	l.close(p);
	return ok ? CLI_OK : CLI_REFUSED;
}

int
cli_run_trace(struct cli *c, const struct cli_cmd *cmd, json_t *params)
{
	const char *word = cli_str(params, "flow");
	char *file = xstrdup(cli_str(params, "pcap"));
	int rc = CLI_USAGE;

	json_object_del(params, "pcap");
	if (!*file && !*word) {
		fprintf(stderr, "weftctl %s: FLOW is missing, or --pcap FILE; for example: %s\n", cmd->name, cmd->example);
	} else if (!*file) {
		json_t *result = cli_call(c, cmd->method, json_incref(params));

		if (result && c->json)
			cli_print_json(&c->out, result);
		else if (result)
			cli_print_trace(&c->out, result);
		json_decref(result);
		rc = result ? CLI_OK : CLI_REFUSED;
	} else if (!json_object_get(params, "in-port")) {
		fprintf(stderr, "weftctl %s: --in-port is missing: a capture does not say where its packets came in\n", cmd->name);
	} else if (word[strspn(word, "0123456789")] || strlen(word) > 9) {
		fprintf(stderr, "weftctl %s: '%s' is no number of a packet\n", cmd->name, word);
	} else {
		unsigned long only = strtoul(word, NULL, 10);

		json_object_del(params, "flow");
		rc = trace_pcap(c, cmd, params, file, only);
	}
	free(file);
	return rc;
}
