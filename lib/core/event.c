/* The events of the last moments, kept as long as somebody reads them: event.h. */
#include "event.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "abroad.h"
#include "base/proc.h"
#include "handle.h"
#include "kind.h"
#include "ref.h"

/* So many are kept, in so many bytes at most; a reader who falls further behind loses the oldest. */
enum { EVENTS_MAX = 4096, BYTES_MAX = 1 << 20 };
/* Who waits for events is woken no more often than that: a burst is one read. */
#define WAKE_NS INT64_C(2000000)

struct ipc_events {
	struct ipc *ipc;
	struct ipc_event_record *ring[EVENTS_MAX];
	uint64_t first, next; /* numbers of the oldest that is kept, and of the one to come */
	uint64_t common;      /* how many came that concern everybody */
	size_t bytes;
	unsigned readers;
	struct ipc_list sleepers; /* readers that had nothing to read when they looked */
	int64_t wake_next;	  /* when they may be woken again */
	struct ipc_timer timer;
};

/* An open file of MNT/events. */
struct event_reader {
	struct ipc_handle h;
	struct ipc_waitq waitq;
	struct ipc_list sleeping;
	uint64_t next, common; /* what he reads next: its number, and how many for everybody were before it */
	bool json;
};

static struct event_reader *event_reader(struct ipc_handle *h)
{
	return ipc_container(h, struct event_reader, h);
}

static struct ipc_event_record **events_at(struct ipc_events *all, uint64_t number)
{
	return &all->ring[number % EVENTS_MAX];
}

/* --- noting --- */

static void events_drop_oldest(struct ipc_events *all)
{
	struct ipc_event_record **at = events_at(all, all->first++);

	all->bytes -= (*at)->size;
	free(*at);
	*at = NULL;
}

static void events_wake(struct ipc_events *all, int64_t now)
{
	all->wake_next = now + WAKE_NS;
	ipc_timer_stop(all->ipc->loop, &all->timer);
	while (!ipc_list_empty(&all->sleepers))
		ipc_waitq_wake(&ipc_container(ipc_list_pop(&all->sleepers), struct event_reader, sleeping)->waitq);
}

static void events_due(struct ipc_timer *timer)
{
	events_wake(ipc_container(timer, struct ipc_events, timer), ipc_now());
}

static void events_tell(struct ipc_events *all)
{
	int64_t now;

	if (ipc_list_empty(&all->sleepers) || all->timer.slot)
		return;
	now = ipc_now();
	if (now >= all->wake_next || ipc_timer_start(all->ipc->loop, &all->timer, all->wake_next, events_due) < 0)
		events_wake(all, now);
}

static void events_add(struct ipc_events *all, struct ipc_event_record *r)
{
	r->common = all->common;
	all->common += !r->own;
	all->bytes += r->size;
	while (all->next - all->first >= EVENTS_MAX || (all->bytes > BYTES_MAX && all->first < all->next))
		events_drop_oldest(all);
	*events_at(all, all->next++) = r;
	events_tell(all);
}

static size_t event_text_size(const struct ipc_event *e)
{
	size_t size = strlen(e->path) + 1;

	for (unsigned i = 0; i < IPC_EVENT_VALUES; i++)
		size += e->value[i].text ? strlen(e->value[i].text) + 1 : 0;
	return size;
}

static void event_copy_texts(struct ipc_event_record *r, const struct ipc_event *e)
{
	char *to = stpcpy(r->text, e->path) + 1;

	for (unsigned i = 0; i < IPC_EVENT_VALUES; i++) {
		r->value[i] = e->value[i];
		if (!e->value[i].text)
			continue;
		r->value[i].text = to;
		to = stpcpy(to, e->value[i].text) + 1;
	}
}

void ipc_event(struct ipc *ipc, const struct ipc_event *e)
{
	size_t size = sizeof(struct ipc_event_record) + event_text_size(e);
	struct ipc_event_record *r = calloc(1, size);

	/* Without memory for it every reader has lost it, and hears of that: the numbers go on. */
	if (!r) {
		ipc->events->common += !e->own;
		return;
	}
	r->size = size;
	clock_gettime(CLOCK_REALTIME, &r->when);
	r->type = e->type;
	r->own = e->own;
	r->uid = e->by ? e->by->uid : (uid_t)-1;
	r->pid = e->by ? e->by->pid : 0;
	if (r->pid)
		ipc_proc_command(r->pid, r->command, sizeof(r->command));
	r->known = e->st != NULL;
	if (e->st) {
		r->owner = e->st->st_uid;
		r->group = e->st->st_gid;
		r->mode = e->st->st_mode;
	}
	event_copy_texts(r, e);
	events_add(ipc->events, r);
}

void ipc_event_of_ref(struct ipc *ipc, enum ipc_event_type type, const struct ipc_cred *by, const struct ipc_ref *ref,
		      const struct stat *st, const struct ipc_event_value *value)
{
	struct ipc_ref plain = {.kind = ref->kind};
	struct ipc_event e = {.type = type, .by = by, .st = st};
	struct stat now;

	/* Names that are no channels of their own (a process, an address) are not in MNT/status either. */
	if (!ref->kind->names->depth || !ipc_kind_shown(ipc, ref->kind))
		return;
	snprintf(plain.base, sizeof(plain.base), "%s", ref->base);
	if (!st && ref->kind->names->stat(ipc, &plain, &now) == 0)
		e.st = &now;
	e.path = ipc_ref_path(&plain);
	if (value)
		memcpy(e.value, value, sizeof(e.value));
	ipc_event(ipc, &e);
}

void ipc_event_of_chan(struct ipc_chan *chan, enum ipc_event_type type, const struct ipc_cred *by,
		       const struct ipc_event_value *value)
{
	struct ipc_ref ref = {.kind = chan->kind};

	snprintf(ref.base, sizeof(ref.base), "%s", chan->name);
	ipc_event_of_ref(chan->ipc, type, by, &ref, chan->kind->named ? &chan->st : NULL, value);
}

/* --- reading --- */

static struct ipc_events *events_new(struct ipc *ipc)
{
	struct ipc_events *all = calloc(1, sizeof(*all));

	if (!all)
		return NULL;
	all->ipc = ipc;
	ipc_list_init(&all->sleepers);
	return all;
}

static void events_free(struct ipc_events *all)
{
	while (all->first < all->next)
		events_drop_oldest(all);
	ipc_timer_stop(all->ipc->loop, &all->timer);
	free(all);
}

static int event_open(struct ipc_handle *h, const struct ipc_ref *ref, int flags, ino_t ino)
{
	struct event_reader *e = event_reader(h);
	struct ipc *ipc = h->ipc;

	(void)flags;
	(void)ino;
	if (h->writable)
		return ipc_refuse(ipc, &h->cred, EACCES, "events", "events are for reading");
	if (!ipc->events)
		ipc->events = events_new(ipc);
	if (!ipc->events)
		return -ENOMEM;
	ipc->events->readers++;
	e->json = ref->kind == &ipc_events_json;
	e->next = ipc->events->next;
	e->common = ipc->events->common;
	ipc_list_init(&e->sleeping);
	ipc_waitq_init(&e->waitq, ipc, -1);
	h->waitq = &e->waitq;
	h->flushes = IPC_FLUSH_NEVER;
	return 0;
}

static void event_close(struct ipc_handle *h)
{
	struct event_reader *e = event_reader(h);
	struct ipc *ipc = h->ipc;

	ipc_list_remove(&e->sleeping);
	ipc_waitq_close(&e->waitq, -EBADF);
	if (--ipc->events->readers)
		return;
	events_free(ipc->events);
	ipc->events = NULL;
}

/* The next that concerns him, or NULL; *lost: how many have gone that he has not read. */
static const struct ipc_event_record *event_next(struct event_reader *e, uint64_t *lost)
{
	struct ipc_events *all = e->h.ipc->events;
	const struct ipc_event_record *r = NULL;

	if (e->next < all->first)
		e->next = all->first;
	while (e->next < all->next) {
		r = *events_at(all, e->next);
		if (!r->own || r->uid == e->h.cred.uid)
			break;
		e->next++;
		r = NULL;
	}
	*lost = (r ? r->common : all->common) - e->common;
	return r;
}

static void event_sleep(struct event_reader *e)
{
	ipc_list_remove(&e->sleeping);
	ipc_list_append(&e->h.ipc->events->sleepers, &e->sleeping);
}

/* One line, to be taken by event_took(); 0: there is none. */
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

	e->common += lost;
	if (lost || !r)
		return;
	e->common += !r->own;
	e->next++;
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
		event_sleep(e);
	op->data = buf;
	return len ? (ssize_t)len : -EAGAIN;
}

static unsigned event_poll(struct ipc_handle *h)
{
	struct event_reader *e = event_reader(h);
	uint64_t lost;

	/* Though he has something to read: to who waits for edges each event is one. */
	event_sleep(e);
	return event_next(e, &lost) || lost ? POLLIN | POLLRDNORM : 0u;
}

static const struct ipc_kind_handles event_handles = {
	.open = event_open,
	.read = event_read,
	.close = event_close,
	.poll = event_poll,
};

const struct ipc_kind ipc_events = {
	.name = "events",
	.text = true,
	.named = true,
	.handle_size = sizeof(struct event_reader),
	.handles = &event_handles,
};

const struct ipc_kind ipc_events_json = {
	.name = "events",
	.text = true,
	.named = true,
	.handle_size = sizeof(struct event_reader),
	.handles = &event_handles,
};

int ipc_events_open(struct ipc *ipc, const struct ipc_cred *cred, bool json, int flags, struct ipc_handle **out)
{
	const struct ipc_ref ref = {.kind = json ? &ipc_events_json : &ipc_events};

	return ipc_handle_new(ipc, cred, &ref, flags, 0, out);
}
