/* SPDX-License-Identifier: MIT */
/* System calls that are refused, or kill: for enter.c and core.c. */
#ifndef GUESTSYNC_TESTS_FILTER_H
#define GUESTSYNC_TESTS_FILTER_H

#define FILTER_KILLS 0

enum filter {
	FILTER_HOLDS,  /* each call was tried */
	FILTER_LEAKS,  /* one of them does something else */
	FILTER_CANNOT, /* be set here, or one of the names is unknown */
};

/* From now on each of CALLS ("sched_yield,membarrier") fails with ERROR, or ends the process. */
enum filter filter_calls(const char *calls, int error);

#endif
