/* SPDX-License-Identifier: MIT */
/*
 * Where those stand who wait for a lock in order: a table for all locks, in which
 * a waiter says on which CPU it is, and whether it is up or sleeps.
 *
 * Strict order costs a switch of threads for each turn, and there it matters
 * which thread is switched to. Who knows where the others stand can stay up
 * where it is the next of its CPU, and wake the next of its own CPU, or make
 * room for it, which costs a twentieth of a wake-up on another.
 *
 * One entry has room for one waiter, and a later one, of any lock, takes it over,
 * or wipes it out. So what the table does not know means nothing. But who is up in it
 * is: an entry names lock and ticket in full, and only that waiter writes it so. Each
 * must say that it is not up before it registers where wake-ups are decided upon, by a
 * release operation, and when it waits no more; who has acquired the registration, and
 * finds the waiter up, need not wake it.
 *
 * Locks in shared memory are not in here: others have tables of their own, as a
 * second copy of the library in this process has; who waits by that is not known. After
 * fork the child's table speaks of threads that it does not have, but of none that it
 * has: whoever waits there says so first.
 */
#ifndef GUESTSYNC_PRIMITIVES_WHEREABOUTS_H
#define GUESTSYNC_PRIMITIVES_WHEREABOUTS_H

#include <stdbool.h>
#include <stdint.h>

#define GSYNC_NOWHERE (-1)

/*
 * The caller's CPU, modulo 256; GSYNC_NOWHERE where nobody knows, or it is not to be asked for. Leaves errno
 * alone. For the lock word, too, whose waiters are in no table.
 */
int gsync_whereabouts_cpu(void);

/* The caller waits for LOCK with TICKET and is UP, or is not from now on. Returns its CPU, or GSYNC_NOWHERE. */
int gsync_whereabouts_tell(const void *lock, uint32_t ticket, bool up);

/* The caller does not wait with TICKET any more, nor hold the lock. */
void gsync_whereabouts_forget(const void *lock, uint32_t ticket);

/* False where that is not known. */
bool gsync_whereabouts_is_up(const void *lock, uint32_t ticket);

/* Finds the FIRST with one of the TICKETS tickets from FROM on that is on CPU; false if none is known to be. */
bool gsync_whereabouts_find(const void *lock, uint32_t from, uint32_t tickets, int cpu, uint32_t *first);

#endif
