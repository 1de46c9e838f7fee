/* SPDX-License-Identifier: MIT */
/*
 * gsync_oticket: a ticket lock whose far waiters sleep and are woken ahead of
 * their turn. After Kashyap, Min, Kim: "Scalability in the Clouds! A Myth or
 * Reality?" (OTicket).
 *
 * Ticket T waits on turn[T % 4]. It is T's turn when that word has counted
 * ROUND(T) = ceil(T / 4) rounds, so a zeroed lock serves ticket 0. A turn word,
 * 64 bits:
 *
 *   44-63  rounds    turns given out here, modulo 2^20 (so tickets repeat after 2^22)
 *   32-43  sleepers  waiters of this word that sleep or are about to
 *    0-31  gone      bit ROUND(T) % 32: ticket T was given up; its turn must be passed on
 *
 *   change        by
 *   rounds + 1    the holder: gives the turn to the next ticket; this is the release, unless that was given up
 *   sleepers + 1  a waiter, before it sleeps, if it is not its turn
 *   sleepers - 1  the same waiter, when it is up again
 *   gone, 0 to 1  a timed waiter that gives up, if it is not its turn
 *   gone, 1 to 0  the holder, who has just given the turn to that ticket and so still holds the lock
 *
 * Exclusion: only the holder advances rounds, one ticket after the other, and
 * each ticket is drawn once. A ticket that was given up has nobody who could
 * enter, so the turn given to it stays with the giver, who passes it on.
 *
 * No turn is lost: giving the turn, registering as a sleeper and giving up are
 * read-modify-writes of one word, so one of two comes first. If the turn comes
 * first, the waiter sees it and neither sleeps nor leaves; futex compares the
 * upper half of the word, which the turn changes. If the sleeper comes first,
 * the giver sees sleepers > 0 and wakes; if the give-up comes first, the giver
 * sees gone. A wake-up ahead of the turn is a favour: nobody relies on it.
 *
 * Wake-up channel ROUND(T) % 32 on turn word T % 4: up to 128 waiters are woken
 * one by one, beyond that a few too many. The same window of 128 keeps gone bits
 * apart: a timed waiter draws its ticket only where T - serving <= 120.
 *
 * Nothing is touched after the release: who is to be woken ahead of turn is
 * looked up before it, and wake-ups use addresses only. Where the turn falls to
 * a ticket that was given up, the lock is still held.
 *
 * Order: the turn is given by release and seen by acquire operations on the same
 * word; so is a ticket given up, by its waiter to the one who passes it over. next
 * carries no data, drawing is a relaxed increment. serving is written and read back
 * by the holder; to others it is a hint of distance, but the window above relies on
 * what the holder before it did, so it is written by release and read by acquire.
 * heir and entered are the holder's alone; held is a hint to all.
 */
#include <guestsync/oticket.h>

#include "primitives/futex.h"
#include "primitives/probes.h"
#include "primitives/spin.h"
#include "primitives/tally.h"

#define ONE_ROUND GSYNC_OTICKET_ONE_ROUND_
#define ONE_SLEEPER ((uint64_t)1 << 32)
#define SLEEPERS (ONE_ROUND - ONE_SLEEPER)
#define WINDOW 128
#define WINDOW_MARGIN 8
#define POLL_NS 1000000u

int gsync_oticket_init(gsync_oticket_t *lock, unsigned flags)
{
	static const gsync_oticket_t unlocked = GSYNC_OTICKET_INIT;

	if ((flags & ~GSYNC_PROCESS_SHARED) != 0)
		return EINVAL;
	GSYNC_PROBE1(oticket_init, lock);
	*lock = unlocked;
	lock->flags = flags;
	return 0;
}

static uint64_t *turn_of(gsync_oticket_t *lock, uint32_t ticket)
{
	return &lock->turn[ticket % GSYNC_OTICKET_TURNS_];
}

int gsync_oticket_destroy(gsync_oticket_t *lock)
{
	uint32_t next = __atomic_load_n(&lock->next, __ATOMIC_RELAXED);

	GSYNC_PROBE1(oticket_destroy, lock);
	/* Acquire: the last holder's accesses come before whatever follows the destruction. */
	return gsync_oticket_is_turn_(__atomic_load_n(turn_of(lock, next), __ATOMIC_ACQUIRE), next) ? 0 : EBUSY;
}

static uint32_t channel(uint32_t ticket)
{
	return 1u << (gsync_oticket_round_(ticket) % 32);
}

static bool is_shared(gsync_oticket_t *lock)
{
	return (lock->flags & GSYNC_PROCESS_SHARED) != 0;
}

static void wake(gsync_oticket_t *lock, uint32_t ticket, bool shared)
{
	gsync_wakes_for(GSYNC_KIND_OTICKET_);
	gsync_futex_wake(gsync_upper_half(turn_of(lock, ticket)), GSYNC_WAKE_ALL, channel(ticket), shared);
}

static bool change(uint64_t *turn, uint64_t *seen, uint64_t to, int order)
{
	return __atomic_compare_exchange_n(turn, seen, to, false, order, __ATOMIC_RELAXED);
}

static bool is_turn(gsync_oticket_t *lock, uint32_t ticket)
{
	return gsync_oticket_is_turn_(__atomic_load_n(turn_of(lock, ticket), __ATOMIC_ACQUIRE), ticket);
}

/* How far the queue reaches to TICKET; too far where serving is read late, negative where TICKET was read early. */
static int32_t queue_to(gsync_oticket_t *lock, uint32_t ticket)
{
	return (int32_t)(ticket - __atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE));
}

/*
 * How many turns away TICKET is. The near ones must know it from the moment a
 * turn is given, not when its new holder, who may have to wake up, says so.
 */
static uint32_t distance(gsync_oticket_t *lock, uint32_t ticket)
{
	for (uint32_t places = 1; places < GSYNC_OTICKET_TURNS_; places++)
		if (is_turn(lock, ticket - places))
			return places;
	return (uint32_t)queue_to(lock, ticket);
}

/* Whether some of those who hold or want the lock cannot have a CPU now: those PLACES before TICKET, and all from it on. */
static bool is_crowded(gsync_oticket_t *lock, const struct gsync_tuning *tuning, uint32_t ticket, uint32_t places)
{
	return __atomic_load_n(&lock->next, __ATOMIC_RELAXED) - ticket + places > tuning->usable_cpus;
}

/*
 * The nearer the turn, the longer the spin: half for each place further back; the
 * far ones sleep at once. So do all in a crowd that others press on: somebody in
 * front is off the CPU, and this one is what it could have.
 */
static uint64_t budget(gsync_oticket_t *lock, const struct gsync_tuning *tuning, uint32_t ticket, uint32_t places)
{
	if (places > 1 && places > tuning->eager)
		return 0;
	if (gsync_is_pressed(tuning) && is_crowded(lock, tuning, ticket, places))
		return 0;
	return tuning->near >> (places - 1);
}

/* Yields to the next thread and back: about this. */
#define SWITCH_NS 2000u

/* How long until a turn that is PLACES away, if sections last as long as they did lately. */
static uint64_t expected_wait(gsync_oticket_t *lock, const struct gsync_tuning *tuning, uint32_t places)
{
	uint64_t turn = __atomic_load_n(&lock->held, __ATOMIC_RELAXED) + (uint64_t)(SWITCH_NS * tuning->ticks_per_ns);

	return places * turn;
}

/* Whether all PLACES before TICKET may be on a CPU, as far as that can be seen: who has the turn has begun. */
static bool is_served(gsync_oticket_t *lock, const struct gsync_tuning *tuning, uint32_t ticket, uint32_t places)
{
	uint32_t holder = ticket - places;

	return places < tuning->usable_cpus && __atomic_load_n(&lock->serving, __ATOMIC_RELAXED) == holder &&
	       !is_turn(lock, holder + 1);
}

/*
 * In a crowd who is soon to come stays awake while the queue moves: it lets others
 * run, so that the CPU goes to the one it waits for, and nobody has to be woken. But
 * those for whom there is a CPU, while the holder is seen at work, spin for about as
 * long as yielding would take: so each CPU has somebody at hand when the turn comes.
 * WATCH began when the queue moved last. False when it is better to sleep.
 */
static bool stay_up(gsync_oticket_t *lock, const struct gsync_tuning *tuning, uint32_t ticket, uint32_t places,
		    struct gsync_spin *watch)
{
	if (places > tuning->yield_places || gsync_ticks() - watch->start >= tuning->yield || gsync_is_pressed(tuning) ||
	    expected_wait(lock, tuning, places) > tuning->yield || !is_crowded(lock, tuning, ticket, places))
		return false;
	return (is_served(lock, tuning, ticket, places) && gsync_spin_again(watch)) || gsync_spin_yield();
}

/* Spins while that makes sense; each turn that passes renews the patience. True when it is TICKET's turn. */
static bool spin(gsync_oticket_t *lock, uint32_t ticket, const struct timespec *deadline)
{
	const struct gsync_tuning tuning = gsync_tuning();
	const uint64_t two_switches = (uint64_t)(2 * SWITCH_NS * tuning.ticks_per_ns);
	uint32_t places = 0; /* not known yet: it is more */
	struct gsync_spin spin = { 0 }, watch = { 0 };

	for (;;) {
		uint32_t left;

		if (is_turn(lock, ticket))
			return true;
		left = distance(lock, ticket);
		if (left != places) {
			places = left;
			gsync_spin_start(&spin, budget(lock, &tuning, ticket, places), 1);
			gsync_spin_start(&watch, two_switches, 1);
		}
		/* The queue may move on for long. */
		if (deadline && gsync_deadline_passed(deadline))
			return false;
		if (stay_up(lock, &tuning, ticket, places, &watch)) {
			/* Who yields well need never sleep; but that may be news, or rest on guesses. */
			gsync_patience_ended(deadline);
			continue;
		}
		if (!gsync_spin_again(&spin))
			return false;
	}
}

/* Sleeps about a millisecond, or until DEADLINE; true when that has passed. */
static bool nap(gsync_oticket_t *lock, const struct timespec *deadline)
{
	struct timespec until = gsync_deadline_in(POLL_NS);
	bool last = deadline && gsync_deadline_before(deadline, &until);

	/* Nobody changes or wakes flags: this is only a sleep. */
	return gsync_futex_wait(&lock->flags, lock->flags, GSYNC_ANYBODY, last ? deadline : &until, is_shared(lock)) ==
		       GSYNC_SLEEP_TIMED_OUT &&
	       last;
}

/* Registers as a sleeper and sleeps once, unless it is TICKET's turn. Returns true when DEADLINE ended it. */
static bool sleep_on(gsync_oticket_t *lock, uint32_t ticket, const struct timespec *deadline)
{
	uint64_t *turn = turn_of(lock, ticket);
	uint64_t seen = __atomic_load_n(turn, __ATOMIC_RELAXED);
	enum gsync_sleep sleep;

	do {
		if (gsync_oticket_is_turn_(seen, ticket))
			return false;
		if ((seen & SLEEPERS) == SLEEPERS)
			return nap(lock, deadline); /* the count is full: 4095 sleep here already */
	} while (!change(turn, &seen, seen + ONE_SLEEPER, __ATOMIC_RELAXED));
	sleep = gsync_futex_wait(gsync_upper_half(turn), (uint32_t)((seen + ONE_SLEEPER) >> 32), channel(ticket), deadline,
				 is_shared(lock));
	__atomic_fetch_sub(turn, ONE_SLEEPER, __ATOMIC_RELAXED);
	return sleep == GSYNC_SLEEP_TIMED_OUT;
}

/* Marks TICKET as given up; false when its turn came first. */
static bool give_up(gsync_oticket_t *lock, uint32_t ticket)
{
	uint64_t *turn = turn_of(lock, ticket);
	uint64_t seen = __atomic_load_n(turn, __ATOMIC_RELAXED);

	do {
		if (gsync_oticket_is_turn_(seen, ticket))
			return false;
	} while (!change(turn, &seen, seen | channel(ticket), __ATOMIC_RELEASE));
	return true;
}

static int wait_for_turn(gsync_oticket_t *lock, uint32_t ticket, const struct timespec *deadline)
{
	while (!spin(lock, ticket, deadline)) {
		gsync_patience_ended(deadline);
		if (((deadline && gsync_deadline_passed(deadline)) || sleep_on(lock, ticket, deadline)) &&
		    give_up(lock, ticket))
			return ETIMEDOUT;
	}
	__atomic_store_n(&lock->serving, ticket, __ATOMIC_RELEASE);
	lock->heir = ticket + 1;
	lock->entered = (uint32_t)gsync_ticks();
	return 0;
}

void gsync_oticket_lock_slow_(gsync_oticket_t *lock, uint32_t ticket)
{
	struct gsync_wait wait = gsync_wait_begins(GSYNC_KIND_OTICKET_);

	GSYNC_PROBE2(oticket_entry, lock, ticket);
	gsync_wait_ends(&wait, wait_for_turn(lock, ticket, NULL));
	GSYNC_PROBE2(oticket_acquired, lock, ticket);
}

/*
 * A timed call draws its ticket only where it may give it up again. serving
 * stands still while nobody holds the lock, so each look tries to take it, too.
 */
static int draw_and_wait(gsync_oticket_t *lock, const struct timespec *deadline)
{
	bool passed = false;
	uint32_t ticket;

	for (;;) {
		if (gsync_oticket_trylock_(lock) == 0)
			return 0;
		if (!gsync_deadline_valid(deadline))
			return EINVAL;
		if (passed)
			return ETIMEDOUT;
		ticket = __atomic_load_n(&lock->next, __ATOMIC_RELAXED);
		if (queue_to(lock, ticket) > WINDOW - WINDOW_MARGIN)
			passed = nap(lock, deadline);
		else if (__atomic_compare_exchange_n(&lock->next, &ticket, ticket + 1, false, __ATOMIC_RELAXED,
						     __ATOMIC_RELAXED))
			return wait_for_turn(lock, ticket, deadline);
	}
}

int gsync_oticket_timedlock(gsync_oticket_t *lock, const struct timespec *deadline)
{
	struct gsync_wait wait;
	int error;

	if (gsync_oticket_trylock(lock) == 0)
		return 0;
	wait = gsync_wait_begins(GSYNC_KIND_OTICKET_);
	GSYNC_PROBE2(oticket_timedlock_entry, lock, deadline);
	error = gsync_wait_ends(&wait, draw_and_wait(lock, deadline));
	if (error == 0)
		GSYNC_PROBE1(oticket_timedlock_acquired, lock);
	return error;
}

/*
 * Gives the turn to HEIR, or, while that ticket was given up, to the one after.
 * Returns the ticket that has it now; *SLEPT: its turn word had sleepers.
 */
static uint32_t give_turn(gsync_oticket_t *lock, uint32_t heir, bool *slept)
{
	for (;; heir++) {
		uint64_t *turn = turn_of(lock, heir);
		uint64_t before = __atomic_fetch_add(turn, ONE_ROUND, __ATOMIC_RELEASE);

		*slept = (before & SLEEPERS) != 0;
		if ((before & channel(heir)) == 0)
			return heir;
		/* Nobody took it, so this thread still holds the lock, and the memory. */
		__atomic_fetch_and(turn, ~(uint64_t)channel(heir), __ATOMIC_ACQUIRE);
	}
}

/* Which of the EAGER waiters behind HEIR sleep: bit K stands for HEIR + 1 + K. */
static uint32_t sleepers_behind(gsync_oticket_t *lock, uint32_t heir, uint32_t eager)
{
	uint32_t waiting = __atomic_load_n(&lock->next, __ATOMIC_RELAXED) - heir;
	uint32_t asleep = 0;

	for (uint32_t k = 0; k < eager && k + 1 < waiting; k++)
		if ((__atomic_load_n(turn_of(lock, heir + 1 + k), __ATOMIC_RELAXED) & SLEEPERS) != 0)
			asleep |= 1u << k;
	return asleep;
}

#define MEMORY 8 /* turns, of how long the lock was held */

/* Called by the holder, whose heir HEIR is. If it had to wait others will have to wait for such as this. */
static void note_held(gsync_oticket_t *lock, const struct gsync_tuning *tuning, uint32_t heir)
{
	uint32_t average = __atomic_load_n(&lock->held, __ATOMIC_RELAXED);
	uint32_t held;

	if (lock->heir != heir)
		return;
	held = (uint32_t)gsync_ticks() - lock->entered;
	/* One that was off its CPU says little about the next. */
	if (held > tuning->yield)
		held = (uint32_t)tuning->yield;
	__atomic_store_n(&lock->held, average - average / MEMORY + held / MEMORY, __ATOMIC_RELAXED);
}

void gsync_oticket_unlock_slow_(gsync_oticket_t *lock)
{
	const struct gsync_tuning tuning = gsync_tuning();
	uint32_t heir = __atomic_load_n(&lock->serving, __ATOMIC_RELAXED) + 1;
	bool shared = is_shared(lock);
	uint32_t ahead = sleepers_behind(lock, heir, tuning.eager);
	bool slept;
	uint32_t served;

	note_held(lock, &tuning, heir);
	GSYNC_PROBE1(oticket_release, lock);
	served = give_turn(lock, heir, &slept);
	if (slept)
		wake(lock, served, shared);
	for (uint32_t k = 0; ahead >> k != 0; k++)
		if ((ahead >> k & 1u) != 0 && heir + 1 + k != served)
			wake(lock, heir + 1 + k, shared);
}
