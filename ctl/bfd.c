/* SPDX-License-Identifier: Apache-2.0 */
/* BFD, RFC 5880.  See bfd.h.
 *
 *	 0                   1                   2                   3
 *	+-----+---------+---+-+-+-+-+-+-+---------------+---------------+
 *	|Vers |  Diag   |Sta|P|F|C|A|D|M|  Detect Mult  |    Length     |
 *	+-----+---------+---+-+-+-+-+-+-+---------------+---------------+
 *	| My Discriminator, Your Discriminator,                         |
 *	| Desired Min TX, Required Min RX, Required Min Echo RX         |
 *	+---------------------------------------------------------------+ */
#include "ctl/bfd.h"

#include <string.h>

#include "base/byteorder.h"
#include "base/csum.h"
#include "base/util.h"

enum {
	VERSION = 1,
	F_POLL = 0x20, F_FINAL = 0x10, F_AUTH = 0x04, F_DEMAND = 0x02, F_MULTIPOINT = 0x01,
	/* Between packets that do not wait for their time (answers, changes of state): a far end cannot make us answer
	 * more often. */
	MIN_GAP_MS = 1,
	UDP_PORT = 3784,
	TTL = 255,
	TOS = 0xc0,                     /* Internetwork control. */
};

const char *const bfd_state_names[4] = { "admin-down", "down", "init", "up" };

const char *const bfd_bad_names[BFD_N_BAD] = {
	[BFD_OK] = "ok", [BFD_BAD_FRAME] = "frame", [BFD_BAD_TTL] = "ttl", [BFD_BAD_VERSION] = "version",
	[BFD_BAD_LENGTH] = "length", [BFD_BAD_MULT] = "multiplier", [BFD_BAD_MULTIPOINT] = "multipoint",
	[BFD_BAD_DISCR] = "discriminator", [BFD_BAD_STATE] = "state", [BFD_BAD_AUTH] = "authentication",
	[BFD_BAD_DEMAND] = "demand",
};

const char *
bfd_diag_name(unsigned diag)
{
	static const char *const names[] = {
		"none", "nothing was heard for the detection time", "echo function failed",
		"the neighbour signalled that the session is down", "forwarding plane reset", "path down",
		"concatenated path down", "administratively down", "reverse concatenated path down",
	};

	return diag < ARRAY_SIZE(names) ? names[diag] : "unknown";
}

/* --- Times --------------------------------------------------------------------------------------- */

static uint32_t
ms_of_us(uint32_t us)
{
	return us / 1000 + (us % 1000 != 0);
}

/* What we say we want to send at. */
static uint32_t
desired_tx_ms(const struct bfd *b)
{
	return b->state == BFD_UP ? b->conf.min_tx_ms : MAX_OF(b->conf.min_tx_ms, (uint32_t)BFD_SLOW_MS);
}

uint32_t
bfd_tx_ms(const struct bfd *b)
{
	uint32_t ours = desired_tx_ms(b);

	/* Slower than before only once the far end knows (section 6.8.3). */
	if (b->polling && b->tx_floor_ms)
		ours = MIN_OF(ours, b->tx_floor_ms);
	return MAX_OF(ours, b->remote_min_rx_ms);
}

uint32_t
bfd_detect_ms(const struct bfd *b)
{
	uint32_t ours = b->conf.min_rx_ms;
	uint64_t ms;

	/* Faster than before only once the far end knows. */
	if (b->polling && b->rx_floor_ms)
		ours = MAX_OF(ours, b->rx_floor_ms);
	ms = (uint64_t)b->remote_mult * MAX_OF(ours, b->remote_min_tx_ms);
	return (uint32_t)MIN_OF(ms, (uint64_t)UINT32_MAX);
}

/* An interval less a random part of up to a quarter, and of a tenth at least where the far end gives up after one lost
 * packet (section 6.8.7). */
static uint32_t
jittered(const struct bfd *b, uint32_t random)
{
	uint64_t ms = bfd_tx_ms(b), most = b->conf.mult == 1 ? ms * 90 / 100 : ms, least = ms * 75 / 100;

	return (uint32_t)(least + (most - least) * (random & 0xffff) / 0xffff);
}

uint64_t
bfd_due(const struct bfd *b)
{
	uint64_t due = UINT64_MAX;

	if (b->remote_min_rx_ms || b->final)
		due = b->next_tx_ms;
	return b->expires_ms ? MIN_OF(due, b->expires_ms) : due;
}

/* Something to say that does not wait for the next interval. */
static void
send_soon(struct bfd *b, uint64_t now)
{
	b->next_tx_ms = MIN_OF(b->next_tx_ms, MAX_OF(now, b->last_tx_ms + MIN_GAP_MS));
}

/* --- States -------------------------------------------------------------------------------------- */

void
bfd_init(struct bfd *b, const struct bfd_conf *conf, uint32_t discr, uint64_t now)
{
	memset(b, 0, sizeof *b);
	b->conf = *conf;
	b->state = conf->admin_down ? BFD_ADMIN_DOWN : BFD_DOWN;
	b->diag = conf->admin_down ? BFD_DIAG_ADMIN_DOWN : BFD_DIAG_NONE;
	b->remote_state = BFD_DOWN;
	b->local_discr = discr;
	/* One microsecond, says section 6.8.1: as fast as we like. */
	b->remote_min_rx_ms = 1;
	b->next_tx_ms = now;
}

static void
start_poll(struct bfd *b, uint64_t now)
{
	b->polling = true;
	send_soon(b, now);
}

static void
set_state(struct bfd *b, enum bfd_state state, uint8_t diag, uint64_t now)
{
	if (b->state == state)
		return;
	b->state = state;
	b->diag = state == BFD_UP ? BFD_DIAG_NONE : diag ? diag : b->diag;
	b->polling = false;
	b->tx_floor_ms = b->rx_floor_ms = 0;
	/* From the slow start to what was configured. */
	if (state == BFD_UP)
		start_poll(b, now);
	send_soon(b, now);
}

void
bfd_set(struct bfd *b, const struct bfd_conf *conf, uint64_t now)
{
	const struct bfd_conf was = b->conf;

	b->conf = *conf;
	if (was.admin_down != conf->admin_down) {
		set_state(b, conf->admin_down ? BFD_ADMIN_DOWN : BFD_DOWN, BFD_DIAG_ADMIN_DOWN, now);
		return;
	}
	if (b->state != BFD_UP || (was.min_tx_ms == conf->min_tx_ms && was.min_rx_ms == conf->min_rx_ms)) {
		send_soon(b, now);
		return;
	}
	/* Of several changes in a row the most cautious times count until the last one is known. */
	b->tx_floor_ms = b->polling && b->tx_floor_ms ? MIN_OF(b->tx_floor_ms, was.min_tx_ms) : was.min_tx_ms;
	b->rx_floor_ms = b->polling && b->rx_floor_ms ? MAX_OF(b->rx_floor_ms, was.min_rx_ms) : was.min_rx_ms;
	start_poll(b, now);
}

/* Section 6.8.6, from "If received state is AdminDown" on. */
static void
follow(struct bfd *b, uint64_t now)
{
	enum bfd_state far = b->remote_state;

	if (b->state == BFD_ADMIN_DOWN)
		return;
	if (far == BFD_ADMIN_DOWN) {
		set_state(b, BFD_DOWN, BFD_DIAG_NEIGHBOUR_DOWN, now);
	} else if (b->state == BFD_DOWN) {
		if (far != BFD_UP)
			set_state(b, far == BFD_INIT ? BFD_UP : BFD_INIT, 0, now);
	} else if (b->state == BFD_INIT) {
		if (far != BFD_DOWN)
			set_state(b, BFD_UP, 0, now);
	} else if (far == BFD_DOWN) {
		set_state(b, BFD_DOWN, BFD_DIAG_NEIGHBOUR_DOWN, now);
	}
}

/* What can be said of a packet before its session is looked at, in the order of section 6.8.6. */
static enum bfd_bad
check(const struct bfd *b, const uint8_t *p, unsigned len)
{
	uint32_t yours;

	if (len < BFD_PACKET_LEN)
		return BFD_BAD_LENGTH;
	if (p[0] >> 5 != VERSION)
		return BFD_BAD_VERSION;
	if (p[3] < BFD_PACKET_LEN || p[3] > len)
		return BFD_BAD_LENGTH;
	if (!p[2])
		return BFD_BAD_MULT;
	if (p[1] & F_MULTIPOINT)
		return BFD_BAD_MULTIPOINT;
	yours = host32(load_be32(p + 8));
	if (!load_be32(p + 4) || (yours && yours != b->local_discr))
		return BFD_BAD_DISCR;
	if (!yours && p[1] >> 6 > BFD_DOWN)
		return BFD_BAD_STATE;
	if (p[1] & F_AUTH)
		return BFD_BAD_AUTH;
	return p[1] & F_DEMAND ? BFD_BAD_DEMAND : BFD_OK;
}

enum bfd_bad
bfd_input(struct bfd *b, const uint8_t *p, unsigned len, uint64_t now)
{
	enum bfd_bad bad = check(b, p, len);
	uint32_t min_rx, before = bfd_tx_ms(b);

	if (bad)
		return bad;
	b->remote_discr = host32(load_be32(p + 4));
	b->remote_state = p[1] >> 6;
	b->remote_diag = p[0] & 31;
	b->remote_mult = p[2];
	b->remote_min_tx_ms = ms_of_us(host32(load_be32(p + 12)));
	min_rx = ms_of_us(host32(load_be32(p + 16)));
	if (p[1] & F_FINAL && b->polling) {
		b->polling = false;
		b->tx_floor_ms = b->rx_floor_ms = 0;
	}
	/* It had asked us to be silent. */
	if (!b->remote_min_rx_ms && min_rx)
		b->next_tx_ms = now;
	b->remote_min_rx_ms = min_rx;
	b->expires_ms = now + bfd_detect_ms(b);
	follow(b, now);
	if (p[1] & F_POLL && b->state != BFD_ADMIN_DOWN) {
		b->final = true;
		send_soon(b, now);
	} else if (bfd_tx_ms(b) < before) {
		/* The next one would come later than what is agreed now. */
		b->next_tx_ms = MIN_OF(b->next_tx_ms, now + bfd_tx_ms(b) * 3 / 4);
	}
	return BFD_OK;
}

static void
write_packet(const struct bfd *b, uint8_t p[BFD_PACKET_LEN])
{
	/* A packet has one of the two flags at most (section 6.5). */
	uint8_t flags = b->final ? F_FINAL : b->polling ? F_POLL : 0;

	memset(p, 0, BFD_PACKET_LEN);
	p[0] = (uint8_t)(VERSION << 5 | b->diag);
	p[1] = (uint8_t)((unsigned)b->state << 6 | flags);
	p[2] = b->conf.mult;
	p[3] = BFD_PACKET_LEN;
	store_be32(p + 4, be32(b->local_discr));
	store_be32(p + 8, be32(b->remote_discr));
	store_be32(p + 12, be32(desired_tx_ms(b) * 1000));
	store_be32(p + 16, be32(b->conf.min_rx_ms * 1000));
}

static void
expire(struct bfd *b, uint64_t now)
{
	b->expires_ms = 0;
	b->remote_discr = 0;
	b->remote_state = BFD_DOWN;
	b->remote_min_rx_ms = 1;
	if (b->state == BFD_INIT || b->state == BFD_UP)
		set_state(b, BFD_DOWN, BFD_DIAG_EXPIRED, now);
}

bool
bfd_poll(struct bfd *b, uint64_t now, uint32_t random, uint8_t out[BFD_PACKET_LEN])
{
	if (b->expires_ms && now >= b->expires_ms)
		expire(b, now);
	if ((!b->remote_min_rx_ms && !b->final) || now < b->next_tx_ms)
		return false;
	write_packet(b, out);
	b->last_tx_ms = now;
	/* The first packet of a poll sequence follows an answer at once. */
	b->next_tx_ms = now + (b->final && b->polling ? MIN_GAP_MS : MAX_OF(jittered(b, random), (uint32_t)MIN_GAP_MS));
	b->final = false;
	return true;
}

/* --- Frames -------------------------------------------------------------------------------------- */

static const uint8_t eth_dst[6] = { 0x00, 0x23, 0x20, 0x00, 0x00, 0x01 };
static const uint8_t ip_src[4] = { 169, 254, 1, 1 }, ip_dst[4] = { 169, 254, 1, 0 };

void
bfd_frame_build(uint8_t f[BFD_FRAME_LEN], struct mac src, uint16_t src_port, const uint8_t packet[BFD_PACKET_LEN])
{
	uint8_t *ip = f + 14, *udp = ip + 20;

	memset(f, 0, BFD_FRAME_LEN);
	memcpy(f, eth_dst, 6);
	memcpy(f + 6, &src, 6);
	store_be16(f + 12, be16(0x0800));
	ip[0] = 0x45;
	ip[1] = TOS;
	store_be16(ip + 2, be16(20 + 8 + BFD_PACKET_LEN));
	store_be16(ip + 6, be16(0x4000));
	ip[8] = TTL;
	ip[9] = 17;
	memcpy(ip + 12, ip_src, 4);
	memcpy(ip + 16, ip_dst, 4);
	store_be16(ip + 10, (uint16_t)~csum_fold(csum_add(0, ip, 20)));
	store_be16(udp, be16(src_port));
	store_be16(udp + 2, be16(UDP_PORT));
	store_be16(udp + 4, be16(8 + BFD_PACKET_LEN));
	memcpy(udp + 8, packet, BFD_PACKET_LEN);
}

/* 0 says that there is none, which IPv4 allows, and OVS does. */
static bool
udp_csum_ok(const uint8_t *ip, const uint8_t *udp, unsigned len)
{
	uint64_t sum = (uint64_t)be16(len) + be16(17);

	if (!load_be16(udp + 6))
		return true;
	return csum_fold(csum_add(csum_add(sum, ip + 12, 8), udp, len)) == 0xffff;
}

enum bfd_bad
bfd_frame_parse(const uint8_t *f, unsigned len, const uint8_t **packet, unsigned *packet_len)
{
	const uint8_t *ip = f + 14, *udp;
	unsigned hlen, ip_len, udp_len;

	if (len < 14 + 20 + 8 || load_be16(f + 12) != be16(0x0800) || ip[0] >> 4 != 4)
		return BFD_BAD_FRAME;
	hlen = (ip[0] & 15) * 4u;
	ip_len = host16(load_be16(ip + 2));
	if (hlen < 20 || ip_len > len - 14 || ip_len < hlen + 8 || ip[9] != 17 || load_be16(ip + 6) & be16(0x3fff) ||
	    csum_fold(csum_add(0, ip, hlen)) != 0xffff)
		return BFD_BAD_FRAME;
	udp = ip + hlen;
	udp_len = host16(load_be16(udp + 4));
	if (load_be16(udp + 2) != be16(UDP_PORT) || udp_len < 8 || udp_len > ip_len - hlen || !udp_csum_ok(ip, udp, udp_len))
		return BFD_BAD_FRAME;
	if (ip[8] != TTL)
		return BFD_BAD_TTL;
	*packet = udp + 8;
	*packet_len = udp_len - 8;
	return BFD_OK;
}
