/* SPDX-License-Identifier: MIT */
/*
 * The lock word of gsync_spinlock and gsync_mutex: test and set, waiters that
 * sleep once spinning has gone on for too long, a fair hand-over on request, and
 * an unlock that is still a plain store.
 *
 *   L  held, or granted          W  somebody may sleep: the next unlock must wake one
 *   P  one sleeper, the guard,   H  the holder is handing over: it is waking a sleeper
 *      has a timeout             G  granted: nobody holds it, whoever has slept may take it
 *   S  process-shared, constant; not shown below. H and G only with L and W; a free lock has L = 0.
 *
 *   from      to          by
 *   -  …      L …         any thread, where L = 0
 *   -  …      L W …       a waiter that has slept; if it is the guard it clears P in the same step
 *   L         L W P       a waiter, before it sleeps, where W = P = 0: it becomes the guard
 *   L …       L W …       a waiter, before it sleeps, else; one that has slept before clears H
 *   L …       - …         plain unlock, which read W = H = G = S = 0: a store to L's byte, the rest stays as it is
 *   L …       - …         any other unlock: clears L, W and H in one step; where W was set it wakes one
 *   L W P     W P         or, where that spares a wake-up and there is a guard: the guard will look
 *   L W …     L W H …     hand-over, first step; then it wakes one
 *   L W H …   L W G …     hand-over, second step, if a sleeper was woken and H still stands
 *   L W G …   L W …       a waiter that has slept: it has the lock; if it is the guard it clears P
 *   L …       L …         a waiter gives up: clears H; the guard clears W and P; if it has slept, it wakes one
 *
 * Exclusion: L goes from 0 to 1 by read-modify-writes only. L W G has no holder;
 * the compare-and-swap that clears G has one winner.
 *
 * No wake-up is lost.
 * (1) A waiter sleeps only on a word in which it has seen L and W; futex compares
 * the word again. So a release that comes before the sleep changes the word, and
 * one that comes after, except in (4), sees W.
 * (2) A release that clears W wakes one; and who has slept stands for all that
 * still sleep: it acquires with W set, or sets W before it sleeps again, or wakes
 * another when it gives up.
 * (3) A grant finds a taker: it is made only if a sleeper was woken after H was
 * set and H still stands. That one is awake, or has cleared H: to sleep again or
 * to give up it must.
 * (4) The hole: between the plain unlock's look at W and its store a waiter may
 * set W and fall asleep. Then W went from 0 to 1 during this tenure, by a waiter,
 * so P was set before or by it: there is a guard, which sleeps repair_ns at the
 * most before it looks again, and remains the guard until it holds the lock with
 * W set, or gives up. W = 1 with P = 0 means that the holder set W itself when it
 * acquired, so its unlock sees it. Hence "free, and all asleep" implies a guard,
 * the wait is bounded by repair_ns and the time until the guard gets a CPU, and no
 * other sleeper needs a timeout. A guard that gives up clears W and P together, so
 * that the one it wakes, standing for the rest, becomes the guard if it sleeps again.
 * (5) A release that spares the wake-up has seen this process's P while it held L:
 * so there was a guard, which cannot have acquired since. Either it still is the
 * guard, as in (4), or it has given up and woken one, as in (2).
 *
 * Fork. The child inherits P, but not the guard. So P is a number that a process
 * does not share with its ancestors; a waiter that finds another's takes it for 0.
 * Where no such number is to be had P stays 0, and every waiter that sets W is a
 * guard: more sleepers have a timeout than need one, and (4) holds all the more.
 *
 * Death. (2) and (3) assume that who was woken lives. Processes that share a lock
 * can be killed one by one; so for S there is no guard, no plain store and no
 * hand-over, and what is lost with a killed waiter is, as with any futex lock, one
 * wake-up, which the next sleeper's unlock makes good.
 *
 * Machines other than x86 release by a read-modify-write of the whole word and have
 * no guard either.
 *
 * Nothing is touched after the release: a wake-up uses the address only, and a
 * hand-over wakes before it grants.
 *
 * Order: taking L or G is acquire; releasing L and granting are release. W, P, H
 * and S carry no data, so all else is relaxed. (4) needs more than C11 has words
 * for, which knows no accesses of mixed size: that locked instructions on any
 * part of the word are totally ordered, and that plain accesses to its bytes
 * keep to that order. x86 gives both.
 */
#include "primitives/lockword.h"

#include "detect/process.h"
#include "primitives/futex.h"
#include "primitives/spin.h"

#define L GSYNC_LOCKWORD_L_
#define P (0xffu << 8)
#define W (1u << 16)
#define H (1u << 17)
#define G (1u << 18)
#define S (1u << 24)

#if GSYNC_LOCKWORD_PLAIN_STORE_ && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the header's bytes are those of a little-endian machine"
#endif

int gsync_lockword_init(gsync_lockword_t *lock, unsigned flags)
{
	if ((flags & ~GSYNC_PROCESS_SHARED) != 0)
		return EINVAL;
	__atomic_store_n(&lock->word, (flags & GSYNC_PROCESS_SHARED) != 0 ? S : 0, __ATOMIC_RELEASE);
	return 0;
}

int gsync_lockword_destroy(gsync_lockword_t *lock)
{
	return (__atomic_load_n(&lock->word, __ATOMIC_ACQUIRE) & L) == 0 ? 0 : EBUSY;
}

/*
 * This process as a value of P: one more than the nearest ancestor that had one.
 * Comes round after 255. 0 = unknown: then every waiter that sets W is a guard.
 */
static uint32_t process_mark(void)
{
	static uint32_t last; /* inherited by children */
	uint32_t *own = gsync_process_word(GSYNC_PROCESS_MARK);
	uint32_t mark = own ? __atomic_load_n(own, __ATOMIC_RELAXED) : 0;

	if (own && mark == 0) {
		uint32_t fresh = __atomic_add_fetch(&last, 1u, __ATOMIC_RELAXED) % 255 + 1;

		if (__atomic_compare_exchange_n(own, &mark, fresh, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			mark = fresh;
	}
	return mark << 8;
}

/* What a waiter knows of its own past. */
struct waiter {
	bool has_slept;
	bool guard;
};

static uint32_t look(gsync_lockword_t *lock)
{
	return __atomic_load_n(&lock->word, __ATOMIC_RELAXED);
}

static bool change(gsync_lockword_t *lock, uint32_t seen, uint32_t to, int order)
{
	return __atomic_compare_exchange_n(&lock->word, &seen, to, false, order, __ATOMIC_RELAXED);
}

static bool can_take(uint32_t seen, const struct waiter *self)
{
	return (seen & L) == 0 || (self->has_slept && (seen & G) != 0);
}

static bool take(gsync_lockword_t *lock, uint32_t seen, const struct waiter *self)
{
	if (!self->has_slept)
		return gsync_lockword_take_(lock);
	return change(lock, seen, (seen & ~(self->guard ? G | P : G)) | L | W, __ATOMIC_ACQUIRE);
}

/*
 * How long this thread's waits last that end while it spins, in ticks, on
 * average; 0 = not known. Under pressure, who has waited for several times that
 * waits for somebody who is off the CPU; without, longer spins cost less than
 * sleeping too early now and then.
 */
static __thread uint32_t usual_wait __attribute__((tls_model("initial-exec")));

#define TIMES_USUAL 4

static uint64_t pressed_patience(const struct gsync_tuning *tuning)
{
	uint64_t learned = (uint64_t)usual_wait * TIMES_USUAL;

	if (usual_wait == 0)
		return tuning->pressed_spin;
	if (learned < tuning->spin_floor)
		learned = tuning->spin_floor;
	return learned < tuning->pressed_spin ? learned : tuning->pressed_spin;
}

static void learn(uint64_t waited)
{
	uint32_t wait = waited < UINT32_MAX / 8 ? (uint32_t)waited : UINT32_MAX / 8;

	usual_wait = (usual_wait == 0 ? wait : (usual_wait * 7 + wait) / 8) + 1;
}

/* Spins until the lock is taken (true) or patience ends. */
static bool spin(gsync_lockword_t *lock, const struct waiter *self)
{
	const struct gsync_tuning tuning = gsync_tuning();
	bool pressed = gsync_is_pressed(&tuning);
	struct gsync_spin spin;

	gsync_spin_start(&spin, pressed ? pressed_patience(&tuning) : tuning.spin, tuning.backoff);
	do {
		uint32_t seen = look(lock);

		if (can_take(seen, self) && take(lock, seen, self)) {
			if (pressed)
				learn(gsync_spin_elapsed(&spin));
			return true;
		}
		/* Granted to those who have slept: make room for them. */
		if ((seen & G) != 0)
			gsync_spin_yield();
	} while (gsync_spin_again(&spin));
	/* The next wait gets the whole patience: perhaps critical sections are longer here. */
	if (pressed)
		usual_wait = 0;
	return false;
}

/* Gives up, unless the lock can be had after all. Returns 0 or ETIMEDOUT. */
static int give_up(gsync_lockword_t *lock, const struct waiter *self)
{
	uint32_t duties = self->guard ? H | W | P : H;
	uint32_t seen;

	for (;;) {
		seen = look(lock);
		if (can_take(seen, self)) {
			if (take(lock, seen, self))
				return 0;
		} else if ((seen & duties) == 0 || change(lock, seen, seen & ~duties, __ATOMIC_RELAXED)) {
			break;
		}
	}
	/* A wake-up may have been spent on this thread. */
	if (self->has_slept)
		gsync_futex_wake(&lock->word, 1, GSYNC_ANYBODY, (seen & S) != 0);
	return ETIMEDOUT;
}

/* The guard's next look, or DEADLINE if that is sooner. Returns whether it is DEADLINE. */
static bool next_look(struct timespec *next, const struct timespec *deadline)
{
	*next = gsync_deadline_in(gsync_tuning().repair_ns);
	if (!deadline || gsync_deadline_before(next, deadline))
		return false;
	*next = *deadline;
	return true;
}

/*
 * While a quota throttles this process, what is short is CPU time, not time: a
 * thread that works on while the others sleep gets more done for it than one that
 * wakes another at every release, which then finds the lock taken again. So
 * wake-ups are spared, but for one now and then, as long as the guard is there to
 * find the lock if its holders stay away; where it does so time after time, they
 * do, and every release wakes again for a while.
 */
#define VAIN_MOST 6u
#define VAIN_RECESS_NS 1000000000u

static __thread uint64_t last_wake __attribute__((tls_model("initial-exec")));
static uint32_t found_free; /* by guards, in turn; a race on it loses a hint, nothing more */
static uint64_t sparing_resumes; /* in ns of the monotonic clock; 0 = now */

static void guard_looked(bool is_free)
{
	uint32_t times = is_free ? __atomic_load_n(&found_free, __ATOMIC_RELAXED) + 1 : 0;

	if (times == VAIN_MOST) {
		__atomic_store_n(&sparing_resumes, gsync_monotonic_ns() + VAIN_RECESS_NS, __ATOMIC_RELAXED);
		times = 0;
	}
	__atomic_store_n(&found_free, times, __ATOMIC_RELAXED);
}

static bool spares_wake_up(uint32_t seen)
{
	struct gsync_tuning tuning;
	uint64_t now;

	if (__atomic_load_n(&gsync_live.throttled_until, __ATOMIC_RELAXED) == 0 || (seen & (W | S)) != W || (seen & P) == 0 ||
	    (seen & P) != process_mark())
		return false;
	tuning = gsync_tuning();
	now = gsync_ticks();
	if (!gsync_is_throttled(&tuning) || __atomic_load_n(&sparing_resumes, __ATOMIC_RELAXED) > gsync_monotonic_ns())
		return false;
	if (now - last_wake < tuning.fair)
		return true;
	last_wake = now;
	return false;
}

/* Sleeps, if SEEN still stands. Returns true when DEADLINE ended it. */
static bool sleep_on(gsync_lockword_t *lock, uint32_t seen, struct waiter *self, const struct timespec *deadline)
{
	bool shared = (seen & S) != 0;
	uint32_t sleeping = (self->has_slept ? seen & ~H : seen) | W;
	bool becomes_guard = false;
	struct timespec next;
	bool is_deadline;

	if (GSYNC_LOCKWORD_PLAIN_STORE_ && !shared && (seen & W) == 0) {
		uint32_t mark = process_mark();

		becomes_guard = mark == 0 || (seen & P) != mark;
		sleeping = (sleeping & ~P) | mark;
	}
	if (sleeping != seen && !change(lock, seen, sleeping, __ATOMIC_RELAXED))
		return false;
	self->guard |= becomes_guard;
	self->has_slept = true;
	if (!self->guard)
		return gsync_futex_wait(&lock->word, sleeping, GSYNC_ANYBODY, deadline, shared);
	is_deadline = next_look(&next, deadline);
	if (!gsync_futex_wait(&lock->word, sleeping, GSYNC_ANYBODY, &next, shared))
		return false;
	guard_looked((look(lock) & L) == 0);
	return is_deadline;
}

int gsync_lockword_lock_slow(gsync_lockword_t *lock, const struct timespec *deadline)
{
	struct waiter self = { false, false };

	if (deadline && !gsync_deadline_valid(deadline))
		return EINVAL;
	while (!spin(lock, &self)) {
		uint32_t seen = look(lock);

		/* Who has slept stands for the others that sleep, and has no time for anything else. */
		if (!self.has_slept)
			gsync_patience_ended(deadline);
		if (can_take(seen, &self))
			continue;
		if ((deadline && gsync_deadline_passed(deadline)) || sleep_on(lock, seen, &self, deadline))
			return give_up(lock, &self);
	}
	return 0;
}

void gsync_lockword_unlock_slow(gsync_lockword_t *lock)
{
	uint32_t held;

	if (spares_wake_up(look(lock))) {
		__atomic_fetch_and(&lock->word, ~(L | H), __ATOMIC_RELEASE);
		return;
	}
	held = __atomic_fetch_and(&lock->word, ~(L | W | H), __ATOMIC_RELEASE);
	if ((held & W) != 0)
		gsync_futex_wake(&lock->word, 1, GSYNC_ANYBODY, (held & S) != 0);
}

bool gsync_lockword_hand_over(gsync_lockword_t *lock)
{
	uint32_t seen = look(lock);

	if ((seen & (W | S)) != W || !change(lock, seen, seen | H, __ATOMIC_RELAXED))
		return false;
	if (gsync_futex_wake(&lock->word, 1, GSYNC_ANYBODY, false) == 0 ||
	    !change(lock, seen | H, seen | G, __ATOMIC_RELEASE))
		return false;
	/* The new owner may wait for this very CPU. */
	gsync_spin_yield();
	return true;
}
