/* SPDX-License-Identifier: Apache-2.0 */
/* Runs action programs, a batch of packets of one flow at a time.
 *
 * A packet that goes several ways is shared by reference as long as nobody changes it; an action that
 * writes makes its own copy first (exec_own()). */
#include "datapath/dp_priv.h"
#include "datapath/offload.h"

#include <rte_ether.h>

enum { VLAN_HLEN = 4 };

void
exec_count_drop(struct lcore *lc, uint16_t port, enum dp_drop why, unsigned n)
{
	/* What a kernel interface shows us beside the tunnels it carries is the kernel's business. */
	if (!(why == DROP_NO_BRIDGE && lc->ports->port[port].flags & VPORT_UNDERLAY))
		drop_count(lc, port, why, n);
}

void
exec_drop(struct lcore *lc, uint16_t port, enum dp_drop why, struct rte_mbuf **m, unsigned n)
{
	exec_count_drop(lc, port, why, n);
	rte_pktmbuf_free_bulk(m, n);
}

/* Drops what is not in 'pass'. */
static unsigned
keep(struct lcore *lc, uint16_t port, struct rte_mbuf **m, unsigned n, uint32_t pass, const enum dp_drop *why)
{
	unsigned left = 0;

	for (unsigned i = 0; i < n; i++) {
		if (LIKELY(pass >> i & 1))
			m[left++] = m[i];
		else
			exec_drop(lc, port, why ? why[i] : DROP_TX_RATE, &m[i], 1);
	}
	return left;
}

unsigned
exec_guard_rx(struct lcore *lc, uint16_t port, struct rte_mbuf **m, unsigned n)
{
	struct guard_pkt pkt[GUARD_BATCH];
	enum dp_drop why[GUARD_BATCH];

	if (UNLIKELY(!n))
		return 0;

	for (unsigned i = 0; i < n; i++)
		pkt[i] = (struct guard_pkt){ rte_pktmbuf_mtod(m[i], const uint8_t *), m[i]->data_len, m[i]->pkt_len };
	return keep(lc, port, m, n, guard_rx(lc->ports->port[port].guard, lc->tsc, pkt, n, why), why);
}

unsigned
exec_guard_tx(struct lcore *lc, uint16_t port, struct rte_mbuf **m, unsigned n)
{
	uint32_t len[GUARD_BATCH];

	if (UNLIKELY(!n))
		return 0;
	for (unsigned i = 0; i < n; i++)
		len[i] = m[i]->pkt_len;
	return keep(lc, port, m, n, guard_tx(lc->ports->port[port].guard, lc->tsc, len, n), NULL);
}

unsigned
exec_own(struct lcore *lc, uint16_t port, struct rte_mbuf **m, unsigned n)
{
	unsigned left = 0;

	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *copy = m[i];

		if (exec_is_shared(m[i])) {
			copy = rte_pktmbuf_copy(m[i], lc->pool, 0, UINT32_MAX);
			rte_pktmbuf_free(m[i]);
			if (UNLIKELY(!copy)) {
				drop_count(lc, port, DROP_NO_MEMORY, 1);
				continue;
			}
		}
		m[left++] = copy;
	}
	return left;
}

static unsigned
push_vlan(struct lcore *lc, const struct flow_key *key, uint32_t tag, struct rte_mbuf **m, unsigned n)
{
	be32_t raw = be32(tag);
	unsigned left = 0;

	n = exec_own(lc, key->in_port, m, n);
	for (unsigned i = 0; i < n; i++) {
		uint8_t *p = pkt_push(m[i], VLAN_HLEN);

		if (UNLIKELY(!p)) {
			exec_drop(lc, key->in_port, DROP_NO_MEMORY, &m[i], 1);
			continue;
		}
		memmove(p, p + VLAN_HLEN, 2 * RTE_ETHER_ADDR_LEN);
		memcpy(p + 2 * RTE_ETHER_ADDR_LEN, &raw, sizeof raw);
		offl_l2_moved(m[i], VLAN_HLEN);
		m[left++] = m[i];
	}
	return left;
}

/* Like exec_own(), for packets that are about to lose or change their outermost tag: one that has none whole is
 * dropped. */
static unsigned
own_tagged(struct lcore *lc, uint16_t port, struct rte_mbuf **m, unsigned n)
{
	unsigned left = 0;

	n = exec_own(lc, port, m, n);
	for (unsigned i = 0; i < n; i++) {
		if (LIKELY(pkt_peek(m[i], 0, RTE_ETHER_HDR_LEN + VLAN_HLEN)))
			m[left++] = m[i];
		else
			exec_drop(lc, port, DROP_RX_MALFORMED, &m[i], 1);
	}
	return left;
}

static unsigned
pop_vlan(struct lcore *lc, const struct flow_key *key, struct rte_mbuf **m, unsigned n)
{
	n = own_tagged(lc, key->in_port, m, n);
	for (unsigned i = 0; i < n; i++) {
		uint8_t *p = rte_pktmbuf_mtod(m[i], uint8_t *);

		memmove(p + VLAN_HLEN, p, 2 * RTE_ETHER_ADDR_LEN);
		pkt_pull(m[i], VLAN_HLEN);
		offl_l2_moved(m[i], -VLAN_HLEN);
	}
	return n;
}

static unsigned
set_vlan(struct lcore *lc, const struct flow_key *key, uint16_t tci, struct rte_mbuf **m, unsigned n)
{
	n = own_tagged(lc, key->in_port, m, n);
	for (unsigned i = 0; i < n; i++) {
		uint8_t *tag = rte_pktmbuf_mtod_offset(m[i], uint8_t *, RTE_ETHER_HDR_LEN);

		/* The priority bits stay the frame's own: the flow does not match on them. */
		store_be16(tag, (load_be16(tag) & be16(0xf000)) | be16(tci & VLAN_VID_MASK));
	}
	return n;
}

/* One more reference to each packet, for a branch that starts with the same array. */
static void
share(struct rte_mbuf **m, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		rte_pktmbuf_refcnt_update(m[i], 1);
}

void
exec_acts(struct lcore *lc, const struct flow_key *key, const struct act *a, unsigned n_acts,
	  struct rte_mbuf **m, unsigned n)
{
	const struct tun_set *set = NULL;
	struct tun_set own;

	for (unsigned i = 0; i < n_acts && n; i++) {
		switch (a[i].op) {
		case ACT_OUTPUT:
			if (i + 1 == n_acts) {
				output(lc, a[i].port, m, n);
				return;
			}
			share(m, n);
			output(lc, a[i].port, m, n);
			break;
		case ACT_PUSH_VLAN:
			n = push_vlan(lc, key, a[i].arg, m, n);
			break;
		case ACT_POP_VLAN:
			n = pop_vlan(lc, key, m, n);
			break;
		case ACT_SET_VLAN:
			n = set_vlan(lc, key, (uint16_t)a[i].arg, m, n);
			break;
		case ACT_TUN_PUSH:
			n = exec_own(lc, key->in_port, m, n);
			n = tun_encap(lc, key, a[i].port, a[i].arg, set, m, n);
			set = NULL;
			break;
		case ACT_TUN_SET: {
			unsigned words = MIN_OF(a[i].arg, n_acts - i - 1);

			/* Instructions are less aligned than what it holds. */
			set = NULL;
			if (LIKELY(words * sizeof *a >= offsetof(struct tun_set, opts)))
				set = memcpy(&own, &a[i + 1], MIN_OF(words * sizeof *a, sizeof own));
			i += words;
			break;
		}
		case ACT_TUN_FLOOD:
			tun_flood(lc, key, a[i].port, set, m, n);
			set = NULL;
			break;
		case ACT_CLONE: {
			unsigned len = MIN_OF(a[i].arg, n_acts - i - 1);
			struct rte_mbuf *branch[BURST];

			if (i + len + 1 < n_acts)
				share(m, n);
			memcpy(branch, m, n * sizeof *m);
			exec_acts(lc, key, &a[i + 1], len, branch, n);
			if (i + len + 1 >= n_acts)
				return;
			i += len;
			break;
		}
		case ACT_SET:
		case ACT_PUSH_MPLS:
		case ACT_POP_MPLS:
		case ACT_PUSH_PBB:
		case ACT_POP_PBB:
		case ACT_TRUNC: {
			unsigned words;

			n = exec_edit(lc, key->in_port, &a[i], n_acts - i, &words, m, n);
			i += words - 1;
			break;
		}
		case ACT_METER:
			n = exec_meter(lc, key->in_port, a[i].arg, m, n);
			break;
		case ACT_PUNT: {
			unsigned words = MIN_OF(a[i].arg, n_acts - i - 1);

			tell_punt(lc, key->in_port, a[i].port, &a[i + 1], words, m, n);
			i += words;
			break;
		}
		case ACT_DROP:
			exec_drop(lc, key->in_port, a[i].arg, m, n);
			return;
		}
	}
	rte_pktmbuf_free_bulk(m, n);
}
