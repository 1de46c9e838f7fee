/* SPDX-License-Identifier: MIT */
/*
 * gsync_pool: threads that run tasks, as many as there are CPUs to run them on.
 *
 *     static void greet(void *name) { printf("hello, %s\n", (const char *)name); }
 *
 *     gsync_group_t group = GSYNC_GROUP_INIT;    // of the process-wide pool
 *
 *     gsync_group_spawn(&group, greet, "world");
 *     gsync_group_spawn(&group, greet, "guest");
 *     gsync_group_wait(&group);                  // helps until both have run
 *
 * Loops over data stand in <guestsync/parallel.h>; they are what most programs
 * want of a pool.
 *
 * Why one pool: "as many threads as CPUs, and data parallelism rather than
 * pipelines" is what Schildermans ("Elevating Multithreading Further into the
 * Cloud", section 8.3) advises programs in virtual machines to do. Every thread
 * beyond that must be scheduled, and every hand-over between threads can cost
 * four ways out to the hypervisor. All four of his rules, with programs that show
 * them: docs/guidelines.md.
 *
 *   parts that are known beforehand                a loop: <guestsync/parallel.h>
 *   parts that turn up while others are worked on  gsync_group_spawn, gsync_group_wait
 *   the same, with a lock held                     a group with GSYNC_GROUP_ISOLATED, or a loop
 *   work that nobody waits for                     gsync_pool_submit
 *   that comes faster than it can be done          a pool of your own with queue_limit
 *   a quota, and answers that must come in time    a pool of your own with GSYNC_POOL_LATENCY
 *   waits for a disk, a network, a person          threads of your own, or an event loop
 *
 * The last, because a task that blocks keeps its thread, and none is started in
 * its place: the pool is for what computes.
 *
 * How many: the pool counts on the CPUs that this process really gets, the
 * least of CPUs online, affinity masks and cgroup quotas. A quota may be a
 * fraction: a throughput pool rounds it up, and lets itself be throttled a
 * little; a latency pool rounds it down, and never is. Both count on one at
 * least. The pool follows these numbers while it runs: within about a second
 * of a change, as long as it is in use. No thread exists before there is
 * something to run for it; where one cannot be started, the pool makes do with
 * those it has. A thread that waits for a group helps, and counts as one of the
 * pool's meanwhile.
 *
 * Who waits how: one idle worker looks for work, for about as long as a wake-up
 * costs; the others, and soon that one, sleep in the kernel. A worker that is
 * called for loops in regular intervals gets up by itself a little before the
 * next; if that does not come, it sleeps until it is called. An idle pool uses no
 * CPU time.
 *
 * Where a worker gets up: not on the CPU of who calls it, if it may use another.
 * For the moment of the wake-up its affinity mask lacks that CPU. Masks that
 * somebody has set are left alone, unless it is in that very moment; so are workers
 * of pools that bind.
 *
 *                        may block  may spin  runs tasks      signal handler  after fork, in the child
 *   pool_create          no (*)     no        no              no              yes
 *   pool_default         no (*)     no        no              no              a new pool
 *   pool_submit          yes        yes       of this pool    no              ECHILD
 *   pool_try_submit      no         yes       no              no              ECHILD
 *   pool_shutdown        yes        yes       of this pool    no              nothing to stop
 *   pool_destroy         yes        yes       of this pool    no              frees it
 *   group_spawn          no         yes       of this pool    no              ECHILD
 *   group_wait           yes        yes       of this pool    no              ECHILD, if tasks are missing
 *   group_cancel         no         no        no              yes             yes
 *   (*) the first use of a pool in a process measures the machine: some milliseconds
 *   Not counted: the pool's own mutexes, which are held for moments, and the start of a thread.
 *
 * Where a call runs tasks it may run any of the pool's, in the calling thread.
 * So do not hold a lock that a task takes across group_wait, group_spawn or
 * submit: the task could wait for its own thread. GSYNC_GROUP_ISOLATED limits a
 * wait to tasks of its group.
 *
 * Tasks may spawn, submit, wait and run parallel loops, as deep as the stack
 * allows; that starts no further threads. A task may wait for groups that it, or
 * what it called, has spawned into. One that waits for the task of a group of
 * others may wait for itself, since a wait runs other tasks on top of its own
 * stack. The pool's threads have the stack that threads get by default, but
 * 256 KB at least; a thread of yours that waits or runs loops should have 64 KB.
 *
 * fork: a child has no threads but the one that forked, so pools that it
 * inherits are dead in it: nothing of what was queued runs there, submit and
 * spawn return ECHILD, and parallel loops run in the calling thread. The
 * process-wide pool is made anew in the child when it is first used. The parent
 * notices nothing.
 *
 * Not guaranteed: an order of tasks; that two tasks run at the same time (so
 * none may wait for another but by a group); priorities; which thread runs what.
 */
#ifndef GUESTSYNC_POOL_H
#define GUESTSYNC_POOL_H

#include <guestsync/base.h>

#include <stddef.h>

GSYNC_BEGIN_DECLS

typedef struct gsync_pool gsync_pool_t;

typedef void gsync_task_fn(void *argument);

/* For gsync_pool_options.mode: what to do with a fraction of a CPU. */
#define GSYNC_POOL_THROUGHPUT 0u /* round up: all that is granted is used */
#define GSYNC_POOL_LATENCY 1u	 /* round down: a quota is never used up, so nobody is stopped by it */

/* For gsync_pool_options.flags. */
#define GSYNC_POOL_BIND 1u /* each worker stays on a CPU of its own; only for machines that this program has to itself */

/* All-zero means: what the process-wide pool has. */
typedef struct gsync_pool_options {
	uint32_t workers;     /* at most so many; 0 = as many as there are usable CPUs; never more than those */
	uint32_t mode;
	uint32_t flags;
	uint32_t queue_limit; /* tasks that may wait to be started, of those that other threads submit; 0 = no limit */
	/* Called, unless NULL, for each task that is thrown away: by a cancelled group, or by GSYNC_POOL_DROP. */
	void (*dropped)(gsync_task_fn *run, void *argument);
} gsync_pool_options_t;

/*
 * Makes a pool; no thread is started yet. OPTIONS may be NULL. Returns 0 with
 * the pool in *POOL; EINVAL for a mode or flag it does not know; ENOMEM.
 */
GSYNC_API int gsync_pool_create(gsync_pool_t **pool, const gsync_pool_options_t *options);

/*
 * The process-wide pool, for everybody who has no reason for another; made when
 * it is first asked for. NULL only where there is no memory for it. Every call
 * below takes NULL for it. It is never destroyed; its idle threads cost nothing.
 */
GSYNC_API gsync_pool_t *gsync_pool_default(void);

/* For gsync_pool_shutdown. */
#define GSYNC_POOL_DRAIN 0u /* graceful: everything that was submitted runs, and what that spawns */
#define GSYNC_POOL_DROP 1u  /* immediate: what has not been started is dropped; running tasks end as they like */

/*
 * Takes no more submissions, ends the work as HOW says, and then all threads of
 * the pool; helps meanwhile. Tasks that still run may spawn into groups while
 * a pool drains. Calls that come meanwhile, from other threads, fail with
 * ESHUTDOWN; their parallel loops run in the calling thread. Returns 0; EINVAL;
 * EBUSY for the process-wide pool; EDEADLK when called by one of its tasks. May be called again.
 */
GSYNC_API int gsync_pool_shutdown(gsync_pool_t *pool, unsigned how);

/*
 * Shuts it down gracefully, unless that has been done, and frees it. No other
 * call on it may be under way or come after. NULL, here only, is nothing.
 * Returns as shutdown does; unless 0, nothing has been freed.
 */
GSYNC_API int gsync_pool_destroy(gsync_pool_t *pool);

/*
 * Has RUN(ARGUMENT) called once, some time. From any thread, also from tasks.
 * Where the queue is full, it waits for room; a task that submits to its own
 * pool then runs the new one at once instead. Returns 0; ESHUTDOWN; ECHILD; EAGAIN
 * where the pool has no thread and none can be started; ENOMEM where there is no
 * room for a longer queue. Unless 0, RUN is not called.
 */
GSYNC_API int gsync_pool_submit(gsync_pool_t *pool, gsync_task_fn *run, void *argument);

/* The same, but EAGAIN at once where the queue is full. */
GSYNC_API int gsync_pool_try_submit(gsync_pool_t *pool, gsync_task_fn *run, void *argument);

/* With how many threads it would work at this moment, a helping caller included; at least 1. */
GSYNC_API uint32_t gsync_pool_workers(gsync_pool_t *pool);

/* How many threads it has started; 0 before there was anything for them to do. */
GSYNC_API uint32_t gsync_pool_threads(gsync_pool_t *pool);

/* ---- task groups: tasks that somebody waits for */

/* Zeroed memory is a valid group of the process-wide pool, without flags. */
typedef struct gsync_group {
	uint64_t state __attribute__((aligned(8))); /* how many tasks are left, who waits: lib/group.c */
	gsync_pool_t *pool;			    /* NULL = the process-wide one */
	uint32_t flags;
	uint32_t cancelled;
	uint32_t process; /* which one has spawned into it, counted by forks */
} gsync_group_t;

#define GSYNC_GROUP_INIT { 0, 0, 0, 0, 0 }

#define GSYNC_GROUP_ISOLATED 1u /* while it waits, a thread runs only tasks of this group */

/* Returns 0, or EINVAL for a flag it does not know. There is nothing to destroy; a group with tasks left must stay. */
GSYNC_API int gsync_group_init(gsync_group_t *group, gsync_pool_t *pool, unsigned flags);

/*
 * Adds a task, which may itself add more. With one usable CPU, or where all
 * queues are full, it runs at once, before this call returns. Returns 0;
 * ECANCELED; ESHUTDOWN; ECHILD; or what pool_submit returns where memory or
 * threads are short. Unless 0, RUN is not called.
 */
GSYNC_API int gsync_group_spawn(gsync_group_t *group, gsync_task_fn *run, void *argument);

/*
 * Returns when all tasks have run or been dropped; runs tasks meanwhile. What
 * the tasks wrote can then be read. After that the group may be used again or
 * its memory freed. Several threads may wait; it may be freed when all have
 * returned. Returns 0; ECANCELED if the group was cancelled, which is thereby over;
 * ECHILD (see fork above).
 */
GSYNC_API int gsync_group_wait(gsync_group_t *group);

/* Tasks that have not begun are dropped; those that run may ask and end early. */
static inline void gsync_group_cancel(gsync_group_t *group)
{
	/* Relaxed: it carries no data; whoever sees it a moment later has run one task more. */
	__atomic_store_n(&group->cancelled, 1u, __ATOMIC_RELAXED);
}

static inline int gsync_group_is_cancelled(const gsync_group_t *group)
{
	return __atomic_load_n(&group->cancelled, __ATOMIC_RELAXED) != 0;
}

GSYNC_END_DECLS

#endif
