/* SPDX-License-Identifier: MIT */
/*
 * Processes that disturb a measurement. They are processes, not threads, because
 * their CPU time and their switches must not appear in ours.
 *
 * Each prepares itself and reports through a pipe: 0, or what stopped it. So
 * measuring begins when all are at work. They die with the thread that started
 * them, however it ends.
 */
#ifndef GUESTSYNC_BENCH_CHILDREN_H
#define GUESTSYNC_BENCH_CHILDREN_H

#include <sys/types.h>

#include "bench/error.h"

struct bench_children {
	pid_t *pids;
	unsigned count;
};

/* What the child of that INDEX does. PREPARE returns 0 or an errno value, and may say more in ERROR; RUN never returns. */
struct bench_child_work {
	int (*prepare)(void *context, unsigned index, struct bench_error *error);
	void (*run)(void *context, unsigned index);
	void *context;
};

/*
 * Returns 0 with COUNT children at work; else an errno value with ERROR saying
 * why, and none left behind. A signal that sets bench_interrupt ends the wait
 * for their reports with EINTR.
 */
int bench_children_start(struct bench_children *children, unsigned count, const struct bench_child_work *work,
			 struct bench_error *error);

/* Ends and reaps them; returns how many had ended already. May be called on a zeroed object, and twice. */
unsigned bench_children_stop(struct bench_children *children);

#endif
