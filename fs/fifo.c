/*
 * NAME@fifo: the channel as a FIFO of the opener's own, which a pump of the library feeds or empties.
 *
 * The name is looked up as a regular file, so that its open comes to us. We make a FIFO inode that has no name; a
 * helper opens it through the mount, by a name that is told to nobody else, and keeps the one end that is ours. Then
 * OPEN is answered ESTALE: the kernel walks the path again, in the same thread, finds the FIFO this time, and opens it
 * by itself. Our end is there already, so the client neither waits nor sees an end. inotify(7) tells that he has come:
 * no poll event does.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/sys.h"
#include "fs.h"
#include "fifo.h"
#include "interrupt.h"

/* How many helpers open FIFOs at once; each is through as soon as the loop has answered it. */
enum { HELPERS_MAX = 8 };

/* --- opening --- */

static int fifo_make_node(struct fs_fifo *f)
{
	static const ino_t kind = (ino_t)0x7f << 56; /* no kind of channels has so high a number */
	struct stat st = {
		.st_mode = S_IFIFO | S_IRUSR | S_IWUSR,
		.st_ino = kind | ++f->fs->serial,
		.st_uid = geteuid(),
		.st_gid = getegid(),
	};

	f->node = fs_node_new_fifo(f->fs, &st);
	if (!f->node)
		return -ENOMEM;
	return 0;
}

/* The channel is open. */
static void fifo_prepare(struct fs_fifo *f)
{
	int r = fifo_make_node(f);

	ipc_list_remove(&f->link);
	ipc_list_append(&f->fs->fifos->waiting, &f->link);
	if (r < 0)
		fs_fifo_fail(f, r);
	else
		fs_fifo_start_waiting(f->fs->fifos);
}

static int fifo_op_complete(struct ipc_op *op, ssize_t result)
{
	struct fs_fifo *f = ipc_container(op, struct fs_fifo, op);

	if (result < 0)
		fs_fifo_fail(f, (int)result);
	else
		fifo_prepare(f);
	return 0;
}

static void fifo_interrupt(struct fs_interrupt *interrupt)
{
	ipc_interrupt(&ipc_container(interrupt, struct fs_fifo, interrupt)->op);
}

static void fifo_park(struct fs_fifo *f)
{
	ipc_park(&f->op);
	/* It may be over, and f freed at the end of the loop's turn. */
	if (!f->op.waitq)
		return;
	if (!fs_interrupt_watch(&f->interrupt, f->req, fifo_interrupt))
		ipc_interrupt(&f->op);
}

static void fifo_open_channel(struct fs_fifo *f, ino_t ino)
{
	struct ipc *ipc = f->fs->ipc;
	struct stat st = {.st_ino = ino};
	int r = -ESTALE;

	/* The kernel's one second look is needed for the FIFO: what changes meanwhile is for us to look at again. */
	for (int i = 0; r == -ESTALE && i < FS_TRIES_MAX; i++) {
		r = ipc_handle_new(ipc, &f->cred, &f->ref, f->flags & ~(O_CREAT | O_EXCL | O_TRUNC), st.st_ino,
				   &f->handle);
		if (r == -ESTALE && (ipc_stat(ipc, &f->cred, &f->ref, &st) < 0 || !S_ISREG(st.st_mode)))
			break;
	}
	if (r < 0) {
		fs_fifo_fail(f, r);
		return;
	}
	f->op = (struct ipc_op){
		.type = IPC_OPEN,
		.nonblock = f->flags & O_NONBLOCK,
		.cred = f->cred,
		.handle = f->handle,
		.complete = fifo_op_complete,
	};
	ipc_list_init(&f->op.link);
	r = (int)ipc_submit(&f->op);
	if (r == IPC_WOULD_PARK)
		fifo_park(f);
	else
		fifo_op_complete(&f->op, r);
}

static int fifos_start(struct fs *fs)
{
	struct fs_fifos *fifos = calloc(1, sizeof(*fifos));
	int fd = fifos ? inotify_init1(IN_NONBLOCK | IN_CLOEXEC) : -1;
	int err = fifos ? errno : ENOMEM;

	if (fd < 0)
		goto fail;
	fifos->fs = fs;
	ipc_list_init(&fifos->parked);
	ipc_list_init(&fifos->waiting);
	ipc_list_init(&fifos->working);
	ipc_list_init(&fifos->ready);
	fifos->pool = ipc_pool_new_apart(fs->loop, HELPERS_MAX, fd);
	err = fifos->pool ? -ipc_watch_add(fs->loop, &fifos->watch, fd, EPOLLIN, fs_fifos_ready) : errno;
	if (err)
		goto fail;
	fs->fifos = fifos;
	return 0;
fail:
	if (fifos)
		ipc_pool_free(fifos->pool);
	if (fd >= 0)
		close(fd);
	free(fifos);
	return -err;
}

static int fifo_refuse(struct fs *fs, const struct ipc_cred *cred, const struct ipc_ref *ref, int err, const char *why)
{
	char path[2 * IPC_NAME_MAX + 16];

	fs_ref_path(fs, ref, path, sizeof(path));
	return ipc_refuse(fs->ipc, cred, err, path, "%s", why);
}

static int fifo_check_open(struct fs *fs, const struct ipc_cred *cred, const struct ipc_ref *ref, int flags)
{
	int r;

	if ((flags & O_ACCMODE) != O_RDONLY && (flags & O_ACCMODE) != O_WRONLY)
		return ipc_refuse_facet(fs->ipc, cred, EINVAL, ref,
					"a FIFO has one direction: open it for reading or for writing, not for both");
	if (cred->pid <= 0)
		return fifo_refuse(fs, cred, ref, EOPNOTSUPP,
				   "your process is not visible to ipcfs, so it cannot be given a FIFO of its own; "
				   "use the name without fifo");
	r = fs->fifos ? 0 : fifos_start(fs);
	if (r == -EMFILE && !ipc_lacks_descriptors())
		return fifo_refuse(fs, cred, ref, EMFILE,
				   "no descriptor for inotify: sysctl fs.inotify.max_user_instances is too low");
	return r;
}

void fs_fifo_open(fuse_req_t req, const struct ipc_ref *ref, int flags, ino_t ino)
{
	struct fs *fs = fs_of(req);
	struct ipc_cred cred = fs_cred(req);
	int r = fifo_check_open(fs, &cred, ref, flags);
	struct fs_fifo *f;

	if (r < 0) {
		fs_reply_err(req, r);
		return;
	}
	f = calloc(1, sizeof(*f) + strlen(fs->opt.mountpoint) + sizeof("/" FS_FIFO_HELPER) + 12);
	if (!f) {
		fs_reply_err(req, -ENOMEM);
		return;
	}
	f->fs = fs;
	f->ref = *ref;
	f->cred = cred;
	f->flags = flags;
	f->req = req;
	f->fd = f->wd = -1;
	ipc_list_init(&f->comer.link);
	ipc_list_append(&fs->fifos->parked, &f->link);
	fifo_open_channel(f, ino);
}

/* --- being looked up --- */

static bool ref_is(struct fs *fs, const struct ipc_ref *a, const struct ipc_ref *b)
{
	char x[2 * IPC_NAME_MAX], y[2 * IPC_NAME_MAX];

	if (a->kind != b->kind)
		return false;
	fs_ref_text(fs, a, x, sizeof(x));
	fs_ref_text(fs, b, y, sizeof(y));
	return strcmp(x, y) == 0;
}

bool fs_fifo_is_back(struct fs *fs, const struct ipc_cred *cred, const struct ipc_ref *ref)
{
	struct fs_fifo *f = fs_fifo_of_pid(fs, cred->pid);

	/*
	 * Back without a look: it came by /proc/self/fd, where there is no name. The ordinary face is better than an
	 * error.
	 */
	if (!f || f->looked_up || !ref_is(fs, &f->ref, ref))
		return false;
	fs_fifo_free(f);
	return true;
}

struct fs_node *fs_fifo_lookup(struct fs *fs, const struct ipc_cred *cred, const struct ipc_ref *ref)
{
	struct fs_fifo *f = fs_is_fifo(ref) ? fs_fifo_of_pid(fs, cred->pid) : NULL;

	if (!f || !ref_is(fs, &f->ref, ref))
		return NULL;
	/* The opener has gone, and his number is another's now. */
	if (f->cred.uid != cred->uid) {
		fs_fifo_free(f);
		return NULL;
	}
	f->looked_up = true;
	f->node->uid = cred->uid;
	f->node->gid = cred->gid;
	return f->node;
}

struct fs_node *fs_fifo_lookup_helper(struct fs *fs, const struct ipc_cred *cred, const char *name)
{
	struct ipc_list *pos, *next;

	if (!fs->fifos || strncmp(name, FS_FIFO_HELPER, strlen(FS_FIFO_HELPER)) != 0)
		return NULL;
	ipc_list_each(pos, next, &fs->fifos->working) {
		struct fs_fifo *f = ipc_container(pos, struct fs_fifo, link);

		if (atomic_load(&f->helper) == cred->pid && strcmp(strrchr(f->path, '/') + 1, name) == 0)
			return f->node;
	}
	return NULL;
}

void fs_fifo_reply_entry(fuse_req_t req, struct fs_node *node)
{
	struct fs *fs = fs_of(req);
	struct fuse_entry_param entry = {
		.ino = fs_nodeid(fs, node),
		.attr_timeout = FS_TIMEOUT_FIXED,
	};

	fs_attr(fs, req, node, NULL, &entry.attr);
	node->lookups++;
	if (fuse_reply_entry(req, &entry) < 0)
		fs_node_forget(fs, node, 1);
}

/* --- the end --- */

static void fifos_end(struct ipc_list *list)
{
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, list)
		fs_fifo_fail(ipc_container(pos, struct fs_fifo, link), -ENOTCONN);
}

void fs_fifo_shut_down(struct fs *fs)
{
	struct ipc_list *pos, *next;

	if (!fs->fifos)
		return;
	fifos_end(&fs->fifos->parked);
	fifos_end(&fs->fifos->waiting);
	fifos_end(&fs->fifos->ready);
	/* Those are their helpers' until they have done, or the mount has gone. */
	ipc_list_each(pos, next, &fs->fifos->working) {
		struct fs_fifo *f = ipc_container(pos, struct fs_fifo, link);

		f->dead = true;
		if (f->req)
			fs_reply_err(f->req, -ENOTCONN);
		f->req = NULL;
		if (f->handle)
			ipc_close(f->handle);
		f->handle = NULL;
	}
}

void fs_fifo_fini(struct fs *fs)
{
	struct fs_fifos *fifos = fs->fifos;
	int fd;

	if (!fifos)
		return;
	ipc_pool_free(fifos->pool);
	fd = fifos->watch.fd;
	ipc_watch_remove(&fifos->watch);
	close(fd);
	free(fifos);
	fs->fifos = NULL;
}
