/* SPDX-License-Identifier: MIT */
/*
 * The contract of a lock, run over every lock of the benchmark's table: ours and
 * the peers, which are the control. A lock that is entered in the table is
 * tested here without another line.
 */
#include "tests/unit/support.h"

#include "bench/locks.h"

#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define THREADS 4

static const struct bench_lock *kind;

struct arena {
	struct bench_object object;
	struct bench_node nodes[THREADS + 1];
	uint32_t started;
	uint32_t inside; /* written by the holder only */
	long counter;
	long failures;
	const struct timespec *deadline;
};

struct actor {
	struct arena *arena;
	struct bench_node *node;
};

static struct arena *new_arena(struct actor actors[THREADS])
{
	struct arena *arena = aligned_alloc(BENCH_LINE, sizeof(*arena));

	assert_non_null(arena);
	memset(arena, 0, sizeof(*arena));
	for (int i = 0; i < THREADS; i++)
		actors[i] = (struct actor){ arena, &arena->nodes[i] };
	assert_int_equal(kind->init(&arena->object), 0);
	return arena;
}

static void free_arena(struct arena *arena)
{
	assert_int_equal(kind->destroy(&arena->object), 0);
	free(arena);
}

/* Strict spin locks with more threads than CPUs crawl; that is their nature, not their contract. */
static bool crawls(void)
{
	return kind->fifo && !kind->ours;
}

static int contenders(void)
{
	return crawls() ? 2 : THREADS;
}

static long rounds(void)
{
	return UNDER_TSAN ? 300 : crawls() ? 100 : 2000;
}

/* ThreadSanitizer 14 does not know glibc's pthread_mutex_clocklock, and would take its users for racing. */
static bool has_timedlock(void)
{
	return kind->timedlock && (kind->ours || !UNDER_TSAN);
}

/* A critical section long enough to be caught, now and then, with the holder off its CPU. */
static void critical(struct arena *arena, long round)
{
	if (arena->inside++ != 0)
		arena->failures++;
	arena->counter++;
	if (round % 64 == 0)
		sched_yield();
	if (--arena->inside != 0)
		arena->failures++;
}

static void *increment(void *argument)
{
	struct actor *self = argument;

	for (long i = 0; i < rounds(); i++) {
		kind->lock(&self->arena->object, self->node);
		critical(self->arena, i);
		kind->unlock(&self->arena->object, self->node);
	}
	return NULL;
}

static void run_all(void *(*main)(void *), struct actor actors[THREADS], int count)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < count; i++)
		threads[i] = test_thread(main, &actors[i]);
	for (int i = 0; i < count; i++)
		test_join(threads[i]);
}


static void excludes(void **state)
{
	struct actor actors[THREADS];
	struct arena *arena = new_arena(actors);

	(void)state;
	run_all(increment, actors, contenders());
	assert_int_equal(arena->counter, (long)contenders() * rounds());
	assert_int_equal(arena->failures, 0);
	free_arena(arena);
}

static void trylock_takes_a_free_lock_and_refuses_a_held_one(void **state)
{
	struct actor actors[THREADS];
	struct arena *arena = new_arena(actors);

	(void)state;
	if (kind->trylock) {
		assert_int_equal(kind->trylock(&arena->object, &arena->nodes[0]), 0);
		assert_int_equal(kind->trylock(&arena->object, &arena->nodes[1]), EBUSY);
		kind->unlock(&arena->object, &arena->nodes[0]);
		assert_int_equal(kind->trylock(&arena->object, &arena->nodes[1]), 0);
		kind->unlock(&arena->object, &arena->nodes[1]);
	}
	free_arena(arena);
}

static void *increment_by_trylock(void *argument)
{
	struct actor *self = argument;

	for (long i = 0; i < rounds(); i++) {
		while (kind->trylock(&self->arena->object, self->node) != 0)
			sched_yield();
		critical(self->arena, i);
		kind->unlock(&self->arena->object, self->node);
	}
	return NULL;
}

static void trylock_excludes(void **state)
{
	struct actor actors[THREADS];
	struct arena *arena = new_arena(actors);

	(void)state;
	if (kind->trylock) {
		run_all(increment_by_trylock, actors, contenders());
		assert_int_equal(arena->counter, (long)contenders() * rounds());
		assert_int_equal(arena->failures, 0);
	}
	free_arena(arena);
}

static void timedlock_takes_a_free_lock_even_late_and_gives_up_on_a_held_one(void **state)
{
	struct actor actors[THREADS];
	struct arena *arena = new_arena(actors);
	struct timespec past = { 0, 0 };
	struct timespec soon = test_deadline(20);

	(void)state;
	if (has_timedlock()) {
		assert_int_equal(kind->timedlock(&arena->object, &arena->nodes[0], &past), 0);
		assert_int_equal(kind->timedlock(&arena->object, &arena->nodes[1], &past), ETIMEDOUT);
		assert_int_equal(kind->timedlock(&arena->object, &arena->nodes[1], &soon), ETIMEDOUT);
		assert_true(test_has_passed(&soon));
		kind->unlock(&arena->object, &arena->nodes[0]);
		assert_int_equal(kind->timedlock(&arena->object, &arena->nodes[1], &past), 0);
		kind->unlock(&arena->object, &arena->nodes[1]);
	}
	free_arena(arena);
}

static void timedlock_refuses_an_impossible_time(void **state)
{
	struct actor actors[THREADS];
	struct arena *arena = new_arena(actors);
	const struct timespec bad[] = { { 1, -1 }, { 1, 1000000000 } };

	(void)state;
	if (has_timedlock()) {
		kind->lock(&arena->object, &arena->nodes[0]);
		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
			assert_int_equal(kind->timedlock(&arena->object, &arena->nodes[1], &bad[i]), EINVAL);
		kind->unlock(&arena->object, &arena->nodes[0]);
	}
	free_arena(arena);
}

/* Waiters with deadlines around zero among waiters without: nobody may be stranded. */
static void *increment_impatiently(void *argument)
{
	struct actor *self = argument;
	unsigned random = (unsigned)(uintptr_t)self->node;

	for (long i = 0; i < rounds(); i++) {
		struct timespec deadline = test_deadline(0);

		random = random * 1103515245 + 12345;
		deadline.tv_nsec += random >> 8 & 0xffff;
		if (deadline.tv_nsec >= 1000000000)
			deadline.tv_nsec = 999999999;
		if (random >> 30 != 0) {
			if (kind->timedlock(&self->arena->object, self->node, &deadline) != 0)
				continue;
		} else {
			kind->lock(&self->arena->object, self->node);
		}
		critical(self->arena, i);
		kind->unlock(&self->arena->object, self->node);
	}
	return NULL;
}

static void giving_up_strands_nobody(void **state)
{
	struct actor actors[THREADS];
	struct arena *arena = new_arena(actors);

	(void)state;
	if (has_timedlock()) {
		run_all(increment_impatiently, actors, THREADS);
		assert_int_equal(arena->failures, 0);
		if (kind->trylock) {
			assert_int_equal(kind->trylock(&arena->object, &arena->nodes[THREADS]), 0);
			kind->unlock(&arena->object, &arena->nodes[THREADS]);
		}
	}
	free_arena(arena);
}

static void *lock_once(void *argument)
{
	struct actor *self = argument;

	__atomic_fetch_add(&self->arena->started, 1u, __ATOMIC_RELEASE);
	kind->lock(&self->arena->object, self->node);
	self->arena->counter++;
	kind->unlock(&self->arena->object, self->node);
	return NULL;
}

static void all_waiters_get_through_after_a_long_hold(void **state)
{
	struct actor actors[THREADS];
	struct arena *arena = new_arena(actors);
	pthread_t threads[THREADS];

	(void)state;
	kind->lock(&arena->object, &arena->nodes[THREADS]);
	for (int i = 0; i < contenders(); i++)
		threads[i] = test_thread(lock_once, &actors[i]);
	test_until_count(&arena->started, (uint32_t)contenders());
	test_sleep_ms(20);
	assert_int_equal(arena->counter, 0);
	kind->unlock(&arena->object, &arena->nodes[THREADS]);
	for (int i = 0; i < contenders(); i++)
		test_join(threads[i]);
	assert_int_equal(arena->counter, contenders());
	free_arena(arena);
}

/*
 * The one who finds itself the last user frees the lock, at once: unlock of the
 * one before may touch it no more. AddressSanitizer is the judge.
 */
static void *lock_and_free(void *argument)
{
	struct actor *self = argument;
	struct arena *arena = self->arena;
	bool last;

	kind->lock(&arena->object, self->node);
	last = ++arena->counter == 2;
	kind->unlock(&arena->object, self->node);
	if (last)
		free_arena(arena);
	return NULL;
}

static void memory_may_be_freed_right_after_the_last_unlock(void **state)
{
	(void)state;
	if (!kind->ours)
		return; /* the nodes of queue locks, and glibc's locks, promise less */
	for (int i = 0; i < (UNDER_TSAN ? 50 : 400); i++) {
		struct actor actors[THREADS];

		new_arena(actors);
		run_all(lock_and_free, actors, 2);
	}
}

/* In the strictest seccomp mode any call but read, write and exit kills. */
static void a_free_lock_is_used_without_a_system_call(void **state)
{
	struct actor actors[THREADS];
	struct arena *arena = new_arena(actors);
	pid_t child;

	(void)state;
	if (!kind->ours || UNDER_TSAN) { /* whose own calls would be killed */
		free_arena(arena);
		return;
	}
	child = fork();
	assert_int_not_equal(child, -1);
	if (child == 0) {
		struct timespec past = { 0, 0 };

		prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
		for (int i = 0; i < 1000; i++) {
			kind->lock(&arena->object, &arena->nodes[0]);
			kind->unlock(&arena->object, &arena->nodes[0]);
			if (kind->trylock(&arena->object, &arena->nodes[0]) == 0)
				kind->unlock(&arena->object, &arena->nodes[0]);
			if (kind->timedlock(&arena->object, &arena->nodes[0], &past) == 0)
				kind->unlock(&arena->object, &arena->nodes[0]);
		}
		syscall(SYS_exit, 0);
	}
	test_child_succeeded(child);
	free_arena(arena);
}

static void processes_exclude_each_other(void **state)
{
	struct arena *arena = test_shared_memory(sizeof(*arena));
	struct actor parent = { arena, &arena->nodes[0] };
	struct actor other = { arena, &arena->nodes[1] };
	pid_t child;

	(void)state;
	if (kind->init_shared) {
		assert_int_equal(kind->init_shared(&arena->object), 0);
		child = fork();
		assert_int_not_equal(child, -1);
		if (child == 0) {
			increment(&other);
			_exit(0);
		}
		increment(&parent);
		test_child_succeeded(child);
		assert_int_equal(arena->counter, 2L * rounds());
		assert_int_equal(arena->failures, 0);
	}
	munmap(arena, sizeof(*arena));
}

static void a_sleeper_is_woken_by_another_process(void **state)
{
	struct arena *arena = test_shared_memory(sizeof(*arena));
	struct actor other = { arena, &arena->nodes[1] };
	pid_t child;

	(void)state;
	if (kind->init_shared) {
		assert_int_equal(kind->init_shared(&arena->object), 0);
		kind->lock(&arena->object, &arena->nodes[0]);
		child = fork();
		assert_int_not_equal(child, -1);
		if (child == 0) {
			lock_once(&other);
			_exit(0);
		}
		test_until_count(&arena->started, 1);
		test_sleep_ms(30);
		assert_int_equal(arena->counter, 0);
		kind->unlock(&arena->object, &arena->nodes[0]);
		test_child_succeeded(child);
		assert_int_equal(arena->counter, 1);
	}
	munmap(arena, sizeof(*arena));
}

static int run_contract(const struct bench_lock *lock)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(excludes),
		cmocka_unit_test(trylock_takes_a_free_lock_and_refuses_a_held_one),
		cmocka_unit_test(trylock_excludes),
		cmocka_unit_test(timedlock_takes_a_free_lock_even_late_and_gives_up_on_a_held_one),
		cmocka_unit_test(timedlock_refuses_an_impossible_time),
		cmocka_unit_test(giving_up_strands_nobody),
		cmocka_unit_test(all_waiters_get_through_after_a_long_hold),
		cmocka_unit_test(memory_may_be_freed_right_after_the_last_unlock),
		cmocka_unit_test(a_free_lock_is_used_without_a_system_call),
		cmocka_unit_test(processes_exclude_each_other),
		cmocka_unit_test(a_sleeper_is_woken_by_another_process),
	};

	kind = lock;
	return cmocka_run_group_tests_name(lock->name, tests, NULL, NULL);
}

int main(void)
{
	int failed = 0;

	for (size_t i = 0; bench_locks[i]; i++) {
		if (UNDER_TSAN && !bench_locks[i]->visible_to_tsan)
			printf("%s: skipped, ThreadSanitizer cannot see its ordering\n", bench_locks[i]->name);
		else
			failed += run_contract(bench_locks[i]);
	}
	return failed;
}
