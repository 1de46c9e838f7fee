/* SPDX-License-Identifier: MIT */
/*
 * What one index of a callback cost lately: so that a loop need not find out
 * again, each time, whether it is worth waking somebody for.
 *
 * A small table by the callback's address. It holds hints: two callbacks that
 * meet in one place forget each other, and a race mixes them up until the next
 * loop. A cost is taken over at once when it fell, and by a quarter of the
 * difference when it rose: that may have been an interruption.
 */
#include "lib/pool.h"

#include <math.h>
#include <string.h>

#define HABITS 64u
#define TOLERANCE 8 /* differences of less than an eighth are not written down: others read the line */

struct habit {
	uint64_t key; /* 0 = nobody's */
	uint64_t ticks; /* a double */
};

static _Alignas(GSYNC_LINE) struct habit habits[HABITS];

static struct habit *habit_of(uint64_t key)
{
	return &habits[(key * 0x9e3779b97f4a7c15u) >> 58];
}

_Static_assert(HABITS == 1u << (64 - 58), "the hash gives an index");

double gsync_habit(const void *callback)
{
	uint64_t key = (uintptr_t)callback;
	const struct habit *habit = habit_of(key);
	uint64_t bits;
	double ticks;

	if (__atomic_load_n(&habit->key, __ATOMIC_RELAXED) != key)
		return -1;
	bits = __atomic_load_n(&habit->ticks, __ATOMIC_RELAXED);
	memcpy(&ticks, &bits, sizeof(ticks));
	return ticks;
}

void gsync_habit_learn(const void *callback, double ticks)
{
	uint64_t key = (uintptr_t)callback, bits;
	struct habit *habit = habit_of(key);
	double before = gsync_habit(callback);

	if (before >= 0 && fabs(ticks - before) * TOLERANCE <= before)
		return;
	if (before >= 0 && ticks > before)
		ticks = before + (ticks - before) / 4;
	memcpy(&bits, &ticks, sizeof(bits));
	__atomic_store_n(&habit->ticks, bits, __ATOMIC_RELAXED);
	if (before < 0)
		__atomic_store_n(&habit->key, key, __ATOMIC_RELAXED);
}
