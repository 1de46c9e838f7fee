/* SPDX-License-Identifier: MIT */
/*
 * oneTBB's spin lock, which backs off by PAUSE and then yields, and its queue
 * lock. Both are templates of its headers in all but name: inlined here as in
 * any program of theirs, and visible to ThreadSanitizer.
 */
#include <cerrno>
#include <cstdlib>
#include <new>

#include <tbb/queuing_mutex.h>
#include <tbb/spin_mutex.h>

extern "C" {
#include "bench/worker.h"
}

static_assert(sizeof(tbb::spin_mutex) <= sizeof(bench_object), "a spin lock fits its storage");
static_assert(sizeof(tbb::queuing_mutex) <= sizeof(bench_object), "a queue lock fits its storage");
static_assert(sizeof(tbb::queuing_mutex::scoped_lock) <= sizeof(bench_node), "a place in the queue fits its node");

template <typename Mutex> static int make(void *lock)
{
	new (lock) Mutex;
	return 0;
}

template <typename Mutex> static int unmake(void *lock)
{
	static_cast<Mutex *>(lock)->~Mutex();
	return 0;
}

static inline void spin_take(void *lock, struct bench_node *)
{
	static_cast<tbb::spin_mutex *>(lock)->lock();
}

static inline void spin_release(void *lock, struct bench_node *)
{
	static_cast<tbb::spin_mutex *>(lock)->unlock();
}

static int spin_try(void *lock, struct bench_node *)
{
	return static_cast<tbb::spin_mutex *>(lock)->try_lock() ? 0 : EBUSY;
}

BENCH_LOCK_RUN(spin_run, spin_take, spin_release)

const struct bench_lock bench_tbb_spin = {
	.name = "tbb_spin",
	.visible_to_tsan = true,
	.size = sizeof(tbb::spin_mutex),
	.init = make<tbb::spin_mutex>,
	.destroy = unmake<tbb::spin_mutex>,
	.lock = spin_take,
	.unlock = spin_release,
	.trylock = spin_try,
	.run = spin_run,
};

/* All zero is a scoped lock that holds nothing, says its header, and so is one that was released. */
static inline tbb::queuing_mutex::scoped_lock *place_of(struct bench_node *node)
{
	return reinterpret_cast<tbb::queuing_mutex::scoped_lock *>(node->bytes);
}

static inline void queuing_take(void *lock, struct bench_node *node)
{
	place_of(node)->acquire(*static_cast<tbb::queuing_mutex *>(lock));
}

static inline void queuing_release(void *, struct bench_node *node)
{
	place_of(node)->release();
}

static int queuing_try(void *lock, struct bench_node *node)
{
	return place_of(node)->try_acquire(*static_cast<tbb::queuing_mutex *>(lock)) ? 0 : EBUSY;
}

BENCH_LOCK_RUN(queuing_run, queuing_take, queuing_release)

const struct bench_lock bench_tbb_queuing = {
	.name = "tbb_queuing",
	.fifo = true,
	.visible_to_tsan = true,
	.size = sizeof(tbb::queuing_mutex),
	.init = make<tbb::queuing_mutex>,
	.destroy = unmake<tbb::queuing_mutex>,
	.lock = queuing_take,
	.unlock = queuing_release,
	.trylock = queuing_try,
	.run = queuing_run,
};
