/* SPDX-License-Identifier: MIT */
/*
 * Recordings: a machine that was recorded answers as it did, what is not in a
 * recording is not there, secrets stay out, and bad input is refused with the
 * number of its line.
 */
#include "detect/recording.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define TITLE "guestsync recording 1\norigin real\n"

static struct gsync_recording parse(const char *text)
{
	struct gsync_recording recording;
	struct gsync_recording_error error;

	if (!gsync_recording_parse(&recording, text, strlen(text), &error))
		fail_msg("line %zu: %s", error.line, error.reason);
	return recording;
}

/* To be freed. */
static char *text_of(const struct gsync_recording *recording)
{
	size_t length;
	char *text;
	FILE *stream = open_memstream(&text, &length);

	assert_non_null(stream);
	gsync_recording_write(recording, stream);
	assert_int_equal(fclose(stream), 0);
	return text;
}

static void assert_file(struct gsync_recording *recording, const char *path, const void *content, size_t length)
{
	struct gsync_source source = gsync_recording_source(recording);
	char buffer[1024];

	assert_int_equal(source.read_file(source.context, path, buffer, sizeof(buffer)), length);
	assert_memory_equal(buffer, content, length);
	assert_int_equal(buffer[length], '\0');
}

static void assert_leaf(struct gsync_recording *recording, uint32_t leaf, uint32_t subleaf, uint32_t eax)
{
	struct gsync_source source = gsync_recording_source(recording);
	struct gsync_cpuid regs = { 77, 77, 77, 77 };

	assert_true(source.cpuid(source.context, leaf, subleaf, &regs));
	assert_int_equal(regs.eax, eax);
}

static void assert_same_facts(const struct gsync_facts *one, const struct gsync_source *other)
{
	struct gsync_facts a = *one;
	struct gsync_facts b;
	int i;

	gsync_facts_read(other, &b);
	assert_string_equal(a.hypervisor.name, b.hypervisor.name);
	assert_int_equal(a.hypervisor.layer_count, b.hypervisor.layer_count);
	for (i = 0; i < a.hypervisor.layer_count; i++)
		assert_string_equal(a.hypervisor.layers[i], b.hypervisor.layers[i]);
	assert_int_equal(a.hypervisor.base, b.hypervisor.base);
	assert_int_equal(a.hypervisor.features, b.hypervisor.features);
	assert_int_equal(a.hypervisor.hints, b.hypervisor.hints);
	assert_string_equal(a.hypervisor.signature, b.hypervisor.signature);
	assert_string_equal(a.hypervisor.confidential, b.hypervisor.confidential);
	assert_string_equal(a.container, b.container);
	assert_int_equal(a.cpus.online, b.cpus.online);
	assert_int_equal(a.cpus.affinity, b.cpus.affinity);
	assert_float_equal(a.cpus.quota, b.cpus.quota, 0);
	assert_float_equal(a.cpus.usable, b.cpus.usable, 0);
	assert_float_equal(a.steal_percent, b.steal_percent, 0);
	assert_string_equal(a.hypervisor.role, b.hypervisor.role);
	assert_memory_equal(&a.load, &b.load, sizeof(a.load));
	assert_string_equal(a.idle.driver, b.idle.driver);
	assert_string_equal(a.idle.governor, b.idle.governor);
	assert_int_equal(a.topology.threads, b.topology.threads);
	assert_int_equal(a.topology.numa_nodes, b.topology.numa_nodes);
	assert_int_equal(a.topology.l3_bytes, b.topology.l3_bytes);
	assert_int_equal(a.topology.l3_count, b.topology.l3_count);
}

/* ---- the machine of a text */

static const char everything[] =
	TITLE "note one\nnote two\n\n# nothing\n"
	"cpuid 40000000 = 40000001 4b4d564b 564b4d56 4d   # \"KVM\"\n"
	"cpuid b.1 = 4 8 201 0\ncpuid 100-1f0 = 5 0 0 0#\n"
	"cpus online 8\ncpus affinity 3\n"
	"topology packages 1\ntopology cores 4\ntopology threads 8\n"
	"topology numa_nodes 2\ntopology l1d_bytes 32768\n"
	"topology l2_bytes 1048576\ntopology l3_bytes 34359738368\n"
	"measured pause_ns 23.125\nmeasured wake_ns 17345\n"
	"measured counter_mhz 2599.9\nmeasured counter_trusted yes\n"
	"measured counter_why in step\n"
	"measured wake_spread 0.125\nmeasured wake_trusted yes\n"
	"measured wake_why steady\nmeasured pause_spread 0.01\n"
	"measured pause_trusted no\nmeasured pause_why jumps\n"
	"measured counter_spread 0.001\n"
	"file /with a blank\n| text\n|\n| end\\\nerror EACCES /secret\n"
	"expect hypervisor.name kvm\nexpect a.0 two words";

static void test_everything_that_a_text_can_say_is_understood(void **state)
{
	struct gsync_recording recording = parse(everything);
	struct gsync_source source = gsync_recording_source(&recording);
	struct gsync_topology topology;
	char buffer[8];

	(void)state;
	assert_int_equal(recording.origin, GSYNC_ORIGIN_REAL);
	assert_string_equal(recording.note, "one\ntwo");
	assert_leaf(&recording, 0x40000000, 0, 0x40000001);
	assert_leaf(&recording, 0xb, 1, 4);
	assert_leaf(&recording, 0x100, 0, 5);
	assert_leaf(&recording, 0x1f0, 0, 5);
	assert_int_equal(source.cpus_online(source.context), 8);
	assert_int_equal(source.cpus_affinity(source.context), 3);
	assert_true(source.topology(source.context, &topology));
	assert_int_equal(topology.packages, 1);
	assert_int_equal(topology.cores, 4);
	assert_int_equal(topology.threads, 8);
	assert_int_equal(topology.numa_nodes, 2);
	assert_int_equal(topology.l1d_bytes, 32768);
	assert_int_equal(topology.l2_bytes, 1048576);
	assert_true(topology.l3_bytes == 34359738368);
	assert_float_equal(recording.measured.pause_ns, 23.125, 0);
	assert_float_equal(recording.measured.wake_ns, 17345, 0);
	assert_float_equal(recording.measured.counter_mhz, 2599.9, 1e-9);
	assert_true(recording.measured.counter_trusted);
	assert_string_equal(recording.measured.counter_why, "in step");
	assert_float_equal(recording.measured.counter_spread, 0.001, 0);
	assert_float_equal(recording.measured.wake_spread, 0.125, 0);
	assert_true(recording.measured.wake_trusted);
	assert_string_equal(recording.measured.wake_why, "steady");
	assert_float_equal(recording.measured.pause_spread, 0.01, 0);
	assert_false(recording.measured.pause_trusted);
	assert_string_equal(recording.measured.pause_why, "jumps");
	assert_file(&recording, "/with a blank", "text\n\nend", 9);
	assert_int_equal(source.read_file(source.context, "/secret", buffer, sizeof(buffer)), -EACCES);
	assert_int_equal(recording.expectation_count, 2);
	assert_string_equal(recording.expectations[0].key, "hypervisor.name");
	assert_string_equal(recording.expectations[1].value, "two words");
	assert_int_equal(recording.expectations[0].line, 36);
	gsync_recording_free(&recording);
}

static void test_what_is_not_said_is_not_there(void **state)
{
	struct gsync_recording recording = parse("guestsync recording 1\norigin composed\n"
						 "cpuid 1 = 2 0 0 0\ncpuid 7.1 = 3 0 0 0\n");
	struct gsync_source source = gsync_recording_source(&recording);
	struct gsync_topology topology;
	char buffer[8];

	(void)state;
	assert_int_equal(recording.origin, GSYNC_ORIGIN_COMPOSED);
	assert_int_equal(source.read_file(source.context, "/proc/stat", buffer, sizeof(buffer)), -ENOENT);
	assert_leaf(&recording, 0, 0, 0);
	assert_leaf(&recording, 2, 0, 0);
	assert_leaf(&recording, 7, 0, 0);
	assert_leaf(&recording, 1, 1, 0);
	assert_leaf(&recording, 0xffffffff, 0xffffffff, 0);
	assert_int_equal(source.cpus_online(source.context), 0);
	assert_int_equal(source.cpus_affinity(source.context), 0);
	assert_false(source.topology(source.context, &topology));
	assert_null(recording.note);
	gsync_recording_free(&recording);
}

static void test_a_machine_without_cpuid_says_so(void **state)
{
	struct gsync_recording recording = parse(TITLE "cpuid none\n");
	struct gsync_source source = gsync_recording_source(&recording);
	struct gsync_cpuid regs;
	char *text = text_of(&recording);

	(void)state;
	assert_false(source.cpuid(source.context, 0, 0, &regs));
	assert_string_equal(text, TITLE "cpuid none\n");
	free(text);
	gsync_recording_free(&recording);
}

static void test_a_small_buffer_gets_the_beginning(void **state)
{
	struct gsync_recording recording = parse(TITLE "file /f\n| abcdef\nfile /empty\n");
	struct gsync_source source = gsync_recording_source(&recording);
	char buffer[4] = "XYZ";

	(void)state;
	assert_int_equal(source.read_file(source.context, "/f", buffer, sizeof(buffer)), 3);
	assert_string_equal(buffer, "abc");
	assert_int_equal(source.read_file(source.context, "/f", buffer, 1), 0);
	assert_string_equal(buffer, "");
	assert_int_equal(source.read_file(source.context, "/f", buffer, 0), -EINVAL);
	assert_file(&recording, "/empty", "", 0);
	gsync_recording_free(&recording);
}

static void test_leaves_in_any_order_are_found(void **state)
{
	struct gsync_recording recording = { 0 };
	uint32_t i;

	(void)state;
	for (i = 0; i < 257; i++) {
		uint32_t number = i * 101 % 257; /* every number below 257 once, and not in order */
		struct gsync_recorded_leaf leaf = { number * 4, number * 4 + 1, i & 1, { number + 1, 0, 0, 0 } };

		assert_int_equal(gsync_recording_add_leaf(&recording, &leaf), 0);
		assert_int_equal(gsync_recording_add_leaf(&recording, &leaf), EEXIST);
	}
	for (i = 0; i < 257; i++) {
		uint32_t number = i * 101 % 257;

		assert_leaf(&recording, number * 4, i & 1, number + 1);
		assert_leaf(&recording, number * 4 + 1, i & 1, number + 1);
		assert_leaf(&recording, number * 4 + 2, i & 1, 0);
		assert_leaf(&recording, number * 4, !(i & 1), 0);
	}
	gsync_recording_free(&recording);
}

/* ---- text and back */

static void test_every_byte_survives_the_text(void **state)
{
	struct gsync_recording recording = { .origin = GSYNC_ORIGIN_REAL };
	struct gsync_recording again;
	struct gsync_recorded_file *file;
	char bytes[3 * 256];
	char *text, *second;
	int i;

	(void)state;
	for (i = 0; i < 256; i++) {
		bytes[3 * i] = (char)i;
		bytes[3 * i + 1] = i & 1 ? ' ' : '\\';
		bytes[3 * i + 2] = i & 2 ? '\n' : 'x';
	}
	assert_int_equal(gsync_recording_add_file(&recording, "/a \\b\tc\x01 ", &file), 0);
	file->content = malloc(sizeof(bytes));
	assert_non_null(file->content);
	memcpy(file->content, bytes, sizeof(bytes));
	file->length = sizeof(bytes);
	text = text_of(&recording);
	again = parse(text);
	assert_file(&again, "/a \\b\tc\x01 ", bytes, sizeof(bytes));
	second = text_of(&again);
	assert_string_equal(text, second);
	assert_null(strstr(text, " \n"));
	free(text);
	free(second);
	gsync_recording_free(&recording);
	gsync_recording_free(&again);
}

static void test_the_text_is_for_people(void **state)
{
	static const char good[] = "guestsync recording 1\norigin composed\nnote first\nnote second\n"
				   "expect container none\ncpus online 4\ntopology l2_bytes 2097152\n"
				   "measured wake_ns 17345.250\nmeasured wake_spread 0.125\n"
				   "measured wake_trusted no\nmeasured wake_why doubt\n"
				   "measured counter_trusted yes\n"
				   "cpuid 0 = d 756e6547 6c65746e 49656e69   # \"GenuineIntel\"\n"
				   "cpuid 1 = 1 2 3 80000000\n"
				   "cpuid 40000000 = 40000001 4b4d564b 564b4d56 4d   # \"KVMKVMKVM\"\n"
				   "cpuid 40000100-40010000 = 0 70001 0 0\ncpuid b.1 = 1 2 3 4\n"
				   "error EISDIR /proc/vz\nfile /a\n| one\n|\n|  two\\x20\nfile /b\nfile /c\n| end\\\n";
	struct gsync_recording recording = parse(good);
	char *text = text_of(&recording);

	(void)state;
	assert_string_equal(text, good);
	free(text);
	gsync_recording_free(&recording);
}

static void test_an_error_without_a_name_is_an_input_error(void **state)
{
	struct gsync_recording recording = { .origin = GSYNC_ORIGIN_REAL };
	struct gsync_recorded_file *file;
	char *text;

	(void)state;
	assert_int_equal(gsync_recording_add_file(&recording, "/a", &file), 0);
	file->error = EKEYREJECTED;
	text = text_of(&recording);
	assert_string_equal(text, TITLE "error EIO /a\n");
	free(text);
	gsync_recording_free(&recording);
}

static void test_what_cannot_be_written_is_not_taken(void **state)
{
	struct gsync_recording recording = { 0 };
	struct gsync_calibration measured = { .counter_why = "two\nlines" };

	(void)state;
	assert_int_equal(gsync_recording_add_note(&recording, "two\nlines"), EINVAL);
	assert_int_equal(gsync_recording_add_expectation(&recording, "a", "b\x80", 0), EINVAL);
	assert_int_equal(gsync_recording_set_measured(&recording, &measured), EINVAL);
	assert_null(recording.measured.counter_why);
	measured.counter_why = "one line";
	assert_int_equal(gsync_recording_set_measured(&recording, &measured), 0);
	assert_int_equal(gsync_recording_set_measured(&recording, &measured), 0);
	assert_string_equal(recording.measured.counter_why, "one line");
	assert_ptr_not_equal(recording.measured.counter_why, measured.counter_why);
	gsync_recording_free(&recording);
}

/* ---- recording a machine */

/* Records what facts are read from, and returns the recording's text. To be freed. */
static char *record(const struct gsync_source *inner, struct gsync_facts *facts)
{
	struct gsync_recording recording = { .origin = GSYNC_ORIGIN_REAL };
	struct gsync_recorder recorder = { .inner = inner, .recording = &recording };
	struct gsync_source source = gsync_recorder_source(&recorder);
	char *text;

	gsync_facts_read(&source, facts);
	assert_int_equal(recorder.error, 0);
	text = text_of(&recording);
	gsync_recording_free(&recording);
	return text;
}

static const char busy_machine[] =
	TITLE "cpus online 64\ncpus affinity 3\ntopology threads 3\ntopology numa_nodes 2\n"
	      "cpuid 0 = 16 756e6547 6c65746e 49656e69\ncpuid 1 = 0 0 80000000 0\n"
	      "cpuid 40000000 = 4000000b 7263694d 666f736f 76482074\ncpuid 40000001 = 31237648 0 0 0\n"
	      "cpuid 40000100 = 40000101 4b4d564b 564b4d56 4d\ncpuid 40000101 = 1007efb 0 0 1\n"
	      "file /proc/1/environ\n| PASSWORD=hunter2\\x00container=podman\\x00TOKEN=x\\x00\\\n"
	      "file /proc/self/cgroup\n| 0::/user.slice/a b\n"
	      "file /proc/self/mountinfo\n| 22 27 0:21 / /home/alice rw - nfs4 server.example:/alice rw\n"
	      "| 30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
	      "| 31 23 0:27 / /mnt rw - ext4 /dev/vault rw\\\n"
	      "file /sys/fs/cgroup/user.slice/cpu.max\n| 150000 100000\n"
	      "file /sys/fs/cgroup/user.slice/cpu.stat\n| nr_periods 9\n| nr_throttled 3\n| throttled_usec 70\n"
	      "file /proc/thread-self/schedstat\n| 1000 2000 3\n"
	      "file /sys/devices/system/cpu/cpuidle/current_driver\n| haltpoll\n"
	      "file /proc/stat\n| cpu 10 0 10 70 0 0 0 10 0 0\nerror EACCES /proc/vz\nfile /proc/never-read\n| x\n"
	      "file /proc/self/status\n| Name:\ttest\n| TracerPid:\t7\n| Uid:\t4711\nfile /proc/7/comm\n| gdb\n";

static void test_a_recorded_machine_answers_as_it_did(void **state)
{
	struct gsync_recording machine = parse(busy_machine);
	struct gsync_source original = gsync_recording_source(&machine);
	struct gsync_facts facts, again;
	char *text = record(&original, &facts);
	struct gsync_recording recorded = parse(text);
	struct gsync_source replayed = gsync_recording_source(&recorded);
	char *second = record(&replayed, &again);

	(void)state;
	assert_same_facts(&facts, &original);
	assert_same_facts(&facts, &replayed);
	assert_string_equal(second, text);
	assert_float_equal(facts.cpus.usable, 1.5, 0);
	assert_int_equal(facts.topology.numa_nodes, 2);
	assert_int_equal(facts.load.run_queue_wait_ns, 2000);
	assert_string_equal(facts.idle.driver, "haltpoll");
	assert_non_null(strstr(text, "error EACCES /proc/vz\n"));
	assert_null(strstr(text, "never-read"));
	assert_null(strstr(text, "ENOENT"));
	free(text);
	free(second);
	gsync_recording_free(&machine);
	gsync_recording_free(&recorded);
}

/* What a machine does not have, its recording says it has not. */
static void test_a_machine_without_cpuid_and_topology_is_recorded_without(void **state)
{
	struct gsync_recording inner = parse(TITLE "cpuid none\n"), out = { .note = NULL };
	struct gsync_source source = gsync_recording_source(&inner);
	struct gsync_recorder recorder = { .inner = &source, .recording = &out };
	struct gsync_source recording = gsync_recorder_source(&recorder);
	struct gsync_topology topology;
	struct gsync_cpuid regs;

	(void)state;
	assert_false(recording.cpuid(recording.context, 0, 0, &regs));
	assert_true(out.no_cpuid);
	assert_false(recording.topology(recording.context, &topology));
	source.topology = NULL;
	assert_false(recording.topology(recording.context, &topology));
	assert_false(out.has_topology);
	assert_int_equal(recorder.error, 0);
	gsync_recording_free(&out);
	gsync_recording_free(&inner);
}

static void test_secrets_stay_out(void **state)
{
	static const char *const secrets[] = { "hunter2", "TOKEN", "alice", "vault", "4711" };
	struct gsync_recording machine = parse(busy_machine);
	struct gsync_source original = gsync_recording_source(&machine);
	struct gsync_facts facts;
	char *text = record(&original, &facts);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
		assert_null(strstr(text, secrets[i]));
	assert_non_null(strstr(text, "file /proc/1/environ\n| container=podman\\x00\\\n"));
	assert_non_null(strstr(text, "- cgroup2 cgroup2"));
	free(text);
	gsync_recording_free(&machine);
}

/* Cut in the middle, a line may look like another. */
static void test_half_a_line_of_a_secretive_file_stays_out(void **state)
{
	struct gsync_recording machine = parse(TITLE "file /proc/self/mountinfo\n"
						     "| 1 - cgroup cgroup rw,cpu\n| 2 - cgroup x\n");
	struct gsync_source inner = gsync_recording_source(&machine);
	struct gsync_recording recording = { .origin = GSYNC_ORIGIN_REAL };
	struct gsync_recorder recorder = { .inner = &inner, .recording = &recording };
	struct gsync_source source = gsync_recorder_source(&recorder);
	char buffer[38]; /* one byte too small for both lines */

	(void)state;
	assert_int_equal(source.read_file(source.context, "/proc/self/mountinfo", buffer, sizeof(buffer)), 37);
	assert_file(&recording, "/proc/self/mountinfo", "1 - cgroup cgroup rw,cpu\n", 25);
	gsync_recording_free(&machine);
	gsync_recording_free(&recording);
}

static void test_of_several_readings_the_longest_is_kept(void **state)
{
	struct gsync_recording machine = parse(TITLE "file /f\n| abcdef\\\nerror EISDIR /d\n");
	struct gsync_source inner = gsync_recording_source(&machine);
	struct gsync_recording recording = { .origin = GSYNC_ORIGIN_REAL };
	struct gsync_recorder recorder = { .inner = &inner, .recording = &recording };
	struct gsync_source source = gsync_recorder_source(&recorder);
	char buffer[8];

	(void)state;
	source.read_file(source.context, "/f", buffer, 2);
	assert_file(&recording, "/f", "a", 1);
	source.read_file(source.context, "/f", buffer, sizeof(buffer));
	memset(machine.files[0].content, 'X', 6);
	source.read_file(source.context, "/f", buffer, sizeof(buffer));
	source.read_file(source.context, "/f", buffer, 4);
	source.read_file(source.context, "/d", buffer, sizeof(buffer));
	source.read_file(source.context, "/none", buffer, sizeof(buffer));
	assert_file(&recording, "/f", "abcdef", 6);
	assert_int_equal(recording.file_count, 2);
	assert_int_equal(recording.files[1].error, EISDIR);
	gsync_recording_free(&machine);
	gsync_recording_free(&recording);
}

/* Asks for one leaf in each hundred from FIRST to LAST. */
static void ask_leaves(struct gsync_source *source, uint32_t first, uint32_t last)
{
	struct gsync_cpuid regs;

	for (; first <= last; first += 0x100)
		source->cpuid(source->context, first, 0, &regs);
}

static void test_the_same_answer_of_leaves_in_a_row_is_one_line(void **state)
{
	struct gsync_recording machine = parse(TITLE "cpuid 1 = 9 0 0 0\ncpuid 1000-2000 = 5 0 0 0\n"
						     "cpuid 2100-3000 = 0 0 0 0\ncpuid 3100-4000 = 5 0 0 0\n");
	struct gsync_source inner = gsync_recording_source(&machine);
	struct gsync_recording recording = { .origin = GSYNC_ORIGIN_REAL };
	struct gsync_recorder recorder = { .inner = &inner, .recording = &recording };
	struct gsync_source source = gsync_recorder_source(&recorder);
	char *text;

	(void)state;
	ask_leaves(&source, 0x1000, 0x4000);
	ask_leaves(&source, 1, 1);
	ask_leaves(&source, 0x1000, 0x4000);
	text = text_of(&recording);
	assert_string_equal(text, TITLE "cpuid 1 = 9 0 0 0\ncpuid 1000-2000 = 5 0 0 0\ncpuid 3100-4000 = 5 0 0 0\n");
	free(text);
	gsync_recording_free(&machine);
	gsync_recording_free(&recording);
}

static void test_leaves_between_two_that_were_asked_for_are_not_claimed(void **state)
{
	struct gsync_recording machine = parse(TITLE "cpuid 10 = 5 0 0 0\ncpuid 20 = 6 0 0 0\ncpuid 30 = 5 0 0 0\n"
						     "cpuid 40.1 = 5 0 0 0\n");
	struct gsync_source inner = gsync_recording_source(&machine);
	struct gsync_recording recording = { .origin = GSYNC_ORIGIN_REAL };
	struct gsync_recorder recorder = { .inner = &inner, .recording = &recording };
	struct gsync_source source = gsync_recorder_source(&recorder);
	static const uint32_t order[] = { 0x20, 0x10, 0x30 };
	struct gsync_cpuid regs;
	char *text;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++)
		source.cpuid(source.context, order[i], 0, &regs);
	source.cpuid(source.context, 0x40, 1, &regs);
	text = text_of(&recording);
	assert_string_equal(text, TITLE "cpuid 10 = 5 0 0 0\ncpuid 20 = 6 0 0 0\ncpuid 30 = 5 0 0 0\n"
					"cpuid 40.1 = 5 0 0 0\n");
	free(text);
	gsync_recording_free(&machine);
	gsync_recording_free(&recording);
}

static void test_this_machine_can_be_recorded(void **state)
{
	struct gsync_facts facts;
	char *text = record(&gsync_source_full, &facts);
	struct gsync_recording recorded = parse(text);
	struct gsync_source replayed = gsync_recording_source(&recorded);

	(void)state;
	assert_same_facts(&facts, &replayed);
	free(text);
	gsync_recording_free(&recorded);
}

/* ---- bad input */

static void assert_refused(const char *text, size_t length, size_t line, const char *reason)
{
	static const struct gsync_recording nothing;
	struct gsync_recording recording;
	struct gsync_recording_error error = { 0 };

	memset(&recording, 0x5a, sizeof(recording));
	if (gsync_recording_parse(&recording, text, length, &error))
		fail_msg("accepted: %s", text);
	if (error.line != line || !strstr(error.reason, reason))
		fail_msg("line %zu: %s; but line %zu: \"%s\" was expected", error.line, error.reason, line, reason);
	assert_memory_equal(&recording, &nothing, sizeof(recording));
}

static const struct {
	const char *lines; /* behind the title, whose two lines are good */
	size_t line;
	const char *reason;
} bad_lines[] = {
	{ "nonsense\n", 3, "no line begins with \"nonsense\"" },
	{ " cpus online 4\n", 3, "no line begins with" },
	{ "Cpus online 4\n", 3, "no line begins with" },
	{ "note fine\n\n# fine\nnonsense", 6, "no line begins" },
	{ "origin real\n", 3, "twice" },
	{ "note\n", 3, "empty" },
	{ "note \x07\n", 3, "byte 0x07 in column 6" },
	{ "note caf\xc3\xa9\n", 3, "byte 0xc3" },
	{ "note x\r\n", 3, "byte 0x0d" },
	{ "cpus\n", 3, "cpus has no \"\"" },
	{ "cpus idle 4\n", 3, "cpus has no \"idle\"" },
	{ "cpus online\n", 3, "no value" },
	{ "cpus online 0\n", 3, "no value" },
	{ "cpus online -1\n", 3, "no value" },
	{ "cpus online  4\n", 3, "no value" },
	{ "cpus online 4x\n", 3, "no value" },
	{ "cpus online 1000001\n", 3, "no value" },
	{ "cpus online 99999999999999999999\n", 3, "no value" },
	{ "cpus online 4\ncpus affinity 4\ncpus online 4\n", 5, "cpus online is said twice" },
	{ "topology l3_bytes 9999999999999999999\n", 3, "no value" },
	{ "topology pause_ns 1\n", 3, "topology has no \"pause_ns\"" },
	{ "measured pause_ns\n", 3, "no value" },
	{ "measured pause_ns -1\n", 3, "no value" },
	{ "measured pause_ns nan\n", 3, "no value" },
	{ "measured pause_ns inf\n", 3, "no value" },
	{ "measured pause_ns 0x10\n", 3, "no value" },
	{ "measured pause_ns 1e3\n", 3, "no value" },
	{ "measured pause_ns 1.\n", 3, "no value" },
	{ "measured pause_ns .5\n", 3, "no value" },
	{ "measured pause_ns 1.2345\n", 3, "no value" },
	{ "measured pause_ns 1234567890123\n", 3, "no value" },
	{ "measured counter_trusted perhaps\n", 3, "no value" },
	{ "measured counter_why\n", 3, "no value" },
	{ "cpuid\n", 3, "no leaf" },
	{ "cpuid = 1 2 3 4\n", 3, "no leaf" },
	{ "cpuid 123456789 = 1 2 3 4\n", 3, "no leaf" },
	{ "cpuid 1 1 2 3 4\n", 3, "not four registers" },
	{ "cpuid 1 = 1 2 3\n", 3, "not four registers" },
	{ "cpuid 1 = 1 2 3 4 5\n", 3, "not four registers" },
	{ "cpuid 1 = 1 2 3 g\n", 3, "not four registers" },
	{ "cpuid 1 = 1 2 3 123456789\n", 3, "not four registers" },
	{ "cpuid 1 = 1 2 # 3 4\n", 3, "not four registers" },
	{ "cpuid 1. = 1 2 3 4\n", 3, "no subleaf" },
	{ "cpuid 2-1 = 1 2 3 4\n", 3, "a range" },
	{ "cpuid 2-2 = 1 2 3 4\n", 3, "a range" },
	{ "cpuid 2- = 1 2 3 4\n", 3, "a range" },
	{ "cpuid 1 = 1 2 3 4\ncpuid 1 = 1 2 3 4\n", 4, "earlier line" },
	{ "cpuid 1-5 = 1 2 3 4\ncpuid 3 = 0 0 0 0\n", 4, "earlier line" },
	{ "cpuid 3 = 1 2 3 4\ncpuid 1-3 = 0 0 0 0\n", 4, "earlier line" },
	{ "cpuid 1 = 1 2 3 4\ncpuid none\n", 4, "in earlier lines" },
	{ "cpuid none\ncpuid 1 = 1 2 3 4\n", 4, "there is no CPUID" },
	{ "| text\n", 3, "of no file" },
	{ "file /a\ncpus online 4\n| text\n", 5, "of no file" },
	{ "error EIO /a\n| text\n", 4, "of no file" },
	{ "file /a\n|text\n", 4, "no blank" },
	{ "file /a\n| \\n\n", 4, "backslash" },
	{ "file /a\n| \\x1\n", 4, "backslash" },
	{ "file /a\n| \\xg0\n", 4, "backslash" },
	{ "file\n", 3, "a path begins with" },
	{ "file a\n", 3, "a path begins with" },
	{ "file /a\\x00b\n", 3, "a path begins with" },
	{ "file /a\\x0ab\n", 3, "a path begins with" },
	{ "file /a\\\n", 3, "backslash" },
	{ "file /a\nfile /a\n", 4, "earlier line" },
	{ "file /a\nerror EIO /a\n", 4, "earlier line" },
	{ "error\n", 3, "no errno's name" },
	{ "error EIO\n", 3, "write error" },
	{ "error EFOO /a\n", 3, "\"EFOO\" is no errno's name" },
	{ "error 5 /a\n", 3, "no errno's name" },
	{ "expect\n", 3, "expect KEY VALUE" },
	{ "expect a\n", 3, "expect KEY VALUE" },
	{ "expect a \n", 3, "expect KEY VALUE" },
	{ "expect  a\n", 3, "expect KEY VALUE" },
};

static void test_every_bad_line_is_refused_with_its_number(void **state)
{
	char text[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad_lines) / sizeof(bad_lines[0]); i++) {
		snprintf(text, sizeof(text), TITLE "%s", bad_lines[i].lines);
		assert_refused(text, strlen(text), bad_lines[i].line, bad_lines[i].reason);
	}
}

static void test_a_text_that_is_no_recording_is_refused(void **state)
{
	static const char zero[] = "guestsync recording 1\norigin\0real\n";

	(void)state;
	assert_refused("", 0, 1, "not a recording");
	assert_refused("\n", 1, 1, "not a recording");
	assert_refused("{}", 2, 1, "not a recording");
	assert_refused("guestsync recording", 19, 1, "not a recording");
	assert_refused("guestsync recording 2\norigin real\n", 34, 1, "version \"2\"");
	assert_refused("guestsync recording 10\n", 23, 1, "version \"10\"");
	assert_refused("guestsync recording 1\n", 22, 1, "origin");
	assert_refused("guestsync recording 1\ncpus online 1\n", 36, 2, "origin");
	assert_refused("guestsync recording 1\norigin fake\n", 34, 2, "\"real\" or \"composed\"");
	assert_refused(zero, sizeof(zero) - 1, 2, "byte 0x00 in column 7");
}

static void test_too_much_is_refused(void **state)
{
	char *text;
	size_t length;
	FILE *stream = open_memstream(&text, &length);
	int i;

	(void)state;
	fputs(TITLE, stream);
	for (i = 0; i < 1001; i++)
		fprintf(stream, "file /%d\n", i);
	fclose(stream);
	assert_refused(text, length, 1003, "more than 1000 files");
	free(text);
	stream = open_memstream(&text, &length);
	fputs(TITLE, stream);
	for (i = 4097; i > 0; i--)
		fprintf(stream, "cpuid %x = 1 2 3 4\n", (unsigned)i);
	fclose(stream);
	assert_refused(text, length, 4099, "more than 4096 CPUID leaves");
	free(text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything_that_a_text_can_say_is_understood),
		cmocka_unit_test(test_what_is_not_said_is_not_there),
		cmocka_unit_test(test_a_machine_without_cpuid_says_so),
		cmocka_unit_test(test_a_small_buffer_gets_the_beginning),
		cmocka_unit_test(test_leaves_in_any_order_are_found),
		cmocka_unit_test(test_every_byte_survives_the_text),
		cmocka_unit_test(test_the_text_is_for_people),
		cmocka_unit_test(test_an_error_without_a_name_is_an_input_error),
		cmocka_unit_test(test_what_cannot_be_written_is_not_taken),
		cmocka_unit_test(test_a_recorded_machine_answers_as_it_did),
		cmocka_unit_test(test_a_machine_without_cpuid_and_topology_is_recorded_without),
		cmocka_unit_test(test_secrets_stay_out),
		cmocka_unit_test(test_half_a_line_of_a_secretive_file_stays_out),
		cmocka_unit_test(test_of_several_readings_the_longest_is_kept),
		cmocka_unit_test(test_the_same_answer_of_leaves_in_a_row_is_one_line),
		cmocka_unit_test(test_leaves_between_two_that_were_asked_for_are_not_claimed),
		cmocka_unit_test(test_this_machine_can_be_recorded),
		cmocka_unit_test(test_every_bad_line_is_refused_with_its_number),
		cmocka_unit_test(test_a_text_that_is_no_recording_is_refused),
		cmocka_unit_test(test_too_much_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
