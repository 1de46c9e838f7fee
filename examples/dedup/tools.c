/* SPDX-License-Identifier: MIT */
#include "tools.h"

#include <stdlib.h>
#include <string.h>

#define LEVEL 1 /* the fastest: deduplication has found what is large already */

bool tools_make(struct tools *tools)
{
	*tools = (struct tools){
		/* Fetched once: what looks the algorithm up by name at each digest takes locks for it. */
		.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL),
		.digesting = EVP_MD_CTX_new(),
		.compressing = ZSTD_createCCtx(),
		.decompressing = ZSTD_createDCtx(),
	};
	return tools->sha256 != NULL && tools->digesting != NULL && tools->compressing != NULL &&
	       tools->decompressing != NULL;
}

void tools_free(struct tools *tools)
{
	EVP_MD_free(tools->sha256);
	EVP_MD_CTX_free(tools->digesting);
	ZSTD_freeCCtx(tools->compressing);
	ZSTD_freeDCtx(tools->decompressing);
	*tools = (struct tools){ 0 };
}

static void must(int succeeded)
{
	if (!succeeded)
		abort();
}

void tools_digest_begin(struct tools *tools)
{
	must(EVP_DigestInit_ex2(tools->digesting, tools->sha256, NULL));
}

void tools_digest_feed(struct tools *tools, const void *data, size_t length)
{
	must(EVP_DigestUpdate(tools->digesting, data, length));
}

void tools_digest_end(struct tools *tools, uint8_t digest[DIGEST_BYTES])
{
	must(EVP_DigestFinal_ex(tools->digesting, digest, NULL));
}

void tools_digest(struct tools *tools, uint8_t digest[DIGEST_BYTES], const void *data, size_t length)
{
	tools_digest_begin(tools);
	tools_digest_feed(tools, data, length);
	tools_digest_end(tools, digest);
}

size_t tools_compress(struct tools *tools, uint8_t *stored, const uint8_t *data, size_t length)
{
	/* The only failure with a valid context: the result does not fit, so it is no smaller. */
	size_t size = ZSTD_compressCCtx(tools->compressing, stored, length - 1, data, length, LEVEL);

	if (!ZSTD_isError(size))
		return size;
	memcpy(stored, data, length);
	return length;
}

bool tools_decompress(struct tools *tools, uint8_t *data, size_t length, const uint8_t *stored, size_t stored_length)
{
	if (stored_length == length) {
		memcpy(data, stored, length);
		return true;
	}
	return ZSTD_decompressDCtx(tools->decompressing, data, length, stored, stored_length) == length;
}
