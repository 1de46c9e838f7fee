/* SPDX-License-Identifier: MIT */
/*
 * The one table of locks: ours and the peers they are compared with. Benchmark
 * and unit tests, also those under the sanitizers and in the guest, go through it,
 * so that a lock that is entered here is measured and tested alike.
 *
 *     const struct bench_lock *kind = bench_lock_find("gsync_mutex");
 *     struct bench_object object;               // any bytes: init makes it a lock
 *     struct bench_node node = { { 0 } };       // one per thread, zeroed once
 *
 *     kind->init(&object);
 *     kind->lock(&object, &node);
 *     kind->unlock(&object, &node);
 *     kind->destroy(&object);
 *
 * Queue locks (MCS, CLH) keep the waiting thread's place in its node, the
 * others ignore it. A CLH node may end up as another thread's place, so all
 * nodes must live until the lock's last use.
 *
 * Through these pointers a call costs an indirect jump. Where 5 ns are compared
 * with 9, use run: a worker loop with the lock calls inlined (worker.h).
 *
 * Peers in C++ stand on the same footing: this header and worker.h are also C++,
 * to be included as extern "C", and the loop is inlined around their calls, too.
 */
#ifndef GUESTSYNC_BENCH_LOCKS_H
#define GUESTSYNC_BENCH_LOCKS_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

/* Two cache lines: CPUs that fetch lines in pairs must not couple neighbours either. */
#define BENCH_LINE 128

/* Room for any lock or barrier of the table, and for any per-thread node, on lines of their own. */
struct bench_object {
	alignas(BENCH_LINE) unsigned char bytes[BENCH_LINE];
};

struct bench_node {
	alignas(BENCH_LINE) unsigned char bytes[BENCH_LINE];
};

struct bench_worker;

struct bench_lock {
	const char *name;
	bool ours;
	bool fifo;	      /* served in the order of arrival */
	bool visible_to_tsan; /* false: ThreadSanitizer sees no happens-before in it (assembly, uninstrumented) */
	size_t size;
	int (*init)(void *lock);
	int (*init_shared)(void *lock); /* for memory that several processes map; NULL where the lock cannot */
	int (*destroy)(void *lock);
	void (*lock)(void *lock, struct bench_node *node);
	void (*unlock)(void *lock, struct bench_node *node);
	int (*trylock)(void *lock, struct bench_node *node); /* 0 or EBUSY; NULL where there is none */
	/* 0 or ETIMEDOUT, DEADLINE on CLOCK_MONOTONIC; NULL where there is none */
	int (*timedlock)(void *lock, struct bench_node *node, const struct timespec *deadline);
	void (*run)(struct bench_worker *worker);
	const struct bench_lock *bound; /* what its kind cannot beat, to be measured beside it; or NULL */
};

struct bench_barrier {
	const char *name;
	bool ours;
	bool visible_to_tsan;
	bool reports_serial; /* wait tells exactly one thread per episode that it is the one */
	size_t size;
	int (*init)(void *barrier, unsigned threads);
	int (*init_shared)(void *barrier, unsigned threads); /* as a lock's */
	int (*destroy)(void *barrier);
	bool (*wait)(void *barrier, struct bench_node *node); /* true to the serial thread */
	void (*run)(struct bench_worker *worker);
};

/* What this build has, in the order of the reports; both end with NULL. */
extern const struct bench_lock *const bench_locks[];
extern const struct bench_barrier *const bench_barriers[];

/* NULL when this build has none of that name. */
const struct bench_lock *bench_lock_find(const char *name);
const struct bench_barrier *bench_barrier_find(const char *name);

/*
 * Names that are known but cannot be had here, and why: "not compiled in
 * (install libck-dev, then configure and build again)". NULL for all other names.
 */
const char *bench_absent_reason(const char *name);

/* The n-th known lock or barrier that this build lacks although it could have it; NULL after the last. */
const char *bench_absent_name(size_t n);

/* The entries; each is defined beside its lock calls, in locks_*.c. */
extern const struct bench_lock bench_gsync_spin, bench_gsync_mutex, bench_gsync_oticket;
extern const struct bench_lock bench_pthread_spin, bench_pthread_mutex, bench_pthread_mutex_adaptive;
extern const struct bench_lock bench_ck_fas, bench_ck_ticket, bench_ck_mcs, bench_ck_clh;
extern const struct bench_lock bench_nsync_mu;
extern const struct bench_lock bench_tbb_spin, bench_tbb_queuing, bench_absl_mutex;
/* No lock and not in the table: it has nothing but a loop, in ring.c. */
extern const struct bench_lock bench_token_ring;
extern const struct bench_barrier bench_gsync_barrier, bench_pthread_barrier, bench_ck_barrier;

#endif
