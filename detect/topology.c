/* SPDX-License-Identifier: MIT */
/*
 * Packages, cores, caches and NUMA nodes, through hwloc, which knows how each
 * kernel and each architecture tells them.
 *
 * Only for those who ask for it: hwloc allocates, and reads some hundred files.
 * We keep it to those of /proc and /sys that anybody may read. Its own reading
 * of CPUID would move this thread from CPU to CPU, devices cost time or need
 * rights, and distances, memory attributes and CPU kinds we do not show.
 *
 * Where /sys is hidden hwloc makes do with a flat row of CPUs in one node. That
 * says something about the CPUs, but nothing about packages, cores and nodes.
 */
#include "detect/source.h"
#include <errno.h>
#include <hwloc.h>
#include <string.h>

#define LOAD_FLAGS                                                                                                     \
	(HWLOC_TOPOLOGY_FLAG_DONT_CHANGE_BINDING | HWLOC_TOPOLOGY_FLAG_NO_DISTANCES |                                  \
	 HWLOC_TOPOLOGY_FLAG_NO_MEMATTRS | HWLOC_TOPOLOGY_FLAG_NO_CPUKINDS)

static bool load(hwloc_topology_t topology)
{
	static const hwloc_obj_type_t kept[] = {
		HWLOC_OBJ_PACKAGE, HWLOC_OBJ_CORE, HWLOC_OBJ_L1CACHE, HWLOC_OBJ_L2CACHE, HWLOC_OBJ_L3CACHE,
	};
	size_t i;

	if (hwloc_topology_set_flags(topology, LOAD_FLAGS) != 0 ||
	    hwloc_topology_set_components(topology, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, "x86") != 0 ||
	    hwloc_topology_set_all_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_NONE) != 0)
		return false;
	for (i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (hwloc_topology_set_type_filter(topology, kept[i], HWLOC_TYPE_FILTER_KEEP_ALL) != 0)
			return false;
	/* The user can make hwloc describe another machine, by its environment; ours is then unknown. */
	return hwloc_topology_load(topology) == 0 && hwloc_topology_is_thissystem(topology);
}

/* How many objects of TYPE have one of the CPUS; in BYTES, unless NULL, the size of the largest, of a cache. */
static int count(hwloc_topology_t topology, hwloc_const_cpuset_t cpus, hwloc_obj_type_t type, uint64_t *bytes)
{
	hwloc_obj_t object = NULL;
	int found = 0;

	while ((object = hwloc_get_next_obj_by_type(topology, type, object))) {
		if (!object->cpuset || !hwloc_bitmap_intersects(object->cpuset, cpus))
			continue;
		found++;
		if (bytes && object->attr->cache.size > *bytes)
			*bytes = object->attr->cache.size;
	}
	return found;
}

static bool describe(hwloc_topology_t topology, hwloc_cpuset_t cpus, struct gsync_topology *out)
{
	if (hwloc_get_cpubind(topology, cpus, HWLOC_CPUBIND_THREAD) != 0)
		hwloc_bitmap_fill(cpus);
	memset(out, 0, sizeof(*out));
	out->threads = count(topology, cpus, HWLOC_OBJ_PU, NULL);
	out->cores = count(topology, cpus, HWLOC_OBJ_CORE, NULL);
	out->packages = count(topology, cpus, HWLOC_OBJ_PACKAGE, NULL);
	if (out->cores > 0 || out->packages > 0)
		out->numa_nodes = count(topology, cpus, HWLOC_OBJ_NUMANODE, NULL);
	out->l1d_count = count(topology, cpus, HWLOC_OBJ_L1CACHE, &out->l1d_bytes);
	out->l2_count = count(topology, cpus, HWLOC_OBJ_L2CACHE, &out->l2_bytes);
	out->l3_count = count(topology, cpus, HWLOC_OBJ_L3CACHE, &out->l3_bytes);
	return out->threads > 0;
}

static bool machine_topology(void *context, struct gsync_topology *out)
{
	int caller_errno = errno;
	hwloc_cpuset_t cpus = hwloc_bitmap_alloc();
	hwloc_topology_t topology;
	bool known = false;

	(void)context;
	if (cpus && hwloc_topology_init(&topology) == 0) {
		known = load(topology) && describe(topology, cpus, out);
		hwloc_topology_destroy(topology);
	}
	hwloc_bitmap_free(cpus);
	errno = caller_errno;
	return known;
}

const struct gsync_source gsync_source_full = {
	.cpuid = gsync_machine_cpuid,
	.read_file = gsync_machine_read_file,
	.cpus_online = gsync_machine_cpus_online,
	.cpus_affinity = gsync_machine_cpus_affinity,
	.topology = machine_topology,
};
