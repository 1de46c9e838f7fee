/* SPDX-License-Identifier: MIT */
/*
 * The lock word of gsync_spinlock and gsync_mutex: test and set, waiters that
 * sleep once spinning has gone on for too long, a fair hand-over on request, and
 * an unlock that is still a plain store.
 *
 *   L  held, or granted          W  somebody may sleep: the next unlock must wake one
 *   P  one sleeper, the guard,   H  the holder is handing over: it is waking a sleeper
 *      has a timeout             G  granted: nobody holds it, whoever has slept may take it
 *   A  solo: one runs alone with the lock, the others sleep until it is their turn
 *   M  measured: unlocks are counted. The holder sets and clears A and M, at any time (primitives/solo.c)
 *   S  process-shared, constant: then A, M and P are 0 for ever
 *   H and G only with L and W, G only without A; a free lock has L = 0. A, M and S stay as they are where not shown.
 *
 *   from      to          by
 *   -  …      L …         any thread, where L = 0
 *   -  …      L W …       a waiter that has slept; if it is the guard it clears P in the same step
 *   L         L W P       a waiter, before it sleeps, where W = P = 0: it becomes the guard
 *   L …       L W …       a waiter, before it sleeps, else; one that has slept before clears H
 *   A …       A … P       solo: a waiter, before it sleeps, if L = 0 or W = 0 or it was woken: where P = 0 the guard
 *   A L W …   A L W …     solo: any other waiter sleeps on the word as it is
 *   A …       …           solo: a waiter that could not have its turn, time after time, clears A and M; from here on as
 *                         without A
 *   L …       - …         plain unlock, which read W = H = G = S = 0: a store to L's byte, the rest stays as it is
 *   L …       - …         any other unlock: clears L, W and H in one step; where W was set it wakes one, or two
 *   L W P     W P         or, where that spares a wake-up and there is a guard: the guard will look
 *   A L W P   A P         solo: the same, and W is not needed either
 *   L W …     L W H …     hand-over, first step; then it wakes one
 *   L W H …   L W G …     hand-over, second step, if a sleeper was woken and H still stands
 *   L W G …   L W …       a waiter that has slept, or seen G for long: it has the lock; the guard clears P
 *   L …       L …         a waiter gives up: clears H; the guard clears W and P; if it has slept, it wakes one
 *
 * Exclusion: L goes from 0 to 1 by read-modify-writes only. L W G has no holder;
 * the compare-and-swap that clears G has one winner.
 *
 * No wake-up is lost.
 * (1) Without A, a waiter sleeps only on a word in which it has seen L and W; futex
 * compares the word again. So a release that comes before the sleep changes the
 * word, and one that comes after, except in (4) and (5), sees W.
 * (2) A release that clears W wakes one, if anybody sleeps: sleepers listen on the
 * channel of their CPU, and unless one of another CPU has been woken the last wake-up
 * is for all channels. And who has slept stands for all that still sleep: it acquires
 * with W set, or sets W before it sleeps again, or wakes another when it gives up.
 * (3) A grant finds a taker: it is made only if a sleeper was woken after H was
 * set and H still stands. That one is awake, or has cleared H: to sleep again or
 * to give up it must. Or a waiter takes the grant that has been overdue for long: then
 * the one that was woken finds the lock held, with W, and waits on.
 * (4) The hole: between the plain unlock's look at W and its store a waiter may
 * set W and fall asleep. Then W went from 0 to 1 during this tenure, by a waiter,
 * so P was set before or by it: there is a guard, which sleeps repair_ns at the
 * most before it looks again, and remains the guard until it holds the lock with
 * W set, or gives up. W = 1 with L = 1 and P = 0 means that the holder set W itself
 * when it acquired, so its unlock sees it. Hence "free, and all asleep" implies a
 * guard, the wait is bounded by repair_ns and the time until the guard gets a CPU,
 * and no other sleeper needs a timeout. A guard that gives up clears W and P
 * together, so that the one it wakes, standing for the rest, becomes the guard if
 * it sleeps again.
 * (5) A release that spares the wake-up has seen this process's P while it held L:
 * so there was a guard, which cannot have acquired since. Either it still is the
 * guard, as in (4), or it has given up and woken one, as in (2).
 * (6) Solo: who sleeps does so on a word with this process's P, set before or in the
 * same step, where L may be 0, and is stood for by the guard as in (5), whether W is
 * set or not; or on one with L and W and without P, as in (1). Who was woken and
 * sleeps again becomes the guard or has found one. When the guard acquires it sets W
 * in the step that clears P. That A comes or goes changes none of this, even if the
 * step that goes to sleep ends it; who ends solo after a trial wakes one all the
 * same, so that the others need not wait for the guard.
 * Nobody starves: one is woken whenever a guard has had its turn, now and then in the
 * order of sleep; from then on its own turn comes with the clock, whoever is the guard.
 * A waiter that cannot have its turn, time after time, ends solo.
 *
 * Fork. The child inherits P, but not the guard. So P is a number that a process
 * does not share with its nearest ancestors (detect/process.h); a waiter that finds
 * another's takes it for 0.
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
#include "primitives/solo.h"
#include "primitives/spin.h"
#include "primitives/tally.h"
#include "primitives/whereabouts.h"

#define L GSYNC_LOCKWORD_L_
#define P (0x7fu << 8)
#define A GSYNC_SOLO
#define M GSYNC_MEASURED
#define W (1u << 16)
#define H (1u << 17)
#define G (1u << 18)
#define S (1u << 24)

#define WATCHES_PER_WINDOW 64 /* a window is one of a trial's: primitives/solo.c */

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

/* This process as a value of P; 0 = unknown: then every waiter that sets W is a guard, and there is no solo. */
static uint32_t process_mark(void)
{
	return gsync_process_mark() << 8;
}

/* What a waiter knows of its own past. */
struct waiter {
	bool timed; /* it has a deadline */
	bool has_slept;
	bool overdue; /* a grant is: this one takes it, though it has not slept */
	bool woken; /* by somebody: as a rule it was the one that had slept longest, of all or of all other CPUs */
	bool guard;
	bool its_turn; /* solo: it has slept until its turn */
	uint32_t failed_turns;
	bool found_idle; /* on its turn, nobody used the lock */
	uint64_t turn; /* solo: when it will be, in ns of the monotonic clock; 0 = not known yet */
	uint64_t now;  /* in ticks, about when it looked at the lock last while it spun; 0 = not known */
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
	return (seen & L) == 0 || ((self->has_slept || self->overdue) && (seen & G) != 0);
}

static bool take(gsync_lockword_t *lock, uint32_t seen, const struct waiter *self)
{
	if (!self->has_slept && (seen & G) == 0)
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

#define PATIENCES_PER_SPIN 4 /* in a turn: a few of the critical sections that solo is for, or a part of one; it comes again */

/* Who was woken for a hand-over, H, is to wait for it. */
static uint64_t patience(gsync_lockword_t *lock, const struct gsync_tuning *tuning, const struct waiter *self, bool pressed)
{
	uint64_t patience;

	if (self->its_turn)
		return tuning->spin / PATIENCES_PER_SPIN;
	patience = pressed ? pressed_patience(tuning) : tuning->spin;
	if (self->has_slept && patience > tuning->woken_spin && (look(lock) & H) == 0)
		return tuning->woken_spin;
	return patience;
}

static void learn(uint64_t waited)
{
	uint32_t wait = waited < UINT32_MAX / 8 ? (uint32_t)waited : UINT32_MAX / 8;

	usual_wait = (usual_wait == 0 ? wait : (usual_wait * 7 + wait) / 8) + 1;
}

/* Whether nobody uses the lock: it is seen to be free for longer than who is alone with it leaves it. */
static bool stays_free(gsync_lockword_t *lock)
{
	struct gsync_spin watch;

	gsync_spin_start(&watch, __atomic_load_n(&gsync_live.window, __ATOMIC_RELAXED) / WATCHES_PER_WINDOW, 1);
	do {
		if ((look(lock) & L) != 0)
			return false;
	} while (gsync_spin_again(&watch));
	return true;
}

/*
 * Whether somebody is alone with the lock and is to remain so: whoever comes then
 * sleeps, and whoever has slept leaves the lock alone until its turn, even where
 * it happens to be free at this moment.
 */
static bool must_not_disturb(uint32_t seen, const struct waiter *self)
{
	return (seen & A) != 0 && !self->its_turn && ((seen & L) != 0 || self->has_slept);
}

/*
 * In a crowd, which is more of our own threads than CPUs, a time slice spent in
 * waiting is one that the holder may lack, and whole time slices are long waits for
 * all the others. So who has to wait lets another thread run: after a while,
 * when the lock's holder has probably been put off its CPU, or at once when it has
 * had the CPU for a turn. Where nobody else wants to run this costs next to nothing.
 *
 * Beside others that yield as well, such as a second copy of this program, nearly
 * at once: what one thread does alone with a CPU is all that there is to be had.
 * Not so soon beside those who take CPUs by force, which a yield does not help.
 */
#define WHILES_PER_PATIENCE 8
#define WHILES_PER_FLOOR 4

static uint64_t a_while(const struct gsync_tuning *tuning, bool pressed)
{
	if (!pressed)
		return tuning->spin / WHILES_PER_PATIENCE;
	return gsync_others() == GSYNC_OTHERS_USE_FORCE ? tuning->spin_floor : tuning->spin_floor / WHILES_PER_FLOOR;
}

static bool should_make_room(const struct gsync_spin *spin, const struct gsync_tuning *tuning, bool pressed)
{
	uint64_t enough;

	if (spin->now == 0)
		return false;
	enough = a_while(tuning, pressed);
	return gsync_turn_is_over(tuning, spin->now) ||
	       (gsync_spin_elapsed(spin) > enough && spin->now - gsync_turn_began > enough);
}

/*
 * Most of the shortest waits do without the clock. But one in some of them must know it, for the turns (not under
 * emulation, where its first looks may be all there is of it) and for solo; so must who makes room at once or learns
 * from each.
 */
#define WAITS_PER_READING 5u

static __thread uint32_t waits __attribute__((tls_model("initial-exec")));

/* Of the wait that was counted last. */
static bool is_to_read_clock(void)
{
	return waits % WAITS_PER_READING == 0;
}

/* Spins until the lock is taken (true) or patience ends. */
static bool spin(gsync_lockword_t *lock, struct waiter *self)
{
	const struct gsync_tuning tuning = gsync_tuning();
	bool pressed = gsync_is_pressed();
	/* What others do with a CPU that they are given may take longer than a deadline allows. */
	bool yields = !pressed || (!self->timed && !gsync_others_are_rude(&tuning));
	struct gsync_spin spin;

	gsync_spin_start(&spin, patience(lock, &tuning, self, !yields), tuning.backoff);
	if (spin.budget == 0 || !yields || is_to_read_clock())
		gsync_spin_read_clock(&spin);
	do {
		uint32_t seen = look(lock);

		if (must_not_disturb(seen, self) && !stays_free(lock))
			return false;
		if (can_take(seen, self) && take(lock, seen, self)) {
			if (!yields) {
				gsync_spin_read_clock(&spin);
				learn(gsync_spin_elapsed(&spin));
			}
			self->now = spin.now;
			return true;
		}
		/* Granted to those who have slept: make room for them. */
		if ((seen & G) != 0 || (yields && should_make_room(&spin, &tuning, pressed))) {
			gsync_spin_make_room(&spin, self->timed ? UINT64_MAX : tuning.spin / WHILES_PER_PATIENCE);
			/* Who yields well need never sleep; but that may be news, or rest on guesses. */
			if (!self->timed && !self->has_slept)
				gsync_patience_ended(NULL);
		}
	} while (gsync_spin_again(&spin));
	/* The next wait gets the whole patience: perhaps critical sections are longer here. */
	if (!yields)
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

/*
 * A turn fails where the lock is held for long, or its holder is not on a CPU: as a
 * rule because the one whose turn it is has pushed it off. So it tries again soon.
 */
#define RETRIES_PER_TURN 16u
#define FAILED_TURNS_MOST 32u

/* When SELF looks again by itself; sooner where DEADLINE is. Returns whether it is DEADLINE. */
static bool next_look(struct waiter *self, bool solo, const struct timespec *deadline, struct timespec *next)
{
	struct gsync_tuning tuning = gsync_tuning();
	uint64_t now = gsync_monotonic_ns();

	if (!solo)
		self->turn = 0;
	else if (self->turn == 0)
		self->turn = now + (self->failed_turns > 0 ? tuning.turn_ns / RETRIES_PER_TURN : tuning.turn_ns);
	*next = gsync_timespec(solo ? self->turn : now + tuning.repair_ns);
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

static bool has_guard(uint32_t seen)
{
	return (seen & (W | S)) == W && (seen & P) != 0 && (seen & P) == process_mark();
}

/* Whether wake-ups are to be spared now. */
static bool is_throttled(void)
{
	struct gsync_tuning tuning;

	if (__atomic_load_n(&gsync_live.throttled_until, __ATOMIC_RELAXED) == 0)
		return false;
	tuning = gsync_tuning();
	return gsync_is_throttled(&tuning) && __atomic_load_n(&sparing_resumes, __ATOMIC_RELAXED) <= gsync_monotonic_ns();
}

static bool spares_wake_up(uint32_t seen)
{
	uint64_t now;

	if (!has_guard(seen) || !is_throttled())
		return false;
	now = gsync_ticks();
	if (now - last_wake < gsync_tuning().fair)
		return true;
	last_wake = now;
	return false;
}

/* What the word is to be while this thread sleeps on it; BECOMES_GUARD: by this. */
static uint32_t asleep(uint32_t seen, const struct waiter *self, bool *becomes_guard)
{
	uint32_t sleeping = self->has_slept ? seen & ~H : seen;
	uint32_t mark;

	*becomes_guard = false;
	if (!GSYNC_LOCKWORD_PLAIN_STORE_ || (seen & S) != 0)
		return sleeping | W;
	/* Where one cannot have its turn, because the lock is held for long, solo ends. */
	if ((seen & A) != 0 && self->failed_turns + self->its_turn >= FAILED_TURNS_MOST)
		seen = sleeping &= ~(A | M);
	/* Solo: one that was woken comes first, lest two threads take turns as guard while the others sleep. */
	if ((seen & (L | W)) == (L | W) && !((seen & A) != 0 && self->woken))
		return sleeping;
	mark = process_mark();
	*becomes_guard = !self->guard && (mark == 0 || (seen & P) != mark);
	sleeping = (sleeping & ~P) | mark;
	/* Solo: W would only have the holder look. */
	return (seen & A) != 0 && mark != 0 ? sleeping : sleeping | W;
}

/* The wake-up channel of those who sleep on this CPU. */
static uint32_t channel_here(void)
{
	int cpu = gsync_whereabouts_cpu();

	return cpu == GSYNC_NOWHERE ? GSYNC_ANYBODY : 1u << (cpu % 32);
}

/* Sleeps, if SEEN still stands. Returns true when DEADLINE ended it. */
static bool sleep_on(gsync_lockword_t *lock, uint32_t seen, struct waiter *self, const struct timespec *deadline)
{
	bool shared = (seen & S) != 0;
	bool becomes_guard;
	uint32_t sleeping = asleep(seen, self, &becomes_guard);
	bool solo = (sleeping & A) != 0;
	bool is_deadline = true;
	struct timespec next;
	enum gsync_sleep sleep;

	if (sleeping != seen && !change(lock, seen, sleeping, __ATOMIC_RELAXED))
		return false;
	self->guard |= becomes_guard;
	self->has_slept = true;
	self->failed_turns += self->its_turn;
	self->its_turn = false;
	if (!self->guard && !(solo && self->woken)) {
		sleep = gsync_futex_wait(&lock->word, sleeping, channel_here(), deadline, shared);
	} else {
		is_deadline = next_look(self, solo, deadline, &next);
		sleep = gsync_futex_wait(&lock->word, sleeping, channel_here(), &next, shared);
	}
	self->woken |= sleep == GSYNC_SLEEP_WOKEN;
	if (sleep != GSYNC_SLEEP_TIMED_OUT || is_deadline)
		return sleep == GSYNC_SLEEP_TIMED_OUT;
	self->its_turn = solo;
	self->turn = 0;
	self->found_idle = stays_free(lock);
	if (!solo)
		guard_looked(self->found_idle);
	return false;
}

static enum gsync_turn turn_of(const struct waiter *self)
{
	if (!self->its_turn)
		return GSYNC_NO_TURN;
	return self->found_idle ? GSYNC_TURN_IDLE : GSYNC_TURN_BUSY;
}

/*
 * A grant that is not taken for so long is overdue: whoever was woken for it has
 * got no CPU, perhaps not for many milliseconds. Some wake-ups long, so that the
 * grant does not go to the one that happens to run; asleep, since it may be this CPU.
 */
#define OVERDUES_PER_TURN 8u

/* Returns true when DEADLINE ended it. */
static bool await_taker(gsync_lockword_t *lock, uint32_t seen, struct waiter *self, const struct timespec *deadline)
{
	struct timespec overdue = gsync_deadline_in(gsync_tuning().turn_ns / OVERDUES_PER_TURN);
	bool is_deadline = deadline && !gsync_deadline_before(&overdue, deadline);
	enum gsync_sleep sleep =
		gsync_futex_wait(&lock->word, seen, channel_here(), is_deadline ? deadline : &overdue, false);

	/* A wake-up was spent on this thread: it stands for the others now. */
	self->has_slept |= sleep == GSYNC_SLEEP_WOKEN;
	self->overdue = sleep == GSYNC_SLEEP_TIMED_OUT && !is_deadline;
	return sleep == GSYNC_SLEEP_TIMED_OUT && is_deadline;
}

/*
 * The first looks of a wait, before all else: true if the lock has been taken. Who is to learn, or to read the clock, goes
 * without, and so does everybody where one is alone with the lock. But under emulation, where all that spin() does costs
 * more, the clock is read first, for solo alone, and the looks follow.
 */
static inline __attribute__((always_inline)) bool take_at_once(gsync_lockword_t *lock)
{
	uint32_t first = gsync_spin_first_looks();
	bool bare = (first & GSYNC_BARE_LOOKS) != 0;
	uint64_t now = 0;

	waits++;
	if (gsync_is_pressed() || (is_to_read_clock() && !bare))
		return false;
	if (is_to_read_clock() && GSYNC_LOCKWORD_PLAIN_STORE_ && (look(lock) & (A | G | S)) == 0)
		now = gsync_ticks();
	for (uint32_t looks = first & ~GSYNC_BARE_LOOKS; looks > 0; looks--) {
		uint32_t seen;

		if (!bare)
			gsync_pause();
		seen = look(lock);
		if ((seen & (A | G)) != 0)
			return false;
		if ((seen & L) == 0 && gsync_lockword_take_(lock)) {
			if (now != 0 || (seen & M) != 0)
				gsync_solo_waited(lock, now, GSYNC_NO_TURN);
			return true;
		}
	}
	return false;
}

/* Kept out of line: what it needs of the stack the shortest waits do not set up. */
static __attribute__((noinline)) int lock_slow(gsync_lockword_t *lock, const struct timespec *deadline)
{
	struct waiter self = { .timed = deadline != NULL };

	while (!spin(lock, &self)) {
		uint32_t seen = look(lock);
		bool over;

		/* Who has slept stands for the others that sleep, and has no time for anything else. */
		if (!self.has_slept)
			gsync_patience_ended(deadline);
		over = deadline && gsync_deadline_passed(deadline);
		if (!over && (seen & G) != 0 && !can_take(seen, &self))
			over = await_taker(lock, seen, &self, deadline);
		else if (!over && (!can_take(seen, &self) || must_not_disturb(seen, &self)))
			over = sleep_on(lock, seen, &self, deadline);
		if (over)
			return give_up(lock, &self);
	}
	if (GSYNC_LOCKWORD_PLAIN_STORE_ && (look(lock) & S) == 0)
		gsync_solo_waited(lock, self.now, turn_of(&self));
	return 0;
}

static __attribute__((noinline)) int lock_counted(gsync_lockword_t *lock, unsigned kind, const struct timespec *deadline)
{
	struct gsync_wait wait = gsync_wait_begins(kind);

	return gsync_wait_ends(&wait, take_at_once(lock) ? 0 : lock_slow(lock, deadline));
}

int gsync_lockword_lock_slow(gsync_lockword_t *lock, unsigned kind, const struct timespec *deadline)
{
	if (deadline && !gsync_deadline_valid(deadline))
		return EINVAL;
	if (GSYNC_UNLIKELY(gsync_is_counting()))
		return lock_counted(lock, kind, deadline);
	return take_at_once(lock) ? 0 : lock_slow(lock, deadline);
}

/*
 * First of all one of another CPU is woken: one of this CPU would have to wait for the CPU, which this thread may go on
 * to use, as well as for the lock, while another CPU idles. But one in some wake-ups is in the order of sleep, lest some
 * be passed over for good; and all are where our own quota presses: what is short there is CPU time.
 */
#define WAKES_PER_ORDERLY 16u

static __thread uint32_t wakes __attribute__((tls_model("initial-exec")));

/*
 * Wakes one; by the address only. Two beside others who want our CPUs, where it may be long until one runs, unless it
 * is our own quota that keeps the CPUs from us.
 */
static void wake(gsync_lockword_t *lock, bool shared)
{
	const struct gsync_tuning tuning = gsync_tuning();
	bool throttled = gsync_is_throttled(&tuning);
	bool in_order = ++wakes % WAKES_PER_ORDERLY == 0 || throttled || tuning.usable_cpus <= 1;
	uint32_t here = in_order ? GSYNC_ANYBODY : channel_here();
	int count = gsync_is_pressed() && !throttled ? 2 : 1;

	if (here != GSYNC_ANYBODY)
		count -= gsync_futex_wake(&lock->word, 1, ~here, shared);
	if (count > 0)
		gsync_futex_wake(&lock->word, count, GSYNC_ANYBODY, shared);
}

void gsync_lockword_unlock_slow(gsync_lockword_t *lock)
{
	bool solo_ends = (look(lock) & M) != 0 && gsync_solo_count(lock);
	uint32_t seen = look(lock);
	uint32_t held;

	/* What is measured is to be as fast as what is not. */
	if (GSYNC_LOCKWORD_PLAIN_STORE_ && !solo_ends && (seen & (W | H | G | S)) == 0) {
		__atomic_store_n(&lock->byte[0], (uint8_t)0, __ATOMIC_RELEASE);
		return;
	}
	if (!solo_ends && (seen & A) == 0 && spares_wake_up(seen)) {
		__atomic_fetch_and(&lock->word, ~(L | H), __ATOMIC_RELEASE);
		return;
	}
	held = __atomic_fetch_and(&lock->word, ~(L | W | H), __ATOMIC_RELEASE);
	if (solo_ends || ((held & W) != 0 && !((seen & A) != 0 && has_guard(seen))))
		wake(lock, (held & S) != 0);
}

/* Not while somebody is alone with it, where the guard's turn comes as often, nor while wake-ups are spared. */
static bool may_hand_over(uint32_t seen)
{
	return (seen & (W | S | A)) == W;
}

bool gsync_lockword_may_hand_over(const gsync_lockword_t *lock)
{
	uint32_t seen = __atomic_load_n(&lock->word, __ATOMIC_RELAXED);

	return may_hand_over(seen) && !(has_guard(seen) && is_throttled());
}

bool gsync_lockword_hand_over(gsync_lockword_t *lock)
{
	uint32_t seen = look(lock);

	if (!may_hand_over(seen) || !change(lock, seen, seen | H, __ATOMIC_RELAXED))
		return false;
	if (gsync_futex_wake(&lock->word, 1, GSYNC_ANYBODY, false) == 0 ||
	    !change(lock, seen | H, seen | G, __ATOMIC_RELEASE))
		return false;
	/* The new owner may wait for this very CPU. */
	gsync_spin_yield();
	return true;
}
