/* SPDX-License-Identifier: MIT */
/*
 * A bounded queue between two stages of a pipeline, as PARSEC's dedup has it: a
 * ring under a mutex, with a condition variable for who finds it empty and one
 * for who finds it full. Items go in and out in batches.
 *
 * This is what the pipeline is to be judged by, so it is what most programs have:
 * POSIX mutexes and condition variables.
 */
#ifndef DEDUP_QUEUE_H
#define DEDUP_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct queue {
	pthread_mutex_t mutex;
	pthread_cond_t not_empty;
	pthread_cond_t not_full;
	void **items;
	size_t room;
	size_t head;
	size_t count;
	unsigned producers; /* that may still put something in */
};

/* Returns false when memory is short; free is due all the same. */
bool queue_make(struct queue *queue, size_t room, unsigned producers);
void queue_free(struct queue *queue);

/* Waits until all COUNT items are in. */
void queue_put(struct queue *queue, void *const *items, size_t count);

/* A producer has ended. */
void queue_close(struct queue *queue);

/* Takes at most MOST items. Returns how many; 0: there are none at the moment. */
size_t queue_try_take(struct queue *queue, void **items, size_t most);

/* The same, but waits for something. 0: nothing will come any more. */
size_t queue_take(struct queue *queue, void **items, size_t most);

/*
 * Items on their way into a queue, until there are enough for a batch. Flush
 * before waiting for anything: somebody may be waiting for what is in here.
 */
#define QUEUE_BATCH 20u /* PARSEC's, too */

struct batch {
	struct queue *queue;
	void *items[QUEUE_BATCH];
	size_t count;
};

void batch_add(struct batch *batch, void *item);
void batch_flush(struct batch *batch);

#endif
