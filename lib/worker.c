/* SPDX-License-Identifier: MIT */
/*
 * Where the next piece of work comes from: loops that are open, because their
 * callers wait; a worker's own tasks, youngest first, while their data is still
 * in its cache; the queue; at last the oldest tasks of the others, from near
 * CPUs before far ones.
 */
#include "lib/pool.h"

#include "primitives/spin.h"
#include "primitives/tally.h"

#include <sched.h>

#define TAKEN_AT_ONCE 16u
#define QUEUE_TURN 64u /* so often the queue comes before the own tasks */

bool gsync_work_is_visible(const gsync_pool_t *pool)
{
	if (gsync_loop_is_visible(pool) || gsync_queue_has_tasks(&pool->queue))
		return true;
	for (uint32_t i = 0, count = gsync_pool_started(pool); i < count; i++)
		if (gsync_deque_has_tasks(&pool->workers[i].deque))
			return true;
	return false;
}

/* ---- taking */

static bool steal_within(gsync_pool_t *pool, uint32_t first, uint32_t cpu, uint32_t distance,
			 const gsync_group_t *group, struct gsync_task *task)
{
	for (uint32_t i = 0, count = gsync_pool_started(pool); i < count; i++) {
		struct gsync_worker *victim = &pool->workers[(first + i) % count];
		uint32_t there = __atomic_load_n(&victim->cpu, __ATOMIC_RELAXED);

		if (gsync_deque_has_tasks(&victim->deque) && gsync_near_distance(cpu, there) == distance &&
		    gsync_deque_steal(&victim->deque, group, task)) {
			gsync_count(GSYNC_KIND_POOL_, GSYNC_STOLEN);
			return true;
		}
	}
	return false;
}

static bool steal(gsync_pool_t *pool, const struct gsync_worker *worker, const gsync_group_t *group,
		  struct gsync_task *task)
{
	uint32_t farthest = gsync_near_farthest();
	uint32_t cpu = farthest > 0 ? (uint32_t)sched_getcpu() : 0;

	for (uint32_t distance = 0; distance <= farthest; distance++)
		if (steal_within(pool, worker ? worker->index + 1 : 0, cpu, distance, group, task))
			return true;
	return false;
}

/* What the worker does not run itself at once becomes its own, the oldest on top. */
static bool take_from_queue(gsync_pool_t *pool, struct gsync_worker *worker, struct gsync_task *task)
{
	struct gsync_task tasks[TAKEN_AT_ONCE];
	bool alone = !worker || gsync_deque_has_tasks(&worker->deque);
	size_t taken = gsync_queue_take(&pool->queue, tasks, alone ? 1 : TAKEN_AT_ONCE, gsync_pool_started(pool) + 1);

	if (taken == 0)
		return false;
	*task = tasks[0];
	while (--taken > 0)
		gsync_deque_push(&worker->deque, &tasks[taken]);
	return true;
}

/*
 * Puts a task where all can take it. One that waits for its group, and for nothing
 * else, may have looked for it in vain, because it lay below another, and sleep.
 */
static bool lay_open(gsync_pool_t *pool, const struct gsync_task *task)
{
	bool isolated = task->group && (task->group->flags & GSYNC_GROUP_ISOLATED) != 0;

	if (gsync_queue_put(&pool->queue, task, false, true) != 0)
		return false;
	/* By the address: the group may be over. */
	if (isolated)
		gsync_crew_wake_group(pool, task->group);
	return true;
}

/*
 * Takes a task of the group from below TASK, which was on top, and others that have
 * no place to go to: they are put aside, and back as they were. Nobody saw them
 * meanwhile, so somebody is called as for new ones.
 */
static bool dig_out(gsync_pool_t *pool, struct gsync_worker *worker, const gsync_group_t *group, struct gsync_task *task)
{
	struct gsync_task aside[GSYNC_DEQUE_SIZE];
	uint32_t count = 0;
	bool found;

	do {
		aside[count++] = *task;
		found = gsync_deque_pop(&worker->deque, task);
	} while (found && task->group != group);
	while (count > 0)
		gsync_deque_push(&worker->deque, &aside[--count]);
	gsync_crew_call(pool);
	return found;
}

/* Where the others' tasks stand in the way they go to the queue: nobody may be there to steal them. */
static bool take_of_group(gsync_pool_t *pool, struct gsync_worker *worker, const gsync_group_t *group,
			  struct gsync_task *task)
{
	while (worker && gsync_deque_pop(&worker->deque, task)) {
		if (task->group == group)
			return true;
		if (lay_open(pool, task))
			continue;
		/* There is no memory. */
		if (dig_out(pool, worker, group, task))
			return true;
		break;
	}
	return gsync_queue_take_of(&pool->queue, group, task) || steal(pool, worker, group, task);
}

bool gsync_work_take(gsync_pool_t *pool, struct gsync_worker *worker, const gsync_group_t *group,
		     struct gsync_task *task)
{
	if (group)
		return take_of_group(pool, worker, group, task);
	if (worker && ++worker->turn % QUEUE_TURN != 0 && gsync_deque_pop(&worker->deque, task))
		return true;
	return take_from_queue(pool, worker, task) || (worker && gsync_deque_pop(&worker->deque, task)) ||
	       steal(pool, worker, NULL, task);
}

/* ---- doing */

void gsync_task_run(gsync_pool_t *pool, const struct gsync_task *task)
{
	gsync_pool_t *outside = gsync_self.inside;
	bool dropping = gsync_pool_closing(pool) == GSYNC_DROPPING;

	if (task->group && dropping)
		gsync_group_cancel(task->group);
	gsync_self.inside = pool;
	if (!dropping && !(task->group && gsync_group_is_cancelled(task->group))) {
		gsync_count(GSYNC_KIND_POOL_, GSYNC_TASK);
		task->run(task->argument);
	} else if (pool->options.dropped) {
		pool->options.dropped(task->run, task->argument);
	}
	gsync_self.inside = outside;
	if (task->group)
		gsync_group_finish(pool, task->group);
}

int gsync_task_put(gsync_pool_t *pool, const struct gsync_task *task, bool limited)
{
	struct gsync_worker *worker = gsync_pool_self(pool);
	int error = 0;

	if (!worker || !gsync_deque_push(&worker->deque, task))
		error = gsync_queue_put(&pool->queue, task, limited, gsync_self.inside == pool);
	if (error == 0)
		gsync_crew_call(pool);
	return error;
}

bool gsync_work(gsync_pool_t *pool, struct gsync_worker *worker, bool *searching)
{
	struct gsync_task task;

	if (gsync_loop_help(pool, worker, searching))
		return true;
	if (!gsync_work_take(pool, worker, NULL, &task))
		return false;
	if (*searching) {
		*searching = false;
		gsync_crew_end_search(pool);
	}
	gsync_task_run(pool, &task);
	return true;
}

bool gsync_work_wait(const gsync_pool_t *pool, const gsync_group_t *group, uint64_t patience)
{
	struct gsync_spin spin;

	gsync_spin_start(&spin, patience, 1);
	do {
		if ((group && gsync_group_left(group) == 0) || gsync_work_is_visible(pool))
			return true;
	} while (gsync_spin_again(&spin));
	return false;
}

/*
 * Now and then between two tasks, for who is busy never waits: has the machine
 * changed, and if so, is this worker one too many, or could one more help?
 */
static bool is_one_too_many(struct gsync_worker *worker, bool searching)
{
	const uint64_t now = gsync_ticks();

	if (gsync_lies_ahead(worker->next_look, now, worker->look_interval))
		return false;
	worker->look_interval = gsync_tuning().slow_yield;
	worker->next_look = now + worker->look_interval;
	gsync_look_if_due(now, true);
	if (gsync_crew_retire(worker->pool, searching))
		return true;
	if (gsync_work_is_visible(worker->pool))
		gsync_crew_call(worker->pool);
	return false;
}

/* Spins for work; false when none came. */
static bool wait_for_work(struct gsync_worker *worker)
{
	const struct gsync_tuning tuning = gsync_tuning();
	bool came = gsync_work_wait(worker->pool, NULL, gsync_rhythm_patience(&worker->rhythm, &tuning));

	gsync_rhythm_waited(&worker->rhythm, !came);
	return came;
}

/* Without work and role: takes the role of the one who searches, or sleeps. */
static bool rest(struct gsync_worker *worker, bool searching)
{
	gsync_pool_t *pool = worker->pool;
	struct timespec alarm;
	bool expecting;

	searching = searching || gsync_crew_begin_search(pool);
	if (searching && wait_for_work(worker))
		return true;
	expecting = gsync_rhythm_lie_down(&worker->rhythm, &alarm);
	searching = gsync_crew_park(pool, NULL, searching, false, expecting ? &alarm : NULL);
	if (expecting && !searching)
		gsync_rhythm_alarm_rang(&worker->rhythm);
	else
		gsync_rhythm_was_called(&worker->rhythm);
	return searching;
}

void *gsync_worker_main(void *argument)
{
	struct gsync_worker *worker = argument;
	gsync_pool_t *pool = worker->pool;
	bool searching = true;

	gsync_self.worker = worker;
	gsync_steer_get_up(worker);
	for (;;) {
		if (is_one_too_many(worker, searching))
			searching = gsync_crew_park(pool, NULL, false, true, NULL);
		else if (gsync_work(pool, worker, &searching))
			continue;
		else if (gsync_pool_closing(pool) != GSYNC_OPEN && !gsync_work_is_visible(pool))
			break;
		else
			searching = rest(worker, searching);
	}
	gsync_crew_quit(pool, searching);
	return NULL;
}
