/* SPDX-License-Identifier: MIT */
/*
 * Every threshold of every primitive, in one place, and what it is derived from.
 * The rules, each with its reasons, stand in profile.c; what waiters read while
 * they run is made of it in tuning.c.
 */
#ifndef GUESTSYNC_DETECT_PROFILE_H
#define GUESTSYNC_DETECT_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gsync_source;

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
void gsync_calibrate(const struct gsync_source *source, struct gsync_calibration *out);

/* Thresholds in ns, so that they mean the same on every machine. One field, one entry of gsync_thresholds. */
struct gsync_profile {
	uint32_t spin_ns;
	uint32_t pressed_spin_ns;
	uint32_t spin_floor_ns;
	uint32_t woken_spin_ns;
	uint32_t first_looks;
	uint32_t backoff_ns;
	uint32_t fair_ns;
	uint32_t repair_ns;
	uint32_t trial_ns;
	uint32_t near_ns;
	uint32_t eager;
	uint32_t yield_ns;
	uint32_t barrier_ns;
	uint32_t barrier_yields;
	uint32_t pool_ns;
	uint32_t share_ns;
	uint32_t range_ns;
	uint32_t look_ns;
	uint32_t quiet;
	uint32_t pressure_percent;
	uint32_t usable_cpus;
	uint32_t whole_cpus;
};

#define GSYNC_THRESHOLD_COUNT (sizeof(struct gsync_profile) / sizeof(uint32_t))

/* What the rules look at. */
struct gsync_conditions {
	struct gsync_calibration calibration;
	double usable_cpus;
	bool guest;	/* a hypervisor is below us */
	bool dedicated; /* and promises that our virtual CPUs are not taken away */
	bool emulated;	/* or it is a program that emulates each instruction */
};

/* Of a wake-up, in ns, trusted or not: for rules that only need its order of magnitude. */
double gsync_wake_price(const struct gsync_conditions *conditions);

/* A value and, in a sentence, why it is what it is. */
struct gsync_choice {
	uint32_t value;
	const char *why;
};

struct gsync_threshold {
	const char *name; /* as in JSON and the API; the environment's is GUESTSYNC_ and this in capitals */
	uint32_t least, most;
	const char *what; /* begins with the unit */
	struct gsync_choice (*rule)(const struct gsync_conditions *conditions);
};

/* In the order of the fields. */
extern const struct gsync_threshold gsync_thresholds[GSYNC_THRESHOLD_COUNT];

static inline uint32_t *gsync_profile_field(struct gsync_profile *profile, size_t index)
{
	return &((uint32_t *)(void *)profile)[index];
}

static inline uint32_t gsync_profile_value(const struct gsync_profile *profile, size_t index)
{
	return ((const uint32_t *)(const void *)profile)[index];
}

/* Why each value is what it is, by index. */
struct gsync_reasons {
	const char *why[GSYNC_THRESHOLD_COUNT];
};

/* Applies the rules; REASONS may be NULL. */
void gsync_profile_derive(struct gsync_profile *out, struct gsync_reasons *reasons,
			  const struct gsync_conditions *conditions);

#endif
