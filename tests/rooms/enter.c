/* SPDX-License-Identifier: MIT */
/*
 * Builds a room, wall by wall in the order given, and runs a program in it:
 *
 *     enter WALL… -- PROGRAM [ARGUMENT…]
 *
 *   hide=DIRECTORY         an empty file system lies over it
 *   processes-only         /proc has nothing but the processes
 *   read-only              every file system
 *   empty-root             the root directory is empty: for static programs
 *   pids                   a PID namespace, the program its first process, with /proc from outside
 *   nobody                 a user without rights
 *   limit=WHAT:NUMBER      nproc, nofile or as
 *   refuse=ERROR:CALL,…    EPERM, ENOSYS or EACCES is what these calls return
 *   kill=CALL,…            these calls end the process
 *
 * Each wall is tried before the program runs: 125 means that it does not hold, 77
 * that it cannot be built here. Otherwise the status is the program's; 128 and a
 * signal's number, if that ended it.
 */
#include "tests/rooms/filter.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BAD_USE = 2, CANNOT_BUILD = 77, DOES_NOT_HOLD = 125 };

#define NOBODY 65534

static _Noreturn __attribute__((format(printf, 2, 3))) void end(int status, const char *format, ...)
{
	va_list arguments;

	fputs("enter: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(status);
}

static void need(bool built, const char *what)
{
	if (!built)
		end(CANNOT_BUILD, "%s: %s", what, strerror(errno));
}

static void hold(bool holds, const char *what)
{
	if (!holds)
		end(DOES_NOT_HOLD, "%s does not hold", what);
}

/* ---- what is mounted */

static void own_mounts(void)
{
	static bool done;

	if (done)
		return;
	need(unshare(CLONE_NEWNS) == 0, "a mount namespace");
	need(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "mounts of our own");
	done = true;
}

static bool is_empty(const char *path)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;
	bool empty = directory != NULL;

	while (empty && (entry = readdir(directory)))
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	if (directory)
		closedir(directory);
	return empty;
}

static void hide(const char *directory)
{
	own_mounts();
	need(mount("none", directory, "tmpfs", 0, "mode=755") == 0, directory);
	hold(is_empty(directory), "hide");
}

static void show_processes_only(const char *value)
{
	(void)value;
	own_mounts();
	need(mount("proc", "/proc", "proc", 0, "subset=pid") == 0, "/proc with processes only");
	hold(access("/proc/stat", F_OK) != 0 && access("/proc/self/stat", R_OK) == 0, "processes-only");
}

static void make_read_only(const char *value)
{
	struct mount_attr attributes = { .attr_set = MOUNT_ATTR_RDONLY };

	(void)value;
	own_mounts();
	need(mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &attributes, sizeof(attributes)) == 0, "read-only file systems");
	hold(open("/tmp/room", O_WRONLY | O_CREAT, 0600) < 0 && errno == EROFS, "read-only");
	hold(open("room", O_WRONLY | O_CREAT, 0600) < 0 && errno == EROFS, "read-only");
}

static void empty_root(const char *value)
{
	(void)value;
	hide("/tmp");
	need(chroot("/tmp") == 0 && chdir("/") == 0, "chroot");
	hold(is_empty("/"), "empty-root");
}

/* ---- who we are, and how much we may have */

static _Noreturn void end_like(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) != child) {
		/* interrupted */
	}
	exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

static void own_pids(const char *value)
{
	pid_t child;

	(void)value;
	need(unshare(CLONE_NEWPID) == 0, "a PID namespace");
	child = fork();
	need(child >= 0, "fork");
	if (child > 0)
		end_like(child);
	hold(getpid() == 1, "pids");
}

static void be_nobody(const char *value)
{
	(void)value;
	need(setgroups(0, NULL) == 0 && setgid(NOBODY) == 0 && setuid(NOBODY) == 0, "another user");
	hold(setuid(0) != 0 && access("/etc/shadow", R_OK) != 0, "nobody");
}

static bool cannot_fork(void)
{
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	return child < 0 && errno == EAGAIN;
}

static void limit(const char *value)
{
	unsigned long most = strchr(value, ':') ? strtoul(strchr(value, ':') + 1, NULL, 0) : 0;
	const struct rlimit at_most = { most, most };

	if (strncmp(value, "nproc:", 6) == 0) {
		need(setrlimit(RLIMIT_NPROC, &at_most) == 0, "limit");
		hold(cannot_fork(), "limit=nproc");
	} else if (strncmp(value, "nofile:", 7) == 0) {
		need(setrlimit(RLIMIT_NOFILE, &at_most) == 0, "limit");
		hold(open("/", O_RDONLY) < 0 && errno == EMFILE, "limit=nofile");
	} else if (strncmp(value, "as:", 3) == 0) {
		need(setrlimit(RLIMIT_AS, &at_most) == 0, "limit");
		hold(mmap(NULL, most, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED, "limit=as");
	} else {
		end(BAD_USE, "no such limit: %s", value);
	}
}

/* ---- what we may call */

static void filter(const char *calls, int error)
{
	enum filter result = filter_calls(calls, error);

	need(result != FILTER_CANNOT, "a seccomp filter");
	hold(result == FILTER_HOLDS, calls);
}

static void refuse(const char *value)
{
	static const struct {
		const char *name;
		int error;
	} errors[] = { { "EPERM:", EPERM }, { "ENOSYS:", ENOSYS }, { "EACCES:", EACCES } };

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (strncmp(value, errors[i].name, strlen(errors[i].name)) == 0) {
			filter(value + strlen(errors[i].name), errors[i].error);
			return;
		}
	end(BAD_USE, "no such refusal: %s", value);
}

static void kill_at(const char *value)
{
	filter(value, FILTER_KILLS);
}

/* ---- all walls */

static const struct {
	const char *name; /* with "=", where a value follows */
	void (*build)(const char *value);
} walls[] = {
	{ "hide=", hide },	       { "processes-only", show_processes_only },
	{ "read-only", make_read_only }, { "empty-root", empty_root },
	{ "pids", own_pids },	       { "nobody", be_nobody },
	{ "limit=", limit },	       { "refuse=", refuse },
	{ "kill=", kill_at },
};

static void build(const char *wall)
{
	for (size_t i = 0; i < sizeof(walls) / sizeof(walls[0]); i++) {
		size_t length = strlen(walls[i].name);
		bool takes_value = walls[i].name[length - 1] == '=';

		if (takes_value ? strncmp(wall, walls[i].name, length) == 0 : strcmp(wall, walls[i].name) == 0) {
			walls[i].build(wall + length);
			return;
		}
	}
	end(BAD_USE, "no such wall: %s", wall);
}

int main(int argc, char **argv)
{
	const struct rlimit none = { 0, 0 };
	int first = 1, program;

	setrlimit(RLIMIT_CORE, &none);
	while (first < argc && strcmp(argv[first], "--") != 0)
		first++;
	if (first + 1 >= argc)
		end(BAD_USE, "usage: enter WALL... -- PROGRAM [ARGUMENT...]");
	/* Now: later it may be out of reach. */
	program = open(argv[first + 1], O_PATH | O_CLOEXEC);
	if (program < 0)
		end(BAD_USE, "%s: %s", argv[first + 1], strerror(errno));
	for (int i = 1; i < first; i++)
		build(argv[i]);
	fexecve(program, argv + first + 1, environ);
	end(DOES_NOT_HOLD, "cannot run %s: %s", argv[first + 1], strerror(errno));
}
