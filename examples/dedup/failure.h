/* SPDX-License-Identifier: MIT */
/* The first thing that went wrong in any of several threads; the others learn of it and stop working. */
#ifndef DEDUP_FAILURE_H
#define DEDUP_FAILURE_H

#include <guestsync/mutex.h>
#include <stdbool.h>

#include "bench/error.h"

struct failure {
	gsync_mutex_t mutex;
	bool happened;
	struct bench_error *error;
};

static inline bool failure_happened(const struct failure *failure)
{
	return __atomic_load_n(&failure->happened, __ATOMIC_RELAXED);
}

/* ERROR is what happened; only the first is kept. */
static inline void failure_note(struct failure *failure, const struct bench_error *error)
{
	gsync_mutex_lock(&failure->mutex);
	if (!failure->happened) {
		*failure->error = *error;
		__atomic_store_n(&failure->happened, true, __ATOMIC_RELAXED);
	}
	gsync_mutex_unlock(&failure->mutex);
}

static inline void failure_note_memory(struct failure *failure)
{
	failure_note(failure, &(struct bench_error){ .text = "memory is short" });
}

#endif
