/* SPDX-License-Identifier: MIT */
/* The machine as a report shows it: for programs and for people. */
#ifndef GUESTSYNC_CLI_MACHINE_H
#define GUESTSYNC_CLI_MACHINE_H

#include "detect/facts.h"
#include "detect/tuning.h"

#include <jansson.h>
#include <stdio.h>

/*
 * A new reference, or NULL when memory runs out. Unknown values are null, and
 * so is a quota that does not exist.
 */
json_t *cli_machine_json(const struct gsync_facts *facts, const struct gsync_calibration *calibration,
			 const struct gsync_profile *profile);

/* In a few sentences: what this is, what CPU it gets, how long a waiter should spin. */
void cli_machine_say(FILE *out, const struct gsync_facts *facts, const struct gsync_calibration *calibration,
		     const struct gsync_profile *profile);

/* The same, and every fact, measurement and threshold. */
void cli_machine_print(FILE *out, const struct gsync_facts *facts, const struct gsync_calibration *calibration,
		       const struct gsync_profile *profile);

/* Each threshold with the reason for its value, its bounds and its environment variable. */
json_t *cli_explain_json(const struct gsync_profile *profile, const struct gsync_reasons *reasons);
void cli_explain_print(FILE *out, const struct gsync_profile *profile, const struct gsync_reasons *reasons);

#endif
