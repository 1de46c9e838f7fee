/* SPDX-License-Identifier: MIT */
/*
 * What waiting costs on this machine: the speed of the counter, one PAUSE, and
 * the wake-up of a sleeper. It runs inside a lock's slow path, so it allocates
 * nothing, starts no thread and takes a few milliseconds once per process.
 *
 * The price of a wake-up is read off a timer: how much later than asked does a
 * short sleep end? On an idle vCPU that is the way out of HLT, the same that a
 * futex wake-up from another CPU has to go, less the sender's interrupt.
 */
#include "detect/profile.h"

#include "detect/clock.h"

#include <string.h>
#include <sys/prctl.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

#define NAPS 24
#define NAP_NS 60000u
#define PAUSES 128
#define BUDGET_NS 15000000u /* stop napping after this: a busy machine must not pay more */

/*
 * Whether there is a counter, and it runs at one speed in all states. Invariance
 * is the CPU's word, CPUID 80000007H; where a hypervisor hides that, we doubt.
 */
static const char *counter_doubt(void)
{
#if defined(__x86_64__) || defined(__i386__)
	unsigned a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || (d & (1u << 4)) == 0)
		return "this CPU has no TSC";
	if (!__get_cpuid(0x80000007u, &a, &b, &c, &d) || (d & (1u << 8)) == 0)
		return "the TSC is not declared invariant";
	return NULL;
#elif defined(__aarch64__)
	return NULL;
#else
	return "no counter is known for this architecture";
#endif
}

/* Insertion sort: libc's qsort may allocate. */
static double median(double *values, int count)
{
	for (int i = 1; i < count; i++)
		for (int j = i; j > 0 && values[j - 1] > values[j]; j--) {
			double swap = values[j];

			values[j] = values[j - 1];
			values[j - 1] = swap;
		}
	return count > 0 ? values[count / 2] : 0;
}

/* Sleeps until NS on the monotonic clock and returns how late it woke, in ns. */
static double lateness(uint64_t ns)
{
	struct timespec until = gsync_timespec(ns);

	if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0)
		return 0; /* a signal cut it short */
	return (double)(gsync_monotonic_ns() - ns);
}

static double measure_wake(void)
{
	double late[NAPS];
	int count = 0;
	int slack = prctl(PR_GET_TIMERSLACK);
	uint64_t start = gsync_monotonic_ns();

	/* The kernel rounds sleeps by the slack, 50 µs by default. */
	prctl(PR_SET_TIMERSLACK, 1UL);
	while (count < NAPS && gsync_monotonic_ns() - start < BUDGET_NS) {
		double value = lateness(gsync_monotonic_ns() + NAP_NS);

		if (value > 0)
			late[count++] = value;
		else if (gsync_monotonic_ns() - start > NAPS * 2 * NAP_NS)
			break;
	}
	if (slack > 0)
		prctl(PR_SET_TIMERSLACK, (unsigned long)slack);
	return median(late, count);
}

/* The faster of several runs: the slower ones were disturbed. */
static double measure_pause(void)
{
	double best = 0;

	for (int run = 0; run < 8; run++) {
		uint64_t start = gsync_monotonic_ns();
		double each;

		for (int i = 0; i < PAUSES; i++)
			gsync_pause();
		each = (double)(gsync_monotonic_ns() - start) / PAUSES;
		if (best <= 0 || each < best)
			best = each;
	}
	return best;
}

/* The moment of both clocks, as close together as can be had. */
static void read_both(uint64_t *ns, uint64_t *counter)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < 4; i++) {
		uint64_t before = gsync_counter();
		uint64_t now = gsync_monotonic_ns();
		uint64_t after = gsync_counter();

		if (after - before < best) {
			best = after - before;
			*ns = now;
			*counter = before + best / 2;
		}
	}
}

void gsync_calibrate(struct gsync_calibration *out)
{
	const char *doubt = counter_doubt();
	uint64_t ns[3] = { 0 };
	uint64_t counter[3] = { 0 };
	double first;
	double second;

	memset(out, 0, sizeof(*out));
	if (!doubt)
		read_both(&ns[0], &counter[0]);
	out->pause_ns = measure_pause();
	out->wake_ns = measure_wake();
	if (!doubt) {
		read_both(&ns[1], &counter[1]);
		while (gsync_monotonic_ns() - ns[1] < 500000)
			gsync_pause();
		read_both(&ns[2], &counter[2]);
		first = (double)(counter[1] - counter[0]) * 1e3 / (double)(ns[1] - ns[0]);
		second = (double)(counter[2] - counter[1]) * 1e3 / (double)(ns[2] - ns[1]);
		out->counter_mhz = first;
		/* Asleep and awake, it must have run at one speed, and forwards. */
		if (!(first > 1 && first < 100000) || second < first * 0.99 || second > first * 1.01)
			doubt = "the counter does not keep step with the monotonic clock";
	}
	out->counter_trusted = !doubt;
	out->counter_why = doubt ? doubt : "invariant, and in step with the monotonic clock";
}
