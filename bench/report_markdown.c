/* SPDX-License-Identifier: MIT */
/*
 * A document for people that a repository can hold: tables in GitHub's Markdown,
 * padded so that they can be read as plain text as well. Per panel: throughput,
 * ours against the best peer, waits, fairness and CPU time, locks down and
 * threads across.
 */
#include <stdlib.h>
#include <string.h>

#include "bench/panel.h"
#include "bench/report.h"
#include "bench/report_facts.h"
#include "bench/table.h"

#define ENTRY_BYTES 128

typedef char entry[ENTRY_BYTES];

/* ---- entries: one cell of the run, in the words of one table */

static void write_range(char *text, const struct bench_range *range, void (*write)(char *text, double value))
{
	char median[BENCH_TEXT_BYTES], least[BENCH_TEXT_BYTES], most[BENCH_TEXT_BYTES];

	write(median, range->median);
	write(least, range->least);
	write(most, range->most);
	snprintf(text, ENTRY_BYTES, "%s (%s – %s)", median, least, most);
}

static void write_throughput(char *text, const struct bench_panel *panel, const struct bench_cell *cell, size_t thread)
{
	struct bench_range range = bench_field_range(cell->rounds, panel->run->settings->rounds,
						     offsetof(struct bench_sample, ops_per_s));

	(void)thread;
	write_range(text, &range, bench_table_count);
	if (cell->median.errors > 0)
		strcat(text, " **broken**");
}

static void write_ratio(char *text, const struct bench_panel *panel, const struct bench_cell *cell, size_t thread)
{
	struct bench_range range;

	if (!cell->ours || panel->best[thread] == NULL)
		return;
	range = bench_cell_ratios(panel->run, cell, panel->best[thread]);
	write_range(text, &range, bench_table_ratio);
}

static void write_over_bound(char *text, const struct bench_panel *panel, const struct bench_cell *cell, size_t thread)
{
	const struct bench_cell *bound = bench_cell_bound(panel->run, cell);
	struct bench_range range;

	(void)thread;
	if (bound == NULL)
		return;
	range = bench_cell_ratios(panel->run, cell, bound);
	write_range(text, &range, bench_table_ratio);
}

static void write_waits(char *text, const struct bench_panel *panel, const struct bench_cell *cell, size_t thread)
{
	char rare[BENCH_TEXT_BYTES], longest[BENCH_TEXT_BYTES];

	(void)panel;
	(void)thread;
	bench_table_time(rare, cell->median.wait_p999_ns);
	bench_table_time(longest, cell->median.wait_max_ns);
	snprintf(text, ENTRY_BYTES, "%s / %s", rare, longest);
}

static void write_jain(char *text, const struct bench_panel *panel, const struct bench_cell *cell, size_t thread)
{
	(void)panel;
	(void)thread;
	snprintf(text, ENTRY_BYTES, "%.3f", cell->median.jain);
}

static void write_cpu(char *text, const struct bench_panel *panel, const struct bench_cell *cell, size_t thread)
{
	(void)panel;
	(void)thread;
	bench_table_time(text, cell->median.cpu_ns_per_op);
}

static void write_effects(char *text, const struct bench_panel *panel, const struct bench_cell *cell, size_t thread)
{
	struct bench_effects effects;

	(void)thread;
	if (bench_cell_effects(panel->run, cell, &effects))
		snprintf(text, ENTRY_BYTES, "%+.2f / %+.2f / %.2f", effects.resource, effects.time, effects.impact);
}

/* ---- tables */

struct matrix {
	size_t rows, columns; /* the heading and the names among them */
	entry *entries;
};

static char *at(const struct matrix *matrix, size_t row, size_t column)
{
	return matrix->entries[row * matrix->columns + column];
}

static bool is_empty(const struct matrix *matrix, size_t row)
{
	for (size_t column = 1; column < matrix->columns; column++)
		if (at(matrix, row, column)[0] != '\0')
			return false;
	return true;
}

static int width_of(const struct matrix *matrix, size_t column)
{
	int width = 3;

	for (size_t row = 0; row < matrix->rows; row++) {
		int needed = bench_table_characters(at(matrix, row, column));

		if ((row == 0 || !is_empty(matrix, row)) && needed > width)
			width = needed;
	}
	return width;
}

static void print_row(const struct matrix *matrix, size_t row, FILE *out)
{
	for (size_t column = 0; column < matrix->columns; column++) {
		const char *text = at(matrix, row, column)[0] != '\0' ? at(matrix, row, column) : "–";
		int padding = width_of(matrix, column) - bench_table_characters(text);

		/* The name to the left, figures to the right. */
		fprintf(out, "| %*s%s%*s ", column > 0 ? padding : 0, "", text, column > 0 ? 0 : padding, "");
	}
	fputs("|\n", out);
}

static void print_matrix(const struct matrix *matrix, const char *title, FILE *out)
{
	fprintf(out, "\n%s\n\n", title);
	print_row(matrix, 0, out);
	for (size_t column = 0; column < matrix->columns; column++) {
		fputs(column == 0 ? "|:" : "|", out);
		for (int i = 0; i < width_of(matrix, column) + 1; i++)
			fputc('-', out);
		fputs(column == 0 ? "" : ":", out);
	}
	fputs("|\n", out);
	for (size_t row = 1; row < matrix->rows; row++)
		if (!is_empty(matrix, row))
			print_row(matrix, row, out);
}

static const struct {
	const char *title;
	void (*write)(char *text, const struct bench_panel *panel, const struct bench_cell *cell, size_t thread);
} tables[] = {
	{ "Throughput, operations per second: median (least – most of the rounds)", write_throughput },
	{ "Ours ÷ best peer, round by round: median (least – most)", write_ratio },
	{ "÷ bound of strict order where waiters sleep (token_ring), round by round: median (least – most)",
	  write_over_bound },
	{ "Waits: 99.9th percentile / longest", write_waits },
	{ "Fairness: Jain's index, 1 = all threads got the same", write_jain },
	{ "CPU time per operation", write_cpu },
	{ "Against plain: δη_r / δη_t / ω", write_effects },
};

static void fill_matrix(const struct matrix *matrix, const struct bench_panel *panel, size_t table)
{
	snprintf(at(matrix, 0, 0), ENTRY_BYTES, "threads");
	for (size_t thread = 0; thread < panel->thread_count; thread++)
		snprintf(at(matrix, 0, thread + 1), ENTRY_BYTES, "%u", bench_panel_threads(panel, thread));
	for (size_t lock = 0; lock < panel->lock_count; lock++) {
		const struct bench_cell *any = bench_panel_lock(panel, lock);

		snprintf(at(matrix, lock + 1, 0), ENTRY_BYTES, any->ours ? "**%s**" : any->bound ? "%s (bound)" : "%s",
			 any->name);
		for (size_t thread = 0; thread < panel->thread_count; thread++) {
			const struct bench_cell *cell = bench_panel_cell(panel, lock, thread);

			if (cell != NULL)
				tables[table].write(at(matrix, lock + 1, thread + 1), panel, cell, thread);
		}
	}
}

static bool has_rows(const struct matrix *matrix)
{
	for (size_t row = 1; row < matrix->rows; row++)
		if (!is_empty(matrix, row))
			return true;
	return false;
}

static int print_tables(const struct bench_panel *panel, FILE *out)
{
	struct matrix matrix = { panel->lock_count + 1, panel->thread_count + 1, NULL };
	size_t size = matrix.rows * matrix.columns * sizeof(entry);

	matrix.entries = malloc(size);
	if (matrix.entries == NULL)
		return -1;
	for (size_t table = 0; table < sizeof(tables) / sizeof(tables[0]); table++) {
		memset(matrix.entries, 0, size);
		fill_matrix(&matrix, panel, table);
		if (has_rows(&matrix))
			print_matrix(&matrix, tables[table].title, out);
	}
	free(matrix.entries);
	return 0;
}

/* ---- the document */

/* What a file says must neither end the table nor begin something else. */
static void print_text(const char *text, FILE *out)
{
	for (; *text != '\0'; text++) {
		if (strchr("|<>*`\\", *text) != NULL)
			fputc('\\', out);
		fputc((unsigned char)*text < ' ' ? ' ' : *text, out);
	}
}

static void print_facts(const char *title, const struct bench_fact *facts, size_t count, FILE *out)
{
	fprintf(out, "\n## %s\n\n| | |\n|:--|:--|\n", title);
	for (size_t i = 0; i < count; i++) {
		fprintf(out, "| %s | ", facts[i].label);
		print_text(facts[i].text, out);
		fputs(" |\n", out);
	}
}

static void print_alarms(const struct bench_run *run, FILE *out)
{
	char text[BENCH_SITUATION_BYTES];

	for (size_t i = 0; i < run->count; i++)
		if (bench_cell_broken(text, &run->cells[i]))
			fprintf(out, "\n**BROKEN EXCLUSION: %s**\n", text);
	for (int scenario = 0; scenario < BENCH_SCENARIOS; scenario++)
		if (run->skipped[scenario]) {
			fprintf(out, "\n**Scenario %s was skipped:** ", bench_scenario_names[scenario]);
			print_text(run->refusal.text[0] != '\0' ? run->refusal.text : "the machine refuses it", out);
			fputc('\n', out);
		}
}

static void print_commands(const struct bench_run *run, FILE *out)
{
	if (json_array_size(run->origins) == 0)
		return;
	fputc('\n', out);
	for (size_t i = 0; i < json_array_size(run->origins); i++) {
		fputs("    ", out); /* indented, it is code, whatever it holds */
		for (const char *text = bench_origin_text(run, i, "command"); *text != '\0'; text++)
			fputc((unsigned char)*text < ' ' ? ' ' : *text, out);
		fprintf(out, "   # %s\n", bench_origin_text(run, i, "date"));
	}
}

static void print_panel_title(const struct bench_cell *cell, const struct bench_cell *before, FILE *out)
{
	char situation[BENCH_SITUATION_BYTES];

	if (before == NULL || before->kind != cell->kind || before->scenario != cell->scenario)
		fprintf(out, "\n## %ss, %s: %s\n", bench_kind_names[cell->kind], bench_scenario_names[cell->scenario],
			bench_scenario_words[cell->scenario]);
	bench_situation(situation, cell);
	fprintf(out, "\n### %ss, %s\n", bench_kind_names[cell->kind], situation);
}

int bench_report_markdown(const struct bench_run *run, const json_t *machine, FILE *out)
{
	struct bench_fact facts[BENCH_FACTS_MAX];
	const struct bench_cell *before = NULL;
	struct bench_panel panel;

	fputs("# Results of guestsync bench\n\nWritten by the benchmark itself. Ours in bold; – where there is nothing to tell.\n",
	      out);
	print_alarms(run, out);
	print_facts("Machine", facts, bench_machine_facts(run, machine, facts), out);
	print_facts("Measurement", facts, bench_settings_facts(run, facts), out);
	print_commands(run, out);
	for (size_t i = bench_panel_next(run, 0); i < run->count; i = bench_panel_next(run, i + 1)) {
		int result;

		if (bench_panel_make(&panel, run, i) != 0)
			return -1;
		print_panel_title(&run->cells[i], before, out);
		result = print_tables(&panel, out);
		before = &run->cells[i];
		bench_panel_free(&panel);
		if (result != 0)
			return -1;
	}
	return 0;
}
