/* SPDX-License-Identifier: MIT */
/* What primitives/ finds of detect/, solo, the spin engine and statistics: spinning ends after one look, nothing is counted. */
#include "detect/process.h"
#include "primitives/solo.h"
#include "primitives/spin.h"
#include "primitives/tally.h"

static const struct gsync_published settings = {
	/* For otickets two are a crowd, whose turns come soon. */
	.tuning = { .eager = 2, .usable_cpus = 1, .yield = 20000, .ticks_per_ns = 1, .repair_ns = 1000, .turn_ns = 1000 },
};

const struct gsync_published gsync_untuned;
struct gsync_live gsync_live = { .published = &settings };
bool gsync_clock_counter_usable, gsync_clock_libc_usable;
__thread uint64_t gsync_turn_began;
__thread struct gsync_teller gsync_teller;
uint32_t gsync_statistics_on_[16];

void gsync_statistics_acquired_(unsigned kind)
{
	(void)kind;
}

void gsync_tally_wait_begins(struct gsync_wait *wait)
{
	(void)wait;
}

void gsync_tally_wait_ends(const struct gsync_wait *wait, int error)
{
	(void)wait;
	(void)error;
}

void gsync_patience_ended(const struct timespec *deadline)
{
	(void)deadline;
}

bool gsync_spin_yield(void)
{
	return true;
}

void gsync_spin_make_room(struct gsync_spin *spin, uint64_t charge_most)
{
	(void)spin;
	(void)charge_most;
}

void gsync_look_again(bool patient)
{
	(void)patient;
}

bool gsync_override_quiet(void)
{
	return false;
}

uint32_t gsync_process_mark(void)
{
	return 1;
}

void gsync_solo_waited(gsync_lockword_t *lock, uint64_t now, enum gsync_turn turn)
{
	(void)lock;
	(void)now;
	(void)turn;
}

bool gsync_solo_count(gsync_lockword_t *lock)
{
	(void)lock;
	return false;
}
