/* SPDX-License-Identifier: MIT */
/* Our own locks and barrier as entries of the table. They share one interface, so one macro serves all locks. */
#include <guestsync/guestsync.h>

#include "bench/worker.h"

#define GSYNC_LOCK(entry, table_name, type, in_order)                                                                  \
	static int type##_init_private(void *lock)                                                                     \
	{                                                                                                              \
		return type##_init(lock, GSYNC_PROCESS_PRIVATE);                                                       \
	}                                                                                                              \
	static int type##_init_shared(void *lock)                                                                      \
	{                                                                                                              \
		return type##_init(lock, GSYNC_PROCESS_SHARED);                                                        \
	}                                                                                                              \
	static int type##_end(void *lock)                                                                              \
	{                                                                                                              \
		return type##_destroy(lock);                                                                           \
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
		return type##_trylock(lock);                                                                           \
	}                                                                                                              \
	static int type##_timed(void *lock, struct bench_node *node, const struct timespec *deadline)                  \
	{                                                                                                              \
		(void)node;                                                                                            \
		return type##_timedlock(lock, deadline);                                                               \
	}                                                                                                              \
	BENCH_LOCK_RUN(type##_run, type##_take, type##_release)                                                        \
	_Static_assert(sizeof(type##_t) <= sizeof(struct bench_object), "the lock fits its storage");                  \
	const struct bench_lock entry = {                                                                              \
		.name = table_name,                                                                                    \
		.ours = true,                                                                                          \
		.fifo = (in_order),                                                                                    \
		.visible_to_tsan = true,                                                                               \
		.size = sizeof(type##_t),                                                                              \
		.init = type##_init_private,                                                                           \
		.init_shared = type##_init_shared,                                                                     \
		.destroy = type##_end,                                                                                 \
		.lock = type##_take,                                                                                   \
		.unlock = type##_release,                                                                              \
		.trylock = type##_try,                                                                                 \
		.timedlock = type##_timed,                                                                             \
		.run = type##_run,                                                                                     \
		.bound = (in_order) ? &bench_token_ring : NULL,                                                        \
	};

GSYNC_LOCK(bench_gsync_spin, "gsync_spin", gsync_spinlock, false)
GSYNC_LOCK(bench_gsync_mutex, "gsync_mutex", gsync_mutex, false)
GSYNC_LOCK(bench_gsync_oticket, "gsync_oticket", gsync_oticket, true)

static int barrier_init(void *barrier, unsigned threads)
{
	return gsync_barrier_init(barrier, threads, GSYNC_PROCESS_PRIVATE);
}

static int barrier_init_shared(void *barrier, unsigned threads)
{
	return gsync_barrier_init(barrier, threads, GSYNC_PROCESS_SHARED);
}

static int barrier_destroy(void *barrier)
{
	return gsync_barrier_destroy(barrier);
}

static inline bool barrier_wait(void *barrier, struct bench_node *node)
{
	(void)node;
	return gsync_barrier_wait(barrier) == GSYNC_BARRIER_SERIAL_THREAD;
}

BENCH_BARRIER_RUN(barrier_run, barrier_wait)

const struct bench_barrier bench_gsync_barrier = {
	.name = "gsync_barrier",
	.ours = true,
	.visible_to_tsan = true,
	.reports_serial = true,
	.size = sizeof(gsync_barrier_t),
	.init = barrier_init,
	.init_shared = barrier_init_shared,
	.destroy = barrier_destroy,
	.wait = barrier_wait,
	.run = barrier_run,
};
