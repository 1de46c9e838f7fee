/* SPDX-License-Identifier: MIT */
/* The histogram keeps its promise: percentiles within 2 %, the maximum exact, nothing lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/histogram.h"

#define VALUES 20000
#define TOLERANCE 0.02

static struct bench_histogram histogram, other;

static int empty_them(void **state)
{
	(void)state;
	memset(&histogram, 0, sizeof(histogram));
	memset(&other, 0, sizeof(other));
	return 0;
}

static uint64_t next_random(uint64_t *random)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return *random;
}

/* Of every magnitude alike, as waits are. */
static uint64_t any_magnitude(uint64_t *random)
{
	uint64_t value = next_random(random);

	return value >> (next_random(random) % 64);
}

static void assert_near(double found, double expected)
{
	double distance = found > expected ? found - expected : expected - found;

	if (distance > TOLERANCE * expected)
		fail_msg("%.17g is more than 2 %% away from %.17g", found, expected);
}

static void nothing_recorded_is_zero(void **state)
{
	(void)state;
	assert_true(bench_histogram_percentile(&histogram, 0.5) == 0);
	assert_true(histogram.max == 0);
}

static void every_value_comes_back_within_two_percent(void **state)
{
	uint64_t random = 88172645463325252u;

	for (int i = 0; i < 2000; i++) {
		uint64_t value = i < 200 ? (uint64_t)i : any_magnitude(&random);

		empty_them(state);
		bench_histogram_record(&histogram, value);
		bench_histogram_record(&histogram, UINT64_MAX); /* or the maximum would answer */
		assert_near(bench_histogram_percentile(&histogram, 0.5), (double)value);
		assert_true(histogram.max == UINT64_MAX);
	}
}

static void edges_of_every_power_of_two_come_back(void **state)
{
	for (unsigned bit = 0; bit < 64; bit++) {
		for (int off = -1; off <= 1; off++) {
			uint64_t value = ((uint64_t)1 << bit) + (uint64_t)off;

			empty_them(state);
			bench_histogram_record(&histogram, value);
			bench_histogram_record(&histogram, UINT64_MAX);
			assert_true(bench_histogram_bucket(value) < BENCH_HISTOGRAM_BUCKETS);
			assert_near(bench_histogram_percentile(&histogram, 0.5), (double)value);
		}
	}
	assert_int_equal(bench_histogram_bucket(UINT64_MAX), BENCH_HISTOGRAM_BUCKETS - 1);
}

static int ascending(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

static void percentiles_agree_with_a_sorted_array(void **state)
{
	static const double fractions[] = { 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1 };
	static uint64_t values[VALUES];
	uint64_t random = 4101842887655102017u;

	(void)state;
	for (int i = 0; i < VALUES; i++) {
		values[i] = any_magnitude(&random);
		bench_histogram_record(&histogram, values[i]);
	}
	qsort(values, VALUES, sizeof(values[0]), ascending);
	for (size_t i = 0; i < sizeof(fractions) / sizeof(fractions[0]); i++) {
		size_t rank = (size_t)(fractions[i] * VALUES);

		assert_near(bench_histogram_percentile(&histogram, fractions[i]), (double)values[rank - 1]);
	}
	assert_true(histogram.max == values[VALUES - 1]);
	assert_true(histogram.total == VALUES);
}

static void merging_is_as_if_one_had_recorded_all(void **state)
{
	static struct bench_histogram all;
	uint64_t random = 2685821657736338717u;

	(void)state;
	memset(&all, 0, sizeof(all));
	for (int i = 0; i < VALUES; i++) {
		uint64_t value = any_magnitude(&random);

		bench_histogram_record(&all, value);
		bench_histogram_record(i % 3 == 0 ? &histogram : &other, value);
	}
	bench_histogram_merge(&histogram, &other);
	assert_memory_equal(&histogram, &all, sizeof(all));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_recorded_is_zero, empty_them),
		cmocka_unit_test_setup(every_value_comes_back_within_two_percent, empty_them),
		cmocka_unit_test_setup(edges_of_every_power_of_two_come_back, empty_them),
		cmocka_unit_test_setup(percentiles_agree_with_a_sorted_array, empty_them),
		cmocka_unit_test_setup(merging_is_as_if_one_had_recorded_all, empty_them),
	};

	return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
