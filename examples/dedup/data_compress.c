/* SPDX-License-Identifier: MIT */
/*
 * Each fragment is read, refined, identified and compressed by one thread in one
 * go: NODedup has a phase for each of these stages, but none of them needs more
 * than its own fragment, and this way the fragment stays in that CPU's cache.
 *
 * Whoever brings a chunk to the index first compresses it, to a buffer that all
 * the fragment's new chunks share. Which of several equal chunks that is depends
 * on who was faster; but at the end of the window all are compressed, and then the
 * one that is first in the input gets the number.
 */
#include "engine.h"

#include <stdlib.h>

#include "data.h"

struct place {
	uint64_t number; /* the fragment's, in the input */
	struct fragment fragment;
	uint8_t *stored; /* room for all of it */
};

struct compress_job {
	struct data_job job; /* first */
	const struct compression *what;
	uint64_t next; /* the number of the next fragment to work on */
};

static size_t prepare(struct data_job *job, void *set, size_t room)
{
	struct compress_job *compress = (struct compress_job *)job;
	uint64_t fragments = fragment_count(compress->what->input->bytes);
	struct place *places = set;
	size_t count = 0;

	while (count < room && compress->next < fragments)
		places[count++].number = compress->next++;
	return count;
}

static int identify_and_compress(struct compress_job *compress, struct place *place, struct tools *tools,
				 struct bench_error *error)
{
	uint8_t *to = place->stored;

	for (uint32_t i = 0; i < place->fragment.count; i++) {
		struct chunk *chunk = &place->fragment.chunks[i];
		bool added;

		if (!chunk_identify(chunk, compress->what->index, tools, &added))
			return bench_fail(error, "memory is short");
		if (added)
			to += chunk_compress(chunk, tools, to);
	}
	return 0;
}

static int work(struct data_job *job, void *one, struct workplace *workplace, struct bench_error *error)
{
	struct compress_job *compress = (struct compress_job *)job;
	struct place *place = one;

	if (fragment_read(&place->fragment, workplace->buffer, place->number, compress->what->input, error) != 0)
		return -1;
	fragment_refine(&place->fragment);
	return identify_and_compress(compress, place, &workplace->tools, error);
}

static int write(struct data_job *job, void *place, struct bench_error *error)
{
	return archive_writer_put(((struct compress_job *)job)->what->writer, &((struct place *)place)->fragment, error);
}

static bool place_make(void *one)
{
	struct place *place = one;

	place->stored = malloc(FRAGMENT_MAX);
	return fragment_make(&place->fragment) && place->stored != NULL;
}

static void place_free(void *one)
{
	struct place *place = one;

	fragment_free(&place->fragment);
	free(place->stored);
}

int data_compress(const struct compression *compression, struct bench_error *error)
{
	struct compress_job compress = {
		.job = {
			.failure.error = error,
			.buffer_bytes = FRAGMENT_BUFFER,
			.place_bytes = sizeof(struct place),
			.place_make = place_make,
			.place_free = place_free,
			.prepare = prepare,
			.work = work,
			.write = write,
		},
		.what = compression,
	};

	return data_run(&compress.job);
}
