/* SPDX-License-Identifier: MIT */
/*
 * Recordings for people: made, read, and held against what they expect.
 *
 * A new recording expects what this machine has answered while it was made, so
 * it is a test as it stands; who wants to report a wrong answer corrects that
 * line. And it is replayed at once: if it then answered otherwise, it would
 * lack something, which its maker should know.
 */
#include "cli/recording.h"

#include "bench/output.h"
#include "cli/cli.h"
#include "cli/machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX (1u << 20)
#define VALUE_SIZE 128
#define ABSENT "absent"

static int fail(const char *what)
{
	fprintf(stderr, "guestsync: %s\n", what);
	return CLI_FAILED;
}

void cli_conclude(const struct gsync_source *source, const struct gsync_calibration *calibration,
		  struct cli_conclusions *out)
{
	struct gsync_conditions conditions = { .calibration = *calibration };

	gsync_facts_read(source, &out->facts);
	gsync_hypervisor_glance(source, &conditions);
	conditions.usable_cpus = out->facts.cpus.usable;
	gsync_profile_derive(&out->profile, &out->reasons, &conditions);
}

/* What `guestsync detect --json` would say of the machine behind SOURCE. */
static json_t *answer(const struct gsync_source *source, const struct gsync_calibration *calibration)
{
	struct cli_conclusions conclusions;

	cli_conclude(source, calibration, &conclusions);
	return cli_machine_json(&conclusions.facts, calibration, &conclusions.profile);
}

/* ---- the answers as expectations say them */

/* The member at "a.b.0"; NULL = there is none. */
static const json_t *find_member(const json_t *json, const char *key)
{
	char name[64];

	while (json && *key) {
		size_t length = strcspn(key, ".");
		char *end;

		if (length >= sizeof(name))
			return NULL;
		memcpy(name, key, length);
		name[length] = '\0';
		key += length + (key[length] == '.');
		if (json_is_array(json)) {
			unsigned long index = strtoul(name, &end, 10);

			json = *end == '\0' && length > 0 ? json_array_get(json, index) : NULL;
		} else {
			json = json_object_get(json, name);
		}
	}
	return json;
}

static void format_value(const json_t *json, char out[VALUE_SIZE])
{
	if (!json)
		snprintf(out, VALUE_SIZE, ABSENT);
	else if (json_is_string(json))
		snprintf(out, VALUE_SIZE, "%s", json_string_value(json));
	else if (json_is_integer(json))
		snprintf(out, VALUE_SIZE, "%" JSON_INTEGER_FORMAT, json_integer_value(json));
	else if (json_is_real(json))
		snprintf(out, VALUE_SIZE, "%.12g", json_real_value(json));
	else if (json_is_boolean(json))
		snprintf(out, VALUE_SIZE, "%s", json_is_true(json) ? "true" : "false");
	else
		snprintf(out, VALUE_SIZE, "%s", json_is_null(json) ? "null" : "(more than one value)");
}

/* Adds what JSON says as expectations, each value below it one; and where a list ends. */
static bool expect_all(struct gsync_recording *recording, const char *key, const json_t *json)
{
	char below[VALUE_SIZE];
	char value[VALUE_SIZE];
	const char *name;
	json_t *member;
	size_t i;

	if (json_is_array(json)) {
		for (i = 0; i <= json_array_size(json); i++) {
			snprintf(below, sizeof(below), "%s.%zu", key, i);
			if (!expect_all(recording, below, json_array_get(json, i)))
				return false;
		}
		return true;
	}
	if (json_is_object(json)) {
		json_object_foreach((json_t *)json, name, member) {
			snprintf(below, sizeof(below), "%s.%s", key, name);
			if (!expect_all(recording, below, member))
				return false;
		}
		return true;
	}
	format_value(json, value);
	return gsync_recording_add_expectation(recording, key, value, 0) == 0;
}

/* What detection concludes, and not what it copies or measures. */
static bool expect_conclusions(struct gsync_recording *recording, const json_t *answers)
{
	static const char *const keys[] = {
		"hypervisor.name", "hypervisor.layers", "hypervisor.confidential", "container", "cpus",
		"topology",
	};
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (!expect_all(recording, keys[i], find_member(answers, keys[i])))
			return false;
	return true;
}

/* Tells the differences, and returns their number; negative when memory runs out. */
static int count_differences(const char *path, struct gsync_recording *recording)
{
	struct gsync_source source = gsync_recording_source(recording);
	json_t *answers = answer(&source, &recording->measured);
	int differences = 0;
	size_t i;

	if (!answers)
		return -1;
	for (i = 0; i < recording->expectation_count; i++) {
		const struct gsync_expectation *expectation = &recording->expectations[i];
		char value[VALUE_SIZE];

		format_value(find_member(answers, expectation->key), value);
		if (strcmp(value, expectation->value) == 0)
			continue;
		fprintf(stderr, "guestsync: %s:%zu: %s should be \"%s\", and is \"%s\"\n", path, expectation->line,
			expectation->key, expectation->value, value);
		differences++;
	}
	json_decref(answers);
	return differences;
}

/* ---- reading one */

static char *read_text(FILE *file, size_t *length)
{
	char *text = malloc(TEXT_MAX + 1);

	if (text)
		*length = fread(text, 1, TEXT_MAX + 1, file);
	if (text && ferror(file)) {
		free(text);
		return NULL;
	}
	return text;
}

bool cli_recording_read(const char *path, struct gsync_recording *out)
{
	bool from_stdin = strcmp(path, "-") == 0;
	FILE *file = from_stdin ? stdin : fopen(path, "re");
	struct gsync_recording_error error;
	bool accepted = false;
	size_t length = 0;
	char *text = NULL;

	if (file)
		text = read_text(file, &length);
	if (!text)
		fprintf(stderr, "guestsync: cannot read \"%s\": %s\n", path, strerror(errno));
	else if (length > TEXT_MAX)
		fprintf(stderr, "guestsync: \"%s\" is longer than any recording\n", path);
	else if (!(accepted = gsync_recording_parse(out, text, length, &error)))
		fprintf(stderr, "guestsync: %s:%zu: %s\n", path, error.line, error.reason);
	free(text);
	if (file && !from_stdin)
		fclose(file);
	return accepted;
}

int cli_recording_check(const char *path, struct gsync_recording *recording)
{
	int differences;

	if (recording->expectation_count == 0) {
		fprintf(stderr, "guestsync: \"%s\" expects nothing: it has no line \"expect KEY VALUE\"\n", path);
		return CLI_FAILED;
	}
	differences = count_differences(path, recording);
	if (differences < 0)
		return fail("not enough memory");
	if (differences > 0)
		return CLI_FAILED;
	printf("%s: all %zu expectations hold\n", path, recording->expectation_count);
	return CLI_OK;
}

/* ---- making one */

static bool fill_recording(struct gsync_recording *recording, const char *note)
{
	struct gsync_recorder recorder = { .inner = &gsync_source_full, .recording = recording };
	struct gsync_source source = gsync_recorder_source(&recorder);
	const struct gsync_calibration *measured = gsync_calibration_of_process();
	json_t *answers = answer(&source, measured);
	bool filled;

	recording->origin = GSYNC_ORIGIN_REAL;
	filled = answers && recorder.error == 0 && (!note || gsync_recording_add_note(recording, note) == 0) &&
		 gsync_recording_set_measured(recording, measured) == 0 && expect_conclusions(recording, answers);
	json_decref(answers);
	return filled;
}

static char *text_of_machine(const char *note, size_t *length)
{
	struct gsync_recording recording = { 0 };
	char *text = NULL;
	FILE *stream = open_memstream(&text, length);
	bool written = false;

	if (stream && fill_recording(&recording, note)) {
		gsync_recording_write(&recording, stream);
		written = !ferror(stream);
	}
	gsync_recording_free(&recording);
	if (stream && (fclose(stream) != 0 || !written)) {
		free(text);
		return NULL;
	}
	return text;
}

/* A recording that cannot be read is our mistake; one that answers otherwise, perhaps a machine that just changed. */
static bool is_faithful(const char *path, const char *text, size_t length)
{
	struct gsync_recording_error error;
	struct gsync_recording recording;
	int differences;

	if (!gsync_recording_parse(&recording, text, length, &error)) {
		fprintf(stderr, "guestsync: this machine makes no valid recording: line %zu: %s\n", error.line,
			error.reason);
		return false;
	}
	differences = count_differences(path, &recording);
	if (differences != 0)
		fputs("guestsync: the recording does not answer as this machine did\n", stderr);
	gsync_recording_free(&recording);
	return true;
}

/* OUTPUT is opened before the measuring, to fail early; NULL = stdout, whose failures main reports. */
static int write_machine(const char *path, const char *note, struct bench_output *output)
{
	size_t length = 0;
	char *text = text_of_machine(note, &length);
	bool faithful = text && is_faithful(path, text, length);

	if (faithful)
		fwrite(text, 1, length, output ? output->file : stdout);
	else if (!text)
		fail("not enough memory");
	free(text);
	return faithful ? CLI_OK : CLI_FAILED;
}

int cli_recording_make(const char *path, const char *note)
{
	struct bench_output output;
	struct bench_error error;
	int status;

	if (strcmp(path, "-") == 0)
		return write_machine(path, note, NULL);
	if (bench_output_open(&output, path, &error) != 0)
		return fail(error.text);
	status = write_machine(path, note, &output);
	if (status == CLI_OK)
		return bench_output_commit(&output, &error) == 0 ? CLI_OK : fail(error.text);
	bench_output_discard(&output);
	return status;
}

/* ---- telling of one */

json_t *cli_recording_json(const struct gsync_recording *recording)
{
	return json_pack("{s:s, s:s?, s:b}", "origin", recording->origin == GSYNC_ORIGIN_REAL ? "real" : "composed",
			 "note", recording->note, "measured", recording->measured.wake_ns > 0);
}

void cli_recording_say(FILE *out, const char *path, const struct gsync_recording *recording)
{
	fprintf(out, "A replay of \"%s\", %s.\n", path,
		recording->origin == GSYNC_ORIGIN_REAL ? "recorded on a real machine" : "composed, not recorded");
	if (recording->note)
		fprintf(out, "%s\n", recording->note);
	if (recording->measured.wake_ns <= 0)
		fputs("What a wake-up costs there was not recorded, so the thresholds are guesses.\n", out);
	fputc('\n', out);
}
