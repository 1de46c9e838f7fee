/* SPDX-License-Identifier: MIT */
/* How the real machine answers: for gsync_source_machine, and for sources that add to it. */
#ifndef GUESTSYNC_DETECT_SOURCE_H
#define GUESTSYNC_DETECT_SOURCE_H

#include "detect/facts.h"

bool gsync_machine_cpuid(void *context, uint32_t leaf, uint32_t subleaf, struct gsync_cpuid *out);
ssize_t gsync_machine_read_file(void *context, const char *path, char *buffer, size_t size);
int gsync_machine_cpus_online(void *context);
int gsync_machine_cpus_affinity(void *context);

#endif
