/* SPDX-License-Identifier: MIT */
/*
 * Loops over data: memory is first touched, page by page, by the workers that
 * use it later; then filled, and summed up in a way that gives the same bits on
 * any machine.
 */
#include <guestsync/parallel.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT ((size_t)1 << 20)

static void touch(void *context, void *begin, size_t bytes)
{
	(void)context;
	memset(begin, 0, bytes);
}

static void fill(void *context, size_t begin, size_t end)
{
	double *values = context;

	for (size_t i = begin; i < end; i++)
		values[i] = 1.0 / (double)(i + 1);
}

static void add(void *context, size_t begin, size_t end, void *sum)
{
	const double *values = context;
	double own = 0;

	for (size_t i = begin; i < end; i++)
		own += values[i];
	*(double *)sum += own;
}

static void join(void *context, void *sum, const void *later)
{
	(void)context;
	*(double *)sum += *(const double *)later;
}

int main(void)
{
	static const double zero = 0;
	static const gsync_reduction_t harmonic = { sizeof(double), &zero, add, join };
	static const gsync_loop_options_t ordered = { 0, GSYNC_LOOP_ORDERED };
	double *values = malloc(COUNT * sizeof(*values));
	double sum = 0;
	int failed;

	if (!values)
		return 1;
	gsync_parallel_for_pages(NULL, values, COUNT * sizeof(*values), touch, NULL, NULL);
	gsync_parallel_for(NULL, COUNT, fill, values, NULL);
	failed = gsync_parallel_reduce(NULL, COUNT, &harmonic, values, &sum, &ordered);
	printf("%.17g, by %u threads\n", sum, gsync_pool_workers(NULL));
	free(values);
	return failed || sum < 14.4 || sum > 14.5;
}
