/* SPDX-License-Identifier: MIT */
/*
 * What every subcommand that measures does beside it: it shows how far it has
 * come, ends cleanly when it is interrupted, and says what went wrong.
 */
#ifndef GUESTSYNC_CLI_MEASURING_H
#define GUESTSYNC_CLI_MEASURING_H

#include <signal.h>
#include <stdbool.h>

#include "bench/error.h"
#include "bench/rounds.h"

/* Their exit statuses, beside those of all subcommands. */
enum {
	CLI_SCENARIO_SKIPPED = 3,
	CLI_EXCLUSION_BROKEN = 4,
};

/* When it takes long. Begin before the first window. */
void cli_progress_begin(void);
void cli_progress_show(const struct bench_progress *progress);

/*
 * Between the two a signal ends the measurement early; release lets it have its
 * way then. A second signal, a fifth of a second later or more, kills at once: it
 * is the user's means against a lock that does not let go.
 */
#define CLI_SIGNALS 3
void cli_signals_catch(struct sigaction before[CLI_SIGNALS]);
void cli_signals_release(const struct sigaction before[CLI_SIGNALS]);

/* Wrong options of COMMAND; where getopt has said already what is wrong, ERROR is empty. */
void cli_refuse(const struct bench_error *error, const char *command);

/* Returns CLI_FAILED. */
int cli_complain(const struct bench_error *error);

/* Names every lock that let somebody in, once; is there any? */
bool cli_name_the_broken(const struct bench_run *run);
bool cli_name_the_skipped(const struct bench_run *run);

#endif
