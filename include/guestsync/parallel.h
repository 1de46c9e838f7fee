/* SPDX-License-Identifier: MIT */
/*
 * Loops over data, done by all CPUs that this process really has.
 *
 *     static void scale(void *context, size_t begin, size_t end)
 *     {
 *         double *values = context;
 *
 *         for (size_t i = begin; i < end; i++)
 *             values[i] *= 2;
 *     }
 *
 *     gsync_parallel_for(NULL, 1000000, scale, values, NULL);
 *
 *   gsync_parallel_for        a callback for ranges of 0 … count - 1: what has many independent parts
 *   gsync_parallel_map        a callback for each element of an array, into another
 *   gsync_parallel_reduce     a sum, or whatever else can be put together from parts; no shared counters
 *   gsync_parallel_scan       running sums
 *   gsync_parallel_for_pages  memory, cut at page boundaries: large, and used by the same workers again and again
 *
 * Parts that turn up on the way are tasks of a group: <guestsync/pool.h>.
 *
 * The callback takes a range, so that its loop is the compiler's to optimise.
 * How large the ranges are is decided while the loop runs: the caller begins
 * alone, and what is left is shared as soon as it looks worth a wake-up, half by
 * half, with those workers that come for it. What a callback did per index the
 * last times is remembered. So a short loop costs little more than the call of
 * the callback, and a long one is balanced even where its parts are not equal.
 *
 * A loop never waits for a worker that has not begun: that one's share is taken
 * back and the caller works instead. So a worker whose virtual CPU the host has
 * stopped holds up only the range in its hands. Loops can be nested; the inner
 * one shares with whoever is idle. With one usable CPU, in a child of fork, in a
 * pool that has been shut down or has no memory left to share with, the callback
 * is simply called in the calling thread.
 *
 *                 may block                      may spin  signal handler  after fork, in the child
 *   all of them   until others have ended the    yes       no              run in the calling thread
 *                 ranges in their hands
 *
 * While a loop waits for the last ranges, its thread runs nothing else: unlike
 * gsync_group_wait, a loop may be run with a lock held that no callback takes.
 *
 * POOL NULL is the process-wide pool. OPTIONS NULL means none. COUNT may be 0.
 * What the caller wrote before is seen by every callback, and what the callbacks
 * wrote by the caller afterwards. Callbacks must not leave by longjmp, an
 * exception or pthread_exit.
 *
 * Which index is in which range, and which thread calls, is not promised, but
 * for the flags below. Ranges of one loop may run at the same time, or one after
 * the other: none may wait for another.
 *
 * After Schildermans, "Elevating Multithreading Further into the Cloud", section
 * 8.3: data parallelism over pipelines, and each thread's data on lines and
 * pages of its own. docs/guidelines.md has his rules, and a program for each.
 */
#ifndef GUESTSYNC_PARALLEL_H
#define GUESTSYNC_PARALLEL_H

#include <guestsync/pool.h>

GSYNC_BEGIN_DECLS

/*
 * Ranges of exactly GRAIN (the last: of what is left), handed out one by one, and
 * as many workers as there are ranges are woken before the first. For few, long
 * pieces of work whose length nobody could guess; short ones pay for it.
 */
#define GSYNC_LOOP_EAGER 1u

/*
 * A reduction or scan gives the same result, bit by bit, whatever the number of
 * workers, also where the operation is not associative, as sums of floating point
 * numbers are not: what is put together with what depends on COUNT and GRAIN only.
 */
#define GSYNC_LOOP_ORDERED 2u

/* All-zero means: as the library sees fit. */
typedef struct gsync_loop_options {
	size_t grain;	/* ranges begin at multiples of it, and are not smaller, but for the last; 0 = 1 */
	uint32_t flags;
} gsync_loop_options_t;

typedef void gsync_range_fn(void *context, size_t begin, size_t end);

/* Calls RUN for ranges that make up 0 … COUNT - 1, each index once. Returns 0, or EINVAL for a flag it does not know. */
GSYNC_API int gsync_parallel_for(gsync_pool_t *pool, size_t count, gsync_range_fn *run, void *context,
				 const gsync_loop_options_t *options);

/* One element: reads it at FROM, writes its image to TO. */
typedef void gsync_map_fn(void *context, const void *from, void *to);

typedef struct gsync_array {
	const void *from;
	size_t from_size; /* of one element, in bytes */
	void *to;
	size_t to_size;
	size_t count;
} gsync_array_t;

/* FROM and TO may be the same, if the sizes are. Returns as gsync_parallel_for. */
GSYNC_API int gsync_parallel_map(gsync_pool_t *pool, const gsync_array_t *array, gsync_map_fn *run, void *context,
				 const gsync_loop_options_t *options);

/*
 * Sums of ranges, all of which begin as copies of IDENTITY, SIZE bytes. They are
 * joined from left to right. Where SIZE is a multiple of an alignment, no more
 * than malloc's, they have it.
 */
typedef struct gsync_reduction {
	size_t size;
	const void *identity;
	/* Adds the indices of a range to SUM. */
	void (*add)(void *context, size_t begin, size_t end, void *sum);
	/* Adds the sum of later indices to that of all before them. */
	void (*join)(void *context, void *sum, const void *later);
} gsync_reduction_t;

/* The sum of all is in RESULT. Returns 0, EINVAL, or ENOMEM with RESULT as it was. */
GSYNC_API int gsync_parallel_reduce(gsync_pool_t *pool, size_t count, const gsync_reduction_t *reduction, void *context,
				    void *result, const gsync_loop_options_t *options);

/*
 * Running sums; in two passes over the data where several workers take part, or in order.
 * ADD is called with WRITE 0 to add a range to SUM, and nothing else; with WRITE
 * 1, once for each index, SUM being the sum of all before BEGIN, to write down
 * the results of the range as well. So it serves inclusive and exclusive scans.
 */
typedef struct gsync_scan {
	size_t size;
	const void *identity;
	void (*add)(void *context, size_t begin, size_t end, void *sum, int write);
	void (*join)(void *context, void *sum, const void *later);
} gsync_scan_t;

/* The sum of all is in RESULT. Returns 0, EINVAL, or ENOMEM with RESULT as it was and nothing written. */
GSYNC_API int gsync_parallel_scan(gsync_pool_t *pool, size_t count, const gsync_scan_t *scan, void *context,
				  void *result, const gsync_loop_options_t *options);

typedef void gsync_pages_fn(void *context, void *begin, size_t bytes);

/*
 * Calls RUN for parts of the memory that begin at page boundaries, but for the
 * first, and end at them, but for the last: no two workers write to one page.
 * Each worker begins with the same part each time that MEMORY, BYTES and the
 * number of workers are the same; so let the first such loop be the one that
 * touches the memory first, and each page lies on the node of the worker that
 * uses it. Others take of a part only when they have nothing else to do.
 * options->grain counts pages. Returns as gsync_parallel_for.
 */
GSYNC_API int gsync_parallel_for_pages(gsync_pool_t *pool, void *memory, size_t bytes, gsync_pages_fn *run, void *context,
				       const gsync_loop_options_t *options);

GSYNC_END_DECLS

#endif
