/* SPDX-License-Identifier: MIT */
/*
 * One page that needs nothing but itself: machine and settings on top, then the
 * panels, in the order of the run. What a panel shows stands in html_page.h.
 */
#include <stdlib.h>

#include "bench/html_page.h"
#include "bench/html_style.h"
#include "bench/report.h"
#include "bench/report_facts.h"

/* ---- a panel */

static void write_legend(const struct bench_page *page, const struct bench_panel *panel)
{
	fputs("<ul class=\"legend\">", page->out);
	for (size_t lock = 0; lock < panel->lock_count; lock++) {
		const struct bench_cell *any = bench_panel_lock(panel, lock);

		fprintf(page->out, "<li%s>", any->ours ? " class=\"us\"" : "");
		bench_svg_sample(page->out, bench_page_style(page, any));
		bench_svg_text(page->out, any->name);
		fputs(any->bound ? ": no lock, but the bound of strict order where waiters sleep</li>" : "</li>", page->out);
	}
	if (!page->run->settings->ramp) { /* whose charts have no such band */
		fputs("<li>", page->out);
		bench_svg_band_sample(page->out);
		fputs("the best peer</li>", page->out);
	}
	fputs("</ul>\n", page->out);
}

static void write_panel(struct bench_page *page, const struct bench_panel *panel)
{
	char situation[BENCH_SITUATION_BYTES];

	bench_situation(situation, bench_panel_of(panel));
	fprintf(page->out, "<section id=\"panel%zu\"><h3>", panel->first);
	bench_svg_text(page->out, situation);
	fputs("</h3>\n", page->out);
	write_legend(page, panel);
	fputs("<div class=\"figures\">\n", page->out);
	if (!page->run->settings->ramp) /* of which there is but one number of threads, the highest */
		bench_html_threads(page, panel);
	bench_html_time(page, panel);
	fputs("</div>\n", page->out);
	bench_html_waits(page, panel);
	fputs("</section>\n", page->out);
}

static void write_heading(const struct bench_page *page, const struct bench_cell *cell, const struct bench_cell *before)
{
	if (before != NULL && before->kind == cell->kind && before->scenario == cell->scenario)
		return;
	fprintf(page->out, "<h2>%s, %s</h2><p class=\"faint\">",
		cell->kind == BENCH_LOCK ? "Locks" : cell->kind == BENCH_BARRIER ? "Barriers" : "Parallel regions",
		bench_scenario_names[cell->scenario]);
	bench_svg_text(page->out, bench_scenario_words[cell->scenario]);
	fputs("</p>\n", page->out);
}

static void write_panels(struct bench_page *page)
{
	const struct bench_run *run = page->run;
	const struct bench_cell *before = NULL;
	struct bench_panel panel;

	for (size_t i = bench_panel_next(run, 0); i < run->count && !page->failed; i = bench_panel_next(run, i + 1)) {
		page->failed = bench_panel_make(&panel, run, i) != 0;
		if (page->failed)
			return;
		write_heading(page, &run->cells[i], before);
		write_panel(page, &panel);
		bench_panel_free(&panel);
		before = &run->cells[i];
	}
}

/* ---- what stands on top */

static void write_alarms(const struct bench_page *page)
{
	const struct bench_run *run = page->run;
	char text[BENCH_SITUATION_BYTES];
	bool broken = false;

	for (size_t i = 0; i < run->count; i++) {
		if (!bench_cell_broken(text, &run->cells[i]))
			continue;
		if (!broken)
			fputs("<div class=\"alarm\" role=\"alert\"><h2>Broken exclusion: these are no locks</h2><ul>", page->out);
		broken = true;
		fputs("<li>", page->out);
		bench_svg_text(page->out, text);
		fputs("</li>", page->out);
	}
	fputs(broken ? "</ul></div>\n" : "", page->out);
	for (int scenario = 0; scenario < BENCH_SCENARIOS; scenario++) {
		if (!run->skipped[scenario])
			continue;
		fprintf(page->out, "<div class=\"alarm\"><h2>Scenario %s was skipped</h2>",
			bench_scenario_names[scenario]);
		bench_svg_text(page->out, run->refusal.text[0] != '\0' ? run->refusal.text : "The machine refuses it.");
		fputs("</div>\n", page->out);
	}
}

static void write_facts(const struct bench_page *page, const struct bench_fact *facts, size_t count)
{
	fputs("<dl>", page->out);
	for (size_t i = 0; i < count; i++) {
		fprintf(page->out, "<dt>%s</dt><dd>", facts[i].label);
		bench_svg_text(page->out, facts[i].text);
		fputs("</dd>\n", page->out);
	}
	fputs("</dl>\n", page->out);
}

static void write_commands(const struct bench_page *page)
{
	for (size_t i = 0; i < json_array_size(page->run->origins); i++) {
		fputs("<p><code>", page->out);
		bench_svg_text(page->out, bench_origin_text(page->run, i, "command"));
		fputs("</code> <span class=\"faint\">", page->out);
		bench_svg_text(page->out, bench_origin_text(page->run, i, "date"));
		fputs("</span></p>\n", page->out);
	}
}

static void write_contents(const struct bench_page *page)
{
	const struct bench_run *run = page->run;
	char situation[BENCH_SITUATION_BYTES];

	fputs("<nav aria-label=\"Contents\"><ul>", page->out);
	for (size_t i = bench_panel_next(run, 0); i < run->count; i = bench_panel_next(run, i + 1)) {
		bench_situation(situation, &run->cells[i]);
		fprintf(page->out, "<li><a href=\"#panel%zu\">%s: ", i, bench_kind_names[run->cells[i].kind]);
		bench_svg_text(page->out, situation);
		fputs("</a></li>\n", page->out);
	}
	fputs("</ul></nav>\n", page->out);
}

static void write_top(const struct bench_page *page, const json_t *machine)
{
	struct bench_fact facts[BENCH_FACTS_MAX];

	fputs("<h1>guestsync bench</h1>\n", page->out);
	write_alarms(page);
	fputs("<div class=\"facts\">", page->out);
	write_facts(page, facts, bench_machine_facts(page->run, machine, facts));
	write_facts(page, facts, bench_settings_facts(page->run, facts));
	fputs("</div>\n", page->out);
	write_commands(page);
	fputs("<p>Charts and tables show medians of the rounds. Thick lines and bold names are guestsync’s. A lock that "
	      "did nothing lies on the lower edge of its chart. Throughput stands beside waits, because a lock is fast "
	      "when it always serves the same thread.</p>\n",
	      page->out);
	write_contents(page);
}

int bench_report_html(const struct bench_run *run, const json_t *machine, FILE *out)
{
	struct bench_page page = { .run = run, .svg = { .out = out }, .out = out };

	bench_page_make_styles(&page);
	if (!page.failed) {
		fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
		      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		      "<title>guestsync bench</title>\n<style>\n",
		      out);
		fputs(bench_html_style, out);
		fputs("</style></head><body>\n", out);
		bench_svg_shapes(out);
		fputs("<main>\n", out);
		write_top(&page, machine);
		write_panels(&page);
		fputs("</main></body></html>\n", out);
	}
	free(page.styles);
	return page.failed ? -1 : 0;
}
