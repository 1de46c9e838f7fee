/* SPDX-License-Identifier: MIT */
#include "bench/oracle.h"

#include <stdlib.h>

#include <guestsync/profile.h>

#include "bench/turns.h"

const uint32_t bench_budgets_ns[BENCH_BUDGETS] = { 0, 1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000 };

/* ---- the contest */

static int set_budget(uint32_t budget_ns, struct bench_error *error)
{
	static const char *const spins[] = { "spin_ns",	      "pressed_spin_ns", "spin_floor_ns",
					     "woken_spin_ns", "near_ns",	 "barrier_ns" };

	for (size_t i = 0; i < sizeof(spins) / sizeof(spins[0]); i++) {
		uint64_t value = 0;

		/* A sandbox may refuse what publishing needs: then the old value stays. */
		if (gsync_profile_set(spins[i], budget_ns) != 0 || gsync_profile_get(spins[i], &value) != 0 ||
		    value != budget_ns)
			return bench_fail(error, "cannot set %s to %u", spins[i], budget_ns);
	}
	return 0;
}

/* Back to the rules, or the environment, whose word is the user's choice. */
static int enter(size_t contestant, struct bench_error *error)
{
	if (contestant < BENCH_BUDGETS)
		return set_budget(bench_budgets_ns[contestant], error);
	return gsync_profile_reset(NULL) == 0 ? 0 : bench_fail(error, "cannot reset the thresholds");
}

static int measure_contestant(struct bench_conductor *conductor, struct bench_cell *cell, size_t contestant,
			      double seconds, double *ops_per_s, struct bench_error *error)
{
	struct bench_sample sample;

	if (enter(contestant, error) != 0 || bench_conduct_window(conductor, cell, seconds, &sample, error) != 0)
		return -1;
	cell->median.errors += sample.errors;
	*ops_per_s = sample.ops_per_s;
	return 0;
}

static int visit(struct bench_conductor *conductor, struct bench_cell *cell, struct bench_error *error)
{
	struct bench_oracle_cell *cells = conductor->context;
	double *ops = cells[cell - conductor->run->cells].rounds[conductor->round].ops_per_s;
	double unrecorded;

	if (measure_contestant(conductor, cell, BENCH_CHOSEN, BENCH_ORACLE_SETTLE_S, &unrecorded, error) != 0)
		return -1;
	for (size_t place = 0; place < BENCH_CONTESTANTS; place++) {
		size_t contestant = bench_turn(conductor->round, place, BENCH_CONTESTANTS);

		if (measure_contestant(conductor, cell, contestant, conductor->run->settings->seconds,
				       &ops[contestant], error) != 0)
			return -1;
	}
	return 0;
}

int bench_oracle_init(struct bench_oracle *oracle, const struct bench_settings *settings, struct bench_error *error)
{
	if (bench_run_init(&oracle->run, settings, error) != 0)
		return -1;
	oracle->cells = calloc(oracle->run.count + 1, sizeof(oracle->cells[0]));
	if (oracle->cells == NULL) {
		bench_run_free(&oracle->run);
		return bench_fail(error, "no memory for %zu cells", oracle->run.count);
	}
	return 0;
}

void bench_oracle_free(struct bench_oracle *oracle)
{
	free(oracle->cells);
	oracle->cells = NULL;
	bench_run_free(&oracle->run);
}

int bench_oracle_measure(struct bench_oracle *oracle, void (*report)(const struct bench_progress *progress),
			 struct bench_error *error)
{
	struct bench_conductor conductor = {
		.run = &oracle->run,
		.visit = visit,
		.context = oracle->cells,
		.windows_per_visit = 1 + BENCH_CONTESTANTS,
		.report = report,
	};
	int result = bench_conduct(&conductor, error);

	gsync_profile_reset(NULL);
	for (size_t i = 0; i < oracle->run.count && result == 0; i++)
		bench_oracle_judge(&oracle->cells[i].verdict, oracle->cells[i].rounds, oracle->run.settings->rounds);
	return result;
}

/* ---- the verdict */

/* The budget of the highest median over all rounds but LEFT_OUT; of equals the first, which is the shortest. */
static size_t best_budget(const struct bench_contest *rounds, size_t count, size_t left_out)
{
	double values[BENCH_ROUNDS_MAX], highest = -1;
	size_t best = 0;

	for (size_t budget = 0; budget < BENCH_BUDGETS; budget++) {
		double median;
		size_t used = 0;

		for (size_t i = 0; i < count; i++)
			if (i != left_out)
				values[used++] = rounds[i].ops_per_s[budget];
		median = bench_median(values, used);
		if (median > highest) {
			highest = median;
			best = budget;
		}
	}
	return best;
}

static size_t append_ratio(double *ratios, size_t used, double value, double divisor)
{
	if (divisor > 0)
		ratios[used++] = value / divisor;
	return used;
}

void bench_oracle_judge(struct bench_oracle_verdict *verdict, const struct bench_contest *rounds, size_t count)
{
	double chosen[BENCH_ROUNDS_MAX], best[BENCH_ROUNDS_MAX];
	double to_best[BENCH_ROUNDS_MAX], to_control[BENCH_ROUNDS_MAX];
	size_t against_best = 0, against_control = 0;

	for (size_t i = 0; i < count; i++) {
		const double *ops = rounds[i].ops_per_s;

		chosen[i] = ops[BENCH_CHOSEN];
		best[i] = ops[best_budget(rounds, count, i)];
		against_best = append_ratio(to_best, against_best, chosen[i], best[i]);
		against_control = append_ratio(to_control, against_control, ops[BENCH_CONTROL], chosen[i]);
	}
	*verdict = (struct bench_oracle_verdict){
		.chosen_ops_per_s = bench_median(chosen, count),
		.best_ops_per_s = bench_median(best, count),
		.best = best_budget(rounds, count, count),
		.chosen_over_best = bench_median(to_best, against_best),
		.spread = bench_relative_range(to_best, against_best),
		.control_over_chosen = bench_median(to_control, against_control),
		.control_spread = bench_relative_range(to_control, against_control),
	};
}

static void add_to_tally(struct bench_oracle_tally *tally, size_t cell, double ratio)
{
	tally->at_least_095 += ratio >= 0.95;
	tally->at_least_085 += ratio >= 0.85;
	if (cell == 0 || ratio < tally->least_ratio) {
		tally->least = cell;
		tally->least_ratio = ratio;
	}
}

void bench_oracle_sum_up(const struct bench_oracle_cell *cells, size_t count, struct bench_oracle_tally *chosen,
			 struct bench_oracle_tally *control)
{
	*chosen = *control = (struct bench_oracle_tally){ 0 };
	for (size_t i = 0; i < count; i++) {
		add_to_tally(chosen, i, cells[i].verdict.chosen_over_best);
		add_to_tally(control, i, cells[i].verdict.control_over_chosen);
	}
}
