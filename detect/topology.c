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
 * Where only parts of it are hidden, as in some containers, hwloc may complain
 * on stderr or fail an assertion (2.9: an empty /sys/devices/system/node). So it
 * runs in a child process, whose end, whatever it is, does no harm here.
 */
#include "detect/source.h"

#include <errno.h>
#include <fcntl.h>
#include <hwloc.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS_MAX 10 /* of hwloc's work, which is some ms per 100 CPUs */

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

/* What the child leaves behind. */
struct answer {
	bool known;
	struct gsync_topology topology;
};

/* An abort or a hang must end the child at once and in silence, whatever the program has made of these signals. */
static void prepare_child(void)
{
	static const int signals[] = { SIGABRT, SIGALRM, SIGBUS, SIGSEGV };
	struct rlimit no_core = { 0, 0 };
	sigset_t set;
	size_t i;
	int null = open("/dev/null", O_WRONLY);

	sigemptyset(&set);
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		signal(signals[i], SIG_DFL);
		sigaddset(&set, signals[i]);
	}
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	setrlimit(RLIMIT_CORE, &no_core);
	if (null < 0 || dup2(null, STDERR_FILENO) < 0)
		close(STDERR_FILENO);
	alarm(SECONDS_MAX);
}

static void ask_hwloc(struct answer *answer)
{
	hwloc_cpuset_t cpus = hwloc_bitmap_alloc();
	hwloc_topology_t topology;

	if (cpus && hwloc_topology_init(&topology) == 0)
		answer->known = load(topology) && describe(topology, cpus, &answer->topology);
}

static void ask_in_child(struct answer *answer)
{
	pid_t child = fork();

	if (child == 0) {
		prepare_child();
		ask_hwloc(answer);
		_exit(0);
	}
	/* Any error but EINTR says that the child is no more, too: the program has waited for it itself. */
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
}

static bool machine_topology(void *context, struct gsync_topology *out)
{
	int caller_errno = errno;
	struct answer *answer = mmap(NULL, sizeof(*answer), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	bool known = false;

	(void)context;
	if (answer != MAP_FAILED) {
		ask_in_child(answer);
		known = answer->known;
		*out = answer->topology;
		munmap(answer, sizeof(*answer));
	}
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
