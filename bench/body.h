/* SPDX-License-Identifier: MIT */
/* What a parallel region does: bench/forkjoin.h tells what each body is for. */
#ifndef GUESTSYNC_BENCH_BODY_H
#define GUESTSYNC_BENCH_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum bench_body {
	BENCH_BODY_EMPTY,
	BENCH_BODY_RENDEZVOUS,
	BENCH_BODY_TINY,
	BENCH_BODY_US,
	BENCH_BODY_SKEW,
	BENCH_BODY_SUM,
	BENCH_BODY_COLD,
	BENCH_BODY_SPARSE,
	BENCH_BODIES,
};

extern const char *const bench_body_names[BENCH_BODIES];

struct bench_runtime;

/* What the threads of a region share. */
struct bench_region {
	enum bench_body body;
	unsigned threads;
	uint64_t us_steps; /* of work, a microsecond */
	const uint64_t *values;
	size_t value_count;
	uint64_t expected; /* the sum of the values */
	uint64_t errors;
	uint64_t sum __attribute__((aligned(128)));
	uint32_t arrived __attribute__((aligned(128)));
};

/* Returns 0 or an errno value. */
int bench_region_make(struct bench_region *region, enum bench_body body, unsigned threads);

/* Whether a runtime's loop runs each index once. */
bool bench_region_is_complete(const struct bench_runtime *runtime, unsigned threads);

/* One region, with what comes before it; returns how long it took, in ticks. */
uint64_t bench_region_run(struct bench_region *region, const struct bench_runtime *runtime);

#endif
