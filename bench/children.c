/* SPDX-License-Identifier: MIT */
/*
 * PR_SET_PDEATHSIG covers the ways to die that leave no time to clean up; the
 * parent may already have died before it is set, hence the look at getppid().
 */
#include "bench/children.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/measure.h"

/* Shorter than PIPE_BUF, so that no two mix. */
struct report {
	int reason;
	struct bench_error error; /* "" = what strerror() says of the reason */
};

static _Noreturn void be_a_child(const struct bench_child_work *work, unsigned index, pid_t parent, int pipe_end)
{
	struct report report = { 0 };

	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
		_exit(1);
	report.reason = work->prepare(work->context, index, &report.error);
	if (write(pipe_end, &report, sizeof(report)) != (ssize_t)sizeof(report) || report.reason != 0)
		_exit(1);
	close(pipe_end);
	work->run(work->context, index);
	_exit(1);
}

static int fail_for(int reason, struct bench_error *error)
{
	bench_fail(error, "%s", strerror(reason));
	return reason;
}

/* Returns 0 when all have reported 0, the first reason reported, or ECHILD when one died without a word. */
static int hear_reports(int pipe_end, unsigned count, struct bench_error *error)
{
	for (unsigned i = 0; i < count; i++) {
		struct report report;
		ssize_t got;

		do
			got = read(pipe_end, &report, sizeof(report));
		while (got < 0 && errno == EINTR && !bench_interrupt);
		if (got != (ssize_t)sizeof(report))
			return fail_for(got < 0 ? errno : ECHILD, error);
		if (report.reason == 0)
			continue;
		if (report.error.text[0] == '\0')
			return fail_for(report.reason, error);
		*error = report.error;
		return report.reason;
	}
	return 0;
}

/* The parent's end of writing is closed before it reads, or the death of a child would go unnoticed. */
static int start_all(struct bench_children *children, unsigned count, const struct bench_child_work *work,
		     struct bench_error *error)
{
	pid_t parent = getpid();
	int report[2], reason = 0;

	if (pipe(report) != 0)
		return fail_for(errno, error);
	while (children->count < count && reason == 0) {
		pid_t pid = fork();

		if (pid == 0) {
			close(report[0]);
			be_a_child(work, children->count, parent, report[1]);
		}
		if (pid > 0)
			children->pids[children->count++] = pid;
		else
			reason = fail_for(errno, error);
	}
	close(report[1]);
	if (reason == 0)
		reason = hear_reports(report[0], count, error);
	close(report[0]);
	return reason;
}

int bench_children_start(struct bench_children *children, unsigned count, const struct bench_child_work *work,
			 struct bench_error *error)
{
	int reason;

	*children = (struct bench_children){ .pids = calloc(count, sizeof(children->pids[0])) };
	if (children->pids == NULL)
		return fail_for(ENOMEM, error);
	reason = start_all(children, count, work, error);
	if (reason != 0)
		bench_children_stop(children);
	return reason;
}

unsigned bench_children_stop(struct bench_children *children)
{
	unsigned ended = 0;

	for (unsigned i = 0; i < children->count; i++) {
		siginfo_t info = { 0 };

		/* WNOWAIT: a pid that is still to be reaped cannot be somebody else's by now. */
		if (waitid(P_PID, (id_t)children->pids[i], &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0)
			ended++;
		kill(children->pids[i], SIGKILL);
	}
	for (unsigned i = 0; i < children->count; i++)
		while (waitpid(children->pids[i], NULL, 0) < 0 && errno == EINTR)
			;
	free(children->pids);
	*children = (struct bench_children){ 0 };
	return ended;
}
