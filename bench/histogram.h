/* SPDX-License-Identifier: MIT */
/*
 * A log-linear histogram of 64-bit values: each power of two is cut into 32
 * equal buckets, so a percentile is off by at most 1/64 (1.6 %) of its value,
 * whatever was recorded, in constant memory. The maximum is exact.
 *
 * A zeroed histogram is valid and empty. One thread records; merge when it is done.
 */
#ifndef GUESTSYNC_BENCH_HISTOGRAM_H
#define GUESTSYNC_BENCH_HISTOGRAM_H

#include <stdint.h>

#define BENCH_HISTOGRAM_CUT_BITS 5
#define BENCH_HISTOGRAM_CUT (1u << BENCH_HISTOGRAM_CUT_BITS)
/* Values below CUT have a bucket each; each of the 64 - CUT_BITS powers of two from there on has CUT of them. */
#define BENCH_HISTOGRAM_BUCKETS ((64 - BENCH_HISTOGRAM_CUT_BITS + 1) * BENCH_HISTOGRAM_CUT)

struct bench_histogram {
	uint64_t max;
	uint64_t total;
	uint64_t count[BENCH_HISTOGRAM_BUCKETS];
};

static inline unsigned bench_histogram_bucket(uint64_t value)
{
	unsigned shift;

	if (value < BENCH_HISTOGRAM_CUT)
		return (unsigned)value;
	shift = 63u - (unsigned)__builtin_clzll(value) - BENCH_HISTOGRAM_CUT_BITS;
	/* value >> shift is in [CUT, 2 CUT): its leading bit counts as one more power of two. */
	return shift * BENCH_HISTOGRAM_CUT + (unsigned)(value >> shift);
}

static inline void bench_histogram_record(struct bench_histogram *histogram, uint64_t value)
{
	histogram->count[bench_histogram_bucket(value)]++;
	histogram->total++;
	if (value > histogram->max)
		histogram->max = value;
}

void bench_histogram_merge(struct bench_histogram *into, const struct bench_histogram *from);

/* The smallest value that FRACTION (0 to 1) of all recorded values do not exceed; 0 when nothing was recorded. */
double bench_histogram_percentile(const struct bench_histogram *histogram, double fraction);

#endif
