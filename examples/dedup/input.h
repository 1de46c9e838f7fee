/* SPDX-License-Identifier: MIT */
/* The file that is read: of known size, from any place, by any thread. */
#ifndef DEDUP_INPUT_H
#define DEDUP_INPUT_H

#include <stddef.h>
#include <stdint.h>

#include "bench/error.h"

struct input {
	int fd;
	const char *path; /* for messages */
	uint64_t bytes;
};

/* Returns 0 or -1. What cannot be read from any place, as a pipe or a directory, is refused. */
int input_open(struct input *input, const char *path, struct bench_error *error);
void input_close(struct input *input);

/* Exactly LENGTH bytes. Returns 0 or -1: an input that has become shorter is an error, too. */
int input_read(const struct input *input, void *buffer, size_t length, uint64_t offset, struct bench_error *error);

#endif
