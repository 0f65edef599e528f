/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration store that is one JSON file.
 *
 * A new document is written to weft.json.tmp and synced; then the present file gets a second name,
 * weft.json.prev, and the new one takes the name weft.json.  Both steps are rename(2) of a complete
 * file, so there is no instant at which weft.json is missing or half written. */
#include "ctl/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

#define FILE_NAME "weft.json"
#define TMP_NAME "weft.json.tmp"
#define PREV_NAME "weft.json.prev"
#define PREV_TMP_NAME "weft.json.prev.tmp"
#define ASIDE_NAME "weft.json.unused"

enum { DOC_MAX = 64 << 20 };            /* Bytes; a thousand ports take a fraction of one percent. */

/* Which file we last read or wrote: another one under the same name was put there by hand. */
struct file_id {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime;
};

struct store_file {
	struct store head;
	char *dir, *path, *prev;
	int dir_fd;
	bool read_only;
	bool prepared;
	struct file_id known;
};

static struct store_file *
file_of(struct store *s)
{
	return CONTAINER_OF(s, struct store_file, head);
}

static struct file_id
file_id(const struct stat *st)
{
	return (struct file_id){ st->st_dev, st->st_ino, st->st_size, st->st_mtim };
}

static bool
file_id_equal(const struct file_id *a, const struct file_id *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->mtime.tv_sec == b->mtime.tv_sec && a->mtime.tv_nsec == b->mtime.tv_nsec;
}

/* --- Reading --------------------------------------------------------------------------------- */

static int
read_all(int fd, char *buf, size_t len)
{
	for (size_t n = 0; n < len;) {
		ssize_t k = read(fd, buf + n, len - n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -errno;
		/* It was longer a moment ago: the parser will say where it ends. */
		if (k == 0) {
			memset(buf + n, ' ', len - n);
			break;
		}
		n += k;
	}
	return 0;
}

static int
parse(const char *path, const char *text, size_t len, json_t **doc, struct err *e)
{
	json_error_t je;

	if (strspn(text, " \t\r\n") >= len)
		return err_set(e, EINVAL, "%s:1:1: the file is empty", path);
	*doc = json_loadb(text, len, JSON_REJECT_DUPLICATES, &je);
	if (!*doc)
		return err_set(e, EINVAL, "%s:%d:%d: %s", path, MAX_OF(je.line, 1), MAX_OF(je.column, 1), je.text);
	if (json_is_object(*doc))
		return 0;
	json_decref(*doc);
	*doc = NULL;
	return err_set(e, EINVAL, "%s:1:1: a document is an object: { \"version\": 1, ... }", path);
}

static int
read_doc(int fd, const char *path, json_t **doc, struct file_id *id, struct err *e)
{
	struct stat st;
	char *text;
	int rc;

	if (fstat(fd, &st))
		return err_set(e, errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "%s: not a regular file", path);
	if (st.st_size > DOC_MAX)
		return err_set(e, EFBIG, "%s: larger than %d MiB", path, DOC_MAX >> 20);

	text = xcalloc(1, (size_t)st.st_size + 1);
	rc = read_all(fd, text, (size_t)st.st_size);
	if (rc)
		err_set(e, -rc, "%s: %s", path, strerror(-rc));
	else
		rc = parse(path, text, (size_t)st.st_size, doc, e);
	free(text);
	if (!rc && id)
		*id = file_id(&st);
	return rc;
}

static int
read_path(const char *path, json_t **doc, struct file_id *id, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int rc;

	*doc = NULL;
	if (fd < 0)
		return err_set(e, errno, "%s: %s", path, strerror(errno));
	rc = read_doc(fd, path, doc, id, e);
	close(fd);
	return rc;
}

int
store_read_file(const char *path, json_t **doc, struct err *e)
{
	return read_path(path, doc, NULL, e);
}

static int
file_load(struct store *s, json_t **doc, struct err *e)
{
	struct store_file *f = file_of(s);

	return read_path(f->path, doc, &f->known, e);
}

static void
file_refused(struct store *s)
{
	memset(&file_of(s)->known, 0, sizeof file_of(s)->known);
}

static int
file_load_previous(struct store *s, json_t **doc, struct err *e)
{
	return read_path(file_of(s)->prev, doc, NULL, e);
}

static bool
file_advice(struct store *s, char *buf, size_t len)
{
	struct store_file *f = file_of(s);
	json_t *doc;

	if (file_load_previous(s, &doc, NULL))
		return false;
	json_decref(doc);
	snprintf(buf, len, "the last good one is %s; start with --use-previous, or restore it with: cp %s %s",
		 f->prev, f->prev, f->path);
	return true;
}

/* --- Writing --------------------------------------------------------------------------------- */

static int
write_all(int fd, const char *buf, size_t len)
{
	while (len) {
		ssize_t k = write(fd, buf, len);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -errno;
		buf += k;
		len -= k;
	}
	return 0;
}

static int
write_tmp(struct store_file *f, const char *text)
{
	int fd = openat(f->dir_fd, TMP_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	int rc;

	if (fd < 0)
		return -errno;
	rc = write_all(fd, text, strlen(text));
	if (!rc)
		rc = write_all(fd, "\n", 1);
	if (!rc && fsync(fd))
		rc = -errno;
	if (close(fd) && !rc)
		rc = -errno;
	if (rc)
		unlinkat(f->dir_fd, TMP_NAME, 0);
	return rc;
}

static int
file_prepare(struct store *s, const json_t *doc, struct err *e)
{
	struct store_file *f = file_of(s);
	char *text;
	int rc;

	if (f->read_only)
		return err_set(e, EROFS, "%s: opened for reading only", f->path);
	text = json_dumps(doc, JSON_INDENT(2) | JSON_SORT_KEYS);
	if (!text)
		return err_set(e, EINVAL, "%s: the document is no JSON value", f->path);
	rc = write_tmp(f, text);
	free(text);
	if (rc)
		return err_set(e, -rc, "cannot write %s/" TMP_NAME ": %s", f->dir, strerror(-rc));
	f->prepared = true;
	return 0;
}

/* Gives 'from' the second name 'to', replacing what had it. */
static int
keep_as(struct store_file *f, const char *from, const char *to)
{
	unlinkat(f->dir_fd, PREV_TMP_NAME, 0);
	if (linkat(f->dir_fd, from, f->dir_fd, PREV_TMP_NAME, 0))
		return -errno;
	return renameat(f->dir_fd, PREV_TMP_NAME, f->dir_fd, to) ? -errno : 0;
}

/* A file that someone edited and that was never loaded is no "last good one"; nor is it ours to lose. */
static int
keep_present(struct store_file *f)
{
	struct stat st;
	struct file_id id;

	if (fstatat(f->dir_fd, FILE_NAME, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : -errno;
	id = file_id(&st);
	if (file_id_equal(&id, &f->known))
		return keep_as(f, FILE_NAME, PREV_NAME);
	log_warn("config: %s was changed by hand and is not in effect: kept as %s/" ASIDE_NAME, f->path, f->dir);
	return keep_as(f, FILE_NAME, ASIDE_NAME);
}

static int
file_commit(struct store *s, struct err *e)
{
	struct store_file *f = file_of(s);
	struct stat st;
	int rc;

	if (!f->prepared)
		return err_set(e, EINVAL, "%s: nothing was prepared", f->path);
	rc = keep_present(f);
	if (!rc && renameat(f->dir_fd, TMP_NAME, f->dir_fd, FILE_NAME))
		rc = -errno;
	if (rc)
		return err_set(e, -rc, "cannot replace %s: %s", f->path, strerror(-rc));
	f->prepared = false;
	if (!fstatat(f->dir_fd, FILE_NAME, &st, AT_SYMLINK_NOFOLLOW))
		f->known = file_id(&st);
	/* The new name is there; when it becomes durable is all that is left to go wrong. */
	if (fsync(f->dir_fd))
		log_warn("config: %s: fsync: %s", f->dir, strerror(errno));
	return 0;
}

static void
file_abort(struct store *s)
{
	struct store_file *f = file_of(s);

	if (f->prepared)
		unlinkat(f->dir_fd, TMP_NAME, 0);
	f->prepared = false;
}

static int
file_use_previous(struct store *s, struct err *e)
{
	json_t *doc;
	int rc = file_load_previous(s, &doc, e);

	if (rc)
		return rc;
	/* 'known' does not match an unreadable file, so that it is put aside and .prev stays. */
	file_refused(s);
	rc = store_save(s, doc, e);
	json_decref(doc);
	return rc;
}

/* --- Life ------------------------------------------------------------------------------------ */

static void
file_destroy(struct store *s)
{
	struct store_file *f = file_of(s);

	file_abort(s);
	if (f->dir_fd >= 0)
		close(f->dir_fd);
	free(f->dir);
	free(f->path);
	free(f->prev);
	free(f);
}

static const struct store_ops file_ops = {
	.name = "file",
	.load = file_load,
	.refused = file_refused,
	.load_previous = file_load_previous,
	.use_previous = file_use_previous,
	.prepare = file_prepare,
	.commit = file_commit,
	.abort = file_abort,
	.destroy = file_destroy,
	.advice = file_advice,
};

static char *
join(const char *dir, const char *name)
{
	size_t dir_len = strlen(dir), name_len = strlen(name) + 1;
	char *p = xcalloc(1, dir_len + 1 + name_len);

	memcpy(p, dir, dir_len);
	p[dir_len] = '/';
	memcpy(p + dir_len + 1, name, name_len);
	return p;
}

static int
take_lock(struct store_file *f, struct err *e)
{
	if (flock(f->dir_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return err_set(e, EBUSY, "config directory %s is used by another weftd: give this one its own "
			       "with --config-dir", f->dir);
	return err_set(e, errno, "config directory %s: cannot lock: %s", f->dir, strerror(errno));
}

static int
open_dir(struct store_file *f, struct err *e)
{
	if (!f->read_only && mkdir(f->dir, 0755) && errno != EEXIST)
		return err_set(e, errno, "config directory %s is missing and cannot be created: %s: create it, or choose another "
			       "with --config-dir", f->dir, strerror(errno));
	f->dir_fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->dir_fd < 0)
		return err_set(e, errno, "config directory %s: %s", f->dir, strerror(errno));
	if (f->read_only)
		return 0;
	if (faccessat(f->dir_fd, ".", W_OK | X_OK, AT_EACCESS))
		return err_set(e, errno, "config directory %s: not writable: %s", f->dir, strerror(errno));
	return take_lock(f, e);
}

struct store *
store_file_open(const char *dir, bool read_only, struct err *e)
{
	struct store_file *f = xcalloc(1, sizeof *f);

	f->head.ops = &file_ops;
	f->dir = xstrdup(dir);
	f->path = join(dir, FILE_NAME);
	f->prev = join(dir, PREV_NAME);
	f->dir_fd = -1;
	f->read_only = read_only;
	if (open_dir(f, e)) {
		file_destroy(&f->head);
		return NULL;
	}
	/* Left by a writer that was killed: never a document. */
	if (!read_only) {
		unlinkat(f->dir_fd, TMP_NAME, 0);
		unlinkat(f->dir_fd, PREV_TMP_NAME, 0);
	}
	return &f->head;
}

int
store_save(struct store *s, const json_t *doc, struct err *e)
{
	int rc = s->ops->prepare(s, doc, e);

	if (!rc)
		rc = s->ops->commit(s, e);
	if (rc)
		s->ops->abort(s);
	return rc;
}

void
store_destroy(struct store *s)
{
	if (s)
		s->ops->destroy(s);
}
