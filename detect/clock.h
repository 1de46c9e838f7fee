/* SPDX-License-Identifier: MIT */
/*
 * The clock of the spin loops: cheap to read, monotonic enough for a deadline.
 *
 * On x86 that is the TSC where it can be trusted, on aarch64 the virtual
 * counter; elsewhere, or in doubt, CLOCK_MONOTONIC through the vDSO, in which
 * case a tick is a nanosecond. A spin loop compares differences only, so a
 * clock that jumps ends a spin early or late once, and breaks nothing.
 */
#ifndef GUESTSYNC_DETECT_CLOCK_H
#define GUESTSYNC_DETECT_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#if defined(__x86_64__) || defined(__i386__)
#include <x86intrin.h>
#endif

/* Set once by calibration; false until then and wherever the counter cannot be trusted. */
extern bool gsync_clock_counter_usable;

static inline uint64_t gsync_monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* A time of the monotonic clock as the kernel takes it. */
static inline struct timespec gsync_timespec(uint64_t ns)
{
	struct timespec time = { (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };

	return time;
}

/* The CPU's own counter; 0 on an architecture where we know none. */
static inline uint64_t gsync_counter(void)
{
#if defined(__x86_64__) || defined(__i386__)
	return __rdtsc();
#elif defined(__aarch64__)
	uint64_t value;

	__asm__ __volatile__("mrs %0, cntvct_el0" : "=r"(value));
	return value;
#else
	return 0;
#endif
}

static inline uint64_t gsync_ticks(void)
{
	if (__builtin_expect(__atomic_load_n(&gsync_clock_counter_usable, __ATOMIC_RELAXED), 1))
		return gsync_counter();
	return gsync_monotonic_ns();
}

/* Tells the CPU that this is a spin loop: it frees the sibling thread and, on some hosts, the vCPU. */
static inline void gsync_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	_mm_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("isb" ::: "memory");
#else
	__asm__ __volatile__("" ::: "memory");
#endif
}

#endif
