/* SPDX-License-Identifier: MIT */
/* A row per cell: its medians, and how far its rounds were apart. No name in it needs quoting. */
#include <inttypes.h>

#include "bench/report.h"

void bench_report_csv(const struct bench_run *run, FILE *out)
{
	fputs("kind,scenario,lock,threads,cs_ns,think_ns", out);
	for (size_t i = 0; i < bench_field_count; i++)
		fprintf(out, ",%s", bench_fields[i].name);
	fputs(",spread,body\n", out);
	for (size_t i = 0; i < run->count; i++) {
		const struct bench_cell *cell = &run->cells[i];

		fprintf(out, "%s,%s,%s,%u,%" PRIu64 ",%" PRIu64, bench_kind_names[cell->kind],
			bench_scenario_names[cell->scenario], cell->name, cell->threads, cell->load.cs_ns,
			cell->load.think_ns);
		for (size_t field = 0; field < bench_field_count; field++)
			fprintf(out, ",%.9g", bench_field_value(&cell->median, &bench_fields[field]));
		fprintf(out, ",%.4f,%s\n", bench_spread(cell->rounds, run->settings->rounds),
			cell->kind == BENCH_FORKJOIN ? bench_body_names[cell->load.body] : "");
	}
}
