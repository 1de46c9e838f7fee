/* SPDX-License-Identifier: MIT */
/* The measurer's side of a window: reading the clocks, and what follows from them. */
#include "bench/measure.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "bench/copy.h"
#include "bench/stage.h"
#include "detect/tuning.h"

#define NS_PER_S 1000000000u
#define SNAPSHOT_NS 200000u
#define SNAPSHOT_TRIES 5
#define CHECKED_AT_ONCE 64u

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
			sum += gsync_timespec_ns(&time);
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

static double cpu_per_operation(const struct snapshot *begin, const struct snapshot *end)
{
	uint64_t done = end->done - begin->done;

	return (double)(end->cpu_ns - begin->cpu_ns) / (done > 0 ? (double)done : 1);
}

static double per_second(const struct snapshot *begin, const struct snapshot *end, double amount)
{
	return amount / (double)(end->ns - begin->ns) * NS_PER_S;
}

/* Where the window's timeline has come to. */
struct watch {
	const struct snapshot *begin;
	struct snapshot before;
	struct snapshot *now; /* scratch */
	struct snapshot *at_step; /* in a ramp, when the step began */
};

static void add_moment(struct bench_timeline *timeline, const struct bench_stage *stage, const struct watch *watch)
{
	struct bench_moment *moment = &timeline->moments[timeline->count++];
	const struct snapshot *before = &watch->before, *now = watch->now;

	moment->t_ms = (double)(now->ns - watch->begin->ns) / 1e6;
	moment->threads = bench_stage_active(stage);
	moment->ops_per_s = per_second(before, now, (double)(now->done - before->done));
	moment->cpu_ns_per_op = cpu_per_operation(before, now);
	moment->voluntary_per_s = per_second(before, now, (double)(now->voluntary - before->voluntary));
	moment->involuntary_per_s = per_second(before, now, (double)(now->involuntary - before->involuntary));
	bench_moment_read_profile(moment);
}

/* Moments stand on a grid; a measurer that could not run leaves out those it missed. UINT64_MAX: no more. */
static uint64_t next_moment(const struct bench_job *job, const struct watch *watch)
{
	uint64_t began = watch->begin->ns, slot;

	if (job->timeline == NULL)
		return UINT64_MAX;
	slot = (watch->before.ns - began) / job->every_ns + 1;
	return slot <= job->timeline->room ? began + slot * job->every_ns : UINT64_MAX;
}

static void watch_moments(const struct bench_job *job, const struct bench_stage *stage, uint64_t until,
			  struct watch *watch)
{
	uint64_t next;

	while ((next = next_moment(job, watch)) <= until) {
		bench_sleep_until(job, next);
		if (bench_interrupt)
			return;
		take_snapshot(job, stage, watch->now);
		add_moment(job->timeline, stage, watch);
		watch->before = *watch->now;
	}
}

/* ---- a ramp */

static void keep_snapshot(struct snapshot *kept, const struct snapshot *snapshot, unsigned threads)
{
	uint64_t *counts = kept->counts;

	memcpy(counts, snapshot->counts, threads * sizeof(counts[0]));
	*kept = *snapshot;
	kept->counts = counts;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Fills in the pulses of the step, and the moments that come by; returns how many pulses. */
static size_t watch_step(const struct bench_job *job, const struct bench_stage *stage, uint64_t until,
			 struct watch *watch)
{
	const struct bench_ramp *ramp = job->ramp;
	uint64_t began = watch->at_step->ns, now = began, done = watch->at_step->done;
	size_t count = 0;

	for (;;) {
		ramp->pulses[count++] = (struct bench_pulse){ now, done };
		if (now >= until || count == ramp->room || bench_interrupt)
			return count;
		now += BENCH_PULSE_NS - (now - began) % BENCH_PULSE_NS;
		watch_moments(job, stage, earlier(now, until), watch);
		bench_sleep_until(job, earlier(now, until));
		now = gsync_monotonic_ns();
		done = bench_stage_progress(stage);
	}
}

/* The counts of BEGIN are spent. */
static void judge_step(const struct bench_ramp *ramp, size_t step, size_t pulses, struct snapshot *begin,
		       const struct snapshot *end)
{
	struct bench_step_sample *sample = &ramp->samples[step];
	size_t model = bench_ramp_model(ramp, step);

	sample->ops_per_s = per_second(begin, end, (double)(end->done - begin->done));
	sample->cpu_ns_per_op = cpu_per_operation(begin, end);
	sample->steady_ops_per_s = bench_ramp_steady(ramp->pulses, pulses);
	for (unsigned i = 0; i < ramp->steps[step].threads; i++)
		begin->counts[i] = end->counts[i] - begin->counts[i];
	sample->jain = bench_jain(begin->counts, ramp->steps[step].threads);
	sample->full_speed_ms = 0;
	if (model < ramp->count)
		sample->full_speed_ms = bench_ramp_full_speed_ms(ramp->pulses, pulses,
								 ramp->samples[model].steady_ops_per_s);
}

static void climb(const struct bench_job *job, struct bench_stage *stage, const struct bench_copy *copy,
		  struct watch *watch)
{
	const struct bench_ramp *ramp = job->ramp;
	uint64_t step_ns = (uint64_t)(job->seconds * NS_PER_S / (double)ramp->count + 0.5);

	keep_snapshot(watch->at_step, watch->begin, job->threads);
	for (size_t step = 0; step < ramp->count && !bench_interrupt; step++) {
		uint64_t until = watch->begin->ns + step_ns * (step + 1);
		size_t pulses;

		if (job->tick != NULL)
			job->tick(job->context, 0);
		if (step > 0) {
			bench_stage_take_step(job, stage, step);
			bench_copy_take_step(copy, step);
		}
		pulses = watch_step(job, stage, until, watch);
		take_snapshot(job, stage, watch->now);
		judge_step(ramp, step, pulses, watch->at_step, watch->now);
		keep_snapshot(watch->at_step, watch->now, job->threads);
	}
}

static void run_window(const struct bench_job *job, struct bench_stage *stage, const struct bench_copy *copy,
		       struct snapshot *begin, struct snapshot *at_step, struct snapshot *end)
{
	struct watch watch = { .begin = begin, .now = end, .at_step = at_step };

	bench_stage_begin(job, stage);
	take_snapshot(job, stage, begin);
	watch.before = *begin;
	if (job->timeline != NULL)
		job->timeline->count = 0;
	if (job->ramp != NULL)
		climb(job, stage, copy, &watch);
	watch_moments(job, stage, UINT64_MAX - 1, &watch);
	bench_sleep_until(job, begin->ns + (uint64_t)(job->seconds * NS_PER_S));
	take_snapshot(job, stage, end);
	bench_stage_end(job, stage);
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

/* In a ramp the least that any step has: over the whole of it, threads are not meant to do the same. */
static double fairness(const struct bench_job *job, const uint64_t *counts)
{
	double least = 1;

	if (job->barrier != NULL)
		return 1;
	if (job->ramp == NULL)
		return bench_jain(counts, job->threads);
	for (size_t i = 0; i < job->ramp->count; i++)
		least = job->ramp->samples[i].jain < least ? job->ramp->samples[i].jain : least;
	return least;
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
		.jain = fairness(job, end->counts),
		.voluntary_switches = (double)(end->voluntary - begin->voluntary),
		.involuntary_switches = (double)(end->involuntary - begin->involuntary),
		.errors = (double)errors,
		.stolen_share = (double)(end->stolen_ns - begin->stolen_ns) / (ns * cpus_used(job)),
	};
	summarize_waits(stage, sample);
}

/* The copy goes as soon as the window is over: beside it those who still queue would need all the longer to get out. */
static int measure_on(const struct bench_job *job, struct bench_stage *stage, struct bench_copy *copy, uint64_t *counts,
		      struct bench_sample *sample, struct bench_error *error)
{
	struct snapshot begin = { .counts = counts }, end = { .counts = counts + job->threads };
	struct snapshot at_step = { .counts = counts + 2 * (size_t)job->threads };
	int result;

	if (bench_stage_people(job, stage, error) != 0) {
		bench_stage_free(stage, job);
		return -1;
	}
	run_window(job, stage, copy, &begin, &at_step, &end);
	result = bench_copy_stop(copy, error);
	if (bench_stage_clear(job, stage, error) != 0)
		return -1; /* the stage stays: threads are still on it */
	summarize(job, stage, &begin, &end, sample);
	bench_stage_free(stage, job);
	return bench_interrupt ? bench_fail(error, BENCH_INTERRUPTED) : result;
}

int bench_measure(const struct bench_job *job, struct bench_sample *sample, struct bench_error *error)
{
	uint64_t *counts = calloc(3 * (size_t)job->threads, sizeof(counts[0]));
	struct bench_copy copy = { 0 };
	struct bench_stage *stage = NULL;
	struct bench_error ignored;
	int result = -1;

	if (counts == NULL)
		return bench_fail(error, "no memory for %u threads", job->threads);
	if (!job->with_copy || bench_copy_start(&copy, job, error) == 0)
		stage = bench_stage_new(job, error);
	if (stage != NULL)
		result = measure_on(job, stage, &copy, counts, sample, error);
	bench_copy_stop(&copy, &ignored); /* if it has come to nothing */
	free(counts);
	return result;
}
