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
 * each ticket is drawn once, but for the last one: who has just drawn it may give
 * it back, if none was drawn after it, and then it is the next again, as before.
 * Nothing of it is in a turn word or in the table by then, and if its turn came
 * meanwhile the lock is free. A ticket that was given up has nobody who could
 * enter, so the turn given to it stays with the giver, who passes it on.
 *
 * No turn is lost: giving the turn, registering as a sleeper and giving up are
 * read-modify-writes of one word, so one of two comes first. If the turn comes
 * first, the waiter sees it and neither sleeps nor leaves; futex compares the
 * upper half of the word, which the turn changes. If the sleeper comes first,
 * the giver sees sleepers > 0 and wakes, unless it knows that this very waiter is
 * up; if the give-up comes first, the giver sees gone. A wake-up ahead of the turn
 * is a favour: nobody relies on it.
 *
 * That a waiter is up it says itself, in the table of whereabouts, and there it says
 * that it is not before it registers. Registering releases and giving the turn
 * acquires: a giver that sees it registered sees that, too, or that it is up again,
 * and who is up looks for its turn, and registers again, before it sleeps again.
 *
 * Wake-up channel ROUND(T) % 32 on turn word T % 4: up to 128 waiters are woken
 * one by one, beyond that a few too many. The same window of 128 keeps gone bits
 * apart: a timed waiter draws its ticket only where T - serving <= 120.
 *
 * Nothing is touched after the release: who is to be woken ahead of turn is
 * looked up before it, or in the table, and wake-ups use addresses only. Where
 * the turn falls to a ticket that was given up, the lock is still held.
 *
 * Order: the turn is given by release and seen by acquire operations on the same
 * word; so is a ticket given up, by its waiter to the one who passes it over. next
 * carries no data, drawing and giving back are relaxed. serving is written and read back
 * by the holder; to others it is a hint of distance, but the window above relies on
 * what the holder before it did, so it is written by release and read by acquire.
 * heir and entered are the holder's alone; held and crowded are hints to all.
 */
#include <guestsync/oticket.h>

#include "primitives/futex.h"
#include "primitives/probes.h"
#include "primitives/spin.h"
#include "primitives/tally.h"
#include "primitives/whereabouts.h"

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

struct waiter {
	uint32_t ticket;
	uint32_t places; /* how many turns away; 0 = not known yet */
	int cpu;
	bool stays_up; /* in a crowd: it may never sleep */
	struct gsync_spin spin;
};

/* Yields to the next thread and back: about this. */
#define SWITCH_NS 2000u

static uint64_t switch_ticks(const struct gsync_tuning *tuning)
{
	return (uint64_t)(SWITCH_NS * tuning->ticks_per_ns);
}

/* How long sections last, lately. */
static uint64_t section(gsync_oticket_t *lock)
{
	return __atomic_load_n(&lock->held, __ATOMIC_RELAXED);
}

static uint32_t lesser(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* How far a turn may be that comes soon, if sections last as long as they did LATELY; 0 where others press on the CPUs. */
static uint32_t soon(const struct gsync_tuning *tuning, uint64_t lately)
{
	return gsync_is_pressed() ? 0 : (uint32_t)(tuning->yield / (lately + switch_ticks(tuning) + 1));
}

/* Whether one of those before the waiter is on its CPU, which only one of them can have; where nobody knows, likely so. */
static bool is_preceded(gsync_oticket_t *lock, const struct gsync_tuning *tuning, const struct waiter *self)
{
	uint32_t before = lesser(self->places, WINDOW);
	uint32_t found;

	if (self->cpu == GSYNC_NOWHERE || tuning->usable_cpus == 1)
		return self->places >= tuning->usable_cpus;
	return gsync_whereabouts_find(lock, self->ticket - before, before, self->cpu, &found);
}

/* Whether some of those who hold or want the lock cannot have a CPU now: those before the waiter, and all from it on. */
static bool is_crowded(gsync_oticket_t *lock, const struct gsync_tuning *tuning, const struct waiter *self)
{
	return __atomic_load_n(&lock->next, __ATOMIC_RELAXED) - self->ticket + self->places > tuning->usable_cpus;
}

/* The nearer the turn, the longer the spin: half for each place further back; the far ones sleep at once. */
static uint64_t budget(const struct gsync_tuning *tuning, const struct waiter *self)
{
	return self->places > 1 && self->places > tuning->eager ? 0 : tuning->near >> (self->places - 1);
}

/*
 * In a crowd one of each CPU is to wait on it, the first of those that stand there: it spins
 * while the queue moves, for as long as a section lasts and one before it may take to get up.
 * The others sleep: it wakes the next of its own CPU when it has had its turn. Where others
 * press on the CPUs all sleep: somebody in front is off the CPU, and this CPU is one that it could run on.
 */
static uint64_t budget_in_crowd(gsync_oticket_t *lock, const struct gsync_tuning *tuning, const struct waiter *self)
{
	if (self->stays_up)
		return section(lock) + tuning->near;
	return soon(tuning, section(lock)) > 0 || gsync_is_pressed() ? 0 : budget(tuning, self);
}

static bool may_stay_up(gsync_oticket_t *lock, const struct gsync_tuning *tuning, const struct waiter *self)
{
	return self->places <= soon(tuning, section(lock)) && !is_preceded(lock, tuning, self);
}

/* Looks how far the turn is. Each time the queue moves, patience is renewed. */
static void look(gsync_oticket_t *lock, const struct gsync_tuning *tuning, struct waiter *self)
{
	uint32_t places = distance(lock, self->ticket);
	bool crowd;

	if (places == self->places)
		return;
	self->places = places;
	crowd = is_crowded(lock, tuning, self);
	self->stays_up = crowd && may_stay_up(lock, tuning, self);
	gsync_spin_start(&self->spin, crowd ? budget_in_crowd(lock, tuning, self) : budget(tuning, self), tuning->pauses);
}

static int tell(gsync_oticket_t *lock, uint32_t ticket, bool up)
{
	return is_shared(lock) ? GSYNC_NOWHERE : gsync_whereabouts_tell(lock, ticket, up);
}

/* Stays up while that makes sense. True when it is TICKET's turn. */
static bool stay(gsync_oticket_t *lock, uint32_t ticket, const struct timespec *deadline)
{
	const struct gsync_tuning tuning = gsync_tuning();
	struct waiter self = { .ticket = ticket, .cpu = tell(lock, ticket, true) };

	while (!is_turn(lock, ticket)) {
		look(lock, &tuning, &self);
		/* The queue may move on for long. */
		if ((deadline && gsync_deadline_passed(deadline)) || !gsync_spin_again(&self.spin))
			return false;
		/*
		 * Who stays up may never sleep; but that may be news, or rest on guesses. Once for each reading of the
		 * clock; and not the next in line, which all would wait for.
		 */
		if (self.stays_up && self.places > 1 && self.spin.unread == 0)
			gsync_patience_ended(deadline);
	}
	return true;
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

	tell(lock, ticket, false);
	do {
		if (gsync_oticket_is_turn_(seen, ticket))
			return false;
		if ((seen & SLEEPERS) == SLEEPERS)
			return nap(lock, deadline); /* the count is full: 4095 sleep here already */
	} while (!change(turn, &seen, seen + ONE_SLEEPER, __ATOMIC_RELEASE));
	sleep = gsync_futex_wait(gsync_upper_half(turn), (uint32_t)((seen + ONE_SLEEPER) >> 32), channel(ticket), deadline,
				 is_shared(lock));
	__atomic_fetch_sub(turn, ONE_SLEEPER, __ATOMIC_RELAXED);
	if (sleep != GSYNC_SLEEP_NONE)
		gsync_turn_began = gsync_ticks();
	return sleep == GSYNC_SLEEP_TIMED_OUT;
}

/* Marks TICKET as given up; false when its turn came first. */
static bool give_up(gsync_oticket_t *lock, uint32_t ticket)
{
	uint64_t *turn = turn_of(lock, ticket);
	uint64_t seen = __atomic_load_n(turn, __ATOMIC_RELAXED);

	gsync_whereabouts_forget(lock, ticket);
	do {
		if (gsync_oticket_is_turn_(seen, ticket))
			return false;
	} while (!change(turn, &seen, seen | channel(ticket), __ATOMIC_RELEASE));
	return true;
}

static int wait_for_turn(gsync_oticket_t *lock, uint32_t ticket, const struct timespec *deadline)
{
	while (!stay(lock, ticket, deadline)) {
		gsync_patience_ended(deadline);
		if (((deadline && gsync_deadline_passed(deadline)) || sleep_on(lock, ticket, deadline)) &&
		    give_up(lock, ticket))
			return ETIMEDOUT;
	}
	__atomic_store_n(&lock->serving, ticket, __ATOMIC_RELEASE);
	tell(lock, ticket, false);
	lock->heir = ticket + 1;
	lock->entered = (uint32_t)gsync_ticks();
	return 0;
}

/* False where nobody is to yield now. */
static bool yield(void)
{
	bool yielded = gsync_spin_yield();

	gsync_turn_began = gsync_ticks();
	return yielded;
}

static uint32_t draw(gsync_oticket_t *lock)
{
	return __atomic_fetch_add(&lock->next, 1u, __ATOMIC_RELAXED);
}

/* False when another ticket has been drawn since. For one that nobody has been told of. */
static bool give_back(gsync_oticket_t *lock, uint32_t ticket)
{
	uint32_t next = ticket + 1;

	return __atomic_compare_exchange_n(&lock->next, &next, ticket, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

/* So long a crowd is taken to be there still when it was seen last: that its threads stay out of the queue is how it is to be. */
#define CROWD_NS 400000000u
#define COARSE 16 /* that a 32-bit count of ticks does not come round within hours */

static uint32_t coarse(uint64_t ticks)
{
	return (uint32_t)(ticks >> COARSE) | 1;
}

/* Whether a crowd waits NOW, or did lately, as a holder has seen when it released. */
static bool was_crowd(gsync_oticket_t *lock, const struct gsync_tuning *tuning, uint64_t now)
{
	uint32_t last = __atomic_load_n(&lock->crowded, __ATOMIC_RELAXED);
	uint32_t most = (uint32_t)((uint64_t)(CROWD_NS * tuning->ticks_per_ns) >> COARSE);

	/* Another thread may have read the clock a little later. */
	return last != 0 && coarse(now) - last + most <= 2 * most;
}

/* Tickets from the holder's on, also such as were given up: */
#define LONG_QUEUE 2 /* times the number of CPUs, */
#define LONG_QUEUE_MIN 4 /* and so many at the least: what is shorter is told without asking for the tuning */

/*
 * Whether one of the queue before TICKET, if that is long and, as far as is known, moves fast, stands on this CPU, and
 * has to run first. In shared memory nobody knows; nor does anybody beyond the first 128. Only where a crowd has been
 * served lately: behind a holder that keeps the lock all wait in the order in which they came.
 */
static bool is_in_the_way(gsync_oticket_t *lock, const struct gsync_tuning *tuning, uint32_t ticket)
{
	int32_t queue = queue_to(lock, ticket);
	uint32_t first;

	/* serving stands still while the lock is free. */
	return queue >= LONG_QUEUE_MIN && queue >= LONG_QUEUE * (int32_t)tuning->usable_cpus && !is_turn(lock, ticket) &&
	       was_crowd(lock, tuning, gsync_ticks()) && soon(tuning, section(lock)) > 0 &&
	       (is_shared(lock) || gsync_whereabouts_find(lock, ticket - (uint32_t)queue, lesser((uint32_t)queue, WINDOW),
							  gsync_whereabouts_cpu(), &first));
}

#define STAYS_OUT_MOST 64 /* yields */
#define ROUND_NS 3000000u /* in so long all of a large crowd have run, each to its next call; or one that does something else */

/* Yields; false where that took so long that it was not worth it, or nobody is to yield. */
static bool yield_briefly(const struct gsync_tuning *tuning)
{
	uint64_t before = gsync_ticks();

	return yield() && gsync_turn_began - before <= (uint64_t)(ROUND_NS * tuning->ticks_per_ns);
}

/*
 * Who stands on the CPU of one before it keeps that one from its turn, and as long as all of a crowd stand
 * in the queue each turn takes a switch of threads. So where the queue is long it gives back the TICKET that it has
 * just drawn, as if it had lost its CPU before it asked, and yields until none of the queue stands on its CPU. A short
 * queue is not worth letting others, who may never want the lock, have the CPU.
 *
 * Returns the ticket to wait with.
 */
static uint32_t stay_out(gsync_oticket_t *lock, uint32_t ticket)
{
	const struct gsync_tuning tuning = gsync_tuning();

	if (!is_in_the_way(lock, &tuning, ticket) || !give_back(lock, ticket))
		return ticket;
	for (int i = 0; i < STAYS_OUT_MOST && yield_briefly(&tuning); i++)
		if (!is_in_the_way(lock, &tuning, __atomic_load_n(&lock->next, __ATOMIC_RELAXED)))
			break;
	return draw(lock);
}

void gsync_oticket_lock_slow_(gsync_oticket_t *lock, uint32_t ticket)
{
	/* While the lock's line is still here. */
	bool may_be_long = queue_to(lock, ticket) >= LONG_QUEUE_MIN;
	struct gsync_wait wait = gsync_wait_begins(GSYNC_KIND_OTICKET_);

	GSYNC_PROBE2(oticket_entry, lock, ticket);
	if (may_be_long)
		ticket = stay_out(lock, ticket);
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
		uint64_t before = __atomic_fetch_add(turn, ONE_ROUND, __ATOMIC_ACQ_REL);

		*slept = (before & SLEEPERS) != 0;
		if ((before & channel(heir)) == 0)
			return heir;
		/* Nobody took it, so this thread still holds the lock, and the memory. */
		__atomic_fetch_and(turn, ~(uint64_t)channel(heir), __ATOMIC_ACQUIRE);
	}
}

/* Which of the EAGER waiters behind HEIR sleep, if so many of the WAITING come after it: bit K stands for HEIR + 1 + K. */
static uint32_t sleepers_behind(gsync_oticket_t *lock, uint32_t heir, uint32_t waiting, uint32_t eager)
{
	uint32_t asleep = 0;

	for (uint32_t k = 0; k < eager && k + 1 < waiting; k++)
		if ((__atomic_load_n(turn_of(lock, heir + 1 + k), __ATOMIC_RELAXED) & SLEEPERS) != 0)
			asleep |= 1u << k;
	return asleep;
}

#define MEMORY 8 /* turns, of how long the lock was held */

/* Called by the holder, whose heir HEIR is. If it had to wait others will have to wait for such as this. */
static void note_held(gsync_oticket_t *lock, const struct gsync_tuning *tuning, uint32_t heir, uint64_t now)
{
	uint32_t average = __atomic_load_n(&lock->held, __ATOMIC_RELAXED);
	uint32_t held;

	if (lock->heir != heir)
		return;
	held = (uint32_t)now - lock->entered;
	/* One that was off its CPU says little about the next. */
	if (held > tuning->yield)
		held = (uint32_t)tuning->yield;
	__atomic_store_n(&lock->held, average - average / MEMORY + held / MEMORY, __ATOMIC_RELAXED);
}

/* Called by the holder. */
static void note_crowd(gsync_oticket_t *lock, const struct gsync_tuning *tuning, uint32_t waiting, uint64_t now)
{
	if (waiting >= tuning->usable_cpus)
		__atomic_store_n(&lock->crowded, coarse(now), __ATOMIC_RELAXED);
}

/* What is known of the queue after the release, when the lock may be somebody else's, or gone. */
struct departure {
	uint32_t heir;
	uint32_t served; /* has the turn now */
	bool served_waits; /* it is up, or being woken; else it has gone on already, or nobody knows */
	bool shared;
	bool was_crowd; /* there is one, or was lately, and turns come soon */
	uint32_t reach; /* tickets from the heir on whose turns come soon, in a crowd that others do not press on; else 0 */
};

/* Sections lasted LATELY so long, and WAITING come after the holder. */
static void plan(struct departure *left, const struct gsync_tuning *tuning, uint32_t waiting, uint64_t lately)
{
	uint32_t near_ones = soon(tuning, lately);

	left->was_crowd = left->was_crowd && near_ones > 0;
	if (waiting >= tuning->usable_cpus)
		left->reach = lesser(lesser(waiting, near_ones), WINDOW);
}

/* Finds the first waiter of this CPU, if it is near. */
static bool find_here(gsync_oticket_t *lock, const struct departure *left, uint32_t *first)
{
	uint32_t from = left->served + !left->served_waits;
	uint32_t passed = from - left->heir;

	return !left->shared && passed < left->reach &&
	       gsync_whereabouts_find(lock, from, left->reach - passed, gsync_whereabouts_cpu(), first);
}

/*
 * Wakes the first waiter of this CPU, ahead of its turn, unless it is up, or served, which
 * means that it has been woken if it slept; and yields to it.
 *
 * As long as all of a crowd stand in the queue, order takes a switch of threads for each turn.
 * If those of each CPU use the lock one after another, each for some time while the others
 * stay out, having released it and not asked for it again, it takes one for each such time.
 * Only LOCK's address is used. False when nobody is known to be here.
 */
static bool make_room(gsync_oticket_t *lock, const struct departure *left)
{
	uint32_t first;

	if (!find_here(lock, left, &first))
		return false;
	if (first != left->served && !gsync_whereabouts_is_up(lock, first))
		wake(lock, first, false);
	yield();
	return true;
}

#define YIELDS_AT_RANDOM 2

/*
 * Nobody waits for a ticket of this thread for this lock: the best moment to let others of its CPU
 * have their turns, before it asks again. Where nobody knows who stands where, they may be in the queue.
 */
static void end_turn(const struct gsync_tuning *tuning, const struct departure *left)
{
	if (left->shared && left->reach > 0)
		for (int i = 0; i < YIELDS_AT_RANDOM && yield(); i++)
			;
	else if (left->was_crowd && gsync_turn_is_over(tuning, gsync_ticks()))
		yield();
}

void gsync_oticket_unlock_slow_(gsync_oticket_t *lock)
{
	const struct gsync_tuning tuning = gsync_tuning();
	uint32_t heir = __atomic_load_n(&lock->serving, __ATOMIC_RELAXED) + 1;
	uint32_t waiting = __atomic_load_n(&lock->next, __ATOMIC_RELAXED) - heir;
	uint32_t ahead = sleepers_behind(lock, heir, waiting, tuning.eager);
	uint64_t lately = section(lock);
	uint64_t now = gsync_ticks();
	struct departure left = { .heir = heir, .shared = is_shared(lock) };
	bool slept;

	note_crowd(lock, &tuning, waiting, now);
	left.was_crowd = was_crowd(lock, &tuning, now);
	note_held(lock, &tuning, heir, now);
	GSYNC_PROBE1(oticket_release, lock);
	left.served = give_turn(lock, heir, &slept);
	/* A waiter on this CPU shall not take this thread for one that is before it. */
	if (!left.shared)
		gsync_whereabouts_forget(lock, heir - 1);
	plan(&left, &tuning, waiting, lately);
	left.served_waits = !left.shared && (slept || left.reach > 0) && gsync_whereabouts_is_up(lock, left.served);
	if (slept && !left.served_waits) {
		wake(lock, left.served, left.shared);
		left.served_waits = true;
	}
	if (!make_room(lock, &left))
		for (uint32_t k = 0; ahead >> k != 0; k++)
			if ((ahead >> k & 1u) != 0 && heir + 1 + k != left.served)
				wake(lock, heir + 1 + k, left.shared);
	end_turn(&tuning, &left);
}
