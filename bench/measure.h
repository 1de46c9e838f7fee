/* SPDX-License-Identifier: MIT */
/*
 * One window: so many threads on one lock, or one barrier, for so long; or of a
 * runtime's parallel regions, of which forkjoin.h tells.
 *
 * Threads gather, warm up for BENCH_WARM_UP_NS or until each has had its first turn,
 * but no longer than BENCH_WARM_UP_MOST_NS, are counted at the beginning and at the
 * end of the window, and leave. CPU time is the threads', switches are
 * those of this process. Waits are timed at every acquisition where that costs little
 * (a critical section of 500 ns or more, or a lock that is slow anyway), else
 * at each sixteenth. A timeline is filled by the measurer, which sleeps between
 * two moments: the threads do nothing for it.
 */
#ifndef GUESTSYNC_BENCH_MEASURE_H
#define GUESTSYNC_BENCH_MEASURE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "bench/affinity.h"
#include "bench/body.h"
#include "bench/error.h"
#include "bench/locks.h"
#include "bench/ramp.h"
#include "bench/scenario.h"
#include "bench/statistics.h"
#include "bench/timeline.h"

#define BENCH_WARM_UP_NS 20000000u
#define BENCH_WARM_UP_MOST_NS 100000000u
#define BENCH_THREADS_MAX 4096u

struct bench_job {
	const struct bench_lock *lock; /* or */
	const struct bench_barrier *barrier; /* or */
	const struct bench_runtime *runtime;
	enum bench_body body; /* of a runtime's regions */
	unsigned threads;
	uint64_t cs_ns; /* locks only */
	uint64_t think_ns;
	double seconds;
	uint64_t every_ns; /* between two moments of TIMELINE */
	struct bench_timeline *timeline; /* NULL = none; holds SECONDS / EVERY moments */
	const struct bench_ramp *ramp; /* NULL = none; locks only. THREADS are then the most that any step has */
	bool pin; /* thread i on the i-th CPU, round and round; in a ramp: at first, and the steps say */
	const struct bench_cpus *cpus;
	const struct bench_disturbance *disturbance; /* NULL or what bench_scenario_start() began */
	bool with_copy; /* an identical second copy beside it */
	/* Called a few times a second; THREADS_LEFT, unless 0, is how many have still to get out after the window. */
	void (*tick)(void *context, unsigned threads_left);
	void *context;
};

/*
 * Set by the caller's signal handler: the measurement in progress then ends
 * early and fails with BENCH_INTERRUPTED as its text.
 */
extern volatile sig_atomic_t bench_interrupt;
#define BENCH_INTERRUPTED "interrupted"

/*
 * Returns 0 or -1. A lock that hangs is reported after a minute without
 * progress; its threads, and the memory they use, then stay behind.
 */
int bench_measure(const struct bench_job *job, struct bench_sample *sample, struct bench_error *error);

#endif
