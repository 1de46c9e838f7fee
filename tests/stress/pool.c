/* SPDX-License-Identifier: MIT */
/*
 * The pool under everything at once: threads submit, spawn, nest, cancel and run
 * loops, all at random, while the number of CPUs changes and pools come and go.
 * Nothing may be lost, run twice, or hang.
 *
 *     stress_pool [SECONDS [SEED]]
 */
#include "tests/unit/support.h"

#include <guestsync/parallel.h>
#include <guestsync/profile.h>

#define GUESTS 3
#define COUNT 500
#define DEPTH 4

static gsync_pool_t *pool;
static struct timespec deadline;
static uint64_t seed;
static uint64_t submitted, ran, dropped;

static void die(const char *why)
{
	fprintf(stderr, "stress_pool: %s (seed %llu)\n", why, (unsigned long long)seed);
	abort();
}

static uint32_t draw(uint32_t below)
{
	static _Thread_local uint64_t state;

	if (state == 0)
		state = seed + (uintptr_t)&state;
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33) % below;
}

static void count(uint64_t *counter)
{
	__atomic_fetch_add(counter, 1u, __ATOMIC_RELAXED);
}

static void count_run(void *argument)
{
	(void)argument;
	count(&ran);
}

static void count_drop(gsync_task_fn *run, void *argument)
{
	(void)argument;
	if (run == count_run)
		count(&dropped);
}

static void act(int depth);

static void mark(void *marks, size_t begin, size_t end)
{
	for (size_t i = begin; i < end; i++)
		__atomic_fetch_add((uint8_t *)marks + i, 1u, __ATOMIC_RELAXED);
	if (draw(20) == 0)
		act(1);
}

static void run_loop(void)
{
	gsync_loop_options_t options = { draw(8), draw(2) };
	size_t length = draw(COUNT);
	uint8_t marks[COUNT] = { 0 };

	if (gsync_parallel_for(pool, length, mark, marks, &options) != 0)
		die("a loop failed");
	for (size_t i = 0; i < COUNT; i++)
		if (marks[i] != (i < length))
			die("a loop lost an index or ran it twice");
}

struct leaf {
	int depth;
	uint32_t *runs;
};

static void be_leaf(void *argument)
{
	const struct leaf *leaf = argument;

	__atomic_fetch_add(leaf->runs, 1u, __ATOMIC_RELAXED);
	if (draw(4) == 0)
		act(leaf->depth - 1);
}

static void run_group(int depth)
{
	uint32_t runs = 0, spawned = 0, tasks = draw(20);
	struct leaf leaf = { depth, &runs };
	bool cancel = draw(8) == 0;
	gsync_group_t group;
	int result;

	gsync_group_init(&group, pool, draw(4) == 0 ? GSYNC_GROUP_ISOLATED : 0);
	for (uint32_t i = 0; i < tasks; i++) {
		if (cancel && i == tasks / 2)
			gsync_group_cancel(&group);
		spawned += gsync_group_spawn(&group, be_leaf, &leaf) == 0;
	}
	result = gsync_group_wait(&group);
	if (result != 0 && result != ECANCELED)
		die("a wait failed");
	if (result == 0 ? runs != spawned : runs > spawned)
		die("a group lost a task or ran it twice");
}

static void submit(void)
{
	int result = draw(2) ? gsync_pool_submit(pool, count_run, &ran) : gsync_pool_try_submit(pool, count_run, &ran);

	if (result == 0)
		count(&submitted);
	else if (result != EAGAIN && result != ESHUTDOWN)
		die("a submission failed");
}

static void act(int depth)
{
	if (depth <= 0)
		return;
	switch (draw(3)) {
	case 0:
		run_loop();
		break;
	case 1:
		run_group(depth);
		break;
	default:
		submit();
	}
}

static void *be_guest(void *argument)
{
	for (int i = 0; i < 300 && !test_has_passed(&deadline); i++) {
		act(DEPTH);
		if (draw(50) == 0)
			test_sleep_ms(1);
	}
	return argument;
}

static void resize(void)
{
	if (gsync_profile_set("usable_cpus", 1 + draw(6)) != 0)
		die("the number of CPUs could not be set");
}

/* One pool's life. */
static void live(void)
{
	gsync_pool_options_t options = { .queue_limit = draw(2) ? 0 : 8, .dropped = count_drop };
	pthread_t guests[GUESTS];

	submitted = ran = dropped = 0;
	gsync_profile_set("usable_cpus", 6);
	if (gsync_pool_create(&pool, &options) != 0)
		die("no pool");
	for (int i = 0; i < GUESTS; i++)
		guests[i] = test_thread(be_guest, NULL);
	for (uint32_t i = draw(20); i > 0; i--) {
		resize();
		test_sleep_ms(draw(5));
	}
	for (int i = 0; i < GUESTS; i++)
		test_join(guests[i]);
	if (draw(2) && gsync_pool_shutdown(pool, GSYNC_POOL_DROP) != 0)
		die("an immediate shutdown failed");
	if (gsync_pool_destroy(pool) != 0)
		die("a pool could not be destroyed");
	if (ran + dropped != submitted)
		die("a submitted task was lost, or ran twice");
}

int main(int argc, char **argv)
{
	unsigned lives = 0;

	seed = argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)time(NULL);
	deadline = test_deadline((argc > 1 ? atol(argv[1]) : 5) * 1000);
	gsync_profile_set("share_ns", 0); /* or little would be shared */
	gsync_profile_set("range_ns", 500);
	for (; !test_has_passed(&deadline); lives++)
		live();
	printf("stress_pool: %u pools, seed %llu\n", lives, (unsigned long long)seed);
	return 0;
}
