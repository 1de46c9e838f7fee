/* SPDX-License-Identifier: MIT */
/*
 * Reading an archive: one thread reads the tables, fragment by fragment, and
 * checks them; what it makes of a fragment can be restored by any thread, in any
 * order, since it says for each chunk where in the archive its content stands.
 */
#ifndef DEDUP_ARCHIVE_READ_H
#define DEDUP_ARCHIVE_READ_H

#include "archive.h"
#include "bench/error.h"
#include "chunking.h"
#include "input.h"

/* A chunk to restore. */
struct piece {
	uint64_t offset; /* in the archive */
	uint32_t stored;
	uint32_t bytes;
	uint8_t digest[DIGEST_BYTES];
};

/* A fragment to restore. */
struct restored {
	struct piece *pieces; /* room for FRAGMENT_CHUNKS_MAX */
	uint32_t count;
	uint8_t *data; /* room for FRAGMENT_MAX */
	uint32_t bytes;
	uint64_t stored_offset; /* where the archive has what it stores with this fragment */
	uint32_t stored_bytes;
};

struct archive_reader {
	const struct input *input;
	struct tools tools;
	uint64_t offset;	      /* where the next table stands */
	uint64_t bytes;		      /* of the output, as the header says */
	uint64_t bytes_so_far;
	uint64_t fragments, chunks;
	struct piece *new_chunks; /* by number */
	size_t new_count, new_room;
	uint8_t *records;
	uint8_t digest[DIGEST_BYTES];
};

bool restored_make(struct restored *restored);
void restored_free(struct restored *restored);

/* Reads the header. Returns 0 or -1; then close is due all the same. */
int archive_reader_open(struct archive_reader *reader, const struct input *input, struct bench_error *error);
void archive_reader_close(struct archive_reader *reader);

/* Returns 1 with the next fragment's tables, 0 at the archive's end, when all is as it should be, or -1. */
int archive_reader_next(struct archive_reader *reader, struct restored *restored, struct bench_error *error);

/* Fills restored->data, by way of a BUFFER of FRAGMENT_MAX bytes. Returns 0 or -1. */
int archive_restore(struct restored *restored, const struct input *input, struct tools *tools, uint8_t *buffer,
		    struct bench_error *error);

#endif
