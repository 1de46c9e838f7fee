/* SPDX-License-Identifier: MIT */
/*
 * An actor: which call it is in, what it draws, and the calls themselves, with
 * what each may return. Everything that an act does to a lock goes through here,
 * so each rule is checked wherever it applies.
 */
#include <guestsync/oticket.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench/burn.h"
#include "bench/oticket_at.h"
#include "bench/random.h"
#include "cli/torture.h"
#include "detect/clock.h"
#include "detect/tuning.h"

struct torture_board *torture_board;
_Thread_local struct torture_actor *torture_self;

/* ---- failures */

void torture_fail(const char *format, ...)
{
	uint32_t nobody = 0;
	va_list arguments;

	if (__atomic_compare_exchange_n(&torture_board->failing, &nobody, 1u, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
		va_start(arguments, format);
		vsnprintf(torture_board->failure, sizeof(torture_board->failure), format, arguments);
		va_end(arguments);
		__atomic_store_n(&torture_board->failing, 2u, __ATOMIC_RELEASE);
	}
	for (;;)
		pause();
}

/* ---- the board */

static void say(struct torture_actor *self, struct torture_place place, uint64_t patience_ns)
{
	uint64_t now = __atomic_load_n(&self->board->watched_ns, __ATOMIC_RELAXED);
	uint32_t sequence = self->sequence;

	/* Whoever sees one of these sees that the sequence has changed. */
	__atomic_store_n(&self->sequence, sequence + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&self->since, now, __ATOMIC_RELEASE);
	__atomic_store_n(&self->limit, now + patience_ns, __ATOMIC_RELEASE);
	__atomic_store_n(&self->object, place.object, __ATOMIC_RELEASE);
	__atomic_store_n(&self->call, place.call, __ATOMIC_RELEASE);
	__atomic_store_n(&self->sequence, sequence + 2, __ATOMIC_RELEASE);
}

static struct torture_place enter(struct torture_place place, uint64_t patience_ns)
{
	struct torture_place outer = { TORTURE_AWAY, NULL };

	if (torture_self != NULL) {
		outer = (struct torture_place){ torture_self->call, torture_self->object };
		say(torture_self, place, patience_ns);
	}
	return outer;
}

struct torture_place torture_enter(enum torture_call call, const void *object)
{
	return enter((struct torture_place){ call, object }, torture_board->bound_ns);
}

struct torture_place torture_enter_timed(enum torture_call call, const void *object, uint64_t patience_ns)
{
	return enter((struct torture_place){ call, object }, patience_ns + torture_board->late_ns);
}

void torture_leave(struct torture_place outer)
{
	struct torture_actor *self = torture_self;
	uint64_t took;

	if (self == NULL)
		return;
	took = __atomic_load_n(&torture_board->watched_ns, __ATOMIC_RELAXED) - self->since;
	if (self->call > TORTURE_HOLDS && took > self->longest)
		self->longest = took;
	say(self, outer, torture_board->bound_ns);
}

void torture_note(enum torture_event event)
{
	if (torture_self != NULL)
		torture_self->events[event]++;
	else
		__atomic_fetch_add(&torture_board->events[event], 1u, __ATOMIC_RELAXED);
}

/* ---- chance */

uint32_t torture_draw(uint32_t below)
{
	static _Thread_local uint64_t strangers;
	static uint64_t others;
	uint64_t *random = torture_self != NULL ? &torture_self->random : &strangers;

	if (*random == 0)
		*random = torture_board->seed ^ (__atomic_add_fetch(&others, 1u, __ATOMIC_RELAXED) * 0x9e3779b97f4a7c15u);
	return (uint32_t)bench_random_below(random, below);
}

void torture_sleep(uint64_t ns)
{
	struct timespec time = gsync_timespec(ns);

	nanosleep(&time, NULL);
}

void torture_linger(void)
{
	uint32_t mood = torture_draw(100);

	if (mood < 65)
		return;
	if (mood < 82)
		bench_burn(bench_burn_steps(torture_draw(2000)), 1);
	else if (mood < 92)
		sched_yield();
	else if (mood < 96)
		bench_burn(bench_burn_steps(torture_draw(50000)), 1);
	else if (mood < 99)
		torture_sleep(torture_draw(200000));
	else
		torture_sleep(torture_draw(3 * TORTURE_MS));
}

struct timespec torture_deadline(uint64_t *patience_ns)
{
	static const int64_t spreads[] = { 50000, 50000, 500000, 5 * TORTURE_MS };
	int64_t spread = spreads[torture_draw(4)];
	int64_t ahead = (int64_t)torture_draw((uint32_t)spread);
	uint64_t now = gsync_monotonic_ns();

	*patience_ns = 0;
	switch (torture_draw(8)) {
	case 0:
		return gsync_timespec(torture_draw(2) == 0 ? 0 : now - (uint64_t)ahead);
	case 1:
		return gsync_timespec(now + (uint64_t)ahead - (uint64_t)spread / 2);
	default:
		*patience_ns = (uint64_t)ahead;
		return gsync_timespec(now + (uint64_t)ahead);
	}
}

/* ---- the kernel's view */

char torture_thread_state(pid_t process, pid_t thread)
{
	char path[64], text[128] = "";
	const char *state;
	ssize_t length;
	int file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", (int)process, (int)thread);
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return 0;
	length = read(file, text, sizeof(text) - 1);
	close(file);
	/* The name before it is in parentheses, and may hold some. */
	state = length > 0 ? strrchr(text, ')') : NULL;
	return (char)(state != NULL && state[1] == ' ' ? state[2] : 0);
}

/* ---- memory */

/* AddressSanitizer watches what malloc gives; without it every other is on pages of its own. */
#ifdef __SANITIZE_ADDRESS__
#define HEAP_IS_WATCHED true
#else
#define HEAP_IS_WATCHED false
#endif

void *torture_new(size_t size, bool *mapped)
{
	void *memory;

	*mapped = torture_draw(2) == 0 && !HEAP_IS_WATCHED;
	if (*mapped) {
		memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (memory == MAP_FAILED)
			torture_fail("no memory: %s", strerror(errno));
		return memory;
	}
	memory = aligned_alloc(BENCH_LINE, (size + BENCH_LINE - 1) / BENCH_LINE * BENCH_LINE);
	if (memory == NULL)
		torture_fail("no memory");
	return memset(memory, 0, size);
}

void torture_free(void *memory, size_t size, bool mapped)
{
	torture_note(TORTURE_FREED);
	if (!mapped)
		free(memory);
	else if (munmap(memory, size) != 0)
		torture_fail("munmap: %s", strerror(errno));
}

/* ---- locks */

static const struct bench_lock *kind(void)
{
	return torture_board->subject->lock;
}

/* ThreadSanitizer 14 does not know glibc's pthread_mutex_clocklock, and would take its users for racing. */
bool torture_has_timedlock(const struct bench_lock *lock)
{
#ifdef GSYNC_TSAN
	return lock->timedlock != NULL && lock->ours;
#else
	return lock->timedlock != NULL;
#endif
}

/* Tickets repeat after 2^22, and so do rounds; their counter after 2^32. */
static void start_before_a_wrap(gsync_oticket_t *lock)
{
	bench_oticket_at(lock, torture_draw(2) == 0 ? 0u - torture_draw(300) : (1u << 22) - torture_draw(300));
}

void torture_make_lock(struct bench_object *object)
{
	int error;

	if (torture_board->act->in_processes)
		error = kind()->init_shared(object);
	else
		error = kind()->init(object);
	if (error != 0)
		torture_fail("init returned %d", error);
	if (kind()->init == bench_gsync_oticket.init)
		start_before_a_wrap((gsync_oticket_t *)object);
}

void torture_lock(struct bench_object *object, struct bench_node *node)
{
	struct torture_place outer = torture_enter(TORTURE_LOCKS, object);

	kind()->lock(object, node);
	torture_leave(outer);
}

bool torture_trylock(struct bench_object *object, struct bench_node *node)
{
	struct torture_place outer = torture_enter(TORTURE_TRIES, object);
	int result = kind()->trylock(object, node);

	torture_leave(outer);
	if (result != 0 && result != EBUSY)
		torture_fail("trylock returned %d", result);
	return result == 0;
}

bool torture_timedlock(struct bench_object *object, struct bench_node *node)
{
	uint64_t patience;
	struct timespec deadline = torture_deadline(&patience);
	struct torture_place outer = torture_enter_timed(TORTURE_LOCKS_TIMED, object, patience);
	int result = kind()->timedlock(object, node, &deadline);
	uint64_t now = gsync_monotonic_ns();

	torture_leave(outer);
	if (result != 0 && result != ETIMEDOUT)
		torture_fail("timedlock returned %d", result);
	if (result == ETIMEDOUT && now < gsync_timespec_ns(&deadline))
		torture_fail("timedlock gave up %llu ns before its deadline",
			     (unsigned long long)(gsync_timespec_ns(&deadline) - now));
	return result == 0;
}

void torture_unlock(struct bench_object *object, struct bench_node *node)
{
	struct torture_place outer = torture_enter(TORTURE_UNLOCKS, object);

	kind()->unlock(object, node);
	torture_leave(outer);
}

void torture_destroy_lock(struct bench_object *object)
{
	struct torture_place outer = torture_enter(TORTURE_DESTROYS, object);
	int result = kind()->destroy(object);

	torture_leave(outer);
	if (result != 0)
		torture_fail("destroy returned %d, though nobody uses the lock", result);
}

/* ---- barriers */

void torture_make_barrier(struct bench_object *object)
{
	const struct bench_barrier *barrier = torture_board->subject->barrier;
	int error;

	if (torture_board->act->in_processes)
		error = barrier->init_shared(object, torture_board->actors);
	else
		error = barrier->init(object, torture_board->actors);
	if (error != 0)
		torture_fail("init returned %d", error);
}

bool torture_pass_barrier(struct bench_object *object, struct bench_node *node)
{
	struct torture_place outer = torture_enter(TORTURE_WAITS, object);
	bool serial = torture_board->subject->barrier->wait(object, node);

	torture_leave(outer);
	torture_note(TORTURE_PASSED);
	return serial;
}

void torture_destroy_barrier(struct bench_object *object)
{
	struct torture_place outer = torture_enter(TORTURE_DESTROYS, object);
	int result = torture_board->subject->barrier->destroy(object);

	torture_leave(outer);
	if (result != 0)
		torture_fail("destroy returned %d, though a wait has returned", result);
}
