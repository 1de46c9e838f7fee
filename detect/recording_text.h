/* SPDX-License-Identifier: MIT */
/*
 * The words of the recordings' text that its writer and its parser share: every
 * number stands in one table, every errno's name in another.
 */
#ifndef GUESTSYNC_DETECT_RECORDING_TEXT_H
#define GUESTSYNC_DETECT_RECORDING_TEXT_H

#include "detect/recording.h"

#include <errno.h>
#include <stddef.h>

#define GSYNC_RECORDING_TITLE "guestsync recording"
#define GSYNC_RECORDING_VERSION "1"
#define GSYNC_SIGNATURE_SIZE 12

enum gsync_field_kind {
	GSYNC_FIELD_COUNT,   /* int, at least 1; 0 = unknown */
	GSYNC_FIELD_BYTES,   /* uint64_t, the same */
	GSYNC_FIELD_DECIMAL, /* double, the same, in thousandths */
	GSYNC_FIELD_YES_NO,  /* bool; why, the next field says */
	GSYNC_FIELD_TEXT,    /* const char *, allocated; NULL = unknown */
};

/* One that stands in a line "GROUP KEY VALUE". */
struct gsync_field {
	const char *group;
	const char *key;
	enum gsync_field_kind kind;
	size_t offset;
};

#define GSYNC_FIELD(group, key, kind, member)                                                                          \
	{ group, key, GSYNC_FIELD_##kind, offsetof(struct gsync_recording, member) }

static const struct gsync_field gsync_fields[] = {
	GSYNC_FIELD("cpus", "online", COUNT, online),
	GSYNC_FIELD("cpus", "affinity", COUNT, affinity),
	GSYNC_FIELD("topology", "packages", COUNT, topology.packages),
	GSYNC_FIELD("topology", "cores", COUNT, topology.cores),
	GSYNC_FIELD("topology", "threads", COUNT, topology.threads),
	GSYNC_FIELD("topology", "numa_nodes", COUNT, topology.numa_nodes),
	GSYNC_FIELD("topology", "l1d_bytes", BYTES, topology.l1d_bytes),
	GSYNC_FIELD("topology", "l2_bytes", BYTES, topology.l2_bytes),
	GSYNC_FIELD("topology", "l3_bytes", BYTES, topology.l3_bytes),
	GSYNC_FIELD("topology", "l1d_count", COUNT, topology.l1d_count),
	GSYNC_FIELD("topology", "l2_count", COUNT, topology.l2_count),
	GSYNC_FIELD("topology", "l3_count", COUNT, topology.l3_count),
	GSYNC_FIELD("measured", "pause_ns", DECIMAL, measured.pause_ns),
	GSYNC_FIELD("measured", "pause_spread", DECIMAL, measured.pause_spread),
	GSYNC_FIELD("measured", "pause_trusted", YES_NO, measured.pause_trusted),
	GSYNC_FIELD("measured", "pause_why", TEXT, measured.pause_why),
	GSYNC_FIELD("measured", "wake_ns", DECIMAL, measured.wake_ns),
	GSYNC_FIELD("measured", "wake_spread", DECIMAL, measured.wake_spread),
	GSYNC_FIELD("measured", "wake_trusted", YES_NO, measured.wake_trusted),
	GSYNC_FIELD("measured", "wake_why", TEXT, measured.wake_why),
	GSYNC_FIELD("measured", "counter_mhz", DECIMAL, measured.counter_mhz),
	GSYNC_FIELD("measured", "counter_spread", DECIMAL, measured.counter_spread),
	GSYNC_FIELD("measured", "counter_trusted", YES_NO, measured.counter_trusted),
	GSYNC_FIELD("measured", "counter_why", TEXT, measured.counter_why),
};

#define GSYNC_FIELD_COUNT_OF (sizeof(gsync_fields) / sizeof(gsync_fields[0]))
#define GSYNC_RECORDED_COUNT_MAX 1000000u
#define GSYNC_DECIMAL_DIGITS 12 /* before the point; with three behind it a double holds them all */

struct gsync_errno_name {
	int number;
	const char *name;
};

/* Of these alone a recording knows the names; any other is EIO. */
static const struct gsync_errno_name gsync_errno_names[] = {
	{ EIO, "EIO" },		{ EACCES, "EACCES" },	  { EPERM, "EPERM" },	{ ENOENT, "ENOENT" },
	{ EISDIR, "EISDIR" },	{ ENOTDIR, "ENOTDIR" },	  { EINVAL, "EINVAL" }, { ELOOP, "ELOOP" },
	{ ENXIO, "ENXIO" },	{ ENODEV, "ENODEV" },	  { ENODATA, "ENODATA" }, { EOPNOTSUPP, "EOPNOTSUPP" },
	{ EAGAIN, "EAGAIN" },	{ EBUSY, "EBUSY" },	  { ESRCH, "ESRCH" },	{ ENAMETOOLONG, "ENAMETOOLONG" },
	{ EMFILE, "EMFILE" },	{ ENFILE, "ENFILE" },	  { ENOMEM, "ENOMEM" }, { EOVERFLOW, "EOVERFLOW" },
};

#define GSYNC_ERRNO_COUNT (sizeof(gsync_errno_names) / sizeof(gsync_errno_names[0]))

#endif
