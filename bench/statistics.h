/* SPDX-License-Identifier: MIT */
/* What one window measured, and the arithmetic over several of them. */
#ifndef GUESTSYNC_BENCH_STATISTICS_H
#define GUESTSYNC_BENCH_STATISTICS_H

#include <stddef.h>
#include <stdint.h>

struct bench_sample {
	double ops_per_s;
	double cpu_ns_per_op; /* where nothing was done: all the CPU time, as if for one operation */
	double jain;
	double wait_p50_ns;
	double wait_p99_ns;
	double wait_p999_ns;
	double wait_max_ns;
	double voluntary_switches;
	double involuntary_switches;
	double errors;	     /* how often exclusion, or the barrier, was seen broken */
	double stolen_share; /* of the CPUs the threads ran on; scenario steal only; not among the fields below */
};

/* The fields as the reports name them, in their order. */
struct bench_field {
	const char *name;
	size_t offset;
};

extern const struct bench_field bench_fields[];
extern const size_t bench_field_count;

static inline double bench_field_value(const struct bench_sample *sample, const struct bench_field *field)
{
	return *(const double *)((const char *)sample + field->offset);
}

/* The middle value, or the mean of the two middle ones; 0 of none. Sorts VALUES. */
double bench_median(double *values, size_t count);

/*
 * Jain's index, (Σx)² / (n Σx²): 1 when all got the same, 1/n when one got
 * everything. 0 when nobody got anything, which is no kind of fairness.
 */
double bench_jain(const uint64_t *shares, size_t count);

/* Field by field the median over the rounds, but the sum of the errors. */
void bench_sample_median(struct bench_sample *median, const struct bench_sample *rounds, size_t count);

/* How far several values of the same thing lie apart; all 0 of none. Sorts VALUES. */
struct bench_range {
	double least, median, most;
};

struct bench_range bench_range(double *values, size_t count);

/* The same of one field over the rounds. */
struct bench_range bench_field_range(const struct bench_sample *rounds, size_t count, size_t offset);

/* (largest - smallest) / median; 0 when the median is. Sorts VALUES. */
double bench_relative_range(double *values, size_t count);

/* The same of ops_per_s over the rounds. */
double bench_spread(const struct bench_sample *rounds, size_t count);

#endif
