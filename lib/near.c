/* SPDX-License-Identifier: MIT */
/*
 * Which CPUs are near each other: who steals goes to its neighbours first.
 *
 * hwloc knows. It is loaded by dlopen, and only for pools in which there is a
 * choice, those of more than two workers: programs that want nothing but locks
 * need not have it. Where it is missing, or sees nothing, all CPUs are equally
 * near. We ask it for what it can read anywhere, by a thread made for that: it
 * takes 10 KB of stack, and who creates a pool may not have so much. And not
 * everywhere:
 *
 *   half of /sys is hidden       it may end the process (2.9: a directory of nodes without nodes), or complains
 *   memory is limited            it may end the process when there is no more
 *   raised privileges (setuid)   it runs plugins that the environment names
 */
#include "lib/pool.h"

#include "detect/affinity.h"
#include "detect/manners.h"
#include "detect/override.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <unistd.h>

#ifdef HAVE_HWLOC
#include <dlfcn.h>
#include <hwloc.h>
#endif

/* What a CPU has in common with others; equal numbers mean the same. */
struct site {
	uint16_t cache, last, node;
};

struct map {
	uint32_t count; /* of CPUs, by the kernel's numbers */
	uint32_t farthest;
	struct site sites[];
};

/* Learned once and never changed after that; NULL = all are equally near. */
static struct map *map;
static gsync_mutex_t learning;
static bool learned;

static uint32_t distance(const struct map *of, uint32_t a, uint32_t b)
{
	const struct site *here = &of->sites[a], *there = &of->sites[b];

	return here->cache == there->cache ? 0 : here->last == there->last ? 1 : here->node == there->node ? 2 : 3;
}

#ifdef HAVE_HWLOC

/* hwloc's functions, under their own names. */
#define HWLOC_FUNCTIONS(use)                                                                                           \
	use(topology_init) use(topology_destroy) use(topology_set_flags) use(topology_set_components)                  \
	use(topology_load) use(topology_is_thissystem) use(get_type_depth) use(get_obj_by_depth)                       \
	use(get_nbobjs_by_depth) use(bitmap_isset)

#define DECLARE(name) __typeof__(&hwloc_##name) name;
#define FIND(name) found = found && find(library, "hwloc_" #name, &hwloc->name);

struct hwloc {
	HWLOC_FUNCTIONS(DECLARE)
};

static bool find(void *library, const char *name, void *function)
{
	void *found = dlsym(library, name);

	memcpy(function, &found, sizeof(found));
	return found != NULL;
}

static bool load_hwloc(struct hwloc *hwloc)
{
	void *library = dlopen("libhwloc.so.15", RTLD_NOW | RTLD_LOCAL);
	bool found = library != NULL;

	HWLOC_FUNCTIONS(FIND)
	return found;
}

static bool is_memory_limited(void)
{
	struct rlimit space, data;

	return getrlimit(RLIMIT_AS, &space) != 0 || space.rlim_cur != RLIM_INFINITY ||
	       getrlimit(RLIMIT_DATA, &data) != 0 || data.rlim_cur != RLIM_INFINITY;
}

static bool is_there(const char *path)
{
	return access(path, F_OK) == 0;
}

static bool is_safe_to_ask(void)
{
	return getauxval(AT_SECURE) == 0 && !is_memory_limited() && is_there("/sys/devices/system/cpu/cpu0/topology") &&
	       (!is_there("/sys/devices/system/node") || is_there("/sys/devices/system/node/node0"));
}

/* Numbers all CPUs by the object of that DEPTH that they belong to. */
static void number(const struct hwloc *hwloc, hwloc_topology_t topology, int depth, struct map *into, size_t field)
{
	unsigned count = hwloc->get_nbobjs_by_depth(topology, depth);

	for (unsigned i = 0; i < count; i++) {
		hwloc_obj_t object = hwloc->get_obj_by_depth(topology, depth, i);

		for (uint32_t cpu = 0; object && object->cpuset && cpu < into->count; cpu++)
			if (hwloc->bitmap_isset(object->cpuset, cpu))
				*(uint16_t *)(void *)((char *)&into->sites[cpu] + field) = (uint16_t)(i + 1);
	}
}

static void read_sites(const struct hwloc *hwloc, hwloc_topology_t topology, struct map *into)
{
	int own = hwloc->get_type_depth(topology, HWLOC_OBJ_L2CACHE);

	if (own < 0)
		own = hwloc->get_type_depth(topology, HWLOC_OBJ_CORE);
	if (own >= 0)
		number(hwloc, topology, own, into, offsetof(struct site, cache));
	number(hwloc, topology, hwloc->get_type_depth(topology, HWLOC_OBJ_L3CACHE), into, offsetof(struct site, last));
	number(hwloc, topology, HWLOC_TYPE_DEPTH_NUMANODE, into, offsetof(struct site, node));
	for (uint32_t cpu = 1; cpu < into->count; cpu++)
		if (distance(into, 0, cpu) > into->farthest)
			into->farthest = distance(into, 0, cpu);
}

static void *ask_hwloc(void *into)
{
	hwloc_topology_t topology;
	struct hwloc hwloc;

	if (!load_hwloc(&hwloc) || hwloc.topology_init(&topology) != 0)
		return NULL;
	if (hwloc.topology_set_flags(topology, HWLOC_TOPOLOGY_FLAG_DONT_CHANGE_BINDING | HWLOC_TOPOLOGY_FLAG_NO_DISTANCES |
						       HWLOC_TOPOLOGY_FLAG_NO_MEMATTRS | HWLOC_TOPOLOGY_FLAG_NO_CPUKINDS) == 0 &&
	    /* Its own reading of CPUID would move this thread from CPU to CPU. */
	    hwloc.topology_set_components(topology, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, "x86") == 0 &&
	    hwloc.topology_load(topology) == 0 && hwloc.topology_is_thissystem(topology))
		read_sites(&hwloc, topology, into);
	hwloc.topology_destroy(topology);
	return NULL;
}

/* Where there can be no thread, there will be no workers either. */
static void ask(struct map *into)
{
	pthread_t thread;

	if (is_safe_to_ask() && gsync_crew_thread(&thread, ask_hwloc, into) == 0)
		pthread_join(thread, NULL);
}

#else

static void ask(struct map *into)
{
	(void)into;
}

#endif

void gsync_near_learn(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	struct gsync_manners manners;

	if (__atomic_load_n(&learned, __ATOMIC_ACQUIRE))
		return;
	manners = gsync_manners_keep();
	gsync_mutex_lock(&learning);
	if (!learned && cpus > 0) {
		struct map *fresh = calloc(1, sizeof(*fresh) + (size_t)cpus * sizeof(fresh->sites[0]));

		if (fresh) {
			fresh->count = (uint32_t)cpus;
			ask(fresh);
		}
		__atomic_store_n(&map, fresh, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&learned, true, __ATOMIC_RELEASE);
	gsync_mutex_unlock(&learning);
	gsync_manners_give_back(&manners);
}

uint32_t gsync_near_distance(uint32_t a, uint32_t b)
{
	const struct map *known = __atomic_load_n(&map, __ATOMIC_ACQUIRE);

	if (!known || known->farthest == 0 || a >= known->count || b >= known->count)
		return 0;
	return distance(known, a, b);
}

uint32_t gsync_near_farthest(void)
{
	const struct map *known = __atomic_load_n(&map, __ATOMIC_ACQUIRE);

	return known ? known->farthest : 0;
}

/* The CPUs that the process may use, one after the other. */
bool gsync_near_bind(pthread_t thread, uint32_t index)
{
	struct gsync_cpu_mask allowed;
	struct gsync_cpu_mask one = { { 0 } };
	int count = gsync_override_quiet() ? 0 : gsync_affinity_read(&allowed, 0);
	uint32_t left;

	if (count <= 0)
		return false;
	left = index % (uint32_t)count;
	for (unsigned cpu = 0; cpu < GSYNC_CPUS_MAX; cpu++) {
		if (!gsync_mask_has(&allowed, cpu) || left-- > 0)
			continue;
		one.bits[cpu / GSYNC_MASK_BITS] = 1ul << cpu % GSYNC_MASK_BITS;
		return pthread_setaffinity_np(thread, sizeof(one), (const cpu_set_t *)(const void *)&one) == 0;
	}
	return false;
}
