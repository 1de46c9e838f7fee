/* SPDX-License-Identifier: MIT */
/* What the unit tests share: CMocka, threads that must start, deadlines, shared memory. */
#ifndef GUESTSYNC_TESTS_SUPPORT_H
#define GUESTSYNC_TESTS_SUPPORT_H

/* CMocka wants these before itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "detect/clock.h"

#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN true
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN true
#endif
#endif
#ifndef UNDER_TSAN
#define UNDER_TSAN false
#endif

static inline struct timespec test_deadline(long ms)
{
	struct timespec deadline;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += ms / 1000;
	deadline.tv_nsec += ms % 1000 * 1000000;
	if (deadline.tv_nsec >= 1000000000) {
		deadline.tv_nsec -= 1000000000;
		deadline.tv_sec++;
	}
	return deadline;
}

static inline bool test_has_passed(const struct timespec *deadline)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > deadline->tv_sec || (now.tv_sec == deadline->tv_sec && now.tv_nsec >= deadline->tv_nsec);
}

static inline void test_sleep_ms(long ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&time, NULL);
}

static inline pthread_t test_thread(void *(*main)(void *), void *argument)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, main, argument), 0);
	return thread;
}

/* The CPU time that it has used, in ns. */
static inline uint64_t test_cpu_ns(pthread_t thread)
{
	struct timespec used;
	clockid_t clock;

	assert_int_equal(pthread_getcpuclockid(thread, &clock), 0);
	assert_int_equal(clock_gettime(clock, &used), 0);
	return gsync_timespec_ns(&used);
}

static inline void test_join(pthread_t thread)
{
	assert_int_equal(pthread_join(thread, NULL), 0);
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define TEST_STACKS_ARE_BLOATED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TEST_STACKS_ARE_BLOATED 1
#endif

/* Runs MAIN in a thread that would crash if it needed more than the smallest stack that POSIX allows. */
static inline void test_on_the_smallest_stack(void *(*main)(void *), void *argument)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
#ifndef TEST_STACKS_ARE_BLOATED /* a sanitizer's frames are larger */
	assert_int_equal(pthread_attr_setstacksize(&attributes, (size_t)PTHREAD_STACK_MIN), 0);
#endif
	assert_int_equal(pthread_create(&thread, &attributes, main, argument), 0);
	test_join(thread);
	pthread_attr_destroy(&attributes);
}

/* Zeroed memory that a forked child shares. */
static inline void *test_shared_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

/* The child must have ended by exit(0). */
static inline void test_child_succeeded(pid_t child)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Waits, without limit (the test runner has one), until *WORD has one of BITS. */
static inline void test_until_set(uint32_t *word, uint32_t bits)
{
	while ((__atomic_load_n(word, __ATOMIC_ACQUIRE) & bits) == 0)
		test_sleep_ms(1);
}

static inline void test_until_count(uint32_t *word, uint32_t count)
{
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) < count)
		test_sleep_ms(1);
}

#endif
