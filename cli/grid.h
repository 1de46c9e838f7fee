/* SPDX-License-Identifier: MIT */
/*
 * The options that span a grid of cells: which locks, with how many threads and
 * which loads, in which scenarios, how long and how often. The same for every
 * subcommand that measures. What appears twice in a list is measured once.
 *
 * Those whose only failure is the user's return 0 or -1, the others CLI_OK,
 * CLI_USAGE or CLI_FAILED; ERROR says why.
 */
#ifndef GUESTSYNC_CLI_GRID_H
#define GUESTSYNC_CLI_GRID_H

#include "bench/error.h"
#include "bench/rounds.h"

/*
 * Calls TAKE for each item of the comma-separated TEXT until one fails. An
 * empty list, or an empty item, is an error; so OPTION is named.
 */
int cli_for_each_item(const char *option, const char *text,
		      int (*take)(void *context, const char *item, struct bench_error *error), void *context,
		      struct bench_error *error);

/* A whole number from LEAST to MOST, in digits only. */
int cli_parse_number(const char *what, const char *text, uint64_t least, uint64_t most, uint64_t *number,
		     struct bench_error *error);
int cli_parse_decimal(const char *what, const char *text, double least, double most, double *number,
		      struct bench_error *error);

/* Where TEXT stands in NAMES, or -1. */
int cli_find_word(const char *text, const char *const *names, int count);

/* Makes CHOSEN true where TEXT stands in NAMES; else the error names WHAT it is not, and all of them. Returns 0 or -1. */
int cli_choose_word(const char *what, const char *text, const char *const *names, int count, bool *chosen,
		    struct bench_error *error);

int cli_grid_scenarios(struct bench_settings *settings, const char *list, struct bench_error *error);
int cli_grid_bodies(struct bench_settings *settings, const char *list, struct bench_error *error);
int cli_grid_seconds(struct bench_settings *settings, const char *text, struct bench_error *error);
int cli_grid_rounds(struct bench_settings *settings, const char *text, unsigned least, struct bench_error *error);

/*
 * Locks, barriers and parallel loops of the kinds that SETTINGS already asks for.
 * ALSO: what the list may name beside them, which is the caller's business; or NULL.
 */
int cli_grid_locks(struct bench_settings *settings, const char *list, const char *also, struct bench_error *error);

/* Does LIST hold NAME, or a word that means it? */
bool cli_grid_names(const char *list, const char *name, bool ours);

/* NULL = 1, as many as CPUs, and four times that; in a ramp, which takes them as they come, also the way back to 1. */
int cli_grid_threads(struct bench_settings *settings, const char *list, struct bench_error *error);

/* THINK_LIST may be NULL: as the critical sections. */
int cli_grid_loads(struct bench_settings *settings, const char *cs_list, const char *think_list,
		   struct bench_error *error);

void cli_grid_free(struct bench_settings *settings);

#endif
