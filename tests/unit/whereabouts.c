/* SPDX-License-Identifier: MIT */
/* The table of where waiters stand: what it knows is so, whoever else has used the same entry. */
#include "tests/unit/support.h"

#include "primitives/whereabouts.h"

#include <guestsync/oticket.h>
#include <guestsync/profile.h>

#define SAME_ENTRY 4096u /* so much higher a ticket of the same lock has */
#define REPEATS (1u << 22)
#define TICKET 77u

static gsync_oticket_t lock;

static int stay_on_this_cpu(void **state)
{
	cpu_set_t here;

	(void)state;
	CPU_ZERO(&here);
	CPU_SET((unsigned)sched_getcpu(), &here);
	return sched_setaffinity(0, sizeof(here), &here);
}

static int forget_all(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 8; i++)
		gsync_whereabouts_forget(&lock, TICKET + i);
	return 0;
}

static void who_says_that_it_is_up_is_known_as_up_until_it_says_otherwise(void **state)
{
	(void)state;
	assert_false(gsync_whereabouts_is_up(&lock, TICKET));
	assert_int_equal(gsync_whereabouts_tell(&lock, TICKET, true), sched_getcpu() & 255);
	assert_true(gsync_whereabouts_is_up(&lock, TICKET));
	gsync_whereabouts_tell(&lock, TICKET, false);
	assert_false(gsync_whereabouts_is_up(&lock, TICKET));
	gsync_whereabouts_tell(&lock, TICKET, true);
	gsync_whereabouts_forget(&lock, TICKET);
	assert_false(gsync_whereabouts_is_up(&lock, TICKET));
}

static void an_entry_speaks_of_nobody_else(void **state)
{
	(void)state;
	gsync_whereabouts_tell(&lock, TICKET, true);
	assert_false(gsync_whereabouts_is_up(&lock, TICKET + 1));
	assert_false(gsync_whereabouts_is_up(&lock, TICKET + SAME_ENTRY));
	assert_false(gsync_whereabouts_is_up(&lock, TICKET + REPEATS - SAME_ENTRY));
	/* Addresses are eight apart at the least. */
	for (uintptr_t bit = 8; bit < (uintptr_t)1 << 48; bit <<= 1)
		assert_false(gsync_whereabouts_is_up((void *)((uintptr_t)&lock ^ bit), TICKET));
	/* Such tickets cannot wait at once. */
	assert_true(gsync_whereabouts_is_up(&lock, TICKET + REPEATS));
}

static void who_loses_its_entry_is_not_known_any_more(void **state)
{
	uint32_t first;

	(void)state;
	gsync_whereabouts_tell(&lock, TICKET, true);
	gsync_whereabouts_tell(&lock, TICKET + SAME_ENTRY, false);
	assert_false(gsync_whereabouts_is_up(&lock, TICKET));
	gsync_whereabouts_forget(&lock, TICKET);
	assert_true(gsync_whereabouts_find(&lock, TICKET + SAME_ENTRY, 1, sched_getcpu() & 255, &first));
	gsync_whereabouts_forget(&lock, TICKET + SAME_ENTRY);
}

static void the_first_of_a_cpu_is_found_up_or_asleep(void **state)
{
	int here = sched_getcpu() & 255;
	uint32_t first;

	(void)state;
	assert_false(gsync_whereabouts_find(&lock, TICKET, 8, here, &first));
	gsync_whereabouts_tell(&lock, TICKET + 3, false);
	gsync_whereabouts_tell(&lock, TICKET + 5, true);
	assert_true(gsync_whereabouts_find(&lock, TICKET, 8, here, &first));
	assert_int_equal(first, TICKET + 3);
	assert_false(gsync_whereabouts_find(&lock, TICKET, 3, here, &first));
	assert_true(gsync_whereabouts_find(&lock, TICKET + 4, 8, here, &first));
	assert_int_equal(first, TICKET + 5);
	assert_false(gsync_whereabouts_find(&lock, TICKET, 8, (here + 1) & 255, &first));
	assert_false(gsync_whereabouts_find(&lock, TICKET, 8, GSYNC_NOWHERE, &first));
}

static void who_cannot_be_named_is_nowhere(void **state)
{
	void *far = (void *)((uintptr_t)1 << 48 | (uintptr_t)&lock);

	(void)state;
	assert_int_equal(gsync_whereabouts_tell(far, TICKET, true), GSYNC_NOWHERE);
	assert_false(gsync_whereabouts_is_up(far, TICKET));
	gsync_whereabouts_tell(&lock, TICKET, true);
	assert_false(gsync_whereabouts_is_up(far, TICKET));
}

static void a_waiter_that_cannot_tell_its_cpu_is_not_known_as_up(void **state)
{
	(void)state;
	gsync_whereabouts_tell(&lock, TICKET, true);
	assert_int_equal(gsync_profile_set("quiet", 1), 0);
	assert_int_equal(gsync_whereabouts_tell(&lock, TICKET, false), GSYNC_NOWHERE);
	assert_false(gsync_whereabouts_is_up(&lock, TICKET));
	assert_int_equal(gsync_profile_set("quiet", 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(who_says_that_it_is_up_is_known_as_up_until_it_says_otherwise, forget_all),
		cmocka_unit_test_setup(an_entry_speaks_of_nobody_else, forget_all),
		cmocka_unit_test_setup(who_loses_its_entry_is_not_known_any_more, forget_all),
		cmocka_unit_test_setup(the_first_of_a_cpu_is_found_up_or_asleep, forget_all),
		cmocka_unit_test_setup(who_cannot_be_named_is_nowhere, forget_all),
		cmocka_unit_test_setup(a_waiter_that_cannot_tell_its_cpu_is_not_known_as_up, forget_all),
	};

	return cmocka_run_group_tests(tests, stay_on_this_cpu, NULL);
}
