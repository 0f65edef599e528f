/* SPDX-License-Identifier: Apache-2.0 */
/* Run directory, lock, readiness. */
#include "ctl/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int
check_dir(const char *dir, struct err *e)
{
	struct stat st;

	if (mkdir(dir, 0755) && errno != EEXIST)
		return err_set(e, errno, "run directory %s is missing and cannot be created: %s: create it, or choose another "
			       "with --run-dir", dir, strerror(errno));
	if (stat(dir, &st))
		return err_set(e, errno, "run directory %s: %s", dir, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ENOTDIR, "run directory %s is not a directory", dir);
	if (faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS))
		return err_set(e, errno, "run directory %s: not writable: %s: run as root, or choose another with --run-dir",
			       dir, strerror(errno));
	/* Sockets in it must fit an address; the longest are those of guests: DIR/vhost/NAME.sock. */
	if (strlen(dir) > sizeof ((struct sockaddr_un *)0)->sun_path - 44)
		return err_set(e, ENAMETOOLONG, "run directory %s: the path is too long for sockets in it: at most %zu bytes",
			       dir, sizeof ((struct sockaddr_un *)0)->sun_path - 44);
	return 0;
}

static int
refuse_second(const char *dir, int fd, struct err *e)
{
	char pid[24] = "";
	ssize_t n = pread(fd, pid, sizeof pid - 1, 0);

	pid[n > 0 ? strspn(pid, "0123456789") : 0] = '\0';
	return err_set(e, EBUSY, "another weftd (pid %s) uses run directory %s: stop it, or give this one its own with "
		       "--run-dir", *pid ? pid : "unknown", dir);
}

/* Whether the file that was locked is still the one by that name: a daemon that ends removes it. */
static bool
still_there(int fd, const char *path)
{
	struct stat a, b;

	return !fstat(fd, &a) && !stat(path, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int
daemon_lock(const char *dir, struct err *e)
{
	char path[PATH_MAX], pid[24];
	int fd, rc = check_dir(dir, e);

	if (rc)
		return rc;
	snprintf(path, sizeof path, "%s/weftd.pid", dir);
	for (;;) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
		if (fd < 0)
			return err_set(e, errno, "cannot open %s: %s", path, strerror(errno));
		if (flock(fd, LOCK_EX | LOCK_NB)) {
			rc = refuse_second(dir, fd, e);
			close(fd);
			return rc;
		}
		if (still_there(fd, path))
			break;
		close(fd);
	}
	snprintf(pid, sizeof pid, "%d\n", (int)getpid());
	if (ftruncate(fd, 0) || write(fd, pid, strlen(pid)) < 0) {
		rc = err_set(e, errno, "cannot write %s: %s", path, strerror(errno));
		close(fd);
		return rc;
	}
	return fd;
}

void
daemon_unlock(const char *dir, int fd)
{
	char path[PATH_MAX];

	if (fd < 0)
		return;
	snprintf(path, sizeof path, "%s/weftd.pid", dir);
	unlink(path);
	close(fd);
}

void
daemon_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	socklen_t len;
	int fd;

	if (!path || (*path != '/' && *path != '@') || strlen(path) >= sizeof sun.sun_path)
		return;
	strcpy(sun.sun_path, path);
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	/* "@name" is an abstract socket. */
	if (*path == '@')
		sun.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* A manager that does not listen is no reason not to run. */
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&sun, len) < 0)
		errno = 0;
	close(fd);
}
