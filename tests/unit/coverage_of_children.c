/* SPDX-License-Identifier: MIT */
/*
 * Linked into every program of a build with coverage, and into no other: a child that a test forks ends by _exit, or
 * aborts as it should, and what it has executed would be forgotten, because counters are written down by exit alone.
 */
#include <gcov.h>
#include <stdlib.h>
#include <unistd.h>

_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);
_Noreturn void __real_abort(void);
_Noreturn void __wrap_abort(void);

void __wrap__exit(int status)
{
	__gcov_dump();
	__real__exit(status);
}

void __wrap_abort(void)
{
	__gcov_dump();
	__real_abort();
}
