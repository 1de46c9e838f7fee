/* SPDX-License-Identifier: MIT */
/* gsync_spinlock: the lock word as it is; whoever finds it free takes it. */
#include <guestsync/spinlock.h>

#include "primitives/lockword.h"

int gsync_spinlock_init(gsync_spinlock_t *lock, unsigned flags)
{
	return gsync_lockword_init(&lock->lock, flags);
}

int gsync_spinlock_destroy(gsync_spinlock_t *lock)
{
	return gsync_lockword_destroy(&lock->lock);
}

void gsync_spinlock_lock_slow_(gsync_spinlock_t *lock)
{
	gsync_lockword_lock_slow(&lock->lock, NULL);
}

int gsync_spinlock_timedlock(gsync_spinlock_t *lock, const struct timespec *deadline)
{
	if (gsync_spinlock_trylock(lock) == 0)
		return 0;
	return gsync_lockword_lock_slow(&lock->lock, deadline);
}

void gsync_spinlock_unlock_slow_(gsync_spinlock_t *lock)
{
	gsync_lockword_unlock_slow(&lock->lock);
}
