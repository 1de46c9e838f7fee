/* SPDX-License-Identifier: MIT */
/* Why each threshold is what it is: the value, the rule's sentence, and how to set another. */
#include "cli/machine.h"
#include "detect/override.h"

json_t *cli_explain_json(const struct gsync_profile *profile, const struct gsync_reasons *reasons)
{
	json_t *object = json_object();

	for (size_t i = 0; object && i < GSYNC_THRESHOLD_COUNT; i++) {
		const struct gsync_threshold *threshold = &gsync_thresholds[i];
		char variable[GSYNC_VARIABLE_SIZE];

		gsync_override_variable(threshold, variable);
		json_object_set_new(object, threshold->name,
				    json_pack("{s:I, s:s, s:s, s:I, s:I, s:s}", "value",
					      (json_int_t)gsync_profile_value(profile, i), "what", threshold->what, "why",
					      reasons->why[i], "least", (json_int_t)threshold->least, "most",
					      (json_int_t)threshold->most, "variable", variable));
	}
	return object;
}

void cli_explain_print(FILE *out, const struct gsync_profile *profile, const struct gsync_reasons *reasons)
{
	for (size_t i = 0; i < GSYNC_THRESHOLD_COUNT; i++) {
		const struct gsync_threshold *threshold = &gsync_thresholds[i];
		char variable[GSYNC_VARIABLE_SIZE];

		gsync_override_variable(threshold, variable);
		fprintf(out, "%s = %u\n  %s.\n  Because: %s.\n  %s=%u to %u sets another.\n", threshold->name,
			gsync_profile_value(profile, i), threshold->what, reasons->why[i], variable, threshold->least,
			threshold->most);
	}
}
