/* SPDX-License-Identifier: MIT */
/*
 * What stands on top of a report that is kept: the machine as its JSON tells it,
 * how it was measured, and what went wrong. The same for a run that has just
 * been measured and for one that was read from a file.
 */
#ifndef GUESTSYNC_BENCH_REPORT_FACTS_H
#define GUESTSYNC_BENCH_REPORT_FACTS_H

#include <jansson.h>

#include "bench/rounds.h"

#define BENCH_FACTS_MAX 16

struct bench_fact {
	const char *label;
	char text[400];
};

/* Of the machine, and of the measurement. Each returns how many there are. */
size_t bench_machine_facts(const struct bench_run *run, const json_t *machine, struct bench_fact *facts);
size_t bench_settings_facts(const struct bench_run *run, struct bench_fact *facts);

/* The n-th command that measured, its date; NULL after the last. */
const char *bench_origin_text(const struct bench_run *run, size_t n, const char *key);

/* "plain, critical section 100 ns, think time 100 ns"; TEXT has BENCH_SITUATION_BYTES. */
#define BENCH_SITUATION_BYTES 256
void bench_situation(char *text, const struct bench_cell *cell);

/* CELL in words when its lock let somebody in, or its barrier out; false when it did not. TEXT as above. */
bool bench_cell_broken(char *text, const struct bench_cell *cell);

#endif
