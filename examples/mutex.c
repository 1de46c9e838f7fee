/* SPDX-License-Identifier: MIT */
/* gsync_mutex: an account that several threads book on; one of them gives up when it takes too long. */
#include <guestsync/mutex.h>

#include <pthread.h>
#include <stdio.h>

static gsync_mutex_t mutex = GSYNC_MUTEX_INIT;
static long balance;

static void *book(void *argument)
{
	(void)argument;
	for (int i = 0; i < 100000; i++) {
		gsync_mutex_lock(&mutex);
		balance++;
		gsync_mutex_unlock(&mutex);
	}
	return NULL;
}

/* Looks at the balance, but waits no longer than a second for it. */
static void look(void)
{
	struct timespec deadline;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec++;
	if (gsync_mutex_timedlock(&mutex, &deadline) != 0) {
		puts("the books are busy");
		return;
	}
	printf("so far %s\n", balance > 0 ? "something was booked" : "nothing was booked");
	gsync_mutex_unlock(&mutex);
}

int main(void)
{
	pthread_t clerks[4];

	for (int i = 0; i < 4; i++)
		if (pthread_create(&clerks[i], NULL, book, NULL) != 0)
			return 1;
	look();
	for (int i = 0; i < 4; i++)
		pthread_join(clerks[i], NULL);
	printf("balance %ld\n", balance);
	return balance == 400000 ? 0 : 1;
}
