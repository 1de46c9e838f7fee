/* SPDX-License-Identifier: MIT */
/*
 * An identical second copy of a window, in a process of its own: the same lock,
 * threads, load and pinning, on the same CPUs. It is at work, and warm, before
 * the window begins, and until after it has ended. A ramp it goes through in step.
 */
#ifndef GUESTSYNC_BENCH_COPY_H
#define GUESTSYNC_BENCH_COPY_H

#include <stddef.h>

#include "bench/children.h"
#include "bench/error.h"

struct bench_job;

struct bench_copy {
	struct bench_children process;
	int steps; /* where it is told them; its end is the copy's end, too */
};

/* Returns 0 or -1; nothing is left behind then. */
int bench_copy_start(struct bench_copy *copy, const struct bench_job *job, struct bench_error *error);

/* Sends it to the STEP of the ramp. */
void bench_copy_take_step(const struct bench_copy *copy, size_t step);

/* Ends it. Returns 0, or -1 when it had ended before. May be called on a zeroed object, and twice. */
int bench_copy_stop(struct bench_copy *copy, struct bench_error *error);

#endif
