/* SPDX-License-Identifier: MIT */
/*
 * Runs that were measured before, read back from their reports in JSON, to be
 * reported again. Several files become one run: their cells stand side by side,
 * so they must come from machines with the same hypervisor and CPUs, and have
 * the same rounds of the same length, and no cell may occur twice.
 *
 * A file is believed in nothing: what is missing, of the wrong kind or out of
 * bounds is refused by its name. What a report derives (medians, effects) is
 * derived again from the rounds.
 */
#ifndef GUESTSYNC_CLI_READING_H
#define GUESTSYNC_CLI_READING_H

#include <jansson.h>

#include "bench/error.h"
#include "bench/rounds.h"

struct cli_reading {
	struct bench_run run;
	struct bench_settings settings; /* of RUN; barriers stand among the locks, which have names only */
	struct bench_lock *locks;
	json_t *files;
	size_t files_taken; /* whose cells have been read */
	json_t *machine; /* as the first file has it */
	json_t *merged; /* settings of all files; it owns the names */
};

/* Reads the files of the comma-separated PATHS. Returns 0, or -1 with nothing to close. */
int cli_reading_open(struct cli_reading *reading, const char *paths, struct bench_error *error);
void cli_reading_close(struct cli_reading *reading);

#endif
