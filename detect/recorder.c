/* SPDX-License-Identifier: MIT */
/*
 * A source that asks another and writes the answers down.
 *
 * Of each file it keeps what was read of it, at most; of some, less. The
 * environment of process 1 may hold passwords, mountinfo the names of servers,
 * users and disks, and status numbers of users and groups, when all that anybody
 * here wants to know is a variable, the mounts of the control groups and who
 * traces us. Dropping the rest must not change an answer, so what is kept is
 * kept whole.
 */
#include "detect/recording.h"

#include "detect/text.h"

#include <stdlib.h>

static void keep_error(struct gsync_recorder *recorder, int error)
{
	if (error != 0)
		recorder->error = error;
}

/* ---- CPUID */

/*
 * A CPU that has no such leaves gives one answer to all: hundreds, when
 * signatures are looked for. Leaves asked for in a row make a range of that.
 */
static bool extend_range(struct gsync_recorder *recorder, uint32_t leaf, const struct gsync_cpuid *regs)
{
	const struct gsync_recorded_leaf *before = gsync_recording_leaf(recorder->recording, recorder->leaf_before, 0);
	size_t at;

	if (!before || before->last >= leaf || memcmp(&before->regs, regs, sizeof(*regs)) != 0)
		return false;
	at = (size_t)(before - recorder->recording->leaves);
	if (at + 1 < recorder->recording->leaf_count && before[1].subleaf == 0 && before[1].first <= leaf)
		return false;
	recorder->recording->leaves[at].last = leaf;
	return true;
}

static void keep_leaf(struct gsync_recorder *recorder, uint32_t leaf, uint32_t subleaf, const struct gsync_cpuid *regs)
{
	static const struct gsync_cpuid zeros;
	struct gsync_recorded_leaf kept = { leaf, leaf, subleaf, *regs };

	if (memcmp(regs, &zeros, sizeof(zeros)) != 0 && !gsync_recording_leaf(recorder->recording, leaf, subleaf) &&
	    (subleaf != 0 || !extend_range(recorder, leaf, regs)))
		keep_error(recorder, gsync_recording_add_leaf(recorder->recording, &kept));
	if (subleaf == 0)
		recorder->leaf_before = leaf;
}

static bool record_cpuid(void *context, uint32_t leaf, uint32_t subleaf, struct gsync_cpuid *out)
{
	struct gsync_recorder *recorder = context;

	if (!recorder->inner->cpuid(recorder->inner->context, leaf, subleaf, out)) {
		recorder->recording->no_cpuid = true;
		return false;
	}
	keep_leaf(recorder, leaf, subleaf, out);
	return true;
}

/* ---- files */

static bool begins(const char *piece, size_t length, const char *with)
{
	return length >= strlen(with) && memcmp(piece, with, strlen(with)) == 0;
}

/* Of strings that end in 0 bytes, the variable that container managers set. */
static bool is_container_variable(const char *string, size_t length)
{
	return begins(string, length, "container=");
}

static bool is_cgroup_mount(const char *line, size_t length)
{
	static const char *const types[] = { " - cgroup ", " - cgroup2 " };
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (memmem(line, length, types[i], strlen(types[i])))
			return true;
	return false;
}

/* The name is ours; with it the tracer is still in no first line. */
static bool is_tracer_or_name(const char *line, size_t length)
{
	return begins(line, length, "Name:") || begins(line, length, "TracerPid:");
}

static const struct secretive {
	const char *path;
	char end; /* of each piece */
	bool (*wanted)(const char *piece, size_t length);
} secretive[] = {
	{ "/proc/1/environ", '\0', is_container_variable },
	{ "/proc/self/mountinfo", '\n', is_cgroup_mount },
	{ "/proc/self/status", '\n', is_tracer_or_name },
};

/* Drops from CONTENT the pieces that nobody wants, and returns its new length. A last piece without end may be half. */
static size_t drop_unwanted(const struct secretive *file, char *content, size_t length, bool whole)
{
	size_t kept = 0;
	size_t at = 0;

	while (at < length) {
		const char *end = memchr(content + at, file->end, length - at);
		size_t size = end ? (size_t)(end - (content + at)) + 1 : length - at;

		if ((end || whole) && file->wanted(content + at, size)) {
			memmove(content + kept, content + at, size);
			kept += size;
		}
		at += size;
	}
	return kept;
}

static size_t drop_secrets(const char *path, char *content, size_t length, bool whole)
{
	size_t i;

	for (i = 0; i < sizeof(secretive) / sizeof(secretive[0]); i++)
		if (strcmp(path, secretive[i].path) == 0)
			return drop_unwanted(&secretive[i], content, length, whole);
	return length;
}

/* Of a file that was read repeatedly, the first of the longest readings. */
static struct gsync_recorded_file *file_to_keep(struct gsync_recorder *recorder, const char *path, size_t size)
{
	struct gsync_recorded_file *file = gsync_recording_file(recorder->recording, path);

	if (!file)
		keep_error(recorder, gsync_recording_add_file(recorder->recording, path, &file));
	else if (file->asked >= size)
		file = NULL;
	return file;
}

static void keep_file(struct gsync_recorder *recorder, const char *path, const char *buffer, size_t size,
		      ssize_t result)
{
	struct gsync_recorded_file *file = file_to_keep(recorder, path, size);
	char *content;

	if (!file)
		return;
	file->asked = size;
	file->error = result < 0 ? (int)-result : 0;
	file->length = 0;
	if (result <= 0)
		return;
	content = malloc((size_t)result);
	if (!content) {
		keep_error(recorder, ENOMEM);
		return;
	}
	memcpy(content, buffer, (size_t)result);
	free(file->content);
	file->content = content;
	file->length = drop_secrets(path, content, (size_t)result, (size_t)result < size - 1);
}

static ssize_t record_read_file(void *context, const char *path, char *buffer, size_t size)
{
	struct gsync_recorder *recorder = context;
	ssize_t result = recorder->inner->read_file(recorder->inner->context, path, buffer, size);

	/* What does not exist is not in a recording either. */
	if (result != -ENOENT)
		keep_file(recorder, path, buffer, size, result);
	return result;
}

/* ---- numbers */

static int record_cpus_online(void *context)
{
	struct gsync_recorder *recorder = context;

	return recorder->recording->online = recorder->inner->cpus_online(recorder->inner->context);
}

static int record_cpus_affinity(void *context)
{
	struct gsync_recorder *recorder = context;

	return recorder->recording->affinity = recorder->inner->cpus_affinity(recorder->inner->context);
}

static bool record_topology(void *context, struct gsync_topology *out)
{
	struct gsync_recorder *recorder = context;
	struct gsync_recording *recording = recorder->recording;

	if (!recorder->inner->topology || !recorder->inner->topology(recorder->inner->context, out))
		return false;
	recording->has_topology = true;
	recording->topology = *out;
	return true;
}

struct gsync_source gsync_recorder_source(struct gsync_recorder *recorder)
{
	return (struct gsync_source){
		.context = recorder,
		.cpuid = record_cpuid,
		.read_file = record_read_file,
		.cpus_online = record_cpus_online,
		.cpus_affinity = record_cpus_affinity,
		.topology = record_topology,
	};
}
