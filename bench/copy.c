/* SPDX-License-Identifier: MIT */
#include "bench/copy.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/stage.h"

/* The child's. */
struct play {
	struct bench_job job;
	struct bench_stage *stage;
	int steps[2];
};

static int raise_curtain(void *context, unsigned index, struct bench_error *error)
{
	struct play *play = context;

	(void)index;
	close(play->steps[1]); /* or it would never see the end of the other */
	play->stage = bench_stage_new(&play->job, error);
	if (play->stage == NULL || bench_stage_people(&play->job, play->stage, error) != 0)
		return ECHILD;
	bench_stage_begin(&play->job, play->stage);
	return 0;
}

static void perform(void *context, unsigned index)
{
	struct play *play = context;
	unsigned char step;
	ssize_t got;

	(void)index;
	do {
		got = read(play->steps[0], &step, 1);
		if (got == 1)
			bench_stage_take_step(&play->job, play->stage, step);
	} while (got == 1 || (got < 0 && errno == EINTR));
}

int bench_copy_start(struct bench_copy *copy, const struct bench_job *job, struct bench_error *error)
{
	struct play play = { .job = *job };
	const struct bench_child_work work = { .prepare = raise_curtain, .run = perform, .context = &play };
	struct bench_error why;
	int reason;

	*copy = (struct bench_copy){ 0 };
	play.job.tick = NULL;
	/* Measured now, while nothing else runs: the price of a step of work, which both are to have in common. */
	bench_burn_steps(1);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, play.steps) != 0)
		return bench_fail(error, "cannot start the second copy: %s", strerror(errno));
	reason = bench_children_start(&copy->process, 1, &work, &why);
	close(play.steps[0]);
	if (reason == 0) {
		copy->steps = play.steps[1];
		return 0;
	}
	close(play.steps[1]);
	return bench_interrupt ? bench_fail(error, BENCH_INTERRUPTED) :
				 bench_fail(error, "cannot start the second copy: %.400s", why.text);
}

/* It fails only when the copy is no more, which bench_copy_stop() tells: no reason to die of SIGPIPE. */
void bench_copy_take_step(const struct bench_copy *copy, size_t step)
{
	unsigned char byte = (unsigned char)step;

	_Static_assert(BENCH_STEPS_MAX <= 255, "a step fits a byte");
	if (copy->process.count > 0)
		send(copy->steps, &byte, 1, MSG_NOSIGNAL);
}

int bench_copy_stop(struct bench_copy *copy, struct bench_error *error)
{
	unsigned ended;

	if (copy->process.count == 0)
		return 0;
	ended = bench_children_stop(&copy->process);
	close(copy->steps);
	return ended == 0 ? 0 : bench_fail(error, "the second copy ended before the window did");
}
