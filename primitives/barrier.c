/* SPDX-License-Identifier: MIT */
/*
 * gsync_barrier: a counting barrier that spins only where all participants can
 * run at once, and that may be destroyed as soon as one of them has returned.
 *
 * state, 64 bits:
 *
 *   33-63  the number of the phase
 *   32     SLEEPERS: somebody sleeps in it
 *   31     DESTROYER: destroy waits for those who are leaving
 *   16-30  leaving: who has been released and may still touch the barrier
 *    0-15  arrived; those beyond COUNT, while a phase is just being ended, belong to the next
 *
 *   change                                by
 *   arrived + 1                           each participant, when it comes; tells it its phase
 *   SLEEPERS, 0 to 1                      a waiter, before it sleeps
 *   phase + 1, SLEEPERS = 0, arrived -    the last of COUNT to arrive; one step, its last access
 *   COUNT, leaving + COUNT - 1
 *   leaving - 1                           each of the others; its last access
 *   DESTROYER, 0 to 1                     destroy, when nobody has arrived and some are leaving
 *
 * No wake-up is lost: a waiter sleeps on an upper half of state in which it has
 * seen SLEEPERS and its phase not ended; futex compares it again. The step that
 * ends the phase either finds SLEEPERS, and wakes all, or comes first, and the
 * waiter sees another phase. Everybody is woken, so clearing SLEEPERS is right.
 * A phase has ended unless state shows it or one of the 32767 before, from where
 * early comers wait. Where more than COUNT threads take part, a waiter that is off
 * its CPU for 2^31 phases, minutes, and looks just then, sleeps for a few more.
 *
 * Destruction: after the step that ends a phase its last thread touches nothing;
 * each of the others is counted in leaving until its decrement, and destroy waits
 * for leaving = 0. The one whose decrement leaves nobody but DESTROYER wakes it, by
 * the address only.
 *
 * Order: arriving is acquire-release, so the last to arrive has seen all that
 * the others did before; ending the phase is release and seen by acquire, so
 * all see it after. Leaving is release, destroy's look acquire.
 */
#include <guestsync/barrier.h>

#include "primitives/futex.h"
#include "primitives/probes.h"
#include "primitives/spin.h"
#include "primitives/tally.h"

#define ARRIVED ((uint64_t)1)
#define LEAVING ((uint64_t)1 << 16)
#define DESTROYER ((uint64_t)1 << 31)
#define SLEEPERS ((uint64_t)1 << 32)
#define ONE_PHASE ((uint64_t)1 << 33)

static uint32_t arrived_of(uint64_t state)
{
	return (uint32_t)state & 0xffffu;
}

static uint32_t leaving_of(uint64_t state)
{
	return (uint32_t)state >> 16 & 0x7fffu;
}

/* The number of the phase, twice: the upper half of state without SLEEPERS. */
static uint32_t phase_of(uint64_t state)
{
	return (uint32_t)(state >> 32) & ~1u;
}

/* An early comer's phase lies ahead, but by no more than there are threads. */
static bool has_ended(uint64_t state, uint32_t phase)
{
	return phase - phase_of(state) > phase_of(ONE_PHASE) * GSYNC_BARRIER_COUNT_MAX;
}

/* A waiter sleeps on the upper half of state, the phase and SLEEPERS; destroy on the lower, who is leaving. */
static uint32_t *phase_half(gsync_barrier_t *barrier)
{
	return gsync_upper_half(&barrier->state);
}

static uint32_t *leaving_half(gsync_barrier_t *barrier)
{
	return gsync_lower_half(&barrier->state);
}

static bool is_shared(gsync_barrier_t *barrier)
{
	return (barrier->flags & GSYNC_PROCESS_SHARED) != 0;
}

static uint64_t look(gsync_barrier_t *barrier)
{
	return __atomic_load_n(&barrier->state, __ATOMIC_ACQUIRE);
}

int gsync_barrier_init(gsync_barrier_t *barrier, uint32_t count, unsigned flags)
{
	gsync_barrier_t fresh = GSYNC_BARRIER_INIT(count);

	if (count == 0 || count > GSYNC_BARRIER_COUNT_MAX || (flags & ~GSYNC_PROCESS_SHARED) != 0)
		return EINVAL;
	fresh.flags = flags;
	GSYNC_PROBE2(barrier_init, barrier, count);
	*barrier = fresh;
	return 0;
}

int gsync_barrier_destroy(gsync_barrier_t *barrier)
{
	bool shared = is_shared(barrier);
	uint64_t seen = look(barrier);

	GSYNC_PROBE1(barrier_destroy, barrier);
	if (arrived_of(seen) != 0)
		return EBUSY;
	while (leaving_of(seen) != 0) {
		seen = __atomic_or_fetch(&barrier->state, DESTROYER, __ATOMIC_ACQUIRE);
		if (leaving_of(seen) == 0)
			break;
		gsync_futex_wait(leaving_half(barrier), (uint32_t)seen, GSYNC_ANYBODY, NULL, shared);
		seen = look(barrier);
	}
	return 0;
}

/*
 * Where participants are off their CPUs most of the time, as in a guest with more
 * vCPUs than its host has CPUs for, which need not show in anything that can be
 * read there, patience keeps from running those who are waited for. Spinning pays
 * where it is rewarded four times out of five: in vain it costs about four times
 * what it saves else. Yields pay sooner: they let those run. A thread that has not
 * had so much luck of late sleeps at once, and tries only every so many times,
 * more seldom each time that it was in vain.
 */
#define LOSS 4
#define LOSS_BY_YIELDS 1
#define DISCOURAGED 12
#define WAITS_PER_TRY 256u
#define WAITS_PER_TRY_MOST 2048u

static __thread int losses __attribute__((tls_model("initial-exec"))); /* 0 to DISCOURAGED + LOSS */
static __thread uint32_t waits __attribute__((tls_model("initial-exec"))); /* until the next try */
static __thread uint32_t waits_per_try __attribute__((tls_model("initial-exec")));

static bool has_hope(void)
{
	if (losses < DISCOURAGED)
		return true;
	if (waits > 0) {
		waits--;
		return false;
	}
	waits = waits_per_try;
	return true;
}

static void learn(bool in_vain, bool crowded)
{
	if (!in_vain) {
		losses -= losses > 0;
	} else if (losses < DISCOURAGED) {
		losses += crowded ? LOSS_BY_YIELDS : LOSS;
		waits_per_try = WAITS_PER_TRY;
	} else if (waits_per_try < WAITS_PER_TRY_MOST) {
		waits_per_try *= 2;
	}
}

/* Spins if every participant can have a CPU, then yields: until the phase has ended (true) or patience ends. */
static bool spin(gsync_barrier_t *barrier, uint32_t phase)
{
	const struct gsync_tuning tuning = gsync_tuning();
	bool crowded = barrier->count > tuning.usable_cpus;
	bool ended = false;
	struct gsync_spin spin;
	uint32_t yields = 0;

	gsync_spin_start(&spin, crowded ? 0 : tuning.barrier, tuning.pauses);
	do
		ended = has_ended(look(barrier), phase);
	while (!ended && gsync_spin_again(&spin));
	for (; !ended && yields < tuning.barrier_yields && gsync_spin_yield(); yields++) {
		ended = has_ended(look(barrier), phase);
		if (!ended)
			gsync_look_if_due(gsync_ticks(), true);
	}
	/* Beside others nobody yields: that is soon over, and no bad luck. */
	if (!crowded || yields > 0)
		learn(!ended, crowded);
	return ended;
}

static void spin_or_sleep(gsync_barrier_t *barrier, uint32_t phase)
{
	bool shared = is_shared(barrier);
	uint64_t seen;

	if (has_hope() && spin(barrier, phase))
		return;
	gsync_patience_ended(NULL);
	while (!has_ended(seen = look(barrier), phase)) {
		if ((seen & SLEEPERS) == 0 &&
		    !__atomic_compare_exchange_n(&barrier->state, &seen, seen | SLEEPERS, false, __ATOMIC_RELAXED,
						 __ATOMIC_RELAXED))
			continue;
		gsync_futex_wait(phase_half(barrier), (uint32_t)((seen | SLEEPERS) >> 32), GSYNC_ANYBODY, NULL, shared);
	}
}

static void wait_for_end(gsync_barrier_t *barrier, uint32_t phase)
{
	struct gsync_wait wait = gsync_wait_begins(GSYNC_KIND_BARRIER_);

	GSYNC_PROBE1(barrier_entry, barrier);
	spin_or_sleep(barrier, phase);
	gsync_wait_ends(&wait, 0);
	GSYNC_PROBE1(barrier_passed, barrier);
}

/* By the address only: the barrier may be gone. */
static void wake_all(uint32_t *half, bool shared)
{
	gsync_wakes_for(GSYNC_KIND_BARRIER_);
	gsync_futex_wake(half, GSYNC_WAKE_ALL, GSYNC_ANYBODY, shared);
}

static void leave(gsync_barrier_t *barrier)
{
	bool shared = is_shared(barrier);
	uint64_t left = __atomic_sub_fetch(&barrier->state, LEAVING, __ATOMIC_RELEASE);

	if ((left & DESTROYER) != 0 && leaving_of(left) == 0)
		wake_all(leaving_half(barrier), shared);
}

static void end_phase(gsync_barrier_t *barrier, uint64_t seen, uint32_t count)
{
	bool shared = is_shared(barrier);
	uint64_t step = ONE_PHASE - count * ARRIVED + (count - 1) * LEAVING;

	GSYNC_PROBE1(barrier_release, barrier);
	while (!__atomic_compare_exchange_n(&barrier->state, &seen, (seen & ~SLEEPERS) + step, false, __ATOMIC_RELEASE,
					    __ATOMIC_RELAXED)) {
		/* somebody came early for the next phase, left the last, or went to sleep */
	}
	if ((seen & SLEEPERS) != 0)
		wake_all(phase_half(barrier), shared);
}

int gsync_barrier_wait(gsync_barrier_t *barrier)
{
	uint32_t count = barrier->count > 0 ? barrier->count : 1;
	uint64_t now = __atomic_add_fetch(&barrier->state, ARRIVED, __ATOMIC_ACQ_REL);
	uint32_t phase = phase_of(now);
	uint32_t place = arrived_of(now);

	/* The phase before is just being ended: this thread belongs to a later one. */
	for (; place > count; place -= count)
		phase += phase_of(ONE_PHASE);
	if (place < count) {
		wait_for_end(barrier, phase);
		leave(barrier);
		return 0;
	}
	if (phase != phase_of(now)) {
		wait_for_end(barrier, phase - phase_of(ONE_PHASE));
		now = look(barrier);
	} else {
		gsync_acquired_(GSYNC_KIND_BARRIER_);
	}
	end_phase(barrier, now, count);
	return GSYNC_BARRIER_SERIAL_THREAD;
}
