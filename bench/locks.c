/* SPDX-License-Identifier: MIT */
/*
 * The table itself, and the answer to names that are not in it. What a peer
 * needs to be compiled in is said here once.
 */
#include <string.h>

#include "bench/forkjoin.h"
#include "bench/locks.h"

const struct bench_lock *const bench_locks[] = {
	&bench_gsync_spin,
	&bench_gsync_mutex,
	&bench_gsync_oticket,
	&bench_pthread_spin,
	&bench_pthread_mutex,
	&bench_pthread_mutex_adaptive,
#ifdef HAVE_CK
	&bench_ck_fas,
	&bench_ck_ticket,
	&bench_ck_mcs,
	&bench_ck_clh,
#endif
#ifdef HAVE_NSYNC
	&bench_nsync_mu,
#endif
#ifdef HAVE_TBB
	&bench_tbb_spin,
	&bench_tbb_queuing,
#endif
#ifdef HAVE_ABSL
	&bench_absl_mutex,
#endif
	NULL,
};

const struct bench_barrier *const bench_barriers[] = {
	&bench_gsync_barrier,
	&bench_pthread_barrier,
#ifdef HAVE_CK
	&bench_ck_barrier,
#endif
	NULL,
};

static const struct {
	const char *name;
	const char *reason;
} absent[] = {
#define NEEDS(packages) "not compiled in (install " packages ", then configure and build again)"
#ifndef HAVE_CK
#define NEEDS_CK NEEDS("libck-dev")
	{ "ck_fas", NEEDS_CK },
	{ "ck_ticket", NEEDS_CK },
	{ "ck_mcs", NEEDS_CK },
	{ "ck_clh", NEEDS_CK },
	{ "ck_barrier", NEEDS_CK },
#endif
#ifndef HAVE_NSYNC
	{ "nsync_mu", NEEDS("libnsync-dev") },
#endif
#ifndef HAVE_TBB
	{ "tbb_spin", NEEDS("libtbb-dev and g++") },
	{ "tbb_queuing", NEEDS("libtbb-dev and g++") },
	{ "tbb_for", NEEDS("libtbb-dev and g++") },
#endif
#ifndef HAVE_ABSL
	{ "absl_mutex", NEEDS("libabsl-dev and g++") },
#endif
	{ NULL, NULL },
};

const struct bench_lock *bench_lock_find(const char *name)
{
	for (const struct bench_lock *const *lock = bench_locks; *lock != NULL; lock++)
		if (strcmp((*lock)->name, name) == 0)
			return *lock;
	return NULL;
}

const struct bench_barrier *bench_barrier_find(const char *name)
{
	for (const struct bench_barrier *const *barrier = bench_barriers; *barrier != NULL; barrier++)
		if (strcmp((*barrier)->name, name) == 0)
			return *barrier;
	return NULL;
}

const char *bench_absent_reason(const char *name)
{
	for (size_t i = 0; absent[i].name != NULL; i++)
		if (strcmp(absent[i].name, name) == 0)
			return absent[i].reason;
	if (bench_runtime_find(name) != NULL && !bench_runtime_is_there(bench_runtime_find(name)))
		return bench_runtime_find(name)->reason;
	if (strcmp(name, bench_token_ring.name) == 0)
		return "a bound, not a lock: it is measured beside gsync_oticket, with two threads or more";
	return NULL;
}

const char *bench_absent_name(size_t n)
{
	return n < sizeof(absent) / sizeof(absent[0]) ? absent[n].name : NULL;
}
