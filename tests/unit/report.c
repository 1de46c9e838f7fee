/* SPDX-License-Identifier: MIT */
/*
 * Reports that are kept tell all that was measured, good and bad, in forms that
 * others can read; what was written as JSON can be read back, and nothing else can.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/output_dir.h"
#include "bench/panel.h"
#include "bench/report.h"
#include "bench/svg.h"
#include "cli/reading.h"

/* ---- a run that nobody measured: two scenarios, two loads, 8, 1 and 2 threads, three locks */

#define ROUNDS 2
#define CELLS 36

static struct bench_cell cells[CELLS];
static struct bench_moment moments[CELLS * ROUNDS];
static const struct bench_lock *locks[] = { &bench_gsync_mutex, &bench_pthread_spin, &bench_pthread_mutex };
static unsigned threads[] = { 8, 1, 2 };
static struct bench_load loads[] = { { .cs_ns = 100, .think_ns = 100 }, { .cs_ns = 1000, .think_ns = 1000 } };
static const struct bench_settings settings = {
	.kinds = { [BENCH_LOCK] = true },
	.scenarios = { [BENCH_PLAIN] = true, [BENCH_HOGS] = true, [BENCH_STEAL] = true },
	.locks = locks,
	.lock_count = 3,
	.threads = threads,
	.thread_count = 3,
	.loads = loads,
	.load_count = 2,
	.seconds = 0.2,
	.every_ms = 100,
	.rounds = ROUNDS,
};

static void fill_cell(struct bench_cell *cell, size_t index)
{
	const struct bench_lock *lock = locks[index % 3];

	*cell = (struct bench_cell){
		.kind = BENCH_LOCK,
		.scenario = index < CELLS / 2 ? BENCH_PLAIN : BENCH_STEAL,
		.lock = lock,
		.name = lock->name,
		.ours = lock->ours,
		.threads = threads[index / 6 % 3],
		.load = loads[index / 3 % 2],
	};
	for (unsigned round = 0; round < ROUNDS; round++) {
		double factor = (double)(1 + index * ROUNDS + round);

		cell->rounds[round] = (struct bench_sample){
			.ops_per_s = 1000 * factor, .cpu_ns_per_op = 7 * factor, .jain = 0.5, .wait_p50_ns = 10 * factor,
			.wait_p99_ns = 100 * factor, .wait_p999_ns = 200 * factor, .wait_max_ns = 3000 * factor,
			.stolen_share = index < CELLS / 2 ? 0 : 0.25,
		};
		moments[index * ROUNDS + round] = (struct bench_moment){ .t_ms = 100, .ops_per_s = factor, .spin_ns = 5 };
		cell->timelines[round] = (struct bench_timeline){ &moments[index * ROUNDS + round], 1, 1 };
	}
	bench_sample_median(&cell->median, cell->rounds, ROUNDS);
}

static struct bench_run make_run(void)
{
	struct bench_run run = { .settings = &settings, .cpus = { .count = 2 }, .usable_cpus = 1.5, .cells = cells, .count = CELLS };

	for (size_t i = 0; i < CELLS; i++)
		fill_cell(&cells[i], i);
	run.skipped[BENCH_HOGS] = true;
	bench_fail(&run.refusal, "<not> \"here\" & now");
	run.absent[0] = "nsync_mu";
	return run;
}

static json_t *make_machine(void)
{
	return json_pack("{s:{s:s}, s:{s:i}}", "hypervisor", "name", "k<v>m|", "cpus", "online", 2);
}

/* ---- SVG */

/* Not inlined: gcc would take what the stream makes TEXT point to for TEXT itself, which ends with this function. */
static __attribute__((noinline)) char *text_of(void (*write)(FILE *out, const void *what), const void *what)
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	write(out, what);
	fclose(out);
	return text;
}

static void write_text(FILE *out, const void *text)
{
	bench_svg_text(out, text);
}

static void text_cannot_become_markup(void **state)
{
	char *text = text_of(write_text, "<b a=\"x\">&amp;\001</b>");

	(void)state;
	assert_string_equal(text, "&lt;b a=&quot;x&quot;&gt;&amp;amp;&lt;/b&gt;");
	free(text);
}

static struct bench_svg_axis settled(double least, double most)
{
	struct bench_svg_axis axis = { .label = "" };

	bench_svg_include(&axis, most);
	bench_svg_include(&axis, least);
	bench_svg_include(&axis, 0);
	bench_svg_settle(&axis);
	return axis;
}

static void an_axis_is_logarithmic_where_values_span_decades(void **state)
{
	struct bench_svg_axis axis = settled(153, 46.2e6);

	(void)state;
	assert_true(axis.log);
	assert_true(fabs(axis.low - 100) < 1e-6 && fabs(axis.high - 50e6) < 1);
	axis = settled(3, 8.5);
	assert_false(axis.log);
	assert_true(axis.low == 0 && fabs(axis.high - 10) < 1e-6);
	axis = settled(0, 0);
	assert_false(axis.log);
	assert_true(axis.high > axis.low);
}

static void write_spans(FILE *out, const void *spans)
{
	struct bench_svg svg = { .out = out };
	const struct bench_svg_chart chart = {
		.title = "", .description = "", .x = { .label = "", .unit = BENCH_SVG_TIME, .high = 100 },
		.y = { .label = "", .high = 1 }, .spans = spans, .span_count = 4,
	};

	bench_svg_lines(&svg, &chart);
}

static void every_other_span_is_shaded_and_names_keep_apart(void **state)
{
	const struct bench_svg_span spans[] = { { 0, 50, "1" }, { 50, 51, "<2" }, { 51, 52, "gone" }, { 52, 100, "4" } };
	char *text = text_of(write_spans, spans);

	(void)state;
	assert_non_null(strstr(text, "<path class=\"stripe\" d=\"M60.0 24H219.0V260H60.0z\"/>"));
	assert_null(strstr(text, "M219.0 24H"));
	assert_non_null(strstr(text, "class=\"stripe\" d=\"M222.2 24H225.4V"));
	assert_non_null(strstr(text, " text-anchor=\"middle\">1</text>"));
	assert_non_null(strstr(text, " text-anchor=\"middle\">&lt;2</text>"));
	assert_null(strstr(text, "gone"));
	assert_non_null(strstr(text, " text-anchor=\"middle\">4</text>"));
	free(text);
}

/* ---- panels */

static void a_panel_has_every_cell_in_its_place(void **state)
{
	struct bench_run run = make_run();
	struct bench_panel panel;
	static const unsigned ascending[] = { 1, 2, 8 };
	size_t panels = 0, found = 0;

	(void)state;
	for (size_t i = bench_panel_next(&run, 0); i < run.count; i = bench_panel_next(&run, i + 1)) {
		assert_int_equal(bench_panel_make(&panel, &run, i), 0);
		assert_int_equal(panel.lock_count, 3);
		assert_int_equal(panel.thread_count, 3);
		for (size_t t = 0; t < 3; t++) {
			assert_int_equal(bench_panel_threads(&panel, t), ascending[t]);
			/* Later locks are faster in this run. */
			assert_ptr_equal(panel.best[t], bench_panel_cell(&panel, 2, t));
			for (size_t lock = 0; lock < 3; lock++) {
				const struct bench_cell *cell = bench_panel_cell(&panel, lock, t);

				assert_true(bench_same_panel(cell, &run.cells[i]));
				assert_int_equal(cell->threads, bench_panel_threads(&panel, t));
				assert_ptr_equal(cell->name, locks[lock]->name);
				found++;
			}
		}
		bench_panel_free(&panel);
		panels++;
	}
	assert_int_equal(panels, 4);
	assert_int_equal(found, CELLS);
}

static void a_cell_that_is_missing_leaves_a_gap(void **state)
{
	struct bench_run run = make_run();
	struct bench_panel panel;

	(void)state;
	run.count = 2; /* of the group of three */
	assert_int_equal(bench_panel_make(&panel, &run, 0), 0);
	assert_int_equal(panel.lock_count, 2);
	bench_panel_free(&panel);
	run = make_run();
	run.cells[CELLS - 1].name = "other"; /* in the last group only */
	assert_int_equal(bench_panel_make(&panel, &run, CELLS / 2 + 3), 0);
	assert_int_equal(panel.lock_count, 4);
	assert_null(bench_panel_cell(&panel, 3, 0));
	assert_string_equal(bench_panel_lock(&panel, 3)->name, "other");
	bench_panel_free(&panel);
}

/* ---- documents */

static void write_page(FILE *out, const void *run)
{
	json_t *machine = make_machine();

	assert_int_equal(bench_report_html(run, machine, out), 0);
	json_decref(machine);
}

static void write_markdown(FILE *out, const void *run)
{
	json_t *machine = make_machine();

	assert_int_equal(bench_report_markdown(run, machine, NULL, out), 0);
	json_decref(machine);
}

static size_t count_of(const char *text, const char *what)
{
	size_t count = 0;

	for (; (text = strstr(text, what)) != NULL; text += strlen(what))
		count++;
	return count;
}

static void the_page_shows_all_cells_and_hides_no_trouble(void **state)
{
	struct bench_run run = make_run();
	char *text;

	(void)state;
	run.cells[4].median.errors = 3;
	text = text_of(write_page, &run);
	assert_non_null(strstr(text, "pthread_spin: 3 errors with 8 threads, plain, critical section 1 µs"));
	assert_int_equal(count_of(text, "class=\"bad\">3</td>"), 1);
	assert_int_equal(count_of(text, "class=\"bad\" x="), 1);
	assert_non_null(strstr(text, "&lt;not&gt; &quot;here&quot; &amp; now"));
	assert_non_null(strstr(text, "k&lt;v&gt;m|"));
	assert_non_null(strstr(text, "nsync_mu"));
	/* Per panel three charts over threads, and for each number of threads one over time and one of waits. */
	assert_int_equal(count_of(text, "<figure"), 4 * (3 + 3 + 3));
	assert_int_equal(count_of(text, "class=\"chart\""), 4 * (3 + 3 + 3));
	/* In a row of each figure over threads, in one of waits, in one of a moment. */
	for (size_t i = 0; i < 3; i++) {
		char row[64];

		snprintf(row, sizeof(row), "<th scope=\"row\">%s</th>", locks[i]->name);
		assert_int_equal(count_of(text, row), 4 * (3 + 3 + 3));
	}
	assert_int_equal(count_of(text, "<td>1.50 K<small>1.00 K – 2.00 K</small></td>"), 2);
	assert_int_equal(count_of(text, "25 % of the CPU time stolen"), 2 * 3);
	assert_null(strstr(text, "http"));
	assert_null(strstr(text, "<script"));
	free(text);
}

static void without_trouble_there_is_no_alarm(void **state)
{
	struct bench_run run = make_run();
	char *text;

	(void)state;
	run.skipped[BENCH_HOGS] = false;
	text = text_of(write_page, &run);
	assert_null(strstr(text, "class=\"alarm\""));
	assert_null(strstr(text, "class=\"bad\""));
	free(text);
	text = text_of(write_markdown, &run);
	assert_null(strstr(text, "BROKEN"));
	assert_null(strstr(text, "skipped"));
	free(text);
}

static void the_document_has_a_table_of_everything(void **state)
{
	struct bench_run run = make_run();
	char *text;

	(void)state;
	run.cells[4].median.errors = 3;
	text = text_of(write_markdown, &run);
	assert_non_null(strstr(text, "**BROKEN EXCLUSION: pthread_spin: 3 errors"));
	assert_non_null(strstr(text, "**Scenario hogs was skipped:** \\<not\\> \"here\" & now"));
	assert_non_null(strstr(text, "| Hypervisor | k\\<v\\>m\\| |"));
	assert_int_equal(count_of(text, "\n### locks, "), 4);
	assert_int_equal(count_of(text, "\n| threads "), 4 * 6 + 2); /* in steal the effects, too */
	assert_int_equal(count_of(text, "\n| **gsync_mutex** |"), 4 * 6 + 2 + 1);
	assert_int_equal(count_of(text, "\n| pthread_spin "), 4 * 5 + 2); /* no ratio of a peer */
	for (size_t i = 0; i < 4; i++) {
		static const char *const panels[] = { "plain: [100 ns](#panel0)", " [1 µs](#panel3)\n",
						      "steal: [100 ns](#panel18)", " [1 µs](#panel21)\n" };
		char anchor[40];

		snprintf(anchor, sizeof(anchor), "<a id=\"panel%zu\"></a>", i / 2 * 18 + i % 2 * 3);
		assert_int_equal(count_of(text, panels[i]), 1);
		assert_int_equal(count_of(text, anchor), 1);
	}
	assert_non_null(strstr(text, " 1.50 K (1.00 K – 2.00 K) |\n"));
	/* 1 and 2 of gsync_mutex against 5 and 6 of pthread_mutex */
	assert_non_null(strstr(text, " 0.267 (0.200 – 0.333) |\n"));
	free(text);
}

static void assert_in_order(const char *text, const char *first, const char *second)
{
	const char *before = strstr(text, first);

	assert_non_null(before);
	assert_non_null(strstr(before, second));
}

/* Later locks are faster in this run, and the lead shrinks: the first cell is the worst. */
static void the_document_says_first_where_ours_fall_short(void **state)
{
	struct bench_run run = make_run();
	char *text = text_of(write_markdown, &run);

	(void)state;
	assert_non_null(strstr(text, "| **gsync_mutex** | 0 of 6; least 0.267 (8 × 100 ns) | 0 of 6; least 0.904 (8 × 100 ns) |\n"));
	assert_in_order(text, "\n**gsync_mutex: 12 of 12 cells**\n",
			"\n| plain    |       8 |      100 ns / 100 ns |      0.267 (0.200 – 0.333) | pthread_mutex |");
	assert_in_order(text, "\n| plain    |       8 |      100 ns / 100 ns |", "\n| steal    |       2 |          1 µs / 1 µs |");
	assert_in_order(text, "\n| steal    |       2 |          1 µs / 1 µs |", "\n## Figures\n");
	assert_int_equal(count_of(text, " 1.50 K (0.267 ▼) |"), 1);
	assert_int_equal(count_of(text, " _5.50 K_ |"), 1);
	free(text);

	for (size_t i = 1; i < CELLS; i += 3)
		run.cells[i].ours = true;
	text = text_of(write_markdown, &run);
	assert_int_equal(count_of(text, "\n**gsync_mutex: 12 of 12 cells**\n"), 1);
	assert_int_equal(count_of(text, "\n**pthread_spin: 12 of 12 cells**\n"), 1);
	free(text);
	run = make_run();

	/* Ours the best but in one cell, and in another one for a round. */
	for (size_t i = 3; i < CELLS; i += 3)
		for (unsigned round = 0; round < ROUNDS; round++)
			run.cells[i].rounds[round].ops_per_s *= i == 6 && round == 0 ? 1 : 20;
	text = text_of(write_markdown, &run);
	assert_non_null(strstr(text, "| **gsync_mutex** | 5 of 6; least 0.267 (8 × 100 ns) | 6 of 6; least "));
	assert_non_null(strstr(text, "\n**gsync_mutex: 1 of 12 cells**\n"));
	assert_int_equal(count_of(text, "▼) |"), 1);
	free(text);

	for (unsigned round = 0; round < ROUNDS; round++)
		run.cells[0].rounds[round].ops_per_s = run.cells[2].rounds[round].ops_per_s;
	text = text_of(write_markdown, &run);
	assert_non_null(strstr(text, "\nNowhere: "));
	assert_int_equal(count_of(text, "▼) |"), 0);
	free(text);
}

static void every_scenario_is_explained(void **state)
{
	(void)state;
	for (int i = 0; i < BENCH_SCENARIOS; i++)
		assert_non_null(bench_scenario_words[i]);
}

/* ---- reading */

static char directory[] = "/tmp/guestsync-test-XXXXXX";
static char paths[2][64];

static int make_directory(void **state)
{
	(void)state;
	if (mkdtemp(directory) == NULL)
		return -1;
	for (int i = 0; i < 2; i++)
		snprintf(paths[i], sizeof(paths[i]), "%s/%d.json", directory, i);
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++)
		unlink(paths[i]);
	return rmdir(directory);
}

static void write_file(const char *path, const json_t *report)
{
	assert_int_equal(json_dump_file(report, path, JSON_REAL_PRECISION(12)), 0);
}

/* Only the cells from FIRST on, COUNT of them. */
static json_t *part_of_report(size_t first, size_t count)
{
	struct bench_run run = make_run();
	json_t *report;

	run.cells += first;
	run.count = count;
	report = bench_report_json(&run, make_machine());
	assert_non_null(report);
	return report;
}

static void what_was_written_is_read_back(void **state)
{
	json_t *written = part_of_report(0, CELLS), *again;
	struct cli_reading reading;
	struct bench_error error;

	(void)state;
	write_file(paths[0], written);
	if (cli_reading_open(&reading, paths[0], &error) != 0)
		fail_msg("%s", error.text);
	assert_int_equal(reading.run.count, CELLS);
	assert_true(reading.run.skipped[BENCH_HOGS]);
	assert_string_equal(reading.run.refusal.text, "<not> \"here\" & now");
	assert_int_equal(reading.run.cells[0].threads, 1); /* sorted */
	assert_true(reading.run.cells[0].ours);
	assert_false(reading.run.cells[1].ours);
	/* Sorted like ours, the report says the same, effects and medians included. */
	again = bench_report_json(&reading.run, json_incref(reading.machine));
	assert_true(json_equal(json_object_get(again, "settings"), json_object_get(written, "settings")));
	assert_int_equal(json_array_size(json_object_get(again, "cells")), CELLS);
	for (size_t i = 0; i < CELLS; i++) {
		const json_t *cell = json_array_get(json_object_get(written, "cells"), i), *twin = NULL;

		for (size_t k = 0; k < CELLS && !json_equal(cell, twin); k++)
			twin = json_array_get(json_object_get(again, "cells"), k);
		assert_true(json_equal(cell, twin));
	}
	json_decref(again);
	json_decref(written);
	cli_reading_close(&reading);
}

/* One group: ours, its bound, two peers. */
static json_t *report_with_a_bound(void)
{
	static struct bench_cell more[4];
	struct bench_run run = make_run();
	json_t *report;

	memcpy(more, cells, 3 * sizeof(cells[0]));
	more[3] = more[2];
	more[2] = more[1];
	more[1] = more[0];
	more[1].name = bench_token_ring.name;
	more[1].ours = false;
	more[1].bound = true;
	more[1].rounds[0].ops_per_s = more[1].rounds[1].ops_per_s = 1e6;
	bench_sample_median(&more[1].median, more[1].rounds, ROUNDS);
	run.cells = more;
	run.count = 4;
	report = bench_report_json(&run, make_machine());
	assert_non_null(report);
	return report;
}

static void a_bound_is_read_back_and_is_no_peer(void **state)
{
	json_t *written = report_with_a_bound(), *again;
	struct cli_reading reading;
	struct bench_error error;
	char *text;

	(void)state;
	write_file(paths[0], written);
	if (cli_reading_open(&reading, paths[0], &error) != 0)
		fail_msg("%s", error.text);
	again = bench_report_json(&reading.run, json_incref(reading.machine));
	assert_true(json_equal(json_object_get(again, "cells"), json_object_get(written, "cells")));
	json_decref(again);
	json_decref(written);
	assert_ptr_equal(bench_group_best_peer(&reading.run, 0, 4), &reading.run.cells[3]);
	assert_ptr_equal(bench_cell_bound(&reading.run, &reading.run.cells[0]), &reading.run.cells[1]);

	text = text_of(write_page, &reading.run);
	assert_non_null(strstr(text, "token_ring (bound)</th>"));
	assert_non_null(strstr(text, "token_ring: no lock, but the bound"));
	assert_non_null(strstr(text, "gsync_mutex ÷ token_ring: 0.002"));
	assert_non_null(strstr(text, "<g class=\"any\"><path stroke-dasharray=\"1 3\""));
	free(text);
	text = text_of(write_markdown, &reading.run);
	assert_int_equal(count_of(text, "| token_ring (bound) |"), 5); /* not where ours are compared */
	assert_non_null(strstr(text, "\n÷ bound of strict order"));
	free(text);
	cli_reading_close(&reading);
}

static void what_one_file_skipped_another_may_have(void **state)
{
	json_t *report = part_of_report(0, CELLS);
	struct cli_reading reading;
	struct bench_error error;

	(void)state;
	json_array_append_new(json_object_get(json_object_get(report, "settings"), "scenarios_skipped"), json_string("steal"));
	write_file(paths[0], report);
	json_decref(report);
	assert_int_equal(cli_reading_open(&reading, paths[0], &error), 0);
	assert_false(reading.run.skipped[BENCH_STEAL]);
	assert_true(reading.run.skipped[BENCH_HOGS]);
	cli_reading_close(&reading);
}

static void several_files_become_one_run(void **state)
{
	json_t *parts[2] = { part_of_report(0, 20), part_of_report(20, CELLS - 20) };
	char both[140];
	struct cli_reading reading;
	struct bench_error error;
	size_t groups = 0;

	(void)state;
	for (int i = 0; i < 2; i++) {
		write_file(paths[i], parts[i]);
		json_decref(parts[i]);
	}
	snprintf(both, sizeof(both), "%s,%s", paths[1], paths[0]);
	if (cli_reading_open(&reading, both, &error) != 0)
		fail_msg("%s", error.text);
	assert_int_equal(reading.run.count, CELLS);
	for (size_t i = 0; i < CELLS; i = bench_group_end(&reading.run, i))
		groups++;
	assert_int_equal(groups, CELLS / 3);
	assert_true(reading.run.skipped[BENCH_HOGS]);
	cli_reading_close(&reading);
	snprintf(both, sizeof(both), "%s,%s", paths[1], paths[1]);
	assert_int_equal(cli_reading_open(&reading, both, &error), -1);
	assert_non_null(strstr(error.text, "the same cell twice"));
}

/* Follows a path like "cells/0/rounds", and replaces what is there; NULL deletes it. */
static void change(json_t *report, const char *where, json_t *value)
{
	char copy[100], *rest = copy, *step = NULL, *next;

	snprintf(copy, sizeof(copy), "%s", where);
	for (step = strsep(&rest, "/"); (next = strsep(&rest, "/")) != NULL; step = next)
		report = json_is_array(report) ? json_array_get(report, (size_t)atoi(step)) : json_object_get(report, step);
	assert_non_null(report);
	if (json_is_array(report) && value == NULL)
		assert_int_equal(json_array_remove(report, (size_t)atoi(step)), 0);
	else if (json_is_array(report))
		assert_int_equal(json_array_set_new(report, (size_t)atoi(step), value), 0);
	else if (value == NULL)
		assert_int_equal(json_object_del(report, step), 0);
	else
		assert_int_equal(json_object_set_new(report, step, value), 0);
}

struct wrong {
	const char *where;
	json_t *value;
	const char *reason;
};

/* Makes it wrong, writes it to paths[FILE], and reads PATHS_READ. */
static void assert_refused(const struct wrong *wrong, json_t *report, int file, const char *paths_read)
{
	struct cli_reading reading;
	struct bench_error error;

	change(report, wrong->where, wrong->value);
	write_file(paths[file], report);
	json_decref(report);
	if (cli_reading_open(&reading, paths_read, &error) == 0)
		fail_msg("%s was not refused for %s", wrong->where, wrong->reason);
	if (strstr(error.text, wrong->reason) == NULL || strstr(error.text, paths[file]) == NULL)
		fail_msg("%s was not refused for %s but: %s", wrong->where, wrong->reason, error.text);
}

static void a_file_that_is_none_of_ours_is_refused_by_name(void **state)
{
	const struct wrong wrong[] = {
		{ "machine", NULL, "machine" },
		{ "machine/hypervisor", json_integer(3), "machine" },
		{ "settings/rounds", json_integer(0), "rounds must not be 0" },
		{ "settings/rounds", json_integer(3), "number of rounds must not be 2" },
		{ "settings/rounds", json_string("2"), "Expected integer" },
		{ "settings/pin", json_string("nonsense"), "pin" },
		{ "settings/usable_cpus", json_real(2.5), "usable_cpus must not be 2.5" },
		{ "settings/ramp", json_true(), "--ramp" },
		{ "settings/seconds", json_real(-1), "seconds" },
		{ "settings/locks/0", json_string("<b>"), "no name of a lock" },
		{ "settings/scenarios_skipped/0", json_string("nonsense"), "scenarios_skipped" },
		{ "settings/not_compiled_in/0", json_integer(1), "not_compiled_in" },
		{ "settings/measured", json_pack("[{}]"), "measured" },
		{ "cells", json_array(), "no cells" },
		{ "cells/0", json_integer(1), "a cell" },
		{ "cells/0/lock", json_string("nonsense"), "nonsense" },
		{ "cells/0/kind", json_string("nonsense"), "nonsense" },
		{ "cells/0/scenario", json_string("nonsense"), "nonsense" },
		{ "cells/0/bound", json_true(), "unknown bound: gsync_mutex" },
		{ "cells/0/bound", json_integer(1), "a cell" },
		{ "cells/0/threads", json_integer(0), "threads must not be 0" },
		{ "cells/0/threads", json_integer(5000), "threads must not be 5000" },
		{ "cells/0/cs_ns", json_integer(-1), "cs_ns" },
		{ "cells/0/rounds", json_integer(1), "rounds" },
		{ "cells/0/rounds/0", json_integer(1), "a round" },
		{ "cells/0/rounds/0/jain", NULL, "jain" },
		{ "cells/0/rounds/0/ops_per_s", json_real(-1), "ops_per_s must not be -1" },
		{ "cells/0/rounds/0/timeline/0", json_integer(1), "timeline" },
		{ "cells/0/rounds/0/timeline/0/t_ms", json_real(-1), "t_ms" },
	};
	/* A bound that is alone, or beside what it does not bound. */
	const struct wrong lonely[] = {
		{ "cells/0", NULL, "follows no lock" },
		{ "cells/1/threads", json_integer(2), "follows no lock" },
		{ "cells/1/cs_ns", json_integer(7), "follows no lock" },
		{ "cells/1/bound", NULL, "unknown lock: token_ring" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_refused(&wrong[i], part_of_report(0, CELLS), 0, paths[0]);
	for (size_t i = 0; i < sizeof(lonely) / sizeof(lonely[0]); i++)
		assert_refused(&lonely[i], report_with_a_bound(), 0, paths[0]);
}

static void files_that_do_not_belong_together_are_refused(void **state)
{
	const struct wrong wrong[] = {
		{ "machine/hypervisor/name", json_string("xen"), "another machine: xen" },
		{ "machine/cpus/online", json_integer(3), "another machine: k<v>m| with 3 CPUs" },
		{ "settings/rounds", json_integer(1), "differ in rounds" },
		{ "settings/seconds", json_real(0.3), "differ in seconds" },
		{ "settings/cpus", json_integer(1), "differ in cpus" },
		{ "settings/pin", json_string("never"), "differ in pin" },
	};
	json_t *first = part_of_report(0, 18);
	char both[140];

	(void)state;
	write_file(paths[0], first);
	json_decref(first);
	snprintf(both, sizeof(both), "%s,%s", paths[0], paths[1]);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_refused(&wrong[i], part_of_report(18, 18), 1, both);
}

/* ---- the directory */

static bool is_there(const char *directory_path, const char *name)
{
	char path[100];

	snprintf(path, sizeof(path), "%s/%s", directory_path, name);
	return access(path, F_OK) == 0;
}

static void a_directory_is_filled_whole_or_not_at_all(void **state)
{
	struct bench_output_dir dir;
	struct bench_error error;
	char path[64], file[100];

	(void)state;
	snprintf(path, sizeof(path), "%s/report", directory);
	assert_int_equal(bench_output_dir_open(&dir, path, &error), 0);
	assert_true(is_there(directory, "report"));
	bench_output_dir_discard(&dir);
	assert_false(is_there(directory, "report"));

	assert_int_equal(bench_output_dir_open(&dir, path, &error), 0);
	assert_false(is_there(path, "index.html"));
	assert_int_equal(bench_output_dir_commit(&dir, &error), 0);
	bench_output_dir_discard(&dir);
	assert_true(is_there(path, "index.html") && is_there(path, "results.json") && is_there(path, "results.csv"));

	/* A file that cannot be replaced: none is, and the directory, which was there, stays. */
	snprintf(file, sizeof(file), "%s/results.csv", path);
	assert_true(unlink(file) == 0 && mkdir(file, 0777) == 0);
	assert_int_equal(bench_output_dir_open(&dir, path, &error), -1);
	assert_non_null(strstr(error.text, "results.csv"));
	assert_true(is_there(path, "index.html"));
	assert_int_equal(rmdir(file), 0);
	snprintf(file, sizeof(file), "%s/index.html", path);
	unlink(file);
	snprintf(file, sizeof(file), "%s/results.json", path);
	unlink(file);
	assert_int_equal(rmdir(path), 0); /* nothing else was left in it */
	snprintf(file, sizeof(file), "%s/none/report", directory);
	assert_int_equal(bench_output_dir_open(&dir, file, &error), -1);
	assert_non_null(strstr(error.text, "cannot make the directory"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_cannot_become_markup),
		cmocka_unit_test(an_axis_is_logarithmic_where_values_span_decades),
		cmocka_unit_test(every_other_span_is_shaded_and_names_keep_apart),
		cmocka_unit_test(a_panel_has_every_cell_in_its_place),
		cmocka_unit_test(a_cell_that_is_missing_leaves_a_gap),
		cmocka_unit_test(the_page_shows_all_cells_and_hides_no_trouble),
		cmocka_unit_test(without_trouble_there_is_no_alarm),
		cmocka_unit_test(the_document_has_a_table_of_everything),
		cmocka_unit_test(the_document_says_first_where_ours_fall_short),
		cmocka_unit_test(every_scenario_is_explained),
		cmocka_unit_test(what_was_written_is_read_back),
		cmocka_unit_test(a_bound_is_read_back_and_is_no_peer),
		cmocka_unit_test(what_one_file_skipped_another_may_have),
		cmocka_unit_test(several_files_become_one_run),
		cmocka_unit_test(a_file_that_is_none_of_ours_is_refused_by_name),
		cmocka_unit_test(files_that_do_not_belong_together_are_refused),
		cmocka_unit_test(a_directory_is_filled_whole_or_not_at_all),
	};

	return cmocka_run_group_tests_name("report", tests, make_directory, remove_directory);
}
