/* SPDX-License-Identifier: Apache-2.0 */
/* Connection targets, as other switches spell them: "tcp:HOST[:PORT]", "ptcp:[PORT][:HOST]", "unix:PATH" and so on. */
#include "ofproto/agent/target.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static const struct scheme {
	const char *name;
	bool passive, tls, is_unix;
} schemes[] = {
	{ "tcp", false, false, false }, { "ssl", false, true, false },  { "tls", false, true, false },
	{ "ptcp", true, false, false }, { "pssl", true, true, false },  { "ptls", true, true, false },
	{ "unix", false, false, true }, { "punix", true, false, true },
};

static const char usage[] = "write tcp:HOST[:PORT], ssl:HOST[:PORT], unix:PATH, ptcp:[PORT][:HOST], pssl:[PORT][:HOST] "
			    "or punix:PATH";

static const struct scheme *
scheme_find(const char *text, struct err *e)
{
	const char *names[ARRAY_SIZE(schemes) + 1] = { NULL }, *near;
	size_t len = strcspn(text, ":");
	char word[16];

	if (!text[len]) {
		err_set(e, EINVAL, "controller '%s': %s", text, usage);
		return NULL;
	}
	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
		names[i] = schemes[i].name;
		if (strlen(names[i]) == len && !strncmp(names[i], text, len))
			return &schemes[i];
	}
	/* "10.0.0.1:6633" is what people write first. */
	if (!len || len >= sizeof word || strcspn(text, ".[") < len || (text[0] >= '0' && text[0] <= '9')) {
		err_set(e, EINVAL, "controller '%s': no scheme; did you mean 'tcp:%s'?", text, text);
		return NULL;
	}
	snprintf(word, sizeof word, "%.*s", (int)len, text);
	near = str_nearest(word, names);
	if (near)
		err_set(e, EINVAL, "controller '%s': unknown scheme '%s': did you mean '%s'?", text, word, near);
	else
		err_set(e, EINVAL, "controller '%s': unknown scheme '%s'; %s", text, word, usage);
	return NULL;
}

static int
parse_port(const char *text, const char *s, bool zero_ok, uint16_t *port, struct err *e)
{
	char *end;
	unsigned long v = strtoul(s, &end, 10);

	if (*s < '0' || *s > '9' || *end || v > 65535 || (!v && !zero_ok))
		return err_set(e, EINVAL, "controller '%s': '%s' is no port: a number from 1 to 65535", text, s);
	*port = v;
	return 0;
}

static bool
is_host_name(const char *s)
{
	size_t n = strlen(s);

	if (!n || n > 253 || s[0] == '-' || s[0] == '.')
		return false;
	return strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == n;
}

/* Looks only at the text: nothing is asked of a name server. */
static int
resolve(const char *text, struct of_target *t, struct err *e)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
					.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | (t->passive ? AI_PASSIVE : 0) };
	struct addrinfo *ai = NULL;
	char port[8];

	snprintf(port, sizeof port, "%u", t->port);
	if (!getaddrinfo(t->host[0] ? t->host : "0.0.0.0", port, &hints, &ai)) {
		memcpy(&t->sa, ai->ai_addr, ai->ai_addrlen);
		t->sa_len = ai->ai_addrlen;
		freeaddrinfo(ai);
		return 0;
	}
	if (t->passive)
		return err_set(e, EINVAL, "controller '%s': '%s' is no IP address to listen on", text, t->host);
	/* Digits and dots alone are an address that went wrong, not a name. */
	if (!is_host_name(t->host) || strspn(t->host, "0123456789.") == strlen(t->host))
		return err_set(e, EINVAL, "controller '%s': '%s' is neither an IP address nor a name", text, t->host);
	t->is_name = true;
	return 0;
}

/* Takes the host off the front of '*s', brackets and all; leaves what comes after it. */
static int
take_host(const char *text, const char **s, struct of_target *t, struct err *e)
{
	const char *end;
	size_t n;

	if (**s == '[') {
		end = strchr(*s, ']');
		if (!end || (end[1] && end[1] != ':'))
			return err_set(e, EINVAL, "controller '%s': the bracket '[' is not closed as in '[2001:db8::1]:6653'",
				       text);
		n = end - *s - 1;
		memcpy(t->host, *s + 1, n);
		*s = end + 1;
	} else {
		n = strcspn(*s, ":");
		if ((*s)[n] && strchr(*s + n + 1, ':'))
			return err_set(e, EINVAL, "controller '%s': put an IPv6 address in brackets: '[2001:db8::1]:6653'",
				       text);
		memcpy(t->host, *s, n);
		*s += n;
	}
	t->host[n] = '\0';
	return 0;
}

static int
parse_active(const char *text, const char *s, struct of_target *t, struct err *e)
{
	int rc = take_host(text, &s, t, e);

	if (rc)
		return rc;
	if (!t->host[0])
		return err_set(e, EINVAL, "controller '%s': no address; %s", text, usage);
	if (*s == ':') {
		rc = parse_port(text, s + 1, false, &t->port, e);
		if (rc)
			return rc;
	}
	return resolve(text, t, e);
}

static int
parse_passive(const char *text, const char *s, struct of_target *t, struct err *e)
{
	char port[OF_TARGET_MAX + 1];
	size_t n = strcspn(s, ":");
	int rc;

	snprintf(port, sizeof port, "%.*s", (int)n, s);
	if (n) {
		rc = parse_port(text, port, true, &t->port, e);
		if (rc)
			return rc;
	}
	if (s[n] == ':') {
		s += n + 1;
		rc = take_host(text, &s, t, e);
		if (rc)
			return rc;
		if (*s)
			return err_set(e, EINVAL, "controller '%s': the port comes first: 'ptcp:PORT:HOST'", text);
	}
	return resolve(text, t, e);
}

static int
parse_unix(const char *text, const char *path, struct of_target *t, struct err *e)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&t->sa;

	if (!*path)
		return err_set(e, EINVAL, "controller '%s': no path", text);
	if (!str_copy(un->sun_path, sizeof un->sun_path, path))
		return err_set(e, EINVAL, "controller '%s': a socket path has at most %zu bytes", text,
			       sizeof un->sun_path - 1);
	un->sun_family = AF_UNIX;
	t->sa_len = sizeof *un;
	str_copy(t->host, sizeof t->host, path);
	return 0;
}

int
of_target_parse(const char *text, struct of_target *t, struct err *e)
{
	const struct scheme *s;
	const char *rest;

	memset(t, 0, sizeof *t);
	if (strlen(text) > OF_TARGET_MAX)
		return err_set(e, EINVAL, "controller '%.32s...': longer than %d bytes", text, OF_TARGET_MAX);
	s = scheme_find(text, e);
	if (!s)
		return -EINVAL;
	rest = text + strlen(s->name) + 1;
	t->passive = s->passive;
	t->tls = s->tls;
	t->is_unix = s->is_unix;
	t->port = OF_PORT_DEFAULT;
	if (s->is_unix)
		return parse_unix(text, rest, t, e);
	return s->passive ? parse_passive(text, rest, t, e) : parse_active(text, rest, t, e);
}

int
of_target_check(const char *target, struct err *e)
{
	struct of_target t;

	return of_target_parse(target, &t, e);
}

void
of_peer_format(const struct sockaddr *sa, bool tls, char *buf, size_t len)
{
	const char *scheme = tls ? "ssl" : "tcp";
	char host[NI_MAXHOST], serv[NI_MAXSERV];
	socklen_t sa_len = sa->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);

	if (sa->sa_family != AF_INET && sa->sa_family != AF_INET6)
		snprintf(buf, len, "unix");
	else if (getnameinfo(sa, sa_len, host, sizeof host, serv, sizeof serv, NI_NUMERICHOST | NI_NUMERICSERV))
		snprintf(buf, len, "%s:?", scheme);
	else
		snprintf(buf, len, sa->sa_family == AF_INET6 ? "%s:[%s]:%s" : "%s:%s:%s", scheme, host, serv);
}
