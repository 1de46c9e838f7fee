/* SPDX-License-Identifier: MIT */
/*
 * The real machine as a source of facts.
 *
 * A lock's slow path comes here, on a thread whose stack may be small, in a
 * program that may be inside its own malloc: so nothing allocates, nothing goes
 * through stdio, and errno is the caller's afterwards. Nor is waiting for a
 * lock a cancellation point, which open() and read() would make it.
 */
#include "detect/affinity.h"
#include "detect/manners.h"
#include "detect/source.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

bool gsync_machine_cpuid(void *context, uint32_t leaf, uint32_t subleaf, struct gsync_cpuid *out)
{
	(void)context;
#if defined(__x86_64__) || defined(__i386__)
	if (__get_cpuid_max(0, NULL) == 0)
		return false;
	__cpuid_count(leaf, subleaf, out->eax, out->ebx, out->ecx, out->edx);
	return true;
#else
	(void)leaf;
	(void)subleaf;
	(void)out;
	return false;
#endif
}

static ssize_t read_all(int fd, char *buffer, size_t size)
{
	size_t length = 0;

	while (length < size - 1) {
		ssize_t got = read(fd, buffer + length, size - 1 - length);

		if (got == 0)
			break;
		if (got > 0)
			length += (size_t)got;
		else if (errno != EINTR)
			return -errno;
	}
	buffer[length] = '\0';
	return (ssize_t)length;
}

ssize_t gsync_machine_read_file(void *context, const char *path, char *buffer, size_t size)
{
	struct gsync_manners manners;
	ssize_t result;
	int fd;

	(void)context;
	if (size == 0)
		return -EINVAL;
	manners = gsync_manners_keep();
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0) {
		result = -errno;
	} else {
		result = read_all(fd, buffer, size);
		close(fd);
	}
	gsync_manners_give_back(&manners);
	return result;
}

int gsync_machine_cpus_online(void *context)
{
	struct gsync_manners manners = gsync_manners_keep();
	long count;

	(void)context;
	count = sysconf(_SC_NPROCESSORS_ONLN);
	gsync_manners_give_back(&manners);
	return count > 0 && count <= GSYNC_CPUS_MAX ? (int)count : 0;
}

int gsync_machine_cpus_affinity(void *context)
{
	struct gsync_cpu_mask mask;

	return gsync_affinity_read(&mask, gsync_machine_cpus_online(context));
}

static ssize_t read_nothing(void *context, const char *path, char *buffer, size_t size)
{
	(void)context;
	(void)path;
	(void)buffer;
	(void)size;
	return -EPERM;
}

static int know_nothing(void *context)
{
	(void)context;
	return 0;
}

const struct gsync_source gsync_source_quiet = {
	.cpuid = gsync_machine_cpuid,
	.read_file = read_nothing,
	.cpus_online = know_nothing,
	.cpus_affinity = know_nothing,
	.quiet = true,
};

const struct gsync_source gsync_source_machine = {
	.cpuid = gsync_machine_cpuid,
	.read_file = gsync_machine_read_file,
	.cpus_online = gsync_machine_cpus_online,
	.cpus_affinity = gsync_machine_cpus_affinity,
};
