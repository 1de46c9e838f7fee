/* SPDX-License-Identifier: MIT */
/* The tables of a window's fragments are read in order, before the threads restore them. */
#include "engine.h"

#include <stdlib.h>

#include "data.h"

struct restore_job {
	struct data_job job; /* first */
	const struct restoration *what;
	struct restored *places[2];
};

static size_t prepare(struct data_job *job, unsigned set)
{
	struct restore_job *restore = (struct restore_job *)job;
	struct bench_error error;

	for (size_t i = 0; i < job->room; i++) {
		int got = archive_reader_next(restore->what->reader, &restore->places[set][i], &error);

		if (got < 0)
			failure_note(&job->failure, &error);
		if (got <= 0)
			return i;
	}
	return job->room;
}

static int work(struct data_job *job, unsigned set, size_t i, struct workplace *workplace, struct bench_error *error)
{
	struct restore_job *restore = (struct restore_job *)job;

	return archive_restore(&restore->places[set][i], restore->what->input, &workplace->tools, workplace->buffer,
			       error);
}

static int write(struct data_job *job, unsigned set, size_t i, struct bench_error *error)
{
	struct restore_job *restore = (struct restore_job *)job;

	return restoration_write(restore->what, &restore->places[set][i], error);
}

static void places_free(struct restored *places, size_t room)
{
	for (size_t i = 0; places != NULL && i < room; i++)
		restored_free(&places[i]);
	free(places);
}

static struct restored *places_make(size_t room)
{
	struct restored *places = calloc(room, sizeof(places[0]));
	bool made = places != NULL;

	for (size_t i = 0; places != NULL && i < room; i++)
		made &= restored_make(&places[i]);
	if (made)
		return places;
	places_free(places, room);
	return NULL;
}

int data_restore(const struct restoration *restoration, struct bench_error *error)
{
	struct restore_job restore = {
		.job = {
			.failure.error = error,
			.workplaces.buffer_bytes = FRAGMENT_MAX,
			.room = data_room(),
			.prepare = prepare,
			.work = work,
			.write = write,
		},
		.what = restoration,
	};

	for (unsigned set = 0; set < 2; set++) {
		restore.places[set] = places_make(restore.job.room);
		if (restore.places[set] == NULL)
			failure_note_memory(&restore.job.failure);
	}
	if (!failure_happened(&restore.job.failure))
		data_run(&restore.job);
	for (unsigned set = 0; set < 2; set++)
		places_free(restore.places[set], restore.job.room);
	return failure_happened(&restore.job.failure) ? -1 : 0;
}
