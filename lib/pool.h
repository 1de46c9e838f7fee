/* SPDX-License-Identifier: MIT */
/*
 * The pool's insides: what its parts know of each other.
 *
 *   deque.c   a worker's own tasks, of which others steal
 *   queue.c   what foreign threads have submitted
 *   crew.c    who is awake, who looks for work, who sleeps; threads
 *   steer.c   on which CPU a sleeper gets up; rhythm.c  and when
 *   worker.c  where the next piece of work comes from, and running it
 *   group.c   tasks that somebody waits for
 *   loop.c    parallel loops; parallel.c what is built on them
 *   habit.c   what callbacks cost the last times
 *   near.c    which CPUs are near each other
 *   pool.c    the pool itself: made, sized, shut down, forked
 *
 * Work lies in three places: deques, the queue and open loops. Whoever puts some
 * there calls the crew afterwards; whoever goes to sleep says so before it looks
 * a last time. Both by sequentially consistent operations, so one of the two sees
 * the other (crew.c).
 */
#ifndef GUESTSYNC_LIB_POOL_H
#define GUESTSYNC_LIB_POOL_H

#include <guestsync/mutex.h>
#include <guestsync/parallel.h>
#include <guestsync/pool.h>

#include <pthread.h>
#include <stdbool.h>

#include "detect/affinity.h"
#include "detect/tuning.h"

#define GSYNC_LINE 64
#define GSYNC_PLACES_MAX 4096u /* of one pool */

struct gsync_task {
	gsync_task_fn *run;
	void *argument;
	gsync_group_t *group; /* NULL = nobody waits for it */
};

/* ---- deque.c */

#define GSYNC_DEQUE_SIZE 256u

struct gsync_deque {
	_Alignas(GSYNC_LINE) uint64_t top;    /* thieves take from here */
	_Alignas(GSYNC_LINE) uint64_t bottom; /* the owner's end */
	struct gsync_task tasks[GSYNC_DEQUE_SIZE];
};

/* The owner's. False when it is full. */
bool gsync_deque_push(struct gsync_deque *deque, const struct gsync_task *task);
/* The owner's: the youngest task. */
bool gsync_deque_pop(struct gsync_deque *deque, struct gsync_task *task);
/* Anybody's: the oldest task, if it is of GROUP, unless that is NULL. False also when another was faster. */
bool gsync_deque_steal(struct gsync_deque *deque, const gsync_group_t *group, struct gsync_task *task);
bool gsync_deque_has_tasks(const struct gsync_deque *deque);

/* ---- queue.c */

struct gsync_queue {
	_Alignas(GSYNC_LINE) gsync_mutex_t mutex;
	uint32_t space_waiters;
	struct gsync_task *ring;
	size_t room, head, limit;
	bool closed;
	_Alignas(GSYNC_LINE) size_t count; /* written with the mutex held, read by everybody */
	uint32_t space; /* changes when there is room again; a futex */
};

/* 0, EAGAIN when LIMITED and full, ENOMEM, or, unless the task is an INSIDER's, ESHUTDOWN. */
int gsync_queue_put(struct gsync_queue *queue, const struct gsync_task *task, bool limited, bool insider);
/* Waits for room; there need not be any afterwards. */
void gsync_queue_wait_for_space(struct gsync_queue *queue);
/* Takes up to MOST tasks, at most one in PARTS of them but one at least; returns how many. */
size_t gsync_queue_take(struct gsync_queue *queue, struct gsync_task *tasks, size_t most, size_t parts);
/* The oldest of GROUP. */
bool gsync_queue_take_of(struct gsync_queue *queue, const gsync_group_t *group, struct gsync_task *task);
/* The youngest that equals TASK; false when there is none any more. */
bool gsync_queue_take_back(struct gsync_queue *queue, const struct gsync_task *task);
/* No more but from insiders. */
void gsync_queue_close(struct gsync_queue *queue);
bool gsync_queue_has_tasks(const struct gsync_queue *queue);

/* ---- loops */

#define GSYNC_POSTS 64u	      /* loops that can be shared at a time, half of them by workers, half by other threads */
#define GSYNC_POSTS_OF_GUESTS (GSYNC_POSTS / 2)

struct gsync_range {
	_Alignas(GSYNC_LINE) uint64_t units; /* not begun: from the lower half up to the upper, in units of the loop */
};

/* Where a loop is shared: pool memory, so that a late worker may look at it. Its states: loop.c. */
struct gsync_post {
	_Alignas(GSYNC_LINE) uint32_t state;
	uint16_t eager;
	uint16_t spread; /* so many of the ranges were filled when it was opened, whether or not there are workers for them */
	uint64_t units; /* the owner's range */
	gsync_range_fn *run;
	void *context;
	size_t unit;
	size_t count;
	double ticks;	 /* of a unit, as far as the owner knows; negative = unknown */
	uint64_t target; /* ticks, a piece is to last */
	uint64_t opened; /* when, in ticks, unless it is eager */
};

/* ---- the pool */

/* Where a worker sleeps: steer.c. */
struct gsync_bed {
	gsync_mutex_t mutex; /* guards what follows */
	bool taken;  /* it sleeps, or is about to, and nobody has been sent to wake it; read by everybody */
	bool free;   /* it may use every CPU that is online */
	bool steered;
	pid_t thread;
	struct gsync_cpu_mask allowed; /* when it lay down */
	struct gsync_cpu_mask given;   /* by who has steered it */
};

/* A worker's own: rhythm.c. In ticks. */
struct gsync_rhythm {
	uint64_t opened;   /* the last loop that it came to after a rest */
	uint64_t interval; /* between two of them, lately */
	uint64_t lay_down;
	uint64_t up; /* when its alarm rang, or until it has, when it is to be up by that; 0 = has none */
	double lead; /* of the alarm */
	bool expecting; /* another, an interval after the last */
	bool rested, alarmed, punctual;
	uint8_t doubts; /* so often in a row it was another */
	uint8_t vain; /* so often in a row it has spun in vain */
};

struct gsync_worker {
	struct gsync_deque deque;
	_Alignas(GSYNC_LINE) gsync_pool_t *pool;
	uint32_t index;
	uint32_t turn; /* counts what it took, so that the queue is not forgotten */
	uint64_t next_look, look_interval; /* when it next asks whether the machine has changed; in ticks */
	pthread_t thread;
	_Alignas(GSYNC_LINE) uint32_t cpu; /* where it last began to look for work */
	struct gsync_bed bed;
	struct gsync_rhythm rhythm;
};

enum gsync_closing {
	GSYNC_OPEN,
	GSYNC_DRAINING,
	GSYNC_DROPPING,
};

struct gsync_pool {
	gsync_pool_options_t options;
	uint32_t places; /* the most workers there can ever be */
	uint32_t process; /* gsync_pool_process(): another than ours means that its threads are our parent's */
	struct gsync_worker *workers;
	struct gsync_post *posts;
	struct gsync_range *ranges; /* of each post one for each worker */

	_Alignas(GSYNC_LINE) uint64_t crew; /* crew.c */
	_Alignas(GSYNC_LINE) uint32_t event; /* a futex: changes with each wake-up */
	_Alignas(GSYNC_LINE) uint64_t open;  /* the posts with something to share, workers' in the lower half */

	_Alignas(GSYNC_LINE) gsync_mutex_t starting; /* guards what follows */
	uint32_t closing;   /* a gsync_closing; read by everybody */
	uint32_t started;   /* threads, in workers[0 …]; read by everybody */
	uint64_t refused;   /* when a thread could not be started, in ns; 0 = never */
	gsync_mutex_t shutdown;
	struct gsync_queue queue;
};

/* ---- pool.c */

/*
 * What this thread is: a worker, and of which pool it is just running a task, or
 * a range of another's loop. Such a thread counts as awake: it must not wait for
 * room in a queue that those who are awake are to empty.
 */
struct gsync_self {
	struct gsync_worker *worker;
	gsync_pool_t *inside;
	struct gsync_helping *helping; /* the innermost */
	unsigned depth; /* of tasks that were run at once instead of being put somewhere */
};

extern _Thread_local struct gsync_self gsync_self __attribute__((tls_model("initial-exec")));

/* POOL itself or, if that is NULL, the process-wide one; NULL without memory. Measures the machine, the first time. */
gsync_pool_t *gsync_pool_resolve(gsync_pool_t *pool);

/* Counts the forks between the first process and this one. */
uint32_t gsync_pool_process(void);

/* It is our parent's. */
bool gsync_pool_is_dead(const gsync_pool_t *pool);

static inline struct gsync_worker *gsync_pool_self(const gsync_pool_t *pool)
{
	struct gsync_worker *worker = gsync_self.worker;

	return worker && worker->pool == pool ? worker : NULL;
}

/* A foreign thread counts as awake in a pool while it waits for a group of it: once, however deep it waits. */
struct gsync_helping {
	const gsync_pool_t *pool;
	struct gsync_helping *outer;
};

static inline bool gsync_pool_counts_self(const gsync_pool_t *pool)
{
	const struct gsync_helping *helping = gsync_self.helping;

	while (helping && helping->pool != pool)
		helping = helping->outer;
	return helping || gsync_pool_self(pool);
}

/* With how many threads it works now, a foreign caller of a loop included. */
uint32_t gsync_pool_capacity(const gsync_pool_t *pool, const struct gsync_tuning *tuning);

/* How many threads it has started. */
static inline uint32_t gsync_pool_started(const gsync_pool_t *pool)
{
	/* Acquire: a worker that is counted has been set up. */
	return __atomic_load_n(&pool->started, __ATOMIC_ACQUIRE);
}

static inline uint32_t gsync_pool_closing(const gsync_pool_t *pool)
{
	/* Acquire: whoever sees it closed sees what the closing thread did before. */
	return __atomic_load_n(&pool->closing, __ATOMIC_ACQUIRE);
}

/* 0, or why this thread may not add tasks. */
int gsync_pool_refuses(const gsync_pool_t *pool);

/* How long whoever waits for the pool spins. */
static inline uint64_t gsync_pool_patience(const struct gsync_tuning *tuning)
{
	return gsync_is_pressed() ? tuning->pool / 3 : tuning->pool;
}

/* ---- crew.c */

#define GSYNC_STACK_LEAST ((size_t)256 << 10) /* tasks nest, and helpers stack up */

/* A thread without signals, and with a stack of a size that can be counted on. */
int gsync_crew_thread(pthread_t *thread, void *(*main)(void *), void *argument);
/* A thread could not be started just now. */
bool gsync_crew_was_refused(const gsync_pool_t *pool);
/* There is something to do: sees to it that somebody comes, unless all may be awake already. */
void gsync_crew_call(gsync_pool_t *pool);
/* The same, for COUNT who must not wait for each other to be called. */
void gsync_crew_call_many(gsync_pool_t *pool, uint32_t count);
/* Somebody is up and looks for work. */
bool gsync_crew_searches(const gsync_pool_t *pool);
/* Takes the role of the one who looks for work; false when another has it. */
bool gsync_crew_begin_search(gsync_pool_t *pool);
/* Gives it up, having found something, and calls for another if there is more. */
void gsync_crew_end_search(gsync_pool_t *pool);
/* More are awake than there are CPUs for: true when the caller, a worker, is to sleep and no longer counts as awake. */
bool gsync_crew_retire(gsync_pool_t *pool, bool searching);
/*
 * The caller, awake, found nothing to do: sleeps until there is something, or
 * GROUP has no task left, or the pool closes, or it is time for its ALARM, NULL =
 * none. RETIRED: it has already been counted out. Returns whether it is now the
 * one who searches.
 */
bool gsync_crew_park(gsync_pool_t *pool, const gsync_group_t *group, bool searching, bool retired,
		     const struct timespec *alarm);
/* A thread that helps comes, or goes. */
void gsync_crew_join(gsync_pool_t *pool);
void gsync_crew_leave(gsync_pool_t *pool);
/* A worker ends. */
void gsync_crew_quit(gsync_pool_t *pool, bool searching);
/* What changes with each wake-up. */
uint32_t gsync_crew_event(const gsync_pool_t *pool);
/* Sleeps, unless event is no longer what was SEEN, until GROUP is woken; not counted meanwhile, and not called. */
void gsync_crew_sleep_on_group(gsync_pool_t *pool, const gsync_group_t *group, uint32_t seen);
/* Wakes all that wait for this address of a group, which may be gone. */
void gsync_crew_wake_group(gsync_pool_t *pool, const gsync_group_t *group);
/* Wakes everybody: the pool closes. */
void gsync_crew_wake_all(gsync_pool_t *pool);
/* Nobody is left, awake or asleep. */
bool gsync_crew_is_away(const gsync_pool_t *pool);

/* ---- steer.c */

/* A worker is about to sleep, for the first time or again; it is up, and notes on which CPU. */
void gsync_steer_lie_down(struct gsync_worker *worker);
void gsync_steer_get_up(struct gsync_worker *worker);
/* Somebody is to be woken: makes one of those who sleep, if any, get up elsewhere than here, and returns it, once. */
struct gsync_worker *gsync_steer(gsync_pool_t *pool);

/* ---- rhythm.c */

/* What the worker comes to was opened then, in ticks; not for work to which it came without a rest. */
void gsync_rhythm_work_came(struct gsync_rhythm *rhythm, uint64_t opened);
/* How long it is to spin for work. */
uint64_t gsync_rhythm_patience(const struct gsync_rhythm *rhythm, const struct gsync_tuning *tuning);
void gsync_rhythm_waited(struct gsync_rhythm *rhythm, bool in_vain);
/* It is about to sleep. True: and to be up at the time of ALARM, because work is expected. */
bool gsync_rhythm_lie_down(struct gsync_rhythm *rhythm, struct timespec *alarm);
void gsync_rhythm_alarm_rang(struct gsync_rhythm *rhythm);
/* It is up again, for work or whatever else. */
void gsync_rhythm_was_called(struct gsync_rhythm *rhythm);

/* ---- worker.c */

void *gsync_worker_main(void *worker);
/* There is work that anybody could take. */
bool gsync_work_is_visible(const gsync_pool_t *pool);
/*
 * Does one piece of work, if there is any, having given up the search, if the
 * caller was *SEARCHING. WORKER may be NULL, here and below: a thread that helps.
 */
bool gsync_work(gsync_pool_t *pool, struct gsync_worker *worker, bool *searching);
/* Spins for PATIENCE, until there is work, or GROUP, unless NULL, is done; false when it was in vain. */
bool gsync_work_wait(const gsync_pool_t *pool, const gsync_group_t *group, uint64_t patience);
/* Takes a task, of GROUP unless that is NULL. */
bool gsync_work_take(gsync_pool_t *pool, struct gsync_worker *worker, const gsync_group_t *group, struct gsync_task *task);
/* Runs it, or drops it. */
void gsync_task_run(gsync_pool_t *pool, const struct gsync_task *task);
/* Puts it where others find it, and calls somebody; the same errors as gsync_queue_put. */
int gsync_task_put(gsync_pool_t *pool, const struct gsync_task *task, bool limited);

/* ---- group.c */

/* A task of GROUP is over. The group may be gone afterwards. */
void gsync_group_finish(gsync_pool_t *pool, gsync_group_t *group);
uint32_t gsync_group_left(const gsync_group_t *group);

/* ---- loop.c */

/* Takes part in an open loop, if there is one; true when it has done some of its work. */
bool gsync_loop_help(gsync_pool_t *pool, struct gsync_worker *worker, bool *searching);
bool gsync_loop_is_visible(const gsync_pool_t *pool);

/* A loop whose callback costs what KEY's does. */
struct gsync_loop {
	gsync_pool_t *pool;
	size_t count;
	gsync_range_fn *run;
	void *context;
	const void *key;
	size_t grain;
	bool eager;
	bool spread; /* each worker begins with a part of its own */
};

void gsync_loop_run(const struct gsync_loop *loop);

/* ---- habit.c: what one index of a callback cost lately, in ticks; negative = unknown */

double gsync_habit(const void *key);
void gsync_habit_learn(const void *key, double ticks);

/* ---- near.c */

#define GSYNC_FARTHEST 3u

/* Learns how the CPUs hang together, the first time: some milliseconds. Without hwloc all are equally near. */
void gsync_near_learn(void);
/* 0 they share a cache of their own, 1 the last one, 2 the memory, 3 nothing. */
uint32_t gsync_near_distance(uint32_t a, uint32_t b);
/* The greatest distance there is. */
uint32_t gsync_near_farthest(void);
/* Keeps THREAD on a CPU for the worker of that INDEX; false where that cannot be. */
bool gsync_near_bind(pthread_t thread, uint32_t index);

#endif
