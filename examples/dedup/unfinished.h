/* SPDX-License-Identifier: MIT */
/* An output file that appears whole or not at all, also when a signal ends the program: bench/output, and that. */
#ifndef DEDUP_UNFINISHED_H
#define DEDUP_UNFINISHED_H

#include "bench/output.h"

/* As bench_output_open, _commit and _discard; one file at a time. */
int unfinished_open(struct bench_output *output, const char *path, struct bench_error *error);
int unfinished_commit(struct bench_output *output, struct bench_error *error);
void unfinished_discard(struct bench_output *output);

#endif
