/* SPDX-License-Identifier: MIT */
/*
 * The torture finds what is broken: each of the broken things within a minute, and
 * by what it breaks; nothing in the same lock without a fault. A stage that finds
 * nothing is repeated with other seeds until the minute is over.
 */
#include "tests/unit/support.h"

#include <signal.h>

#include "cli/torture.h"
#include "tests/torture/broken.h"

#define THREADS 6u
#define STAGE_S 3.0
#define BOUND_S 3.0 /* the broken wait for ever, so a short one will do */
#define SECONDS_MOST 60.0

#ifdef __SANITIZE_ADDRESS__
#define UNDER_ASAN true
#else
#define UNDER_ASAN false
#endif

static struct torture_result play(const struct torture_act *act, const struct torture_subject *subject, unsigned round,
				  FILE *log)
{
	const struct torture_stage stage = { subject, act, round, false };
	const struct torture_plan plan = {
		.seed = 1, .threads = THREADS, .seconds = STAGE_S, .bound_s = BOUND_S, .log = log,
	};
	struct torture_result result;
	struct bench_error error;

	/* CMocka's handler would make an exit of what is a crash. */
	signal(SIGSEGV, SIG_DFL);
	if (torture_stage_play(&stage, &plan, &result, &error) != 0)
		fail_msg("%s", error.text);
	return result;
}

/* WHY: words of which one must be in what the torture says. */
static void assert_caught(const struct torture_act *act, const struct torture_subject *subject,
			  const char *const why[2])
{
	struct torture_result result;
	double seconds = 0;
	char *told = NULL;
	size_t length;
	unsigned round = 0;

	do {
		FILE *log;

		free(told);
		log = open_memstream(&told, &length);
		assert_non_null(log);
		result = play(act, subject, ++round, log);
		fclose(log);
		seconds += result.seconds; /* in which it was watched: this machine may be frozen */
	} while (result.failure[0] == '\0' && seconds < SECONDS_MOST);
	printf("%s, %s: \"%s\" after %.1f s\n", subject->name, act->name, result.failure, seconds);
	if (strstr(result.failure, why[0]) == NULL && strstr(result.failure, why[1]) == NULL)
		fail_msg("%s was not caught by what it breaks: \"%s\"", subject->name, result.failure);
	/* Whoever reads it must be able to do it again, and to see where all stand. */
	assert_non_null(strstr(told, "seed 1"));
	assert_non_null(strstr(told, "thread 0"));
	free(told);
}

static void assert_lock_caught(const struct torture_act *act, const struct bench_lock *lock, const char *first,
			       const char *second)
{
	const struct torture_subject subject = { lock->name, lock, NULL };
	const char *const why[] = { first, second };

	assert_true(torture_suits(act, &subject));
	assert_caught(act, &subject, why);
}

/* What hangs takes as long as the bound, and AddressSanitizer would see no more of it. */
static void skip_where_memory_is_judged(void)
{
	if (UNDER_ASAN)
		skip();
}

/* ThreadSanitizer may be first: it sees the race. */
static void finds_a_lock_that_does_not_exclude(void **state)
{
	(void)state;
	assert_lock_caught(&torture_crowd, &broken_exclusion, "hold", UNDER_TSAN ? "status" : "counter under the lock");
}

static void finds_a_lock_that_loses_wake_ups(void **state)
{
	(void)state;
	skip_where_memory_is_judged();
	assert_lock_caught(&torture_crowd, &broken_wake_up, "should be through", "does not end");
}

static void finds_a_lock_that_does_not_serve_in_order(void **state)
{
	(void)state;
	assert_lock_caught(&torture_line, &broken_order, "was served after", "was served after");
}

/* By AddressSanitizer, or because the page is gone, or by malloc, whose memory it is now. */
static void finds_a_lock_that_is_touched_after_its_release(void **state)
{
	(void)state;
	assert_lock_caught(&torture_ends, &broken_end, UNDER_ASAN || UNDER_TSAN ? "status" : "died",
			   UNDER_ASAN ? "status" : "died");
}

static void finds_a_lock_whose_timeouts_come_early(void **state)
{
	(void)state;
	assert_lock_caught(&torture_crowd, &broken_timeout, "before its deadline", "before its deadline");
}

static void finds_a_barrier_that_lets_one_through(void **state)
{
	const struct torture_subject subject = { broken_barrier.name, NULL, &broken_barrier };
	const char *const why[] = { "has not arrived", UNDER_TSAN ? "status" : "should be through" };

	(void)state;
	assert_caught(&torture_phases, &subject, why);
}

static void finds_a_barrier_that_processes_do_not_share(void **state)
{
	const struct torture_subject subject = { broken_sharing.name, NULL, &broken_sharing };
	const char *const why[] = { "in wait at", "in destroy of" };

	(void)state;
	skip_where_memory_is_judged();
	assert_caught(&torture_barrier_processes, &subject, why);
}

static void finds_a_pool_that_loses_wake_ups_of_groups(void **state)
{
	const struct torture_subject subject = { "broken_pool", NULL, NULL };
	const char *const why[] = { "should be through", "does not end" };

	(void)state;
	skip_where_memory_is_judged();
	broken_pool = true;
	assert_caught(&torture_pool, &subject, why);
	broken_pool = false;
}

static void finds_nothing_in_a_sound_lock(void **state)
{
	const struct torture_subject subject = { sound.name, &sound, NULL };
	const struct torture_act *const acts[] = { &torture_crowd, &torture_ends };

	(void)state;
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
		assert_string_equal(play(acts[i], &subject, 1, stderr).failure, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_a_lock_that_does_not_exclude),
		cmocka_unit_test(finds_a_lock_that_loses_wake_ups),
		cmocka_unit_test(finds_a_lock_that_does_not_serve_in_order),
		cmocka_unit_test(finds_a_lock_that_is_touched_after_its_release),
		cmocka_unit_test(finds_a_lock_whose_timeouts_come_early),
		cmocka_unit_test(finds_a_barrier_that_lets_one_through),
		cmocka_unit_test(finds_a_barrier_that_processes_do_not_share),
		cmocka_unit_test(finds_a_pool_that_loses_wake_ups_of_groups),
		cmocka_unit_test(finds_nothing_in_a_sound_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
