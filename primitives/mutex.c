/* SPDX-License-Identifier: MIT */
/*
 * gsync_mutex: spin, then sleep; barging, with a fair hand-over now and then.
 *
 * The word. L: held. W: somebody may sleep. H: the holder is handing over: it
 * has announced it and is waking a sleeper. G: granted: no holder any more;
 * whoever has slept may take it. An unlocked word is 0.
 *
 *   from       to          by
 *   0          L           any thread: the fast path, or a waiter that never slept
 *   0          L|W         a waiter that has slept
 *   L…         L|W…        a waiter, before it sleeps (and clears H if it has slept before: see below)
 *   L          0           unlock
 *   L|W        0, wake 1   unlock
 *   L|W        L|W|H       unlock, when a hand-over is due
 *   L|W|H      L|W|G       the same unlock, after its wake-up found a sleeper
 *   L|W|H      0, wake 1   the same unlock, when it found none
 *   L|W|H      L|W         a waiter that has slept and sleeps again or gives up: nobody may be left to take a grant
 *   L|W        0, wake 1   … then the unlock does this
 *   L|W|G      L|W         a waiter that has slept: the grant is taken
 *
 * Exclusion: L is set from free by compare-and-swap only; while G is set, L
 * stays set, and the compare-and-swap that clears G has one winner.
 *
 * No wake-up is lost: (1) a sleeper sleeps only on a word in which it has seen
 * L and W, and futex compares that word again, so a release that comes before
 * the sleep changes the word, and one that comes after sees W and wakes. (2) A
 * release clears W but wakes one; that one, until it has the lock with W set
 * again, has set W for its next sleep, or has passed the wake-up on by giving
 * up, is awake and stands for all who still sleep. (3) A grant is made only
 * while a waiter that has slept is awake: the wake-up came before it, and such
 * a waiter clears H before it goes back to sleep or gives up.
 *
 * Nothing is touched after the release: unlock ends with the exchange that
 * makes the word 0 or L|W|G; the wake-up after a release to 0 uses the address
 * only, and a hand-over wakes before it grants.
 *
 * Order: the lock is taken by acquire operations and given up, also by grant,
 * by release operations on the same word, so each critical section happens
 * before the next. All else on the word is relaxed: it carries no data.
 *
 * meta: bit 0 process-shared (constant); the rest is when the next hand-over is
 * due, in units of 1024 ticks, written by the holder only.
 */
#include <guestsync/mutex.h>

#include "primitives/futex.h"
#include "primitives/spin.h"

#include <sched.h>

#define L GSYNC_MUTEX_LOCKED_
#define W 2u
#define H 4u
#define G 8u

#define META_SHARED 1u

int gsync_mutex_init(gsync_mutex_t *mutex, unsigned flags)
{
	if ((flags & ~GSYNC_PROCESS_SHARED) != 0)
		return EINVAL;
	__atomic_store_n(&mutex->meta, flags == GSYNC_PROCESS_SHARED ? META_SHARED : 0, __ATOMIC_RELAXED);
	__atomic_store_n(&mutex->word, 0u, __ATOMIC_RELEASE);
	return 0;
}

int gsync_mutex_destroy(gsync_mutex_t *mutex)
{
	return __atomic_load_n(&mutex->word, __ATOMIC_ACQUIRE) == 0 ? 0 : EBUSY;
}

static bool is_shared(gsync_mutex_t *mutex)
{
	return (__atomic_load_n(&mutex->meta, __ATOMIC_RELAXED) & META_SHARED) != 0;
}

static bool change(gsync_mutex_t *mutex, uint32_t *seen, uint32_t to, int order)
{
	return __atomic_compare_exchange_n(&mutex->word, seen, to, false, order, __ATOMIC_RELAXED);
}

/* Takes the mutex if SEEN lets this waiter; a waiter that has slept stands for the other sleepers and keeps W. */
static bool take(gsync_mutex_t *mutex, uint32_t *seen, bool has_slept)
{
	if (*seen == 0)
		return change(mutex, seen, has_slept ? L | W : L, __ATOMIC_ACQUIRE);
	if (has_slept && (*seen & G) != 0)
		return change(mutex, seen, L | W, __ATOMIC_ACQUIRE);
	return false;
}

/*
 * Spins until the mutex is taken (true) or patience ends. A running thread
 * cannot take a granted mutex, so it makes room for the one that can.
 */
static bool spin(gsync_mutex_t *mutex, bool has_slept)
{
	const struct gsync_tuning *tuning = gsync_tuning();
	struct gsync_spin spin;
	uint32_t seen;

	gsync_spin_start(&spin, tuning->spin, tuning->backoff);
	do {
		seen = __atomic_load_n(&mutex->word, __ATOMIC_RELAXED);
		if (take(mutex, &seen, has_slept))
			return true;
		if ((seen & G) != 0 && !has_slept)
			gsync_spin_yield();
	} while (gsync_spin_again(&spin));
	return false;
}

/*
 * Gives up after a sleep, unless the mutex can be had after all. Returns 0 or
 * ETIMEDOUT. An earlier wake-up may have been spent on this thread, so it wakes
 * another: the rest must not miss theirs.
 */
static int give_up(gsync_mutex_t *mutex)
{
	uint32_t seen = __atomic_load_n(&mutex->word, __ATOMIC_RELAXED);

	do {
		if (take(mutex, &seen, true))
			return 0;
	} while (seen == 0 || (seen & G) != 0 ||
		 ((seen & H) != 0 && !change(mutex, &seen, seen & ~H, __ATOMIC_RELAXED)));
	gsync_futex_wake(&mutex->word, 1, GSYNC_ANYBODY, is_shared(mutex));
	return ETIMEDOUT;
}

static int lock_slow(gsync_mutex_t *mutex, const struct timespec *deadline)
{
	bool has_slept = false;

	while (!spin(mutex, has_slept)) {
		uint32_t seen = __atomic_load_n(&mutex->word, __ATOMIC_RELAXED);
		uint32_t sleeping = (has_slept ? seen & ~H : seen) | W;

		if (seen == 0 || (has_slept && (seen & G) != 0))
			continue;
		gsync_patience_ended();
		if (sleeping != seen && !change(mutex, &seen, sleeping, __ATOMIC_RELAXED))
			continue;
		if (gsync_futex_wait(&mutex->word, sleeping, GSYNC_ANYBODY, deadline, is_shared(mutex)))
			return give_up(mutex);
		has_slept = true;
	}
	return 0;
}

void gsync_mutex_lock_slow_(gsync_mutex_t *mutex)
{
	lock_slow(mutex, NULL);
}

int gsync_mutex_timedlock(gsync_mutex_t *mutex, const struct timespec *deadline)
{
	if (gsync_mutex_trylock(mutex) == 0)
		return 0;
	if (!gsync_deadline_valid(deadline))
		return EINVAL;
	return lock_slow(mutex, deadline);
}

static bool hand_over_due(gsync_mutex_t *mutex)
{
	const uint32_t mask = UINT32_MAX >> 1;
	uint32_t meta = __atomic_load_n(&mutex->meta, __ATOMIC_RELAXED);
	uint32_t interval = (uint32_t)(gsync_tuning()->fair >> 10);
	uint32_t now = (uint32_t)(gsync_ticks() >> 10) & mask;

	/* A due time further ahead than one interval is one that is long past: the clock wraps. */
	if ((((meta >> 1) - now - 1) & mask) < interval)
		return false;
	__atomic_store_n(&mutex->meta, ((now + interval) & mask) << 1 | (meta & META_SHARED), __ATOMIC_RELAXED);
	return true;
}

/* Gives the held mutex to one that has slept; false when that cannot be done, and the mutex is still held. */
static bool hand_over(gsync_mutex_t *mutex, bool shared)
{
	uint32_t seen = L | W;

	if (!change(mutex, &seen, L | W | H, __ATOMIC_RELAXED))
		return false;
	if (gsync_futex_wake(&mutex->word, 1, GSYNC_ANYBODY, shared) == 0)
		return false;
	seen = L | W | H;
	return change(mutex, &seen, L | W | G, __ATOMIC_RELEASE);
}

void gsync_mutex_unlock_slow_(gsync_mutex_t *mutex)
{
	bool shared = is_shared(mutex);

	if (hand_over_due(mutex) && hand_over(mutex, shared)) {
		/* The new owner may wait for this very CPU. */
		gsync_spin_yield();
		return;
	}
	if ((__atomic_exchange_n(&mutex->word, 0u, __ATOMIC_RELEASE) & W) != 0)
		gsync_futex_wake(&mutex->word, 1, GSYNC_ANYBODY, shared);
}
