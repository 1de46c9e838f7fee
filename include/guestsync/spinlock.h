/* SPDX-License-Identifier: MIT */
/*
 * gsync_spinlock: four bytes, a drop-in for pthread_spinlock_t, that stops
 * spinning when spinning stops making sense.
 *
 *     static gsync_spinlock_t lock = GSYNC_SPINLOCK_INIT;
 *
 *     gsync_spinlock_lock(&lock);
 *     counter++;
 *     gsync_spinlock_unlock(&lock);
 *
 * A waiter tests before it writes, PAUSEs with bounded backoff, and once its
 * spin budget is used up (the holder's vCPU is probably not running) it sleeps
 * in the kernel. On x86 the unlock of a process-private lock that nobody sleeps on
 * is one plain store, like pthread_spin_unlock's. What gsync_mutex does about very
 * short critical sections, and in crowds, it does as well.
 *
 * Order: none; whoever finds the lock free takes it. Not recursive.
 *
 *                      may block  may spin  signal handler       after fork
 *   lock               yes        yes       no                   held locks stay held in the child
 *   timedlock          yes        yes       no                   "
 *   trylock            no         no        yes                  "
 *   unlock             no         no        yes, if it holds it  "
 *
 * A zeroed object is a valid, unlocked, process-private lock. A lock in shared
 * memory must be made by gsync_spinlock_init(…, GSYNC_PROCESS_SHARED).
 * unlock never touches the lock's memory after another thread may have taken,
 * released and freed it.
 *
 * Not guaranteed: fairness; robustness against the death of a process that holds
 * a shared lock or was just woken to take it; detection of a relock by the owner
 * (it deadlocks) or of an unlock by a stranger.
 */
#ifndef GUESTSYNC_SPINLOCK_H
#define GUESTSYNC_SPINLOCK_H

#include <guestsync/lockword.h>

GSYNC_BEGIN_DECLS

typedef struct gsync_spinlock {
	gsync_lockword_t lock;
} gsync_spinlock_t;

#define GSYNC_SPINLOCK_INIT { { 0 } }

GSYNC_STATIC_ASSERT(sizeof(gsync_spinlock_t) == 4, "fits pthread_spinlock_t");

/* Returns 0, or EINVAL for a flag it does not know. */
GSYNC_API int gsync_spinlock_init(gsync_spinlock_t *lock, unsigned flags);

/* Returns 0, or EBUSY when the lock is held. Frees nothing: there is nothing to free. */
GSYNC_API int gsync_spinlock_destroy(gsync_spinlock_t *lock);

/*
 * Like lock, but gives up at DEADLINE. Returns 0 with the lock held, ETIMEDOUT
 * without it, EINVAL when it would have to wait and DEADLINE's nanoseconds are out
 * of range. A lock that is free is taken even when DEADLINE has passed.
 */
GSYNC_API int gsync_spinlock_timedlock(gsync_spinlock_t *lock, const struct timespec *deadline);

/* The cold halves of the inline functions below; call those instead. */
GSYNC_API void gsync_spinlock_lock_slow_(gsync_spinlock_t *lock) __attribute__((cold));
GSYNC_API void gsync_spinlock_unlock_slow_(gsync_spinlock_t *lock) __attribute__((cold));

/* Takes the lock if it is free. Returns 0 with the lock held, EBUSY without it. */
static inline int gsync_spinlock_trylock(gsync_spinlock_t *lock)
{
	int error = gsync_lockword_trylock_(&lock->lock);

	if (error == 0)
		gsync_acquired_(GSYNC_KIND_SPINLOCK_);
	return error;
}

static inline void gsync_spinlock_lock(gsync_spinlock_t *lock)
{
	if (GSYNC_UNLIKELY(!gsync_lockword_take_(&lock->lock)))
		gsync_spinlock_lock_slow_(lock);
	else
		gsync_acquired_(GSYNC_KIND_SPINLOCK_);
}

static inline void gsync_spinlock_unlock(gsync_spinlock_t *lock)
{
	if (GSYNC_UNLIKELY(!gsync_lockword_release_(&lock->lock)))
		gsync_spinlock_unlock_slow_(lock);
}

GSYNC_END_DECLS

#endif
