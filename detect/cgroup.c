/* SPDX-License-Identifier: MIT */
/*
 * Where the own cgroup and those above it are to be found.
 *
 * Where the own group is mounted is not obvious inside a container: the mount
 * may show only a part of the tree, and /proc/self/cgroup may name the group by
 * a path that lies outside that part. Then, as container runtimes do, we strip
 * what the mount hides, and if nothing fits, start at the mount point itself,
 * which is the container's own group.
 *
 * Called from a lock's slow path: no allocation, and where the source has no
 * scratch, 8 KB of stack. Of mountinfo we read the first TEXT_SIZE bytes; a machine
 * whose mounts of the cgroups come later is served by the customary mount points.
 */
#include "detect/cgroup.h"
#include "detect/text.h"

#define TEXT_SIZE 6144
#define GROUP_SIZE 768
#define PLACE_SIZE 1024
#define FILE_NAME_ROOM sizeof("/cpu.cfs_period_us") /* the longest that a visitor reads */

struct search {
	const struct gsync_source *source;
	bool v2;
	gsync_cgroup_visitor *visit;
	void *context;
	char *text;  /* TEXT_SIZE: the file being read */
	char *group; /* GROUP_SIZE: the own group, as /proc/self/cgroup names it */
	char *place; /* PLACE_SIZE: a directory of the cgroup file system */
};

_Static_assert(TEXT_SIZE + GROUP_SIZE + PLACE_SIZE <= GSYNC_SCRATCH_SIZE, "a search has room");

struct mount {
	char *root;  /* which group is visible at the mount point */
	char *point; /* NULL = not found */
};

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
	gsync_text_cut_back(to, '/');
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

bool gsync_cgroup_read_file(const struct gsync_cgroup *group, const char *name, char *buffer, size_t size)
{
	memcpy(group->path + group->length, name, strlen(name) + 1);
	return gsync_text_read_lines(group->source, group->path, buffer, size);
}

/* From GROUP up to the mount point. */
static bool walk_up(struct search *search, const char *point, const char *group)
{
	struct gsync_cgroup at = { .source = search->source, .v2 = search->v2, .path = search->place };
	size_t top = strlen(point);
	bool found = false;

	if (top > PLACE_SIZE - FILE_NAME_ROOM - 1)
		return false;
	memcpy(search->place, point, top + 1);
	copy_path(search->place + top, PLACE_SIZE - FILE_NAME_ROOM - top, group);
	for (at.length = strlen(search->place);;) {
		while (at.length > top && search->place[at.length - 1] == '/')
			at.length--;
		if (search->visit(&at, search->context))
			found = true;
		if (at.length <= top)
			return found;
		while (at.length > top && search->place[at.length - 1] != '/')
			at.length--;
	}
}

/* The second point only where the first has nothing: they may be one directory by two names. */
static void walk_up_customary(struct search *search, const char *group)
{
	static const char *const points[2][2] = {
		{ "/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct" },
		{ "/sys/fs/cgroup", "/sys/fs/cgroup/unified" },
	};

	if (!walk_up(search, points[search->v2][0], group))
		walk_up(search, points[search->v2][1], group);
}

static void walk_hierarchy(struct search *search)
{
	struct mount mount = { NULL, NULL };
	const char *group;

	if (!gsync_text_read_lines(search->source, "/proc/self/cgroup", search->text, TEXT_SIZE) ||
	    !find_group(search)) {
		walk_up_customary(search, "");
		return;
	}
	if (climbs(search->group))
		search->group[0] = '\0';
	if (gsync_text_read_lines(search->source, "/proc/self/mountinfo", search->text, TEXT_SIZE))
		mount = find_mount(search);
	if (!mount.point) {
		walk_up_customary(search, search->group);
		return;
	}
	group = strip_root(search->group, mount.root);
	walk_up(search, mount.point, group ? group : "");
}

/* Where the controller lives, v1 or v2, differs by machine; on a hybrid one both trees exist and one has it. */
static void walk(const struct gsync_source *source, gsync_cgroup_visitor *visit, void *context, char *scratch)
{
	struct search search = {
		.source = source,
		.visit = visit,
		.context = context,
		.text = scratch,
		.group = scratch + TEXT_SIZE,
		.place = scratch + TEXT_SIZE + GROUP_SIZE,
	};

	walk_hierarchy(&search);
	search.v2 = true;
	walk_hierarchy(&search);
}

/* Not inlined: who brings scratch must not need the stack as well. */
static __attribute__((noinline)) void walk_on_stack(const struct gsync_source *source, gsync_cgroup_visitor *visit,
						    void *context)
{
	char scratch[GSYNC_SCRATCH_SIZE];

	walk(source, visit, context, scratch);
}

void gsync_cgroup_walk(const struct gsync_source *source, gsync_cgroup_visitor *visit, void *context)
{
	if (source->scratch)
		walk(source, visit, context, source->scratch);
	else
		walk_on_stack(source, visit, context);
}
