/* SPDX-License-Identifier: MIT */
#include "detect/clock.h"

#include "detect/override.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* SYS_clock_gettime fills the kernel's own timespec, whose seconds are a long. */
_Static_assert(sizeof(time_t) == sizeof(long), "a 32-bit build needs a 32-bit time_t");

bool gsync_clock_counter_usable;
bool gsync_clock_libc_usable;

/* Where nobody may ask, the kernel does not know the question, or a filter refuses it, nothing is forbidden. */
bool gsync_clock_counter_forbidden(void)
{
	int caller_errno = errno;
	int mode = PR_TSC_ENABLE;
	bool forbidden = !gsync_override_quiet() && prctl(PR_GET_TSC, &mode) == 0 && mode == PR_TSC_SIGSEGV;

	errno = caller_errno;
	return forbidden;
}

uint64_t gsync_clock_doubtful_ns(void)
{
	struct timespec now = { 0 };

	if (gsync_clock_counter_forbidden()) {
		syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
		return gsync_timespec_ns(&now);
	}
	__atomic_store_n(&gsync_clock_libc_usable, true, __ATOMIC_RELAXED);
	return gsync_monotonic_ns();
}
