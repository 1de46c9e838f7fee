/* SPDX-License-Identifier: MIT */
#include "bench/table.h"

#include <math.h>

/* ---- entries */

static void print_scaled(char *text, double value, const char *const *units, const double *limits)
{
	size_t i = 0;

	while (units[i + 1] != NULL && value >= limits[i + 1] * 0.9995)
		i++;
	value /= limits[i];
	snprintf(text, BENCH_TEXT_BYTES, "%.*f%s", value == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2, value,
		 units[i]);
}

void bench_table_count(char *text, double count)
{
	static const char *const units[] = { "", " K", " M", " G", NULL };
	static const double limits[] = { 1, 1e3, 1e6, 1e9 };

	if (count < 1000 && count == floor(count))
		snprintf(text, BENCH_TEXT_BYTES, "%.0f", count);
	else
		print_scaled(text, count, units, limits);
}

void bench_table_time(char *text, double ns)
{
	static const char *const units[] = { " ns", " µs", " ms", " s", NULL };
	static const double limits[] = { 1, 1e3, 1e6, 1e9 };

	print_scaled(text, ns, units, limits);
}

void bench_table_duration(char *text, uint64_t ns)
{
	double value = (double)ns;

	snprintf(text, BENCH_TEXT_BYTES, "%.9g%s", value >= 1e6 ? value / 1e6 : value >= 1e3 ? value / 1e3 : value,
		 value >= 1e6 ? " ms" : value >= 1e3 ? " µs" : " ns");
}

void bench_table_ratio(char *text, double ratio)
{
	snprintf(text, BENCH_TEXT_BYTES, ratio > 0 && ratio < 0.01 ? "%.1g" : "%.3f", ratio);
}

/* ---- lines */

int bench_table_characters(const char *text)
{
	int count = 0;

	for (; *text != '\0'; text++)
		count += ((unsigned char)*text & 0xc0) != 0x80;
	return count;
}

static int wider(int width, const char *text)
{
	int needed = bench_table_characters(text);

	return needed > width ? needed : width;
}

void bench_table_fit(struct bench_table *table, bench_table_row row)
{
	for (int column = 0; column < table->columns; column++) {
		table->width[column] = wider(table->width[column], table->headings[column]);
		table->width[column] = wider(table->width[column], row[column]);
	}
}

/* The name to the left, numbers to the right. */
static void print_entry(const struct bench_table *table, int column, const char *text, FILE *out)
{
	int padding = table->width[column] - bench_table_characters(text);

	if (column == 0)
		fprintf(out, "%s%*s", text, padding, "");
	else
		fprintf(out, "  %*s%s", padding, "", text);
}

void bench_table_head(const struct bench_table *table, FILE *out)
{
	for (int column = 0; column < table->columns; column++)
		print_entry(table, column, table->headings[column], out);
	fputc('\n', out);
}

void bench_table_line(const struct bench_table *table, bench_table_row row, FILE *out)
{
	for (int column = 0; column < table->columns; column++)
		print_entry(table, column, row[column], out);
	fputc('\n', out);
}
