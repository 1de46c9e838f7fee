/* SPDX-License-Identifier: MIT */
/* How faults.h's faults come about: when, drawn at random, and what the library then sees. */
#include "tests/torture/faults.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/random.h"
#include "cli/torture.h"
#include "detect/clock.h"

#define UNLOCK_STEPS_PER_DELAY 3u
#define STEPS_PER_DELAY 128u
#define SLEEPS_PER_DELAYS 8u
#define SHORT_SLEEP_NS 60000u

const char *const fault_names[FAULTS] = {
	[FAULT_WOKEN] = "woken for no reason",
	[FAULT_WOKEN_LATER] = "woken for no reason after a sleep",
	[FAULT_EINTR] = "EINTR",
	[FAULT_EAGAIN] = "EAGAIN",
	[FAULT_ENOMEM] = "ENOMEM",
	[FAULT_DELAY_IN_UNLOCK] = "delays in unlock",
	[FAULT_DELAY_ELSEWHERE] = "delays elsewhere",
};

static uint64_t *counts; /* shared with the processes of all stages; NULL: there are no faults yet */

void faults_begin(void)
{
	void *shared =
		mmap(NULL, FAULTS * sizeof(counts[0]), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED)
		abort();
	counts = shared;
}

uint64_t faults_count(enum fault fault)
{
	return __atomic_load_n(&counts[fault], __ATOMIC_RELAXED);
}

static void note(enum fault fault)
{
	__atomic_fetch_add(&counts[fault], 1u, __ATOMIC_RELAXED);
}

/* A sequence of their own: what an actor draws does not depend on the faults. */
static uint32_t draw(uint32_t below)
{
	static _Thread_local uint64_t random;
	static uint64_t threads;

	if (random == 0)
		random = torture_board->seed +
			 (torture_self != NULL ? torture_self->index : __atomic_add_fetch(&threads, 1u, __ATOMIC_RELAXED)) *
				 0x9e3779b97f4a7c15u;
	return (uint32_t)bench_random_below(&random, below);
}

static bool are_on(void)
{
	return counts != NULL && torture_board != NULL;
}

/* ---- delays */

/* Who is about to take its place in a line may not sleep: by sleep others know that it has it (torture_line.c). */
static bool may_sleep(uint32_t call)
{
	return call != TORTURE_LOCKS && call != TORTURE_LOCKS_TIMED;
}

static void delay(void)
{
	uint32_t call = torture_self != NULL ? torture_self->call : TORTURE_AWAY;
	bool unlocks = call == TORTURE_UNLOCKS;

	if (draw(unlocks ? UNLOCK_STEPS_PER_DELAY : STEPS_PER_DELAY) != 0)
		return;
	if (may_sleep(call) && draw(SLEEPS_PER_DELAYS) == 0)
		torture_sleep(draw(SHORT_SLEEP_NS));
	else
		sched_yield();
	note(unlocks ? FAULT_DELAY_IN_UNLOCK : FAULT_DELAY_ELSEWHERE);
}

void faults_step(void);

void faults_step(void)
{
	int caller_errno = errno;

	if (are_on())
		delay();
	errno = caller_errno;
}

/* ---- the futex */

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

static long fail_with(int error, enum fault fault)
{
	note(fault);
	errno = error;
	return -1;
}

/* Sleeps, unless the word has changed, for a moment at the most; a time that lies nearer is kept to. */
static long sleep_shortly(const long *arguments)
{
	const struct timespec *deadline = (const struct timespec *)arguments[3];
	struct timespec until = gsync_timespec(gsync_monotonic_ns() + draw(SHORT_SLEEP_NS));
	long result;

	if (deadline != NULL && gsync_timespec_ns(deadline) <= gsync_timespec_ns(&until))
		until = *deadline;
	else
		deadline = NULL;
	result = __real_syscall(SYS_futex, arguments[0], arguments[1], arguments[2], &until, arguments[4], arguments[5]);
	if (result != -1 || errno != ETIMEDOUT || deadline != NULL)
		return result;
	note(FAULT_WOKEN_LATER);
	return 0;
}

static long wait(const long *arguments)
{
	switch (draw(16)) {
	case 0:
	case 1:
	case 2:
	case 3:
		note(FAULT_WOKEN);
		return 0;
	case 4:
	case 5:
		return fail_with(EINTR, FAULT_EINTR);
	case 6:
	case 7:
		return fail_with(EAGAIN, FAULT_EAGAIN);
	case 8:
		return fail_with(ENOMEM, FAULT_ENOMEM);
	case 9:
	case 10:
	case 11:
	case 12:
		return sleep_shortly(arguments);
	default:
		return __real_syscall(SYS_futex, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
				      arguments[5]);
	}
}

long __wrap_syscall(long number, ...)
{
	long arguments[6];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		arguments[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_futex && are_on()) {
		if (((int)arguments[1] & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET)
			return wait(arguments);
		faults_step(); /* between a release and its wake-up */
	}
	return __real_syscall(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
}
