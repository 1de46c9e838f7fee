/* SPDX-License-Identifier: MIT */
/*
 * The stages that both engines consist of, each for one fragment or one chunk:
 *
 *     read      a fragment of the input, cut off at anchors
 *     refine    cut it into chunks
 *     identify  a chunk's fingerprint, and the entry for it in the index
 *     compress  a chunk that is the first of its kind
 *     write     archive_writer_put
 *
 * The engines differ in who calls them when, and in where the memory comes from.
 */
#ifndef DEDUP_FRAGMENT_H
#define DEDUP_FRAGMENT_H

#include "bench/error.h"
#include "chunking.h"
#include "index.h"
#include "input.h"
#include "tools.h"

struct chunk {
	struct fragment *fragment;
	const uint8_t *data; /* in the buffer that the fragment was read into */
	uint32_t length;
	bool is_new; /* this occurrence carries the content in the archive; set when it is written */
	struct entry *entry;
};

#define FRAGMENT_BUFFER (HASH_WINDOW + FRAGMENT_STEP + FRAGMENT_SLACK)

struct fragment {
	const uint8_t *data;
	size_t length;
	struct chunk *chunks; /* room for FRAGMENT_CHUNKS_MAX */
	uint32_t count;
};

/* How many fragments an input of BYTES has; some may turn out to be empty. */
uint64_t fragment_count(uint64_t bytes);

/* Room for the chunks. False when memory is short. */
bool fragment_make(struct fragment *fragment);
void fragment_free(struct fragment *fragment);

/* Reads the fragment of that NUMBER into BUFFER, which is FRAGMENT_BUFFER bytes, and stays its data. Returns 0 or -1. */
int fragment_read(struct fragment *fragment, uint8_t *buffer, uint64_t number, const struct input *input,
		  struct bench_error *error);

/* Returns how many chunks it has. */
uint32_t fragment_refine(struct fragment *fragment);

/* Looks CHUNK up in the index. *ADDED: it was not known. Returns false when memory is short. */
bool chunk_identify(struct chunk *chunk, struct index *index, struct tools *tools, bool *added);

/* Compresses CHUNK for its entry into STORED, which has room for its length. Returns how many bytes that took. */
size_t chunk_compress(struct chunk *chunk, struct tools *tools, uint8_t *stored);

#endif
