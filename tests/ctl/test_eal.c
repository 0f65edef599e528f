/* SPDX-License-Identifier: Apache-2.0 */
/* DPDK's log in ours: what an operator is told, and what is noise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <rte_log.h>

#include "ctl/eal.h"

#define VHOST "VHOST_CONFIG: (/run/weft/vhost/vm1.sock) "

static void
is(const char *line, unsigned level, enum log_level want)
{
	assert_int_equal(eal_log_level(line, strlen(line), level), want);
}

static void
levels_are_translated(void **state)
{
	(void)state;
	is("EAL: x", RTE_LOG_EMERG, LOG_LVL_ERR);
	is("EAL: x", RTE_LOG_ERR, LOG_LVL_ERR);
	is("EAL: x", RTE_LOG_WARNING, LOG_LVL_WARN);
	is("EAL: x", RTE_LOG_NOTICE, LOG_LVL_INFO);
	is("EAL: x", RTE_LOG_INFO, LOG_LVL_INFO);
	is("EAL: x", RTE_LOG_DEBUG, LOG_LVL_DEBUG);
	is("EAL: No available 1048576 kB hugepages reported on node 0", RTE_LOG_WARNING, LOG_LVL_DEBUG);
}

static void
guest_that_hangs_up_is_no_error(void **state)
{
	(void)state;
	is(VHOST "recvmsg failed on fd 41 (Connection reset by peer)", RTE_LOG_ERR, LOG_LVL_DEBUG);
	is(VHOST "vhost read message failed", RTE_LOG_ERR, LOG_LVL_DEBUG);
	is(VHOST "vhost peer closed", RTE_LOG_ERR, LOG_LVL_DEBUG);
}

static void
guest_that_misbehaves_is_an_error(void **state)
{
	(void)state;
	is(VHOST "recvmsg failed on fd 41 (Bad file descriptor)", RTE_LOG_ERR, LOG_LVL_ERR);
	is(VHOST "sendmsg error on fd 41 (Connection reset by peer)", RTE_LOG_ERR, LOG_LVL_ERR);
	is(VHOST "vhost read message for VHOST_USER_SET_MEM_TABLE failed", RTE_LOG_ERR, LOG_LVL_ERR);
	is(VHOST "Unexpected header size read", RTE_LOG_ERR, LOG_LVL_ERR);
	is(VHOST "vhost message handling failed.", RTE_LOG_ERR, LOG_LVL_ERR);
	is("EAL: (Connection reset by peer) recvmsg failed on fd 41", RTE_LOG_ERR, LOG_LVL_ERR);
}

static void
line_ends_where_it_is_said_to(void **state)
{
	static const char line[] = VHOST "vhost read message failed";

	(void)state;
	for (size_t n = 0; n < sizeof line - 1; n++)
		assert_int_equal(eal_log_level(line, n, RTE_LOG_ERR), LOG_LVL_ERR);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(levels_are_translated),
		cmocka_unit_test(guest_that_hangs_up_is_no_error),
		cmocka_unit_test(guest_that_misbehaves_is_an_error),
		cmocka_unit_test(line_ends_where_it_is_said_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
