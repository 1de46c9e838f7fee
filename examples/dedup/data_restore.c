/* SPDX-License-Identifier: MIT */
/* The tables of a window's fragments are read in order, before the threads restore them. */
#include "data.h"
#include "engine.h"

struct restore_job {
	struct data_job job; /* first */
	const struct restoration *what;
};

static size_t prepare(struct data_job *job, void *set, size_t room)
{
	struct archive_reader *reader = ((struct restore_job *)job)->what->reader;
	struct restored *places = set;
	struct bench_error error;

	for (size_t i = 0; i < room; i++) {
		int got = archive_reader_next(reader, &places[i], &error);

		if (got < 0)
			failure_note(&job->failure, &error);
		if (got <= 0)
			return i;
	}
	return room;
}

static int work(struct data_job *job, void *place, struct workplace *workplace, struct bench_error *error)
{
	const struct restoration *what = ((struct restore_job *)job)->what;

	return archive_restore(place, what->input, &workplace->tools, workplace->buffer, error);
}

static int write(struct data_job *job, void *place, struct bench_error *error)
{
	return restoration_write(((struct restore_job *)job)->what, place, error);
}

static bool place_make(void *place)
{
	return restored_make(place);
}

static void place_free(void *place)
{
	restored_free(place);
}

int data_restore(const struct restoration *restoration, struct bench_error *error)
{
	struct restore_job restore = {
		.job = {
			.failure.error = error,
			.buffer_bytes = FRAGMENT_MAX,
			.place_bytes = sizeof(struct restored),
			.place_make = place_make,
			.place_free = place_free,
			.prepare = prepare,
			.work = work,
			.write = write,
		},
		.what = restoration,
	};

	return data_run(&restore.job);
}
