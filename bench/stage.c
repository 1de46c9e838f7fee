/* SPDX-License-Identifier: MIT */
#include "bench/stage.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NS_PER_S 1000000000u
#define STACK_BYTES (64u * 1024)
#define SAMPLE_MASK 15u
#define CS_TIMED_ALWAYS_NS 500u
#define PERIOD_TIMED_ALWAYS_NS 5000u /* two looks at the clock are less than a hundredth of this */
#define LOOK_NS 250000000u
#define WARM_LOOK_NS 5000000u
#define PATIENCE_NS (60ull * NS_PER_S)

volatile sig_atomic_t bench_interrupt;

/* ---- the stage */

static size_t stage_bytes(unsigned threads)
{
	return sizeof(struct bench_stage) + threads * sizeof(struct bench_worker);
}

/* Mapped rather than allocated: zeroed, on a page boundary, and what no thread touches never becomes memory. */
struct bench_stage *bench_stage_new(const struct bench_job *job, struct bench_error *error)
{
	struct bench_stage *stage = mmap(NULL, stage_bytes(job->threads), PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int reason;

	if (stage == MAP_FAILED) {
		bench_fail(error, "no memory for %u threads: %s", job->threads, strerror(errno));
		return NULL;
	}
	reason = job->lock != NULL ? job->lock->init(&stage->object) : job->barrier->init(&stage->object, job->threads);
	if (reason != 0) {
		bench_fail(error, "cannot make a %s: %s", job->lock != NULL ? job->lock->name : job->barrier->name,
			   strerror(reason));
		munmap(stage, stage_bytes(job->threads));
		return NULL;
	}
	stage->phase = BENCH_WARM_UP;
	stage->sample_mask = job->lock != NULL && job->cs_ns >= CS_TIMED_ALWAYS_NS ? 0 : SAMPLE_MASK;
	stage->cs_steps = bench_burn_steps(job->cs_ns);
	stage->think_steps = bench_burn_steps(job->think_ns);
	stage->threads = job->threads;
	stage->reports_serial = job->barrier != NULL && job->barrier->reports_serial;
	sem_init(&stage->arrivals, 0, 0);
	sem_init(&stage->permits, 0, 0);
	sem_init(&stage->departures, 0, 0);
	pthread_mutex_init(&stage->rest, NULL);
	pthread_cond_init(&stage->more_rest, NULL);
	for (unsigned i = 0; i < job->threads; i++)
		pthread_cond_init(&stage->workers[i].called, NULL);
	return stage;
}

void bench_stage_free(struct bench_stage *stage, const struct bench_job *job)
{
	if (job->lock != NULL)
		job->lock->destroy(&stage->object);
	else
		job->barrier->destroy(&stage->object);
	for (unsigned i = 0; i < job->threads; i++)
		pthread_cond_destroy(&stage->workers[i].called);
	pthread_cond_destroy(&stage->more_rest);
	pthread_mutex_destroy(&stage->rest);
	sem_destroy(&stage->departures);
	sem_destroy(&stage->permits);
	sem_destroy(&stage->arrivals);
	munmap(stage, stage_bytes(job->threads));
}

/* ---- the threads */

static bool is_called_off(const struct bench_worker *worker)
{
	return __atomic_load_n(&worker->order, __ATOMIC_RELAXED) == BENCH_STOP;
}

static bool is_over(const struct bench_stage *stage)
{
	return __atomic_load_n(&stage->phase, __ATOMIC_RELAXED) == BENCH_STOP;
}

/* Sleeps until it has another order; false when the window is over. */
static bool is_called_again(struct bench_worker *worker)
{
	struct bench_stage *stage = worker->stage;
	bool over;

	if (worker->orders == &stage->phase)
		return false;
	pthread_mutex_lock(&stage->rest);
	__atomic_add_fetch(&stage->resting, 1, __ATOMIC_RELAXED);
	pthread_cond_signal(&stage->more_rest);
	while (is_called_off(worker) && !is_over(stage))
		pthread_cond_wait(&worker->called, &stage->rest);
	__atomic_sub_fetch(&stage->resting, 1, __ATOMIC_RELAXED);
	over = is_over(stage);
	pthread_mutex_unlock(&stage->rest);
	return !over;
}

static void await(sem_t *semaphore, unsigned times)
{
	while (times > 0)
		if (sem_wait(semaphore) == 0) /* else a signal came */
			times--;
}

static void *worker_main(void *argument)
{
	struct bench_worker *worker = argument;
	struct bench_stage *stage = worker->stage;

	memset(&worker->waits, 0, sizeof(worker->waits)); /* only the window writes there: its pages are to be there before */
	sem_post(&stage->arrivals);
	await(&stage->permits, 1);
	sem_post(&stage->departures);
	if (stage->expected < stage->threads)
		return NULL;
	do
		worker->run(worker);
	while (is_called_again(worker));
	return NULL;
}

/*
 * Lets the threads that exist run, or, when those are fewer than planned, leave. Returns when the last has gone: where
 * CPUs are few that is long after the first, which until then may have the lock to itself.
 */
static void open_gate(struct bench_stage *stage, unsigned existing)
{
	await(&stage->arrivals, existing);
	stage->expected = existing;
	for (unsigned i = 0; i < existing; i++)
		sem_post(&stage->permits);
	await(&stage->departures, existing);
}

static int create_one(const struct bench_job *job, struct bench_worker *worker)
{
	const long least = PTHREAD_STACK_MIN;
	pthread_attr_t attributes;
	int reason = pthread_attr_init(&attributes);

	if (reason != 0)
		return reason;
	reason = pthread_attr_setstacksize(&attributes, (size_t)least + STACK_BYTES);
	if (reason == 0 && job->pin)
		reason = bench_pin_attributes(&attributes, job->cpus->ids[worker->index % job->cpus->count]);
	if (reason == 0)
		reason = pthread_create(&worker->thread, &attributes, worker_main, worker);
	pthread_attr_destroy(&attributes);
	return reason;
}

/* Signals stay with the measurer, whose sleep they are meant to end. */
int bench_stage_people(const struct bench_job *job, struct bench_stage *stage, struct bench_error *error)
{
	sigset_t all, before;
	unsigned created = 0;
	int reason = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (created < job->threads && reason == 0) {
		struct bench_worker *worker = &stage->workers[created];

		worker->stage = stage;
		worker->index = created;
		worker->run = job->lock != NULL ? job->lock->run : job->barrier->run;
		worker->orders = job->ramp != NULL ? &worker->order : &stage->phase;
		reason = create_one(job, worker);
		if (reason == 0)
			created++;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (reason == 0)
		return 0;
	open_gate(stage, created);
	for (unsigned i = 0; i < created; i++)
		pthread_join(stage->workers[i].thread, NULL);
	return bench_fail(error, "cannot create thread %u of %u: %s", created + 1, job->threads, strerror(reason));
}

/* ---- what they do, and when */

uint64_t bench_stage_progress(const struct bench_stage *stage)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < stage->threads; i++)
		sum += __atomic_load_n(&stage->workers[i].count, __ATOMIC_RELAXED);
	return sum;
}

/* In pieces: for the progress, and because a signal may come just before a sleep begins. */
void bench_sleep_until(const struct bench_job *job, uint64_t until)
{
	uint64_t now = gsync_monotonic_ns();

	while (now < until && !bench_interrupt) {
		uint64_t wake = until - now > LOOK_NS ? now + LOOK_NS : until;
		struct timespec deadline = gsync_timespec(wake);

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, NULL);
		if (wake < until && job->tick != NULL)
			job->tick(job->context, 0);
		now = gsync_monotonic_ns();
	}
}

unsigned bench_stage_active(const struct bench_stage *stage)
{
	return stage->threads - __atomic_load_n(&stage->resting, __ATOMIC_RELAXED);
}

/* Where the last step had them otherwise. One that cannot be pinned is no reason to end a window. */
static void pin_for_step(const struct bench_job *job, struct bench_stage *stage, size_t step)
{
	bool pin = job->ramp->steps[step].pin, before = step > 0 ? job->ramp->steps[step - 1].pin : job->pin;

	for (unsigned i = 0; pin != before && i < job->threads; i++)
		bench_pin_thread(stage->workers[i].thread, job->cpus, pin ? (int)(i % job->cpus->count) : -1);
}

static void order(struct bench_worker *worker, enum bench_phase phase)
{
	__atomic_store_n(&worker->order, (uint32_t)phase, __ATOMIC_RELAXED);
}

/* Whom it does not want, it calls off first; the mutex is taken so that nobody misses the call who is about to sleep. */
void bench_stage_take_step(const struct bench_job *job, struct bench_stage *stage, size_t step)
{
	unsigned wanted = job->ramp->steps[step].threads;

	for (unsigned i = wanted; i < job->threads; i++)
		order(&stage->workers[i], BENCH_STOP);
	pin_for_step(job, stage, step);
	pthread_mutex_lock(&stage->rest);
	for (unsigned i = 0; i < wanted; i++) {
		order(&stage->workers[i], BENCH_MEASURE);
		pthread_cond_signal(&stage->workers[i].called);
	}
	pthread_mutex_unlock(&stage->rest);
}

/* DONE within NS. */
static void time_every_wait_if_cheap(const struct bench_job *job, struct bench_stage *stage, uint64_t done, uint64_t ns)
{
	unsigned threads = bench_stage_active(stage);
	uint64_t at_once = threads < job->cpus->count ? threads : job->cpus->count;

	if (ns * at_once >= done * PERIOD_TIMED_ALWAYS_NS)
		__atomic_store_n(&stage->sample_mask, 0u, __ATOMIC_RELAXED);
}

static void await_rest(struct bench_stage *stage, unsigned resting)
{
	pthread_mutex_lock(&stage->rest);
	while (stage->resting < resting)
		pthread_cond_wait(&stage->more_rest, &stage->rest);
	pthread_mutex_unlock(&stage->rest);
}

static bool all_have_worked(const struct bench_stage *stage)
{
	for (unsigned i = 0; i < bench_stage_active(stage); i++)
		if (__atomic_load_n(&stage->workers[i].count, __ATOMIC_RELAXED) == 0)
			return false;
	return true;
}

/*
 * A thread's first turn is unlike all others: pages are missing, in an emulated guest its code, too. Those that have
 * theirs at the same time leave the lock to one alone. Not for long: whom a lock starves tells something about the lock.
 */
static void warm_up(const struct bench_job *job, struct bench_stage *stage)
{
	uint64_t began = gsync_monotonic_ns(), now = began + BENCH_WARM_UP_NS;
	uint64_t done = bench_stage_progress(stage);

	bench_sleep_until(job, now);
	while (!all_have_worked(stage) && now - began < BENCH_WARM_UP_MOST_NS && !bench_interrupt) {
		now += WARM_LOOK_NS;
		bench_sleep_until(job, now);
	}
	time_every_wait_if_cheap(job, stage, bench_stage_progress(stage) - done, gsync_monotonic_ns() - began);
}

void bench_stage_begin(const struct bench_job *job, struct bench_stage *stage)
{
	if (job->ramp != NULL)
		bench_stage_take_step(job, stage, 0);
	open_gate(stage, job->threads);
	if (job->ramp != NULL)
		await_rest(stage, job->threads - job->ramp->steps[0].threads);
	warm_up(job, stage);
	__atomic_store_n(&stage->phase, (uint32_t)BENCH_MEASURE, __ATOMIC_RELAXED);
}

void bench_stage_end(const struct bench_job *job, struct bench_stage *stage)
{
	pthread_mutex_lock(&stage->rest);
	__atomic_store_n(&stage->phase, (uint32_t)BENCH_STOP, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < job->threads && job->ramp != NULL; i++) {
		order(&stage->workers[i], BENCH_STOP);
		pthread_cond_signal(&stage->workers[i].called);
	}
	pthread_mutex_unlock(&stage->rest);
}

/* ---- the end */

/* Not pthread_clockjoin_np: ThreadSanitizer does not know it yet. A clock that is set makes one look early or late. */
static bool joined_within(pthread_t thread, long ns)
{
	struct timespec deadline;

	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_nsec += ns;
	if (deadline.tv_nsec >= (long)NS_PER_S) {
		deadline.tv_nsec -= (long)NS_PER_S;
		deadline.tv_sec++;
	}
	return pthread_timedjoin_np(thread, NULL, &deadline) == 0;
}

/* The last in the queue of a collapsed lock may need seconds to get out; only one that stands still has failed. */
int bench_stage_clear(const struct bench_job *job, struct bench_stage *stage, struct bench_error *error)
{
	uint64_t progress = bench_stage_progress(stage), moved = gsync_monotonic_ns();

	for (unsigned joined = 0; joined < job->threads;) {
		uint64_t now_at;

		if (joined_within(stage->workers[joined].thread, LOOK_NS)) {
			joined++;
			moved = gsync_monotonic_ns();
			continue;
		}
		if (job->tick != NULL)
			job->tick(job->context, job->threads - joined);
		now_at = bench_stage_progress(stage);
		if (now_at != progress)
			moved = gsync_monotonic_ns();
		else if (gsync_monotonic_ns() - moved > PATIENCE_NS)
			return bench_fail(error, "%s hangs: %u of %u threads made no progress for %u s",
					  job->lock != NULL ? job->lock->name : job->barrier->name,
					  job->threads - joined, job->threads, (unsigned)(PATIENCE_NS / NS_PER_S));
		progress = now_at;
	}
	return 0;
}
