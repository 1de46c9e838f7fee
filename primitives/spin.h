/* SPDX-License-Identifier: MIT */
/*
 * The one spin engine. A waiter spins against a deadline in time, not a number
 * of iterations, but for its first looks: PAUSE differs 20-fold between CPUs.
 * Between two looks at the lock it PAUSEs, longer each time up to a cap, so that
 * many waiters leave the holder's cache line alone. It reads the clock every few
 * PAUSEs only, and not at all in the shortest of waits: in a guest that may be the
 * dearest of instructions. (QEMU's emulation takes a lock for it that all vCPUs share.)
 *
 *     struct gsync_spin spin;
 *
 *     gsync_spin_start(&spin, budget, tuning.backoff);
 *     while (the lock is held)
 *         if (!gsync_spin_again(&spin))
 *             break;          // out of patience: sleep
 */
#ifndef GUESTSYNC_PRIMITIVES_SPIN_H
#define GUESTSYNC_PRIMITIVES_SPIN_H

#include "detect/clock.h"
#include "detect/tuning.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A waiter is about to sleep until DEADLINE (NULL = none): the moment to learn
 * what sleeping costs here, unless that would make it miss its deadline, and,
 * now and then, whether the machine has changed.
 */
void gsync_patience_ended(const struct timespec *deadline);

/*
 * How many looks a wait for a lock word begins with, each after a PAUSE, before it needs anything else: the shortest
 * waits are over by then, and would last longer if they did more. With GSYNC_BARE_LOOKS, under emulation, there are no
 * PAUSEs: there each costs as much as many looks, and who is to read the clock does so first, and looks then.
 */
static inline uint32_t gsync_spin_first_looks(void)
{
	return __atomic_load_n(&gsync_live.first_looks, __ATOMIC_RELAXED);
}

struct gsync_spin {
	uint64_t start; /* when the clock was read first, and last; 0 = not yet */
	uint64_t now;
	uint64_t budget;
	uint32_t pauses;     /* the next backoff */
	uint32_t pauses_max;
	uint32_t unread; /* pauses since then */
};

#define GSYNC_PAUSES_PER_READING 8 /* of the clock, at the least */

/*
 * PAUSES_MAX bounds the backoff: the tuning's pauses for a waiter whose turn is sure to come, its backoff where
 * many compete, 1 where looking takes longer than a PAUSE. The budget begins when the clock is read first.
 */
static inline void gsync_spin_start(struct gsync_spin *spin, uint64_t budget, uint32_t pauses_max)
{
	spin->start = spin->now = 0;
	spin->budget = budget;
	spin->pauses = 1;
	spin->pauses_max = pauses_max;
	spin->unread = 0;
}

static inline void gsync_spin_read_clock(struct gsync_spin *spin)
{
	spin->now = gsync_ticks();
	spin->unread = 0;
	if (spin->start == 0)
		spin->start = spin->now;
}

/* Waits a moment; false when the budget is used up. */
static inline bool gsync_spin_again(struct gsync_spin *spin)
{
	if (spin->now - spin->start >= spin->budget)
		return false;
	for (uint32_t i = 0; i < spin->pauses; i++)
		gsync_pause();
	spin->unread += spin->pauses;
	if (spin->unread >= GSYNC_PAUSES_PER_READING)
		gsync_spin_read_clock(spin);
	if (spin->pauses < spin->pauses_max)
		spin->pauses *= 2;
	return true;
}

/* How long it has spun, but for the first and the last moments. */
static inline uint64_t gsync_spin_elapsed(const struct gsync_spin *spin)
{
	return spin->now - spin->start;
}

/*
 * Lets others run, where that is cheap: false, at once, while yields on this
 * machine do not come back quickly (foreign work uses the CPUs), so that a
 * yielding waiter does not hand whole time slices to strangers.
 */
bool gsync_spin_yield(void);

/*
 * The same as part of a spin, and also beside others as long as they answer it in
 * kind, or have nothing of it (detect/pressure.h). To the spin's budget no more
 * than CHARGE_MOST of it counts: a yield that comes back at once is a way to spin,
 * but what others did with this CPU meanwhile was not spent in vain. One who has a
 * deadline charges all.
 */
void gsync_spin_make_room(struct gsync_spin *spin, uint64_t charge_most);

/* When this thread last made room, or tried to, or slept for an oticket; in ticks. */
extern __thread uint64_t gsync_turn_began __attribute__((tls_model("initial-exec")));

/* Whether it has had its CPU for a whole turn by NOW, in a crowd where others are to have theirs. */
static inline bool gsync_turn_is_over(const struct gsync_tuning *tuning, uint64_t now)
{
	return now - gsync_turn_began > tuning->crowd_turn;
}

#endif
