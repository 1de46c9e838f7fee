/* SPDX-License-Identifier: MIT */
#include "bench/origin.h"

#include <guestsync/base.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

/* The processor's name as the kernel tells it; "unknown" where it does not. */
static void read_cpu(char *name, size_t size)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[256];

	snprintf(name, size, "unknown");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		char *value = strchr(line, ':');

		if (strncmp(line, "model name", 10) != 0 || value == NULL)
			continue;
		value[strcspn(value, "\n")] = '\0';
		snprintf(name, size, "%s", value + 1 + strspn(value + 1, " \t"));
		break;
	}
	if (file != NULL)
		fclose(file);
}

/* Words that a shell would take apart or change are quoted for it. */
static void write_word(FILE *out, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=,./:+%@";

	if (word[0] != '\0' && word[strspn(word, plain)] == '\0') {
		fputs(word, out);
		return;
	}
	fputc('\'', out);
	for (; *word != '\0'; word++)
		fputs(*word == '\'' ? "'\\''" : (char[]){ *word, '\0' }, out);
	fputc('\'', out);
}

static char *command_line(int argc, char *const *argv)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		return NULL;
	fputs("guestsync bench", out);
	for (int i = 1; i < argc; i++) {
		fputc(' ', out);
		write_word(out, argv[i]);
	}
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

json_t *bench_origin_json(int argc, char *const *argv)
{
	char date[32] = "unknown", kernel[256] = "unknown", cpu[256];
	char *command = command_line(argc, argv);
	time_t now = time(NULL);
	struct utsname system;
	struct tm utc;
	json_t *origin;

	if (command == NULL)
		return NULL;
	if (gmtime_r(&now, &utc) != NULL)
		strftime(date, sizeof(date), "%Y-%m-%d %H:%M UTC", &utc);
	if (uname(&system) == 0)
		snprintf(kernel, sizeof(kernel), "%s %s %s", system.sysname, system.release, system.machine);
	read_cpu(cpu, sizeof(cpu));
	origin = json_pack("{s:s, s:s, s:s, s:s, s:s%}", "date", date, "version", gsync_version(), "kernel", kernel,
			   "cpu", cpu, "command", command, strlen(command));
	/* What the user typed need not be UTF-8, which JSON insists on. */
	if (origin == NULL)
		origin = json_pack("{s:s, s:s, s:s, s:s, s:s}", "date", date, "version", gsync_version(), "kernel",
				   kernel, "cpu", cpu, "command", "not in UTF-8");
	free(command);
	return origin;
}
