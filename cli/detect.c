/* SPDX-License-Identifier: MIT */
/* guestsync detect: what machine this is, and what follows for a waiter. */
#include "cli/cli.h"
#include "cli/machine.h"
#include <getopt.h>
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
	{ "none", "no virtual machine, as far as anything shows" },
};

static void print_help(void)
{
	fputs("Usage: guestsync detect [--json]\n"
	      "Says what machine this is, and how long a waiter should spin on it before it\n"
	      "sleeps. Measures for a few milliseconds; needs no root.\n\n"
	      "  --json   for programs: one JSON object; null = unknown, or no such limit\n"
	      "  --help   this text\n",
	      stdout);
}

static void print_what(const struct gsync_facts *facts)
{
	const char *name = facts->hypervisor.name;
	size_t i;

	fputs("This is ", stdout);
	for (i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		if (strcmp(titles[i].name, name) == 0)
			break;
	if (i < sizeof(titles) / sizeof(titles[0]))
		fputs(titles[i].title, stdout);
	else
		printf("a virtual machine of %s", name);
	if (strcmp(facts->container, "none") != 0)
		printf(", and in it a container (%s)", facts->container);
	fputs(".\n", stdout);
}

static void print_cpu_share(const struct gsync_facts *facts)
{
	const struct gsync_cpus *cpus = &facts->cpus;

	printf("This process can use %.4g CPU%s at a time", cpus->usable, cpus->usable > 1 ? "s" : "");
	if (cpus->quota > 0 && cpus->quota <= cpus->usable)
		fputs(": a cgroup quota says so", stdout);
	else if (cpus->affinity > 0 && cpus->affinity < cpus->online)
		fputs(": its affinity mask says so", stdout);
	fputs(".\n", stdout);
	if (facts->steal_percent >= STEAL_WORTH_A_WORD)
		printf("The host took %.1f %% of the CPU time since boot for others: a holder may stop at any time.\n",
		       facts->steal_percent);
}

static void print_advice(const struct gsync_calibration *calibration, const struct gsync_profile *profile)
{
	if (profile->spin_ns == 0) {
		fputs("A waiter should not spin at all, but sleep at once", stdout);
		if (profile->usable_cpus <= 1)
			fputs(": while it spins, the holder has no CPU to run on", stdout);
		fputs(".\n", stdout);
		return;
	}
	printf("A waiter should spin for at most %.1f us", profile->spin_ns / 1000.0);
	if (calibration->pause_ns > 0)
		printf(" (about %.0f PAUSEs)", profile->spin_ns / calibration->pause_ns);
	printf(", then sleep: waking a sleeper costs %.1f us here.\n", calibration->wake_ns / 1000);
}

static int print_json(const struct gsync_facts *facts, const struct gsync_calibration *calibration,
		      const struct gsync_profile *profile)
{
	json_t *machine = cli_machine_json(facts, calibration, profile);

	if (!machine) {
		fputs("guestsync: not enough memory\n", stderr);
		return CLI_FAILED;
	}
	/* A failed write is reported by main, for all commands alike. */
	json_dumpf(machine, stdout, CLI_JSON_FLAGS);
	fputc('\n', stdout);
	json_decref(machine);
	return CLI_OK;
}

static int detect(bool json)
{
	const struct gsync_calibration *calibration = gsync_calibration_of_process();
	const struct gsync_profile *profile = gsync_profile_of_process();
	struct gsync_facts facts;

	gsync_facts_read(&gsync_source_machine, &facts);
	if (json)
		return print_json(&facts, calibration, profile);
	print_what(&facts);
	print_cpu_share(&facts);
	print_advice(calibration, profile);
	fputc('\n', stdout);
	cli_machine_print(stdout, &facts, calibration, profile);
	return CLI_OK;
}

int cli_detect(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	bool json = false;
	int option;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case 'j':
			json = true;
			break;
		case 'h':
			print_help();
			return CLI_OK;
		default:
			return CLI_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "guestsync: detect takes no argument, but got \"%s\"\n", argv[optind]);
		return CLI_USAGE;
	}
	return detect(json);
}
