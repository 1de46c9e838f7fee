/* SPDX-License-Identifier: MIT */
#include "bench/wake.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <time.h>

#include "bench/affinity.h"
#include "bench/statistics.h"
#include "detect/clock.h"
#include "primitives/futex.h"

#define GROUPS 9
#define TRIPS 64
#define CALLS 256
#define CALLS_AT_ONCE 16
#define REST_NS 20000u
#define GROUP_NS 60000000u /* on a busy machine each wake-up may take a whole time slice */
#define SPREAD_MAX 0.3

struct bench_price bench_price_of_groups(double *groups, size_t count)
{
	struct bench_price price = { { 0, 0, false, "nothing could be measured" }, 0 };

	price.median = bench_median(groups, count);
	if (count == 0 || groups[0] <= 0)
		return price;
	price.estimate.value = groups[0];
	price.estimate.spread = price.median / groups[0] - 1;
	price.estimate.trusted = price.estimate.spread <= SPREAD_MAX;
	price.estimate.why = price.estimate.trusted ? "the groups agree" : "the groups differ too much";
	return price;
}

/* The groups of one price, and whether others wanted a CPU meanwhile. */
struct groups {
	double medians[GROUPS];
	size_t count;
	unsigned wanted;
};

static struct bench_price price_of(struct groups *groups)
{
	struct bench_price price = bench_price_of_groups(groups->medians, groups->count);

	if (groups->wanted * 4 > groups->count) {
		price.estimate.trusted = false;
		price.estimate.why = gsync_why_wanted;
	}
	return price;
}

/* ---- the token: each player has a word that counts what it was passed, and sleeps on it */

enum { LEADER, FOLLOWER, PLAYERS };

struct player {
	_Alignas(128) uint32_t word;
};

struct game {
	struct player players[PLAYERS];
	/* Handed on with the token: */
	enum { TIMING, BETWEEN_GROUPS, OVER } phase;
	bool follower_wanted; /* others want the follower's CPU */
	struct groups groups;
	unsigned rounds; /* groups, and those that found nobody asleep */
};

/* True when the other was asleep. */
static bool pass(struct player *to)
{
	__atomic_add_fetch(&to->word, 1, __ATOMIC_RELEASE);
	return gsync_futex_wake(&to->word, 1, GSYNC_ANYBODY, false) > 0;
}

static void await(struct player *self, uint32_t *seen)
{
	while (__atomic_load_n(&self->word, __ATOMIC_ACQUIRE) == *seen)
		gsync_futex_wait(&self->word, *seen, GSYNC_ANYBODY, NULL, false);
	++*seen;
}

static void *follow(void *argument)
{
	struct game *game = argument;
	uint32_t seen = 0;

	for (;;) {
		await(&game->players[FOLLOWER], &seen);
		if (game->phase == OVER)
			return NULL;
		if (game->phase == BETWEEN_GROUPS)
			game->follower_wanted = gsync_cpu_is_wanted();
		pass(&game->players[LEADER]);
	}
}

/*
 * Without a rest the two may find each other awake, turn after turn: then no one
 * sleeps and the price is that of a cache line. So does a trip that finds the
 * follower awake all the same, and it does not count.
 */
static void play_group(struct game *game, uint32_t *seen)
{
	static const struct timespec rest = { 0, REST_NS };
	uint64_t end = gsync_monotonic_ns() + GROUP_NS;
	double trips[TRIPS];
	size_t count = 0;
	uint64_t before;

	do {
		bool was_asleep;

		nanosleep(&rest, NULL);
		before = gsync_monotonic_ns();
		was_asleep = pass(&game->players[FOLLOWER]);
		await(&game->players[LEADER], seen);
		if (was_asleep)
			trips[count++] = (double)(gsync_monotonic_ns() - before) / 2;
	} while (count < TRIPS && before < end);
	if (count > 0)
		game->groups.medians[game->groups.count++] = bench_median(trips, count);
	game->rounds++;
}

static void *lead(void *argument)
{
	struct game *game = argument;
	uint32_t seen = 0;

	prctl(PR_SET_TIMERSLACK, 1UL);
	while (game->rounds < GROUPS) {
		game->phase = TIMING;
		play_group(game, &seen);
		game->phase = BETWEEN_GROUPS;
		pass(&game->players[FOLLOWER]);
		await(&game->players[LEADER], &seen);
		game->groups.wanted += gsync_cpu_is_wanted() || game->follower_wanted;
	}
	game->phase = OVER;
	pass(&game->players[FOLLOWER]);
	return NULL;
}

int bench_wake_measure(int cpu, int other_cpu, struct bench_price *price, struct bench_error *error)
{
	struct game game = { .phase = TIMING };
	pthread_t leader, follower;

	if (bench_pinned_thread(&follower, other_cpu, follow, &game, error) != 0)
		return -1;
	if (bench_pinned_thread(&leader, cpu, lead, &game, error) != 0) {
		game.phase = OVER;
		pass(&game.players[FOLLOWER]);
		pthread_join(follower, NULL);
		return -1;
	}
	pthread_join(leader, NULL);
	pthread_join(follower, NULL);
	*price = price_of(&game.groups);
	return 0;
}

/* ---- calls: too short to be timed one by one */

static void yield(void)
{
	sched_yield();
}

static void wake_nobody(void)
{
	uint32_t word = 0;

	gsync_futex_wake(&word, 1, GSYNC_ANYBODY, false);
}

static struct bench_price price_of_call(void (*call)(void))
{
	struct groups groups = { .count = 0 };

	while (groups.count < GROUPS) {
		uint64_t start = gsync_monotonic_ns();
		uint64_t passed = 0;
		unsigned calls = 0;

		while (calls < CALLS && passed < GROUP_NS) {
			for (unsigned i = 0; i < CALLS_AT_ONCE; i++)
				call();
			calls += CALLS_AT_ONCE;
			passed = gsync_monotonic_ns() - start;
		}
		groups.medians[groups.count++] = (double)passed / calls;
		groups.wanted += gsync_cpu_is_wanted();
	}
	return price_of(&groups);
}

void bench_yield_measure(struct bench_price *price)
{
	*price = price_of_call(yield);
	if (price->estimate.value > GSYNC_YIELD_NS) {
		price->estimate.trusted = false;
		price->estimate.why = gsync_why_wanted;
	}
}

void bench_futex_wake_measure(struct bench_price *price)
{
	*price = price_of_call(wake_nobody);
}
