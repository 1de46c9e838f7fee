/* SPDX-License-Identifier: MIT */
/* guestsync COMMAND: finds the subcommand, and makes sure that what it printed has arrived. */
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <guestsync/base.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
} commands[] = {
	{ "detect", cli_detect, "what machine this is, and how long a waiter should spin on it" },
	{ "calibrate", cli_calibrate, "what waiting costs here, and how far that can be trusted" },
	{ "bench", cli_bench, "measure locks, barriers and parallel loops, ours and others'" },
	{ "torture", cli_torture, "let everything happen to locks, barriers and the pool, and watch" },
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static void print_usage(FILE *out)
{
	size_t i;

	fputs("Usage: guestsync [--help|--version] COMMAND [OPTION...]\n"
	      "Synchronization for programs inside virtual machines.\n\n"
	      "Commands:\n",
	      out);
	for (i = 0; i < COMMAND_COUNT; i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
	fputs("\n\"guestsync COMMAND --help\" says more.\n", out);
}

static int run_command(int argc, char **argv)
{
	static char program[] = "guestsync";
	size_t i;

	for (i = 0; i < COMMAND_COUNT; i++) {
		if (strcmp(argv[0], commands[i].name) == 0) {
			argv[0] = program;
			optind = 0; /* glibc: start anew */
			return commands[i].run(argc, argv);
		}
	}
	fprintf(stderr, "guestsync: unknown command \"%s\"; see guestsync --help\n", argv[0]);
	return CLI_USAGE;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};

	/* "+": options behind the command are the command's. */
	switch (getopt_long(argc, argv, "+hV", options, NULL)) {
	case 'h':
		print_usage(stdout);
		return CLI_OK;
	case 'V':
		printf("guestsync %s\n", gsync_version());
		return CLI_OK;
	case -1:
		break;
	default:
		return CLI_USAGE;
	}
	if (optind >= argc) {
		print_usage(stderr);
		return CLI_USAGE;
	}
	return run_command(argc - optind, argv + optind);
}

int main(int argc, char **argv)
{
	static char program[] = "guestsync";
	bool failed_before;
	int status;

	if (argc > 0)
		argv[0] = program;
	status = run(argc, argv);
	errno = 0;
	failed_before = ferror(stdout);
	if (fclose(stdout) == 0 && !failed_before)
		return status;
	fprintf(stderr, "guestsync: cannot write the output: %s\n", errno ? strerror(errno) : "write error");
	return status == CLI_OK ? CLI_FAILED : status;
}
