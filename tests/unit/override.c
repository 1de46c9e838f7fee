/* SPDX-License-Identifier: MIT */
/* Thresholds that somebody sets: what the environment may say, that a call wins over it, and that waiters go by it. */
#include "tests/unit/support.h"

#include "detect/override.h"
#include "detect/tuning.h"

#include <guestsync/profile.h>

#include <ctype.h>

static const struct gsync_conditions conditions = {
	.calibration = { .counter_mhz = 2400, .counter_trusted = true, .pause_ns = 22, .wake_ns = 20000, .wake_trusted = true },
	.usable_cpus = 4,
};

#define INDEX(field) (offsetof(struct gsync_profile, field) / sizeof(uint32_t))

static void every_threshold_stands_at_its_field(void **state)
{
	static const char *const names[] = {
		[INDEX(spin_ns)] = "spin_ns",
		[INDEX(pressed_spin_ns)] = "pressed_spin_ns",
		[INDEX(spin_floor_ns)] = "spin_floor_ns",
		[INDEX(woken_spin_ns)] = "woken_spin_ns",
		[INDEX(first_looks)] = "first_looks",
		[INDEX(backoff_ns)] = "backoff_ns",
		[INDEX(fair_ns)] = "fair_ns",
		[INDEX(repair_ns)] = "repair_ns",
		[INDEX(trial_ns)] = "trial_ns",
		[INDEX(near_ns)] = "near_ns",
		[INDEX(eager)] = "eager",
		[INDEX(yield_ns)] = "yield_ns",
		[INDEX(barrier_ns)] = "barrier_ns",
		[INDEX(barrier_yields)] = "barrier_yields",
		[INDEX(pool_ns)] = "pool_ns",
		[INDEX(share_ns)] = "share_ns",
		[INDEX(range_ns)] = "range_ns",
		[INDEX(look_ns)] = "look_ns",
		[INDEX(quiet)] = "quiet",
		[INDEX(pressure_percent)] = "pressure_percent",
		[INDEX(usable_cpus)] = "usable_cpus",
		[INDEX(whole_cpus)] = "whole_cpus",
	};

	(void)state;
	assert_int_equal(sizeof(names) / sizeof(names[0]), GSYNC_THRESHOLD_COUNT);
	for (size_t i = 0; i < GSYNC_THRESHOLD_COUNT; i++) {
		assert_string_equal(gsync_thresholds[i].name, names[i]);
		assert_int_equal(gsync_override_find(names[i]), i);
	}
	assert_int_equal(gsync_override_find("spin"), -1);
	assert_int_equal(gsync_override_find(""), -1);
	assert_int_equal(gsync_override_find("SPIN_NS"), -1);
}

static void every_threshold_explains_itself(void **state)
{
	struct gsync_profile profile;
	struct gsync_reasons reasons;

	(void)state;
	gsync_profile_derive(&profile, &reasons, &conditions);
	for (size_t i = 0; i < GSYNC_THRESHOLD_COUNT; i++) {
		const struct gsync_threshold *threshold = &gsync_thresholds[i];
		char variable[GSYNC_VARIABLE_SIZE];

		assert_true(threshold->least < threshold->most);
		assert_in_range(gsync_profile_value(&profile, i), threshold->least, threshold->most);
		assert_true(strlen(threshold->what) > 10 && strlen(reasons.why[i]) > 10);
		gsync_override_variable(threshold, variable);
		assert_memory_equal(variable, "GUESTSYNC_", 10);
		assert_int_equal(strlen(variable), 10 + strlen(threshold->name));
		for (const char *at = variable; *at; at++)
			assert_true(isupper((unsigned char)*at) || *at == '_');
	}
}

/* ---- the environment; each test in a process of its own, since it is read for good */

static void in_a_child(void (*check)(void))
{
	pid_t child = fork();

	assert_int_not_equal(child, -1);
	if (child == 0) {
		check();
		_exit(0);
	}
	test_child_succeeded(child);
}

#define CHECK(condition)                                                                                            \
	do {                                                                                                        \
		if (!(condition)) {                                                                                 \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                   \
			_exit(1);                                                                                   \
		}                                                                                                   \
	} while (0)

/* Reads ENTRY as if it were the environment; returns what was complained. */
static const char *read_entry(const char *entry)
{
	static char said[4096];
	char *environment[] = { (char *)(uintptr_t)"PATH=/bin", (char *)(uintptr_t)entry,
				(char *)(uintptr_t)"GUESTSYN=1", NULL };
	ssize_t length;
	int ends[2];

	CHECK(pipe(ends) == 0);
	gsync_override_read(environment, ends[1]);
	close(ends[1]);
	length = read(ends[0], said, sizeof(said) - 1);
	CHECK(length >= 0);
	close(ends[0]);
	said[length] = '\0';
	return said;
}

static uint32_t applied(size_t index)
{
	struct gsync_profile profile;

	gsync_profile_derive(&profile, NULL, &conditions);
	gsync_override_apply(&profile, NULL);
	return gsync_profile_value(&profile, index);
}

static void check_refused(const char *entry, const char *named)
{
	const char *said = read_entry(entry);
	const char *end = strchr(said, '\n');

	CHECK(strncmp(said, "guestsync: ", 11) == 0 && strstr(said, named));
	CHECK(end && end[1] == '\0');
	CHECK(strlen(said) < 200);
	for (const char *at = said; at < end; at++)
		CHECK((unsigned char)*at >= ' ');
}

static void check_bad_values(void)
{
	static const char *const values[] = { "abc", "", "-1", "1000000001", "0x10", "5000 ", " 5000", "+5", "5000\n",
					      "5e3", "12.5", "4294967296", "18446744073709551617", "5000\033[2J" };
	char entry[20000] = "GUESTSYNC_SPIN_NS=";
	size_t start = strlen(entry);

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		memcpy(entry + start, values[i], strlen(values[i]) + 1);
		check_refused(entry, "GUESTSYNC_SPIN_NS=");
	}
	memset(entry + start, '9', sizeof(entry) - start - 1);
	check_refused(entry, "GUESTSYNC_SPIN_NS=9999");
	check_refused("GUESTSYNC_SPIN_NS", "GUESTSYNC_SPIN_NS");
	check_refused("GUESTSYNC_EAGER=32", "0 to 31");
	check_refused("GUESTSYNC_FAIR_NS=999", "1000 to");
	CHECK(applied(INDEX(spin_ns)) == 20000);
	CHECK(applied(INDEX(eager)) == 3);
	CHECK(applied(INDEX(fair_ns)) == 250000);
}

static void a_bad_value_is_named_and_the_default_stays(void **state)
{
	(void)state;
	in_a_child(check_bad_values);
}

static void check_unknown(void)
{
	char entry[3000] = "GUESTSYNC_";

	check_refused("GUESTSYNC_SPIN=5", "GUESTSYNC_SPIN: no such setting");
	check_refused("GUESTSYNC_spin_ns=5", "no such setting");
	check_refused("GUESTSYNC_=5", "no such setting");
	memset(entry + 10, 'X', sizeof(entry) - 11);
	check_refused(entry, "GUESTSYNC_XXX");
	CHECK(applied(INDEX(spin_ns)) == 20000);
}

static void an_unknown_variable_of_ours_is_named(void **state)
{
	(void)state;
	in_a_child(check_unknown);
}

static void check_good(void)
{
	struct gsync_profile profile;
	struct gsync_reasons reasons = { { NULL } };

	CHECK(read_entry("GUESTSYNC_SPIN_NS=0")[0] == '\0' && applied(INDEX(spin_ns)) == 0);
	CHECK(read_entry("GUESTSYNC_SPIN_NS=1000000000")[0] == '\0' && applied(INDEX(spin_ns)) == 1000000000);
	CHECK(read_entry("GUESTSYNC_SPIN_NS=0005000")[0] == '\0' && applied(INDEX(spin_ns)) == 5000);
	CHECK(read_entry("GUESTSYNC_SPIN_NS=abc")[0] != '\0' && applied(INDEX(spin_ns)) == 5000);
	gsync_override_apply(&profile, &reasons);
	CHECK(strstr(reasons.why[INDEX(spin_ns)], "environment") && !reasons.why[INDEX(eager)]);
	gsync_override_read(NULL, STDERR_FILENO);
}

static void a_good_value_is_taken(void **state)
{
	(void)state;
	in_a_child(check_good);
}

static void check_order(void)
{
	uint64_t value, rule;
	uint64_t ticks;

	CHECK(gsync_profile_get("near_ns", &rule) == 0 && rule != 7000 && rule != 8000);
	CHECK(read_entry("GUESTSYNC_SPIN_NS=7000")[0] == '\0');
	CHECK(gsync_profile_set("spin_ns", 8000) == 0 && gsync_profile_set("near_ns", 8000) == 0);
	CHECK(gsync_profile_get("spin_ns", &value) == 0 && value == 8000);
	ticks = gsync_tuning().spin;
	CHECK(ticks > 0 && ticks == gsync_tuning().near);
	CHECK(gsync_profile_reset("spin_ns") == 0);
	CHECK(gsync_profile_get("spin_ns", &value) == 0 && value == 7000);
	CHECK(gsync_profile_get("near_ns", &value) == 0 && value == 8000);
	/* Seven eighths of it, but for rounding. */
	CHECK(gsync_tuning().spin * 8 + 8 >= ticks * 7 && gsync_tuning().spin * 8 <= ticks * 7 + 8);
	CHECK(gsync_profile_set("spin_ns", 9000) == 0);
	CHECK(gsync_profile_reset(NULL) == 0);
	CHECK(gsync_profile_get("spin_ns", &value) == 0 && value == 7000);
	CHECK(gsync_profile_get("near_ns", &value) == 0 && value == rule);
}

static void a_call_wins_over_the_environment_and_that_over_the_rule(void **state)
{
	(void)state;
	in_a_child(check_order);
}

static void what_cannot_be_set_changes_nothing(void **state)
{
	uint64_t before, value;

	(void)state;
	assert_int_equal(gsync_profile_get("spin_ns", &before), 0);
	errno = EXDEV;
	assert_int_equal(gsync_profile_set("nonsense", 1), ENOENT);
	assert_int_equal(gsync_profile_get("nonsense", &value), ENOENT);
	assert_int_equal(gsync_profile_reset("nonsense"), ENOENT);
	assert_int_equal(gsync_profile_set("spin_ns", 1000000001), ERANGE);
	assert_int_equal(gsync_profile_set("spin_ns", UINT64_MAX), ERANGE);
	assert_int_equal(gsync_profile_set("spin_ns", ((uint64_t)1 << 32) + 5), ERANGE);
	assert_int_equal(gsync_profile_set("fair_ns", 0), ERANGE);
	assert_int_equal(errno, EXDEV);
	assert_int_equal(gsync_profile_get("spin_ns", &value), 0);
	assert_int_equal(value, before);
}

/* A field that convert() forgets, or fills from its neighbour, would be seen here. */
static void each_threshold_reaches_the_waiters(void **state)
{
	(void)state;
	for (size_t i = 0; i < GSYNC_THRESHOLD_COUNT; i++) {
		const struct gsync_threshold *threshold = &gsync_thresholds[i];
		struct gsync_tuning before, after;
		uint64_t value;

		assert_int_equal(gsync_profile_set("first_looks", 0), 0); /* they would bring in spin_ns */
		/* Where nobody spins nobody looks, either. */
		if (i == INDEX(first_looks))
			assert_int_equal(gsync_profile_set("spin_ns", 100000), 0);
		assert_int_equal(gsync_profile_set(threshold->name, threshold->most), 0);
		assert_int_equal(gsync_profile_get(threshold->name, &value), 0);
		assert_int_equal(value, threshold->most);
		before = gsync_tuning();
		assert_int_equal(gsync_profile_set(threshold->name, threshold->least), 0);
		assert_int_equal(gsync_profile_get(threshold->name, &value), 0);
		assert_int_equal(value, threshold->least);
		after = gsync_tuning();
		/* Who looks at the machine goes by the percentage; waiters, by what was found. Who is to be quiet asks each time. */
		if (i != INDEX(pressure_percent) && i != INDEX(quiet))
			assert_memory_not_equal(&before, &after, sizeof(before));
	}
	assert_int_equal(gsync_profile_reset(NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_threshold_stands_at_its_field),
		cmocka_unit_test(every_threshold_explains_itself),
		cmocka_unit_test(a_bad_value_is_named_and_the_default_stays),
		cmocka_unit_test(an_unknown_variable_of_ours_is_named),
		cmocka_unit_test(a_good_value_is_taken),
		cmocka_unit_test(a_call_wins_over_the_environment_and_that_over_the_rule),
		cmocka_unit_test(what_cannot_be_set_changes_nothing),
		cmocka_unit_test(each_threshold_reaches_the_waiters),
	};

	return cmocka_run_group_tests_name("override", tests, NULL, NULL);
}
