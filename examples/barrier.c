/* SPDX-License-Identifier: MIT */
/* gsync_barrier: threads that smooth a line of numbers step by step; one of them reports each step. */
#include <guestsync/barrier.h>

#include <pthread.h>
#include <stdio.h>

#define THREADS 4
#define CELLS 64
#define STEPS 10

static gsync_barrier_t barrier = GSYNC_BARRIER_INIT(THREADS);
static double line[2][CELLS];

static void step_of(int thread, const double *from, double *to)
{
	for (int i = thread * CELLS / THREADS; i < (thread + 1) * CELLS / THREADS; i++)
		to[i] = (from[i > 0 ? i - 1 : i] + from[i] + from[i < CELLS - 1 ? i + 1 : i]) / 3;
}

static void *smooth(void *argument)
{
	int thread = *(int *)argument;

	for (int step = 0; step < STEPS; step++) {
		step_of(thread, line[step % 2], line[(step + 1) % 2]);
		/* Nobody reads the new line before all parts of it are written. */
		if (gsync_barrier_wait(&barrier) == GSYNC_BARRIER_SERIAL_THREAD)
			printf("step %d: the peak is %.4f\n", step, line[(step + 1) % 2][0]);
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];
	int numbers[THREADS];

	line[0][0] = 1;
	for (int i = 0; i < THREADS; i++) {
		numbers[i] = i;
		if (pthread_create(&threads[i], NULL, smooth, &numbers[i]) != 0)
			return 1;
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	return gsync_barrier_destroy(&barrier);
}
