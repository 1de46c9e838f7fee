/* SPDX-License-Identifier: MIT */
/* Words that a forked child does not inherit: what in them belongs to threads that it does not have. */
#ifndef GUESTSYNC_DETECT_PROCESS_H
#define GUESTSYNC_DETECT_PROCESS_H

#include <stdint.h>

enum gsync_process_word {
	GSYNC_PROCESS_MARK,  /* gsync_process_mark() */
	GSYNC_PROCESS_CLAIM, /* detect/tuning.c */
};

/*
 * A word that reads 0 in a process until it is written there; NULL = not to be
 * had, from a kernel before 4.14 or without memory. Keeps errno.
 */
uint32_t *gsync_process_word(enum gsync_process_word which);

/*
 * This process as a number from 1 to 127 that it does not share with its nearest
 * 126 ancestors; 0 = no such number is to be had. Keeps errno.
 */
uint32_t gsync_process_mark(void);

#endif
