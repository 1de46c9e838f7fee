/* SPDX-License-Identifier: MIT */
#include "bench/ramp.h"

#include <math.h>

#define MEAN_NS 20000000u
#define ENOUGH 0.9

size_t bench_ramp_room(double step_seconds)
{
	return (size_t)(step_seconds * 1e9 / BENCH_PULSE_NS) + 3; /* both ends, and what rounding takes */
}

size_t bench_ramp_model(const struct bench_ramp *ramp, size_t step)
{
	const struct bench_step *steps = ramp->steps;
	size_t model = step;

	if (step == 0 || steps[step].threads >= steps[step - 1].threads || steps[step].threads > ramp->cpus)
		return ramp->count;
	while (model-- > 0)
		if (steps[model].threads == steps[step].threads &&
		    (model == 0 || steps[model].threads > steps[model - 1].threads))
			return model;
	return ramp->count;
}

static double rate(const struct bench_pulse *from, const struct bench_pulse *to)
{
	return to->ns > from->ns ? (double)(to->done - from->done) * 1e9 / (double)(to->ns - from->ns) : 0;
}

double bench_ramp_steady(const struct bench_pulse *pulses, size_t count)
{
	const struct bench_pulse *last = &pulses[count - 1];
	uint64_t half = pulses->ns + (last->ns - pulses->ns) / 2;
	size_t from = 0;

	while (from + 1 < count && pulses[from + 1].ns <= half)
		from++;
	return rate(&pulses[from], last);
}

double bench_ramp_full_speed_ms(const struct bench_pulse *pulses, size_t count, double model_ops_per_s)
{
	size_t to = 0;

	for (size_t from = 0; from < count && model_ops_per_s > 0; from++) {
		while (to < count && pulses[to].ns < pulses[from].ns + MEAN_NS)
			to++;
		if (to == count)
			break;
		if (rate(&pulses[from], &pulses[to]) >= ENOUGH * model_ops_per_s)
			return (double)(pulses[from].ns - pulses->ns) / 1e6;
	}
	return INFINITY;
}
