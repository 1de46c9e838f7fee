/* SPDX-License-Identifier: MIT */
/*
 * Pressure, read off what the CPUs have done between two looks at /proc/stat:
 * how much of their time others took, in this system or outside it, while
 * nothing was left over. What our own threads take from each other is none: that
 * is a crowd, which the locks see for themselves.
 */
#include "detect/pressure.h"

#include "detect/clock.h"
#include "detect/text.h"

#define TEXT_SIZE 6144

_Static_assert(TEXT_SIZE <= GSYNC_SCRATCH_SIZE, "the text has room");

#define NS_PER_TICK 10000000u /* USER_HZ is 100 on every machine we know */
#define IDLE_ENOUGH_PERCENT 25 /* from there on nobody waits for a CPU for long */

/* Adds the CPU line that goes on at AT. */
static bool add_line(const char *at, struct gsync_usage *out)
{
	uint64_t ticks[GSYNC_CPU_FIELDS];

	if (!gsync_cpu_fields_parse(at, ticks))
		return false;
	for (int field = 0; field < GSYNC_CPU_FIELDS; field++) {
		uint64_t ns = ticks[field] * NS_PER_TICK;

		if (field == GSYNC_CPU_STEAL)
			out->stolen += ns;
		else if (field == GSYNC_CPU_IDLE || field == GSYNC_CPU_IOWAIT)
			out->idle += ns;
		else
			out->busy += ns;
	}
	return true;
}

/* Sums the lines "cpuN …" of the CPUs in MASK; returns how many there are. */
static int add_cpus(const char *text, const struct gsync_cpu_mask *mask, struct gsync_usage *out)
{
	int found = 0;

	while ((text = strstr(text, "\ncpu"))) {
		uint64_t cpu;

		text += strlen("\ncpu");
		if (*text >= '0' && *text <= '9' && gsync_text_number(&text, &cpu) && cpu < GSYNC_CPUS_MAX &&
		    gsync_mask_has(mask, (unsigned)cpu) && strchr(text, '\n') && add_line(text, out))
			found++;
	}
	return found;
}

/* 0 where the text was cut off before: it stands behind a line as long as the machine has interrupts. */
static uint64_t count_switches(const char *text)
{
	const char *at = strstr(text, "\nctxt ");
	uint64_t switches;

	if (!at)
		return 0;
	at += strlen("\nctxt ");
	return gsync_text_number(&at, &switches) && *at == '\n' ? switches : 0;
}

static bool read_usage(const struct gsync_source *source, const struct gsync_cpu_mask *mask, int mask_count,
		       struct gsync_usage *out, char *text)
{
	struct timespec own;

	memset(out, 0, sizeof(*out));
	if (!gsync_text_read(source, "/proc/stat", text, TEXT_SIZE) || !gsync_text_starts(text, "cpu "))
		return false;
	/* Where not all lines are to be had, the sum over all CPUs is the next best. */
	if (mask_count == 0 || add_cpus(text, mask, out) != mask_count) {
		memset(out, 0, sizeof(*out));
		if (!add_line(text + strlen("cpu "), out))
			return false;
	}
	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own) != 0)
		return false;
	out->own = gsync_timespec_ns(&own);
	out->switches = count_switches(text);
	return true;
}

/* Not inlined: who brings scratch must not need the stack as well. */
static __attribute__((noinline)) bool read_usage_on_stack(const struct gsync_source *source,
							  const struct gsync_cpu_mask *mask, int mask_count,
							  struct gsync_usage *out)
{
	char text[TEXT_SIZE];

	return read_usage(source, mask, mask_count, out, text);
}

bool gsync_usage_read(const struct gsync_source *source, const struct gsync_cpu_mask *mask, int mask_count,
		      struct gsync_usage *out)
{
	if (source->scratch)
		return read_usage(source, mask, mask_count, out, source->scratch);
	return read_usage_on_stack(source, mask, mask_count, out);
}

/* Counters may be set back: by a suspend, by a CPU that went away. */
static double since(uint64_t before, uint64_t after)
{
	return after > before ? (double)(after - before) : 0;
}

static double larger(double a, double b)
{
	return a > b ? a : b;
}

static double all_between(const struct gsync_usage *before, const struct gsync_usage *after)
{
	return since(before->busy, after->busy) + since(before->idle, after->idle) + since(before->stolen, after->stolen);
}

/* A quota that is used up stops some of our CPUs before the others: what we wait for stands still, too. */
static double throttled_share(const struct gsync_usage *before, const struct gsync_usage *after)
{
	double throttled = since(before->throttled, after->throttled);
	double all = all_between(before, after);

	return throttled < all ? throttled / all : all > 0;
}

uint32_t gsync_throttling_between(const struct gsync_usage *before, const struct gsync_usage *after)
{
	return (uint32_t)(throttled_share(before, after) * 100);
}

uint32_t gsync_share_between(const struct gsync_usage *before, const struct gsync_usage *after)
{
	double busy = since(before->busy, after->busy);
	double own = since(before->own, after->own);

	return busy > own ? (uint32_t)(own / busy * 100) : 100;
}

/* What others had of the CPUs. The system's time is counted in ticks, ours exactly. */
static double others_between(const struct gsync_usage *before, const struct gsync_usage *after)
{
	double busy = since(before->busy, after->busy);
	double own = since(before->own, after->own);

	return busy > own ? busy - own : 0;
}

/*
 * One that never waits runs until its time slice is over, some milliseconds; of those
 * who do wait the slices are as short as ours, on average, or nearly so.
 */
#define LONG_SLICES 4.0 /* times ours */

static bool keeps_cpus(const struct gsync_usage *before, const struct gsync_usage *after)
{
	double own = since(before->own, after->own);
	double own_switches = since(before->own_switches, after->own_switches);
	double switches = since(before->switches, after->switches);
	double foreign = others_between(before, after);

	if (switches <= 0)
		return false;
	switches = switches > own_switches ? switches - own_switches : 0;
	return foreign > GSYNC_LONG_SLICE_NS * switches && foreign * own_switches > LONG_SLICES * own * switches;
}

#define QUICK_OF 4.0 /* yields are quick if no more than one of so many was not */
#define YIELDS_ENOUGH 16.0

bool gsync_yields_are_quick_between(const struct gsync_usage *before, const struct gsync_usage *after)
{
	double yields = since(before->yields, after->yields);

	return yields >= YIELDS_ENOUGH && yields >= QUICK_OF * since(before->long_yields, after->long_yields);
}

/* A copy of ours leaves us a half, one that never waits a third or less, unless many of ours want to run. */
#define FAIR_PERCENT 42u

bool gsync_is_answered_between(const struct gsync_usage *before, const struct gsync_usage *after)
{
	return gsync_share_between(before, after) >= FAIR_PERCENT &&
	       (!keeps_cpus(before, after) || gsync_yields_are_quick_between(before, after));
}

/*
 * Whether we got about one CPU, and others in this system the rest: of what the host took, or nobody, more threads of ours
 * may still get more.
 */
#define ONE_CPU_LEAST 0.75
#define ONE_CPU_MOST 1.25
#define FOREIGN_PERCENT 25
#define REST_PERCENT 20 /* a tick of one of two CPUs within a look is 12 */

static bool is_one_cpu(const struct gsync_usage *before, const struct gsync_usage *after, double ns)
{
	double own = since(before->own, after->own);
	double rest = since(before->idle, after->idle) + since(before->stolen, after->stolen);
	double all = all_between(before, after);

	return own >= ONE_CPU_LEAST * ns && own <= ONE_CPU_MOST * ns &&
	       others_between(before, after) * 100 >= all * FOREIGN_PERCENT && rest * 100 <= all * REST_PERCENT &&
	       since(before->switches, after->switches) > 0 && gsync_is_answered_between(before, after);
}

/* A switch of threads takes some 4 us, with what it does to the caches: so many cost a fifteenth of our time. */
#define NS_PER_SWITCH_MOST 60000.0

static bool switches_are_dear(const struct gsync_usage *before, const struct gsync_usage *after)
{
	return since(before->own_switches, after->own_switches) * NS_PER_SWITCH_MOST >= since(before->own, after->own);
}

/*
 * Who takes a CPU by force comes and goes as it likes, with or without our yields. That yields come back quickly tells
 * of it only where few of our own threads wait for a CPU: where many do, each yield lets them run first.
 */
#define GAIN_PERCENT 15
#define AVERAGED_LOOKS 8u
#define REFUSED_LOOKS_LEAST 2u
#define SPARED_LOOKS 100u
#define GAP_NS 250000000.0 /* longer between two looks: nobody waited for a lock, so others may have had what nobody wanted */

static bool note_share_of_others(struct gsync_average *average, const struct gsync_usage *before,
				 const struct gsync_usage *after, double ns)
{
	if (ns > GAP_NS)
		return false;
	if (average->looks < AVERAGED_LOOKS)
		average->looks++;
	average->value += (100.0 - gsync_share_between(before, after) - average->value) / average->looks;
	return true;
}

void gsync_courtesy_watch_refused(struct gsync_courtesy *courtesy, const struct gsync_usage *before,
				  const struct gsync_usage *after, double ns)
{
	courtesy->refused_looks += note_share_of_others(&courtesy->refused, before, after, ns);
}

static bool gains_little(const struct gsync_courtesy *courtesy)
{
	return courtesy->courted.looks > 0 && courtesy->courted.value <= 100 - FAIR_PERCENT &&
	       courtesy->refused.value * 100 >= courtesy->courted.value * (100 - GAIN_PERCENT);
}

/* Whether nobody is to be refused for now. */
static bool are_spared(struct gsync_courtesy *courtesy)
{
	if (courtesy->spared_looks > 0)
		courtesy->spared_looks--;
	if (courtesy->refused_looks >= REFUSED_LOOKS_LEAST)
		courtesy->spared_looks = SPARED_LOOKS;
	courtesy->refused_looks = 0;
	if (!gains_little(courtesy))
		courtesy->spared_looks = 0;
	return courtesy->spared_looks > 0;
}

#define DOUBTS_MOST 2u

void gsync_courtesy_judge_others(struct gsync_courtesy *courtesy, const struct gsync_usage *before,
				 const struct gsync_usage *after, double ns)
{
	bool one_cpu = is_one_cpu(before, after, ns);
	bool yielded = since(before->yields, after->yields) >= YIELDS_ENOUGH;

	if (yielded)
		note_share_of_others(&courtesy->courted, before, after, ns);
	/* On a CPU that is left to us yields are quick, too, and few. */
	if (courtesy->others == GSYNC_OTHERS_LEAVE_ONE) {
		courtesy->doubts = one_cpu ? 0 : courtesy->doubts + 1;
		if (courtesy->doubts >= DOUBTS_MOST)
			courtesy->others = GSYNC_OTHERS_COMPETE;
	} else if (gsync_yields_are_quick_between(before, after)) {
		courtesy->others = GSYNC_OTHERS_USE_FORCE;
	} else if (yielded) {
		one_cpu = one_cpu && switches_are_dear(before, after);
		courtesy->others = one_cpu ? GSYNC_OTHERS_LEAVE_ONE : GSYNC_OTHERS_COMPETE;
		courtesy->doubts = 0;
	}
	if (are_spared(courtesy) && courtesy->others == GSYNC_OTHERS_COMPETE)
		courtesy->others = GSYNC_OTHERS_USE_FORCE;
}

#define RUDE_LOOKS 2u
#define REFUSAL_NS 160000000u

uint32_t gsync_courtesy_judge(struct gsync_courtesy *courtesy, bool answered)
{
	if (answered || courtesy->spared_looks > 0) {
		courtesy->rude_looks = 0;
		courtesy->refusal_ns /= 2;
		return 0;
	}
	if (++courtesy->rude_looks < RUDE_LOOKS)
		return 0;
	courtesy->rude_looks = 0;
	if (courtesy->refusal_ns < REFUSAL_NS)
		courtesy->refusal_ns = REFUSAL_NS;
	else
		courtesy->refusal_ns = courtesy->refusal_ns < GSYNC_REFUSAL_NS_MOST / 2 ? courtesy->refusal_ns * 2 :
											  GSYNC_REFUSAL_NS_MOST;
	return courtesy->refusal_ns;
}

/* The part of their time that others in this system took, while this process could have used it. */
static uint32_t foreign_between(const struct gsync_usage *before, const struct gsync_usage *after)
{
	double all = all_between(before, after);
	double foreign = others_between(before, after);
	double spare;

	if (all <= 0)
		return 0;
	/* A CPU that idles would take whoever waits for one. */
	spare = since(before->idle, after->idle) * 100 / IDLE_ENOUGH_PERCENT / all;
	return spare < 1 ? (uint32_t)(foreign * (1 - spare) / all * 100) : 0;
}

/* What the host took, but for what it took to wake us: no more than the CPUs idled, which they do before they halt. */
static double stolen_between(const struct gsync_usage *before, const struct gsync_usage *after)
{
	double stolen = since(before->stolen, after->stolen);
	double waking = since(before->waking, after->waking);
	double idle = since(before->idle, after->idle);

	if (waking > idle)
		waking = idle;
	return stolen > waking ? stolen - waking : 0;
}

uint32_t gsync_pressure_between(const struct gsync_usage *before, const struct gsync_usage *after)
{
	double busy = since(before->busy, after->busy);
	double stolen = stolen_between(before, after);
	uint32_t foreign = foreign_between(before, after);
	/* What the host takes is gone, whether a CPU idles or not. */
	uint32_t gone;

	if (all_between(before, after) <= 0)
		return 0;
	gone = (uint32_t)(larger(stolen > 0 ? stolen / (busy + stolen) : 0, throttled_share(before, after)) * 100);
	return foreign > gone ? foreign : gone;
}
