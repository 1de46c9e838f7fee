/* SPDX-License-Identifier: MIT */
/*
 * guestsync torture: everything that may happen to a lock, at random, while it
 * is watched.
 *
 *   torture.c         what is asked for, which stages that makes, what is said
 *   torture_watch.c   one stage: a supervisor, and the processes that it watches
 *   torture_state.c   what it prints when a stage goes wrong
 *   torture_cast.c    threads that come and go, are signalled and moved
 *   torture_actor.c   what a thread tells of itself, and how it draws
 *   torture_crowd.c, _line.c, _ends.c, _phases.c, _pool.c    the acts
 *
 * A stage is a subject, which is a lock, a barrier or the pool, in an act. It is
 * played by threads, the actors, in a process of its own, or in several; so what
 * crashes or hangs is the stage, not the command. Actors and supervisor share a
 * board. On it each actor says which call it is in and until when that is to
 * return; the supervisor looks, and stops and continues the processes meanwhile.
 *
 * Watched time. What bounds a call is not the clock on the wall: the machine may
 * be overcommitted, this process stopped for minutes, or the guest frozen. So the
 * supervisor counts time itself, in short steps from look to look, each with an
 * upper bound, and only while no process of the stage is stopped. Where actors want
 * the CPUs, a step counts as far as they have got them: others may have had them. A
 * call fails that takes longer than its bound of time so counted.
 *
 * Calm. A signal, or to be stopped and continued, ends a sleep, and so mends what a
 * lost wake-up has done. So half of the time nobody is interrupted, nor while
 * somebody is in a call for suspiciously long.
 *
 * Each thread draws from a sequence of its own, which the seed, the stage, and the
 * thread's place in it make; so the same seed lets each do the same again. When
 * who runs is not drawn, but the kernel's choice.
 */
#ifndef GUESTSYNC_CLI_TORTURE_H
#define GUESTSYNC_CLI_TORTURE_H

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>

#include "bench/error.h"
#include "bench/locks.h"

#define TORTURE_ACTORS_MIN 3u
#define TORTURE_ACTORS_MAX 64u
#define TORTURE_SITES 3u
#define TORTURE_PROCESSES 3u /* no more than actors */
#define TORTURE_PROCESSES_MOST 6u

#define TORTURE_MS 1000000u
#define TORTURE_S 1000000000u

/* ---- what is played */

/* A lock, or a barrier, or neither: then the pool. */
struct torture_subject {
	const char *name;
	const struct bench_lock *lock;
	const struct bench_barrier *barrier;
};

struct torture_board;
struct torture_actor;

struct torture_act {
	const char *name;
	bool in_processes; /* several, on the same memory */
	unsigned cast;	   /* so many actors are started; 0 = all; the others are the act's to use */
	bool (*suits)(const struct torture_subject *subject);
	void (*prepare)(struct torture_board *board); /* before the actors come, in the first process */
	/* A life of an actor's. Unless its part is DONE then, another thread goes on with it. */
	void (*play)(struct torture_actor *self);
	void (*check)(struct torture_board *board); /* when all have gone; there, too; or NULL */
};

/* In the order in which they are played; ends with NULL. */
extern const struct torture_act *const torture_acts[];
extern const struct torture_act torture_crowd, torture_processes, torture_line, torture_ends, torture_phases,
	torture_barrier_ends, torture_barrier_processes, torture_pool;

/* ---- what has happened */

enum torture_event {
	TORTURE_ACQUIRED,
	TORTURE_REFUSED,
	TORTURE_TIMED_OUT,
	TORTURE_LINED_UP,
	TORTURE_PASSED,
	TORTURE_FREED,
	TORTURE_TASKS,
	TORTURE_POOLS,
	TORTURE_FULL,
	TORTURE_NESTED,
	TORTURE_ISOLATED,
	TORTURE_LOOPED,
	TORTURE_CANCELLED,
	TORTURE_DROPPED,
	TORTURE_TURNED_AWAY,
	TORTURE_LULLS,
	TORTURE_RESIZED,
	TORTURE_FORKED,
	TORTURE_THREADS,
	TORTURE_SIGNALLED,
	TORTURE_MOVED,
	TORTURE_STOPPED,
	TORTURE_EVENTS,
};

struct torture_event_words {
	const char *name;  /* for programs */
	const char *words; /* for people */
};

extern const struct torture_event_words torture_event_words[TORTURE_EVENTS];

/* ---- the board */

/* What an actor is at. Those up to TORTURE_HOLDS have no bound. */
enum torture_call {
	TORTURE_AWAY,
	TORTURE_THINKS,
	TORTURE_HOLDS,
	TORTURE_LOCKS,
	TORTURE_TRIES,
	TORTURE_LOCKS_TIMED,
	TORTURE_UNLOCKS,
	TORTURE_WAITS,
	TORTURE_DESTROYS,
	TORTURE_AWAITS_CHILD,
	TORTURE_SUBMITS,
	TORTURE_LOOPS,
	TORTURE_SPAWNS,
	TORTURE_AWAITS_GROUP,
	TORTURE_SHUTS_DOWN,
	TORTURE_CALLS,
};

struct torture_actor {
	/* read by the supervisor; each change is one of SEQUENCE, too, which is odd meanwhile */
	alignas(BENCH_LINE) uint32_t sequence;
	uint32_t call;
	uint64_t since, limit; /* in watched ns */
	const void *object;
	pid_t tid;
	clockid_t cpu_clock; /* of its CPU time */
	uint32_t ended; /* its thread is to be joined */

	/* its own */
	alignas(BENCH_LINE) struct torture_board *board;
	unsigned index;
	bool done; /* with its part */
	uint64_t random;
	uint64_t episode; /* phases of a barrier, or lives of a pool, that it knows */
	uint64_t longest; /* call, in watched ns */
	uint64_t events[TORTURE_EVENTS];
	uint64_t entered[TORTURE_SITES]; /* how often it was in each site's lock */
};

/* A lock, and what it protects. */
struct torture_site {
	struct bench_object object;
	alignas(BENCH_LINE) volatile uint64_t owner; /* 1 + the actor's index; plain: the lock must order it */
	volatile uint64_t counter;
	struct bench_node nodes[TORTURE_ACTORS_MAX][2];
};

/* Where the phases of a barrier are played: torture_phases.c. */
struct torture_hall {
	struct bench_object barriers[2];
	struct bench_node nodes[TORTURE_ACTORS_MAX];
	uint64_t arrived[TORTURE_ACTORS_MAX][2]; /* the phase */
	uint64_t serial[TORTURE_ACTORS_MAX][2];
	uint64_t last[2]; /* the phase after which all leave; written by actor 0 before it arrives */
	uint64_t replaced[2]; /* the last phase of the barrier that was here before */
};

struct torture_board {
	/* fixed */
	const struct torture_subject *subject;
	const struct torture_act *act;
	uint64_t seed; /* this stage's */
	uint64_t bound_ns, late_ns;
	unsigned actors;
	unsigned processes;
	struct torture_site *sites; /* SHARED_SITES, or memory of the one process */

	/* the supervisor's */
	alignas(BENCH_LINE) uint64_t watched_ns;
	uint32_t stop;
	uint32_t calm; /* nobody is to be interrupted */

	/* everybody's */
	alignas(BENCH_LINE) uint32_t failing; /* 0; 1: somebody writes the FAILURE; 2: it is written */
	char failure[300];
	uint32_t ready;	   /* the first process has prepared the stage */
	uint32_t finished; /* processes without actors */
	uint32_t lull;	   /* torture_crowd.c */
	uint64_t events[TORTURE_EVENTS]; /* of those who are no actors */
	struct torture_actor cast[TORTURE_ACTORS_MAX];
	struct torture_site shared_sites[TORTURE_SITES];
	struct torture_hall hall;
};

/* ---- torture_actor.c */

/* Those of this process; NULL in threads that are no actors. */
extern struct torture_board *torture_board;
extern _Thread_local struct torture_actor *torture_self;

/* Says what is wrong, once for all, and never returns: everything stays as it is, to be looked at. */
_Noreturn void torture_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What an actor is at, and what object of. */
struct torture_place {
	uint32_t call;
	const void *object;
};

/*
 * The calling actor, if it is one, enters a call on OBJECT that is to return within
 * the bound, or that after PATIENCE_NS. Returns what it was at, for torture_leave().
 */
struct torture_place torture_enter(enum torture_call call, const void *object);
struct torture_place torture_enter_timed(enum torture_call call, const void *object, uint64_t patience_ns);
void torture_leave(struct torture_place outer);

/* The stage is over: who plays ends. */
static inline bool torture_is_over(void)
{
	return __atomic_load_n(&torture_board->stop, __ATOMIC_RELAXED) != 0;
}

/* A number below BELOW; also in threads that are no actors. */
uint32_t torture_draw(uint32_t below);

void torture_note(enum torture_event event);

/* Nothing, or a moment, or some milliseconds, at random: on the CPU, off it, or asleep. */
void torture_linger(void);
void torture_sleep(uint64_t ns);

/* Between some time in the past and 5 ms from now; PATIENCE_NS: how far ahead. */
struct timespec torture_deadline(uint64_t *patience_ns);

/* What the kernel says that a thread does: R runs, S sleeps, T is stopped …; 0 = it does not say. */
char torture_thread_state(pid_t process, pid_t thread);

/* Memory whose end is noticed: what touches it afterwards crashes, or AddressSanitizer tells. Zeroed. */
void *torture_new(size_t size, bool *mapped);
void torture_free(void *memory, size_t size, bool mapped);

/* An unlocked lock; ticket locks of ours begin where their counters are about to wrap. */
void torture_make_lock(struct bench_object *object);

/* With their bounds, and the rules for what they return. */
void torture_lock(struct bench_object *object, struct bench_node *node);
bool torture_trylock(struct bench_object *object, struct bench_node *node);
bool torture_timedlock(struct bench_object *object, struct bench_node *node);
void torture_unlock(struct bench_object *object, struct bench_node *node);
void torture_destroy_lock(struct bench_object *object);

/* A barrier for all actors; it may be destroyed as soon as a wait has returned. */
void torture_make_barrier(struct bench_object *object);
bool torture_pass_barrier(struct bench_object *object, struct bench_node *node);
void torture_destroy_barrier(struct bench_object *object);

bool torture_has_timedlock(const struct bench_lock *lock);

/* ---- torture_cast.c */

/* Plays the part of the stage that is the process's of that INDEX, until the end. */
void torture_cast_run(struct torture_board *board, unsigned index);

/* ---- torture_watch.c */

struct torture_stage {
	const struct torture_subject *subject;
	const struct torture_act *act;
	unsigned round;
	bool thief;
};

struct torture_plan {
	uint64_t seed;
	unsigned threads;
	double seconds; /* of a stage */
	double bound_s; /* of a call */
	FILE *log;	/* where the state is told when a stage goes wrong */
	void (*tick)(void *context, const struct torture_stage *stage, double seconds);
	void *context;
};

struct torture_result {
	double seconds; /* in which it was watched */
	double longest_ms;
	uint64_t events[TORTURE_EVENTS];
	char failure[400]; /* "" = none */
};

/* Whether that can be played in this build, too. */
bool torture_suits(const struct torture_act *act, const struct torture_subject *subject);

/* Returns 0 with a RESULT, or -1 where it could not be played, or was interrupted. */
int torture_stage_play(const struct torture_stage *stage, const struct torture_plan *plan,
		       struct torture_result *result, struct bench_error *error);

/* ---- torture_state.c */

/* As in "thread 3: … OBJECT". */
extern const char *const torture_call_words[TORTURE_CALLS];

/* Everything that shows where a stage stands, its PROCESSES still there. */
void torture_state_print(FILE *out, const struct torture_board *board, const pid_t *processes);

#endif
