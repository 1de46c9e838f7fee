/* SPDX-License-Identifier: MIT */
/*
 * A window in slices: how fast the threads were at each moment, and what
 * guestsync's waiters went by. The latter belongs to the process, so a peer's
 * timeline shows it as well; but only a waiter of ours looks at the machine again.
 */
#ifndef GUESTSYNC_BENCH_TIMELINE_H
#define GUESTSYNC_BENCH_TIMELINE_H

#include <stddef.h>
#include <stdint.h>

#define BENCH_EVERY_MIN_MS 10u
#define BENCH_EVERY_MAX_MS 60000u

/* Rates are those since the moment before, or since the window began. */
struct bench_moment {
	double t_ms; /* since the window began */
	uint32_t threads; /* active: in a ramp not always all */
	double ops_per_s;
	double cpu_ns_per_op; /* as in struct bench_sample */
	double voluntary_per_s;
	double involuntary_per_s;
	uint32_t usable_cpus;
	uint32_t spin_ns;
	uint32_t pressure_percent; /* 0 unless waiters spin less for it */
};

struct bench_timeline {
	struct bench_moment *moments;
	size_t room;
	size_t count; /* fewer than ROOM when the measurer itself was kept from its CPU */
};

/* Fills in what waiters go by now. */
void bench_moment_read_profile(struct bench_moment *moment);

#endif
