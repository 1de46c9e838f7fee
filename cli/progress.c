/* SPDX-License-Identifier: MIT */
#include "cli/progress.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

static bool shown;

void cli_progress(const char *format, ...)
{
	va_list arguments;

	if (!isatty(STDERR_FILENO))
		return;
	fputs("\r\033[K", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fflush(stderr);
	shown = true;
}

void cli_progress_erase(void)
{
	if (shown)
		fputs("\r\033[K", stderr);
	shown = false;
}
