/* SPDX-License-Identifier: MIT */
/*
 * The futex of all models, after primitives/futex.h, and what it is to be stuck.
 *
 *   futex_wait(CONDITION, CHANNELS, RESULT)  sleeps if CONDITION, that the word is as expected, holds in that instant;
 *                                            otherwise EAGAIN, which is GSYNC_SLEEP_NONE
 *   futex_wait_timed(…)                      the same, with a timeout that may come at any moment
 *   futex_wake_all(CHANNELS)                 wakes all that listen on one of CHANNELS
 *   futex_wake_one(CHANNELS, WOKEN)          wakes an arbitrary one of them; WOKEN: there was one
 *
 * CHANNELS stand for addresses, too: a bit is a pair of both. Who sleeps may wake up for no reason at any moment (returns 0,
 * or EINTR), as often as it likes. So a lost wake-up would never be a deadlock to the checker. What is asserted
 * instead, wherever somebody goes to sleep or ends, is that there is still one who is up, or will be by a timeout of its own,
 * unless all have ended: nobody may have to rely on the favour of a spurious wake-up.
 *
 * With -DLIVENESS there are no spurious wake-ups: an eventual entry must not rest on them either.
 *
 * A process declares `byte me` as _pid; all processes are threads and have pids from 0.
 */
#ifndef MUTANT
#define MUTANT 0
#endif

#define TIMED 128   /* in asleep: its sleep will end */
#define FINISHED 64 /* in asleep: the thread has ended */

#define WOKEN 0 /* enum gsync_sleep */
#define NONE 1
#define TIMED_OUT 2

byte asleep[THREADS]; /* on which channels; 0 = up */

#if THREADS == 2
#define ANY(check) (check(0) || check(1))
#elif THREADS == 3
#define ANY(check) (check(0) || check(1) || check(2))
#elif THREADS == 4
#define ANY(check) (check(0) || check(1) || check(2) || check(3))
#endif

#ifndef WILL_RUN
#define WILL_RUN(p) (asleep[p] == 0 || (asleep[p] & TIMED) != 0)
#endif
#define HAS_NOT_FINISHED(p) (asleep[p] != FINISHED)
#define stuck (!ANY(WILL_RUN) && ANY(HAS_NOT_FINISHED))

inline returns_from_sleep(result)
{
	if
	:: atomic { asleep[me] == 0 -> result = WOKEN }
#ifndef LIVENESS
	:: atomic { asleep[me] != 0 -> asleep[me] = 0; result = WOKEN }
	:: atomic { asleep[me] != 0 -> asleep[me] = 0; result = NONE }
#endif
	fi
}

inline futex_wait(condition, channels, result)
{
	if
	:: atomic { condition -> asleep[me] = channels; assert(!stuck) };
		returns_from_sleep(result)
	:: atomic { !(condition) -> result = NONE }
	fi
}

inline futex_wait_timed(condition, channels, result)
{
	if
	:: atomic { condition -> asleep[me] = TIMED | (channels) };
		if
		:: atomic { asleep[me] == 0 -> result = WOKEN }
		:: atomic { asleep[me] != 0 -> asleep[me] = 0; result = TIMED_OUT }
#ifndef LIVENESS
		:: atomic { asleep[me] != 0 -> asleep[me] = 0; result = WOKEN }
		:: atomic { asleep[me] != 0 -> asleep[me] = 0; result = NONE }
#endif
		fi
	:: atomic { !(condition) -> result = NONE }
	fi
}

#define LISTENS(p, channels) ((asleep[p] & (channels)) != 0)
#define wake_if_asleep(p, channels) asleep[p] = (LISTENS(p, channels) -> 0 : asleep[p])

inline futex_wake_all(channels)
{
	d_step {
		wake_if_asleep(0, channels);
		wake_if_asleep(1, channels);
#if THREADS > 2
		wake_if_asleep(2, channels);
#endif
#if THREADS > 3
		wake_if_asleep(3, channels);
#endif
	}
}

inline futex_wake_one(channels, woken)
{
	atomic {
		woken = true;
		if
		:: LISTENS(0, channels) -> asleep[0] = 0
		:: LISTENS(1, channels) -> asleep[1] = 0
#if THREADS > 2
		:: LISTENS(2, channels) -> asleep[2] = 0
#endif
#if THREADS > 3
		:: LISTENS(3, channels) -> asleep[3] = 0
#endif
		:: else -> woken = false
		fi
	}
}

inline finish()
{
	atomic { asleep[me] = FINISHED; assert(!stuck) }
}
