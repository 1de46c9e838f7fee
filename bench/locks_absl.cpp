/* SPDX-License-Identifier: MIT */
/*
 * Abseil's mutex: spins for a while, then queues and sleeps. All of it stands in
 * its library, which is not built for ThreadSanitizer.
 */
#include <cerrno>
#include <cstdlib>
#include <new>

#include <absl/synchronization/mutex.h>

extern "C" {
#include "bench/worker.h"
}

static_assert(sizeof(absl::Mutex) <= sizeof(bench_object), "a mutex fits its storage");

/* A library built without NDEBUG, as Debian's is, looks for deadlocks at every lock: nobody means that by its speed. */
static int mutex_init(void *lock)
{
	absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
	new (lock) absl::Mutex;
	return 0;
}

static int mutex_destroy(void *lock)
{
	static_cast<absl::Mutex *>(lock)->~Mutex();
	return 0;
}

static inline void mutex_lock(void *lock, struct bench_node *)
{
	static_cast<absl::Mutex *>(lock)->Lock();
}

static inline void mutex_unlock(void *lock, struct bench_node *)
{
	static_cast<absl::Mutex *>(lock)->Unlock();
}

static int mutex_trylock(void *lock, struct bench_node *)
{
	return static_cast<absl::Mutex *>(lock)->TryLock() ? 0 : EBUSY;
}

BENCH_LOCK_RUN(mutex_run, mutex_lock, mutex_unlock)

const struct bench_lock bench_absl_mutex = {
	.name = "absl_mutex",
	.size = sizeof(absl::Mutex),
	.init = mutex_init,
	.destroy = mutex_destroy,
	.lock = mutex_lock,
	.unlock = mutex_unlock,
	.trylock = mutex_trylock,
	.run = mutex_run,
};
