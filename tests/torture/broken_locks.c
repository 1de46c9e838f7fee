/* SPDX-License-Identifier: MIT */
/*
 * One lock in three states, free, held, held with sleepers, in the manner of
 * Drepper's "Futexes Are Tricky"; and what becomes of it with one fault each. The
 * faults are rare, as they are in life: a lock that fails at once needs no torture.
 */
#include "tests/torture/broken.h"

#include <errno.h>
#include <guestsync/barrier.h>

#include "cli/torture.h"
#include "primitives/futex.h"

#define USES_PER_FAULT 100u

enum { FREE, HELD, SLEPT_ON };

struct word {
	uint32_t state;
	uint32_t uses; /* after the release it is touched by the broken one only */
};

static int make(void *lock)
{
	*(struct word *)lock = (struct word){ FREE, 0 };
	return 0;
}

static int end(void *lock)
{
	return __atomic_load_n(&((struct word *)lock)->state, __ATOMIC_ACQUIRE) == FREE ? 0 : EBUSY;
}

static bool is_time_for_a_fault(void)
{
	return torture_draw(USES_PER_FAULT) == 0;
}

/* ---- the lock as it should be */

static int try(void *lock, struct bench_node *node)
{
	uint32_t seen = FREE;

	(void)node;
	return __atomic_compare_exchange_n(&((struct word *)lock)->state, &seen, HELD, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED) ?
		       0 :
		       EBUSY;
}

static int wait(struct word *word, const struct timespec *deadline)
{
	while (__atomic_exchange_n(&word->state, SLEPT_ON, __ATOMIC_ACQUIRE) != FREE) {
		if (gsync_futex_wait(&word->state, SLEPT_ON, GSYNC_ANYBODY, deadline, false) != GSYNC_SLEEP_TIMED_OUT)
			continue;
		/* A wake-up may have come at the same time: pass it on. */
		gsync_futex_wake(&word->state, 1, GSYNC_ANYBODY, false);
		return ETIMEDOUT;
	}
	return 0;
}

static void take(void *lock, struct bench_node *node)
{
	if (try(lock, node) != 0)
		wait(lock, NULL);
}

static int take_timed(void *lock, struct bench_node *node, const struct timespec *deadline)
{
	return try(lock, node) == 0 ? 0 : wait(lock, deadline);
}

static void release(void *lock, struct bench_node *node)
{
	struct word *word = lock;

	(void)node;
	if (__atomic_exchange_n(&word->state, FREE, __ATOMIC_RELEASE) == SLEPT_ON)
		gsync_futex_wake(&word->state, 1, GSYNC_ANYBODY, false);
}

/* ---- and with its faults */

static void take_at_times(void *lock, struct bench_node *node)
{
	if (!is_time_for_a_fault())
		take(lock, node);
}

static void release_and_forget(void *lock, struct bench_node *node)
{
	struct word *word = lock;

	if (is_time_for_a_fault())
		__atomic_store_n(&word->state, FREE, __ATOMIC_RELEASE);
	else
		release(lock, node);
}

static void release_and_count(void *lock, struct bench_node *node)
{
	struct word *word = lock;

	release(lock, node);
	__atomic_fetch_add(&word->uses, 1u, __ATOMIC_RELAXED);
}

static int give_up_early(void *lock, struct bench_node *node, const struct timespec *deadline)
{
	if (try(lock, node) == 0)
		return 0;
	return is_time_for_a_fault() ? ETIMEDOUT : wait(lock, deadline);
}

#define LOCK(entry, table_name, in_order, by, timed_by, released_by)                                                   \
	const struct bench_lock entry = {                                                                              \
		.name = table_name,                                                                                    \
		.ours = true,                                                                                          \
		.fifo = (in_order),                                                                                    \
		.visible_to_tsan = true,                                                                               \
		.size = sizeof(struct word),                                                                           \
		.init = make,                                                                                          \
		.destroy = end,                                                                                        \
		.lock = by,                                                                                            \
		.unlock = released_by,                                                                                 \
		.trylock = try,                                                                                        \
		.timedlock = timed_by,                                                                                 \
	};

LOCK(sound, "sound", false, take, take_timed, release)
LOCK(broken_exclusion, "broken_exclusion", false, take_at_times, take_timed, release)
LOCK(broken_wake_up, "broken_wake_up", false, take, take_timed, release_and_forget)
LOCK(broken_order, "broken_order", true, take, take_timed, release)
LOCK(broken_end, "broken_end", false, take, take_timed, release_and_count)
LOCK(broken_timeout, "broken_timeout", false, take, give_up_early, release)

/* ---- barriers */

static int make_barrier(void *barrier, unsigned threads)
{
	return gsync_barrier_init(barrier, threads, GSYNC_PROCESS_PRIVATE);
}

static int end_barrier(void *barrier)
{
	return gsync_barrier_destroy(barrier);
}

static int make_shared_at_times(void *barrier, unsigned threads)
{
	return gsync_barrier_init(barrier, threads, is_time_for_a_fault() ? GSYNC_PROCESS_PRIVATE : GSYNC_PROCESS_SHARED);
}

static bool pass(void *barrier, struct bench_node *node)
{
	(void)node;
	return gsync_barrier_wait(barrier) == GSYNC_BARRIER_SERIAL_THREAD;
}

static bool pass_at_times(void *barrier, struct bench_node *node)
{
	return !is_time_for_a_fault() && pass(barrier, node);
}

#define BARRIER(entry, table_name, shared_by, passed_by)                                                               \
	const struct bench_barrier entry = {                                                                           \
		.name = table_name,                                                                                    \
		.ours = true,                                                                                          \
		.visible_to_tsan = true,                                                                               \
		.reports_serial = true,                                                                                \
		.size = sizeof(gsync_barrier_t),                                                                       \
		.init = make_barrier,                                                                                  \
		.init_shared = shared_by,                                                                              \
		.destroy = end_barrier,                                                                                \
		.wait = passed_by,                                                                                     \
	};

BARRIER(broken_barrier, "broken_barrier", NULL, pass_at_times)
BARRIER(broken_sharing, "broken_sharing", make_shared_at_times, pass)
