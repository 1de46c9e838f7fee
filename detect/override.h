/* SPDX-License-Identifier: MIT */
/* What the environment says, and thresholds set by gsync_profile_set(), which wins. */
#ifndef GUESTSYNC_DETECT_OVERRIDE_H
#define GUESTSYNC_DETECT_OVERRIDE_H

#include "detect/profile.h"

#define GSYNC_VARIABLE_SIZE 64

/* The name of the environment variable of a threshold: GUESTSYNC_SPIN_NS for spin_ns. */
void gsync_override_variable(const struct gsync_threshold *threshold, char out[GSYNC_VARIABLE_SIZE]);

/*
 * Takes what ENVIRONMENT ("NAME=value", … NULL) says; a refusal is a line on the
 * file descriptor COMPLAINTS. Not thread-safe: once, when the library is loaded.
 */
void gsync_override_read(char *const *environment, int complaints);

/* Whether it wants statistics: GUESTSYNC_STATS. */
bool gsync_override_counts(void);

/* -1 when there is no such threshold. */
int gsync_override_find(const char *name);

/* By gsync_profile_set() and gsync_profile_reset(). Thread-safe. Set returns 0 or ERANGE. */
int gsync_override_set(int index, uint64_t value);
void gsync_override_reset(int index);

/* Whether "quiet" is set: then the library makes no system call that it could do without. */
bool gsync_override_quiet(void);

/* Puts what was set in the place of what was derived. REASONS may be NULL. */
void gsync_override_apply(struct gsync_profile *profile, struct gsync_reasons *reasons);

#endif
