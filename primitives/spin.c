/* SPDX-License-Identifier: MIT */
/*
 * What of the spin engine is not hot.
 *
 * The throttled yield: letting others run is the best thing a waiter can do
 * while its own threads crowd the CPUs, and the worst beside foreign work, to
 * which it would hand whole time slices. So one yield that was slow to come
 * back, for the sake of others, stops all threads of the process from yielding
 * for a while. The waiters of a lock word can do with less: as long as one of them
 * runs the lock is used. They yield beside others, too, unless those would keep the CPU.
 */
#include "primitives/spin.h"

#include "detect/override.h"
#include "detect/pressure.h"
#include "primitives/futex.h"

#include <errno.h>
#include <sched.h>

/* The most that measuring takes, and a look at the machine. */
#define TUNING_NS 20000000u
#define LOOK_NS 1000000u

static bool has_room(const struct timespec *deadline, uint32_t ns)
{
	struct timespec done;

	if (!deadline)
		return true;
	done = gsync_deadline_in(ns);
	return gsync_deadline_before(&done, deadline);
}

void gsync_patience_ended(const struct timespec *deadline)
{
	bool patient = has_room(deadline, TUNING_NS);

	if (!gsync_is_tuned()) {
		if (patient)
			gsync_tune();
	} else if (patient || has_room(deadline, LOOK_NS)) {
		gsync_look_if_due(gsync_ticks(), patient);
	}
}

/* Until when nobody yields; in ticks. A race on it loses a hint, nothing more; so with the two below. */
static uint64_t recess_end;

/* When a slow yield was last looked into, in ticks, and how much CPU time this process had used by then, in ns. */
static uint64_t looked_at;
static uint64_t used_then;

#define OWN_PERCENT 70u /* of our CPUs: who uses that much waits for itself */
#define LOOK_YIELDS 20u /* slow ones: what other CPUs do is accounted at their next clock tick only */
#define STALE 8u /* times as long: what was used before says nothing about now */

/*
 * Whether a yield that came back at NOW, after long, let strangers run. Our own
 * threads did if they have used up nearly all of what our CPUs had to give.
 */
static bool strangers_ran(const struct gsync_tuning *tuning, uint64_t now)
{
	uint64_t before = __atomic_load_n(&looked_at, __ATOMIC_RELAXED);
	uint64_t since = now - before;
	uint64_t enough = tuning->slow_yield * LOOK_YIELDS;
	struct timespec used;
	uint64_t own;

	/* One of several that come at the same time judges. */
	if (since < enough ||
	    !__atomic_compare_exchange_n(&looked_at, &before, now, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return false;
	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0)
		return true;
	own = gsync_timespec_ns(&used);
	own -= __atomic_exchange_n(&used_then, own, __ATOMIC_RELAXED);
	return since < STALE * enough &&
	       (double)own * tuning->ticks_per_ns * 100 < (double)since * tuning->usable_cpus * OWN_PERCENT;
}

/*
 * This and the next take the time and give back that at which they are done. A filter may refuse
 * even a yield, and the clock of CPU time; whoever waits must not see it in errno.
 */
static bool yield_to_own(const struct gsync_tuning *tuning, uint64_t *now)
{
	int caller_errno = errno;
	uint64_t before = *now;

	if (gsync_lies_ahead(__atomic_load_n(&recess_end, __ATOMIC_RELAXED), before, tuning->yield_recess) ||
	    gsync_override_quiet())
		return false;
	sched_yield();
	*now = gsync_ticks();
	if (*now - before > tuning->slow_yield && strangers_ran(tuning, *now))
		__atomic_store_n(&recess_end, *now + tuning->yield_recess, __ATOMIC_RELAXED);
	errno = caller_errno;
	return true;
}

bool gsync_spin_yield(void)
{
	const struct gsync_tuning tuning = gsync_tuning();
	uint64_t now;

	if (gsync_is_pressed())
		return false;
	now = gsync_ticks();
	return yield_to_own(&tuning, &now);
}

__thread uint64_t gsync_turn_began __attribute__((tls_model("initial-exec")));

static void count_one(uint64_t *counter)
{
	__atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED);
}

static void yield_to_others(const struct gsync_tuning *tuning, uint64_t *now)
{
	int caller_errno = errno;
	uint64_t before = *now;

	if (gsync_others_are_rude(tuning) || gsync_override_quiet())
		return;
	sched_yield();
	*now = gsync_ticks();
	count_one(&gsync_live.yields);
	if ((double)(*now - before) > GSYNC_LONG_SLICE_NS * tuning->ticks_per_ns)
		count_one(&gsync_live.long_yields);
	errno = caller_errno;
}

void gsync_spin_make_room(struct gsync_spin *spin, uint64_t charge_most)
{
	const struct gsync_tuning tuning = gsync_tuning();
	uint64_t before;
	uint64_t took;

	gsync_spin_read_clock(spin);
	before = spin->now;
	if (gsync_is_pressed())
		yield_to_others(&tuning, &spin->now);
	else
		yield_to_own(&tuning, &spin->now);
	gsync_turn_began = spin->now;
	took = spin->now - before;
	if (took > charge_most)
		spin->start += took - charge_most;
}
