/* SPDX-License-Identifier: MIT */
/* Throughput, CPU time and fairness over the number of threads, a line per lock. */
#include <stdlib.h>

#include "bench/html_page.h"
#include "bench/table.h"

static void write_plain(char *text, double value)
{
	snprintf(text, BENCH_TEXT_BYTES, "%.3f", value);
}

/* A field of the samples, as charts and tables show it. */
struct measure {
	const char *title, *axis;
	size_t offset;
	void (*write)(char *text, double value);
	enum bench_svg_unit unit;
	double highest; /* 0 = whatever there is */
};

static const struct measure measures[] = {
	{ "Throughput", "operations per second", offsetof(struct bench_sample, ops_per_s), bench_table_count,
	  BENCH_SVG_COUNT, 0 },
	{ "CPU time per operation", "CPU time per operation", offsetof(struct bench_sample, cpu_ns_per_op),
	  bench_table_time, BENCH_SVG_TIME, 0 },
	{ "Fairness", "Jain's index: 1 = all threads got the same", offsetof(struct bench_sample, jain), write_plain,
	  BENCH_SVG_COUNT, 1 },
};

static void write_table_over_threads(const struct bench_page *page, const struct bench_panel *panel,
				     const struct measure *measure)
{
	bench_page_begin_table(page->out, "Figures: median, least – most of the rounds");
	fputs("<thead><tr><th scope=\"col\">threads</th>", page->out);
	for (size_t thread = 0; thread < panel->thread_count; thread++)
		fprintf(page->out, "<th scope=\"col\">%u</th>", bench_panel_threads(panel, thread));
	fputs("</tr></thead><tbody>\n", page->out);
	for (size_t lock = 0; lock < panel->lock_count; lock++) {
		bench_page_begin_row(page->out, bench_panel_lock(panel, lock));
		for (size_t thread = 0; thread < panel->thread_count; thread++) {
			const struct bench_cell *cell = bench_panel_cell(panel, lock, thread);

			if (cell != NULL)
				bench_page_figure(page, cell, measure->offset, measure->write);
			else
				fputs("<td>–</td>", page->out);
		}
		fputs("</tr>\n", page->out);
	}
	bench_page_end_table(page->out);
}

static size_t points_of_lock(const struct bench_panel *panel, size_t lock, size_t offset,
			     struct bench_svg_point *points)
{
	size_t count = 0;

	for (size_t thread = 0; thread < panel->thread_count; thread++) {
		const struct bench_cell *cell = bench_panel_cell(panel, lock, thread);

		if (cell != NULL)
			points[count++] = (struct bench_svg_point){ cell->threads, bench_page_median(cell, offset) };
	}
	return count;
}

static size_t points_of_best(const struct bench_panel *panel, size_t offset, struct bench_svg_point *points)
{
	size_t count = 0;

	for (size_t thread = 0; thread < panel->thread_count; thread++)
		if (panel->best[thread] != NULL)
			points[count++] = (struct bench_svg_point){ panel->best[thread]->threads,
								    bench_page_median(panel->best[thread], offset) };
	return count;
}

/* The band of the best peer at the back, then peers, then ours; LINES has room for one more than there are locks. */
static size_t lines_over_threads(const struct bench_page *page, const struct bench_panel *panel,
				 const struct measure *measure, struct bench_svg_line *lines,
				 struct bench_svg_point *points)
{
	size_t count = 0;

	lines[count++] = (struct bench_svg_line){
		.points = points, .count = points_of_best(panel, measure->offset, points)
	};
	for (int ours = 0; ours <= 1; ours++) {
		for (size_t lock = 0; lock < panel->lock_count; lock++) {
			const struct bench_cell *any = bench_panel_lock(panel, lock);

			if (any->ours != ours)
				continue;
			points += panel->thread_count;
			lines[count++] = (struct bench_svg_line){
				.style = bench_page_style(page, any),
				.points = points,
				.count = points_of_lock(panel, lock, measure->offset, points),
				.marked = true,
			};
		}
	}
	return count;
}

static void write_chart_over_threads(struct bench_page *page, const struct bench_panel *panel,
				     const struct measure *measure)
{
	size_t room = panel->lock_count + 1;
	struct bench_svg_point *points = calloc(room * panel->thread_count, sizeof(points[0]));
	struct bench_svg_line *lines = calloc(room, sizeof(lines[0]));
	double *ticks = calloc(panel->thread_count, sizeof(ticks[0]));
	struct bench_svg_chart chart = {
		.title = measure->title,
		.description = "A line per lock over the number of threads; the figures stand in the table below.",
		.x = { .label = "threads", .log = true, .ticks = ticks, .tick_count = panel->thread_count },
		.y = { .label = measure->axis, .unit = measure->unit },
		.lines = lines,
	};

	page->failed = page->failed || points == NULL || lines == NULL || ticks == NULL;
	if (!page->failed) {
		for (size_t thread = 0; thread < panel->thread_count; thread++)
			ticks[thread] = bench_panel_threads(panel, thread);
		chart.count = lines_over_threads(page, panel, measure, lines, points);
		bench_page_include(&chart);
		bench_svg_settle(&chart.y);
		if (measure->highest > 0)
			chart.y = (struct bench_svg_axis){ .label = measure->axis, .high = measure->highest };
		bench_page_begin_figure(page, "", measure->title, "over threads");
		bench_svg_lines(&page->svg, &chart);
		write_table_over_threads(page, panel, measure);
		fputs("</figure>\n", page->out);
	}
	free(points);
	free(lines);
	free(ticks);
}

void bench_html_threads(struct bench_page *page, const struct bench_panel *panel)
{
	for (size_t i = 0; i < sizeof(measures) / sizeof(measures[0]); i++)
		write_chart_over_threads(page, panel, &measures[i]);
}
