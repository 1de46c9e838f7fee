/* SPDX-License-Identifier: MIT */
/*
 * The table for people: a block per group, a line per lock, medians in units
 * one can read. Columns are as wide as their widest entry, counted in
 * characters, not in bytes: µ, × and δ have two.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "bench/report.h"

#define COLUMNS 16
#define TEXT_BYTES 32

typedef char table_row[COLUMNS][TEXT_BYTES];

static const char *const headings[COLUMNS] = {
	"lock", "ops/s",  "×peer",  "spread",	"CPU/op", "Jain", "p50", "p99",
	"p99.9", "max wait", "sleeps", "preempted", "errors", "δη_r", "δη_t", "ω",
};
#define COLUMNS_WITHOUT_EFFECTS 13

static void print_scaled(char *text, double value, const char *const *units, const double *limits)
{
	size_t i = 0;

	while (units[i + 1] != NULL && value >= limits[i + 1] * 0.9995)
		i++;
	value /= limits[i];
	snprintf(text, TEXT_BYTES, "%.*f%s", value == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2, value,
		 units[i]);
}

static void print_count(char *text, double count)
{
	static const char *const units[] = { "", " K", " M", " G", NULL };
	static const double limits[] = { 1, 1e3, 1e6, 1e9 };

	if (count < 1000 && count == floor(count))
		snprintf(text, TEXT_BYTES, "%.0f", count);
	else
		print_scaled(text, count, units, limits);
}

static void print_time(char *text, double ns)
{
	static const char *const units[] = { " ns", " µs", " ms", " s", NULL };
	static const double limits[] = { 1, 1e3, 1e6, 1e9 };

	print_scaled(text, ns, units, limits);
}

/* A lock that collapsed still shows by how much. */
static void print_ratio(char *text, double ratio)
{
	snprintf(text, TEXT_BYTES, ratio > 0 && ratio < 0.01 ? "%.1g" : "%.3f", ratio);
}

static void print_effects(table_row row, const struct bench_run *run, const struct bench_cell *cell)
{
	struct bench_effects effects;

	if (bench_cell_effects(run, cell, &effects)) {
		snprintf(row[13], TEXT_BYTES, "%+.2f", effects.resource);
		snprintf(row[14], TEXT_BYTES, "%+.2f", effects.time);
		snprintf(row[15], TEXT_BYTES, "%.2f", effects.impact);
	} else {
		for (int i = COLUMNS_WITHOUT_EFFECTS; i < COLUMNS; i++)
			strcpy(row[i], "-");
	}
}

static void make_row(table_row row, const struct bench_run *run, const struct bench_cell *cell,
		     const struct bench_cell *best)
{
	const struct bench_sample *median = &cell->median;

	snprintf(row[0], TEXT_BYTES, "%s %s", cell->ours ? "*" : " ", cell->name);
	print_count(row[1], median->ops_per_s);
	if (best != NULL)
		print_ratio(row[2], bench_cell_ratio(run, cell, best));
	else
		strcpy(row[2], "-");
	snprintf(row[3], TEXT_BYTES, "%.0f %%", 100 * bench_spread(cell->rounds, run->settings->rounds));
	print_time(row[4], median->cpu_ns_per_op);
	snprintf(row[5], TEXT_BYTES, "%.3f", median->jain);
	print_time(row[6], median->wait_p50_ns);
	print_time(row[7], median->wait_p99_ns);
	print_time(row[8], median->wait_p999_ns);
	print_time(row[9], median->wait_max_ns);
	print_count(row[10], median->voluntary_switches);
	print_count(row[11], median->involuntary_switches);
	print_count(row[12], median->errors);
	print_effects(row, run, cell);
}

static int characters(const char *text)
{
	int count = 0;

	for (; *text != '\0'; text++)
		count += ((unsigned char)*text & 0xc0) != 0x80;
	return count;
}

/* The name to the left, numbers to the right. */
static void print_entry(FILE *out, int column, const char *text, int width)
{
	int padding = width - characters(text);

	if (column == 0)
		fprintf(out, "%s%*s", text, padding, "");
	else
		fprintf(out, "  %*s%s", padding, "", text);
}

static double mean_stolen(const struct bench_run *run, size_t first, size_t end)
{
	double sum = 0;

	for (size_t i = first; i < end; i++)
		sum += run->cells[i].median.stolen_share;
	return sum / (double)(end - first);
}

static void print_situation(const struct bench_run *run, size_t first, size_t end, FILE *out)
{
	const struct bench_cell *cell = &run->cells[first];
	char cs[TEXT_BYTES], think[TEXT_BYTES];

	print_time(cs, (double)cell->load.cs_ns);
	print_time(think, (double)cell->load.think_ns);
	fprintf(out, "\n%s, %s, %u thread%s", bench_kind_names[cell->kind], bench_scenario_names[cell->scenario],
		cell->threads, cell->threads == 1 ? "" : "s");
	if (cell->kind == BENCH_LOCK)
		fprintf(out, ", critical section %s", cs);
	fprintf(out, ", think time %s%s", think, cell->pinned ? ", pinned" : "");
	if (cell->scenario == BENCH_STEAL)
		fprintf(out, ", %.0f %% of the CPU time stolen", 100 * mean_stolen(run, first, end));
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

static void widen(int *width, table_row row, int columns)
{
	for (int column = 0; column < columns; column++)
		if (characters(row[column]) > width[column])
			width[column] = characters(row[column]);
}

static void print_headings(FILE *out, const char *const *texts, const int *width, int columns)
{
	for (int column = 0; column < columns; column++)
		print_entry(out, column, texts[column], width[column]);
	fputc('\n', out);
}

static void print_row(FILE *out, table_row row, const int *width, int columns)
{
	for (int column = 0; column < columns; column++)
		print_entry(out, column, row[column], width[column]);
	fputc('\n', out);
}

static void make_moment_row(table_row row, const struct bench_moment *moment)
{
	snprintf(row[0], TEXT_BYTES, "  %.2f s", moment->t_ms / 1e3);
	print_count(row[1], moment->ops_per_s);
	print_time(row[2], moment->cpu_ns_per_op);
	print_count(row[3], round(moment->voluntary_per_s));
	print_count(row[4], round(moment->involuntary_per_s));
	snprintf(row[5], TEXT_BYTES, "%u", moment->usable_cpus);
	print_time(row[6], moment->spin_ns);
	snprintf(row[7], TEXT_BYTES, "%u %%", moment->pressure_percent);
}

/* Of the last round: by then the process knows its machine. */
static void print_timeline(const struct bench_run *run, const struct bench_cell *cell, FILE *out)
{
	static const char *const texts[] = {
		"  time", "ops/s", "CPU/op", "sleeps/s", "preempted/s", "CPUs", "spin", "pressure",
	};
	enum { MOMENT_COLUMNS = sizeof(texts) / sizeof(texts[0]) };
	const struct bench_timeline *timeline = &cell->timelines[run->settings->rounds - 1];
	int width[MOMENT_COLUMNS];
	table_row row;

	for (int column = 0; column < MOMENT_COLUMNS; column++)
		width[column] = characters(texts[column]);
	for (size_t i = 0; i < timeline->count; i++) {
		make_moment_row(row, &timeline->moments[i]);
		widen(width, row, MOMENT_COLUMNS);
	}
	fprintf(out, "\n%s over time, round %u:\n", cell->name, run->settings->rounds);
	print_headings(out, texts, width, MOMENT_COLUMNS);
	for (size_t i = 0; i < timeline->count; i++) {
		make_moment_row(row, &timeline->moments[i]);
		print_row(out, row, width, MOMENT_COLUMNS);
	}
}

static void print_group(const struct bench_run *run, size_t first, size_t end, FILE *out)
{
	const struct bench_cell *best = bench_group_best_peer(run, first, end);
	int columns = has_effects(run, first, end) ? COLUMNS : COLUMNS_WITHOUT_EFFECTS;
	int width[COLUMNS];
	table_row row;

	for (int column = 0; column < columns; column++)
		width[column] = characters(headings[column]);
	for (size_t i = first; i < end; i++) {
		make_row(row, run, &run->cells[i], best);
		widen(width, row, columns);
	}
	print_situation(run, first, end, out);
	print_headings(out, headings, width, columns);
	for (size_t i = first; i < end; i++) {
		make_row(row, run, &run->cells[i], best);
		print_row(out, row, width, columns);
	}
	for (size_t i = first; i < end && run->settings->every_ms > 0; i++)
		print_timeline(run, &run->cells[i], out);
}

static void print_legend(const struct bench_run *run, FILE *out)
{
	bool effects = false;

	for (size_t i = 0; i < run->count; i++)
		effects |= has_effects(run, i, i + 1);
	fprintf(out,
		"\nMedians of %u round%s of %g s. * ours; ×peer: throughput relative to the best other lock\n"
		"of the block, round by round; spread: of ops/s, between the rounds; sleeps and preempted:\n"
		"context switches in a window; errors: broken exclusion, summed over the rounds.\n",
		run->settings->rounds, run->settings->rounds == 1 ? "" : "s", run->settings->seconds);
	if (effects)
		fputs("δη_r, δη_t: CPU time, and time times CPUs available, that an operation costs more than in\n"
		      "plain; ω = (1 + δη_t) / (1 + δη_r).\n",
		      out);
	if (run->settings->every_ms > 0)
		fputs("Over time: rates since the line before; CPUs, spin and pressure: what guestsync's waiters go by.\n",
		      out);
	for (size_t i = 0; bench_absent_name(i) != NULL; i++)
		fprintf(out, "%s is %s.\n", bench_absent_name(i), bench_absent_reason(bench_absent_name(i)));
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
