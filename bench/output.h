/* SPDX-License-Identifier: MIT */
/*
 * A file that appears whole or not at all, even if the machine crashes. It is
 * written beside its target and renamed over it; that it can be written is known
 * from the beginning, before minutes are spent on what goes in.
 */
#ifndef GUESTSYNC_BENCH_OUTPUT_H
#define GUESTSYNC_BENCH_OUTPUT_H

#include <stdio.h>

#include "bench/error.h"

struct bench_output {
	FILE *file;
	char *path;	 /* what the user called it */
	char *target;	 /* the file itself, behind any symbolic links */
	char *temporary; /* NULL when the target is a device or a pipe: then it is written directly */
};

/* Returns 0 or -1; on failure nothing is left behind. */
int bench_output_open(struct bench_output *output, const char *path, struct bench_error *error);

/* Hands what was written so far to the kernel. Returns 0 or -1. */
int bench_output_flush(struct bench_output *output, struct bench_error *error);

/* Completes the file, on the disk as well, which may take its time; on failure the target is as it was. */
int bench_output_commit(struct bench_output *output, struct bench_error *error);

/* Gives it up, leaving the target as it was. May be called on a zeroed object, and after commit. */
void bench_output_discard(struct bench_output *output);

#endif
