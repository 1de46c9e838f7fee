/* SPDX-License-Identifier: MIT */
/* When, with what and by which command something was measured, so that it can be measured again. */
#ifndef GUESTSYNC_BENCH_ORIGIN_H
#define GUESTSYNC_BENCH_ORIGIN_H

#include <jansson.h>

/*
 * {"date", "version", "kernel", "cpu", "command"}, all texts, of a command line
 * as main gets it. NULL when memory runs out.
 */
json_t *bench_origin_json(int argc, char *const *argv);

#endif
