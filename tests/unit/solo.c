/* SPDX-License-Identifier: MIT */
/* Solo's trials: when they begin, what they leave behind, and that they end. */
#include "tests/unit/support.h"

#include "detect/clock.h"
#include "detect/tuning.h"
#include "primitives/solo.h"

#define WINDOW 5000000u /* ticks: long enough for what this test does in half of it, even beside others */
#define PATIENCE_MS 30000

/* One for each test: that of another has a past. */
static gsync_lockword_t locks[32];
static gsync_lockword_t *lock = locks;

static int set_up(void **state)
{
	(void)state;
	__atomic_store_n(&gsync_live.window, WINDOW, __ATOMIC_RELAXED);
	lock++;
	assert_true(lock < locks + sizeof(locks) / sizeof(locks[0]));
	/* The entry becomes this lock's. */
	gsync_solo_waited(lock, gsync_ticks(), GSYNC_NO_TURN);
	return 0;
}

static void set_others(enum gsync_others others)
{
	gsync_live.others = (uint32_t)others;
	gsync_live.look_interval = UINT64_MAX / 4;
	gsync_live.pressed_until = gsync_ticks() + UINT64_MAX / 4;
}

static int tear_down(void **state)
{
	(void)state;
	__atomic_store_n(&gsync_live.window, 0, __ATOMIC_RELAXED);
	gsync_live.pressed_until = gsync_live.look_interval = 0;
	gsync_live.others = GSYNC_OTHERS_COMPETE;
	return 0;
}

/* Waiters come, one each GAP ticks, until there is a verdict or a trial. Returns the word. */
static uint32_t wait_for_a_change(uint64_t gap, int patience_ms)
{
	struct timespec late = test_deadline(patience_ms);
	uint32_t before = lock->word;

	while (lock->word == before && !test_has_passed(&late)) {
		uint64_t start = gsync_ticks();

		gsync_solo_waited(lock, start, GSYNC_NO_TURN);
		while (gsync_ticks() - start < gap)
			;
	}
	return lock->word;
}

static void come(int times, uint64_t now, enum gsync_turn turn)
{
	for (int i = 0; i < times; i++)
		gsync_solo_waited(lock, now, turn);
}

static void begin_a_trial(void)
{
	assert_int_equal(lock->word, 0);
	assert_int_equal(wait_for_a_change(0, PATIENCE_MS), GSYNC_MEASURED);
}

/* Releases until solo begins or the trial ends without. Turns are slow here. */
static bool reach_solo(bool crowd)
{
	struct timespec late = test_deadline(PATIENCE_MS);

	while (lock->word == GSYNC_MEASURED && !test_has_passed(&late)) {
		uint64_t start = gsync_ticks();

		if (crowd)
			gsync_solo_waited(lock, start, GSYNC_NO_TURN);
		while (gsync_ticks() - start < WINDOW / 100)
			;
		assert_false(gsync_solo_count(lock));
	}
	return lock->word == (GSYNC_MEASURED | GSYNC_SOLO);
}

/* A trial that takes too long, because this thread had no CPU, is no trial. */
static void begin_solo(bool crowd)
{
	do
		begin_a_trial();
	while (!reach_solo(crowd));
}

/* Releases, fast, until the trial is over. Returns how often solo has ended. */
static int end_trial(void)
{
	struct timespec late = test_deadline(PATIENCE_MS);
	int ended = 0;

	while ((lock->word & GSYNC_MEASURED) != 0 && !test_has_passed(&late))
		ended += gsync_solo_count(lock);
	return ended;
}

static void win(void)
{
	do
		begin_solo(true);
	while (end_trial() != 0); /* it took too long */
	assert_int_equal(lock->word, GSYNC_SOLO);
}

static void what_is_faster_for_a_crowd_stays(void **state)
{
	(void)state;
	win();
}

static void without_a_crowd_a_trial_ends_in_turns(void **state)
{
	(void)state;
	begin_solo(false);
	assert_int_equal(end_trial(), 1);
	assert_int_equal(lock->word, 0);
}

static void a_trial_in_which_a_waiter_has_ended_solo_is_over(void **state)
{
	(void)state;
	begin_solo(true);
	lock->word = GSYNC_MEASURED;
	assert_int_equal(end_trial(), 0);
	assert_int_equal(lock->word, 0);
}

/* The lock remained in turns for as long as solo was to be let alone: a tenth of the throughput, for up to a second. */
static void the_next_trial_comes_soon_where_a_waiter_has_ended_solo(void **state)
{
	uint64_t now;

	(void)state;
	win();
	now = gsync_ticks();
	lock->word = 0;
	come(40, now, GSYNC_NO_TURN);
	assert_int_equal(lock->word, 0);
	come(40, now + 5 * WINDOW, GSYNC_NO_TURN);
	assert_int_equal(lock->word, GSYNC_MEASURED);
	end_trial();
}

static void turns_that_come_in_vain_end_solo(void **state)
{
	(void)state;
	win();
	for (int i = 0; i < 20; i++)
		gsync_solo_waited(lock, gsync_ticks(), i % 5 == 4 ? GSYNC_TURN_BUSY : GSYNC_TURN_IDLE);
	assert_int_equal(lock->word, GSYNC_SOLO);
	for (int i = 0; i < 10; i++)
		gsync_solo_waited(lock, gsync_ticks(), GSYNC_TURN_IDLE);
	assert_int_equal(lock->word, 0);
}

static void a_lock_that_lost_its_entry_is_no_longer_measured(void **state)
{
	gsync_lockword_t stranger = { .word = GSYNC_SOLO | GSYNC_MEASURED };
	int ended = 0;

	(void)state;
	for (int i = 0; i < 100; i++)
		ended += gsync_solo_count(&stranger);
	assert_int_equal(stranger.word, 0);
	assert_int_equal(ended, 1);
}

/* More than there are entries, all at one time: most find theirs taken, by one whose trial is not old. */
static void a_verdict_that_nobody_looks_after_is_dropped(void **state)
{
	static gsync_lockword_t strangers[256];
	uint64_t now = gsync_ticks();

	(void)state;
	for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++) {
		strangers[i].word = GSYNC_SOLO;
		gsync_solo_waited(&strangers[i], now, i % 2 == 0 ? GSYNC_TURN_IDLE : GSYNC_NO_TURN);
		assert_int_equal(strangers[i].word, 0);
	}
}

static void where_nothing_is_measured_solo_ends(void **state)
{
	int ended = 0;

	(void)state;
	begin_solo(true);
	__atomic_store_n(&gsync_live.window, 0, __ATOMIC_RELAXED);
	for (int i = 0; i < 100; i++)
		ended += gsync_solo_count(lock);
	assert_int_equal(lock->word, 0);
	assert_int_equal(ended, 1);
	lock->word = GSYNC_SOLO;
	gsync_solo_waited(lock, gsync_ticks(), GSYNC_NO_TURN);
	assert_int_equal(lock->word, 0);
}

static void go_solo_without_a_trial(void)
{
	set_others(GSYNC_OTHERS_LEAVE_ONE);
	assert_int_equal(wait_for_a_change(0, PATIENCE_MS), GSYNC_SOLO);
}

static void where_others_leave_one_cpu_it_begins_without_a_trial(void **state)
{
	(void)state;
	go_solo_without_a_trial();
}

/* 24 of them take two windows: more than the half of one that a trial needs. */
static void there_sections_may_be_long(void **state)
{
	(void)state;
	set_others(GSYNC_OTHERS_COMPETE);
	assert_int_equal(wait_for_a_change(WINDOW / 12, 500), 0);
	set_others(GSYNC_OTHERS_LEAVE_ONE);
	assert_int_equal(wait_for_a_change(WINDOW / 12, PATIENCE_MS), GSYNC_SOLO);
}

/* The turns are farther apart than trials would be. */
static void there_it_ends_later_but_not_for_a_moment(void **state)
{
	uint64_t now;

	(void)state;
	go_solo_without_a_trial();
	now = gsync_ticks();
	come(12, now, GSYNC_TURN_IDLE);
	come(11, now + 100ull * WINDOW, GSYNC_TURN_IDLE);
	assert_int_equal(lock->word, GSYNC_SOLO);
	come(1, now + 200ull * WINDOW, GSYNC_TURN_IDLE);
	assert_int_equal(lock->word, 0);
	come(100, now + 500ull * WINDOW, GSYNC_NO_TURN);
	assert_int_equal(lock->word, 0);
	come(100, now + 700ull * WINDOW, GSYNC_NO_TURN);
	assert_int_equal(lock->word, GSYNC_SOLO);
}

static void there_who_cannot_have_its_turn_ends_it_and_not_for_a_moment(void **state)
{
	uint64_t now;

	(void)state;
	go_solo_without_a_trial();
	now = gsync_ticks();
	lock->word = 0;
	gsync_solo_waited(lock, now, GSYNC_NO_TURN);
	come(100, now + 50ull * WINDOW, GSYNC_NO_TURN);
	assert_int_equal(lock->word, 0);
}

static void without_pressure_a_trial_decides(void **state)
{
	(void)state;
	gsync_live.others = GSYNC_OTHERS_LEAVE_ONE;
	assert_int_equal(wait_for_a_change(0, PATIENCE_MS), GSYNC_MEASURED);
}

static void when_others_leave_more_a_trial_decides(void **state)
{
	(void)state;
	go_solo_without_a_trial();
	set_others(GSYNC_OTHERS_COMPETE);
	assert_int_equal(wait_for_a_change(0, PATIENCE_MS), GSYNC_SOLO | GSYNC_MEASURED);
}

static void or_turns_that_had_come_in_vain_do(void **state)
{
	(void)state;
	go_solo_without_a_trial();
	come(10, gsync_ticks(), GSYNC_TURN_IDLE);
	assert_int_equal(lock->word, GSYNC_SOLO);
	set_others(GSYNC_OTHERS_COMPETE);
	come(1, gsync_ticks(), GSYNC_TURN_IDLE);
	assert_int_equal(lock->word, 0);
}

static void a_trial_goes_on_where_others_begin_to_leave_one_cpu(void **state)
{
	(void)state;
	begin_a_trial();
	set_others(GSYNC_OTHERS_LEAVE_ONE);
	for (int i = 0; i < 100; i++)
		gsync_solo_waited(lock, gsync_ticks(), GSYNC_NO_TURN);
	assert_int_equal(lock->word, GSYNC_MEASURED);
	end_trial();
	assert_int_equal(lock->word & GSYNC_MEASURED, 0);
	assert_int_equal(lock->word != GSYNC_SOLO ? wait_for_a_change(0, PATIENCE_MS) : lock->word, GSYNC_SOLO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_faster_for_a_crowd_stays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_a_crowd_a_trial_ends_in_turns, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_trial_in_which_a_waiter_has_ended_solo_is_over, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_next_trial_comes_soon_where_a_waiter_has_ended_solo, set_up, tear_down),
		cmocka_unit_test_setup_teardown(turns_that_come_in_vain_end_solo, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_lock_that_lost_its_entry_is_no_longer_measured, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_verdict_that_nobody_looks_after_is_dropped, set_up, tear_down),
		cmocka_unit_test_setup_teardown(where_nothing_is_measured_solo_ends, set_up, tear_down),
		cmocka_unit_test_setup_teardown(where_others_leave_one_cpu_it_begins_without_a_trial, set_up, tear_down),
		cmocka_unit_test_setup_teardown(there_sections_may_be_long, set_up, tear_down),
		cmocka_unit_test_setup_teardown(there_it_ends_later_but_not_for_a_moment, set_up, tear_down),
		cmocka_unit_test_setup_teardown(there_who_cannot_have_its_turn_ends_it_and_not_for_a_moment, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(without_pressure_a_trial_decides, set_up, tear_down),
		cmocka_unit_test_setup_teardown(when_others_leave_more_a_trial_decides, set_up, tear_down),
		cmocka_unit_test_setup_teardown(or_turns_that_had_come_in_vain_do, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_trial_goes_on_where_others_begin_to_leave_one_cpu, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
