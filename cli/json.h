/* SPDX-License-Identifier: MIT */
/* How a subcommand's report for programs leaves it: one JSON object, and an end of line. */
#ifndef GUESTSYNC_CLI_JSON_H
#define GUESTSYNC_CLI_JSON_H

#include <jansson.h>
#include <stdio.h>

/* Takes over the reference. Returns 0, or -1 for NULL: there was no memory for the report. The stream knows of failed writes. */
int cli_json_write(json_t *report, FILE *out);

/* The same on standard output. Returns an exit status, having said why it is not CLI_OK. */
int cli_json_print(json_t *report);

#endif
