/* SPDX-License-Identifier: MIT */
/*
 * Who is awake, who looks for work, who sleeps: one word, and a futex beside it.
 *
 * crew, 64 bits:
 *
 *    0-15  awake      workers that are up or have been told to get up, and threads that help them
 *   16-31  parked     those that sleep, or are about to, and have not been told to get up
 *   32-47  calls      told to get up, and not up yet; counted as awake already
 *   48     SEARCHING  somebody is up and looks for work, or has been told to
 *
 *   change                                        by
 *   parked - 1, calls + 1, awake + 1, SEARCHING   who has put work somewhere: calls one
 *   awake + 1, SEARCHING                          the same, where nobody sleeps: starts a thread
 *   calls - 1                                     a sleeper gets up: it is the one who searches
 *   parked - 1, awake + 1                         a sleeper gets up because its group is done, or it found something
 *                                                 after all, or for its alarm; where parked is 0 it is one of those
 *                                                 called: calls - 1
 *   awake - 1, parked + 1, SEARCHING = 0          who has found nothing, or is one too many, before it sleeps; SEARCHING
 *                                                 only if it was the one
 *   SEARCHING, 0 to 1                             an awake worker that found nothing at once; calls for an eager loop, whether
 *                                                 or not somebody searches
 *   SEARCHING, 1 to 0                             the one who searches has found something, or sleeps, or leaves
 *   awake + 1, awake - 1                          a foreign thread begins and ends to help
 *   awake - 1, awake + 1                          who sleeps in an isolated wait, or for the last of its loop, and is up again
 *   awake - 1                                     a worker ends, or could not be started
 *
 * So few wake-ups are made: while one searches nobody else is called, however
 * much work comes; whoever finds something stops searching and, if there is more,
 * calls the next.
 *
 * No work is left lying. Putting it somewhere and then looking at the crew, and
 * on the other side changing the crew and then looking for work, are sequentially
 * consistent: one of the two sees the other.
 * (1) Who sleeps has counted itself out and then looked everywhere once more.
 * (2) A caller that calls nobody because SEARCHING is set relies on the one who
 * searches: that one clears SEARCHING before its last look, or calls the next.
 * (3) A caller that calls nobody because enough are awake relies on those: each
 * looks everywhere before it sleeps; one that retires, because more are awake
 * than there are CPUs for, leaves at least one such behind; a helper that leaves
 * looks, and calls. One that is called but asleep in a group whose tasks are done
 * is up, and so leaves by the same way.
 * (4) A caller that calls nobody because all threads there may be sleep in isolated
 * waits relies on those: what such a wait is for runs, or the waiter takes it
 * itself, and then it looks for work as any other. A task that it could not take,
 * below another in a worker's deque, is run by that worker, or laid into the
 * queue, and then the waiter is woken for it.
 *
 * No wake-up is lost: a sleeper reads event, then looks whether it is called, or
 * its group done, and sleeps only while event is what it has read. Whoever calls,
 * or ends a group that somebody waits for, changes event after that and before
 * the system call.
 *
 * Of the futex's channels some are for calls, by worker; the others for groups,
 * by address. A call is meant for one worker, the one that has been steered
 * (steer.c), but not bound to it: if that one does not sleep there, any sleeper
 * is woken. So whenever a call is made and somebody sleeps, somebody gets up; and
 * whoever is awake by then and answers it first leaves the woken one to go back to
 * sleep.
 */
#include "lib/pool.h"

#include "primitives/futex.h"
#include "primitives/spin.h"
#include "primitives/tally.h"

#include <errno.h>
#include <signal.h>

#define AWAKE ((uint64_t)1)
#define PARKED ((uint64_t)1 << 16)
#define CALLS ((uint64_t)1 << 32)
#define SEARCHING ((uint64_t)1 << 48)

#define CALL_CHANNELS 0xffu
#define CALL_CHANNEL_COUNT 8u
#define HELPERS_CHANNEL 0x100u
#define GROUP_CHANNELS_FROM 9u
#define REFUSED_NS 100000000u /* until it is tried again to start a thread */

static uint32_t awake_of(uint64_t crew)
{
	return (uint32_t)crew & 0xffffu;
}

static uint32_t parked_of(uint64_t crew)
{
	return (uint32_t)(crew >> 16) & 0xffffu;
}

static uint32_t calls_of(uint64_t crew)
{
	return (uint32_t)(crew >> 32) & 0xffffu;
}

static uint64_t look(const gsync_pool_t *pool)
{
	return __atomic_load_n(&pool->crew, __ATOMIC_SEQ_CST);
}

static bool change(gsync_pool_t *pool, uint64_t *seen, uint64_t to)
{
	return __atomic_compare_exchange_n(&pool->crew, seen, to, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* Whoever is no worker is called if nobody else sleeps. */
static uint32_t call_channels(const struct gsync_worker *worker)
{
	return worker ? 1u << worker->index % CALL_CHANNEL_COUNT : HELPERS_CHANNEL;
}

static uint32_t group_channel(const gsync_group_t *group)
{
	return 1u << (GROUP_CHANNELS_FROM + (uintptr_t)group / sizeof(*group) % (32 - GROUP_CHANNELS_FROM));
}

static uint32_t capacity_of(const gsync_pool_t *pool)
{
	const struct gsync_tuning tuning = gsync_tuning();

	return gsync_pool_capacity(pool, &tuning);
}

/* How many may be awake beside the foreign threads that share loops with them; one, at least, must be. */
static uint32_t room_within(const gsync_pool_t *pool, uint32_t capacity)
{
	uint64_t open = __atomic_load_n(&pool->open, __ATOMIC_RELAXED);
	uint32_t guests = (uint32_t)__builtin_popcountll(open >> GSYNC_POSTS_OF_GUESTS);

	return capacity > guests + 1 ? capacity - guests : 1;
}

/* ---- starting threads */

bool gsync_crew_was_refused(const gsync_pool_t *pool)
{
	uint64_t refused = __atomic_load_n(&pool->refused, __ATOMIC_RELAXED);

	return refused != 0 && gsync_monotonic_ns() - refused < REFUSED_NS;
}

/* What threads get by default, which a program, or a limit, may have made as small as 16 KB; not below what we ask. */
static void give_stack(pthread_attr_t *attributes)
{
	pthread_attr_t usual;
	size_t size = 0;

	if (pthread_getattr_default_np(&usual) != 0)
		return;
	pthread_attr_getstacksize(&usual, &size);
	if (size < GSYNC_STACK_LEAST)
		pthread_attr_setstacksize(attributes, GSYNC_STACK_LEAST);
	pthread_attr_destroy(&usual);
}

/* Signals are for the program's own threads. */
int gsync_crew_thread(pthread_t *thread, void *(*main)(void *), void *argument)
{
	int caller_errno = errno; /* malloc and mmap may set it */
	pthread_attr_t attributes;
	sigset_t all, before;
	int error;

	pthread_attr_init(&attributes);
	give_stack(&attributes);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(thread, &attributes, main, argument);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	errno = caller_errno;
	return error;
}

/* The caller has counted the new one as awake and searching. */
static bool start_thread(gsync_pool_t *pool, uint32_t capacity)
{
	bool done = false;

	gsync_mutex_lock(&pool->starting);
	if (pool->closing == GSYNC_OPEN && pool->started < capacity) {
		struct gsync_worker *worker = &pool->workers[pool->started];

		worker->pool = pool;
		worker->index = pool->started;
		done = gsync_crew_thread(&worker->thread, gsync_worker_main, worker) == 0;
		if (done)
			__atomic_store_n(&pool->started, pool->started + 1, __ATOMIC_RELEASE);
		else
			__atomic_store_n(&pool->refused, gsync_monotonic_ns(), __ATOMIC_RELAXED);
		if (done && (pool->options.flags & GSYNC_POOL_BIND) != 0)
			gsync_near_bind(worker->thread, worker->index);
	}
	gsync_mutex_unlock(&pool->starting);
	if (!done)
		gsync_crew_quit(pool, true);
	return done;
}

/* Not for one that sleeps in an isolated wait: it is a thread of the pool all the same, and will be back. */
static bool may_start(const gsync_pool_t *pool, uint32_t capacity)
{
	return __atomic_load_n(&pool->started, __ATOMIC_RELAXED) < capacity &&
	       gsync_pool_closing(pool) == GSYNC_OPEN && !gsync_crew_was_refused(pool);
}

/* ---- calling */

/* Before a wake-up. Who reads the new number sees why it changed. */
static void change_event(gsync_pool_t *pool)
{
	__atomic_fetch_add(&pool->event, 1u, __ATOMIC_SEQ_CST);
	gsync_wakes_for(GSYNC_KIND_POOL_);
}

static void announce(gsync_pool_t *pool, int count, uint32_t channels)
{
	change_event(pool);
	gsync_futex_wake(&pool->event, count, channels, false);
}

static void wake_one(gsync_pool_t *pool)
{
	const struct gsync_worker *chosen = gsync_steer(pool);

	change_event(pool);
	if (chosen && gsync_futex_wake(&pool->event, 1, call_channels(chosen), false) > 0)
		return;
	if (gsync_futex_wake(&pool->event, 1, CALL_CHANNELS, false) == 0)
		gsync_futex_wake(&pool->event, 1, HELPERS_CHANNEL, false);
}

/* Calls one; false when there is nobody to call. ANYWAY: also while another searches. */
static bool call(gsync_pool_t *pool, bool anyway)
{
	uint64_t crew = look(pool);
	uint32_t capacity, room;

	if ((crew & SEARCHING) != 0 && !anyway)
		return false;
	capacity = capacity_of(pool);
	room = room_within(pool, capacity);
	for (;;) {
		if (((crew & SEARCHING) != 0 && !anyway) || awake_of(crew) >= room)
			return false;
		if (parked_of(crew) > 0) {
			if (change(pool, &crew, (crew - PARKED + CALLS + AWAKE) | SEARCHING)) {
				wake_one(pool);
				return true;
			}
		} else if (!may_start(pool, capacity)) {
			return false;
		} else if (change(pool, &crew, (crew + AWAKE) | SEARCHING)) {
			if (start_thread(pool, capacity))
				return true;
			/* Meanwhile others may have relied on the one who was to search: (2). */
			if (!gsync_work_is_visible(pool))
				return false;
			crew = look(pool);
		}
	}
}

void gsync_crew_call(gsync_pool_t *pool)
{
	call(pool, false);
}

void gsync_crew_call_many(gsync_pool_t *pool, uint32_t count)
{
	if (count > 0 && gsync_crew_searches(pool))
		count--;
	while (count > 0 && call(pool, true))
		count--;
}

/* ---- searching */

bool gsync_crew_searches(const gsync_pool_t *pool)
{
	return (look(pool) & SEARCHING) != 0;
}

bool gsync_crew_begin_search(gsync_pool_t *pool)
{
	uint64_t crew = look(pool);

	return (crew & SEARCHING) == 0 && (__atomic_fetch_or(&pool->crew, SEARCHING, __ATOMIC_SEQ_CST) & SEARCHING) == 0;
}

void gsync_crew_end_search(gsync_pool_t *pool)
{
	__atomic_fetch_and(&pool->crew, ~SEARCHING, __ATOMIC_SEQ_CST);
	if (gsync_work_is_visible(pool))
		gsync_crew_call(pool);
}

/* ---- sleeping */

bool gsync_crew_retire(gsync_pool_t *pool, bool searching)
{
	uint64_t crew = look(pool);
	uint64_t gone = PARKED - AWAKE;

	/* The usual case at no cost. */
	if (awake_of(crew) <= 1)
		return false;
	for (uint32_t room = room_within(pool, capacity_of(pool));;) {
		uint64_t to = crew + gone;

		if (awake_of(crew) <= room)
			return false;
		if (searching)
			to &= ~SEARCHING;
		if (change(pool, &crew, to))
			return true;
	}
}

static void count_out(gsync_pool_t *pool, bool searching)
{
	uint64_t crew = look(pool);

	while (!change(pool, &crew, (searching ? crew & ~SEARCHING : crew) + PARKED - AWAKE)) {
		/* somebody comes or goes */
	}
}

/* Gets up if it is called. */
static bool answer_call(gsync_pool_t *pool)
{
	uint64_t crew = look(pool);

	while (calls_of(crew) > 0)
		if (change(pool, &crew, crew - CALLS))
			return true;
	return false;
}

/* Gets up for a reason of its own; true when all who sleep are called, so that it now has to search. */
static bool get_up(gsync_pool_t *pool)
{
	uint64_t crew = look(pool);

	for (;;) {
		bool called = parked_of(crew) == 0;

		if (change(pool, &crew, called ? crew - CALLS : crew - PARKED + AWAKE))
			return called;
	}
}

/* Sleeps until there is a reason to get up; returns whether it now has to search. */
static bool sleep_until_needed(gsync_pool_t *pool, const gsync_group_t *group, bool look_around,
			       const struct timespec *alarm)
{
	struct gsync_worker *worker = gsync_pool_self(pool);
	uint32_t channels = call_channels(worker) | (group ? group_channel(group) : 0);

	for (;;) {
		uint32_t seen = gsync_crew_event(pool);

		if (answer_call(pool))
			return true;
		if ((group ? gsync_group_left(group) == 0 : gsync_pool_closing(pool) != GSYNC_OPEN) ||
		    (look_around && gsync_work_is_visible(pool)))
			return get_up(pool);
		look_around = false;
		if (worker)
			gsync_steer_lie_down(worker);
		if (gsync_futex_wait(&pool->event, seen, channels, alarm, false) == GSYNC_SLEEP_TIMED_OUT)
			return get_up(pool);
	}
}

bool gsync_crew_park(gsync_pool_t *pool, const gsync_group_t *group, bool searching, bool retired,
		     const struct timespec *alarm)
{
	struct gsync_worker *worker = gsync_pool_self(pool);

	gsync_patience_ended(NULL);
	gsync_count(GSYNC_KIND_POOL_, GSYNC_PARKED);
	if (!retired)
		count_out(pool, searching);
	searching = sleep_until_needed(pool, group, !retired, alarm);
	if (worker)
		gsync_steer_get_up(worker);
	return searching;
}

void gsync_crew_wake_all(gsync_pool_t *pool)
{
	announce(pool, GSYNC_WAKE_ALL, GSYNC_ANYBODY);
}

/* ---- helpers and groups */

void gsync_crew_join(gsync_pool_t *pool)
{
	__atomic_fetch_add(&pool->crew, AWAKE, __ATOMIC_SEQ_CST);
}

void gsync_crew_leave(gsync_pool_t *pool)
{
	__atomic_fetch_sub(&pool->crew, AWAKE, __ATOMIC_SEQ_CST);
	if (gsync_work_is_visible(pool))
		gsync_crew_call(pool);
}

uint32_t gsync_crew_event(const gsync_pool_t *pool)
{
	return __atomic_load_n(&pool->event, __ATOMIC_SEQ_CST);
}

void gsync_crew_sleep_on_group(gsync_pool_t *pool, const gsync_group_t *group, uint32_t seen)
{
	gsync_crew_leave(pool);
	gsync_futex_wait(&pool->event, seen, group_channel(group), NULL, false);
	gsync_crew_join(pool);
}

void gsync_crew_wake_group(gsync_pool_t *pool, const gsync_group_t *group)
{
	announce(pool, GSYNC_WAKE_ALL, group_channel(group));
}

void gsync_crew_quit(gsync_pool_t *pool, bool searching)
{
	if (searching)
		__atomic_fetch_and(&pool->crew, ~SEARCHING, __ATOMIC_SEQ_CST);
	__atomic_fetch_sub(&pool->crew, AWAKE, __ATOMIC_SEQ_CST);
}

bool gsync_crew_is_away(const gsync_pool_t *pool)
{
	uint64_t crew = look(pool);

	return awake_of(crew) == 0 && parked_of(crew) == 0;
}
