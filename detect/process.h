/* SPDX-License-Identifier: MIT */
/* Words that a forked child does not inherit: what in them belongs to threads that it does not have. */
#ifndef GUESTSYNC_DETECT_PROCESS_H
#define GUESTSYNC_DETECT_PROCESS_H

#include <stdint.h>

enum gsync_process_word {
	GSYNC_PROCESS_MARK,  /* primitives/lockword.c */
	GSYNC_PROCESS_CLAIM, /* detect/tuning.c */
};

/*
 * A word that reads 0 in a process until it is written there; NULL = not to be
 * had, from a kernel before 4.14 or without memory. Keeps errno.
 */
uint32_t *gsync_process_word(enum gsync_process_word which);

#endif
