/* SPDX-License-Identifier: MIT */
/*
 * A directory with a report in it: the page, and the JSON and CSV it was made
 * from. What else stands in the directory stays.
 */
#ifndef GUESTSYNC_BENCH_OUTPUT_DIR_H
#define GUESTSYNC_BENCH_OUTPUT_DIR_H

#include <stdbool.h>

#include "bench/output.h"

enum bench_dir_file {
	BENCH_DIR_PAGE, /* index.html */
	BENCH_DIR_JSON, /* results.json */
	BENCH_DIR_CSV,	/* results.csv */
	BENCH_DIR_FILES,
};

struct bench_output_dir {
	struct bench_output files[BENCH_DIR_FILES];
	char *made; /* the directory, when it was not there before */
};

/* Makes the directory where it is missing. Returns 0, or -1 with nothing left behind. */
int bench_output_dir_open(struct bench_output_dir *dir, const char *path, struct bench_error *error);

/* Completes all files, or, as far as can be known beforehand, none. */
int bench_output_dir_commit(struct bench_output_dir *dir, struct bench_error *error);

/* Gives up what is not complete, and the directory, if it was made for that. As bench_output_discard(). */
void bench_output_dir_discard(struct bench_output_dir *dir);

#endif
