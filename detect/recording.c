/* SPDX-License-Identifier: MIT */
/* What a recording holds, and the machine that it makes of it. */
#include "detect/recording_text.h"
#include "detect/text.h"

#include <stdlib.h>

/* Room for one more element; the capacity is the power of two that COUNT has reached. */
static void *grow(void *elements, size_t count, size_t size)
{
	if (count != 0 && (count & (count - 1)) != 0)
		return elements;
	return reallocarray(elements, count == 0 ? 1 : count * 2, size);
}

static bool is_printable(const char *text)
{
	for (; *text; text++)
		if ((*text < ' ' || *text > '~') && *text != '\t')
			return false;
	return true;
}

/* The field's text; NULL = this field is none. */
static char **text_field(struct gsync_recording *recording, size_t field)
{
	if (gsync_fields[field].kind != GSYNC_FIELD_TEXT)
		return NULL;
	return (char **)(void *)((char *)recording + gsync_fields[field].offset);
}

static void free_texts(struct gsync_recording *recording)
{
	size_t i;

	for (i = 0; i < GSYNC_FIELD_COUNT_OF; i++)
		if (text_field(recording, i))
			free(*text_field(recording, i));
}

void gsync_recording_free(struct gsync_recording *recording)
{
	size_t i;

	for (i = 0; i < recording->file_count; i++) {
		free(recording->files[i].path);
		free(recording->files[i].content);
	}
	for (i = 0; i < recording->expectation_count; i++) {
		free(recording->expectations[i].key);
		free(recording->expectations[i].value);
	}
	free(recording->note);
	free(recording->leaves);
	free(recording->files);
	free(recording->expectations);
	free_texts(recording);
	memset(recording, 0, sizeof(*recording));
}

/* ---- adding to it */

int gsync_recording_add_note(struct gsync_recording *recording, const char *line)
{
	size_t before = recording->note ? strlen(recording->note) : 0;
	size_t length = strlen(line);
	char *note;

	if (!is_printable(line))
		return EINVAL;
	note = realloc(recording->note, before + 1 + length + 1);
	if (!note)
		return ENOMEM;
	recording->note = note;
	if (before > 0)
		note[before++] = '\n';
	memcpy(note + before, line, length + 1);
	return 0;
}

/* Where a leaf stands or would stand: the first that does not end before it. */
static size_t leaf_position(const struct gsync_recording *recording, uint32_t leaf, uint32_t subleaf)
{
	size_t low = 0;
	size_t high = recording->leaf_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct gsync_recorded_leaf *at = &recording->leaves[middle];

		if (at->subleaf < subleaf || (at->subleaf == subleaf && at->last < leaf))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int gsync_recording_add_leaf(struct gsync_recording *recording, const struct gsync_recorded_leaf *leaf)
{
	size_t at = leaf_position(recording, leaf->first, leaf->subleaf);
	struct gsync_recorded_leaf *leaves = recording->leaves;

	if (at < recording->leaf_count && leaves[at].subleaf == leaf->subleaf && leaves[at].first <= leaf->last)
		return EEXIST;
	leaves = grow(leaves, recording->leaf_count, sizeof(*leaves));
	if (!leaves)
		return ENOMEM;
	recording->leaves = leaves;
	memmove(&leaves[at + 1], &leaves[at], (recording->leaf_count - at) * sizeof(*leaves));
	leaves[at] = *leaf;
	recording->leaf_count++;
	return 0;
}

int gsync_recording_add_file(struct gsync_recording *recording, const char *path, struct gsync_recorded_file **out)
{
	struct gsync_recorded_file *files = grow(recording->files, recording->file_count, sizeof(*files));
	char *copy;

	if (!files)
		return ENOMEM;
	recording->files = files;
	copy = strdup(path);
	if (!copy)
		return ENOMEM;
	*out = &files[recording->file_count++];
	**out = (struct gsync_recorded_file){ .path = copy };
	return 0;
}

int gsync_recording_add_expectation(struct gsync_recording *recording, const char *key, const char *value, size_t line)
{
	struct gsync_expectation *expectations = recording->expectations;
	struct gsync_expectation added = { .line = line };

	if (!is_printable(key) || !is_printable(value))
		return EINVAL;
	expectations = grow(expectations, recording->expectation_count, sizeof(*expectations));
	if (!expectations)
		return ENOMEM;
	recording->expectations = expectations;
	added.key = strdup(key);
	added.value = strdup(value);
	if (!added.key || !added.value) {
		free(added.key);
		free(added.value);
		return ENOMEM;
	}
	expectations[recording->expectation_count++] = added;
	return 0;
}

int gsync_recording_set_measured(struct gsync_recording *recording, const struct gsync_calibration *measured)
{
	struct gsync_recording taken = { .measured = *measured };
	int error = 0;
	size_t i;

	for (i = 0; i < GSYNC_FIELD_COUNT_OF; i++) {
		char **text = text_field(&taken, i);

		if (!text || !*text)
			continue;
		if (!is_printable(*text))
			error = EINVAL;
		*text = strdup(*text);
		if (!*text)
			error = ENOMEM;
	}
	if (error != 0) {
		free_texts(&taken);
		return error;
	}
	free_texts(recording);
	recording->measured = taken.measured;
	return 0;
}

/* ---- finding in it */

const struct gsync_recorded_leaf *gsync_recording_leaf(const struct gsync_recording *recording, uint32_t leaf,
						       uint32_t subleaf)
{
	size_t at = leaf_position(recording, leaf, subleaf);
	const struct gsync_recorded_leaf *found;

	if (at == recording->leaf_count)
		return NULL;
	found = &recording->leaves[at];
	return found->subleaf == subleaf && found->first <= leaf ? found : NULL;
}

struct gsync_recorded_file *gsync_recording_file(const struct gsync_recording *recording, const char *path)
{
	size_t i;

	for (i = 0; i < recording->file_count; i++)
		if (strcmp(recording->files[i].path, path) == 0)
			return &recording->files[i];
	return NULL;
}

/* ---- the machine of a recording */

static bool replay_cpuid(void *context, uint32_t leaf, uint32_t subleaf, struct gsync_cpuid *out)
{
	const struct gsync_recording *recording = context;
	const struct gsync_recorded_leaf *found = gsync_recording_leaf(recording, leaf, subleaf);

	if (recording->no_cpuid)
		return false;
	*out = found ? found->regs : (struct gsync_cpuid){ 0, 0, 0, 0 };
	return true;
}

static ssize_t replay_read_file(void *context, const char *path, char *buffer, size_t size)
{
	const struct gsync_recorded_file *file = gsync_recording_file(context, path);
	size_t length;

	if (size == 0)
		return -EINVAL;
	if (!file)
		return -ENOENT;
	if (file->error != 0)
		return -file->error;
	length = file->length < size - 1 ? file->length : size - 1;
	if (length > 0)
		memcpy(buffer, file->content, length);
	buffer[length] = '\0';
	return (ssize_t)length;
}

static int replay_cpus_online(void *context)
{
	return ((const struct gsync_recording *)context)->online;
}

static int replay_cpus_affinity(void *context)
{
	return ((const struct gsync_recording *)context)->affinity;
}

static bool replay_topology(void *context, struct gsync_topology *out)
{
	const struct gsync_recording *recording = context;

	if (recording->has_topology)
		*out = recording->topology;
	return recording->has_topology;
}

struct gsync_source gsync_recording_source(struct gsync_recording *recording)
{
	return (struct gsync_source){
		.context = recording,
		.cpuid = replay_cpuid,
		.read_file = replay_read_file,
		.cpus_online = replay_cpus_online,
		.cpus_affinity = replay_cpus_affinity,
		.topology = replay_topology,
	};
}
