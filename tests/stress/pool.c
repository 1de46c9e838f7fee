/* SPDX-License-Identifier: MIT */
/*
 * The pool under everything at once: threads submit, spawn, nest, cancel and run
 * loops, all at random, while the number of CPUs changes, and pools are shut down
 * under their hands or left to be destroyed. Nothing may be lost, run twice, or
 * hang; and at the end each of these things must have happened.
 *
 *     stress_pool [SECONDS [SEED]]
 */
#include "tests/unit/support.h"

#include <guestsync/parallel.h>
#include <guestsync/profile.h>

#define GUESTS 3
#define COUNT 500
#define DEPTH 4
#define TIMES_MOST 10

static gsync_pool_t *pool;
static struct timespec deadline;
static uint64_t seed;
static uint64_t submitted, ran, dropped;

/* What has happened, of what is meant to. */
enum event {
	SUBMITTED,
	FULL, /* a bounded queue sent a task away */
	NESTED, /* a group within a task */
	ISOLATED,
	LOOPED, /* within a task */
	CANCELLED,
	DROPPED_OF_GROUP,
	RESIZED,
	TURNED_AWAY, /* by a pool that was shut down meanwhile */
	EVENTS,
};

static const char *const event_names[EVENTS] = {
	"submissions", "full queues", "nested groups", "isolated waits", "loops in tasks",
	"cancelled groups", "dropped tasks of groups", "changes of size", "refusals by a closed pool",
};

static uint64_t events[EVENTS];

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

static void note(enum event event)
{
	count(&events[event]);
}

static void count_run(void *argument)
{
	(void)argument;
	count(&ran);
}

static void act(int depth, bool inside);

static void mark(void *marks, size_t begin, size_t end)
{
	for (size_t i = begin; i < end; i++)
		__atomic_fetch_add((uint8_t *)marks + i, 1u, __ATOMIC_RELAXED);
	if (draw(20) == 0)
		act(1, true);
}

static void run_loop(bool inside)
{
	gsync_loop_options_t options = { draw(8), draw(2) };
	size_t length = draw(COUNT);
	uint8_t marks[COUNT] = { 0 };

	if (inside)
		note(LOOPED);
	if (gsync_parallel_for(pool, length, mark, marks, &options) != 0)
		die("a loop failed");
	for (size_t i = 0; i < COUNT; i++)
		if (marks[i] != (i < length))
			die("a loop lost an index or ran it twice");
}

struct bunch {
	gsync_group_t group;
	int depth;
	bool cancel; /* by one of its tasks */
	uint32_t runs, drops;
};

static void be_leaf(void *argument)
{
	struct bunch *bunch = argument;

	if (__atomic_fetch_add(&bunch->runs, 1u, __ATOMIC_RELAXED) == 2 && bunch->cancel)
		gsync_group_cancel(&bunch->group);
	if (draw(4) == 0)
		act(bunch->depth - 1, true);
}

static void count_drop(gsync_task_fn *run, void *argument)
{
	if (run == count_run)
		count(&dropped);
	else
		__atomic_fetch_add(&((struct bunch *)argument)->drops, 1u, __ATOMIC_RELAXED);
}

static void check_bunch(const struct bunch *bunch, int result, uint32_t spawned)
{
	if (result != 0 && result != ECANCELED)
		die("a wait failed");
	if (bunch->runs + bunch->drops != spawned)
		die("a group lost a task or ran it twice");
	if (result == 0 && bunch->drops != 0)
		die("a task was dropped, and the group not cancelled");
	if (bunch->drops != 0)
		note(DROPPED_OF_GROUP);
	if (result == ECANCELED)
		note(CANCELLED);
}

static void run_group(int depth, bool inside)
{
	struct bunch bunch = { .depth = depth, .cancel = draw(8) == 0 };
	bool cancel = draw(8) == 0, isolated = draw(4) == 0;
	uint32_t spawned = 0, tasks = draw(20);

	if (inside)
		note(NESTED);
	if (isolated)
		note(ISOLATED);
	gsync_group_init(&bunch.group, pool, isolated ? GSYNC_GROUP_ISOLATED : 0);
	for (uint32_t i = 0; i < tasks; i++) {
		if (cancel && i == tasks / 2)
			gsync_group_cancel(&bunch.group);
		spawned += gsync_group_spawn(&bunch.group, be_leaf, &bunch) == 0;
	}
	check_bunch(&bunch, gsync_group_wait(&bunch.group), spawned);
}

static void submit(void)
{
	int result = draw(2) ? gsync_pool_submit(pool, count_run, &ran) : gsync_pool_try_submit(pool, count_run, &ran);

	note(result == 0 ? SUBMITTED : result == EAGAIN ? FULL : TURNED_AWAY);
	if (result == 0)
		count(&submitted);
	else if (result != EAGAIN && result != ESHUTDOWN)
		die("a submission failed");
}

/* INSIDE a task or a loop. */
static void act(int depth, bool inside)
{
	if (depth <= 0)
		return;
	switch (draw(3)) {
	case 0:
		run_loop(inside);
		break;
	case 1:
		run_group(depth, inside);
		break;
	default:
		submit();
	}
}

static void *be_guest(void *argument)
{
	for (int i = 0; i < 300 && !test_has_passed(&deadline); i++) {
		act(DEPTH, false);
		if (draw(50) == 0)
			test_sleep_ms(1);
	}
	return argument;
}

static void resize(void)
{
	if (gsync_profile_set("usable_cpus", 1 + draw(6)) != 0)
		die("the number of CPUs could not be set");
	note(RESIZED);
}

static void shut_down(void)
{
	if (gsync_pool_shutdown(pool, draw(2) ? GSYNC_POOL_DROP : GSYNC_POOL_DRAIN) != 0)
		die("a shutdown failed");
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
	if (draw(2))
		shut_down(); /* while the guests are at it */
	for (int i = 0; i < GUESTS; i++)
		test_join(guests[i]);
	if (draw(2))
		shut_down();
	if (gsync_pool_destroy(pool) != 0)
		die("a pool could not be destroyed");
	if (ran + dropped != submitted)
		die("a submitted task was lost, or ran twice");
}

static bool has_all_happened(void)
{
	for (int i = 0; i < EVENTS; i++)
		if (events[i] == 0)
			return false;
	return true;
}

int main(int argc, char **argv)
{
	long seconds = argc > 1 ? atol(argv[1]) : 5;
	unsigned lives = 0;

	seed = argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)time(NULL);
	gsync_profile_set("share_ns", 0); /* or little would be shared */
	gsync_profile_set("range_ns", 500);
	/* On a machine that is busy elsewhere the time may be over before anything has happened. */
	for (int times = 0; times == 0 || (times < TIMES_MOST && !has_all_happened()); times++)
		for (deadline = test_deadline(seconds * 1000); !test_has_passed(&deadline); lives++)
			live();
	printf("stress_pool: %u pools, seed %llu\n", lives, (unsigned long long)seed);
	for (int i = 0; i < EVENTS; i++) {
		printf("%12llu %s\n", (unsigned long long)events[i], event_names[i]);
		if (events[i] == 0)
			die("that has not happened at all");
	}
	return 0;
}
