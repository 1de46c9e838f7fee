/* SPDX-License-Identifier: MIT */
/* The window of a runtime, in a child that measures itself and leaves its figures in shared memory. */
#include "bench/forkjoin.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "bench/body.h"
#include "bench/children.h"
#include "bench/histogram.h"
#include "bench/stage.h"
#include "detect/tuning.h"

#define NS_PER_S 1000000000u
#define LATE_NS (60ull * NS_PER_S) /* for a region that hangs */
#define LOOK_NS 1000000u

struct figures {
	struct bench_sample sample;
	uint32_t done;
};

/* The child's. */
struct play {
	const struct bench_job *job;
	struct figures *figures; /* NULL: the second copy, which goes on until it is ended */
	struct bench_region region;
	struct bench_histogram times; /* in ticks */
};

static uint64_t process_cpu_ns(void)
{
	struct timespec time = { 0, 0 };

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return gsync_timespec_ns(&time);
}

static void warm_up(struct play *play)
{
	uint64_t end = gsync_monotonic_ns() + BENCH_WARM_UP_NS;

	do
		bench_region_run(&play->region, play->job->runtime);
	while (gsync_monotonic_ns() < end);
}

static int prepare(void *context, unsigned index, struct bench_error *error)
{
	struct play *play = context;
	const struct bench_runtime *runtime = play->job->runtime;
	unsigned threads = play->job->threads;
	int reason;

	(void)index;
	if (runtime->start(threads, error) != 0)
		return ECHILD;
	reason = bench_region_make(&play->region, play->job->body, runtime->threads != NULL ? runtime->threads() : threads);
	if (reason != 0)
		return reason;
	if (!bench_region_is_complete(runtime, threads))
		play->region.errors++;
	warm_up(play);
	return 0;
}

static double percentile_ns(const struct play *play, double fraction)
{
	double ticks_per_ns = gsync_ticks_per_ns(gsync_calibration_of_process());

	return bench_histogram_percentile(&play->times, fraction) / ticks_per_ns;
}

static void leave_figures(struct play *play, uint64_t inside_ns, uint64_t cpu_ns, const struct rusage *before)
{
	struct bench_sample *sample = &play->figures->sample;
	double regions = (double)play->times.total;
	struct rusage after;

	getrusage(RUSAGE_SELF, &after);
	*sample = (struct bench_sample){
		.ops_per_s = inside_ns > 0 ? regions / (double)inside_ns * NS_PER_S : 0,
		.cpu_ns_per_op = (double)cpu_ns / regions,
		.jain = 1,
		.wait_p50_ns = percentile_ns(play, 0.5),
		.wait_p99_ns = percentile_ns(play, 0.99),
		.wait_p999_ns = percentile_ns(play, 0.999),
		.wait_max_ns = (double)play->times.max / gsync_ticks_per_ns(gsync_calibration_of_process()),
		.voluntary_switches = (double)(after.ru_nvcsw - before->ru_nvcsw),
		.involuntary_switches = (double)(after.ru_nivcsw - before->ru_nivcsw),
		.errors = (double)play->region.errors,
	};
	/* Release: the parent reads the sample when it has seen this. */
	__atomic_store_n(&play->figures->done, 1u, __ATOMIC_RELEASE);
}

static void perform(void *context, unsigned index)
{
	struct play *play = context;
	const struct bench_job *job = play->job;
	uint64_t length = (uint64_t)(job->seconds * NS_PER_S), began = gsync_monotonic_ns(), ticks = 0;
	uint64_t cpu_before = process_cpu_ns();
	struct rusage before;

	(void)index;
	getrusage(RUSAGE_SELF, &before);
	do {
		uint64_t took = bench_region_run(&play->region, job->runtime);

		bench_histogram_record(&play->times, took);
		ticks += took;
	} while (play->figures == NULL || gsync_monotonic_ns() - began < length);
	leave_figures(play, (uint64_t)((double)ticks / gsync_ticks_per_ns(gsync_calibration_of_process())),
		      process_cpu_ns() - cpu_before, &before);
	for (;;)
		pause();
}

static int start_play(struct bench_children *process, struct play *play, struct bench_error *error)
{
	const struct bench_child_work work = { .prepare = prepare, .run = perform, .context = play };
	struct bench_error why = { "" };

	if (bench_children_start(process, 1, &work, &why) == 0)
		return 0;
	return bench_interrupt ? bench_fail(error, BENCH_INTERRUPTED) :
				 bench_fail(error, "%s: %.400s", play->job->runtime->name, why.text);
}

/* The CPUs that the threads may be on. */
static uint64_t stolen_ns(const struct bench_job *job)
{
	uint64_t sum = 0;

	for (unsigned i = 0; job->disturbance != NULL && i < job->cpus->count; i++)
		sum += bench_scenario_stolen_ns(job->disturbance, i);
	return sum;
}

static int await_figures(const struct bench_job *job, struct figures *figures, struct bench_error *error)
{
	uint64_t began = gsync_monotonic_ns(), stolen = stolen_ns(job), now = began;
	uint64_t end = began + (uint64_t)(job->seconds * NS_PER_S), latest = end + LATE_NS;

	while (__atomic_load_n(&figures->done, __ATOMIC_ACQUIRE) == 0) {
		if (bench_interrupt)
			return bench_fail(error, BENCH_INTERRUPTED);
		if (now > latest)
			return bench_fail(error, "%s with %u threads hangs: no region has ended for a minute",
					  job->runtime->name, job->threads);
		/* Whoever looks takes a CPU away from those that are measured. */
		bench_sleep_until(job, now < end ? end : now + LOOK_NS);
		now = gsync_monotonic_ns();
	}
	figures->sample.stolen_share =
		(double)(stolen_ns(job) - stolen) / ((double)(now - began + 1) * (double)job->cpus->count);
	return 0;
}

static int measure_beside_copy(const struct bench_job *job, struct figures *figures, struct bench_error *error)
{
	struct bench_children copy = { 0 }, process = { 0 };
	struct play twin = { .job = job }, play = { .job = job, .figures = figures };
	int result = -1;

	bench_burn_steps(1); /* measured now, while nothing else runs; the children inherit it */
	if ((!job->with_copy || start_play(&copy, &twin, error) == 0) && start_play(&process, &play, error) == 0)
		result = await_figures(job, figures, error);
	bench_children_stop(&process);
	if (bench_children_stop(&copy) != 0 && result == 0)
		result = bench_fail(error, "the second copy ended before the window did");
	return result;
}

int bench_forkjoin_measure(const struct bench_job *job, struct bench_sample *sample, struct bench_error *error)
{
	struct figures *figures = mmap(NULL, sizeof(*figures), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int result;

	if (figures == MAP_FAILED)
		return bench_fail(error, "no memory for the figures of a window");
	result = measure_beside_copy(job, figures, error);
	*sample = figures->sample;
	munmap(figures, sizeof(*figures));
	return result;
}
