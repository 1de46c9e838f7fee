/* SPDX-License-Identifier: MIT */
/*
 * The only place that calls futex(2). It owns EINTR, ENOSYS, absolute
 * deadlines, private against shared, and errno, which it leaves alone: a lock
 * must not change it under its caller.
 *
 * A return from wait promises nothing about the word: the wake-up may be
 * spurious, meant for somebody else, or for an object that lived at this
 * address before. Every caller looks at its word again.
 */
#ifndef GUESTSYNC_PRIMITIVES_FUTEX_H
#define GUESTSYNC_PRIMITIVES_FUTEX_H

#include "detect/clock.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define GSYNC_WAKE_ALL INT_MAX
#define GSYNC_ANYBODY UINT32_MAX /* the wake-up channels of a waiter that does not care */

/*
 * Sleeps while *WORD is EXPECTED, until a wake-up on one of CHANNELS, DEADLINE
 * (absolute, CLOCK_MONOTONIC; NULL = none), or for no reason.
 */
enum gsync_sleep {
	GSYNC_SLEEP_WOKEN,     /* or for no reason; in the other cases no wake-up was spent on this thread */
	GSYNC_SLEEP_NONE,      /* *WORD was not EXPECTED, or a signal came */
	GSYNC_SLEEP_TIMED_OUT,
};

enum gsync_sleep gsync_futex_wait(uint32_t *word, uint32_t expected, uint32_t channels, const struct timespec *deadline,
				  bool shared);

/*
 * Wakes up to COUNT sleepers that listen on one of CHANNELS; returns how many.
 * Only the address is used, the memory may be gone.
 */
int gsync_futex_wake(uint32_t *word, int count, uint32_t channels, bool shared);

/* The halves of a 64-bit word: futexes have 32. */
static inline uint32_t *gsync_lower_half(uint64_t *word)
{
	return (uint32_t *)word + (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__);
}

static inline uint32_t *gsync_upper_half(uint64_t *word)
{
	return (uint32_t *)word + (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
}

/* Whether DEADLINE is a time that a wait can take; otherwise the caller returns EINVAL. */
static inline bool gsync_deadline_valid(const struct timespec *deadline)
{
	return deadline->tv_nsec >= 0 && deadline->tv_nsec < 1000000000;
}

/* The time NS from now. */
static inline struct timespec gsync_deadline_in(uint64_t ns)
{
	return gsync_timespec(gsync_monotonic_ns() + ns);
}

static inline bool gsync_deadline_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec < b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

static inline bool gsync_deadline_passed(const struct timespec *deadline)
{
	struct timespec now = gsync_deadline_in(0);

	return !gsync_deadline_before(&now, deadline);
}

#endif
