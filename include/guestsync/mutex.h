/* SPDX-License-Identifier: MIT */
/*
 * gsync_mutex: eight bytes; the lock to use when nothing speaks for another.
 *
 *     static gsync_mutex_t mutex = GSYNC_MUTEX_INIT;
 *
 *     gsync_mutex_lock(&mutex);
 *     counter++;
 *     gsync_mutex_unlock(&mutex);
 *
 * A waiter spins for about as long as a sleep and a wake would cost on this
 * machine, then sleeps in the kernel. A running thread may overtake a sleeping
 * one (barging), so a vCPU that the host has stopped holds nobody up. But while
 * threads sleep on a process-private mutex, it is handed straight to one of them
 * a few times a millisecond (on emulated CPUs every few milliseconds), so nobody
 * starves; only while a quota throttles the process they are just woken.
 *
 * Two more things happen by themselves. Where the program's own threads crowd the
 * CPUs, a waiter lets others run. And where critical sections are so short that
 * most of the time goes into moving the mutex from CPU to CPU, one thread runs
 * alone with it while the others sleep, about a millisecond each: more gets done,
 * on one CPU, but a thread that comes by then waits for so long. Which is better
 * is measured, again and again, for each contended mutex.
 *
 * Order: barging, with that hand-over. Not recursive.
 *
 *                      may block  may spin  signal handler       after fork
 *   lock               yes        yes       no                   held locks stay held in the child
 *   timedlock          yes        yes       no                   "
 *   trylock            no         no        yes                  "
 *   unlock             no (*)     no        yes, if it holds it  "
 *   (*) but it may yield the CPU to the thread that it hands the mutex to
 *
 * A zeroed object is a valid, unlocked, process-private mutex. A mutex in
 * shared memory must be made by gsync_mutex_init(…, GSYNC_PROCESS_SHARED).
 * unlock never touches the mutex after another thread may have taken, released
 * and freed it.
 *
 * Not guaranteed: first-come-first-served (see gsync_oticket); robustness
 * against the death of a process that holds a shared mutex or was just woken to
 * take it; detection of a relock by the owner.
 */
#ifndef GUESTSYNC_MUTEX_H
#define GUESTSYNC_MUTEX_H

#include <guestsync/lockword.h>

GSYNC_BEGIN_DECLS

typedef struct gsync_mutex {
	gsync_lockword_t lock;
	uint32_t due; /* when the next hand-over is due, in units of 1024 ticks; written by the holder */
} gsync_mutex_t;

#define GSYNC_MUTEX_INIT { { 0 }, 0 }

GSYNC_STATIC_ASSERT(sizeof(gsync_mutex_t) == 8, "a mutex is small");

/* Returns 0, or EINVAL for a flag it does not know. */
GSYNC_API int gsync_mutex_init(gsync_mutex_t *mutex, unsigned flags);

/* Returns 0, or EBUSY when the mutex is held. Frees nothing: there is nothing to free. */
GSYNC_API int gsync_mutex_destroy(gsync_mutex_t *mutex);

/*
 * Like lock, but gives up at DEADLINE. Returns 0 with the mutex held, ETIMEDOUT
 * without it, EINVAL when it would have to wait and DEADLINE's nanoseconds are out
 * of range. A mutex that is free is taken even when DEADLINE has passed.
 */
GSYNC_API int gsync_mutex_timedlock(gsync_mutex_t *mutex, const struct timespec *deadline);

/* The cold halves of the inline functions below; call those instead. */
GSYNC_API void gsync_mutex_lock_slow_(gsync_mutex_t *mutex) __attribute__((cold));
GSYNC_API void gsync_mutex_unlock_slow_(gsync_mutex_t *mutex) __attribute__((cold));

/* Takes the mutex if it is free. Returns 0 with the mutex held, EBUSY without it. */
static inline int gsync_mutex_trylock(gsync_mutex_t *mutex)
{
	int error = gsync_lockword_trylock_(&mutex->lock);

	if (error == 0)
		gsync_acquired_(GSYNC_KIND_MUTEX_);
	return error;
}

static inline void gsync_mutex_lock(gsync_mutex_t *mutex)
{
	if (GSYNC_UNLIKELY(!gsync_lockword_take_(&mutex->lock)))
		gsync_mutex_lock_slow_(mutex);
	else
		gsync_acquired_(GSYNC_KIND_MUTEX_);
}

static inline void gsync_mutex_unlock(gsync_mutex_t *mutex)
{
	if (GSYNC_UNLIKELY(!gsync_lockword_release_(&mutex->lock)))
		gsync_mutex_unlock_slow_(mutex);
}

GSYNC_END_DECLS

#endif
