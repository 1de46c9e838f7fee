/* SPDX-License-Identifier: MIT */
/* Pressure: what is read off /proc/stat, whatever stands there, and what is concluded from two looks at it. */
#include "tests/unit/support.h"

#include "detect/pressure.h"

#define TICK 10000000u

static ssize_t read_text(void *context, const char *path, char *buffer, size_t size)
{
	const char *text = context;
	size_t length;

	if (!text || strcmp(path, "/proc/stat") != 0)
		return -ENOENT;
	length = strnlen(text, size - 1);
	memcpy(buffer, text, length);
	buffer[length] = '\0';
	return (ssize_t)length;
}

static bool read_usage(const char *text, unsigned long mask_bits, int mask_count, struct gsync_usage *out)
{
	struct gsync_source source = { .context = (void *)(uintptr_t)text, .read_file = read_text };
	struct gsync_cpu_mask mask = { { mask_bits } };

	return gsync_usage_read(&source, &mask, mask_count, out);
}

static void assert_usage(const char *text, unsigned long mask_bits, int mask_count, uint64_t busy, uint64_t idle,
			 uint64_t stolen)
{
	struct gsync_usage usage;

	assert_true(read_usage(text, mask_bits, mask_count, &usage));
	assert_int_equal(usage.busy, busy * TICK);
	assert_int_equal(usage.idle, idle * TICK);
	assert_int_equal(usage.stolen, stolen * TICK);
}

/* user nice system idle iowait irq softirq steal guest guest_nice */
static const char four[] = "cpu  1111 2222 3333 4444 5555 6666 7777 8888 9 9\n"
			   "cpu0 1 2 3 4 5 6 7 8 9 9\n"
			   "cpu1 10 20 30 40 50 60 70 80 90 90\n"
			   "cpu2 100 200 300 400 500 600 700 800 900 900\n"
			   "cpu3 1000 2000 3000 4000 5000 6000 7000 8000 9 9\n"
			   "intr 12 0 cpu0 99 99 99 99 99 99 99 99\n";

static void counts_the_cpus_that_we_may_use(void **state)
{
	(void)state;
	assert_usage(four, 0x1, 1, 19, 9, 8);
	assert_usage(four, 0x6, 2, 190 + 1900, 90 + 900, 80 + 800);
	assert_usage(four, 0xf, 4, 19 + 190 + 1900 + 19000, 9999, 8888);
}

#define SUM 1111 + 2222 + 3333 + 6666 + 7777, 4444 + 5555, 8888

static void counts_all_where_not_all_of_ours_are_told_apart(void **state)
{
	(void)state;
	assert_usage(four, 0, 0, SUM);
	assert_usage(four, 0x30, 2, SUM);
	assert_usage(four, 0x11, 2, SUM);
	assert_usage("cpu  1111 2222 3333 4444 5555 6666 7777 8888\n", 0x1, 1, SUM);
	assert_usage("cpu  1111 2222 3333 4444 5555 6666 7777 8888", 0x1, 1, SUM);
	/* Lines that lack numbers, or have something else in their place. */
	assert_usage("cpu  1111 2222 3333 4444 5555 6666 7777 8888\ncpu0 1 2 3\ncpu1 1 1 1 1 1 1 1 1\n", 0x1, 1, SUM);
	assert_usage("cpu  1111 2222 3333 4444 5555 6666 7777 8888\ncpu0 1 2 3 -4 5 6 7 8\n", 0x1, 1, SUM);
	assert_usage("cpu  1111 2222 3333 4444 5555 6666 7777 8888\ncpu1234567890123456789 1 1 1 1 1 1 1 1\n", 0x1, 1, SUM);
	assert_usage("cpu  1111 2222 3333 4444 5555 6666 7777 8888\ncpufreq 1 1 1 1 1 1 1 1\ncpu9999 1 1 1 1 1 1 1 1\n", 0x1,
		     1, SUM);
	/* Cut off within the last number that is needed. */
	assert_usage("cpu  1111 2222 3333 4444 5555 6666 7777 8888\ncpu0 1 2 3 4 5 6 7 8", 0x1, 1, SUM);
}

static void a_file_longer_than_the_buffer_is_read_as_far_as_it_goes(void **state)
{
	static char text[32768];
	size_t length = (size_t)snprintf(text, sizeof(text), "cpu  1111 2222 3333 4444 5555 6666 7777 8888\n");

	(void)state;
	for (int cpu = 0; cpu < 500; cpu++)
		length += (size_t)snprintf(text + length, sizeof(text) - length, "cpu%d 1 2 3 4 5 6 7 8 9 9\n", cpu);
	assert_usage(text, 0x8000000000000001ul, 2, 2 * 19, 2 * 9, 2 * 8);
	for (size_t cut = 0; cut < 4000; cut++) {
		struct gsync_usage usage;
		char *part = strndup(text, cut);

		/* Whatever is left of it: nothing, one line or the sum, but nothing in between. */
		if (read_usage(part, 0x1, 1, &usage))
			assert_true(usage.busy == 19u * TICK || usage.busy == 21109ul * TICK || cut < 46);
		free(part);
	}
}

static void says_so_when_nothing_can_be_known(void **state)
{
	static const char *const texts[] = { NULL, "", "\n", "cpu", "cpu ", "cpu  1 2 3\n", "cpu  1 2 3 4 5 6 7\n",
					     "cpu0 1 2 3 4 5 6 7 8\n", "\377\376cpu  1 2 3 4 5 6 7 8\n",
					     "cpu  1 2 3 4 5 6 7 9999999999999999999\n", "cpu  1 2 \033[2J 4 5 6 7 8\n" };
	struct gsync_usage usage;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(read_usage(texts[i], 0x1, 1, &usage));
}

static void what_this_process_used_is_known(void **state)
{
	struct timespec until = test_deadline(30);
	struct gsync_usage before, after;

	(void)state;
	assert_true(read_usage(four, 0, 0, &before));
	while (!test_has_passed(&until))
		;
	assert_true(read_usage(four, 0, 0, &after));
	assert_true(after.own > before.own);
}

static uint32_t pressure(uint64_t busy, uint64_t idle, uint64_t stolen, uint64_t own)
{
	struct gsync_usage before = { .busy = 1000, .idle = 2000, .stolen = 3000, .own = 4000 };
	struct gsync_usage after = {
		.busy = 1000 + busy, .idle = 2000 + idle, .stolen = 3000 + stolen, .own = 4000 + own
	};

	return gsync_pressure_between(&before, &after);
}

static void foreign_work_presses_only_while_no_cpu_idles(void **state)
{
	(void)state;
	assert_int_equal(pressure(100, 0, 0, 50), 50);
	assert_int_equal(pressure(100, 0, 0, 0), 100);
	assert_int_equal(pressure(70, 30, 0, 10), 0);
	assert_int_equal(pressure(90, 10, 0, 40), 30); /* half of 50: ten of the twenty-five idle */
}

static void what_the_host_takes_presses_always(void **state)
{
	(void)state;
	assert_int_equal(pressure(50, 0, 50, 50), 50);
	assert_int_equal(pressure(20, 900, 80, 20), 80);
	assert_int_equal(pressure(0, 0, 100, 0), 100);
}

/* A lock whose waiters slept all the time read 20 to 50 percent on a quiet machine, so that they slept even sooner. */
static void what_waking_our_threads_took_is_not_what_the_host_takes(void **state)
{
	static const struct {
		uint64_t waking, idle;
		uint32_t percent;
	} cases[] = {
		{ 5150, 800, 0 }, { 5050, 800, 25 }, { 0, 800, 40 },
		/* Threads that sleep while others run do not halt a CPU. */
		{ 99999, 50, 25 }, { 99999, 0, 40 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct gsync_usage before = { .busy = 1000, .stolen = 300, .waking = 5000 };
		struct gsync_usage after = { .busy = 1150, .idle = cases[i].idle, .stolen = 400,
					     .own = 150, .waking = cases[i].waking };

		assert_int_equal(gsync_pressure_between(&before, &after), cases[i].percent);
	}
}

/* Throttled time is that of all our CPUs, and may be counted more than once: by each group above us. */
static void a_quota_that_is_used_up_presses(void **state)
{
	struct gsync_usage before = { .busy = 1000, .throttled = 50 };
	struct gsync_usage after = { .busy = 1200, .idle = 800, .own = 200, .throttled = 650 };

	(void)state;
	assert_int_equal(gsync_pressure_between(&before, &after), 60);
	assert_int_equal(gsync_throttling_between(&before, &after), 60);
	after.throttled = 99999;
	assert_int_equal(gsync_pressure_between(&before, &after), 100);
	assert_int_equal(gsync_throttling_between(&before, &after), 100);
	after.stolen = 9000;
	after.throttled = 0;
	assert_int_equal(gsync_throttling_between(&before, &after), 0);
	after.stolen = 0;
	assert_int_equal(gsync_pressure_between(&before, &after), 0);
	after.busy = 1000;
	after.throttled = 650;
	assert_int_equal(gsync_pressure_between(&before, &after), 75);
}

static void what_the_host_or_a_quota_takes_no_other_has(void **state)
{
	struct gsync_usage before = { .busy = 1000 };
	struct gsync_usage after = { .busy = 1200, .stolen = 800, .own = 200 };

	(void)state;
	assert_int_equal(gsync_pressure_between(&before, &after), 80);
	after.stolen = 0;
	assert_int_equal(gsync_pressure_between(&before, &after), 0);
	after.own = 100;
	assert_int_equal(gsync_pressure_between(&before, &after), 50);
}

static void a_share_is_of_what_was_used(void **state)
{
	struct gsync_usage before = { .busy = 1000, .own = 100 };
	struct gsync_usage after = { .busy = 1200, .idle = 800, .stolen = 500, .own = 150 };

	(void)state;
	assert_int_equal(gsync_share_between(&before, &after), 25);
	/* Ours is counted exactly, all in ticks. */
	after.own = 350;
	assert_int_equal(gsync_share_between(&before, &after), 100);
	assert_int_equal(gsync_share_between(&after, &before), 100);
}

#define MS ((uint64_t)1000000)

static const struct gsync_usage so_far = {
	.busy = 77 * MS, .own = 7 * MS, .switches = 1234, .own_switches = 34, .yields = 99, .long_yields = 98
};

static struct gsync_usage after_work(uint64_t own_ms, uint64_t foreign_ms, uint64_t own_switches, uint64_t foreign_switches)
{
	struct gsync_usage after = so_far;

	after.busy += (own_ms + foreign_ms) * MS;
	after.own += own_ms * MS;
	after.switches += own_switches + foreign_switches;
	after.own_switches += own_switches;
	return after;
}

static bool is_answered(uint64_t own_ms, uint64_t foreign_ms, uint64_t own_switches, uint64_t foreign_switches)
{
	struct gsync_usage after = after_work(own_ms, foreign_ms, own_switches, foreign_switches);

	return gsync_is_answered_between(&so_far, &after);
}

static void who_keeps_a_cpu_until_it_is_taken_away_does_not_answer(void **state)
{
	(void)state;
	/* As seen beside copies, of 2, 8 and 128 threads, and beside hogs. */
	assert_true(is_answered(42, 42, 37, 37));
	assert_true(is_answered(49, 34, 487, 109));
	assert_true(is_answered(55, 35, 549, 508));
	assert_false(is_answered(42, 42, 1850, 17));
	assert_false(is_answered(56, 28, 1491, 11));
	/* Too little, whatever the slices. */
	assert_false(is_answered(30, 70, 50, 5000));
	/* Nobody took a CPU from anybody: there is nobody. */
	assert_true(is_answered(100, 0, 50, 0));
	/* Where switches are not told. */
	assert_true(is_answered(42, 42, 0, 0));
}

static void who_takes_cpus_by_force_has_nothing_of_a_yield(void **state)
{
	/* Who keeps a CPU until it is taken away. */
	struct gsync_usage after = after_work(42, 42, 1850, 17);

	(void)state;
	/* As seen beside real-time threads, 4 and 32 of ours, and beside hogs. */
	after.yields = so_far.yields + 11157;
	after.long_yields = so_far.long_yields + 6;
	assert_true(gsync_yields_are_quick_between(&so_far, &after));
	after.long_yields = so_far.long_yields + 83;
	assert_true(gsync_yields_are_quick_between(&so_far, &after));
	assert_true(gsync_is_answered_between(&so_far, &after));
	after.yields = so_far.yields + 26;
	after.long_yields = so_far.long_yields + 17;
	assert_false(gsync_yields_are_quick_between(&so_far, &after));
	assert_false(gsync_is_answered_between(&so_far, &after));
	/* Too little is left to us, whatever the yields. */
	after.yields = so_far.yields + 11157;
	after.own = so_far.own + 30 * MS;
	assert_false(gsync_is_answered_between(&so_far, &after));
}

/* One look of 40 ms, in which we yielded so often. */
static enum gsync_others look(struct gsync_courtesy *courtesy, struct gsync_usage after, uint64_t yields, uint64_t long_yields)
{
	after.yields += yields;
	after.long_yields += long_yields;
	gsync_courtesy_judge_others(courtesy, &so_far, &after, 40.0 * MS);
	return courtesy->others;
}

static void who_answers_leaves_us_a_cpu_if_that_is_what_we_get(void **state)
{
	struct gsync_usage half = after_work(42, 42, 900, 900), most = after_work(55, 25, 900, 900);
	struct gsync_usage some = after_work(20, 20, 900, 900), stolen = after_work(42, 0, 900, 900), idle = half;
	struct gsync_usage unknown = half, hogs = after_work(42, 42, 1850, 17), both = after_work(42, 30, 900, 900);
	struct gsync_usage few = after_work(42, 42, 600, 600);
	struct gsync_courtesy courtesy = { 0 };

	(void)state;
	stolen.stolen += 42 * MS;
	idle.idle += 25 * MS;
	unknown.switches = so_far.switches;
	both.stolen += 12 * MS;
	both.idle += 12 * MS;
	assert_int_equal(look(&courtesy, few, 500, 400), GSYNC_OTHERS_COMPETE);
	assert_int_equal(look(&courtesy, both, 500, 400), GSYNC_OTHERS_COMPETE);
	assert_int_equal(look(&courtesy, most, 500, 400), GSYNC_OTHERS_COMPETE);
	assert_int_equal(look(&courtesy, some, 500, 400), GSYNC_OTHERS_COMPETE);
	assert_int_equal(look(&courtesy, stolen, 500, 400), GSYNC_OTHERS_COMPETE);
	assert_int_equal(look(&courtesy, idle, 500, 400), GSYNC_OTHERS_COMPETE);
	assert_int_equal(look(&courtesy, unknown, 500, 400), GSYNC_OTHERS_COMPETE);
	assert_int_equal(look(&courtesy, hogs, 500, 400), GSYNC_OTHERS_COMPETE);
	/* Few yields or none tell nothing. */
	assert_int_equal(look(&courtesy, half, 0, 0), GSYNC_OTHERS_COMPETE);
	assert_int_equal(look(&courtesy, half, 15, 15), GSYNC_OTHERS_COMPETE);
	assert_int_equal(look(&courtesy, half, 500, 400), GSYNC_OTHERS_LEAVE_ONE);
}

static void one_look_in_doubt_is_chance(void **state)
{
	struct gsync_usage half = after_work(42, 42, 900, 900), little = after_work(25, 55, 900, 900);
	struct gsync_courtesy courtesy = { 0 };

	(void)state;
	assert_int_equal(look(&courtesy, half, 500, 400), GSYNC_OTHERS_LEAVE_ONE);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(look(&courtesy, little, 0, 0), GSYNC_OTHERS_LEAVE_ONE);
		assert_int_equal(look(&courtesy, half, 0, 0), GSYNC_OTHERS_LEAVE_ONE);
	}
	assert_int_equal(look(&courtesy, little, 0, 0), GSYNC_OTHERS_LEAVE_ONE);
	assert_int_equal(look(&courtesy, little, 0, 0), GSYNC_OTHERS_COMPETE);
	/* And it begins anew. */
	assert_int_equal(look(&courtesy, half, 500, 400), GSYNC_OTHERS_LEAVE_ONE);
	assert_int_equal(look(&courtesy, little, 0, 0), GSYNC_OTHERS_LEAVE_ONE);
}

static void quick_yields_are_a_sign_of_force_but_on_a_cpu_that_is_left_to_us(void **state)
{
	struct gsync_usage half = after_work(42, 42, 900, 900);
	struct gsync_courtesy courtesy = { 0 };

	(void)state;
	assert_int_equal(look(&courtesy, half, 500, 10), GSYNC_OTHERS_USE_FORCE);
	assert_int_equal(look(&courtesy, half, 0, 0), GSYNC_OTHERS_USE_FORCE);
	assert_int_equal(look(&courtesy, half, 15, 15), GSYNC_OTHERS_USE_FORCE);
	assert_int_equal(look(&courtesy, half, 500, 400), GSYNC_OTHERS_LEAVE_ONE);
	assert_int_equal(look(&courtesy, half, 500, 10), GSYNC_OTHERS_LEAVE_ONE);
}

/* Others keep a CPU for long, and our yields come back late, as where many of ours wait for one: so far that is rude. */
static enum gsync_others look_at_rude_ones(struct gsync_courtesy *courtesy, uint64_t own_ms, uint64_t foreign_ms)
{
	return look(courtesy, after_work(own_ms, foreign_ms, 1850, 17), 500, 400);
}

/* So much others have while they are refused, in two looks NS apart. */
static void refuse(struct gsync_courtesy *courtesy, uint64_t own_ms, uint64_t foreign_ms, double ns)
{
	struct gsync_usage after = after_work(own_ms, foreign_ms, 1850, 17);

	gsync_courtesy_judge(courtesy, false);
	assert_int_not_equal(gsync_courtesy_judge(courtesy, false), 0);
	for (int i = 0; i < 2; i++)
		gsync_courtesy_watch_refused(courtesy, &so_far, &after, ns);
}

static struct gsync_courtesy courteous_beside(uint64_t own_ms, uint64_t foreign_ms)
{
	struct gsync_courtesy courtesy = { 0 };

	for (int i = 0; i < 8; i++)
		assert_int_equal(look_at_rude_ones(&courtesy, own_ms, foreign_ms), GSYNC_OTHERS_COMPETE);
	return courtesy;
}

static bool are_spared(struct gsync_courtesy *courtesy, uint64_t own_ms, uint64_t foreign_ms)
{
	return look_at_rude_ones(courtesy, own_ms, foreign_ms) == GSYNC_OTHERS_USE_FORCE;
}

/* 128 threads beside real-time threads did not yield for most of the time, at 0.9 of the throughput. */
static void a_refusal_that_gains_nothing_is_the_last_for_a_while(void **state)
{
	struct gsync_courtesy courtesy = courteous_beside(46, 38);
	int spared = 0;

	(void)state;
	refuse(&courtesy, 44, 34, 40.0 * MS);
	while (are_spared(&courtesy, 46, 38)) {
		assert_int_equal(gsync_courtesy_judge(&courtesy, false), 0);
		spared++;
	}
	assert_in_range(spared, 50, 200);
	/* Then it is tried again. */
	refuse(&courtesy, 44, 34, 40.0 * MS);
	assert_true(are_spared(&courtesy, 46, 38));
}

static void a_refusal_that_gains_something_is_not(void **state)
{
	struct gsync_courtesy courtesy = courteous_beside(46, 38);

	(void)state;
	refuse(&courtesy, 60, 20, 40.0 * MS);
	assert_false(are_spared(&courtesy, 46, 38));
	/* Nor where others have too much anyhow: two threads beside two hogs, which are to have a half. */
	courtesy = courteous_beside(30, 54);
	refuse(&courtesy, 31, 53, 40.0 * MS);
	assert_false(are_spared(&courtesy, 30, 54));
	/* What they had while nobody waited, or with none to compare, tells nothing. */
	courtesy = courteous_beside(46, 38);
	refuse(&courtesy, 44, 34, 400.0 * MS);
	assert_false(are_spared(&courtesy, 46, 38));
}

static void who_is_spared_and_takes_more_is_spared_no_longer(void **state)
{
	struct gsync_courtesy courtesy = courteous_beside(46, 38);
	int looks = 0;

	(void)state;
	refuse(&courtesy, 44, 34, 40.0 * MS);
	assert_true(are_spared(&courtesy, 46, 38));
	while (are_spared(&courtesy, 30, 54))
		looks++;
	assert_in_range(looks, 1, 10);
	assert_false(are_spared(&courtesy, 46, 38));
}

static void few_yields_or_none_tell_nothing(void **state)
{
	struct gsync_usage before = { .yields = 9, .long_yields = 9 };
	struct gsync_usage after = before;

	(void)state;
	assert_false(gsync_yields_are_quick_between(&before, &after));
	after.yields += 15;
	assert_false(gsync_yields_are_quick_between(&before, &after));
	after.yields++;
	assert_true(gsync_yields_are_quick_between(&before, &after));
	/* Threads that count at the same time may set them back. */
	after.yields = 0;
	assert_false(gsync_yields_are_quick_between(&before, &after));
}

static void switches_are_counted_where_the_text_goes_so_far(void **state)
{
	struct gsync_usage usage;

	(void)state;
	assert_true(read_usage("cpu  1 2 3 4 5 6 7 8 9 9\nintr 12 0 7\nctxt 311412571\nbtime 1\n", 1, 1, &usage));
	assert_int_equal(usage.switches, 311412571);
	assert_true(read_usage("cpu  1 2 3 4 5 6 7 8 9 9\nintr 12 0 7\nctxt 3114", 1, 1, &usage));
	assert_int_equal(usage.switches, 0);
	assert_true(read_usage(four, 0x1, 1, &usage));
	assert_int_equal(usage.switches, 0);
}

static void who_never_yields_is_met_with_less_and_less_courtesy(void **state)
{
	struct gsync_courtesy courtesy = { 0 };
	uint32_t before = 0;

	(void)state;
	for (int i = 0; i < 10; i++) {
		uint32_t refusal;

		assert_int_equal(gsync_courtesy_judge(&courtesy, false), 0);
		refusal = gsync_courtesy_judge(&courtesy, false);
		assert_true(refusal >= 100000000 && refusal <= GSYNC_REFUSAL_NS_MOST);
		assert_true(refusal >= before * 2ull || refusal == GSYNC_REFUSAL_NS_MOST);
		before = refusal;
	}
	assert_int_equal(before, GSYNC_REFUSAL_NS_MOST);
}

static void courtesy_that_is_answered_goes_on(void **state)
{
	struct gsync_courtesy courtesy = { 0 };
	uint32_t first;

	(void)state;
	/* One look is chance. */
	for (int i = 0; i < 10; i++)
		assert_int_equal(gsync_courtesy_judge(&courtesy, i % 2 != 0), 0);
	gsync_courtesy_judge(&courtesy, false);
	first = gsync_courtesy_judge(&courtesy, false);
	for (int i = 0; i < 20; i++)
		assert_int_equal(gsync_courtesy_judge(&courtesy, true), 0);
	gsync_courtesy_judge(&courtesy, false);
	assert_int_equal(gsync_courtesy_judge(&courtesy, false), first);
}

static void our_own_crowd_is_no_pressure(void **state)
{
	(void)state;
	assert_int_equal(pressure(100, 0, 0, 100), 0);
	/* The kernel counts the system's time in ticks, and ours exactly. */
	assert_int_equal(pressure(100, 0, 0, 130), 0);
}

static void counters_that_stand_or_go_back_press_no_one(void **state)
{
	struct gsync_usage high = { 5000, 5000, 5000, 5000, 5000, 5000, 5000, 5000, 5000, 5000 };
	struct gsync_usage low = { 10, 10, 10, 10, 10, 10, 10, 10, 10, 10 };

	(void)state;
	assert_int_equal(pressure(0, 0, 0, 0), 0);
	assert_int_equal(pressure(0, 100, 0, 0), 0);
	assert_int_equal(pressure(0, 0, 0, 100), 0);
	assert_int_equal(gsync_pressure_between(&high, &low), 0);
	assert_int_equal(gsync_throttling_between(&high, &low), 0);
	low.busy = UINT64_MAX;
	assert_int_equal(gsync_pressure_between(&high, &low), 100);
	high.stolen = 0;
	low.stolen = UINT64_MAX;
	assert_in_range(gsync_pressure_between(&high, &low), 0, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_the_cpus_that_we_may_use),
		cmocka_unit_test(counts_all_where_not_all_of_ours_are_told_apart),
		cmocka_unit_test(a_file_longer_than_the_buffer_is_read_as_far_as_it_goes),
		cmocka_unit_test(says_so_when_nothing_can_be_known),
		cmocka_unit_test(what_this_process_used_is_known),
		cmocka_unit_test(foreign_work_presses_only_while_no_cpu_idles),
		cmocka_unit_test(what_the_host_takes_presses_always),
		cmocka_unit_test(what_waking_our_threads_took_is_not_what_the_host_takes),
		cmocka_unit_test(a_quota_that_is_used_up_presses),
		cmocka_unit_test(what_the_host_or_a_quota_takes_no_other_has),
		cmocka_unit_test(a_share_is_of_what_was_used),
		cmocka_unit_test(who_keeps_a_cpu_until_it_is_taken_away_does_not_answer),
		cmocka_unit_test(who_takes_cpus_by_force_has_nothing_of_a_yield),
		cmocka_unit_test(who_answers_leaves_us_a_cpu_if_that_is_what_we_get),
		cmocka_unit_test(one_look_in_doubt_is_chance),
		cmocka_unit_test(quick_yields_are_a_sign_of_force_but_on_a_cpu_that_is_left_to_us),
		cmocka_unit_test(a_refusal_that_gains_nothing_is_the_last_for_a_while),
		cmocka_unit_test(a_refusal_that_gains_something_is_not),
		cmocka_unit_test(who_is_spared_and_takes_more_is_spared_no_longer),
		cmocka_unit_test(few_yields_or_none_tell_nothing),
		cmocka_unit_test(switches_are_counted_where_the_text_goes_so_far),
		cmocka_unit_test(who_never_yields_is_met_with_less_and_less_courtesy),
		cmocka_unit_test(courtesy_that_is_answered_goes_on),
		cmocka_unit_test(our_own_crowd_is_no_pressure),
		cmocka_unit_test(counters_that_stand_or_go_back_press_no_one),
	};

	return cmocka_run_group_tests_name("pressure", tests, NULL, NULL);
}
