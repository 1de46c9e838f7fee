/* SPDX-License-Identifier: MIT */
/*
 * A model of primitives/oticket.c and of the inline halves in guestsync/oticket.h.
 *
 * Proves, for the sizes below:
 *   exclusion  at most one thread holds the lock
 *   order      who gets it holds the oldest ticket that was drawn and not given up, or back
 *   wake-ups   none is lost, no turn is lost with a ticket that is given up, there is no deadlock
 *   entry      under weak fairness every untimed lock gets the lock, whatever the others do: lock,
 *              trylock, timedlock, and give up, again and again
 *   touch      a thread that has released touches nothing: the next holder may release and free
 *   wrap       all of it while tickets and rounds wrap, endlessly
 *
 * How it corresponds: each step carries the name of its function. A turn word is rounds[w],
 * sleepers[w] and gone[w], changed together in one step as in C. The sizes are smaller:
 *
 *              here  oticket.c
 *   TURNS      2     4     turn words
 *   ROUNDS     4     2^20  so tickets repeat after TURNS * ROUNDS = 8, there 2^22
 *   TICKETS    16    2^32  next and serving wrap: twice as late, there 2^10 times
 *   CHANNELS   2     32    so gone bits and wake-ups do after WINDOW = 4, there 128
 *   MARGIN     1     8
 *   SLEEPERS   2     4095  then the count is full and waiters nap; 1 in one check
 *   EAGER      2     a few woken ahead of their turn
 *
 * Loops around a compare-and-swap whose failure only looks again are one step: that which succeeds.
 * What the table of whereabouts says of a ticket is only whether its waiter is up; that may be lost at any moment to another
 * lock's waiter, but never made up. On which CPU it is, and the wake-ups on that CPU, which are favours, are left out.
 *
 * Spinning is left out: patience may end at any look, and every deadline may pass at any time. The distance
 * of a ticket and how long sections last, which only say how long to spin, are left out with it.
 *
 * Assumed: between timedlock's look at next and its compare-and-swap fewer than TICKETS, there 2^32, tickets are drawn; here
 * half as many, so that tickets given back cannot be mistaken for a lap. Else it may draw outside its window. trylock looks at its turn again instead.
 *
 * Memory is sequentially consistent here. That the turn is given by release and seen by acquire, and the same for tickets
 * that are given up and for serving, is left to oticket.c's argument, to ThreadSanitizer and to the weak-memory check (weak/).
 *
 * check  safety  -DTHREADS=2
 * check  safety  -DTHREADS=3 -DCALLS=1
 * check  safety  -DTHREADS=3 -DCALLS=1 -DSLEEPERS=1
 * check  entry   -DTHREADS=2
 * large  safety  -DTHREADS=3
 * large  entry   -DTHREADS=3
 * large  safety  -DTHREADS=4 -DCALLS=1
 *
 * With CALLS each thread makes so many calls of any kind, and then locks a last time; the last one frees the lock
 * at once after its unlock. Without, all go on for ever.
 *
 * mutant 1   safety  -DTHREADS=2 -DCALLS=5 asleep   a timed call draws a ticket outside the window
 * mutant 2   safety  -DTHREADS=2           asleep   giving up looks for the turn, then marks the ticket in a second step
 * mutant 3   safety  -DTHREADS=2           asleep   the wake-up comes before the turn
 * mutant 4   safety  -DTHREADS=2           asleep   whether the heir sleeps is looked up before the turn is given
 * mutant 5   safety  -DTHREADS=2           asleep   a waiter registers as a sleeper without looking for its turn again
 * mutant 6   safety  -DTHREADS=3 -DCALLS=1 freed    who is to be woken ahead of its turn is looked up after the release
 * mutant 7   safety  -DTHREADS=2 -DCALLS=4 asleep   the mark of a ticket that was passed over stays
 * mutant 8   safety  -DTHREADS=3           asleep   the wake-up goes to the first heir, which was passed over
 * mutant 9   safety  -DTHREADS=2           asleep   the inline unlock looks for sleepers only, not for tickets given up
 * mutant 10  safety  -DTHREADS=2           holders  trylock takes a free lock without comparing next
 * mutant 11  safety  -DTHREADS=2           waits_with  trylock does not look at its turn again
 * mutant 12  safety  -DTHREADS=2           asleep   a waiter does not say that it is up no more
 * mutant 13  safety  -DTHREADS=2           asleep   whether the heir is up is looked up before the turn is given
 * mutant 14  safety  -DTHREADS=2           asleep   a ticket is given back after another has been drawn
 * mutant 15  entry   -DTHREADS=2           cycle    a ticket is given back again and again
 */
#define TURNS 2
#define ROUNDS 4
#define TICKETS 16
#define CHANNELS 2
#define WINDOW (TURNS * CHANNELS)
#define MARGIN 1
#ifndef SLEEPERS
#define SLEEPERS 2
#endif

byte rounds[TURNS] = 3, sleepers[TURNS], gone[TURNS]; /* a zeroed lock, after FIRST tickets */
#define FIRST (TICKETS - 2)
byte next = FIRST, serving = FIRST - 1;

#define after(t, n) (((t) + (n)) % TICKETS)
#define from(t, earlier) (((t) + TICKETS - (earlier)) % TICKETS)
#define round_of(t) (after(t, TURNS - 1) / TURNS % ROUNDS)
#define word_of(t) ((t) % TURNS)
#define is_turn(t) (rounds[word_of(t)] == round_of(t))
#define mark_of(t) (1 << round_of(t) % CHANNELS)                              /* channel(), in gone */
#define channel_of(t) (1 << (word_of(t) * CHANNELS + round_of(t) % CHANNELS)) /* channel() and turn word, in asleep */
#define is_full(t) (sleepers[word_of(t)] == SLEEPERS)

/*
 * The table of whereabouts: a bit for each ticket, as far as tickets differ there. A waiter says that it is up as soon as
 * its ticket is drawn and not to be given back, and that it is not when it enters.
 */
byte up;
#define entry_of(t) (1 << (t) % (TURNS * ROUNDS))

/* What only the proof knows. */
#define NO_TICKET TICKETS
byte holders;
byte waits_with[THREADS] = NO_TICKET;
byte has_read[THREADS] = NO_TICKET; /* and compares next with that soon */
bool freed;
#ifdef LIVENESS
bool wants; /* the first thread has called lock, and has not got it */
#define WANTS(does) if :: me == 0 -> wants = does :: else fi
#else
#define WANTS(does) skip
#endif
#ifdef CALLS
byte users = THREADS;
#endif

/* Who naps looks again by itself, but that helps only if there is something to see. */
#define NAPPING 32
#define sees_something(p) (is_turn(waits_with[p]) || !is_full(waits_with[p]))
#define WILL_RUN(p) (asleep[p] == 0 || (asleep[p] & TIMED) != 0 || (asleep[p] == NAPPING && sees_something(p)))
#include "futex.pml"

#define TOUCH assert(!freed)

/* Thread P waits, with an older ticket than TICKET. */
#define IS_BEFORE(p) \
	(waits_with[p] != NO_TICKET && waits_with[p] != ticket && from(ticket, waits_with[p]) < TICKETS / 2)

/* This thread sees that it is its turn: from now on it holds the lock. */
inline enter()
{
	assert(holders == 0);
	holders++;
	assert(!ANY(IS_BEFORE));
	waits_with[me] = NO_TICKET;
	WANTS(false);
	up = up & ~entry_of(ticket)
}

#define IS_LAPPED(p) (p != me && has_read[p] != NO_TICKET && from(after(next, 1), has_read[p]) == TICKETS / 2)
#define may_draw (!ANY(IS_LAPPED))

inline draw_untold()
{
	ticket = next;
	next = after(next, 1);
	waits_with[me] = ticket;
	assert(from(next, serving) <= TURNS * ROUNDS) /* or the sizes are too small for this model */
}

inline tell_up()
{
	up = up | entry_of(ticket)
}

inline draw()
{
	draw_untold();
	tell_up()
}

/* The last ticket only, as soon as it is drawn. */
inline give_back()
{
	next = ticket;
	waits_with[me] = NO_TICKET
}

inline serve()
{
	atomic { TOUCH; serving = ticket; has_lock = true }
}

/* In wait_for_turn: leaves its loop unless the turn came first. */
inline give_up()
{
	atomic { result = 0; up = up & ~entry_of(ticket) };
	if
	:: atomic { is_turn(ticket) -> TOUCH }
	:: atomic { !is_turn(ticket) -> TOUCH;
#if MUTANT == 2
		skip }; atomic { TOUCH;
#endif
		gone[word_of(ticket)] = gone[word_of(ticket)] | mark_of(ticket); waits_with[me] = NO_TICKET };
		break
	fi
}

#define still_sleeps (rounds[word_of(ticket)] == seen_rounds && sleepers[word_of(ticket)] == seen_sleepers)

inline wait_for_turn(timed)
{
	do
	/* spin */
	:: atomic { is_turn(ticket) -> TOUCH; enter() };
		serve();
		break
	/* spin in vain, sleep_on */
	:: atomic { !is_turn(ticket) -> TOUCH;
#if MUTANT != 12
		up = up & ~entry_of(ticket)
#endif
		};
		if
		:: atomic { is_turn(ticket) && MUTANT != 5 -> TOUCH }
		:: atomic { (!is_turn(ticket) || MUTANT == 5) && !is_full(ticket) -> TOUCH;
			sleepers[word_of(ticket)]++;
			seen_rounds = rounds[word_of(ticket)]; seen_sleepers = sleepers[word_of(ticket)] };
			TOUCH; /* in the kernel */
			if
			:: timed -> futex_wait_timed(still_sleeps, channel_of(ticket), result)
			:: else -> futex_wait(still_sleeps, channel_of(ticket), result)
			fi;
			atomic { TOUCH; sleepers[word_of(ticket)]--; seen_rounds = 0; seen_sleepers = 0 };
			if
			:: result == TIMED_OUT -> give_up()
			:: else -> result = 0
			fi
		/* nap */
		:: atomic { !is_turn(ticket) && is_full(ticket) -> TOUCH; asleep[me] = NAPPING; assert(!stuck) };
			atomic { sees_something(me) || timed -> asleep[me] = 0 }
		fi
	/* look, after it slept */
	:: atomic { !is_turn(ticket) && (up & entry_of(ticket)) == 0 -> TOUCH; up = up | entry_of(ticket) }
	/* spin in vain, and the deadline has passed */
	:: atomic { timed && !is_turn(ticket) -> TOUCH };
		give_up()
	od
}

inline lock()
{
	atomic { may_draw -> TOUCH; draw_untold(); WANTS(true) };
#if MUTANT == 15
	do
#else
	if
#endif
	/* stay_out */
	:: atomic { next == after(ticket, 1) || MUTANT == 14 -> TOUCH; give_back() };
#if MUTANT == 15
		atomic { may_draw -> TOUCH; draw_untold() }
	:: tell_up(); break
	od;
#else
		atomic { may_draw -> TOUCH; draw() }
	:: tell_up()
	fi;
#endif
	wait_for_turn(false)
}

inline read_next()
{
	atomic { TOUCH; ticket = next; has_read[me] = ticket }
}

inline trylock()
{
	atomic { TOUCH; ticket = next };
	if
	:: atomic { !is_turn(ticket) -> TOUCH }
	:: atomic { is_turn(ticket) -> TOUCH };
		if
		:: atomic { (next == ticket || MUTANT == 10) && may_draw -> TOUCH; next = ticket; draw();
#if MUTANT == 10 || MUTANT == 11
			enter() };
			serve()
#else
			};
			wait_for_turn(false)
#endif
		:: atomic { next != ticket && MUTANT != 10 -> TOUCH }
		fi
	fi
}

/* queue_to(): nothing, where it is negative. */
#define is_too_long (from(ticket, serving) > WINDOW - MARGIN && from(ticket, serving) < TICKETS / 2 && MUTANT != 1)

inline timedlock()
{
	do
	:: trylock();
		if
		:: has_lock -> break
		:: else
		fi;
		read_next();
		if
		/* nap; the deadline may pass meanwhile */
		:: atomic { is_too_long -> TOUCH; has_read[me] = NO_TICKET };
			if
			:: break
			:: true
			fi
		:: atomic { !is_too_long -> TOUCH };
			if
			:: atomic { next == ticket && may_draw -> TOUCH; has_read[me] = NO_TICKET; draw() };
				wait_for_turn(true);
				break
			:: atomic { next != ticket -> TOUCH; has_read[me] = NO_TICKET }
			fi
		fi
	od
}

inline sleepers_behind()
{
	atomic { TOUCH; waiting = from(next, heir) };
	if
	:: waiting > 1 -> atomic { TOUCH; ahead = (sleepers[word_of(heir + 1)] != 0 -> 1 : 0) }
	:: else
	fi;
	if
	:: waiting > 2 -> atomic { TOUCH; ahead = ahead + (sleepers[word_of(heir + 2)] != 0 -> 2 : 0) }
	:: else
	fi
}

inline give_turn()
{
	served = heir;
	do
	:: atomic { TOUCH;
#if MUTANT != 4
		slept = sleepers[word_of(served)] != 0;
#endif
		rounds[word_of(served)] = (rounds[word_of(served)] + 1) % ROUNDS;
		if
		:: (gone[word_of(served)] & mark_of(served)) == 0 -> holders--; break
		:: else
		fi };
#if MUTANT != 7
		atomic { TOUCH; gone[word_of(served)] = gone[word_of(served)] & ~mark_of(served) };
#endif
		served = after(served, 1)
	od
}

inline wake_ahead(k)
{
	if
	:: (ahead & 1 << k) != 0 && after(heir, 1 + k) != served -> futex_wake_all(channel_of(after(heir, 1 + k)))
	:: else
	fi
}

inline unlock_slow()
{
	TOUCH; /* serving once more, and flags */
#if MUTANT != 6
	sleepers_behind();
#endif
#if MUTANT == 4
	atomic { TOUCH; slept = sleepers[word_of(heir)] != 0 };
#endif
#if MUTANT == 3
	if
	:: sleepers[word_of(heir)] != 0 -> futex_wake_all(channel_of(heir))
	:: else
	fi;
#endif
#if MUTANT == 13
	heir_is_up = (up & entry_of(heir)) != 0;
#endif
	give_turn();
#if MUTANT != 13
	heir_is_up = (up & entry_of(served)) != 0;
#endif
#if MUTANT == 6
	sleepers_behind();
#endif
	if
	:: slept && heir_is_up -> skip
	:: slept && MUTANT != 3 && MUTANT != 8 -> futex_wake_all(channel_of(served)) /* also where the table has lost that it is up */
	:: slept && MUTANT == 8 -> futex_wake_all(channel_of(heir))
	:: else
	fi;
	wake_ahead(0);
	wake_ahead(1)
}

#define needs_attention (sleepers[word_of(heir)] != 0 || (gone[word_of(heir)] != 0 && MUTANT != 9))

inline unlock()
{
	atomic { TOUCH; heir = after(serving, 1); attention = needs_attention };
	atomic { TOUCH; attention = attention || next != heir };
	if
	:: atomic { !attention && !needs_attention -> TOUCH;
		rounds[word_of(heir)] = (rounds[word_of(heir)] + 1) % ROUNDS; holders-- }
	:: attention || needs_attention -> unlock_slow()
	fi;
	atomic { heir = 0; served = 0; ahead = 0; waiting = 0; attention = false; slept = false; heir_is_up = false; has_lock = false }
}

#ifdef LIVENESS
ltl entry { [] (wants -> <> !wants) }
#define MAY_GIVE_UP (me != 0)
#else
#define MAY_GIVE_UP true
#endif

active [THREADS] proctype customer()
{
	byte me = _pid;
	byte ticket, heir, served, ahead, waiting, seen_rounds, seen_sleepers, result;
	bool has_lock, attention, slept, heir_is_up, frees;
#ifdef CALLS
	byte calls = CALLS;
#endif

	do
	:: lock();
again:
#ifdef CALLS
		if
		:: calls == 0 -> atomic { users--; frees = users == 0 }
		:: else
		fi;
#endif
		unlock();
		ticket = 0;
#ifdef CALLS
		if
		:: calls == 0 -> break
		:: else -> calls--
		fi
	:: calls > 0 ->
#else
	:: true ->
#endif
		if
		:: MAY_GIVE_UP -> timedlock()
		:: trylock()
		fi;
		if
		:: has_lock -> goto again
		:: else -> ticket = 0
		fi
#ifdef CALLS
		; calls--
#endif
	od;
	if
	:: frees -> freed = true
	:: else
	fi;
	finish()
}
