/* SPDX-License-Identifier: MIT */
/* What gsync_oticket promises beyond the contract of every lock: order, wrap, giving up. */
#include "tests/unit/support.h"

#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <guestsync/profile.h>

#include "bench/oticket_at.h"
#include "detect/clock.h"
#include "detect/tuning.h"
#include "primitives/whereabouts.h"

#define WAITERS 12
#define LAST_TICKET UINT32_MAX

static gsync_oticket_t lock;

/* An unlocked lock whose next ticket is TICKET, as if all before it had been served. */
static void start_at(uint32_t ticket)
{
	gsync_oticket_t fresh = GSYNC_OTICKET_INIT;

	lock = fresh;
	bench_oticket_at(&lock, ticket);
}

static void init_refuses_an_unknown_flag(void **state)
{
	gsync_oticket_t other;

	(void)state;
	assert_int_equal(gsync_oticket_init(&other, 2), EINVAL);
	assert_int_equal(gsync_oticket_init(&other, GSYNC_PROCESS_PRIVATE), 0);
	assert_int_equal(gsync_oticket_init(&other, GSYNC_PROCESS_SHARED), 0);
}

static void destroy_refuses_a_held_lock(void **state)
{
	(void)state;
	start_at(0);
	assert_int_equal(gsync_oticket_destroy(&lock), 0);
	gsync_oticket_lock(&lock);
	assert_int_equal(gsync_oticket_destroy(&lock), EBUSY);
	gsync_oticket_unlock(&lock);
	assert_int_equal(gsync_oticket_destroy(&lock), 0);
}

static void zeroed_memory_is_an_unlocked_lock(void **state)
{
	gsync_oticket_t other;

	(void)state;
	memset(&other, 0, sizeof(other));
	assert_int_equal(gsync_oticket_trylock(&other), 0);
	assert_int_equal(gsync_oticket_trylock(&other), EBUSY);
	gsync_oticket_unlock(&other);
	assert_int_equal(gsync_oticket_destroy(&other), 0);
}

/* On the turn word of TICKET, which it shares with others. */
static uint32_t sleepers_with(uint32_t ticket)
{
	return (uint32_t)(__atomic_load_n(&lock.turn[ticket % GSYNC_OTICKET_TURNS_], __ATOMIC_ACQUIRE) >> 32) & 0xfff;
}

/* Or it sleeps, having been up. */
static void until_up(uint32_t ticket)
{
	while (!gsync_whereabouts_is_up(&lock, ticket) && sleepers_with(ticket) == 0)
		sched_yield();
}

static bool holder_was_up;

static void *lock_and_look(void *ticket)
{
	gsync_oticket_lock(&lock);
	holder_was_up = gsync_whereabouts_is_up(&lock, (uint32_t)(uintptr_t)ticket);
	gsync_oticket_unlock(&lock);
	return NULL;
}

/* Another copy of the library may release it, and the next waiter of this name would have been taken for one that is up. */
static void who_has_waited_is_not_known_as_up_any_more(void **state)
{
	struct timespec soon;
	pthread_t waiter;

	(void)state;
	start_at(0);
	gsync_oticket_lock(&lock);
	waiter = test_thread(lock_and_look, (void *)(uintptr_t)1);
	until_up(1);
	gsync_oticket_unlock(&lock);
	test_join(waiter);
	assert_false(holder_was_up);
	gsync_oticket_lock(&lock);
	soon = test_deadline(2);
	assert_int_equal(gsync_oticket_timedlock(&lock, &soon), ETIMEDOUT);
	assert_false(gsync_whereabouts_is_up(&lock, 3));
	gsync_oticket_unlock(&lock);
}

static int order[WAITERS];
static int served;
static uint32_t finished;

static void *wait_in_line(void *argument)
{
	int place = (int)(intptr_t)argument;

	gsync_oticket_lock(&lock);
	order[served++] = place;
	if (place % 3 == 0)
		test_sleep_ms(1);
	gsync_oticket_unlock(&lock);
	return NULL;
}

static uint32_t count_sleepers(void)
{
	uint32_t sleepers = 0;

	for (uint32_t i = 0; i < GSYNC_OTICKET_TURNS_; i++)
		sleepers += sleepers_with(i);
	return sleepers;
}

static void until_asleep(uint32_t count)
{
	while (count_sleepers() != count)
		sched_yield();
}

static void until_drawn(uint32_t next)
{
	while (__atomic_load_n(&lock.next, __ATOMIC_ACQUIRE) != next)
		sched_yield();
}

/* Lines up one thread after the other, each once the one before has its ticket, and lets them go. */
static void check_order_from(uint32_t first)
{
	pthread_t threads[WAITERS];

	start_at(first);
	served = 0;
	gsync_oticket_lock(&lock);
	for (int i = 0; i < WAITERS; i++) {
		threads[i] = test_thread(wait_in_line, (void *)(intptr_t)i);
		until_drawn(first + 2 + (uint32_t)i);
	}
	gsync_oticket_unlock(&lock);
	for (int i = 0; i < WAITERS; i++)
		test_join(threads[i]);
	for (int i = 0; i < WAITERS; i++)
		assert_int_equal(order[i], i);
	assert_int_equal(gsync_oticket_destroy(&lock), 0);
}

static void serves_in_the_order_of_arrival(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 10; i++)
		check_order_from(i);
}

static void serves_in_order_where_tickets_wrap(void **state)
{
	(void)state;
	for (uint32_t before = 0; before <= WAITERS; before++)
		check_order_from(LAST_TICKET - before);
}

static void serves_in_order_where_rounds_wrap(void **state)
{
	const uint32_t tickets_per_wrap = 1u << 22;

	(void)state;
	for (uint32_t before = 0; before <= WAITERS; before++)
		check_order_from(tickets_per_wrap - before);
}

struct impatient {
	struct timespec deadline;
	int result;
};

static void *wait_impatiently(void *argument)
{
	struct impatient *self = argument;

	self->result = gsync_oticket_timedlock(&lock, &self->deadline);
	if (self->result == 0)
		gsync_oticket_unlock(&lock);
	__atomic_fetch_add(&finished, 1u, __ATOMIC_RELEASE);
	return NULL;
}

/* Every second of the line gives up; those between keep their order. */
static void check_giving_up_from(uint32_t first)
{
	pthread_t patient[WAITERS / 2];
	pthread_t impatient[WAITERS / 2];
	struct impatient selves[WAITERS / 2];

	start_at(first);
	served = 0;
	finished = 0;
	gsync_oticket_lock(&lock);
	for (int i = 0; i < WAITERS / 2; i++) {
		selves[i] = (struct impatient){ test_deadline(20), 0 };
		impatient[i] = test_thread(wait_impatiently, &selves[i]);
		until_drawn(first + 2 + 2 * (uint32_t)i);
		patient[i] = test_thread(wait_in_line, (void *)(intptr_t)i);
		until_drawn(first + 3 + 2 * (uint32_t)i);
	}
	test_until_count(&finished, WAITERS / 2);
	gsync_oticket_unlock(&lock);
	for (int i = 0; i < WAITERS / 2; i++) {
		test_join(patient[i]);
		test_join(impatient[i]);
		assert_int_equal(selves[i].result, ETIMEDOUT);
	}
	for (int i = 0; i < WAITERS / 2; i++)
		assert_int_equal(order[i], i);
	assert_int_equal(gsync_oticket_destroy(&lock), 0);
	assert_int_equal(gsync_oticket_trylock(&lock), 0);
	gsync_oticket_unlock(&lock);
}

static void who_gives_up_leaves_the_order_of_the_others(void **state)
{
	(void)state;
	check_giving_up_from(0);
	check_giving_up_from(5);
	check_giving_up_from(LAST_TICKET - 4);
}

static void a_line_of_which_all_gave_up_leaves_the_lock_free(void **state)
{
	struct timespec past = { 0, 0 };

	(void)state;
	start_at(LAST_TICKET - 100);
	gsync_oticket_lock(&lock);
	/* A hundred tickets drawn and dropped, more than one per wake-up channel and turn word. */
	for (int i = 0; i < 100; i++)
		assert_int_equal(gsync_oticket_timedlock(&lock, &past), ETIMEDOUT);
	gsync_oticket_unlock(&lock);
	assert_int_equal(gsync_oticket_trylock(&lock), 0);
	gsync_oticket_unlock(&lock);
}

static void a_timed_waiter_behind_a_long_line_still_gives_up_in_time(void **state)
{
	struct timespec past = { 0, 0 };
	struct timespec soon;

	(void)state;
	start_at(0);
	gsync_oticket_lock(&lock);
	/* As many given-up tickets as the window holds: the next must wait outside, without one. */
	for (int i = 0; i < 300; i++)
		assert_int_equal(gsync_oticket_timedlock(&lock, &past), ETIMEDOUT);
	soon = test_deadline(5);
	assert_int_equal(gsync_oticket_timedlock(&lock, &soon), ETIMEDOUT);
	assert_true(lock.next < 128);
	gsync_oticket_unlock(&lock);
	assert_int_equal(gsync_oticket_trylock(&lock), 0);
	gsync_oticket_unlock(&lock);
}

/* Bugs once, all three: serving stands still while the lock is free, and an interrupted nap ended the call. */
static void a_timed_waiter_outside_the_line_takes_a_lock_that_became_free(void **state)
{
	struct timespec past = { 0, 0 };
	struct impatient late = { test_deadline(60000), -1 };
	pthread_t outside;

	(void)state;
	start_at(0);
	gsync_oticket_lock(&lock);
	while (lock.next < 121)
		assert_int_equal(gsync_oticket_timedlock(&lock, &past), ETIMEDOUT);
	outside = test_thread(wait_impatiently, &late);
	test_sleep_ms(5);
	gsync_oticket_unlock(&lock);
	test_join(outside);
	assert_int_equal(late.result, 0);
	assert_false(test_has_passed(&late.deadline));
}

static void ignore_signal(int number)
{
	(void)number;
}

static void a_timed_waiter_outside_the_line_waits_out_its_time_despite_signals(void **state)
{
	const struct sigaction ignore = { .sa_handler = ignore_signal };
	struct timespec past = { 0, 0 };
	struct impatient self = { test_deadline(100), -1 };
	pthread_t outside;

	(void)state;
	assert_int_equal(sigaction(SIGUSR1, &ignore, NULL), 0);
	start_at(0);
	gsync_oticket_lock(&lock);
	while (lock.next < 121)
		assert_int_equal(gsync_oticket_timedlock(&lock, &past), ETIMEDOUT);
	finished = 0;
	outside = test_thread(wait_impatiently, &self);
	while (!test_has_passed(&self.deadline)) {
		assert_true(__atomic_load_n(&finished, __ATOMIC_ACQUIRE) == 0 || test_has_passed(&self.deadline));
		pthread_kill(outside, SIGUSR1);
	}
	test_join(outside);
	assert_int_equal(self.result, ETIMEDOUT);
	gsync_oticket_unlock(&lock);
}

static void no_sleeper_and_no_mark_is_left_behind(void **state)
{
	(void)state;
	check_order_from(7);
	check_giving_up_from(7);
	for (uint32_t i = 0; i < GSYNC_OTICKET_TURNS_; i++)
		assert_true((lock.turn[i] & GSYNC_OTICKET_ATTENTION_) == 0);
}

#define CROWD 8
#define TURNS_PER_SWITCH 4 /* so many turns for each switch, at the least: if all of a crowd queue it is one each */

static uint32_t crowd_is_over;
static uint64_t crowd_turns;

static void *use_in_a_crowd(void *unused)
{
	while (__atomic_load_n(&crowd_is_over, __ATOMIC_RELAXED) == 0) {
		gsync_oticket_lock(&lock);
		for (int i = 0; i < 20; i++)
			gsync_pause();
		__atomic_store_n(&crowd_turns, crowd_turns + 1, __ATOMIC_RELAXED);
		gsync_oticket_unlock(&lock);
		for (int i = 0; i < 20; i++)
			gsync_pause();
	}
	return unused;
}

static uint64_t count_switches(void)
{
	struct rusage usage;

	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	return (uint64_t)usage.ru_nvcsw + (uint64_t)usage.ru_nivcsw;
}

/* Others who press on the CPUs may prevent it for a while, and a quota of one CPU for good. */
static void a_crowd_need_not_switch_threads_for_each_turn(void **state)
{
	struct timespec deadline = test_deadline(60000);
	pthread_t threads[CROWD];
	uint64_t turns, switches, most;
	uint64_t cpus;

	(void)state;
	assert_int_equal(gsync_profile_get("usable_cpus", &cpus), 0);
	if (cpus < 2 || cpus >= CROWD)
		skip();
	start_at(0);
	for (int i = 0; i < CROWD; i++)
		threads[i] = test_thread(use_in_a_crowd, NULL);
	do {
		assert_false(test_has_passed(&deadline));
		turns = __atomic_load_n(&crowd_turns, __ATOMIC_RELAXED);
		switches = count_switches();
		test_sleep_ms(20);
		turns = __atomic_load_n(&crowd_turns, __ATOMIC_RELAXED) - turns;
		most = turns / TURNS_PER_SWITCH;
	} while (turns < 100 || count_switches() - switches > most);
	__atomic_store_n(&crowd_is_over, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < CROWD; i++)
		test_join(threads[i]);
	assert_int_equal(gsync_oticket_destroy(&lock), 0);
}

#define COARSE 16 /* than ticks is what lock.crowded counts, by so many bits */

/* A thread that asks behind a made-up queue, and its yields. */
static struct asker {
	unsigned flags;
	uint32_t queue;
	bool has_moved; /* a turn of it has passed, */
	uint64_t ago; /* so many ticks ago */
	bool is_preceded; /* the queue stands on its CPU */
	bool is_timed;
	bool can_be_pinned;
	uint32_t yields;
	uint32_t next_seen; /* when it yielded first */
} asker;

static __thread bool asks;

/* Instead of libc's. */
int sched_yield(void)
{
	if (asks && asker.yields++ == 0)
		asker.next_seen = __atomic_load_n(&lock.next, __ATOMIC_RELAXED);
	return (int)syscall(SYS_sched_yield);
}

static void *ask(void *unused)
{
	struct timespec late = test_deadline(60000);
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET((size_t)sched_getcpu(), &here);
	asker.can_be_pinned = sched_setaffinity(0, sizeof(here), &here) == 0;
	for (uint32_t ticket = 0; ticket < asker.queue; ticket++) {
		gsync_whereabouts_forget(&lock, ticket);
		if (asker.is_preceded)
			gsync_whereabouts_tell(&lock, ticket, false);
	}
	asks = true;
	if (!asker.is_timed)
		gsync_oticket_lock(&lock);
	else if (gsync_oticket_timedlock(&lock, &late) != 0)
		return "too late";
	asks = false;
	gsync_oticket_unlock(&lock);
	return unused;
}

/* The holder of TICKET releases it. */
static void serve(uint32_t ticket)
{
	__atomic_store_n(&lock.serving, ticket, __ATOMIC_RELEASE);
	gsync_oticket_unlock(&lock);
}

/* The queue has its turns, or the rest of them, once the thread sleeps in it. */
static void let_ask(struct asker how)
{
	uint32_t ticket = 0;
	pthread_t thread;
	void *failed;

	asker = how;
	start_at(0);
	lock.flags = how.flags;
	lock.next = how.queue;
	if (how.has_moved)
		serve(ticket++);
	lock.crowded -= (uint32_t)(how.ago >> COARSE);
	__atomic_store_n(&lock.serving, ticket, __ATOMIC_RELEASE);
	thread = test_thread(ask, NULL);
	until_asleep(1);
	while (ticket < how.queue)
		serve(ticket++);
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
	assert_int_equal(lock.serving, how.queue);
	assert_int_equal(gsync_oticket_destroy(&lock), 0);
}

#define STAYS_OUT_MOST 64

/* More than the library takes for long. */
static uint32_t long_queue(void)
{
	uint64_t cpus;

	assert_int_equal(gsync_profile_get("usable_cpus", &cpus), 0);
	if (cpus > 32)
		skip();
	return (uint32_t)cpus * 2 + 4;
}

/* Others who press on the CPUs may prevent it for a while. */
static void check_staying_out(struct asker how)
{
	struct timespec deadline = test_deadline(60000);

	do {
		assert_false(test_has_passed(&deadline));
		let_ask(how);
		if (!asker.can_be_pinned)
			skip();
		assert_true(asker.yields <= STAYS_OUT_MOST);
	} while (asker.yields < STAYS_OUT_MOST);
	assert_int_equal(asker.next_seen, how.queue);
}

static struct asker stays_out(void)
{
	return (struct asker){ .queue = long_queue(), .has_moved = true, .is_preceded = true };
}

static void who_stands_on_the_cpu_of_one_before_it_gives_its_ticket_back_and_yields(void **state)
{
	(void)state;
	check_staying_out(stays_out());
}

static void who_asks_for_a_shared_lock_in_a_long_queue_gives_its_ticket_back_and_yields(void **state)
{
	(void)state;
	check_staying_out((struct asker){ .queue = long_queue(), .has_moved = true, .flags = GSYNC_PROCESS_SHARED });
}

static void check_going_in(const struct asker *how, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		/* There is nothing else that keeps it from yielding. */
		check_staying_out(stays_out());
		let_ask(how[i]);
		assert_int_equal(asker.yields, 0);
	}
}

static void nobody_stays_out_on_a_cpu_of_its_own_nor_of_a_short_queue_nor_until_a_deadline(void **state)
{
	const struct asker asks_how[] = {
		{ .queue = long_queue(), .has_moved = true },
		{ .queue = long_queue() - 4, .has_moved = true, .is_preceded = true },
		{ .queue = 3, .has_moved = true, .is_preceded = true },
		{ .queue = 3, .has_moved = true, .flags = GSYNC_PROCESS_SHARED },
		{ .queue = long_queue(), .has_moved = true, .is_preceded = true, .is_timed = true },
	};

	(void)state;
	check_going_in(asks_how, sizeof(asks_how) / sizeof(*asks_how));
}

/* So they were served out of the order in which they came to a lock that was held for the first time, for long. */
static void nobody_gives_its_ticket_back_unless_a_turn_of_the_queue_has_passed_lately(void **state)
{
	const uint64_t half_a_second = (uint64_t)(500000000u * gsync_tuning().ticks_per_ns);
	const struct asker asks_how[] = {
		{ .queue = long_queue(), .is_preceded = true },
		{ .queue = long_queue(), .flags = GSYNC_PROCESS_SHARED },
		{ .queue = long_queue(), .has_moved = true, .ago = half_a_second, .is_preceded = true },
		{ .queue = long_queue(), .has_moved = true, .ago = 0 - half_a_second, .is_preceded = true },
	};

	(void)state;
	check_going_in(asks_how, sizeof(asks_how) / sizeof(*asks_how));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(init_refuses_an_unknown_flag),
		cmocka_unit_test(destroy_refuses_a_held_lock),
		cmocka_unit_test(zeroed_memory_is_an_unlocked_lock),
		cmocka_unit_test(who_has_waited_is_not_known_as_up_any_more),
		cmocka_unit_test(serves_in_the_order_of_arrival),
		cmocka_unit_test(serves_in_order_where_tickets_wrap),
		cmocka_unit_test(serves_in_order_where_rounds_wrap),
		cmocka_unit_test(who_gives_up_leaves_the_order_of_the_others),
		cmocka_unit_test(a_line_of_which_all_gave_up_leaves_the_lock_free),
		cmocka_unit_test(a_timed_waiter_behind_a_long_line_still_gives_up_in_time),
		cmocka_unit_test(a_timed_waiter_outside_the_line_takes_a_lock_that_became_free),
		cmocka_unit_test(a_timed_waiter_outside_the_line_waits_out_its_time_despite_signals),
		cmocka_unit_test(no_sleeper_and_no_mark_is_left_behind),
		cmocka_unit_test(a_crowd_need_not_switch_threads_for_each_turn),
		cmocka_unit_test(who_stands_on_the_cpu_of_one_before_it_gives_its_ticket_back_and_yields),
		cmocka_unit_test(who_asks_for_a_shared_lock_in_a_long_queue_gives_its_ticket_back_and_yields),
		cmocka_unit_test(nobody_stays_out_on_a_cpu_of_its_own_nor_of_a_short_queue_nor_until_a_deadline),
		cmocka_unit_test(nobody_gives_its_ticket_back_unless_a_turn_of_the_queue_has_passed_lately),
	};

	return cmocka_run_group_tests_name("oticket", tests, NULL, NULL);
}
