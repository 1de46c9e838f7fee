/* SPDX-License-Identifier: MIT */
/*
 * Every threshold of every primitive, in one place, and the measurements they
 * are derived from. The rules stand in profile.c.
 */
#ifndef GUESTSYNC_DETECT_PROFILE_H
#define GUESTSYNC_DETECT_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What this machine's waiting costs; measured by gsync_calibrate(). Each value
 * has a spread, relative (0.1 = 10 %), and a verdict with the reason in words.
 * One that is not trusted is still the best estimate there is; 0 is none at all.
 */
struct gsync_calibration {
	double counter_mhz;	/* ticks of gsync_counter() per microsecond; 0 where there is none, or it is forbidden */
	double counter_spread;
	bool counter_trusted;	/* the spin loops may read it */
	const char *counter_why;
	double pause_ns;	/* one PAUSE */
	double pause_spread;
	bool pause_trusted;
	const char *pause_why;
	double wake_ns;		/* from the wake-up of a sleeper on an idle CPU until it runs */
	double wake_spread;
	bool wake_trusted;
	const char *wake_why;
};

/* Thresholds in ns, so that they mean the same on every machine. */
struct gsync_profile {
	uint32_t spin_ns;	  /* mutex, spinlock: how long a waiter spins before it sleeps */
	uint32_t backoff_ns;	  /* mutex, spinlock: longest pause between two looks at the lock */
	uint32_t fair_ns;	  /* mutex: while threads sleep, hand over to one of them this often */
	uint32_t repair_ns;	  /* mutex, spinlock: a missed wake-up is repaired after this time */
	uint32_t near_ns;	  /* oticket: how long the next in line spins; each place further back half of it */
	uint32_t eager;		  /* oticket: how many waiters beyond the next are woken ahead of their turn */
	uint32_t yield_ns;	  /* oticket: how long waiters yield before they sleep, when CPUs are short */
	uint32_t yield_places;	  /* oticket: and how near the turn must be for that */
	uint32_t barrier_ns;	  /* barrier: how long to spin when every participant can have a CPU */
	uint32_t barrier_yields;  /* barrier: how often to yield, after that or instead, before it sleeps */
	uint32_t usable_cpus;	  /* the CPUs these rules counted on, rounded up */
};

/* What gsync_ticks() counts per ns, once the process is tuned. */
static inline double gsync_ticks_per_ns(const struct gsync_calibration *calibration)
{
	return calibration->counter_trusted ? calibration->counter_mhz / 1e3 : 1;
}

/*
 * Measures in about 3 ms, on a busy machine up to 20; allocates nothing, starts
 * no thread, is no cancellation point and leaves errno alone. CPUID and files
 * are SOURCE's, clocks and CPUs the machine's. Not async-signal-safe.
 */
struct gsync_source;
void gsync_calibrate(const struct gsync_source *source, struct gsync_calibration *out);

/* The rules: thresholds from measurements and CPUs. */
void gsync_profile_derive(struct gsync_profile *out, const struct gsync_calibration *calibration, double usable_cpus);

/*
 * The measurements and thresholds of this process: measured by the first call,
 * the same ever after. Thread-safe; a second caller meanwhile waits.
 */
const struct gsync_calibration *gsync_calibration_of_process(void);
const struct gsync_profile *gsync_profile_of_process(void);

/* The profile as slow paths read it: times in ticks of gsync_ticks(), pauses in PAUSEs. */
struct gsync_tuning {
	uint64_t spin;
	uint64_t near;
	uint64_t fair;
	uint64_t yield;
	uint64_t barrier;
	uint64_t slow_yield;   /* a yield that took this long gave the CPU to somebody else's work */
	uint64_t yield_recess; /* then nobody yields for this long */
	uint32_t repair_ns;
	uint32_t backoff;
	uint32_t eager;
	uint32_t yield_places;
	uint32_t barrier_yields;
	uint32_t usable_cpus;
};

/* Guesses that are safe on any machine, until this process has measured. */
extern const struct gsync_tuning gsync_tuning_untuned;
extern const struct gsync_tuning *gsync_tuning_current;

static inline const struct gsync_tuning *gsync_tuning(void)
{
	/* Acquire: pairs with the release that publishes a filled-in tuning. */
	return __atomic_load_n(&gsync_tuning_current, __ATOMIC_ACQUIRE);
}

/* Measures, unless this process has, or another thread is about it. Leaves errno alone. */
void gsync_tune(void);

#endif
