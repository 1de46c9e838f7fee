/* SPDX-License-Identifier: MIT */
/* A ticket lock far on in its life: for tests of what happens when its counters wrap. */
#ifndef GUESTSYNC_BENCH_OTICKET_AT_H
#define GUESTSYNC_BENCH_OTICKET_AT_H

#include <guestsync/oticket.h>

/* Makes LOCK, unlocked and with its flags, one whose next ticket is TICKET, as if all before it had been served. */
static inline void bench_oticket_at(gsync_oticket_t *lock, uint32_t ticket)
{
	lock->next = ticket;
	lock->serving = ticket - 1;
	for (uint32_t t = ticket; t != ticket - GSYNC_OTICKET_TURNS_; t--)
		lock->turn[t % GSYNC_OTICKET_TURNS_] = (uint64_t)gsync_oticket_round_(t) << 44;
}

#endif
