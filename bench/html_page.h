/* SPDX-License-Identifier: MIT */
/*
 * The page that bench_report_html() writes, and what all its figures are made
 * of: a chart, and below it, folded, every figure that went into it. The charts
 * of a panel are
 *
 *   bench_html_threads()  throughput, CPU time and fairness over the threads
 *   bench_html_time()     throughput over time, where there are timelines
 *   bench_html_waits()    every lock's throughput beside its waits: who is fast
 *                         because others starve shows it in the same row
 */
#ifndef GUESTSYNC_BENCH_HTML_PAGE_H
#define GUESTSYNC_BENCH_HTML_PAGE_H

#include <stdio.h>

#include "bench/panel.h"
#include "bench/svg.h"

struct bench_page {
	const struct bench_run *run;
	struct bench_svg svg;
	FILE *out;
	struct bench_svg_style *styles; /* of each lock of the run, in the order of the run */
	size_t style_count;
	bool failed; /* memory ran out: the page is worth nothing */
};

void bench_html_threads(struct bench_page *page, const struct bench_panel *panel);
void bench_html_time(struct bench_page *page, const struct bench_panel *panel);
void bench_html_waits(struct bench_page *page, const struct bench_panel *panel);

/* A lock keeps its style through the page. */
void bench_page_make_styles(struct bench_page *page);
const struct bench_svg_style *bench_page_style(const struct bench_page *page, const struct bench_cell *cell);

/* CLASS is an attribute with a blank before it, or empty. The caller ends it with </figure>. */
void bench_page_begin_figure(const struct bench_page *page, const char *class, const char *title, const char *more);

void bench_page_begin_table(FILE *out, const char *summary);
void bench_page_end_table(FILE *out);

/* The row of a lock, up to its name. */
void bench_page_begin_row(FILE *out, const struct bench_cell *cell);

/* An entry of a table: a median, and below it how far the rounds lie apart; of a field of CELL. */
void bench_page_range(FILE *out, const struct bench_range *range, void (*write)(char *text, double value));
void bench_page_figure(const struct bench_page *page, const struct bench_cell *cell, size_t offset,
		       void (*write)(char *text, double value));

/* All points of all lines come to lie within the axes. */
void bench_page_include(struct bench_svg_chart *chart);

static inline double bench_page_median(const struct bench_cell *cell, size_t offset)
{
	return *(const double *)((const char *)&cell->median + offset);
}

#endif
