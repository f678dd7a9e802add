/*
 * /pipe: FIFOs. Their inodes live in the mount and their I/O is the kernel's; only the open that must make a new name
 * (O_EXCL) cannot become a native one, so its handle feeds the FIFO through a descriptor of ours.
 */
#include "base/sys.h"
#include "core/chan.h"
#include "core/handle.h"
#include "core/instance.h"
#include "core/keep.h"
#include "core/kind.h"
#include "kinds/kinds.h"
#include "core/op.h"
#include "core/path.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* No more than the kernel's pipe usually holds, as a read keeps what it returned. */
enum { READ_MAX = 64 * 1024 };

struct pipe_handle {
	struct ipc_handle h;
	struct ipc_waitq waitq;
	struct pipe_opening *opening; /* NULL when it is over */
	int fd;			      /* or why there is none; -EAGAIN while the open goes on */
};

/*
 * The kind's own state. An open that waits keeps a helper for as long as the other side does not come, which is for the
 * user to say. So it takes none of those that others need, and a user has a part of them only.
 */
struct pipe_kind {
	struct ipc_pool *pool;	  /* NULL until the first */
	struct ipc_list openings; /* whose they are: struct ipc_pool_part */
};

enum { OPENINGS_MAX = 256, OPENINGS_OF_USER_MAX = 64 };

/* The open of a FIFO through the mount. Outlives the handle when that is closed first. */
struct pipe_opening {
	struct ipc_job job;
	struct pipe_handle *handle; /* NULL: closed */
	int flags;
	ino_t ino; /* of the FIFO that is meant, as the mount shows it */
	int fd;	   /* the result, or -errno */
	char path[];
};

static struct pipe_handle *pipe_handle(struct ipc_handle *h)
{
	return ipc_container(h, struct pipe_handle, h);
}

static struct pipe_kind *pipe_kind(struct ipc *ipc)
{
	return *ipc_kind_data(ipc, &ipc_pipe);
}

/* A FIFO has no MSG_NOSIGNAL. */
static int pipe_start(struct ipc *ipc)
{
	struct pipe_kind *kind = calloc(1, sizeof(*kind));
	struct sigaction action;

	if (!kind)
		return -ENOMEM;
	ipc_list_init(&kind->openings);
	*ipc_kind_data(ipc, &ipc_pipe) = kind;
	if (sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL)
		signal(SIGPIPE, SIG_IGN);
	return 0;
}

static void pipe_stop(struct ipc *ipc)
{
	struct pipe_kind *kind = pipe_kind(ipc);

	if (kind)
		ipc_pool_free(kind->pool);
	free(kind);
}

static int pipe_create(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref, mode_t mode)
{
	if (!S_ISREG(mode) && !S_ISFIFO(mode))
		return ipc_refuse(ipc, cred, EPERM, ipc_ref_path(ref).text, "/pipe holds FIFOs only");
	return ipc_chan_create(ipc, cred, ref, S_IFIFO | (mode & 07777), NULL);
}

/* What a FIFO holds can be asked only of its open descriptors, and those are not ours. */
static int pipe_depth(struct ipc *ipc, const struct ipc_ref *ref, struct ipc_depth *depth)
{
	(void)ipc;
	(void)ref;
	*depth = (struct ipc_depth){.value = -1, .unit = "bytes"};
	return 0;
}

static int opening_try(const struct pipe_opening *o, const char *path, int flags)
{
	int fd;

	do
		fd = open(path, flags | O_CLOEXEC);
	while (fd < 0 && errno == EINTR && !atomic_load(&o->job.cancelled));
	return fd < 0 ? -errno : fd;
}

/*
 * Whether it is the FIFO that was to be opened; of a number that ipc_stat() cannot have given, nothing is known. Asks
 * the kernel alone: the walk has just brought these attributes, and the mount would have to ask us.
 */
static bool opening_is_meant(const struct pipe_opening *o, int fd)
{
	struct statx st;

	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO | STATX_TYPE, &st) == 0 &&
	       S_ISFIFO(st.stx_mode) && (st.stx_ino == o->ino || st.stx_ino == ipc_kind_ino(st.stx_ino));
}

/*
 * By the daemon's rights, so that it must be the FIFO that was opened, not one that has got the name since then.
 *
 * In a helper thread: the walk goes through our own mount, and the open waits for the other side. */
static void opening_work(struct ipc_job *job)
{
	struct pipe_opening *o = ipc_container(job, struct pipe_opening, job);
	int name = opening_try(o, o->path, O_PATH | O_NOFOLLOW);

	o->fd = name;
	if (name < 0)
		return;
	if (!opening_is_meant(o, name))
		o->fd = -ESTALE;
	else
		o->fd = opening_try(o, ipc_job_fd_path(name).text, o->flags | O_NOCTTY);
	close(name);
	if (o->fd >= 0) {
		fcntl(o->fd, F_SETFL, O_NONBLOCK);
		ipc_job_hand(job, o->fd);
	}
}

static void opening_done(struct ipc_job *job)
{
	struct pipe_opening *o = ipc_container(job, struct pipe_opening, job);
	struct pipe_handle *p = o->handle;
	int fd = o->fd < 0 ? o->fd : job->fd;
	int r = fd;

	free(o);
	if (!p) {
		if (fd >= 0)
			close(fd);
		return;
	}
	p->opening = NULL;
	if (fd >= 0) {
		/* Who parked before there was a descriptor could not watch it. */
		p->waitq.fd = fd;
		r = ipc_waitq_arm(&p->waitq, &p->h);
		if (r < 0) {
			p->waitq.fd = -1;
			close(fd);
		}
	}
	p->fd = r < 0 ? r : fd;
	if (r < 0)
		ipc_refuse(p->h.ipc, &p->h.cred, -r, ipc_handle_path(&p->h).text,
			   "the new FIFO could not be opened: %s", strerror(-r));
	ipc_waitq_wake(&p->waitq);
}

static int opening_submit(struct ipc *ipc, struct pipe_opening *o, uid_t uid)
{
	struct pipe_kind *kind = pipe_kind(ipc);
	const struct ipc_pool_part part = {&kind->openings, uid, OPENINGS_OF_USER_MAX};

	if (!kind->pool)
		kind->pool = ipc_pool_new_apart(ipc->loop, OPENINGS_MAX, -1);
	if (!kind->pool)
		return -errno;
	return ipc_pool_submit_part(kind->pool, &o->job, &part, opening_work, opening_done, NULL);
}

/* r: of opening_submit(). */
static int opening_refuse(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref, int r)
{
	const struct ipc_path path = ipc_ref_path(ref);

	if (r == -EDQUOT)
		return ipc_refuse(ipc, cred, ENFILE, path.text,
				  "user %u has %d opens that wait for the other side of their FIFO, which is the most: "
				  "let some of those be opened first",
				  (unsigned)cred->uid, OPENINGS_OF_USER_MAX);
	if (r == -EAGAIN)
		return ipc_refuse(ipc, cred, ENFILE, path.text,
				  "%d opens of all users wait for the other side of their FIFO, which is the most: try "
				  "again when some of those have been opened",
				  OPENINGS_MAX);
	return r;
}

static int pipe_open(struct ipc_handle *h, const struct ipc_ref *ref, int flags, ino_t ino)
{
	struct pipe_handle *p = pipe_handle(h);
	const char *mountpoint = h->ipc->opt.mountpoint;
	char name[2 * IPC_NAME_MAX + 1];
	struct pipe_opening *o;
	size_t size;
	int r;

	if (!mountpoint)
		return ipc_refuse(h->ipc, &h->cred, EOPNOTSUPP, ipc_ref_path(ref).text,
				  "a FIFO is opened through the mount, and there is none");
	ipc_name_show(h->ipc, h->kind, h->chan->name, name, sizeof(name));
	size = strlen(mountpoint) + strlen("/pipe/") + strlen(name) + 1;
	o = calloc(1, sizeof(*o) + size);
	if (!o)
		return -ENOMEM;
	snprintf(o->path, size, "%s/pipe/%s", mountpoint, name);
	o->handle = p;
	o->flags = flags & (O_ACCMODE | O_NONBLOCK);
	o->ino = ipc_ref_ino(h->ipc, h->kind, ino);
	o->fd = -EINTR; /* should it be cancelled before it begins */
	r = opening_submit(h->ipc, o, h->cred.uid);
	if (r < 0) {
		free(o);
		return opening_refuse(h->ipc, &h->cred, ref, r);
	}
	p->opening = o;
	p->fd = -EAGAIN;
	ipc_waitq_init(&p->waitq, h->ipc, -1);
	h->waitq = &p->waitq;
	h->flushes = h->writable ? IPC_FLUSH_ALWAYS : IPC_FLUSH_NEVER;
	return 0;
}

static void pipe_close(struct ipc_handle *h)
{
	struct pipe_handle *p = pipe_handle(h);

	ipc_waitq_close(&p->waitq, -EBADF);
	if (p->opening) {
		p->opening->handle = NULL;
		ipc_job_cancel(pipe_kind(h->ipc)->pool, &p->opening->job);
	}
	if (p->fd >= 0)
		close(p->fd);
}

static ssize_t pipe_read(struct ipc_op *op)
{
	struct ipc_handle *h = op->handle;
	int fd = pipe_handle(h)->fd;
	size_t n = op->size < READ_MAX ? op->size : READ_MAX;
	char *buf;
	ssize_t got;

	if (fd < 0)
		return fd;
	buf = ipc_keep_reserve(h, n);
	if (!buf)
		return -ENOMEM;
	got = IPC_RETRY(read(fd, buf, n));
	op->data = buf;
	if (got > 0)
		h->chan->counts->out_bytes += (uint64_t)got;
	return got;
}

static ssize_t pipe_write(struct ipc_op *op)
{
	struct ipc_handle *h = op->handle;
	int fd = pipe_handle(h)->fd;

	if (fd < 0)
		return fd;
	while (op->done < op->size) {
		ssize_t n = IPC_RETRY(write(fd, op->data + op->done, op->size - op->done));

		if (n == -EAGAIN)
			return n;
		if (n < 0)
			return op->done ? (ssize_t)op->done : n;
		op->done += (size_t)n;
		h->chan->counts->in_bytes += (uint64_t)n;
	}
	return (ssize_t)op->done;
}

/* close(2) waits for the reader that a native open(2) would have waited for: else an empty file would end unseen. */
static int pipe_flush(struct ipc_op *op)
{
	int fd = pipe_handle(op->handle)->fd;

	return fd < 0 ? fd : 0;
}

static unsigned pipe_poll(struct ipc_handle *h)
{
	struct pollfd p = {.fd = pipe_handle(h)->fd, .events = POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM};

	if (p.fd == -EAGAIN)
		return 0;
	return p.fd < 0 || poll(&p, 1, 0) < 0 ? POLLERR : (unsigned)p.revents;
}

static const struct ipc_kind_names pipe_names = {
	.stat = ipc_chan_stat,
	.create = pipe_create,
	.depth = pipe_depth,
};

static const struct ipc_kind_handles pipe_handles = {
	.open = pipe_open,
	.read = pipe_read,
	.write = pipe_write,
	.flush = pipe_flush,
	.close = pipe_close,
	.poll = pipe_poll,
};

static const struct ipc_kind_readme pipe_readme = {
	.use = "pipe   echo hi > M/pipe/p         cat M/pipe/p        a FIFO; each side waits for the other\n",
};

const struct ipc_kind ipc_pipe = {
	.name = "pipe",
	.readme = &pipe_readme,
	.named = true,
	.handle_size = sizeof(struct pipe_handle),
	.start = pipe_start,
	.stop = pipe_stop,
	.names = &pipe_names,
	.handles = &pipe_handles,
};
