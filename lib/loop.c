/* SPDX-License-Identifier: MIT */
/*
 * Parallel loops: ranges that are split when somebody comes for them.
 *
 * The caller begins alone. Once what is left looks worth it, and somebody could
 * come, it opens the loop: it claims a post, writes down there what is to be
 * done, and its own range, which from then on is one word that it takes pieces
 * from, in front, and others take halves from, behind. Who has taken a half puts
 * it into a range of its own, for others to take halves from. So each of them
 * walks through neighbouring memory, and only who has nothing to do disturbs others.
 *
 * Pieces last about range_ns, as far as the callback's last pieces tell, and are
 * no more than half of what is left of the range: the last ones are small, so
 * that all end at about the same time, however unequal the indices are.
 *
 * post.state, 32 bits:
 *
 *    0-15  inside   workers that take part
 *   29     CLAIMED  somebody's
 *   30     OWNER    the owner sleeps until nobody is inside
 *   31     OPEN     workers may come in
 *
 *   from              to               by
 *   0                 CLAIMED          a caller that wants to share its loop
 *   CLAIMED           CLAIMED OPEN     the owner, when all is written down
 *   CLAIMED OPEN n    …       n + 1    a worker comes in
 *   CLAIMED …    n    …       n - 1    it goes; its last access to loop and ranges
 *   CLAIMED OPEN n    CLAIMED n        the owner, when it finds no range left: whoever has not come is no longer asked
 *   CLAIMED n         CLAIMED OWNER n  the owner, before it sleeps; n > 0
 *   CLAIMED OWNER     0                the owner, when nobody is inside any more
 *
 * Every index once: the units of all ranges, of pieces in somebody's hands, and
 * done, are all units, each once. A range word holds all there is to know about
 * it, so whoever changes it by compare-and-swap from what it has read owns what
 * it has cut off, even if it held other values in between. Only a range's owner
 * fills it, when it is empty; and an empty one nobody changes.
 *
 * All done: the owner leaves when ranges are empty and nobody is inside; pieces
 * are only in the hands of those inside.
 *
 * Nobody waits in vain: the one who goes last sees OWNER in the same word, and
 * wakes the owner, or the owner sees that it was the last. Posts are the pool's,
 * so the waker may touch one that has its next owner already: that one is woken
 * for nothing.
 *
 * pool.open has a bit for each post with units to take, a hint where to look.
 * Whoever finds nothing there clears it, and looks once more; who fills a range
 * sets it if it is clear. Both by sequentially consistent operations, so units
 * that are left have their bit.
 *
 * Order: what the caller has written is released by OPEN and acquired by coming
 * in; what a worker has written is released by going and acquired by the owner's
 * look at state. The range words carry no data: relaxed, but for the above.
 */
#include "lib/pool.h"

#include "primitives/futex.h"
#include "primitives/spin.h"
#include "primitives/tally.h"

#include <sched.h>

#define CLAIMED (1u << 29)
#define OWNER (1u << 30)
#define OPEN (1u << 31)
#define INSIDE 0xffffu

#define UNITS_MAX ((size_t)1 << 31)
#define FIRST_PARTS 8u	  /* of a loop that seems too short to share, so that this is noticed if it is wrong */
#define SPLIT_PARTS 32u	  /* what lasts less than this part of a piece is not split further */
#define FEW_UNITS 4u
#define GROWTH 8u	  /* from one piece to the next, while the owner is alone */
#define CHEAP_PARTS 16u	  /* of a wake-up's worth: with somebody up to take it, less is worth sharing */
#define PATIENCE_MOST 4u  /* times as long as a pool's thread spins for nothing, the owner does for the last piece */

/* ---- ranges */

static uint64_t pack(uint64_t begin, uint64_t end)
{
	return end << 32 | begin;
}

static uint32_t begin_of(uint64_t units)
{
	return (uint32_t)units;
}

static uint32_t end_of(uint64_t units)
{
	return (uint32_t)(units >> 32);
}

static uint32_t left_in(uint64_t units)
{
	return end_of(units) - begin_of(units);
}

static uint64_t read_range(const uint64_t *range)
{
	return __atomic_load_n(range, __ATOMIC_SEQ_CST);
}

static bool change(uint64_t *range, uint64_t *seen, uint64_t to)
{
	return __atomic_compare_exchange_n(range, seen, to, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

/* ---- what a thread that takes part knows */

struct hand {
	gsync_pool_t *pool;
	struct gsync_post *post;
	struct gsync_worker *worker; /* NULL: a foreign thread */
	uint64_t *range;	     /* its own, that others see; NULL = none */
	double ticks;		     /* of a unit, lately; negative = unknown */
	uint64_t target;	     /* how long a piece should last */
	uint64_t now;		     /* when the last piece ended */
	uint64_t spent, units;	     /* in all */
};

static uint32_t index_of(const gsync_pool_t *pool, const struct gsync_post *post)
{
	return (uint32_t)(post - pool->posts);
}

static struct gsync_range *ranges_of(const gsync_pool_t *pool, const struct gsync_post *post)
{
	return pool->ranges + (size_t)index_of(pool, post) * pool->places;
}

static uint64_t bit_of(const gsync_pool_t *pool, const struct gsync_post *post)
{
	return (uint64_t)1 << index_of(pool, post);
}

/* Ranges that may hold something: those of all workers there are, and those that were filled for others to come. */
static uint32_t count_ranges(const gsync_pool_t *pool, const struct gsync_post *post)
{
	uint32_t started = gsync_pool_started(pool);

	return started > post->spread ? started : post->spread;
}

/* How many of LEFT units the next piece is to have. */
static uint32_t piece(const struct hand *hand, uint32_t left)
{
	uint32_t half = (left + 1) / 2;
	double fit;

	if (hand->post->eager || hand->ticks < 0)
		return 1;
	if (hand->ticks * left * SPLIT_PARTS <= (double)hand->target)
		return left;
	fit = (double)hand->target / hand->ticks;
	return fit >= half ? half : fit > 1 ? (uint32_t)fit : 1;
}

static void do_piece(struct hand *hand, uint32_t begin, uint32_t end)
{
	const struct gsync_post *post = hand->post;
	size_t from = (size_t)begin * post->unit, to = (size_t)end * post->unit;
	uint64_t before = hand->now;
	double ticks;

	post->run(post->context, from, to < post->count ? to : post->count);
	if (post->eager)
		return;
	hand->now = gsync_ticks();
	ticks = (double)(hand->now - before) / (end - begin);
	hand->ticks = hand->ticks < 0 ? ticks : (hand->ticks + ticks) / 2;
	hand->spent += hand->now - before;
	hand->units += end - begin;
}

/* Takes a piece of the own range; false when there is none. */
static bool take_own(struct hand *hand)
{
	uint64_t seen = hand->range ? read_range(hand->range) : 0;

	while (left_in(seen) > 0) {
		uint32_t begin = begin_of(seen), some = piece(hand, left_in(seen));

		if (change(hand->range, &seen, pack(begin + some, end_of(seen)))) {
			do_piece(hand, begin, begin + some);
			return true;
		}
	}
	return false;
}

/* Gives others to know that there are units. */
static void show(gsync_pool_t *pool, const struct gsync_post *post)
{
	uint64_t bit = bit_of(pool, post);

	if ((__atomic_load_n(&pool->open, __ATOMIC_SEQ_CST) & bit) == 0)
		__atomic_fetch_or(&pool->open, bit, __ATOMIC_SEQ_CST);
}

/* Takes the rear half of what there is, all if it is one; does a piece of that and offers the rest. */
static bool take_from(struct hand *hand, uint64_t *range)
{
	uint64_t seen = read_range(range);

	while (left_in(seen) > 0) {
		uint32_t end = end_of(seen), taken = (left_in(seen) + 1) / 2, some;

		/* What it cannot offer it must not hoard. */
		if (!hand->range)
			taken = piece(hand, taken);
		if (!change(range, &seen, pack(begin_of(seen), end - taken)))
			continue;
		some = hand->range ? piece(hand, taken) : taken;
		if (some < taken) {
			__atomic_store_n(hand->range, pack(end - taken + some, end), __ATOMIC_SEQ_CST);
			show(hand->pool, hand->post);
		}
		do_piece(hand, end - taken, end - taken + some);
		return true;
	}
	return false;
}

/* From the owner's range, and from those of workers on CPUs at that DISTANCE. */
static bool take_within(struct hand *hand, uint32_t cpu, uint32_t distance)
{
	struct gsync_range *ranges = ranges_of(hand->pool, hand->post);
	uint32_t first = hand->worker ? hand->worker->index + 1 : 0;
	uint32_t count = count_ranges(hand->pool, hand->post);

	if (distance == 0 && take_from(hand, &hand->post->units))
		return true;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t victim = (first + i) % count;
		uint32_t there = __atomic_load_n(&hand->pool->workers[victim].cpu, __ATOMIC_RELAXED);

		if (left_in(read_range(&ranges[victim].units)) > 0 && gsync_near_distance(cpu, there) == distance &&
		    take_from(hand, &ranges[victim].units))
			return true;
	}
	return false;
}

static bool take_any(struct hand *hand)
{
	uint32_t farthest = gsync_near_farthest();
	uint32_t cpu = farthest > 0 ? (uint32_t)sched_getcpu() : 0;

	if (take_own(hand))
		return true;
	for (uint32_t distance = 0; distance <= farthest; distance++)
		if (take_within(hand, cpu, distance))
			return true;
	return false;
}

/* ---- coming to help */

static bool come_in(struct gsync_post *post)
{
	uint32_t seen = __atomic_load_n(&post->state, __ATOMIC_RELAXED);

	while ((seen & OPEN) != 0)
		if (__atomic_compare_exchange_n(&post->state, &seen, seen + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return true;
	return false;
}

static void go(struct gsync_post *post)
{
	if (__atomic_fetch_sub(&post->state, 1u, __ATOMIC_RELEASE) != (CLAIMED | OWNER | 1u))
		return;
	gsync_wakes_for(GSYNC_KIND_POOL_);
	gsync_futex_wake(&post->state, GSYNC_WAKE_ALL, GSYNC_ANYBODY, false);
}

static bool has_units(const gsync_pool_t *pool, const struct gsync_post *post)
{
	const struct gsync_range *ranges = ranges_of(pool, post);

	if (left_in(read_range(&post->units)) > 0)
		return true;
	for (uint32_t i = 0, count = count_ranges(pool, post); i < count; i++)
		if (left_in(read_range(&ranges[i].units)) > 0)
			return true;
	return false;
}

/* So that nobody else comes in vain. Inside, so the loop is still the same. */
static void hide(gsync_pool_t *pool, const struct gsync_post *post)
{
	uint64_t bit = bit_of(pool, post);

	if ((__atomic_load_n(&pool->open, __ATOMIC_RELAXED) & bit) == 0)
		return;
	__atomic_fetch_and(&pool->open, ~bit, __ATOMIC_SEQ_CST);
	if (has_units(pool, post))
		show(pool, post);
}

static bool help_at(gsync_pool_t *pool, struct gsync_worker *worker, struct gsync_post *post, bool *searching)
{
	struct hand hand = { .pool = pool, .post = post, .worker = worker };
	gsync_pool_t *outside = gsync_self.inside;
	bool useful = false;

	if (!come_in(post))
		return false;
	if (*searching) {
		*searching = false;
		gsync_crew_end_search(pool);
	}
	if (worker)
		hand.range = &ranges_of(pool, post)[worker->index].units;
	if (worker && worker->rhythm.rested && !post->eager)
		gsync_rhythm_work_came(&worker->rhythm, post->opened);
	hand.target = post->target;
	hand.ticks = post->ticks;
	hand.now = post->eager ? 0 : gsync_ticks();
	gsync_self.inside = pool;
	while (take_any(&hand))
		useful = true;
	gsync_self.inside = outside;
	if (useful)
		gsync_count(GSYNC_KIND_POOL_, GSYNC_HELPED);
	hide(pool, post);
	go(post);
	return useful;
}

bool gsync_loop_help(gsync_pool_t *pool, struct gsync_worker *worker, bool *searching)
{
	uint64_t open = __atomic_load_n(&pool->open, __ATOMIC_RELAXED);

	for (; open != 0; open &= open - 1)
		if (help_at(pool, worker, &pool->posts[__builtin_ctzll(open)], searching))
			return true;
	return false;
}

bool gsync_loop_is_visible(const gsync_pool_t *pool)
{
	uint64_t open = __atomic_load_n(&pool->open, __ATOMIC_SEQ_CST);

	for (; open != 0; open &= open - 1)
		if ((__atomic_load_n(&pool->posts[__builtin_ctzll(open)].state, __ATOMIC_RELAXED) & OPEN) != 0)
			return true;
	return false;
}

/* ---- the owner, alone */

/* A loop in its owner's hands. */
struct owner {
	struct hand hand;
	struct gsync_post plan; /* what is to stand in the post */
	struct gsync_tuning tuning;
	uint32_t units, done;
	bool called;
};

static void plan(struct owner *owner, const struct gsync_loop *loop)
{
	size_t grain = loop->grain > 0 ? loop->grain : 1;
	size_t grains = loop->count / grain + (loop->count % grain != 0);
	struct gsync_post *plan = &owner->plan;
	double habit = gsync_habit(loop->key);

	plan->eager = loop->eager;
	plan->run = loop->run;
	plan->context = loop->context;
	plan->unit = grain * (grains / UNITS_MAX + (grains % UNITS_MAX != 0));
	plan->count = loop->count;
	plan->target = owner->tuning.range;
	owner->units = (uint32_t)(loop->count / plan->unit + (loop->count % plan->unit != 0));
	owner->hand.pool = loop->pool;
	owner->hand.post = plan;
	owner->hand.target = plan->target;
	owner->hand.ticks = habit < 0 ? -1 : habit * (double)plan->unit;
}

static bool is_worth(const struct owner *owner, uint32_t units, uint64_t ticks)
{
	return owner->hand.ticks >= 0 && owner->hand.ticks * units >= (double)ticks;
}

/* Worth a wake-up; or somebody is up, and it is worth the trouble. */
static bool is_to_be_shared(const struct owner *owner, uint32_t left)
{
	return is_worth(owner, left, owner->tuning.share) ||
	       (is_worth(owner, left, owner->tuning.share / CHEAP_PARTS) && gsync_crew_searches(owner->hand.pool));
}

/* Works until there is nothing left, or enough to share. */
static void work_alone(struct owner *owner)
{
	struct hand *hand = &owner->hand;
	uint32_t most = 1;

	if (hand->ticks >= 0)
		most = owner->units / FIRST_PARTS > FEW_UNITS ? owner->units / FIRST_PARTS : FEW_UNITS;
	while (owner->done < owner->units) {
		uint32_t left = owner->units - owner->done, some = most < left ? most : left;

		if (is_to_be_shared(owner, left))
			return;
		if (hand->ticks * some > (double)hand->target)
			some = (uint32_t)((double)hand->target / hand->ticks) + 1;
		do_piece(hand, owner->done, owner->done + some);
		owner->done += some;
		most = some * GROWTH > some ? some * GROWTH : UINT32_MAX;
	}
}

/* ---- the owner, sharing */

static struct gsync_post *claim(gsync_pool_t *pool, const struct gsync_worker *worker)
{
	uint32_t half = worker ? 0 : GSYNC_POSTS_OF_GUESTS;
	uint32_t first = worker ? worker->index : (uint32_t)((uintptr_t)&gsync_self / 4096);

	for (uint32_t i = 0; i < GSYNC_POSTS_OF_GUESTS; i++) {
		struct gsync_post *post = &pool->posts[half + (first + i) % GSYNC_POSTS_OF_GUESTS];
		uint32_t nobodys = 0;

		if (__atomic_load_n(&post->state, __ATOMIC_RELAXED) == 0 &&
		    __atomic_compare_exchange_n(&post->state, &nobodys, CLAIMED, false, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return post;
	}
	return NULL;
}

/* Gives each of those who may come a part of its own to begin with; the owner's is the first. */
static void spread(const struct owner *owner, struct gsync_post *post, uint32_t parts)
{
	struct gsync_range *ranges = ranges_of(owner->hand.pool, post);
	uint64_t left = owner->units - owner->done;
	uint32_t part = 0;

	post->spread = 0;
	for (uint32_t i = 0; part + 1 < parts && i < owner->hand.pool->places; i++) {
		if (owner->hand.worker && owner->hand.worker->index == i)
			continue;
		part++;
		__atomic_store_n(&ranges[i].units,
				 pack(owner->done + left * part / parts, owner->done + left * (part + 1) / parts),
				 __ATOMIC_RELAXED);
		post->spread = (uint16_t)(i + 1);
	}
	__atomic_store_n(&post->units, pack(owner->done, owner->done + left / parts), __ATOMIC_RELAXED);
}

static void open_post(struct owner *owner, struct gsync_post *post, uint32_t parts)
{
	const struct gsync_post *plan = &owner->plan;

	post->eager = plan->eager;
	post->run = plan->run;
	post->context = plan->context;
	post->unit = plan->unit;
	post->count = plan->count;
	post->ticks = owner->hand.ticks;
	post->target = plan->target;
	post->opened = owner->hand.now;
	spread(owner, post, parts);
	owner->hand.post = post;
	owner->hand.range = &post->units;
	/* Release: all of the above, and what the caller wrote before. */
	__atomic_store_n(&post->state, CLAIMED | OPEN, __ATOMIC_RELEASE);
	show(owner->hand.pool, post);
}

/* Calls for help, once, when what is left of the own range is worth it. */
static void call_if_worth(struct owner *owner)
{
	if (owner->called || !is_worth(owner, left_in(read_range(owner->hand.range)), owner->tuning.share))
		return;
	owner->called = true;
	gsync_crew_call(owner->hand.pool);
}

static void sleep_until_all_have_gone(struct owner *owner, struct gsync_post *post)
{
	gsync_pool_t *pool = owner->hand.pool;
	bool counted = gsync_pool_counts_self(pool);
	uint32_t seen;

	gsync_patience_ended(NULL);
	if (counted)
		gsync_crew_leave(pool);
	while (((seen = __atomic_or_fetch(&post->state, OWNER, __ATOMIC_ACQUIRE)) & INSIDE) != 0)
		gsync_futex_wait(&post->state, seen, GSYNC_ANYBODY, NULL, false);
	if (counted)
		gsync_crew_join(pool);
}

/*
 * How long the owner spins for those inside. They are no strangers who may be
 * long, pressed or not, but each at work on its last piece, and that will not
 * last longer than another one.
 */
static uint64_t patience_of(const struct owner *owner)
{
	double piece = owner->hand.ticks, most = (double)(owner->tuning.pool * (PATIENCE_MOST - 1));

	if (piece < 0 || owner->plan.eager)
		return owner->tuning.pool;
	return owner->tuning.pool + (uint64_t)(piece < most ? piece : most);
}

/*
 * Nobody may come any more. Those inside may still offer something, of which the
 * owner takes; so it looks at who is inside only when it has nothing of its own.
 */
static void close_post(struct owner *owner, struct gsync_post *post)
{
	gsync_pool_t *pool = owner->hand.pool;
	uint32_t seen = __atomic_and_fetch(&post->state, ~OPEN, __ATOMIC_ACQUIRE);
	struct gsync_spin spin;

	gsync_spin_start(&spin, patience_of(owner), 1);
	while ((seen & INSIDE) != 0) {
		if (!gsync_spin_again(&spin)) {
			sleep_until_all_have_gone(owner, post);
			break;
		}
		while (take_any(&owner->hand))
			gsync_spin_start(&spin, spin.budget, 1);
		seen = __atomic_load_n(&post->state, __ATOMIC_ACQUIRE);
	}
	if ((__atomic_load_n(&pool->open, __ATOMIC_RELAXED) & bit_of(pool, post)) != 0)
		__atomic_fetch_and(&pool->open, ~bit_of(pool, post), __ATOMIC_SEQ_CST);
	/* Release: the next owner of the post writes to what this one has read. */
	__atomic_store_n(&post->state, 0, __ATOMIC_RELEASE);
}

static void share(struct owner *owner, const struct gsync_loop *loop, uint32_t capacity)
{
	uint32_t left = owner->units - owner->done;
	struct gsync_post *post = claim(loop->pool, owner->hand.worker);

	if (!post) {
		loop->run(loop->context, (size_t)owner->done * owner->plan.unit, loop->count);
		return;
	}
	open_post(owner, post, loop->spread && left >= capacity ? capacity : 1);
	if (loop->eager || (loop->spread && owner->hand.ticks < 0)) {
		owner->called = true;
		gsync_crew_call_many(loop->pool, left < capacity ? left - 1 : capacity - 1);
	}
	do {
		call_if_worth(owner);
	} while (take_own(&owner->hand));
	while (take_any(&owner->hand)) {
		/* what others have been offered */
	}
	close_post(owner, post);
}

static void begin(struct owner *owner, const struct gsync_loop *loop, uint32_t capacity)
{
	owner->hand.worker = gsync_pool_self(loop->pool);
	plan(owner, loop);
	if (!loop->eager)
		owner->hand.now = gsync_ticks();
	if (!loop->eager && !loop->spread)
		work_alone(owner);
	if (owner->done < owner->units)
		share(owner, loop, capacity);
	if (owner->hand.units > 0)
		gsync_habit_learn(loop->key, (double)owner->hand.spent / (double)owner->hand.units /
						     (double)owner->plan.unit);
}

/* How many can work on it; 1 where it is not to be shared at all. */
static uint32_t capacity_for(const struct gsync_loop *loop, const struct gsync_tuning *tuning)
{
	if (loop->count <= loop->grain || loop->count == 1 || !loop->pool || gsync_pool_is_dead(loop->pool))
		return 1;
	if (gsync_pool_closing(loop->pool) != GSYNC_OPEN && !gsync_pool_self(loop->pool))
		return 1;
	return gsync_pool_capacity(loop->pool, tuning);
}

void gsync_loop_run(const struct gsync_loop *loop)
{
	struct owner owner = { .tuning = gsync_tuning() };
	uint32_t capacity = capacity_for(loop, &owner.tuning);

	gsync_look_if_due(gsync_ticks(), true);
	if (capacity > 1)
		begin(&owner, loop, capacity);
	else if (loop->count > 0)
		loop->run(loop->context, 0, loop->count);
}
