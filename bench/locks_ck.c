/* SPDX-License-Identifier: MIT */
/*
 * Concurrency Kit's spin locks and its centralized barrier. Nothing here ever
 * sleeps, and the code is inline assembly, which ThreadSanitizer cannot follow.
 */
#include <errno.h>

#include <ck_barrier.h>
#include <ck_spinlock.h>

#include "bench/worker.h"

static int nothing_to_destroy(void *object)
{
	(void)object;
	return 0;
}

/* FAS and ticket are a word each: no pointers, so they also work between processes. */
#define CK_WORD_LOCK(entry, table_name, type, in_order)                                                                \
	static int type##_begin(void *lock)                                                                            \
	{                                                                                                              \
		type##_init(lock);                                                                                     \
		return 0;                                                                                              \
	}                                                                                                              \
	static inline void type##_take(void *lock, struct bench_node *node)                                            \
	{                                                                                                              \
		(void)node;                                                                                            \
		type##_lock(lock);                                                                                     \
	}                                                                                                              \
	static inline void type##_release(void *lock, struct bench_node *node)                                         \
	{                                                                                                              \
		(void)node;                                                                                            \
		type##_unlock(lock);                                                                                   \
	}                                                                                                              \
	static int type##_try(void *lock, struct bench_node *node)                                                     \
	{                                                                                                              \
		(void)node;                                                                                            \
		return type##_trylock(lock) ? 0 : EBUSY;                                                               \
	}                                                                                                              \
	BENCH_LOCK_RUN(type##_run, type##_take, type##_release)                                                        \
	const struct bench_lock entry = {                                                                              \
		.name = table_name,                                                                                    \
		.fifo = (in_order),                                                                                    \
		.size = sizeof(type##_t),                                                                              \
		.init = type##_begin,                                                                                  \
		.init_shared = type##_begin,                                                                           \
		.destroy = nothing_to_destroy,                                                                         \
		.lock = type##_take,                                                                                   \
		.unlock = type##_release,                                                                              \
		.trylock = type##_try,                                                                                 \
		.run = type##_run,                                                                                     \
	};

CK_WORD_LOCK(bench_ck_fas, "ck_fas", ck_spinlock_fas, false)
CK_WORD_LOCK(bench_ck_ticket, "ck_ticket", ck_spinlock_ticket, true)

static int mcs_init(void *lock)
{
	ck_spinlock_mcs_init(lock);
	return 0;
}

static inline void mcs_lock(void *lock, struct bench_node *node)
{
	ck_spinlock_mcs_lock(lock, (void *)node);
}

static inline void mcs_unlock(void *lock, struct bench_node *node)
{
	ck_spinlock_mcs_unlock(lock, (void *)node);
}

static int mcs_trylock(void *lock, struct bench_node *node)
{
	return ck_spinlock_mcs_trylock(lock, (void *)node) ? 0 : EBUSY;
}

BENCH_LOCK_RUN(mcs_run, mcs_lock, mcs_unlock)

const struct bench_lock bench_ck_mcs = {
	.name = "ck_mcs",
	.fifo = true,
	.size = sizeof(ck_spinlock_mcs_t),
	.init = mcs_init,
	.destroy = nothing_to_destroy,
	.lock = mcs_lock,
	.unlock = mcs_unlock,
	.trylock = mcs_trylock,
	.run = mcs_run,
};

/* The queue starts with a place that belongs to nobody; every unlock takes the predecessor's place over. */
struct clh {
	ck_spinlock_clh_t *queue;
	ck_spinlock_clh_t unowned;
};

struct clh_node {
	ck_spinlock_clh_t *place; /* NULL before the first lock: then OWN */
	ck_spinlock_clh_t own;
};

_Static_assert(sizeof(struct clh_node) <= sizeof(struct bench_node), "a CLH place fits its node");

static int clh_init(void *object)
{
	struct clh *lock = object;

	ck_spinlock_clh_init(&lock->queue, &lock->unowned);
	return 0;
}

static inline void clh_lock(void *object, struct bench_node *node)
{
	struct clh *lock = object;
	struct clh_node *mine = (void *)node;

	if (mine->place == NULL)
		mine->place = &mine->own;
	ck_spinlock_clh_lock(&lock->queue, mine->place);
}

static inline void clh_unlock(void *object, struct bench_node *node)
{
	struct clh_node *mine = (void *)node;

	(void)object;
	ck_spinlock_clh_unlock(&mine->place);
}

BENCH_LOCK_RUN(clh_run, clh_lock, clh_unlock)

const struct bench_lock bench_ck_clh = {
	.name = "ck_clh",
	.fifo = true,
	.size = sizeof(struct clh),
	.init = clh_init,
	.destroy = nothing_to_destroy,
	.lock = clh_lock,
	.unlock = clh_unlock,
	.run = clh_run,
};

struct centralized {
	ck_barrier_centralized_t barrier;
	unsigned threads;
};

static int centralized_init(void *object, unsigned threads)
{
	struct centralized *centralized = object;

	centralized->barrier = (ck_barrier_centralized_t)CK_BARRIER_CENTRALIZED_INITIALIZER;
	centralized->threads = threads;
	return 0;
}

/* The thread's sense lives in its node; zero is its initial value. */
static inline bool centralized_wait(void *object, struct bench_node *node)
{
	struct centralized *centralized = object;

	ck_barrier_centralized(&centralized->barrier, (void *)node, centralized->threads);
	return false;
}

BENCH_BARRIER_RUN(centralized_run, centralized_wait)

const struct bench_barrier bench_ck_barrier = {
	.name = "ck_barrier",
	.size = sizeof(struct centralized),
	.init = centralized_init,
	.destroy = nothing_to_destroy,
	.wait = centralized_wait,
	.run = centralized_run,
};
