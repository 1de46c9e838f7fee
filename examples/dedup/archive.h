/* SPDX-License-Identifier: MIT */
/*
 * The archive: each different chunk once, compressed, and for each repeated one
 * the number of the chunk that it repeats.
 *
 *     header     8 bytes "GSDEDUP1", u64 bytes of the input, digest
 *     fragment*  u32 "FRAG", u32 bytes of records, u32 bytes of the input, u32 bytes stored,
 *                digest; a record for each chunk; what is stored, one after the other
 *       record   u32 bytes of the input, u32 bytes stored, and then
 *                  for a new chunk       its SHA-256
 *                  for a repeated chunk  (0 bytes stored) u64 number: the how manieth
 *                                        new chunk of the archive it is, from 0
 *     trailer    u32 "END.", u32 0, u64 fragments, u64 chunks, u64 new chunks, digest
 *
 * Numbers are little-endian. A chunk whose stored bytes are as many as its own is
 * stored as it is, otherwise as a Zstandard frame. A digest is the SHA-256 of the
 * digest before (none in the header), the fields before it, and, in a fragment,
 * the records: so no part can be changed, left out or moved unnoticed. What is
 * stored is covered by the fingerprint of its chunk. Nothing follows the trailer.
 *
 * Chunks are numbered in the order of the input, so an input has one archive,
 * whatever the engine and the number of threads.
 */
#ifndef DEDUP_ARCHIVE_H
#define DEDUP_ARCHIVE_H

#include <stdint.h>

#include "tools.h"

#define ARCHIVE_MAGIC "GSDEDUP1"
#define ARCHIVE_FRAGMENT 0x47415246u /* "FRAG" */
#define ARCHIVE_END 0x2e444e45u	     /* "END." */

struct archive_header {
	char magic[8];
	uint64_t bytes;
	uint8_t digest[DIGEST_BYTES];
};

struct archive_fragment {
	uint32_t magic;
	uint32_t records;
	uint32_t bytes;
	uint32_t stored;
	uint8_t digest[DIGEST_BYTES];
};

struct archive_record {
	uint32_t bytes;
	uint32_t stored;
	union {
		uint8_t digest[DIGEST_BYTES];
		uint64_t number;
	};
};

#define RECORD_NEW_BYTES 40u
#define RECORD_REPEATED_BYTES 16u

struct archive_trailer {
	uint32_t magic;
	uint32_t zero;
	uint64_t fragments;
	uint64_t chunks;
	uint64_t new_chunks;
	uint8_t digest[DIGEST_BYTES];
};

_Static_assert(sizeof(struct archive_header) == 48 && sizeof(struct archive_fragment) == 48 &&
		       sizeof(struct archive_record) == RECORD_NEW_BYTES && sizeof(struct archive_trailer) == 64,
	       "the structures are the format");

#endif
