/* SPDX-License-Identifier: MIT */
/* guestsync detect: what machine this is, and what follows for a waiter. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/json.h"
#include "cli/machine.h"
#include "cli/measuring.h"
#include "cli/options.h"
#include "cli/recording.h"

static const char help[] =
	"Usage: guestsync detect [--explain] [--json] [--replay FILE [--check]]\n"
	"       guestsync detect --record FILE [--note TEXT]\n"
	"Says what machine this is, and how long a waiter should spin on it before it\n"
	"sleeps. Measures for a few milliseconds; needs no root.\n\n"
	"  --explain      why each threshold is what it is, and how to set another\n"
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
	"firmware's names of the machine, the kind of its CPUs, how busy they are, the\n"
	"kernel's release, the names of this process's control groups (which may name\n"
	"users, services, pods and containers) and where control groups are mounted. Of\n"
	"process 1's environment it keeps only the variable \"container\", of the mounts\n"
	"only those of control groups, and nothing of users.\n";

struct request {
	bool json, explain, check;
	const char *record, *replay, *note; /* NULL = not said */
};

/* What is to be reported. RECORDING is where it comes from; NULL = this machine. */
struct report {
	const struct gsync_facts *facts;
	const struct gsync_calibration *calibration;
	const struct gsync_profile *profile;
	const struct gsync_reasons *reasons; /* NULL = not to be explained */
	const struct gsync_recording *recording;
};

static int print_json(const struct report *report)
{
	json_t *machine = cli_machine_json(report->facts, report->calibration, report->profile);

	if (machine && report->recording)
		json_object_set_new(machine, "replay", cli_recording_json(report->recording));
	if (machine && report->reasons)
		json_object_set_new(machine, "explain", cli_explain_json(report->profile, report->reasons));
	return cli_json_print(machine);
}

static int print_report(const struct report *report, bool json)
{
	if (json)
		return print_json(report);
	cli_machine_print(stdout, report->facts, report->calibration, report->profile);
	if (report->reasons) {
		fputs("Reasons\n", stdout);
		cli_explain_print(stdout, report->profile, report->reasons);
	}
	return CLI_OK;
}

static int detect(const struct request *request)
{
	struct gsync_profile profile;
	struct gsync_reasons reasons;
	struct gsync_facts facts;
	struct report report = {
		.facts = &facts,
		.calibration = gsync_calibration_of_process(),
		.profile = &profile,
		.reasons = request->explain ? &reasons : NULL,
	};

	gsync_profile_of_process(&profile, &reasons);
	gsync_facts_read(&gsync_source_full, &facts);
	return print_report(&report, request->json);
}

static int replay(const struct request *request, struct gsync_recording *recording)
{
	struct gsync_source source = gsync_recording_source(recording);
	struct cli_conclusions conclusions;
	struct report report = {
		.facts = &conclusions.facts,
		.calibration = &recording->measured,
		.profile = &conclusions.profile,
		.reasons = request->explain ? &conclusions.reasons : NULL,
		.recording = recording,
	};

	cli_conclude(&source, &recording->measured, &conclusions);
	if (!request->json)
		cli_recording_say(stdout, request->replay, recording);
	return print_report(&report, request->json);
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
		status = replay(request, &recording);
	gsync_recording_free(&recording);
	return status;
}

/* What is wrong with the options together; NULL = nothing. */
static const char *contradiction(const struct request *request)
{
	const char *at = request->note;

	if (request->record && (request->replay || request->json || request->explain))
		return "--record prints no report: it goes with neither --json nor --replay nor --explain";
	if (request->check && (!request->replay || request->json || request->explain))
		return "--check goes with --replay, and not with --json or --explain";
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
	return detect(request);
}

int cli_detect(int argc, char **argv)
{
	struct request request = { 0 };
	bool wants_help = false;
	const struct cli_option options[] = {
		{ "explain", .flag = &request.explain },
		{ "json", .flag = &request.json },
		{ "record", .text = &request.record },
		{ "note", .text = &request.note },
		{ "replay", .text = &request.replay },
		{ "check", .flag = &request.check },
		{ "help", .flag = &wants_help },
		{ .name = NULL },
	};
	struct bench_error error;

	if (cli_options_read("detect", options, argc, argv, &error) != CLI_OK) {
		cli_refuse(&error, "detect");
		return CLI_USAGE;
	}
	if (wants_help) {
		fputs(help, stdout);
		return CLI_OK;
	}
	return fulfil(&request);
}
