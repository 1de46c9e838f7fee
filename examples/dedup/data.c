/* SPDX-License-Identifier: MIT */
#include "data.h"

#include <guestsync/parallel.h>
#include <stdlib.h>

#define FRAGMENTS_PER_THREAD 16u /* so that who has nothing left to do waits for a small part of a window only */

struct set {
	char *places;
	size_t used;
};

struct run {
	struct data_job *job;
	struct workplaces workplaces;
	size_t room; /* places in a set */
	struct set sets[2];
	struct set *now, *before; /* the one to work on, and the one to write */
};

static void *place_of(const struct run *run, const struct set *set, size_t i)
{
	return set->places + i * run->job->place_bytes;
}

/* ---- the pieces of work */

static void write_set(struct run *run, const struct set *set)
{
	struct bench_error error;

	for (size_t i = 0; i < set->used && !failure_happened(&run->job->failure); i++)
		if (run->job->write(run->job, place_of(run, set, i), &error) != 0)
			failure_note(&run->job->failure, &error);
}

static void work(struct run *run, void *place)
{
	struct workplace *workplace = workplace_take(&run->workplaces);
	struct bench_error error;

	if (workplace == NULL) {
		failure_note_memory(&run->job->failure);
		return;
	}
	if (run->job->work(run->job, place, workplace, &error) != 0)
		failure_note(&run->job->failure, &error);
	workplace_give_back(&run->workplaces, workplace);
}

/* The first piece is to write what the last window made, the others are the places of this one. */
static void do_pieces(void *context, size_t begin, size_t end)
{
	struct run *run = context;

	for (size_t i = begin; i < end && !failure_happened(&run->job->failure); i++) {
		if (i == 0)
			write_set(run, run->before);
		else
			work(run, place_of(run, run->now, i - 1));
	}
}

static void run_windows(struct run *run)
{
	static const gsync_loop_options_t one_by_one = { .grain = 1, .flags = GSYNC_LOOP_EAGER };
	struct set *swapped;

	do {
		swapped = run->before;
		run->before = run->now;
		run->now = swapped;
		run->now->used = run->job->prepare(run->job, run->now->places, run->room);
		gsync_parallel_for(NULL, run->now->used + 1, do_pieces, run, &one_by_one);
	} while (run->now->used == run->room && !failure_happened(&run->job->failure));
	write_set(run, run->now);
}

/* ---- the places */

static bool make_set(struct run *run, struct set *set)
{
	bool made = true;

	set->places = calloc(run->room, run->job->place_bytes);
	for (size_t i = 0; set->places != NULL && i < run->room; i++)
		made &= run->job->place_make(place_of(run, set, i));
	return made && set->places != NULL;
}

static void free_set(struct run *run, struct set *set)
{
	for (size_t i = 0; set->places != NULL && i < run->room; i++)
		run->job->place_free(place_of(run, set, i));
	free(set->places);
}

int data_run(struct data_job *job)
{
	struct run run = {
		.job = job,
		.workplaces.buffer_bytes = job->buffer_bytes,
		.room = FRAGMENTS_PER_THREAD * gsync_pool_workers(NULL),
		.now = &run.sets[0],
		.before = &run.sets[1],
	};
	bool made = make_set(&run, &run.sets[0]);

	made &= make_set(&run, &run.sets[1]);
	if (made)
		run_windows(&run);
	else
		failure_note_memory(&job->failure);
	free_set(&run, &run.sets[1]);
	free_set(&run, &run.sets[0]);
	workplaces_free(&run.workplaces);
	return failure_happened(&job->failure) ? -1 : 0;
}
