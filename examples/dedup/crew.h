/* SPDX-License-Identifier: MIT */
/* The threads of a pipeline, stage by stage. */
#ifndef DEDUP_CREW_H
#define DEDUP_CREW_H

#include <pthread.h>

#include "failure.h"
#include "queue.h"

/* What THREADS threads run, each to its end; and the queues, of which each of them is a producer. */
struct stage {
	void (*run)(void *context);
	void *context;
	unsigned threads;
	struct queue *out[2];
};

struct crew {
	struct crew_member *members;
	unsigned count;
};

/* How many threads a stage has that can have several: as many as there are CPUs for us. */
unsigned crew_size(void);

/*
 * Starts the threads of all stages, in this order. If one cannot be started,
 * that is a failure, and the queues are closed in its name, so that the others
 * end. STAGES must stay until crew_join.
 */
void crew_start(struct crew *crew, const struct stage *stages, size_t count, struct failure *failure);

/* Waits for all of them. */
void crew_join(struct crew *crew);

#endif
