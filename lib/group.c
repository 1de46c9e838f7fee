/* SPDX-License-Identifier: MIT */
/*
 * Tasks that somebody waits for.
 *
 * state, 64 bits:
 *
 *    0-31  left     tasks that have neither run nor been dropped
 *   63     WAITERS  somebody sleeps until none is left
 *
 *   change           by
 *   left + 1         spawn, before the task can be seen
 *   left - 1         who has run or dropped a task; its last access, unless a spawn is still under way
 *   WAITERS, 0 to 1  a waiter, before it sleeps
 *   WAITERS, 1 to 0  a waiter that has found none left
 *
 * No wake-up is lost: both are changed by read-modify-writes of one word, so the
 * step that takes the last task sees WAITERS, or comes first, and the waiter sees
 * that none is left. Between that look and the sleep stands the crew's event,
 * which the waker changes. The waker uses the group's address only.
 *
 * left - 1 is release and seen by acquire, so that a waiter sees what all tasks
 * have done: they form one release sequence.
 *
 * An isolated waiter takes only tasks of its group, so nobody calls it to other
 * work. A spawn into such a group wakes it, after the task can be seen; the task
 * may be over by then and the waiter gone, so the spawn holds a count of its own.
 */
#include "lib/pool.h"

#include "primitives/spin.h"

#define LEFT ((uint64_t)UINT32_MAX)
#define WAITERS ((uint64_t)1 << 63)
#define DEPTH_MAX 16u /* of tasks that run at once: each may spawn the next */

uint32_t gsync_group_left(const gsync_group_t *group)
{
	return (uint32_t)__atomic_load_n(&group->state, __ATOMIC_ACQUIRE);
}

int gsync_group_init(gsync_group_t *group, gsync_pool_t *pool, unsigned flags)
{
	gsync_group_t fresh = GSYNC_GROUP_INIT;

	if ((flags & ~GSYNC_GROUP_ISOLATED) != 0)
		return EINVAL;
	fresh.pool = pool;
	fresh.flags = flags;
	*group = fresh;
	return 0;
}

void gsync_group_finish(gsync_pool_t *pool, gsync_group_t *group)
{
	uint64_t before = __atomic_fetch_sub(&group->state, 1, __ATOMIC_ACQ_REL);

	if ((before & LEFT) == 1 && (before & WAITERS) != 0)
		gsync_crew_wake_group(pool, group);
}

/* ---- spawning */

static bool runs_at_once(gsync_pool_t *pool)
{
	const struct gsync_tuning tuning = gsync_tuning();

	return !gsync_pool_self(pool) && gsync_self.depth < DEPTH_MAX && gsync_pool_capacity(pool, &tuning) == 1;
}

/* Whatever comes meanwhile, it has begun: a shutdown that dropped it would have to tell the group, which does not count it. */
static void run_at_once(gsync_pool_t *pool, gsync_task_fn *run, void *argument)
{
	gsync_pool_t *outside = gsync_self.inside;

	gsync_look_if_due(gsync_ticks(), true);
	gsync_self.depth++;
	gsync_self.inside = pool;
	run(argument);
	gsync_self.inside = outside;
	gsync_self.depth--;
}

static int spawn(gsync_pool_t *pool, const struct gsync_task *task)
{
	int error;

	/* Relaxed: this thread, or the task it runs, keeps the group from being over. */
	__atomic_fetch_add(&task->group->state, 1, __ATOMIC_RELAXED);
	error = gsync_task_put(pool, task, true);
	if (error == EAGAIN) {
		gsync_task_run(pool, task);
		return 0;
	}
	if (error != 0)
		gsync_group_finish(pool, task->group);
	return error;
}

static int spawn_isolated(gsync_pool_t *pool, const struct gsync_task *task)
{
	gsync_group_t *group = task->group;
	int error;

	__atomic_fetch_add(&group->state, 1, __ATOMIC_RELAXED);
	error = spawn(pool, task);
	if ((__atomic_fetch_sub(&group->state, 1, __ATOMIC_ACQ_REL) & WAITERS) != 0)
		gsync_crew_wake_group(pool, group);
	return error;
}

/* Relaxed, and written only when it changes: all threads that spawn are of the same process. */
static void note_process(gsync_group_t *group)
{
	uint32_t process = gsync_pool_process();

	if (__atomic_load_n(&group->process, __ATOMIC_RELAXED) != process)
		__atomic_store_n(&group->process, process, __ATOMIC_RELAXED);
}

/* Tasks that were left when the parent forked never end here. */
static bool is_dead(const gsync_group_t *group, const gsync_pool_t *pool)
{
	return gsync_pool_is_dead(pool) || __atomic_load_n(&group->process, __ATOMIC_RELAXED) != gsync_pool_process();
}

int gsync_group_spawn(gsync_group_t *group, gsync_task_fn *run, void *argument)
{
	gsync_pool_t *pool = gsync_pool_resolve(group->pool);
	const struct gsync_task task = { run, argument, group };
	int error = pool ? gsync_pool_refuses(pool) : ENOMEM;

	if (error == 0 && gsync_group_is_cancelled(group))
		error = ECANCELED;
	if (error != 0)
		return error;
	note_process(group);
	if (runs_at_once(pool)) {
		run_at_once(pool, run, argument);
		return 0;
	}
	return (group->flags & GSYNC_GROUP_ISOLATED) != 0 ? spawn_isolated(pool, &task) : spawn(pool, &task);
}

/* ---- waiting */

static void note_waiter(gsync_group_t *group)
{
	__atomic_fetch_or(&group->state, WAITERS, __ATOMIC_RELAXED);
}

static void help(gsync_pool_t *pool, struct gsync_worker *worker, gsync_group_t *group)
{
	const struct gsync_tuning tuning = gsync_tuning();
	bool searching = false;

	while (gsync_group_left(group) != 0) {
		if (gsync_work(pool, worker, &searching) || gsync_work_wait(pool, group, gsync_pool_patience(&tuning)))
			continue;
		note_waiter(group);
		searching = gsync_crew_park(pool, group, searching, false, NULL);
	}
	if (searching)
		gsync_crew_end_search(pool);
}

/* Takes a task of the group as soon as there is one, for a while; false when none came, or none is left. */
static bool await_task(gsync_pool_t *pool, struct gsync_worker *worker, gsync_group_t *group, struct gsync_task *task)
{
	const struct gsync_tuning tuning = gsync_tuning();
	struct gsync_spin spin;

	gsync_spin_start(&spin, gsync_pool_patience(&tuning), tuning.backoff);
	do {
		if (gsync_work_take(pool, worker, group, task))
			return true;
	} while (gsync_group_left(group) != 0 && gsync_spin_again(&spin));
	return false;
}

static void help_isolated(gsync_pool_t *pool, struct gsync_worker *worker, gsync_group_t *group)
{
	struct gsync_task task;

	while (gsync_group_left(group) != 0) {
		uint32_t seen;

		if (await_task(pool, worker, group, &task)) {
			gsync_task_run(pool, &task);
			continue;
		}
		note_waiter(group);
		seen = gsync_crew_event(pool);
		if (gsync_work_take(pool, worker, group, &task)) {
			gsync_task_run(pool, &task);
		} else if (gsync_group_left(group) != 0) {
			gsync_patience_ended(NULL);
			gsync_crew_sleep_on_group(pool, group, seen);
		}
	}
}

static void wait_until_none_is_left(gsync_pool_t *pool, gsync_group_t *group)
{
	struct gsync_worker *worker = gsync_pool_self(pool);
	struct gsync_helping helping = { pool, gsync_self.helping };
	bool counted = gsync_pool_counts_self(pool);
	uint64_t over = WAITERS;

	if (!counted) {
		gsync_self.helping = &helping;
		gsync_crew_join(pool);
	}
	if ((group->flags & GSYNC_GROUP_ISOLATED) != 0)
		help_isolated(pool, worker, group);
	else
		help(pool, worker, group);
	if (!counted) {
		gsync_self.helping = helping.outer;
		gsync_crew_leave(pool);
	}
	/* A mark that stays behind costs the next use a needless wake-up, nothing else. */
	__atomic_compare_exchange_n(&group->state, &over, 0, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

int gsync_group_wait(gsync_group_t *group)
{
	if (gsync_group_left(group) != 0) {
		gsync_pool_t *pool = gsync_pool_resolve(group->pool);

		if (!pool || is_dead(group, pool))
			return ECHILD;
		wait_until_none_is_left(pool, group);
	}
	if (!gsync_group_is_cancelled(group))
		return 0;
	__atomic_store_n(&group->cancelled, 0u, __ATOMIC_RELAXED);
	return ECANCELED;
}
