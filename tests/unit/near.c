/* SPDX-License-Identifier: MIT */
/*
 * Which CPUs are near each other: what is made of what hwloc tells, here one that
 * is made up, and that all are equally near wherever it cannot be asked.
 *
 * What is learned once stays: so each check is a process of its own. The linker
 * puts our functions in the place of those that the library calls.
 */
#include "tests/unit/support.h"

#include "lib/pool.h"

#include <dlfcn.h>
#include <hwloc.h>

#define CPUS 8u

/* ---- a hwloc of ours */

static struct {
	bool no_library, no_memory, half_of_sys, no_nodes, no_topology, no_l2, no_cpus, other_machine, no_cpuset;
	const char *missing, *failing;
} room;

static int library; /* its address is the handle */

/* As bits of CPUs: two share an L2 cache; four, two and two an L3; six and two are in a node. */
static const unsigned long l2[] = { 0x03, 0x0c, 0x30, 0xc0 }, cores[] = { 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80 };
static const unsigned long l3[] = { 0x0f, 0x30, 0xc0 }, nodes[] = { 0x3f, 0xc0 };

enum { L2 = 1, CORE, L3, NODE = HWLOC_TYPE_DEPTH_NUMANODE };

static int says(const char *function)
{
	return room.failing && strcmp(room.failing, function) == 0 ? -1 : 0;
}

static int topology_init(hwloc_topology_t *topology)
{
	*topology = NULL;
	return says("topology_init");
}

static void topology_destroy(hwloc_topology_t topology)
{
	(void)topology;
}

static int topology_set_flags(hwloc_topology_t topology, unsigned long flags)
{
	(void)topology, (void)flags;
	return says("topology_set_flags");
}

static int topology_set_components(hwloc_topology_t topology, unsigned long flags, const char *name)
{
	(void)topology, (void)flags;
	assert_string_equal(name, "x86");
	return says("topology_set_components");
}

static int topology_load(hwloc_topology_t topology)
{
	(void)topology;
	return says("topology_load");
}

static int topology_is_thissystem(hwloc_topology_t topology)
{
	(void)topology;
	return !room.other_machine;
}

static int get_type_depth(hwloc_topology_t topology, hwloc_obj_type_t type)
{
	(void)topology;
	if (type == HWLOC_OBJ_L2CACHE)
		return room.no_l2 ? HWLOC_TYPE_DEPTH_UNKNOWN : L2;
	return type == HWLOC_OBJ_CORE ? CORE : L3;
}

static const unsigned long *objects(int depth, unsigned *count)
{
	*count = depth == L2 ? 4 : depth == CORE ? 8 : depth == L3 ? 3 : 2;
	return depth == L2 ? l2 : depth == CORE ? cores : depth == L3 ? l3 : nodes;
}

static unsigned get_nbobjs_by_depth(hwloc_topology_t topology, int depth)
{
	unsigned count;

	(void)topology;
	objects(depth, &count);
	return count;
}

static hwloc_obj_t get_obj_by_depth(hwloc_topology_t topology, int depth, unsigned index)
{
	static struct hwloc_obj object;
	static unsigned long bits;
	unsigned count;

	(void)topology;
	bits = objects(depth, &count)[index];
	object.cpuset = room.no_cpuset ? NULL : (hwloc_cpuset_t)(void *)&bits;
	/* The last node is one of those that are not there. */
	return room.no_cpuset && index == count - 1 ? NULL : &object;
}

static int bitmap_isset(hwloc_const_bitmap_t set, unsigned cpu)
{
	return (int)(*(const unsigned long *)(const void *)set >> cpu & 1);
}

#define FUNCTION(name) { #name, (void *)(uintptr_t)name }

static const struct {
	const char *name;
	void *function;
} functions[] = {
	FUNCTION(topology_init), FUNCTION(topology_destroy), FUNCTION(topology_set_flags),
	FUNCTION(topology_set_components), FUNCTION(topology_load), FUNCTION(topology_is_thissystem),
	FUNCTION(get_type_depth), FUNCTION(get_obj_by_depth), FUNCTION(get_nbobjs_by_depth), FUNCTION(bitmap_isset),
};

#define FUNCTIONS (sizeof(functions) / sizeof(functions[0]))

/* ---- in the place of libc's */

void *__wrap_dlopen(const char *name, int flags);
void *__wrap_dlsym(void *handle, const char *name);
int __wrap_access(const char *path, int mode);
long __wrap_sysconf(int name);
long __real_sysconf(int name);
void *__wrap_calloc(size_t count, size_t size);
void *__real_calloc(size_t count, size_t size);
int __wrap_sched_getaffinity(pid_t thread, size_t size, cpu_set_t *set);
int __wrap_pthread_setaffinity_np(pthread_t thread, size_t size, const cpu_set_t *set);

void *__wrap_dlopen(const char *name, int flags)
{
	(void)flags;
	return room.no_library || strcmp(name, "libhwloc.so.15") != 0 ? NULL : &library;
}

void *__wrap_dlsym(void *handle, const char *name)
{
	assert_ptr_equal(handle, &library);
	for (size_t i = 0; i < FUNCTIONS; i++)
		if (strcmp(name + strlen("hwloc_"), functions[i].name) == 0)
			return room.missing && strcmp(room.missing, functions[i].name) == 0 ? NULL : functions[i].function;
	return NULL;
}

/* What of the directory of the nodes, of the first of them, and of the first CPU's topology is there. */
int __wrap_access(const char *path, int mode)
{
	bool is_first_node = strcmp(path, "/sys/devices/system/node/node0") == 0;
	bool is_nodes = strcmp(path, "/sys/devices/system/node") == 0;

	(void)mode;
	if (is_nodes || is_first_node)
		return room.no_nodes || (is_first_node && room.half_of_sys) ? -1 : 0;
	return room.no_topology ? -1 : 0;
}

long __wrap_sysconf(int name)
{
	return name != _SC_NPROCESSORS_CONF ? __real_sysconf(name) : room.no_cpus ? -1 : (long)CPUS;
}

void *__wrap_calloc(size_t count, size_t size)
{
	return room.no_memory ? NULL : __real_calloc(count, size);
}

/* ---- near and far */

/* The checks of a room, in a child: CHECK returns 0, or which of them failed. */
static void in_room(int (*check)(void))
{
	pid_t child = fork();

	assert_int_not_equal(child, -1);
	if (child == 0) {
		alarm(30);
		gsync_near_learn();
		/* The second time nothing is learned, or forgotten. */
		room.no_memory = true;
		gsync_near_learn();
		_exit(check());
	}
	test_child_succeeded(child);
	memset(&room, 0, sizeof(room));
}

static bool are(uint32_t distance, uint32_t a, uint32_t b)
{
	return gsync_near_distance(a, b) == distance && gsync_near_distance(b, a) == distance;
}

static int check_distances(void)
{
	if (gsync_near_farthest() != 3)
		return 1;
	if (!are(0, 0, 0) || !are(0, 0, 1) || !are(0, 6, 7))
		return 2;
	if (!are(1, 0, 2) || !are(1, 1, 3))
		return 3;
	if (!are(2, 0, 4) || !are(2, 3, 5))
		return 4;
	if (!are(3, 0, 6) || !are(3, 5, 7))
		return 5;
	/* CPUs that came later are as good as any. */
	return are(0, 0, CPUS) && are(0, UINT32_MAX, 7) ? 0 : 6;
}

static int check_distances_of_cores(void)
{
	return are(1, 0, 1) && are(1, 0, 2) && are(2, 0, 4) && are(3, 0, 6) ? 0 : 1;
}

static int check_nothing_is_known(void)
{
	if (gsync_near_farthest() != 0)
		return 1;
	for (uint32_t cpu = 0; cpu < CPUS; cpu++)
		if (!are(0, 0, cpu))
			return 2;
	return 0;
}

static void cpus_that_share_more_are_nearer(void **state)
{
	(void)state;
	in_room(check_distances);
	/* Without any directory of nodes there is none that could be half empty. */
	room.no_nodes = true;
	in_room(check_distances);
}

static void without_own_caches_cores_are_the_nearest(void **state)
{
	(void)state;
	room.no_l2 = true;
	in_room(check_distances_of_cores);
}

static void without_hwloc_all_are_equally_near(void **state)
{
	(void)state;
	room.no_library = true;
	in_room(check_nothing_is_known);
	for (size_t i = 0; i < FUNCTIONS; i++) {
		room.missing = functions[i].name;
		in_room(check_nothing_is_known);
	}
}

static void hwloc_is_not_asked_where_half_of_sys_is_hidden(void **state)
{
	(void)state;
	room.half_of_sys = true;
	in_room(check_nothing_is_known);
	room.no_topology = true;
	in_room(check_nothing_is_known);
}

static void what_hwloc_cannot_tell_is_not_known(void **state)
{
	static const char *const failing[] = {
		"topology_init", "topology_set_flags", "topology_set_components", "topology_load",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(failing) / sizeof(failing[0]); i++) {
		room.failing = failing[i];
		in_room(check_nothing_is_known);
	}
	room.other_machine = true;
	in_room(check_nothing_is_known);
	room.no_cpuset = true;
	in_room(check_nothing_is_known);
}

static void without_memory_or_cpus_nothing_is_known(void **state)
{
	(void)state;
	room.no_memory = true;
	in_room(check_nothing_is_known);
	room.no_cpus = true;
	in_room(check_nothing_is_known);
}

/* ---- binding */

static unsigned long allowed; /* bits of CPUs */
static cpu_set_t bound;
static int bind_error;

int __wrap_sched_getaffinity(pid_t thread, size_t size, cpu_set_t *set)
{
	(void)thread;
	memset(set, 0, size);
	for (size_t cpu = 0; cpu < 8 * sizeof(allowed); cpu++)
		if ((allowed >> cpu & 1) != 0)
			CPU_SET_S(cpu, size, set);
	return allowed != 0 ? 0 : -1;
}

int __wrap_pthread_setaffinity_np(pthread_t thread, size_t size, const cpu_set_t *set)
{
	(void)thread;
	memcpy(&bound, set, size < sizeof(bound) ? size : sizeof(bound));
	return bind_error;
}

static bool binds_to(uint32_t index, size_t cpu)
{
	CPU_ZERO(&bound);
	return gsync_near_bind(pthread_self(), index) && CPU_COUNT(&bound) == 1 && CPU_ISSET(cpu, &bound);
}

static void workers_are_bound_to_the_allowed_cpus_in_turn(void **state)
{
	(void)state;
	allowed = 1ul << 3 | 1ul << 5;
	assert_true(binds_to(0, 3));
	assert_true(binds_to(1, 5));
	assert_true(binds_to(2, 3));
	bind_error = EINVAL;
	assert_false(binds_to(0, 3));
	bind_error = 0;
	/* Nobody tells what is allowed. */
	allowed = 0;
	assert_false(binds_to(0, 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cpus_that_share_more_are_nearer),
		cmocka_unit_test(without_own_caches_cores_are_the_nearest),
		cmocka_unit_test(without_hwloc_all_are_equally_near),
		cmocka_unit_test(hwloc_is_not_asked_where_half_of_sys_is_hidden),
		cmocka_unit_test(what_hwloc_cannot_tell_is_not_known),
		cmocka_unit_test(without_memory_or_cpus_nothing_is_known),
		cmocka_unit_test(workers_are_bound_to_the_allowed_cpus_in_turn),
	};

	return cmocka_run_group_tests_name("near", tests, NULL, NULL);
}
