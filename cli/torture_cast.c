/* SPDX-License-Identifier: MIT */
/*
 * The cast of a stage, or the part of it that plays in this process: starts the
 * actors, puts a new thread in the place of each that ends before the stage does,
 * and meanwhile plagues all threads of the process, also those that are not its
 * own: they get signals, and are moved from CPU to CPU.
 */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <guestsync/profile.h>

#include "bench/affinity.h"
#include "bench/burn.h"
#include "cli/torture.h"
#include "detect/tuning.h"

/* ThreadSanitizer keeps signals back, and each costs it much. */
#ifdef GSYNC_TSAN
#define PLAGUES_PER_SIGNAL 64u
#else
#define PLAGUES_PER_SIGNAL 2u
#endif
#define PLAGUES_PER_MOVE 8u
#define PLAGUES_PER_SETTING 256u
#define USABLE_CPUS_MOST 6u

/* ---- signals and CPUs */

static void be_interrupted(int signal_number)
{
	(void)signal_number;
	__atomic_fetch_add(&torture_board->events[TORTURE_SIGNALLED], 1u, __ATOMIC_RELAXED);
}

/* Without SA_RESTART: what can be interrupted, is. */
static void take_signals(void)
{
	struct sigaction action = { .sa_handler = be_interrupted };

	sigemptyset(&action.sa_mask);
	if (sigaction(SIGUSR1, &action, NULL) != 0)
		torture_fail("sigaction: %s", strerror(errno));
}

/* One of this process's threads; 0 where /proc does not tell. */
static pid_t pick_thread(void)
{
	DIR *threads = opendir("/proc/self/task");
	pid_t picked = 0;
	unsigned count = 0;
	struct dirent *entry;

	if (threads == NULL)
		return 0;
	while ((entry = readdir(threads)) != NULL)
		if (entry->d_name[0] != '.' && torture_draw(++count) == 0)
			picked = (pid_t)strtol(entry->d_name, NULL, 10);
	closedir(threads);
	return picked;
}

/* To one CPU, or back to all; a thread that has just ended is none. */
static void move_thread(pid_t thread, const struct bench_cpus *cpus)
{
	unsigned one = torture_draw(2 * cpus->count);
	cpu_set_t mask;

	CPU_ZERO(&mask);
	for (unsigned i = 0; i < cpus->count; i++)
		if ((one >= cpus->count || i == one) && cpus->ids[i] < CPU_SETSIZE)
			CPU_SET((size_t)cpus->ids[i], &mask);
	if (sched_setaffinity(thread, sizeof(mask), &mask) == 0)
		torture_note(TORTURE_MOVED);
}

static void plague(const struct bench_cpus *cpus)
{
	bool calm = __atomic_load_n(&torture_board->calm, __ATOMIC_RELAXED) != 0;
	bool signals = !calm && torture_draw(PLAGUES_PER_SIGNAL) == 0, moves = torture_draw(PLAGUES_PER_MOVE) == 0;
	pid_t thread = signals || moves ? pick_thread() : 0;

	if (thread != 0 && signals)
		syscall(SYS_tgkill, getpid(), thread, SIGUSR1);
	if (thread != 0 && moves && cpus->count > 0)
		move_thread(thread, cpus);
	/* On another machine the same locks wait in other ways. */
	if (torture_draw(PLAGUES_PER_SETTING) == 0) {
		uint32_t count = torture_draw(USABLE_CPUS_MOST + 1);

		if (count == 0)
			gsync_profile_reset("usable_cpus");
		else
			gsync_profile_set("usable_cpus", count);
		torture_note(TORTURE_RESIZED);
	}
}

/* ---- actors */

static void *play(void *argument)
{
	struct torture_actor *self = argument;
	clockid_t clock = CLOCK_MONOTONIC;

	torture_self = self;
	__atomic_store_n(&self->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELAXED);
	pthread_getcpuclockid(pthread_self(), &clock);
	__atomic_store_n(&self->cpu_clock, clock, __ATOMIC_RELAXED);
	torture_note(TORTURE_THREADS);
	torture_leave((struct torture_place){ TORTURE_THINKS, NULL });
	self->board->act->play(self);
	torture_leave((struct torture_place){ TORTURE_AWAY, NULL });
	__atomic_store_n(&self->tid, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&self->ended, 1u, __ATOMIC_RELEASE);
	return NULL;
}

struct part {
	struct torture_actor *actor;
	pthread_t thread;
	bool plays;
};

static void start(struct part *part)
{
	int error = pthread_create(&part->thread, NULL, play, part->actor);

	if (error != 0)
		torture_fail("cannot start a thread: %s", strerror(error));
	part->plays = true;
}

/* Sees to those whose threads have ended. Returns whether any still plays. */
static bool look_after(struct part *parts, unsigned count)
{
	bool any = false;

	for (unsigned i = 0; i < count; i++) {
		struct part *part = &parts[i];

		if (part->plays && __atomic_load_n(&part->actor->ended, __ATOMIC_ACQUIRE) != 0) {
			pthread_join(part->thread, NULL);
			part->plays = false;
			part->actor->ended = 0;
			if (!part->actor->done)
				start(part);
		}
		any |= part->plays;
	}
	return any;
}

static void perform(struct torture_board *board, unsigned index)
{
	struct part parts[TORTURE_ACTORS_MAX] = { 0 };
	unsigned cast = board->act->cast > 0 ? board->act->cast : board->actors, count = 0;
	struct bench_cpus cpus = { 0 };

	bench_cpus_read(&cpus);
	for (unsigned i = index; i < cast; i += board->processes) {
		parts[count].actor = &board->cast[i];
		start(&parts[count++]);
	}
	while (look_after(parts, count)) {
		torture_sleep(100000 + torture_draw(1900000));
		plague(&cpus);
	}
	bench_cpus_free(&cpus);
}

static void wait_until(const uint32_t *word, uint32_t value)
{
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != value)
		torture_sleep(TORTURE_MS);
}

void torture_cast_run(struct torture_board *board, unsigned index)
{
	torture_board = board;
	take_signals();
	bench_burn_steps(1); /* measured now, before anybody is plagued */
	if (index == 0) {
		board->act->prepare(board);
		__atomic_store_n(&board->ready, 1u, __ATOMIC_RELEASE);
	}
	wait_until(&board->ready, 1);
	perform(board, index);
	__atomic_fetch_add(&board->finished, 1u, __ATOMIC_ACQ_REL);
	if (index != 0)
		return;
	wait_until(&board->finished, board->processes);
	if (board->act->check != NULL)
		board->act->check(board);
}
