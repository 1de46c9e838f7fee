/* SPDX-License-Identifier: MIT */
/*
 * What may come into a pipeline: so many fragments at once, so that its memory
 * is bounded, and none after a failure.
 */
#ifndef DEDUP_INTAKE_H
#define DEDUP_INTAKE_H

#include <semaphore.h>

#include "failure.h"

struct intake {
	struct failure failure;
	sem_t room;
};

/* For MOST fragments at once. ERROR gets the first failure. */
static inline void intake_make(struct intake *intake, unsigned most, struct bench_error *error)
{
	*intake = (struct intake){ .failure.error = error };
	sem_init(&intake->room, 0, most);
}

static inline void intake_free(struct intake *intake)
{
	sem_destroy(&intake->room);
}

static inline bool intake_has_failed(const struct intake *intake)
{
	return failure_happened(&intake->failure);
}

/* A fragment has left. */
static inline void intake_leave(struct intake *intake)
{
	sem_post(&intake->room);
}

/* Waits until one more may come in; false when none may. */
static inline bool intake_enter(struct intake *intake)
{
	while (sem_wait(&intake->room) != 0)
		continue; /* a signal */
	return !intake_has_failed(intake);
}

/* Also wakes who waits for room, which nobody makes any more. */
static inline void intake_fail(struct intake *intake, const struct bench_error *error)
{
	failure_note(&intake->failure, error);
	intake_leave(intake);
}

static inline void intake_fail_memory(struct intake *intake)
{
	failure_note_memory(&intake->failure);
	intake_leave(intake);
}

#endif
