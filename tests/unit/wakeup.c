/* SPDX-License-Identifier: MIT */
/* Where and when a sleeping worker gets up: steering, which leaves no trace, and alarms, for what comes regularly. */
#include "tests/unit/support.h"

#include "lib/pool.h"

#include <guestsync/profile.h>

static int two_cpus(void **state)
{
	(void)state;
	assert_int_equal(gsync_profile_set("usable_cpus", 2), 0);
	assert_int_equal(gsync_profile_set("whole_cpus", 2), 0);
	return 0;
}

/* ---- where */

static void count_up(void *counter)
{
	__atomic_fetch_add((uint32_t *)counter, 1u, __ATOMIC_RELEASE);
}

static void wait_until_asleep(const struct gsync_worker *worker)
{
	while (!__atomic_load_n(&worker->bed.taken, __ATOMIC_RELAXED))
		test_sleep_ms(1);
}

static cpu_set_t mask_of(const struct gsync_worker *worker)
{
	cpu_set_t set;

	assert_int_equal(pthread_getaffinity_np(worker->thread, sizeof(set), &set), 0);
	return set;
}

static void set_mask(pthread_t thread, const cpu_set_t *set)
{
	assert_int_equal(pthread_setaffinity_np(thread, sizeof(*set), set), 0);
}

static void run_one(gsync_pool_t *pool)
{
	uint32_t runs = 0;

	assert_int_equal(gsync_pool_submit(pool, count_up, &runs), 0);
	test_until_set(&runs, 1);
	wait_until_asleep(&pool->workers[0]);
}

struct bedroom {
	gsync_pool_t *pool;
	struct gsync_worker *worker; /* asleep */
	cpu_set_t all, here, elsewhere; /* the CPU that the caller stays on, and the others */
};

/* False on a machine without a second CPU for the worker. */
static bool enter(struct bedroom *room)
{
	assert_int_equal(pthread_getaffinity_np(pthread_self(), sizeof(room->all), &room->all), 0);
	if (CPU_COUNT(&room->all) < 2 || CPU_COUNT(&room->all) != sysconf(_SC_NPROCESSORS_ONLN))
		return false;
	assert_int_equal(gsync_pool_create(&room->pool, NULL), 0);
	room->worker = &room->pool->workers[0];
	run_one(room->pool);
	CPU_ZERO(&room->here);
	CPU_SET((size_t)sched_getcpu(), &room->here);
	set_mask(pthread_self(), &room->here);
	CPU_XOR(&room->elsewhere, &room->all, &room->here);
	return true;
}

static void leave(struct bedroom *room)
{
	set_mask(pthread_self(), &room->all);
	assert_int_equal(gsync_pool_destroy(room->pool), 0);
}

static void a_sleeper_gets_up_elsewhere_and_may_then_go_anywhere(void **state)
{
	struct bedroom room;
	cpu_set_t both, given;

	(void)state;
	if (!enter(&room))
		skip();
	assert_ptr_equal(gsync_steer(room.pool), room.worker);
	assert_null(gsync_steer(room.pool)); /* it has been sent for */
	given = mask_of(room.worker);
	CPU_AND(&both, &given, &room.here);
	assert_int_equal(CPU_COUNT(&both), 0);
	run_one(room.pool);
	given = mask_of(room.worker);
	assert_true(CPU_EQUAL(&given, &room.all));
	leave(&room);
}

static void who_was_woken_for_nothing_lies_down_as_before(void **state)
{
	struct bedroom room;
	cpu_set_t now;

	(void)state;
	if (!enter(&room))
		skip();
	assert_ptr_equal(gsync_steer(room.pool), room.worker);
	gsync_crew_wake_all(room.pool);
	wait_until_asleep(room.worker);
	now = mask_of(room.worker);
	assert_true(CPU_EQUAL(&now, &room.all));
	leave(&room);
}

/* One that was set BEFORE somebody steers the worker, or after that. */
static void check_that_a_mask_stays(bool before)
{
	const cpu_set_t *set;
	struct bedroom room;
	cpu_set_t now;

	if (!enter(&room))
		skip();
	set = before ? &room.elsewhere : &room.here;
	if (before)
		set_mask(room.worker->thread, set);
	assert_ptr_equal(gsync_steer(room.pool), room.worker);
	if (!before)
		set_mask(room.worker->thread, set);
	run_one(room.pool);
	now = mask_of(room.worker);
	assert_true(CPU_EQUAL(&now, set));
	leave(&room);
}

static void a_mask_that_somebody_has_set_is_left_alone(void **state)
{
	(void)state;
	check_that_a_mask_stays(true);
}

static void so_is_one_that_was_set_after_steering(void **state)
{
	(void)state;
	check_that_a_mask_stays(false);
}

/* ---- when */

/* In ticks. Long, as the clock runs on meanwhile, and three of it short of the longest that is expected. */
#define PERIOD (1000 * (int64_t)gsync_tuning().pool)
#define TOO_SHORT (4 * (int64_t)gsync_tuning().pool)

/* What came after a rest: so much later than the one before, the last one just now. */
static void come_after(struct gsync_rhythm *rhythm, const int64_t *periods, size_t count)
{
	int64_t at = (int64_t)gsync_ticks();

	for (size_t i = 0; i < count; i++)
		at -= periods[i];
	for (size_t i = 0; i < count; i++) {
		at += periods[i];
		rhythm->rested = true;
		gsync_rhythm_work_came(rhythm, (uint64_t)at);
	}
}

#define COME_AFTER(rhythm, ...)                                                                                        \
	come_after(rhythm, (const int64_t[]){ __VA_ARGS__ }, sizeof((const int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t))

static void what_comes_regularly_is_expected_once(void **state)
{
	struct gsync_rhythm rhythm = { 0 };
	struct timespec alarm, latest;

	(void)state;
	COME_AFTER(&rhythm, PERIOD, PERIOD, PERIOD);
	assert_true(gsync_rhythm_lie_down(&rhythm, &alarm));
	latest = test_deadline(60000);
	assert_true(alarm.tv_sec <= latest.tv_sec);
	assert_false(gsync_rhythm_lie_down(&rhythm, &alarm));
}

static void what_comes_irregularly_is_not_expected(void **state)
{
	struct gsync_rhythm rhythm = { 0 };
	struct timespec alarm;

	(void)state;
	COME_AFTER(&rhythm, PERIOD, PERIOD * 2, PERIOD, PERIOD * 3);
	assert_false(gsync_rhythm_lie_down(&rhythm, &alarm));
	COME_AFTER(&rhythm, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT);
	assert_false(gsync_rhythm_lie_down(&rhythm, &alarm));
}

static void one_that_was_otherwise_does_not_end_it_two_do(void **state)
{
	struct gsync_rhythm rhythm = { 0 };
	struct timespec alarm;

	(void)state;
	COME_AFTER(&rhythm, PERIOD, PERIOD, PERIOD, PERIOD * 2);
	assert_true(gsync_rhythm_lie_down(&rhythm, &alarm));
	COME_AFTER(&rhythm, PERIOD, PERIOD, PERIOD, PERIOD * 2, PERIOD * 3);
	assert_false(gsync_rhythm_lie_down(&rhythm, &alarm));
}

static void who_was_late_gets_up_earlier(void **state)
{
	struct gsync_rhythm rhythm = { 0 };
	struct timespec alarm;
	double lead;

	(void)state;
	COME_AFTER(&rhythm, PERIOD, PERIOD, PERIOD);
	assert_true(gsync_rhythm_lie_down(&rhythm, &alarm));
	lead = rhythm.lead;
	rhythm.up = rhythm.opened + (uint64_t)PERIOD + gsync_tuning().pool;
	gsync_rhythm_work_came(&rhythm, rhythm.opened + (uint64_t)PERIOD);
	assert_true(rhythm.lead > lead);
	assert_true(gsync_rhythm_lie_down(&rhythm, &alarm));
	lead = rhythm.lead;
	rhythm.up = rhythm.opened + (uint64_t)PERIOD - 2 * gsync_tuning().pool;
	gsync_rhythm_work_came(&rhythm, rhythm.opened + (uint64_t)PERIOD);
	assert_true(rhythm.lead < lead);
}

static void who_spins_in_vain_again_and_again_spins_less(void **state)
{
	const struct gsync_tuning tuning = gsync_tuning();
	struct gsync_rhythm rhythm = { 0 };
	uint64_t patience = gsync_rhythm_patience(&rhythm, &tuning);

	(void)state;
	for (int i = 0; i < 10; i++)
		gsync_rhythm_waited(&rhythm, true);
	assert_true(gsync_rhythm_patience(&rhythm, &tuning) < patience / 2);
	/* It is called as soon as it has lain down. */
	rhythm.lay_down = gsync_ticks();
	gsync_rhythm_work_came(&rhythm, rhythm.lay_down + 1);
	for (int i = 0; i < 3; i++)
		gsync_rhythm_waited(&rhythm, true);
	assert_true(gsync_rhythm_patience(&rhythm, &tuning) >= patience / 3);
}

static void who_got_up_by_an_alarm_waits_longer_and_learns_nothing_from_that(void **state)
{
	const struct gsync_tuning tuning = gsync_tuning();
	struct gsync_rhythm rhythm = { 0 };
	uint64_t patience = gsync_rhythm_patience(&rhythm, &tuning), before = gsync_ticks();

	(void)state;
	for (int i = 0; i < 10; i++)
		gsync_rhythm_waited(&rhythm, true);
	assert_true(gsync_rhythm_patience(&rhythm, &tuning) < patience);
	gsync_rhythm_alarm_rang(&rhythm);
	assert_true(rhythm.up >= before);
	assert_true(gsync_rhythm_patience(&rhythm, &tuning) > patience);
	/* Work came as expected, which says nothing about work that comes at any time. */
	gsync_rhythm_waited(&rhythm, false);
	assert_true(gsync_rhythm_patience(&rhythm, &tuning) < patience);
	gsync_rhythm_waited(&rhythm, false);
	assert_int_equal(gsync_rhythm_patience(&rhythm, &tuning), patience);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_sleeper_gets_up_elsewhere_and_may_then_go_anywhere, two_cpus),
		cmocka_unit_test_setup(who_was_woken_for_nothing_lies_down_as_before, two_cpus),
		cmocka_unit_test_setup(a_mask_that_somebody_has_set_is_left_alone, two_cpus),
		cmocka_unit_test_setup(so_is_one_that_was_set_after_steering, two_cpus),
		cmocka_unit_test(what_comes_regularly_is_expected_once),
		cmocka_unit_test(what_comes_irregularly_is_not_expected),
		cmocka_unit_test(one_that_was_otherwise_does_not_end_it_two_do),
		cmocka_unit_test(who_was_late_gets_up_earlier),
		cmocka_unit_test(who_spins_in_vain_again_and_again_spins_less),
		cmocka_unit_test(who_got_up_by_an_alarm_waits_longer_and_learns_nothing_from_that),
	};

	return cmocka_run_group_tests_name("wakeup", tests, NULL, NULL);
}
