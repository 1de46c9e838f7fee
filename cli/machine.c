/* SPDX-License-Identifier: MIT */
/*
 * The machine's facts, measurements and thresholds, as JSON and as a table.
 * Both are rounded to what the measurements are worth.
 */
#include "cli/machine.h"

#include <math.h>
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

/* ---- for programs */

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

static json_t *counter(uint64_t value)
{
	return value <= GSYNC_COUNT_MAX ? json_integer((json_int_t)value) : json_null();
}

/* A size, or whatever else cannot be 0. */
static json_t *size(uint64_t value)
{
	return value > 0 ? counter(value) : json_null();
}

/* Yes, no, or negative = unknown. */
static json_t *answer(int value)
{
	return value < 0 ? json_null() : json_boolean(value);
}

static const char *text_or_null(const char *text)
{
	return text[0] ? text : NULL;
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

static json_t *hyperv_json(const struct gsync_hyperv *hyperv)
{
	bool never = hyperv->spin_retries == GSYNC_SPIN_RETRIES_NEVER;

	if (!hyperv->present)
		return json_null();
	return json_pack("{s:o, s:b}", "spin_retries", never ? json_null() : json_integer(hyperv->spin_retries),
			 "no_core_sharing", hyperv->no_core_sharing);
}

static json_t *hypervisor_json(const struct gsync_hypervisor *hypervisor)
{
	return json_pack("{s:s, s:o, s:s, s:s?, s:o, s:o, s:s?, s:o, s:s?, s:b, s:o, s:o}",
			 "name", hypervisor->name, "layers", layers(hypervisor),
			 "confidential", hypervisor->confidential,
			 "unknown_signature", text_or_null(hypervisor->signature),
			 "kvm_features", words(hypervisor->features, kvm_features),
			 "kvm_hints", words(hypervisor->hints, kvm_hints),
			 "role", text_or_null(hypervisor->role), "nested", answer(hypervisor->nested),
			 "version", text_or_null(hypervisor->version), "dedicated", hypervisor->dedicated,
			 "hyperv", hyperv_json(&hypervisor->hyperv), "tsc_khz", size(hypervisor->tsc_khz));
}

static json_t *load_json(const struct gsync_load *load)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}",
			 "run_queue_wait_ns", counter(load->run_queue_wait_ns),
			 "timeslices", counter(load->timeslices), "runnable", counter(load->runnable),
			 "pressure_avg10", number(load->pressure_avg10, 100, load->pressure_avg10 >= 0),
			 "throttled_periods", counter(load->throttled_periods),
			 "throttled_ns", counter(load->throttled_ns));
}

static json_t *topology_json(const struct gsync_topology *topology)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			 "packages", count(topology->packages), "cores", count(topology->cores),
			 "threads", count(topology->threads), "numa_nodes", count(topology->numa_nodes),
			 "l1d_bytes", size(topology->l1d_bytes), "l2_bytes", size(topology->l2_bytes),
			 "l3_bytes", size(topology->l3_bytes));
}

static json_t *profile_json(const struct gsync_profile *profile)
{
	json_t *object = json_object();
	size_t i;

	for (i = 0; object && i < GSYNC_THRESHOLD_COUNT; i++)
		json_object_set_new(object, gsync_thresholds[i].name, json_integer(gsync_profile_value(profile, i)));
	return object;
}

json_t *cli_machine_json(const struct gsync_facts *facts, const struct gsync_calibration *calibration,
			 const struct gsync_profile *profile)
{
	const struct gsync_cpus *cpus = &facts->cpus;

	return json_pack("{s:o, s:s, s:{s:o, s:o, s:o, s:o}, s:o, s:o, s:o, s:{s:s?, s:s?}, "
			 "s:o, s:o, s:b, s:o, s:o, s:b, s:{s:o, s:b, s:s?}, s:o}",
			 "hypervisor", hypervisor_json(&facts->hypervisor), "container", facts->container,
			 "cpus", "online", count(cpus->online), "affinity", count(cpus->affinity),
			 "quota", number(cpus->quota, 1000, cpus->quota > 0),
			 "usable", number(cpus->usable, 1000, true),
			 "steal_percent", number(facts->steal_percent, 1000, facts->steal_percent >= 0),
			 "load", load_json(&facts->load), "topology", topology_json(&facts->topology),
			 "idle", "driver", text_or_null(facts->idle.driver),
			 "governor", text_or_null(facts->idle.governor),
			 "pause_ns", number(calibration->pause_ns, 10, calibration->pause_ns > 0),
			 "pause_spread", number(calibration->pause_spread, 1000, calibration->pause_ns > 0),
			 "pause_trusted", calibration->pause_trusted,
			 "wake_ns", number(calibration->wake_ns, 1, calibration->wake_ns > 0),
			 "wake_spread", number(calibration->wake_spread, 1000, calibration->wake_ns > 0),
			 "wake_trusted", calibration->wake_trusted,
			 "tsc", "mhz", number(calibration->counter_mhz, 10, calibration->counter_mhz > 0),
			 "trusted", calibration->counter_trusted, "why", calibration->counter_why,
			 "profile", profile_json(profile));
}

/* ---- for people */

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

static void print_hyperv(FILE *out, const struct gsync_hyperv *hyperv)
{
	if (!hyperv->present)
		return;
	fprintf(out, "  %-14s ", "Hyper-V advice");
	if (hyperv->spin_retries == GSYNC_SPIN_RETRIES_NEVER)
		fputs("never report a lock that spins", out);
	else
		fprintf(out, "report a lock after %u failed spins", hyperv->spin_retries);
	fprintf(out, "; cores %s shared with other machines\n", hyperv->no_core_sharing ? "are not" : "may be");
}

static void print_hypervisor(FILE *out, const struct gsync_hypervisor *hypervisor)
{
	int i;

	fprintf(out, "  %-14s %s", "hypervisor", hypervisor->name);
	if (hypervisor->version[0])
		fprintf(out, " %s", hypervisor->version);
	if (hypervisor->role[0])
		fprintf(out, ", %s", hypervisor->role);
	if (hypervisor->nested > 0)
		fputs(", nested", out);
	if (hypervisor->dedicated)
		fputs(", dedicated CPUs", out);
	fputc('\n', out);
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
	print_hyperv(out, &hypervisor->hyperv);
	if (hypervisor->tsc_khz > 0)
		fprintf(out, "  %-14s %u kHz, says the hypervisor\n", "TSC", hypervisor->tsc_khz);
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

static void print_units(FILE *out, const char *what, int units)
{
	if (units > 0)
		fprintf(out, "%s %d", what, units);
	else
		fprintf(out, "%s unknown", what);
}

static void print_cache(FILE *out, const char *name, int caches, uint64_t bytes)
{
	if (caches > 0 && bytes > 0)
		fprintf(out, ", %s %d x %llu KiB", name, caches, (unsigned long long)(bytes / 1024));
}

static void print_topology(FILE *out, const struct gsync_topology *topology)
{
	fprintf(out, "  %-14s ", "topology");
	if (topology->threads == 0) {
		fputs("unknown\n", out);
		return;
	}
	print_units(out, "packages", topology->packages);
	print_units(out, ", cores", topology->cores);
	print_units(out, ", hardware threads", topology->threads);
	print_units(out, ", NUMA nodes", topology->numa_nodes);
	print_cache(out, "L1d", topology->l1d_count, topology->l1d_bytes);
	print_cache(out, "L2", topology->l2_count, topology->l2_bytes);
	print_cache(out, "L3", topology->l3_count, topology->l3_bytes);
	fputc('\n', out);
}

static void print_load(FILE *out, const struct gsync_load *load)
{
	fprintf(out, "  %-14s ", "load");
	if (load->runnable != GSYNC_UNKNOWN)
		fprintf(out, "%llu runnable threads, ", (unsigned long long)load->runnable);
	if (load->pressure_avg10 >= 0)
		fprintf(out, "waiting for CPUs %.0f %% of the last 10 s\n", load->pressure_avg10);
	else
		fputs("pressure unknown\n", out);
	if (load->timeslices != GSYNC_UNKNOWN)
		fprintf(out, "  %-14s %.1f ms in the run queue for %llu timeslices of this thread\n", "waited",
			(double)load->run_queue_wait_ns / 1e6, (unsigned long long)load->timeslices);
	if (load->throttled_periods != GSYNC_UNKNOWN)
		fprintf(out, "  %-14s %llu times, %.0f ms by cgroup quotas\n", "throttled",
			(unsigned long long)load->throttled_periods, (double)load->throttled_ns / 1e6);
}

static void print_idle(FILE *out, const struct gsync_idle *idle)
{
	if (idle->driver[0] || idle->governor[0])
		fprintf(out, "  %-14s driver %s, governor %s\n", "idle", idle->driver[0] ? idle->driver : "unknown",
			idle->governor[0] ? idle->governor : "unknown");
}

static void print_counter(FILE *out, const struct gsync_calibration *calibration)
{
	fprintf(out, "  %-14s ", "counter");
	if (calibration->counter_mhz > 0)
		fprintf(out, "%.1f MHz, ", calibration->counter_mhz);
	fprintf(out, "%s: %s\n", calibration->counter_trusted ? "trusted" : "not trusted",
		calibration->counter_why ? calibration->counter_why : "no reason known");
}

static void print_measured(FILE *out, const char *label, double ns, int decimals, const char *what)
{
	if (ns > 0)
		fprintf(out, "  %-14s %.*f ns%s\n", label, decimals, ns, what);
	else
		fprintf(out, "  %-14s unknown\n", label);
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
	print_topology(out, &facts->topology);
	if (facts->load.steal_ticks == 0 && strcmp(facts->hypervisor.name, "none") != 0)
		fprintf(out, "  %-14s none since boot, or the host does not tell\n", "steal");
	else if (facts->steal_percent >= 0)
		fprintf(out, "  %-14s %.2f %% of all CPU time since boot\n", "steal", facts->steal_percent);
	else
		fprintf(out, "  %-14s unknown\n", "steal");
	print_load(out, &facts->load);
	print_idle(out, &facts->idle);
	fputs("Measured\n", out);
	print_counter(out, calibration);
	print_measured(out, "PAUSE", calibration->pause_ns, 1, "");
	print_measured(out, "wake-up", calibration->wake_ns, 0, " from waking a sleeper until it runs");
	fputs("Thresholds\n", out);
	for (i = 0; i < GSYNC_THRESHOLD_COUNT; i++)
		fprintf(out, "  %-16s %8u %s\n", gsync_thresholds[i].name, gsync_profile_value(profile, i),
			gsync_thresholds[i].what);
}
