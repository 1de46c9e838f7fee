/* SPDX-License-Identifier: MIT */
/* The throttled yield beside somebody who never yields. Each test in a child, which has not yielded before. */
#include "tests/unit/filter.h"
#include "tests/unit/support.h"

#include "detect/pressure.h"
#include "detect/tuning.h"
#include "primitives/spin.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>

static _Noreturn void be_a_hog(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		;
}

/* On one CPU of this process's, which is its only one from now on. */
static pid_t share_a_cpu_with_a_hog(void)
{
	cpu_set_t here;
	pid_t hog;

	alarm(60);
	CPU_ZERO(&here);
	CPU_SET((size_t)sched_getcpu(), &here);
	if (sched_setaffinity(0, sizeof(here), &here) != 0)
		_exit(1);
	hog = fork();
	if (hog == 0)
		be_a_hog();
	if (hog < 0)
		_exit(1); /* kill(-1) would mean everybody */
	return hog;
}

static bool yields_slowly(const struct gsync_tuning *tuning)
{
	uint64_t before = gsync_ticks();

	return gsync_spin_yield() && gsync_ticks() - before > tuning->slow_yield;
}

static bool refuse_the_clock_of_cpu_time(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clock_gettime, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CLOCK_PROCESS_CPUTIME_ID, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct timespec time;

	return test_filter(filter, sizeof(filter) / sizeof(filter[0])) &&
	       clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == -1;
}

static int yield_without_that_clock(void)
{
	if (!refuse_the_clock_of_cpu_time())
		return TEST_NO_SECCOMP;
	errno = ERANGE;
	/* Where it cannot be told who ran, strangers did: then nobody yields for a while. */
	while (gsync_spin_yield())
		if (errno != ERANGE)
			return 1;
	return errno == ERANGE ? 0 : 1;
}

/* What had been used when the last slow yield was looked into was 0 then, and that was at boot. */
static int yield_slowly_for_the_first_time(void)
{
	const struct gsync_tuning tuning = gsync_tuning();

	while (!yields_slowly(&tuning))
		;
	return gsync_spin_yield() ? 0 : 1;
}

static void make_room_beside_others(const struct gsync_tuning *tuning)
{
	struct gsync_spin spin;

	gsync_spin_start(&spin, tuning->spin, tuning->pauses);
	__atomic_store_n(&gsync_live.pressed_until, gsync_ticks() + gsync_live.look_interval, __ATOMIC_RELAXED);
	gsync_spin_make_room(&spin, UINT64_MAX);
}

/* One that lets the hog run takes a time slice of its; the others do not count as long. */
static int yield_until_the_hog_has_run(void)
{
	const struct gsync_tuning tuning = gsync_tuning();
	uint64_t slice = (uint64_t)(GSYNC_LONG_SLICE_NS * tuning.ticks_per_ns);
	uint64_t counted = 0;

	__atomic_store_n(&gsync_live.look_interval, 1000000000u, __ATOMIC_RELAXED); /* without one there is no pressure */
	while (counted == 0) {
		uint64_t before = gsync_ticks();
		bool is_long;

		make_room_beside_others(&tuning);
		is_long = gsync_ticks() - before > slice;
		counted = __atomic_load_n(&gsync_live.long_yields, __ATOMIC_RELAXED);
		if (counted != 0 && !is_long)
			return 1;
	}
	return __atomic_load_n(&gsync_live.yields, __ATOMIC_RELAXED) > 0 ? 0 : 1;
}

static void check_beside_a_hog(int (*run)(void))
{
	pid_t child = fork();

	assert_int_not_equal(child, -1);
	if (child == 0) {
		pid_t hog = share_a_cpu_with_a_hog();
		int status = run();

		kill(hog, SIGKILL);
		_exit(status);
	}
	test_filtered_child_succeeded(child);
}

static void a_yield_leaves_errno_alone_where_the_clock_of_cpu_time_is_refused(void **state)
{
	(void)state;
	check_beside_a_hog(yield_without_that_clock);
}

static void the_first_slow_yield_is_not_judged_by_the_time_since_boot(void **state)
{
	(void)state;
	check_beside_a_hog(yield_slowly_for_the_first_time);
}

static void a_yield_that_lets_a_stranger_run_for_a_time_slice_is_counted_as_long(void **state)
{
	(void)state;
	check_beside_a_hog(yield_until_the_hog_has_run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_yield_leaves_errno_alone_where_the_clock_of_cpu_time_is_refused),
		cmocka_unit_test(the_first_slow_yield_is_not_judged_by_the_time_since_boot),
		cmocka_unit_test(a_yield_that_lets_a_stranger_run_for_a_time_slice_is_counted_as_long),
	};

	return cmocka_run_group_tests_name("spin", tests, NULL, NULL);
}
