/* SPDX-License-Identifier: MIT */
/*
 * One stage: starts its processes, looks at the board every 10 ms, stops and
 * continues processes at random, and tells how it ended. A process that crashes,
 * an actor that reports a failure, and one that is in a call for too long all end
 * the stage; what is left is then told, and killed.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/children.h"
#include "bench/measure.h"
#include "bench/random.h"
#include "bench/scenario.h"
#include "cli/progress.h"
#include "cli/torture.h"
#include "detect/clock.h"
#include "detect/tuning.h"

#define LOOK_NS (10u * TORTURE_MS)
#define LOOK_MOST_NS (40u * TORTURE_MS) /* counted for one look: the rest, nobody looked */
#define LOOKS_PER_TICK 25u
#define LOOKS_PER_STOP 64u /* on average */
#define STOP_LOOKS_MOST 5u
#define CALM_NS (500u * TORTURE_MS) /* and as long not */
#define SUSPICIOUS_NS (200u * TORTURE_MS)
#define LATE_PER_BOUND 3u /* a timed call is late after this part of the bound */
#define ENDING_BOUNDS 4u  /* so long it may take all to leave */

struct share {
	pid_t thread;
	uint64_t used, waited; /* ns */
};

struct watch {
	const struct torture_stage *stage;
	const struct torture_plan *plan;
	struct torture_result *result;
	struct torture_board *board;
	struct bench_children children;
	struct share shares[TORTURE_ACTORS_MAX]; /* at the last look */
	unsigned cpus;
	uint64_t random;
	uint64_t last_look;
	uint64_t played_ns; /* as watched time, whoever had the CPUs: what a stage's length is counted in */
	uint64_t stop_ns; /* in watched time, when the stage was over */
	unsigned stopped; /* 1 + which process; 0 = none */
	unsigned looks_to_go; /* until that goes on */
};

/* ---- seeds */

/* Numbers that are near each other become unlike each other. */
static uint64_t mix(uint64_t value)
{
	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
	value = (value ^ value >> 27) * 0x94d049bb133111ebu;
	return value ^ value >> 31;
}

static uint64_t seed_of(const struct torture_stage *stage, const struct torture_plan *plan)
{
	uint64_t seed = mix(plan->seed + stage->round * 0x9e3779b97f4a7c15u);

	for (const char *letter = stage->subject->name; *letter != '\0'; letter++)
		seed = mix(seed + (unsigned char)*letter);
	for (const char *letter = stage->act->name; *letter != '\0'; letter++)
		seed = mix(seed + (unsigned char)*letter);
	return seed | 1;
}

/* ---- the board */

static unsigned actors_of(const struct torture_stage *stage, const struct torture_plan *plan)
{
	unsigned least = stage->act->cast > TORTURE_ACTORS_MIN ? stage->act->cast : TORTURE_ACTORS_MIN;
	unsigned actors = plan->threads > least ? plan->threads : least;

#ifdef GSYNC_TSAN
	if (stage->act->in_processes && actors > TORTURE_PROCESSES_MOST)
		return TORTURE_PROCESSES_MOST;
#endif
	return actors;
}

/*
 * To ThreadSanitizer a lock that has been with another process in between has not
 * been passed on in this one. So there nobody shares a process with others.
 */
static unsigned processes_of(const struct torture_stage *stage, unsigned actors)
{
#ifdef GSYNC_TSAN
	return stage->act->in_processes ? actors : 1;
#else
	(void)actors; /* at least as many */
	return stage->act->in_processes ? TORTURE_PROCESSES : 1;
#endif
}

static struct torture_board *set_up(const struct torture_stage *stage, const struct torture_plan *plan)
{
	struct torture_board *board =
		mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (board == MAP_FAILED)
		return NULL;
	board->subject = stage->subject;
	board->act = stage->act;
	board->seed = seed_of(stage, plan);
	board->bound_ns = (uint64_t)(plan->bound_s * TORTURE_S);
	board->late_ns = board->bound_ns / LATE_PER_BOUND;
	board->actors = actors_of(stage, plan);
	board->processes = processes_of(stage, board->actors);
	board->sites = board->shared_sites;
	for (unsigned i = 0; i < board->actors; i++) {
		board->cast[i].board = board;
		board->cast[i].index = i;
		board->cast[i].random = mix(board->seed + i) | 1;
	}
	return board;
}

/* ---- the processes */

/* A group, so that what it forks can be ended with it. */
static int prepare_process(void *context, unsigned index, struct bench_error *error)
{
	(void)context;
	(void)index;
	if (setpgid(0, 0) == 0)
		return 0;
	bench_fail(error, "setpgid: %s", strerror(errno));
	return errno;
}

/* exit, not _exit: sanitizers have the last word. */
static void run_process(void *context, unsigned index)
{
	torture_cast_run(context, index);
	exit(0);
}

/* By SIGSTOP, whoever sent that. */
static bool is_stopped(pid_t process)
{
	char state = torture_thread_state(process, process);

	return state == 'T' || state == 't';
}

/* What an actor had of the CPUs so far, and how long it stood in line for one. False where /proc does not tell. */
static bool read_share(pid_t process, pid_t thread, struct share *share)
{
	char path[64];
	FILE *file;
	int found;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", (int)process, (int)thread);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	found = fscanf(file, "%" SCNu64 " %" SCNu64, &share->used, &share->waited);
	fclose(file);
	share->thread = thread;
	return found == 2;
}

/* How much of PASSED the actors had the CPUs that they wanted. */
static double supply(struct watch *watch, uint64_t passed)
{
	struct torture_board *board = watch->board;
	double used = 0, waited = 0, room = (double)passed * watch->cpus;

	for (unsigned i = 0; i < board->actors; i++) {
		pid_t thread = __atomic_load_n(&board->cast[i].tid, __ATOMIC_RELAXED);
		struct share *before = &watch->shares[i], now = { 0 };

		if (thread != 0 && read_share(watch->children.pids[i % board->processes], thread, &now) &&
		    thread == before->thread) {
			used += (double)(now.used - before->used);
			waited += (double)(now.waited - before->waited);
		}
		*before = now;
	}
	if (used + waited < room)
		room = used + waited;
	return waited > 0 && used < room ? used / room : 1;
}

static void look_at_clock(struct watch *watch)
{
	uint64_t now = gsync_monotonic_ns(), passed = now - watch->last_look;
	struct torture_board *board = watch->board;
	double supplied = supply(watch, passed);

	watch->last_look = now;
	for (unsigned i = 0; i < watch->children.count; i++)
		if (is_stopped(watch->children.pids[i]))
			return;
	passed = passed < LOOK_MOST_NS ? passed : LOOK_MOST_NS;
	watch->played_ns += passed;
	__atomic_store_n(&board->watched_ns, board->watched_ns + (uint64_t)((double)passed * supplied), __ATOMIC_RELAXED);
}

static uint32_t draw(struct watch *watch, uint32_t below)
{
	return (uint32_t)bench_random_below(&watch->random, below);
}

static void stop_or_continue(struct watch *watch)
{
	if (watch->stopped != 0) {
		if (watch->looks_to_go-- == 0) {
			kill(watch->children.pids[watch->stopped - 1], SIGCONT);
			watch->stopped = 0;
		}
	} else if (!watch->board->calm && draw(watch, LOOKS_PER_STOP) == 0) {
		watch->stopped = 1 + draw(watch, watch->children.count);
		watch->looks_to_go = draw(watch, STOP_LOOKS_MOST);
		kill(watch->children.pids[watch->stopped - 1], SIGSTOP);
		__atomic_fetch_add(&watch->board->events[TORTURE_STOPPED], 1u, __ATOMIC_RELAXED);
	}
}

static bool is_suspicious(const struct torture_board *board)
{
	for (unsigned i = 0; i < board->actors; i++)
		if (__atomic_load_n(&board->cast[i].call, __ATOMIC_RELAXED) > TORTURE_HOLDS &&
		    board->watched_ns > __atomic_load_n(&board->cast[i].since, __ATOMIC_RELAXED) + SUSPICIOUS_NS)
			return true;
	return false;
}

static void calm_down_or_not(struct watch *watch)
{
	struct torture_board *board = watch->board;
	bool calm = board->stop || watch->played_ns / CALM_NS % 2 != 0 || (board->calm && is_suspicious(board));

	__atomic_store_n(&board->calm, calm, __ATOMIC_RELAXED);
}

/* ---- what may be wrong; each returns whether it is */

static bool fail(struct watch *watch, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool fail(struct watch *watch, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(watch->result->failure, sizeof(watch->result->failure), format, arguments);
	va_end(arguments);
	return true;
}

static bool was_told(struct watch *watch)
{
	return __atomic_load_n(&watch->board->failing, __ATOMIC_ACQUIRE) == 2 && fail(watch, "%s", watch->board->failure);
}

/* Looks whether one has ended badly, and counts those that have ended. */
static bool has_crashed(struct watch *watch, unsigned *ended)
{
	*ended = 0;
	for (unsigned i = 0; i < watch->children.count; i++) {
		siginfo_t info = { 0 };

		if (waitid(P_PID, (id_t)watch->children.pids[i], &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
		    info.si_pid == 0)
			continue;
		if (info.si_code != CLD_EXITED)
			return fail(watch, "the process died of signal %d (%s)", info.si_status, strsignal(info.si_status));
		if (info.si_status != 0)
			return fail(watch, "the process ended with status %d", info.si_status);
		++*ended;
	}
	return false;
}

static bool is_overdue(struct watch *watch)
{
	struct torture_board *board = watch->board;

	for (unsigned i = 0; i < board->actors; i++) {
		struct torture_actor *actor = &board->cast[i];
		uint32_t sequence = __atomic_load_n(&actor->sequence, __ATOMIC_ACQUIRE);
		uint64_t limit = __atomic_load_n(&actor->limit, __ATOMIC_ACQUIRE);
		uint64_t since = __atomic_load_n(&actor->since, __ATOMIC_ACQUIRE);
		uint32_t call = __atomic_load_n(&actor->call, __ATOMIC_ACQUIRE);

		if (sequence % 2 != 0 || __atomic_load_n(&actor->sequence, __ATOMIC_RELAXED) != sequence)
			continue;
		if (call > TORTURE_HOLDS && call < TORTURE_CALLS && board->watched_ns > limit)
			return fail(watch, "thread %u: %s %p for %.1f s, and should be through after %.1f s", i,
				    torture_call_words[call], actor->object,
				    (double)(board->watched_ns - since) / TORTURE_S, (double)(limit - since) / TORTURE_S);
	}
	return false;
}

static bool does_not_end(struct watch *watch)
{
	return watch->stop_ns != 0 &&
	       watch->board->watched_ns - watch->stop_ns > ENDING_BOUNDS * watch->board->bound_ns &&
	       fail(watch, "the stage is over, and does not end");
}

/* ---- a stage */

static void end_in_time(struct watch *watch)
{
	if (watch->stop_ns == 0 && (double)watch->played_ns >= watch->plan->seconds * TORTURE_S) {
		watch->stop_ns = watch->board->watched_ns;
		__atomic_store_n(&watch->board->stop, 1u, __ATOMIC_RELAXED);
	}
}

/* Until all have left, or it fails. Returns 0, or -1 when interrupted. */
static int look_on(struct watch *watch, struct bench_error *error)
{
	unsigned ended = 0;

	watch->last_look = gsync_monotonic_ns();
	for (unsigned looks = 0; ended < watch->children.count; looks++) {
		torture_sleep(LOOK_NS);
		if (bench_interrupt)
			return bench_fail(error, BENCH_INTERRUPTED);
		look_at_clock(watch);
		calm_down_or_not(watch);
		stop_or_continue(watch);
		/* First what is said, then who died of it. */
		if (was_told(watch) || has_crashed(watch, &ended) || is_overdue(watch) || does_not_end(watch))
			return 0;
		end_in_time(watch);
		if (watch->plan->tick != NULL && looks % LOOKS_PER_TICK == 0)
			watch->plan->tick(watch->plan->context, watch->stage,
					  (double)watch->played_ns / TORTURE_S);
	}
	return 0;
}

static void sum_up(struct watch *watch)
{
	struct torture_result *result = watch->result;
	struct torture_board *board = watch->board;
	uint64_t longest = 0;

	memcpy(result->events, board->events, sizeof(result->events));
	for (unsigned i = 0; i < board->actors; i++) {
		for (unsigned event = 0; event < TORTURE_EVENTS; event++)
			result->events[event] += board->cast[i].events[event];
		longest = board->cast[i].longest > longest ? board->cast[i].longest : longest;
	}
	result->seconds = (double)watch->played_ns / TORTURE_S;
	result->longest_ms = (double)longest / TORTURE_MS;
}

static void tell(const struct watch *watch)
{
	const struct torture_stage *stage = watch->stage;

	cli_progress_erase();
	fprintf(watch->plan->log, "guestsync: %s, %s, round %u, seed %llu: %s\n", stage->subject->name,
		stage->act->name, stage->round, (unsigned long long)watch->plan->seed, watch->result->failure);
	torture_state_print(watch->plan->log, watch->board, watch->children.pids);
	fflush(watch->plan->log);
}

static void clear(struct watch *watch)
{
	for (unsigned i = 0; i < watch->children.count; i++)
		kill(-watch->children.pids[i], SIGKILL);
	bench_children_stop(&watch->children);
	munmap(watch->board, sizeof(*watch->board));
}

static int play(struct watch *watch, struct bench_error *error)
{
	const struct bench_child_work work = { prepare_process, run_process, watch->board };
	int result = -1;

	/* What is in our buffers is ours to write. */
	fflush(stdout);
	fflush(stderr);
	if (bench_children_start(&watch->children, watch->board->processes, &work, error) == 0)
		result = look_on(watch, error);
	if (result == 0) {
		sum_up(watch);
		if (watch->result->failure[0] != '\0')
			tell(watch);
	}
	clear(watch);
	return result;
}

int torture_stage_play(const struct torture_stage *stage, const struct torture_plan *plan,
		       struct torture_result *result, struct bench_error *error)
{
	struct watch watch = { .stage = stage, .plan = plan, .result = result, .board = set_up(stage, plan) };
	struct bench_disturbance thieves = { 0 };
	struct bench_cpus cpus = { 0 };
	int status = 0;

	memset(result, 0, sizeof(*result));
	if (watch.board == NULL)
		return bench_fail(error, "not enough memory");
	watch.random = mix(~watch.board->seed);
	if (bench_cpus_read(&cpus) != 0)
		status = bench_fail(error, "cannot read the affinity mask");
	else if (stage->thief)
		status = bench_scenario_start(&thieves, BENCH_STEAL, &cpus, error);
	watch.cpus = cpus.count;
	if (status == 0)
		status = play(&watch, error);
	bench_scenario_stop(&thieves);
	bench_cpus_free(&cpus);
	return status == 0 ? 0 : -1;
}

/* Peers whose order ThreadSanitizer does not see would race in its eyes. */
bool torture_suits(const struct torture_act *act, const struct torture_subject *subject)
{
#ifdef GSYNC_TSAN
	if ((subject->lock != NULL && !subject->lock->visible_to_tsan) ||
	    (subject->barrier != NULL && !subject->barrier->visible_to_tsan))
		return false;
#endif
	return act->suits(subject);
}
