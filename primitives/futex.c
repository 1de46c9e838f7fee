/* SPDX-License-Identifier: MIT */
#include "primitives/futex.h"

#include "primitives/probes.h"
#include "primitives/tally.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* SYS_futex takes the kernel's own timespec, whose seconds are a long. */
_Static_assert(sizeof(time_t) == sizeof(long), "a 32-bit build needs a 32-bit time_t");

/* What the kernel or a filter says to who may not use futexes. */
static bool is_refusal(int error)
{
	return error == ENOSYS || error == EPERM || error == EACCES;
}

/* Without futexes a waiter can only hang or corrupt, so say what is wrong and end. */
static _Noreturn void no_futex(void)
{
	static const char text[] = "guestsync: the kernel or a seccomp filter refuses futex(2); cannot wait, aborting\n";

	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0) {
		/* nobody to tell */
	}
	abort();
}

static long call(uint32_t *word, int operation, bool shared, uint32_t value, const struct timespec *deadline,
		 uint32_t channels)
{
	if (!shared)
		operation |= FUTEX_PRIVATE_FLAG;
	return syscall(SYS_futex, word, operation, value, deadline, NULL, channels);
}

enum gsync_sleep gsync_futex_wait(uint32_t *word, uint32_t expected, uint32_t channels, const struct timespec *deadline,
				  bool shared)
{
	int caller_errno = errno;
	enum gsync_sleep sleep = GSYNC_SLEEP_WOKEN;

	/* The kernel calls a time before the start of its clock invalid; for us it is merely over. */
	if (deadline && deadline->tv_sec < 0)
		return GSYNC_SLEEP_TIMED_OUT;
	if (shared)
		GSYNC_PROBE1(lll_lock_wait, word);
	else
		GSYNC_PROBE1(lll_lock_wait_private, word);
	if (call(word, FUTEX_WAIT_BITSET, shared, expected, deadline, channels) < 0) {
		if (is_refusal(errno))
			no_futex();
		if (errno == ETIMEDOUT)
			sleep = GSYNC_SLEEP_TIMED_OUT;
		else if (errno == EAGAIN || errno == EINTR)
			sleep = GSYNC_SLEEP_NONE;
	}
	if (sleep != GSYNC_SLEEP_NONE)
		gsync_count_sleep();
	errno = caller_errno;
	return sleep;
}

int gsync_futex_wake(uint32_t *word, int count, uint32_t channels, bool shared)
{
	int caller_errno = errno;
	long woken;

	GSYNC_PROBE3(lll_futex_wake, word, count, shared);
	woken = call(word, FUTEX_WAKE_BITSET, shared, (uint32_t)count, NULL, channels);

	if (woken < 0) {
		if (is_refusal(errno))
			no_futex();
		woken = 0; /* shared memory that is gone already: nobody sleeps there */
	}
	gsync_count_woken(woken);
	errno = caller_errno;
	return (int)woken;
}
