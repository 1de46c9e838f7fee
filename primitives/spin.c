/* SPDX-License-Identifier: MIT */
/*
 * What of the spin engine is not hot.
 *
 * The throttled yield: letting others run is the best thing a waiter can do
 * while its own threads crowd the CPUs, and the worst beside foreign work, to
 * which it would hand whole time slices. So one yield that was slow to come
 * back stops all threads of the process from yielding for a while.
 */
#include "primitives/spin.h"

#include "primitives/futex.h"

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

/* Until when nobody yields; in ticks. A race on it loses a hint, nothing more. */
static uint64_t recess_end;

bool gsync_spin_yield(void)
{
	const struct gsync_tuning tuning = gsync_tuning();
	uint64_t before = gsync_ticks();
	uint64_t after;

	if (gsync_is_pressed(&tuning) ||
	    gsync_lies_ahead(__atomic_load_n(&recess_end, __ATOMIC_RELAXED), before, tuning.yield_recess))
		return false;
	sched_yield();
	after = gsync_ticks();
	if (after - before > tuning.slow_yield)
		__atomic_store_n(&recess_end, after + tuning.yield_recess, __ATOMIC_RELAXED);
	return true;
}
