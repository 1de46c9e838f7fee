/* SPDX-License-Identifier: MIT */
/* The C library's locks and barrier: always in the table, as the control. */
#include <pthread.h>

#include "bench/worker.h"

_Static_assert(sizeof(pthread_mutex_t) <= sizeof(struct bench_object), "a mutex fits its storage");
_Static_assert(sizeof(pthread_barrier_t) <= sizeof(struct bench_object), "a barrier fits its storage");

static int spin_init(void *lock)
{
	return pthread_spin_init(lock, PTHREAD_PROCESS_PRIVATE);
}

static int spin_init_shared(void *lock)
{
	return pthread_spin_init(lock, PTHREAD_PROCESS_SHARED);
}

static int spin_destroy(void *lock)
{
	return pthread_spin_destroy(lock);
}

static inline void spin_lock(void *lock, struct bench_node *node)
{
	(void)node;
	pthread_spin_lock(lock);
}

static inline void spin_unlock(void *lock, struct bench_node *node)
{
	(void)node;
	pthread_spin_unlock(lock);
}

static int spin_trylock(void *lock, struct bench_node *node)
{
	(void)node;
	return pthread_spin_trylock(lock);
}

BENCH_LOCK_RUN(spin_run, spin_lock, spin_unlock)

const struct bench_lock bench_pthread_spin = {
	.name = "pthread_spin",
	.visible_to_tsan = true,
	.size = sizeof(pthread_spinlock_t),
	.init = spin_init,
	.init_shared = spin_init_shared,
	.destroy = spin_destroy,
	.lock = spin_lock,
	.unlock = spin_unlock,
	.trylock = spin_trylock,
	.run = spin_run,
};

static int mutex_init_as(void *lock, int type, int shared)
{
	pthread_mutexattr_t attributes;
	int error = pthread_mutexattr_init(&attributes);

	if (error != 0)
		return error;
	error = pthread_mutexattr_settype(&attributes, type);
	if (error == 0)
		error = pthread_mutexattr_setpshared(&attributes, shared);
	if (error == 0)
		error = pthread_mutex_init(lock, &attributes);
	pthread_mutexattr_destroy(&attributes);
	return error;
}

static int mutex_init(void *lock)
{
	return mutex_init_as(lock, PTHREAD_MUTEX_NORMAL, PTHREAD_PROCESS_PRIVATE);
}

static int mutex_init_shared(void *lock)
{
	return mutex_init_as(lock, PTHREAD_MUTEX_NORMAL, PTHREAD_PROCESS_SHARED);
}

static int adaptive_init(void *lock)
{
	return mutex_init_as(lock, PTHREAD_MUTEX_ADAPTIVE_NP, PTHREAD_PROCESS_PRIVATE);
}

static int adaptive_init_shared(void *lock)
{
	return mutex_init_as(lock, PTHREAD_MUTEX_ADAPTIVE_NP, PTHREAD_PROCESS_SHARED);
}

static int mutex_destroy(void *lock)
{
	return pthread_mutex_destroy(lock);
}

static inline void mutex_lock(void *lock, struct bench_node *node)
{
	(void)node;
	pthread_mutex_lock(lock);
}

static inline void mutex_unlock(void *lock, struct bench_node *node)
{
	(void)node;
	pthread_mutex_unlock(lock);
}

static int mutex_trylock(void *lock, struct bench_node *node)
{
	(void)node;
	return pthread_mutex_trylock(lock);
}

/* ThreadSanitizer of clang 14 does not know clocklock: there, what is locked by it looks unlocked. */
static int mutex_timedlock(void *lock, struct bench_node *node, const struct timespec *deadline)
{
	(void)node;
	return pthread_mutex_clocklock(lock, CLOCK_MONOTONIC, deadline);
}

BENCH_LOCK_RUN(mutex_run, mutex_lock, mutex_unlock)

#define PTHREAD_MUTEX(entry, table_name, init_private, init_process_shared)                                            \
	const struct bench_lock entry = {                                                                              \
		.name = table_name,                                                                                    \
		.visible_to_tsan = true,                                                                               \
		.size = sizeof(pthread_mutex_t),                                                                       \
		.init = init_private,                                                                                  \
		.init_shared = init_process_shared,                                                                    \
		.destroy = mutex_destroy,                                                                              \
		.lock = mutex_lock,                                                                                    \
		.unlock = mutex_unlock,                                                                                \
		.trylock = mutex_trylock,                                                                              \
		.timedlock = mutex_timedlock,                                                                          \
		.run = mutex_run,                                                                                      \
	};

PTHREAD_MUTEX(bench_pthread_mutex, "pthread_mutex", mutex_init, mutex_init_shared)
PTHREAD_MUTEX(bench_pthread_mutex_adaptive, "pthread_mutex_adaptive", adaptive_init, adaptive_init_shared)

static int barrier_init(void *barrier, unsigned threads)
{
	return pthread_barrier_init(barrier, NULL, threads);
}

static int barrier_init_shared(void *barrier, unsigned threads)
{
	pthread_barrierattr_t attributes;
	int result;

	pthread_barrierattr_init(&attributes);
	pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	result = pthread_barrier_init(barrier, &attributes, threads);
	pthread_barrierattr_destroy(&attributes);
	return result;
}

static int barrier_destroy(void *barrier)
{
	return pthread_barrier_destroy(barrier);
}

static inline bool barrier_wait(void *barrier, struct bench_node *node)
{
	(void)node;
	return pthread_barrier_wait(barrier) == PTHREAD_BARRIER_SERIAL_THREAD;
}

BENCH_BARRIER_RUN(barrier_run, barrier_wait)

const struct bench_barrier bench_pthread_barrier = {
	.name = "pthread_barrier",
	.visible_to_tsan = true,
	.reports_serial = true,
	.size = sizeof(pthread_barrier_t),
	.init = barrier_init,
	.init_shared = barrier_init_shared,
	.destroy = barrier_destroy,
	.wait = barrier_wait,
	.run = barrier_run,
};
