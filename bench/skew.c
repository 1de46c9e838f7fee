/* SPDX-License-Identifier: MIT */
#include "bench/skew.h"

#include <pthread.h>

#include "bench/affinity.h"
#include "detect/clock.h"

#define MESSAGES 2000
#define LIMIT_NS 100000000u
#define LOOKS 1024 /* between two looks at the clock */

int64_t bench_skew_offset(const struct bench_skew *skew)
{
	return (skew->forth - skew->back) / 2;
}

bool bench_skew_is_backwards(const struct bench_skew *skew)
{
	return skew->messages > 0 && (skew->forth < 0 || skew->back < 0);
}

/* The counter, read neither before the message has been seen nor after the next is on its way. */
static uint64_t ordered_counter(void)
{
#if defined(__x86_64__) || defined(__SSE2__)
	uint64_t value;

	_mm_lfence();
	value = gsync_counter();
	_mm_lfence();
	return value;
#elif defined(__aarch64__)
	uint64_t value;

	__asm__ __volatile__("isb" ::: "memory");
	value = gsync_counter();
	__asm__ __volatile__("isb" ::: "memory");
	return value;
#else
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return gsync_counter();
#endif
}

struct side {
	int64_t quickest; /* message to this side */
	unsigned messages;
};

struct exchange {
	/* Even: the first side's turn to send; odd: the second's. */
	_Alignas(128) uint32_t turn;
	uint64_t sent;
	_Alignas(128) bool over;
	struct side sides[2];
};

/* Waits for this side's turn; false when it is over. */
static bool await_turn(struct exchange *exchange, uint32_t side, uint64_t start)
{
	unsigned looks = 0;

	while (__atomic_load_n(&exchange->turn, __ATOMIC_ACQUIRE) % 2 != side) {
		if (__atomic_load_n(&exchange->over, __ATOMIC_RELAXED))
			return false;
		if (++looks % LOOKS == 0 && gsync_monotonic_ns() - start > LIMIT_NS)
			return false;
		gsync_pause();
	}
	return true;
}

static void talk(struct exchange *exchange, uint32_t number)
{
	struct side *side = &exchange->sides[number];
	uint64_t start = gsync_monotonic_ns();

	while (side->messages < MESSAGES && await_turn(exchange, number, start)) {
		uint64_t seen = ordered_counter();

		/* The first turn of the first side comes without a message. */
		if (exchange->turn > 0) {
			int64_t took = (int64_t)(seen - exchange->sent);

			if (side->messages == 0 || took < side->quickest)
				side->quickest = took;
			side->messages++;
		}
		exchange->sent = ordered_counter();
		__atomic_store_n(&exchange->turn, exchange->turn + 1, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&exchange->over, true, __ATOMIC_RELAXED);
}

static void *talk_first(void *argument)
{
	talk(argument, 0);
	return NULL;
}

static void *talk_second(void *argument)
{
	talk(argument, 1);
	return NULL;
}

int bench_skew_measure(int cpu, int other_cpu, struct bench_skew *skew, struct bench_error *error)
{
	struct exchange exchange = { .turn = 0 };
	pthread_t first, second;

	if (bench_pinned_thread(&first, cpu, talk_first, &exchange, error) != 0)
		return -1;
	if (bench_pinned_thread(&second, other_cpu, talk_second, &exchange, error) != 0) {
		__atomic_store_n(&exchange.over, true, __ATOMIC_RELAXED);
		pthread_join(first, NULL);
		return -1;
	}
	pthread_join(first, NULL);
	pthread_join(second, NULL);
	skew->forth = exchange.sides[1].quickest;
	skew->back = exchange.sides[0].quickest;
	skew->messages = exchange.sides[0].messages;
	return 0;
}
