/* SPDX-License-Identifier: MIT */
#include "bench/statistics.h"

#include <stdlib.h>

#define FIELD(name) { #name, offsetof(struct bench_sample, name) }

const struct bench_field bench_fields[] = {
	FIELD(ops_per_s),   FIELD(cpu_ns_per_op), FIELD(jain),
	FIELD(wait_p50_ns), FIELD(wait_p99_ns),	  FIELD(wait_p999_ns),
	FIELD(wait_max_ns), FIELD(voluntary_switches), FIELD(involuntary_switches),
	FIELD(errors),
};
const size_t bench_field_count = sizeof(bench_fields) / sizeof(bench_fields[0]);

#define ROUNDS_MAX 99

static int ascending(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

double bench_median(double *values, size_t count)
{
	if (count == 0)
		return 0;
	qsort(values, count, sizeof(values[0]), ascending);
	return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

double bench_jain(const uint64_t *shares, size_t count)
{
	double sum = 0, squares = 0;

	for (size_t i = 0; i < count; i++) {
		sum += (double)shares[i];
		squares += (double)shares[i] * (double)shares[i];
	}
	return squares > 0 ? sum * sum / ((double)count * squares) : 0;
}

static size_t values_at(double *values, size_t offset, const struct bench_sample *rounds, size_t count)
{
	if (count > ROUNDS_MAX)
		count = ROUNDS_MAX;
	for (size_t i = 0; i < count; i++)
		values[i] = *(const double *)((const char *)&rounds[i] + offset);
	return count;
}

static double median_at(size_t offset, const struct bench_sample *rounds, size_t count)
{
	double values[ROUNDS_MAX];

	count = values_at(values, offset, rounds, count);
	return bench_median(values, count);
}

void bench_sample_median(struct bench_sample *median, const struct bench_sample *rounds, size_t count)
{
	for (size_t i = 0; i < bench_field_count; i++)
		*(double *)((char *)median + bench_fields[i].offset) =
			median_at(bench_fields[i].offset, rounds, count);
	median->stolen_share = median_at(offsetof(struct bench_sample, stolen_share), rounds, count);
	median->errors = 0;
	for (size_t i = 0; i < count; i++)
		median->errors += rounds[i].errors;
}

struct bench_range bench_range(double *values, size_t count)
{
	double median = bench_median(values, count);

	if (count == 0)
		return (struct bench_range){ 0 };
	return (struct bench_range){ .least = values[0], .median = median, .most = values[count - 1] };
}

struct bench_range bench_field_range(const struct bench_sample *rounds, size_t count, size_t offset)
{
	double values[ROUNDS_MAX];

	count = values_at(values, offset, rounds, count);
	return bench_range(values, count);
}

double bench_relative_range(double *values, size_t count)
{
	struct bench_range range = bench_range(values, count);

	return range.median > 0 ? (range.most - range.least) / range.median : 0;
}

double bench_spread(const struct bench_sample *rounds, size_t count)
{
	double values[ROUNDS_MAX];

	count = values_at(values, offsetof(struct bench_sample, ops_per_s), rounds, count);
	return bench_relative_range(values, count);
}
