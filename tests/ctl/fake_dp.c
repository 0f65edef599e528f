/* SPDX-License-Identifier: Apache-2.0 */
/* FAKE datapath and underlay: ports are opened, views swapped and grace periods kept as in the real
 * ones, but time passes only when a test says so. */
#include "tests/ctl/fake_dp.h"

#include <errno.h>
#include <stdlib.h>

struct deferred {
	struct deferred *next;
	void (*fn)(void *);
	void *arg;
	bool due;
};

struct dp {
	struct dp_conf conf;
	struct port *port[DP_MAX_PORTS];
	const void *view;
	void (*destroy)(void *);
	struct guard_conf guard[DP_MAX_PORTS];
	struct {
		unsigned n, cpu[OPT_STRS_MAX];
	} pin[DP_MAX_PORTS];
	struct tun_view *tun;
	struct deferred *dead, *queue;
	unsigned commits;
};

static void
push(struct deferred **tail, void (*fn)(void *), void *arg)
{
	struct deferred *d = xcalloc(1, sizeof *d);

	while (*tail)
		tail = &(*tail)->next;
	*d = (struct deferred){ .fn = fn, .arg = arg };
	*tail = d;
}

struct dp *
dp_create(const struct dp_conf *conf, struct err *e)
{
	struct dp *dp = xcalloc(1, sizeof *dp);

	(void)e;
	dp->conf = *conf;
	return dp;
}

static void
free_port(void *arg)
{
	struct port *p = arg;

	p->type->close(p);
	free(p->priv);
	free(p);
}

static bool
run_due(struct dp *dp)
{
	while (dp->queue && dp->queue->due) {
		struct deferred *d = dp->queue;

		dp->queue = d->next;
		d->fn(d->arg);
		free(d);
	}
	return dp->queue != NULL;
}

void
fake_dp_grace(struct dp *dp)
{
	for (struct deferred *d = dp->queue; d; d = d->next)
		d->due = true;
}

void
dp_destroy(struct dp *dp)
{
	if (!dp)
		return;
	/* What runs may put off more. */
	do {
		dp_commit(dp, NULL, NULL);
		fake_dp_grace(dp);
	} while (run_due(dp) || dp->dead);
	for (unsigned i = 1; i < DP_MAX_PORTS; i++)
		if (dp->port[i])
			free_port(dp->port[i]);
	if (dp->destroy)
		dp->destroy((void *)(uintptr_t)dp->view);
	free(dp->tun);
	free(dp);
}

const struct dp_conf *
fake_dp_conf(const struct dp *dp)
{
	return &dp->conf;
}

unsigned
fake_dp_commits(const struct dp *dp)
{
	return dp->commits;
}

const char *const *
dp_isa_names(void)
{
	static const char *const names[] = { "x86-64-v2", NULL };

	return names;
}

int
dp_event_fd(const struct dp *dp)
{
	(void)dp;
	return -1;
}

bool
dp_poll(struct dp *dp)
{
	return run_due(dp);
}

struct port *
dp_port_add(struct dp *dp, const struct port_type *type, const char *name, uint16_t id, const void *conf, struct err *e)
{
	struct port *p;

	if (!id || id >= DP_MAX_PORTS || dp->port[id])
		abort();
	p = xcalloc(1, sizeof *p);
	p->type = type;
	p->id = id;
	str_copy(p->name, sizeof p->name, name);
	p->priv = xcalloc(1, type->priv_size);
	if (type->open(p, conf, e)) {
		free(p->priv);
		free(p);
		return NULL;
	}
	dp->port[id] = p;
	return p;
}

void
dp_port_del(struct dp *dp, struct port *p)
{
	dp->port[p->id] = NULL;
	push(&dp->dead, free_port, p);
}

void
dp_set_xlate_view(struct dp *dp, const void *view, void (*destroy)(void *))
{
	if (dp->destroy)
		push(&dp->dead, dp->destroy, (void *)(uintptr_t)dp->view);
	dp->view = view;
	dp->destroy = destroy;
}

void
dp_set_tunnels(struct dp *dp, struct tun_view *v)
{
	if (dp->tun)
		push(&dp->dead, free, dp->tun);
	dp->tun = v;
}

bool
dp_port_guard(struct dp *dp, uint16_t port, const struct guard_conf *c)
{
	bool differs = memcmp(&dp->guard[port], c, sizeof *c) != 0;

	dp->guard[port] = *c;
	return differs;
}

const struct guard_conf *
fake_dp_guard(const struct dp *dp, uint16_t port)
{
	return &dp->guard[port];
}

void
dp_tag_changed(struct dp *dp, dp_tag tag)
{
	(void)dp, (void)tag;
}

void
dp_commit(struct dp *dp, void (*done)(void *), void *arg)
{
	struct deferred **tail = &dp->queue;

	dp->commits++;
	while (*tail)
		tail = &(*tail)->next;
	*tail = dp->dead;
	dp->dead = NULL;
	if (done)
		push(&dp->queue, done, arg);
}

void
dp_port_stats(const struct dp *dp, uint16_t id, struct dp_port_stats *out)
{
	(void)dp;
	*out = (struct dp_port_stats){ .rx_packets = id };
	out->drops[DROP_VLAN] = 7;
}

/* --- Underlay ------------------------------------------------------------------------------------ */

struct underlay {
	struct fake_underlay f;
};
struct fake_underlay *fake_underlay;

struct underlay *
underlay_create(const struct underlay_ops *ops, struct err *e)
{
	struct underlay *u = xcalloc(1, sizeof *u);

	(void)e;
	u->f.ops = *ops;
	fake_underlay = &u->f;
	return u;
}

void
underlay_destroy(struct underlay *u)
{
	free(u);
	fake_underlay = NULL;
}

int
underlay_check(const struct underlay_tunnel *const *t, unsigned n, unsigned *culprit, struct err *e)
{
	for (unsigned i = 0; i < n; i++)
		for (unsigned j = 0; j < i; j++)
			if (t[i]->conf.key == t[j]->conf.key) {
				*culprit = i;
				return err_set(e, EEXIST, "vni %u twice", t[i]->conf.key);
			}
	return 0;
}

static struct underlay_tunnel *
find(struct underlay *u, uint16_t port)
{
	for (unsigned i = 0; i < u->f.n; i++)
		if (u->f.t[i].port == port)
			return &u->f.t[i];
	return NULL;
}

int
underlay_set(struct underlay *u, const struct underlay_tunnel *t, struct err *e)
{
	struct underlay_tunnel *old = find(u, t->port);

	(void)e;
	if (!old && u->f.n == ARRAY_SIZE(u->f.t))
		abort();
	*(old ? old : &u->f.t[u->f.n++]) = *t;
	return 0;
}

void
underlay_del(struct underlay *u, uint16_t port)
{
	struct underlay_tunnel *t = find(u, port);

	if (t)
		*t = u->f.t[--u->f.n];
}

unsigned
underlay_dsts(const struct underlay *u, uint16_t port, uint32_t dst[OPT_LIST_MAX])
{
	const struct underlay_tunnel *t = find((struct underlay *)u, port);

	for (unsigned i = 0; t && i < t->conf.remote.n; i++)
		dst[i] = port * 100u + i;
	return t ? t->conf.remote.n : 0;
}

void
underlay_update(struct underlay *u, uint64_t now_ms)
{
	(void)now_ms;
	u->f.updates++;
	u->f.ops.set_view(u->f.ops.arg, xcalloc(1, 1));
}

int
underlay_fd(const struct underlay *u)
{
	(void)u;
	return -1;
}

unsigned
underlay_poll(struct underlay *u, uint64_t now_ms)
{
	(void)u, (void)now_ms;
	return 1000;
}

uint64_t
underlay_bfd_due(const struct underlay *u)
{
	(void)u;
	return UINT64_MAX;
}

void
underlay_bfd_poll(struct underlay *u, uint64_t now_ms)
{
	(void)u, (void)now_ms;
}

void
underlay_bfd_input(struct underlay *u, uint32_t dst, const void *frame, unsigned len, uint64_t now_ms)
{
	(void)u, (void)dst, (void)frame, (void)len, (void)now_ms;
}

int
dp_tun_send(struct dp *dp, uint32_t tun_dst, const void *frame, uint32_t len)
{
	(void)dp, (void)tun_dst, (void)frame, (void)len;
	return 0;
}

void
underlay_resolve(struct underlay *u, uint32_t dst, uint64_t now_ms)
{
	(void)dst, (void)now_ms;
	u->f.resolves++;
}

void
underlay_stats(const struct underlay *u, struct underlay_stats *out)
{
	(void)u;
	*out = (struct underlay_stats){ .neighbours = 1 };
}

unsigned
underlay_remotes(const struct underlay *u, uint16_t port, struct underlay_remote out[OPT_LIST_MAX])
{
	const struct underlay_tunnel *t = find((struct underlay *)u, port);

	for (unsigned i = 0; t && i < t->conf.remote.n; i++)
		out[i] = (struct underlay_remote){ .remote = t->conf.remote.ip[i], .dst = port * 100u + i,
			.state = TUN_DST_NO_ROUTE, .state_name = "no-route", .reason = "no route" };
	return t ? t->conf.remote.n : 0;
}

void
dp_defer(struct dp *dp, void (*fn)(void *), void *obj)
{
	push(&dp->dead, fn, obj);
}

void
dp_fold(struct dp *dp, void (*done)(void *), void *arg)
{
	(void)dp;
	done(arg);
}

int
dp_meter_set(struct dp *dp, uint32_t meter, const struct dp_meter_conf *c)
{
	(void)dp;
	(void)meter;
	(void)c;
	return 0;
}

void
dp_meter_del(struct dp *dp, uint32_t meter)
{
	(void)dp;
	(void)meter;
}

void
dp_meter_stats(const struct dp *dp, uint32_t meter, struct dp_meter_stats *s)
{
	(void)dp;
	(void)meter;
	memset(s, 0, sizeof *s);
}

int
dp_exec(struct dp *dp, const struct flow_key *key, const void *frame, uint32_t len, const struct act *a, unsigned n)
{
	(void)dp;
	(void)key;
	(void)frame;
	(void)len;
	(void)a;
	(void)n;
	return 0;
}

void
underlay_peer(struct underlay *u, uint16_t port, const struct ipaddr *remote, const struct ipaddr *local, bool heard,
	      uint64_t now_ms)
{
	(void)u, (void)port, (void)remote, (void)local, (void)heard, (void)now_ms;
}

void
underlay_flush(struct underlay *u)
{
	(void)u;
}

unsigned
underlay_learned(const struct underlay *u, uint16_t port, void (*cb)(void *, const struct underlay_remote *), void *arg)
{
	(void)u, (void)port, (void)cb, (void)arg;
	return 0;
}

const char *
underlay_deaf(const struct underlay *u, uint16_t port)
{
	(void)u, (void)port;
	return "";
}

uint32_t
dp_tun_used(const struct dp *dp, uint32_t dst)
{
	(void)dp, (void)dst;
	return 0;
}

void
dp_tun_used_reset(struct dp *dp, uint32_t dst)
{
	(void)dp, (void)dst;
}

bool
dp_port_pin(struct dp *dp, uint16_t port, const unsigned *cpu, unsigned n)
{
	memset(&dp->pin[port], 0, sizeof dp->pin[port]);
	dp->pin[port].n = n;
	for (unsigned i = 0; i < n; i++)
		dp->pin[port].cpu[i] = cpu[i];
	return true;
}

const unsigned *
fake_dp_pins(const struct dp *dp, uint16_t port, unsigned *n)
{
	*n = dp->pin[port].n;
	return dp->pin[port].cpu;
}

void
dp_balance(struct dp *dp)
{
	(void)dp;
}
