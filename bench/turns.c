/* SPDX-License-Identifier: MIT */
#include "bench/turns.h"

/*
 * 0, 1, -1, 2, -2 … modulo COUNT: each step goes another distance, so that, begun at
 * each number in turn, it makes each pair of neighbours once. If COUNT is odd the
 * distances are the odd ones, twice each; the same backwards has the even ones.
 */
size_t bench_turn(unsigned round, size_t place, size_t count)
{
	size_t way = count % 2 == 1 && round % 2 == 1 ? count - 1 - place : place;

	return (round + (way % 2 == 1 ? (way + 1) / 2 : count - way / 2)) % count;
}
