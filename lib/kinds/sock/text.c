/*
 * Texts among the sockets. A server that keeps others away from its socket puts a lock or pid file beside it, with
 * O_EXCL and for reading and writing (PostgreSQL's .s.PGSQL.5432.lock), or calls it .lock or .pid: such an open makes
 * no socket, but a small file, which is kept in memory and goes with its name. It has a size, and can be read again,
 * written anywhere, truncated and locked.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sock.h"
#include "base/sys.h"
#include "core/instance.h"
#include "core/quota.h"
#include "kinds/plain.h"

/* Charged as a whole to its maker. */
enum { TEXT_MAX = 64 << 10 };

int sock_text_make(struct sock_chan *c, const struct ipc_cred *cred)
{
	int r = ipc_quota_take(c->chan.ipc, cred, IPC_QUOTA_BYTES, TEXT_MAX, ipc_chan_path(&c->chan).text);

	if (r < 0)
		return r;
	c->text = memfd_create("ipcfs-text", MFD_CLOEXEC);
	if (c->text < 0) {
		r = -errno;
		ipc_quota_give(c->chan.ipc, cred->uid, IPC_QUOTA_BYTES, TEXT_MAX);
		return r;
	}
	c->chan.text = true;
	return 0;
}

void sock_text_free(struct sock_chan *c)
{
	if (c->text < 0)
		return;
	close(c->text);
	c->text = -1;
	ipc_quota_give(c->chan.ipc, c->chan.charged_to, IPC_QUOTA_BYTES, TEXT_MAX);
}

off_t sock_text_size(const struct sock_chan *c)
{
	struct stat st;

	return fstat(c->text, &st) < 0 ? 0 : st.st_size;
}

int sock_text_stat(struct ipc_handle *h, struct stat *st)
{
	const struct sock_chan *c = sock_chan(h->chan);

	if (sock_handle(h)->role != SOCK_KEEPS)
		return -EOPNOTSUPP;
	*st = c->chan.st;
	st->st_size = sock_text_size(c);
	return 0;
}

static int text_refuse_size(struct sock_chan *c, const struct ipc_cred *cred, off_t size)
{
	return ipc_refuse(c->chan.ipc, cred, EFBIG, ipc_chan_path(&c->chan).text,
			  "a text of %jd bytes; one beside the sockets, such as a lock or pid file, has %d at most",
			  (intmax_t)size, TEXT_MAX);
}

int sock_text_resize(struct sock_chan *c, off_t size)
{
	if (size > TEXT_MAX)
		return -EFBIG;
	return ftruncate(c->text, size) < 0 ? -errno : 0;
}

/* An open file description of its own, as locks belong to one. */
int sock_text_open(struct sock_handle *s, int flags)
{
	const struct sock_chan *c = sock_chan(s->h.chan);

	ipc_waitq_init(&s->own, s->h.ipc, -1);
	s->fd = open(ipc_fd_path(c->text).text, (flags & (O_ACCMODE | O_APPEND | O_TRUNC)) | O_CLOEXEC);
	if (s->fd < 0)
		return -errno;
	s->role = SOCK_KEEPS;
	ipc_plain_open(&s->h, s->fd);
	return 0;
}

ssize_t sock_text_read(struct ipc_op *op)
{
	return ipc_plain_read(op, sock_handle(op->handle)->fd);
}

ssize_t sock_text_write(struct ipc_op *op)
{
	struct ipc_handle *h = op->handle;
	struct sock_chan *c = sock_chan(h->chan);
	int fd = sock_handle(h)->fd;
	off_t at = fcntl(fd, F_GETFL) & O_APPEND ? sock_text_size(c) : op->offset;

	if (at > TEXT_MAX - (off_t)op->size)
		return text_refuse_size(c, &op->cred, at + (off_t)op->size);
	return ipc_plain_write(op, fd);
}
