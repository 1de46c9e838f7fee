/* SPDX-License-Identifier: MIT */
/*
 * Thresholds that somebody set, and whether the environment wants statistics.
 *
 * The environment is read once, before threads can change it, and by a program
 * that stdio may not have been set up in yet: so its complaints are written
 * without it. A variable of ours that we do not know is complained about too:
 * it is a slip of the pen more often than one for a later version.
 */
#include "detect/override.h"

#include "detect/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PREFIX "GUESTSYNC_"
#define STATISTICS PREFIX "STATS"
#define LONGEST_SHOWN 40 /* of what the user wrote */

/* A value and whether there is one are one word, so that no reader sees half of a change. */
#define IS_SET ((uint64_t)1 << 32)

static uint64_t by_environment[GSYNC_THRESHOLD_COUNT];
static uint64_t by_call[GSYNC_THRESHOLD_COUNT];
static bool counts;

static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

void gsync_override_variable(const struct gsync_threshold *threshold, char out[GSYNC_VARIABLE_SIZE])
{
	size_t length = strlen(PREFIX);

	memcpy(out, PREFIX, length);
	for (const char *at = threshold->name; *at && length < GSYNC_VARIABLE_SIZE - 1; at++)
		out[length++] = upper(*at);
	out[length] = '\0';
}

static __attribute__((format(printf, 2, 3))) void complain(int complaints, const char *format, ...)
{
	char line[256];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	length = length < (int)sizeof(line) ? length : (int)sizeof(line) - 1;
	/* What the user wrote may hold anything; a complaint is one line. */
	for (int i = 0; i < length - 1; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	if (length > 0 && write(complaints, line, (size_t)length) < 0)
		return; /* nobody to tell */
}

static bool in_bounds(const struct gsync_threshold *threshold, uint64_t value)
{
	return value >= threshold->least && value <= threshold->most;
}

static bool take(const char *variable, const char *text, uint32_t least, uint32_t most, int complaints, uint64_t *value)
{
	if (gsync_text_is_number(text, value) && *value >= least && *value <= most)
		return true;
	complain(complaints, "guestsync: %s=%.*s: not a whole number from %u to %u; the default stays\n", variable,
		 LONGEST_SHOWN, text, least, most);
	return false;
}

static bool is_called(const char *entry, size_t length, const char *variable)
{
	return strlen(variable) == length && memcmp(entry, variable, length) == 0;
}

static void read_one(const char *entry, int complaints)
{
	char variable[GSYNC_VARIABLE_SIZE];
	size_t length = strcspn(entry, "=");
	const char *text = entry + length + (entry[length] == '=');
	uint64_t value;

	if (is_called(entry, length, STATISTICS)) {
		if (take(STATISTICS, text, 0, 1, complaints, &value))
			counts = value != 0;
		return;
	}
	for (size_t i = 0; i < GSYNC_THRESHOLD_COUNT; i++) {
		const struct gsync_threshold *threshold = &gsync_thresholds[i];

		gsync_override_variable(threshold, variable);
		if (is_called(entry, length, variable)) {
			if (take(variable, text, threshold->least, threshold->most, complaints, &value))
				by_environment[i] = IS_SET | value;
			return;
		}
	}
	complain(complaints, "guestsync: %.*s: no such setting; `guestsync detect --explain` lists them\n",
		 length < LONGEST_SHOWN ? (int)length : LONGEST_SHOWN, entry);
}

void gsync_override_read(char *const *environment, int complaints)
{
	for (; environment && *environment; environment++)
		if (strncmp(*environment, PREFIX, strlen(PREFIX)) == 0)
			read_one(*environment, complaints);
}

bool gsync_override_counts(void)
{
	return counts;
}

int gsync_override_find(const char *name)
{
	for (size_t i = 0; i < GSYNC_THRESHOLD_COUNT; i++)
		if (strcmp(name, gsync_thresholds[i].name) == 0)
			return (int)i;
	return -1;
}

int gsync_override_set(int index, uint64_t value)
{
	if (!in_bounds(&gsync_thresholds[index], value))
		return ERANGE;
	/* Relaxed: a setting carries no other data, and whoever publishes it reads it after this in the same thread. */
	__atomic_store_n(&by_call[index], IS_SET | value, __ATOMIC_RELAXED);
	return 0;
}

void gsync_override_reset(int index)
{
	__atomic_store_n(&by_call[index], 0, __ATOMIC_RELAXED);
}

/* Relaxed: see gsync_override_set(). */
static uint64_t setting_of(size_t index, const char **by_whom)
{
	uint64_t call = __atomic_load_n(&by_call[index], __ATOMIC_RELAXED);

	*by_whom = (call & IS_SET) != 0 ? "set by gsync_profile_set()" : "set by the environment";
	return (call & IS_SET) != 0 ? call : by_environment[index];
}

bool gsync_override_quiet(void)
{
	const char *by_whom;

	return (uint32_t)setting_of(offsetof(struct gsync_profile, quiet) / sizeof(uint32_t), &by_whom) != 0;
}

void gsync_override_apply(struct gsync_profile *profile, struct gsync_reasons *reasons)
{
	for (size_t i = 0; i < GSYNC_THRESHOLD_COUNT; i++) {
		const char *by_whom;
		uint64_t setting = setting_of(i, &by_whom);

		if ((setting & IS_SET) == 0)
			continue;
		*gsync_profile_field(profile, i) = (uint32_t)setting;
		if (reasons)
			reasons->why[i] = by_whom;
	}
}
