/* SPDX-License-Identifier: MIT */
/*
 * Publishing the profile, and keeping it true.
 *
 * Whoever writes has claimed the process's only right to (claim). Published
 * profiles stand in slots that are used in turn; a slot that was published
 * before is written again only after a grace period, when no reader can still
 * be in it. The first rounds of slots cost none, and few processes see so many
 * changes in their lives.
 *
 * What is looked at, while waiters come by: every look_ns what the CPUs have
 * done (pressure), every sixth time which CPUs we may use.
 */
#include "detect/tuning.h"

#include "detect/facts.h"
#include "detect/manners.h"
#include "detect/override.h"
#include "detect/pressure.h"
#include "detect/process.h"
#include "detect/source.h"

#include <guestsync/profile.h>

#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SLOTS 8
#define LOOKS_PER_CPUS 6u
#define TURN_NS 1000000u
#define BETWEEN_LOOKS_NS 25 /* sooner it only disturbs the holder */
#define FIRST_LOOKS 8
#define BARE_LOOK_NS 10 /* one that does nothing else, where it is emulated */
#define SLOW_YIELD_NS 500000u
#define RECESS_NS 10000000u /* until pressure has been noticed, from where on other rules hold */
#define THROTTLED_NS 400000000u /* some periods of a quota */
#define BLIND_RECESS_NS 100000000u /* where it cannot be */

/* In ns: the spin loops read CLOCK_MONOTONIC until the counter has proved itself. */
const struct gsync_published gsync_untuned = {
	.tuning = {
		.spin = 20000,
		.pressed_spin = 20000,
		.spin_floor = 20000,
		.woken_spin = 1000000000,
		.near = 20000,
		.fair = 250000,
		.crowd_turn = 62500,
		.yield = 200000,
		.barrier = 20000,
		.pool = 20000,
		.share = 40000,
		.range = 10000,
		.slow_yield = SLOW_YIELD_NS,
		.yield_recess = BLIND_RECESS_NS,
		.throttled_most = THROTTLED_NS,
		.rude_most = GSYNC_REFUSAL_NS_MOST,
		.repair_ns = 2000000,
		.turn_ns = TURN_NS,
		.ticks_per_ns = 1,
		.pauses = 1,
		.backoff = 4,
		.first_looks = FIRST_LOOKS,
		.eager = 1,
		.barrier_yields = 100,
		.usable_cpus = 2,
		.whole_cpus = 1,
	},
};

struct gsync_live gsync_live = { .published = &gsync_untuned, .first_looks = FIRST_LOOKS };

/* ---- what only the claimant touches */

static struct gsync_published slots[SLOTS];
static uint64_t published_count;
static struct gsync_conditions conditions;
static struct gsync_cpu_mask mask;
static int mask_count;
static struct gsync_usage usage;
static uint64_t usage_at; /* in ticks; 0 = never */
static struct gsync_courtesy courtesy;
static bool has_quota;
static uint64_t looks;
static bool blind; /* /proc tells nothing of the CPUs */

/* Whoever waits may have a stack of 16 KB, of which libc and its lazy binding take a part: long texts stand elsewhere. */
static struct gsync_source machine(void)
{
	static char scratch[GSYNC_SCRATCH_SIZE];
	struct gsync_source source = gsync_override_quiet() ? gsync_source_quiet : gsync_source_machine;

	source.scratch = scratch;
	return source;
}

/* Not sched_yield(): under a real-time policy that would keep the one we wait for off this CPU for good. */
static void wait_a_moment(void)
{
	struct timespec moment = gsync_timespec(100000);

	clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL);
}

/* ---- the claim */

/*
 * 1 = claimed. A child that was forked meanwhile finds it free: the claimant is
 * not among its threads. Where no word is to be had that fork clears, the handler
 * of fork does it. Which of the two it is, is decided once.
 */
static uint32_t plain_claim;

static uint32_t *claim(void)
{
	static uint32_t *decided;
	/* Acquire, here and below: the memory was mapped by another thread. */
	uint32_t *seen = __atomic_load_n(&decided, __ATOMIC_ACQUIRE);
	uint32_t *word;

	if (seen)
		return seen;
	word = gsync_process_word(GSYNC_PROCESS_CLAIM);
	word = word ? word : &plain_claim;
	return __atomic_compare_exchange_n(&decided, &seen, word, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE) ? word : seen;
}

static bool try_claim(void)
{
	uint32_t free = 0;

	return __atomic_compare_exchange_n(claim(), &free, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static void release_claim(void)
{
	__atomic_store_n(claim(), 0, __ATOMIC_RELEASE);
}

/* ---- publishing */

/*
 * liburcu relies on membarrier(2), if that was there when it was loaded, and ends
 * the process when it is refused later on, by a sandbox that was entered
 * meanwhile: so we ask before, by the call that it will make. A sandbox may well
 * say ENOSYS, so what is said does not matter.
 */
static bool relies_on_membarrier;

static long call_membarrier(int command)
{
#ifdef SYS_membarrier
	return syscall(SYS_membarrier, command, 0);
#else
	(void)command;
	return -1;
#endif
}

/* It is, and was so before: while it is being set, calls are still allowed. */
static bool stays_quiet(void)
{
	return gsync_override_quiet() && gsync_published()->profile.quiet != 0;
}

/* Not in a signal handler that interrupted a reader: it would wait for itself. */
static bool grace_period(void)
{
	if (urcu_bp_read_ongoing() || stays_quiet())
		return false;
	if (relies_on_membarrier && call_membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) < 0)
		return false;
	urcu_bp_synchronize_rcu();
	__tsan_acquire(GSYNC_READERS);
	return true;
}

/* Solo needs longer turns than fairness would like, unless somebody wants hand-overs much faster. */
static uint32_t turn_of(uint32_t fair_ns)
{
	return fair_ns < TURN_NS / 4 ? 4 * fair_ns : TURN_NS;
}

/* Of a crowd, with the same bound: hand-overs may be rarer for reasons that are no crowd's. */
static uint32_t crowd_turn_of(uint32_t fair_ns)
{
	return (fair_ns < TURN_NS ? fair_ns : TURN_NS) / 4;
}

static uint32_t pauses_in(double ns, double pause_ns)
{
	double pauses = pause_ns > 0 ? ns / pause_ns + 0.5 : 1;

	return pauses < 1 ? 1 : pauses > 1000 ? 1000 : (uint32_t)pauses;
}

/* None, where patience ends before the first. */
static uint32_t looks_in(uint32_t spin_ns, double look_ns)
{
	return (uint32_t)(spin_ns / (look_ns > 1 ? look_ns : 1));
}

static void convert(const struct gsync_profile *profile, struct gsync_tuning *out)
{
	double ticks_per_ns = gsync_ticks_per_ns(&conditions.calibration);
	double pause_ns = conditions.calibration.pause_ns;

	memset(out, 0, sizeof(*out)); /* the padding is compared, too */
	out->spin = (uint64_t)(profile->spin_ns * ticks_per_ns);
	out->pressed_spin = (uint64_t)(profile->pressed_spin_ns * ticks_per_ns);
	out->spin_floor = (uint64_t)(profile->spin_floor_ns * ticks_per_ns);
	out->woken_spin = (uint64_t)(profile->woken_spin_ns * ticks_per_ns);
	out->near = (uint64_t)(profile->near_ns * ticks_per_ns);
	out->fair = (uint64_t)(profile->fair_ns * ticks_per_ns);
	out->crowd_turn = (uint64_t)(crowd_turn_of(profile->fair_ns) * ticks_per_ns);
	out->trial = (uint64_t)(profile->trial_ns * ticks_per_ns);
	out->yield = (uint64_t)(profile->yield_ns * ticks_per_ns);
	out->barrier = (uint64_t)(profile->barrier_ns * ticks_per_ns);
	out->pool = (uint64_t)(profile->pool_ns * ticks_per_ns);
	out->share = (uint64_t)(profile->share_ns * ticks_per_ns);
	out->range = (uint64_t)(profile->range_ns * ticks_per_ns);
	out->slow_yield = (uint64_t)(SLOW_YIELD_NS * ticks_per_ns);
	out->yield_recess = (uint64_t)((blind || profile->look_ns == 0 ? BLIND_RECESS_NS : RECESS_NS) * ticks_per_ns);
	out->throttled_most = (uint64_t)(THROTTLED_NS * ticks_per_ns);
	out->rude_most = (uint64_t)(GSYNC_REFUSAL_NS_MOST * ticks_per_ns);
	out->repair_ns = profile->repair_ns;
	out->turn_ns = turn_of(profile->fair_ns);
	out->ticks_per_ns = ticks_per_ns;
	out->pauses = pauses_in(BETWEEN_LOOKS_NS, pause_ns);
	out->backoff = pauses_in(profile->backoff_ns, pause_ns);
	out->first_looks = looks_in(profile->spin_ns, conditions.emulated ? BARE_LOOK_NS : pause_ns);
	if (out->first_looks > profile->first_looks)
		out->first_looks = profile->first_looks;
	if (conditions.emulated)
		out->first_looks |= GSYNC_BARE_LOOKS;
	out->eager = profile->eager;
	out->barrier_yields = profile->barrier_yields;
	out->usable_cpus = profile->usable_cpus;
	out->whole_cpus = profile->whole_cpus;
}

/*
 * False when waiters cannot be given what is new: without a grace period they go
 * on with what they have. PATIENT: the caller can wait for one, which takes as
 * long as a reader that is off its CPU.
 */
static bool derive_and_publish(bool patient)
{
	struct gsync_published next;
	struct gsync_published *slot = &slots[published_count % SLOTS];

	memset(&next, 0, sizeof(next));
	gsync_profile_derive(&next.profile, &next.reasons, &conditions);
	gsync_override_apply(&next.profile, &next.reasons);
	convert(&next.profile, &next.tuning);
	if (memcmp(&next, gsync_published(), sizeof(next)) == 0)
		return true;
	if (published_count >= SLOTS && !(patient && grace_period()))
		return false;
	*slot = next;
	published_count++;
	/* Release: whoever sees the pointer sees all that was written. */
	__atomic_store_n(&gsync_live.published, slot, __ATOMIC_RELEASE);
	__atomic_store_n(&gsync_live.window, slot->tuning.trial, __ATOMIC_RELAXED);
	__atomic_store_n(&gsync_live.first_looks, slot->tuning.first_looks, __ATOMIC_RELAXED);
	return true;
}

/* ---- looking at the machine */

static void read_cpus(void)
{
	const struct gsync_source source = machine();
	struct gsync_cpu_mask fresh = { { 0 } };
	struct gsync_cpus cpus;
	int count = 0;

	gsync_cpus_read(&source, &cpus);
	/* All of them: then the kernel's sum is what we need. */
	if (cpus.affinity != cpus.online)
		count = gsync_affinity_read(&fresh, cpus.online);
	/* What other CPUs had done before is not to be compared with it. */
	if (count != mask_count || memcmp(&fresh, &mask, sizeof(mask)) != 0)
		usage_at = 0;
	mask = fresh;
	mask_count = count;
	conditions.usable_cpus = cpus.usable;
	has_quota = cpus.quota > 0;
}

static uint64_t in_ticks(uint64_t ns)
{
	return (uint64_t)((double)ns * gsync_ticks_per_ns(&conditions.calibration));
}

/* One look and a half: a calm one between two others is noise, and soon after the last of them it is over. */
static uint64_t pressure_lasts(void)
{
	return in_ticks(gsync_published()->profile.look_ns) * 3 / 2;
}

/*
 * Once there is pressure, half of it is enough for it to go on. The load may
 * have ended as early as the look BEFORE this one; two looks and a half after it,
 * 100 ms, there is none, unless it was found again.
 */
static void note_pressure(uint32_t percent, uint64_t before, uint64_t now)
{
	const struct gsync_profile *profile = &gsync_published()->profile;
	uint32_t enough = profile->pressure_percent;
	uint64_t until = now + pressure_lasts();
	uint64_t latest = before + in_ticks(profile->look_ns) * 5 / 2;
	bool pressed = gsync_is_pressed();

	if (pressed)
		enough = (enough + 1) / 2;
	__atomic_store_n(&gsync_live.pressure, percent, __ATOMIC_RELAXED);
	if (percent >= enough)
		__atomic_store_n(&gsync_live.pressed_until, (int64_t)(until - latest) < 0 ? until : latest, __ATOMIC_RELAXED);
	else if (!pressed) /* then waiters need no clock to see it */
		__atomic_store_n(&gsync_live.pressed_until, (uint64_t)0, __ATOMIC_RELAXED);
}

/* What a quota stops it stops for a large part of every period; the kernel's default is 100 ms. */
static void note_throttling(uint32_t percent, uint64_t now)
{
	const struct gsync_published *published = gsync_published();

	if (percent >= published->profile.pressure_percent)
		__atomic_store_n(&gsync_live.throttled_until, now + published->tuning.throttled_most, __ATOMIC_RELAXED);
}

static void publish_others(void)
{
	__atomic_store_n(&gsync_live.others, (uint32_t)courtesy.others, __ATOMIC_RELAXED);
}

/* Since the last look. */
static double ns_until(uint64_t now)
{
	return (double)(now - usage_at) / gsync_ticks_per_ns(&conditions.calibration);
}

/* Returns for how long, in ticks, nobody should yield now. Where nobody has, there is no answer to be judged. */
static uint64_t judge_others(const struct gsync_usage *fresh, uint64_t now)
{
	gsync_courtesy_judge_others(&courtesy, &usage, fresh, ns_until(now));
	if (fresh->yields == usage.yields)
		return 0;
	return in_ticks(gsync_courtesy_judge(&courtesy, gsync_is_answered_between(&usage, fresh)));
}

/* Where it is our own quota that presses, whoever is given a CPU uses up what we are short of. */
static void note_others(const struct gsync_usage *fresh, uint64_t now)
{
	const struct gsync_tuning *tuning = &gsync_published()->tuning;
	uint64_t refusal = 0;

	if (gsync_others_are_rude(tuning)) {
		if (gsync_is_pressed() && !gsync_is_throttled(tuning))
			gsync_courtesy_watch_refused(&courtesy, &usage, fresh, ns_until(now));
		return;
	}
	if (gsync_is_throttled(tuning))
		refusal = pressure_lasts();
	else if (courtesy.others == GSYNC_OTHERS_LEAVE_ONE || gsync_is_pressed())
		refusal = judge_others(fresh, now);
	if (refusal != 0)
		__atomic_store_n(&gsync_live.rude_until, now + refusal, __ATOMIC_RELAXED);
	if (refusal != 0 && courtesy.others == GSYNC_OTHERS_LEAVE_ONE)
		courtesy.others = GSYNC_OTHERS_COMPETE;
	publish_others();
}

static void read_own_doings(struct gsync_usage *out)
{
	struct rusage used;

	out->yields = __atomic_load_n(&gsync_live.yields, __ATOMIC_RELAXED);
	out->long_yields = __atomic_load_n(&gsync_live.long_yields, __ATOMIC_RELAXED);
	if (getrusage(RUSAGE_SELF, &used) != 0)
		return;
	out->waking = (uint64_t)((double)(unsigned long)used.ru_nvcsw * gsync_wake_price(&conditions));
	out->own_switches = (unsigned long)used.ru_nvcsw + (unsigned long)used.ru_nivcsw;
}

static void read_pressure(void)
{
	const struct gsync_source source = machine();
	struct gsync_usage fresh;
	struct gsync_load load = { .throttled_ns = GSYNC_UNKNOWN };
	uint64_t now;

	blind = !gsync_usage_read(&source, &mask, mask_count, &fresh);
	if (blind)
		return;
	if (has_quota)
		gsync_throttling_read(&source, &load);
	fresh.throttled = load.throttled_ns != GSYNC_UNKNOWN ? load.throttled_ns : 0;
	read_own_doings(&fresh);
	now = gsync_ticks();
	if (usage_at != 0) {
		note_throttling(gsync_throttling_between(&usage, &fresh), now);
		note_others(&fresh, now);
		note_pressure(gsync_pressure_between(&usage, &fresh), usage_at, now);
	}
	usage = fresh;
	usage_at = now;
}

static void schedule_next_look(void)
{
	uint64_t interval = gsync_override_quiet() ? 0 : in_ticks(gsync_published()->profile.look_ns);

	__atomic_store_n(&gsync_live.look_interval, interval, __ATOMIC_RELAXED);
	__atomic_store_n(&gsync_live.next_look, gsync_ticks() + interval, __ATOMIC_RELAXED);
}

void gsync_look_again(bool patient)
{
	struct gsync_manners manners = gsync_manners_keep();

	if (try_claim()) {
		read_pressure();
		if (++looks % LOOKS_PER_CPUS == 0) {
			read_cpus();
			derive_and_publish(patient);
		}
		schedule_next_look();
		release_claim();
	}
	gsync_manners_give_back(&manners);
}

/* ---- the first time */

static void measure(void)
{
	const struct gsync_source source = machine();

	gsync_calibrate(&source, &conditions.calibration);
	gsync_hypervisor_glance(&source, &conditions);
	__atomic_store_n(&gsync_clock_counter_usable, conditions.calibration.counter_trusted, __ATOMIC_RELAXED);
	read_cpus();
	read_pressure();
	derive_and_publish(true);
	schedule_next_look();
}

/* True when this process has measured; false when another thread is at it. */
static bool try_to_settle(void)
{
	if (gsync_is_tuned())
		return true;
	if (!try_claim())
		return false;
	if (!gsync_is_tuned())
		measure();
	release_claim();
	return true;
}

void gsync_tune(void)
{
	struct gsync_manners manners = gsync_manners_keep();

	try_to_settle();
	gsync_manners_give_back(&manners);
}

/* Some milliseconds, once per process: not worth a lock of our own. */
static void settle(void)
{
	struct gsync_manners manners = gsync_manners_keep();

	while (!try_to_settle())
		wait_a_moment();
	gsync_manners_give_back(&manners);
}

const struct gsync_calibration *gsync_calibration_of_process(void)
{
	settle();
	return &conditions.calibration;
}

void gsync_profile_of_process(struct gsync_profile *profile, struct gsync_reasons *reasons)
{
	int caller_errno = errno;

	settle();
	urcu_bp_read_lock();
	*profile = gsync_published()->profile;
	if (reasons)
		*reasons = gsync_published()->reasons;
	__tsan_release(GSYNC_READERS);
	urcu_bp_read_unlock();
	errno = caller_errno;
}

/* ---- the public calls */

static int republish(void)
{
	struct gsync_manners manners = gsync_manners_keep();
	bool published;

	settle();
	while (!try_claim())
		wait_a_moment();
	published = derive_and_publish(true);
	schedule_next_look();
	release_claim();
	gsync_manners_give_back(&manners);
	return published ? 0 : EPERM;
}

int gsync_profile_set(const char *name, uint64_t value)
{
	int index = gsync_override_find(name);
	int error = index < 0 ? ENOENT : gsync_override_set(index, value);

	return error == 0 ? republish() : error;
}

int gsync_profile_get(const char *name, uint64_t *value)
{
	int index = gsync_override_find(name);
	struct gsync_profile profile;

	if (index < 0)
		return ENOENT;
	gsync_profile_of_process(&profile, NULL);
	*value = gsync_profile_value(&profile, (size_t)index);
	return 0;
}

int gsync_profile_reset(const char *name)
{
	int index = name ? gsync_override_find(name) : 0;

	if (index < 0)
		return ENOENT;
	for (int i = name ? index : 0; i <= (name ? index : (int)GSYNC_THRESHOLD_COUNT - 1); i++)
		gsync_override_reset(i);
	return republish();
}

/* ---- loading */

/*
 * A child must not wait for the grace of readers that are gone with its parent:
 * liburcu forgets them, if it is told of the fork.
 */
static void after_fork_child(void)
{
	urcu_bp_after_fork_child();
	__atomic_store_n(&plain_claim, 0, __ATOMIC_RELAXED);
	/* A child's CPU time begins at 0, and the claimant may have been about to write it down. */
	usage_at = 0;
	courtesy = (struct gsync_courtesy){ 0 };
	__atomic_store_n(&gsync_live.rude_until, 0, __ATOMIC_RELAXED);
	publish_others();
}

/*
 * Early: handlers that come before fork are called last first, so those of the
 * program, which may take our locks, find liburcu still at work.
 */
static __attribute__((constructor(101))) void load(void)
{
	long membarrier = call_membarrier(MEMBARRIER_CMD_QUERY);

	relies_on_membarrier = membarrier > 0 && (membarrier & MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0;
	pthread_atfork(urcu_bp_before_fork, urcu_bp_after_fork_parent, after_fork_child);
	if (getauxval(AT_SECURE) == 0)
		gsync_override_read(environ, STDERR_FILENO);
}
