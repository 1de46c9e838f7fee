/* SPDX-License-Identifier: MIT */
#include "bench/svg.h"

#include <math.h>
#include <string.h>

#include "bench/table.h"

/* Units of the viewBox; where the page is 400 pixels wide for a chart they are pixels. */
#define WIDTH 400.0
#define LINES_HEIGHT 300.0
#define LINES_LEFT 50.0
#define LINES_RIGHT 388.0
#define LINES_TOP 24.0
#define LINES_BOTTOM 260.0
#define ROW_HEIGHT 17.0
#define ROWS_TOP 20.0
#define ROWS_BELOW 36.0
#define NOTE_LEFT 156.0
#define NOTE_RIGHT 212.0
#define ROWS_LEFT 222.0
#define ROWS_RIGHT 386.0
#define BETWEEN_TICKS_X 38.0
#define BETWEEN_SPANS 16.0
#define BETWEEN_TICKS_Y 17.0
#define TICKS_MAX 40
#define LOG_FROM 10.0 /* as far apart, values span decades */

void bench_svg_text(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		default:
			if ((unsigned char)*text >= ' ' || *text == '\n') /* XML has no place for the others */
				fputc(*text, out);
		}
	}
}

/* ---- axes */

void bench_svg_include(struct bench_svg_axis *axis, double value)
{
	if (value <= 0 || !isfinite(value))
		return;
	if (axis->low <= 0 || value < axis->low)
		axis->low = value;
	if (value > axis->high)
		axis->high = value;
}

/* The nearest of 1, 2, 5, 10, 20 … that is not above VALUE, or, with UP, not below. */
static double round_to_125(double value, bool up)
{
	static const double steps[] = { 1, 2, 5, 10 };
	double decade = pow(10, floor(log10(value) + 1e-9)), result = decade;

	for (int i = 0; i < 4; i++) {
		if (up && decade * steps[i] >= value * (1 - 1e-9))
			return decade * steps[i];
		if (!up && decade * steps[i] <= value * (1 + 1e-9))
			result = decade * steps[i];
	}
	return result;
}

void bench_svg_settle(struct bench_svg_axis *axis)
{
	if (axis->high <= 0) {
		axis->high = 1;
		axis->low = 0;
		return;
	}
	axis->log = axis->high / axis->low >= LOG_FROM;
	if (axis->log) {
		axis->low = round_to_125(axis->low, false);
		axis->high = round_to_125(axis->high, true);
	} else {
		double step = round_to_125(axis->high / 5, true);

		axis->low = 0;
		axis->high = ceil(axis->high / step - 1e-9) * step;
	}
}

/* Where VALUE lies between FROM and TO; beyond the axis, on its edge. */
static double place(const struct bench_svg_axis *axis, double value, double from, double to)
{
	double share = 0;

	if (axis->high <= axis->low)
		return (from + to) / 2;
	if (!axis->log)
		share = (value - axis->low) / (axis->high - axis->low);
	else if (value > 0)
		share = log(value / axis->low) / log(axis->high / axis->low);
	share = share < 0 ? 0 : share > 1 ? 1 : share;
	return from + share * (to - from);
}

static void tick_text(char *text, enum bench_svg_unit unit, double value)
{
	static const char *const units[2][5] = { { "", " K", " M", " G", NULL }, { " ns", " µs", " ms", " s", NULL } };
	int i = 0;

	while (value >= 999.5 && units[unit][i + 1] != NULL) {
		value /= 1e3;
		i++;
	}
	snprintf(text, BENCH_TEXT_BYTES, "%.3g%s", value, value > 0 || unit == BENCH_SVG_COUNT ? units[unit][i] : "");
}

static size_t linear_ticks(const struct bench_svg_axis *axis, double *ticks)
{
	double step = round_to_125((axis->high - axis->low) / 5, true);
	size_t count = 0;

	for (double value = axis->low; value <= axis->high * (1 + 1e-9) && count < TICKS_MAX; value += step)
		ticks[count++] = value;
	return count;
}

/* Decades; between them 2 and 5, too, while there are few. */
static size_t log_ticks(const struct bench_svg_axis *axis, double *ticks)
{
	static const double steps[] = { 1, 2, 5 };
	bool few = axis->high / axis->low <= 1000;
	size_t count = 0;

	for (double decade = pow(10, floor(log10(axis->low) + 1e-9)); decade <= axis->high * (1 + 1e-9); decade *= 10)
		for (int i = 0; i < (few ? 3 : 1) && count < TICKS_MAX; i++)
			if (decade * steps[i] >= axis->low * (1 - 1e-9) && decade * steps[i] <= axis->high * (1 + 1e-9))
				ticks[count++] = decade * steps[i];
	return count;
}

static size_t find_ticks(const struct bench_svg_axis *axis, double *ticks)
{
	size_t count = axis->tick_count < TICKS_MAX ? axis->tick_count : TICKS_MAX;

	if (axis->ticks != NULL) {
		memcpy(ticks, axis->ticks, count * sizeof(ticks[0]));
		return count;
	}
	return axis->log ? log_ticks(axis, ticks) : linear_ticks(axis, ticks);
}

/*
 * Ticks from FROM to TO: below the chart, where ACROSS, else to its left; their
 * lines go from NEAR to FAR. Labels that would touch the one before are left out.
 */
static void draw_ticks(FILE *out, const struct bench_svg_axis *axis, bool across, double from, double to, double near,
		       double far)
{
	double between = !across ? BETWEEN_TICKS_Y : axis->unit == BENCH_SVG_TIME ? BETWEEN_TICKS_X : BETWEEN_TICKS_X / 2;
	double ticks[TICKS_MAX], last = -WIDTH;
	size_t count = find_ticks(axis, ticks);
	char text[BENCH_TEXT_BYTES];

	for (size_t i = 0; i < count; i++) {
		double at = place(axis, ticks[i], from, to);

		fprintf(out, "<path d=\"M%.1f %.1f%c%.1f\"/>", across ? at : near, across ? near : at, across ? 'V' : 'H',
			far);
		if (fabs(at - last) < between)
			continue;
		last = at;
		tick_text(text, axis->unit, ticks[i]);
		fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>", across ? at : near - 5,
			across ? far + 14 : at + 4, across ? "middle" : "end", text);
	}
}

static void draw_x_axis(FILE *out, const struct bench_svg_axis *axis, double left, double right, double top,
			double bottom)
{
	fputs("<g class=\"axis\">", out);
	draw_ticks(out, axis, true, left, right, top, bottom);
	fprintf(out, "<text class=\"label\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">", (left + right) / 2,
		bottom + 31);
	bench_svg_text(out, axis->label);
	fputs("</text></g>\n", out);
}

static void draw_y_axis(FILE *out, const struct bench_svg_axis *axis, double label)
{
	fputs("<g class=\"axis\">", out);
	draw_ticks(out, axis, false, LINES_BOTTOM, LINES_TOP, LINES_LEFT, LINES_RIGHT);
	fprintf(out, "<text class=\"label\" x=\"4\" y=\"%g\">", label);
	bench_svg_text(out, axis->label);
	fputs(axis->log ? " (logarithmic)</text></g>\n" : "</text></g>\n", out);
}

/* ---- lines and marks */

static const char *const shapes_of_ours[BENCH_SVG_SHAPES_OURS] = {
	"M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
	"M-3.6-3.6h7.2v7.2h-7.2z",
	"M0-4.6L4.4 3.4H-4.4z",
	"M0-5L5 0L0 5L-5 0z",
};

static const char *const shapes_of_peers[BENCH_SVG_SHAPES_PEERS] = {
	"M-3.2 0a3.2 3.2 0 1 0 6.4 0a3.2 3.2 0 1 0-6.4 0z",
	"M-3-3h6v6h-6z",
	"M0-3.8L3.6 2.8H-3.6z",
	"M0 3.8L3.6-2.8H-3.6z",
	"M0-4L4 0L0 4L-4 0z",
	"M-4 0H4M0-4V4",
	"M-3-3L3 3M3-3L-3 3",
	"M-4 0H4M-2-3.5L2 3.5M2-3.5L-2 3.5",
	"M-3-3.5H3L-3 3.5H3z",
	"M-3.5-3V3L3.5-3V3z",
	"M0-3.8L3.6-1.2L2.2 3H-2.2L-3.6-1.2z",
	"M-3.8 0L-1.9-3.3H1.9L3.8 0L1.9 3.3H-1.9z",
	"M0-4.5V4.5M-1.5-4.5H1.5M-1.5 4.5H1.5",
	"M-4.5 0H4.5M-4.5-1.5V1.5M4.5-1.5V1.5",
};

static const char *const dots = "1 3";
static const char *const dashes[BENCH_SVG_DASHES] = { "", "6 3", "2 2.5", "9 3 2 3", "5 2 1 2 1 2", "1 4" };

void bench_svg_shapes(FILE *out)
{
	fputs("<svg class=\"shapes\" width=\"0\" height=\"0\" aria-hidden=\"true\"><defs>\n", out);
	for (int i = 0; i < BENCH_SVG_SHAPES_OURS; i++)
		fprintf(out, "<path id=\"ours%d\" d=\"%s\"/>\n", i, shapes_of_ours[i]);
	for (int i = 0; i < BENCH_SVG_SHAPES_PEERS; i++)
		fprintf(out, "<path id=\"peer%d\" d=\"%s\"/>\n", i, shapes_of_peers[i]);
	fputs("</defs></svg>\n", out);
}

static void begin_style(FILE *out, const struct bench_svg_style *style)
{
	const char *group = style->ours ? "ours" : "peer";

	if (style->bound) {
		fputs("<g class=\"any\">", out);
		return;
	}
	fprintf(out, "<g class=\"%s %s%u\">", group, group,
		style->colour % (style->ours ? BENCH_SVG_COLOURS_OURS : BENCH_SVG_COLOURS_PEERS));
}

static void begin_mark(FILE *out, const struct bench_svg_style *style, double x, double y)
{
	fprintf(out, "<use href=\"#%s%u\" x=\"%.1f\" y=\"%.1f\"", style->ours ? "ours" : "peer",
		style->shape % (style->ours ? BENCH_SVG_SHAPES_OURS : BENCH_SVG_SHAPES_PEERS), x, y);
}

static void draw_dash(FILE *out, const struct bench_svg_style *style)
{
	const char *dash = style == NULL || style->ours ? "" : dashes[style->dash % BENCH_SVG_DASHES];

	if (style != NULL && style->bound)
		dash = dots;
	if (dash[0] != '\0')
		fprintf(out, " stroke-dasharray=\"%s\"", dash);
}

/* Some air on both sides, so that no mark is cut by the edge. Lines of a single point stand side by side. */
static double x_of(const struct bench_svg_chart *chart, const struct bench_svg_line *line,
		   const struct bench_svg_point *point)
{
	double left = LINES_LEFT + 10, right = LINES_RIGHT - 10;

	if (chart->x.high > chart->x.low)
		return place(&chart->x, point->x, left, right);
	return left + (right - left) * ((double)(line - chart->lines) + 0.5) / (double)chart->count;
}

static double y_of(const struct bench_svg_chart *chart, const struct bench_svg_point *point)
{
	return place(&chart->y, point->y, LINES_BOTTOM, LINES_TOP);
}

static void draw_marks(FILE *out, const struct bench_svg_chart *chart, const struct bench_svg_line *line)
{
	char x[BENCH_TEXT_BYTES], y[BENCH_TEXT_BYTES];

	for (size_t i = 0; i < line->count; i++) {
		const struct bench_svg_point *point = &line->points[i];

		tick_text(x, chart->x.unit, point->x);
		tick_text(y, chart->y.unit, point->y);
		begin_mark(out, line->style, x_of(chart, line, point), y_of(chart, point));
		fputs("><title>", out);
		bench_svg_text(out, line->style->name);
		fprintf(out, ", %s: %s</title></use>", x, y);
	}
}

static void draw_line(FILE *out, const struct bench_svg_chart *chart, const struct bench_svg_line *line)
{
	if (line->count == 0)
		return;
	if (line->style != NULL)
		begin_style(out, line->style);
	else
		fputs("<g class=\"band\">", out);
	if (line->count > 1) {
		fputs("<path", out);
		draw_dash(out, line->style);
		for (size_t i = 0; i < line->count; i++)
			fprintf(out, "%s%.1f %.1f", i == 0 ? " d=\"M" : "L", x_of(chart, line, &line->points[i]),
				y_of(chart, &line->points[i]));
		fputs("\"/>", out);
	}
	if (line->style != NULL && line->marked)
		draw_marks(out, chart, line);
	fputs("</g>\n", out);
}

/* Names that would touch the one before are left out. */
static void draw_spans(FILE *out, const struct bench_svg_chart *chart)
{
	double last = -WIDTH;

	fputs("<g class=\"axis\">", out);
	for (size_t i = 0; i < chart->span_count; i++) {
		double left = place(&chart->x, chart->spans[i].from, LINES_LEFT + 10, LINES_RIGHT - 10);
		double right = place(&chart->x, chart->spans[i].to, LINES_LEFT + 10, LINES_RIGHT - 10);
		double middle = (left + right) / 2;

		if (i % 2 == 0)
			fprintf(out, "<path class=\"stripe\" d=\"M%.1f %gH%.1fV%gH%.1fz\"/>", left, LINES_TOP, right,
				LINES_BOTTOM, left);
		if (middle - last < BETWEEN_SPANS)
			continue;
		last = middle;
		fprintf(out, "<text x=\"%.1f\" y=\"%g\" text-anchor=\"middle\">", middle, LINES_TOP - 4);
		bench_svg_text(out, chart->spans[i].name);
		fputs("</text>", out);
	}
	fputs("</g>\n", out);
}

/* ---- charts */

static void begin_chart(struct bench_svg *svg, double height, const char *title, const char *description)
{
	svg->drawn++;
	fprintf(svg->out,
		"<svg class=\"chart\" viewBox=\"0 0 %g %g\" role=\"img\" aria-labelledby=\"t%u d%u\">"
		"<title id=\"t%u\">",
		WIDTH, height, svg->drawn, svg->drawn, svg->drawn);
	bench_svg_text(svg->out, title);
	fprintf(svg->out, "</title><desc id=\"d%u\">", svg->drawn);
	bench_svg_text(svg->out, description);
	fputs("</desc>\n", svg->out);
}

void bench_svg_lines(struct bench_svg *svg, const struct bench_svg_chart *chart)
{
	begin_chart(svg, LINES_HEIGHT, chart->title, chart->description);
	draw_spans(svg->out, chart);
	draw_x_axis(svg->out, &chart->x, LINES_LEFT + 10, LINES_RIGHT - 10, LINES_BOTTOM, LINES_BOTTOM + 4);
	draw_y_axis(svg->out, &chart->y, chart->span_count > 0 ? 8 : 12);
	for (size_t i = 0; i < chart->count; i++)
		draw_line(svg->out, chart, &chart->lines[i]);
	fputs("</svg>\n", svg->out);
}

/* The n-th mark of a row: hollow, filled, a diamond, a bar. */
static void draw_row_mark(FILE *out, int mark, double x, double y)
{
	switch (mark) {
	case 0:
		fprintf(out, "<circle class=\"hollow\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.2\">", x, y);
		break;
	case 1:
		fprintf(out, "<circle class=\"full\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.2\">", x, y);
		break;
	case 2:
		fprintf(out, "<path class=\"full\" d=\"M%.1f %.1fl4.5 4.5l-4.5 4.5l-4.5-4.5z\">", x, y - 4.5);
		break;
	default:
		fprintf(out, "<path class=\"end\" d=\"M%.1f %.1fh2v10h-2z\">", x - 1, y - 5);
	}
}

static void end_row_mark(FILE *out, int mark)
{
	fputs(mark < 2 ? "</circle>" : "</path>", out);
}

static void draw_row_head(FILE *out, const struct bench_svg_row *row, double y)
{
	if (row->style->ours)
		fprintf(out, "<path class=\"stripe\" d=\"M0 %.1fH%gv%gH0z\"/>", y - ROW_HEIGHT / 2, WIDTH, ROW_HEIGHT);
	fprintf(out, "<path class=\"bar\" d=\"M%g %.1fh%.1fv12h-%.1fz\"/>", NOTE_LEFT, y - 6,
		row->bar * (NOTE_RIGHT - NOTE_LEFT), row->bar * (NOTE_RIGHT - NOTE_LEFT));
	if (row->pointed_at)
		fprintf(out, "<path class=\"pointer\" d=\"M1 %.1fl6 4l-6 4z\"/>", y - 4);
	fprintf(out, "<text x=\"10\" y=\"%.1f\">", y + 4);
	bench_svg_text(out, row->style->name);
	fprintf(out, "</text><text%s x=\"%g\" y=\"%.1f\" text-anchor=\"end\">", row->alarming ? " class=\"bad\"" : "",
		NOTE_RIGHT - 2, y + 4);
	bench_svg_text(out, row->note);
	fputs("</text>", out);
}

static void draw_row(FILE *out, const struct bench_svg_rows *rows, const struct bench_svg_row *row, double y)
{
	char text[BENCH_TEXT_BYTES];

	begin_style(out, row->style);
	draw_row_head(out, row, y);
	if (row->marks[BENCH_SVG_MARKS - 1] > 0) {
		fprintf(out, "<path class=\"span\" d=\"M%.1f %.1fH%.1f\"/>",
			place(&rows->x, row->marks[0], ROWS_LEFT, ROWS_RIGHT), y,
			place(&rows->x, row->marks[BENCH_SVG_MARKS - 1], ROWS_LEFT, ROWS_RIGHT));
		for (int mark = BENCH_SVG_MARKS - 1; mark >= 0; mark--) {
			draw_row_mark(out, mark, place(&rows->x, row->marks[mark], ROWS_LEFT, ROWS_RIGHT), y);
			bench_table_time(text, row->marks[mark]);
			fprintf(out, "<title>%s: %s</title>", rows->mark_names[mark], text);
			end_row_mark(out, mark);
		}
	}
	fputs("</g>\n", out);
}

void bench_svg_rows(struct bench_svg *svg, const struct bench_svg_rows *rows)
{
	double bottom = ROWS_TOP + ROW_HEIGHT * (double)rows->count;

	begin_chart(svg, bottom + ROWS_BELOW, rows->title, rows->description);
	draw_x_axis(svg->out, &rows->x, ROWS_LEFT, ROWS_RIGHT, ROWS_TOP, bottom + 2);
	fprintf(svg->out, "<g class=\"axis\"><text class=\"label\" x=\"%g\" y=\"12\" text-anchor=\"end\">",
		NOTE_RIGHT - 2);
	bench_svg_text(svg->out, rows->note);
	fputs("</text></g>\n", svg->out);
	for (size_t i = 0; i < rows->count; i++)
		draw_row(svg->out, rows, &rows->rows[i], ROWS_TOP + ROW_HEIGHT * ((double)i + 0.5));
	fputs("</svg>\n", svg->out);
}

/* ---- legends */

void bench_svg_sample(FILE *out, const struct bench_svg_style *style)
{
	fputs("<svg class=\"sample\" viewBox=\"0 0 34 12\" aria-hidden=\"true\">", out);
	begin_style(out, style);
	fputs("<path", out);
	draw_dash(out, style);
	fputs(" d=\"M1 6H33\"/>", out);
	begin_mark(out, style, 17, 6);
	fputs("/></g></svg>", out);
}

void bench_svg_mark_sample(FILE *out, int mark)
{
	fputs("<svg class=\"sample\" viewBox=\"0 0 12 12\" aria-hidden=\"true\"><g class=\"any\">", out);
	draw_row_mark(out, mark, 6, 6);
	end_row_mark(out, mark);
	fputs("</g></svg>", out);
}

void bench_svg_band_sample(FILE *out)
{
	fputs("<svg class=\"sample\" viewBox=\"0 0 34 12\" aria-hidden=\"true\"><g class=\"band\">"
	      "<path d=\"M5 6H29\"/></g></svg>",
	      out);
}
