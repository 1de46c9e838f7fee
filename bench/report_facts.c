/* SPDX-License-Identifier: MIT */
#include "bench/report_facts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bench/measure.h"
#include "bench/report.h"
#include "bench/table.h"

/* ---- putting texts together, cut short if need be */

static void __attribute__((format(printf, 2, 3))) add(struct bench_fact *fact, const char *format, ...)
{
	size_t used = strlen(fact->text);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(fact->text + used, sizeof(fact->text) - used, format, arguments);
	va_end(arguments);
}

static const json_t *member(const json_t *object, const char *outer, const char *inner)
{
	const json_t *value = json_object_get(object, outer);

	return inner != NULL ? json_object_get(value, inner) : value;
}

static void add_text(struct bench_fact *fact, const json_t *object, const char *outer, const char *inner)
{
	const char *text = json_string_value(member(object, outer, inner));

	add(fact, "%s", text != NULL ? text : "unknown");
}

static void add_number(struct bench_fact *fact, const json_t *object, const char *outer, const char *inner,
		       const char *what)
{
	const json_t *value = member(object, outer, inner);

	if (json_is_number(value))
		add(fact, "%.6g%s", json_number_value(value), what);
	else
		add(fact, "unknown%s", what);
}

static struct bench_fact *begin(struct bench_fact *facts, size_t *count, const char *label)
{
	struct bench_fact *fact = &facts[(*count)++];

	*fact = (struct bench_fact){ .label = label };
	return fact;
}

/* ---- the machine */

static void tell_hypervisor(struct bench_fact *fact, const json_t *machine)
{
	const json_t *version = member(machine, "hypervisor", "version");
	const char *container = json_string_value(json_object_get(machine, "container"));

	add_text(fact, machine, "hypervisor", "name");
	if (json_is_string(version))
		add(fact, " %s", json_string_value(version));
	if (container != NULL && strcmp(container, "none") != 0)
		add(fact, ", in a container (%s)", container);
}

static void tell_cpus(struct bench_fact *fact, const json_t *machine)
{
	add_number(fact, machine, "cpus", "online", " online, ");
	add_number(fact, machine, "cpus", "affinity", " in the affinity mask, ");
	if (json_is_number(member(machine, "cpus", "quota")))
		add_number(fact, machine, "cpus", "quota", " by cgroup quota: ");
	else
		add(fact, "no cgroup quota: ");
	add_number(fact, machine, "cpus", "usable", " usable");
}

static void tell_topology(struct bench_fact *fact, const json_t *machine)
{
	add(fact, "packages ");
	add_number(fact, machine, "topology", "packages", ", cores ");
	add_number(fact, machine, "topology", "cores", ", hardware threads ");
	add_number(fact, machine, "topology", "threads", ", NUMA nodes ");
	add_number(fact, machine, "topology", "numa_nodes", "");
}

static void tell_prices(struct bench_fact *fact, const json_t *machine)
{
	add(fact, "PAUSE ");
	add_number(fact, machine, "pause_ns", NULL, " ns, wake-up ");
	add_number(fact, machine, "wake_ns", NULL, " ns");
	if (json_is_false(json_object_get(machine, "wake_trusted")))
		add(fact, " (not to be trusted)");
	add(fact, ", counter ");
	add_number(fact, machine, "tsc", "mhz", " MHz");
}

static void tell_thresholds(struct bench_fact *fact, const json_t *machine)
{
	const char *key, *separator = "";
	json_t *value;

	json_object_foreach(json_object_get(machine, "profile"), key, value) {
		add(fact, "%s%s %.10g", separator, key, json_number_value(value));
		separator = ", ";
	}
}

const char *bench_origin_text(const struct bench_run *run, size_t n, const char *key)
{
	return json_string_value(json_object_get(json_array_get(run->origins, n), key));
}

size_t bench_machine_facts(const struct bench_run *run, const json_t *machine, struct bench_fact *facts)
{
	size_t count = 0;

	tell_hypervisor(begin(facts, &count, "Hypervisor"), machine);
	add_text(begin(facts, &count, "Processor"), json_array_get(run->origins, 0), "cpu", NULL);
	tell_cpus(begin(facts, &count, "CPUs"), machine);
	tell_topology(begin(facts, &count, "Topology"), machine);
	add_number(begin(facts, &count, "Steal"), machine, "steal_percent", NULL, " % since boot");
	tell_prices(begin(facts, &count, "Measured"), machine);
	tell_thresholds(begin(facts, &count, "Thresholds"), machine);
	add_text(begin(facts, &count, "Kernel"), json_array_get(run->origins, 0), "kernel", NULL);
	return count;
}

/* ---- the measurement */

static void tell_steps(struct bench_fact *fact, const struct bench_run *run)
{
	char steps[BENCH_STEPS_BYTES];

	bench_report_threads(steps, run, run->cells);
	add(fact, "each window in steps of %g s with %s threads", run->settings->seconds, steps);
}

size_t bench_settings_facts(const struct bench_run *run, struct bench_fact *facts)
{
	static const char *const pins[] = { "where every thread has a CPU of its own, and in steal", "always", "never" };
	const struct bench_settings *settings = run->settings;
	struct bench_fact *fact;
	size_t count = 0;

	fact = begin(facts, &count, "Windows");
	add(fact, "%u round%s of %g s per cell, interleaved, after %g ms of warm-up each", settings->rounds,
	    settings->rounds == 1 ? "" : "s", bench_window_seconds(settings), BENCH_WARM_UP_NS / 1e6);
	if (settings->kinds[BENCH_LOCK] || settings->kinds[BENCH_BARRIER])
		add(fact, ", %g ms at the most if not every thread has had a turn before", BENCH_WARM_UP_MOST_NS / 1e6);
	if (settings->ramp)
		tell_steps(begin(facts, &count, "Ramp"), run);
	if (settings->every_ms > 0)
		add(fact, "; a moment each %u ms", settings->every_ms);
	add(begin(facts, &count, "Pinned to CPUs"), "%s", pins[settings->pin]);
	fact = begin(facts, &count, "Version");
	add(fact, "guestsync ");
	add_text(fact, json_array_get(run->origins, 0), "version", NULL);
	if (run->absent[0] == NULL)
		return count;
	fact = begin(facts, &count, "Not compiled in");
	for (size_t i = 0; run->absent[i] != NULL; i++)
		add(fact, "%s%s", i > 0 ? ", " : "", run->absent[i]);
	return count;
}

/* ---- cells */

void bench_situation(char *text, const struct bench_cell *cell)
{
	char cs[BENCH_TEXT_BYTES], think[BENCH_TEXT_BYTES];

	bench_table_duration(cs, cell->load.cs_ns);
	bench_table_duration(think, cell->load.think_ns);
	if (cell->kind == BENCH_LOCK)
		snprintf(text, BENCH_SITUATION_BYTES, "%s, critical section %s, think time %s",
			 bench_scenario_names[cell->scenario], cs, think);
	else if (cell->kind == BENCH_FORKJOIN)
		snprintf(text, BENCH_SITUATION_BYTES, "%s, body %s", bench_scenario_names[cell->scenario],
			 bench_body_names[cell->load.body]);
	else
		snprintf(text, BENCH_SITUATION_BYTES, "%s, think time %s", bench_scenario_names[cell->scenario], think);
}

bool bench_cell_broken(char *text, const struct bench_cell *cell)
{
	char situation[BENCH_SITUATION_BYTES];

	if (cell->median.errors <= 0)
		return false;
	bench_situation(situation, cell);
	snprintf(text, BENCH_SITUATION_BYTES, "%.40s: %.0f errors with %u threads, %.150s", cell->name,
		 cell->median.errors, cell->threads, situation);
	return true;
}
