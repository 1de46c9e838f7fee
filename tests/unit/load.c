/* SPDX-License-Identifier: MIT */
/*
 * What is read about the load: steal, run queue, pressure, throttling; that
 * unknown is never taken for 0; and that a lock's slow path may read it.
 */
#include "tests/unit/fake_machine.h"

/* Filled with noise, so that a member that nobody sets is seen. */
static struct gsync_load read_load(struct fake *fake)
{
	struct gsync_load load;

	memset(&load, 0x5a, sizeof(load));
	gsync_load_read(&fake->source, &load);
	return load;
}

/* ---- steal */

static void test_steal_is_the_eighth_number_of_all(void **state)
{
	struct gsync_facts facts;
	struct gsync_load load;
	struct fake fake;

	(void)state;
	fake_init(&fake);
	add_file(&fake, "/proc/stat", "cpu  10 10 10 40 10 5 5 10 7 7\ncpu0 1 2 3\n");
	gsync_facts_read(&fake.source, &facts);
	assert_float_equal(facts.steal_percent, 10, 1e-6);
	load = read_load(&fake);
	assert_int_equal(load.steal_ticks, 10);
	assert_int_equal(load.all_ticks, 100);
	add_file(&fake, "/proc/stat", "cpu  10 10 10 40 10 5 5 0 0 0\n");
	load = read_load(&fake);
	assert_int_equal(load.steal_ticks, 0);
	assert_int_equal(load.all_ticks, 90);
}

static void test_steal_is_unknown_where_the_kernel_does_not_tell(void **state)
{
	static const char *const contents[] = { "",
						"cpu",
						"cpu ",
						"cpu  1 2 3 4 5 6 7",
						"cpu0 1 2 3 4 5 6 7 8 9 10\n",
						"cpu  0 0 0 0 0 0 0 0 0 0\n",
						"cpu  1 2 3 4 5 6 7 -8 9 10\n",
						"cpu  1 2 3 4 5 6 7 99999999999999999999 9 10\n",
						"intr 1 2 3 4 5 6 7 8 9\n" };
	struct fake fake;
	size_t i;

	(void)state;
	fake_init(&fake);
	assert_true(read_load(&fake).steal_ticks == GSYNC_UNKNOWN);
	for (i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
		fake_init(&fake);
		add_file(&fake, "/proc/stat", contents[i]);
		assert_true(read_load(&fake).steal_ticks == GSYNC_UNKNOWN);
		assert_true(read_load(&fake).all_ticks == GSYNC_UNKNOWN);
	}
}

/* ---- the guest's own run queue */

static void test_schedstat_tells_of_this_thread(void **state)
{
	struct gsync_load load;
	struct fake fake;

	(void)state;
	fake_init(&fake);
	add_file(&fake, "/proc/thread-self/schedstat", "0 41777 1\n");
	load = read_load(&fake);
	assert_int_equal(load.on_cpu_ns, 0);
	assert_int_equal(load.run_queue_wait_ns, 41777);
	assert_int_equal(load.timeslices, 1);
	add_file(&fake, "/proc/thread-self/schedstat", "5000000000 0 70");
	load = read_load(&fake);
	assert_true(load.on_cpu_ns == 5000000000);
	assert_int_equal(load.run_queue_wait_ns, 0);
	assert_int_equal(load.timeslices, 70);
}

/* A kernel that does not count writes zeros: but a thread that reads them has had a timeslice. */
static void test_schedstat_of_a_kernel_that_does_not_count_is_unknown(void **state)
{
	static const char *const contents[] = { "",	  "0 0 0\n", "1 2", "1 2 x",
						"-1 2 3", "1,2,3",   "1 99999999999999999999 3" };
	struct fake fake;
	size_t i;

	(void)state;
	fake_init(&fake);
	assert_true(read_load(&fake).timeslices == GSYNC_UNKNOWN);
	for (i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
		struct gsync_load load;

		fake_init(&fake);
		add_file(&fake, "/proc/thread-self/schedstat", contents[i]);
		load = read_load(&fake);
		assert_true(load.on_cpu_ns == GSYNC_UNKNOWN);
		assert_true(load.run_queue_wait_ns == GSYNC_UNKNOWN);
		assert_true(load.timeslices == GSYNC_UNKNOWN);
	}
}

static void test_runnable_threads_stand_fourth_before_the_slash(void **state)
{
	static const struct {
		const char *content;
		uint64_t runnable;
	} cases[] = {
		{ "9.59 4.55 1.83 5/93 32083\n", 5 },	{ "0.00 0.00 0.00 0/1 1", 0 },
		{ "123.00 99.10 8.00 321/4000 9", 321 }, { "", GSYNC_UNKNOWN },
		{ "0.00 0.00 0.00 5 93", GSYNC_UNKNOWN }, { "0.00 0.00 0.00", GSYNC_UNKNOWN },
		{ "0.00 0.00 0.00 ", GSYNC_UNKNOWN },	{ "0.00 0.00 5/93 1", GSYNC_UNKNOWN },
		{ "0.00 0.00 0.00 -5/93 1", GSYNC_UNKNOWN }, { "x", GSYNC_UNKNOWN },
	};
	struct fake fake;
	size_t i;

	(void)state;
	fake_init(&fake);
	assert_true(read_load(&fake).runnable == GSYNC_UNKNOWN);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fake_init(&fake);
		add_file(&fake, "/proc/loadavg", cases[i].content);
		assert_true(read_load(&fake).runnable == cases[i].runnable);
	}
}

static void test_pressure_is_that_of_some_thread(void **state)
{
	struct gsync_load load;
	struct fake fake;

	(void)state;
	fake_init(&fake);
	add_file(&fake, "/proc/pressure/cpu",
		 "some avg10=63.02 avg60=62.17 avg300=35.25 total=166621052\n"
		 "full avg10=1.00 avg60=1.00 avg300=1.00 total=7\n");
	load = read_load(&fake);
	assert_float_equal(load.pressure_avg10, 63.02, 1e-9);
	assert_int_equal(load.pressure_us, 166621052);
	add_file(&fake, "/proc/pressure/cpu", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
	load = read_load(&fake);
	assert_float_equal(load.pressure_avg10, 0, 0);
	assert_int_equal(load.pressure_us, 0);
	add_file(&fake, "/proc/pressure/cpu", "some avg10=100.00 avg60=0.00 avg300=0.00 total=0\n");
	assert_float_equal(read_load(&fake).pressure_avg10, 100, 0);
}

static void test_pressure_is_unknown_where_it_is_off_or_makes_no_sense(void **state)
{
	static const char *const contents[] = {
		"", "some", "some avg10=", "some avg10=1.00", "some avg10=1 total=2", "some avg10=1.0 total=2",
		"some avg10=1.000 total=2", "some avg10=100.01 total=2", "some avg10=101.00 total=2",
		"some avg10=-1.00 total=2", "some avg10=1.00 total=", "some avg10=1.00 total=-2",
		"some avg10=1.00 total=x",
		"full avg10=1.00 avg60=1.00 avg300=1.00 total=7\n", "some avg10=99999999999999999999.00 total=2",
		"some avg10=1.00\nfull avg10=1.00 total=2",
	};
	struct fake fake;
	size_t i;

	(void)state;
	fake_init(&fake);
	fake.error = EOPNOTSUPP;
	assert_true(read_load(&fake).pressure_avg10 < 0);
	for (i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
		fake_init(&fake);
		add_file(&fake, "/proc/pressure/cpu", contents[i]);
		assert_true(read_load(&fake).pressure_avg10 < 0);
		assert_true(read_load(&fake).pressure_us == GSYNC_UNKNOWN);
	}
}

/* ---- throttling */

#define V2_STAT(periods, throttled, us)                                                                                \
	"usage_usec 999\nuser_usec 888\nsystem_usec 111\nnr_periods " periods "\nnr_throttled " throttled              \
	"\nthrottled_usec " us "\nnr_bursts 5\nburst_usec 6\n"
#define V1_STAT(periods, throttled, ns)                                                                                \
	"nr_periods " periods "\nnr_throttled " throttled "\nthrottled_time " ns "\nnr_bursts 5\nburst_time 6\n"

static void v2_init(struct fake *fake, const char *group)
{
	fake_init(fake);
	add_file(fake, "/proc/self/cgroup", group);
	add_file(fake, "/proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n");
}

static void assert_throttling(struct fake *fake, uint64_t periods, uint64_t throttled, uint64_t ns)
{
	struct gsync_load load = read_load(fake);

	assert_true(load.periods == periods);
	assert_true(load.throttled_periods == throttled);
	assert_true(load.throttled_ns == ns);
}

static void assert_throttling_unknown(struct fake *fake)
{
	assert_throttling(fake, GSYNC_UNKNOWN, GSYNC_UNKNOWN, GSYNC_UNKNOWN);
}

static void test_v2_throttling_is_the_sum_up_to_the_mount(void **state)
{
	struct fake fake;

	(void)state;
	v2_init(&fake, "0::/a/b\n");
	assert_throttling_unknown(&fake);
	add_file(&fake, "/sys/fs/cgroup/a/b/cpu.stat", V2_STAT("0", "0", "0"));
	assert_throttling(&fake, 0, 0, 0);
	add_file(&fake, "/sys/fs/cgroup/a/b/cpu.stat", V2_STAT("10", "3", "70"));
	assert_throttling(&fake, 10, 3, 70000);
	add_file(&fake, "/sys/fs/cgroup/a/cpu.stat", V2_STAT("100", "20", "500"));
	assert_throttling(&fake, 110, 23, 570000);
	add_file(&fake, "/sys/fs/cgroup/cpu.stat", V2_STAT("1000", "4", "1"));
	assert_throttling(&fake, 1110, 27, 571000);
	/* What a later kernel may add. */
	add_file(&fake, "/sys/fs/cgroup/cpu.stat", "nr_periods_since 1\nnr_throttled_x 1\n" V2_STAT("1000", "4", "1"));
	assert_throttling(&fake, 1110, 27, 571000);
	/* Beside and above. */
	add_file(&fake, "/sys/fs/cgroup/a/bb/cpu.stat", V2_STAT("1", "1", "1"));
	add_file(&fake, "/sys/fs/cpu.stat", V2_STAT("1", "1", "1"));
	assert_throttling(&fake, 1110, 27, 571000);
}

static void test_v1_throttling_is_in_ns(void **state)
{
	struct fake fake;

	(void)state;
	fake_init(&fake);
	add_file(&fake, "/proc/self/cgroup", "4:cpu,cpuacct:/a\n3:cpuset:/other\n");
	add_file(&fake, "/proc/self/mountinfo",
		 "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 master:2 - cgroup cgroup rw,cpu,cpuacct\n");
	add_file(&fake, "/sys/fs/cgroup/cpu,cpuacct/a/cpu.stat", V1_STAT("10", "3", "12345"));
	assert_throttling(&fake, 10, 3, 12345);
	add_file(&fake, "/sys/fs/cgroup/cpu,cpuacct/cpu.stat", V1_STAT("0", "0", "0"));
	assert_throttling(&fake, 10, 3, 12345);
	add_file(&fake, "/sys/fs/cgroup/cpu,cpuacct/other/cpu.stat", V1_STAT("1", "1", "1"));
	assert_throttling(&fake, 10, 3, 12345);
}

/* Whatever the path looks like: a sum, unlike a minimum, suffers from counting twice. */
static void test_no_group_counts_twice(void **state)
{
	static const char *const groups[] = { "0::/\n", "0::/a\n", "0::/a/\n", "0:://a//\n", "0::/gone\n", "0::/..\n" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		struct fake fake;

		v2_init(&fake, groups[i]);
		/* The real file system does not mind two slashes, so here they are as good as one. */
		add_file(&fake, "/sys/fs/cgroup/cpu.stat", V2_STAT("10", "3", "70"));
		add_file(&fake, "/sys/fs/cgroup//cpu.stat", V2_STAT("10", "3", "70"));
		add_file(&fake, "/sys/fs/cgroup/a//cpu.stat", V2_STAT("10", "3", "70"));
		assert_throttling(&fake, 10, 3, 70000);
	}
}

/* Without mountinfo both customary names are tried, which are one directory on many machines. */
static void test_one_directory_by_two_names_counts_once(void **state)
{
	struct fake fake;

	(void)state;
	fake_init(&fake);
	add_file(&fake, "/proc/self/cgroup", "2:cpu:/a\n");
	add_file(&fake, "/sys/fs/cgroup/cpu/a/cpu.stat", V1_STAT("10", "3", "70"));
	add_file(&fake, "/sys/fs/cgroup/cpu,cpuacct/a/cpu.stat", V1_STAT("10", "3", "70"));
	assert_throttling(&fake, 10, 3, 70);
	fake_init(&fake);
	add_file(&fake, "/sys/fs/cgroup/cpu,cpuacct/cpu.stat", V1_STAT("10", "3", "70"));
	assert_throttling(&fake, 10, 3, 70);
}

static void test_a_group_without_the_controller_is_unknown_not_unthrottled(void **state)
{
	static const char *const contents[] = {
		"", "usage_usec 1\nuser_usec 1\nsystem_usec 0\n", "nr_periods 1\nnr_throttled 1\n",
		"nr_periods 1\nthrottled_usec 1\n", "nr_throttled 1\nthrottled_usec 1\n", V2_STAT("1", "1", "-1"),
		V2_STAT("x", "1", "1"), V1_STAT("1", "1", "1"), "xnr_periods 1\nxnr_throttled 1\nxthrottled_usec 1\n",
		"nr_periodsx 1\nnr_throttledx 1\nthrottled_usecx 1\n", V2_STAT("1", "99999999999999999999", "1"),
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
		struct fake fake;

		v2_init(&fake, "0::/a\n");
		add_file(&fake, "/sys/fs/cgroup/a/cpu.stat", contents[i]);
		assert_throttling_unknown(&fake);
		/* … and hides no parent. */
		add_file(&fake, "/sys/fs/cgroup/cpu.stat", V2_STAT("10", "3", "70"));
		assert_throttling(&fake, 10, 3, 70000);
	}
}

static void test_throttling_beyond_measure_does_not_wrap_around(void **state)
{
	struct fake fake;

	(void)state;
	v2_init(&fake, "0::/a\n");
	add_file(&fake, "/sys/fs/cgroup/a/cpu.stat",
		 V2_STAT("999999999999999999", "999999999999999999", "999999999999999999"));
	add_file(&fake, "/sys/fs/cgroup/cpu.stat",
		 V2_STAT("999999999999999999", "999999999999999999", "999999999999999999"));
	assert_throttling(&fake, 1999999999999999998, 1999999999999999998, GSYNC_COUNT_MAX);
	/* What can be told still is. */
	v2_init(&fake, "0::/a\n");
	add_file(&fake, "/sys/fs/cgroup/a/cpu.stat", V2_STAT("1", "1", "9223372036854775"));
	assert_throttling(&fake, 1, 1, 9223372036854775000);
}

/* A number cut short by the end of what we read is another number. */
static void test_a_line_cut_in_half_is_not_believed(void **state)
{
	char content[1100];
	struct fake fake;

	(void)state;
	v2_init(&fake, "0::/a\n");
	memset(content, 'x', sizeof(content));
	strcpy(content, "nr_periods 10\nnr_throttled 3\n");
	content[strlen(content)] = 'x';
	strcpy(content + 1023 - strlen("\nthrottled_usec 12"), "\nthrottled_usec 12345\n");
	add_file(&fake, "/sys/fs/cgroup/a/cpu.stat", content);
	assert_throttling_unknown(&fake);
}

/* ---- idle */

static void test_the_idle_driver_and_governor_are_named(void **state)
{
	struct gsync_idle idle;
	struct fake fake;

	(void)state;
	fake_init(&fake);
	gsync_idle_read(&fake.source, &idle);
	assert_string_equal(idle.driver, "");
	assert_string_equal(idle.governor, "");
	add_file(&fake, "/sys/devices/system/cpu/cpuidle/current_driver", "haltpoll\n");
	add_file(&fake, "/sys/devices/system/cpu/cpuidle/current_governor_ro", "menu\n");
	gsync_idle_read(&fake.source, &idle);
	assert_string_equal(idle.driver, "haltpoll");
	assert_string_equal(idle.governor, "menu");
	add_file(&fake, "/sys/devices/system/cpu/cpuidle/current_governor", "haltpoll\n");
	gsync_idle_read(&fake.source, &idle);
	assert_string_equal(idle.governor, "haltpoll");
	add_file(&fake, "/sys/devices/system/cpu/cpuidle/current_driver",
		 "a\x80\x01 name of more than thirty-one bytes\n");
	gsync_idle_read(&fake.source, &idle);
	assert_string_equal(idle.driver, "a.. name of more than thirty-on");
}

/* ---- the real machine */

static void test_the_real_machine_is_sane(void **state)
{
	struct gsync_load before, after;

	(void)state;
	errno = 77;
	gsync_load_read(&gsync_source_machine, &before);
	test_sleep_ms(2);
	gsync_load_read(&gsync_source_machine, &after);
	assert_int_equal(errno, 77);
	assert_true(before.pressure_avg10 <= 100);
	/* Counters do not run backwards; where one is unknown, both readings are. */
	assert_true(after.all_ticks >= before.all_ticks && after.steal_ticks <= after.all_ticks);
	assert_true(after.timeslices > before.timeslices || after.timeslices == GSYNC_UNKNOWN);
	assert_true(after.run_queue_wait_ns >= before.run_queue_wait_ns);
	assert_true(after.throttled_ns >= before.throttled_ns && after.throttled_periods <= after.periods);
}

static void *read_real_load(void *out)
{
	gsync_load_read(&gsync_source_machine, out);
	return NULL;
}

static void test_reading_the_load_fits_the_smallest_stack(void **state)
{
	struct gsync_load load;

	(void)state;
	memset(&load, 0x5a, sizeof(load));
	test_on_the_smallest_stack(read_real_load, &load);
	assert_true(load.pressure_avg10 <= 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steal_is_the_eighth_number_of_all),
		cmocka_unit_test(test_steal_is_unknown_where_the_kernel_does_not_tell),
		cmocka_unit_test(test_schedstat_tells_of_this_thread),
		cmocka_unit_test(test_schedstat_of_a_kernel_that_does_not_count_is_unknown),
		cmocka_unit_test(test_runnable_threads_stand_fourth_before_the_slash),
		cmocka_unit_test(test_pressure_is_that_of_some_thread),
		cmocka_unit_test(test_pressure_is_unknown_where_it_is_off_or_makes_no_sense),
		cmocka_unit_test(test_v2_throttling_is_the_sum_up_to_the_mount),
		cmocka_unit_test(test_v1_throttling_is_in_ns),
		cmocka_unit_test(test_no_group_counts_twice),
		cmocka_unit_test(test_one_directory_by_two_names_counts_once),
		cmocka_unit_test(test_a_group_without_the_controller_is_unknown_not_unthrottled),
		cmocka_unit_test(test_throttling_beyond_measure_does_not_wrap_around),
		cmocka_unit_test(test_a_line_cut_in_half_is_not_believed),
		cmocka_unit_test(test_the_idle_driver_and_governor_are_named),
		cmocka_unit_test(test_the_real_machine_is_sane),
		cmocka_unit_test(test_reading_the_load_fits_the_smallest_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
