/* SPDX-License-Identifier: MIT */
/*
 * Which container we are in, beside whatever hypervisor there is.
 *
 * The order is systemd's, so that both give the same answer: first what betrays
 * itself by the kernel it runs on, then what the container's manager tells us,
 * then the marks that managers leave, and last the bare fact that somebody gave
 * us a control group for a root.
 */
#include "detect/facts.h"
#include "detect/text.h"

#include <stdio.h>

#define ENVIRONMENT_SIZE 16384 /* of process 1; a container's own is short, and comes first */

/* Surely not there, which is more than that we cannot see it. */
static bool is_absent(const struct gsync_source *source, const char *path)
{
	char byte[2];

	return source->read_file(source->context, path, byte, sizeof(byte)) == -ENOENT;
}

static bool is_wsl(const struct gsync_source *source)
{
	char release[256];

	gsync_text_read(source, "/proc/sys/kernel/osrelease", release, sizeof(release));
	return strstr(release, "Microsoft") || strstr(release, "WSL");
}

/* proot is no container for the kernel: it traces its programs. */
static bool is_proot(const struct gsync_source *source)
{
	char text[1024], path[64];
	const char *tracer;
	uint64_t pid;

	gsync_text_read(source, "/proc/self/status", text, sizeof(text));
	tracer = strstr(text, "\nTracerPid:");
	if (!tracer)
		return false;
	tracer += strlen("\nTracerPid:");
	if (!gsync_text_number(&tracer, &pid) || pid == 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%llu/comm", (unsigned long long)pid);
	return gsync_text_read(source, path, text, sizeof(text)) && gsync_text_starts(text, "proot");
}

/* A manager's word; "oci" says only that some manager follows that standard, so we go on looking. */
static const char *known_name(const char *name)
{
	static const char *const names[] = {
		"lxc", "lxc-libvirt", "systemd-nspawn", "docker", "podman", "rkt", "wsl", "proot", "pouch", "openvz",
	};
	size_t i;

	if (name[0] == '\0' || strcmp(name, "oci") == 0)
		return NULL;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return names[i];
	return "container-other";
}

static const char *name_in_file(const struct gsync_source *source, const char *path)
{
	char text[64];

	gsync_text_read_line(source, path, text, sizeof(text));
	return known_name(text);
}

/* container=… in the environment of process 1: strings, each with its 0 byte. */
static const char *name_in_environment(const struct gsync_source *source)
{
	char text[ENVIRONMENT_SIZE];
	ssize_t length = source->read_file(source->context, "/proc/1/environ", text, sizeof(text));
	const char *at = text;

	if (length < 0 || (size_t)length >= sizeof(text))
		return NULL;
	text[length] = '\0';
	for (; at < text + length; at += strlen(at) + 1)
		if (gsync_text_starts(at, "container="))
			return known_name(at + strlen("container="));
	return NULL;
}

/* The root of the whole tree has no cgroup.type (v2), and alone has a release_agent (v1). */
static bool is_cgroup_namespace(const struct gsync_source *source)
{
	if (gsync_text_exists(source, "/sys/fs/cgroup/cgroup.type"))
		return true;
	return gsync_text_exists(source, "/sys/fs/cgroup/systemd/cgroup.procs") &&
	       is_absent(source, "/sys/fs/cgroup/systemd/release_agent");
}

static const char *find_container(const struct gsync_source *source)
{
	const char *name;

	if (gsync_text_exists(source, "/proc/vz") && is_absent(source, "/proc/bc"))
		return "openvz";
	if (is_wsl(source))
		return "wsl";
	if (is_proot(source))
		return "proot";
	if ((name = name_in_file(source, "/run/host/container-manager")) ||
	    (name = name_in_file(source, "/run/systemd/container")) || (name = name_in_environment(source)))
		return name;
	if (gsync_text_exists(source, "/run/.containerenv"))
		return "podman";
	if (gsync_text_exists(source, "/.dockerenv"))
		return "docker";
	return is_cgroup_namespace(source) ? "container-other" : "none";
}

void gsync_container_read(const struct gsync_source *source, char out[GSYNC_NAME_MAX])
{
	snprintf(out, GSYNC_NAME_MAX, "%s", find_container(source));
}
