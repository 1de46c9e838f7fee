/* SPDX-License-Identifier: MIT */
/* Writing an archive, fragment by fragment in the order of the input. One thread at a time. */
#ifndef DEDUP_ARCHIVE_WRITE_H
#define DEDUP_ARCHIVE_WRITE_H

#include <stdio.h>

#include "archive.h"
#include "bench/error.h"
#include "fragment.h"

struct archive_writer {
	FILE *file;
	const char *path; /* for messages */
	struct tools tools;
	uint8_t *records;
	uint8_t digest[DIGEST_BYTES]; /* of what was written last */
	uint64_t fragments, chunks, new_chunks;
};

/* Begins the archive of an input of BYTES. Returns 0 or -1; then close is due all the same. */
int archive_writer_open(struct archive_writer *writer, FILE *file, const char *path, uint64_t bytes,
			struct bench_error *error);

/*
 * Writes a fragment whose chunks have entries, all of them stored; numbers those
 * entries that have no number yet, and says so in the chunk. Returns 0 or -1.
 */
int archive_writer_put(struct archive_writer *writer, struct fragment *fragment, struct bench_error *error);

/* Writes the trailer. Returns 0 or -1. */
int archive_writer_finish(struct archive_writer *writer, struct bench_error *error);
void archive_writer_close(struct archive_writer *writer);

#endif
