/* SPDX-License-Identifier: MIT */
/*
 * What a run says, for people (table, page, plot) and for programs (JSON, CSV).
 *
 * Within a group (kind, scenario, threads, critical section, think time) each
 * lock is compared with the best peer, the one of the highest median: the ratio
 * is taken round by round, because what drifts between rounds drifts for both,
 * and the median of the ratios is shown. A bound (ring.c) is no peer; the lock
 * it bounds is compared with it in the same way.
 *
 * A disturbed scenario is compared with the same cell in plain, when that was
 * measured too, and when the window is not a ramp. All are medians over the
 * rounds. With C = CPU time per operation, t = time per operation and γ = the
 * CPUs that are effectively there for the threads:
 *
 *   resource effect  δη_r = (C_v - C_p) / C_p
 *   time effect      δη_t = (t_v γ_v - t_p γ_p) / (t_p γ_p)
 *   impact factor    ω = (1 + δη_t) / (1 + δη_r), how much of the waste the user sees
 *
 *   γ in plain  min(threads, CPUs)
 *   γ in hogs   min(threads, CPUs · threads / (threads + hogs)): the kernel is fair
 *               to threads, so that each CPU's hog takes half of it from one, but
 *               less from several. Fewer threads than CPUs, pinned: half of each CPU
 *   γ in steal  min(threads, CPUs) · (1 - share of those CPUs that was stolen)
 *   γ in oc     half of what it is in plain; if the threads are few and not pinned,
 *               min(threads, CPUs / 2)
 *
 * CPUs are those of the affinity mask; for a bound there is one, with one hog. Where
 * a quota leaves less, no γ is more than that; hogs and the second copy draw upon the
 * same quota.
 */
#ifndef GUESTSYNC_BENCH_REPORT_H
#define GUESTSYNC_BENCH_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "bench/rounds.h"
#include "bench/table.h"

struct bench_effects {
	double cpus_plain;
	double cpus; /* γ_p and γ_v */
	double resource;
	double time;
	double impact;
};

/* The effects of CELL's scenario; false where there is nothing to compare with, or nothing was done. */
bool bench_cell_effects(const struct bench_run *run, const struct bench_cell *cell, struct bench_effects *effects);

/* The peer of the highest median in the group, or NULL: no peer in it, or none that did anything. */
const struct bench_cell *bench_group_best_peer(const struct bench_run *run, size_t first, size_t end);

/* The share of the CPU time that was stolen from the group, on average over its cells; scenario steal only. */
double bench_group_stolen(const struct bench_run *run, size_t first, size_t end);

/* CELL's per-round throughput relative to OTHER's; 0 when OTHER stood still in a round. */
struct bench_range bench_cell_ratios(const struct bench_run *run, const struct bench_cell *cell,
				     const struct bench_cell *other);

/* The median of those. */
double bench_cell_ratio(const struct bench_run *run, const struct bench_cell *cell, const struct bench_cell *other);

/* The cell of what bounds CELL's lock, or NULL: none known, or not measured. */
const struct bench_cell *bench_cell_bound(const struct bench_run *run, const struct bench_cell *cell);

/* A step of a ramp for people, in these columns: medians over the rounds. */
enum bench_step_column {
	BENCH_STEP_THREADS,
	BENCH_STEP_OPS,
	BENCH_STEP_CPU,
	BENCH_STEP_JAIN,
	BENCH_STEP_PINNED,
	BENCH_STEP_FULL_SPEED,
	BENCH_STEP_COLUMNS,
};
extern const char *const bench_step_headings[BENCH_STEP_COLUMNS];
void bench_step_row(bench_table_row row, const struct bench_run *run, const struct bench_cell *cell, size_t step);

/* Has the step a full speed to come back to (ramp.h)? */
bool bench_step_falls_back(const struct bench_run *run, const struct bench_cell *cell, size_t step);

/* The threads of CELL; in a ramp those of all its steps, with commas. TEXT has BENCH_STEPS_BYTES. */
#define BENCH_STEPS_BYTES (BENCH_STEPS_MAX * sizeof("4096, "))
void bench_report_threads(char *text, const struct bench_run *run, const struct bench_cell *cell);

void bench_report_table(const struct bench_run *run, FILE *out);
void bench_report_csv(const struct bench_run *run, FILE *out);

/*
 * A document in Markdown, a page in HTML; MACHINE as in the JSON. What NOTES, unless
 * NULL, holds becomes part of the document, after the list of cells that fall short.
 * Return 0, or -1 when memory runs out.
 */
int bench_report_markdown(const struct bench_run *run, const json_t *machine, FILE *notes, FILE *out);
int bench_report_html(const struct bench_run *run, const json_t *machine, FILE *out);

/*
 * What the reports in JSON have in common: numbers, rounded to six digits, which
 * is more than any of this is worth; a value that is whole only if nothing FAILED
 * while it was made; what a cell is; the settings. NULL when memory runs out.
 */
json_t *bench_json_number(double value);
json_t *bench_json_finish(json_t *value, int failed);
json_t *bench_cell_json(const struct bench_cell *cell);
json_t *bench_settings_json(const struct bench_run *run);

/* Takes over the reference to MACHINE. NULL when memory runs out. */
json_t *bench_report_json(const struct bench_run *run, json_t *machine);

#endif
