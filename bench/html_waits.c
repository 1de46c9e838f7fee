/* SPDX-License-Identifier: MIT */
/* For each number of threads a row per lock: its throughput beside its waits. */
#include <stdlib.h>
#include <string.h>

#include "bench/html_page.h"
#include "bench/report.h"
#include "bench/table.h"

static const size_t wait_offsets[BENCH_SVG_MARKS] = {
	offsetof(struct bench_sample, wait_p50_ns),
	offsetof(struct bench_sample, wait_p99_ns),
	offsetof(struct bench_sample, wait_p999_ns),
	offsetof(struct bench_sample, wait_max_ns),
};
static const char *const wait_names[BENCH_SVG_MARKS] = { "p50", "p99", "p99.9", "longest" };

/* All panels of a load get the same axis, so that one can compare them. */
static struct bench_svg_axis wait_axis(const struct bench_panel *panel)
{
	struct bench_svg_axis axis = { .label = "waiting time (logarithmic)", .unit = BENCH_SVG_TIME };

	for (size_t i = 0; i < panel->lock_count * panel->thread_count; i++)
		for (int mark = 0; mark < BENCH_SVG_MARKS && panel->cells[i] != NULL; mark++)
			bench_svg_include(&axis, bench_page_median(panel->cells[i], wait_offsets[mark]));
	bench_svg_settle(&axis);
	if (!axis.log)
		axis.label = "waiting time";
	return axis;
}

static void write_effect_cells(const struct bench_page *page, const struct bench_cell *cell)
{
	struct bench_effects effects;

	if (bench_cell_effects(page->run, cell, &effects))
		fprintf(page->out, "<td>%+.2f</td><td>%+.2f</td><td>%.2f</td>", effects.resource, effects.time,
			effects.impact);
	else
		fputs("<td>–</td><td>–</td><td>–</td>", page->out);
}

static void write_ratio(const struct bench_page *page, const struct bench_cell *cell, const struct bench_cell *best)
{
	struct bench_range ratios = { 0 };

	if (best != NULL && !cell->bound)
		ratios = bench_cell_ratios(page->run, cell, best);
	bench_page_range(page->out, &ratios, bench_table_ratio);
}

static void write_wait_row(const struct bench_page *page, const struct bench_cell *cell, const struct bench_cell *best,
			   bool effects)
{
	bench_page_begin_row(page->out, cell);
	bench_page_figure(page, cell, offsetof(struct bench_sample, ops_per_s), bench_table_count);
	write_ratio(page, cell, best);
	for (int mark = 0; mark < BENCH_SVG_MARKS; mark++)
		bench_page_figure(page, cell, wait_offsets[mark], bench_table_time);
	bench_page_figure(page, cell, offsetof(struct bench_sample, voluntary_switches), bench_table_count);
	bench_page_figure(page, cell, offsetof(struct bench_sample, involuntary_switches), bench_table_count);
	fprintf(page->out, "<td%s>%.0f</td>", cell->median.errors > 0 ? " class=\"bad\"" : "", cell->median.errors);
	if (effects)
		write_effect_cells(page, cell);
	fputs("</tr>\n", page->out);
}

static void write_bounds(const struct bench_page *page, const struct bench_panel *panel, size_t thread)
{
	char ratio[BENCH_TEXT_BYTES];

	for (size_t lock = 0; lock < panel->lock_count; lock++) {
		const struct bench_cell *cell = bench_panel_cell(panel, lock, thread);
		const struct bench_cell *bound = cell != NULL ? bench_cell_bound(page->run, cell) : NULL;

		if (bound == NULL)
			continue;
		bench_table_ratio(ratio, bench_cell_ratio(page->run, cell, bound));
		fputs("<p class=\"faint\">", page->out);
		bench_svg_text(page->out, cell->name);
		fputs(" ÷ ", page->out);
		bench_svg_text(page->out, bound->name);
		fprintf(page->out, ": %s</p>\n", ratio);
	}
}

static void write_wait_table(const struct bench_page *page, const struct bench_panel *panel, size_t thread)
{
	static const char *const headings[] = { "lock",	 "ops/s",	 "×best peer",	   "p50",
						"p99",	 "p99.9",	 "longest wait", "sleeps",
						"preempted", "errors", "δη_r",	   "δη_t", "ω" };
	size_t columns = sizeof(headings) / sizeof(headings[0]);
	struct bench_effects unused;
	bool effects = false;

	for (size_t lock = 0; lock < panel->lock_count; lock++)
		if (bench_panel_cell(panel, lock, thread) != NULL)
			effects |= bench_cell_effects(panel->run, bench_panel_cell(panel, lock, thread), &unused);
	bench_page_begin_table(page->out, "Figures: median, least – most of the rounds");
	fputs("<thead><tr>", page->out);
	for (size_t i = 0; i < columns - (effects ? 0 : 3); i++)
		fprintf(page->out, "<th scope=\"col\">%s</th>", headings[i]);
	fputs("</tr></thead><tbody>\n", page->out);
	for (size_t lock = 0; lock < panel->lock_count; lock++)
		if (bench_panel_cell(panel, lock, thread) != NULL)
			write_wait_row(page, bench_panel_cell(panel, lock, thread), panel->best[thread], effects);
	bench_page_end_table(page->out);
}

static double highest_throughput(const struct bench_panel *panel, size_t thread)
{
	double highest = 0;

	for (size_t lock = 0; lock < panel->lock_count; lock++) {
		const struct bench_cell *cell = bench_panel_cell(panel, lock, thread);

		if (cell != NULL && cell->median.ops_per_s > highest)
			highest = cell->median.ops_per_s;
	}
	return highest;
}

static struct bench_svg_row make_row(const struct bench_page *page, const struct bench_panel *panel, size_t thread,
				     const struct bench_cell *cell, char *note)
{
	double highest = highest_throughput(panel, thread);
	struct bench_svg_row row = { .style = bench_page_style(page, cell), .note = note,
				     .pointed_at = cell == panel->best[thread] };

	row.alarming = cell->median.errors > 0;
	if (row.alarming)
		strcpy(note, "broken");
	else
		bench_table_count(note, cell->median.ops_per_s);
	row.bar = highest > 0 ? cell->median.ops_per_s / highest : 0;
	for (int mark = 0; mark < BENCH_SVG_MARKS; mark++)
		row.marks[mark] = bench_page_median(cell, wait_offsets[mark]);
	return row;
}

static void begin_wait_figure(const struct bench_page *page, const struct bench_panel *panel, size_t thread)
{
	size_t first = panel->groups[thread], end = bench_group_end(page->run, first);
	const struct bench_cell *cell = &page->run->cells[first];
	char title[BENCH_TEXT_BYTES * 2], stolen[BENCH_TEXT_BYTES * 2] = "", more[BENCH_TEXT_BYTES * 3];

	if (page->run->settings->ramp)
		strcpy(title, "Throughput and waits, all steps together");
	else
		snprintf(title, sizeof(title), "Throughput and waits, %u thread%s", cell->threads,
			 cell->threads == 1 ? "" : "s");
	if (cell->scenario == BENCH_STEAL)
		snprintf(stolen, sizeof(stolen), ", %.0f %% of the CPU time stolen",
			 100 * bench_group_stolen(page->run, first, end));
	snprintf(more, sizeof(more), "%s%s",
		 cell->pinned ? "pinned" :
		 page->run->settings->ramp && page->run->settings->pin == BENCH_PIN_AUTO ? "pinned while each has a CPU" :
											   "not pinned",
		 stolen);
	bench_page_begin_figure(page, "", title, more);
}

static void write_waits(struct bench_page *page, const struct bench_panel *panel, size_t thread)
{
	struct bench_svg_row *drawn = calloc(panel->lock_count, sizeof(drawn[0]));
	char(*notes)[BENCH_TEXT_BYTES] = calloc(panel->lock_count, sizeof(notes[0]));
	struct bench_svg_rows rows = {
		.title = "Throughput and waiting times",
		.description = "A row per lock: its throughput, and the median, the 99th and 99.9th percentile and the "
			       "longest of its waits; the figures stand in the table below.",
		.note = "ops/s",
		.mark_names = { wait_names[0], wait_names[1], wait_names[2], wait_names[3] },
		.x = wait_axis(panel),
		.rows = drawn,
	};

	page->failed = page->failed || drawn == NULL || notes == NULL;
	if (!page->failed) {
		for (size_t lock = 0; lock < panel->lock_count; lock++) {
			const struct bench_cell *cell = bench_panel_cell(panel, lock, thread);

			if (cell == NULL)
				continue;
			drawn[rows.count] = make_row(page, panel, thread, cell, notes[rows.count]);
			rows.count++;
		}
		begin_wait_figure(page, panel, thread);
		bench_svg_rows(&page->svg, &rows);
		write_bounds(page, panel, thread);
		write_wait_table(page, panel, thread);
		fputs("</figure>\n", page->out);
	}
	free(drawn);
	free(notes);
}

static void write_wait_legend(const struct bench_page *page)
{
	fputs("<ul class=\"legend\">", page->out);
	for (int mark = 0; mark < BENCH_SVG_MARKS; mark++) {
		fputs("<li>", page->out);
		bench_svg_mark_sample(page->out, mark);
		fprintf(page->out, "%s%s</li>", wait_names[mark], mark == 0 ? ": half of the waits were shorter" : "");
	}
	fputs("<li>▸ the best peer</li></ul>\n", page->out);
}

void bench_html_waits(struct bench_page *page, const struct bench_panel *panel)
{
	write_wait_legend(page);
	fputs("<div class=\"figures\">\n", page->out);
	for (size_t thread = 0; thread < panel->thread_count; thread++)
		write_waits(page, panel, thread);
	fputs("</div>\n", page->out);
}
