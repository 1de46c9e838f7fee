/* SPDX-License-Identifier: MIT */
/*
 * barrier-render: more threads than CPUs draw frame after frame, and wait for each
 * other after each; once at a barrier that spins, once at gsync_barrier.
 */
#include <guestsync/barrier.h>

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "bench/statistics.h"
#include "render.h"
#include "spin_barrier.h"

#define THREADS_MAX 1024u
#define ROUNDS_MAX 99u

static const char usage[] =
	"usage: barrier-render [--threads N] [--frames N] [--rounds N]\n"
	"\n"
	"Draws the same frames with a barrier that spins, as Volrend's, and with\n"
	"gsync_barrier, by turns, and tells the wall time and CPU time of both.\n"
	"\n"
	"  --threads N  4 for each CPU, if not said\n"
	"  --frames N   per round, 100 if not said\n"
	"  --rounds N   5 if not said; medians are reported\n"
	"  --help       this text\n"
	"\n"
	"The exit status is 0, 1 if something failed or a barrier let somebody pass too\n"
	"early, 2 for wrong options.\n";

enum kind { SPIN, GSYNC, KINDS };

static const char *const kind_names[KINDS] = { "while (counter);", "gsync_barrier" };

struct settings {
	unsigned threads, frames, rounds;
	bool help;
};

/* ---- drawing */

static struct scene scene;

struct crew {
	enum kind kind;
	unsigned threads, frames;
	gsync_barrier_t start; /* so that no frame is begun before all threads are there */
	gsync_barrier_t gsync;
	struct spin_barrier spin;
};

struct painter {
	pthread_t thread;
	struct crew *crew;
	unsigned number;
};

static void *paint(void *argument)
{
	struct painter *painter = argument;
	struct crew *crew = painter->crew;

	gsync_barrier_wait(&crew->start);
	for (unsigned frame = 0; frame < crew->frames; frame++) {
		scene_render(&scene, frame, painter->number, crew->threads);
		if (crew->kind == SPIN)
			spin_barrier_wait(&crew->spin, frame);
		else
			gsync_barrier_wait(&crew->gsync);
	}
	return NULL;
}

struct cost {
	double wall_s, cpu_s;
};

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* The calling thread is one of the painters: where another cannot be started there is nobody to wait in vain but it. */
static uint64_t draw(enum kind kind, unsigned threads, unsigned frames, struct cost *cost)
{
	static struct painter painters[THREADS_MAX];
	struct crew crew = { .kind = kind, .threads = threads, .frames = frames };

	scene_make(&scene);
	gsync_barrier_init(&crew.start, threads, 0);
	gsync_barrier_init(&crew.gsync, threads, 0);
	spin_barrier_init(&crew.spin, threads);
	for (unsigned i = 0; i < threads; i++) {
		int reason = 0;

		painters[i] = (struct painter){ .crew = &crew, .number = i };
		if (i > 0)
			reason = pthread_create(&painters[i].thread, NULL, paint, &painters[i]);
		if (reason != 0) {
			fprintf(stderr, "barrier-render: cannot start thread %u: %s\n", i + 1, strerror(reason));
			exit(1);
		}
	}
	*cost = (struct cost){ -seconds(), -cpu_seconds() };
	paint(&painters[0]);
	for (unsigned i = 1; i < threads; i++)
		pthread_join(painters[i].thread, NULL);
	cost->wall_s += seconds();
	cost->cpu_s += cpu_seconds();
	gsync_barrier_destroy(&crew.start);
	gsync_barrier_destroy(&crew.gsync);
	return scene_checksum(&scene, frames - 1);
}

/* ---- comparing */

static struct cost median_of(const struct cost *rounds, unsigned count)
{
	double wall[ROUNDS_MAX], cpu[ROUNDS_MAX];

	for (unsigned i = 0; i < count; i++) {
		wall[i] = rounds[i].wall_s;
		cpu[i] = rounds[i].cpu_s;
	}
	return (struct cost){ bench_median(wall, count), bench_median(cpu, count) };
}

static void print(const struct settings *settings, const struct cost medians[KINDS])
{
	printf("%u threads, %u frames, medians of %u rounds\n\n", settings->threads, settings->frames, settings->rounds);
	printf("%-18s%12s%12s\n", "", "wall time", "CPU time");
	for (unsigned kind = 0; kind < KINDS; kind++)
		printf("%-18s%10.3f s%10.3f s\n", kind_names[kind], medians[kind].wall_s, medians[kind].cpu_s);
	printf("%-18s%12.3f%12.3f\n", "gsync / spin", medians[GSYNC].wall_s / medians[SPIN].wall_s,
	       medians[GSYNC].cpu_s / medians[SPIN].cpu_s);
}

static int compare(const struct settings *settings)
{
	static struct cost rounds[KINDS][ROUNDS_MAX];
	struct cost alone, medians[KINDS];
	uint64_t right = draw(GSYNC, 1, settings->frames, &alone); /* one thread cannot be too early */

	for (unsigned round = 0; round < settings->rounds; round++) {
		for (unsigned kind = 0; kind < KINDS; kind++) {
			if (draw(kind, settings->threads, settings->frames, &rounds[kind][round]) == right)
				continue;
			fprintf(stderr, "barrier-render: %s let a thread pass too early\n", kind_names[kind]);
			return 1;
		}
	}
	for (unsigned kind = 0; kind < KINDS; kind++)
		medians[kind] = median_of(rounds[kind], settings->rounds);
	print(settings, medians);
	return 0;
}

/* ---- options */

static unsigned default_threads(void)
{
	cpu_set_t cpus;
	unsigned count = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? (unsigned)CPU_COUNT(&cpus) : CPU_SETSIZE;

	return count < THREADS_MAX / 4 ? 4 * count : THREADS_MAX;
}

static bool take_number(const char *name, unsigned most, unsigned *value)
{
	char *end;
	unsigned long number;

	errno = 0;
	number = strtoul(optarg, &end, 10);
	if (*optarg < '0' || *optarg > '9' || *end != '\0' || errno != 0 || number < 1 || number > most) {
		fprintf(stderr, "barrier-render: %s must be 1 to %u, not \"%s\"\n", name, most, optarg);
		return false;
	}
	*value = (unsigned)number;
	return true;
}

static bool parse(int argc, char **argv, struct settings *settings)
{
	static const struct option options[] = {
		{ "threads", required_argument, NULL, 't' },
		{ "frames", required_argument, NULL, 'f' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	bool good = true;
	int option;

	while (good && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 't')
			good = take_number("--threads", THREADS_MAX, &settings->threads);
		else if (option == 'f')
			good = take_number("--frames", 1000000, &settings->frames);
		else if (option == 'r')
			good = take_number("--rounds", ROUNDS_MAX, &settings->rounds);
		else
			good = settings->help = option == 'h';
	}
	if (good && optind < argc) {
		fprintf(stderr, "barrier-render: it takes options only, but got \"%s\"\n", argv[optind]);
		good = false;
	}
	return good;
}

int main(int argc, char **argv)
{
	static char name[] = "barrier-render";
	struct settings settings = { .threads = default_threads(), .frames = 100, .rounds = 5 };
	int result = 0;

	argv[0] = name; /* so that getopt's messages begin like ours */
	if (!parse(argc, argv, &settings))
		return 2;
	if (settings.help)
		fputs(usage, stdout);
	else
		result = compare(&settings);
	if (fflush(stdout) != 0) {
		perror("barrier-render: cannot write the report");
		return 1;
	}
	return result;
}
