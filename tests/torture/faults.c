/* SPDX-License-Identifier: MIT */
/*
 * The torture of our locks, barrier and pool over a kernel that ends waits as it
 * likes, on CPUs that stop between any two steps (faults.h). Goes on until so many
 * waits have ended for no reason, and so many unlocks been delayed, as is asked for:
 *
 *     torture_faults [WAITS [DELAYS [SEED]]]
 */
#include <guestsync/profile.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/random.h"
#include "cli/torture.h"
#include "tests/torture/faults.h"

#define WAITS 1000000u
#define DELAYS 100000u
#define STAGE_S 1.0
#define BOUND_S 10.0
#define THREADS 6u

static const struct torture_subject subjects[] = {
	{ "gsync_mutex", &bench_gsync_mutex, NULL },	 { "gsync_oticket", &bench_gsync_oticket, NULL },
	{ "gsync_spin", &bench_gsync_spin, NULL },	 { "gsync_barrier", NULL, &bench_gsync_barrier },
	{ "pool", NULL, NULL },
};

static uint64_t waits(void)
{
	uint64_t sum = 0;

	for (enum fault fault = FAULT_WOKEN; fault <= FAULT_ENOMEM; fault++)
		sum += faults_count(fault);
	return sum;
}

/* In every other round nobody spins: the futex is where it happens. */
static void choose_patience(unsigned round)
{
	static const char *const spins[] = { "spin_ns", "pressed_spin_ns", "spin_floor_ns", "near_ns", "barrier_ns" };

	for (size_t i = 0; i < sizeof(spins) / sizeof(spins[0]); i++)
		if (round % 2 != 0)
			gsync_profile_set(spins[i], 0);
		else
			gsync_profile_reset(spins[i]);
}

/* Returns how many stages failed. */
static unsigned play_round(const struct torture_plan *plan, unsigned round, double *longest_ms)
{
	struct torture_result result;
	struct bench_error error;
	unsigned failed = 0;

	for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++)
		for (const struct torture_act *const *act = torture_acts; *act != NULL; act++) {
			const struct torture_stage stage = { &subjects[i], *act, round, false };

			if (!torture_suits(*act, &subjects[i]))
				continue;
			if (torture_stage_play(&stage, plan, &result, &error) != 0) {
				fprintf(stderr, "torture_faults: %s\n", error.text);
				exit(1);
			}
			failed += result.failure[0] != '\0';
			if (result.longest_ms > *longest_ms)
				*longest_ms = result.longest_ms;
		}
	return failed;
}

int main(int argc, char **argv)
{
	uint64_t enough_waits = argc > 1 ? strtoull(argv[1], NULL, 10) : WAITS;
	uint64_t enough_delays = argc > 2 ? strtoull(argv[2], NULL, 10) : DELAYS;
	const struct torture_plan plan = {
		.seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 1,
		.threads = THREADS, .seconds = STAGE_S, .bound_s = BOUND_S, .log = stderr,
	};
	double longest_ms = 0;
	unsigned failed = 0, round = 0;

	faults_begin();
	do {
		choose_patience(++round);
		failed += play_round(&plan, round, &longest_ms);
	} while (failed == 0 && (waits() < enough_waits || faults_count(FAULT_DELAY_IN_UNLOCK) < enough_delays));
	printf("torture_faults: seed %" PRIu64 ", %u rounds, %u stages failed, longest call %.0f ms of %.0f\n", plan.seed,
	       round, failed, longest_ms, BOUND_S * 1e3);
	for (enum fault fault = 0; fault < FAULTS; fault++)
		printf("%12" PRIu64 " %s\n", faults_count(fault), fault_names[fault]);
	return failed == 0 ? 0 : 1;
}
