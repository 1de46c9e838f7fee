/* SPDX-License-Identifier: MIT */
#include "cli/options.h"

#include <assert.h>
#include <getopt.h>
#include <stddef.h>

#include "cli/cli.h"

#define FIRST 256 /* beyond all letters */

static bool takes_argument(const struct cli_option *option)
{
	return option->text != NULL && option->stands_for == NULL;
}

static void take(const struct cli_option *option, const char *argument)
{
	if (option->text != NULL)
		*option->text = takes_argument(option) ? argument : option->stands_for;
	if (option->flag != NULL)
		*option->flag = true;
	if (option->given != NULL)
		*option->given = option->name;
}

int cli_options_read(const char *command, const struct cli_option *options, int argc, char **argv,
		     struct bench_error *error)
{
	struct option known[CLI_OPTIONS_MAX + 1] = { { 0 } };
	const struct cli_option *help;
	int count = 0, found;

	for (; options[count].name != NULL; count++) {
		assert(count < CLI_OPTIONS_MAX);
		known[count].name = options[count].name;
		known[count].has_arg = takes_argument(&options[count]) ? required_argument : no_argument;
		known[count].val = FIRST + count;
	}
	help = &options[count - 1];
	error->text[0] = '\0';
	while ((found = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		if (found == '?')
			return CLI_USAGE;
		take(found == 'h' ? help : &options[found - FIRST], optarg);
	}
	if (*help->flag || optind == argc)
		return CLI_OK;
	bench_fail(error, "%s takes options only, but got \"%s\"", command, argv[optind]);
	return CLI_USAGE;
}
