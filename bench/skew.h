/* SPDX-License-Identifier: MIT */
/*
 * Do two CPUs' counters agree? Threads pinned to them pass each other what
 * their counter shows. A message that seems to arrive before it was sent proves
 * that they do not, whatever CPUID says.
 */
#ifndef GUESTSYNC_BENCH_SKEW_H
#define GUESTSYNC_BENCH_SKEW_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/error.h"

/* The quickest message each way, by the two counters: what it took, plus or minus how far they are apart. */
struct bench_skew {
	int64_t forth;
	int64_t back;
	unsigned messages; /* each way */
};

/* Half of the difference between the ways, in ticks: how far the second CPU's counter is ahead. */
int64_t bench_skew_offset(const struct bench_skew *skew);

/* Whether time ran backwards for some message. */
bool bench_skew_is_backwards(const struct bench_skew *skew);

/*
 * Exchanges messages for some ms; on a busy machine there may be none. Returns
 * 0, or -1 when the threads cannot be had. The counter must be readable.
 */
int bench_skew_measure(int cpu, int other_cpu, struct bench_skew *skew, struct bench_error *error);

#endif
