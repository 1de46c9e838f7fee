/* SPDX-License-Identifier: MIT */
/* The CPUs that this process may use: those that any of its threads may use. */
#ifndef GUESTSYNC_DETECT_AFFINITY_H
#define GUESTSYNC_DETECT_AFFINITY_H

#include <stdbool.h>

#define GSYNC_CPUS_MAX 8192 /* the most that Linux can be built for */
#define GSYNC_MASK_BITS (8 * sizeof(unsigned long))

struct gsync_cpu_mask {
	unsigned long bits[GSYNC_CPUS_MAX / GSYNC_MASK_BITS];
};

static inline bool gsync_mask_has(const struct gsync_cpu_mask *mask, unsigned cpu)
{
	return cpu < GSYNC_CPUS_MAX && (mask->bits[cpu / GSYNC_MASK_BITS] >> cpu % GSYNC_MASK_BITS & 1) != 0;
}

/* Returns how many they are; 0 = unknown. ONLINE, unless 0, is how many there can be. Allocates nothing, keeps errno. */
int gsync_affinity_read(struct gsync_cpu_mask *out, int online);

#endif
