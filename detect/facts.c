/* SPDX-License-Identifier: MIT */
/* All facts at once, and the one that has no file of its own: steal, the CPU time that the host took from us. */
#include "detect/facts.h"
#include "detect/text.h"

#define STEAL_FIELD 7 /* user nice system idle iowait irq softirq steal; guest time is part of user time */

double gsync_steal_read(const struct gsync_source *source)
{
	char line[512];
	const char *at = line + 4;
	double total = 0;
	uint64_t ticks = 0;
	int field;

	if (!gsync_text_read_line(source, "/proc/stat", line, sizeof(line)) || !gsync_text_starts(line, "cpu "))
		return -1;
	for (field = 0; field <= STEAL_FIELD; field++) {
		if (!gsync_text_number(&at, &ticks))
			return -1;
		total += (double)ticks;
	}
	return total > 0 ? (double)ticks / total * 100 : -1;
}

void gsync_facts_read(const struct gsync_source *source, struct gsync_facts *out)
{
	gsync_hypervisor_read(source, &out->hypervisor);
	gsync_container_read(source, out->container);
	gsync_cpus_read(source, &out->cpus);
	out->steal_percent = gsync_steal_read(source);
}
