/* SPDX-License-Identifier: MIT */
/* The kernel refuses a mask smaller than its own with EINVAL, so the mask grows until it is accepted. */
#include "bench/affinity.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define MASK_CPUS_MAX (1u << 20)

int bench_cpus_read(struct bench_cpus *cpus)
{
	for (unsigned size = CPU_SETSIZE; size <= MASK_CPUS_MAX; size *= 2) {
		size_t bytes = CPU_ALLOC_SIZE(size);
		cpu_set_t *mask = CPU_ALLOC(size);
		unsigned found = 0;

		if (mask == NULL)
			return ENOMEM;
		if (sched_getaffinity(0, bytes, mask) != 0) {
			int error = errno;

			CPU_FREE(mask);
			if (error == EINVAL)
				continue;
			return error;
		}
		cpus->count = (unsigned)CPU_COUNT_S(bytes, mask);
		cpus->ids = calloc(cpus->count, sizeof(cpus->ids[0]));
		for (unsigned cpu = 0; cpus->ids != NULL && cpu < size && found < cpus->count; cpu++)
			if (CPU_ISSET_S(cpu, bytes, mask))
				cpus->ids[found++] = (int)cpu;
		CPU_FREE(mask);
		return cpus->ids != NULL ? 0 : ENOMEM;
	}
	return EINVAL;
}

void bench_cpus_free(struct bench_cpus *cpus)
{
	free(cpus->ids);
	cpus->ids = NULL;
	cpus->count = 0;
}

/* A mask of COUNT CPUs, of which the last is the highest. */
static cpu_set_t *mask_of(const int *ids, unsigned count, size_t *bytes)
{
	size_t size = (size_t)ids[count - 1] + 1;
	cpu_set_t *mask = CPU_ALLOC(size);

	if (mask == NULL)
		return NULL;
	*bytes = CPU_ALLOC_SIZE(size);
	CPU_ZERO_S(*bytes, mask);
	for (unsigned i = 0; i < count; i++)
		CPU_SET_S((size_t)ids[i], *bytes, mask);
	return mask;
}

static int put_on(pthread_t thread, const int *ids, unsigned count)
{
	size_t bytes;
	cpu_set_t *mask = mask_of(ids, count, &bytes);
	int error;

	if (mask == NULL)
		return ENOMEM;
	error = pthread_setaffinity_np(thread, bytes, mask);
	CPU_FREE(mask);
	return error;
}

int bench_pin_self(int cpu)
{
	return put_on(pthread_self(), &cpu, 1);
}

int bench_pin_thread(pthread_t thread, const struct bench_cpus *cpus, int n)
{
	return n < 0 ? put_on(thread, cpus->ids, cpus->count) : put_on(thread, &cpus->ids[n], 1);
}

int bench_pin_attributes(pthread_attr_t *attributes, int cpu)
{
	size_t bytes;
	cpu_set_t *mask = mask_of(&cpu, 1, &bytes);
	int error;

	if (mask == NULL)
		return ENOMEM;
	error = pthread_attr_setaffinity_np(attributes, bytes, mask);
	CPU_FREE(mask);
	return error;
}

int bench_pinned_thread(pthread_t *thread, int cpu, void *(*main)(void *), void *argument, struct bench_error *error)
{
	pthread_attr_t attributes;
	int reason = pthread_attr_init(&attributes);

	if (reason == 0) {
		reason = bench_pin_attributes(&attributes, cpu);
		if (reason == 0)
			reason = pthread_create(thread, &attributes, main, argument);
		pthread_attr_destroy(&attributes);
	}
	return reason == 0 ? 0 : bench_fail(error, "cannot start a thread on CPU %d: %s", cpu, strerror(reason));
}
