/* SPDX-License-Identifier: MIT */
/*
 * Who else wants the CPUs, and how often we had to do without.
 *
 * Each source sees another cause. Steal: the host ran somebody else. Run-queue
 * wait: another thread of this machine had our CPU. Throttling: the cgroup's
 * quota was spent. Runnable threads and pressure tell how crowded it is right
 * now. All but those two are counters, of which only the growth between two
 * readings says something about the present.
 *
 * Every function can be called alone, from a lock's slow path: it allocates
 * nothing, keeps errno, and needs some 2 KB of stack; for throttling 8 KB more,
 * unless the source has scratch. The kernel's own price for
 * /proc/stat grows with the number of CPUs, that of throttling with the depth
 * of the cgroup.
 */
#include "detect/cgroup.h"
#include "detect/text.h"

#define NS_PER_US 1000u

bool gsync_cpu_fields_parse(const char *at, uint64_t ticks[GSYNC_CPU_FIELDS])
{
	int field;

	for (field = 0; field < GSYNC_CPU_FIELDS; field++)
		if (!gsync_text_number(&at, &ticks[field]))
			return false;
	return true;
}

void gsync_steal_read(const struct gsync_source *source, struct gsync_load *out)
{
	char line[512];
	uint64_t ticks[GSYNC_CPU_FIELDS];
	uint64_t all = 0;
	int field;

	out->steal_ticks = GSYNC_UNKNOWN;
	out->all_ticks = GSYNC_UNKNOWN;
	if (!gsync_text_read_line(source, "/proc/stat", line, sizeof(line)) || !gsync_text_starts(line, "cpu "))
		return;
	if (!gsync_cpu_fields_parse(line + strlen("cpu "), ticks))
		return;
	for (field = 0; field < GSYNC_CPU_FIELDS; field++)
		all += ticks[field];
	if (all == 0)
		return;
	out->steal_ticks = ticks[GSYNC_CPU_STEAL];
	out->all_ticks = all;
}

void gsync_run_queue_read(const struct gsync_source *source, struct gsync_load *out)
{
	char line[96];
	const char *at = line;
	uint64_t on_cpu, wait, timeslices;

	out->on_cpu_ns = GSYNC_UNKNOWN;
	out->run_queue_wait_ns = GSYNC_UNKNOWN;
	out->timeslices = GSYNC_UNKNOWN;
	gsync_text_read_line(source, "/proc/thread-self/schedstat", line, sizeof(line));
	if (!gsync_text_number(&at, &on_cpu) || !gsync_text_number(&at, &wait) || !gsync_text_number(&at, &timeslices))
		return;
	/* A thread that reads this was given the CPU at least once: the kernel does not count. */
	if (timeslices == 0)
		return;
	out->on_cpu_ns = on_cpu;
	out->run_queue_wait_ns = wait;
	out->timeslices = timeslices;
}

/* "0.20 0.18 0.12 RUNNABLE/ALL LAST_PID" */
void gsync_runnable_read(const struct gsync_source *source, struct gsync_load *out)
{
	char line[96];
	const char *at = line;
	uint64_t runnable;
	int i;

	out->runnable = GSYNC_UNKNOWN;
	gsync_text_read_line(source, "/proc/loadavg", line, sizeof(line));
	for (i = 0; i < 3; i++) {
		at += strspn(at, " ");
		at += strspn(at, "0123456789.");
	}
	if (*at == ' ' && gsync_text_number(&at, &runnable) && *at == '/')
		out->runnable = runnable;
}

/* "63.32"; anything above 100 is no share. */
static bool parse_percent(const char **at, double *out)
{
	uint64_t whole, hundredths;
	const char *point;

	if (!gsync_text_number(at, &whole) || **at != '.')
		return false;
	point = ++*at;
	if (!gsync_text_number(at, &hundredths) || *at != point + 2)
		return false;
	*out = (double)whole + (double)hundredths / 100;
	return *out <= 100;
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0" */
void gsync_pressure_read(const struct gsync_source *source, struct gsync_load *out)
{
	static const char begin[] = "some avg10=";
	static const char end[] = " total=";
	const char *at, *total_at;
	char line[128];
	uint64_t total;
	double avg10;

	out->pressure_avg10 = -1;
	out->pressure_us = GSYNC_UNKNOWN;
	gsync_text_read_line(source, "/proc/pressure/cpu", line, sizeof(line));
	total_at = strstr(line, end);
	if (!gsync_text_starts(line, begin) || !total_at)
		return;
	at = line + strlen(begin);
	total_at += strlen(end);
	if (!parse_percent(&at, &avg10) || !gsync_text_number(&total_at, &total))
		return;
	out->pressure_avg10 = avg10;
	out->pressure_us = total;
}

/* The number behind NAME, which ends with a blank, at the beginning of a line. */
static bool find_number(const char *text, const char *name, uint64_t *out)
{
	for (;;) {
		if (gsync_text_starts(text, name)) {
			text += strlen(name);
			return gsync_text_number(&text, out);
		}
		text = strchr(text, '\n');
		if (!text)
			return false;
		text++;
	}
}

/* The sum, or the most that there can be: no file makes it wrap around. */
static void add(uint64_t *sum, uint64_t value, uint64_t factor)
{
	uint64_t before = *sum == GSYNC_UNKNOWN ? 0 : *sum;
	uint64_t room = (GSYNC_COUNT_MAX - before) / factor;

	*sum = value > room ? GSYNC_COUNT_MAX : before + value * factor;
}

static bool add_throttling(const struct gsync_cgroup *group, void *context)
{
	struct gsync_load *out = context;
	uint64_t periods, throttled, time;
	char text[1024];

	if (!gsync_cgroup_read_file(group, "/cpu.stat", text, sizeof(text)))
		return false;
	/* A group without the controller has a cpu.stat, too, but without these. */
	if (!find_number(text, "nr_periods ", &periods) || !find_number(text, "nr_throttled ", &throttled) ||
	    !find_number(text, group->v2 ? "throttled_usec " : "throttled_time ", &time))
		return false;
	add(&out->periods, periods, 1);
	add(&out->throttled_periods, throttled, 1);
	add(&out->throttled_ns, time, group->v2 ? NS_PER_US : 1);
	return true;
}

void gsync_throttling_read(const struct gsync_source *source, struct gsync_load *out)
{
	out->periods = GSYNC_UNKNOWN;
	out->throttled_periods = GSYNC_UNKNOWN;
	out->throttled_ns = GSYNC_UNKNOWN;
	gsync_cgroup_walk(source, add_throttling, out);
}

void gsync_load_read(const struct gsync_source *source, struct gsync_load *out)
{
	gsync_steal_read(source, out);
	gsync_run_queue_read(source, out);
	gsync_runnable_read(source, out);
	gsync_pressure_read(source, out);
	gsync_throttling_read(source, out);
}
