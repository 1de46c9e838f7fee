/* SPDX-License-Identifier: MIT */
/*
 * The topology: of whom it is believed, and that what hwloc tells of this
 * machine agrees with what the kernel says, for all CPUs and for one.
 */
#include "tests/unit/fake_machine.h"

#include <signal.h>

static const struct gsync_topology sound = {
	.packages = 1,
	.cores = 4,
	.threads = 8,
	.numa_nodes = 1,
	.l1d_bytes = 32768,
	.l1d_count = 4,
};

static struct gsync_topology told;
static bool is_told;

static bool fake_topology(void *context, struct gsync_topology *out)
{
	(void)context;
	*out = told;
	return is_told;
}

static bool is_known(struct fake *fake)
{
	static const struct gsync_topology unknown;
	struct gsync_topology topology;

	memset(&topology, 0x5a, sizeof(topology));
	gsync_topology_read(&fake->source, &topology);
	if (topology.threads != 0) {
		assert_memory_equal(&topology, &told, sizeof(topology));
		return true;
	}
	assert_memory_equal(&topology, &unknown, sizeof(topology));
	return false;
}

static void test_a_source_without_topology_knows_none(void **state)
{
	struct fake fake;

	(void)state;
	fake_init(&fake);
	assert_false(is_known(&fake));
	fake.source.topology = fake_topology;
	told = sound;
	is_told = true;
	assert_true(is_known(&fake));
	is_told = false;
	assert_false(is_known(&fake));
	assert_true(gsync_source_machine.topology == NULL);
}

static void test_a_topology_that_cannot_be_is_not_believed(void **state)
{
	static const struct {
		size_t member;
		int value;
	} cases[] = {
		{ offsetof(struct gsync_topology, threads), 9 },  { offsetof(struct gsync_topology, threads), -1 },
		{ offsetof(struct gsync_topology, threads), 0 },  { offsetof(struct gsync_topology, cores), 9 },
		{ offsetof(struct gsync_topology, cores), -1 },	  { offsetof(struct gsync_topology, packages), 9 },
		{ offsetof(struct gsync_topology, packages), -1 }, { offsetof(struct gsync_topology, numa_nodes), 9 },
		{ offsetof(struct gsync_topology, numa_nodes), -1 }, { offsetof(struct gsync_topology, l1d_count), -1 },
		{ offsetof(struct gsync_topology, l2_count), -1 }, { offsetof(struct gsync_topology, l3_count), -1 },
	};
	struct fake fake;
	size_t i;

	(void)state;
	fake_init(&fake);
	fake.source.topology = fake_topology;
	is_told = true;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		told = sound;
		assert_true(is_known(&fake));
		memcpy((char *)&told + cases[i].member, &cases[i].value, sizeof(int));
		assert_false(is_known(&fake));
	}
	told = sound;
	fake.affinity = 0; /* unknown */
	assert_true(is_known(&fake));
	fake.online = 7;
	assert_false(is_known(&fake));
	fake.online = 0;
	assert_true(is_known(&fake));
	/* A CPU is missing from it that we may use, or one is in it that we may not. */
	fake.affinity = 9;
	assert_false(is_known(&fake));
	fake.affinity = 7;
	assert_false(is_known(&fake));
}

static struct gsync_topology read_real(void)
{
	struct gsync_topology topology;

	errno = 77;
	gsync_topology_read(&gsync_source_full, &topology);
	assert_int_equal(errno, 77);
	return topology;
}

static void test_the_real_machine_has_what_the_kernel_says(void **state)
{
	struct gsync_topology topology = read_real();
	cpu_set_t before;
	char core[64];

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	assert_int_equal(topology.threads, CPU_COUNT(&before));
	if (gsync_source_full.read_file(NULL, "/sys/devices/system/cpu/cpu0/topology/core_id", core, sizeof(core)) > 0)
		assert_true(topology.cores >= 1 && topology.packages >= 1 && topology.numa_nodes >= 1);
	else
		assert_int_equal(topology.numa_nodes, 0);
	assert_true((topology.l1d_count == 0) == (topology.l1d_bytes == 0));
}

static void test_the_real_topology_follows_the_affinity_mask(void **state)
{
	struct gsync_topology all = read_real();
	struct gsync_topology topology;
	cpu_set_t before, one;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	topology = read_real();
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
	assert_int_equal(topology.threads, 1);
	assert_int_equal(topology.cores, all.cores > 0);
	assert_int_equal(topology.packages, all.packages > 0);
	assert_int_equal(topology.l1d_count, all.l1d_count > 0);
	assert_int_equal(topology.numa_nodes, all.numa_nodes > 0);
}

static void do_nothing(int signal)
{
	(void)signal;
}

/* A program may wait for all its children in a handler, or have the kernel forget them. */
static void test_the_child_that_asks_is_no_business_of_the_program(void **state)
{
	void (*const handlers[])(int) = { SIG_DFL, SIG_IGN, do_nothing };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
		void (*before)(int) = signal(SIGCHLD, handlers[i]);

		assert_true(read_real().threads > 0);
		signal(SIGCHLD, before);
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
		assert_int_equal(errno, ECHILD);
	}
}

static void test_hwloc_of_another_machine_is_not_believed(void **state)
{
	struct gsync_topology topology;
	char synthetic[32];

	(void)state;
	/* It has as many CPUs as we. */
	snprintf(synthetic, sizeof(synthetic), "core:%d pu:1", gsync_source_full.cpus_affinity(NULL));
	assert_int_equal(setenv("HWLOC_SYNTHETIC", synthetic, 1), 0);
	topology = read_real();
	assert_int_equal(unsetenv("HWLOC_SYNTHETIC"), 0);
	assert_int_equal(topology.threads, 0);
	assert_true(read_real().threads > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_source_without_topology_knows_none),
		cmocka_unit_test(test_a_topology_that_cannot_be_is_not_believed),
		cmocka_unit_test(test_the_real_machine_has_what_the_kernel_says),
		cmocka_unit_test(test_the_real_topology_follows_the_affinity_mask),
		cmocka_unit_test(test_the_child_that_asks_is_no_business_of_the_program),
		cmocka_unit_test(test_hwloc_of_another_machine_is_not_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
