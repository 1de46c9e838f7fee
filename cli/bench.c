/* SPDX-License-Identifier: MIT */
/*
 * guestsync bench: measures, and reports. Whatever can be known to fail, fails
 * before anything is measured; whatever ends it early leaves neither processes
 * nor half a file behind.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bench/origin.h"
#include "bench/output.h"
#include "bench/output_dir.h"
#include "bench/plot.h"
#include "bench/report.h"
#include "bench/report_facts.h"
#include "cli/bench_options.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/machine.h"
#include "cli/measuring.h"
#include "cli/progress.h"
#include "cli/reading.h"

static const char help[] =
	"Usage: guestsync bench [OPTION...]\n"
	"Measures locks, barriers and parallel loops, ours and others', on this machine:\n"
	"throughput, CPU time, fairness, waiting times, and whether they do what they are\n"
	"for at all.\n"
	"Lists are separated by commas; every combination is measured.\n"
	"\n"
	"  --kind LIST      lock, barrier, forkjoin                      (default: lock)\n"
	"  --locks LIST     names, or ours, peers, all                    (default: all)\n"
	"  --threads LIST   1 to 4096 each              (default: 1, CPUs and 4 x CPUs)\n"
	"  --cs LIST        critical section, whole ns, 0 allowed         (default: 100)\n"
	"  --think LIST     work between two of them, whole ns, varied by half either\n"
	"                   way; as many values as --cs, or one           (default: as cs)\n"
	"  --body LIST      forkjoin: what a parallel region does (default: empty,us,skew,sum)\n"
	"                   empty, tiny: nothing, for as many indices as threads, for 1000\n"
	"                   rendezvous:  every thread must take part\n"
	"                   us, skew:    1000 x 1 us; from 0 to 2 us\n"
	"                   sum:         64 MiB are read\n"
	"                   cold:        2 x 50 us after 1 ms of sleep\n"
	"                   sparse:      nothing, after 1 ms of sleep\n"
	"  --seconds S      length of a window, 0.01 to 60                (default: 0.2)\n"
	"  --rounds N       windows per cell, 1 to 99                       (default: 3)\n"
	"  --every MS       also tell of every 10 to 60000 ms within a window: throughput,\n"
	"                   CPU time, switches, and what guestsync's waiters go by (table\n"
	"                   and page show the last round, json all, csv and markdown none)\n"
	"  --ramp           locks: one window goes through all of --threads in turn, each\n"
	"                   for --seconds (default: 1, CPUs, 4 x CPUs, CPUs, 1); tells how\n"
	"                   fast each step was, how long after a fall to no more threads\n"
	"                   than CPUs full speed was back, and, as with --every, of each\n"
	"                   quarter of a step; no csv, no markdown\n"
	"  --scenario LIST  plain: nothing else runs                     (default: plain)\n"
	"                   hogs:  a busy process of somebody else's on every CPU\n"
	"                   steal: every CPU is taken away for 3-10 ms, every 10-20 ms,\n"
	"                          as a hypervisor does; needs the right to SCHED_FIFO\n"
	"                   oc:    an identical second copy runs beside it\n"
	"  --pin WHEN       threads to CPUs: always, never, or auto: where each can have\n"
	"                   one of its own, in a ramp while each can, and in steal\n"
	"                                                                 (default: auto)\n"
	"  --format FORM    table, json, csv or markdown                 (default: table)\n"
	"  --json           short for --format json\n"
	"  --out FILE       write the report to FILE, whole or not at all\n"
	"  --report DIR     also write a page for browsers, DIR/index.html, with charts and\n"
	"                   every figure, and results.json and results.csv beside it\n"
	"  --plot FILE.svg  also draw throughput over threads, or, with --every or --ramp,\n"
	"                   over the time of the last round; needs gnuplot\n"
	"  --from LIST      measure nothing: report what these files say, written earlier by\n"
	"                   --json or --report, but not with --ramp; the cells of several\n"
	"                   become one report\n"
	"  --notes FILE     markdown: what FILE holds becomes part of the document, after the\n"
	"                   list of cells in which ours fall short: the place for reasons\n"
	"  --help           this text\n"
	"\n"
	"A barrier has no critical section: --cs does not matter to it. Other scenarios\n"
	"are compared with plain when both are measured, but for --ramp:\n"
	"  resource effect  how much more CPU time an operation costs (1 = twice as much)\n"
	"  time effect      how much more time, times the CPUs left for the threads\n"
	"  impact factor    (1 + time effect) / (1 + resource effect): how much of the\n"
	"                   waste the user sees\n"
	"A parallel loop is measured in a process of its own, and its threads are never\n"
	"pinned. Our pool has as many as asked for, but no more than there are usable CPUs.\n"
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
	struct bench_output_dir dir;
	FILE *notes; /* read; NULL = none */
};

/* What is reported: just measured, or, with FACTS NULL, read from files. */
struct subject {
	struct bench_run *run;
	json_t *machine;
	const struct gsync_facts *facts;
	FILE *notes; /* to go with them; NULL = none */
};

static void discard_files(struct files *files)
{
	bench_output_discard(&files->out);
	bench_output_discard(&files->plot);
	bench_output_dir_discard(&files->dir);
	if (files->notes != NULL)
		fclose(files->notes);
	files->notes = NULL;
}

/* Opened before anything is measured, and looked into: a directory can be opened, too. */
static int open_notes(struct files *files, const char *path, struct bench_error *error)
{
	files->notes = fopen(path, "re");
	if (files->notes != NULL)
		ungetc(getc(files->notes), files->notes);
	if (files->notes == NULL || ferror(files->notes))
		return bench_fail(error, "cannot read \"%s\": %s", path, strerror(errno));
	return 0;
}

static int open_files(struct files *files, const struct cli_bench_options *options, struct bench_error *error)
{
	if (options->plot != NULL && bench_plot_check(error) != 0)
		return -1;
	if ((options->notes != NULL && open_notes(files, options->notes, error) != 0) ||
	    (options->out != NULL && bench_output_open(&files->out, options->out, error) != 0) ||
	    (options->plot != NULL && bench_output_open(&files->plot, options->plot, error) != 0) ||
	    (options->report != NULL && bench_output_dir_open(&files->dir, options->report, error) != 0)) {
		discard_files(files);
		return -1;
	}
	return 0;
}

static void write_table(const struct subject *subject, FILE *out)
{
	struct bench_fact facts[BENCH_FACTS_MAX];
	struct gsync_profile profile;
	size_t count;

	if (subject->facts != NULL) {
		gsync_profile_of_process(&profile, NULL);
		cli_machine_print(out, subject->facts, gsync_calibration_of_process(), &profile);
	} else {
		count = bench_machine_facts(subject->run, subject->machine, facts);
		for (size_t i = 0; i < count; i++)
			fprintf(out, "  %-14s %s\n", facts[i].label, facts[i].text);
	}
	bench_report_table(subject->run, out);
}

static int write_report(const struct subject *subject, enum cli_format format, FILE *out, struct bench_error *error)
{
	int result = 0;

	switch (format) {
	case CLI_FORMAT_TABLE:
		write_table(subject, out);
		break;
	case CLI_FORMAT_JSON:
		result = cli_json_write(bench_report_json(subject->run, json_incref(subject->machine)), out);
		break;
	case CLI_FORMAT_CSV:
		bench_report_csv(subject->run, out);
		break;
	case CLI_FORMAT_MARKDOWN:
		result = bench_report_markdown(subject->run, subject->machine, subject->notes, out);
		break;
	}
	return result == 0 ? 0 : bench_fail(error, "not enough memory for the report");
}

static int write_dir(const struct subject *subject, struct bench_output_dir *dir, struct bench_error *error)
{
	if (bench_report_html(subject->run, subject->machine, dir->files[BENCH_DIR_PAGE].file) != 0)
		return bench_fail(error, "not enough memory for the report");
	if (write_report(subject, CLI_FORMAT_JSON, dir->files[BENCH_DIR_JSON].file, error) != 0 ||
	    write_report(subject, CLI_FORMAT_CSV, dir->files[BENCH_DIR_CSV].file, error) != 0)
		return -1;
	return bench_output_dir_commit(dir, error);
}

static int write_files(const struct subject *subject, const struct cli_bench_options *options, struct files *files,
		       struct bench_error *error)
{
	if (write_report(subject, options->format, options->out != NULL ? files->out.file : stdout, error) != 0)
		return -1;
	/* A failure to write to stdout shows here or, at the latest, when main closes it. */
	if (options->out == NULL && (fflush(stdout) != 0 || ferror(stdout)))
		return -1;
	if (options->out != NULL && bench_output_commit(&files->out, error) != 0)
		return -1;
	if (options->plot != NULL && (bench_plot(subject->run, fileno(files->plot.file), error) != 0 ||
				      bench_output_commit(&files->plot, error) != 0))
		return -1;
	return options->report != NULL ? write_dir(subject, &files->dir, error) : 0;
}

static int report(const struct subject *subject, const struct cli_bench_options *options, struct files *files,
		  bool skipped)
{
	struct bench_error error = { "" };

	if (write_files(subject, options, files, &error) != 0)
		return error.text[0] != '\0' ? cli_complain(&error) : CLI_FAILED;
	if (cli_name_the_broken(subject->run))
		return CLI_EXCLUSION_BROKEN;
	return skipped ? CLI_SCENARIO_SKIPPED : CLI_OK;
}

/* ---- the measurement */

static int measure_and_report(struct bench_run *run, const struct cli_bench_options *options, struct files *files)
{
	struct subject subject = { .run = run, .notes = files->notes };
	struct bench_error error = { "" };
	struct gsync_profile profile;
	struct gsync_facts facts;
	bool skipped = cli_name_the_skipped(run);
	int status;

	cli_progress_begin();
	if (bench_run_measure(run, cli_progress_show, &error) != 0)
		return cli_complain(&error);
	cli_progress_erase();
	gsync_facts_read(&gsync_source_full, &facts);
	gsync_profile_of_process(&profile, NULL);
	subject.facts = &facts;
	subject.machine = cli_machine_json(&facts, gsync_calibration_of_process(), &profile);
	if (subject.machine == NULL) {
		bench_fail(&error, "not enough memory for the report");
		return cli_complain(&error);
	}
	status = report(&subject, options, files, skipped);
	json_decref(subject.machine);
	return status;
}

static int measure(const struct cli_bench_options *options, const json_t *origins, struct files *files)
{
	struct bench_error error;
	struct bench_run run;
	int status;

	gsync_calibration_of_process(); /* now, while the machine is quiet */
	if (bench_run_init(&run, &options->settings, &error) != 0)
		return cli_complain(&error);
	run.origins = origins;
	status = measure_and_report(&run, options, files);
	bench_run_free(&run);
	return status;
}

/* ---- or what was measured before */

/* Files that are no good are known before any file is opened to be written. */
static int read_and_report(const struct cli_bench_options *options, struct files *files)
{
	struct cli_reading reading;
	struct bench_error error;
	int status;

	if (cli_reading_open(&reading, options->from, &error) != 0)
		return cli_complain(&error);
	if (open_files(files, options, &error) == 0) {
		const struct subject subject = { .run = &reading.run, .machine = reading.machine,
						 .notes = files->notes };

		status = report(&subject, options, files, cli_name_the_skipped(&reading.run));
	} else {
		status = cli_complain(&error);
	}
	cli_reading_close(&reading);
	return status;
}

/* From the first file opened to the last discarded no signal ends this before it has cleared up. */
static int run_bench(const struct cli_bench_options *options, const json_t *origins)
{
	struct files files = { .dir = { .made = NULL } };
	struct sigaction before[CLI_SIGNALS];
	struct bench_error error;
	int status;

	cli_signals_catch(before);
	if (options->from != NULL)
		status = read_and_report(options, &files);
	else if (open_files(&files, options, &error) == 0)
		status = measure(options, origins, &files);
	else
		status = cli_complain(&error);
	discard_files(&files);
	cli_signals_release(before);
	return status;
}

int cli_bench(int argc, char **argv)
{
	json_t *origins = json_array(); /* before getopt changes the order of the words */
	struct cli_bench_options options;
	struct bench_error error;
	int status;

	json_array_append_new(origins, bench_origin_json(argc, argv));
	status = cli_bench_options_parse(&options, argc, argv, &error);
	if (status != CLI_OK) {
		cli_refuse(&error, "bench");
	} else if (options.help) {
		fputs(help, stdout);
	} else {
		status = run_bench(&options, origins);
	}
	json_decref(origins);
	cli_bench_options_free(&options);
	return status;
}
