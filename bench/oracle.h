/* SPDX-License-Identifier: MIT */
/*
 * Does the library choose as well as somebody who tuned by hand?
 *
 * Each cell is measured with the library left alone ("chosen") and with each of
 * a row of fixed spin budgets, and chosen ÷ best tells what is left to gain.
 * Three things would make such a figure lie; each is met.
 *
 * The machine drifts. So windows interleave: in a round each cell is measured
 * once with everything, close together, and the ratios are taken within the
 * round. The order changes from round to round, and with it who comes after
 * whom (turns.h): what a window leaves behind for the next one (the library's idea of the
 * pressure, up to 0.4 s old; a recess of its yields, 0.1 s; where the scheduler
 * has put the disturbers) falls on all alike. What a thread has learned ends
 * with its window. Each visit to a cell begins with a window of the chosen
 * settings that is not recorded, in which the library sees what goes on now, and
 * the cell before is forgotten.
 *
 * The best of nine noisy medians is too good (the winner's curse). So the budget
 * that "chosen" has to match in a round is the one of the highest median over the
 * other rounds; of equals the shorter. What it does in this round it does without
 * having been picked for it. The price: where budgets differ by less than the
 * noise, the pick is not always the truly best; the true ratio may then be a
 * little, never much, below the one shown.
 *
 * Noise alone moves a ratio away from 1. So each round measures "chosen" once
 * more, as a control: what control ÷ chosen shows is shown where nothing differs.
 * A cell whose control strays by 10 % says nothing about 5 %.
 *
 * In scenario oc the second copy is made for each window, with the settings of the
 * first: whoever tunes by hand would tune both.
 *
 * Ratios are medians over the rounds; a round in which the divisor stood still
 * has none. Throughput decides, nothing else: CPU time is no part of it.
 */
#ifndef GUESTSYNC_BENCH_ORACLE_H
#define GUESTSYNC_BENCH_ORACLE_H

#include "bench/rounds.h"

#define BENCH_BUDGETS 9
extern const uint32_t bench_budgets_ns[BENCH_BUDGETS];

/* Who is measured: the budgets by their index, and */
enum {
	BENCH_CHOSEN = BENCH_BUDGETS,
	BENCH_CONTROL,
	BENCH_CONTESTANTS,
};

struct bench_contest {
	double ops_per_s[BENCH_CONTESTANTS];
};

struct bench_oracle_verdict {
	double chosen_ops_per_s;
	double best_ops_per_s; /* of what chosen was compared with, round by round */
	size_t best;	       /* the budget of the highest median over all rounds: a name, not a measure */
	double chosen_over_best, spread;
	double control_over_chosen, control_spread;
};

struct bench_oracle_cell {
	struct bench_contest rounds[BENCH_ROUNDS_MAX];
	struct bench_oracle_verdict verdict;
};

/* The cells stand side by side with those of RUN, in whose medians only the errors are filled in. */
struct bench_oracle {
	struct bench_run run;
	struct bench_oracle_cell *cells;
};

#define BENCH_ORACLE_SETTLE_S 0.13

int bench_oracle_init(struct bench_oracle *oracle, const struct bench_settings *settings, struct bench_error *error);
void bench_oracle_free(struct bench_oracle *oracle);

/* Measures and judges; needs two rounds. The library is left alone again afterwards, also on failure. */
int bench_oracle_measure(struct bench_oracle *oracle, void (*report)(const struct bench_progress *progress),
			 struct bench_error *error);

void bench_oracle_judge(struct bench_oracle_verdict *verdict, const struct bench_contest *rounds, size_t count);

struct bench_oracle_tally {
	size_t at_least_095, at_least_085;
	size_t least; /* the cell */
	double least_ratio;
};

/* Over all cells: of chosen ÷ best, and of control ÷ chosen. */
void bench_oracle_sum_up(const struct bench_oracle_cell *cells, size_t count, struct bench_oracle_tally *chosen,
			 struct bench_oracle_tally *control);

#endif
