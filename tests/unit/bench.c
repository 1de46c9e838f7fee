/* SPDX-License-Identifier: MIT */
/*
 * The benchmark can be believed: it catches locks and barriers that do not do
 * their work, computes what it says it computes, keeps the form that scripts
 * rely on, refuses nonsense, and leaves nothing behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bursts.h"
#include "bench/forkjoin.h"
#include "bench/measure.h"
#include "bench/output.h"
#include "bench/report.h"
#include "bench/worker.h"
#include "tests/unit/support.h"
#include "cli/bench_options.h"
#include "cli/cli.h"
#include "detect/tuning.h"

#include <guestsync/profile.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static void assert_close(double found, double expected)
{
	if (!(fabs(found - expected) <= 1e-9 * fmax(1, fabs(expected))))
		fail_msg("%.17g is not %.17g", found, expected);
}

/* ---- locks and barriers that are none */

static int pretend(void *object)
{
	(void)object;
	return 0;
}

static int pretend_for(void *object, unsigned threads)
{
	(void)object;
	(void)threads;
	return 0;
}

static inline void open_door(void *lock, struct bench_node *node)
{
	(void)lock;
	(void)node;
}

static inline bool wait_for_nobody(void *barrier, struct bench_node *node)
{
	(void)barrier;
	(void)node;
	return false;
}

static inline bool wait_but_name_nobody(void *barrier, struct bench_node *node)
{
	(void)node;
	pthread_barrier_wait(barrier);
	return false;
}

static inline bool wait_and_name_everybody(void *barrier, struct bench_node *node)
{
	(void)node;
	pthread_barrier_wait(barrier);
	return true;
}

BENCH_LOCK_RUN(open_door_run, open_door, open_door)
BENCH_BARRIER_RUN(wait_for_nobody_run, wait_for_nobody)
BENCH_BARRIER_RUN(wait_but_name_nobody_run, wait_but_name_nobody)
BENCH_BARRIER_RUN(wait_and_name_everybody_run, wait_and_name_everybody)

#define ATTEMPTS 20

/* On a busy machine a window may pass in which the threads do not run, or not at once: then another is taken. */
static struct bench_sample measure_until(bool (*good)(const struct bench_sample *sample),
					 const struct bench_lock *lock, const struct bench_barrier *barrier)
{
	struct bench_sample sample;
	struct bench_error error;
	struct bench_cpus cpus;
	struct bench_job job = {
		.lock = lock,
		.barrier = barrier,
		.threads = 2,
		.cs_ns = lock != NULL ? 200 : 0,
		.seconds = 0.02,
		.cpus = &cpus,
	};

	assert_int_equal(bench_cpus_read(&cpus), 0);
	job.pin = cpus.count >= 2;
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		if (bench_measure(&job, &sample, &error) != 0)
			fail_msg("%s", error.text);
		if (good(&sample))
			break;
	}
	bench_cpus_free(&cpus);
	return sample;
}

static bool has_errors(const struct bench_sample *sample)
{
	return sample->errors > 0;
}

static bool has_run(const struct bench_sample *sample)
{
	return (sample->ops_per_s > 0 && sample->wait_max_ns > 0) || sample->errors > 0;
}

static void a_lock_without_exclusion_is_reported(void **state)
{
	const struct bench_lock lock = {
		.name = "open door", .init = pretend, .destroy = pretend, .run = open_door_run
	};

	(void)state;
	if (SANITIZED)
		skip(); /* the race is the point */
	assert_true(measure_until(has_errors, &lock, NULL).errors > 0);
}

static void a_barrier_that_does_not_wait_is_reported(void **state)
{
	const struct bench_barrier barrier = {
		.name = "no barrier", .init = pretend_for, .destroy = pretend, .run = wait_for_nobody_run
	};

	(void)state;
	if (SANITIZED)
		skip();
	assert_true(measure_until(has_errors, NULL, &barrier).errors > 0);
}

static void a_barrier_without_exactly_one_serial_thread_is_reported(void **state)
{
	struct bench_barrier barrier = bench_pthread_barrier;

	(void)state;
	barrier.run = wait_but_name_nobody_run;
	assert_true(measure_until(has_errors, NULL, &barrier).errors > 0);
	barrier.run = wait_and_name_everybody_run;
	assert_true(measure_until(has_errors, NULL, &barrier).errors > 0);
	barrier.reports_serial = false;
	assert_true(measure_until(has_run, NULL, &barrier).errors == 0);
}

static void every_lock_of_the_table_passes(void **state)
{
	(void)state;
	for (size_t i = 0; bench_locks[i] != NULL; i++) {
		struct bench_sample sample;

		if (SANITIZED && !bench_locks[i]->visible_to_tsan)
			continue;
		sample = measure_until(has_run, bench_locks[i], NULL);
		if (sample.errors != 0 || sample.ops_per_s <= 0 || sample.cpu_ns_per_op <= 0)
			fail_msg("%s: %g errors, %g ops/s, %g ns/op", bench_locks[i]->name, sample.errors,
				 sample.ops_per_s, sample.cpu_ns_per_op);
		assert_true(sample.jain >= 0.5 && sample.jain <= 1);
		assert_true(sample.wait_p50_ns <= sample.wait_p99_ns && sample.wait_p99_ns <= sample.wait_p999_ns &&
			    sample.wait_p999_ns <= sample.wait_max_ns && sample.wait_max_ns > 0);
	}
}

static void every_barrier_of_the_table_passes(void **state)
{
	(void)state;
	for (size_t i = 0; bench_barriers[i] != NULL; i++) {
		struct bench_sample sample;

		if (SANITIZED && !bench_barriers[i]->visible_to_tsan)
			continue;
		sample = measure_until(has_run, NULL, bench_barriers[i]);
		if (sample.errors != 0 || sample.ops_per_s <= 0)
			fail_msg("%s: %g errors, %g episodes/s", bench_barriers[i]->name, sample.errors,
				 sample.ops_per_s);
		assert_close(sample.jain, 1);
	}
}

/* ---- the token ring */

#define RING 3

static void *go_round(void *argument)
{
	bench_token_ring.run(argument);
	return NULL;
}

static struct bench_stage *new_ring(void)
{
	size_t size = sizeof(struct bench_stage) + RING * sizeof(struct bench_worker);
	struct bench_stage *stage = aligned_alloc(BENCH_LINE, size);

	assert_non_null(stage);
	memset(stage, 0, size);
	stage->threads = RING;
	stage->phase = BENCH_MEASURE;
	for (unsigned i = 0; i < RING; i++) {
		stage->workers[i].stage = stage;
		stage->workers[i].index = i;
		stage->workers[i].orders = &stage->phase;
	}
	return stage;
}

/*
 * Strictly in order: nobody ever has one turn more than another, or, at the end, two: who thinks when the window ends
 * leaves without the turn that others still take. All leave, whoever sleeps or thinks at that moment.
 */
static void the_ring_goes_round_in_order_and_lets_all_leave(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 300; round++) {
		struct bench_stage *stage = new_ring();
		uint64_t least = UINT64_MAX, most = 0, sum = 0;

		stage->cs_steps = round % 2 * 20;
		stage->think_steps = round % 3 * 50;
		for (unsigned i = 0; i < RING; i++)
			assert_int_equal(pthread_create(&stage->workers[i].thread, NULL, go_round, &stage->workers[i]), 0);
		while (__atomic_load_n(&stage->workers[round % RING].count, __ATOMIC_RELAXED) < 20 + round % 7)
			sched_yield();
		__atomic_store_n(&stage->phase, (uint32_t)BENCH_STOP, __ATOMIC_RELAXED);
		for (unsigned i = 0; i < RING; i++) {
			uint64_t count;

			assert_int_equal(pthread_join(stage->workers[i].thread, NULL), 0);
			count = stage->workers[i].count;
			assert_int_equal(stage->workers[i].errors, 0);
			least = count < least ? count : least;
			most = count > most ? count : most;
			sum += count;
		}
		assert_int_equal(stage->first, sum);
		assert_int_equal(stage->second, sum);
		assert_true(least >= 18 && most - least <= 2);
		free(stage);
	}
}

#define LATECOMERS 4 /* on one CPU */

static unsigned have_had_a_turn;
static bool has_begun, was_early;
static uint64_t gathered_at;

static void keep_the_cpu(struct bench_worker *worker)
{
	uint32_t phase;

	while ((phase = __atomic_load_n(&worker->stage->phase, __ATOMIC_RELAXED)) != BENCH_STOP) {
		if (phase != BENCH_MEASURE || __atomic_exchange_n(&has_begun, true, __ATOMIC_RELAXED))
			continue;
		was_early = __atomic_load_n(&have_had_a_turn, __ATOMIC_RELAXED) < LATECOMERS &&
			    gsync_monotonic_ns() - gathered_at < BENCH_WARM_UP_MOST_NS;
	}
}

static void have_a_turn_and_keep_the_cpu(struct bench_worker *worker)
{
	if (worker->index == 0)
		test_sleep_ms(40);
	__atomic_fetch_add(&have_had_a_turn, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&worker->count, 1, __ATOMIC_RELAXED);
	keep_the_cpu(worker);
}

static void measure_latecomers(void (*run)(struct bench_worker *worker))
{
	const struct bench_lock lock = { .name = "greed", .init = pretend, .destroy = pretend, .run = run };
	struct bench_cpus cpus;
	struct bench_job job = { .lock = &lock, .threads = LATECOMERS, .seconds = 0.2, .cpus = &cpus, .pin = true };
	struct bench_sample sample;
	struct bench_error error;
	unsigned count;

	assert_int_equal(bench_cpus_read(&cpus), 0);
	count = cpus.count;
	cpus.count = 1;
	have_had_a_turn = 0;
	has_begun = was_early = false;
	gathered_at = gsync_monotonic_ns();
	if (bench_measure(&job, &sample, &error) != 0)
		fail_msg("%s", error.text);
	cpus.count = count;
	bench_cpus_free(&cpus);
}

static void no_window_begins_before_each_thread_has_had_a_turn(void **state)
{
	(void)state;
	measure_latecomers(have_a_turn_and_keep_the_cpu);
	assert_int_equal(have_had_a_turn, LATECOMERS);
	assert_false(was_early);
}

static void but_in_the_end_it_begins(void **state)
{
	(void)state;
	measure_latecomers(keep_the_cpu);
	assert_true(has_begun);
	assert_false(was_early);
}

static int first_cpu;
static unsigned astray;

static void note_the_cpu(struct bench_worker *worker)
{
	struct bench_cpus cpus = { 0 };

	if (bench_cpus_read(&cpus) != 0 || cpus.count != 1 || cpus.ids[0] != first_cpu)
		__atomic_fetch_add(&astray, 1, __ATOMIC_RELAXED);
	bench_cpus_free(&cpus);
	while (__atomic_load_n(&worker->stage->phase, __ATOMIC_RELAXED) != BENCH_STOP)
		sched_yield();
}

static void a_bound_follows_its_lock_on_one_cpu(void **state)
{
	const struct bench_lock bound = {
		.name = "bound", .init = pretend, .destroy = pretend, .run = note_the_cpu
	};
	struct bench_lock lock = bench_pthread_mutex;
	const struct bench_lock *locks[] = { &lock, &bench_pthread_spin };
	unsigned threads[] = { 1, 2 };
	struct bench_load load = { 0, 0, BENCH_BODY_EMPTY };
	struct bench_settings settings = {
		.kinds[BENCH_LOCK] = true, .scenarios[BENCH_PLAIN] = true, .locks = locks, .lock_count = 2,
		.threads = threads, .thread_count = 2, .loads = &load, .load_count = 1, .seconds = 0.01, .rounds = 1,
		.pin = BENCH_PIN_NEVER,
	};
	struct bench_error error;
	struct bench_run run;

	(void)state;
	lock.bound = &bound;
	assert_int_equal(bench_run_init(&run, &settings, &error), 0);
	assert_int_equal(run.count, 4);
	bench_run_free(&run);

	settings.bounds = true;
	assert_int_equal(bench_run_init(&run, &settings, &error), 0);
	assert_int_equal(run.count, 5);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(run.cells[i].bound, i == 3);
		assert_ptr_equal(bench_cell_bound(&run, &run.cells[i]), i == 2 ? &run.cells[3] : NULL);
	}
	assert_ptr_equal(run.cells[3].lock, &bound);
	assert_true(run.cells[3].pinned);
	first_cpu = run.cpus.ids[0];
	assert_int_equal(bench_run_measure(&run, NULL, &error), 0);
	assert_int_equal(astray, 0);
	bench_run_free(&run);

	settings.ramp = true; /* its threads come and go, and take their turn with them */
	assert_int_equal(bench_run_init(&run, &settings, &error), 0);
	assert_int_equal(run.count, 2);
	bench_run_free(&run);
}

/* ---- what may go wrong */

static void a_thread_that_cannot_be_made_fails_and_hangs_nothing(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if (SANITIZED)
		skip(); /* their shadow memory needs all the addresses there are */
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit limit = { 256u << 20, 256u << 20 };
		struct bench_cpus cpus;
		struct bench_sample sample;
		struct bench_error error = { "" };
		struct bench_job job = {
			.lock = &bench_pthread_mutex, .threads = 4096, .seconds = 0.01, .cpus = &cpus
		};

		alarm(60);
		if (bench_cpus_read(&cpus) != 0 || setrlimit(RLIMIT_AS, &limit) != 0)
			_exit(2);
		if (bench_measure(&job, &sample, &error) == 0)
			_exit(3);
		_exit(strncmp(error.text, "cannot create thread ", 21) == 0 ? 0 : 4);
	}
	assert_true(waitpid(pid, &status, 0) == pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void an_interrupted_measurement_says_so(void **state)
{
	struct bench_cpus cpus;
	struct bench_sample sample;
	struct bench_error error;
	struct bench_job job = { .lock = &bench_pthread_mutex, .threads = 2, .seconds = 60, .cpus = &cpus };

	(void)state;
	assert_int_equal(bench_cpus_read(&cpus), 0);
	bench_interrupt = SIGINT;
	assert_int_equal(bench_measure(&job, &sample, &error), -1);
	bench_interrupt = 0;
	assert_string_equal(error.text, BENCH_INTERRUPTED);
	bench_cpus_free(&cpus);
}

static void assert_no_child_is_left(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void hogs_are_gone_when_the_scenario_ends(void **state)
{
	struct bench_disturbance disturbance;
	struct bench_error error;
	struct bench_cpus cpus;

	(void)state;
	assert_int_equal(bench_cpus_read(&cpus), 0);
	assert_int_equal(bench_scenario_start(&disturbance, BENCH_HOGS, &cpus, &error), 0);
	assert_int_equal(disturbance.children.count, cpus.count);
	for (unsigned i = 0; i < disturbance.children.count; i++)
		assert_int_equal(kill(disturbance.children.pids[i], 0), 0);
	bench_scenario_stop(&disturbance);
	bench_scenario_stop(&disturbance);
	assert_no_child_is_left();
	bench_cpus_free(&cpus);
}

static void stealers_steal_or_are_refused_with_nothing_left(void **state)
{
	struct bench_disturbance disturbance;
	struct bench_error error;
	struct bench_cpus cpus;
	struct timespec deadline;
	int result;

	(void)state;
	assert_int_equal(bench_cpus_read(&cpus), 0);
	result = bench_scenario_start(&disturbance, BENCH_STEAL, &cpus, &error);
	if (result == 0) {
		deadline = test_deadline(10000);
		for (unsigned i = 0; i < cpus.count; i++) {
			while (bench_scenario_stolen_ns(&disturbance, i) <= 3000000) {
				assert_false(test_has_passed(&deadline));
				test_sleep_ms(10);
			}
		}
		bench_scenario_stop(&disturbance);
	} else {
		assert_int_equal(result, EPERM);
	}
	assert_no_child_is_left();
	bench_cpus_free(&cpus);
}

static void every_window_of_a_round_has_the_same_bursts(void **state)
{
	const uint64_t ms = 1000000, first = 1000 * ms, second = 5000 * ms + 12345, seed = 4711;
	struct bench_bursts one = bench_bursts_of(first, seed, first), other = bench_bursts_of(second, seed, second);
	struct bench_bursts late = bench_bursts_of(first, seed, first + 100 * ms), before = one;

	(void)state;
	while (one.next < first + 100 * ms) {
		assert_int_equal(one.next - first, other.next - second);
		assert_int_equal(one.burst_ns, other.burst_ns);
		assert_in_range(one.burst_ns, 3 * ms, 10 * ms);
		before = one;
		bench_bursts_go_on(&one, one.next + one.burst_ns);
		bench_bursts_go_on(&other, other.next + other.burst_ns);
		assert_in_range(one.next - before.next, 10 * ms, 20 * ms);
	}
	assert_true(before.next > first);
	assert_int_equal(late.next, one.next);
	assert_int_equal(late.burst_ns, one.burst_ns);
	assert_true(bench_bursts_of(first, seed + 1, first).next != bench_bursts_of(first, seed, first).next);
}

/* ---- the second copy */

/* What the lock below sees in either process; shared between them. */
static struct witness {
	pid_t parent;
	bool seen_at_all; /* the measured copy has begun */
	uint64_t copy_before, copy_after; /* what the other had done at its first and last operation */
	uint64_t calls_of_copy;
	uint32_t cpus, cpus_of_copy; /* the first 32 */
	uint32_t threads, threads_of_copy;
	uint32_t widths, widths_of_copy; /* bit n: a thread that might go on n CPUs */
} *witness;

static _Thread_local bool counted;

static inline void lock_and_tell(void *lock, struct bench_node *node)
{
	bool is_copy = getpid() != witness->parent;
	int cpu = sched_getcpu();

	bench_pthread_mutex.lock(lock, node);
	if (!counted)
		__atomic_add_fetch(is_copy ? &witness->threads_of_copy : &witness->threads, 1, __ATOMIC_RELAXED);
	counted = true;
	__atomic_or_fetch(is_copy ? &witness->cpus_of_copy : &witness->cpus, 1u << (cpu & 31), __ATOMIC_RELAXED);
	if (is_copy) {
		__atomic_add_fetch(&witness->calls_of_copy, 1, __ATOMIC_RELAXED);
		return;
	}
	witness->copy_after = __atomic_load_n(&witness->calls_of_copy, __ATOMIC_RELAXED);
	if (!witness->seen_at_all)
		witness->copy_before = witness->copy_after;
	witness->seen_at_all = true;
}

static inline void unlock_told(void *lock, struct bench_node *node)
{
	bench_pthread_mutex.unlock(lock, node);
}

static inline void lock_and_tell_width(void *lock, struct bench_node *node)
{
	bool is_copy = getpid() != witness->parent;
	cpu_set_t mask;

	if (sched_getaffinity(0, sizeof(mask), &mask) == 0)
		__atomic_or_fetch(is_copy ? &witness->widths_of_copy : &witness->widths,
				  1u << (CPU_COUNT(&mask) & 31), __ATOMIC_RELAXED);
	lock_and_tell(lock, node);
}

BENCH_LOCK_RUN(lock_and_tell_run, lock_and_tell, unlock_told)
BENCH_LOCK_RUN(lock_and_tell_width_run, lock_and_tell_width, unlock_told)

static void call_witness(void)
{
	if (witness == NULL)
		witness = mmap(NULL, sizeof(*witness), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(witness, MAP_FAILED);
	memset(witness, 0, sizeof(*witness));
	witness->parent = getpid();
}

static void measure_before_witness(const struct bench_job *job)
{
	struct bench_sample sample;
	struct bench_error error;

	call_witness();
	if (bench_measure(job, &sample, &error) != 0)
		fail_msg("%s", error.text);
	assert_no_child_is_left();
	assert_int_equal(sample.errors, 0);
}

static void the_second_copy_works_from_before_the_window_until_after_it(void **state)
{
	struct bench_lock lock = bench_pthread_mutex;
	struct bench_cpus cpus;
	struct bench_job job = { .lock = &lock, .threads = 3, .cs_ns = 1000, .think_ns = 1000, .seconds = 0.1, .cpus = &cpus,
				 .with_copy = true };
	bool seen = false;

	(void)state;
	lock.run = lock_and_tell_run;
	assert_int_equal(bench_cpus_read(&cpus), 0);
	for (int attempt = 0; attempt < ATTEMPTS && !seen; attempt++) {
		measure_before_witness(&job);
		/* On a busy machine the copy's threads may not all have had a CPU. */
		seen = witness->copy_before > 0 && witness->copy_after > witness->copy_before &&
		       witness->threads == 3 && witness->threads_of_copy == 3;
	}
	assert_true(seen);

	job.threads = 1;
	job.pin = true;
	measure_before_witness(&job);
	assert_int_equal(witness->cpus, 1u << (cpus.ids[0] & 31));
	assert_int_equal(witness->cpus_of_copy, witness->cpus);
	bench_cpus_free(&cpus);
}

static inline void lock_or_die(void *lock, struct bench_node *node)
{
	if (getpid() != witness->parent && witness->seen_at_all)
		raise(SIGKILL);
	lock_and_tell(lock, node);
}

BENCH_LOCK_RUN(lock_or_die_run, lock_or_die, unlock_told)

static int refuse_the_copy(void *lock)
{
	return getpid() == witness->parent ? bench_pthread_mutex.init(lock) : EPROTO;
}

static void a_window_whose_second_copy_fails_has_failed(void **state)
{
	struct bench_lock lock = bench_pthread_mutex;
	struct bench_cpus cpus;
	struct bench_sample sample;
	struct bench_error error;
	struct bench_job job = { .lock = &lock, .threads = 1, .seconds = 0.1, .cpus = &cpus, .with_copy = true };

	(void)state;
	assert_int_equal(bench_cpus_read(&cpus), 0);
	call_witness();
	lock.run = lock_or_die_run;
	assert_int_equal(bench_measure(&job, &sample, &error), -1);
	assert_string_equal(error.text, "the second copy ended before the window did");
	assert_no_child_is_left();

	lock.init = refuse_the_copy;
	assert_int_equal(bench_measure(&job, &sample, &error), -1);
	assert_string_equal(error.text, "cannot start the second copy: cannot make a pthread_mutex: Protocol error");
	assert_no_child_is_left();
	bench_cpus_free(&cpus);
}

/* ---- a ramp */

static struct bench_ramp ramp_of(struct bench_step *steps, size_t count, unsigned cpus)
{
	return (struct bench_ramp){ .steps = steps, .count = count, .cpus = cpus };
}

static void a_step_that_falls_back_has_its_model_on_the_way_up(void **state)
{
	struct bench_step there_and_back[] = { { 1, 0 }, { 2, 0 }, { 4, 0 }, { 8, 0 }, { 4, 0 }, { 2, 0 }, { 1, 0 } };
	struct bench_step twice[] = { { 2, 0 }, { 8, 0 }, { 2, 0 }, { 1, 0 }, { 2, 0 }, { 8, 0 }, { 2, 0 } };
	struct bench_ramp ramp = ramp_of(there_and_back, 7, 2);

	(void)state;
	for (size_t i = 0; i <= 4; i++) /* the 4 threads of the fifth are more than CPUs */
		assert_int_equal(bench_ramp_model(&ramp, i), 7);
	assert_int_equal(bench_ramp_model(&ramp, 5), 1);
	assert_int_equal(bench_ramp_model(&ramp, 6), 0);
	ramp.cpus = 4;
	assert_int_equal(bench_ramp_model(&ramp, 4), 2);

	ramp = ramp_of(twice, 7, 2);
	assert_int_equal(bench_ramp_model(&ramp, 2), 0);
	assert_int_equal(bench_ramp_model(&ramp, 3), 7); /* 1 thread never was on the way up */
	assert_int_equal(bench_ramp_model(&ramp, 6), 4); /* the latest */
	twice[3].threads = twice[4].threads = 8;
	assert_int_equal(bench_ramp_model(&ramp, 6), 0); /* but not one that came by falling */
}

/* Pulses every 5 ms from 1 s on, with so many operations in each interval. */
static size_t pulses_of(struct bench_pulse *pulses, const unsigned *operations, size_t count)
{
	pulses[0] = (struct bench_pulse){ 1000000000, 500 };
	for (size_t i = 0; i < count; i++)
		pulses[i + 1] = (struct bench_pulse){ pulses[i].ns + 5000000, pulses[i].done + operations[i] };
	return count + 1;
}

static void full_speed_is_back_when_20_ms_on_end_reach_it(void **state)
{
	static const unsigned slow_first[] = { 0, 1, 9, 9, 9, 9, 9, 9 }, late[] = { 0, 0, 0, 0, 0, 9, 9, 9 };
	static const unsigned at_once[] = { 8, 10, 9, 9, 0, 0, 0, 0 }, with_gap[] = { 9, 9, 0, 9, 9, 9, 9, 9 };
	struct bench_pulse pulses[9];

	(void)state;
	/* 10 per 5 ms are 2000 per second; nine tenths of that are 36 in 20 ms. */
	assert_close(bench_ramp_full_speed_ms(pulses, pulses_of(pulses, slow_first, 8), 2000), 10);
	assert_true(isinf(bench_ramp_full_speed_ms(pulses, pulses_of(pulses, late, 8), 2000)));
	assert_close(bench_ramp_full_speed_ms(pulses, pulses_of(pulses, at_once, 8), 2000), 0);
	assert_close(bench_ramp_full_speed_ms(pulses, pulses_of(pulses, with_gap, 8), 2000), 15);
	assert_true(isinf(bench_ramp_full_speed_ms(pulses, pulses_of(pulses, at_once, 3), 2000)));
	assert_true(isinf(bench_ramp_full_speed_ms(pulses, pulses_of(pulses, at_once, 8), 0)));
	/* A measurer that overslept: the mean is over what lies between its looks, here 45 in 25 ms. */
	pulses_of(pulses, slow_first, 8);
	pulses[3] = pulses[7];
	assert_close(bench_ramp_full_speed_ms(pulses, 4, 2000), 10);
	assert_true(isinf(bench_ramp_full_speed_ms(pulses, 4, 2001)));

	assert_close(bench_ramp_steady(pulses, pulses_of(pulses, slow_first, 8)), 1800);
	assert_close(bench_ramp_steady(pulses, pulses_of(pulses, late, 8)), 1350);
	pulses[1] = pulses[8];
	assert_close(bench_ramp_steady(pulses, 2), 675); /* nothing between the ends: the whole step */
}

static void who_is_called_off_in_a_ramp_sleeps(void **state)
{
	struct bench_step steps[] = { { 1, true }, { 4, false }, { 1, true } };
	struct bench_step_sample samples[3];
	struct bench_pulse pulses[64];
	struct bench_moment moments[6];
	struct bench_timeline timeline = { .moments = moments, .room = 6 };
	struct bench_ramp ramp = { steps, 3, 2, pulses, 64, samples };
	struct bench_sample sample;
	struct bench_error error;
	struct bench_cpus cpus;
	struct bench_job job = { .lock = &bench_gsync_mutex, .threads = 4, .cs_ns = 500, .think_ns = 500, .seconds = 0.3,
				 .cpus = &cpus, .ramp = &ramp, .pin = false, .timeline = &timeline,
				 .every_ns = 50000000 };
	bool seen = false;

	(void)state;
	assert_true(bench_ramp_room(0.1) <= 64);
	assert_int_equal(bench_cpus_read(&cpus), 0);
	/* On a busy machine a thread may not get to where it sleeps, or from there, within a step. */
	for (int attempt = 0; attempt < ATTEMPTS && !seen; attempt++) {
		if (bench_measure(&job, &sample, &error) != 0)
			fail_msg("%s", error.text);
		assert_true(sample.errors == 0 && sample.jain <= 1);
		seen = timeline.count == 6 && moments[1].threads == 1 && moments[3].threads == 4 &&
		       moments[5].threads == 1 && samples[0].ops_per_s > 0 && samples[2].ops_per_s > 0;
		/* A quarter is what four threads' fairness would be by what they had done before. */
		seen = seen && samples[1].jain > 0.3;
		/* One thread uses one CPU, and the others, on their way to sleep, next to nothing. */
		seen = seen && samples[0].cpu_ns_per_op * samples[0].ops_per_s < 1.2e9 &&
		       samples[2].cpu_ns_per_op * samples[2].ops_per_s < 1.2e9;
	}
	assert_true(seen);
	assert_close(samples[0].full_speed_ms, 0);
	assert_close(samples[1].full_speed_ms, 0);
	assert_true(samples[2].full_speed_ms >= 0);
	assert_close(samples[0].jain, 1);
	bench_cpus_free(&cpus);
}

static void a_ramp_takes_its_second_copy_along_and_both_are_pinned_as_its_steps_say(void **state)
{
	struct bench_step steps[] = { { 1, true }, { 3, false }, { 1, true } };
	struct bench_step_sample samples[3];
	struct bench_pulse pulses[64];
	struct bench_ramp ramp = { steps, 3, 2, pulses, 64, samples };
	struct bench_lock lock = bench_pthread_mutex;
	struct bench_cpus cpus;
	struct bench_job job = { .lock = &lock, .threads = 3, .cs_ns = 1000, .think_ns = 1000, .seconds = 0.3, .cpus = &cpus,
				 .ramp = &ramp, .with_copy = true };
	bool seen = false;
	uint32_t widths;

	(void)state;
	lock.run = lock_and_tell_width_run;
	assert_int_equal(bench_cpus_read(&cpus), 0);
	widths = 1u << 1 | 1u << (cpus.count & 31);
	for (int attempt = 0; attempt < ATTEMPTS && !seen; attempt++) {
		measure_before_witness(&job);
		seen = witness->threads == 3 && witness->threads_of_copy == 3 && witness->widths == widths &&
		       witness->widths_of_copy == widths;
	}
	assert_true(seen);
	bench_cpus_free(&cpus);
}

/* ---- the arithmetic */

static void jain_is_as_computed_by_hand(void **state)
{
	const uint64_t same[] = { 7, 7, 7, 7 }, one[] = { 0, 9, 0, 0 }, mixed[] = { 1, 2, 3 }, none[] = { 0, 0 };

	(void)state;
	assert_close(bench_jain(same, 4), 1);
	assert_close(bench_jain(one, 4), 0.25);
	assert_close(bench_jain(mixed, 3), 36.0 / (3 * 14));
	assert_close(bench_jain(none, 2), 0);
}

static void median_is_as_computed_by_hand(void **state)
{
	double odd[] = { 9, 1, 5 }, even[] = { 4, 1, 3, 2 }, single[] = { 8 };

	(void)state;
	assert_close(bench_median(odd, 3), 5);
	assert_close(bench_median(even, 4), 2.5);
	assert_close(bench_median(single, 1), 8);
	assert_close(bench_median(NULL, 0), 0);
}

static void a_sample_median_goes_field_by_field_but_sums_errors(void **state)
{
	const struct bench_sample rounds[] = {
		{ .ops_per_s = 10, .wait_max_ns = 3, .errors = 1 },
		{ .ops_per_s = 30, .wait_max_ns = 1, .errors = 0 },
		{ .ops_per_s = 20, .wait_max_ns = 2, .errors = 2 },
	};
	struct bench_sample median;

	(void)state;
	bench_sample_median(&median, rounds, 3);
	assert_close(median.ops_per_s, 20);
	assert_close(median.wait_max_ns, 2);
	assert_close(median.errors, 3);
	assert_close(bench_spread(rounds, 3), 1);
}

static void fill(struct bench_cell *cell, enum bench_scenario scenario, const struct bench_lock *lock, double ops0,
		 double ops1)
{
	cell->kind = BENCH_LOCK;
	cell->scenario = scenario;
	cell->lock = lock;
	cell->name = lock->name;
	cell->ours = lock->ours;
	cell->threads = 4;
	cell->load = (struct bench_load){ 100, 100, BENCH_BODY_EMPTY };
	cell->rounds[0] = (struct bench_sample){ .ops_per_s = ops0, .cpu_ns_per_op = 1000 / ops0 };
	cell->rounds[1] = (struct bench_sample){ .ops_per_s = ops1, .cpu_ns_per_op = 1000 / ops1 };
	bench_sample_median(&cell->median, cell->rounds, 2);
}

static void ratios_are_taken_round_by_round(void **state)
{
	static struct bench_cell cells[3];
	const struct bench_settings settings = { .rounds = 2 };
	const struct bench_run run = { .settings = &settings, .cells = cells, .count = 3 };

	(void)state;
	fill(&cells[0], BENCH_PLAIN, &bench_gsync_mutex, 30, 10);
	fill(&cells[1], BENCH_PLAIN, &bench_pthread_spin, 1, 2);
	fill(&cells[2], BENCH_PLAIN, &bench_pthread_mutex, 10, 20);
	assert_int_equal(bench_group_end(&run, 0), 3);
	assert_ptr_equal(bench_group_best_peer(&run, 0, 3), &cells[2]);
	assert_close(bench_cell_ratio(&run, &cells[0], &cells[2]), (3 + 0.5) / 2);
	assert_close(bench_cell_ratio(&run, &cells[2], &cells[2]), 1);
}

static void a_bound_is_no_peer_but_compared_with_its_lock(void **state)
{
	static struct bench_cell cells[3];
	const struct bench_settings settings = { .rounds = 2 };
	const struct bench_run run = { .settings = &settings, .cpus = { .count = 2 }, .cells = cells, .count = 3 };
	json_t *report, *reported;

	(void)state;
	fill(&cells[0], BENCH_PLAIN, &bench_gsync_oticket, 30, 10);
	fill(&cells[1], BENCH_PLAIN, &bench_token_ring, 100, 20);
	cells[1].bound = true;
	fill(&cells[2], BENCH_PLAIN, &bench_pthread_mutex, 1, 2);
	assert_ptr_equal(bench_group_best_peer(&run, 0, 3), &cells[2]);

	report = bench_report_json(&run, json_object());
	reported = json_object_get(report, "cells");
	assert_close(json_real_value(json_object_get(json_array_get(reported, 0), "over_bound")), (0.3 + 0.5) / 2);
	assert_null(json_object_get(json_array_get(reported, 0), "bound"));
	assert_true(json_is_true(json_object_get(json_array_get(reported, 1), "bound")));
	assert_null(json_object_get(json_array_get(reported, 1), "over_bound"));
	assert_null(json_object_get(json_array_get(reported, 2), "over_bound"));
	assert_null(json_object_get(json_array_get(reported, 2), "bound"));
	json_decref(report);
}

/* A run of one lock, measured in each scenario. */
struct disturbed {
	struct bench_settings settings;
	struct bench_cell cells[4];
	struct bench_run run;
};

static struct disturbed *fill_scenarios(void)
{
	static struct disturbed all;

	all = (struct disturbed){
		.settings = { .rounds = 2 },
		.run = { .settings = &all.settings, .cpus = { .count = 2 }, .usable_cpus = 2, .cells = all.cells, .count = 4 },
	};
	fill(&all.cells[0], BENCH_PLAIN, &bench_gsync_mutex, 40, 40);
	fill(&all.cells[1], BENCH_HOGS, &bench_gsync_mutex, 20, 20);
	fill(&all.cells[2], BENCH_STEAL, &bench_gsync_mutex, 20, 20);
	fill(&all.cells[3], BENCH_OC, &bench_gsync_mutex, 10, 10);
	all.cells[2].median.stolen_share = 0.4;
	return &all;
}

static void effects_against_plain_are_as_computed_by_hand(void **state)
{
	struct disturbed *all = fill_scenarios();
	struct bench_effects effects;

	(void)state;
	assert_false(bench_cell_effects(&all->run, &all->cells[0], &effects));

	/* 4 threads and 2 hogs on 2 CPUs: 4/3 CPUs; twice the CPU time, twice the time on 2/3 of the CPUs. */
	assert_true(bench_cell_effects(&all->run, &all->cells[1], &effects));
	assert_close(effects.cpus_plain, 2);
	assert_close(effects.cpus, 4.0 / 3);
	assert_close(effects.resource, 1);
	assert_close(effects.time, 2 * 2.0 / 3 - 1);
	assert_close(effects.impact, 4.0 / 3 / 2);

	/* Two CPUs of which 0.4 is stolen: 1.2 CPUs. */
	assert_true(bench_cell_effects(&all->run, &all->cells[2], &effects));
	assert_close(effects.cpus, 1.2);
	assert_close(effects.time, 2 * 0.6 - 1);

	/* Half of the CPUs: four times the CPU time, four times the time on half of them. */
	assert_true(bench_cell_effects(&all->run, &all->cells[3], &effects));
	assert_close(effects.cpus, 1);
	assert_close(effects.resource, 3);
	assert_close(effects.time, 4.0 / 2 - 1);
	assert_close(effects.impact, 2.0 / 4);

	/* Without plain, and in a ramp, there are none. */
	all->settings.ramp = true;
	assert_false(bench_cell_effects(&all->run, &all->cells[3], &effects));
	all->settings.ramp = false;
	all->run.cells = &all->cells[1];
	all->run.count = 3;
	assert_false(bench_cell_effects(&all->run, &all->cells[3], &effects));
}

/* It meets one hog there, and can lose that one CPU only. */
static void a_bound_has_one_cpu(void **state)
{
	struct disturbed *all = fill_scenarios();
	struct bench_effects effects;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		all->cells[i].bound = true;
	assert_true(bench_cell_effects(&all->run, &all->cells[1], &effects));
	assert_close(effects.cpus_plain, 1);
	assert_close(effects.cpus, 4.0 / 5);
	assert_true(bench_cell_effects(&all->run, &all->cells[2], &effects));
	assert_close(effects.cpus, 0.6);
	assert_true(bench_cell_effects(&all->run, &all->cells[3], &effects));
	assert_close(effects.cpus, 0.5);
}

static double cpus_left(struct bench_run *run, enum bench_scenario scenario, unsigned threads, bool pinned)
{
	struct bench_effects effects;

	fill(&run->cells[0], BENCH_PLAIN, &bench_gsync_mutex, 40, 40);
	fill(&run->cells[1], scenario, &bench_gsync_mutex, 20, 20);
	run->cells[0].threads = run->cells[1].threads = threads;
	run->cells[0].pinned = run->cells[1].pinned = pinned;
	assert_true(bench_cell_effects(run, &run->cells[1], &effects));
	assert_close(effects.cpus_plain, fmin(threads, run->usable_cpus));
	return effects.cpus;
}

static void few_threads_lose_half_only_where_they_are_pinned(void **state)
{
	static struct bench_cell cells[2];
	const struct bench_settings settings = { .rounds = 2 };
	struct bench_run run = {
		.settings = &settings, .cpus = { .count = 4 }, .usable_cpus = 4, .cells = cells, .count = 2
	};

	(void)state;
	assert_close(cpus_left(&run, BENCH_HOGS, 1, true), 0.5);
	assert_close(cpus_left(&run, BENCH_HOGS, 1, false), 0.8);
	assert_close(cpus_left(&run, BENCH_HOGS, 4, true), 2);
	assert_close(cpus_left(&run, BENCH_OC, 1, true), 0.5);
	assert_close(cpus_left(&run, BENCH_OC, 1, false), 1);
	assert_close(cpus_left(&run, BENCH_OC, 4, true), 2);
	assert_close(cpus_left(&run, BENCH_OC, 16, true), 2);
	run.usable_cpus = 1.5; /* by a quota, upon which the others draw, too */
	assert_close(cpus_left(&run, BENCH_HOGS, 4, true), 0.75);
	assert_close(cpus_left(&run, BENCH_STEAL, 4, true), 1.5);
	assert_close(cpus_left(&run, BENCH_OC, 4, false), 0.75);
	assert_close(cpus_left(&run, BENCH_OC, 1, true), 0.5);
}

/* ---- the table of locks */

static void names_are_found_and_absences_explained(void **state)
{
	(void)state;
	for (size_t i = 0; bench_locks[i] != NULL; i++) {
		assert_ptr_equal(bench_lock_find(bench_locks[i]->name), bench_locks[i]);
		assert_null(bench_absent_reason(bench_locks[i]->name));
		assert_true(bench_locks[i]->size > 0 && bench_locks[i]->size <= sizeof(struct bench_object));
	}
	for (size_t i = 0; bench_barriers[i] != NULL; i++)
		assert_ptr_equal(bench_barrier_find(bench_barriers[i]->name), bench_barriers[i]);
	for (size_t i = 0; bench_absent_name(i) != NULL; i++) {
		assert_null(bench_lock_find(bench_absent_name(i)));
		assert_non_null(strstr(bench_absent_reason(bench_absent_name(i)), "not compiled in (install "));
	}
	assert_null(bench_lock_find("nonsense"));
	assert_null(bench_absent_reason("nonsense"));
	assert_null(bench_lock_find("token_ring"));
	assert_non_null(strstr(bench_absent_reason("token_ring"), "beside gsync_oticket"));
	for (size_t i = 0; bench_runtimes[i] != NULL; i++)
		assert_ptr_equal(bench_runtime_find(bench_runtimes[i]->name), bench_runtimes[i]);
}

/* ---- parallel regions */

static void leave_one_out(size_t count, bench_range_fn *run, void *context, bool together)
{
	(void)together;
	run(context, 0, count - 1);
}

static int start_at_once(unsigned number, struct bench_error *error)
{
	(void)number;
	(void)error;
	return 0;
}

static struct bench_sample measure_region(const struct bench_runtime *runtime, enum bench_body body)
{
	const struct bench_cpus nobody_stolen_from = { .count = 1 };
	struct bench_job job = { .runtime = runtime, .body = body, .threads = 2, .seconds = 0.01,
				 .cpus = &nobody_stolen_from };
	struct bench_sample sample;
	struct bench_error error;

	if (bench_forkjoin_measure(&job, &sample, &error) != 0)
		fail_msg("%s: %s", runtime->name, error.text);
	return sample;
}

/* What ThreadSanitizer does not see into it takes for broken. */
static bool can_be_measured(const struct bench_runtime *runtime)
{
	return bench_runtime_is_there(runtime) && !(UNDER_TSAN && (runtime->library != NULL || !runtime->gathers) &&
						     strcmp(runtime->name, BENCH_SERIAL) != 0);
}

static void every_runtime_is_measured(void **state)
{
	(void)state;
	for (size_t i = 0; bench_runtimes[i] != NULL; i++) {
		const struct bench_runtime *runtime = bench_runtimes[i];
		struct bench_sample sample;

		if (!can_be_measured(runtime))
			continue;
		for (enum bench_body body = 0; body < BENCH_BODIES; body++) {
			if (body == BENCH_BODY_RENDEZVOUS && !runtime->gathers)
				continue;
			sample = measure_region(runtime, body);
			assert_true(sample.errors == 0 && sample.ops_per_s > 0 && sample.cpu_ns_per_op > 0);
			assert_true(sample.wait_p50_ns <= sample.wait_max_ns * 1.02);
		}
	}
}

static void a_runtime_that_leaves_an_index_out_is_noticed(void **state)
{
	const struct bench_runtime broken = { .name = "broken", .start = start_at_once, .loop = leave_one_out };

	(void)state;
	assert_true(measure_region(&broken, BENCH_BODY_EMPTY).errors > 0);
	assert_true(measure_region(&broken, BENCH_BODY_SUM).errors > 1);
}

/* Whoever builds without a library still learns that there is a peer, and what to install. */
static void every_peer_is_there_or_says_what_to_install(void **state)
{
	static const struct {
		const char *name, *package;
	} peers[] = {
		{ "pthread_spin", NULL },      { "pthread_mutex", NULL },      { "pthread_mutex_adaptive", NULL },
		{ "ck_fas", "libck-dev" },     { "ck_ticket", "libck-dev" },   { "ck_mcs", "libck-dev" },
		{ "ck_clh", "libck-dev" },     { "nsync_mu", "libnsync-dev" }, { "tbb_spin", "libtbb-dev" },
		{ "tbb_queuing", "libtbb-dev" }, { "absl_mutex", "libabsl-dev" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++) {
		const struct bench_lock *lock = bench_lock_find(peers[i].name);
		const char *reason = bench_absent_reason(peers[i].name);

		if (lock != NULL)
			assert_false(lock->ours);
		else if (peers[i].package == NULL || reason == NULL || strstr(reason, peers[i].package) == NULL)
			fail_msg("%s is not there: %s", peers[i].name, reason != NULL ? reason : "for no reason");
	}
}

/* ---- options */

#define ARGUMENTS_MAX 16

/* Parses words that are separated by spaces, as main would hand them over. */
static int parse(struct cli_bench_options *options, const char *words, struct bench_error *error)
{
	char copy[200], *arguments[ARGUMENTS_MAX + 1] = { (char[]){ "guestsync" } }, *rest = copy, *word;
	int count = 1;

	snprintf(copy, sizeof(copy), "%s", words);
	while (count < ARGUMENTS_MAX && (word = strsep(&rest, " ")) != NULL)
		arguments[count++] = word;
	optind = 0;
	return cli_bench_options_parse(options, count, arguments, error);
}

static const struct {
	const char *words, *reason;
} bad_options[] = {
	{ "--threads 0", "number of threads" },
	{ "--threads -1", "number of threads" },
	{ "--threads 4097", "number of threads" },
	{ "--threads 2x", "number of threads" },
	{ "--threads 1,,2", "empty item" },
	{ "--cs -1", "critical section" },
	{ "--cs 1.5", "critical section" },
	{ "--cs 99999999999999999999999", "critical section" },
	{ "--think x", "think time" },
	{ "--cs 1,2,3 --think 1,2", "give as many" },
	{ "--seconds 0", "--seconds" },
	{ "--seconds nan", "--seconds" },
	{ "--seconds 61", "--seconds" },
	{ "--every 9", "--every" },
	{ "--every 60001", "--every" },
	{ "--every -10", "--every" },
	{ "--every 10.5", "--every" },
	{ "--every x", "--every" },
	{ "--every 201", "longer than a window" },
	{ "--every 50 --format csv", "no place in csv" },
	{ "--every 50 --format markdown", "no place in markdown" },
	{ "--from x.json --threads 2", "--threads has no place beside it" },
	{ "--rounds 3 --from x.json", "--rounds has no place beside it" },
	{ "--from x.json --format xml", "--format" },
	{ "--rounds 0", "--rounds" },
	{ "--rounds 100", "--rounds" },
	{ "--kind sem", "not available in this version" },
	{ "--kind foo", "unknown kind 'foo'" },
	{ "--ramp --kind barrier", "--ramp is for locks" },
	{ "--ramp --seconds 0.04", "steps of --seconds 0.05" },
	{ "--ramp --every 201", "longer than a step" },
	{ "--ramp --format csv", "--ramp has no place in csv" },
	{ "--ramp=2", "" },
	{ "--scenario foo", "unknown scenario 'foo'" },
	{ "--locks x", "unknown lock 'x'; known: gsync_spin" },
	{ "--locks gsync_for", "add --kind forkjoin" },
	{ "--kind forkjoin --locks gsync_mutex", "add --kind lock" },
	{ "--kind forkjoin --locks x", "unknown lock 'x'; known: gsync_for" },
	{ "--kind forkjoin --body foo", "unknown body 'foo'" },
	{ "--body us", "--body is for --kind forkjoin" },
	{ "--kind forkjoin --every 50", "--every is not for --kind forkjoin" },
	{ "--locks gsync_barrier", "add --kind barrier" },
	{ "--kind lock,barrier --locks gsync_spin", "names no barrier" },
	{ "--format xml", "--format" },
	{ "--pin maybe", "--pin" },
	{ "extra", "options only" },
};

static void bad_options_are_refused_with_a_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad_options) / sizeof(bad_options[0]); i++) {
		struct cli_bench_options options;
		struct bench_error error;

		if (parse(&options, bad_options[i].words, &error) != CLI_USAGE ||
		    strstr(error.text, bad_options[i].reason) == NULL)
			fail_msg("\"%s\" was not refused for \"%s\" but: %s", bad_options[i].words,
				 bad_options[i].reason, error.text);
		cli_bench_options_free(&options);
	}
}

static size_t count_ours(void)
{
	size_t count = 0;

	for (size_t i = 0; bench_locks[i] != NULL; i++)
		count += bench_locks[i]->ours;
	return count;
}

static void options_mean_what_the_help_says(void **state)
{
	struct cli_bench_options options;
	struct bench_error error;

	(void)state;
	assert_in_range(count_ours(), 3, 99);
	assert_int_equal(parse(&options, "--threads 2,2,1 --cs 0,50,50 --locks ours --json --seconds .5", &error),
			 CLI_OK);
	assert_int_equal(options.settings.thread_count, 2);
	assert_int_equal(options.settings.load_count, 2);
	assert_int_equal(options.settings.loads[1].think_ns, 50);
	assert_int_equal(options.settings.lock_count, count_ours());
	assert_int_equal(options.settings.barrier_count, 0);
	assert_int_equal(options.format, CLI_FORMAT_JSON);
	assert_close(options.settings.seconds, 0.5);
	assert_int_equal(options.settings.rounds, 3);
	assert_int_equal(options.settings.every_ms, 0);
	assert_true(options.settings.bounds);
	assert_ptr_equal(bench_gsync_oticket.bound, &bench_token_ring);
	cli_bench_options_free(&options);
	assert_int_equal(parse(&options, "--kind lock,barrier --locks peers --think 7 --cs 1,2", &error), CLI_OK);
	for (size_t i = 0; i < options.settings.lock_count; i++)
		assert_false(options.settings.locks[i]->ours);
	assert_true(options.settings.barrier_count >= 1);
	assert_int_equal(options.settings.loads[1].cs_ns, 2);
	assert_int_equal(options.settings.loads[1].think_ns, 7);
	cli_bench_options_free(&options);
}

static void what_is_printed_is_what_was_said_last(void **state)
{
	struct cli_bench_options options;
	struct bench_error error;

	(void)state;
	assert_int_equal(parse(&options, "--json --format csv", &error), CLI_OK);
	assert_int_equal(options.format, CLI_FORMAT_CSV);
	cli_bench_options_free(&options);
	assert_int_equal(parse(&options, "--format csv --json", &error), CLI_OK);
	assert_int_equal(options.format, CLI_FORMAT_JSON);
	cli_bench_options_free(&options);
	assert_int_equal(parse(&options, "-h stray", &error), CLI_OK);
	assert_true(options.help);
	cli_bench_options_free(&options);
	assert_int_equal(parse(&options, "--every 200", &error), CLI_OK);
	assert_int_equal(options.settings.every_ms, 200);
	cli_bench_options_free(&options);
	assert_int_equal(parse(&options, "--every 10 --format csv --plot x.svg", &error), CLI_OK);
	cli_bench_options_free(&options);
	assert_int_equal(parse(&options, "--every 10 --format markdown --report x", &error), CLI_OK);
	assert_string_equal(options.report, "x");
	cli_bench_options_free(&options);
	assert_int_equal(parse(&options, "--from x.json,y.json --format markdown --out z", &error), CLI_OK);
	assert_string_equal(options.from, "x.json,y.json");
	assert_int_equal(options.format, CLI_FORMAT_MARKDOWN);
	cli_bench_options_free(&options);
}

static void a_ramp_takes_its_steps_as_they_come(void **state)
{
	struct cli_bench_options options;
	struct bench_error error;

	(void)state;
	assert_int_equal(parse(&options, "--ramp --threads 1,2,2,1 --scenario oc", &error), CLI_OK);
	assert_int_equal(options.settings.thread_count, 4);
	assert_int_equal(options.settings.threads[3], 1);
	assert_int_equal(options.settings.every_ms, 50);
	assert_true(options.settings.scenarios[BENCH_OC]);
	cli_bench_options_free(&options);
	assert_int_equal(parse(&options, "--ramp --every 20", &error), CLI_OK);
	assert_int_equal(options.settings.thread_count, 5);
	assert_int_equal(options.settings.threads[0], 1);
	assert_int_equal(options.settings.threads[3], options.settings.threads[1]);
	assert_int_equal(options.settings.threads[4], 1);
	assert_int_equal(options.settings.every_ms, 20);
	cli_bench_options_free(&options);
}

/* ---- reports */

static void assert_sample_form(const json_t *sample)
{
	static const char *const names[] = {
		"ops_per_s", "cpu_ns_per_op", "jain", "wait_p50_ns", "wait_p99_ns", "wait_p999_ns", "wait_max_ns",
		"voluntary_switches", "involuntary_switches", "errors",
	};

	assert_int_equal(json_object_size(sample), sizeof(names) / sizeof(names[0]));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_true(json_is_number(json_object_get(sample, names[i])));
}

static double throughput(const json_t *cell)
{
	return json_number_value(json_object_get(json_object_get(cell, "median"), "ops_per_s"));
}

/* Beside hogs a short window may pass without a single operation: then there is nothing to compare. */
static void assert_effects_form(const json_t *cell, const json_t *plain)
{
	static const char *const names[] = { "resource_effect", "time_effect", "impact_factor", "delta_eta_r",
					     "delta_eta_t",	"omega",       "cpus_plain",	"cpus" };
	const json_t *effects = json_object_get(cell, "against_plain");

	if (throughput(cell) > 0 && throughput(plain) > 0)
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			assert_true(json_is_real(json_object_get(effects, names[i])));
	else
		assert_null(effects);
}

static void assert_cell_form(const json_t *cell)
{
	const char *kind, *scenario, *lock;
	json_int_t threads, cs, think;
	json_t *rounds, *median;

	assert_int_equal(json_unpack((json_t *)cell, "{s:s, s:s, s:s, s:I, s:I, s:I, s:o, s:o}", "kind", &kind,
				     "scenario", &scenario, "lock", &lock, "threads", &threads, "cs_ns", &cs,
				     "think_ns", &think, "rounds", &rounds, "median", &median),
			 0);
	assert_true(strcmp(kind, "lock") == 0 ? cs == 50 : cs == 0);
	assert_int_equal(think, 50);
	assert_int_equal(threads, 2);
	assert_int_equal(json_array_size(rounds), 2);
	assert_sample_form(json_array_get(rounds, 0));
	assert_sample_form(json_array_get(rounds, 1));
	assert_sample_form(median);
}

static void a_tiny_run_has_the_fixed_json_form(void **state)
{
	struct cli_bench_options options;
	struct bench_error error;
	struct bench_run run;
	json_t *report, *cells;

	(void)state;
	assert_int_equal(parse(&options,
			       "--kind=lock,barrier --locks=gsync_mutex,pthread_mutex,pthread_barrier "
			       "--threads=2 --cs=50 --seconds=0.01 --rounds=2 --scenario=plain,hogs,oc",
			       &error),
			 CLI_OK);
	assert_int_equal(bench_run_init(&run, &options.settings, &error), 0);
	assert_int_equal(run.count, 9);
	assert_int_equal(bench_run_measure(&run, NULL, &error), 0);
	report = bench_report_json(&run, json_object());
	assert_non_null(report);
	assert_true(json_is_object(json_object_get(report, "machine")));
	assert_true(json_is_object(json_object_get(report, "settings")));
	cells = json_object_get(report, "cells");
	assert_int_equal(json_array_size(cells), 9);
	for (size_t i = 0; i < 9; i++)
		assert_cell_form(json_array_get(cells, i));
	for (size_t i = 0; i < 2; i++) { /* two locks in plain, in hogs, in oc; then the barrier */
		assert_null(json_object_get(json_array_get(cells, i), "against_plain"));
		assert_effects_form(json_array_get(cells, 2 + i), json_array_get(cells, i));
		assert_effects_form(json_array_get(cells, 4 + i), json_array_get(cells, i));
	}
	assert_effects_form(json_array_get(cells, 7), json_array_get(cells, 6));
	assert_effects_form(json_array_get(cells, 8), json_array_get(cells, 6));
	assert_null(json_object_get(json_array_get(cells, 0), "ramp"));
	json_decref(report);
	bench_run_free(&run);
	cli_bench_options_free(&options);
}

static double number_of(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	if (!json_is_number(value))
		fail_msg("no number \"%s\"", name);
	return json_number_value(value);
}

/* The moments lie on the grid. */
static void assert_timeline(const json_t *timeline, double every_ms, double window_ms)
{
	size_t count = json_array_size(timeline);
	double before = 0;

	assert_true(count >= 1 && count <= (size_t)(window_ms / every_ms));
	for (size_t i = 0; i < count; i++) {
		const json_t *moment = json_array_get(timeline, i);
		double t = number_of(moment, "t_ms");

		assert_int_equal(json_object_size(moment), 8);
		assert_true(t >= before + (i == 0 ? every_ms : 0) && floor(t / every_ms) > floor(before / every_ms));
		/* Nothing is 0 for certain: a moment that came late leaves the next a slice too short for any thread. */
		assert_true(number_of(moment, "cpu_ns_per_op") >= 0);
		assert_true(number_of(moment, "voluntary_per_s") >= 0);
		assert_true(number_of(moment, "involuntary_per_s") >= 0);
		before = t;
	}
}

static bool is_near(double a, double b)
{
	return a > 0 && fabs(a - b) < 0.25 * b;
}

/* Do the moments of ROUND say together what it says of the whole window? Not when one is missing, or the end came late. */
static bool adds_up(const json_t *round)
{
	const json_t *timeline = json_object_get(round, "timeline"), *moment;
	double before = 0, done = 0, cpu_ns = 0, switches = 0;
	size_t i;

	json_array_foreach(timeline, i, moment) {
		double t = number_of(moment, "t_ms"), seconds = (t - before) / 1e3;
		double ops = number_of(moment, "ops_per_s") * seconds;

		done += ops;
		cpu_ns += number_of(moment, "cpu_ns_per_op") * fmax(ops, 1);
		switches += number_of(moment, "voluntary_per_s") * seconds;
		before = t;
	}
	return json_array_size(timeline) == 4 && is_near(done / before * 1e3, number_of(round, "ops_per_s")) &&
	       is_near(cpu_ns / done, number_of(round, "cpu_ns_per_op")) &&
	       is_near(switches, number_of(round, "voluntary_switches"));
}

static void a_timeline_adds_up_to_its_window(void **state)
{
	struct cli_bench_options options;
	struct bench_error error;
	struct bench_run run;
	bool seen[4] = { false };

	(void)state;
	assert_int_equal(parse(&options,
			       "--kind=lock,barrier --locks=gsync_mutex,pthread_barrier --threads=2 --cs=50 "
			       "--seconds=0.2 --rounds=2 --every=50",
			       &error),
			 CLI_OK);
	assert_int_equal(bench_run_init(&run, &options.settings, &error), 0);
	assert_int_equal(gsync_profile_set("usable_cpus", 77), 0);
	assert_int_equal(gsync_profile_set("spin_ns", 12345), 0);
	for (int attempt = 0; attempt < ATTEMPTS && !(seen[0] && seen[1] && seen[2] && seen[3]); attempt++) {
		json_t *report, *cells;

		assert_int_equal(bench_run_measure(&run, NULL, &error), 0);
		report = bench_report_json(&run, json_object());
		cells = json_object_get(report, "cells");
		for (size_t i = 0; i < 4; i++) {
			const json_t *cell = json_array_get(cells, i / 2);
			const json_t *round = json_array_get(json_object_get(cell, "rounds"), i % 2);
			const json_t *timeline = json_object_get(round, "timeline");

			assert_timeline(timeline, 50, 200);
			seen[i] |= adds_up(round);
			assert_int_equal(number_of(json_array_get(timeline, 0), "usable_cpus"), 77);
			assert_int_equal(number_of(json_array_get(timeline, 0), "spin_ns"), 12345);
			assert_null(json_object_get(json_object_get(cell, "median"), "timeline"));
		}
		json_decref(report);
	}
	assert_true(seen[0] && seen[1] && seen[2] && seen[3]);
	assert_int_equal(gsync_profile_reset(NULL), 0);
	bench_run_free(&run);
	cli_bench_options_free(&options);
}

/* A step that falls back, and only that, says when full speed was back: a number, or null. */
static void assert_step_form(const json_t *step, bool falls_back)
{
	const json_t *rounds = json_object_get(step, "rounds"), *after = json_object_get(step, "full_speed_after_ms");

	assert_true(json_is_boolean(json_object_get(step, "pinned")));
	number_of(step, "ops_per_s");
	number_of(step, "cpu_ns_per_op");
	number_of(step, "steady_ops_per_s");
	number_of(step, "jain");
	assert_int_equal(json_object_size(step), falls_back ? 9 : 7);
	assert_true(!falls_back ? after == NULL : json_is_number(after) || json_is_null(after));
	assert_int_equal(json_array_size(rounds), 2);
	assert_int_equal(json_object_size(json_array_get(rounds, 1)), falls_back ? 5 : 4);
}

static void a_ramp_tells_of_each_step_and_changes_nothing_else(void **state)
{
	struct cli_bench_options options;
	struct bench_error error;
	struct bench_run run;
	json_t *report, *cell, *steps;

	(void)state;
	assert_int_equal(parse(&options,
			       "--ramp --locks=gsync_mutex --threads=1,200,1 --cs=50 --seconds=0.2 --rounds=2 "
			       "--every=10 --scenario=plain,oc",
			       &error),
			 CLI_OK);
	assert_int_equal(bench_run_init(&run, &options.settings, &error), 0);
	if (bench_run_measure(&run, NULL, &error) != 0)
		fail_msg("%s", error.text);
	for (size_t i = 0; i < 2; i++) /* null comes out as null */
		bench_run_ramp(&run, &run.cells[1], (unsigned)i).samples[2].full_speed_ms = INFINITY;
	report = bench_report_json(&run, json_object());
	assert_int_equal(json_array_size(json_object_get(report, "cells")), 2);
	for (size_t i = 0; i < 2; i++) {
		cell = json_array_get(json_object_get(report, "cells"), i);
		steps = json_object_get(cell, "ramp");
		assert_int_equal(number_of(cell, "threads"), 200);
		assert_sample_form(json_object_get(cell, "median"));
		assert_null(json_object_get(cell, "against_plain"));
		assert_int_equal(json_array_size(steps), 3);
		for (size_t step = 0; step < 3; step++)
			assert_step_form(json_array_get(steps, step), step == 2);
		assert_int_equal(number_of(json_array_get(steps, 1), "threads"), 200);
		assert_true(json_is_true(json_object_get(json_array_get(steps, 0), "pinned")));
		assert_int_equal(run.cpus.count < 200,
				 json_is_false(json_object_get(json_array_get(steps, 1), "pinned")));
		cell = json_array_get(json_object_get(json_array_get(json_object_get(cell, "rounds"), 0), "timeline"), 0);
		assert_int_equal(number_of(cell, "threads"), 1);
	}
	assert_true(json_is_null(json_object_get(json_array_get(steps, 2), "full_speed_after_ms")));
	json_decref(report);
	bench_run_free(&run);
	cli_bench_options_free(&options);
}

static uint64_t tired_at;

static int rest(void *lock)
{
	(void)lock;
	tired_at = gsync_monotonic_ns() + 120000000;
	return 0;
}

static inline void lock_until_tired(void *lock, struct bench_node *node)
{
	const struct timespec nap = { 0, 1000000 };

	(void)lock;
	(void)node;
	if (gsync_monotonic_ns() > tired_at)
		nanosleep(&nap, NULL);
}

BENCH_LOCK_RUN(lock_until_tired_run, lock_until_tired, open_door)

static void a_moment_tells_of_its_own_slice_only(void **state)
{
	const struct bench_lock lock = {
		.name = "tiring", .init = rest, .destroy = pretend, .run = lock_until_tired_run
	};
	struct bench_moment moments[4];
	struct bench_timeline timeline = { .moments = moments, .room = 4 };
	struct bench_sample sample;
	struct bench_error error;
	struct bench_cpus cpus;
	struct bench_job job = { .lock = &lock, .threads = 1, .seconds = 0.2, .cpus = &cpus, .every_ns = 50000000,
				 .timeline = &timeline };
	bool seen = false;

	(void)state;
	assert_int_equal(bench_cpus_read(&cpus), 0);
	for (int attempt = 0; attempt < ATTEMPTS && !seen; attempt++) {
		assert_int_equal(bench_measure(&job, &sample, &error), 0);
		seen = timeline.count == 4 && moments[3].ops_per_s < moments[0].ops_per_s / 10;
	}
	assert_true(seen);
	bench_cpus_free(&cpus);
}

/* A pressure that has expired is none, whatever was last seen. */
static void a_moment_shows_the_pressure_that_waiters_feel(void **state)
{
	struct bench_moment moment;
	uint64_t second = (uint64_t)(gsync_ticks_per_ns(gsync_calibration_of_process()) * 1e9);

	(void)state;
	__atomic_store_n(&gsync_live.pressure, 42u, __ATOMIC_RELAXED);
	__atomic_store_n(&gsync_live.pressed_until, gsync_ticks() + second / 20, __ATOMIC_RELAXED);
	bench_moment_read_profile(&moment);
	assert_int_equal(moment.pressure_percent, 42);
	__atomic_store_n(&gsync_live.pressed_until, gsync_ticks() - 1, __ATOMIC_RELAXED);
	bench_moment_read_profile(&moment);
	assert_int_equal(moment.pressure_percent, 0);
	__atomic_store_n(&gsync_live.pressed_until, 0u, __ATOMIC_RELAXED);
	bench_moment_read_profile(&moment);
	assert_int_equal(moment.pressure_percent, 0);
}

static void read_file(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	text[fread(text, 1, size - 1, file)] = '\0';
	fclose(file);
}

/* libc's, from here on: what would be on the disk, and as it were a disk that fails. */
static struct {
	const char *target; /* of the file that is being written */
	unsigned calls;
	off_t bytes;
	bool target_is_there;
	int reason; /* to fail; 0 = none */
} synced;

int fsync(int fd)
{
	struct stat status;

	synced.calls++;
	assert_int_equal(fstat(fd, &status), 0);
	synced.bytes = status.st_size;
	synced.target_is_there = synced.target && access(synced.target, F_OK) == 0;
	errno = synced.reason;
	return synced.reason == 0 ? 0 : -1;
}

static void an_output_file_is_on_the_disk_before_it_has_its_name(void **state)
{
	char directory[] = "/tmp/guestsync-test-XXXXXX", path[64];
	struct bench_output output;
	struct bench_error error;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/report", directory);
	synced.target = path;
	synced.calls = 0;
	synced.reason = EIO;
	assert_int_equal(bench_output_open(&output, path, &error), 0);
	fputs("first", output.file);
	assert_int_equal(bench_output_commit(&output, &error), -1);
	assert_non_null(strstr(error.text, "Input/output error"));
	assert_int_equal(access(path, F_OK), -1);

	synced.reason = 0;
	assert_int_equal(bench_output_open(&output, path, &error), 0);
	fputs("first", output.file);
	assert_int_equal(bench_output_commit(&output, &error), 0);
	assert_int_equal(synced.calls, 2);
	assert_int_equal(synced.bytes, 5);
	assert_false(synced.target_is_there);
	synced.target = NULL;
	unlink(path);
	assert_int_equal(rmdir(directory), 0);
}

static void an_output_file_changes_whole_or_not_at_all(void **state)
{
	char directory[] = "/tmp/guestsync-test-XXXXXX", path[64], text[32];
	struct bench_output output;
	struct bench_error error;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/report", directory);
	assert_int_equal(bench_output_open(&output, path, &error), 0);
	fputs("first", output.file);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(bench_output_commit(&output, &error), 0);

	assert_int_equal(bench_output_open(&output, path, &error), 0);
	fputs("second", output.file);
	bench_output_discard(&output);
	read_file(path, text, sizeof(text));
	assert_string_equal(text, "first");

	assert_int_equal(bench_output_open(&output, directory, &error), -1);
	assert_non_null(strstr(error.text, "directory"));
	unlink(path);
	assert_int_equal(rmdir(directory), 0); /* no temporary file stayed */
	assert_int_equal(bench_output_open(&output, path, &error), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lock_without_exclusion_is_reported),
		cmocka_unit_test(a_barrier_that_does_not_wait_is_reported),
		cmocka_unit_test(a_barrier_without_exactly_one_serial_thread_is_reported),
		cmocka_unit_test(every_lock_of_the_table_passes),
		cmocka_unit_test(every_barrier_of_the_table_passes),
		cmocka_unit_test(the_ring_goes_round_in_order_and_lets_all_leave),
		cmocka_unit_test(no_window_begins_before_each_thread_has_had_a_turn),
		cmocka_unit_test(but_in_the_end_it_begins),
		cmocka_unit_test(a_bound_follows_its_lock_on_one_cpu),
		cmocka_unit_test(a_thread_that_cannot_be_made_fails_and_hangs_nothing),
		cmocka_unit_test(an_interrupted_measurement_says_so),
		cmocka_unit_test(hogs_are_gone_when_the_scenario_ends),
		cmocka_unit_test(stealers_steal_or_are_refused_with_nothing_left),
		cmocka_unit_test(every_window_of_a_round_has_the_same_bursts),
		cmocka_unit_test(the_second_copy_works_from_before_the_window_until_after_it),
		cmocka_unit_test(a_window_whose_second_copy_fails_has_failed),
		cmocka_unit_test(a_step_that_falls_back_has_its_model_on_the_way_up),
		cmocka_unit_test(full_speed_is_back_when_20_ms_on_end_reach_it),
		cmocka_unit_test(who_is_called_off_in_a_ramp_sleeps),
		cmocka_unit_test(a_ramp_takes_its_second_copy_along_and_both_are_pinned_as_its_steps_say),
		cmocka_unit_test(jain_is_as_computed_by_hand),
		cmocka_unit_test(median_is_as_computed_by_hand),
		cmocka_unit_test(a_sample_median_goes_field_by_field_but_sums_errors),
		cmocka_unit_test(ratios_are_taken_round_by_round),
		cmocka_unit_test(a_bound_is_no_peer_but_compared_with_its_lock),
		cmocka_unit_test(effects_against_plain_are_as_computed_by_hand),
		cmocka_unit_test(a_bound_has_one_cpu),
		cmocka_unit_test(few_threads_lose_half_only_where_they_are_pinned),
		cmocka_unit_test(every_runtime_is_measured),
		cmocka_unit_test(a_runtime_that_leaves_an_index_out_is_noticed),
		cmocka_unit_test(names_are_found_and_absences_explained),
		cmocka_unit_test(every_peer_is_there_or_says_what_to_install),
		cmocka_unit_test(bad_options_are_refused_with_a_reason),
		cmocka_unit_test(options_mean_what_the_help_says),
		cmocka_unit_test(what_is_printed_is_what_was_said_last),
		cmocka_unit_test(a_ramp_takes_its_steps_as_they_come),
		cmocka_unit_test(a_tiny_run_has_the_fixed_json_form),
		cmocka_unit_test(a_timeline_adds_up_to_its_window),
		cmocka_unit_test(a_ramp_tells_of_each_step_and_changes_nothing_else),
		cmocka_unit_test(a_moment_tells_of_its_own_slice_only),
		cmocka_unit_test(a_moment_shows_the_pressure_that_waiters_feel),
		cmocka_unit_test(an_output_file_is_on_the_disk_before_it_has_its_name),
		cmocka_unit_test(an_output_file_changes_whole_or_not_at_all),
	};

	return cmocka_run_group_tests_name("bench", tests, NULL, NULL);
}
