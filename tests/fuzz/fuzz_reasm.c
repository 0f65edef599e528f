/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the reassembly of outer packets: a sequence of fragments, some with headers that make sense, some raw.  Besides
 * memory errors it looks for buffers that are lost or counted twice, and for packets that are not what they seem. */
#include <stdlib.h>

#include "base/csum.h"
#include "base/pkt.h"
#include "datapath/reasm.h"
#include "tests/tunnels/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Bits of a piece's first byte. */
enum { RAW = 1, V6 = 2, MORE = 4, OURS = 8 };

static unsigned held;

static void
must(bool truth)
{
	if (!truth)
		abort();
}

/* A fragment: from one of four senders, with one of four ids, at a multiple of 256. */
static struct rte_mbuf *
make(uint8_t how, uint8_t which, uint8_t at, uint32_t len)
{
	uint8_t b[14 + 48 + 2048] = { 2 };
	uint8_t *ip = b + 14;
	uint16_t off = (uint16_t)(at * 256 % 65536);

	memset(b + sizeof b - len, which, len);
	if (how & V6) {
		store_be16(b + 12, be16(0x86dd));
		ip[0] = 0x60;
		store_be16(ip + 4, be16((uint16_t)(8 + len)));
		ip[6] = 44;
		ip[23] = which & 3;
		ip[40] = 17;
		store_be16(ip + 42, be16((uint16_t)((off & 0xfff8) | !!(how & MORE))));
		ip[47] = which >> 2 & 3;
		return frame(b, 14 + 48 + len);
	}
	store_be16(b + 12, be16(0x0800));
	ip[0] = 0x45;
	store_be16(ip + 2, be16((uint16_t)(20 + len)));
	ip[5] = which >> 2 & 3;
	store_be16(ip + 6, be16((uint16_t)(off / 8 | (how & MORE ? 0x2000 : 0))));
	ip[9] = 17;
	ip[15] = which & 3;
	store_be16(ip + 10, (be16_t)~csum_fold(csum_add(0, ip, 20)));
	return frame(b, 14 + 20 + len);
}

/* Whole: no fragment any more, as long as its header says. */
static void
check_whole(const struct rte_mbuf *m)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	struct reasm_frag f;
	uint32_t len = 0;
	unsigned n = 0;

	for (const struct rte_mbuf *s = m; s; s = s->next, n++)
		len += s->data_len;
	must(len == m->pkt_len && n == m->nb_segs && n <= REASM_PIECES);
	if (load_be16(p + 12) == be16(0x0800))
		must(host16(load_be16(p + 16)) + 14u == len && csum_fold(csum_add(0, p + 14, (p[14] & 15) * 4u)) == 0xffff);
	else
		must(host16(load_be16(p + 18)) + 54u == len);
	must(n > 1 || !reasm_peek(m, &f) || p[20] == 44);
}

static void
drop_chain(struct rte_mbuf *m)
{
	while (m) {
		struct rte_mbuf *next = m->next;

		m->next = NULL;
		m->nb_segs = 1;
		frame_free(m);
		m = next;
		held--;
	}
}

static void
collect(struct reasm *r, uint64_t now, bool all)
{
	struct rte_mbuf *out[7];
	bool overlap;
	unsigned n;

	while ((n = reasm_plain(r, out, 7)) > 0)
		while (n)
			drop_chain(out[--n]);
	while ((n = reasm_lost(r, now, all, &overlap, out, 7)) > 0)
		while (n)
			drop_chain(out[--n]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct reasm *r = reasm_create();
	uint64_t now = 1;

	held = 0;
	while (len >= 6) {
		uint8_t how = data[0], which = data[1], at = data[2];
		uint32_t take = (data[3] | (uint32_t)data[4] << 8) & 0x7ff;
		struct rte_mbuf *m;
		struct reasm_frag f;

		now += data[5] & 0xf0 ? 0 : data[5] * 100;
		data += 6;
		len -= 6;
		if (how & RAW) {
			take = take < len ? take : (uint32_t)len;
			m = frame(data, take);
			data += take;
			len -= take;
		} else {
			m = make(how, which, at, take);
		}
		held++;
		if (!reasm_peek(m, &f)) {
			drop_chain(m);
			continue;
		}
		must(f.hdr_len + f.len <= m->data_len && (uint32_t)f.off + f.len <= 65535);
		switch (reasm_add(r, now, &f, how & OURS, &m)) {
		case REASM_HELD:
			must(reasm_holds(r));
			break;
		case REASM_WHOLE:
			check_whole(m);
			drop_chain(m);
			break;
		case REASM_PLAIN:
		case REASM_BAD:
			drop_chain(m);
			break;
		}
		must(held <= REASM_BUFS + 1);
		if (how & 0x80)
			collect(r, now, false);
	}
	collect(r, now, true);
	must(!held && !reasm_holds(r));
	reasm_destroy(r);
	return 0;
}
