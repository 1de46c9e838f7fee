/* SPDX-License-Identifier: MIT */
#include "bench/timeline.h"

#include "detect/tuning.h"

void bench_moment_read_profile(struct bench_moment *moment)
{
	struct gsync_profile profile;

	gsync_profile_of_process(&profile, NULL);
	moment->usable_cpus = profile.usable_cpus;
	moment->spin_ns = profile.spin_ns;
	moment->pressure_percent = gsync_is_pressed() ? __atomic_load_n(&gsync_live.pressure, __ATOMIC_RELAXED) : 0;
}
