/* SPDX-License-Identifier: Apache-2.0 */
/* The dpdk port on devices that need no hardware (net_pcap), and the patch port. */
#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/datapath/portenv.h"

static char dir[] = "/tmp/weft-test-XXXXXX";

static void
write_capture(const char *path, unsigned n, const uint8_t *frame, uint32_t len)
{
	pcap_t *pc = pcap_open_dead(DLT_EN10MB, 65535);
	pcap_dumper_t *d = pcap_dump_open(pc, path);
	struct pcap_pkthdr h = { .caplen = len, .len = len };

	assert_non_null(d);
	for (unsigned i = 0; i < n; i++)
		pcap_dump((u_char *)d, &h, frame);
	pcap_dump_close(d);
	pcap_close(pc);
}

static void
a_capture_comes_in_and_another_goes_out(void **state UNUSED)
{
	char devargs[250], in[100], out[100], error[PCAP_ERRBUF_SIZE];
	static uint8_t frame[5000] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5 };
	struct rte_mbuf *m[10];
	struct pcap_pkthdr *h;
	const u_char *bytes;

	for (unsigned i = 14; i < sizeof frame; i++)
		frame[i] = (uint8_t)(i / 3);
	snprintf(in, sizeof in, "%s/in.pcap", dir);
	snprintf(out, sizeof out, "%s/out.pcap", dir);
	write_capture(in, 10, frame, 5000);
	snprintf(devargs, sizeof devargs, "net_pcap0,rx_pcap=%s,tx_pcap=%s", in, out);
	struct port *p = env_port(&port_type_dpdk, "cap", "devargs", devargs, NULL);

	assert_true(env_link(p).up);
	assert_int_equal(p->n_rxq, 1);
	assert_non_null(strstr(env_link(p).detail, "net_pcap0"));
	env_rx(p, m, 10, NULL);
	assert_int_equal(m[0]->pkt_len, 5000);
	assert_true(m[0]->nb_segs > 1);
	/* This driver takes no chains: what fits one buffer is made whole, what does not is counted. */
	for (unsigned i = 1; i < 10; i++) {
		rte_pktmbuf_free(m[i]);
		m[i] = env_frame(frame, 1500);
	}
	assert_true(m[1]->nb_segs > 1);
	/* Queue 1 of a device with one queue: shared. */
	assert_int_equal(p->type->tx(p, 1, m, 10), 10);
	assert_int_equal(p->tx_drops[DROP_TX_TOO_BIG], 1);

	bool pending = true;

	assert_int_equal(p->type->sleep->arm(p, 0, &pending), PORT_ARM_NAP);
	assert_false(pending);

	struct err e = { 0 };

	assert_null(env_port_try(&port_type_dpdk, "again", &e, "devargs", devargs, NULL));
	assert_int_equal(e.code, EBUSY);
	port_destroy(p);
	env_no_mbuf_is_lost();

	pcap_t *pc = pcap_open_offline(out, error);

	for (unsigned i = 1; i < 10; i++) {
		assert_int_equal(pcap_next_ex(pc, &h, &bytes), 1);
		assert_int_equal(h->caplen, 1500);
		assert_memory_equal(bytes, frame, 1500);
	}
	assert_int_equal(pcap_next_ex(pc, &h, &bytes), PCAP_ERROR_BREAK);
	pcap_close(pc);

	/* It was given back: the same device opens again. */
	p = env_port(&port_type_dpdk, "again", "devargs", devargs, NULL);
	port_destroy(p);
	unlink(in);
	unlink(out);
}

/* A flood shares packets: the other ports must find theirs as it was. */
static void
making_a_shared_frame_whole_leaves_the_other_holder_his(void **state UNUSED)
{
	static uint8_t frame[1500] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5 };
	char devargs[250], in[100], out[100];
	struct rte_mbuf *m;
	uint16_t segs;

	snprintf(in, sizeof in, "%s/in.pcap", dir);
	snprintf(out, sizeof out, "%s/out.pcap", dir);
	write_capture(in, 1, frame, sizeof frame);
	snprintf(devargs, sizeof devargs, "net_pcap0,rx_pcap=%s,tx_pcap=%s", in, out);
	struct port *p = env_port(&port_type_dpdk, "cap", "devargs", devargs, NULL);

	m = env_frame(frame, sizeof frame);
	segs = m->nb_segs;
	assert_true(segs > 1);
	rte_pktmbuf_refcnt_update(m, 1);
	assert_int_equal(p->type->tx(p, 0, &(struct rte_mbuf *){ m }, 1), 1);
	assert_int_equal(p->tx_drops[DROP_TX_TOO_BIG], 0);
	assert_int_equal(m->nb_segs, segs);
	for (struct rte_mbuf *s = m; s; s = s->next)
		assert_int_equal(rte_mbuf_refcnt_read(s), 1);
	rte_pktmbuf_free(m);
	port_destroy(p);
	env_no_mbuf_is_lost();
	unlink(in);
	unlink(out);
}

static void
a_device_that_is_not_there_is_refused_with_its_name(void **state UNUSED)
{
	struct err e = { 0 };

	assert_null(env_port_try(&port_type_dpdk, "p0", &e, "devargs", "net_nothing0", NULL));
	assert_non_null(strstr(e.msg, "port p0: cannot probe device 'net_nothing0'"));
	assert_null(env_port_try(&port_type_dpdk, "p0", &e, NULL));
	assert_non_null(strstr(e.msg, "devargs is missing"));
}

static void
a_patch_port_knows_its_peer(void **state UNUSED)
{
	struct port *p = env_port(&port_type_patch, "a", "peer", "b", NULL);
	struct err e = { 0 };

	assert_string_equal(port_patch_peer(p), "b");
	assert_string_equal(env_link(p).detail, "to b");
	port_destroy(p);
	assert_null(env_port_try(&port_type_patch, "a", &e, "peer", "a", NULL));
	assert_null(env_port_try(&port_type_patch, "a", &e, NULL));
	assert_string_equal(e.msg, "port a: peer is missing: name the patch port of the other bridge");
	assert_null(env_port_try(&port_type_patch, "a-name-that-is-longer-than-31-bytes", &e, "peer", "b", NULL));
}

static int
setup(void **state)
{
	return mkdtemp(dir) ? env_start(state) : -1;
}

static int
teardown(void **state)
{
	rmdir(dir);
	return env_stop(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_capture_comes_in_and_another_goes_out),
		cmocka_unit_test(making_a_shared_frame_whole_leaves_the_other_holder_his),
		cmocka_unit_test(a_device_that_is_not_there_is_refused_with_its_name),
		cmocka_unit_test(a_patch_port_knows_its_peer),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
