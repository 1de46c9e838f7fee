/* SPDX-License-Identifier: MIT */
/* The measurer's side of a window: setting the stage, reading the clocks, clearing up. */
#include "bench/measure.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench/worker.h"
#include "detect/tuning.h"

#define NS_PER_S 1000000000u
#define STACK_BYTES (64u * 1024)
#define SAMPLE_MASK 15u
#define CS_TIMED_ALWAYS_NS 500u
#define PERIOD_TIMED_ALWAYS_NS 5000u /* two looks at the clock are less than a hundredth of this */
#define SNAPSHOT_NS 200000u
#define SNAPSHOT_TRIES 5
#define LOOK_NS 250000000u
#define PATIENCE_NS (60ull * NS_PER_S)
#define CHECKED_AT_ONCE 64u

volatile sig_atomic_t bench_interrupt;

/* ---- the stage */

static size_t stage_bytes(unsigned threads)
{
	return sizeof(struct bench_stage) + threads * sizeof(struct bench_worker);
}

/* Mapped rather than allocated: zeroed, on a page boundary, and only what is touched becomes memory. */
static struct bench_stage *stage_new(const struct bench_job *job, struct bench_error *error)
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
	pthread_mutex_init(&stage->gate, NULL);
	pthread_cond_init(&stage->all_gathered, NULL);
	pthread_cond_init(&stage->opened, NULL);
	stage->expected = job->threads;
	return stage;
}

static void stage_free(struct bench_stage *stage, const struct bench_job *job)
{
	if (job->lock != NULL)
		job->lock->destroy(&stage->object);
	else
		job->barrier->destroy(&stage->object);
	pthread_cond_destroy(&stage->opened);
	pthread_cond_destroy(&stage->all_gathered);
	pthread_mutex_destroy(&stage->gate);
	munmap(stage, stage_bytes(job->threads));
}

/* ---- the threads */

static void *worker_main(void *argument)
{
	struct bench_worker *worker = argument;
	struct bench_stage *stage = worker->stage;
	bool called_off;

	pthread_mutex_lock(&stage->gate);
	if (++stage->gathered == stage->expected)
		pthread_cond_signal(&stage->all_gathered);
	while (!stage->open)
		pthread_cond_wait(&stage->opened, &stage->gate);
	called_off = stage->expected < stage->threads;
	pthread_mutex_unlock(&stage->gate);
	if (!called_off)
		worker->run(worker);
	return NULL;
}

/* Lets the threads that exist run, or, when those are fewer than planned, leave. */
static void open_gate(struct bench_stage *stage, unsigned existing)
{
	pthread_mutex_lock(&stage->gate);
	stage->expected = existing;
	while (stage->gathered < existing)
		pthread_cond_wait(&stage->all_gathered, &stage->gate);
	stage->open = true;
	pthread_cond_broadcast(&stage->opened);
	pthread_mutex_unlock(&stage->gate);
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
static int create_threads(const struct bench_job *job, struct bench_stage *stage, struct bench_error *error)
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

static uint64_t progress_of(const struct bench_stage *stage)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < stage->threads; i++)
		sum += __atomic_load_n(&stage->workers[i].count, __ATOMIC_RELAXED);
	return sum;
}

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
static int join_threads(const struct bench_job *job, struct bench_stage *stage, struct bench_error *error)
{
	uint64_t progress = progress_of(stage), moved = gsync_monotonic_ns();

	for (unsigned joined = 0; joined < job->threads;) {
		uint64_t now_at;

		if (joined_within(stage->workers[joined].thread, LOOK_NS)) {
			joined++;
			moved = gsync_monotonic_ns();
			continue;
		}
		if (job->tick != NULL)
			job->tick(job->context, job->threads - joined);
		now_at = progress_of(stage);
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

/* ---- the window */

struct snapshot {
	uint64_t ns;
	uint64_t done; /* operations of all threads; an episode of a barrier is one for all */
	uint64_t cpu_ns;
	long voluntary;
	long involuntary;
	uint64_t stolen_ns; /* summed over the CPUs the threads may be on */
	uint64_t *counts;
};

static unsigned cpus_used(const struct bench_job *job)
{
	return job->pin && job->threads < job->cpus->count ? job->threads : job->cpus->count;
}

/*
 * The CPU clock of the process would lag behind by up to a tick for each thread
 * that is running at this moment; those of the threads are exact.
 */
static uint64_t cpu_time(const struct bench_stage *stage)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < stage->threads; i++) {
		struct timespec time;
		clockid_t clock;

		if (pthread_getcpuclockid(stage->workers[i].thread, &clock) == 0 && clock_gettime(clock, &time) == 0)
			sum += (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
	}
	return sum;
}

/* One that took long was interrupted in the middle: its counts are not of one time. */
static void take_snapshot(const struct bench_job *job, const struct bench_stage *stage, struct snapshot *out)
{
	struct rusage usage;

	for (int tries = 0; tries < SNAPSHOT_TRIES; tries++) {
		out->ns = gsync_monotonic_ns();
		out->done = 0;
		for (unsigned i = 0; i < job->threads; i++) {
			out->counts[i] = __atomic_load_n(&stage->workers[i].count, __ATOMIC_RELAXED);
			out->done += out->counts[i];
		}
		out->stolen_ns = 0;
		for (unsigned i = 0; job->disturbance != NULL && i < cpus_used(job); i++)
			out->stolen_ns += bench_scenario_stolen_ns(job->disturbance, i);
		if (gsync_monotonic_ns() - out->ns < SNAPSHOT_NS)
			break;
	}
	if (job->barrier != NULL)
		out->done = out->counts[0];
	out->cpu_ns = cpu_time(stage);
	getrusage(RUSAGE_SELF, &usage);
	out->voluntary = usage.ru_nvcsw;
	out->involuntary = usage.ru_nivcsw;
}

/* In pieces: for the progress, and because a signal may come just before a sleep begins. */
static void sleep_until(const struct bench_job *job, uint64_t until)
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

static void time_every_wait_if_cheap(const struct bench_job *job, struct bench_stage *stage, uint64_t warm_up_ns)
{
	uint64_t done = progress_of(stage);
	uint64_t at_once = job->threads < job->cpus->count ? job->threads : job->cpus->count;

	if (warm_up_ns * at_once >= done * PERIOD_TIMED_ALWAYS_NS)
		__atomic_store_n(&stage->sample_mask, 0u, __ATOMIC_RELAXED);
}

static double cpu_per_operation(const struct snapshot *begin, const struct snapshot *end)
{
	uint64_t done = end->done - begin->done;

	return (double)(end->cpu_ns - begin->cpu_ns) / (done > 0 ? (double)done : 1);
}

static double per_second(const struct snapshot *begin, const struct snapshot *end, double amount)
{
	return amount / (double)(end->ns - begin->ns) * NS_PER_S;
}

static void add_moment(struct bench_timeline *timeline, uint64_t began, const struct snapshot *before,
		       const struct snapshot *now)
{
	struct bench_moment *moment = &timeline->moments[timeline->count++];

	moment->t_ms = (double)(now->ns - began) / 1e6;
	moment->ops_per_s = per_second(before, now, (double)(now->done - before->done));
	moment->cpu_ns_per_op = cpu_per_operation(before, now);
	moment->voluntary_per_s = per_second(before, now, (double)(now->voluntary - before->voluntary));
	moment->involuntary_per_s = per_second(before, now, (double)(now->involuntary - before->involuntary));
	bench_moment_read_profile(moment);
}

/* Moments stand on a grid; a measurer that could not run leaves out those it missed. NOW is scratch. */
static void watch(const struct bench_job *job, const struct bench_stage *stage, const struct snapshot *begin,
		  struct snapshot *now)
{
	struct bench_timeline *timeline = job->timeline;
	struct snapshot before = *begin;

	timeline->count = 0;
	for (uint64_t slot = 1; slot <= timeline->room; slot = (now->ns - begin->ns) / job->every_ns + 1) {
		sleep_until(job, begin->ns + slot * job->every_ns);
		if (bench_interrupt)
			return;
		take_snapshot(job, stage, now);
		add_moment(timeline, begin->ns, &before, now);
		before = *now;
	}
}

static void run_window(const struct bench_job *job, struct bench_stage *stage, struct snapshot *begin,
		       struct snapshot *end)
{
	uint64_t opened = gsync_monotonic_ns();

	open_gate(stage, job->threads);
	sleep_until(job, gsync_monotonic_ns() + BENCH_WARM_UP_NS);
	time_every_wait_if_cheap(job, stage, gsync_monotonic_ns() - opened);
	__atomic_store_n(&stage->phase, (uint32_t)BENCH_MEASURE, __ATOMIC_RELAXED);
	take_snapshot(job, stage, begin);
	if (job->timeline != NULL)
		watch(job, stage, begin, end);
	sleep_until(job, begin->ns + (uint64_t)(job->seconds * NS_PER_S));
	take_snapshot(job, stage, end);
	__atomic_store_n(&stage->phase, (uint32_t)BENCH_STOP, __ATOMIC_RELAXED);
}

/* ---- the verdict */

static uint64_t difference(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

uint64_t bench_check_episode(const struct bench_worker *worker, uint64_t episode)
{
	const struct bench_stage *stage = worker->stage;
	unsigned others = stage->threads - 1, named = 0;
	uint64_t errors = 0;

	/* Many threads: each looks at some, and at different ones the next time. */
	for (unsigned i = 0; i < others && i < CHECKED_AT_ONCE; i++) {
		uint64_t step = 1 + (episode * CHECKED_AT_ONCE + i) % others;

		if (stage->workers[(worker->index + step) % stage->threads].arrived[episode & 1] != episode)
			errors++;
	}
	if (!stage->reports_serial || worker->index != 0 || episode == 1)
		return errors;
	/* The episode before this one is over for everybody: exactly one must have been its serial thread. */
	for (unsigned i = 0; i < stage->threads; i++)
		if (stage->workers[i].serial[(episode - 1) & 1] == episode - 1)
			named++;
	return errors + (named != 1);
}

static uint64_t lock_errors(const struct bench_stage *stage, uint64_t acquired)
{
	return difference(acquired, stage->first) + difference(acquired, stage->second);
}

static uint64_t barrier_errors(const struct bench_stage *stage)
{
	uint64_t episodes = stage->workers[0].count, serials = 0, errors = 0;

	for (unsigned i = 0; i < stage->threads; i++) {
		serials += stage->workers[i].serials;
		errors += stage->workers[i].count != episodes;
	}
	return errors + (stage->reports_serial ? difference(serials, episodes) : 0);
}

static void summarize_waits(const struct bench_stage *stage, struct bench_sample *sample)
{
	static struct bench_histogram all; /* too big for a stack; there is one measurer */
	double per_ns = gsync_ticks_per_ns(gsync_calibration_of_process());

	memset(&all, 0, sizeof(all));
	for (unsigned i = 0; i < stage->threads; i++)
		bench_histogram_merge(&all, &stage->workers[i].waits);
	sample->wait_p50_ns = bench_histogram_percentile(&all, 0.5) / per_ns;
	sample->wait_p99_ns = bench_histogram_percentile(&all, 0.99) / per_ns;
	sample->wait_p999_ns = bench_histogram_percentile(&all, 0.999) / per_ns;
	sample->wait_max_ns = (double)all.max / per_ns;
}

static void summarize(const struct bench_job *job, const struct bench_stage *stage, const struct snapshot *begin,
		      struct snapshot *end, struct bench_sample *sample)
{
	double ns = (double)(end->ns - begin->ns);
	uint64_t acquired = 0, errors = 0;

	for (unsigned i = 0; i < job->threads; i++) {
		end->counts[i] -= begin->counts[i];
		acquired += stage->workers[i].count;
		errors += stage->workers[i].errors;
	}
	errors += job->lock != NULL ? lock_errors(stage, acquired) : barrier_errors(stage);

	*sample = (struct bench_sample){
		.ops_per_s = per_second(begin, end, (double)(end->done - begin->done)),
		.cpu_ns_per_op = cpu_per_operation(begin, end),
		.jain = job->lock != NULL ? bench_jain(end->counts, job->threads) : 1,
		.voluntary_switches = (double)(end->voluntary - begin->voluntary),
		.involuntary_switches = (double)(end->involuntary - begin->involuntary),
		.errors = (double)errors,
		.stolen_share = (double)(end->stolen_ns - begin->stolen_ns) / (ns * cpus_used(job)),
	};
	summarize_waits(stage, sample);
}

static int measure_on(const struct bench_job *job, struct bench_stage *stage, uint64_t *counts,
		      struct bench_sample *sample, struct bench_error *error)
{
	struct snapshot begin = { .counts = counts }, end = { .counts = counts + job->threads };

	if (create_threads(job, stage, error) != 0) {
		stage_free(stage, job);
		return -1;
	}
	run_window(job, stage, &begin, &end);
	if (join_threads(job, stage, error) != 0)
		return -1; /* the stage stays: threads are still on it */
	summarize(job, stage, &begin, &end, sample);
	stage_free(stage, job);
	return bench_interrupt ? bench_fail(error, BENCH_INTERRUPTED) : 0;
}

int bench_measure(const struct bench_job *job, struct bench_sample *sample, struct bench_error *error)
{
	uint64_t *counts = calloc(2 * (size_t)job->threads, sizeof(counts[0]));
	struct bench_stage *stage;
	int result = -1;

	if (counts == NULL)
		return bench_fail(error, "no memory for %u threads", job->threads);
	stage = stage_new(job, error);
	if (stage != NULL)
		result = measure_on(job, stage, counts, sample, error);
	free(counts);
	return result;
}
