/* SPDX-License-Identifier: MIT */
/*
 * The weak-memory check: the C files of primitives/ themselves, with their orders, under Relacy, which runs threads as
 * fibers in random interleavings and lets each load return any value that the C11 memory model allows. A lock guards plain
 * data, behind a barrier everybody reads what the others have written: Relacy reports what races, and who waits for ever.
 *
 * It samples executions, it does not prove; and it knows all of C11 but loads that see stores of the future. With
 * an argument, acquire or release, all operations of that order are relaxed, which has to be found.
 */
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include <relacy/relacy.hpp>
#include <relacy/stdlib/pthread.hpp>

#undef malloc
#undef free
#undef calloc
#undef realloc

#include "client.h"

#ifndef ITERATIONS
#define ITERATIONS 100000
#endif
#define THREADS 3

namespace {

typedef rl::atomic<std::uint64_t> cell_t;

cell_t *cells;
struct word words[WORDS_MAX];
std::size_t word_count;
bool acquire_is_weak, release_is_weak;
std::uint64_t clock_ns;

/* The cell of a word, or of one of its halves; NULL for memory that is not checked. */
cell_t *cell_of(const void *address, unsigned *shift = nullptr)
{
	for (std::size_t i = 0; i < word_count; i++) {
		std::ptrdiff_t distance = static_cast<const char *>(address) - static_cast<char *>(words[i].address);

		if (distance < 0 || distance >= static_cast<std::ptrdiff_t>(words[i].size))
			continue;
		if (shift)
			*shift = static_cast<unsigned>(distance) * 8;
		return &cells[i];
	}
	return nullptr;
}

std::uint64_t cut(std::uint64_t value, std::size_t size)
{
	return size == 8 ? value : value & ((std::uint64_t(1) << size * 8) - 1);
}

rl::memory_order order_of(int order)
{
	bool acquires = (order == __ATOMIC_ACQUIRE || order == __ATOMIC_ACQ_REL) && !acquire_is_weak;
	bool releases = (order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL) && !release_is_weak;

	if (order == __ATOMIC_SEQ_CST)
		return rl::mo_seq_cst;
	if (acquires)
		return releases ? rl::mo_acq_rel : rl::mo_acquire;
	return releases ? rl::mo_release : rl::mo_relaxed;
}

}

/* ---- what orders.h has put in the place of built-ins */

extern "C" {

enum weak_change { WEAK_SET, WEAK_ADD, WEAK_AND, WEAK_OR };

std::uint64_t weak_load(const void *word, std::size_t size, int order)
{
	cell_t *cell = cell_of(word);
	std::uint64_t value = 0;

	if (cell)
		return cell->load(order_of(order), $);
	std::memcpy(&value, word, size);
	return value;
}

void weak_store(void *word, std::size_t size, std::uint64_t value, int order)
{
	cell_t *cell = cell_of(word);

	if (cell)
		cell->store(cut(value, size), order_of(order), $);
	else
		std::memcpy(word, &value, size);
}

bool weak_compare_exchange(void *word, std::size_t size, std::uint64_t *expected, std::uint64_t value, int order,
			   int failure)
{
	return cell_of(word)->compare_exchange_strong(*expected, cut(value, size), order_of(order), $, order_of(failure), $);
}

std::uint64_t weak_change(void *word, std::size_t size, enum weak_change change, std::uint64_t value, int order)
{
	cell_t *cell = cell_of(word);
	std::uint64_t before;

	switch (change) {
	case WEAK_SET:
		return cell->exchange(cut(value, size), order_of(order), $);
	case WEAK_AND:
		return cell->fetch_and(size == 8 ? value : cut(value, size), order_of(order), $);
	case WEAK_OR:
		return cell->fetch_or(value, order_of(order), $);
	default:
		break;
	}
	if (size == 8)
		return cell->fetch_add(value, order_of(order), $);
	/* It wraps sooner than its cell. */
	before = cell->load(rl::mo_relaxed, $);
	while (!cell->compare_exchange_strong(before, cut(before + value, size), order_of(order), $, rl::mo_relaxed, $)) {
	}
	return before;
}

/* ---- what primitives/ and detect/ do otherwise */

int gsync_futex_wait(std::uint32_t *word, std::uint32_t expected, std::uint32_t, const struct timespec *deadline, bool)
{
	rl::context &context = rl::ctx();
	unsigned shift;
	cell_t *cell = cell_of(word, &shift);
	std::uint64_t seen;

	context.sched();
	context.atomic_thread_fence_seq_cst();
	{
		rl::preemption_disabler at_once(context);

		seen = cell->load(rl::mo_acquire, $);
	}
	if (static_cast<std::uint32_t>(seen >> shift) != expected)
		return 1;
	switch (cell->wait(context, deadline != nullptr, true, $)) {
	case rl::unpark_reason_normal:
		return 0;
	case rl::unpark_reason_timeout:
		return 2;
	default:
		return 1;
	}
}

int gsync_futex_wake(std::uint32_t *word, int count, std::uint32_t, bool)
{
	rl::context &context = rl::ctx();

	context.sched();
	context.atomic_thread_fence_seq_cst();
	return static_cast<int>(cell_of(word)->wake(context, static_cast<rl::thread_id_t>(count < THREADS ? count : THREADS), $));
}

std::uint64_t gsync_clock_doubtful_ns(void)
{
	return clock_ns += 1000;
}

}

/* ---- the threads */

static void begin_execution(cell_t *cell)
{
	cells = cell;
	word_count = 0;
	word_count = client_init(words);
	for (std::size_t i = 0; i < word_count; i++)
		cell[i].store(0, rl::mo_relaxed, $);
}

#ifdef IS_barrier

struct check : rl::test_suite<check, THREADS> {
	cell_t cell[WORDS_MAX];
	rl::var<int> written[THREADS];

	void before()
	{
		begin_execution(cell);
		for (unsigned i = 0; i < THREADS; i++)
			written[i]($) = 0;
	}

	void thread(unsigned index)
	{
		for (int round = 1; round <= 2; round++) {
			written[index]($) = round;
			client_wait();
			for (unsigned i = 0; i < THREADS; i++)
				RL_ASSERT(written[i]($) == round);
			client_wait();
		}
	}
};

#else

struct check : rl::test_suite<check, THREADS> {
	cell_t cell[WORDS_MAX];
	rl::var<int> data;

	void before()
	{
		begin_execution(cell);
		data($) = 0;
	}

	void thread(unsigned index)
	{
		for (int round = 0; round < 2; round++) {
			bool has_lock = true;

			if (index == 0 || round == 0)
				client_lock();
			else
				has_lock = client_try(index == 1) == 0;
			if (has_lock) {
				data($) = data($) + 1;
				client_unlock();
			}
		}
	}
};

#endif

int main(int count, char **words_of_command)
{
	rl::test_params parameters;
	std::ostream nowhere(nullptr);

	acquire_is_weak = count > 1 && std::strcmp(words_of_command[1], "acquire") == 0;
	release_is_weak = count > 1 && std::strcmp(words_of_command[1], "release") == 0;
	parameters.iteration_count = ITERATIONS;
	parameters.progress_stream = &nowhere;
	parameters.execution_depth_limit = 10000;
	return rl::simulate<check>(parameters) ? 0 : 1;
}
