/* SPDX-License-Identifier: MIT */
/* Parallel loops: every index once, nested, ordered to the bit, cut at pages, alone where there is one CPU. */
#include "tests/unit/support.h"

#include "lib/pool.h"

#include <guestsync/profile.h>

#define COUNT 20000

static void pretend_cpus(uint64_t count)
{
	assert_int_equal(gsync_profile_set("usable_cpus", count), 0);
	assert_int_equal(gsync_profile_set("whole_cpus", count), 0);
}

/* As if there were four CPUs, and everything worth sharing. */
static int share_everything(void **state)
{
	(void)state;
	pretend_cpus(4);
	assert_int_equal(gsync_profile_set("share_ns", 0), 0);
	assert_int_equal(gsync_profile_set("range_ns", 1000), 0);
	return 0;
}

static gsync_pool_t *make_pool(void)
{
	gsync_pool_t *pool;

	assert_int_equal(gsync_pool_create(&pool, NULL), 0);
	return pool;
}

struct marks {
	uint32_t *marks;
	char *memory; /* of the test of pages */
	size_t grain, count;
	uint32_t threads; /* how many callbacks were not run by the owner */
	pthread_t owner;
	gsync_pool_t *pool;
};

static void mark(void *context, size_t begin, size_t end)
{
	struct marks *marks = context;

	assert_true(begin < end && end <= marks->count);
	assert_true(begin % marks->grain == 0 && (end % marks->grain == 0 || end == marks->count));
	if (!pthread_equal(pthread_self(), marks->owner))
		__atomic_fetch_add(&marks->threads, 1u, __ATOMIC_RELAXED);
	for (size_t i = begin; i < end; i++)
		__atomic_fetch_add(&marks->marks[i], 1u, __ATOMIC_RELAXED);
}

static struct marks make_marks(gsync_pool_t *pool, size_t count, size_t grain)
{
	struct marks marks = { calloc(count + 1, sizeof(uint32_t)), NULL, grain, count, 0, pthread_self(), pool };

	assert_non_null(marks.marks);
	return marks;
}

static void check_marks(struct marks *marks, uint32_t expected)
{
	for (size_t i = 0; i < marks->count; i++)
		assert_int_equal(marks->marks[i], expected);
	free(marks->marks);
}

static void each_index_once(void **state)
{
	static const size_t counts[] = { 0, 1, 2, 3, 7, 64, 1000, COUNT }, grains[] = { 0, 1, 3, 64, 5000 };
	gsync_pool_t *pool = make_pool();

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		for (size_t k = 0; k < sizeof(grains) / sizeof(grains[0]); k++) {
			for (uint32_t flags = 0; flags <= GSYNC_LOOP_EAGER; flags++) {
				gsync_loop_options_t options = { grains[k], flags };
				struct marks marks = make_marks(pool, counts[i], grains[k] ? grains[k] : 1);

				for (int round = 0; round < 3; round++)
					assert_int_equal(gsync_parallel_for(pool, counts[i], mark, &marks, &options), 0);
				check_marks(&marks, 3);
			}
		}
	}
	assert_int_equal(gsync_pool_destroy(pool), 0);
}

static void fail_if_added(void *context, size_t begin, size_t end, void *sum)
{
	(void)context, (void)begin, (void)end, (void)sum;
	fail();
}

static void fail_if_scanned(void *context, size_t begin, size_t end, void *sum, int write)
{
	(void)context, (void)begin, (void)end, (void)sum, (void)write;
	fail();
}

static void fail_if_mapped(void *context, const void *from, void *to)
{
	(void)context, (void)from, (void)to;
	fail();
}

static void fail_if_cut(void *context, void *begin, size_t bytes)
{
	(void)context, (void)begin, (void)bytes;
	fail();
}

static void flags_that_nobody_knows_are_refused(void **state)
{
	static const gsync_loop_options_t options = { 0, 4 };
	const gsync_reduction_t reduction = { 1, "", fail_if_added, NULL };
	const gsync_scan_t scan = { 1, "", fail_if_scanned, NULL };
	struct marks marks = make_marks(NULL, 1, 1);
	char from[] = "a", to[] = "b";
	const gsync_array_t array = { from, 1, to, 1, 1 };

	(void)state;
	assert_int_equal(gsync_parallel_reduce(NULL, 1, &reduction, NULL, to, &options), EINVAL);
	assert_int_equal(gsync_parallel_scan(NULL, 1, &scan, NULL, to, &options), EINVAL);
	assert_int_equal(gsync_parallel_map(NULL, &array, fail_if_mapped, NULL, &options), EINVAL);
	assert_int_equal(gsync_parallel_for_pages(NULL, from, 1, fail_if_cut, NULL, &options), EINVAL);
	assert_string_equal(to, "b");
	/* No bytes are no page. */
	assert_int_equal(gsync_parallel_for_pages(NULL, from, 0, fail_if_cut, NULL, NULL), 0);
	assert_int_equal(gsync_parallel_for(NULL, 1, mark, &marks, &options), EINVAL);
	check_marks(&marks, 0);
}

/* Sleeping ranges: others must come, or it takes as long as all of them one after the other. */
static void doze(void *context, size_t begin, size_t end)
{
	mark(context, begin, end);
	for (size_t i = begin; i < end; i++)
		test_sleep_ms(1);
}

static void workers_come_and_no_more_than_there_are_cpus(void **state)
{
	static const gsync_loop_options_t eager = { 0, GSYNC_LOOP_EAGER };
	gsync_pool_t *pool = make_pool();
	struct marks marks = make_marks(pool, 100, 1);

	(void)state;
	assert_int_equal(gsync_parallel_for(pool, 100, doze, &marks, &eager), 0);
	assert_in_range(marks.threads, 1, 99);
	assert_int_equal(gsync_pool_destroy(pool), 0);
	pool = make_pool();
	marks.threads = 0;
	assert_int_equal(gsync_parallel_for(pool, 100, doze, &marks, NULL), 0);
	assert_in_range(marks.threads, 1, 99);
	assert_in_range(gsync_pool_threads(pool), 1, 3);
	check_marks(&marks, 2);
	assert_int_equal(gsync_pool_destroy(pool), 0);
}

/* ---- nesting, from several threads at once */

static void inner(void *context, size_t begin, size_t end)
{
	struct marks *marks = context;

	for (size_t i = begin; i < end; i++)
		__atomic_fetch_add(&marks->marks[i], 1u, __ATOMIC_RELAXED);
}

static void outer(void *context, size_t begin, size_t end)
{
	struct marks *marks = context;

	for (size_t i = begin; i < end; i++)
		assert_int_equal(gsync_parallel_for(marks->pool, marks->count, inner, marks, NULL), 0);
}

static void *nest(void *context)
{
	struct marks *marks = context;

	for (int i = 0; i < 20; i++)
		assert_int_equal(gsync_parallel_for(marks->pool, 10, outer, marks, NULL), 0);
	return NULL;
}

static void loops_nest_and_threads_share_the_pool(void **state)
{
	gsync_pool_t *pool = make_pool();
	struct marks marks = make_marks(pool, 300, 1);
	pthread_t threads[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		threads[i] = test_thread(nest, &marks);
	for (int i = 0; i < 4; i++)
		test_join(threads[i]);
	check_marks(&marks, 4 * 20 * 10);
	assert_true(gsync_pool_threads(pool) <= 4);
	assert_int_equal(gsync_pool_destroy(pool), 0);
}

static void loop_in_task(void *context)
{
	struct marks *marks = context;

	assert_int_equal(gsync_parallel_for(marks->pool, marks->count, inner, marks, NULL), 0);
}

static void wait_in_loop(void *context, size_t begin, size_t end)
{
	struct marks *marks = context;

	for (size_t i = begin; i < end; i++) {
		gsync_group_t group;

		gsync_group_init(&group, marks->pool, 0);
		for (int k = 0; k < 3; k++)
			assert_int_equal(gsync_group_spawn(&group, loop_in_task, marks), 0);
		assert_int_equal(gsync_group_wait(&group), 0);
	}
}

static void tasks_and_loops_nest(void **state)
{
	gsync_pool_t *pool = make_pool();
	struct marks marks = make_marks(pool, 100, 1);

	(void)state;
	for (int i = 0; i < 20; i++)
		assert_int_equal(gsync_parallel_for(pool, 30, wait_in_loop, &marks, NULL), 0);
	check_marks(&marks, 20 * 30 * 3);
	assert_int_equal(gsync_pool_destroy(pool), 0);
}

/* ---- one CPU */

static void with_one_cpu_the_callback_is_simply_called(void **state)
{
	gsync_pool_t *pool = make_pool();
	struct marks marks = make_marks(pool, COUNT, COUNT);
	cpu_set_t before, one;
	size_t cpu = (size_t)sched_getcpu();

	(void)state;
	if (UNDER_TSAN)
		skip(); /* it has a thread of its own, which keeps its CPUs */
	assert_int_equal(gsync_profile_reset(NULL), 0);
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	/* The grain is the count: any other range than the whole is refused by mark(). */
	for (int i = 0; i < 400 && gsync_pool_workers(pool) > 1; i++)
		test_sleep_ms(5);
	assert_int_equal(gsync_pool_workers(pool), 1);
	assert_int_equal(gsync_parallel_for(pool, COUNT, mark, &marks, NULL), 0);
	assert_int_equal(gsync_pool_threads(pool), 0);
	check_marks(&marks, 1);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
	assert_int_equal(gsync_pool_destroy(pool), 0);
}

static void a_closed_pool_runs_loops_in_the_caller(void **state)
{
	gsync_pool_t *pool = make_pool();
	struct marks marks = make_marks(pool, COUNT, COUNT);

	(void)state;
	assert_int_equal(gsync_pool_shutdown(pool, GSYNC_POOL_DRAIN), 0);
	assert_int_equal(gsync_parallel_for(pool, COUNT, mark, &marks, NULL), 0);
	assert_int_equal(marks.threads, 0);
	check_marks(&marks, 1);
	assert_int_equal(gsync_pool_destroy(pool), 0);
}

static void in_a_child_loops_run_in_the_caller(void **state)
{
	gsync_pool_t *pool = make_pool();
	struct marks marks = make_marks(pool, COUNT, 1);
	pid_t child;

	(void)state;
	assert_int_equal(gsync_parallel_for(pool, COUNT, mark, &marks, NULL), 0);
	child = fork();
	assert_int_not_equal(child, -1);
	if (child == 0) {
		alarm(30);
		gsync_parallel_for(pool, COUNT, mark, &marks, NULL);
		_exit(marks.marks[0] == 2 && marks.marks[COUNT - 1] == 2 ? 0 : 1);
	}
	test_child_succeeded(child);
	check_marks(&marks, 1);
	assert_int_equal(gsync_pool_destroy(pool), 0);
}

/* ---- reduce, scan, map */

static float values[COUNT];

static void make_values(void)
{
	uint32_t random = 1;

	for (size_t i = 0; i < COUNT; i++) {
		random = random * 1664525 + 1013904223;
		values[i] = (float)(random >> 8) / (float)(1 + random % 977);
	}
}

static void add_values(void *context, size_t begin, size_t end, void *sum)
{
	(void)context;
	for (size_t i = begin; i < end; i++)
		*(float *)sum += values[i];
}

static void join_sums(void *context, void *sum, const void *later)
{
	(void)context;
	*(float *)sum += *(const float *)later;
}

static const float zero;
static const gsync_reduction_t sum_of_values = { sizeof(float), &zero, add_values, join_sums };

static void an_ordered_sum_has_the_same_bits_for_any_number_of_workers(void **state)
{
	static const gsync_loop_options_t ordered = { 0, GSYNC_LOOP_ORDERED };
	float first = 0;

	(void)state;
	make_values();
	for (uint64_t cpus = 1; cpus <= 8; cpus++) {
		gsync_pool_t *pool;

		pretend_cpus(cpus);
		pool = make_pool();
		for (int round = 0; round < 20; round++) {
			float sum = -1;

			assert_int_equal(gsync_parallel_reduce(pool, COUNT, &sum_of_values, NULL, &sum, &ordered), 0);
			if (cpus == 1 && round == 0)
				first = sum;
			assert_memory_equal(&sum, &first, sizeof(sum));
		}
		assert_int_equal(gsync_pool_destroy(pool), 0);
	}
}

/* Not commutative: a range that is not directly behind the sum spoils it. */
struct span {
	size_t begin, end;
	bool spoilt;
	char large[1000];
};

static void add_span(void *context, size_t begin, size_t end, void *sum)
{
	struct span *span = sum;

	(void)context;
	if (span->begin == span->end)
		span->begin = begin;
	else if (span->end != begin)
		span->spoilt = true;
	span->end = end;
}

static void join_spans(void *context, void *sum, const void *later)
{
	struct span *span = sum;
	const struct span *next = later;

	if (next->begin != next->end)
		add_span(context, next->begin, next->end, span);
	span->spoilt |= next->spoilt;
}

static void sums_are_joined_from_left_to_right(void **state)
{
	static const struct span nothing;
	static const gsync_reduction_t reduction = { sizeof(struct span), &nothing, add_span, join_spans };
	gsync_pool_t *pool = make_pool();

	(void)state;
	for (uint32_t flags = 0; flags <= GSYNC_LOOP_ORDERED; flags++) {
		for (size_t count = 1; count < COUNT; count = count * 3 + 1) {
			gsync_loop_options_t options = { count % 4, flags };
			struct span all;

			assert_int_equal(gsync_parallel_reduce(pool, count, &reduction, NULL, &all, &options), 0);
			assert_int_equal(all.begin, 0);
			assert_int_equal(all.end, count);
			assert_false(all.spoilt);
		}
	}
	assert_int_equal(gsync_pool_destroy(pool), 0);
}

static void the_sum_of_nothing_is_the_identity(void **state)
{
	static const float seven = 7;
	const gsync_reduction_t reduction = { sizeof(float), &seven, add_values, join_sums };
	float sum = 0;

	(void)state;
	assert_int_equal(gsync_parallel_reduce(NULL, 0, &reduction, NULL, &sum, NULL), 0);
	assert_true(sum == 7);
}

struct running {
	uint64_t from[COUNT], to[COUNT];
	uint32_t only_read; /* indices that were added, and nothing written */
};

static void add_running(void *context, size_t begin, size_t end, void *sum, int write)
{
	struct running *all = context;
	uint64_t *so_far = sum;

	if (!write)
		__atomic_fetch_add(&all->only_read, (uint32_t)(end - begin), __ATOMIC_RELAXED);
	for (size_t i = begin; i < end; i++) {
		*so_far += all->from[i];
		if (write)
			all->to[i] = *so_far;
	}
}

static void join_running(void *context, void *sum, const void *later)
{
	(void)context;
	*(uint64_t *)sum += *(const uint64_t *)later;
}

static void a_scan_writes_the_sum_of_all_before(void **state)
{
	static const uint64_t none;
	static const gsync_scan_t scan = { sizeof(uint64_t), &none, add_running, join_running };
	struct running *all = calloc(1, sizeof(*all));
	gsync_pool_t *pool = make_pool();

	(void)state;
	assert_non_null(all);
	for (size_t i = 0; i < COUNT; i++)
		all->from[i] = i * i;
	for (uint32_t flags = 0; flags <= GSYNC_LOOP_ORDERED; flags++) {
		gsync_loop_options_t options = { 0, flags };
		uint64_t total = 0, expected = 0;

		memset(all->to, 0, sizeof(all->to));
		assert_int_equal(gsync_parallel_scan(pool, COUNT, &scan, all, &total, &options), 0);
		for (size_t i = 0; i < COUNT; i++) {
			expected += i * i;
			assert_int_equal(all->to[i], expected);
		}
		assert_int_equal(total, expected);
	}
	free(all);
	assert_int_equal(gsync_pool_destroy(pool), 0);
}

/* Of COUNT ones. Returns how many of them were read once more than needed. */
static uint32_t scan_ones(gsync_pool_t *pool, struct running *all, uint32_t flags)
{
	static const uint64_t none;
	static const gsync_scan_t scan = { sizeof(uint64_t), &none, add_running, join_running };
	const gsync_loop_options_t options = { 0, flags };
	uint64_t total = 77;

	memset(all, 0, sizeof(*all));
	assert_int_equal(gsync_parallel_scan(pool, 0, &scan, all, &total, &options), 0);
	assert_int_equal(total, 0);
	assert_int_equal(all->only_read, 0);
	for (size_t i = 0; i < COUNT; i++)
		all->from[i] = 1;
	assert_int_equal(gsync_parallel_scan(pool, COUNT, &scan, all, &total, &options), 0);
	assert_int_equal(total, COUNT);
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(all->to[i], i + 1);
	return all->only_read;
}

static void a_scan_that_nobody_shares_passes_once(void **state)
{
	struct running *all = calloc(1, sizeof(*all));
	gsync_pool_t *pool = make_pool();

	(void)state;
	assert_non_null(all);
	pretend_cpus(1);
	assert_int_equal(scan_ones(pool, all, 0), 0);
	/* The blocks of an ordered one do not depend on who is there. */
	assert_int_equal(scan_ones(pool, all, GSYNC_LOOP_ORDERED), COUNT);
	/* Now it is known to cost less than a wake-up, if that is dear. */
	pretend_cpus(4);
	assert_int_equal(gsync_profile_set("share_ns", 1000000000), 0);
	assert_int_equal(scan_ones(pool, all, 0), 0);
	assert_int_equal(scan_ones(pool, all, GSYNC_LOOP_EAGER), COUNT);
	assert_int_equal(gsync_profile_set("share_ns", 0), 0);
	assert_int_equal(scan_ones(pool, all, 0), COUNT);
	free(all);
	assert_int_equal(gsync_pool_destroy(pool), 0);
}

static void square(void *context, const void *from, void *to)
{
	(void)context;
	*(uint64_t *)to = (uint64_t)*(const uint32_t *)from * *(const uint32_t *)from;
}

static void a_map_writes_each_image(void **state)
{
	uint32_t *from = calloc(COUNT, sizeof(*from));
	uint64_t *to = calloc(COUNT, sizeof(*to));
	gsync_array_t array = { from, sizeof(*from), to, sizeof(*to), COUNT };
	gsync_pool_t *pool = make_pool();

	(void)state;
	assert_true(from && to);
	for (uint32_t i = 0; i < COUNT; i++)
		from[i] = i;
	assert_int_equal(gsync_parallel_map(pool, &array, square, NULL, NULL), 0);
	for (uint64_t i = 0; i < COUNT; i++)
		assert_int_equal(to[i], i * i);
	free(from);
	free(to);
	assert_int_equal(gsync_pool_destroy(pool), 0);
}

/* ---- pages */

static void mark_bytes(void *context, void *begin, size_t bytes)
{
	const struct marks *marks = context;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *memory = marks->memory, *from = begin, *to = from + bytes;

	assert_true(bytes > 0 && from >= memory && to <= memory + marks->count);
	assert_true(from == memory || (uintptr_t)from % page == 0);
	assert_true(to == memory + marks->count || (uintptr_t)to % page == 0);
	for (; from < to; from++)
		++*from;
}

static void memory_is_cut_at_pages(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), most = 40 * page;
	char *memory = aligned_alloc(page, most);
	gsync_pool_t *pool = make_pool();

	(void)state;
	assert_non_null(memory);
	for (size_t before = 0; before < page; before += page / 3) {
		for (size_t bytes = 1; before + bytes < most; bytes = bytes * 2 + 13) {
			struct marks marks = { .memory = memory + before, .count = bytes };

			memset(memory, 0, most);
			assert_int_equal(gsync_parallel_for_pages(pool, memory + before, bytes, mark_bytes, &marks, NULL), 0);
			for (size_t i = 0; i < most; i++)
				assert_int_equal(memory[i], i >= before && i < before + bytes);
		}
	}
	free(memory);
	assert_int_equal(gsync_pool_destroy(pool), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(each_index_once, share_everything),
		cmocka_unit_test(flags_that_nobody_knows_are_refused),
		cmocka_unit_test_setup(workers_come_and_no_more_than_there_are_cpus, share_everything),
		cmocka_unit_test_setup(loops_nest_and_threads_share_the_pool, share_everything),
		cmocka_unit_test_setup(tasks_and_loops_nest, share_everything),
		cmocka_unit_test_setup(with_one_cpu_the_callback_is_simply_called, share_everything),
		cmocka_unit_test_setup(a_closed_pool_runs_loops_in_the_caller, share_everything),
		cmocka_unit_test_setup(in_a_child_loops_run_in_the_caller, share_everything),
		cmocka_unit_test_setup(an_ordered_sum_has_the_same_bits_for_any_number_of_workers, share_everything),
		cmocka_unit_test_setup(sums_are_joined_from_left_to_right, share_everything),
		cmocka_unit_test(the_sum_of_nothing_is_the_identity),
		cmocka_unit_test_setup(a_scan_writes_the_sum_of_all_before, share_everything),
		cmocka_unit_test_setup(a_scan_that_nobody_shares_passes_once, share_everything),
		cmocka_unit_test_setup(a_map_writes_each_image, share_everything),
		cmocka_unit_test_setup(memory_is_cut_at_pages, share_everything),
	};

	return cmocka_run_group_tests_name("parallel", tests, NULL, NULL);
}
