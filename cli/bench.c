/* SPDX-License-Identifier: MIT */
/*
 * guestsync bench: measures, and reports. Whatever can be known to fail, fails
 * before anything is measured; whatever ends it early leaves neither processes
 * nor half a file behind.
 */
#include <stdio.h>
#include <string.h>

#include "bench/output.h"
#include "bench/plot.h"
#include "bench/report.h"
#include "cli/bench_options.h"
#include "cli/cli.h"
#include "cli/machine.h"
#include "cli/measuring.h"
#include "cli/progress.h"

static const char help[] =
	"Usage: guestsync bench [OPTION...]\n"
	"Measures locks and barriers, ours and others', on this machine: throughput, CPU\n"
	"time, fairness, waiting times, and whether they exclude each other at all.\n"
	"Lists are separated by commas; every combination is measured.\n"
	"\n"
	"  --kind LIST      lock, barrier                                (default: lock)\n"
	"  --locks LIST     names, or ours, peers, all                    (default: all)\n"
	"  --threads LIST   1 to 4096 each              (default: 1, CPUs and 4 x CPUs)\n"
	"  --cs LIST        critical section, whole ns, 0 allowed         (default: 100)\n"
	"  --think LIST     work between two of them, whole ns, varied by half either\n"
	"                   way; as many values as --cs, or one           (default: as cs)\n"
	"  --seconds S      length of a window, 0.01 to 60                (default: 0.2)\n"
	"  --rounds N       windows per cell, 1 to 99                       (default: 3)\n"
	"  --every MS       also tell of every 10 to 60000 ms within a window: throughput,\n"
	"                   CPU time, switches, and what guestsync's waiters go by (the\n"
	"                   table shows the last round, json all, csv none)\n"
	"  --ramp           locks: one window goes through all of --threads in turn, each\n"
	"                   for --seconds (default: 1, CPUs, 4 x CPUs, CPUs, 1); tells how\n"
	"                   fast each step was, how long after a fall to no more threads\n"
	"                   than CPUs full speed was back, and, as with --every, of each\n"
	"                   quarter of a step; no csv\n"
	"  --scenario LIST  plain: nothing else runs                     (default: plain)\n"
	"                   hogs:  a busy process of somebody else's on every CPU\n"
	"                   steal: every CPU is taken away for 3-10 ms, every 10-20 ms,\n"
	"                          as a hypervisor does; needs the right to SCHED_FIFO\n"
	"                   oc:    an identical second copy runs beside it\n"
	"  --pin WHEN       threads to CPUs: always, never, or auto: where each can have\n"
	"                   one of its own, in a ramp while each can, and in steal\n"
	"                                                                 (default: auto)\n"
	"  --format FORM    table, json or csv                           (default: table)\n"
	"  --json           short for --format json\n"
	"  --out FILE       write the report to FILE, whole or not at all\n"
	"  --plot FILE.svg  also draw throughput over threads, or, with --every or --ramp,\n"
	"                   over the time of the last round; needs gnuplot\n"
	"  --help           this text\n"
	"\n"
	"A barrier has no critical section: --cs does not matter to it. Other scenarios\n"
	"are compared with plain when both are measured, but for --ramp:\n"
	"  resource effect  how much more CPU time an operation costs (1 = twice as much)\n"
	"  time effect      how much more time, times the CPUs left for the threads\n"
	"  impact factor    (1 + time effect) / (1 + resource effect): how much of the\n"
	"                   waste the user sees\n"
	"With gsync_oticket comes token_ring, no lock but the bound of strict order where\n"
	"waiters sleep: two threads or more that pass a turn round on one CPU; not in a\n"
	"ramp.\n"
	"\n"
	"Exit status: 0 done, 1 failed, 2 wrong usage, 3 done but for a scenario that this\n"
	"machine refuses, 4 a lock let two threads in at once, or a barrier one through.\n";

/* ---- the report */

struct files {
	struct bench_output out;
	struct bench_output plot;
};

static int open_files(struct files *files, const struct cli_bench_options *options, struct bench_error *error)
{
	if (options->plot != NULL && bench_plot_check(error) != 0)
		return -1;
	if (options->out != NULL && bench_output_open(&files->out, options->out, error) != 0)
		return -1;
	if (options->plot != NULL && bench_output_open(&files->plot, options->plot, error) != 0) {
		bench_output_discard(&files->out);
		return -1;
	}
	return 0;
}

static int write_json(const struct bench_run *run, const struct gsync_facts *facts, FILE *out)
{
	struct gsync_profile profile;
	json_t *machine, *report;

	gsync_profile_of_process(&profile, NULL);
	machine = cli_machine_json(facts, gsync_calibration_of_process(), &profile);
	report = machine != NULL ? bench_report_json(run, machine) : NULL;
	if (report == NULL)
		return -1;
	json_dumpf(report, out, CLI_JSON_FLAGS);
	fputc('\n', out);
	json_decref(report);
	return 0;
}

static int write_report(const struct bench_run *run, enum cli_format format, FILE *out, struct bench_error *error)
{
	struct gsync_facts facts;
	struct gsync_profile profile;

	gsync_facts_read(&gsync_source_full, &facts);
	gsync_profile_of_process(&profile, NULL);
	switch (format) {
	case CLI_FORMAT_TABLE:
		cli_machine_print(out, &facts, gsync_calibration_of_process(), &profile);
		bench_report_table(run, out);
		break;
	case CLI_FORMAT_JSON:
		if (write_json(run, &facts, out) != 0)
			return bench_fail(error, "not enough memory for the report");
		break;
	case CLI_FORMAT_CSV:
		bench_report_csv(run, out);
		break;
	}
	return 0;
}

static int write_files(const struct bench_run *run, const struct cli_bench_options *options, struct files *files,
		       struct bench_error *error)
{
	if (write_report(run, options->format, options->out != NULL ? files->out.file : stdout, error) != 0)
		return -1;
	/* A failure to write to stdout shows here or, at the latest, when main closes it. */
	if (options->out == NULL && (fflush(stdout) != 0 || ferror(stdout)))
		return -1;
	if (options->out != NULL && bench_output_commit(&files->out, error) != 0)
		return -1;
	if (options->plot != NULL && (bench_plot(run, fileno(files->plot.file), error) != 0 ||
				      bench_output_commit(&files->plot, error) != 0))
		return -1;
	return 0;
}

/* ---- the measurement */

static int measure_and_report(struct bench_run *run, const struct cli_bench_options *options, struct files *files)
{
	struct bench_error error = { "" };
	bool skipped = cli_name_the_skipped(run);

	cli_progress_begin();
	if (bench_run_measure(run, cli_progress_show, &error) != 0)
		return cli_complain(&error);
	cli_progress_erase();
	if (write_files(run, options, files, &error) != 0)
		return error.text[0] != '\0' ? cli_complain(&error) : CLI_FAILED;
	if (cli_name_the_broken(run))
		return CLI_EXCLUSION_BROKEN;
	return skipped ? CLI_SCENARIO_SKIPPED : CLI_OK;
}

static int run_bench(const struct cli_bench_options *options)
{
	struct sigaction before[CLI_SIGNALS];
	struct files files = { 0 };
	struct bench_error error;
	struct bench_run run;
	int status;

	if (open_files(&files, options, &error) != 0)
		return cli_complain(&error);
	gsync_calibration_of_process(); /* now, while the machine is quiet */
	cli_signals_catch(before);
	if (bench_run_init(&run, &options->settings, &error) == 0) {
		status = measure_and_report(&run, options, &files);
		bench_run_free(&run);
	} else {
		status = cli_complain(&error);
	}
	bench_output_discard(&files.out);
	bench_output_discard(&files.plot);
	cli_signals_release(before);
	return status;
}

int cli_bench(int argc, char **argv)
{
	struct cli_bench_options options;
	struct bench_error error;
	int status = cli_bench_options_parse(&options, argc, argv, &error);

	if (status != CLI_OK) {
		cli_refuse(&error, "bench");
	} else if (options.help) {
		fputs(help, stdout);
	} else {
		status = run_bench(&options);
	}
	cli_bench_options_free(&options);
	return status;
}
