/* SPDX-License-Identifier: MIT */
/* guestsync calibrate: so far the oracle only, which has options of its own. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static const char help[] =
	"Usage: guestsync calibrate --oracle [OPTION...]\n"
	"Measures whether the library chooses its spin budgets as well as somebody who\n"
	"tuned them by hand; \"guestsync calibrate --oracle --help\" says more.\n"
	"\n"
	"Exit status: 0 done, 1 failed, 2 wrong usage.\n";

static int has_word(int argc, char **argv, const char *word)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], word) == 0)
			return 1;
	return 0;
}

int cli_calibrate(int argc, char **argv)
{
	if (has_word(argc, argv, "--oracle"))
		return cli_oracle(argc, argv);
	if (has_word(argc, argv, "--help")) {
		fputs(help, stdout);
		return CLI_OK;
	}
	fputs("guestsync: calibrate needs --oracle; see guestsync calibrate --help\n", stderr);
	return CLI_USAGE;
}
