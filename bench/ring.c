/* SPDX-License-Identifier: MIT */
/*
 * The token ring: not a lock, but the bound of all that serve strictly in order
 * and whose waiters sleep. Such a lock goes round its threads like a token, each
 * time by a switch to the next. The cheapest switch stays on one CPU: one futex
 * call wakes the next thread, another puts this one to sleep, and no halted vCPU
 * has to be woken, no cache line fetched. So all threads are pinned to the first
 * CPU, whatever --pin says.
 *
 * A turn is one of the measured loop, with the same work as in every lock's cell:
 * wait, critical section, pass on, think. Everybody thinks on that one CPU, so an
 * operation costs a critical section, a think time and a switch.
 *
 * More than the ring does who need not switch, or not alone: waiters that are
 * awake when their turn comes, because they spin, or because few stand in the queue
 * at a time, and, with think times longer than a switch, several CPUs that think at
 * the same time.
 *
 * States of a thread's word. TURN is written by whoever passes it, the others by
 * the thread itself.
 *
 *   AWAY    it is not its turn, and it does not sleep
 *   ASLEEP  it sleeps, or is about to, until it is its turn
 *   TURN    it is its turn
 *   GONE    it has left; said in its last turn, so only one in its turn may care
 *
 * After the window a thread may already have left the loop, or be about to,
 * while others sleep behind it. So whoever leaves waits for one more turn, says
 * that it is gone, and passes on to the next that is not.
 */
#include <stddef.h>

#include "bench/worker.h"
#include "primitives/futex.h"

enum {
	AWAY, /* zero, as nodes begin */
	ASLEEP,
	TURN,
	GONE,
};

static inline uint32_t *word_of(struct bench_worker *worker)
{
	return (void *)&worker->node;
}

static inline struct bench_worker *owner_of(struct bench_node *node)
{
	return (void *)((unsigned char *)node - offsetof(struct bench_worker, node));
}

static inline struct bench_worker *after(struct bench_worker *worker)
{
	struct bench_stage *stage = worker->stage;

	return worker->index + 1 < stage->threads ? worker + 1 : stage->workers;
}

static inline void take_turn(void *unused, struct bench_node *node)
{
	uint32_t *word = word_of(owner_of(node));

	(void)unused;
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != TURN) {
		uint32_t seen = AWAY;

		if (__atomic_compare_exchange_n(word, &seen, ASLEEP, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED) ||
		    seen == ASLEEP)
			gsync_futex_wait(word, ASLEEP, GSYNC_ANYBODY, NULL, false);
	}
	__atomic_store_n(word, AWAY, __ATOMIC_RELAXED);
}

/* A thread that is alone passes to itself. */
static inline void pass_turn(void *unused, struct bench_node *node)
{
	struct bench_worker *self = owner_of(node), *next = after(self);

	(void)unused;
	while (next != self && __atomic_load_n(word_of(next), __ATOMIC_RELAXED) == GONE)
		next = after(next);
	if (__atomic_exchange_n(word_of(next), TURN, __ATOMIC_RELEASE) == ASLEEP)
		gsync_futex_wake(word_of(next), 1, GSYNC_ANYBODY, false);
}

BENCH_LOCK_RUN(take_turns, take_turn, pass_turn)

static void ring_run(struct bench_worker *worker)
{
	if (worker->index == 0)
		__atomic_store_n(word_of(worker), TURN, __ATOMIC_RELAXED);
	take_turns(worker);
	take_turn(NULL, &worker->node);
	__atomic_store_n(word_of(worker), GONE, __ATOMIC_RELAXED);
	pass_turn(NULL, &worker->node);
}

static int nothing_to_do(void *unused)
{
	(void)unused;
	return 0;
}

const struct bench_lock bench_token_ring = {
	.name = "token_ring",
	.fifo = true,
	.visible_to_tsan = true,
	.init = nothing_to_do,
	.destroy = nothing_to_do,
	.run = ring_run,
};
