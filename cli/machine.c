/* SPDX-License-Identifier: MIT */
/*
 * The machine's facts, measurements and thresholds, as JSON and as a table.
 * Both are rounded to what the measurements are worth.
 */
#include "cli/machine.h"
#include <math.h>
#include <stddef.h>
#include <string.h>

struct bit_word {
	uint32_t bit;
	const char *word;
};

/* KVM offers these to its guest; the words are those of Linux's kvm_para.h. */
static const struct bit_word kvm_features[] = {
	{ 0, "clocksource" },	      { 1, "nop_io_delay" },	{ 2, "mmu_op" },
	{ 3, "clocksource2" },	      { 4, "async_pf" },	{ 5, "steal_time" },
	{ 6, "pv_eoi" },	      { 7, "pv_unhalt" },	{ 9, "pv_tlb_flush" },
	{ 10, "async_pf_vmexit" },    { 11, "pv_send_ipi" },	{ 12, "poll_control" },
	{ 13, "pv_sched_yield" },     { 14, "async_pf_int" },	{ 15, "msi_ext_dest_id" },
	{ 16, "hc_map_gpa_range" },   { 17, "migration_control" }, { 24, "clocksource_stable" },
	{ 0, NULL },
};

static const struct bit_word kvm_hints[] = { { 0, "realtime" }, { 0, NULL } };

struct threshold {
	const char *name;
	size_t offset;
	const char *unit;
};

#define THRESHOLD(field, unit) { #field, offsetof(struct gsync_profile, field), unit }

static const struct threshold thresholds[] = {
	THRESHOLD(spin_ns, "ns, a waiter of a mutex or spinlock spins before it sleeps"),
	THRESHOLD(backoff_ns, "ns, its longest pause between two looks at the lock"),
	THRESHOLD(fair_ns, "ns, a mutex with sleepers is handed to one of them this often"),
	THRESHOLD(repair_ns, "ns, until a missed wake-up of a mutex or spinlock is repaired"),
	THRESHOLD(near_ns, "ns, the next in line of an oticket spins; each further back half of it"),
	THRESHOLD(eager, "waiters of an oticket beyond the next are woken ahead of their turn"),
	THRESHOLD(yield_ns, "ns, waiters of an oticket yield before they sleep, when CPUs are short"),
	THRESHOLD(yield_places, "places from its turn a waiter must be for that"),
	THRESHOLD(barrier_ns, "ns, a barrier spins when all participants can have a CPU"),
	THRESHOLD(barrier_yields, "yields, after that or instead, before it sleeps"),
	THRESHOLD(usable_cpus, "CPUs that these rules count on"),
};

#define THRESHOLD_COUNT (sizeof(thresholds) / sizeof(thresholds[0]))

_Static_assert(THRESHOLD_COUNT == sizeof(struct gsync_profile) / sizeof(uint32_t), "every threshold is shown");

static uint32_t threshold_value(const struct gsync_profile *profile, const struct threshold *threshold)
{
	return *(const uint32_t *)(const void *)((const char *)profile + threshold->offset);
}

/* A number to the nearest 1/STEPS, or null where it is not KNOWN. */
static json_t *number(double value, double steps, bool known)
{
	if (!known || !isfinite(value))
		return json_null();
	return json_real(round(value * steps) / steps);
}

static json_t *count(int value)
{
	return value > 0 ? json_integer(value) : json_null();
}

static json_t *words(uint32_t bits, const struct bit_word *table)
{
	json_t *list = json_array();

	for (; list && table->word; table++)
		if (bits & (1u << table->bit))
			json_array_append_new(list, json_string(table->word));
	return list;
}

static json_t *layers(const struct gsync_hypervisor *hypervisor)
{
	json_t *list = json_array();
	int i;

	for (i = 0; list && i < hypervisor->layer_count; i++)
		json_array_append_new(list, json_string(hypervisor->layers[i]));
	return list;
}

static json_t *hypervisor_json(const struct gsync_hypervisor *hypervisor)
{
	return json_pack("{s:s, s:o, s:s, s:s?, s:o, s:o}", "name", hypervisor->name, "layers", layers(hypervisor),
			 "confidential", hypervisor->confidential, "unknown_signature",
			 hypervisor->signature[0] ? hypervisor->signature : NULL, "kvm_features",
			 words(hypervisor->features, kvm_features), "kvm_hints", words(hypervisor->hints, kvm_hints));
}

static json_t *profile_json(const struct gsync_profile *profile)
{
	json_t *object = json_object();
	size_t i;

	for (i = 0; object && i < THRESHOLD_COUNT; i++)
		json_object_set_new(object, thresholds[i].name, json_integer(threshold_value(profile, &thresholds[i])));
	return object;
}

json_t *cli_machine_json(const struct gsync_facts *facts, const struct gsync_calibration *calibration,
			 const struct gsync_profile *profile)
{
	const struct gsync_cpus *cpus = &facts->cpus;

	return json_pack("{s:o, s:s, s:{s:o, s:o, s:o, s:o}, s:o, s:o, s:o, s:b, s:o, s:o, s:b, s:{s:o, s:b, s:s?}, s:o}",
			 "hypervisor", hypervisor_json(&facts->hypervisor), "container", facts->container,
			 "cpus", "online", count(cpus->online), "affinity", count(cpus->affinity),
			 "quota", number(cpus->quota, 1000, cpus->quota > 0),
			 "usable", number(cpus->usable, 1000, true),
			 "steal_percent", number(facts->steal_percent, 1000, facts->steal_percent >= 0),
			 "pause_ns", number(calibration->pause_ns, 10, true),
			 "pause_spread", number(calibration->pause_spread, 1000, true),
			 "pause_trusted", calibration->pause_trusted,
			 "wake_ns", number(calibration->wake_ns, 1, true),
			 "wake_spread", number(calibration->wake_spread, 1000, true),
			 "wake_trusted", calibration->wake_trusted,
			 "tsc", "mhz", number(calibration->counter_mhz, 10, calibration->counter_mhz > 0),
			 "trusted", calibration->counter_trusted, "why", calibration->counter_why,
			 "profile", profile_json(profile));
}

static void print_words(FILE *out, const char *label, uint32_t bits, const struct bit_word *table)
{
	const char *before = "";

	if (bits == 0)
		return;
	fprintf(out, "  %-14s ", label);
	for (; table->word; table++) {
		if (bits & (1u << table->bit)) {
			fprintf(out, "%s%s", before, table->word);
			before = " ";
		}
	}
	fputc('\n', out);
}

static void print_hypervisor(FILE *out, const struct gsync_hypervisor *hypervisor)
{
	int i;

	fprintf(out, "  %-14s %s\n", "hypervisor", hypervisor->name);
	if (hypervisor->layer_count > 1) {
		fprintf(out, "  %-14s", "layers");
		for (i = 0; i < hypervisor->layer_count; i++)
			fprintf(out, " %s", hypervisor->layers[i]);
		fputc('\n', out);
	}
	if (hypervisor->signature[0])
		fprintf(out, "  %-14s \"%s\"\n", "signature", hypervisor->signature);
	if (strcmp(hypervisor->confidential, "none") != 0)
		fprintf(out, "  %-14s %s\n", "confidential", hypervisor->confidential);
	print_words(out, "KVM offers", hypervisor->features, kvm_features);
	print_words(out, "KVM hints", hypervisor->hints, kvm_hints);
}

static void print_cpu_count(FILE *out, const char *what, int value)
{
	if (value > 0)
		fprintf(out, "%d %s, ", value, what);
	else
		fprintf(out, "unknown %s, ", what);
}

static void print_cpus(FILE *out, const struct gsync_cpus *cpus)
{
	fprintf(out, "  %-14s ", "CPUs");
	print_cpu_count(out, "online", cpus->online);
	print_cpu_count(out, "in the affinity mask", cpus->affinity);
	if (cpus->quota > 0)
		fprintf(out, "%.4g by cgroup quota", cpus->quota);
	else
		fputs("no cgroup quota", out);
	fprintf(out, ": %.4g usable\n", cpus->usable);
}

static void print_counter(FILE *out, const struct gsync_calibration *calibration)
{
	fprintf(out, "  %-14s ", "counter");
	if (calibration->counter_mhz > 0)
		fprintf(out, "%.1f MHz, ", calibration->counter_mhz);
	fprintf(out, "%s: %s\n", calibration->counter_trusted ? "trusted" : "not trusted",
		calibration->counter_why ? calibration->counter_why : "no reason known");
}

void cli_machine_print(FILE *out, const struct gsync_facts *facts, const struct gsync_calibration *calibration,
		       const struct gsync_profile *profile)
{
	size_t i;

	cli_machine_say(out, facts, calibration, profile);
	fputs("\nMachine\n", out);
	print_hypervisor(out, &facts->hypervisor);
	fprintf(out, "  %-14s %s\n", "container", facts->container);
	print_cpus(out, &facts->cpus);
	if (facts->steal_percent >= 0)
		fprintf(out, "  %-14s %.2f %% of all CPU time since boot\n", "steal", facts->steal_percent);
	else
		fprintf(out, "  %-14s unknown\n", "steal");
	fputs("Measured\n", out);
	print_counter(out, calibration);
	fprintf(out, "  %-14s %.1f ns\n", "PAUSE", calibration->pause_ns);
	fprintf(out, "  %-14s %.0f ns from waking a sleeper until it runs\n", "wake-up", calibration->wake_ns);
	fputs("Thresholds\n", out);
	for (i = 0; i < THRESHOLD_COUNT; i++)
		fprintf(out, "  %-14s %8u %s\n", thresholds[i].name, threshold_value(profile, &thresholds[i]),
			thresholds[i].unit);
}
