/* SPDX-License-Identifier: Apache-2.0 */
/* How long one translation takes, in nanoseconds.  Run by hand: build/tests/bench/bench_xlate */
#include "ofproto/table.h"
#include "tests/ofproto/sim.h"

#include "base/clock.h"

enum { N_PORTS = 64, N_STATIONS = 4096, ROUNDS = 2000000 };

/* Runs translate() over keys made by 'make'; prints the mean. */
static void
bench(struct sim *s, const char *what, unsigned rounds, struct flow_key (*make)(unsigned i))
{
	enum { N = 4096 };
	struct flow_key *k = xalloc_aligned(CACHE_LINE, N * sizeof *k);
	uint64_t start, n_acts = 0;
	double us;

	for (unsigned i = 0; i < N; i++)
		k[i] = make(i);
	start = clock_us();
	for (unsigned i = 0; i < rounds; i++) {
		sim_xlate_to(s, &k[i % N], &s->out);
		n_acts += s->out.acts.n;
	}
	us = (double)(clock_us() - start);
	printf("%-44s %8.1f ns   %5.1f actions\n", what, us * 1000 / rounds, (double)n_acts / rounds);
	free(k);
}

static unsigned
scatter(unsigned i)
{
	return i * 2654435761u >> 8;
}

static uint16_t
port_of(unsigned station)
{
	return (uint16_t)(1 + station % N_PORTS);
}

static struct flow_key
unicast(unsigned i)
{
	unsigned src = scatter(i) % N_STATIONS, dst = scatter(i + 77) % N_STATIONS;

	return sim_key(port_of(src), src, dst, NO_TAG);
}

static struct flow_key
to_tunnel(unsigned i)
{
	unsigned src = scatter(i) % N_STATIONS;

	return sim_key(port_of(src), src, 0x8000 + i % 64, NO_TAG);
}

static struct flow_key
unknown(unsigned i)
{
	unsigned src = scatter(i) % N_STATIONS;

	return sim_key(port_of(src), src, 0xf000, NO_TAG);
}

static struct flow_key
new_source(unsigned i)
{
	return sim_key(1, 0x9000 + i, scatter(i) % N_STATIONS, NO_TAG);
}

/* Table 'n' of four: a thousand rules, of which the packet meets one. */
static void
add_table(struct sim *s, uint16_t br, unsigned n)
{
	static struct of_flow_mod fm;
	uint64_t acts[16];
	struct of_act_u32 *next = (struct of_act_u32 *)acts;
	struct of_act_output *out = (struct of_act_output *)acts;

	for (unsigned i = 0; i < 1000; i++) {
		memset(&fm, 0, sizeof fm);
		memset(acts, 0, sizeof acts);
		fm = (struct of_flow_mod){ .version = OF13, .command = OFFC_ADD, .table_id = (uint8_t)n, .priority = 10,
					   .out_port = (uint32_t)OFPP_ANY, .out_group = OFG_ANY,
					   .buffer_id = (uint32_t)OF_NO_BUFFER };
		fm.match.flow.dl_type = be16(0x800);
		fm.match.mask.dl_type = 0xffff;
		if (n & 1) {
			fm.match.flow.nw_dst = be32(0x0a000000 | i << 8);
			fm.match.mask.nw_dst = be32(0xffffff00);
		} else {
			fm.match.flow.nw_src = be32(0x0a000000 | i);
			fm.match.mask.nw_src = 0xffffffff;
		}
		if (n < 3) {
			*next = (struct of_act_u32){ .h = { .kind = OFA_GOTO_TABLE, .len = 8 }, .value = n + 1 };
			fm.acts = (struct of_acts){ &next->h, 8 };
		} else {
			*out = (struct of_act_output){ .h = { .kind = OFA_OUTPUT, .len = sizeof *out }, .port = 1 + i % N_PORTS };
			fm.acts = (struct of_acts){ &out->h, sizeof *out };
		}
		of_flow_mod(ofp_pipe(s->ofp, br), &(struct of_who){ .version = OF13 }, &fm, NULL);
	}
}

static struct flow_key
through_tables(unsigned i)
{
	struct flow_key k = sim_key(1, 1, 2, NO_TAG);

	k.flags = FLOW_F_IPV4;
	k.nw_proto = 17;
	k.nw_src = be32(0x0a000000 | scatter(i) % 1000);
	k.nw_dst = be32(0x0a000000 | scatter(i + 7) % 1000 << 8 | (i & 255));
	k.tp_src = be16((uint16_t)i);
	return k;
}

int
main(void)
{
	struct sim *s = sim_create();
	uint16_t br = sim_bridge(s, "br0");
	uint64_t start;
	uint32_t dst[64];

	for (uint16_t i = 1; i <= N_PORTS; i++)
		sim_port(s, br, i, "tag=10");
	for (unsigned i = 0; i < 64; i++) {
		struct ofp_tun_path p = { .underlay_port = 900, .src = sim_mac(1), .next_hop = sim_mac(2) };

		dst[i] = i + 1;
		ofp_set_tun_path(s->ofp, dst[i], &p);
	}
	sim_port_kind(s, br, 100, OFP_PORT_TUNNEL, "tag=10");
	ofp_port_set_tun_dsts(s->ofp, 100, dst, 64);
	for (unsigned i = 0; i < N_STATIONS; i++)
		ofp_learn(s->ofp, &(struct xlate_learn){ true, br, 10, port_of(i), 0, sim_mac(i) });
	for (unsigned i = 0; i < 64; i++)
		ofp_learn(s->ofp, &(struct xlate_learn){ true, br, 10, 100, i + 1, sim_mac(0x8000 + i) });
	sim_commit(s);

	printf("%u access ports, %u stations, a tunnel with 64 remotes\n", N_PORTS, N_STATIONS);
	bench(s, "unicast, both known", ROUNDS, unicast);
	bench(s, "unicast into the tunnel", ROUNDS, to_tunnel);
	bench(s, "unicast from a new source", ROUNDS, new_source);
	bench(s, "flood to 63 ports and 64 remotes", ROUNDS / 50, unknown);

	start = clock_us();
	for (unsigned i = 0; i < 1000; i++) {
		ofp_port_set_up(s->ofp, 1, i & 1);
		sim_commit(s);
	}
	printf("%-44s %8.1f us\n", "port down or up, and commit", (double)(clock_us() - start) / 1000);

	ofp_of_reset(s->ofp, br, true);
	for (unsigned i = 0; i < 4; i++)
		add_table(s, br, i);
	sim_commit(s);
	bench(s, "OpenFlow, 4 tables of 1000 rules", ROUNDS, through_tables);
	sim_destroy(s);
	return 0;
}
