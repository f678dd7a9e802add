/*
 * /shm: POSIX shared memory. A name is a link to the object in /dev/shm and the kernel does the rest; only the open that
 * must make a new name (O_EXCL) cannot become a native one, so its handle is a plain file of ours.
 */
#include "base/directory.h"
#include "base/place.h"
#include "base/sys.h"
#include "core/chan.h"
#include "core/handle.h"
#include "core/instance.h"
#include "core/kind.h"
#include "kinds/kinds.h"
#include "core/ref.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHM_DIR "/dev/shm"

struct shm_handle {
	struct ipc_handle h;
	int fd;
};

static struct shm_handle *shm_handle(struct ipc_handle *h)
{
	return ipc_container(h, struct shm_handle, h);
}

/* kind_data holds the directory descriptor plus two, so that "none" (-1) is not NULL. */
static int shm_dir(struct ipc *ipc)
{
	return (int)(intptr_t)*ipc_kind_data(ipc, &ipc_shm) - 2;
}

static int shm_start(struct ipc *ipc)
{
	int fd = open(SHM_DIR, O_PATH | O_DIRECTORY | O_CLOEXEC);

	*ipc_kind_data(ipc, &ipc_shm) = (void *)(intptr_t)(fd + 2);
	return 0;
}

static void shm_stop(struct ipc *ipc)
{
	if (shm_dir(ipc) >= 0)
		close(shm_dir(ipc));
}

/* Without a directory there are no objects. */
static int shm_error(int err)
{
	return err == EBADF ? -ENOENT : -err;
}

/* The kernel's name, of NAME_MAX + 1 bytes (set also on -ENOENT), and the object's own attributes. */
static int shm_find(struct ipc *ipc, const struct ipc_ref *ref, char *name, struct stat *st)
{
	int r = ipc_kernel_name(ipc, ref, "", name, NAME_MAX + 1);

	if (r < 0)
		return r;
	if (fstatat(shm_dir(ipc), name, st, AT_SYMLINK_NOFOLLOW) < 0)
		return shm_error(errno);
	return S_ISREG(st->st_mode) ? 0 : -ENOENT;
}

/* The same, where what has the name by now must be what ref was looked up for: else -ESTALE. */
static int shm_find_same(struct ipc *ipc, const struct ipc_ref *ref, char *name, struct stat *st)
{
	int r = shm_find(ipc, ref, name, st);

	return r == 0 && !ipc_ref_means(ref, st->st_ino) ? -ESTALE : r;
}

/* A path in /proc that means one object, whatever becomes of its name, and that its mode does not bar. */
struct shm_pin {
	int fd;
	char path[32];
};

static void shm_pin_fd(struct shm_pin *pin, int fd)
{
	pin->fd = fd;
	snprintf(pin->path, sizeof(pin->path), "/proc/self/fd/%d", fd);
}

/* The caller closes pin->fd. */
static int shm_pin(struct ipc *ipc, const struct ipc_ref *ref, struct shm_pin *pin, struct stat *st)
{
	char name[NAME_MAX + 1];
	int fd;
	int r = ipc_kernel_name(ipc, ref, "", name, sizeof(name));

	if (r < 0)
		return r;
	fd = openat(shm_dir(ipc), name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return shm_error(errno);
	if (fstat(fd, st) < 0 || !S_ISREG(st->st_mode) || !ipc_ref_means(ref, st->st_ino)) {
		close(fd);
		return S_ISREG(st->st_mode) ? -ESTALE : -ENOENT;
	}
	shm_pin_fd(pin, fd);
	return 0;
}

static int shm_stat(struct ipc *ipc, const struct ipc_ref *ref, struct stat *st)
{
	char name[NAME_MAX + 1];
	int r = shm_find(ipc, ref, name, st);

	if (r < 0 || ref->abroad)
		return r;
	st->st_mode = S_IFLNK | 0777;
	st->st_size = (off_t)(strlen(SHM_DIR "/") + strlen(name));
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
		return ipc_refuse(ipc, cred, ELOOP, ipc_ref_path(ref),
				  SHM_DIR
				  "/%s is a link or the like, and no shared memory: not followed, as by shm_open(3)",
				  name);
	/* Removed by a native call, behind an entry that the kernel had cached: it finds that out, or makes the object, itself. */
	if ((f->set & IPC_F_SIZE) && f->size != st.st_size)
		return shm_refuse_size(ipc, cred, ref, st.st_size);
	return (size_t)snprintf(buf, size, SHM_DIR "/%s", name) < size ? 0 : -ENAMETOOLONG;
}

/* Gives a new object what its creator asked for. */
static int shm_outfit(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref, int fd, mode_t mode)
{
	const struct ipc_facets *f = &ref->facets;
	int r;

	if (geteuid() == 0 && (cred->uid != 0 || cred->gid != getegid()) && fchown(fd, cred->uid, cred->gid) < 0)
		return -errno;
	/* After the owner, who takes bits away; and whatever our own umask left. */
	if (fchmod(fd, mode & 07777) < 0)
		return -errno;
	r = f->set & IPC_F_SIZE ? (int)IPC_RETRY(ftruncate(fd, f->size)) : 0;
	if (r < 0)
		return ipc_refuse(ipc, cred, -r, ipc_ref_path(ref), "an object of %" PRId64 " bytes cannot be made: %s",
				  f->size, strerror(-r));
	return 0;
}

static int shm_create(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref, mode_t mode)
{
	char name[NAME_MAX + 1];
	struct shm_pin pin;
	struct stat st;
	int fd;
	int r = ipc_kernel_name(ipc, ref, "", name, sizeof(name));

	if (r < 0)
		return r;
	if (!S_ISREG(mode))
		return ipc_refuse(ipc, cred, EPERM, ipc_ref_path(ref), "/shm holds shared memory only");
	if (shm_dir(ipc) < 0)
		return ipc_refuse(ipc, cred, ENOENT, ipc_ref_path(ref), "this system has no " SHM_DIR);
	if (fstatat(shm_dir(ipc), name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	/* Without a name until all is done: to take it away again by name could hit what another has put there meanwhile. */
	fd = openat(shm_dir(ipc), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode & 0777);
	if (fd < 0)
		return -errno;
	r = shm_outfit(ipc, cred, ref, fd, mode);
	shm_pin_fd(&pin, fd);
	if (r == 0 && linkat(AT_FDCWD, pin.path, shm_dir(ipc), name, AT_SYMLINK_FOLLOW) < 0)
		r = -errno;
	close(fd);
	return r;
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
	/* What the mount does not show must not be replaced through it. */
	if (r == -ENOENT && !(flags & RENAME_EXCHANGE))
		flags |= RENAME_NOREPLACE;
	else if (r < 0)
		return r;
	if (renameat2(shm_dir(ipc), old, shm_dir(ipc), new, flags) < 0)
		return -errno;
	shm_forget(ipc, from);
	shm_forget(ipc, to);
	return 0;
}

static int shm_apply(const struct shm_pin *pin, const struct stat *st, unsigned set)
{
	struct timespec times[] = {st->st_atim, st->st_mtim};

	if ((set & IPC_SET_OWNER) && chown(pin->path, st->st_uid, st->st_gid) < 0)
		return -errno;
	if ((set & IPC_SET_MODE) && chmod(pin->path, st->st_mode & 07777) < 0)
		return -errno;
	if ((set & IPC_SET_TIMES) && utimensat(AT_FDCWD, pin->path, times, 0) < 0)
		return -errno;
	return 0;
}

static int shm_chattr(struct ipc *ipc, const struct ipc_ref *ref, struct ipc_handle *h, const struct stat *st,
		      unsigned set)
{
	struct shm_pin pin = {.fd = -1};
	struct stat now;
	int r = 0;

	if (h)
		shm_pin_fd(&pin, shm_handle(h)->fd);
	else
		r = shm_pin(ipc, ref, &pin, &now);
	if (r < 0)
		return r;
	if (set & IPC_SET_SIZE) /* an open descriptor keeps the right that it was opened with */
		r = (int)(h ? IPC_RETRY(ftruncate(pin.fd, st->st_size)) : IPC_RETRY(truncate(pin.path, st->st_size)));
	if (r == 0)
		r = shm_apply(&pin, st, set);
	if (!h)
		close(pin.fd);
	return r;
}

/* The name as /shm lists it, or NULL; semaphores are listed below /sem. */
static const char *shm_listed(struct ipc *ipc, const struct dirent *e)
{
	struct stat st;

	if (e->d_type == DT_UNKNOWN) {
		if (fstatat(shm_dir(ipc), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
			return NULL;
	} else if (e->d_type != DT_REG) {
		return NULL;
	}
	return strncmp(e->d_name, "sem.", 4) == 0 ? NULL : ipc_unprefixed(ipc, e->d_name);
}

static int shm_list(struct ipc *ipc, const struct ipc_cred *cred, void (*emit)(void *, const char *, mode_t), void *arg)
{
	mode_t type = ipc_place_differs(cred->pid, ipc_shm.names->place) ? S_IFREG : S_IFLNK;
	struct dirent *e;
	DIR *dir;
	int r;

	if (shm_dir(ipc) < 0)
		return 0;
	r = ipc_directory_read(shm_dir(ipc), &dir);
	if (r < 0)
		return r;
	while ((e = readdir(dir))) {
		const char *name = shm_listed(ipc, e);

		if (name)
			emit(arg, name, type);
	}
	closedir(dir);
	return 0;
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
	struct shm_pin pin = {.fd = -1};
	struct stat st = {0};
	int fd;
	int r = shm_pin(h->ipc, ref, &pin, &st);

	if (r < 0)
		return r == -ENOENT ? -ESTALE : r;
	if (ref->abroad && (ref->facets.set & IPC_F_SIZE) && ref->facets.size != st.st_size) {
		close(pin.fd);
		return shm_refuse_size(h->ipc, &h->cred, ref, st.st_size);
	}
	/* The link's open is the kernel's, which truncates; here it is ours. */
	flags = (flags & (O_ACCMODE | O_APPEND | (ref->abroad ? O_TRUNC : 0))) | O_CLOEXEC;
	fd = st.st_ino == ino ? open(pin.path, flags) : -1;
	r = st.st_ino == ino ? -errno : -ESTALE;
	/* Its creator may use what its mode forbids to open, as with open(2): `cp` of a read-only file. */
	if (fd < 0 && r == -EACCES && st.st_uid == geteuid() && chmod(pin.path, (st.st_mode & 07777) | 0600) == 0) {
		fd = open(pin.path, flags);
		r = -errno;
		chmod(pin.path, st.st_mode & 07777);
	}
	close(pin.fd);
	if (fd < 0)
		return r;
	shm_handle(h)->fd = fd;
	h->plain = true;
	h->duplex = false;
	h->lockable = fd + 1;
	return 0;
}

static void shm_close_handle(struct ipc_handle *h)
{
	close(shm_handle(h)->fd);
}

static ssize_t shm_read(struct ipc_op *op)
{
	struct ipc_handle *h = op->handle;
	char *buf = ipc_scratch(h->ipc, op->size);

	if (!buf)
		return -ENOMEM;
	op->data = buf;
	return IPC_RETRY(pread(shm_handle(h)->fd, buf, op->size, op->offset));
}

static ssize_t shm_write(struct ipc_op *op)
{
	int fd = shm_handle(op->handle)->fd;

	while (op->done < op->size) {
		ssize_t n =
			IPC_RETRY(pwrite(fd, op->data + op->done, op->size - op->done, op->offset + (off_t)op->done));

		if (n < 0)
			return op->done ? (ssize_t)op->done : n;
		op->done += (size_t)n;
	}
	return (ssize_t)op->done;
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
	.list = shm_list,
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

const struct ipc_kind ipc_shm = {
	.name = "shm",
	.plain = true,
	.facets = IPC_F_SIZE,
	.handle_size = sizeof(struct shm_handle),
	.start = shm_start,
	.stop = shm_stop,
	.names = &shm_names,
	.handles = &shm_handles,
	.ctl = &shm_ctl,
};
