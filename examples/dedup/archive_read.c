/* SPDX-License-Identifier: MIT */
/*
 * The digests tell damage, not malice: whoever makes an archive can compute
 * them. So every number is checked against its bounds before it is used.
 */
#include "archive_read.h"

#include <endian.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

bool restored_make(struct restored *restored)
{
	*restored = (struct restored){
		.pieces = malloc(FRAGMENT_CHUNKS_MAX * sizeof(restored->pieces[0])),
		.data = malloc(FRAGMENT_MAX),
	};
	return restored->pieces != NULL && restored->data != NULL;
}

void restored_free(struct restored *restored)
{
	free(restored->pieces);
	free(restored->data);
	*restored = (struct restored){ 0 };
}

static int corrupt_at(const struct input *input, const char *what, uint64_t offset, struct bench_error *error)
{
	return bench_fail(error, "\"%s\" is corrupt: %s, at byte %llu", input->path, what, (unsigned long long)offset);
}

static int corrupt(const struct archive_reader *reader, const char *what, struct bench_error *error)
{
	return corrupt_at(reader->input, what, reader->offset, error);
}

static int truncated(const struct archive_reader *reader, struct bench_error *error)
{
	return bench_fail(error, "\"%s\" is truncated: it ends after %llu bytes, in the middle of an archive",
			  reader->input->path, (unsigned long long)reader->input->bytes);
}

/* LENGTH bytes at offset + AT. */
static int take(const struct archive_reader *reader, void *to, size_t length, size_t at, struct bench_error *error)
{
	uint64_t left = reader->input->bytes - reader->offset;

	if (at > left || length > left - at)
		return truncated(reader, error);
	return input_read(reader->input, to, length, reader->offset + at, error);
}

/* Is DIGEST the next of the chain, over FIELDS and RECORDS? */
static bool is_next(struct archive_reader *reader, const uint8_t digest[DIGEST_BYTES], const void *fields,
		    size_t length, size_t records)
{
	tools_digest_begin(&reader->tools);
	tools_digest_feed(&reader->tools, reader->digest, DIGEST_BYTES);
	tools_digest_feed(&reader->tools, fields, length);
	tools_digest_feed(&reader->tools, reader->records, records);
	tools_digest_end(&reader->tools, reader->digest);
	return memcmp(reader->digest, digest, DIGEST_BYTES) == 0;
}

/* What is no archive at all is not called corrupt. */
static int check_magic(const struct archive_reader *reader, struct bench_error *error)
{
	size_t length = sizeof(ARCHIVE_MAGIC) - 1;
	char magic[sizeof(ARCHIVE_MAGIC)];

	if (reader->input->bytes == 0)
		return bench_fail(error, "\"%s\" is empty, which no archive is", reader->input->path);
	if (reader->input->bytes < length)
		length = (size_t)reader->input->bytes;
	if (take(reader, magic, length, 0, error) != 0)
		return -1;
	if (memcmp(magic, ARCHIVE_MAGIC, length) != 0)
		return bench_fail(error, "\"%s\" is not an archive of this program", reader->input->path);
	return 0;
}

int archive_reader_open(struct archive_reader *reader, const struct input *input, struct bench_error *error)
{
	struct archive_header header;

	*reader = (struct archive_reader){
		.input = input,
		.records = malloc(FRAGMENT_CHUNKS_MAX * sizeof(struct archive_record)),
	};
	if (!tools_make(&reader->tools) || reader->records == NULL)
		return bench_fail(error, "memory is short");
	if (check_magic(reader, error) != 0 || take(reader, &header, sizeof(header), 0, error) != 0)
		return -1;
	tools_digest(&reader->tools, reader->digest, &header, offsetof(struct archive_header, digest));
	if (memcmp(reader->digest, header.digest, DIGEST_BYTES) != 0)
		return corrupt(reader, "the header is not what was written", error);
	reader->bytes = le64toh(header.bytes);
	reader->offset = sizeof(header);
	return 0;
}

void archive_reader_close(struct archive_reader *reader)
{
	tools_free(&reader->tools);
	free(reader->new_chunks);
	free(reader->records);
	*reader = (struct archive_reader){ 0 };
}

/* ---- tables */

static bool remember(struct archive_reader *reader, const struct piece *piece)
{
	if (reader->new_count == reader->new_room) {
		size_t room = reader->new_room > 0 ? 2 * reader->new_room : 4096;
		struct piece *grown = realloc(reader->new_chunks, room * sizeof(grown[0]));

		if (grown == NULL)
			return false;
		reader->new_chunks = grown;
		reader->new_room = room;
	}
	reader->new_chunks[reader->new_count++] = *piece;
	return true;
}

/* A repeated chunk is restored from where it came first. */
static int repeat(struct archive_reader *reader, uint64_t number, struct piece *piece, struct bench_error *error)
{
	uint32_t bytes = piece->bytes;

	if (number >= reader->new_count)
		return corrupt(reader, "a chunk repeats one that does not come before it", error);
	*piece = reader->new_chunks[number];
	return piece->bytes == bytes ? 0 : corrupt(reader, "a chunk repeats one of another size", error);
}

/* One record of LEFT bytes at most; what is stored next stands at OFFSET. Returns its length, or 0. */
static size_t read_record(struct archive_reader *reader, const uint8_t *from, size_t left, uint64_t offset,
			  struct piece *piece, struct bench_error *error)
{
	struct archive_record record = { 0 };
	size_t length;

	memcpy(&record, from, left < sizeof(record) ? left : sizeof(record));
	length = record.stored == 0 ? RECORD_REPEATED_BYTES : RECORD_NEW_BYTES;
	*piece = (struct piece){ .offset = offset, .stored = le32toh(record.stored), .bytes = le32toh(record.bytes) };
	if (length > left || piece->bytes > CHUNK_MAX || piece->stored > piece->bytes) {
		corrupt(reader, "a record makes no sense", error);
		return 0;
	}
	if (piece->stored == 0)
		return repeat(reader, le64toh(record.number), piece, error) == 0 ? length : 0;
	memcpy(piece->digest, record.digest, DIGEST_BYTES);
	if (remember(reader, piece))
		return length;
	bench_fail(error, "memory is short");
	return 0;
}

/* The records are in reader->records, and known to be what was written. */
static int read_records(struct archive_reader *reader, size_t records, struct restored *restored,
			struct bench_error *error)
{
	uint64_t bytes = 0, stored = 0;

	restored->count = 0;
	for (size_t at = 0; at < records;) {
		struct piece *piece = &restored->pieces[restored->count];
		size_t before = reader->new_count;
		size_t length;

		if (restored->count == FRAGMENT_CHUNKS_MAX)
			return corrupt(reader, "a fragment has too many chunks", error);
		length = read_record(reader, reader->records + at, records - at, restored->stored_offset + stored, piece,
				     error);
		if (length == 0)
			return -1;
		bytes += piece->bytes;
		stored += reader->new_count > before ? piece->stored : 0;
		restored->count++;
		at += length;
	}
	if (bytes != restored->bytes || stored != restored->stored_bytes)
		return corrupt(reader, "a fragment's sizes do not add up", error);
	return 0;
}

static int read_fragment(struct archive_reader *reader, struct restored *restored, struct bench_error *error)
{
	struct archive_fragment fields;
	size_t records;

	if (take(reader, &fields, sizeof(fields), 0, error) != 0)
		return -1;
	records = le32toh(fields.records);
	restored->bytes = le32toh(fields.bytes);
	restored->stored_bytes = le32toh(fields.stored);
	restored->stored_offset = reader->offset + sizeof(fields) + records;
	if (records > FRAGMENT_CHUNKS_MAX * sizeof(struct archive_record) || restored->bytes > FRAGMENT_MAX ||
	    restored->stored_bytes > restored->bytes)
		return corrupt(reader, "a fragment's sizes are impossible", error);
	if (take(reader, reader->records, records, sizeof(fields), error) != 0)
		return -1;
	if (!is_next(reader, fields.digest, &fields, offsetof(struct archive_fragment, digest), records))
		return corrupt(reader, "a table is not what was written", error);
	if (read_records(reader, records, restored, error) != 0)
		return -1;
	reader->offset = restored->stored_offset + restored->stored_bytes;
	if (reader->offset > reader->input->bytes)
		return truncated(reader, error);
	reader->bytes_so_far += restored->bytes;
	reader->fragments++;
	reader->chunks += restored->count;
	return 1;
}

static int read_trailer(struct archive_reader *reader, struct bench_error *error)
{
	struct archive_trailer trailer;

	if (take(reader, &trailer, sizeof(trailer), 0, error) != 0)
		return -1;
	if (!is_next(reader, trailer.digest, &trailer, offsetof(struct archive_trailer, digest), 0))
		return corrupt(reader, "the end is not what was written", error);
	if (le64toh(trailer.fragments) != reader->fragments || le64toh(trailer.chunks) != reader->chunks ||
	    le64toh(trailer.new_chunks) != reader->new_count || reader->bytes_so_far != reader->bytes)
		return corrupt(reader, "the sums at the end do not add up", error);
	reader->offset += sizeof(trailer);
	return reader->offset == reader->input->bytes ? 0 : corrupt(reader, "something follows the end", error);
}

int archive_reader_next(struct archive_reader *reader, struct restored *restored, struct bench_error *error)
{
	uint32_t magic;

	if (take(reader, &magic, sizeof(magic), 0, error) != 0)
		return -1;
	switch (le32toh(magic)) {
	case ARCHIVE_FRAGMENT:
		return read_fragment(reader, restored, error);
	case ARCHIVE_END:
		return read_trailer(reader, error);
	default:
		return corrupt(reader, "neither a fragment nor the end", error);
	}
}

/* ---- contents */

/* The content of a piece: from what was read with its fragment, or, into EARLIER, from where another stored it. */
static const uint8_t *find_stored(const struct restored *restored, const struct piece *piece,
				  const struct input *input, const uint8_t *own, uint8_t *earlier,
				  struct bench_error *error)
{
	if (piece->offset >= restored->stored_offset)
		return own + (piece->offset - restored->stored_offset);
	return input_read(input, earlier, piece->stored, piece->offset, error) == 0 ? earlier : NULL;
}

int archive_restore(struct restored *restored, const struct input *input, struct tools *tools, uint8_t *buffer,
		    struct bench_error *error)
{
	uint8_t earlier[CHUNK_MAX];
	uint8_t *to = restored->data;

	if (input_read(input, buffer, restored->stored_bytes, restored->stored_offset, error) != 0)
		return -1;
	for (uint32_t i = 0; i < restored->count; i++) {
		const struct piece *piece = &restored->pieces[i];
		const uint8_t *stored = find_stored(restored, piece, input, buffer, earlier, error);
		uint8_t digest[DIGEST_BYTES];

		if (stored == NULL)
			return -1;
		if (!tools_decompress(tools, to, piece->bytes, stored, piece->stored))
			return corrupt_at(input, "a chunk cannot be decompressed", piece->offset, error);
		tools_digest(tools, digest, to, piece->bytes);
		if (memcmp(digest, piece->digest, DIGEST_BYTES) != 0)
			return corrupt_at(input, "a chunk is not what was written", piece->offset, error);
		to += piece->bytes;
	}
	return 0;
}
