/* SPDX-License-Identifier: MIT */
/*
 * From samples to an estimate with a verdict, for calibrate.c and for whoever
 * measures the same things with more time. The estimators look at nothing but
 * the samples; detect/profile.h declares gsync_calibrate() itself.
 */
#ifndef GUESTSYNC_DETECT_CALIBRATE_H
#define GUESTSYNC_DETECT_CALIBRATE_H

#include <stdbool.h>
#include <stdint.h>

struct gsync_estimate {
	double value;	 /* the best guess, trusted or not; 0 = none */
	double spread;	 /* of the samples it rests on, relative: 0.1 = 10 % */
	bool trusted;
	const char *why; /* in words, for either verdict; a constant */
};

/*
 * One PAUSE, from several short runs, in ns: the fastest run, because noise
 * only ever adds to a run of instructions. The spread is how far the next two
 * lie above it; where not even three agree, none was undisturbed. Sorts.
 */
struct gsync_estimate gsync_estimate_pause(double *samples, int count);

/*
 * The wake-up of a sleeper, from the lateness of naps, in ns: the lower
 * quartile. What disturbs a nap (stolen time, another thread's time slice, an
 * interrupt) nearly always makes it end later, so three quarters of the naps
 * may be hit before the value follows; a median stands only a half. The minimum
 * would stand more, but a nap looks cheap when its end passed before the call,
 * or when the host happened to poll for the halted vCPU instead of switching
 * away. The spread is what lies between the lower tenth and the median. Sorts.
 */
struct gsync_estimate gsync_estimate_wake(double *samples, int count);

/* Both clocks at one moment, as close together as could be had. */
struct gsync_moment {
	uint64_t ns;
	uint64_t counter;
	uint64_t doubt; /* ticks that passed while both were read */
};

/*
 * The counter's rate in MHz, from three moments: two intervals, in which the
 * thread slept and ran, must show one speed, and forwards.
 */
struct gsync_estimate gsync_estimate_rate(const struct gsync_moment moments[3]);

/* A yield to nobody takes a tenth of it, even where system calls are slow. */
#define GSYNC_YIELD_NS 10000u

/*
 * Whether somebody else wants the CPU that this thread runs on: then a yield
 * takes as long as they run, where alone it comes back at once. Costs a system
 * call, or somebody's time slice.
 */
bool gsync_cpu_is_wanted(void);

/* Why a value that a wanted CPU was measured on is not trusted. */
extern const char gsync_why_wanted[];

#endif
