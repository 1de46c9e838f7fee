/* SPDX-License-Identifier: MIT */
/*
 * The options of a subcommand, each in one line of a table: its name, and where
 * goes what the user says. Of an option that is given twice the last one counts.
 */
#ifndef GUESTSYNC_CLI_OPTIONS_H
#define GUESTSYNC_CLI_OPTIONS_H

#include <stdbool.h>

#include "bench/error.h"

struct cli_option {
	const char *name; /* NULL: the table's end */
	const char **text; /* where its argument goes; NULL = it has none */
	const char *stands_for; /* unless NULL, it takes no argument: this is its TEXT */
	bool *flag; /* unless NULL: becomes true when it is given */
	const char **given; /* unless NULL: where its name goes then */
};

#define CLI_OPTIONS_MAX 32

/*
 * Reads ARGV by OPTIONS, of which the last must be help: -h, too, and whatever
 * stands behind the options is nobody's business then. Returns CLI_OK, or CLI_USAGE;
 * ERROR says why, or is empty because getopt has said it.
 */
int cli_options_read(const char *command, const struct cli_option *options, int argc, char **argv,
		     struct bench_error *error);

#endif
