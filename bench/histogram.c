/* SPDX-License-Identifier: MIT */
/* Reading a histogram: what the recording side has no use for. */
#include "bench/histogram.h"

#include <math.h>

void bench_histogram_merge(struct bench_histogram *into, const struct bench_histogram *from)
{
	if (from->total == 0)
		return;
	for (unsigned i = 0; i < BENCH_HISTOGRAM_BUCKETS; i++)
		into->count[i] += from->count[i];
	into->total += from->total;
	if (from->max > into->max)
		into->max = from->max;
}

/* The middle of a bucket: no value in it is further away than half its width. */
static double bucket_middle(unsigned bucket)
{
	unsigned shift;
	uint64_t cut;

	if (bucket < 2 * BENCH_HISTOGRAM_CUT)
		return bucket; /* one value wide */
	shift = bucket / BENCH_HISTOGRAM_CUT - 1;
	cut = bucket - (uint64_t)shift * BENCH_HISTOGRAM_CUT;
	return ldexp((double)cut, (int)shift) + (ldexp(1, (int)shift) - 1) / 2;
}

double bench_histogram_percentile(const struct bench_histogram *histogram, double fraction)
{
	double middle, wanted = ceil(fraction * (double)histogram->total);
	uint64_t rank, seen = 0;
	unsigned bucket = 0;

	if (histogram->total == 0)
		return 0;
	rank = wanted < 1 ? 1 : (uint64_t)wanted;
	if (rank > histogram->total)
		rank = histogram->total;
	while ((seen += histogram->count[bucket]) < rank)
		bucket++;
	middle = bucket_middle(bucket);
	return middle < (double)histogram->max ? middle : (double)histogram->max;
}
