/* SPDX-License-Identifier: MIT */
/* What gsync_spinlock and gsync_mutex promise beyond the contract of every lock. */
#include "tests/unit/support.h"

#include "detect/tuning.h"
#include "primitives/futex.h"
#include "primitives/lockword.h"
#include "primitives/solo.h"

#include <guestsync/mutex.h>
#include <guestsync/profile.h>
#include <guestsync/spinlock.h>

#include <sched.h>

#define SLEEPERS (1u << 16)
#define GRANTED (1u << 18)

static void spinlock_init_refuses_an_unknown_flag(void **state)
{
	gsync_spinlock_t lock = GSYNC_SPINLOCK_INIT;

	(void)state;
	assert_int_equal(gsync_spinlock_init(&lock, 2), EINVAL);
	assert_int_equal(gsync_spinlock_init(&lock, GSYNC_PROCESS_PRIVATE), 0);
	assert_int_equal(gsync_spinlock_init(&lock, GSYNC_PROCESS_SHARED), 0);
}

static void mutex_init_refuses_an_unknown_flag(void **state)
{
	gsync_mutex_t mutex = GSYNC_MUTEX_INIT;

	(void)state;
	assert_int_equal(gsync_mutex_init(&mutex, 2), EINVAL);
	assert_int_equal(gsync_mutex_init(&mutex, GSYNC_PROCESS_PRIVATE), 0);
	assert_int_equal(gsync_mutex_init(&mutex, GSYNC_PROCESS_SHARED), 0);
}

static void destroy_refuses_a_held_lock(void **state)
{
	gsync_spinlock_t lock = GSYNC_SPINLOCK_INIT;
	gsync_mutex_t mutex = GSYNC_MUTEX_INIT;

	(void)state;
	gsync_spinlock_lock(&lock);
	assert_int_equal(gsync_spinlock_destroy(&lock), EBUSY);
	gsync_spinlock_unlock(&lock);
	assert_int_equal(gsync_spinlock_destroy(&lock), 0);
	gsync_mutex_lock(&mutex);
	assert_int_equal(gsync_mutex_destroy(&mutex), EBUSY);
	gsync_mutex_unlock(&mutex);
	assert_int_equal(gsync_mutex_destroy(&mutex), 0);
}

static void zeroed_memory_is_an_unlocked_lock(void **state)
{
	gsync_spinlock_t lock;
	gsync_mutex_t mutex;

	(void)state;
	memset(&lock, 0, sizeof(lock));
	memset(&mutex, 0, sizeof(mutex));
	assert_int_equal(gsync_spinlock_trylock(&lock), 0);
	assert_int_equal(gsync_mutex_trylock(&mutex), 0);
	gsync_spinlock_unlock(&lock);
	gsync_mutex_unlock(&mutex);
}

static void errno_survives_a_wait(void **state)
{
	gsync_mutex_t mutex = GSYNC_MUTEX_INIT;
	struct timespec soon = test_deadline(5);

	(void)state;
	gsync_mutex_lock(&mutex);
	errno = EXDEV;
	assert_int_equal(gsync_mutex_timedlock(&mutex, &soon), ETIMEDOUT);
	assert_int_equal(errno, EXDEV);
	gsync_mutex_unlock(&mutex);
	assert_int_equal(errno, EXDEV);
}

struct crowd {
	gsync_mutex_t mutex;
	uint32_t done;
	uint32_t stop;
};

static void *pass_once(void *argument)
{
	struct crowd *crowd = argument;

	gsync_mutex_lock(&crowd->mutex);
	gsync_mutex_unlock(&crowd->mutex);
	__atomic_fetch_add(&crowd->done, 1u, __ATOMIC_RELEASE);
	return NULL;
}

/* The second half of a plain unlock, whose look at the waiters lies any time back. */
static void store_of_a_plain_unlock(gsync_mutex_t *mutex)
{
	__atomic_store_n(&mutex->lock.byte[0], (uint8_t)0, __ATOMIC_RELEASE);
}

/*
 * The hole in the plain unlock, forced open: the holder has looked, seen nobody,
 * and is stopped before its store, during which all waiters fall asleep.
 */
static void sleepers_missed_by_a_plain_unlock_get_the_lock_all_the_same(void **state)
{
	(void)state;
	if (!GSYNC_LOCKWORD_PLAIN_STORE_)
		skip();
	for (int i = 0; i < 20; i++) {
		struct crowd crowd = { GSYNC_MUTEX_INIT, 0, 0 };
		pthread_t threads[3];

		gsync_mutex_lock(&crowd.mutex);
		for (int k = 0; k < 3; k++)
			threads[k] = test_thread(pass_once, &crowd);
		test_until_set(&crowd.mutex.lock.word, SLEEPERS);
		test_sleep_ms(i % 4);
		store_of_a_plain_unlock(&crowd.mutex);
		for (int k = 0; k < 3; k++)
			test_join(threads[k]);
		assert_int_equal(crowd.done, 3);
	}
}

/* The same, and the one sleeper with a timeout, whose duty the repair is, gives up meanwhile. */
static void *give_up_soon(void *argument)
{
	struct crowd *crowd = argument;
	struct timespec soon = test_deadline(3);

	if (gsync_mutex_timedlock(&crowd->mutex, &soon) == 0)
		gsync_mutex_unlock(&crowd->mutex);
	__atomic_fetch_add(&crowd->done, 1u, __ATOMIC_RELEASE);
	return NULL;
}

static void a_guard_that_gives_up_leaves_no_one_behind(void **state)
{
	(void)state;
	if (!GSYNC_LOCKWORD_PLAIN_STORE_)
		skip();
	for (int i = 0; i < 20; i++) {
		struct crowd crowd = { GSYNC_MUTEX_INIT, 0, 0 };
		pthread_t guard;
		pthread_t other;

		gsync_mutex_lock(&crowd.mutex);
		guard = test_thread(give_up_soon, &crowd);
		/* On a slow machine its time may be over before it sleeps. */
		while ((__atomic_load_n(&crowd.mutex.lock.word, __ATOMIC_ACQUIRE) & SLEEPERS) == 0 &&
		       __atomic_load_n(&crowd.done, __ATOMIC_ACQUIRE) == 0)
			sched_yield();
		other = test_thread(pass_once, &crowd);
		test_sleep_ms(i % 8);
		store_of_a_plain_unlock(&crowd.mutex);
		test_join(guard);
		test_join(other);
		assert_int_equal(crowd.done, 2);
	}
}

/*
 * A bug once: the child inherits the mark of a guard, but not the guard, so a
 * sleeper that an unlock missed there slept for ever.
 */
static void a_forked_child_does_not_count_on_its_parents_guard(void **state)
{
	struct crowd crowd = { GSYNC_MUTEX_INIT, 0, 0 };
	pthread_t guard;
	pid_t child;

	(void)state;
	if (!GSYNC_LOCKWORD_PLAIN_STORE_)
		skip();
	gsync_mutex_lock(&crowd.mutex);
	guard = test_thread(pass_once, &crowd);
	test_until_set(&crowd.mutex.lock.word, SLEEPERS);
	child = fork();
	assert_int_not_equal(child, -1);
	gsync_mutex_unlock(&crowd.mutex);
	if (child == 0) {
		pthread_t sleeper;

		gsync_mutex_lock(&crowd.mutex);
		sleeper = test_thread(pass_once, &crowd);
		test_until_set(&crowd.mutex.lock.word, SLEEPERS);
		test_sleep_ms(3);
		store_of_a_plain_unlock(&crowd.mutex);
		test_join(sleeper);
		_exit(crowd.done == 1 ? 0 : 1);
	}
	test_join(guard);
	test_child_succeeded(child);
}

/* The mark must change with every fork, whatever the PIDs. */
static void each_generation_of_forks_has_its_own_mark(void **state)
{
	uint32_t *marks = test_shared_memory(4096);
	pid_t child;

	(void)state;
	if (!GSYNC_LOCKWORD_PLAIN_STORE_)
		skip();
	for (int generation = 0; generation < 4; generation++) {
		struct crowd crowd = { GSYNC_MUTEX_INIT, 0, 0 };
		pthread_t sleeper;

		gsync_mutex_lock(&crowd.mutex);
		sleeper = test_thread(pass_once, &crowd);
		test_until_set(&crowd.mutex.lock.word, SLEEPERS);
		marks[generation] = crowd.mutex.lock.byte[1];
		gsync_mutex_unlock(&crowd.mutex);
		test_join(sleeper);
		child = fork();
		assert_int_not_equal(child, -1);
		if (child != 0) {
			int status;

			waitpid(child, &status, 0);
			if (generation > 0)
				_exit(0);
			break;
		}
	}
	if (child == 0)
		_exit(0);
	for (int i = 0; i < 4; i++)
		for (int k = 0; k < i; k++)
			assert_int_not_equal(marks[i], marks[k]);
	munmap(marks, 4096);
}

static void a_shared_mutex_is_never_handed_over(void **state)
{
	gsync_mutex_t mutex;

	(void)state;
	assert_int_equal(gsync_mutex_init(&mutex, GSYNC_PROCESS_SHARED), 0);
	gsync_mutex_lock(&mutex);
	__atomic_fetch_or(&mutex.lock.word, SLEEPERS, __ATOMIC_RELAXED);
	assert_false(gsync_lockword_hand_over(&mutex.lock));
	assert_true((mutex.lock.word & 6u << 16) == 0);
	gsync_mutex_unlock(&mutex);
	assert_int_equal(gsync_mutex_destroy(&mutex), 0);
}

/* Holds the mutex nearly all the time; without a hand-over a sleeper would wait for luck. */
static void *hog(void *argument)
{
	struct crowd *crowd = argument;

	while (__atomic_load_n(&crowd->stop, __ATOMIC_RELAXED) == 0) {
		gsync_mutex_lock(&crowd->mutex);
		test_sleep_ms(2);
		gsync_mutex_unlock(&crowd->mutex);
	}
	return NULL;
}

static void a_sleeper_gets_a_mutex_that_another_retakes_at_once(void **state)
{
	struct crowd crowd = { GSYNC_MUTEX_INIT, 0, 0 };
	pthread_t greedy = test_thread(hog, &crowd);

	(void)state;
	for (int i = 0; i < 20; i++)
		pass_once(&crowd);
	__atomic_store_n(&crowd.stop, 1u, __ATOMIC_RELAXED);
	test_join(greedy);
	assert_int_equal(crowd.done, 20);
}

static void a_hand_over_finds_nobody_and_the_mutex_stays_held(void **state)
{
	gsync_mutex_t mutex = GSYNC_MUTEX_INIT;

	(void)state;
	gsync_mutex_lock(&mutex);
	assert_false(gsync_lockword_hand_over(&mutex.lock));
	/* Sleepers are announced, but none sleeps any more. */
	__atomic_fetch_or(&mutex.lock.word, SLEEPERS, __ATOMIC_RELAXED);
	assert_false(gsync_lockword_hand_over(&mutex.lock));
	assert_int_equal(gsync_mutex_trylock(&mutex), EBUSY);
	gsync_mutex_unlock(&mutex);
	assert_int_equal(gsync_mutex_trylock(&mutex), 0);
	gsync_mutex_unlock(&mutex);
}

/* Pressure or throttling, for so many TICKS. */
static void set_until(uint64_t *until, bool on, uint64_t ticks)
{
	__atomic_store_n(until, on ? gsync_ticks() + ticks : 0, __ATOMIC_RELAXED);
}

/* A process that has used up its quota, for a while. */
static void throttle(void)
{
	const struct gsync_tuning tuning = gsync_tuning();

	set_until(&gsync_live.throttled_until, true, tuning.throttled_most);
}

static void set_threshold(const char *name, uint64_t value)
{
	assert_int_equal(gsync_profile_set(name, value), 0);
}

static int throttled_set_up(void **state)
{
	(void)state;
	set_threshold("spin_ns", 0);
	set_threshold("fair_ns", 1000000000);
	return 0;
}

static int throttled_tear_down(void **state)
{
	(void)state;
	set_until(&gsync_live.throttled_until, false, 0);
	return gsync_profile_reset(NULL);
}

static void *pass_once_spinlock(void *argument)
{
	gsync_spinlock_lock(argument);
	gsync_spinlock_unlock(argument);
	return NULL;
}

/* Returns the lock's word right after it was released while a thread slept on it. */
static uint32_t release_beside_a_sleeper(gsync_spinlock_t *lock, bool throttled)
{
	pthread_t sleeper;
	uint32_t word;

	gsync_spinlock_lock(lock);
	sleeper = test_thread(pass_once_spinlock, lock);
	test_until_set(&lock->lock.word, SLEEPERS);
	test_sleep_ms(1);
	if (throttled)
		throttle();
	gsync_spinlock_unlock(lock);
	word = __atomic_load_n(&lock->lock.word, __ATOMIC_RELAXED);
	test_join(sleeper);
	set_until(&gsync_live.throttled_until, false, 0);
	return word;
}

static void a_throttled_process_wakes_seldom_and_the_guard_finds_the_lock(void **state)
{
	gsync_spinlock_t lock = GSYNC_SPINLOCK_INIT;

	(void)state;
	if (!GSYNC_LOCKWORD_PLAIN_STORE_)
		skip();
	set_threshold("repair_ns", 1000000000);
	release_beside_a_sleeper(&lock, true); /* this thread's first for long, so it wakes */
	assert_int_equal(release_beside_a_sleeper(&lock, true) & (SLEEPERS | 1), SLEEPERS);
	assert_int_equal(lock.lock.word, 0);
	assert_int_not_equal(release_beside_a_sleeper(&lock, false) & (SLEEPERS | 1), SLEEPERS);
	assert_int_equal(lock.lock.word, 0);
}

static void a_wake_up_is_not_spared_without_a_guard_of_this_process(void **state)
{
	static const uint32_t strangers[] = { 0, 0x7f00, 0x5500 };
	gsync_spinlock_t lock = GSYNC_SPINLOCK_INIT;

	(void)state;
	if (!GSYNC_LOCKWORD_PLAIN_STORE_)
		skip();
	release_beside_a_sleeper(&lock, true);
	for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++) {
		throttle();
		lock.lock.word = SLEEPERS | strangers[i] | 1;
		gsync_spinlock_unlock(&lock);
		assert_int_equal(lock.lock.word, strangers[i]);
	}
}

struct stand_in {
	uint32_t *word;
	uint32_t seen;
	uint32_t channel;
	enum gsync_sleep sleep;
	bool up;
};

/* For a waiter: it sleeps, as one does on its CPU, but leaves the lock alone. */
static void *sleep_once(void *argument)
{
	struct stand_in *self = argument;

	self->sleep = gsync_futex_wait(self->word, self->seen, self->channel, NULL, false);
	__atomic_store_n(&self->up, true, __ATOMIC_RELEASE);
	return NULL;
}

static bool was_woken(const struct stand_in *sleeper)
{
	return __atomic_load_n(&sleeper->up, __ATOMIC_ACQUIRE) && sleeper->sleep == GSYNC_SLEEP_WOKEN;
}

enum { HERE_FIRST, HERE_NEXT, LAST, STAND_INS };

struct release {
	bool pressed;
	bool throttled;
	bool last_is_elsewhere; /* sleeps on another CPU */
	bool wakes[STAND_INS];
};

static void unlock_as(const struct release *release, gsync_spinlock_t *lock)
{
	set_until(&gsync_live.pressed_until, release->pressed, gsync_live.look_interval);
	set_until(&gsync_live.throttled_until, release->throttled, gsync_tuning().throttled_most / 2);
	gsync_spinlock_unlock(lock);
	set_until(&gsync_live.pressed_until, false, 0);
	set_until(&gsync_live.throttled_until, false, 0);
}

static bool all_are_up(const struct release *release, const struct stand_in *sleepers)
{
	for (int i = 0; i < STAND_INS; i++) {
		if (release->wakes[i] && !was_woken(&sleepers[i]))
			return false;
	}
	return true;
}

/* Three fall asleep within MS each. Returns whether a release wakes whom it should, and nobody else. */
static bool release_does_so(const struct release *release, long ms)
{
	gsync_spinlock_t lock = { .lock = { .word = SLEEPERS | 1 } };
	uint32_t here = (uint32_t)sched_getcpu() % 32;
	struct timespec late = test_deadline(100);
	struct stand_in sleepers[STAND_INS];
	pthread_t threads[STAND_INS];
	bool does_so = true;

	for (int i = 0; i < STAND_INS; i++) {
		uint32_t cpu = i == LAST && release->last_is_elsewhere ? (here + 1) % 32 : here;

		sleepers[i] = (struct stand_in){ .word = &lock.lock.word, .seen = SLEEPERS | 1, .channel = 1u << cpu };
		threads[i] = test_thread(sleep_once, &sleepers[i]);
		test_sleep_ms(ms);
	}
	unlock_as(release, &lock);
	while (!all_are_up(release, sleepers) && !test_has_passed(&late))
		test_sleep_ms(1);
	test_sleep_ms(ms);
	for (int i = 0; i < STAND_INS; i++)
		does_so &= was_woken(&sleepers[i]) == release->wakes[i];
	for (int i = 0; i < STAND_INS; i++) {
		while (!__atomic_load_n(&sleepers[i].up, __ATOMIC_ACQUIRE))
			gsync_futex_wake(&lock.lock.word, GSYNC_WAKE_ALL, GSYNC_ANYBODY, false);
		test_join(threads[i]);
	}
	return does_so;
}

/* One of TIMES releases, which take longer and longer: on a busy machine some fall asleep too late, and one in some wakes in order. */
static void assert_a_release_does_so(const struct release *release, int times)
{
	cpu_set_t allowed, one;
	bool does_so = false;

	gsync_tune();
	set_threshold("usable_cpus", 2);
	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	assert_int_equal(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	for (int i = 0; i < times && !does_so; i++)
		does_so = release_does_so(release, 1 + i * i / 4);
	sched_setaffinity(0, sizeof(allowed), &allowed);
	gsync_profile_reset("usable_cpus");
	assert_true(does_so);
}

/* Who was woken on the releasing thread's CPU waited for it, and nobody woke the other CPU. */
static void a_release_wakes_another_cpu_first(void **state)
{
	static const struct release elsewhere = { .last_is_elsewhere = true, .wakes = { [LAST] = true } };
	static const struct release here = { .wakes = { [HERE_FIRST] = true } };

	(void)state;
	assert_a_release_does_so(&elsewhere, 20);
	assert_a_release_does_so(&here, 20);
}

static void a_release_under_pressure_wakes_another_cpu_too(void **state)
{
	static const struct release pressed = {
		.pressed = true, .last_is_elsewhere = true, .wakes = { [HERE_FIRST] = true, [LAST] = true }
	};

	(void)state;
	assert_a_release_does_so(&pressed, 20);
}

/* Half a CPU, and 8 threads: 0.91 of the throughput. */
static void a_release_under_a_quota_wakes_in_order(void **state)
{
	static const struct release throttled = {
		.pressed = true, .throttled = true, .last_is_elsewhere = true, .wakes = { [HERE_FIRST] = true }
	};

	(void)state;
	/* A few: one in some would be in order anyhow. */
	for (int i = 0; i < 3; i++)
		assert_a_release_does_so(&throttled, 5);
}

static void a_sleeper_of_the_releasing_cpu_is_not_passed_over_for_ever(void **state)
{
	static const struct release in_order = { .last_is_elsewhere = true, .wakes = { [HERE_FIRST] = true } };

	(void)state;
	assert_a_release_does_so(&in_order, 40);
}

static void *alone_and_aloud(void *argument)
{
	struct crowd *crowd = argument;

	while (__atomic_load_n(&crowd->stop, __ATOMIC_RELAXED) == 0) {
		gsync_mutex_lock(&crowd->mutex);
		gsync_mutex_unlock(&crowd->mutex);
	}
	return NULL;
}

/* Solo begins and ends under the feet of the waiters, timed ones among them: all get the lock, or give up in time. */
static void solo_comes_and_goes_and_nobody_is_left_behind(void **state)
{
	struct crowd crowd = { GSYNC_MUTEX_INIT, 0, 0 };
	pthread_t threads[4];
	int got = 0;

	(void)state;
	if (!GSYNC_LOCKWORD_PLAIN_STORE_)
		skip();
	for (int i = 0; i < 4; i++)
		threads[i] = test_thread(alone_and_aloud, &crowd);
	for (int i = 0; i < 200; i++) {
		struct timespec soon = test_deadline(i % 5);
		int result;

		gsync_mutex_lock(&crowd.mutex);
		if (i % 2 == 0)
			__atomic_fetch_or(&crowd.mutex.lock.word, GSYNC_SOLO, __ATOMIC_RELAXED);
		else
			__atomic_fetch_and(&crowd.mutex.lock.word, ~GSYNC_SOLO, __ATOMIC_RELAXED);
		gsync_mutex_unlock(&crowd.mutex);
		result = gsync_mutex_timedlock(&crowd.mutex, &soon);
		assert_true(result == 0 || result == ETIMEDOUT);
		if (result == 0) {
			got++;
			gsync_mutex_unlock(&crowd.mutex);
		}
	}
	__atomic_store_n(&crowd.stop, 1u, __ATOMIC_RELAXED);
	for (int i = 0; i < 4; i++)
		test_join(threads[i]);
	assert_in_range(got, 1, 200);
	assert_int_equal(crowd.mutex.lock.word & 1, 0);
}

static void *holds_for_long(void *argument)
{
	struct crowd *crowd = argument;

	while (__atomic_load_n(&crowd->stop, __ATOMIC_RELAXED) == 0) {
		struct timespec end;

		gsync_mutex_lock(&crowd->mutex);
		__atomic_store_n(&crowd->done, 1u, __ATOMIC_RELEASE);
		end = test_deadline(1);
		while (!test_has_passed(&end))
			;
		gsync_mutex_unlock(&crowd->mutex);
	}
	return NULL;
}

/* Its turns fell into the long critical sections of one that let go of the mutex for nanoseconds only. */
static void a_waiter_that_cannot_have_its_turn_ends_solo(void **state)
{
	struct crowd crowd = { GSYNC_MUTEX_INIT, 0, 0 };
	pthread_t thread;

	(void)state;
	if (!GSYNC_LOCKWORD_PLAIN_STORE_)
		skip();
	crowd.mutex.lock.word = GSYNC_SOLO;
	thread = test_thread(holds_for_long, &crowd);
	test_until_count(&crowd.done, 1);
	for (int i = 0; i < 5; i++) {
		struct timespec late = test_deadline(10000);

		assert_int_equal(gsync_mutex_timedlock(&crowd.mutex, &late), 0);
		gsync_mutex_unlock(&crowd.mutex);
	}
	__atomic_store_n(&crowd.stop, 1u, __ATOMIC_RELAXED);
	test_join(thread);
}

/* Whoever was woken for it has no CPU: in this test it does not even exist. */
static void a_grant_that_nobody_takes_falls_to_one_who_waits(void **state)
{
	gsync_mutex_t mutex = GSYNC_MUTEX_INIT;
	struct timespec late = test_deadline(10000);

	(void)state;
	mutex.lock.word = GRANTED | SLEEPERS | 1;
	assert_int_equal(gsync_mutex_timedlock(&mutex, &late), 0);
	assert_false(test_has_passed(&late));
	assert_int_equal(mutex.lock.word, SLEEPERS | 1);
	gsync_mutex_unlock(&mutex);
	assert_int_equal(mutex.lock.word, 0);
}

/* A holder that releases and stays away: what is spared then costs time. */
static void a_throttled_process_wakes_again_when_guards_find_the_lock_free_all_the_time(void **state)
{
	gsync_spinlock_t lock = GSYNC_SPINLOCK_INIT;
	struct timespec late = test_deadline(10000);
	int spared = 1;

	(void)state;
	if (!GSYNC_LOCKWORD_PLAIN_STORE_)
		skip();
	set_threshold("repair_ns", 30000000);
	/* Guards of the tests before this one may have found as much. */
	while ((release_beside_a_sleeper(&lock, true) & (SLEEPERS | 1)) != SLEEPERS)
		assert_false(test_has_passed(&late));
	for (int i = 0; i < 30; i++)
		spared += (release_beside_a_sleeper(&lock, true) & (SLEEPERS | 1)) == SLEEPERS;
	assert_in_range(spared, 1, 20);
}

static int reset_thresholds(void **state)
{
	(void)state;
	return gsync_profile_reset(NULL);
}

/* As under emulation, and not under pressure, in which there are none. */
static void look_for_seconds(void)
{
	__atomic_store_n(&gsync_live.first_looks, UINT32_MAX, __ATOMIC_RELAXED);
	set_until(&gsync_live.pressed_until, false, 0);
}

/* Who has to sleep, if it were not for them: patience is 0. */
static void first_looks_spare_a_sleep(void **state)
{
	gsync_spinlock_t lock = GSYNC_SPINLOCK_INIT;
	pthread_t waiter;
	uint32_t word;

	(void)state;
	set_threshold("spin_ns", 0);
	look_for_seconds();
	gsync_spinlock_lock(&lock);
	waiter = test_thread(pass_once_spinlock, &lock);
	test_sleep_ms(20);
	word = __atomic_load_n(&lock.lock.word, __ATOMIC_RELAXED);
	gsync_spinlock_unlock(&lock);
	test_join(waiter);
	assert_int_equal(word & SLEEPERS, 0);
}

static void under_pressure_no_first_looks_hold_up_a_sleep(void **state)
{
	gsync_spinlock_t lock = GSYNC_SPINLOCK_INIT;
	pthread_t waiter;
	uint64_t used_ns;

	(void)state;
	set_threshold("spin_ns", 0);
	set_threshold("look_ns", 1000000000);
	look_for_seconds();
	set_until(&gsync_live.pressed_until, true, gsync_live.look_interval);
	gsync_spinlock_lock(&lock);
	waiter = test_thread(pass_once_spinlock, &lock);
	test_until_set(&lock.lock.word, SLEEPERS);
	used_ns = test_cpu_ns(waiter);
	gsync_spinlock_unlock(&lock);
	test_join(waiter);
	set_until(&gsync_live.pressed_until, false, 0);
	assert_true(used_ns < 500000000);
}

struct failures {
	gsync_spinlock_t lock;
	int of_nonsense, of_past;
	uint64_t cpu_ns;
};

static void *fail_at_once(void *argument)
{
	struct failures *failures = argument;
	struct timespec past = { .tv_sec = 1 }, nonsense = { .tv_nsec = -1 };

	failures->of_nonsense = gsync_spinlock_timedlock(&failures->lock, &nonsense);
	__atomic_fetch_or(&failures->lock.lock.word, GSYNC_SOLO, __ATOMIC_RELAXED);
	failures->of_past = gsync_spinlock_timedlock(&failures->lock, &past);
	failures->cpu_ns = test_cpu_ns(pthread_self());
	return NULL;
}

/* By a new thread: one wait in some does without the looks, but not the first. */
static void first_looks_come_after_the_deadlines_check_and_not_in_solo(void **state)
{
	struct failures failures = { .lock = GSYNC_SPINLOCK_INIT };

	(void)state;
	look_for_seconds();
	gsync_spinlock_lock(&failures.lock);
	test_join(test_thread(fail_at_once, &failures));
	gsync_spinlock_unlock(&failures.lock);
	assert_int_equal(failures.of_nonsense, EINVAL);
	assert_int_equal(failures.of_past, ETIMEDOUT);
	assert_true(failures.cpu_ns < 500000000);
}

#define VAIN_WAKE_UPS 5

/* They are in vain since the lock is held all the time. Returns the CPU time that the waiter used, in ns. */
static uint64_t wake_in_vain(gsync_spinlock_t *lock)
{
	pthread_t waiter;
	uint64_t used_ns;

	gsync_spinlock_lock(lock);
	waiter = test_thread(pass_once_spinlock, lock);
	test_until_set(&lock->lock.word, SLEEPERS);
	set_threshold("spin_ns", 200000000);
	set_threshold("woken_spin_ns", 0);
	for (int woken = 0; woken < VAIN_WAKE_UPS;) {
		woken += (int)gsync_futex_wake(&lock->lock.word, 1, GSYNC_ANYBODY, false);
		test_sleep_ms(1);
	}
	used_ns = test_cpu_ns(waiter);
	gsync_spinlock_unlock(lock);
	test_join(waiter);
	return used_ns;
}

static void who_was_woken_in_vain_sleeps_on(void **state)
{
	gsync_spinlock_t lock = GSYNC_SPINLOCK_INIT;

	(void)state;
	set_threshold("spin_ns", 0);
	set_threshold("repair_ns", 1000000000);
	assert_true(wake_in_vain(&lock) < (VAIN_WAKE_UPS - 1) * 200000000 / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spinlock_init_refuses_an_unknown_flag),
		cmocka_unit_test(mutex_init_refuses_an_unknown_flag),
		cmocka_unit_test(destroy_refuses_a_held_lock),
		cmocka_unit_test(zeroed_memory_is_an_unlocked_lock),
		cmocka_unit_test(errno_survives_a_wait),
		cmocka_unit_test(sleepers_missed_by_a_plain_unlock_get_the_lock_all_the_same),
		cmocka_unit_test(a_guard_that_gives_up_leaves_no_one_behind),
		cmocka_unit_test(a_forked_child_does_not_count_on_its_parents_guard),
		cmocka_unit_test(each_generation_of_forks_has_its_own_mark),
		cmocka_unit_test(a_shared_mutex_is_never_handed_over),
		cmocka_unit_test(a_sleeper_gets_a_mutex_that_another_retakes_at_once),
		cmocka_unit_test(a_hand_over_finds_nobody_and_the_mutex_stays_held),
		cmocka_unit_test(a_release_wakes_another_cpu_first),
		cmocka_unit_test(a_release_under_pressure_wakes_another_cpu_too),
		cmocka_unit_test(a_release_under_a_quota_wakes_in_order),
		cmocka_unit_test(a_sleeper_of_the_releasing_cpu_is_not_passed_over_for_ever),
		cmocka_unit_test(solo_comes_and_goes_and_nobody_is_left_behind),
		cmocka_unit_test(a_waiter_that_cannot_have_its_turn_ends_solo),
		cmocka_unit_test(a_grant_that_nobody_takes_falls_to_one_who_waits),
		cmocka_unit_test_teardown(first_looks_spare_a_sleep, reset_thresholds),
		cmocka_unit_test_teardown(under_pressure_no_first_looks_hold_up_a_sleep, reset_thresholds),
		cmocka_unit_test_teardown(first_looks_come_after_the_deadlines_check_and_not_in_solo, reset_thresholds),
		cmocka_unit_test_teardown(who_was_woken_in_vain_sleeps_on, reset_thresholds),
		cmocka_unit_test_setup_teardown(a_throttled_process_wakes_seldom_and_the_guard_finds_the_lock,
						throttled_set_up, throttled_tear_down),
		cmocka_unit_test_setup_teardown(a_wake_up_is_not_spared_without_a_guard_of_this_process, throttled_set_up,
						throttled_tear_down),
		cmocka_unit_test_setup_teardown(
			a_throttled_process_wakes_again_when_guards_find_the_lock_free_all_the_time, throttled_set_up,
			throttled_tear_down),
	};

	return cmocka_run_group_tests_name("lockword", tests, NULL, NULL);
}
