/* SPDX-License-Identifier: MIT */
/*
 * What bench_report_markdown() writes its document with: texts that cannot become
 * markup, tables in GitHub's Markdown that can be read as plain text as well, and
 * the part that comes before all figures: how ours fare, and where they fall short.
 */
#ifndef GUESTSYNC_BENCH_MARKDOWN_H
#define GUESTSYNC_BENCH_MARKDOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "bench/rounds.h"
#include "bench/statistics.h"

/* Whatever TEXT holds. */
void bench_markdown_text(FILE *out, const char *text);

#define BENCH_ENTRY_BYTES 128

/* The headings are row 0, names column 0; a row in which nothing stands but its name is left out. */
struct bench_matrix {
	size_t rows, columns;
	char (*entries)[BENCH_ENTRY_BYTES];
};

/* All entries empty. Returns 0, or -1 when memory runs out. */
int bench_matrix_make(struct bench_matrix *matrix, size_t rows, size_t columns);
void bench_matrix_free(struct bench_matrix *matrix);

static inline char *bench_matrix_at(const struct bench_matrix *matrix, size_t row, size_t column)
{
	return matrix->entries[row * matrix->columns + column];
}

bool bench_matrix_has_rows(const struct bench_matrix *matrix);
void bench_matrix_print(const struct bench_matrix *matrix, FILE *out);

/* An entry: the median, and how far the rounds lie apart. */
void bench_markdown_range(char *entry, const struct bench_range *range, void (*write)(char *text, double value));

/* Is a lock of this RATIO to the best peer slower, as the figures show it? */
bool bench_markdown_falls_short(double ratio);

/* Returns 0, or -1 when memory runs out. */
int bench_markdown_summary(const struct bench_run *run, FILE *out);

#endif
