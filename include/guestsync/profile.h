/* SPDX-License-Identifier: MIT */
/*
 * The thresholds by which waiters decide: how long to spin, when to yield, whom
 * to wake. guestsync measures the machine and chooses them; it follows the
 * machine while it changes. Whoever knows better sets one:
 *
 *     gsync_profile_set("spin_ns", 5000);   // this process, from now on
 *     GUESTSYNC_SPIN_NS=5000 ./program      // or from outside; the call wins over it
 *
 * `guestsync detect --explain` lists all names with their values, bounds and
 * reasons. Times are in ns. The environment is read when the library is loaded,
 * and ignored by programs that run with raised privileges (setuid); a value that
 * is refused is named on stderr, and the default stays.
 *
 * All calls: thread-safe, in any process of their own, also after fork. They may
 * block for some milliseconds, since the first one measures the machine; so they
 * are not for signal handlers.
 */
#ifndef GUESTSYNC_PROFILE_H
#define GUESTSYNC_PROFILE_H

#include <guestsync/base.h>

GSYNC_BEGIN_DECLS

/*
 * Sets one threshold for all locks of this process; waiters that begin to wait
 * after the call go by it. Returns 0, ENOENT (no such name), ERANGE (out of its
 * bounds; nothing changes) or EPERM (a sandbox that was entered meanwhile refuses
 * membarrier(2), or "quiet" forbids it, without which waiters cannot be given
 * anything new).
 */
GSYNC_API int gsync_profile_set(const char *name, uint64_t value);

/* What waiters go by now. Returns 0 or ENOENT. */
GSYNC_API int gsync_profile_get(const char *name, uint64_t *value);

/* Back to what the environment says, or else the rules; NULL means all. Returns 0, ENOENT or EPERM. */
GSYNC_API int gsync_profile_reset(const char *name);

GSYNC_END_DECLS

#endif
