/* SPDX-License-Identifier: MIT */
/* Numbers that look random, one after another, in two instructions: for loops that are measured, and for phases. */
#ifndef GUESTSYNC_BENCH_RANDOM_H
#define GUESTSYNC_BENCH_RANDOM_H

#include <stdint.h>

/* The next after *STATE, which is any number at first. The upper bits are the good ones. */
static inline uint64_t bench_random(uint64_t *state)
{
	return *state = *state * 6364136223846793005u + 1442695040888963407u;
}

/* A number below BELOW, which is much less than 2^31. */
static inline uint64_t bench_random_below(uint64_t *state, uint64_t below)
{
	return (bench_random(state) >> 33) % below;
}

#endif
