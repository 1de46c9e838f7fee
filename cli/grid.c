/* SPDX-License-Identifier: MIT */
#include "cli/grid.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/affinity.h"
#include "bench/forkjoin.h"
#include "bench/measure.h"
#include "cli/cli.h"

#define DURATION_MAX_NS 1000000000u
#define SECONDS_MIN 0.01
#define SECONDS_MAX 60.0

/* ---- lists */

int cli_for_each_item(const char *option, const char *text,
		      int (*take)(void *context, const char *item, struct bench_error *error), void *context,
		      struct bench_error *error)
{
	char *copy = strdup(text), *rest = copy, *item;
	int result = 0;

	if (copy == NULL)
		return bench_fail(error, "not enough memory");
	while (result == 0 && (item = strsep(&rest, ",")) != NULL)
		result = *item != '\0' ? take(context, item, error) :
					 bench_fail(error, "--%s \"%s\" has an empty item", option, text);
	free(copy);
	return result;
}

int cli_parse_number(const char *what, const char *text, uint64_t least, uint64_t most, uint64_t *number,
		     struct bench_error *error)
{
	unsigned long long value;

	errno = 0;
	value = strtoull(text, NULL, 10);
	if (*text == '\0' || text[strspn(text, "0123456789")] != '\0' || errno != 0 || value < least || value > most)
		return bench_fail(error, "%s must be a whole number from %llu to %llu, not \"%s\"", what,
				  (unsigned long long)least, (unsigned long long)most, text);
	*number = value;
	return 0;
}

int cli_parse_decimal(const char *what, const char *text, double least, double most, double *number,
		      struct bench_error *error)
{
	char *end;

	*number = strtod(text, &end);
	if (end == text || text[strspn(text, "0123456789.")] != '\0' || *end != '\0' ||
	    !(*number >= least && *number <= most))
		return bench_fail(error, "%s must be a number from %g to %g, not \"%s\"", what, least, most, text);
	return 0;
}

struct numbers {
	uint64_t *values;
	size_t count;
	const char *what;
	uint64_t least, most;
};

static int take_number(void *context, const char *item, struct bench_error *error)
{
	struct numbers *numbers = context;
	uint64_t *grown = realloc(numbers->values, (numbers->count + 1) * sizeof(grown[0]));

	if (grown == NULL)
		return bench_fail(error, "not enough memory");
	numbers->values = grown;
	if (cli_parse_number(numbers->what, item, numbers->least, numbers->most, &grown[numbers->count], error) != 0)
		return -1;
	numbers->count++;
	return 0;
}

int cli_find_word(const char *text, const char *const *names, int count)
{
	for (int i = 0; i < count; i++)
		if (strcmp(text, names[i]) == 0)
			return i;
	return -1;
}

static void append(char *text, size_t size, const char *word)
{
	size_t used = strlen(text);

	snprintf(text + used, size - used, "%s%s", used > 0 ? ", " : "", word);
}

int cli_choose_word(const char *what, const char *text, const char *const *names, int count, bool *chosen,
		    struct bench_error *error)
{
	int word = cli_find_word(text, names, count);
	char known[200] = "";

	if (word >= 0) {
		chosen[word] = true;
		return 0;
	}
	for (int i = 0; i < count; i++)
		append(known, sizeof(known), names[i]);
	return bench_fail(error, "unknown %s '%s'; known: %s", what, text, known);
}

/* ---- scenarios */

static int take_scenario(void *context, const char *item, struct bench_error *error)
{
	return cli_choose_word("scenario", item, bench_scenario_names, BENCH_SCENARIOS, context, error);
}

int cli_grid_scenarios(struct bench_settings *settings, const char *list, struct bench_error *error)
{
	return cli_for_each_item("scenario", list, take_scenario, settings->scenarios, error);
}

/* ---- locks */

/* What a list may name. */
struct choice {
	const struct bench_settings *settings;
	const char *also;
};

static int unknown_lock(const struct choice *choice, const char *name, struct bench_error *error)
{
	const bool *kinds = choice->settings->kinds;
	char known[400] = "";

	for (size_t i = 0; kinds[BENCH_LOCK] && bench_locks[i] != NULL; i++)
		append(known, sizeof(known), bench_locks[i]->name);
	for (size_t i = 0; kinds[BENCH_BARRIER] && bench_barriers[i] != NULL; i++)
		append(known, sizeof(known), bench_barriers[i]->name);
	for (size_t i = 0; kinds[BENCH_FORKJOIN] && bench_runtimes[i] != NULL; i++)
		append(known, sizeof(known), bench_runtimes[i]->name);
	if (choice->also != NULL)
		append(known, sizeof(known), choice->also);
	return bench_fail(error, "unknown lock '%s'; known: %s; ours, peers, all", name, known);
}

/* Which kind the thing of that name is of; -1 = there is none. */
static int kind_of(const char *name)
{
	if (bench_lock_find(name) != NULL)
		return BENCH_LOCK;
	if (bench_barrier_find(name) != NULL)
		return BENCH_BARRIER;
	return bench_runtime_find(name) != NULL ? BENCH_FORKJOIN : -1;
}

static int check_lock(void *context, const char *item, struct bench_error *error)
{
	static const char *const groups[] = { "ours", "peers", "all" };
	static const char *const words[BENCH_KINDS] = { "lock", "barrier", "parallel loop" };
	const struct choice *choice = context;
	const char *reason = bench_absent_reason(item);
	int kind = kind_of(item);

	if (reason != NULL)
		return bench_fail(error, "%s is %s", item, reason);
	if (cli_find_word(item, groups, 3) >= 0 || (kind >= 0 && choice->settings->kinds[kind]) ||
	    (choice->also != NULL && strcmp(item, choice->also) == 0))
		return 0;
	if (kind >= 0)
		return bench_fail(error, "%s is a %s: add --kind %s", item, words[kind], bench_kind_names[kind]);
	return unknown_lock(choice, item, error);
}

bool cli_grid_names(const char *list, const char *name, bool ours)
{
	const char *const meanings[] = { name, "all", ours ? "ours" : "peers" };

	while (list != NULL) {
		size_t length = strcspn(list, ",");

		for (int i = 0; i < 3; i++)
			if (strlen(meanings[i]) == length && strncmp(list, meanings[i], length) == 0)
				return true;
		list = list[length] == ',' ? list + length + 1 : NULL;
	}
	return false;
}

static size_t table_size(const void *const *table)
{
	size_t size = 0;

	while (table[size] != NULL)
		size++;
	return size;
}

int cli_grid_locks(struct bench_settings *settings, const char *list, const char *also, struct bench_error *error)
{
	struct choice choice = { settings, also };

	if (cli_for_each_item("locks", list, check_lock, &choice, error) != 0)
		return CLI_USAGE;
	settings->locks = calloc(table_size((const void *const *)bench_locks), sizeof(settings->locks[0]));
	settings->barriers = calloc(table_size((const void *const *)bench_barriers), sizeof(settings->barriers[0]));
	settings->runtimes = calloc(table_size((const void *const *)bench_runtimes), sizeof(settings->runtimes[0]));
	if (settings->locks == NULL || settings->barriers == NULL || settings->runtimes == NULL) {
		bench_fail(error, "not enough memory");
		return CLI_FAILED;
	}
	for (size_t i = 0; settings->kinds[BENCH_LOCK] && bench_locks[i] != NULL; i++)
		if (cli_grid_names(list, bench_locks[i]->name, bench_locks[i]->ours))
			settings->locks[settings->lock_count++] = bench_locks[i];
	for (size_t i = 0; settings->kinds[BENCH_BARRIER] && bench_barriers[i] != NULL; i++)
		if (cli_grid_names(list, bench_barriers[i]->name, bench_barriers[i]->ours))
			settings->barriers[settings->barrier_count++] = bench_barriers[i];
	for (size_t i = 0; settings->kinds[BENCH_FORKJOIN] && bench_runtimes[i] != NULL; i++)
		if (cli_grid_names(list, bench_runtimes[i]->name, bench_runtimes[i]->ours) &&
		    bench_runtime_is_there(bench_runtimes[i]))
			settings->runtimes[settings->runtime_count++] = bench_runtimes[i];
	return CLI_OK;
}

/* ---- bodies */

static int take_body(void *context, const char *item, struct bench_error *error)
{
	return cli_choose_word("body", item, bench_body_names, BENCH_BODIES, context, error);
}

int cli_grid_bodies(struct bench_settings *settings, const char *list, struct bench_error *error)
{
	return cli_for_each_item("body", list, take_body, settings->bodies, error);
}

/* ---- threads and loads */

static bool has_threads(const struct bench_settings *settings, uint64_t threads)
{
	for (size_t i = 0; i < settings->thread_count; i++)
		if (settings->threads[i] == threads)
			return true;
	return false;
}

static int set_threads(struct bench_settings *settings, const uint64_t *values, size_t count,
		       struct bench_error *error)
{
	settings->threads = calloc(count, sizeof(settings->threads[0]));
	if (settings->threads == NULL) {
		bench_fail(error, "not enough memory");
		return CLI_FAILED;
	}
	for (size_t i = 0; i < count; i++)
		if (settings->ramp || !has_threads(settings, values[i]))
			settings->threads[settings->thread_count++] = (unsigned)values[i];
	return CLI_OK;
}

/* One thread: the bare price; as many as CPUs; and more than can run at once. In a ramp also the way back. */
static int default_threads(struct bench_settings *settings, struct bench_error *error)
{
	struct bench_cpus cpus;
	uint64_t values[5] = { 1, [4] = 1 };
	int reason = bench_cpus_read(&cpus);

	if (reason != 0) {
		bench_fail(error, "cannot read the CPU affinity mask: %s", strerror(reason));
		return CLI_FAILED;
	}
	values[1] = cpus.count < BENCH_THREADS_MAX ? cpus.count : BENCH_THREADS_MAX;
	values[2] = 4 * values[1] < BENCH_THREADS_MAX ? 4 * values[1] : BENCH_THREADS_MAX;
	values[3] = values[1];
	bench_cpus_free(&cpus);
	return set_threads(settings, values, settings->ramp ? 5 : 3, error);
}

int cli_grid_threads(struct bench_settings *settings, const char *list, struct bench_error *error)
{
	struct numbers numbers = { .what = "a number of threads", .least = 1, .most = BENCH_THREADS_MAX };
	int status = CLI_USAGE;

	if (list == NULL)
		return default_threads(settings, error);
	if (cli_for_each_item("threads", list, take_number, &numbers, error) == 0)
		status = set_threads(settings, numbers.values, numbers.count, error);
	free(numbers.values);
	return status;
}

static bool has_load(const struct bench_settings *settings, struct bench_load load)
{
	for (size_t i = 0; i < settings->load_count; i++)
		if (bench_same_load(settings->loads[i], load))
			return true;
	return false;
}

/* The lists go side by side; one that has a single value gives it to all of the other. */
static int pair_loads(struct bench_settings *settings, const struct numbers *cs, const struct numbers *think,
		      struct bench_error *error)
{
	size_t count = cs->count > think->count ? cs->count : think->count;

	if ((cs->count != 1 && cs->count != count) || (think->count != 1 && think->count != count)) {
		bench_fail(error, "--cs has %zu values and --think %zu: give as many, or one", cs->count, think->count);
		return CLI_USAGE;
	}
	settings->loads = calloc(count, sizeof(settings->loads[0]));
	if (settings->loads == NULL) {
		bench_fail(error, "not enough memory");
		return CLI_FAILED;
	}
	for (size_t i = 0; i < count; i++) {
		struct bench_load load = { .cs_ns = cs->values[cs->count == 1 ? 0 : i],
					   .think_ns = think->values[think->count == 1 ? 0 : i] };

		if (!has_load(settings, load))
			settings->loads[settings->load_count++] = load;
	}
	return CLI_OK;
}

int cli_grid_loads(struct bench_settings *settings, const char *cs_list, const char *think_list,
		   struct bench_error *error)
{
	struct numbers cs = { .what = "a critical section (ns)", .most = DURATION_MAX_NS };
	struct numbers think = { .what = "a think time (ns)", .most = DURATION_MAX_NS };
	int status = CLI_USAGE;

	if (cli_for_each_item("cs", cs_list, take_number, &cs, error) == 0 &&
	    cli_for_each_item("think", think_list != NULL ? think_list : cs_list, take_number, &think, error) == 0)
		status = pair_loads(settings, &cs, &think, error);
	free(cs.values);
	free(think.values);
	return status;
}

/* ---- single values */

int cli_grid_seconds(struct bench_settings *settings, const char *text, struct bench_error *error)
{
	return cli_parse_decimal("--seconds", text, SECONDS_MIN, SECONDS_MAX, &settings->seconds, error);
}

int cli_grid_rounds(struct bench_settings *settings, const char *text, unsigned least, struct bench_error *error)
{
	uint64_t rounds = 0;

	if (cli_parse_number("--rounds", text, least, BENCH_ROUNDS_MAX, &rounds, error) != 0)
		return -1;
	settings->rounds = (unsigned)rounds;
	return 0;
}

void cli_grid_free(struct bench_settings *settings)
{
	free(settings->locks);
	free(settings->barriers);
	free(settings->runtimes);
	free(settings->threads);
	free(settings->loads);
	*settings = (struct bench_settings){ 0 };
}
