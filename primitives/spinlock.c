/* SPDX-License-Identifier: MIT */
/* gsync_spinlock: the lock word as it is; whoever finds it free takes it. */
#include <guestsync/spinlock.h>

#include "primitives/lockword.h"
#include "primitives/probes.h"
#include "primitives/tally.h"

int gsync_spinlock_init(gsync_spinlock_t *lock, unsigned flags)
{
	GSYNC_PROBE1(spinlock_init, lock);
	return gsync_lockword_init(&lock->lock, flags);
}

int gsync_spinlock_destroy(gsync_spinlock_t *lock)
{
	GSYNC_PROBE1(spinlock_destroy, lock);
	return gsync_lockword_destroy(&lock->lock);
}

void gsync_spinlock_lock_slow_(gsync_spinlock_t *lock)
{
	GSYNC_PROBE1(spinlock_entry, lock);
	gsync_lockword_lock_slow(&lock->lock, GSYNC_KIND_SPINLOCK_, NULL);
	GSYNC_PROBE1(spinlock_acquired, lock);
}

int gsync_spinlock_timedlock(gsync_spinlock_t *lock, const struct timespec *deadline)
{
	int error;

	if (gsync_spinlock_trylock(lock) == 0)
		return 0;
	GSYNC_PROBE2(spinlock_timedlock_entry, lock, deadline);
	error = gsync_lockword_lock_slow(&lock->lock, GSYNC_KIND_SPINLOCK_, deadline);
	if (error == 0)
		GSYNC_PROBE1(spinlock_timedlock_acquired, lock);
	return error;
}

void gsync_spinlock_unlock_slow_(gsync_spinlock_t *lock)
{
	gsync_wakes_for(GSYNC_KIND_SPINLOCK_);
	GSYNC_PROBE1(spinlock_release, lock);
	gsync_lockword_unlock_slow(&lock->lock);
}
