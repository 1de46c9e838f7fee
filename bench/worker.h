/* SPDX-License-Identifier: MIT */
/*
 * What a measured thread does, and the memory it does it in.
 *
 * The loops below are instantiated once per lock with the lock calls inlined,
 * because what is compared lasts 5 to 10 ns. They write nothing that others
 * read but the lock and the data it protects: whatever a thread keeps is on
 * lines of its own, and so is each word that the measurer writes.
 */
#ifndef GUESTSYNC_BENCH_WORKER_H
#define GUESTSYNC_BENCH_WORKER_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

#include "bench/burn.h"
#include "bench/histogram.h"
#include "bench/locks.h"
#include "bench/random.h"
#include "detect/clock.h"

enum bench_phase {
	BENCH_WARM_UP, /* nothing is recorded */
	BENCH_MEASURE,
	BENCH_STOP,
};

struct bench_stage;

struct bench_worker {
	/* set before the thread starts */
	alignas(BENCH_LINE) struct bench_stage *stage;
	unsigned index;
	void (*run)(struct bench_worker *worker);
	pthread_t thread;
	const uint32_t *orders; /* a bench_phase: the loop ends at BENCH_STOP; the stage's, or this in a ramp: */
	uint32_t order;
	pthread_cond_t called; /* in a ramp: wakes it to another order */

	/* the thread's own */
	alignas(BENCH_LINE) uint64_t count; /* acquisitions or episodes so far; the measurer reads it now and then */
	uint64_t errors;
	uint64_t serials; /* how often the barrier named this thread the serial one */
	alignas(BENCH_LINE) struct bench_node node;
	struct bench_histogram waits; /* in ticks */

	/*
	 * Barrier: the episode this thread has arrived in, and the last in
	 * which it was the serial thread. Plain words: the barrier itself must
	 * order them. Odd and even episodes use different words, so that a
	 * thread may look at episode n while another is on its way to n + 1.
	 */
	alignas(BENCH_LINE) uint64_t arrived[2];
	uint64_t serial[2];
};

struct bench_stage {
	/* the measurer's orders; nobody else writes this line */
	alignas(BENCH_LINE) uint32_t phase;
	uint32_t sample_mask; /* time an acquisition when its number & mask is 0 */

	/* fixed before the threads start */
	alignas(BENCH_LINE) uint64_t cs_steps;
	uint64_t think_steps;
	unsigned threads;
	bool reports_serial;

	/* the gate where the threads gather before they start; semaphores, since none is to wait until others have had a CPU */
	alignas(BENCH_LINE) sem_t arrivals;
	sem_t permits;
	sem_t departures;
	unsigned expected; /* to pass it; written before the first permit */

	/* in a ramp: those that are called off, and out of the loop */
	pthread_mutex_t rest;
	pthread_cond_t more_rest; /* for the measurer */
	unsigned resting;

	struct bench_object object;

	/* what the lock protects; volatile, so that every access happens where it is written */
	alignas(BENCH_LINE) volatile uint64_t first;
	alignas(BENCH_LINE) volatile uint64_t second;

	/* barrier: the episode after which all leave, by its parity; written by thread 0 */
	alignas(BENCH_LINE) uint64_t leave[2];

	struct bench_worker workers[];
};

#define BENCH_INLINE static inline __attribute__((always_inline))

/* Between half and one and a half times STEPS, so that threads do not fall into step. */
BENCH_INLINE uint64_t bench_think(uint64_t steps, uint64_t *random, uint64_t value)
{
	return bench_burn(steps / 2 + ((steps * (bench_random(random) >> 40)) >> 24), value);
}

/*
 * A wait counts when it ended after the warm-up: also one that began before the
 * window, or outlasted it. The counters of two CPUs may differ by a few ticks.
 */
BENCH_INLINE void bench_waited(struct bench_worker *worker, uint64_t start, uint64_t end)
{
	if (__atomic_load_n(&worker->stage->phase, __ATOMIC_RELAXED) != BENCH_WARM_UP)
		bench_histogram_record(&worker->waits, end > start ? end - start : 0);
}

/*
 * Exclusion is checked twice: both counters must in the end equal the sum of
 * the threads' own counts, and during a critical section that lasts nobody else
 * may have moved the first.
 */
BENCH_INLINE void bench_lock_loop(struct bench_worker *worker, void (*lock)(void *, struct bench_node *),
				  void (*unlock)(void *, struct bench_node *))
{
	struct bench_stage *stage = worker->stage;
	const uint64_t cs_steps = stage->cs_steps, think_steps = stage->think_steps;
	const uint32_t *const orders = worker->orders;
	uint64_t count = worker->count, value = 1, random = worker->index + 1, start = 0, end = 0;

	while (__atomic_load_n(orders, __ATOMIC_RELAXED) != BENCH_STOP) {
		bool timed = (count & __atomic_load_n(&stage->sample_mask, __ATOMIC_RELAXED)) == 0;

		if (timed)
			start = gsync_ticks();
		lock(&stage->object, &worker->node);
		if (timed)
			end = gsync_ticks();
		stage->first++;
		stage->second++;
		/* After the end nobody lingers: thousands of waiters may stand in line. Who is called off, works. */
		if (cs_steps != 0 && __atomic_load_n(&stage->phase, __ATOMIC_RELAXED) != BENCH_STOP) {
			uint64_t entered = stage->first;

			value = bench_burn(cs_steps, value);
			if (stage->first != entered)
				worker->errors++;
		}
		unlock(&stage->object, &worker->node);
		__atomic_store_n(&worker->count, ++count, __ATOMIC_RELAXED);
		if (timed)
			bench_waited(worker, start, end);
		if (think_steps != 0)
			value = bench_think(think_steps, &random, value);
	}
}

/* The first episodes are all checked, later ones now and then: the check itself costs more than a good barrier. */
BENCH_INLINE bool bench_episode_is_checked(uint64_t episode)
{
	return episode <= 64 || episode % 16 == 8;
}

/* How many rules of a barrier were seen broken after EPISODE (measure.c). */
uint64_t bench_check_episode(const struct bench_worker *worker, uint64_t episode);

/* Thread 0 decides before it arrives, all learn it after the barrier: so all leave in the same episode. */
BENCH_INLINE void bench_barrier_loop(struct bench_worker *worker, bool (*wait)(void *, struct bench_node *))
{
	struct bench_stage *stage = worker->stage;
	const uint64_t think_steps = stage->think_steps;
	uint64_t value = 1, random = worker->index + 1, start = 0, end = 0, last;

	for (uint64_t episode = 1;; episode++) {
		const unsigned parity = episode & 1;
		bool timed = (episode & __atomic_load_n(&stage->sample_mask, __ATOMIC_RELAXED)) == 0;

		worker->arrived[parity] = episode;
		if (worker->index == 0 && __atomic_load_n(&stage->phase, __ATOMIC_RELAXED) == BENCH_STOP)
			__atomic_store_n(&stage->leave[parity], episode, __ATOMIC_RELAXED);
		if (timed)
			start = gsync_ticks();
		if (wait(&stage->object, &worker->node)) {
			worker->serial[parity] = episode;
			worker->serials++;
		}
		if (timed)
			end = gsync_ticks();
		if (bench_episode_is_checked(episode))
			worker->errors += bench_check_episode(worker, episode);
		__atomic_store_n(&worker->count, episode, __ATOMIC_RELAXED);
		if (timed)
			bench_waited(worker, start, end);
		/* Later than the leader only if the barrier is broken; that must not keep a thread here for ever. */
		last = __atomic_load_n(&stage->leave[parity], __ATOMIC_RELAXED);
		if (last != 0 && episode >= last)
			return;
		if (think_steps != 0)
			value = bench_think(think_steps, &random, value);
	}
}

/*
 * Defines a table entry's run function. Flattened: not one call of the lock's fast path stays a call. On a page of its
 * own: where QEMU translates, a lock whose loop happened to cross the border of one did 0.4 of what it does otherwise.
 */
#define BENCH_LOCK_RUN(function, lock, unlock)                                                                         \
	static __attribute__((flatten, aligned(4096))) void function(struct bench_worker *worker)                       \
	{                                                                                                              \
		bench_lock_loop(worker, lock, unlock);                                                                 \
	}

#define BENCH_BARRIER_RUN(function, wait)                                                                              \
	static __attribute__((flatten, aligned(4096))) void function(struct bench_worker *worker)                       \
	{                                                                                                              \
		bench_barrier_loop(worker, wait);                                                                      \
	}

#endif
