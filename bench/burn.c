/* SPDX-License-Identifier: MIT */
/*
 * The price of one step. Whatever disturbs a measurement makes it longer, so
 * the shortest of several is the truth.
 */
#include <pthread.h>

#include "bench/burn.h"
#include "detect/clock.h"

#define RUNS 40
#define STEPS 20000

static double step_ns;

static void calibrate(void)
{
	uint64_t value = 1;
	double best = 0;

	for (int run = 0; run < RUNS; run++) {
		uint64_t start = gsync_monotonic_ns();
		double took;

		value = bench_burn(STEPS, value);
		took = (double)(gsync_monotonic_ns() - start);
		if (run == 0 || took < best)
			best = took;
	}
	step_ns = best > 0 ? best / STEPS : 1;
}

uint64_t bench_burn_steps(uint64_t ns)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	uint64_t steps;

	if (ns == 0)
		return 0;
	pthread_once(&once, calibrate);
	steps = (uint64_t)((double)ns / step_ns + 0.5);
	return steps > 0 ? steps : 1;
}
