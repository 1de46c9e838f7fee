/* SPDX-License-Identifier: MIT */
/*
 *     tables → restore → write
 *        1        n        1
 *
 * What goes through the queues is a fragment: in the archive, chunks that belong
 * together stand together. The last stage collects fragments until the next in
 * order is there. After a failure all stages drop what they take.
 */
#include "engine.h"

#include <semaphore.h>
#include <stdlib.h>

#include "crew.h"
#include "failure.h"
#include "queue.h"

#define IN_FLIGHT 256u

struct flight {
	struct restored restored;
	uint64_t order;
};

struct pipeline {
	const struct restoration *what;
	struct failure failure;
	struct queue tables, done;
	sem_t room;			   /* for more fragments in flight */
	struct flight *flights[IN_FLIGHT]; /* by order; those that wait to be written */
	uint64_t next;			   /* the order of the one to write next */
};

/* The first stage may be waiting for room, which nobody makes any more. */
static void fail(struct pipeline *pipeline, const struct bench_error *error)
{
	failure_note(&pipeline->failure, error);
	sem_post(&pipeline->room);
}

static void flight_free(struct flight *flight)
{
	restored_free(&flight->restored);
	free(flight);
}

/* The next fragment's tables; NULL at the end, and after a failure. */
static struct flight *read_flight(struct pipeline *pipeline)
{
	struct flight *flight = calloc(1, sizeof(*flight));
	struct bench_error error = { .text = "memory is short" };
	int got = -1;

	if (flight != NULL && restored_make(&flight->restored))
		got = archive_reader_next(pipeline->what->reader, &flight->restored, &error);
	if (got > 0)
		return flight;
	if (got < 0)
		fail(pipeline, &error);
	if (flight != NULL)
		flight_free(flight);
	return NULL;
}

static void run_tables(void *context)
{
	struct pipeline *pipeline = context;

	for (uint64_t order = 0;; order++) {
		struct flight *flight;

		while (sem_wait(&pipeline->room) != 0)
			continue; /* a signal */
		flight = failure_happened(&pipeline->failure) ? NULL : read_flight(pipeline);
		if (flight == NULL)
			return;
		flight->order = order;
		queue_put(&pipeline->tables, (void *[]){ flight }, 1);
	}
}

static void run_restore(void *context)
{
	struct pipeline *pipeline = context;
	struct bench_error error = { .text = "memory is short" };
	uint8_t *buffer = malloc(FRAGMENT_MAX);
	struct tools tools;
	void *item;

	if (!tools_make(&tools) || buffer == NULL)
		fail(pipeline, &error);
	while (queue_take(&pipeline->tables, &item, 1) > 0) {
		struct flight *flight = item;

		if (!failure_happened(&pipeline->failure) &&
		    archive_restore(&flight->restored, pipeline->what->input, &tools, buffer, &error) != 0)
			fail(pipeline, &error);
		queue_put(&pipeline->done, &item, 1);
	}
	tools_free(&tools);
	free(buffer);
}

/* In the calling thread. */
static void run_write(struct pipeline *pipeline)
{
	struct bench_error error;
	void *item;

	while (queue_take(&pipeline->done, &item, 1) > 0) {
		struct flight *flight = item;

		pipeline->flights[flight->order % IN_FLIGHT] = flight;
		while ((flight = pipeline->flights[pipeline->next % IN_FLIGHT]) != NULL) {
			if (failure_happened(&pipeline->failure))
				break;
			if (restoration_write(pipeline->what, &flight->restored, &error) != 0)
				fail(pipeline, &error);
			pipeline->flights[pipeline->next++ % IN_FLIGHT] = NULL;
			flight_free(flight);
			sem_post(&pipeline->room);
		}
	}
}

static void run(struct pipeline *pipeline, unsigned many)
{
	/* The last first: nothing comes in before all who take it out are there. */
	const struct stage stages[] = {
		{ run_restore, pipeline, many, { &pipeline->done } },
		{ run_tables, pipeline, 1, { &pipeline->tables } },
	};
	struct crew crew;

	crew_start(&crew, stages, sizeof(stages) / sizeof(stages[0]), &pipeline->failure);
	run_write(pipeline);
	crew_join(&crew);
}

int pipeline_restore(const struct restoration *restoration, struct bench_error *error)
{
	struct pipeline pipeline = { .what = restoration, .failure.error = error };
	unsigned many = crew_size();
	bool made = queue_make(&pipeline.tables, IN_FLIGHT, 1);

	made &= queue_make(&pipeline.done, IN_FLIGHT, many);
	if (made && sem_init(&pipeline.room, 0, IN_FLIGHT) == 0)
		run(&pipeline, many);
	else
		failure_note_memory(&pipeline.failure);
	for (unsigned i = 0; i < IN_FLIGHT; i++)
		if (pipeline.flights[i] != NULL)
			flight_free(pipeline.flights[i]);
	sem_destroy(&pipeline.room);
	queue_free(&pipeline.done);
	queue_free(&pipeline.tables);
	return failure_happened(&pipeline.failure) ? -1 : 0;
}
