/* SPDX-License-Identifier: MIT */
/* Progress: one line on stderr, rewritten, and only where that is a terminal that can do so. */
#ifndef GUESTSYNC_CLI_PROGRESS_H
#define GUESTSYNC_CLI_PROGRESS_H

/* What takes longer than this shows progress. */
#define CLI_PROGRESS_AFTER_S 2.0

void cli_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Before anything else is written. */
void cli_progress_erase(void);

#endif
