/* SPDX-License-Identifier: MIT */
/* The pthread_spin shim: POSIX's names, return values and process-shared locks, with our lock behind them. */
#include <guestsync/pthread_spin.h>

#include "tests/unit/support.h"

static pthread_spinlock_t lock;
static long counter;

static void the_type_is_ours_and_keeps_its_size(void **state)
{
	(void)state;
	assert_true(_Generic(&lock, gsync_spinlock_t *: true, default: false));
	assert_int_equal(sizeof(pthread_spinlock_t), 4);
}

static void init_refuses_an_unknown_sharing(void **state)
{
	(void)state;
	assert_int_equal(pthread_spin_init(&lock, 7), EINVAL);
	assert_int_equal(pthread_spin_init(&lock, PTHREAD_PROCESS_PRIVATE), 0);
	assert_int_equal(pthread_spin_destroy(&lock), 0);
}

static void returns_what_posix_says(void **state)
{
	(void)state;
	assert_int_equal(pthread_spin_init(&lock, PTHREAD_PROCESS_PRIVATE), 0);
	assert_int_equal(pthread_spin_lock(&lock), 0);
	assert_int_equal(pthread_spin_trylock(&lock), EBUSY);
	assert_int_equal(pthread_spin_destroy(&lock), EBUSY);
	assert_int_equal(pthread_spin_unlock(&lock), 0);
	assert_int_equal(pthread_spin_trylock(&lock), 0);
	assert_int_equal(pthread_spin_unlock(&lock), 0);
	assert_int_equal(pthread_spin_destroy(&lock), 0);
}

static void the_functions_have_addresses(void **state)
{
	int (*acquire)(volatile pthread_spinlock_t *) = pthread_spin_lock;
	int (*release)(volatile pthread_spinlock_t *) = &pthread_spin_unlock;

	(void)state;
	assert_int_equal(pthread_spin_init(&lock, PTHREAD_PROCESS_PRIVATE), 0);
	assert_int_equal(acquire(&lock), 0);
	assert_int_equal(release(&lock), 0);
}

static void *increment(void *argument)
{
	(void)argument;
	for (int i = 0; i < 20000; i++) {
		pthread_spin_lock(&lock);
		counter++;
		pthread_spin_unlock(&lock);
	}
	return NULL;
}

static void excludes_threads(void **state)
{
	pthread_t threads[4];

	(void)state;
	counter = 0;
	assert_int_equal(pthread_spin_init(&lock, PTHREAD_PROCESS_PRIVATE), 0);
	for (int i = 0; i < 4; i++)
		threads[i] = test_thread(increment, NULL);
	for (int i = 0; i < 4; i++)
		test_join(threads[i]);
	assert_int_equal(counter, 80000);
}

struct shared {
	pthread_spinlock_t lock;
	uint32_t started;
	long counter;
};

static void a_shared_lock_excludes_two_processes(void **state)
{
	struct shared *shared = test_shared_memory(sizeof(*shared));
	pid_t child;

	(void)state;
	assert_int_equal(pthread_spin_init(&shared->lock, PTHREAD_PROCESS_SHARED), 0);
	child = fork();
	assert_int_not_equal(child, -1);
	for (int i = 0; i < 50000; i++) {
		pthread_spin_lock(&shared->lock);
		shared->counter++;
		pthread_spin_unlock(&shared->lock);
	}
	if (child == 0)
		_exit(0);
	test_child_succeeded(child);
	assert_int_equal(shared->counter, 100000);
	munmap(shared, sizeof(*shared));
}

/* The state letter of a process: S when it sleeps. */
static char process_state(pid_t pid)
{
	char path[64];
	char text[512];
	char *after_name;
	FILE *file;
	size_t length;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "r");
	assert_non_null(file);
	length = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[length] = 0;
	after_name = strrchr(text, ')');
	assert_non_null(after_name);
	return after_name[2];
}

static void a_sleeper_in_one_process_is_woken_by_another(void **state)
{
	struct shared *shared = test_shared_memory(sizeof(*shared));
	pid_t child;

	(void)state;
	assert_int_equal(pthread_spin_init(&shared->lock, PTHREAD_PROCESS_SHARED), 0);
	pthread_spin_lock(&shared->lock);
	child = fork();
	assert_int_not_equal(child, -1);
	if (child == 0) {
		__atomic_store_n(&shared->started, 1u, __ATOMIC_RELEASE);
		pthread_spin_lock(&shared->lock);
		shared->counter++;
		pthread_spin_unlock(&shared->lock);
		_exit(0);
	}
	test_until_count(&shared->started, 1);
	/* A real sleep, not a long spin: with W set and the process off the CPU. */
	test_until_set(&shared->lock.lock.word, 1u << 16);
	while (process_state(child) != 'S')
		test_sleep_ms(1);
	assert_int_equal(shared->counter, 0);
	pthread_spin_unlock(&shared->lock);
	test_child_succeeded(child);
	assert_int_equal(shared->counter, 1);
	munmap(shared, sizeof(*shared));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_type_is_ours_and_keeps_its_size),
		cmocka_unit_test(init_refuses_an_unknown_sharing),
		cmocka_unit_test(returns_what_posix_says),
		cmocka_unit_test(the_functions_have_addresses),
		cmocka_unit_test(excludes_threads),
		cmocka_unit_test(a_shared_lock_excludes_two_processes),
		cmocka_unit_test(a_sleeper_in_one_process_is_woken_by_another),
	};

	return cmocka_run_group_tests_name("shim", tests, NULL, NULL);
}
