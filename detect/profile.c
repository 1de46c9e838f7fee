/* SPDX-License-Identifier: MIT */
/*
 * The rules that turn measurements into thresholds. Each says why.
 */
#include "detect/profile.h"

#include "detect/clock.h"
#include "detect/facts.h"

#include <errno.h>
#include <sched.h>
#include <unistd.h>

static double clamp(double value, double low, double high)
{
	return value < low ? low : value > high ? high : value;
}

void gsync_profile_derive(struct gsync_profile *out, const struct gsync_calibration *calibration, double usable_cpus)
{
	/*
	 * Competitive spinning: whoever spins for as long as sleeping would have
	 * cost is never worse than twice the best. A wake-up that seems cheaper
	 * than 5 µs was measured on a busy CPU; one above 50 µs on a disturbed one.
	 */
	double price = clamp(calibration->wake_ns, 5e3, 50e3);
	/* While one spins on the only CPU, the one it waits for cannot run. */
	double patience = usable_cpus <= 1 ? 0 : price;

	*out = (struct gsync_profile){
		.spin_ns = (uint32_t)patience,
		/* Longer pauses between looks spare the holder's cache line, but leave a free lock lying. */
		.backoff_ns = 180,
		/* The cheapest interval that still keeps the longest wait in bounds. */
		.fair_ns = 1000000,
		.repair_ns = 2000000,
		.near_ns = (uint32_t)patience,
		/* Each waiter woken ahead takes a CPU that the holder or the next may need. */
		.eager = (uint32_t)clamp(usable_cpus - 1, 1, 4),
		/* Yields among our own threads cost a context switch each, less than a wake-up; but they burn CPU. */
		.yield_ns = 50000,
		.yield_places = 8,
		.barrier_ns = (uint32_t)patience,
		/* With more participants than CPUs, somebody we wait for has none: no spin, room for them at once. */
		.barrier_yields = 100,
		.usable_cpus = (uint32_t)clamp(usable_cpus + 0.999, 1, 1e6),
	};
}

/* In ns: the spin loops read CLOCK_MONOTONIC until the counter has proved itself. */
const struct gsync_tuning gsync_tuning_untuned = {
	.spin = 20000,
	.near = 20000,
	.fair = 1000000,
	.yield = 50000,
	.barrier = 20000,
	.slow_yield = 500000,
	.yield_recess = 100000000,
	.repair_ns = 2000000,
	.backoff = 4,
	.eager = 1,
	.yield_places = 8,
	.barrier_yields = 100,
	.usable_cpus = 2,
};

const struct gsync_tuning *gsync_tuning_current = &gsync_tuning_untuned;
static struct gsync_tuning tuning;
static struct gsync_calibration calibration;
static struct gsync_profile profile;

static void fill_tuning(void)
{
	double ticks_per_ns = gsync_ticks_per_ns(&calibration);
	double backoff = calibration.pause_ns > 0 ? profile.backoff_ns / calibration.pause_ns : 1;

	tuning = (struct gsync_tuning){
		.spin = (uint64_t)(profile.spin_ns * ticks_per_ns),
		.near = (uint64_t)(profile.near_ns * ticks_per_ns),
		.fair = (uint64_t)(profile.fair_ns * ticks_per_ns),
		.yield = (uint64_t)(profile.yield_ns * ticks_per_ns),
		.barrier = (uint64_t)(profile.barrier_ns * ticks_per_ns),
		.slow_yield = (uint64_t)((double)gsync_tuning_untuned.slow_yield * ticks_per_ns),
		.yield_recess = (uint64_t)((double)gsync_tuning_untuned.yield_recess * ticks_per_ns),
		.repair_ns = profile.repair_ns,
		.backoff = (uint32_t)clamp(backoff + 0.5, 1, 1000),
		.eager = profile.eager,
		.yield_places = profile.yield_places,
		.barrier_yields = profile.barrier_yields,
		.usable_cpus = profile.usable_cpus,
	};
}

static void measure(void)
{
	struct gsync_cpus cpus;

	gsync_calibrate(&gsync_source_machine, &calibration);
	gsync_cpus_read(&gsync_source_machine, &cpus);
	gsync_profile_derive(&profile, &calibration, cpus.usable);
	fill_tuning();
	__atomic_store_n(&gsync_clock_counter_usable, calibration.counter_trusted, __ATOMIC_RELAXED);
	/* Release: whoever sees the pointer sees all that was measured. */
	__atomic_store_n(&gsync_tuning_current, &tuning, __ATOMIC_RELEASE);
}

/*
 * Who measures: the process that a thread claimed it for. A child that was
 * forked meanwhile finds its parent's number there and claims it anew.
 */
static pid_t claimant;

static bool is_tuned(void)
{
	return gsync_tuning() != &gsync_tuning_untuned;
}

/* True when this process has measured; false when another thread is at it. */
static bool try_to_settle(void)
{
	pid_t self;
	pid_t seen;

	if (is_tuned())
		return true;
	self = getpid();
	seen = __atomic_load_n(&claimant, __ATOMIC_RELAXED);
	if (seen == self || !__atomic_compare_exchange_n(&claimant, &seen, self, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return false;
	measure();
	return true;
}

void gsync_tune(void)
{
	int caller_errno = errno;

	try_to_settle();
	errno = caller_errno;
}

/* Some milliseconds, once per process: not worth a lock of our own. */
static void settle(void)
{
	while (!try_to_settle())
		sched_yield();
}

const struct gsync_calibration *gsync_calibration_of_process(void)
{
	settle();
	return &calibration;
}

const struct gsync_profile *gsync_profile_of_process(void)
{
	settle();
	return &profile;
}
