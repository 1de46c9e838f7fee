/* SPDX-License-Identifier: MIT */
#include "cli/reading_parse.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure.h"
#include "bench/panel.h"
#include "cli/grid.h"

#define NS_MAX 1000000000 /* as --cs and --think */
#define NAME_BYTES_MAX 40
#define NAME_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789_"

int cli_reader_refuse(const struct cli_reader *reader, const char *format, ...)
{
	char reason[300];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	return bench_fail(reader->error, "cannot use \"%s\": %s", reader->path, reason);
}

int cli_reader_unpack(const struct cli_reader *reader, const char *what, json_t *value, const char *format, ...)
{
	json_error_t error;
	va_list arguments;
	int result;

	va_start(arguments, format);
	result = json_vunpack_ex(value, &error, 0, format, arguments);
	va_end(arguments);
	return result == 0 ? 0 : cli_reader_refuse(reader, "%s: %s", what, error.text);
}

static int check(const struct cli_reader *reader, const char *what, double value, double least, double most)
{
	return value >= least && value <= most ? 0 : cli_reader_refuse(reader, "%s must not be %g", what, value);
}

/* ---- settings */

/* Names go into reports of all kinds as they are. */
static int take_names(const struct cli_reader *reader, json_t *names)
{
	struct cli_reading *reading = reader->reading;
	size_t count = json_array_size(names);

	reading->locks = calloc(count + 1, sizeof(reading->locks[0]));
	reading->settings.locks = calloc(count + 1, sizeof(reading->settings.locks[0]));
	if (reading->locks == NULL || reading->settings.locks == NULL)
		return cli_reader_refuse(reader, "not enough memory");
	for (size_t i = 0; i < count; i++) {
		const char *name = json_string_value(json_array_get(names, i));

		if (name == NULL || name[0] == '\0' || strlen(name) > NAME_BYTES_MAX ||
		    name[strspn(name, NAME_LETTERS)] != '\0')
			return cli_reader_refuse(reader, "settings, locks: no name of a lock at %zu", i);
		reading->locks[i] = (struct bench_lock){ .name = name, .ours = strncmp(name, "gsync_", 6) == 0 };
		reading->settings.locks[i] = &reading->locks[i];
	}
	reading->settings.lock_count = count;
	return 0;
}

/* Texts of the merged settings, which the reading keeps. */
static int take_story(const struct cli_reader *reader, json_t *skipped, json_t *absent, json_t *origins)
{
	struct bench_run *run = &reader->reading->run;
	const char *text;
	size_t i;
	json_t *element;

	json_array_foreach(origins, i, element)
		if (cli_reader_unpack(reader, "settings, measured", element, "{s:s, s:s, s:s, s:s, s:s}", "date", &text,
				      "version", &text, "kernel", &text, "cpu", &text, "command", &text) != 0)
			return -1;
	json_array_foreach(absent, i, element)
		if (check(reader, "settings, names not_compiled_in", (double)i, 0, BENCH_ABSENT_MAX - 2) != 0 ||
		    cli_reader_unpack(reader, "settings, not_compiled_in", element, "s", &run->absent[i]) != 0)
			return -1;
	json_array_foreach(skipped, i, element) {
		if (cli_reader_unpack(reader, "settings, scenarios_skipped", element, "s", &text) != 0 ||
		    check(reader, "settings, scenarios_skipped", cli_find_word(text, bench_scenario_names, BENCH_SCENARIOS),
			  0, BENCH_SCENARIOS - 1) != 0)
			return -1;
		run->skipped[cli_find_word(text, bench_scenario_names, BENCH_SCENARIOS)] = true;
	}
	run->origins = origins;
	return 0;
}

int cli_reader_settings(const struct cli_reader *reader)
{
	struct bench_run *run = &reader->reading->run;
	struct bench_settings *settings = &reader->reading->settings;
	json_t *skipped, *locks, *absent, *origins = NULL;
	json_int_t rounds, cpus, every = 0;
	const char *pin, *refusal = "";
	double usable = 0; /* not told by those who knew of no quota */

	if (cli_reader_unpack(reader, "settings", reader->reading->merged,
			      "{s:I, s:F, s:s, s:I, s:o, s:o, s:o, s?o, s?I, s?s, s?F}", "rounds", &rounds, "seconds",
			      &settings->seconds, "pin", &pin, "cpus", &cpus, "scenarios_skipped", &skipped, "locks",
			      &locks, "not_compiled_in", &absent, "measured", &origins, "every_ms", &every, "refusal",
			      &refusal, "usable_cpus", &usable) != 0 ||
	    check(reader, "settings, rounds", (double)rounds, 1, BENCH_ROUNDS_MAX) != 0 ||
	    check(reader, "settings, seconds", settings->seconds, 1e-3, 1e6) != 0 ||
	    check(reader, "settings, every_ms", (double)every, 0, BENCH_EVERY_MAX_MS) != 0 ||
	    check(reader, "settings, cpus", (double)cpus, 1, 1e6) != 0 ||
	    check(reader, "settings, usable_cpus", usable, 0, (double)cpus) != 0 ||
	    check(reader, "settings, pin", cli_find_word(pin, bench_pin_names, 3), 0, 2) != 0)
		return -1;
	settings->rounds = (unsigned)rounds;
	settings->every_ms = (unsigned)every;
	settings->pin = (enum bench_pin)cli_find_word(pin, bench_pin_names, 3);
	run->cpus.count = (unsigned)cpus;
	run->usable_cpus = usable > 0 ? usable : (double)cpus;
	run->stored_settings = reader->reading->merged;
	bench_fail(&run->refusal, "%s", refusal);
	return take_names(reader, locks) != 0 ? -1 : take_story(reader, skipped, absent, origins);
}

/* ---- cells */

static int take_timeline(const struct cli_reader *reader, json_t *list, struct bench_timeline *timeline)
{
	json_int_t cpus, spin, pressure;

	timeline->room = json_array_size(list);
	timeline->moments = calloc(timeline->room + 1, sizeof(timeline->moments[0]));
	if (timeline->moments == NULL)
		return cli_reader_refuse(reader, "not enough memory");
	for (; timeline->count < timeline->room; timeline->count++) {
		struct bench_moment *moment = &timeline->moments[timeline->count];

		if (cli_reader_unpack(reader, "timeline", json_array_get(list, timeline->count),
				      "{s:F, s:F, s:F, s:F, s:F, s:I, s:I, s:I}", "t_ms", &moment->t_ms, "ops_per_s",
				      &moment->ops_per_s, "cpu_ns_per_op", &moment->cpu_ns_per_op, "voluntary_per_s",
				      &moment->voluntary_per_s, "involuntary_per_s", &moment->involuntary_per_s,
				      "usable_cpus", &cpus, "spin_ns", &spin, "pressure_percent", &pressure) != 0 ||
		    check(reader, "timeline, t_ms", moment->t_ms, 0, 1e9) != 0 ||
		    check(reader, "timeline, ops_per_s", moment->ops_per_s, 0, 1e15) != 0)
			return -1;
		moment->usable_cpus = (uint32_t)cpus;
		moment->spin_ns = (uint32_t)spin;
		moment->pressure_percent = (uint32_t)pressure;
	}
	return 0;
}

static int take_rounds(const struct cli_reader *reader, json_t *rounds, struct bench_cell *cell, double stolen)
{
	if (check(reader, "a cell's number of rounds", (double)json_array_size(rounds),
		  reader->reading->settings.rounds, reader->reading->settings.rounds) != 0)
		return -1;
	for (size_t i = 0; i < json_array_size(rounds); i++) {
		json_t *round = json_array_get(rounds, i), *timeline = json_object_get(round, "timeline");

		for (size_t field = 0; field < bench_field_count; field++) {
			double *value = (double *)((char *)&cell->rounds[i] + bench_fields[field].offset);

			if (cli_reader_unpack(reader, "a round", round, "{s:F}", bench_fields[field].name, value) != 0 ||
			    check(reader, bench_fields[field].name, *value, 0, 1e18) != 0)
				return -1;
		}
		cell->rounds[i].stolen_share = stolen;
		if (timeline != NULL && take_timeline(reader, timeline, &cell->timelines[i]) != 0)
			return -1;
	}
	bench_sample_median(&cell->median, cell->rounds, json_array_size(rounds));
	return 0;
}

static int take_name(const struct cli_reader *reader, struct bench_cell *cell, const char *name)
{
	const struct cli_reading *reading = reader->reading;

	for (size_t i = 0; i < reading->settings.lock_count; i++) {
		if (strcmp(reading->locks[i].name, name) != 0)
			continue;
		cell->lock = &reading->locks[i];
		cell->name = cell->lock->name;
		cell->ours = cell->lock->ours;
		return 0;
	}
	return cli_reader_refuse(reader, "a cell of unknown lock: %s", name);
}

/* It goes with the cell before it, that of its lock, and stays with it when all are sorted. */
static int take_bound(const struct cli_reader *reader, struct bench_cell *cell, const char *name)
{
	const struct bench_cell *before = cell - 1;

	if (strcmp(name, bench_token_ring.name) != 0)
		return cli_reader_refuse(reader, "a cell of unknown bound: %s", name);
	if (cell == reader->reading->run.cells || before->bound || !bench_same_panel(before, cell) ||
	    before->threads != cell->threads)
		return cli_reader_refuse(reader, "a %s that follows no lock", name);
	cell->lock = before->lock;
	cell->name = bench_token_ring.name;
	return 0;
}

int cli_reader_cell(const struct cli_reader *reader, json_t *object)
{
	struct cli_reading *reading = reader->reading;
	struct bench_cell *cell = &reading->run.cells[reading->run.count++];
	const char *kind, *scenario, *name;
	json_int_t threads, cs, think;
	const char *body = bench_body_names[0];
	int pinned, bound = false, found[3];
	double stolen = 0;
	json_t *rounds;

	if (cli_reader_unpack(reader, "a cell", object, "{s:s, s:s, s:s, s:I, s:I, s:I, s:b, s:o, s?F, s?b, s?s}", "kind", &kind,
			      "scenario", &scenario, "lock", &name, "threads", &threads, "cs_ns", &cs, "think_ns", &think,
			      "pinned", &pinned, "rounds", &rounds, "stolen_share", &stolen, "bound", &bound,
			      "body", &body) != 0 ||
	    check(reader, "a cell's threads", (double)threads, 1, BENCH_THREADS_MAX) != 0 ||
	    check(reader, "a cell's cs_ns", (double)cs, 0, NS_MAX) != 0 ||
	    check(reader, "a cell's think_ns", (double)think, 0, NS_MAX) != 0 ||
	    check(reader, "a cell's stolen_share", stolen, 0, 1) != 0)
		return -1;
	found[0] = cli_find_word(kind, bench_kind_names, BENCH_KINDS);
	found[1] = cli_find_word(scenario, bench_scenario_names, BENCH_SCENARIOS);
	found[2] = cli_find_word(body, bench_body_names, BENCH_BODIES);
	if (found[0] < 0 || found[1] < 0 || found[2] < 0)
		return cli_reader_refuse(reader, "a cell of unknown kind, scenario or body: %s, %s, %s", kind, scenario, body);
	cell->kind = (enum bench_kind)found[0];
	cell->scenario = (enum bench_scenario)found[1];
	reading->run.skipped[cell->scenario] = false; /* where one file skipped what another has */
	cell->bound = bound;
	cell->pinned = pinned;
	cell->threads = (unsigned)threads;
	cell->load = (struct bench_load){ (uint64_t)cs, (uint64_t)think, (enum bench_body)found[2] };
	if ((bound ? take_bound : take_name)(reader, cell, name) != 0)
		return -1;
	return take_rounds(reader, rounds, cell, stolen);
}
