/* SPDX-License-Identifier: MIT */
/* Locks and barriers, as entries of a table, and a pool, all broken on purpose: guestsync torture must find out. */
#ifndef GUESTSYNC_TESTS_TORTURE_BROKEN_H
#define GUESTSYNC_TESTS_TORTURE_BROKEN_H

#include "bench/locks.h"

extern const struct bench_lock broken_exclusion; /* one in many takes it though it is held */
extern const struct bench_lock broken_wake_up;	 /* one in many is not woken */
extern const struct bench_lock broken_order;	 /* says that it serves in the order of arrival */
extern const struct bench_lock broken_end;	 /* touches the lock after its release */
extern const struct bench_lock broken_timeout;	 /* gives up too early */
extern const struct bench_lock sound;		 /* of the same making, without a fault: the control */

extern const struct bench_barrier broken_barrier; /* one in many does not wait */
extern const struct bench_barrier broken_sharing; /* one in many of those made for several processes is for one */

extern bool broken_pool; /* true: one in many of its groups' wake-ups is lost */

#endif
