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

#include <stdlib.h>

#include "crew.h"
#include "intake.h"
#include "queue.h"

#define IN_FLIGHT 256u

struct flight {
	struct restored restored;
	uint64_t order;
};

struct pipeline {
	const struct restoration *what;
	struct intake intake;
	struct queue tables, done;
	struct flight *flights[IN_FLIGHT]; /* by order; those that wait to be written */
	uint64_t next;			   /* the order of the one to write next */
};

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
		intake_fail(&pipeline->intake, &error);
	if (flight != NULL)
		flight_free(flight);
	return NULL;
}

static void run_tables(void *context)
{
	struct pipeline *pipeline = context;

	for (uint64_t order = 0;; order++) {
		struct flight *flight;

		flight = intake_enter(&pipeline->intake) ? read_flight(pipeline) : NULL;
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
		intake_fail(&pipeline->intake, &error);
	while (queue_take(&pipeline->tables, &item, 1) > 0) {
		struct flight *flight = item;

		if (!intake_has_failed(&pipeline->intake) &&
		    archive_restore(&flight->restored, pipeline->what->input, &tools, buffer, &error) != 0)
			intake_fail(&pipeline->intake, &error);
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
			if (intake_has_failed(&pipeline->intake))
				break;
			if (restoration_write(pipeline->what, &flight->restored, &error) != 0)
				intake_fail(&pipeline->intake, &error);
			pipeline->flights[pipeline->next++ % IN_FLIGHT] = NULL;
			flight_free(flight);
			intake_leave(&pipeline->intake);
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

	crew_start(&crew, stages, sizeof(stages) / sizeof(stages[0]), &pipeline->intake.failure);
	run_write(pipeline);
	crew_join(&crew);
}

int pipeline_restore(const struct restoration *restoration, struct bench_error *error)
{
	struct pipeline pipeline = { .what = restoration };
	unsigned many = crew_size();
	bool made = queue_make(&pipeline.tables, IN_FLIGHT, 1);

	made &= queue_make(&pipeline.done, IN_FLIGHT, many);
	intake_make(&pipeline.intake, IN_FLIGHT, error);
	if (made)
		run(&pipeline, many);
	else
		intake_fail_memory(&pipeline.intake);
	for (unsigned i = 0; i < IN_FLIGHT; i++)
		if (pipeline.flights[i] != NULL)
			flight_free(pipeline.flights[i]);
	intake_free(&pipeline.intake);
	queue_free(&pipeline.done);
	queue_free(&pipeline.tables);
	return intake_has_failed(&pipeline.intake) ? -1 : 0;
}
