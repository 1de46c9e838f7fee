/* SPDX-License-Identifier: MIT */
/* Reports for programs are written here alone, so all look alike. */
#include "cli/json.h"

#include "cli/cli.h"

/* The numbers are rounded already, and need no more digits than these. */
#define FLAGS (JSON_INDENT(2) | JSON_REAL_PRECISION(12))

int cli_json_write(json_t *report, FILE *out)
{
	if (report == NULL)
		return -1;
	json_dumpf(report, out, FLAGS);
	fputc('\n', out);
	json_decref(report);
	return 0;
}

/* A failed write is reported by main, for all commands alike. */
int cli_json_print(json_t *report)
{
	if (cli_json_write(report, stdout) == 0)
		return CLI_OK;
	fputs("guestsync: not enough memory for the report\n", stderr);
	return CLI_FAILED;
}
