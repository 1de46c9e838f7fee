/* SPDX-License-Identifier: MIT */
/*
 * Tables for people. Columns are as wide as their widest entry, counted in
 * characters, not in bytes: µ, × and δ have two. So each row is made twice: to
 * be fitted, and to be printed.
 */
#ifndef GUESTSYNC_BENCH_TABLE_H
#define GUESTSYNC_BENCH_TABLE_H

#include <stdint.h>
#include <stdio.h>

#define BENCH_COLUMNS_MAX 16
#define BENCH_TEXT_BYTES 32

typedef char bench_table_row[BENCH_COLUMNS_MAX][BENCH_TEXT_BYTES];

struct bench_table {
	const char *const *headings;
	int columns;
	int width[BENCH_COLUMNS_MAX]; /* 0 at first */
};

void bench_table_fit(struct bench_table *table, bench_table_row row);
void bench_table_head(const struct bench_table *table, FILE *out);
void bench_table_line(const struct bench_table *table, bench_table_row row, FILE *out);

/* Entries, in units one can read; TEXT has BENCH_TEXT_BYTES. */
void bench_table_count(char *text, double count);
void bench_table_time(char *text, double ns);

/* A duration as somebody chose it, without zeros that nobody wrote: 100 ns, 1 µs. */
void bench_table_duration(char *text, uint64_t ns);

/* How wide TEXT is: bytes of UTF-8 that continue a character do not count. */
int bench_table_characters(const char *text);

/* A lock that collapsed still shows by how much. */
void bench_table_ratio(char *text, double ratio);

#endif
