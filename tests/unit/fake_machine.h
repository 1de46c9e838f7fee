/* SPDX-License-Identifier: MIT */
/*
 * A machine that we do not have: a table of CPUID leaves and a table of files;
 * what is in neither does not exist.
 */
#ifndef GUESTSYNC_TESTS_FAKE_MACHINE_H
#define GUESTSYNC_TESTS_FAKE_MACHINE_H

#include "detect/facts.h"
#include "tests/unit/support.h"

#define LEAVES_MAX 16
#define FILES_MAX 32
#define HYPERVISOR_BIT (1u << 31)

struct fake_leaf {
	uint32_t leaf;
	struct gsync_cpuid regs;
};

struct fake_file {
	const char *path;
	const char *content; /* NULL = a directory */
	size_t size;
};

struct fake {
	struct gsync_source source;
	bool x86;
	struct fake_leaf leaves[LEAVES_MAX];
	int leaf_count;
	struct fake_file files[FILES_MAX];
	int file_count;
	int error; /* of reading a file that is not there */
	int online, affinity;
	int leaf_calls; /* how often CPUID was asked for */
};

static inline bool fake_cpuid(void *context, uint32_t leaf, uint32_t subleaf, struct gsync_cpuid *out)
{
	struct fake *fake = context;
	int i;

	(void)subleaf;
	if (!fake->x86)
		return false;
	fake->leaf_calls++;
	memset(out, 0, sizeof(*out));
	for (i = 0; i < fake->leaf_count; i++)
		if (fake->leaves[i].leaf == leaf)
			*out = fake->leaves[i].regs;
	return true;
}

static inline ssize_t fake_read_file(void *context, const char *path, char *buffer, size_t size)
{
	struct fake *fake = context;
	int i;

	/* The latest first, so that a test can replace a file. */
	for (i = fake->file_count - 1; i >= 0; i--) {
		const struct fake_file *file = &fake->files[i];
		size_t length = file->size < size - 1 ? file->size : size - 1;

		if (strcmp(file->path, path) != 0)
			continue;
		if (!file->content)
			return -EISDIR;
		memcpy(buffer, file->content, length);
		buffer[length] = '\0';
		return (ssize_t)length;
	}
	return -fake->error;
}

static inline int fake_online(void *context)
{
	return ((struct fake *)context)->online;
}

static inline int fake_affinity(void *context)
{
	return ((struct fake *)context)->affinity;
}

static inline void fake_init(struct fake *fake)
{
	memset(fake, 0, sizeof(*fake));
	fake->source = (struct gsync_source){
		.context = fake,
		.cpuid = fake_cpuid,
		.read_file = fake_read_file,
		.cpus_online = fake_online,
		.cpus_affinity = fake_affinity,
	};
	fake->x86 = true;
	fake->error = ENOENT;
	fake->online = 8;
	fake->affinity = 8;
}

static inline void add_leaf(struct fake *fake, uint32_t leaf, uint32_t eax, uint32_t ebx, uint32_t ecx, uint32_t edx)
{
	assert_true(fake->leaf_count < LEAVES_MAX);
	fake->leaves[fake->leaf_count++] = (struct fake_leaf){ leaf, { eax, ebx, ecx, edx } };
}

static inline void add_bytes(struct fake *fake, const char *path, const char *content, size_t size)
{
	assert_true(fake->file_count < FILES_MAX);
	fake->files[fake->file_count++] = (struct fake_file){ path, content, size };
}

static inline void add_file(struct fake *fake, const char *path, const char *content)
{
	add_bytes(fake, path, content, strlen(content));
}

static inline void add_directory(struct fake *fake, const char *path)
{
	add_bytes(fake, path, NULL, 0);
}

static inline void add_signature(struct fake *fake, uint32_t leaf, uint32_t max_leaf, const char bytes[12])
{
	uint32_t regs[3];

	memcpy(regs, bytes, sizeof(regs));
	add_leaf(fake, leaf, max_leaf, regs[0], regs[1], regs[2]);
}

/* An x86 guest that says so. */
static inline void guest_init(struct fake *fake)
{
	fake_init(fake);
	add_leaf(fake, 0, 0x16, 0x756e6547, 0x6c65746e, 0x49656e69); /* GenuineIntel */
	add_leaf(fake, 1, 0, 0, HYPERVISOR_BIT, 0);
}

#endif
