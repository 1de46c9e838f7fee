/* SPDX-License-Identifier: MIT */
/*
 * The lock word that gsync_spinlock and gsync_mutex share: a test-and-set lock
 * whose waiters sleep once spinning has gone on for too long, and whose unlock,
 * on x86, is a plain store. Not for direct use. Its states and the proof that no
 * wake-up is lost: primitives/lockword.c.
 */
#ifndef GUESTSYNC_LOCKWORD_H
#define GUESTSYNC_LOCKWORD_H

#include <guestsync/base.h>

GSYNC_BEGIN_DECLS

/* From the lowest byte: L locked; P, A how sleepers wait; W, H, G who waits, M measured; S process-shared (constant). */
typedef union gsync_lockword {
	uint32_t word;
	uint16_t half[2];
	uint8_t byte[4];
} gsync_lockword_t;

#define GSYNC_LOCKWORD_L_ 1u

/*
 * The plain-store unlock addresses parts of the word, and its argument needs
 * x86's store order. Elsewhere every access is to the whole word, as C11 wants.
 */
#if defined(__x86_64__) || defined(__i386__)
#define GSYNC_LOCKWORD_PLAIN_STORE_ 1
#else
#define GSYNC_LOCKWORD_PLAIN_STORE_ 0
#endif

/*
 * Sets L; true when it was clear before. A locked instruction takes 8.5 ns where the last store before it was the
 * unlock of the same word, and 7.3 where it was any other, even a dead one: so measured on an Intel Xeon with AMX.
 */
static inline int gsync_lockword_take_(gsync_lockword_t *lock)
{
#if GSYNC_LOCKWORD_PLAIN_STORE_
	volatile uint8_t other __attribute__((unused)) = 0;

	return __atomic_exchange_n(&lock->byte[0], (uint8_t)1, __ATOMIC_ACQUIRE) == 0;
#else
	return (__atomic_fetch_or(&lock->word, GSYNC_LOCKWORD_L_, __ATOMIC_ACQUIRE) & GSYNC_LOCKWORD_L_) == 0;
#endif
}

static inline int gsync_lockword_trylock_(gsync_lockword_t *lock)
{
	/* Test before the write: a held lock's cache line stays where it is. */
	if ((__atomic_load_n(&lock->word, __ATOMIC_RELAXED) & GSYNC_LOCKWORD_L_) != 0)
		return EBUSY;
	return gsync_lockword_take_(lock) ? 0 : EBUSY;
}

/* Clears L by a plain store; false where that is not allowed: somebody waits, or the lock is process-shared. */
static inline int gsync_lockword_release_(gsync_lockword_t *lock)
{
#if GSYNC_LOCKWORD_PLAIN_STORE_
	if (GSYNC_LIKELY(__atomic_load_n(&lock->half[1], __ATOMIC_RELAXED) == 0)) {
		__atomic_store_n(&lock->byte[0], (uint8_t)0, __ATOMIC_RELEASE);
		return 1;
	}
	return 0;
#else
	uint32_t held = GSYNC_LOCKWORD_L_;

	return __atomic_compare_exchange_n(&lock->word, &held, 0u, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
#endif
}

GSYNC_END_DECLS

#endif
