/*
 * /mq: POSIX message queues. One write is one mq_send(3), one read one mq_receive(3), unless lines or nul say
 * otherwise. This file has the names and the opens, io.c the data, ctl.c NAME@ctl, names.c what the kernel knows of
 * queues by name.
 */
#include "mq.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cred.h"
#include "direct.h"
#include "names.h"
#include "owed.h"
#include "base/sys.h"
#include "core/chan.h"
#include "core/frame.h"
#include "core/handle.h"
#include "core/instance.h"
#include "core/kind.h"
#include "core/listing.h"
#include "kinds/kinds.h"
#include "kinds/queue.h"
#include "core/option.h"
#include "core/path.h"

struct mq_kind *mq_kind(struct ipc *ipc)
{
	return *ipc_kind_data(ipc, &ipc_mq);
}

static int mq_dir(struct ipc *ipc)
{
	return mq_kind(ipc)->dir;
}

static int mq_start(struct ipc *ipc)
{
	struct mq_kind *kind = calloc(1, sizeof(*kind));

	if (!kind)
		return -ENOMEM;
	kind->dir = mq_names_open();
	ipc_list_init(&kind->owed);
	ipc_glances_init(&kind->glances, ipc->loop, mq_glance_free);
	*ipc_kind_data(ipc, &ipc_mq) = kind;
	return 0;
}

static void mq_stop(struct ipc *ipc)
{
	struct mq_kind *kind = mq_kind(ipc);

	if (!kind)
		return;
	ipc_glances_fini(&kind->glances);
	mq_owed_end(ipc);
	if (kind->dir >= 0)
		close(kind->dir);
	free(kind);
}

static int mq_stat(struct ipc *ipc, const struct ipc_ref *ref, struct stat *st)
{
	char name[NAME_MAX + 1];
	int r = ipc_kernel_name(ipc, ref, "", name, sizeof(name));

	return r < 0 ? r : mq_names_stat(mq_dir(ipc), name, st);
}

struct mq_making {
	const char *name;
	mode_t mode;
	int64_t maxmsg, msgsize;
};

static int mq_make_now(void *arg, char *why, size_t why_size)
{
	const struct mq_making *m = arg;
	int fd = mq_names_create(m->name, m->mode, m->maxmsg, m->msgsize, why, why_size);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* As the user altogether: the queue's bytes are charged to him, and his limits hold. Any thread may call it. */
int mq_make(const struct ipc_cred *cred, const char *name, mode_t mode, int64_t maxmsg, int64_t msgsize, char *why,
	    size_t why_size)
{
	struct mq_making making = {.name = name, .mode = mode & 0777, .maxmsg = maxmsg, .msgsize = msgsize};

	return ipc_cred_run(cred, mq_make_now, &making, why, why_size);
}

/* Any thread may call it. */
static int mq_make_ref(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref, mode_t mode, char *why,
		       size_t why_size)
{
	const struct ipc_facets *f = &ref->facets;
	char name[NAME_MAX + 1];
	int64_t maxmsg = f->set & IPC_F_MAXMSG ? f->maxmsg : ipc_option_number(&ipc->opt, &ipc_queue_maxmsg, 0);
	int64_t msgsize = f->set & IPC_F_MSGSIZE ? f->msgsize : ipc_option_number(&ipc->opt, &ipc_queue_msgsize, 0);
	int r = ipc_kernel_name(ipc, ref, "", name, sizeof(name));

	return r < 0 ? r : mq_make(cred, name, mode, maxmsg, msgsize, why, why_size);
}

static int mq_create(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref, mode_t mode)
{
	char why[512] = "";
	int r;

	if (!S_ISREG(mode))
		return ipc_refuse(ipc, cred, EPERM, ipc_ref_path(ref).text, "/mq holds message queues only");
	r = mq_make_ref(ipc, cred, ref, mode, why, sizeof(why));
	if (r != -EEXIST && why[0])
		ipc_refuse(ipc, cred, r < 0 ? -r : EMFILE, ipc_ref_path(ref).text, "%s", why);
	return r;
}

static int mq_make_later(struct ipc_making *m)
{
	return mq_make_ref(m->ipc, &m->cred, &m->ref, m->mode, m->why, sizeof(m->why));
}

static int mq_remove(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref)
{
	char name[NAME_MAX + 2];
	int r = ipc_kernel_name(ipc, ref, "/", name, sizeof(name));

	(void)cred;
	if (r < 0)
		return r;
	/* The library says EACCES for the kernel's EPERM; rm(1) everywhere else in the mount says EPERM. */
	if (mq_unlink(name) < 0)
		return errno == EACCES ? -EPERM : -errno;
	return 0;
}

static int mq_chattr(struct ipc *ipc, const struct ipc_ref *ref, struct ipc_handle *h, const struct stat *st,
		     unsigned set)
{
	char name[NAME_MAX + 1];
	int r = ipc_kernel_name(ipc, ref, "", name, sizeof(name));

	(void)h;
	if (r < 0)
		return r;
	if ((set & IPC_SET_SIZE) && st->st_size != 0)
		return -EINVAL;
	return mq_names_chattr(mq_dir(ipc), name, ipc_kind_ino(ref->ino), st, set);
}

int mq_reopen(mqd_t queue, int access)
{
	return (int)IPC_RETRY(open(ipc_fd_path(queue).text, access | O_NONBLOCK | O_CLOEXEC));
}

static void mq_take(struct ipc_listing *l, const char *file, unsigned char type)
{
	const char *name = type == DT_DIR ? NULL : ipc_unprefixed(l->ipc, file);

	if (name)
		ipc_listing_tell(l, name, S_IFREG);
}

static int mq_each_name(struct ipc_listing *l)
{
	int dir = mq_dir(l->ipc);

	return dir < 0 ? ipc_listing_live(l) : ipc_listing_files(l, dir, mq_take);
}

static int mq_may_read(struct ipc *ipc, const struct ipc_ref *ref, ino_t ino)
{
	char name[NAME_MAX + 1];
	struct stat st;
	int fd, r = ipc_kernel_name(ipc, ref, "", name, sizeof(name));

	if (r < 0)
		return r;
	fd = mq_names_queue(name, O_RDONLY, 0, NULL);
	if (fd < 0)
		return fd == -ENOENT ? -ESTALE : fd;
	r = fstat(fd, &st) < 0 ? -errno : st.st_ino == ino ? 0 : -ESTALE;
	close(fd);
	return r;
}

/* Creation parameters on a queue that exists must be what it has. */
static int mq_check_facets(struct ipc_handle *h, const struct ipc_ref *ref, const struct mq_chan *q)
{
	const struct ipc_facets *f = &ref->facets;

	if ((f->set & IPC_F_MAXMSG) && f->maxmsg != q->maxmsg)
		return ipc_refuse_facet(h->ipc, &h->cred, EEXIST, ref,
					"the queue exists with maxmsg=%ld, which is fixed at creation", q->maxmsg);
	if ((f->set & IPC_F_MSGSIZE) && f->msgsize != q->msgsize)
		return ipc_refuse_facet(h->ipc, &h->cred, EEXIST, ref,
					"the queue exists with msgsize=%ld, which is fixed at creation", q->msgsize);
	return 0;
}

static int mq_attach(struct mq_handle *m, const struct ipc_ref *ref, ino_t ino)
{
	struct ipc_chan *chan;
	struct mq_attr attr;
	struct stat st;
	struct mq_chan *q;

	if (fstat(m->fd, &st) < 0)
		return -errno;
	if (ino && st.st_ino != ino)
		return -ESTALE;
	chan = ipc_chan_get(m->h.ipc, &ipc_mq, ref->base, st.st_ino);
	if (!chan)
		return -ENOMEM;
	q = mq_chan(chan);
	if (!q->maxmsg) {
		if (mq_getattr(m->fd, &attr) < 0)
			return -errno;
		q->maxmsg = attr.mq_maxmsg;
		q->msgsize = attr.mq_msgsize;
		mq_direct_init(q);
	}
	m->msgsize = q->msgsize;
	return mq_check_facets(&m->h, ref, q);
}

static int mq_open_handle(struct ipc_handle *h, const struct ipc_ref *ref, int flags, ino_t ino)
{
	struct mq_handle *m = mq_handle(h);
	char name[NAME_MAX + 1];
	int r = ipc_kernel_name(h->ipc, ref, "", name, sizeof(name));

	if (r < 0)
		return r;
	m->fd = mq_names_queue(name, flags & O_ACCMODE, 0, NULL);
	if (m->fd == -ENOENT)
		return -ESTALE;
	if (m->fd < 0)
		return m->fd;
	h->flushes = (h->writable && ipc_frame_delim(h, -1) >= 0) || h->owing ? IPC_FLUSH_UNFINISHED : IPC_FLUSH_NEVER;
	r = mq_attach(m, ref, ino);
	if (r < 0)
		mq_close(m->fd);
	return r;
}

static void mq_chan_free(struct ipc_chan *chan)
{
	if (mq_chan(chan)->maxmsg)
		mq_direct_fini(mq_chan(chan));
	free(mq_chan(chan)->notes);
	mq_owed_free(chan);
}

static void mq_close_handle(struct ipc_handle *h)
{
	struct mq_handle *m = mq_handle(h);

	mq_close(m->fd);
}

static int mq_watch_fd(struct ipc_handle *h)
{
	return (int)IPC_RETRY(fcntl(mq_handle(h)->fd, F_DUPFD_CLOEXEC, 0));
}

static const struct ipc_kind_debts mq_debts = {
	.settled = mq_settled,
	.given_back = mq_given_back,
	.forgotten = mq_forgotten,
};

static const struct ipc_kind_names mq_names = {
	.stat = mq_stat,
	.create = mq_create,
	.make = mq_make_later,
	.unlink = mq_remove,
	.chattr = mq_chattr,
	.each_name = mq_each_name,
	.dir = mq_dir,
	.depth = mq_depth,
	.glance = mq_glance_at,
	.may_read = mq_may_read,
};

static const struct ipc_kind_handles mq_handles = {
	.open = mq_open_handle,
	.read = mq_read,
	.write = mq_write,
	.flush = mq_flush,
	.put_back = mq_put_back,
	.give_back = mq_give_back,
	.close = mq_close_handle,
	.poll = mq_poll,
	.watch_fd = mq_watch_fd,
};

static const struct ipc_kind_readme mq_readme = {
	.use = "mq     echo hi > M/mq/m           head -n1 M/mq/m     a POSIX message queue: mq_open(\"/m\")\n"
	       "       seq 9 > M/mq/jobs@lines; while read -r job; do echo $job; done < M/mq/jobs@lines,idle=1s\n",
	.facets = IPC_QUEUE_README_FACETS,
};

const struct ipc_kind ipc_mq = {
	.name = "mq",
	.facets = IPC_F_TAP | IPC_F_LINES | IPC_F_NUL | IPC_F_PRIO | IPC_F_DRAIN | IPC_F_ONE | IPC_F_N | IPC_F_IDLE |
		  IPC_F_TIMEOUT | IPC_F_BATCH | IPC_F_META | IPC_F_MAXMSG | IPC_F_MSGSIZE | IPC_F_FIFO | IPC_F_ACK |
		  IPC_F_LEASE | IPC_F_TRIES,
	.options = ipc_queue_options,
	.readme = &mq_readme,
	.chan_size = sizeof(struct mq_chan),
	.handle_size = sizeof(struct mq_handle),
	.start = mq_start,
	.stop = mq_stop,
	.recover = mq_owed_recover,
	.framed = ipc_queue_framed,
	.chan_free = mq_chan_free,
	.names = &mq_names,
	.handles = &mq_handles,
	.debts = &mq_debts,
	.ctl = &mq_ctl,
};
