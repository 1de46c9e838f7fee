/* SPDX-License-Identifier: MIT */
/*
 * The hash is a gear hash: one shift and one addition per byte, in which each
 * byte is drawn from a table of random numbers and shifted out again after 64
 * more. Its uppermost bits depend on all the 64, so they are the ones to look at.
 */
#include "chunking.h"

#define ANCHOR_BITS 12
#define ANCHOR_MASK (~UINT64_C(0) << (64 - ANCHOR_BITS))

static uint64_t gear[256];

/* Splitmix64, which makes well-mixed numbers of consecutive ones: the same table in each run, or archives would differ. */
void chunking_prepare(void)
{
	for (uint64_t i = 0; i < 256; i++) {
		uint64_t mixed = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);

		mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
		mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
		gear[i] = mixed ^ (mixed >> 31);
	}
}

/* The first place in [FROM, LENGTH) that is an anchor, or LENGTH; the HASH_WINDOW bytes before FROM are read, too. */
static size_t find_anchor(const uint8_t *data, ptrdiff_t from, size_t length)
{
	uint64_t hash = 0;
	ptrdiff_t i = from - (ptrdiff_t)HASH_WINDOW;

	while (i < from)
		hash = (hash << 1) + gear[data[i++]];
	for (; i < (ptrdiff_t)length; i++) {
		if ((hash & ANCHOR_MASK) == 0)
			break;
		hash = (hash << 1) + gear[data[i]];
	}
	return (size_t)i;
}

size_t chunking_fine_cut(const uint8_t *data, size_t length)
{
	if (length <= CHUNK_MIN)
		return length;
	return find_anchor(data, CHUNK_MIN, length < CHUNK_MAX ? length : CHUNK_MAX);
}

size_t chunking_coarse_cut(const uint8_t *data, size_t length)
{
	return find_anchor(data, 0, length < FRAGMENT_SLACK ? length : FRAGMENT_SLACK);
}
