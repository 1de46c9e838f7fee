/* SPDX-License-Identifier: MIT */
/* guestsync detect: what machine this is, and what follows for a waiter. */
#include "cli/cli.h"
#include "cli/machine.h"
#include <getopt.h>

static void print_help(void)
{
	fputs("Usage: guestsync detect [--json]\n"
	      "Says what machine this is, and how long a waiter should spin on it before it\n"
	      "sleeps. Measures for a few milliseconds; needs no root.\n\n"
	      "  --json   for programs: one JSON object; null = unknown, or no such limit\n"
	      "  --help   this text\n",
	      stdout);
}

static int print_json(const struct gsync_facts *facts, const struct gsync_calibration *calibration,
		      const struct gsync_profile *profile)
{
	json_t *machine = cli_machine_json(facts, calibration, profile);

	if (!machine) {
		fputs("guestsync: not enough memory\n", stderr);
		return CLI_FAILED;
	}
	/* A failed write is reported by main, for all commands alike. */
	json_dumpf(machine, stdout, CLI_JSON_FLAGS);
	fputc('\n', stdout);
	json_decref(machine);
	return CLI_OK;
}

static int detect(bool json)
{
	const struct gsync_calibration *calibration = gsync_calibration_of_process();
	const struct gsync_profile *profile = gsync_profile_of_process();
	struct gsync_facts facts;

	gsync_facts_read(&gsync_source_full, &facts);
	if (json)
		return print_json(&facts, calibration, profile);
	cli_machine_print(stdout, &facts, calibration, profile);
	return CLI_OK;
}

int cli_detect(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	bool json = false;
	int option;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case 'j':
			json = true;
			break;
		case 'h':
			print_help();
			return CLI_OK;
		default:
			return CLI_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "guestsync: detect takes no argument, but got \"%s\"\n", argv[optind]);
		return CLI_USAGE;
	}
	return detect(json);
}
