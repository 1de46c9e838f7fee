/* SPDX-License-Identifier: MIT */
#include "tests/rooms/filter.h"

#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALLS_MOST 64

/* The numbers of CALLS; -1 when there are too many, or one that nobody knows. */
static int parse(const char *calls, int numbers[CALLS_MOST])
{
	char names[1024], *rest = names, *name;
	int count = 0;

	snprintf(names, sizeof(names), "%s", calls);
	while ((name = strsep(&rest, ","))) {
		int number = seccomp_syscall_resolve_name(name);

		if (number == __NR_SCMP_ERROR || count == CALLS_MOST)
			return -1;
		if (number >= 0) /* below: it is a call of other machines */
			numbers[count++] = number;
	}
	return count;
}

static bool load(const int *numbers, int count, int error)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	bool loaded = filter != NULL;

	for (int i = 0; loaded && i < count; i++)
		loaded = seccomp_rule_add(filter, error == FILTER_KILLS ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO((unsigned)error),
					  numbers[i], 0) == 0;
	loaded = loaded && seccomp_load(filter) == 0;
	seccomp_release(filter);
	return loaded;
}

static bool kills(int number)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		syscall(number, -1L, -1L, -1L, -1L, -1L, -1L);
		_exit(0);
	}
	return waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

enum filter filter_calls(const char *calls, int error)
{
	int numbers[CALLS_MOST];
	int count = parse(calls, numbers);

	if (count < 0 || !load(numbers, count, error))
		return FILTER_CANNOT;
	for (int i = 0; i < count; i++) {
		errno = 0;
		if (error == FILTER_KILLS ? !kills(numbers[i]) :
					    syscall(numbers[i], -1L, -1L, -1L, -1L, -1L, -1L) != -1 || errno != error)
			return FILTER_LEAKS;
	}
	return FILTER_HOLDS;
}
