/* SPDX-License-Identifier: MIT */
/*
 * The subcommands of the guestsync command, a file each.
 *
 * Each gets the arguments from its own name on; argv[0] is "guestsync", so that
 * getopt's messages begin like ours, and getopt stands at the beginning. It
 * returns the exit status; main flushes stdout and reports it if that fails.
 */
#ifndef GUESTSYNC_CLI_CLI_H
#define GUESTSYNC_CLI_CLI_H

enum {
	CLI_OK = 0,
	CLI_FAILED = 1,
	CLI_USAGE = 2,
};

int cli_detect(int argc, char **argv);
int cli_calibrate(int argc, char **argv);
int cli_bench(int argc, char **argv);
int cli_torture(int argc, char **argv);
int cli_oracle(int argc, char **argv); /* calibrate --oracle */

#endif
