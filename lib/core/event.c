/* Notes what happens for those who read MNT/events: event.h. */
#include "event.h"

#include <string.h>

#include "base/proc.h"
#include "kind.h"
#include "log.h"
#include "path.h"
#include "told.h"

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
	struct ipc_event_record *r = ipc_log_record(ipc->events, size);

	if (!r)
		return;
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
	ipc_log_add(ipc->events, &r->log, !r->own);
}

void ipc_event_of_ref(struct ipc *ipc, enum ipc_event_type type, const struct ipc_cred *by, const struct ipc_ref *ref,
		      const struct stat *st, const struct ipc_event_value *value)
{
	struct ipc_ref plain = ipc_ref_of(ref->kind, ref->base);
	const struct ipc_path path = ipc_ref_path(&plain);
	struct ipc_event e = {.type = type, .path = path.text, .by = by, .st = st};
	struct stat now;

	/* Names that are no channels of their own (a process, an address) are not in MNT/status either. */
	if (!ref->kind->names->depth || !ipc_kind_shown(ipc, ref->kind))
		return;
	if (type == IPC_EVENT_MADE || type == IPC_EVENT_REMOVED)
		ipc_told_add(ipc, type, plain.kind, plain.base);
	if (!st && ref->kind->names->stat(ipc, &plain, &now) == 0)
		e.st = &now;
	if (value)
		memcpy(e.value, value, sizeof(e.value));
	ipc_event(ipc, &e);
}

void ipc_event_of_chan(struct ipc_chan *chan, enum ipc_event_type type, const struct ipc_cred *by,
		       const struct ipc_event_value *value)
{
	struct ipc_ref ref = ipc_ref_of(chan->kind, chan->name);

	ipc_event_of_ref(chan->ipc, type, by, &ref, chan->kind->named ? &chan->st : NULL, value);
}
