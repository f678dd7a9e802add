/*
 * /shm: POSIX shared memory. A name is a link to the object in /dev/shm and the kernel does the rest; only the open
 * that must make a new name (O_EXCL) cannot become a native one, so its handle is a plain file of ours.
 */
#include "base/place.h"
#include "base/sys.h"
#include "core/chan.h"
#include "core/handle.h"
#include "core/instance.h"
#include "core/kind.h"
#include "core/listing.h"
#include "kinds/kinds.h"
#include "core/ref.h"
#include "kinds/plain.h"
#include "kinds/shmdir.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct shm_handle {
	struct ipc_handle h;
	int fd;
};

static struct shm_handle *shm_handle(struct ipc_handle *h)
{
	return ipc_container(h, struct shm_handle, h);
}

/* The kind's own state. */
struct shm_kind {
	int dir; /* shmdir.h */
};

static int shm_dir(struct ipc *ipc)
{
	return ((const struct shm_kind *)*ipc_kind_data(ipc, &ipc_shm))->dir;
}

static int shm_start(struct ipc *ipc)
{
	struct shm_kind *kind = malloc(sizeof(*kind));

	if (!kind)
		return -ENOMEM;
	kind->dir = ipc_shmdir_open();
	*ipc_kind_data(ipc, &ipc_shm) = kind;
	return 0;
}

static void shm_stop(struct ipc *ipc)
{
	struct shm_kind *kind = *ipc_kind_data(ipc, &ipc_shm);

	if (kind && kind->dir >= 0)
		close(kind->dir);
	free(kind);
}

/* The kernel's name, of NAME_MAX + 1 bytes (set also on -ENOENT), and the object's own attributes. */
static int shm_find(struct ipc *ipc, const struct ipc_ref *ref, char *name, struct stat *st)
{
	int r = ipc_kernel_name(ipc, ref, "", name, NAME_MAX + 1);

	return r < 0 ? r : ipc_shmdir_stat(shm_dir(ipc), name, st);
}

/* The same, where what has the name by now must be what ref was looked up for: else -ESTALE. */
static int shm_find_same(struct ipc *ipc, const struct ipc_ref *ref, char *name, struct stat *st)
{
	int r = shm_find(ipc, ref, name, st);

	return r == 0 && !ipc_ref_means(ref, st->st_ino) ? -ESTALE : r;
}

/* A descriptor of the object that is meant; the caller closes it. */
static int shm_pin(struct ipc *ipc, const struct ipc_ref *ref, struct stat *st)
{
	char name[NAME_MAX + 1];
	int r = ipc_kernel_name(ipc, ref, "", name, sizeof(name));

	return r < 0 ? r : ipc_shmdir_pin(shm_dir(ipc), name, ref, st);
}

static int shm_stat(struct ipc *ipc, const struct ipc_ref *ref, struct stat *st)
{
	char name[NAME_MAX + 1];
	int r = shm_find(ipc, ref, name, st);

	if (r < 0 || ref->abroad)
		return r;
	st->st_mode = S_IFLNK | 0777;
	st->st_size = (off_t)(strlen(IPC_SHMDIR "/") + strlen(name));
	st->st_blocks = 0;
	return 0;
}

static int shm_refuse_size(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref, off_t size)
{
	return ipc_refuse_facet(ipc, cred, EEXIST, ref,
				"the object exists and has %" PRId64
				" bytes; size= is for a new one, truncate(1) resizes",
				(int64_t)size);
}

static int shm_readlink(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref, char *buf, size_t size)
{
	const struct ipc_facets *f = &ref->facets;
	char name[NAME_MAX + 1];
	struct stat st;
	int r = shm_find(ipc, ref, name, &st);

	if (r < 0 && (r != -ENOENT || f->set))
		return r;
	if (r < 0 && fstatat(shm_dir(ipc), name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode))
		return ipc_refuse(ipc, cred, ELOOP, ipc_ref_path(ref).text,
				  IPC_SHMDIR
				  "/%s is a link or the like, and no shared memory: not followed, as by shm_open(3)",
				  name);
	/*
	 * Removed by a native call, behind an entry that the kernel had cached: it finds that out, or makes the object,
	 * itself.
	 */
	if ((f->set & IPC_F_SIZE) && f->size != st.st_size)
		return shm_refuse_size(ipc, cred, ref, st.st_size);
	return (size_t)snprintf(buf, size, IPC_SHMDIR "/%s", name) < size ? 0 : -ENAMETOOLONG;
}

struct shm_new {
	struct ipc *ipc;
	const struct ipc_cred *cred;
	const struct ipc_ref *ref;
};

static int shm_outfit(int fd, void *arg)
{
	const struct shm_new *n = arg;
	const struct ipc_facets *f = &n->ref->facets;
	int r = f->set & IPC_F_SIZE ? (int)IPC_RETRY(ftruncate(fd, f->size)) : 0;

	if (r < 0)
		return ipc_refuse(n->ipc, n->cred, -r, ipc_ref_path(n->ref).text,
				  "an object of %" PRId64 " bytes cannot be made: %s", f->size, strerror(-r));
	return 0;
}

static int shm_create(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref, mode_t mode)
{
	struct shm_new new = {ipc, cred, ref};
	char name[NAME_MAX + 1];
	struct stat st;
	int r = ipc_kernel_name(ipc, ref, "", name, sizeof(name));

	if (r < 0)
		return r;
	if (!S_ISREG(mode))
		return ipc_refuse(ipc, cred, EPERM, ipc_ref_path(ref).text, "/shm holds shared memory only");
	if (shm_dir(ipc) < 0)
		return ipc_refuse(ipc, cred, ENOENT, ipc_ref_path(ref).text, "this system has no " IPC_SHMDIR);
	if (fstatat(shm_dir(ipc), name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	return ipc_shmdir_create(shm_dir(ipc), name, cred, mode, shm_outfit, &new);
}

static int shm_remove(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref)
{
	char name[NAME_MAX + 1];
	struct stat st;
	int r = shm_find(ipc, ref, name, &st);

	(void)cred;
	if (r < 0)
		return r;
	return unlinkat(shm_dir(ipc), name, 0) < 0 ? -errno : 0;
}

static void shm_forget(struct ipc *ipc, const struct ipc_ref *ref)
{
	struct ipc_chan *chan = ipc_chan_find(ipc, &ipc_shm, ref->base);

	if (chan)
		ipc_chan_forget(chan);
}

static int shm_rename(struct ipc *ipc, const struct ipc_ref *from, const struct ipc_ref *to, unsigned flags)
{
	char old[NAME_MAX + 1], new[NAME_MAX + 1];
	struct stat st;
	int r;

	if (flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	r = shm_find(ipc, from, old, &st);
	if (r < 0)
		return r;
	r = shm_find(ipc, to, new, &st);
	if (r < 0 && (r != -ENOENT || (flags & RENAME_EXCHANGE)))
		return r;
	r = ipc_shmdir_rename(shm_dir(ipc), old, new, r == 0, flags);
	if (r < 0)
		return r;
	shm_forget(ipc, from);
	shm_forget(ipc, to);
	return 0;
}

static int shm_chattr(struct ipc *ipc, const struct ipc_ref *ref, struct ipc_handle *h, const struct stat *st,
		      unsigned set)
{
	struct stat now;
	int fd = h ? shm_handle(h)->fd : shm_pin(ipc, ref, &now);
	int r = 0;

	if (fd < 0)
		return fd;
	if (set & IPC_SET_SIZE) /* an open descriptor keeps the right that it was opened with */
		r = (int)(h ? IPC_RETRY(ftruncate(fd, st->st_size))
			    : IPC_RETRY(truncate(ipc_fd_path(fd).text, st->st_size)));
	if (r == 0)
		r = ipc_kernel_chattr(fd, st, set);
	if (!h)
		close(fd);
	return r;
}

/* Semaphores are listed below /sem. */
static const char *shm_name_of(const char *file)
{
	return strncmp(file, "sem.", 4) == 0 ? NULL : file;
}

static void shm_take(struct ipc_listing *l, const char *file, unsigned char type)
{
	ipc_shmdir_tell(l, shm_dir(l->ipc), file, type, shm_name_of(file), l->type);
}

static int shm_each_name(struct ipc_listing *l)
{
	if (!l->begun)
		l->type = ipc_place_differs(l->cred.pid, ipc_shm.names->place) ? S_IFREG : S_IFLNK;
	return shm_dir(l->ipc) < 0 ? 0 : ipc_listing_files(l, shm_dir(l->ipc), shm_take);
}

static int shm_depth(struct ipc *ipc, const struct ipc_ref *ref, struct ipc_depth *depth)
{
	char name[NAME_MAX + 1];
	struct stat st;

	depth->unit = "bytes";
	depth->value = shm_find_same(ipc, ref, name, &st) < 0 ? -1 : st.st_size;
	return 0;
}

static int shm_ctl_show(struct ipc *ipc, const struct ipc_ref *ref, struct ipc_chan *chan, FILE *out)
{
	struct ipc_depth depth;

	(void)chan;
	shm_depth(ipc, ref, &depth); /* it needs no means of ours */
	if (depth.value >= 0)
		fprintf(out, "size=%" PRId64 "\n", depth.value);
	return 0;
}

static int shm_ctl_set(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref, const char *key,
		       const char *value, char *why, size_t size)
{
	struct stat st = {0};
	int64_t bytes;
	int r;

	(void)cred;
	if (strcmp(key, "size") != 0) {
		snprintf(why, size, "shared memory has one key to set, size");
		return -EINVAL;
	}
	if (ipc_number_parse(value, strlen(value), 1, 0, INT64_MAX, &bytes) < 0) {
		snprintf(why, size, "size is a number of bytes, with K, M or G at will");
		return -EINVAL;
	}
	st.st_size = bytes;
	r = shm_chattr(ipc, ref, NULL, &st, IPC_SET_SIZE);
	if (r < 0)
		snprintf(why, size, "the object cannot be given %" PRId64 " bytes: %s", bytes, strerror(-r));
	return r;
}

static int shm_open_handle(struct ipc_handle *h, const struct ipc_ref *ref, int flags, ino_t ino)
{
	struct stat st = {0};
	struct ipc_fd_path path;
	int fd, pin = shm_pin(h->ipc, ref, &st);
	int r;

	if (pin < 0)
		return pin == -ENOENT ? -ESTALE : pin;
	if (ref->abroad && (ref->facets.set & IPC_F_SIZE) && ref->facets.size != st.st_size) {
		close(pin);
		return shm_refuse_size(h->ipc, &h->cred, ref, st.st_size);
	}
	path = ipc_fd_path(pin);
	/* The link's open is the kernel's, which truncates; here it is ours. */
	flags = (flags & (O_ACCMODE | O_APPEND | (ref->abroad ? O_TRUNC : 0))) | O_CLOEXEC;
	fd = st.st_ino == ino ? open(path.text, flags) : -1;
	r = st.st_ino == ino ? -errno : -ESTALE;
	/* Its creator may use what its mode forbids to open, as with open(2): `cp` of a read-only file. */
	if (fd < 0 && r == -EACCES && st.st_uid == geteuid() && chmod(path.text, (st.st_mode & 07777) | 0600) == 0) {
		fd = open(path.text, flags);
		r = -errno;
		chmod(path.text, st.st_mode & 07777);
	}
	close(pin);
	if (fd < 0)
		return r;
	shm_handle(h)->fd = fd;
	ipc_plain_open(h, fd);
	return 0;
}

static void shm_close_handle(struct ipc_handle *h)
{
	close(shm_handle(h)->fd);
}

static ssize_t shm_read(struct ipc_op *op)
{
	return ipc_plain_read(op, shm_handle(op->handle)->fd);
}

static ssize_t shm_write(struct ipc_op *op)
{
	return ipc_plain_write(op, shm_handle(op->handle)->fd);
}

static int shm_fstat(struct ipc_handle *h, struct stat *st)
{
	return fstat(shm_handle(h)->fd, st) < 0 ? -errno : 0;
}

static int shm_backing(const struct ipc_handle *h)
{
	const struct shm_handle *s = ipc_container(h, struct shm_handle, h);

	return s->fd;
}

static const struct ipc_kind_names shm_names = {
	.place = IPC_PLACE_PATHS,
	.stat = shm_stat,
	.create = shm_create,
	.unlink = shm_remove,
	.rename = shm_rename,
	.chattr = shm_chattr,
	.readlink = shm_readlink,
	.dir = shm_dir,
	.name_of = shm_name_of,
	.each_name = shm_each_name,
	.depth = shm_depth,
};

static const struct ipc_kind_handles shm_handles = {
	.open = shm_open_handle,
	.read = shm_read,
	.write = shm_write,
	.close = shm_close_handle,
	.fstat = shm_fstat,
	.backing = shm_backing,
};

static const struct ipc_kind_ctl shm_ctl = {
	.show = shm_ctl_show,
	.set = shm_ctl_set,
};

static const struct ipc_kind_readme shm_readme = {
	.use = "shm    echo hi > M/shm/s          cat M/shm/s         POSIX shared memory: shm_open(\"/s\"), mmap\n",
	.facets = "  shm   @size=4096 for a new one\n",
};

const struct ipc_kind ipc_shm = {
	.name = "shm",
	.plain = true,
	.facets = IPC_F_SIZE,
	.readme = &shm_readme,
	.handle_size = sizeof(struct shm_handle),
	.start = shm_start,
	.stop = shm_stop,
	.names = &shm_names,
	.handles = &shm_handles,
	.ctl = &shm_ctl,
};
