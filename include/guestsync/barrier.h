/* SPDX-License-Identifier: MIT */
/*
 * gsync_barrier: COUNT threads wait for each other, again and again.
 *
 *     static gsync_barrier_t barrier = GSYNC_BARRIER_INIT(4);
 *
 *     compute_my_quarter();
 *     if (gsync_barrier_wait(&barrier) == GSYNC_BARRIER_SERIAL_THREAD)
 *         merge_the_quarters();    // exactly one thread comes here
 *     gsync_barrier_wait(&barrier);
 *
 * Spins only while all participants can have a CPU at once; otherwise it soon
 * sleeps, and the last to arrive wakes all by one system call.
 *
 *                      may block  may spin  signal handler  after fork
 *   wait               yes        yes       no              not in the child, unless it is process-shared
 *   destroy            yes (*)    no        no              as wait
 *   (*) until all who were released have left wait
 *
 * A barrier may be destroyed, and its memory freed, as soon as any wait has
 * returned: destroy waits for the threads that are still on their way out (for
 * ever, where one of them belonged to a process that was killed).
 *
 * A zeroed object is a valid, process-private barrier of one participant. A
 * barrier in shared memory must be made by gsync_barrier_init(…,
 * GSYNC_PROCESS_SHARED).
 *
 * More threads than COUNT may use it (but no more than 32767): each COUNT of them,
 * as they come, make a phase. There is no timed wait: a participant that gave up
 * would leave the others waiting for a phase that cannot end.
 */
#ifndef GUESTSYNC_BARRIER_H
#define GUESTSYNC_BARRIER_H

#include <guestsync/base.h>

GSYNC_BEGIN_DECLS

typedef struct gsync_barrier {
	/* The phase, who has arrived, who is leaving: primitives/barrier.c. */
	uint64_t state __attribute__((aligned(8)));
	uint32_t count;
	uint32_t flags;
} gsync_barrier_t;

#define GSYNC_BARRIER_INIT(count) { 0, (count), 0 }
#define GSYNC_BARRIER_SERIAL_THREAD (-1) /* as PTHREAD_BARRIER_SERIAL_THREAD */
#define GSYNC_BARRIER_COUNT_MAX 0x7fffu

GSYNC_STATIC_ASSERT(sizeof(gsync_barrier_t) <= 64, "one cache line");

/* Returns 0, or EINVAL when COUNT is 0 or above GSYNC_BARRIER_COUNT_MAX, or for a flag it does not know. */
GSYNC_API int gsync_barrier_init(gsync_barrier_t *barrier, uint32_t count, unsigned flags);

/* Returns 0 once every released thread has left, or EBUSY when threads wait for a phase that has not ended. */
GSYNC_API int gsync_barrier_destroy(gsync_barrier_t *barrier);

/* Waits for the others. Returns GSYNC_BARRIER_SERIAL_THREAD to exactly one thread of each phase, 0 to the others. */
GSYNC_API int gsync_barrier_wait(gsync_barrier_t *barrier);

GSYNC_END_DECLS

#endif
