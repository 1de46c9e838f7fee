/* SPDX-License-Identifier: MIT */
/*
 * The phases of a barrier, one after the other, through threads that come and go.
 * After each, all must have arrived in it, and exactly one must have been named
 * the serial thread of the one before. What shows it are plain words that the
 * barrier itself must order; odd and even phases have their own, because a thread
 * may still look at one phase while another is on its way to the next.
 */
#include "cli/torture.h"

#define PHASES_PER_LIFE 1000u

static struct {
	struct bench_object object;
	struct bench_node nodes[TORTURE_ACTORS_MAX];
	uint64_t arrived[TORTURE_ACTORS_MAX][2]; /* the phase */
	uint64_t serial[TORTURE_ACTORS_MAX][2];
	uint64_t last[2]; /* the phase after which all leave; written by actor 0 before it arrives */
} hall;

static bool suits(const struct torture_subject *subject)
{
	return subject->barrier != NULL;
}

static void prepare(struct torture_board *board)
{
	if (board->subject->barrier->init(&hall.object, board->actors) != 0)
		torture_fail("init failed");
}

static void check_phase(const struct torture_board *board, uint64_t phase)
{
	unsigned serials = 0;

	for (unsigned i = 0; i < board->actors; i++) {
		if (hall.arrived[i][phase % 2] != phase)
			torture_fail("a thread is through phase %llu, and thread %u has not arrived in it",
				     (unsigned long long)phase, i);
		serials += hall.serial[i][(phase - 1) % 2] == phase - 1;
	}
	if (phase > 1 && board->subject->barrier->reports_serial && serials != 1)
		torture_fail("%u threads were the serial one of phase %llu", serials, (unsigned long long)phase - 1);
}

static void play(struct torture_actor *self)
{
	const struct bench_barrier *barrier = self->board->subject->barrier;

	for (uint32_t phases = 1 + torture_draw(2 * PHASES_PER_LIFE); phases > 0; phases--) {
		uint64_t phase = ++self->episode;
		uint32_t outer;
		bool serial;

		hall.arrived[self->index][phase % 2] = phase;
		if (self->index == 0 && torture_is_over())
			hall.last[phase % 2] = phase;
		outer = torture_enter(TORTURE_WAITS, &hall.object);
		serial = barrier->wait(&hall.object, &hall.nodes[self->index]);
		torture_leave(outer);
		if (serial)
			hall.serial[self->index][phase % 2] = phase;
		check_phase(self->board, phase);
		torture_note(TORTURE_PASSED);
		self->done = hall.last[phase % 2] == phase;
		if (self->done)
			return;
		torture_linger();
	}
}

static void check(struct torture_board *board)
{
	uint32_t outer = torture_enter(TORTURE_DESTROYS, &hall.object);

	if (board->subject->barrier->destroy(&hall.object) != 0)
		torture_fail("a barrier could not be destroyed, though all have left");
	torture_leave(outer);
}

const struct torture_act torture_phases = {
	.name = "phases",
	.suits = suits,
	.prepare = prepare,
	.play = play,
	.check = check,
};
