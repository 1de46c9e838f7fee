/* SPDX-License-Identifier: MIT */
/* The futex file: deadlines, channels, values, errno. */
#include "tests/unit/support.h"

#include "primitives/futex.h"

static uint32_t word;

static void a_changed_word_ends_the_wait_at_once(void **state)
{
	(void)state;
	word = 1;
	assert_int_equal(gsync_futex_wait(&word, 0, GSYNC_ANYBODY, NULL, false), GSYNC_SLEEP_NONE);
}

static void a_deadline_ends_the_wait_and_errno_stays(void **state)
{
	struct timespec soon = test_deadline(3);

	(void)state;
	word = 0;
	errno = EXDEV;
	/* Returns for other reasons are allowed; each is answered by another wait. */
	while (gsync_futex_wait(&word, 0, GSYNC_ANYBODY, &soon, false) != GSYNC_SLEEP_TIMED_OUT)
		assert_false(test_has_passed(&soon) && errno != EXDEV);
	assert_true(test_has_passed(&soon));
	assert_int_equal(errno, EXDEV);
}

static void a_deadline_before_the_clock_began_is_over(void **state)
{
	struct timespec before = { -5, 0 };

	(void)state;
	word = 0;
	assert_int_equal(gsync_futex_wait(&word, 0, GSYNC_ANYBODY, &before, false), GSYNC_SLEEP_TIMED_OUT);
}

static void waking_nobody_wakes_nobody(void **state)
{
	(void)state;
	errno = EXDEV;
	assert_int_equal(gsync_futex_wake(&word, GSYNC_WAKE_ALL, GSYNC_ANYBODY, false), 0);
	assert_int_equal(gsync_futex_wake(&word, 1, 1, true), 0);
	assert_int_equal(errno, EXDEV);
}

static void waking_memory_that_is_gone_is_harmless(void **state)
{
	uint32_t *gone = test_shared_memory(4096);

	(void)state;
	munmap(gone, 4096);
	assert_int_equal(gsync_futex_wake(gone, 1, GSYNC_ANYBODY, true), 0);
	assert_int_equal(gsync_futex_wake(gone, 1, GSYNC_ANYBODY, false), 0);
}

static void *listen_on_second_channel(void *argument)
{
	(void)argument;
	while (__atomic_load_n(&word, __ATOMIC_ACQUIRE) == 0)
		gsync_futex_wait(&word, 0, 2, NULL, false);
	return NULL;
}

static void a_wake_up_reaches_its_channel_only(void **state)
{
	pthread_t listener;

	(void)state;
	word = 0;
	listener = test_thread(listen_on_second_channel, NULL);
	test_sleep_ms(20);
	assert_int_equal(gsync_futex_wake(&word, GSYNC_WAKE_ALL, 1, false), 0);
	__atomic_store_n(&word, 1u, __ATOMIC_RELEASE);
	gsync_futex_wake(&word, GSYNC_WAKE_ALL, 2, false);
	test_join(listener);
}

static void deadlines_are_judged(void **state)
{
	const struct timespec good[] = { { 0, 0 }, { -1, 5 }, { 1, 999999999 } };
	const struct timespec bad[] = { { 0, -1 }, { 0, 1000000000 } };
	struct timespec soon = gsync_deadline_in(1000);
	struct timespec later = gsync_deadline_in(2000000000u);

	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_true(gsync_deadline_valid(&good[i]));
	for (size_t i = 0; i < 2; i++)
		assert_false(gsync_deadline_valid(&bad[i]));
	assert_true(gsync_deadline_before(&soon, &later));
	assert_false(gsync_deadline_before(&later, &soon));
	assert_false(gsync_deadline_before(&soon, &soon));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_changed_word_ends_the_wait_at_once),
		cmocka_unit_test(a_deadline_ends_the_wait_and_errno_stays),
		cmocka_unit_test(a_deadline_before_the_clock_began_is_over),
		cmocka_unit_test(waking_nobody_wakes_nobody),
		cmocka_unit_test(waking_memory_that_is_gone_is_harmless),
		cmocka_unit_test(a_wake_up_reaches_its_channel_only),
		cmocka_unit_test(deadlines_are_judged),
	};

	return cmocka_run_group_tests_name("futex", tests, NULL, NULL);
}
