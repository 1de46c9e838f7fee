/* SPDX-License-Identifier: MIT */
#include "fragment.h"

#include <stdlib.h>
#include <string.h>

uint64_t fragment_count(uint64_t bytes)
{
	return bytes / FRAGMENT_STEP + (bytes % FRAGMENT_STEP != 0);
}

bool fragment_make(struct fragment *fragment)
{
	*fragment = (struct fragment){ .chunks = malloc(FRAGMENT_CHUNKS_MAX * sizeof(fragment->chunks[0])) };
	return fragment->chunks != NULL;
}

void fragment_free(struct fragment *fragment)
{
	free(fragment->chunks);
	*fragment = (struct fragment){ 0 };
}

/*
 * Reads from a window before the multiple of FRAGMENT_STEP until the slack behind
 * the next one, and finds the cut behind each. There is no cut before the first
 * byte, nor is one searched behind the last.
 */
int fragment_read(struct fragment *fragment, uint8_t *buffer, uint64_t number, const struct input *input,
		  struct bench_error *error)
{
	uint64_t begin = number * FRAGMENT_STEP;
	uint64_t end = begin + FRAGMENT_STEP;
	size_t before = number > 0 ? HASH_WINDOW : 0;
	uint8_t *data = buffer + before; /* what stands at BEGIN */
	size_t length = FRAGMENT_STEP + FRAGMENT_SLACK;
	size_t from;

	if (length > input->bytes - begin)
		length = (size_t)(input->bytes - begin);
	if (input_read(input, buffer, before + length, begin - before, error) != 0)
		return -1;
	from = number > 0 ? chunking_coarse_cut(data, length) : 0;
	if (end < input->bytes)
		length = FRAGMENT_STEP + chunking_coarse_cut(data + FRAGMENT_STEP, length - FRAGMENT_STEP);
	fragment->data = data + from;
	fragment->length = length - from;
	fragment->count = 0;
	return 0;
}

uint32_t fragment_refine(struct fragment *fragment)
{
	uint32_t count = 0;

	for (size_t at = 0; at < fragment->length; count++) {
		size_t length = chunking_fine_cut(fragment->data + at, fragment->length - at);

		fragment->chunks[count] = (struct chunk){
			.fragment = fragment,
			.data = fragment->data + at,
			.length = (uint32_t)length,
		};
		at += length;
	}
	fragment->count = count;
	return count;
}

bool chunk_identify(struct chunk *chunk, struct index *index, struct tools *tools, bool *added)
{
	uint8_t digest[DIGEST_BYTES];

	tools_digest(tools, digest, chunk->data, chunk->length);
	chunk->entry = index_enter(index, digest, added);
	return chunk->entry != NULL;
}

size_t chunk_compress(struct chunk *chunk, struct tools *tools, uint8_t *stored)
{
	size_t length = tools_compress(tools, stored, chunk->data, chunk->length);

	entry_set_stored(chunk->entry, stored, length);
	return length;
}
