/* SPDX-License-Identifier: MIT */
/*
 * The pool under everything at once: guests submit, spawn, nest, cancel and run
 * loops, all at random, while the number of CPUs changes, and pools are shut down
 * under their hands or left to be destroyed. Nothing may be lost, run twice, or
 * hang. Actor 0 is the host, who makes one pool after the other.
 *
 * Few waits for a group sleep, since a waiter takes tasks as long as there are any;
 * so some tasks take long. And who has slept through its group's wake-up is up again
 * within milliseconds where there is so much else to wake it: calls for all kinds of
 * work, other groups on the same channel, the end of the pool. So at times a guest
 * calls for a lull: when the others' turns are over, it has the pool for itself, and
 * nothing happens in it but what it waits for.
 */
#include <errno.h>

#include <guestsync/parallel.h>
#include <guestsync/profile.h>

#include "cli/torture.h"

#define GUESTS 3u
#define TURNS 300
#define COUNT 500
#define DEPTH 4
#define SPAWNED_MOST 40u
#define LEAVES_PER_LINGER 16u
#define TURNS_PER_LULL 16u
#define ALONE_MOST 8u
#define LULL_LOOK_NS 50000u
#define CPUS_MOST 6u

static gsync_pool_t *pool;
static uint64_t submitted, ran, dropped;

/* Which life this is, from 1; and how many guests have left it. */
static uint64_t life;
static uint32_t left;
static uint32_t closed; /* there will be no other */

static uint32_t lull; /* a guest is alone, or is to be */
static uint32_t busy; /* guests in their turns */

static void count(uint64_t *counter)
{
	__atomic_fetch_add(counter, 1u, __ATOMIC_RELAXED);
}

static void count_run(void *argument)
{
	(void)argument;
	count(&ran);
}

static void act(int depth, bool inside);

struct loop {
	uint8_t marks[COUNT];
	int depth;
};

/* Called up to COUNT times, where it is slow, so what it begins must be a good deal less deep. */
static void mark(void *context, size_t begin, size_t end)
{
	struct loop *loop = context;

	for (size_t i = begin; i < end; i++)
		__atomic_fetch_add(&loop->marks[i], 1u, __ATOMIC_RELAXED);
	if (torture_draw(20) == 0)
		act(loop->depth / 2, true);
}

static void run_loop(int depth, bool inside)
{
	gsync_loop_options_t options = { torture_draw(8), torture_draw(2) };
	size_t length = torture_draw(COUNT);
	struct loop loop = { .depth = depth };
	struct torture_place outer;

	if (inside)
		torture_note(TORTURE_LOOPED);
	outer = torture_enter(TORTURE_LOOPS, pool);
	if (gsync_parallel_for(pool, length, mark, &loop, &options) != 0)
		torture_fail("a loop failed");
	torture_leave(outer);
	for (size_t i = 0; i < COUNT; i++)
		if (loop.marks[i] != (i < length))
			torture_fail("a loop lost an index or ran it twice");
}

struct bunch {
	gsync_group_t group;
	int depth;
	bool cancel; /* by one of its tasks */
	uint32_t spawned, runs, drops;
};

static void be_leaf(void *argument);

static void spawn(struct bunch *bunch)
{
	struct torture_place outer = torture_enter(TORTURE_SPAWNS, &bunch->group);

	if (gsync_group_spawn(&bunch->group, be_leaf, bunch) == 0)
		__atomic_fetch_add(&bunch->spawned, 1u, __ATOMIC_RELAXED);
	torture_leave(outer);
}

static void be_leaf(void *argument)
{
	struct bunch *bunch = argument;

	if (__atomic_fetch_add(&bunch->runs, 1u, __ATOMIC_RELAXED) == 2 && bunch->cancel)
		gsync_group_cancel(&bunch->group);
	if (torture_draw(LEAVES_PER_LINGER) == 0)
		torture_linger();
	if (torture_draw(4) == 0)
		act(bunch->depth - 1, true);
	if (torture_draw(4) == 0 && __atomic_load_n(&bunch->spawned, __ATOMIC_RELAXED) < SPAWNED_MOST)
		spawn(bunch);
}

static void count_drop(gsync_task_fn *run, void *argument)
{
	if (run == count_run)
		count(&dropped);
	else
		__atomic_fetch_add(&((struct bunch *)argument)->drops, 1u, __ATOMIC_RELAXED);
}

static void check_bunch(const struct bunch *bunch, int result)
{
	if (result != 0 && result != ECANCELED)
		torture_fail("a wait failed");
	if (bunch->runs + bunch->drops != bunch->spawned)
		torture_fail("a group lost a task or ran it twice");
	if (result == 0 && bunch->drops != 0)
		torture_fail("a task was dropped, and the group not cancelled");
	if (bunch->drops != 0)
		torture_note(TORTURE_DROPPED);
	if (result == ECANCELED)
		torture_note(TORTURE_CANCELLED);
}

static void run_group(int depth, bool inside)
{
	struct bunch bunch = { .depth = depth, .cancel = torture_draw(8) == 0 };
	bool cancel = torture_draw(8) == 0, isolated = torture_draw(4) == 0;
	uint32_t tasks = torture_draw(20);
	struct torture_place outer;
	int result;

	if (inside)
		torture_note(TORTURE_NESTED);
	if (isolated)
		torture_note(TORTURE_ISOLATED);
	gsync_group_init(&bunch.group, pool, isolated ? GSYNC_GROUP_ISOLATED : 0);
	for (uint32_t i = 0; i < tasks; i++) {
		if (cancel && i == tasks / 2)
			gsync_group_cancel(&bunch.group);
		spawn(&bunch);
	}
	outer = torture_enter(TORTURE_AWAITS_GROUP, &bunch.group);
	result = gsync_group_wait(&bunch.group);
	torture_leave(outer);
	check_bunch(&bunch, result);
}

static void submit(void)
{
	struct torture_place outer = torture_enter(TORTURE_SUBMITS, pool);
	int result = torture_draw(2) ? gsync_pool_submit(pool, count_run, &ran) :
				       gsync_pool_try_submit(pool, count_run, &ran);

	torture_leave(outer);
	torture_note(result == 0 ? TORTURE_TASKS : result == EAGAIN ? TORTURE_FULL : TORTURE_TURNED_AWAY);
	if (result == 0)
		count(&submitted);
	else if (result != EAGAIN && result != ESHUTDOWN)
		torture_fail("a submission failed");
}

/* INSIDE a task or a loop. */
static void act(int depth, bool inside)
{
	if (depth <= 0)
		return;
	switch (torture_draw(3)) {
	case 0:
		run_loop(depth, inside);
		break;
	case 1:
		run_group(depth, inside);
		break;
	default:
		submit();
	}
}

/* ---- lulls */

static void keep_lull(void)
{
	while (__atomic_load_n(&lull, __ATOMIC_ACQUIRE) != 0)
		torture_sleep(LULL_LOOK_NS);
}

static void end_turn(void)
{
	__atomic_fetch_sub(&busy, 1u, __ATOMIC_RELEASE);
}

static void begin_turn(void)
{
	for (;;) {
		/* Who wants to be alone sees this one, or it sees that there is a lull. */
		__atomic_fetch_add(&busy, 1u, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&lull, __ATOMIC_SEQ_CST) == 0)
			return;
		end_turn();
		keep_lull();
	}
}

static void be_alone(void)
{
	uint32_t none = 0;

	if (!__atomic_compare_exchange_n(&lull, &none, 1u, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		return;
	while (__atomic_load_n(&busy, __ATOMIC_SEQ_CST) != 0)
		torture_sleep(LULL_LOOK_NS);
	for (uint32_t i = 1 + torture_draw(ALONE_MOST); i > 0; i--)
		act(1, false);
	torture_note(TORTURE_LULLS);
	__atomic_store_n(&lull, 0u, __ATOMIC_RELEASE);
}

/* ---- host and guests */

static void resize(void)
{
	if (gsync_profile_set("usable_cpus", 1 + torture_draw(CPUS_MOST)) != 0)
		torture_fail("the number of CPUs could not be set");
	torture_note(TORTURE_RESIZED);
}

static void shut_down(void)
{
	struct torture_place outer;

	/* It wakes everybody. */
	keep_lull();
	outer = torture_enter(TORTURE_SHUTS_DOWN, pool);

	if (gsync_pool_shutdown(pool, torture_draw(2) ? GSYNC_POOL_DROP : GSYNC_POOL_DRAIN) != 0)
		torture_fail("a shutdown failed");
	torture_leave(outer);
}

static void destroy(void)
{
	struct torture_place outer = torture_enter(TORTURE_DESTROYS, pool);

	if (gsync_pool_destroy(pool) != 0)
		torture_fail("a pool could not be destroyed");
	torture_leave(outer);
	if (ran + dropped != submitted)
		torture_fail("%llu tasks were submitted, %llu ran and %llu were dropped", (unsigned long long)submitted,
			     (unsigned long long)ran, (unsigned long long)dropped);
	torture_note(TORTURE_POOLS);
}

/* One pool's life. */
static void live(void)
{
	gsync_pool_options_t options = { .queue_limit = torture_draw(2) ? 0 : 8, .dropped = count_drop };

	submitted = ran = dropped = 0;
	left = 0;
	gsync_profile_set("usable_cpus", CPUS_MOST);
	if (gsync_pool_create(&pool, &options) != 0)
		torture_fail("no pool");
	__atomic_fetch_add(&life, 1u, __ATOMIC_RELEASE);
	for (uint32_t i = torture_draw(20); i > 0; i--) {
		resize();
		torture_sleep(torture_draw(5) * TORTURE_MS);
	}
	if (torture_draw(2))
		shut_down(); /* while the guests are at it */
	while (__atomic_load_n(&left, __ATOMIC_ACQUIRE) != GUESTS)
		torture_sleep(TORTURE_MS);
	if (torture_draw(2))
		shut_down();
	destroy();
}

static void be_host(struct torture_actor *self)
{
	do
		live();
	while (!torture_is_over());
	__atomic_store_n(&closed, 1u, __ATOMIC_RELEASE);
	self->done = true;
}

/* One visit in each life. */
static void be_guest(struct torture_actor *self)
{
	while (__atomic_load_n(&life, __ATOMIC_ACQUIRE) == self->episode) {
		if (__atomic_load_n(&closed, __ATOMIC_ACQUIRE) != 0) {
			self->done = true;
			return;
		}
		torture_sleep(TORTURE_MS);
	}
	self->episode++;
	for (int i = 0; i < TURNS && !torture_is_over(); i++) {
		if (torture_draw(TURNS_PER_LULL) == 0)
			be_alone();
		begin_turn();
		act(DEPTH, false);
		end_turn();
		if (torture_draw(50) == 0)
			torture_sleep(TORTURE_MS);
	}
	__atomic_fetch_add(&left, 1u, __ATOMIC_ACQ_REL);
}

static void play(struct torture_actor *self)
{
	if (self->index == 0)
		be_host(self);
	else
		be_guest(self);
}

static bool suits(const struct torture_subject *subject)
{
	return subject->lock == NULL && subject->barrier == NULL;
}

/* Or little would be shared. */
static void prepare(struct torture_board *board)
{
	(void)board;
	gsync_profile_set("share_ns", 0);
	gsync_profile_set("range_ns", 500);
}

const struct torture_act torture_pool = {
	.name = "pool",
	.cast = 1 + GUESTS,
	.suits = suits,
	.prepare = prepare,
	.play = play,
};
