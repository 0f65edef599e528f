/* SPDX-License-Identifier: Apache-2.0 */
/* TLS with certificates made for the occasion. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include "ofproto/agent/agent_priv.h"
#include "tests/ofproto/agent/peer.h"

static char certs[64];                  /* ca, switch, controller; other-ca, stranger. */

static bool
run(const char *fmt, ...)
{
	char cmd[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof cmd, fmt, ap);
	va_end(ap);
	return !system(cmd);
}

static bool
make_ca(const char *name)
{
	return run("cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 100 "
		   "-subj /CN=%s -keyout %s.key -out %s.pem 2>/dev/null",
		   certs, name, name, name);
}

static bool
make_cert(const char *ca, const char *name, int days)
{
	return run("cd %s && openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=%s "
		   "-keyout %s.key -out %s.csr 2>/dev/null && "
		   "openssl x509 -req -days %d -in %s.csr -CA %s.pem -CAkey %s.key -CAcreateserial -out %s.pem 2>/dev/null",
		   certs, name, name, name, days, name, ca, ca, name);
}

static int
make_certs(void **state)
{
	(void)state;
	if (!run("command -v openssl >/dev/null"))
		return 0;
	strcpy(certs, "/tmp/weft-certs-XXXXXX");
	if (!mkdtemp(certs))
		return -1;
	return make_ca("ca") && make_ca("other-ca") && make_cert("ca", "switch", 100) && make_cert("ca", "switch2", 5) &&
			       make_cert("ca", "controller", 100) && make_cert("other-ca", "stranger", 100) ?
		       0 :
		       -1;
}

static int
remove_certs(void **state)
{
	(void)state;
	return !certs[0] || run("rm -r %s", certs) ? 0 : -1;
}

static const char *
path(const char *name)
{
	static char buf[8][160];
	static unsigned i;

	i = (i + 1) % 8;
	snprintf(buf[i], sizeof buf[i], "%s/%s", certs, name);
	return buf[i];
}

static void
need_openssl(void)
{
	if (!certs[0]) {
		print_message("no openssl command to make certificates with\n");
		skip();
	}
	t.conf.private_key = path("sw.key");
	t.conf.certificate = path("sw.pem");
	t.conf.ca_cert = path("ca.pem");
	t.conf.max_backoff_ms = 20;
	t.agent->backoff_ms = 10;
	assert_true(run("cd %s && cp switch.key sw.key && cp switch.pem sw.pem && rm -f learnt.pem", certs));
}

/* --- The other side ----------------------------------------------------------------------------- */

struct tls_peer {
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
};

/* As 'who' says it is; "": nobody. */
static struct tls_peer
tls_peer(int fd, const char *who, bool server)
{
	struct tls_peer p = { .fd = fd, .ctx = SSL_CTX_new(TLS_method()) };
	char name[64];

	if (who[0]) {
		snprintf(name, sizeof name, "%s.pem", who);
		assert_int_equal(SSL_CTX_use_certificate_chain_file(p.ctx, path(name)), 1);
		snprintf(name, sizeof name, "%s.key", who);
		assert_int_equal(SSL_CTX_use_PrivateKey_file(p.ctx, path(name), SSL_FILETYPE_PEM), 1);
	}
	if (server)
		SSL_CTX_set_verify(p.ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_mode(p.ctx, SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_load_verify_locations(p.ctx, path("ca.pem"), NULL);
	p.ssl = SSL_new(p.ctx);
	SSL_set_fd(p.ssl, fd);
	if (server)
		SSL_set_accept_state(p.ssl);
	else
		SSL_set_connect_state(p.ssl);
	return p;
}

static void
tls_close(struct tls_peer *p)
{
	SSL_free(p->ssl);
	SSL_CTX_free(p->ctx);
	close(p->fd);
}

/* Whether the agent's HELLO arrives. */
static bool
tls_hello(struct tls_peer *p)
{
	uint8_t buf[64];

	for (uint64_t end = clock_ms() + DEADLINE_MS; clock_ms() < end; turn()) {
		int n = SSL_read(p->ssl, buf, sizeof buf);

		if (n > 0)
			return n >= 8 && buf[0] == OF14 && buf[1] == 0;
		if (SSL_get_error(p->ssl, n) != SSL_ERROR_WANT_READ && SSL_get_error(p->ssl, n) != SSL_ERROR_WANT_WRITE) {
			ERR_clear_error();
			return false;
		}
	}
	fail_msg("neither HELLO nor an end");
	return false;
}

static void
agent_name(const struct tls_peer *p, char *name, size_t len)
{
	X509 *cert = SSL_get1_peer_certificate(p->ssl);

	name[0] = '\0';
	if (cert)
		X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name, len);
	X509_free(cert);
}

static int
tcp_listen(uint16_t *port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof sa;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	assert_int_equal(listen(fd, 8), 0);
	getsockname(fd, (struct sockaddr *)&sa, &len);
	*port = ntohs(sa.sin_port);
	return fd;
}

static int
tcp_accept(int l)
{
	int fd = -1;

	UNTIL((fd = accept4(l, NULL, NULL, SOCK_NONBLOCK)) >= 0);
	return fd;
}

static int
tcp_connect(uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) }, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	assert_int_equal(evutil_make_socket_nonblocking(fd), 0);
	return fd;
}

/* --- Tests -------------------------------------------------------------------------------------- */

/* A controller at 'l': whether it and the agent take each other. */
static bool
dialled(int l, const char *who)
{
	struct tls_peer p = tls_peer(tcp_accept(l), who, true);
	bool ok = tls_hello(&p);

	tls_close(&p);
	return ok;
}

static void
a_controller_of_the_same_authority_is_taken(void **state)
{
	char target[64];
	uint16_t port;
	int l;

	(void)state;
	need_openssl();
	l = tcp_listen(&port);
	snprintf(target, sizeof target, "ssl:127.0.0.1:%u", port);
	t.conf.controllers[0] = target;
	t.conf.n_controllers = 1;
	configure();
	assert_true(dialled(l, "controller"));
	/* And a stranger is not, with the reason. */
	assert_false(dialled(l, "stranger"));
	UNTIL(strstr(info().error, "certificate"));
	close(l);
}

static void
old_versions_of_tls_are_refused(void **state)
{
	struct tls_peer p;
	char target[64];
	uint16_t port;
	int l;

	(void)state;
	need_openssl();
	l = tcp_listen(&port);
	snprintf(target, sizeof target, "tls:127.0.0.1:%u", port);
	t.conf.controllers[0] = target;
	t.conf.n_controllers = 1;
	configure();
	p = tls_peer(tcp_accept(l), "controller", true);
	SSL_set_security_level(p.ssl, 0);
	SSL_set_max_proto_version(p.ssl, TLS1_1_VERSION);
	assert_false(tls_hello(&p));
	tls_close(&p);
	p = tls_peer(tcp_accept(l), "controller", true);
	SSL_set_max_proto_version(p.ssl, TLS1_2_VERSION);
	assert_true(tls_hello(&p));
	tls_close(&p);
	close(l);
}

static void
clients_need_a_certificate(void **state)
{
	static const struct {
		const char *who;
		bool ok;
	} rows[] = { { "controller", true }, { "stranger", false }, { "", false } };
	char target[64];
	uint16_t port;

	(void)state;
	need_openssl();
	close(tcp_listen(&port));
	snprintf(target, sizeof target, "pssl:%u:127.0.0.1", port);
	t.conf.controllers[0] = target;
	t.conf.n_controllers = 1;
	configure();
	assert_string_equal(info().state, "listening");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tls_peer p = tls_peer(tcp_connect(port), rows[i].who, false);

		assert_int_equal(tls_hello(&p), rows[i].ok);
		tls_close(&p);
	}
	/* Garbage instead of TLS harms nobody. */
	{
		int fd = tcp_connect(port);
		struct tls_peer p;

		assert_int_equal(send(fd, "GET / HTTP/1.0\r\n\r\n", 18, 0), 18);
		p = tls_peer(tcp_connect(port), "controller", false);
		assert_true(tls_hello(&p));
		tls_close(&p);
		close(fd);
	}
}

static void
changed_files_are_used_without_a_restart(void **state)
{
	struct tls_peer p, old;
	char target[64], name[64];
	uint16_t port;

	(void)state;
	need_openssl();
	close(tcp_listen(&port));
	snprintf(target, sizeof target, "pssl:%u:127.0.0.1", port);
	t.conf.controllers[0] = target;
	t.conf.n_controllers = 1;
	configure();
	old = tls_peer(tcp_connect(port), "controller", false);
	assert_true(tls_hello(&old));
	agent_name(&old, name, sizeof name);
	assert_string_equal(name, "switch");
	/* Only half of the new pair: the old one goes on. */
	assert_true(run("cp %s %s", path("switch2.pem"), path("sw.pem")));
	tls_tick(agent_bridge(t.agent, FAKE_BRIDGE));
	p = tls_peer(tcp_connect(port), "controller", false);
	assert_true(tls_hello(&p));
	agent_name(&p, name, sizeof name);
	assert_string_equal(name, "switch");
	tls_close(&p);
	assert_true(run("cp %s %s", path("switch2.key"), path("sw.key")));
	tls_tick(agent_bridge(t.agent, FAKE_BRIDGE));
	p = tls_peer(tcp_connect(port), "controller", false);
	assert_true(tls_hello(&p));
	agent_name(&p, name, sizeof name);
	assert_string_equal(name, "switch2");
	tls_close(&p);
	/* Who was connected stays so. */
	assert_int_equal(SSL_write(old.ssl, (const uint8_t[8]){ OF13, 0, 0, 8 }, 8), 8);
	UNTIL(info().i.connected);
	tls_close(&old);
}

static void
the_authority_is_learnt_once(void **state)
{
	char target[64];
	struct stat st;
	uint16_t port;
	int l;

	(void)state;
	need_openssl();
	assert_true(run("cd %s && cat controller.pem ca.pem >chain.pem && cp controller.key chain.key", certs));
	l = tcp_listen(&port);
	snprintf(target, sizeof target, "ssl:127.0.0.1:%u", port);
	t.conf.ca_cert = NULL;
	t.conf.bootstrap_ca_cert = path("learnt.pem");
	t.conf.controllers[0] = target;
	t.conf.n_controllers = 1;
	configure();
	/* Who does not show its authority teaches nothing. */
	assert_false(dialled(l, "controller"));
	assert_int_not_equal(stat(path("learnt.pem"), &st), 0);
	/* The first contact serves to learn, and is closed. */
	assert_false(dialled(l, "chain"));
	assert_int_equal(stat(path("learnt.pem"), &st), 0);
	assert_true(dialled(l, "controller"));
	assert_false(dialled(l, "stranger"));
	close(l);
}

static void
without_files_the_reason_is_told(void **state)
{
	(void)state;
	need_openssl();
	t.conf.controllers[0] = "ssl:127.0.0.1:1";
	t.conf.n_controllers = 1;
	t.conf.certificate = NULL;
	configure();
	UNTIL(!strcmp(info().state, "backoff"));
	assert_true(strstr(info().error, "none configured"));
	t.conf.certificate = path("nothing.pem");
	configure();
	UNTIL(strstr(info().error, "nothing.pem"));
	t.conf.certificate = path("controller.pem");
	configure();
	UNTIL(strstr(info().error, "does not fit"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_controller_of_the_same_authority_is_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(old_versions_of_tls_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(clients_need_a_certificate, setup, teardown),
		cmocka_unit_test_setup_teardown(changed_files_are_used_without_a_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(the_authority_is_learnt_once, setup, teardown),
		cmocka_unit_test_setup_teardown(without_files_the_reason_is_told, setup, teardown),
	};

	return cmocka_run_group_tests(tests, make_certs, remove_certs);
}
