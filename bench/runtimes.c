/* SPDX-License-Identifier: MIT */
/*
 * The runtimes. OpenMP's are loaded when they are used, and called as compilers
 * call them (GOMP_parallel, which LLVM's library has, too), with the static
 * schedule that both have by default: a contiguous share for each thread.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <guestsync/parallel.h>

#include "bench/forkjoin.h"

/* ---- the loop that is being run, for those that give every thread a share */

struct shares {
	size_t count;
	bench_range_fn *run;
	void *context;
	size_t threads;
};

static void run_share(const struct shares *shares, size_t thread)
{
	size_t begin = shares->count * thread / shares->threads;
	size_t end = shares->count * (thread + 1) / shares->threads;

	if (begin < end)
		shares->run(shares->context, begin, end);
}

/* ---- nobody */

static int start_nothing(unsigned threads, struct bench_error *error)
{
	(void)threads;
	(void)error;
	return 0;
}

static void serial_loop(size_t count, bench_range_fn *run, void *context, bool together)
{
	(void)together;
	run(context, 0, count);
}

static const struct bench_runtime serial = { .name = BENCH_SERIAL, .start = start_nothing, .loop = serial_loop };

/* ---- ours */

static gsync_pool_t *pool;

static int start_pool(unsigned threads, struct bench_error *error)
{
	const gsync_pool_options_t options = { .workers = threads };

	return gsync_pool_create(&pool, &options) == 0 ? 0 : bench_fail(error, "no memory for a pool");
}

static unsigned pool_workers(void)
{
	return gsync_pool_workers(pool);
}

static void pool_loop(size_t count, bench_range_fn *run, void *context, bool together)
{
	static const gsync_loop_options_t eager = { .flags = GSYNC_LOOP_EAGER };

	gsync_parallel_for(pool, count, run, context, together ? &eager : NULL);
}

static const struct bench_runtime gsync_for = {
	.name = "gsync_for", .ours = true, .gathers = true, .start = start_pool, .threads = pool_workers,
	.loop = pool_loop,
};

/* ---- threads that are made for each region */

static unsigned thread_count;

struct hired {
	pthread_t thread;
	const struct shares *shares;
	size_t index;
};

static int note_threads(unsigned threads, struct bench_error *error)
{
	(void)error;
	thread_count = threads;
	return 0;
}

static void *be_hired(void *argument)
{
	const struct hired *hired = argument;

	run_share(hired->shares, hired->index);
	return NULL;
}

/* A share whose thread cannot be made is the caller's. */
static void pthread_loop(size_t count, bench_range_fn *run, void *context, bool together)
{
	const struct shares shares = { count, run, context, thread_count };
	struct hired hired[BENCH_THREADS_MAX];
	bool made[BENCH_THREADS_MAX];

	(void)together;
	for (size_t i = 1; i < thread_count; i++) {
		hired[i] = (struct hired){ .shares = &shares, .index = i };
		made[i] = pthread_create(&hired[i].thread, NULL, be_hired, &hired[i]) == 0;
	}
	run_share(&shares, 0);
	for (size_t i = 1; i < thread_count; i++) {
		if (made[i])
			pthread_join(hired[i].thread, NULL);
		else
			run_share(&shares, i);
	}
}

static const struct bench_runtime pthread_for = {
	.name = "pthread_for", .gathers = true, .start = note_threads, .loop = pthread_loop,
};

/* ---- OpenMP */

static void (*gomp_parallel)(void (*run)(void *), void *data, unsigned threads, unsigned flags);
static int (*omp_get_thread_num)(void);
static int (*omp_get_num_threads)(void);
static void (*omp_set_dynamic)(int dynamic);

static int find(void *library, const char *name, void *function, struct bench_error *error)
{
	void *found = dlsym(library, name);

	memcpy(function, &found, sizeof(found));
	return found != NULL ? 0 : bench_fail(error, "no %s in the OpenMP library", name);
}

static int load_omp(const char *name, unsigned threads, struct bench_error *error)
{
	void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);

	thread_count = threads;
	if (library == NULL)
		return bench_fail(error, "cannot load %s: %s", name, dlerror());
	if (find(library, "GOMP_parallel", &gomp_parallel, error) != 0 ||
	    find(library, "omp_get_thread_num", &omp_get_thread_num, error) != 0 ||
	    find(library, "omp_get_num_threads", &omp_get_num_threads, error) != 0 ||
	    find(library, "omp_set_dynamic", &omp_set_dynamic, error) != 0)
		return -1;
	omp_set_dynamic(0); /* so many threads, and not fewer */
	return 0;
}

static void be_in_team(void *data)
{
	struct shares shares = *(const struct shares *)data;

	shares.threads = (size_t)omp_get_num_threads();
	run_share(&shares, (size_t)omp_get_thread_num());
}

static void omp_loop(size_t count, bench_range_fn *run, void *context, bool together)
{
	struct shares shares = { count, run, context, thread_count };

	(void)together;
	gomp_parallel(be_in_team, &shares, thread_count, 0);
}

#define LIBGOMP "libgomp.so.1"
#define LIBOMP "libomp.so.5"

static int start_libgomp(unsigned threads, struct bench_error *error)
{
	unsetenv("OMP_WAIT_POLICY");
	return load_omp(LIBGOMP, threads, error);
}

static int start_libgomp_passive(unsigned threads, struct bench_error *error)
{
	setenv("OMP_WAIT_POLICY", "passive", 1);
	return load_omp(LIBGOMP, threads, error);
}

static int start_libomp(unsigned threads, struct bench_error *error)
{
	unsetenv("OMP_WAIT_POLICY");
	return load_omp(LIBOMP, threads, error);
}

static const struct bench_runtime omp_for = {
	.name = "omp_for", .gathers = true, .library = LIBGOMP, .reason = "not installed (install libgomp1)", .start = start_libgomp,
	.loop = omp_loop,
};
static const struct bench_runtime omp_passive_for = {
	.name = "omp_passive_for", .gathers = true, .library = LIBGOMP, .reason = "not installed (install libgomp1)",
	.start = start_libgomp_passive, .loop = omp_loop,
};
static const struct bench_runtime llvm_omp_for = {
	.name = "llvm_omp_for", .gathers = true, .library = LIBOMP, .reason = "not installed (install libomp5-14)", .start = start_libomp,
	.loop = omp_loop,
};

/* ---- the table */

const struct bench_runtime *const bench_runtimes[] = {
	&gsync_for,    &serial,		&omp_for, &omp_passive_for, &llvm_omp_for,
#ifdef HAVE_TBB
	&bench_tbb_for,
#endif
	&pthread_for, NULL,
};

const struct bench_runtime *bench_runtime_find(const char *name)
{
	for (const struct bench_runtime *const *runtime = bench_runtimes; *runtime != NULL; runtime++)
		if (strcmp((*runtime)->name, name) == 0)
			return *runtime;
	return NULL;
}

static bool can_be_loaded(const char *library)
{
	pid_t child = fork();
	int status = 1;

	if (child == 0)
		_exit(dlopen(library, RTLD_NOW | RTLD_LOCAL) != NULL ? 0 : 1);
	return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

bool bench_runtime_is_there(const struct bench_runtime *runtime)
{
	static struct {
		const char *library;
		bool there;
	} asked[4];
	size_t i = 0;

	if (runtime->library == NULL)
		return true;
	while (asked[i].library != NULL && strcmp(asked[i].library, runtime->library) != 0)
		i++;
	if (asked[i].library == NULL) {
		asked[i].library = runtime->library;
		asked[i].there = can_be_loaded(runtime->library);
	}
	return asked[i].there;
}
