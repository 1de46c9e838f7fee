/* SPDX-License-Identifier: MIT */
/* The slow half of the lock word that gsync_spinlock and gsync_mutex share. */
#ifndef GUESTSYNC_PRIMITIVES_LOCKWORD_H
#define GUESTSYNC_PRIMITIVES_LOCKWORD_H

#include <guestsync/lockword.h>

#include <stdbool.h>

/* Returns 0, or EINVAL for a flag it does not know. */
int gsync_lockword_init(gsync_lockword_t *lock, unsigned flags);

/* Returns 0, or EBUSY when the lock is held. */
int gsync_lockword_destroy(gsync_lockword_t *lock);

/*
 * Waits for a lock that was just found held, and tells the statistics of it as of
 * one of that KIND; DEADLINE may be NULL. Returns 0, ETIMEDOUT or EINVAL.
 */
int gsync_lockword_lock_slow(gsync_lockword_t *lock, unsigned kind, const struct timespec *deadline);

/* Releases a lock that the plain store may not, and wakes a sleeper. */
void gsync_lockword_unlock_slow(gsync_lockword_t *lock);

/* Whether it is worth asking for the time: somebody sleeps, and could take a hand-over. */
bool gsync_lockword_may_hand_over(const gsync_lockword_t *lock);

/*
 * Gives the held lock to a waiter that has slept; false when that cannot be done, and the lock is still held. Never
 * done for a process-shared lock: the one who is to take it could be killed.
 */
bool gsync_lockword_hand_over(gsync_lockword_t *lock);

#endif
