/* SPDX-License-Identifier: MIT */
/*
 * Pressure: do others take the CPUs that this process wants? Then the holder of
 * a lock, or the next in line, is likely to be off its CPU, and waiting awake
 * for it is in vain.
 */
#ifndef GUESTSYNC_DETECT_PRESSURE_H
#define GUESTSYNC_DETECT_PRESSURE_H

#include "detect/affinity.h"
#include "detect/facts.h"

/* What the CPUs have done since boot, in ns. */
struct gsync_usage {
	uint64_t busy;	 /* for anybody in this system */
	uint64_t idle;
	uint64_t stolen; /* taken by the host */
	uint64_t own;	 /* for this process */
	uint64_t throttled; /* kept from this process by its quotas: from the caller, who knows whether there are any */
};

/*
 * Of the MASK_COUNT CPUs in MASK, where the kernel tells them apart, else of all
 * (MASK_COUNT = 0: of all). False when /proc tells nothing. Allocates nothing.
 */
bool gsync_usage_read(const struct gsync_source *source, const struct gsync_cpu_mask *mask, int mask_count,
		      struct gsync_usage *out);

/* Percent of their time that others took, in this system or outside, while this process could have used it. */
uint32_t gsync_pressure_between(const struct gsync_usage *before, const struct gsync_usage *after);

/* The part of it that is our own doing: percent of the CPUs' time that this process's quotas kept from it. */
uint32_t gsync_throttling_between(const struct gsync_usage *before, const struct gsync_usage *after);

#endif
