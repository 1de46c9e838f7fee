/* SPDX-License-Identifier: MIT */
/*
 * The cells of a run as reports show them that have room for more than a group:
 * a panel holds one kind, scenario and load, locks down and threads across.
 */
#ifndef GUESTSYNC_BENCH_PANEL_H
#define GUESTSYNC_BENCH_PANEL_H

#include "bench/rounds.h"

/* Do two cells stand in the same panel? */
bool bench_same_panel(const struct bench_cell *a, const struct bench_cell *b);

struct bench_panel {
	const struct bench_run *run;
	size_t first; /* its first cell in the run */
	size_t lock_count;
	size_t thread_count;
	const struct bench_cell **cells; /* of lock i with the t-th number of threads: see below; may be NULL */
	const struct bench_cell **best;	 /* the best peer for each number of threads; may be NULL */
	size_t *groups;			 /* the first cell of each number of threads in the run */
};

/*
 * The panel of run->cells[FIRST], its locks in the order in which they were
 * measured, its numbers of threads ascending. Returns 0, or -1 when memory runs out.
 */
int bench_panel_make(struct bench_panel *panel, const struct bench_run *run, size_t first);
void bench_panel_free(struct bench_panel *panel);

/* FIRST of the next panel at or after cell CELL, or run->count: there is none. */
size_t bench_panel_next(const struct bench_run *run, size_t cell);

/* NULL where that lock was not measured with so many threads. */
static inline const struct bench_cell *bench_panel_cell(const struct bench_panel *panel, size_t lock, size_t thread)
{
	return panel->cells[lock * panel->thread_count + thread];
}

static inline const struct bench_cell *bench_panel_of(const struct bench_panel *panel)
{
	return &panel->run->cells[panel->first];
}

static inline unsigned bench_panel_threads(const struct bench_panel *panel, size_t thread)
{
	return panel->run->cells[panel->groups[thread]].threads;
}

/* Any cell of the lock: it tells its name. */
const struct bench_cell *bench_panel_lock(const struct bench_panel *panel, size_t lock);

#endif
