/* SPDX-License-Identifier: MIT */
/*
 * The line: locks that promise to serve in the order of arrival. One actor, the
 * director, holds a lock and lines the others up behind it, one by one; then it
 * lets go. Those that gave up meanwhile are missing; the others must come in the
 * order in which they were called.
 *
 * When does one stand in line? When it sleeps in the call, or, where waiters do not
 * sleep, has used so much CPU time since it began it that it must have got as far:
 * to take one's place is one of the first instructions. Time on the wall would prove
 * nothing; and CPU time little less where a host takes CPUs away unseen.
 *
 * Each line has a new lock, so tickets wrap in many of them.
 */
#include <string.h>
#include <unistd.h>

#include "cli/torture.h"
#include "detect/clock.h"

#define IN_LINE_NS (500u * TORTURE_MS)
#define SPINNER_IN_LINE_NS (20u * TORTURE_MS)
#define LOOK_NS 50000u
#define SPINNERS_MOST 4u /* of a lock whose waiters do not sleep, more than these crawl */
#define LINES_PER_LIFE 50u

enum cue {
	WAIT,
	COME,	    /* and lock */
	COME_TIMED, /* and give up when your time comes */
};

static struct line {
	struct torture_site site;
	uint32_t cues[TORTURE_ACTORS_MAX];
	uint32_t places[TORTURE_ACTORS_MAX];
	uint32_t gone; /* how many have done their part */
	uint32_t closed; /* there will be no other line */
	uint64_t began[TORTURE_ACTORS_MAX]; /* CPU time */
	volatile uint32_t last; /* place that was served; plain: the lock must order it */
} line;

static bool suits(const struct torture_subject *subject)
{
	return subject->lock != NULL && subject->lock->fifo;
}

static void prepare(struct torture_board *board)
{
	(void)board;
}

static uint64_t cpu_time(clockid_t clock)
{
	struct timespec time = { 0, 0 };

	clock_gettime(clock, &time);
	return gsync_timespec_ns(&time);
}

/* Returns at the latest when the call is over: a timed one may have given up. */
static void until_in_line(const struct torture_actor *actor)
{
	const uint32_t *word = &line.cues[actor->index];
	uint64_t enough = actor->board->subject->lock->ours ? IN_LINE_NS : SPINNER_IN_LINE_NS;

	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != WAIT) {
		uint32_t call = __atomic_load_n(&actor->call, __ATOMIC_ACQUIRE);

		/* In the call it is, so neither its sleep nor its CPU time can be from before. */
		if ((call == TORTURE_LOCKS || call == TORTURE_LOCKS_TIMED) &&
		    (torture_thread_state(getpid(), __atomic_load_n(&actor->tid, __ATOMIC_RELAXED)) == 'S' ||
		     cpu_time(__atomic_load_n(&actor->cpu_clock, __ATOMIC_RELAXED)) -
				     __atomic_load_n(&line.began[actor->index], __ATOMIC_RELAXED) > enough))
			return;
		torture_sleep(LOOK_NS);
	}
}

static unsigned length_of_line(const struct torture_board *board)
{
	unsigned others = board->actors - 1;

	return !board->subject->lock->ours && others > SPINNERS_MOST ? SPINNERS_MOST : others;
}

static void direct(struct torture_actor *self)
{
	struct torture_board *board = self->board;
	unsigned length = 1 + torture_draw(length_of_line(board));
	unsigned first = torture_draw(board->actors - 1);

	memset(&line.site, 0, sizeof(line.site));
	torture_make_lock(&line.site.object);
	line.last = 0;
	__atomic_store_n(&line.gone, 0u, __ATOMIC_RELAXED);
	torture_lock(&line.site.object, &line.site.nodes[0][0]);
	for (unsigned place = 1; place <= length; place++) {
		unsigned index = 1 + (first + place) % (board->actors - 1);
		enum cue cue = torture_has_timedlock(board->subject->lock) && torture_draw(4) == 0 ? COME_TIMED : COME;

		line.places[index] = place;
		__atomic_store_n(&line.cues[index], (uint32_t)cue, __ATOMIC_RELEASE);
		until_in_line(&board->cast[index]);
	}
	torture_unlock(&line.site.object, &line.site.nodes[0][0]);
	while (__atomic_load_n(&line.gone, __ATOMIC_ACQUIRE) != length)
		torture_sleep(LOOK_NS);
	torture_destroy_lock(&line.site.object);
	torture_note(TORTURE_LINED_UP);
}

/* The holder before has written who it was. */
static void be_served(const struct torture_actor *self, uint32_t place)
{
	uint32_t last = line.last;

	if (last >= place)
		torture_fail("number %u in line was served after number %u", place, last);
	line.last = place;
	torture_linger();
	if (line.last != place)
		torture_fail("number %u in line was served while number %u was", line.last, place);
	torture_note(TORTURE_ACQUIRED);
	torture_unlock(&line.site.object, &line.site.nodes[self->index][0]);
}

static void stand_in_line(struct torture_actor *self, enum cue cue)
{
	struct bench_node *node = &line.site.nodes[self->index][0];
	uint32_t place = line.places[self->index];

	__atomic_store_n(&line.began[self->index], cpu_time(self->cpu_clock), __ATOMIC_RELAXED);
	if (cue == COME) {
		torture_lock(&line.site.object, node);
		be_served(self, place);
	} else if (torture_timedlock(&line.site.object, node)) {
		be_served(self, place);
	} else {
		torture_note(TORTURE_TIMED_OUT);
	}
	__atomic_store_n(&line.cues[self->index], WAIT, __ATOMIC_RELEASE);
	__atomic_fetch_add(&line.gone, 1u, __ATOMIC_ACQ_REL);
}

static void play(struct torture_actor *self)
{
	if (self->index == 0) {
		do
			direct(self);
		while (!torture_is_over());
		__atomic_store_n(&line.closed, 1u, __ATOMIC_RELEASE);
		self->done = true;
		return;
	}
	for (uint32_t lines = torture_draw(2 * LINES_PER_LIFE); lines > 0;) {
		enum cue cue = __atomic_load_n(&line.cues[self->index], __ATOMIC_ACQUIRE);

		if (cue != WAIT) {
			stand_in_line(self, cue);
			lines--;
		} else if (__atomic_load_n(&line.closed, __ATOMIC_ACQUIRE) != 0) {
			self->done = true;
			return;
		} else {
			torture_sleep(LOOK_NS);
		}
	}
}

const struct torture_act torture_line = {
	.name = "line",
	.suits = suits,
	.prepare = prepare,
	.play = play,
};
