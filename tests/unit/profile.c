/* SPDX-License-Identifier: MIT */
/* The rules that turn measurements into thresholds. */
#include "tests/unit/support.h"

#include "detect/tuning.h"

static const struct gsync_calibration halting = {
	.counter_mhz = 2400,
	.counter_trusted = true,
	.pause_ns = 22,
	.pause_trusted = true,
	.wake_ns = 20000,
	.wake_trusted = true,
};

static struct gsync_profile derive(const struct gsync_calibration *calibration, double usable_cpus)
{
	struct gsync_conditions conditions = { .calibration = *calibration, .usable_cpus = usable_cpus };
	struct gsync_profile profile;

	gsync_profile_derive(&profile, NULL, &conditions);
	return profile;
}

static void one_usable_cpu_never_spins(void **state)
{
	struct gsync_profile profile;

	(void)state;
	profile = derive(&halting, 1);
	assert_int_equal(profile.spin_ns, 0);
	assert_int_equal(profile.near_ns, 0);
	assert_int_equal(profile.barrier_ns, 0);
	profile = derive(&halting, 0.5);
	assert_int_equal(profile.spin_ns, 0);
	assert_int_equal(profile.usable_cpus, 1);
}

static void a_waiter_spins_for_the_price_of_a_wake_up(void **state)
{
	struct gsync_profile profile;

	(void)state;
	profile = derive(&halting, 2);
	assert_int_equal(profile.spin_ns, 20000);
	assert_int_equal(profile.near_ns, 20000);
}

static void absurd_measurements_stay_in_bounds(void **state)
{
	struct gsync_calibration absurd = halting;
	struct gsync_profile profile;

	(void)state;
	absurd.wake_ns = 0;
	profile = derive(&absurd, 2);
	assert_int_equal(profile.spin_ns, 5000);
	absurd.wake_ns = 1e12;
	profile = derive(&absurd, 2);
	assert_int_equal(profile.spin_ns, 50000);
}

static void eager_wake_ups_follow_the_cpus(void **state)
{
	struct gsync_profile profile;

	(void)state;
	profile = derive(&halting, 1);
	assert_int_equal(profile.eager, 1);
	profile = derive(&halting, 2);
	assert_int_equal(profile.eager, 1);
	profile = derive(&halting, 4);
	assert_int_equal(profile.eager, 3);
	profile = derive(&halting, 64);
	assert_int_equal(profile.eager, 4);
}

static void a_fraction_of_a_cpu_counts_as_one_for_crowding(void **state)
{
	struct gsync_profile profile;

	(void)state;
	profile = derive(&halting, 1.5);
	assert_int_equal(profile.usable_cpus, 2);
	assert_true(profile.spin_ns > 0);
}

static void *ask(void *argument)
{
	*(const struct gsync_calibration **)argument = gsync_calibration_of_process();
	return NULL;
}

/* Threads that ask at once get one answer; a child that was forked before anybody measured gets its own. */
static void the_process_measures_once(void **state)
{
	const struct gsync_calibration *answers[4];
	pthread_t threads[4];
	pid_t child = fork();

	(void)state;
	assert_int_not_equal(child, -1);
	for (int i = 0; i < 4; i++)
		threads[i] = test_thread(ask, &answers[i]);
	for (int i = 0; i < 4; i++)
		test_join(threads[i]);
	if (child == 0)
		_exit(0);
	for (int i = 1; i < 4; i++)
		assert_ptr_equal(answers[i], answers[0]);
	assert_true(gsync_is_tuned());
	test_child_succeeded(child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_usable_cpu_never_spins),
		cmocka_unit_test(a_waiter_spins_for_the_price_of_a_wake_up),
		cmocka_unit_test(absurd_measurements_stay_in_bounds),
		cmocka_unit_test(eager_wake_ups_follow_the_cpus),
		cmocka_unit_test(a_fraction_of_a_cpu_counts_as_one_for_crowding),
		cmocka_unit_test(the_process_measures_once),
	};

	return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
