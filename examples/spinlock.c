/* SPDX-License-Identifier: MIT */
/* gsync_spinlock: four bytes per bucket, so that a table can afford one lock for each. */
#include <guestsync/spinlock.h>

#include <pthread.h>
#include <stdio.h>

#define BUCKETS 16

static struct bucket {
	gsync_spinlock_t lock; /* zeroed memory is an unlocked lock */
	unsigned count;
} buckets[BUCKETS];

static void *count_numbers(void *argument)
{
	unsigned number = *(unsigned *)argument;

	for (int i = 0; i < 50000; i++) {
		struct bucket *bucket = &buckets[number % BUCKETS];

		gsync_spinlock_lock(&bucket->lock);
		bucket->count++;
		gsync_spinlock_unlock(&bucket->lock);
		number = number * 1103515245u + 12345u;
	}
	return NULL;
}

int main(void)
{
	unsigned seeds[4] = { 1, 2, 3, 4 };
	unsigned total = 0;
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		if (pthread_create(&threads[i], NULL, count_numbers, &seeds[i]) != 0)
			return 1;
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < BUCKETS; i++)
		total += buckets[i].count;
	printf("counted %u numbers\n", total);
	return total == 200000 ? 0 : 1;
}
