/* SPDX-License-Identifier: MIT */
/*
 * When a stealer takes its CPU away, and for how long: 3 to 10 ms, every 10 to
 * 20 ms. All windows with the same seed have the same plan, counted from when they
 * began, so that what is compared meets the same.
 */
#ifndef GUESTSYNC_BENCH_BURSTS_H
#define GUESTSYNC_BENCH_BURSTS_H

#include <stdint.h>

struct bench_bursts {
	uint64_t random;
	uint64_t next; /* when, in ns */
	uint64_t burst_ns;
};

/* The plan of the window that began at WINDOW, from NOW on; what has passed is left out. */
struct bench_bursts bench_bursts_of(uint64_t window, uint64_t seed, uint64_t now);

/* A burst is over. Where it ended late the next waits a moment: two do not become one long one. */
void bench_bursts_go_on(struct bench_bursts *bursts, uint64_t now);

#endif
