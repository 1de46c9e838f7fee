/* SPDX-License-Identifier: MIT */
/*
 * What is built on the loop: its public face, map, reduce, scan, pages.
 *
 * Reductions and scans cut the indices into blocks, and each range of blocks has
 * a sum of its own; the caller joins them from left to right. If they are to be
 * ordered, then the blocks depend on COUNT and GRAIN only and each has its own
 * sum, so that the result is the same whoever worked on what.
 */
#include "lib/pool.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCKS_MAX 512u
#define BLOCKS_EACH 64u	  /* for each worker, where the order does not matter */
#define SMALL_SUM 256u	  /* bytes; a sum of that size is made on the stack, where nobody else writes near it */
#define SUMS_ON_STACK 4096u

static int check(const gsync_loop_options_t *options)
{
	return options && (options->flags & ~(GSYNC_LOOP_EAGER | GSYNC_LOOP_ORDERED)) != 0 ? EINVAL : 0;
}

static struct gsync_loop loop_of(gsync_pool_t *pool, size_t count, const gsync_loop_options_t *options)
{
	return (struct gsync_loop){
		.pool = gsync_pool_resolve(pool),
		.count = count,
		.grain = options ? options->grain : 0,
		.eager = options && (options->flags & GSYNC_LOOP_EAGER) != 0,
	};
}

static void run(struct gsync_loop *loop, gsync_range_fn *callback, void *context, const void *key)
{
	loop->run = callback;
	loop->context = context;
	loop->key = key;
	gsync_loop_run(loop);
}

int gsync_parallel_for(gsync_pool_t *pool, size_t count, gsync_range_fn *callback, void *context,
		       const gsync_loop_options_t *options)
{
	struct gsync_loop loop = loop_of(pool, count, options);
	int error = check(options);

	if (error == 0)
		run(&loop, callback, context, (const void *)(uintptr_t)callback);
	return error;
}

/* ---- sums of blocks */

struct sums {
	/* the caller's */
	const void *identity;
	size_t size, count;
	void *context;
	void (*join)(void *context, void *sum, const void *later);
	const void *operation; /* its gsync_reduction_t or gsync_scan_t */
	/* Adds a range to SUM. */
	void (*add)(const struct sums *sums, size_t begin, size_t end, void *sum);

	bool fixed;    /* how many blocks there are does not depend on who works on them */
	bool separate; /* each has a sum of its own; else each range of blocks has one, in the place of the first */
	size_t block, blocks; /* how many indices, and how many of those */
	char *sums;
	bool *used;
	void *memory;
	_Alignas(max_align_t) char on_stack[SUMS_ON_STACK];
};

static void choose_blocks(struct sums *sums, const struct gsync_loop *loop)
{
	size_t grain = loop->grain > 0 ? loop->grain : 1;
	size_t grains = sums->count / grain + (sums->count % grain != 0);
	size_t most = BLOCKS_MAX;

	if (!sums->fixed && most > BLOCKS_EACH * (size_t)gsync_pool_workers(loop->pool))
		most = BLOCKS_EACH * (size_t)gsync_pool_workers(loop->pool);
	sums->block = grain * (grains / most + (grains % most != 0));
	if (sums->block == 0)
		sums->block = grain;
	sums->blocks = sums->count / sums->block + (sums->count % sums->block != 0);
}

static int make_sums(struct sums *sums)
{
	size_t bytes = sums->blocks * sums->size;

	if (sums->size > SIZE_MAX / 2 / BLOCKS_MAX)
		return ENOMEM;
	sums->sums = sums->on_stack;
	sums->memory = NULL;
	if (bytes + sums->blocks * sizeof(bool) > SUMS_ON_STACK) {
		sums->memory = malloc(bytes + sums->blocks * sizeof(bool));
		if (!sums->memory)
			return ENOMEM;
		sums->sums = sums->memory;
	}
	sums->used = (bool *)(void *)(sums->sums + bytes);
	memset(sums->used, 0, sums->blocks * sizeof(bool));
	return 0;
}

static void *sum_of(const struct sums *sums, size_t begin)
{
	return sums->sums + begin / sums->block * sums->size;
}

static void sum_up(const struct sums *sums, size_t begin, size_t end)
{
	_Alignas(max_align_t) char small[SMALL_SUM];
	bool is_small = sums->size <= sizeof(small);
	char *sum = is_small ? small : sum_of(sums, begin);

	sums->used[begin / sums->block] = true;
	memcpy(sum, sums->identity, sums->size);
	sums->add(sums, begin, end, sum);
	if (is_small)
		memcpy(sum_of(sums, begin), small, sums->size);
}

static size_t end_of_block(const struct sums *sums, size_t begin, size_t end)
{
	return end - begin > sums->block ? begin + sums->block : end;
}

static void sum_range(void *context, size_t begin, size_t end)
{
	const struct sums *sums = context;

	for (size_t next; begin < end; begin = next) {
		next = sums->separate ? end_of_block(sums, begin, end) : end;
		sum_up(sums, begin, next);
	}
}

static int sum_blocks(struct sums *sums, struct gsync_loop *loop, const void *key)
{
	int error;

	choose_blocks(sums, loop);
	error = make_sums(sums);
	if (error != 0)
		return error;
	loop->grain = sums->block;
	run(loop, sum_range, sums, key);
	return 0;
}

static struct sums sums_of(const struct gsync_loop *loop, const gsync_loop_options_t *options)
{
	return (struct sums){
		.count = loop->count,
		.fixed = options && (options->flags & GSYNC_LOOP_ORDERED) != 0,
		.separate = options && (options->flags & GSYNC_LOOP_ORDERED) != 0,
	};
}

/* ---- reduce */

static void add_to_reduction(const struct sums *sums, size_t begin, size_t end, void *sum)
{
	((const gsync_reduction_t *)sums->operation)->add(sums->context, begin, end, sum);
}

int gsync_parallel_reduce(gsync_pool_t *pool, size_t count, const gsync_reduction_t *reduction, void *context,
			  void *result, const gsync_loop_options_t *options)
{
	struct gsync_loop loop = loop_of(pool, count, options);
	struct sums sums = sums_of(&loop, options);
	int error = check(options);

	sums.identity = reduction->identity;
	sums.size = reduction->size;
	sums.context = context;
	sums.join = reduction->join;
	sums.operation = reduction;
	sums.add = add_to_reduction;
	if (error == 0)
		error = sum_blocks(&sums, &loop, (const void *)(uintptr_t)reduction->add);
	if (error != 0)
		return error;
	memcpy(result, sums.identity, sums.size);
	for (size_t i = 0; i < sums.blocks; i++)
		if (sums.used[i])
			sums.join(sums.context, result, sums.sums + i * sums.size);
	free(sums.memory);
	return 0;
}

/* ---- scan */

static void add_to_scan(const struct sums *sums, size_t begin, size_t end, void *sum)
{
	((const gsync_scan_t *)sums->operation)->add(sums->context, begin, end, sum, 0);
}

/* What stands in the place of a block's sum is by now the sum of all before it. */
static void write_range(void *context, size_t begin, size_t end)
{
	const struct sums *sums = context;
	const gsync_scan_t *scan = sums->operation;

	for (size_t next; begin < end; begin = next) {
		next = end_of_block(sums, begin, end);
		scan->add(sums->context, begin, next, sum_of(sums, begin), 1);
	}
}

/* Gives each block the sum of those before; RESULT becomes that of all. False without memory. */
static bool run_up(struct sums *sums, void *result)
{
	char *before = malloc(2 * sums->size + 1), *own = before + sums->size;

	if (!before)
		return false;
	memcpy(before, sums->identity, sums->size);
	for (size_t i = 0; i < sums->blocks; i++) {
		char *sum = sums->sums + i * sums->size;

		memcpy(own, sum, sums->size);
		memcpy(sum, before, sums->size);
		sums->join(sums->context, before, own);
	}
	memcpy(result, before, sums->size);
	free(before);
	return true;
}

/* Too little to share, as far as is known, or nobody to share with: then one pass will do. */
static bool is_for_one(const struct gsync_loop *loop, const void *key)
{
	const struct gsync_tuning tuning = gsync_tuning();
	double habit = gsync_habit(key);

	return !loop->pool || gsync_pool_workers(loop->pool) == 1 ||
	       (!loop->eager && habit >= 0 && habit * (double)loop->count < (double)tuning.share);
}

static void scan_alone(const struct gsync_loop *loop, const gsync_scan_t *scan, void *context, void *result)
{
	uint64_t began = gsync_ticks();

	memcpy(result, scan->identity, scan->size);
	if (loop->count == 0)
		return;
	scan->add(context, 0, loop->count, result, 1);
	gsync_habit_learn((const void *)(uintptr_t)scan->add, (double)(gsync_ticks() - began) / (double)loop->count);
}

int gsync_parallel_scan(gsync_pool_t *pool, size_t count, const gsync_scan_t *scan, void *context, void *result,
			const gsync_loop_options_t *options)
{
	struct gsync_loop loop = loop_of(pool, count, options);
	const void *key = (const void *)(uintptr_t)scan->add;
	struct sums sums = sums_of(&loop, options);
	int error = check(options);

	if (error == 0 && !sums.fixed && is_for_one(&loop, key)) {
		scan_alone(&loop, scan, context, result);
		return 0;
	}
	sums.separate = true;
	sums.identity = scan->identity;
	sums.size = scan->size;
	sums.context = context;
	sums.join = scan->join;
	sums.operation = scan;
	sums.add = add_to_scan;
	if (error == 0)
		error = sum_blocks(&sums, &loop, key);
	if (error != 0)
		return error;
	if (run_up(&sums, result))
		run(&loop, write_range, &sums, key);
	else
		error = ENOMEM;
	free(sums.memory);
	return error;
}

/* ---- map */

struct map {
	const gsync_array_t *array;
	gsync_map_fn *run;
	void *context;
};

static void map_range(void *context, size_t begin, size_t end)
{
	const struct map *map = context;
	const gsync_array_t *array = map->array;
	const char *from = (const char *)array->from + begin * array->from_size;
	char *to = (char *)array->to + begin * array->to_size;

	for (size_t i = begin; i < end; i++, from += array->from_size, to += array->to_size)
		map->run(map->context, from, to);
}

int gsync_parallel_map(gsync_pool_t *pool, const gsync_array_t *array, gsync_map_fn *callback, void *context,
		       const gsync_loop_options_t *options)
{
	struct gsync_loop loop = loop_of(pool, array->count, options);
	struct map map = { array, callback, context };
	int error = check(options);

	if (error == 0)
		run(&loop, map_range, &map, (const void *)(uintptr_t)callback);
	return error;
}

/* ---- pages */

struct pages {
	char *memory;
	size_t bytes, page;
	size_t first; /* bytes before the first page boundary, less a page: where page 0 begins is not in MEMORY */
	gsync_pages_fn *run;
	void *context;
};

/* Where page NUMBER begins, counted from the one that MEMORY begins in. */
static size_t offset_of(const struct pages *pages, size_t number)
{
	size_t offset = number == 0 ? 0 : number * pages->page - pages->first;

	return offset < pages->bytes ? offset : pages->bytes;
}

static void pages_range(void *context, size_t begin, size_t end)
{
	const struct pages *pages = context;
	size_t from = offset_of(pages, begin);

	pages->run(pages->context, pages->memory + from, offset_of(pages, end) - from);
}

int gsync_parallel_for_pages(gsync_pool_t *pool, void *memory, size_t bytes, gsync_pages_fn *callback, void *context,
			     const gsync_loop_options_t *options)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct pages pages = { memory, bytes, page, (uintptr_t)memory % page, callback, context };
	struct gsync_loop loop;
	int error = check(options);

	if (error != 0 || bytes == 0)
		return error;
	loop = loop_of(pool, (pages.first + bytes - 1) / page + 1, options);
	loop.spread = !loop.eager;
	run(&loop, pages_range, &pages, (const void *)(uintptr_t)callback);
	return 0;
}
