/* SPDX-License-Identifier: MIT */
/*
 * {"machine":…, "settings":…, "cells":[{"kind", "scenario", "lock", "threads",
 * "cs_ns", "think_ns", "rounds":[M…], "median":M}]}; scripts rely on these
 * names. Beside them a cell says whether its threads were pinned, what share of
 * its CPUs was stolen (steal), and how it compares with plain: against_plain has
 * resource_effect, time_effect, impact_factor (also as delta_eta_r, delta_eta_t and
 * omega), cpus_plain and cpus; report.h defines them. It is absent where there is
 * nothing to compare with. A cell that is no lock but a bound says so (bound), and a
 * lock how it compares with its bound (over_bound). With a time between moments set,
 * each round has a "timeline" of them. A cell of a ramp has "ramp", an array of its steps: threads,
 * pinned, the medians ops_per_s, cpu_ns_per_op, steady_ops_per_s and jain, and the
 * same in rounds[]. One that falls back, and has a model on the way up (ramp.h), says
 * full_speed_ops_per_s, which is the model's steady_ops_per_s, and
 * full_speed_after_ms: null = not within the step. Its moments tell threads, too.
 *
 * Every json_*_set_new and append_new takes a NULL value as failure and says
 * so; all results are gathered, so that a report is whole or not there.
 */
#include <math.h>
#include <string.h>

#include "bench/forkjoin.h"
#include "bench/measure.h"
#include "bench/report.h"

json_t *bench_json_number(double value)
{
	double digits;

	if (value == 0 || !isfinite(value))
		return json_real(0);
	digits = pow(10, 5 - floor(log10(fabs(value))));
	return digits >= 1 ? json_real(round(value * digits) / digits) : json_real(round(value));
}

json_t *bench_json_finish(json_t *value, int failed)
{
	if (failed == 0)
		return value;
	json_decref(value);
	return NULL;
}

static json_t *sample_json(const struct bench_sample *sample)
{
	json_t *object = json_object();
	int failed = 0;

	for (size_t i = 0; i < bench_field_count; i++) {
		double value = bench_field_value(sample, &bench_fields[i]);
		bool is_count = strcmp(bench_fields[i].name, "errors") == 0;

		failed |= json_object_set_new(object, bench_fields[i].name,
					      is_count ? json_integer((json_int_t)value) : bench_json_number(value));
	}
	return bench_json_finish(object, failed);
}

static json_t *effects_json(const struct bench_effects *effects)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "resource_effect",
			 bench_json_number(effects->resource), "time_effect", bench_json_number(effects->time),
			 "impact_factor", bench_json_number(effects->impact), "delta_eta_r",
			 bench_json_number(effects->resource), "delta_eta_t", bench_json_number(effects->time), "omega",
			 bench_json_number(effects->impact), "cpus_plain", bench_json_number(effects->cpus_plain),
			 "cpus", bench_json_number(effects->cpus));
}

static json_t *moment_json(const struct bench_run *run, const struct bench_moment *moment)
{
	json_t *object = json_pack("{s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I}", "t_ms", bench_json_number(moment->t_ms), "ops_per_s",
			 bench_json_number(moment->ops_per_s), "cpu_ns_per_op", bench_json_number(moment->cpu_ns_per_op), "voluntary_per_s",
			 bench_json_number(moment->voluntary_per_s), "involuntary_per_s", bench_json_number(moment->involuntary_per_s),
			 "usable_cpus", (json_int_t)moment->usable_cpus, "spin_ns", (json_int_t)moment->spin_ns,
			 "pressure_percent", (json_int_t)moment->pressure_percent);

	return bench_json_finish(object, run->settings->ramp && json_object_set_new(object, "threads",
										    json_integer(moment->threads)));
}

static json_t *timeline_json(const struct bench_run *run, const struct bench_timeline *timeline)
{
	json_t *moments = json_array();
	int failed = 0;

	for (size_t i = 0; i < timeline->count; i++)
		failed |= json_array_append_new(moments, moment_json(run, &timeline->moments[i]));
	return bench_json_finish(moments, failed);
}

static json_t *rounds_json(const struct bench_run *run, const struct bench_cell *cell)
{
	json_t *rounds = json_array();
	int failed = 0;

	for (unsigned i = 0; i < run->settings->rounds; i++) {
		json_t *round = sample_json(&cell->rounds[i]);

		if (run->settings->every_ms > 0)
			failed |= json_object_set_new(round, "timeline", timeline_json(run, &cell->timelines[i]));
		failed |= json_array_append_new(rounds, round);
	}
	return bench_json_finish(rounds, failed);
}

/* ---- a ramp */

static json_t *step_json(const struct bench_step_sample *sample, bool falls_back)
{
	json_t *object = json_object();
	int failed = json_object_set_new(object, "ops_per_s", bench_json_number(sample->ops_per_s)) |
		     json_object_set_new(object, "cpu_ns_per_op", bench_json_number(sample->cpu_ns_per_op)) |
		     json_object_set_new(object, "steady_ops_per_s", bench_json_number(sample->steady_ops_per_s)) |
		     json_object_set_new(object, "jain", bench_json_number(sample->jain));

	if (falls_back)
		failed |= json_object_set_new(object, "full_speed_after_ms",
					      isfinite(sample->full_speed_ms) ? bench_json_number(sample->full_speed_ms) :
										json_null());
	return bench_json_finish(object, failed);
}

static json_t *cell_step_json(const struct bench_run *run, const struct bench_cell *cell, size_t step)
{
	const struct bench_ramp ramp = bench_run_ramp(run, cell, 0);
	const struct bench_step_sample median = bench_run_step(run, cell, step);
	size_t model = bench_ramp_model(&ramp, step);
	bool falls_back = model < ramp.count;
	json_t *object = step_json(&median, falls_back), *rounds = json_array();
	int failed = json_object_set_new(object, "threads", json_integer(ramp.steps[step].threads)) |
		     json_object_set_new(object, "pinned", json_boolean(ramp.steps[step].pin));

	if (falls_back)
		failed |= json_object_set_new(object, "full_speed_ops_per_s",
					      bench_json_number(bench_run_step(run, cell, model).steady_ops_per_s));
	for (unsigned i = 0; i < run->settings->rounds; i++)
		failed |= json_array_append_new(rounds, step_json(&bench_run_ramp(run, cell, i).samples[step], falls_back));
	failed |= json_object_set_new(object, "rounds", rounds);
	return bench_json_finish(object, failed);
}

static json_t *ramp_json(const struct bench_run *run, const struct bench_cell *cell)
{
	json_t *steps = json_array();
	int failed = 0;

	for (size_t i = 0; i < run->settings->thread_count; i++)
		failed |= json_array_append_new(steps, cell_step_json(run, cell, i));
	return bench_json_finish(steps, failed);
}

/* ---- a cell */

json_t *bench_cell_json(const struct bench_cell *cell)
{
	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:b, s:s*}", "kind", bench_kind_names[cell->kind], "scenario",
			 bench_scenario_names[cell->scenario], "lock", cell->name, "threads", (json_int_t)cell->threads,
			 "cs_ns", (json_int_t)cell->load.cs_ns, "think_ns", (json_int_t)cell->load.think_ns, "pinned",
			 (int)cell->pinned, "body",
			 cell->kind == BENCH_FORKJOIN ? bench_body_names[cell->load.body] : NULL);
}

static json_t *cell_json(const struct bench_run *run, const struct bench_cell *cell)
{
	const struct bench_cell *bound = bench_cell_bound(run, cell);
	struct bench_effects effects;
	json_t *object = bench_cell_json(cell);
	int failed = json_object_set_new(object, "rounds", rounds_json(run, cell)) |
		     json_object_set_new(object, "median", sample_json(&cell->median));

	if (cell->scenario == BENCH_STEAL)
		failed |= json_object_set_new(object, "stolen_share", bench_json_number(cell->median.stolen_share));
	if (cell->bound)
		failed |= json_object_set_new(object, "bound", json_true());
	if (bound != NULL)
		failed |= json_object_set_new(object, "over_bound", bench_json_number(bench_cell_ratio(run, cell, bound)));
	if (run->settings->ramp)
		failed |= json_object_set_new(object, "ramp", ramp_json(run, cell));
	if (bench_cell_effects(run, cell, &effects))
		failed |= json_object_set_new(object, "against_plain", effects_json(&effects));
	return bench_json_finish(object, failed);
}

static int append_names(json_t *names, const char *const *table, const bool *wanted, size_t count)
{
	int failed = 0;

	for (size_t i = 0; i < count; i++)
		if (wanted[i])
			failed |= json_array_append_new(names, json_string(table[i]));
	return failed;
}

static int add_names(const struct bench_run *run, json_t *object)
{
	const struct bench_settings *settings = run->settings;
	json_t *kinds = json_array(), *scenarios = json_array(), *skipped = json_array();
	json_t *locks = json_array(), *absent = json_array(), *bodies = json_array();
	int failed = append_names(kinds, bench_kind_names, settings->kinds, BENCH_KINDS) |
		     append_names(scenarios, bench_scenario_names, settings->scenarios, BENCH_SCENARIOS) |
		     append_names(skipped, bench_scenario_names, run->skipped, BENCH_SCENARIOS);

	for (size_t i = 0; i < settings->lock_count; i++)
		failed |= json_array_append_new(locks, json_string(settings->locks[i]->name));
	for (size_t i = 0; i < settings->barrier_count; i++)
		failed |= json_array_append_new(locks, json_string(settings->barriers[i]->name));
	for (size_t i = 0; i < settings->runtime_count; i++)
		failed |= json_array_append_new(locks, json_string(settings->runtimes[i]->name));
	for (size_t i = 0; run->absent[i] != NULL; i++)
		failed |= json_array_append_new(absent, json_string(run->absent[i]));
	failed |= json_object_set_new(object, "kinds", kinds);
	if (settings->kinds[BENCH_FORKJOIN])
		failed |= json_object_set_new(object, "bodies", bodies) |
			  append_names(bodies, bench_body_names, settings->bodies, BENCH_BODIES);
	else
		json_decref(bodies);
	failed |= json_object_set_new(object, "scenarios", scenarios);
	failed |= json_object_set_new(object, "scenarios_skipped", skipped);
	failed |= json_object_set_new(object, "locks", locks);
	failed |= json_object_set_new(object, "not_compiled_in", absent);
	return failed;
}

static int add_numbers(const struct bench_run *run, json_t *object)
{
	const struct bench_settings *settings = run->settings;
	json_t *threads = json_array(), *loads = json_array();
	int failed = 0;

	for (size_t i = 0; i < settings->thread_count; i++)
		failed |= json_array_append_new(threads, json_integer(settings->threads[i]));
	for (size_t i = 0; i < settings->load_count; i++)
		failed |= json_array_append_new(loads, json_pack("{s:I, s:I}", "cs_ns",
								 (json_int_t)settings->loads[i].cs_ns, "think_ns",
								 (json_int_t)settings->loads[i].think_ns));
	failed |= json_object_set_new(object, "threads", threads);
	failed |= json_object_set_new(object, "loads", loads);
	failed |= json_object_set_new(object, "seconds", json_real(settings->seconds));
	failed |= json_object_set_new(object, "warm_up_seconds", json_real(BENCH_WARM_UP_NS / 1e9));
	failed |= json_object_set_new(object, "rounds", json_integer(settings->rounds));
	failed |= json_object_set_new(object, "pin", json_string(bench_pin_names[settings->pin]));
	failed |= json_object_set_new(object, "cpus", json_integer(run->cpus.count));
	failed |= json_object_set_new(object, "usable_cpus", bench_json_number(run->usable_cpus));
	failed |= json_object_set_new(object, "ramp", json_boolean(settings->ramp));
	failed |= json_object_set_new(object, "every_ms", json_integer(settings->every_ms));
	return failed;
}

/* What only some runs can tell. */
static int add_story(const struct bench_run *run, json_t *object)
{
	int failed = 0;

	if (run->refusal.text[0] != '\0')
		failed |= json_object_set_new(object, "refusal", json_string(run->refusal.text));
	if (run->origins != NULL)
		failed |= json_object_set_new(object, "measured", json_deep_copy(run->origins));
	return failed;
}

json_t *bench_settings_json(const struct bench_run *run)
{
	json_t *object;

	if (run->stored_settings != NULL)
		return json_deep_copy(run->stored_settings);
	object = json_object();
	return bench_json_finish(object, add_names(run, object) | add_numbers(run, object) | add_story(run, object));
}

json_t *bench_report_json(const struct bench_run *run, json_t *machine)
{
	json_t *cells = json_array();
	int failed = 0;

	for (size_t i = 0; i < run->count; i++)
		failed |= json_array_append_new(cells, cell_json(run, &run->cells[i]));
	if (failed != 0) {
		json_decref(cells);
		json_decref(machine);
		return NULL;
	}
	return json_pack("{s:o, s:o, s:o}", "machine", machine, "settings", bench_settings_json(run), "cells", cells);
}
