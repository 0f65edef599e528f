/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a port, whatever its type: memory and the calls to open() and close(). */
#include "datapath/port.h"

#include <errno.h>
#include <stdlib.h>

/* The private part starts on a cache line of its own: its type decides what shares one. */
static size_t
priv_offset(void)
{
	return (sizeof(struct port) + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
}

struct port *
port_create(const struct port_type *type, struct port_owner *owner, const char *name, uint16_t id,
	    const void *conf, struct err *e)
{
	struct port *p = xalloc_aligned(CACHE_LINE, priv_offset() + type->priv_size);

	p->type = type;
	p->owner = owner;
	p->id = id;
	p->priv = (char *)p + priv_offset();
	if (!*name || !str_copy(p->name, sizeof p->name, name)) {
		err_set(e, EINVAL, "port name '%s': 1 to %zu characters", name, sizeof p->name - 1);
		goto fail;
	}
	if (type->open(p, conf, e) < 0) {
		err_prefix(e, "port %s", name);
		goto fail;
	}
	return p;
fail:
	free(p);
	return NULL;
}

void
port_destroy(struct port *p)
{
	if (!p)
		return;
	p->type->close(p);
	free(p);
}
