/* SPDX-License-Identifier: MIT */
/*
 * Reads a recording's text. People write such texts, and whoever sends one may
 * mean us ill: so every line is either understood or refused with its number
 * and a reason, and nothing is said twice.
 */
#include "detect/recording_text.h"
#include "detect/text.h"

#include <stdarg.h>
#include <stdlib.h>

/* More than any machine has; and adding one to very many takes long. */
#define LEAVES_MAX 4096
#define FILES_MAX 1000

struct parser {
	struct gsync_recording *out;
	struct gsync_recording_error *error;
	size_t line;
	bool in_file;  /* the last file's content may go on */
	uint32_t said; /* bits: the fields that have been given */
};

_Static_assert(GSYNC_FIELD_COUNT_OF <= 32, "a bit for every field");

static bool refuse(struct parser *parser, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool refuse(struct parser *parser, const char *format, ...)
{
	va_list arguments;

	parser->error->line = parser->line;
	va_start(arguments, format);
	vsnprintf(parser->error->reason, sizeof(parser->error->reason), format, arguments);
	va_end(arguments);
	return false;
}

/* What the functions that add to a recording return. */
static bool is_added(struct parser *parser, int error)
{
	if (error == 0)
		return true;
	return refuse(parser, "%s", error == EEXIST ? "this leaf is in an earlier line, too" : strerror(error));
}

/* ---- pieces of a line */

static bool read_hex(const char **text, uint32_t *out)
{
	size_t digits = strspn(*text, "0123456789abcdefABCDEF");

	if (digits == 0 || digits > 8)
		return false;
	*out = (uint32_t)strtoul(*text, NULL, 16);
	*text += digits;
	return true;
}

static bool read_count(const char *text, uint64_t max, uint64_t *out)
{
	return gsync_text_is_number(text, out) && *out >= 1 && *out <= max;
}

/* Thousandths, so that what was written is read as the same number. */
static bool read_decimal(const char *text, double *out)
{
	size_t whole = strspn(text, "0123456789");
	size_t part = text[whole] == '.' ? strspn(text + whole + 1, "0123456789") : 0;

	if (whole == 0 || whole > GSYNC_DECIMAL_DIGITS || part > 3)
		return false;
	if (text[whole + (text[whole] == '.') + part] != '\0' || (text[whole] == '.' && part == 0))
		return false;
	*out = strtod(text, NULL);
	return true;
}

/*
 * Replaces escapes in place. A single backslash at the end means that the line's
 * end is not part of the content; CONTINUES is NULL where there is no such thing.
 */
static bool unescape(struct parser *parser, char *text, size_t *length, bool *continues)
{
	const char *from = text;
	char *to = text;

	while (*from) {
		unsigned byte;

		if (*from != '\\') {
			*to++ = *from++;
		} else if (from[1] == '\\' || from[1] == 't') {
			*to++ = from[1] == 't' ? '\t' : '\\';
			from += 2;
		} else if (from[1] == 'x' && strspn(from + 2, "0123456789abcdefABCDEF") >= 2) {
			char digits[] = { from[2], from[3], '\0' };

			byte = (unsigned)strtoul(digits, NULL, 16);
			*to++ = (char)byte;
			from += 4;
		} else if (from[1] == '\0' && continues) {
			*continues = true;
			from++;
		} else {
			return refuse(parser, "a backslash begins \\\\, \\t or \\xHH");
		}
	}
	*to = '\0';
	*length = (size_t)(to - text);
	return true;
}

/* ---- statements */

static bool parse_origin(struct parser *parser, char *text)
{
	if (parser->out->origin != GSYNC_ORIGIN_UNSAID)
		return refuse(parser, "the origin is said twice");
	if (strcmp(text, "real") == 0)
		parser->out->origin = GSYNC_ORIGIN_REAL;
	else if (strcmp(text, "composed") == 0)
		parser->out->origin = GSYNC_ORIGIN_COMPOSED;
	else
		return refuse(parser, "the origin is \"real\" or \"composed\"");
	return true;
}

static bool parse_note(struct parser *parser, char *text)
{
	if (*text == '\0')
		return refuse(parser, "the note is empty");
	return is_added(parser, gsync_recording_add_note(parser->out, text));
}

static bool parse_registers(const char *text, struct gsync_cpuid *out)
{
	uint32_t *const registers[] = { &out->eax, &out->ebx, &out->ecx, &out->edx };
	size_t i;

	for (i = 0; i < 4; i++) {
		text += strspn(text, " \t");
		if (!read_hex(&text, registers[i]))
			return false;
	}
	text += strspn(text, " \t");
	return *text == '\0' || *text == '#';
}

static bool parse_cpuid(struct parser *parser, char *rest)
{
	struct gsync_recorded_leaf leaf = { 0 };
	const char *text = rest;

	if (strcmp(text, "none") == 0) {
		parser->out->no_cpuid = true;
		return parser->out->leaf_count == 0 || refuse(parser, "there are CPUID leaves in earlier lines");
	}
	if (parser->out->no_cpuid)
		return refuse(parser, "an earlier line says that there is no CPUID");
	if (parser->out->leaf_count == LEAVES_MAX)
		return refuse(parser, "more than %d CPUID leaves", LEAVES_MAX);
	if (!read_hex(&text, &leaf.first))
		return refuse(parser, "no leaf: write cpuid LEAF = EAX EBX ECX EDX, in hex");
	leaf.last = leaf.first;
	if (*text == '-' && (text++, !read_hex(&text, &leaf.last) || leaf.last <= leaf.first))
		return refuse(parser, "a range of leaves goes from a number to a greater one");
	if (*text == '.' && (text++, !read_hex(&text, &leaf.subleaf)))
		return refuse(parser, "no subleaf behind the point");
	text += strspn(text, " \t");
	if (*text != '=' || !parse_registers(text + 1, &leaf.regs))
		return refuse(parser, "not four registers: write cpuid LEAF = EAX EBX ECX EDX, in hex");
	return is_added(parser, gsync_recording_add_leaf(parser->out, &leaf));
}

static bool parse_value(const struct gsync_field *field, void *at, const char *text)
{
	uint64_t value = 0;

	switch (field->kind) {
	case GSYNC_FIELD_COUNT:
		if (!read_count(text, GSYNC_RECORDED_COUNT_MAX, &value))
			return false;
		*(int *)at = (int)value;
		return true;
	case GSYNC_FIELD_BYTES:
		return read_count(text, UINT64_MAX, at);
	case GSYNC_FIELD_DECIMAL:
		return read_decimal(text, at);
	case GSYNC_FIELD_YES_NO:
		*(bool *)at = strcmp(text, "yes") == 0;
		return *(bool *)at || strcmp(text, "no") == 0;
	case GSYNC_FIELD_TEXT:
		return *text != '\0' && (*(char **)at = strdup(text)) != NULL;
	}
	return false;
}

/* "GROUP KEY VALUE", of which GROUP has been read. */
static bool parse_field(struct parser *parser, const char *group, char *text)
{
	char *key = strsep(&text, " ");
	size_t i;

	for (i = 0; i < GSYNC_FIELD_COUNT_OF; i++)
		if (strcmp(gsync_fields[i].group, group) == 0 && strcmp(gsync_fields[i].key, key) == 0)
			break;
	if (i == GSYNC_FIELD_COUNT_OF)
		return refuse(parser, "%s has no \"%.40s\"", group, key);
	if (parser->said & (1u << i))
		return refuse(parser, "%s %s is said twice", group, key);
	parser->said |= 1u << i;
	if (strcmp(group, "topology") == 0)
		parser->out->has_topology = true;
	if (!text || !parse_value(&gsync_fields[i], (char *)parser->out + gsync_fields[i].offset, text))
		return refuse(parser, "\"%.40s\" is no value of %s %s", text ? text : "", group, key);
	return true;
}

static bool parse_cpus(struct parser *parser, char *text)
{
	return parse_field(parser, "cpus", text);
}

static bool parse_topology(struct parser *parser, char *text)
{
	return parse_field(parser, "topology", text);
}

static bool parse_measured(struct parser *parser, char *text)
{
	return parse_field(parser, "measured", text);
}

static bool parse_expect(struct parser *parser, char *text)
{
	char *key = strsep(&text, " ");

	if (*key == '\0' || !text || *text == '\0')
		return refuse(parser, "write expect KEY VALUE");
	return is_added(parser, gsync_recording_add_expectation(parser->out, key, text, parser->line));
}

/* ---- files */

static bool add_path(struct parser *parser, char *path, struct gsync_recorded_file **out)
{
	size_t length;

	if (!unescape(parser, path, &length, NULL))
		return false;
	if (path[0] != '/' || strlen(path) != length || strchr(path, '\n'))
		return refuse(parser, "a path begins with \"/\" and has neither 0 bytes nor ends of line");
	if (gsync_recording_file(parser->out, path))
		return refuse(parser, "this file is in an earlier line, too");
	if (parser->out->file_count == FILES_MAX)
		return refuse(parser, "more than %d files", FILES_MAX);
	return is_added(parser, gsync_recording_add_file(parser->out, path, out));
}

static bool parse_file(struct parser *parser, char *text)
{
	struct gsync_recorded_file *file;

	parser->in_file = add_path(parser, text, &file);
	return parser->in_file;
}

static bool parse_error(struct parser *parser, char *text)
{
	const char *name = strsep(&text, " ");
	struct gsync_recorded_file *file;
	size_t i;

	for (i = 0; i < GSYNC_ERRNO_COUNT; i++)
		if (strcmp(gsync_errno_names[i].name, name) == 0)
			break;
	if (i == GSYNC_ERRNO_COUNT)
		return refuse(parser, "\"%.40s\" is no errno's name that a recording knows", name);
	if (!text)
		return refuse(parser, "write error ERRNO PATH");
	if (!add_path(parser, text, &file))
		return false;
	file->error = gsync_errno_names[i].number;
	return true;
}

/* LINE is behind the "|". */
static bool parse_content(struct parser *parser, char *line)
{
	struct gsync_recorded_file *file;
	bool continues = false;
	size_t length;
	char *content;

	if (!parser->in_file)
		return refuse(parser, "a line of a file's content, but of no file");
	if (*line != '\0' && *line++ != ' ')
		return refuse(parser, "no blank behind \"|\"");
	if (!unescape(parser, line, &length, &continues))
		return false;
	if (!continues)
		line[length++] = '\n';
	file = &parser->out->files[parser->out->file_count - 1];
	content = realloc(file->content, file->length + length + 1);
	if (!content)
		return refuse(parser, "not enough memory");
	memcpy(content + file->length, line, length);
	file->content = content;
	file->length += length;
	return true;
}

/* ---- lines */

static bool parse_statement(struct parser *parser, char *line)
{
	static const struct {
		const char *word;
		bool (*parse)(struct parser *parser, char *text);
	} statements[] = {
		{ "origin", parse_origin },	    { "note", parse_note },   { "expect", parse_expect },
		{ "cpus", parse_cpus },		    { "cpuid", parse_cpuid }, { "topology", parse_topology },
		{ "measured", parse_measured },	    { "file", parse_file },   { "error", parse_error },
	};
	static char nothing[] = "";
	const char *word = strsep(&line, " ");
	size_t i;

	parser->in_file = false;
	for (i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
		if (strcmp(statements[i].word, word) == 0)
			return statements[i].parse(parser, line ? line : nothing);
	return refuse(parser, "no line begins with \"%.40s\"", word);
}

static bool parse_title(struct parser *parser, const char *line)
{
	const char *version = line + strlen(GSYNC_RECORDING_TITLE " ");

	if (strcmp(line, GSYNC_RECORDING_TITLE " " GSYNC_RECORDING_VERSION) == 0)
		return true;
	if (gsync_text_starts(line, GSYNC_RECORDING_TITLE " "))
		return refuse(parser, "version \"%.20s\" of the format; only " GSYNC_RECORDING_VERSION " is known",
			      version);
	return refuse(parser, "not a recording: it does not begin with \"" GSYNC_RECORDING_TITLE " "
			      GSYNC_RECORDING_VERSION "\"");
}

static bool parse_line(struct parser *parser, char *line, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++)
		if ((line[i] < ' ' || line[i] > '~') && line[i] != '\t')
			return refuse(parser, "byte 0x%02x in column %zu: only printable ASCII and tabs are allowed",
				      (unsigned)(unsigned char)line[i], i + 1);
	if (parser->line == 1)
		return parse_title(parser, line);
	if (line[0] == '|')
		return parse_content(parser, line + 1);
	return length == 0 || line[0] == '#' || parse_statement(parser, line);
}

static bool parse_lines(struct parser *parser, char *text, size_t length)
{
	char *end = text + length;

	do {
		char *line_end = memchr(text, '\n', (size_t)(end - text));

		if (!line_end)
			line_end = end;
		*line_end = '\0';
		parser->line++;
		if (!parse_line(parser, text, (size_t)(line_end - text)))
			return false;
		text = line_end + 1;
	} while (text < end);
	if (parser->out->origin == GSYNC_ORIGIN_UNSAID)
		return refuse(parser, "the recording ends, and no line says its origin");
	return true;
}

bool gsync_recording_parse(struct gsync_recording *out, const char *text, size_t length,
			   struct gsync_recording_error *error)
{
	struct parser parser = { .out = out, .error = error };
	char *copy = malloc(length + 2); /* content may need its end of line and a 0 byte */
	bool accepted;

	memset(out, 0, sizeof(*out));
	if (!copy)
		return refuse(&parser, "not enough memory");
	if (length > 0)
		memcpy(copy, text, length);
	accepted = parse_lines(&parser, copy, length);
	free(copy);
	if (!accepted)
		gsync_recording_free(out);
	return accepted;
}
