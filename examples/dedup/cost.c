/* SPDX-License-Identifier: MIT */
/*
 * futex calls are counted by the kernel, at its tracepoint, without a stop at
 * each. Reading a tracepoint's number takes root, or a tracefs that was opened to
 * others; without it the switches are what shows how often threads slept.
 */
#include "cost.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int futex_counter = -1;

static void not_known(struct cost_count *count, const char *what, int reason)
{
	count->known = false;
	snprintf(count->why_not, sizeof(count->why_not), "%s: %s", what, strerror(reason));
}

/* ---- futex calls */

/* Or -1 with errno: that of the newer place, which every kernel has that has tracepoints. */
static long tracepoint_number(void)
{
	static const char *const paths[] = {
		"/sys/kernel/tracing/events/syscalls/sys_enter_futex/id",
		"/sys/kernel/debug/tracing/events/syscalls/sys_enter_futex/id",
	};
	long number = -1;
	int reason = 0;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]) && number < 0; i++) {
		FILE *file = fopen(paths[i], "re");

		if (file == NULL) {
			reason = reason != 0 ? reason : errno;
			continue;
		}
		if (fscanf(file, "%ld", &number) != 1)
			number = -1;
		fclose(file);
	}
	errno = reason;
	return number;
}

static void futex_begin(struct cost_count *count)
{
	struct perf_event_attr attributes = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attributes),
		.inherit = 1, /* threads that are started later */
	};
	long number = tracepoint_number();

	count->known = number >= 0;
	if (!count->known) {
		not_known(count, "the kernel's tracepoints", errno);
		return;
	}
	attributes.config = (uint64_t)number;
	futex_counter = (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (futex_counter < 0)
		not_known(count, "perf_event_open", errno);
}

static void futex_end(struct cost_count *count)
{
	if (!count->known)
		return;
	if (read(futex_counter, &count->value, sizeof(count->value)) != (ssize_t)sizeof(count->value))
		not_known(count, "the count", errno);
	close(futex_counter);
}

/* ---- TLB shootdowns */

/* The sum over all CPUs of the line that begins "TLB:", on x86; other machines do it without interrupts. */
static bool shootdowns(uint64_t *sum)
{
	FILE *file = fopen("/proc/interrupts", "re");
	char *line = NULL;
	size_t room = 0;
	bool found = false;

	errno = ENOENT;
	while (file != NULL && !found && getline(&line, &room, file) > 0) {
		char *at = strstr(line, "TLB:");
		char *end;

		found = at != NULL;
		*sum = 0;
		for (at = found ? at + 4 : NULL; at != NULL; at = end) {
			*sum += strtoull(at, &end, 10);
			if (end == at)
				break;
		}
	}
	free(line);
	if (file != NULL)
		fclose(file);
	return found;
}

/* ---- all together */

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double seconds_of(const struct timeval *time)
{
	return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

/* The process's use so far, times SIGN, added to COST. */
static void add_usage(struct cost *cost, int sign)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	cost->wall_s += sign * seconds();
	cost->user_s += sign * seconds_of(&usage.ru_utime);
	cost->system_s += sign * seconds_of(&usage.ru_stime);
	cost->voluntary_switches += (uint64_t)(sign * usage.ru_nvcsw);
	cost->involuntary_switches += (uint64_t)(sign * usage.ru_nivcsw);
}

void cost_begin(struct cost *cost)
{
	*cost = (struct cost){ 0 };
	futex_begin(&cost->futex_calls);
	cost->tlb_shootdowns.known = shootdowns(&cost->tlb_shootdowns.value);
	if (!cost->tlb_shootdowns.known)
		not_known(&cost->tlb_shootdowns, "a TLB line in /proc/interrupts", errno);
	add_usage(cost, -1);
}

void cost_end(struct cost *cost)
{
	uint64_t now;

	add_usage(cost, 1);
	futex_end(&cost->futex_calls);
	if (cost->tlb_shootdowns.known && shootdowns(&now))
		cost->tlb_shootdowns.value = now - cost->tlb_shootdowns.value;
}

static void print_count(FILE *out, const char *name, const struct cost_count *count)
{
	if (count->known)
		fprintf(out, "%-22s%llu\n", name, (unsigned long long)count->value);
	else
		fprintf(out, "%-22snot counted (%s)\n", name, count->why_not);
}

void cost_print(const struct cost *cost, FILE *out)
{
	fprintf(out, "%-22s%.3f s\n", "wall time", cost->wall_s);
	fprintf(out, "%-22s%.3f s (user %.3f, system %.3f)\n", "CPU time", cost->user_s + cost->system_s, cost->user_s,
		cost->system_s);
	fprintf(out, "%-22s%llu\n", "voluntary switches", (unsigned long long)cost->voluntary_switches);
	fprintf(out, "%-22s%llu\n", "involuntary switches", (unsigned long long)cost->involuntary_switches);
	print_count(out, "futex calls", &cost->futex_calls);
	print_count(out, "TLB shootdowns (all)", &cost->tlb_shootdowns);
}
