/* SPDX-License-Identifier: MIT */
/*
 * For tests/adapt/pool: a pool that runs loops for a while, then waits for a task
 * now and then, then has nothing to do; and what it goes by, and costs, meanwhile.
 * A line of JSON every 50 ms, and one at the end. Or libgomp, which only runs the
 * loops: a thread for each CPU of its affinity, as it does by itself.
 *
 *     adapt_crew throughput|latency WORK-SECONDS IDLE-SECONDS
 *     adapt_crew libgomp WORK-SECONDS
 *
 * Ends with 77 where there is no libgomp.
 */
#include <guestsync/parallel.h>
#include <guestsync/profile.h>

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/burn.h"
#include "bench/forkjoin.h"

#define BODIES 1000u
#define BODY_NS 1000u
#define LINE_MS 50.0
#define WAITS 200u

static uint64_t steps;
static gsync_pool_t *pool;
static const struct bench_runtime *libgomp; /* or NULL */

static double ms(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static void sleep_ms(double time)
{
	struct timespec left = { (time_t)(time / 1e3), (long)((uint64_t)(time * 1e6) % 1000000000) };

	while (nanosleep(&left, &left) != 0) {
		/* a signal */
	}
}

static void burn(void *context, size_t begin, size_t end)
{
	(void)context;
	bench_burn(steps * (end - begin), begin);
}

static unsigned allowed_cpus(void)
{
	cpu_set_t cpus;

	return sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? (unsigned)CPU_COUNT(&cpus) : 1;
}

static unsigned workers(void)
{
	return libgomp ? allowed_cpus() : gsync_pool_workers(pool);
}

static void run_loop(void)
{
	if (libgomp)
		libgomp->loop(BODIES, burn, NULL, false);
	else
		gsync_parallel_for(pool, BODIES, burn, NULL, NULL);
}

static void work(double seconds)
{
	double begin = ms(CLOCK_MONOTONIC), now = begin, line = begin;

	for (unsigned long loops = 1; now < begin + seconds * 1e3; loops++) {
		run_loop();
		now = ms(CLOCK_MONOTONIC);
		if (now < line + LINE_MS)
			continue;
		printf("{\"at\": %.3f, \"workers\": %u, \"loops\": %lu}\n", ms(CLOCK_REALTIME) / 1e3, workers(), loops);
		line = now;
	}
}

static void note(void *argument)
{
	*(volatile int *)argument = 1;
}

/* CPU time of a task that is submitted and waited for, from one millisecond of nothing to the next; in us. */
static double wait_now_and_then(void)
{
	double before = ms(CLOCK_PROCESS_CPUTIME_ID);

	for (unsigned i = 0; i < WAITS; i++) {
		gsync_group_t group;
		int done = 0;

		gsync_group_init(&group, pool, 0);
		gsync_group_spawn(&group, note, &done);
		gsync_group_wait(&group);
		sleep_ms(1);
	}
	return (ms(CLOCK_PROCESS_CPUTIME_ID) - before) * 1e3 / WAITS;
}

static double idle(double seconds)
{
	double before;

	sleep_ms(20); /* until everybody sleeps */
	before = ms(CLOCK_PROCESS_CPUTIME_ID);
	sleep_ms(seconds * 1e3);
	return ms(CLOCK_PROCESS_CPUTIME_ID) - before;
}

static int be_libgomp(double seconds)
{
	struct bench_error error = { "" };

	libgomp = bench_runtime_find("omp_for");
	if (!bench_runtime_is_there(libgomp))
		return 77;
	if (libgomp->start(allowed_cpus(), &error) != 0) {
		fprintf(stderr, "adapt_crew: %s\n", error.text);
		return 1;
	}
	work(seconds);
	return 0;
}

static int be_pool(unsigned mode, double work_seconds, double idle_seconds)
{
	const gsync_pool_options_t options = { .mode = mode };
	uint64_t pool_ns = 0;
	double wait_us, idle_ms;

	if (gsync_pool_create(&pool, &options) != 0)
		return 1;
	work(work_seconds);
	wait_us = wait_now_and_then();
	idle_ms = idle(idle_seconds);
	gsync_profile_get("pool_ns", &pool_ns);
	printf("{\"workers\": %u, \"threads\": %u, \"pool_ns\": %llu, \"wait_cpu_us\": %.2f, \"idle_cpu_ms\": %.3f}\n",
	       workers(), gsync_pool_threads(pool), (unsigned long long)pool_ns, wait_us, idle_ms);
	return gsync_pool_destroy(pool);
}

int main(int argc, char **argv)
{
	const char *who = argc > 1 ? argv[1] : "";

	steps = bench_burn_steps(BODY_NS);
	if (argc == 3 && strcmp(who, "libgomp") == 0)
		return be_libgomp(atof(argv[2]));
	if (argc == 4 && strcmp(who, "throughput") == 0)
		return be_pool(GSYNC_POOL_THROUGHPUT, atof(argv[2]), atof(argv[3]));
	if (argc == 4 && strcmp(who, "latency") == 0)
		return be_pool(GSYNC_POOL_LATENCY, atof(argv[2]), atof(argv[3]));
	fputs("usage: adapt_crew throughput|latency WORK-SECONDS IDLE-SECONDS | libgomp WORK-SECONDS\n", stderr);
	return 2;
}
