/* SPDX-License-Identifier: MIT */
#include "engine.h"

#include <errno.h>
#include <string.h>

static const struct engine engines[] = {
	{ "data", data_compress, data_restore },
	{ "pipeline", pipeline_compress, pipeline_restore },
};

const struct engine *engine_named(const char *name)
{
	for (size_t i = 0; i < sizeof(engines) / sizeof(engines[0]); i++)
		if (strcmp(engines[i].name, name) == 0)
			return &engines[i];
	return NULL;
}

int restoration_write(const struct restoration *restoration, const struct restored *restored, struct bench_error *error)
{
	if (restored->bytes == 0 || fwrite(restored->data, restored->bytes, 1, restoration->output) == 1)
		return 0;
	return bench_fail(error, "cannot write \"%s\": %s", restoration->output_path, strerror(errno));
}
