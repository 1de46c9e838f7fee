/* SPDX-License-Identifier: MIT */
/*
 * Who comes after whom, from round to round.
 *
 * A window leaves something behind for the next one: warm caches, a clock turned
 * down, where the scheduler has put the others. Rounds in one order would give
 * that to the same one every time. This is E. J. Williams' design balanced for
 * carry-over ("Experimental designs balanced for the estimation of residual
 * effects of treatments", Australian Journal of Scientific Research A 2, 1949,
 * 149-168): over COUNT rounds, or twice as many if COUNT is odd, each comes
 * equally often at each place, and equally often right after each other. Fewer
 * rounds are part of it: another order each, in which nobody keeps a place.
 */
#ifndef GUESTSYNC_BENCH_TURNS_H
#define GUESTSYNC_BENCH_TURNS_H

#include <stddef.h>

/* Who of COUNT is the PLACE-th, from 0, in a round. */
size_t bench_turn(unsigned round, size_t place, size_t count);

#endif
