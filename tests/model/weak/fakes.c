/* SPDX-License-Identifier: MIT */
/* What primitives/ finds of detect/, solo and the spin engine: spinning ends after one look. */
#include "detect/process.h"
#include "primitives/solo.h"
#include "primitives/spin.h"

static const struct gsync_published settings = {
	.tuning = { .eager = 2, .usable_cpus = 4, .repair_ns = 1000, .turn_ns = 1000 },
};

const struct gsync_published gsync_untuned;
struct gsync_live gsync_live = { .published = &settings };
bool gsync_clock_counter_usable, gsync_clock_libc_usable;
__thread uint64_t gsync_turn_began;

void gsync_patience_ended(const struct timespec *deadline)
{
	(void)deadline;
}

bool gsync_spin_yield(void)
{
	return false;
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
