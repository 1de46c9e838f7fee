/* SPDX-License-Identifier: MIT */
/*
 * Content-defined chunking: where the cuts fall depends on the bytes around
 * them and on nothing else, so the same content is cut alike wherever it stands
 * in the input, and shows itself to be the same.
 *
 * A rolling hash of the last 64 bytes runs over the data; where its upper bits
 * are all zero is an anchor, every 4 KB on average. Two kinds of cuts are made
 * at anchors: coarse ones, one behind each multiple of 512 KB, which part the
 * input into fragments that can be worked on apart (and fit a CPU's own cache),
 * and fine ones within a fragment. Anybody can find the coarse cut behind a
 * multiple without knowing the others.
 */
#ifndef DEDUP_CHUNKING_H
#define DEDUP_CHUNKING_H

#include <stddef.h>
#include <stdint.h>

#define CHUNK_MIN 1024u
#define CHUNK_MAX 32768u

#define HASH_WINDOW 64u /* bytes that the rolling hash remembers */

#define FRAGMENT_STEP (512u << 10)
#define FRAGMENT_SLACK CHUNK_MAX			/* a cut falls within this behind the multiple */
#define FRAGMENT_MAX (FRAGMENT_STEP + FRAGMENT_SLACK)
#define FRAGMENT_CHUNKS_MAX (FRAGMENT_MAX / CHUNK_MIN + 1) /* only the last chunk may be smaller than CHUNK_MIN */

/* Once, before the others. */
void chunking_prepare(void);

/* How many bytes of DATA, of which there are LENGTH > 0 until the fragment ends, are its first chunk. */
size_t chunking_fine_cut(const uint8_t *data, size_t length);

/*
 * How far behind a multiple of FRAGMENT_STEP, where DATA points, the coarse cut falls;
 * LENGTH bytes follow there, and HASH_WINDOW bytes stand before. At most
 * FRAGMENT_SLACK, at most LENGTH.
 */
size_t chunking_coarse_cut(const uint8_t *data, size_t length);

#endif
