/* SPDX-License-Identifier: MIT */
/* What a piece of work cost: time, and what threads that wait for each other cost beside it. */
#ifndef DEDUP_COST_H
#define DEDUP_COST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* A count of the kernel's, which it may not tell us. */
struct cost_count {
	bool known;
	uint64_t value;
	char why_not[128];
};

struct cost {
	double wall_s;
	double user_s;
	double system_s;
	uint64_t voluntary_switches; /* a thread went to sleep, */
	uint64_t involuntary_switches; /* or another got its CPU */
	struct cost_count futex_calls;
	struct cost_count tlb_shootdowns; /* of the whole machine: the kernel does not count them apart */
};

/* Begins the count, of this thread and those started from now on. */
void cost_begin(struct cost *cost);

/* Ends it. */
void cost_end(struct cost *cost);

void cost_print(const struct cost *cost, FILE *out);

#endif
