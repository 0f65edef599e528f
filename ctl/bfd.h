/* SPDX-License-Identifier: Apache-2.0 */
/* One BFD session: the state machine of RFC 5880 in asynchronous mode, without authentication, echo or demand mode.  Pure:
 * packets and time come in, packets go out; who carries them, and when it is asked again, is its owner's business.
 *
 * Beside it the frame that carries such packets inside a tunnel, as OVS has it (and as RFC 5881 says of IP and UDP):
 * Ethernet to 00:23:20:00:00:01, IPv4 169.254.1.1 to 169.254.1.0 with TTL 255, UDP port 3784.
 *
 * Times are milliseconds of a clock that never goes back; on the wire they are microseconds. */
#ifndef CTL_BFD_H
#define CTL_BFD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

enum {
	BFD_PACKET_LEN = 24,
	BFD_FRAME_LEN = 14 + 20 + 8 + BFD_PACKET_LEN,
	BFD_SLOW_MS = 1000,             /* Nobody sends faster while the session is not up (section 6.8.3). */
};

/* As on the wire. */
enum bfd_state { BFD_ADMIN_DOWN, BFD_DOWN, BFD_INIT, BFD_UP };
enum bfd_diag { BFD_DIAG_NONE, BFD_DIAG_EXPIRED = 1, BFD_DIAG_NEIGHBOUR_DOWN = 3, BFD_DIAG_ADMIN_DOWN = 7 };

/* Why a packet counted for nothing. */
enum bfd_bad {
	BFD_OK,
	BFD_BAD_FRAME,                  /* Not IPv4 and UDP as it should be, a checksum among them. */
	BFD_BAD_TTL,                    /* Not 255: it may come from anywhere (RFC 5881, section 5). */
	BFD_BAD_VERSION,
	BFD_BAD_LENGTH,
	BFD_BAD_MULT,                   /* Detection multiplier 0. */
	BFD_BAD_MULTIPOINT,
	BFD_BAD_DISCR,                  /* None of its own, or not ours. */
	BFD_BAD_STATE,                  /* It does not know us, and is neither down nor shut. */
	BFD_BAD_AUTH,                   /* Authentication is not spoken here. */
	BFD_BAD_DEMAND,                 /* Nor is demand mode. */
	BFD_N_BAD
};
extern const char *const bfd_bad_names[BFD_N_BAD];      /* "ttl", "version", ... for JSON. */
extern const char *const bfd_state_names[4];
/* "control detection time expired"; never NULL. */
const char *bfd_diag_name(unsigned diag);

struct bfd_conf {
	uint32_t min_tx_ms, min_rx_ms;  /* Not more often is sent, and wanted. */
	uint8_t mult;                   /* So many of our packets may be lost before the far end gives up; not 0. */
	bool admin_down;                /* Held down, and the far end told so (section 6.8.16). */
};

/* Read, but written by these functions alone.  Names are those of section 6.8.1. */
struct bfd {
	struct bfd_conf conf;
	enum bfd_state state, remote_state;
	uint32_t local_discr, remote_discr;
	uint8_t diag, remote_diag;
	/* Of the far end, in milliseconds, rounded up. */
	uint32_t remote_min_rx_ms, remote_min_tx_ms;
	uint8_t remote_mult;
	/* What counts, while a poll sequence has not yet told the far end of something slower. */
	uint32_t tx_floor_ms, rx_floor_ms;
	bool polling;                   /* A poll sequence is under way; */
	bool final;                     /* the far end's is to be answered. */
	uint64_t expires_ms;            /* When the far end is given up; 0: it has not been heard. */
	uint64_t next_tx_ms, last_tx_ms;
};

/* 'discr': ours, not 0, no other session's. */
void bfd_init(struct bfd *, const struct bfd_conf *, uint32_t discr, uint64_t now_ms);
/* Other times than before are agreed upon by a poll sequence; what is held down goes down at once, and comes up again by
 * itself when it is let go. */
void bfd_set(struct bfd *, const struct bfd_conf *, uint64_t now_ms);
/* A packet (after UDP) for this session came in. */
enum bfd_bad bfd_input(struct bfd *, const uint8_t *p, unsigned len, uint64_t now_ms);
/* Does what time does.  True: 'out' is to be sent now; ask again, there may be a second.  'random' makes the jitter. */
bool bfd_poll(struct bfd *, uint64_t now_ms, uint32_t random, uint8_t out[BFD_PACKET_LEN]);
/* When to call bfd_poll() next; UINT64_MAX: only after bfd_input(). */
uint64_t bfd_due(const struct bfd *);
/* How often packets are sent (before jitter), and how long a silence is believed; 0: for ever. */
uint32_t bfd_tx_ms(const struct bfd *);
uint32_t bfd_detect_ms(const struct bfd *);

/* The frame around a packet.  'src_port' is 49152 or above, and this session's alone. */
void bfd_frame_build(uint8_t f[BFD_FRAME_LEN], struct mac src, uint16_t src_port, const uint8_t packet[BFD_PACKET_LEN]);
/* The packet inside a frame, '*packet' and '*packet_len'. */
enum bfd_bad bfd_frame_parse(const uint8_t *f, unsigned len, const uint8_t **packet, unsigned *packet_len);

#endif
