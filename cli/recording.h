/* SPDX-License-Identifier: MIT */
/* Recordings of machines as the command makes, reads and checks them. Failures are told on stderr. */
#ifndef GUESTSYNC_CLI_RECORDING_H
#define GUESTSYNC_CLI_RECORDING_H

#include "detect/recording.h"

#include <jansson.h>
#include <stdbool.h>

/* What detection makes of a machine, real or recorded. */
struct cli_conclusions {
	struct gsync_facts facts;
	struct gsync_profile profile;
	struct gsync_reasons reasons;
};

/* What anybody set otherwise, in the environment, does not count: that is this process, and not the machine. */
void cli_conclude(const struct gsync_source *source, const struct gsync_calibration *calibration,
		  struct cli_conclusions *out);

/* Records this machine into the file PATH, whole or not at all; "-" = stdout. NOTE may be NULL. An exit status. */
int cli_recording_make(const char *path, const char *note);

/* "-" = stdin. *OUT is to be freed afterwards. */
bool cli_recording_read(const char *path, struct gsync_recording *out);

/* Whether detection answers what the recording expects; tells each difference. Returns an exit status. */
int cli_recording_check(const char *path, struct gsync_recording *recording);

/* Where the answers come from; a new reference, or NULL when memory runs out. */
json_t *cli_recording_json(const struct gsync_recording *recording);
void cli_recording_say(FILE *out, const char *path, const struct gsync_recording *recording);

#endif
