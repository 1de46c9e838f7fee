/* SPDX-License-Identifier: MIT */
/*
 * A mask belongs to a thread, not to a process, and programs that care about
 * speed pin their threads to one CPU each. So we ask for all threads, and stop
 * as soon as nothing can be added, which for most programs is after the first.
 */
#include "detect/affinity.h"

#include "detect/manners.h"
#include "detect/text.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define THREADS_ASKED_MAX 512 /* a process with more has hardly pinned the rest elsewhere */

/* Adds what thread TID may use (0: the caller); returns how many CPUs there are in OUT now. */
static int add_thread(struct gsync_cpu_mask *out, pid_t tid)
{
	struct gsync_cpu_mask mask = { { 0 } };
	int count = 0;

	if (sched_getaffinity(tid, sizeof(mask), (cpu_set_t *)(void *)&mask) != 0)
		memset(&mask, 0, sizeof(mask));
	for (size_t i = 0; i < sizeof(mask.bits) / sizeof(mask.bits[0]); i++) {
		out->bits[i] |= mask.bits[i];
		count += __builtin_popcountl(out->bits[i]);
	}
	return count;
}

/* 0 for what is no number: "." and "..". */
static pid_t parse_tid(const char *name)
{
	uint64_t tid;

	return gsync_text_is_number(name, &tid) && tid <= INT_MAX ? (pid_t)tid : 0;
}

/* Not opendir: that allocates. */
static int add_all_threads(struct gsync_cpu_mask *out, int count, int online)
{
	int fd = open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_Alignas(struct dirent64) char buffer[2048];
	int asked = 0;
	long length;

	if (fd < 0)
		return count;
	while ((length = syscall(SYS_getdents64, fd, buffer, sizeof(buffer))) > 0 && asked < THREADS_ASKED_MAX) {
		const struct dirent64 *entry;

		for (long at = 0; at < length && count != online; at += entry->d_reclen) {
			pid_t tid;

			entry = (const void *)(buffer + at);
			tid = parse_tid(entry->d_name);
			if (tid != 0 && ++asked <= THREADS_ASKED_MAX)
				count = add_thread(out, tid);
		}
	}
	close(fd);
	return count;
}

int gsync_affinity_read(struct gsync_cpu_mask *out, int online)
{
	struct gsync_manners manners = gsync_manners_keep();
	int count;

	memset(out, 0, sizeof(*out));
	count = add_thread(out, 0);
	if (count > 0 && count != online)
		count = add_all_threads(out, count, online);
	gsync_manners_give_back(&manners);
	return count;
}
