/* SPDX-License-Identifier: MIT */
/* nsync's mutex: the nearest relative of gsync_mutex. Its library is not built for ThreadSanitizer. */
#include <errno.h>

#include <nsync.h>

#include "bench/worker.h"

static int mu_init(void *lock)
{
	nsync_mu_init(lock);
	return 0;
}

static int mu_destroy(void *lock)
{
	(void)lock;
	return 0;
}

static inline void mu_lock(void *lock, struct bench_node *node)
{
	(void)node;
	nsync_mu_lock(lock);
}

static inline void mu_unlock(void *lock, struct bench_node *node)
{
	(void)node;
	nsync_mu_unlock(lock);
}

static int mu_trylock(void *lock, struct bench_node *node)
{
	(void)node;
	return nsync_mu_trylock(lock) ? 0 : EBUSY;
}

BENCH_LOCK_RUN(mu_run, mu_lock, mu_unlock)

const struct bench_lock bench_nsync_mu = {
	.name = "nsync_mu",
	.size = sizeof(nsync_mu),
	.init = mu_init,
	.destroy = mu_destroy,
	.lock = mu_lock,
	.unlock = mu_unlock,
	.trylock = mu_trylock,
	.run = mu_run,
};
