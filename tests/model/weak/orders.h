/* SPDX-License-Identifier: MIT */
/*
 * Comes before each C file of primitives/ that is checked: what it does to its words by __atomic built-ins it does to
 * Relacy's, which know what C11 lets a thread see (check.cpp). Headers that only read settings come first and
 * stay as they are. The machine becomes none that we know, because C11 has no notion of x86's plain store.
 */
#include "detect/clock.h"
#include "detect/process.h"
#include "detect/tuning.h"

#include <limits.h>
#include <stdlib.h>

#undef __x86_64__
#undef __i386__

enum weak_change { WEAK_SET, WEAK_ADD, WEAK_AND, WEAK_OR };

uint64_t weak_load(const void *word, size_t size, int order);
void weak_store(void *word, size_t size, uint64_t value, int order);
/* Returns what was there before. */
uint64_t weak_change(void *word, size_t size, enum weak_change change, uint64_t value, int order);
bool weak_compare_exchange(void *word, size_t size, uint64_t *expected, uint64_t value, int order, int failure);

#define WEAK_CHANGED(word, change, value, order)                                                                       \
	((__typeof__(*(word)))weak_change((word), sizeof(*(word)), (change), (uint64_t)(value), (order)))

#define __atomic_load_n(word, order) ((__typeof__(*(word)))weak_load((word), sizeof(*(word)), (order)))
#define __atomic_store_n(word, value, order) weak_store((word), sizeof(*(word)), (uint64_t)(value), (order))
#define __atomic_exchange_n(word, value, order) WEAK_CHANGED(word, WEAK_SET, value, order)
#define __atomic_fetch_add(word, value, order) WEAK_CHANGED(word, WEAK_ADD, value, order)
#define __atomic_fetch_sub(word, value, order) WEAK_CHANGED(word, WEAK_ADD, -(uint64_t)(value), order)
#define __atomic_fetch_and(word, value, order) WEAK_CHANGED(word, WEAK_AND, value, order)
#define __atomic_fetch_or(word, value, order) WEAK_CHANGED(word, WEAK_OR, value, order)
#define __atomic_add_fetch(word, value, order) ((__typeof__(*(word)))(__atomic_fetch_add(word, value, order) + (value)))
#define __atomic_sub_fetch(word, value, order) ((__typeof__(*(word)))(__atomic_fetch_sub(word, value, order) - (value)))
#define __atomic_or_fetch(word, value, order) ((__typeof__(*(word)))(__atomic_fetch_or(word, value, order) | (value)))
#define __atomic_compare_exchange_n(word, expected, value, weak, order, failure)                                       \
	({                                                                                                             \
		uint64_t weak_expected_ = *(expected);                                                                 \
		bool weak_done_ = weak_compare_exchange((word), sizeof(*(word)), &weak_expected_, (uint64_t)(value),   \
							(order), (failure));                                           \
		*(expected) = (__typeof__(*(word)))weak_expected_;                                                     \
		weak_done_;                                                                                            \
	})
