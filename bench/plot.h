/* SPDX-License-Identifier: MIT */
/*
 * Throughput over threads as an SVG picture, a line per lock and a panel per
 * kind, scenario and load. gnuplot draws it. Where there are timelines it is
 * throughput over the time of the last round, and a panel for each number of threads;
 * in a ramp, with marks where its steps begin.
 */
#ifndef GUESTSYNC_BENCH_PLOT_H
#define GUESTSYNC_BENCH_PLOT_H

#include "bench/error.h"
#include "bench/rounds.h"

/* Is gnuplot there? Returns 0, or -1 with an ERROR that says what to do. */
int bench_plot_check(struct bench_error *error);

/* Draws to the file descriptor FD. Returns 0 or -1. */
int bench_plot(const struct bench_run *run, int fd, struct bench_error *error);

#endif
