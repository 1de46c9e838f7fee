/* SPDX-License-Identifier: MIT */
/*
 * Pressure: do others take the CPUs that this process wants? Then the holder of
 * a lock, or the next in line, is likely to be off its CPU, and waiting awake
 * for it is in vain.
 */
#ifndef GUESTSYNC_DETECT_PRESSURE_H
#define GUESTSYNC_DETECT_PRESSURE_H

#include "detect/affinity.h"
#include "detect/facts.h"

/* What the CPUs have done since boot, in ns. */
struct gsync_usage {
	uint64_t busy;	 /* for anybody in this system */
	uint64_t idle;
	uint64_t stolen; /* taken by the host */
	uint64_t own;	 /* for this process */
	uint64_t throttled; /* kept from this process by its quotas: from the caller, who knows whether there are any */
	/*
	 * Spent, at most, until our threads that slept, for whatever reason, ran again: from the caller. Where
	 * a CPU has halted meanwhile the host has to find one for it, and what that takes the kernel calls
	 * stolen, too. It is the price of sleeping: who slept more because of it would only pay more.
	 */
	uint64_t waking;
	uint64_t switches; /* of threads, of all on all CPUs; 0 = unknown */
	uint64_t own_switches; /* of this process's: from the caller */
	uint64_t yields; /* of this process to others, and those that took longer than GSYNC_LONG_SLICE_NS: from the caller */
	uint64_t long_yields;
};

/* As long as this, or longer, runs one that never waits, once it has the CPU. */
#define GSYNC_LONG_SLICE_NS 1000000.0

/*
 * Of the MASK_COUNT CPUs in MASK, where the kernel tells them apart, else of all
 * (MASK_COUNT = 0: of all). False when /proc tells nothing. Allocates nothing.
 */
bool gsync_usage_read(const struct gsync_source *source, const struct gsync_cpu_mask *mask, int mask_count,
		      struct gsync_usage *out);

/* Percent of their time that others took, in this system or outside, while this process could have used it. */
uint32_t gsync_pressure_between(const struct gsync_usage *before, const struct gsync_usage *after);

/* What this process got of all that was used, in percent. */
uint32_t gsync_share_between(const struct gsync_usage *before, const struct gsync_usage *after);

/* What others do that take our CPUs. */
enum gsync_others {
	GSYNC_OTHERS_COMPETE,	/* or it is not known */
	GSYNC_OTHERS_USE_FORCE, /* a yield lets none but our own threads run, or that nobody yielded gained nothing */
	GSYNC_OTHERS_LEAVE_ONE, /* they answer our courtesy; about one CPU is left to us, and much of it went into switches */
};

/* Of the last looks. */
struct gsync_average {
	double value;
	uint32_t looks; /* that it is of; 0 = not known */
};

/*
 * Whether to be courteous: to yield the CPU to others who want it. Two programs
 * that both do so, such as two copies of one, waste nothing by waiting awake and
 * get half of the CPUs each; to one that does not, each yield gives a time slice
 * away; to one that takes CPUs by force it gives nothing. So whoever comes is met with
 * courtesy; where that is not answered for two looks in a row, it ends for a while,
 * and for longer each time. Unless that gains nothing: where they have as much without
 * our yields, and no more than is fair, they do not live on those, which go on then, for
 * a hundred looks.
 */
struct gsync_courtesy {
	uint32_t rude_looks;
	uint32_t refusal_ns; /* the last one */
	enum gsync_others others;
	uint32_t doubts; /* looks in a row in which it was not just about one CPU any more: one may be chance */
	/* Whether refusals gain anything. */
	struct gsync_average courted; /* percent that others had of what was used, while this process yielded */
	struct gsync_average refused; /* the same while it did not */
	uint32_t refused_looks; /* in this refusal, so far */
	uint32_t spared_looks;	/* so many are left in which nobody is refused */
};

#define GSYNC_REFUSAL_NS_MOST 4000000000u

/*
 * Who takes a CPU by force, as a real-time thread does, or the host, does not wait for it: a yield
 * gives it nothing. It shows in that yields come back quickly, though others have much of the CPUs.
 * Few yields, or none, tell nothing: false.
 */
bool gsync_yields_are_quick_between(const struct gsync_usage *before, const struct gsync_usage *after);

/*
 * Whether the courtesy of this time was answered: we got about a half, and others did not keep a CPU until
 * it was taken from them, or did so by force.
 */
bool gsync_is_answered_between(const struct gsync_usage *before, const struct gsync_usage *after);

/*
 * Judges what those others do, by a look NS after the one before. Few yields, or none, tell nothing new; but whether they
 * still leave us a CPU is seen without.
 */
void gsync_courtesy_judge_others(struct gsync_courtesy *courtesy, const struct gsync_usage *before,
				 const struct gsync_usage *after, double ns);

/* A look NS after the one before, while others are refused. */
void gsync_courtesy_watch_refused(struct gsync_courtesy *courtesy, const struct gsync_usage *before,
				  const struct gsync_usage *after, double ns);

/* ANSWERED: since the last look, during which this process yielded to others. For so long nobody should yield now. */
uint32_t gsync_courtesy_judge(struct gsync_courtesy *courtesy, bool answered);

/* The part of it that is our own doing: percent of the CPUs' time that this process's quotas kept from it. */
uint32_t gsync_throttling_between(const struct gsync_usage *before, const struct gsync_usage *after);

#endif
