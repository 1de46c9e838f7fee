/* SPDX-License-Identifier: MIT */
/*
 * guestsync calibrate --oracle: what it is asked for, and what it says. How it
 * measures, and why the figures may be believed, stands in bench/oracle.h.
 *
 * {"machine":…, "settings":…, "cells":[{"kind", "scenario", "lock", "threads",
 * "cs_ns", "think_ns", "pinned", "chosen_ops_per_s", "best_ops_per_s",
 * "best_spin_ns", "chosen_over_best", "spread", "control_over_chosen",
 * "control_spread", "rounds":[{"chosen", "control", "budgets":{"0":…}}]}],
 * "summary":{"cells", "at_least_095", "at_least_085", "least",
 * "control_at_least_095", "control_at_least_085", "control_least"}}
 */
#include <inttypes.h>
#include <stdio.h>

#include "bench/oracle.h"
#include "bench/output.h"
#include "bench/report.h"
#include "bench/table.h"
#include "cli/cli.h"
#include "cli/grid.h"
#include "cli/json.h"
#include "cli/machine.h"
#include "cli/measuring.h"
#include "cli/options.h"
#include "cli/progress.h"

/* Fewer rounds leave nothing to pick the best budget by. */
#define ROUNDS_MIN 2

static const char help[] =
	"Usage: guestsync calibrate --oracle [OPTION...]\n"
	"Does the library choose as well as somebody who tuned by hand? Measures our locks\n"
	"with the thresholds the library chooses, and with spin budgets of 0, 1, 2, 5, 10,\n"
	"20, 50, 100 and 200 us, and compares the former with the best of the latter.\n"
	"Lists are separated by commas; every combination is measured: with the defaults\n"
	"a quarter of an hour. Whatever else runs on the machine blurs the result.\n"
	"\n"
	"  --locks LIST     gsync_spin, or     (default: gsync_mutex,gsync_oticket,gsync_barrier)\n"
	"  --threads LIST   1 to 4096 each                          (default: 2,4,8,32)\n"
	"  --cs LIST        critical section and work between two of them, whole ns; for\n"
	"                   the barrier the latter only       (default: 100,1000,10000)\n"
	"  --scenario LIST  plain, hogs, steal, oc; see bench --help  (default: plain,hogs)\n"
	"  --seconds S      length of a window, 0.01 to 60               (default: 0.06)\n"
	"  --rounds N       2 to 99                                          (default: 9)\n"
	"  --json           for programs\n"
	"  --out FILE       write the report to FILE, whole or not at all\n"
	"  --help           this text\n"
	"\n"
	"Exit status: 0 done, whatever the verdict, 1 failed, 2 wrong usage, 3 done but for\n"
	"a scenario that this machine refuses, 4 exclusion, or a barrier, was seen broken.\n";

/* ---- options */

struct options {
	struct bench_settings settings;
	const char *locks, *threads, *cs, *scenario, *seconds, *rounds;
	const char *out; /* NULL = standard output */
	bool json;
	bool help;
};

static int collect(struct options *options, int argc, char **argv, struct bench_error *error)
{
	const struct cli_option known[] = {
		{ .name = "oracle" }, /* why we are here */
		{ "locks", .text = &options->locks },
		{ "threads", .text = &options->threads },
		{ "cs", .text = &options->cs },
		{ "scenario", .text = &options->scenario },
		{ "seconds", .text = &options->seconds },
		{ "rounds", .text = &options->rounds },
		{ "json", .flag = &options->json },
		{ "out", .text = &options->out },
		{ "help", .flag = &options->help },
		{ .name = NULL },
	};

	return cli_options_read("calibrate", known, argc, argv, error);
}

/* A budget of ours means nothing to others. */
static int choose_locks(struct options *options, struct bench_error *error)
{
	struct bench_settings *settings = &options->settings;
	const char *stranger = NULL;
	int status;

	settings->kinds[BENCH_LOCK] = settings->kinds[BENCH_BARRIER] = true;
	status = cli_grid_locks(settings, options->locks, NULL, error);
	if (status != CLI_OK)
		return status;
	settings->kinds[BENCH_LOCK] = settings->lock_count > 0;
	settings->kinds[BENCH_BARRIER] = settings->barrier_count > 0;
	for (size_t i = 0; i < settings->barrier_count; i++)
		if (!settings->barriers[i]->ours)
			stranger = settings->barriers[i]->name;
	for (size_t i = 0; i < settings->lock_count; i++)
		if (!settings->locks[i]->ours)
			stranger = settings->locks[i]->name;
	if (stranger == NULL)
		return CLI_OK;
	bench_fail(error, "--locks %s: %s has none of our spin budgets", options->locks, stranger);
	return CLI_USAGE;
}

static int resolve(struct options *options, struct bench_error *error)
{
	struct bench_settings *settings = &options->settings;
	int status;

	if (cli_grid_scenarios(settings, options->scenario, error) != 0 ||
	    cli_grid_seconds(settings, options->seconds, error) != 0 ||
	    cli_grid_rounds(settings, options->rounds, ROUNDS_MIN, error) != 0)
		return CLI_USAGE;
	status = choose_locks(options, error);
	if (status == CLI_OK)
		status = cli_grid_threads(settings, options->threads, error);
	if (status == CLI_OK)
		status = cli_grid_loads(settings, options->cs, NULL, error);
	return status;
}

static int parse(struct options *options, int argc, char **argv, struct bench_error *error)
{
	*options = (struct options){
		.locks = "gsync_mutex,gsync_oticket,gsync_barrier",
		.threads = "2,4,8,32",
		.cs = "100,1000,10000",
		.scenario = "plain,hogs",
		.seconds = "0.06",
		.rounds = "9",
	};
	if (collect(options, argc, argv, error) != CLI_OK)
		return CLI_USAGE;
	return options->help ? CLI_OK : resolve(options, error);
}

/* ---- the report for programs; a NULL on the way makes all of it NULL, as in bench/report_json.c */

static json_t *contest_json(const struct bench_contest *contest)
{
	json_t *budgets = json_object();
	int failed = 0;

	for (size_t i = 0; i < BENCH_BUDGETS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%" PRIu32, bench_budgets_ns[i]);
		failed |= json_object_set_new(budgets, name, bench_json_number(contest->ops_per_s[i]));
	}
	return json_pack("{s:o, s:o, s:o}", "chosen", bench_json_number(contest->ops_per_s[BENCH_CHOSEN]), "control",
			 bench_json_number(contest->ops_per_s[BENCH_CONTROL]), "budgets", bench_json_finish(budgets, failed));
}

static json_t *rounds_json(const struct bench_contest *contests, unsigned count)
{
	json_t *rounds = json_array();
	int failed = 0;

	for (unsigned i = 0; i < count; i++)
		failed |= json_array_append_new(rounds, contest_json(&contests[i]));
	return bench_json_finish(rounds, failed);
}

static int add_number(json_t *object, const char *name, double value)
{
	return json_object_set_new(object, name, bench_json_number(value));
}

static json_t *cell_json(const struct bench_cell *cell, const struct bench_oracle_cell *measured, unsigned rounds)
{
	const struct bench_oracle_verdict *verdict = &measured->verdict;
	json_t *object = bench_cell_json(cell);
	int failed = add_number(object, "chosen_ops_per_s", verdict->chosen_ops_per_s) |
		     add_number(object, "best_ops_per_s", verdict->best_ops_per_s) |
		     json_object_set_new(object, "best_spin_ns", json_integer(bench_budgets_ns[verdict->best])) |
		     add_number(object, "chosen_over_best", verdict->chosen_over_best) |
		     add_number(object, "spread", verdict->spread) |
		     add_number(object, "control_over_chosen", verdict->control_over_chosen) |
		     add_number(object, "control_spread", verdict->control_spread) |
		     json_object_set_new(object, "rounds", rounds_json(measured->rounds, rounds));

	return bench_json_finish(object, failed);
}

static json_t *cells_json(const struct bench_oracle *oracle)
{
	json_t *cells = json_array();
	int failed = 0;

	for (size_t i = 0; i < oracle->run.count; i++)
		failed |= json_array_append_new(cells, cell_json(&oracle->run.cells[i], &oracle->cells[i],
								 oracle->run.settings->rounds));
	return bench_json_finish(cells, failed);
}

static json_t *settings_json(const struct bench_oracle *oracle)
{
	json_t *settings = bench_settings_json(&oracle->run), *budgets = json_array();
	int failed = add_number(settings, "settle_seconds", BENCH_ORACLE_SETTLE_S);

	for (size_t i = 0; i < BENCH_BUDGETS; i++)
		failed |= json_array_append_new(budgets, json_integer(bench_budgets_ns[i]));
	failed |= json_object_set_new(settings, "budgets_ns", budgets);
	return bench_json_finish(settings, failed);
}

static json_t *summary_json(const struct bench_oracle *oracle)
{
	struct bench_oracle_tally chosen, control;

	bench_oracle_sum_up(oracle->cells, oracle->run.count, &chosen, &control);
	return json_pack("{s:I, s:I, s:I, s:o, s:I, s:I, s:o}", "cells", (json_int_t)oracle->run.count, "at_least_095",
			 (json_int_t)chosen.at_least_095, "at_least_085", (json_int_t)chosen.at_least_085, "least",
			 bench_json_number(chosen.least_ratio), "control_at_least_095", (json_int_t)control.at_least_095,
			 "control_at_least_085", (json_int_t)control.at_least_085, "control_least",
			 bench_json_number(control.least_ratio));
}

static int write_json(const struct bench_oracle *oracle, const struct gsync_facts *facts,
		      const struct gsync_profile *profile, FILE *out)
{
	json_t *machine = cli_machine_json(facts, gsync_calibration_of_process(), profile);
	json_t *report = json_pack("{s:o, s:o, s:o, s:o}", "machine", machine, "settings", settings_json(oracle), "cells",
				   cells_json(oracle), "summary", summary_json(oracle));

	return cli_json_write(report, out);
}

/* ---- the report for people */

static const char *const headings[] = { "lock", "scenario", "threads", "cs", "think", "chosen/s", "best/s", "its spin",
					"chosen ÷ best", "spread", "control", "spread" };
#define COLUMNS ((int)(sizeof(headings) / sizeof(headings[0])))

static void make_row(bench_table_row row, const struct bench_cell *cell, const struct bench_oracle_verdict *verdict)
{
	snprintf(row[0], BENCH_TEXT_BYTES, "%s", cell->name);
	snprintf(row[1], BENCH_TEXT_BYTES, "%s", bench_scenario_names[cell->scenario]);
	snprintf(row[2], BENCH_TEXT_BYTES, "%u", cell->threads);
	if (cell->kind == BENCH_LOCK)
		bench_table_time(row[3], (double)cell->load.cs_ns);
	else
		snprintf(row[3], BENCH_TEXT_BYTES, "-");
	bench_table_time(row[4], (double)cell->load.think_ns);
	bench_table_count(row[5], verdict->chosen_ops_per_s);
	bench_table_count(row[6], verdict->best_ops_per_s);
	snprintf(row[7], BENCH_TEXT_BYTES, "%" PRIu32 " µs", bench_budgets_ns[verdict->best] / 1000);
	bench_table_ratio(row[8], verdict->chosen_over_best);
	snprintf(row[9], BENCH_TEXT_BYTES, "%.0f %%", 100 * verdict->spread);
	bench_table_ratio(row[10], verdict->control_over_chosen);
	snprintf(row[11], BENCH_TEXT_BYTES, "%.0f %%", 100 * verdict->control_spread);
}

static void print_table(const struct bench_oracle *oracle, FILE *out)
{
	struct bench_table table = { headings, COLUMNS, { 0 } };
	bench_table_row row;

	for (size_t i = 0; i < oracle->run.count; i++) {
		make_row(row, &oracle->run.cells[i], &oracle->cells[i].verdict);
		bench_table_fit(&table, row);
	}
	fputc('\n', out);
	bench_table_head(&table, out);
	for (size_t i = 0; i < oracle->run.count; i++) {
		make_row(row, &oracle->run.cells[i], &oracle->cells[i].verdict);
		bench_table_line(&table, row, out);
	}
}

static void print_tally(const struct bench_oracle *oracle, const struct bench_oracle_tally *tally, const char *what,
			FILE *out)
{
	const struct bench_cell *cell = &oracle->run.cells[tally->least];
	char least[BENCH_TEXT_BYTES], think[BENCH_TEXT_BYTES];

	bench_table_ratio(least, tally->least_ratio);
	bench_table_time(think, (double)cell->load.think_ns);
	fprintf(out, "%s at least 0.95 in %zu of %zu cells, at least 0.85 in %zu;\n"
		     "  the least is %s (%s, %s, %u threads, think time %s).\n",
		what, tally->at_least_095, oracle->run.count, tally->at_least_085, least, cell->name,
		bench_scenario_names[cell->scenario], cell->threads, think);
}

static void print_summary(const struct bench_oracle *oracle, FILE *out)
{
	struct bench_oracle_tally chosen, control;

	fprintf(out,
		"\nMedians over %u rounds of %g s. best: the fixed spin budget that was fastest in the other\n"
		"rounds; its spin: the fastest over all. The ratios are taken round by round. control: the\n"
		"library left alone once more, relative to chosen: what noise alone does. spread: of the\n"
		"ratio to its left.\n\n",
		oracle->run.settings->rounds, oracle->run.settings->seconds);
	if (oracle->run.count == 0)
		return;
	bench_oracle_sum_up(oracle->cells, oracle->run.count, &chosen, &control);
	print_tally(oracle, &chosen, "chosen ÷ best: ", out);
	print_tally(oracle, &control, "control ÷ chosen:", out);
}

/* ---- the measurement */

static int write_report(const struct bench_oracle *oracle, const struct options *options, struct bench_output *file,
			struct bench_error *error)
{
	FILE *out = options->out != NULL ? file->file : stdout;
	struct gsync_profile profile;
	struct gsync_facts facts;

	gsync_facts_read(&gsync_source_full, &facts);
	gsync_profile_of_process(&profile, NULL);
	if (options->json) {
		if (write_json(oracle, &facts, &profile, out) != 0)
			return bench_fail(error, "not enough memory for the report");
	} else {
		cli_machine_print(out, &facts, gsync_calibration_of_process(), &profile);
		print_table(oracle, out);
		print_summary(oracle, out);
	}
	return options->out != NULL ? bench_output_commit(file, error) : 0;
}

static int measure_and_report(struct bench_oracle *oracle, const struct options *options, struct bench_output *file)
{
	struct bench_error error;
	bool skipped = cli_name_the_skipped(&oracle->run);

	cli_progress_begin();
	if (bench_oracle_measure(oracle, cli_progress_show, &error) != 0)
		return cli_complain(&error);
	cli_progress_erase();
	if (write_report(oracle, options, file, &error) != 0)
		return cli_complain(&error);
	if (cli_name_the_broken(&oracle->run))
		return CLI_EXCLUSION_BROKEN;
	return skipped ? CLI_SCENARIO_SKIPPED : CLI_OK;
}

static int run_oracle(const struct options *options)
{
	struct sigaction before[CLI_SIGNALS];
	struct bench_output file = { 0 };
	struct bench_oracle oracle;
	struct bench_error error;
	int status;

	if (options->out != NULL && bench_output_open(&file, options->out, &error) != 0)
		return cli_complain(&error);
	gsync_calibration_of_process(); /* now, while the machine is quiet */
	cli_signals_catch(before);
	if (bench_oracle_init(&oracle, &options->settings, &error) == 0) {
		status = measure_and_report(&oracle, options, &file);
		bench_oracle_free(&oracle);
	} else {
		status = cli_complain(&error);
	}
	bench_output_discard(&file);
	cli_signals_release(before);
	return status;
}

int cli_oracle(int argc, char **argv)
{
	struct bench_error error;
	struct options options;
	int status = parse(&options, argc, argv, &error);

	if (status != CLI_OK) {
		cli_refuse(&error, "calibrate --oracle");
	} else if (options.help) {
		fputs(help, stdout);
	} else {
		status = run_oracle(&options);
	}
	cli_grid_free(&options.settings);
	return status;
}
