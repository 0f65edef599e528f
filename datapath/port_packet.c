/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel interface over AF_PACKET.  Frames come through a ring in shared memory (TPACKET_V2), so
 * that looking for one is a load, not a system call; they leave through sendmmsg().
 *
 * The kernel hands frames over as they are inside it, not as they would be on a wire:
 * - VLAN tags come beside the frame (tp_vlan_tci) and are put back here;
 * - checksums may still be missing, on frames that this host itself made (the peer of a veth): the
 *   virtio header in front of each frame tells, and they are completed here;
 * - frames of this host may be up to 64 KiB long and wait for a device to cut them.  They do not fit a
 *   slot, which then holds their beginning, and come whole by recv(); gso.c cuts them.
 * The interface may go and come back under its name: packet_link() binds the sockets anew.  They and
 * the ring stay the same, so polling threads need not know. */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_ip.h>
#include <rte_mbuf.h>

#include "base/ctr.h"
#include "datapath/loan.h"
#include "datapath/gso_priv.h"
#include "datapath/packet_priv.h"

enum {
	VNET_LEN = sizeof(struct virtio_net_hdr),
	/* In front of a frame in its slot: tpacket2_hdr, sockaddr_ll, alignment, virtio header, a tag. */
	SLOT_OVERHEAD = 128,
	MIN_SLOT = 2048,
	MIN_BLOCK = 64 << 10,
	BIG_LEN = VNET_LEN + (64 << 10) + 512,
	BIG_QUEUE = 4 << 20,            /* Long frames that wait, at most, in bytes of kernel memory. */
	TX_BURST = 32,
	TX_MAX_SEGS = LOAN_SEGS + 4,
};

/* ---- Control thread ------------------------------------------------------------------------- */

static int
set_option(int fd, int name, int value)
{
	return setsockopt(fd, SOL_PACKET, name, &value, sizeof value) ? -errno : 0;
}

static int
make_socket(struct err *e)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 && errno == EPERM)
		return err_set(e, EPERM, "cannot open a packet socket: needs CAP_NET_RAW, run as root");
	if (fd < 0)
		return err_set(e, errno, "cannot open a packet socket: %s", strerror(errno));
	if (set_option(fd, PACKET_VNET_HDR, 1)) {
		close(fd);
		return err_set(e, ENOTSUP, "the kernel's packet sockets lack PACKET_VNET_HDR");
	}
	return fd;
}

static uint32_t
power_of_two(uint32_t v)
{
	uint32_t p = 1;

	while (p < v)
		p <<= 1;
	return p;
}

static int
make_ring(struct packet *pk, uint32_t mtu, uint32_t n_slots, struct err *e)
{
	pk->slot_len = power_of_two(MAX_OF(mtu + SLOT_OVERHEAD, (uint32_t)MIN_SLOT));

	uint32_t block = MAX_OF(pk->slot_len, (uint32_t)MIN_BLOCK);
	struct tpacket_req req = { .tp_block_size = block, .tp_frame_size = pk->slot_len };

	req.tp_block_nr = MAX_OF(n_slots / (block / pk->slot_len), 1u);
	req.tp_frame_nr = req.tp_block_nr * (block / pk->slot_len);
	pk->n_slots = req.tp_frame_nr;
	if (set_option(pk->fd, PACKET_VERSION, TPACKET_V2) ||
	    setsockopt(pk->fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof req))
		return err_set(e, errno, "cannot make a receive ring of %u x %u bytes: %s: set 'rx-slots' to less",
			       pk->n_slots, pk->slot_len, strerror(errno));
	pk->ring = mmap(NULL, (size_t)pk->n_slots * pk->slot_len, PROT_READ | PROT_WRITE, MAP_SHARED, pk->fd, 0);
	if (pk->ring == MAP_FAILED) {
		pk->ring = NULL;
		return err_set(e, errno, "cannot map the receive ring: %s", strerror(errno));
	}
	return 0;
}

/* What the receiver is bound to: the kernel unbinds it when the interface goes. */
static int
bound_to(const struct packet *pk)
{
	struct sockaddr_ll sll = { 0 };
	socklen_t len = sizeof sll;

	return getsockname(pk->fd, (struct sockaddr *)&sll, &len) ? 0 : sll.sll_ifindex;
}

/* 0, or -errno. */
static int
bind_to(struct packet *pk, int ifindex)
{
	struct sockaddr_ll sll = { .sll_family = AF_PACKET, .sll_ifindex = ifindex };
	struct packet_mreq promisc = { .mr_ifindex = ifindex, .mr_type = PACKET_MR_PROMISC };

	/* The sender takes no protocol: it would receive. */
	if (bind(pk->tx_fd, (struct sockaddr *)&sll, sizeof sll))
		return -errno;
	sll.sll_protocol = be16(ETH_P_ALL);
	if (bind(pk->fd, (struct sockaddr *)&sll, sizeof sll))
		return -errno;
	setsockopt(pk->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promisc, sizeof promisc);
	pk->coalesced = netif_coalesce_off(pk->fd, pk->ifname);
	return 0;
}

int
packet_open(struct packet *pk, const char *ifname, uint32_t mtu, uint32_t n_slots, struct err *e)
{
	struct netif nif;
	int rc;

	memset(pk, 0, sizeof *pk);
	str_copy(pk->ifname, sizeof pk->ifname, ifname);
	pk->tx_fd = -1;
	pk->big = xcalloc(1, BIG_LEN);
	rc = pk->fd = make_socket(e);
	if (rc < 0)
		goto fail;
	rc = pk->tx_fd = make_socket(e);
	if (rc < 0)
		goto fail;
	set_option(pk->fd, PACKET_COPY_THRESH, 1);
	setsockopt(pk->fd, SOL_SOCKET, SO_RCVBUFFORCE, &(int){ BIG_QUEUE }, sizeof(int));
	/* Since Linux 4.20; without it they are skipped one by one. */
	set_option(pk->fd, PACKET_IGNORE_OUTGOING, 1);
	rc = make_ring(pk, mtu, n_slots, e);
	if (rc < 0)
		goto fail;
	if (!netif_get(pk->fd, ifname, &nif)) {
		if (!nif.ethernet) {
			rc = err_set(e, EINVAL, "interface %s is not Ethernet", ifname);
			goto fail;
		}
		rc = bind_to(pk, nif.ifindex);
		if (rc < 0) {
			err_set(e, -rc, "cannot bind to interface %s: %s", ifname, strerror(-rc));
			goto fail;
		}
	}
	return 0;
fail:
	packet_close(pk);
	return rc;
}

void
packet_close(struct packet *pk)
{
	if (pk->n_ready)
		rte_pktmbuf_free_bulk(pk->ready + pk->n_given, (unsigned)(pk->n_ready - pk->n_given));
	free(pk->big);
	if (pk->fd >= 0)
		netif_coalesce_restore(pk->fd, pk->ifname, pk->coalesced);
	if (pk->ring)
		munmap(pk->ring, (size_t)pk->n_slots * pk->slot_len);
	if (pk->tx_fd >= 0)
		close(pk->tx_fd);
	if (pk->fd >= 0)
		close(pk->fd);
}

void
packet_link(struct packet *pk, struct port_link *l)
{
	struct netif nif;
	struct tpacket_stats st;
	socklen_t len = sizeof st;
	int n, rc = 0;

	memset(l, 0, sizeof *l);
	if (netif_get(pk->fd, pk->ifname, &nif)) {
		snprintf(l->reason, sizeof l->reason, "no interface %s in this network namespace", pk->ifname);
		snprintf(l->detail, sizeof l->detail, "af_packet on %s", pk->ifname);
		return;
	}
	if (nif.ifindex != bound_to(pk))
		rc = bind_to(pk, nif.ifindex);
	l->mtu = nif.mtu;
	l->mac = nif.mac;
	l->up = !rc && nif.up && nif.running;
	if (rc)
		snprintf(l->reason, sizeof l->reason, "cannot bind to %s: %s", pk->ifname, strerror(-rc));
	else if (!nif.up)
		snprintf(l->reason, sizeof l->reason, "%s is down: ip link set %s up", pk->ifname, pk->ifname);
	else if (!nif.running)
		snprintf(l->reason, sizeof l->reason, "%s has no carrier", pk->ifname);

	/* Reading resets it. */
	if (!getsockopt(pk->fd, SOL_PACKET, PACKET_STATISTICS, &st, &len))
		pk->lost += st.tp_drops;
	n = snprintf(l->detail, sizeof l->detail, "af_packet on %s", pk->ifname);
	if (pk->lost)
		snprintf(l->detail + n, sizeof l->detail - n, ", %llu frames lost in a full ring",
			 (unsigned long long)pk->lost);
}

/* ---- Receiving ------------------------------------------------------------------------------ */

static struct tpacket2_hdr *
slot(const struct packet *pk, uint32_t i)
{
	return (struct tpacket2_hdr *)(pk->ring + (size_t)i * pk->slot_len);
}

static bool
slot_is_ours(const struct tpacket2_hdr *h)
{
	return __atomic_load_n(&h->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER;
}

/* The checksum field holds the sum of the pseudo header: summing over it completes it.  A sum of zero is written as
 * ones, which is the same number, since in UDP zero says "none". */
static bool
complete_checksum(uint8_t *frame, uint32_t len, const struct virtio_net_hdr *v)
{
	uint32_t start = v->csum_start, at = start + v->csum_offset;

	if (start >= len || at + 2 > len)
		return false;

	uint16_t sum = (uint16_t)~rte_raw_cksum(frame + start, len - start);

	store_be16(frame + at, sum ? sum : 0xffff);
	return true;
}

/* The whole of a frame whose slot holds its beginning; 0 when it is not to be had.  An error of the socket comes first
 * and once: frame and slot must not part ways over it. */
static uint32_t
fetch_big(struct packet *pk)
{
	ssize_t len = recv(pk->fd, pk->big, BIG_LEN, MSG_DONTWAIT);

	if (len < 0)
		len = recv(pk->fd, pk->big, BIG_LEN, MSG_DONTWAIT);
	return len < VNET_LEN + ETH_HLEN ? 0 : (uint32_t)(len - VNET_LEN);
}

/* What a slot holds, checked once.  A frame that is longer than its slot is fetched whole, to pk->big. */
static enum dp_drop
slot_read(struct packet *pk, struct tpacket2_hdr *h, struct gso_frame *f)
{
	uint32_t off = h->tp_mac, n = h->tp_snaplen;

	f->tagged = h->tp_status & TP_STATUS_VLAN_VALID;
	f->tpid = h->tp_status & TP_STATUS_VLAN_TPID_VALID ? h->tp_vlan_tpid : ETH_P_8021Q;
	f->tci = h->tp_vlan_tci;
	f->len = n;
	if (h->tp_status & TP_STATUS_COPY) {
		f->bytes = pk->big + VNET_LEN;
		f->len = fetch_big(pk);
		if (!f->len)
			return DROP_RX_TOO_BIG;
	} else if (n < h->tp_len) {
		return DROP_RX_TOO_BIG;
	} else if (off < TPACKET2_HDRLEN + VNET_LEN || (uint64_t)off + n > pk->slot_len || n < ETH_HLEN) {
		return DROP_RX_MALFORMED;
	} else {
		f->bytes = (uint8_t *)h + off;
	}
	memcpy(&f->v, f->bytes - VNET_LEN, sizeof f->v);
	return DROP_NONE;
}

/* NULL when buffers ran out. */
static struct rte_mbuf *
copy_frame(struct rte_mempool *pool, const struct gso_frame *f)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	if (!m)
		return NULL;
	uint32_t done = gso_start(m, f);

	if (!gso_append(m, pool, f->bytes + done, f->len - done)) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	return m;
}

/* Takes the frame of a slot to pk->ready. */
static enum dp_drop
slot_take(struct packet *pk, struct rte_mempool *pool, struct tpacket2_hdr *h)
{
	struct gso_frame f;
	enum dp_drop why = slot_read(pk, h, &f);
	int n;

	if (why != DROP_NONE)
		return why;
	if (UNLIKELY(f.v.gso_type != VIRTIO_NET_HDR_GSO_NONE)) {
		n = gso_split(&f, pool, pk->ready);
		if (n < 0)
			return n == -ENOMEM ? DROP_NO_MEMORY : DROP_RX_TOO_BIG;
		pk->n_ready = (uint16_t)n;
		return DROP_NONE;
	}
	/* The frame is ours to write: in a slot, or in pk->big. */
	if ((f.v.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) && !complete_checksum((uint8_t *)(uintptr_t)f.bytes, f.len, &f.v))
		return DROP_RX_MALFORMED;
	pk->ready[0] = copy_frame(pool, &f);
	if (!pk->ready[0])
		return DROP_NO_MEMORY;
	pk->n_ready = 1;
	return DROP_NONE;
}

static bool
slot_is_outgoing(const struct tpacket2_hdr *h)
{
	const struct sockaddr_ll *sll = (const void *)((const uint8_t *)h + TPACKET_ALIGN(sizeof *h));

	return sll->sll_pkttype == PACKET_OUTGOING;
}

static uint16_t
give_ready(struct packet *pk, struct rte_mbuf **pkts, uint16_t n)
{
	n = (uint16_t)MIN_OF(n, pk->n_ready - pk->n_given);
	memcpy(pkts, pk->ready + pk->n_given, n * sizeof *pkts);
	pk->n_given += n;
	if (pk->n_given == pk->n_ready)
		pk->n_given = pk->n_ready = 0;
	return n;
}

uint16_t
packet_rx(struct port *p, struct packet *pk, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t got = give_ready(pk, pkts, n);

	/* Frames that are not given cost time too. */
	for (unsigned tries = 2u * n; got < n && tries; tries--) {
		struct tpacket2_hdr *h = slot(pk, pk->next);

		if (!slot_is_ours(h))
			break;
		if (UNLIKELY(slot_is_outgoing(h))) {
			if (h->tp_status & TP_STATUS_COPY)
				fetch_big(pk);
		} else {
			enum dp_drop why = slot_take(pk, p->owner->pool, h);

			if (UNLIKELY(why != DROP_NONE))
				ctr_add(&p->rx_drops[why], 1);
			else
				got += give_ready(pk, pkts + got, (uint16_t)(n - got));
		}
		__atomic_store_n(&h->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		pk->next = pk->next + 1 == pk->n_slots ? 0 : pk->next + 1;
	}
	return got;
}

int
packet_arm(struct packet *pk, bool *pending)
{
	*pending = pk->n_ready || slot_is_ours(slot(pk, pk->next));
	return pk->fd;
}

/* The ring's own state makes the socket readable; an interface that goes down leaves an error to be fetched. */
void
packet_disarm(struct packet *pk)
{
	int error;
	socklen_t len = sizeof error;

	getsockopt(pk->fd, SOL_SOCKET, SO_ERROR, &error, &len);
}

/* ---- Sending -------------------------------------------------------------------------------- */

static const struct virtio_net_hdr no_offload;

/* Fills 'iov' (1 + TX_MAX_SEGS entries); false when the frame has too many segments. */
static bool
tx_describe(struct mmsghdr *msg, struct iovec *iov, const struct rte_mbuf *m)
{
	unsigned n = 1;

	if (m->nb_segs > TX_MAX_SEGS)
		return false;
	iov[0] = (struct iovec){ .iov_base = (void *)(uintptr_t)&no_offload, .iov_len = sizeof no_offload };
	for (; m; m = m->next)
		iov[n++] = (struct iovec){ .iov_base = rte_pktmbuf_mtod(m, void *), .iov_len = m->data_len };
	*msg = (struct mmsghdr){ .msg_hdr = { .msg_iov = iov, .msg_iovlen = n } };
	return true;
}

static enum dp_drop
tx_reason(int error)
{
	switch (error) {
	case ENETDOWN: case ENXIO: case ENODEV: return DROP_TX_DOWN;
	case EMSGSIZE: return DROP_TX_TOO_BIG;
	default: return DROP_TX_ERROR;
	}
}

static bool
tx_is_full(int error)
{
	return error == EAGAIN || error == ENOBUFS || error == ENOMEM || error == EINTR;
}

uint16_t
packet_tx(struct port *p, struct packet *pk, struct rte_mbuf **pkts, uint16_t n)
{
	struct mmsghdr msg[TX_BURST];
	struct iovec iov[TX_BURST][1 + TX_MAX_SEGS];
	uint16_t done = 0;

	while (done < n) {
		uint16_t k = 0;
		int sent;

		while (k < MIN_OF(n - done, TX_BURST) && tx_describe(&msg[k], iov[k], pkts[done + k]))
			k++;
		if (!k) {
			port_tx_drop(p, DROP_TX_ERROR, 1);
			done++;
			continue;
		}
		sent = sendmmsg(pk->tx_fd, msg, k, MSG_DONTWAIT);
		if (sent > 0) {
			done += (uint16_t)sent;
		} else if (tx_is_full(errno)) {
			break;
		} else {
			port_tx_drop(p, tx_reason(errno), 1);
			done++;
		}
	}
	rte_pktmbuf_free_bulk(pkts, done);
	return done;
}
