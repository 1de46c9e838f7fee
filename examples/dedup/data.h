/* SPDX-License-Identifier: MIT */
/*
 * Data parallelism over a file: all threads of the pool work on the fragments of
 * one window, each on one at a time; then on those of the next.
 *
 * The end of a window is the only time at which threads wait for each other, and
 * a fragment is a piece of work long enough that handing it out costs nothing
 * beside it. Order is kept because each fragment stays in its place, so nothing
 * needs to be collected or sorted: what the work made of the places is written
 * one after the other, and that is one piece of work more, beside the next window.
 * So there are two sets of places, used by turns. Their memory is used again and
 * again: none is given back that other CPUs would have to forget (a TLB
 * shootdown), nor new memory touched for the first time.
 */
#ifndef DEDUP_DATA_H
#define DEDUP_DATA_H

#include <stdbool.h>
#include <stddef.h>

#include "failure.h"
#include "workplace.h"

struct data_job {
	struct failure failure;
	size_t buffer_bytes; /* of a workplace */
	size_t place_bytes;  /* of a place, which begins zeroed */

	/* Returns false when memory is short; free is due all the same. */
	bool (*place_make)(void *place);
	void (*place_free)(void *place);

	/* Says in at most ROOM places what comes next; returns how many. Fewer than ROOM: these are the last. */
	size_t (*prepare)(struct data_job *job, void *places, size_t room);
	/* In parallel. Returns 0 or -1. */
	int (*work)(struct data_job *job, void *place, struct workplace *workplace, struct bench_error *error);
	/* In order. Returns 0 or -1. */
	int (*write)(struct data_job *job, void *place, struct bench_error *error);
};

/* Returns 0 when all is written, or -1 after a failure. */
int data_run(struct data_job *job);

#endif
