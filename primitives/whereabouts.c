/* SPDX-License-Identifier: MIT */
/*
 * An entry, 64 bits; 0 is nobody's:
 *
 *   19-63  the lock's address / 8
 *    9-18  the ticket's bits 12-21; its lower ones follow from lock and entry, and tickets repeat after 2^22
 *    8     up
 *    0-7   the CPU's number, modulo 256: a mistake on larger machines only makes a hint worse
 *
 *   change          by
 *   any to up       a waiter, before it looks whether it may stay up
 *   any to asleep   the same, before it registers as a sleeper, and when it has got the lock
 *   its own to 0    a waiter, before it gives up; a holder after which others wait, when it has released the lock.
 *                   Else the entry stays until it is taken over, and may seem to be that of a later lock
 *
 * So who is up waits now: no entry says so of a ticket whose time is over, whichever
 * copy of the library its holder released the lock by.
 *
 * Order: all accesses are relaxed. That a waiter which registered as a sleeper is not seen
 * up follows from the lock's word: see whereabouts.h. Everything else here is a hint.
 */
#include "primitives/whereabouts.h"

#include "detect/override.h"

#include <errno.h>
#include <sched.h>

#define ENTRIES 4096u
#define UP ((uint64_t)1 << 8)
#define CPU ((uint64_t)255)
#define ADDRESS_BITS 48

static _Alignas(64) uint64_t whereabouts[ENTRIES];

/* Whether LOCK's address fits into an entry. */
static bool has_name(const void *lock)
{
	return (uint64_t)(uintptr_t)lock >> ADDRESS_BITS == 0;
}

static uint64_t *entry_of(const void *lock, uint32_t ticket)
{
	uint64_t mixed = ((uintptr_t)lock >> 3) * 0x9e3779b97f4a7c15u;

	return &whereabouts[((uint32_t)(mixed >> 32) + ticket) % ENTRIES];
}

static uint64_t name(const void *lock, uint32_t ticket)
{
	return (uint64_t)(uintptr_t)lock >> 3 << 19 | (uint64_t)(ticket / ENTRIES & 0x3ff) << 9;
}

/* An entry that is not TICKET's is nobody's. */
static uint64_t look_up(const void *lock, uint32_t ticket)
{
	uint64_t entry = __atomic_load_n(entry_of(lock, ticket), __ATOMIC_RELAXED);

	return has_name(lock) && (entry & ~(UP | CPU)) == name(lock, ticket) ? entry : 0;
}

int gsync_whereabouts_cpu(void)
{
	int caller_errno = errno;
	int cpu = gsync_override_quiet() ? -1 : sched_getcpu();

	errno = caller_errno;
	return cpu < 0 ? GSYNC_NOWHERE : cpu & (int)CPU;
}

int gsync_whereabouts_tell(const void *lock, uint32_t ticket, bool up)
{
	uint64_t *entry = entry_of(lock, ticket);
	int cpu = gsync_whereabouts_cpu();
	uint64_t told;

	if (cpu == GSYNC_NOWHERE || !has_name(lock)) {
		gsync_whereabouts_forget(lock, ticket);
		return GSYNC_NOWHERE;
	}
	told = name(lock, ticket) | (up ? UP : 0) | (uint64_t)cpu;
	/* Others read this line. */
	if (__atomic_load_n(entry, __ATOMIC_RELAXED) != told)
		__atomic_store_n(entry, told, __ATOMIC_RELAXED);
	return cpu;
}

void gsync_whereabouts_forget(const void *lock, uint32_t ticket)
{
	if (look_up(lock, ticket) != 0)
		__atomic_store_n(entry_of(lock, ticket), 0, __ATOMIC_RELAXED);
}

bool gsync_whereabouts_is_up(const void *lock, uint32_t ticket)
{
	return (look_up(lock, ticket) & UP) != 0;
}

static bool is_on(const void *lock, uint32_t ticket, int cpu)
{
	uint64_t entry = look_up(lock, ticket);

	return entry != 0 && (int)(entry & CPU) == cpu;
}

bool gsync_whereabouts_find(const void *lock, uint32_t from, uint32_t tickets, int cpu, uint32_t *first)
{
	for (uint32_t i = 0; i < tickets && cpu != GSYNC_NOWHERE; i++) {
		*first = from + i;
		if (is_on(lock, *first, cpu))
			return true;
	}
	return false;
}
