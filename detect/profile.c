/* SPDX-License-Identifier: MIT */
/*
 * The rules: what each threshold is, under which conditions, and why. A rule
 * looks at nothing but its conditions, so that a recorded machine gives the same
 * answers as the machine itself.
 */
#include "detect/profile.h"

#define PRESSED_SHARE 3
#define NS_MOST 1000000000u

static double clamp(double value, double low, double high)
{
	return value < low ? low : value > high ? high : value;
}

/*
 * Competitive spinning: whoever spins for as long as sleeping would have cost
 * is never worse than twice the best. While one spins on the only CPU, the one
 * it waits for cannot run.
 *
 * A measurement that is not trusted, on a machine that was busy when the first
 * waiter ran out of patience, counts only within what is usual where we are: a
 * guest whose CPUs may halt pays for the way out to its host and back.
 */
static struct gsync_choice patience(const struct gsync_conditions *conditions)
{
	bool trusted = conditions->calibration.wake_trusted;
	bool halts = conditions->guest && !conditions->dedicated;
	double least = !trusted && halts ? 15e3 : 5e3;
	double most = trusted ? 100e3 : halts ? 50e3 : 25e3;
	double price = conditions->calibration.wake_ns;
	const char *why = "the measured price of a wake-up: who spins for as long as a sleep would have cost never pays more "
			  "than twice the least";

	if (conditions->usable_cpus <= 1)
		return (struct gsync_choice){ 0, "one usable CPU: while a waiter spins, the one it waits for cannot run" };
	if (price < least)
		why = trusted ? "5 us, though a wake-up seems to cost less: so cheap a one found a CPU that did not sleep" :
				"the least that a wake-up usually costs on such a machine; the measurement is not trusted";
	else if (price > most)
		why = trusted ? "100 us, though a wake-up seems to cost more: so long nobody should spin" :
				"the most that a wake-up usually costs on such a machine; the measurement is not trusted";
	return (struct gsync_choice){ (uint32_t)clamp(price, least, most), why };
}

/* VALUE, where anybody spins at all. */
static struct gsync_choice or_none(struct gsync_choice spin, uint32_t value, const char *why)
{
	return spin.value != 0 ? (struct gsync_choice){ value, why } : spin;
}

/*
 * An emulated guest has as a rule more virtual CPUs than its host has left for
 * them, and nothing in it tells when one of them is stopped. So waiters are not to
 * stay awake beside those that use the lock: they take a CPU from its holder.
 */
static struct gsync_choice patience_emulated(const struct gsync_conditions *conditions, uint32_t most, const char *why)
{
	struct gsync_choice choice = patience(conditions);

	return conditions->emulated && choice.value > most ? (struct gsync_choice){ most, why } : choice;
}

static struct gsync_choice lock_spin(const struct gsync_conditions *conditions)
{
	return patience_emulated(conditions, 10000,
				 "emulated CPUs share fewer real ones, unseen: who has waited for so long waits for one that is "
				 "stopped");
}

/* Twice that: who is asleep when its turn comes holds up all behind it. */
static struct gsync_choice near_spin(const struct gsync_conditions *conditions)
{
	return patience_emulated(conditions, 20000,
				 "emulated CPUs share fewer real ones, unseen: whose turn has not come for so long takes one from "
				 "those before it");
}

static struct gsync_choice pressed_spin(const struct gsync_conditions *conditions)
{
	struct gsync_choice spin = lock_spin(conditions);

	return or_none(spin, spin.value / PRESSED_SHARE,
		       "a third of the price: the holder is likely off its CPU, and whoever runs gets further alone");
}

static struct gsync_choice spin_floor(const struct gsync_conditions *conditions)
{
	return or_none(lock_spin(conditions), 1000,
		       "under pressure a waiter learns how long waits last, and spins four times that: but not less than a "
		       "few cache misses take");
}

static struct gsync_choice woken_spin(const struct gsync_conditions *conditions)
{
	if (!conditions->emulated)
		return (struct gsync_choice){ NS_MOST, "no limit: as long as one that has just come" };
	return (struct gsync_choice){ 1000, "emulated: who finds others at the lock once it is woken had better sleep on" };
}

#define FIRST_NS 400

static struct gsync_choice first_looks(const struct gsync_conditions *conditions)
{
	double others;
	double pause_ns;

	if (conditions->emulated)
		return or_none(lock_spin(conditions), 1000,
			       "emulated: without a PAUSE, which leaves the translated code, and the counter, for which all CPUs "
			       "share a lock; so many looks take some 10 us, and most waits are over by then");
	others = clamp(conditions->usable_cpus - 1, 1, 16);
	pause_ns = clamp(conditions->calibration.pause_ns, 1, FIRST_NS);
	return or_none(lock_spin(conditions), (uint32_t)clamp(FIRST_NS / pause_ns / others, 4, 16),
		       "as many PAUSEs, 4 to 16, as take 400 ns, divided by the CPUs that may wait: the shortest waits are over "
		       "by then, and what else a wait needs would take as long as they do");
}

/* One waiter that looks finds the word in its own cache until it changes. What backing off spares is the rush of several. */
static struct gsync_choice backoff(const struct gsync_conditions *conditions)
{
	return (struct gsync_choice){ (uint32_t)clamp(25 * (conditions->usable_cpus - 1), 25, 180),
				      "25 ns for each CPU that may wait, 180 at the most: many shall not rush for a free lock at "
				      "once, but longer pauses leave it lying" };
}

static struct gsync_choice repair(const struct gsync_conditions *conditions)
{
	if (conditions->emulated)
		return (struct gsync_choice){ 10000000, "emulated: a CPU may be stopped for as long anyhow, and each look takes a real one from the holder" };
	return (struct gsync_choice){ 2000000, "rare enough to cost nothing, soon enough not to be noticed" };
}

double gsync_wake_price(const struct gsync_conditions *conditions)
{
	return clamp(conditions->calibration.wake_ns, 5e3, 100e3);
}

static struct gsync_choice fair(const struct gsync_conditions *conditions)
{
	if (conditions->emulated)
		return (struct gsync_choice){ 4000000, "emulated: the one that a lock is handed to may be stopped for a turn of the "
						       "host's, and all others wait with it" };
	return (struct gsync_choice){ (uint32_t)clamp(12 * gsync_wake_price(conditions), 250e3, 1e6),
				      "twelve times the price of a wake-up, 250 us to 1 ms: the longest wait of a crowd stays in "
				      "bounds, and hand-overs cost a hundredth" };
}

/* A vCPU that is woken may take so long, and throughput is not what it will be until then. */
static struct gsync_choice trial(const struct gsync_conditions *conditions)
{
	return (struct gsync_choice){ (uint32_t)clamp(8 * gsync_wake_price(conditions), 150e3, 800e3),
				      "eight times the price of a wake-up, 150 to 800 us: until then those are awake or asleep "
				      "who are to be" };
}

static struct gsync_choice eager(const struct gsync_conditions *conditions)
{
	double most = conditions->emulated ? 2 : 4;
	const char *why = conditions->emulated ?
				  "one for each usable CPU that the holder leaves, 1 or 2: emulated CPUs share fewer real ones, "
				  "which more that are awake would take from the next owner" :
				  "one for each usable CPU that the holder leaves, 1 to 4: more would take the CPU that "
				  "the next owner needs";

	return (struct gsync_choice){ (uint32_t)clamp(conditions->usable_cpus - 1, 1, most), why };
}

static struct gsync_choice yield(const struct gsync_conditions *conditions)
{
	(void)conditions;
	return (struct gsync_choice){ 200000, "who is woken earlier than that only waits; to that far, who has released the "
					      "lock lets others have theirs first" };
}

static struct gsync_choice barrier(const struct gsync_conditions *conditions)
{
	struct gsync_choice spin = patience(conditions);

	return or_none(spin, spin.value / 2 * 5,
		       "two and a half times the price of a wake-up: one that is late holds up all the others in the next "
		       "phase");
}

static struct gsync_choice barrier_yields(const struct gsync_conditions *conditions)
{
	if (conditions->emulated)
		return (struct gsync_choice){ 0, "emulated: it is the real CPUs that are short, and a yield gives none of those" };
	return (struct gsync_choice){ 100, "with more participants than CPUs somebody has none: room for them at once" };
}

static struct gsync_choice pool(const struct gsync_conditions *conditions)
{
	struct gsync_choice spin = patience(conditions);

	return or_none(spin, spin.value, "the price of a wake-up: that much the next piece of work may save");
}

/* Also where nobody spins: it may be a pool of more workers than CPUs. */
static struct gsync_choice share(const struct gsync_conditions *conditions)
{
	return (struct gsync_choice){ (uint32_t)(2 * gsync_wake_price(conditions)),
				      "twice the price of a wake-up, 5 to 100 us: of less work the one who is woken gets too "
				      "little to pay for it" };
}

static struct gsync_choice range(const struct gsync_conditions *conditions)
{
	(void)conditions;
	return (struct gsync_choice){ 10000, "a hundred times what handing it out costs; the last to end is late by no more" };
}

static struct gsync_choice look(const struct gsync_conditions *conditions)
{
	if (conditions->emulated)
		return (struct gsync_choice){ 200000000, "emulated: to read /proc takes ten times as long as elsewhere" };
	return (struct gsync_choice){ 40000000, "the kernel counts CPU time in ticks of 10 ms: a shorter look would see noise" };
}

static struct gsync_choice quiet(const struct gsync_conditions *conditions)
{
	(void)conditions;
	return (struct gsync_choice){ 0, "a system call that is refused does no harm: it is for filters that kill" };
}

static struct gsync_choice pressure(const struct gsync_conditions *conditions)
{
	(void)conditions;
	return (struct gsync_choice){ 20, "less is what any system's own housekeeping takes" };
}

static struct gsync_choice usable(const struct gsync_conditions *conditions)
{
	return (struct gsync_choice){ (uint32_t)clamp(conditions->usable_cpus + 0.999, 1, 1e6),
				      "the least of the CPUs online, the affinity mask and the cgroups' quotas, rounded up" };
}

static struct gsync_choice whole(const struct gsync_conditions *conditions)
{
	return (struct gsync_choice){ (uint32_t)clamp(conditions->usable_cpus + 0.001, 1, 1e6),
				      "the same, rounded down, but not to 0: so many never use up a quota, and are never stopped" };
}

const struct gsync_threshold gsync_thresholds[] = {
	{ "spin_ns", 0, NS_MOST, "ns, a waiter of a mutex or spinlock spins before it sleeps", lock_spin },
	{ "pressed_spin_ns", 0, NS_MOST, "ns, the same while others want our CPUs", pressed_spin },
	{ "spin_floor_ns", 0, NS_MOST, "ns, the least of that, however short its waits have been so far", spin_floor },
	{ "woken_spin_ns", 0, NS_MOST, "ns, one spins at the most that has slept and finds the lock taken again", woken_spin },
	{ "first_looks", 0, 10000, "looks, a wait begins with, as a rule before it reads a clock or anything else", first_looks },
	{ "backoff_ns", 0, 1000000, "ns, its longest pause between two looks at the lock", backoff },
	{ "fair_ns", 1000, NS_MOST, "ns, a mutex with sleepers is handed to one of them this often", fair },
	{ "repair_ns", 10000, NS_MOST, "ns, until a missed wake-up of a mutex or spinlock is repaired", repair },
	{ "trial_ns", 0, NS_MOST, "ns, a mutex or spinlock tries each way, one alone or taking turns; 0 = turns only", trial },
	{ "near_ns", 0, NS_MOST, "ns, the next in line of an oticket spins; each further back half of it", near_spin },
	{ "eager", 0, 31, "waiters of an oticket beyond the next are woken ahead of their turn", eager },
	{ "yield_ns", 0, NS_MOST, "ns, a turn of an oticket that is likely to come sooner is near, when CPUs are short; 0 = none yields", yield },
	{ "barrier_ns", 0, NS_MOST, "ns, a barrier spins when all participants can have a CPU", barrier },
	{ "barrier_yields", 0, 1000000, "yields, after that or instead, before it sleeps", barrier_yields },
	{ "pool_ns", 0, NS_MOST, "ns, the one idle worker of a pool that looks for work does so before it sleeps", pool },
	{ "share_ns", 0, NS_MOST, "ns of work must be left of a loop for a sleeping worker to be woken for it", share },
	{ "range_ns", 100, NS_MOST, "ns, a range of a parallel loop is to last", range },
	{ "look_ns", 0, NS_MOST, "ns, between two looks at what the machine does; 0 = never look again", look },
	{ "quiet", 0, 1, "1 = no system call that can be done without: see guestsync(7)", quiet },
	{ "pressure_percent", 1, 100, "percent of our CPUs taken by others: from there on waiters spin less", pressure },
	{ "usable_cpus", 1, 1000000, "CPUs that these rules count on", usable },
	{ "whole_cpus", 1, 1000000, "CPUs that a latency pool counts on", whole },
};

void gsync_profile_derive(struct gsync_profile *out, struct gsync_reasons *reasons,
			  const struct gsync_conditions *conditions)
{
	for (size_t i = 0; i < GSYNC_THRESHOLD_COUNT; i++) {
		struct gsync_choice choice = gsync_thresholds[i].rule(conditions);

		*gsync_profile_field(out, i) = choice.value;
		if (reasons)
			reasons->why[i] = choice.why;
	}
}
