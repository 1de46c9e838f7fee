/* SPDX-License-Identifier: MIT */
/*
 * A document for people that a repository can hold. On top the machine, how ours
 * fare and where they fall short; then a panel at a time the throughput, locks
 * down and threads across, and, folded below it, how far the rounds lie apart,
 * waits, fairness and CPU time.
 */
#include <string.h>

#include "bench/markdown.h"
#include "bench/panel.h"
#include "bench/report.h"
#include "bench/report_facts.h"
#include "bench/table.h"

/* ---- entries: one cell of the run, in the words of one table */

/* Ours beside the best peer, which is in italics: the first thing that somebody looks for. */
static void write_short(char *text, const struct bench_panel *panel, const struct bench_cell *cell, size_t thread)
{
	const struct bench_cell *best = panel->best[thread];
	char ops[BENCH_TEXT_BYTES], ratio[BENCH_TEXT_BYTES];
	double times = cell->ours && best != NULL ? bench_cell_ratio(panel->run, cell, best) : 0;

	bench_table_count(ops, cell->median.ops_per_s);
	bench_table_ratio(ratio, times);
	if (times > 0)
		snprintf(text, BENCH_ENTRY_BYTES, "%s (%s%s)", ops, ratio, bench_markdown_falls_short(times) ? " ▼" : "");
	else
		snprintf(text, BENCH_ENTRY_BYTES, cell == best ? "_%s_" : "%s", ops);
	if (cell->median.errors > 0)
		strcat(text, " **broken**");
}

static void write_throughput(char *text, const struct bench_panel *panel, const struct bench_cell *cell, size_t thread)
{
	struct bench_range range = bench_field_range(cell->rounds, panel->run->settings->rounds,
						     offsetof(struct bench_sample, ops_per_s));

	(void)thread;
	bench_markdown_range(text, &range, bench_table_count);
	if (cell->median.errors > 0)
		strcat(text, " **broken**");
}

static void write_ratio(char *text, const struct bench_panel *panel, const struct bench_cell *cell, size_t thread)
{
	struct bench_range range;

	if (!cell->ours || panel->best[thread] == NULL)
		return;
	range = bench_cell_ratios(panel->run, cell, panel->best[thread]);
	bench_markdown_range(text, &range, bench_table_ratio);
}

static void write_over_bound(char *text, const struct bench_panel *panel, const struct bench_cell *cell, size_t thread)
{
	const struct bench_cell *bound = bench_cell_bound(panel->run, cell);
	struct bench_range range;

	(void)thread;
	if (bound == NULL)
		return;
	range = bench_cell_ratios(panel->run, cell, bound);
	bench_markdown_range(text, &range, bench_table_ratio);
}

static void write_waits(char *text, const struct bench_panel *panel, const struct bench_cell *cell, size_t thread)
{
	char rare[BENCH_TEXT_BYTES], longest[BENCH_TEXT_BYTES];

	(void)panel;
	(void)thread;
	bench_table_time(rare, cell->median.wait_p999_ns);
	bench_table_time(longest, cell->median.wait_max_ns);
	snprintf(text, BENCH_ENTRY_BYTES, "%s / %s", rare, longest);
}

static void write_jain(char *text, const struct bench_panel *panel, const struct bench_cell *cell, size_t thread)
{
	(void)panel;
	(void)thread;
	snprintf(text, BENCH_ENTRY_BYTES, "%.3f", cell->median.jain);
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
		snprintf(text, BENCH_ENTRY_BYTES, "%+.2f / %+.2f / %.2f", effects.resource, effects.time, effects.impact);
}

/* ---- tables */

static const struct {
	const char *title;
	void (*write)(char *text, const struct bench_panel *panel, const struct bench_cell *cell, size_t thread);
} tables[] = {
	{ NULL, write_short }, /* explained where the figures begin */
	{ "Throughput, operations per second: median (least – most of the rounds)", write_throughput },
	{ "Ours ÷ best peer, round by round: median (least – most)", write_ratio },
	{ "÷ bound of strict order where waiters sleep (token_ring), round by round: median (least – most)",
	  write_over_bound },
	{ "Waits: 99.9th percentile / longest", write_waits },
	{ "Fairness: Jain's index, 1 = all threads got the same", write_jain },
	{ "CPU time per operation", write_cpu },
	{ "Against plain: δη_r / δη_t / ω", write_effects },
};

static void fill_matrix(const struct bench_matrix *matrix, const struct bench_panel *panel, size_t table)
{
	strcpy(bench_matrix_at(matrix, 0, 0), "threads");
	for (size_t thread = 0; thread < panel->thread_count; thread++)
		snprintf(bench_matrix_at(matrix, 0, thread + 1), BENCH_ENTRY_BYTES, "%u", bench_panel_threads(panel, thread));
	for (size_t lock = 0; lock < panel->lock_count; lock++) {
		const struct bench_cell *any = bench_panel_lock(panel, lock);

		snprintf(bench_matrix_at(matrix, lock + 1, 0), BENCH_ENTRY_BYTES,
			 any->ours ? "**%s**" : any->bound ? "%s (bound)" : "%s", any->name);
		for (size_t thread = 0; thread < panel->thread_count; thread++) {
			const struct bench_cell *cell = bench_panel_cell(panel, lock, thread);

			if (cell != NULL)
				tables[table].write(bench_matrix_at(matrix, lock + 1, thread + 1), panel, cell, thread);
		}
	}
}

static int print_table(const struct bench_panel *panel, size_t table, FILE *out)
{
	struct bench_matrix matrix;

	if (bench_matrix_make(&matrix, panel->lock_count + 1, panel->thread_count + 1) != 0)
		return -1;
	fill_matrix(&matrix, panel, table);
	if (bench_matrix_has_rows(&matrix)) {
		if (tables[table].title != NULL)
			fprintf(out, "\n%s\n", tables[table].title);
		bench_matrix_print(&matrix, out);
	}
	bench_matrix_free(&matrix);
	return 0;
}

/* The first as it is, the others folded. */
static int print_tables(const struct bench_panel *panel, FILE *out)
{
	int result = print_table(panel, 0, out);

	fputs("\n<details><summary>Rounds, waits, fairness, CPU time</summary>\n", out);
	for (size_t table = 1; table < sizeof(tables) / sizeof(tables[0]) && result == 0; table++)
		result = print_table(panel, table, out);
	fputs("\n</details>\n", out);
	return result;
}

/* ---- the document */

static void print_facts(const char *title, const struct bench_fact *facts, size_t count, FILE *out)
{
	fprintf(out, "\n## %s\n\n| | |\n|:--|:--|\n", title);
	for (size_t i = 0; i < count; i++) {
		fprintf(out, "| %s | ", facts[i].label);
		bench_markdown_text(out, facts[i].text);
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
			bench_markdown_text(out, run->refusal.text[0] != '\0' ? run->refusal.text :
										  "the machine refuses it");
			fputc('\n', out);
		}
}

static void print_commands(const struct bench_run *run, FILE *out)
{
	if (json_array_size(run->origins) == 0)
		return;
	fputs("\n<details><summary>Commands</summary>\n\n", out);
	for (size_t i = 0; i < json_array_size(run->origins); i++) {
		fputs("    ", out); /* indented, it is code, whatever it holds */
		for (const char *text = bench_origin_text(run, i, "command"); *text != '\0'; text++)
			fputc((unsigned char)*text < ' ' ? ' ' : *text, out);
		fprintf(out, "   # %s\n", bench_origin_text(run, i, "date"));
	}
	fputs("\n</details>\n", out);
}

static void print_panel_title(const struct bench_cell *cell, const struct bench_cell *before, size_t number, FILE *out)
{
	char situation[BENCH_SITUATION_BYTES];

	if (before == NULL || before->kind != cell->kind || before->scenario != cell->scenario)
		fprintf(out, "\n## %ss, %s: %s\n", bench_kind_names[cell->kind], bench_scenario_names[cell->scenario],
			bench_scenario_words[cell->scenario]);
	bench_situation(situation, cell);
	fprintf(out, "\n<a id=\"panel%zu\"></a>\n\n### %ss, %s\n", number, bench_kind_names[cell->kind], situation);
}

static void print_contents(const struct bench_run *run, FILE *out)
{
	const struct bench_cell *before = NULL;
	char load[BENCH_TEXT_BYTES];

	fputs("\n## Figures\n\nOperations per second, medians. Ours in bold, and in brackets ÷ the best peer, which is in "
	      "italics: the median of the rounds’ ratios, with ▼ where it is less than 1. – where there is nothing to "
	      "tell.\n", out);
	for (size_t i = bench_panel_next(run, 0); i < run->count; i = bench_panel_next(run, i + 1)) {
		const struct bench_cell *cell = &run->cells[i];

		if (before == NULL || before->kind != cell->kind || before->scenario != cell->scenario)
			fprintf(out, "\n- %ss, %s:", bench_kind_names[cell->kind], bench_scenario_names[cell->scenario]);
		bench_table_duration(load, cell->kind == BENCH_LOCK ? cell->load.cs_ns : cell->load.think_ns);
		fprintf(out, " [%s](#panel%zu)", load, i);
		before = cell;
	}
	fputc('\n', out);
}

static int print_panels(const struct bench_run *run, FILE *out)
{
	const struct bench_cell *before = NULL;
	struct bench_panel panel;
	int result = 0;

	for (size_t i = bench_panel_next(run, 0); i < run->count && result == 0; i = bench_panel_next(run, i + 1)) {
		if (bench_panel_make(&panel, run, i) != 0)
			return -1;
		print_panel_title(&run->cells[i], before, i, out);
		result = print_tables(&panel, out);
		before = &run->cells[i];
		bench_panel_free(&panel);
	}
	return result;
}

static void copy_notes(FILE *notes, FILE *out)
{
	int letter;

	fputc('\n', out);
	while ((letter = getc(notes)) != EOF)
		putc(letter, out);
}

int bench_report_markdown(const struct bench_run *run, const json_t *machine, FILE *notes, FILE *out)
{
	struct bench_fact facts[BENCH_FACTS_MAX];

	fputs("# Results of guestsync bench\n\nWritten by the benchmark itself.\n", out);
	print_alarms(run, out);
	print_facts("Machine", facts, bench_machine_facts(run, machine, facts), out);
	print_facts("Measurement", facts, bench_settings_facts(run, facts), out);
	print_commands(run, out);
	if (bench_markdown_summary(run, out) != 0)
		return -1;
	if (notes != NULL)
		copy_notes(notes, out);
	print_contents(run, out);
	return print_panels(run, out);
}
