/* SPDX-License-Identifier: MIT */
/*
 * Makes the spin locks of POSIX ours, at compile time: after this header
 * pthread_spinlock_t and the five pthread_spin_* functions are gsync_spinlock.
 *
 *     #include <guestsync/pthread_spin.h>      in the source, or
 *     cc -include guestsync/pthread_spin.h …   without touching it
 *
 * and link with -lguestsync. Return values are those of POSIX. The type keeps
 * its size; but code with and without this header must not share a lock, so
 * build all that touches one lock the same way. In C++ a mix fails to link
 * where the type is part of a function's name.
 *
 * PTHREAD_PROCESS_SHARED locks work between processes that all use this header.
 * pthread_spin_destroy returns EBUSY for a held lock, as POSIX allows.
 */
#ifndef GUESTSYNC_PTHREAD_SPIN_H
#define GUESTSYNC_PTHREAD_SPIN_H

/*
 * With -include this header comes before the source's own feature-test macros,
 * and libc reads those only once. So, where nobody has asked for anything yet,
 * ask for all; and leave no trace that the source's own #define could trip over.
 */
#if !defined(_FEATURES_H) && !defined(_GNU_SOURCE) && !defined(_POSIX_C_SOURCE) && !defined(_XOPEN_SOURCE)
#define _GNU_SOURCE
#include <features.h>
#undef _GNU_SOURCE
#endif

#include <guestsync/spinlock.h>
#include <pthread.h>

#if defined(__GLIBC__) && !defined(__USE_XOPEN2K)
#error "spin locks are POSIX.1-2001: compile with -D_POSIX_C_SOURCE=200112L or -D_GNU_SOURCE"
#endif

GSYNC_STATIC_ASSERT(sizeof(pthread_spinlock_t) == sizeof(gsync_spinlock_t),
		    "the shim must not change the layout of structures");

/* POSIX code may hold its locks in volatile objects; the lock itself is only touched atomically. */
static inline gsync_spinlock_t *gsync_shim_spinlock_(volatile gsync_spinlock_t *lock)
{
	return (gsync_spinlock_t *)lock;
}

static inline int gsync_shim_spin_init(volatile gsync_spinlock_t *lock, int pshared)
{
	if (pshared != PTHREAD_PROCESS_PRIVATE && pshared != PTHREAD_PROCESS_SHARED)
		return EINVAL;
	return gsync_spinlock_init(gsync_shim_spinlock_(lock), pshared == PTHREAD_PROCESS_SHARED ? GSYNC_PROCESS_SHARED
												 : GSYNC_PROCESS_PRIVATE);
}

static inline int gsync_shim_spin_destroy(volatile gsync_spinlock_t *lock)
{
	return gsync_spinlock_destroy(gsync_shim_spinlock_(lock));
}

static inline int gsync_shim_spin_lock(volatile gsync_spinlock_t *lock)
{
	gsync_spinlock_lock(gsync_shim_spinlock_(lock));
	return 0;
}

static inline int gsync_shim_spin_trylock(volatile gsync_spinlock_t *lock)
{
	return gsync_spinlock_trylock(gsync_shim_spinlock_(lock));
}

static inline int gsync_shim_spin_unlock(volatile gsync_spinlock_t *lock)
{
	gsync_spinlock_unlock(gsync_shim_spinlock_(lock));
	return 0;
}

/* Object-like, so that taking a function's address works too. */
#define pthread_spinlock_t gsync_spinlock_t
#define pthread_spin_init gsync_shim_spin_init
#define pthread_spin_destroy gsync_shim_spin_destroy
#define pthread_spin_lock gsync_shim_spin_lock
#define pthread_spin_trylock gsync_shim_spin_trylock
#define pthread_spin_unlock gsync_shim_spin_unlock

#endif
