/* SPDX-License-Identifier: MIT */
/*
 * The two engines. Both do the same to the same bytes, and write the same
 * archive; they differ in how the work is given to threads.
 *
 *   pipeline  as PARSEC's dedup: each stage has its threads, and each chunk goes
 *             from stage to stage through queues
 *   data      as the sources' NODedup: the threads of one pool go through the
 *             fragments together, one phase after the other
 *
 * All return 0 or -1 with the reason.
 */
#ifndef DEDUP_ENGINE_H
#define DEDUP_ENGINE_H

#include <stdio.h>

#include "archive_read.h"
#include "archive_write.h"
#include "index.h"
#include "input.h"

struct compression {
	const struct input *input;
	struct index *index;
	struct archive_writer *writer;
};

struct restoration {
	const struct input *input;
	struct archive_reader *reader;
	FILE *output;
	const char *output_path; /* for messages */
};

struct engine {
	const char *name;
	int (*compress)(const struct compression *compression, struct bench_error *error);
	int (*restore)(const struct restoration *restoration, struct bench_error *error);
};

/* NULL if there is none of that name. */
const struct engine *engine_named(const char *name);

int pipeline_compress(const struct compression *compression, struct bench_error *error);
int pipeline_restore(const struct restoration *restoration, struct bench_error *error);
int data_compress(const struct compression *compression, struct bench_error *error);
int data_restore(const struct restoration *restoration, struct bench_error *error);

/* Writes a restored fragment to the output. */
int restoration_write(const struct restoration *restoration, const struct restored *restored, struct bench_error *error);

#endif
