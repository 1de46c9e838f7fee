/* SPDX-License-Identifier: MIT */
/* One object of the kind that is checked, as the checker's threads use it. */
#ifndef GUESTSYNC_WEAK_CLIENT_H
#define GUESTSYNC_WEAK_CLIENT_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WORDS_MAX 12

struct word {
	void *address;
	size_t size;
};

/* Makes the object anew; returns how many WORDS it has. */
size_t client_init(struct word *words);

/* Of a lock. TRY returns 0 with the lock held. */
void client_lock(void);
int client_try(int patient);
void client_unlock(void);

/* Of a barrier. */
void client_wait(void);

#ifdef __cplusplus
}
#endif

#endif
