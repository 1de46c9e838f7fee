/* SPDX-License-Identifier: MIT */
/*
 * What machine is this: facts, found without root, each from a source that a
 * test can replace.
 */
#ifndef GUESTSYNC_DETECT_FACTS_H
#define GUESTSYNC_DETECT_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct gsync_conditions;

/* Of a count: nobody tells. Every count that is told is at most GSYNC_COUNT_MAX, which JSON can say as well. */
#define GSYNC_UNKNOWN UINT64_MAX
#define GSYNC_COUNT_MAX ((uint64_t)INT64_MAX)

struct gsync_cpuid {
	uint32_t eax, ebx, ecx, edx;
};

/*
 * How the CPUs hang together. Of packages, cores, hardware threads and caches
 * those count that a CPU in the thread's affinity mask belongs to, whole, even
 * if the mask has only a part of it; of NUMA nodes those with such a CPU, so
 * none that is memory only. The sizes are those of one cache, the largest where
 * they differ. 0 = unknown, or for a cache: there may be none.
 */
struct gsync_topology {
	int packages;
	int cores;
	int threads;
	int numa_nodes;
	uint64_t l1d_bytes, l2_bytes, l3_bytes;
	int l1d_count, l2_count, l3_count;
};

/*
 * Where the facts come from. The real machine is gsync_source_machine; a test
 * or a recording passes its own. No function of detect/ asks the machine
 * in any other way.
 */
struct gsync_source {
	void *context;
	/* CPUID of a leaf; false where the CPU has no such instruction (not x86). */
	bool (*cpuid)(void *context, uint32_t leaf, uint32_t subleaf, struct gsync_cpuid *out);
	/*
	 * Reads at most SIZE - 1 bytes of the file and ends them with a 0 byte;
	 * returns their number, or a negative errno value. Allocates nothing.
	 */
	ssize_t (*read_file)(void *context, const char *path, char *buffer, size_t size);
	/* How many CPUs are online, and how many of them this thread may use; 0 = unknown. */
	int (*cpus_online)(void *context);
	int (*cpus_affinity)(void *context);
	/* False when nothing is known; may itself be NULL, which means the same. Allocates: not for locks. */
	bool (*topology)(void *context, struct gsync_topology *out);
	/* Room for texts, of GSYNC_SCRATCH_SIZE, if only one thread reads by this source; NULL = on the reader's stack. */
	char *scratch;
	bool quiet; /* whoever reads makes no system call beside it either */
};

#define GSYNC_SCRATCH_SIZE 8192

/* Without topology, so that a lock needs no other library. */
extern const struct gsync_source gsync_source_machine;
/* The machine as far as a process can know it without a system call: its CPUID. */
extern const struct gsync_source gsync_source_quiet;
/* With topology: for the command, and linked only there. */
extern const struct gsync_source gsync_source_full;

#define GSYNC_NAME_MAX 32
#define GSYNC_LAYERS_MAX 8

#define GSYNC_SPIN_RETRIES_NEVER UINT32_MAX

/* What Hyper-V, or who wears its interface, tells a guest that knows it. */
struct gsync_hyperv {
	bool present;	       /* else the others mean nothing */
	uint32_t spin_retries; /* after so many a kernel is to report that it spins for a lock */
	bool no_core_sharing;  /* no two vCPUs share a core but those that the guest sees as its siblings */
};

struct gsync_hypervisor {
	char name[GSYNC_NAME_MAX]; /* "kvm", "xen", …, "unknown" for a VM of another kind, "none" */
	char layers[GSYNC_LAYERS_MAX][GSYNC_NAME_MAX]; /* every layer seen, outermost interface first */
	int layer_count;
	uint32_t base;	   /* the CPUID leaf where NAME's signature stands; 0 = none */
	uint32_t features; /* KVM: EAX of base + 1 */
	uint32_t hints;	   /* KVM: EDX of base + 1 */
	char signature[GSYNC_NAME_MAX]; /* printable form of a signature that is in no table; "" = none such */
	char confidential[GSYNC_NAME_MAX]; /* memory that the host cannot read: "tdx", "sev", …, or "none" */
	char role[GSYNC_NAME_MAX];    /* "guest"; "dom0" (Xen), "root" (Hyper-V): its master; "" without one */
	char version[GSYNC_NAME_MAX]; /* of the hypervisor; "" = unknown */
	int nested;	  /* it runs inside another one: 1 = yes, 0 = no, -1 = unknown */
	bool dedicated;	  /* the host promises that no vCPU is preempted for long */
	uint32_t tsc_khz; /* as the hypervisor tells it; 0 = unknown */
	struct gsync_hyperv hyperv;
};

struct gsync_cpus {
	int online;
	int affinity;
	double quota;  /* CPUs' worth of time that the cgroups grant; 0 = no limit */
	double usable; /* the minimum of the three; may be fractional; at least 0.01 */
};

/* Counts of what has happened so far, and of what is now; any of them may be GSYNC_UNKNOWN. */
struct gsync_load {
	uint64_t steal_ticks;	    /* of all_ticks, that the host took */
	uint64_t all_ticks;	    /* of all CPUs since boot, in units of USER_HZ */
	uint64_t on_cpu_ns;	    /* this thread: how long it ran, */
	uint64_t run_queue_wait_ns; /* how long it waited while another thread had the CPU, */
	uint64_t timeslices;	    /* and how often it was given one */
	uint64_t runnable;	    /* threads of the whole machine that run or could; this one is among them */
	double pressure_avg10;	    /* percent of the last 10 s with a thread waiting for a CPU; negative = unknown */
	uint64_t pressure_us;	    /* the same time since boot */
	/* Sums over the own cgroup and all above it: a thread stops when any of them is throttled. */
	uint64_t periods;
	uint64_t throttled_periods;
	uint64_t throttled_ns;
};

/* A CPU's line in /proc/stat, in ticks; guest time, which follows, is part of user time. */
enum {
	GSYNC_CPU_IDLE = 3,
	GSYNC_CPU_IOWAIT = 4,
	GSYNC_CPU_STEAL = 7,
	GSYNC_CPU_FIELDS = 8,
};

/* The numbers of such a line, which go on at AT. */
bool gsync_cpu_fields_parse(const char *at, uint64_t ticks[GSYNC_CPU_FIELDS]);

/* Who decides what a CPU does when it has nothing to do; "" = unknown. */
struct gsync_idle {
	char driver[GSYNC_NAME_MAX];
	char governor[GSYNC_NAME_MAX];
};

struct gsync_facts {
	struct gsync_hypervisor hypervisor;
	char container[GSYNC_NAME_MAX]; /* "none", "docker", …: beside the hypervisor, never instead of it */
	struct gsync_cpus cpus;
	double steal_percent; /* of all CPU time since boot that the host took; negative = unknown */
	struct gsync_load load;
	struct gsync_idle idle;
	struct gsync_topology topology;
};

void gsync_hypervisor_read(const struct gsync_source *source, struct gsync_hypervisor *out);
/*
 * Only what the rules of the profile ask: are we a guest, does the host promise
 * not to take our CPUs, is it an emulator? Each CPUID is a way out to the
 * hypervisor, and the whole scan takes 257: too many for a lock's slow path.
 */
void gsync_hypervisor_glance(const struct gsync_source *source, struct gsync_conditions *out);
void gsync_container_read(const struct gsync_source *source, char out[GSYNC_NAME_MAX]);
/* Cheap, allocates nothing: locks call it once from a slow path. */
void gsync_cpus_read(const struct gsync_source *source, struct gsync_cpus *out);
/* Each reads its part of the load, or all: cheap enough for a lock's slow path now and then, allocates nothing. */
void gsync_steal_read(const struct gsync_source *source, struct gsync_load *out);
void gsync_run_queue_read(const struct gsync_source *source, struct gsync_load *out);
void gsync_runnable_read(const struct gsync_source *source, struct gsync_load *out);
void gsync_pressure_read(const struct gsync_source *source, struct gsync_load *out);
void gsync_throttling_read(const struct gsync_source *source, struct gsync_load *out);
void gsync_load_read(const struct gsync_source *source, struct gsync_load *out);
void gsync_idle_read(const struct gsync_source *source, struct gsync_idle *out);
void gsync_topology_read(const struct gsync_source *source, struct gsync_topology *out);
/* All of the above. */
void gsync_facts_read(const struct gsync_source *source, struct gsync_facts *out);

#endif
