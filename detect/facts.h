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
};

extern const struct gsync_source gsync_source_machine;

#define GSYNC_NAME_MAX 32
#define GSYNC_LAYERS_MAX 8

struct gsync_hypervisor {
	char name[GSYNC_NAME_MAX]; /* "kvm", "xen", …, "unknown" for a VM of another kind, "none" */
	char layers[GSYNC_LAYERS_MAX][GSYNC_NAME_MAX]; /* every layer seen, outermost interface first */
	int layer_count;
	uint32_t base;	   /* the CPUID leaf where NAME's signature stands; 0 = none */
	uint32_t features; /* KVM: EAX of base + 1 */
	uint32_t hints;	   /* KVM: EDX of base + 1 */
	char signature[GSYNC_NAME_MAX]; /* printable form of a signature that is in no table; "" = none such */
	char confidential[GSYNC_NAME_MAX]; /* memory that the host cannot read: "tdx", "sev", …, or "none" */
};

struct gsync_cpus {
	int online;
	int affinity;
	double quota;  /* CPUs' worth of time that the cgroups grant; 0 = no limit */
	double usable; /* the minimum of the three; may be fractional; at least 0.01 */
};

struct gsync_facts {
	struct gsync_hypervisor hypervisor;
	char container[GSYNC_NAME_MAX]; /* "none", "docker", …: beside the hypervisor, never instead of it */
	struct gsync_cpus cpus;
	double steal_percent; /* of all CPU time since boot that the host took; negative = unknown */
};

void gsync_hypervisor_read(const struct gsync_source *source, struct gsync_hypervisor *out);
void gsync_container_read(const struct gsync_source *source, char out[GSYNC_NAME_MAX]);
/* Cheap, allocates nothing: locks call it once from a slow path. */
void gsync_cpus_read(const struct gsync_source *source, struct gsync_cpus *out);
double gsync_steal_read(const struct gsync_source *source);
/* All of the above. */
void gsync_facts_read(const struct gsync_source *source, struct gsync_facts *out);

#endif
