/* SPDX-License-Identifier: MIT */
/*
 * The input is taken in windows of a few fragments for each thread. For each
 * window there are three phases:
 *
 *     read, refine, identify   all fragments, in parallel
 *     compress                 all fragments, in parallel
 *     write                    in order, by the thread that called
 *
 * The end of a phase is the only time at which threads wait for each other, and
 * a fragment is a piece of work long enough that handing it out costs nothing.
 * Order is kept because each fragment stays in its place: nothing needs to be
 * collected or sorted. After the first phase all of the window is in the index, so
 * which chunk is the first of its kind does not depend on who was faster, and
 * each is compressed once, in its own place. What a fragment's new chunks are
 * compressed to stands one after the other in one buffer. All buffers are used
 * again for the next window, so no memory is given back that other CPUs would
 * have to forget (a TLB shootdown), nor new one touched for the first time.
 */
#include "engine.h"

#include <guestsync/parallel.h>
#include <stdlib.h>

#include "failure.h"

#define FRAGMENTS_PER_THREAD 8u

struct place {
	struct fragment fragment;
	struct tools tools;
	uint8_t *stored; /* room for the whole fragment */
};

struct window {
	const struct compression *what;
	struct failure failure;
	uint64_t first; /* the number of the fragment in the first place */
	struct place *places;
	size_t room;
};

static const gsync_loop_options_t one_by_one = { .grain = 1, .flags = GSYNC_LOOP_EAGER };

/* ---- the phases */

static void identify_all(struct window *window, struct place *place)
{
	bool added;

	fragment_refine(&place->fragment);
	for (uint32_t i = 0; i < place->fragment.count; i++) {
		if (!chunk_identify(&place->fragment.chunks[i], window->what->index, &place->tools, &added)) {
			failure_note_memory(&window->failure);
			return;
		}
	}
}

static void read_and_identify(void *context, size_t begin, size_t end)
{
	struct window *window = context;

	for (size_t i = begin; i < end && !failure_happened(&window->failure); i++) {
		struct place *place = &window->places[i];
		struct bench_error error;

		if (fragment_read(&place->fragment, window->first + i, window->what->input, &error) == 0)
			identify_all(window, place);
		else
			failure_note(&window->failure, &error);
	}
}

static void compress(void *context, size_t begin, size_t end)
{
	struct window *window = context;

	for (size_t i = begin; i < end; i++) {
		struct place *place = &window->places[i];
		uint8_t *to = place->stored;

		for (uint32_t j = 0; j < place->fragment.count; j++) {
			struct chunk *chunk = &place->fragment.chunks[j];

			if (chunk->entry->first == chunk_position(chunk))
				to += chunk_compress(chunk, &place->tools, to);
		}
	}
}

static void write_in_order(struct window *window, size_t count)
{
	struct bench_error error;

	for (size_t i = 0; i < count; i++) {
		if (archive_writer_put(window->what->writer, &window->places[i].fragment, &error) != 0) {
			failure_note(&window->failure, &error);
			return;
		}
	}
}

/* ---- all together */

static void run(struct window *window)
{
	uint64_t fragments = fragment_count(window->what->input->bytes);

	for (; window->first < fragments; window->first += window->room) {
		size_t count = window->room;

		if (count > fragments - window->first)
			count = (size_t)(fragments - window->first);
		gsync_parallel_for(NULL, count, read_and_identify, window, &one_by_one);
		if (failure_happened(&window->failure))
			return;
		gsync_parallel_for(NULL, count, compress, window, &one_by_one);
		write_in_order(window, count);
		if (failure_happened(&window->failure))
			return;
	}
}

static bool make_places(struct window *window)
{
	bool made = true;

	window->places = calloc(window->room, sizeof(window->places[0]));
	for (size_t i = 0; window->places != NULL && i < window->room; i++) {
		made &= fragment_make(&window->places[i].fragment);
		made &= tools_make(&window->places[i].tools);
		window->places[i].stored = malloc(FRAGMENT_MAX);
		made &= window->places[i].stored != NULL;
	}
	return made && window->places != NULL;
}

static void free_places(struct window *window)
{
	for (size_t i = 0; window->places != NULL && i < window->room; i++) {
		fragment_free(&window->places[i].fragment);
		tools_free(&window->places[i].tools);
		free(window->places[i].stored);
	}
	free(window->places);
}

int data_compress(const struct compression *compression, struct bench_error *error)
{
	struct window window = { .what = compression, .failure.error = error };

	window.room = FRAGMENTS_PER_THREAD * gsync_pool_workers(NULL);
	if (make_places(&window))
		run(&window);
	else
		failure_note_memory(&window.failure);
	free_places(&window);
	return failure_happened(&window.failure) ? -1 : 0;
}
