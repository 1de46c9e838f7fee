/* SPDX-License-Identifier: MIT */
/* The machine in plain sentences, for somebody who has never heard of steal or PAUSE. */
#include "cli/machine.h"

#include <string.h>

#define STEAL_WORTH_A_WORD 1.0 /* percent */

static const struct {
	const char *name;
	const char *title;
} titles[] = {
	{ "kvm", "a virtual machine of KVM" },
	{ "qemu", "a virtual machine of QEMU, perhaps emulated without KVM" },
	{ "microsoft", "a virtual machine of Microsoft Hyper-V" },
	{ "xen", "a virtual machine of Xen" },
	{ "vmware", "a virtual machine of VMware" },
	{ "oracle", "a virtual machine of Oracle VirtualBox" },
	{ "parallels", "a virtual machine of Parallels" },
	{ "bhyve", "a virtual machine of bhyve" },
	{ "apple", "a virtual machine of Apple Virtualization" },
	{ "amazon", "a virtual machine of Amazon EC2" },
	{ "google", "a virtual machine of Google Compute Engine" },
	{ "unknown", "a virtual machine of a kind that guestsync does not know" },
	{ "dom0", "the control domain (dom0) of Xen, whose CPUs are virtual like those of the other domains" },
	{ "root", "the root partition of Hyper-V, whose CPUs are virtual like those of its guests" },
	{ "uml", "User Mode Linux, a kernel that runs as a program of its host" },
	{ "none", "no virtual machine, as far as anything shows" },
};

static void print_what(FILE *out, const struct gsync_facts *facts)
{
	const char *name = facts->hypervisor.name;
	const char *role = facts->hypervisor.role;
	size_t i;

	fputs("This is ", out);
	if (strcmp(role, "dom0") == 0 || strcmp(role, "root") == 0)
		name = role;
	for (i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		if (strcmp(titles[i].name, name) == 0)
			break;
	if (i < sizeof(titles) / sizeof(titles[0]))
		fputs(titles[i].title, out);
	else
		fprintf(out, "a virtual machine of %s", name);
	if (strcmp(facts->container, "none") != 0)
		fprintf(out, ", and in it a container (%s)", facts->container);
	fputs(".\n", out);
}

static void print_cpu_share(FILE *out, const struct gsync_facts *facts)
{
	const struct gsync_cpus *cpus = &facts->cpus;

	fprintf(out, "This process can use %.4g CPU%s at a time", cpus->usable, cpus->usable > 1 ? "s" : "");
	if (cpus->quota > 0 && cpus->quota <= cpus->usable)
		fputs(": a cgroup quota says so", out);
	else if (cpus->affinity > 0 && cpus->affinity < cpus->online)
		fputs(": its affinity mask says so", out);
	fputs(".\n", out);
	if (facts->steal_percent >= STEAL_WORTH_A_WORD)
		fprintf(out, "The host took %.1f %% of the CPU time since boot for others: a holder may stop at any time.\n",
			facts->steal_percent);
}

/* What changes how long a thread may be stopped, or what it costs to stop. */
static void print_holders(FILE *out, const struct gsync_facts *facts)
{
	const struct gsync_load *load = &facts->load;

	if (facts->hypervisor.dedicated)
		fputs("The host promises not to take a CPU away for long, so that a holder keeps running.\n", out);
	if (facts->hypervisor.nested > 0)
		fputs("The hypervisor itself runs in a virtual machine: two hosts can take a CPU away.\n", out);
	if (load->throttled_periods != GSYNC_UNKNOWN && load->throttled_periods > 0)
		fprintf(out, "Its cgroups were throttled %llu times so far: all threads stop then, a holder too.\n",
			(unsigned long long)load->throttled_periods);
	if (strcmp(facts->idle.driver, "haltpoll") == 0 || strcmp(facts->idle.governor, "haltpoll") == 0)
		fputs("An idle CPU polls a while before it halts (haltpoll); that is no proof of dedicated CPUs.\n", out);
}

static void print_advice(FILE *out, const struct gsync_calibration *calibration,
			 const struct gsync_profile *profile)
{
	if (profile->spin_ns == 0) {
		fputs("A waiter should not spin at all, but sleep at once", out);
		if (profile->usable_cpus <= 1)
			fputs(": while it spins, the holder has no CPU to run on", out);
		fputs(".\n", out);
		return;
	}
	fprintf(out, "A waiter should spin for at most %.1f us", profile->spin_ns / 1000.0);
	if (calibration->pause_ns > 0)
		fprintf(out, " (about %.0f PAUSEs)", profile->spin_ns / calibration->pause_ns);
	fputs(", then sleep", out);
	if (calibration->wake_ns > 0)
		fprintf(out, ": waking a sleeper costs %.1f us here", calibration->wake_ns / 1000);
	fputs(".\n", out);
}

void cli_machine_say(FILE *out, const struct gsync_facts *facts, const struct gsync_calibration *calibration,
		     const struct gsync_profile *profile)
{
	print_what(out, facts);
	print_cpu_share(out, facts);
	print_holders(out, facts);
	print_advice(out, calibration, profile);
}
