/* SPDX-License-Identifier: MIT */
/* What all reports derive from the samples. */
#include "bench/report.h"

#include <string.h>

#include "bench/forkjoin.h"

static bool is_peer(const struct bench_cell *cell)
{
	return !cell->ours && !cell->bound && strcmp(cell->name, BENCH_SERIAL) != 0;
}

const struct bench_cell *bench_group_best_peer(const struct bench_run *run, size_t first, size_t end)
{
	const struct bench_cell *best = NULL;

	for (size_t i = first; i < end; i++) {
		const struct bench_cell *cell = &run->cells[i];

		if (is_peer(cell) && cell->median.ops_per_s > 0 &&
		    (best == NULL || cell->median.ops_per_s > best->median.ops_per_s))
			best = cell;
	}
	return best;
}

struct bench_range bench_cell_ratios(const struct bench_run *run, const struct bench_cell *cell,
				     const struct bench_cell *other)
{
	double ratios[BENCH_ROUNDS_MAX];

	for (unsigned i = 0; i < run->settings->rounds; i++) {
		if (other->rounds[i].ops_per_s <= 0)
			return (struct bench_range){ 0 };
		ratios[i] = cell->rounds[i].ops_per_s / other->rounds[i].ops_per_s;
	}
	return bench_range(ratios, run->settings->rounds);
}

double bench_group_stolen(const struct bench_run *run, size_t first, size_t end)
{
	double sum = 0;

	for (size_t i = first; i < end; i++)
		sum += run->cells[i].median.stolen_share;
	return sum / (double)(end - first);
}

double bench_cell_ratio(const struct bench_run *run, const struct bench_cell *cell, const struct bench_cell *other)
{
	return bench_cell_ratios(run, cell, other).median;
}

const struct bench_cell *bench_cell_bound(const struct bench_run *run, const struct bench_cell *cell)
{
	const struct bench_cell *next = cell + 1;

	return !cell->bound && next < run->cells + run->count && next->bound ? next : NULL;
}

static const struct bench_cell *plain_twin(const struct bench_run *run, const struct bench_cell *cell)
{
	for (size_t i = 0; i < run->count; i++) {
		const struct bench_cell *other = &run->cells[i];

		if (other->scenario == BENCH_PLAIN && other->name == cell->name && bench_cells_alike(other, cell))
			return other;
	}
	return NULL;
}

static double smaller(double a, double b)
{
	return a < b ? a : b;
}

/* Of those of the affinity mask. */
static double its_cpus(const struct bench_run *run, const struct bench_cell *cell)
{
	return cell->bound ? 1 : run->cpus.count;
}

/* Beside as many others on the same CPUs, who take of a quota, too. */
static double fair_share(const struct bench_run *run, const struct bench_cell *cell, double others)
{
	double threads = cell->threads, cpus = its_cpus(run, cell), share = cpus * threads / (threads + others);

	/* One that is pinned cannot evade the other on its CPU. */
	if (cell->pinned && threads < cpus)
		share = threads / 2;
	return smaller(threads, share) * run->usable_cpus / run->cpus.count;
}

static double effective_cpus(const struct bench_run *run, const struct bench_cell *cell)
{
	double threads = cell->threads, cpus = its_cpus(run, cell), usable = smaller(run->usable_cpus, cpus);

	switch (cell->scenario) {
	case BENCH_HOGS:
		return fair_share(run, cell, cpus);
	case BENCH_STEAL:
		return smaller(smaller(threads, cpus) * (1 - cell->median.stolen_share), usable);
	case BENCH_OC:
		return smaller(cell->pinned ? threads / 2 : threads, usable / 2);
	default:
		return smaller(threads, usable);
	}
}

void bench_report_threads(char *text, const struct bench_run *run, const struct bench_cell *cell)
{
	const struct bench_settings *settings = run->settings;
	size_t used = (size_t)sprintf(text, "%u", settings->ramp ? settings->threads[0] : cell->threads);

	for (size_t i = 1; settings->ramp && i < settings->thread_count; i++)
		used += (size_t)sprintf(text + used, ", %u", settings->threads[i]);
}

bool bench_cell_effects(const struct bench_run *run, const struct bench_cell *cell, struct bench_effects *effects)
{
	const struct bench_cell *plain = cell->scenario != BENCH_PLAIN ? plain_twin(run, cell) : NULL;

	if (run->settings->ramp)
		return false; /* what is there for the threads changes with their number */
	if (plain == NULL || plain->median.ops_per_s <= 0 || cell->median.ops_per_s <= 0 ||
	    plain->median.cpu_ns_per_op <= 0 || cell->median.cpu_ns_per_op <= 0)
		return false;
	effects->cpus_plain = effective_cpus(run, plain);
	effects->cpus = effective_cpus(run, cell);
	effects->resource = cell->median.cpu_ns_per_op / plain->median.cpu_ns_per_op - 1;
	effects->time = plain->median.ops_per_s / cell->median.ops_per_s * effects->cpus / effects->cpus_plain - 1;
	effects->impact = (1 + effects->time) / (1 + effects->resource);
	return true;
}
