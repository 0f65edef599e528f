/* SPDX-License-Identifier: Apache-2.0 */
/* Any memory of a guest under any ring: nothing outside of it is read or written, and what is taken keeps the promises of
 * frame.h.  Input: how the ring is set up, then steps: bytes, descriptors and offers that the guest writes, and frames
 * taken and sent. */
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "datapath/frame.h"
#include "tests/fuzz/bufs.h"
#include "vhost/ring.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	GPA = 0x10000, BIG = 70000, GPA_SMALL = 0x40000, SMALL = 300,
	SENT = 4,               /* Frames to send, of these lengths. */
	MAX_STEPS = 200,
};

static const uint32_t sent_len[SENT] = { 14, 64, 1514, 9000 };

struct input {
	const uint8_t *p;
	size_t left;
};

struct guest {
	struct vmem mem;
	struct vq_conf conf;
	struct port port;
	struct port_peek peek;
	struct vq vq;
	struct frames taken, given;
	uint8_t *sent[SENT];
	struct rte_mbuf *m[SENT];
};

static struct rte_mempool *pool;
static int callfd;

int
LLVMFuzzerInitialize(int *argc UNUSED, char ***argv UNUSED)
{
	pool = fuzz_pool(255);
	callfd = eventfd(0, EFD_NONBLOCK);
	must(callfd >= 0);
	return 0;
}

static uint32_t
get(struct input *in, unsigned n)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < n && in->left; i++, in->left--)
		v |= (uint32_t)*in->p++ << i * 8;
	return v;
}

/* Exactly as large as they are said to be: a byte beyond is seen. */
static void *
block(size_t len)
{
	void *p = NULL;

	must(!posix_memalign(&p, 16, len));
	memset(p, 0, len);
	return p;
}

static void
send_init(struct guest *g)
{
	g->given.n = SENT;
	for (unsigned i = 0; i < SENT; i++) {
		g->sent[i] = block(sent_len[i]);
		memset(g->sent[i], 0x40 + (int)i, sent_len[i]);
		memcpy(g->given.row[i] + FRAME_ROOM, g->sent[i], MIN_OF(sent_len[i], (uint32_t)FRAME_HDR));
		g->given.f[i] = (struct frame){ .first = { g->sent[i], sent_len[i] }, .len = sent_len[i] };
		frame_begin(&g->given.f[i]);
	}
	/* With headers in front, and with fewer than it had. */
	g->given.f[1].at -= 50;
	g->given.f[1].len += 50;
	g->given.f[2].at += 42;
	g->given.f[2].len -= 42;
	/* One of several buffers. */
	g->given.f[3].first.len = 1000;
	g->given.f[3].n_more = 1;
	g->given.more[0] = (struct frame_buf){ g->sent[3] + 1000, 8000 };
	g->given.n_more = 1;
}

static void
guest_init(struct guest *g, struct input *in)
{
	uint32_t how = get(in, 2), size = 1u << get(in, 1) % 9, start = get(in, 2);
	uint64_t f = 1ull << VIRTIO_F_VERSION_1;
	struct err e;

	g->mem = (struct vmem){ .n = 2, .r = { { GPA, BIG, block(BIG) }, { GPA_SMALL, SMALL, block(SMALL) } } };
	f |= how & 1 ? 1ull << VIRTIO_F_RING_PACKED : 0;
	f |= how & 2 ? 1ull << VIRTIO_RING_F_INDIRECT_DESC : 0;
	f |= how & 4 ? 1ull << VIRTIO_NET_F_MRG_RXBUF : 0;
	f |= how & 8 ? 1ull << VIRTIO_RING_F_EVENT_IDX : 0;
	f |= how & 16 ? 1ull << VIRTIO_F_IN_ORDER : 0;
	f |= how & 32 ? 1ull << VIRTIO_NET_F_CSUM | 1ull << VIRTIO_NET_F_HOST_TSO4 | 1ull << VIRTIO_NET_F_GUEST_CSUM : 0;
	g->conf = (struct vq_conf){
		.packed = how & 1, .size = (uint16_t)size, .features = f, .mem = &g->mem,
		.desc = block(16 * size), .driver = block(how & 1 ? 4 : 6 + 2 * size),
		.device = block(how & 1 ? 4 : 6 + 8 * size), .used_gpa = GPA,
		.last_avail = (uint16_t)(how & 1 ? start % size | 0x8000 : start),
		.log = how & 64 ? block(8) : NULL, .log_len = how & 64 ? 8 : 0, .callfd = callfd,
		/* A ring that several send on may be peeked at too. */
		.peek = how & 128 ? &g->peek : NULL, .shared = how & 256,
	};
	g->conf.last_used = g->conf.last_avail;
	must(!vq_init(&g->vq, &g->conf, &g->port, &e));
	if (!(how & 1))
		((struct vring_avail *)g->conf.driver)->idx = g->conf.last_avail;
	send_init(g);
}

static void
guest_fini(struct guest *g)
{
	free(g->mem.r[0].hva);
	free(g->mem.r[1].hva);
	free(g->conf.desc);
	free(g->conf.driver);
	free(g->conf.device);
	free(g->conf.log);
	for (unsigned i = 0; i < SENT; i++)
		free(g->sent[i]);
}

/* Places where something might be wrong. */
static uint64_t
some_address(struct input *in)
{
	static const uint64_t at[] = { GPA, GPA + 4096, GPA + BIG - 64, GPA + BIG - 1, GPA + BIG, GPA_SMALL, GPA_SMALL + SMALL - 128,
				       GPA_SMALL + SMALL - 16, 0, UINT64_MAX - 15 };
	uint32_t v = get(in, 2);

	return at[v % ARRAY_SIZE(at)] + v / ARRAY_SIZE(at) % 64;
}

static uint32_t
some_length(struct input *in)
{
	static const uint32_t len[] = { 0, 1, 12, 26, 76, 140, 1526, 9012, 65535, 70000, UINT32_MAX - 15, 16, 32, 64 };
	uint8_t v = (uint8_t)get(in, 1);

	return v < 2 * ARRAY_SIZE(len) ? len[v / 2] : v;
}

/* A descriptor of the ring, or of a table in the guest's memory. */
static void
write_descriptor(struct guest *g, struct input *in, void *at)
{
	struct vring_desc d = { .addr = some_address(in), .len = some_length(in) };
	uint16_t flags = (uint16_t)(get(in, 1) & 7), other = (uint16_t)get(in, 1);
	bool wrap = g->vq.avail_wrap;

	if (g->conf.packed && other & 0x80)
		wrap = !wrap;
	if (g->conf.packed)
		flags |= wrap ? 1 << 7 : 1 << 15;
	d.flags = g->conf.packed ? other & 0x7f : flags;
	d.next = g->conf.packed ? flags : other;
	memcpy(at, &d, sizeof d);
}

static void
offer(struct guest *g, struct input *in)
{
	struct vring_avail *a = g->conf.driver;
	uint8_t head = (uint8_t)get(in, 1);

	if (g->conf.packed) {
		((struct vring_packed_desc_event *)g->conf.driver)->flags = head & 3;
		return;
	}
	a->ring[a->idx % g->conf.size] = head;
	a->idx = (uint16_t)(a->idx + 1);
}

static void
take(struct guest *g, bool scribble)
{
	static uint8_t copy[FRAME_MAX_LEN], hdr[FRAME_BURST][FRAME_HDR];
	uint16_t n = vq_take(&g->vq, &g->taken);
	const struct frames *f = &g->taken;

	must(n == f->n && n <= FRAME_BURST && f->chains >= n && f->n_more <= FRAME_MORE);
	for (unsigned i = 0; i < n; i++)
		memcpy(hdr[i], frame_hdr(f, i), frame_hdr_len(&f->f[i]));
	/* What the guest changes now no longer matters. */
	if (scribble)
		memset(g->mem.r[0].hva, 0xa5, 4096);
	for (unsigned i = 0; i < n; i++) {
		const struct frame *fr = &f->f[i];
		uint32_t at = fr->first.len;

		must(fr->len >= 14 && fr->len <= FRAME_MAX_LEN && at <= fr->len);
		must(!fr->n_more || fr->more_at + fr->n_more <= f->n_more);
		memcpy(copy, fr->first.p, at);
		for (unsigned k = 0; k < fr->n_more; at += f->more[fr->more_at + k++].len) {
			must(f->more[fr->more_at + k].len <= fr->len - at);
			memcpy(copy + at, f->more[fr->more_at + k].p, f->more[fr->more_at + k].len);
		}
		must(at == fr->len);
		must(!memcmp(hdr[i], frame_hdr(f, i), frame_hdr_len(fr)));
		must(frame_hdr_len(fr) == MIN_OF(fr->len, (uint32_t)FRAME_HDR));
		must(scribble || !memcmp(copy, frame_hdr(f, i), frame_hdr_len(fr)));
	}
	vq_release(&g->vq, &g->taken);
}

static void
send(struct guest *g, uint32_t how)
{
	static const uint8_t idx[SENT] = { 0, 1, 2, 3 };
	uint8_t one[1] = { (uint8_t)(how & 3) };
	uint16_t sent = 0, done;
	uint64_t bytes = 0;

	if (how & 4)
		done = vq_send(&g->vq, &g->given, idx, SENT, &sent, &bytes);
	else
		done = vq_send(&g->vq, &g->given, one, 1, &sent, &bytes);
	must(done <= SENT && sent <= done);
}

static void
send_mbufs(struct guest *g, uint32_t how)
{
	struct rte_mbuf *m[2] = { rte_pktmbuf_alloc(pool), rte_pktmbuf_alloc(pool) };
	uint16_t sent = 0, done;
	uint64_t bytes = 0;

	must(m[0] && m[1]);
	memset(rte_pktmbuf_append(m[0], 60), 1, 60);
	memset(rte_pktmbuf_append(m[1], 1514), 2, 1514);
	if (how & 1) {
		struct rte_mbuf *more = rte_pktmbuf_alloc(pool);

		must(more != NULL);
		memset(rte_pktmbuf_append(more, 2000), 3, 2000);
		must(!rte_pktmbuf_chain(m[1], more));
	}
	done = vq_send_mbufs(&g->vq, m, 2, &sent, &bytes);
	must(done <= 2 && sent <= done);
	rte_pktmbuf_free(m[0]);
	rte_pktmbuf_free(m[1]);
}

static void
step(struct guest *g, struct input *in)
{
	uint32_t op = get(in, 1), at, n;

	switch (op % 9) {
	case 0:
		at = get(in, 2) % (BIG - 256);
		n = get(in, 1);
		n = MIN_OF(n, (uint32_t)in->left);
		memcpy(g->mem.r[0].hva + at, in->p, n);
		in->p += n;
		in->left -= n;
		break;
	case 1:
	case 2:
		at = get(in, 1) % g->conf.size;
		write_descriptor(g, in, (uint8_t *)g->conf.desc + at * 16);
		break;
	case 3:
		at = get(in, 1) * 16;
		write_descriptor(g, in, g->mem.r[0].hva + at);
		break;
	case 4:
		offer(g, in);
		break;
	case 5:
		take(g, op & 64);
		break;
	case 6:
		send(g, op / 9);
		break;
	case 7:
		send_mbufs(g, op / 9);
		break;
	default:
		vq_notify_want(&g->vq, op & 32);
		must(vq_room(&g->vq) <= g->conf.size);
		/* The driver's area as the guest left it: indices, flags, events. */
		if (op & 64 && in->left >= 2)
			memcpy(g->conf.driver, in->p, 2);
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct guest g;
	struct input in = { data, size };

	memset(&g.port, 0, sizeof g.port);
	guest_init(&g, &in);
	for (unsigned i = 0; in.left && i < MAX_STEPS; i++)
		step(&g, &in);
	guest_fini(&g);
	return 0;
}
