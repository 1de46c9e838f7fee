/* SPDX-License-Identifier: MIT */
/* The CPUs that this process may use, and pinning to one of them. Works beyond 1024 CPUs. */
#ifndef GUESTSYNC_BENCH_AFFINITY_H
#define GUESTSYNC_BENCH_AFFINITY_H

#include <pthread.h>

#include "bench/error.h"

struct bench_cpus {
	unsigned count;
	int *ids; /* the kernel's numbers, ascending */
};

/* Reads the affinity mask. Returns 0, or an errno value. */
int bench_cpus_read(struct bench_cpus *cpus);
void bench_cpus_free(struct bench_cpus *cpus);

/* Starts a thread on CPU. Returns 0, or -1 with the reason. */
int bench_pinned_thread(pthread_t *thread, int cpu, void *(*main)(void *), void *argument, struct bench_error *error);

/* Pins the calling thread, or the threads made with ATTRIBUTES. Return 0, or an errno value. */
int bench_pin_self(int cpu);
int bench_pin_attributes(pthread_attr_t *attributes, int cpu);

/* Pins a running thread to the n-th of CPUS, or, with n < 0, lets it go on all of them. Returns 0, or an errno value. */
int bench_pin_thread(pthread_t thread, const struct bench_cpus *cpus, int n);

#endif
