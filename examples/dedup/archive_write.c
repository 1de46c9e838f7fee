/* SPDX-License-Identifier: MIT */
#include "archive_write.h"

#include <endian.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static int put_bytes(struct archive_writer *writer, const void *bytes, size_t length, struct bench_error *error)
{
	if (length == 0 || fwrite(bytes, length, 1, writer->file) == 1)
		return 0;
	return bench_fail(error, "cannot write \"%s\": %s", writer->path, strerror(errno));
}

/* The next digest of the chain, over FIELDS and, where there are any, RECORDS. */
static void chain(struct archive_writer *writer, const void *fields, size_t length, size_t records)
{
	tools_digest_begin(&writer->tools);
	tools_digest_feed(&writer->tools, writer->digest, DIGEST_BYTES);
	tools_digest_feed(&writer->tools, fields, length);
	tools_digest_feed(&writer->tools, writer->records, records);
	tools_digest_end(&writer->tools, writer->digest);
}

int archive_writer_open(struct archive_writer *writer, FILE *file, const char *path, uint64_t bytes,
			struct bench_error *error)
{
	struct archive_header header = { .magic = ARCHIVE_MAGIC, .bytes = htole64(bytes) };

	*writer = (struct archive_writer){ .file = file, .path = path };
	writer->records = malloc(FRAGMENT_CHUNKS_MAX * sizeof(struct archive_record));
	if (!tools_make(&writer->tools) || writer->records == NULL)
		return bench_fail(error, "memory is short");
	tools_digest(&writer->tools, writer->digest, &header, offsetof(struct archive_header, digest));
	memcpy(header.digest, writer->digest, DIGEST_BYTES);
	return put_bytes(writer, &header, sizeof(header), error);
}

/* The record of a chunk; numbers its entry if it is the first of its kind in the input. Returns its length. */
static size_t make_record(struct archive_writer *writer, struct chunk *chunk, uint8_t *to)
{
	struct archive_record record = { .bytes = htole32(chunk->length) };
	size_t length = RECORD_REPEATED_BYTES;

	chunk->is_new = chunk->entry->number == ENTRY_UNNUMBERED;
	if (chunk->is_new) {
		chunk->entry->number = writer->new_chunks++;
		record.stored = htole32(chunk->entry->stored_length);
		memcpy(record.digest, chunk->entry->digest, DIGEST_BYTES);
		length = RECORD_NEW_BYTES;
	} else {
		record.number = htole64(chunk->entry->number);
	}
	memcpy(to, &record, length);
	return length;
}

static int put_stored(struct archive_writer *writer, const struct fragment *fragment, struct bench_error *error)
{
	for (uint32_t i = 0; i < fragment->count; i++) {
		const struct chunk *chunk = &fragment->chunks[i];

		if (chunk->is_new &&
		    put_bytes(writer, chunk->entry->stored, chunk->entry->stored_length, error) != 0)
			return -1;
	}
	return 0;
}

int archive_writer_put(struct archive_writer *writer, struct fragment *fragment, struct bench_error *error)
{
	struct archive_fragment fields = {
		.magic = htole32(ARCHIVE_FRAGMENT),
		.bytes = htole32((uint32_t)fragment->length),
	};
	size_t records = 0;
	uint32_t stored = 0;

	if (fragment->count == 0)
		return 0;
	for (uint32_t i = 0; i < fragment->count; i++) {
		struct chunk *chunk = &fragment->chunks[i];

		records += make_record(writer, chunk, writer->records + records);
		stored += chunk->is_new ? chunk->entry->stored_length : 0;
	}
	fields.records = htole32((uint32_t)records);
	fields.stored = htole32(stored);
	chain(writer, &fields, offsetof(struct archive_fragment, digest), records);
	memcpy(fields.digest, writer->digest, DIGEST_BYTES);
	writer->fragments++;
	writer->chunks += fragment->count;
	if (put_bytes(writer, &fields, sizeof(fields), error) != 0 ||
	    put_bytes(writer, writer->records, records, error) != 0)
		return -1;
	return put_stored(writer, fragment, error);
}

int archive_writer_finish(struct archive_writer *writer, struct bench_error *error)
{
	struct archive_trailer trailer = {
		.magic = htole32(ARCHIVE_END),
		.fragments = htole64(writer->fragments),
		.chunks = htole64(writer->chunks),
		.new_chunks = htole64(writer->new_chunks),
	};

	chain(writer, &trailer, offsetof(struct archive_trailer, digest), 0);
	memcpy(trailer.digest, writer->digest, DIGEST_BYTES);
	return put_bytes(writer, &trailer, sizeof(trailer), error);
}

void archive_writer_close(struct archive_writer *writer)
{
	tools_free(&writer->tools);
	free(writer->records);
	*writer = (struct archive_writer){ 0 };
}
