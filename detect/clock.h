/* SPDX-License-Identifier: MIT */
/*
 * The clock of the spin loops: cheap to read, monotonic enough for a deadline.
 *
 * On x86 that is the TSC where it can be trusted, on aarch64 the virtual
 * counter; elsewhere, or in doubt, CLOCK_MONOTONIC through the vDSO, in which
 * case a tick is a nanosecond. A spin loop compares differences only, so a
 * clock that jumps ends a spin early or late once, and breaks nothing.
 *
 * A thread can forbid itself, and all that it then creates, to read the TSC:
 * prctl(PR_SET_TSC, PR_TSC_SIGSEGV). The vDSO's clock reads it, too, so libc's
 * clock_gettime() becomes deadly. We ask before the first reading; where the
 * TSC is forbidden, every reading is a system call. What has been found allowed
 * is not asked again: who forbids it later, in a process that has waited for a
 * lock before, gets the SIGSEGV it asked for when next a lock makes it wait.
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

/* libc's clock may be read; false until somebody has asked, and where it may not. */
extern bool gsync_clock_libc_usable;

/* Reading the counter would raise SIGSEGV in this thread. Leaves errno alone. */
bool gsync_clock_counter_forbidden(void);

/* The monotonic clock while it is not known that libc's may be read. */
uint64_t gsync_clock_doubtful_ns(void);

static inline uint64_t gsync_timespec_ns(const struct timespec *time)
{
	return (uint64_t)time->tv_sec * 1000000000u + (uint64_t)time->tv_nsec;
}

static inline uint64_t gsync_monotonic_ns(void)
{
	struct timespec now;

	if (!__builtin_expect(__atomic_load_n(&gsync_clock_libc_usable, __ATOMIC_RELAXED), 1))
		return gsync_clock_doubtful_ns();
	clock_gettime(CLOCK_MONOTONIC, &now);
	return gsync_timespec_ns(&now);
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
