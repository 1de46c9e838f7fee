/* SPDX-License-Identifier: MIT */
/*
 * Where threads count: each in a tally of its own, some cache lines in memory that
 * is mapped when counting is first asked for, so that no slow path allocates.
 *
 * A thread takes a tally when it first counts and gives it back when it ends (by a
 * destructor of pthread_key_create), with all that is in it. The next owner counts on
 * from there. So the process's sums are those over all tallies, and nothing of what
 * ended threads counted has to be moved, which a snapshot might see twice or not
 * at all. What the owner itself counted is what came since it took the tally.
 *
 * Where all are taken the rest share the first one. Therefore, and because a signal
 * handler may count in the middle of counting, numbers are added to atomically;
 * without a rival that costs some ns.
 *
 * A child has one thread, and begins at 0: it clears all tallies and keeps the one
 * of the thread that forked.
 */
#include "primitives/tally.h"

#include "detect/clock.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#define LINE 64
#define WORDS 16u
#define WORD_BITS 64u
#define TALLIES (WORDS * WORD_BITS)
#define SHARED 0u

struct gsync_tally {
	_Alignas(LINE) struct gsync_sums now;
	_Alignas(LINE) struct gsync_sums before; /* when its owner took it */
};

__thread struct gsync_teller gsync_teller __attribute__((tls_model("initial-exec")));

static struct gsync_tally *tallies;
static uint64_t taken[WORDS]; /* a bit for each tally */
static uint32_t used; /* none beyond this one was ever taken */
static pthread_key_t at_thread_end;

/* ---- taking one, and giving it back */

static uint64_t bit_of(uint32_t index)
{
	return (uint64_t)1 << index % WORD_BITS;
}

static void give_back(struct gsync_tally *tally)
{
	uint32_t index = (uint32_t)(tally - tallies);

	/* Release: the next owner sees what this one has counted. */
	if (index != SHARED)
		__atomic_fetch_and(&taken[index / WORD_BITS], ~bit_of(index), __ATOMIC_RELEASE);
}

static void end_thread(void *tally)
{
	gsync_teller.tally = NULL;
	give_back(tally);
}

static uint32_t take_any(void)
{
	for (uint32_t word = 0; word < WORDS; word++) {
		uint64_t seen = __atomic_load_n(&taken[word], __ATOMIC_RELAXED);

		while (~seen != 0) {
			uint64_t bit = ~seen & (seen + 1);

			/* Acquire: pairs with the release of whoever gave it back. */
			seen = __atomic_fetch_or(&taken[word], bit, __ATOMIC_ACQUIRE);
			if ((seen & bit) == 0)
				return word * WORD_BITS + (uint32_t)__builtin_ctzll(bit);
		}
	}
	return SHARED;
}

static void raise_to(uint64_t *most, uint64_t value)
{
	uint64_t seen = __atomic_load_n(most, __ATOMIC_RELAXED);

	while (seen < value &&
	       !__atomic_compare_exchange_n(most, &seen, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
		/* another was faster */
	}
}

/* What comes from now on is the new owner's. The longest wait is in one of both places at every moment. */
static void begin_anew(struct gsync_tally *tally)
{
	memcpy(tally->before.count, tally->now.count, sizeof(tally->now.count));
	for (unsigned kind = 0; kind < GSYNC_KINDS; kind++) {
		raise_to(&tally->before.longest_ns[kind], tally->now.longest_ns[kind]);
		__atomic_store_n(&tally->now.longest_ns[kind], 0, __ATOMIC_RELEASE);
	}
}

static struct gsync_tally *take_tally(struct gsync_tally *all)
{
	uint32_t index = take_any();
	uint32_t seen = __atomic_load_n(&used, __ATOMIC_RELAXED);

	while (seen < index && !__atomic_compare_exchange_n(&used, &seen, index, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
		/* others take theirs */
	}
	/* A signal handler may have come by here meanwhile. */
	if (gsync_teller.tally) {
		give_back(&all[index]);
		return gsync_teller.tally;
	}
	gsync_teller.tally = &all[index];
	if (index != SHARED) {
		begin_anew(&all[index]);
		/* Without memory for it this tally stays its own for ever; its numbers are right. */
		pthread_setspecific(at_thread_end, &all[index]);
	}
	return gsync_teller.tally;
}

/* The calling thread's. */
static struct gsync_tally *own(void)
{
	/* Acquire: the memory was mapped by another thread. */
	struct gsync_tally *all = __atomic_load_n(&tallies, __ATOMIC_ACQUIRE);

	return gsync_teller.tally || !all ? gsync_teller.tally : take_tally(all);
}

/* ---- counting */

void gsync_tally_add(unsigned kind, enum gsync_event event, uint64_t times)
{
	struct gsync_tally *tally = own();

	if (tally)
		__atomic_fetch_add(&tally->now.count[kind][event], times, __ATOMIC_RELAXED);
}

void gsync_statistics_acquired_(unsigned kind)
{
	gsync_tally_add(kind, GSYNC_UNCONTENDED, 1);
}

void gsync_tally_wait_begins(struct gsync_wait *wait)
{
	gsync_teller.wakes_for = wait->kind;
	wait->sleeps = gsync_teller.sleeps;
	wait->began = gsync_monotonic_ns();
}

void gsync_tally_wait_ends(const struct gsync_wait *wait, int error)
{
	uint64_t lasted = gsync_monotonic_ns() - wait->began;
	struct gsync_tally *tally = own();

	if (error == EINVAL || !tally)
		return;
	if (error != 0)
		gsync_tally_add(wait->kind, GSYNC_TIMED_OUT, 1);
	else
		gsync_tally_add(wait->kind, gsync_teller.sleeps != wait->sleeps ? GSYNC_SLEPT : GSYNC_SPUN, 1);
	raise_to(&tally->now.longest_ns[wait->kind], lasted);
}

/* ---- summing up */

static void add_up(struct gsync_sums *out, struct gsync_sums *sums)
{
	for (unsigned kind = 0; kind < GSYNC_KINDS; kind++)
		for (unsigned event = 0; event < GSYNC_EVENTS; event++)
			out->count[kind][event] += __atomic_load_n(&sums->count[kind][event], __ATOMIC_RELAXED);
}

static void find_longest(struct gsync_sums *out, struct gsync_sums *sums)
{
	for (unsigned kind = 0; kind < GSYNC_KINDS; kind++) {
		/* Acquire: whoever finds it gone from here finds it in the other place. */
		uint64_t longest = __atomic_load_n(&sums->longest_ns[kind], __ATOMIC_ACQUIRE);

		if (out->longest_ns[kind] < longest)
			out->longest_ns[kind] = longest;
	}
}

void gsync_tally_of_thread(struct gsync_sums *out)
{
	struct gsync_tally *tally = gsync_teller.tally;

	memset(out, 0, sizeof(*out));
	if (!tally)
		return;
	add_up(out, &tally->now);
	find_longest(out, &tally->now);
	for (unsigned kind = 0; kind < GSYNC_KINDS; kind++)
		for (unsigned event = 0; event < GSYNC_EVENTS; event++)
			out->count[kind][event] -= tally->before.count[kind][event];
}

void gsync_tally_of_process(struct gsync_sums *out)
{
	struct gsync_tally *all = __atomic_load_n(&tallies, __ATOMIC_ACQUIRE);

	memset(out, 0, sizeof(*out));
	for (uint32_t i = 0; all && i <= __atomic_load_n(&used, __ATOMIC_RELAXED); i++) {
		add_up(out, &all[i].now);
		find_longest(out, &all[i].now);
		find_longest(out, &all[i].before);
	}
}

/* ---- a process, and its children */

static void after_fork_child(void)
{
	uint32_t index = gsync_teller.tally ? (uint32_t)(gsync_teller.tally - tallies) : SHARED;

	memset(tallies, 0, (used + 1) * sizeof(*tallies));
	memset(taken, 0, sizeof(taken));
	taken[SHARED] = bit_of(SHARED);
	taken[index / WORD_BITS] |= bit_of(index);
}

static int prepared;

static void prepare(void)
{
	void *memory = mmap(NULL, TALLIES * sizeof(*tallies), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	prepared = memory == MAP_FAILED ? ENOMEM : pthread_key_create(&at_thread_end, end_thread);
	if (prepared == 0)
		prepared = pthread_atfork(NULL, NULL, after_fork_child);
	taken[SHARED / WORD_BITS] = bit_of(SHARED);
	/* Release: pairs with own(). */
	if (prepared == 0)
		__atomic_store_n(&tallies, (struct gsync_tally *)memory, __ATOMIC_RELEASE);
	else if (memory != MAP_FAILED)
		munmap(memory, TALLIES * sizeof(*tallies));
}

int gsync_tally_prepare(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, prepare);
	return prepared;
}
