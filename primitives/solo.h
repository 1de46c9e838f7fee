/* SPDX-License-Identifier: MIT */
/*
 * Solo: one thread runs on with a lock while all others that want it sleep, and
 * now and then another takes its place. Where a thread comes back to its lock
 * sooner than the lock's cache line would get to another CPU, this gets more done
 * than taking turns, on one CPU instead of several. Whether it does is found out
 * by trial: each hot lock is measured in both ways, in short windows, again and again;
 * but where there is one CPU only, since others have the rest, it is so.
 *
 * The verdict is a bit of the lock word; what it rests on is kept in a small
 * table by address. Two locks that fall on one entry drive each other out of it,
 * and so does a lock that is gone: all of this is advice, nobody's correctness
 * depends on it. All calls are made by the lock's holder; but a waiter may end solo
 * at any time.
 */
#ifndef GUESTSYNC_PRIMITIVES_SOLO_H
#define GUESTSYNC_PRIMITIVES_SOLO_H

#include <guestsync/lockword.h>

#include <stdbool.h>

/* The bits of the lock word that it owns. */
#define GSYNC_SOLO (1u << 15)	  /* waiters sleep at once; releases wake nobody, if there is a guard */
#define GSYNC_MEASURED (1u << 19) /* a trial is under way: every release is counted */

/* What one who had to wait saw of solo. */
enum gsync_turn {
	GSYNC_NO_TURN,
	GSYNC_TURN_BUSY, /* it came when it was its turn, and interrupted another */
	GSYNC_TURN_IDLE, /* it came when it was its turn, and nobody used the lock: it slept in vain */
};

/*
 * The lock has been taken by one who had to wait until about NOW, in ticks (under emulation perhaps since then); 0 = not
 * known, as in most of the shortest waits.
 */
void gsync_solo_waited(gsync_lockword_t *lock, uint64_t now, enum gsync_turn turn);

/*
 * The lock, which is GSYNC_MEASURED, is about to be released. Returns whether solo
 * has ended by that: then the release is to wake one who sleeps.
 */
bool gsync_solo_count(gsync_lockword_t *lock);

#endif
