/* SPDX-License-Identifier: MIT */
#include "bench/panel.h"

#include <stdlib.h>

#include "bench/report.h"

bool bench_same_panel(const struct bench_cell *a, const struct bench_cell *b)
{
	return a->kind == b->kind && a->scenario == b->scenario && bench_same_load(a->load, b->load);
}

static bool is_first_of_panel(const struct bench_run *run, size_t cell)
{
	for (size_t i = 0; i < cell; i++)
		if (bench_same_panel(&run->cells[i], &run->cells[cell]))
			return false;
	return true;
}

size_t bench_panel_next(const struct bench_run *run, size_t cell)
{
	while (cell < run->count && !is_first_of_panel(run, cell))
		cell++;
	return cell;
}

/* Numbers of threads ascend, in whatever order they were asked for. */
static void enter_group(struct bench_panel *panel, size_t group)
{
	const struct bench_cell *cells = panel->run->cells;
	size_t place = panel->thread_count++;

	for (; place > 0 && cells[panel->groups[place - 1]].threads > cells[group].threads; place--)
		panel->groups[place] = panel->groups[place - 1];
	panel->groups[place] = group;
}

/* The groups of the panel, and every name that occurs in one; NAMES has room for all cells of the run. */
static void survey(struct bench_panel *panel, const char **names)
{
	const struct bench_run *run = panel->run;
	size_t end;

	for (size_t first = panel->first; first < run->count; first = end) {
		end = bench_group_end(run, first);
		if (!bench_same_panel(&run->cells[first], bench_panel_of(panel)))
			continue;
		enter_group(panel, first);
		for (size_t i = first; i < end; i++) {
			size_t lock = 0;

			while (lock < panel->lock_count && names[lock] != run->cells[i].name)
				lock++;
			names[lock] = run->cells[i].name;
			panel->lock_count += lock == panel->lock_count;
		}
	}
}

static void enter_cells(struct bench_panel *panel, const char *const *names)
{
	const struct bench_run *run = panel->run;

	for (size_t thread = 0; thread < panel->thread_count; thread++) {
		size_t first = panel->groups[thread], end = bench_group_end(run, first);

		panel->best[thread] = bench_group_best_peer(run, first, end);
		for (size_t i = first; i < end; i++)
			for (size_t lock = 0; lock < panel->lock_count; lock++)
				if (names[lock] == run->cells[i].name)
					panel->cells[lock * panel->thread_count + thread] = &run->cells[i];
	}
}

int bench_panel_make(struct bench_panel *panel, const struct bench_run *run, size_t first)
{
	const char **names = calloc(run->count, sizeof(names[0]));

	*panel = (struct bench_panel){ .run = run, .first = first };
	panel->groups = calloc(run->count, sizeof(panel->groups[0]));
	if (names != NULL && panel->groups != NULL) {
		survey(panel, names);
		panel->cells = calloc(panel->lock_count * panel->thread_count, sizeof(panel->cells[0]));
		panel->best = calloc(panel->thread_count, sizeof(panel->best[0]));
		if (panel->cells != NULL && panel->best != NULL)
			enter_cells(panel, names);
	}
	free(names);
	if (panel->best != NULL && panel->cells != NULL)
		return 0;
	bench_panel_free(panel);
	return -1;
}

void bench_panel_free(struct bench_panel *panel)
{
	free(panel->cells);
	free(panel->best);
	free(panel->groups);
	*panel = (struct bench_panel){ 0 };
}

const struct bench_cell *bench_panel_lock(const struct bench_panel *panel, size_t lock)
{
	size_t thread = 0;

	while (bench_panel_cell(panel, lock, thread) == NULL)
		thread++;
	return bench_panel_cell(panel, lock, thread);
}
