/* SPDX-License-Identifier: Apache-2.0 */
/* Names of what is built once per instruction set: vhost/meson.build gives WEFT_ISA, and -march. */
#ifndef VHOST_RING_ISA_PRIV_H
#define VHOST_RING_ISA_PRIV_H

#include "vhost/ring_priv.h"

#define VQ_PASTE_(a, b) a##_##b
#define VQ_PASTE(a, b) VQ_PASTE_(a, b)
#define VQ_ISA(name) VQ_PASTE(name, WEFT_ISA)

/* [packed][offloads] */
extern vq_take_fn *const VQ_ISA(vq_take)[2][2];
/* [packed] */
extern vq_send_fn *const VQ_ISA(vq_send)[2];
extern vq_send_mbufs_fn *const VQ_ISA(vq_send_mbufs)[2];

#endif
