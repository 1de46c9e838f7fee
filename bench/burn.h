/* SPDX-License-Identifier: MIT */
/*
 * Work of a known length that touches no memory: a chain of dependent
 * multiplications, calibrated once per process.
 */
#ifndef GUESTSYNC_BENCH_BURN_H
#define GUESTSYNC_BENCH_BURN_H

#include <stdint.h>

static inline uint64_t bench_burn(uint64_t steps, uint64_t value)
{
	for (uint64_t i = 0; i < steps; i++) {
		value = value * 6364136223846793005u + 1;
		__asm__ __volatile__("" : "+r"(value)); /* the compiler must not fold the chain */
	}
	return value;
}

/* How many steps take NS nanoseconds: at least one unless NS is 0. The first call measures for about a millisecond. */
uint64_t bench_burn_steps(uint64_t ns);

#endif
