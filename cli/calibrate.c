/* SPDX-License-Identifier: MIT */
/*
 * guestsync calibrate: what a lock measures in a few milliseconds, measured
 * several times over, and checked by what a lock cannot afford: threads pinned
 * to CPUs that wake each other and compare their counters.
 */
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "bench/affinity.h"
#include "bench/skew.h"
#include "bench/statistics.h"
#include "bench/wake.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/machine.h"
#include "cli/measuring.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "detect/calibrate.h"
#include "detect/clock.h"

#define RUNS 9
#define RUNS_SPREAD_MAX 0.3
#define ROUND_TRIP_NS_MAX 20000 /* a slower one says too little about an offset */

static const char help[] =
	"Usage: guestsync calibrate [--json]\n"
	"       guestsync calibrate --oracle [OPTION...]\n"
	"Measures what waiting costs on this machine, several times, says how far each\n"
	"value can be trusted and why, and checks the price of a wake-up with threads\n"
	"that really wake each other. Takes less than a second on a quiet machine; needs\n"
	"no root.\n\n"
	"  --json    for programs: one JSON object; null = cannot be measured here\n"
	"  --oracle  instead: does the library choose its spin budgets as well as somebody\n"
	"            who tuned them by hand? Takes minutes; --oracle --help says more\n"
	"  --help    this text\n\n"
	"A spread is how far the better measurements lie apart, relative to the value.\n";

/* ---- what is reported */

/* As struct gsync_estimate, but with words that were put together here. */
struct value {
	double value; /* 0 = none */
	double spread;
	double median; /* of all groups; 0 = not known */
	bool trusted;
	char why[192];
};

struct report {
	struct gsync_facts facts;
	struct value pause;
	struct value wake;
	struct value counter;
	struct value cross_cpu;
	struct value same_cpu;
	struct value yield;
	struct value futex_wake;
	unsigned cpus_other;	/* beside the first that this process may use */
	unsigned cpus_compared; /* how many of them, with the first */
	double offset_ns; /* the largest between two CPUs' counters */
};

static void __attribute__((format(printf, 2, 3))) say_why(struct value *value, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(value->why, sizeof(value->why), format, arguments);
	va_end(arguments);
}

/* ---- progress, once it has taken long */

static uint64_t began_ns;

static void show_progress(const char *what, unsigned done, unsigned all)
{
	if ((double)(gsync_monotonic_ns() - began_ns) / 1e9 >= CLI_PROGRESS_AFTER_S)
		cli_progress("%s, %u of %u", what, done + 1, all);
}

/* ---- several calibrations */

static struct gsync_estimate pause_of(const struct gsync_calibration *run)
{
	return (struct gsync_estimate){ run->pause_ns, run->pause_spread, run->pause_trusted, run->pause_why };
}

static struct gsync_estimate wake_of(const struct gsync_calibration *run)
{
	return (struct gsync_estimate){ run->wake_ns, run->wake_spread, run->wake_trusted, run->wake_why };
}

static struct gsync_estimate counter_of(const struct gsync_calibration *run)
{
	return (struct gsync_estimate){ run->counter_mhz, run->counter_spread, run->counter_trusted, run->counter_why };
}

/*
 * The median of the trusted runs, if most are, else of all; the spread is that
 * of their middle half, which one disturbed run cannot change.
 */
static void combine(struct value *out, const struct gsync_calibration runs[RUNS],
		    struct gsync_estimate (*part)(const struct gsync_calibration *))
{
	double values[RUNS];
	unsigned trusted = 0;
	unsigned count = 0;
	const char *why = NULL;

	for (unsigned i = 0; i < RUNS; i++)
		trusted += part(&runs[i]).trusted;
	out->trusted = trusted > RUNS / 2;
	for (unsigned i = 0; i < RUNS; i++) {
		struct gsync_estimate estimate = part(&runs[i]);

		if (estimate.trusted == out->trusted)
			why = estimate.why;
		if (estimate.trusted || !out->trusted)
			values[count++] = estimate.value;
	}
	out->value = bench_median(values, count);
	if (out->value > 0)
		out->spread = (values[count * 3 / 4] - values[count / 4]) / out->value;
	say_why(out, "%u of %u calibrations: %s", out->trusted ? trusted : RUNS - trusted, RUNS, why);
	if (out->trusted && out->spread > RUNS_SPREAD_MAX) {
		out->trusted = false;
		say_why(out, "the %u calibrations differ too much", RUNS);
	}
}

static void calibrate_often(struct report *report)
{
	struct gsync_calibration runs[RUNS];

	for (unsigned i = 0; i < RUNS; i++) {
		show_progress("calibrating", i, RUNS);
		gsync_calibrate(&gsync_source_machine, &runs[i]);
	}
	combine(&report->pause, runs, pause_of);
	combine(&report->wake, runs, wake_of);
	combine(&report->counter, runs, counter_of);
}

/* ---- with threads */

static void take_price(struct value *out, const struct bench_price *price)
{
	out->value = price->estimate.value;
	out->spread = price->estimate.spread;
	out->median = price->median;
	out->trusted = price->estimate.trusted;
	say_why(out, "%s", price->estimate.why);
}

static int measure_wake_ups(struct report *report, const struct bench_cpus *cpus, struct bench_error *error)
{
	struct bench_price price;

	show_progress("waking on the same CPU", 0, 1);
	if (bench_wake_measure(cpus->ids[0], cpus->ids[0], &price, error) != 0)
		return -1;
	take_price(&report->same_cpu, &price);
	if (cpus->count < 2) {
		say_why(&report->cross_cpu, "skipped: this process may use one CPU only");
	} else {
		show_progress("waking on another CPU", 0, 1);
		if (bench_wake_measure(cpus->ids[0], cpus->ids[1], &price, error) != 0)
			return -1;
		take_price(&report->cross_cpu, &price);
	}
	bench_yield_measure(&price);
	take_price(&report->yield, &price);
	bench_futex_wake_measure(&price);
	take_price(&report->futex_wake, &price);
	return 0;
}

static void judge_skew(struct report *report, const struct bench_skew *skew, int cpu, int other_cpu)
{
	struct value *counter = &report->counter;
	double offset_ns = (double)bench_skew_offset(skew) * 1e3 / counter->value;
	bool backwards = bench_skew_is_backwards(skew);

	if (skew->messages == 0 ||
	    (!backwards && (double)(skew->forth + skew->back) * 1e3 / counter->value > ROUND_TRIP_NS_MAX))
		return;
	report->cpus_compared++;
	if (fabs(offset_ns) > fabs(report->offset_ns))
		report->offset_ns = offset_ns;
	if (!backwards)
		return;
	counter->trusted = false;
	say_why(counter, "unsynchronised: between CPUs %d and %d it runs backwards, %.0f ns apart", cpu, other_cpu,
		fabs(offset_ns));
}

static int compare_counters(struct report *report, const struct bench_cpus *cpus, struct bench_error *error)
{
	report->cpus_other = cpus->count - 1;
	for (unsigned i = 1; i < cpus->count && report->counter.value > 0; i++) {
		struct bench_skew skew;

		show_progress("comparing the counters of CPUs", i, cpus->count);
		if (bench_skew_measure(cpus->ids[0], cpus->ids[i], &skew, error) != 0)
			return -1;
		judge_skew(report, &skew, cpus->ids[0], cpus->ids[i]);
	}
	return 0;
}

static int measure(struct report *report, struct bench_error *error)
{
	struct bench_cpus cpus;
	int reason;
	int status;

	began_ns = gsync_monotonic_ns();
	gsync_facts_read(&gsync_source_machine, &report->facts);
	calibrate_often(report);
	reason = bench_cpus_read(&cpus);
	if (reason != 0)
		return bench_fail(error, "cannot read the CPU affinity mask: %s", strerror(reason));
	status = measure_wake_ups(report, &cpus, error);
	if (status == 0)
		status = compare_counters(report, &cpus, error);
	bench_cpus_free(&cpus);
	return status;
}

/* ---- for programs */

static json_t *number(double value, double steps)
{
	return isfinite(value) ? json_real(round(value * steps) / steps) : json_null();
}

static json_t *value_json(const struct value *value)
{
	json_t *object = json_pack("{s:o, s:o, s:b, s:s}", "value",
				   value->value > 0 ? number(value->value, 100) : json_null(), "spread",
				   value->value > 0 ? number(value->spread, 1e6) : json_null(), "trusted",
				   value->trusted, "why", value->why);

	if (object && value->median > 0)
		json_object_set_new(object, "median", number(value->median, 100));
	return object;
}

static json_t *counter_json(const struct report *report)
{
	json_t *object = value_json(&report->counter);

	if (!object)
		return NULL;
	json_object_set_new(object, "cpus_compared", json_integer(report->cpus_compared));
	json_object_set_new(object, "offset_ns",
			    report->cpus_compared > 0 ? number(report->offset_ns, 10) : json_null());
	return object;
}

static int print_json(const struct report *report)
{
	struct gsync_profile profile;

	gsync_profile_of_process(&profile, NULL);
	return cli_json_print(json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "machine",
		cli_machine_json(&report->facts, gsync_calibration_of_process(), &profile), "pause_ns",
		value_json(&report->pause), "wake_ns", value_json(&report->wake), "counter_mhz", counter_json(report),
		"cross_cpu_wake_ns", report->cross_cpu.value > 0 ? value_json(&report->cross_cpu) : json_null(),
		"same_cpu_wake_ns", value_json(&report->same_cpu), "yield_ns", value_json(&report->yield),
		"futex_wake_ns", value_json(&report->futex_wake)));
}

/* ---- for people */

static void print_value(const char *label, const struct value *value, const char *unit)
{
	if (value->value > 0)
		printf("  %-22s %10.*f %-3s  +-%6.2f %%  %-13s  %s\n", label, value->value < 100 ? 1 : 0, value->value,
		       unit, value->spread * 100, value->trusted ? "trust" : "do not trust", value->why);
	else
		printf("  %-22s %10s %-3s  %9s  %-13s  %s\n", label, "-", unit, "", "do not trust", value->why);
}

static int print_table(const struct report *report)
{
	puts("What a lock measures, once per process");
	print_value("PAUSE", &report->pause, "ns");
	print_value("wake-up, by a timer", &report->wake, "ns");
	print_value("counter", &report->counter, "MHz");
	puts("What threads measure that wake each other");
	if (report->cross_cpu.value > 0)
		print_value("wake-up across CPUs", &report->cross_cpu, "ns");
	else
		printf("  %-22s %s\n", "wake-up across CPUs", report->cross_cpu.why);
	print_value("wake-up on one CPU", &report->same_cpu, "ns");
	print_value("sched_yield", &report->yield, "ns");
	print_value("futex wake of nobody", &report->futex_wake, "ns");
	if (report->cpus_compared > 0)
		printf("The counters of %u CPUs were compared: they are at most %.0f ns apart.\n",
		       report->cpus_compared + 1, fabs(report->offset_ns));
	if (report->counter.value > 0 && report->cpus_compared < report->cpus_other)
		printf("The counters of %u CPUs could not be compared: the machine is too busy.\n",
		       report->cpus_other - report->cpus_compared);
	return CLI_OK;
}

/* The oracle has options, and a help text, of its own. */
static bool asks_the_oracle(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--oracle") == 0)
			return true;
	return false;
}

int cli_calibrate(int argc, char **argv)
{
	bool json = false, wants_help = false;
	const struct cli_option options[] = {
		{ "json", .flag = &json },
		{ "help", .flag = &wants_help },
		{ .name = NULL },
	};
	struct report report = { .cpus_compared = 0 };
	struct bench_error error;
	int status;

	if (asks_the_oracle(argc, argv))
		return cli_oracle(argc, argv);
	if (cli_options_read("calibrate", options, argc, argv, &error) != CLI_OK) {
		cli_refuse(&error, "calibrate");
		return CLI_USAGE;
	}
	if (wants_help) {
		fputs(help, stdout);
		return CLI_OK;
	}
	status = measure(&report, &error);
	cli_progress_erase();
	if (status != 0) {
		fprintf(stderr, "guestsync: %s\n", error.text);
		return CLI_FAILED;
	}
	return json ? print_json(&report) : print_table(&report);
}
