/* SPDX-License-Identifier: MIT */
/*
 * What a wake-up truly costs, measured with threads that are pinned and pass a
 * token through the library's own futex calls. Calibration cannot afford that
 * inside a lock, and reads the price off a timer instead; this checks it.
 *
 * Everything is measured in several groups. The estimate is the best group's
 * median, because noise only adds; the spread is how far the median group lies
 * above the best.
 */
#ifndef GUESTSYNC_BENCH_WAKE_H
#define GUESTSYNC_BENCH_WAKE_H

#include <stddef.h>

#include "bench/error.h"
#include "detect/calibrate.h"

struct bench_price {
	struct gsync_estimate estimate; /* ns */
	double median;
};

/* The rule above, from the groups' medians. Sorts. */
struct bench_price bench_price_of_groups(double *groups, size_t count);

/*
 * Half a round trip between threads on two CPUs, or on one: wake the other, and
 * block. Returns 0, or -1 when the threads cannot be had.
 */
int bench_wake_measure(int cpu, int other_cpu, struct bench_price *price, struct bench_error *error);

/* A sched_yield(), and a futex wake that finds no sleeper, on the CPU at hand. */
void bench_yield_measure(struct bench_price *price);
void bench_futex_wake_measure(struct bench_price *price);

#endif
