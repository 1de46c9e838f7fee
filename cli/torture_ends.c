/* SPDX-License-Identifier: MIT */
/*
 * The ends of locks and barriers: memory that is gone as soon as the contract
 * allows it. Each lock is for a few visitors; the one who finds itself the last
 * frees it right after its unlock, while the unlock of the one before may still be
 * under way. Each barrier is for one meeting; the first who comes out of it frees
 * it, while the others may still be leaving.
 *
 * AddressSanitizer is the judge, or else the kernel: half of that memory is on pages
 * that go away altogether.
 */
#include <pthread.h>

#include "cli/torture.h"

#define VISITORS_MOST 5u
#define VISITS_PER_LIFE 500u

static void prepare(struct torture_board *board)
{
	(void)board;
}

/* ---- locks; the peers promise less */

struct inn {
	struct bench_object object;
	struct bench_node nodes[VISITORS_MOST];
	unsigned visitors; /* it is for */
	unsigned invited;  /* under the gate */
	volatile unsigned served; /* plain: the lock must order it */
	bool mapped;
};

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static struct inn *open_inn;

static bool suits(const struct torture_subject *subject)
{
	return subject->lock != NULL && subject->lock->ours;
}

static struct inn *make_inn(void)
{
	bool mapped;
	struct inn *inn = torture_new(sizeof(*inn), &mapped);

	torture_make_lock(&inn->object);
	inn->mapped = mapped;
	inn->visitors = 1 + torture_draw(VISITORS_MOST);
	return inn;
}

/* PLACE: the caller's among the visitors. */
static struct inn *find_inn(unsigned *place)
{
	struct inn *inn;

	pthread_mutex_lock(&gate);
	if (open_inn == NULL)
		open_inn = make_inn();
	inn = open_inn;
	*place = inn->invited++;
	if (inn->invited == inn->visitors)
		open_inn = NULL;
	pthread_mutex_unlock(&gate);
	return inn;
}

static void visit_last(struct inn *inn)
{
	torture_destroy_lock(&inn->object);
	torture_free(inn, sizeof(*inn), inn->mapped);
}

static void play(struct torture_actor *self)
{
	const struct bench_lock *lock = self->board->subject->lock;

	for (uint32_t visits = 1 + torture_draw(2 * VISITS_PER_LIFE); visits > 0 && !self->done; visits--) {
		unsigned place;
		struct inn *inn = find_inn(&place);
		bool last;

		if (!torture_has_timedlock(lock) || torture_draw(4) != 0 ||
		    !torture_timedlock(&inn->object, &inn->nodes[place]))
			torture_lock(&inn->object, &inn->nodes[place]);
		last = ++inn->served == inn->visitors;
		if (torture_draw(4) == 0)
			torture_linger();
		torture_note(TORTURE_ACQUIRED);
		torture_unlock(&inn->object, &inn->nodes[place]);
		if (last)
			visit_last(inn);
		self->done = torture_is_over();
	}
}

/* The last one was left by those who had other things to do. */
static void check(struct torture_board *board)
{
	(void)board;
	if (open_inn != NULL && open_inn->served != open_inn->invited)
		torture_fail("%u visits, but a counter under the lock says %u", open_inn->invited, open_inn->served);
	if (open_inn != NULL)
		visit_last(open_inn);
}

const struct torture_act torture_ends = {
	.name = "ends",
	.suits = suits,
	.prepare = prepare,
	.play = play,
	.check = check,
};

/* ---- barriers */

struct meeting {
	struct bench_object object;
	bool mapped;
};

/*
 * Actor 0 makes a meeting before it goes to the one before, whose end then tells
 * the others of it. At that time some may still be coming out of one earlier, so
 * there are three at a time.
 */
static struct {
	struct meeting *meeting;
	uint32_t left;	  /* whether somebody has come out */
	uint32_t serials; /* how many were named the serial thread */
	bool last;	  /* there is none after it */
} meetings[3];

static bool suits_barrier(const struct torture_subject *subject)
{
	return subject->barrier != NULL && subject->barrier->ours;
}

static void make_meeting(uint64_t episode, bool last)
{
	bool mapped;
	struct meeting *meeting = torture_new(sizeof(*meeting), &mapped);

	meeting->mapped = mapped;
	torture_make_barrier(&meeting->object);
	meetings[episode % 3].meeting = meeting;
	meetings[episode % 3].last = last;
	meetings[episode % 3].left = meetings[episode % 3].serials = 0;
}

static void prepare_barrier(struct torture_board *board)
{
	(void)board;
	make_meeting(0, false);
}

/* By the first to come out; all others have come in, and may be on their way out. */
static void close_meeting(struct meeting *meeting)
{
	torture_destroy_barrier(&meeting->object);
	torture_free(meeting, sizeof(*meeting), meeting->mapped);
}

/* Of a meeting that everybody has come out of. */
static void check_meeting(uint64_t episode)
{
	uint32_t serials = meetings[episode % 3].serials;

	if (serials != 1)
		torture_fail("%u threads were the serial one of a phase", serials);
}

static void meet(uint64_t episode)
{
	struct meeting *meeting = meetings[episode % 3].meeting;
	struct bench_node node = { { 0 } };

	if (torture_pass_barrier(&meeting->object, &node))
		__atomic_fetch_add(&meetings[episode % 3].serials, 1u, __ATOMIC_RELAXED);
	if (__atomic_exchange_n(&meetings[episode % 3].left, 1u, __ATOMIC_RELAXED) == 0)
		close_meeting(meeting);
}

static void play_barrier(struct torture_actor *self)
{
	for (uint32_t visits = 1 + torture_draw(2 * VISITS_PER_LIFE); visits > 0; visits--) {
		uint64_t episode = self->episode;
		bool last = meetings[episode % 3].last;

		if (self->index == 0 && episode >= 2)
			check_meeting(episode - 2);
		if (self->index == 0 && !last)
			make_meeting(episode + 1, torture_is_over());
		torture_linger();
		self->episode++;
		meet(episode);
		self->done = last;
		if (last)
			return;
	}
}

static void check_barrier(struct torture_board *board)
{
	uint64_t episodes = board->cast[0].episode;

	for (unsigned i = 0; i < board->actors; i++)
		if (board->cast[i].episode != episodes)
			torture_fail("thread %u passed %llu phases, thread 0 %llu", i,
				     (unsigned long long)board->cast[i].episode, (unsigned long long)episodes);
	check_meeting(episodes - 1);
}

const struct torture_act torture_barrier_ends = {
	.name = "ends",
	.suits = suits_barrier,
	.prepare = prepare_barrier,
	.play = play_barrier,
	.check = check_barrier,
};
