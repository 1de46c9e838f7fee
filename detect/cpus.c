/* SPDX-License-Identifier: MIT */
/*
 * How many CPUs' worth of time this process gets: the smallest of the CPUs
 * online, the affinity mask and what the cgroups grant.
 *
 * A quota stands in cpu.max (cgroup v2) or cpu.cfs_quota_us (v1) of the
 * process's own group and of every group above it, since parents throttle too.
 * Where the own group is mounted is not obvious inside a container: the mount
 * may show only a part of the tree, and /proc/self/cgroup may name the group by
 * a path that lies outside that part. Then, as container runtimes do, we strip
 * what the mount hides, and if nothing fits, start at the mount point itself,
 * which is the container's own group.
 *
 * Whatever we cannot read or understand is no limit; and when all is unknown,
 * we count on one CPU, with which a waiter never spins.
 *
 * Called from a lock's slow path: about 8 KB of stack, no allocation. Of
 * mountinfo we read the first TEXT_SIZE bytes; a machine whose mounts of the
 * cgroups come later is served by the customary mount points.
 */
#include "detect/facts.h"
#include "detect/text.h"

#define TEXT_SIZE 6144
#define GROUP_SIZE 768
#define PLACE_SIZE 1024
#define FILE_NAME_ROOM sizeof("/cpu.cfs_period_us") /* the longest */
#define USABLE_MIN 0.01

struct search {
	const struct gsync_source *source;
	bool v2;
	char text[TEXT_SIZE];	/* the file being read */
	char group[GROUP_SIZE]; /* the own group, as /proc/self/cgroup names it */
	char place[PLACE_SIZE]; /* a directory of the cgroup file system */
};

struct mount {
	char *root;  /* which group is visible at the mount point */
	char *point; /* NULL = not found */
};

static double tighter(double a, double b)
{
	if (a <= 0)
		return b;
	return b > 0 && b < a ? b : a;
}

/* Cuts TEXT at the last END before it, so that what was only half read is not used. */
static void cut_back(char *text, char end)
{
	char *last = strrchr(text, end);

	if (last)
		*last = '\0';
	else
		text[0] = '\0';
}

static bool read_text(struct search *search, const char *path)
{
	if (!gsync_text_read(search->source, path, search->text, TEXT_SIZE))
		return false;
	if (strlen(search->text) == TEXT_SIZE - 1)
		cut_back(search->text, '\n');
	return true;
}

static bool has_word(const char *list, const char *word)
{
	size_t length = strlen(word);

	for (;;) {
		size_t item = strcspn(list, ",");

		if (item == length && memcmp(list, word, length) == 0)
			return true;
		if (list[item] == '\0')
			return false;
		list += item + 1;
	}
}

/* Copies a path; of one that is too long only the leading groups: a limit on them still holds. */
static void copy_path(char *to, size_t size, const char *path)
{
	size_t length = strnlen(path, size);

	if (length < size) {
		memcpy(to, path, length + 1);
		return;
	}
	memcpy(to, path, size - 1);
	to[size - 1] = '\0';
	cut_back(to, '/');
}

/* Finds the own group: "4:cpu,cpuacct:/some/group", or "0::/some/group" for v2. */
static bool find_group(struct search *search)
{
	char *rest = search->text;
	char *line;

	while ((line = strsep(&rest, "\n"))) {
		char *hierarchy = strsep(&line, ":");
		char *controllers = strsep(&line, ":");

		if (!line || line[0] != '/')
			continue;
		if (search->v2 ? strcmp(hierarchy, "0") == 0 && controllers[0] == '\0' : has_word(controllers, "cpu")) {
			copy_path(search->group, GROUP_SIZE, line);
			return true;
		}
	}
	return false;
}

/* mountinfo writes blanks and backslashes as \ooo. */
static void unescape(char *text)
{
	char *to = text;

	while (*text) {
		if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] >= '0' && text[2] <= '7' &&
		    text[3] >= '0' && text[3] <= '7') {
			*to++ = (char)((text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0'));
			text += 4;
		} else {
			*to++ = *text++;
		}
	}
	*to = '\0';
}

/* "36 35 0:32 ROOT POINT options [optional fields] - TYPE source SUPER": is it the mount we look for? */
static bool parse_mount(const struct search *search, char *line, struct mount *out)
{
	char *type;
	int i;

	for (i = 0; i < 3; i++)
		strsep(&line, " ");
	out->root = strsep(&line, " ");
	out->point = strsep(&line, " ");
	while (line && strcmp(strsep(&line, " "), "-") != 0)
		;
	type = strsep(&line, " ");
	strsep(&line, " ");
	if (!line || out->point[0] != '/' || out->root[0] != '/')
		return false;
	if (search->v2 ? strcmp(type, "cgroup2") != 0 : strcmp(type, "cgroup") != 0 || !has_word(line, "cpu"))
		return false;
	unescape(out->root);
	unescape(out->point);
	return true;
}

/* GROUP as seen below ROOT; NULL when it is not there. */
static const char *strip_root(const char *group, const char *root)
{
	size_t length = strcmp(root, "/") == 0 ? 0 : strlen(root);

	if (strncmp(group, root, length) != 0 || (group[length] != '/' && group[length] != '\0'))
		return NULL;
	return group + length;
}

/* A mount hides an earlier one at the same point. Of several points, one that shows GROUP, and the first of those. */
static bool is_better(const struct mount *mount, const struct mount *found, const char *group)
{
	if (!found->point || strcmp(mount->point, found->point) == 0)
		return true;
	return strip_root(group, mount->root) && !strip_root(group, found->root);
}

static struct mount find_mount(struct search *search)
{
	struct mount found = { NULL, NULL };
	char *rest = search->text;
	char *line;

	while ((line = strsep(&rest, "\n"))) {
		struct mount mount;

		if (parse_mount(search, line, &mount) && is_better(&mount, &found, search->group))
			found = mount;
	}
	return found;
}

/* ".." leads out of the mount: the group lies outside our cgroup namespace. */
static bool climbs(const char *group)
{
	const char *at = group;

	while ((at = strstr(at, "/.."))) {
		if (at[3] == '/' || at[3] == '\0')
			return true;
		at += 3;
	}
	return false;
}

static bool read_group_file(struct search *search, size_t length, const char *name, char *buffer, size_t size)
{
	memcpy(search->place + length, name, strlen(name) + 1);
	return gsync_text_read(search->source, search->place, buffer, size);
}

/* What the group at the first LENGTH bytes of the place grants; 0 = no limit. */
static double read_quota(struct search *search, size_t length)
{
	char quota_text[64], period_text[64];
	const char *quota_file = search->v2 ? "/cpu.max" : "/cpu.cfs_quota_us";
	const char *quota_at = quota_text;
	const char *period_at = period_text;
	uint64_t quota, period;

	if (!read_group_file(search, length, quota_file, quota_text, sizeof(quota_text)))
		return 0;
	/* No limit is "max" or "-1", and not a number. */
	if (!gsync_text_number(&quota_at, &quota))
		return 0;
	if (search->v2)
		period_at = quota_at;
	else
		read_group_file(search, length, "/cpu.cfs_period_us", period_text, sizeof(period_text));
	if (!gsync_text_number(&period_at, &period) || quota == 0 || period == 0)
		return 0;
	return (double)quota / (double)period;
}

/* The tightest quota from GROUP up to the mount point. */
static double read_quotas(struct search *search, const char *point, const char *group)
{
	size_t top = strlen(point);
	double quota = 0;
	size_t length;

	if (top > PLACE_SIZE - FILE_NAME_ROOM - 1)
		return 0;
	memcpy(search->place, point, top + 1);
	copy_path(search->place + top, PLACE_SIZE - FILE_NAME_ROOM - top, group);
	for (length = strlen(search->place);; length--) {
		quota = tighter(quota, read_quota(search, length));
		while (length > top && search->place[length - 1] != '/')
			length--;
		if (length <= top)
			return quota;
	}
}

static double read_customary_quotas(struct search *search, const char *group)
{
	static const char *const points[2][2] = {
		{ "/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct" },
		{ "/sys/fs/cgroup", "/sys/fs/cgroup/unified" },
	};
	double quota = read_quotas(search, points[search->v2][0], group);

	return tighter(quota, read_quotas(search, points[search->v2][1], group));
}

static double read_hierarchy(struct search *search)
{
	struct mount mount = { NULL, NULL };
	const char *group;

	if (!read_text(search, "/proc/self/cgroup") || !find_group(search))
		return read_customary_quotas(search, "");
	if (climbs(search->group))
		search->group[0] = '\0';
	if (read_text(search, "/proc/self/mountinfo"))
		mount = find_mount(search);
	if (!mount.point)
		return read_customary_quotas(search, search->group);
	group = strip_root(search->group, mount.root);
	return read_quotas(search, mount.point, group ? group : "");
}

/* Where the controller lives, v1 or v2, differs by machine; on a hybrid one both trees exist and one has it. */
static double read_all_quotas(const struct gsync_source *source)
{
	struct search search;
	double quota;

	search.source = source;
	search.v2 = false;
	quota = read_hierarchy(&search);
	search.v2 = true;
	return tighter(quota, read_hierarchy(&search));
}

void gsync_cpus_read(const struct gsync_source *source, struct gsync_cpus *out)
{
	int online = source->cpus_online(source->context);
	int affinity = source->cpus_affinity(source->context);

	out->online = online > 0 ? online : 0;
	out->affinity = affinity > 0 ? affinity : 0;
	out->quota = read_all_quotas(source);
	out->usable = tighter(out->online, out->affinity);
	if (out->usable <= 0)
		out->usable = 1;
	out->usable = tighter(out->usable, out->quota);
	if (out->usable < USABLE_MIN)
		out->usable = USABLE_MIN;
}
