/* SPDX-License-Identifier: MIT */
/* What gsync_oticket promises beyond the contract of every lock: order, wrap, giving up. */
#include "tests/unit/support.h"

#include <signal.h>
#include <sys/resource.h>

#include <guestsync/profile.h>

#include "bench/oticket_at.h"
#include "detect/clock.h"
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

/* Or it sleeps, having been up. */
static void until_up(uint32_t ticket)
{
	while (!gsync_whereabouts_is_up(&lock, ticket) &&
	       (__atomic_load_n(&lock.turn[ticket % GSYNC_OTICKET_TURNS_], __ATOMIC_RELAXED) >> 32 & 0xfff) == 0)
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
	};

	return cmocka_run_group_tests_name("oticket", tests, NULL, NULL);
}
