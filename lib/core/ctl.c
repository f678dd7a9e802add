/* NAME@ctl: a channel's state as key=value lines, and what of it can be changed. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "reader.h"
#include "base/sys.h"
#include "chan.h"
#include "ctl.h"
#include "frame.h"
#include "handle.h"
#include "kind.h"
#include "op.h"
#include "path.h"
#include "rights.h"
#include "settle.h"
#include "tap.h"

enum { CTL_LINE_MAX = 4096 };

struct ctl_handle {
	struct ipc_handle h;
	struct ipc_ref ref;
	struct ipc_chan *listening; /* whose clients poll(2) tells of, held; NULL */
	bool joined;		    /* it listens on for us */
	struct ipc_text text;	    /* made at the first read, so that one reader sees one state */
};

static struct ctl_handle *ctl_handle(struct ipc_handle *h)
{
	return ipc_container(h, struct ctl_handle, h);
}

static const struct ipc_kind_ctl *ctl_of(const struct ipc_kind *kind)
{
	static const struct ipc_kind_ctl nothing;

	return kind->ctl ? kind->ctl : &nothing;
}

void ipc_ctl_more(const char *keys, unsigned count, FILE *out)
{
	if (count > IPC_CTL_SHOWN)
		fprintf(out, "%s_not_shown=%u\n", keys, count - IPC_CTL_SHOWN);
}

static void ctl_show_waiters(const struct ipc_handle *h, unsigned *count, FILE *out)
{
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, &h->ops) {
		const struct ipc_op *op = ipc_container(pos, struct ipc_op, handle_link);

		if ((*count)++ >= IPC_CTL_SHOWN)
			continue;
		ipc_reader_show(h->ipc, "waiter", op->cred.pid, out);
		fprintf(out, " operation:%s since:%.3fs\n", ipc_op_verb(op->type),
			(double)(ipc_now() - op->since) / 1e9);
	}
}

/* chan is NULL where nobody has used it for long. */
static void ctl_show_counters(const struct ctl_handle *c, const struct ipc_chan *chan, ino_t ino, FILE *out)
{
	static const struct ipc_chan unused;
	static const struct ipc_counts none;
	const struct ipc_counts *n = chan ? chan->counts : ipc_counts_find(c->h.ipc, c->ref.kind, ino);

	chan = chan ? chan : &unused;
	n = n ? n : &none;
	fprintf(out, "readers=%u\nwriters=%u\nwaiters=%u\n", chan->readers, chan->writers, chan->waiters);
	if (chan->taps)
		fprintf(out, "taps=%u\n", ipc_tap_count(chan));
	fprintf(out, "in_messages=%" PRIu64 "\nin_bytes=%" PRIu64 "\nout_messages=%" PRIu64 "\nout_bytes=%" PRIu64 "\n",
		n->in_messages, n->in_bytes, n->out_messages - n->back_messages, n->out_bytes - n->back_bytes);
}

static void ctl_show_people(const struct ipc_chan *chan, FILE *out)
{
	struct ipc_list *pos, *next;
	unsigned shown = 0;

	ipc_list_each(pos, next, &chan->handles)
		ctl_show_waiters(ipc_container(pos, struct ipc_handle, link), &shown, out);
	ipc_ctl_more("waiters", shown, out);
	ipc_settle_show(chan, out);
}

/*
 * The name may have got another object since the file was opened, perhaps another user's: then -ESTALE. Kinds whose
 * objects are made by native calls compare once more where they open them.
 */
static int ctl_check(struct ctl_handle *c)
{
	struct stat st;
	int r = c->ref.kind->names->stat(c->h.ipc, &c->ref, &st);

	if (r == -ENOENT || (r == 0 && !ipc_ref_means(&c->ref, st.st_ino)))
		return ipc_refuse(c->h.ipc, &c->h.cred, ESTALE, ipc_ref_path(&c->ref).text,
				  "the object that was opened has this name no more; open the file again");
	return r;
}

/* What we remember of the object, unless it is of one that had the name before. */
static struct ipc_chan *ctl_chan(const struct ctl_handle *c)
{
	struct ipc_chan *chan = ipc_chan_find(c->h.ipc, c->ref.kind, c->ref.base);

	return chan && ipc_ref_means(&c->ref, chan->st.st_ino) ? chan : NULL;
}

static int ctl_make(struct ctl_handle *c)
{
	struct ipc *ipc = c->h.ipc;
	const struct ipc_kind *kind = c->ref.kind;
	struct ipc_chan *chan = ctl_chan(c);
	FILE *out = ipc_text_open(&c->text);
	struct stat st;
	int r = 0, whole;
	bool known;

	if (!out)
		return -ENOMEM;
	fprintf(out, "kind=%s\n", kind->name);
	if (ctl_of(kind)->show)
		r = ctl_of(kind)->show(ipc, &c->ref, chan, out);
	/* The kernel serves what has no read(): who opens it never reaches us. */
	known = kind->names->stat(ipc, &c->ref, &st) == 0;
	if ((chan && chan->openers) || kind->handles->watch_fd || kind->handles->connect ||
	    (known && S_ISREG(st.st_mode)))
		ctl_show_counters(c, chan, known ? st.st_ino : 0, out);
	if (chan)
		ctl_show_people(chan, out);
	whole = ipc_text_close(&c->text);
	if (r == 0)
		return whole;
	free(c->text.data);
	c->text.data = NULL;
	return r;
}

static void ctl_listen(struct ctl_handle *c)
{
	const struct ipc_kind *kind = c->ref.kind;

	c->listening = ctl_of(kind)->clients ? ipc_chan_find(c->h.ipc, kind, c->ref.base) : NULL;
	if (!c->listening)
		return;
	ipc_chan_hold(c->listening);
	/* Not h.waitq: what is parked there must not hold up who reads or writes here, where nothing waits. */
	c->h.pollq = &c->listening->waitq;
	c->joined = ctl_of(kind)->listen_join && kind->ctl->listen_join(c->listening, &c->h.cred);
}

static int ctl_open(struct ipc_handle *h, const struct ipc_ref *ref, int flags, ino_t ino)
{
	struct ipc_ref *own = &ctl_handle(h)->ref;
	struct stat st;
	int r;

	(void)flags;
	*own = *ref;
	own->facets.set = 0;
	own->facet_at = 0;
	own->ino = ipc_ref_ino(h->ipc, ref->kind, ino);
	r = ref->kind->names->stat(h->ipc, own, &st);
	if (ipc_is_shortage(r) || r == IPC_ASKED)
		return r;
	if (r < 0 || st.st_ino != ino)
		return -ESTALE;
	if (h->writable && !ctl_of(ref->kind)->set)
		return ipc_refuse(h->ipc, &h->cred, EACCES, ipc_ref_path(ref).text, "nothing can be set in /%s",
				  ref->kind->name);
	h->flushes = h->writable ? IPC_FLUSH_UNFINISHED : IPC_FLUSH_NEVER;
	ctl_listen(ctl_handle(h));
	return 0;
}

/* POLLPRI as an attribute of sysfs: something happened, namely that a client came. */
static unsigned ctl_poll(struct ipc_handle *h)
{
	unsigned events = (h->readable ? POLLIN | POLLRDNORM : 0u) | (h->writable ? POLLOUT | POLLWRNORM : 0u);
	struct ipc_chan *chan = ctl_handle(h)->listening;
	int clients = chan ? chan->listed ? chan->kind->ctl->clients(chan) : -ENOENT : 0;

	return events | (clients > 0 ? POLLPRI : 0u) | (clients < 0 ? POLLHUP : 0u);
}

static ssize_t ctl_read(struct ipc_op *op)
{
	struct ctl_handle *c = ctl_handle(op->handle);
	int r = 0;

	if (!c->text.data) {
		r = ctl_check(c);
		if (r < 0)
			return r;
		ipc_reader_enter(c->h.ipc, &op->cred);
		r = ctl_make(c);
		ipc_reader_leave(c->h.ipc);
	}
	if (r < 0)
		return r;
	if (op->offset >= (off_t)c->text.len)
		return 0;
	op->data = c->text.data + op->offset;
	return (ssize_t)c->text.len - op->offset;
}

static int ctl_set_line(struct ipc_handle *h, const char *line, size_t n)
{
	struct ctl_handle *c = ctl_handle(h);
	char text[CTL_LINE_MAX + 1], why[256] = "";
	char *value;
	int r;

	memcpy(text, line, n);
	text[n] = '\0';
	if (!n)
		return 0;
	value = strchr(text, '=');
	if (!value)
		return ipc_refuse(h->ipc, &h->cred, EINVAL, ipc_ref_path(&c->ref).text, "a line is key=value");
	*value++ = '\0';
	r = ctl_check(c);
	if (r == 0)
		r = ipc_ref_enter(h->ipc, &h->cred, &c->ref);
	if (r < 0)
		return r;
	r = c->ref.kind->ctl->set(h->ipc, &h->cred, &c->ref, text, value, why, sizeof(why));
	ipc_ref_leave(&h->cred, &c->ref);
	return r < 0 && why[0] ? ipc_refuse(h->ipc, &h->cred, -r, ipc_ref_path(&c->ref).text, "%s", why) : r;
}

static ssize_t ctl_write(struct ipc_op *op)
{
	return ipc_frame_write(op, '\n', CTL_LINE_MAX, ctl_set_line);
}

static int ctl_flush(struct ipc_op *op)
{
	return ipc_frame_flush(op, ctl_set_line);
}

static void ctl_close(struct ipc_handle *h)
{
	struct ipc_chan *chan = ctl_handle(h)->listening;

	free(ctl_handle(h)->text.data);
	if (!chan)
		return;
	if (ctl_handle(h)->joined)
		chan->kind->ctl->listen_leave(chan);
	ipc_chan_drop(chan);
}

static const struct ipc_kind_handles ctl_handles = {
	.open = ctl_open,
	.read = ctl_read,
	.write = ctl_write,
	.flush = ctl_flush,
	.close = ctl_close,
	.poll = ctl_poll,
};

const struct ipc_kind ipc_ctl = {
	.name = "ctl",
	.handle_size = sizeof(struct ctl_handle),
	.handles = &ctl_handles,
};
