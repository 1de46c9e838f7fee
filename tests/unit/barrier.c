/* SPDX-License-Identifier: MIT */
/* gsync_barrier: phases, the one serial thread, destruction right after a return. */
#include "tests/unit/support.h"

#include <guestsync/barrier.h>

#define PHASES 300

struct party {
	gsync_barrier_t barrier;
	uint32_t count;
	uint32_t arrived[PHASES];
	uint32_t serials[PHASES];
	uint32_t early;
};

static void init_refuses_bad_counts_and_flags(void **state)
{
	gsync_barrier_t barrier;

	(void)state;
	assert_int_equal(gsync_barrier_init(&barrier, 0, 0), EINVAL);
	assert_int_equal(gsync_barrier_init(&barrier, GSYNC_BARRIER_COUNT_MAX + 1, 0), EINVAL);
	assert_int_equal(gsync_barrier_init(&barrier, 2, 2), EINVAL);
	assert_int_equal(gsync_barrier_init(&barrier, GSYNC_BARRIER_COUNT_MAX, 0), 0);
	assert_int_equal(gsync_barrier_init(&barrier, 1, GSYNC_PROCESS_SHARED), 0);
}

static void alone_one_is_the_serial_thread(void **state)
{
	gsync_barrier_t barrier;

	(void)state;
	memset(&barrier, 0, sizeof(barrier)); /* zeroed memory is a barrier of one */
	for (int i = 0; i < 3; i++)
		assert_int_equal(gsync_barrier_wait(&barrier), GSYNC_BARRIER_SERIAL_THREAD);
	assert_int_equal(gsync_barrier_destroy(&barrier), 0);
}

static void serial_thread_is_posix_equivalent(void **state)
{
	(void)state;
	assert_int_equal(GSYNC_BARRIER_SERIAL_THREAD, PTHREAD_BARRIER_SERIAL_THREAD);
}

static void *pass_phases(void *argument)
{
	struct party *party = argument;

	for (int phase = 0; phase < PHASES; phase++) {
		__atomic_fetch_add(&party->arrived[phase], 1u, __ATOMIC_RELAXED);
		if (gsync_barrier_wait(&party->barrier) == GSYNC_BARRIER_SERIAL_THREAD)
			__atomic_fetch_add(&party->serials[phase], 1u, __ATOMIC_RELAXED);
		if (__atomic_load_n(&party->arrived[phase], __ATOMIC_RELAXED) != party->count)
			__atomic_fetch_add(&party->early, 1u, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void check_phases(uint32_t count)
{
	struct party *party = calloc(1, sizeof(*party));
	pthread_t threads[16];

	assert_non_null(party);
	party->count = count;
	assert_int_equal(gsync_barrier_init(&party->barrier, count, 0), 0);
	for (uint32_t i = 0; i < count; i++)
		threads[i] = test_thread(pass_phases, party);
	for (uint32_t i = 0; i < count; i++)
		test_join(threads[i]);
	assert_int_equal(party->early, 0);
	for (int phase = 0; phase < PHASES; phase++)
		assert_int_equal(party->serials[phase], 1);
	assert_int_equal(gsync_barrier_destroy(&party->barrier), 0);
	free(party);
}

static void nobody_leaves_before_all_have_come_and_one_is_serial(void **state)
{
	(void)state;
	check_phases(2);
	check_phases(3);
	check_phases(8);
	check_phases(16);
}

/* The phase number's wrap must not be noticed: start just before it. */
static void phases_wrap(void **state)
{
	struct party *party = calloc(1, sizeof(*party));
	pthread_t other;

	(void)state;
	assert_non_null(party);
	party->count = 2;
	assert_int_equal(gsync_barrier_init(&party->barrier, 2, 0), 0);
	party->barrier.state = (uint64_t)(UINT32_MAX - PHASES + 1) << 32;
	other = test_thread(pass_phases, party);
	pass_phases(party);
	test_join(other);
	assert_int_equal(party->early, 0);
	assert_int_equal(gsync_barrier_destroy(&party->barrier), 0);
	free(party);
}

/* Whoever is serial destroys and frees at once, while the others may not even be awake. */
static void *wait_and_free(void *argument)
{
	gsync_barrier_t *barrier = argument;

	if (gsync_barrier_wait(barrier) == GSYNC_BARRIER_SERIAL_THREAD) {
		assert_int_equal(gsync_barrier_destroy(barrier), 0);
		free(barrier);
	}
	return NULL;
}

static void may_be_destroyed_and_freed_as_soon_as_one_wait_returned(void **state)
{
	(void)state;
	for (int i = 0; i < 200; i++) {
		gsync_barrier_t *barrier = calloc(1, sizeof(*barrier));
		uint32_t count = 2 + (uint32_t)i % 5;
		pthread_t threads[6];

		assert_non_null(barrier);
		assert_int_equal(gsync_barrier_init(barrier, count, 0), 0);
		for (uint32_t k = 0; k < count; k++)
			threads[k] = test_thread(wait_and_free, barrier);
		for (uint32_t k = 0; k < count; k++)
			test_join(threads[k]);
	}
}

static void *wait_once(void *argument)
{
	gsync_barrier_wait(argument);
	return NULL;
}

static void destroy_refuses_while_threads_wait(void **state)
{
	gsync_barrier_t barrier = GSYNC_BARRIER_INIT(2);
	pthread_t other = test_thread(wait_once, &barrier);

	(void)state;
	while ((uint32_t)__atomic_load_n(&barrier.state, __ATOMIC_ACQUIRE) == 0)
		sched_yield();
	assert_int_equal(gsync_barrier_destroy(&barrier), EBUSY);
	gsync_barrier_wait(&barrier);
	test_join(other);
	assert_int_equal(gsync_barrier_destroy(&barrier), 0);
}

struct flow {
	gsync_barrier_t barrier;
	uint32_t left; /* waits still to be begun */
	uint32_t serials;
};

static void *wait_while_there_is_work(void *argument)
{
	struct flow *flow = argument;

	for (;;) {
		uint32_t left = __atomic_load_n(&flow->left, __ATOMIC_RELAXED);

		do {
			if (left == 0)
				return NULL;
		} while (!__atomic_compare_exchange_n(&flow->left, &left, left - 1, false, __ATOMIC_RELAXED,
						      __ATOMIC_RELAXED));
		if (gsync_barrier_wait(&flow->barrier) == GSYNC_BARRIER_SERIAL_THREAD)
			__atomic_fetch_add(&flow->serials, 1u, __ATOMIC_RELAXED);
	}
}

static void more_threads_than_participants_pass_in_groups(void **state)
{
	struct flow flow = { GSYNC_BARRIER_INIT(2), 2000, 0 };
	pthread_t threads[6];

	(void)state;
	for (int i = 0; i < 6; i++)
		threads[i] = test_thread(wait_while_there_is_work, &flow);
	for (int i = 0; i < 6; i++)
		test_join(threads[i]);
	assert_int_equal(flow.serials, 1000);
	assert_int_equal(gsync_barrier_destroy(&flow.barrier), 0);
}

/*
 * Four have arrived at a barrier of two, but nobody has ended a phase yet: who
 * comes now belongs to the third. What the stalled four would do is done by hand.
 */
static void one_who_comes_two_phases_early_waits_for_its_own(void **state)
{
	const uint64_t end_phase = ((uint64_t)1 << 33) - 2;
	struct flow flow = { GSYNC_BARRIER_INIT(2), 2, 0 };
	pthread_t early;
	pthread_t last;

	(void)state;
	flow.barrier.state = 4;
	flow.left = 1;
	early = test_thread(wait_while_there_is_work, &flow);
	while ((uint32_t)__atomic_load_n(&flow.barrier.state, __ATOMIC_ACQUIRE) != 5)
		sched_yield();
	for (int i = 0; i < 2; i++) {
		test_sleep_ms(2);
		assert_int_equal((uint32_t)__atomic_load_n(&flow.barrier.state, __ATOMIC_ACQUIRE), 5 - 2 * i);
		__atomic_fetch_add(&flow.barrier.state, end_phase, __ATOMIC_ACQ_REL);
	}
	test_sleep_ms(2);
	assert_int_equal((uint32_t)__atomic_load_n(&flow.barrier.state, __ATOMIC_ACQUIRE), 1);
	__atomic_store_n(&flow.left, 1u, __ATOMIC_RELAXED);
	last = test_thread(wait_while_there_is_work, &flow);
	test_join(early);
	test_join(last);
	assert_int_equal(flow.serials, 1);
	assert_int_equal(gsync_barrier_destroy(&flow.barrier), 0);
}

static void processes_wait_for_each_other(void **state)
{
	struct party *party = test_shared_memory(sizeof(*party));
	pid_t child;

	(void)state;
	party->count = 2;
	assert_int_equal(gsync_barrier_init(&party->barrier, 2, GSYNC_PROCESS_SHARED), 0);
	child = fork();
	assert_int_not_equal(child, -1);
	if (child == 0) {
		pass_phases(party);
		_exit(0);
	}
	test_sleep_ms(10);
	pass_phases(party);
	test_child_succeeded(child);
	assert_int_equal(party->early, 0);
	for (int phase = 0; phase < PHASES; phase++)
		assert_int_equal(party->serials[phase], 1);
	munmap(party, sizeof(*party));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(init_refuses_bad_counts_and_flags),
		cmocka_unit_test(alone_one_is_the_serial_thread),
		cmocka_unit_test(serial_thread_is_posix_equivalent),
		cmocka_unit_test(nobody_leaves_before_all_have_come_and_one_is_serial),
		cmocka_unit_test(phases_wrap),
		cmocka_unit_test(may_be_destroyed_and_freed_as_soon_as_one_wait_returned),
		cmocka_unit_test(destroy_refuses_while_threads_wait),
		cmocka_unit_test(more_threads_than_participants_pass_in_groups),
		cmocka_unit_test(one_who_comes_two_phases_early_waits_for_its_own),
		cmocka_unit_test(processes_wait_for_each_other),
	};

	return cmocka_run_group_tests_name("barrier", tests, NULL, NULL);
}
