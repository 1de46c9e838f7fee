/* SPDX-License-Identifier: MIT */
/* System calls that fail from now on, for good: for tests' children. */
#ifndef GUESTSYNC_TESTS_FILTER_H
#define GUESTSYNC_TESTS_FILTER_H

#include "tests/unit/support.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define TEST_NO_SECCOMP 77 /* a child's exit status: this machine has none */

static inline bool test_filter(struct sock_filter *filter, unsigned short length)
{
	struct sock_fprog program = { length, filter };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* From here on CALL fails with ERROR in this process, or seems to succeed when that is 0. */
static inline bool test_refuse(unsigned call, unsigned error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	return test_filter(filter, sizeof(filter) / sizeof(filter[0]));
}

/* The child must have ended by exit(0); where it has found that there are no filters here, the test is skipped. */
static inline void test_filtered_child_succeeded(pid_t child)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == TEST_NO_SECCOMP)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

#endif
