/* SPDX-License-Identifier: MIT */
/*
 * A model of how the pool's threads are called, park, and join: lib/crew.c, lib/group.c, and lib/worker.c's loop with the order
 * of its looks.
 *
 * Thread 0 is a foreign one: in each of ROUNDS it spawns SPAWNS tasks into a group and waits for them; then it waits until
 * LOOSE tasks have been run, which the last thread submits, a foreign one that does not help, and LOOSE_OF_0 that it has
 * submitted itself before; then it shuts the pool down. The threads between are the pool's places; each runs from
 * when it is started until the pool closes.
 *
 * Proves, for the sizes below:
 *   no work is left lying   there is no moment at which all sleep and something is left to do
 *   wake-ups                none is lost, neither of a call nor of a group, nor at the shutdown; there is no deadlock
 *   join                    wait returns when all tasks of the group are done, and not before
 *   touch                   once it has returned nobody touches the group
 *   counts                  after the shutdown nobody is counted, as awake, parked, or called
 *
 * How it corresponds: awake, parked, calls and SEARCHING are the fields of crew, left and WAITERS those of a group's state;
 * each step carries the name of its function. event is no number here: has_changed[p] is whether it has changed since
 * thread P read it, so it never comes back to what it was (in C after 2^32 wake-ups). All places where work can lie
 * are one: grouped counts the group's tasks there, loose the others. That deques and loops are looked at one by one, and a
 * race for them can be lost, is left to deque.c and loop.c. Spinning is left out: patience may end at any look. All that
 * is done with starting held is one step.
 *   -DISOLATED   the group is: the waiter takes only its tasks
 *   -DCHANGES    capacity is anything from 1 to CAPACITY whenever it is read; without, it is CAPACITY
 *   -DREFUSED    a thread beside the first may not be had
 *   -DALARMS     a worker that parks may be up by an alarm (rhythm.c)
 *
 * Memory is sequentially consistent, here as in the C: both sides of each argument use sequentially consistent operations.
 *
 * check  safety  -DTHREADS=3 -DCAPACITY=2
 * check  safety  -DTHREADS=3 -DCAPACITY=2 -DISOLATED
 * check  safety  -DTHREADS=3 -DCAPACITY=2 -DCHANGES
 * check  safety  -DTHREADS=3 -DCAPACITY=2 -DALARMS
 * large  safety  -DTHREADS=4 -DCAPACITY=2 -DREFUSED -DROUNDS=0 -DLOOSE=1 -DLOOSE_OF_0=2
 * large  safety  -DTHREADS=4 -DCAPACITY=2
 * large  safety  -DTHREADS=4 -DCAPACITY=3 -DCHANGES
 * large  safety  -DTHREADS=4 -DCAPACITY=2 -DISOLATED -DCHANGES
 *
 * mutant 1   safety  -DTHREADS=3 -DCAPACITY=2             asleep    a wake-up does not change event
 * mutant 2   safety  -DTHREADS=3 -DCAPACITY=2             asleep    who parks reads event after it has looked whether it is called
 * mutant 3   safety  -DTHREADS=3 -DCAPACITY=2             asleep    who parks does not look for work a last time
 * mutant 4   safety  -DTHREADS=3 -DCAPACITY=2             asleep    who parks looks a last time, then counts itself out
 * mutant 5   safety  -DTHREADS=3 -DCAPACITY=2             asleep    who waits for a group does not note that
 * mutant 6   safety  -DTHREADS=3 -DCAPACITY=2             mine      who has done a task looks once more whether there are waiters
 * mutant 7   safety  -DTHREADS=3 -DCAPACITY=1 -DISOLATED  asleep    a helper leaves without a look for work
 * mutant 8   safety  -DTHREADS=3 -DCAPACITY=2             parked    who gets up by itself does not take the call that was meant for it
 * mutant 9   safety  -DTHREADS=3 -DCAPACITY=2             asleep    who parks leaves SEARCHING set
 * mutant 10  safety  -DTHREADS=3 -DCAPACITY=2             asleep    who parks clears SEARCHING after its last look
 * mutant 11  safety  -DTHREADS=4 -DCAPACITY=2 -DREFUSED -DROUNDS=0 -DLOOSE=1 -DLOOSE_OF_0=2 asleep who could not start a thread does not look for work
 * mutant 12  safety  -DTHREADS=4 -DCAPACITY=2 -DROUNDS=0 asleep    a call goes to the one that is steered, whether or not it sleeps
 */
#ifndef ROUNDS
#define ROUNDS 1
#endif
#ifndef SPAWNS
#define SPAWNS 2
#endif
#ifndef LOOSE
#define LOOSE 2
#endif
#ifndef LOOSE_OF_0
#define LOOSE_OF_0 0
#endif

#define WORKERS (THREADS - 2)
#define SUBMITTER (THREADS - 1)

#include "futex.pml"

#define CALL_CHANNELS (1 | 16) /* of workers 1 and 2 */
#define GROUP_CHANNEL 2
#define NOT_STARTED 4 /* not futexes: waits to be created, */
#define OUTSIDE 8     /* for loose tasks to be done, or threads to be joined */

byte awake, parked, calls;
bool SEARCHING;
bool has_changed[THREADS]; /* event */

byte grouped, loose;
bool closing;
byte started;

byte left;
bool WAITERS;

/* What only the proof knows. */
byte group; /* which: those before are gone */
byte loose_left = LOOSE + LOOSE_OF_0, group_left, more = 1; /* one of the group's tasks spawns another */
bool refused;

#define work_is_visible (grouped > 0 || loose > 0)
#define TOUCH assert(mine == group)

#define LOOSE_TASK 1
#define GROUPED_TASK 2

inline announce_to_all(channels)
{
	event_changes();
	futex_wake_all(channels)
}

inline event_changes()
{
#if MUTANT != 1
	d_step {
		has_changed[0] = true;
		has_changed[1] = true;
		has_changed[2] = true;
#if THREADS > 3
		has_changed[3] = true
#endif
	}
#else
	skip
#endif
}

/* ---- calling */

/* Which worker is steered is steer.c's. */
inline wake_one()
{
	event_changes();
	if
	:: true
	:: futex_wake_one(1, woke)
#if THREADS > 3
	:: futex_wake_one(16, woke)
#endif
	fi;
#if MUTANT == 12
	woke = true;
#endif
	if
	:: !woke -> futex_wake_one(CALL_CHANNELS, woke)
	:: else
	fi;
	woke = false
}

/* capacity_of, room_within */
inline read_capacity()
{
	atomic {
		if
		:: capacity = CAPACITY
#ifdef CHANGES
		:: capacity = 1
#endif
		fi;
		if
		:: refused && capacity > started + 1 -> capacity = started + 1
		:: else
		fi
	}
}

#define may_start (started < WORKERS && started < capacity && !closing)

/* After the caller has counted the new one as awake and searching. */
inline start_thread()
{
	atomic {
		if
		:: may_start -> started++; asleep[started] = 0; has_started = true
#ifdef REFUSED
		:: may_start && started > 0 -> refused = true
#endif
		:: else
		fi
	};
	if
	:: !has_started -> SEARCHING = false; awake--
	:: else
	fi
}

#define nobody_needs_to_come (SEARCHING || awake >= capacity)

inline crew_call()
{
	read_capacity();
	do
	:: atomic { nobody_needs_to_come -> break }
	:: atomic { !nobody_needs_to_come && parked > 0 -> parked--; calls++; awake++; SEARCHING = true };
		wake_one();
		break
	:: atomic { !nobody_needs_to_come && parked == 0 -> skip };
		if
		:: atomic { !may_start || refused -> break } /* refused: for a while */
		:: atomic { may_start && !nobody_needs_to_come && parked == 0 -> awake++; SEARCHING = true };
			start_thread();
			/* Others may have relied on the one that was to come: then it is as if they called now. */
			if
			:: atomic { !has_started && work_is_visible && MUTANT != 11 -> skip }; read_capacity()
			:: atomic { has_started || !work_is_visible || MUTANT == 11 -> has_started = false; break }
			fi
		:: atomic { may_start && (nobody_needs_to_come || parked > 0) -> skip }
		fi
	od;
	capacity = 0
}

inline call_if_visible()
{
	if
	:: atomic { work_is_visible -> skip }; crew_call()
	:: atomic { !work_is_visible -> skip }
	fi
}

inline end_search()
{
	SEARCHING = false;
	searching = false;
	call_if_visible()
}

inline crew_leave()
{
	awake--;
#if MUTANT != 7
	call_if_visible()
#endif
}

/* ---- sleeping */

inline count_out()
{
	atomic {
		awake--;
		parked++;
		if
		:: searching && MUTANT != 9 && MUTANT != 10 -> SEARCHING = false
		:: else
		fi;
		searching = searching && MUTANT == 10
	}
}

/* IS_DONE: of the group, or the pool closes. SEARCHING is what it returns. */
inline crew_park(is_done, channels)
{
#if MUTANT == 4
	look_around = look_around && work_is_visible;
#endif
	if
	:: !retired && !(MUTANT == 4 && look_around) -> count_out()
	:: else
	fi;
	do
#if MUTANT == 4
	:: look_around -> break
#endif
	:: !(MUTANT == 4 && look_around) ->
#if MUTANT != 2
		has_changed[me] = false;
#endif
		if
		/* answer_call */
		:: atomic { calls > 0 -> calls--; searching = true };
			break
		:: atomic { calls == 0 -> skip };
			if
			:: atomic { is_done -> skip }; get_up(); break
			:: atomic { !(is_done) -> skip };
				if
				:: atomic { look_around && work_is_visible && MUTANT != 3 && MUTANT != 4 -> skip }; get_up(); break
				:: atomic { !look_around || !work_is_visible || MUTANT == 3 || MUTANT == 4 -> look_around = false };
					if
					:: searching && MUTANT == 10 -> SEARCHING = false; searching = false
					:: else
					fi
				fi
			fi
		fi;
#if MUTANT == 2
		has_changed[me] = false;
#endif
#ifdef ALARMS
		if
		:: !retired && me > 0 -> futex_wait_timed(!has_changed[me], channels, result)
		:: futex_wait(!has_changed[me], channels, result)
		fi;
		if
		:: result == TIMED_OUT -> result = 0; get_up(); break
		:: else -> result = 0
		fi
#else
		futex_wait(!has_changed[me], channels, result);
		result = 0
#endif
	od;
	atomic { retired = false; look_around = false }
}

inline get_up()
{
	atomic {
		if
		:: parked == 0 && MUTANT != 8 -> calls--; searching = true
		:: else -> assert(parked > 0); parked--; awake++
		fi
	}
}

/* ---- tasks and groups */

inline wake_group()
{
	announce_to_all(GROUP_CHANNEL)
}

inline spawn()
{
#ifdef ISOLATED
	atomic { TOUCH; left++ }; /* a count of its own */
#endif
	atomic { TOUCH; left++ };
	atomic { grouped++; group_left++ };
	crew_call();
#ifdef ISOLATED
	atomic { TOUCH; left--; wakes = WAITERS };
	if
	:: wakes -> wake_group(); wakes = false
	:: else
	fi
#endif
}

/* gsync_work_take: of the group, or any. */
inline take_grouped()
{
	grouped--;
	task = GROUPED_TASK
}

inline take_loose()
{
	loose--;
	task = LOOSE_TASK
}

inline task_run()
{
	if
	:: task == LOOSE_TASK ->
		atomic {
			loose_left--;
			if
			:: loose_left == 0 -> futex_wake_all(OUTSIDE)
			:: else
			fi
		}
	:: task == GROUPED_TASK ->
		if
		:: atomic { more > 0 -> more-- };
			spawn()
		:: else
		fi;
		atomic { group_left--; task = 0 };
		/* gsync_group_finish */
		atomic { TOUCH; left--; wakes = left == 0 && WAITERS };
#if MUTANT == 6
		atomic { TOUCH; wakes = wakes && WAITERS };
#endif
		if
		:: wakes -> wake_group(); wakes = false
		:: else
		fi
	fi;
	task = 0
}

/* gsync_work, once it has found something */
inline work()
{
	if
	:: searching -> end_search()
	:: else
	fi;
	task_run()
}

inline note_waiter()
{
	atomic { TOUCH;
#if MUTANT != 5
		WAITERS = true
#endif
	}
}

inline help()
{
	do
	:: atomic { left == 0 -> TOUCH; break }
	:: atomic { left != 0 && loose > 0 -> TOUCH; take_loose() };
		work()
	:: atomic { left != 0 && grouped > 0 -> TOUCH; take_grouped() };
		work()
	:: atomic { left != 0 && !work_is_visible -> TOUCH };
		note_waiter();
		look_around = true;
		crew_park(left == 0, my_channels | GROUP_CHANNEL)
	od;
	if
	:: searching -> end_search()
	:: else
	fi
}

inline help_isolated()
{
	do
	:: atomic { left == 0 -> TOUCH; break }
	:: atomic { left != 0 && grouped > 0 -> TOUCH; take_grouped() };
		task_run()
	:: atomic { left != 0 && grouped == 0 -> TOUCH };
		note_waiter();
		has_changed[me] = false; /* gsync_crew_event */
		if
		:: atomic { grouped > 0 -> take_grouped() };
			task_run()
		:: atomic { grouped == 0 -> skip };
			if
			:: atomic { left == 0 -> TOUCH }
			:: atomic { left != 0 -> TOUCH };
				crew_leave();
				futex_wait(!has_changed[me], GROUP_CHANNEL, result);
				result = 0;
				awake++
			fi
		fi
	od
}

inline group_wait()
{
	if
	:: atomic { left != 0 -> TOUCH; skip };
		awake++; /* gsync_crew_join */
#ifdef ISOLATED
		help_isolated();
#else
		help();
#endif
		crew_leave();
		atomic { TOUCH; WAITERS = WAITERS && left != 0 }
	:: atomic { left == 0 -> TOUCH }
	fi;
	assert(left == 0 && group_left == 0)
}

/* ---- threads */

inline worker_main()
{
	searching = true;
	do
	/* is_one_too_many */
	:: read_capacity();
		if
		/* gsync_crew_retire */
		:: atomic { awake > capacity -> capacity = 0; retired = true; count_out() };
			crew_park(closing, my_channels)
		:: atomic { awake <= capacity -> capacity = 0 };
			call_if_visible()
		fi
	:: atomic { loose > 0 -> take_loose() };
		work()
	:: atomic { grouped > 0 -> take_grouped(); mine = group };
		work()
	:: atomic { !work_is_visible -> skip };
		if
		:: atomic { closing && !work_is_visible -> break }
		:: atomic { !closing || work_is_visible -> skip };
			/* rest */
			atomic {
				if
				:: !searching && !SEARCHING -> SEARCHING = true; searching = true
				:: else
				fi
			};
			if
			:: atomic { searching && work_is_visible -> skip }
			:: look_around = true;
				crew_park(closing, my_channels)
			fi
		fi
	od;
	/* gsync_crew_quit */
	if
	:: searching -> SEARCHING = false; searching = false
	:: else
	fi;
	awake--
}

#define HAS_ENDED(p) (p == 0 || asleep[p] == FINISHED)
#if THREADS == 3
#define all_have_ended (HAS_ENDED(1) && HAS_ENDED(2))
#else
#define all_have_ended (HAS_ENDED(1) && HAS_ENDED(2) && HAS_ENDED(3))
#endif

inline wait_outside_for(condition)
{
	do
	:: atomic { condition -> break }
	:: atomic { !(condition) -> asleep[me] = OUTSIDE; assert(!stuck) };
		asleep[me] == 0
	od
}

inline shut_down()
{
	atomic { closing = true; futex_wake_all(NOT_STARTED) };
	announce_to_all(CALL_CHANNELS | GROUP_CHANNEL);
	wait_outside_for(all_have_ended);
	assert(!work_is_visible);
	assert(awake == 0 && parked == 0 && calls == 0)
}

active [THREADS] proctype thread()
{
	byte me = _pid;
	byte mine, capacity, result, task, count, my_channels = CALL_CHANNELS;
	bool searching, retired, look_around, wakes, woke, has_started;

	if
	:: me == 0 ->
		do
		:: count < LOOSE_OF_0 -> atomic { loose++; count++ }; crew_call()
		:: else -> count = 0; break
		od;
		do
		:: mine < ROUNDS ->
			do
			:: count < SPAWNS -> spawn(); count++
			:: else -> break
			od;
			group_wait();
			atomic { group++; mine = group; count = 0 }
		:: else -> break
		od;
		wait_outside_for(loose_left == 0);
		shut_down()
	:: me == SUBMITTER ->
		do
		:: count < LOOSE -> atomic { loose++; count++ }; crew_call()
		:: else -> break
		od
	:: else ->
		atomic {
			if
			:: started < me && !closing -> asleep[me] = NOT_STARTED; assert(!stuck)
			:: else
			fi
		};
		asleep[me] == 0;
		if
		:: me == 1 -> my_channels = 1
		:: else -> my_channels = 16
		fi;
		if
		:: started >= me -> worker_main()
		:: else
		fi
	fi;
	atomic { asleep[me] = FINISHED; futex_wake_all(OUTSIDE); assert(!stuck) }
}
