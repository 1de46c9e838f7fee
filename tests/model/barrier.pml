/* SPDX-License-Identifier: MIT */
/*
 * A model of primitives/barrier.c.
 *
 * Proves, for the sizes below:
 *   phases     a wait returns only after COUNT have arrived for its phase, and each phase has
 *              one thread that is told it was the last
 *   wake-ups   none is lost, there is no deadlock
 *   progress   under weak fairness every wait returns
 *   touch      once any wait of the last phase has returned the barrier may be destroyed, and its memory reused at once:
 *              nobody who is still on the way out touches it
 *
 * How it corresponds: the fields of state have their names and are changed, as there, in
 * one step; each step carries the name of its function. The phase counts modulo PHASES instead
 * of 2^31, and has ended unless it lies up to AHEAD before, instead of 32767. A generation is one life
 * of the barrier, from init to destroy, always at the same address; each begins just before the
 * number of the phase wraps. A loop around a compare-and-swap is one step here, that
 * which succeeds: all that led to it was compared in that instant. Spinning is left out: patience may
 * end at any look. flags and count are constants, but reading them is a touch.
 *
 * Memory is sequentially consistent here. That arriving is acquire-release, the end of a phase
 * release and seen by acquire, and leaving release, is left to barrier.c's argument, to
 * ThreadSanitizer and to the weak-memory check (weak/).
 *
 * check  safety    -DTHREADS=3 -DCOUNT=3
 * check  progress  -DTHREADS=3 -DCOUNT=3
 * check  safety    -DTHREADS=3 -DCOUNT=2 -DWAITS=6
 * large  safety    -DTHREADS=4 -DCOUNT=4
 * large  progress  -DTHREADS=4 -DCOUNT=4
 * large  safety    -DTHREADS=4 -DCOUNT=2 -DWAITS=6
 * large  safety    -DTHREADS=4 -DCOUNT=3 -DWAITS=6
 *
 * With WAITS, more threads than COUNT make so many waits together. Without, each waits twice in every generation, for ever.
 *
 * mutant 1  safety  -DTHREADS=3 -DCOUNT=3            generation  SLEEPERS is cleared after the wake-up
 * mutant 2  safety  -DTHREADS=3 -DCOUNT=3            asleep      the wake-up comes before the end of the phase
 * mutant 3  safety  -DTHREADS=3 -DCOUNT=3            asleep      a waiter sleeps on what it reads after it has set SLEEPERS
 * mutant 4  safety  -DTHREADS=3 -DCOUNT=3            generation  who is leaving is not counted
 * mutant 5  safety  -DTHREADS=3 -DCOUNT=3            generation  flags are read once one has left
 * mutant 6  safety  -DTHREADS=3 -DCOUNT=3            asleep      destroy sleeps without having set DESTROYER
 * mutant 7  safety  -DTHREADS=3 -DCOUNT=2 -DWAITS=6  ended       who comes early counts for the phase that is being ended
 * mutant 8  safety  -DTHREADS=3 -DCOUNT=2 -DWAITS=6  asleep      the end of a phase takes its own COUNT for all that have arrived
 */
#include "futex.pml"

#define PHASES 8
#define AHEAD 3
#define FIRST_PHASE (PHASES - 1)

#define PHASE_HALF 1 /* channels */
#define LEAVING_HALF 2
#define OUTSIDE 4 /* not a futex: waits for the next generation */

/* state */
byte phase = FIRST_PHASE;
bool sleepers, destroyer;
byte leaving, arrived;

/* What only the proof knows. */
bool generation;
bool claimed; /* one will destroy this generation */
byte arrivals, ended; /* in this generation: calls, phases */
#ifdef WAITS
byte waits_left = WAITS;
#endif

#define touched (generation != mine)
#define TOUCH assert(!touched)
#define has_ended(p) (((p) + PHASES - phase) % PHASES > AHEAD)

inline wait_for_end(p)
{
	do
	:: atomic { has_ended(p) -> TOUCH; break }
	:: atomic { !has_ended(p) -> TOUCH; sleepers = true; seen = phase };
#if MUTANT == 3
		atomic { TOUCH; seen = phase };
		futex_wait(phase == seen, PHASE_HALF, result)
#else
		TOUCH; /* in the kernel */
		futex_wait(phase == seen && sleepers, PHASE_HALF, result)
#endif
	od
}

inline leave()
{
#if MUTANT != 5
	TOUCH; /* flags */
#endif
	atomic {
		TOUCH;
#if MUTANT != 4
		leaving--;
#endif
		wakes = destroyer && leaving == 0
	};
#if MUTANT == 5
	TOUCH;
#endif
	if
	:: wakes -> futex_wake_all(LEAVING_HALF)
	:: else
	fi
}

inline end_phase()
{
	TOUCH; /* flags */
#if MUTANT == 2
	futex_wake_all(PHASE_HALF);
#endif
	atomic {
		TOUCH;
		wakes = sleepers;
		phase = (phase + 1) % PHASES;
#if MUTANT == 8
		arrived = 0;
#else
		arrived = arrived - COUNT;
#endif
#if MUTANT != 4
		leaving = leaving + COUNT - 1;
#endif
#if MUTANT != 1
		sleepers = false;
#endif
		assert(ended == number && arrivals >= COUNT * (ended + 1));
		ended++
	};
#if MUTANT == 2
	skip
#else
	if
	:: wakes -> futex_wake_all(PHASE_HALF)
	:: else
	fi
#endif
#if MUTANT == 1
	; atomic { TOUCH; sleepers = false }
#endif
}

/* gsync_barrier_wait; NUMBER is the phase's, counted from the beginning of this generation, for the proof. */
inline barrier_wait()
{
	TOUCH; /* count */
	atomic {
		TOUCH;
		arrived++;
		my_phase = phase;
		place = arrived;
		arrivals++;
		number = (arrivals - 1) / COUNT;
#if MUTANT != 7
		early = false;
		do
		:: place > COUNT -> place = place - COUNT; my_phase = (my_phase + 1) % PHASES; early = true
		:: else -> break
		od
#endif
	};
	if
	:: place < COUNT ->
		wait_for_end(my_phase);
		assert(ended > number);
		leave()
	:: else ->
		if
		:: early -> wait_for_end((my_phase + PHASES - 1) % PHASES)
		:: else
		fi;
		end_phase()
	fi
}

inline barrier_destroy()
{
	TOUCH; /* flags */
	atomic { TOUCH; assert(arrived == 0); on = leaving != 0 };
	do
	:: !on -> break
	:: on ->
		atomic {
			TOUCH;
#if MUTANT != 6
			destroyer = true;
#endif
			seen = leaving
		};
		if
		:: seen == 0 -> break
		:: else
		fi;
		TOUCH; /* in the kernel */
		futex_wait(leaving == seen, LEAVING_HALF, result);
		atomic { TOUCH; on = leaving != 0 }
	od
}

/* The memory is given back, and becomes another barrier. */
inline reuse()
{
	atomic {
		generation = !generation;
		claimed = false;
		phase = FIRST_PHASE;
		sleepers = false;
		destroyer = false;
		leaving = 0;
		arrived = 0;
		arrivals = 0;
		ended = 0;
		futex_wake_all(OUTSIDE)
	}
}

/* After the last wait of a generation one of the threads, any, destroys the barrier; the others go on with the next. */
inline between_generations()
{
	if
	:: atomic { !claimed && generation == mine -> claimed = true };
		barrier_destroy();
		reuse()
	:: atomic { generation == mine && claimed -> asleep[me] = OUTSIDE; assert(!stuck) };
		asleep[me] == 0
	:: generation != mine
	fi
}

active [THREADS] proctype participant()
{
	byte me = _pid;
	bool mine, wakes, on, early;
	byte my_phase, place, seen, number, result;
	bool second;

#ifdef WAITS
	do
	:: atomic { waits_left > 0 -> waits_left-- };
		barrier_wait();
		if
		:: number == WAITS / COUNT - 1 ->
			if
			:: atomic { !claimed -> claimed = true };
				barrier_destroy();
				generation = !generation
			:: claimed
			fi;
			break
		:: else
		fi
	:: waits_left == 0 -> break
	od;
	finish()
#else
	do
	:: barrier_wait();
progress:
		if
		:: atomic { !second -> second = true }
		:: else ->
			between_generations();
			atomic { mine = generation; second = false }
		fi
	od
#endif
}
