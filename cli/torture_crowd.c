/* SPDX-License-Identifier: MIT */
/*
 * The crowd: more threads than CPUs on a few locks of a kind, in one process or in
 * several. They come by lock, trylock and timedlock as they like, stay from nothing
 * to some milliseconds, hold two locks at times, end, and fork.
 *
 * Exclusion is checked twice: a holder finds nobody's name in the lock's plain
 * owner word, and its own at the end; and each lock's plain counter must in the end
 * be the sum of what its holders say.
 *
 * Now and then somebody calls for a lull: nobody comes any more, until all who are in
 * line or hold a lock have left. In a crowd that goes on and on, a sleeper whose
 * wake-up was lost is soon woken by another's; in a lull nobody does.
 *
 * A child of fork has no other thread. It finds the lock held that its parent held,
 * can release it, unless it is a ticket lock that others stand in line for, and
 * can use locks of its own.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/torture.h"
#include "detect/tuning.h"

#ifdef GSYNC_TSAN
#define TURNS_PER_FORK 20000u
#else
#define TURNS_PER_FORK 4000u
#endif
#define TURNS_PER_LIFE 1000u
#define TURNS_PER_LULL 1000u
#define LULL_LOOK_NS 100000u

static bool suits(const struct torture_subject *subject)
{
	return subject->lock != NULL;
}

static bool suits_processes(const struct torture_subject *subject)
{
	return subject->lock != NULL && subject->lock->init_shared != NULL;
}

static void make_sites(struct torture_board *board)
{
	for (unsigned i = 0; i < TORTURE_SITES; i++)
		torture_make_lock(&board->sites[i].object);
}

/* Memory that a child of fork has for itself. */
static void prepare_private(struct torture_board *board)
{
	size_t size = TORTURE_SITES * sizeof(board->sites[0]);

	board->sites = aligned_alloc(BENCH_LINE, size);
	if (board->sites == NULL)
		torture_fail("no memory");
	memset(board->sites, 0, size);
	make_sites(board);
}

/* ---- children */

enum verdict {
	FINE,
	FREE_IN_CHILD,
	OWN_REFUSED,
	OWN_FREE,
	OWN_TIMED_TAKEN,
};

static const char *const verdicts[] = {
	[FREE_IN_CHILD] = "a lock that its parent held was free",
	[OWN_REFUSED] = "a free lock of its own was refused",
	[OWN_FREE] = "trylock took a lock of its own that was held",
	[OWN_TIMED_TAKEN] = "timedlock took a lock of its own that was held",
};

static enum verdict use_own_lock(const struct bench_lock *lock)
{
	static struct bench_node nodes[2];
	static struct bench_object object;
	const struct timespec soon = { 0, 1 };

	lock->init(&object);
	for (int i = 0; i < 3; i++) {
		lock->lock(&object, &nodes[0]);
		if (lock->trylock != NULL && lock->trylock(&object, &nodes[1]) == 0)
			return OWN_FREE;
		if (torture_has_timedlock(lock) && lock->timedlock(&object, &nodes[1], &soon) == 0)
			return OWN_TIMED_TAKEN;
		lock->unlock(&object, &nodes[0]);
		if (lock->trylock != NULL && lock->trylock(&object, &nodes[0]) != 0)
			return OWN_REFUSED;
		if (lock->trylock != NULL)
			lock->unlock(&object, &nodes[0]);
	}
	return FINE;
}

/* The peers promise nothing about a lock that was held, or waited for, when its process forked. */
static enum verdict be_child(const struct bench_lock *lock, struct torture_site *held, unsigned index)
{
	if (held != NULL && lock->ours) {
		if (lock->trylock(&held->object, &held->nodes[index][1]) == 0)
			return FREE_IN_CHILD;
		if (!lock->fifo) {
			lock->unlock(&held->object, &held->nodes[index][0]);
			lock->lock(&held->object, &held->nodes[index][0]);
			lock->unlock(&held->object, &held->nodes[index][0]);
		}
	}
	return use_own_lock(lock);
}

/* HELD: a lock of this process alone that the caller holds, or NULL. */
static void fork_child(struct torture_actor *self, struct torture_site *held)
{
	struct torture_place outer = torture_enter(TORTURE_AWAITS_CHILD, held);
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit((int)be_child(self->board->subject->lock, held, self->index));
	if (child < 0)
		torture_fail("fork: %s", strerror(errno));
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			torture_fail("waitpid: %s", strerror(errno));
	torture_leave(outer);
	if (!WIFEXITED(status))
		torture_fail("a forked child died of signal %d", WTERMSIG(status));
	if (WEXITSTATUS(status) > OWN_TIMED_TAKEN)
		torture_fail("a forked child ended with status %d", WEXITSTATUS(status));
	if (WEXITSTATUS(status) != FINE)
		torture_fail("in a forked child, %s", verdicts[WEXITSTATUS(status)]);
	torture_note(TORTURE_FORKED);
}

/* ---- holders */

static bool take(struct torture_actor *self, struct torture_site *site)
{
	const struct bench_lock *lock = self->board->subject->lock;
	struct bench_node *node = &site->nodes[self->index][0];
	uint32_t way = torture_draw(8);

	if (way < 1 && lock->trylock != NULL) {
		if (torture_trylock(&site->object, node))
			return true;
		torture_note(TORTURE_REFUSED);
		return false;
	}
	if (way < 4 && torture_has_timedlock(lock)) {
		if (torture_timedlock(&site->object, node))
			return true;
		torture_note(TORTURE_TIMED_OUT);
		return false;
	}
	torture_lock(&site->object, node);
	return true;
}

static void visit(struct torture_actor *self, unsigned number);

/* What a holder does, among it, what may be done only while it holds. */
static void stay(struct torture_actor *self, struct torture_site *site, unsigned number)
{
	const struct bench_lock *lock = self->board->subject->lock;
	struct torture_place outer = torture_enter(TORTURE_HOLDS, &site->object);

	if (torture_draw(32) == 0 && lock->trylock != NULL &&
	    torture_trylock(&site->object, &site->nodes[self->index][1]))
		torture_fail("trylock took a lock that its caller holds");
	if (!self->board->act->in_processes && torture_draw(TURNS_PER_FORK) == 0)
		fork_child(self, site);
	/* Always in the same order, so nobody waits in a circle. */
	if (number + 1 < TORTURE_SITES && torture_draw(16) == 0)
		visit(self, number + 1);
	torture_linger();
	torture_leave(outer);
}

static void visit(struct torture_actor *self, unsigned number)
{
	struct torture_site *site = &self->board->sites[number];
	uint64_t name = self->index + 1, before;

	if (!take(self, site))
		return;
	before = site->owner;
	if (before != 0)
		torture_fail("thread %u holds the lock that thread %llu holds", self->index,
			     (unsigned long long)before - 1);
	site->owner = name;
	site->counter++;
	self->entered[number]++;
	torture_note(TORTURE_ACQUIRED);
	stay(self, site, number);
	if (site->owner != name)
		torture_fail("thread %u held the lock, and it was taken from it", self->index);
	site->owner = 0;
	torture_unlock(&site->object, &site->nodes[self->index][0]);
}

/* ---- lulls */

static bool all_have_left(const struct torture_board *board)
{
	for (unsigned i = 0; i < board->actors; i++)
		if (__atomic_load_n(&board->cast[i].call, __ATOMIC_RELAXED) > TORTURE_THINKS)
			return false;
	return true;
}

static void call_lull(struct torture_board *board)
{
	uint32_t none = 0;

	if (!__atomic_compare_exchange_n(&board->lull, &none, 1u, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return;
	while (!all_have_left(board))
		torture_sleep(LULL_LOOK_NS);
	__atomic_store_n(&board->lull, 0u, __ATOMIC_RELAXED);
}

static void keep_lull(const struct torture_board *board)
{
	while (__atomic_load_n(&board->lull, __ATOMIC_RELAXED) != 0)
		torture_sleep(LULL_LOOK_NS);
}

static void play(struct torture_actor *self)
{
	uint32_t turns = torture_draw(2 * TURNS_PER_LIFE);

	do {
		if (torture_draw(TURNS_PER_LULL) == 0)
			call_lull(self->board);
		keep_lull(self->board);
		visit(self, torture_draw(TORTURE_SITES));
		torture_linger();
		if (torture_draw(TURNS_PER_FORK) == 0)
			fork_child(self, NULL);
		self->done = torture_is_over();
	} while (turns-- > 0 && !self->done);
}

static void check(struct torture_board *board)
{
	for (unsigned i = 0; i < TORTURE_SITES; i++) {
		struct torture_site *site = &board->sites[i];
		uint64_t sum = 0;

		for (unsigned k = 0; k < board->actors; k++)
			sum += board->cast[k].entered[i];
		if (site->counter != sum)
			torture_fail("%llu acquisitions, but a counter under the lock says %llu", (unsigned long long)sum,
				     (unsigned long long)site->counter);
		torture_destroy_lock(&site->object);
	}
	if (board->sites != board->shared_sites)
		free(board->sites);
}

const struct torture_act torture_crowd = {
	.name = "crowd",
	.suits = suits,
	.prepare = prepare_private,
	.play = play,
	.check = check,
};

const struct torture_act torture_processes = {
	.name = "processes",
	.in_processes = true,
	.suits = suits_processes,
	.prepare = make_sites,
	.play = play,
	.check = check,
};
