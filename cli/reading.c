/* SPDX-License-Identifier: MIT */
#include "cli/reading.h"

#include <stdlib.h>
#include <string.h>

#include "cli/grid.h"
#include "cli/reading_parse.h"

/* ---- what the files have in common: lists of their settings are united, all else must be equal */

static bool has_element(const json_t *list, const json_t *element)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (json_equal(json_array_get(list, i), element))
			return true;
	return false;
}

static int merge_settings(const struct cli_reader *reader, json_t *settings)
{
	json_t *merged = reader->reading->merged, *value, *before, *element;
	const char *key;
	size_t i;

	if (json_is_true(json_object_get(settings, "ramp")))
		return cli_reader_refuse(reader, "it was measured with --ramp, and steps cannot be read back");
	json_object_foreach(settings, key, value) {
		before = json_object_get(merged, key);
		if (before == NULL && json_object_set_new(merged, key, json_deep_copy(value)) != 0)
			return cli_reader_refuse(reader, "not enough memory");
		if (json_is_array(before) && json_is_array(value)) {
			json_array_foreach(value, i, element)
				if (!has_element(before, element) && json_array_append(before, element) != 0)
					return cli_reader_refuse(reader, "not enough memory");
		} else if (before != NULL && !json_equal(before, value)) {
			return cli_reader_refuse(reader, "its settings differ in %s from the files before it", key);
		}
	}
	return 0;
}

static int check_machine(const struct cli_reader *reader, json_t *machine)
{
	struct cli_reading *reading = reader->reading;
	const char *names[2];
	json_int_t cpus[2] = { 0 };

	if (reading->machine == NULL)
		reading->machine = machine;
	for (int i = 0; i < 2; i++)
		if (cli_reader_unpack(reader, "machine", i == 0 ? machine : reading->machine, "{s:{s:s}, s:{s:I}}",
				      "hypervisor", "name", &names[i], "cpus", "online", &cpus[i]) != 0)
			return -1;
	if (strcmp(names[0], names[1]) != 0 || cpus[0] != cpus[1])
		return cli_reader_refuse(reader, "another machine: %s with %lld CPUs, the files before it have %s with %lld",
					 names[0], (long long)cpus[0], names[1], (long long)cpus[1]);
	return 0;
}

static int load_file(void *context, const char *path, struct bench_error *error)
{
	const struct cli_reader reader = { context, path, error };
	json_t *file, *machine, *settings, *cells;
	json_error_t problem;

	file = json_load_file(path, JSON_REJECT_DUPLICATES, &problem);
	if (file == NULL)
		return cli_reader_refuse(&reader, "%s, line %d", problem.text, problem.line);
	if (json_array_append_new(reader.reading->files, file) != 0)
		return cli_reader_refuse(&reader, "not enough memory");
	if (cli_reader_unpack(&reader, "no report of guestsync bench", file, "{s:o, s:o, s:o}", "machine", &machine,
			      "settings", &settings, "cells", &cells) != 0 ||
	    check_machine(&reader, machine) != 0 || merge_settings(&reader, settings) != 0)
		return -1;
	reader.reading->run.count += json_array_size(cells);
	return 0;
}

/* ---- cells */

static int take_cells(void *context, const char *path, struct bench_error *error)
{
	const struct cli_reader reader = { context, path, error };
	json_t *cells = json_object_get(json_array_get(reader.reading->files, reader.reading->files_taken++), "cells");
	json_t *cell;
	size_t i;

	json_array_foreach(cells, i, cell)
		if (cli_reader_cell(&reader, cell) != 0)
			return -1;
	return 0;
}

/* The order of a run: groups together, locks as they are listed. */
static int in_order(const void *left, const void *right)
{
	const struct bench_cell *a = left, *b = right;
	const uint64_t keys[][2] = {
		{ a->kind, b->kind },
		{ a->scenario, b->scenario },
		{ a->threads, b->threads },
		{ a->load.cs_ns, b->load.cs_ns },
		{ a->load.think_ns, b->load.think_ns },
		{ a->load.body, b->load.body },
		{ (uintptr_t)a->lock, (uintptr_t)b->lock },
		{ a->bound, b->bound },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (keys[i][0] != keys[i][1])
			return keys[i][0] < keys[i][1] ? -1 : 1;
	return 0;
}

static int check_twins(const struct cli_reader *reader)
{
	const struct bench_run *run = &reader->reading->run;

	if (run->count == 0)
		return cli_reader_refuse(reader, "it has no cells");
	qsort(run->cells, run->count, sizeof(run->cells[0]), in_order);
	for (size_t i = 1; i < run->count; i++)
		if (in_order(&run->cells[i - 1], &run->cells[i]) == 0)
			return cli_reader_refuse(reader, "the same cell twice: %s, %s, %u threads", run->cells[i].name,
						 bench_scenario_names[run->cells[i].scenario], run->cells[i].threads);
	return 0;
}

int cli_reading_open(struct cli_reading *reading, const char *paths, struct bench_error *error)
{
	const struct cli_reader all = { reading, paths, error };
	size_t count;

	*reading = (struct cli_reading){ .files = json_array(), .merged = json_object() };
	reading->run.settings = &reading->settings;
	if (cli_for_each_item("from", paths, load_file, reading, error) == 0 && cli_reader_settings(&all) == 0) {
		count = reading->run.count;
		reading->run.count = 0;
		reading->run.cells = calloc(count + 1, sizeof(reading->run.cells[0]));
		if (reading->run.cells == NULL)
			cli_reader_refuse(&all, "not enough memory");
		else if (cli_for_each_item("from", paths, take_cells, reading, error) == 0 && check_twins(&all) == 0)
			return 0;
	} else {
		reading->run.count = 0; /* no cells to free yet */
	}
	cli_reading_close(reading);
	return -1;
}

void cli_reading_close(struct cli_reading *reading)
{
	for (size_t i = 0; i < reading->run.count; i++)
		for (unsigned round = 0; round < BENCH_ROUNDS_MAX; round++)
			free(reading->run.cells[i].timelines[round].moments);
	free(reading->run.cells);
	free(reading->settings.locks);
	free(reading->locks);
	json_decref(reading->merged);
	json_decref(reading->files);
	*reading = (struct cli_reading){ .files = NULL };
}
