/* SPDX-License-Identifier: MIT */
/*
 * gsync_barrier: a counting barrier that spins only where all participants can
 * run at once, and that may be destroyed as soon as one of them has returned.
 *
 * state: bits 33-63 number the phase; bit 32, SLEEPERS, somebody sleeps in it;
 * bits 0-31 count who has arrived. Arrivals beyond COUNT, while the phase is
 * just being ended, belong to the next one.
 * leaving: how many were released and may still touch the barrier; its top bit,
 * DESTROYER, says that one waits for them.
 *
 *   change                                       by
 *   arrived + 1                                  each participant, when it comes; tells it its phase
 *   SLEEPERS, 0 to 1                             a waiter, before it sleeps, while its phase has not ended
 *   leaving + (COUNT - 1)                        the one who completes the phase, before it ends it
 *   phase + 1, arrived - COUNT, SLEEPERS = 0     the same, in one step; its last access
 *   leaving - 1                                  each of the others; its last access
 *   DESTROYER, 0 to 1                            destroy, when nobody has arrived and some are leaving
 *
 * No wake-up is lost: a waiter sleeps on an upper half of state in which it has
 * seen SLEEPERS and a phase no later than its own; futex compares it again. The
 * step that ends the phase either finds SLEEPERS, and wakes all, or comes first,
 * and the waiter sees a later phase. Everybody is woken, so clearing SLEEPERS is
 * right. The number of the phase cannot come round to a waiter's own: there are
 * 2^31 of them, and half that many threads.
 *
 * Destruction: after the step that ends a phase its last thread touches nothing;
 * each of the others is counted in leaving until its decrement, and destroy waits
 * for leaving = 0. The one whose decrement leaves only DESTROYER wakes it, by the
 * address only.
 *
 * Order: arriving is acquire-release, so the last to arrive has seen all that
 * the others did before; ending the phase is release and seen by acquire, so
 * all see it after. Leaving is release, destroy's look acquire.
 */
#include <guestsync/barrier.h>

#include "primitives/futex.h"
#include "primitives/spin.h"

#define ARRIVED ((uint64_t)1)
#define SLEEPERS ((uint64_t)1 << 32)
#define ONE_PHASE ((uint64_t)1 << 33)
#define DESTROYER (1u << 31)

int gsync_barrier_init(gsync_barrier_t *barrier, uint32_t count, unsigned flags)
{
	gsync_barrier_t fresh = GSYNC_BARRIER_INIT(count);

	if (count == 0 || count > GSYNC_BARRIER_COUNT_MAX || (flags & ~GSYNC_PROCESS_SHARED) != 0)
		return EINVAL;
	fresh.flags = flags;
	*barrier = fresh;
	return 0;
}

int gsync_barrier_destroy(gsync_barrier_t *barrier)
{
	bool shared = (barrier->flags & GSYNC_PROCESS_SHARED) != 0;
	uint32_t leaving;

	if ((uint32_t)__atomic_load_n(&barrier->state, __ATOMIC_ACQUIRE) != 0)
		return EBUSY;
	if (__atomic_load_n(&barrier->leaving, __ATOMIC_ACQUIRE) == 0)
		return 0;
	__atomic_fetch_or(&barrier->leaving, DESTROYER, __ATOMIC_RELAXED);
	while ((leaving = __atomic_load_n(&barrier->leaving, __ATOMIC_ACQUIRE)) != DESTROYER)
		gsync_futex_wait(&barrier->leaving, leaving, GSYNC_ANYBODY, NULL, shared);
	return 0;
}

/* The number of a phase, twice: the upper half of state without SLEEPERS. */
static uint32_t phase_of(uint64_t state)
{
	return (uint32_t)(state >> 32) & ~1u;
}

static bool has_ended(uint64_t state, uint32_t phase)
{
	return (int32_t)(phase_of(state) - phase) > 0;
}

/* Spins until the phase has ended (true) or patience ends: long only if every participant can have a CPU. */
static bool spin(gsync_barrier_t *barrier, uint32_t phase)
{
	const struct gsync_tuning *tuning = gsync_tuning();
	bool crowded = barrier->count > tuning->usable_cpus;
	struct gsync_spin spin;

	gsync_spin_start(&spin, crowded ? tuning->crowded : tuning->barrier, 1);
	do {
		if (has_ended(__atomic_load_n(&barrier->state, __ATOMIC_ACQUIRE), phase))
			return true;
	} while (gsync_spin_again(&spin));
	for (uint32_t i = 0; i < tuning->crowded_yields && gsync_spin_yield(); i++)
		if (has_ended(__atomic_load_n(&barrier->state, __ATOMIC_ACQUIRE), phase))
			return true;
	return false;
}

/* The half of state that a sleeper watches: the phase and SLEEPERS. */
static uint32_t *watched(gsync_barrier_t *barrier)
{
	return (uint32_t *)&barrier->state + (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
}

static void wait_for_end(gsync_barrier_t *barrier, uint32_t phase)
{
	bool shared = (barrier->flags & GSYNC_PROCESS_SHARED) != 0;
	uint64_t seen;

	if (spin(barrier, phase))
		return;
	gsync_patience_ended();
	while (!has_ended(seen = __atomic_load_n(&barrier->state, __ATOMIC_ACQUIRE), phase)) {
		if ((seen & SLEEPERS) == 0 &&
		    !__atomic_compare_exchange_n(&barrier->state, &seen, seen | SLEEPERS, false, __ATOMIC_RELAXED,
						 __ATOMIC_RELAXED))
			continue;
		gsync_futex_wait(watched(barrier), (uint32_t)((seen | SLEEPERS) >> 32), GSYNC_ANYBODY, NULL, shared);
	}
}

static void leave(gsync_barrier_t *barrier)
{
	bool shared = (barrier->flags & GSYNC_PROCESS_SHARED) != 0;

	if (__atomic_sub_fetch(&barrier->leaving, 1u, __ATOMIC_RELEASE) == DESTROYER)
		gsync_futex_wake(&barrier->leaving, GSYNC_WAKE_ALL, GSYNC_ANYBODY, shared);
}

static void end_phase(gsync_barrier_t *barrier, uint32_t count)
{
	bool shared = (barrier->flags & GSYNC_PROCESS_SHARED) != 0;
	uint64_t seen = __atomic_load_n(&barrier->state, __ATOMIC_RELAXED);

	if (count > 1)
		__atomic_fetch_add(&barrier->leaving, count - 1, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&barrier->state, &seen, (seen & ~SLEEPERS) + ONE_PHASE - count * ARRIVED, false,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
		/* somebody came early for the next phase, or went to sleep */
	}
	if ((seen & SLEEPERS) != 0)
		gsync_futex_wake(watched(barrier), GSYNC_WAKE_ALL, GSYNC_ANYBODY, shared);
}

int gsync_barrier_wait(gsync_barrier_t *barrier)
{
	uint32_t count = barrier->count > 0 ? barrier->count : 1;
	uint64_t before = __atomic_fetch_add(&barrier->state, ARRIVED, __ATOMIC_ACQ_REL);
	uint32_t phase = phase_of(before);
	uint32_t place = (uint32_t)before + 1;

	/* The phase before is just being ended: this thread belongs to a later one. */
	for (; place > count; place -= count)
		phase += phase_of(ONE_PHASE);
	if (place < count) {
		wait_for_end(barrier, phase);
		leave(barrier);
		return 0;
	}
	if (phase != phase_of(before))
		wait_for_end(barrier, phase - phase_of(ONE_PHASE));
	end_phase(barrier, count);
	return GSYNC_BARRIER_SERIAL_THREAD;
}
