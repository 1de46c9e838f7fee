/* SPDX-License-Identifier: MIT */
/*
 * A model of primitives/lockword.c and the inline halves in guestsync/lockword.h, as gsync_spinlock uses them and, with
 * -DMUTEX, which adds the hand-over, as gsync_mutex does.
 *
 * Proves, for the sizes below:
 *   exclusion  at most one thread holds the lock, also where it is granted and the grant is overdue
 *   wake-ups   none is lost: never are all asleep for good. Where there are guards (PLAIN) a sleep of the guard, which
 *              ends by itself, is one that may be relied on; where there are none, nothing but wake-ups is
 *   touch      a thread that has released touches nothing: the next holder may release and free
 *   entry      of a mutex, with two threads: under weak fairness, who is woken for a hand-over gets the lock, if its patience
 *              outlasts the hand-over's second step, and it has a CPU before the grant is overdue, or the deadline comes of
 *              one who waits for the grant to be taken
 *
 * Does not prove: that hand-overs find a sleeper again and again, or that solo starves nobody, which are matters of clocks;
 * how long anything takes.
 *
 * How it corresponds: word is the lock word, with the bits' names; P is MINE, this process's mark, or OTHERS, an
 * ancestor's. What a waiter knows has the names of struct waiter, as far as it is not time. Each step carries the name of its
 * function.
 *   -DPLAIN     x86: the unlock by a plain store, in two steps, the look and the store; guards
 *   -DSHARED    a process-shared lock: S is set
 *   -DSOLO      A and M come and go: the holder sets and clears them whenever it may, whatever solo.c would make of it
 *   -DNO_MARK   no mark to be had: process_mark() is 0
 *   -DFORKED    the word is one that a child has inherited, with an ancestor's P, and W
 * A look that decides what a compare-and-swap is to do is one step with it, as its failure only leads to another look.
 * Spinning is left out: patience may end at any look. Timeouts may come at any moment; wake-ups may be spared, be two, or be
 * hand-overs, or not, wherever the word allows it. stays_free() says anything. FAILED_TURNS_MOST is 2 instead of 32.
 *
 * Memory is sequentially consistent here; the plain store is a step of its own, and that it may come late is what makes the
 * hole (4), but of x86's order no more is here. Acquire and release are left to lockword.c's argument, ThreadSanitizer, and
 * the weak-memory check (weak/).
 *
 * check  safety  -DTHREADS=3 -DCALLS=1 -DMUTEX
 * check  safety  -DTHREADS=3 -DCALLS=1 -DSHARED
 * check  safety  -DTHREADS=3 -DCALLS=1 -DMUTEX -DPLAIN
 * check  safety  -DTHREADS=2 -DCALLS=2 -DMUTEX -DPLAIN -DSOLO
 * check  safety  -DTHREADS=2 -DCALLS=1 -DMUTEX -DPLAIN -DFORKED -DSOLO
 * check  safety  -DTHREADS=2 -DCALLS=1 -DMUTEX -DPLAIN -DNO_MARK
 * check  entry   -DTHREADS=2 -DMUTEX -DPLAIN
 * large  safety  -DTHREADS=3 -DCALLS=1 -DMUTEX -DPLAIN -DSOLO
 * large  safety  -DTHREADS=3 -DCALLS=1 -DMUTEX -DPLAIN -DFORKED
 *
 * With CALLS each thread makes so many calls of any kind, and then locks a last time; the last one frees the lock
 * at once after its unlock. Without, all go on for ever.
 *
 * mutant 1   safety  -DTHREADS=2 -DCALLS=1                 freed    W is cleared after the wake-up
 * mutant 2   safety  -DTHREADS=2 -DCALLS=1                 asleep   the wake-up comes before the release
 * mutant 3   safety  -DTHREADS=2 -DCALLS=1                 asleep   a waiter sets W, and sleeps on what it reads then
 * mutant 4   safety  -DTHREADS=3 -DCALLS=1                 asleep   who has slept and gives up wakes nobody
 * mutant 5   safety  -DTHREADS=3 -DCALLS=1 -DMUTEX         asleep   who gives up leaves H: the lock is granted to nobody
 * mutant 6   safety  -DTHREADS=3 -DCALLS=1                 asleep   who has slept takes the lock without W
 * mutant 7   safety  -DTHREADS=3 -DCALLS=1 -DPLAIN         asleep   a guard that gives up leaves P
 * mutant 8   safety  -DTHREADS=2 -DCALLS=1 -DMUTEX         asleep   the lock is granted though nobody was woken
 * mutant 9   safety  -DTHREADS=2 -DCALLS=1 -DPLAIN -DFORKED asleep  an ancestor's P is taken for a guard's
 * mutant 10  safety  -DTHREADS=3 -DCALLS=1 -DMUTEX         holders  a grant is taken by a look and a store
 * mutant 11  safety  -DTHREADS=2 -DCALLS=1                 freed    S is looked up after the release
 * mutant 12  safety  -DTHREADS=2 -DCALLS=2 -DPLAIN -DSOLO  asleep   solo: who sleeps where W is not set does not become the guard
 * mutant 13  safety  -DTHREADS=2 -DCALLS=1 -DPLAIN         asleep   who sets W does not become the guard
 * mutant 14  safety  -DTHREADS=2 -DCALLS=1 -DSHARED        asleep   whether to wake is decided by a look before the release
 * mutant 15  entry   -DTHREADS=2 -DMUTEX -DPLAIN           cycle    whoever comes takes a grant
 */
#define L 1
#define W 2
#define H 4
#define G 8
#define A 16
#define M 32
#define MINE 64    /* in P */
#define OTHERS 128
#define P (MINE | OTHERS)

#ifdef PLAIN
#define IS_PLAIN true
#else
#define IS_PLAIN false
#endif
#ifdef SHARED
#define IS_SHARED true
#else
#define IS_SHARED false
#endif
#ifdef MUTEX
#define IS_MUTEX true
#else
#define IS_MUTEX false
#endif
#ifdef NO_MARK
#define MARK 0
#else
#define MARK MINE
#endif
#define FAILED_TURNS_MOST 2

byte word;

/* What only the proof knows. */
byte holders;
bool freed;
#ifdef CALLS
byte users = THREADS;
#endif
#ifdef LIVENESS
bool is_heir; /* thread 0: woken for a hand-over, and without the lock */
#endif

#include "futex.pml"

#define LOCK_WORD 1 /* the channel */
#define TOUCH assert(!freed)
#define is_set(bits) ((word & (bits)) != 0)
#define can_take (!is_set(L) || ((has_slept || overdue || MUTANT == 15) && is_set(G)))
#define must_not_disturb (is_set(A) && !its_turn && (is_set(L) || has_slept))
#define has_guard(w) (!IS_SHARED && ((w) & W) != 0 && ((w) & P) == MARK && MARK != 0)
#define may_hand_over (IS_MUTEX && (word & (W | A)) == W && !IS_SHARED)

/* It has the lock; in one step with what gave it. */
inline enter()
{
	assert(holders == 0);
	holders++;
#ifdef LIVENESS
	is_heir = is_heir && me != 0
#endif
}

/* take(): of what it has seen in the same step. */
inline take()
{
	if
	:: !has_slept && !is_set(G) -> word = word | L
	:: else ->
		word = word & ~G;
		word = word | (MUTANT != 6 -> L | W : L);
		if
		:: guard -> word = word & ~P
		:: else
		fi
	fi;
	enter()
}

inline give_up()
{
	if
	:: atomic { can_take -> TOUCH; take(); has_lock = true }
	:: atomic { !can_take -> TOUCH;
		word = word & (MUTANT != 5 -> ~H : 255);
		if
		:: guard -> word = word & (MUTANT != 7 -> ~(W | P) : ~W)
		:: else
		fi };
		if
		:: has_slept && MUTANT != 4 -> futex_wake_one(LOCK_WORD, woke)
		:: else
		fi
	fi
}

/* asleep(), and the compare-and-swap on what it has seen in the same step. */
inline mark_as_asleep()
{
	becomes_guard = false;
	sleeping = (has_slept -> word & ~H : word);
	if
	:: !IS_PLAIN || IS_SHARED -> sleeping = sleeping | W
	:: else ->
		if
		:: (sleeping & A) != 0 && failed_turns + its_turn >= FAILED_TURNS_MOST -> sleeping = sleeping & ~(A | M)
		:: else
		fi;
		if
		:: (sleeping & (L | W)) == (L | W) && !((sleeping & A) != 0 && woken)
		:: else ->
			becomes_guard = !guard && (MARK == 0 || (sleeping & P) != MARK) && MUTANT != 13 && !(MUTANT == 12 && (sleeping & A) != 0) &&
					!(MUTANT == 9 && (sleeping & P) != 0);
			sleeping = (sleeping & ~P) | (MUTANT == 9 && (sleeping & P) != 0 -> sleeping & P : MARK);
			if
			:: (sleeping & A) != 0 && MARK != 0
			:: else -> sleeping = sleeping | W
			fi
		fi
	fi;
	word = sleeping
}

/* Sleeps on what mark_as_asleep() has made of the word; then OVER if the deadline ended it. */
inline sleep_on()
{
#if MUTANT == 3
	atomic { TOUCH; sleeping = word };
#endif
	TOUCH; /* in the kernel */
	if
	:: !guard && !(solo && woken) ->
		is_deadline = true;
		if
		:: timed -> futex_wait_timed(word == sleeping, LOCK_WORD, result)
		:: else -> futex_wait(word == sleeping, LOCK_WORD, result)
		fi
	:: else ->
		/* next_look */
		if
		:: is_deadline = false
		:: timed -> is_deadline = true
		fi;
		futex_wait_timed(word == sleeping, LOCK_WORD, result)
	fi;
	atomic {
		woken = woken || result == WOKEN;
		over = result == TIMED_OUT && is_deadline;
		its_turn = result == TIMED_OUT && !is_deadline && solo;
		forget_the_sleep()
	}
}

/* What is not needed any more is cleared throughout, for fewer states. */
inline forget_the_sleep()
{
	sleeping = 0;
	result = 0;
	is_deadline = false;
	solo = false
}

inline await_taker()
{
	TOUCH; /* in the kernel */
#ifdef LIVENESS
	futex_wait(word == sleeping, LOCK_WORD, result); /* neither overdue nor, which C treats alike, the deadline */
#else
	if
	:: is_deadline = false
	:: timed -> is_deadline = true
	fi;
	futex_wait_timed(word == sleeping, LOCK_WORD, result);
#endif
	atomic {
		has_slept = has_slept || result == WOKEN;
		overdue = result == TIMED_OUT;
		over = result == TIMED_OUT && is_deadline;
		forget_the_sleep()
	}
}

/* gsync_solo_waited: what it may do to the word. */
inline solo_waited()
{
#ifdef SOLO
	if
	:: true
	:: atomic { TOUCH; word = word | M }
	:: atomic { TOUCH; word = word & ~A }
	:: atomic { TOUCH; word = word & ~M }; atomic { TOUCH; word = word & ~A }
	:: atomic { TOUCH; word = word & ~M }; atomic { TOUCH; word = word | A }
	fi
#else
	skip
#endif
}

#ifdef LIVENESS
#define MAY_LOSE_PATIENCE !(has_slept && is_set(H))
#else
#define MAY_LOSE_PATIENCE true
#endif

inline lock_slow()
{
	do
	/* spin */
	:: atomic { !over && can_take -> TOUCH;
#if MUTANT == 10
		skip }; atomic { TOUCH;
#endif
		take(); has_lock = true };
		solo_waited();
		break
	/* spin in vain, or must_not_disturb */
	:: atomic { !over && !can_take && is_set(G) -> TOUCH; sleeping = word };
		await_taker()
	:: atomic { !over && ((!can_take && !is_set(G)) || must_not_disturb) && MAY_LOSE_PATIENCE -> TOUCH;
		mark_as_asleep();
		guard = guard || becomes_guard;
		has_slept = true;
		failed_turns = failed_turns + its_turn;
		its_turn = false;
		becomes_guard = false;
		solo = (sleeping & A) != 0 };
		sleep_on()
	:: timed || over ->
		give_up();
		break
	od;
	atomic { over = false; has_slept = false; overdue = false; woken = false; guard = false; its_turn = false; failed_turns = 0 }
}

/* lock, timedlock; the fast path. */
inline lock()
{
	if
	:: atomic { !is_set(L) -> TOUCH; word = word | L; enter(); has_lock = true }
	:: atomic { is_set(L) -> TOUCH };
		lock_slow()
	fi
}

/* The look has just been made. */
inline release_by_store()
{
	atomic { TOUCH; word = word & ~L; holders-- }
}

/* gsync_solo_count: what it may do to the word. */
inline solo_count()
{
	if
	:: true
	:: atomic { TOUCH; solo_ends = is_set(A); word = word & ~(A | M) }
	:: atomic { TOUCH; word = word | A }
	:: atomic { TOUCH; solo_ends = is_set(A); word = word & ~A }
	:: atomic { TOUCH; word = word & ~M };
		if
		:: atomic { TOUCH; word = word | A }
		:: atomic { TOUCH; solo_ends = is_set(A); word = word & ~A }
		fi
	fi
}

inline unlock_slow()
{
#ifdef SOLO
	if
	:: atomic { is_set(M) -> TOUCH };
		solo_count()
	:: atomic { !is_set(M) -> TOUCH }
	fi;
#endif
	atomic { TOUCH; seen = word };
	if
	:: IS_PLAIN && !IS_SHARED && !solo_ends && (seen & (W | H | G)) == 0 -> release_by_store()
	/* is_throttled() */
	:: !solo_ends && (seen & A) == 0 && has_guard(seen) -> atomic { TOUCH; word = word & ~(L | H); holders-- }
	:: !(IS_PLAIN && !IS_SHARED && !solo_ends && (seen & (W | H | G)) == 0) ->
#if MUTANT == 2
		if
		:: (seen & W) != 0 -> futex_wake_one(LOCK_WORD, woke)
		:: else
		fi;
		atomic { TOUCH; word = word & ~(L | W | H); holders--; held = 0 };
#elif MUTANT == 1
		atomic { TOUCH; held = word; word = word & ~(L | H); holders-- };
#else
		atomic { TOUCH; held = (MUTANT == 14 -> seen : word); word = word & ~(L | W | H); holders-- };
#endif
#if MUTANT == 11
		TOUCH;
#endif
		if
		:: solo_ends || ((held & W) != 0 && !((seen & A) != 0 && has_guard(seen))) ->
			futex_wake_one(LOCK_WORD, woke);
#ifndef LIVENESS
			if
			:: true
			:: futex_wake_one(LOCK_WORD, woke) /* under pressure another, before or after */
			fi
#endif
		:: else
		fi;
#if MUTANT == 1
		atomic { TOUCH; word = word & ~W };
#endif
	fi
}

/* GRANTED: it is; otherwise the lock is still held. */
inline hand_over()
{
	atomic {
		futex_wake_one(LOCK_WORD, woke);
#ifdef LIVENESS
		is_heir = is_heir || (woke && me != 0)
#endif
	};
	if
	:: !woke && MUTANT != 8
	:: atomic { (woke || MUTANT == 8) && word == seen -> TOUCH; word = (word & ~H) | G; holders--; granted = true }
	:: atomic { (woke || MUTANT == 8) && word != seen -> TOUCH }
	fi
}

inline unlock()
{
	if
#ifdef PLAIN
	:: atomic { !IS_SHARED && !is_set(W | H | G | M) -> TOUCH };
		release_by_store()
	:: atomic { IS_SHARED || is_set(W | H | G | M) -> TOUCH };
#else
	:: atomic { !IS_SHARED && word == L -> TOUCH; word = 0; holders-- }
	:: atomic { IS_SHARED || word != L -> TOUCH };
#endif
		if
		:: atomic { may_hand_over -> TOUCH; word = word | H; seen = word };
			hand_over()
		:: true
		fi;
		if
		:: !granted -> unlock_slow()
		:: else
		fi
	fi;
	atomic { has_lock = false; seen = 0; held = 0; granted = false; woke = false; solo_ends = false }
}

#ifdef LIVENESS
#define IS_FIRST (me == 0)
ltl entry { [] (is_heir -> <> !is_heir) }
#else
#define IS_FIRST false
#endif

#ifdef FORKED
bool forked;

/* The child's only thread may hold the lock, or hold nothing; the waiters and their wake-ups are the parent's. */
inline fork()
{
	if
	:: me == 0 ->
		atomic {
			if
			:: word = OTHERS
			:: word = OTHERS | W
			:: word = OTHERS | L | W | G
			:: word = OTHERS | L | W; has_lock = true; enter()
#ifdef SOLO
			:: word = OTHERS | A
			:: word = OTHERS | A | W
			:: word = OTHERS | A | L; has_lock = true; enter()
#endif
			fi;
			forked = true
		}
	:: else -> forked
	fi
}
#endif

active [THREADS] proctype user()
{
	byte me = _pid;
	bool timed, has_slept, overdue, woken, guard, its_turn, becomes_guard, solo, over, is_deadline; /* a waiter */
	byte failed_turns, sleeping, result;
	bool has_lock, granted, woke, solo_ends, frees;
	byte seen, held;
#ifdef CALLS
	byte calls = CALLS;
#endif

#ifdef FORKED
	fork();
	if
	:: has_lock -> unlock()
	:: else
	fi;
#endif
	do
	::
#ifdef CALLS
		if
		:: calls > 0 -> timed = true
		:: timed = false
		fi;
#else
		if
		:: !IS_FIRST -> timed = true
		:: timed = false
		fi;
#endif
		lock();
		if
		:: has_lock ->
#ifdef CALLS
			if
			:: calls == 0 -> atomic { users--; frees = users == 0 }
			:: else
			fi;
#endif
			unlock()
		:: else
		fi;
#ifdef CALLS
		if
		:: calls == 0 -> break
		:: else -> calls--
		fi
#endif
	od;
	if
	:: frees -> freed = true
	:: else
	fi;
	finish()
}
