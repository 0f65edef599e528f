/* SPDX-License-Identifier: Apache-2.0 */
#include "base/usock.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A file left by a daemon that was killed goes; a socket that somebody listens on stays. */
static int
clear_path(const struct sockaddr_un *sa, struct err *e)
{
	struct stat st;
	int fd, rc;

	if (lstat(sa->sun_path, &st))
		return errno == ENOENT ? 0 : err_set(e, errno, "%s: %s", sa->sun_path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, EEXIST, "%s: exists and is no socket; move it away", sa->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(e, errno, "socket: %s", strerror(errno));
	rc = connect(fd, (const struct sockaddr *)sa, sizeof *sa);
	rc = !rc || errno == EAGAIN ? -EADDRINUSE : 0;
	close(fd);
	if (rc)
		return err_set(e, EADDRINUSE, "%s: another weftd listens here", sa->sun_path);
	if (unlink(sa->sun_path))
		return err_set(e, errno, "%s: cannot remove the stale socket: %s", sa->sun_path, strerror(errno));
	return 0;
}

int
usock_listen(const char *path, mode_t mode, int backlog, struct err *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	mode_t old;
	int fd, rc;

	if (!str_copy(sa.sun_path, sizeof sa.sun_path, path))
		return err_set(e, ENAMETOOLONG, "%s: a socket path has at most %zu bytes; choose a shorter run directory",
			       path, sizeof sa.sun_path - 1);
	rc = clear_path(&sa, e);
	if (rc)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(e, errno, "socket: %s", strerror(errno));
	old = umask(~mode & 0777);
	rc = bind(fd, (const struct sockaddr *)&sa, sizeof sa);
	rc = rc ? -errno : 0;
	umask(old);
	if (!rc && listen(fd, backlog))
		rc = -errno;
	if (!rc)
		return fd;
	close(fd);
	return err_set(e, -rc, "%s: cannot listen: %s%s", path, strerror(-rc),
		       rc == -ENOENT ? "; does the directory exist?" : "");
}
