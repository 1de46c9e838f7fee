/* SPDX-License-Identifier: MIT */
#include "unfinished.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER (1u << 20)

static const int deadly[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

static char *temporary; /* a copy: the signal may come while bench/output frees its own */

static void end(int number)
{
	char *path = __atomic_load_n(&temporary, __ATOMIC_ACQUIRE);

	if (path != NULL)
		unlink(path);
	signal(number, SIG_DFL);
	raise(number); /* delivered when this handler returns */
}

static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = end }, before;

	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++) {
		sigaction(deadly[i], NULL, &before);
		if (before.sa_handler != SIG_IGN)
			sigaction(deadly[i], &action, NULL);
	}
	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error like others */
}

/* No signal ends the program between the file's creation and our knowing its name. */
int unfinished_open(struct bench_output *output, const char *path, struct bench_error *error)
{
	sigset_t all, before;
	int result;

	catch_signals();
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	result = bench_output_open(output, path, error);
	if (result == 0 && output->temporary != NULL)
		temporary = strdup(output->temporary);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (result == 0)
		setvbuf(output->file, NULL, _IOFBF, BUFFER);
	return result;
}

/* There is no such file any more, under this name. */
static void forget(void)
{
	free(__atomic_exchange_n(&temporary, NULL, __ATOMIC_ACQ_REL));
}

int unfinished_commit(struct bench_output *output, struct bench_error *error)
{
	int result = bench_output_commit(output, error);

	forget();
	return result;
}

void unfinished_discard(struct bench_output *output)
{
	bench_output_discard(output);
	forget();
}
