/* SPDX-License-Identifier: MIT */
/*
 * As the compression, in windows: the tables of some fragments are read, in
 * order; all those fragments are restored, in parallel; they are written, in order.
 */
#include "engine.h"

#include <guestsync/parallel.h>
#include <stdlib.h>

#include "failure.h"

#define FRAGMENTS_PER_THREAD 8u

struct place {
	struct restored restored;
	struct tools tools;
};

struct window {
	const struct restoration *what;
	struct failure failure;
	struct place *places;
	size_t room;
};

static void restore(void *context, size_t begin, size_t end)
{
	struct window *window = context;

	for (size_t i = begin; i < end && !failure_happened(&window->failure); i++) {
		struct place *place = &window->places[i];
		struct bench_error error;

		if (archive_restore(&place->restored, window->what->input, &place->tools, &error) != 0)
			failure_note(&window->failure, &error);
	}
}

/* Reads the tables of as many fragments as there are places for. Returns how many those are. */
static size_t read_tables(struct window *window)
{
	struct bench_error error;

	for (size_t i = 0; i < window->room; i++) {
		int got = archive_reader_next(window->what->reader, &window->places[i].restored, &error);

		if (got < 0)
			failure_note(&window->failure, &error);
		if (got <= 0)
			return i;
	}
	return window->room;
}

static void write_in_order(struct window *window, size_t count)
{
	struct bench_error error;

	for (size_t i = 0; i < count; i++) {
		if (restoration_write(window->what, &window->places[i].restored, &error) != 0) {
			failure_note(&window->failure, &error);
			return;
		}
	}
}

static void run(struct window *window)
{
	static const gsync_loop_options_t one_by_one = { .grain = 1, .flags = GSYNC_LOOP_EAGER };
	size_t count;

	do {
		count = read_tables(window);
		gsync_parallel_for(NULL, count, restore, window, &one_by_one);
		if (!failure_happened(&window->failure))
			write_in_order(window, count);
	} while (count == window->room && !failure_happened(&window->failure));
}

static bool make_places(struct window *window)
{
	bool made = true;

	window->places = calloc(window->room, sizeof(window->places[0]));
	for (size_t i = 0; window->places != NULL && i < window->room; i++) {
		made &= restored_make(&window->places[i].restored);
		made &= tools_make(&window->places[i].tools);
	}
	return made && window->places != NULL;
}

static void free_places(struct window *window)
{
	for (size_t i = 0; window->places != NULL && i < window->room; i++) {
		restored_free(&window->places[i].restored);
		tools_free(&window->places[i].tools);
	}
	free(window->places);
}

int data_restore(const struct restoration *restoration, struct bench_error *error)
{
	struct window window = { .what = restoration, .failure.error = error };

	window.room = FRAGMENTS_PER_THREAD * gsync_pool_workers(NULL);
	if (make_places(&window))
		run(&window);
	else
		failure_note_memory(&window.failure);
	free_places(&window);
	return failure_happened(&window.failure) ? -1 : 0;
}
