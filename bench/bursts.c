/* SPDX-License-Identifier: MIT */
#include "bench/bursts.h"

#include "bench/random.h"

#define BURST_MIN_NS 3000000u
#define BURST_MAX_NS 10000000u
#define PERIOD_MIN_NS 10000000u
#define PERIOD_MAX_NS 20000000u
#define GAP_MIN_NS 200000u

static uint64_t between(uint64_t least, uint64_t most, uint64_t *random)
{
	return least + bench_random_below(random, most - least + 1);
}

static void plan(struct bench_bursts *bursts, uint64_t least, uint64_t most)
{
	bursts->next += between(least, most, &bursts->random);
	bursts->burst_ns = between(BURST_MIN_NS, BURST_MAX_NS, &bursts->random);
}

struct bench_bursts bench_bursts_of(uint64_t window, uint64_t seed, uint64_t now)
{
	struct bench_bursts bursts = { .random = seed, .next = window };

	plan(&bursts, 0, PERIOD_MAX_NS); /* each seed has its own phase */
	while (bursts.next < now)
		plan(&bursts, PERIOD_MIN_NS, PERIOD_MAX_NS);
	return bursts;
}

void bench_bursts_go_on(struct bench_bursts *bursts, uint64_t now)
{
	plan(bursts, PERIOD_MIN_NS, PERIOD_MAX_NS);
	if (bursts->next < now + GAP_MIN_NS)
		bursts->next = now + GAP_MIN_NS;
}
