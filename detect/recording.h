/* SPDX-License-Identifier: MIT */
/*
 * Recordings: a machine in a text file, so that detection can be tested on
 * machines that we do not have, and a wrong answer can be sent to us.
 *
 * The text is printable ASCII (and tabs), read line by line. The first line is
 * the format's name and version. Empty lines and lines that begin with "#" mean
 * nothing. All others begin with a word, in any order:
 *
 *   guestsync recording 1
 *   origin real                     or: composed, from documents. Must be there
 *   note made on a laptop           free text; may be repeated
 *   cpuid 40000000 = 40000001 4b4d564b 564b4d56 4d   EAX EBX ECX EDX, all hex;  # a comment
 *   cpuid b.1 = 4 8 201 0           leaf b, subleaf 1; else subleaf 0
 *   cpuid 40000200-40010000 = 0 1 0 0   all leaves from … to … that were asked for
 *   cpuid none                      this CPU has no CPUID: it is not an x86
 *   cpus online 8                   as the C library counts them
 *   cpus affinity 8                 in the affinity mask of the thread that asked
 *   topology packages 1             also cores, threads, numa_nodes; l1d_bytes and
 *                                   l1d_count, and so for l2 and l3. Threads must be
 *                                   there, as many as in the affinity mask
 *   measured pause_ns 23.125        at most three decimals; also wake_ns, counter_mhz
 *   measured pause_spread 0.013     relative; also wake_spread, counter_spread
 *   measured counter_trusted yes    or: no; also pause_trusted, wake_trusted
 *   measured counter_why in step    free text; also pause_why, wake_why
 *   file /proc/self/cgroup          its content follows, each line behind "| "
 *   | 0::/user.slice
 *   error EACCES /proc/1/environ    a file that could not be read
 *   expect hypervisor.name kvm      what `guestsync detect --json` should answer:
 *                                   members and indices joined by points, then the
 *                                   value; "absent" = there is no such member
 *
 * In paths and contents, \\ is a backslash, \t a tab and \xHH any byte; a
 * content's line that ends in a single backslash has no end of line, as a file's
 * last one may. A blank at a line's end is written \x20.
 *
 * What is not in a recording is not on the machine: other files do not exist,
 * other CPUID leaves are zeros, other numbers are unknown. Which files and
 * leaves there are is nobody's business here: the recorder writes down whatever
 * was asked for, so it needs no list that could grow stale.
 */
#ifndef GUESTSYNC_DETECT_RECORDING_H
#define GUESTSYNC_DETECT_RECORDING_H

#include "detect/facts.h"
#include "detect/profile.h"

#include <stdio.h>

enum gsync_origin {
	GSYNC_ORIGIN_UNSAID,
	GSYNC_ORIGIN_REAL,
	GSYNC_ORIGIN_COMPOSED,
};

/* The same answer of all leaves from FIRST to LAST. */
struct gsync_recorded_leaf {
	uint32_t first, last, subleaf;
	struct gsync_cpuid regs;
};

struct gsync_recorded_file {
	char *path;
	int error; /* errno of reading it; 0 = it could be read */
	char *content;
	size_t length;
	size_t asked; /* recorder: the size of the buffer that CONTENT was read into */
};

struct gsync_expectation {
	char *key;
	char *value;
	size_t line; /* where it stands; 0 = in no text yet */
};

/* All zero is a valid recording, of an x86 of which nothing is known. */
struct gsync_recording {
	enum gsync_origin origin;
	char *note; /* its lines; NULL = none */
	bool no_cpuid;
	struct gsync_recorded_leaf *leaves; /* sorted by subleaf, then leaf; they do not overlap */
	size_t leaf_count;
	struct gsync_recorded_file *files;
	size_t file_count;
	int online, affinity;
	bool has_topology;
	struct gsync_topology topology;
	struct gsync_calibration measured; /* zeros = not measured; the texts are the recording's own, or NULL */
	struct gsync_expectation *expectations;
	size_t expectation_count;
};

void gsync_recording_free(struct gsync_recording *recording);

/*
 * These copy what they are given, and return 0 or an errno value: ENOMEM;
 * EINVAL for a text of more than printable ASCII, which no recording can hold;
 * EEXIST for a leaf that is there already.
 */
int gsync_recording_add_note(struct gsync_recording *recording, const char *line);
int gsync_recording_add_leaf(struct gsync_recording *recording, const struct gsync_recorded_leaf *leaf);
int gsync_recording_add_file(struct gsync_recording *recording, const char *path, struct gsync_recorded_file **out);
int gsync_recording_add_expectation(struct gsync_recording *recording, const char *key, const char *value, size_t line);
int gsync_recording_set_measured(struct gsync_recording *recording, const struct gsync_calibration *measured);

/* Both return NULL where the recording has none such. */
const struct gsync_recorded_leaf *gsync_recording_leaf(const struct gsync_recording *recording, uint32_t leaf,
						       uint32_t subleaf);
struct gsync_recorded_file *gsync_recording_file(const struct gsync_recording *recording, const char *path);

/* The recorded machine as a source, valid as long as the recording. */
struct gsync_source gsync_recording_source(struct gsync_recording *recording);

/*
 * A source that asks another, and writes the answers down. What could be a
 * secret and is needed for no answer it passes on, but does not write down.
 */
struct gsync_recorder {
	const struct gsync_source *inner;
	struct gsync_recording *recording;
	int error;	      /* ENOMEM: the recording is not complete; 0 = it is */
	uint32_t leaf_before; /* the leaf asked for last, subleaf 0 */
};

struct gsync_source gsync_recorder_source(struct gsync_recorder *recorder);

/* Whether the writing failed, the stream knows. */
void gsync_recording_write(const struct gsync_recording *recording, FILE *out);

struct gsync_recording_error {
	size_t line;
	char reason[160];
};

/*
 * Reads a recording's text; *OUT is to be freed afterwards. On bad input returns
 * false, and *OUT is all zero: half a machine would be another machine.
 */
bool gsync_recording_parse(struct gsync_recording *out, const char *text, size_t length,
			   struct gsync_recording_error *error);

#endif
