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

static void a_fraction_of_a_cpu_is_rounded_up_or_down(void **state)
{
	static const struct {
		double usable;
		uint32_t up, down;
	} cases[] = { { 0.5, 1, 1 }, { 1, 1, 1 }, { 1.5, 2, 1 }, { 2, 2, 2 }, { 3.99, 4, 3 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct gsync_profile profile = derive(&halting, cases[i].usable);

		assert_int_equal(profile.usable_cpus, cases[i].up);
		assert_int_equal(profile.whole_cpus, cases[i].down);
	}
}

static void a_pool_goes_by_the_price_of_a_wake_up(void **state)
{
	struct gsync_profile profile;

	(void)state;
	profile = derive(&halting, 2);
	assert_int_equal(profile.pool_ns, 20000);
	assert_int_equal(profile.share_ns, 40000);
	profile = derive(&halting, 1);
	assert_int_equal(profile.pool_ns, 0);
	assert_int_equal(profile.share_ns, 40000);
}

static void a_trial_lasts_some_wake_ups(void **state)
{
	struct gsync_calibration calibration = halting;

	(void)state;
	assert_int_equal(derive(&calibration, 2).trial_ns, 160000);
	calibration.wake_ns = 3000;
	assert_int_equal(derive(&calibration, 2).trial_ns, 150000);
	calibration.wake_ns = 500000;
	assert_int_equal(derive(&calibration, 2).trial_ns, 800000);
}

static void an_emulated_waiter_looks_first_and_once_woken_hardly_spins(void **state)
{
	struct gsync_conditions conditions = { .calibration = halting, .usable_cpus = 8, .guest = true };
	struct gsync_profile profile;

	(void)state;
	gsync_profile_derive(&profile, NULL, &conditions);
	assert_int_equal(profile.spin_ns, 20000);
	assert_int_equal(profile.woken_spin_ns, 1000000000);
	assert_int_equal(profile.first_looks, 4);
	assert_int_equal(profile.eager, 4);
	conditions.emulated = true;
	gsync_profile_derive(&profile, NULL, &conditions);
	assert_int_equal(profile.spin_ns, 10000);
	assert_int_equal(profile.near_ns, 20000);
	assert_int_equal(profile.eager, 2);
	assert_int_equal(profile.woken_spin_ns, 1000);
	assert_int_equal(profile.first_looks, 1000);
	assert_int_equal(profile.barrier_yields, 0);
	assert_int_equal(profile.look_ns, 200000000);
	assert_int_equal(profile.fair_ns, 4000000);
	assert_int_equal(profile.repair_ns, 10000000);
	conditions.calibration.wake_ns = 90000;
	gsync_profile_derive(&profile, NULL, &conditions);
	assert_int_equal(profile.near_ns, 20000);
	assert_int_equal(profile.barrier_ns, 225000);
	conditions.usable_cpus = 1;
	gsync_profile_derive(&profile, NULL, &conditions);
	assert_int_equal(profile.first_looks, 0);
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
	assert_int_equal(profile.spin_ns, 100000);
}

/* What an untrusted measurement may say depends on whether a way out to the host is to be paid. */
static void an_untrusted_price_counts_within_what_is_usual(void **state)
{
	struct gsync_conditions conditions = { .calibration = halting, .usable_cpus = 2 };
	struct gsync_profile profile;

	(void)state;
	conditions.calibration.wake_trusted = false;
	conditions.guest = true;
	conditions.calibration.wake_ns = 1000;
	gsync_profile_derive(&profile, NULL, &conditions);
	assert_int_equal(profile.spin_ns, 15000);
	conditions.calibration.wake_ns = 30000;
	gsync_profile_derive(&profile, NULL, &conditions);
	assert_int_equal(profile.spin_ns, 30000);
	conditions.calibration.wake_ns = 3e6;
	gsync_profile_derive(&profile, NULL, &conditions);
	assert_int_equal(profile.spin_ns, 50000);
	conditions.dedicated = true;
	gsync_profile_derive(&profile, NULL, &conditions);
	assert_int_equal(profile.spin_ns, 25000);
	conditions.calibration.wake_ns = 1000;
	gsync_profile_derive(&profile, NULL, &conditions);
	assert_int_equal(profile.spin_ns, 5000);
}

static void every_value_has_its_reason(void **state)
{
	static const double wakes[] = { 0, 20000, 1e9 };
	struct gsync_conditions conditions = { .calibration = halting };
	struct gsync_profile profile;
	struct gsync_reasons reasons;

	(void)state;
	for (size_t wake = 0; wake < 6; wake++) {
		conditions.calibration.wake_ns = wakes[wake % 3];
		conditions.emulated = wake < 3;
		for (conditions.usable_cpus = 1; conditions.usable_cpus < 3; conditions.usable_cpus++) {
			gsync_profile_derive(&profile, &reasons, &conditions);
			assert_true(profile.pressed_spin_ns <= profile.spin_ns);
			for (size_t i = 0; i < GSYNC_THRESHOLD_COUNT; i++)
				assert_true(reasons.why[i] && strlen(reasons.why[i]) > 10);
		}
	}
	assert_non_null(strstr(reasons.why[0], "100 us"));
}

static void eager_wake_ups_and_pauses_follow_the_cpus(void **state)
{
	static const struct {
		double cpus;
		uint32_t eager, backoff_ns;
	} cases[] = { { 1, 1, 25 }, { 2, 1, 25 }, { 4, 3, 75 }, { 5, 4, 100 }, { 64, 4, 180 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct gsync_profile profile = derive(&halting, cases[i].cpus);

		assert_int_equal(profile.eager, cases[i].eager);
		assert_int_equal(profile.backoff_ns, cases[i].backoff_ns);
	}
}

static void first_looks_follow_the_price_of_a_pause_and_the_cpus(void **state)
{
	static const struct {
		double pause_ns, cpus;
		uint32_t first_looks;
	} cases[] = { { 0, 2, 16 }, { 25, 2, 16 }, { 40, 2, 10 }, { 200, 2, 4 }, { 25, 3, 8 }, { 25, 64, 4 }, { 25, 1, 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct gsync_calibration calibration = halting;

		calibration.pause_ns = cases[i].pause_ns;
		assert_int_equal(derive(&calibration, cases[i].cpus).first_looks, cases[i].first_looks);
	}
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
		cmocka_unit_test(a_fraction_of_a_cpu_is_rounded_up_or_down),
		cmocka_unit_test(a_pool_goes_by_the_price_of_a_wake_up),
		cmocka_unit_test(a_trial_lasts_some_wake_ups),
		cmocka_unit_test(an_emulated_waiter_looks_first_and_once_woken_hardly_spins),
		cmocka_unit_test(absurd_measurements_stay_in_bounds),
		cmocka_unit_test(an_untrusted_price_counts_within_what_is_usual),
		cmocka_unit_test(every_value_has_its_reason),
		cmocka_unit_test(eager_wake_ups_and_pauses_follow_the_cpus),
		cmocka_unit_test(first_looks_follow_the_price_of_a_pause_and_the_cpus),
		cmocka_unit_test(a_fraction_of_a_cpu_counts_as_one_for_crowding),
		cmocka_unit_test(the_process_measures_once),
	};

	return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
