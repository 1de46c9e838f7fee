/* SPDX-License-Identifier: MIT */
#include "bench/body.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/burn.h"
#include "bench/forkjoin.h"
#include "detect/clock.h"

#define INDICES 1000u
#define SUM_BYTES ((size_t)64 << 20)
#define SLEEP_NS 1000000u
#define PATIENCE_NS 1000000000u /* at a rendezvous that somebody does not come to */
#define SPIN_NS 50000u

const char *const bench_body_names[BENCH_BODIES] = {
	"empty", "rendezvous", "tiny", "us", "skew", "sum", "cold", "sparse",
};

static void do_nothing(void *context, size_t begin, size_t end)
{
	(void)context;
	for (size_t i = begin; i < end; i++)
		__asm__ __volatile__("" ::: "memory"); /* or there would be no loop */
}

/* Spins, then lets others run: with more threads than CPUs those that it waits for need one. */
static void meet(void *context, size_t begin, size_t end)
{
	struct bench_region *region = context;
	uint32_t mine = __atomic_add_fetch(&region->arrived, 1u, __ATOMIC_ACQ_REL);
	uint32_t goal = (mine + region->threads - 1) / region->threads * region->threads;
	uint64_t began = 0;

	if (end - begin != 1)
		__atomic_fetch_add(&region->errors, 1u, __ATOMIC_RELAXED);
	for (uint32_t looks = 1; (int32_t)(__atomic_load_n(&region->arrived, __ATOMIC_ACQUIRE) - goal) < 0; looks++) {
		gsync_pause();
		if (looks % 64 != 0)
			continue;
		began = began != 0 ? began : gsync_monotonic_ns();
		if (gsync_monotonic_ns() - began > PATIENCE_NS) {
			__atomic_fetch_add(&region->errors, 1u, __ATOMIC_RELAXED);
			return;
		}
		if (gsync_monotonic_ns() - began > SPIN_NS)
			sched_yield();
	}
}

static void work_one_us(void *context, size_t begin, size_t end)
{
	const struct bench_region *region = context;

	for (size_t i = begin; i < end; i++)
		bench_burn(region->us_steps, i);
}

static void work_unequally(void *context, size_t begin, size_t end)
{
	const struct bench_region *region = context;

	for (size_t i = begin; i < end; i++)
		bench_burn(2 * region->us_steps * i / INDICES, i);
}

static void work_50_us(void *context, size_t begin, size_t end)
{
	const struct bench_region *region = context;

	for (size_t i = begin; i < end; i++)
		bench_burn(50 * region->us_steps, i);
}

static void sum_up(void *context, size_t begin, size_t end)
{
	struct bench_region *region = context;
	const uint64_t *values = region->values;
	uint64_t sum = 0;

	for (size_t i = begin; i < end; i++)
		sum += values[i];
	__atomic_fetch_add(&region->sum, sum, __ATOMIC_RELAXED);
}

static const struct {
	bench_range_fn *run;
	size_t count; /* 0 = as many as threads */
	bool sleeps;
} bodies[BENCH_BODIES] = {
	[BENCH_BODY_EMPTY] = { do_nothing, 0, false },
	[BENCH_BODY_RENDEZVOUS] = { meet, 0, false },
	[BENCH_BODY_TINY] = { do_nothing, INDICES, false },
	[BENCH_BODY_US] = { work_one_us, INDICES, false },
	[BENCH_BODY_SKEW] = { work_unequally, INDICES, false },
	[BENCH_BODY_SUM] = { sum_up, SUM_BYTES / sizeof(uint64_t), false },
	[BENCH_BODY_COLD] = { work_50_us, 2, true },
	[BENCH_BODY_SPARSE] = { do_nothing, 0, true },
};

static int make_values(struct bench_region *region)
{
	uint64_t *values = malloc(SUM_BYTES);

	if (values == NULL)
		return ENOMEM;
	region->values = values;
	region->value_count = bodies[BENCH_BODY_SUM].count;
	for (size_t i = 0; i < region->value_count; i++) {
		values[i] = i * 2654435761u;
		region->expected += values[i];
	}
	return 0;
}

int bench_region_make(struct bench_region *region, enum bench_body body, unsigned threads)
{
	*region = (struct bench_region){ .body = body, .threads = threads, .us_steps = bench_burn_steps(1000) };
	return body == BENCH_BODY_SUM ? make_values(region) : 0;
}

static void mark(void *marks, size_t begin, size_t end)
{
	for (size_t i = begin; i < end; i++)
		__atomic_fetch_add(&((uint32_t *)marks)[i], 1u, __ATOMIC_RELAXED);
}

bool bench_region_is_complete(const struct bench_runtime *runtime, unsigned threads)
{
	size_t counts[] = { 1, threads, INDICES + 1 };
	uint32_t *marks = malloc((INDICES + 1 + threads) * sizeof(marks[0]));
	bool complete = marks != NULL;

	for (size_t k = 0; complete && k < sizeof(counts) / sizeof(counts[0]); k++) {
		memset(marks, 0, (INDICES + 1 + threads) * sizeof(marks[0]));
		runtime->loop(counts[k], mark, marks, false);
		for (size_t i = 0; i < INDICES + 1 + threads; i++)
			complete = complete && marks[i] == (i < counts[k]);
	}
	free(marks);
	return complete;
}

uint64_t bench_region_run(struct bench_region *region, const struct bench_runtime *runtime)
{
	const enum bench_body body = region->body;
	size_t count = bodies[body].count > 0 ? bodies[body].count : region->threads;
	uint64_t before, after;

	if (bodies[body].sleeps) {
		struct timespec moment = gsync_timespec(SLEEP_NS);

		clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL);
	}
	region->sum = 0;
	before = gsync_ticks();
	runtime->loop(count, bodies[body].run, region, body == BENCH_BODY_RENDEZVOUS);
	after = gsync_ticks();
	if (body == BENCH_BODY_SUM && region->sum != region->expected)
		region->errors++;
	return after > before ? after - before : 0;
}
