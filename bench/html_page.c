/* SPDX-License-Identifier: MIT */
#include "bench/html_page.h"

#include <stdlib.h>
#include <string.h>

#include "bench/table.h"

/* ---- styles: a lock keeps its own through the page */

static size_t family_of(const char *name)
{
	return strcspn(name, "_");
}

static bool same_family(const struct bench_svg_style *style, const char *name)
{
	return !style->ours && family_of(style->name) == family_of(name) &&
	       strncmp(style->name, name, family_of(name)) == 0;
}

/* Ours differ in colour and shape; peers in the colour of their family, their dashes in it, and their shape. */
static void add_style(struct bench_page *page, const struct bench_cell *cell)
{
	struct bench_svg_style *style = &page->styles[page->style_count];
	unsigned families = 0;

	*style = (struct bench_svg_style){ .name = cell->name, .ours = cell->ours, .bound = cell->bound };
	for (size_t i = 0; i < page->style_count; i++) {
		const struct bench_svg_style *other = &page->styles[i];

		if (other->ours != cell->ours || other->bound != cell->bound)
			continue;
		style->shape++;
		if (other->colour >= families)
			families = other->colour + 1;
		if (same_family(other, cell->name)) {
			style->colour = other->colour;
			style->dash++;
		}
	}
	if (style->dash == 0)
		style->colour = families;
	page->style_count++;
}

const struct bench_svg_style *bench_page_style(const struct bench_page *page, const struct bench_cell *cell)
{
	size_t i = 0;

	while (i < page->style_count && page->styles[i].name != cell->name)
		i++;
	return i < page->style_count ? &page->styles[i] : NULL;
}

void bench_page_make_styles(struct bench_page *page)
{
	page->styles = calloc(page->run->count, sizeof(page->styles[0]));
	page->failed = page->styles == NULL;
	for (size_t i = 0; i < page->run->count && !page->failed; i++)
		if (bench_page_style(page, &page->run->cells[i]) == NULL)
			add_style(page, &page->run->cells[i]);
}

/* ---- figures and tables */

void bench_page_begin_figure(const struct bench_page *page, const char *class, const char *title, const char *more)
{
	fprintf(page->out, "<figure%s><figcaption>", class);
	bench_svg_text(page->out, title);
	fputs(" <small>", page->out);
	bench_svg_text(page->out, more);
	fputs("</small></figcaption>\n", page->out);
}

void bench_page_begin_table(FILE *out, const char *summary)
{
	fputs("<details><summary>", out);
	bench_svg_text(out, summary);
	fputs("</summary><div class=\"box\" tabindex=\"0\"><table>\n", out);
}

void bench_page_end_table(FILE *out)
{
	fputs("</tbody></table></div></details>\n", out);
}

void bench_page_begin_row(FILE *out, const struct bench_cell *cell)
{
	fprintf(out, "<tr%s><th scope=\"row\">", cell->ours ? " class=\"us\"" : "");
	bench_svg_text(out, cell->name);
	fputs(cell->bound ? " (bound)</th>" : "</th>", out);
}

void bench_page_range(FILE *out, const struct bench_range *range, void (*write)(char *text, double value))
{
	char median[BENCH_TEXT_BYTES], least[BENCH_TEXT_BYTES], most[BENCH_TEXT_BYTES];

	write(median, range->median);
	write(least, range->least);
	write(most, range->most);
	fprintf(out, "<td>%s<small>%s – %s</small></td>", median, least, most);
}

void bench_page_figure(const struct bench_page *page, const struct bench_cell *cell, size_t offset,
		       void (*write)(char *text, double value))
{
	struct bench_range range = bench_field_range(cell->rounds, page->run->settings->rounds, offset);

	bench_page_range(page->out, &range, write);
}

void bench_page_include(struct bench_svg_chart *chart)
{
	for (size_t i = 0; i < chart->count; i++) {
		for (size_t k = 0; k < chart->lines[i].count; k++) {
			bench_svg_include(&chart->x, chart->lines[i].points[k].x);
			bench_svg_include(&chart->y, chart->lines[i].points[k].y);
		}
	}
}
