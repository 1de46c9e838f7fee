/* SPDX-License-Identifier: MIT */
/*
 * How ours fare against the best peer, before all figures: a lock library is
 * judged by its worst cell, so each cell that falls short is named, the worst
 * first, beside what the faster peer takes for it: CPU time, waits, fairness.
 */
#include <stdlib.h>
#include <string.h>

#include "bench/markdown.h"
#include "bench/report.h"
#include "bench/table.h"

#define LONG_LIST 24 /* folded */

bool bench_markdown_falls_short(double ratio)
{
	return ratio < 0.9995; /* what is shown as 1.000 does not */
}

/* One of ours beside the best peer of its group. */
struct duel {
	const struct bench_cell *cell, *peer;
	struct bench_range ratio;
};

struct duels {
	struct duel *all;
	size_t count;
};

/* Where the peer did nothing in some round, of the medians. */
static struct bench_range ratio_of(const struct bench_run *run, const struct bench_cell *cell, const struct bench_cell *peer)
{
	struct bench_range range = bench_cell_ratios(run, cell, peer);
	double ratio = cell->median.ops_per_s / peer->median.ops_per_s;

	return range.most > 0 ? range : (struct bench_range){ ratio, ratio, ratio };
}

static int find_duels(struct duels *duels, const struct bench_run *run)
{
	size_t end;

	*duels = (struct duels){ .all = calloc(run->count + 1, sizeof(duels->all[0])) };
	if (duels->all == NULL)
		return -1;
	for (size_t first = 0; first < run->count; first = end) {
		const struct bench_cell *peer = bench_group_best_peer(run, first, end = bench_group_end(run, first));

		for (size_t i = first; i < end && peer != NULL; i++)
			if (run->cells[i].ours)
				duels->all[duels->count++] = (struct duel){ &run->cells[i], peer, ratio_of(run, &run->cells[i], peer) };
	}
	return 0;
}

static int by_ratio(const void *left, const void *right)
{
	double a = ((const struct duel *)left)->ratio.median, b = ((const struct duel *)right)->ratio.median;

	return (a > b) - (a < b);
}

/* Does the N-th begin the list of another lock? So each is told once, in the order of the run. */
static bool is_first_of_lock(const struct duels *duels, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (duels->all[i].cell->name == duels->all[n].cell->name)
			return false;
	return true;
}

/* ---- at a glance */

static void write_standing(char *entry, const struct duels *duels, const char *name, enum bench_scenario scenario)
{
	char ratio[BENCH_TEXT_BYTES], cs[BENCH_TEXT_BYTES];
	const struct duel *worst = NULL;
	unsigned count = 0, good = 0;

	for (size_t i = 0; i < duels->count; i++) {
		const struct duel *duel = &duels->all[i];

		if (duel->cell->name != name || duel->cell->scenario != scenario)
			continue;
		count++;
		good += !bench_markdown_falls_short(duel->ratio.median);
		if (worst == NULL || duel->ratio.median < worst->ratio.median)
			worst = duel;
	}
	if (worst == NULL)
		return;
	bench_table_ratio(ratio, worst->ratio.median);
	bench_table_duration(cs, worst->cell->kind == BENCH_LOCK ? worst->cell->load.cs_ns : worst->cell->load.think_ns);
	snprintf(entry, BENCH_ENTRY_BYTES, "%u of %u; least %s (%u × %s)", good, count, ratio, worst->cell->threads, cs);
}

static size_t find_scenarios(const struct duels *duels, enum bench_scenario *scenarios)
{
	size_t count = 0;

	for (enum bench_scenario scenario = 0; scenario < BENCH_SCENARIOS; scenario++)
		for (size_t i = 0; i < duels->count; i++)
			if (duels->all[i].cell->scenario == scenario) {
				scenarios[count++] = scenario;
				break;
			}
	return count;
}

static int print_glance(const struct duels *duels, FILE *out)
{
	enum bench_scenario scenarios[BENCH_SCENARIOS];
	size_t columns = find_scenarios(duels, scenarios), rows = 1;
	struct bench_matrix matrix;

	if (bench_matrix_make(&matrix, duels->count + 1, columns + 1) != 0)
		return -1;
	strcpy(bench_matrix_at(&matrix, 0, 0), "lock");
	for (size_t i = 0; i < columns; i++)
		strcpy(bench_matrix_at(&matrix, 0, i + 1), bench_scenario_names[scenarios[i]]);
	for (size_t i = 0; i < duels->count; i++) {
		const char *name = duels->all[i].cell->name;

		if (!is_first_of_lock(duels, i))
			continue;
		snprintf(bench_matrix_at(&matrix, rows, 0), BENCH_ENTRY_BYTES, "**%s**", name);
		for (size_t column = 0; column < columns; column++)
			write_standing(bench_matrix_at(&matrix, rows, column + 1), duels, name, scenarios[column]);
		rows++;
	}
	fputs("\n## At a glance\n\nIn how many cells ours do at least as much as the best peer, whichever that is there, and the "
	      "worst cell: the ratio of the throughputs, and where (threads × critical section; of a barrier: think "
	      "time).\n", out);
	bench_matrix_print(&matrix, out);
	bench_matrix_free(&matrix);
	return 0;
}

/* ---- where ours fall short */

static void write_both(char *entry, double ours, double its, void (*write)(char *text, double value))
{
	char left[BENCH_TEXT_BYTES], right[BENCH_TEXT_BYTES];

	write(left, ours);
	write(right, its);
	snprintf(entry, BENCH_ENTRY_BYTES, "%s / %s", left, right);
}

static void write_index(char *text, double value)
{
	snprintf(text, BENCH_TEXT_BYTES, "%.3f", value);
}

static void fill_shortfall(const struct bench_matrix *matrix, size_t row, const struct duel *duel)
{
	const struct bench_cell *cell = duel->cell, *peer = duel->peer;
	char cs[BENCH_TEXT_BYTES], think[BENCH_TEXT_BYTES];

	bench_table_duration(cs, cell->load.cs_ns);
	bench_table_duration(think, cell->load.think_ns);
	snprintf(bench_matrix_at(matrix, row, 0), BENCH_ENTRY_BYTES, "%s", bench_scenario_names[cell->scenario]);
	snprintf(bench_matrix_at(matrix, row, 1), BENCH_ENTRY_BYTES, "%u", cell->threads);
	snprintf(bench_matrix_at(matrix, row, 2), BENCH_ENTRY_BYTES, "%s%s%s", cell->kind == BENCH_LOCK ? cs : "",
		 cell->kind == BENCH_LOCK ? " / " : "", think);
	bench_markdown_range(bench_matrix_at(matrix, row, 3), &duel->ratio, bench_table_ratio);
	snprintf(bench_matrix_at(matrix, row, 4), BENCH_ENTRY_BYTES, "%s", peer->name);
	write_both(bench_matrix_at(matrix, row, 5), cell->median.cpu_ns_per_op, peer->median.cpu_ns_per_op, bench_table_time);
	write_both(bench_matrix_at(matrix, row, 6), cell->median.wait_max_ns, peer->median.wait_max_ns, bench_table_time);
	write_both(bench_matrix_at(matrix, row, 7), cell->median.jain, peer->median.jain, write_index);
}

static int print_shortfalls_of(const struct duels *sorted, const char *name, FILE *out)
{
	static const char *const headings[] = { "scenario", "threads", "section / think time", "÷ best peer (least – most)",
						"best peer", "CPU per op: ours / its", "longest wait", "Jain’s index" };
	const size_t columns = sizeof(headings) / sizeof(headings[0]);
	struct bench_matrix matrix;
	size_t rows = 1, all = 0;

	if (bench_matrix_make(&matrix, sorted->count + 1, columns) != 0)
		return -1;
	for (size_t i = 0; i < columns; i++)
		snprintf(bench_matrix_at(&matrix, 0, i), BENCH_ENTRY_BYTES, "%s", headings[i]);
	for (size_t i = 0; i < sorted->count; i++) {
		if (sorted->all[i].cell->name != name)
			continue;
		all++;
		if (bench_markdown_falls_short(sorted->all[i].ratio.median))
			fill_shortfall(&matrix, rows++, &sorted->all[i]);
	}
	if (rows > 1) {
		fprintf(out, rows > LONG_LIST ? "\n<details><summary>%s: %zu of %zu cells</summary>\n" :
						"\n**%s: %zu of %zu cells**\n", name, rows - 1, all);
		bench_matrix_print(&matrix, out);
		fputs(rows > LONG_LIST ? "\n</details>\n" : "", out);
	}
	bench_matrix_free(&matrix);
	return 0;
}

static int print_shortfalls(const struct duels *duels, FILE *out)
{
	struct duels sorted = { calloc(duels->count + 1, sizeof(sorted.all[0])), duels->count };
	bool any = false;
	int result = 0;

	if (sorted.all == NULL)
		return -1;
	for (size_t i = 0; i < duels->count; i++) {
		sorted.all[i] = duels->all[i];
		any |= bench_markdown_falls_short(duels->all[i].ratio.median);
	}
	qsort(sorted.all, sorted.count, sizeof(sorted.all[0]), by_ratio);
	fprintf(out, "\n## Where ours fall short\n\n%s\n",
		any ? "Every cell in which one of ours does less than the best peer, the worst first. Where the range "
		      "reaches beyond 1, some rounds were won." :
		      "Nowhere: no cell in which one of ours does less than the best peer.");
	for (size_t i = 0; i < duels->count && result == 0; i++)
		if (is_first_of_lock(duels, i))
			result = print_shortfalls_of(&sorted, duels->all[i].cell->name, out);
	free(sorted.all);
	return result;
}

int bench_markdown_summary(const struct bench_run *run, FILE *out)
{
	struct duels duels;
	int result = find_duels(&duels, run);

	if (result == 0 && duels.count > 0)
		result = print_glance(&duels, out);
	if (result == 0 && duels.count > 0)
		result = print_shortfalls(&duels, out);
	free(duels.all);
	return result;
}
