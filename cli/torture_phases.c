/* SPDX-License-Identifier: MIT */
/*
 * The phases of a barrier, one after the other, through threads that come and go,
 * in one process or in several. After each, all must have arrived in it, and exactly
 * one must have been named the serial thread of the one before. What shows it are
 * plain words that the barrier itself must order; odd and even phases have their own,
 * because a thread may still look at one phase while another is on its way to the next.
 *
 * Memory that processes share cannot be taken from under a barrier, as the act of
 * the ends does it. So there each barrier has a few phases only; the first who comes
 * out of the last of them destroys it, and makes another in its place, while the
 * others may still be leaving. Whoever touched it after that would spoil the new one.
 * Two take turns, so one that is made anew is there when it is needed: whoever made
 * it has to arrive at the other first.
 */
#include "cli/torture.h"

#define PHASES_PER_LIFE 1000u
#define PHASES_PER_BARRIER 16u

static bool suits(const struct torture_subject *subject)
{
	return subject->barrier != NULL;
}

static bool suits_processes(const struct torture_subject *subject)
{
	return subject->barrier != NULL && subject->barrier->init_shared != NULL;
}

static void prepare(struct torture_board *board)
{
	torture_make_barrier(&board->hall.barriers[0]);
	torture_make_barrier(&board->hall.barriers[1]);
}

/* The peers promise less. */
static bool are_replaced(const struct torture_board *board)
{
	return board->act->in_processes && board->subject->barrier->ours;
}

static unsigned place_of(const struct torture_board *board, uint64_t phase)
{
	return are_replaced(board) ? phase / PHASES_PER_BARRIER % 2 : 0;
}

/* After a phase that somebody else may have been first to come out of. */
static void replace(struct torture_board *board, uint64_t phase)
{
	struct torture_hall *hall = &board->hall;
	unsigned place = place_of(board, phase);

	if (__atomic_exchange_n(&hall->replaced[place], phase, __ATOMIC_RELAXED) == phase)
		return;
	torture_destroy_barrier(&hall->barriers[place]);
	torture_make_barrier(&hall->barriers[place]);
}

static void check_phase(const struct torture_board *board, uint64_t phase)
{
	const struct torture_hall *hall = &board->hall;
	unsigned serials = 0;

	for (unsigned i = 0; i < board->actors; i++) {
		if (hall->arrived[i][phase % 2] != phase)
			torture_fail("a thread is through phase %llu, and thread %u has not arrived in it",
				     (unsigned long long)phase, i);
		serials += hall->serial[i][(phase - 1) % 2] == phase - 1;
	}
	if (phase > 1 && board->subject->barrier->reports_serial && serials != 1)
		torture_fail("%u threads were the serial one of phase %llu", serials, (unsigned long long)phase - 1);
}

static void pass(struct torture_actor *self, uint64_t phase)
{
	struct torture_board *board = self->board;
	struct torture_hall *hall = &board->hall;

	hall->arrived[self->index][phase % 2] = phase;
	if (self->index == 0 && torture_is_over())
		hall->last[phase % 2] = phase;
	if (torture_pass_barrier(&hall->barriers[place_of(board, phase)], &hall->nodes[self->index]))
		hall->serial[self->index][phase % 2] = phase;
	if (are_replaced(board) && (phase + 1) % PHASES_PER_BARRIER == 0)
		replace(board, phase);
	check_phase(board, phase);
	self->done = hall->last[phase % 2] == phase;
}

static void play(struct torture_actor *self)
{
	for (uint32_t phases = 1 + torture_draw(2 * PHASES_PER_LIFE); phases > 0; phases--) {
		pass(self, ++self->episode);
		if (self->done)
			return;
		torture_linger();
	}
}

static void check(struct torture_board *board)
{
	torture_destroy_barrier(&board->hall.barriers[0]);
	torture_destroy_barrier(&board->hall.barriers[1]);
}

const struct torture_act torture_phases = {
	.name = "phases",
	.suits = suits,
	.prepare = prepare,
	.play = play,
	.check = check,
};

const struct torture_act torture_barrier_processes = {
	.name = "processes",
	.in_processes = true,
	.suits = suits_processes,
	.prepare = prepare,
	.play = play,
	.check = check,
};
