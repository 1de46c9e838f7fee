/* SPDX-License-Identifier: MIT */
/* Throughput over time, of the last round: by then the process knows its machine. */
#include <math.h>
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

/* ---- a ramp */

static void write_step(const struct bench_page *page, const struct bench_cell *cell, size_t step)
{
	bench_table_row row;

	bench_step_row(row, page->run, cell, step);
	fprintf(page->out, "<td>%s<small>%s</small><small>%s</small>", row[BENCH_STEP_OPS], row[BENCH_STEP_CPU],
		row[BENCH_STEP_JAIN]);
	if (bench_step_falls_back(page->run, cell, step))
		fprintf(page->out, "<small>back: %s</small>", row[BENCH_STEP_FULL_SPEED]);
	fputs("</td>", page->out);
}

/* What each step was like, and how soon a lock recovered from the one before. */
static void write_steps(const struct bench_page *page, const struct bench_panel *panel, size_t thread)
{
	const struct bench_settings *settings = page->run->settings;

	fputs("<div><div class=\"box\" tabindex=\"0\"><table>\n<thead><tr><th scope=\"col\">threads</th>", page->out);
	for (size_t step = 0; step < settings->thread_count; step++)
		fprintf(page->out, "<th scope=\"col\">%u</th>", settings->threads[step]);
	fputs("</tr></thead><tbody>\n", page->out);
	for (size_t lock = 0; lock < panel->lock_count; lock++) {
		const struct bench_cell *cell = bench_panel_cell(panel, lock, thread);

		if (cell == NULL)
			continue;
		bench_page_begin_row(page->out, cell);
		for (size_t step = 0; step < settings->thread_count; step++)
			write_step(page, cell, step);
		fputs("</tr>\n", page->out);
	}
	fputs("</tbody></table></div><p class=\"faint\"><small>Each step: operations per second, CPU time per operation, "
	      "Jain’s index; where it falls back to threads that each have a CPU, how long until full speed was back, "
	      "nine tenths of what as many did on the way up. Medians of the rounds.</small></p></div>\n",
	      page->out);
}

static void make_spans(const struct bench_settings *settings, struct bench_svg_span *spans)
{
	double step_ns = settings->seconds * 1e9;

	for (size_t i = 0; i < settings->thread_count; i++) {
		spans[i].from = step_ns * (double)i;
		spans[i].to = step_ns * (double)(i + 1);
		snprintf(spans[i].name, sizeof(spans[i].name), "%u", settings->threads[i]);
	}
}

/* ---- the chart */

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

/* From the beginning of the window; in a ramp to its end, step by step. */
static void lay_out(const struct bench_page *page, struct bench_svg_chart *chart, struct bench_svg_span *spans)
{
	bench_page_include(chart);
	bench_svg_settle(&chart->y);
	chart->x.low = 0;
	chart->x.high = chart->x.high > 0 ? chart->x.high : 1;
	if (!page->run->settings->ramp)
		return;
	make_spans(page->run->settings, spans);
	chart->spans = spans;
	chart->span_count = page->run->settings->thread_count;
	chart->x.high = fmax(chart->x.high, spans[chart->span_count - 1].to);
	chart->x.label = "time in the window; on top: threads at work";
}

static void write_figure(struct bench_page *page, const struct bench_panel *panel, size_t thread,
			 const struct bench_svg_chart *chart)
{
	bool ramp = page->run->settings->ramp;
	char title[BENCH_TEXT_BYTES * 2];

	snprintf(title, sizeof(title), "Throughput over time, %s%u threads", ramp ? "up to " : "",
		 bench_panel_threads(panel, thread));
	bench_page_begin_figure(page, ramp ? " class=\"time ramp\"" : " class=\"time\"", title, "of the last round");
	bench_svg_lines(&page->svg, chart);
	if (ramp)
		write_steps(page, panel, thread);
	write_time_table(page, panel, thread);
	fputs("</figure>\n", page->out);
}

static void write_time(struct bench_page *page, const struct bench_panel *panel, size_t thread)
{
	size_t moments = count_moments(page, panel, thread);
	struct bench_svg_line *lines = calloc(panel->lock_count, sizeof(lines[0]));
	struct bench_svg_point *points = calloc(moments + 1, sizeof(points[0]));
	struct bench_svg_span spans[BENCH_STEPS_MAX];
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
		lay_out(page, &chart, spans);
		write_figure(page, panel, thread, &chart);
	}
	free(lines);
	free(points);
}

void bench_html_time(struct bench_page *page, const struct bench_panel *panel)
{
	for (size_t thread = 0; thread < panel->thread_count; thread++)
		write_time(page, panel, thread);
}
