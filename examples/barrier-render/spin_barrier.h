/* SPDX-License-Identifier: MIT */
/*
 * The barrier that Volrend (SPLASH-2) brings itself:
 *
 *     LOCK(counter's lock);  counter--;  UNLOCK(counter's lock);
 *     while (counter);
 *
 * Whoever arrives spins until all are there, without a PAUSE and without end. If
 * one of those it waits for has no CPU, because this thread is spinning on it,
 * nothing happens until the scheduler takes the CPU away; and from outside a guest
 * such a vCPU looks as busy as one that works.
 *
 * Not for use: it is here to be measured.
 */
#ifndef BARRIER_RENDER_SPIN_BARRIER_H
#define BARRIER_RENDER_SPIN_BARRIER_H

#include <pthread.h>

struct spin_barrier {
	pthread_mutex_t lock;
	unsigned threads;
	unsigned counter[2]; /* for phases by turns: at 0 it is over */
};

static inline void spin_barrier_init(struct spin_barrier *barrier, unsigned threads)
{
	pthread_mutex_init(&barrier->lock, NULL);
	barrier->threads = barrier->counter[0] = barrier->counter[1] = threads;
}

/* PHASE counts the waits of each thread, from 0. */
static inline void spin_barrier_wait(struct spin_barrier *barrier, unsigned phase)
{
	unsigned *counter = &barrier->counter[phase % 2];

	pthread_mutex_lock(&barrier->lock);
	if (*counter == 1) /* the last: nobody waits at the other counter any more */
		barrier->counter[(phase + 1) % 2] = barrier->threads;
	__atomic_store_n(counter, *counter - 1, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&barrier->lock);
	while (__atomic_load_n(counter, __ATOMIC_ACQUIRE) != 0)
		continue;
}

#endif
