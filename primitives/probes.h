/* SPDX-License-Identifier: MIT */
/*
 * Static probes (USDT) in slow paths, for perf, bpftrace and SystemTap: a nop
 * each, and a note in the library of where it is and what it tells. Provider
 * guestsync; the names are glibc's, where glibc has one. man/gsync_statistics.3
 * lists them. Without <sys/sdt.h> at build time there are none.
 */
#ifndef GUESTSYNC_PRIMITIVES_PROBES_H
#define GUESTSYNC_PRIMITIVES_PROBES_H

#ifdef HAVE_SDT
#include <sys/sdt.h>
#define GSYNC_PROBE1(name, a) DTRACE_PROBE1(guestsync, name, a)
#define GSYNC_PROBE2(name, a, b) DTRACE_PROBE2(guestsync, name, a, b)
#define GSYNC_PROBE3(name, a, b, c) DTRACE_PROBE3(guestsync, name, a, b, c)
#else
#define GSYNC_PROBE1(name, a) ((void)(a))
#define GSYNC_PROBE2(name, a, b) ((void)(a), (void)(b))
#define GSYNC_PROBE3(name, a, b, c) ((void)(a), (void)(b), (void)(c))
#endif

#endif
