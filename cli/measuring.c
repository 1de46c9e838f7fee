/* SPDX-License-Identifier: MIT */
#include "cli/measuring.h"

#include <math.h>
#include <stdio.h>

#include "bench/measure.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "detect/clock.h"

#define ONE_SIGNAL_NS 200000000u /* timeout(1) sends its signal twice: to the process, and to its group */

/* ---- progress, when it takes long */

static uint64_t began_ns;

void cli_progress_begin(void)
{
	began_ns = gsync_monotonic_ns();
}

void cli_progress_show(const struct bench_progress *progress)
{
	double elapsed = (double)(gsync_monotonic_ns() - began_ns) / 1e9;
	const struct bench_cell *cell = progress->cell;

	char queue[64] = "";

	if (elapsed + progress->seconds_left < CLI_PROGRESS_AFTER_S)
		return;
	if (progress->threads_left > 0)
		snprintf(queue, sizeof(queue), ", %u still in the queue", progress->threads_left);
	cli_progress("%zu of %zu, %.0f s left: %s, %s, %u thread%s%s", progress->window, progress->windows,
		     ceil(progress->seconds_left), cell->name, bench_scenario_names[cell->scenario], cell->threads,
		     cell->threads == 1 ? "" : "s", queue);
}

/* ---- interruption: the measurement ends early and is cleared up, then the signal has its way */

static const int signals[CLI_SIGNALS] = { SIGINT, SIGTERM, SIGHUP };

static volatile uint64_t interrupted_ns;

static void interrupt(int signal_number)
{
	uint64_t now = gsync_monotonic_ns();

	if (!bench_interrupt) {
		interrupted_ns = now;
		bench_interrupt = signal_number;
	} else if (now - interrupted_ns > ONE_SIGNAL_NS) {
		signal(signal_number, SIG_DFL);
		raise(signal_number); /* delivered when this handler returns */
	}
}

void cli_signals_catch(struct sigaction before[CLI_SIGNALS])
{
	struct sigaction action = { .sa_handler = interrupt };

	sigemptyset(&action.sa_mask);
	bench_interrupt = 0;
	for (size_t i = 0; i < CLI_SIGNALS; i++) {
		sigaction(signals[i], NULL, &before[i]);
		if (before[i].sa_handler != SIG_IGN)
			sigaction(signals[i], &action, NULL);
	}
}

void cli_signals_release(const struct sigaction before[CLI_SIGNALS])
{
	for (size_t i = 0; i < CLI_SIGNALS; i++)
		sigaction(signals[i], &before[i], NULL);
	if (bench_interrupt)
		raise(bench_interrupt);
}

/* ---- what is to be said on stderr */

void cli_refuse(const struct bench_error *error, const char *command)
{
	if (error->text[0] != '\0')
		fprintf(stderr, "guestsync: %s\n", error->text);
	else
		fprintf(stderr, "guestsync: see guestsync %s --help\n", command);
}

int cli_complain(const struct bench_error *error)
{
	cli_progress_erase();
	fprintf(stderr, "guestsync: %s\n", error->text);
	return CLI_FAILED;
}

bool cli_name_the_broken(const struct bench_run *run)
{
	bool broken = false;

	for (size_t i = 0; i < run->count; i++) {
		const struct bench_cell *cell = &run->cells[i];

		if (cell->median.errors <= 0)
			continue;
		fprintf(stderr, "guestsync: %s is broken: %.0f errors with %u threads, scenario %s\n", cell->name,
			cell->median.errors, cell->threads, bench_scenario_names[cell->scenario]);
		broken = true;
	}
	return broken;
}

bool cli_name_the_skipped(const struct bench_run *run)
{
	bool skipped = false;

	for (enum bench_scenario scenario = 0; scenario < BENCH_SCENARIOS; scenario++) {
		if (!run->skipped[scenario])
			continue;
		fprintf(stderr, "guestsync: scenario %s skipped: %s\n", bench_scenario_names[scenario],
			run->refusal.text);
		skipped = true;
	}
	return skipped;
}
