/* SPDX-License-Identifier: MIT */
/*
 *     fragment → refine → identify → compress → write
 *        1         n         n  ↘       n     ↗   1
 *                                  repeated
 *
 * n threads for a stage are as many as there are CPUs, which PARSEC recommends
 * so that the scheduler can balance the stages. Each new chunk has a buffer of
 * its own for what it is compressed to. Chunks arrive at the last stage in any
 * order; it collects them until the next fragment is complete.
 *
 * A repeated chunk can arrive before the one that was found first is compressed,
 * although it comes earlier in the input. It then carries the content in the
 * archive, so its fragment waits for that compression.
 *
 * After a failure all stages go on taking from their queues and drop what they
 * take, so that nobody waits for ever.
 */
#include "engine.h"

#include <stdlib.h>

#include "crew.h"
#include "intake.h"
#include "queue.h"

#define IN_FLIGHT 256u /* fragments, so 128 MB of input, which is what PARSEC reads at once */
#define QUEUE_ROOM (IN_FLIGHT * 128u) /* of the chunk queues: more than those fragments usually have */

struct flight {
	struct fragment fragment; /* first: a chunk knows its fragment */
	uint8_t *buffer;
	uint64_t order;
	uint32_t arrived;
};

struct pipeline {
	const struct compression *what;
	struct intake intake;
	struct queue fragments, chunks, new_chunks, done;
	struct flight *flights[IN_FLIGHT]; /* by order */
	uint64_t next;			   /* the order of the fragment to write next */
};

/* ---- fragment */

/* What its new chunks were compressed to is written, or will never be. */
static void flight_free(struct flight *flight)
{
	for (uint32_t i = 0; i < flight->fragment.count; i++) {
		struct entry *entry = flight->fragment.chunks[i].entry;

		if (entry != NULL) {
			free((void *)entry->stored);
			entry->stored = NULL;
		}
	}
	fragment_free(&flight->fragment);
	free(flight->buffer);
	free(flight);
}

static struct flight *read_flight(struct pipeline *pipeline, uint64_t number)
{
	struct flight *flight = calloc(1, sizeof(*flight));
	struct bench_error error = { .text = "memory is short" };

	if (flight != NULL)
		flight->buffer = malloc(FRAGMENT_BUFFER);
	if (flight != NULL && fragment_make(&flight->fragment) && flight->buffer != NULL &&
	    fragment_read(&flight->fragment, flight->buffer, number, pipeline->what->input, &error) == 0)
		return flight;
	intake_fail(&pipeline->intake, &error);
	if (flight != NULL)
		flight_free(flight);
	return NULL;
}

static void run_fragment(void *context)
{
	struct pipeline *pipeline = context;
	uint64_t count = fragment_count(pipeline->what->input->bytes);
	uint64_t order = 0;

	for (uint64_t number = 0; number < count; number++) {
		struct flight *flight = intake_enter(&pipeline->intake) ? read_flight(pipeline, number) : NULL;
		if (flight == NULL)
			return;
		if (flight->fragment.length == 0) {
			flight_free(flight);
			intake_leave(&pipeline->intake);
			continue;
		}
		flight->order = order++;
		__atomic_store_n(&pipeline->flights[flight->order % IN_FLIGHT], flight, __ATOMIC_RELEASE);
		queue_put(&pipeline->fragments, (void *[]){ flight }, 1);
	}
}

/* ---- refine, identify, compress */

/* A thread that works on chunks. */
struct worker {
	struct pipeline *pipeline;
	struct queue *in;
	struct batch out[2];
	struct tools tools;
	struct chunk *chunks[QUEUE_BATCH];
	size_t count;
};

static void worker_begin(struct worker *worker, struct pipeline *pipeline, struct queue *in)
{
	*worker = (struct worker){ .pipeline = pipeline, .in = in };
	if (!tools_make(&worker->tools))
		intake_fail_memory(&pipeline->intake);
}

static void worker_flush(struct worker *worker)
{
	for (size_t i = 0; i < 2; i++)
		batch_flush(&worker->out[i]);
}

/* More chunks to work on; false when there are no more. */
static bool worker_take(struct worker *worker)
{
	do {
		worker->count = queue_try_take(worker->in, (void **)worker->chunks, QUEUE_BATCH);
		if (worker->count == 0) {
			worker_flush(worker);
			worker->count = queue_take(worker->in, (void **)worker->chunks, QUEUE_BATCH);
		}
	} while (worker->count > 0 && intake_has_failed(&worker->pipeline->intake));
	return worker->count > 0;
}

static void worker_end(struct worker *worker)
{
	worker_flush(worker);
	tools_free(&worker->tools);
}

static void run_refine(void *context)
{
	struct pipeline *pipeline = context;
	struct batch out = { .queue = &pipeline->chunks };
	void *item;

	while (queue_take(&pipeline->fragments, &item, 1) > 0) {
		struct fragment *fragment = &((struct flight *)item)->fragment;
		struct chunk *chunks = fragment->chunks;
		uint32_t count;

		if (intake_has_failed(&pipeline->intake))
			continue;
		count = fragment_refine(fragment);
		/* With the last chunk the fragment is out of our hands. */
		for (uint32_t i = 0; i < count; i++)
			batch_add(&out, &chunks[i]);
		batch_flush(&out);
	}
}

static void run_identify(void *context)
{
	struct pipeline *pipeline = context;
	struct worker worker;

	worker_begin(&worker, pipeline, &pipeline->chunks);
	worker.out[0].queue = &pipeline->done;
	worker.out[1].queue = &pipeline->new_chunks;
	while (worker_take(&worker)) {
		for (size_t i = 0; i < worker.count; i++) {
			bool added;

			if (chunk_identify(worker.chunks[i], pipeline->what->index, &worker.tools, &added))
				batch_add(&worker.out[added], worker.chunks[i]);
			else
				intake_fail_memory(&pipeline->intake);
		}
	}
	worker_end(&worker);
}

/* PARSEC's way: room for what it may become, cut down to what it has become. */
static bool compress_alone(struct chunk *chunk, struct tools *tools)
{
	uint8_t *room = malloc(chunk->length);
	uint8_t *stored;
	size_t length;

	if (room == NULL)
		return false;
	length = tools_compress(tools, room, chunk->data, chunk->length);
	stored = realloc(room, length);
	entry_set_stored(chunk->entry, stored != NULL ? stored : room, length);
	return true;
}

static void run_compress(void *context)
{
	struct pipeline *pipeline = context;
	struct worker worker;

	worker_begin(&worker, pipeline, &pipeline->new_chunks);
	worker.out[0].queue = &pipeline->done;
	while (worker_take(&worker)) {
		for (size_t i = 0; i < worker.count; i++) {
			if (compress_alone(worker.chunks[i], &worker.tools))
				batch_add(&worker.out[0], worker.chunks[i]);
			else
				intake_fail_memory(&pipeline->intake);
		}
	}
	worker_end(&worker);
}

/* ---- write */

/* All its chunks are here (before the first, nobody knows how many), and the content of each is, or can be, written. */
static bool is_complete(const struct flight *flight)
{
	if (flight == NULL || flight->arrived == 0 || flight->arrived < flight->fragment.count)
		return false;
	for (uint32_t i = 0; i < flight->fragment.count; i++) {
		const struct entry *entry = flight->fragment.chunks[i].entry;

		if (entry->number == ENTRY_UNNUMBERED && !entry_is_stored(entry))
			return false;
	}
	return true;
}

static void write_complete(struct pipeline *pipeline)
{
	struct bench_error error;

	for (;;) {
		struct flight **place = &pipeline->flights[pipeline->next % IN_FLIGHT];
		struct flight *flight = __atomic_load_n(place, __ATOMIC_ACQUIRE);

		if (!is_complete(flight) || intake_has_failed(&pipeline->intake))
			return;
		if (archive_writer_put(pipeline->what->writer, &flight->fragment, &error) != 0) {
			intake_fail(&pipeline->intake, &error);
			return;
		}
		*place = NULL;
		flight_free(flight);
		pipeline->next++;
		intake_leave(&pipeline->intake);
	}
}

/* In the calling thread. */
static void run_write(struct pipeline *pipeline)
{
	void *items[QUEUE_BATCH];
	size_t count;

	while ((count = queue_take(&pipeline->done, items, QUEUE_BATCH)) > 0) {
		for (size_t i = 0; i < count; i++)
			((struct flight *)((struct chunk *)items[i])->fragment)->arrived++;
		write_complete(pipeline);
	}
}

/* ---- all together */

static bool make_queues(struct pipeline *pipeline, unsigned many)
{
	bool made = queue_make(&pipeline->fragments, IN_FLIGHT, 1);

	made &= queue_make(&pipeline->chunks, QUEUE_ROOM, many);
	made &= queue_make(&pipeline->new_chunks, QUEUE_ROOM, many);
	made &= queue_make(&pipeline->done, QUEUE_ROOM, 2 * many);
	return made;
}

static void run(struct pipeline *pipeline, unsigned many)
{
	/* The last first: nothing comes in before all who take it out are there. */
	const struct stage stages[] = {
		{ run_compress, pipeline, many, { &pipeline->done } },
		{ run_identify, pipeline, many, { &pipeline->done, &pipeline->new_chunks } },
		{ run_refine, pipeline, many, { &pipeline->chunks } },
		{ run_fragment, pipeline, 1, { &pipeline->fragments } },
	};
	struct crew crew;

	crew_start(&crew, stages, sizeof(stages) / sizeof(stages[0]), &pipeline->intake.failure);
	run_write(pipeline);
	crew_join(&crew);
}

int pipeline_compress(const struct compression *compression, struct bench_error *error)
{
	struct pipeline pipeline = { .what = compression };
	unsigned many = crew_size();

	intake_make(&pipeline.intake, IN_FLIGHT, error);
	if (make_queues(&pipeline, many))
		run(&pipeline, many);
	else
		intake_fail_memory(&pipeline.intake);
	for (unsigned i = 0; i < IN_FLIGHT; i++)
		if (pipeline.flights[i] != NULL)
			flight_free(pipeline.flights[i]);
	intake_free(&pipeline.intake);
	queue_free(&pipeline.done);
	queue_free(&pipeline.new_chunks);
	queue_free(&pipeline.chunks);
	queue_free(&pipeline.fragments);
	return intake_has_failed(&pipeline.intake) ? -1 : 0;
}
