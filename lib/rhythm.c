/* SPDX-License-Identifier: MIT */
/*
 * When work will come: a worker that is called again and again after about the
 * same time sets itself an alarm, and is awake when the next loop is opened.
 *
 * Many programs share a loop every frame, or every millisecond, and their workers
 * sleep in between. To wake one costs 25 us until it works, and nearly as much of
 * the caller's time: more than such a loop may be worth. Who gets up by an alarm
 * does so in its own time, and on its own CPU.
 *
 * The time from one loop to the next is taken between those that found the worker
 * asleep, or up by an alarm. If two such times in a row hardly differ, the third
 * is expected to be like them; and so on, until two in a row were otherwise. The
 * alarm is set so much earlier that the worker has a moment to spare: what it had
 * the last times decides. An alarm in vain costs a wake-up and a moment's spinning,
 * and there is no other before the next loop: nothing comes of it in an idle pool.
 *
 * A worker also spins for less long before it sleeps, where that was in vain
 * some times in a row; until it is called so soon afterwards that it would not
 * have been.
 */
#include "lib/pool.h"

#include "detect/override.h"
#include "primitives/futex.h"

#include <sys/prctl.h>

#define TOLERANCE 16u /* times that differ by less than this part are alike */
#define DOUBTS_MOST 2u

/* In a pool's patience, which is the price of a wake-up: */
#define SHORTEST 8u /* there is no sleep worth speaking of in times below */
#define LONGEST 4096u
#define LEAD_FIRST 2u /* so much before its time it gets up, as long as nothing better is known */
#define LEAD_MOST 4u
#define SPARE 0.25
#define WINDOW 2u /* it waits for so long */

#define SOON 2u /* so long a sleep is two wake-ups for nothing */

#define VAIN_MANY 4u
#define VAIN_PARTS 8u

static uint64_t difference(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* ---- learning */

/* To be late costs more than to be early. */
static void learn_lead(struct gsync_rhythm *rhythm, uint64_t opened, const struct gsync_tuning *tuning)
{
	double spare = (double)(int64_t)(opened - rhythm->up), most = (double)(LEAD_MOST * tuning->pool);
	double short_of = SPARE * (double)tuning->pool - spare;

	rhythm->lead += short_of / (spare < 0 ? 2 : 8);
	rhythm->lead = rhythm->lead < 0 ? 0 : rhythm->lead > most ? most : rhythm->lead;
}

/* Returns whether it was as expected. */
static bool learn_interval(struct gsync_rhythm *rhythm, uint64_t interval)
{
	if (difference(interval, rhythm->interval) < interval / TOLERANCE) {
		rhythm->doubts = 0;
		rhythm->interval = (rhythm->interval * 3 + interval) / 4;
		return true;
	}
	if (++rhythm->doubts >= DOUBTS_MOST) {
		rhythm->doubts = DOUBTS_MOST;
		rhythm->interval = interval;
	}
	return false;
}

static bool is_regular(const struct gsync_rhythm *rhythm, const struct gsync_tuning *tuning)
{
	return rhythm->doubts < DOUBTS_MOST && rhythm->interval >= SHORTEST * tuning->pool &&
	       rhythm->interval <= LONGEST * tuning->pool;
}

void gsync_rhythm_work_came(struct gsync_rhythm *rhythm, uint64_t opened)
{
	const struct gsync_tuning tuning = gsync_tuning();

	rhythm->rested = false;
	if (learn_interval(rhythm, opened - rhythm->opened) && rhythm->up != 0)
		learn_lead(rhythm, opened, &tuning);
	rhythm->opened = opened;
	rhythm->expecting = is_regular(rhythm, &tuning);
	if (opened - rhythm->lay_down < tuning.pool)
		rhythm->vain = 0;
}

/* ---- spinning */

uint64_t gsync_rhythm_patience(const struct gsync_rhythm *rhythm, const struct gsync_tuning *tuning)
{
	uint64_t patience = gsync_pool_patience(tuning);

	if (rhythm->alarmed)
		return WINDOW * patience;
	return rhythm->vain < VAIN_MANY ? patience : patience / VAIN_PARTS;
}

void gsync_rhythm_waited(struct gsync_rhythm *rhythm, bool in_vain)
{
	if (!in_vain && !rhythm->alarmed)
		rhythm->vain = 0;
	else if (in_vain && rhythm->vain < VAIN_MANY)
		rhythm->vain++;
	rhythm->alarmed = false;
}

/* ---- sleeping */

/* The kernel may be late by that, to wake several threads at once: 50 us, unless one asks for less. */
static void be_punctual(struct gsync_rhythm *rhythm, const struct gsync_tuning *tuning)
{
	if (rhythm->punctual)
		return;
	if (!gsync_override_quiet())
		prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul);
	rhythm->punctual = true;
	rhythm->lead = (double)(LEAD_FIRST * tuning->pool);
}

bool gsync_rhythm_lie_down(struct gsync_rhythm *rhythm, struct timespec *alarm)
{
	const struct gsync_tuning tuning = gsync_tuning();
	bool expecting = rhythm->expecting && !gsync_is_pressed() && !gsync_is_throttled(&tuning);
	uint64_t wait;

	rhythm->rested = true;
	rhythm->expecting = false;
	rhythm->lay_down = gsync_ticks();
	rhythm->up = 0;
	if (!expecting)
		return false;
	be_punctual(rhythm, &tuning);
	wait = rhythm->opened + rhythm->interval - (uint64_t)rhythm->lead - rhythm->lay_down;
	if (wait > LONGEST * tuning.pool)
		return false;
	rhythm->up = rhythm->lay_down + wait + tuning.pool;
	*alarm = gsync_deadline_in((uint64_t)((double)wait / tuning.ticks_per_ns));
	return true;
}

void gsync_rhythm_was_called(struct gsync_rhythm *rhythm)
{
	/* Had it spun a little longer it need not have slept. */
	if (gsync_ticks() - rhythm->lay_down < SOON * gsync_tuning().pool)
		rhythm->vain = 0;
}

void gsync_rhythm_alarm_rang(struct gsync_rhythm *rhythm)
{
	rhythm->alarmed = true;
	rhythm->up = gsync_ticks();
}
