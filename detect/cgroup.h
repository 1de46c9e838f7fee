/* SPDX-License-Identifier: MIT */
/*
 * The cgroups that decide how much CPU this process gets: its own and every
 * one above it that is visible, since parents throttle too. Allocates nothing.
 */
#ifndef GUESTSYNC_DETECT_CGROUP_H
#define GUESTSYNC_DETECT_CGROUP_H

#include "detect/facts.h"

struct gsync_cgroup {
	const struct gsync_source *source;
	bool v2;
	char *path;    /* begins with the group's directory, and has room for the name of a file behind it */
	size_t length; /* of the directory */
};

/* Looks at one group; returns whether what it looks for is there. */
typedef bool gsync_cgroup_visitor(const struct gsync_cgroup *group, void *context);

/* Visits each group once, the own one first: those of v1's cpu controller, then those of v2. */
void gsync_cgroup_walk(const struct gsync_source *source, gsync_cgroup_visitor *visit, void *context);

/* The complete lines of a file of the group; NAME begins with "/". False, and an empty string, when unreadable. */
bool gsync_cgroup_read_file(const struct gsync_cgroup *group, const char *name, char *buffer, size_t size);

#endif
