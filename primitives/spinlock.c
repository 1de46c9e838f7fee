/* SPDX-License-Identifier: MIT */
/*
 * gsync_spinlock: a test-and-set lock in four bytes whose waiters sleep once
 * spinning has gone on for too long, and whose unlock is still a plain store.
 *
 * The word. L: held. W: somebody may sleep, and the next unlock must wake one.
 * P: one of the sleepers, the guard, has a timeout. S: process-shared, constant.
 *
 *   from      to          by
 *   -         L           any thread that has not slept: exchanges the byte L
 *   (any)     L|W         a waiter that has slept, in one step; the guard clears P in it
 *   L         L|W|P       a waiter, before it sleeps: it becomes the guard
 *   L|P       L|W|P       a waiter, before it sleeps
 *   L|W…      (same)      a waiter, before it sleeps
 *   L         -           unlock that read W = 0: stores the byte L, W and P stay as they are
 *   L|W       -, wake 1   unlock that read W = 1: clears L and W, P stays
 *   …W|P      …, wake 1   the guard gives up: clears W and P
 *
 * The hole and its cover. Between an unlock's look at W and its store of L a
 * waiter may set W and fall asleep; that unlock wakes nobody. Three facts cover
 * it. (1) This needs W to go from 0 to 1 during the holder's tenure, by a waiter;
 * and a waiter that does so makes sure that P is set, so there is a guard. (2)
 * The guard sleeps repair_ns at the most and looks again. It stays the guard
 * until it holds the lock with W set, or gives up. (3) W = 1 with P = 0 means
 * that the holder itself set W when it acquired, so it will see it. So "free,
 * and all asleep" implies a guard with a timeout: the wait is bounded, and no
 * other sleeper needs a timeout.
 *
 * Nobody is forgotten: an unlock that clears W wakes one sleeper, and who has
 * slept comes back with W: it acquires with W set, or sets it before it sleeps
 * again, or passes its wake-up on when it gives up. A guard that gives up clears
 * W and P together, so that the one it wakes, or the next to sleep, becomes the
 * guard.
 *
 * Orders. Taking L is acquire, clearing it is release; W, P and S carry no
 * data. The hole's argument needs more: that a locked instruction on any part
 * of the word and plain accesses to its bytes agree on one order. x86 gives
 * that (total store order, locked instructions are total); C11 has no words of
 * mixed-size accesses. Elsewhere, and for process-shared locks (whose guard
 * could be killed), unlock is always the slow one below, a read-modify-write of
 * the whole word, which has no hole; no waiter becomes the guard then.
 * Nothing is touched after the release: a wake-up uses the address only.
 */
#include <guestsync/spinlock.h>

#include "primitives/futex.h"
#include "primitives/spin.h"

#define FIELD(byte_index) (1u << (8 * (byte_index)))
#define L FIELD(0)
#define W FIELD(1)
#define P FIELD(2)
#define S FIELD(3)

_Static_assert((W | S) == GSYNC_SPINLOCK_W_OR_S_, "the header's mask");

int gsync_spinlock_init(gsync_spinlock_t *lock, unsigned flags)
{
	if ((flags & ~GSYNC_PROCESS_SHARED) != 0)
		return EINVAL;
	__atomic_store_n(&lock->word, flags == GSYNC_PROCESS_SHARED ? S : 0, __ATOMIC_RELEASE);
	return 0;
}

int gsync_spinlock_destroy(gsync_spinlock_t *lock)
{
	return (__atomic_load_n(&lock->word, __ATOMIC_ACQUIRE) & L) == 0 ? 0 : EBUSY;
}

/* What a waiter knows of its own past. */
struct waiter {
	bool has_slept;
	bool guard;
};

static bool change(gsync_spinlock_t *lock, uint32_t *seen, uint32_t to, int order)
{
	return __atomic_compare_exchange_n(&lock->word, seen, to, false, order, __ATOMIC_RELAXED);
}

/* Takes the lock if SEEN says that it is free. */
static bool take(gsync_spinlock_t *lock, uint32_t seen, const struct waiter *self)
{
	if ((seen & L) != 0)
		return false;
	if (!self->has_slept)
		return gsync_spinlock_trylock(lock) == 0;
	return change(lock, &seen, (self->guard ? seen & ~P : seen) | L | W, __ATOMIC_ACQUIRE);
}

static bool spin(gsync_spinlock_t *lock, const struct waiter *self)
{
	const struct gsync_tuning *tuning = gsync_tuning();
	struct gsync_spin spin;

	gsync_spin_start(&spin, tuning->spin, tuning->backoff);
	do {
		if (take(lock, __atomic_load_n(&lock->word, __ATOMIC_RELAXED), self))
			return true;
	} while (gsync_spin_again(&spin));
	return false;
}

/* Gives up after a sleep, unless the lock can be had after all. Returns 0 or ETIMEDOUT. */
static int give_up(gsync_spinlock_t *lock, const struct waiter *self)
{
	uint32_t seen = __atomic_load_n(&lock->word, __ATOMIC_RELAXED);

	do {
		if (take(lock, seen, self))
			return 0;
		seen = __atomic_load_n(&lock->word, __ATOMIC_RELAXED);
	} while ((seen & L) == 0 || (self->guard && !change(lock, &seen, seen & ~(W | P), __ATOMIC_RELAXED)));
	gsync_futex_wake(&lock->word, 1, GSYNC_ANYBODY, (seen & S) != 0);
	return ETIMEDOUT;
}

/* The guard's next look, or DEADLINE if that is sooner. Returns whether it is DEADLINE. */
static bool next_look(struct timespec *look, const struct timespec *deadline)
{
	uint64_t ns = gsync_monotonic_ns() + gsync_tuning()->repair_ns;

	look->tv_sec = (time_t)(ns / 1000000000u);
	look->tv_nsec = (long)(ns % 1000000000u);
	if (!deadline || deadline->tv_sec > look->tv_sec ||
	    (deadline->tv_sec == look->tv_sec && deadline->tv_nsec > look->tv_nsec))
		return false;
	*look = *deadline;
	return true;
}

/* Sleeps, if SEEN still stands. Returns true when DEADLINE ended it. */
static bool sleep_on(gsync_spinlock_t *lock, uint32_t seen, struct waiter *self, const struct timespec *deadline)
{
	bool shared = (seen & S) != 0;
	bool becomes_guard = GSYNC_SPINLOCK_PLAIN_STORE_ && (seen & (W | P | S)) == 0;
	uint32_t sleeping = seen | W | (becomes_guard ? P : 0);
	struct timespec look;
	bool is_deadline;

	if (sleeping != seen && !change(lock, &seen, sleeping, __ATOMIC_RELAXED))
		return false;
	self->guard |= becomes_guard;
	self->has_slept = true;
	if (!self->guard)
		return gsync_futex_wait(&lock->word, sleeping, GSYNC_ANYBODY, deadline, shared);
	is_deadline = next_look(&look, deadline);
	return gsync_futex_wait(&lock->word, sleeping, GSYNC_ANYBODY, &look, shared) && is_deadline;
}

static int lock_slow(gsync_spinlock_t *lock, const struct timespec *deadline)
{
	struct waiter self = { false, false };

	while (!spin(lock, &self)) {
		uint32_t seen = __atomic_load_n(&lock->word, __ATOMIC_RELAXED);

		gsync_patience_ended();
		if ((seen & L) != 0 && sleep_on(lock, seen, &self, deadline))
			return give_up(lock, &self);
	}
	return 0;
}

void gsync_spinlock_lock_slow_(gsync_spinlock_t *lock)
{
	lock_slow(lock, NULL);
}

int gsync_spinlock_timedlock(gsync_spinlock_t *lock, const struct timespec *deadline)
{
	if (gsync_spinlock_trylock(lock) == 0)
		return 0;
	if (!gsync_deadline_valid(deadline))
		return EINVAL;
	return lock_slow(lock, deadline);
}

void gsync_spinlock_unlock_slow_(gsync_spinlock_t *lock)
{
	uint32_t held = __atomic_fetch_and(&lock->word, ~(L | W), __ATOMIC_RELEASE);

	if ((held & W) != 0)
		gsync_futex_wake(&lock->word, 1, GSYNC_ANYBODY, (held & S) != 0);
}
