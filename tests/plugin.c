/* SPDX-License-Identifier: MIT */
/*
 * A program that has the library only for a while: loads it, waits in threads,
 * unloads it, many times over; forks; and has a thread that ends only after the
 * library was unloaded. Its argument is the library.
 */
#include <guestsync/mutex.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIMES 50
#define THREADS 3

/* Called through the handle: this program is not linked with the library. */
static int (*timedlock)(gsync_mutex_t *mutex, const struct timespec *deadline);
static gsync_mutex_t held;
static uint32_t has_waited;
static uint32_t may_end;

static void check(bool holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "plugin: FAILED: %s\n", what);
		exit(1);
	}
}

static void *wait_in_vain(void *argument)
{
	struct timespec soon;

	/* A deadline that has passed leaves time to spin, by the profile, and none to sleep. */
	clock_gettime(CLOCK_MONOTONIC, &soon);
	check(timedlock(&held, &soon) == ETIMEDOUT, "a held lock was taken");
	__atomic_fetch_add(&has_waited, 1u, __ATOMIC_RELEASE);
	return argument;
}

static void *wait_and_stay(void *argument)
{
	wait_in_vain(argument);
	while (!__atomic_load_n(&may_end, __ATOMIC_ACQUIRE))
		usleep(1000);
	return NULL;
}

static void *load(const char *path)
{
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	void *symbol;

	if (!handle)
		fprintf(stderr, "plugin: %s\n", dlerror());
	check(handle != NULL, "dlopen");
	symbol = dlsym(handle, "gsync_mutex_timedlock");
	check(symbol != NULL, "dlsym");
	memcpy(&timedlock, &symbol, sizeof(symbol));
	return handle;
}

static pthread_t start(void *(*main)(void *))
{
	pthread_t thread;

	check(pthread_create(&thread, NULL, main, NULL) == 0, "pthread_create");
	return thread;
}

static void use_for_a_while(const char *path)
{
	void *handle = load(path);
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		threads[i] = start(wait_in_vain);
	for (int i = 0; i < THREADS; i++)
		check(pthread_join(threads[i], NULL) == 0, "pthread_join");
	check(dlclose(handle) == 0, "dlclose");
}

static void check_fork(void)
{
	pid_t child = fork();
	int status;

	check(child >= 0, "fork");
	if (child == 0)
		_exit(0);
	check(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child");
}

int main(int argc, char **argv)
{
	void *handle;
	pthread_t last;

	if (argc != 2)
		return 2;
	held.lock.word = 1;
	for (int i = 0; i < TIMES; i++)
		use_for_a_while(argv[1]);
	check(has_waited == TIMES * THREADS, "all threads have waited");
	check_fork();
	handle = load(argv[1]);
	last = start(wait_and_stay);
	while (__atomic_load_n(&has_waited, __ATOMIC_ACQUIRE) == TIMES * THREADS)
		usleep(1000);
	check(dlclose(handle) == 0, "dlclose");
	check_fork();
	__atomic_store_n(&may_end, 1u, __ATOMIC_RELEASE);
	check(pthread_join(last, NULL) == 0, "pthread_join");
	check_fork();
	return 0;
}
