/* SPDX-License-Identifier: MIT */
/*
 * Each disturber pins itself, takes its priority and reports through a pipe:
 * 0, or the errno value that stopped it. Measuring begins when all are at work.
 *
 * PR_SET_PDEATHSIG covers the ways to die that leave no time to clean up; the
 * parent may already have died before it is set, hence the look at getppid().
 */
#include "bench/scenario.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/burn.h"
#include "detect/clock.h"

#define BURST_MIN_NS 3000000u
#define BURST_MAX_NS 10000000u
#define PERIOD_MIN_NS 10000000u
#define PERIOD_MAX_NS 20000000u
#define GAP_MIN_NS 200000u
#define STEALER_PRIORITY 50

const char *const bench_scenario_names[BENCH_SCENARIOS] = { "plain", "hogs", "steal" };

struct bench_stealer {
	_Alignas(128) uint64_t stolen_ns;
};

static uint64_t between(uint64_t least, uint64_t most, uint64_t *random)
{
	*random = *random * 6364136223846793005u + 1442695040888963407u;
	return least + (*random >> 33) % (most - least + 1);
}

static _Noreturn void be_a_hog(void)
{
	uint64_t value = 1;

	for (;;)
		value = bench_burn(1000000, value);
}

static void sleep_until(uint64_t ns)
{
	struct timespec deadline = gsync_timespec(ns);

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, NULL) == EINTR)
		;
}

/* The loss is published all through a burst, so that a window that ends within one counts its part. */
static void steal_for(uint64_t ns, uint64_t *stolen_ns)
{
	uint64_t start = gsync_monotonic_ns(), before = *stolen_ns, taken;

	do {
		taken = gsync_monotonic_ns() - start;
		__atomic_store_n(stolen_ns, before + taken, __ATOMIC_RELAXED);
	} while (taken < ns);
}

static _Noreturn void be_a_stealer(struct bench_stealer *self, unsigned index)
{
	uint64_t next = gsync_monotonic_ns(), random = next ^ (index + 1) * 0x9e3779b97f4a7c15u;

	next += between(0, PERIOD_MAX_NS, &random); /* each has its own phase */
	for (;;) {
		uint64_t now;

		sleep_until(next);
		steal_for(between(BURST_MIN_NS, BURST_MAX_NS, &random), &self->stolen_ns);
		next += between(PERIOD_MIN_NS, PERIOD_MAX_NS, &random);
		now = gsync_monotonic_ns();
		if (next < now + GAP_MIN_NS)
			next = now + GAP_MIN_NS; /* late: two bursts do not become one long one */
	}
}

static int take_the_priority_of_a_stealer(void)
{
	struct sched_param parameter = { .sched_priority = STEALER_PRIORITY };

	prctl(PR_SET_TIMERSLACK, 1ul);
	return sched_setscheduler(0, SCHED_FIFO, &parameter) == 0 ? 0 : errno;
}

static _Noreturn void be_a_disturber(struct bench_disturbance *disturbance, unsigned index, int cpu, pid_t parent,
				     int report)
{
	int error;

	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
		_exit(1);
	error = bench_pin_self(cpu);
	if (error == 0 && disturbance->scenario == BENCH_STEAL)
		error = take_the_priority_of_a_stealer();
	if (write(report, &error, sizeof(error)) != (ssize_t)sizeof(error) || error != 0)
		_exit(1);
	close(report);
	if (disturbance->scenario == BENCH_STEAL)
		be_a_stealer(&disturbance->stealers[index], index);
	be_a_hog();
}

/* Returns 0 when all have reported 0, the first errno value reported, or ECHILD when one died without a word. */
static int hear_reports(int report, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		int error;
		ssize_t got;

		do
			got = read(report, &error, sizeof(error));
		while (got < 0 && errno == EINTR);
		if (got != (ssize_t)sizeof(error))
			return got < 0 ? errno : ECHILD;
		if (error != 0)
			return error;
	}
	return 0;
}

/* The parent's end of writing is closed before it reads, or the death of a child would go unnoticed. */
static int start_processes(struct bench_disturbance *disturbance, const struct bench_cpus *cpus)
{
	pid_t parent = getpid();
	int report[2], error = 0;

	if (pipe(report) != 0)
		return errno;
	for (unsigned i = 0; i < cpus->count && error == 0; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			close(report[0]);
			be_a_disturber(disturbance, i, cpus->ids[i], parent, report[1]);
		}
		if (pid > 0)
			disturbance->pids[disturbance->count++] = pid;
		else
			error = errno;
	}
	close(report[1]);
	if (error == 0)
		error = hear_reports(report[0], disturbance->count);
	close(report[0]);
	return error;
}

static int prepare(struct bench_disturbance *disturbance, const struct bench_cpus *cpus)
{
	disturbance->pids = calloc(cpus->count, sizeof(disturbance->pids[0]));
	if (disturbance->pids == NULL)
		return ENOMEM;
	if (disturbance->scenario == BENCH_STEAL) {
		void *shared = mmap(NULL, cpus->count * sizeof(struct bench_stealer), PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

		if (shared == MAP_FAILED)
			return errno;
		disturbance->stealers = shared;
	}
	return 0;
}

int bench_scenario_start(struct bench_disturbance *disturbance, enum bench_scenario scenario,
			 const struct bench_cpus *cpus, struct bench_error *error)
{
	int reason;

	*disturbance = (struct bench_disturbance){ .scenario = scenario, .cpus = cpus->count };
	if (scenario == BENCH_PLAIN)
		return 0;
	reason = prepare(disturbance, cpus);
	if (reason == 0)
		reason = start_processes(disturbance, cpus);
	if (reason == 0)
		return 0;
	bench_scenario_stop(disturbance);
	if (scenario == BENCH_STEAL && reason == EPERM) {
		bench_fail(error, "SCHED_FIFO is refused (needs root, CAP_SYS_NICE or a limit set by ulimit -r)");
		return EPERM;
	}
	return bench_fail(error, "cannot start the processes of scenario %s: %s", bench_scenario_names[scenario],
			  strerror(reason));
}

void bench_scenario_stop(struct bench_disturbance *disturbance)
{
	for (unsigned i = 0; i < disturbance->count; i++)
		kill(disturbance->pids[i], SIGKILL);
	for (unsigned i = 0; i < disturbance->count; i++)
		while (waitpid(disturbance->pids[i], NULL, 0) < 0 && errno == EINTR)
			;
	if (disturbance->stealers != NULL)
		munmap(disturbance->stealers, disturbance->cpus * sizeof(struct bench_stealer));
	free(disturbance->pids);
	*disturbance = (struct bench_disturbance){ .scenario = BENCH_PLAIN };
}

uint64_t bench_scenario_stolen_ns(const struct bench_disturbance *disturbance, unsigned cpu)
{
	if (disturbance->stealers == NULL || cpu >= disturbance->count)
		return 0;
	return __atomic_load_n(&disturbance->stealers[cpu].stolen_ns, __ATOMIC_RELAXED);
}
