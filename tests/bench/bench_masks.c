/* SPDX-License-Identifier: Apache-2.0 */
/* What a rule set makes of the flow cache: masks, megaflows, and what a new flow costs, for packets of 5-tuples as
 * flowgen of ../shared/bench sends them.
 *
 * usage: bench_masks RULES FLOWS [PACKETS]     RULES: a file of "ovs-ofctl add-flows", its ports are numbers */
#include "datapath/cache.h"
#include "ofproto/table.h"
#include "ofproto/text.h"
#include "tests/ofproto/sim.h"

#include "base/clock.h"

enum { MAX_FLOWS = 2000000 };

static struct flow_key
tuple(uint32_t i)
{
	struct flow_key k = sim_key(1, 1, 2, NO_TAG);

	k.flags = FLOW_F_IPV4;
	k.dl_type = be16(0x800);
	k.nw_proto = 17;
	k.nw_ttl = 64;
	k.nw_src = be32(0x0a000000 + (i * 0x9E3779B1u & 0xffffff));
	k.nw_dst = be32(0x14000000 + (i * 0x85EBCA6Bu & 0xffffff));
	k.tp_src = be16((uint16_t)(1024 + (i * 40503 & 0xffff) % 64000));
	k.tp_dst = be16((uint16_t)(1 + (i * 25717 & 0xffff) % 65535));
	return k;
}

static unsigned
load(struct sim *s, uint16_t br, const char *path)
{
	struct of_act_buf acts = { 0 };
	FILE *f = fopen(path, "r");
	char line[1024];
	unsigned n = 0;

	while (f && fgets(line, sizeof line, f)) {
		struct of_flow_mod fm;
		struct err e = { 0 };

		line[strcspn(line, "\n")] = '\0';
		if (of_parse_flow_mod(line, strlen(line), OFFC_ADD, NULL, &acts, &fm, &e)) {
			fprintf(stderr, "%s: %s\n", line, e.msg);
			exit(1);
		}
		fm.version = OF13;
		of_flow_mod(ofp_pipe(s->ofp, br), &(struct of_who){ .version = OF13 }, &fm, NULL);
		n++;
	}
	of_act_buf_fini(&acts);
	if (f)
		fclose(f);
	return n;
}

int
main(int argc, char **argv)
{
	uint32_t flows = argc > 2 ? (uint32_t)atoi(argv[2]) : 1000, packets = argc > 3 ? (uint32_t)atoi(argv[3]) : flows;
	uint64_t start, in_lookup = 0, rng = 88172645463325252ull;
	uint32_t hits = 0, most = 0;
	struct flow_key mask = { 0 };
	struct sim *s = sim_create();
	static struct cache c;
	uint16_t br = sim_bridge(s, "br0");
	struct xlate_out *out = &s->out;

	sim_port(s, br, 1, "");
	sim_port(s, br, 2, "");
	ofp_of_reset(s->ofp, br, true);
	printf("%u rules\n", load(s, br, argc > 1 ? argv[1] : "/dev/null"));
	sim_commit(s);
	ofp_xlate.port_mask(s->view, 1, &mask);
	if (cache_init(&c, MAX_FLOWS, 0))
		return 1;
	start = clock_us();
	for (uint32_t i = 0; i < packets; i++) {
		struct flow_key k;
		flow_block *b = (flow_block *)&k, *m = (flow_block *)&mask;

		rng ^= rng << 13;
		rng ^= rng >> 7;
		rng ^= rng << 17;
		k = tuple(packets == flows ? i : (uint32_t)((rng >> 32) * flows >> 32));
		b[0] &= m[0];
		b[1] &= m[1];
		in_lookup -= __builtin_ia32_rdtsc();
		if (cache_lookup(&c, 1, &b[0], &b[1]) != CACHE_NONE) {
			in_lookup += __builtin_ia32_rdtsc();
			hits++;
			continue;
		}
		in_lookup += __builtin_ia32_rdtsc();
		sim_xlate_to(s, &k, out);
		cache_insert(&c, &k, &mask, out, 1, 0);
		most = c.ports[1].n > most ? c.ports[1].n : most;
	}
	printf("%u packets of %u flows: %u megaflows, %u masks, %u found; %.0f ns and %.0f cycles of look-up each\n", packets, flows,
	       c.n_flows, most, hits, (double)(clock_us() - start) * 1000 / packets, (double)in_lookup / packets);
	for (unsigned i = 0; argc > 4 && i < c.ports[1].n; i++) {
		struct flow_key *mk = (struct flow_key *)c.masks[c.ports[1].mask[i]].m;

		printf("  %08x %08x %04x %04x  %u flows\n", host32(mk->nw_src), host32(mk->nw_dst), host16(mk->tp_src),
		       host16(mk->tp_dst), c.ports[1].refs[i]);
	}
	cache_fini(&c);
	sim_destroy(s);
	return 0;
}
