/* /mq: POSIX message queues. One write is one mq_send(3), one read one mq_receive(3), unless lines or nul say otherwise. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core.h"
#include "cred.h"
#include "mq_names.h"

struct mq_chan {
	struct ipc_chan chan;
	long maxmsg, msgsize; /* fixed for the queue's life; 0: not asked yet */
	struct mq_sink *sink; /* the batch that is being read; NULL */
};

struct mq_handle {
	struct ipc_handle h;
	mqd_t fd;
	long msgsize;
	unsigned last_prio; /* of the last message taken, should it have to go back */
};

/* Room before a message for its priority and a tab, and behind it for the delimiter. */
enum { META_MAX = 12, DELIM_MAX = 1 };

/* So many messages at most go from a writer to a batch directly, before the queue has its turn. */
enum { PASS_MAX = 64 };

static struct mq_handle *mq_handle(struct ipc_handle *h)
{
	return ipc_container(h, struct mq_handle, h);
}

static struct mq_chan *mq_chan(struct ipc_chan *chan)
{
	return ipc_container(chan, struct mq_chan, chan);
}

/* kind_data holds the directory descriptor plus two, so that "none" (-1) is not NULL. */
static int mq_dir(struct ipc *ipc)
{
	return (int)(intptr_t)ipc->kind_data[ipc_kind_index(&ipc_mq)] - 2;
}

static int mq_start(struct ipc *ipc)
{
	ipc->kind_data[ipc_kind_index(&ipc_mq)] = (void *)(intptr_t)(mq_names_open() + 2);
	return 0;
}

static void mq_stop(struct ipc *ipc)
{
	if (mq_dir(ipc) >= 0)
		close(mq_dir(ipc));
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

static int mq_make(void *arg, char *why, size_t why_size)
{
	const struct mq_making *m = arg;
	int fd = mq_names_create(m->name, m->mode, m->maxmsg, m->msgsize, why, why_size);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int mq_create(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref, mode_t mode)
{
	const struct ipc_facets *f = &ref->facets;
	char name[NAME_MAX + 1], why[512] = "";
	struct mq_making making = {
		.name = name,
		.mode = mode & 0777,
		.maxmsg = f->set & IPC_F_MAXMSG ? f->maxmsg : ipc->opt.mq_maxmsg,
		.msgsize = f->set & IPC_F_MSGSIZE ? f->msgsize : ipc->opt.mq_msgsize,
	};
	int r = ipc_kernel_name(ipc, ref, "", name, sizeof(name));

	if (r < 0)
		return r;
	if (!S_ISREG(mode))
		return ipc_refuse(ipc, cred, EPERM, ipc_ref_path(ref), "/mq holds message queues only");
	/* As the caller altogether: the queue's bytes are charged to him, and his limits hold. */
	r = ipc_cred_run(cred, mq_make, &making, why, sizeof(why));
	return r < 0 && r != -EEXIST ? ipc_refuse(ipc, cred, -r, ipc_ref_path(ref), "%s", why) : r;
}

static int mq_remove(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref)
{
	char name[NAME_MAX + 2];
	int r = ipc_kernel_name(ipc, ref, "/", name, sizeof(name));

	(void)cred;
	if (r < 0)
		return r;
	return mq_unlink(name) < 0 ? -errno : 0;
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
	return mq_names_chattr(mq_dir(ipc), name, st, set);
}

static int mq_list(struct ipc *ipc, const struct ipc_cred *cred, void (*emit)(void *, const char *, mode_t), void *arg)
{
	struct dirent *e;
	DIR *dir;
	int fd;

	(void)cred;
	if (mq_dir(ipc) < 0)
		return ipc_chan_list_live(ipc, &ipc_mq, emit, arg);
	fd = openat(mq_dir(ipc), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while ((e = readdir(dir))) {
		const char *name = e->d_type == DT_DIR ? NULL : ipc_unprefixed(ipc, e->d_name);

		if (name)
			emit(arg, name, S_IFREG);
	}
	closedir(dir);
	return 0;
}

/* The text that reading a queue's descriptor gives: mq_overview(7). -1: not there. */
static int64_t mq_bytes(int fd)
{
	char text[128];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	int64_t bytes;

	if (n <= 0)
		return -1;
	text[n] = '\0';
	return sscanf(text, "QSIZE:%" SCNd64, &bytes) == 1 ? bytes : -1;
}

static int mq_look(struct ipc *ipc, const struct ipc_ref *ref, struct mq_attr *attr, int64_t *bytes)
{
	char name[NAME_MAX + 1];
	int fd;
	int r = ipc_kernel_name(ipc, ref, "", name, sizeof(name));

	if (r < 0)
		return r;
	fd = mq_names_queue(name, O_RDONLY, 0, NULL);
	*bytes = fd < 0 ? -1 : mq_bytes(fd);
	if (fd == -EACCES)
		fd = mq_names_queue(name, O_WRONLY, 0, NULL);
	if (fd < 0)
		return fd;
	r = mq_getattr(fd, attr) < 0 ? -errno : 0;
	close(fd);
	return r;
}

static int mq_depth(struct ipc *ipc, const struct ipc_ref *ref, struct ipc_depth *depth)
{
	struct mq_attr attr;
	int64_t bytes;
	int r = mq_look(ipc, ref, &attr, &bytes);

	depth->unit = "messages";
	depth->value = r < 0 ? -1 : attr.mq_curmsgs;
	return 0;
}

static int mq_ctl_show(struct ipc *ipc, const struct ipc_ref *ref, struct ipc_chan *chan, FILE *out)
{
	struct mq_attr attr;
	int64_t bytes;
	int r;

	(void)chan;
	r = mq_look(ipc, ref, &attr, &bytes);
	if (r < 0)
		return ipc_is_shortage(r) ? r : 0;
	fprintf(out, "maxmsg=%ld\nmsgsize=%ld\nmessages=%ld\n", attr.mq_maxmsg, attr.mq_msgsize, attr.mq_curmsgs);
	if (bytes >= 0)
		fprintf(out, "bytes=%" PRId64 "\n", bytes);
	return 0;
}

/* Creation parameters on a queue that exists must be what it has. */
static int mq_check_facets(struct ipc_handle *h, const struct ipc_ref *ref, const struct mq_chan *q)
{
	const struct ipc_facets *f = &ref->facets;

	if ((f->set & IPC_F_MAXMSG) && f->maxmsg != q->maxmsg)
		return ipc_refuse(h->ipc, &h->cred, EEXIST, ipc_ref_path(ref),
				  "the queue exists with maxmsg=%ld, which is fixed at creation", q->maxmsg);
	if ((f->set & IPC_F_MSGSIZE) && f->msgsize != q->msgsize)
		return ipc_refuse(h->ipc, &h->cred, EEXIST, ipc_ref_path(ref),
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
	if (h->ipc->opt.mq_lines && !(h->facets.set & (IPC_F_LINES | IPC_F_NUL)))
		h->facets.set |= IPC_F_LINES;
	if (h->facets.set & IPC_F_ONE) {
		h->facets.set |= IPC_F_N;
		h->facets.n = 1;
	}
	m->fd = mq_names_queue(name, flags & O_ACCMODE, 0, NULL);
	if (m->fd == -ENOENT)
		return -ESTALE;
	if (m->fd < 0)
		return m->fd;
	h->flushes = h->writable && ipc_frame_delim(h, -1) >= 0 ? IPC_FLUSH_UNFINISHED : IPC_FLUSH_NEVER;
	r = mq_attach(m, ref, ino);
	if (r < 0)
		mq_close(m->fd);
	return r;
}

static void mq_close_handle(struct ipc_handle *h)
{
	mq_close(mq_handle(h)->fd);
}

static int mq_watch_fd(struct ipc_handle *h)
{
	return (int)IPC_RETRY(fcntl(mq_handle(h)->fd, F_DUPFD_CLOEXEC, 0));
}

/* Frames the message of n bytes at `to + META_MAX` (with meta), or at `to`, for h's reader; returns its length then. */
static size_t mq_frame(const struct ipc_handle *h, char *to, size_t n, unsigned prio, int delim)
{
	if (h->facets.set & IPC_F_META) {
		char meta[META_MAX + 1];
		size_t len = (size_t)snprintf(meta, sizeof(meta), "%u\t", prio);

		memmove(to + len, to + META_MAX, n);
		memcpy(to, meta, len);
		n += len;
	}
	if (delim >= 0)
		to[n++] = (char)delim;
	return n;
}

static void mq_count_taken(struct ipc_handle *h, size_t n)
{
	h->chan->out_messages++;
	h->chan->out_bytes += n;
	h->taken++;
}

/*
 * A batch that is being read, and has found the queue empty. What others write through this mount meanwhile would be sent
 * and received by us, one system call each; some of it goes from writer to reader directly, as if both had been done. Only
 * some: of each round the queue gets as much as it holds, so that native receivers have their share, and mq_notify(3) its call.
 */
struct mq_sink {
	struct ipc_handle *reader;
	char *at;
	size_t room;   /* bytes */
	uint64_t left; /* messages */
	int delim;
};

static bool mq_pass(struct mq_sink *sink, const char *data, size_t n, unsigned prio)
{
	struct ipc_handle *reader = sink->reader;
	size_t at = reader->facets.set & IPC_F_META ? META_MAX : 0;

	if (!sink->left || sink->room < at + n + DELIM_MAX) {
		sink->left = 0; /* nor what comes behind it */
		return false;
	}
	memcpy(sink->at + at, data, n);
	mq_count_taken(reader, n);
	mq_handle(reader)->last_prio = prio;
	n = mq_frame(reader, sink->at, n, prio, sink->delim);
	sink->at += n;
	sink->room -= n;
	sink->left--;
	return true;
}

static int mq_send_one(struct ipc_handle *h, const char *data, size_t n)
{
	unsigned prio = h->facets.set & IPC_F_PRIO ? h->facets.prio : 0;
	struct mq_sink *sink = mq_chan(h->chan)->sink;
	int r = 0;

	if (!sink || !mq_pass(sink, data, n, prio))
		r = (int)IPC_RETRY(mq_send(mq_handle(h)->fd, data, n, prio));
	if (r == 0) {
		h->chan->in_messages++;
		h->chan->in_bytes += n;
	}
	return r;
}

static ssize_t mq_write(struct ipc_op *op)
{
	struct ipc_handle *h = op->handle;
	size_t max = (size_t)mq_handle(h)->msgsize;
	int delim = ipc_frame_delim(h, -1);
	int r;

	if (delim >= 0)
		return ipc_frame_write(op, (char)delim, max, mq_send_one);
	if (max > IPC_MESSAGE_MAX)
		max = IPC_MESSAGE_MAX;
	if (op->size > max)
		return ipc_refuse(h->ipc, &op->cred, EMSGSIZE, ipc_handle_path(h),
				  "a message of %zu bytes; this queue takes %zu (its msgsize%s)", op->size, max,
				  max == IPC_MESSAGE_MAX ? ", as far as one write can carry it" : "");
	r = mq_send_one(h, op->data, op->size);
	return r < 0 ? r : (ssize_t)op->size;
}

static int mq_flush(struct ipc_op *op)
{
	return ipc_frame_flush(op, mq_send_one);
}

/* Takes one message to `to`, framed; returns its length there. */
static ssize_t mq_take(struct ipc_handle *h, char *to, int delim)
{
	struct mq_handle *m = mq_handle(h);
	size_t at = h->facets.set & IPC_F_META ? META_MAX : 0;
	ssize_t n = IPC_RETRY(mq_receive(m->fd, to + at, (size_t)m->msgsize, &m->last_prio));

	if (n < 0)
		return n;
	mq_count_taken(h, (size_t)n);
	return (ssize_t)mq_frame(h, to, (size_t)n, m->last_prio, delim);
}

static bool mq_done(const struct ipc_handle *h)
{
	return (h->facets.set & IPC_F_N) && h->taken >= h->facets.n;
}

/* Lets those who wait for room fill the queue, and the batch behind `len`. Returns its new length; *moved: whether they did. */
static size_t mq_refill(struct ipc_op *op, char *buf, size_t len, size_t worst, int delim, bool *moved)
{
	struct ipc_handle *h = op->handle;
	uint64_t before = h->chan->in_messages;
	uint64_t left = h->facets.set & IPC_F_N ? h->facets.n - h->taken : PASS_MAX;
	struct mq_sink sink = {
		.reader = h,
		.at = buf + len,
		.room = op->size - len > worst ? op->size - len - worst : 0,
		.left = left < PASS_MAX ? left : PASS_MAX,
		.delim = delim,
	};

	mq_chan(h->chan)->sink = &sink;
	ipc_waitq_run(h->waitq, IPC_OUT);
	mq_chan(h->chan)->sink = NULL;
	*moved = h->chan->in_messages != before;
	return (size_t)(sink.at - buf);
}

static ssize_t mq_read(struct ipc_op *op)
{
	struct ipc_handle *h = op->handle;
	size_t worst = (size_t)mq_handle(h)->msgsize + META_MAX + DELIM_MAX;
	int delim = ipc_frame_delim(h, -1);
	bool batch = h->facets.set & IPC_F_BATCH;
	bool moved = false;
	size_t len = 0;
	char *buf;

	if (mq_done(h))
		return 0;
	buf = ipc_scratch(h->ipc, worst + op->size);
	/* The rest of one that is longer than the read must have its place before it is taken: put back, it would come last. */
	if (!buf || (op->size < worst && !ipc_keep_reserve(h, worst)))
		return -ENOMEM;
	op->data = buf;
	do {
		ssize_t n = mq_take(h, buf + len, delim);

		if (n >= 0) {
			len += (size_t)n;
			continue;
		}
		if (n == -EAGAIN && batch && len)
			len = mq_refill(op, buf, len, worst, delim, &moved);
		if (n == -EAGAIN && moved) {
			moved = false;
			continue;
		}
		if (len)
			break;
		return n == -EAGAIN && (h->facets.set & IPC_F_DRAIN) ? 0 : n;
	} while (batch && len + worst <= op->size && !mq_done(h));
	return (ssize_t)len;
}

/* Sends the first framed message of a read back; returns its length there. */
static size_t mq_put_back(struct ipc_op *op, const char *at, size_t left)
{
	struct ipc_handle *h = op->handle;
	int delim = ipc_frame_delim(h, -1);
	const char *end = h->facets.set & IPC_F_BATCH ? memchr(at, delim, left) : NULL;
	size_t n = end ? (size_t)(end - at) + 1 : left;
	size_t body = n - (delim >= 0);
	const char *tab = h->facets.set & IPC_F_META ? memchr(at, '\t', body) : NULL;
	unsigned prio = tab ? (unsigned)strtoul(at, NULL, 10) : mq_handle(h)->last_prio;
	const char *from = tab ? tab + 1 : at;

	body -= (size_t)(from - at);
	if (mq_send(mq_handle(h)->fd, from, body, prio) < 0)
		ipc_refuse(h->ipc, &op->cred, errno, ipc_handle_path(h),
			   "a message of %zu bytes could neither be delivered nor put back", body);
	h->taken--;
	return n;
}

/* Behind others of its priority: the kernel has no other place for what comes back. */
static void mq_undo(struct ipc_op *op, ssize_t len)
{
	struct ipc_handle *h = op->handle;
	const char *at = h->keep_len ? h->keep : op->data;
	size_t left = h->keep_len ? h->keep_len : (size_t)len;

	/* The rest of a message whose beginning was delivered. */
	if (h->keep_len && op->offset != h->keep_at)
		return;
	h->keep_len = 0;
	while (left) {
		size_t n = mq_put_back(op, at, left);

		at += n;
		left -= n;
	}
}

static unsigned mq_poll(struct ipc_handle *h)
{
	struct pollfd p = {.fd = mq_handle(h)->fd, .events = POLLIN | POLLOUT};
	unsigned mask = (h->readable ? POLLIN | POLLRDNORM : 0u) | (h->writable ? POLLOUT | POLLWRNORM : 0u);

	if (poll(&p, 1, 0) < 0)
		return POLLERR;
	if (h->readable && (mq_done(h) || (h->facets.set & IPC_F_DRAIN)))
		p.revents |= POLLIN; /* a read would say EOF, not wait */
	return ((p.revents & POLLIN ? POLLIN | POLLRDNORM : 0u) | (p.revents & POLLOUT ? POLLOUT | POLLWRNORM : 0u)) &
	       mask;
}

const struct ipc_kind ipc_mq = {
	.name = "mq",
	.facets = IPC_F_LINES | IPC_F_NUL | IPC_F_PRIO | IPC_F_DRAIN | IPC_F_ONE | IPC_F_N | IPC_F_IDLE |
		  IPC_F_TIMEOUT | IPC_F_BATCH | IPC_F_META | IPC_F_MAXMSG | IPC_F_MSGSIZE,
	.chan_size = sizeof(struct mq_chan),
	.handle_size = sizeof(struct mq_handle),
	.start = mq_start,
	.stop = mq_stop,
	.stat = mq_stat,
	.create = mq_create,
	.unlink = mq_remove,
	.chattr = mq_chattr,
	.list = mq_list,
	.depth = mq_depth,
	.open = mq_open_handle,
	.read = mq_read,
	.write = mq_write,
	.flush = mq_flush,
	.undo = mq_undo,
	.close = mq_close_handle,
	.poll = mq_poll,
	.watch_fd = mq_watch_fd,
	.ctl_show = mq_ctl_show,
};
