/* SPDX-License-Identifier: MIT */
#include "bench/markdown.h"

#include <stdlib.h>
#include <string.h>

#include "bench/table.h"

/* What a file says must neither end a table nor begin something else. */
void bench_markdown_text(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (strchr("|<>*`\\", *text) != NULL)
			fputc('\\', out);
		fputc((unsigned char)*text < ' ' ? ' ' : *text, out);
	}
}

void bench_markdown_range(char *entry, const struct bench_range *range, void (*write)(char *text, double value))
{
	char median[BENCH_TEXT_BYTES], least[BENCH_TEXT_BYTES], most[BENCH_TEXT_BYTES];

	write(median, range->median);
	write(least, range->least);
	write(most, range->most);
	snprintf(entry, BENCH_ENTRY_BYTES, "%s (%s – %s)", median, least, most);
}

/* ---- tables */

int bench_matrix_make(struct bench_matrix *matrix, size_t rows, size_t columns)
{
	*matrix = (struct bench_matrix){ rows, columns, calloc(rows * columns, BENCH_ENTRY_BYTES) };
	return matrix->entries != NULL ? 0 : -1;
}

void bench_matrix_free(struct bench_matrix *matrix)
{
	free(matrix->entries);
	*matrix = (struct bench_matrix){ 0 };
}

static bool is_empty(const struct bench_matrix *matrix, size_t row)
{
	for (size_t column = 1; column < matrix->columns; column++)
		if (bench_matrix_at(matrix, row, column)[0] != '\0')
			return false;
	return true;
}

bool bench_matrix_has_rows(const struct bench_matrix *matrix)
{
	for (size_t row = 1; row < matrix->rows; row++)
		if (!is_empty(matrix, row))
			return true;
	return false;
}

static int width_of(const struct bench_matrix *matrix, size_t column)
{
	int width = 3;

	for (size_t row = 0; row < matrix->rows; row++) {
		int needed = bench_table_characters(bench_matrix_at(matrix, row, column));

		if ((row == 0 || !is_empty(matrix, row)) && needed > width)
			width = needed;
	}
	return width;
}

static void print_row(const struct bench_matrix *matrix, size_t row, FILE *out)
{
	for (size_t column = 0; column < matrix->columns; column++) {
		const char *entry = bench_matrix_at(matrix, row, column), *text = entry[0] != '\0' ? entry : "–";
		int padding = width_of(matrix, column) - bench_table_characters(text);

		/* The name to the left, figures to the right. */
		fprintf(out, "| %*s%s%*s ", column > 0 ? padding : 0, "", text, column > 0 ? 0 : padding, "");
	}
	fputs("|\n", out);
}

void bench_matrix_print(const struct bench_matrix *matrix, FILE *out)
{
	fputc('\n', out);
	print_row(matrix, 0, out);
	for (size_t column = 0; column < matrix->columns; column++) {
		fputs(column == 0 ? "|:" : "|", out);
		for (int i = 0; i < width_of(matrix, column) + 1; i++)
			fputc('-', out);
		fputs(column == 0 ? "" : ":", out);
	}
	fputs("|\n", out);
	for (size_t row = 1; row < matrix->rows; row++)
		if (!is_empty(matrix, row))
			print_row(matrix, row, out);
}
