/* SPDX-License-Identifier: MIT */
#include "queue.h"

#include <stdlib.h>

bool queue_make(struct queue *queue, size_t room, unsigned producers)
{
	*queue = (struct queue){ .items = malloc(room * sizeof(queue->items[0])), .room = room, .producers = producers };
	pthread_mutex_init(&queue->mutex, NULL);
	pthread_cond_init(&queue->not_empty, NULL);
	pthread_cond_init(&queue->not_full, NULL);
	return queue->items != NULL;
}

void queue_free(struct queue *queue)
{
	pthread_cond_destroy(&queue->not_full);
	pthread_cond_destroy(&queue->not_empty);
	pthread_mutex_destroy(&queue->mutex);
	free(queue->items);
}

void queue_put(struct queue *queue, void *const *items, size_t count)
{
	pthread_mutex_lock(&queue->mutex);
	for (size_t i = 0; i < count; i++) {
		while (queue->count == queue->room)
			pthread_cond_wait(&queue->not_full, &queue->mutex);
		queue->items[(queue->head + queue->count) % queue->room] = items[i];
		queue->count++;
		/* Before it waits for room, whoever makes room must know that there is something. */
		if (queue->count == queue->room || i == count - 1)
			pthread_cond_signal(&queue->not_empty);
	}
	pthread_mutex_unlock(&queue->mutex);
}

void queue_close(struct queue *queue)
{
	pthread_mutex_lock(&queue->mutex);
	if (--queue->producers == 0)
		pthread_cond_broadcast(&queue->not_empty);
	pthread_mutex_unlock(&queue->mutex);
}

static size_t take_locked(struct queue *queue, void **items, size_t most)
{
	size_t count = 0;

	while (count < most && queue->count > 0) {
		items[count++] = queue->items[queue->head];
		queue->head = (queue->head + 1) % queue->room;
		queue->count--;
	}
	if (count > 0)
		pthread_cond_signal(&queue->not_full);
	return count;
}

size_t queue_try_take(struct queue *queue, void **items, size_t most)
{
	size_t count;

	pthread_mutex_lock(&queue->mutex);
	count = take_locked(queue, items, most);
	pthread_mutex_unlock(&queue->mutex);
	return count;
}

size_t queue_take(struct queue *queue, void **items, size_t most)
{
	size_t count;

	pthread_mutex_lock(&queue->mutex);
	while (queue->count == 0 && queue->producers > 0)
		pthread_cond_wait(&queue->not_empty, &queue->mutex);
	count = take_locked(queue, items, most);
	pthread_mutex_unlock(&queue->mutex);
	return count;
}

void batch_add(struct batch *batch, void *item)
{
	batch->items[batch->count++] = item;
	if (batch->count == QUEUE_BATCH)
		batch_flush(batch);
}

void batch_flush(struct batch *batch)
{
	if (batch->count > 0)
		queue_put(batch->queue, batch->items, batch->count);
	batch->count = 0;
}
