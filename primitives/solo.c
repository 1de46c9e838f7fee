/* SPDX-License-Identifier: MIT */
/*
 * A trial: a window in the way of now, to settle, and one that counts; then the
 * same in the other way. The better way stays, for longer each time that it wins,
 * so that trials cost next to nothing. Where they are nearly as good it is solo: it
 * uses one CPU instead of several.
 *
 * Windows are counted in releases, of which every one passes through here while
 * the lock is MEASURED. That slows both ways down alike.
 *
 * Where others leave us one CPU and our threads spend it on switches (detect/pressure.h)
 * there is nothing to be tried: one that is alone with its lock uses all of it, as a
 * rule. There a lock need not be as hot, either: time slices would cut windows to
 * pieces, and switches matter in longer sections, too.
 */
#include "primitives/solo.h"

#include "detect/process.h"
#include "primitives/spin.h"

#define HOT 24u /* contended acquisitions that are told here, within half a window: then a lock is worth it */
#define INTERVAL_MIN 50u /* windows between two trials; longer each time that nothing changes */
#define INTERVAL_MAX 8000u
#define TOO_LONG 8u /* windows: the threads were off their CPUs, or did something else */
#define TOO_LONG_MOST 3u /* of these in a row: there is no telling whether solo is still right */
#define IDLE_MOST 6u /* turns in a row that came in vain */

/* Where one CPU is left; sections may be longer there, and the lock free for longer between two. */
#define LEFT_HOT 4u /* windows for as many */
#define LEFT_IDLE 24u
#define LEFT_REST 400u /* windows; without, what has just ended would begin again at once */
#define LEFT_LASTS 200u /* windows, some looks at the machine: two may err */

#define WORSE_PERCENT 4u /* than turns it may be, for so much less of the CPUs */
#define CROWD_WAITS 4u /* in a window of turns: with fewer there is nothing to be judged */
#define LONELY_MOST 3u /* of such trials in a row: solo makes the few wait who come, for nothing */
#define BATCH 8u

/* The steps of a trial. */
enum { SETTLE, MEASURE, SETTLE_OTHER, MEASURE_OTHER };

struct trial {
	_Alignas(64) uint32_t busy; /* the mark of the process whose thread is at it; an ancestor's is one that fork copied */
	uint32_t count; /* releases in this window; without a trial: contended acquisitions since BEGAN */
	const gsync_lockword_t *lock;
	uint64_t began;
	uint64_t next; /* trial; in ticks, as the next */
	uint64_t rest_ends; /* then it may go solo without, where one CPU is left */
	uint64_t cost; /* ticks per 256 releases, in the way that was measured first */
	uint32_t interval;
	uint32_t waits; /* in this window; a race on it loses one */
	uint8_t step;
	bool solo; /* the verdict, and the way that is measured first */
	bool crowded; /* as measured while threads took turns */
	bool untried; /* solo is: one CPU was left */
	uint8_t too_long;
	uint8_t idle;
	uint8_t lonely;
};

static struct trial trials[64];

static struct trial *of(const gsync_lockword_t *lock)
{
	return &trials[((uint64_t)(uintptr_t)lock >> 2) * 0x9e3779b97f4a7c15u >> 58];
}

/* NULL where another lock's holder is at it: then this one does without. */
static struct trial *enter(const gsync_lockword_t *lock)
{
	struct trial *trial = of(lock);
	uint32_t mark = gsync_process_mark();
	uint32_t seen = __atomic_load_n(&trial->busy, __ATOMIC_RELAXED);

	if (mark == 0 || seen == mark ||
	    !__atomic_compare_exchange_n(&trial->busy, &seen, mark, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return NULL;
	return trial;
}

static void leave(struct trial *trial)
{
	__atomic_store_n(&trial->busy, 0u, __ATOMIC_RELEASE);
}

static void set(gsync_lockword_t *lock, uint32_t bits)
{
	__atomic_fetch_or(&lock->word, bits, __ATOMIC_RELAXED);
}

/* Returns which of BITS were set. */
static uint32_t clear(gsync_lockword_t *lock, uint32_t bits)
{
	return __atomic_fetch_and(&lock->word, ~bits, __ATOMIC_RELAXED) & bits;
}

static uint32_t look(const gsync_lockword_t *lock)
{
	return __atomic_load_n(&lock->word, __ATOMIC_RELAXED);
}

/* Returns whether solo has ended. */
static bool go_on(gsync_lockword_t *lock, bool solo)
{
	if (!solo)
		return clear(lock, GSYNC_SOLO) != 0;
	set(lock, GSYNC_SOLO);
	return false;
}

static void begin_window(struct trial *trial, uint64_t now, int step)
{
	trial->began = now;
	trial->count = 0;
	__atomic_store_n(&trial->waits, 0, __ATOMIC_RELAXED);
	trial->step = (uint8_t)step;
}

/* Ends a trial, if there is one; the next comes after INTERVAL windows. Returns whether solo has ended. */
static bool decide(struct trial *trial, gsync_lockword_t *lock, bool solo, uint32_t interval, uint64_t now,
		   uint64_t window)
{
	clear(lock, GSYNC_MEASURED);
	__atomic_store_n(&trial->solo, solo, __ATOMIC_RELAXED);
	trial->untried = false;
	trial->idle = 0;
	trial->interval = interval < INTERVAL_MAX ? interval : INTERVAL_MAX;
	__atomic_store_n(&trial->next, now + trial->interval * window, __ATOMIC_RELAXED);
	begin_window(trial, now, SETTLE);
	return go_on(lock, solo);
}

/* ---- a waiter has got the lock */

/* REST: windows until it may go solo without a trial. */
static void claim(struct trial *trial, gsync_lockword_t *lock, uint32_t rest, uint64_t now, uint64_t window)
{
	__atomic_store_n(&trial->lock, lock, __ATOMIC_RELAXED);
	__atomic_store_n(&trial->rest_ends, now + rest * window, __ATOMIC_RELAXED);
	trial->too_long = trial->lonely = 0;
	decide(trial, lock, false, 4, now, window);
	trial->interval = INTERVAL_MIN;
}

static bool one_cpu_is_left(void)
{
	return gsync_others() == GSYNC_OTHERS_LEAVE_ONE && gsync_is_pressed();
}

/* Until when it is too early for a trial, or for what goes without. */
static uint64_t *too_early(struct trial *trial, bool one_cpu)
{
	return one_cpu ? &trial->rest_ends : &trial->next;
}

static bool is_too_early(struct trial *trial, bool one_cpu, uint64_t now, uint64_t window)
{
	return gsync_lies_ahead(__atomic_load_n(too_early(trial, one_cpu), __ATOMIC_RELAXED), now, INTERVAL_MAX * window);
}

/* Whether so many had to wait for so short a time that the cost of a hand-over matters. */
static bool is_hot(struct trial *trial, bool one_cpu, uint64_t now, uint64_t window)
{
	bool hot;

	if (trial->count == 0)
		trial->began = now;
	if (++trial->count < HOT)
		return false;
	/* NOW may have been read a little before another wait began the count. */
	hot = (int64_t)(now - trial->began) < (int64_t)(one_cpu ? LEFT_HOT * window : window / 2);
	trial->count = 0;
	if (!hot)
		__atomic_store_n(too_early(trial, one_cpu), now + INTERVAL_MIN / 2 * window, __ATOMIC_RELAXED);
	return hot;
}

/* One CPU is left, and the lock is in turns. */
static void go_solo_if_hot(struct trial *trial, gsync_lockword_t *lock, uint64_t now, uint64_t window)
{
	if (is_too_early(trial, true, now, window) || !is_hot(trial, true, now, window))
		return;
	decide(trial, lock, true, LEFT_LASTS, now, window);
	trial->untried = true;
}

/* A waiter has ended solo, this is a new lock at the address of an old one, or A came as a waiter ended a trial. */
static bool is_overruled(struct trial *trial, uint32_t word)
{
	return __atomic_load_n(&trial->solo, __ATOMIC_RELAXED) != ((word & GSYNC_SOLO) != 0);
}

static void consider(struct trial *trial, gsync_lockword_t *lock, enum gsync_turn turn, bool one_cpu, uint64_t now,
		     uint64_t window)
{
	uint32_t word = look(lock);

	if ((word & GSYNC_MEASURED) != 0)
		return;
	trial->idle = turn == GSYNC_TURN_IDLE ? (uint8_t)(trial->idle + 1) : 0;
	if (is_overruled(trial, word) || trial->idle >= (one_cpu && trial->untried ? LEFT_IDLE : IDLE_MOST)) {
		claim(trial, lock, one_cpu ? LEFT_REST : 0, now, window);
	} else if (one_cpu && trial->untried) {
		/* Soon after there are more CPUs a trial decides. */
		__atomic_store_n(&trial->next, now + LEFT_LASTS * window, __ATOMIC_RELAXED);
	} else if (one_cpu && !trial->solo) {
		go_solo_if_hot(trial, lock, now, window);
	} else if (!is_too_early(trial, false, now, window) && (trial->solo || is_hot(trial, false, now, window))) {
		begin_window(trial, now, SETTLE);
		set(lock, GSYNC_MEASURED);
	}
}

/* Whether a trial of the lock whose entry this is, or its outcome, may be dropped for another's. */
static bool is_old(struct trial *trial, uint64_t now, uint64_t window)
{
	return !is_too_early(trial, false, now, window) && (int64_t)(now - trial->began) > (int64_t)(TOO_LONG * window);
}

void gsync_solo_waited(gsync_lockword_t *lock, uint64_t now, enum gsync_turn turn)
{
	uint64_t window = __atomic_load_n(&gsync_live.window, __ATOMIC_RELAXED);
	struct trial *trial = of(lock);
	bool own = __atomic_load_n(&trial->lock, __ATOMIC_RELAXED) == lock;
	uint32_t word = look(lock);
	bool one_cpu;

	if (own && (word & (GSYNC_SOLO | GSYNC_MEASURED)) == GSYNC_MEASURED)
		__atomic_store_n(&trial->waits, __atomic_load_n(&trial->waits, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED);
	if (window == 0 && (word & GSYNC_SOLO) != 0)
		clear(lock, GSYNC_SOLO);
	if (window == 0 || (now == 0 && turn == GSYNC_NO_TURN))
		return;
	if (now == 0)
		now = gsync_ticks();
	one_cpu = one_cpu_is_left();
	/*
	 * Read without the entry: a value that is another lock's, or torn, only shifts a trial. Where a waiter has ended
	 * solo its verdict is no reason to rest: the next trial comes soon.
	 */
	if ((word & (GSYNC_SOLO | GSYNC_MEASURED)) == 0 && !(own && is_overruled(trial, word)) &&
	    is_too_early(trial, own && one_cpu, now, window))
		return;
	trial = enter(lock);
	if (trial && trial->lock == lock) {
		consider(trial, lock, turn, one_cpu, now, window);
	} else if (trial && is_old(trial, now, window)) {
		claim(trial, lock, 0, now, window);
	} else if (trial || turn == GSYNC_TURN_IDLE) {
		/* Nobody looks after this lock's verdict any more. */
		clear(lock, GSYNC_SOLO);
	}
	if (trial)
		leave(trial);
}

/* ---- a lock that is measured is about to be released */

/* Both ways have been measured. Returns whether solo has ended; so do the next two. */
static bool judge(struct trial *trial, gsync_lockword_t *lock, uint64_t cost, uint64_t now, uint64_t window)
{
	uint64_t solo = trial->solo ? trial->cost : cost;
	uint64_t turns = trial->solo ? cost : trial->cost;
	bool wins = solo * 100 < turns * (100 + WORSE_PERCENT);

	trial->too_long = 0;
	if (trial->crowded) {
		trial->lonely = 0;
		return decide(trial, lock, wins, wins == trial->solo ? trial->interval * 2 : INTERVAL_MIN, now, window);
	}
	trial->lonely = trial->solo ? (uint8_t)(trial->lonely + 1) : 0;
	return decide(trial, lock, trial->lonely % LONELY_MOST != 0, INTERVAL_MIN * 4, now, window);
}

static bool end_window(struct trial *trial, gsync_lockword_t *lock, uint64_t now, uint64_t window)
{
	bool other = trial->step >= SETTLE_OTHER;
	bool solo = trial->solo != other;
	uint64_t cost = (now - trial->began) * 256 / trial->count;
	int step = trial->step;

	/* A waiter has ended it. */
	if (solo && (look(lock) & GSYNC_SOLO) == 0)
		return decide(trial, lock, false, INTERVAL_MIN, now, window);
	if (now - trial->began > TOO_LONG * window) {
		bool give_up = ++trial->too_long >= TOO_LONG_MOST;

		return decide(trial, lock, trial->solo && !give_up, trial->interval, now, window);
	}
	if (!solo)
		trial->crowded = __atomic_load_n(&trial->waits, __ATOMIC_RELAXED) >= CROWD_WAITS;
	if (step == MEASURE_OTHER)
		return judge(trial, lock, cost, now, window);
	begin_window(trial, now, step + 1);
	if (step != MEASURE)
		return false;
	trial->cost = cost;
	return go_on(lock, !solo);
}

/* Counted by this thread, but not yet in the lock's entry. That they may be of another lock hardly matters. */
static __thread uint32_t uncounted __attribute__((tls_model("initial-exec")));

bool gsync_solo_count(gsync_lockword_t *lock)
{
	bool ended = false;
	uint64_t window = __atomic_load_n(&gsync_live.window, __ATOMIC_RELAXED);
	uint64_t now;
	struct trial *trial;

	if (++uncounted < BATCH)
		return false;
	uncounted = 0;
	now = gsync_ticks();
	trial = enter(lock);
	if (!trial || trial->lock != lock || window == 0) {
		ended = (clear(lock, GSYNC_SOLO | GSYNC_MEASURED) & GSYNC_SOLO) != 0;
	} else {
		trial->count += BATCH;
		if (now - trial->began >= window)
			ended = end_window(trial, lock, now, window);
	}
	if (trial)
		leave(trial);
	return ended;
}
