/* SPDX-License-Identifier: MIT */
/*
 * Faults behind the futex file, and between the steps of whatever the library does.
 *
 * The program is linked with --wrap=syscall, so that futex(2), which only
 * primitives/futex.c calls, comes by here. A wait ends early: at once, as if woken,
 * or with an errno value; or after a short sleep, as if woken. Each of these is what
 * the kernel may do. EAGAIN and EINTR are ordinary; ENOMEM, like EFAULT, can come
 * out of the page fault on a word that processes share; of ETIMEDOUT the kernel is
 * sparing, since it compares with the clock. No wake-up is swallowed: where one is
 * spent on the waiter, the kernel has said so, and that is passed on.
 */
#ifndef GUESTSYNC_TESTS_TORTURE_FAULTS_H
#define GUESTSYNC_TESTS_TORTURE_FAULTS_H

#include <stdint.h>

enum fault {
	FAULT_WOKEN,	   /* at once, for no reason */
	FAULT_WOKEN_LATER, /* after a short sleep, for no reason */
	FAULT_EINTR,
	FAULT_EAGAIN,
	FAULT_ENOMEM,
	FAULT_DELAY_IN_UNLOCK,
	FAULT_DELAY_ELSEWHERE,
	FAULTS,
};

extern const char *const fault_names[FAULTS];

/* Before the first stage. */
void faults_begin(void);

/* How many there were, in all processes. */
uint64_t faults_count(enum fault fault);

#endif
