/* SPDX-License-Identifier: MIT */
/*
 * How many CPUs' worth of time this process gets: the smallest of the CPUs
 * online, the affinity mask and what the cgroups grant.
 *
 * A quota stands in cpu.max (cgroup v2) or cpu.cfs_quota_us (v1) of the
 * process's own group and of every group above it.
 *
 * Whatever we cannot read or understand is no limit; and when all is unknown,
 * we count on one CPU, with which a waiter never spins.
 */
#include "detect/cgroup.h"
#include "detect/text.h"

#define USABLE_MIN 0.01

static double tighter(double a, double b)
{
	if (a <= 0)
		return b;
	return b > 0 && b < a ? b : a;
}

/* What the group grants; 0 = no limit. */
static double read_quota(const struct gsync_cgroup *group)
{
	char quota_text[64], period_text[64];
	const char *quota_at = quota_text;
	const char *period_at = period_text;
	const char *quota_file = group->v2 ? "/cpu.max" : "/cpu.cfs_quota_us";
	uint64_t quota, period;

	if (!gsync_cgroup_read_file(group, quota_file, quota_text, sizeof(quota_text)))
		return 0;
	/* No limit is "max" or "-1", and not a number. */
	if (!gsync_text_number(&quota_at, &quota))
		return 0;
	if (group->v2)
		period_at = quota_at;
	else
		gsync_cgroup_read_file(group, "/cpu.cfs_period_us", period_text, sizeof(period_text));
	if (!gsync_text_number(&period_at, &period) || quota == 0 || period == 0)
		return 0;
	return (double)quota / (double)period;
}

static bool tighten(const struct gsync_cgroup *group, void *context)
{
	double *tightest = context;
	double quota = read_quota(group);

	*tightest = tighter(*tightest, quota);
	return quota > 0;
}

void gsync_cpus_read(const struct gsync_source *source, struct gsync_cpus *out)
{
	int online = source->cpus_online(source->context);
	int affinity = source->cpus_affinity(source->context);

	out->online = online > 0 ? online : 0;
	out->affinity = affinity > 0 ? affinity : 0;
	out->quota = 0;
	gsync_cgroup_walk(source, tighten, &out->quota);
	out->usable = tighter(out->online, out->affinity);
	if (out->usable <= 0)
		out->usable = 1;
	out->usable = tighter(out->usable, out->quota);
	if (out->usable < USABLE_MIN)
		out->usable = USABLE_MIN;
}
