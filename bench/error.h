/* SPDX-License-Identifier: MIT */
/* Why something failed, in words, for whoever may print it. */
#ifndef GUESTSYNC_BENCH_ERROR_H
#define GUESTSYNC_BENCH_ERROR_H

struct bench_error {
	char text[512];
};

/* Writes the text, cut short if need be. Returns -1, so that a caller can pass both on. */
int bench_fail(struct bench_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
