/* SPDX-License-Identifier: Apache-2.0 */
/* Connections of hypervisors, and what their messages change.
 *
 * rte_vhost speaks the protocol.  It calls us before and after it handles a message: before one that changes something,
 * the rings it concerns are taken from the polling threads; after it, those that are complete and enabled are made anew
 * from what the library then knows, and given to them.  If the library refused the message there is no second call:
 * the rings stay stopped until the next one, and mostly the connection ends.
 *
 * All callbacks run on the library's threads, which may wait for polling threads: those take none of its locks. */
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_vhost.h>

#include "vhost/message_priv.h"
#include "vhost/socket_priv.h"
#include "vhost/vhost_priv.h"

static struct vhp *
vhp_of_vid(int vid)
{
	char path[PATH_MAX];

	return rte_vhost_get_ifname(vid, path, sizeof path) ? NULL : vhp_registry_find(path);
}

static struct vhp_conn *
conn_find(struct vhp *v, int vid)
{
	for (unsigned i = 0; i < VHP_MAX_CONNS; i++)
		if (v->conn[i].vid == vid)
			return &v->conn[i];
	return NULL;
}

static void
remember_end(struct vhp *v, const struct vhp_conn *c)
{
	v->resets += c->was_up;
	if (c->was_up || c->refused[0])
		str_copy(v->refused, sizeof v->refused, c->refused);
}

/* ---- Memory ----------------------------------------------------------------------------------- */

/* Its rings are stopped. */
static void
memory_drop(struct vhp_conn *c)
{
	for (unsigned i = 0; i < VQ_MAX_REGIONS; i++) {
		vhp_fault_del(c->fault[i]);
		c->fault[i] = NULL;
	}
	c->mem.n = 0;
	c->has_mem = false;
}

static void
memory_load(struct vhp_conn *c)
{
	struct rte_vhost_memory *m;

	memory_drop(c);
	if (rte_vhost_get_mem_table(c->vid, &m))
		return;
	for (unsigned i = 0; i < m->nregions && i < VQ_MAX_REGIONS; i++) {
		const struct rte_vhost_mem_region *r = &m->regions[i];

		c->mem.r[c->mem.n++] = (struct vmem_region){
			.gpa = r->guest_phys_addr, .size = r->size, .hva = (uint8_t *)(uintptr_t)r->host_user_addr };
		c->fault[i] = vhp_fault_add(r->mmap_addr, r->mmap_size);
	}
	c->has_mem = c->mem.n > 0;
	free(m);
}

static void
lose_memory(struct vhp_conn *c)
{
	c->mem_lost = true;
	vhp_say(c->broken, "the guest's memory was truncated while it was in use: restart the guest");
}

static void
log_drop(struct vhp_conn *c)
{
	vhp_fault_del(c->fault[VQ_MAX_REGIONS]);
	c->fault[VQ_MAX_REGIONS] = NULL;
	c->log = NULL;
	c->log_len = 0;
}

static void
log_load(struct vhp_conn *c)
{
	uint64_t base, len;

	log_drop(c);
	if (rte_vhost_get_log_base(c->vid, &base, &len) || !base || !len)
		return;
	c->log = (uint8_t *)(uintptr_t)base;
	c->log_len = len;
	c->fault[VQ_MAX_REGIONS] = vhp_fault_add(c->log, len);
}

/* ---- Messages --------------------------------------------------------------------------------- */

/* Before the library handles a message: the rings it is about are stopped. */
static int
before_message(struct vhp *v, struct vhp_conn *c, struct vhp_msg *m)
{
	struct vhp_msg_facts f;

	/* What had been mapped is no guest's memory any more: this connection has no future. */
	c->pending = m->request;
	if (c->mem_lost)
		vhp_say(c->refused, "%s", c->broken);
	if (c->mem_lost || m->flags & VHP_MSG_REPLY || !vhp_msg_facts(m, &f) ||
	    (m->request == VHP_SET_MEM_TABLE && !vhp_msg_memory_ok(m, c->refused, sizeof c->refused))) {
		vhp_msg_close_fds(m);
		return RTE_VHOST_MSG_RESULT_ERR;
	}
	if (f.n_rings)
		vhp_rings_stop(v, c, f.ring, f.n_rings);
	switch (m->request) {
	case VHP_GET_QUEUE_NUM:
		m->u64 = v->n_queues;
		m->size = sizeof m->u64;
		vhp_msg_close_fds(m);
		c->pending = 0;
		return RTE_VHOST_MSG_RESULT_REPLY;
	case VHP_SET_FEATURES:
		c->has_features = false;
		if (m->u64 & ~v->offered)
			vhp_say(c->refused, "features were refused: %#llx were not offered%s",
				(unsigned long long)(m->u64 & ~v->offered), vhp_turned_off(m->u64 & ~v->offered));
		break;
	case VHP_RESET_OWNER:
		/* QEMU's documentation: to be ignored, or to disable all rings.  The library would lose memory over it. */
		for (unsigned i = 0; i < VHP_MAX_RINGS; i++)
			c->ring[i].enabled = false;
		vhp_settle(v);
		vhp_msg_close_fds(m);
		c->pending = 0;
		return RTE_VHOST_MSG_RESULT_OK;
	case VHP_SET_MEM_TABLE:
		memory_drop(c);
		break;
	case VHP_SET_LOG_BASE:
		log_drop(c);
		break;
	default:
		break;
	}
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

/* The library has done what the message says. */
static void
after_message(struct vhp *v, struct vhp_conn *c, const struct vhp_msg *m)
{
	struct vhp_msg_facts f;
	bool proto = vhp_has(c->features, VHOST_USER_F_PROTOCOL_FEATURES);

	c->pending = 0;
	if (!vhp_msg_facts(m, &f))
		return;
	switch (m->request) {
	case VHP_SET_FEATURES:
		/* The library knows best, but has no word for "none were set". */
		rte_vhost_get_negotiated_features(c->vid, &c->features);
		c->has_features = true;
		c->refused[0] = '\0';
		break;
	case VHP_SET_MEM_TABLE:
		memory_load(c);
		break;
	case VHP_SET_LOG_BASE:
		log_load(c);
		break;
	case VHP_SET_VRING_KICK:
		if (!proto && f.n_rings)
			c->ring[f.ring].enabled = true;
		break;
	case VHP_SET_VRING_ENABLE:
		if (f.n_rings)
			c->ring[f.ring].enabled = m->state.num;
		break;
	case VHP_SEND_RARP:
		/* The address is in its first six bytes.  A guest that is paused where it arrives is announced before it has
		 * rings, and not again. */
		c->announce = (m->u64 & ~(0xffffull << 48)) | PORT_ANNOUNCE;
		vhp_settle(v);
		break;
	case VHP_GET_VRING_BASE:
		if (!proto && f.n_rings)
			c->ring[f.ring].enabled = false;
		break;
	default:
		break;
	}
	/* Whoever sets up anew what was broken gets another chance. */
	if (f.heals && c->broken_ring >= f.ring && c->broken_ring < f.ring + f.n_rings)
		c->broken[0] = '\0';
	if (f.n_rings)
		vhp_settle(v);
}

static int
on_message_before(int vid, void *msg)
{
	struct vhp *v = vhp_of_vid(vid);
	struct vhp_conn *c;
	int rc = RTE_VHOST_MSG_RESULT_ERR;

	if (!v)
		return rc;
	pthread_mutex_lock(&v->lock);
	c = conn_find(v, vid);
	if (c)
		rc = before_message(v, c, msg);
	pthread_mutex_unlock(&v->lock);
	if (rc == RTE_VHOST_MSG_RESULT_NOT_HANDLED)
		vhp_fault_in_message(true);
	return rc;
}

/* The result changes nothing: handled or not, the library has decided. */
static int
on_message_after(int vid, void *msg)
{
	bool fault = vhp_fault_in_message(false);
	struct vhp *v = vhp_of_vid(vid);
	struct vhp_conn *c;

	if (!v)
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	pthread_mutex_lock(&v->lock);
	c = conn_find(v, vid);
	if (c) {
		after_message(v, c, msg);
		if (fault) {
			lose_memory(c);
			vhp_settle(v);
		}
	}
	pthread_mutex_unlock(&v->lock);
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

/* ---- Connections ------------------------------------------------------------------------------ */

static const struct rte_vhost_user_extern_ops message_ops = {
	.pre_msg_handle = on_message_before,
	.post_msg_handle = on_message_after,
};

static void
conn_init(struct vhp_conn *c, int vid)
{
	*c = (struct vhp_conn){ .vid = vid };
	for (unsigned i = 0; i < VHP_MAX_RINGS; i++)
		c->ring[i].kickfd = -1;
}

static int
on_new_connection(int vid)
{
	struct vhp *v = vhp_of_vid(vid);
	struct vhp_conn *c;

	if (!v)
		return -1;
	vhp_socket_set_timeouts(v->path, VHP_PEER_TIMEOUT_MS);
	pthread_mutex_lock(&v->lock);
	c = conn_find(v, -1);
	if (c && rte_vhost_extern_callback_register(vid, &message_ops, NULL))
		c = NULL;
	if (c)
		conn_init(c, vid);
	vhp_tell_owner(v);
	pthread_mutex_unlock(&v->lock);
	return c ? 0 : -1;
}

/* The library unmaps the memory as soon as this returns. */
static void
on_destroy_connection(int vid)
{
	struct vhp *v = vhp_of_vid(vid);
	struct vhp_conn *c;

	vhp_fault_in_message(false);
	if (!v)
		return;
	pthread_mutex_lock(&v->lock);
	c = conn_find(v, vid);
	if (c) {
		if (c->owns_port)
			__atomic_store_n(&v->port->accepts, 0, __ATOMIC_RELAXED);
		vhp_rings_stop(v, c, 0, VHP_MAX_RINGS);
		memory_drop(c);
		log_drop(c);
		if (c->pending && !c->refused[0])
			vhp_say(c->refused, "%s made no sense", vhp_msg_name(c->pending));
		remember_end(v, c);
		conn_init(c, -1);
		vhp_settle(v);
	}
	pthread_mutex_unlock(&v->lock);
}

/* Refusing keeps the library from ever thinking that the device runs: then it would refuse other things, such as
 * features that change while some rings are stopped. */
static int
on_new_device(int vid UNUSED)
{
	return -1;
}

const struct rte_vhost_device_ops vhp_device_ops = {
	.new_connection = on_new_connection,
	.destroy_connection = on_destroy_connection,
	.new_device = on_new_device,
};

/* ---- Others ----------------------------------------------------------------------------------- */

void
vhp_device_init(struct vhp *v)
{
	pthread_mutex_init(&v->lock, NULL);
	pthread_mutex_init(&v->link_lock, NULL);
	for (unsigned i = 0; i < VHP_MAX_CONNS; i++)
		conn_init(&v->conn[i], -1);
}

void
vhp_device_close_all(struct vhp *v)
{
	for (unsigned i = 0; i < VHP_MAX_CONNS; i++) {
		struct vhp_conn *c = &v->conn[i];

		for (unsigned k = 0; k < VHP_MAX_RINGS; k++)
			free(c->ring[k].vq);
		memory_drop(c);
		log_drop(c);
	}
	pthread_mutex_destroy(&v->lock);
	pthread_mutex_destroy(&v->link_lock);
}

static const char *
fault_text(const struct vq *vq)
{
	switch (__atomic_load_n(&vq->fault, __ATOMIC_RELAXED)) {
	case VQ_BAD_AVAIL:
		return "its available index ran further than the ring is long";
	case VQ_BAD_HEAD:
		return "it offers a descriptor beyond its table";
	case VQ_BAD_RING:
		return "a chain longer than the ring";
	case VQ_BAD_CALL:
		return "its call descriptor blocks whoever writes to it";
	default:
		return NULL;
	}
}

void
vhp_device_check(struct vhp *v)
{
	bool changed = false;

	pthread_mutex_lock(&v->lock);
	for (unsigned i = 0; i < VHP_MAX_CONNS; i++) {
		struct vhp_conn *c = &v->conn[i];

		if (c->vid < 0 || c->broken[0])
			continue;
		for (unsigned k = 0; k < VHP_MAX_RINGS && !c->broken[0]; k++)
			if (c->ring[k].vq && fault_text(c->ring[k].vq)) {
				vhp_say(c->broken, "ring %u of the guest is broken: %s", k, fault_text(c->ring[k].vq));
				c->broken_ring = k;
			}
		for (unsigned k = 0; k < ARRAY_SIZE(c->fault); k++)
			if (vhp_fault_hit(c->fault[k]))
				lose_memory(c);
		changed |= c->broken[0] != '\0';
	}
	if (changed)
		vhp_settle(v);
	pthread_mutex_unlock(&v->lock);
}
