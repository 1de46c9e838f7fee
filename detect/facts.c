/* SPDX-License-Identifier: MIT */
/* All facts at once, and the small ones that have no file of their own. */
#include "detect/facts.h"
#include "detect/text.h"

static double steal_percent(const struct gsync_load *load)
{
	if (load->steal_ticks == GSYNC_UNKNOWN)
		return -1;
	return (double)load->steal_ticks / (double)load->all_ticks * 100;
}

static bool read_name(const struct gsync_source *source, const char *path, char out[GSYNC_NAME_MAX])
{
	gsync_text_read_line(source, path, out, GSYNC_NAME_MAX);
	gsync_text_make_printable(out, strlen(out));
	return out[0] != '\0';
}

void gsync_idle_read(const struct gsync_source *source, struct gsync_idle *out)
{
	read_name(source, "/sys/devices/system/cpu/cpuidle/current_driver", out->driver);
	/* Older kernels have only the second. */
	if (!read_name(source, "/sys/devices/system/cpu/cpuidle/current_governor", out->governor))
		read_name(source, "/sys/devices/system/cpu/cpuidle/current_governor_ro", out->governor);
}

/*
 * Half of /sys may be hidden, and a recording may have been written by hand: no
 * topology is better than one that has not exactly the CPUs that we may use.
 */
static bool is_plausible(const struct gsync_topology *topology, int online, int affinity)
{
	const int most = topology->threads;

	return most > 0 && (online <= 0 || most <= online) && (affinity <= 0 || most == affinity) &&
	       topology->cores >= 0 && topology->cores <= most && topology->packages >= 0 &&
	       topology->packages <= most && topology->numa_nodes >= 0 && topology->numa_nodes <= most &&
	       topology->l1d_count >= 0 && topology->l2_count >= 0 && topology->l3_count >= 0;
}

void gsync_topology_read(const struct gsync_source *source, struct gsync_topology *out)
{
	memset(out, 0, sizeof(*out));
	if (source->topology && source->topology(source->context, out) &&
	    is_plausible(out, source->cpus_online(source->context), source->cpus_affinity(source->context)))
		return;
	memset(out, 0, sizeof(*out));
}

void gsync_facts_read(const struct gsync_source *source, struct gsync_facts *out)
{
	gsync_hypervisor_read(source, &out->hypervisor);
	gsync_container_read(source, out->container);
	gsync_cpus_read(source, &out->cpus);
	gsync_load_read(source, &out->load);
	out->steal_percent = steal_percent(&out->load);
	gsync_idle_read(source, &out->idle);
	gsync_topology_read(source, &out->topology);
}
