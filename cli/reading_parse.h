/* SPDX-License-Identifier: MIT */
/* What one file says, taken into the run that is read: each value checked, and refused by the name of its file. */
#ifndef GUESTSYNC_CLI_READING_PARSE_H
#define GUESTSYNC_CLI_READING_PARSE_H

#include "cli/reading.h"

struct cli_reader {
	struct cli_reading *reading;
	const char *path;
	struct bench_error *error;
};

/* Returns -1. */
int cli_reader_refuse(const struct cli_reader *reader, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* As json_unpack(), which checks what is there and of which kind. */
int cli_reader_unpack(const struct cli_reader *reader, const char *what, json_t *value, const char *format, ...);

/* The merged settings, which come first; then each cell. Return 0 or -1. */
int cli_reader_settings(const struct cli_reader *reader);
int cli_reader_cell(const struct cli_reader *reader, json_t *object);

#endif
