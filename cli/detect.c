/* SPDX-License-Identifier: MIT */
/* guestsync detect: what machine this is, and what follows for a waiter. */
#include "cli/cli.h"
#include "cli/machine.h"
#include <getopt.h>

static void print_help(void)
{
	fputs("Usage: guestsync detect [--explain] [--json]\n"
	      "Says what machine this is, and how long a waiter should spin on it before it\n"
	      "sleeps. Measures for a few milliseconds; needs no root.\n\n"
	      "  --explain  why each threshold is what it is, and how to set another\n"
	      "  --json     for programs: one JSON object; null = unknown, or no such limit\n"
	      "  --help     this text\n",
	      stdout);
}

/* REASONS: NULL, or to be explained. */
static int print_json(const struct gsync_facts *facts, const struct gsync_calibration *calibration,
		      const struct gsync_profile *profile, const struct gsync_reasons *reasons)
{
	json_t *machine = cli_machine_json(facts, calibration, profile);

	if (machine && reasons)
		json_object_set_new(machine, "explain", cli_explain_json(profile, reasons));
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

static int detect(bool json, bool explain)
{
	const struct gsync_calibration *calibration = gsync_calibration_of_process();
	struct gsync_profile profile;
	struct gsync_reasons reasons;
	struct gsync_facts facts;

	gsync_profile_of_process(&profile, &reasons);
	gsync_facts_read(&gsync_source_full, &facts);
	if (json)
		return print_json(&facts, calibration, &profile, explain ? &reasons : NULL);
	cli_machine_print(stdout, &facts, calibration, &profile);
	if (explain) {
		fputs("Reasons\n", stdout);
		cli_explain_print(stdout, &profile, &reasons);
	}
	return CLI_OK;
}

int cli_detect(int argc, char **argv)
{
	static const struct option options[] = {
		{ "explain", no_argument, NULL, 'e' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	bool explain = false;
	bool json = false;
	int option;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case 'e':
			explain = true;
			break;
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
	return detect(json, explain);
}
