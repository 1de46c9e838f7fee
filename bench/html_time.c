/* SPDX-License-Identifier: MIT */
/* Throughput over time, of the last round: by then the process knows its machine. */
#include <stdlib.h>

#include "bench/html_page.h"
#include "bench/report.h"

static const struct bench_timeline *timeline_of(const struct bench_page *page, const struct bench_panel *panel, size_t lock,
						size_t thread)
{
	const struct bench_cell *cell = bench_panel_cell(panel, lock, thread);

	return cell != NULL ? &cell->timelines[page->run->settings->rounds - 1] : NULL;
}

static void write_moments(const struct bench_page *page, const struct bench_cell *cell,
			  const struct bench_timeline *timeline)
{
	char ops[BENCH_TEXT_BYTES], cpu[BENCH_TEXT_BYTES], spin[BENCH_TEXT_BYTES];

	fputs("<tbody>\n", page->out);
	for (size_t i = 0; i < timeline->count; i++) {
		const struct bench_moment *moment = &timeline->moments[i];

		bench_table_count(ops, moment->ops_per_s);
		bench_table_time(cpu, moment->cpu_ns_per_op);
		bench_table_time(spin, moment->spin_ns);
		bench_page_begin_row(page->out, cell);
		fprintf(page->out,
			"<td>%.2f s</td><td>%s</td><td>%s</td><td>%.0f</td><td>%.0f</td><td>%u</td><td>%s</td>"
			"<td>%u %%</td>",
			moment->t_ms / 1e3, ops, cpu, moment->voluntary_per_s, moment->involuntary_per_s,
			moment->usable_cpus, spin, moment->pressure_percent);
		if (page->run->settings->ramp)
			fprintf(page->out, "<td>%u</td>", moment->threads);
		fputs("</tr>\n", page->out);
	}
	fputs("</tbody>\n", page->out);
}

static void write_time_table(const struct bench_page *page, const struct bench_panel *panel, size_t thread)
{
	static const char *const headings[] = { "lock",		"time", "ops/s", "CPU/op",   "sleeps/s",
						"preempted/s", "CPUs", "spin",	 "pressure", "threads" };
	size_t columns = sizeof(headings) / sizeof(headings[0]) - (page->run->settings->ramp ? 0 : 1);

	bench_page_begin_table(page->out, "Figures of each moment");
	fputs("<thead><tr>", page->out);
	for (size_t i = 0; i < columns; i++)
		fprintf(page->out, "<th scope=\"col\">%s</th>", headings[i]);
	fputs("</tr></thead>\n", page->out);
	for (size_t lock = 0; lock < panel->lock_count; lock++) {
		const struct bench_timeline *timeline = timeline_of(page, panel, lock, thread);

		if (timeline != NULL)
			write_moments(page, bench_panel_lock(panel, lock), timeline);
	}
	fputs("</table></div></details>\n", page->out);
}

/* What each step of a ramp was like, and how soon a lock recovered from the one before. */
static void write_steps(const struct bench_page *page, const struct bench_panel *panel, size_t thread)
{
	bench_table_row row;

	bench_page_begin_table(page->out, "Figures of each step: medians of the rounds");
	fputs("<thead><tr><th scope=\"col\">lock</th>", page->out);
	for (int i = 0; i < BENCH_STEP_COLUMNS; i++)
		fprintf(page->out, "<th scope=\"col\">%s</th>", bench_step_headings[i]);
	fputs("</tr></thead><tbody>\n", page->out);
	for (size_t lock = 0; lock < panel->lock_count; lock++) {
		const struct bench_cell *cell = bench_panel_cell(panel, lock, thread);

		for (size_t step = 0; cell != NULL && step < page->run->settings->thread_count; step++) {
			bench_step_row(row, page->run, cell, step);
			bench_page_begin_row(page->out, cell);
			for (int i = 0; i < BENCH_STEP_COLUMNS; i++)
				fprintf(page->out, "<td>%s</td>", row[i]);
			fputs("</tr>\n", page->out);
		}
	}
	bench_page_end_table(page->out);
}

static size_t lines_over_time(const struct bench_page *page, const struct bench_panel *panel, size_t thread,
			      struct bench_svg_line *lines, struct bench_svg_point *points)
{
	size_t count = 0;

	for (int ours = 0; ours <= 1; ours++) {
		for (size_t lock = 0; lock < panel->lock_count; lock++) {
			const struct bench_timeline *timeline = timeline_of(page, panel, lock, thread);

			if (timeline == NULL || bench_panel_lock(panel, lock)->ours != ours)
				continue;
			lines[count++] = (struct bench_svg_line){
				.style = bench_page_style(page, bench_panel_lock(panel, lock)),
				.points = points, .count = timeline->count, .marked = timeline->count <= 30,
			};
			for (size_t i = 0; i < timeline->count; i++)
				*points++ = (struct bench_svg_point){ timeline->moments[i].t_ms * 1e6,
								      timeline->moments[i].ops_per_s };
		}
	}
	return count;
}

static size_t count_moments(const struct bench_page *page, const struct bench_panel *panel, size_t thread)
{
	size_t count = 0;

	for (size_t lock = 0; lock < panel->lock_count; lock++) {
		const struct bench_timeline *timeline = timeline_of(page, panel, lock, thread);

		count += timeline != NULL ? timeline->count : 0;
	}
	return count;
}

static void write_time(struct bench_page *page, const struct bench_panel *panel, size_t thread)
{
	size_t moments = count_moments(page, panel, thread);
	struct bench_svg_line *lines = calloc(panel->lock_count, sizeof(lines[0]));
	struct bench_svg_point *points = calloc(moments + 1, sizeof(points[0]));
	char title[BENCH_TEXT_BYTES * 2];
	struct bench_svg_chart chart = {
		.title = "Throughput over time",
		.description = "A line per lock over the time of the last round; the figures stand in the table below.",
		.x = { .label = "time in the window", .unit = BENCH_SVG_TIME },
		.y = { .label = "operations per second" },
		.lines = lines,
	};

	page->failed = page->failed || lines == NULL || points == NULL;
	if (!page->failed && moments > 0) {
		chart.count = lines_over_time(page, panel, thread, lines, points);
		bench_page_include(&chart);
		bench_svg_settle(&chart.y);
		chart.x.low = 0;
		chart.x.high = chart.x.high > 0 ? chart.x.high : 1;
		snprintf(title, sizeof(title), "Throughput over time, %s%u threads",
			 page->run->settings->ramp ? "up to " : "", bench_panel_threads(panel, thread));
		bench_page_begin_figure(page, " class=\"time\"", title, "of the last round");
		bench_svg_lines(&page->svg, &chart);
		if (page->run->settings->ramp)
			write_steps(page, panel, thread);
		write_time_table(page, panel, thread);
		fputs("</figure>\n", page->out);
	}
	free(lines);
	free(points);
}

void bench_html_time(struct bench_page *page, const struct bench_panel *panel)
{
	for (size_t thread = 0; thread < panel->thread_count; thread++)
		write_time(page, panel, thread);
}
