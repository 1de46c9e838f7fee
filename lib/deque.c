/* SPDX-License-Identifier: MIT */
/*
 * A worker's own tasks: the owner pushes and pops at the bottom, thieves take
 * from the top. After Chase and Lev, "Dynamic Circular Work-Stealing Deque", but
 * of a fixed size: who finds it full puts the task into the queue, where there may
 * be a limit, and others take it from there.
 *
 * Tasks top … bottom - 1 are there, at their number modulo the size. Both only
 * grow, but for the owner's pop, which takes bottom back by one and gives it back
 * where it finds nothing.
 *
 * Nothing is taken twice: the owner takes task bottom - 1 without asking only if
 * top, read after bottom was lowered, is below that; thieves read bottom after
 * top. These four are sequentially consistent, so either the thief sees the
 * lowered bottom or the owner sees that top has come near, and then both settle
 * by a compare-and-swap on top. Nothing is lost: only those two advance top.
 *
 * A thief reads a task before it knows that it gets it. The owner writes to that
 * place again only after it has seen top beyond it, and then the thief's
 * compare-and-swap fails; so the words are atomic, relaxed, and what a failed
 * thief has read is thrown away. What the task's arguments point to is handed
 * over by the release in push, a store to bottom that thieves acquire.
 *
 * No fences: ThreadSanitizer does not know them.
 */
#include "lib/pool.h"

static struct gsync_task *place(const struct gsync_deque *deque, uint64_t number)
{
	return (struct gsync_task *)&deque->tasks[number % GSYNC_DEQUE_SIZE];
}

static void write_task(struct gsync_deque *deque, uint64_t number, const struct gsync_task *task)
{
	struct gsync_task *to = place(deque, number);

	__atomic_store_n(&to->run, task->run, __ATOMIC_RELAXED);
	__atomic_store_n(&to->argument, task->argument, __ATOMIC_RELAXED);
	__atomic_store_n(&to->group, task->group, __ATOMIC_RELAXED);
}

static void read_task(const struct gsync_deque *deque, uint64_t number, struct gsync_task *task)
{
	const struct gsync_task *from = place(deque, number);

	task->run = __atomic_load_n(&from->run, __ATOMIC_RELAXED);
	task->argument = __atomic_load_n(&from->argument, __ATOMIC_RELAXED);
	task->group = __atomic_load_n(&from->group, __ATOMIC_RELAXED);
}

static bool take_top(struct gsync_deque *deque, uint64_t top)
{
	return __atomic_compare_exchange_n(&deque->top, &top, top + 1, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

bool gsync_deque_push(struct gsync_deque *deque, const struct gsync_task *task)
{
	uint64_t bottom = __atomic_load_n(&deque->bottom, __ATOMIC_RELAXED);

	/* Acquire: the place is free once the thief that took it last has read it. */
	if (bottom - __atomic_load_n(&deque->top, __ATOMIC_ACQUIRE) >= GSYNC_DEQUE_SIZE)
		return false;
	write_task(deque, bottom, task);
	/* More than release: the call to the crew that follows must not look at the crew before. */
	__atomic_store_n(&deque->bottom, bottom + 1, __ATOMIC_SEQ_CST);
	return true;
}

bool gsync_deque_pop(struct gsync_deque *deque, struct gsync_task *task)
{
	uint64_t bottom = __atomic_load_n(&deque->bottom, __ATOMIC_RELAXED);
	uint64_t top;
	bool won = true;

	/* Top never falls, so an empty deque stays empty until the owner pushes. */
	if (__atomic_load_n(&deque->top, __ATOMIC_RELAXED) == bottom)
		return false;
	__atomic_store_n(&deque->bottom, --bottom, __ATOMIC_SEQ_CST);
	top = __atomic_load_n(&deque->top, __ATOMIC_SEQ_CST);
	if (top < bottom) {
		read_task(deque, bottom, task);
		return true;
	}
	if (top == bottom) {
		read_task(deque, bottom, task);
		won = take_top(deque, top);
	}
	__atomic_store_n(&deque->bottom, bottom + 1, __ATOMIC_RELEASE);
	return top == bottom && won;
}

bool gsync_deque_steal(struct gsync_deque *deque, const gsync_group_t *group, struct gsync_task *task)
{
	uint64_t top = __atomic_load_n(&deque->top, __ATOMIC_SEQ_CST);

	/* Acquires the task's arguments, too. */
	if (top >= __atomic_load_n(&deque->bottom, __ATOMIC_SEQ_CST))
		return false;
	read_task(deque, top, task);
	return (!group || task->group == group) && take_top(deque, top);
}

bool gsync_deque_has_tasks(const struct gsync_deque *deque)
{
	return __atomic_load_n(&deque->top, __ATOMIC_SEQ_CST) < __atomic_load_n(&deque->bottom, __ATOMIC_SEQ_CST);
}
