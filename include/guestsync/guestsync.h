/* SPDX-License-Identifier: MIT */
/* All of guestsync but the pthread_spin shim, which renames things and must be asked for. */
#ifndef GUESTSYNC_GUESTSYNC_H
#define GUESTSYNC_GUESTSYNC_H

#include <guestsync/barrier.h>
#include <guestsync/base.h>
#include <guestsync/mutex.h>
#include <guestsync/oticket.h>
#include <guestsync/parallel.h>
#include <guestsync/pool.h>
#include <guestsync/profile.h>
#include <guestsync/spinlock.h>
#include <guestsync/statistics.h>

#endif
