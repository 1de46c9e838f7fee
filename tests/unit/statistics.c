/* SPDX-License-Identifier: MIT */
/* Statistics: each number is exact where it is known what happens, whoever has ended or forked; off, nothing is counted. */
#include "tests/unit/support.h"

#include "detect/clock.h"
#include "primitives/tally.h"

#include <guestsync/guestsync.h>

#include <sys/syscall.h>

static int counting(void **state)
{
	(void)state;
	/* Nobody looks by itself whether it was forgotten, nor spins for long. */
	assert_int_equal(gsync_profile_set("repair_ns", 1000000000), 0);
	assert_int_equal(gsync_statistics_start(), 0);
	return 0;
}

static gsync_statistics_t of_process(void)
{
	gsync_statistics_t now;

	gsync_statistics_of_process(&now, sizeof(now));
	return now;
}

static gsync_statistics_t of_thread(void)
{
	gsync_statistics_t now;

	gsync_statistics_of_thread(&now, sizeof(now));
	return now;
}

/* ---- the locks, as one */

struct kind {
	size_t at; /* in gsync_statistics_t */
	void (*init)(void *lock);
	void (*lock)(void *lock);
	int (*trylock)(void *lock);
	int (*timedlock)(void *lock, const struct timespec *deadline);
	void (*unlock)(void *lock);
	bool (*has_sleepers)(void *lock);
	void (*wait_for_nothing)(void *lock); /* goes the way of a waiter, and has it at once */
};

/* Between processes: then each release wakes, and nobody has a timeout. */
#define KIND(type)												       \
	static void type##_init_shared(void *lock)								       \
	{													       \
		assert_int_equal(type##_init(lock, GSYNC_PROCESS_SHARED), 0);					       \
	}													       \
	static void type##_take(void *lock)									       \
	{													       \
		type##_lock(lock);										       \
	}													       \
	static int type##_try(void *lock)									       \
	{													       \
		return type##_trylock(lock);									       \
	}													       \
	static int type##_timed(void *lock, const struct timespec *deadline)					       \
	{													       \
		return type##_timedlock(lock, deadline);							       \
	}													       \
	static void type##_release(void *lock)									       \
	{													       \
		type##_unlock(lock);										       \
	}

KIND(gsync_spinlock)
KIND(gsync_mutex)
KIND(gsync_oticket)

static bool word_has_sleepers(void *lock)
{
	return (__atomic_load_n((uint32_t *)lock, __ATOMIC_ACQUIRE) & 1u << 16) != 0;
}

static bool ticket_has_sleepers(void *lock)
{
	gsync_oticket_t *oticket = lock;

	return (__atomic_load_n(&oticket->turn[1], __ATOMIC_ACQUIRE) >> 32 & 0xfff) != 0;
}

static void spinlock_for_nothing(void *lock)
{
	gsync_spinlock_lock_slow_(lock);
}

static void mutex_for_nothing(void *lock)
{
	gsync_mutex_lock_slow_(lock);
}

static void ticket_for_nothing(void *lock)
{
	gsync_oticket_t *oticket = lock;

	gsync_oticket_lock_slow_(lock, __atomic_fetch_add(&oticket->next, 1u, __ATOMIC_RELAXED));
}

#define ROW(name, type, sleepers, for_nothing)									       \
	{													       \
		offsetof(gsync_statistics_t, name), type##_init_shared, type##_take, type##_try,		       \
			type##_timed, type##_release, sleepers, for_nothing					       \
	}

static const struct kind kinds[] = {
	ROW(spinlock, gsync_spinlock, word_has_sleepers, spinlock_for_nothing),
	ROW(mutex, gsync_mutex, word_has_sleepers, mutex_for_nothing),
	ROW(oticket, gsync_oticket, ticket_has_sleepers, ticket_for_nothing),
};

#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

static gsync_statistics_waits_t waits_of(const gsync_statistics_t *statistics, const struct kind *kind)
{
	return *(const gsync_statistics_waits_t *)(const void *)((const char *)statistics + kind->at);
}

static gsync_statistics_waits_t now_of(const struct kind *kind)
{
	gsync_statistics_t now = of_process();

	return waits_of(&now, kind);
}

static gsync_statistics_waits_t own_of(const struct kind *kind)
{
	gsync_statistics_t now = of_thread();

	return waits_of(&now, kind);
}

/* All but the longest wait. */
static void assert_since(const gsync_statistics_waits_t *before, gsync_statistics_waits_t now, uint64_t acquired,
			 uint64_t spun, uint64_t slept, uint64_t timed_out, uint64_t woken)
{
	assert_int_equal(now.acquired - before->acquired, acquired);
	assert_int_equal(now.contended - before->contended, spun + slept + timed_out);
	assert_int_equal(now.spun - before->spun, spun);
	assert_int_equal(now.slept - before->slept, slept);
	assert_int_equal(now.timed_out - before->timed_out, timed_out);
	assert_int_equal(now.woken - before->woken, woken);
}

union storage {
	gsync_spinlock_t spinlock;
	gsync_mutex_t mutex;
	gsync_oticket_t oticket;
};

/* ---- without a wait */

static void every_way_of_taking_a_lock_counts(void **state)
{
	struct timespec passed = { 0, 0 }, wrong = { 0, -1 };

	(void)state;
	for (const struct kind *kind = kinds; kind < kinds + KIND_COUNT; kind++) {
		gsync_statistics_waits_t before = now_of(kind), own = own_of(kind);
		union storage lock;

		kind->init(&lock);
		for (int i = 0; i < 5; i++) {
			kind->lock(&lock);
			kind->unlock(&lock);
		}
		assert_int_equal(kind->trylock(&lock), 0);
		assert_int_equal(kind->trylock(&lock), EBUSY);
		assert_int_equal(kind->timedlock(&lock, &wrong), EINVAL);
		kind->unlock(&lock);
		assert_int_equal(kind->timedlock(&lock, &passed), 0);
		assert_since(&before, now_of(kind), 7, 0, 0, 0, 0);
		assert_since(&own, own_of(kind), 7, 0, 0, 0, 0);
		assert_int_equal(kind->timedlock(&lock, &passed), ETIMEDOUT);
		assert_since(&before, now_of(kind), 7, 0, 0, 1, 0);
		kind->unlock(&lock);
		kind->wait_for_nothing(&lock);
		kind->unlock(&lock);
		assert_since(&before, now_of(kind), 8, 1, 0, 1, 0);
	}
}

static void off_nothing_is_counted(void **state)
{
	(void)state;
	for (const struct kind *kind = kinds; kind < kinds + KIND_COUNT; kind++) {
		gsync_statistics_waits_t before = now_of(kind);
		union storage lock;

		kind->init(&lock);
		gsync_statistics_stop();
		kind->lock(&lock);
		kind->unlock(&lock);
		kind->wait_for_nothing(&lock);
		kind->unlock(&lock);
		assert_since(&before, now_of(kind), 0, 0, 0, 0, 0);
		assert_int_equal(gsync_statistics_start(), 0);
		kind->lock(&lock);
		assert_since(&before, now_of(kind), 1, 0, 0, 0, 0);
		kind->unlock(&lock);
	}
}

static void a_snapshot_is_as_long_as_the_caller_knows_it(void **state)
{
	struct {
		gsync_statistics_t known;
		uint64_t more[2];
	} large;
	gsync_statistics_waits_t small[2];
	gsync_statistics_t all = of_process();

	(void)state;
	assert_true(all.spinlock.acquired > 0 && all.mutex.acquired > 0);
	memset(&large, 0xff, sizeof(large));
	memset(small, 0xff, sizeof(small));
	gsync_statistics_of_process((gsync_statistics_t *)(void *)small, sizeof(small[0]));
	gsync_statistics_of_process(&large.known, sizeof(large));
	assert_memory_equal(&small[0], &all.spinlock, sizeof(small[0]));
	assert_int_equal(small[1].acquired, UINT64_MAX);
	assert_memory_equal(&large.known, &all, sizeof(all));
	assert_int_equal(large.more[0] | large.more[1], 0);
}

/* ---- sleepers */

struct sleeper {
	const struct kind *kind;
	void *lock;
	pid_t thread;
	gsync_statistics_waits_t counted; /* by itself */
};

static void *sleep_for_lock(void *argument)
{
	struct sleeper *self = argument;

	__atomic_store_n(&self->thread, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	self->kind->lock(self->lock);
	self->kind->unlock(self->lock);
	self->counted = own_of(self->kind);
	return NULL;
}

/* It has said that it will sleep, and does. */
static void until_asleep(pid_t *thread)
{
	char path[64], state = 'R';

	while (state != 'S') {
		FILE *file;

		test_sleep_ms(1);
		snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)__atomic_load_n(thread, __ATOMIC_ACQUIRE));
		file = fopen(path, "r");
		assert_non_null(file);
		assert_int_equal(fscanf(file, "%*d (%*[^)]) %c", &state), 1);
		fclose(file);
	}
}

static void who_sleeps_and_who_wakes_is_counted(void **state)
{
	(void)state;
	for (const struct kind *kind = kinds; kind < kinds + KIND_COUNT; kind++) {
		gsync_statistics_waits_t before = now_of(kind), own = own_of(kind);
		struct sleeper sleeper = { .kind = kind };
		uint64_t began = gsync_monotonic_ns(), asleep;
		pthread_t thread;
		union storage lock;

		kind->init(&lock);
		kind->lock(&lock);
		sleeper.lock = &lock;
		thread = test_thread(sleep_for_lock, &sleeper);
		while (!kind->has_sleepers(&lock))
			test_sleep_ms(1);
		until_asleep(&sleeper.thread);
		assert_since(&before, now_of(kind), 1, 0, 0, 0, 0);
		asleep = gsync_monotonic_ns();
		test_sleep_ms(5);
		asleep = gsync_monotonic_ns() - asleep;
		kind->unlock(&lock);
		test_join(thread);
		assert_since(&before, now_of(kind), 2, 0, 1, 0, 1);
		assert_since(&own, own_of(kind), 1, 0, 0, 0, 1);
		assert_since(&(gsync_statistics_waits_t){ 0 }, sleeper.counted, 1, 0, 1, 0, 0);
		assert_in_range(sleeper.counted.longest_wait_ns, asleep, gsync_monotonic_ns() - began);
		assert_true(now_of(kind).longest_wait_ns >= sleeper.counted.longest_wait_ns);
	}
}

static void *wait_far_behind(void *argument)
{
	struct sleeper *self = argument;
	struct timespec deadline = test_deadline(100000);

	__atomic_store_n(&self->thread, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	assert_int_equal(gsync_oticket_timedlock(self->lock, &deadline), 0);
	self->counted = of_thread().oticket;
	return NULL;
}

/* Behind a long queue a timed call draws no ticket: it looks now and then, and takes the lock when it is free. */
static void a_lock_that_is_found_free_counts_once(void **state)
{
	gsync_oticket_t lock = { .next = 200 };
	struct sleeper sleeper = { .lock = &lock };
	pthread_t thread = test_thread(wait_far_behind, &sleeper);

	(void)state;
	while (__atomic_load_n(&sleeper.thread, __ATOMIC_ACQUIRE) == 0)
		test_sleep_ms(1);
	until_asleep(&sleeper.thread);
	__atomic_store_n(&lock.turn[200 % GSYNC_OTICKET_TURNS_], gsync_oticket_round_(200) * GSYNC_OTICKET_ONE_ROUND_,
			 __ATOMIC_RELEASE);
	test_join(thread);
	assert_since(&(gsync_statistics_waits_t){ 0 }, sleeper.counted, 1, 0, 1, 0, 0);
}

struct comer {
	gsync_barrier_t *barrier;
	pid_t thread;
};

static void *come(void *argument)
{
	struct comer *self = argument;

	__atomic_store_n(&self->thread, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	gsync_barrier_wait(self->barrier);
	return NULL;
}

static void a_barrier_counts_who_waits_and_who_wakes(void **state)
{
	gsync_barrier_t barrier = GSYNC_BARRIER_INIT(3);
	struct comer comers[2] = { { &barrier, 0 }, { &barrier, 0 } };
	gsync_statistics_waits_t before = of_process().barrier;
	pthread_t threads[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		threads[i] = test_thread(come, &comers[i]);
		/* One after the other: so the bit means the one who has come last as well. */
		while ((__atomic_load_n(&barrier.state, __ATOMIC_ACQUIRE) >> 32 & 1) == 0 ||
		       (__atomic_load_n(&barrier.state, __ATOMIC_ACQUIRE) & 0xffff) != (uint64_t)i + 1)
			test_sleep_ms(1);
	}
	/* The second may still be on its way to sleep. */
	until_asleep(&comers[0].thread);
	until_asleep(&comers[1].thread);
	gsync_barrier_wait(&barrier);
	test_join(threads[0]);
	test_join(threads[1]);
	assert_int_equal(of_process().barrier.acquired - before.acquired, 3);
	assert_int_equal(of_process().barrier.contended - before.contended, 2);
	assert_int_equal(of_process().barrier.slept - before.slept, 2);
	assert_int_equal(of_process().barrier.woken - before.woken, 2);
	assert_int_equal(gsync_barrier_destroy(&barrier), 0);
}

/* ---- threads that end, and many of them */

#define PLACES 1024 /* so many threads at a time count each for itself */

static void *take_three(void *counted)
{
	gsync_mutex_t mutex = GSYNC_MUTEX_INIT;

	for (int i = 0; i < 3; i++) {
		gsync_mutex_lock(&mutex);
		gsync_mutex_unlock(&mutex);
	}
	*(gsync_statistics_t *)counted = of_thread();
	return NULL;
}

static void what_ended_threads_counted_remains_but_is_not_their_successors(void **state)
{
	gsync_statistics_t before = of_process(), own = of_thread(), counted;

	(void)state;
	for (uint64_t ended = 1; ended <= PLACES + 10; ended++) {
		test_join(test_thread(take_three, &counted));
		assert_int_equal(counted.mutex.acquired, 3);
		/* The thread whose place it has taken slept. */
		assert_int_equal(counted.mutex.longest_wait_ns, 0);
		assert_int_equal(counted.oticket.slept, 0);
		assert_int_equal(of_process().mutex.acquired - before.mutex.acquired, 3 * ended);
	}
	assert_int_equal(of_thread().mutex.acquired, own.mutex.acquired);
	assert_int_equal(of_process().mutex.longest_wait_ns, before.mutex.longest_wait_ns);
}

#define CROWD (PLACES + 76)

static uint32_t counted_crowd;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void *take_one(void *argument)
{
	gsync_mutex_t mutex = GSYNC_MUTEX_INIT;

	(void)argument;
	gsync_mutex_lock(&mutex);
	gsync_mutex_unlock(&mutex);
	__atomic_fetch_add(&counted_crowd, 1u, __ATOMIC_RELEASE);
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	return NULL;
}

static void a_crowd_is_counted_exactly(void **state)
{
	gsync_statistics_t before = of_process();
	pthread_attr_t attributes;
	static pthread_t threads[CROWD];
	uint32_t count = UNDER_TSAN ? 100 : CROWD;

	(void)state;
	pthread_mutex_lock(&gate);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 128 * 1024);
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(pthread_create(&threads[i], &attributes, take_one, NULL), 0);
	test_until_count(&counted_crowd, count);
	assert_int_equal(of_process().mutex.acquired - before.mutex.acquired, count);
	pthread_mutex_unlock(&gate);
	for (uint32_t i = 0; i < count; i++)
		test_join(threads[i]);
	assert_int_equal(of_process().mutex.acquired - before.mutex.acquired, count);
	pthread_attr_destroy(&attributes);
}

/* ---- fork */

static void take_three_in_a_child(void)
{
	static const gsync_statistics_t nothing;
	gsync_statistics_t counted = of_process(), of_other;
	pthread_t thread;

	if (memcmp(&counted, &nothing, sizeof(counted)) != 0)
		_exit(1);
	take_three(&counted);
	take_three(&counted);
	if (counted.mutex.acquired != 6 || of_process().mutex.acquired != 6)
		_exit(2);
	if (pthread_create(&thread, NULL, take_three, &of_other) != 0 || pthread_join(thread, NULL) != 0)
		_exit(3);
	if (of_other.mutex.acquired != 3 || of_thread().mutex.acquired != 6 || of_process().mutex.acquired != 9)
		_exit(4);
	_exit(0);
}

static void a_child_begins_at_zero_and_its_parent_goes_on(void **state)
{
	gsync_statistics_t before = of_process();
	pid_t child;

	(void)state;
	assert_true(before.mutex.acquired > 0 && of_thread().mutex.acquired > 0);
	child = fork();
	assert_int_not_equal(child, -1);
	if (child == 0)
		take_three_in_a_child();
	test_child_succeeded(child);
	assert_int_equal(of_process().mutex.acquired, before.mutex.acquired);
}

/* ---- the pool */

static void nothing_to_do(void *argument)
{
	(void)argument;
}

static void tasks_are_counted_and_who_parks(void **state)
{
	gsync_statistics_pool_t before = of_process().pool;
	gsync_group_t group = GSYNC_GROUP_INIT;
	gsync_statistics_pool_t now;

	(void)state;
	assert_int_equal(gsync_profile_set("usable_cpus", 2), 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(gsync_group_spawn(&group, nothing_to_do, NULL), 0);
	assert_int_equal(gsync_group_wait(&group), 0);
	now = of_process().pool;
	assert_int_equal(now.tasks - before.tasks, 100);
	assert_true(now.stolen - before.stolen <= 100);
	assert_int_equal(gsync_pool_submit(NULL, nothing_to_do, NULL), 0);
	while (of_process().pool.parked == before.parked || of_process().pool.tasks - before.tasks < 101)
		test_sleep_ms(1);
	assert_int_equal(of_process().pool.tasks - before.tasks, 101);
}

static uint32_t inner_ran;

static void inner(void *argument)
{
	(void)argument;
	__atomic_store_n(&inner_ran, 1u, __ATOMIC_RELEASE);
}

/* Puts a task on top of its worker's own, and does not end before another has taken it. */
static void outer(void *group)
{
	assert_int_equal(gsync_group_spawn(group, inner, NULL), 0);
	test_until_set(&inner_ran, 1);
}

static void a_stolen_task_is_counted(void **state)
{
	gsync_statistics_pool_t before = of_process().pool;
	gsync_group_t group = GSYNC_GROUP_INIT;

	(void)state;
	assert_int_equal(gsync_pool_submit(NULL, outer, &group), 0);
	test_until_set(&inner_ran, 1);
	assert_int_equal(gsync_group_wait(&group), 0);
	assert_int_equal(of_process().pool.stolen - before.stolen, 1);
	assert_int_equal(of_process().pool.tasks - before.tasks, 2);
}

static uint32_t began;
static pthread_t at[2];

/* Each of the two gives the other time to come. */
static void meet(void *context, size_t begin, size_t end)
{
	struct timespec deadline = test_deadline(10000);

	(void)context;
	(void)end;
	at[begin] = pthread_self();
	__atomic_fetch_add(&began, 1u, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&began, __ATOMIC_ACQUIRE) < 2 && !test_has_passed(&deadline))
		test_sleep_ms(1);
}

static void who_helps_in_a_loop_is_counted(void **state)
{
	static const gsync_loop_options_t eager = { 1, GSYNC_LOOP_EAGER };
	gsync_statistics_pool_t before = of_process().pool;

	(void)state;
	assert_int_equal(gsync_parallel_for(NULL, 2, meet, NULL, &eager), 0);
	assert_int_equal(of_process().pool.helped - before.helped, pthread_equal(at[0], at[1]) ? 0 : 1);
}

/* ---- what a process says or finds that is told SETTING; this program itself, with another task */

static void take_and_exit(void)
{
	gsync_oticket_t lock = GSYNC_OTICKET_INIT;

	for (int i = 0; i < 4321; i++) {
		gsync_oticket_lock(&lock);
		gsync_oticket_unlock(&lock);
	}
	exit(0);
}

static void do_nothing(void *unused)
{
	(void)unused;
}

static void spawn_and_exit(void)
{
	gsync_group_t group = GSYNC_GROUP_INIT;

	/* With one CPU tasks run at once, and are none. */
	gsync_profile_set("usable_cpus", 2);
	for (int i = 0; i < 3; i++)
		gsync_group_spawn(&group, do_nothing, NULL);
	exit(gsync_group_wait(&group));
}

/* Where all keys are somebody's. */
static void start_in_vain(void)
{
	gsync_mutex_t lock = GSYNC_MUTEX_INIT;
	gsync_statistics_t counted;
	pthread_key_t key;
	bool refused;

	while (pthread_key_create(&key, NULL) == 0) {
		/* one more */
	}
	refused = gsync_statistics_start() == EAGAIN && gsync_statistics_start() == EAGAIN;
	gsync_mutex_lock(&lock);
	gsync_mutex_unlock(&lock);
	gsync_statistics_of_process(&counted, sizeof(counted));
	exit(refused && counted.mutex.acquired == 0 ? 0 : 1);
}

static const struct task {
	const char *name;
	void (*run)(void);
} tasks[] = {
	{ "take", take_and_exit },
	{ "spawn", spawn_and_exit },
	{ "start", start_in_vain },
};

static int run_task(const char *name)
{
	for (size_t i = 0; i < sizeof(tasks) / sizeof(tasks[0]); i++)
		if (strcmp(tasks[i].name, name) == 0)
			tasks[i].run();
	return 1;
}

/* It succeeds; SAID is what stood on its stderr in the end. */
static void run_with(const char *setting, const char *task, char *said, size_t size)
{
	size_t length = 0;
	ssize_t more;
	int ends[2];
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_int_not_equal(child, -1);
	if (child == 0) {
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		unsetenv("GUESTSYNC_STATS");
		if (setting)
			setenv("GUESTSYNC_STATS", setting, 1);
		execl("/proc/self/exe", "test_statistics", task, (char *)NULL);
		_exit(1);
	}
	close(ends[1]);
	while ((more = read(ends[0], said + length, size - 1 - length)) > 0)
		length += (size_t)more;
	said[length] = '\0';
	close(ends[0]);
	test_child_succeeded(child);
}

static void the_environment_asks_for_a_table(void **state)
{
	char said[4096];
	unsigned long long acquired, contended;
	const char *row;

	(void)state;
	run_with("1", "take", said, sizeof(said));
	assert_memory_equal(said, "guestsync: statistics of ", 25);
	row = strstr(said, "\n  oticket ");
	assert_non_null(row);
	assert_int_equal(sscanf(row, " oticket %llu %llu", &acquired, &contended), 2);
	assert_int_equal(acquired, 4321);
	assert_int_equal(contended, 0);
	assert_null(strstr(said, "mutex"));
	assert_null(strstr(said, "pool"));
	run_with("0", "take", said, sizeof(said));
	assert_string_equal(said, "");
	run_with(NULL, "take", said, sizeof(said));
	assert_string_equal(said, "");
	run_with("2", "take", said, sizeof(said));
	assert_string_equal(said, "guestsync: GUESTSYNC_STATS=2: not a whole number from 0 to 1; the default stays\n");
	run_with("1", "spawn", said, sizeof(said));
	assert_non_null(strstr(said, "\n  pool     3 tasks, "));
	assert_null(strstr(said, "oticket"));
}

static void without_a_key_nothing_is_counted(void **state)
{
	char said[4096];

	(void)state;
	run_with(NULL, "start", said, sizeof(said));
	assert_string_equal(said, "");
}

int main(int count, char **arguments)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_way_of_taking_a_lock_counts),
		cmocka_unit_test(off_nothing_is_counted),
		cmocka_unit_test(a_snapshot_is_as_long_as_the_caller_knows_it),
		cmocka_unit_test(who_sleeps_and_who_wakes_is_counted),
		cmocka_unit_test(a_lock_that_is_found_free_counts_once),
		cmocka_unit_test(a_barrier_counts_who_waits_and_who_wakes),
		cmocka_unit_test(what_ended_threads_counted_remains_but_is_not_their_successors),
		cmocka_unit_test(a_crowd_is_counted_exactly),
		cmocka_unit_test(a_child_begins_at_zero_and_its_parent_goes_on),
		cmocka_unit_test(tasks_are_counted_and_who_parks),
		cmocka_unit_test(a_stolen_task_is_counted),
		cmocka_unit_test(who_helps_in_a_loop_is_counted),
		cmocka_unit_test(the_environment_asks_for_a_table),
		cmocka_unit_test(without_a_key_nothing_is_counted),
	};

	if (count > 1)
		return run_task(arguments[1]);
	return cmocka_run_group_tests(tests, counting, NULL);
}
