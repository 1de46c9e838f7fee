/* SPDX-License-Identifier: MIT */
/*
 * Charts as SVG within an HTML page, drawn without any help: lines over a common
 * x axis, and rows with four marks each on a common x axis. They scale with the
 * page (viewBox) and take their colours from it (classes), so that they follow
 * it into the dark and onto paper; bench_html_style has both. Each has a title
 * and a description, and tells each value to whoever points at it.
 *
 * A lock keeps its style through the page: a colour, a shape of its marks and a
 * dash pattern, any of which is enough to tell it from its neighbours. Ours are
 * thick and filled, peers thin and hollow, what only bounds a lock dotted.
 */
#ifndef GUESTSYNC_BENCH_SVG_H
#define GUESTSYNC_BENCH_SVG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct bench_svg {
	FILE *out;
	unsigned drawn; /* charts so far: each has ids of its own */
};

enum bench_svg_unit {
	BENCH_SVG_COUNT, /* 10 K */
	BENCH_SVG_TIME,	 /* 10 µs; values are ns */
};

struct bench_svg_style {
	const char *name;
	bool ours;
	bool bound; /* no lock: in nobody's colour, and dotted */
	unsigned colour, shape, dash;
};

#define BENCH_SVG_COLOURS_OURS 4
#define BENCH_SVG_COLOURS_PEERS 6
#define BENCH_SVG_SHAPES_OURS 4
#define BENCH_SVG_SHAPES_PEERS 14
#define BENCH_SVG_DASHES 6

/* From which values to which; logarithmic where they span decades. */
struct bench_svg_axis {
	const char *label;
	enum bench_svg_unit unit;
	bool log;
	double low, high;
	const double *ticks; /* NULL = at round values */
	size_t tick_count;
};

/* Begins with a zeroed LOW and HIGH; include every value, then settle. Values of 0 do not count on a logarithmic axis. */
void bench_svg_include(struct bench_svg_axis *axis, double value);
void bench_svg_settle(struct bench_svg_axis *axis);

struct bench_svg_point {
	double x, y; /* a y of 0 on a logarithmic axis lies on its lower edge */
};

struct bench_svg_line {
	const struct bench_svg_style *style; /* NULL = a broad pale band: the best peer */
	const struct bench_svg_point *points;
	size_t count;
	bool marked;
};

/* A stretch of the x axis with a name of its own, which stands above it: every other one is shaded. */
struct bench_svg_span {
	double from, to;
	char name[12];
};

struct bench_svg_chart {
	const char *title, *description;
	struct bench_svg_axis x, y;
	const struct bench_svg_line *lines; /* from the back to the front */
	size_t count;
	const struct bench_svg_span *spans; /* in ascending order */
	size_t span_count;
};

void bench_svg_lines(struct bench_svg *svg, const struct bench_svg_chart *chart);

#define BENCH_SVG_MARKS 4

struct bench_svg_row {
	const struct bench_svg_style *style;
	double bar;	  /* 0 to 1: how long the bar under the note is */
	const char *note; /* to the right of the name */
	bool pointed_at;  /* with a triangle before its name: the best peer */
	bool alarming;	  /* its note in the colour of an alarm */
	double marks[BENCH_SVG_MARKS]; /* ascending */
};

struct bench_svg_rows {
	const char *title, *description;
	const char *note; /* heads the column of notes */
	const char *mark_names[BENCH_SVG_MARKS];
	struct bench_svg_axis x;
	const struct bench_svg_row *rows;
	size_t count;
};

void bench_svg_rows(struct bench_svg *svg, const struct bench_svg_rows *rows);

/* Once per page, before the first chart: the shapes of all marks. */
void bench_svg_shapes(FILE *out);

/* A small sample for a legend: of a style, of a row's n-th mark, of the band. */
void bench_svg_sample(FILE *out, const struct bench_svg_style *style);
void bench_svg_mark_sample(FILE *out, int mark);
void bench_svg_band_sample(FILE *out);

/* TEXT for HTML and XML, contents and attributes alike. */
void bench_svg_text(FILE *out, const char *text);

#endif
