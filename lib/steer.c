/* SPDX-License-Identifier: MIT */
/*
 * Where a sleeping worker gets up: not on the CPU of who calls it.
 *
 * Linux likes to wake a thread on the waker's CPU, unless it sees an idle one
 * nearby. In a guest it sees none: a halted vCPU is not on a CPU of the host, so
 * KVM marks it as preempted, and the scheduler keeps away from it. The worker
 * then takes the caller's CPU from it at once, and both share that for as long as
 * it takes the next balancing to notice: milliseconds. For two halves of 50 us
 * after a pause of 1 ms we measured 399 wake-ups of 400 on the caller's CPU.
 *
 * So the caller takes its own CPU, and those where others of us are awake, out of
 * the sleeper's mask before it wakes it, and the worker puts them back as soon as
 * it is up. What that costs, two microseconds, is a tenth of the wake-up.
 *
 * A mask that somebody has set is not ours to change: a worker is steered only if
 * it may use every CPU that is online, so that afterwards, when it is given all
 * there can ever be, nothing has changed. A mask that was changed while the worker
 * slept is noticed, and left as it is.
 *
 * All of it is a hint. Who is not steered, or another than was meant is woken,
 * works just as well, though perhaps later.
 */
#include "lib/pool.h"

#include "detect/manners.h"
#include "detect/override.h"

#include <sched.h>
#include <string.h>
#include <unistd.h>

#define WORDS (sizeof(struct gsync_cpu_mask) / sizeof(unsigned long))

static bool read_mask(pid_t thread, struct gsync_cpu_mask *mask)
{
	memset(mask, 0, sizeof(*mask));
	return sched_getaffinity(thread, sizeof(*mask), (cpu_set_t *)(void *)mask) == 0;
}

static bool write_mask(pid_t thread, const struct gsync_cpu_mask *mask)
{
	return sched_setaffinity(thread, sizeof(*mask), (const cpu_set_t *)(const void *)mask) == 0;
}

static bool is_same(const struct gsync_cpu_mask *a, const struct gsync_cpu_mask *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static bool is_within(const struct gsync_cpu_mask *inner, const struct gsync_cpu_mask *outer)
{
	unsigned long outside = 0;

	for (size_t i = 0; i < WORDS; i++)
		outside |= inner->bits[i] & ~outer->bits[i];
	return outside == 0;
}

static bool is_empty(const struct gsync_cpu_mask *mask)
{
	static const struct gsync_cpu_mask none;

	return is_same(mask, &none);
}

static void take_out(struct gsync_cpu_mask *mask, uint32_t cpu)
{
	if (cpu < GSYNC_CPUS_MAX)
		mask->bits[cpu / GSYNC_MASK_BITS] &= ~(1ul << cpu % GSYNC_MASK_BITS);
}

static int count(const struct gsync_cpu_mask *mask)
{
	int sum = 0;

	for (size_t i = 0; i < WORDS; i++)
		sum += __builtin_popcountl(mask->bits[i]);
	return sum;
}

/* ---- the worker */

/* Asks how many CPUs are online only if the mask is not what it was. In a pool that binds, masks are set from elsewhere. */
static void look_at_mask(struct gsync_bed *bed, bool bound)
{
	struct gsync_cpu_mask now;
	bool known = !gsync_override_quiet() && read_mask(0, &now);

	if (known && is_same(&now, &bed->allowed))
		return;
	bed->allowed = now;
	bed->free = known && !bound && count(&now) > 1 && count(&now) == sysconf(_SC_NPROCESSORS_ONLN);
}

/* Of what it was given some may have gone offline since; more means that somebody else has set it. */
static void put_back(struct gsync_bed *bed)
{
	static const struct gsync_cpu_mask all = { { [0 ... WORDS - 1] = ~0ul } };
	struct gsync_cpu_mask now;

	if (!gsync_override_quiet() && read_mask(0, &now) && is_within(&now, &bed->given))
		write_mask(0, &all);
	bed->steered = false;
}

void gsync_steer_lie_down(struct gsync_worker *worker)
{
	struct gsync_bed *bed = &worker->bed;
	struct gsync_manners manners = gsync_manners_keep();

	gsync_mutex_lock(&bed->mutex);
	if (bed->steered)
		put_back(bed);
	bed->thread = gettid();
	look_at_mask(bed, (worker->pool->options.flags & GSYNC_POOL_BIND) != 0);
	__atomic_store_n(&bed->taken, true, __ATOMIC_RELAXED);
	gsync_mutex_unlock(&bed->mutex);
	gsync_manners_give_back(&manners);
}

void gsync_steer_get_up(struct gsync_worker *worker)
{
	struct gsync_bed *bed = &worker->bed;
	struct gsync_manners manners = gsync_manners_keep();

	gsync_mutex_lock(&bed->mutex);
	__atomic_store_n(&bed->taken, false, __ATOMIC_RELAXED);
	__atomic_store_n(&worker->cpu, (uint32_t)sched_getcpu(), __ATOMIC_RELAXED);
	if (bed->steered)
		put_back(bed);
	gsync_mutex_unlock(&bed->mutex);
	gsync_manners_give_back(&manners);
}

/* ---- who calls */

static bool is_asleep(const struct gsync_worker *worker)
{
	return __atomic_load_n(&worker->bed.taken, __ATOMIC_RELAXED);
}

static uint32_t cpu_of(const struct gsync_worker *worker)
{
	return __atomic_load_n(&worker->cpu, __ATOMIC_RELAXED);
}

/* The CPUs where none of us is, or will be soon, as far as the caller knows: without threads that only help. */
static void find_places(const gsync_pool_t *pool, uint32_t started, uint32_t here, struct gsync_cpu_mask *places)
{
	memset(places, 0xff, sizeof(*places));
	take_out(places, here);
	for (uint32_t i = 0; i < started; i++)
		if (!is_asleep(&pool->workers[i]))
			take_out(places, cpu_of(&pool->workers[i]));
}

/* One that can get up where it lay, if there is one: its data may still be in that CPU's cache. */
static struct gsync_worker *choose(gsync_pool_t *pool, uint32_t started, const struct gsync_cpu_mask *places)
{
	struct gsync_worker *chosen = NULL;

	for (uint32_t i = 0; i < started; i++) {
		struct gsync_worker *worker = &pool->workers[i];

		if (!is_asleep(worker))
			continue;
		if (gsync_mask_has(places, cpu_of(worker)))
			return worker;
		chosen = chosen ? chosen : worker;
	}
	return chosen;
}

static void steer(struct gsync_bed *bed, const struct gsync_cpu_mask *places, uint32_t here)
{
	struct gsync_cpu_mask now;

	if (!bed->free || gsync_override_quiet() || !read_mask(bed->thread, &now) || !is_same(&now, &bed->allowed))
		return;
	for (size_t i = 0; i < WORDS; i++)
		bed->given.bits[i] = now.bits[i] & places->bits[i];
	if (is_empty(&bed->given)) {
		bed->given = now;
		take_out(&bed->given, here);
	}
	bed->steered = write_mask(bed->thread, &bed->given);
}

struct gsync_worker *gsync_steer(gsync_pool_t *pool)
{
	uint32_t started = gsync_pool_started(pool);
	struct gsync_manners manners = gsync_manners_keep();
	uint32_t here = (uint32_t)sched_getcpu();
	struct gsync_cpu_mask places;
	struct gsync_worker *chosen;

	find_places(pool, started, here, &places);
	chosen = choose(pool, started, &places);
	if (chosen) {
		bool taken;

		gsync_mutex_lock(&chosen->bed.mutex);
		taken = chosen->bed.taken;
		if (taken)
			steer(&chosen->bed, &places, here);
		__atomic_store_n(&chosen->bed.taken, false, __ATOMIC_RELAXED);
		gsync_mutex_unlock(&chosen->bed.mutex);
		/* Another caller was faster. */
		if (!taken)
			chosen = NULL;
	}
	gsync_manners_give_back(&manners);
	return chosen;
}
