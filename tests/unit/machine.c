/* SPDX-License-Identifier: MIT */
/*
 * How the facts are shown: in JSON, where unknown is null and never 0; in
 * sentences, which come when a fact matters to a waiter, and only then.
 */
#include "tests/unit/support.h"

#include "cli/machine.h"

static const struct gsync_calibration calibration = {
	.counter_mhz = 2600,
	.counter_trusted = true,
	.counter_why = "invariant",
	.pause_ns = 10,
	.wake_ns = 17000,
};
static const struct gsync_profile profile = { .spin_ns = 17000, .usable_cpus = 2 };

static void facts_init(struct gsync_facts *facts)
{
	memset(facts, 0, sizeof(*facts));
	strcpy(facts->hypervisor.name, "none");
	strcpy(facts->hypervisor.confidential, "none");
	strcpy(facts->container, "none");
	facts->hypervisor.nested = -1;
	facts->cpus = (struct gsync_cpus){ 2, 2, 0, 2 };
	facts->steal_percent = -1;
	facts->load = (struct gsync_load){
		.steal_ticks = GSYNC_UNKNOWN,
		.all_ticks = GSYNC_UNKNOWN,
		.on_cpu_ns = GSYNC_UNKNOWN,
		.run_queue_wait_ns = GSYNC_UNKNOWN,
		.timeslices = GSYNC_UNKNOWN,
		.runnable = GSYNC_UNKNOWN,
		.pressure_avg10 = -1,
		.pressure_us = GSYNC_UNKNOWN,
		.periods = GSYNC_UNKNOWN,
		.throttled_periods = GSYNC_UNKNOWN,
		.throttled_ns = GSYNC_UNKNOWN,
	};
}

static void guest_init(struct gsync_facts *facts, const char *name, const char *role)
{
	facts_init(facts);
	strcpy(facts->hypervisor.name, name);
	strcpy(facts->hypervisor.role, role);
}

/* One member of the JSON, found by its path, as text. */
static void assert_json(const struct gsync_facts *facts, const char *object, const char *member, const char *expected)
{
	json_t *machine = cli_machine_json(facts, &calibration, &profile);
	char *text;

	assert_non_null(machine);
	text = json_dumps(json_object_get(json_object_get(machine, object), member),
			  JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(12));
	assert_non_null(text);
	assert_string_equal(text, expected);
	free(text);
	json_decref(machine);
}

static char *shown(const struct gsync_facts *facts)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	cli_machine_print(out, facts, &calibration, &profile);
	fclose(out);
	return text;
}

static void assert_says(const struct gsync_facts *facts, const char *words)
{
	char *text = shown(facts);

	if (!strstr(text, words))
		fail_msg("\"%s\" is not said in:\n%s", words, text);
	free(text);
}

static void assert_silent(const struct gsync_facts *facts, const char *words)
{
	char *text = shown(facts);

	if (strstr(text, words))
		fail_msg("\"%s\" is said in:\n%s", words, text);
	free(text);
}

static void test_unknown_is_null(void **state)
{
	static const char *const members[][2] = {
		{ "hypervisor", "role" }, { "hypervisor", "nested" }, { "hypervisor", "version" },
		{ "hypervisor", "hyperv" }, { "hypervisor", "tsc_khz" }, { "load", "run_queue_wait_ns" },
		{ "load", "timeslices" }, { "load", "runnable" }, { "load", "pressure_avg10" },
		{ "load", "throttled_periods" }, { "load", "throttled_ns" }, { "topology", "packages" },
		{ "topology", "cores" }, { "topology", "threads" }, { "topology", "numa_nodes" },
		{ "topology", "l1d_bytes" }, { "topology", "l2_bytes" }, { "topology", "l3_bytes" },
		{ "idle", "driver" }, { "idle", "governor" },
	};
	struct gsync_facts facts;
	size_t i;

	(void)state;
	facts_init(&facts);
	for (i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		assert_json(&facts, members[i][0], members[i][1], "null");
	assert_json(&facts, "hypervisor", "dedicated", "false");
}

static void test_zero_is_zero(void **state)
{
	static const char *const members[] = { "run_queue_wait_ns", "runnable", "throttled_periods", "throttled_ns" };
	struct gsync_facts facts;
	size_t i;

	(void)state;
	facts_init(&facts);
	memset(&facts.load, 0, sizeof(facts.load));
	facts.hypervisor.nested = 0;
	for (i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		assert_json(&facts, "load", members[i], "0");
	assert_json(&facts, "load", "pressure_avg10", "0.0");
	assert_json(&facts, "hypervisor", "nested", "false");
}

static void test_what_is_known_is_shown(void **state)
{
	struct gsync_facts facts;

	(void)state;
	guest_init(&facts, "xen", "dom0");
	strcpy(facts.hypervisor.version, "4.17");
	facts.hypervisor.nested = 1;
	facts.hypervisor.dedicated = true;
	facts.hypervisor.tsc_khz = 2593906;
	facts.load.throttled_ns = GSYNC_COUNT_MAX;
	facts.load.pressure_avg10 = 63.02;
	facts.topology = (struct gsync_topology){ 2, 8, 16, 3, 32768, 1 << 20, UINT64_C(480) << 20, 8, 8, 2 };
	strcpy(facts.idle.driver, "intel_idle");
	assert_json(&facts, "hypervisor", "role", "\"dom0\"");
	assert_json(&facts, "hypervisor", "version", "\"4.17\"");
	assert_json(&facts, "hypervisor", "nested", "true");
	assert_json(&facts, "hypervisor", "dedicated", "true");
	assert_json(&facts, "hypervisor", "tsc_khz", "2593906");
	assert_json(&facts, "load", "throttled_ns", "9223372036854775807");
	assert_json(&facts, "load", "pressure_avg10", "63.02");
	assert_json(&facts, "topology", "packages", "2");
	assert_json(&facts, "topology", "cores", "8");
	assert_json(&facts, "topology", "threads", "16");
	assert_json(&facts, "topology", "numa_nodes", "3");
	assert_json(&facts, "topology", "l1d_bytes", "32768");
	assert_json(&facts, "topology", "l2_bytes", "1048576");
	assert_json(&facts, "topology", "l3_bytes", "503316480");
	assert_json(&facts, "idle", "driver", "\"intel_idle\"");
	assert_json(&facts, "idle", "governor", "null");
	assert_says(&facts, "xen 4.17, dom0, nested, dedicated CPUs");
	assert_says(&facts, "packages 2, cores 8, hardware threads 16, NUMA nodes 3, L1d 8 x 32 KiB, L2 8 x 1024 KiB");
	assert_says(&facts, "L3 2 x 491520 KiB");
	assert_says(&facts, "2593906 kHz");
}

static void test_hypervs_never_is_null(void **state)
{
	struct gsync_facts facts;

	(void)state;
	guest_init(&facts, "microsoft", "guest");
	assert_silent(&facts, "Hyper-V advice");
	facts.hypervisor.hyperv = (struct gsync_hyperv){ true, GSYNC_SPIN_RETRIES_NEVER, true };
	assert_json(&facts, "hypervisor", "hyperv", "{\"spin_retries\":null,\"no_core_sharing\":true}");
	assert_says(&facts, "never report");
	facts.hypervisor.hyperv = (struct gsync_hyperv){ true, 0xfff, false };
	assert_json(&facts, "hypervisor", "hyperv", "{\"spin_retries\":4095,\"no_core_sharing\":false}");
	assert_says(&facts, "after 4095 failed spins");
}

static void test_the_one_that_runs_the_hypervisor_is_no_ordinary_guest(void **state)
{
	struct gsync_facts facts;

	(void)state;
	guest_init(&facts, "xen", "dom0");
	assert_says(&facts, "This is the control domain (dom0) of Xen");
	guest_init(&facts, "microsoft", "root");
	assert_says(&facts, "This is the root partition of Hyper-V");
	guest_init(&facts, "xen", "guest");
	assert_says(&facts, "This is a virtual machine of Xen");
}

static void test_a_sentence_comes_only_where_the_fact_matters(void **state)
{
	static const char promise[] = "The host promises", nested[] = "The hypervisor itself runs in a virtual machine";
	static const char throttled[] = "Its cgroups were throttled", haltpoll[] = "no proof of dedicated CPUs";
	struct gsync_facts facts;

	(void)state;
	guest_init(&facts, "kvm", "guest");
	assert_silent(&facts, promise);
	assert_silent(&facts, nested);
	assert_silent(&facts, throttled);
	assert_silent(&facts, haltpoll);
	facts.hypervisor.dedicated = true;
	assert_says(&facts, promise);
	facts.hypervisor.nested = 1;
	assert_says(&facts, nested);
	facts.load.throttled_periods = 0;
	assert_silent(&facts, throttled);
	facts.load.throttled_periods = 7;
	assert_says(&facts, "Its cgroups were throttled 7 times");
	strcpy(facts.idle.governor, "menu");
	assert_silent(&facts, haltpoll);
	strcpy(facts.idle.driver, "haltpoll");
	assert_says(&facts, haltpoll);
}

/* Zero may mean that the host does not count. */
static void test_no_steal_in_a_guest_is_no_proof(void **state)
{
	struct gsync_facts facts;

	(void)state;
	guest_init(&facts, "kvm", "guest");
	facts.load.steal_ticks = 0;
	facts.steal_percent = 0;
	assert_says(&facts, "or the host does not tell");
	facts_init(&facts);
	facts.load.steal_ticks = 0;
	facts.steal_percent = 0;
	assert_says(&facts, "0.00 % of all CPU time");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unknown_is_null),
		cmocka_unit_test(test_zero_is_zero),
		cmocka_unit_test(test_what_is_known_is_shown),
		cmocka_unit_test(test_hypervs_never_is_null),
		cmocka_unit_test(test_the_one_that_runs_the_hypervisor_is_no_ordinary_guest),
		cmocka_unit_test(test_a_sentence_comes_only_where_the_fact_matters),
		cmocka_unit_test(test_no_steal_in_a_guest_is_no_proof),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
