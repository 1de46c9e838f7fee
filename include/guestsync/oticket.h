/* SPDX-License-Identifier: MIT */
/*
 * gsync_oticket: a ticket lock for machines where a waiter's CPU may be taken
 * away. Strictly first come, first served, and no waiter burns a time slice for it.
 *
 *     static gsync_oticket_t lock = GSYNC_OTICKET_INIT;
 *
 *     gsync_oticket_lock(&lock);
 *     serve_next_customer();
 *     gsync_oticket_unlock(&lock);
 *
 * After Kashyap, Min and Kim, "Scalability in the Clouds! A Myth or Reality?"
 * (OTicket). Two ideas, both needed: the nearer a waiter's turn, the longer it
 * spins, and the far ones sleep at once (opportunistic spinning); an unlock
 * wakes not only the next waiter but also those after it, ahead of their turn,
 * so that the wake-up is over when the turn comes (opportunistic wake-up). And one
 * of ours: where the program's own threads crowd the CPUs, those of each CPU use the
 * lock one after another, each for a while; the others stay out of the queue meanwhile.
 *
 * Order: first come, first served, from the moment a ticket is drawn for good. Where a crowd
 * was served within the last 0.4 s, an untimed call that comes to a long queue, at least 4 and
 * twice as many as there are CPUs, with the holder, of which one of the first 128 stands on
 * its CPU (or may, where the lock is shared), gives its ticket back and lets others run, up to
 * 64 times, as long as that is so: others may be served before it, as if it had been put off
 * its CPU before it asked. A timed call may give its place up; the order of the others stays.
 * Behind more than 120 tickets, also such as were given up, it draws its own only once the
 * queue is shorter (it polls about every millisecond). Who has no ticket is no waiter that
 * destroy or trylock would see.
 *
 *                      may block  may spin  signal handler       after fork
 *   lock               yes (*)    yes       no                   held locks stay held in the child
 *   timedlock          yes        yes       no                   "
 *   trylock            no         no        yes                  "
 *   unlock             no (*)     no        yes, if it holds it  "; if others waited, make it anew instead
 *
 * (*) They let others run, where the program's own threads crowd the CPUs: for those on their CPU that wait for the
 *     lock, and, in unlock, a quarter of fair_ns after the last time, for whoever wants to. Under a real-time policy
 *     it may be long until they give the CPU back; yield_ns = 0 (guestsync/profile.h) keeps them from all that. The
 *     thread may hold other locks then.
 *
 * A zeroed object is a valid, unlocked, process-private lock. A lock in shared
 * memory must be made by gsync_oticket_init(…, GSYNC_PROCESS_SHARED).
 * unlock never touches the lock after another thread may have taken, released
 * and freed it. At most 2^22 - 1 threads may wait at once (Linux runs fewer); beyond
 * some 16000, those who wait poll about every millisecond.
 *
 * Not guaranteed: speed. While more threads wait than there are CPUs, every
 * hand-over in order costs a context switch; gsync_mutex does not pay that. Nor
 * robustness against the death of a process that holds a shared lock or waits for it.
 */
#ifndef GUESTSYNC_OTICKET_H
#define GUESTSYNC_OTICKET_H

#include <guestsync/base.h>

GSYNC_BEGIN_DECLS

#define GSYNC_OTICKET_TURNS_ 4u

typedef struct gsync_oticket {
	/* Ticket T waits for its turn on turn[T % 4]: primitives/oticket.c. */
	uint64_t turn[GSYNC_OTICKET_TURNS_] __attribute__((aligned(8)));
	uint32_t next;	  /* the next ticket to draw */
	uint32_t serving; /* the ticket that holds the lock, or held it last; written by its holder */
	uint32_t flags;
	uint32_t heir;	  /* the ticket after the last that had to wait, ... */
	uint32_t entered; /* when that got the lock, and */
	uint32_t held;	  /* how long such have held it lately, on average; both in ticks */
	uint32_t crowded; /* when as many waited as there are CPUs, or more, last; 0 = never. Given-up tickets count */
} gsync_oticket_t;

#define GSYNC_OTICKET_INIT { { 0, 0, 0, 0 }, 0, 0, 0, 0, 0, 0, 0 }

GSYNC_STATIC_ASSERT(sizeof(gsync_oticket_t) <= 64, "one cache line");

/*
 * A turn word: bits 44-63 count the rounds, that is, how many turns this word
 * has given out; 32-43 the sleepers; 0-31 mark tickets that were given up.
 */
#define GSYNC_OTICKET_ONE_ROUND_ ((uint64_t)1 << 44)
#define GSYNC_OTICKET_ATTENTION_ (GSYNC_OTICKET_ONE_ROUND_ - 1) /* sleepers, or given-up tickets */

/* Returns 0, or EINVAL for a flag it does not know. */
GSYNC_API int gsync_oticket_init(gsync_oticket_t *lock, unsigned flags);

/* Returns 0, or EBUSY when the lock is held or waited for with a ticket. */
GSYNC_API int gsync_oticket_destroy(gsync_oticket_t *lock);

/*
 * Like lock, but gives its place up at DEADLINE. Returns 0 with the lock held,
 * ETIMEDOUT without it, EINVAL when it would have to wait and DEADLINE's nanoseconds are out of range. A
 * lock that is free is taken even when DEADLINE has passed.
 */
GSYNC_API int gsync_oticket_timedlock(gsync_oticket_t *lock, const struct timespec *deadline);

/* The cold halves of the inline functions below; call those instead. */
GSYNC_API void gsync_oticket_lock_slow_(gsync_oticket_t *lock, uint32_t ticket) __attribute__((cold));
GSYNC_API void gsync_oticket_unlock_slow_(gsync_oticket_t *lock) __attribute__((cold));

/* How many rounds TICKET's turn word counts when it is TICKET's turn, modulo 2^20. */
static inline uint32_t gsync_oticket_round_(uint32_t ticket)
{
	return ((ticket + GSYNC_OTICKET_TURNS_ - 1) / GSYNC_OTICKET_TURNS_) & 0xfffffu;
}

static inline int gsync_oticket_is_turn_(uint64_t turn, uint32_t ticket)
{
	return (uint32_t)(turn >> 44) == gsync_oticket_round_(ticket);
}

static inline int gsync_oticket_trylock_(gsync_oticket_t *lock)
{
	uint32_t ticket = __atomic_load_n(&lock->next, __ATOMIC_RELAXED);
	uint64_t turn = __atomic_load_n(&lock->turn[ticket % GSYNC_OTICKET_TURNS_], __ATOMIC_ACQUIRE);

	if (!gsync_oticket_is_turn_(turn, ticket) ||
	    !__atomic_compare_exchange_n(&lock->next, &ticket, ticket + 1, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return EBUSY;
	/* The ticket is drawn. That it was its turn may be exactly 2^32 tickets ago: then it has to wait after all. */
	turn = __atomic_load_n(&lock->turn[ticket % GSYNC_OTICKET_TURNS_], __ATOMIC_ACQUIRE);
	if (GSYNC_LIKELY(gsync_oticket_is_turn_(turn, ticket)))
		__atomic_store_n(&lock->serving, ticket, __ATOMIC_RELEASE);
	else
		gsync_oticket_lock_slow_(lock, ticket);
	return 0;
}

/* Takes the lock if it is free and nobody waits with a ticket. Returns 0 with the lock held, EBUSY without it. */
static inline int gsync_oticket_trylock(gsync_oticket_t *lock)
{
	int error = gsync_oticket_trylock_(lock);

	if (error == 0)
		gsync_acquired_(GSYNC_KIND_OTICKET_);
	return error;
}

static inline void gsync_oticket_lock(gsync_oticket_t *lock)
{
	uint32_t ticket = __atomic_fetch_add(&lock->next, 1u, __ATOMIC_RELAXED);
	uint64_t turn = __atomic_load_n(&lock->turn[ticket % GSYNC_OTICKET_TURNS_], __ATOMIC_ACQUIRE);

	if (GSYNC_LIKELY(gsync_oticket_is_turn_(turn, ticket))) {
		__atomic_store_n(&lock->serving, ticket, __ATOMIC_RELEASE);
		gsync_acquired_(GSYNC_KIND_OTICKET_);
	} else {
		gsync_oticket_lock_slow_(lock, ticket);
	}
}

static inline void gsync_oticket_unlock(gsync_oticket_t *lock)
{
	uint32_t heir = __atomic_load_n(&lock->serving, __ATOMIC_RELAXED) + 1;
	uint64_t *turn = &lock->turn[heir % GSYNC_OTICKET_TURNS_];
	uint64_t seen = __atomic_load_n(turn, __ATOMIC_RELAXED);

	if (GSYNC_UNLIKELY(__atomic_load_n(&lock->next, __ATOMIC_RELAXED) != heir ||
			   (seen & GSYNC_OTICKET_ATTENTION_) != 0 ||
			   !__atomic_compare_exchange_n(turn, &seen, seen + GSYNC_OTICKET_ONE_ROUND_, 0,
							__ATOMIC_RELEASE, __ATOMIC_RELAXED)))
		gsync_oticket_unlock_slow_(lock);
}

GSYNC_END_DECLS

#endif
