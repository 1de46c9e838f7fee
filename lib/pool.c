/* SPDX-License-Identifier: MIT */
/* The pool itself: made, sized, shut down, forked; and submitting to it. */
#include "lib/pool.h"

#include "detect/manners.h"
#include "detect/override.h"
#include "primitives/futex.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MOMENT_NS 100000u

_Thread_local struct gsync_self gsync_self __attribute__((tls_model("initial-exec")));

/* ---- processes */

static uint32_t process;

static void count_fork(void)
{
	__atomic_store_n(&process, process + 1, __ATOMIC_RELAXED);
}

static void watch_forks(void)
{
	pthread_atfork(NULL, NULL, count_fork);
}

uint32_t gsync_pool_process(void)
{
	return __atomic_load_n(&process, __ATOMIC_RELAXED);
}

bool gsync_pool_is_dead(const gsync_pool_t *pool)
{
	return pool->process != gsync_pool_process();
}

/* ---- making one */

/* Zeroed, aligned to pages, and touched by nobody yet: a worker's own is then near it. */
static void *map_memory(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static size_t workers_bytes(const gsync_pool_t *pool)
{
	return pool->places * sizeof(pool->workers[0]);
}

static size_t posts_bytes(const gsync_pool_t *pool)
{
	return GSYNC_POSTS * (sizeof(pool->posts[0]) + pool->places * sizeof(pool->ranges[0]));
}

static void free_pool(gsync_pool_t *pool)
{
	if (pool->workers)
		munmap(pool->workers, workers_bytes(pool));
	if (pool->posts)
		munmap(pool->posts, posts_bytes(pool));
	free(pool->queue.ring);
	free(pool);
}

/* The machine's CPUs, those that may yet be brought online among them, or what somebody says there are. */
static uint32_t places_for(const gsync_pool_options_t *options)
{
	const struct gsync_tuning tuning = gsync_tuning();
	long configured = gsync_override_quiet() ? 0 : sysconf(_SC_NPROCESSORS_CONF);
	uint32_t most = tuning.usable_cpus;

	if (configured > 0 && (unsigned long)configured > most)
		most = (uint32_t)configured;
	if (options->workers > 0 && options->workers < most)
		most = options->workers;
	return most < GSYNC_PLACES_MAX ? most : GSYNC_PLACES_MAX;
}

static gsync_pool_t *make_pool(const gsync_pool_options_t *options)
{
	gsync_pool_t *pool = aligned_alloc(GSYNC_LINE, sizeof(*pool));

	if (!pool)
		return NULL;
	memset(pool, 0, sizeof(*pool));
	pool->options = *options;
	pool->places = places_for(options);
	pool->process = gsync_pool_process();
	pool->queue.limit = options->queue_limit;
	pool->workers = map_memory(workers_bytes(pool));
	pool->posts = map_memory(posts_bytes(pool));
	if (!pool->workers || !pool->posts) {
		free_pool(pool);
		return NULL;
	}
	pool->ranges = (void *)(pool->posts + GSYNC_POSTS);
	return pool;
}

/* What is to be known before the first pool. */
static void prepare(const gsync_pool_options_t *options)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, watch_forks);
	if (!gsync_is_tuned())
		gsync_calibration_of_process();
	if (places_for(options) > 2 && !gsync_override_quiet())
		gsync_near_learn();
}

int gsync_pool_create(gsync_pool_t **pool, const gsync_pool_options_t *options)
{
	static const gsync_pool_options_t none;
	struct gsync_manners manners;

	options = options ? options : &none;
	if (options->mode > GSYNC_POOL_LATENCY || (options->flags & ~GSYNC_POOL_BIND) != 0)
		return EINVAL;
	manners = gsync_manners_keep();
	prepare(options);
	*pool = make_pool(options);
	gsync_manners_give_back(&manners);
	return *pool ? 0 : ENOMEM;
}

static gsync_pool_t *process_pool;

gsync_pool_t *gsync_pool_default(void)
{
	/* Acquire, here and below: another thread may have made it. */
	gsync_pool_t *pool = __atomic_load_n(&process_pool, __ATOMIC_ACQUIRE);
	gsync_pool_t *fresh;

	if (pool && !gsync_pool_is_dead(pool))
		return pool;
	if (gsync_pool_create(&fresh, NULL) != 0)
		return NULL;
	/* A parent's pool stays where it is: its memory is the parent's threads' business. */
	if (__atomic_compare_exchange_n(&process_pool, &pool, fresh, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return fresh;
	free_pool(fresh);
	return pool;
}

gsync_pool_t *gsync_pool_resolve(gsync_pool_t *pool)
{
	return pool ? pool : gsync_pool_default();
}

/* ---- its size */

uint32_t gsync_pool_capacity(const gsync_pool_t *pool, const struct gsync_tuning *tuning)
{
	uint32_t cpus = pool->options.mode == GSYNC_POOL_LATENCY ? tuning->whole_cpus : tuning->usable_cpus;
	uint32_t most = pool->places;

	/* Those there are, and the caller. */
	if (gsync_crew_was_refused(pool))
		most = __atomic_load_n(&pool->started, __ATOMIC_RELAXED) + 1;
	most = most < pool->places ? most : pool->places;
	return cpus < most ? cpus : most;
}

uint32_t gsync_pool_workers(gsync_pool_t *pool)
{
	struct gsync_tuning tuning;

	pool = gsync_pool_resolve(pool);
	if (!pool || gsync_pool_is_dead(pool))
		return 1;
	gsync_look_if_due(gsync_ticks(), true);
	tuning = gsync_tuning();
	return gsync_pool_capacity(pool, &tuning);
}

uint32_t gsync_pool_threads(gsync_pool_t *pool)
{
	pool = gsync_pool_resolve(pool);
	return pool && !gsync_pool_is_dead(pool) ? __atomic_load_n(&pool->started, __ATOMIC_RELAXED) : 0;
}

/* ---- submitting */

int gsync_pool_refuses(const gsync_pool_t *pool)
{
	uint32_t closing = gsync_pool_closing(pool);

	if (gsync_pool_is_dead(pool))
		return ECHILD;
	if (closing == GSYNC_OPEN || (closing == GSYNC_DRAINING && gsync_self.inside == pool))
		return 0;
	return ESHUTDOWN;
}

/* A pool without a thread, and no way to one: nobody would ever run it. */
static bool is_stranded(gsync_pool_t *pool, const struct gsync_task *task)
{
	return gsync_pool_threads(pool) == 0 && gsync_pool_closing(pool) == GSYNC_OPEN && gsync_crew_was_refused(pool) &&
	       gsync_queue_take_back(&pool->queue, task);
}

static int submit(gsync_pool_t *pool, gsync_task_fn *run, void *argument, bool wait)
{
	const struct gsync_task task = { run, argument, NULL };
	int error;

	pool = gsync_pool_resolve(pool);
	if (!pool)
		return ENOMEM;
	for (;;) {
		error = gsync_pool_refuses(pool);
		if (error == 0)
			error = gsync_task_put(pool, &task, true);
		if (error != EAGAIN || !wait)
			break;
		if (gsync_self.inside == pool) {
			gsync_task_run(pool, &task);
			return 0;
		}
		gsync_queue_wait_for_space(&pool->queue);
	}
	return error == 0 && is_stranded(pool, &task) ? EAGAIN : error;
}

int gsync_pool_submit(gsync_pool_t *pool, gsync_task_fn *run, void *argument)
{
	return submit(pool, run, argument, true);
}

int gsync_pool_try_submit(gsync_pool_t *pool, gsync_task_fn *run, void *argument)
{
	return submit(pool, run, argument, false);
}

/* ---- shutting down */

static void close_pool(gsync_pool_t *pool, unsigned how)
{
	gsync_queue_close(&pool->queue);
	gsync_mutex_lock(&pool->starting);
	/* Release: pairs with gsync_pool_closing(). */
	if (pool->closing == GSYNC_OPEN || how == GSYNC_POOL_DROP)
		__atomic_store_n(&pool->closing, how == GSYNC_POOL_DROP ? GSYNC_DROPPING : GSYNC_DRAINING, __ATOMIC_SEQ_CST);
	gsync_mutex_unlock(&pool->starting);
	gsync_crew_wake_all(pool);
}

/* What comes of tasks that were still running elsewhere, in threads that help. */
static void run_the_rest(gsync_pool_t *pool)
{
	bool searching = false;

	do {
		while (gsync_work(pool, NULL, &searching)) {
			/* one after the other */
		}
		if (!gsync_crew_is_away(pool)) {
			struct timespec moment = gsync_timespec(MOMENT_NS);

			clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL);
		}
	} while (!gsync_crew_is_away(pool) || gsync_work_is_visible(pool));
}

static void end_threads(gsync_pool_t *pool)
{
	struct gsync_manners manners = gsync_manners_keep();

	for (uint32_t i = 0; i < pool->started; i++)
		pthread_join(pool->workers[i].thread, NULL);
	__atomic_store_n(&pool->started, 0, __ATOMIC_RELEASE);
	run_the_rest(pool);
	gsync_manners_give_back(&manners);
}

int gsync_pool_shutdown(gsync_pool_t *pool, unsigned how)
{
	if (how > GSYNC_POOL_DROP)
		return EINVAL;
	if (!pool || pool == __atomic_load_n(&process_pool, __ATOMIC_RELAXED))
		return EBUSY;
	if (gsync_pool_is_dead(pool))
		return 0;
	if (gsync_self.inside == pool || gsync_pool_self(pool))
		return EDEADLK;
	close_pool(pool, how);
	gsync_mutex_lock(&pool->shutdown);
	end_threads(pool);
	gsync_mutex_unlock(&pool->shutdown);
	return 0;
}

int gsync_pool_destroy(gsync_pool_t *pool)
{
	int error = pool ? gsync_pool_shutdown(pool, GSYNC_POOL_DRAIN) : 0;

	if (pool && error == 0)
		free_pool(pool);
	return error;
}
