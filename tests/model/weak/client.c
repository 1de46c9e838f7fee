/* SPDX-License-Identifier: MIT */
/* -DKIND=spinlock -DIS_spinlock, and so for mutex, oticket, barrier. */
#include "client.h"

#include <guestsync/barrier.h>
#include <guestsync/mutex.h>
#include <guestsync/oticket.h>
#include <guestsync/spinlock.h>

#ifdef IS_oticket
#include "primitives/whereabouts.c" /* for its table */
#define TICKETS 6		    /* three threads take the lock twice */
#endif

#define JOINED(kind, call) gsync_##kind##call
#define EXPANDED(kind, call) JOINED(kind, call)
#define CALL(call) EXPANDED(KIND, call)

static CALL(_t) object;

#ifdef IS_barrier

size_t client_init(struct word *words)
{
	gsync_barrier_init(&object, 3, 0);
	words[0] = (struct word){ &object.state, sizeof(object.state) };
	return 1;
}

void client_wait(void)
{
	gsync_barrier_wait(&object);
}

#else

size_t client_init(struct word *words)
{
	size_t count = 0;

	CALL(_init)(&object, 0);
#ifndef IS_oticket
	words[count++] = (struct word){ &object.lock.word, sizeof(object.lock.word) };
#else
	for (size_t i = 0; i < GSYNC_OTICKET_TURNS_; i++)
		words[count++] = (struct word){ &object.turn[i], sizeof(object.turn[i]) };
	words[count++] = (struct word){ &object.next, sizeof(object.next) };
	words[count++] = (struct word){ &object.serving, sizeof(object.serving) };
	for (uint32_t ticket = 0; ticket < TICKETS; ticket++) {
		words[count] = (struct word){ entry_of(&object, ticket), sizeof(uint64_t) };
		*(uint64_t *)words[count++].address = 0;
	}
#endif
	return count;
}

void client_lock(void)
{
	CALL(_lock)(&object);
}

int client_try(int patient)
{
	static const struct timespec never = { 1 << 30, 0 }, passed = { 0, 0 };

	return CALL(_timedlock)(&object, patient ? &never : &passed);
}

void client_unlock(void)
{
	CALL(_unlock)(&object);
}

#endif
