/* SPDX-License-Identifier: MIT */
/*
 * Without memory, or without leave to start a thread: each call says so, leaves
 * everything as it was, and works again as soon as there is enough.
 *
 * The linker leads calls of libc that may fail here; a test says which of them do.
 */
#include "tests/unit/support.h"

#include "detect/process.h"
#include "detect/recording.h"
#include "lib/pool.h"

#include <guestsync/profile.h>

#define COUNT 1000u
#define WORKERS 4u
#define HUGE_SUM 1024u /* more of these than fit on a stack */

/* ---- what fails */

static struct {
	bool counting;
	uint32_t left; /* so many calls succeed, then one fails */
	bool has_failed;
} memory;

static bool no_pages, no_wiping, no_threads, no_room;

/* Of one thread: no other is started while it counts. */
static bool fails(void)
{
	if (!memory.counting || memory.has_failed || memory.left-- > 0)
		return false;
	memory.has_failed = true;
	return true;
}

static void let_fail(uint32_t after)
{
	memory.counting = true;
	memory.left = after;
	memory.has_failed = false;
}

/* True if anything had to do without. */
static bool let_succeed(void)
{
	memory.counting = false;
	return memory.has_failed;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *from, size_t size);
void *__wrap_realloc(void *from, size_t size);
void *__real_reallocarray(void *from, size_t count, size_t size);
void *__wrap_reallocarray(void *from, size_t count, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
void *__real_mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset);
int __real_madvise(void *at, size_t size, int advice);
int __wrap_madvise(void *at, size_t size, int advice);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*main)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*main)(void *), void *argument);

void *__wrap_malloc(size_t size)
{
	return __atomic_load_n(&no_room, __ATOMIC_RELAXED) || fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *from, size_t size)
{
	return fails() ? NULL : __real_realloc(from, size);
}

void *__wrap_reallocarray(void *from, size_t count, size_t size)
{
	return fails() ? NULL : __real_reallocarray(from, count, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return fails() ? NULL : __real_aligned_alloc(alignment, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

void *__wrap_mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
	return no_pages || fails() ? MAP_FAILED : __real_mmap64(at, size, protection, flags, fd, offset);
}

int __wrap_madvise(void *at, size_t size, int advice)
{
	return no_wiping ? -1 : __real_madvise(at, size, advice);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*main)(void *), void *argument)
{
	return no_threads ? EAGAIN : __real_pthread_create(thread, attributes, main, argument);
}

/* ---- a process's page */

/* Before anything else: the page is mapped once. */
static void a_process_without_its_page_has_no_mark(void **state)
{
	(void)state;
	errno = 77;
	no_pages = true;
	assert_null(gsync_process_word(GSYNC_PROCESS_MARK));
	assert_int_equal(gsync_process_mark(), 0);
	no_pages = false;
	/* One that a child would inherit is as good as none. */
	no_wiping = true;
	assert_null(gsync_process_word(GSYNC_PROCESS_MARK));
	assert_int_equal(gsync_process_mark(), 0);
	no_wiping = false;
	assert_int_equal(errno, 77);
	assert_non_null(gsync_process_word(GSYNC_PROCESS_MARK));
	assert_int_not_equal(gsync_process_mark(), 0);
}

/* ---- pools */

static int four_cpus(void **state)
{
	(void)state;
	assert_int_equal(gsync_profile_set("usable_cpus", WORKERS), 0);
	assert_int_equal(gsync_profile_set("whole_cpus", WORKERS), 0);
	assert_int_equal(gsync_profile_set("share_ns", 0), 0);
	return 0;
}

static void count_up(void *counter)
{
	__atomic_fetch_add((uint32_t *)counter, 1u, __ATOMIC_RELAXED);
}

static void touch(void *context, size_t begin, size_t end)
{
	for (size_t i = begin; i < end; i++)
		count_up((uint32_t *)context + i);
}

/* The process's own pool, before it is there. */
static void without_a_pool_loops_run_in_the_caller_and_tasks_are_refused(void **state)
{
	static const gsync_loop_options_t eager = { 1, GSYNC_LOOP_EAGER };
	uint32_t runs[WORKERS] = { 0 };
	gsync_group_t group = GSYNC_GROUP_INIT;

	(void)state;
	no_pages = true;
	assert_null(gsync_pool_default());
	assert_int_equal(gsync_pool_workers(NULL), 1);
	assert_int_equal(gsync_pool_threads(NULL), 0);
	assert_int_equal(gsync_pool_submit(NULL, count_up, &runs[0]), ENOMEM);
	assert_int_equal(gsync_group_spawn(&group, count_up, &runs[0]), ENOMEM);
	assert_int_equal(gsync_group_wait(&group), 0);
	assert_int_equal(gsync_parallel_for(NULL, WORKERS, touch, runs, &eager), 0);
	for (uint32_t i = 0; i < WORKERS; i++)
		assert_int_equal(runs[i], 1);
	no_pages = false;
	assert_non_null(gsync_pool_default());
	assert_int_equal(gsync_pool_workers(NULL), WORKERS);
}

static void a_pool_is_made_whole_or_not_at_all(void **state)
{
	gsync_pool_t *pool;
	uint32_t failures = 0;

	(void)state;
	/* The second time: what is learned for the first pool may do without. */
	assert_int_equal(gsync_pool_create(&pool, NULL), 0);
	assert_int_equal(gsync_pool_destroy(pool), 0);
	for (uint32_t after = 0;; after++) {
		int error;

		let_fail(after);
		error = gsync_pool_create(&pool, NULL);
		if (!let_succeed()) {
			assert_int_equal(error, 0);
			break;
		}
		failures++;
		assert_int_equal(error, ENOMEM);
		assert_null(pool);
	}
	assert_int_equal(gsync_pool_destroy(pool), 0);
	assert_int_equal(failures, 3); /* itself, its workers, its posts */
}

static void a_task_that_finds_no_room_is_refused(void **state)
{
	gsync_group_t group;
	gsync_pool_t *pool;
	uint32_t runs = 0;

	(void)state;
	assert_int_equal(gsync_pool_create(&pool, NULL), 0);
	gsync_group_init(&group, pool, 0);
	let_fail(0);
	assert_int_equal(gsync_pool_submit(pool, count_up, &runs), ENOMEM);
	assert_true(let_succeed());
	let_fail(0);
	assert_int_equal(gsync_group_spawn(&group, count_up, &runs), ENOMEM);
	assert_true(let_succeed());
	/* Nobody waits for what was refused. */
	assert_int_equal(gsync_group_wait(&group), 0);
	assert_int_equal(gsync_pool_submit(pool, count_up, &runs), 0);
	assert_int_equal(gsync_group_spawn(&group, count_up, &runs), 0);
	assert_int_equal(gsync_group_wait(&group), 0);
	assert_int_equal(gsync_pool_destroy(pool), 0);
	assert_int_equal(runs, 2);
}

static void a_task_is_taken_back_when_no_thread_may_be_started(void **state)
{
	gsync_pool_t *pool;
	gsync_group_t group;
	uint32_t refused = 0, runs = 0;

	(void)state;
	assert_int_equal(gsync_pool_create(&pool, NULL), 0);
	gsync_group_init(&group, pool, 0);
	no_threads = true;
	for (int i = 0; i < 2; i++)
		assert_int_equal(gsync_pool_submit(pool, count_up, &refused), EAGAIN);
	assert_int_equal(gsync_pool_threads(pool), 0);
	/* Who waits for a group is there to run it; and a loop's caller is. */
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(gsync_group_spawn(&group, count_up, &runs), 0);
	assert_int_equal(gsync_group_wait(&group), 0);
	assert_int_equal(runs, 10);
	no_threads = false;
	assert_int_equal(gsync_pool_destroy(pool), 0);
	assert_int_equal(refused, 0);
}

/* Two others stand in the queue, and stay there: the task that is taken back is the one that was refused. */
static void nothing_else_is_taken_back(void **state)
{
	struct gsync_queue queue = { .limit = 0 };
	uint32_t counters[3];
	struct gsync_task tasks[3], other = { count_up, NULL, NULL };

	(void)state;
	for (int i = 0; i < 3; i++) {
		tasks[i] = (struct gsync_task){ count_up, &counters[i], NULL };
		assert_int_equal(gsync_queue_put(&queue, &tasks[i], true, false), 0);
	}
	assert_false(gsync_queue_take_back(&queue, &other));
	other = (struct gsync_task){ count_up, &counters[1], (gsync_group_t *)(void *)&queue };
	assert_false(gsync_queue_take_back(&queue, &other));
	assert_true(gsync_queue_take_back(&queue, &tasks[1]));
	assert_false(gsync_queue_take_back(&queue, &tasks[1]));
	assert_int_equal(gsync_queue_take(&queue, tasks, 3, 1), 2);
	assert_ptr_equal(tasks[0].argument, &counters[0]);
	assert_ptr_equal(tasks[1].argument, &counters[2]);
	/* What is closed takes from those who are inside alone. */
	gsync_queue_close(&queue);
	assert_int_equal(gsync_queue_put(&queue, &tasks[0], true, false), ESHUTDOWN);
	assert_int_equal(gsync_queue_put(&queue, &tasks[0], true, true), 0);
	free(queue.ring);
}

/* A worker's own tasks, from the oldest on: another's, one of the group it waits for, two of others. */
struct heap {
	gsync_pool_t *pool;
	uint32_t begun, filled, runs, others;
	uint32_t others_before; /* those that ran before the wait was over */
};

static void wait_below_others(void *argument)
{
	struct heap *heap = argument;
	gsync_group_t group;

	__atomic_store_n(&heap->begun, 1u, __ATOMIC_RELEASE);
	test_until_set(&heap->filled, 1);
	gsync_group_init(&group, heap->pool, GSYNC_GROUP_ISOLATED);
	assert_int_equal(gsync_pool_submit(heap->pool, count_up, &heap->others), 0);
	assert_int_equal(gsync_group_spawn(&group, count_up, &heap->runs), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(gsync_pool_submit(heap->pool, count_up, &heap->others), 0);
	assert_int_equal(gsync_group_wait(&group), 0);
	heap->others_before = heap->others;
}

/* What lies above it has no place to go to: the queue is full to the brim. */
static void an_isolated_waiter_finds_its_task_below_others(void **state)
{
	static const gsync_pool_options_t options = { .workers = 1 };
	struct heap heap = { .runs = 0 };
	uint32_t queued = 0;

	(void)state;
	alarm(30);
	assert_int_equal(gsync_pool_create(&heap.pool, &options), 0);
	assert_int_equal(gsync_pool_submit(heap.pool, wait_below_others, &heap), 0);
	test_until_set(&heap.begun, 1);
	__atomic_store_n(&no_room, true, __ATOMIC_RELAXED);
	while (gsync_pool_submit(heap.pool, count_up, &queued) == 0)
		;
	__atomic_store_n(&heap.filled, 1u, __ATOMIC_RELEASE);
	assert_int_equal(gsync_pool_destroy(heap.pool), 0);
	__atomic_store_n(&no_room, false, __ATOMIC_RELAXED);
	alarm(0);
	assert_int_equal(heap.runs, 1);
	assert_int_equal(heap.others_before, 0);
	assert_int_equal(heap.others, 3);
	assert_int_not_equal(queued, 0);
}

/* ---- loops */

struct sum {
	uint64_t value;
	char rest[HUGE_SUM];
};

static uint64_t written[COUNT];

static void add(void *context, size_t begin, size_t end, void *sum)
{
	(void)context;
	for (size_t i = begin; i < end; i++)
		((struct sum *)sum)->value += i;
}

static void add_and_write(void *context, size_t begin, size_t end, void *sum, int write)
{
	(void)context;
	for (size_t i = begin; i < end; i++) {
		((struct sum *)sum)->value += i;
		if (write != 0)
			written[i] = ((struct sum *)sum)->value;
	}
}

static void join(void *context, void *sum, const void *later)
{
	(void)context;
	((struct sum *)sum)->value += ((const struct sum *)later)->value;
}

static const struct sum none;

/* How many of all their allocations can fail; each in turn does. */
static uint32_t without_memory(int (*call)(gsync_pool_t *pool, struct sum *result))
{
	struct sum result = { .value = 77 };
	gsync_pool_t *pool;
	uint32_t failures = 0;

	assert_int_equal(gsync_pool_create(&pool, NULL), 0);
	for (uint32_t after = 0;; after++) {
		int error;

		memset(written, 0, sizeof(written));
		/* Else a thread that starts would count, too. */
		no_threads = true;
		let_fail(after);
		error = call(pool, &result);
		no_threads = false;
		if (!let_succeed()) {
			assert_int_equal(error, 0);
			break;
		}
		failures++;
		assert_int_equal(error, ENOMEM);
		assert_int_equal(result.value, 77);
		for (size_t i = 0; i < COUNT; i++)
			assert_int_equal(written[i], 0);
	}
	assert_int_equal(result.value, COUNT * (COUNT - 1) / 2);
	assert_int_equal(gsync_pool_destroy(pool), 0);
	return failures;
}

static const gsync_loop_options_t ordered = { 1, GSYNC_LOOP_ORDERED };

static int reduce(gsync_pool_t *pool, struct sum *result)
{
	static const gsync_reduction_t reduction = { sizeof(struct sum), &none, add, join };

	return gsync_parallel_reduce(pool, COUNT, &reduction, NULL, result, &ordered);
}

static int scan(gsync_pool_t *pool, struct sum *result)
{
	static const gsync_scan_t scan = { sizeof(struct sum), &none, add_and_write, join };

	return gsync_parallel_scan(pool, COUNT, &scan, NULL, result, &ordered);
}

static void a_reduction_without_memory_leaves_its_result(void **state)
{
	(void)state;
	assert_int_equal(without_memory(reduce), 1);
}

static void a_scan_without_memory_writes_nothing(void **state)
{
	(void)state;
	assert_int_equal(without_memory(scan), 2);
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(written[i], i * (i + 1) / 2);
}

static void sums_beyond_all_memory_are_refused(void **state)
{
	const gsync_reduction_t reduction = { SIZE_MAX / 2, &none, add, join };
	const gsync_scan_t scan = { SIZE_MAX / 2, &none, add_and_write, join };
	struct sum result = { .value = 77 };

	(void)state;
	assert_int_equal(gsync_parallel_reduce(NULL, COUNT, &reduction, NULL, &result, NULL), ENOMEM);
	assert_int_equal(gsync_parallel_scan(NULL, COUNT, &scan, NULL, &result, &ordered), ENOMEM);
	assert_int_equal(result.value, 77);
}

/* ---- recordings */

static const char text[] = "guestsync recording 1\n"
			   "origin composed\n"
			   "note one\n"
			   "note two\n"
			   "cpuid 1 = 1 2 3 4\n"
			   "file /a\n"
			   "| content\n"
			   "| more of it\n"
			   "expect container none\n"
			   "measured pause_why a reason\n";

static void a_recording_is_read_whole_or_not_at_all(void **state)
{
	static const struct gsync_recording empty;
	struct gsync_recording_error error;
	struct gsync_recording recording;
	uint32_t failures = 0;

	(void)state;
	for (;; failures++) {
		bool accepted;

		let_fail(failures);
		accepted = gsync_recording_parse(&recording, text, strlen(text), &error);
		if (!let_succeed())
			break;
		assert_false(accepted);
		assert_memory_equal(&recording, &empty, sizeof(empty));
		assert_true(error.reason[0] != '\0');
	}
	assert_true(failures >= 12);
	assert_int_equal(recording.leaf_count, 1);
	assert_int_equal(recording.file_count, 1);
	assert_int_equal(recording.expectation_count, 1);
	assert_string_equal(recording.note, "one\ntwo");
	gsync_recording_free(&recording);
}

/* The copy of a recorded machine: what the recorder cannot keep it says, and the answers are those of the machine. */
static void a_recorder_that_could_not_keep_everything_says_so(void **state)
{
	struct gsync_recording_error error;
	struct gsync_recording inner, out;
	struct gsync_source source;
	uint32_t failures = 0;

	(void)state;
	assert_true(gsync_recording_parse(&inner, text, strlen(text), &error));
	source = gsync_recording_source(&inner);
	for (;; failures++) {
		struct gsync_recorder recorder = { .inner = &source, .recording = &out };
		struct gsync_source recording;
		struct gsync_cpuid regs;
		char content[64];

		memset(&out, 0, sizeof(out));
		recording = gsync_recorder_source(&recorder);
		let_fail(failures);
		assert_true(recording.cpuid(recording.context, 1, 0, &regs));
		assert_int_equal(regs.ebx, 2);
		assert_true(recording.read_file(recording.context, "/a", content, sizeof(content)) > 0);
		assert_string_equal(content, "content\nmore of it\n");
		if (!let_succeed()) {
			assert_int_equal(recorder.error, 0);
			break;
		}
		assert_int_equal(recorder.error, ENOMEM);
		gsync_recording_free(&out);
	}
	assert_true(failures >= 4);
	gsync_recording_free(&out);
	gsync_recording_free(&inner);
}

static void measurements_are_taken_with_all_their_texts_or_not_at_all(void **state)
{
	static const struct gsync_calibration measured = { .pause_ns = 5, .pause_why = "one", .wake_why = "two" };
	struct gsync_recording recording = { .note = NULL };

	(void)state;
	for (uint32_t after = 0; after < 2; after++) {
		let_fail(after);
		assert_int_equal(gsync_recording_set_measured(&recording, &measured), ENOMEM);
		assert_true(let_succeed());
		assert_null(recording.measured.pause_why);
		assert_true(recording.measured.pause_ns == 0);
	}
	assert_int_equal(gsync_recording_set_measured(&recording, &measured), 0);
	assert_string_equal(recording.measured.wake_why, "two");
	gsync_recording_free(&recording);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_without_its_page_has_no_mark),
		cmocka_unit_test_setup(without_a_pool_loops_run_in_the_caller_and_tasks_are_refused, four_cpus),
		cmocka_unit_test_setup(a_pool_is_made_whole_or_not_at_all, four_cpus),
		cmocka_unit_test_setup(a_task_that_finds_no_room_is_refused, four_cpus),
		cmocka_unit_test_setup(a_task_is_taken_back_when_no_thread_may_be_started, four_cpus),
		cmocka_unit_test(nothing_else_is_taken_back),
		cmocka_unit_test_setup(an_isolated_waiter_finds_its_task_below_others, four_cpus),
		cmocka_unit_test_setup(a_reduction_without_memory_leaves_its_result, four_cpus),
		cmocka_unit_test_setup(a_scan_without_memory_writes_nothing, four_cpus),
		cmocka_unit_test_setup(sums_beyond_all_memory_are_refused, four_cpus),
		cmocka_unit_test(a_recording_is_read_whole_or_not_at_all),
		cmocka_unit_test(a_recorder_that_could_not_keep_everything_says_so),
		cmocka_unit_test(measurements_are_taken_with_all_their_texts_or_not_at_all),
	};

	return cmocka_run_group_tests_name("shortage", tests, NULL, NULL);
}
