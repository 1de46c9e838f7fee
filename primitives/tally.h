/* SPDX-License-Identifier: MIT */
/*
 * What slow paths tell the statistics (guestsync/statistics.h), while those are
 * wanted. Off, each of these calls is a look at a word that nobody writes.
 *
 *     struct gsync_wait wait = gsync_wait_begins(GSYNC_KIND_MUTEX_);
 *
 *     error = wait for it;
 *     return gsync_wait_ends(&wait, error);
 *
 * The futex file tells of sleeps and wake-ups by itself: a wait has slept if it
 * came by there. Whom a wake-up is counted for is said before, by
 * gsync_wait_begins() or gsync_wakes_for().
 */
#ifndef GUESTSYNC_PRIMITIVES_TALLY_H
#define GUESTSYNC_PRIMITIVES_TALLY_H

#include <guestsync/statistics.h>

#include <stdbool.h>

#define GSYNC_KINDS (GSYNC_KIND_POOL_ + 1)

enum gsync_event {
	GSYNC_UNCONTENDED,
	GSYNC_SPUN,
	GSYNC_SLEPT,
	GSYNC_TIMED_OUT,
	/* The pool's. */
	GSYNC_TASK = 0,
	GSYNC_STOLEN,
	GSYNC_HELPED,
	GSYNC_PARKED,
	/* Of all. */
	GSYNC_WOKEN,
	GSYNC_EVENTS
};

struct gsync_sums {
	uint64_t count[GSYNC_KINDS][GSYNC_EVENTS];
	uint64_t longest_ns[GSYNC_KINDS];
};

/* What a thread needs to know to count; small, since it takes room that dlopen has little of. */
struct gsync_teller {
	struct gsync_tally *tally; /* NULL = none yet */
	uint32_t sleeps;
	uint32_t wakes_for;
};

extern __thread struct gsync_teller gsync_teller __attribute__((tls_model("initial-exec")));

static inline bool gsync_is_counting(void)
{
	return __atomic_load_n(&gsync_statistics_on_[0], __ATOMIC_RELAXED) != 0;
}

/* The calling thread has seen EVENT so many TIMES. */
void gsync_tally_add(unsigned kind, enum gsync_event event, uint64_t times) __attribute__((cold));

static inline void gsync_count(unsigned kind, enum gsync_event event)
{
	if (GSYNC_UNLIKELY(gsync_is_counting()))
		gsync_tally_add(kind, event, 1);
}

/* ---- waits */

struct gsync_wait {
	uint32_t kind; /* GSYNC_KIND_OTHER_ = it is not counted */
	uint32_t sleeps;
	uint64_t began; /* in ns */
};

void gsync_tally_wait_begins(struct gsync_wait *wait) __attribute__((cold));
void gsync_tally_wait_ends(const struct gsync_wait *wait, int error) __attribute__((cold));

static inline struct gsync_wait gsync_wait_begins(unsigned kind)
{
	struct gsync_wait wait = { .kind = GSYNC_KIND_OTHER_ };

	if (GSYNC_UNLIKELY(gsync_is_counting())) {
		wait.kind = kind;
		gsync_tally_wait_begins(&wait);
	}
	return wait;
}

/* ERROR is how it ended: 0, ETIMEDOUT, or EINVAL, which was no wait. Returns it. */
static inline int gsync_wait_ends(const struct gsync_wait *wait, int error)
{
	if (GSYNC_UNLIKELY(wait->kind != GSYNC_KIND_OTHER_))
		gsync_tally_wait_ends(wait, error);
	return error;
}

/* ---- wake-ups, and what the futex file tells */

static inline void gsync_wakes_for(unsigned kind)
{
	if (GSYNC_UNLIKELY(gsync_is_counting()))
		gsync_teller.wakes_for = kind;
}

static inline void gsync_count_sleep(void)
{
	if (GSYNC_UNLIKELY(gsync_is_counting()))
		gsync_teller.sleeps++;
}

static inline void gsync_count_woken(long woken)
{
	if (GSYNC_UNLIKELY(gsync_is_counting()) && woken > 0)
		gsync_tally_add(gsync_teller.wakes_for, GSYNC_WOKEN, (uint64_t)woken);
}

/* ---- for the statistics themselves */

/* Gets ready to count, once. Returns 0, ENOMEM or EAGAIN. */
int gsync_tally_prepare(void);
void gsync_tally_of_thread(struct gsync_sums *out);
void gsync_tally_of_process(struct gsync_sums *out);

#endif
