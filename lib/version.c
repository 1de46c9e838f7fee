/* SPDX-License-Identifier: MIT */
/* The version, as meson.build names it. */
#include <guestsync/base.h>

const char *gsync_version(void)
{
	return GSYNC_VERSION;
}
