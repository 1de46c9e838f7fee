/* SPDX-License-Identifier: MIT */
/* guestsync detect: what machine this is, and what follows for a waiter. */
#include "cli/cli.h"
#include "cli/machine.h"
#include "cli/recording.h"
#include <getopt.h>

enum {
	OPTION_CHECK = 256,
	OPTION_NOTE,
	OPTION_RECORD,
	OPTION_REPLAY,
};

struct request {
	bool json, check;
	const char *record, *replay, *note; /* NULL = not said */
};

static void print_help(void)
{
	fputs("Usage: guestsync detect [--json] [--replay FILE [--check]]\n"
	      "       guestsync detect --record FILE [--note TEXT]\n"
	      "Says what machine this is, and how long a waiter should spin on it before it\n"
	      "sleeps. Measures for a few milliseconds; needs no root.\n\n"
	      "  --json         for programs: one JSON object; null = unknown, or no such limit\n"
	      "  --record FILE  write down everything that is read here into FILE, whole or not\n"
	      "                 at all, instead of a report; \"-\" = standard output\n"
	      "  --note TEXT    with --record: a word about the machine\n"
	      "  --replay FILE  report of a recorded machine instead of this one; \"-\" =\n"
	      "                 standard input\n"
	      "  --check        with --replay: report only where detection answers otherwise\n"
	      "                 than the recording's \"expect\" lines say; exit status 1 if it does\n"
	      "  --help         this text\n\n"
	      "A recording is a text that you can read before you give it away. It holds the\n"
	      "firmware's names of the machine, the kernel's release, times of the CPUs, the\n"
	      "names of this process's control groups (which may name users, services, pods and\n"
	      "containers) and where control groups are mounted. Of process 1's environment it\n"
	      "keeps only the variable \"container\", of the mounts only those of control groups,\n"
	      "and nothing of users.\n",
	      stdout);
}

/* RECORDING is where all this comes from; NULL = this machine. */
static int print_json(const struct gsync_facts *facts, const struct gsync_calibration *calibration,
		      const struct gsync_profile *profile, const struct gsync_recording *recording)
{
	json_t *machine = cli_machine_json(facts, calibration, profile);

	if (!machine || (recording && json_object_set_new(machine, "replay", cli_recording_json(recording)) != 0)) {
		json_decref(machine);
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

	gsync_facts_read(&gsync_source_machine, &facts);
	if (json)
		return print_json(&facts, calibration, profile, NULL);
	cli_machine_print(stdout, &facts, calibration, profile);
	return CLI_OK;
}

static int replay(const char *path, bool json, struct gsync_recording *recording)
{
	struct gsync_source source = gsync_recording_source(recording);
	struct gsync_profile profile;
	struct gsync_facts facts;

	gsync_facts_read(&source, &facts);
	gsync_profile_derive(&profile, &recording->measured, facts.cpus.usable);
	if (json)
		return print_json(&facts, &recording->measured, &profile, recording);
	cli_recording_say(stdout, path, recording);
	cli_machine_print(stdout, &facts, &recording->measured, &profile);
	return CLI_OK;
}

static int read_and_replay(const struct request *request)
{
	struct gsync_recording recording;
	int status;

	if (!cli_recording_read(request->replay, &recording))
		return CLI_FAILED;
	if (request->check)
		status = cli_recording_check(request->replay, &recording);
	else
		status = replay(request->replay, request->json, &recording);
	gsync_recording_free(&recording);
	return status;
}

/* What is wrong with the options together; NULL = nothing. */
static const char *contradiction(const struct request *request)
{
	const char *at = request->note;

	if (request->record && (request->replay || request->json))
		return "--record prints no report: it goes with neither --json nor --replay";
	if (request->check && (!request->replay || request->json))
		return "--check goes with --replay, and not with --json";
	if (request->note && !request->record)
		return "--note goes with --record";
	for (; at && *at; at++)
		if (*at < ' ' || *at > '~')
			return "--note: only printable ASCII can stand in a recording";
	return NULL;
}

static int fulfil(const struct request *request)
{
	const char *wrong = contradiction(request);

	if (wrong) {
		fprintf(stderr, "guestsync: %s\n", wrong);
		return CLI_USAGE;
	}
	if (request->record)
		return cli_recording_make(request->record, request->note);
	if (request->replay)
		return read_and_replay(request);
	return detect(request->json);
}

int cli_detect(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "record", required_argument, NULL, OPTION_RECORD },
		{ "note", required_argument, NULL, OPTION_NOTE },
		{ "replay", required_argument, NULL, OPTION_REPLAY },
		{ "check", no_argument, NULL, OPTION_CHECK },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct request request = { 0 };
	int option;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case 'j':
			request.json = true;
			break;
		case OPTION_RECORD:
			request.record = optarg;
			break;
		case OPTION_NOTE:
			request.note = optarg;
			break;
		case OPTION_REPLAY:
			request.replay = optarg;
			break;
		case OPTION_CHECK:
			request.check = true;
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
	return fulfil(&request);
}
