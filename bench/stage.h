/* SPDX-License-Identifier: MIT */
/*
 * Where a window takes place: the memory, the threads on it, and when they run.
 *
 * Threads gather at a gate, so that none runs before all exist, and nothing is recorded before all run. In a ramp each
 * has an order of its own; those that are called off leave the worker loop and
 * sleep until they are called again.
 */
#ifndef GUESTSYNC_BENCH_STAGE_H
#define GUESTSYNC_BENCH_STAGE_H

#include "bench/measure.h"
#include "bench/worker.h"

/* NULL on failure. */
struct bench_stage *bench_stage_new(const struct bench_job *job, struct bench_error *error);
void bench_stage_free(struct bench_stage *stage, const struct bench_job *job);

/* Starts the threads; on failure, -1, none is left. They wait for bench_stage_begin(). */
int bench_stage_people(const struct bench_job *job, struct bench_stage *stage, struct bench_error *error);

/* Lets them run, in the first step if it is a ramp, and returns when they are warm and record what they do. */
void bench_stage_begin(const struct bench_job *job, struct bench_stage *stage);

/* Gives the orders of a ramp's step, beginning with the second. */
void bench_stage_take_step(const struct bench_job *job, struct bench_stage *stage, size_t step);

/* Those that run, or have still to get out of the lock after they were called off. */
unsigned bench_stage_active(const struct bench_stage *stage);

/* How often all threads together have done their work. */
uint64_t bench_stage_progress(const struct bench_stage *stage);

/* Tells all to leave; the second waits until they have left. -1: they hang, and the stage must stay. */
void bench_stage_end(const struct bench_job *job, struct bench_stage *stage);
int bench_stage_clear(const struct bench_job *job, struct bench_stage *stage, struct bench_error *error);

/* Sleeps; earlier awake only when bench_interrupt is set. Ticks meanwhile. */
void bench_sleep_until(const struct bench_job *job, uint64_t ns);

#endif
