/* MNT/events as an open file. */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "event.h"
#include "handle.h"
#include "kind.h"
#include "log.h"
#include "native.h"
#include "reader.h"

/* What is kept of the last moments. */
enum { EVENTS_BYTES = 1 << 20 };

/* An open file of MNT/events. */
struct event_reader {
	struct ipc_handle h;
	struct ipc_log_reader log;
	bool json;
};

static struct event_reader *event_reader(struct ipc_handle *h)
{
	return ipc_container(h, struct event_reader, h);
}

static int event_open(struct ipc_handle *h, const struct ipc_ref *ref, int flags, ino_t ino)
{
	struct event_reader *e = event_reader(h);
	struct ipc *ipc = h->ipc;

	(void)ref;
	(void)flags;
	(void)ino;
	if (h->writable)
		return ipc_refuse(ipc, &h->cred, EACCES, "events", "events are for reading");
	if (!ipc->events) {
		ipc->events = ipc_log_new(ipc, EVENTS_BYTES);
		if (!ipc->events)
			return -ENOMEM;
		ipc_native_start(ipc);
	}
	ipc_log_join(ipc->events, &e->log);
	h->waitq = &e->log.waitq;
	h->flushes = IPC_FLUSH_NEVER;
	return 0;
}

static void event_close(struct ipc_handle *h)
{
	struct ipc *ipc = h->ipc;

	if (!ipc_log_leave(&event_reader(h)->log))
		return;
	ipc_native_stop(ipc);
	ipc_log_free(ipc->events);
	ipc->events = NULL;
}

/* The next that concerns him, or NULL; *lost: how many have gone that he has not read. */
static const struct ipc_event_record *event_next(struct event_reader *e, uint64_t *lost)
{
	const struct ipc_log_record *log;

	while ((log = ipc_log_next(&e->log, lost))) {
		const struct ipc_event_record *r = ipc_container(log, const struct ipc_event_record, log);

		if (!r->own || r->uid == e->h.cred.uid)
			return r;
		ipc_log_skip(&e->log);
	}
	return NULL;
}

/* The next line, until event_took(); 0: there is none. */
static size_t event_line(struct event_reader *e, char *line)
{
	uint64_t lost;
	const struct ipc_event_record *r = event_next(e, &lost);

	if (lost)
		return ipc_event_write_lost(lost, e->json, line);
	return r ? ipc_event_write(e->h.ipc, r, &e->h.cred, e->json, line) : 0;
}

static void event_took(struct event_reader *e)
{
	uint64_t lost;
	const struct ipc_event_record *r = event_next(e, &lost);

	ipc_log_took(&e->log, r && !r->own);
}

/* As many whole lines as the read has room for, and one in any case. */
static ssize_t event_read(struct ipc_op *op)
{
	struct event_reader *e = event_reader(op->handle);
	char line[IPC_EVENT_LINE_MAX];
	char *buf = ipc_scratch(e->h.ipc, op->size + IPC_EVENT_LINE_MAX);
	size_t len = 0, n;

	if (!buf)
		return -ENOMEM;
	ipc_reader_enter(e->h.ipc, &op->cred);
	while ((n = event_line(e, line)) && (!len || len + n <= op->size)) {
		memcpy(buf + len, line, n);
		len += n;
		event_took(e);
	}
	ipc_reader_leave(e->h.ipc);
	if (!len)
		ipc_log_sleep(&e->log);
	op->data = buf;
	return len ? (ssize_t)len : -EAGAIN;
}

static unsigned event_poll(struct ipc_handle *h)
{
	struct event_reader *e = event_reader(h);
	uint64_t lost;

	/* Though he has something to read: to who waits for edges each event is one. */
	ipc_log_sleep(&e->log);
	return event_next(e, &lost) || lost ? POLLIN | POLLRDNORM : 0u;
}

static const struct ipc_kind_handles event_handles = {
	.open = event_open,
	.read = event_read,
	.close = event_close,
	.poll = event_poll,
};

/* How MNT/events is opened: as a kind that no directory shows. */
static const struct ipc_kind event_kind = {
	.name = "events",
	.text = true,
	.named = true,
	.handle_size = sizeof(struct event_reader),
	.handles = &event_handles,
};

int ipc_events_open(struct ipc *ipc, const struct ipc_cred *cred, bool json, int flags, struct ipc_handle **out)
{
	const struct ipc_ref ref = {.kind = &event_kind};
	int r = ipc_handle_new(ipc, cred, &ref, flags, 0, out);

	if (r == 0)
		event_reader(*out)->json = json;
	return r;
}
