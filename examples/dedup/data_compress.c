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
	struct fragment fragment;
	uint8_t *stored; /* room for all of it */
};

struct compress_job {
	struct data_job job; /* first */
	const struct compression *what;
	uint64_t next; /* the number of the next fragment to work on */
	uint64_t first[2]; /* the number of a set's first one */
	struct place *places[2];
};

static size_t prepare(struct data_job *job, unsigned set)
{
	struct compress_job *compress = (struct compress_job *)job;
	uint64_t left = fragment_count(compress->what->input->bytes) - compress->next;
	size_t count = left < job->room ? (size_t)left : job->room;

	compress->first[set] = compress->next;
	compress->next += count;
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

static int work(struct data_job *job, unsigned set, size_t i, struct workplace *workplace, struct bench_error *error)
{
	struct compress_job *compress = (struct compress_job *)job;
	struct place *place = &compress->places[set][i];

	if (fragment_read(&place->fragment, workplace->buffer, compress->first[set] + i, compress->what->input,
			  error) != 0)
		return -1;
	fragment_refine(&place->fragment);
	return identify_and_compress(compress, place, &workplace->tools, error);
}

static int write(struct data_job *job, unsigned set, size_t i, struct bench_error *error)
{
	struct compress_job *compress = (struct compress_job *)job;

	return archive_writer_put(compress->what->writer, &compress->places[set][i].fragment, error);
}

static void places_free(struct place *places, size_t room)
{
	for (size_t i = 0; places != NULL && i < room; i++) {
		fragment_free(&places[i].fragment);
		free(places[i].stored);
	}
	free(places);
}

static struct place *places_make(size_t room)
{
	struct place *places = calloc(room, sizeof(places[0]));
	bool made = places != NULL;

	for (size_t i = 0; places != NULL && i < room; i++) {
		made &= fragment_make(&places[i].fragment);
		places[i].stored = malloc(FRAGMENT_MAX);
		made &= places[i].stored != NULL;
	}
	if (made)
		return places;
	places_free(places, room);
	return NULL;
}

int data_compress(const struct compression *compression, struct bench_error *error)
{
	struct compress_job compress = {
		.job = {
			.failure.error = error,
			.workplaces.buffer_bytes = FRAGMENT_BUFFER,
			.room = data_room(),
			.prepare = prepare,
			.work = work,
			.write = write,
		},
		.what = compression,
	};

	for (unsigned set = 0; set < 2; set++) {
		compress.places[set] = places_make(compress.job.room);
		if (compress.places[set] == NULL)
			failure_note_memory(&compress.job.failure);
	}
	if (!failure_happened(&compress.job.failure))
		data_run(&compress.job);
	for (unsigned set = 0; set < 2; set++)
		places_free(compress.places[set], compress.job.room);
	return failure_happened(&compress.job.failure) ? -1 : 0;
}
