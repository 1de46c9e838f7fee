/* SPDX-License-Identifier: MIT */
/* The shim: a program written for POSIX spin locks, unchanged but for one include. */
#include <guestsync/pthread_spin.h>

#include <pthread.h>
#include <stdio.h>

static pthread_spinlock_t lock;
static long total;

static void *add(void *argument)
{
	(void)argument;
	for (int i = 0; i < 100000; i++) {
		pthread_spin_lock(&lock);
		total++;
		pthread_spin_unlock(&lock);
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[8];

	if (pthread_spin_init(&lock, PTHREAD_PROCESS_PRIVATE) != 0)
		return 1;
	for (int i = 0; i < 8; i++)
		if (pthread_create(&threads[i], NULL, add, NULL) != 0)
			return 1;
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	printf("total %ld\n", total);
	return total == 800000 ? pthread_spin_destroy(&lock) : 1;
}
