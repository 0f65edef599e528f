/* SPDX-License-Identifier: Apache-2.0 */
/* The switch under test; see world.h. */
#include "tests/packet/world.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "tests/datapath/mem_port.h"

enum { PATIENCE_MS = 5000, N_MBUFS = 4096 };

/* --- The translator ------------------------------------------------------------------------ */

/* Every field there is, but for what no packet of the port could have. */
static void
deep_port_mask(const void *view, uint16_t port, struct flow_key *mask)
{
	ofp_xlate.port_mask(view, port, mask);
	memset(mask, 0xff, sizeof *mask);
}

static void
deep_translate(const void *view, const struct flow_key *key, const struct xlate_pkt *pkt, struct xlate_out *out)
{
	ofp_xlate.translate(view, key, pkt, out);
	memset(&out->mask, 0xff, sizeof out->mask);
}

static void
deep_touch(const void *view, uint64_t touch)
{
	ofp_xlate.touch(view, touch);
}

static const struct xlate_ops deep_xlate = {
	.translate = deep_translate, .port_mask = deep_port_mask, .touch = deep_touch,
};

static void
set_view(void *arg, const void *view, void (*destroy)(void *))
{
	dp_set_xlate_view(((struct world *)arg)->dp, view, destroy);
}

static void
tag_changed(void *arg, dp_tag tag)
{
	dp_tag_changed(((struct world *)arg)->dp, tag);
}

static void
defer(void *arg, void (*fn)(void *), void *obj)
{
	struct world *w = arg;

	if (w->dp)
		dp_defer(w->dp, fn, obj);
	else
		fn(obj);
}

static void
learn(void *arg, const struct xlate_learn *l)
{
	struct world *w = arg;

	w->n_learned++;
	ofp_learn(w->ofp, l);
}

static void
resolve(void *arg, uint32_t dst)
{
	(void)dst;
	((struct world *)arg)->n_resolve++;
}

/* --- Waiting ------------------------------------------------------------------------------- */

static bool
wait_for(struct world *w, const bool *flag)
{
	uint64_t end = clock_ms() + PATIENCE_MS;

	while (!*flag && clock_ms() < end) {
		struct pollfd f = { .fd = dp_event_fd(w->dp), .events = POLLIN };

		if (dp_poll(w->dp))
			poll(NULL, 0, 0);
		else if (!*flag)
			poll(&f, 1, 1);
	}
	return *flag;
}

static void
set_flag(void *arg)
{
	*(bool *)arg = true;
}

int
world_commit(struct world *w, struct err *e)
{
	bool done = false;

	ofp_commit(w->ofp);
	dp_commit(w->dp, set_flag, &done);
	return wait_for(w, &done) ? 0 : err_set(e, ETIMEDOUT, "a commit was never reported done");
}

static void
dumped(void *arg, const struct dp_flow *f, unsigned n, uint32_t next)
{
	(void)f;
	(void)n;
	(void)next;
	set_flag(arg);
}

/* A request is answered after the burst that the polling thread was busy with, and the events of that burst
 * are seen before the answer. */
static int
barrier(struct world *w, struct err *e)
{
	bool done = false;

	if (dp_flow_dump(w->dp, 0, 0, 1, dumped, &done) || !wait_for(w, &done))
		return err_set(e, ETIMEDOUT, "the polling thread does not answer");
	return 0;
}

static bool
all_taken(const struct world *w)
{
	for (unsigned i = 1; i < WORLD_PORTS; i++)
		if (w->port[i].mem && w->port[i].port && mem_port_pending(w->port[i].port))
			return false;
	return true;
}

int
world_settle(struct world *w, struct err *e)
{
	uint64_t end = clock_ms() + PATIENCE_MS;
	int rc;

	while (!all_taken(w)) {
		if (clock_ms() > end)
			return err_set(e, ETIMEDOUT, "the polling thread does not take what was sent");
		dp_poll(w->dp);
		poll(NULL, 0, 0);
	}
	rc = barrier(w, e);
	if (!rc && w->n_learned) {
		w->n_learned = 0;
		rc = world_commit(w, e);
	}
	return rc;
}

/* --- Life ---------------------------------------------------------------------------------- */

struct world *
world_create(const struct world_conf *c, struct err *e)
{
	struct world *w = xcalloc(1, sizeof *w);
	struct dp_conf conf = {
		.n_lcores = 1, .run_dir = "/tmp", .n_mbufs = N_MBUFS, .max_flows = 4096, .idle_us = 200,
		.isa = c->isa, .xlate = c->deep ? &deep_xlate : &ofp_xlate, .learn = learn, .resolve = resolve, .arg = w,
	};

	str_copy(w->title, sizeof w->title, c->title);
	w->pcap_dir = c->pcap_dir;
	w->ofp = ofp_create(&(struct ofp_sink){ .set_view = set_view, .tag_changed = tag_changed, .defer = defer, .arg = w });
	w->dp = dp_create(&conf, e);
	if (!w->dp || world_commit(w, e)) {
		world_destroy(w, NULL);
		return NULL;
	}
	return w;
}

static bool
wait_no_mbufs(struct world *w, uint64_t *left)
{
	struct dp_mem_stats ms;

	for (uint64_t end = clock_ms() + 1000;;) {
		dp_mem_stats(w->dp, &ms);
		*left = ms.mbufs_in_use;
		if (!*left)
			return true;
		if (clock_ms() > end)
			return false;
		poll(NULL, 0, 1);
	}
}

int
world_destroy(struct world *w, struct err *e)
{
	uint64_t left = 0;
	int rc = 0;

	if (!w)
		return 0;
	if (w->dp && e && !wait_no_mbufs(w, &left))
		rc = err_set(e, EBUSY, "%llu packet buffers are still in use: a leak", (unsigned long long)left);
	for (unsigned i = 0; i < WORLD_PORTS; i++) {
		if (w->port[i].in)
			pcap_dump_close(w->port[i].in);
		if (w->port[i].out)
			pcap_dump_close(w->port[i].out);
		free(w->port[i].tun);
	}
	if (w->pcap)
		pcap_close(w->pcap);
	dp_destroy(w->dp);
	w->dp = NULL;
	ofp_destroy(w->ofp);
	free(w);
	return rc;
}

/* --- Names --------------------------------------------------------------------------------- */

struct world_bridge *
world_bridge(struct world *w, const char *name)
{
	for (unsigned i = 0; i < w->n_bridges; i++)
		if (!strcmp(w->bridge[i].name, name))
			return &w->bridge[i];
	return NULL;
}

struct world_port *
world_port(struct world *w, const char *name)
{
	for (unsigned i = 1; *name && i < WORLD_PORTS; i++)
		if (!strcmp(w->port[i].name, name))
			return &w->port[i];
	return NULL;
}

struct world_port *
world_port_new(struct world *w, const char *name)
{
	if (world_port(w, name))
		return NULL;
	for (unsigned i = 1; i < WORLD_PORTS; i++) {
		struct world_port *p = &w->port[i];

		if (p->name[0])
			continue;
		memset(p, 0, sizeof *p);
		str_copy(p->name, sizeof p->name, name);
		p->id = (uint16_t)i;
		return p;
	}
	return NULL;
}

/* --- Tunnels ------------------------------------------------------------------------------- */

static int
add_remote(struct world *w, struct tun_view *v, const struct world_port *p, unsigned i, struct err *e)
{
	const struct world_tunnel *t = p->tun;
	const struct tun_path *path = &t->path[i];
	bool v6 = !ip_is_v4(&path->remote), ready = t->state == TUN_DST_READY;
	struct tun_dst d = {
		.state = t->state, .port = p->id, .underlay_port = t->via, .pmtud = t->conf.pmtud, .type = t->type,
		.local = path->local, .remote = path->remote, .next_hop = path->dst_mac,
		.max_frame = t->mtu + 14 - tun_overhead(t->type, &t->conf, v6),
	};
	struct tun_endpoint ep = {
		.type = t->type, .udp_port = t->conf.dst_port, .port = p->id, .key = t->conf.key, .dst = t->dst[i],
		.remote = path->remote, .local = path->local, .zero_csum6 = t->conf.zero_csum6_rx,
		.drop_inner_vlan = t->conf.inner_vlan == TUN_INNER_VLAN_DROP ||
				   (t->conf.inner_vlan == TUN_INNER_VLAN_AUTO && p->conf.vlan_mode == OFP_VLAN_ACCESS),
	};
	struct ofp_tun_path op = { .underlay_port = t->via, .src = path->src_mac, .local = path->local,
				   .remote = path->remote };
	int rc;

	if (ready) {
		op.next_hop = path->dst_mac;
		rc = tun_hdr_build(t->type, &t->conf, path, &d.hdr, e);
		if (rc)
			return rc;
	}
	tun_view_set_dst(v, t->dst[i], &d);
	ofp_set_tun_path(w->ofp, t->dst[i], &op);
	rc = tun_view_add_endpoints(v, &t->conf, ep);
	return rc ? err_set(e, -rc, "tunnel %s: its endpoint cannot be added: %s", p->name, strerror(-rc)) : 0;
}

int
world_tunnels_changed(struct world *w, struct err *e)
{
	struct tun_view *v = tun_view_create();
	int rc = 0;

	for (unsigned i = 1; i < WORLD_PORTS && !rc; i++) {
		const struct world_port *p = &w->port[i];

		if (p->name[0] && p->underlay)
			tun_view_add_underlay(v, p->id, p->underlay_mac);
		for (unsigned r = 0; p->name[0] && p->tun && r < p->tun->conf.remote.n && !rc; r++)
			rc = add_remote(w, v, p, r, e);
	}
	if (rc)
		tun_view_destroy(v);
	else
		dp_set_tunnels(w->dp, v);
	return rc;
}

/* --- Frames -------------------------------------------------------------------------------- */

static void
record(struct world *w, const struct world_port *p, struct pcap_dumper **to, const char *way, const void *b,
       uint32_t len)
{
	struct pcap_pkthdr h = { .caplen = len, .len = len };
	char file[4096];
	int at;

	if (!w->pcap_dir)
		return;
	if (!w->pcap)
		w->pcap = pcap_open_dead(DLT_EN10MB, 65535);
	if (!*to) {
		at = snprintf(file, sizeof file, "%s/", w->pcap_dir);
		for (const char *s = w->title; *s && at < (int)sizeof file - 64; s++)
			file[at++] = *s == ' ' || *s == '/' ? '-' : *s;
		snprintf(file + at, sizeof file - (size_t)at, "-%s-%s.pcap", p->name, way);
		*to = pcap_dump_open(w->pcap, file);
	}
	if (*to)
		pcap_dump((unsigned char *)*to, &h, b);
}

int
world_send(struct world *w, struct world_port *p, const void *frame, uint32_t len, uint16_t seg_len, struct err *e)
{
	bool sent;

	if (!p->mem)
		return err_set(e, EINVAL, "%s: nothing can be sent into such a port", p->name);
	record(w, p, &p->in, "in", frame, len);
	sent = seg_len ? mem_port_send_segments(p->port, frame, len, seg_len) : mem_port_send(p->port, frame, len);
	if (!sent)
		return err_set(e, ENOBUFS, "%s: its receive queue is full", p->name);
	return 0;
}

uint32_t
world_recv(struct world *w, struct world_port *p, void *frame, uint32_t room)
{
	uint32_t len = p->mem && p->port ? mem_port_recv(p->port, frame, room, 0) : 0;

	if (len && len <= room)
		record(w, p, &p->out, "out", frame, len);
	return len;
}
