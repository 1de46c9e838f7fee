/* SPDX-License-Identifier: MIT */
/*
 * The core of what the library does, for rooms where little else runs: it counts on
 * no file, no test library, no thread that can be started.
 *
 *     core [--stack BYTES] [--late CALL,…]    all of it; what it could not have it says
 *     core uncontended                        what must go without futexes
 *     core wait                               one waits for a mutex that is held, for ever
 *     core tell                               what the environment could do to it
 *
 * --stack: of all threads. --late: once the library has measured, is told to be
 * quiet, and then each of these calls kills.
 */
#include "tests/rooms/filter.h"

#include <guestsync/guestsync.h>

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 4
#define ROUNDS 2000
#define PHASES 100
#define PARTS 4096
#define TASKS 200

#define CHECK(what) ((what) ? (void)0 : flunk(__LINE__, #what))

static _Noreturn void flunk(int line, const char *what)
{
	fprintf(stderr, "core: line %d: not so: %s\n", line, what);
	_exit(1);
}

static struct timespec in_ms(long ms)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	time.tv_nsec += ms * 1000000;
	time.tv_sec += time.tv_nsec / 1000000000;
	time.tv_nsec %= 1000000000;
	return time;
}

/* ---- locks and barrier */

struct place {
	gsync_mutex_t mutex;
	gsync_spinlock_t spin;
	gsync_oticket_t oticket;
	gsync_barrier_t barrier;
	uint64_t counts[3];
	uint64_t phase;
};

/* Now and then for so long that the others sleep. */
static void count(uint64_t *counter, int round)
{
	const struct timespec long_time = { 0, 200000 };
	uint64_t seen = *counter;

	if (round % 400 == 7)
		nanosleep(&long_time, NULL);
	*(volatile uint64_t *)counter = seen + 1;
}

static void count_all(struct place *place)
{
	for (int i = 0; i < ROUNDS; i++) {
		gsync_mutex_lock(&place->mutex);
		count(&place->counts[0], i);
		gsync_mutex_unlock(&place->mutex);
		gsync_spinlock_lock(&place->spin);
		count(&place->counts[1], i);
		gsync_spinlock_unlock(&place->spin);
		gsync_oticket_lock(&place->oticket);
		count(&place->counts[2], i);
		gsync_oticket_unlock(&place->oticket);
	}
}

static void *contend(void *argument)
{
	struct place *place = argument;

	count_all(place);
	for (uint64_t i = 1; i <= PHASES; i++) {
		if (gsync_barrier_wait(&place->barrier) == GSYNC_BARRIER_SERIAL_THREAD)
			__atomic_store_n(&place->phase, i, __ATOMIC_RELEASE);
		gsync_barrier_wait(&place->barrier);
		CHECK(__atomic_load_n(&place->phase, __ATOMIC_ACQUIRE) == i);
	}
	return NULL;
}

/* While main has the mutex, so that all sleep at least once. Returns with how many it was done. */
static int try_locks(void)
{
	static struct place place;
	pthread_t threads[THREADS];
	int started = 0;

	gsync_mutex_lock(&place.mutex);
	while (started < THREADS && pthread_create(&threads[started], NULL, contend, &place) == 0)
		started++;
	CHECK(gsync_barrier_init(&place.barrier, (uint32_t)started + 1, 0) == 0);
	nanosleep(&(struct timespec){ 0, 20000000 }, NULL);
	gsync_mutex_unlock(&place.mutex);
	contend(&place);
	for (int i = 0; i < started; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	for (int i = 0; i < 3; i++)
		CHECK(place.counts[i] == (uint64_t)(started + 1) * ROUNDS);
	return started;
}

/* Alone, so that every wait ends by its deadline: and the machine is looked at, again and again. */
static void try_deadlines(void)
{
	static struct place place;

	gsync_profile_set("look_ns", 1000000);
	gsync_mutex_lock(&place.mutex);
	gsync_oticket_lock(&place.oticket);
	for (int i = 0; i < 20; i++) {
		struct timespec soon = in_ms(i == 0 ? 30 : 2);

		CHECK(gsync_mutex_timedlock(&place.mutex, &soon) == ETIMEDOUT);
		soon = in_ms(2);
		CHECK(gsync_oticket_timedlock(&place.oticket, &soon) == ETIMEDOUT);
	}
	gsync_oticket_unlock(&place.oticket);
	gsync_mutex_unlock(&place.mutex);
	gsync_profile_reset("look_ns");
}

/* ---- the pool */

static uint32_t ran;

static void run_task(void *argument)
{
	(void)argument;
	__atomic_fetch_add(&ran, 1u, __ATOMIC_RELAXED);
}

static void fill(void *argument, size_t begin, size_t end)
{
	uint32_t *parts = argument;

	for (size_t i = begin; i < end; i++)
		for (int k = 0; k < 200; k++)
			__atomic_fetch_add(&parts[i], 1u, __ATOMIC_RELAXED);
}

static void fill_in_loops(void *argument, size_t begin, size_t end)
{
	for (size_t i = begin; i < end; i++)
		CHECK(gsync_parallel_for(NULL, PARTS / 8, fill, (uint32_t *)argument + i * (PARTS / 8), NULL) == 0);
}

/* Returns how many threads it had in the end; negative where there is no memory for it. */
static int try_pool(uint32_t *refused)
{
	static uint32_t parts[PARTS];
	gsync_group_t group = GSYNC_GROUP_INIT;
	gsync_pool_t *pool;
	uint32_t threads;
	int error = gsync_pool_create(&pool, NULL);

	if (error == ENOMEM)
		return -1;
	CHECK(error == 0);
	for (int i = 0; i < 5; i++)
		CHECK(gsync_parallel_for(pool, PARTS, fill, parts, NULL) == 0);
	CHECK(gsync_parallel_for(NULL, 8, fill_in_loops, parts, NULL) == 0);
	for (int i = 0; i < PARTS; i++)
		CHECK(parts[i] == 6 * 200);
	for (int i = 0; i < TASKS; i++) {
		error = gsync_pool_submit(pool, run_task, NULL);
		CHECK(error == 0 || error == EAGAIN);
		*refused += error != 0;
		CHECK(gsync_group_spawn(&group, run_task, NULL) == 0);
	}
	CHECK(gsync_group_wait(&group) == 0);
	threads = gsync_pool_threads(pool);
	CHECK(*refused == 0 || threads == 0);
	CHECK(gsync_pool_destroy(pool) == 0);
	CHECK(ran == 2 * TASKS - *refused);
	return (int)threads;
}

/* ---- processes */

static bool try_fork(void)
{
	struct place *place = mmap(NULL, sizeof(*place), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	static uint32_t parts[PARTS];
	int status = -1;
	pid_t child;

	CHECK(place != MAP_FAILED);
	CHECK(gsync_mutex_init(&place->mutex, GSYNC_PROCESS_SHARED) == 0);
	CHECK(gsync_spinlock_init(&place->spin, GSYNC_PROCESS_SHARED) == 0);
	CHECK(gsync_oticket_init(&place->oticket, GSYNC_PROCESS_SHARED) == 0);
	child = fork();
	if (child < 0)
		return false;
	count_all(place);
	if (child == 0) {
		CHECK(gsync_parallel_for(NULL, PARTS, fill, parts, NULL) == 0);
		_exit(parts[PARTS - 1] == 200 ? 0 : 1);
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	for (int i = 0; i < 3; i++)
		CHECK(place->counts[i] == 2 * ROUNDS);
	return true;
}

static int try_all(const char *late)
{
	uint32_t refused = 0;
	int started, workers;
	bool forks;

	/* As if there were more CPUs, so that there is something to share, and to ask hwloc about. */
	CHECK(gsync_profile_set("usable_cpus", 4) == 0);
	if (late) {
		CHECK(gsync_profile_set("quiet", 1) == 0);
		if (filter_calls(late, FILTER_KILLS) != FILTER_HOLDS)
			return 77;
	}
	started = try_locks();
	try_deadlines();
	workers = try_pool(&refused);
	forks = try_fork();
	printf("core: %d threads, a pool of %d, %u tasks refused, %s\n", started, workers, refused,
	       forks ? "two processes" : "one process");
	return 0;
}

/* ---- the others */

static int try_uncontended(void)
{
	static struct place place;

	CHECK(gsync_barrier_init(&place.barrier, 1, 0) == 0);
	CHECK(gsync_barrier_wait(&place.barrier) == GSYNC_BARRIER_SERIAL_THREAD);
	count_all(&place);
	CHECK(gsync_mutex_trylock(&place.mutex) == 0 && gsync_mutex_trylock(&place.mutex) == EBUSY);
	gsync_mutex_unlock(&place.mutex);
	puts("core: uncontended locks");
	return 0;
}

static int wait_for_ever(void)
{
	static gsync_mutex_t mutex;

	gsync_mutex_lock(&mutex);
	gsync_mutex_lock(&mutex);
	return 1;
}

static bool is_mapped(const char *library)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[1024];
	bool found = false;

	CHECK(maps != NULL);
	while (!found && fgets(line, sizeof(line), maps))
		found = strstr(line, library) != NULL;
	fclose(maps);
	return found;
}

static int tell(void)
{
	uint64_t spin;
	gsync_pool_t *pool;

	CHECK(gsync_profile_get("spin_ns", &spin) == 0);
	CHECK(gsync_profile_set("usable_cpus", 4) == 0);
	CHECK(gsync_pool_create(&pool, NULL) == 0);
	printf("secure %lu, spin_ns %lu, hwloc %d\n", getauxval(AT_SECURE), (unsigned long)spin, is_mapped("libhwloc"));
	return gsync_pool_destroy(pool);
}

int main(int argc, char **argv)
{
	const char *late = NULL;

	if (argc == 2 && strcmp(argv[1], "uncontended") == 0)
		return try_uncontended();
	if (argc == 2 && strcmp(argv[1], "wait") == 0)
		return wait_for_ever();
	if (argc == 2 && strcmp(argv[1], "tell") == 0)
		return tell();
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--stack") == 0) {
			pthread_attr_t attributes;

			pthread_attr_init(&attributes);
			CHECK(pthread_attr_setstacksize(&attributes, strtoul(argv[i + 1], NULL, 0)) == 0);
			CHECK(pthread_setattr_default_np(&attributes) == 0);
		} else if (strcmp(argv[i], "--late") == 0) {
			late = argv[i + 1];
		}
	}
	return try_all(late);
}
