/* SPDX-License-Identifier: MIT */
#include "crew.h"

#include <errno.h>
#include <guestsync/pool.h>
#include <stdlib.h>
#include <string.h>

struct crew_member {
	pthread_t thread;
	const struct stage *stage;
};

unsigned crew_size(void)
{
	return gsync_pool_workers(NULL);
}

static void close_queues(const struct stage *stage)
{
	for (size_t i = 0; i < 2; i++)
		if (stage->out[i] != NULL)
			queue_close(stage->out[i]);
}

static void *run_member(void *argument)
{
	const struct crew_member *member = argument;

	member->stage->run(member->stage->context);
	close_queues(member->stage);
	return NULL;
}

static void start_member(struct crew *crew, const struct stage *stage, struct failure *failure)
{
	int reason = ENOMEM;

	if (crew->members != NULL && !failure_happened(failure)) {
		struct crew_member *member = &crew->members[crew->count];

		member->stage = stage;
		reason = pthread_create(&member->thread, NULL, run_member, member);
	}
	if (reason == 0) {
		crew->count++;
	} else {
		struct bench_error error;

		bench_fail(&error, "cannot start a thread: %s", strerror(reason));
		failure_note(failure, &error);
		close_queues(stage);
	}
}

void crew_start(struct crew *crew, const struct stage *stages, size_t count, struct failure *failure)
{
	unsigned threads = 0;

	for (size_t i = 0; i < count; i++)
		threads += stages[i].threads;
	*crew = (struct crew){ .members = calloc(threads, sizeof(crew->members[0])) };
	for (size_t i = 0; i < count; i++)
		for (unsigned j = 0; j < stages[i].threads; j++)
			start_member(crew, &stages[i], failure);
}

void crew_join(struct crew *crew)
{
	for (unsigned i = 0; i < crew->count; i++)
		pthread_join(crew->members[i].thread, NULL);
	free(crew->members);
}
