/* SPDX-License-Identifier: MIT */
/*
 * The table for people: a block per group, a line per lock, medians in units
 * one can read.
 */
#include <math.h>
#include <string.h>

#include "bench/report.h"
#include "bench/table.h"

#define COLUMNS BENCH_COLUMNS_MAX

static const char *const headings[COLUMNS] = {
	"lock", "ops/s",  "×peer",  "spread",	"CPU/op", "Jain", "p50", "p99",
	"p99.9", "max wait", "sleeps", "preempted", "errors", "δη_r", "δη_t", "ω",
};
#define COLUMNS_WITHOUT_EFFECTS 13

static void print_effects(bench_table_row row, const struct bench_run *run, const struct bench_cell *cell)
{
	struct bench_effects effects;

	if (bench_cell_effects(run, cell, &effects)) {
		snprintf(row[13], BENCH_TEXT_BYTES, "%+.2f", effects.resource);
		snprintf(row[14], BENCH_TEXT_BYTES, "%+.2f", effects.time);
		snprintf(row[15], BENCH_TEXT_BYTES, "%.2f", effects.impact);
	} else {
		for (int i = COLUMNS_WITHOUT_EFFECTS; i < COLUMNS; i++)
			strcpy(row[i], "-");
	}
}

static void make_row(bench_table_row row, const struct bench_run *run, const struct bench_cell *cell,
		     const struct bench_cell *best)
{
	const struct bench_sample *median = &cell->median;

	snprintf(row[0], BENCH_TEXT_BYTES, "%s %s", cell->bound ? "†" : cell->ours ? "*" : " ", cell->name);
	bench_table_count(row[1], median->ops_per_s);
	if (best != NULL && !cell->bound)
		bench_table_ratio(row[2], bench_cell_ratio(run, cell, best));
	else
		strcpy(row[2], "-");
	snprintf(row[3], BENCH_TEXT_BYTES, "%.0f %%", 100 * bench_spread(cell->rounds, run->settings->rounds));
	bench_table_time(row[4], median->cpu_ns_per_op);
	snprintf(row[5], BENCH_TEXT_BYTES, "%.3f", median->jain);
	bench_table_time(row[6], median->wait_p50_ns);
	bench_table_time(row[7], median->wait_p99_ns);
	bench_table_time(row[8], median->wait_p999_ns);
	bench_table_time(row[9], median->wait_max_ns);
	bench_table_count(row[10], median->voluntary_switches);
	bench_table_count(row[11], median->involuntary_switches);
	bench_table_count(row[12], median->errors);
	print_effects(row, run, cell);
}

static void print_situation(const struct bench_run *run, size_t first, size_t end, FILE *out)
{
	const struct bench_cell *cell = &run->cells[first];
	char cs[BENCH_TEXT_BYTES], think[BENCH_TEXT_BYTES], threads[BENCH_STEPS_BYTES];

	bench_table_time(cs, (double)cell->load.cs_ns);
	bench_table_time(think, (double)cell->load.think_ns);
	bench_report_threads(threads, run, cell);
	fprintf(out, "\n%s, %s, %s%s", bench_kind_names[cell->kind], bench_scenario_names[cell->scenario], threads,
		!run->settings->ramp && cell->threads == 1 ? " thread" : " threads");
	if (cell->kind == BENCH_LOCK)
		fprintf(out, ", critical section %s", cs);
	if (cell->kind == BENCH_FORKJOIN)
		fprintf(out, ", body %s", bench_body_names[cell->load.body]);
	else
		fprintf(out, ", think time %s%s", think, cell->pinned ? ", pinned" : "");
	if (cell->scenario == BENCH_STEAL)
		fprintf(out, ", %.0f %% of the CPU time stolen", 100 * bench_group_stolen(run, first, end));
	fputc('\n', out);
}

static bool has_effects(const struct bench_run *run, size_t first, size_t end)
{
	struct bench_effects effects;

	for (size_t i = first; i < end; i++)
		if (bench_cell_effects(run, &run->cells[i], &effects))
			return true;
	return false;
}

const char *const bench_step_headings[BENCH_STEP_COLUMNS] = {
	"threads", "ops/s", "CPU/op", "Jain", "pinned", "full speed after",
};

bool bench_step_falls_back(const struct bench_run *run, const struct bench_cell *cell, size_t step)
{
	const struct bench_ramp ramp = bench_run_ramp(run, cell, 0);

	return bench_ramp_model(&ramp, step) < ramp.count;
}

void bench_step_row(bench_table_row row, const struct bench_run *run, const struct bench_cell *cell, size_t step)
{
	const struct bench_ramp ramp = bench_run_ramp(run, cell, 0);
	const struct bench_step_sample median = bench_run_step(run, cell, step);

	snprintf(row[BENCH_STEP_THREADS], BENCH_TEXT_BYTES, "%u", ramp.steps[step].threads);
	bench_table_count(row[BENCH_STEP_OPS], median.ops_per_s);
	bench_table_time(row[BENCH_STEP_CPU], median.cpu_ns_per_op);
	snprintf(row[BENCH_STEP_JAIN], BENCH_TEXT_BYTES, "%.3f", median.jain);
	strcpy(row[BENCH_STEP_PINNED], ramp.steps[step].pin ? "yes" : "no");
	if (!bench_step_falls_back(run, cell, step))
		strcpy(row[BENCH_STEP_FULL_SPEED], "-");
	else if (!isfinite(median.full_speed_ms))
		strcpy(row[BENCH_STEP_FULL_SPEED], "not within the step");
	else if (median.full_speed_ms > 0)
		bench_table_time(row[BENCH_STEP_FULL_SPEED], median.full_speed_ms * 1e6);
	else
		strcpy(row[BENCH_STEP_FULL_SPEED], "at once");
}

static void print_ramp(const struct bench_run *run, const struct bench_cell *cell, FILE *out)
{
	struct bench_table table = { bench_step_headings, BENCH_STEP_COLUMNS, { 0 } };
	bench_table_row row;

	for (size_t i = 0; i < run->settings->thread_count; i++) {
		bench_step_row(row, run, cell, i);
		bench_table_fit(&table, row);
	}
	fprintf(out, "\n%s step by step:\n", cell->name);
	bench_table_head(&table, out);
	for (size_t i = 0; i < run->settings->thread_count; i++) {
		bench_step_row(row, run, cell, i);
		bench_table_line(&table, row, out);
	}
}

static void make_moment_row(bench_table_row row, const struct bench_moment *moment)
{
	snprintf(row[0], BENCH_TEXT_BYTES, "  %.2f s", moment->t_ms / 1e3);
	bench_table_count(row[1], moment->ops_per_s);
	bench_table_time(row[2], moment->cpu_ns_per_op);
	bench_table_count(row[3], round(moment->voluntary_per_s));
	bench_table_count(row[4], round(moment->involuntary_per_s));
	snprintf(row[5], BENCH_TEXT_BYTES, "%u", moment->usable_cpus);
	bench_table_time(row[6], moment->spin_ns);
	snprintf(row[7], BENCH_TEXT_BYTES, "%u %%", moment->pressure_percent);
	snprintf(row[8], BENCH_TEXT_BYTES, "%u", moment->threads);
}

/* Of the last round: by then the process knows its machine. */
static void print_timeline(const struct bench_run *run, const struct bench_cell *cell, FILE *out)
{
	static const char *const texts[] = {
		"  time", "ops/s", "CPU/op", "sleeps/s", "preempted/s", "CPUs", "spin", "pressure", "threads",
	};
	const struct bench_timeline *timeline = &cell->timelines[run->settings->rounds - 1];
	const int columns = sizeof(texts) / sizeof(texts[0]);
	struct bench_table table = { texts, run->settings->ramp ? columns : columns - 1, { 0 } };
	bench_table_row row;

	for (size_t i = 0; i < timeline->count; i++) {
		make_moment_row(row, &timeline->moments[i]);
		bench_table_fit(&table, row);
	}
	fprintf(out, "\n%s over time, round %u:\n", cell->name, run->settings->rounds);
	bench_table_head(&table, out);
	for (size_t i = 0; i < timeline->count; i++) {
		make_moment_row(row, &timeline->moments[i]);
		bench_table_line(&table, row, out);
	}
}

static void print_bound(const struct bench_run *run, const struct bench_cell *cell, FILE *out)
{
	const struct bench_cell *bound = bench_cell_bound(run, cell);
	char ratio[BENCH_TEXT_BYTES];

	if (bound == NULL)
		return;
	bench_table_ratio(ratio, bench_cell_ratio(run, cell, bound));
	fprintf(out, "† %s ÷ %s: %s (bound: one CPU, no halted vCPU to wake)\n", cell->name, bound->name, ratio);
}

static void print_group(const struct bench_run *run, size_t first, size_t end, FILE *out)
{
	const struct bench_cell *best = bench_group_best_peer(run, first, end);
	int columns = has_effects(run, first, end) ? COLUMNS : COLUMNS_WITHOUT_EFFECTS;
	struct bench_table table = { headings, columns, { 0 } };
	bench_table_row row;

	for (size_t i = first; i < end; i++) {
		make_row(row, run, &run->cells[i], best);
		bench_table_fit(&table, row);
	}
	print_situation(run, first, end, out);
	bench_table_head(&table, out);
	for (size_t i = first; i < end; i++) {
		make_row(row, run, &run->cells[i], best);
		bench_table_line(&table, row, out);
	}
	for (size_t i = first; i < end; i++)
		print_bound(run, &run->cells[i], out);
	for (size_t i = first; i < end && run->settings->ramp; i++)
		print_ramp(run, &run->cells[i], out);
	for (size_t i = first; i < end && run->settings->every_ms > 0; i++)
		print_timeline(run, &run->cells[i], out);
}

static void print_legend(const struct bench_run *run, FILE *out)
{
	bool effects = false, bounds = false, regions = false;

	for (size_t i = 0; i < run->count; i++) {
		effects |= has_effects(run, i, i + 1);
		bounds |= run->cells[i].bound;
		regions |= run->cells[i].kind == BENCH_FORKJOIN;
	}
	fprintf(out,
		"\nMedians of %u round%s of %g s. * ours; ×peer: throughput relative to the best other lock\n"
		"of the block, round by round; spread: of ops/s, between the rounds; sleeps and preempted:\n"
		"context switches in a window; errors: broken exclusion, summed over the rounds.\n",
		run->settings->rounds, run->settings->rounds == 1 ? "" : "s", bench_window_seconds(run->settings));
	if (regions)
		fputs("forkjoin: an operation is a parallel region, its wait how long that took; serial, the caller alone, is\n"
		      "no peer. In cold and sparse ops/s is that of the time within regions, CPU/op all that was used up.\n",
		      out);
	if (bounds)
		fputs("† no lock: threads pass a turn round on one CPU, the bound of strict order where waiters sleep.\n",
		      out);
	if (effects)
		fputs("δη_r, resource effect: how much more CPU time an operation costs than in plain (+1: twice).\n"
		      "δη_t, time effect: how much more time, times the CPUs that are left for the threads.\n"
		      "ω, impact factor: (1 + δη_t) / (1 + δη_r), how much of the waste the user sees.\n",
		      out);
	if (run->settings->ramp)
		fputs("Step by step: full speed is nine tenths of what as many threads did on the way up; it is back\n"
		      "when 20 ms on end reach that; - where the step is no fall to threads that each have a CPU.\n",
		      out);
	if (run->settings->every_ms > 0)
		fputs("Over time: rates since the line before; CPUs, spin and pressure: what guestsync's waiters go by.\n",
		      out);
	for (size_t i = 0; run->absent[i] != NULL; i++) {
		const char *reason = bench_absent_reason(run->absent[i]);

		fprintf(out, "%s is %s.\n", run->absent[i], reason != NULL ? reason : "not compiled in");
	}
}

void bench_report_table(const struct bench_run *run, FILE *out)
{
	size_t end;

	for (size_t first = 0; first < run->count; first = end) {
		end = bench_group_end(run, first);
		print_group(run, first, end, out);
	}
	print_legend(run, out);
}
