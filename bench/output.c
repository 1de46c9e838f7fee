/* SPDX-License-Identifier: MIT */
#include "bench/output.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A new file gets the mode that open() would give it; an old one keeps its own. */
static mode_t mode_of_new_file(void)
{
	mode_t mask = umask(0);

	umask(mask);
	return 0666 & ~mask;
}

static int open_beside(struct bench_output *output, mode_t mode)
{
	int fd;

	if (asprintf(&output->temporary, "%s.XXXXXX", output->target) < 0) {
		output->temporary = NULL;
		return ENOMEM;
	}
	fd = mkstemp(output->temporary);
	if (fd < 0) {
		int reason = errno;

		free(output->temporary);
		output->temporary = NULL;
		return reason;
	}
	if (fchmod(fd, mode) == 0)
		output->file = fdopen(fd, "w");
	if (output->file == NULL) {
		int reason = errno;

		close(fd);
		return reason;
	}
	return 0;
}

static int open_target(struct bench_output *output)
{
	struct stat status;

	if (stat(output->path, &status) != 0) {
		if (errno != ENOENT)
			return errno;
		output->target = strdup(output->path);
		return output->target != NULL ? open_beside(output, mode_of_new_file()) : ENOMEM;
	}
	output->target = realpath(output->path, NULL);
	if (output->target == NULL)
		return errno;
	if (S_ISREG(status.st_mode))
		return access(output->target, W_OK) == 0 ? open_beside(output, status.st_mode & 0777) : errno;
	output->file = fopen(output->target, "w"); /* fails for a directory, as it should */
	return output->file != NULL ? 0 : errno;
}

int bench_output_open(struct bench_output *output, const char *path, struct bench_error *error)
{
	int reason = ENOMEM;

	*output = (struct bench_output){ .path = strdup(path) };
	if (output->path != NULL)
		reason = open_target(output);
	if (reason == 0)
		return 0;
	bench_output_discard(output);
	return bench_fail(error, "cannot write \"%s\": %s", path, strerror(reason));
}

static int flush(struct bench_output *output)
{
	if (fflush(output->file) != 0)
		return errno;
	return ferror(output->file) != 0 ? EIO : 0;
}

int bench_output_flush(struct bench_output *output, struct bench_error *error)
{
	int reason = flush(output);

	return reason == 0 ? 0 : bench_fail(error, "cannot write \"%s\": %s", output->path, strerror(reason));
}

/* First the data is on the disk, then it gets the name: after a crash in between, that name is still the old file's. */
static int complete(struct bench_output *output)
{
	int reason = flush(output);

	if (reason == 0 && output->temporary != NULL && fsync(fileno(output->file)) != 0)
		reason = errno;
	if (fclose(output->file) != 0 && reason == 0)
		reason = errno;
	output->file = NULL;
	if (reason != 0 || output->temporary == NULL)
		return reason;
	if (rename(output->temporary, output->target) != 0)
		return errno;
	free(output->temporary);
	output->temporary = NULL;
	return 0;
}

int bench_output_commit(struct bench_output *output, struct bench_error *error)
{
	int reason = complete(output);

	if (reason != 0)
		bench_fail(error, "cannot write \"%s\": %s", output->path, strerror(reason));
	bench_output_discard(output);
	return reason == 0 ? 0 : -1;
}

void bench_output_discard(struct bench_output *output)
{
	if (output->file != NULL)
		fclose(output->file);
	if (output->temporary != NULL)
		unlink(output->temporary);
	free(output->temporary);
	free(output->target);
	free(output->path);
	*output = (struct bench_output){ 0 };
}
