/* SPDX-License-Identifier: MIT */
/*
 * guestsync torture: what is asked for, which stages that makes, and what is said
 * of them. How they are played: torture.h.
 *
 * {"seed", "seconds", "bound_s", "threads", "thief", "stages":[{"lock", "act", "round",
 * "thief", "seconds", "longest_ms", "events":{…}, "failure"}], "failed"}
 */
#include <jansson.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "bench/measure.h"
#include "bench/random.h"
#include "bench/report.h"
#include "cli/cli.h"
#include "cli/grid.h"
#include "cli/json.h"
#include "cli/measuring.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/torture.h"
#include "detect/clock.h"

#define POOL "pool" /* by this name it stands among the locks */
#define STAGE_S 5.0 /* a longer run is more of them, not longer ones */
#define STAGE_S_MIN 0.05
#define STAGES_PER_THIEF 3u
#define MINUTES_MIN 0.001
#define MINUTES_MAX 10080.0
#define BOUND_S_MAX 600u

static const char help[] =
	"Usage: guestsync torture [OPTION...]\n"
	"Lets everything happen to locks, barriers and the pool that may happen to them, at\n"
	"random, and watches: holders that stay for nothing or for milliseconds, timeouts\n"
	"around zero, signals, stopped processes, threads that are moved, end and begin,\n"
	"forks, several processes, a thief of CPUs with SCHED_FIFO where that is allowed,\n"
	"counters about to wrap, and memory that is freed right after the last unlock.\n"
	"What is checked: exclusion, order where it is promised, that no call takes longer\n"
	"than the bound, that no timeout comes early, that nothing is lost.\n"
	"\n"
	"  --minutes M      for so long, 0.001 to 10080; fractions are allowed  (default: 1)\n"
	"  --seed N         the same seed makes each thread draw the same again, though not\n"
	"                   the kernel                          (default: one that is drawn)\n"
	"  --locks LIST     locks and barriers by name, pool, or ours, peers, all;\n"
	"                   separated by commas                              (default: ours)\n"
	"  --threads N      3 to 64, in each stage                (default: 2 x CPUs + 2)\n"
	"  --bound S        seconds that a call may take, 1 to 600; time in which a process\n"
	"                   was stopped does not count                         (default: 10)\n"
	"  --json           for programs\n"
	"  --help           this text\n"
	"\n"
	"Whatever goes wrong is told on stderr, with the seed, where every thread is, and the\n"
	"state of every lock that one is at. Exit status: 0 all stages passed, 1 one failed,\n"
	"2 wrong usage.\n";

const struct torture_act *const torture_acts[] = {
	&torture_crowd,	 &torture_line, &torture_ends, &torture_processes,
	&torture_phases, &torture_barrier_ends, &torture_barrier_processes, &torture_pool, NULL,
};

const struct torture_event_words torture_event_words[TORTURE_EVENTS] = {
	[TORTURE_ACQUIRED] = { "acquired", "acquisitions" },
	[TORTURE_REFUSED] = { "refused", "refused" },
	[TORTURE_TIMED_OUT] = { "timed_out", "timed out" },
	[TORTURE_LINED_UP] = { "lines", "lines" },
	[TORTURE_PASSED] = { "passed", "waits" },
	[TORTURE_FREED] = { "freed", "freed" },
	[TORTURE_TASKS] = { "tasks", "tasks" },
	[TORTURE_POOLS] = { "pools", "pools" },
	[TORTURE_FULL] = { "full_queues", "full queues" },
	[TORTURE_NESTED] = { "nested_groups", "nested groups" },
	[TORTURE_ISOLATED] = { "isolated_waits", "isolated waits" },
	[TORTURE_LOOPED] = { "loops_in_tasks", "loops in tasks" },
	[TORTURE_CANCELLED] = { "cancelled_groups", "cancelled groups" },
	[TORTURE_DROPPED] = { "groups_with_drops", "groups with drops" },
	[TORTURE_TURNED_AWAY] = { "turned_away", "turned away" },
	[TORTURE_LULLS] = { "lulls", "lulls" },
	[TORTURE_RESIZED] = { "resized", "changes of CPUs" },
	[TORTURE_FORKED] = { "forks", "forks" },
	[TORTURE_THREADS] = { "threads", "threads" },
	[TORTURE_SIGNALLED] = { "signals", "signals" },
	[TORTURE_MOVED] = { "moves", "moves" },
	[TORTURE_STOPPED] = { "stops", "stops" },
};

/* ---- options */

struct options {
	struct bench_settings settings; /* the locks and barriers of it */
	bool pool;
	double minutes;
	struct torture_plan plan;
	bool json;
	bool help;
};

struct texts {
	const char *minutes, *seed, *locks, *threads, *bound;
};

static int choose_locks(struct options *options, const char *list, struct bench_error *error)
{
	options->settings.kinds[BENCH_LOCK] = options->settings.kinds[BENCH_BARRIER] = true;
	options->pool = cli_grid_names(list, POOL, true);
	return cli_grid_locks(&options->settings, list, POOL, error);
}

/* A short one, for people to type. */
static int choose_seed(struct options *options, const char *text, struct bench_error *error)
{
	uint32_t drawn = 0;

	if (text != NULL)
		return cli_parse_number("--seed", text, 0, INT64_MAX, &options->plan.seed, error);
	if (getrandom(&drawn, sizeof(drawn), 0) != (ssize_t)sizeof(drawn))
		drawn = (uint32_t)gsync_monotonic_ns();
	options->plan.seed = drawn;
	return 0;
}

static int choose_threads(struct options *options, const char *text, struct bench_error *error)
{
	uint64_t threads = 2 * (uint64_t)sysconf(_SC_NPROCESSORS_ONLN) + 2;

	if (text != NULL &&
	    cli_parse_number("--threads", text, TORTURE_ACTORS_MIN, TORTURE_ACTORS_MAX, &threads, error) != 0)
		return -1;
	options->plan.threads = threads < TORTURE_ACTORS_MAX ? (unsigned)threads : TORTURE_ACTORS_MAX;
	return 0;
}

static int choose_bound(struct options *options, const char *text, struct bench_error *error)
{
	uint64_t bound;

	if (cli_parse_number("--bound", text, 1, BOUND_S_MAX, &bound, error) != 0)
		return -1;
	options->plan.bound_s = (double)bound;
	return 0;
}

static int parse(struct options *options, int argc, char **argv, struct bench_error *error)
{
	struct texts texts = { .minutes = "1", .locks = "ours", .bound = "10" };
	const struct cli_option known[] = {
		{ "minutes", .text = &texts.minutes }, { "seed", .text = &texts.seed },	  { "locks", .text = &texts.locks },
		{ "threads", .text = &texts.threads }, { "bound", .text = &texts.bound }, { "json", .flag = &options->json },
		{ "help", .flag = &options->help },    { .name = NULL },
	};

	if (cli_options_read("torture", known, argc, argv, error) != CLI_OK)
		return CLI_USAGE;
	if (options->help)
		return CLI_OK;
	if (cli_parse_decimal("--minutes", texts.minutes, MINUTES_MIN, MINUTES_MAX, &options->minutes, error) != 0 ||
	    choose_seed(options, texts.seed, error) != 0 ||
	    choose_threads(options, texts.threads, error) != 0 || choose_bound(options, texts.bound, error) != 0)
		return CLI_USAGE;
	return choose_locks(options, texts.locks, error);
}

/* ---- the stages of a run */

struct run {
	const struct options *options;
	struct torture_subject *subjects;
	size_t subject_count;
	size_t stages, rounds; /* so many stages in each round */
	size_t done, failed;
	bool thief; /* allowed */
	json_t *reports; /* or NULL */
};

static int name_subjects(struct run *run, const struct options *options)
{
	const struct bench_settings *settings = &options->settings;

	run->subjects = calloc(settings->lock_count + settings->barrier_count + 1, sizeof(run->subjects[0]));
	if (run->subjects == NULL)
		return -1;
	for (size_t i = 0; i < settings->lock_count; i++)
		run->subjects[run->subject_count++] =
			(struct torture_subject){ settings->locks[i]->name, settings->locks[i], NULL };
	for (size_t i = 0; i < settings->barrier_count; i++)
		run->subjects[run->subject_count++] =
			(struct torture_subject){ settings->barriers[i]->name, NULL, settings->barriers[i] };
	if (options->pool)
		run->subjects[run->subject_count++] = (struct torture_subject){ POOL, NULL, NULL };
	for (size_t i = 0; i < run->subject_count; i++)
		for (const struct torture_act *const *act = torture_acts; *act != NULL; act++)
			run->stages += torture_suits(*act, &run->subjects[i]);
	return 0;
}

/* Asked once, by having one for a moment. */
static void ask_for_thief(struct run *run, struct bench_error *why)
{
	struct bench_disturbance thieves = { 0 };
	struct bench_cpus cpus = { 0 };

	run->thief = bench_cpus_read(&cpus) == 0 && bench_scenario_start(&thieves, BENCH_STEAL, &cpus, why) == 0;
	bench_scenario_stop(&thieves);
	bench_cpus_free(&cpus);
}

/* ---- what is said */

static void print_result(const struct torture_stage *stage, const struct torture_result *result)
{
	const char *before = "";

	printf("%-22s %-10s %5.1f s  ", stage->subject->name, stage->act->name, result->seconds);
	for (unsigned event = 0; event < TORTURE_EVENTS; event++)
		if (result->events[event] != 0) {
			printf("%s%llu %s", before, (unsigned long long)result->events[event],
			       torture_event_words[event].words);
			before = ", ";
		}
	printf("; longest call %.0f ms%s%s\n", result->longest_ms, stage->thief ? "; with a thief" : "",
	       result->failure[0] != '\0' ? "; FAILED" : "");
	fflush(stdout);
}

static void note_result(json_t *reports, const struct torture_stage *stage, const struct torture_result *result)
{
	json_t *events = json_object();
	int failed = 0;

	for (unsigned event = 0; event < TORTURE_EVENTS; event++)
		if (result->events[event] != 0)
			failed |= json_object_set_new(events, torture_event_words[event].name,
						      json_integer((json_int_t)result->events[event]));
	json_array_append_new(reports,
			      json_pack("{s:s, s:s, s:i, s:b, s:o, s:o, s:o, s:s?}", "lock", stage->subject->name, "act",
					stage->act->name, "round", (int)stage->round, "thief", stage->thief, "seconds",
					bench_json_number(result->seconds), "longest_ms",
					bench_json_number(result->longest_ms), "events",
					bench_json_finish(events, failed), "failure",
					result->failure[0] != '\0' ? result->failure : NULL));
}

static void say_beginning(const struct run *run, const struct bench_error *no_thief)
{
	const struct torture_plan *plan = &run->options->plan;

	printf("seed %llu: %zu stages of %.2f s, %zu time%s, %u threads; no call may take longer than %g s\n",
	       (unsigned long long)plan->seed, run->stages, plan->seconds, run->rounds, run->rounds == 1 ? "" : "s",
	       plan->threads, plan->bound_s);
	if (!run->thief)
		printf("no thief: %s\n", no_thief->text);
	fflush(stdout);
}

static int say_end(const struct run *run)
{
	const struct options *options = run->options;
	json_t *report;

	cli_progress_erase();
	if (run->reports == NULL) {
		printf("seed %llu: %zu of %zu stages passed\n", (unsigned long long)options->plan.seed,
		       run->done - run->failed, run->done);
		return run->failed == 0 ? CLI_OK : CLI_FAILED;
	}
	report = json_pack("{s:I, s:o, s:o, s:i, s:b, s:O, s:I}", "seed", (json_int_t)options->plan.seed, "seconds",
			   bench_json_number(options->plan.seconds), "bound_s",
			   bench_json_number(options->plan.bound_s), "threads", (int)options->plan.threads, "thief",
			   run->thief, "stages", run->reports, "failed", (json_int_t)run->failed);
	if (json_array_size(run->reports) != run->done) {
		json_decref(report);
		report = NULL;
	}
	return cli_json_print(report) == CLI_OK && run->failed == 0 ? CLI_OK : CLI_FAILED;
}

static void show_progress(void *context, const struct torture_stage *stage, double seconds)
{
	const struct run *run = context;
	double length = run->options->plan.seconds;

	if (length * (double)(run->stages * run->rounds) >= CLI_PROGRESS_AFTER_S)
		cli_progress("%zu of %zu: %s, %s, %.0f of %.0f s, seed %llu", run->done + 1, run->stages * run->rounds,
			     stage->subject->name, stage->act->name, seconds, length,
			     (unsigned long long)run->options->plan.seed);
}

/* ---- the run */

static int play_stage(struct run *run, const struct torture_stage *stage, const struct torture_plan *plan,
		      struct bench_error *error)
{
	struct torture_result result;

	if (torture_stage_play(stage, plan, &result, error) != 0)
		return -1;
	cli_progress_erase();
	run->done++;
	run->failed += result.failure[0] != '\0';
	if (run->reports != NULL)
		note_result(run->reports, stage, &result);
	else
		print_result(stage, &result);
	return 0;
}

static int play_all(struct run *run, const struct torture_plan *plan, struct bench_error *error)
{
	uint64_t random = plan->seed;
	int status = 0;

	for (unsigned round = 1; round <= run->rounds; round++)
		for (size_t i = 0; i < run->subject_count; i++)
			for (const struct torture_act *const *act = torture_acts; *act != NULL && status == 0; act++) {
				struct torture_stage stage = { &run->subjects[i], *act, round, false };

				if (!torture_suits(*act, &run->subjects[i]))
					continue;
				stage.thief = run->thief && bench_random_below(&random, STAGES_PER_THIEF) == 0;
				status = play_stage(run, &stage, plan, error);
			}
	return status;
}

/* Enough rounds that no stage takes long. */
static void divide(struct run *run, struct torture_plan *plan)
{
	double seconds = run->options->minutes * 60, stages = (double)run->stages;

	run->rounds = seconds > STAGE_S * stages ? (size_t)(seconds / (STAGE_S * stages)) : 1;
	plan->seconds = seconds / (stages * (double)run->rounds);
	if (plan->seconds < STAGE_S_MIN)
		plan->seconds = STAGE_S_MIN;
}

static int torture(struct options *options)
{
	struct run run = { .options = options, .reports = options->json ? json_array() : NULL };
	struct bench_error error = { "" };
	int status;

	if (name_subjects(&run, options) != 0) {
		bench_fail(&error, "not enough memory");
		return cli_complain(&error);
	}
	if (run.stages == 0) {
		bench_fail(&error, "ThreadSanitizer sees the order of none of these locks");
		status = cli_complain(&error);
	} else {
		divide(&run, &options->plan);
		options->plan.tick = show_progress;
		options->plan.context = &run;
		options->plan.log = stderr;
		ask_for_thief(&run, &error);
		if (!options->json)
			say_beginning(&run, &error);
		status = play_all(&run, &options->plan, &error) == 0 ? say_end(&run) : cli_complain(&error);
	}
	json_decref(run.reports);
	free(run.subjects);
	return status;
}

int cli_torture(int argc, char **argv)
{
	struct options options = { .json = false };
	struct sigaction before[CLI_SIGNALS];
	struct bench_error error;
	int status = parse(&options, argc, argv, &error);

	if (status != CLI_OK) {
		cli_refuse(&error, "torture");
	} else if (options.help) {
		fputs(help, stdout);
	} else {
		cli_signals_catch(before);
		status = torture(&options);
		cli_signals_release(before);
	}
	cli_grid_free(&options.settings);
	return status;
}
