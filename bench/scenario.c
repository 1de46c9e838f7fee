/* SPDX-License-Identifier: MIT */
#include "bench/scenario.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

#include "bench/burn.h"
#include "bench/bursts.h"
#include "detect/clock.h"

#define STEALER_PRIORITY 50

const char *const bench_scenario_names[BENCH_SCENARIOS] = { "plain", "hogs", "steal", "oc" };
const char *const bench_scenario_words[BENCH_SCENARIOS] = {
	[BENCH_PLAIN] = "nothing else runs",
	[BENCH_HOGS] = "a busy process of somebody else's on every CPU",
	[BENCH_STEAL] = "every CPU is taken away for 3 to 10 ms, every 10 to 20 ms, as a hypervisor does",
	[BENCH_OC] = "an identical second copy of the measurement runs on the same CPUs",
};

struct bench_stealer {
	_Alignas(128) uint64_t stolen_ns;
	_Alignas(128) uint64_t window; /* when the present one began, in ns; the measurer's */
};

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

static _Noreturn void be_a_stealer(struct bench_stealer *self, uint64_t seed)
{
	uint64_t window = __atomic_load_n(&self->window, __ATOMIC_RELAXED);
	struct bench_bursts bursts = bench_bursts_of(window, seed, gsync_monotonic_ns());

	for (;;) {
		uint64_t before = window;

		sleep_until(bursts.next);
		window = __atomic_load_n(&self->window, __ATOMIC_RELAXED);
		if (window != before) {
			bursts = bench_bursts_of(window, seed, gsync_monotonic_ns());
		} else {
			steal_for(bursts.burst_ns, &self->stolen_ns);
			bench_bursts_go_on(&bursts, gsync_monotonic_ns());
		}
	}
}

static int take_the_priority_of_a_stealer(void)
{
	struct sched_param parameter = { .sched_priority = STEALER_PRIORITY };

	prctl(PR_SET_TIMERSLACK, 1ul);
	return sched_setscheduler(0, SCHED_FIFO, &parameter) == 0 ? 0 : errno;
}

/* ---- what the children do */

struct troupe {
	struct bench_disturbance *disturbance;
	const struct bench_cpus *cpus;
};

static int enter_cpu(void *context, unsigned index, struct bench_error *error)
{
	const struct troupe *troupe = context;
	int reason = bench_pin_self(troupe->cpus->ids[index]);

	if (reason != 0 || troupe->disturbance->scenario != BENCH_STEAL)
		return reason;
	reason = take_the_priority_of_a_stealer();
	if (reason == EPERM)
		bench_fail(error, "SCHED_FIFO is refused (needs root, CAP_SYS_NICE or a limit set by ulimit -r)");
	return reason;
}

static void disturb(void *context, unsigned index)
{
	const struct troupe *troupe = context;

	if (troupe->disturbance->scenario == BENCH_STEAL)
		be_a_stealer(&troupe->disturbance->stealers[index],
			     troupe->disturbance->seed ^ (index + 1) * 0x9e3779b97f4a7c15u);
	be_a_hog();
}

/* ---- the scenario */

void bench_scenario_window(const struct bench_disturbance *disturbance)
{
	uint64_t now = gsync_monotonic_ns();

	for (unsigned i = 0; disturbance->stealers != NULL && i < disturbance->cpus; i++)
		__atomic_store_n(&disturbance->stealers[i].window, now, __ATOMIC_RELAXED);
}

/* Where what is stolen is told. */
static int share_accounts(struct bench_disturbance *disturbance)
{
	void *shared = mmap(NULL, disturbance->cpus * sizeof(struct bench_stealer), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED)
		return errno;
	disturbance->stealers = shared;
	bench_scenario_window(disturbance);
	return 0;
}

int bench_scenario_start(struct bench_disturbance *disturbance, enum bench_scenario scenario,
			 const struct bench_cpus *cpus, struct bench_error *error)
{
	struct troupe troupe = { disturbance, cpus };
	const struct bench_child_work work = { .prepare = enter_cpu, .run = disturb, .context = &troupe };
	struct bench_error why;
	int reason = 0;

	*disturbance = (struct bench_disturbance){
		.scenario = scenario,
		.cpus = cpus->count,
		.seed = gsync_monotonic_ns(),
	};
	if (scenario == BENCH_PLAIN || scenario == BENCH_OC)
		return 0;
	if (scenario == BENCH_STEAL)
		reason = share_accounts(disturbance);
	if (reason != 0)
		bench_fail(&why, "%s", strerror(reason));
	else
		reason = bench_children_start(&disturbance->children, cpus->count, &work, &why);
	if (reason == 0)
		return 0;
	bench_scenario_stop(disturbance);
	if (scenario == BENCH_STEAL && reason == EPERM) {
		*error = why;
		return EPERM;
	}
	return bench_fail(error, "cannot start the processes of scenario %s: %.300s", bench_scenario_names[scenario],
			  why.text);
}

void bench_scenario_stop(struct bench_disturbance *disturbance)
{
	bench_children_stop(&disturbance->children);
	if (disturbance->stealers != NULL)
		munmap(disturbance->stealers, disturbance->cpus * sizeof(struct bench_stealer));
	*disturbance = (struct bench_disturbance){ .scenario = BENCH_PLAIN };
}

uint64_t bench_scenario_stolen_ns(const struct bench_disturbance *disturbance, unsigned cpu)
{
	if (disturbance->stealers == NULL || cpu >= disturbance->children.count)
		return 0;
	return __atomic_load_n(&disturbance->stealers[cpu].stolen_ns, __ATOMIC_RELAXED);
}
