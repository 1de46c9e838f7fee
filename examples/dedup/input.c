/* SPDX-License-Identifier: MIT */
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail_to_read(const struct input *input, int reason, struct bench_error *error)
{
	return bench_fail(error, "cannot read \"%s\": %s", input->path, strerror(reason));
}

int input_open(struct input *input, const char *path, struct bench_error *error)
{
	struct stat status;
	off_t end;

	*input = (struct input){ .fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), .path = path };
	if (input->fd < 0 || fstat(input->fd, &status) != 0)
		return fail_to_read(input, errno, error);
	if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode))
		return bench_fail(error, "cannot read \"%s\": it is neither a regular file nor a disk", path);
	end = lseek(input->fd, 0, SEEK_END);
	if (end < 0)
		return fail_to_read(input, errno, error);
	input->bytes = (uint64_t)end;
	return 0;
}

void input_close(struct input *input)
{
	if (input->fd >= 0)
		close(input->fd);
	input->fd = -1;
}

int input_read(const struct input *input, void *buffer, size_t length, uint64_t offset, struct bench_error *error)
{
	size_t done = 0;

	while (done < length) {
		ssize_t got = pread(input->fd, (char *)buffer + done, length - done, (off_t)(offset + done));

		if (got == 0)
			return bench_fail(error, "\"%s\" became shorter while it was read", input->path);
		if (got < 0 && errno != EINTR)
			return fail_to_read(input, errno, error);
		if (got > 0)
			done += (size_t)got;
	}
	return 0;
}
