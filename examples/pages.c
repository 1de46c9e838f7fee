/* SPDX-License-Identifier: MIT */
/*
 * To each worker lines and pages of its own: spaces are counted into counters that
 * lie side by side, on lines of their own, and by a reduction; and memory is
 * filled with and without regard to pages.
 */
#include <guestsync/parallel.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BYTES ((size_t)16 << 20)
#define PARTS 8u
#define LINE (64 / sizeof(uint64_t))

static double ms_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) * 1e3 + (double)(now.tv_nsec - start->tv_nsec) / 1e6;
}

/* ---- lines */

static void write_spaces(void *context, void *begin, size_t bytes)
{
	(void)context;
	memset(begin, ' ', bytes);
}

struct counting {
	const char *text;
	uint64_t *counts; /* one for each part of the text, */
	size_t distance;  /* so far apart */
};

static void count_parts(void *context, size_t begin, size_t end)
{
	const struct counting *counting = context;

	for (size_t part = begin; part < end; part++) {
		const char *text = counting->text + part * (BYTES / PARTS);
		uint64_t *count = &counting->counts[part * counting->distance];

		for (size_t i = 0; i < BYTES / PARTS; i++)
			*count += text[i] == ' ';
	}
}

static void add(void *context, size_t begin, size_t end, void *sum)
{
	const char *text = context;
	uint64_t own = 0;

	for (size_t i = begin; i < end; i++)
		own += text[i] == ' ';
	*(uint64_t *)sum += own;
}

static void join(void *context, void *sum, const void *later)
{
	(void)context;
	*(uint64_t *)sum += *(const uint64_t *)later;
}

static uint64_t count_into(const char *text, size_t distance, const char *where)
{
	static _Alignas(4096) uint64_t counts[PARTS * LINE];
	static const gsync_loop_options_t eager = { 1, GSYNC_LOOP_EAGER };
	struct counting counting = { text, counts, distance };
	struct timespec start;
	uint64_t sum = 0;

	memset(counts, 0, sizeof(counts));
	clock_gettime(CLOCK_MONOTONIC, &start);
	gsync_parallel_for(NULL, PARTS, count_parts, &counting, &eager);
	printf("  %-36s%8.1f ms\n", where, ms_since(&start));
	for (unsigned part = 0; part < PARTS; part++)
		sum += counts[part * distance];
	return sum;
}

static int show_lines(char *text)
{
	static const uint64_t zero = 0;
	static const gsync_reduction_t sum_of_spaces = { sizeof(uint64_t), &zero, add, join };
	struct timespec start;
	uint64_t side_by_side, apart, reduced = 0;

	gsync_parallel_for_pages(NULL, text, BYTES, write_spaces, NULL, NULL);
	printf("counting spaces, by up to %u threads,\n", gsync_pool_workers(NULL));
	side_by_side = count_into(text, 1, "into counters side by side");
	apart = count_into(text, LINE, "into counters on lines of their own");
	clock_gettime(CLOCK_MONOTONIC, &start);
	gsync_parallel_reduce(NULL, BYTES, &sum_of_spaces, text, &reduced, NULL);
	printf("  %-36s%8.1f ms\n", "by gsync_parallel_reduce", ms_since(&start));
	return side_by_side == BYTES && apart == BYTES && reduced == BYTES;
}

/* ---- pages */

static size_t page;

struct filling {
	char *memory;
	uintptr_t *writers; /* of each page, in this pass */
	uintptr_t *before;  /* in the one before */
	size_t shared, moved;
};

/* Some number for this thread. */
static uintptr_t self(void)
{
	static _Thread_local char mark;

	return (uintptr_t)&mark;
}

static void fill(void *context, size_t begin, size_t end)
{
	struct filling *filling = context;

	memset(filling->memory + begin, 'x', end - begin);
	for (size_t i = begin / page; i <= (end - 1) / page; i++) {
		uintptr_t other = __atomic_exchange_n(&filling->writers[i], self(), __ATOMIC_RELAXED);

		if (other != 0 && other != self())
			__atomic_fetch_add(&filling->shared, 1u, __ATOMIC_RELAXED);
		if (filling->before[i] != 0 && filling->before[i] != self())
			__atomic_fetch_add(&filling->moved, 1u, __ATOMIC_RELAXED);
	}
}

static void fill_pages(void *context, void *begin, size_t bytes)
{
	const struct filling *filling = context;
	size_t offset = (size_t)((char *)begin - filling->memory);

	fill(context, offset, offset + bytes);
}

static struct filling fill_twice(char *memory, uintptr_t *notes, int by_pages)
{
	size_t pages = BYTES / page;
	struct filling filling = { memory, notes, notes + pages, 0, 0 };

	memset(notes, 0, 2 * pages * sizeof(*notes));
	for (int pass = 0; pass < 2; pass++) {
		memcpy(filling.before, filling.writers, pages * sizeof(*notes));
		memset(filling.writers, 0, pages * sizeof(*notes));
		if (by_pages)
			gsync_parallel_for_pages(NULL, memory, BYTES, fill_pages, &filling, NULL);
		else
			gsync_parallel_for(NULL, BYTES, fill, &filling, NULL);
	}
	printf("  %-36s%8zu, %zu of %zu\n", by_pages ? "gsync_parallel_for_pages" : "gsync_parallel_for", filling.shared,
	       filling.moved, pages);
	return filling;
}

static int show_pages(char *memory, uintptr_t *notes)
{
	struct filling by_pages;

	puts("filling memory twice: pages written by two threads in one pass, by another one in the second");
	fill_twice(memory, notes, 0);
	by_pages = fill_twice(memory, notes, 1);
	return by_pages.shared == 0;
}

int main(void)
{
	char *memory;
	uintptr_t *notes;
	int good = 0;

	page = (size_t)sysconf(_SC_PAGESIZE);
	memory = aligned_alloc(page, BYTES);
	notes = calloc(2 * (BYTES / page), sizeof(*notes));
	if (memory && notes)
		good = show_lines(memory) & show_pages(memory, notes);
	free(notes);
	free(memory);
	return good ? 0 : 1;
}
