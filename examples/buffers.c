/* SPDX-License-Identifier: MIT */
/*
 * Memory that is kept: the same work with its pieces allocated and freed one by
 * one, and with one buffer for as many threads as are at work, used again by each
 * job. Memory that is given back to the kernel must be taken from the TLBs of all
 * CPUs that the process runs on, and each of its pages is a fault when it comes
 * back.
 */
#include <guestsync/mutex.h>
#include <guestsync/parallel.h>

#include <stdio.h>
#include <stdlib.h>

#include "dedup/cost.h"

#define JOBS 48u
#define PIECES 100u
#define PIECE 130048u /* just too small for malloc to map it by itself, in glibc */
#define STEP 4096u /* of a piece only each page is touched: its memory is what this is about */
#define BUFFERS_MAX 1024u

static const gsync_loop_options_t one_by_one = { 1, GSYNC_LOOP_EAGER };

/* What there is to do with a piece. */
static uint64_t work_on(unsigned char *piece, size_t job)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < PIECE; i += STEP) {
		piece[i] = (unsigned char)(i / STEP + job);
		sum += *(volatile unsigned char *)&piece[i];
	}
	return sum;
}

/* ---- piece by piece */

static void job_with_pieces(size_t job, uint64_t *sum)
{
	unsigned char *pieces[PIECES];

	for (unsigned i = 0; i < PIECES; i++) {
		pieces[i] = malloc(PIECE);
		if (pieces[i])
			*sum += work_on(pieces[i], job);
	}
	for (unsigned i = PIECES; i-- > 0;)
		free(pieces[i]);
}

/* ---- a buffer that is kept */

/* Never more than threads that were at work at the same time. */
static struct {
	gsync_mutex_t mutex;
	unsigned count;
	unsigned char *free[BUFFERS_MAX];
} buffers;

static unsigned char *take_buffer(void)
{
	unsigned char *buffer = NULL;

	gsync_mutex_lock(&buffers.mutex);
	if (buffers.count > 0)
		buffer = buffers.free[--buffers.count];
	gsync_mutex_unlock(&buffers.mutex);
	return buffer ? buffer : malloc((size_t)PIECES * PIECE);
}

static void keep_buffer(unsigned char *buffer)
{
	gsync_mutex_lock(&buffers.mutex);
	if (buffers.count < BUFFERS_MAX) {
		buffers.free[buffers.count++] = buffer;
		buffer = NULL;
	}
	gsync_mutex_unlock(&buffers.mutex);
	free(buffer);
}

static void job_with_buffer(size_t job, uint64_t *sum)
{
	unsigned char *buffer = take_buffer();

	if (!buffer)
		return;
	for (unsigned i = 0; i < PIECES; i++)
		*sum += work_on(buffer + (size_t)i * PIECE, job);
	keep_buffer(buffer);
}

/* ---- both */

struct way {
	const char *name;
	void (*job)(size_t job, uint64_t *sum);
};

static void add(void *context, size_t begin, size_t end, void *sum)
{
	const struct way *way = context;

	for (size_t job = begin; job < end; job++)
		way->job(job, sum);
}

static void join(void *context, void *sum, const void *later)
{
	(void)context;
	*(uint64_t *)sum += *(const uint64_t *)later;
}

static uint64_t run(struct way way)
{
	static const uint64_t zero = 0;
	static const gsync_reduction_t sum_of_jobs = { sizeof(uint64_t), &zero, add, join };
	struct cost cost;
	uint64_t sum = 0;

	cost_begin(&cost);
	gsync_parallel_reduce(NULL, JOBS, &sum_of_jobs, &way, &sum, &one_by_one);
	cost_end(&cost);
	printf("%s:\n", way.name);
	cost_print(&cost, stdout);
	return sum;
}

int main(void)
{
	uint64_t pieces = run((struct way){ "each piece allocated and freed", job_with_pieces });
	uint64_t kept = run((struct way){ "one buffer for each thread at work, kept", job_with_buffer });

	while (buffers.count > 0)
		free(buffers.free[--buffers.count]);
	return kept == pieces ? 0 : 1;
}
