/* SPDX-License-Identifier: MIT */
/*
 * The whole measurement: every lock in every situation, several rounds over.
 *
 * A machine drifts: its clock, its neighbours, the distance of its caches. So
 * rounds interleave: every cell once, then every cell again, each round starting
 * at another group of cells, and with another order within each (turns.h). What
 * is compared was then measured close together, and none always comes first, or
 * always after the same one.
 */
#ifndef GUESTSYNC_BENCH_ROUNDS_H
#define GUESTSYNC_BENCH_ROUNDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/affinity.h"
#include "bench/body.h"
#include "bench/error.h"
#include "bench/locks.h"
#include "bench/ramp.h"
#include "bench/scenario.h"
#include "bench/statistics.h"
#include "bench/timeline.h"

#define BENCH_ROUNDS_MAX 99u

enum bench_kind {
	BENCH_LOCK,
	BENCH_BARRIER,
	BENCH_FORKJOIN,
	BENCH_KINDS,
};

extern const char *const bench_kind_names[BENCH_KINDS];

enum bench_pin {
	BENCH_PIN_AUTO, /* where, and in a ramp while, every thread gets a CPU of its own; always in steal */
	BENCH_PIN_ALWAYS,
	BENCH_PIN_NEVER,
};

extern const char *const bench_pin_names[];

/* A critical section, and the work between two of them; or what a parallel region does. */
struct bench_load {
	uint64_t cs_ns;
	uint64_t think_ns;
	enum bench_body body;
};

static inline bool bench_same_load(struct bench_load a, struct bench_load b)
{
	return a.cs_ns == b.cs_ns && a.think_ns == b.think_ns && a.body == b.body;
}

struct bench_settings {
	bool kinds[BENCH_KINDS];
	bool scenarios[BENCH_SCENARIOS];
	const struct bench_lock **locks;
	size_t lock_count;
	const struct bench_barrier **barriers;
	size_t barrier_count;
	const struct bench_runtime **runtimes;
	size_t runtime_count;
	bool bodies[BENCH_BODIES];
	unsigned *threads;
	size_t thread_count;
	struct bench_load *loads;
	size_t load_count;
	double seconds; /* per window; in a ramp per step */
	unsigned every_ms; /* between two moments of a timeline; 0 = no timelines */
	unsigned rounds;
	enum bench_pin pin;
	bool bounds; /* also measure what bounds a lock, where two threads or more compete; not in a ramp */
	bool ramp; /* a window goes through all of THREADS, in their order; locks only */
};

/* How long a window is. */
double bench_window_seconds(const struct bench_settings *settings);

struct bench_cell {
	enum bench_kind kind;
	enum bench_scenario scenario;
	const struct bench_lock *lock; /* or */
	const struct bench_barrier *barrier; /* or */
	const struct bench_runtime *runtime;
	const char *name;
	bool ours;
	bool bound; /* no lock, but what bounds the one in the cell before; on one CPU */
	bool pinned; /* all the time */
	unsigned threads; /* the most at a time */
	struct bench_load load; /* a barrier has no critical section: cs_ns = 0; a runtime has only a body */
	struct bench_sample rounds[BENCH_ROUNDS_MAX];
	struct bench_sample median;
	struct bench_timeline timelines[BENCH_ROUNDS_MAX]; /* of each round; empty without every_ms */
};

/* More than there are names that a build could have and lacks. */
#define BENCH_ABSENT_MAX 32

/* In all but scenario and lock. */
static inline bool bench_cells_alike(const struct bench_cell *a, const struct bench_cell *b)
{
	return a->kind == b->kind && a->threads == b->threads && bench_same_load(a->load, b->load);
}

/* A group (all but the lock equal) stands together, in the order of the table. */
struct bench_run {
	const struct bench_settings *settings;
	struct bench_cpus cpus;
	double usable_cpus; /* of those, by quotas */
	struct bench_cell *cells;
	size_t count;
	struct bench_moment *moments; /* of all timelines */
	struct bench_step *steps; /* of the ramp, for each scenario */
	struct bench_pulse *pulses;
	struct bench_step_sample *step_samples; /* of all cells and rounds */
	bool skipped[BENCH_SCENARIOS]; /* asked for, but refused by the machine: no cells */
	struct bench_error refusal;    /* why */
	const char *absent[BENCH_ABSENT_MAX]; /* known locks and barriers that the build lacks; up to NULL */
	const struct json_t *stored_settings; /* as bench_settings_json() wrote them before; NULL = to be made */
	const struct json_t *origins; /* an array of what bench_origin_json() makes; NULL = not known */
};

struct bench_progress {
	const struct bench_cell *cell;
	size_t window, windows; /* from 1 */
	double seconds_left;
	unsigned threads_left; /* not 0: the window is over, these have still to get out */
};

/* Makes the cells. Tries each scenario once, so that one that is refused is known before anything is measured. */
int bench_run_init(struct bench_run *run, const struct bench_settings *settings, struct bench_error *error);
void bench_run_free(struct bench_run *run);

/* One past the last cell of the group that begins with run->cells[FIRST]. */
size_t bench_group_end(const struct bench_run *run, size_t first);

/* What CELL's window of ROUND goes through, with its results, if the run is a ramp. */
struct bench_ramp bench_run_ramp(const struct bench_run *run, const struct bench_cell *cell, unsigned round);

/* The medians of a step over the rounds. */
struct bench_step_sample bench_run_step(const struct bench_run *run, const struct bench_cell *cell, size_t step);

/*
 * Goes through the rounds: each cell is visited once in each, while its scenario
 * is under way. What a visit measures, and in how many windows, is the visitor's.
 */
struct bench_conductor {
	struct bench_run *run;
	int (*visit)(struct bench_conductor *conductor, struct bench_cell *cell, struct bench_error *error);
	void *context; /* the visitor's */
	size_t windows_per_visit;
	void (*report)(const struct bench_progress *progress); /* may be NULL */

	/* kept by bench_conduct() */
	unsigned round;
	const struct bench_disturbance *disturbance;
	struct bench_progress progress;
	uint64_t began;
};

int bench_conduct(struct bench_conductor *conductor, struct bench_error *error);

/* A visitor's window. REPORT is called before it and now and then during it. */
int bench_conduct_window(struct bench_conductor *conductor, struct bench_cell *cell, double seconds,
			 struct bench_sample *sample, struct bench_error *error);

/* Measures each cell once in each round and takes the medians. REPORT as above. */
int bench_run_measure(struct bench_run *run, void (*report)(const struct bench_progress *progress),
		      struct bench_error *error);

#endif
