/* SPDX-License-Identifier: MIT */
/* Statistics as programs ask for them, and as the environment does: counting on and off, snapshots, the table at exit. */
#include <guestsync/statistics.h>

#include "detect/override.h"
#include "primitives/tally.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* On its line nobody else writes. */
uint32_t gsync_statistics_on_[16];

int gsync_statistics_start(void)
{
	int error = gsync_tally_prepare();

	if (error == 0)
		__atomic_store_n(&gsync_statistics_on_[0], 1u, __ATOMIC_RELAXED);
	return error;
}

void gsync_statistics_stop(void)
{
	__atomic_store_n(&gsync_statistics_on_[0], 0u, __ATOMIC_RELAXED);
}

/* ---- snapshots */

static gsync_statistics_waits_t waits_of(const struct gsync_sums *sums, unsigned kind)
{
	const uint64_t *count = sums->count[kind];

	return (gsync_statistics_waits_t){
		.acquired = count[GSYNC_UNCONTENDED] + count[GSYNC_SPUN] + count[GSYNC_SLEPT],
		.contended = count[GSYNC_SPUN] + count[GSYNC_SLEPT] + count[GSYNC_TIMED_OUT],
		.spun = count[GSYNC_SPUN],
		.slept = count[GSYNC_SLEPT],
		.timed_out = count[GSYNC_TIMED_OUT],
		.woken = count[GSYNC_WOKEN],
		.longest_wait_ns = sums->longest_ns[kind],
	};
}

static gsync_statistics_t statistics_of(const struct gsync_sums *sums)
{
	const uint64_t *pool = sums->count[GSYNC_KIND_POOL_];

	return (gsync_statistics_t){
		.spinlock = waits_of(sums, GSYNC_KIND_SPINLOCK_),
		.mutex = waits_of(sums, GSYNC_KIND_MUTEX_),
		.oticket = waits_of(sums, GSYNC_KIND_OTICKET_),
		.barrier = waits_of(sums, GSYNC_KIND_BARRIER_),
		.pool = {
			.tasks = pool[GSYNC_TASK],
			.stolen = pool[GSYNC_STOLEN],
			.helped = pool[GSYNC_HELPED],
			.parked = pool[GSYNC_PARKED],
			.woken = pool[GSYNC_WOKEN],
		},
	};
}

static void hand_out(const struct gsync_sums *sums, gsync_statistics_t *out, size_t size)
{
	const gsync_statistics_t known = statistics_of(sums);

	memset(out, 0, size);
	memcpy(out, &known, size < sizeof(known) ? size : sizeof(known));
}

void gsync_statistics_of_thread(gsync_statistics_t *out, size_t size)
{
	struct gsync_sums sums;

	gsync_tally_of_thread(&sums);
	hand_out(&sums, out, size);
}

void gsync_statistics_of_process(gsync_statistics_t *out, size_t size)
{
	struct gsync_sums sums;

	gsync_tally_of_process(&sums);
	hand_out(&sums, out, size);
}

/* ---- the table */

struct page {
	char text[2048];
	size_t length;
};

static __attribute__((format(printf, 2, 3))) void print(struct page *page, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(page->text + page->length, sizeof(page->text) - page->length, format, arguments);
	va_end(arguments);
	if (length > 0)
		page->length += (size_t)length;
	if (page->length > sizeof(page->text) - 1)
		page->length = sizeof(page->text) - 1;
}

static void print_waits(struct page *page, const char *name, const gsync_statistics_waits_t *waits)
{
	if (waits->acquired == 0 && waits->contended == 0 && waits->woken == 0)
		return;
	print(page, "  %-8s %12" PRIu64 " %12" PRIu64 " %12" PRIu64 " %12" PRIu64 " %10" PRIu64 " %12" PRIu64 " %16.1f\n", name,
	      waits->acquired, waits->contended, waits->spun, waits->slept, waits->timed_out, waits->woken,
	      (double)waits->longest_wait_ns / 1e3);
}

static void print_pool(struct page *page, const gsync_statistics_pool_t *pool)
{
	static const gsync_statistics_pool_t nothing;

	if (memcmp(pool, &nothing, sizeof(nothing)) != 0)
		print(page,
		      "  pool     %" PRIu64 " tasks, %" PRIu64 " of them stolen; helped in %" PRIu64 " loops; parked %" PRIu64
		      " times, woke %" PRIu64 "\n",
		      pool->tasks, pool->stolen, pool->helped, pool->parked, pool->woken);
}

/* By one write, so that what several processes print does not mix; stdio may be gone already. */
static __attribute__((destructor)) void print_at_exit(void)
{
	struct page page = { .length = 0 };
	gsync_statistics_t counted;
	size_t nothing;

	if (!gsync_override_counts())
		return;
	gsync_statistics_of_process(&counted, sizeof(counted));
	print(&page, "guestsync: statistics of %s, process %ld\n", program_invocation_short_name, (long)getpid());
	print(&page, "  %-8s %12s %12s %12s %12s %10s %12s %16s\n", "", "acquired", "contended", "spun", "slept", "timed out",
	      "woken", "longest wait/us");
	nothing = page.length;
	print_waits(&page, "spinlock", &counted.spinlock);
	print_waits(&page, "mutex", &counted.mutex);
	print_waits(&page, "oticket", &counted.oticket);
	print_waits(&page, "barrier", &counted.barrier);
	print_pool(&page, &counted.pool);
	if (page.length == nothing)
		print(&page, "  nothing was counted\n");
	if (write(STDERR_FILENO, page.text, page.length) < 0)
		return; /* nobody to tell */
}

/* After detect/tuning.c has read the environment, and before the program's own constructors. */
static __attribute__((constructor(102))) void load(void)
{
	static const char text[] = "guestsync: GUESTSYNC_STATS=1: no memory, or no thread key, to count with\n";

	if (gsync_override_counts() && gsync_statistics_start() != 0 &&
	    write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		return; /* nobody to tell */
}
