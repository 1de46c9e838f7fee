/* SPDX-License-Identifier: MIT */
/* The live profile: read while it is replaced, by threads that come and go, across fork, in a sandbox; and kept true. */
#include "tests/unit/filter.h"
#include "tests/unit/support.h"

#include "detect/affinity.h"
#include "detect/tuning.h"

#include <guestsync/mutex.h>
#include <guestsync/profile.h>

#include <dirent.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>

#define STEP 1000u
#define ROUNDS 200u /* three publications each: the slots are used again and again */
#define ROUNDS_LEAST 20u /* the same where each must wait long for its readers, as in an emulated guest */
#define REPLACE_MS 5000

static pid_t fork_child(void)
{
	pid_t child = fork();

	assert_int_not_equal(child, -1);
	if (child == 0)
		alarm(30);
	return child;
}

/* ---- before this process has measured */

static void *tune_while_cancelled(void *argument)
{
	pthread_cancel(pthread_self());
	gsync_tune();
	*(bool *)argument = true;
	pthread_testcancel();
	return NULL;
}

/* Measuring sleeps, and sleeping is where threads are cancelled: that would leave everybody else without a profile. */
static void measuring_is_no_cancellation_point(void **state)
{
	bool came_back = false;
	pid_t child;

	(void)state;
	assert_false(gsync_is_tuned());
	child = fork_child();
	if (child == 0) {
		test_join(test_thread(tune_while_cancelled, &came_back));
		_exit(came_back && gsync_is_tuned() ? 0 : 1);
	}
	test_child_succeeded(child);
}

/* ---- readers while it is replaced */

static uint32_t stop;
static uint32_t torn;
static uint64_t most_apart; /* in ticks */
static uint64_t last; /* that they were set to */

/* spin is set first, barrier last, each to the same value in turn: so whoever sees a whole profile sees this. */
static void look_at_it(void)
{
	const struct gsync_tuning tuning = gsync_tuning();

	if (tuning.spin < tuning.near || tuning.near < tuning.barrier || tuning.spin - tuning.barrier > most_apart)
		__atomic_store_n(&torn, 1u, __ATOMIC_RELAXED);
}

static void *keep_looking(void *argument)
{
	(void)argument;
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE))
		look_at_it();
	return NULL;
}

static void *look_once(void *argument)
{
	(void)argument;
	look_at_it();
	return NULL;
}

static void *start_and_stop_threads(void *argument)
{
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		pthread_t threads[4];

		for (int i = 0; i < 4; i++)
			threads[i] = test_thread(look_once, NULL);
		for (int i = 0; i < 4; i++)
			test_join(threads[i]);
	}
	return argument;
}

static void set_all_to(uint64_t value)
{
	assert_int_equal(gsync_profile_set("spin_ns", value), 0);
	assert_int_equal(gsync_profile_set("near_ns", value), 0);
	assert_int_equal(gsync_profile_set("barrier_ns", value), 0);
}

static void begin(void)
{
	stop = torn = 0;
	most_apart = (uint64_t)(STEP * gsync_ticks_per_ns(gsync_calibration_of_process())) + 1;
	set_all_to(STEP);
}

static void end(void)
{
	uint64_t value;

	assert_int_equal(torn, 0);
	assert_int_equal(gsync_profile_get("barrier_ns", &value), 0);
	assert_int_equal(value, last);
	assert_int_equal(gsync_profile_reset(NULL), 0);
}

static void *replace(void *argument)
{
	struct timespec enough = test_deadline(REPLACE_MS);

	for (uint64_t i = 2; i <= ROUNDS && (i <= ROUNDS_LEAST || !test_has_passed(&enough)); i++) {
		set_all_to(i * STEP);
		last = i * STEP;
	}
	return argument;
}

static void readers_see_whole_profiles_while_they_are_replaced(void **state)
{
	pthread_t readers[4];
	pthread_t churn;

	(void)state;
	begin();
	for (int i = 0; i < 4; i++)
		readers[i] = test_thread(keep_looking, NULL);
	churn = test_thread(start_and_stop_threads, NULL);
	replace(NULL);
	__atomic_store_n(&stop, 1u, __ATOMIC_RELEASE);
	for (int i = 0; i < 4; i++)
		test_join(readers[i]);
	test_join(churn);
	end();
}

/* The child has none of the readers that its parent had, whatever they were doing. */
static void a_child_replaces_it_without_waiting_for_its_parents_readers(void **state)
{
	pthread_t readers[3];
	pthread_t writer;

	(void)state;
	begin();
	for (int i = 0; i < 3; i++)
		readers[i] = test_thread(keep_looking, NULL);
	writer = test_thread(replace, NULL);
	for (int i = 0; i < 20; i++) {
		pid_t child = fork_child();

		if (child == 0) {
			uint64_t value = 0;

			for (uint64_t k = 1; k <= 20; k++)
				if (gsync_profile_set("spin_ns", k) != 0)
					_exit(1);
			_exit(gsync_profile_get("spin_ns", &value) == 0 && value == 20 && gsync_tuning().spin > 0 ? 0 : 2);
		}
		test_child_succeeded(child);
	}
	test_join(writer);
	__atomic_store_n(&stop, 1u, __ATOMIC_RELEASE);
	for (int i = 0; i < 3; i++)
		test_join(readers[i]);
	end();
}

/* ---- interrupted, and confined */

static gsync_mutex_t held = GSYNC_MUTEX_INIT;

static void wait_in_vain(int signal)
{
	struct timespec soon = test_deadline(0);

	(void)signal;
	if (gsync_mutex_timedlock(&held, &soon) == 0)
		abort();
}

static void a_signal_handler_may_wait_while_its_thread_replaces_it(void **state)
{
	struct itimerval often = { { 0, 300 }, { 0, 300 } };
	struct itimerval never = { { 0, 0 }, { 0, 0 } };
	struct sigaction action = { .sa_handler = wait_in_vain, .sa_flags = SA_RESTART };
	struct timespec until = test_deadline(300);

	(void)state;
	gsync_mutex_lock(&held);
	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	for (uint64_t i = 1; !test_has_passed(&until); i++) {
		assert_int_equal(gsync_profile_set("spin_ns", i % 1000), 0);
		gsync_look_again(true);
	}
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	signal(SIGALRM, SIG_DFL);
	gsync_mutex_unlock(&held);
	assert_int_equal(gsync_profile_reset(NULL), 0);
}

static void a_sandbox_entered_later_does_not_end_the_process(void **state)
{
	static const unsigned errors[] = { EPERM, ENOSYS };

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		pid_t child = fork_child();

		if (child == 0) {
			uint64_t before = gsync_tuning().spin;

			if (!test_refuse(SYS_membarrier, errors[i]))
				_exit(TEST_NO_SECCOMP);
			for (uint64_t k = 1; k <= 20; k++)
				gsync_profile_set("spin_ns", k);
			/* The slots are used up: waiters go on with what they have. */
			_exit(gsync_tuning().spin == before ? 0 : 1);
		}
		test_filtered_child_succeeded(child);
	}
}

/* ---- kept true */

/* As waiters do it; never longer than the test's patience. */
static bool wait_until_usable(uint64_t cpus)
{
	struct timespec until = test_deadline(10000);
	uint64_t value = 0;

	gsync_mutex_lock(&held);
	do {
		struct timespec soon = test_deadline(30);

		assert_int_equal(gsync_mutex_timedlock(&held, &soon), ETIMEDOUT);
		assert_int_equal(gsync_profile_get("usable_cpus", &value), 0);
	} while (value != cpus && !test_has_passed(&until));
	gsync_mutex_unlock(&held);
	return value == cpus;
}

static bool is_allowed(const cpu_set_t *set, int cpu)
{
	return CPU_ISSET((size_t)cpu, set);
}

static int next_cpu(const cpu_set_t *set, int cpu)
{
	while (cpu < CPU_SETSIZE && !is_allowed(set, cpu))
		cpu++;
	return cpu;
}

/* All threads: ThreadSanitizer has one of its own. */
static void allow_everyone(const cpu_set_t *set)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *entry;

	assert_non_null(tasks);
	while ((entry = readdir(tasks)))
		if (entry->d_name[0] != '.')
			assert_int_equal(sched_setaffinity(atoi(entry->d_name), sizeof(*set), set), 0);
	closedir(tasks);
}

static cpu_set_t only(int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((size_t)cpu, &one);
	return one;
}

static void the_profile_follows_the_affinity(void **state)
{
	uint64_t before;
	cpu_set_t all, one;

	(void)state;
	assert_int_equal(gsync_profile_reset(NULL), 0);
	assert_int_equal(gsync_profile_get("usable_cpus", &before), 0);
	if (before < 2 || sched_getaffinity(0, sizeof(all), &all) != 0)
		skip();
	one = only(next_cpu(&all, 0));
	allow_everyone(&one);
	assert_true(wait_until_usable(1));
	assert_int_equal(gsync_tuning().usable_cpus, 1);
	assert_int_equal(gsync_tuning().spin, 0);
	allow_everyone(&all);
	assert_true(wait_until_usable(before));
	assert_true(gsync_tuning().spin > 0);
}

static void *stay_on(void *argument)
{
	cpu_set_t one = only(*(int *)argument);

	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	__atomic_store_n(&stop, 2u, __ATOMIC_RELEASE);
	test_until_set(&stop, 1);
	return NULL;
}

static void threads_pinned_to_one_cpu_each_use_all_of_them(void **state)
{
	struct gsync_cpu_mask mask;
	cpu_set_t all, one;
	struct timespec late = test_deadline(10000);
	pthread_t other;
	int first, second;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	first = next_cpu(&all, 0);
	second = next_cpu(&all, first + 1);
	if (second == CPU_SETSIZE)
		skip();
	one = only(first);
	allow_everyone(&one);
	stop = 0;
	other = test_thread(stay_on, &second);
	test_until_set(&stop, 2);
	errno = EXDEV;
	assert_int_equal(gsync_affinity_read(&mask, 0), 2);
	assert_int_equal(errno, EXDEV);
	assert_true(gsync_mask_has(&mask, (unsigned)first) && gsync_mask_has(&mask, (unsigned)second));
	__atomic_store_n(&stop, 1u, __ATOMIC_RELEASE);
	test_join(other);
	/* A thread that has been joined stands in /proc for a moment longer. */
	while (gsync_affinity_read(&mask, 0) != 1 && !test_has_passed(&late))
		sched_yield();
	assert_int_equal(gsync_affinity_read(&mask, 0), 1);
	allow_everyone(&all);
}

static void looking_and_setting_keep_errno(void **state)
{
	uint64_t value;

	(void)state;
	errno = EXDEV;
	gsync_look_again(true);
	gsync_tune();
	gsync_profile_of_process(&(struct gsync_profile){ 0 }, NULL);
	assert_int_equal(gsync_profile_set("spin_ns", 3), 0);
	assert_int_equal(gsync_profile_get("spin_ns", &value), 0);
	assert_int_equal(gsync_profile_reset("spin_ns"), 0);
	assert_int_equal(errno, EXDEV);
}

static void *keeps_errno_when_it_is_new(void *argument)
{
	errno = EXDEV;
	gsync_tuning();
	*(int *)argument = errno;
	test_until_set(&stop, 1);
	return NULL;
}

/* liburcu makes room for more readers when many threads are alive, and that may fail in part. */
static void the_first_wait_of_many_threads_keeps_errno(void **state)
{
	enum { THREADS = 100 };
	pthread_t threads[THREADS];
	int seen[THREADS];

	(void)state;
	stop = 0;
	for (int i = 0; i < THREADS; i++)
		threads[i] = test_thread(keeps_errno_when_it_is_new, &seen[i]);
	__atomic_store_n(&stop, 1u, __ATOMIC_RELEASE);
	for (int i = 0; i < THREADS; i++)
		test_join(threads[i]);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(seen[i], EXDEV);
}

static void pressure_expires(void **state)
{
	(void)state;
	gsync_live.pressed_until = gsync_ticks() + gsync_live.look_interval;
	assert_true(gsync_is_pressed());
	gsync_live.pressed_until = gsync_ticks();
	assert_false(gsync_is_pressed());
	/* Left over from before the clock was set back. */
	gsync_live.pressed_until = gsync_ticks() + 10 * gsync_live.look_interval;
	assert_false(gsync_is_pressed());
	gsync_live.pressed_until = 0;
	assert_false(gsync_is_pressed());
}

/* A reader cannot wait for itself: a handler that interrupts one publishes nothing that needs a grace period. */
static void a_reader_that_is_interrupted_is_not_waited_for(void **state)
{
	int error = 0;

	(void)state;
	urcu_bp_read_lock();
	for (uint64_t i = 1; i <= 10 && error == 0; i++)
		error = gsync_profile_set("spin_ns", i);
	urcu_bp_read_unlock();
	assert_int_equal(error, EPERM);
	assert_int_equal(gsync_profile_reset(NULL), 0);
}

static bool looks_when_next_is(uint64_t next)
{
	gsync_live.next_look = next;
	gsync_look_if_due(gsync_ticks(), true);
	return gsync_live.next_look != next;
}

static void somebody_looks_when_it_is_time(void **state)
{
	uint64_t now;

	(void)state;
	gsync_look_again(true);
	now = gsync_ticks();
	assert_true(looks_when_next_is(now));
	assert_true(looks_when_next_is(now - 1000000000000));
	assert_false(looks_when_next_is(gsync_ticks() + gsync_live.look_interval));
	/* The clock was set back: by a suspend, a migration. */
	assert_true(looks_when_next_is(gsync_ticks() + 1000000000000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(measuring_is_no_cancellation_point),
		cmocka_unit_test(readers_see_whole_profiles_while_they_are_replaced),
		cmocka_unit_test(a_child_replaces_it_without_waiting_for_its_parents_readers),
		cmocka_unit_test(a_signal_handler_may_wait_while_its_thread_replaces_it),
		cmocka_unit_test(a_sandbox_entered_later_does_not_end_the_process),
		cmocka_unit_test(the_profile_follows_the_affinity),
		cmocka_unit_test(threads_pinned_to_one_cpu_each_use_all_of_them),
		cmocka_unit_test(looking_and_setting_keep_errno),
		cmocka_unit_test(the_first_wait_of_many_threads_keeps_errno),
		cmocka_unit_test(pressure_expires),
		cmocka_unit_test(a_reader_that_is_interrupted_is_not_waited_for),
		cmocka_unit_test(somebody_looks_when_it_is_time),
	};

	return cmocka_run_group_tests_name("tuning", tests, NULL, NULL);
}
