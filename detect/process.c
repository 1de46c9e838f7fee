/* SPDX-License-Identifier: MIT */
/*
 * Memory that fork clears. A number that a child has not got in common with its
 * parent, such as the PID, would do as well, were it not for PID namespaces,
 * where the first process's child is number 1 too.
 */
#include "detect/process.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>

#define PAGE_BYTES 4096

static uint32_t *map_page(void)
{
	static uint32_t *page;
	uint32_t *seen = __atomic_load_n(&page, __ATOMIC_ACQUIRE);
	uint32_t *fresh;

	if (seen)
		return seen;
	fresh = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (fresh == MAP_FAILED)
		return NULL;
	if (madvise(fresh, PAGE_BYTES, MADV_WIPEONFORK) == 0 &&
	    __atomic_compare_exchange_n(&page, &seen, fresh, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return fresh;
	munmap(fresh, PAGE_BYTES);
	return seen;
}

uint32_t *gsync_process_word(enum gsync_process_word which)
{
	int caller_errno = errno;
	uint32_t *page = map_page();

	errno = caller_errno;
	return page ? page + which : NULL;
}

#define MARK_MOST 127u

uint32_t gsync_process_mark(void)
{
	static uint32_t last; /* inherited by children: that of the nearest ancestor that had one */
	uint32_t *own = gsync_process_word(GSYNC_PROCESS_MARK);
	uint32_t mark = own ? __atomic_load_n(own, __ATOMIC_RELAXED) : 0;

	if (own && mark == 0) {
		uint32_t fresh = __atomic_add_fetch(&last, 1u, __ATOMIC_RELAXED) % MARK_MOST + 1;

		if (__atomic_compare_exchange_n(own, &mark, fresh, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			mark = fresh;
	}
	return mark;
}
