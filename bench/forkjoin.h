/* SPDX-License-Identifier: MIT */
/*
 * Parallel regions: a loop is given to a runtime, ours or another's, and comes back.
 *
 * Each window runs in a process of its own. So runtimes that cannot live in one
 * process are compared all the same (libgomp and LLVM's libomp have the same
 * names), none leaves threads behind that would disturb the next, and each
 * process's CPU time is its runtime's.
 *
 * An operation is a region; its "wait" is how long it took. In the bodies that
 * sleep between two regions, throughput is that of the time within regions,
 * while CPU time per region has what is used up in between as well.
 *
 *   empty       as many indices as threads, nothing to do; the caller may do all
 *   rendezvous  the same, but each waits until all have begun: every thread must
 *               take part (ours: as many as the pool has workers)
 *   tiny        1000 indices, nothing to do
 *   us          1000 times 1 us
 *   skew        1000 indices, from 0 to 2 us
 *   sum         64 MiB are read and summed up
 *   cold        2 times 50 us, after 1 ms of sleep
 *   sparse      as empty, after 1 ms of sleep
 */
#ifndef GUESTSYNC_BENCH_FORKJOIN_H
#define GUESTSYNC_BENCH_FORKJOIN_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/error.h"
#include "bench/measure.h"

typedef void bench_range_fn(void *context, size_t begin, size_t end);

struct bench_runtime {
	const char *name;
	bool ours;
	bool gathers;	     /* can have every thread take part */
	const char *library; /* loaded when it is first used, by that name; NULL = linked, or none */
	const char *reason;  /* in words, why it cannot be had where the library is missing */
	/* Makes it ready for THREADS; returns 0 or -1. In the process that is to use it. */
	int (*start)(unsigned threads, struct bench_error *error);
	/* How many take part; NULL = as many as THREADS. */
	unsigned (*threads)(void);
	/* Calls RUN for ranges that make up 0 … COUNT - 1, in several threads; TOGETHER: each index in a range and thread of its own. */
	void (*loop)(size_t count, bench_range_fn *run, void *context, bool together);
};

/* The one that has the caller do all: no peer, but what the others are worth. */
#define BENCH_SERIAL "serial"

/* Ends with NULL. */
extern const struct bench_runtime *const bench_runtimes[];
extern const struct bench_runtime bench_tbb_for;

const struct bench_runtime *bench_runtime_find(const char *name);

/* Its library can be loaded. Asked once, by a child, so that this process stays without it. */
bool bench_runtime_is_there(const struct bench_runtime *runtime);

/* What bench_measure() does for a job that has a runtime. */
int bench_forkjoin_measure(const struct bench_job *job, struct bench_sample *sample, struct bench_error *error);

#endif
