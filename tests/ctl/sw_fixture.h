/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of the switch begin with: a real one with a store in a directory of its own, over fakes of ports, datapath
 * and underlay. */
#ifndef TESTS_CTL_SW_FIXTURE_H
#define TESTS_CTL_SW_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "ctl/store.h"
#include "ctl/sw.h"
#include "tests/ctl/fake_dp.h"
#include "tests/ctl/fake_types.h"

struct fixture {
	char dir[40];
	struct store *store;
	struct sw *sw;
};

static int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);
	const struct dp_conf dc = { .n_lcores = 1 };
	struct err e = { 0 };

	log_set_level(LOG_LVL_ERR);
	memset(fake_ports, 0, sizeof fake_ports);
	fake_n_opened = 0;
	strcpy(f->dir, "/tmp/weft-sw-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->store = store_file_open(f->dir, false, &e);
	assert_non_null(f->store);
	f->sw = sw_create(&dc, NULL, f->store, NULL, &e);
	assert_non_null(f->sw);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	static const char *const names[] = { "weft.json", "weft.json.prev", "weft.json.unused" };
	struct fixture *f = *state;
	char path[80];

	sw_destroy(f->sw);
	store_destroy(f->store);
	for (unsigned i = 0; i < FAKE_PORTS_MAX; i++)
		assert_false(fake_ports[i].open);
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof path, "%s/%s", f->dir, names[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

/* JSON in the spelling of a test: ' for ". */
static json_t *
doc_of(const char *text)
{
	char *s = xstrdup(text);
	json_t *doc;

	for (char *p = s; *p; p++)
		if (*p == '\'')
			*p = '"';
	doc = json_loads(s, 0, NULL);
	assert_non_null(doc);
	free(s);
	return doc;
}

static int last_rc;
static unsigned n_done;

static void
on_done(void *arg, int rc)
{
	(void)arg;
	last_rc = rc;
	n_done++;
}

static int
try_apply(struct fixture *f, const char *text, struct err *e)
{
	json_t *doc = doc_of(text);
	int rc = sw_apply(f->sw, doc, 0, on_done, NULL, e);

	json_decref(doc);
	return rc;
}

static void
grace(struct fixture *f)
{
	fake_dp_grace(sw_dp(f->sw));
	sw_poll(f->sw);
}

/* Accepted, and effective: as many grace periods as it takes. */
static void
apply(struct fixture *f, const char *text)
{
	unsigned before = n_done;
	struct err e = { 0 };

	if (try_apply(f, text, &e)) {
		print_message("refused: %s\n", e.msg);
		fail();
	}
	for (unsigned i = 0; i < 3 && n_done == before; i++)
		grace(f);
	assert_int_equal(n_done, before + 1);
}

#define VM1 "'vm1':{'type':'vhost-user'}"
#define DOC(ports) "{'bridges':{'br0':{'ports':{" ports "}}}}"

#endif
