/* When a message that was handed over is settled, and when it is given back: settle.h. */
#include "settle.h"

#include <errno.h>
#include <stdlib.h>

#include "base/proc.h"
#include "reader.h"
#include "chan.h"
#include "event.h"
#include "handle.h"
#include "instance.h"
#include "kind.h"
#include "message.h"

/* What a handle with ack owes. */
struct ipc_owing {
	struct ipc_handle *handle;
	struct ipc_list owed, fresh; /* of earlier reads; of the one that is being served */
	unsigned count;		     /* of both */
	struct ipc_timer lease;
	enum ipc_end end;      /* of who closed a descriptor last, since the last read */
	enum ipc_end exit_end; /* of who exited last with the file open, since the last read; UNKNOWN: nobody */
	bool closed_by_reader;
	pid_t reader_thread, reader; /* who read last; and his process, -1 if it cannot be seen */
	bool at_end;		     /* the last read said that this is the end of the file */
};

int ipc_settle_open(struct ipc_handle *h)
{
	if (!(h->facets.set & IPC_F_ACK) || !h->readable || !h->kind->debts)
		return 0;
	h->owing = calloc(1, sizeof(*h->owing));
	if (!h->owing)
		return -ENOMEM;
	h->owing->handle = h;
	ipc_list_init(&h->owing->owed);
	ipc_list_init(&h->owing->fresh);
	return 0;
}

static struct ipc_debt *debt_first(const struct ipc_list *debts)
{
	return ipc_list_empty(debts) ? NULL : ipc_container(debts->next, struct ipc_debt, link);
}

/* Hands each debt to what becomes of it. Returns how many there were. */
static unsigned debts_end(struct ipc_handle *h, struct ipc_list *debts, void (*become)(struct ipc_debt *))
{
	struct ipc_debt *debt;
	unsigned count = 0;

	while ((debt = debt_first(debts))) {
		ipc_list_remove(&debt->link);
		h->owing->count--;
		h->chan->debts--;
		become(debt);
		count++;
	}
	return count;
}

static unsigned owing_end(struct ipc_owing *o, void (*become)(struct ipc_debt *))
{
	struct ipc_handle *h = o->handle;
	struct ipc_cred by = {.uid = h->cred.uid, .pid = debt_first(&o->owed) ? debt_first(&o->owed)->pid : 0};
	unsigned count;

	ipc_timer_stop(h->ipc->loop, &o->lease);
	count = debts_end(h, &o->owed, become);
	if (become == h->kind->debts->given_back)
		ipc_event_messages(h->chan, IPC_EVENT_GIVEN_BACK, &by, count);
	return count;
}

void ipc_settle_asked(struct ipc_handle *h)
{
	struct ipc_owing *o = h->owing;

	if (!o || ipc_message_had_all(h))
		return;
	o->end = IPC_END_UNKNOWN;
	owing_end(o, h->kind->debts->settled);
}

static void lease_expired(struct ipc_timer *timer)
{
	struct ipc_owing *o = ipc_container(timer, struct ipc_owing, lease);
	struct ipc_handle *h = o->handle;
	struct ipc_cred cred = h->cred;
	unsigned count;

	if (debt_first(&o->owed))
		cred.pid = debt_first(&o->owed)->pid;
	count = owing_end(o, h->kind->debts->given_back);
	if (count)
		ipc_refuse(h->ipc, &cred, ETIMEDOUT, ipc_handle_path(h).text,
			   "the lease of %.3gs ran out: what was being worked on is given back (%u)",
			   (double)h->facets.lease / 1e9, count);
}

static int lease_start(struct ipc_owing *o)
{
	struct ipc_handle *h = o->handle;

	if (!(h->facets.set & IPC_F_LEASE))
		return 0;
	return ipc_timer_start(h->ipc->loop, &o->lease, ipc_now() + h->facets.lease, lease_expired);
}

ssize_t ipc_settle_read(struct ipc_op *op)
{
	struct ipc_handle *h = op->handle;
	struct ipc_owing *o = h->owing;
	bool over = ipc_message_had_all(h);
	int r = over ? 0 : lease_start(o); /* before the message, so that nothing can fail after */
	ssize_t n = r < 0 ? r : h->kind->handles->read(op);

	/* A read that failed settles nothing: its reader has got no answer, and reads again if he goes on. */
	if (!over && (n >= 0 || n == -EAGAIN))
		debts_end(h, &o->owed, h->kind->debts->settled);
	o->end = o->exit_end = IPC_END_UNKNOWN;
	o->at_end = n == 0;
	while (debt_first(&o->fresh)) {
		struct ipc_debt *debt = debt_first(&o->fresh);

		ipc_list_remove(&debt->link);
		ipc_list_append(&o->owed, &debt->link);
	}
	if (!debt_first(&o->owed))
		ipc_timer_stop(h->ipc->loop, &o->lease);
	return n;
}

void ipc_settle_took(struct ipc_op *op, struct ipc_debt *debt)
{
	struct ipc_handle *h = op->handle;

	if (op->cred.pid != h->owing->reader_thread) {
		h->owing->reader_thread = op->cred.pid;
		h->owing->reader = ipc_proc_process(op->cred.pid);
	}
	debt->handle = h;
	debt->pid = op->cred.pid;
	debt->since = ipc_now();
	h->owing->count++;
	h->chan->debts++;
	ipc_list_append(&h->owing->fresh, &debt->link);
}

void ipc_settle_undo(struct ipc_handle *h)
{
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, &h->owing->owed) {
		ipc_container(pos, struct ipc_debt, link)->deliveries--;
		h->taken--;
	}
	owing_end(h->owing, h->kind->debts->given_back);
}

bool ipc_handle_owes(const struct ipc_handle *h)
{
	return h->owing && debt_first(&h->owing->owed);
}

void ipc_handle_ends(struct ipc_handle *h, pid_t closer, enum ipc_end end)
{
	struct ipc_owing *o = h->owing;

	if (!o)
		return;
	o->end = end;
	if (end == IPC_END_CLOSED)
		o->closed_by_reader = o->reader < 0 || ipc_proc_process(closer) == o->reader;
	else
		o->exit_end = end;
}

/*
 * A close(2) says nothing about success, unless nothing was left to read: shells and exceptions close what they leave.
 * And nothing at all where it was another process that read: dash and BusyBox sh open a command's files themselves, and
 * close them behind it. Then the status of who exited last says it.
 */
void ipc_settle_close(struct ipc_handle *h)
{
	struct ipc_owing *o = h->owing;
	enum ipc_end end;
	bool done;

	if (!o)
		return;
	end = o->end == IPC_END_CLOSED && !o->closed_by_reader && o->exit_end ? o->exit_end : o->end;
	done = end == IPC_END_SUCCESS || (end == IPC_END_CLOSED && o->at_end);
	owing_end(o, done ? h->kind->debts->settled : h->kind->debts->given_back);
}

void ipc_settle_each(const struct ipc_handle *h, void (*each)(struct ipc_debt *, void *arg), void *arg)
{
	struct ipc_list *pos, *next;

	if (h->owing)
		ipc_list_each(pos, next, &h->owing->owed)
			each(ipc_container(pos, struct ipc_debt, link), arg);
}

const struct ipc_debt *ipc_settle_oldest(const struct ipc_handle *h, unsigned *count)
{
	if (!ipc_handle_owes(h))
		return NULL;
	*count = h->owing->count;
	return debt_first(&h->owing->owed);
}

static void show_debt(const struct ipc_debt *debt, FILE *out)
{
	pid_t pid = ipc_reader_pid(debt->handle->ipc, debt->pid);
	char command[128] = "?";

	/* The number may be another process's by now. */
	if (pid && ipc_proc_is_from(debt->pid, debt->since))
		ipc_command(debt->pid, command, sizeof(command));
	fprintf(out, "owed_by=pid:%d command:%s since:%.3fs deliveries:%u\n", (int)pid, command,
		(double)(ipc_now() - debt->since) / 1e9, debt->deliveries);
}

void ipc_settle_show(const struct ipc_chan *chan, FILE *out)
{
	struct ipc_list *pos, *next, *at, *after;

	ipc_list_each(pos, next, &chan->handles) {
		const struct ipc_owing *o = ipc_container(pos, struct ipc_handle, link)->owing;

		if (o)
			ipc_list_each(at, after, &o->owed)
				show_debt(ipc_container(at, struct ipc_debt, link), out);
	}
}
