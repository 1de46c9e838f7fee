/* SPDX-License-Identifier: MIT */
/*
 * The options of `guestsync bench`. Some depend on others (which names --locks
 * may hold depends on --kind, --think on --cs), so they are first collected and
 * then resolved. What appears twice in a list is measured once, except in a ramp.
 */
#include "cli/bench_options.h"

#include "cli/cli.h"
#include "cli/grid.h"
#include "cli/options.h"

#define DEFAULT_SECONDS "0.2"
#define DEFAULT_ROUNDS "3"
#define DEFAULT_NS "100"
#define DEFAULT_BODIES "empty,us,skew,sum"

/* The option values as they were written. */
struct texts {
	const char *kind, *locks, *threads, *cs, *think, *seconds, *rounds, *scenario, *format, *pin, *every, *body;
	const char *measuring; /* the last option given that says what to measure */
};

/* ---- kinds */

static int take_kind(void *context, const char *item, struct bench_error *error)
{
	static const char *const not_yet[] = { "rwlock", "cond", "sem" };

	if (cli_find_word(item, not_yet, 3) >= 0)
		return bench_fail(error, "--kind %s is not available in this version", item);
	return cli_choose_word("kind", item, bench_kind_names, BENCH_KINDS, context, error);
}

/* Whichever kind is asked for, something of it is to be measured. */
static int choose_locks(struct bench_settings *settings, const char *list, struct bench_error *error)
{
	int status = cli_grid_locks(settings, list, NULL, error);

	if (status != CLI_OK)
		return status;
	for (enum bench_kind kind = 0; kind < BENCH_KINDS; kind++) {
		const size_t counts[BENCH_KINDS] = { settings->lock_count, settings->barrier_count, settings->runtime_count };

		if (settings->kinds[kind] && counts[kind] == 0) {
			bench_fail(error, "--locks %s names no %s, but --kind asks for it", list,
				   bench_kind_names[kind]);
			return CLI_USAGE;
		}
	}
	return CLI_OK;
}

/* ---- single values */

/* A picture of each step in four moments, unless it is told otherwise. */
static unsigned every_of_ramp(double step_seconds)
{
	double quarter = step_seconds * 1e3 / 4;

	return quarter > BENCH_EVERY_MIN_MS ? (unsigned)quarter : BENCH_EVERY_MIN_MS;
}

static int choose_every(struct bench_settings *settings, const char *text, struct bench_error *error)
{
	uint64_t every = 0;

	if (text == NULL) {
		settings->every_ms = settings->ramp ? every_of_ramp(settings->seconds) : 0;
		return 0;
	}
	if (cli_parse_number("--every", text, BENCH_EVERY_MIN_MS, BENCH_EVERY_MAX_MS, &every, error) != 0)
		return -1;
	if ((double)every > settings->seconds * 1e3 + 1e-9)
		return bench_fail(error, "--every %s ms is longer than a %s of --seconds %g", text,
				  settings->ramp ? "step" : "window", settings->seconds);
	settings->every_ms = (unsigned)every;
	return 0;
}

/* Steps too short to see anything, or too many; and a barrier cannot have participants come and go. */
static int check_ramp(const struct bench_settings *settings, struct bench_error *error)
{
	if (!settings->ramp)
		return 0;
	if (settings->kinds[BENCH_BARRIER])
		return bench_fail(error, "--ramp is for locks: the participants of a barrier cannot come and go");
	if (settings->seconds < BENCH_STEP_MIN_S)
		return bench_fail(error, "--ramp needs steps of --seconds %g at least", BENCH_STEP_MIN_S);
	if (settings->thread_count > BENCH_STEPS_MAX)
		return bench_fail(error, "--ramp takes %u steps at most, not %zu", BENCH_STEPS_MAX,
				  settings->thread_count);
	return 0;
}

/* Regions have no timeline: what goes on within their processes is theirs. */
static int choose_bodies(struct bench_settings *settings, const char *list, struct bench_error *error)
{
	bool forkjoin = settings->kinds[BENCH_FORKJOIN];

	if (!forkjoin && list != NULL)
		return bench_fail(error, "--body is for --kind forkjoin");
	if (forkjoin && (settings->ramp || settings->every_ms > 0))
		return bench_fail(error, "--%s is not for --kind forkjoin", settings->ramp ? "ramp" : "every");
	return forkjoin ? cli_grid_bodies(settings, list != NULL ? list : DEFAULT_BODIES, error) : 0;
}

static int choose_pin(struct bench_settings *settings, const char *text, struct bench_error *error)
{
	int pin = cli_find_word(text, bench_pin_names, 3);

	if (pin < 0)
		return bench_fail(error, "--pin must be auto, always or never, not \"%s\"", text);
	settings->pin = (enum bench_pin)pin;
	return 0;
}

static int choose_format(struct cli_bench_options *options, const char *text, struct bench_error *error)
{
	static const char *const formats[] = { "table", "json", "csv", "markdown" };
	int format = cli_find_word(text, formats, 4);

	if (format < 0)
		return bench_fail(error, "--format must be table, json, csv or markdown, not \"%s\"", text);
	options->format = (enum cli_format)format;
	if (options->notes != NULL && options->format != CLI_FORMAT_MARKDOWN)
		return bench_fail(error, "--notes goes with --format markdown");
	return 0;
}

/* ---- all of them */

static int resolve(struct cli_bench_options *options, const struct texts *texts, struct bench_error *error)
{
	struct bench_settings *settings = &options->settings;
	int status;

	if (options->from != NULL) {
		if (texts->measuring != NULL)
			bench_fail(error, "--from measures nothing: --%s has no place beside it", texts->measuring);
		else if (choose_format(options, texts->format, error) == 0)
			return CLI_OK;
		return CLI_USAGE;
	}
	if (cli_for_each_item("kind", texts->kind, take_kind, settings->kinds, error) != 0 ||
	    cli_grid_scenarios(settings, texts->scenario, error) != 0 ||
	    cli_grid_seconds(settings, texts->seconds, error) != 0 ||
	    cli_grid_rounds(settings, texts->rounds, 1, error) != 0 ||
	    choose_every(settings, texts->every, error) != 0 || choose_bodies(settings, texts->body, error) != 0 ||
	    choose_pin(settings, texts->pin, error) != 0 || choose_format(options, texts->format, error) != 0)
		return CLI_USAGE;
	if (settings->every_ms > 0 && options->format >= CLI_FORMAT_CSV && options->plot == NULL &&
	    options->report == NULL) {
		bench_fail(error, "%s has no place in %s: use table, json, --plot or --report",
			   settings->ramp ? "--ramp" : "--every", texts->format);
		return CLI_USAGE;
	}
	status = choose_locks(settings, texts->locks, error);
	if (status == CLI_OK)
		status = cli_grid_threads(settings, texts->threads, error);
	if (status == CLI_OK && check_ramp(settings, error) != 0)
		status = CLI_USAGE;
	if (status == CLI_OK)
		status = cli_grid_loads(settings, texts->cs, texts->think, error);
	return status;
}

static int collect(struct cli_bench_options *options, struct texts *texts, int argc, char **argv,
		   struct bench_error *error)
{
	const char **measuring = &texts->measuring;
	const struct cli_option known[] = {
		{ "kind", .text = &texts->kind, .given = measuring },
		{ "locks", .text = &texts->locks, .given = measuring },
		{ "threads", .text = &texts->threads, .given = measuring },
		{ "cs", .text = &texts->cs, .given = measuring },
		{ "think", .text = &texts->think, .given = measuring },
		{ "body", .text = &texts->body, .given = measuring },
		{ "seconds", .text = &texts->seconds, .given = measuring },
		{ "rounds", .text = &texts->rounds, .given = measuring },
		{ "every", .text = &texts->every, .given = measuring },
		{ "ramp", .flag = &options->settings.ramp, .given = measuring },
		{ "scenario", .text = &texts->scenario, .given = measuring },
		{ "pin", .text = &texts->pin, .given = measuring },
		{ "format", .text = &texts->format },
		{ "json", .text = &texts->format, .stands_for = "json" },
		{ "out", .text = &options->out },
		{ "report", .text = &options->report },
		{ "plot", .text = &options->plot },
		{ "from", .text = &options->from },
		{ "notes", .text = &options->notes },
		{ "help", .flag = &options->help },
		{ .name = NULL },
	};

	return cli_options_read("bench", known, argc, argv, error);
}

int cli_bench_options_parse(struct cli_bench_options *options, int argc, char **argv, struct bench_error *error)
{
	struct texts texts = {
		.kind = "lock",
		.locks = "all",
		.cs = DEFAULT_NS,
		.seconds = DEFAULT_SECONDS,
		.rounds = DEFAULT_ROUNDS,
		.scenario = "plain",
		.format = "table",
		.pin = "auto",
	};

	*options = (struct cli_bench_options){ .settings.bounds = true };
	if (collect(options, &texts, argc, argv, error) != CLI_OK)
		return CLI_USAGE;
	return options->help ? CLI_OK : resolve(options, &texts, error);
}

void cli_bench_options_free(struct cli_bench_options *options)
{
	cli_grid_free(&options->settings);
	*options = (struct cli_bench_options){ 0 };
}
