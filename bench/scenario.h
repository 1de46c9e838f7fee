/* SPDX-License-Identifier: MIT */
/*
 * What else happens on the machine while a lock is measured.
 *
 *   plain   nothing
 *   hogs    one foreign busy process on each CPU of the affinity mask; the
 *           kernel shares the CPU fairly between it and the measured threads
 *   steal   on each CPU a SCHED_FIFO process takes the CPU away for 3 to 10 ms
 *           every 10 to 20 ms, as a hypervisor does that runs other guests: by
 *           one plan in all windows of a round, so that each lock meets the same;
 *           needs the right to SCHED_FIFO (root, CAP_SYS_NICE or RLIMIT_RTPRIO)
 *   oc      overcommitted: an identical second copy of the measurement on the
 *           same CPUs; it belongs to a window, so bench_measure() starts it
 */
#ifndef GUESTSYNC_BENCH_SCENARIO_H
#define GUESTSYNC_BENCH_SCENARIO_H

#include <stdint.h>

#include "bench/affinity.h"
#include "bench/children.h"
#include "bench/error.h"

enum bench_scenario {
	BENCH_PLAIN,
	BENCH_HOGS,
	BENCH_STEAL,
	BENCH_OC,
	BENCH_SCENARIOS,
};

extern const char *const bench_scenario_names[BENCH_SCENARIOS];
extern const char *const bench_scenario_words[BENCH_SCENARIOS]; /* what each means, for reports */

struct bench_stealer;

struct bench_disturbance {
	enum bench_scenario scenario;
	unsigned cpus;
	uint64_t seed; /* of what seems to come at random */
	struct bench_children children; /* the i-th on the i-th CPU */
	struct bench_stealer *stealers; /* shared with them; NULL unless they steal */
};

/*
 * Returns 0 with the disturbance under way, EPERM when the machine refuses
 * SCHED_FIFO, -1 on any other failure; nothing is left behind then. ERROR says why.
 */
int bench_scenario_start(struct bench_disturbance *disturbance, enum bench_scenario scenario,
			 const struct bench_cpus *cpus, struct bench_error *error);

/* A window begins: from here on happens the same as from the beginning of any other of this disturbance. */
void bench_scenario_window(const struct bench_disturbance *disturbance);

/* Ends and reaps all its processes. May be called on a zeroed object, and twice. */
void bench_scenario_stop(struct bench_disturbance *disturbance);

/* How long the n-th CPU has been taken away so far. */
uint64_t bench_scenario_stolen_ns(const struct bench_disturbance *disturbance, unsigned cpu);

#endif
