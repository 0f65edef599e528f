/* SPDX-License-Identifier: Apache-2.0 */
/* The file-system side of a vhost-user socket.  rte_vhost binds and connects; it neither removes a
 * stale socket nor says why it could not bind, and cuts long paths silently, so all of that is
 * checked here beforehand. */
#include "vhost/socket_priv.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

enum {
	PATH_ROOM = sizeof(((struct sockaddr_un *)0)->sun_path),
	MAX_FD = 8192,
};

int
vhp_socket_path(const char *run_dir, const char *wanted, const char *port, char *path, struct err *e)
{
	int n;

	if (wanted[0] == '/')
		n = snprintf(path, PATH_ROOM, "%s", wanted);
	else if (wanted[0])
		n = snprintf(path, PATH_ROOM, "%s/%s", run_dir, wanted);
	else
		n = snprintf(path, PATH_ROOM, "%s/vhost/%s.sock", run_dir, port);
	if (n >= PATH_ROOM)
		return err_set(e, ENAMETOOLONG, "socket path has %d characters, the kernel takes %d: set 'socket' to a shorter one",
			       n, PATH_ROOM - 1);
	if (wanted[0])
		return 0;

	char *slash = strrchr(path, '/');

	*slash = '\0';
	n = mkdir(path, 0755) && errno != EEXIST ? errno : 0;
	if (n)
		err_set(e, n, "cannot make the directory %s: %s", path, strerror(n));
	*slash = '/';
	return -n;
}

int
vhp_access_parse(const char *owner, const char *group, const char *mode, struct vhp_access *a, struct err *e)
{
	char *end;
	unsigned long bits = strtoul(mode, &end, 8);

	if (!*mode || *end || bits > 0777)
		return err_set(e, EINVAL, "socket-mode '%s': an octal number up to 0777", mode);
	*a = (struct vhp_access){ .uid = (uid_t)-1, .gid = (gid_t)-1, .mode = (mode_t)bits };
	if (*owner) {
		const struct passwd *pw = getpwnam(owner);

		if (!pw)
			return err_set(e, ENOENT, "socket-owner: there is no user '%s'", owner);
		a->uid = pw->pw_uid;
	}
	if (*group) {
		const struct group *gr = getgrnam(group);

		if (!gr)
			return err_set(e, ENOENT, "socket-group: there is no group '%s'", group);
		a->gid = gr->gr_gid;
	}
	return 0;
}

int
vhp_access_apply(const char *path, const struct vhp_access *a, struct err *e)
{
	if ((a->uid != (uid_t)-1 || a->gid != (gid_t)-1) && lchown(path, a->uid, a->gid))
		return err_set(e, errno, "cannot give %s its owner: %s", path, strerror(errno));
	if (chmod(path, a->mode))
		return err_set(e, errno, "cannot set the mode of %s: %s", path, strerror(errno));
	return 0;
}

static int
check_directory(const char *path, struct err *e)
{
	char dir[PATH_ROOM];

	str_copy(dir, sizeof dir, path);
	*strrchr(dir, '/') = '\0';
	if (access(*dir ? dir : "/", W_OK | X_OK))
		return err_set(e, errno, "cannot make a socket in %s: %s", *dir ? dir : "/", strerror(errno));
	return 0;
}

int
vhp_socket_clear(const char *path, struct err *e)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct stat st;

	int rc = check_directory(path, e);

	if (rc)
		return rc;
	if (lstat(path, &st))
		return errno == ENOENT ? 0 : err_set(e, errno, "%s: %s", path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, EEXIST, "%s exists and is no socket: remove it or choose another path", path);

	str_copy(un.sun_path, sizeof un.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return err_set(e, errno, "socket: %s", strerror(errno));
	rc = connect(fd, (struct sockaddr *)&un, sizeof un) ? errno : 0;

	close(fd);
	if (rc != ECONNREFUSED)
		return err_set(e, EADDRINUSE, "another process listens on %s: end it, or choose another path", path);
	if (unlink(path) && errno != ENOENT)
		return err_set(e, errno, "cannot remove the stale socket %s: %s", path, strerror(errno));
	return 0;
}

static bool
is_over(int fd, const char *path)
{
	struct sockaddr_un un;
	socklen_t len = sizeof un;

	/* Ours is the side with the name where we listen, the other where we connect. */
	memset(&un, 0, sizeof un);
	if (getsockname(fd, (struct sockaddr *)&un, &len) || un.sun_family != AF_UNIX)
		return false;
	if (!strncmp(un.sun_path, path, sizeof un.sun_path))
		return true;
	memset(&un, 0, sizeof un);
	len = sizeof un;
	return !getpeername(fd, (struct sockaddr *)&un, &len) && !strncmp(un.sun_path, path, sizeof un.sun_path);
}

void
vhp_socket_set_timeouts(const char *path, unsigned ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	for (int fd = 0; fd < MAX_FD; fd++) {
		int listens = 0;
		socklen_t len = sizeof listens;

		if (!is_over(fd, path) || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) || listens)
			continue;
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
	}
}
