/* SPDX-License-Identifier: MIT */
/*
 * Where a stage stands that went wrong: who is in which call on what, as the board
 * says, what the kernel says of that thread, and the words of all locks that
 * somebody is at. Those are in the memory of the stage's processes, and are read
 * from there; nothing of what hangs has to help.
 */
#include <guestsync/guestsync.h>

#include <inttypes.h>
#include <string.h>
#include <sys/uio.h>

#include "cli/torture.h"
#include "lib/pool.h"
#include "primitives/solo.h"

const char *const torture_call_words[TORTURE_CALLS] = {
	[TORTURE_AWAY] = "away",
	[TORTURE_THINKS] = "in no call",
	[TORTURE_HOLDS] = "holds",
	[TORTURE_LOCKS] = "in lock of",
	[TORTURE_TRIES] = "in trylock of",
	[TORTURE_LOCKS_TIMED] = "in timedlock of",
	[TORTURE_UNLOCKS] = "in unlock of",
	[TORTURE_WAITS] = "in wait at",
	[TORTURE_DESTROYS] = "in destroy of",
	[TORTURE_AWAITS_CHILD] = "waits for its forked child, holding",
	[TORTURE_SUBMITS] = "in submit to",
	[TORTURE_LOOPS] = "in a loop of",
	[TORTURE_SPAWNS] = "in spawn into",
	[TORTURE_AWAITS_GROUP] = "in wait for group",
	[TORTURE_SHUTS_DOWN] = "in shutdown of",
};

static pid_t process_of(const struct torture_board *board, const struct torture_actor *actor, const pid_t *processes)
{
	return processes[actor->index % board->processes];
}

static bool read_memory(pid_t process, const void *address, void *to, size_t size)
{
	struct iovec here = { to, size };
	struct iovec there = { .iov_len = size };

	/* An address of the other process: nothing here may write there. */
	memcpy(&there.iov_base, &address, sizeof(address));
	return process_vm_readv(process, &here, 1, &there, 1, 0) == (ssize_t)size;
}

/* ---- the kernel's view */

/* Its state, and the function that it sleeps in, as far as /proc tells. */
static void print_thread(FILE *out, pid_t process, pid_t thread)
{
	char state = torture_thread_state(process, thread), path[64], function[64] = "";
	FILE *file;

	if (state != 0)
		fprintf(out, ", state %c", state);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/wchan", (int)process, (int)thread);
	file = fopen(path, "re");
	if (file == NULL)
		return;
	if (fgets(function, sizeof(function), file) != NULL && strcmp(function, "0") != 0)
		fprintf(out, " in %s", function);
	fclose(file);
}

static void print_actor(FILE *out, const struct torture_board *board, const struct torture_actor *actor,
			const pid_t *processes)
{
	uint64_t now = __atomic_load_n(&board->watched_ns, __ATOMIC_RELAXED);
	uint32_t call = __atomic_load_n(&actor->call, __ATOMIC_RELAXED);
	pid_t thread = __atomic_load_n(&actor->tid, __ATOMIC_RELAXED);

	fprintf(out, "  thread %u", actor->index);
	if (thread != 0)
		fprintf(out, " (%d", (int)thread);
	if (thread != 0)
		print_thread(out, process_of(board, actor, processes), thread);
	fprintf(out, "%s: %s", thread != 0 ? ")" : "", torture_call_words[call < TORTURE_CALLS ? call : TORTURE_AWAY]);
	if (call >= TORTURE_HOLDS)
		fprintf(out, " %p", actor->object);
	if (call >= TORTURE_THINKS)
		fprintf(out, ", for %.2f s", (double)(now - actor->since) / TORTURE_S);
	fputc('\n', out);
}

/* ---- words */

static void print_lockword(FILE *out, gsync_lockword_t lock)
{
	static const struct {
		uint32_t bit;
		const char *meaning;
	} bits[] = {
		{ GSYNC_LOCKWORD_L_, "L locked" },
		{ GSYNC_SOLO, "A one runs alone" },
		{ 1u << 16, "W somebody may sleep" },
		{ 1u << 17, "H being handed over" },
		{ 1u << 18, "G granted" },
		{ GSYNC_MEASURED, "M measured" },
		{ 1u << 24, "S process-shared" },
	};
	const char *before = "";

	fprintf(out, "word %08" PRIx32 " (", lock.word);
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		if ((lock.word & bits[i].bit) != 0) {
			fprintf(out, "%s%s", before, bits[i].meaning);
			before = ", ";
		}
	if ((lock.byte[1] & 0x7fu) != 0)
		fprintf(out, "%sP guard of process mark %u", before, lock.byte[1] & 0x7fu);
	fputc(')', out);
}

static void print_oticket(FILE *out, const gsync_oticket_t *lock)
{
	fprintf(out, "next %" PRIu32 ", serving %" PRIu32, lock->next, lock->serving);
	for (unsigned i = 0; i < GSYNC_OTICKET_TURNS_; i++)
		fprintf(out, "; turn %u: %u rounds, %u sleepers, gone %08" PRIx32, i, (unsigned)(lock->turn[i] >> 44),
			(unsigned)(lock->turn[i] >> 32 & 0xfff), (uint32_t)lock->turn[i]);
	fprintf(out, "; flags %" PRIu32, lock->flags);
}

static void print_barrier(FILE *out, const gsync_barrier_t *barrier)
{
	fprintf(out, "phase %" PRIu64 ", %u of %" PRIu32 " arrived, %u leaving%s%s", barrier->state >> 33,
		(unsigned)(barrier->state & 0xffff), barrier->count, (unsigned)(barrier->state >> 16 & 0x7fff),
		(barrier->state >> 32 & 1) != 0 ? ", sleepers" : "",
		(barrier->state >> 31 & 1) != 0 ? ", awaited by destroy" : "");
}

static void print_pool(FILE *out, const struct gsync_pool *pool)
{
	fprintf(out, "crew %016" PRIx64 ", event %" PRIu32 ", open loops %016" PRIx64 ", %" PRIu32
		" threads started, %zu tasks queued, closing %" PRIu32,
		pool->crew, pool->event, pool->open, pool->started, pool->queue.count, pool->closing);
}

static void print_bytes(FILE *out, const unsigned char *bytes, size_t size)
{
	fputs("bytes", out);
	for (size_t i = 0; i < size; i++)
		fprintf(out, "%s%02x", i % 4 == 0 ? " " : "", bytes[i]);
}

static void print_object(FILE *out, const struct torture_subject *subject, pid_t process, const void *address)
{
	union {
		struct bench_object object;
		gsync_mutex_t mutex;
		gsync_oticket_t oticket;
		gsync_barrier_t barrier;
		struct gsync_pool pool;
	} copy;
	bool pool = subject->lock == NULL && subject->barrier == NULL;
	size_t size = pool ? sizeof(copy.pool) : subject->lock != NULL ? subject->lock->size : subject->barrier->size;

	fprintf(out, "  %s %p: ", subject->name, address);
	if (!read_memory(process, address, &copy, size))
		fputs("cannot be read", out);
	else if (pool)
		print_pool(out, &copy.pool);
	else if (subject->lock == &bench_gsync_spin || subject->lock == &bench_gsync_mutex)
		print_lockword(out, copy.mutex.lock);
	else if (subject->lock == &bench_gsync_oticket)
		print_oticket(out, &copy.oticket);
	else if (subject->barrier == &bench_gsync_barrier)
		print_barrier(out, &copy.barrier);
	else
		print_bytes(out, copy.object.bytes, size);
	fputc('\n', out);
}

/* ---- all of it */

static bool is_at_one(const struct torture_actor *actor)
{
	uint32_t call = __atomic_load_n(&actor->call, __ATOMIC_RELAXED);

	return call >= TORTURE_HOLDS && actor->object != NULL && call != TORTURE_SPAWNS && call != TORTURE_AWAITS_GROUP;
}

/* Whether nobody before ACTOR was at the same, in the same process. */
static bool is_first(const struct torture_board *board, const struct torture_actor *actor)
{
	for (const struct torture_actor *other = board->cast; other < actor; other++)
		if (is_at_one(other) && other->object == actor->object)
			return false;
	return true;
}

void torture_state_print(FILE *out, const struct torture_board *board, const pid_t *processes)
{
	for (unsigned i = 0; i < board->actors; i++)
		print_actor(out, board, &board->cast[i], processes);
	for (unsigned i = 0; i < board->actors; i++) {
		const struct torture_actor *actor = &board->cast[i];

		if (is_at_one(actor) && is_first(board, actor))
			print_object(out, board->subject, process_of(board, actor, processes), actor->object);
	}
}
