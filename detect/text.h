/* SPDX-License-Identifier: MIT */
/*
 * Reading the small texts of /proc and /sys, whatever they contain: every
 * helper takes a 0-terminated string, allocates nothing and keeps errno.
 */
#ifndef GUESTSYNC_DETECT_TEXT_H
#define GUESTSYNC_DETECT_TEXT_H

#include "detect/facts.h"

#include <errno.h>
#include <string.h>

/* The file's beginning as a string; false, and an empty string, when it cannot be read. */
static inline bool gsync_text_read(const struct gsync_source *source, const char *path, char *buffer, size_t size)
{
	ssize_t length = source->read_file(source->context, path, buffer, size);

	if (length < 0 || (size_t)length >= size) {
		buffer[0] = '\0';
		return false;
	}
	buffer[length] = '\0';
	return true;
}

/* Cuts TEXT at the last END in it, so that what was only half read is not used. */
static inline void gsync_text_cut_back(char *text, char end)
{
	char *last = strrchr(text, end);

	if (last)
		*last = '\0';
	else
		text[0] = '\0';
}

/* The same, but of a file longer than the buffer the complete lines only: a number cut short is another number. */
static inline bool gsync_text_read_lines(const struct gsync_source *source, const char *path, char *buffer, size_t size)
{
	if (!gsync_text_read(source, path, buffer, size))
		return false;
	if (strlen(buffer) == size - 1)
		gsync_text_cut_back(buffer, '\n');
	return true;
}

/* What may be shown: every byte that is no printable ASCII becomes a dot. */
static inline void gsync_text_make_printable(char *text, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++)
		if (text[i] < ' ' || text[i] > '~')
			text[i] = '.';
}

/* The same as gsync_text_read for a file of one line, without its end of line. */
static inline bool gsync_text_read_line(const struct gsync_source *source, const char *path, char *buffer, size_t size)
{
	bool readable = gsync_text_read(source, path, buffer, size);

	buffer[strcspn(buffer, "\n")] = '\0';
	return readable;
}

/* Anything is at PATH: a file, a directory. What we may not look at counts as absent. */
static inline bool gsync_text_exists(const struct gsync_source *source, const char *path)
{
	char byte[2];
	ssize_t length = source->read_file(source->context, path, byte, sizeof(byte));

	return length >= 0 || length == -EISDIR;
}

static inline bool gsync_text_starts(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

/*
 * A decimal number without sign, after blanks; moves *TEXT behind it. False
 * when there is none, or one of more than 18 digits, which no file we read has.
 */
static inline bool gsync_text_number(const char **text, uint64_t *out)
{
	const char *at = *text + strspn(*text, " \t");
	size_t digits = strspn(at, "0123456789");

	if (digits == 0 || digits > 18)
		return false;
	*out = 0;
	for (*text = at + digits; at < *text; at++)
		*out = *out * 10 + (uint64_t)(*at - '0');
	return true;
}

/* Whether TEXT is such a number and nothing else, blanks included. */
static inline bool gsync_text_is_number(const char *text, uint64_t *out)
{
	return *text >= '0' && *text <= '9' && gsync_text_number(&text, out) && *text == '\0';
}

#endif
