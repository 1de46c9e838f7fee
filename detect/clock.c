/* SPDX-License-Identifier: MIT */
#include "detect/clock.h"

bool gsync_clock_counter_usable;
