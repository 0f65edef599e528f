/* SPDX-License-Identifier: Apache-2.0 */
/* TLS: both sides show a certificate of the same authority.  Files are watched and read anew when they change; what
 * they say is checked first, and connections that are there go on with what they began with. */
#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ofproto/agent/agent_priv.h"

enum { N_FILES = 4, EXPIRY_WARN_DAYS = 14 };
static const uint64_t expiry_every_ms = 24 * 3600 * 1000;

struct stamp {
	ino_t ino;
	off_t size;
	struct timespec mtime;
};

struct tls {
	SSL_CTX *ctx;                   /* NULL: 'error' says why. */
	bool learning;                  /* No CA yet: the first peer's will be taken. */
	struct stamp stamp[N_FILES];
	uint64_t expiry_told_ms;        /* 0: not yet. */
	struct err error;
};

static void
files(const struct agent_bridge *br, const char *path[N_FILES])
{
	path[0] = br->conf.private_key;
	path[1] = br->conf.certificate;
	path[2] = br->conf.ca_cert;
	path[3] = br->conf.bootstrap_ca_cert;
}

static void
take_stamps(const struct agent_bridge *br, struct stamp stamp[N_FILES])
{
	const char *path[N_FILES];
	struct stat st;

	files(br, path);
	memset(stamp, 0, N_FILES * sizeof *stamp);
	for (unsigned i = 0; i < N_FILES; i++)
		if (path[i] && !stat(path[i], &st))
			stamp[i] = (struct stamp){ .ino = st.st_ino, .size = st.st_size, .mtime = st.st_mtim };
}

static const char *
ssl_reason(void)
{
	unsigned long e = ERR_peek_last_error();
	const char *s = ERR_reason_error_string(e);

	ERR_clear_error();
	return s ? s : "unknown TLS error";
}

/* --- Reading files ------------------------------------------------------------------------------ */

/* A key with a passphrase is refused, rather than asking at a terminal. */
static int
no_passphrase(char *buf UNUSED, int len UNUSED, int w UNUSED, void *arg UNUSED)
{
	return 0;
}

static int
load_own(SSL_CTX *ctx, const struct of_agent_conf *conf, struct err *e)
{
	if (!conf->private_key || !conf->certificate)
		return err_set(e, EINVAL, "TLS needs a private key and a certificate: none configured");
	if (SSL_CTX_use_certificate_chain_file(ctx, conf->certificate) != 1)
		return err_set(e, EINVAL, "certificate %s: %s", conf->certificate, ssl_reason());
	if (SSL_CTX_use_PrivateKey_file(ctx, conf->private_key, SSL_FILETYPE_PEM) == 1)
		return 0;
	if (ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH)
		return err_set(e, EINVAL, "private key %s does not fit certificate %s", conf->private_key, conf->certificate);
	return err_set(e, EINVAL, "private key %s: %s", conf->private_key, ssl_reason());
}

static int
load_ca(SSL_CTX *ctx, const struct of_agent_conf *conf, bool *learning, struct err *e)
{
	const char *path = conf->ca_cert ? conf->ca_cert : conf->bootstrap_ca_cert;

	*learning = false;
	if (!path)
		return err_set(e, EINVAL, "TLS needs a CA certificate to check the peer's: none configured");
	if (!conf->ca_cert && access(path, F_OK)) {
		*learning = true;
		return 0;
	}
	if (SSL_CTX_load_verify_locations(ctx, path, NULL) != 1)
		return err_set(e, EINVAL, "CA certificate %s: %s", path, ssl_reason());
	SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(path));
	return 0;
}

static SSL_CTX *
load(const struct of_agent_conf *conf, bool *learning, struct err *e)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_method());

	if (!ctx) {
		err_set(e, ENOMEM, "TLS: %s", ssl_reason());
		return NULL;
	}
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	if (load_own(ctx, conf, e) || load_ca(ctx, conf, learning, e)) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

static void
warn_expiry(struct agent_bridge *br, struct tls *t)
{
	X509 *cert = t->ctx ? SSL_CTX_get0_certificate(t->ctx) : NULL;
	uint64_t now = clock_ms();
	int days = 0, secs = 0;

	if (!cert || (t->expiry_told_ms && now - t->expiry_told_ms < expiry_every_ms))
		return;
	t->expiry_told_ms = now ? now : 1;
	if (!ASN1_TIME_diff(&days, &secs, NULL, X509_get0_notAfter(cert)))
		return;
	if (days < 0 || secs < 0)
		log_warn("%s: certificate %s: has expired", br->conf.name, br->conf.certificate);
	else if (days < EXPIRY_WARN_DAYS)
		log_warn("%s: certificate %s: expires in %d days", br->conf.name, br->conf.certificate, days);
}

static void
reload(struct agent_bridge *br, struct tls *t, bool changed)
{
	struct err e = { 0 };
	bool learning = false;
	SSL_CTX *ctx = load(&br->conf, &learning, &e);

	if (!ctx) {
		/* What works goes on; a new pair of files may be only half there. */
		if (strcmp(e.msg, t->error.msg))
			log_warn("%s: %s%s", br->conf.name, e.msg, t->ctx ? "; going on with the one before" : "");
		t->error = e;
		return;
	}
	if (changed && t->ctx)
		log_info("%s: TLS files have changed: in use for new connections", br->conf.name);
	SSL_CTX_free(t->ctx);
	t->ctx = ctx;
	t->learning = learning;
	t->error = (struct err){ 0 };
	t->expiry_told_ms = 0;
	warn_expiry(br, t);
}

static struct tls *
get(struct agent_bridge *br)
{
	if (!br->tls) {
		br->tls = xcalloc(1, sizeof *br->tls);
		take_stamps(br, br->tls->stamp);
		reload(br, br->tls, false);
	}
	return br->tls;
}

/* Other files may be configured: as if these had changed. */
void
tls_configure(struct agent_bridge *br)
{
	struct tls *t = br->tls;

	if (!t)
		return;
	take_stamps(br, t->stamp);
	SSL_CTX_free(t->ctx);
	t->ctx = NULL;
	reload(br, t, false);
}

void
tls_tick(struct agent_bridge *br)
{
	struct stamp now[N_FILES];

	if (!br->tls)
		return;
	take_stamps(br, now);
	if (memcmp(now, br->tls->stamp, sizeof now)) {
		memcpy(br->tls->stamp, now, sizeof now);
		reload(br, br->tls, true);
	}
	warn_expiry(br, br->tls);
}

void
tls_destroy(struct tls *t)
{
	if (!t)
		return;
	SSL_CTX_free(t->ctx);
	free(t);
}

/* --- Connections -------------------------------------------------------------------------------- */

struct bufferevent *
tls_bufferevent(struct agent_bridge *br, int fd, bool server, struct err *e)
{
	struct tls *t = get(br);
	struct bufferevent *bev;
	SSL *ssl;

	if (!t->ctx) {
		*e = t->error;
		return NULL;
	}
	if (t->learning && server) {
		err_set(e, EPERM, "TLS: no CA certificate yet to check clients by");
		return NULL;
	}
	ssl = SSL_new(t->ctx);
	if (!ssl) {
		err_set(e, ENOMEM, "TLS: %s", ssl_reason());
		return NULL;
	}
	if (t->learning)
		SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
	bev = bufferevent_openssl_socket_new(br->agent->base, fd, ssl,
					     server ? BUFFEREVENT_SSL_ACCEPTING : BUFFEREVENT_SSL_CONNECTING,
					     BEV_OPT_CLOSE_ON_FREE);
	if (!bev) {
		SSL_free(ssl);
		err_set(e, ENOMEM, "TLS: no memory");
		return NULL;
	}
	bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	return bev;
}

const char *
tls_error(struct bufferevent *bev)
{
	static char text[160];
	SSL *ssl = bufferevent_openssl_get_ssl(bev);
	unsigned long code = bufferevent_get_openssl_error(bev);
	long verify = ssl ? SSL_get_verify_result(ssl) : X509_V_OK;
	const char *why = code ? ERR_reason_error_string(code) : NULL;

	if (verify != X509_V_OK)
		snprintf(text, sizeof text, "TLS: peer's certificate: %s", X509_verify_cert_error_string(verify));
	else if (code)
		snprintf(text, sizeof text, "TLS: %s", why ? why : "failed");
	else
		return NULL;
	return text;
}

/* --- Learning the CA ---------------------------------------------------------------------------- */

/* In whole or not at all, and never over something that is there. */
static int
save_cert(X509 *cert, const char *path, struct err *e)
{
	char tmp[4096];
	FILE *f;
	int fd, ok;

	if (snprintf(tmp, sizeof tmp, "%s.new", path) >= (int)sizeof tmp)
		return err_set(e, ENAMETOOLONG, "%s: path too long", path);
	unlink(tmp);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	f = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!f)
		return err_set(e, errno, "%s: %s", tmp, strerror(errno));
	ok = PEM_write_X509(f, cert) && !fflush(f) && !fsync(fd);
	ok = !fclose(f) && ok;
	if (ok && !link(tmp, path)) {
		unlink(tmp);
		return 0;
	}
	err_set(e, errno ? errno : EIO, "%s: %s", path, strerror(errno ? errno : EIO));
	unlink(tmp);
	return -e->code;
}

bool
tls_accept_peer(struct conn *c, struct err *e)
{
	struct agent_bridge *br = c->br;
	SSL *ssl = bufferevent_openssl_get_ssl(c->bev);
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
	const char *path = br->conf.bootstrap_ca_cert;
	X509 *ca = chain && sk_X509_num(chain) > 0 ? sk_X509_value(chain, sk_X509_num(chain) - 1) : NULL;

	/* Only those that were let in without a check. */
	if (SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE)
		return true;
	if (!br->tls || !br->tls->learning || !path) {
		err_set(e, EAGAIN, "the CA certificate was learnt meanwhile; connecting again");
		return false;
	}
	if (!ca || X509_check_issued(ca, ca) != X509_V_OK) {
		err_set(e, EPERM, "TLS: the peer does not send its CA certificate, which is to be learnt: give ca-cert");
		return false;
	}
	if (save_cert(ca, path, e))
		return false;
	log_info("%s: controller %s: CA certificate learnt and saved as %s", br->conf.name, c->name, path);
	take_stamps(br, br->tls->stamp);
	reload(br, br->tls, true);
	err_set(e, EAGAIN, "the CA certificate was learnt; connecting again");
	return false;
}
