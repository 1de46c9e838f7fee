/* SPDX-License-Identifier: MIT */
/*
 * What every public header of guestsync needs: linkage, flags, branch hints.
 *
 * Atomics. The headers must compile as C11 and as C++17, and <stdatomic.h> is
 * not C++17. So every lock word is a plain integer, touched only through the
 * compiler's __atomic builtins: they are the C11 memory model under another
 * spelling, name the order at each use, and ThreadSanitizer sees them.
 *
 * Loading and forking. A library that was loaded by dlopen stays in memory after
 * dlclose: threads that waited on a lock run liburcu's code when they end. Who
 * links libguestsync.a into a plugin must keep that from being unloaded. fork may
 * be called at any time; but only fork, not a bare clone(2), tells the library
 * of it, and a program that hands urcu_bp_before_fork to pthread_atfork itself
 * hangs when it forks, since the library does so, too. A program that loads the
 * library by dlopen must not take our locks in fork handlers that it gave to
 * pthread_atfork before. When a thread waits for the first time liburcu notes
 * that down; where there is no memory for that at all, it ends the process.
 *
 * Sandboxes. All system calls but futex(2), and what libc needs for memory and
 * threads, may be refused. A filter that kills needs the setting "quiet", of
 * <guestsync/profile.h>; guestsync(7) lists the calls, and when they are made.
 *
 * Time. Deadlines are absolute CLOCK_MONOTONIC times; durations are ns.
 */
#ifndef GUESTSYNC_BASE_H
#define GUESTSYNC_BASE_H

#include <errno.h>
#include <stdint.h>
#include <time.h>

#if !defined(__linux__)
#error "guestsync needs Linux: it waits with futex(2)"
#endif

#ifdef __cplusplus
#define GSYNC_BEGIN_DECLS extern "C" {
#define GSYNC_END_DECLS }
#define GSYNC_STATIC_ASSERT(cond, text) static_assert(cond, text)
#else
#define GSYNC_BEGIN_DECLS
#define GSYNC_END_DECLS
#define GSYNC_STATIC_ASSERT(cond, text) _Static_assert(cond, text)
#endif

#define GSYNC_API __attribute__((visibility("default")))
#define GSYNC_LIKELY(x) __builtin_expect(!!(x), 1)
#define GSYNC_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* Flags of every gsync_*_init(). */
#define GSYNC_PROCESS_PRIVATE 0u
#define GSYNC_PROCESS_SHARED 1u /* the object lies in memory that several processes map */

GSYNC_BEGIN_DECLS

/*
 * For the inline functions: while counting is on (statistics.h) they tell what they have taken. The flag has a cache
 * line of its own, also where a linker copies it into a program.
 */
enum gsync_kind_ {
	GSYNC_KIND_OTHER_,
	GSYNC_KIND_SPINLOCK_,
	GSYNC_KIND_MUTEX_,
	GSYNC_KIND_OTICKET_,
	GSYNC_KIND_BARRIER_,
	GSYNC_KIND_POOL_
};

extern GSYNC_API uint32_t gsync_statistics_on_[16] __attribute__((aligned(64)));
GSYNC_API void gsync_statistics_acquired_(unsigned kind) __attribute__((cold));

static inline void gsync_acquired_(unsigned kind)
{
	if (GSYNC_UNLIKELY(__atomic_load_n(&gsync_statistics_on_[0], __ATOMIC_RELAXED) != 0))
		gsync_statistics_acquired_(kind);
}

/* The version of the library that is linked, "major.minor.patch". Async-signal-safe. */
GSYNC_API const char *gsync_version(void);

GSYNC_END_DECLS

#endif
