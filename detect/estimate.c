/* SPDX-License-Identifier: MIT */
/* The estimators: what is concluded from samples, and what makes them doubtful. */
#include "detect/calibrate.h"

#define PAUSE_RUNS_LEAST 3
#define PAUSE_SPREAD_MAX 0.2
#define NAPS_LEAST 12
#define WAKE_SPREAD_MAX 0.4
#define RATE_SPREAD_MAX 0.01

/* Insertion sort: libc's qsort may allocate. */
static void sort(double *values, int count)
{
	for (int i = 1; i < count; i++)
		for (int j = i; j > 0 && values[j - 1] > values[j]; j--) {
			double swap = values[j];

			values[j] = values[j - 1];
			values[j - 1] = swap;
		}
}

struct gsync_estimate gsync_estimate_pause(double *samples, int count)
{
	struct gsync_estimate out = { 0, 0, false, "the clock is too coarse to time a PAUSE" };
	int first = 0;

	sort(samples, count);
	while (first < count && samples[first] <= 0)
		first++;
	if (first == count)
		return out;
	out.value = samples[first];
	/* Where the clock often stands still for a whole run, the other runs show its steps. */
	if (first > 0 || count < PAUSE_RUNS_LEAST)
		return out;
	out.spread = samples[PAUSE_RUNS_LEAST - 1] / out.value - 1;
	out.trusted = out.spread <= PAUSE_SPREAD_MAX;
	out.why = out.trusted ? "the fastest runs agree" : "not even the fastest runs agree";
	return out;
}

struct gsync_estimate gsync_estimate_wake(double *samples, int count)
{
	struct gsync_estimate out = { 0, 0, false, "too few naps were left undisturbed" };

	sort(samples, count);
	if (count == 0 || samples[count / 4] <= 0)
		return out;
	out.value = samples[count / 4];
	out.spread = (samples[count / 2] - samples[count / 10]) / out.value;
	if (count < NAPS_LEAST)
		return out;
	out.trusted = out.spread <= WAKE_SPREAD_MAX;
	out.why = out.trusted ? "the naps agree" : "the naps differ too much: something disturbs most of them";
	return out;
}

/* Ticks per µs between two moments; 0 where either clock stood still or ran backwards. */
static double rate(const struct gsync_moment *from, const struct gsync_moment *to)
{
	if (to->ns <= from->ns || to->counter <= from->counter)
		return 0;
	return (double)(to->counter - from->counter) * 1e3 / (double)(to->ns - from->ns);
}

struct gsync_estimate gsync_estimate_rate(const struct gsync_moment moments[3])
{
	struct gsync_estimate out = { 0, 0, false, "the counter or the monotonic clock ran backwards" };
	double first = rate(&moments[0], &moments[1]);
	double second = rate(&moments[1], &moments[2]);

	if (first <= 0 || second <= 0)
		return out;
	/* Both intervals in one: the longer, the smaller the error of reading its ends. */
	out.value = rate(&moments[0], &moments[2]);
	out.spread = (first > second ? first - second : second - first) / out.value;
	out.why = "the counter does not keep step with the monotonic clock";
	if (out.value < 1 || out.value > 1e5)
		return out;
	if (out.spread <= RATE_SPREAD_MAX) {
		out.trusted = true;
		out.why = "in step with the monotonic clock";
	} else if ((double)(moments[1].doubt + moments[2].doubt) >
		   RATE_SPREAD_MAX * (double)(moments[2].counter - moments[1].counter)) {
		out.why = "the counter could not be compared with the monotonic clock: the machine is too busy";
	}
	return out;
}
