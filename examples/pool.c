/* SPDX-License-Identifier: MIT */
/*
 * Tasks that make more tasks: how many ways there are to place queens on a
 * board, each task trying the rows of one column. The waits of the inner tasks
 * help, so nothing but the stack limits how deep this goes.
 */
#include <guestsync/pool.h>

#include <stdio.h>

#define SIZE 9
#define ALONE 5 /* columns left from which on a task would be too small */

struct board {
	int columns;
	int rows[SIZE];
};

static unsigned long solutions;

static int fits(const struct board *board, int row)
{
	for (int i = 0; i < board->columns; i++) {
		int distance = board->columns - i;

		if (board->rows[i] == row || board->rows[i] == row - distance || board->rows[i] == row + distance)
			return 0;
	}
	return 1;
}

static void place(void *argument)
{
	const struct board *board = argument;
	struct board next[SIZE];
	gsync_group_t group = GSYNC_GROUP_INIT;

	if (board->columns == SIZE) {
		__atomic_fetch_add(&solutions, 1ul, __ATOMIC_RELAXED);
		return;
	}
	for (int row = 0; row < SIZE; row++) {
		if (!fits(board, row))
			continue;
		next[row] = *board;
		next[row].rows[next[row].columns++] = row;
		if (SIZE - board->columns <= ALONE || gsync_group_spawn(&group, place, &next[row]) != 0)
			place(&next[row]);
	}
	gsync_group_wait(&group);
}

int main(void)
{
	struct board empty = { 0 };

	place(&empty);
	printf("%d queens: %lu ways, with %u threads beside this one\n", SIZE, solutions, gsync_pool_threads(NULL));
	return solutions == 352 ? 0 : 1;
}
