/* SPDX-License-Identifier: MIT */
/*
 * What foreign threads have submitted, first in, first out: a ring that grows,
 * up to the limit where there is one, behind a mutex of ours. Workers take
 * several tasks at a time, so the mutex is no bottleneck; and who waits for room
 * must sleep anyway.
 *
 * No submitter is forgotten: it notes itself down and reads space with the mutex
 * held, while the ring is full; whoever takes a task with the mutex held sees the
 * note, changes space, and wakes all of them after it has let go. Futex compares
 * space, so the change comes before the sleep, which then does not happen, or the
 * wake-up after it.
 */
#include "lib/pool.h"

#include "primitives/futex.h"
#include "primitives/tally.h"

#include <stdlib.h>

#define ROOM_MIN 64u
#define ROOM_KEPT 4096u /* of an empty ring */

static struct gsync_task *place(const struct gsync_queue *queue, size_t number)
{
	return &queue->ring[(queue->head + number) & (queue->room - 1)];
}

static size_t count_of(const struct gsync_queue *queue)
{
	return __atomic_load_n(&queue->count, __ATOMIC_RELAXED);
}

/* Sequentially consistent: a look at the crew follows. */
static void set_count(struct gsync_queue *queue, size_t count)
{
	__atomic_store_n(&queue->count, count, __ATOMIC_SEQ_CST);
}

static bool resize(struct gsync_queue *queue, size_t room)
{
	size_t count = count_of(queue);
	struct gsync_task *ring = malloc(room * sizeof(ring[0]));

	if (!ring)
		return false;
	for (size_t i = 0; i < count; i++)
		ring[i] = *place(queue, i);
	free(queue->ring);
	queue->ring = ring;
	queue->room = room;
	queue->head = 0;
	return true;
}

static int append(struct gsync_queue *queue, const struct gsync_task *task, bool limited, bool insider)
{
	size_t count = count_of(queue);

	if (queue->closed && !insider)
		return ESHUTDOWN;
	if (limited && queue->limit != 0 && count >= queue->limit)
		return EAGAIN;
	if (count == queue->room && !resize(queue, count == 0 ? ROOM_MIN : 2 * count))
		return ENOMEM;
	*place(queue, count) = *task;
	set_count(queue, count + 1);
	return 0;
}

int gsync_queue_put(struct gsync_queue *queue, const struct gsync_task *task, bool limited, bool insider)
{
	int error;

	gsync_mutex_lock(&queue->mutex);
	error = append(queue, task, limited, insider);
	gsync_mutex_unlock(&queue->mutex);
	return error;
}

void gsync_queue_wait_for_space(struct gsync_queue *queue)
{
	bool full;
	uint32_t seen;

	gsync_mutex_lock(&queue->mutex);
	full = !queue->closed && count_of(queue) >= queue->limit;
	if (full)
		queue->space_waiters = 1;
	seen = __atomic_load_n(&queue->space, __ATOMIC_RELAXED);
	gsync_mutex_unlock(&queue->mutex);
	if (full)
		gsync_futex_wait(&queue->space, seen, GSYNC_ANYBODY, NULL, false);
}

/* With the mutex held; true when the caller is to wake those who wait for space once it has let go. */
static bool announce_space(struct gsync_queue *queue)
{
	bool waited_for = queue->space_waiters != 0;

	queue->space_waiters = 0;
	if (waited_for)
		__atomic_store_n(&queue->space, queue->space + 1, __ATOMIC_RELAXED);
	return waited_for;
}

static void let_go(struct gsync_queue *queue, bool wake)
{
	gsync_mutex_unlock(&queue->mutex);
	if (wake) {
		gsync_wakes_for(GSYNC_KIND_POOL_);
		gsync_futex_wake(&queue->space, GSYNC_WAKE_ALL, GSYNC_ANYBODY, false);
	}
}

/* An empty ring need not stay as large as the largest crowd there ever was. */
static void shrink(struct gsync_queue *queue)
{
	if (count_of(queue) == 0 && queue->room > ROOM_KEPT)
		resize(queue, ROOM_KEPT);
}

size_t gsync_queue_take(struct gsync_queue *queue, struct gsync_task *tasks, size_t most, size_t parts)
{
	size_t count, taken;
	bool wake = false;

	if (!gsync_queue_has_tasks(queue))
		return 0;
	gsync_mutex_lock(&queue->mutex);
	count = count_of(queue);
	taken = (count + parts - 1) / parts;
	taken = taken < most ? taken : most;
	for (size_t i = 0; i < taken; i++)
		tasks[i] = *place(queue, i);
	if (taken > 0) {
		queue->head = (queue->head + taken) & (queue->room - 1);
		set_count(queue, count - taken);
		shrink(queue);
		wake = announce_space(queue);
	}
	let_go(queue, wake);
	return taken;
}

/* Takes the task at NUMBER out, and closes the gap. */
static void take_out(struct gsync_queue *queue, size_t number, struct gsync_task *task)
{
	size_t count = count_of(queue);

	*task = *place(queue, number);
	for (size_t i = number; i + 1 < count; i++)
		*place(queue, i) = *place(queue, i + 1);
	set_count(queue, count - 1);
}

bool gsync_queue_take_of(struct gsync_queue *queue, const gsync_group_t *group, struct gsync_task *task)
{
	bool found = false, wake = false;

	if (!gsync_queue_has_tasks(queue))
		return false;
	gsync_mutex_lock(&queue->mutex);
	for (size_t i = 0; i < count_of(queue) && !found; i++) {
		found = place(queue, i)->group == group;
		if (found) {
			take_out(queue, i, task);
			wake = announce_space(queue);
		}
	}
	let_go(queue, wake);
	return found;
}

bool gsync_queue_take_back(struct gsync_queue *queue, const struct gsync_task *task)
{
	bool found = false, wake = false;

	gsync_mutex_lock(&queue->mutex);
	for (size_t i = count_of(queue); i-- > 0 && !found;) {
		const struct gsync_task *other = place(queue, i);
		struct gsync_task taken;

		found = other->run == task->run && other->argument == task->argument && other->group == task->group;
		if (found) {
			take_out(queue, i, &taken);
			wake = announce_space(queue);
		}
	}
	let_go(queue, wake);
	return found;
}

void gsync_queue_close(struct gsync_queue *queue)
{
	bool wake;

	gsync_mutex_lock(&queue->mutex);
	queue->closed = true;
	wake = announce_space(queue);
	let_go(queue, wake);
}

bool gsync_queue_has_tasks(const struct gsync_queue *queue)
{
	return __atomic_load_n(&queue->count, __ATOMIC_SEQ_CST) != 0;
}
