/* SPDX-License-Identifier: MIT */
/* A recording as text, as described in recording.h: what was said first comes first, what is unknown is left out. */
#include "detect/recording_text.h"

#include <string.h>

static bool is_plain(char byte)
{
	return byte >= ' ' && byte <= '~';
}

/* A blank at the line's end would not be seen, and lost in an editor. */
static void write_byte(FILE *out, char byte, bool last)
{
	if (byte == '\\')
		fputs("\\\\", out);
	else if (byte == '\t')
		fputs("\\t", out);
	else if (is_plain(byte) && !(byte == ' ' && last))
		fputc(byte, out);
	else
		fprintf(out, "\\x%02x", (unsigned)(unsigned char)byte);
}

static void write_escaped(FILE *out, const char *text, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++)
		write_byte(out, text[i], i + 1 == length);
}

static void write_note(const char *note, FILE *out)
{
	while (*note) {
		size_t length = strcspn(note, "\n");

		fprintf(out, "note %.*s\n", (int)length, note);
		note += length + (note[length] != '\0');
	}
}

/* ---- CPUID */

/* Makers sign in three registers, of which EDX is the second, save in the hypervisors' leaves. */
static void join_signature(const struct gsync_recorded_leaf *leaf, char out[GSYNC_SIGNATURE_SIZE])
{
	bool edx_second = leaf->first < 0x40000000u || leaf->first >= 0x80000000u;

	memcpy(out, &leaf->regs.ebx, 4);
	memcpy(out + 4, edx_second ? &leaf->regs.edx : &leaf->regs.ecx, 4);
	memcpy(out + 8, edx_second ? &leaf->regs.ecx : &leaf->regs.edx, 4);
}

/* What reads like a signature is shown to the reader, too. */
static void write_signature(const struct gsync_recorded_leaf *leaf, FILE *out)
{
	char bytes[GSYNC_SIGNATURE_SIZE];
	size_t length = sizeof(bytes);
	size_t i;

	join_signature(leaf, bytes);
	while (length > 0 && bytes[length - 1] == '\0')
		length--;
	for (i = 0; i < length; i++)
		if (!is_plain(bytes[i]))
			return;
	if (length >= 8)
		fprintf(out, "   # \"%.*s\"", (int)length, bytes);
}

static void write_leaf(const struct gsync_recorded_leaf *leaf, FILE *out)
{
	const struct gsync_cpuid *regs = &leaf->regs;

	fprintf(out, "cpuid %x", leaf->first);
	if (leaf->last != leaf->first)
		fprintf(out, "-%x", leaf->last);
	if (leaf->subleaf != 0)
		fprintf(out, ".%x", leaf->subleaf);
	fprintf(out, " = %x %x %x %x", regs->eax, regs->ebx, regs->ecx, regs->edx);
	write_signature(leaf, out);
	fputc('\n', out);
}

/* ---- numbers */

static void write_decimal(const struct gsync_field *field, double value, FILE *out)
{
	/* The comparison also catches NaN. */
	if (value >= 0.0005 && value < 1e12)
		fprintf(out, "%s %s %.3f\n", field->group, field->key, value);
}

/* Nobody has distrusted what nobody looked at. A verdict's reason is the next field. */
static bool was_judged(const struct gsync_recording *recording, const struct gsync_field *verdict)
{
	return *(const char *const *)(const void *)((const char *)recording + verdict[1].offset) != NULL;
}

static void write_field(const struct gsync_recording *recording, const struct gsync_field *field, FILE *out)
{
	const void *at = (const char *)recording + field->offset;

	switch (field->kind) {
	case GSYNC_FIELD_COUNT:
		if (*(const int *)at > 0)
			fprintf(out, "%s %s %d\n", field->group, field->key, *(const int *)at);
		break;
	case GSYNC_FIELD_BYTES:
		if (*(const uint64_t *)at > 0)
			fprintf(out, "%s %s %llu\n", field->group, field->key,
				(unsigned long long)*(const uint64_t *)at);
		break;
	case GSYNC_FIELD_DECIMAL:
		write_decimal(field, *(const double *)at, out);
		break;
	case GSYNC_FIELD_YES_NO:
		if (*(const bool *)at || was_judged(recording, field))
			fprintf(out, "%s %s %s\n", field->group, field->key, *(const bool *)at ? "yes" : "no");
		break;
	case GSYNC_FIELD_TEXT:
		if (*(const char *const *)at)
			fprintf(out, "%s %s %s\n", field->group, field->key, *(const char *const *)at);
		break;
	}
}

/* ---- files */

static const char *errno_name(int number)
{
	size_t i;

	for (i = 0; i < GSYNC_ERRNO_COUNT; i++)
		if (gsync_errno_names[i].number == number)
			return gsync_errno_names[i].name;
	return "EIO";
}

static void write_file(const struct gsync_recorded_file *file, FILE *out)
{
	const char *at = file->content;
	size_t left = file->length;

	if (file->error != 0)
		fprintf(out, "error %s ", errno_name(file->error));
	else
		fputs("file ", out);
	write_escaped(out, file->path, strlen(file->path));
	fputc('\n', out);
	while (file->error == 0 && left > 0) {
		const char *end = memchr(at, '\n', left);
		size_t length = end ? (size_t)(end - at) : left;

		fputs(length > 0 || !end ? "| " : "|", out);
		write_escaped(out, at, length);
		fputs(end ? "\n" : "\\\n", out);
		at += length + (end != NULL);
		left -= length + (end != NULL);
	}
}

void gsync_recording_write(const struct gsync_recording *recording, FILE *out)
{
	size_t i;

	fputs(GSYNC_RECORDING_TITLE " " GSYNC_RECORDING_VERSION "\n", out);
	if (recording->origin != GSYNC_ORIGIN_UNSAID)
		fprintf(out, "origin %s\n", recording->origin == GSYNC_ORIGIN_REAL ? "real" : "composed");
	if (recording->note)
		write_note(recording->note, out);
	for (i = 0; i < recording->expectation_count; i++)
		fprintf(out, "expect %s %s\n", recording->expectations[i].key, recording->expectations[i].value);
	for (i = 0; i < GSYNC_FIELD_COUNT_OF; i++)
		write_field(recording, &gsync_fields[i], out);
	if (recording->no_cpuid)
		fputs("cpuid none\n", out);
	for (i = 0; !recording->no_cpuid && i < recording->leaf_count; i++)
		write_leaf(&recording->leaves[i], out);
	for (i = 0; i < recording->file_count; i++)
		write_file(&recording->files[i], out);
}
