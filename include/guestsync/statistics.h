/* SPDX-License-Identifier: MIT */
/*
 * What threads waited for, and how: is it this lock's waiters that sleep, do
 * spins succeed, how long was the longest wait?
 *
 *     gsync_statistics_t counted;
 *
 *     gsync_statistics_start();
 *     serve_requests();
 *     gsync_statistics_of_process(&counted, sizeof(counted));
 *     printf("%llu of %llu waits slept\n", (unsigned long long)counted.mutex.slept,
 *            (unsigned long long)counted.mutex.contended);
 *
 * Or from outside: with GUESTSYNC_STATS=1 a process counts from when the library
 * is loaded, and exit() prints a table to stderr; each process its own, none where
 * one ends by a signal or _exit(). GUESTSYNC_STATS=0 is as if it were not set. Any
 * other value is refused by name on stderr, and ignored by programs that run with
 * raised privileges (setuid), as all variables are.
 *
 * Off, which is the default, counting costs nothing that could be measured: a lock
 * that is taken at once reads one word, which nobody writes. On, each acquisition
 * costs some ns more, in a cache line of the thread's own.
 *
 * Counted by kind of primitive, for all objects of a kind together, those of the
 * pool's own among them. A wait counts when it ends; so whoever waits at this moment
 * has not been counted. Numbers only grow, while counting is off they stay: to know
 * what happened in between, subtract two snapshots. What ended threads counted
 * remains in the process's sums. A child that was forked begins at 0.
 *
 *                      may block  may spin  signal handler  after fork
 *   start              no (*)     no        no              yes
 *   stop               no         no        yes             yes
 *   of_thread          no         no        yes             yes
 *   of_process         no         no        yes             yes
 *   (*) the first one waits for another thread's first one, and takes memory
 *
 * Not guaranteed: that the numbers of a snapshot are of one moment, while other
 * threads go on; but each is exact, and in each snapshot contended = spun + slept +
 * timed_out. Where more than 1023 threads count at a time, those beyond count
 * together, and of_thread gives them the sum of what these have counted. A
 * thread's first count allocates memory, once, in a program that had more than 31
 * keys from pthread_key_create before counting began; then trylock and unlock are
 * not for signal handlers.
 */
#ifndef GUESTSYNC_STATISTICS_H
#define GUESTSYNC_STATISTICS_H

#include <guestsync/base.h>

#include <stddef.h>

GSYNC_BEGIN_DECLS

/* Of one kind of lock, or of barriers. */
typedef struct gsync_statistics_waits {
	uint64_t acquired;  /* locks taken, by whatever call, waits included; barrier: waits that returned */
	uint64_t contended; /* of the calls, those that had to wait; barrier: all but the last to come */
	uint64_t spun;	    /* of these, those that had what they waited for without a sleep */
	uint64_t slept;	    /* and those that had it after at least one sleep */
	uint64_t timed_out; /* and those that gave up at their deadline */
	uint64_t woken;	    /* sleepers that were woken by this thread, or by those of this process */
	uint64_t longest_wait_ns;
} gsync_statistics_waits_t;

/* Of all pools. */
typedef struct gsync_statistics_pool {
	uint64_t tasks;	 /* run, those of groups included; not what was dropped */
	uint64_t stolen; /* of these, taken from another worker */
	uint64_t helped; /* loops of others, worked on */
	uint64_t parked; /* so often a thread found nothing to do, and lay down */
	uint64_t woken;	 /* sleepers that were woken */
} gsync_statistics_pool_t;

typedef struct gsync_statistics {
	gsync_statistics_waits_t spinlock;
	gsync_statistics_waits_t mutex;
	gsync_statistics_waits_t oticket;
	gsync_statistics_waits_t barrier;
	gsync_statistics_pool_t pool;
} gsync_statistics_t;

/* From now on counts. Returns 0, ENOMEM, or EAGAIN where pthread_key_create has no key left; then nothing is counted. */
GSYNC_API int gsync_statistics_start(void);

/* What was counted stays. Waits that are under way still count. */
GSYNC_API void gsync_statistics_stop(void);

/*
 * Snapshots: what the calling thread has counted, and all threads of this process
 * together, also those that have ended. SIZE is sizeof(*OUT): a library that knows
 * more kinds than the program was compiled with leaves them out, one that knows fewer gives 0.
 */
GSYNC_API void gsync_statistics_of_thread(gsync_statistics_t *out, size_t size);
GSYNC_API void gsync_statistics_of_process(gsync_statistics_t *out, size_t size);

GSYNC_END_DECLS

#endif
