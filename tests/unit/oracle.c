/* SPDX-License-Identifier: MIT */
/*
 * The oracle can be believed: it compares with a budget that was not picked for
 * the round it is compared in, and tells noise from a difference. In what order it
 * measures: rounds.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include <guestsync/profile.h>

#include "bench/oracle.h"

static void assert_close(double found, double expected)
{
	if (!(fabs(found - expected) <= 1e-9))
		fail_msg("%.17g is not %.17g", found, expected);
}

/* ROUNDS rounds in which all do the same. */
static void fill(struct bench_contest *rounds, size_t count, double ops)
{
	for (size_t i = 0; i < count; i++)
		for (size_t who = 0; who < BENCH_CONTESTANTS; who++)
			rounds[i].ops_per_s[who] = ops;
}

static struct bench_oracle_verdict judge(const struct bench_contest *rounds, size_t count)
{
	struct bench_oracle_verdict verdict;

	bench_oracle_judge(&verdict, rounds, count);
	return verdict;
}

static void ratios_are_as_computed_by_hand(void **state)
{
	struct bench_contest rounds[5];
	struct bench_oracle_verdict verdict;

	(void)state;
	fill(rounds, 5, 100);
	for (size_t i = 0; i < 5; i++) {
		rounds[i].ops_per_s[4] = 200;
		rounds[i].ops_per_s[BENCH_CHOSEN] = 150;
		rounds[i].ops_per_s[BENCH_CONTROL] = 165;
	}
	verdict = judge(rounds, 5);
	assert_int_equal(verdict.best, 4);
	assert_close(verdict.chosen_over_best, 0.75);
	assert_close(verdict.control_over_chosen, 1.1);
	assert_close(verdict.chosen_ops_per_s, 150);
	assert_close(verdict.best_ops_per_s, 200);
	assert_close(verdict.spread, 0);
	assert_close(verdict.control_spread, 0);
}

/* In each round another budget has luck; the others' medians do not know of it. */
static void luck_in_one_round_makes_no_best_budget(void **state)
{
	struct bench_contest rounds[9];
	struct bench_oracle_verdict verdict;

	(void)state;
	fill(rounds, 9, 100);
	for (size_t i = 0; i < 9; i++)
		rounds[i].ops_per_s[i] = 1000;
	verdict = judge(rounds, 9);
	/* Budget 0 is picked in all rounds; in its lucky one it counts, the median does not mind. */
	assert_int_equal(verdict.best, 0);
	assert_close(verdict.chosen_over_best, 1);
	assert_close(verdict.best_ops_per_s, 100);
	assert_close(verdict.spread, 0.9);
}

/*
 * Three rounds, two budgets. Over all rounds the medians are 120 and 130; by the
 * other two rounds alone each round picks the one that then disappoints.
 */
static void the_best_is_picked_without_the_round_it_is_compared_in(void **state)
{
	static const double first[] = { 100, 160, 120 }, second[] = { 150, 90, 130 };
	struct bench_contest rounds[3];
	struct bench_oracle_verdict verdict;

	(void)state;
	fill(rounds, 3, 10);
	for (size_t i = 0; i < 3; i++) {
		rounds[i].ops_per_s[2] = first[i];
		rounds[i].ops_per_s[6] = second[i];
		rounds[i].ops_per_s[BENCH_CHOSEN] = 120;
	}
	verdict = judge(rounds, 3);
	/*
	 * Left out 0: (160+120)/2 = 140 against 110: the first, which did 100.
	 * Left out 1: 110 against 140: the second, which did 90.
	 * Left out 2: 130 against 120: the first, which did 120.
	 */
	assert_int_equal(verdict.best, 6);
	assert_close(verdict.best_ops_per_s, 100);
	assert_close(verdict.chosen_over_best, 1.2);
	assert_close(verdict.spread, (120.0 / 90 - 1) / 1.2);
}

static void of_equal_budgets_the_shortest_is_named(void **state)
{
	struct bench_contest rounds[3];

	(void)state;
	fill(rounds, 3, 100);
	assert_int_equal(judge(rounds, 3).best, 0);
	for (size_t i = 0; i < 3; i++)
		rounds[i].ops_per_s[3] = rounds[i].ops_per_s[7] = 101;
	assert_int_equal(judge(rounds, 3).best, 3);
}

static void noise_shows_in_the_control_and_its_spread(void **state)
{
	static const double chosen[] = { 100, 200, 100 }, control[] = { 80, 200, 150 };
	struct bench_contest rounds[3];
	struct bench_oracle_verdict verdict;

	(void)state;
	fill(rounds, 3, 100);
	for (size_t i = 0; i < 3; i++) {
		rounds[i].ops_per_s[BENCH_CHOSEN] = chosen[i];
		rounds[i].ops_per_s[BENCH_CONTROL] = control[i];
	}
	verdict = judge(rounds, 3);
	assert_close(verdict.control_over_chosen, 1);
	assert_close(verdict.control_spread, 0.7);
	assert_close(verdict.chosen_over_best, 1);
	assert_close(verdict.spread, 1);
}

static void a_round_in_which_the_best_stood_still_does_not_count(void **state)
{
	struct bench_contest rounds[3];
	struct bench_oracle_verdict verdict;

	(void)state;
	fill(rounds, 3, 0);
	verdict = judge(rounds, 3);
	assert_close(verdict.chosen_over_best, 0);
	assert_close(verdict.control_over_chosen, 0);
	rounds[0].ops_per_s[1] = rounds[1].ops_per_s[1] = 100;
	rounds[0].ops_per_s[BENCH_CHOSEN] = 50;
	rounds[1].ops_per_s[BENCH_CHOSEN] = 60;
	rounds[2].ops_per_s[BENCH_CHOSEN] = 1000;
	verdict = judge(rounds, 3);
	assert_int_equal(verdict.best, 1);
	assert_close(verdict.chosen_over_best, 0.55);
}

static void the_summary_counts_cells_and_names_the_least(void **state)
{
	static const double ratios[] = { 0.95, 1.2, 0.8, 0.85, 0.9499 }, controls[] = { 1, 1, 0.9, 1, 0.84 };
	static struct bench_oracle_cell cells[5];
	struct bench_oracle_tally chosen, control;

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		cells[i].verdict.chosen_over_best = ratios[i];
		cells[i].verdict.control_over_chosen = controls[i];
	}
	bench_oracle_sum_up(cells, 5, &chosen, &control);
	assert_int_equal(chosen.at_least_095, 2);
	assert_int_equal(chosen.at_least_085, 4);
	assert_int_equal(chosen.least, 2);
	assert_close(chosen.least_ratio, 0.8);
	assert_int_equal(control.at_least_095, 3);
	assert_int_equal(control.at_least_085, 4);
	assert_int_equal(control.least, 4);
	assert_close(control.least_ratio, 0.84);
}

/* ---- the measurement */

static const char *const spins[] = { "spin_ns", "pressed_spin_ns", "spin_floor_ns", "woken_spin_ns", "near_ns", "barrier_ns" };

#define SPINS (sizeof(spins) / sizeof(spins[0]))

static unsigned budgets_seen; /* by index; what spin_ns was before some window */

static void note_budget(const struct bench_progress *progress)
{
	uint64_t spin, other;

	(void)progress;
	assert_int_equal(gsync_profile_get("spin_ns", &spin), 0);
	for (size_t i = 0; i < BENCH_BUDGETS; i++) {
		bool all = spin == bench_budgets_ns[i];

		for (size_t j = 0; j < SPINS; j++)
			all &= gsync_profile_get(spins[j], &other) == 0 && other == spin;
		if (all)
			budgets_seen |= 1u << i;
	}
}

static void all_budgets_are_measured_and_none_is_left_behind(void **state)
{
	unsigned threads = 2;
	struct bench_load load = { .cs_ns = 100, .think_ns = 100 };
	const struct bench_lock *lock = &bench_gsync_mutex;
	struct bench_settings settings = {
		.kinds = { [BENCH_LOCK] = true }, .scenarios = { [BENCH_PLAIN] = true },
		.locks = &lock, .lock_count = 1, .threads = &threads, .thread_count = 1,
		.loads = &load, .load_count = 1, .seconds = 0.03, .rounds = 2,
	};
	uint64_t before[SPINS], after;
	struct bench_oracle oracle;
	struct bench_error error;

	(void)state;
	for (size_t i = 0; i < SPINS; i++)
		assert_int_equal(gsync_profile_get(spins[i], &before[i]), 0);
	assert_int_equal(bench_oracle_init(&oracle, &settings, &error), 0);
	if (bench_oracle_measure(&oracle, note_budget, &error) != 0)
		fail_msg("%s", error.text);
	assert_int_equal(budgets_seen, (1u << BENCH_BUDGETS) - 1);
	for (size_t who = 0; who < BENCH_CONTESTANTS; who++)
		assert_true(oracle.cells[0].rounds[0].ops_per_s[who] + oracle.cells[0].rounds[1].ops_per_s[who] > 0);
	assert_true(oracle.cells[0].verdict.chosen_over_best > 0);
	for (size_t i = 0; i < SPINS; i++) {
		assert_int_equal(gsync_profile_get(spins[i], &after), 0);
		assert_int_equal(after, before[i]);
	}
	bench_oracle_free(&oracle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ratios_are_as_computed_by_hand),
		cmocka_unit_test(luck_in_one_round_makes_no_best_budget),
		cmocka_unit_test(the_best_is_picked_without_the_round_it_is_compared_in),
		cmocka_unit_test(of_equal_budgets_the_shortest_is_named),
		cmocka_unit_test(noise_shows_in_the_control_and_its_spread),
		cmocka_unit_test(a_round_in_which_the_best_stood_still_does_not_count),
		cmocka_unit_test(the_summary_counts_cells_and_names_the_least),
		cmocka_unit_test(all_budgets_are_measured_and_none_is_left_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
