/* SPDX-License-Identifier: MIT */
#include "data.h"

#include <guestsync/parallel.h>

#define FRAGMENTS_PER_THREAD 16u /* so that who has nothing left to do waits for a small part of a window only */

size_t data_room(void)
{
	return FRAGMENTS_PER_THREAD * gsync_pool_workers(NULL);
}

static void write_set(struct data_job *job, unsigned set)
{
	struct bench_error error;

	for (size_t i = 0; i < job->count[set] && !failure_happened(&job->failure); i++)
		if (job->write(job, set, i, &error) != 0)
			failure_note(&job->failure, &error);
}

static void work(struct data_job *job, size_t place)
{
	struct workplace *workplace = workplace_take(&job->workplaces);
	struct bench_error error;

	if (workplace == NULL) {
		failure_note_memory(&job->failure);
		return;
	}
	if (job->work(job, job->set, place, workplace, &error) != 0)
		failure_note(&job->failure, &error);
	workplace_give_back(&job->workplaces, workplace);
}

/* The first piece is to write what the last window made, the others are the places of this one. */
static void do_pieces(void *context, size_t begin, size_t end)
{
	struct data_job *job = context;

	for (size_t i = begin; i < end && !failure_happened(&job->failure); i++) {
		if (i == 0)
			write_set(job, !job->set);
		else
			work(job, i - 1);
	}
}

void data_run(struct data_job *job)
{
	static const gsync_loop_options_t one_by_one = { .grain = 1, .flags = GSYNC_LOOP_EAGER };

	do {
		job->set = !job->set;
		job->count[job->set] = job->prepare(job, job->set);
		gsync_parallel_for(NULL, job->count[job->set] + 1, do_pieces, job, &one_by_one);
	} while (job->count[job->set] == job->room && !failure_happened(&job->failure));
	write_set(job, job->set);
	workplaces_free(&job->workplaces);
}
