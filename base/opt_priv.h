/* SPDX-License-Identifier: Apache-2.0 */
/* What opt.c and opt_map.c share. */
#ifndef BASE_OPT_PRIV_H
#define BASE_OPT_PRIV_H

#include "base/opt.h"

/* Digits only, decimal or 0x, up to 'end'; at most 2^40 comes out.  0 or -EINVAL. */
int opt_number(const char *s, const char *end, uint64_t *out);
/* Appends at buf[*n], never past 'len'; '*n' is what would have been written. */
void opt_append(char *buf, size_t len, size_t *n, const char *s);

int opt_map_parse(const struct opt_desc *, const char *s, struct opt_map *, struct err *);
void opt_map_format(const struct opt_map *, char *buf, size_t len);
int opt_ip_keys_parse(const struct opt_desc *, const char *s, struct opt_ip_keys *, struct err *);
void opt_ip_keys_format(const struct opt_ip_keys *, char *buf, size_t len);

#endif
