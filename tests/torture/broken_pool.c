/* SPDX-License-Identifier: MIT */
/*
 * The pool with one fault: a wake-up for a group is lost, rarely. The program is
 * linked with --wrap=gsync_crew_wake_group, by which whoever runs the last task of a
 * group wakes those who wait for it.
 */
#include "tests/torture/broken.h"

#include "cli/torture.h"
#include "lib/pool.h"

#define WAKES_PER_FAULT 256u /* so that it is lulls that find it */

bool broken_pool;

void __real_gsync_crew_wake_group(gsync_pool_t *pool, const gsync_group_t *group);
void __wrap_gsync_crew_wake_group(gsync_pool_t *pool, const gsync_group_t *group);

void __wrap_gsync_crew_wake_group(gsync_pool_t *pool, const gsync_group_t *group)
{
	if (!broken_pool || torture_draw(WAKES_PER_FAULT) != 0)
		__real_gsync_crew_wake_group(pool, group);
}
