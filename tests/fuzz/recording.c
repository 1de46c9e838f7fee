/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer's target: any text, taken for a recording. Whatever the parser
 * accepts is a machine, and of every machine detection must say something
 * sensible: since a recording holds any bytes as any file, this feeds the
 * readers of /proc and /sys as well as the parser.
 */
#include "cli/machine.h"
#include "cli/recording.h"
#include "detect/pressure.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_string(const char *text, size_t size)
{
	size_t length = strnlen(text, size);
	size_t i;

	assert(length < size);
	for (i = 0; i < length; i++)
		assert(text[i] >= ' ' && text[i] <= '~');
}

static void check_hypervisor(const struct gsync_hypervisor *hypervisor)
{
	int i;

	check_string(hypervisor->name, sizeof(hypervisor->name));
	check_string(hypervisor->signature, sizeof(hypervisor->signature));
	check_string(hypervisor->confidential, sizeof(hypervisor->confidential));
	check_string(hypervisor->role, sizeof(hypervisor->role));
	check_string(hypervisor->version, sizeof(hypervisor->version));
	assert(hypervisor->nested >= -1 && hypervisor->nested <= 1);
	assert((strcmp(hypervisor->name, "none") == 0) == (hypervisor->role[0] == '\0'));
	assert(hypervisor->layer_count >= 0 && hypervisor->layer_count <= GSYNC_LAYERS_MAX);
	assert((strcmp(hypervisor->name, "none") == 0) == (hypervisor->layer_count == 0));
	for (i = 0; i < hypervisor->layer_count; i++) {
		check_string(hypervisor->layers[i], sizeof(hypervisor->layers[i]));
		assert(hypervisor->layers[i][0] != '\0');
	}
}

static void check_cpus(const struct gsync_cpus *cpus)
{
	assert(isfinite(cpus->usable) && cpus->usable > 0);
	assert(isfinite(cpus->quota) && cpus->quota >= 0);
	assert(cpus->online >= 0 && (cpus->online == 0 || cpus->usable <= cpus->online));
	assert(cpus->affinity >= 0 && (cpus->affinity == 0 || cpus->usable <= cpus->affinity));
	assert(cpus->quota <= 0 || cpus->usable <= fmax(cpus->quota, 0.01));
}

static void check_count(uint64_t count)
{
	assert(count <= GSYNC_COUNT_MAX || count == GSYNC_UNKNOWN);
}

static void check_load(const struct gsync_load *load)
{
	check_count(load->on_cpu_ns);
	check_count(load->run_queue_wait_ns);
	check_count(load->timeslices);
	check_count(load->runnable);
	check_count(load->pressure_us);
	check_count(load->periods);
	check_count(load->throttled_periods);
	check_count(load->throttled_ns);
	assert(isfinite(load->pressure_avg10) && load->pressure_avg10 <= 100);
	assert((load->steal_ticks == GSYNC_UNKNOWN) == (load->all_ticks == GSYNC_UNKNOWN));
}

static void check_topology(const struct gsync_topology *topology, const struct gsync_cpus *cpus)
{
	assert(topology->threads == 0 || cpus->affinity == 0 || topology->threads == cpus->affinity);
	assert(topology->packages >= 0 && topology->packages <= topology->threads);
	assert(topology->cores >= 0 && topology->cores <= topology->threads);
	assert(topology->numa_nodes >= 0 && topology->numa_nodes <= topology->threads);
}

static void check_facts(const struct gsync_facts *facts)
{
	check_hypervisor(&facts->hypervisor);
	check_string(facts->container, sizeof(facts->container));
	assert(facts->container[0] != '\0');
	check_cpus(&facts->cpus);
	assert(isfinite(facts->steal_percent) && facts->steal_percent <= 100);
	check_load(&facts->load);
	check_string(facts->idle.driver, sizeof(facts->idle.driver));
	check_string(facts->idle.governor, sizeof(facts->idle.governor));
	check_topology(&facts->topology, &facts->cpus);
}

static void check_profile(const struct cli_conclusions *conclusions)
{
	const struct gsync_profile *profile = &conclusions->profile;
	size_t i;

	for (i = 0; i < GSYNC_THRESHOLD_COUNT; i++) {
		assert(gsync_profile_value(profile, i) >= gsync_thresholds[i].least);
		assert(gsync_profile_value(profile, i) <= gsync_thresholds[i].most);
		assert(conclusions->reasons.why[i] && conclusions->reasons.why[i][0] != '\0');
	}
	assert(profile->usable_cpus <= conclusions->facts.cpus.usable + 1);
	/* Nobody spins longer than 100 us, at a barrier 250, and nobody at all with one CPU. */
	assert(profile->spin_ns <= 100000 && profile->near_ns <= 100000 && profile->barrier_ns <= 250000);
	assert(profile->spin_ns > 0 || profile->first_looks == 0);
	assert(profile->pressed_spin_ns <= profile->spin_ns && profile->spin_floor_ns <= profile->spin_ns);
	assert(conclusions->facts.cpus.usable > 1 || profile->spin_ns == 0);
}

/* As a waiter looks at the CPUs, of some and of all: they cannot be taken more than wholly. */
static void check_usage(const struct gsync_source *source)
{
	struct gsync_cpu_mask mask = { 0 };
	struct gsync_usage nothing = { 0 };
	struct gsync_usage usage;
	int mask_count;

	memset(&mask, 0x5, 1);
	for (mask_count = 0; mask_count <= 2; mask_count += 2)
		if (gsync_usage_read(source, &mask, mask_count, &usage))
			assert(gsync_pressure_between(&nothing, &usage) <= 100);
}

static char *text_of(const struct gsync_recording *recording, size_t *length)
{
	char *text;
	FILE *stream = open_memstream(&text, length);

	assert(stream);
	gsync_recording_write(recording, stream);
	assert(fclose(stream) == 0);
	return text;
}

/* Written and read again, it is the same recording. */
static void check_round_trip(const struct gsync_recording *recording)
{
	struct gsync_recording_error error;
	struct gsync_recording again;
	size_t length, second_length;
	char *text = text_of(recording, &length);
	char *second;

	assert(gsync_recording_parse(&again, text, length, &error));
	second = text_of(&again, &second_length);
	assert(length == second_length && memcmp(text, second, length) == 0);
	free(text);
	free(second);
	gsync_recording_free(&again);
}

/* Recorded in its turn, it is a recording again. */
static void check_machine(struct gsync_recording *recording)
{
	struct gsync_source replayed = gsync_recording_source(recording);
	struct gsync_recording recorded = { .origin = GSYNC_ORIGIN_REAL };
	struct gsync_recorder recorder = { .inner = &replayed, .recording = &recorded };
	struct gsync_source source = gsync_recorder_source(&recorder);
	struct cli_conclusions conclusions;
	json_t *json;

	cli_conclude(&source, &recording->measured, &conclusions);
	check_facts(&conclusions.facts);
	check_profile(&conclusions);
	check_usage(&replayed);
	json = cli_machine_json(&conclusions.facts, &recording->measured, &conclusions.profile);
	assert(json);
	json_decref(json);
	assert(recorder.error == 0);
	check_round_trip(&recorded);
	gsync_recording_free(&recorded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gsync_recording_error error = { 0 };
	struct gsync_recording recording;

	if (!gsync_recording_parse(&recording, (const char *)data, size, &error)) {
		assert(error.line > 0 && error.reason[0] != '\0');
		assert(strnlen(error.reason, sizeof(error.reason)) < sizeof(error.reason));
		return 0;
	}
	check_round_trip(&recording);
	check_machine(&recording);
	gsync_recording_free(&recording);
	return 0;
}
