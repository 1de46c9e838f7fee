/* SPDX-License-Identifier: MIT */
/* The pool: every task once, groups, cancelling, full queues, both ways to shut down, sizes that change, fork. */
#include "tests/unit/support.h"

#include "lib/pool.h"

#include <guestsync/parallel.h>
#include <guestsync/profile.h>

#include <sys/resource.h>
#include <sys/syscall.h>

#define WORKERS 4

/* As if there were so many CPUs: what is to be seen must be seen on any machine. */
static void pretend_cpus(uint64_t count)
{
	assert_int_equal(gsync_profile_set("usable_cpus", count), 0);
	assert_int_equal(gsync_profile_set("whole_cpus", count), 0);
}

static gsync_pool_t *make(const gsync_pool_options_t *options)
{
	gsync_pool_t *pool;

	assert_int_equal(gsync_pool_create(&pool, options), 0);
	return pool;
}

static int four_cpus(void **state)
{
	(void)state;
	pretend_cpus(WORKERS);
	return 0;
}

static void count_up(void *counter)
{
	__atomic_fetch_add((uint32_t *)counter, 1u, __ATOMIC_RELAXED);
}

/* A task that holds its worker until it is told to go on. */
struct gate {
	uint32_t inside, open;
};

static void stand_at(void *argument)
{
	struct gate *gate = argument;

	__atomic_fetch_add(&gate->inside, 1u, __ATOMIC_RELEASE);
	test_until_set(&gate->open, 1);
}

static void open_gate(struct gate *gate)
{
	__atomic_store_n(&gate->open, 1u, __ATOMIC_RELEASE);
}

/* So many workers have nothing else to do until their gates are opened. */
static void occupy(gsync_pool_t *pool, struct gate *gates, int count)
{
	for (int i = 0; i < count; i++)
		assert_int_equal(gsync_pool_submit(pool, stand_at, &gates[i]), 0);
	for (int i = 0; i < count; i++)
		test_until_count(&gates[i].inside, 1);
}

static void options_that_nobody_knows_are_refused(void **state)
{
	gsync_pool_options_t options = { .mode = 2 };
	gsync_group_t group;
	gsync_pool_t *pool;

	(void)state;
	assert_int_equal(gsync_pool_create(&pool, &options), EINVAL);
	options = (gsync_pool_options_t){ .flags = 2 };
	assert_int_equal(gsync_pool_create(&pool, &options), EINVAL);
	assert_int_equal(gsync_group_init(&group, NULL, 2), EINVAL);
	pool = make(NULL);
	assert_int_equal(gsync_pool_shutdown(pool, 2), EINVAL);
	assert_int_equal(gsync_pool_destroy(pool), 0);
	assert_int_equal(gsync_pool_destroy(NULL), 0);
	assert_int_equal(gsync_pool_shutdown(NULL, GSYNC_POOL_DRAIN), EBUSY);
}

static void no_thread_before_there_is_work(void **state)
{
	gsync_pool_t *pool = make(NULL);
	uint32_t runs = 0;

	(void)state;
	assert_int_equal(gsync_pool_threads(pool), 0);
	assert_int_equal(gsync_pool_workers(pool), WORKERS);
	assert_int_equal(gsync_pool_submit(pool, count_up, &runs), 0);
	assert_int_equal(gsync_pool_threads(pool), 1);
	assert_int_equal(gsync_pool_destroy(pool), 0);
	assert_int_equal(runs, 1);
}

/* ---- none lost, none run twice */

#define SUBMITTERS 8u
#define ROOM_KEPT 4096u /* of a queue that is empty again: lib/queue.c */

struct submitter {
	gsync_pool_t *pool;
	uint32_t *marks;
	uint32_t count;
};

/* Of each submitter. POOL_TASKS=1000000 in the environment asks for so many in all. */
static uint32_t submissions(void)
{
	const char *asked = getenv("POOL_TASKS");
	unsigned long tasks = asked ? strtoul(asked, NULL, 10) : UNDER_TSAN ? 40000 : 400000;

	return (uint32_t)tasks / SUBMITTERS;
}

static void *submit_many(void *argument)
{
	struct submitter *submitter = argument;

	for (uint32_t i = 0; i < submitter->count; i++)
		assert_int_equal(gsync_pool_submit(submitter->pool, count_up, &submitter->marks[i]), 0);
	return NULL;
}

/* Workers may still be taking from it. */
static size_t room_of_queue(gsync_pool_t *pool)
{
	size_t room;

	gsync_mutex_lock(&pool->queue.mutex);
	room = pool->queue.room;
	gsync_mutex_unlock(&pool->queue.mutex);
	return room;
}

static void check_submissions(const gsync_pool_options_t *options)
{
	uint32_t count = submissions(), limit = options ? options->queue_limit : 0;
	struct submitter submitters[SUBMITTERS];
	pthread_t threads[SUBMITTERS];
	gsync_pool_t *pool = make(options);

	for (uint32_t i = 0; i < SUBMITTERS; i++) {
		submitters[i] = (struct submitter){ pool, calloc(count, sizeof(uint32_t)), count };
		assert_non_null(submitters[i].marks);
		threads[i] = test_thread(submit_many, &submitters[i]);
	}
	for (uint32_t i = 0; i < SUBMITTERS; i++)
		test_join(threads[i]);
	/* Memory is bounded by the limit, or by what waits at a time; and given back. */
	assert_true(room_of_queue(pool) <= 2 * (size_t)(limit > 0 ? limit : SUBMITTERS * count));
	assert_int_equal(gsync_pool_shutdown(pool, GSYNC_POOL_DRAIN), 0);
	assert_true(room_of_queue(pool) <= ROOM_KEPT);
	assert_int_equal(gsync_pool_destroy(pool), 0);
	for (uint32_t i = 0; i < SUBMITTERS; i++) {
		for (uint32_t k = 0; k < count; k++)
			assert_int_equal(submitters[i].marks[k], 1);
		free(submitters[i].marks);
	}
}

static uint32_t peak_kb(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (uint32_t)usage.ru_maxrss;
}

/* The bounded one first: the peak only grows. */
static void each_task_of_foreign_threads_runs_once(void **state)
{
	static const gsync_pool_options_t bounded = { .queue_limit = 64 };

	(void)state;
	check_submissions(&bounded);
	print_message("peak memory, %u tasks, at most 64 waiting: %u kB\n", SUBMITTERS * submissions(), peak_kb());
	check_submissions(NULL);
	print_message("peak memory, %u tasks, no limit: %u kB\n", SUBMITTERS * submissions(), peak_kb());
}

/* Up, or told to get up. */
static uint32_t awake(const gsync_pool_t *pool)
{
	return (uint32_t)__atomic_load_n(&pool->crew, __ATOMIC_RELAXED) & 0xffff;
}

static uint64_t cpu_ns_of_workers(const gsync_pool_t *pool)
{
	uint32_t started = gsync_pool_started(pool); /* a worker may just be starting another */
	uint64_t sum = 0;

	for (uint32_t i = 0; i < started; i++)
		sum += test_cpu_ns(pool->workers[i].thread);
	return sum;
}

static void touch(void *context, size_t begin, size_t end)
{
	for (size_t i = begin; i < end; i++)
		count_up((uint32_t *)context + i);
}

/* CPU time, not time: another's load does not matter. What interrupts take is charged to whom they interrupt. */
static void an_idle_pool_uses_no_cpu_time(void **state)
{
	static const gsync_loop_options_t eager = { 1, GSYNC_LOOP_EAGER };
	gsync_pool_t *pool = make(NULL);
	uint32_t runs[4 * WORKERS] = { 0 };
	gsync_group_t group;
	uint64_t before;

	(void)state;
	gsync_group_init(&group, pool, 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(gsync_group_spawn(&group, count_up, &runs[0]), 0);
	assert_int_equal(gsync_group_wait(&group), 0);
	assert_int_equal(gsync_parallel_for(pool, 4 * WORKERS, touch, runs, &eager), 0);
	/* A worker that was called may come late. */
	while (awake(pool) > 0)
		test_sleep_ms(1);
	test_sleep_ms(50);
	assert_true(gsync_pool_threads(pool) > 0);
	before = cpu_ns_of_workers(pool);
	test_sleep_ms(1000);
	assert_true(cpu_ns_of_workers(pool) - before < 2000000);
	assert_int_equal(gsync_pool_destroy(pool), 0);
}

static void a_full_queue_refuses_or_waits(void **state)
{
	static const gsync_pool_options_t options = { .workers = 1, .queue_limit = 2 };
	struct gate gate = { 0, 0 };
	gsync_pool_t *pool = make(&options);
	uint32_t runs = 0;

	(void)state;
	occupy(pool, &gate, 1);
	assert_int_equal(gsync_pool_try_submit(pool, count_up, &runs), 0);
	assert_int_equal(gsync_pool_try_submit(pool, count_up, &runs), 0);
	assert_int_equal(gsync_pool_try_submit(pool, count_up, &runs), EAGAIN);
	open_gate(&gate);
	assert_int_equal(gsync_pool_submit(pool, count_up, &runs), 0);
	assert_int_equal(gsync_pool_destroy(pool), 0);
	assert_int_equal(runs, 3);
}

/* ---- groups */

struct node {
	gsync_pool_t *pool;
	uint32_t *leaves;
	int depth;
	unsigned flags;
};

static void branch(void *argument)
{
	const struct node *node = argument;
	struct node child = { node->pool, node->leaves, node->depth - 1, node->flags };
	gsync_group_t group;

	if (node->depth == 0) {
		count_up(node->leaves);
		return;
	}
	assert_int_equal(gsync_group_init(&group, node->pool, node->flags), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(gsync_group_spawn(&group, branch, &child), 0);
	assert_int_equal(gsync_group_wait(&group), 0);
}

static void check_tree(unsigned flags)
{
	uint32_t leaves = 0;
	gsync_pool_t *pool;
	struct node root = { NULL, &leaves, 7, flags };

	/* With places for more threads than there are CPUs for. */
	pretend_cpus(4 * WORKERS);
	pool = root.pool = make(NULL);
	pretend_cpus(WORKERS);
	for (uint32_t i = 1; i <= 5; i++) {
		branch(&root);
		assert_int_equal(leaves, 2187 * i);
		assert_true(gsync_pool_threads(pool) <= WORKERS);
	}
	assert_int_equal(gsync_pool_destroy(pool), 0);
}

static void nested_groups_end_and_start_no_further_threads(void **state)
{
	(void)state;
	check_tree(0);
	check_tree(GSYNC_GROUP_ISOLATED);
}

/* More than a deque has room for, by one task. */
static void spawn_flood(void *argument)
{
	const struct node *node = argument;
	gsync_group_t group;

	gsync_group_init(&group, node->pool, 0);
	for (uint32_t i = 0; i < 4 * GSYNC_DEQUE_SIZE; i++)
		assert_int_equal(gsync_group_spawn(&group, count_up, node->leaves), 0);
	assert_int_equal(gsync_group_wait(&group), 0);
}

static void a_task_may_spawn_more_than_fits(void **state)
{
	static const gsync_pool_options_t bounded = { .queue_limit = 16 };
	gsync_pool_t *pool = make(&bounded);
	uint32_t runs = 0;
	struct node node = { pool, &runs, 0, 0 };
	gsync_group_t group;

	(void)state;
	gsync_group_init(&group, pool, 0);
	assert_int_equal(gsync_group_spawn(&group, spawn_flood, &node), 0);
	assert_int_equal(gsync_group_wait(&group), 0);
	assert_int_equal(runs, 4 * GSYNC_DEQUE_SIZE);
	assert_int_equal(gsync_pool_destroy(pool), 0);
}

/* The only worker is held up: only the waiter is left to run them. */
static void who_waits_helps(void **state)
{
	static const gsync_pool_options_t options = { .workers = 2 };
	struct gate gates[2] = { { 0, 0 }, { 0, 0 } };
	gsync_pool_t *pool = make(&options);
	gsync_group_t group;
	uint32_t runs = 0;

	(void)state;
	gsync_group_init(&group, pool, 0);
	occupy(pool, gates, 2);
	for (int i = 0; i < 100; i++)
		assert_int_equal(gsync_group_spawn(&group, count_up, &runs), 0);
	assert_int_equal(gsync_group_wait(&group), 0);
	assert_int_equal(runs, 100);
	open_gate(&gates[0]);
	open_gate(&gates[1]);
	assert_int_equal(gsync_pool_destroy(pool), 0);
}

static void *open_late(void *gate)
{
	test_sleep_ms(20);
	open_gate(gate);
	return NULL;
}

/* A waiter that sleeps is woken by the last task, which another thread runs. */
static void a_sleeping_waiter_is_woken(void **state)
{
	for (unsigned flags = 0; flags <= GSYNC_GROUP_ISOLATED; flags++) {
		gsync_pool_t *pool = make(NULL);
		gsync_group_t group;
		struct gate gate = { 0, 0 };
		pthread_t opener;

		(void)state;
		gsync_group_init(&group, pool, flags);
		assert_int_equal(gsync_group_spawn(&group, stand_at, &gate), 0);
		test_until_count(&gate.inside, 1);
		opener = test_thread(open_late, &gate);
		assert_int_equal(gsync_group_wait(&group), 0);
		test_join(opener);
		assert_int_equal(gsync_pool_destroy(pool), 0);
	}
}

static void note_thread(void *argument)
{
	*(pthread_t *)argument = pthread_self();
}

/* What is not of the group stays for others, though the waiter has nothing else to do. */
static void an_isolated_wait_runs_nothing_else(void **state)
{
	static const gsync_pool_options_t options = { .workers = 1 };
	struct gate gate = { 0, 0 };
	gsync_pool_t *pool = make(&options);
	gsync_group_t group;
	pthread_t foreign = pthread_self(), own = 0;

	(void)state;
	gsync_group_init(&group, pool, GSYNC_GROUP_ISOLATED);
	occupy(pool, &gate, 1);
	assert_int_equal(gsync_pool_submit(pool, note_thread, &foreign), 0);
	gsync_self.depth = UINT32_MAX; /* or, with one worker, it would run at once */
	assert_int_equal(gsync_group_spawn(&group, note_thread, &own), 0);
	gsync_self.depth = 0;
	assert_int_equal(gsync_group_wait(&group), 0);
	assert_true(pthread_equal(own, pthread_self()));
	open_gate(&gate);
	assert_int_equal(gsync_pool_destroy(pool), 0);
	assert_false(pthread_equal(foreign, pthread_self()));
}

static void look_at_crew(void *argument)
{
	const struct node *node = argument;
	struct node inner = { node->pool, node->leaves, node->depth - 1, node->flags };
	gsync_group_t group;

	/* This thread, which waits, and nobody else. */
	assert_int_equal(awake(node->pool), 1);
	count_up(node->leaves);
	if (node->depth == 0)
		return;
	gsync_group_init(&group, node->pool, node->flags);
	assert_int_equal(gsync_group_spawn(&group, look_at_crew, &inner), 0);
	assert_int_equal(gsync_group_wait(&group), 0);
}

/* Or the pool would take it for a crowd and call nobody. */
static void a_thread_that_waits_within_a_wait_counts_once(void **state)
{
	gsync_pool_t *pool = make(NULL);
	uint32_t runs = 0;
	struct node node = { pool, &runs, 5, GSYNC_GROUP_ISOLATED };
	gsync_group_t group;

	(void)state;
	pool->places = 0; /* no worker may take the tasks */
	gsync_group_init(&group, pool, 0);
	gsync_self.depth = UINT32_MAX; /* nor may they run at once */
	assert_int_equal(gsync_group_spawn(&group, look_at_crew, &node), 0);
	assert_int_equal(gsync_group_wait(&group), 0);
	gsync_self.depth = 0;
	assert_int_equal(runs, 6);
	pool->places = WORKERS;
	assert_int_equal(gsync_pool_destroy(pool), 0);
}

struct two_groups {
	gsync_pool_t *pool;
	uint32_t own, other, other_before;
};

static void wait_for_own(void *argument)
{
	struct two_groups *groups = argument;
	gsync_group_t own, other;

	gsync_group_init(&own, groups->pool, GSYNC_GROUP_ISOLATED);
	gsync_group_init(&other, groups->pool, 0);
	assert_int_equal(gsync_group_spawn(&own, count_up, &groups->own), 0);
	assert_int_equal(gsync_group_spawn(&other, count_up, &groups->other), 0);
	assert_int_equal(gsync_group_wait(&own), 0);
	groups->other_before = groups->other;
	assert_int_equal(gsync_group_wait(&other), 0);
}

static void an_isolated_wait_of_a_worker_puts_the_others_tasks_aside(void **state)
{
	static const gsync_pool_options_t options = { .workers = 1 };
	gsync_pool_t *pool = make(&options);
	struct two_groups groups = { pool, 0, 0, 0 };

	(void)state;
	assert_int_equal(gsync_pool_submit(pool, wait_for_own, &groups), 0);
	assert_int_equal(gsync_pool_destroy(pool), 0);
	assert_int_equal(groups.own, 1);
	assert_int_equal(groups.other_before, 0);
	assert_int_equal(groups.other, 1);
}

/* ---- cancelling */

static uint32_t dropped;

static void count_dropped(gsync_task_fn *run, void *argument)
{
	assert_true(run == count_up);
	assert_non_null(argument);
	__atomic_fetch_add(&dropped, 1u, __ATOMIC_RELAXED);
}

static void what_a_cancelled_group_has_not_begun_is_dropped(void **state)
{
	static const gsync_pool_options_t options = { .workers = 2, .dropped = count_dropped };
	struct gate gates[2] = { { 0, 0 }, { 0, 0 } };
	gsync_pool_t *pool = make(&options);
	gsync_group_t group;
	uint32_t runs = 0;

	(void)state;
	dropped = 0;
	gsync_group_init(&group, pool, 0);
	occupy(pool, gates, 2);
	for (int i = 0; i < 50; i++)
		assert_int_equal(gsync_group_spawn(&group, count_up, &runs), 0);
	gsync_group_cancel(&group);
	assert_true(gsync_group_is_cancelled(&group));
	assert_int_equal(gsync_group_spawn(&group, count_up, &runs), ECANCELED);
	assert_int_equal(gsync_group_wait(&group), ECANCELED);
	assert_int_equal(runs, 0);
	assert_int_equal(dropped, 50);
	assert_int_equal(gsync_group_spawn(&group, count_up, &runs), 0);
	assert_int_equal(gsync_group_wait(&group), 0);
	assert_int_equal(runs, 1);
	open_gate(&gates[0]);
	open_gate(&gates[1]);
	assert_int_equal(gsync_pool_destroy(pool), 0);
}

/* ---- shutting down */

struct closer {
	gsync_pool_t *pool;
	unsigned how;
};

static void *shut_down(void *argument)
{
	const struct closer *closer = argument;

	assert_int_equal(gsync_pool_shutdown(closer->pool, closer->how), 0);
	return NULL;
}

static pthread_t begin_shutdown(struct closer *closer)
{
	pthread_t thread = test_thread(shut_down, closer);

	while (gsync_pool_closing(closer->pool) == GSYNC_OPEN)
		test_sleep_ms(1);
	return thread;
}

static void check_shutdown(unsigned how, uint32_t expected_runs)
{
	static const gsync_pool_options_t options = { .workers = 1, .dropped = count_dropped };
	struct gate gate = { 0, 0 };
	gsync_pool_t *pool = make(&options);
	struct closer closer = { pool, how };
	uint32_t runs = 0;
	pthread_t thread;

	dropped = 0;
	occupy(pool, &gate, 1);
	for (int i = 0; i < 20; i++)
		assert_int_equal(gsync_pool_submit(pool, count_up, &runs), 0);
	thread = begin_shutdown(&closer);
	assert_int_equal(gsync_pool_submit(pool, count_up, &runs), ESHUTDOWN);
	open_gate(&gate);
	test_join(thread);
	assert_int_equal(runs, expected_runs);
	assert_int_equal(dropped, 20 - expected_runs);
	assert_int_equal(gsync_pool_shutdown(pool, how), 0);
	assert_int_equal(gsync_pool_destroy(pool), 0);
}

static void shutdown_drains_or_drops(void **state)
{
	(void)state;
	check_shutdown(GSYNC_POOL_DRAIN, 20);
	check_shutdown(GSYNC_POOL_DROP, 0);
}

static void a_group_whose_tasks_a_shutdown_drops_is_cancelled(void **state)
{
	static const gsync_pool_options_t options = { .workers = 2, .dropped = count_dropped };
	struct gate gates[2] = { { 0, 0 }, { 0, 0 } };
	gsync_pool_t *pool = make(&options);
	struct closer closer = { pool, GSYNC_POOL_DROP };
	gsync_group_t group;
	uint32_t runs = 0;
	pthread_t thread;

	(void)state;
	dropped = 0;
	gsync_group_init(&group, pool, 0);
	occupy(pool, gates, 2);
	for (int i = 0; i < 20; i++)
		assert_int_equal(gsync_group_spawn(&group, count_up, &runs), 0);
	thread = begin_shutdown(&closer);
	open_gate(&gates[0]);
	open_gate(&gates[1]);
	test_join(thread);
	assert_int_equal(runs, 0);
	assert_int_equal(dropped, 20);
	assert_int_equal(gsync_group_wait(&group), ECANCELED);
	assert_int_equal(gsync_pool_destroy(pool), 0);
}

/* A thread that spawns into a group, on one CPU, so that each task runs at once, while the pool is shut down. */
struct spawner {
	gsync_pool_t *pool;
	uint32_t runs, spawned;
	int result;
};

static void *spawn_until_closed(void *argument)
{
	struct spawner *spawner = argument;
	gsync_group_t group;

	gsync_group_init(&group, spawner->pool, 0);
	while (gsync_group_spawn(&group, count_up, &spawner->runs) == 0)
		__atomic_store_n(&spawner->spawned, spawner->spawned + 1, __ATOMIC_RELEASE);
	spawner->result = gsync_group_wait(&group);
	return NULL;
}

static void whoever_waits_learns_that_a_task_was_dropped(void **state)
{
	(void)state;
	pretend_cpus(1);
	for (int i = 0; i < 100; i++) {
		gsync_pool_t *pool = make(NULL);
		struct spawner spawner = { pool, 0, 0, -1 };
		pthread_t thread = test_thread(spawn_until_closed, &spawner);

		test_until_count(&spawner.spawned, 1);
		assert_int_equal(gsync_pool_shutdown(pool, GSYNC_POOL_DROP), 0);
		test_join(thread);
		assert_true(spawner.runs == spawner.spawned || spawner.result == ECANCELED);
		assert_int_equal(gsync_pool_destroy(pool), 0);
	}
}

static int shutdown_by_task;

static void shut_own_pool(void *pool)
{
	shutdown_by_task = gsync_pool_shutdown(pool, GSYNC_POOL_DRAIN);
}

static void a_task_cannot_shut_its_pool_down(void **state)
{
	gsync_pool_t *pool = make(NULL);

	(void)state;
	assert_int_equal(gsync_pool_submit(pool, shut_own_pool, pool), 0);
	assert_int_equal(gsync_pool_destroy(pool), 0);
	assert_int_equal(shutdown_by_task, EDEADLK);
}

static void submit_more(void *argument)
{
	const struct node *node = argument;

	for (int i = 0; i < 10; i++)
		assert_int_equal(gsync_pool_submit(node->pool, count_up, node->leaves), 0);
	test_sleep_ms(5);
	for (int i = 0; i < 10; i++)
		assert_int_equal(gsync_pool_submit(node->pool, count_up, node->leaves), 0);
}

static void what_tasks_submit_while_the_pool_drains_runs(void **state)
{
	uint32_t runs = 0;

	(void)state;
	for (int i = 0; i < 20; i++) {
		gsync_pool_t *pool = make(NULL);
		struct node node = { pool, &runs, 0, 0 };

		for (int k = 0; k < 3; k++)
			assert_int_equal(gsync_pool_submit(pool, submit_more, &node), 0);
		assert_int_equal(gsync_pool_destroy(pool), 0);
	}
	assert_int_equal(runs, 20 * 3 * 20);
}

/* ---- sizes */

#define BEFORE 50 /* tasks; those that come later wait until the CPUs have changed */
#define SETTLED 200 /* from here on the pool has found its size */
#define ENDED 300

static uint32_t begun, running, most_running, done, changed;

static void be_counted(void *argument)
{
	bool counts = __atomic_load_n(&done, __ATOMIC_ACQUIRE) >= SETTLED;
	uint32_t now = __atomic_add_fetch(&running, 1u, __ATOMIC_RELAXED);

	(void)argument;
	if (__atomic_add_fetch(&begun, 1u, __ATOMIC_RELAXED) > BEFORE)
		test_until_set(&changed, 1);
	if (counts && now > __atomic_load_n(&most_running, __ATOMIC_RELAXED))
		__atomic_store_n(&most_running, now, __ATOMIC_RELAXED);
	test_sleep_ms(1);
	__atomic_fetch_sub(&running, 1u, __ATOMIC_RELAXED);
	__atomic_fetch_add(&done, 1u, __ATOMIC_RELEASE);
}

/* Of many tasks, while there are CPUS from some time on, once the pool has found its size. */
static uint32_t most_at_once(gsync_pool_t *pool, uint64_t cpus)
{
	begun = running = most_running = done = changed = 0;
	for (int i = 0; i < ENDED; i++)
		assert_int_equal(gsync_pool_submit(pool, be_counted, NULL), 0);
	test_until_count(&done, BEFORE);
	pretend_cpus(cpus);
	assert_int_equal(gsync_pool_workers(pool), cpus);
	__atomic_store_n(&changed, 1u, __ATOMIC_RELEASE);
	test_until_count(&done, ENDED);
	return __atomic_load_n(&most_running, __ATOMIC_RELAXED);
}

static void a_pool_follows_its_cpus(void **state)
{
	gsync_pool_t *pool = make(NULL);

	(void)state;
	assert_in_range(most_at_once(pool, WORKERS), 2, WORKERS);
	assert_int_equal(most_at_once(pool, 1), 1);
	assert_in_range(most_at_once(pool, WORKERS), 2, WORKERS);
	assert_int_equal(gsync_pool_destroy(pool), 0);
}

static void a_quota_is_rounded_up_or_down(void **state)
{
	static const gsync_pool_options_t latency = { .mode = GSYNC_POOL_LATENCY };
	gsync_pool_t *pools[2] = { make(NULL), make(&latency) };

	(void)state;
	assert_int_equal(gsync_profile_set("usable_cpus", 2), 0);
	assert_int_equal(gsync_profile_set("whole_cpus", 1), 0);
	assert_int_equal(gsync_pool_workers(pools[0]), 2);
	assert_int_equal(gsync_pool_workers(pools[1]), 1);
	assert_int_equal(gsync_pool_destroy(pools[0]), 0);
	assert_int_equal(gsync_pool_destroy(pools[1]), 0);
}

static void one_cpu_runs_spawned_tasks_at_once_and_needs_no_thread(void **state)
{
	gsync_pool_t *pool = make(NULL);
	gsync_group_t group;
	uint32_t runs = 0;

	(void)state;
	pretend_cpus(1);
	gsync_group_init(&group, pool, 0);
	for (uint32_t i = 1; i <= 10; i++) {
		assert_int_equal(gsync_group_spawn(&group, count_up, &runs), 0);
		assert_int_equal(runs, i);
	}
	assert_int_equal(gsync_group_wait(&group), 0);
	assert_int_equal(gsync_pool_threads(pool), 0);
	assert_int_equal(gsync_pool_destroy(pool), 0);
}

/* In a child, which has no other threads that the limit could hurt. */
static void try_without_threads(void)
{
	gsync_pool_t *pool = make(NULL);
	struct rlimit none = { 0, 0 };
	gsync_group_t group;
	uint32_t runs = 0;

	if (setrlimit(RLIMIT_NPROC, &none) != 0 || (geteuid() == 0 && (setresuid(65534, 65534, 65534) != 0)))
		_exit(77);
	if (gsync_pool_submit(pool, count_up, &runs) != EAGAIN || gsync_pool_workers(pool) != 1)
		_exit(1);
	gsync_group_init(&group, pool, 0);
	for (int i = 0; i < 10; i++)
		if (gsync_group_spawn(&group, count_up, &runs) != 0)
			_exit(2);
	if (gsync_group_wait(&group) != 0 || runs != 10 || gsync_pool_destroy(pool) != 0)
		_exit(3);
	_exit(0);
}

static void without_threads_it_makes_do(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	assert_int_not_equal(child, -1);
	if (child == 0) {
		alarm(30);
		try_without_threads();
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- fork */

static void a_child_finds_its_parents_pools_dead(void **state)
{
	gsync_pool_t *pool = make(NULL), *of_process = gsync_pool_default();
	struct gate gate = { 0, 0 };
	gsync_group_t group;
	uint32_t runs = 0;
	pid_t child;

	(void)state;
	gsync_group_init(&group, NULL, 0);
	assert_int_equal(gsync_pool_submit(pool, count_up, &runs), 0);
	assert_int_equal(gsync_group_spawn(&group, stand_at, &gate), 0);
	child = fork();
	assert_int_not_equal(child, -1);
	if (child == 0) {
		gsync_group_t own = GSYNC_GROUP_INIT;

		alarm(30);
		if (gsync_pool_submit(pool, count_up, &runs) != ECHILD || gsync_group_wait(&group) != ECHILD)
			_exit(1);
		if (gsync_pool_default() == of_process || gsync_pool_destroy(pool) != 0)
			_exit(2);
		runs = 0;
		if (gsync_group_spawn(&own, count_up, &runs) != 0 || gsync_group_wait(&own) != 0 || runs != 1)
			_exit(3);
		_exit(0);
	}
	test_child_succeeded(child);
	open_gate(&gate);
	assert_int_equal(gsync_group_wait(&group), 0);
	assert_ptr_equal(gsync_pool_default(), of_process);
	assert_int_equal(gsync_pool_destroy(pool), 0);
	assert_int_equal(runs, 1);
}

/* Main runs GATE; one worker waits for INNER, whose task waits, on the other, for OUTER. */
struct buried {
	gsync_pool_t *pool;
	gsync_group_t outer, inner;
	struct gate gate;
	uint32_t begun, others;
};

static void open_the_gate(void *argument)
{
	struct buried *buried = argument;

	open_gate(&buried->gate);
}

static void bury(void *argument)
{
	struct buried *buried = argument;

	__atomic_store_n(&buried->begun, 1u, __ATOMIC_RELEASE);
	/* The older one comes first where others steal. */
	assert_int_equal(gsync_pool_submit(buried->pool, count_up, &buried->others), 0);
	assert_int_equal(gsync_group_spawn(&buried->inner, open_the_gate, buried), 0);
	test_until_set(&buried->gate.inside, 1);
	for (int i = 0; i < 1000 && (__atomic_load_n(&buried->pool->crew, __ATOMIC_RELAXED) & 0xffff) != 2; i++)
		test_sleep_ms(1);
	assert_int_equal(gsync_group_wait(&buried->outer), 0);
}

static void wait_for_what_is_buried(void *argument)
{
	struct buried *buried = argument;

	assert_int_equal(gsync_group_spawn(&buried->inner, bury, buried), 0);
	test_until_set(&buried->begun, 1);
	assert_int_equal(gsync_group_wait(&buried->inner), 0);
}

/* It lay below another task, and goes to the queue while the waiter sleeps: that must be told. */
static void an_isolated_waiter_is_woken_for_a_task_that_it_could_not_steal(void **state)
{
	struct buried buried = { .pool = NULL };

	(void)state;
	pretend_cpus(2);
	buried.pool = make(NULL);
	gsync_group_init(&buried.outer, buried.pool, GSYNC_GROUP_ISOLATED);
	gsync_group_init(&buried.inner, buried.pool, GSYNC_GROUP_ISOLATED);
	assert_int_equal(gsync_pool_submit(buried.pool, wait_for_what_is_buried, &buried), 0);
	test_until_set(&buried.begun, 1);
	gsync_self.depth = UINT32_MAX;
	assert_int_equal(gsync_group_spawn(&buried.outer, stand_at, &buried.gate), 0);
	gsync_self.depth = 0;
	assert_int_equal(gsync_group_wait(&buried.outer), 0);
	assert_int_equal(gsync_pool_destroy(buried.pool), 0);
	assert_int_equal(buried.others, 1);
	pretend_cpus(WORKERS);
}

/* ---- parts */

static void a_deque_gives_the_youngest_to_its_owner_and_the_oldest_to_thieves(void **state)
{
	struct gsync_deque *deque = aligned_alloc(GSYNC_LINE, sizeof(*deque));
	struct gsync_task task = { count_up, NULL, NULL };
	char names[GSYNC_DEQUE_SIZE + 1];

	(void)state;
	assert_non_null(deque);
	memset(deque, 0, sizeof(*deque));
	assert_false(gsync_deque_pop(deque, &task));
	for (uint32_t i = 0; i < GSYNC_DEQUE_SIZE; i++) {
		task.argument = &names[i];
		assert_true(gsync_deque_push(deque, &task));
	}
	assert_false(gsync_deque_push(deque, &task));
	assert_true(gsync_deque_steal(deque, NULL, &task));
	assert_ptr_equal(task.argument, &names[0]);
	assert_true(gsync_deque_pop(deque, &task));
	assert_ptr_equal(task.argument, &names[GSYNC_DEQUE_SIZE - 1]);
	for (uint32_t i = 2; i < GSYNC_DEQUE_SIZE; i++)
		assert_true(gsync_deque_pop(deque, &task));
	assert_ptr_equal(task.argument, &names[1]);
	assert_false(gsync_deque_pop(deque, &task));
	assert_false(gsync_deque_steal(deque, NULL, &task));
	free(deque);
}

static void a_bound_worker_stays_on_one_cpu(void **state)
{
	static const gsync_pool_options_t options = { .flags = GSYNC_POOL_BIND };
	gsync_pool_t *pool = make(&options);
	static uint32_t runs;
	cpu_set_t set;

	(void)state;
	assert_int_equal(gsync_pool_submit(pool, count_up, &runs), 0);
	assert_int_equal(pthread_getaffinity_np(pool->workers[0].thread, sizeof(set), &set), 0);
	assert_int_equal(CPU_COUNT(&set), 1);
	assert_int_equal(gsync_pool_destroy(pool), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_that_nobody_knows_are_refused),
		cmocka_unit_test_setup(no_thread_before_there_is_work, four_cpus),
		cmocka_unit_test_setup(each_task_of_foreign_threads_runs_once, four_cpus),
		cmocka_unit_test_setup(an_idle_pool_uses_no_cpu_time, four_cpus),
		cmocka_unit_test_setup(a_full_queue_refuses_or_waits, four_cpus),
		cmocka_unit_test_setup(nested_groups_end_and_start_no_further_threads, four_cpus),
		cmocka_unit_test_setup(a_task_may_spawn_more_than_fits, four_cpus),
		cmocka_unit_test_setup(who_waits_helps, four_cpus),
		cmocka_unit_test_setup(a_sleeping_waiter_is_woken, four_cpus),
		cmocka_unit_test_setup(an_isolated_wait_runs_nothing_else, four_cpus),
		cmocka_unit_test_setup(an_isolated_wait_of_a_worker_puts_the_others_tasks_aside, four_cpus),
		cmocka_unit_test_setup(a_thread_that_waits_within_a_wait_counts_once, four_cpus),
		cmocka_unit_test_setup(an_isolated_waiter_is_woken_for_a_task_that_it_could_not_steal, four_cpus),
		cmocka_unit_test_setup(what_a_cancelled_group_has_not_begun_is_dropped, four_cpus),
		cmocka_unit_test_setup(shutdown_drains_or_drops, four_cpus),
		cmocka_unit_test_setup(a_group_whose_tasks_a_shutdown_drops_is_cancelled, four_cpus),
		cmocka_unit_test_setup(whoever_waits_learns_that_a_task_was_dropped, four_cpus),
		cmocka_unit_test_setup(a_task_cannot_shut_its_pool_down, four_cpus),
		cmocka_unit_test_setup(what_tasks_submit_while_the_pool_drains_runs, four_cpus),
		cmocka_unit_test_setup(a_pool_follows_its_cpus, four_cpus),
		cmocka_unit_test_setup(a_quota_is_rounded_up_or_down, four_cpus),
		cmocka_unit_test_setup(one_cpu_runs_spawned_tasks_at_once_and_needs_no_thread, four_cpus),
		cmocka_unit_test_setup(without_threads_it_makes_do, four_cpus),
		cmocka_unit_test_setup(a_child_finds_its_parents_pools_dead, four_cpus),
		cmocka_unit_test(a_deque_gives_the_youngest_to_its_owner_and_the_oldest_to_thieves),
		cmocka_unit_test_setup(a_bound_worker_stays_on_one_cpu, four_cpus),
	};

	return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
