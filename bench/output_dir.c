/* SPDX-License-Identifier: MIT */
#include "bench/output_dir.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const names[BENCH_DIR_FILES] = { "index.html", "results.json", "results.csv" };

static int open_file(struct bench_output *output, const char *path, const char *name, struct bench_error *error)
{
	char *file;
	int result;

	if (asprintf(&file, "%s/%s", path, name) < 0)
		return bench_fail(error, "not enough memory");
	result = bench_output_open(output, file, error);
	free(file);
	return result;
}

int bench_output_dir_open(struct bench_output_dir *dir, const char *path, struct bench_error *error)
{
	*dir = (struct bench_output_dir){ .made = NULL };
	if (mkdir(path, 0777) == 0) {
		dir->made = strdup(path);
		if (dir->made == NULL) {
			rmdir(path);
			return bench_fail(error, "not enough memory");
		}
	} else if (errno != EEXIST) {
		return bench_fail(error, "cannot make the directory \"%s\": %s", path, strerror(errno));
	}
	for (int i = 0; i < BENCH_DIR_FILES; i++) {
		if (open_file(&dir->files[i], path, names[i], error) == 0)
			continue;
		bench_output_dir_discard(dir);
		return -1;
	}
	return 0;
}

int bench_output_dir_commit(struct bench_output_dir *dir, struct bench_error *error)
{
	for (int i = 0; i < BENCH_DIR_FILES; i++)
		if (bench_output_flush(&dir->files[i], error) != 0)
			return -1;
	for (int i = 0; i < BENCH_DIR_FILES; i++)
		if (bench_output_commit(&dir->files[i], error) != 0)
			return -1;
	free(dir->made);
	dir->made = NULL;
	return 0;
}

void bench_output_dir_discard(struct bench_output_dir *dir)
{
	for (int i = 0; i < BENCH_DIR_FILES; i++)
		bench_output_discard(&dir->files[i]);
	if (dir->made != NULL)
		rmdir(dir->made);
	free(dir->made);
	*dir = (struct bench_output_dir){ .made = NULL };
}
