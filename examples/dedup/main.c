/* SPDX-License-Identifier: MIT */
/*
 * dedup: deduplicates and compresses a file, and restores it; twice, by a pipeline
 * and by data parallelism, and tells what each way of using threads cost.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cost.h"
#include "engine.h"
#include "unfinished.h"

enum {
	DONE = 0,
	FAILED = 1,
	USAGE = 2,
};

static const char usage[] =
	"usage: dedup compress [--engine NAME] INPUT ARCHIVE\n"
	"       dedup restore  [--engine NAME] ARCHIVE OUTPUT\n"
	"\n"
	"Cuts INPUT into chunks where its content says so, stores each different chunk\n"
	"once, compressed, and tells what that cost. The archive is the same whichever\n"
	"engine made it, and every engine restores it.\n"
	"\n"
	"  --engine data      phases over all the data, by one pool of as many threads as\n"
	"                     there are CPUs; the default\n"
	"  --engine pipeline  stages with threads of their own, and queues between them\n"
	"  --help             this text\n"
	"\n"
	"ARCHIVE or OUTPUT appears when it is complete; after an error, or a signal, it\n"
	"is as it was. The exit status is 0, 1 after an error, 2 for wrong options.\n"
	"futex calls are counted for root only; TLB shootdowns are those of the whole\n"
	"machine meanwhile. Nothing is counted of the end, when ARCHIVE or OUTPUT is\n"
	"written to the disk, so that it is there even after a crash.\n";

struct task {
	bool help;
	bool restore;
	const struct engine *engine;
	const char *from, *to;
};

/* One option. False, with the reason said, when it makes no sense. */
static bool take_option(int option, struct task *task)
{
	switch (option) {
	case 'e':
		task->engine = engine_named(optarg);
		if (task->engine == NULL)
			fprintf(stderr, "dedup: unknown engine \"%s\"; known: data, pipeline\n", optarg);
		return task->engine != NULL;
	case 'h':
		task->help = true;
		return true;
	default:
		return false; /* getopt has said it */
	}
}

static bool parse(int argc, char **argv, struct task *task)
{
	static const struct option options[] = {
		{ "engine", required_argument, NULL, 'e' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int option;

	*task = (struct task){ .engine = engine_named("data") };
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (!take_option(option, task))
			return false;
	if (task->help)
		return true;
	argv += optind;
	if (argc - optind == 3 && (strcmp(argv[0], "compress") == 0 || strcmp(argv[0], "restore") == 0)) {
		task->restore = strcmp(argv[0], "restore") == 0;
		task->from = argv[1];
		task->to = argv[2];
		return true;
	}
	fputs("dedup: expected compress or restore, and two files; see dedup --help\n", stderr);
	return false;
}

static int compress(const struct task *task, const struct input *input, struct bench_output *output,
		    struct bench_error *error)
{
	struct archive_writer writer;
	struct index index = { 0 };
	struct compression compression = { .input = input, .index = &index, .writer = &writer };
	int result = archive_writer_open(&writer, output->file, task->to, input->bytes, error);

	if (result == 0 && !index_make(&index, input->bytes))
		result = bench_fail(error, "memory is short");
	if (result == 0)
		result = task->engine->compress(&compression, error);
	if (result == 0)
		result = archive_writer_finish(&writer, error);
	if (result == 0)
		printf("%llu bytes in %llu chunks, %llu of them different\n", (unsigned long long)input->bytes,
		       (unsigned long long)writer.chunks, (unsigned long long)writer.new_chunks);
	index_free(&index);
	archive_writer_close(&writer);
	return result;
}

static int restore(const struct task *task, const struct input *input, struct bench_output *output,
		   struct bench_error *error)
{
	struct archive_reader reader;
	struct restoration restoration = {
		.input = input, .reader = &reader, .output = output->file, .output_path = task->to
	};
	int result = archive_reader_open(&reader, input, error);

	if (result == 0)
		result = task->engine->restore(&restoration, error);
	if (result == 0)
		printf("%llu bytes of %llu chunks, %zu of them different\n", (unsigned long long)reader.bytes,
		       (unsigned long long)reader.chunks, reader.new_count);
	archive_reader_close(&reader);
	return result;
}

static int run(const struct task *task, struct bench_error *error)
{
	struct bench_output output = { 0 };
	struct input input;
	struct cost cost;
	int result = input_open(&input, task->from, error);

	if (result == 0)
		result = unfinished_open(&output, task->to, error);
	if (result == 0) {
		cost_begin(&cost);
		result = (task->restore ? restore : compress)(task, &input, &output, error);
		if (result == 0)
			result = bench_output_flush(&output, error);
		/* How fast the disk is says nothing about the engine. */
		cost_end(&cost);
		if (result == 0)
			result = unfinished_commit(&output, error);
		else
			unfinished_discard(&output);
	}
	if (result == 0)
		cost_print(&cost, stdout);
	input_close(&input);
	return result;
}

int main(int argc, char **argv)
{
	static char name[] = "dedup";
	struct bench_error error;
	struct task task;

	argv[0] = name; /* so that getopt's messages begin like ours */
	if (!parse(argc, argv, &task))
		return USAGE;
	chunking_prepare();
	if (task.help) {
		fputs(usage, stdout);
	} else if (run(&task, &error) != 0) {
		fprintf(stderr, "dedup: %s\n", error.text);
		return FAILED;
	}
	if (fflush(stdout) != 0) {
		perror("dedup: cannot write the report");
		return FAILED;
	}
	return DONE;
}
