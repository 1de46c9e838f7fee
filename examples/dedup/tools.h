/* SPDX-License-Identifier: MIT */
/*
 * What one thread at a time needs for the work on chunks: the state of the
 * fingerprint (SHA-256, libcrypto) and of the compressor (Zstandard, libzstd).
 * Made once and used for many chunks, because making them costs more than a chunk.
 */
#ifndef DEDUP_TOOLS_H
#define DEDUP_TOOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>
#include <zstd.h>

#define DIGEST_BYTES 32u

struct tools {
	EVP_MD *sha256;
	EVP_MD_CTX *digesting;
	ZSTD_CCtx *compressing;
	ZSTD_DCtx *decompressing;
};

/* False when memory is short; free is due all the same. */
bool tools_make(struct tools *tools);
void tools_free(struct tools *tools);

/* A digest in one piece, or begun, fed and ended; libcrypto fails here only if memory is short: then the program ends. */
void tools_digest(struct tools *tools, uint8_t digest[DIGEST_BYTES], const void *data, size_t length);
void tools_digest_begin(struct tools *tools);
void tools_digest_feed(struct tools *tools, const void *data, size_t length);
void tools_digest_end(struct tools *tools, uint8_t digest[DIGEST_BYTES]);

/* Writes at most LENGTH bytes to STORED; returns how many. LENGTH itself means: as it is, it would not get smaller. */
size_t tools_compress(struct tools *tools, uint8_t *stored, const uint8_t *data, size_t length);

/* The reverse; false if STORED is not the compressed form of LENGTH bytes. */
bool tools_decompress(struct tools *tools, uint8_t *data, size_t length, const uint8_t *stored, size_t stored_length);

#endif
