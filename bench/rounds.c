/* SPDX-License-Identifier: MIT */
#include "bench/rounds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/forkjoin.h"
#include "bench/measure.h"
#include "bench/turns.h"
#include "detect/clock.h"
#include "detect/facts.h"

const char *const bench_kind_names[BENCH_KINDS] = { "lock", "barrier", "forkjoin" };
const char *const bench_pin_names[] = { "auto", "always", "never" };

/* ---- the cells */

static bool is_pinned(const struct bench_run *run, enum bench_scenario scenario, unsigned threads)
{
	switch (run->settings->pin) {
	case BENCH_PIN_ALWAYS:
		return true;
	case BENCH_PIN_NEVER:
		return false;
	case BENCH_PIN_AUTO:
		break;
	}
	/* Unpinned threads would be moved away from a thief; a guest's kernel cannot see one. */
	return scenario == BENCH_STEAL || threads <= run->cpus.count;
}

static struct bench_cell *add_cell(struct bench_run *run, enum bench_kind kind, enum bench_scenario scenario,
				   unsigned threads, struct bench_load load)
{
	struct bench_cell *cell = &run->cells[run->count++];

	cell->kind = kind;
	cell->scenario = scenario;
	cell->threads = threads;
	cell->load = load;
	cell->pinned = is_pinned(run, scenario, threads); /* then so is whoever is fewer */
	return cell;
}

static struct bench_cell *add_lock(struct bench_run *run, const struct bench_lock *lock, enum bench_scenario scenario,
				   unsigned threads, struct bench_load load)
{
	struct bench_cell *cell = add_cell(run, BENCH_LOCK, scenario, threads, load);

	cell->lock = lock;
	cell->name = lock->name;
	cell->ours = lock->ours;
	return cell;
}

static void add_locks(struct bench_run *run, enum bench_scenario scenario, unsigned threads, struct bench_load load)
{
	const struct bench_settings *settings = run->settings;

	for (size_t i = 0; i < settings->lock_count; i++) {
		const struct bench_lock *lock = settings->locks[i];

		add_lock(run, lock, scenario, threads, load);
		if (settings->bounds && !settings->ramp && lock->bound != NULL && threads >= 2) {
			struct bench_cell *bound = add_lock(run, lock->bound, scenario, threads, load);

			bound->bound = true;
			bound->pinned = true;
		}
	}
}

static void add_barriers(struct bench_run *run, enum bench_scenario scenario, unsigned threads,
			 struct bench_load load)
{
	const struct bench_settings *settings = run->settings;

	for (size_t i = 0; i < settings->barrier_count; i++) {
		struct bench_cell *cell = add_cell(run, BENCH_BARRIER, scenario, threads, load);

		cell->barrier = settings->barriers[i];
		cell->name = cell->barrier->name;
		cell->ours = cell->barrier->ours;
	}
}

static void add_runtimes(struct bench_run *run, enum bench_scenario scenario, unsigned threads, enum bench_body body)
{
	const struct bench_settings *settings = run->settings;

	for (size_t i = 0; i < settings->runtime_count; i++) {
		const struct bench_runtime *runtime = settings->runtimes[i];
		struct bench_cell *cell;

		if (body == BENCH_BODY_RENDEZVOUS && !runtime->gathers)
			continue;
		cell = add_cell(run, BENCH_FORKJOIN, scenario, threads, (struct bench_load){ .body = body });
		cell->runtime = runtime;
		cell->name = runtime->name;
		cell->ours = runtime->ours;
		cell->pinned = false; /* its threads are its own */
	}
}

/* For a barrier two loads that think alike are one. */
static bool thinks_like_an_earlier(const struct bench_settings *settings, size_t load)
{
	for (size_t i = 0; i < load; i++)
		if (settings->loads[i].think_ns == settings->loads[load].think_ns)
			return true;
	return false;
}

static void add_threads(struct bench_run *run, enum bench_kind kind, enum bench_scenario scenario, unsigned threads)
{
	const struct bench_settings *settings = run->settings;

	for (enum bench_body body = 0; kind == BENCH_FORKJOIN && body < BENCH_BODIES; body++)
		if (settings->bodies[body])
			add_runtimes(run, scenario, threads, body);
	for (size_t i = 0; kind != BENCH_FORKJOIN && i < settings->load_count; i++) {
		struct bench_load load = settings->loads[i];

		if (kind == BENCH_LOCK) {
			add_locks(run, scenario, threads, load);
		} else if (!thinks_like_an_earlier(settings, i)) {
			load.cs_ns = 0;
			add_barriers(run, scenario, threads, load);
		}
	}
}

/* Of a ramp, whose cell has all its threads from the beginning. */
static unsigned most_threads(const struct bench_settings *settings)
{
	unsigned most = 0;

	for (size_t i = 0; i < settings->thread_count; i++)
		most = settings->threads[i] > most ? settings->threads[i] : most;
	return most;
}

static void add_scenario(struct bench_run *run, enum bench_kind kind, enum bench_scenario scenario)
{
	const struct bench_settings *settings = run->settings;

	if (settings->ramp) {
		add_threads(run, kind, scenario, most_threads(settings));
		return;
	}
	for (size_t i = 0; i < settings->thread_count; i++)
		add_threads(run, kind, scenario, settings->threads[i]);
}

/* Starts and ends each scenario that the machine might refuse. */
static int try_scenarios(struct bench_run *run, struct bench_error *error)
{
	for (enum bench_scenario scenario = 0; scenario < BENCH_SCENARIOS; scenario++) {
		struct bench_disturbance disturbance = { 0 };
		int result;

		if (!run->settings->scenarios[scenario])
			continue;
		result = bench_scenario_start(&disturbance, scenario, &run->cpus, error);
		bench_scenario_stop(&disturbance);
		if (result == EPERM) {
			run->skipped[scenario] = true;
			run->refusal = *error;
		} else if (result != 0) {
			return -1;
		}
	}
	return 0;
}

/* Room for all moments of all windows before the first: a window is not the time to ask for memory. */
static int make_timelines(struct bench_run *run, struct bench_error *error)
{
	const struct bench_settings *settings = run->settings;
	double window_ms = bench_window_seconds(settings) * 1e3;
	size_t room = settings->every_ms > 0 ? (size_t)(window_ms / settings->every_ms + 1e-9) : 0;
	struct bench_moment *next;

	if (room == 0)
		return 0;
	run->moments = calloc(run->count * settings->rounds * room, sizeof(run->moments[0]));
	if (run->moments == NULL)
		return bench_fail(error, "no memory for %zu timelines of %zu moments", run->count * settings->rounds,
				  room);
	next = run->moments;
	for (size_t i = 0; i < run->count; i++) {
		for (unsigned round = 0; round < settings->rounds; round++) {
			run->cells[i].timelines[round] = (struct bench_timeline){ .moments = next, .room = room };
			next += room;
		}
	}
	return 0;
}

static int make_ramp(struct bench_run *run, struct bench_error *error)
{
	const struct bench_settings *settings = run->settings;
	size_t count = settings->thread_count;

	if (!settings->ramp)
		return 0;
	run->steps = calloc(BENCH_SCENARIOS * count, sizeof(run->steps[0]));
	run->pulses = calloc(bench_ramp_room(settings->seconds), sizeof(run->pulses[0]));
	run->step_samples = calloc((run->count + 1) * settings->rounds * count, sizeof(run->step_samples[0]));
	if (run->steps == NULL || run->pulses == NULL || run->step_samples == NULL)
		return bench_fail(error, "no memory for %zu ramps of %zu steps", run->count, count);
	for (size_t i = 0; i < BENCH_SCENARIOS * count; i++) {
		unsigned threads = settings->threads[i % count];

		run->steps[i] = (struct bench_step){ threads, is_pinned(run, (enum bench_scenario)(i / count), threads) };
	}
	return 0;
}

struct bench_ramp bench_run_ramp(const struct bench_run *run, const struct bench_cell *cell, unsigned round)
{
	size_t count = run->settings->thread_count, place = (size_t)(cell - run->cells) * run->settings->rounds + round;

	return (struct bench_ramp){
		.steps = run->steps + cell->scenario * count,
		.count = count,
		.cpus = run->cpus.count,
		.pulses = run->pulses,
		.room = bench_ramp_room(run->settings->seconds),
		.samples = run->step_samples + place * count,
	};
}

struct bench_step_sample bench_run_step(const struct bench_run *run, const struct bench_cell *cell, size_t step)
{
	double values[5][BENCH_ROUNDS_MAX];
	unsigned rounds = run->settings->rounds;

	for (unsigned round = 0; round < rounds; round++) {
		const struct bench_step_sample *sample = &bench_run_ramp(run, cell, round).samples[step];

		values[0][round] = sample->ops_per_s;
		values[1][round] = sample->cpu_ns_per_op;
		values[2][round] = sample->steady_ops_per_s;
		values[3][round] = sample->jain;
		values[4][round] = sample->full_speed_ms;
	}
	return (struct bench_step_sample){
		.ops_per_s = bench_median(values[0], rounds),
		.cpu_ns_per_op = bench_median(values[1], rounds),
		.steady_ops_per_s = bench_median(values[2], rounds),
		.jain = bench_median(values[3], rounds),
		.full_speed_ms = bench_median(values[4], rounds),
	};
}

size_t bench_group_end(const struct bench_run *run, size_t first)
{
	size_t end = first;

	while (end < run->count && run->cells[end].scenario == run->cells[first].scenario &&
	       bench_cells_alike(&run->cells[first], &run->cells[end]))
		end++;
	return end;
}

double bench_window_seconds(const struct bench_settings *settings)
{
	return settings->ramp ? settings->seconds * (double)settings->thread_count : settings->seconds;
}

/* As the library reckons them: the affinity mask, and what quotas leave of it. */
static double read_usable(unsigned cpus)
{
	struct gsync_cpus facts;

	gsync_cpus_read(&gsync_source_machine, &facts);
	return facts.usable < cpus ? facts.usable : cpus;
}

static void note_absent(struct bench_run *run, const char *name)
{
	size_t count = 0;

	while (run->absent[count] != NULL)
		count++;
	if (count + 1 < BENCH_ABSENT_MAX)
		run->absent[count] = name;
}

int bench_run_init(struct bench_run *run, const struct bench_settings *settings, struct bench_error *error)
{
	size_t most;
	int reason;

	*run = (struct bench_run){ .settings = settings };
	for (size_t i = 0; i + 1 < BENCH_ABSENT_MAX && bench_absent_name(i) != NULL; i++)
		run->absent[i] = bench_absent_name(i);
	for (size_t i = 0; settings->kinds[BENCH_FORKJOIN] && bench_runtimes[i] != NULL; i++)
		if (!bench_runtime_is_there(bench_runtimes[i]))
			note_absent(run, bench_runtimes[i]->name);
	reason = bench_cpus_read(&run->cpus);
	if (reason != 0)
		return bench_fail(error, "cannot read the CPU affinity mask: %s", strerror(reason));
	run->usable_cpus = read_usable(run->cpus.count);
	if (try_scenarios(run, error) != 0) {
		bench_run_free(run);
		return -1;
	}
	/* A lock may have a bound. */
	most = (2 * settings->lock_count + settings->barrier_count) * settings->thread_count * settings->load_count *
	       BENCH_SCENARIOS;
	most += settings->runtime_count * settings->thread_count * BENCH_BODIES * BENCH_SCENARIOS;
	run->cells = calloc(most, sizeof(run->cells[0]));
	if (run->cells == NULL) {
		bench_run_free(run);
		return bench_fail(error, "no memory for %zu cells", most);
	}
	for (enum bench_kind kind = 0; kind < BENCH_KINDS; kind++)
		for (enum bench_scenario scenario = 0; scenario < BENCH_SCENARIOS; scenario++)
			if (settings->kinds[kind] && settings->scenarios[scenario] && !run->skipped[scenario])
				add_scenario(run, kind, scenario);
	if (make_timelines(run, error) != 0 || make_ramp(run, error) != 0) {
		bench_run_free(run);
		return -1;
	}
	return 0;
}

void bench_run_free(struct bench_run *run)
{
	free(run->step_samples);
	free(run->pulses);
	free(run->steps);
	free(run->moments);
	free(run->cells);
	bench_cpus_free(&run->cpus);
	*run = (struct bench_run){ 0 };
}

/* ---- the rounds */

/* Windows take what is planned, and some locks longer to let go: the past tells how much. */
static void report(struct bench_conductor *conductor, unsigned threads_left)
{
	struct bench_progress *progress = &conductor->progress;
	double done = (double)(progress->window - 1);
	double per_window = bench_window_seconds(conductor->run->settings) + BENCH_WARM_UP_NS / 1e9;

	if (conductor->report == NULL)
		return;
	if (done > 0)
		per_window = (double)(gsync_monotonic_ns() - conductor->began) / 1e9 / (done + 0.5);
	progress->seconds_left = per_window * ((double)progress->windows - done);
	progress->threads_left = threads_left;
	conductor->report(progress);
}

static void tick(void *context, unsigned threads_left)
{
	report(context, threads_left);
}

int bench_conduct_window(struct bench_conductor *conductor, struct bench_cell *cell, double seconds,
			 struct bench_sample *sample, struct bench_error *error)
{
	const struct bench_cpus first = { .count = 1, .ids = conductor->run->cpus.ids };
	struct bench_ramp ramp;
	struct bench_job job = {
		.lock = cell->lock,
		.barrier = cell->barrier,
		.runtime = cell->runtime,
		.body = cell->load.body,
		.threads = cell->threads,
		.cs_ns = cell->load.cs_ns,
		.think_ns = cell->load.think_ns,
		.seconds = seconds,
		.every_ns = conductor->run->settings->every_ms * 1000000ull,
		.timeline = conductor->run->moments != NULL ? &cell->timelines[conductor->round] : NULL,
		.pin = cell->pinned,
		.with_copy = cell->scenario == BENCH_OC,
		.cpus = cell->bound ? &first : &conductor->run->cpus,
		.disturbance = conductor->disturbance,
		.tick = tick,
		.context = conductor,
	};

	if (conductor->run->settings->ramp) {
		ramp = bench_run_ramp(conductor->run, cell, conductor->round);
		job.ramp = &ramp;
	}
	conductor->progress.cell = cell;
	conductor->progress.window++;
	report(conductor, 0);
	bench_scenario_window(conductor->disturbance);
	return cell->runtime != NULL ? bench_forkjoin_measure(&job, sample, error) : bench_measure(&job, sample, error);
}

static int conduct_group(struct bench_conductor *conductor, size_t first, size_t end, struct bench_error *error)
{
	size_t count = end - first;

	for (size_t place = 0; place < count; place++) {
		size_t turn = bench_turn(conductor->round, place, count);

		if (conductor->visit(conductor, &conductor->run->cells[first + turn], error) != 0)
			return -1;
	}
	return 0;
}

/* Those of SCENARIO that end up to cell LAST and after cell AFTER. */
static int conduct_groups(struct bench_conductor *conductor, enum bench_scenario scenario, size_t after, size_t last,
			  struct bench_error *error)
{
	const struct bench_run *run = conductor->run;

	for (size_t first = 0, end; first < run->count; first = end) {
		end = bench_group_end(run, first);
		if (run->cells[first].scenario == scenario && end > after && end <= last &&
		    conduct_group(conductor, first, end, error) != 0)
			return -1;
	}
	return 0;
}

static int conduct_scenario(struct bench_conductor *conductor, enum bench_scenario scenario, struct bench_error *error)
{
	struct bench_run *run = conductor->run;
	size_t first = run->count * conductor->round / run->settings->rounds;
	struct bench_disturbance disturbance;
	int result;

	if (bench_scenario_start(&disturbance, scenario, &run->cpus, error) != 0)
		return -1;
	conductor->disturbance = &disturbance;
	result = conduct_groups(conductor, scenario, first, run->count, error);
	if (result == 0)
		result = conduct_groups(conductor, scenario, 0, first, error);
	bench_scenario_stop(&disturbance);
	return result;
}

int bench_conduct(struct bench_conductor *conductor, struct bench_error *error)
{
	const struct bench_settings *settings = conductor->run->settings;

	conductor->progress.windows = conductor->run->count * settings->rounds * conductor->windows_per_visit;
	conductor->began = gsync_monotonic_ns();
	for (conductor->round = 0; conductor->round < settings->rounds; conductor->round++)
		for (enum bench_scenario scenario = 0; scenario < BENCH_SCENARIOS; scenario++)
			if (settings->scenarios[scenario] && !conductor->run->skipped[scenario] &&
			    conduct_scenario(conductor, scenario, error) != 0)
				return -1;
	return 0;
}

static int measure_cell(struct bench_conductor *conductor, struct bench_cell *cell, struct bench_error *error)
{
	return bench_conduct_window(conductor, cell, bench_window_seconds(conductor->run->settings),
				    &cell->rounds[conductor->round], error);
}

int bench_run_measure(struct bench_run *run, void (*report_progress)(const struct bench_progress *progress),
		      struct bench_error *error)
{
	struct bench_conductor conductor = {
		.run = run,
		.visit = measure_cell,
		.windows_per_visit = 1,
		.report = report_progress,
	};

	if (bench_conduct(&conductor, error) != 0)
		return -1;
	for (size_t i = 0; i < run->count; i++)
		bench_sample_median(&run->cells[i].median, run->cells[i].rounds, run->settings->rounds);
	return 0;
}
