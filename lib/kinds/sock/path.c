/*
 * NAME@connect=/run/x.sock: a name with an address of the file system in it. To the kernel its parts are directories
 * and a file, and it asks for each without saying which is the last. So what is a directory in reality is one here, and
 * all else is a face of NAME, to be opened or made.
 *
 * A helper looks, because reality can block. It goes step by step and stops before our own mount: a link that leads
 * into it could make this lookup wait for itself, in the kernel, where nothing ends it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "sock.h"
#include "core/instance.h"
#include "core/ref.h"

enum { LINKS_MAX = 40 };

static const char *path_target(const struct ipc_ref *ref)
{
	return ref->facets.set & IPC_F_CONNECT ? ref->base + ref->facet_at + ref->facets.connect : "";
}

/* "NAME@connect=" and "NAME@dgram,connect=", below which an absolute path goes on. */
static bool path_begins(const struct ipc_ref *ref)
{
	static const char last[] = "connect=";
	size_t n = strlen(ref->base), m = strlen(last);
	const char *at = strchr(ref->base, '@');

	return !ref->facet_at && at && at > ref->base && n > m && strcmp(ref->base + n - m, last) == 0 &&
	       (ref->base[n - m - 1] == '@' || ref->base[n - m - 1] == ',');
}

int sock_path_stat(struct ipc *ipc, const struct ipc_ref *ref, const struct sock_chan *c, struct stat *st)
{
	const char *target = path_target(ref);
	size_t n = strlen(target);
	bool dir = path_begins(ref);

	if (target[0] == '/' && c && c->target) {
		if (strcmp(c->target, target) == 0)
			return 1;
		dir = strncmp(c->target, target, n) == 0 && c->target[n] == '/';
	}
	if (dir) {
		ipc_dir_stat(ipc, ref, st);
		return 0;
	}
	return target[0] == '/' ? -EINPROGRESS : 1;
}

/* In the helper's thread */

struct walk {
	const struct ipc_look *look;
	int root; /* where the way begins; -1: at ours */
	dev_t own;
	int fd; /* of where we are */
	unsigned links;
	char way[PATH_MAX];  /* from the root to there, without links */
	char rest[PATH_MAX]; /* the way from there */
};

static int walk_open(const struct walk *w, int dir, const char *name)
{
	int fd;

	do
		fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	while (fd < 0 && errno == EINTR && !atomic_load(&w->look->job.cancelled));
	return fd < 0 ? -errno : fd;
}

/* Moves on to fd, which it takes. */
static void walk_to(struct walk *w, int fd)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = fd;
}

static int walk_from_root(struct walk *w)
{
	int root = w->root < 0 ? walk_open(w, AT_FDCWD, "/") : walk_open(w, w->root, ".");

	if (root < 0)
		return root;
	walk_to(w, root);
	w->way[0] = '\0';
	return 0;
}

/* Puts n bytes of text before the rest of the way: a link's, or that of a part that is gone again. */
static int walk_insert(struct walk *w, const char *text, size_t n)
{
	size_t rest = strlen(w->rest);

	if (++w->links > LINKS_MAX)
		return -ELOOP;
	if (n + 1 + rest >= sizeof(w->rest))
		return -ENAMETOOLONG;
	memmove(w->rest + n + 1, w->rest, rest + 1);
	memcpy(w->rest, text, n);
	w->rest[n] = '/';
	return 0;
}

static int walk_link(struct walk *w, int link)
{
	char text[PATH_MAX];
	ssize_t n = readlinkat(link, "", text, sizeof(text));
	int r = n < 0 ? -errno : walk_insert(w, text, (size_t)n);

	return r < 0 || text[0] != '/' ? r : walk_from_root(w);
}

/*
 * The kernel would go up from any directory, also from a caller's root that is not ours. So the way is gone once more
 * from there, without its last part.
 */
static int walk_up(struct walk *w)
{
	char *last = strrchr(w->way, '/');
	int r = walk_insert(w, w->way, last ? (size_t)(last - w->way) : 0);

	return r < 0 ? r : walk_from_root(w);
}

static int walk_down(struct walk *w, int fd, const char *name)
{
	size_t n = strlen(w->way);

	if (n + 1 + strlen(name) >= sizeof(w->way)) {
		close(fd);
		return -ENAMETOOLONG;
	}
	snprintf(w->way + n, sizeof(w->way) - n, "/%s", name);
	walk_to(w, fd);
	return 0;
}

/* Takes the next name off the way; empty at its end. */
static void walk_next(struct walk *w, char name[NAME_MAX + 2])
{
	size_t skip = strspn(w->rest, "/"), n = strcspn(w->rest + skip, "/");

	snprintf(name, NAME_MAX + 2, "%.*s", (int)n, w->rest + skip);
	memmove(w->rest, w->rest + skip + n, strlen(w->rest + skip + n) + 1);
}

static int walk_step(struct walk *w, const char *name)
{
	struct stat st;
	int fd, r = 0;

	if (strcmp(name, ".") == 0)
		return 0;
	if (strcmp(name, "..") == 0)
		return walk_up(w);
	fd = walk_open(w, w->fd, name);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if (st.st_dev == w->own)
		r = -ENOTDIR;
	else if (S_ISLNK(st.st_mode))
		r = walk_link(w, fd);
	else if (!S_ISDIR(st.st_mode))
		r = -ENOTDIR;
	else
		return walk_down(w, fd, name);
	close(fd);
	return r;
}

static int walk_all(struct walk *w)
{
	char name[NAME_MAX + 2];
	int r = walk_from_root(w);

	if (r < 0)
		return r;
	for (walk_next(w, name); r == 0 && name[0]; walk_next(w, name))
		r = walk_step(w, name);
	close(w->fd);
	return r;
}

int sock_look(const struct ipc_look *look, int root)
{
	struct walk w = {.look = look, .root = root, .fd = -1};
	const char *mount = look->ipc->opt.mountpoint;
	struct stat st;

	if (mount && stat(mount, &st) < 0)
		return -errno;
	w.own = mount ? st.st_dev : 0;
	snprintf(w.rest, sizeof(w.rest), "%s", path_target(&look->ref));
	return walk_all(&w);
}
