/* SPDX-License-Identifier: MIT */
/*
 * What whoever waits for a lock must not notice of what happens meanwhile: that
 * errno changes, or that what we call may be cancelled, as open(), poll() and
 * clock_nanosleep() may. Can be nested.
 */
#ifndef GUESTSYNC_DETECT_MANNERS_H
#define GUESTSYNC_DETECT_MANNERS_H

#include <errno.h>
#include <pthread.h>

struct gsync_manners {
	int caller_errno;
	int cancel_state;
};

static inline struct gsync_manners gsync_manners_keep(void)
{
	struct gsync_manners manners = { .caller_errno = errno };

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &manners.cancel_state);
	return manners;
}

static inline void gsync_manners_give_back(const struct gsync_manners *manners)
{
	pthread_setcancelstate(manners->cancel_state, NULL);
	errno = manners->caller_errno;
}

#endif
