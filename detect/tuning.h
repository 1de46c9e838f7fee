/* SPDX-License-Identifier: MIT */
/*
 * The profile as waiters read it, while it is being replaced under them.
 *
 * Waiters copy what they need of it under RCU (liburcu's "bp" flavour, which
 * threads need not register for: ours are the caller's). Whoever is about to
 * sleep on a lock has time to spare, so it is one of those that now and then
 * looks at the machine again, and publishes a new profile if that has changed.
 * No thread of ours is needed; where nobody waits, nothing need be known.
 */
#ifndef GUESTSYNC_DETECT_TUNING_H
#define GUESTSYNC_DETECT_TUNING_H

#include "detect/clock.h"
#include "detect/pressure.h"
#include "detect/profile.h"

#include <errno.h>
#include <urcu/urcu-bp.h>

/* Times in ticks of gsync_ticks(), pauses in PAUSEs. */
struct gsync_tuning {
	uint64_t spin;
	uint64_t pressed_spin;
	uint64_t spin_floor;
	uint64_t woken_spin;
	uint64_t near;
	uint64_t fair;
	uint64_t crowd_turn; /* how long one keeps its CPU, in a crowd where others are to have it, too */
	uint64_t trial; /* gsync_live has it, too */
	uint64_t yield;
	uint64_t barrier;
	uint64_t pool;
	uint64_t share;
	uint64_t range;
	uint64_t slow_yield;   /* a yield that took this long gave the CPU to somebody else's work */
	uint64_t yield_recess; /* then nobody yields for this long */
	uint64_t throttled_most; /* throttling lasts no longer than this, unless it is found again */
	uint64_t rude_most; /* and of that */
	double ticks_per_ns;
	uint32_t repair_ns;
	uint32_t turn_ns; /* how long one is alone with a lock in solo */
	uint32_t pauses; /* between two looks, of one whose turn is sure to come */
	uint32_t backoff; /* the same, at the most, where many compete */
	uint32_t first_looks; /* gsync_live has it, too */
	uint32_t eager;
	uint32_t barrier_yields;
	uint32_t usable_cpus;
	uint32_t whole_cpus;
};

struct gsync_published {
	struct gsync_tuning tuning;
	struct gsync_profile profile;
	struct gsync_reasons reasons;
};

/* Read by every waiter, written a few times a second at the most: a line of its own. */
struct gsync_live {
	_Alignas(64) const struct gsync_published *published;
	uint64_t next_look;	/* when, in ticks, somebody should look at the machine again */
	uint64_t look_interval; /* in ticks; next_look is never further ahead, unless the clock was set back; 0 = never look */
	uint64_t pressed_until; /* there is pressure, if this lies ahead; in ticks, 0 = none */
	uint64_t throttled_until; /* the same, for quotas that stop this process */
	uint64_t rude_until; /* the same: others take CPUs and would keep what a yield gives them, or our quota presses */
	uint64_t window; /* of a trial (primitives/solo.c), in ticks; 0 = no trials */
	uint32_t first_looks; /* of a wait for a lock word, before it needs anything else but the time; with GSYNC_BARE_LOOKS */
	uint32_t others; /* enum gsync_others, as of the last looks under pressure */
	/* Written by waiters: a line of its own. */
	_Alignas(64) uint64_t yields; /* to others, so far; a race on these two loses a hint */
	uint64_t long_yields; /* those that came back so late that one of them may have had a time slice */
	uint32_t pressure; /* percent, for display; by those who look at the machine */
};

#define GSYNC_BARE_LOOKS (1u << 31) /* no PAUSE before each of them */

_Static_assert(offsetof(struct gsync_live, yields) == 64, "what waiters read is one line, what they write another");

extern struct gsync_live gsync_live;

/* Guesses that are safe on any machine, until this process has measured. */
extern const struct gsync_published gsync_untuned;

/*
 * For ThreadSanitizer, which does not see into liburcu: a grace period orders what
 * readers did before what follows. What they tell it stands at an address that
 * nobody stores to: a store there would make it forget.
 */
#define GSYNC_READERS ((void *)(uintptr_t)&gsync_untuned)
#if defined(__SANITIZE_THREAD__)
#define GSYNC_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define GSYNC_TSAN 1
#endif
#endif
#ifdef GSYNC_TSAN
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#else
#define __tsan_acquire(address) ((void)(address))
#define __tsan_release(address) ((void)(address))
#endif

/* Acquire: pairs with the release that publishes. Valid until the caller's RCU read-side section ends. */
static inline const struct gsync_published *gsync_published(void)
{
	return __atomic_load_n(&gsync_live.published, __ATOMIC_ACQUIRE);
}

static inline struct gsync_tuning gsync_tuning(void)
{
	int caller_errno = errno; /* a thread's first call makes it known to liburcu, which needs memory */
	struct gsync_tuning copy;

	urcu_bp_read_lock();
	copy = gsync_published()->tuning;
	__tsan_release(GSYNC_READERS);
	urcu_bp_read_unlock();
	errno = caller_errno;
	return copy;
}

static inline bool gsync_is_tuned(void)
{
	return gsync_published() != &gsync_untuned;
}

/* A mark that is stale, or torn from another, lies neither before nor shortly after NOW. */
static inline bool gsync_lies_ahead(uint64_t mark, uint64_t now, uint64_t horizon)
{
	return mark - now - 1 < horizon;
}

static inline bool gsync_goes_on(const uint64_t *until, uint64_t most)
{
	uint64_t end = __atomic_load_n(until, __ATOMIC_RELAXED);

	return end != 0 && gsync_lies_ahead(end, gsync_ticks(), most);
}

/* Others take the CPUs that this process wants: an awake waiter waits in vain more often than not. */
static inline bool gsync_is_pressed(void)
{
	return gsync_goes_on(&gsync_live.pressed_until, 2 * __atomic_load_n(&gsync_live.look_interval, __ATOMIC_RELAXED));
}

/* Nobody is to yield to those others: they do not yield to us, as far as is known (detect/pressure.h), or our own quota presses. */
static inline bool gsync_others_are_rude(const struct gsync_tuning *tuning)
{
	return gsync_goes_on(&gsync_live.rude_until, tuning->rude_most);
}

/* Where there is pressure; elsewhere it may be stale. */
static inline enum gsync_others gsync_others(void)
{
	return (enum gsync_others)__atomic_load_n(&gsync_live.others, __ATOMIC_RELAXED);
}

/* This process uses up its quotas: what it does costs not time but CPU time. */
static inline bool gsync_is_throttled(const struct gsync_tuning *tuning)
{
	return gsync_goes_on(&gsync_live.throttled_until, tuning->throttled_most);
}

/* Measures, unless this process has, or another thread is about it. Leaves errno alone. */
void gsync_tune(void);

/*
 * Looks at the machine, unless another thread is about it. PATIENT: the caller
 * has no deadline; now and then it takes as long as a reader is off its CPU.
 * Leaves errno alone.
 */
void gsync_look_again(bool patient);

/* The same, if nobody has for a while. */
static inline void gsync_look_if_due(uint64_t now, bool patient)
{
	uint64_t next = __atomic_load_n(&gsync_live.next_look, __ATOMIC_RELAXED);
	uint64_t interval = __atomic_load_n(&gsync_live.look_interval, __ATOMIC_RELAXED);

	/* Twice: the counters of two CPUs need not agree, nor these two values with each other. */
	if (interval != 0 && !gsync_lies_ahead(next, now, 2 * interval))
		gsync_look_again(patient);
}

/*
 * The measurements and thresholds of this process; the first call measures, a
 * second caller meanwhile waits. The calibration stays the same ever after.
 */
const struct gsync_calibration *gsync_calibration_of_process(void);
void gsync_profile_of_process(struct gsync_profile *profile, struct gsync_reasons *reasons);

#endif
