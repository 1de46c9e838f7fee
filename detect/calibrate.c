/* SPDX-License-Identifier: MIT */
/*
 * What waiting costs on this machine: the speed of the counter, one PAUSE, and
 * the wake-up of a sleeper. It runs inside a lock's slow path, so it allocates
 * nothing, starts no thread and takes a few milliseconds once per process. Nor
 * is it alone there: the machine may be busy, and often it is the program's own
 * threads that make it so. Hence each value comes with a verdict, and what
 * cannot be measured now is said not to be trusted rather than made up.
 *
 * The price of a wake-up is read off a timer: how much later than asked does a
 * short sleep end? On an idle vCPU that is the way out of HLT, the same that a
 * futex wake-up from another CPU has to go, less the sender's interrupt. Naps
 * are about as long as a waiter sleeps that has just lost patience: where an
 * idle CPU polls for a while before it halts (haltpoll, a host's halt polling),
 * such a waiter is woken cheaply, and so is the nap. But a CPU that has other
 * work never halts, and seems cheap, too; no statistics over the naps can tell.
 * So after each nap a yield shows whether the CPU is wanted.
 */
#include "detect/calibrate.h"

#include "detect/clock.h"
#include "detect/manners.h"
#include "detect/profile.h"
#include "detect/text.h"

#include <errno.h>
#include <sched.h>
#include <sys/prctl.h>

#define NAPS 24
#define NAP_NS 60000u
#define NAPS_WANTED_MAX 2   /* one may be an accident; and each may cost a whole time slice */
#define NAPS_BUDGET_NS 10000000u
#define SLACK_NS 50000      /* of a thread's timers, unless it was changed */
#define PAUSE_RUNS 12
#define PAUSES 256
#define PAUSE_BUDGET_NS 3000000u
#define AWAKE_NS 500000u
#define READINGS 8

const char gsync_why_wanted[] = "other work wants this CPU, which therefore does not go idle";

/* ---- the counter */

/* Clocks that the kernel builds on the counter. If it keeps time by another, it has rejected the counter. */
static bool is_built_on_counter(const char *name)
{
	static const char *const names[] = {
		"tsc", "tsc-early", "kvm-clock", "hyperv_clocksource_tsc_page", "xen", "arch_sys_counter",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static const char *kernel_doubt(const struct gsync_source *source)
{
	char name[64];

	if (!gsync_text_read_line(source, "/sys/devices/system/clocksource/clocksource0/current_clocksource", name,
				  sizeof(name)) ||
	    is_built_on_counter(name))
		return NULL;
	return "the kernel does not keep time by the counter";
}

/* Why there is no counter to read; NULL = there is one. */
static const char *counter_absence(const struct gsync_source *source)
{
#if defined(__x86_64__) || defined(__i386__)
	struct gsync_cpuid regs;

	if (!source->cpuid(source->context, 0, 0, &regs) || regs.eax < 1 ||
	    !source->cpuid(source->context, 1, 0, &regs) || (regs.edx & (1u << 4)) == 0)
		return "this CPU has no TSC";
#elif !defined(__aarch64__)
	return "no counter is known for this architecture";
#endif
	(void)source;
	return gsync_clock_counter_forbidden() ? "this thread is forbidden to read the counter (PR_SET_TSC)" : NULL;
}

/*
 * Why a counter that can be read should not be trusted; NULL = no reason known.
 * That it runs at one speed in all states is the CPU's word, CPUID 80000007H;
 * where a hypervisor hides that, we doubt.
 */
static const char *counter_doubt(const struct gsync_source *source)
{
#if defined(__x86_64__) || defined(__i386__)
	struct gsync_cpuid regs;

	if (!source->cpuid(source->context, 0x80000000u, 0, &regs) || regs.eax < 0x80000007u ||
	    !source->cpuid(source->context, 0x80000007u, 0, &regs) || (regs.edx & (1u << 8)) == 0)
		return "the TSC is not declared invariant";
#endif
	return kernel_doubt(source);
}

static struct gsync_moment read_both(void)
{
	struct gsync_moment best = { .doubt = UINT64_MAX };

	for (int i = 0; i < READINGS; i++) {
		uint64_t before = gsync_counter();
		uint64_t now = gsync_monotonic_ns();
		uint64_t passed = gsync_counter() - before;

		if (passed < best.doubt)
			best = (struct gsync_moment){ now, before + passed / 2, passed };
	}
	return best;
}

/* ---- PAUSE */

/* What a reading of the clock adds to every run: twice nothing much, or a system call. */
static double clock_price(void)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < READINGS; i++) {
		uint64_t before = gsync_monotonic_ns();
		uint64_t passed = gsync_monotonic_ns() - before;

		if (passed < best)
			best = passed;
	}
	return (double)best;
}

static struct gsync_estimate measure_pause(void)
{
	double samples[PAUSE_RUNS];
	double price = clock_price();
	uint64_t start = gsync_monotonic_ns();
	int count = 0;

	while (count < PAUSE_RUNS && gsync_monotonic_ns() - start < PAUSE_BUDGET_NS) {
		uint64_t before = gsync_monotonic_ns();

		for (int i = 0; i < PAUSES; i++)
			gsync_pause();
		samples[count++] = ((double)(gsync_monotonic_ns() - before) - price) / PAUSES;
	}
	return gsync_estimate_pause(samples, count);
}

/* ---- wake-up */

bool gsync_cpu_is_wanted(void)
{
	uint64_t before = gsync_monotonic_ns();

	sched_yield();
	return gsync_monotonic_ns() - before > GSYNC_YIELD_NS;
}

/*
 * More threads run than there are CPUs: some of them share, and a kernel may
 * let a thread that mostly sleeps pass a yield unpunished. The count is the
 * fourth field of loadavg, before the slash.
 */
static bool is_crowded(const struct gsync_source *source)
{
	int online = source->cpus_online(source->context);
	char text[128];
	const char *at = text;
	uint64_t running;

	if (online <= 0 || !gsync_text_read_line(source, "/proc/loadavg", text, sizeof(text)))
		return false;
	for (int field = 0; field < 3; field++) {
		at += strcspn(at, " ");
		at += strspn(at, " ");
	}
	return gsync_text_number(&at, &running) && *at == '/' && running > (uint64_t)online;
}

struct naps {
	double late[NAPS];
	int count;
	int wanted;	     /* naps that ended on a CPU with other work */
	const char *refusal; /* why there cannot be any */
};

static void nap(struct naps *naps)
{
	uint64_t until = gsync_monotonic_ns() + NAP_NS;
	struct timespec end = gsync_timespec(until);
	int error = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL);
	uint64_t now = gsync_monotonic_ns();

	if (error == EINTR)
		return; /* a signal cut it short; it says nothing */
	if (error != 0) {
		naps->refusal = "clock_nanosleep(2) is refused here, so no sleep could be timed";
	} else if (now < until) {
		naps->refusal = "sleeps end before their time here";
	} else {
		naps->late[naps->count++] = (double)(now - until);
		naps->wanted += gsync_cpu_is_wanted();
	}
}

static void take_naps(struct naps *naps)
{
	uint64_t start = gsync_monotonic_ns();

	while (naps->count < NAPS && naps->wanted < NAPS_WANTED_MAX && !naps->refusal &&
	       gsync_monotonic_ns() - start < NAPS_BUDGET_NS)
		nap(naps);
}

/* The kernel rounds sleeps by the slack: makes it as small as can be, and returns what is left of it. */
static int shrink_slack(int slack)
{
	int left;

	if (slack < 0)
		return SLACK_NS; /* it could not be restored */
	prctl(PR_SET_TIMERSLACK, 1UL);
	left = prctl(PR_GET_TIMERSLACK);
	return left > 1 ? left : 0;
}

static struct gsync_estimate measure_wake(const struct gsync_source *source)
{
	struct gsync_estimate out = { .why = "no sleep was timed: quiet is set" };
	struct naps naps = { .count = 0 };
	bool crowded = is_crowded(source);
	int slack, left;

	if (source->quiet)
		return out;
	slack = prctl(PR_GET_TIMERSLACK);
	left = shrink_slack(slack);
	take_naps(&naps);
	if (slack > 0)
		prctl(PR_SET_TIMERSLACK, (unsigned long)slack);
	for (int i = 0; i < naps.count; i++)
		naps.late[i] -= left;
	out = gsync_estimate_wake(naps.late, naps.count);
	if (naps.refusal)
		out.why = naps.refusal;
	else if (left > 0)
		out.why = "the timer slack cannot be set here, and blurs how long sleeps take";
	else if (naps.wanted == NAPS_WANTED_MAX)
		out.why = gsync_why_wanted;
	else if (crowded && is_crowded(source))
		out.why = "more threads run on this machine than it has CPUs, which therefore may not go idle";
	else
		return out;
	out.trusted = false;
	return out;
}

/* ---- all of it */

/* The last interval, in which this thread stays awake. */
static void stay_awake(void)
{
	uint64_t start = gsync_monotonic_ns();

	while (gsync_monotonic_ns() - start < AWAKE_NS)
		gsync_pause();
}

static void measure(const struct gsync_source *source, struct gsync_calibration *out)
{
	const char *absence = counter_absence(source);
	const char *doubt = absence ? absence : counter_doubt(source);
	struct gsync_moment moments[3] = { { 0 } };
	struct gsync_estimate counter = { .trusted = false };
	struct gsync_estimate pause;
	struct gsync_estimate wake;

	if (!absence)
		moments[0] = read_both();
	pause = measure_pause();
	wake = measure_wake(source);
	if (!absence) {
		moments[1] = read_both();
		stay_awake();
		moments[2] = read_both();
		counter = gsync_estimate_rate(moments);
	}
	*out = (struct gsync_calibration){
		.counter_mhz = counter.value,
		.counter_spread = counter.spread,
		.counter_trusted = counter.trusted && !doubt,
		.counter_why = doubt ? doubt : counter.why,
		.pause_ns = pause.value,
		.pause_spread = pause.spread,
		.pause_trusted = pause.trusted,
		.pause_why = pause.why,
		.wake_ns = wake.value,
		.wake_spread = wake.spread,
		.wake_trusted = wake.trusted,
		.wake_why = wake.why,
	};
}

void gsync_calibrate(const struct gsync_source *source, struct gsync_calibration *out)
{
	struct gsync_manners manners = gsync_manners_keep();

	measure(source, out);
	gsync_manners_give_back(&manners);
}
