/* SPDX-License-Identifier: MIT */
/*
 * A window in which the number of threads goes up and down in steps.
 *
 * All threads exist from the beginning. Those that a step does not want sleep on
 * a condition variable; one that is called off while it stands in the lock's
 * queue takes its turn first, for that is how a real program loses a thread.
 *
 * In steps in which each thread has a CPU of its own they are pinned, in crowded
 * ones they are not (unless --pin says otherwise): what is compared with the way up
 * is then the lock, and not how soon the scheduler spreads those who shared a CPU.
 *
 * Does the lock recover from a crowd? A step falls back when it has fewer threads
 * than the one before, and no more than CPUs. Full speed is then what the same
 * number of threads did on the way up: in the latest earlier step that was the
 * first, or had more threads than the one before it; over the second half of that
 * step, when it had settled. Full speed is back at the first look at the counters
 * from which on the next 20 ms reach nine tenths of it.
 */
#ifndef GUESTSYNC_BENCH_RAMP_H
#define GUESTSYNC_BENCH_RAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_STEPS_MAX 64u
#define BENCH_STEP_MIN_S 0.05 /* room for a settled half, and for some 20 ms */
#define BENCH_PULSE_NS 5000000u

struct bench_step {
	unsigned threads;
	bool pin; /* thread i on the i-th CPU, round and round */
};

/* The counters, looked at every BENCH_PULSE_NS: operations of all threads since the window began. */
struct bench_pulse {
	uint64_t ns;
	uint64_t done;
};

struct bench_step_sample {
	double ops_per_s;
	double cpu_ns_per_op; /* as in struct bench_sample */
	double steady_ops_per_s; /* in the second half */
	double jain; /* of the threads it wants */
	double full_speed_ms; /* after the step began; INFINITY: not within it; 0 where it does not fall back */
};

/* What a window goes through. */
struct bench_ramp {
	const struct bench_step *steps;
	size_t count; /* each lasts as long as the others */
	unsigned cpus;
	struct bench_pulse *pulses; /* room for those of one step */
	size_t room;
	struct bench_step_sample *samples; /* a result for each step */
};

/* The step on the way up that STEP, which falls back, is compared with; COUNT or more: there is none, or it does not fall. */
size_t bench_ramp_model(const struct bench_ramp *ramp, size_t step);

/* How many pulses a step of so many seconds may have. */
size_t bench_ramp_room(double step_seconds);

/* From COUNT pulses, of which the first and the last are the step's ends. */
double bench_ramp_steady(const struct bench_pulse *pulses, size_t count);
double bench_ramp_full_speed_ms(const struct bench_pulse *pulses, size_t count, double model_ops_per_s);

#endif
