/* SPDX-License-Identifier: MIT */
/*
 * What a thread needs while it works on a fragment, and not longer: tools, and
 * a buffer for the bytes that come from the file. There are as many as there
 * were threads at work at once; the one used last is taken first, because it is
 * still in some CPU's cache.
 */
#ifndef DEDUP_WORKPLACE_H
#define DEDUP_WORKPLACE_H

#include <guestsync/spinlock.h>

#include "tools.h"

struct workplace {
	struct tools tools;
	uint8_t *buffer;
	struct workplace *next;
};

/* Zeroed, but for the size of the buffers, it is ready. */
struct workplaces {
	gsync_spinlock_t lock;
	size_t buffer_bytes;
	struct workplace *free;
};

/* NULL when memory is short. */
struct workplace *workplace_take(struct workplaces *workplaces);
void workplace_give_back(struct workplaces *workplaces, struct workplace *workplace);

/* All must have been given back. */
void workplaces_free(struct workplaces *workplaces);

#endif
