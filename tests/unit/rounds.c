/* SPDX-License-Identifier: MIT */
/* Rounds favour none: each cell is measured once in each, and nobody has a place or a predecessor that others have not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bench/oracle.h"
#include "bench/rounds.h"
#include "bench/turns.h"

#define MOST 24u /* more than there are locks */

struct tally {
	unsigned places[MOST][MOST]; /* of each at each */
	unsigned follows[MOST][MOST]; /* of each after each */
};

static void count_turns(struct tally *tally, size_t count, unsigned rounds)
{
	memset(tally, 0, sizeof(*tally));
	for (unsigned round = 0; round < rounds; round++) {
		uint64_t seen = 0;

		for (size_t place = 0; place < count; place++) {
			size_t who = bench_turn(round, place, count);

			seen |= (uint64_t)1 << who;
			tally->places[who][place]++;
			if (place > 0)
				tally->follows[who][bench_turn(round, place - 1, count)]++;
		}
		assert_int_equal(seen, ((uint64_t)1 << count) - 1);
	}
}

static void each_comes_equally_often_at_each_place_and_after_each_other(void **state)
{
	static struct tally tally;

	(void)state;
	for (size_t count = 1; count <= MOST; count++) {
		unsigned times = count % 2 == 0 ? 1 : 2;

		count_turns(&tally, count, times * (unsigned)count);
		for (size_t who = 0; who < count; who++) {
			for (size_t other = 0; other < count; other++) {
				assert_int_equal(tally.places[who][other], times);
				assert_int_equal(tally.follows[who][other], who == other ? 0 : times);
			}
		}
	}
}

/* Of those whom the oracle compares, over its default nine rounds. */
static void in_few_rounds_nobody_keeps_a_place_or_a_predecessor(void **state)
{
	static struct tally tally;

	(void)state;
	count_turns(&tally, BENCH_CONTESTANTS, 9);
	for (size_t who = 0; who < BENCH_CONTESTANTS; who++) {
		for (size_t other = 0; other < BENCH_CONTESTANTS; other++) {
			assert_true(tally.places[who][other] <= 2);
			assert_true(tally.follows[who][other] <= 2);
		}
	}
}

/* ---- a whole run, in which nothing is measured */

#define GROUPS 3u
#define LOCKS  4u
#define CELLS  (GROUPS * LOCKS)
#define ROUNDS 12u

static size_t visited[ROUNDS * CELLS];
static size_t visits;

static int note_visit(struct bench_conductor *conductor, struct bench_cell *cell, struct bench_error *error)
{
	(void)error;
	assert_true(visits < ROUNDS * CELLS);
	visited[visits++] = (size_t)(cell - conductor->run->cells);
	return 0;
}

static void conduct(struct bench_run *run, int (*visit)(struct bench_conductor *, struct bench_cell *, struct bench_error *),
		    int expected)
{
	struct bench_conductor conductor = { .run = run, .visit = visit, .windows_per_visit = 1 };
	struct bench_error error;

	visits = 0;
	assert_int_equal(bench_conduct(&conductor, &error), expected);
}

static struct bench_settings settings = { .scenarios = { [BENCH_PLAIN] = true }, .rounds = ROUNDS };
static struct bench_cell cells[CELLS];
static struct bench_run run = { .settings = &settings, .cells = cells, .count = CELLS };

static int make_cells(void **state)
{
	(void)state;
	for (size_t i = 0; i < CELLS; i++)
		cells[i] = (struct bench_cell){ .kind = BENCH_LOCK, .threads = 1 + (unsigned)(i / LOCKS) };
	return 0;
}

static void each_cell_is_visited_once_in_each_round_and_groups_stay_together(void **state)
{
	unsigned began_with[GROUPS] = { 0 };

	(void)state;
	conduct(&run, note_visit, 0);
	assert_int_equal(visits, ROUNDS * CELLS);
	for (size_t round = 0; round < ROUNDS; round++) {
		const size_t *of_round = &visited[round * CELLS];
		unsigned seen = 0;

		for (size_t i = 0; i < CELLS; i++) {
			seen |= 1u << of_round[i];
			assert_int_equal(of_round[i] / LOCKS, of_round[i / LOCKS * LOCKS] / LOCKS);
		}
		assert_int_equal(seen, (1u << CELLS) - 1);
		began_with[of_round[0] / LOCKS]++;
	}
	for (size_t group = 0; group < GROUPS; group++)
		assert_int_equal(began_with[group], ROUNDS / GROUPS);
}

static void within_each_group_nobody_always_comes_first_or_after_the_same(void **state)
{
	static struct tally tally;

	(void)state;
	conduct(&run, note_visit, 0);
	memset(&tally, 0, sizeof(tally));
	for (size_t i = 0; i < visits; i++) {
		tally.places[visited[i]][i % LOCKS]++;
		if (i % LOCKS > 0)
			tally.follows[visited[i]][visited[i - 1]]++;
	}
	for (size_t who = 0; who < CELLS; who++) {
		for (size_t other = 0; other < LOCKS; other++) {
			size_t neighbour = who / LOCKS * LOCKS + other;

			assert_int_equal(tally.places[who][other], ROUNDS / LOCKS);
			assert_int_equal(tally.follows[who][neighbour], who == neighbour ? 0 : ROUNDS / LOCKS);
		}
	}
}

static int fail_at_the_third(struct bench_conductor *conductor, struct bench_cell *cell, struct bench_error *error)
{
	(void)conductor;
	(void)cell;
	return ++visits == 3 ? bench_fail(error, "no more") : 0;
}

static void a_visit_that_fails_ends_the_run(void **state)
{
	(void)state;
	conduct(&run, fail_at_the_third, -1);
	assert_int_equal(visits, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_comes_equally_often_at_each_place_and_after_each_other),
		cmocka_unit_test(in_few_rounds_nobody_keeps_a_place_or_a_predecessor),
		cmocka_unit_test(each_cell_is_visited_once_in_each_round_and_groups_stay_together),
		cmocka_unit_test(within_each_group_nobody_always_comes_first_or_after_the_same),
		cmocka_unit_test(a_visit_that_fails_ends_the_run),
	};

	return cmocka_run_group_tests(tests, make_cells, NULL);
}
