/* SPDX-License-Identifier: MIT */
/* What the user of `guestsync bench` asks for. */
#ifndef GUESTSYNC_CLI_BENCH_OPTIONS_H
#define GUESTSYNC_CLI_BENCH_OPTIONS_H

#include <stdbool.h>

#include "bench/error.h"
#include "bench/rounds.h"

enum cli_format {
	CLI_FORMAT_TABLE,
	CLI_FORMAT_JSON,
	CLI_FORMAT_CSV,
	CLI_FORMAT_MARKDOWN,
};

struct cli_bench_options {
	struct bench_settings settings;
	enum cli_format format;
	const char *out;  /* NULL = standard output */
	const char *plot; /* NULL = none */
	const char *report; /* a directory; NULL = none */
	const char *notes;  /* a file that becomes part of a document in Markdown; NULL = none */
	const char *from;   /* files to read instead of measuring; NULL = none: then SETTINGS hold */
	bool help;
};

/*
 * Returns CLI_OK, CLI_USAGE or CLI_FAILED; unless it is CLI_OK, ERROR says why,
 * or is empty because getopt has said it. Free OPTIONS in any case.
 */
int cli_bench_options_parse(struct cli_bench_options *options, int argc, char **argv, struct bench_error *error);
void cli_bench_options_free(struct cli_bench_options *options);

#endif
