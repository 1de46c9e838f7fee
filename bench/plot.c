/* SPDX-License-Identifier: MIT */
/*
 * gnuplot reads its script from a file and writes the picture to the given
 * descriptor: no shell, no file name to quote, no pipe that could fill up.
 */
#include "bench/plot.h"

#include <errno.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/panel.h"
#include "bench/report.h"

#define PROGRAM "gnuplot"
#define PANEL_HEIGHT 450
#define PANEL_WIDTH 900

extern char **environ;

int bench_plot_check(struct bench_error *error)
{
	const char *path = getenv("PATH");

	while (path != NULL && *path != '\0') {
		int length = (int)strcspn(path, ":");
		char candidate[4096];
		int written = snprintf(candidate, sizeof(candidate), "%.*s/" PROGRAM, length, path);

		if (length > 0 && written < (int)sizeof(candidate) && access(candidate, X_OK) == 0)
			return 0;
		path += length;
		path += *path == ':';
	}
	return bench_fail(error, "--plot needs " PROGRAM ", which is not on the PATH: install gnuplot");
}

/* What goes to the right: time, where there are timelines, else threads. */
static bool is_over_time(const struct bench_run *run)
{
	return run->settings->every_ms > 0;
}

static bool same_panel(const struct bench_run *run, const struct bench_cell *a, const struct bench_cell *b)
{
	return bench_same_panel(a, b) && (!is_over_time(run) || a->threads == b->threads);
}

static bool is_first_of_panel(const struct bench_run *run, size_t cell)
{
	for (size_t i = 0; i < cell; i++)
		if (same_panel(run, &run->cells[i], &run->cells[cell]))
			return false;
	return true;
}

static bool is_first_of_line(const struct bench_run *run, size_t cell)
{
	for (size_t i = 0; i < cell; i++)
		if (same_panel(run, &run->cells[i], &run->cells[cell]) && run->cells[i].name == run->cells[cell].name)
			return false;
	return true;
}

/* What stood still has no place on a logarithmic axis. */
static void write_medians(const struct bench_run *run, size_t line, FILE *script)
{
	for (size_t i = line; i < run->count; i++) {
		const struct bench_cell *cell = &run->cells[i];

		if (cell->name == run->cells[line].name && same_panel(run, cell, &run->cells[line]) &&
		    cell->median.ops_per_s > 0)
			fprintf(script, "%u %.6g\n", cell->threads, cell->median.ops_per_s);
	}
}

static void write_moments(const struct bench_timeline *timeline, FILE *script)
{
	for (size_t i = 0; i < timeline->count; i++)
		fprintf(script, "%.6g %.6g\n", timeline->moments[i].t_ms / 1e3, timeline->moments[i].ops_per_s);
}

/* A data block per line, named after its first cell. */
static void write_data(const struct bench_run *run, size_t line, FILE *script)
{
	fprintf(script, "$line%zu << END\n", line);
	if (is_over_time(run))
		write_moments(&run->cells[line].timelines[run->settings->rounds - 1], script);
	else
		write_medians(run, line, script);
	fputs("END\n", script);
}

/* Ranges with some air, also around a single point, for which gnuplot would find none. */
static void write_ranges(const struct bench_run *run, size_t panel, FILE *script)
{
	double fewest = run->cells[panel].threads, most = fewest, lowest = 0, highest = 0;

	for (size_t i = panel; i < run->count; i++) {
		double threads = run->cells[i].threads, ops = run->cells[i].median.ops_per_s;

		if (!same_panel(run, &run->cells[i], &run->cells[panel]))
			continue;
		fewest = threads < fewest ? threads : fewest;
		most = threads > most ? threads : most;
		lowest = ops > 0 && (lowest <= 0 || ops < lowest) ? ops : lowest;
		highest = ops > highest ? ops : highest;
	}
	fprintf(script, "set xrange [%g:%g]\n", fewest / 1.2, most * 1.2);
	fprintf(script, "set yrange [%g:%g]\n", lowest > 0 ? lowest / 1.5 : 1, highest > 0 ? highest * 1.5 : 10);
}

/* Where a ramp's steps begin, and with how many threads. They are the same in all panels. */
static void write_step_marks(const struct bench_settings *settings, FILE *script)
{
	for (size_t i = 0; i < settings->thread_count; i++) {
		double at = settings->seconds * (double)i;

		fprintf(script, "set label \" %u\" at first %g, graph 0.96 offset character 0.5, 0\n", settings->threads[i], at);
		if (i > 0)
			fprintf(script, "set arrow from first %g, graph 0 to first %g, graph 1 nohead dashtype 2\n", at,
				at);
	}
}

static void write_panel(const struct bench_run *run, size_t panel, FILE *script)
{
	const struct bench_cell *cell = &run->cells[panel];
	const char *separator = "plot ";
	char threads[BENCH_STEPS_BYTES];

	fprintf(script, "set title \"%s, %s, ", bench_kind_names[cell->kind], bench_scenario_names[cell->scenario]);
	if (cell->kind == BENCH_LOCK)
		fprintf(script, "critical section %" PRIu64 " ns, ", cell->load.cs_ns);
	if (cell->kind == BENCH_FORKJOIN)
		fprintf(script, "body %s", bench_body_names[cell->load.body]);
	else
		fprintf(script, "think time %" PRIu64 " ns", cell->load.think_ns);
	if (is_over_time(run)) {
		bench_report_threads(threads, run, cell);
		fprintf(script, ", threads: %s\"\n", threads);
		fprintf(script, "set xrange [0:%g]\nset yrange [0:*]\n", bench_window_seconds(run->settings));
	} else {
		fputs("\"\n", script);
		write_ranges(run, panel, script);
	}
	for (size_t i = panel; i < run->count; i++) {
		if (!same_panel(run, &run->cells[i], cell) || !is_first_of_line(run, i))
			continue;
		fprintf(script, "%s$line%zu using 1:2 with linespoints linewidth %d%s title \"%s\"", separator, i,
			run->cells[i].ours ? 3 : 1, run->cells[i].bound ? " dashtype 2" : "", run->cells[i].name);
		separator = ", ";
	}
	fputc('\n', script);
}

static void write_script(const struct bench_run *run, FILE *script)
{
	int panels = 0;

	for (size_t i = 0; i < run->count; i++) {
		panels += is_first_of_panel(run, i);
		if (is_first_of_line(run, i))
			write_data(run, i, script);
	}
	fprintf(script,
		"set terminal svg size %d,%d noenhanced background 'white'\n"
		"set multiplot layout %d,1\n"
		"set format y '%%.0s %%c'\n"
		"set ylabel 'operations per second'\nset key outside right maxcols 1\nset grid\n",
		PANEL_WIDTH, PANEL_HEIGHT * panels, panels);
	fputs(is_over_time(run) ? "set xlabel 'seconds'\n" : "set logscale x 2\nset logscale y\nset xlabel 'threads'\n",
	      script);
	if (run->settings->ramp)
		write_step_marks(run->settings, script);
	for (size_t i = 0; i < run->count; i++)
		if (is_first_of_panel(run, i))
			write_panel(run, i, script);
	fputs("unset multiplot\n", script);
}

static int run_gnuplot(FILE *script, int fd, struct bench_error *error)
{
	static char program[] = PROGRAM;
	char *arguments[] = { program, NULL };
	posix_spawn_file_actions_t actions;
	int reason, status;
	pid_t pid;

	reason = posix_spawn_file_actions_init(&actions);
	if (reason == 0) {
		reason = posix_spawn_file_actions_adddup2(&actions, fileno(script), STDIN_FILENO);
		if (reason == 0)
			reason = posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
		if (reason == 0)
			reason = posix_spawnp(&pid, PROGRAM, &actions, NULL, arguments, environ);
		posix_spawn_file_actions_destroy(&actions);
	}
	if (reason != 0)
		return bench_fail(error, "cannot start " PROGRAM ": %s", strerror(reason));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return bench_fail(error, "lost sight of " PROGRAM ": %s", strerror(errno));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return bench_fail(error, PROGRAM " failed");
	return 0;
}

int bench_plot(const struct bench_run *run, int fd, struct bench_error *error)
{
	FILE *script;
	int result;

	if (run->count == 0)
		return bench_fail(error, "nothing was measured that could be plotted");
	script = tmpfile();
	if (script == NULL)
		return bench_fail(error, "cannot make a temporary file: %s", strerror(errno));
	write_script(run, script);
	if (fflush(script) != 0 || ferror(script) || fseek(script, 0, SEEK_SET) != 0)
		result = bench_fail(error, "cannot write a temporary file: %s", strerror(errno));
	else
		result = run_gnuplot(script, fd, error);
	fclose(script);
	return result;
}
