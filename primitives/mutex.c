/* SPDX-License-Identifier: MIT */
/*
 * gsync_mutex: the lock word, and a clock. While threads sleep on it, every
 * fair_ns one unlock hands the mutex straight to one of them instead of letting
 * a running thread take it. In between, barging keeps the throughput.
 */
#include <guestsync/mutex.h>

#include "primitives/lockword.h"
#include "primitives/probes.h"
#include "primitives/spin.h"
#include "primitives/tally.h"

int gsync_mutex_init(gsync_mutex_t *mutex, unsigned flags)
{
	GSYNC_PROBE1(mutex_init, mutex);
	mutex->due = 0;
	return gsync_lockword_init(&mutex->lock, flags);
}

int gsync_mutex_destroy(gsync_mutex_t *mutex)
{
	GSYNC_PROBE1(mutex_destroy, mutex);
	return gsync_lockword_destroy(&mutex->lock);
}

void gsync_mutex_lock_slow_(gsync_mutex_t *mutex)
{
	GSYNC_PROBE1(mutex_entry, mutex);
	gsync_lockword_lock_slow(&mutex->lock, GSYNC_KIND_MUTEX_, NULL);
	GSYNC_PROBE1(mutex_acquired, mutex);
}

int gsync_mutex_timedlock(gsync_mutex_t *mutex, const struct timespec *deadline)
{
	int error;

	if (gsync_mutex_trylock(mutex) == 0)
		return 0;
	GSYNC_PROBE2(mutex_timedlock_entry, mutex, deadline);
	error = gsync_lockword_lock_slow(&mutex->lock, GSYNC_KIND_MUTEX_, deadline);
	if (error == 0)
		GSYNC_PROBE1(mutex_timedlock_acquired, mutex);
	return error;
}

static bool hand_over_due(gsync_mutex_t *mutex)
{
	uint32_t interval = (uint32_t)(gsync_tuning().fair >> 10);
	uint32_t now = (uint32_t)(gsync_ticks() >> 10);

	/* A due time further ahead than one interval is one that is long past: the clock wraps. */
	if (mutex->due - now - 1 < interval)
		return false;
	mutex->due = now + interval;
	return true;
}

void gsync_mutex_unlock_slow_(gsync_mutex_t *mutex)
{
	gsync_wakes_for(GSYNC_KIND_MUTEX_);
	GSYNC_PROBE1(mutex_release, mutex);
	/* Only the holder reads and writes the clock, so the lock itself orders it. */
	if (!gsync_lockword_may_hand_over(&mutex->lock) || !hand_over_due(mutex) ||
	    !gsync_lockword_hand_over(&mutex->lock))
		gsync_lockword_unlock_slow(&mutex->lock);
}
