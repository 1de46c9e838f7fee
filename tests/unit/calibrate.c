/* SPDX-License-Identifier: MIT */
/*
 * Calibration: what the estimators conclude from samples, when a value is not
 * trusted, what a lock's slow path must find as it was, and that a process
 * which may not read the counter waits all the same.
 */
#include "tests/unit/filter.h"
#include "tests/unit/support.h"

#include "bench/affinity.h"
#include "bench/skew.h"
#include "bench/wake.h"
#include "detect/calibrate.h"
#include "detect/clock.h"
#include "detect/facts.h"
#include "detect/tuning.h"

#include <guestsync/guestsync.h>

#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define COUNT(array) (int)(sizeof(array) / sizeof((array)[0]))

/* ---- a process that is forbidden to read the counter; first, while this process has not asked yet */

#define THREADS 4
#define ROUNDS 3

static gsync_mutex_t mutex = GSYNC_MUTEX_INIT;
static gsync_oticket_t oticket = GSYNC_OTICKET_INIT;
static gsync_barrier_t barrier = GSYNC_BARRIER_INIT(THREADS + 1);
static unsigned guarded;

/*
 * Each thread for itself, around our calls only: AddressSanitizer's runtime
 * reads the counter when threads begin and end.
 */
static bool set_counter(int mode)
{
	return prctl(PR_SET_TSC, mode) == 0;
}

static void *contend(void *unused)
{
	if (!set_counter(PR_TSC_SIGSEGV))
		_exit(1);
	for (int round = 0; round < ROUNDS; round++) {
		gsync_barrier_wait(&barrier);
		gsync_mutex_lock(&mutex);
		guarded++;
		gsync_mutex_unlock(&mutex);
		gsync_oticket_lock(&oticket);
		guarded++;
		gsync_oticket_unlock(&oticket);
		gsync_barrier_wait(&barrier);
	}
	set_counter(PR_TSC_ENABLE);
	return unused;
}

/* Holds each lock so long that every waiter must run out of patience, and comes late to the barrier. */
static bool contend_without_counter(void)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, contend, NULL) != 0)
			return false;
	if (!set_counter(PR_TSC_SIGSEGV) || gsync_clock_libc_usable)
		return false;
	for (int round = 0; round < ROUNDS; round++) {
		gsync_mutex_lock(&mutex);
		gsync_oticket_lock(&oticket);
		test_sleep_ms(2);
		gsync_barrier_wait(&barrier);
		test_sleep_ms(10);
		gsync_mutex_unlock(&mutex);
		test_sleep_ms(10);
		gsync_oticket_unlock(&oticket);
		gsync_barrier_wait(&barrier);
	}
	set_counter(PR_TSC_ENABLE);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	return guarded == THREADS * ROUNDS * 2 && gsync_is_tuned() &&
	       !gsync_calibration_of_process()->counter_trusted && !gsync_clock_counter_usable &&
	       !gsync_clock_libc_usable && strstr(gsync_calibration_of_process()->counter_why, "forbidden");
}

static void locks_work_where_the_counter_is_forbidden(void **state)
{
	int mode;
	pid_t child;

	(void)state;
	/* Not every architecture or kernel can forbid it; and ThreadSanitizer's runtime reads it all the time. */
	if (UNDER_TSAN || prctl(PR_GET_TSC, &mode) != 0)
		skip();
	child = fork();
	assert_int_not_equal(child, -1);
	if (child == 0)
		_exit(contend_without_counter() ? 0 : 1);
	test_child_succeeded(child);
}

/* ---- PAUSE */

static void pause_is_the_fastest_run(void **state)
{
	double quiet[] = { 22.1, 22, 22.2, 22, 22.3, 22.1 };
	double burst[] = { 22.1, 9000, 22, 700, 22.2, 80, 44, 44, 44 };
	struct gsync_estimate out;

	(void)state;
	out = gsync_estimate_pause(quiet, COUNT(quiet));
	assert_float_equal(out.value, 22, 1e-9);
	assert_true(out.trusted);
	out = gsync_estimate_pause(burst, COUNT(burst));
	assert_float_equal(out.value, 22, 1e-9);
	assert_float_equal(out.spread, 0.2 / 22, 1e-9);
	assert_true(out.trusted);
}

static void pause_is_doubted_where_no_three_runs_agree(void **state)
{
	double noise[] = { 60, 22, 90, 31, 200, 27.5 };
	double few[] = { 22, 22 };
	struct gsync_estimate out;

	(void)state;
	out = gsync_estimate_pause(noise, COUNT(noise));
	assert_float_equal(out.value, 22, 1e-9);
	assert_false(out.trusted);
	out = gsync_estimate_pause(few, COUNT(few));
	assert_float_equal(out.value, 22, 1e-9);
	assert_false(out.trusted);
	assert_non_null(out.why);
}

static void pause_is_doubted_where_the_clock_stands_still(void **state)
{
	double steps[] = { 0, 0, 150, 0, 0, 150, 150, 150 };
	double nothing[] = { 0, -1, 0 };
	struct gsync_estimate out;

	(void)state;
	out = gsync_estimate_pause(steps, COUNT(steps));
	assert_false(out.trusted);
	assert_non_null(strstr(out.why, "coarse"));
	out = gsync_estimate_pause(nothing, COUNT(nothing));
	assert_false(out.trusted);
	assert_float_equal(out.value, 0, 0);
}

/* ---- wake-up */

#define NAPS 24

static void quiet_naps(double naps[NAPS])
{
	for (int i = 0; i < NAPS; i++)
		naps[i] = 20000 + i * 7 % NAPS * 100;
}

static void wake_survives_bursts(void **state)
{
	double naps[NAPS];
	struct gsync_estimate quiet;
	struct gsync_estimate out;

	(void)state;
	quiet_naps(naps);
	quiet = gsync_estimate_wake(naps, NAPS);
	assert_true(quiet.trusted);
	assert_in_range((unsigned)quiet.value, 20000, 21000);
	/* Every third nap stolen, for up to 5 ms. */
	quiet_naps(naps);
	for (int i = 0; i < NAPS; i += 3)
		naps[i] = 300000 * (1 + i % 16);
	out = gsync_estimate_wake(naps, NAPS);
	assert_true(out.trusted);
	assert_true(out.value >= quiet.value && out.value < quiet.value * 1.05);
	/* One that looked free, because its end had passed before it began. */
	quiet_naps(naps);
	naps[5] = 300;
	out = gsync_estimate_wake(naps, NAPS);
	assert_true(out.trusted);
	assert_in_range((unsigned)out.value, 20000, 21000);
}

static void wake_is_doubted_where_most_naps_are_disturbed(void **state)
{
	double naps[NAPS];
	struct gsync_estimate out;

	(void)state;
	quiet_naps(naps);
	for (int i = 0; i < NAPS; i++)
		if (i % 3 != 0)
			naps[i] = 1e6 + 1e5 * i;
	out = gsync_estimate_wake(naps, NAPS);
	assert_in_range((unsigned)out.value, 20000, 23000);
	assert_false(out.trusted);
	/* Two kinds of wake-ups, half and half: neither is the price. */
	for (int i = 0; i < NAPS; i++)
		naps[i] = i % 2 ? 3000 : 20000;
	assert_false(gsync_estimate_wake(naps, NAPS).trusted);
}

static void wake_is_doubted_where_naps_are_few(void **state)
{
	double naps[NAPS];
	struct gsync_estimate out;

	(void)state;
	quiet_naps(naps);
	out = gsync_estimate_wake(naps, 5);
	assert_true(out.value >= 20000);
	assert_false(out.trusted);
	out = gsync_estimate_wake(naps, 0);
	assert_float_equal(out.value, 0, 0);
	assert_false(out.trusted);
	for (int i = 0; i < NAPS; i++)
		naps[i] -= 50000; /* by a slack that was not there */
	assert_false(gsync_estimate_wake(naps, NAPS).trusted);
}

/* ---- the counter's rate */

static void the_rate_needs_two_equal_intervals(void **state)
{
	struct gsync_moment moments[3] = { { 1000, 5000, 60 }, { 2001000, 4805000, 60 }, { 2501000, 6005000, 60 } };
	struct gsync_estimate out = gsync_estimate_rate(moments);

	(void)state;
	assert_true(out.trusted);
	assert_float_equal(out.value, 2400, 1e-6);
	assert_float_equal(out.spread, 0, 1e-9);
	moments[2].counter += 24000; /* 2 % of the interval */
	out = gsync_estimate_rate(moments);
	assert_false(out.trusted);
	assert_non_null(strstr(out.why, "step"));
	moments[1].doubt = 24000; /* then it may be the reading that was late */
	out = gsync_estimate_rate(moments);
	assert_false(out.trusted);
	assert_non_null(strstr(out.why, "busy"));
}

static void the_rate_needs_clocks_that_run_forwards(void **state)
{
	const struct gsync_moment back[3] = { { 1000, 5000, 60 }, { 2001000, 4805000, 60 }, { 2501000, 4804000, 60 } };
	const struct gsync_moment still[3] = { { 1000, 5000, 60 }, { 1000, 4805000, 60 }, { 501000, 6005000, 60 } };
	const struct gsync_moment absurd[3] = { { 0, 0, 0 }, { 1000000000, 100, 0 }, { 2000000000, 200, 0 } };

	(void)state;
	assert_false(gsync_estimate_rate(back).trusted);
	assert_non_null(strstr(gsync_estimate_rate(back).why, "backwards"));
	assert_false(gsync_estimate_rate(still).trusted);
	assert_false(gsync_estimate_rate(absurd).trusted);
}

/* ---- machines that the counter cannot be trusted on, or whose CPUs are busy */

struct fake {
	const char *clocksource; /* NULL = cannot be read */
	const char *loadavg;
	bool has_cpuid;
	bool has_tsc;
	bool invariant;
	int online;
};

static bool fake_cpuid(void *context, uint32_t leaf, uint32_t subleaf, struct gsync_cpuid *out)
{
	const struct fake *fake = context;

	(void)subleaf;
	*out = (struct gsync_cpuid){ 0 };
	if (leaf == 0 || leaf == 0x80000000u)
		out->eax = leaf + 8;
	else if (leaf == 1)
		out->edx = fake->has_tsc ? 1u << 4 : 0;
	else if (leaf == 0x80000007u)
		out->edx = fake->invariant ? 1u << 8 : 0;
	return fake->has_cpuid;
}

static ssize_t fake_read_file(void *context, const char *path, char *buffer, size_t size)
{
	const struct fake *fake = context;
	const char *text = NULL;

	if (strstr(path, "/current_clocksource"))
		text = fake->clocksource;
	else if (strcmp(path, "/proc/loadavg") == 0)
		text = fake->loadavg;
	return text ? (ssize_t)snprintf(buffer, size, "%s\n", text) : -ENOENT;
}

static int fake_online(void *context)
{
	return ((const struct fake *)context)->online;
}

static const struct fake fine = { "tsc", "0.10 0.20 0.30 1/100 4711", true, true, true, 64 };

static struct gsync_calibration calibrate(struct fake fake)
{
	const struct gsync_source source = {
		.context = &fake,
		.cpuid = fake_cpuid,
		.read_file = fake_read_file,
		.cpus_online = fake_online,
		.cpus_affinity = fake_online,
	};
	struct gsync_calibration out;

	gsync_calibrate(&source, &out);
	assert_non_null(out.counter_why);
	assert_non_null(out.pause_why);
	assert_non_null(out.wake_why);
	return out;
}

static void assert_counter_doubted(struct fake fake, const char *why)
{
	struct gsync_calibration out = calibrate(fake);

	assert_false(out.counter_trusted);
	assert_non_null(strstr(out.counter_why, why));
}

static void what_cpuid_does_not_promise_is_not_trusted(void **state)
{
	struct fake fake = fine;

	(void)state;
#if defined(__x86_64__) || defined(__i386__)
	fake.invariant = false;
	assert_counter_doubted(fake, "invariant");
	assert_true(calibrate(fake).counter_mhz > 0);
	fake.has_tsc = false;
	assert_counter_doubted(fake, "no TSC");
	assert_float_equal(calibrate(fake).counter_mhz, 0, 0);
	fake = fine;
	fake.has_cpuid = false;
	assert_counter_doubted(fake, "no TSC");
#else
	(void)fake;
	skip();
#endif
}

static void what_the_kernel_rejected_is_not_trusted(void **state)
{
	static const char *const rejecting[] = { "hpet", "acpi_pm", "jiffies", "tscx", "" };
	static const char *const built_on_it[] = { "tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "xen", NULL };
	struct fake fake = fine;

	(void)state;
	for (int i = 0; i < COUNT(rejecting); i++) {
		fake.clocksource = rejecting[i];
		assert_counter_doubted(fake, "kernel does not keep time by");
	}
	/* Whether it keeps step is this machine's affair; the kernel must not be what speaks against it. */
	for (int i = 0; i < COUNT(built_on_it); i++) {
		fake.clocksource = built_on_it[i];
		assert_null(strstr(calibrate(fake).counter_why, "kernel does not"));
	}
}

static void wake_is_not_trusted_where_cpus_are_short(void **state)
{
	struct fake fake = fine;

	(void)state;
	fake.loadavg = "0.10 0.20 0.30 65/100 4711";
	assert_false(calibrate(fake).wake_trusted);
	assert_true(calibrate(fake).wake_ns > 0);
	fake.loadavg = "not what it was";
	assert_null(strstr(calibrate(fake).wake_why, "more threads"));
	fake.loadavg = NULL;
	assert_null(strstr(calibrate(fake).wake_why, "more threads"));
	fake = fine;
	assert_null(strstr(calibrate(fake).wake_why, "more threads"));
}

/* ---- naps that cannot be had */

/* In a child whose system call fails so: the wake-up must not be trusted, for WHY. */
static void assert_wake_doubted_without(unsigned call, unsigned error, const char *why)
{
	pid_t child = fork();

	assert_int_not_equal(child, -1);
	if (child == 0) {
		struct gsync_calibration out;

		if (!test_refuse(call, error))
			_exit(TEST_NO_SECCOMP);
		out = calibrate(fine);
		_exit(!out.wake_trusted && strstr(out.wake_why, why) ? 0 : 1);
	}
	test_filtered_child_succeeded(child);
}

/* Nor may signals that cut every nap short keep it napping for ever. */
static void naps_may_be_refused(void **state)
{
	(void)state;
	assert_wake_doubted_without(SYS_clock_nanosleep, EINTR, "too few naps");
	assert_wake_doubted_without(SYS_clock_nanosleep, EPERM, "refused");
	assert_wake_doubted_without(SYS_clock_nanosleep, ENOSYS, "refused");
	assert_wake_doubted_without(SYS_clock_nanosleep, 0, "before their time");
}

static void the_slack_may_be_out_of_reach(void **state)
{
	(void)state;
	assert_wake_doubted_without(SYS_prctl, EPERM, "slack");
}

/* ---- what the caller must find as it was */

static void calibration_measures_and_leaves_no_trace(void **state)
{
	struct gsync_calibration out;
	struct timespec generous = test_deadline(10000);
	int slack;
	int type;

	(void)state;
	prctl(PR_SET_TIMERSLACK, 70000UL);
	slack = prctl(PR_GET_TIMERSLACK); /* a real-time thread has none */
	errno = 4711;
	gsync_calibrate(&gsync_source_machine, &out);
	assert_int_equal(errno, 4711);
	assert_false(test_has_passed(&generous));
	assert_int_equal(prctl(PR_GET_TIMERSLACK), slack);
	assert_int_equal(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &type), 0);
	assert_int_equal(type, PTHREAD_CANCEL_ENABLE);
	assert_true(out.pause_ns > 0.1 && out.pause_ns < 100000);
	assert_true(out.wake_ns > 0);
	assert_true(out.pause_spread >= 0 && out.wake_spread >= 0 && out.counter_spread >= 0);
	if (out.counter_trusted)
		assert_true(out.counter_mhz > 1 && out.counter_mhz < 100000);
}

static void *calibrate_while_cancelled(void *finished)
{
	struct gsync_calibration out;

	pthread_cancel(pthread_self());
	gsync_calibrate(&gsync_source_machine, &out);
	*(bool *)finished = true;
	return NULL;
}

static void calibration_is_no_cancellation_point(void **state)
{
	bool finished = false;

	(void)state;
	test_join(test_thread(calibrate_while_cancelled, &finished));
	assert_true(finished);
}

/* ---- with threads: the command's cross-check */

static void a_price_is_the_best_group(void **state)
{
	double groups[] = { 9000, 3100, 3000, 3200, 3100, 3050, 120000, 3100, 3300 };
	double wild[] = { 3000, 9000, 9000 };
	struct bench_price price = bench_price_of_groups(groups, 9);

	(void)state;
	assert_float_equal(price.estimate.value, 3000, 1e-9);
	assert_float_equal(price.median, 3100, 1e-9);
	assert_true(price.estimate.trusted);
	price = bench_price_of_groups(wild, 3);
	assert_float_equal(price.estimate.value, 3000, 1e-9);
	assert_false(price.estimate.trusted);
	price = bench_price_of_groups(wild, 0);
	assert_false(price.estimate.trusted);
	assert_non_null(price.estimate.why);
}

static void skew_shows_where_a_message_came_before_it_was_sent(void **state)
{
	const struct bench_skew even = { 150, 150, 1000 };
	const struct bench_skew apart = { 200, 100, 1000 };
	const struct bench_skew broken = { 5150, -4850, 1000 };
	const struct bench_skew other_way = { -4850, 5150, 1000 };

	(void)state;
	assert_int_equal(bench_skew_offset(&even), 0);
	assert_false(bench_skew_is_backwards(&even));
	assert_int_equal(bench_skew_offset(&apart), 50);
	assert_false(bench_skew_is_backwards(&apart));
	assert_int_equal(bench_skew_offset(&broken), 5000);
	assert_true(bench_skew_is_backwards(&broken));
	assert_true(bench_skew_is_backwards(&other_way));
}

/* On one CPU the two never look at the word at once, but take turns: it must end all the same. */
static void the_cross_check_works_on_any_cpu(void **state)
{
	struct bench_price price;
	struct bench_error error;
	struct bench_skew skew;
	struct bench_cpus cpus;
	int cpu;

	(void)state;
	assert_int_equal(bench_cpus_read(&cpus), 0);
	cpu = cpus.ids[0];
	bench_cpus_free(&cpus);
	assert_int_equal(bench_wake_measure(cpu, cpu, &price, &error), 0);
	assert_true(price.estimate.value > 0);
	assert_int_equal(bench_skew_measure(cpu, cpu, &skew, &error), 0);
	assert_false(bench_skew_is_backwards(&skew));
	assert_int_equal(bench_wake_measure(cpu, 1000000, &price, &error), -1);
	assert_non_null(strstr(error.text, "CPU"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(locks_work_where_the_counter_is_forbidden), /* must be the first */
		cmocka_unit_test(pause_is_the_fastest_run),
		cmocka_unit_test(pause_is_doubted_where_no_three_runs_agree),
		cmocka_unit_test(pause_is_doubted_where_the_clock_stands_still),
		cmocka_unit_test(wake_survives_bursts),
		cmocka_unit_test(wake_is_doubted_where_most_naps_are_disturbed),
		cmocka_unit_test(wake_is_doubted_where_naps_are_few),
		cmocka_unit_test(the_rate_needs_two_equal_intervals),
		cmocka_unit_test(the_rate_needs_clocks_that_run_forwards),
		cmocka_unit_test(what_cpuid_does_not_promise_is_not_trusted),
		cmocka_unit_test(what_the_kernel_rejected_is_not_trusted),
		cmocka_unit_test(wake_is_not_trusted_where_cpus_are_short),
		cmocka_unit_test(naps_may_be_refused),
		cmocka_unit_test(the_slack_may_be_out_of_reach),
		cmocka_unit_test(calibration_measures_and_leaves_no_trace),
		cmocka_unit_test(calibration_is_no_cancellation_point),
		cmocka_unit_test(a_price_is_the_best_group),
		cmocka_unit_test(skew_shows_where_a_message_came_before_it_was_sent),
		cmocka_unit_test(the_cross_check_works_on_any_cpu),
	};

	return cmocka_run_group_tests_name("calibrate", tests, NULL, NULL);
}
