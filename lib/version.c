/* SPDX-License-Identifier: MIT */
#include <guestsync/base.h>

const char *gsync_version(void)
{
	return GSYNC_VERSION;
}
